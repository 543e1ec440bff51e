"""AWS's key-state table, cell by cell, through the client.

No operation of the lab leads to four of the eight states yet (PendingReplicaDeletion, Unavailable, Creating, Updating),
nor to PendingImport for a key that ever encrypted. There the test writes the state into the key's record itself.
"""

import json
from pathlib import Path

import pytest

from kms_lab.core.keys import KEY_STATES
from kms_lab.service.operation import NO_KEY, OPERATIONS
from tests.service.conftest import EVERYDAY, code, method, new_key, refusal

FACTS = json.loads((Path(__file__).parents[1] / "data" / "key_states.json").read_text())
CELLS = [(operation, state, cell) for operation, row in FACTS["table"].items() for state, cell in row.items()]
USERS = ("Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncrypt")


def note(cell: str, state: str) -> str | None:
    """The note that applies to a key of no custom key store, and to an alias's new target; None: it succeeds."""
    match cell:
        case "ok" | "ok,12":
            return None
        case "?7":
            return None
        case "1|7" | "3|7":
            return cell[0]
        case "2|3":
            return "3"  # recordings settle which of the two
        case "4,13":
            return "4"
        case "?10":
            return "3"
    assert cell in FACTS["notes"], cell
    return cell


def bring(stage, state: str, key: str | None = None) -> None:
    """Bring a key into a state: by the operations that lead there, else by writing it into the record."""
    key = key or stage.key
    record = stage.lab.key(key)
    match state:
        case "Enabled":
            pass
        case "Disabled":
            stage.kms.disable_key(KeyId=key)
        case "PendingDeletion":
            stage.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=9)
        case "PendingImport":
            record.origin, record.state = "EXTERNAL", state
        case "PendingReplicaDeletion":
            record.state, record.pending_days = state, 9
        case _:
            record.state = state
    assert stage.kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == state


def test_every_operation_on_a_key_is_in_the_table():
    """
    AWS's table has a row for each of our operations that takes a key, and a column for each state.
    """
    assert set(FACTS["table"]) == set(OPERATIONS) - {"CreateKey", "GenerateRandom", "ListKeys"}
    assert {name for name, row in OPERATIONS.items() if row.target == NO_KEY} - set(FACTS["table"]) == {
        "CreateKey",
        "GenerateRandom",
        "ListKeys",
    }
    assert all(tuple(row) == KEY_STATES for row in FACTS["table"].values())


@pytest.mark.parametrize(("operation", "state", "cell"), CELLS)
def test_cell(stage, operation, state, cell):
    """
    Each operation answers each key state with the error of AWS's table, and its text where one is known.
    """
    params = EVERYDAY[operation](stage)
    bring(stage, state)
    expected = note(cell, state)

    if expected is None:
        assert code(method(stage.kms, operation), **params) is None
        return
    error = refusal(method(stage.kms, operation), **params)
    name, text = FACTS["notes"][expected]
    assert error.code == name
    if not text.startswith("(") and state != "PendingReplicaDeletion":
        assert error.message == f"{stage.key} {text}"


@pytest.mark.parametrize("state", KEY_STATES)
def test_source_of_re_encrypt(stage, state):
    """
    ReEncrypt's source key must be as usable as its destination.
    """
    bring(stage, state)
    expected = note(FACTS["table"]["ReEncrypt"][state], state)

    found = code(stage.kms.re_encrypt, CiphertextBlob=stage.blob, DestinationKeyId=stage.other)

    assert found == (FACTS["notes"][expected][0] if expected else None)


@pytest.mark.parametrize("state", KEY_STATES)
def test_old_target_of_an_alias(stage, state):
    """
    An alias can be pointed away from a key in any state, doomed ones too: note 10 of the table.
    """
    bring(stage, state)

    assert code(stage.kms.update_alias, AliasName="alias/key", TargetKeyId=stage.other) is None


@pytest.mark.parametrize("operation", USERS)
def test_key_that_was_never_given_material(stage, operation):
    """
    A key with Origin EXTERNAL starts as PendingImport, and says so to whoever would use it.
    """
    params = EVERYDAY[operation](stage)
    params["DestinationKeyId" if operation == "ReEncrypt" else "KeyId"] = key = new_key(stage.kms, Origin="EXTERNAL")
    metadata = stage.kms.describe_key(KeyId=key)["KeyMetadata"]

    error = refusal(method(stage.kms, operation), **params)

    assert (metadata["KeyState"], metadata["Enabled"], metadata["Origin"]) == ("PendingImport", False, "EXTERNAL")
    assert "CurrentKeyMaterialId" not in metadata
    assert (error.code, error.message) == ("KMSInvalidStateException", f"{key} is pending import.")


def test_pending_import_survives_a_cancelled_deletion(stage):
    """
    A key without material comes back from a cancelled deletion as PendingImport, not as a disabled key.
    """
    key = new_key(stage.kms, Origin="EXTERNAL")
    stage.kms.schedule_key_deletion(KeyId=key)

    stage.kms.cancel_key_deletion(KeyId=key)

    assert stage.kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"


def test_refusal_carries_the_state(stage):
    """
    A refusal because of the state says, as evidence, which state it was.
    """
    bring(stage, "Disabled")

    assert refusal(stage.kms.encrypt, KeyId=stage.key, Plaintext=b"x").evidence == {"state": "Disabled"}
