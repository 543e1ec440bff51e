"""Writing an authorization question as a scenario: the other way of ``scenario``, which reads it and answers alike."""

import json
from collections.abc import Sequence
from typing import Any, Final

from kms_lab.core.keys import Grant
from kms_lab.core.names import Principal
from kms_lab.policy.compiled import Child, Layers, Request
from kms_lab.policy.document import Kind
from kms_lab.policy.grants import RETIRE_GRANT

#: what is asked, of which policies and grants
Check = tuple[Request, Layers, tuple[Grant, ...]]
#: which field of a scenario holds one policy, and of which kind
SINGLE: Final[tuple[tuple[str, Kind], ...]] = (
    ("permissions_boundary", "identity"),
    ("session_policy", "identity"),
    ("vpce_policy", "endpoint"),
)


_CONTEXT: Final = "kms:encryptioncontext:"
_CONTEXT_KEYS: Final = "kms:encryptioncontextkeys"


def document_of(checks: Sequence[Check]) -> dict[str, Any]:
    """Return a question as a scenario; more checks than one are those that one operation needs, the main one first.

    Its context holds what the request says, which is at least everything that the policies ask for.
    """
    main, *others = checks
    document = _document_of(*main)
    if others:
        document["also"] = [_check_of(other, document) for other in others]
    return document


def _document_of(asked: Request, layers: Layers, held: tuple[Grant, ...]) -> dict[str, Any]:
    request: dict[str, Any] = {
        "principal": _principal_of(asked.principal),
        "action": asked.action,
        "resource": asked.resource,
        "resource_account": asked.resource_account,
        "context": {name: value if isinstance(value, str) else list(value) for name, value in asked.context.items()},
    }
    if asked.asked.context and not _is_derived(asked):
        request["encryption_context"] = dict(asked.asked.context)
    if asked.asked.source_arn:
        request["context"].setdefault("aws:sourcearn", asked.asked.source_arn)
    if layers.aws_managed:
        request["key"] = {"manager": "AWS"}
    if params := _params_of(asked, held):
        request["params"] = params
    document: dict[str, Any] = {
        "request": request,
        "key_policy": None if layers.key_policy is None else json.loads(layers.key_policy.text),
        "identity_policies": [json.loads(policy.text) for policy in layers.identity_policies],
    }
    for field, policy in zip(
        (field for field, _ in SINGLE), (layers.boundary, layers.session_policy, layers.endpoint), strict=True
    ):
        if policy is not None:
            document[field] = json.loads(policy.text)
    for field, levels in (("scps", layers.scps), ("rcps", layers.rcps)):
        if levels:
            document[field] = [[json.loads(policy.text) for policy in level] for level in levels]
    if held:
        document["grants"] = [_grant_of(grant, asked) for grant in held]
    if names := _names_of(layers):
        document["names"] = names
    return document


def _is_derived(asked: Request) -> bool:
    """Whether the encryption context is as the condition context has it, and writing it would add to the latter."""
    pairs = {_CONTEXT + key.lower(): value for key, value in asked.asked.context}
    known = {name: value for name, value in asked.context.items() if name.startswith(_CONTEXT)}
    return pairs == known and _CONTEXT_KEYS not in asked.context


def _names_of(layers: Layers) -> dict[str, Any]:
    """Write what people call the policies and the levels, where they have names: no decision depends on it."""
    names: dict[str, Any] = {}
    if layers.identity_names:
        names["identity_policies"] = list(layers.identity_names)
    for field, levels, policies in zip(("scps", "rcps"), layers.level_names, layers.guard_names, strict=True):
        if levels:
            names[field] = [
                {"level": level, "policies": list(listed)} for level, listed in zip(levels, policies, strict=True)
            ]
    return names


def _check_of(check: Check, main: dict[str, Any]) -> dict[str, Any]:
    """Write one of several checks: what is its own, where it differs from the main one."""
    own = _document_of(*check)
    request, asked = own["request"], main["request"]
    document = {name: request[name] for name in ("action", "resource", "resource_account", "context")}
    if "key" in request:
        document["key"] = request["key"]
    for name in ("encryption_context", "params"):
        if request.get(name) != asked.get(name):
            document[name] = request.get(name, {})
    document["key_policy"] = own["key_policy"]
    document["grants"] = own.get("grants", [])
    for name, none in (("identity_policies", []), ("rcps", []), ("names", {})):
        if own.get(name) != main.get(name):
            document[name] = own.get(name, none)
    return document


def _principal_of(principal: Principal) -> dict[str, str]:
    data = {"arn": principal.arn, "type": principal.kind, "account": principal.account}
    behind = {"role-session": "role_arn", "federated-user": "user_arn"}.get(principal.kind)
    if behind is not None and principal.identity_arn != principal.arn:
        data[behind] = principal.identity_arn
    if principal.unique_id:
        data["unique_id"] = principal.unique_id
    return data


def _params_of(asked: Request, held: tuple[Grant, ...]) -> dict[str, Any]:
    child = asked.asked.child
    if asked.action.lower() == RETIRE_GRANT and len(held) == 1:
        return {"GrantId": held[0].id}
    if child is None:
        return {}
    constraints: dict[str, Any] = _constraints_of(child)
    return {"Operations": list(child.operations), **({"Constraints": constraints} if constraints else {})}


def _grant_of(grant: Grant, asked: Request) -> dict[str, Any]:
    # one that its token let in early is written as in force, for the token itself is no part of the document
    status = "pending-consistency" if grant.id in asked.asked.early else "active"
    return {
        "grant_id": grant.id,
        **({"name": grant.name} if grant.name else {}),
        "key": grant.key_arn,
        ("grantee_service_principal" if grant.grantee_is_service else "grantee_principal"): grant.grantee,
        "operations": list(grant.operations),
        "constraints": _constraints_of(grant),
        ("retiring_service_principal" if grant.retiring_is_service else "retiring_principal"): grant.retiring or None,
        "issuing_account": grant.issuer,
        "status": status,
    }


def _constraints_of(terms: Grant | Child) -> dict[str, Any]:
    pairs = {"EncryptionContextEquals": terms.context_equals, "EncryptionContextSubset": terms.context_subset}
    constraints: dict[str, Any] = {name: dict(wanted) for name, wanted in pairs.items() if wanted is not None}
    if terms.source_arn:
        constraints["SourceArn"] = terms.source_arn
    return constraints
