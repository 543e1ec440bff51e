"""Card: the one shape in which the engine speaks to a learner, as HTML and as plain text.

A card has a tone (a word, an icon and a colour: never the colour alone), a title, paragraphs, and if need be
code, a table or a list. It knows nothing of KMS. Colours and type are ``theme``'s, so a card follows light
and dark.

Not here: anything that listens. A card is static; the forms are in ``widgets/question.py``.
"""

from dataclasses import dataclass
from enum import Enum
from html import escape
from typing import Any

from kms_lab.teach import svg, theme
from kms_lab.teach.svg import Table


class Tone(Enum):
    """How a card is meant: (word, icon for plain text, status of ``theme.STATUSES``)."""

    RIGHT = ("Right", "✔", "good")
    WRONG = ("Not yet", "✘", "bad")
    OPEN = ("Not attempted", "○", "off")
    REFUSED = ("Refused", "⊘", "warn")
    HINT = ("Hint", "➜", "info")
    SOLUTION = ("Solution", "➜", "info")
    PREDICTION = ("Prediction", "✎", "info")
    QUESTION = ("Question", "?", "info")
    NOTE = ("", "", "")

    @property
    def word(self) -> str:
        return self.value[0]

    @property
    def icon(self) -> str:
        return self.value[1]

    @property
    def status(self) -> str:
        return self.value[2]


@dataclass(frozen=True, slots=True)
class Card:
    """Something to show: a notebook renders ``html()``, a terminal and a screen reader's log get ``text()``.

    Attributes:
        tone: right, wrong, not attempted ...
        title: what the card is about, in a few words.
        lines: paragraphs of plain text; `` `code` `` in backticks is set as code.
        items: a list below the paragraphs.
        code: a block of Python, shown as it is.
        table: a table below the rest.
    """

    tone: Tone
    title: str
    lines: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    code: str = ""
    table: Table | None = None

    def html(self) -> str:
        """Return the card as accessible HTML: a named group, no script, no outside resource."""
        return frame(self.body(), label=self.label)

    def body(self) -> str:
        """Return the card's HTML without its frame, for a form that has a frame of its own."""
        parts = [self._heading_html(), *(f"<p>{inline(line)}</p>" for line in self.lines)]
        if self.items:
            items = "".join(f"<li>{inline(item)}</li>" for item in self.items)
            parts.append(f'<ul style="margin:0 0 8px;padding-left:22px">{items}</ul>')
        if self.code:
            parts.append(_code_html(self.code))
        if self.table:
            parts.append(self.table.html())
        return "".join(parts)

    @property
    def label(self) -> str:
        """The card's name for a screen reader: ``Right: q1 Rotate``."""
        return ": ".join(filter(None, (self.tone.word, self.title)))

    def text(self) -> str:
        """Return the same card as lines of plain text."""
        heading = ": ".join(filter(None, (f"{self.tone.icon} {self.tone.word}".strip(), self.title)))
        blocks = [heading, *self.lines, *(f"- {item}" for item in self.items)]
        if self.code:
            blocks += [f"    {line}" for line in self.code.splitlines()]
        if self.table:
            blocks.append(self.table.text())
        return "\n".join(blocks)

    def _heading_html(self) -> str:
        badge = svg.badge(self.tone.status, self.tone.word) if self.tone.word else ""
        words = " ".join(filter(None, (badge, inline(self.title))))
        return f'<p class="kl-title">{words}</p>' if words else ""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": self.text()}

    def __repr__(self) -> str:
        return self.text()


def inline(text: str) -> str:
    """Return plain text as HTML: escaped, with `` `code` `` in backticks set as code."""
    pieces = escape(text, quote=False).split("`")
    if len(pieces) % 2 == 0:  # an odd backtick is a backtick
        return escape(text, quote=False)
    return "".join(f"<code>{piece}</code>" if i % 2 else piece for i, piece in enumerate(pieces))


def show(card: Any) -> None:
    """Display something now, whatever the cell's last line is: in a notebook as HTML, elsewhere as text."""
    if in_notebook():
        from IPython.display import display

        display(card)  # type: ignore[no-untyped-call]
    else:
        print(repr(card))


def in_notebook() -> bool:
    """Say whether this Python runs under IPython. Never imports it: if it runs, it is imported already."""
    import sys

    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None


def frame(body: str, label: str) -> str:
    """Return HTML in the course's frame, named for a screen reader but without a second heading."""
    return theme.frame(f'<div role="group" aria-label="{escape(label, quote=True)}">{body}</div>')


def _code_html(code: str) -> str:
    style = f"margin:0;padding:10px 14px;background:{theme.var('raised')};white-space:pre-wrap;overflow-wrap:anywhere"
    block = f'<pre style="{style}"><code style="background:none">{escape(code)}</code></pre>'
    return f'<div class="kl-scroll">{block}</div>'
