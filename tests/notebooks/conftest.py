"""Run the course's notebooks: as a whole in a kernel (``run_notebook``), or cell by cell in this process
(``replay``).

An exercise cell carries the metadata ``{"kms_lab": {"exercise": "q1"}}`` and can be replaced by a learner's code;
snippets stand in ``tests/teach/lessons/answers_NN.py``. Every run has a home for progress of its own, and the same
learner, so it repeats itself.
"""

import ast
import importlib.util
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from kms_lab.teach.lesson import Feedback, Lesson, LessonData, Task, lesson_data
from kms_lab.teach.progress import Event, Progress

ROOT = Path(__file__).parents[2]
LEARNER = "1" * 32
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]*.ipynb"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for ``notebook_path`` on every notebook there is."""
    if "notebook_path" in metafunc.fixturenames:
        metafunc.parametrize("notebook_path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
    if "exercise_path" in metafunc.fixturenames:
        pairs = [(path, e.id) for path in NOTEBOOKS for e in data_of(path).exercises]
        metafunc.parametrize(("exercise_path", "exercise_id"), pairs, ids=[f"{path.stem}-{one}" for path, one in pairs])


def data_of(path: Path) -> LessonData:
    """The lesson that a notebook belongs to: its name begins with the number."""
    return lesson_data(path.name[:2])


def answers_of(path: Path) -> dict[str, dict[str, Any]]:
    """The snippets for a notebook's exercises: exercise id -> right, also_right, wrong."""
    file = ROOT / "tests" / "teach" / "lessons" / f"answers_{path.name[:2]}.py"
    if not file.exists():
        return {}
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    answers: dict[str, dict[str, Any]] = module.ANSWERS
    return answers


def exercise_of(cell: Any) -> str:
    """The id of the exercise that a cell is for, or ""."""
    return str(cell.metadata.get("kms_lab", {}).get("exercise", ""))


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


@dataclass
class Run:
    """A notebook that was run to its end: its cells with their outputs, and what progress remembers."""

    notebook: Any
    events: list[Event]

    def outcomes(self) -> dict[str, str]:
        """The last outcome of each exercise."""
        return {e.subject: e.detail["outcome"] for e in self.events if e.kind == "exercise"}

    def misconceptions(self) -> dict[str, str]:
        """The misconception that the last wrong try at each exercise met."""
        return {e.subject: e.detail["misconception"] for e in self.events if e.kind == "exercise"}

    def words(self) -> list[list[str]]:
        """What each cell prints and shows, without the ids of widgets; cells tagged ``varies`` are left out."""
        return [
            ["".join(o.text for o in outputs if o.output_type == "stream"), *filter(None, map(_shown, outputs))]
            for cell in self.notebook.cells
            for outputs in [cell.get("outputs", [])]
            if "varies" not in cell.metadata.get("tags", [])
        ]


RunNotebook = Callable[..., Run]


@pytest.fixture
def run_notebook(tmp_path: Path) -> RunNotebook:
    """Return a function that runs a notebook in a kernel: ``run_notebook(path, inject={"q1": code})``."""
    count = 0

    def run(path: Path, inject: Mapping[str, str] | None = None) -> Run:
        nonlocal count
        count += 1
        folder = tmp_path / f"run{count}"
        home = new_home(folder)
        shutil.copy(path, folder)
        notebook = read(path)
        for cell in notebook.cells:
            if cell.cell_type == "code" and exercise_of(cell) in (inject or {}):
                cell.source = (inject or {})[exercise_of(cell)]
        return execute(notebook, home)

    return run


def execute(notebook: Any, home: Path) -> Run:
    """Run a notebook in a new kernel, in the folder beside its home for progress."""
    environment = {**os.environ, "KMS_LAB_HOME": str(home), "PYTHONPATH": str(ROOT)}
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(home.parent)}})
    client.execute(env=environment)
    return Run(notebook, Progress(home).events())


@dataclass
class Replay:
    """A notebook's code cells, run one after the other in this process; every check is watched."""

    path: Path
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    checks: list[tuple[str, Feedback]] = field(default_factory=list)
    values: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def lesson(self) -> Lesson:
        lesson = self.names["lesson"]
        assert isinstance(lesson, Lesson)
        return lesson

    def run(self, code: str) -> Any:
        """Run one cell; return the value of its last line, as a notebook shows it."""
        body = ast.parse(code).body
        last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), "<cell>", "exec"), self.names)
        value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), self.names) if last else None
        self.values.append((code, value))
        return value

    def before(self, exercise: str) -> "Replay":
        """Run every code cell that stands before an exercise's."""
        for cell in self._code_cells():
            if exercise_of(cell) == exercise:
                return self
            self.run(cell.source)
        raise AssertionError(f"{self.path.name} has no cell for the exercise {exercise}")

    def whole(self, after_first: str = "") -> "Replay":
        """Run every code cell; ``after_first`` is run after the first one."""
        for at, cell in enumerate(self._code_cells()):
            self.run(cell.source)
            if at == 0 and after_first:
                self.run(after_first)
        return self

    def blank(self, exercise: str) -> str:
        """The source of an exercise's cell as the notebook has it."""
        return str(next(cell.source for cell in self._code_cells() if exercise_of(cell) == exercise))

    def answer(self, exercise: str, code: str) -> Feedback:
        """Run a learner's code in the place of an exercise's cell, and return what the check said."""
        self.checks.clear()
        self.run(code)
        found = [feedback for name, feedback in self.checks if name == exercise]
        assert found, f"this code never checks {exercise}:\n{code}"
        return found[-1]

    def _code_cells(self) -> list[Any]:
        return [cell for cell in read(self.path).cells if cell.cell_type == "code"]


@pytest.fixture
def replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Replay]:
    """Return a function that begins a replay of a notebook."""
    monkeypatch.setenv("KMS_LAB_HOME", str(new_home(tmp_path)))
    monkeypatch.chdir(tmp_path)
    begun: list[Replay] = []
    check = Task.check

    def watched(task: Task, value: Any = ...) -> Feedback:
        lab = begun[-1].lesson.lab
        before, start = lab.world.to_data(), time.perf_counter()
        feedback = check(task, value)
        took = time.perf_counter() - start
        assert lab.world.to_data() == before, f"the check of {task.exercise.id} changed the learner's world"
        assert took < 0.5, f"the check of {task.exercise.id} took {took:.2f} s"
        begun[-1].checks.append((task.exercise.id, feedback))
        return feedback

    def begin(path: Path) -> Replay:
        begun.append(Replay(path))
        return begun[-1]

    monkeypatch.setattr(Task, "check", watched)
    return begin


def new_home(folder: Path) -> Path:
    """Make a home for progress whose learner is always the same, so that seeds and ids repeat."""
    home = folder / "home"
    home.mkdir(parents=True)
    (home / "learner.json").write_text(json.dumps({"version": 1, "learner": LEARNER}))
    return home


def _shown(output: Any) -> str:
    data = output.get("data", {})
    return str(data.get("text/html", data.get("text/plain", "")))
