"""Grants: CreateGrant, ListGrants, ListRetirableGrants, RetireGrant, RevokeGrant.

RevokeGrant is allowed by policies, RetireGrant by the grant itself. Either way the grant vanishes from listings at
once, and goes on allowing until its end has reached all of KMS.

Source: AWS KMS Developer Guide, "Grants in AWS KMS", "Creating grants", "Retiring and revoking grants".
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kms_lab.core.clock import Due, to_datetime
from kms_lab.core.errors import (
    InvalidArnException,
    InvalidGrantIdException,
    LimitExceededException,
    NotFoundException,
    ValidationException,
)
from kms_lab.core.keys import Grant, Key
from kms_lab.core.names import Principal
from kms_lab.core.specs import (
    ENCAPSULATE_DECAPSULATE,
    ENCRYPT_DECRYPT,
    GENERATE_VERIFY_MAC,
    KEY_AGREEMENT,
    SIGN_VERIFY,
    SPECS,
)
from kms_lab.core.world import World
from kms_lab.service import grants, resolve, states
from kms_lab.service.find import key_by_arn
from kms_lab.service.operation import KEY_ONLY, NO_KEY, Call, Check, Response, operation
from kms_lab.service.paging import page

GRANTS_PER_KEY = 50_000
_CONTEXT_PAIRS = 8
_CONTEXT_VALUE = 384
_GRANT_ID = re.compile(r"[0-9a-f]{64}")
_SERVICE = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?")

_ANY_KEY = ("CreateGrant", "DescribeKey", "RetireGrant")
_ENCRYPTION = ("Decrypt", "Encrypt", "ReEncryptFrom", "ReEncryptTo")
_DATA_KEYS = tuple(f"GenerateDataKey{kind}{half}" for kind in ("", "Pair") for half in ("", "WithoutPlaintext"))
_BY_USAGE = {
    ENCRYPT_DECRYPT: _ENCRYPTION,
    SIGN_VERIFY: ("Sign", "Verify"),
    GENERATE_VERIFY_MAC: ("GenerateMac", "VerifyMac"),
    KEY_AGREEMENT: ("DeriveSharedSecret",),
    ENCAPSULATE_DECAPSULATE: ("Encapsulate", "Decapsulate"),
}


def operations_for(key: Key) -> frozenset[str]:
    """Return the operations that a grant on this key may permit: those that the key supports."""
    spec = SPECS[key.spec]
    more = _DATA_KEYS if spec.symmetric else ("GetPublicKey",) if spec.asymmetric else ()
    return frozenset(_ANY_KEY + _BY_USAGE[key.usage] + more)


def _acceptable(call: Call) -> None:
    _plan(call)


@operation(
    permission="kms:CreateGrant",
    target=KEY_ONLY,
    states=states.GRANT,
    trial=_acceptable,
    cross_account=True,
    quota=50,
    shown=(
        "Constraints",
        "GranteePrincipal",
        "GranteeServicePrincipal",
        "KeyId",
        "Name",
        "Operations",
        "RetiringPrincipal",
        "RetiringServicePrincipal",
    ),
    source="AWS KMS API Reference, CreateGrant",
)
def create_grant(
    call: Call,
    *,
    KeyId: str,
    Operations: Sequence[str],
    GranteePrincipal: str | None = None,
    RetiringPrincipal: str | None = None,
    Constraints: Mapping[str, Any] | None = None,
    GrantTokens: Sequence[str] = (),
    Name: str | None = None,
    DryRun: bool = False,
    GranteeServicePrincipal: str | None = None,
    RetiringServicePrincipal: str | None = None,
) -> Response:
    """Let one principal use one key for some operations, without touching a policy.

    With a ``Name``, asking again for the same grant gives the same grant, with one more token.
    """
    plan = _plan(call)
    token = grants.new_token(call.world, call.key)
    grant = replace(plan, id=plan.id or call.world.entropy.take(32).hex(), tokens=(*plan.tokens, token))
    call.key.put_grant(grant)
    call.more = {"grant": grant.id}
    return {"GrantToken": token, "GrantId": grant.id}


@operation(
    permission="kms:ListGrants",
    target=KEY_ONLY,
    cross_account=True,
    quota=100,
    shown=("GrantId", "GranteePrincipal", "GranteeServicePrincipal", "KeyId", "Limit", "Marker"),
    source="AWS KMS API Reference, ListGrants",
)
def list_grants(
    call: Call,
    *,
    KeyId: str,
    Limit: int = 50,
    Marker: str | None = None,
    GrantId: str | None = None,
    GranteePrincipal: str | None = None,
    GranteeServicePrincipal: str | None = None,
) -> Response:
    """List the grants on a key, or those of one grantee, or the one with an id."""
    _at_most_one(call, "GranteePrincipal", "GranteeServicePrincipal")
    _for_services_only(call, "GranteeServicePrincipal")
    if GrantId is not None:
        _check_id(GrantId)
    wanted = GranteePrincipal or GranteeServicePrincipal
    found = [
        grant
        for grant in grants.register(call.key).living()
        if GrantId in (None, grant.id)
        and wanted in (None, grant.grantee)
        and (GranteeServicePrincipal is None or grant.grantee_is_service)
    ]
    return page(found, "Grants", _shown, Limit, Marker)


def _own_principal(call: Call) -> Iterable[Check]:
    """ListRetirableGrants is allowed on the retiring principal, by the caller's own account; a service asks nobody."""
    _exactly_one(call, "RetiringPrincipal", "RetiringServicePrincipal")
    _for_services_only(call, "RetiringServicePrincipal")
    retiring = call.params.get("RetiringPrincipal")
    if retiring is not None:
        yield call.row.permission, retiring, _principal(retiring).account, None


@operation(
    permission="kms:ListRetirableGrants",
    target=NO_KEY,
    checks=_own_principal,
    quota=100,
    shown=("Limit", "Marker", "RetiringPrincipal", "RetiringServicePrincipal"),
    source="AWS KMS API Reference, ListRetirableGrants",
)
def list_retirable_grants(
    call: Call,
    *,
    Limit: int = 50,
    Marker: str | None = None,
    RetiringPrincipal: str | None = None,
    RetiringServicePrincipal: str | None = None,
) -> Response:
    """List the grants in the Region, on keys of any account, that name a retiring principal."""
    retiring = RetiringPrincipal or RetiringServicePrincipal
    found = [
        grant
        for key in call.world.all_keys()
        if key.region == call.region and key.grants
        for grant in grants.register(key).living()
        if grant.retiring == retiring and grant.retiring_is_service == (RetiringPrincipal is None)
    ]
    return page(found, "Grants", _shown, Limit, Marker)


def _named_grant(call: Call) -> None:
    """Find the grant to retire, and its key, by a token or by key and grant id.

    Raises:
        InvalidGrantTokenException: no grant has this token.
        NotFoundException, InvalidGrantIdException: the key has no such grant.
    """
    token, key_id, grant_id = (call.params.get(member) for member in ("GrantToken", "KeyId", "GrantId"))
    if (token is not None, key_id is not None, grant_id is not None) not in ((True, False, False), (False, True, True)):
        # unverified: wording
        raise ValidationException("Specify either GrantToken, or both KeyId and GrantId.")
    if token is None:
        call.key = resolve.find(call, key_id or "", aliases=False)
        call.grant = _living(call.key, grant_id or "")
        return
    call.key, call.grant = grants.retirable(call, token)


@operation(
    permission="kms:RetireGrant",
    target=_named_grant,
    cross_account=True,
    quota=50,
    shown=(),
    source="AWS KMS API Reference, RetireGrant",
)
def retire_grant(
    call: Call,
    *,
    GrantToken: str | None = None,
    KeyId: str | None = None,
    GrantId: str | None = None,
    DryRun: bool = False,
) -> None:
    """Delete a grant that is no longer needed: for those whom the grant itself names."""
    assert call.grant is not None
    _end(call, call.grant)


def _there_is_one(call: Call) -> None:
    _living(call.key, call.params["GrantId"])


@operation(
    permission="kms:RevokeGrant",
    target=KEY_ONLY,
    trial=_there_is_one,
    cross_account=True,
    quota=50,
    shown=("GrantId", "KeyId"),
    source="AWS KMS API Reference, RevokeGrant",
)
def revoke_grant(call: Call, *, KeyId: str, GrantId: str, DryRun: bool = False) -> None:
    """Delete a grant, to take away what it permits: for those whom a policy lets do it."""
    _end(call, _living(call.key, GrantId))


def _end(call: Call, grant: Grant) -> None:
    """Retire or revoke: the grant is gone for whoever looks, and ends when that has reached all of KMS."""
    ends_us = call.world.clock.now_us + grants.PROPAGATION_US
    call.key.put_grant(replace(grant, ends_us=ends_us))
    call.world.clock.schedule(ends_us, "end grant", f"{call.key.arn} {grant.id}")
    call.more = {"grant": grant.id}


def forget(world: World, due: Due) -> bool:
    """Drop a grant whose end has reached all of KMS."""
    arn, _, grant_id = due.subject.partition(" ")
    key = key_by_arn(world, arn)
    if key is None or grant_id not in key.grants:  # deleted since, with all its grants; perhaps replicated again
        return False
    key.drop_grant(grant_id)
    return True


def _living(key: Key, grant_id: str) -> Grant:
    """Return a grant of a key.

    Raises:
        InvalidGrantIdException: no grant can have this id.
        NotFoundException: the key has no such grant, or no more.
    """
    _check_id(grant_id)
    grant = key.grants.get(grant_id)
    if grant is None or grant.ends_us is not None:
        raise NotFoundException(f"Grant ID {grant_id} not found")  # unverified: wording
    return grant


def _check_id(grant_id: str) -> None:
    if not _GRANT_ID.fullmatch(grant_id):
        # unverified: which ids AWS finds invalid, and its text
        raise InvalidGrantIdException()


def _shown(grant: Grant) -> dict[str, object]:
    grantee = "GranteeServicePrincipal" if grant.grantee_is_service else "GranteePrincipal"
    retiring = "RetiringServicePrincipal" if grant.retiring_is_service else "RetiringPrincipal"
    wishes: dict[str, object] = {
        "EncryptionContextEquals": None if grant.context_equals is None else dict(grant.context_equals),
        "EncryptionContextSubset": None if grant.context_subset is None else dict(grant.context_subset),
        "SourceArn": grant.source_arn or None,
    }
    constraints = {name: value for name, value in wishes.items() if value is not None}
    entry: dict[str, object] = {
        "KeyId": grant.key_arn,
        "GrantId": grant.id,
        "Name": grant.name or None,
        "CreationDate": to_datetime(grant.created_us),
        grantee: grant.grantee,
        retiring: grant.retiring or None,
        "IssuingAccount": grant.issuer,
        "Operations": list(grant.operations),
        "Constraints": constraints or None,
    }
    return {name: value for name, value in entry.items() if value is not None}


# ------------------------------------------------------------------------------ what CreateGrant accepts


def _plan(call: Call) -> Grant:
    """Return the grant that is asked for: the one that is there already, or a new one, as yet without id and tokens.

    Raises:
        ValidationException: members that exclude or need each other, operations or constraints that do not fit the key.
        InvalidArnException: a principal that does not exist.
        LimitExceededException: the key has as many grants as a key can have.
    """
    draft = _draft(call)
    register = grants.register(call.key)
    known = register.same_as(draft) if draft.name else None
    if known is not None:
        return known
    if len(register) >= GRANTS_PER_KEY and len(register.living()) >= GRANTS_PER_KEY:
        # unverified: wording, after that of the quota of aliases
        raise LimitExceededException(
            f"Grants per key quota for this account in this region is {GRANTS_PER_KEY}, "
            f"current usage is {GRANTS_PER_KEY}."
        )
    return draft


def _draft(call: Call) -> Grant:
    params, key, now = call.params, call.key, call.world.clock.now_us
    _exactly_one(call, "GranteePrincipal", "GranteeServicePrincipal")
    _at_most_one(call, "RetiringPrincipal", "RetiringServicePrincipal")
    child = grants.child_of(params)
    assert child is not None
    _check_operations(key, child.operations)
    constraints = params.get("Constraints") or {}
    _check_constraints(key, constraints)
    by_service, retiring_service = (params.get(f"{who}ServicePrincipal") for who in ("Grantee", "Retiring"))
    grantee, retiring = (params.get(f"{who}Principal") for who in ("Grantee", "Retiring"))
    # unverified: wording of both
    if by_service and not child.source_arn:
        raise ValidationException("A SourceArn grant constraint is required when GranteeServicePrincipal is specified.")
    if by_service and not (retiring or retiring_service):
        raise ValidationException(
            "RetiringPrincipal or RetiringServicePrincipal is required when GranteeServicePrincipal is specified."
        )
    for principal in (grantee, retiring):
        if principal is not None:
            _check_principal(principal, call.world)
    return Grant(
        id="",
        name=params.get("Name") or "",
        key_arn=key.arn,
        grantee=grantee or by_service or "",
        retiring=retiring or retiring_service or "",
        operations=child.operations,
        context_equals=child.context_equals,
        context_subset=child.context_subset,
        source_arn=child.source_arn,
        # unverified: of a grant made across accounts, that the caller's account issues it
        issuer=grants.account_arn(call.principal.account or key.account),
        creator=call.principal.arn,
        tokens=(),
        created_us=now,
        effective_us=now + grants.PROPAGATION_US,
        grantee_is_service=by_service is not None,
        retiring_is_service=retiring_service is not None,
    )


def _check_operations(key: Key, operations: Sequence[str]) -> None:
    if set(operations) == {"CreateGrant"}:
        raise ValidationException("Grants must not contain only the CreateGrant operation.")  # a report of 2019
    unfit = sorted(set(operations) - operations_for(key))
    if unfit or not operations:
        # unverified: wording
        raise ValidationException(
            f"Operations {', '.join(unfit) or '[]'} cannot be granted on a {key.spec} key with usage {key.usage}.",
            operations=unfit,
        )


def _check_constraints(key: Key, constraints: Mapping[str, Any]) -> None:
    contexts = [
        constraints[kind] for kind in ("EncryptionContextEquals", "EncryptionContextSubset") if kind in constraints
    ]
    if contexts and not SPECS[key.spec].symmetric:
        raise ValidationException(
            "EncryptionContext is supported only when creating a grant for a symmetric encryption KMS key."
        )
    # unverified: wording of all three
    if len(contexts) > 1:
        raise ValidationException("Specify either EncryptionContextEquals or EncryptionContextSubset, but not both.")
    for context in contexts:
        if len(context) > _CONTEXT_PAIRS:
            raise ValidationException(f"A grant constraint can have at most {_CONTEXT_PAIRS} encryption context pairs.")
        if any(len(value) > _CONTEXT_VALUE for value in context.values()):
            raise ValidationException(
                f"An encryption context value in a grant constraint can have at most {_CONTEXT_VALUE} characters."
            )


def _check_principal(text: str, world: World) -> None:
    """Refuse a user or role that does not exist. Of accounts that the lab does not know it can know nothing.

    A service's name is taken too: it is what the grants show that services make for themselves.
    """
    if _SERVICE.fullmatch(text):
        return
    who = _principal(text)
    known = who.kind not in ("user", "role-session") or who.identity_arn in world.identities
    if not known and world.has_account(who.account):
        raise InvalidArnException(f"ARN does not refer to a valid principal: {text}")


def _principal(text: str) -> Principal:
    """Return the principal that an ARN names."""
    try:
        return Principal.parse(text if text.startswith("arn:") else f"not an ARN: {text}")
    except ValueError:
        # unverified: that what is no principal's ARN at all is refused in the words for a principal that does not exist
        raise InvalidArnException(f"ARN does not refer to a valid principal: {text}") from None


def _exactly_one(call: Call, one: str, other: str) -> None:
    if call.params.get(one) is None and call.params.get(other) is None:
        raise ValidationException(f"You must specify either {one} or {other}.")  # unverified: wording
    _at_most_one(call, one, other)


def _at_most_one(call: Call, one: str, other: str) -> None:
    if call.params.get(one) is not None and call.params.get(other) is not None:
        raise ValidationException(f"You can specify either {one} or {other}, but not both.")  # unverified: wording


def _for_services_only(call: Call, member: str) -> None:
    if call.params.get(member) is not None and call.principal.kind != "service":
        # unverified: AWS's error; its model says that only callers in a service principal can use the filter
        raise ValidationException(f"Only an AWS service can use {member}.")
