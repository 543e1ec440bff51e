"""Explanations: the full trace of a decision, replayed from the compiled form, and one sentence about it.

The trace asks every compiled statement the same questions the decision asked, but does not stop at the
first answer: each clause says whether it matched, what the policy wanted and what the request had.

Not here: the decision itself (see ``evaluate``).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass

from kms_lab.core.keys import Grant
from kms_lab.core.names import Principal
from kms_lab.policy import grants
from kms_lab.policy.compiled import CompiledPolicy, CompiledStatement, Layers, Naming, Pairs, Request
from kms_lab.policy.match import Condition, NullCondition


@dataclass(frozen=True, slots=True)
class DecidedBy:
    """What settled a decision.

    Attributes:
        layer: ``key-policy``, ``identity-policy``, ``grant``, ``account`` (the root user needs no policy) or
            ``operation`` (it does not work across accounts).
        policy: ``key policy``, ``identity policy 2`` or ``grant "orders" (0123abcd)``; None where none was asked.
        sid, index: the statement (index from 1); None where the layer's silence decided.
    """

    layer: str
    policy: str | None = None
    sid: str | None = None
    index: int | None = None

    @property
    def statement(self) -> str | None:
        """``statement "Sid" of the key policy``, or None."""
        if self.index is None or self.policy is None:
            return None
        return f"{_statement_name(self.sid, self.index)} of {_the(self.policy)}"

    def to_data(self) -> dict[str, object]:
        """Layer, policy, and the Sid or else the index."""
        data: dict[str, object] = {"layer": self.layer, "policy": self.policy}
        if self.sid:
            data["sid"] = self.sid
        elif self.index is not None:
            data["index"] = self.index
        return data


@dataclass(frozen=True, slots=True)
class ClauseTrace:
    """One clause of one statement.

    Attributes:
        element: ``Principal``, ``NotAction``, ``Condition`` ... as in the document; of a grant, ``Grantee``,
            ``Operations``, ``Constraint`` ...
        matched: whether it lets the statement apply.
        wanted: what the policy says.
        found: what the request says; None for an absent condition key.
        why: a short phrase that completes "everything matched but ...".
        missing: condition keys it needed and the request lacked.
    """

    element: str
    matched: bool
    wanted: tuple[str, ...]
    found: tuple[str, ...] | None
    why: str
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StatementTrace:
    """One statement, with all its clauses in the order Principal, Action, Resource, Condition."""

    policy: str
    index: int
    sid: str | None
    effect: str
    naming: str
    applies: bool
    clauses: tuple[ClauseTrace, ...]

    @property
    def name(self) -> str:
        """``statement "Sid" of the key policy``."""
        return f"{_statement_name(self.sid, self.index)} of {_the(self.policy)}"

    @property
    def failed(self) -> tuple[ClauseTrace, ...]:
        """The clauses that kept the statement from applying."""
        return tuple(clause for clause in self.clauses if not clause.matched)

    def is_about(self, *elements: str) -> bool:
        """Whether no clause failed but those of the elements named."""
        return all(clause.element.removeprefix("Not") in elements for clause in self.failed)


@dataclass(frozen=True, slots=True)
class GrantTrace(StatementTrace):
    """One grant, told like a statement that allows."""

    @property
    def name(self) -> str:
        """``grant "orders" (0123abcd)``."""
        return self.policy


@dataclass(frozen=True, slots=True)
class PolicyTrace:
    """One policy: its layer, its name for people, and its statements. A grant is a policy of one statement."""

    layer: str
    policy: str
    statements: tuple[StatementTrace, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything that was asked. The properties are the facts the rules in ``evaluate`` build on."""

    request: Request
    policies: tuple[PolicyTrace, ...]

    def statements(self, layer: str, effect: str) -> Iterator[StatementTrace]:
        """The statements of one layer with one effect."""
        for policy in self.policies:
            if policy.layer == layer:
                yield from (statement for statement in policy.statements if statement.effect == effect)

    def _first(self, layer: str, effect: str, naming: str | None = None) -> StatementTrace | None:
        for statement in self.statements(layer, effect):
            if statement.applies and naming in (None, statement.naming):
                return statement
        return None

    @property
    def has_key_policy(self) -> bool:
        """Whether the request is about a key."""
        return any(policy.layer == "key-policy" for policy in self.policies)

    @property
    def denied_by(self) -> StatementTrace | None:
        """The first explicit deny that applies."""
        return self._first("key-policy", "Deny") or self._first("identity-policy", "Deny")

    @property
    def named_by(self) -> StatementTrace | None:
        """The first key policy statement that allows the caller by name."""
        return self._first("key-policy", "Allow", "named")

    @property
    def delegated_by(self) -> StatementTrace | None:
        """The first key policy statement that allows the caller's account."""
        return self._first("key-policy", "Allow", "account")

    @property
    def identity_allowed_by(self) -> StatementTrace | None:
        """The first identity policy statement that allows."""
        return self._first("identity-policy", "Allow")

    @property
    def crosses_accounts(self) -> bool:
        """Whether the resource is another account's."""
        account = self.request.principal.account
        return bool(account) and self.request.resource_account not in (account, "")

    @property
    def missing_context(self) -> tuple[str, ...]:
        """Condition keys asked for by statements that cover this principal, action and resource."""
        found: dict[str, None] = {}
        for policy in self.policies:
            for statement in policy.statements:
                if statement.is_about("Condition"):
                    for clause in statement.clauses:
                        found.update(dict.fromkeys(clause.missing))
        return tuple(found)

    def to_data(self) -> dict[str, object]:
        """The trace as JSON-ready data."""
        return {"layers": [_plain(policy) for policy in self.policies]}


def replay(request: Request, layers: Layers) -> Trace:
    """Ask every statement every question of a decision again, and write the answers down."""
    policies = []
    retiring = request.action.lower() == grants.RETIRE_GRANT
    if layers.key_policy is not None and not retiring:
        policies.append(_policy("key-policy", "key policy", layers.key_policy, request))
    for number, policy in enumerate(layers.identity_policies):
        policies.append(_policy("identity-policy", _identity_name(number), policy, request))
    iam = bool(layers.grants) and Trace(request, tuple(policies)).identity_allowed_by is not None
    for grant in layers.grants:
        told = _retirement(grant, request) if retiring else _grant(grant, request, iam)
        policies.append(PolicyTrace("grant", told.policy, (told,)))
    return Trace(request, tuple(policies))


def decided_by(statement: CompiledStatement, policy: int | None) -> DecidedBy:
    """Name the statement that decided; ``policy`` is None for the key policy."""
    source = statement.source
    if policy is None:
        return DecidedBy("key-policy", "key policy", source.sid, source.index)
    return DecidedBy("identity-policy", _identity_name(policy), source.sid, source.index)


def silence(reason: str, trace: Trace) -> DecidedBy:
    """Name the layer whose silence decided."""
    if reason == "not-cross-account":
        return DecidedBy("operation")
    if reason == "account-root":
        return DecidedBy("account")
    if reason == "not-retiring":
        return DecidedBy("grant")
    waits_for_identity = not trace.has_key_policy or trace.delegated_by or trace.named_by
    if reason not in ("no-iam-delegation", "cross-account-no-key-policy") and waits_for_identity:
        return DecidedBy("identity-policy")
    return DecidedBy("key-policy", "key policy")


# ---------------------------------------------------------------------------------------------------------
# The trace, clause by clause
# ---------------------------------------------------------------------------------------------------------


def _policy(layer: str, name: str, policy: CompiledPolicy, request: Request) -> PolicyTrace:
    return PolicyTrace(layer, name, tuple(_statement(name, s, request) for s in policy.statements))


def _statement(policy: str, statement: CompiledStatement, request: Request) -> StatementTrace:
    source = statement.source
    naming = statement.naming(request.principal)
    clauses = [_action(statement, request), _resource(statement, request)]
    if source.principals is not None:
        clauses.insert(0, _principal(statement, naming, request.principal))
    clauses.extend(_condition(condition, request) for condition in statement.conditions)
    return StatementTrace(
        policy=policy,
        index=source.index,
        sid=source.sid,
        effect=source.effect,
        naming=naming.name.lower(),
        applies=all(clause.matched for clause in clauses),
        clauses=tuple(clauses),
    )


def _principal(statement: CompiledStatement, naming: Naming, principal: Principal) -> ClauseTrace:
    source = statement.source
    assert source.principals is not None
    listed = source.principals.listed()
    element = "NotPrincipal" if source.not_principal else "Principal"
    if source.not_principal:
        why = f"its NotPrincipal {'does not list' if naming else 'lists'} {who(principal)}"
    elif naming is Naming.NAMED:
        why = f"its Principal names {'everyone' if source.principals.everyone else who(principal)}"
    elif naming is Naming.ACCOUNT:
        why = f"its Principal names account {principal.account}, whose IAM policies then decide"
    else:
        why = f"its Principal, which lists {_choice(listed)}"
    return ClauseTrace(element, bool(naming), listed, _levels(principal), why)


def _levels(principal: Principal) -> tuple[str, ...]:
    if principal.arn == principal.identity_arn:
        return (principal.arn,)
    return (principal.arn, principal.identity_arn)


def _action(statement: CompiledStatement, request: Request) -> ClauseTrace:
    source = statement.source
    matched = statement.covers_action(request.action.lower())
    element = "NotAction" if source.not_action else "Action"
    if source.actions is None:
        why = "the missing Action, without which a statement has no effect"
    elif matched:
        why = f"its {element} covers {request.action}"
    else:
        why = f"its {element}, which does not cover {request.action}"
    return ClauseTrace(element, matched, source.actions or (), (request.action,), why)


def _resource(statement: CompiledStatement, request: Request) -> ClauseTrace:
    source = statement.source
    matched = statement.covers_resource(request.resource, request.context)
    element = "NotResource" if source.not_resource else "Resource"
    wanted = source.resources or ()
    if source.resources is None:
        why = "the missing Resource, without which a statement has no effect"
    elif matched:
        why = f"its {element} covers {request.resource}"
    elif ":key/" in request.resource and any(":alias/" in text for text in wanted):
        why = f"its {element} {_choice(wanted)}, for an alias ARN never means the key"
    else:
        why = f"its {element} {_choice(wanted)}, which does not cover {request.resource}"
    return ClauseTrace(element, matched, wanted, (request.resource,), why)


def _condition(condition: Condition, request: Request) -> ClauseTrace:
    source = condition.source
    value = condition.value(request.context)
    matched = condition.holds(request.context)
    found = None if value is None else (value,) if isinstance(value, str) else value
    open_variables = () if value is None else condition.open_variables(request.context)
    if isinstance(condition, NullCondition):
        why = f"{source.key} is {'absent' if found is None else 'present'}"
    elif found is None:
        why = f"{source.key} {'is never seen by a key policy' if condition.blind else 'is absent'}"
    elif open_variables:
        why = f"the policy variable {open_variables[0]} has no value"
    else:
        why = f"{source.key} is {_quoted(found)}, where {source.operator} wants {_quoted(source.values)}"
    missing = (source.key,) if found is None else open_variables
    return ClauseTrace("Condition", matched, (f"{source.operator} {source.key}", *source.values), found, why, missing)


# ---------------------------------------------------------------------------------------------------------
# Grants, told like statements
# ---------------------------------------------------------------------------------------------------------


def _grant(grant: Grant, request: Request, iam: bool) -> GrantTrace:
    """Tell a grant; ``iam``: does an identity policy allow too, as a grant to an account needs?"""
    action = request.action.lower()
    naming = grants.naming(grant.grantee, request.principal)
    clauses = [_grantee(grant, naming, request), _operations(grant, request)]
    if naming is Naming.ACCOUNT:
        says = "an" if iam else "no"
        why = f"{says} identity policy of {who(request.principal)} allows it, which a grant to an account needs"
        clauses.append(ClauseTrace("IAM", iam, (request.action,), (request.action,) if iam else None, why))
    if grant.id in request.asked.early:
        why = "its age: it has not reached all of KMS yet, so wait, or pass its grant token"
        clauses.append(ClauseTrace("InForce", False, ("a grant token",), None, why))
    clauses += [_child(grant, request)] if action == grants.CREATE_GRANT else _contexts(grant, request)
    if grant.source_arn:
        clauses.append(_source(grant, request))
    return _told(grant, naming, clauses)


def _grantee(grant: Grant, naming: Naming, request: Request) -> ClauseTrace:
    why = f"its grantee {'is' if naming else 'is not'} {who(request.principal)}"
    return ClauseTrace("Grantee", bool(naming), (grant.grantee,), _levels(request.principal), why)


def _operations(grant: Grant, request: Request) -> ClauseTrace:
    operation = request.action.partition(":")[2]
    matched = grants.covers(grant, request.action.lower())
    why = f"its operations {'include' if matched else 'do not include'} {operation}"
    return ClauseTrace("Operations", matched, grant.operations, (operation,), why)


def _contexts(grant: Grant, request: Request) -> Iterator[ClauseTrace]:
    wishes = (("EncryptionContextEquals", grant.context_equals), ("EncryptionContextSubset", grant.context_subset))
    for name, wanted in wishes:
        if wanted is not None:
            found = request.asked.context
            matched = grants.context_fits(grant, request.action.lower(), found)
            why = f"its {name} wants {_pairs(wanted)}, where the request has {_pairs(found)}"
            yield ClauseTrace("Constraint", matched, (name, _pairs(wanted)), (_pairs(found),), why)


def _source(grant: Grant, request: Request) -> ClauseTrace:
    source_arn = request.asked.source_arn
    matched = grants.source_fits(grant, request.action.lower(), source_arn)
    why = f"its SourceArn wants {grant.source_arn}, where the request has {source_arn or 'none'}"
    found = (source_arn,) if source_arn else None
    return ClauseTrace("Constraint", matched, ("SourceArn", grant.source_arn), found, why)


def _child(grant: Grant, request: Request) -> ClauseTrace:
    child = request.asked.child
    matched = grants.child_fits(grant, request.action.lower(), child)
    why = "the new grant permits nothing more, on terms as strict"
    if not matched:
        why = "the new grant permits more, or on terms less strict"
    return ClauseTrace("Child", matched, grant.operations, None if child is None else child.operations, why)


def _retirement(grant: Grant, request: Request) -> GrantTrace:
    """Tell whether a grant lets the caller retire it."""
    naming = grants.may_retire(grant, request.principal)
    listed = [grant.retiring] if grant.retiring else []
    if grants.covers(grant, grants.RETIRE_GRANT):
        listed.append(grant.grantee)
    listed.append(grant.issuer)
    matched = naming is Naming.NAMED
    why = f"those who may retire it {'include' if matched else 'do not include'} {who(request.principal)}"
    named = ClauseTrace("Retiring", matched, tuple(listed), _levels(request.principal), why)
    return _told(grant, naming, [named])


def _told(grant: Grant, naming: Naming, clauses: list[ClauseTrace]) -> GrantTrace:
    applies = all(clause.matched for clause in clauses)
    return GrantTrace(grants.title(grant), 1, None, "Allow", naming.name.lower(), applies, tuple(clauses))


def _pairs(pairs: Pairs) -> str:
    return ", ".join(f"{key}={value}" for key, value in pairs) or "no encryption context"


# ---------------------------------------------------------------------------------------------------------
# The sentence
# ---------------------------------------------------------------------------------------------------------


def who(principal: Principal) -> str:
    """A caller in words: ``dana``, ``role App``, ``the root user of account 111122223333``."""
    match principal.kind:
        case "role-session":
            return f"role {principal.name}"
        case "root-user":
            return f"the root user of account {principal.account}"
        case "federated-user":
            return f"federated user {principal.name}"
        case _:
            return principal.name if principal.kind == "user" else principal.arn


def sentence(reason: str, by: DecidedBy, trace: Trace) -> str:
    """Say the decision in one sentence, with the nearest miss of a silent denial."""
    text = _WORDS[reason](by, trace)
    near = _near_miss(reason, trace)
    return f"{text}{near}."


def _what(request: Request) -> str:
    kind = next((kind for kind in ("alias", "key") if f":{kind}/" in request.resource), None)
    return f"{request.action} on this {kind}" if kind else request.action


def _allow_key_policy(_: DecidedBy, trace: Trace) -> str:
    named = trace.named_by
    assert named is not None
    return f"{_capital(named.name)} allows {_what(trace.request)}, and {named.clauses[0].why}"


def _allow_iam_via_key_policy(by: DecidedBy, trace: Trace) -> str:
    assert trace.delegated_by is not None
    return (
        f"The key policy lets IAM decide ({_number(trace.delegated_by)}), and {by.policy} of {_caller(trace)}"
        f" allows {_what(trace.request)} ({_number(by)})"
    )


def _allow_account_root(by: DecidedBy, trace: Trace) -> str:
    root = _caller(trace)
    if by.index is None:
        return f"{_capital(root)} may {_what(trace.request)} without any policy"
    return f"The key policy gives the account {_what(trace.request)} ({_number(by)}), and {root} is the account"


def _allow_cross_account(by: DecidedBy, trace: Trace) -> str:
    allowed = trace.identity_allowed_by
    request = trace.request
    half = f"{allowed.name} allows it too" if allowed else "its root user needs no more"
    return (
        f"Both halves of a cross-account call allow {_what(request)}: the key policy of account"
        f" {request.resource_account} lets account {request.principal.account} in ({_number(by)}), and {half}"
    )


def _allow_iam_policy(by: DecidedBy, trace: Trace) -> str:
    return f"{_capital(by.policy or '')} of {_caller(trace)} allows {_what(trace.request)} ({_number(by)})"


def _allow_grant(by: DecidedBy, trace: Trace) -> str:
    grant = next(s for s in trace.statements("grant", "Allow") if s.policy == by.policy)
    what, caller = _what(trace.request), _caller(trace)
    if grant.naming == "named":
        return f"{_capital(grant.policy)} lets {caller} call {what}"
    account, allowed = trace.request.principal.account, trace.identity_allowed_by
    assert allowed is not None
    return f"{_capital(grant.policy)} lets account {account} call {what}, and {allowed.name} of {caller} allows it too"


def _deny_not_retiring(_: DecidedBy, trace: Trace) -> str:
    return (
        f"The grant decides who may retire it, and it names {_caller(trace)} neither as retiring principal nor as a"
        " grantee with RetireGrant; nor did an account that may retire it, or owns the key, delegate that by IAM"
    )


def _deny_explicit(by: DecidedBy, trace: Trace) -> str:
    name = by.statement or ""
    return (
        f"{name[0].upper()}{name[1:]} explicitly denies {_caller(trace)} {_what(trace.request)},"
        " and an explicit deny beats every allow"
    )


def _deny_implicit(_: DecidedBy, trace: Trace) -> str:
    caller, what = _caller(trace), _what(trace.request)
    kind = trace.request.principal.kind
    if kind == "service" or (kind == "root-user" and trace.has_key_policy):
        return f"The key policy does not allow {caller} {what}"
    if not trace.has_key_policy:
        return f"No identity policy of {caller} allows {what}"
    if trace.delegated_by:
        return f"The key policy lets IAM decide, and no identity policy of {caller} allows {what}"
    return f"Neither the key policy nor an identity policy of {caller} allows {what}"


def _deny_no_delegation(_: DecidedBy, trace: Trace) -> str:
    allowed = trace.identity_allowed_by
    assert allowed is not None
    return (
        f"{_capital(allowed.policy)} of {_caller(trace)} allows {_what(trace.request)}"
        f" ({_number(allowed)}), but the key policy neither names the caller nor lets IAM decide,"
        " so that allow has no effect"
    )


def _deny_not_cross_account(_: DecidedBy, trace: Trace) -> str:
    request = trace.request
    return (
        f"{request.action} does not work on a key of another account ({request.resource_account}),"
        " whatever the policies say"
    )


def _deny_no_key_half(_: DecidedBy, trace: Trace) -> str:
    request = trace.request
    return (
        f"The key belongs to account {request.resource_account}, and its key policy gives"
        f" {_caller(trace)} of account {request.principal.account} no {request.action}"
    )


def _deny_no_identity_half(_: DecidedBy, trace: Trace) -> str:
    request = trace.request
    return (
        f"The key policy of account {request.resource_account} lets {_caller(trace)} in, but across accounts"
        f" an identity policy must allow {_what(request)} too, and none does"
    )


_WORDS = {
    "key-policy": _allow_key_policy,
    "iam-via-key-policy": _allow_iam_via_key_policy,
    "account-root": _allow_account_root,
    "cross-account": _allow_cross_account,
    "iam-policy": _allow_iam_policy,
    "grant": _allow_grant,
    "not-retiring": _deny_not_retiring,
    "explicit-deny": _deny_explicit,
    "implicit-deny": _deny_implicit,
    "no-iam-delegation": _deny_no_delegation,
    "not-cross-account": _deny_not_cross_account,
    "cross-account-no-key-policy": _deny_no_key_half,
    "cross-account-no-iam-policy": _deny_no_identity_half,
}

#: Where a silent denial looks for the statement that nearly allowed.
_NEAR = {
    "implicit-deny": ("grant", "identity-policy", "key-policy"),
    "no-iam-delegation": ("grant", "key-policy"),
    "cross-account-no-key-policy": ("grant", "key-policy"),
    "cross-account-no-iam-policy": ("grant", "identity-policy"),
}


def _near_miss(reason: str, trace: Trace) -> str:
    layers = _NEAR.get(reason, ())
    allows = [s for layer in layers for s in trace.statements(layer, "Allow") if not s.applies]
    for elements in (
        ("Condition", "Constraint", "Child", "IAM", "InForce"),
        ("Resource",),
        ("Principal", "Grantee"),
        ("Operations",),
    ):
        near = [statement for statement in allows if statement.is_about(*elements)]
        if near:
            best = min(near, key=lambda statement: len(statement.failed))
            but = " and ".join(clause.why for clause in best.failed)
            name = best.name
            return f"; the nearest is {name}, where everything matched but {but}"
    return ""


def _caller(trace: Trace) -> str:
    return who(trace.request.principal)


def _number(statement: DecidedBy | StatementTrace) -> str:
    return _statement_name(statement.sid, statement.index or 0)


def _statement_name(sid: str | None, index: int) -> str:
    return f'statement "{sid}"' if sid else f"statement {index}"


def _the(policy: str) -> str:
    return f"the {policy}" if policy == "key policy" else policy


def _identity_name(number: int) -> str:
    return f"identity policy {number + 1}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _quoted(values: Iterable[str]) -> str:
    return _choice([f'"{value}"' for value in values])


def _choice(values: Iterable[str]) -> str:
    texts = list(values)
    if len(texts) > 3:
        texts = [*texts[:2], f"{len(texts) - 2} more"]
    return " or ".join(texts) if texts else "nothing"


def _plain(value: object) -> object:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
