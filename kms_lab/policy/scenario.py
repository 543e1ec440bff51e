"""Scenarios: one authorization question as one JSON document, that can be asked anywhere. No world is needed.

``decide`` reads a document and answers. Key state, key usage and whether parameters are valid are no part of it: the
question is *may they?*

The fields: ``request`` (``principal``, ``action``, ``resource``, ``resource_account``, ``context``, and where they
matter ``encryption_context``, ``key``, ``params``), ``key_policy``, ``identity_policies``, ``permissions_boundary``,
``session_policy``, ``vpce_policy``, ``scps`` and ``rcps`` (lists of levels from the organization's root down),
``grants``, and ``also`` for an operation that needs several checks. One more field is the lab's own, and no decision
depends on it: ``names``, what people call the policies: ``{"identity_policies": [...], "scps": [{"level": "OU Work",
"policies": [...]}, ...], "rcps": ...}``. Names of a list that is longer or shorter than the policies do not count.

>>> question = {
...     "request": {
...         "principal": {"arn": "arn:aws:iam::111122223333:user/dana", "type": "user", "account": "111122223333"},
...         "action": "kms:Encrypt",
...         "resource": "arn:aws:kms:eu-west-1:111122223333:key/0f0e0d0c-0b0a-4908-8706-050403020100",
...         "resource_account": "111122223333",
...         "context": {},
...     },
...     "key_policy": {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "111122223333"},
...                                   "Action": "kms:*", "Resource": "*"}]},
...     "identity_policies": [],
... }
>>> decide(question).reason
'implicit-deny'
"""

import json
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kms_lab.core.keys import Grant
from kms_lab.core.names import Principal
from kms_lab.policy.compiled import Asked, Child, CompiledPolicy, Layers, Levels, Pairs, Request, compile_policy
from kms_lab.policy.document import Kind, PolicyError
from kms_lab.policy.evaluate import Verdict, evaluate
from kms_lab.policy.grants import CREATE_GRANT, RETIRE_GRANT
from kms_lab.policy.writer import SINGLE

if TYPE_CHECKING:
    Document = Mapping[str, Any]

TYPES = ("user", "role-session", "root-user", "federated-user", "service", "anonymous")
_CONTEXT = "kms:encryptioncontext:"
_CONTEXT_KEYS = "kms:encryptioncontextkeys"


class ScenarioError(ValueError):
    """A document that is no scenario: which field is wrong, and how."""


def decide(document: "Document") -> Verdict:
    """Answer a scenario. Of several checks the first that is refused is the answer; else the main one.

    Raises:
        ScenarioError: a field is missing or wrong, or holds a policy that is none.
    """
    verdicts = list(verdicts_of(document))
    answer = next((verdict for verdict in verdicts if not verdict.allowed), verdicts[0])
    if len(verdicts) > 1:
        answer.earlier = tuple(verdict for verdict in verdicts if verdict is not answer)
    return answer


def verdicts_of(document: "Document") -> Iterator[Verdict]:
    """Answer the main check, and then each of the others."""
    main = _object(document, "a scenario")
    yield _verdict(main)
    for number, more in enumerate(_list(main.get("also"), "also"), start=1):
        yield _verdict(_further(main, _object(more, f"also, check {number}")))


def _verdict(document: "Document") -> Verdict:
    asked = _object(document.get("request"), "request")
    request = _request(asked)
    grants = [
        _grant(_object(one, f"grant {number}"), number)
        for number, one in enumerate(_list(document.get("grants"), "grants"), start=1)
    ]
    held, early = _held(grants, request, _object(asked.get("params") or {}, "request.params"))
    request.asked = _asked(asked, request, early)
    return evaluate(request, _layers(document, _object(asked.get("key") or {}, "request.key")), held)


def _further(main: "Document", check: "Document") -> "Document":
    """Write a further check as a scenario of its own: it asks of another action, on another resource."""
    own = ("resource", "action", "resource_account", "context", "encryption_context", "key", "params")
    request = {**main["request"], **{name: check[name] for name in own if name in check}}
    if "key" not in check:
        request.pop("key", None)
    own_layers = ("key_policy", "identity_policies", "grants", "rcps", "names")
    layers = {name: check[name] for name in own_layers if name in check}
    return {**main, "key_policy": None, **layers, "request": request, "also": []}


# ---------------------------------------------------------------------------------------------------------
# The request
# ---------------------------------------------------------------------------------------------------------


def _request(asked: "Document") -> Request:
    principal = _principal(_object(asked.get("principal"), "request.principal"))
    context = {
        _name(name, "request.context").lower(): _value(value, f"request.context, {name}")
        for name, value in _object(asked.get("context") or {}, "request.context").items()
    }
    for key, value in _pairs(asked.get("encryption_context"), "request.encryption_context") or ():
        context.setdefault(_CONTEXT + key.lower(), value)
    keys = tuple(key for key, _ in _pairs(asked.get("encryption_context"), "request.encryption_context") or ())
    if keys:
        context.setdefault(_CONTEXT_KEYS, keys)
    return Request(
        principal,
        _text(asked.get("action"), "request.action"),
        _text(asked.get("resource", "*"), "request.resource"),
        _loose(asked.get("resource_account"), "request.resource_account") or principal.account,
        context,
    )


def _principal(data: "Document") -> Principal:
    kind = _text(data.get("type"), "request.principal.type")
    if kind not in TYPES:
        raise ScenarioError(f"request.principal.type is {kind!r}; it must be one of {', '.join(TYPES)}.")
    arn = _text(data.get("arn", "anonymous" if kind == "anonymous" else None), "request.principal.arn")
    account = "" if kind in ("service", "anonymous") else _text(data.get("account"), "request.principal.account")
    unique_id = _loose(data.get("unique_id"), "request.principal.unique_id")
    if kind == "role-session":
        unique_id = unique_id.partition(":")[0]  # a session's id is that of its role and the session's name
    field = {"role-session": "role_arn", "federated-user": "user_arn"}.get(kind, "")
    behind = _loose(data.get(field), f"request.principal.{field}")
    if not behind:
        behind = _role_of(arn) if kind == "role-session" else arn
    return Principal(arn, kind, account, behind, unique_id)


def _role_of(session: str) -> str:
    """Return the role that the ARN of a session tells of; roles with a path are told of by ``role_arn`` only."""
    try:
        return Principal.parse(session).identity_arn
    except ValueError as error:
        raise ScenarioError(f"request.principal.arn is no session's, and there is no role_arn: {error}") from None


def _value(value: object, where: str) -> str | tuple[str, ...]:
    """A value of the context: one text, or several for a multivalued key."""
    if isinstance(value, list | tuple):
        return tuple(_plain(item, where) for item in value)
    return _plain(value, where)


def _plain(value: object, where: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        try:
            return str(value)
        except ValueError:
            raise ScenarioError(f"{where} is a number of too many digits.") from None
    raise ScenarioError(f"{where} is {_shown(value)}; it must be text, a number, a Boolean, or a list of these.")


# ---------------------------------------------------------------------------------------------------------
# The layers
# ---------------------------------------------------------------------------------------------------------


def _layers(document: "Document", key: "Document") -> Layers:
    key_policy = document.get("key_policy")
    boundary, session, endpoint = (
        None if document.get(field) is None else _policy(document[field], kind, field) for field, kind in SINGLE
    )
    identity = tuple(
        _policy(one, "identity", f"identity policy {number}")
        for number, one in enumerate(_list(document.get("identity_policies"), "identity_policies"), start=1)
    )
    scps, rcps = _levels(document.get("scps"), "scp", "scps"), _levels(document.get("rcps"), "rcp", "rcps")
    names = _object(document.get("names") or {}, "names")
    called = _called(names.get("identity_policies"), "names.identity_policies")
    scp_levels, scp_names = _level_names(names, "scps", scps)
    rcp_levels, rcp_names = _level_names(names, "rcps", rcps)
    return Layers(
        key_policy=None if key_policy is None else _policy(key_policy, "key", "key_policy"),
        identity_policies=identity,
        boundary=boundary,
        session_policy=session,
        scps=scps,
        rcps=rcps,
        endpoint=endpoint,
        aws_managed=_loose(key.get("manager"), "request.key.manager").upper() == "AWS",
        identity_names=called if len(called) == len(identity) else (),
        level_names=(scp_levels, rcp_levels),
        guard_names=(scp_names, rcp_names),
    )


def _level_names(names: "Document", field: str, levels: Levels) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return what people call the levels, and the policies of each; nothing where a name is missing or too many."""
    where = f"names.{field}"
    told = [_object(one, where) for one in _list(names.get(field), where)]
    policies = tuple(_called(one.get("policies"), f"{where}, policies") for one in told)
    called = tuple(_text(one.get("level"), f"{where}, level") for one in told)
    return (called, policies) if [*map(len, policies)] == [*map(len, levels)] else ((), ())


def _called(data: object, where: str) -> tuple[str, ...]:
    return tuple([_text(one, where) for one in _list(data, where)])


def _levels(data: object, kind: Kind, field: str) -> Levels:
    return tuple(
        tuple(_policy(one, kind, f"{field}, level {number}") for one in _list(level, f"{field}, level {number}"))
        for number, level in enumerate(_list(data, field), start=1)
    )


_encode = json.JSONEncoder(separators=(",", ":")).encode


def _policy(data: object, kind: Kind, where: str) -> CompiledPolicy:
    try:
        return compile_policy(data if isinstance(data, str) else _encode(_object(data, where)), kind)
    except PolicyError as error:
        raise ScenarioError(f"{where} is no policy: {error}") from error
    except (TypeError, ValueError, RecursionError):
        raise ScenarioError(f"{where} holds something that is not JSON, or is nested too deeply.") from None


# ---------------------------------------------------------------------------------------------------------
# Grants
# ---------------------------------------------------------------------------------------------------------


def _grant(data: "Document", number: int) -> Grant:
    where = f"grant {number}"
    constraints = _object(data.get("constraints") or {}, f"{where}, constraints")
    service = data.get("grantee_service_principal")
    retiring_service = data.get("retiring_service_principal")
    grantee = service or data.get("grantee_principal")
    operations = _list(data.get("operations"), f"{where}, operations")
    status = data.get("status", "active")
    if status not in ("active", "revoked", "pending-consistency"):
        raise ScenarioError(f"{where}: status is {_shown(status)}; it must be active, revoked or pending-consistency.")
    token = _loose(data.get("grant_token"), where)
    return Grant(
        id=_loose(data.get("grant_id"), where) or f"{number:064x}",
        name=_loose(data.get("name"), where),
        key_arn=_loose(data.get("key"), where),
        grantee=_whom(_text(grantee, f"{where}, grantee_principal")),
        retiring=_whom(_loose(retiring_service or data.get("retiring_principal"), where)),
        operations=tuple(_text(one, f"{where}, operations").removeprefix("kms:") for one in operations),
        context_equals=_pairs(constraints.get("EncryptionContextEquals"), where),
        context_subset=_pairs(constraints.get("EncryptionContextSubset"), where),
        source_arn=_loose(constraints.get("SourceArn"), where),
        issuer=_whom(_loose(data.get("issuing_account"), where)),
        creator="",
        tokens=(token,) if token else (),
        created_us=0,
        effective_us=1 if status == "pending-consistency" else 0,
        ends_us=0 if status == "revoked" else None,
        grantee_is_service=service is not None,
        retiring_is_service=retiring_service is not None,
    )


def _whom(name: str) -> str:
    return f"arn:aws:iam::{name}:root" if name.isdigit() else name


def _held(grants: Sequence[Grant], request: Request, params: "Document") -> tuple[tuple[Grant, ...], frozenset[str]]:
    """The grants that have a say, and the ids of those that are too new to be in force for this request."""
    tokens = tuple(_list(params.get("GrantTokens"), "request.params.GrantTokens"))
    living = [one for one in grants if one.ends_us is None and _is_on(one, request.resource)]
    if request.action.lower() == RETIRE_GRANT:
        token, grant_id = params.get("GrantToken"), params.get("GrantId")
        named = (*tokens, *([token] if token else ()))
        if grant_id or named:
            living = [one for one in living if one.id == grant_id or any(token in one.tokens for token in named)]
    early = {one.id for one in living if one.effective_us and not any(token in one.tokens for token in tokens)}
    return tuple(living), frozenset(early)


def _is_on(grant: Grant, resource: str) -> bool:
    """Whether a grant is on the resource; its key may be given by its id."""
    return grant.key_arn in ("", resource, resource.rpartition("/")[2])


def _asked(asked: "Document", request: Request, early: frozenset[str]) -> Asked:
    params = _object(asked.get("params") or {}, "request.params")
    child = _child(params) if request.action.lower() == CREATE_GRANT else None
    pairs = _pairs(asked.get("encryption_context"), "request.encryption_context")
    if pairs is None:
        pairs = tuple(
            (name.removeprefix(_CONTEXT), value)
            for name, value in sorted(request.context.items())
            if name.startswith(_CONTEXT) and isinstance(value, str)
        )
    source = request.context.get("aws:sourcearn", "")
    return Asked(pairs, source if isinstance(source, str) else "", child, early)


def _child(params: "Document") -> Child | None:
    if "Operations" not in params:
        return None
    where = "request.params.Operations"
    constraints = _object(params.get("Constraints") or {}, "request.params.Constraints")
    return Child(
        tuple(_text(one, where) for one in _list(params["Operations"], where)),
        _pairs(constraints.get("EncryptionContextEquals"), "request.params.Constraints"),
        _pairs(constraints.get("EncryptionContextSubset"), "request.params.Constraints"),
        _loose(constraints.get("SourceArn"), "request.params.Constraints"),
    )


# ---------------------------------------------------------------------------------------------------------
# Reading JSON
# ---------------------------------------------------------------------------------------------------------


def _object(data: object, where: str) -> "Document":
    if not isinstance(data, Mapping):
        raise ScenarioError(f"{where} must be an object, not {_shown(data)}.")
    return data


def _list(data: object, where: str) -> list[Any]:
    if data is None:
        return []
    if not isinstance(data, list | tuple):
        raise ScenarioError(f"{where} must be a list, not {_shown(data)}.")
    return list(data)


def _text(data: object, where: str) -> str:
    if not isinstance(data, str) or not data:
        raise ScenarioError(f"{where} must be text, not {_shown(data)}.")
    return data


def _loose(data: object, where: str) -> str:
    """Return a text that need not be there, or that somebody may have written as a number."""
    return _plain(data, where) if data else ""


def _name(data: object, where: str) -> str:
    if not isinstance(data, str):
        raise ScenarioError(f"{where} has a name that is not text: {_shown(data)}.")
    return data


def _shown(data: object) -> str:
    """Return a value as a message shows it: in short, and whatever it is."""
    return reprlib.repr(data)


def _pairs(data: object, where: str) -> Pairs | None:
    if data is None:
        return None
    return tuple(sorted((_name(key, where), _plain(value, where)) for key, value in _object(data, where).items()))
