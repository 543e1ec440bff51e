"""Lesson 09 in JupyterLab: it runs to its end, and its widgets are read and driven by keyboard."""

import json
import statistics
from pathlib import Path

import nbformat
import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "09_the_whole_verdict.ipynb"
IDS = [cell["id"] for cell in nbformat.read(NOTEBOOK, 4)["cells"]]
TREE, GRID, CONDITIONS, TICKETS = (IDS.index(name) for name in ("tree", "grid", "conditions", "tickets"))


@pytest.fixture
def ask(lesson):
    """Choose a question of a tree by keyboard; return what the tree shows then."""

    def choose(cell, words):
        box = lesson.output(cell).get_by_role("combobox", name="Question")
        names = box.locator("option").all_inner_texts()
        lesson.press(box, "Home")
        lesson.press(box, "ArrowDown", names.index(words))
        lesson.quiet()
        return lesson.output(cell).inner_text()

    return choose


@pytest.fixture
def policy(lesson):
    """The grid's text area; put back as it was afterwards."""
    area = lesson.output(GRID).get_by_role("textbox", name="Key policy")
    before = area.input_value()
    yield area
    if area.input_value() != before:
        lesson.changes(GRID, lambda: area.fill(before))


class TestTree:
    @pytest.mark.parametrize(
        ("question", "expected"),
        [
            ("Milo opens a slip", "no identity policy of Milo allows"),
            ("Secretary reads the minutes", "without any identity policy"),
            ("Stranger opens a slip", "The key belongs to account 111122223333"),
        ],
    )
    def test_questions(self, lesson, ask, question, expected):
        """Each question has another verdict, in one sentence."""
        ask(TREE, "Dana opens a slip")

        assert expected in ask(TREE, question)

    def test_flip(self, lesson, ask):
        """Enter on "Flip it" shows the smallest edit, and a second Enter makes it."""
        ask(TREE, "Milo opens a slip")
        button = lesson.output(TREE).get_by_role("button", name="Flip it")
        assert "turns DENY into ALLOW" in lesson.changes(TREE, lambda: lesson.press(button, "Enter"))

        assert "what if" in lesson.changes(TREE, lambda: lesson.page.keyboard.press("Enter"))

        for name in ("Take the edit back", "Close"):
            button = lesson.output(TREE).get_by_role("button", name=name)
            lesson.press(button, "Enter")
            button.wait_for(state="detached")


class TestTickets:
    def test_each_has_another_node(self, lesson, ask):
        """Three tickets, and three layers that decide."""
        deciding = lesson.output(TICKETS).locator(".kl-deciding .kl-gate-name strong")
        found = set()
        for name in "BCA":
            ask(TICKETS, f"Ticket {name}")
            found.add(deciding.inner_text())

        assert len(found) == 3


class TestGrid:
    def test_let_the_account_in(self, lesson, policy):
        """The first thing to find out: Dana gains what IAM gives her, App gains nothing."""
        document = json.loads(policy.input_value())
        account = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"}
        document["Statement"].append(account)

        words = lesson.changes(GRID, lambda: policy.fill(json.dumps(document, indent=2)))
        lesson.quiet()

        rows = lesson.output(GRID).get_by_role("row")
        assert "1 now allowed" in words
        assert rows.filter(has_text="Dana").locator("td.kl-new").count() == 1
        assert rows.filter(has_text="App").locator("td.kl-new").count() == 0

    def test_create_star(self, lesson, policy):
        """The second: kms:Create* gives Keeper one cell, CreateGrant."""
        lesson.changes(
            GRID,
            lambda: policy.fill(policy.input_value().replace('"kms:DescribeKey"', '"kms:DescribeKey", "kms:Create*"')),
        )
        lesson.quiet()

        keeper = lesson.output(GRID).get_by_role("row").filter(has_text="Keeper").get_by_role("gridcell")
        assert [cell.get_attribute("aria-label") for cell in keeper.all()].count("now allowed") == 1
        assert keeper.last.get_attribute("aria-label") == "now allowed"


class TestConditions:
    def test_without_a_context(self, lesson):
        """A request without the context does not match."""
        box = lesson.output(CONDITIONS).get_by_role("combobox", name="The request has")

        assert "It does not match" in lesson.changes(CONDITIONS, lambda: lesson.press(box, "Home"))

        lesson.changes(CONDITIONS, lambda: lesson.press(box, "End"))


class TestAccess:
    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    @pytest.mark.parametrize("width", [1280, 390])
    def test_axe_finds_nothing_and_nothing_sticks_out(self, lesson, dark, width):
        """In light and dark, on a laptop and a phone: no serious finding in any output, no sideways scrolling."""
        cells = {"tree": TREE, "grid": GRID, "conditions": CONDITIONS, "tickets": TICKETS}

        findings, wide = lesson.looked_at("09", dark, width, **cells)

        assert findings == []
        assert wide == []


class TestSpeed:
    def test_a_key_press_is_painted_quickly(self, lesson, record_property):
        """From the key to the painted grid, through the kernel, the median is below 100 ms."""
        cell = lesson.output(GRID).locator("[aria-selected]")
        moved = lesson.painted_ms(GRID, cell, ["ArrowRight", "ArrowLeft"] * 8)
        record_property("grid_painted_ms", [round(s, 1) for s in moved])
        print("grid", round(statistics.median(moved), 1), "ms, at most", round(max(moved), 1))

        assert statistics.median(moved) < 100
