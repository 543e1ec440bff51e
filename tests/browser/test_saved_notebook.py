"""A notebook that was saved and is opened again, before anything is run in it."""

import nbformat
import pytest

PANEL = "window.jupyterapp.shell.currentWidget"


@pytest.fixture(scope="module")
def notebook(open_notebook):
    cells = [
        nbformat.v4.new_code_cell('from kms_lab.teach import open_lesson\nlesson = open_lesson("00", seed=1)'),
        nbformat.v4.new_code_cell('lesson.widget("panel")'),
    ]
    page = open_notebook(nbformat.v4.new_notebook(cells=cells), "saved.ipynb")
    page.run_all()
    return page


def test_widgets_show_their_last_picture(notebook):
    """
    Saved, its kernel gone and opened again, a widget shows what it showed last, and no error.
    """
    notebook.output(1).get_by_role("button", name="Create a key").click()
    notebook.quiet()
    shown = notebook.output(1).locator(".kl-summary").inner_text()

    notebook.page.evaluate(f"async () => {{ await {PANEL}.context.save(); }}")
    notebook.page.evaluate(f"() => {PANEL}.context.sessionContext.shutdown()")
    notebook.reopen()

    assert notebook.output(1).locator(".kl-summary").inner_text() == shown
    assert "Error displaying widget" not in notebook.output(1).inner_text()
