"""The widget base: state, render, wire.

A lesson widget is a frozen dataclass (its state) and a function from that state to HTML. It subclasses
``LabWidget``, names the controls of its state's fields, and is done::

    @dataclass(frozen=True)
    class State:
        keys: int = 3

    class CostWidget(LabWidget[State]):
        title = "What keys cost"

        def controls(self) -> Controls:
            return Controls(keys=slider(1, 100, label="Keys", unit="keys"))

        def view(self, state: State) -> str:
            return paragraph(f"{state.keys} keys cost ${state.keys} a month.")

        def summary(self, state: State) -> str:
            return f"{state.keys} keys: ${state.keys} a month."

``widget.set(keys=5)``, ``widget.act("disable")``, ``widget.state``, ``widget.html()`` and ``widget.text()``
need no kernel and no browser. What a notebook stores for a displayed widget holds its current picture as HTML
and text, so a reader without a kernel sees the figure.

In the browser one small ES module (``static/lab_widget.js``) draws native, labelled controls and the view. A
change travels as one message (field, position); the answer is one message (the new picture); the module
changes only those parts of the page that differ, so focus, scrolling and folded tables stay as they are.
An element of the view with ``tabindex`` and ``data-keys="ArrowLeft|Home| "`` gets those keys while it has the
focus: each arrives as ``react(state, action, key)``, the action being the one that ``data-keyed`` names. A table
with ``data-cells`` tells which of its cells was clicked: ``react(state, action, "row.column")``, both from 0 and
without the headings, the action being the one that ``data-cells`` names.

Widgets know no KMS rule: they ask the lab, and show its answer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from importlib.resources import files
from math import floor, log10
from typing import Any, ClassVar, Generic, TypeVar

import anywidget
import traitlets

from kms_lab.teach import theme
from kms_lab.teach.svg import Table

__all__ = [
    "Area",
    "Buttons",
    "Control",
    "Controls",
    "LabWidget",
    "Number",
    "Pick",
    "Text",
    "Toggle",
    "buttons",
    "choice",
    "log_slider",
    "number",
    "slider",
    "stepper",
    "switch",
    "text_area",
    "text_field",
]

S = TypeVar("S")


# --- controls ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Control(ABC):
    """A control for one field of the state. Three translations: for the browser, from it, and into words."""

    label: str
    help: str

    @abstractmethod
    def spec(self) -> dict[str, Any]:
        """What the browser needs to draw the control; JSON."""

    @abstractmethod
    def show(self, value: Any) -> Any:
        """The position of the control for a value of the state; JSON.

        Raises:
            ValueError: the control cannot show this value; the message says what it can.
        """

    @abstractmethod
    def read(self, position: Any) -> Any:
        """The value for a position sent by the browser; the inverse of ``show``."""

    def say(self, value: Any) -> str:
        """The value in words, with its unit."""
        return str(value)


@dataclass(frozen=True)
class Pick(Control):
    """One of several values in a fixed order: slider, stepper, select, radio or segmented buttons."""

    look: str
    values: tuple[Any, ...]
    texts: tuple[str, ...]

    def spec(self) -> dict[str, Any]:
        return {"kind": self.look, "texts": list(self.texts)}

    def show(self, value: Any) -> int:
        if value in self.values:
            return self.values.index(value)
        if self.look == "slider" and self.values[0] <= value <= self.values[-1]:
            return min(range(len(self.values)), key=lambda i: abs(self.values[i] - value))
        known = f"{self.values[0]} to {self.values[-1]}" if self.look == "slider" else self.values
        raise ValueError(f"{self.label}: {value!r} is not one of {known}")

    def read(self, position: Any) -> Any:
        if isinstance(position, int) and 0 <= position < len(self.values):
            return self.values[position]
        raise ValueError(f"{self.label}: no position {position!r}")

    def say(self, value: Any) -> str:
        return self.texts[self.show(value)] if value in self.values else f"{value:,}"


@dataclass(frozen=True)
class Number(Control):
    """A number typed in a field."""

    low: float
    high: float
    step: float
    unit: str

    def spec(self) -> dict[str, Any]:
        return {"kind": "number", "low": self.low, "high": self.high, "step": self.step, "unit": self.unit}

    def show(self, value: Any) -> Any:
        if not self.low <= value <= self.high:
            raise ValueError(f"{self.label}: {value!r} is not between {self.low:,} and {self.high:,}")
        return value

    def read(self, position: Any) -> Any:
        if isinstance(position, bool) or not isinstance(position, int | float):
            raise ValueError(f"{self.label}: {position!r} is not a number")
        whole = _whole(self.low) and _whole(self.step)
        return self.show(int(position) if whole else position)

    def say(self, value: Any) -> str:
        return f"{value:,} {self.unit}".strip()


@dataclass(frozen=True)
class Text(Control):
    """A line of text typed in a field."""

    max_length: int
    placeholder: str

    def spec(self) -> dict[str, Any]:
        return {"kind": "text", "max_length": self.max_length, "placeholder": self.placeholder}

    def show(self, value: Any) -> str:
        if not isinstance(value, str) or len(value) > self.max_length:
            raise ValueError(f"{self.label}: want text of at most {self.max_length} letters, got {value!r}")
        return value

    def read(self, position: Any) -> str:
        return self.show(position)

    def say(self, value: Any) -> str:
        return f'"{value}"'


@dataclass(frozen=True)
class Area(Text):
    """Lines of text typed in a field, such as a policy. In words it is only as long as it is: show it in the view."""

    rows: int

    def spec(self) -> dict[str, Any]:
        return {**super().spec(), "kind": "area", "rows": self.rows}

    def say(self, value: Any) -> str:
        count = len(value.splitlines())
        return f"{count:,} line{'' if count == 1 else 's'} of text"


@dataclass(frozen=True)
class Toggle(Control):
    """Yes or no: a switch."""

    def spec(self) -> dict[str, Any]:
        return {"kind": "switch"}

    def show(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"{self.label}: {value!r} is not True or False")
        return value

    def read(self, position: Any) -> bool:
        return self.show(position)

    def say(self, value: Any) -> str:
        return "on" if value else "off"


@dataclass(frozen=True)
class Buttons(Control):
    """A row of push buttons: no field of the state, but actions for ``LabWidget.react``."""

    actions: tuple[tuple[str, str], ...]

    def spec(self) -> dict[str, Any]:
        return {"kind": "actions", "actions": [list(pair) for pair in self.actions]}

    def show(self, value: Any) -> None:
        return None

    def read(self, position: Any) -> None:
        raise ValueError(f"{self.label}: a button row holds no value")


def _whole(number: float) -> bool:
    return isinstance(number, int) or float(number).is_integer()


def _quantity(value: Any, unit: str) -> str:
    return f"{value:,} {unit}".strip()


def _positions(values: Sequence[Any], unit: str, say: Callable[[Any], str] | None) -> tuple[str, ...]:
    return tuple(say(v) if say else _quantity(v, unit) for v in values)


def slider(
    low: float,
    high: float,
    step: float = 1,
    *,
    label: str = "",
    unit: str = "",
    say: Callable[[Any], str] | None = None,
    help: str = "",
) -> Pick:
    """A slider from low to high. Whole limits and step give ints.

    Args:
        label: its name; the field's name when left out.
        unit: said after each value, e.g. "days".
        say: value to words, where "value unit" will not do.
        help: a short line under the control.
    """
    count = floor((high - low) / step + 1e-9) + 1
    if not 2 <= count <= 1001:
        raise ValueError(f"a slider has 2 to 1,001 positions, not {count}: choose another step, or log_slider")
    kind: type = int if all(map(_whole, (low, high, step))) else float
    values = tuple(kind(round(low + i * step, 10)) for i in range(count))
    return Pick(label, help, "slider", values, _positions(values, unit, say))


def log_slider(
    low: float,
    high: float,
    *,
    label: str = "",
    unit: str = "",
    say: Callable[[Any], str] | None = None,
    help: str = "",
) -> Pick:
    """A slider whose positions are 1, 2 and 5 times the powers of ten from low to high (both above 0)."""
    if not 0 < low < high:
        raise ValueError(f"a log slider needs 0 < low < high, not {low} and {high}")
    powers = range(floor(log10(low)), floor(log10(high)) + 1)
    steps = sorted({low, high, *(m * 10.0**p for p in powers for m in (1, 2, 5))})
    inside = [v for v in steps if low <= v <= high]
    kind: type = int if all(map(_whole, inside)) else float
    values = tuple(dict.fromkeys(kind(v) for v in inside))
    return Pick(label, help, "slider", values, _positions(values, unit, say))


def choice(
    options: Iterable[Any] | Mapping[str, Any], *, look: str = "select", label: str = "", help: str = ""
) -> Pick:
    """One of several options.

    Args:
        options: values, or a mapping of words to values.
        look: "select" (a drop-down), "radio", or "segments" (buttons side by side, for 2 to 4 short options).
    """
    if look not in ("select", "radio", "segments"):
        raise ValueError(f'look is "select", "radio" or "segments", not {look!r}')
    pairs = options.items() if isinstance(options, Mapping) else [(str(o), o) for o in options]
    texts, values = zip(*pairs)
    return Pick(label, help, look, tuple(values), tuple(texts))


def stepper(steps: Sequence[str], *, label: str = "Step", help: str = "") -> Pick:
    """Previous, next and a slider over named steps; the field is the step's index, from 0."""
    texts = tuple(f"{i} of {len(steps)}: {name}" for i, name in enumerate(steps, 1))
    return Pick(label, help, "stepper", tuple(range(len(steps))), texts)


def number(low: float, high: float, step: float = 1, *, label: str = "", unit: str = "", help: str = "") -> Number:
    """A field for a number from low to high; whole low and step give ints."""
    return Number(label, help, low, high, step, unit)


def text_field(max_length: int = 200, *, label: str = "", placeholder: str = "", help: str = "") -> Text:
    """A field for one line of text."""
    return Text(label, help, max_length, placeholder)


def text_area(
    rows: int = 10, max_length: int = 40_000, *, label: str = "", placeholder: str = "", help: str = ""
) -> Area:
    """A field for lines of text, ``rows`` of them in sight.

    What is typed goes out as fast as the kernel answers: of several changes meanwhile only the last is sent.
    """
    return Area(label, help, max_length, placeholder, rows)


def switch(*, label: str = "", help: str = "") -> Toggle:
    """A switch for a bool."""
    return Toggle(label, help)


def buttons(actions: Mapping[str, str], *, label: str = "Actions", help: str = "") -> Buttons:
    """A row of push buttons: action to words, e.g. ``{"encrypt": "Encrypt", "reset": "Start again"}``."""
    return Buttons(label, help, tuple(actions.items()))


class Controls(Mapping[str, Control]):
    """The controls of a widget, by the field of the state each one moves, in the order they are shown."""

    def __init__(self, **controls: Control) -> None:
        self._controls = {
            name: replace(c, label=c.label or name.replace("_", " ").capitalize()) for name, c in controls.items()
        }

    def __getitem__(self, name: str) -> Control:
        return self._controls[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._controls)

    def __len__(self) -> int:
        return len(self._controls)

    def spec(self) -> list[dict[str, Any]]:
        """What the browser needs to draw them; JSON."""
        return [{"name": name, "label": c.label, "help": c.help, **c.spec()} for name, c in self._controls.items()]

    def positions(self, state: object) -> dict[str, Any]:
        """Where each control stands for a state; checks that each can show its field."""
        return {name: c.show(getattr(state, name)) for name, c in self._fields()}

    def read(self, positions: Mapping[str, Any]) -> dict[str, Any]:
        """The fields for positions sent by the browser."""
        return {name: self[name].read(position) for name, position in positions.items()}

    def say(self, state: object) -> str:
        """The settings in words, for a reader who cannot move them."""
        return " · ".join(f"{c.label}: {c.say(getattr(state, name))}" for name, c in self._fields())

    def _fields(self) -> list[tuple[str, Control]]:
        return [(name, c) for name, c in self._controls.items() if not isinstance(c, Buttons)]


# --- the widget -------------------------------------------------------------------------------------------


class LabWidget(ABC, Generic[S]):
    """A picture of a state, with controls that change the state.

    A subclass gives ``title``, ``view`` and ``summary``; ``controls`` if fields can be moved; ``table`` if
    the picture's facts are not all in words; ``react`` if there are buttons; ``settle`` if fields depend on
    each other; ``css`` if the view has classes that the common style sheet does not know.
    """

    #: the widget's name: its visible heading, and what a screen reader calls it
    title: ClassVar[str] = ""
    #: a style sheet of the widget's own, beside ``frame.css``; all its rules stand under ``.kms-lab``. It goes with the
    #: picture, so the stored picture has it too
    css: ClassVar[str] = ""

    def __init__(self, state: S) -> None:
        self._state = self.settle(state)
        self.controls().positions(self._state)

    # What a lesson widget writes.

    def controls(self) -> Controls:
        """The controls; may depend on ``self.state``, e.g. on a mode."""
        return Controls()

    @abstractmethod
    def view(self, state: S) -> str:
        """The picture, as HTML: a pure function of the state."""

    @abstractmethod
    def summary(self, state: S) -> str:
        """The finding in a sentence or two of plain text; announced after every change."""

    def table(self, state: S) -> Table | None:
        """The facts of the picture as a table, or None when the view is already words or a table."""
        return None

    def react(self, state: S, action: str, value: str) -> S:
        """The state after a button was pressed. The base knows no action."""
        raise ValueError(f"{type(self).__name__} has no action {action!r}")

    def settle(self, state: S) -> S:
        """The state as it may be shown, e.g. a step brought back into range when the mode changed."""
        return state

    # What everybody uses.

    @property
    def state(self) -> S:
        """The state now; frozen. Change it with ``set``."""
        return self._state

    def set(self, **fields: Any) -> S:
        """Change fields of the state, as moving the controls would; returns the new state.

        Raises:
            ValueError: a control cannot show a value; the state stays as it was.
            TypeError: the state has no such field.
        """
        return self._become(replace(self._state, **fields))  # type: ignore[type-var]

    def act(self, action: str, value: str = "") -> S:
        """Press a button: returns the new state.

        Raises:
            ValueError: the widget has no such action.
        """
        return self._become(self.react(self._state, action, value))

    def html(self) -> str:
        """The current picture as a page of its own: heading, settings, view, summary, table."""
        settings = self.controls().say(self._state)
        shown = f'<p class="kl-settings">{escape(settings)}</p>' if settings else ""
        summary = f'<p class="kl-summary">{escape(self.summary(self._state))}</p>'
        picture = f'<div class="kl-view">{self._picture()}</div>'
        return theme.frame(shown, picture, summary, title=self.title, static=True)

    def text(self) -> str:
        """The current picture in words: title, settings, summary, table."""
        twin = self.table(self._state)
        parts = [self.title, self.controls().say(self._state), self.summary(self._state)]
        return "\n".join([p for p in parts if p] + ([twin.text()] if twin else []))

    def _picture(self) -> str:
        twin = self.table(self._state)
        style = f"<style>{theme.read_css(self.css)}</style>" if self.css else ""
        return style + self.view(self._state) + (twin.twin() if twin else "")

    def _become(self, state: S) -> S:
        before, self._state = self._state, self.settle(state)
        try:
            self.controls().positions(self._state)
        except ValueError:
            self._state = before
            raise
        if "live" in self.__dict__:
            self.live.paint()
        return self._state

    # How a notebook shows it.

    @cached_property
    def live(self) -> _Live:
        """The anywidget behind the widget, made on first use; put it in an ipywidgets box if you must."""
        return _Live(self)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        self.live.paint()
        data, metadata = self.live._repr_mimebundle_() or ({}, {})
        return {**data, "text/html": self.html(), "text/plain": self.text()}, metadata


class _Live(anywidget.AnyWidget):
    """The wire: one model that carries controls and picture.

    ``controls`` and ``title`` go out when they change, ``shown`` after every change: the picture, the
    summary, where each control stands, and the number of the message it answers. In come custom messages, one
    at a time for each view: {"set": {field: position}} or {"act": action, "value": text}, with "n": their number.
    """

    _esm = (files("kms_lab.teach.widgets") / "static" / "lab_widget.js").read_text("utf-8")
    _css = theme.CSS + theme.read_css("lab_widget.css")

    title = traitlets.Unicode().tag(sync=True)
    controls: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)

    def __init__(self, widget: LabWidget[Any]) -> None:
        self._widget = widget
        self._drawn: Controls | None = None
        self._answer = ""
        super().__init__(title=widget.title)
        self.paint()
        self.on_msg(self._hear)

    def paint(self) -> None:
        """Send the current picture; if nothing differs, nothing is sent."""
        widget = self._widget
        controls = widget.controls()
        if controls != self._drawn:
            self._drawn, self.controls = controls, controls.spec()
        self.shown = {
            "html": widget._picture(),
            "summary": widget.summary(widget.state),
            "positions": controls.positions(widget.state),
            "answer": self._answer,
        }

    def _hear(self, _: object, message: Mapping[str, Any], __: object) -> None:
        if "nudge" in message:  # only there to make the network hurry: see lab_widget.js
            return
        widget = self._widget
        self._answer = str(message.get("n", ""))
        try:
            if "act" in message:
                widget.act(str(message["act"]), str(message.get("value", "")))
            else:
                widget.set(**widget.controls().read(message["set"]))
        except Exception as error:
            # A comm's exception is shown nowhere in a notebook: say it here, then let the kernel log it.
            self.shown = {**self.shown, "html": _sorry(error), "answer": self._answer}
            raise


def _sorry(error: Exception) -> str:
    what = f"{type(error).__name__}: {error}"
    lead = "<strong>This picture could not be drawn.</strong>"
    return f'<p class="kl-error" role="alert">{lead} {escape(what)}</p>'
