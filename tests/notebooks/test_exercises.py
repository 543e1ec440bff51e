"""Every exercise of every lesson, both ways: right, right in another way, wrong in each named way, untouched.

The snippets stand in ``tests/teach/lessons/answers_NN.py``; each runs where the learner would type it, after the
notebook's own cells. While a check runs, the harness sees to it that the learner's world stays equal and that it
takes less than half a second.
"""

import pytest

from kms_lab.teach.exercise import Outcome
from tests.notebooks.conftest import NOTEBOOKS, answers_of, data_of

CASES = [
    (path, exercise, kind, name, code)
    for path in NOTEBOOKS
    for exercise, answers in answers_of(path).items()
    for kind, name, code in (
        ("right", "", answers["right"]),
        *(("right", f"also{n}", code) for n, code in enumerate(answers.get("also_right", ()), 1)),
        *(
            ("wrong", name, code)
            for name, codes in answers["wrong"].items()
            for code in (codes if isinstance(codes, tuple) else (codes,))
        ),
    )
]


@pytest.mark.parametrize(
    ("path", "exercise", "kind", "name", "code"),
    CASES,
    ids=[f"{path.name[:2]}-{exercise}-{kind}-{name}" for path, exercise, kind, name, _ in CASES],
)
def test_answers(replay, path, exercise, kind, name, code):
    """A right answer is right however it was reached; a wrong one names its misconception."""
    found = replay(path).before(exercise).answer(exercise, code)

    assert found.outcome == kind, repr(found)
    assert found.misconceptions == ((name,) if kind == "wrong" else ())


def test_untouched(replay, exercise_path, exercise_id):
    """The blank cell of an exercise says not attempted."""
    run = replay(exercise_path).before(exercise_id)

    assert run.answer(exercise_id, run.blank(exercise_id)).outcome is Outcome.NOT_ATTEMPTED


def test_shown_solution(replay, exercise_path, exercise_id):
    """The solution that a learner is shown is right, as it stands."""
    run = replay(exercise_path).before(exercise_id)
    (exercise,) = (e for e in run.lesson.data.exercises if e.id == exercise_id)

    assert run.answer(exercise_id, exercise.solution.code).outcome is Outcome.RIGHT


def test_enough_answers(exercise_path, exercise_id):
    """Each exercise is tested with a right answer, another right one, and two distinct wrong ones."""
    answers = answers_of(exercise_path)[exercise_id]

    assert answers["right"]
    assert len(answers["also_right"]) >= 1
    assert len(answers["wrong"]) >= 2


def test_every_misconception_is_met(exercise_path, exercise_id):
    """Every misconception that an exercise says it can name is named by one of the wrong answers."""
    (exercise,) = (e for e in data_of(exercise_path).exercises if e.id == exercise_id)

    assert set(exercise.misconceptions) == set(answers_of(exercise_path)[exercise_id]["wrong"])


def test_predictions_come_true(replay, notebook_path):
    """Each prediction, made right after the first cell, is compared by the notebook's own reveal with what happened."""
    run = replay(notebook_path)
    predictions = data_of(notebook_path).predictions
    answers = [f"lesson.predict({p.id!r}, {p.options[0].key if p.options else 1!r})" for p in predictions]
    run.whole(after_first="\n".join(answers))
    shown = {code: repr(value) for code, value in run.values if "lesson.reveal(" in code}

    for prediction in predictions:
        cards = [text for code, text in shown.items() if f'reveal("{prediction.id}")' in code]
        assert cards, f"{prediction.id} is never revealed"
        assert "What happened" in cards[0]
        truth = str(prediction.truth(run.lesson.probe()))
        assert not prediction.options or prediction.option(truth), f"{prediction.id}: {truth} is no option"
