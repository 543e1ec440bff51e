"""The project's files agree with each other, and the wheel that a learner installs is whole."""

import ast
import re
import stat
import subprocess
import sys
import tomllib
import zipfile
from urllib.parse import quote

import pytest

import kms_lab

#: The plan's list: what a learner needs, and no more.
DEPENDENCIES = {
    "jupyterlab", "ipywidgets", "cryptography", "pynacl", "matplotlib", "pandas", "boto3", "anywidget", "fsrs",
    "platformdirs", "click", "tqdm",
}  # fmt: skip


@pytest.fixture(scope="module")
def project(root):
    """pyproject.toml, read."""
    return tomllib.loads((root / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def readme(root):
    return (root / "README.md").read_text("utf-8")


def repository(project):
    """OWNER/NAME; the address stands in pyproject.toml alone."""
    return project["project"]["urls"]["Repository"].removeprefix("https://github.com/")


def binder_link(project, root):
    """Where the Binder badge must lead: this repository, opened at the course's first notebook."""
    first = min((root / "notebooks").glob("*.ipynb")).name
    return f"https://mybinder.org/v2/gh/{repository(project)}/HEAD?labpath={quote(f'notebooks/{first}', safe='')}"


class TestReadme:
    def test_the_two_commands_come_first(self, readme):
        """The first code block shows make lab and make test, and little stands above it."""
        before, block, _ = readme.split("```", 2)

        assert re.findall(r"^make (\w+)", block, re.MULTILINE) == ["lab", "test"]
        assert len(before.split()) < 100

    def test_links_are_derived_from_the_repository_address(self, project, readme, root):
        """The Binder badge leads to the repository that pyproject.toml names, and to the first notebook."""
        assert f"[![Open in Binder](https://mybinder.org/badge_logo.svg)]({binder_link(project, root)})" in readme

    def test_no_other_repository_is_named(self, project, root):
        """No file of the project links to this project at another address."""
        owner, name = repository(project).split("/")
        for path in [*root.glob("*.md"), *root.glob("notebooks/*.ipynb"), *root.glob("docs/**/*.md")]:
            text = path.read_text("utf-8")
            for found in re.findall(rf"github\.com/([\w-]+)/{name}\b", text):
                assert found == owner, path
            for found in re.findall(r"mybinder\.org/v2/gh/([\w-]+/[\w-]+)", text):
                assert found == f"{owner}/{name}", path

    def test_links_to_files_lead_somewhere(self, readme, root):
        """Every file that the README links to or shows is there."""
        for target in re.findall(r"\]\(([^)#]+)\)", readme):
            if "://" not in target:
                assert (root / target).exists(), target

    def test_it_says_that_it_is_not_aws(self, readme):
        """The README says that the project is not AWS's."""
        assert "not affiliated with, endorsed by or connected to Amazon Web Services" in readme

    def test_open_lessons_have_notebooks(self, readme, root):
        """The table of open lessons and the notebooks are the same."""
        listed = re.findall(r"^\| (\d\d) ", readme, re.MULTILINE)

        assert listed == sorted(path.name[:2] for path in (root / "notebooks").glob("*.ipynb"))


class TestPyproject:
    def test_dependencies_are_those_of_the_plan(self, project):
        """A learner installs the packages of the plan, each with a lower bound, and no others."""
        listed = project["project"]["dependencies"]

        assert {re.match(r"[\w-]+", text).group() for text in listed} == DEPENDENCIES
        assert all(">=" in text for text in listed)

    def test_one_version(self, project, root):
        """The version is the same in pyproject.toml and in the package, and the changelog knows it or what comes."""
        assert kms_lab.__version__ == project["project"]["version"]
        changelog = (root / "CHANGELOG.md").read_text("utf-8")
        assert "## [Unreleased]" in changelog or f"## [{kms_lab.__version__}]" in changelog


class TestSources:
    def test_every_module_says_what_it_is(self, root):
        """Each module of kms_lab begins with a docstring."""
        silent = [
            path.relative_to(root).as_posix()
            for path in (root / "kms_lab").rglob("*.py")
            if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
        ]

        assert silent == []

    def test_nothing_is_left_open(self, root):
        """No stub, no skipped test and no note to do something later is in the project."""
        words = ["TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error", "pytest.sk" + "ip", "xf" + "ail("]
        found = [
            (path.relative_to(root).as_posix(), word)
            for folder in ("kms_lab", "tests", "benchmarks")
            for path in (root / folder).rglob("*.py")
            for word in words
            if word in path.read_text("utf-8")
        ]

        assert found == []

    def test_no_pickle_eval_or_exec(self, root):
        """No module calls eval or exec or imports pickle: worlds and progress are JSON."""
        found = []
        for path in (root / "kms_lab").rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    names = {alias.name for alias in node.names} | {getattr(node, "module", "")}
                    found += [path.name] if names & {"pickle", "marshal", "shelve"} else []
                elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    found += [path.name] if node.func.id in {"eval", "exec"} else []

        assert found == []


class TestAutomation:
    def test_ci_runs_the_whole_suite(self, root):
        """.ci/run is executable, stops at the first failure, and calls make test."""
        script = root / ".ci" / "run"

        assert script.stat().st_mode & stat.S_IXUSR
        assert "set -euo pipefail" in script.read_text()
        assert re.search(r"^make test$", script.read_text(), re.MULTILINE)

    def test_the_workflow_calls_targets_that_exist(self, root):
        """The workflow runs make targets of the Makefile, or .ci/run, and nothing of its own."""
        workflow = (root / ".github" / "workflows" / "ci.yml").read_text()
        targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), re.MULTILINE))
        runs = re.findall(r"- run: (.+)", workflow)

        assert runs
        for command in runs:
            assert command == ".ci/run" or (command.split()[0] == "make" and command.split()[1] in targets), command

    def test_the_makefile_has_the_promised_targets(self, root):
        """Every target that the documents name exists."""
        targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), re.MULTILINE))
        named = set()
        for name in ("README.md", "CONTRIBUTING.md"):
            named |= set(re.findall(r"\bmake ([a-z-]+)", "\n".join(code_of(root / name))))

        assert named
        assert named <= targets
        assert {"lab", "test", "test-deep", "check", "bench", "clean"} <= targets

    def test_binder_pins_what_it_installs(self, project, root):
        """Binder installs this package, under exact versions of all that it brings itself."""
        folder = root / "binder"
        wanted = (folder / "requirements.txt").read_text().split("\n")
        pins = [line for line in (folder / "lock.txt").read_text().splitlines() if line and line[0] != "#"]

        assert "-c lock.txt" in wanted
        assert "." in wanted
        assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pins)
        of_base = {"jupyterlab", "ipywidgets", "platformdirs"}
        assert {line.split("==")[0].lower() for line in pins} >= DEPENDENCIES - of_base
        assert not {line.split("==")[0].lower() for line in pins} & of_base
        assert re.fullmatch(r"python-3\.(1[1-9])\s*", (folder / "runtime.txt").read_text())
        assert (folder / "postBuild").stat().st_mode & stat.S_IXUSR


def code_of(path):
    """The code blocks and the code spans of a Markdown file."""
    text = path.read_text("utf-8")
    return re.findall(r"```.*?```", text, re.DOTALL) + re.findall(r"`[^`\n]+`", text)


class TestWheel:
    @pytest.fixture(scope="class")
    @classmethod
    def wheel(cls, root, tmp_path_factory):
        """The wheel, built without network, and opened."""
        folder = tmp_path_factory.mktemp("wheel")
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
            cwd=root, check=True, capture_output=True,
        )  # fmt: skip
        (path,) = folder.glob("*.whl")
        opened = folder / "opened"
        zipfile.ZipFile(path).extractall(opened)
        return opened

    def test_it_carries_the_course(self, wheel, root):
        """The wheel holds every notebook, byte for byte."""
        shipped = {path.name: path.read_bytes() for path in (wheel / "kms_lab" / "course").glob("*.ipynb")}

        assert shipped == {path.name: path.read_bytes() for path in (root / "notebooks").glob("*.ipynb")}
        assert shipped

    def test_it_carries_the_package(self, wheel, root):
        """The wheel holds every module and every browser file of the package, and no tests."""
        for path in (root / "kms_lab").rglob("*"):
            if path.suffix in {".py", ".js", ".css", ".json", ".typed"} and "__pycache__" not in path.parts:
                assert (wheel / path.relative_to(root)).exists(), path
        assert {path.name for path in wheel.iterdir() if not path.name.endswith(".dist-info")} == {"kms_lab"}

    def test_the_command_works_away_from_a_checkout(self, wheel, tmp_path):
        """From the wheel alone, the command finds the course and copies it, and the first lesson's lab runs."""
        program = """
import sys
sys.path.insert(0, sys.argv[1])
import pathlib, kms_lab
from kms_lab import Lab
from kms_lab.cli import course_folder, update_copy
assert pathlib.Path(kms_lab.__file__).is_relative_to(sys.argv[1]), kms_lab.__file__
print(course_folder(), *update_copy(course_folder(), pathlib.Path("mine")).added)
Lab().client().create_key()
"""
        done = subprocess.run(
            [sys.executable, "-c", program, str(wheel)], cwd=tmp_path, capture_output=True, text=True, check=True
        )

        where, *copied = done.stdout.split()
        assert where == str(wheel / "kms_lab" / "course")
        assert sorted(path.name for path in (tmp_path / "mine").glob("*.ipynb")) == sorted(copied)
