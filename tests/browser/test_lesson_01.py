"""Lesson 01 in JupyterLab: it runs to its end, and its two widgets are read and driven by keyboard."""

import statistics
from pathlib import Path

import nbformat
import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "01_meet_a_kms_key.ipynb"
IDS = [cell["id"] for cell in nbformat.read(NOTEBOOK, 4)["cells"]]
CARDS, STATES = IDS.index("key-cards"), IDS.index("key-states")


@pytest.fixture
def chooser(lesson):
    return lesson.output(CARDS).get_by_label("Key", exact=True)


@pytest.fixture
def press(lesson):
    """Press one of the state machine's buttons by keyboard and return what it then shows; it starts Enabled."""

    def button(words, key="Enter"):
        target = lesson.output(STATES).get_by_role("button", name=words, exact=True)
        return lesson.changes(STATES, lambda: lesson.press(target, key))

    button("Disable")
    button("Start again")
    return button


class TestKeyCards:
    def test_arrow_keys(self, lesson, chooser):
        """The list of keys answers to arrow keys: each step shows another key's card."""
        lesson.press(chooser, "Home")
        lesson.quiet()
        first = lesson.output(CARDS).locator(".kl-summary").inner_text()

        assert first not in lesson.changes(CARDS, lambda: lesson.press(chooser, "ArrowDown"))
        assert "eu-west-1" in lesson.changes(CARDS, lambda: lesson.press(chooser, "End"))

    def test_look_again(self, lesson, chooser):
        """A key made after the cards were shown is among them after "Look again"."""
        again = lesson.output(CARDS).get_by_role("button", name="Look again")
        lesson.run_code('kms.create_key(Description="one more")')
        lesson.changes(CARDS, lambda: lesson.press(again, "Enter"), within="select, details")

        assert "one more" in chooser.inner_text()


class TestStateMachine:
    def test_all_the_way_round(self, press):
        """By keyboard alone a key is disabled, scheduled, brought back, scheduled again and deleted."""
        assert "the key is Disabled" in press("Disable")
        assert "the key is PendingDeletion" in press("Schedule deletion", " ")
        assert "the key is Disabled" in press("Cancel deletion")
        assert "the key is PendingDeletion" in press("Schedule deletion")
        assert "the key is deleted" in press("Let time pass")

    def test_a_refusal_is_shown(self, press):
        """A button that leads nowhere makes its call all the same, and KMS's refusal is shown."""
        press("Schedule deletion")

        assert "KMS refused: KMSInvalidStateException." in press("Enable")

    def test_waiting_period(self, lesson, press):
        """The slider's waiting period decides the date of the deletion."""
        slider = lesson.output(STATES).get_by_role("slider", name="Waiting period to ask for")
        lesson.press(slider, "End")
        lesson.quiet()
        month = press("Schedule deletion")
        press("Start again")
        lesson.press(slider, "Home")
        lesson.quiet()

        assert month != press("Schedule deletion")


class TestAccess:
    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    @pytest.mark.parametrize("width", [1280, 390])
    def test_axe_finds_nothing_and_nothing_sticks_out(self, lesson, press, dark, width):
        """In light and dark, on a laptop and a phone: no serious finding in any output, no sideways scrolling."""
        press("Schedule deletion")
        press("Enable")

        findings, wide = lesson.looked_at("01", dark, width, cards=CARDS, states=STATES)

        assert findings == []
        assert wide == []


class TestSpeed:
    def test_a_key_press_is_painted_quickly(self, lesson, chooser, press, record_property):
        """From the key to the painted picture, through the kernel, the median is below 100 ms in both widgets."""
        cards = lesson.painted_ms(CARDS, chooser, ["ArrowUp", "ArrowDown"] * 6)
        states = []
        for words in ("Disable", "Enable") * 6:
            button = lesson.output(STATES).get_by_role("button", name=words, exact=True)
            states += lesson.painted_ms(STATES, button, ["Enter"])
        for name, samples in (("cards", cards), ("states", states)):
            record_property(f"{name}_painted_ms", [round(s, 1) for s in samples])
            print(name, round(statistics.median(samples), 1), "ms, at most", round(max(samples), 1))

        assert statistics.median(cards) < 100
        assert statistics.median(states) < 100
