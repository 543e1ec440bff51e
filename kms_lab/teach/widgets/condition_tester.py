"""The condition tester: one condition, one request; does it match, and why?

Every answer is the evaluator's: the condition stands in a policy of one statement, a scenario asks it, and the clause
of the trace is shown. The linter names the traps that it knows; the others are seen by asking about other requests.
The widget holds no rule of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from html import escape
from typing import Any, NamedTuple

from kms_lab.policy.actions import MULTIVALUED
from kms_lab.policy.document import OPERATORS, ConditionTest, Kind, PolicyError, parse
from kms_lab.policy.lint import lint
from kms_lab.policy.scenario import decide
from kms_lab.policy.trace import ClauseTrace
from kms_lab.teach import svg
from kms_lab.teach.widgets.base import Controls, LabWidget, buttons, choice, switch, text_field

#: Condition keys to choose from.
KEYS = (
    *("aws:MultiFactorAuthPresent", "aws:PrincipalArn", "aws:PrincipalOrgID", "aws:PrincipalTag/team"),
    *("aws:CurrentTime", "aws:SourceArn", "aws:SourceIp", "aws:SourceVpce"),
    *("kms:CallerAccount", "kms:ViaService", "kms:EncryptionContext:site", "kms:EncryptionContextKeys"),
    *("kms:GrantOperations", "kms:RequestAlias", "kms:ResourceAliases"),
    "kms:ScheduleKeyDeletionPendingWindowInDays",
)
GIVEN = {"no such key": "absent", "an empty value": "empty", "these values": "values"}
MOST_LETTERS = 200

_DANA, _ACCOUNT = "arn:aws:iam::111122223333:user/dana", "111122223333"
_KEY = f"arn:aws:kms:us-east-1:{_ACCOUNT}:key/0f0e0d0c-0b0a-4908-8706-050403020100"


@dataclass(frozen=True)
class State:
    """A condition and a request.

    Attributes:
        qualifier: "", "ForAllValues:" or "ForAnyValue:".
        wanted, value: values of the policy and of the request, with a comma between them.
        given: "absent", "empty" or "values".
        place: the kind of policy that the statement stands in, "identity" or "key".
    """

    operator: str = "StringEquals"
    key: str = "kms:ViaService"
    wanted: str = "s3.us-east-1.amazonaws.com"
    given: str = "values"
    value: str = "s3.us-east-1.amazonaws.com"
    qualifier: str = ""
    if_exists: bool = False
    effect: str = "Allow"
    place: Kind = "identity"

    @property
    def test(self) -> ConditionTest:
        """The condition as the policy would have it."""
        suffix = "IfExists" if self.if_exists else ""
        return ConditionTest(f"{self.qualifier}{self.operator}{suffix}", self.key, values_of(self.wanted))

    @property
    def request(self) -> Given:
        """What the request has under the key."""
        if self.given == "absent":
            return None
        values = values_of(self.value)
        return "" if self.given == "empty" or not values else values if len(values) > 1 else values[0]


#: A value of the request's context: None for an absent key, and several for one with many values.
Given = str | tuple[str, ...] | None

#: Well-known traps: a button's words, and what it sets.
TRAPS: dict[str, tuple[str, State]] = {
    "nothing": (
        "ForAllValues and nothing",
        State("StringEquals", "kms:EncryptionContextKeys", "site", "absent", "", qualifier="ForAllValues:"),
    ),
    "mfa": (
        "No MFA is not false",
        State("Bool", "aws:MultiFactorAuthPresent", "false", "absent", "", effect="Deny"),
    ),
    "star": (
        "A star in StringEquals",
        State("StringEquals", "kms:RequestAlias", "alias/orders-*", "values", "alias/orders-eu"),
    ),
    "case": (
        "Capital letters",
        State("StringEquals", "aws:PrincipalTag/team", "Payments", "values", "payments"),
    ),
    "not": (
        "Not equal to nothing",
        State("StringNotEquals", "aws:SourceVpce", "vpce-0123456789abcdef0", "absent", ""),
    ),
    "several": (
        "Several values, plain operator",
        State("StringEquals", "kms:GrantOperations", "Decrypt", "values", "Decrypt, CreateGrant"),
    ),
}


class Trap(NamedTuple):
    """Something that surprises people about a condition: what is seen, and what follows from it."""

    seen: str
    means: str


class ConditionTester(LabWidget[State]):
    """Choose a condition and what the request has; the strip shows the same condition against other requests."""

    title = "Does this condition match?"
    css = "condition_tester.css"

    def __init__(self, state: State | None = None, keys: tuple[str, ...] = KEYS) -> None:
        """Begin with a state; ``keys`` are the condition keys to choose from."""
        start = State() if state is None else state
        used = (start.key, *(trap.key for _, trap in TRAPS.values()))
        self.keys = tuple(dict.fromkeys((*keys, *used)))
        super().__init__(start)

    def controls(self) -> Controls:
        sets = {"none: one value": "", "ForAllValues": "ForAllValues:", "ForAnyValue": "ForAnyValue:"}
        return Controls(
            operator=choice(sorted(OPERATORS), label="Operator"),
            key=choice(self.keys, label="Condition key"),
            qualifier=choice(sets, label="Set operator"),
            wanted=text_field(MOST_LETTERS, label="The policy wants", help="several values: a comma between them"),
            given=choice(GIVEN, label="The request has"),
            value=text_field(MOST_LETTERS, label="These values", help="of the request; a comma between them"),
            if_exists=switch(label="…IfExists"),
            effect=choice(("Allow", "Deny"), look="segments", label="Effect of the statement"),
            place=choice({"Identity policy": "identity", "Key policy": "key"}, look="segments", label="It stands in"),
            trap=buttons(
                {name: words for name, (words, _) in TRAPS.items()},
                label="Known traps",
                help="Well-known traps: each button sets one up.",
            ),
        )

    def view(self, state: State) -> str:
        clause = clause_of(state, state.request)
        source = f'<pre class="kl-mono kl-condition">{escape(_written(state))}</pre>'
        if clause is None:
            problems = "".join(f"<li>{escape(problem)}</li>" for problem in problems_of(state))
            return source + f"{svg.badge('bad', 'no policy')}<ul>{problems}</ul>"
        told = f"{_why(clause)} {_so(state, clause)}"
        return "".join((source, f"<p>{_badge(clause)} {escape(told)}</p>", _strip(state), _traps(state)))

    def summary(self, state: State) -> str:
        clause = clause_of(state, state.request)
        if clause is None:
            return " ".join(problems_of(state))
        traps = " ".join(trap.seen for trap in traps_of(state))
        matches = "It matches" if clause.matched else "It does not match"
        return f"{matches}: {clause.why}. {_so(state, clause)} {traps}".rstrip()

    def table(self, state: State) -> svg.Table | None:
        if clause_of(state, state.request) is None:
            return None
        rows = [
            [label, _shown(given), _said(clause)]
            for label, given in requests_for(state)
            if (clause := clause_of(state, given)) is not None
        ]
        return svg.Table("This condition against other requests", ["The request has", "Value", "Result"], rows)

    def react(self, state: State, action: str, value: str) -> State:
        if action not in TRAPS:
            return super().react(state, action, value)
        return TRAPS[action][1]


# ------------------------------------------------------------------------------ asking


def clause_of(state: State, given: Given) -> ClauseTrace | None:
    """Ask the evaluator; None where the condition makes no policy."""
    if problems_of(state):
        return None
    context = {} if given is None else {state.key: list(given) if isinstance(given, tuple) else given}
    policy = _policy(state, state.test)
    verdict = decide(
        {
            "request": {
                "principal": {"arn": _DANA, "type": "user", "account": _ACCOUNT},
                "action": "kms:Decrypt",
                "resource": _KEY,
                "resource_account": _ACCOUNT,
                "context": context,
            },
            "key_policy": policy if state.place == "key" else None,
            "identity_policies": [policy] if state.place == "identity" else [],
        }
    )
    (statement,) = verdict.trace.statements(f"{state.place}-policy", state.effect)
    return statement.clauses[-1]


def problems_of(state: State) -> list[str]:
    """What AWS would refuse in the policy."""
    try:
        parse(_policy(state, state.test), state.place)
    except PolicyError as error:
        return error.problems
    return []


def _policy(state: State, test: ConditionTest | None) -> dict[str, Any]:
    """A policy of one statement, with the condition or without any."""
    statement: dict[str, Any] = {"Effect": state.effect, "Action": "kms:*", "Resource": "*"}
    if state.place == "key":
        statement["Principal"] = {"AWS": _DANA}
    if test is not None:
        statement["Condition"] = {test.operator: {test.key: list(test.values)}}
    return {"Version": "2012-10-17", "Statement": [statement]}


def requests_for(state: State) -> Iterator[tuple[str, Given]]:
    """Requests worth comparing, each with its name: without the key, empty, as the policy has it, and otherwise."""
    yield "no such key", None
    yield "an empty value", ""
    first = (*values_of(state.wanted), "")[0]
    samples = list(dict.fromkeys(_samples(state.operator, first)))
    names = {first: "the policy's value", first.swapcase(): "other capitals"}
    for sample in samples:
        yield names.get(sample, "another value"), sample
    if len(samples) > 1 and (state.qualifier or state.key.lower() in MULTIVALUED):
        yield "two values", (samples[0], samples[-1])


def _samples(operator: str, wanted: str) -> Iterator[str]:
    """Values to try out: the policy's own, and some like it."""
    if operator in ("Bool", "Null"):
        yield from ("true", "false")
        return
    yield wanted
    with suppress(InvalidOperation, ValueError, OverflowError):
        if operator.startswith("Numeric"):
            yield from (str(Decimal(wanted) - 1), str(Decimal(wanted) + 1))
        if operator.startswith("Date"):
            day = datetime.fromisoformat(wanted)
            yield from ((day + timedelta(days=step)).isoformat().replace("+00:00", "Z") for step in (-1, 1))
    if "IpAddress" in operator:
        yield from (wanted.partition("/")[0], "203.0.113.99")
    if operator.startswith(("String", "Arn")):
        yield wanted.swapcase()
        yield wanted.replace("*", "x") if "*" in wanted else f"{wanted}-2"


def traps_of(state: State) -> list[Trap]:
    """The traps that this condition and this request are an example of."""
    bare = lint(_policy(state, None), state.place)
    found = [
        Trap(one.message, f"{one.why} {one.fix}")
        for one in lint(_policy(state, state.test), state.place)
        if one.code not in {other.code for other in bare}
    ]
    return found + list(_seen(state, told=bool(found)))


def _seen(state: State, told: bool) -> Iterator[Trap]:
    """Traps that show when other requests are asked; ``told``: the linter has spoken of this condition already."""
    absent, now = clause_of(state, None), clause_of(state, state.request)
    if absent is None or now is None:
        return
    if absent.matched and state.operator != "Null" and not told:
        yield Trap(
            f"A request without {state.key} matches too.",
            "In an Allow it keeps nobody out who leaves the key away; in a Deny it catches them all.",
        )
    if not absent.matched and state.operator == "Bool" and "false" in state.test.values and not told:
        yield Trap("An absent key is not false.", "Bool does not match it; BoolIfExists does.")
    given = state.request
    if isinstance(given, tuple) and not state.qualifier and state.operator != "Null":
        yield Trap(
            "The request has several values, and the operator is for one.",
            "Say with ForAllValues or ForAnyValue which of them have to fit.",
        )
    if isinstance(given, str) and not now.matched and _only_case_differs(state, given):
        yield Trap(
            "Only capital letters differ.",
            "The name of a condition key may be written in any case; a value counts letter by letter, unless the"
            " operator ignores case.",
        )


def _only_case_differs(state: State, given: str) -> bool:
    """Whether the request would match if it were written as one of the policy's values is."""
    alike = [value for value in state.test.values if value.lower() == given.lower() and value != given]
    return any(clause is not None and clause.matched for clause in (clause_of(state, value) for value in alike))


# ------------------------------------------------------------------------------ drawing


def values_of(text: str) -> tuple[str, ...]:
    """Take typed values apart.

    >>> values_of("Decrypt, CreateGrant")
    ('Decrypt', 'CreateGrant')
    """
    return tuple(value.strip() for value in text.split(",") if value.strip())


def _written(state: State) -> str:
    test = state.test
    values = test.values[0] if len(test.values) == 1 else list(test.values)
    request = "absent" if state.request is None else json.dumps(state.request)
    return f'"Condition": {json.dumps({test.operator: {test.key: values}})}\nThe request: {test.key} is {request}'


def _said(clause: ClauseTrace) -> tuple[str, str]:
    return ("good", "matches") if clause.matched else ("off", "no match")


def _badge(clause: ClauseTrace) -> str:
    return svg.badge(*_said(clause))


def _why(clause: ClauseTrace) -> str:
    return f"{clause.why[:1].upper()}{clause.why[1:]}." if ":" not in clause.why.split(" ")[0] else f"{clause.why}."


def _so(state: State, clause: ClauseTrace) -> str:
    return f"So the {state.effect} {'applies' if clause.matched else 'does not apply'}."


def _shown(given: Given) -> str:
    if given is None:
        return "–"
    return json.dumps(given) if isinstance(given, str) else ", ".join(map(json.dumps, given))


def _strip(state: State) -> str:
    """The same condition against other requests, side by side."""
    tiles = "".join(
        f"<li><span>{escape(label)}</span><code>{escape(_shown(given))}</code>{_badge(clause)}</li>"
        for label, given in requests_for(state)
        if (clause := clause_of(state, given)) is not None
    )
    return f'<div><p class="kl-note">The same condition, other requests:</p><ul class="kl-strip">{tiles}</ul></div>'


def _traps(state: State) -> str:
    cards = "".join(
        f"<li>{svg.badge('warn', 'trap')} <strong>{escape(trap.seen)}</strong> {escape(trap.means)}</li>"
        for trap in traps_of(state)
    )
    return f'<ul class="kl-traps">{cards}</ul>' if cards else ""


__all__ = ["GIVEN", "KEYS", "TRAPS", "ConditionTester", "State", "Trap", "clause_of", "requests_for", "traps_of"]
