"""Multi-Region keys: ReplicateKey, UpdatePrimaryRegion, and the seconds that these take.

Related keys have the same id, material, spec, usage, origin and rotation, and are separate keys in all else: policy,
grants, aliases, tags, description, state, deletion and price. Each Region's key works without the others.

Not here: how a rotation reaches the replicas (``rotation``), and what deleting one of them does (``deletion``).

Source: AWS KMS API Reference, the operations named; AWS KMS Developer Guide, "Multi-Region keys in AWS KMS".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kms_lab.core.clock import Due
from kms_lab.core.errors import AlreadyExistsException, NotFoundException, UnsupportedOperationException
from kms_lab.core.keys import CREATING, ENABLED, PENDING_IMPORT, UPDATING, Key, KeyMaterial
from kms_lab.core.names import key_arn
from kms_lab.core.world import World, secret_of
from kms_lab.policy.defaults import api_default
from kms_lab.service import states
from kms_lab.service.find import key_by_arn
from kms_lab.service.operation import KEY_ONLY, OPERATIONS, Call, Check, Response, operation
from kms_lab.service.operations.keys import accept_one_more, metadata
from kms_lab.service.operations.policies import accept_policy
from kms_lab.service.operations.rotation import synchronization
from kms_lab.service.operations.tags import accept_tags
from kms_lab.service.states import REPLICATE, UPDATE_PRIMARY

# unverified: AWS says "a few seconds" of both
CREATING_US = 10_000_000
UPDATING_US = 10_000_000

#: what the names of Regions outside the partition ``aws`` begin with. Source: botocore, ``partitions.json``
_PARTITIONS = ("cn-", "us-gov-", "us-iso-", "us-isob-", "us-isof-", "eu-isoe-", "eusc-")


def _require_primary(call: Call) -> None:
    """Only the primary of a multi-Region key can be replicated, or hand over its role.

    The state comes first: AWS's key-state table lets both operations say of a key that it is Creating, which only
    replicas are.
    """
    if not call.key.is_primary:
        # recorded for ReplicateKey on a replica; unverified: the same words for other keys and for UpdatePrimaryRegion
        raise UnsupportedOperationException(f"{call.key.arn} is not a multi-region primary key.")


def _replicate_checks(call: Call) -> Iterable[Check]:
    key, account = call.key, call.key.account
    yield "kms:ReplicateKey", key.arn, account, key
    yield "kms:CreateKey", "*", account, None
    if call.params.get("Tags"):
        yield "kms:TagResource", key_arn(call.params["ReplicaRegion"], account, key.id), account, None


@operation(
    permission="kms:ReplicateKey",
    target=KEY_ONLY,
    checks=_replicate_checks,
    states=REPLICATE,
    quota=5,
    shown=("BypassPolicyLockoutSafetyCheck", "Description", "KeyId", "ReplicaRegion"),
    source="AWS KMS API Reference, ReplicateKey",
)
def replicate_key(
    call: Call,
    *,
    KeyId: str,
    ReplicaRegion: str,
    Policy: str | None = None,
    BypassPolicyLockoutSafetyCheck: bool = False,
    Description: str = "",
    Tags: Sequence[Mapping[str, str]] = (),
) -> Response:
    """Make a replica of a multi-Region primary key in another Region. It is Creating for some seconds, then usable: the
    lab's clock must move on.

    Nothing but what all related keys share is taken over: without Policy the replica has the default key policy, and
    it has the description and tags of this call. A replica of a key with imported material waits for the same
    material to be imported, as PendingImport.

    The lab knows no list of Regions: every name of AWS's form is one, and open to every account.
    """
    _require_primary(call)
    world, primary = call.world, call.key
    if _partition(ReplicaRegion) != _partition(primary.region):
        # unverified: AWS's error; its text only says that both are in the same partition
        raise UnsupportedOperationException(f"{ReplicaRegion} is not in the partition of {primary.region}.")
    shelf = world.shelf(primary.account, ReplicaRegion)
    if primary.id in shelf.keys:
        # unverified: wording; also that the primary's own Region gives this error
        raise AlreadyExistsException(f"{shelf.keys[primary.id].arn} already exists.")
    replica = _replica_of(primary, ReplicaRegion, world.clock.now_us)
    replica.description = Description
    replica.tags = accept_tags({}, Tags) if Tags else {}
    accept_one_more(shelf)
    if Policy is None:
        replica.policy = api_default(primary.account)
    else:
        replica.policy = accept_policy(call, Policy, replica, BypassPolicyLockoutSafetyCheck)

    replica.materials = _materials_for(primary)
    replica.pending = tuple(map(_without_bytes, primary.pending))
    shelf.keys[replica.id] = replica
    if replica.arn in world.gone:  # a replica that was deleted is back
        world.former.append(world.gone.pop(replica.arn))
    world.clock.schedule(world.clock.now_us + CREATING_US, "created", replica.arn)
    regions = [one.region for one in world.related(primary)]
    call.more = {"primary": primary.region, "replicas": regions, "policy": replica.policy}
    call.aftermath = (_creation(call, replica, regions),)
    response: Response = {"ReplicaKeyMetadata": metadata(world, replica), "ReplicaPolicy": replica.policy}
    if replica.tags:  # without tags the member is left out: recorded
        response["ReplicaTags"] = [{"TagKey": name, "TagValue": value} for name, value in replica.tags.items()]
    return response


def created(world: World, due: Due) -> bool:
    """Finish a replica: what it shares with its primary has arrived. One that was doomed meanwhile stays doomed."""
    key = key_by_arn(world, due.subject)
    if key is None or key.state != CREATING:
        return False
    world.move(key, key.returns_to, told=False)
    key.returns_to = ""
    primary = next(one for one in world.related(key) if one.is_primary)
    for event in synchronization(world, primary):  # unverified: that one ends a replication; AWS says "periodically"
        world.log.append(world.clock.now_us, **event)
    return True


def _successor(call: Call) -> Key | None:
    """Return the replica that shall be the primary, if there is one."""
    key, region = call.key, call.params["PrimaryRegion"]
    return next((one for one in call.world.related(key) if one.region == region), None)


def _update_checks(call: Call) -> Iterable[Check]:
    yield "kms:UpdatePrimaryRegion", call.key.arn, call.key.account, call.key
    replica = _successor(call)
    if replica is not None:
        yield "kms:UpdatePrimaryRegion", replica.arn, replica.account, replica


@operation(
    permission="kms:UpdatePrimaryRegion",
    target=KEY_ONLY,
    checks=_update_checks,
    states=UPDATE_PRIMARY,
    quota=5,
    shown=("KeyId", "PrimaryRegion"),
    source="AWS KMS API Reference, UpdatePrimaryRegion; AWS KMS Developer Guide, 'Change the primary key'",
)
def update_primary_region(call: Call, *, KeyId: str, PrimaryRegion: str) -> None:
    """Make a replica the primary, and the primary a replica. Both are Updating for some seconds.

    Cryptography goes on meanwhile. The states end when the lab's clock moves on: travel a minute.
    """
    _require_primary(call)
    world, primary, replica = call.world, call.key, _successor(call)
    if replica is None:
        # unverified: AWS's error; also that the primary's own Region gives this one
        raise NotFoundException(f"Key '{key_arn(PrimaryRegion, primary.account, primary.id)}' does not exist")
    refusal = states.refusal(UPDATE_PRIMARY, replica)
    if refusal is not None:
        raise refusal
    for one in (primary, *world.related(primary)):
        one.primary_region = PrimaryRegion
    for one in (primary, replica):
        if one.state != UPDATING:
            one.returns_to = one.state
            world.move(one, UPDATING)
        world.clock.schedule(world.clock.now_us + UPDATING_US, "updated", one.arn)
    if replica.next_rotation_us is not None:  # from now on the date is the new primary's
        world.clock.schedule(replica.next_rotation_us, "rotate", replica.arn)


def updated(world: World, due: Due) -> bool:
    """Give a key its state back after its family's primary has changed; after several changes, at the last."""
    key = key_by_arn(world, due.subject)
    again = any((entry.kind, entry.subject) == (due.kind, due.subject) for entry in world.clock.pending)
    if key is None or key.state != UPDATING or again:
        return False
    world.move(key, key.returns_to, told=False)
    key.returns_to = ""
    return True


def _replica_of(primary: Key, region: str, now_us: int) -> Key:
    """Return a key with what related keys share, apart from material, and nothing else."""
    return Key(
        primary.id, key_arn(region, primary.account, primary.id), primary.account, region, primary.spec, primary.usage,
        primary.origin, now_us, policy="", state=CREATING, multi_region=True, primary_region=primary.region,
        rotation_enabled=primary.rotation_enabled, rotation_period_days=primary.rotation_period_days,
        next_rotation_us=primary.next_rotation_us,
        returns_to=PENDING_IMPORT if primary.origin == "EXTERNAL" else ENABLED,
    )  # fmt: skip


def _materials_for(primary: Key) -> list[KeyMaterial]:
    """Return the materials of a new replica: the primary's own; of imported ones only what they are called."""
    if primary.origin == "EXTERNAL":
        return [_without_bytes(one) for one in primary.materials]
    for one in primary.materials:
        secret_of(primary, one)  # an RSA secret that nobody has used yet: generated now, it is the same for both
    return list(primary.materials)


def _without_bytes(material: KeyMaterial) -> KeyMaterial:
    """Return an imported material as another Region knows it before it is imported there too."""
    return replace(material, secret=b"", expires_us=None, description="")


def _creation(call: Call, replica: Key, regions: list[str]) -> dict[str, Any]:
    """Return the CreateKey that CloudTrail shows in the replica's Region, as arguments of ``Log.append``.

    # unverified: its caller and its parameters; AWS's text only says that there is one.
    """
    return {
        "operation": "CreateKey",
        "region": replica.region,
        "principal": call.principal.arn,
        "key": replica.arn,
        "fields": OPERATIONS["CreateKey"].shown,
        "params": {
            "BypassPolicyLockoutSafetyCheck": call.params.get("BypassPolicyLockoutSafetyCheck"),
            "Description": replica.description,
            "KeySpec": replica.spec,
            "KeyUsage": replica.usage,
            "MultiRegion": True,
            "Origin": replica.origin,
            "Tags": call.params.get("Tags"),
        },
        "more": {"primary": replica.primary_region, "replicas": regions},
    }


def _partition(region: str) -> str:
    return next((start for start in _PARTITIONS if region.startswith(start)), "aws")
