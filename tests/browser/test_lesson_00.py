"""Lesson 00 in JupyterLab: it runs to its end, its panel and its forms are driven by keyboard, and work comes back."""

from pathlib import Path

import nbformat
import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "00_start_here.ipynb"
IDS = [cell["id"] for cell in nbformat.read(NOTEBOOK, 4)["cells"]]
PANEL, PREDICT, MATCH = IDS.index("start-09"), IDS.index("start-11"), IDS.index("start-38")


@pytest.fixture
def press(lesson):
    """Press one of the panel's buttons by keyboard and return what it then shows; it stands at its start."""

    def button(words, key="Enter"):
        target = lesson.output(PANEL).get_by_role("button", name=words, exact=True)
        return lesson.changes(PANEL, lambda: lesson.press(target, key))

    button("Let 31 days pass")
    button("Start again")
    return button


class TestPanel:
    def test_allowed_and_refused(self, press):
        """By keyboard alone one call is allowed and another refused; verdict and trail say so."""
        assert "Allowed" in press("Encrypt as Admin")
        refused = press("Encrypt as Intern", " ")

        assert "Refused" in refused
        assert "no identity policy of role Intern allows kms:Encrypt" in refused
        assert "AccessDenied" in refused

    def test_a_month(self, press):
        """A month goes by at the press of a key, and the bill grows by the price of one key."""
        month = press("Let 31 days pass")

        assert "Monday, 02 February 2026" in month
        assert "the bill grew by $1.0" in month

    def test_start_again(self, press):
        """Start again takes back what was pressed."""
        press("Create a key")

        assert "CreateKey by Admin" not in press("Start again")


class TestForms:
    def test_predict(self, lesson):
        """Arrow keys choose what to expect, Tab leads to the button, and Enter records it."""
        first = lesson.output(PREDICT).get_by_role("radio").first
        lesson.press(first, "ArrowDown")
        lesson.quiet()
        lesson.page.keyboard.press("Tab")
        told = lesson.changes(PREDICT, lambda: lesson.page.keyboard.press("Enter"))

        assert "You expect: b" in told

    def test_match(self, lesson):
        """A matching that is not right names each pair that does not fit by its words; the right one is accepted."""
        lists = lesson.output(MATCH).locator("select")
        answer = lesson.output(MATCH).get_by_role("button", name="Answer")
        for at, steps in enumerate((1, 2, 3)):
            lesson.press(lists.nth(at), "ArrowDown", steps)
            lesson.quiet()
        wrong = lesson.changes(MATCH, lambda: lesson.press(answer, "Enter"))
        for at, (key, steps) in enumerate((("ArrowDown", 1), ("ArrowDown", 1), ("ArrowUp", 2))):
            lesson.press(lists.nth(at), key, steps)
            lesson.quiet()
        right = lesson.changes(MATCH, lambda: lesson.press(answer, "Enter"))

        assert "“Why was I refused?”: not b." in wrong
        assert "The trail tells what happened" in right


class TestComingBack:
    def test_resume(self, lesson, open_notebook):
        """A page that opens the lesson later is told of the work before, and resume() brings back what was made."""
        lesson.run_code("kms.create_alias(AliasName='alias/kept', TargetKeyId=lesson.given.orders)")
        lesson.run_code("lesson.checkpoint()")
        first = nbformat.read(NOTEBOOK, 4)["cells"][IDS.index("start-01")]["source"]
        code = (first, "lesson.resume()", "lab.key('alias/kept').id == lesson.given.orders")
        back = open_notebook(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in code]))
        back.run_all()

        assert "A checkpoint of" in back.output(0).inner_text()
        assert "alias/kept" in back.output(1).inner_text()
        assert "True" in back.output(2).inner_text()


class TestAccess:
    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    @pytest.mark.parametrize("width", [1280, 390])
    def test_axe_finds_nothing_and_nothing_sticks_out(self, lesson, press, dark, width):
        """In light and dark, on a laptop and a phone: no serious finding in any output, no sideways scrolling."""
        press("Encrypt as Intern")

        findings, wide = lesson.looked_at("00", dark, width, panel=PANEL)

        assert findings == []
        assert wide == []
