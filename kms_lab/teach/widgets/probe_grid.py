"""The probe grid: who may do what, under a key policy that one edits.

Each cell is a verdict of the evaluator, asked on a copy of the lab (or of scenarios, which need no lab), so nothing in
the learner's world changes. What is wrong with a policy is what KMS itself says when it is put, and what the linter
finds. The widget holds no rule of KMS.

The grid follows every edit. A policy that KMS would not store leaves the last one that it would in the grid; one that
it only refuses because nobody could change it again is shown with that warning, since the check can be bypassed.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from html import escape
from typing import Any

from kms_lab.core.circumstances import DIRECT, Circumstances
from kms_lab.core.errors import KMSError
from kms_lab.core.names import Principal
from kms_lab.lab import ADMIN, REGION, Lab
from kms_lab.policy.compiled import compile_policy
from kms_lab.policy.document import PolicyError
from kms_lab.policy.evaluate import Verdict
from kms_lab.policy.lint import REFUSED, Finding, lint
from kms_lab.policy.scenario import decide
from kms_lab.policy.trace import who
from kms_lab.service.operation import Call, row_for
from kms_lab.service.operations.policies import accept_policy
from kms_lab.teach import svg
from kms_lab.teach.widgets.base import Controls, LabWidget, text_area

MOVES = ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End")
#: What a cell shows and says: by whether it is allowed, and whether the policy before said otherwise.
CELLS = {
    (True, False): ("y", "✓", "allowed"),
    (False, False): ("n", "✕", "denied"),
    (True, True): ("y kl-new", "✓", "now allowed"),
    (False, True): ("n kl-new", "✕", "now denied"),
}
#: The longest line of a policy that is laid out.
LINE = 78
#: How a finding's severity is shown.
SEVERITIES = {REFUSED: "bad", "dangerous": "warn", "useless": "info"}

Verdicts = tuple[tuple[Verdict, ...], ...]
#: a caller: an ARN, and how its calls reach KMS
Caller = str | tuple[str, Circumstances]


@dataclass(frozen=True)
class Fault:
    """Why KMS would not store a policy.

    Attributes:
        message: KMS's own words.
        problems: what is wrong, one by one; empty where the message says it all.
        usable: the policy is one all the same, so that verdicts can be asked of it.
    """

    message: str
    problems: tuple[str, ...] = ()
    usable: bool = False


class Board(ABC):
    """What a grid asks: rows of callers, columns of actions, and one key policy that is tried out.

    Attributes:
        callers, actions: the names of the rows, and the IAM actions.
        policy: the key policy at the start, as JSON text.
        account: the account that owns the key.
    """

    callers: tuple[str, ...]
    actions: tuple[str, ...]
    policy: str
    account: str

    @abstractmethod
    def fault(self, policy: str) -> Fault | None:
        """Why the policy would not be stored; None where it would."""

    @abstractmethod
    def ask(self, policy: str) -> Verdicts:
        """The verdicts under a policy, row by row."""


class LabBoard(Board):
    """A key of a lab, asked on a copy: the lab does not notice, and the copy does not follow it."""

    def __init__(
        self,
        lab: Lab,
        key: str,
        callers: Iterable[str] | Mapping[str, Caller],
        actions: Iterable[str],
        context: Mapping[str, str] | None = None,
        writer: str = ADMIN,
        region: str = REGION,
    ) -> None:
        self._lab = lab.fork()
        self._key = self._lab.key(key, region=region)
        self._context, self._writer = context, Principal.parse(writer)
        named = callers if isinstance(callers, Mapping) else dict(zip(names := list(callers), names))
        self._who = [one if isinstance(one, tuple) else (one, DIRECT) for one in named.values()]
        self.callers = tuple(named) if isinstance(callers, Mapping) else _names([arn for arn, _ in self._who])
        self.actions = tuple(actions)
        self.policy, self.account = pretty(self._key.policy), self._key.account

    def fault(self, policy: str) -> Fault | None:
        row = row_for("kms:PutKeyPolicy")
        assert row is not None
        call = Call(row, self._lab.world, self._writer, self._key.region, {})
        call.key = self._key
        try:
            accept_policy(call, policy, self._key, bypass_lockout_check=False)
        except KMSError as error:
            problems = error.evidence.get("problems", ())
            return Fault(error.message, tuple(problems), usable="verdict" in error.evidence)
        return None

    def ask(self, policy: str) -> Verdicts:
        self._key.policy = policy  # of the copy
        region, arn, context = self._key.region, self._key.arn, self._context
        return tuple(
            tuple(self._lab.may(caller, action, arn, region, context, how=how) for action in self.actions)
            for caller, how in self._who
        )


class ScenarioBoard(Board):
    """Scenarios: one document for each row; its action and its key policy are those of the cell.

    Slower than a lab, since each cell reads its document: for some 200 cells at most.
    """

    def __init__(self, documents: Mapping[str, Mapping[str, Any]], actions: Iterable[str]) -> None:
        first = next(iter(documents.values()))
        self._documents = tuple(documents.values())
        self.callers, self.actions = tuple(documents), tuple(actions)
        self.policy = pretty(first["key_policy"])
        self.account = str(first["request"]["resource_account"])

    def fault(self, policy: str) -> Fault | None:
        try:
            compile_policy(policy, "key")
        except PolicyError as error:
            return Fault(error.aws or "This is no key policy.", tuple(error.problems))
        locked = [one for one in lint(policy, "key", self.account) if one.code == "lockout"]
        return Fault(locked[0].message, usable=True) if locked else None

    def ask(self, policy: str) -> Verdicts:
        return tuple(
            tuple(
                decide({**one, "key_policy": policy, "request": {**one["request"], "action": action}})
                for action in self.actions
            )
            for one in self._documents
        )


@dataclass(frozen=True)
class State:
    """What is shown.

    Attributes:
        policy: as it is typed.
        asked: the last one typed that can be asked; the grid shows its verdicts.
        before: the policy that changes are counted from.
        at: the cell looked at: row and column, from 0.
    """

    policy: str
    asked: str
    before: str
    at: tuple[int, int] = (0, 0)


class ProbeGrid(LabWidget[State]):
    """Edit the policy and see which cells change; step through the cells by arrow keys and read why."""

    title = "Who may do what under this key policy?"
    css = "probe_grid.css"

    def __init__(self, board: Board, policy: str | Mapping[str, Any] = "") -> None:
        """Show a board; ``policy`` is what is tried out at first, beside the board's own.

        Raises:
            LabError, ScenarioError: a caller or an action is none.
        """
        self.board = board
        self._ask = lru_cache(maxsize=8)(board.ask)
        self._fault = lru_cache(maxsize=8)(board.fault)
        self._lint = lru_cache(maxsize=8)(lambda text: tuple(lint(text, "key", board.account)))
        self._ask(board.policy)
        super().__init__(State(pretty(policy or board.policy), board.policy, board.policy))

    @classmethod
    def of(cls, lab: Lab, key: str, callers: Iterable[str] | Mapping[str, Caller], actions: Iterable[str]) -> ProbeGrid:
        """Show a key of a lab, with nothing special about the calls; see ``LabBoard`` for more."""
        return cls(LabBoard(lab, key, callers, actions))

    def controls(self) -> Controls:
        rows = min(16, max(8, self.board.policy.count("\n") + 2))
        return Controls(
            policy=text_area(
                rows, label="Key policy", help="Tried out on a copy: your key keeps its policy. The grid follows."
            )
        )

    def settle(self, state: State) -> State:
        rows, columns = len(self.board.callers), len(self.board.actions)
        at = (min(max(state.at[0], 0), rows - 1), min(max(state.at[1], 0), columns - 1))
        fault = self._fault(state.policy)
        asked = state.policy if fault is None or fault.usable else state.asked
        return replace(state, asked=asked, at=at)

    def view(self, state: State) -> str:
        return "".join(
            (
                self._problems(state),
                self._grid(state),
                self._legend(state),
                self._cell(state),
                _findings(self._lint(state.asked)),
                f"<details><summary {svg.KEYS_STAY}>The policy that the grid shows</summary>"
                f'<pre class="kl-mono">{escape(state.asked)}</pre></details>',
            )
        )

    def summary(self, state: State) -> str:
        fault = self._fault(state.policy)
        refused = "" if fault is None else f"KMS would refuse this policy: {fault.message} "
        if fault is not None and not fault.usable:
            refused += "The grid shows the last one that it takes. "
        verdict = self._at(self._ask(state.asked), state)
        caller, action = self._names(state)
        return f"{refused}{caller}, {action}: {self._word(state)}. {verdict.sentence} {self._count(state)}"

    def table(self, state: State) -> svg.Table:
        rows, actions = [], [action.removeprefix("kms:") for action in self.board.actions]
        for caller, now, then in zip(self.board.callers, self._ask(state.asked), self._ask(state.before)):
            said: dict[str, list[str]] = {word: [] for _, _, word in CELLS.values()}
            for action, verdict, old in zip(actions, now, then):
                said[_cell(verdict, old)[2]].append(action)
            allowed = said["allowed"] + said["now allowed"]
            changes = [f"{action} {word}" for word in ("now allowed", "now denied") for action in said[word]]
            rows.append([caller, ", ".join(allowed) or "none", ", ".join(changes) or "nothing"])
        return svg.Table("Who may do what; the rest is denied", ["Caller", "Allowed", "Changed"], rows)

    def react(self, state: State, action: str, value: str) -> State:
        match action:
            case "key" if value in MOVES:
                return replace(state, at=self._moved(state.at, value))
            case "pick":
                row, _, column = value.partition(".")
                return replace(state, at=(int(row), int(column)))
            case "compare":
                return replace(state, before=state.asked)
            case "back":
                return replace(state, policy=state.before)
        return super().react(state, action, value)

    # Asking.

    def _at(self, verdicts: Verdicts, state: State) -> Verdict:
        return verdicts[state.at[0]][state.at[1]]

    def _word(self, state: State) -> str:
        now, then = self._at(self._ask(state.asked), state), self._at(self._ask(state.before), state)
        return _cell(now, then)[2]

    def _names(self, state: State) -> tuple[str, str]:
        return self.board.callers[state.at[0]], self.board.actions[state.at[1]]

    def _moved(self, at: tuple[int, int], key: str) -> tuple[int, int]:
        row, column = at
        match key:
            case "ArrowLeft":
                return row, column - 1
            case "ArrowRight":
                return row, column + 1
            case "ArrowUp":
                return row - 1, column
            case "ArrowDown":
                return row + 1, column
        return row, 0 if key == "Home" else len(self.board.actions) - 1

    def _count(self, state: State) -> str:
        pairs = [
            (now.allowed, then.allowed)
            for line, old in zip(self._ask(state.asked), self._ask(state.before))
            for now, then in zip(line, old)
        ]
        allowed, more, fewer = sum(now for now, _ in pairs), pairs.count((True, False)), pairs.count((False, True))
        changed = f"{more} now allowed, {fewer} now denied" if more or fewer else "nothing changed"
        return f"Allowed are {allowed} of {len(pairs)} cells; since the policy before, {changed}."

    # Drawing.

    def _problems(self, state: State) -> str:
        fault = self._fault(state.policy)
        if fault is None:
            return ""
        told = fault.problems if fault.problems else (fault.message,)
        badge = svg.badge("warn", "KMS refuses this") if fault.usable else svg.badge("bad", "not a policy KMS takes")
        then = (
            "Only PutKeyPolicy with BypassPolicyLockoutSafetyCheck would store it. The grid shows what it would do."
            if fault.usable
            else "The grid still shows the last policy that can be used."
        )
        items = "".join(f"<li>{escape(one)}</li>" for one in told[:6])
        more = f"<li>and {len(told) - 6} more</li>" if len(told) > 6 else ""
        return f'<div class="kl-fault">{badge}<ul>{items}{more}</ul>{svg.paragraph(then, note=True)}</div>'

    def _grid(self, state: State) -> str:
        now, then = self._ask(state.asked), self._ask(state.before)
        head = "".join(
            f"<th scope=col><span>{escape(action.removeprefix('kms:'))}</span></th>" for action in self.board.actions
        )
        body = "".join(
            f"<tr><th scope=row>{escape(caller)}</th>{_line(now[row], then[row], state.at, row)}</tr>"
            for row, caller in enumerate(self.board.callers)
        )
        return (
            '<div class="kl-scroll kl-probe"><table role=grid data-cells=pick aria-label="Callers by actions">'
            f"<thead><tr><th scope=col>Caller</th>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def _legend(self, state: State) -> str:
        differs = state.asked != state.before
        return (
            '<p class="kl-key"><b class="y">✓</b> allowed <b class="n">✕</b> denied'
            f' <b class="kl-new">▢</b> changed. {escape(self._count(state))}</p>'
        ) + svg.row(
            svg.button("Back to the policy before", "back", enabled=state.policy != state.before, key="back"),
            svg.button("Compare with this one from now on", "compare", enabled=differs, key="compare"),
        )

    def _cell(self, state: State) -> str:
        caller, action = self._names(state)
        now, then = self._at(self._ask(state.asked), state), self._at(self._ask(state.before), state)
        badge = svg.badge("good" if now.allowed else "bad", self._word(state))
        parts = [f"<p>{badge} <code>{escape(now.reason)}</code></p>", svg.paragraph(now.sentence)]
        if now.allowed is not then.allowed:
            parts.append(svg.paragraph(f"Under the policy before: {then.sentence}", note=True))
        return svg.card(f"{caller} · {action}", *parts, hue="blue")


def _line(now: Sequence[Verdict], then: Sequence[Verdict], at: tuple[int, int], row: int) -> str:
    """The cells of one row; the one looked at is the grid's one stop of the Tab key."""
    cells = []
    for column, (verdict, old) in enumerate(zip(now, then)):
        kind, face, word = _cell(verdict, old)
        here = ""
        if at == (row, column):
            here = (
                f' tabindex=0 aria-selected=true data-key=cell data-keyed=key data-keys="{"|".join(MOVES)}"'
                f" {svg.KEYS_STAY}"
            )
        cells.append(f'<td class="{kind}" aria-label="{word}"{here}>{face}</td>')
    return "".join(cells)


def _cell(now: Verdict, then: Verdict) -> tuple[str, str, str]:
    """Class, sign and word of a cell."""
    return CELLS[now.allowed, now.allowed is not then.allowed]


def _findings(findings: Sequence[Finding]) -> str:
    """What the linter says, folded away; how much of it stands outside."""
    if not findings:
        return svg.paragraph("The linter finds nothing in this policy.", note=True)
    items = "".join(
        f"<li><p>{svg.badge(SEVERITIES[one.severity], one.severity)} <strong>{escape(one.statement)}:</strong> "
        f"{escape(one.message)}</p>{svg.paragraph(f'{one.why} {one.fix}')}{svg.paragraph(one.source, note=True)}</li>"
        for one in findings
    )
    count = f"{len(findings)} finding{'' if len(findings) == 1 else 's'}"
    return (
        f"<details><summary {svg.KEYS_STAY}>The linter has {count} in this policy</summary>"
        f'<ul class="kl-findings">{items}</ul></details>'
    )


def _names(arns: Sequence[str]) -> tuple[str, ...]:
    """Callers in words; with their account where the words are the same."""
    callers = [Principal.parse(arn) for arn in arns]
    names = [who(caller) for caller in callers]
    return tuple(
        f"{name} of {caller.account}" if names.count(name) > 1 else name for name, caller in zip(names, callers)
    )


def pretty(policy: str | Mapping[str, Any]) -> str:
    """A policy as text to edit: laid out where it is JSON, else as it is."""
    try:
        return _laid_out(json.loads(policy) if isinstance(policy, str) else policy, "")
    except ValueError:
        return str(policy)


def _laid_out(value: Any, indent: str) -> str:
    """JSON in which what fits a line has one."""
    line = json.dumps(value, ensure_ascii=False)
    inner = indent + "  "
    if len(indent) + len(line) <= LINE or not isinstance(value, dict | list):
        return line
    if isinstance(value, dict):
        parts = [f"{json.dumps(name, ensure_ascii=False)}: {_laid_out(one, inner)}" for name, one in value.items()]
        opening, closing = "{", "}"
    else:
        parts, (opening, closing) = [_laid_out(one, inner) for one in value], "[]"
    return f"{opening}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{closing}"


__all__ = ["Board", "Caller", "Fault", "LabBoard", "ProbeGrid", "ScenarioBoard", "State", "pretty"]
