"""Lesson 03 in JupyterLab: it runs to its end, and its two widgets are read and driven by keyboard."""

import statistics
from pathlib import Path

import nbformat
import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "03_envelope_encryption.ipynb"
IDS = [cell["id"] for cell in nbformat.read(NOTEBOOK, 4)["cells"]]
ANIMATOR, SAVINGS = IDS.index("animator"), IDS.index("savings")


@pytest.fixture
def stepper(lesson):
    """The animator's slider, at the first step."""
    slider = lesson.output(ANIMATOR).get_by_role("slider", name="Step")
    lesson.press(slider, "End")
    lesson.press(slider, "Home")
    lesson.quiet()
    return slider


class TestAnimator:
    def test_through_all_steps(self, lesson, stepper):
        """The right arrow key walks from the photo to the end; each step shows and says something else."""
        seen = [lesson.changes(ANIMATOR, lambda: lesson.press(stepper, "ArrowRight")) for _ in range(10)]

        assert len(set(seen)) == 10
        assert "Calls to KMS so far: 2 (GenerateDataKey, Decrypt)." in seen[-1]

    def test_what_is_thrown_away_is_said(self, lesson, stepper):
        """At the step that forgets, the words below the picture say what is gone."""
        lesson.press(stepper, "ArrowRight", 4)
        lesson.quiet()

        assert "Thrown away in your app: data key, plaintext; photo." in lesson.changes(
            ANIMATOR, lambda: lesson.press(stepper, "ArrowRight")
        )

    def test_buttons(self, lesson, stepper):
        """Next and "Back to the start" answer to the Enter key."""
        output = lesson.output(ANIMATOR)
        following = output.get_by_role("button", name="Next")
        start = output.get_by_role("button", name="Back to the start")

        assert "GenerateDataKey" in lesson.changes(ANIMATOR, lambda: lesson.press(following, "Enter"))
        assert "Nothing is stored yet." in lesson.changes(ANIMATOR, lambda: lesson.press(start, "Enter"))

    def test_table_twin(self, lesson, stepper):
        """The table under the picture opens by keyboard and follows the step."""
        summary = lesson.output(ANIMATOR).locator("details > summary")
        lesson.press(summary, "Enter")
        lesson.changes(ANIMATOR, lambda: lesson.press(stepper, "ArrowRight", 2))

        assert "32 bytes" in lesson.output(ANIMATOR).locator("details table").inner_text()
        lesson.press(summary, "Enter")


class TestSavings:
    @pytest.mark.parametrize(
        ("name", "word"),
        [
            ("Size of an object", "of 1 GB"),
            ("Encrypted in a month", "10,000,000 objects"),
            ("Under one data key", "opens 100,000 objects"),
        ],
    )
    def test_sliders(self, lesson, name, word):
        """Each slider answers to the End key, and picture and words follow."""
        slider = lesson.output(SAVINGS).get_by_role("slider", name=name)
        lesson.press(slider, "Home")
        lesson.quiet()

        assert word in lesson.changes(SAVINGS, lambda: lesson.press(slider, "End"))

    def test_reuse_saves_calls_and_grows_the_pile(self, lesson):
        """Ten objects under one data key: a tenth of the calls, and a leak opens ten."""
        for name in ("Size of an object", "Encrypted in a month", "Under one data key"):
            lesson.press(lesson.output(SAVINGS).get_by_role("slider", name=name), "Home")
        months = lesson.output(SAVINGS).get_by_role("slider", name="Encrypted in a month")
        lesson.press(months, "ArrowRight", 6)
        lesson.quiet()
        reuse = lesson.output(SAVINGS).get_by_role("slider", name="Under one data key")

        lesson.changes(SAVINGS, lambda: lesson.press(reuse, "ArrowRight", 3))
        lesson.quiet()
        words = lesson.output(SAVINGS).locator(".kl-summary").inner_text()

        assert "100 objects of 1 KB" in words
        assert "10 ($0.00) with envelopes" in words
        assert "opens 10 objects" in words


class TestAccess:
    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    @pytest.mark.parametrize("width", [1280, 390])
    def test_axe_finds_nothing_and_nothing_sticks_out(self, lesson, stepper, dark, width):
        """In light and dark, on a laptop and a phone: no serious finding in any output, no sideways scrolling."""
        lesson.press(stepper, "ArrowRight", 2)

        findings, wide = lesson.looked_at("03", dark, width, animator=ANIMATOR, savings=SAVINGS)

        assert findings == []
        assert wide == []


class TestSpeed:
    def test_a_key_press_is_painted_quickly(self, lesson, stepper, record_property):
        """From the key to the painted picture, through the kernel, the median is below 100 ms in both widgets."""
        steps = lesson.painted_ms(ANIMATOR, stepper, ["ArrowRight"] * 8 + ["ArrowLeft"] * 8)
        slider = lesson.output(SAVINGS).get_by_role("slider", name="Encrypted in a month")
        lesson.press(slider, "Home")
        lesson.quiet()
        savings = lesson.painted_ms(SAVINGS, slider, ["ArrowRight"] * 8 + ["ArrowLeft"] * 8)
        for name, samples in (("animator", steps), ("savings", savings)):
            record_property(f"{name}_painted_ms", [round(s, 1) for s in samples])
            print(name, round(statistics.median(samples), 1), "ms, at most", round(max(samples), 1))

        assert statistics.median(steps) < 100
        assert statistics.median(savings) < 100
