"""Rotation: EnableKeyRotation, DisableKeyRotation, GetKeyRotationStatus, ListKeyRotations, RotateKeyOnDemand.

A rotation gives a key new material and changes nothing else: not its id, its ARN, its policy, nor any ciphertext.
Automatic rotations are dated entries on the clock, so each happens at its own instant however far the clock jumps.

Source: AWS KMS Developer Guide, "Rotate AWS KMS keys"; AWS KMS API Reference, the operations named.
"""

from typing import Any

from kms_lab.core import material
from kms_lab.core.clock import DAY_US, Due, to_datetime
from kms_lab.core.errors import (
    ConflictException,
    KMSInvalidStateException,
    LimitExceededException,
    UnsupportedOperationException,
)
from kms_lab.core.keys import AUTOMATIC, ENABLED, FIRST, ON_DEMAND, Key, KeyMaterial
from kms_lab.core.world import World
from kms_lab.service.find import key_by_arn
from kms_lab.service.operation import KEY_ONLY, Call, Response, operation
from kms_lab.service.paging import page
from kms_lab.service.states import NOTES, ROTATE, ROTATION_LIST, ROTATION_SETTING, ROTATION_STATUS

PERIOD_DAYS = 365
ON_DEMAND_ROTATIONS = 25
_TWENTY_MINUTES_US = 20 * 60 * 1_000_000


def _rotates_automatically(call: Call) -> None:
    """Only symmetric encryption keys with material from KMS do. AWS says so before it looks at the state."""
    _can_rotate(call)
    if call.key.origin != "AWS_KMS":
        note = NOTES[6 if call.key.origin == "EXTERNAL" else 7]
        raise note.error(f"{call.key.arn} {note.text}")


def _can_rotate(call: Call) -> None:
    """Only symmetric encryption keys have more than one material."""
    if call.key.spec != "SYMMETRIC_DEFAULT":
        raise UnsupportedOperationException()


def _has_the_materials_asked_for(call: Call) -> None:
    """``IncludeKeyMaterial`` is for keys that can rotate. # unverified: the error with which AWS says so."""
    if "IncludeKeyMaterial" in call.params:
        _can_rotate(call)


@operation(
    permission="kms:EnableKeyRotation",
    target=KEY_ONLY,
    kind=_rotates_automatically,
    states=ROTATION_SETTING,
    quota=15,
    shown=("KeyId", "RotationPeriodInDays"),
    source="AWS KMS API Reference, EnableKeyRotation",
)
def enable_key_rotation(call: Call, *, KeyId: str, RotationPeriodInDays: int | None = None) -> None:
    """Switch automatic rotation on, or change its period. The first rotation is one period from now.

    No period means 365 days, also for a key that has another one: so says the parameter's text in AWS's model.
    """
    period = PERIOD_DAYS if RotationPeriodInDays is None else RotationPeriodInDays
    key, clock = call.key, call.world.clock
    if key.rotation_enabled and period == key.rotation_period_days:
        # On a key that rotates already the call only changes the period: AWS KMS API Reference, EnableKeyRotation.
        return  # unverified: that the same period again leaves the next date as it is
    key.rotation_enabled = True
    key.rotation_period_days = period
    # unverified: where a changed period counts from; the lab counts from the change
    key.next_rotation_us = clock.now_us + period * DAY_US
    clock.schedule(key.next_rotation_us, "rotate", key.arn)


@operation(
    permission="kms:DisableKeyRotation",
    target=KEY_ONLY,
    kind=_rotates_automatically,
    states=ROTATION_SETTING,
    quota=5,
    shown=("KeyId",),
    source="AWS KMS API Reference, DisableKeyRotation",
)
def disable_key_rotation(call: Call, *, KeyId: str) -> None:
    """Switch automatic rotation off. All material stays, so everything still decrypts."""
    call.key.rotation_enabled = False
    call.key.rotation_period_days = call.key.next_rotation_us = None


@operation(
    permission="kms:GetKeyRotationStatus",
    target=KEY_ONLY,
    states=ROTATION_STATUS,
    cross_account=True,
    quota=1000,
    shown=("KeyId",),
    source="AWS KMS API Reference, GetKeyRotationStatus",
)
def get_key_rotation_status(call: Call, *, KeyId: str) -> Response:
    """Say whether a key rotates by itself, how often, and when next."""
    key = call.key
    rotating = key.rotation_enabled and key.deletion_us is None
    status: Response = {"KeyId": key.arn, "KeyRotationEnabled": rotating}
    if rotating:
        assert key.next_rotation_us is not None
        status["RotationPeriodInDays"] = key.rotation_period_days
        status["NextRotationDate"] = to_datetime(key.next_rotation_us)
    return status


@operation(
    permission="kms:ListKeyRotations",
    target=KEY_ONLY,
    kind=_has_the_materials_asked_for,
    states=ROTATION_LIST,
    quota=100,
    shown=("IncludeKeyMaterial", "KeyId", "Limit", "Marker"),
    source="AWS KMS API Reference, ListKeyRotations",
)
def list_key_rotations(
    call: Call,
    *,
    KeyId: str,
    IncludeKeyMaterial: str = "ROTATIONS_ONLY",
    Limit: int = 100,
    Marker: str | None = None,
) -> Response:
    """List a key's rotations, or with ``ALL_KEY_MATERIAL`` every material, the first one too.

    A key that cannot rotate has had no rotations: AWS's key-state table lets it through, and the list is empty.
    """
    key = call.key
    everything = IncludeKeyMaterial == "ALL_KEY_MATERIAL"
    shown = [one for one in key.materials if everything or one.how != FIRST]

    def entry(one: KeyMaterial) -> dict[str, object]:
        row: dict[str, object] = {"KeyId": key.arn, "KeyMaterialId": one.id}
        if everything:
            row["KeyMaterialState"] = "CURRENT" if one is key.current else "NON_CURRENT"
        if one.how != FIRST:
            row |= {"RotationDate": to_datetime(one.since_us), "RotationType": one.how}
        return row

    return page(shown, "Rotations", entry, Limit, Marker)


@operation(
    permission="kms:RotateKeyOnDemand",
    target=KEY_ONLY,
    states=ROTATE,
    quota=5,
    shown=("KeyId",),
    source="AWS KMS API Reference, RotateKeyOnDemand",
)
def rotate_key_on_demand(call: Call, *, KeyId: str) -> Response:
    """Rotate now. The automatic schedule does not move; a key can do this 25 times in its life.

    On AWS the rotation goes on in the background for a while; in the lab it is done when the call returns.
    """
    key, now = call.key, call.world.clock.now_us
    _can_rotate(call)  # the state comes first, as recorded
    if key.origin == "EXTERNAL":
        raise KMSInvalidStateException(f"No available key material pending rotation for the key: {key.arn}.")
    if key.next_rotation_us is not None and key.next_rotation_us - now <= _TWENTY_MINUTES_US:
        # unverified: wording
        raise ConflictException(f"An automatic rotation of {key.arn} is about to start.")
    if sum(one.how == ON_DEMAND for one in key.materials) >= ON_DEMAND_ROTATIONS:
        # unverified: wording
        raise LimitExceededException(f"{key.arn} has had its {ON_DEMAND_ROTATIONS} on-demand rotations.")
    call.aftermath = (_rotate(call.world, key, ON_DEMAND),)
    return {"KeyId": key.arn}


def automatic(world: World, due: Due) -> bool:
    """Rotate a key whose date has come, and enter the next date. A disabled or doomed key waits."""
    key = key_by_arn(world, due.subject)
    if key is None or key.next_rotation_us != due.when_us or key.state != ENABLED:
        return False
    world.log.append(world.clock.now_us, **_rotate_and_reschedule(world, key))
    return True


def resume_schedule(call: Call) -> None:
    """Catch up after a key is enabled again: a rotation that came due meanwhile happens at once."""
    key = call.key
    if key.next_rotation_us is not None and key.next_rotation_us <= call.world.clock.now_us:
        call.aftermath = (_rotate_and_reschedule(call.world, key),)


def _rotate_and_reschedule(world: World, key: Key) -> dict[str, Any]:
    assert key.rotation_period_days is not None
    event = _rotate(world, key, AUTOMATIC)
    key.next_rotation_us = world.clock.now_us + key.rotation_period_days * DAY_US
    world.clock.schedule(key.next_rotation_us, "rotate", key.arn)
    return event


def _rotate(world: World, key: Key, how: str) -> dict[str, Any]:
    """Give a key new material, and return the event that tells of it, as arguments of ``Log.append``."""
    before = key.current.id
    take = world.entropy.take
    key.materials.append(KeyMaterial(take(32).hex(), world.clock.now_us, how, material.generate(key.spec, take)))
    return {
        "operation": "RotateKey",
        "region": key.region,
        "key": key.arn,
        "material": key.current.id,
        "more": {"account": key.account, "rotation_type": how, "previous": before},
    }
