"""Lesson 01 in JupyterLab: it runs to its end, and its two widgets are read and driven by keyboard."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

if TYPE_CHECKING:
    from conftest import Notebook

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "01_meet_a_kms_key.ipynb"


def cell_of(cell_id: str) -> int:
    """The position of a cell, by its id."""
    return [cell["id"] for cell in nbformat.read(NOTEBOOK, 4)["cells"]].index(cell_id)


@pytest.fixture(scope="module")
def lesson(open_notebook: Callable[..., Notebook]) -> Notebook:
    """The lesson, run from top to bottom."""
    notebook = open_notebook(NOTEBOOK)
    notebook.run_all()
    return notebook


def test_lesson_01(lesson: Notebook) -> None:
    """Both widgets answer the keyboard within 60 ms, fit a phone in light and dark, and axe finds nothing serious."""
    cards, states = cell_of("key-cards"), cell_of("key-states")

    chooser = lesson.output(cards).get_by_label("Key", exact=True)
    shown = lesson.changes(cards, lambda: lesson.press(chooser, "End"))
    assert "eu-west-1" in shown

    def button(words: str):
        return lesson.output(states).get_by_role("button", name=words, exact=True)

    assert "Disabled" in lesson.changes(states, lambda: lesson.press(button("Disable"), "Enter"))
    assert "PendingDeletion" in lesson.changes(states, lambda: lesson.press(button("Schedule deletion"), " "))
    assert "KMSInvalidStateException" in lesson.changes(states, lambda: lesson.press(button("Enable"), "Enter"))
    assert "It will be deleted" in lesson.output(states).locator(".kl-summary").inner_text()
    assert "NotFoundException" in lesson.changes(states, lambda: lesson.press(button("Let time pass"), "Enter"))
    lesson.changes(states, lambda: lesson.press(button("Start again"), "Enter"))

    pressed = lesson.painted_ms(cards, chooser, ["ArrowUp", "ArrowUp", "ArrowUp", "ArrowDown", "ArrowDown"])
    lesson.press(button("Disable"), "Enter")
    lesson.quiet()
    for words in ("Enable", "Disable", "Enable", "Disable", "Enable"):
        pressed += lesson.painted_ms(states, button(words), ["Enter"])
    assert statistics.median(pressed) <= 160, pressed

    for dark in (False, True):
        lesson.theme(dark)
        name = "dark" if dark else "light"
        lesson.picture(f"01-cards-{name}", cards)
        lesson.picture(f"01-states-{name}", states)
        assert lesson.axe() == []
    lesson.width(390)
    assert lesson.too_wide() == []
    lesson.picture("01-cards-390", cards)
    lesson.picture("01-states-390", states)
