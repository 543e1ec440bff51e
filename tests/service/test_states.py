"""AWS's key-state table, cell by cell, through the client: for each kind of key that a note of the table speaks of.

Every state is reached by calls. ``tests/data/key_states.json`` is AWS's table and, as rulings, what the simulator
answers where the table leaves a choice or is not followed, with the reason.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from kms_lab import Lab
from kms_lab.core.keys import KEY_STATES, Key
from kms_lab.core.wrapping import importable
from kms_lab.doors.client import Client
from kms_lab.service.operation import OPERATIONS
from tests.service.conftest import (
    EVERYDAY,
    LATER,
    MATERIAL,
    Stage,
    code,
    import_request,
    method,
    new_key,
    refusal,
)
from tests.service.homes import Home

pytestmark = pytest.mark.usefixtures("quick_rsa")

FACTS = json.loads((Path(__file__).parents[1] / "data" / "key_states.json").read_text())
USERS = ("Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncrypt")
HERE, THERE, ELSEWHERE = "us-east-1", "eu-west-1", "ap-south-1"
STORES = ("AWS_CLOUDHSM", "EXTERNAL_KEY_STORE")
IMPORTS = ("DeleteImportedKeyMaterial", "GetParametersForImport", "ImportKeyMaterial")
#: kinds of key, and the states that each can be in
KINDS: dict[str, tuple[str, ...]] = {
    "ordinary": ("Enabled", "Disabled", "PendingDeletion"),
    "imported": ("Enabled", "Disabled", "PendingDeletion", "PendingImport"),
    **dict.fromkeys(STORES, ("Enabled", "Disabled", "PendingDeletion", "Unavailable")),
    "in two Regions": (
        "Enabled", "Disabled", "PendingDeletion", "PendingReplicaDeletion", "Creating", "Updating",
    ),
    "imported in two Regions": ("PendingReplicaDeletion", "PendingImport", "Creating", "Updating"),
}  # fmt: skip
#: the spec of the key that an operation needs, by usage
SPECS = {
    "": "SYMMETRIC_DEFAULT",
    "ENCRYPT_DECRYPT": "SYMMETRIC_DEFAULT",
    "SIGN_VERIFY": "ECC_NIST_P256",
    "KEY_AGREEMENT": "ECC_NIST_P256",
    "GENERATE_VERIFY_MAC": "HMAC_256",
    "ENCAPSULATE_DECAPSULATE": "ML_KEM_768",
}


def kind_needed(operation: str) -> tuple[str, str]:
    """The spec and usage of a key that an operation is for."""
    usage = "SIGN_VERIFY" if operation == "GetPublicKey" else OPERATIONS[operation].usage
    return SPECS[usage], usage or "ENCRYPT_DECRYPT"


def possible(operation: str, kind: str, state: str) -> bool:
    """Can there be a key of this kind for the operation, in this state?"""
    spec, _ = kind_needed(operation)
    if kind in STORES and (spec != "SYMMETRIC_DEFAULT" or FACTS["table"][operation]["Unavailable"] == "na"):
        return operation == "DeleteImportedKeyMaterial" and state != "Unavailable"
    if kind.startswith("imported") and not importable(spec):
        return False
    if operation in ("ReplicateKey", "UpdatePrimaryRegion") and "two Regions" not in kind:
        return False
    # no grant can be made on a key that is being created
    return (operation, state) not in (("RetireGrant", "Creating"), ("RevokeGrant", "Creating"))


CELLS = [
    (operation, kind, state)
    for operation in FACTS["table"]
    for kind, states in KINDS.items()
    for state in states
    if possible(operation, kind, state)
]


# ------------------------------------------------------------------------------ what the table says


def readings(cell: str, kind: str) -> set[str | None]:
    """The notes that a cell allows for a kind of key; None: the call succeeds."""
    match cell:
        case "ok" | "ok,12":
            return {None}
        case "?7":
            return {"7" if kind in STORES else None}
        case "1|7" | "3|7":
            return {cell[0], "7"} if kind in STORES else {cell[0]}
        case "?9":
            return {None if kind.startswith("imported") else "9"}
        case "8|9":
            return {"8" if kind.startswith("imported") else "9"}
        case "2|3":
            return {"2", "3"}
        case "4,13":
            return {"4"}
        case "?10":
            return {"10"}  # the key is the new target: see test_old_target_of_an_alias
    assert cell in FACTS["notes"], cell
    return {cell}


def ruling(operation: str, kind: str, state: str) -> Mapping[str, object] | None:
    """The first ruling that fits, if there is one."""
    this = {"operations": operation, "kinds": kind, "states": state, "cells": FACTS["table"][operation][state]}
    for one in FACTS["rulings"]:
        if all(this[field] in one.get(field, [this[field]]) for field in this):
            return one
    return None


def expected(operation: str, kind: str, state: str) -> str | None:
    """The note with which the call is refused; None: it succeeds."""
    ruled = ruling(operation, kind, state)
    if ruled is not None:
        return ruled["answer"]
    (answer,) = readings(FACTS["table"][operation][state], kind)
    return answer


# ------------------------------------------------------------------------------ keys of every kind in every state


@dataclass
class Cast(Stage):
    """A stage whose key is of a certain kind already, so that no operation makes one of its own."""

    def turn(self, spec: str, usage: str) -> str:
        assert (spec, usage) == (self.record.spec, self.record.usage)
        return self.key

    @property
    def record(self) -> Key:
        return self.lab.key(self.key, region=self.region)

    @property
    def region(self) -> str:
        return self.kms.meta.region_name


def make(lab: Lab, kind: str, state: str, spec: str, usage: str) -> tuple[Client, str, Home | None]:
    """Make a key of a kind that can get into a state; return a client of its Region, its ARN and its key store."""
    kms, made = lab.client(), {"KeySpec": spec, "KeyUsage": usage}
    if kind in STORES:
        home = Home(lab, kind)
        return kms, home.key, home
    if kind.startswith("imported"):
        made["Origin"] = "EXTERNAL"
    regions = [THERE] if "two Regions" in kind and state not in ("PendingDeletion", "Creating") else []
    key = new_key(kms, **made, MultiRegion="two Regions" in kind)
    if kind.startswith("imported"):
        kms.import_key_material(**import_request(kms, key, material_for(spec)))
    for region in regions:
        kms.replicate_key(KeyId=key, ReplicaRegion=region)
        lab.clock.travel(minutes=1)
    if state != "Updating":
        return kms, key, None
    there = lab.client(region=THERE)
    key = key.replace(HERE, THERE)
    if kind.startswith("imported"):
        there.import_key_material(**import_request(there, key, material_for(spec)))
    return there, key, None


def material_for(spec: str) -> bytes:
    """Bytes made outside KMS for a spec."""
    return PRIVATE if spec == "ECC_NIST_P256" else MATERIAL


PRIVATE = bytes.fromhex(
    "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420"
    "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721a14403420004"
    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)  # RFC 6979's sample key for P-256, as PKCS #8


def cast(lab: Lab, kms: Client, key: str) -> Cast:
    """Dress a key with an alias, a tag and a ciphertext, and give it a companion."""
    other = new_key(kms)
    kms.create_alias(AliasName="alias/key", TargetKeyId=key)
    kms.create_alias(AliasName="alias/other", TargetKeyId=other_of_its_kind(lab, kms, key))
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "team", "TagValue": "blue"}])
    record = lab.key(key, region=kms.meta.region_name)
    symmetric = record.spec == "SYMMETRIC_DEFAULT" and record.state == "Enabled"
    blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"] if symmetric else b""
    return Cast(lab, kms, key, other, blob)


def other_of_its_kind(lab: Lab, kms: Client, key: str) -> str:
    """Make a key that an alias can be moved from to this one."""
    record = lab.key(key, region=kms.meta.region_name)
    return new_key(kms, KeySpec=record.spec, KeyUsage=record.usage)


def request(on: Cast, operation: str, imported: bool) -> dict[str, object]:
    """The members of an everyday call of an operation on the stage's key."""
    match operation:
        case "ReEncrypt":
            blob = on.kms.encrypt(KeyId=on.other, Plaintext=b"x")["CiphertextBlob"]
            return {"CiphertextBlob": blob, "DestinationKeyId": on.key}
        case "ReplicateKey":
            return {"KeyId": on.key, "ReplicaRegion": ELSEWHERE}
        case "UpdatePrimaryRegion":
            return {"KeyId": on.key, "PrimaryRegion": THERE if on.region == HERE else HERE}
        case "GetParametersForImport":
            return {**EVERYDAY[operation](on), "KeyId": on.key}
        case "DeleteImportedKeyMaterial":
            return {"KeyId": on.key}
        case "ImportKeyMaterial" if imported:
            return import_request(on.kms, on.key, ValidTo=LATER)
        case "ImportKeyMaterial":
            return {"KeyId": on.key, "ImportToken": b"token", "EncryptedKeyMaterial": b"material"}
        case "RotateKeyOnDemand" if imported:
            for region in [HERE, THERE] if on.lab.world.related(on.record) else [HERE]:
                kms, arn = on.lab.client(region=region), on.key.replace(on.region, region)
                new = {"ImportType": "NEW_KEY_MATERIAL"} if region == HERE else {}  # there it is known already
                kms.import_key_material(**import_request(kms, arn, bytes(32), **new))
    return EVERYDAY[operation](on)


def bring(lab: Lab, kms: Client, key: str, state: str, home: Home | None = None) -> None:
    """Bring a key into a state by the operations that lead there."""
    match state:
        case "Disabled":
            kms.disable_key(KeyId=key)
        case "PendingDeletion" | "PendingReplicaDeletion":
            kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=9)
        case "PendingImport":
            kms.delete_imported_key_material(KeyId=key)
        case "Unavailable":
            assert home is not None
            home.disconnect()
        case "Updating":
            lab.client().update_primary_region(KeyId=key.replace(THERE, HERE), PrimaryRegion=THERE)


def replicated(on: Cast, params: dict[str, object]) -> tuple[Cast, dict[str, object]]:
    """Replicate the stage's key, and turn to the replica, which is Creating, with the same request."""
    arn = on.kms.replicate_key(KeyId=on.key, ReplicaRegion=THERE)["ReplicaKeyMetadata"]["Arn"]
    there = cast(on.lab, on.lab.client(region=THERE), arn)
    if "CiphertextBlob" in params and "DestinationKeyId" in params:
        blob = there.kms.encrypt(KeyId=there.other, Plaintext=b"x")["CiphertextBlob"]
        return there, {"CiphertextBlob": blob, "DestinationKeyId": arn}
    return there, {name: arn if value == on.key else value for name, value in params.items()}


# ------------------------------------------------------------------------------ the table


def test_every_operation_on_a_key_is_in_the_table():
    """
    The table has a row for each operation that takes a key, and a column for each state; no ruling is idle.
    """
    keyless = {"CreateKey", "GenerateRandom", "ListKeys", "ListRetirableGrants"}
    assert set(FACTS["table"]) == {name for name in OPERATIONS if "CustomKeyStore" not in name} - keyless
    assert len(FACTS["table"]) - len(FACTS["not in AWS's table"]) == 43
    assert all(tuple(row) == KEY_STATES for row in FACTS["table"].values())
    ruled = [(ruling(*cell), readings(FACTS["table"][cell[0]][cell[2]], cell[1])) for cell in CELLS]
    needed = [one for one, notes in ruled if one is not None and notes != {one["answer"]}]
    assert [one for one in FACTS["rulings"] if one not in needed] == []


def test_every_cell_is_tried():
    """
    Each cell of the table is tried with some kind of key, but for those in which no key can be.
    """
    never = {(operation, state) for operation, row in FACTS["table"].items() for state in row if row[state] == "na"}
    never |= {("RetireGrant", "Creating"), ("RevokeGrant", "Creating")}  # no grant can be made by then
    never |= {("Encapsulate", "PendingImport"), ("Decapsulate", "PendingImport")}  # no such material can be imported
    every = {(operation, state) for operation in FACTS["table"] for state in KEY_STATES}

    assert every - {(operation, state) for operation, _, state in CELLS} == never


@pytest.mark.parametrize(("operation", "kind", "state"), CELLS)
def test_cell(lab, operation, kind, state):
    """
    Each operation answers each kind of key in each state with the error of AWS's table, and its text where known.
    """
    kms, key, home = make(lab, kind, state, *kind_needed(operation))
    on = cast(lab, kms, key)
    params = request(on, operation, kind.startswith("imported"))
    if state == "Creating":
        on, params = replicated(on, params)
    bring(lab, on.kms, on.key, state, home)
    assert on.kms.describe_key(KeyId=on.key)["KeyMetadata"]["KeyState"] == state

    note = expected(operation, kind, state)

    if note is None:
        assert code(method(on.kms, operation), **params) is None
        return
    error = refusal(method(on.kms, operation), **params)
    name, text = FACTS["notes"][note]
    assert error.code == name
    if state == "PendingReplicaDeletion":
        text = text.replace("pending deletion", "pending replica deletion")
    assert not text or error.message == f"{on.key} {text}"


@pytest.mark.parametrize("state", ["Enabled", "Disabled", "PendingDeletion"])
def test_source_of_re_encrypt(stage, state):
    """
    ReEncrypt's source key must be as usable as its destination.
    """
    bring(stage.lab, stage.kms, stage.key, state)
    note = expected("ReEncrypt", "ordinary", state)

    found = code(stage.kms.re_encrypt, CiphertextBlob=stage.blob, DestinationKeyId=stage.other)

    assert found == (FACTS["notes"][note][0] if note else None)


@pytest.mark.parametrize("state", ["Enabled", "Disabled", "PendingDeletion"])
def test_old_target_of_an_alias(stage, state):
    """
    An alias can be pointed away from a key in any state, doomed ones too: note 10 of the table.
    """
    bring(stage.lab, stage.kms, stage.key, state)

    assert code(stage.kms.update_alias, AliasName="alias/key", TargetKeyId=stage.other) is None


@pytest.mark.parametrize(("operation", "state"), [("enable_key", "Enabled"), ("disable_key", "Disabled")])
def test_note_12(home, operation, state):
    """
    EnableKey and DisableKey succeed on an Unavailable key, and its state shows it once the key is available again.
    """
    if operation == "enable_key":
        home.kms.disable_key(KeyId=home.key)
    home.disconnect()

    getattr(home.kms, operation)(KeyId=home.key)
    meanwhile = home.kms.describe_key(KeyId=home.key)["KeyMetadata"]["KeyState"]
    home.connect()

    assert meanwhile == "Unavailable"
    assert home.kms.describe_key(KeyId=home.key)["KeyMetadata"]["KeyState"] == state


def test_note_13(home):
    """
    A key pending deletion stays so while its key store is disconnected, and its deletion can be called off then.
    """
    home.kms.schedule_key_deletion(KeyId=home.key)
    home.disconnect()

    assert home.kms.describe_key(KeyId=home.key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    assert code(home.kms.cancel_key_deletion, KeyId=home.key) is None


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
    bring(stage.lab, stage.kms, stage.key, "Disabled")

    assert refusal(stage.kms.encrypt, KeyId=stage.key, Plaintext=b"x").evidence == {"state": "Disabled"}
