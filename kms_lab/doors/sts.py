"""The little of STS that a program on KMS needs: GetCallerIdentity and AssumeRole, in STS's own wire form.

Roles of the lab have no trust policy of their own: each trusts its account, as a role does whose trust policy names the
account's root. So a role can be assumed by a user or session of the same account whose identity policies
allow ``sts:AssumeRole`` on it. Session policies, session tags and MFA are refused instead of being ignored.

STS leaves no entry in the log: it is the log of KMS.

Source: botocore's STS model (``protocol`` query, ``xmlNamespace``, members); AWS STS API Reference, AssumeRole.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from kms_lab.core.clock import to_datetime
from kms_lab.core.errors import AccessDeniedException, KMSError, UnsupportedByLab
from kms_lab.core.keys import AccessKey
from kms_lab.core.names import Principal, principal_id
from kms_lab.core.world import World
from kms_lab.doors import wire
from kms_lab.doors.credentials import session_credentials
from kms_lab.doors.wire import NO_REQUEST_ID, Reply
from kms_lab.policy.evaluate import compile_policy, decide

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
#: what STS calls the errors of a door, and their HTTP status. Source: AWS STS API Reference, "Common error types"
_CODES = {
    "AccessDeniedException": ("AccessDenied", 403),
    "ExpiredTokenException": ("ExpiredToken", 403),
    "IncompleteSignatureException": ("IncompleteSignature", 400),
    "InvalidSignatureException": ("SignatureDoesNotMatch", 403),
    "MissingAuthenticationTokenException": ("MissingAuthenticationToken", 403),
    "UnrecognizedClientException": ("InvalidClientTokenId", 403),
}
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_SECONDS = range(900, 43_201)
_TAKEN = frozenset({"Action", "Version", "RoleArn", "RoleSessionName", "DurationSeconds", "ExternalId"})

Form = Mapping[str, str]


class ValidationError(KMSError):
    """A parameter breaks a rule of STS's model."""


class InvalidAction(KMSError):
    """STS has no such operation."""


def answer(world: World, principal: Principal, region: str, body: bytes) -> Reply:
    """Answer one request to STS, whatever it holds."""
    try:
        form = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    except ValueError:  # far too many fields
        form = {}
    action = form.get("Action", "")
    try:
        with wire.turn:
            result = _operation(action)(world, principal, form)
    except KMSError as error:
        return refusal(error)
    metadata = {"RequestId": NO_REQUEST_ID}
    return _reply(200, f"{action}Response", {f"{action}Result": result, "ResponseMetadata": metadata})


def refusal(error: KMSError) -> Reply:
    """Return an error in STS's form and under STS's name for it."""
    code, status = _CODES.get(error.code, (error.code, error.http_status))
    told = {"Type": "Sender", "Code": code, "Message": error.message}
    return _reply(status, "ErrorResponse", {"Error": told, "RequestId": NO_REQUEST_ID})


def assume_role(
    world: World, caller: Principal, role_arn: str, session_name: str, duration_seconds: int = 3600
) -> tuple[AccessKey, Principal]:
    """Return credentials for a session of a role, and the session.

    Args:
        duration_seconds: how long they last on the lab's clock, from 900 to 43,200.

    Raises:
        AccessDeniedException: there is no such role in the caller's account, or its policies do not let the caller.
        ValidationError: the name or the duration is not allowed.
    """
    if not _SESSION_NAME.fullmatch(session_name):
        raise ValidationError(_invalid(session_name, "roleSessionName", r"regular expression pattern: [\w+=,.@-]*"))
    if duration_seconds not in _SECONDS:
        more = duration_seconds < _SECONDS.start
        limit = (
            f"value {'greater' if more else 'less'} than or equal to {_SECONDS.start if more else _SECONDS.stop - 1}"
        )
        raise ValidationError(_invalid(str(duration_seconds), "durationSeconds", limit, verb="have"))
    if caller.kind == "root-user":
        raise AccessDeniedException("Roles may not be assumed by root accounts.")
    if not _may_assume(world, caller, role_arn):
        raise AccessDeniedException(
            f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
        )
    session = Principal.parse(role_arn, session_name)
    return session_credentials(world, session, duration_seconds), session


def _may_assume(world: World, caller: Principal, role_arn: str) -> bool:
    """Does the role exist, trust the caller's account, and do the caller's policies allow it?"""
    if role_arn not in world.identities or f"::{caller.account}:role/" not in role_arn:
        return False
    identity = world.identities.get(caller.identity_arn)
    policies = tuple(compile_policy(text, "identity") for text in (identity.policies if identity is not None else ()))
    return decide(caller, "sts:AssumeRole", role_arn, caller.account, None, policies, ()).allowed


# ------------------------------------------------------------------------------ the two operations


def _operation(action: str) -> Callable[[World, Principal, Form], dict[str, Any]]:
    if action in _OPERATIONS:
        return _OPERATIONS[action]
    if re.fullmatch(r"[A-Za-z]{1,64}", action):
        raise UnsupportedByLab(f"The lab's STS answers {' and '.join(_OPERATIONS)}, not {action}.")
    raise InvalidAction("Could not find operation")


def _get_caller_identity(_world: World, principal: Principal, _form: Form) -> dict[str, Any]:
    return {"Arn": principal.arn, "UserId": principal_id(principal), "Account": principal.account}


def _assume_role(world: World, principal: Principal, form: Form) -> dict[str, Any]:
    refused = sorted({name.partition(".")[0] for name in form} - _TAKEN)
    if refused:
        raise UnsupportedByLab(f"The lab's AssumeRole takes no {', '.join(refused)}.")
    for member in ("RoleArn", "RoleSessionName"):
        if member not in form:
            raise ValidationError(_invalid(None, member[0].lower() + member[1:], "not be null", verb=""))
    seconds = form.get("DurationSeconds", "3600")
    if not re.fullmatch(r"-?\d{1,9}", seconds, re.ASCII):
        raise ValidationError(f"DurationSeconds is no whole number: {seconds!r}")
    key, session = assume_role(world, principal, form["RoleArn"], form["RoleSessionName"], int(seconds))
    expires_us = key.expires_us if key.expires_us is not None else world.clock.now_us + int(seconds) * 1_000_000
    return {
        "AssumedRoleUser": {"AssumedRoleId": principal_id(session), "Arn": session.arn},
        "Credentials": {
            "AccessKeyId": key.id,
            "SecretAccessKey": key.secret,
            "SessionToken": key.token,
            "Expiration": f"{to_datetime(expires_us):%Y-%m-%dT%H:%M:%SZ}",
        },
    }


_OPERATIONS = {"GetCallerIdentity": _get_caller_identity, "AssumeRole": _assume_role}


# ------------------------------------------------------------------------------ words and form


def _invalid(value: str | None, member: str, rule: str, verb: str = "satisfy") -> str:
    shown = "null" if value is None else f"'{value}'"
    constraint = " ".join(filter(None, ("Member must", verb, rule)))
    return f"1 validation error detected: Value {shown} at '{member}' failed to satisfy constraint: {constraint}"


def _reply(status: int, name: str, content: dict[str, Any]) -> Reply:
    text = f'<{name} xmlns="{NAMESPACE}">{_xml(content)}</{name}>'
    return Reply(status, {"Content-Type": "text/xml", "x-amzn-RequestId": NO_REQUEST_ID}, text.encode())


def _xml(content: dict[str, Any]) -> str:
    return "".join(
        f"<{name}>{_xml(item) if isinstance(item, dict) else _escaped(item)}</{name}>" for name, item in content.items()
    )


def _escaped(text: str) -> str:
    """Return a text as XML, which has no control characters."""
    return escape("".join(char for char in text if char >= " " and char not in "\ufffe\uffff"))
