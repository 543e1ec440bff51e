"""A small accessible HTML table: what a view shows in a notebook. It follows the notebook's theme and has no script."""

from collections.abc import Collection, Iterable, Sequence
from html import escape

_RIGHT = ' style="text-align:right"'
_LEFT = ' style="text-align:left"'
_FITTING = ' style="table-layout:fixed;width:100%;max-width:75em;overflow-wrap:anywhere"'


def html_table(
    caption: str,
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    foot: Sequence[str] = (),
    numbers: Collection[int] = (),
    widths: Sequence[int] = (),
) -> str:
    """Return a table; the first cell of each row names the row.

    Args:
        caption: what the table shows, also its name for a screen reader.
        foot: a last row, such as a total.
        numbers: the columns (from 0) that are set to the right.
        widths: shares of the columns in per cent. With them the table fits into its place, and long words break.
    """
    style = [_RIGHT if index in numbers else _LEFT for index in range(len(head))]
    columns = "".join(f'<th scope="col"{style[i]}>{escape(name)}</th>' for i, name in enumerate(head))
    shares = "".join(f'<col style="width:{share}%">' for share in widths)
    body = "".join(_row(row, style) for row in rows)
    end = f"<tfoot>{_row(foot, style)}</tfoot>" if foot else ""
    name = escape(caption, quote=True)
    return (
        f'<div role="region" aria-label="{name}" tabindex="0" data-lm-suppress-shortcuts style="overflow-x:auto">'
        f'<table{_FITTING if widths else ""}><caption style="text-align:left">{escape(caption)}</caption>{shares}'
        f"<thead><tr>{columns}</tr></thead><tbody>{body}</tbody>{end}</table></div>"
    )


def text_table(rows: Iterable[Sequence[str]], numbers: Collection[int] = ()) -> str:
    """Return rows of text as aligned columns, for a terminal."""
    lines = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if index in numbers else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(line, widths))
        ).rstrip()
        for line in lines
    )


def _row(cells: Sequence[str], style: Sequence[str]) -> str:
    first, *rest = cells
    return (
        f'<tr><th scope="row"{style[0]}>{escape(first)}</th>'
        + "".join(f"<td{style[i]}>{escape(cell)}</td>" for i, cell in enumerate(rest, 1))
        + "</tr>"
    )
