"""The little of STS that a program on KMS needs, in STS's own wire form: who am I, and sessions of four kinds.

GetCallerIdentity, AssumeRole, GetSessionToken and GetFederationToken. What a session is given (a policy, tags, a source
identity, a second factor) stays with its credentials; ``doors.credentials`` brings it to every call.

Roles of the lab have no trust policy of their own: each trusts its account, as a role does whose trust policy names the
account's root. So a role can be assumed by a user or session of the same account whom every layer allows
``sts:AssumeRole`` on it: identity policies, boundary, session policy, SCPs, RCPs. Tags need ``sts:TagSession`` too,
and a source identity ``sts:SetSourceIdentity``. GetSessionToken needs no permission, and gives the user's own.

A user's second factor is a device that has the user's name, ``arn:aws:iam::111122223333:mfa/Ann``, and that accepts any
six digits. It counts for the credentials of GetSessionToken; of AssumeRole it lets the caller in, but the session's
calls do not show it. That is so on AWS.

STS leaves no entry in the log: it is the log of KMS.

Source: botocore's STS model (``protocol`` query, ``xmlNamespace``, members); AWS STS API Reference, AssumeRole,
GetSessionToken, GetFederationToken; IAM User Guide, "Passing session tags", "Monitor and control actions taken with
assumed roles", "Secure API access with MFA", "Permissions for GetSessionToken", "Permissions for GetFederationToken".
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from kms_lab.core.circumstances import DIRECT, Circumstances
from kms_lab.core.clock import to_datetime
from kms_lab.core.errors import AccessDeniedException, KMSError, UnsupportedByLab
from kms_lab.core.keys import AccessKey
from kms_lab.core.names import Principal, principal_id
from kms_lab.core.world import World
from kms_lab.doors import wire
from kms_lab.doors.credentials import session_credentials
from kms_lab.doors.wire import NO_REQUEST_ID, Reply
from kms_lab.policy.document import PolicyError, parse
from kms_lab.policy.evaluate import Request, evaluate
from kms_lab.service.authority import authority
from kms_lab.service.conditions import context_of
from kms_lab.service.operation import OPERATIONS, Call

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
#: what STS calls the errors of a door, and their HTTP status. Source: AWS STS API Reference, "Common error types"
_CODES = {
    "AccessDeniedException": ("AccessDenied", 403),
    "ExpiredTokenException": ("ExpiredToken", 403),
    "IncompleteSignatureException": ("IncompleteSignature", 400),
    "InvalidSignatureException": ("SignatureDoesNotMatch", 403),
    "MalformedPolicyDocumentException": ("MalformedPolicyDocument", 400),
    "MissingAuthenticationTokenException": ("MissingAuthenticationToken", 403),
    "UnrecognizedClientException": ("InvalidClientTokenId", 403),
}
_NAME = r"[\w+=,.@-]"
_ROLE_SECONDS, _USER_SECONDS = range(900, 43_201), range(900, 129_601)
_ROLE_DEFAULT, _USER_DEFAULT = 3600, 43_200
_POLICY_LETTERS = 2048
_TAGS = 50

Form = Mapping[str, str]


class ValidationError(KMSError):
    """A parameter breaks a rule of STS's model."""


class InvalidAction(KMSError):
    """STS has no such operation."""


class MalformedPolicyDocumentException(KMSError):
    """A session policy is not well formed."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session that has begun: its credentials, and who it is."""

    key: AccessKey
    principal: Principal


def answer(world: World, principal: Principal, region: str, body: bytes, how: Circumstances = DIRECT) -> Reply:
    """Answer one request to STS, whatever it holds.

    Args:
        how: how the request came, and what is known of the caller's session.
    """
    try:
        form = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    except ValueError:  # far too many fields
        form = {}
    action = form.get("Action", "")
    try:
        with wire.turn:
            result = _operation(action, form)(Caller(world, principal, region, how), form)
    except KMSError as error:
        return refusal(error)
    metadata = {"RequestId": NO_REQUEST_ID}
    return _reply(200, f"{action}Response", {f"{action}Result": result, "ResponseMetadata": metadata})


def refusal(error: KMSError) -> Reply:
    """Return an error in STS's form and under STS's name for it."""
    code, status = _CODES.get(error.code, (error.code, error.http_status))
    told = {"Type": "Sender", "Code": code, "Message": error.message}
    return _reply(status, "ErrorResponse", {"Error": told, "RequestId": NO_REQUEST_ID})


# ------------------------------------------------------------------------------ who asks, and may they


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls STS, where, and how."""

    world: World
    principal: Principal
    region: str = "us-east-1"
    how: Circumstances = DIRECT

    @property
    def is_session(self) -> bool:
        """Are the credentials temporary? Of a user's own, only such have been issued, or show a second factor."""
        own = self.how.issued_us is not None or self.how.mfa_age_s is not None
        return own or self.principal.kind not in ("user", "root-user")

    def require(self, action: str, resource: str, asked: Mapping[str, str | tuple[str, ...]]) -> None:
        """Ask every layer for a permission of STS.

        Args:
            asked: condition keys that the request itself sets, in small letters.

        Raises:
            AccessDeniedException: they do not allow it.
        """
        call = Call(OPERATIONS["ListKeys"], self.world, self.principal, self.region, {})  # for its caller, no more
        call.how, call.permission = self.how, action
        layers, wanted = authority(call, None, self.principal.account)
        context = {**dict(context_of(call, None, wanted)), **asked}
        verdict = evaluate(Request(self.principal, action, resource, self.principal.account, context), layers)
        if not verdict.allowed:
            raise AccessDeniedException(
                f"User: {self.principal.arn} is not authorized to perform: {action} on resource: {resource}",
                verdict=verdict,
            )


def assume_role(
    caller: Caller,
    role_arn: str,
    session_name: str,
    duration_seconds: int = _ROLE_DEFAULT,
    *,
    policy: str = "",
    tags: Mapping[str, str] | None = None,
    source_identity: str = "",
    external_id: str = "",
    mfa: bool = False,
) -> Session:
    """Begin a session of a role.

    Args:
        duration_seconds: how long it lasts on the lab's clock, from 900 to 43,200; begun in another role's session, to
            3,600.
        policy: JSON text of a session policy; "" for none.
        tags: session tags, which go before those of the role.
        source_identity: who stands behind the session; it stays the same in sessions that are begun in this one.
        mfa: does the request prove a second factor?

    Raises:
        AccessDeniedException: there is no such role in the caller's account, or the policies do not let the caller.
        ValidationError: the name or the duration is not allowed.
        MalformedPolicyDocumentException: the session policy is not well formed.
    """
    _accept(session_name, "roleSessionName", 2, 64)
    _accept_seconds(duration_seconds, _ROLE_SECONDS)
    session_policy, pairs = _accept_policy(policy), _accept_tags(tags or {})
    if source_identity:
        _accept(source_identity, "sourceIdentity", 2, 64)
    who = caller.principal
    if who.kind == "root-user":
        raise AccessDeniedException("Roles may not be assumed by root accounts.")
    if who.kind == "role-session" and duration_seconds > _ROLE_DEFAULT:
        raise ValidationError(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        )
    if mfa:
        caller = replace(caller, how=replace(caller.how, mfa_age_s=0))
    asked = _asked(session_name=session_name, source_identity=source_identity, external_id=external_id, tags=pairs)
    exists = role_arn in caller.world.identities and f"::{who.account}:role/" in role_arn
    inherited = caller.how.source_identity
    if not exists or who.kind == "federated-user" or (inherited and source_identity not in ("", inherited)):
        action = "sts:SetSourceIdentity" if exists and inherited else "sts:AssumeRole"
        raise AccessDeniedException(f"User: {who.arn} is not authorized to perform: {action} on resource: {role_arn}")
    caller.require("sts:AssumeRole", role_arn, asked)
    if pairs:
        caller.require("sts:TagSession", role_arn, asked)
    if source_identity or inherited:
        caller.require("sts:SetSourceIdentity", role_arn, asked)
    given = Circumstances(
        session_policy=session_policy, session_tags=pairs, source_identity=source_identity or inherited
    )
    session = Principal.parse(role_arn, session_name)
    return Session(session_credentials(caller.world, session, duration_seconds, given), session)


def get_session_token(caller: Caller, duration_seconds: int = _USER_DEFAULT, *, mfa: bool = False) -> Session:
    """Begin a session of the user who calls, with the user's own permissions. No policy has a say in it.

    Args:
        duration_seconds: from 900 to 129,600; the root user gets an hour at most.
        mfa: does the request prove a second factor? Then every call of the session shows it.

    Raises:
        AccessDeniedException: the caller has a session already.
    """
    _accept_seconds(duration_seconds, _USER_SECONDS)
    if caller.is_session:
        raise AccessDeniedException("Cannot call GetSessionToken with session credentials")
    if caller.principal.kind == "root-user":
        duration_seconds = min(duration_seconds, _ROLE_DEFAULT)
    given = Circumstances(mfa_age_s=0 if mfa else None)
    key = session_credentials(caller.world, caller.principal, duration_seconds, given)
    return Session(key, caller.principal)


def get_federation_token(
    caller: Caller,
    name: str,
    duration_seconds: int = _USER_DEFAULT,
    *,
    policy: str = "",
    tags: Mapping[str, str] | None = None,
) -> Session:
    """Begin the session of a federated user, for whom the calling user vouches.

    It may do what the user may and its policy allows; without a policy nothing, unless a key policy names it.

    Raises:
        AccessDeniedException: the caller has a session, or the policies do not allow it.
        UnsupportedByLab: the root user calls.
    """
    _accept(name, "name", 2, 32)
    _accept_seconds(duration_seconds, _USER_SECONDS)
    session_policy, pairs = _accept_policy(policy), _accept_tags(tags or {})
    who = caller.principal
    if caller.is_session:
        raise AccessDeniedException("Cannot call GetFederationToken with session credentials")
    if who.kind == "root-user":
        raise UnsupportedByLab("The lab's root user has no federated users; let an IAM user call GetFederationToken.")
    arn = f"arn:aws:sts::{who.account}:federated-user/{name}"
    asked = _asked(tags=pairs)
    caller.require("sts:GetFederationToken", arn, asked)
    if pairs:
        caller.require("sts:TagSession", arn, asked)
    session = replace(Principal.parse(arn), identity_arn=who.arn)
    given = Circumstances(session_policy=session_policy, session_tags=pairs, federated_by=who.arn)
    return Session(session_credentials(caller.world, session, duration_seconds, given), session)


def _asked(
    *, session_name: str = "", source_identity: str = "", external_id: str = "", tags: tuple[tuple[str, str], ...]
) -> dict[str, str | tuple[str, ...]]:
    """Return the condition keys that a request for a session sets."""
    single = {
        "sts:rolesessionname": session_name, "sts:sourceidentity": source_identity, "sts:externalid": external_id,
    }  # fmt: skip
    asked: dict[str, str | tuple[str, ...]] = {name: value for name, value in single.items() if value}
    asked.update({f"aws:requesttag/{name.lower()}": value for name, value in tags})
    if tags:
        asked["aws:tagkeys"] = tuple(name for name, _ in tags)
    return asked


# ------------------------------------------------------------------------------ what requests may hold


def _accept(name: str, member: str, shortest: int, longest: int) -> None:
    if not re.fullmatch(f"{_NAME}{{{shortest},{longest}}}", name, re.ASCII):
        raise ValidationError(_invalid(name, member, rf"regular expression pattern: {_NAME}*"))


def _accept_seconds(seconds: int, allowed: range) -> None:
    if seconds not in allowed:
        more = seconds < allowed.start
        limit = f"value {'greater' if more else 'less'} than or equal to {allowed.start if more else allowed.stop - 1}"
        raise ValidationError(_invalid(str(seconds), "durationSeconds", limit, verb="have"))


def _accept_policy(text: str) -> str:
    """# unverified: STS's words about a policy that is not well formed"""
    if len(text) > _POLICY_LETTERS:
        limit = f"length less than or equal to {_POLICY_LETTERS}"
        raise ValidationError(_invalid(text[:20] + "...", "policy", limit, verb="have"))
    if text:
        try:
            parse(text, "identity")
        except PolicyError as error:
            raise MalformedPolicyDocumentException("; ".join(error.problems)) from error
    return text


def _accept_tags(tags: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    if len(tags) > _TAGS:
        raise ValidationError(_invalid("[...]", "tags", f"length less than or equal to {_TAGS}", verb="have"))
    for name, value in tags.items():
        if not 1 <= len(name) <= 128 or len(value) > 256:
            raise ValidationError(_invalid(name, "tags.1.member.key", "length between 1 and 128", verb="have"))
    return tuple(sorted(tags.items()))


def _mfa(caller: Caller, form: Form) -> bool:
    """Is a second factor proved? The device has the user's name, and any six digits are its code.

    # unverified: AWS's words where only one of the two is given
    """
    serial, code = form.get("SerialNumber"), form.get("TokenCode")
    if serial is None and code is None:
        return False
    if serial is None or code is None or not re.fullmatch(r"\d{6}", code, re.ASCII):
        raise AccessDeniedException("MultiFactorAuthentication failed with invalid MFA one time pass code. ")
    who = caller.principal
    if who.kind not in ("user", "root-user") or serial != f"arn:aws:iam::{who.account}:mfa/{who.name}":
        raise AccessDeniedException(
            "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is "
            "valid and associated with this user."
        )
    return True


def _tags(form: Form) -> dict[str, str]:
    """Return the list ``Tags.member.N.Key``, ``Tags.member.N.Value`` of a form."""
    numbers = [name.split(".")[2] for name in form if re.fullmatch(r"Tags\.member\.\d{1,3}\.Key", name, re.ASCII)]
    return {form[f"Tags.member.{one}.Key"]: form.get(f"Tags.member.{one}.Value", "") for one in numbers}


def _seconds(form: Form, default: int) -> int:
    seconds = form.get("DurationSeconds", str(default))
    if not re.fullmatch(r"-?\d{1,9}", seconds, re.ASCII):
        raise ValidationError(f"DurationSeconds is no whole number: {seconds!r}")
    return int(seconds)


def _required(form: Form, *members: str) -> None:
    for member in members:
        if member not in form:
            raise ValidationError(_invalid(None, member[0].lower() + member[1:], "not be null", verb=""))


# ------------------------------------------------------------------------------ the operations


def _get_caller_identity(caller: Caller, _form: Form) -> dict[str, Any]:
    who = caller.principal
    return {"Arn": who.arn, "UserId": principal_id(who), "Account": who.account}


def _assume_role(caller: Caller, form: Form) -> dict[str, Any]:
    _required(form, "RoleArn", "RoleSessionName")
    session = assume_role(
        caller,
        form["RoleArn"],
        form["RoleSessionName"],
        _seconds(form, _ROLE_DEFAULT),
        policy=form.get("Policy", ""),
        tags=_tags(form),
        source_identity=form.get("SourceIdentity", ""),
        external_id=form.get("ExternalId", ""),
        mfa=_mfa(caller, form),
    )
    user = {"AssumedRoleId": principal_id(session.principal), "Arn": session.principal.arn}
    result: dict[str, Any] = {"AssumedRoleUser": user, "Credentials": _credentials(session.key)}
    if session.key.source_identity:
        result["SourceIdentity"] = session.key.source_identity
    return result


def _get_session_token(caller: Caller, form: Form) -> dict[str, Any]:
    session = get_session_token(caller, _seconds(form, _USER_DEFAULT), mfa=_mfa(caller, form))
    return {"Credentials": _credentials(session.key)}


def _get_federation_token(caller: Caller, form: Form) -> dict[str, Any]:
    _required(form, "Name")
    session = get_federation_token(
        caller, form["Name"], _seconds(form, _USER_DEFAULT), policy=form.get("Policy", ""), tags=_tags(form)
    )
    user = {"FederatedUserId": principal_id(session.principal), "Arn": session.principal.arn}
    return {"FederatedUser": user, "Credentials": _credentials(session.key)}


def _credentials(key: AccessKey) -> dict[str, str]:
    """Return credentials as STS gives them. Those that the lab gave before, and that do not end, end in 9999."""
    end = "9999-12-31T23:59:59Z" if key.expires_us is None else f"{to_datetime(key.expires_us):%Y-%m-%dT%H:%M:%SZ}"
    return {"AccessKeyId": key.id, "SecretAccessKey": key.secret, "SessionToken": key.token, "Expiration": end}


_OF_A_ROLE = "RoleArn RoleSessionName DurationSeconds ExternalId Policy Tags SourceIdentity SerialNumber TokenCode"
#: each operation, with the members that it takes here
_OPERATIONS: dict[str, tuple[Callable[[Caller, Form], dict[str, Any]], str]] = {
    "GetCallerIdentity": (_get_caller_identity, ""),
    "AssumeRole": (_assume_role, _OF_A_ROLE),
    "GetSessionToken": (_get_session_token, "DurationSeconds SerialNumber TokenCode"),
    "GetFederationToken": (_get_federation_token, "Name Policy DurationSeconds Tags"),
}


def _operation(action: str, form: Form) -> Callable[[Caller, Form], dict[str, Any]]:
    if action in _OPERATIONS:
        operation, members = _OPERATIONS[action]
        refused = sorted({name.partition(".")[0] for name in form} - {*members.split(), "Action", "Version"})
        if refused and members:
            raise UnsupportedByLab(f"The lab's {action} takes no {', '.join(refused)}.")
        return operation
    if re.fullmatch(r"[A-Za-z]{1,64}", action):
        raise UnsupportedByLab(f"The lab's STS answers {', '.join(_OPERATIONS)}, not {action}.")
    raise InvalidAction("Could not find operation")


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
