"""Rotation: EnableKeyRotation, DisableKeyRotation, GetKeyRotationStatus, ListKeyRotations, RotateKeyOnDemand.

A rotation gives a key new material and changes nothing else: not its id, its ARN, its policy, nor any ciphertext.
Automatic rotations are dated entries on the clock, so each happens at its own instant however far the clock jumps.
Material that KMS makes is new at the rotation; imported material was brought before, and waited for it.

The schedule of multi-Region keys is one of the properties that all related keys share: it is set on the primary, kept
in the record of each, and their material is the same.

Source: AWS KMS Developer Guide, "Rotate AWS KMS keys", "Rotating multi-Region keys"; AWS KMS API Reference, the
operations named.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kms_lab.core import material
from kms_lab.core.clock import DAY_US, Due, to_datetime
from kms_lab.core.errors import (
    ConflictException,
    KMSInvalidStateException,
    LimitExceededException,
    UnsupportedOperationException,
)
from kms_lab.core.keys import (
    AUTOMATIC,
    ENABLED,
    FIRST,
    ON_DEMAND,
    PENDING_REPLICA_DELETION,
    UPDATING,
    Key,
    KeyMaterial,
)
from kms_lab.core.world import World
from kms_lab.service.find import key_by_arn
from kms_lab.service.operation import KEY_ONLY, Call, Response, operation
from kms_lab.service.paging import page
from kms_lab.service.states import NOTES, ROTATE, ROTATION_LIST, ROTATION_SETTING, ROTATION_STATUS

PERIOD_DAYS = 365
ON_DEMAND_ROTATIONS = 25
_TWENTY_MINUTES_US = 20 * 60 * 1_000_000
_WITH_MATERIAL = ("AWS_KMS", "EXTERNAL")

CURRENT = "CURRENT"
NON_CURRENT = "NON_CURRENT"
PENDING_ROTATION = "PENDING_ROTATION"
PENDING_ELSEWHERE = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"


def _rotates_automatically(call: Call) -> None:
    """Only symmetric encryption keys with material from KMS do. AWS says so before it looks at the state."""
    _can_rotate(call)
    if call.key.origin == "EXTERNAL":
        note = NOTES[6]
        raise note.error(f"{call.key.arn} {note.text}")


def _can_rotate(call: Call) -> None:
    """Only symmetric encryption keys outside custom key stores have more than one material."""
    if call.key.spec != "SYMMETRIC_DEFAULT":
        raise UnsupportedOperationException()
    _is_in_no_store(call)


def _is_in_no_store(call: Call) -> None:
    """Keys of custom key stores know nothing of rotation, not even that there was none: note 7 of AWS's state table."""
    if call.key.origin not in _WITH_MATERIAL:
        note = NOTES[7]
        raise note.error(f"{call.key.arn} {note.text}")


def _rotates_here(call: Call) -> None:
    """Related keys rotate together, when their primary does. The state comes first: AWS's key-state table lets these
    operations say of a key that it is Creating, which only replicas are."""
    if _is_replica(call.key):
        # unverified: the error; the words were recorded for ReplicateKey on a replica
        raise UnsupportedOperationException(f"{call.key.arn} is not a multi-region primary key.")


def _is_replica(key: Key) -> bool:
    return key.multi_region and not key.is_primary


def _has_the_materials_asked_for(call: Call) -> None:
    """``IncludeKeyMaterial`` is for keys that can rotate. # unverified: the error; no other that the
    model lists fits."""
    _is_in_no_store(call)
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
    _rotates_here(call)
    period = PERIOD_DAYS if RotationPeriodInDays is None else RotationPeriodInDays
    key, clock = call.key, call.world.clock
    if key.rotation_enabled and period == key.rotation_period_days:
        # On a key that rotates already the call only changes the period: AWS KMS API Reference, EnableKeyRotation.
        return  # unverified: that the same period again leaves the next date as it is
    # unverified: where a changed period counts from; the lab counts from the change
    _schedule(call.world, key, clock.now_us + period * DAY_US, period)
    call.aftermath = synchronization(call.world, key)


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
    _rotates_here(call)
    _schedule(call.world, call.key, None, None)
    call.aftermath = synchronization(call.world, call.key)


@operation(
    permission="kms:GetKeyRotationStatus",
    target=KEY_ONLY,
    kind=_is_in_no_store,
    states=ROTATION_STATUS,
    cross_account=True,
    quota=1000,
    shown=("KeyId",),
    source="AWS KMS API Reference, GetKeyRotationStatus",
)
def get_key_rotation_status(call: Call, *, KeyId: str) -> Response:
    """Say whether a key rotates by itself, how often, and when next."""
    key = call.key
    rotating = key.rotation_enabled and key.deletion_us is None and key.state != PENDING_REPLICA_DELETION
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
    """List a key's rotations, or with ``ALL_KEY_MATERIAL`` every material: the first one, and those that wait too.

    A key that cannot rotate has had no rotations: AWS's key-state table lets it through, and the list is empty.
    """
    key, world = call.key, call.world
    everything = IncludeKeyMaterial == "ALL_KEY_MATERIAL"
    shown = [one for one in key.materials if everything or one.how != FIRST]
    shown += key.pending if everything else ()

    def entry(one: KeyMaterial) -> dict[str, object]:
        row: dict[str, object] = {"KeyId": key.arn, "KeyMaterialId": one.id}
        if key.origin == "EXTERNAL":
            row |= _import_members(one)
        if everything:
            row["KeyMaterialState"] = state_of(world, key, one)
        if one.how != FIRST and one not in key.pending:
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
    key, world, now = call.key, call.world, call.world.clock.now_us
    _can_rotate(call)  # the state comes first, as recorded
    _rotates_here(call)
    if key.origin == "EXTERNAL" and not any(state_of(world, key, one) == PENDING_ROTATION for one in key.pending):
        raise KMSInvalidStateException(f"No available key material pending rotation for the key: {key.arn}.")
    if key.next_rotation_us is not None and key.next_rotation_us - now <= _TWENTY_MINUTES_US:
        # unverified: wording
        raise ConflictException(f"An automatic rotation of {key.arn} is about to start.")
    if sum(one.how == ON_DEMAND for one in key.materials) >= ON_DEMAND_ROTATIONS:
        # unverified: wording; that imported material counts too, since AWS's text makes no exception
        raise LimitExceededException(f"{key.arn} has had its {ON_DEMAND_ROTATIONS} on-demand rotations.")
    call.aftermath = _rotate(world, key, ON_DEMAND)
    return {"KeyId": key.arn}


def automatic(world: World, due: Due) -> bool:
    """Rotate a key whose date has come, and enter the next date. A disabled or doomed key waits."""
    key = key_by_arn(world, due.subject)
    if key is None or key.next_rotation_us != due.when_us or _is_replica(key) or not _is_usable(key):
        return False
    for event in _rotate_and_reschedule(world, key):
        world.log.append(world.clock.now_us, **event)
    return True


def resume_schedule(call: Call) -> None:
    """Catch up after a key is enabled again: a rotation that came due meanwhile happens at once."""
    key = call.key
    due = key.next_rotation_us is not None and key.next_rotation_us <= call.world.clock.now_us
    if due and not _is_replica(key):
        call.aftermath = _rotate_and_reschedule(call.world, key)


def synchronization(world: World, key: Key) -> tuple[dict[str, Any], ...]:
    """Return the event that tells of a change reaching a primary key's replicas, if there are any.

    It is an event of the primary: AWS's sample of SynchronizeMultiRegionKey names neither replicas nor their Regions.
    """
    if not world.related(key):
        return ()
    event = {"operation": "SynchronizeMultiRegionKey", "region": key.region, "key": key.arn}
    return ({**event, "more": {"account": key.account}},)


def state_of(world: World, key: Key, one: KeyMaterial) -> str:
    """Return AWS's ``KeyMaterialState``. Material that waits can be rotated in once all related keys have it."""
    if one not in key.pending:
        return CURRENT if one is key.current else NON_CURRENT
    # AWS's text says "every replica Region key": also one that is pending deletion, and so cannot import
    everywhere = all(any(other.secret for other in related.pending) for related in (key, *world.related(key)))
    return PENDING_ROTATION if everywhere else PENDING_ELSEWHERE


def _import_members(one: KeyMaterial) -> dict[str, object]:
    """Return what the list says of imported material besides. What expires, and when, is known while it is there."""
    members: dict[str, object] = {"ImportState": "IMPORTED" if one.secret else "PENDING_IMPORT"}
    if one.description:
        members["KeyMaterialDescription"] = one.description
    if one.secret:
        members |= expiration([one])
    return members


def expiration(materials: Sequence[KeyMaterial]) -> dict[str, object]:
    """Return ``ExpirationModel``, and as ``ValidTo`` when the first of some imported materials goes."""
    dates = [one.expires_us for one in materials if one.expires_us is not None]
    if not dates:
        return {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
    return {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": to_datetime(min(dates))}


def _is_usable(key: Key) -> bool:
    """Is the key enabled? Seconds in which its primary Region is being changed do not matter."""
    return (key.returns_to if key.state == UPDATING else key.state) == ENABLED


def _schedule(world: World, key: Key, next_us: int | None, period_days: int | None) -> None:
    """Set the next rotation of a key and all related keys, or with None switch it off."""
    for one in (key, *world.related(key)):
        one.rotation_enabled = next_us is not None
        one.rotation_period_days, one.next_rotation_us = period_days, next_us
    if next_us is not None:
        world.clock.schedule(next_us, "rotate", key.arn)


def _rotate_and_reschedule(world: World, key: Key) -> tuple[dict[str, Any], ...]:
    period_days = key.rotation_period_days
    assert period_days is not None
    events = _rotate(world, key, AUTOMATIC)
    _schedule(world, key, world.clock.now_us + period_days * DAY_US, period_days)
    return events


def _rotate(world: World, key: Key, how: str) -> tuple[dict[str, Any], ...]:
    """Give a key and all related keys new material, and return the events that tell of it, as arguments of
    ``Log.append``."""
    before, now, take = key.current.id, world.clock.now_us, world.entropy.take
    if key.origin == "EXTERNAL":
        for one in (key, *world.related(key)):
            one.materials += [replace(waiting, since_us=now, how=how) for waiting in one.pending]
            one.pending = ()
    else:
        new = KeyMaterial(take(32).hex(), now, how, material.generate(key.spec, take))
        for one in (key, *world.related(key)):
            one.materials.append(new)
    event = {
        "operation": "RotateKey",
        "region": key.region,
        "key": key.arn,
        "material": key.current.id,
        "more": {"account": key.account, "rotation_type": how, "previous": before},
    }
    return (event, *synchronization(world, key))
