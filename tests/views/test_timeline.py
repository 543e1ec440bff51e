"""The history of a key."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_lab import KMSError, Lab
from kms_lab.lab import ADMIN
from kms_lab.views.timeline import timeline
from tests.service.conftest import import_request
from tests.service.homes import Home


@pytest.fixture
def kms(lab):
    return lab.client()


@pytest.fixture
def key(kms):
    return kms.create_key()["KeyMetadata"]["KeyId"]


class TestMaterials:
    def test_each_rotation_begins_a_row(self, lab, kms, key):
        """
        Materials follow one another without a gap, and only the last one encrypts.
        """
        start = datetime(2026, 4, 1, tzinfo=UTC)
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=100)
        lab.clock.travel(days=250)
        kms.rotate_key_on_demand(KeyId=key)

        rows = lab.timeline(key).materials

        assert [row.how for row in rows] == ["FIRST", "AUTOMATIC", "AUTOMATIC", "ON_DEMAND"]
        assert [(row.since - start).days for row in rows] == [0, 100, 200, 250]
        assert [row.until for row in rows] == [*(row.since for row in rows[1:]), None]
        assert [row.state for row in rows] == ["NON_CURRENT"] * 3 + ["CURRENT"]
        assert [row.id for row in rows] == [one.id for one in lab.key(key).materials]

    def test_frame(self, lab, kms, key):
        """
        The frame has a row for each material.
        """
        kms.rotate_key_on_demand(KeyId=key)

        frame = lab.timeline(key).frame()

        assert frame["how"].tolist() == ["FIRST", "ON_DEMAND"]

    def test_of_a_deleted_key(self, lab, kms, key):
        """
        A deleted key's materials end on the day of deletion, and none of them is of any use.
        """
        record = lab.key(key)
        kms.rotate_key_on_demand(KeyId=key)
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        scheduled = lab.clock.now
        lab.clock.travel(days=30)

        history = timeline(lab.world, lab.world.gone[record.arn])

        assert [row.state for row in history.materials] == ["Deleted", "Deleted"]
        assert history.materials[-1].until == scheduled + timedelta(days=7)
        assert (history.events[-1].what, history.events[-1].by) == ("DeleteKey", None)


class TestImportedMaterials:
    @pytest.fixture
    def key(self, kms):
        return kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["Arn"]

    def bring(self, kms, key, number, **params):
        return kms.import_key_material(**import_request(kms, key, bytes([number]) * 32, **params))["KeyMaterialId"]

    def shown(self, lab, key):
        return [(one.how, one.state, one.missing) for one in lab.timeline(key).materials]

    def test_material_waits_and_is_rotated_in(self, lab, kms, key):
        """
        New imported material waits without a date, and becomes the current one with the rotation.
        """
        self.bring(kms, key, 1)
        second = self.bring(kms, key, 2, ImportType="NEW_KEY_MATERIAL")

        waiting = lab.timeline(key).materials[-1]
        assert (waiting.id, waiting.state, waiting.since, waiting.until) == (second, "PENDING_ROTATION", None, None)
        assert "waits for a rotation" in str(lab.timeline(key))

        lab.clock.travel(days=1)
        kms.rotate_key_on_demand(KeyId=key)

        assert self.shown(lab, key) == [("FIRST", "NON_CURRENT", ""), ("ON_DEMAND", "CURRENT", "")]
        assert lab.timeline(key).materials[-1].since == lab.clock.now

    def test_why_material_is_missing(self, lab, kms, key):
        """
        Material that is gone is shown as deleted or as expired, until the same bytes are imported again.
        """
        until = lab.clock.now + timedelta(days=10)
        self.bring(kms, key, 1, ValidTo=until)
        self.bring(kms, key, 2, ImportType="NEW_KEY_MATERIAL")
        kms.rotate_key_on_demand(KeyId=key)
        assert [one.expires for one in lab.timeline(key).materials] == [until, None]

        kms.delete_imported_key_material(KeyId=key)
        lab.clock.travel(days=10)
        assert self.shown(lab, key) == [("FIRST", "NON_CURRENT", "expired"), ("ON_DEMAND", "CURRENT", "deleted")]
        assert "none: expired" in str(lab.timeline(key))

        self.bring(kms, key, 1)
        assert [missing for *_, missing in self.shown(lab, key)] == ["", "deleted"]

    def test_states(self, lab, kms, key):
        """
        The key waits for its first material, is enabled by it, and waits again once any of its materials is gone.
        """
        self.bring(kms, key, 1, ValidTo=lab.clock.now + timedelta(days=10))
        lab.clock.travel(days=10)
        self.bring(kms, key, 1)
        kms.delete_imported_key_material(KeyId=key)

        assert [(event.what, event.state) for event in lab.timeline(key).events] == [
            ("CreateKey", "PendingImport"),
            ("ImportKeyMaterial", "Enabled"),
            ("DeleteExpiredKeyMaterial", "PendingImport"),
            ("ImportKeyMaterial", "Enabled"),
            ("DeleteImportedKeyMaterial", "PendingImport"),
        ]

    def test_a_replica_waits_for_its_own_import(self, lab, kms):
        """
        A replica of a key with imported material knows which materials it needs, and that none was imported yet.
        """
        key = kms.create_key(Origin="EXTERNAL", MultiRegion=True)["KeyMetadata"]["KeyId"]
        self.bring(kms, key, 1)
        kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
        lab.clock.travel(seconds=10)
        self.bring(kms, key, 2, ImportType="NEW_KEY_MATERIAL")

        primary, replica = lab.timeline(key), lab.timeline(key, region="eu-west-1")

        elsewhere = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
        assert [(one.state, one.missing) for one in primary.materials] == [("CURRENT", ""), (elsewhere, "")]
        assert [(one.state, one.missing) for one in replica.materials] == [
            ("CURRENT", "not imported"),
            (elsewhere, "not imported"),
        ]
        assert [event.state for event in replica.events] == ["Creating", "PendingImport"]


class TestRegions:
    @pytest.fixture
    def key(self, lab, kms):
        key = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
        kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
        lab.clock.travel(seconds=10)
        return key

    def told(self, lab, key, region):
        return [(event.what, event.state) for event in lab.timeline(key, region=region).events]

    def test_a_replica_becomes_ready_by_itself(self, lab, key):
        """
        A replica is Creating at first; that it is ready is no event of CloudTrail and no one's doing.
        """
        created, ready = lab.timeline(key, region="eu-west-1").events

        assert (created.what, created.state) == ("CreateKey", "Creating")
        assert (ready.what, ready.state, ready.by, ready.entry) == ("KeyState", "Enabled", None, None)
        assert (ready.at - created.at).total_seconds() == 10

    def test_related_keys_tell_of_what_they_share(self, lab, kms, key):
        """
        Rotation and a change of the primary Region are told of every related key, other changes of one alone.
        """
        kms.tag_resource(KeyId=key, Tags=[{"TagKey": "team", "TagValue": "blue"}])
        kms.rotate_key_on_demand(KeyId=key)
        kms.update_primary_region(KeyId=key, PrimaryRegion="eu-west-1")
        lab.clock.travel(minutes=1)

        shared = [
            ("RotateKeyOnDemand", "Enabled"),
            ("RotateKey", "Enabled"),
            ("UpdatePrimaryRegion", "Updating"),
            ("KeyState", "Enabled"),
        ]
        assert self.told(lab, key, "us-east-1") == [
            ("CreateKey", "Enabled"),
            ("ReplicateKey", "Enabled"),
            ("TagResource", "Enabled"),
            *shared,
        ]
        assert self.told(lab, key, "eu-west-1") == [("CreateKey", "Creating"), ("KeyState", "Enabled"), *shared]

    def test_a_primary_waits_for_its_replicas(self, lab, kms, key):
        """
        A primary is PendingReplicaDeletion until its last replica is deleted, and PendingDeletion from then on.
        """
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        lab.client(region="eu-west-1").schedule_key_deletion(KeyId=key, PendingWindowInDays=10)
        lab.clock.travel(days=30)

        *_, scheduled, waiting, deleted = lab.timeline(key).events
        assert (scheduled.what, scheduled.state) == ("ScheduleKeyDeletion", "PendingReplicaDeletion")
        assert (waiting.what, waiting.state, (waiting.at - scheduled.at).days) == ("KeyState", "PendingDeletion", 10)
        assert (deleted.what, deleted.state, (deleted.at - waiting.at).days) == ("DeleteKey", "Deleted", 7)
        assert lab.timeline(key, region="eu-west-1").key.split(":")[3] == "eu-west-1"

    def test_a_replica_made_again_begins_anew(self, lab, kms, key):
        """
        A replica that was deleted and made again tells of its second life only, and the first of its own.
        """
        there = lab.client(region="eu-west-1")
        there.tag_resource(KeyId=key, Tags=[{"TagKey": "life", "TagValue": "first"}])
        there.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        lab.clock.travel(days=7)
        kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
        lab.clock.travel(seconds=10)
        there.disable_key(KeyId=key)

        (first,) = lab.world.former

        assert self.told(lab, key, "eu-west-1") == [
            ("CreateKey", "Creating"),
            ("KeyState", "Enabled"),
            ("DisableKey", "Disabled"),
        ]
        assert [event.state for event in timeline(lab.world, first).events] == [
            "Creating",
            "Enabled",
            "Enabled",
            "PendingDeletion",
            "Deleted",
        ]
        assert {one.state for one in timeline(lab.world, first).materials} == {"Deleted"}


class TestKeyStores:
    @pytest.mark.parametrize("kind", ["AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"])
    def test_unavailable_while_disconnected(self, lab, kind):
        """
        A key is Unavailable while its key store is not connected; what is switched meanwhile shows afterwards.
        """
        home = Home(lab, kind)
        home.disconnect()
        home.kms.disable_key(KeyId=home.key)
        home.connect()

        events = lab.timeline(home.key).events

        assert [(event.what, event.state) for event in events] == [
            ("CreateKey", "Enabled"),
            ("DisconnectCustomKeyStore", "Unavailable"),
            ("DisableKey", "Unavailable"),
            ("KeyState", "Disabled"),
        ]
        assert events[1].by == ADMIN
        assert events[-1].at == lab.clock.now

    def test_called_off_in_a_disconnected_key_store(self, lab):
        """
        A key whose deletion is called off while its key store is disconnected is Unavailable again at once.
        """
        home = Home(lab, "AWS_CLOUDHSM")
        home.kms.schedule_key_deletion(KeyId=home.key)
        home.disconnect()
        home.kms.cancel_key_deletion(KeyId=home.key)

        assert [event.state for event in lab.timeline(home.key).events] == [
            "Enabled",
            "PendingDeletion",
            "Unavailable",
        ]


def test_grants_come_and_go(lab, kms, key):
    """
    A grant that is made and one that ends are told with the grantee and what it may do.
    """
    role = lab.iam.create_role("App")
    made = kms.create_grant(KeyId=key, GranteePrincipal=role, Operations=["Encrypt", "Decrypt"])
    kms.revoke_grant(KeyId=key, GrantId=made["GrantId"])

    *_, begun, ended = lab.timeline(key).events

    name = f"grant {made['GrantId'][:8]}…"
    assert begun.detail == f"{name}: role/App may Encrypt, Decrypt"
    assert (ended.what, ended.detail) == ("RevokeGrant", f"{name} ends")


def test_the_past_is_saved_and_copied(lab, kms, key, tmp_path):
    """
    A saved lab, and a fork, tell the same history as the lab that they were made from.
    """
    home = Home(lab, "AWS_CLOUDHSM")
    home.disconnect()
    lab.save(tmp_path / "lab.json")

    for copy in (lab.fork(), Lab.load(tmp_path / "lab.json")):
        assert copy.timeline(home.key) == lab.timeline(home.key)


_DEEDS = {
    "replicate_key": {"ReplicaRegion": "eu-west-1"},
    "update_primary_region": {"PrimaryRegion": "eu-west-1"},
    "schedule_key_deletion": {"PendingWindowInDays": 7},
    "enable_key": {},
    "disable_key": {},
    "cancel_key_deletion": {},
    "rotate_key_on_demand": {},
}


@given(
    life=st.lists(
        st.tuples(
            st.sampled_from(sorted(_DEEDS)), st.sampled_from(["us-east-1", "eu-west-1"]), st.sampled_from([0, 9])
        ),
        max_size=15,
    )
)
def test_history_only_grows(life):
    """
    What a timeline told once it tells for ever: later changes add events and alter none.
    """
    lab = Lab(seed=1)
    name = lab.client().create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    told = {}
    for deed, region, days in life:
        with contextlib.suppress(KMSError):
            getattr(lab.client(region=region), deed)(KeyId=name, **_DEEDS[deed])
        lab.clock.travel(days=days)
        for key in [*lab.world.gone.values(), *lab.world.all_keys()]:
            events = timeline(lab.world, key).events
            life = key.arn, key.created_us
            before = told.get(life, ())
            assert events[: len(before)] == before
            assert events[-1].state == ("Deleted" if key in lab.world.gone.values() else key.state)
            told[life] = events


def test_states_agree_with_describe_key(eventful):
    """
    The last event of every living key has the state that DescribeKey answers.
    """
    for key in eventful.lab.world.all_keys():
        assert timeline(eventful.lab.world, key).events[-1].state == key.state


class TestEvents:
    def test_states(self, lab, kms, key):
        """
        Each change shows the state that the key was in afterwards.
        """
        kms.disable_key(KeyId=key)
        kms.enable_key(KeyId=key)
        kms.schedule_key_deletion(KeyId=key)
        kms.cancel_key_deletion(KeyId=key)

        events = lab.timeline(key).events

        assert [(event.what, event.state) for event in events] == [
            ("CreateKey", "Enabled"),
            ("DisableKey", "Disabled"),
            ("EnableKey", "Enabled"),
            ("ScheduleKeyDeletion", "PendingDeletion"),
            ("CancelKeyDeletion", "Disabled"),
        ]
        assert events[-1].state == lab.key(key).state

    def test_imported_key_begins_pending(self, lab, kms):
        """
        A key for imported material waits for it from the first moment on.
        """
        key = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]

        history = lab.timeline(key)

        assert history.materials == ()
        assert [event.state for event in history.events] == ["PendingImport"]

    def test_an_alias_comes_and_goes(self, lab, kms, key):
        """
        When an alias moves to another key, both keys tell of it.
        """
        other = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName="alias/app", TargetKeyId=key)
        kms.update_alias(AliasName="alias/app", TargetKeyId=other)
        kms.update_alias(AliasName="alias/app", TargetKeyId=other)

        ours = [event.detail for event in lab.timeline(key).events][1:]
        theirs = [event.detail for event in lab.timeline(other).events][1:]

        assert ours == ["alias/app", f"alias/app now points at key {other}"]
        assert theirs == ["alias/app now points here"] * 2

    def test_use_and_refusals_change_nothing(self, lab, kms, key, refused):
        """
        Encrypting, reading and refused calls are not part of the history.
        """
        kms.encrypt(KeyId=key, Plaintext=b"x")
        kms.describe_key(KeyId=key)
        refused(kms.cancel_key_deletion, KeyId=key)

        assert [event.what for event in lab.timeline(key).events] == ["CreateKey"]

    def test_who_did_it(self, lab, kms, key):
        """
        A change names its caller; what KMS did by itself names nobody.
        """
        kms.enable_key_rotation(KeyId=key)
        lab.clock.travel(days=365)

        *_, enabled, rotated = lab.timeline(key).events

        assert enabled.by == "arn:aws:iam::111122223333:user/Admin"
        assert (rotated.what, rotated.by) == ("RotateKey", None)

    def test_every_change_has_its_words(self, eventful):
        """
        A key to which everything happened can be told, as frame, as text and as HTML.
        """
        gone = eventful.lab.world.gone[eventful.arn]

        history = timeline(eventful.lab.world, gone)

        frame = history.event_frame()
        assert frame["what"].tolist() == [event.what for event in history.events]
        assert {"TagResource", "UntagResource", "PutKeyPolicy", "DeleteKey"} <= set(frame["what"])
        assert "team = blue" not in str(history)
        assert "cost = 42" in str(history)

    def test_every_key_can_be_told(self, eventful):
        """
        Whatever happened to a key, it is told as text, as HTML and as a frame that numbers the log's entries.
        """
        world = eventful.lab.world
        for key in world.every_key():
            history = timeline(world, key)

            assert len(history.event_frame()) == len(history.events)
            assert history._repr_html_().count("<table") == 2
            assert str(history).startswith(key.arn)
            for entry, what in history.event_frame()["what"].items():
                assert what == "KeyState" or what == world.log.entry(entry).operation


def test_html_is_two_tables_with_captions(lab, kms, key):
    """
    A notebook shows two captioned tables whose headings say what they head.
    """
    html = lab.timeline(key)._repr_html_()

    assert html.count("<caption") == 2
    assert f"Materials of key {key}" in html
    assert '<th scope="col"' in html
    assert '<th scope="row"' in html
