"""Who may do something to a key, and through what: as a table and as a picture.

In the picture principals stand on the left, what lets them in in the middle, and the key on the right. A whole line is
a yes, a broken one a yes with conditions; who may not has no line. The table says all of it in words, and more.

Nothing is decided here (see ``service.who``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from kms_lab.service.who import CONDITIONS, NO, YES, Answer
from kms_lab.views.table import html_table, text_table

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("principal", "kind", "answer", "through", "needs", "nearest")
_HEAD = ("Principal", "Kind", "May it?", "Through", "What it needs, for example", "Why not")
_SIGNS = {YES: "✔ yes", CONDITIONS: "◐ with conditions", NO: "✘ no"}

# Measures of the drawing, in its own units.
_WIDTH, _ROW, _TOP = 780, 44, 30
_LEFT, _MIDDLE, _RIGHT = (10, 230), (300, 260), (640, 130)  # where each column begins, and its width
_LETTER = 7.0  # width of a letter of 13 units, on average


@dataclass(frozen=True)
class WhoCan:
    """The answer for every principal. A notebook shows a picture and a table.

    Attributes:
        action: what was asked about.
        key: ARN of the key.
        rows: one for each principal.
    """

    action: str
    key: str
    rows: tuple[Answer, ...]

    def frame(self) -> "pd.DataFrame":
        """Return one row for each principal: who, what the answer is, through what, what it needs, why not."""
        import pandas as pd

        return pd.DataFrame([_cells(row) for row in self.rows], columns=list(_COLUMNS))

    @property
    def summary(self) -> str:
        """Say the whole in a few sentences: the picture's text for those who do not see it."""
        lines = [f"{self.action} on key {self._name}."]
        for answer, words in ((YES, "may"), (CONDITIONS, "may with conditions")):
            for way in _ways(self.rows):
                who = [_short(row) for row in self.rows if row.answer == answer and row.way == way]
                if who:
                    lines.append(f"{', '.join(who)} {words}, through {way}.")
        refused = [_short(row) for row in self.rows if row.answer == NO]
        if refused:
            lines.append(f"{', '.join(refused)} may not.")
        return " ".join(lines)

    def svg(self) -> str:
        """Return the picture. It takes its colour from the text around it."""
        return _drawing(self)

    @property
    def _name(self) -> str:
        return self.key.rpartition("/")[2]

    def _repr_html_(self) -> str:
        caption = f"Who can {self.action} on key {self._name}"
        rows = [(name, kind, _SIGNS[answer], *rest) for name, kind, answer, *rest in map(_cells, self.rows)]
        label = escape(f"Picture: {caption}", quote=True)
        return (
            f'<div role="region" aria-label="{label}" tabindex="0" data-lm-suppress-shortcuts style="overflow-x:auto">'
            f"{self.svg()}</div>" + html_table(caption, _HEAD, rows)
        )

    def __str__(self) -> str:
        rows = [(name, _SIGNS[answer], through or why, needs) for name, _, answer, through, needs, why in
                map(_cells, self.rows)]  # fmt: skip
        return f"{self.action} on {self.key}\n" + text_table([("Principal", "May it?", "Through, or why not", "Needs"),
                                                              *rows])  # fmt: skip

    def __repr__(self) -> str:
        counts = [f"{sum(row.answer == answer for row in self.rows)} {answer}" for answer in (YES, CONDITIONS, NO)]
        return f"<WhoCan {self.action} on {self.key}: {', '.join(counts)}>"


def _cells(row: Answer) -> tuple[str, ...]:
    return row.principal, row.kind, row.answer, row.through, "; ".join(row.needs), row.nearest


def _short(row: Answer) -> str:
    """``user/dana``; the root user and accounts by their numbers."""
    if row.kind == "root user":
        return f"root user of {row.verdict.request.principal.account}"
    if row.kind == "account":
        return f"account {row.principal}"
    return "anybody else" if row.kind == "anybody" else row.principal.rpartition(":")[2]


def _ways(rows: Sequence[Answer]) -> list[str]:
    return list(dict.fromkeys(row.way for row in rows if row.answer != NO))


# ----------------------------------------------------------------------------------------------- picture


def _drawing(who: WhoCan) -> str:
    ways = _ways(who.rows)
    count = max(len(who.rows), len(ways), 1)
    height = _TOP + count * _ROW + 10
    middles = {way: _spread(number, len(ways), count) for number, way in enumerate(ways)}
    key = _spread(0, 1, count)
    parts = [_heading(_LEFT, "Principal"), _heading(_MIDDLE, "lets in"), _heading(_RIGHT, "key")]
    for number, row in enumerate(who.rows):
        y = _spread(number, len(who.rows), count)
        if row.answer != NO:
            parts.append(_line(sum(_LEFT), y, _MIDDLE[0], middles[row.way], row.answer == CONDITIONS))
        parts.append(_box(_LEFT, y, _short(row), _SIGNS[row.answer], faint=row.answer == NO))
    for way, y in middles.items():
        parts.append(_line(sum(_MIDDLE), y, _RIGHT[0], key, False))
        parts.append(_box(_MIDDLE, y, f"{way[:1].upper()}{way[1:]}"))
    parts.append(_box(_RIGHT, key, f"key {who._name[:8]}…", who.action))
    label = escape(who.summary, quote=True)
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
        f' style="min-width:{_WIDTH}px;color:inherit" font-family="system-ui, sans-serif">'
        f"<title>{escape(who.action)}: who can</title>{''.join(parts)}</svg>"
    )


def _spread(number: int, of: int, rows: int) -> float:
    """Return the middle of the n-th of some boxes, spread evenly over the rows."""
    return _TOP + (number + 0.5) * rows * _ROW / of


def _heading(column: tuple[int, int], words: str) -> str:
    return f'<text x="{column[0]}" y="18" font-size="12" fill="currentColor" opacity="0.75">{escape(words)}</text>\n'


def _line(x1: float, y1: float, x2: float, y2: float, broken: bool) -> str:
    dash = ' stroke-dasharray="6 5"' if broken else ""
    return (
        f'<path d="M{x1:g} {y1:g} C{(x1 + x2) / 2:g} {y1:g} {(x1 + x2) / 2:g} {y2:g} {x2:g} {y2:g}"'
        f' fill="none" stroke="currentColor" stroke-width="1.5"{dash}/>'
    )


def _box(column: tuple[int, int], y: float, words: str, below: str = "", *, faint: bool = False) -> str:
    x, width = column
    stroke = ' stroke-dasharray="2 4" opacity="0.85"' if faint else ""
    lines = [_cut(words, width), _cut(below, width)] if below else _two(words, width)
    first = y + 4 if len(lines) == 1 else y - 4
    text = "".join(
        f'<text x="{x + 8}" y="{first + 16 * number:g}" font-size="{13 if number == 0 or not below else 11.5}"'
        f' fill="currentColor">{escape(line)}</text>\n'
        for number, line in enumerate(lines)
    )
    return (
        f'<rect x="{x}" y="{y - 19:g}" width="{width}" height="38" rx="6" fill="none" stroke="currentColor"{stroke}/>'
        f"<g><title>{escape(words)}</title>{text}</g>"
    )


def _two(words: str, width: float) -> list[str]:
    """Break words into at most two lines."""
    room = int((width - 16) / _LETTER)
    if len(words) <= room:
        return [words]
    at = words.rfind(" ", 0, room + 1)
    at = room if at <= 0 else at
    return [words[:at], _cut(words[at:].strip(), width)]


def _cut(words: str, width: float) -> str:
    room = int((width - 16) / _LETTER)
    return words if len(words) <= room else f"{words[: room - 1]}…"
