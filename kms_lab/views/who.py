"""Who may do something to a key, and through what: as tables and as a picture.

In the picture those who may stand on the left, what lets them in in the middle, and the key on the right. A whole line
is a yes, a broken one a yes with conditions; a last box, without a line, counts those who may not. The tables say all
of it in words: who may, yes first; then, folded, who may not, and why.

Nothing is decided here (see ``service.who``).
"""

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from kms_lab.service.who import CONDITIONS, NO, YES, Answer
from kms_lab.views.table import html_table, text_table

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("principal", "kind", "answer", "through", "needs", "nearest")
_SIGNS = {YES: "✔ yes", CONDITIONS: "◐ with conditions", NO: "✘ no"}

# Measures of the drawing, in its own units.
_WIDTH, _ROW, _TOP = 780, 44, 30
_LEFT, _MIDDLE, _RIGHT = (10, 230), (300, 260), (640, 130)  # where each column begins, and its width
_LETTER = 7.0  # width of a letter of 13 units, on average


@dataclass(frozen=True)
class WhoCan:
    """The answer for every principal. A notebook shows a picture and two tables.

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

        cells = [(row.principal, row.kind, row.answer, row.through, _needs(row), row.nearest) for row in self.rows]
        return pd.DataFrame(cells, columns=list(_COLUMNS))

    @property
    def summary(self) -> str:
        """Say the whole in a few sentences: the picture's text for those who do not see it."""
        lines = [f"{self.action} on key {self._name}."]
        for answer, words in ((YES, "may"), (CONDITIONS, "may with conditions")):
            for way in self._ways:
                who = [self._short(row) for row in self._said(answer) if row.way == way]
                if who:
                    lines.append(f"{', '.join(who)} {words}, through {way}.")
        refused = [self._short(row) for row in self._said(NO)]
        if refused:
            lines.append(f"{', '.join(refused)} may not.")
        return " ".join(lines)

    def svg(self) -> str:
        """Return the picture. It takes its colour from the text around it."""
        ways = self._ways
        may = sorted(self._said(YES, CONDITIONS), key=lambda row: ways.index(row.way))  # so that few lines cross
        parts = [_heading(_LEFT, "Principal"), _heading(_MIDDLE, "lets in"), _heading(_RIGHT, "key")]
        middles = {way: _spread(number, len(ways), len(may)) for number, way in enumerate(ways)}
        key = _spread(0, 1, max(len(may), 1))
        for number, row in enumerate(may):
            y = _spread(number, len(may), len(may))
            parts.append(_line(sum(_LEFT), y, _MIDDLE[0], middles[row.way], row.answer == CONDITIONS))
            parts.append(_box(_LEFT, y, self._short(row), _SIGNS[row.answer]))
        for way, y in middles.items():
            parts.append(_line(sum(_MIDDLE), y, _RIGHT[0], key, False))
            parts.append(_box(_MIDDLE, y, f"{way[:1].upper()}{way[1:]}"))
        parts.append(_box(_RIGHT, key, f"key {self._name[:8]}…", self.action))
        rows = len(may)
        if self._said(NO):
            parts.append(_box(_LEFT, _spread(rows, rows + 1, rows + 1), self._refused, faint=True))
            rows += 1
        height = _TOP + max(rows, 1) * _ROW + 10
        return (
            f'<svg role="img" aria-label="{escape(self.summary, quote=True)}" viewBox="0 0 {_WIDTH} {height}"'
            f' width="{_WIDTH}" height="{height}" style="min-width:{_WIDTH}px;color:inherit"'
            f' font-family="system-ui, sans-serif"><title>{escape(self.action)}: who can</title>{"".join(parts)}</svg>'
        )

    @property
    def _name(self) -> str:
        return self.key.rpartition("/")[2]

    @property
    def _ways(self) -> list[str]:
        return list(dict.fromkeys(row.way for row in self.rows if row.answer != NO))

    def _said(self, *answers: str) -> list[Answer]:
        """The rows with these answers, in the order of the answers."""
        return [row for answer in answers for row in self.rows if row.answer == answer]

    @property
    def _refused(self) -> str:
        count = len(self._said(NO))
        return f"{_SIGNS[NO]}: {count} principal{'' if count == 1 else 's'} may not"

    def _short(self, row: Answer) -> str:
        """``user/dana``, with the account where it is not the key's; root users and accounts by their numbers."""
        account = row.verdict.request.principal.account
        if row.kind in ("account", "root user"):
            return f"account {account}" if row.kind == "account" else f"root user of {account}"
        if row.kind == "anybody":
            return "anybody else"
        name = row.principal.rpartition(":")[2]
        return name if account in ("", self.key.split(":")[4]) else f"{name} of {account}"

    def _repr_html_(self) -> str:
        caption = f"Who can {self.action} on key {self._name}"
        label = escape(f"Picture: {caption}", quote=True)
        may = [(self._short(row), _answer(row), row.through) for row in self._said(YES, CONDITIONS)]
        refused = [(self._short(row), row.nearest) for row in self._said(NO)]
        parts = [
            f'<div role="region" aria-label="{label}" tabindex="0" data-lm-suppress-shortcuts style="overflow-x:auto">'
            f"{self.svg()}</div>"
        ]
        if may:
            parts.append(html_table(caption, ("Principal", "May it?", "Through"), may, widths=(28, 30, 42)))
        if refused:
            table = html_table(f"Who cannot {self.action}", ("Principal", "Why not"), refused, widths=(28, 72))
            parts.append(
                f"<details{'' if may else ' open'}><summary data-lm-suppress-shortcuts>{self._refused}</summary>"
                f"{table}</details>"
            )
        return "".join(parts)

    def __str__(self) -> str:
        rows = [(row.principal, _SIGNS[row.answer], _told(row)) for row in self._said(YES, CONDITIONS, NO)]
        return f"{self.action} on {self.key}\n" + text_table([("Principal", "May it?", "How, or why not"), *rows])

    def __repr__(self) -> str:
        counts = [f"{len(self._said(answer))} {answer}" for answer in _SIGNS]
        return f"<WhoCan {self.action} on {self.key}: {', '.join(counts)}>"


def _needs(row: Answer) -> str:
    return "; ".join(row.needs)


def _answer(row: Answer) -> str:
    """The answer, and what it needs: ``◐ with conditions: with MFA``."""
    return f"{_SIGNS[row.answer]}: {_needs(row)}" if row.needs else _SIGNS[row.answer]


def _told(row: Answer) -> str:
    """How, or why not: ``with MFA; let in by IAM policies, which ...``."""
    return row.nearest or "; ".join((*row.needs, f"let in by {row.through}"))


# ----------------------------------------------------------------------------------------------- picture


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
