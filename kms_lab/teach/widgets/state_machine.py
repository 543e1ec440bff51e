"""The states of a key, to press through: each button makes the real call, and the picture shows what became of it.

The widget works on a copy of the learner's lab, with a practice key of its own: nothing pressed here touches the
learner's keys, log or clock. It holds no rule of KMS. Which way leads where, and what each call answers in each
state, is found by trying it on further copies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import Any, NamedTuple

from kms_lab.core.errors import KMSError
from kms_lab.lab import Lab
from kms_lab.teach import svg, theme
from kms_lab.teach.widgets.base import Controls, LabWidget, buttons, slider

#: What the picture calls a key that is not there any more. It is not a KeyState of AWS: DescribeKey finds no key.
DELETED = "deleted"
#: The longest journey of the slider, in days.
MOST_DAYS = 30


class Press(NamedTuple):
    """A button: its words, and what stands at its arrow (in several lines where there is little room)."""

    words: str
    arrow: tuple[str, ...]

    @property
    def name(self) -> str:
        return "".join(self.arrow)


PRESSES = {
    "disable": Press("Disable", ("Disable", "Key")),
    "enable": Press("Enable", ("Enable", "Key")),
    "schedule": Press("Schedule deletion", ("Schedule", "Key", "Deletion")),
    "cancel": Press("Cancel deletion", ("Cancel", "Key", "Deletion")),
    "wait": Press("Let time pass", ("time passes",)),
}
#: The calls that are tried in every state.
PROBED = ("Encrypt", "Decrypt", "DescribeKey", "CreateAlias")


@dataclass(frozen=True)
class Answer:
    """How KMS answered a call: an error code and AWS's text, or two empty texts for a success."""

    call: str
    code: str = ""
    message: str = ""


@dataclass(frozen=True)
class State:
    """Where the practice key stands.

    Attributes:
        window_days: the waiting period that "Schedule deletion" asks for.
        days: how many days "Let time pass" lets pass.
        key_state: AWS's KeyState, or ``deleted``.
        today: the copy's date, as text.
        deletion: the date on which the key will be deleted, or "".
        last: the last call and its answer; None before the first.
    """

    window_days: int = 7
    days: int = 7
    key_state: str = ""
    today: str = ""
    deletion: str = ""
    last: Answer | None = None


class Practice:
    """A copy of a lab with one key of its own, and the calls that the buttons make on it."""

    def __init__(self, lab: Lab, key: str = "", blob: bytes = b"") -> None:
        self.lab = lab
        self.kms = lab.client()
        self.key = key or self.kms.create_key(Description="Practice")["KeyMetadata"]["KeyId"]
        self.blob = blob or self.kms.encrypt(KeyId=self.key, Plaintext=b"practice")["CiphertextBlob"]

    def fork(self) -> Practice:
        """Return a copy that goes its own way."""
        return Practice(self.lab.fork(), self.key, self.blob)

    def press(self, action: str, window_days: int, days: int) -> Answer:
        """Do what a button says and return the answer."""
        kms, key = self.kms, self.key
        match action:
            case "disable":
                return ask("disable_key(KeyId=key)", lambda: kms.disable_key(KeyId=key))
            case "enable":
                return ask("enable_key(KeyId=key)", lambda: kms.enable_key(KeyId=key))
            case "schedule":
                return ask(
                    f"schedule_key_deletion(KeyId=key, PendingWindowInDays={window_days})",
                    lambda: kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=window_days),
                )
            case "cancel":
                return ask("cancel_key_deletion(KeyId=key)", lambda: kms.cancel_key_deletion(KeyId=key))
            case "wait":
                return ask(f"lab.clock.travel(days={days})", lambda: self.lab.clock.travel(days=days))
        raise ValueError(f"no button {action!r}; there are {', '.join(PRESSES)}")

    def look(self) -> tuple[str, str]:
        """Return the key's state and its deletion date ("" for none), as DescribeKey tells them."""
        try:
            told = self.fork().kms.describe_key(KeyId=self.key)["KeyMetadata"]
        except KMSError:
            return DELETED, ""
        date = told.get("DeletionDate")
        return told["KeyState"], f"{date:%Y-%m-%d}" if date else ""

    def answers(self) -> tuple[Answer, ...]:
        """Return what each probed call would answer now; it is tried on a copy."""
        copy = self.fork()
        kms, key = copy.kms, self.key
        calls: dict[str, Callable[[], Any]] = {
            "Encrypt": lambda: kms.encrypt(KeyId=key, Plaintext=b"x"),
            "Decrypt": lambda: kms.decrypt(KeyId=key, CiphertextBlob=self.blob),
            "DescribeKey": lambda: kms.describe_key(KeyId=key),
            "CreateAlias": lambda: kms.create_alias(AliasName="alias/another-name", TargetKeyId=key),
        }
        return tuple(ask(name, calls[name]) for name in PROBED)


class Atlas(NamedTuple):
    """Everything there is to find out: where each button leads, and what each call answers, state by state."""

    ways: Mapping[tuple[str, str], str]
    answers: Mapping[str, tuple[Answer, ...]]


class StateMachine(LabWidget[State]):
    """Press a button: the call is made on a practice key, and the picture shows the key's new state."""

    title = "One key, and the states it goes through"

    def __init__(self, lab: Lab) -> None:
        self._start = Practice(lab.fork())
        self._practice = self._start.fork()
        self.atlas = explore(self._start)
        super().__init__(self._seen(State()))

    def controls(self) -> Controls:
        return Controls(
            window_days=slider(7, MOST_DAYS, label="Waiting period to ask for", unit="days"),
            days=slider(1, MOST_DAYS, label="Time to let pass", unit="days"),
            again=buttons({"again": "Start again"}, label="Practice key"),
        )

    def view(self, state: State) -> str:
        return (
            svg.responsive(lambda width: _picture(state, self.atlas.ways, width), wide=WIDTH, narrow=NARROW_WIDTH)
            + self._buttons(state)
            + svg.grid(_last(state), _answers(state, self.atlas.answers[state.key_state]))
        )

    def summary(self, state: State) -> str:
        answers = self.atlas.answers[state.key_state]
        works = [one.call for one in answers if not one.code]
        refused = [one.call for one in answers if one.code]
        parts = [f"{state.today}: the key is {state.key_state}."]
        if state.last is not None and state.last.code:
            parts.insert(0, f"KMS refused: {state.last.code}.")
        if state.deletion:
            parts.append(f"It will be deleted on {state.deletion}.")
        parts += [f"Works: {', '.join(works)}."] if works else []
        parts += [f"Refused: {', '.join(refused)}."] if refused else []
        return " ".join(parts)

    def table(self, state: State) -> svg.Table:
        states = list(self.atlas.answers)
        rows = [[call, *(_cell(self.atlas.answers[name][at]) for name in states)] for at, call in enumerate(PROBED)]
        return svg.Table("What each call answers in each state", ["Call", *states], rows)

    def react(self, state: State, action: str, value: str) -> State:
        if action == "again":
            self._practice = self._start.fork()
            return self._seen(replace(state, last=None))
        if action not in PRESSES:
            return super().react(state, action, value)
        answer = self._practice.press(action, state.window_days, state.days)
        return self._seen(replace(state, last=answer))

    def _seen(self, state: State) -> State:
        key_state, deletion = self._practice.look()
        return replace(state, key_state=key_state, deletion=deletion, today=f"{self._practice.lab.clock.now:%Y-%m-%d}")

    def _buttons(self, state: State) -> str:
        pressed = [
            svg.button(press.words, action, primary=(state.key_state, action) in self.atlas.ways)
            for action, press in PRESSES.items()
        ]
        return f'<div style="margin:12px 0">{svg.row(*pressed)}</div>'


def ask(call: str, make: Callable[[], Any]) -> Answer:
    """Make a call and return how it was answered."""
    try:
        make()
    except KMSError as error:
        return Answer(call, error.code, error.message)
    return Answer(call)


def explore(start: Practice) -> Atlas:
    """Try every button in every state that can be reached, each on a copy of its own."""
    ways: dict[tuple[str, str], str] = {}
    answers = {start.look()[0]: start.answers()}
    waiting = [start]
    while waiting:
        here = waiting.pop(0)
        name = here.look()[0]
        for action in PRESSES:
            there = here.fork()
            there.press(action, MOST_DAYS, MOST_DAYS)
            new = there.look()[0]
            if new == name:
                continue
            ways[name, action] = new
            if new not in answers:
                answers[new] = there.answers()
                waiting.append(there)
    return Atlas(ways, answers)


# --- the picture: places for states and arrows, nothing else ------------------------------------------------


class Arrow(NamedTuple):
    """Where an arrow runs, and where its label stands."""

    points: tuple[tuple[float, float], ...]
    label: tuple[float, float]
    anchor: str


@dataclass(frozen=True)
class Layout:
    """Places for one width: boxes (x, y, width, height) by state, arrows by the states they join."""

    height: float
    narrow: bool
    boxes: Mapping[str, tuple[float, float, float, float]]
    arrows: Mapping[tuple[str, str], Arrow]


WIDTH, NARROW_WIDTH = 700.0, 236.0
ON, OFF, DOOMED = "Enabled", "Disabled", "PendingDeletion"
WIDE = Layout(
    height=254,
    narrow=False,
    boxes={
        ON: (10, 14, 200, 62),
        OFF: (436, 14, 206, 62),
        DOOMED: (436, 178, 206, 62),
        DELETED: (10, 178, 200, 62),
    },
    arrows={
        (ON, OFF): Arrow(((214, 34), (432, 34)), (323, 27), "middle"),
        (OFF, ON): Arrow(((432, 58), (214, 58)), (323, 76), "middle"),
        (ON, DOOMED): Arrow(((140, 80), (432, 194)), (252, 152), "end"),
        (OFF, DOOMED): Arrow(((484, 80), (484, 174)), (476, 122), "end"),
        (DOOMED, OFF): Arrow(((546, 174), (546, 80)), (554, 132), "start"),
        (DOOMED, DELETED): Arrow(((432, 218), (214, 218)), (323, 237), "middle"),
    },
)
NARROW = Layout(
    height=388,
    narrow=True,
    boxes={ON: (26, 6, 204, 50), OFF: (26, 120, 204, 50), DOOMED: (26, 234, 204, 50), DELETED: (26, 332, 204, 50)},
    arrows={
        (ON, OFF): Arrow(((78, 58), (78, 116)), (84, 84), "start"),
        (OFF, ON): Arrow(((160, 116), (160, 58)), (166, 84), "start"),
        (ON, DOOMED): Arrow(((24, 31), (6, 31), (6, 259), (22, 259)), (11, 190), "start"),
        (OFF, DOOMED): Arrow(((78, 172), (78, 230)), (84, 190), "start"),
        (DOOMED, OFF): Arrow(((160, 230), (160, 172)), (166, 190), "start"),
        (DOOMED, DELETED): Arrow(((128, 286), (128, 328)), (136, 311), "start"),
    },
)
HUES = {ON: "green", OFF: "slate", DOOMED: "orange", DELETED: "red"}
SYMBOLS = {ON: "key", OFF: "lock", DOOMED: "clock", DELETED: "bin"}


def _picture(state: State, ways: Mapping[tuple[str, str], str], width: float) -> str:
    layout = WIDE if width == WIDTH else NARROW
    arrows = [_way(layout, name, action, to, name == state.key_state) for (name, action), to in ways.items()]
    boxes = [_box(layout, name, state) for name in layout.boxes]
    found = "; ".join(f"{PRESSES[action].name} leads from {name} to {to}" for (name, action), to in ways.items())
    return svg.drawing(
        width, layout.height, *arrows, *boxes, title=f"The key is {state.key_state}", desc=f"Four states. {found}."
    )


def _box(layout: Layout, name: str, state: State) -> str:
    here = name == state.key_state
    until = f"until {state.deletion}" if state.deletion else "your key is here"
    return svg.box(
        *layout.boxes[name],
        name,
        note=until if here else "",
        hue=HUES[name] if here else "slate",
        symbol=SYMBOLS[name],
        strong=here,
        dashed=not here,
    )


def _way(layout: Layout, name: str, action: str, to: str, here: bool) -> str:
    """Draw the arrow of a button; those that can be taken now are blue and thick."""
    arrow, press = layout.arrows[name, to], PRESSES[action]
    hue, width = ("blue", 2.75) if here else ("muted", 1.25)
    *bends, last, end = arrow.points
    line = " L".join(f"{x:g} {y:g}" for x, y in (*bends, last))
    bent = f'<path d="M{line}" fill="none" stroke="{theme.var(hue)}" stroke-width="{width:g}"/>' if bends else ""
    words = press.arrow if layout.narrow else press.name
    label = svg.text(
        *arrow.label,
        words,
        size=12 if layout.narrow else 13,
        anchor=arrow.anchor,
        weight=600 if here else 400,
        hue=hue,
    )
    return bent + svg.arrow(last, end, hue=hue, width=width) + label


def _last(state: State) -> str:
    """The last call as the learner would write it, and how it was answered."""
    today = svg.paragraph(f"Simulated date: {state.today}", note=True)
    if state.last is None:
        return svg.card("Your last call", svg.paragraph("None yet: press a button above."), today, hue="blue")
    last = state.last
    call = last.call if last.call.startswith("lab.") else f"kms.{last.call}"
    said = svg.paragraph(f"AWS says: {last.message}", note=True) if last.message else ""
    return svg.card(
        "Your last call", f"<p><code>{escape(call)}</code></p><p>{_verdict(last, 'done')}</p>", said, today, hue="blue"
    )


def _answers(state: State, answers: tuple[Answer, ...]) -> str:
    """What the key answers where it stands."""
    rows = "".join(f"<dt>{escape(one.call)}</dt><dd>{_verdict(one, 'works')}</dd>" for one in answers)
    return svg.card(f"What it answers: {state.key_state}", f'<dl class="kl-facts">{rows}</dl>')


def _verdict(answer: Answer, success: str) -> str:
    """A badge, and for a refusal the error code beside it, which may break where there is no room."""
    if not answer.code:
        return svg.badge("good", success)
    return f'{svg.badge("bad", "refused")} <span style="font-size:13px">{escape(answer.code)}</span>'


def _cell(answer: Answer) -> tuple[str, str]:
    return ("bad", answer.code) if answer.code else ("good", "works")
