"""What an envelope saves: calls, dollars, bytes and risk, against counts made in a lab."""

from decimal import Decimal

import pytest

from kms_lab.envelope import Sealer
from kms_lab.lab import Lab
from kms_lab.teach.widgets.envelope_cost import (
    EnvelopeCost,
    State,
    directly,
    encrypt_limit,
    in_envelopes,
    opened_by_one_key,
)
from kms_lab.views.bill import estimate


@pytest.fixture
def lab():
    lab = Lab(seed=5)
    key = lab.client().create_key()["KeyMetadata"]["KeyId"]
    lab.client().create_alias(AliasName="alias/photos", TargetKeyId=key)
    return lab


def calls(lab, work):
    """Count what a piece of work adds to the log."""
    before = len(lab.world.log)
    work(lab.client())
    return len(lab.world.log) - before


class TestCounts:
    @pytest.mark.parametrize("size", [1, 4_096, 4_097, 20_000])
    def test_direct_calls_and_bytes(self, lab, size):
        """
        Encrypt by piece makes as many calls, and stores as many bytes more, as the widget says.
        """
        data, blobs = bytes(size), []

        def work(kms):
            for at in range(0, size, 4_096):
                blobs.append(kms.encrypt(KeyId="alias/photos", Plaintext=data[at : at + 4_096])["CiphertextBlob"])

        way = directly(State(size_bytes=size, objects=1))

        assert calls(lab, work) == way.calls
        assert sum(map(len, blobs)) - size == way.extra_bytes

    @pytest.mark.parametrize(("objects", "per_key"), [(7, 1), (7, 3), (7, 10), (6, 3)])
    def test_envelope_calls(self, lab, objects, per_key):
        """
        A sealer with the same cap asks for as many data keys as the widget says.
        """

        def work(kms):
            sealer = Sealer(kms, "alias/photos", max_messages=per_key)
            for number in range(objects):
                sealer.encrypt_bytes(b"note %d" % number)

        assert calls(lab, work) == in_envelopes(State(objects=objects, per_key=per_key)).calls

    def test_limit_is_the_models(self):
        """
        One Encrypt takes 4,096 bytes.
        """
        assert encrypt_limit() == 4_096

    def test_dollars_are_the_bills(self):
        """
        The price of the calls is what the bill estimates for them, free tier included.
        """
        way = directly(State(size_bytes=5_000_000, objects=1_000))

        assert way.usd == estimate(requests={"standard": way.calls}).total
        assert in_envelopes(State(objects=20_000)).usd == Decimal("0.00")
        assert in_envelopes(State(objects=30_000)).usd == Decimal("0.03")

    def test_reuse_grows_the_pile(self):
        """
        What one leaked data key opens grows with reuse, up to all objects.
        """
        assert [opened_by_one_key(State(objects=50, per_key=n)) for n in (1, 10, 1_000)] == [1, 10, 50]


class TestView:
    def test_table_and_summary_agree(self):
        """
        Table, summary and picture tell the same numbers.
        """
        widget = EnvelopeCost(State(size_bytes=10_000_000, objects=10_000))
        state = widget.state
        rows = {row[0]: row[1] for row in widget.table(state).rows}

        assert rows == {"Encrypt only": 24_420_000, "Envelopes": 10_000}
        assert "24,420,000 calls" in widget.summary(state)
        assert "24,420,000 with Encrypt only, 10,000 with envelopes" in widget.view(state)

    @pytest.mark.parametrize("state", [State(1_000, 1, 1), State(10**9, 10**7, 1), State(10**9, 10**7, 10**5)])
    def test_ends_of_the_sliders(self, state):
        """
        The picture can be drawn at both ends of every slider.
        """
        widget = EnvelopeCost(State())
        widget.set(size_bytes=state.size_bytes, objects=state.objects, per_key=state.per_key)

        assert widget.html().count("<svg") >= 2

    def test_third_slider_changes_only_envelopes(self):
        """
        Reuse does not touch the other way.
        """
        one, many = State(per_key=1), State(per_key=100)

        assert directly(one) == directly(many)
        assert in_envelopes(one).calls == 100 * in_envelopes(many).calls
