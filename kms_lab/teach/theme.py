"""Colours and type for everything the course draws: one palette, one style sheet.

The palette has six hues a colour-blind reader can tell apart and five statuses. Each colour exists twice,
for light and for dark; which one is seen is decided in the browser, by JupyterLab's theme
(``body[data-jp-theme-light]``) or, in a page that is not JupyterLab, by ``prefers-color-scheme``. So a
picture never needs to know the theme: it names a variable, e.g. ``var(--kl-blue, #1f57d6)``, and the second
half serves readers such as nbviewer that drop the style sheet.

Every text colour has a contrast of at least 4.5:1 on every surface it is used on; a test computes it. A
status is always a colour with a word and an icon (see ``svg.badge``): meaning is never colour alone.

The rules stand in ``widgets/static/frame.css``, all scoped under ``.kms-lab``, so nothing outside our own
output changes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files

__all__ = ["CSS", "HUES", "STATUSES", "SURFACES", "Status", "Tone", "frame", "read_css", "var"]


@dataclass(frozen=True)
class Tone:
    """One colour in light and dark: ``strong`` for text and strokes, ``soft`` for the fill behind them."""

    light: str
    dark: str
    light_soft: str
    dark_soft: str


@dataclass(frozen=True)
class Status:
    """What a status looks like: its word, its icon (an SVG path in a 16 x 16 box) and its hue.

    The word is the default; a badge may say something more exact, never nothing.
    """

    word: str
    icon: str
    hue: str


#: Categorical hues, in the order a chart should use them.
HUES: dict[str, Tone] = {
    "blue": Tone("#1f57d6", "#9cc8f5", "#e8effd", "#1c2f4a"),
    "orange": Tone("#96590c", "#d69a58", "#fcf1e1", "#3a2a18"),
    "green": Tone("#00714b", "#5aeab0", "#e2f5ed", "#12382c"),
    "purple": Tone("#410d78", "#ba8cf5", "#f0e8fa", "#2c2044"),
    "rose": Tone("#6b1642", "#ff69a2", "#fae7f0", "#401c2d"),
    "slate": Tone("#5a6472", "#dfe3e8", "#eef1f5", "#2d333b"),
    "red": Tone("#b3261e", "#ff9a90", "#fdebe9", "#45201d"),
}
# "red" is kept for the status "bad"; a chart's series use the first six.

#: Surfaces and inks that are not hues: (light, dark).
SURFACES: dict[str, tuple[str, str]] = {
    "paper": ("#ffffff", "#111111"),
    "raised": ("#f6f8fb", "#1c2026"),
    "ink": ("#1c2330", "#e8ebef"),
    "muted": ("#55606e", "#b3bcc7"),
    "line": ("#d5dbe3", "#3b434d"),
    "edge": ("#7b8694", "#8a949f"),
    "focus": ("#1f57d6", "#9cc8f5"),
    "on-strong": ("#ffffff", "#111111"),
}

#: JupyterLab's own variable for a surface, where following the theme is safe (backgrounds only).
_FOLLOWS = {"paper": "--jp-layout-color0"}

STATUSES: dict[str, Status] = {
    "good": Status("Yes", "M3 8.5 L6.5 12 L13 4.5", "green"),
    "bad": Status("No", "M4 4 L12 12 M12 4 L4 12", "red"),
    "warn": Status("Careful", "M8 2.5 L14.5 13.5 L1.5 13.5 Z M8 6.5 L8 10 M8 11.9 L8 12.1", "orange"),
    "info": Status("Note", "M8 7.5 L8 12.5 M8 4 L8 4.2", "blue"),
    "off": Status("Off", "M3 8 L13 8", "slate"),
}


def var(name: str, *, soft: bool = False) -> str:
    """Return the CSS value of a hue or surface, with the light colour as its fallback.

    Raises:
        ValueError: there is no such colour; the message lists those there are.

    >>> var("blue")
    'var(--kl-blue, #1f57d6)'
    """
    if name in HUES:
        tone = HUES[name]
        return f"var(--kl-{name}-soft, {tone.light_soft})" if soft else f"var(--kl-{name}, {tone.light})"
    if name in SURFACES and not soft:
        return f"var(--kl-{name}, {SURFACES[name][0]})"
    raise ValueError(f"no colour {name!r}; hues: {', '.join(HUES)}; surfaces: {', '.join(SURFACES)}")


def frame(*parts: str, title: str = "", static: bool = False) -> str:
    """Wrap finished HTML in the course's frame with its style sheet: what every HTML output is shown in.

    Args:
        parts: HTML that is already escaped.
        title: the accessible name of the output, and its visible heading; "" for neither.
        static: the output is a picture of a live widget; its buttons are drawn, but cannot be pressed.
    """
    name = f' role="group" aria-label="{escape(title)}"' if title else ""
    heading = f'<p class="kl-title">{escape(title)}</p>' if title else ""
    kind = "kms-lab kl-static" if static else "kms-lab"
    return f'<div class="{kind}"{name}><style>{CSS}</style>{heading}{"".join(parts)}</div>'


def _variables(dark: bool) -> str:
    pairs = []
    for name, (light_value, dark_value) in SURFACES.items():
        value = dark_value if dark else light_value
        follows = _FOLLOWS.get(name)
        pairs.append(f"--kl-{name}:var({follows},{value})" if follows else f"--kl-{name}:{value}")
    for name, tone in HUES.items():
        pairs.append(f"--kl-{name}:{tone.dark if dark else tone.light}")
        pairs.append(f"--kl-{name}-soft:{tone.dark_soft if dark else tone.light_soft}")
    return ";".join(pairs) + f";color-scheme:{'dark' if dark else 'light'}"


@cache
def read_css(name: str) -> str:
    """Return one of the style sheets that ship with the widgets, without comments and line ends; read once."""
    source = (files("kms_lab.teach.widgets") / "static" / name).read_text("utf-8")
    return re.sub(r"/\*.*?\*/|\n", "", source, flags=re.DOTALL)


def _sheet() -> str:
    light, dark = _variables(dark=False), _variables(dark=True)
    rules = read_css("frame.css")
    tones = "".join(
        f".kms-lab .kl-{hue}{{--kl-hue:var(--kl-{hue});--kl-hue-soft:var(--kl-{hue}-soft)}}" for hue in HUES
    )
    return (
        f".kms-lab{{{light}}}"
        f"@media (prefers-color-scheme:dark){{body:not([data-jp-theme-light]) .kms-lab{{{dark}}}}}"
        f'body[data-jp-theme-light="false"] .kms-lab{{{dark}}}' + tones + rules
    )


#: The whole style sheet. Put it in a page once for each output; ``frame`` does.
CSS = _sheet()
