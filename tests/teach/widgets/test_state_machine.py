"""The state machine: buttons are real calls on a copy, and the picture tells what the lab answered."""

import pytest

from kms_lab.core.errors import KMSError
from kms_lab.lab import Lab
from kms_lab.teach.widgets.state_machine import DELETED, NARROW, PRESSES, PROBED, WIDE, StateMachine


@pytest.fixture
def lab():
    return Lab(seed=7)


@pytest.fixture
def machine(lab):
    return StateMachine(lab)


class TestPressing:
    @pytest.mark.parametrize(
        ("presses", "state"),
        [
            ([], "Enabled"),
            (["disable"], "Disabled"),
            (["disable", "enable"], "Enabled"),
            (["schedule"], "PendingDeletion"),
            (["schedule", "cancel"], "Disabled"),
            (["disable", "schedule", "wait"], DELETED),
            (["schedule", "wait", "again"], "Enabled"),
            (["wait"], "Enabled"),
        ],
    )
    def test_where_it_leads(self, machine, presses, state):
        """The picture stands where the calls have led the key."""
        for action in presses:
            machine.act(action)

        assert machine.state.key_state == state
        assert f'aria-label="The key is {state}"' in machine.view(machine.state)

    def test_refused(self, machine):
        """A call that KMS refuses is shown with its code and AWS's words, and the key stays where it is."""
        machine.act("schedule")
        machine.act("enable")

        assert machine.state.key_state == "PendingDeletion"
        assert machine.state.last.code == "KMSInvalidStateException"
        assert "is pending deletion." in machine.view(machine.state)
        assert "KMS refused: KMSInvalidStateException." in machine.text()

    def test_dates(self, machine):
        """The waiting period asked for decides the date, and days that pass move today; too few days delete nothing."""
        machine.set(window_days=30, days=29)
        machine.act("schedule")
        assert machine.state.deletion == "2026-01-31"

        machine.act("wait")

        assert (machine.state.today, machine.state.key_state) == ("2026-01-30", "PendingDeletion")

    def test_sliders_change_nothing(self, machine):
        """Moving a slider makes no call."""
        before = machine.state.key_state, machine.state.last, machine.state.today
        machine.set(window_days=20, days=3)

        assert (machine.state.key_state, machine.state.last, machine.state.today) == before

    def test_learners_world(self, lab, machine):
        """Whatever is pressed, the learner's keys, log and clock stay as they were."""
        before = lab.world.to_data()
        for action in (*PRESSES, *PRESSES, "again"):
            machine.act(action)

        assert lab.world.to_data() == before

    def test_unknown_button(self, machine):
        """A button that there is not is refused, and nothing is called."""
        with pytest.raises(ValueError, match="no action"):
            machine.act("explode")


class TestAnswers:
    @pytest.mark.parametrize(
        ("presses", "works"),
        [
            ([], {"Encrypt", "Decrypt", "DescribeKey", "CreateAlias"}),
            (["disable"], {"DescribeKey", "CreateAlias"}),
            (["schedule"], {"DescribeKey"}),
            (["schedule", "wait"], set()),
        ],
    )
    def test_as_published(self, machine, presses, works):
        """In each state the calls that work are those of AWS's table of key states."""
        for action in presses:
            machine.act(action)
        answers = machine.atlas.answers[machine.state.key_state]

        assert {one.call for one in answers if not one.code} == works

    def test_as_the_lab_answers(self, lab, machine):
        """The answers shown for a disabled key are those that a key disabled by hand gives."""
        kms = lab.client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.disable_key(KeyId=key)
        with pytest.raises(KMSError) as refused:
            kms.encrypt(KeyId=key, Plaintext=b"x")

        shown = {one.call: one.code for one in machine.atlas.answers["Disabled"]}

        assert shown["Encrypt"] == refused.value.code
        assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"

    def test_table(self, machine):
        """The table twin has each probed call in each state, and the answer to a refused one is its error code."""
        table = machine.table(machine.state)

        assert list(table.columns) == ["Call", "Enabled", "Disabled", "PendingDeletion", DELETED]
        assert [row[0] for row in table.rows] == list(PROBED)
        assert "KMSInvalidStateException" in table.text()


class TestPicture:
    @pytest.mark.parametrize("layout", [WIDE, NARROW], ids=["wide", "narrow"])
    def test_every_way_is_drawn(self, machine, layout):
        """Each change of state that the lab allows has its arrow, and no arrow stands for another."""
        found = {(name, to) for (name, _), to in machine.atlas.ways.items()}

        assert set(layout.arrows) == found
        assert set(layout.boxes) == set(machine.atlas.answers)

    def test_ways_from_here_stand_out(self, machine):
        """The buttons that lead somewhere from the present state, and only those, are the primary ones."""
        machine.act("schedule")
        html = machine.view(machine.state)

        primary = {action for action in PRESSES if f'class="kl-primary" data-action="{action}"' in html}
        assert primary == {"cancel", "wait"}

    def test_stored_output(self, machine):
        """What a notebook stores tells state, answers and table without a kernel."""
        data, _ = machine._repr_mimebundle_()

        assert "the key is Enabled. Works: Encrypt, Decrypt, DescribeKey, CreateAlias." in data["text/plain"]
        assert "<svg" in data["text/html"]
