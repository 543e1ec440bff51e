"""Small builders for accessible pictures: SVG drawings, and the HTML that goes with them.

Every function takes plain text, escapes it, and returns a string; put strings together to make a picture. A
drawing has a name and a description for screen readers, scales to the width it is given, and takes its colours
from ``theme``. No element has an id (arrow heads are drawn, not referenced), so the same picture may stand in a
page twice. Words end in a line break, so that they stay apart where a viewer drops the drawing and keeps its text
(JupyterLab does so for a notebook it does not trust).

SVG text shrinks with the drawing. For a picture wider than a phone use ``responsive``, which draws it twice,
wide and narrow, and lets the width of the output choose.

Not here: charts with axes (see ``charts``), and anything that knows what a KMS key is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from kms_lab.teach.theme import HUES, STATUSES, var

__all__ = [
    "ICONS",
    "KEYS_STAY",
    "Lane",
    "Mark",
    "Span",
    "Table",
    "action_box",
    "arrow",
    "badge",
    "badge_at",
    "box",
    "button",
    "card",
    "drawing",
    "facts",
    "grid",
    "group",
    "icon",
    "paragraph",
    "responsive",
    "row",
    "table",
    "text",
    "timeline",
    "wrap",
]

#: Line drawings in a 24 x 24 box, for ``icon`` and ``box``.
ICONS: dict[str, str] = {
    "key": "M8 8.5 A3.5 3.5 0 1 0 8 15.5 A3.5 3.5 0 1 0 8 8.5 M11.5 12 H21 V15.5 M17.5 12 V15",
    "lock": "M6 11 H18 V20 H6 Z M8.5 11 V8 A3.5 3.5 0 0 1 15.5 8 V11",
    "unlock": "M6 11 H18 V20 H6 Z M8.5 11 V7 A3.5 3.5 0 0 1 15.2 5.8",
    "file": "M6 3 H14 L19 8 V21 H6 Z M14 3 V8 H19 M9 13 H16 M9 17 H14",
    "person": "M12 12 A4 4 0 1 0 12 4 A4 4 0 1 0 12 12 M4.5 20.5 A7.5 6.5 0 0 1 19.5 20.5",
    "clock": "M12 3.5 A8.5 8.5 0 1 0 12 20.5 A8.5 8.5 0 1 0 12 3.5 M12 7.5 V12 L15 14",
    "service": "M4 5 H20 V10 H4 Z M4 14 H20 V19 H4 Z M7 7.5 H7.1 M7 16.5 H7.1",
    "bin": "M5 7 H19 M9 7 V4 H15 V7 M7 7 L8 20.5 H16 L17 7 M10.5 11 V17 M13.5 11 V17",
    "log": "M5 4 H19 V20 H5 Z M8 8 H16 M8 12 H16 M8 16 H13",
}


#: JupyterLab takes Enter and the arrow keys from an output, unless the focused element carries this.
KEYS_STAY = 'data-lm-suppress-shortcuts=""'

# --- text -------------------------------------------------------------------------------------------------


def _n(value: float) -> str:
    """Write a coordinate with at most one decimal, for short pictures."""
    return f"{value:.1f}".removesuffix(".0")


def wrap(words: str, width: float, size: float = 14) -> list[str]:
    """Break text into lines that fit ``width`` (in the drawing's units), by an average width of a letter.

    A word longer than a line is cut, so that an ARN never leaves its box.
    """
    room = max(1, int(width / (0.56 * size)))
    lines: list[str] = []
    for word in words.split():
        if lines and len(lines[-1]) + 1 + len(word) <= room:
            lines[-1] += " " + word
            continue
        lines += [word[i : i + room] for i in range(0, len(word), room)]
    return lines


def text(
    x: float,
    y: float,
    words: str | Sequence[str],
    *,
    size: float = 14,
    anchor: str = "start",
    weight: int = 400,
    hue: str = "ink",
    mono: bool = False,
    halo: bool = False,
) -> str:
    """Return one or more lines of text; ``y`` is the base line of the first.

    Args:
        words: one line, or several (see ``wrap``).
        anchor: "start", "middle" or "end": which part of the line stands at ``x``.
        halo: keep a rim of the background around the letters, where lines pass behind them.
    """
    lines = [words] if isinstance(words, str) else list(words)
    extra = ' font-family="var(--jp-code-font-family, monospace)"' if mono else ""
    if halo:
        extra += f' stroke="{var("paper")}" stroke-width="4" stroke-linejoin="round" paint-order="stroke"'
    head = (
        f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}" font-weight="{weight}"'
        f' text-anchor="{anchor}" fill="{var(hue)}"{extra}>'
    )
    if len(lines) == 1:
        return f"{head}{escape(lines[0])}</text>\n"
    step = _n(size * 1.3)
    body = "".join(
        f'<tspan x="{_n(x)}"{f" dy={chr(34)}{step}{chr(34)}" if i else ""}>{escape(line)}</tspan>'
        for i, line in enumerate(lines)
    ).replace("</tspan><tspan", "</tspan>\n<tspan")
    return f"{head}{body}</text>\n"


_MONO = ' class="kl-mono"'
#: How the icon of a status is stroked.
_PEN = 'stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round"'

# --- shapes -----------------------------------------------------------------------------------------------


def icon(name: str, x: float, y: float, size: float = 24, hue: str = "ink") -> str:
    """Draw one of ``ICONS`` with its upper left corner at (x, y). Decoration: say the same in words."""
    return (
        f'<path d="{ICONS[name]}" transform="translate({_n(x)} {_n(y)}) scale({size / 24:.3g})" fill="none"'
        f' stroke="{var(hue)}" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"'
        f' aria-hidden="true"/>'
    )


def _rect(x: float, y: float, width: float, height: float, hue: str, *, dashed: bool, strong: bool) -> str:
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<rect class="kl-face" x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="8"'
        f' fill="{var(hue, soft=True)}" stroke="{var(hue)}" stroke-width="{2.5 if strong else 1.25}"{dash}/>'
    )


def _face(
    x: float, y: float, width: float, height: float, label: str, note: str, hue: str, symbol: str, size: float
) -> str:
    """The words and icon of a box, centred in it."""
    indent = 34 if symbol else 0
    room = width - 20 - indent
    lines, notes = wrap(label, room, size * 1.04), wrap(note, room, size - 2) if note else []
    tall = len(lines) * size * 1.3 + len(notes) * (size - 2) * 1.3
    middle, first = x + indent / 2 + width / 2 + (3 if symbol else 0), y + (height - tall) / 2 + size * 0.98
    parts = [text(middle, first, lines, size=size, anchor="middle", weight=600, hue=hue)]
    if notes:
        below = first + len(lines) * size * 1.3 - 1
        parts.append(text(middle, below, notes, size=size - 2, anchor="middle", hue="ink"))
    if symbol:
        parts.append(icon(symbol, x + 12, y + height / 2 - 12, 24, hue))
    return "".join(parts)


def box(
    x: float,
    y: float,
    width: float,
    height: float,
    label: str,
    *,
    note: str = "",
    hue: str = "slate",
    symbol: str = "",
    dashed: bool = False,
    strong: bool = False,
    size: float = 14,
) -> str:
    """Draw a rounded box with a label in it.

    Args:
        note: a second, smaller line, e.g. a size or an id.
        symbol: one of ``ICONS``, drawn at the left.
        dashed: for what is only planned, absent or gone; say so in words too.
        strong: a thick edge, for the box this step is about.
    """
    face = _rect(x, y, width, height, hue, dashed=dashed, strong=strong)
    return f"<g>{face}{_face(x, y, width, height, label, note, hue, symbol, size)}</g>"


def action_box(
    x: float,
    y: float,
    width: float,
    height: float,
    label: str,
    *,
    action: str,
    value: str = "",
    hue: str = "blue",
    symbol: str = "",
    enabled: bool = True,
    size: float = 14,
) -> str:
    """Draw a box that is a button: in a live widget, pressing it calls ``react(state, action, value)``.

    A button that is not ``enabled`` keeps its place in the tab order and is announced as unavailable.
    Use it only in a drawing made with ``interactive=True``.
    """
    tone = hue if enabled else "slate"
    attrs = _action(action, value, label, enabled)
    face = _rect(x, y, width, height, tone, dashed=not enabled, strong=enabled)
    words = _face(x, y, width, height, label, "", tone, symbol, size)
    return f'<g role="button" tabindex="0" aria-label="{escape(label)}"{attrs}>{face}{words}</g>'


def arrow(
    start: tuple[float, float],
    end: tuple[float, float],
    label: str = "",
    *,
    hue: str = "muted",
    dashed: bool = False,
    width: float = 1.75,
    size: float = 12,
) -> str:
    """Draw a straight arrow; the label stands above its middle, or to the right of an upright one."""
    (x1, y1), (x2, y2) = start, end
    length = max(1e-6, ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5)
    ux, uy = (x2 - x1) / length, (y2 - y1) / length
    head, half = min(10.0, length / 2), 4.5
    bx, by = x2 - ux * head, y2 - uy * head
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    colour = var(hue)
    parts = [
        f'<path d="M{_n(x1)} {_n(y1)} L{_n(bx)} {_n(by)}" fill="none" stroke="{colour}"'
        f' stroke-width="{width:g}"{dash}/>',
        f'<path d="M{_n(x2)} {_n(y2)} L{_n(bx - uy * half)} {_n(by + ux * half)}'
        f' L{_n(bx + uy * half)} {_n(by - ux * half)} Z" fill="{colour}"/>',
    ]
    if label:
        upright = abs(ux) < 0.3
        mx, my = (x1 + x2) / 2, (y1 + y2) / 2
        where = (mx + 8, my + size / 3, "start") if upright else (mx, my - 7, "middle")
        parts.append(text(where[0], where[1], label, size=size, anchor=where[2], hue=hue))
    return f"<g>{''.join(parts)}</g>"


def badge_at(x: float, y: float, status: str, word: str = "", size: float = 12) -> str:
    """Draw a status as a pill with icon and word, its upper left corner at (x, y); about 22 high."""
    style = STATUSES[status]
    word = word or style.word
    height, width = size * 1.8, size * 2.8 + len(word) * size * 0.63
    place = f"translate({_n(x + size * 0.6)} {_n(y + size * 0.4)}) scale({size / 16:.3g})"
    return (
        f'<g><rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="{_n(height / 2)}"'
        f' fill="{var(style.hue, soft=True)}" stroke="{var(style.hue)}"/>'
        f'<path d="{style.icon}" transform="{place}"'
        f' fill="none" stroke="{var(style.hue)}" {_PEN}/>'
        + text(x + size * 1.9, y + size * 1.27, word, size=size, weight=600, hue=style.hue)
        + "</g>"
    )


def group(*parts: str, x: float = 0, y: float = 0, opacity: float = 1, key: str = "") -> str:
    """Move parts together. In a live widget a group with a ``key`` glides when its place changes."""
    name = f' data-key="{escape(key)}" class="kl-move"' if key else ""
    faded = f";opacity:{opacity:g}" if opacity != 1 else ""
    return f'<g{name} style="transform:translate({_n(x)}px,{_n(y)}px){faded}">{"".join(parts)}</g>'


def drawing(width: float, height: float, *parts: str, title: str, desc: str = "", interactive: bool = False) -> str:
    """Return a whole SVG picture of the given size in its own units; it scales to the output's width.

    Args:
        title: the picture's name, read first by a screen reader: state the finding.
        desc: the rest of what the picture shows, for a reader who does not see it.
        interactive: the picture holds ``action_box``es, so its parts must be reachable one by one.
    """
    if not title.strip():
        raise ValueError("a drawing needs a title: it is the picture for a reader who cannot see it")
    role = "group" if interactive else "img"
    about = f"<desc>{escape(desc)}</desc>\n" if desc else ""
    return (
        f'<svg class="kl-svg" xmlns="http://www.w3.org/2000/svg" role="{role}" aria-label="{escape(title)}"'
        f' viewBox="0 0 {_n(width)} {_n(height)}" style="max-width:{_n(width)}px" width="100%">'
        f"<title>{escape(title)}</title>\n{about}{''.join(parts)}</svg>"
    )


def responsive(draw: Callable[[float], str], wide: float = 700, narrow: float = 280) -> str:
    """Draw a picture for a laptop and for a phone; the width of the output decides which one is seen.

    Args:
        draw: takes the width in drawing units and returns a ``drawing`` of that width.
    """
    return f'<div class="kl-wide">{draw(wide)}</div><div class="kl-narrow" hidden>{draw(narrow)}</div>'


# --- time lines -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Span:
    """A stretch of a lane; ``end`` None means it is still going on."""

    start: float
    end: float | None
    label: str
    hue: str = "blue"


@dataclass(frozen=True)
class Mark:
    """A moment in a lane."""

    at: float
    label: str
    hue: str = "orange"


@dataclass(frozen=True)
class Lane:
    """One line of a time line: its name, and what stands on it."""

    label: str
    spans: Sequence[Span] = ()
    marks: Sequence[Mark] = ()


def timeline(
    lanes: Sequence[Lane],
    ticks: Sequence[tuple[float, str]],
    *,
    title: str,
    desc: str = "",
    now: tuple[float, str] | None = None,
    width: float = 700,
) -> str:
    """Draw lanes over a common axis, from the first tick to the last.

    Args:
        ticks: (position, label), in order; any unit of time, as long as lanes use the same.
        now: position and label of an upright line, e.g. the simulated clock.
    """
    low, high = ticks[0][0], ticks[-1][0]
    if not high > low:
        raise ValueError("a time line needs two ticks, the second later than the first")
    left, right, top, tall = 12.0, 12.0, 34.0, 58.0
    room = width - left - right

    def place(at: float) -> float:
        return left + room * (min(max(at, low), high) - low) / (high - low)

    bottom = top + tall * len(lanes)
    parts = [_axis(ticks, place, top, bottom, width)]
    if now:
        parts.append(_now(place(now[0]), now[1], bottom, width))
    parts += [_lane(lane, place, top + i * tall, high) for i, lane in enumerate(lanes)]
    return drawing(width, bottom + 26, *parts, title=title, desc=desc)


def _side(x: float, label: str, right: float, gap: float) -> tuple[str, float]:
    """Where a label goes: after its mark, or before it when it would pass the right edge."""
    fits = x + gap + len(label) * 12 * 0.62 <= right
    return ("start", gap) if fits else ("end", -gap)


def _now(x: float, label: str, bottom: float, width: float) -> str:
    anchor, shift = _side(x, label, width - 12, 6)
    line = f'<path d="M{_n(x)} 8 V{_n(bottom)}" stroke="{var("ink")}" stroke-width="1.5" stroke-dasharray="2 3"/>'
    return line + text(x + shift, 18, label, size=12, anchor=anchor, weight=600)


def _axis(
    ticks: Sequence[tuple[float, str]],
    place: Callable[[float], float],
    top: float,
    bottom: float,
    width: float,
) -> str:
    parts = []
    widest = max(len(label) for _, label in ticks) * 12 * 0.56 + 14
    every = max(1, -(-len(ticks) * int(widest) // int(width)))
    for i, (at, label) in enumerate(ticks):
        x = place(at)
        parts.append(f'<path d="M{_n(x)} {_n(top)} V{_n(bottom)}" stroke="{var("line")}"/>')
        if i % every == 0:
            anchor = "start" if i == 0 else "end" if i == len(ticks) - 1 else "middle"
            shift = -2 if i == 0 else 2 if i == len(ticks) - 1 else 0
            parts.append(text(x + shift, bottom + 18, label, size=12, anchor=anchor, hue="muted"))
    return "".join(parts)


def _lane(lane: Lane, place: Callable[[float], float], y: float, high: float) -> str:
    parts = [text(14, y + 14, lane.label, size=12, weight=600, hue="muted")]
    for span in lane.spans:
        x, end = place(span.start), place(high if span.end is None else span.end)
        wide = max(3.0, end - x)
        parts.append(
            f'<rect x="{_n(x)}" y="{_n(y + 21)}" width="{_n(wide)}" height="26" rx="5"'
            f' fill="{var(span.hue, soft=True)}" stroke="{var(span.hue)}"/>'
        )
        if len(span.label) * 12 * 0.58 + 12 < wide:
            parts.append(text(x + 7, y + 38, span.label, size=12, weight=600, hue=span.hue))
    taken = [-1.0, -1.0]  # how far to the right each of two rows of labels is written
    for mark in lane.marks:
        x = place(mark.at)
        parts.append(
            f'<path d="M{_n(x)} {_n(y + 27)} l6 7 l-6 7 l-6 -7 Z" fill="{var(mark.hue)}" stroke="{var("paper")}"/>'
        )
        anchor, shift = _side(x, mark.label, place(high), 9)
        long = len(mark.label) * 12 * 0.62
        start = x + shift - (long if anchor == "end" else 0)
        line = 1 if start < taken[0] else 0
        taken[line] = max(taken[line], start + long)
        parts.append(
            text(x + shift, y + 38 + 14 * line, mark.label, size=12, anchor=anchor, weight=600, hue=mark.hue, halo=True)
        )
    return "".join(parts)


# --- HTML next to the picture -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    """The table twin of a picture: the same facts, in rows.

    A cell is text, a number (right-aligned, with thousands separated), or a status with its word, written
    ("good", "Allowed"), which becomes a badge.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]] = field(default=())

    def html(self) -> str:
        """The table as HTML, in its own scroll container."""
        return table(self.rows, self.columns, self.caption)

    def text(self) -> str:
        """The table as text in columns."""
        cells = [list(self.columns), *[[_plain(c) for c in line] for line in self.rows]]
        widths = [max(len(line[i]) for line in cells) for i in range(len(self.columns))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip() for line in cells]
        return "\n".join([self.caption, *lines])

    def twin(self) -> str:
        """The table folded away under the picture it repeats."""
        return f"<details><summary {KEYS_STAY}>The same as a table</summary>{self.html()}</details>"


def table(rows: Iterable[Sequence[object]], columns: Sequence[str], caption: str) -> str:
    """Return an accessible HTML table; the first cell of each row names the row.

    The table scrolls sideways in its own container, which the keyboard reaches, so the page never does.
    """
    lines = [list(line) for line in rows]
    numeric = [bool(lines) and all(_is_number(line[i]) for line in lines) for i in range(len(columns))]
    style = [' class="kl-num"' if n else "" for n in numeric]
    head = "".join(f'<th scope="col"{style[i]}>{escape(name)}</th>' for i, name in enumerate(columns))
    body = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row"{style[i]}>{_cell(c)}</th>' if i == 0 else f"<td{style[i]}>{_cell(c)}</td>"
            for i, c in enumerate(line)
        )
        + "</tr>"
        for line in lines
    )
    name = f'role="region" aria-label="{escape(caption)}"'
    return (
        f'<div class="kl-scroll" {name} tabindex="0" {KEYS_STAY}><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _is_number(cell: object) -> bool:
    if isinstance(cell, str):
        return cell.lstrip("-$").replace(",", "").replace(".", "", 1).isdigit()
    return not isinstance(cell, bool | tuple) and hasattr(cell, "__round__")


def _plain(cell: object) -> str:
    if isinstance(cell, tuple):
        return str(cell[1])
    return f"{cell:,}" if _is_number(cell) and not isinstance(cell, str) else str(cell)


def _cell(cell: object) -> str:
    return badge(str(cell[0]), str(cell[1])) if isinstance(cell, tuple) else escape(_plain(cell))


def badge(status: str, word: str = "") -> str:
    """Return a status as icon and word in its colour.

    Args:
        status: one of ``theme.STATUSES``: good, bad, warn, info, off.
        word: what is so; the status's own word when left out.
    """
    style = STATUSES[status]
    drawn = f'<path d="{style.icon}" fill="none" stroke="currentColor" {_PEN}/>'
    symbol = f'<svg viewBox="0 0 16 16" aria-hidden="true">{drawn}</svg>'
    return f'<span class="kl-badge kl-{style.hue}">{symbol}{escape(word or style.word)}</span>'


def card(title: str, *parts: str, hue: str = "slate") -> str:
    """Return a card with a heading in a hue; ``parts`` is finished HTML."""
    if hue not in HUES:
        raise ValueError(f"no hue {hue!r}; there are {', '.join(HUES)}")
    return f'<div class="kl-card kl-{hue}"><p class="kl-card-title">{escape(title)}</p>{"".join(parts)}</div>'


def grid(*cards: str) -> str:
    """Return cards side by side, as many as fit."""
    return f'<div class="kl-grid">{"".join(cards)}</div>'


def facts(pairs: Mapping[str, object] | Iterable[tuple[str, object]], *, mono: Iterable[str] = ()) -> str:
    """Return name and value pairs as a description list.

    Args:
        pairs: values are text, numbers, or ("good", "Enabled") for a badge.
        mono: the names whose value is code, an id or an ARN.
    """
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    code = set(mono)
    body = "".join(
        f"<dt>{escape(name)}</dt><dd{_MONO if name in code else ''}>{_cell(value)}</dd>" for name, value in items
    )
    return f'<dl class="kl-facts">{body}</dl>'


def paragraph(words: str, *, note: bool = False) -> str:
    """Return a paragraph of plain text."""
    kind = ' class="kl-note"' if note else ""
    return f"<p{kind}>{escape(words)}</p>"


def button(
    face: str,
    action: str,
    value: str = "",
    *,
    label: str = "",
    key: str = "",
    enabled: bool = True,
    primary: bool = False,
) -> str:
    """Return a button for a live widget's view: pressing it calls ``react(state, action, value)``.

    One that is not ``enabled`` stays reachable and is announced as unavailable, so focus is never lost.

    Args:
        face: the words on it.
        label: its name for a screen reader, where the face does not say enough. Begin or end it with the face, so
            that people who speak to their computer can press it too.
        key: names the button from one picture to the next. Give one where the face changes, or a pressed button
            loses the focus.
    """
    kind = ' class="kl-primary"' if primary and enabled else ""
    named = f' aria-label="{escape(label)}"' if label else ""
    return f'<button type="button"{kind}{named}{_action(action, value, face, enabled, key)}>{escape(face)}</button>'


def row(*parts: str) -> str:
    """Return parts in one line, e.g. buttons; they wrap when there is no room."""
    return f'<div class="kl-row">{"".join(parts)}</div>'


def _action(action: str, value: str, face: str, enabled: bool, key: str = "") -> str:
    key = escape(key or f"{action}/{value}/{face}")
    off = "" if enabled else ' aria-disabled="true"'
    carried = f' data-value="{escape(value)}"' if value else ""
    return f' data-action="{escape(action)}"{carried} data-key="{key}" {KEYS_STAY}{off}'
