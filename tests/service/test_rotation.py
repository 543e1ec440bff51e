"""Rotation: when it happens, what it brings, what it leaves alone."""

from datetime import timedelta

import pytest

from kms_lab.core.clock import to_datetime
from tests.service.conftest import answer, code, new_family, new_key, sender

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def rotations(kms, key, **params):
    return kms.list_key_rotations(KeyId=key, **params)["Rotations"]


def status(kms, key):
    return kms.get_key_rotation_status(KeyId=key)


class TestSchedule:
    @pytest.mark.parametrize("period", [90, 365, 2560])
    def test_first_rotation_one_period_from_now(self, lab, kms, key, period):
        """
        The first rotation is one period after rotation was switched on, and then one every period.
        """
        lab.clock.travel(days=10)
        start = lab.clock.now
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=period)
        assert status(kms, key)["NextRotationDate"] == start + period * DAY

        lab.clock.travel(to=start + 3 * period * DAY)

        found = rotations(kms, key)
        assert [one["RotationDate"] for one in found] == [start + n * period * DAY for n in (1, 2, 3)]
        assert {one["RotationType"] for one in found} == {"AUTOMATIC"}
        assert status(kms, key)["NextRotationDate"] == start + 4 * period * DAY

    def test_not_a_moment_early(self, lab, kms, key):
        """
        One microsecond before its date a rotation has not happened; at its date it has.
        """
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        due = lab.clock.now + 90 * DAY

        lab.clock.travel(to=due - timedelta(microseconds=1))
        assert rotations(kms, key) == []
        lab.clock.travel(to=due)
        assert [one["RotationDate"] for one in rotations(kms, key)] == [due]

    @pytest.mark.parametrize("period", [89, 2561, 0])
    def test_period_out_of_range(self, lab, key, period):
        """
        Periods under 90 and over 2,560 days are refused.
        """
        found = code(sender(lab, "EnableKeyRotation"), KeyId=key, RotationPeriodInDays=period)

        assert found == "ValidationException"

    def test_off_and_on_again(self, lab, kms, key):
        """
        Switching rotation off and on starts its clock anew; in between nothing rotates and nothing is shown.
        """
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=100)
        lab.clock.travel(days=60)
        kms.disable_key_rotation(KeyId=key)
        lab.clock.travel(days=60)
        assert rotations(kms, key) == []
        assert status(kms, key)["KeyRotationEnabled"] is False

        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=100)
        lab.clock.travel(days=99)
        assert rotations(kms, key) == []
        lab.clock.travel(days=1)
        assert len(rotations(kms, key)) == 1

    def test_new_period(self, lab, kms, key):
        """
        A changed period counts from the change, and only one schedule goes on.
        """
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=100)
        lab.clock.travel(days=50)
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=200)
        assert status(kms, key)["RotationPeriodInDays"] == 200

        lab.clock.travel(days=199)
        assert rotations(kms, key) == []
        lab.clock.travel(days=1)
        assert len(rotations(kms, key)) == 1

    def test_same_call_twice(self, lab, kms, key):
        """
        Enabling rotation again with the same period changes nothing: the next rotation keeps its date.
        """
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=100)
        due = status(kms, key)["NextRotationDate"]
        lab.clock.travel(days=40)
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=100)
        assert status(kms, key)["NextRotationDate"] == due

        lab.clock.travel(days=60)
        assert len(rotations(kms, key)) == 1

    def test_no_period_means_a_year(self, lab, kms, key):
        """
        EnableKeyRotation without a period sets 365 days, also on a key that has another period.
        """
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=100)
        kms.enable_key_rotation(KeyId=key)

        assert status(kms, key)["RotationPeriodInDays"] == 365
        assert lab.timeline(key).events[-1].detail == "every 365 days"

    def test_two_keys_in_one_instant(self, lab, kms):
        """
        Keys due at the same instant rotate in the order in which they were scheduled.
        """
        keys = [new_key(kms) for _ in range(3)]
        for key in (keys[2], keys[0], keys[1]):
            kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)

        lab.clock.travel(days=90)

        log = lab.world.log
        done = [entry.key for entry in map(log.entry, range(len(log))) if entry.operation == "RotateKey"]
        assert done == [keys[2], keys[0], keys[1]]


class TestDisabledAndDoomed:
    def test_disabled_key_waits(self, lab, kms, key):
        """
        A disabled key does not rotate and its status does not change; enabled after its date, it rotates at once.
        """
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=100)
        before = status(kms, key)["NextRotationDate"]
        kms.disable_key(KeyId=key)
        lab.clock.travel(days=350)
        assert rotations(kms, key) == []
        assert status(kms, key)["KeyRotationEnabled"] is True
        assert status(kms, key)["NextRotationDate"] == before

        kms.enable_key(KeyId=key)

        assert [one["RotationDate"] for one in rotations(kms, key)] == [lab.clock.now]
        assert status(kms, key)["NextRotationDate"] == lab.clock.now + 100 * DAY
        lab.clock.travel(days=100)
        assert len(rotations(kms, key)) == 2

    def test_enabled_before_its_date(self, lab, kms, key):
        """
        Enabled again before its date, a key goes on with its old schedule.
        """
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=100)
        due = status(kms, key)["NextRotationDate"]
        kms.disable_key(KeyId=key)
        lab.clock.travel(days=50)
        kms.enable_key(KeyId=key)
        assert rotations(kms, key) == []

        lab.clock.travel(days=60)
        assert [one["RotationDate"] for one in rotations(kms, key)] == [due]

    def test_pending_deletion(self, lab, kms, key):
        """
        Pending deletion the status reads false and nothing rotates; cancelled and enabled, the rotation catches up.
        """
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        lab.clock.travel(days=80)
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=30)
        lab.clock.travel(days=20)
        doomed = status(kms, key)
        assert doomed["KeyRotationEnabled"] is False
        assert "NextRotationDate" not in doomed
        assert rotations(kms, key) == []

        kms.cancel_key_deletion(KeyId=key)
        assert status(kms, key)["KeyRotationEnabled"] is True
        assert rotations(kms, key) == []
        kms.enable_key(KeyId=key)
        assert [one["RotationDate"] for one in rotations(kms, key)] == [lab.clock.now]


class TestOnDemand:
    def test_twenty_five(self, lab, kms, key):
        """
        A key rotates on demand 25 times in its life, automatic rotations not counted.
        """
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        lab.clock.travel(days=90)
        for _ in range(25):
            kms.rotate_key_on_demand(KeyId=key)

        assert code(kms.rotate_key_on_demand, KeyId=key) == "LimitExceededException"
        assert len(rotations(kms, key)) == 26
        lab.clock.travel(days=90)
        assert len(rotations(kms, key)) == 27

    @pytest.mark.parametrize(
        ("before", "found"),
        [(20 * MINUTE, "ConflictException"), (MINUTE, "ConflictException"), (21 * MINUTE, None)],
    )
    def test_automatic_rotation_near(self, lab, kms, key, before, found):
        """
        Within 20 minutes of an automatic rotation, one on demand is ConflictException.
        """
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        lab.clock.travel(to=lab.clock.now + 90 * DAY - before)

        assert code(kms.rotate_key_on_demand, KeyId=key) == found

    def test_without_automatic(self, lab, kms, key):
        """
        On demand works whether automatic rotation is on or off, and does not switch it on.
        """
        kms.rotate_key_on_demand(KeyId=key)

        (only,) = rotations(kms, key)
        assert (only["RotationType"], only["RotationDate"]) == ("ON_DEMAND", lab.clock.now)
        assert status(kms, key)["KeyRotationEnabled"] is False


class TestWhatStays:
    def test_everything_but_the_material(self, lab, kms, key):
        """
        Rotation changes the current material, and nothing else of the key.
        """
        kms.create_alias(AliasName="alias/app", TargetKeyId=key)
        kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}])

        def facts():
            metadata = kms.describe_key(KeyId="alias/app")["KeyMetadata"]
            return (
                metadata.pop("CurrentKeyMaterialId"),
                metadata,
                kms.get_key_policy(KeyId=key)["Policy"],
                kms.list_resource_tags(KeyId=key)["Tags"],
            )

        before, *rest = facts()
        kms.rotate_key_on_demand(KeyId=key)
        after, *others = facts()

        assert before != after
        assert rest == others

    def test_all_material(self, lab, kms, key):
        """
        ALL_KEY_MATERIAL adds the first material, without date or type; the newest is the current one.
        """
        first = kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        lab.clock.travel(days=90)
        kms.rotate_key_on_demand(KeyId=key)

        whole = rotations(kms, key, IncludeKeyMaterial="ALL_KEY_MATERIAL")

        assert whole[0] == {"KeyId": key, "KeyMaterialId": first, "KeyMaterialState": "NON_CURRENT"}
        assert [one["KeyMaterialState"] for one in whole] == ["NON_CURRENT", "NON_CURRENT", "CURRENT"]
        assert [one.get("RotationType") for one in whole] == [None, "AUTOMATIC", "ON_DEMAND"]
        assert whole[-1]["KeyMaterialId"] == kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
        only = rotations(kms, key)
        assert [one["KeyMaterialId"] for one in only] == [one["KeyMaterialId"] for one in whole[1:]]
        assert all(one.keys() == {"KeyId", "KeyMaterialId", "RotationDate", "RotationType"} for one in only)


class TestKindsOfKeys:
    @pytest.mark.parametrize(
        ("spec", "usage"),
        [("HMAC_256", "GENERATE_VERIFY_MAC"), ("ECC_NIST_P256", "SIGN_VERIFY"), ("RSA_2048", "ENCRYPT_DECRYPT")],
    )
    def test_only_symmetric_keys(self, kms, spec, usage):
        """
        HMAC and asymmetric keys do not rotate, in any state; their status reads false.
        """
        key = new_key(kms, KeySpec=spec, KeyUsage=usage)

        assert status(kms, key)["KeyRotationEnabled"] is False
        for call in (
            kms.enable_key_rotation,
            kms.disable_key_rotation,
            kms.rotate_key_on_demand,
        ):
            assert code(call, KeyId=key) == "UnsupportedOperationException"
        assert kms.list_key_rotations(KeyId=key)["Rotations"] == []
        whole = {"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}
        assert code(kms.list_key_rotations, **whole) == "UnsupportedOperationException"
        kms.disable_key(KeyId=key)
        assert code(kms.enable_key_rotation, KeyId=key) == "UnsupportedOperationException"

    @pytest.mark.parametrize("operation", ["enable_key_rotation", "disable_key_rotation"])
    def test_imported_material(self, kms, operation):
        """
        A key with Origin EXTERNAL does not rotate by itself: note 6 of AWS's state table.
        """
        key = new_key(kms, Origin="EXTERNAL")

        assert answer(getattr(kms, operation), KeyId=key) == (
            "UnsupportedOperationException",
            f"{key} origin is EXTERNAL which is not valid for this operation.",
        )

    @pytest.mark.parametrize("origin", ["AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"])
    def test_custom_key_store(self, lab, kms, key, origin):
        """
        A key of a custom key store does not rotate and has no rotations to tell of: note 7 of AWS's state table.
        """
        lab.key(key).origin = origin  # what matters of such a key; making one takes a key store

        for call in (
            kms.enable_key_rotation,
            kms.disable_key_rotation,
            kms.rotate_key_on_demand,
            kms.get_key_rotation_status,
            kms.list_key_rotations,
        ):
            assert answer(call, KeyId=key) == (
                "UnsupportedOperationException",
                f"{key} is in a custom key store, which is not valid for this operation.",
            )


HOME, WEST, EAST = "us-east-1", "eu-west-1", "ap-south-1"


class TestMultiRegion:
    @pytest.fixture
    def family(self, lab):
        """A multi-Region key with two replicas: its id, and a client for each Region, the primary's first."""
        key = new_family(lab, WEST, EAST).rpartition("/")[2]
        return key, [lab.client(region=region) for region in (HOME, WEST, EAST)]

    def test_on_demand(self, lab, family):
        """
        Rotating the primary gives every related key the same new material at once.
        """
        key, clients = family
        kms, west, _ = clients
        before = kms.encrypt(KeyId=key, Plaintext=b"old")["CiphertextBlob"]

        kms.rotate_key_on_demand(KeyId=key)

        (new,) = {client.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"] for client in clients}
        assert west.decrypt(CiphertextBlob=before)["Plaintext"] == b"old"
        after = west.encrypt(KeyId=key, Plaintext=b"new")["CiphertextBlob"]
        assert kms.decrypt(CiphertextBlob=after)["KeyMaterialId"] == new
        for client in clients:
            (only,) = rotations(client, key)
            assert (only["KeyMaterialId"], only["RotationType"]) == (new, "ON_DEMAND")
            assert only["RotationDate"] == lab.clock.now

    @pytest.mark.parametrize("call", ["enable_key_rotation", "disable_key_rotation", "rotate_key_on_demand"])
    def test_only_the_primary(self, lab, family, call):
        """
        Rotation is set and started on the primary; a replica refuses.
        """
        key, (_, west, _) = family
        arn = lab.key(key, region=WEST).arn

        assert answer(getattr(west, call), KeyId=key) == (
            "UnsupportedOperationException",
            f"{arn} is not a multi-region primary key.",
        )

    def test_schedule(self, lab, family):
        """
        The primary's schedule is every related key's: its status says so, and all rotate at its instant, once.
        """
        key, clients = family
        clients[0].enable_key_rotation(KeyId=key, RotationPeriodInDays=100)
        start = lab.clock.now
        (settings,) = {
            (found["KeyRotationEnabled"], found["RotationPeriodInDays"], found["NextRotationDate"])
            for found in (status(client, key) for client in clients)
        }
        assert settings == (True, 100, start + 100 * DAY)

        lab.clock.travel(days=100)

        for client in clients:
            assert [one["RotationDate"] for one in rotations(client, key)] == [start + 100 * DAY]
            assert status(client, key)["NextRotationDate"] == start + 200 * DAY
        assert rotated(lab) == [(lab.key(key).arn, start + 100 * DAY)]
        clients[0].disable_key_rotation(KeyId=key)
        assert [status(client, key)["KeyRotationEnabled"] for client in clients] == [False] * 3

    def test_disabled_replica(self, lab, family):
        """
        A disabled replica gets new material all the same, and enabling it rotates nothing.
        """
        key, (kms, west, _) = family
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        west.disable_key(KeyId=key)
        lab.clock.travel(days=90)
        assert len(rotations(west, key)) == 1

        kms.disable_key(KeyId=key)
        lab.clock.travel(days=90)
        west.enable_key(KeyId=key)
        assert len(rotations(west, key)) == 1
        kms.enable_key(KeyId=key)
        assert [len(rotations(client, key)) for client in family[1]] == [2, 2, 2]

    def test_new_primary(self, lab, family):
        """
        A new primary takes the schedule over: one rotation at the old date, and it is the new primary's.
        """
        key, clients = family
        clients[0].enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        due = lab.clock.now + 90 * DAY
        clients[0].update_primary_region(KeyId=key, PrimaryRegion=WEST)
        lab.clock.travel(days=90)

        assert rotated(lab) == [(lab.key(key, region=WEST).arn, due)]
        assert [len(rotations(client, key)) for client in clients] == [1, 1, 1]
        assert code(clients[0].rotate_key_on_demand, KeyId=key) == "UnsupportedOperationException"
        assert code(clients[1].rotate_key_on_demand, KeyId=key) is None

    def test_there_and_back(self, lab, family):
        """
        Primary again after it was a replica, a key rotates once at its date.
        """
        key, clients = family
        clients[0].enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        due = lab.clock.now + 90 * DAY
        clients[0].update_primary_region(KeyId=key, PrimaryRegion=WEST)
        lab.clock.travel(minutes=1)
        clients[1].update_primary_region(KeyId=key, PrimaryRegion=HOME)
        lab.clock.travel(days=100)

        assert rotated(lab) == [(lab.key(key).arn, due)]

    def test_due_while_updating(self, lab, family):
        """
        A rotation that comes due in the seconds of a change of primary happens.
        """
        key, clients = family
        clients[0].enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        due = lab.clock.now + 90 * DAY
        lab.clock.travel(to=due - timedelta(seconds=1))
        clients[0].update_primary_region(KeyId=key, PrimaryRegion=WEST)
        lab.clock.travel(seconds=1)
        assert clients[1].describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Updating"

        assert rotated(lab) == [(lab.key(key, region=WEST).arn, due)]

    def test_doomed_primary(self, lab, family):
        """
        A primary that waits for its replicas' deletion does not rotate, and its status reads false.
        """
        key, clients = family
        clients[0].enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        clients[0].schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        assert status(clients[0], key)["KeyRotationEnabled"] is False
        lab.clock.travel(days=100)
        assert rotated(lab) == []

        clients[0].cancel_key_deletion(KeyId=key)
        clients[0].enable_key(KeyId=key)
        assert [len(rotations(client, key)) for client in clients] == [1, 1, 1]

    def test_later_replica(self, lab, family):
        """
        A replica that is made later has every material, and the schedule.
        """
        key, (kms, *_) = family
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        lab.clock.travel(days=90)
        kms.replicate_key(KeyId=key, ReplicaRegion="sa-east-1")
        lab.clock.travel(minutes=1)
        south = lab.client(region="sa-east-1")

        assert rotations(south, key)[0]["KeyMaterialId"] == rotations(kms, key)[0]["KeyMaterialId"]
        assert status(south, key)["NextRotationDate"] == status(kms, key)["NextRotationDate"]
        lab.clock.travel(days=90)
        assert len(rotations(south, key)) == 2

    @pytest.mark.parametrize("call", ["enable_key_rotation", "disable_key_rotation", "rotate_key_on_demand"])
    def test_replicas_are_told(self, lab, family, call):
        """
        A change of what related keys share is followed by SynchronizeMultiRegionKey, an event of the primary.
        """
        key, (kms, *_) = family

        getattr(kms, call)(KeyId=key)

        last = lab.world.log.entry(-1)
        assert (last.operation, last.key, last.region, last.principal) == (
            "SynchronizeMultiRegionKey", lab.key(key).arn, HOME, None,
        )  # fmt: skip

    @pytest.mark.parametrize("multi_region", [False, True])
    def test_nobody_to_tell(self, lab, kms, multi_region):
        """
        Without replicas nothing is synchronized.
        """
        kms.rotate_key_on_demand(KeyId=new_key(kms, MultiRegion=multi_region))

        assert lab.world.log.entry(-1).operation == "RotateKey"


def rotated(lab):
    """Which key rotated when, by the log."""
    entries = map(lab.world.log.entry, range(len(lab.world.log)))
    return [(one.key, to_datetime(one.at_us)) for one in entries if one.operation == "RotateKey"]


@pytest.mark.parametrize("how", ["on demand", "caught up"])
def test_a_rotation_that_a_call_causes_follows_it_in_the_log(lab, how):
    """
    RotateKeyOnDemand, and EnableKey on a key whose date has passed, are followed by RotateKey, made by AWS itself.
    """
    kms = lab.client()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    if how == "caught up":
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        kms.disable_key(KeyId=key)
        lab.clock.travel(days=91)
        kms.enable_key(KeyId=key)
    else:
        kms.rotate_key_on_demand(KeyId=key)

    cause, event = lab.world.log.entry(-2), lab.world.log.entry(-1)
    assert (cause.operation, event.operation) == (
        "EnableKey" if how == "caught up" else "RotateKeyOnDemand",
        "RotateKey",
    )
    assert event.principal is None
    assert event.material == lab.key(key).current.id
    assert event.more["previous"] == lab.key(key).materials[0].id
