"""Replaying a decision: every statement is asked every question again, and the answers are written down.

The decision stops at the first answer; the replay does not. Each clause says whether it matched, what the policy wanted
and what the request had, and each layer what that comes to.

Not here: the decision itself (see ``evaluate``), and the records (see ``trace``).
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple, Protocol

from kms_lab.core.keys import Grant
from kms_lab.core.names import Principal
from kms_lab.policy import grants, guardrails
from kms_lab.policy.compiled import CompiledPolicy, CompiledStatement, Layers, Naming, Pairs, Request
from kms_lab.policy.match import Condition, Context, NullCondition
from kms_lab.policy.trace import (
    NAMES,
    ClauseTrace,
    DecidedBy,
    LayerTrace,
    PolicyTrace,
    StatementTrace,
    Trace,
    choice,
    crosses_accounts,
    together,
    who,
)


class Decision(Protocol):
    """What is explained: the decided part of a verdict (see ``evaluate.Verdict``)."""

    @property
    def allowed(self) -> bool: ...
    @property
    def reason(self) -> str: ...
    @property
    def request(self) -> Request: ...
    @property
    def layers(self) -> Layers: ...
    @property
    def held(self) -> tuple[Grant, ...]: ...
    @property
    def layer(self) -> str: ...
    @property
    def place(self) -> tuple[str, tuple[int, ...], CompiledStatement] | None: ...
    @property
    def grant(self) -> Grant | None: ...


def decided_by(decision: Decision, trace: Trace | None = None) -> DecidedBy:
    """Name what decided: a grant, a statement, or the layer that was silent."""
    if decision.grant is not None:
        return DecidedBy("grant", grants.title(decision.grant))
    if decision.place is not None:
        layer, at, statement = decision.place
        return DecidedBy(layer, _name(layer, at, decision.layers), statement.source.sid, statement.source.index)
    silent = (trace or replay(decision)).deciding
    return DecidedBy(silent.layer, silent.title)


# ---------------------------------------------------------------------------------------------------------
# The layers
# ---------------------------------------------------------------------------------------------------------


#: a policy and its place in its layer, as ``Layers.policies`` has it
_Placed = tuple[tuple[int, ...], CompiledPolicy]


class _Asked(NamedTuple):
    """A layer before its outcome is known. ``level``: from 0, of an organization. ``spared``: why it was not asked."""

    layer: str
    level: int
    title: str
    policies: tuple[PolicyTrace, ...] = ()
    spared: str = ""

    def told(self, outcome: str = "", why: str = "", decides: bool = False) -> LayerTrace:
        return LayerTrace(self.layer, self.title, outcome, why, self.policies, decides)


def replay(decision: Decision) -> Trace:
    """Ask every statement every question of a decision again, and write the answers down."""
    request = decision.request
    asked = list(_policies(request, decision.layers))
    facts = Trace(request, tuple([layer.told() for layer in asked]))
    told = _grants(decision, facts)
    code = decision.layer
    if told or code == "grant":
        asked.append(_Asked("grant", 0, "grants", told))
        facts = Trace(request, (*facts.layers, asked[-1].told()))
    layers = [_without_policies(code, request)] if code in ("operation", "account") else []
    level = decision.place[1][0] if decision.place and code in ("scp", "rcp") else None
    settled = bool(layers)
    for layer, plain in zip(asked, facts.layers):
        outcome, why = ("spared", layer.spared) if layer.spared else _outcome(plain, facts)
        at_level = layer.level == level or (level is None and (code != "scp" or outcome == "silent"))
        decides = not settled and layer.layer == code and at_level
        settled = settled or decides
        layers.append(layer.told(outcome, why, decides))
    return Trace(request, tuple(layers))


def _without_policies(code: str, request: Request) -> LayerTrace:
    """The layer that decides without a policy: an operation that stays in its account, or the account's root user."""
    if code == "operation":
        why = f"{request.action} does not work on a resource of another account"
        return LayerTrace("operation", "operation", "deny", why, (), True)
    account = f"account {request.principal.account}"
    return LayerTrace("account", account, "allow", "the root user is the account, and needs no policy here", (), True)


def _outcome(layer: LayerTrace, trace: Trace) -> tuple[str, str]:
    """What a layer came to, and why."""
    deny = layer.first("Deny")
    if deny is not None:
        return "deny", f"{deny.name} denies it"
    allow = _allow_of(layer)
    if allow is not None:
        gives = "lets IAM decide for the account" if allow.index and allow.naming == "account" else "allows it"
        return "allow", f"{allow.name} {gives}"
    reason = _need_not(layer.layer, trace)
    if reason:
        return "none", reason
    return "silent", _silence(layer, trace.request)


def _allow_of(layer: LayerTrace) -> StatementTrace | None:
    if layer.layer == "key-policy":
        return layer.first("Allow", "named") or layer.first("Allow")
    return layer.first("Allow")


def _need_not(layer: str, trace: Trace) -> str:
    """Why a layer that does not allow need not; "" where it would have had to."""
    match layer:
        case "rcp":
            return "it denies nothing here, and AWS's own RCP allows everything"
        case "boundary" | "session-policy":
            if trace.is_direct:
                return "what the key policy or a grant gives to the caller's very ARN needs no allow of it"
        case "key-policy" | "identity-policy":
            if trace.granted_by is not None:
                return "it need not allow, for a grant does"
            if layer == "identity-policy" and trace.named_by is not None and not trace.crosses_accounts:
                return "it need not allow what the key policy of the same account gives to the caller by name"
        case "grant":
            if not trace.retires and not _only_constrained(trace):
                return "no grant allows it, and none has to"
    return ""


def _only_constrained(trace: Trace) -> bool:
    return any(statement.is_about("Constraint", "Child") for statement in trace.statements("grant", "Allow"))


def _silence(layer: LayerTrace, request: Request) -> str:
    if layer.policies:
        return f"nothing in it allows {request.action}"
    if layer.layer == "session-policy":
        return "there is none, and without one a federated user's session has no permissions"
    return "there is none"


def _policies(request: Request, layers: Layers) -> Iterator[_Asked]:
    """Every layer of policies, in the order in which denies are looked for."""
    for layer, level, present in _present(request, layers):
        if not guardrails.spares(layer, request, layers):
            told = [_policy(layer, _name(layer, at, layers), policy, request, layers) for at, policy in present]
            yield _Asked(layer, level, _title(layer, level, request.principal, layers), tuple(told))
        elif level == 0:
            title = _title(layer, None, request.principal, layers)
            yield _Asked(layer, level, title, (), _spared(layer, request, layers))


def _present(request: Request, layers: Layers) -> Iterator[tuple[str, int, list[_Placed]]]:
    """The layers that there are, with each of their levels, and the policies there with their places."""
    if layers.key_policy is not None or crosses_accounts(request):
        yield "key-policy", 0, _single(layers.key_policy)
    yield "identity-policy", 0, [((number,), policy) for number, policy in enumerate(layers.identity_policies)]
    if layers.boundary is not None:
        yield "boundary", 0, _single(layers.boundary)
    if layers.session_policy is not None or request.principal.kind == "federated-user":
        yield "session-policy", 0, _single(layers.session_policy)
    for level, policies in enumerate(layers.scps):
        yield "scp", level, [((level, number), policy) for number, policy in enumerate(policies)]
    for level, policies in enumerate(layers.rcps):
        if policies or guardrails.spares("rcp", request, layers):
            yield "rcp", level, [((level, number), policy) for number, policy in enumerate(policies)]
    if layers.endpoint is not None:
        yield "vpce", 0, _single(layers.endpoint)


def _single(policy: CompiledPolicy | None) -> list[_Placed]:
    return [] if policy is None else [((), policy)]


def _title(layer: str, level: int | None, principal: Principal, layers: Layers) -> str:
    match layer:
        case "identity-policy":
            return f"identity policies of {who(principal)}"
        case "boundary" | "session-policy":
            return f"{NAMES[layer]} of {who(principal)}"
        case "scp" | "rcp":
            return f"{layer.upper()}s" if level is None else f"{layer.upper()}s of {level_name(layer, level, layers)}"
    return NAMES[layer]


def _spared(layer: str, request: Request, layers: Layers) -> str:
    """Why a layer does not bind the caller."""
    principal = request.principal
    match layer:
        case "key-policy":
            return "the grant, and not the key policy, says who may retire it"
        case "rcp" if layers.aws_managed:
            return "an RCP does not reach AWS managed keys"
        case "scp" | "rcp" if guardrails.is_service_linked(principal):
            return f"an {layer.upper()} does not bind a service-linked role"
        case "rcp":
            return "an RCP does not reach RetireGrant"
    caller = {"root-user": "the root user", "service": "an AWS service"}.get(principal.kind, "an anonymous caller")
    return f"an SCP does not bind {caller}" if layer == "scp" else f"{caller} has none"


# ---------------------------------------------------------------------------------------------------------
# Statements, clause by clause
# ---------------------------------------------------------------------------------------------------------


def _policy(layer: str, name: str, policy: CompiledPolicy, request: Request, layers: Layers) -> PolicyTrace:
    return PolicyTrace(layer, name, tuple([_statement(layer, name, s, request, layers) for s in policy.statements]))


def _statement(
    layer: str, policy: str, statement: CompiledStatement, request: Request, layers: Layers
) -> StatementTrace:
    principal = request.principal
    naming = guardrails.naming_of(statement, principal, layers)
    direct = (
        layer == "key-policy"
        and naming is Naming.NAMED
        and not statement.deny
        and not crosses_accounts(request)
        and (not _is_session(principal) or statement.names_directly(principal))
    )
    question = _Question(policy, statement, naming, direct, principal, request.action, request.resource)
    if statement.conditions or statement.resource_keys:
        return _told(question, request.context)
    return _told_without_context(question)


class _Question(NamedTuple):
    """A statement of a policy of that name, how it names the caller, and what it was asked, its context aside."""

    policy: str
    statement: CompiledStatement
    naming: Naming
    direct: bool
    principal: Principal
    action: str
    resource: str


@lru_cache(maxsize=8192)
def _told_without_context(question: _Question) -> StatementTrace:
    """Tell a statement that looks at nothing in the context, remembered: most are asked the same again and again."""
    return _told(question, {})


def _told(question: _Question, context: Context) -> StatementTrace:
    statement, source = question.statement, question.statement.source
    clauses = [_action(statement, question.action), _resource(statement, question.resource, context)]
    if source.principals is not None:
        clauses.insert(0, _principal(statement, question.naming, question.principal))
    clauses += [_condition(condition, context) for condition in statement.conditions]
    return StatementTrace(
        question.policy,
        source.index,
        source.sid,
        source.effect,
        _NAMINGS[question.naming],
        question.direct,
        all(clause.matched for clause in clauses),
        tuple(clauses),
    )


_NAMINGS = {naming: naming.name.lower() for naming in Naming}


def _principal(statement: CompiledStatement, naming: Naming, principal: Principal) -> ClauseTrace:
    source = statement.source
    assert source.principals is not None
    listed = source.principals.listed()
    if source.not_principal:
        why = _not_principal(statement, naming, principal)
    elif naming is Naming.NAMED:
        whom = who(principal)
        if source.principals.everyone:
            whom = "everyone"
        elif _is_session(principal) and statement.names_directly(principal):
            whom = f"this very session of {whom}" if principal.kind == "role-session" else whom
        why = f"its Principal names {whom}"
    elif naming is Naming.ACCOUNT:
        why = f"its Principal names account {principal.account}, whose IAM policies then decide"
    else:
        why = f"its Principal, which lists {together(listed)}{_lookalike(listed, principal)}"
    element = "NotPrincipal" if source.not_principal else "Principal"
    return ClauseTrace(element, bool(naming), listed, _names_of(principal), why)


def _not_principal(statement: CompiledStatement, naming: Naming, principal: Principal) -> str:
    """Say whom a NotPrincipal spares. With Deny it takes the identity and its account to be spared."""
    listed = statement.source.principals
    assert listed is not None
    caller, account = who(principal), f"account {principal.account}"
    names = {principal.identity_arn, principal.unique_id or principal.identity_arn}
    identity = not names.isdisjoint(listed.aws + listed.services)
    session = principal.arn in listed.aws
    home = principal.account in listed.accounts()
    if not naming:
        both = statement.deny and home and identity and principal.kind != "root-user"
        return f"its NotPrincipal lists {'everyone' if listed.everyone else caller}{f' and {account}' if both else ''}"
    if not (identity or session or home):
        return f"its NotPrincipal does not list {caller}"
    if home and (identity or principal.kind == "root-user"):
        return "its NotPrincipal spares nobody who has a permissions boundary"
    if home:
        lacks = f"the session of {caller} but not the role itself" if session else f"{account} but not {caller}"
        return f"its NotPrincipal lists {lacks}, and spares only who is listed along with the account"
    return f"its NotPrincipal lists {caller} but not {account}, and it takes both to be spared"


def _lookalike(listed: tuple[str, ...], principal: Principal) -> str:
    """A hint at a name that is nearly the caller's: another session of the role, or the role without its path."""
    if principal.kind != "role-session":
        return ""
    for name in listed:
        if name.startswith(principal.arn.rpartition("/")[0] + "/"):
            return f": another session of {who(principal)}"
        if ":role/" in name and name.endswith(f"/{principal.name}") and f"::{principal.account}:" in name:
            return f", while the role's own ARN, path and all, is {principal.identity_arn}"
    return ""


def _names_of(principal: Principal) -> tuple[str, ...]:
    if principal.arn == principal.identity_arn:
        return (principal.arn,)
    return (principal.arn, principal.identity_arn)


def _action(statement: CompiledStatement, action: str) -> ClauseTrace:
    source = statement.source
    matched = statement.covers_action(action.lower())
    element = "NotAction" if source.not_action else "Action"
    if source.actions is None:
        why = "the missing Action, without which a statement has no effect"
    elif matched:
        why = f"its {element} covers {action}"
    else:
        why = f"its {element}, which does not cover {action}"
    return ClauseTrace(element, matched, source.actions or (), (action,), why)


def _resource(statement: CompiledStatement, resource: str, context: Context) -> ClauseTrace:
    source = statement.source
    matched = statement.covers_resource(resource, context)
    element = "NotResource" if source.not_resource else "Resource"
    wanted = source.resources or ()
    missing: tuple[str, ...] = ()
    if source.resources is None:
        why = "the missing Resource, without which a statement has no effect"
    elif matched:
        why = f"its {element} covers {resource}"
    else:
        missing = tuple(key for key in statement.resource_keys if not isinstance(context.get(key), str))
        why = f"its {element} {choice(wanted)}, {_not_covered(wanted, missing, resource)}"
    return ClauseTrace(element, matched, wanted, (resource,), why, missing)


def _not_covered(wanted: tuple[str, ...], missing: tuple[str, ...], resource: str) -> str:
    if missing:
        return f"where the policy variable {missing[0]} has no value"
    if ":key/" in resource and any(":alias/" in text for text in wanted):
        return "for an alias ARN never means the key"
    if resource == "*":
        return 'for a request that names no key asks for "*"'
    return f"which does not cover {resource}"


def _condition(condition: Condition, context: Context) -> ClauseTrace:
    source = condition.source
    value = condition.value(context)
    matched = condition.holds(context)
    found = None if value is None else (value,) if isinstance(value, str) else value
    missing: tuple[str, ...] = ()
    if found is None:
        why = f"{source.key} is {'never seen by a key policy' if condition.blind else 'absent'}"
        missing = () if condition.blind else (source.key,)
        if matched and not isinstance(condition, NullCondition):
            why += f", which {source.operator} takes for a match"
    elif isinstance(condition, NullCondition):
        why = f"{source.key} is present"
    elif missing := condition.open_variables(context):
        why = f"the policy variable {missing[0]} has no value"
    else:
        link = "as" if matched else "where"
        has, wants = together(_quoted(found)), choice(_quoted(source.values))
        why = f"{source.key} is {has}, {link} {source.operator} wants {wants}"
    return ClauseTrace("Condition", matched, (f"{source.operator} {source.key}", *source.values), found, why, missing)


# ---------------------------------------------------------------------------------------------------------
# Grants, told like statements
# ---------------------------------------------------------------------------------------------------------


def _grants(decision: Decision, facts: Trace) -> tuple[PolicyTrace, ...]:
    """Tell every grant that had a say."""
    if not decision.held:
        return ()
    request = decision.request
    if facts.retires:
        told = [_retirement(grant, request) for grant in decision.held]
    else:
        iam = facts.identity_allowed_by is not None  # a grant to an account needs it
        told = [_grant(grant, request, iam) for grant in decision.held]
    return tuple(PolicyTrace("grant", one.policy, (one,)) for one in told)


def _grant(grant: Grant, request: Request, iam: bool) -> StatementTrace:
    action, principal = request.action.lower(), request.principal
    naming = grants.naming(grant.grantee, principal)
    why = f"its grantee {'is' if naming else 'is not'} {who(principal)}"
    if naming is Naming.ACCOUNT:
        why = f"its grantee is account {principal.account}"
    clauses = [ClauseTrace("Grantee", bool(naming), (grant.grantee,), _names_of(principal), why)]
    clauses.append(_operations(grant, request))
    if naming is Naming.ACCOUNT:
        says = "an" if iam else "no"
        why = f"{says} identity policy of {who(principal)} allows it, which a grant to an account needs"
        clauses.append(ClauseTrace("IAM", iam, (request.action,), (request.action,) if iam else None, why))
    if grant.id in request.asked.early:
        why = "its age: it has not reached all of KMS yet, so wait, or pass its grant token"
        clauses.append(ClauseTrace("InForce", False, ("a grant token",), None, why))
    clauses += [_child(grant, request)] if action == grants.CREATE_GRANT else _contexts(grant, request)
    if grant.source_arn:
        clauses.append(_source(grant, request))
    return _told_grant(grant, naming, not crosses_accounts(request) and grant.grantee == principal.arn, clauses)


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
            why = f"its {name} wants {_pairs(wanted)}, where {_difference(wanted, found, name)}"
            if matched:
                why = f"its {name} wants {_pairs(wanted)}"
            yield ClauseTrace("Constraint", matched, (name, _pairs(wanted)), (_pairs(found),), why)


def _difference(wanted: Pairs, found: Pairs, name: str) -> str:
    """Say which pair of an encryption context keeps a grant's constraint from being met."""
    has = {key.lower(): value for key, value in found}
    for key, value in wanted:
        if key.lower() not in has:
            return f"the request's encryption context has no {key}"
        if has[key.lower()] != value:
            return f"the request has {key}={has[key.lower()]}"
    more = [pair for pair in found if pair[0].lower() not in {key.lower() for key, _ in wanted}]
    return f"the request has {_pairs(tuple(more))} as well" if more else f"the request has {_pairs(found)}"


def _source(grant: Grant, request: Request) -> ClauseTrace:
    source_arn = request.asked.source_arn
    matched = grants.source_fits(grant, request.action.lower(), source_arn)
    why = f"its SourceArn wants {grant.source_arn}, where the request has {source_arn or 'none'}"
    found = (source_arn,) if source_arn else None
    missing = () if matched or source_arn else ("aws:SourceArn",)
    return ClauseTrace("Constraint", matched, ("SourceArn", grant.source_arn), found, why, missing)


def _child(grant: Grant, request: Request) -> ClauseTrace:
    child = request.asked.child
    matched = grants.child_fits(grant, request.action.lower(), child)
    more = [] if child is None else [name for name in child.operations if name not in grant.operations]
    if matched:
        why = "the new grant permits nothing more, on terms as strict"
    elif more:
        why = f"the new grant would also permit {together(more)}"
    else:
        why = "the new grant's constraints are less strict than its own"
    return ClauseTrace("Child", matched, grant.operations, None if child is None else child.operations, why)


def _retirement(grant: Grant, request: Request) -> StatementTrace:
    """Tell whether a grant lets the caller retire it."""
    principal = request.principal
    naming = grants.may_retire(grant, principal)
    listed = [grant.retiring] if grant.retiring else []
    if grants.covers(grant, grants.RETIRE_GRANT):
        listed.append(grant.grantee)
    listed.append(grant.issuer)
    matched = naming is Naming.NAMED
    why = f"those who may retire it {'include' if matched else 'do not include'} {who(principal)}"
    named = ClauseTrace("Retiring", matched, tuple(listed), _names_of(principal), why)
    direct = not crosses_accounts(request) and grants.retires_directly(grant, principal)
    return _told_grant(grant, naming, direct, [named])


def _told_grant(grant: Grant, naming: Naming, direct: bool, clauses: list[ClauseTrace]) -> StatementTrace:
    applies = all(clause.matched for clause in clauses)
    return StatementTrace(grants.title(grant), 0, None, "Allow", _NAMINGS[naming], direct, applies, tuple(clauses))


def _pairs(pairs: Pairs) -> str:
    return ", ".join(f"{key}={value}" for key, value in pairs) or "no encryption context"


# ---------------------------------------------------------------------------------------------------------
# Names
# ---------------------------------------------------------------------------------------------------------


def _name(layer: str, at: tuple[int, ...], layers: Layers) -> str:
    """What to call a policy: its own name, or its layer and number."""
    match layer:
        case "identity-policy":
            number = at[0]
            return layers.identity_names[number] if layers.identity_names else f"identity policy {number + 1}"
        case "scp" | "rcp":
            level, number = at
            names = layers.guard_names[layer == "rcp"]
            name = names[level][number] if names else str(number + 1)
            return f"{layer.upper()} {name} of {level_name(layer, level, layers)}"
    return NAMES[layer]


def level_name(layer: str, level: int, layers: Layers) -> str:
    """What to call a level of the organization: its node, or its number from 1 at the root."""
    names = layers.level_names[layer == "rcp"]
    return names[level] if names else f"level {level + 1}"


def _is_session(principal: Principal) -> bool:
    return principal.kind in ("role-session", "federated-user")


def _quoted(values: Iterable[str]) -> list[str]:
    return [f'"{value}"' for value in values]
