"""Whole notebooks in a real kernel: blank, solved, and answered wrong."""

import time

import nbformat
import pytest
from nbclient.exceptions import DeadKernelError

from tests.notebooks.conftest import answers_of, data_of, execute, new_home, read

pytestmark = pytest.mark.notebook


def test_blank_runs_to_the_end(run_notebook, notebook_path):
    """A blank notebook runs to its end, says "not attempted" at each exercise, and repeats itself."""
    first, second = run_notebook(notebook_path), run_notebook(notebook_path)
    exercises = [exercise.id for exercise in data_of(notebook_path).exercises]

    assert first.outcomes() == dict.fromkeys(exercises, "not attempted")
    assert first.words() == second.words()


def test_solved(run_notebook, notebook_path):
    """With every exercise solved the notebook runs to its end and every exercise is right."""
    answers = answers_of(notebook_path)
    run = run_notebook(notebook_path, {exercise: answer["right"] for exercise, answer in answers.items()})

    assert run.outcomes() == dict.fromkeys(answers, "right")


def test_answered_wrong(run_notebook, notebook_path):
    """With a wrong answer to every exercise the notebook still runs to its end, and each wrong answer is named."""
    wrong = {exercise: next(iter(answer["wrong"].items())) for exercise, answer in answers_of(notebook_path).items()}
    codes = {exercise: code[0] if isinstance(code, tuple) else code for exercise, (_, code) in wrong.items()}
    run = run_notebook(notebook_path, codes)

    assert run.outcomes() == dict.fromkeys(wrong, "wrong")
    assert run.misconceptions() == {exercise: name for exercise, (name, _) in wrong.items()}


def test_lost_kernel(tmp_path, notebook_path):
    """A kernel killed in the middle of a lesson costs nothing: in a new one, resume brings keys and clock back."""
    home = new_home(tmp_path)
    cells = [cell.source for cell in read(notebook_path).cells if cell.cell_type == "code"][:1]
    made = 'kms.create_key(Description="made before the crash"); lab.clock.travel(days=3)'
    with pytest.raises(DeadKernelError):
        execute(of_code(*cells, made, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"), home)

    began = time.monotonic()
    told = 'print("made before the crash" in {key.description for key in lab.world.all_keys()}, lab.clock.now)'
    run = execute(of_code(*cells, "lesson.resume()", told), home)

    assert run.words()[-1][0].startswith("True")
    assert "is back" in run.words()[-2][-1]
    assert time.monotonic() - began < 30


def of_code(*sources):
    """A notebook of code cells."""
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
