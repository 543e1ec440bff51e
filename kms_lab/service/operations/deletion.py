"""Deleting keys: ScheduleKeyDeletion, CancelKeyDeletion, and the day on which it happens."""

from dataclasses import replace

from kms_lab.core.clock import DAY_US, Due, to_datetime
from kms_lab.core.errors import ValidationException
from kms_lab.core.keys import DISABLED, PENDING_DELETION, PENDING_IMPORT
from kms_lab.core.world import World
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
    """Start the waiting period of 7 to 30 days after which the key and everything under it is gone for ever."""
    if not 7 <= PendingWindowInDays <= 30:
        # the model's range is wider than AWS's rule; unverified: wording
        raise ValidationException("PendingWindowInDays must be between 7 and 30 (inclusive).")
    key, clock = call.key, call.world.clock
    key.state = PENDING_DELETION
    key.pending_days = PendingWindowInDays
    key.deletion_us = clock.now_us + PendingWindowInDays * DAY_US
    clock.schedule(key.deletion_us, "delete", key.arn)
    return {
        "KeyId": key.arn,
        "DeletionDate": to_datetime(key.deletion_us),
        "KeyState": key.state,
        "PendingWindowInDays": PendingWindowInDays,
    }


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
    key = call.key
    # unverified: that a key without material goes back to waiting for it; the model's text says Disabled of all keys
    key.state = DISABLED if key.materials else PENDING_IMPORT
    key.deletion_us = key.pending_days = None
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
    world.gone[key.arn] = key
    world.log.append(world.clock.now_us, "DeleteKey", key.region, key=key.arn, more={"account": key.account})
    return True
