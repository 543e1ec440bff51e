"""The verdict tree: a decision, the gates that the request came to, and in them policies, statements and clauses.

Everything shown is the verdict's own trace, and "Flip it" shows the edit that the search in ``policy.flip`` found, as
words and as the lines of JSON that change. The widget decides nothing and looks for nothing.

It takes a verdict, a scenario, or several of them with names; of a lab also questions, which are asked of it and leave
no trace in it::

    VerdictTree(lab.last_verdict)
    VerdictTree({"Dana decrypts": {"principal": dana, "action": "kms:Decrypt", "key": key}}, lab=lab)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import lru_cache
from html import escape
from typing import Any

from kms_lab.lab import Lab
from kms_lab.policy import flip, words
from kms_lab.policy.evaluate import Verdict
from kms_lab.policy.scenario import decide
from kms_lab.policy.trace import ClauseTrace, DecidedBy, LayerTrace, StatementTrace
from kms_lab.teach import svg
from kms_lab.teach.widgets.base import Controls, LabWidget, buttons, choice

#: How the outcome of a gate is coloured; its words are those of the text form.
STATUS = {"deny": "bad", "allow": "good", "silent": "warn", "none": "off", "spared": "info"}
#: Lines of JSON shown around a change.
AROUND = 3
#: So many statements of a gate whose silence decided are shown unfolded.
FEW = 2

#: A scenario, or what ``Lab.may`` is to be asked.
Question = Mapping[str, Any]
Asked = tuple[tuple[str, Verdict], ...]


@dataclass(frozen=True)
class State:
    """What is shown.

    Attributes:
        asked: every question with its verdict.
        question: the name of the one shown.
        stage: "" for the verdict, "flip" for the verdict with the edit that would flip it, "flipped" for the verdict
            after that edit.
        staged: the question that the stage is about; another one begins anew.
    """

    asked: Asked
    question: str
    stage: str = ""
    staged: str = ""

    @property
    def verdict(self) -> Verdict:
        """The verdict as it is."""
        return dict(self.asked)[self.question]


class VerdictTree(LabWidget[State]):
    """Open a gate to see its policies, a statement to see what it wanted and what the request had; then flip it."""

    title = "Why this verdict?"
    css = "verdict_tree.css"

    def __init__(self, asked: Verdict | Question | Mapping[str, Verdict | Question], lab: Lab | None = None) -> None:
        """Show one verdict or scenario, or several by name.

        Raises:
            ScenarioError: a document is no scenario.
            LabError, LookupError: the lab does not know whom or what a question is about.
            ValueError: a question is for a lab, and none is given.
        """
        single = isinstance(asked, Verdict) or "request" in asked
        self._questions: Mapping[str, Verdict | Question] = {"": asked} if single else asked  # type: ignore[assignment]
        self._lab = lab
        self._flip = lru_cache(maxsize=32)(lambda verdict: flip.flip(verdict.scenario()))
        answers = self._answers()
        super().__init__(State(answers, answers[0][0]))

    def controls(self) -> Controls:
        names = [name for name, _ in self.state.asked]
        shown = {"question": choice(names, label="Question")} if len(names) > 1 else {}
        again = {"again": buttons({"again": "Ask the lab again"}, label="After a change")} if self._lab else {}
        return Controls(**shown, **again)

    def settle(self, state: State) -> State:
        if state.staged == state.question:
            return state
        return replace(state, stage="", staged=state.question)

    def view(self, state: State) -> str:
        verdict = self._shown(state)
        return "".join(
            (
                self._what_if(state) if state.stage == "flipped" else "",
                _decision(verdict),
                _gates(verdict, name=f"{state.question}/{state.stage == 'flipped'}"),
                _others(verdict),
                self._edit(state) if state.stage == "flip" else "",
                self._buttons(state),
            )
        )

    def summary(self, state: State) -> str:
        verdict = self._shown(state)
        told = f"{verdict.decision}: {verdict.sentence}"
        if state.stage == "flipped":
            return f"With the edit: {told}"
        return f"{told} {self._edit_in_words(state)}" if state.stage == "flip" else told

    def table(self, state: State) -> svg.Table:
        layers = self._shown(state).trace.layers
        rows = [
            [
                layer.title,
                (STATUS[layer.outcome], words.OUTCOMES[layer.outcome][1]),
                layer.why,
                words.DECIDES[1] if layer.decides else "",
            ]
            for layer in layers
        ]
        return svg.Table("The gates, in the order in which they were asked", ["Gate", "Says", "Why", "Decides"], rows)

    def react(self, state: State, action: str, value: str) -> State:
        match action:
            case "again":
                return replace(state, asked=self._answers(), stage="")
            case "flip":
                return replace(state, stage="flip")
            case "apply" if self._flip(state.verdict) is not None:
                return replace(state, stage="flipped")
            case "back":
                return replace(state, stage="" if state.stage == "flip" else "flip")
        return super().react(state, action, value)

    # Asking.

    def _answers(self) -> Asked:
        return tuple((name, self._answer(one)) for name, one in self._questions.items())

    def _answer(self, question: Verdict | Question) -> Verdict:
        if isinstance(question, Verdict):
            return question
        if "request" in question:
            return decide(question)
        if self._lab is None:
            raise ValueError("this question has to be asked of a lab: VerdictTree(questions, lab=lab)")
        return self._lab.may(**question)

    def _shown(self, state: State) -> Verdict:
        flipped = self._flip(state.verdict) if state.stage == "flipped" else None
        return state.verdict if flipped is None else flipped.verdict

    def _edit_in_words(self, state: State) -> str:
        found = self._flip(state.verdict)
        return "No edit of policies flips it." if found is None else found.sentence

    # Drawing.

    def _what_if(self, state: State) -> str:
        found = self._flip(state.verdict)
        edits = "" if found is None else "; then: ".join(edit.words for edit in found.edits)
        note = f"The verdict after this edit: {edits}"
        return f'<p class="kl-flipped">{svg.badge("info", "what if")} {escape(note)}</p>'

    def _edit(self, state: State) -> str:
        found = self._flip(state.verdict)
        if found is None:
            return svg.card("No edit flips it", svg.paragraph(self._edit_in_words(state)), hue="purple")
        parts = [svg.paragraph(found.sentence)]
        document: Any = state.verdict.scenario()
        for edit in found.edits:
            after = flip.apply(document, (edit,))
            if len(found.edits) > 1:
                parts.append(svg.paragraph(edit.words, note=True))
            parts += [_diff(field, document.get(field), after.get(field)) for field in _fields(edit.op)]
            document = after
        now = "ALLOW" if state.verdict.allowed else "DENY"
        return svg.card(f"The smallest edit that turns {now} into {found.verdict.decision}", *parts, hue="purple")

    def _buttons(self, state: State) -> str:
        if state.stage == "":
            return svg.row(svg.button("Flip it", "flip", primary=True, key="flip"))
        back = "Close" if state.stage == "flip" else "Take the edit back"
        possible = state.stage == "flip" and self._flip(state.verdict) is not None
        return svg.row(
            svg.button("Make this edit and ask again", "apply", enabled=possible, primary=possible, key="flip"),
            svg.button(back, "back", key="back"),
        )


# ------------------------------------------------------------------------------ the tree


def _decision(verdict: Verdict) -> str:
    request = verdict.request
    badge = svg.badge("good" if verdict.allowed else "bad", verdict.decision)
    facts = {"Who asks": request.principal.arn, "For what": request.action, "On what": request.resource}
    if verdict.trace.missing_context:
        facts["The request had no"] = ", ".join(verdict.trace.missing_context)
    return (
        f'<p class="kl-decision">{badge} <code>{escape(verdict.reason)}</code></p>'
        f'<p class="kl-sentence">{escape(verdict.sentence)}</p>{svg.facts(facts, mono=facts)}'
    )


def _gates(verdict: Verdict, name: str) -> str:
    by, near = verdict.decided_by, words.near_miss(verdict.trace, verdict.reason)
    gates = "".join(
        _gate(number, layer, by, near, f"{name}/{number}") for number, layer in enumerate(verdict.trace.layers, start=1)
    )
    return f'<ol class="kl-gates" aria-label="The gates, in the order in which they were asked">{gates}</ol>'


def _gate(number: int, layer: LayerTrace, by: DecidedBy, near: StatementTrace | None, key: str) -> str:
    word = words.OUTCOMES[layer.outcome][1]
    decides = f' <span class="kl-decides">{" ".join(words.DECIDES)}</span>' if layer.decides else ""
    head = (
        f'<span class="kl-gate-number">{number}</span><span class="kl-gate-name"><strong>{escape(layer.title)}</strong>'
        f" {svg.badge(STATUS[layer.outcome], word)}{decides}<small>{escape(layer.why)}</small></span>"
    )
    kind = f"kl-gate kl-{layer.outcome}{' kl-deciding' if layer.decides else ''}"
    few = layer.decides and layer.outcome == "silent" and sum(len(one.statements) for one in layer.policies) <= FEW
    inside = "".join(
        (f'<p class="kl-policy">{escape(policy.policy)}</p>' if len(layer.policies) > 1 else "")
        + "".join(
            _statement(one, layer.decides and words.settles(one, by), one == near, few) for one in policy.statements
        )
        for policy in layer.policies
    )
    if not inside:
        return f'<li class="{kind}" data-key="{escape(key)}"><div class="kl-gate-head">{head}</div></li>'
    opened = " open" if layer.decides or _holds(layer, near) else ""
    return (
        f'<li class="{kind}" data-key="{escape(key)}"><details{opened}><summary class="kl-gate-head" {svg.KEYS_STAY}>'
        f"{head}</summary>{inside}</details></li>"
    )


def _holds(layer: LayerTrace, near: StatementTrace | None) -> bool:
    return any(near == one for policy in layer.policies for one in policy.statements)


def _statement(statement: StatementTrace, settles: bool, near: bool, opened: bool) -> str:
    status = "off" if not statement.applies else "bad" if statement.effect == "Deny" else "good"
    mark = " ".join(words.DECIDES) if settles else "nearest" if near else ""
    told = f' <span class="kl-decides">{escape(mark)}</span>' if mark else ""
    name = statement.number if statement.index else statement.policy
    head = f"{escape(name)} ({escape(statement.effect)}) {svg.badge(status, words.applied(statement))}{told}"
    clauses = "".join(map(_clause, statement.clauses))
    fold = " open" if settles or near or opened else ""
    return (
        f'<details class="kl-statement"{fold}><summary {svg.KEYS_STAY}>{head}</summary>'
        f'<ul class="kl-clauses">{clauses}</ul></details>'
    )


def _clause(clause: ClauseTrace) -> str:
    sign, word = words.MATCHED[clause.matched]
    kind = "y" if clause.matched else "n"
    wanted = _values(clause.wanted)
    if clause.element == "Condition":  # operator and key, then the values
        wanted = f"{_values(clause.wanted[:1])}: {_values(clause.wanted[1:])}"
    return (
        f'<li class="{kind}"><div><b>{sign} {escape(clause.element)}</b> <em>{word}</em></div>'
        f"<dl><dt>wanted</dt><dd>{wanted}</dd>"
        f"<dt>found</dt><dd>{_values(clause.found or ())}</dd></dl></li>"
    )


def _values(values: tuple[str, ...]) -> str:
    if not values:
        return "nothing"
    return ", ".join(f"<code>{escape(value)}</code>" for value in values)


def _others(verdict: Verdict) -> str:
    """The other checks of the same operation."""
    lines = [
        f"Also asked: {other.request.action} on {other.request.resource}: {other.decision}. {other.sentence}"
        for other in verdict.earlier
    ]
    return "".join(svg.paragraph(line, note=True) for line in lines)


# ------------------------------------------------------------------------------ the edit


def _fields(operations: tuple[dict[str, Any], ...]) -> Iterator[str]:
    """The fields of a scenario that operations change."""
    yield from dict.fromkeys(operation["path"].split("/")[1] for operation in operations)


def _diff(field: str, before: Any, after: Any) -> str:
    """The lines of a field that change, with some around them."""
    lines = "".join(
        f"<{tag}>{sign} {escape(line)}\n</{tag}>" if tag else f"{sign} {escape(line)}\n"
        for sign, tag, line in _changes(_lines(before), _lines(after))
    )
    return (
        f'<pre class="kl-mono kl-diff" role="group" aria-label="{escape(field)}, before (−) and after (+)">'
        f"<b>{escape(field)}</b>\n{lines}</pre>"
    )


def _changes(before: list[str], after: list[str]) -> Iterator[tuple[str, str, str]]:
    """Sign, element and text of each line; a comma at its end makes no line another one."""
    old, new = ([line.rstrip(",") for line in lines] for lines in (before, after))
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for number, group in enumerate(matcher.get_grouped_opcodes(AROUND)):
        if number:
            yield " ", "", "…"
        for tag, a, b, c, d in group:
            if tag == "equal":
                yield from ((" ", "", line) for line in after[c:d])
                continue
            yield from (("−", "del", line) for line in before[a:b])
            yield from (("+", "ins", line) for line in after[c:d])


def _lines(value: Any) -> list[str]:
    return [] if value is None else json.dumps(value, indent=2, ensure_ascii=False).splitlines()


__all__ = ["STATUS", "State", "VerdictTree"]
