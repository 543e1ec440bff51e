"""Deletion: the wait, the way back, and what is gone."""

from datetime import timedelta

import pytest

from kms_lab import Lab
from kms_lab.core.keys import Key
from tests.service.conftest import code, new_family, new_key, sender

HERE, THERE, ELSEWHERE = "us-east-1", "eu-west-1", "ap-south-1"
INSTANT = timedelta(microseconds=1)


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


class TestFamilies:
    """A multi-Region primary outlives its replicas; a replica can go at any time."""

    @pytest.fixture
    def family(self, lab):
        """The ARNs of a multi-Region key by Region: the primary's, then its replicas'."""
        arn = new_family(lab, THERE, ELSEWHERE)
        return {region: arn.replace(HERE, region) for region in (HERE, THERE, ELSEWHERE)}

    @staticmethod
    def schedule(lab, arn, days):
        return lab.client(region=arn.split(":")[3]).schedule_key_deletion(KeyId=arn, PendingWindowInDays=days)

    @staticmethod
    def metadata(lab, arn):
        return lab.client(region=arn.split(":")[3]).describe_key(KeyId=arn)["KeyMetadata"]

    def test_primary_waits_without_a_date(self, lab, family):
        """
        A primary with replicas is PendingReplicaDeletion: its window is known, its date is not, however long it lasts.
        """
        response = self.schedule(lab, family[HERE], 9)

        assert {name: value for name, value in response.items() if name != "ResponseMetadata"} == {
            "KeyId": family[HERE],
            "KeyState": "PendingReplicaDeletion",
            "PendingWindowInDays": 9,
        }
        lab.clock.travel(days=4000)
        metadata = self.metadata(lab, family[HERE])
        assert (metadata["KeyState"], metadata["Enabled"]) == ("PendingReplicaDeletion", False)
        assert metadata["PendingDeletionWindowInDays"] == 9
        assert "DeletionDate" not in metadata

    def test_the_windows_add_up(self, lab, family):
        """
        The primary's own window begins at the instant at which its last replica is deleted, and not before.
        """
        begun = lab.clock.now
        for region, days in ((HERE, 9), (THERE, 7), (ELSEWHERE, 20)):
            self.schedule(lab, family[region], days)
        last, end = begun + timedelta(days=20), begun + timedelta(days=29)

        lab.clock.travel(to=last - INSTANT)
        assert self.metadata(lab, family[HERE])["KeyState"] == "PendingReplicaDeletion"
        lab.clock.travel(to=last)
        metadata = self.metadata(lab, family[HERE])
        assert (metadata["KeyState"], metadata["DeletionDate"]) == ("PendingDeletion", end)
        assert "PendingDeletionWindowInDays" not in metadata
        lab.clock.travel(to=end - INSTANT)
        assert code(lab.client().describe_key, KeyId=family[HERE]) is None
        lab.clock.travel(to=end)
        assert code(lab.client().describe_key, KeyId=family[HERE]) == "NotFoundException"

    @pytest.mark.parametrize("steps", [1, 3, 30])
    def test_however_far_the_clock_jumps(self, lab, family, steps):
        """
        A whole family goes at its instants in one jump as in many: log, dates and what is left are the same.
        """
        for region, days in ((HERE, 7), (THERE, 8), (ELSEWHERE, 10)):
            self.schedule(lab, family[region], days)
        twin = lab.fork()

        lab.clock.travel(days=30)
        for _ in range(steps):
            twin.clock.travel(days=30 / steps)

        assert twin.world.to_data() == lab.world.to_data()
        deleted = [lab.world.log.entry(index) for index in range(-3, 0)]
        assert [(one.operation, one.key) for one in deleted] == [
            ("DeleteKey", family[region]) for region in (THERE, ELSEWHERE, HERE)
        ]
        assert deleted[2].at_us - deleted[1].at_us == 7 * 86_400_000_000

    def test_replica_alone(self, lab, family):
        """
        A replica has its date at once, and goes while the others stay as they are.
        """
        response = self.schedule(lab, family[THERE], 7)

        assert (response["KeyState"], response["DeletionDate"]) == (
            "PendingDeletion",
            lab.clock.now + timedelta(days=7),
        )
        lab.clock.travel(days=7)
        assert [self.metadata(lab, family[region])["KeyState"] for region in (HERE, ELSEWHERE)] == ["Enabled"] * 2
        assert [one.arn for one in lab.world.related(lab.key(family[HERE]))] == [family[ELSEWHERE]]

    def test_primary_without_replicas(self, lab, family):
        """
        A primary whose replicas are gone is scheduled like any other key.
        """
        for region in (THERE, ELSEWHERE):
            self.schedule(lab, family[region], 7)
        lab.clock.travel(days=7)

        response = self.schedule(lab, family[HERE], 7)

        assert (response["KeyState"], response["DeletionDate"]) == (
            "PendingDeletion",
            lab.clock.now + timedelta(days=7),
        )

    def test_primary_called_off(self, lab, family):
        """
        A primary that waits for its replicas can be called back, to Disabled, and is then not deleted with them.
        """
        for region in family:
            self.schedule(lab, family[region], 7)

        assert lab.client().cancel_key_deletion(KeyId=family[HERE])["KeyId"] == family[HERE]

        assert self.metadata(lab, family[HERE])["KeyState"] == "Disabled"
        lab.clock.travel(days=60)
        metadata = self.metadata(lab, family[HERE])
        assert (metadata["KeyState"], metadata["MultiRegionConfiguration"]["ReplicaKeys"]) == ("Disabled", [])

    def test_replica_called_off(self, lab, family):
        """
        One replica that is called back keeps its primary waiting.
        """
        for region in family:
            self.schedule(lab, family[region], 7)
        lab.client(region=THERE).cancel_key_deletion(KeyId=family[THERE])

        lab.clock.travel(days=60)

        assert self.metadata(lab, family[HERE])["KeyState"] == "PendingReplicaDeletion"
        assert self.metadata(lab, family[THERE])["KeyState"] == "Disabled"

    def test_former_primary(self, lab, family):
        """
        A primary that has handed over its role can be deleted while the others stay.
        """
        lab.client().update_primary_region(KeyId=family[HERE], PrimaryRegion=THERE)
        lab.clock.travel(minutes=1)

        assert self.schedule(lab, family[HERE], 7)["KeyState"] == "PendingDeletion"
        assert self.schedule(lab, family[THERE], 7)["KeyState"] == "PendingReplicaDeletion"

    def test_what_a_replica_takes_with_it(self, lab, family):
        """
        With a replica go its aliases and its copy of the material; what it encrypted its relatives still decrypt.
        """
        client = lab.client(region=THERE)
        client.create_alias(AliasName="alias/a", TargetKeyId=family[THERE])
        blob = client.encrypt(KeyId=family[THERE], Plaintext=b"kept")["CiphertextBlob"]
        self.schedule(lab, family[THERE], 7)

        lab.clock.travel(days=7)

        assert client.list_aliases()["Aliases"] == []
        assert {one.secret for one in lab.world.gone[family[THERE]].materials} == {b""}
        for region in (HERE, ELSEWHERE):
            assert lab.client(region=region).decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"

    def test_saved_half_way(self, lab, family, tmp_path):
        """
        A lab saved while a primary waits goes on to the same end.
        """
        for region in family:
            self.schedule(lab, family[region], 7)
        lab.save(tmp_path / "lab.json")
        twin = Lab.load(tmp_path / "lab.json")

        for one in (lab, twin):
            one.clock.travel(days=10)
        assert twin.world.to_data() == lab.world.to_data()
        assert self.metadata(twin, family[HERE])["KeyState"] == "PendingDeletion"
