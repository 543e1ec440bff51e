"""Forms for questions and predictions: what ``lesson.quiz("z1")`` and ``lesson.predict("p1")`` show in a
browser.

A form gathers an answer and hands it to the lesson; what comes back is a card. The right answer is never sent
to the browser: the form knows the options only, and the check is the lesson's, in the kernel.

Choice and prediction are radio buttons, matching is one drop-down an item, multiple is a group of checkboxes,
ordering a list whose entries have buttons to move up and down. All of it works by keyboard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, make_dataclass, replace
from html import escape
from typing import Any

from kms_lab.teach import svg
from kms_lab.teach.card import Card, Tone, frame, inline
from kms_lab.teach.question import Choice, Matching, Multiple, Option, Ordering, Prediction, Question
from kms_lab.teach.widgets.base import Controls, LabWidget, Pick, text_field

Answer = Callable[[Any], Card]
#: what is announced when a card has come back; the card itself stands above
_SAID = {
    Tone.RIGHT: "Right. The explanation stands above.",
    Tone.WRONG: "Not yet. What your answer tells stands above; you can answer again.",
    Tone.PREDICTION: "Recorded. Run on and see.",
}


@dataclass(frozen=True, kw_only=True)
class State:
    """What every form holds: the answer that was handed in last, and what came back."""

    answered: Any = None
    card: Card | None = None


@dataclass(frozen=True, kw_only=True)
class ChosenState(State):
    chosen: str = ""


@dataclass(frozen=True, kw_only=True)
class TickedState(State):
    ticked: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, kw_only=True)
class OrderState(State):
    order: tuple[str, ...] = ()


class Form(LabWidget[Any]):
    """A question, a way to answer it, a button, and the card that comes back."""

    button = "Answer"

    def __init__(self, question: Question | Prediction, answer: Answer, state: State) -> None:
        self.question = question
        self._answer = answer
        self.title = f"{question.id} {question.prompt}"  # type: ignore[misc]
        super().__init__(state)

    def value(self, state: Any) -> Any:
        """The answer as ``Question.judge`` takes it; something empty while it is not complete."""
        raise TypeError(f"{type(self).__name__} is not a form")

    def inputs(self, state: Any) -> str:
        """The part of the form that is not a control of the base: HTML."""
        return ""

    def view(self, state: Any) -> str:
        returned = f'<div class="kl-card">{replace(state.card, title="").body()}</div>' if self._stands(state) else ""
        return self.inputs(state) + svg.row(svg.button(self.button, "answer", primary=True)) + returned

    def summary(self, state: Any) -> str:
        if self._stands(state):
            card: Card = state.card
            return _SAID.get(card.tone, card.lines[0] if card.lines else card.title)
        return f"Press {self.button} when you are done." if self.value(state) else "Not answered yet."

    def react(self, state: Any, action: str, value: str) -> Any:
        if action != "answer":
            return super().react(state, action, value)
        answer = self.value(state)
        return replace(state, answered=answer, card=self._answer(answer)) if answer else state

    def html(self) -> str:
        """The form without a browser: the question with its options, and what came back."""
        card = self.question.card()
        returned = self.state.card.body() if self._stands(self.state) else ""
        return frame(card.body() + returned, card.label)

    def text(self) -> str:
        returned = [self.state.card.text()] if self._stands(self.state) else []
        return "\n".join([self.question.card().text(), *returned])

    def _stands(self, state: Any) -> bool:
        """Does what came back still belong to what the form shows?"""
        return state.card is not None and state.answered == self.value(state)


class ChoiceForm(Form):
    """Radio buttons."""

    def __init__(self, question: Question | Prediction, answer: Answer, chosen: str = "") -> None:
        super().__init__(question, answer, ChosenState(chosen=chosen))

    def controls(self) -> Controls:
        return Controls(chosen=_pick(self.question.options, "radio", "Choose one"))

    def value(self, state: ChosenState) -> str:
        return state.chosen


class MultipleForm(Form):
    """Checkboxes."""

    def __init__(self, question: Multiple, answer: Answer) -> None:
        super().__init__(question, answer, TickedState())

    def value(self, state: TickedState) -> list[str]:
        return sorted(state.ticked)

    def inputs(self, state: TickedState) -> str:
        boxes = "".join(_checkbox(option, option.key in state.ticked) for option in self.question.options)
        return _fieldset("Choose all that apply", boxes)

    def react(self, state: TickedState, action: str, value: str) -> Any:
        if action == "tick":
            return replace(state, ticked=state.ticked ^ {value})
        return super().react(state, action, value)


class OrderingForm(Form):
    """A list whose entries move up and down."""

    def __init__(self, question: Ordering, answer: Answer) -> None:
        super().__init__(question, answer, OrderState(order=tuple(option.key for option in question.options)))

    def value(self, state: OrderState) -> list[str]:
        return list(state.order)

    def inputs(self, state: OrderState) -> str:
        options = {option.key: option for option in self.question.options}
        last = len(state.order) - 1
        entries = "".join(_entry(options[key], at, last) for at, key in enumerate(state.order))
        return _fieldset("Put these in order, first to last", f"<ol>{entries}</ol>")

    def react(self, state: OrderState, action: str, value: str) -> Any:
        if action not in ("up", "down"):
            return super().react(state, action, value)
        order = list(state.order)
        at = order.index(value)
        to = at + (-1 if action == "up" else 1)
        if 0 <= to < len(order):
            order[at], order[to] = order[to], order[at]
        return replace(state, order=tuple(order))


class MatchingForm(Form):
    """One drop-down for each item."""

    def __init__(self, question: Matching, answer: Answer) -> None:
        self._names = {f"item_{at}": item for at, (item, _) in enumerate(question.items)}
        self._texts = dict(question.items)
        fields: list[tuple[str, Any, Any]] = [(name, str, field(default="")) for name in self._names]
        state = make_dataclass("MatchState", fields, bases=(State,), frozen=True, kw_only=True)
        super().__init__(question, answer, state())

    def controls(self) -> Controls:
        picks = {name: _pick(self.question.options, "select", self._texts[item]) for name, item in self._names.items()}
        return Controls(**picks)

    def value(self, state: Any) -> dict[str, str]:
        chosen = {item: getattr(state, name) for name, item in self._names.items()}
        return chosen if all(chosen.values()) else {}

    def summary(self, state: Any) -> str:
        return super().summary(state) if self.value(state) else "Match every item, then press Answer."


class TextForm(Form):
    """A line of text, for a prediction without options."""

    button = "Record"

    def __init__(self, prediction: Prediction, answer: Answer, chosen: str = "") -> None:
        super().__init__(prediction, answer, ChosenState(chosen=chosen))

    def controls(self) -> Controls:
        return Controls(chosen=text_field(label="What do you expect?"))

    def value(self, state: ChosenState) -> str:
        return state.chosen.strip()


class PredictionChoiceForm(ChoiceForm):
    """Radio buttons whose answer is recorded, not judged."""

    button = "Record"


def question_form(question: Question, answer: Answer) -> Form:
    """Return the form for a question; ``answer`` judges what it gathers and returns the card to show."""
    match question:
        case Choice():
            return ChoiceForm(question, answer)
        case Multiple():
            return MultipleForm(question, answer)
        case Ordering():
            return OrderingForm(question, answer)
        case Matching():
            return MatchingForm(question, answer)
    raise TypeError(f"no form for {type(question).__name__}")


def prediction_form(prediction: Prediction, answer: Answer, recorded: str = "") -> Form:
    """Return the form for a prediction; ``recorded`` is what was predicted before, if anything."""
    if prediction.options:
        return PredictionChoiceForm(prediction, answer, recorded)
    return TextForm(prediction, answer, recorded)


@dataclass(frozen=True)
class _Pick(Pick):
    """A choice that may still be open: the value ""."""

    def show(self, value: Any) -> int:
        return super().show(value) if value in self.values else -1

    def say(self, value: Any) -> str:
        return super().say(value) if value in self.values else "not chosen yet"


def _pick(options: Sequence[Option], look: str, label: str) -> Pick:
    keys = tuple(option.key for option in options)
    texts = tuple(f"{option.key}. {option.text.replace('`', '')}" for option in options)
    if look == "select":  # a drop-down shows something from the start: say that it is nothing yet
        return Pick(label, "", look, ("", *keys), ("Choose …", *texts))
    return _Pick(label, "", look, keys, texts)


def _fieldset(legend: str, body: str) -> str:
    return f'<fieldset class="kl-field"><legend class="kl-label">{escape(legend)}</legend>{body}</fieldset>'


def _checkbox(option: Option, ticked: bool) -> str:
    mark = "☑" if ticked else "☐"
    key = escape(option.key, quote=True)
    return (
        f'<div><button type="button" role="checkbox" aria-checked="{str(ticked).lower()}" data-action="tick" '
        f'data-value="{key}" data-key="tick/{key}" {svg.KEYS_STAY} '
        f'style="width:100%;text-align:left;font-weight:400;margin:0 0 6px">'
        f'<span aria-hidden="true">{mark}</span> {escape(option.key)}. {inline(option.text)}</button></div>'
    )


def _entry(option: Option, at: int, last: int) -> str:
    key, name = escape(option.key, quote=True), escape(option.text.replace("`", ""), quote=True)

    def button(action: str, word: str, open_: bool) -> str:
        closed = "" if open_ else ' aria-disabled="true"'
        return (
            f'<button type="button" data-action="{action}" data-value="{key}" data-key="{action}/{key}" '
            f'{svg.KEYS_STAY} aria-label="{word}: {name}"{closed}>{word}</button>'
        )

    buttons = button("up", "Up", at > 0) + button("down", "Down", at < last)
    return (
        f'<li data-key="entry/{key}"><div class="kl-row">{buttons}'
        f"<span>{escape(option.key)}. {inline(option.text)}</span></div></li>"
    )
