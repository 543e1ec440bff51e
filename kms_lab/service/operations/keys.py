"""Making and looking at keys: CreateKey, DescribeKey, GetKeyLastUsage, ListKeys, EnableKey, DisableKey,
UpdateKeyDescription."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from kms_lab.core import material, model, names
from kms_lab.core.clock import to_datetime
from kms_lab.core.errors import (
    LimitExceededException,
    UnsupportedByLab,
    UnsupportedOperationException,
    ValidationException,
)
from kms_lab.core.keys import (
    CREATING,
    DISABLED,
    ENABLED,
    FIRST,
    PENDING_DELETION,
    PENDING_IMPORT,
    PENDING_REPLICA_DELETION,
    Key,
    KeyMaterial,
)
from kms_lab.core.specs import ENCRYPT_DECRYPT, SPECS
from kms_lab.core.world import Shelf, World
from kms_lab.core.wrapping import importable
from kms_lab.policy.defaults import api_default
from kms_lab.service import backing
from kms_lab.service.conditions import MULTI_REGION_SERVICE
from kms_lab.service.last_usage import last_use
from kms_lab.service.operation import KEY_ONLY, KEY_OR_ALIAS, NO_KEY, Call, Check, Response, operation
from kms_lab.service.operations.policies import accept_policy
from kms_lab.service.operations.rotation import expiration, resume_schedule
from kms_lab.service.operations.tags import accept_tags
from kms_lab.service.paging import page
from kms_lab.service.recipients import event_id, recipients
from kms_lab.service.states import EDIT, SWITCH

KEYS_PER_REGION = 100_000
_AES = "SYMMETRIC_DEFAULT"
_ALGORITHMS_MEMBER = {
    "ENCRYPT_DECRYPT": "EncryptionAlgorithms",
    "SIGN_VERIFY": "SigningAlgorithms",
    "GENERATE_VERIFY_MAC": "MacAlgorithms",
    "KEY_AGREEMENT": "KeyAgreementAlgorithms",
    "ENCAPSULATE_DECAPSULATE": "EncapsulationAlgorithms",
}


def _create_checks(call: Call) -> Iterable[Check]:
    account = call.principal.account
    yield "kms:CreateKey", "*", account, None
    if call.params.get("Tags"):
        # an identity policy must allow it on all keys of the account and Region: AWS KMS Developer Guide, "Managing KMS
        # key tags with API operations"
        yield "kms:TagResource", names.key_arn(call.region, account, "*"), account, None
    if call.params.get("MultiRegion"):
        # AWS KMS Developer Guide, "Create multi-Region primary keys": "The principal also needs the
        # iam:CreateServiceLinkedRole permission". # unverified: that it is asked for too where the role exists already
        yield "iam:CreateServiceLinkedRole", _multi_region_role(account), account, None


def _multi_region_role(account: str) -> str:
    """Return the ARN of the role with which KMS synchronizes an account's multi-Region keys."""
    name = "AWSServiceRoleForKeyManagementServiceMultiRegionKeys"
    return f"arn:aws:iam::{account}:role/aws-service-role/{MULTI_REGION_SERVICE}/{name}"


@operation(
    permission="kms:CreateKey",
    target=NO_KEY,
    checks=_create_checks,
    quota=5,
    shown=(
        "BypassPolicyLockoutSafetyCheck", "CustomKeyStoreId", "CustomerMasterKeySpec", "Description", "KeySpec",
        "KeyUsage", "MultiRegion", "Origin", "Policy", "Tags", "XksKeyId",
    ),
    source="AWS KMS API Reference, CreateKey",
)  # fmt: skip
def create_key(
    call: Call,
    *,
    Policy: str | None = None,
    Description: str = "",
    KeyUsage: str | None = None,
    CustomerMasterKeySpec: str | None = None,
    KeySpec: str | None = None,
    Origin: str = "AWS_KMS",
    CustomKeyStoreId: str | None = None,
    BypassPolicyLockoutSafetyCheck: bool = False,
    Tags: Sequence[Mapping[str, str]] = (),
    MultiRegion: bool = False,
    XksKeyId: str | None = None,
) -> Response:
    """Create a KMS key in the caller's account and Region. It is ready at once, and costs $1 a month."""
    world = call.world
    account = call.principal.account
    if KeySpec and CustomerMasterKeySpec:
        # unverified: that AWS refuses both together, and its sentence; other simulators quote it
        raise ValidationException(
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
            "CustomerMasterKeySpec is deprecated."
        )
    spec = KeySpec or CustomerMasterKeySpec or _AES
    usage = KeyUsage or ENCRYPT_DECRYPT
    if spec != _AES or usage != ENCRYPT_DECRYPT:
        _accept_spec(spec, KeyUsage, usage)
    if Origin == "EXTERNAL" and not importable(spec):
        # unverified: AWS's error and its words; and that ML-KEM is refused, as its guide says of ML-DSA
        raise UnsupportedOperationException(f"Key material of KeySpec {spec} cannot be imported.")
    shelf = world.shelf(account, call.region)
    store = backing.home_of_new_key(shelf, Origin, CustomKeyStoreId, XksKeyId, spec == _AES and not MultiRegion)
    tags = accept_tags({}, Tags) if Tags else {}
    accept_one_more(shelf)
    if Policy is None:
        policy = api_default(account)
    else:
        policy = accept_policy(call, Policy, None, BypassPolicyLockoutSafetyCheck)
    if store is not None:
        backing.accept_new_key(world, store, XksKeyId)

    digits = world.entropy.take(48).hex()
    key_id = names.key_id(digits, MultiRegion)
    now = world.clock.now_us
    key = Key(
        key_id, names.key_arn(call.region, account, key_id), account, call.region, spec, usage, Origin, now, policy,
        description=Description, multi_region=MultiRegion, tags=tags, primary_region=call.region if MultiRegion else "",
    )  # fmt: skip
    if Origin == "EXTERNAL":
        key.state = PENDING_IMPORT
    else:
        secret = material.generate(spec, world.entropy.take)
        if store is not None:
            secret = backing.settle(world, store, key, secret, XksKeyId)
            call.more = {"cluster_id": store.cluster_id}
        key.materials.append(KeyMaterial(digits[32:], now, FIRST, secret))
    shelf.keys[key_id] = key
    call.key = key
    return {"KeyMetadata": metadata(world, key)}


@operation(
    permission="kms:DescribeKey",
    target=KEY_OR_ALIAS,
    cross_account=True,
    quota=2000,
    shown=("KeyId",),
    source="AWS KMS API Reference, DescribeKey",
)
def describe_key(call: Call, *, KeyId: str, GrantTokens: Sequence[str] = ()) -> Response:
    """Return a key's metadata. Aliases, tags, policy and rotation have calls of their own."""
    return {"KeyMetadata": metadata(call.world, call.key)}


@operation(
    permission="kms:ListKeys",
    target=NO_KEY,
    quota=500,
    shown=("Limit", "Marker"),
    source="AWS KMS API Reference, ListKeys",
)
def list_keys(
    call: Call, *, Limit: int = 100, Marker: str | None = None, ResourceOwners: Sequence[str] = ()
) -> Response:
    """List the ids and ARNs of every key in the caller's account and Region, in whatever state."""
    if ResourceOwners and list(ResourceOwners) != ["SELF"]:
        raise UnsupportedByLab("The lab does not share keys through AWS RAM, so it lists your own keys only.")
    keys = list(call.world.look(call.principal.account, call.region).keys.values())
    return page(keys, "Keys", lambda key: {"KeyId": key.id, "KeyArn": key.arn}, Limit, Marker)


@operation(
    permission="kms:EnableKey",
    target=KEY_ONLY,
    states=SWITCH,
    quota=5,
    shown=("KeyId",),
    source="AWS KMS API Reference, EnableKey",
)
def enable_key(call: Call, *, KeyId: str) -> None:
    """Make a disabled key usable again. A rotation that came due meanwhile happens now."""
    backing.switch(call.world, call.key, ENABLED)
    resume_schedule(call)


@operation(
    permission="kms:DisableKey",
    target=KEY_ONLY,
    states=SWITCH,
    quota=5,
    shown=("KeyId",),
    source="AWS KMS API Reference, DisableKey",
)
def disable_key(call: Call, *, KeyId: str) -> None:
    """Stop all use of a key. Nothing is lost; EnableKey brings it back. It still costs its monthly fee."""
    backing.switch(call.world, call.key, DISABLED)


@operation(
    permission="kms:UpdateKeyDescription",
    target=KEY_ONLY,
    states=EDIT,
    quota=5,
    shown=("Description", "KeyId"),
    source="AWS KMS API Reference, UpdateKeyDescription",
)
def update_key_description(call: Call, *, KeyId: str, Description: str) -> None:
    """Replace a key's description."""
    call.key.description = Description


@operation(
    permission="kms:GetKeyLastUsage",
    target=KEY_ONLY,
    quota=5,
    shown=("KeyId",),
    source="AWS KMS API Reference, GetKeyLastUsage",
)
def get_key_last_usage(call: Call, *, KeyId: str) -> Response:
    """Say when a key was last used for cryptography, by which operation, and which CloudTrail event tells of it.

    A lab watches every key from its creation on, so tracking began then.
    """
    key, log = call.key, call.world.log
    created = to_datetime(key.created_us)
    usage: dict[str, Any] = {}
    index = last_use(call.world, key)
    if index is not None:
        entry = log.entry(index)
        usage = {
            "Operation": entry.operation,
            "Timestamp": to_datetime(entry.at_us),
            "CloudTrailEventId": event_id(log, index, recipients(entry).index(key.account)),
            "KmsRequestId": log.request_id(index),
        }
    return {"KeyId": key.arn, "KeyLastUsage": usage, "TrackingStartDate": created, "KeyCreationDate": created}


def accept_one_more(shelf: Shelf) -> None:
    """Refuse a key, new or replicated, for which an account has no room left in a Region.

    Raises:
        LimitExceededException: the quota is reached.
    """
    if len(shelf.keys) < KEYS_PER_REGION:
        return
    count = sum(key.manager == "CUSTOMER" for key in shelf.keys.values())
    if count >= KEYS_PER_REGION:
        # the sentence as a log of 2016 quotes it; unverified: that it has not changed since
        raise LimitExceededException(
            f"Key quota for this account in this region is {KEYS_PER_REGION} but the current usage is {count}."
        )


def metadata(world: World, key: Key) -> dict[str, Any]:
    """Return ``KeyMetadata`` as DescribeKey answers it now.

    Source: AWS KMS API Reference, ``KeyMetadata``; which members appear when, recordings of AWS's answers.
    """
    shown: dict[str, Any] = {
        "AWSAccountId": key.account,
        "KeyId": key.id,
        "Arn": key.arn,
        "CreationDate": to_datetime(key.created_us),
        "Enabled": key.state == ENABLED,
        "Description": key.description,
        "KeyState": key.state,
        "Origin": key.origin,
        "KeyManager": key.manager,
        **spec_members(key),
        "MultiRegion": key.multi_region,
    }
    store = world.store_of(key)
    if store is not None:
        shown |= backing.whereabouts(store, key)
    elif key.materials and key.spec == _AES and key.state != CREATING:
        shown["CurrentKeyMaterialId"] = key.current.id
    if key.origin == "EXTERNAL" and key.has_all_material:
        shown |= expiration(key.materials)
    if key.state == PENDING_DELETION and key.deletion_us is not None:
        shown["DeletionDate"] = to_datetime(key.deletion_us)
    if key.state == PENDING_REPLICA_DELETION:
        shown["PendingDeletionWindowInDays"] = key.pending_days
    if key.multi_region:
        shown["MultiRegionConfiguration"] = _family(world, key)
    return shown


def _family(world: World, key: Key) -> dict[str, Any]:
    """Return a key's ``MultiRegionConfiguration``: its replicas include the key itself if it is one."""
    family = sorted([key, *world.related(key)], key=lambda one: one.region)
    places = {one.region: {"Arn": one.arn, "Region": one.region} for one in family}
    return {
        "MultiRegionKeyType": key.multi_region_type,
        "PrimaryKey": places.pop(key.primary_region),
        "ReplicaKeys": list(places.values()),
    }


def spec_members(key: Key) -> dict[str, Any]:
    """Return what ``KeyMetadata`` and GetPublicKey both say: spec, usage and the algorithms that go with them."""
    shown: dict[str, Any] = {
        "KeySpec": key.spec,
        "KeyUsage": key.usage,
        _ALGORITHMS_MEMBER[key.usage]: list(SPECS[key.spec].algorithms[key.usage]),
    }
    if key.spec in _old_specs():
        shown["CustomerMasterKeySpec"] = key.spec
    return shown


@cache
def _old_specs() -> frozenset[str]:
    """The specs that AWS's model still lets the deprecated ``CustomerMasterKeySpec`` repeat."""
    return frozenset(model.enum("CustomerMasterKeySpec"))


def _accept_spec(spec: str, asked: str | None, usage: str) -> None:
    """Refuse a spec that cannot have the usage, or that the lab cannot make.

    Source: recordings of AWS's answers.
    """
    row = SPECS[spec]
    if asked is None:
        # the sentence as a public template checker quotes CreateKey, and several simulators too
        raise ValidationException(
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."
        )
    if usage not in row.algorithms:
        raise ValidationException(f"KeyUsage {usage} is not compatible with KeySpec {spec}")
    accept_makeable(spec)


def accept_makeable(spec: str) -> None:
    """Refuse a spec of which no key, and no data key pair, can be made here."""
    if spec == "SM2":
        # as somebody's trial of CreateKey in us-east-1 found it in 2026; unverified: the same for data key pairs
        raise UnsupportedOperationException("KeySpec SM2 is not supported in this Region")
    if SPECS[spec].family not in material.FAMILIES:
        raise UnsupportedByLab(f"AWS can create {spec} keys; the lab cannot yet.")
