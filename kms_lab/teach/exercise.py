"""Exercises: data, a check on the state of the world, a ladder of three hints, a solution.

An exercise is a value (``Exercise``); the engine (``judge``) is written once. A check is a function ``(probe,
value) -> Result``: it looks at a copy of the learner's lab through a ``Probe`` and at what the learner hands
in, and says ``right``, ``wrong`` (naming the misconception and what was observed, never the reference answer)
or ``not_attempted``. It knows nothing of display.

Not here: display and counting of tries (``lesson.py``), what is remembered (``progress.py``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kms_lab.core.errors import KMSError
from kms_lab.teach.probe import LearnerCodeError, Probe, Unfinished

TRIES_BEFORE_SOLUTION = 3


class Outcome(StrEnum):
    """What a check can answer."""

    NOT_ATTEMPTED = "not attempted"
    WRONG = "wrong"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Misconception:
    """A belief that learners really hold, with a name, so that feedback can speak to it.

    Attributes:
        id: short name, unique in its lesson: ``rotation-reencrypts``.
        belief: what one would think: "Rotation encrypts the old data again."
        truth: what is so instead, without giving an exercise's answer away.
    """

    id: str
    belief: str
    truth: str


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict of a check: the outcome, what was observed, and for a wrong answer the misconception's id."""

    outcome: Outcome
    observed: str = ""
    misconception: str = ""


def right(observed: str = "") -> Result:
    """The answer holds. ``observed`` says what in the world shows it."""
    return Result(Outcome.RIGHT, observed)


def wrong(misconception: str, observed: str) -> Result:
    """The answer does not hold. ``observed`` says what was seen, never what was wanted."""
    return Result(Outcome.WRONG, observed, misconception)


def not_attempted(observed: str = "") -> Result:
    """Nothing has been tried yet."""
    return Result(Outcome.NOT_ATTEMPTED, observed)


@dataclass(frozen=True, slots=True)
class Solution:
    """One good answer as code for the exercise's cell, and why it is one."""

    code: str
    why: str


Check = Callable[[Probe, Any], Result]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """An exercise as data.

    Attributes:
        id: the attribute it is reached by: ``q1`` is ``lesson.q1``.
        title: a few words.
        stars: 1 to 3, how hard.
        objectives: ids of the lesson's objectives that it exercises.
        prompt: the task in one or two sentences.
        check: judges a copy of the learner's lab and the value handed in.
        hints: three: where to look, which idea, nearly the code.
        solution: shown after success or three tries.
        misconceptions: ids of every misconception that ``check`` can name.
        expects: what to hand in, in words ("a key id, as text"); empty if only the world is judged.
        takes: the type or types of a value that can be judged at all; others are turned away with
            ``expects``.
        functions: how many functions are to be handed in, instead of a value: 1, or more in a tuple. Whatever else
            is handed in (often what a function returned) is turned away with ``expects`` and a word on how to.
        attempted: for an exercise on the world: has anything been tried? Without it, any call since the start
            counts.
    """

    id: str
    title: str
    stars: int
    objectives: tuple[str, ...]
    prompt: str
    check: Check
    hints: tuple[str, str, str]
    solution: Solution
    misconceptions: tuple[str, ...]
    expects: str = ""
    takes: type | tuple[type, ...] = object
    functions: int = 0
    attempted: Callable[[Probe], bool] | None = None

    def __post_init__(self) -> None:
        problems = []
        if not self.id.isidentifier():
            problems.append("its id must be a Python name")
        if self.stars not in (1, 2, 3):
            problems.append("stars must be 1, 2 or 3")
        if len(self.hints) != 3 or not all(self.hints):
            problems.append("it needs three hints")
        if not self.objectives:
            problems.append("it needs an objective")
        if problems:
            raise ValueError(f"exercise {self.id!r}: {'; '.join(problems)}")


def expecting(
    answer: Callable[[Probe], Any],
    wrong_answers: Mapping[str, tuple[Callable[[Probe], Any], str]],
    otherwise: tuple[str, str],
    because: str = "",
) -> Check:
    """Return a check for a value that the world itself can compute.

    Args:
        answer: computes the right value from the world; it is compared and never shown.
        wrong_answers: misconception id -> (what that belief computes from the same world, what to observe
            about it).
        otherwise: (misconception id, observation) for any other wrong value.
        because: said when the value is right.

    >>> count = expecting(
    ...     lambda probe: 2, {"only-newest": (lambda probe: 1, "You kept one.")}, ("miscounted", "Not that many."))
    >>> count(None, 1).misconception
    'only-newest'
    """

    def check(probe: Probe, value: Any) -> Result:
        if value == answer(probe):
            return right(because)
        for misconception, (believed, observed) in wrong_answers.items():
            if value == believed(probe):
                return wrong(misconception, observed)
        return wrong(*otherwise)

    return check


def judge(exercise: Exercise, probe: Probe, value: Any = ...) -> Result:
    """Judge one answer. Never raises for anything the learner hands in.

    The probe stands on a fork of the learner's lab, so whatever the check does there, the learner's world
    stays equal.
    """
    if exercise.expects and untouched(value):
        return not_attempted(f"Hand in {exercise.expects}.")
    if exercise.expects and not _takes(exercise, value):
        return Result(Outcome.WRONG, _turned_away(exercise, value))
    try:
        if not exercise.expects and not _attempted(exercise, probe):
            return not_attempted("Nothing to judge in your lab yet.")
        return exercise.check(probe, value)
    except Unfinished:
        return not_attempted("Your function still has a `...` in it, or returns nothing. (A print is no return.)")
    except LearnerCodeError as error:
        return Result(Outcome.WRONG, str(error))
    except (KMSError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        return Result(Outcome.WRONG, _unreadable(exercise, value, error))


def untouched(value: Any) -> bool:
    """Say whether a value still is, or still holds, the ``...`` of a blank cell (or None)."""
    if value is None or value is ...:
        return True
    if isinstance(value, Mapping):
        return any(item is ... for item in value.values())
    return isinstance(value, list | tuple | set) and any(item is ... for item in value)


def describe(value: Any) -> str:
    """Say what a value is, in a few words and without dumping it: ``text of 12 characters``."""
    match value:
        case bool():
            return f"the truth value {value}"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"text of {len(value)} characters"
        case bytes() | bytearray():
            return f"{len(value):,} bytes"
        case Mapping():
            return f"a dict with {len(value)} entries"
        case list() | tuple() | set() | frozenset():
            return f"a {type(value).__name__} of {len(value)}"
    return (
        f"a function, {value.__name__}"
        if callable(value) and hasattr(value, "__name__")
        else f"a {type(value).__name__}"
    )


def _takes(exercise: Exercise, value: Any) -> bool:
    if exercise.functions == 1:
        return callable(value)
    if exercise.functions:
        return isinstance(value, list | tuple) and len(value) == exercise.functions and all(map(callable, value))
    kinds = exercise.takes if isinstance(exercise.takes, tuple) else (exercise.takes,)
    if isinstance(value, bool) and object not in kinds:
        return bool in kinds  # True is an int to Python, not to a learner
    return isinstance(value, kinds)


def _turned_away(exercise: Exercise, value: Any) -> str:
    told = f"You handed in {describe(value)}; this exercise expects {exercise.expects}."
    match exercise.functions:
        case 0:
            return told
        case 1:
            return f"{told} Hand in its name, with no brackets after it: the check calls it."
    return f"{told} Hand in their names, with no brackets after each: the check calls them."


def _attempted(exercise: Exercise, probe: Probe) -> bool:
    return exercise.attempted(probe) if exercise.attempted else bool(probe.calls())


def _unreadable(exercise: Exercise, value: Any, error: Exception) -> str:
    wanted = f"; this exercise expects {exercise.expects}" if exercise.expects else ""
    handed = f"You handed in {describe(value)}{wanted}." if exercise.expects else "Your lab is in an unusual state."
    code = error.code if isinstance(error, KMSError) else type(error).__name__
    return f"This answer could not be judged ({code}). {handed}"
