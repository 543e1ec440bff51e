"""The condition context of a call: one row for each condition key, computed from the call only when a policy asks
for it.

A row's function gets the call and the key that is checked, and returns the value, a tuple of values, or None where
AWS does not set the key. Names are lower case, since condition keys ignore case.

Source: AWS KMS Developer Guide, "AWS KMS condition keys"; IAM User Guide, "AWS global condition context keys".
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from kms_lab.core.clock import DAY_US, iso_text, read_us
from kms_lab.core.keys import Key
from kms_lab.core.names import parse_key_reference
from kms_lab.core.specs import ENCRYPT_DECRYPT
from kms_lab.service.last_usage import last_use
from kms_lab.service.operation import NO_KEY, Call

Value = str | tuple[str, ...] | None
Provider = Callable[[Call, Key | None], Value]

_SIDES = {"kms:ReEncryptFrom": "Source", "kms:ReEncryptTo": "Destination"}


def context_of(call: Call, key: Key | None, names: Iterable[str]) -> tuple[tuple[str, str | tuple[str, ...]], ...]:
    """Return the values of the named condition keys; those that AWS does not set for this call are left out."""
    found = []
    for name in names:
        value = value_of(call, key, name)
        if value is not None:
            found.append((name, value))
    return tuple(found)


def value_of(call: Call, key: Key | None, name: str) -> Value:
    """Return the value of one condition key for one call, or None."""
    provider = PROVIDERS.get(name)
    if provider is not None:
        return provider(call, key)
    for prefix, family in FAMILIES.items():
        if name.startswith(prefix):
            return family(call, key, name.removeprefix(prefix))
    return None


def _parameter(member: str, default: str | None = None) -> Provider:
    """A condition key that repeats a request member; operations without that member do not set it."""

    def provide(call: Call, _key: Key | None) -> Value:
        value = call.params.get(member)
        if value is None:
            value = default if member in call.row.model.members else None
        return None if value is None else _text(value)

    return provide


def _of_key(read: Callable[[Key], Any]) -> Provider:
    return lambda _call, key: None if key is None else _text(read(key))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _moment(value: datetime | float | str | None) -> Value:
    return None if value is None else iso_text(read_us(value))


def _side(call: Call) -> str:
    """The prefix of the request's members that belong to the permission being checked: ReEncrypt has two."""
    return _SIDES.get(call.permission, "")


def encryption_context(call: Call) -> dict[str, str]:
    """Return the encryption context of the side being checked; of CreateGrant, the one in the grant's constraint."""
    params = call.params
    if call.row.name == "CreateGrant":
        constraints = params.get("Constraints") or {}
        return constraints.get("EncryptionContextEquals") or constraints.get("EncryptionContextSubset") or {}
    context: dict[str, str] = params.get(f"{_side(call)}EncryptionContext") or params.get("EncryptionContext") or {}
    return context


def _context_keys(call: Call, _key: Key | None) -> Value:
    return tuple(encryption_context(call)) or None


def _context_value(call: Call, _key: Key | None, name: str) -> Value:
    """The key part of the condition's name ignores case; the value does not."""
    return next((value for key, value in encryption_context(call).items() if key.lower() == name), None)


def _request_alias(call: Call, _key: Key | None) -> Value:
    """The alias that names the key in the request. Operations on an alias itself do not set it."""
    if side := _side(call):
        name = parse_key_reference(call.params.get(f"{side}KeyId") or "")
        return name.name if name.kind == "alias" else None
    return None if call.alias_arn is None or "AliasName" in call.params else call.alias_arn.rpartition(":")[2]


def _resource_aliases(call: Call, key: Key | None) -> Value:
    return None if key is None else call.world.look(key.account, key.region).aliases_of(key.id) or None


def _caller_account(call: Call, _key: Key | None) -> Value:
    """Set for operations on keys and on custom key stores, not for the listings of an account and GenerateRandom."""
    if call.row.target == NO_KEY and call.row.name.startswith(("List", "GenerateRandom")):
        return None
    return call.principal.account or None


def _new_key(member: str, default: str | None, read: Callable[[Key], Any]) -> Provider:
    """A fact of the key, or, while there is none yet, of the key that is asked for: a replica is like its primary."""
    of_request, of_key = _parameter(member, default), _of_key(read)

    def provide(call: Call, key: Key | None) -> Value:
        if key is None and call.row.name == "ReplicateKey":
            key = call.key  # unverified: that a replica's kms:CreateKey is asked with the facts of its primary
        return of_key(call, key) if key is not None else of_request(call, key)

    return provide


_spec = _new_key("KeySpec", "SYMMETRIC_DEFAULT", lambda key: key.spec)


def _key_spec(call: Call, key: Key | None) -> Value:
    """CreateKey takes the spec by its old name too."""
    return (call.params.get("CustomerMasterKeySpec") if "KeySpec" not in call.params else None) or _spec(call, key)


def _multi_region_type(call: Call, key: Key | None) -> Value:
    """Not set for keys of a single Region. What CreateKey makes is a primary, what ReplicateKey makes a replica."""
    if key is not None:
        return key.multi_region_type or None
    if call.row.name == "ReplicateKey":
        return "REPLICA"
    return "PRIMARY" if call.params.get("MultiRegion") else None


def _requested_region(call: Call, key: Key | None) -> Value:
    """Where the permission is needed: a replica's own Region, for what is done there.

    # unverified: what AWS sets for the permissions that ReplicateKey and UpdatePrimaryRegion need elsewhere.
    """
    if key is not None:
        return key.region
    region: str = call.params.get("ReplicaRegion") or call.region
    return region


def _principal_tags(call: Call) -> dict[str, str]:
    identity = call.world.identities.get(call.principal.identity_arn)
    return identity.tags if identity else {}


def _requested_tags(call: Call) -> dict[str, str]:
    return {tag["TagKey"]: tag["TagValue"] for tag in call.params.get("Tags") or ()}


def _tag(tags: dict[str, str], name: str) -> Value:
    """Tag keys in condition names ignore case."""
    return next((value for key, value in tags.items() if key.lower() == name), None)


def _of_new_grant(member: str) -> Provider:
    """What CreateGrant asks for; other operations that have the member only search by it."""
    return lambda call, _key: call.params.get(member) if call.row.name == "CreateGrant" else None


def _grant_operations(call: Call, _key: Key | None) -> Value:
    return tuple(call.params.get("Operations") or ()) or None if call.row.name == "CreateGrant" else None


def _constraint_types(call: Call, _key: Key | None) -> Value:
    """Several values where a grant has both kinds of constraints. # unverified: that, and the value for SourceArn."""
    types = tuple((call.params.get("Constraints") or {}) if call.row.name == "CreateGrant" else ())
    return types[0] if len(types) == 1 else types or None


def _is_for_aws_resource(call: Call, key: Key | None) -> Value:
    """Does a service that is integrated with KMS make the call, for itself or for somebody?

    # unverified: that AWS sets "false" for other callers, and does not leave the key out.
    """
    if call.row.name not in ("CreateGrant", "ListGrants", "RevokeGrant"):
        return None
    return _text(call.principal.kind == "service" or value_of(call, key, "kms:viaservice") is not None)


def _days_unused(call: Call, key: Key | None) -> Value:
    """Whole days since the key was last used for cryptography, for the two calls that would stop its users.

    A key that was never used counts from its creation. Source: AWS KMS Developer Guide,
    "kms:TrailingDaysWithoutKeyUsage", and a public test of it in 2026.
    """
    if key is None or call.row.name not in ("DisableKey", "ScheduleKeyDeletion"):
        return None
    index = last_use(call.world, key)
    since_us = key.created_us if index is None else call.world.log.at_us[index]
    return str((call.world.clock.now_us - since_us) // DAY_US)


PROVIDERS: dict[str, Provider] = {
    "kms:bypasspolicylockoutsafetycheck": _parameter("BypassPolicyLockoutSafetyCheck", "false"),
    "kms:calleraccount": _caller_account,
    "kms:datakeypairspec": _parameter("KeyPairSpec"),
    "kms:encryptionalgorithm": lambda call, key: _algorithm(call, key),
    "kms:encryptioncontextkeys": _context_keys,
    "kms:keyagreementalgorithm": _parameter("KeyAgreementAlgorithm"),
    "kms:grantconstraintsourcearn": lambda call, key: (
        (call.params.get("Constraints") or {}).get("SourceArn") if call.row.name == "CreateGrant" else None
    ),
    "kms:grantconstrainttype": _constraint_types,
    "kms:granteeprincipal": _of_new_grant("GranteePrincipal"),
    "kms:granteeserviceprincipal": _of_new_grant("GranteeServicePrincipal"),
    "kms:grantisforawsresource": _is_for_aws_resource,
    "kms:grantoperations": _grant_operations,
    "kms:expirationmodel": _parameter("ExpirationModel", "KEY_MATERIAL_EXPIRES"),
    "kms:keyorigin": _new_key("Origin", "AWS_KMS", lambda key: key.origin),
    "kms:keyspec": _key_spec,
    "kms:keyusage": _new_key("KeyUsage", "ENCRYPT_DECRYPT", lambda key: key.usage),
    "kms:macalgorithm": _parameter("MacAlgorithm"),
    "kms:messagetype": _parameter("MessageType", "RAW"),
    "kms:multiregion": _new_key("MultiRegion", "false", lambda key: key.multi_region),
    "kms:multiregionkeytype": _multi_region_type,
    "kms:policyname": _parameter("PolicyName", "default"),
    "kms:primaryregion": _parameter("PrimaryRegion"),
    "kms:reencryptonsamekey": lambda call, _key: (
        None if call.source_key is None else _text(call.source_key is call.key)
    ),
    "kms:replicaregion": lambda call, _key: (
        call.params.get("ReplicaRegion") if call.permission == "kms:ReplicateKey" else None
    ),
    "kms:requestalias": _request_alias,
    "kms:resourcealiases": _resource_aliases,
    "kms:retiringprincipal": _of_new_grant("RetiringPrincipal"),
    "kms:retiringserviceprincipal": _of_new_grant("RetiringServicePrincipal"),
    "kms:rotationperiodindays": lambda call, _key: _number(call, "EnableKeyRotation", "RotationPeriodInDays", 365),
    "kms:schedulekeydeletionpendingwindowindays": lambda call, _key: _number(
        call, "ScheduleKeyDeletion", "PendingWindowInDays", 30
    ),
    "kms:viaservice": lambda call, _key: f"{call.via}.{call.region}.amazonaws.com" if call.via else None,
    "aws:viaawsservice": lambda call, _key: _text(bool(call.via)),
    "aws:calledvia": lambda call, _key: (f"{call.via}.amazonaws.com",) if call.via else None,
    "kms:signingalgorithm": _parameter("SigningAlgorithm"),
    "kms:validto": lambda call, _key: _moment(call.params.get("ValidTo")),
    "kms:wrappingalgorithm": _parameter("WrappingAlgorithm"),
    "kms:wrappingkeyspec": _parameter("WrappingKeySpec"),
    "kms:trailingdayswithoutkeyusage": _days_unused,
    "aws:currenttime": lambda call, _key: call.world.clock.now.isoformat().replace("+00:00", "Z"),
    "aws:epochtime": lambda call, _key: str(call.world.clock.now_us // 1_000_000),
    "aws:principalaccount": lambda call, _key: call.principal.account or None,
    "aws:principalarn": lambda call, _key: call.principal.identity_arn if call.principal.account else None,
    "aws:principaltype": lambda call, _key: _PRINCIPAL_TYPES.get(call.principal.kind),
    "aws:principalisawsservice": lambda call, _key: _text(call.principal.kind == "service"),
    "aws:username": lambda call, _key: call.principal.name if call.principal.kind == "user" else None,
    "aws:requestedregion": _requested_region,
    "aws:resourceaccount": lambda _call, key: None if key is None else key.account,
    "aws:sourcearn": lambda call, _key: call.source_arn,
    "aws:securetransport": lambda _call, _key: "true",
    "aws:tagkeys": lambda call, _key: tuple(_requested_tags(call)) or tuple(call.params.get("TagKeys") or ()) or None,
}

FAMILIES: dict[str, Callable[[Call, Key | None, str], Value]] = {
    "kms:encryptioncontext:": _context_value,
    "aws:principaltag/": lambda call, _key, name: _tag(_principal_tags(call), name),
    "aws:resourcetag/": lambda _call, key, name: None if key is None else _tag(key.tags, name),
    "aws:requesttag/": lambda call, _key, name: _tag(_requested_tags(call), name),
}

_PRINCIPAL_TYPES: dict[str, str] = {
    "user": "User", "role-session": "AssumedRole", "root-user": "Account", "federated-user": "FederatedUser",
}  # fmt: skip


def _algorithm(call: Call, _key: Key | None) -> Value:
    """Set for encryption and decryption, also where the request leaves the algorithm at its default."""
    if call.row.usage != ENCRYPT_DECRYPT:
        return None
    member = f"{side}EncryptionAlgorithm" if (side := _side(call)) else call.row.algorithm
    return _text(call.params.get(member) or "SYMMETRIC_DEFAULT")


def _number(call: Call, operation: str, member: str, default: int) -> Value:
    return str(call.params.get(member, default)) if call.row.name == operation else None
