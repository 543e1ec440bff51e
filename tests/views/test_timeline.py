"""The history of a key."""

from datetime import UTC, datetime, timedelta

import pytest

from kms_lab.views.timeline import timeline


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
        world = eventful.lab.world
        (gone,) = world.gone.values()

        history = timeline(world, gone)

        frame = history.event_frame()
        assert frame["what"].tolist() == [event.what for event in history.events]
        assert {"TagResource", "UntagResource", "PutKeyPolicy", "DeleteKey"} <= set(frame["what"])
        assert "team = blue" not in str(history)
        assert "cost = 42" in str(history)


def test_html_is_two_tables_with_captions(lab, kms, key):
    """
    A notebook shows two captioned tables whose headings say what they head.
    """
    html = lab.timeline(key)._repr_html_()

    assert html.count("<caption") == 2
    assert f"Materials of key {key}" in html
    assert '<th scope="col"' in html
    assert '<th scope="row"' in html
