"""GetKeyLastUsage: when a key was last used, and by what."""

import json

import pytest

from kms_lab.service.operation import OPERATIONS
from tests.service.conftest import code, new_key


def usage(kms, key):
    return kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]


def test_a_key_that_was_never_used_has_an_empty_usage(lab, kms, key):
    """The element is there and empty, and tracking began when the key was made."""
    answer = kms.get_key_last_usage(KeyId=key)
    assert answer["KeyLastUsage"] == {}
    assert answer["KeyId"] == key
    assert answer["TrackingStartDate"] == answer["KeyCreationDate"] == lab.clock.now


def test_the_last_successful_use_is_told_with_its_event(lab, kms, key):
    """Operation, time, request id and event id are those of the trail's record."""
    kms.encrypt(KeyId=key, Plaintext=b"p")
    lab.clock.travel(hours=3)
    answer = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    record = lab.events()[-1]
    assert usage(kms, key) == {
        "Operation": "GenerateDataKey",
        "Timestamp": lab.clock.now,
        "CloudTrailEventId": record["eventID"],
        "KmsRequestId": answer["ResponseMetadata"]["RequestId"],
    }


def test_management_and_refused_calls_are_no_use(kms, key):
    """Looking at a key, and failing to use it, leave its last usage as it was."""
    kms.describe_key(KeyId=key)
    kms.disable_key(KeyId=key)
    assert code(kms.encrypt, KeyId=key, Plaintext=b"p") == "DisabledException"
    assert usage(kms, key) == {}


def test_a_dry_run_is_no_use(kms, key):
    """A dry run answers with an error and uses nothing."""
    assert code(kms.encrypt, KeyId=key, Plaintext=b"p", DryRun=True) == "DryRunOperationException"
    assert usage(kms, key) == {}


def test_re_encrypt_is_a_use_of_both_keys(lab, kms, key):
    """Source and destination are both told of it."""
    other, third = new_key(kms), new_key(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"p")["CiphertextBlob"]
    lab.clock.travel(days=1)
    kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other)
    for one in (key, other):
        assert usage(kms, one)["Operation"] == "ReEncrypt"
        assert usage(kms, one)["Timestamp"] == lab.clock.now
    assert usage(kms, third) == {}


def test_a_caller_of_another_account_leaves_the_owners_event_id(lab, kms, key):
    """The event id is that of the record in the key owner's trail, not of the caller's."""
    statement = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
    guest = lab.client(
        lab.iam.create_role("Guest", [{"Version": "2012-10-17", "Statement": [statement]}], account="444455556666")
    )
    root = {**statement, "Principal": {"AWS": ["111122223333", "444455556666"]}}
    kms.put_key_policy(KeyId=key, Policy=json.dumps({"Version": "2012-10-17", "Statement": [root]}))
    guest.encrypt(KeyId=key, Plaintext=b"p")
    mine = next(e for e in reversed(lab.events()) if e["recipientAccountId"] == "111122223333")
    assert usage(kms, key)["CloudTrailEventId"] == mine["eventID"]


@pytest.mark.parametrize("state", ["disable_key", "schedule_key_deletion"])
def test_it_answers_in_every_state(kms, key, state):
    """The model lists no state error, so a key that is disabled or doomed tells its last usage too."""
    kms.encrypt(KeyId=key, Plaintext=b"p")
    getattr(kms, state)(KeyId=key)
    assert usage(kms, key)["Operation"] == "Encrypt"


def test_another_accounts_key_is_not_told(lab, kms, key):
    """AWS allows no cross-account use."""
    assert not OPERATIONS["GetKeyLastUsage"].cross_account


@pytest.mark.parametrize("operation", ["disable_key", "schedule_key_deletion"])
def test_a_policy_can_protect_keys_in_use(lab, kms, key, operation):
    """kms:TrailingDaysWithoutKeyUsage lets an administrator stop a key only once nobody has used it for a while."""
    statement = {
        "Effect": "Allow",
        "Action": ["kms:DisableKey", "kms:ScheduleKeyDeletion"],
        "Resource": "*",
        "Condition": {"NumericGreaterThanEquals": {"kms:TrailingDaysWithoutKeyUsage": "30"}},
    }
    cleaner = lab.client(lab.iam.create_role("Cleaner", [{"Version": "2012-10-17", "Statement": [statement]}]))
    lab.clock.travel(days=40)
    kms.encrypt(KeyId=key, Plaintext=b"p")
    lab.clock.travel(days=29, hours=23)
    assert code(getattr(cleaner, operation), KeyId=key) == "AccessDeniedException"
    lab.clock.travel(hours=1)
    assert code(getattr(cleaner, operation), KeyId=key) is None


def test_a_key_that_was_never_used_counts_from_its_creation(lab, kms, key):
    """Thirty days after it was made, an unused key has been unused for thirty days."""
    statement = {
        "Effect": "Allow",
        "Action": "kms:DisableKey",
        "Resource": "*",
        "Condition": {"NumericEquals": {"kms:TrailingDaysWithoutKeyUsage": "30"}},
    }
    cleaner = lab.client(lab.iam.create_role("Cleaner", [{"Version": "2012-10-17", "Statement": [statement]}]))
    lab.clock.travel(days=30)
    assert code(cleaner.disable_key, KeyId=key) is None
