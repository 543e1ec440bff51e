"""Lesson 02 in JupyterLab: it runs to its end, and its two widgets are read and driven by keyboard."""

import statistics
from pathlib import Path

import nbformat
import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "02_ciphertext_under_the_microscope.ipynb"
IDS = [cell["id"] for cell in nbformat.read(NOTEBOOK, 4)["cells"]]
PANEL, PAD = IDS.index("panel"), IDS.index("pad")


@pytest.fixture
def panel(lesson):
    """Press one of the panel's buttons by keyboard and return what it shows then."""

    def press(words):
        button = lesson.output(PANEL).get_by_role("button", name=words, exact=True)
        return lesson.changes(PANEL, lambda: lesson.press(button, "Enter"))

    lesson.press(lesson.output(PANEL).get_by_role("button", name="The same", exact=True), "Enter")
    lesson.quiet()
    return press


@pytest.fixture
def pad(lesson):
    """The pad's bytes, as they were, the first one looked at."""
    output = lesson.output(PAD)
    lesson.press(output.get_by_role("button", name="Put all bytes back"), "Enter")
    found = output.get_by_role("slider", name="Byte of the ciphertext")
    lesson.press(found, "Home")
    lesson.quiet()
    return found


@pytest.fixture
def decrypt(lesson):
    """Press Decrypt by keyboard and return what the pad shows then."""

    def press():
        button = lesson.output(PAD).get_by_role("button", name="Decrypt", exact=True)
        return lesson.changes(PAD, lambda: lesson.press(button, "Enter"))

    return press


class TestPanel:
    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            ("Other order", "It opens. The pairs are the same in another order."),
            ("A capital letter", "Decrypt refused: InvalidCiphertextException."),
            ("One pair missing", "Only in the first: locker=12."),
            ("One pair more", "Only in the second: floor=2."),
        ],
    )
    def test_buttons(self, panel, words, expected):
        """Each button makes another second context, and the words below say whether it opened."""
        assert expected in panel(words)

    def test_typing(self, lesson, panel):
        """A context can be typed; the record of the refused call shows it in clear."""
        field = lesson.output(PANEL).get_by_role("textbox", name="Decrypting with")
        field.focus()
        lesson.page.keyboard.press("Control+a")

        shown = lesson.changes(PANEL, lambda: lesson.page.keyboard.type("site=mars"))
        lesson.quiet()
        shown = lesson.output(PANEL).inner_text()
        assert '"site": "mars"' in shown
        assert '"errorCode": "InvalidCiphertextException"' in shown


class TestPad:
    def test_arrows_move(self, lesson, pad):
        """Right moves by a byte, down to the next part, End to the last byte; it is said to who cannot see it."""
        lesson.changes(PAD, lambda: lesson.press(pad, "ArrowRight"))
        assert pad.get_attribute("aria-valuetext").startswith("Byte 1 of 0 to 165, mark")

        lesson.changes(PAD, lambda: lesson.press(pad, "ArrowDown"))
        assert pad.get_attribute("aria-valuetext").startswith("Byte 9 of 0 to 165, account")

        lesson.changes(PAD, lambda: lesson.press(pad, "End"))
        assert pad.get_attribute("aria-valuetext").startswith("Byte 165 of 0 to 165, tag")

    def test_flip_and_decrypt(self, lesson, pad, decrypt):
        """Space flips a bit and keeps the focus; Decrypt refuses; a second Space heals it, and Decrypt opens."""
        lesson.press(pad, "End")
        assert "1 byte changed." in lesson.changes(PAD, lambda: lesson.page.keyboard.press(" "))
        assert pad.evaluate("node => node === document.activeElement")
        assert "InvalidCiphertextException" in decrypt()

        assert "No bytes changed." in lesson.changes(PAD, lambda: lesson.press(pad, " "))
        assert "Decrypt gave “door code" in decrypt()

    def test_bits(self, lesson, pad):
        """Each bit of the byte is a button, which keeps the focus when it is pressed."""
        bit = lesson.output(PAD).get_by_role("button", name="Flip bit 7")
        name = bit.get_attribute("aria-label")
        lesson.changes(PAD, lambda: lesson.press(bit, "Enter"))

        assert bit.get_attribute("aria-label") != name
        assert bit.evaluate("node => node === document.activeElement")

    def test_pointer(self, lesson, pad):
        """A byte can be picked with the mouse, and the arrow keys go on from there."""
        byte = lesson.output(PAD).locator('[data-action="pick"][data-value="70"]')

        assert "Byte 70 of 0 to 165, nonce" in lesson.changes(PAD, byte.click)
        assert "Byte 71" in lesson.changes(PAD, lambda: lesson.page.keyboard.press("ArrowRight"))

    def test_table_twin(self, lesson, pad):
        """The table under the picture opens by keyboard and says which bytes are changed."""
        summary = lesson.output(PAD).locator("details > summary")
        lesson.press(summary, "Enter")
        lesson.press(pad, "End")
        lesson.changes(PAD, lambda: lesson.page.keyboard.press(" "))

        row = lesson.output(PAD).locator("details tr", has_text="the seal over all of it")
        assert "165" in row.locator("td").last.inner_text()
        lesson.press(summary, "Enter")


class TestAccess:
    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    @pytest.mark.parametrize("width", [1280, 390])
    def test_axe_finds_nothing_and_nothing_sticks_out(self, lesson, panel, pad, decrypt, dark, width):
        """In light and dark, on a laptop and a phone: no serious finding in any output, no sideways scrolling."""
        panel("One pair missing")
        lesson.press(pad, "ArrowDown", 5)
        lesson.press(pad, " ")
        lesson.quiet()
        decrypt()
        pad.focus()

        findings, wide = lesson.looked_at("02", dark, width, panel=PANEL, pad=PAD)

        assert findings == []
        assert wide == []


class TestSpeed:
    def test_a_key_press_is_painted_quickly(self, lesson, pad, panel, record_property):
        """From the key to the painted picture, through the kernel, the median is below 100 ms in both widgets."""
        pads = lesson.painted_ms(PAD, pad, ["ArrowRight", " "] * 6)
        panels = []
        for words in ("Other order", "No context") * 6:
            button = lesson.output(PANEL).get_by_role("button", name=words, exact=True)
            panels += lesson.painted_ms(PANEL, button, ["Enter"])
        for name, samples in (("pad", pads), ("panel", panels)):
            record_property(f"{name}_painted_ms", [round(s, 1) for s in samples])
            print(name, round(statistics.median(samples), 1), "ms, at most", round(max(samples), 1))

        assert statistics.median(pads) < 100
        assert statistics.median(panels) < 100
