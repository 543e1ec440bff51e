"""The lab panel: it shows what the lab says of each call, on a copy of the learner's lab."""

from decimal import Decimal

import pytest

from kms_lab.lab import Lab
from kms_lab.teach.widgets.lab_panel import SHOWN_EVENTS, LabPanel


@pytest.fixture
def lab():
    return Lab(seed=5)


@pytest.fixture
def panel(lab):
    key = lab.client().create_key()["KeyMetadata"]["KeyId"]
    return LabPanel(lab, key, lab.iam.create_role("Intern"))


class TestTraces:
    def test_allowed(self, panel):
        """A call that is allowed is the newest event, without an error, and its verdict says so."""
        panel.act("encrypt")

        assert panel.state.trail[0].call == "Encrypt by Admin"
        assert panel.state.trail[0].error == ""
        assert panel.state.allowed
        assert "Allowed" in panel.html()

    def test_refused(self, panel):
        """A refused call is the newest event, under CloudTrail's name of the error, and its verdict says why."""
        panel.act("refused")

        assert (panel.state.trail[0].call, panel.state.trail[0].error) == ("Encrypt by Intern", "AccessDenied")
        assert not panel.state.allowed
        assert "Intern" in panel.state.verdict
        assert "KMS refused: AccessDeniedException" in panel.text()

    def test_time_and_money(self, panel):
        """A month moves the clock by 31 days and brings one key's price, and a second key doubles it."""
        start = panel.state
        panel.act("month")
        month = panel.state
        panel.act("create")
        panel.act("month")

        assert (month.now - start.now).days == 31
        assert month.bill - start.bill == pytest.approx(Decimal(1), abs=Decimal("0.05"))
        assert panel.state.bill - month.bill == pytest.approx(Decimal(2), abs=Decimal("0.25"))
        assert f"grew by ${panel.state.bill - month.bill:.2f}" in panel.text()

    def test_newest_first(self, panel):
        """The trail shows the newest events only, newest first, and counts them all."""
        for action in ("encrypt", "refused") * SHOWN_EVENTS:
            panel.act(action)

        assert len(panel.state.trail) == SHOWN_EVENTS
        assert panel.state.trail[0].call == "Encrypt by Intern"
        assert panel.state.trail[1].call == "Encrypt by Admin"
        assert panel.state.events == 1 + 2 * SHOWN_EVENTS

    def test_what_kms_does_by_itself(self, lab):
        """An event without a caller, such as an automatic rotation, is told as KMS's own."""
        kms = lab.client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        panel = LabPanel(lab, key, lab.iam.create_role("Intern"))
        for _ in range(3):
            panel.act("month")

        assert panel.state.trail[0].call == "RotateKey by AWS KMS itself"


class TestCopy:
    def test_no_trace(self, lab, panel):
        """Whatever is pressed, the learner's own lab stays equal."""
        before = lab.world.to_data()
        for action in ("encrypt", "refused", "create", "month", "again"):
            panel.act(action)
        panel.html()

        assert lab.world.to_data() == before

    def test_start_again(self, panel):
        """Start again brings back everything that was shown at first."""
        first = panel.state
        for action in ("create", "month", "refused", "again"):
            panel.act(action)

        assert (panel.state.now, panel.state.bill, panel.state.trail) == (first.now, first.bill, first.trail)
        assert panel.state.verdict == first.verdict == ""

    def test_unknown_button(self, panel):
        """A button that is not there is refused."""
        with pytest.raises(ValueError, match="explode"):
            panel.act("explode")
