"""The bars that every notebook of the course must reach, read from the notebook and its lesson's data."""

import ast
import re
import statistics
from pathlib import Path

import pytest

import kms_lab
from tests.notebooks.conftest import data_of, exercise_of, read

ORIENTATION = "00"
SHOWN = {"predict", "reveal", "quiz", "check", "hint", "solution", "widget", "resume", "progress"}


class Notebook:
    """A notebook and its lesson's data, and the questions that the bars ask of them."""

    def __init__(self, path: Path) -> None:
        self.number = path.name[:2]
        self.cells = read(path).cells
        self.raw = path.read_text("utf-8")
        self.data = data_of(path)
        self.is_lesson = self.number != ORIENTATION
        self.code = [cell.source for cell in self.cells if cell.cell_type == "code"]
        self.trees = [ast.parse(source) for source in self.code]

    def calls(self, method: str) -> list[ast.Call]:
        """The calls ``lesson.<method>(...)`` in all cells, in order."""
        return [call for tree in self.trees for call in lesson_calls(tree) if call.func.attr == method]

    def named(self, method: str) -> list[str]:
        """The names that those calls are about: "p1", "z1" ..."""
        return [ast.literal_eval(call.args[0]) for call in self.calls(method)]


@pytest.fixture
def notebook(notebook_path):
    return Notebook(notebook_path)


def lesson_calls(tree):
    """Yield calls of methods on ``lesson`` or on one of its exercises."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            owner = owner.value if isinstance(owner, ast.Attribute) else owner
            if isinstance(owner, ast.Name) and owner.id == "lesson":
                yield node


def pieces(markdown):
    """Split prose at its figures: a run of words ends where there is something to look at."""
    return re.split(r"!\[[^\]]*\]\([^)]*\)|<img[^>]*>|<svg.*?</svg>", markdown, flags=re.S)


def words(markdown):
    """Count the words that a reader reads: no code blocks, tags, link targets or table rules."""
    text = re.sub(r"```.*?```|<[^>]+>|\]\([^)]*\)", " ", markdown, flags=re.S)
    return sum(1 for word in text.split() if re.search(r"\w", word))


class TestForm:
    def test_no_outputs(self, notebook):
        """A notebook is stored without outputs and execution counts."""
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert [cell.id for cell in code if cell.outputs or cell.execution_count] == []

    def test_ids(self, notebook):
        """Every cell has an id of its own."""
        ids = [cell.get("id") for cell in notebook.cells]
        assert all(ids)
        assert len(set(ids)) == len(ids)

    def test_number_of_cells(self, notebook):
        """A lesson has 25 to 45 cells; the orientation may have fewer."""
        assert (25 if notebook.is_lesson else 5) <= len(notebook.cells) <= 45

    def test_size_of_code_cells(self, notebook):
        """The median code cell has at most 5 lines, and none has more than 20."""
        lines = [len(source.splitlines()) for source in notebook.code]
        assert statistics.median(lines) <= 5
        assert max(lines) <= 20

    def test_no_classes(self, notebook):
        """No class is defined in a notebook: cells use what the package has."""
        assert not any(isinstance(node, ast.ClassDef) for tree in notebook.trees for node in ast.walk(tree))

    def test_alternative_texts(self, notebook):
        """Every picture has an alternative text."""
        prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        assert re.findall(r"!\[\s*\]\(", prose) == []
        assert [tag for tag in re.findall(r"<img[^>]*>", prose) if not re.search(r'alt="[^"]+"', tag)] == []


class TestProse:
    def test_first_runnable_cell(self, notebook):
        """The first runnable cell comes within 100 words."""
        first = next(at for at, cell in enumerate(notebook.cells) if cell.cell_type == "code")
        assert sum(words(cell.source) for cell in notebook.cells[:first]) <= 100

    def test_length(self, notebook):
        """A lesson's prose has 900 to 1,600 words; the orientation may be shorter."""
        count = sum(words(cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
        assert (900 if notebook.is_lesson else 200) <= count <= 1600

    def test_no_long_runs(self, notebook):
        """Nobody reads more than 120 words without something to run or to look at."""
        runs, run = [], 0
        for cell in notebook.cells:
            first, *rest = pieces(cell.source) if cell.cell_type == "markdown" else ("", "")
            run += words(first)
            for piece in rest:
                runs.append(run)
                run = words(piece)
        assert max([*runs, run]) <= 120


class TestTeaching:
    def test_first_cell(self, notebook):
        """The first cell opens the lesson of this number and says for which version the notebook is."""
        (call,) = (node for node in ast.walk(notebook.trees[0]) if isinstance(node, ast.Call) and is_open(node))
        made_for = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}["made_for"]

        assert ast.literal_eval(call.args[0]) == notebook.number
        assert made_for.split(".")[:2] == kms_lab.__version__.split(".")[:2]

    def test_one_import(self, notebook):
        """Setting up takes one import, in the first cell."""
        imports = [n for n in ast.walk(notebook.trees[0]) if isinstance(n, ast.Import | ast.ImportFrom)]
        assert len(imports) == 1

    def test_predictions(self, notebook):
        """A lesson has at least two predictions; each of its data is asked and then revealed, and no other."""
        ids = [prediction.id for prediction in notebook.data.predictions]
        assert len(ids) >= (2 if notebook.is_lesson else 0)
        assert notebook.named("predict") == ids
        assert sorted(notebook.named("reveal")) == sorted(ids)

    def test_predict_before_reveal(self, notebook):
        """A prediction is asked in an earlier cell than the one that reveals it, with something to run in between."""
        for name in notebook.named("predict"):
            asked = next(at for at, source in enumerate(notebook.code) if f'lesson.predict("{name}")' in source)
            told = next(at for at, source in enumerate(notebook.code) if f'lesson.reveal("{name}")' in source)
            assert told > asked
            assert told - asked >= 2 or len(notebook.code[told].splitlines()) > 1

    def test_exercises(self, notebook):
        """A lesson has 4 to 6 exercises, and a marked cell for each, in their order."""
        ids = [exercise.id for exercise in notebook.data.exercises]
        marked = [exercise_of(cell) for cell in notebook.cells if exercise_of(cell)]
        tagged = [cell.id for cell in notebook.cells if "exercise" in cell.metadata.get("tags", [])]

        assert not notebook.is_lesson or 4 <= len(ids) <= 6
        assert marked == ids
        assert len(tagged) == len(ids)

    def test_questions(self, notebook):
        """A lesson asks 3 to 5 questions of its own and, from 02 on, two of earlier lessons again."""
        ids = [question.id for question in notebook.data.questions]
        assert not notebook.is_lesson or 3 <= len(ids) <= 5
        assert len(notebook.data.review) == (2 if notebook.number > "01" else 0)
        assert sorted(notebook.named("quiz")) == sorted([*ids, *notebook.data.review])
        for name in notebook.data.review:
            number, _, question = name.partition("/")
            assert number < notebook.number
            assert question in [one.id for one in data_of(Path(f"{number}.ipynb")).questions]

    def test_objectives(self, notebook):
        """Every objective has a check, and every check an objective."""
        checks = (*notebook.data.exercises, *notebook.data.questions)
        assert {o for check in checks for o in check.objectives} == {o.id for o in notebook.data.objectives}
        assert [check.id for check in checks if not check.objectives] == []

    def test_misconceptions(self, notebook):
        """A lesson names at least three misconceptions, and each is met by a check."""
        names = {misconception.id for misconception in notebook.data.misconceptions}
        met = {name for exercise in notebook.data.exercises for name in exercise.misconceptions}
        asked = (*notebook.data.questions, *notebook.data.predictions)
        met |= {option.misconception for one in asked for option in one.options}
        assert len(names) >= (3 if notebook.is_lesson else 0)
        assert names == met - {""}

    def test_widgets(self, notebook):
        """Every widget of the lesson is shown in its notebook."""
        assert set(notebook.named("widget")) == set(notebook.data.widgets)

    def test_shown(self, notebook):
        """What returns a card stands on the last line of its cell, where a notebook shows it."""
        for tree in notebook.trees:
            last = tree.body[-1] if tree.body else None
            for call in lesson_calls(tree):
                if call.func.attr in SHOWN:
                    assert isinstance(last, ast.Expr), ast.unparse(call)
                    assert last.value is call, ast.unparse(call)


class TestSecrecy:
    def test_no_answers_typed(self, notebook):
        """No question or prediction is answered in the notebook's own code."""
        answered = [call for method in ("predict", "quiz") for call in notebook.calls(method) if len(call.args) > 1]
        assert [ast.unparse(call) for call in answered] == []

    def test_no_solutions(self, notebook):
        """No solution and no explanation of an answer stands anywhere in the notebook's file."""
        secrets = [exercise.solution.code.strip() for exercise in notebook.data.exercises]
        secrets += [exercise.solution.why for exercise in notebook.data.exercises]
        secrets += [question.why for question in notebook.data.questions]
        text = "\n".join(cell.source for cell in notebook.cells)
        assert [secret for secret in secrets if secret in text or secret in notebook.raw] == []


def is_open(call):
    """Is this ``open_lesson(...)``?"""
    return isinstance(call.func, ast.Name) and call.func.id == "open_lesson"
