"""Deletion: the wait, the way back, and what is gone."""

from datetime import timedelta

import pytest

from kms_lab.core.keys import Key
from tests.service.conftest import code, new_key, sender


@pytest.mark.parametrize(
    ("asked", "days"), [({}, 30), ({"PendingWindowInDays": 7}, 7), ({"PendingWindowInDays": 30}, 30)]
)
def test_waiting_period(lab, kms, key, asked, days):
    """
    Deletion waits 7 to 30 days, 30 unless said; a microsecond before the end the key is still there.
    """
    response = kms.schedule_key_deletion(KeyId=key, **asked)
    due = lab.clock.now + timedelta(days=days)

    assert (response["KeyId"], response["KeyState"]) == (key, "PendingDeletion")
    assert (response["PendingWindowInDays"], response["DeletionDate"]) == (days, due)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["DeletionDate"] == due
    lab.clock.travel(to=due - timedelta(microseconds=1))
    assert code(kms.describe_key, KeyId=key) is None
    lab.clock.travel(to=due)
    assert code(kms.describe_key, KeyId=key) == "NotFoundException"


@pytest.mark.parametrize("days", [0, 1, 6, 31, 365, 366])
def test_other_periods(lab, key, days):
    """
    Shorter and longer waits are refused, also where AWS's model would let them through.
    """
    assert code(sender(lab, "ScheduleKeyDeletion"), KeyId=key, PendingWindowInDays=days) == "ValidationException"
    assert lab.key(key).state == "Enabled"


def test_everything_goes_with_the_key(lab, kms, key):
    """
    With the key go its aliases and its ciphertexts, for good; other keys stay.
    """
    other = new_key(kms)
    for name, target in (("alias/a", key), ("alias/b", key), ("alias/c", other)):
        kms.create_alias(AliasName=name, TargetKeyId=target)
    blob = kms.encrypt(KeyId=key, Plaintext=b"lost")["CiphertextBlob"]
    kept = kms.encrypt(KeyId=other, Plaintext=b"kept")["CiphertextBlob"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)

    lab.clock.travel(days=7)

    assert code(kms.decrypt, CiphertextBlob=blob) == "AccessDeniedException"
    assert code(kms.decrypt, CiphertextBlob=blob, KeyId=key) == "NotFoundException"
    assert code(kms.encrypt, KeyId="alias/a", Plaintext=b"x") == "NotFoundException"
    assert [alias["AliasName"] for alias in kms.list_aliases()["Aliases"]] == ["alias/c"]
    assert [one["KeyArn"] for one in kms.list_keys()["Keys"]] == [other]
    assert code(kms.cancel_key_deletion, KeyId=key) == "NotFoundException"
    assert kms.decrypt(CiphertextBlob=kept)["Plaintext"] == b"kept"
    assert code(kms.create_alias, AliasName="alias/a", TargetKeyId=other) is None


def test_a_record_stays_without_material(lab, kms, key):
    """
    The world keeps a record of a deleted key, and not a byte of its material.
    """
    kms.rotate_key_on_demand(KeyId=key)
    rsa = new_key(kms, KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    for one in (key, rsa):
        kms.schedule_key_deletion(KeyId=one, PendingWindowInDays=7)

    lab.clock.travel(days=7)

    assert [len(lab.world.gone[one].materials) for one in (key, rsa)] == [2, 1]
    saved = lab.world.to_data()["gone"]
    assert {material["secret"] for row in saved for material in row["materials"]} == {""}
    assert all(isinstance(one, Key) and not any(m.secret for m in one.materials) for one in lab.world.gone.values())


def test_called_off(lab, kms, key):
    """
    A cancelled deletion never happens, and the key is whole again once enabled.
    """
    blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    lab.clock.travel(days=6)

    assert kms.cancel_key_deletion(KeyId=key)["KeyId"] == key

    lab.clock.travel(days=60)
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"


def test_scheduled_anew(lab, kms, key):
    """
    Called off and scheduled again, a key is deleted at the new date, not at the old one.
    """
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=10)
    lab.clock.travel(days=5)
    kms.cancel_key_deletion(KeyId=key)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=30)

    lab.clock.travel(days=29)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    lab.clock.travel(days=1)
    assert code(kms.describe_key, KeyId=key) == "NotFoundException"
