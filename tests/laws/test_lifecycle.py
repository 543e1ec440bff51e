"""The lab against a naive second KMS: whatever is done, in whatever order, both agree about every key."""

import ast
import importlib.util
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from kms_lab import KMSError, Lab

NAIVE = Path(__file__).with_name("naive.py")
_spec = importlib.util.spec_from_file_location("naive_kms", NAIVE)
naive = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(naive)


def test_naive_model_stands_alone():
    """
    The naive model imports nothing at all, least of all the lab.
    """
    nodes = list(ast.walk(ast.parse(NAIVE.read_text())))

    assert not [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not any(name.startswith("kms_lab") for name in vars(naive))
    assert "naive_kms" not in sys.modules


class Lifecycle(RuleBasedStateMachine):
    """Keys are made, used, rotated, disabled and deleted, while time goes by."""

    keys = Bundle("keys")
    blobs = Bundle("blobs")

    def __init__(self):
        super().__init__()
        self.lab = Lab(seed=5)
        self.start = self.lab.clock.now
        self.kms = self.lab.client()
        self.naive = naive.NaiveKms()

    def call(self, method, **params):
        """The code of the refusal, or None."""
        try:
            self.answer = getattr(self.kms, method)(**params)
        except KMSError as refusal:
            return refusal.code
        return None

    @initialize(target=keys)
    def two_keys(self):
        return multiple(self.create_one(), self.create_one())

    @rule(target=keys)
    def create(self):
        return self.create_one()

    def create_one(self):
        key = self.kms.create_key()["KeyMetadata"]["KeyId"]
        self.naive.create(key)
        return key

    @rule(key=keys)
    def enable(self, key):
        assert self.call("enable_key", KeyId=key) == self.naive.enable(key)

    @rule(key=keys)
    def disable(self, key):
        assert self.call("disable_key", KeyId=key) == self.naive.disable(key)

    @rule(key=keys, days=st.integers(7, 30))
    def schedule_deletion(self, key, days):
        found = self.call("schedule_key_deletion", KeyId=key, PendingWindowInDays=days)
        assert found == self.naive.schedule_deletion(key, days)

    @rule(key=keys)
    def cancel_deletion(self, key):
        assert self.call("cancel_key_deletion", KeyId=key) == self.naive.cancel_deletion(key)

    @rule(key=keys, days=st.sampled_from([90, 91, 120, 365, 2560]))
    def enable_rotation(self, key, days):
        found = self.call("enable_key_rotation", KeyId=key, RotationPeriodInDays=days)
        assert found == self.naive.enable_rotation(key, days)

    @rule(key=keys)
    def disable_rotation(self, key):
        assert self.call("disable_key_rotation", KeyId=key) == self.naive.disable_rotation(key)

    @rule(key=keys)
    def rotate(self, key):
        assert self.call("rotate_key_on_demand", KeyId=key) == self.naive.rotate(key)

    @rule(days=st.integers(0, 10) | st.integers(0, 200), seconds=st.sampled_from([0, 1, 86_399]))
    def travel(self, days, seconds):
        self.lab.clock.travel(days=days, seconds=seconds)
        self.naive.travel(days * naive.DAY + seconds)

    @rule(key=keys, before=st.sampled_from([-1, 0, 1, 20 * 60, 20 * 60 + 1]))
    def travel_to_the_brink(self, key, before):
        """To a moment close to the key's next rotation or its deletion: at 20 minutes, on demand is refused."""
        known = self.naive.keys.get(key)
        if known is None:
            return
        due = known.deletion if known.state == "PendingDeletion" else known.next_rotation
        if due is not None and due - before > self.naive.now:
            seconds = due - before - self.naive.now
            self.lab.clock.travel(seconds=seconds)
            self.naive.travel(seconds)

    @rule(key=keys, days=st.integers(1, 300))
    def sleep_through_a_rotation(self, key, days):
        """Disabled before the key's next rotation, enabled again some days after it."""
        known = self.naive.keys.get(key)
        if known and known.next_rotation is not None and known.next_rotation > self.naive.now:
            self.disable(key)
            self.travel(days, known.next_rotation - self.naive.now)
            self.enable(key)

    @rule(target=blobs, key=keys, plaintext=st.binary(min_size=1, max_size=8))
    def encrypt(self, key, plaintext):
        found = self.call("encrypt", KeyId=key, Plaintext=plaintext)
        expected, material = self.naive.encrypt(key)
        assert found == expected
        return None if found else (key, material, plaintext, self.answer["CiphertextBlob"])

    @rule(blob=blobs)
    def decrypt(self, blob):
        if blob is None:
            return
        key, material, plaintext, ciphertext = blob
        found = self.call("decrypt", CiphertextBlob=ciphertext)
        assert found == self.naive.decrypt(key)
        if found is None:
            assert self.answer["Plaintext"] == plaintext
            used = self.answer["KeyMaterialId"]
            whole = self.kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL", Limit=1000)[
                "Rotations"
            ]
            assert [one["KeyMaterialId"] for one in whole].index(used) == material

    def seconds(self, moment):
        return (moment - self.start) // timedelta(seconds=1)

    @invariant()
    def same_time(self):
        assert self.seconds(self.lab.clock.now) == self.naive.now

    @invariant()
    def same_keys(self):
        assert {one["KeyId"] for one in self.kms.list_keys()["Keys"]} == set(self.naive.keys)
        for key, known in self.naive.keys.items():
            metadata = self.kms.describe_key(KeyId=key)["KeyMetadata"]
            assert metadata["KeyState"] == known.state
            if known.state == "PendingDeletion":
                assert self.seconds(metadata["DeletionDate"]) == known.deletion
            status = self.kms.get_key_rotation_status(KeyId=key)
            rotating = known.period is not None and known.state != "PendingDeletion"
            assert status["KeyRotationEnabled"] == rotating
            if rotating:
                assert status["RotationPeriodInDays"] == known.period
                assert self.seconds(status["NextRotationDate"]) == known.next_rotation
            rotations = self.kms.list_key_rotations(KeyId=key, Limit=1000)["Rotations"]
            found = [(self.seconds(one["RotationDate"]), one["RotationType"]) for one in rotations]
            assert found == known.materials[1:]


class TestLifecycle(Lifecycle.TestCase):
    """
    States, dates, materials, refusals and plaintexts agree after every step of any life.
    """

    settings = settings(max_examples=150, stateful_step_count=50)


@pytest.mark.parametrize("seconds", [0, 1, 20 * 60, 20 * 60 + 1])
def test_brink(seconds):
    """
    Both agree to the second about when a rotation on demand is too close to an automatic one.
    """
    life = Lifecycle()
    key = life.create_one()
    life.enable_rotation(key, 90)
    life.travel(90, -seconds)
    life.rotate(key)
    life.same_keys()
