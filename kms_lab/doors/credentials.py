"""Who is calling: access keys for the lab's principals, and the signatures made with them.

A principal gets an access key when somebody asks for it (``lab.credentials``) or assumes a role; an SDK signs with it,
and ``verify`` reads from the signature who calls, in which Region and which service. The key's id is the one that
CloudTrail shows.

What a session was given when it began (policy, tags, source identity, second factor) is kept with its credentials, and
goes with every call that they sign.

Not as on AWS: a principal has one access key, always the same; beginning the same session again, with the same name and
all else, renews its credentials instead of making new ones. The date of a request is not compared with any clock, since
the lab's stands still or runs ahead. Only requests signed in a header are taken, not presigned addresses, and only
AWS4-HMAC-SHA256. Host and all headers ``x-amz-...`` must be among those signed.

Source: AWS General Reference, "Signature Version 4 signing process".
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from kms_lab.core.circumstances import DIRECT, Circumstances
from kms_lab.core.errors import (
    ExpiredTokenException,
    IncompleteSignatureException,
    InvalidSignatureException,
    MissingAuthenticationTokenException,
    UnrecognizedClientException,
)
from kms_lab.core.keys import AccessKey
from kms_lab.core.names import Principal, access_key_id, invented_id
from kms_lab.core.world import World

ALGORITHM = "AWS4-HMAC-SHA256"

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request *,"
    r" *SignedHeaders=([^,\s]+) *, *Signature=([0-9a-f]{64})"
)
_DATE = re.compile(r"\d{8}T\d{6}Z")
_UNKNOWN = "The security token included in the request is invalid."
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


# ------------------------------------------------------------------------------ access keys


def credentials_of(world: World, principal: Principal, how: Circumstances = DIRECT) -> AccessKey:
    """Return a principal's access key, made at first need. It does not end, a session's neither.

    Args:
        how: what the session was given when it began; the way of its calls is no matter of credentials.
    """
    return _issue(world, principal, how, None)


def session_credentials(
    world: World, session: Principal, duration_seconds: int, how: Circumstances = DIRECT
) -> AccessKey:
    """Return temporary credentials for a session, which end after so much of the lab's time.

    A session that has credentials already gets the same again, and they end at the later of the two times.
    """
    now_us = world.clock.now_us
    return _issue(world, session, replace(how, issued_us=now_us), now_us + duration_seconds * 1_000_000)


def session_of(world: World, key: AccessKey) -> Circumstances:
    """Return what is true of every call that a key signs, as of now."""
    who = _principal(world, key)
    how = Circumstances(
        mfa_age_s=None if key.mfa_us is None else (world.clock.now_us - key.mfa_us) // 1_000_000,
        session_policy=key.session_policy,
        session_tags=key.session_tags,
        source_identity=key.source_identity,
        issued_us=key.issued_us,
        access_key="" if key.id == access_key_id(who) else key.id,
        federated_by=key.identity,
    )
    return DIRECT if how == DIRECT else how


def signed_with(principal: Principal, how: Circumstances) -> Circumstances:
    """Return the circumstances with the id of the access key that a client signs with who is given them."""
    if how == DIRECT:
        return DIRECT  # the same object, so that it is recognised at once
    key_id = _key_id(principal, how)
    return how if key_id == access_key_id(principal) else replace(how, access_key=key_id)


def principal_of(world: World, key_id: str, token: str, now_us: int) -> Principal:
    """Return whose access key this is.

    Raises:
        UnrecognizedClientException: nobody's, or the session token is not the one that belongs to it.
        ExpiredTokenException: the session's credentials have ended.
    """
    return _principal(world, _valid(world, key_id, token, now_us))


def environment(key: AccessKey, region: str) -> dict[str, str]:
    """Return the environment variables from which AWS's SDKs and tools read credentials and Region."""
    variables = {
        "AWS_ACCESS_KEY_ID": key.id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_SESSION_TOKEN": key.token,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
    }
    return {name: value for name, value in variables.items() if value}


def _issue(world: World, principal: Principal, how: Circumstances, expires_us: int | None) -> AccessKey:
    now_us = world.clock.now_us
    asked = AccessKey(
        _key_id(principal, how),
        "",
        "",
        principal.arn,
        expires_us,
        how.issued_us,
        how.federated_by,
        None if how.mfa_age_s is None else now_us - how.mfa_age_s * 1_000_000,
        how.session_policy,
        how.session_tags,
        how.source_identity,
    )
    key = world.access_keys.get(asked.id)
    if key is None or (key.expires_us is not None and key.expires_us <= now_us):
        key = world.access_keys[asked.id] = _new(world, asked)
    elif key.expires_us is not None and (expires_us is None or expires_us > key.expires_us):
        # a record is shared with forks of the world, so it is replaced
        key = world.access_keys[asked.id] = replace(
            key, expires_us=expires_us, issued_us=asked.issued_us, mfa_us=asked.mfa_us
        )
    return key


def _key_id(principal: Principal, how: Circumstances) -> str:
    """Return the id of a principal's access key: of the one it has by default, or of that of a session of its own."""
    given = how.session_policy, how.session_tags, how.source_identity, how.federated_by, how.mfa_age_s is not None
    temporary = how.issued_us is not None and principal.kind in ("user", "root-user")
    if not (any(given) or temporary):
        return access_key_id(principal)
    return invented_id("ASIA", f"{principal.arn} {given}", 9) + "EXAMPLE"


def _new(world: World, asked: AccessKey) -> AccessKey:
    """Make an access key. A seeded world's randomness is looked at, not used up: whether a principal has credentials
    changes nothing else, so that a script gets the same ids through every door."""
    ahead = world.entropy.copy().take(32)

    def text(purpose: str, length: int) -> str:
        owner = asked.principal if asked.id == access_key_id(Principal.parse(asked.principal)) else asked.id
        seed = f"kms_lab {purpose} {owner} {world.clock.now_us} ".encode() + ahead
        digest = hashlib.shake_256(seed).digest(length)
        return base64.b64encode(digest).decode()

    token = text("token", 90) if asked.id.startswith("ASIA") else ""
    return replace(asked, secret=text("secret", 30), token=token)


def _valid(world: World, key_id: str, token: str, now_us: int) -> AccessKey:
    key = world.access_keys.get(key_id)
    if key is None or not hmac.compare_digest(key.token.encode(), token.encode()):
        raise UnrecognizedClientException(_UNKNOWN)
    if key.expires_us is not None and key.expires_us <= now_us:
        raise ExpiredTokenException("The security token included in the request is expired")
    return key


def _principal(world: World, key: AccessKey) -> Principal:
    who = Principal.parse(key.principal)
    if key.identity:
        return replace(who, identity_arn=key.identity)
    if who.kind != "role-session" or who.identity_arn in world.identities:
        return who
    # a session's ARN drops the role's path; role names are unique in an account
    start, end = f"arn:aws:iam::{who.account}:role/", f"/{who.name}"
    role = next((arn for arn in world.identities if arn.startswith(start) and arn.endswith(end)), None)
    return who if role is None else Principal.parse(role, who.arn.rpartition("/")[2])


# ------------------------------------------------------------------------------ Signature Version 4


class Scope(NamedTuple):
    """What an ``Authorization`` header says."""

    key_id: str
    day: str
    region: str
    service: str
    signed_headers: str
    signature: str


@lru_cache(maxsize=16)
def scope_of(authorization: str | None) -> Scope:
    """Read an ``Authorization`` header.

    Raises:
        MissingAuthenticationTokenException: there is none.
        IncompleteSignatureException: it is not that of a request signed with Signature Version 4.
    """
    if not authorization:
        raise MissingAuthenticationTokenException("Missing Authentication Token")
    match = _AUTHORIZATION.fullmatch(authorization.strip())
    if match is None:
        raise IncompleteSignatureException(
            f"Authorization header requires '{ALGORITHM} Credential=.../.../.../.../aws4_request', "
            "'SignedHeaders' and 'Signature' parameters."
        )
    return Scope(*match.groups())


class Signer(NamedTuple):
    """What a signature says: who calls, in which Region, which service, and what is known of the caller's session."""

    principal: Principal
    region: str
    service: str
    session: Circumstances


def verify(world: World, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Signer:
    """Check a request's signature. Return what it says.

    Args:
        path, query: of the request's target, as they were sent.
        headers: in any case.

    Raises:
        RequestError: AWS's refusal: not signed, unknown key, expired, or a signature that does not fit.
    """
    given = {name.lower(): value for name, value in headers.items()}
    scope = scope_of(given.get("authorization"))
    key = _valid(world, scope.key_id, given.get("x-amz-security-token", ""), world.clock.now_us)
    signed = scope.signed_headers.split(";")
    must_be = {"host", *(name for name in given if name.startswith("x-amz-"))}
    if not must_be <= set(signed) <= given.keys():  # unverified: AWS's text for a header that is not signed
        raise InvalidSignatureException(_MISMATCH)
    date = given.get("x-amz-date", "")
    if not _DATE.fullmatch(date) or not date.startswith(scope.day):
        raise InvalidSignatureException("Credential should be scoped to a valid date.")
    request = "\n".join(
        (
            method,
            quote(path or "/", safe="/-_.~"),
            _canonical_query(query),
            *(f"{name}:{' '.join(given[name].split())}" for name in signed),
            "",
            scope.signed_headers,
            hashlib.sha256(body).hexdigest(),
        )
    )
    place = f"{scope.day}/{scope.region}/{scope.service}/aws4_request"
    text = f"{ALGORITHM}\n{date}\n{place}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signing_key = _signing_key(key.secret, scope.day, scope.region, scope.service)
    if not hmac.compare_digest(hmac.digest(signing_key, text.encode(), "sha256").hex(), scope.signature):
        raise InvalidSignatureException(_MISMATCH)
    return Signer(_principal(world, key), scope.region, scope.service, session_of(world, key))


@lru_cache(maxsize=64)
def _signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _canonical_query(query: str) -> str:
    """Return a query's parameters in order; their names and values are encoded as they were sent."""
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return "&".join(f"{name}={value}" for name, value in sorted((name, value) for name, _, value in pairs))
