"""Deleting keys: ScheduleKeyDeletion, CancelKeyDeletion, and the day on which it happens.

A multi-Region primary is never deleted before its replicas: scheduled too early, it waits for the last of them to be
gone, and only then does its own waiting period begin.

Source: AWS KMS API Reference, the operations named; AWS KMS Developer Guide, "Deleting AWS KMS keys" and "Deleting
multi-Region keys".
"""

from dataclasses import replace

from kms_lab.core.clock import DAY_US, Due, to_datetime
from kms_lab.core.errors import ValidationException
from kms_lab.core.keys import DISABLED, PENDING_DELETION, PENDING_IMPORT, PENDING_REPLICA_DELETION, Key
from kms_lab.core.world import World
from kms_lab.service import backing
from kms_lab.service.find import key_by_arn
from kms_lab.service.operation import KEY_ONLY, Call, Response, operation
from kms_lab.service.states import CANCEL, SCHEDULE


@operation(
    permission="kms:ScheduleKeyDeletion",
    target=KEY_ONLY,
    states=SCHEDULE,
    quota=15,
    shown=("KeyId", "PendingWindowInDays"),
    source="AWS KMS API Reference, ScheduleKeyDeletion",
)
def schedule_key_deletion(call: Call, *, KeyId: str, PendingWindowInDays: int = 30) -> Response:
    """Start the waiting period of 7 to 30 days after which the key and everything under it is gone for ever.

    For a multi-Region primary with replicas, in whatever state these are, the period begins when the last replica is
    deleted; until then no date is known.
    """
    if not 7 <= PendingWindowInDays <= 30:
        # the model's range is wider than AWS's rule; the sentence as a log of 2020 quotes it
        raise ValidationException("PendingWindowInDays must be between 7 and 30")
    world, key = call.world, call.key
    key.pending_days, key.returns_to = PendingWindowInDays, ""
    cluster = backing.cluster_of(world, key)
    if cluster:
        call.more = {"cluster_id": cluster}
    response: Response = {"KeyId": key.arn, "PendingWindowInDays": PendingWindowInDays}
    if key.is_primary and world.related(key):
        world.move(key, PENDING_REPLICA_DELETION)
    else:
        response["DeletionDate"] = to_datetime(_start_waiting(world, key))
    return {**response, "KeyState": key.state}


@operation(
    permission="kms:CancelKeyDeletion",
    target=KEY_ONLY,
    states=CANCEL,
    quota=5,
    shown=("KeyId",),
    source="AWS KMS API Reference, CancelKeyDeletion",
)
def cancel_key_deletion(call: Call, *, KeyId: str) -> Response:
    """Call off a deletion. The key comes back Disabled; EnableKey is the next step."""
    world, key = call.world, call.key
    # unverified: that a key without material goes back to waiting for it; the model's text says Disabled of all keys
    world.move(key, DISABLED if key.has_all_material else PENDING_IMPORT)
    key.deletion_us = key.pending_days = None
    backing.follow(world, key)  # of a custom key store that is not connected it is Unavailable again
    return {"KeyId": key.arn}


def delete(world: World, due: Due) -> bool:
    """Delete a key whose waiting period is over: its material is gone, its aliases go with it, a record stays.

    AWS may take up to a day longer; the lab is punctual.
    """
    key = key_by_arn(world, due.subject)
    if key is None or key.deletion_us != due.when_us:
        return False  # called off, or scheduled anew
    shelf = world.shelf(key.account, key.region)
    for name in shelf.aliases_of(key.id):
        shelf.drop_alias(name)
    del shelf.keys[key.id]
    key.materials = [replace(one, secret=b"") for one in key.materials]
    key.pending = tuple(replace(one, secret=b"") for one in key.pending)
    more: dict[str, object] = {"account": key.account}
    cluster = backing.cluster_of(world, key)
    if cluster:
        more |= {"cluster_id": cluster, "erased": backing.forget(world, key)}
    world.gone[key.arn] = key
    world.log.append(world.clock.now_us, "DeleteKey", key.region, key=key.arn, more=more)
    _release_primary(world, key)
    return True


def _start_waiting(world: World, key: Key, *, told: bool = True) -> int:
    """Begin a key's waiting period, and return when it ends."""
    assert key.pending_days is not None
    world.move(key, PENDING_DELETION, told=told)
    key.deletion_us = world.clock.now_us + key.pending_days * DAY_US
    world.clock.schedule(key.deletion_us, "delete", key.arn)
    return key.deletion_us


def _release_primary(world: World, deleted: Key) -> None:
    """Begin the waiting period of a primary that only waited for its last replica to be deleted."""
    family = world.related(deleted)
    if len(family) == 1 and family[0].state == PENDING_REPLICA_DELETION:
        _start_waiting(world, family[0], told=False)
