"""The house stands: imports go one way, and nothing heavy comes in by the front door."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

#: An import may go from a later room to an earlier one, or stay in its room.
ROOMS = ("core", "policy", "service", "views", "doors", "accounts", "outside", "lab", "integrations", "teach", "cli")
#: Stands alone: takes any client, imports nothing of ours; used from the lab upwards.
ALONE = "envelope"


def modules(package: Path) -> dict[str, Path]:
    """Every module of a package by its dotted name."""
    found = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> list[tuple[str, str]]:
    """What a module imports of its package, anywhere in its text: (module, name taken from it or "")."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*up, *([base] if base else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                found.append((inner, "") if inner in known else (base, alias.name))
    top = name.split(".")[0]
    return [(module, taken) for module, taken in found if module.split(".")[0] == top]


def room(module: str) -> str:
    """The room of a module; the empty text for the package's own front door."""
    return [*module.split("."), ""][1]


def problems(package: Path) -> list[str]:
    """Every import that breaks a rule, and every circle, in words."""
    known = modules(package)
    arrows = {name: imports(name, path, known) for name, path in known.items()}
    bad = []
    for name, found in sorted(arrows.items()):
        for module, taken in found:
            arrow = f"{name} imports {module}"
            if module not in known:
                bad.append(f"{arrow}, which does not exist")
            elif known[module].name == "__init__.py" and room(name) and taken:
                bad.append(f"{arrow}.{taken}: import it from the module that defines it")
            elif room(name) == ALONE:
                bad.append(f"{arrow}; {ALONE} imports nothing of ours")
            elif room(name) and not allowed(room(name), room(module)):
                bad.append(f"{arrow}, against the direction of imports")
    graph = {name: {module for module, _ in found if module != name} for name, found in arrows.items()}
    return bad + [f"a circle: {' -> '.join(circle)}" for circle in circles(graph)]


def allowed(here: str, there: str) -> bool:
    if there == ALONE:
        return ROOMS.index(here) >= ROOMS.index("lab")
    return here in ROOMS and there in ROOMS and ROOMS.index(there) <= ROOMS.index(here)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The circles that a depth-first walk meets; empty when there is none."""
    found, done = [], set()

    def walk(name: str, path: list[str]) -> None:
        if name in path:
            found.append([*path[path.index(name) :], name])
        elif name not in done:
            for target in sorted(graph.get(name, ())):
                walk(target, [*path, name])
            done.add(name)

    for name in sorted(graph):
        walk(name, [])
    return found


class TestImports:
    def test_they_go_one_way_and_never_in_a_circle(self, root):
        """No module of kms_lab imports a later room, the package's front door, or itself by a detour."""
        assert problems(root / "kms_lab") == []

    def test_every_room_is_known(self, root):
        """Each module belongs to a room of the plan."""
        rooms = {room(name) for name in modules(root / "kms_lab")}

        assert rooms <= {"", ALONE, *ROOMS}

    @pytest.mark.parametrize(
        ("files", "complaint"),
        [
            ({"core/a.py": "from lib.policy.b import x", "policy/b.py": ""}, "against the direction"),
            ({"core/a.py": "def f():\n    import lib.lab", "lab.py": ""}, "against the direction"),
            ({"views/a.py": "from ..doors import b", "doors/b.py": ""}, "against the direction"),
            ({"core/a.py": "from lib.core.b import x", "core/b.py": "from . import a"}, "a circle"),
            ({"envelope.py": "from lib.core.a import x", "core/a.py": ""}, "imports nothing of ours"),
            ({"service/a.py": "import lib.envelope", "envelope.py": ""}, "against the direction"),
            (
                {"teach/a.py": "from lib import Lab", "__init__.py": "from lib.lab import Lab", "lab.py": ""},
                "defines it",
            ),
            ({"core/a.py": "import lib.core.gone"}, "does not exist"),
        ],
    )
    def test_the_test_can_fail(self, tmp_path, files, complaint):
        """Each rule is broken once in a small package, and the walk says which."""
        for folder in ("", "core", "policy", "views", "doors", "service", "teach"):
            (tmp_path / "lib" / folder).mkdir(exist_ok=True)
            (tmp_path / "lib" / folder / "__init__.py").touch()
        for name, text in files.items():
            (tmp_path / "lib" / name).write_text(text)

        found = problems(tmp_path / "lib")

        assert len(found) == 1
        assert complaint in found[0]


class TestFrontDoor:
    HEAVY = ("pandas", "matplotlib", "ipywidgets", "boto3", "botocore", "IPython", "numpy", "anywidget", "jupyterlab")

    def loaded_by(self, program):
        code = f"import sys\n{program}\nprint(*(name for name in {self.HEAVY!r} if name in sys.modules))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return done.stdout.split()

    @pytest.mark.parametrize(
        "program",
        [
            "import kms_lab",
            "import kms_lab.envelope",
            "import kms_lab.cli",
            "from kms_lab import Lab; kms = Lab().client(); key = kms.create_key()['KeyMetadata']['KeyId'];"
            " kms.encrypt(KeyId=key, Plaintext=b'x')",
        ],
    )
    def test_nothing_heavy_comes_in(self, program):
        """Importing kms_lab, and encrypting, load no notebook, data or AWS library."""
        assert self.loaded_by(program) == []

    def test_the_check_sees_what_is_loaded(self):
        """A program that does load one of them is caught."""
        assert "IPython" in self.loaded_by("import IPython")
