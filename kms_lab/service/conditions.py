"""The condition context of a call: one row for each condition key, computed from the call only when a policy asks
for it.

A row's function gets the call and the key that is checked, and returns the value, a tuple of values, or None where
AWS does not set the key. Names are lower case, since condition keys ignore case.

Source: AWS KMS Developer Guide, "AWS KMS condition keys"; IAM User Guide, "AWS global condition context keys".
"""

from collections.abc import Callable, Iterable
from typing import Any

from kms_lab.core.keys import Key
from kms_lab.core.names import parse_key_reference
from kms_lab.core.specs import ENCRYPT_DECRYPT
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


def _side(call: Call) -> str:
    """The prefix of the request's members that belong to the permission being checked: ReEncrypt has two."""
    return _SIDES.get(call.permission, "")


def _encryption_context(call: Call) -> dict[str, str]:
    params = call.params
    context: dict[str, str] = params.get(f"{_side(call)}EncryptionContext") or params.get("EncryptionContext") or {}
    return context


def _context_keys(call: Call, _key: Key | None) -> Value:
    return tuple(_encryption_context(call)) or None


def _context_value(call: Call, _key: Key | None, name: str) -> Value:
    """The key part of the condition's name ignores case; the value does not."""
    return next((value for key, value in _encryption_context(call).items() if key.lower() == name), None)


def _request_alias(call: Call, _key: Key | None) -> Value:
    """The alias that names the key in the request. Operations on an alias itself do not set it."""
    if side := _side(call):
        name = parse_key_reference(call.params.get(f"{side}KeyId") or "")
        return name.name if name.kind == "alias" else None
    return None if call.alias_arn is None or "AliasName" in call.params else call.alias_arn.rpartition(":")[2]


def _resource_aliases(call: Call, key: Key | None) -> Value:
    return None if key is None else call.world.shelf(key.account, key.region).aliases_of(key.id) or None


def _caller_account(call: Call, _key: Key | None) -> Value:
    """Set for operations on keys and for CreateKey, not for the listings of an account and GenerateRandom."""
    if call.row.target == NO_KEY and call.row.name != "CreateKey":
        return None
    return call.principal.account or None


def _new_key(member: str, default: str | None, read: Callable[[Key], Any]) -> Provider:
    """A fact of the key, or, while CreateKey has none yet, of the key that is asked for."""
    of_request, of_key = _parameter(member, default), _of_key(read)
    return lambda call, key: of_key(call, key) if key is not None else of_request(call, key)


_spec = _new_key("KeySpec", "SYMMETRIC_DEFAULT", lambda key: key.spec)


def _key_spec(call: Call, key: Key | None) -> Value:
    """CreateKey takes the spec by its old name too."""
    return (call.params.get("CustomerMasterKeySpec") if "KeySpec" not in call.params else None) or _spec(call, key)


def _principal_tags(call: Call) -> dict[str, str]:
    identity = call.world.identities.get(call.principal.identity_arn)
    return identity.tags if identity else {}


def _requested_tags(call: Call) -> dict[str, str]:
    return {tag["TagKey"]: tag["TagValue"] for tag in call.params.get("Tags") or ()}


def _tag(tags: dict[str, str], name: str) -> Value:
    """Tag keys in condition names ignore case."""
    return next((value for key, value in tags.items() if key.lower() == name), None)


PROVIDERS: dict[str, Provider] = {
    "kms:bypasspolicylockoutsafetycheck": _parameter("BypassPolicyLockoutSafetyCheck", "false"),
    "kms:calleraccount": _caller_account,
    "kms:encryptionalgorithm": lambda call, key: _algorithm(call, key),
    "kms:encryptioncontextkeys": _context_keys,
    "kms:keyorigin": _new_key("Origin", "AWS_KMS", lambda key: key.origin),
    "kms:keyspec": _key_spec,
    "kms:keyusage": _new_key("KeyUsage", "ENCRYPT_DECRYPT", lambda key: key.usage),
    "kms:multiregion": _new_key("MultiRegion", "false", lambda key: key.multi_region),
    "kms:policyname": _parameter("PolicyName", "default"),
    "kms:reencryptonsamekey": lambda call, _key: (
        None if call.source_key is None else _text(call.source_key is call.key)
    ),
    "kms:requestalias": _request_alias,
    "kms:resourcealiases": _resource_aliases,
    "kms:rotationperiodindays": lambda call, _key: _number(call, "EnableKeyRotation", "RotationPeriodInDays", 365),
    "kms:schedulekeydeletionpendingwindowindays": lambda call, _key: _number(
        call, "ScheduleKeyDeletion", "PendingWindowInDays", 30
    ),
    "aws:currenttime": lambda call, _key: call.world.clock.now.isoformat().replace("+00:00", "Z"),
    "aws:epochtime": lambda call, _key: str(call.world.clock.now_us // 1_000_000),
    "aws:principalaccount": lambda call, _key: call.principal.account or None,
    "aws:principalarn": lambda call, _key: call.principal.identity_arn if call.principal.account else None,
    "aws:principaltype": lambda call, _key: _PRINCIPAL_TYPES.get(call.principal.kind),
    "aws:principalisawsservice": lambda call, _key: _text(call.principal.kind == "service"),
    "aws:username": lambda call, _key: call.principal.name if call.principal.kind == "user" else None,
    "aws:requestedregion": lambda call, _key: call.region,
    "aws:resourceaccount": lambda _call, key: None if key is None else key.account,
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
