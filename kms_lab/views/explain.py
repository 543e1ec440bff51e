"""A verdict's reasons, whole: as indented text, as a tree to open and close, and as a picture of the gates it passed.

All are the same trace (``Verdict.trace``); nothing is decided or judged here. The HTML follows the notebook's theme,
has no script, and says everything in words: no meaning is in a colour or a sign alone.
"""

from dataclasses import dataclass
from html import escape

from kms_lab.policy.evaluate import Verdict
from kms_lab.policy.trace import ClauseTrace, LayerTrace, StatementTrace
from kms_lab.policy.words import DECIDES, MATCHED, OUTCOMES, applied, compared, near_miss, settles, text, title

__all__ = ["Explanation", "picture", "text", "tree"]

_LIST = ' style="list-style:none;padding-left:1.2em;margin:0"'
_GATES = ' style="list-style:none;padding:0;margin:0;display:flex;flex-wrap:wrap;gap:.5em;align-items:stretch"'
#: how a gate is drawn: shut is double, passed is solid, not asked is dashed
_BORDERS = {
    "deny": "4px double",
    "silent": "4px double",
    "allow": "2px solid",
    "none": "1px solid",
    "spared": "1px dashed",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """A verdict to look at: the picture and the tree in a notebook, the indented text elsewhere."""

    verdict: Verdict

    def __str__(self) -> str:
        return text(self.verdict)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return picture(self.verdict) + tree(self.verdict)


def tree(verdict: Verdict) -> str:
    """Return the verdict, and its trace as a tree of lists: layers, in them statements and grants, in them clauses.

    Every layer and statement opens and closes with the mouse, Enter or Space (``<details>``). Open at first is the
    path to what decided; where a silence did, the path to the statement that nearly allowed.
    """
    trace = verdict.trace
    path = _path(verdict)
    missing = f"<p>The request had no {escape(', '.join(trace.missing_context))}.</p>" if trace.missing_context else ""
    layers = "".join(_layer(layer, path) for layer in trace.layers)
    return (
        f'<div class="kms-verdict" data-lm-suppress-shortcuts>{_head(verdict)}{missing}'
        f'<ul aria-label="What every layer says"{_LIST}>{layers}</ul></div>'
    )


def picture(verdict: Verdict) -> str:
    """Return the layers as a row of gates in the order in which they are asked, the verdict at its end.

    A list to a screen reader; it wraps on a narrow screen. A shut gate has a double border, a dashed one was not asked.
    """
    gates = "".join(_gate(layer) for layer in verdict.trace.layers)
    end = f"{escape(verdict.decision)} <span>({escape(verdict.reason)})</span>"
    return (
        f'<div class="kms-gates"><ol aria-label="The gates on the way to the decision"{_GATES}>{gates}'
        f'<li class="kms-gate" data-outcome="{verdict.decision.lower()}" style="border:3px solid;padding:.3em .6em">'
        f"<strong>{end}</strong></li></ol></div>"
    )


def _head(verdict: Verdict) -> str:
    request = verdict.request
    also = "".join(
        f"<p>Also asked: {escape(one.request.action)} on {escape(one.request.resource)}:"
        f" {escape(one.decision)} ({escape(one.reason)}).</p>"
        for one in verdict.earlier
    )
    return (
        f"<p><strong>{escape(verdict.decision)}</strong> ({escape(verdict.reason)}): {escape(verdict.sentence)}</p>"
        f"<p>{escape(request.principal.arn)} asks for {escape(request.action)} on {escape(request.resource)}.</p>{also}"
    )


def _path(verdict: Verdict) -> StatementTrace | None:
    """The statement that is open at first: the one that decided, or else the nearest miss."""
    by = verdict.decided_by
    settled = (s for policy in verdict.trace.deciding.policies for s in policy.statements if settles(s, by))
    return next(settled, None) or near_miss(verdict.trace, verdict.reason)


def _layer(layer: LayerTrace, path: StatementTrace | None) -> str:
    statements = [statement for policy in layer.policies for statement in policy.statements]
    is_open = layer.decides or any(statement is path for statement in statements)
    inside = "".join(_statement(statement, layer.decides, statement is path) for statement in statements)
    return _item(f'class="kms-layer" data-outcome="{layer.outcome}"', _told(layer, f": {layer.why}"), inside, is_open)


def _told(layer: LayerTrace, why: str = "") -> str:
    sign, word = OUTCOMES[layer.outcome]
    return f"{_sign(sign)}<strong>{escape(layer.title)}</strong>: {word}{escape(why)}{_decides(layer.decides)}"


def _statement(statement: StatementTrace, decides: bool, on_path: bool) -> str:
    near = " <em>(the nearest miss)</em>" if on_path and not statement.applies else ""
    summary = (
        f"{_sign(MATCHED[statement.applies][0])}{escape(title(statement))}: {applied(statement)}{near}"
        f"{_decides(decides and on_path and statement.applies)}"
    )
    return _item('class="kms-statement"', summary, "".join(map(_clause, statement.clauses)), on_path)


def _clause(clause: ClauseTrace) -> str:
    sign, word = MATCHED[clause.matched]
    return f'<li class="kms-clause">{_sign(sign)}{word}: {escape(compared(clause))}</li>'


def _item(attributes: str, summary: str, inside: str, is_open: bool) -> str:
    """A list item that opens, if there is anything inside."""
    if not inside:
        return f"<li {attributes}>{summary}</li>"
    state = " open" if is_open else ""
    return f"<li {attributes}><details{state}><summary>{summary}</summary><ul{_LIST}>{inside}</ul></details></li>"


def _gate(layer: LayerTrace) -> str:
    style = f"border:{_BORDERS[layer.outcome]};padding:.3em .6em;max-width:18em"
    return f'<li class="kms-gate" data-outcome="{layer.outcome}" style="{style}">{_told(layer)}</li>{_ARROW}'


_ARROW = '<li aria-hidden="true" style="align-self:center">→</li>'


def _sign(sign: str) -> str:
    return f'<span aria-hidden="true">{sign} </span>'


def _decides(decides: bool) -> str:
    sign, word = DECIDES
    return f' <strong class="kms-decides"><span aria-hidden="true">{sign} </span>{word}</strong>' if decides else ""
