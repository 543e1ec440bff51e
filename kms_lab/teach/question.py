"""Questions and predictions: choice, multiple, ordering, matching; one engine for lessons and exam.

A question is data. ``judge`` says whether an answer is right and gives feedback for each option that the
learner used; after success (or three tries) ``explain`` gives the feedback of every option. A wrong option
names its misconception. What is shown before an answer never holds the right one: ``card`` draws the options,
``judge`` runs in the kernel.

Answers in code: a choice is ``"b"``, multiple ``["a", "c"]``, an ordering ``["c", "a", "b"]``, a matching
``{"1": "b", "2": "a"}``.

Not here: forms to click (``widgets/question.py``), what is remembered (``progress.py``).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kms_lab.teach.card import Card, Tone
from kms_lab.teach.exercise import Outcome, untouched
from kms_lab.teach.probe import Probe


class AnswerError(ValueError):
    """The answer does not have the shape this question takes. The text says which it takes."""


@dataclass(frozen=True, slots=True)
class Option:
    """One thing to choose, order or match.

    Attributes:
        key: what the learner types: ``a``.
        text: what it says.
        feedback: why it is right here, or why it is not.
        misconception: id of the belief that makes it attractive; empty for a right option.
    """

    key: str
    text: str
    feedback: str
    misconception: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on an answer: outcome, feedback lines for what was chosen, misconceptions met."""

    outcome: Outcome
    feedback: tuple[str, ...] = ()
    misconceptions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What all questions share; use one of the four kinds below.

    Attributes:
        id: ``z1``.
        prompt: the question.
        options: what is offered, in the order shown.
        why: the explanation, shown once it is answered right.
        objectives: ids of the lesson's objectives.
        source: where the fact is from, for the curious ("AWS KMS Developer Guide, Key states").
    """

    kind: ClassVar[str] = ""
    takes: ClassVar[str] = ""

    id: str
    prompt: str
    options: tuple[Option, ...]
    why: str
    objectives: tuple[str, ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        keys = [option.key for option in self.options]
        if len(keys) < 2 or len(set(keys)) != len(keys):
            raise ValueError(f"question {self.id!r} needs two or more options with keys of their own")
        self.verify()

    def verify(self) -> None:
        """Raise ValueError if the question contradicts itself."""

    def option(self, key: str) -> Option:
        """Return the option of a key."""
        for option in self.options:
            if option.key == key:
                return option
        raise AnswerError(f"There is no option {key!r} here. This question takes {self.takes}.")

    def judge(self, answer: Any) -> Judged:
        """Judge an answer. An untouched one (``...``, None, nothing chosen) is not attempted.

        Raises:
            AnswerError: the answer has another shape, or names an option that is not there.
        """
        if untouched(answer) or (isinstance(answer, str | list | tuple | dict) and not answer):
            return Judged(Outcome.NOT_ATTEMPTED)
        return self._judge(answer)

    def card(self) -> Card:
        """Return the question with its options and how to answer in code; no trace of the answer."""
        offered = tuple(f"`{option.key}` {option.text}" for option in self.options)
        return Card(Tone.QUESTION, self.id, (self.prompt,), (*offered, *self._more_items(), self._how()))

    def explain(self) -> tuple[str, ...]:
        """Return the feedback of every option, and the explanation. Only for after an answer."""
        return (*(f"`{option.key}` {option.feedback}" for option in self.options), self.why)

    def _judge(self, answer: Any) -> Judged:
        raise TypeError(f"{type(self).__name__} is not a kind of question")

    def _more_items(self) -> tuple[str, ...]:
        return ()

    def _how(self) -> str:
        return f'In code: `lesson.quiz("{self.id}", ...)` with {self.takes}.'

    def _judged(self, correct: bool, chosen: Iterable[Option]) -> Judged:
        options = tuple(chosen)
        if correct:
            return Judged(Outcome.RIGHT, self.explain())
        names = dict.fromkeys(option.misconception for option in options if option.misconception)
        return Judged(Outcome.WRONG, tuple(f"`{o.key}` {o.feedback}" for o in options), tuple(names))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Question):
    """One of the options is right."""

    kind: ClassVar[str] = "choice"
    takes: ClassVar[str] = 'one letter, like "a"'

    right: str

    def verify(self) -> None:
        _check_distractors(self, {self.right})

    def _judge(self, answer: Any) -> Judged:
        key = _text(self, answer)
        return self._judged(key == self.right, [self.option(key)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiple(Question):
    """Some of the options are right, and all of them are wanted."""

    kind: ClassVar[str] = "multiple"
    takes: ClassVar[str] = 'a list of letters, like ["a", "b"]'

    right: frozenset[str]

    def verify(self) -> None:
        _check_distractors(self, self.right)

    def _judge(self, answer: Any) -> Judged:
        keys = set(_texts(self, answer))
        chosen = [self.option(key) for key in sorted(keys)]
        misled = [option for option in chosen if option.key not in self.right]
        if keys == self.right or misled:
            return self._judged(keys == self.right, misled)
        return Judged(Outcome.WRONG, ("All you chose is true, but there is more.",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordering(Question):
    """Put the options in order. The options must not be listed in the right order.

    An option's feedback is what to think of when it stands in the wrong place.
    """

    kind: ClassVar[str] = "ordering"
    takes: ClassVar[str] = 'all letters in order, like ["b", "a", "c"]'

    right: tuple[str, ...]

    def verify(self) -> None:
        keys = [option.key for option in self.options]
        if sorted(keys) != sorted(self.right):
            raise ValueError(f"question {self.id!r}: the order must hold every option once")
        if tuple(keys) == self.right:
            raise ValueError(f"question {self.id!r}: the options are listed in the right order already")

    def _judge(self, answer: Any) -> Judged:
        keys = _texts(self, answer)
        placed = [self.option(key) for key in keys]
        if sorted(keys) != sorted(self.right):
            raise AnswerError(f"Every option belongs in the order once. This question takes {self.takes}.")
        first_wrong = next((o for o, wanted in zip(placed, self.right) if o.key != wanted), None)
        return self._judged(first_wrong is None, [first_wrong] if first_wrong else [])


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching(Question):
    """Give each item the option that fits it; an option may fit several items, or none.

    Attributes:
        items: (key, text) of what is matched, in the order shown.
        right: item key -> option key.
    """

    kind: ClassVar[str] = "matching"
    takes: ClassVar[str] = 'a dict from item to option, like {"1": "a", "2": "b"}'

    items: tuple[tuple[str, str], ...]
    right: Mapping[str, str]

    def verify(self) -> None:
        if {key for key, _ in self.items} != set(self.right):
            raise ValueError(f"question {self.id!r}: every item needs its match")
        for key in self.right.values():
            self.option(key)

    def _judge(self, answer: Any) -> Judged:
        if not isinstance(answer, Mapping) or set(answer) != set(self.right):
            raise AnswerError(f"Match every item. This question takes {self.takes}.")
        chosen = {item: self.option(_text(self, key)) for item, key in answer.items()}
        misled = [item for item, _ in self.items if chosen[item].key != self.right[item]]
        if not misled:
            return self._judged(True, ())
        names = dict.fromkeys(chosen[i].misconception for i in misled if chosen[i].misconception)
        texts = dict(self.items)
        lines = tuple(f"“{texts[i]}”: not `{chosen[i].key}`. {chosen[i].feedback}" for i in misled)
        return Judged(Outcome.WRONG, lines, tuple(names))

    def _more_items(self) -> tuple[str, ...]:
        return tuple(f"`{key}` {text}" for key, text in self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What do you think will happen? Recorded before the run, compared after, never graded.

    Attributes:
        id: ``p1``.
        prompt: the question, before the run.
        options: what could happen; each option's feedback is shown to whoever predicted it. Empty: any text
            or number.
        truth: finds out from the world what did happen: an option's key, or a value to compare as text. It
            may raise ``Unfinished`` while the cell that makes it happen has not run.
        why: what happened and why, shown at the comparison.
        objectives: ids of the lesson's objectives.
    """

    id: str
    prompt: str
    truth: Callable[[Probe], Any]
    why: str
    options: tuple[Option, ...] = ()
    objectives: tuple[str, ...] = ()

    def accept(self, answer: Any) -> str:
        """Return a prediction as it is recorded.

        Raises:
            AnswerError: it is none of the options.
        """
        text = str(answer).strip()
        keys = [option.key for option in self.options]
        if keys and text not in keys:
            raise AnswerError(f"There is no option {text!r} here. This prediction takes one of: {', '.join(keys)}.")
        return text

    def option(self, key: str) -> Option | None:
        """Return the option of a key, or None."""
        return next((option for option in self.options if option.key == key), None)

    def card(self) -> Card:
        """Return the prediction's question and options."""
        offered = tuple(f"`{option.key}` {option.text}" for option in self.options)
        example = '"' + self.options[0].key + '"' if self.options else '"what you expect"'
        return Card(
            Tone.PREDICTION,
            self.id,
            (
                self.prompt,
                f'Before you run on, write it down: `lesson.predict("{self.id}", {example})`. It is not graded.',
            ),
            offered,
        )


def _check_distractors(question: Question, right: Iterable[str]) -> None:
    wanted = set(right)
    keys = {option.key for option in question.options}
    if not wanted or not wanted <= keys:
        raise ValueError(f"question {question.id!r}: the right answer must be among its options")
    bare = [o.key for o in question.options if o.key not in wanted and not o.misconception]
    if bare:
        raise ValueError(f"question {question.id!r}: wrong option {bare[0]!r} names no misconception")
    if any(not option.feedback for option in question.options):
        raise ValueError(f"question {question.id!r}: every option needs feedback")


def _text(question: Question, answer: Any) -> str:
    if not isinstance(answer, str):
        raise AnswerError(f"This question takes {question.takes}.")
    return answer.strip()


def _texts(question: Question, answer: Any) -> list[str]:
    if isinstance(answer, str):
        return answer.replace(",", " ").split()
    if not isinstance(answer, Iterable):
        raise AnswerError(f"This question takes {question.takes}.")
    return [_text(question, key) for key in answer]
