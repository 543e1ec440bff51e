"""A verdict in words: one sentence, and the whole trace as indented text.

The sentence says what decided, by name; of a silent denial it also names the nearest miss. AWS's words for AWS's
things, plain words for the rest.

Not here: what is told (see ``trace``), and the same as HTML (see ``views.explain``).
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Protocol

from kms_lab.policy.replay import Decision
from kms_lab.policy.trace import ClauseTrace, DecidedBy, LayerTrace, StatementTrace, Trace, who


class Told(Decision, Protocol):
    """A verdict, as far as it is told."""

    @property
    def decision(self) -> str: ...
    @property
    def decided_by(self) -> DecidedBy: ...
    @property
    def trace(self) -> Trace: ...
    @property
    def sentence(self) -> str: ...
    @property
    def earlier(self) -> "tuple[Told, ...]": ...


def sentence(verdict: Told) -> str:
    """Say the decision in one sentence, with the nearest miss of a silent denial."""
    reason, trace = verdict.reason, verdict.trace
    say = _RETIRING.get(reason, _WORDS[reason]) if trace.retires else _WORDS[reason]
    near = "" if reason == "grant-constraint" else _near_miss(reason, trace)
    return f"{_capital(say(verdict.decided_by, trace))}{near}."


# ---------------------------------------------------------------------------------------------------------
# Allowed
# ---------------------------------------------------------------------------------------------------------


def _key_policy(by: DecidedBy, trace: Trace) -> str:
    named = next(s for s in trace.statements("key-policy", "Allow") if s.index == by.index)
    text = f"{named.name} allows {_what(trace)}, and {named.clauses[0].why}"
    if trace.identity_allowed_by is None and trace.request.principal.account:
        text += "; inside the key's account that is enough, without any identity policy"
    return text + _unlimited(trace) + _by_absence(named)


def _unlimited(trace: Trace) -> str:
    """Name the boundary or session policy that does not allow, and need not."""
    for layer in trace.layers:
        if layer.layer in ("boundary", "session-policy") and layer.outcome == "none":
            return f"; the {layer.title} does not limit it, for {layer.why}"
    return ""


def _iam_via_key_policy(by: DecidedBy, trace: Trace) -> str:
    allowed = trace.identity_allowed_by
    assert trace.delegated_by is not None
    assert allowed is not None
    return (
        f"the key policy lets IAM decide ({trace.delegated_by.number}), and {by.policy} of {_caller(trace)}"
        f" allows {_what(trace)} ({by.number}){_by_absence(allowed)}"
    )


def _account_root(by: DecidedBy, trace: Trace) -> str:
    if by.index is None:
        return f"{_caller(trace)} may call {_what(trace)}, and needs no policy for it"
    return f"the key policy gives the account {_what(trace)} ({by.number}), and {_caller(trace)} is the account"


def _cross_account(by: DecidedBy, trace: Trace) -> str:
    allowed, request = trace.identity_allowed_by, trace.request
    half = f"{allowed.name} allows it too" if allowed else "its root user needs no more"
    return (
        f"both halves of a cross-account call allow {_what(trace)}: the key policy of account"
        f" {request.resource_account} {_lets_in(trace)} ({by.number}), and {half}"
    )


def _lets_in(trace: Trace) -> str:
    """Whom the key policy of another account lets in."""
    whom = _foreigner(trace) if trace.named_by else f"account {trace.request.principal.account}"
    return f"lets {whom} in"


def _iam_policy(by: DecidedBy, trace: Trace) -> str:
    allowed = trace.identity_allowed_by
    assert allowed is not None
    return f"{by.policy} of {_caller(trace)} allows {_what(trace)} ({by.number}){_by_absence(allowed)}"


def _grant(by: DecidedBy, trace: Trace) -> str:
    grant = next(s for s in trace.statements("grant", "Allow") if s.applies and s.policy == by.policy)
    return _granted(grant, trace) + _unlimited(trace)


def _granted(grant: StatementTrace, trace: Trace) -> str:
    if grant.naming == "named" or trace.retires:
        return f"{grant.policy} lets {_caller(trace)} call {_what(trace)}"
    allowed = trace.identity_allowed_by
    assert allowed is not None
    account = f"account {trace.request.principal.account}"
    return f"{grant.policy} lets {account} call {_what(trace)}, and {allowed.name} of {_caller(trace)} allows it too"


def _retiring_by_iam(by: DecidedBy, trace: Trace) -> str:
    account = f"account {trace.request.principal.account}"
    holds = "owns the key" if not trace.crosses_accounts else "is one that may retire the grant"
    if by.index is None:
        return f"{_caller(trace)} may retire the grant, for {account} {holds}"
    return f"{by.policy} of {_caller(trace)} allows {trace.request.action} ({by.number}), and {account} {holds}"


# ---------------------------------------------------------------------------------------------------------
# Denied
# ---------------------------------------------------------------------------------------------------------


def _explicit_deny(by: DecidedBy, trace: Trace) -> str:
    denied = trace.denied_by
    assert denied is not None
    ends = "an explicit deny beats every allow"
    if trace.granted_by is not None:
        ends += f", that of {trace.granted_by.policy} too"
    first = denied.clauses[0]
    spares = f"; {first.why}" if first.element == "NotPrincipal" else ""
    return f"{by.statement} explicitly denies {_caller(trace)} {_what(trace)}, and {ends}{spares}{_by_absence(denied)}"


def _not_cross_account(_: DecidedBy, trace: Trace) -> str:
    request = trace.request
    return (
        f"{request.action} does not work on a key of another account ({request.resource_account}),"
        " whatever the policies say"
    )


def _scp(_: DecidedBy, trace: Trace) -> str:
    level = trace.deciding.title.removeprefix("SCPs of ")
    has = f"no SCP of {level} allows {_what(trace)}" if trace.deciding.policies else f"no SCP is attached to {level}"
    return f"{has}, and every level from the root down to the account of {_caller(trace)} must have one that allows"


def _vpce(_: DecidedBy, trace: Trace) -> str:
    return f"the call came through a VPC endpoint, whose policy does not allow {_caller(trace)} {_what(trace)}"


def _limited(by: DecidedBy, trace: Trace) -> str:
    """Say which allow was cut by the silence of the caller's own boundary or session policy."""
    if trace.deciding.policies:
        cut = f"the {by.policy} does not allow {trace.request.action}"
    else:
        cut = f"{_caller(trace)} has no session policy, and without one such a session has no permissions"
    return f"{_way_in(trace)}, but {cut}"


def _way_in(trace: Trace) -> str:
    """Say what would have allowed, but for a layer that can only take away."""
    named, allowed = trace.named_by, trace.identity_allowed_by
    half = named or trace.delegated_by
    by_policies = allowed is not None and (half is not None or not trace.has_key_policy)
    if trace.granted_by is not None and (trace.retires or not by_policies):
        return _granted(trace.granted_by, trace)
    if not trace.crosses_accounts and not trace.retires and named is not None:
        everyone = named.clauses[0].wanted[:1] == ("*",)
        return f"the key policy {'allows everyone' if everyone else f'names {_caller(trace)}'} ({named.number})"
    assert allowed is not None
    iam = f"{allowed.policy} of {_caller(trace)} allows {_what(trace)} ({allowed.number})"
    if half is None or trace.retires:
        return iam
    if trace.crosses_accounts:
        lets = f"of account {trace.request.resource_account} {_lets_in(trace)}"
    else:
        lets = "lets IAM decide"
    return f"the key policy {lets} ({half.number}), and {iam}"


def _grant_constraint(_: DecidedBy, trace: Trace) -> str:
    grant = min(
        (s for s in trace.statements("grant", "Allow") if s.is_about("Constraint", "Child")),
        key=lambda one: len(one.failed),
    )
    return f"{_granted(grant, trace)}, but {_failures(grant)}"


def _implicit_deny(_: DecidedBy, trace: Trace) -> str:
    caller, what = _caller(trace), _what(trace)
    kind = trace.request.principal.kind
    if trace.has_key_policy and (kind in ("service", "anonymous", "root-user")):
        more = " and the root user of the account has no way around it" if kind == "root-user" else ""
        return f"the key policy does not allow {caller} {what}{',' if more else ''}{more}"
    if kind in ("service", "anonymous"):
        return f"{caller} can have no identity policy, and nothing else could allow {what}"
    if not trace.has_key_policy:
        return f"no identity policy of {caller} allows {what}"
    if trace.delegated_by:
        return f"the key policy lets IAM decide, and no identity policy of {caller} allows {what}"
    return f"neither the key policy nor an identity policy of {caller} allows {what}"


def _no_delegation(_: DecidedBy, trace: Trace) -> str:
    allowed = trace.identity_allowed_by
    assert allowed is not None
    return (
        f"{allowed.policy} of {_caller(trace)} allows {_what(trace)} ({allowed.number}), but the key policy"
        " neither gives it to the caller by name nor lets IAM decide about it, so that allow has no effect"
    )


def _no_key_half(_: DecidedBy, trace: Trace) -> str:
    request = trace.request
    return (
        f"the key belongs to account {request.resource_account}, and its key policy gives {_foreigner(trace)}"
        f" no {request.action}"
    )


def _no_identity_half(_: DecidedBy, trace: Trace) -> str:
    return (
        f"the key policy of account {trace.request.resource_account} {_lets_in(trace)}, but across accounts"
        f" an identity policy must allow {_what(trace)} too, and none does"
    )


def _not_retiring(_: DecidedBy, trace: Trace) -> str:
    caller, held = _caller(trace), list(trace.statements("grant", "Allow"))
    if not held:
        return f"there is no grant that {caller} could retire"
    name = held[0].policy if len(held) == 1 else f"each of the {len(held)} grants"
    return (
        f"{name} names others than {caller} as its retiring principal and as grantee with RetireGrant, the key policy"
        " has no say in it, and no account that may retire it, or owns the key, lets IAM policies allow it"
    )


_WORDS: dict[str, Callable[[DecidedBy, Trace], str]] = {
    "key-policy": _key_policy,
    "iam-via-key-policy": _iam_via_key_policy,
    "account-root": _account_root,
    "cross-account": _cross_account,
    "iam-policy": _iam_policy,
    "grant": _grant,
    "grant-constraint": _grant_constraint,
    "boundary": _limited,
    "session-policy": _limited,
    "scp": _scp,
    "vpce": _vpce,
    "explicit-deny": _explicit_deny,
    "implicit-deny": _implicit_deny,
    "no-iam-delegation": _no_delegation,
    "not-cross-account": _not_cross_account,
    "cross-account-no-key-policy": _no_key_half,
    "cross-account-no-iam-policy": _no_identity_half,
}

#: What RetireGrant says differently.
_RETIRING: dict[str, Callable[[DecidedBy, Trace], str]] = {
    "account-root": _retiring_by_iam,
    "iam-policy": _retiring_by_iam,
    "implicit-deny": _not_retiring,
}

# ---------------------------------------------------------------------------------------------------------
# What nearly matched, and what matched strangely
# ---------------------------------------------------------------------------------------------------------

#: Where a silent denial looks for the statement that nearly allowed, if not in the layer that was silent.
_NEAR = {
    "implicit-deny": ("grant", "identity-policy", "key-policy"),
    "no-iam-delegation": ("grant", "key-policy"),
    "cross-account-no-key-policy": ("grant", "key-policy"),
    "cross-account-no-iam-policy": ("grant", "identity-policy"),
}
#: The clauses that may have failed, the nearest miss first.
_NEARNESS = (
    ("Condition", "Constraint", "Child", "IAM", "InForce"),
    ("Resource",),
    ("Principal", "Grantee"),
    ("Operations",),
)


def near_miss(trace: Trace, reason: str) -> StatementTrace | None:
    """Return the statement or grant that came nearest to turning a silent denial into an allow."""
    if reason in ("boundary", "session-policy", "scp", "vpce"):
        allows = [s for s in trace.deciding.statements("Allow") if not s.applies]
    else:
        allows = [s for layer in _NEAR.get(reason, ()) for s in trace.statements(layer, "Allow") if not s.applies]
    # a key policy statement that names the caller, but for another action, is nearer than one about somebody else
    by_action = (("Action",),) if reason in ("no-iam-delegation", "cross-account-no-key-policy") else ()
    for elements in (*_NEARNESS[:2], *by_action, *_NEARNESS[2:]):
        near = [statement for statement in allows if statement.is_about(*elements)]
        if near:
            return min(near, key=lambda statement: len(statement.failed))
    return None


def _near_miss(reason: str, trace: Trace) -> str:
    near = near_miss(trace, reason)
    return "" if near is None else f"; the nearest is {near.name}, where everything matched but {_failures(near)}"


def _failures(statement: StatementTrace) -> str:
    return " and ".join(clause.why for clause in statement.failed)


def _by_absence(statement: StatementTrace) -> str:
    """Name the conditions that were met only because the request lacks the key."""
    trap = [
        clause.why
        for clause in statement.clauses
        if clause.element == "Condition" and clause.found is None and clause.why.endswith("for a match")
    ]
    return f"; note that {' and '.join(trap)}" if trap else ""


def _what(trace: Trace) -> str:
    request = trace.request
    kind = next((kind for kind in ("alias", "key") if f":{kind}/" in request.resource), None)
    return f"{request.action} on this {kind}" if kind else request.action


def _caller(trace: Trace) -> str:
    return who(trace.request.principal)


def _foreigner(trace: Trace) -> str:
    """A caller of another account: ``eve of account 444455556666``; a root user's name tells the account by itself."""
    principal = trace.request.principal
    return _caller(trace) if principal.kind == "root-user" else f"{_caller(trace)} of account {principal.account}"


def _capital(text: str) -> str:
    """Begin with a capital letter, unless the name of an action or a service does."""
    first = text.split(" ", 1)[0]
    return text if ":" in first or "." in first else text[:1].upper() + text[1:]


# ---------------------------------------------------------------------------------------------------------
# The indented text
# ---------------------------------------------------------------------------------------------------------

#: What an outcome is called, with a sign that says the same.
OUTCOMES = {
    "deny": ("✘", "denies"),
    "allow": ("✔", "allows"),
    "silent": ("○", "silent"),
    "none": ("–", "says nothing"),
    "spared": ("↷", "not asked"),
}
MATCHED = {True: ("✔", "matched"), False: ("✘", "not matched")}
DECIDES = ("◀", "decides")


def text(verdict: Told) -> str:
    """Return the verdict and its trace as indented text.

    ::

        DENY (implicit-deny)
        The key policy lets IAM decide, and no identity policy of dana allows kms:Decrypt on this key.
        request: arn:... asks for kms:Decrypt on arn:...
          ✔ key policy: allows: statement 1 of the key policy lets IAM decide for the account
            ✔ statement 1 (Allow): applies
              ✔ matched  Principal: wants arn:...; the request has arn:...
          ○ identity policies of dana: silent: there is none  ◀ decides
    """
    request, trace = verdict.request, verdict.trace
    lines = [
        f"{verdict.decision} ({verdict.reason})",
        verdict.sentence,
        f"request: {request.principal.arn} asks for {request.action} on {request.resource}",
    ]
    lines += [f"the request had no {name}" for name in trace.missing_context]
    lines += [
        f"also asked: {one.request.action} on {one.request.resource}: {one.decision} ({one.reason})"
        for one in verdict.earlier
    ]
    by = verdict.decided_by
    for layer in trace.layers:
        lines += _layer_lines(layer, by)
    return "\n".join(lines)


def _layer_lines(layer: LayerTrace, by: DecidedBy) -> Iterator[str]:
    sign, word = OUTCOMES[layer.outcome]
    mark = f"  {' '.join(DECIDES)}" if layer.decides else ""
    yield f"  {sign} {layer.title}: {word}: {layer.why}{mark}"
    for policy in layer.policies:
        for statement in policy.statements:
            head, clauses = _statement_lines(statement)
            settled = layer.decides and settles(statement, by)
            yield f"{head}  {' '.join(DECIDES)}" if settled else head
            yield from clauses


@lru_cache(maxsize=8192)
def _statement_lines(statement: StatementTrace) -> tuple[str, tuple[str, ...]]:
    applies = statement.applies
    return (
        f"    {MATCHED[applies][0]} {title(statement)}: {applied(statement)}",
        tuple(f"      {' '.join(MATCHED[clause.matched])}  {compared(clause)}" for clause in statement.clauses),
    )


def settles(statement: StatementTrace, by: DecidedBy) -> bool:
    """Whether a statement or grant of the deciding layer is the one that decided."""
    return statement.policy == by.policy and statement.index == (by.index or 0)


def title(statement: StatementTrace) -> str:
    """``statement "Sid" of the key policy (Allow)``, or a grant's name."""
    return f"{statement.name} ({statement.effect})" if statement.index else statement.name


def applied(statement: StatementTrace) -> str:
    """Whether a statement applies, in words."""
    return "applies" if statement.applies else "does not apply"


def compared(clause: ClauseTrace) -> str:
    """What the policy wants and what the request has."""
    return f"{clause.element}: wants {_values(clause.wanted)}; the request has {_values(clause.found or ())}"


def _values(values: Iterable[str]) -> str:
    return ", ".join(values) or "nothing"
