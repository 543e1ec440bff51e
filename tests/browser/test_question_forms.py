"""Questions and predictions in JupyterLab: answered by keyboard alone, readable aloud, nothing given away."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

if TYPE_CHECKING:
    from conftest import Notebook

LESSON = """
from kms_lab.teach.exercise import *
from kms_lab.teach.lesson import Lesson, LessonData, Objective
from kms_lab.teach.question import *

def opt(key, text, bad=True):
    return Option(key, text, f"FEEDBACK-{key}", "belief" if bad else "")

FOUR = (
    opt("a", "An alias is a pointer to a key", False), opt("b", "A copy of the key"),
    opt("c", "`KeyId` in plain words"),
)
DATA = LessonData(
    number="98", title="Forms", minutes=5, goal="Answer.", topics=("forms",),
    objectives=(Objective("o", "answer"),),
    world=lambda lab: None, misconceptions=(Misconception("belief", "So it seems.", "It is not so."),),
    exercises=(Exercise(id="q1", title="Count", stars=2, objectives=("o",), prompt="How many?", expects="a number",
        check=expecting(lambda probe: 1, {"belief": (lambda probe: 2, "Two were counted.")}, ("belief", "Not that.")),
        hints=("Look.", "Think.", "Type `1`."), solution=Solution("lesson.q1.check(1)", "One."),
        misconceptions=("belief",)),),
    questions=(
        Choice(id="z1", prompt="What is an alias?", options=FOUR, right="a", why="WHY"),
        Multiple(id="z2", prompt="Which are true?", right=frozenset("ac"), why="WHY",
                 options=(opt("a", "First", False), opt("b", "Second"), opt("c", "Third", False))),
        Ordering(id="z3", prompt="In which order?", right=("c", "a", "b"), why="WHY", options=FOUR),
        Matching(id="z4", prompt="What fits?", items=(("1", "Pointer"), ("2", "Twin")), options=FOUR,
                 right={"1": "a", "2": "b"}, why="WHY"),
    ),
    predictions=(Prediction(id="p1", prompt="What will happen?", truth=lambda probe: "a", why="WHY",
                            options=(Option("a", "It opens", ""), Option("b", "It is refused", "FEEDBACK-b", "belief"))
                            ),),
)
lesson = Lesson(DATA, seed=1)
"""
CELLS = [
    *(f'lesson.quiz("z{n}")' for n in (1, 2, 3, 4)),
    'lesson.predict("p1")',
    "lesson.header()",
    "lesson.q1.check()",
    "lesson.q1.check(2)",
    "lesson.q1.hint()",
    "lesson.q1.check(1)",
    "lesson.q1.solution()",
    "lesson.progress()",
]
CHOICE, MULTIPLE, ORDERING, MATCHING, PREDICTION = range(1, 6)


@pytest.fixture(scope="module")
def forms() -> Any:
    cells = [nbformat.v4.new_code_cell(source) for source in (LESSON, *CELLS)]
    return nbformat.v4.new_notebook(cells=cells)


@pytest.fixture
def notebook(open_notebook: Callable[..., Notebook], forms: Any, request: pytest.FixtureRequest) -> Notebook:
    page = open_notebook(forms, f"forms-{abs(hash(request.node.nodeid))}.ipynb")
    page.run_all()
    return page


def press_button(notebook: Notebook, cell: int, name: str) -> str:
    button = notebook.output(cell).get_by_role("button", name=name, exact=True)
    return notebook.changes(cell, lambda: notebook.press(button, "Enter"))


class TestKeyboard:
    def test_every_form(self, notebook: Notebook) -> None:
        """Each kind of question is answered from the keyboard alone, and its feedback appears."""
        first = notebook.output(CHOICE).get_by_role("radio").first
        notebook.changes(CHOICE, lambda: notebook.press(first, "Space"), within=".kl-summary")
        notebook.press(first, "ArrowDown")
        assert "FEEDBACK-b" in press_button(notebook, CHOICE, "Answer")

        for name in ("a. First", "c. Third"):
            box = notebook.output(MULTIPLE).get_by_role("checkbox", name=name)
            notebook.changes(MULTIPLE, lambda box=box: notebook.press(box, "Space"))
            assert box.get_attribute("aria-checked") == "true"
        assert "Right" in press_button(notebook, MULTIPLE, "Answer")

        for _ in range(2):
            up = notebook.output(ORDERING).get_by_role("button", name="Up: KeyId in plain words")
            notebook.changes(ORDERING, lambda up=up: notebook.press(up, "Enter"))
        assert notebook.page.evaluate("() => document.activeElement.getAttribute('aria-label')").startswith("Up: KeyId")
        assert "Right" in press_button(notebook, ORDERING, "Answer")

        for name, times in (("Pointer", 1), ("Twin", 2)):
            select = notebook.output(MATCHING).get_by_label(name)
            notebook.press(select, "ArrowDown", times)
        assert "Right" in press_button(notebook, MATCHING, "Answer")

        option = notebook.output(PREDICTION).get_by_role("radio").nth(1)
        notebook.changes(PREDICTION, lambda: notebook.press(option, "Space"), within=".kl-summary")
        assert "You expect: b It is refused" in press_button(notebook, PREDICTION, "Record")


class TestSecrecy:
    def test_nothing_given_away(self, notebook: Notebook) -> None:
        """Before an answer, neither the page nor the notebook's saved outputs hold feedback or explanation."""
        cells = (CHOICE, MULTIPLE, ORDERING, MATCHING, PREDICTION)
        page = "".join(notebook.output(cell).evaluate("node => node.outerHTML") for cell in cells)
        saved = json.dumps([notebook.outputs()[cell] for cell in cells])

        assert [secret for secret in ("FEEDBACK", "WHY", "It is not so.") if secret in page + saved] == []


class TestLooks:
    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    def test_accessible(self, notebook: Notebook, dark: bool) -> None:
        """axe finds nothing critical or serious in forms and cards, before and after answering, in either theme."""
        notebook.theme(dark)
        assert notebook.axe() == []
        notebook.press(notebook.output(CHOICE).get_by_role("radio").first, "Space")
        press_button(notebook, CHOICE, "Answer")
        assert notebook.axe() == []
        for cell in range(1, len(CELLS) + 1):
            notebook.picture(f"forms-{cell}-{'dark' if dark else 'light'}", cell)

    def test_on_a_phone(self, notebook: Notebook) -> None:
        """At 390 pixels nothing sticks out of its output."""
        notebook.width(390)

        assert notebook.too_wide() == []
        for cell in range(1, len(CELLS) + 1):
            notebook.picture(f"forms-{cell}-phone", cell)
