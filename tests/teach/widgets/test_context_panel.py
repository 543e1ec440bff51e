"""The context panel: both calls are real, and picture and record tell what they answered."""

import json

import pytest

from kms_lab.lab import Lab
from kms_lab.teach.widgets.context_panel import CHANGES, ContextPanel, read, written
from kms_lab.views import audit

CONTEXT = {"site": "north", "locker": "12"}
REFUSED = "InvalidCiphertextException"


@pytest.fixture
def lab():
    lab = Lab(seed=5)
    lab.client().create_alias(AliasName="alias/lockers", TargetKeyId=lab.client().create_key()["KeyMetadata"]["KeyId"])
    return lab


@pytest.fixture
def panel(lab):
    return ContextPanel(lab, "alias/lockers", CONTEXT)


class TestAnswers:
    @pytest.mark.parametrize(
        ("change", "second", "code"),
        [
            ("same", "site=north, locker=12", ""),
            ("order", "locker=12, site=north", ""),
            ("case", "site=North, locker=12", REFUSED),
            ("missing", "site=north", REFUSED),
            ("extra", "site=north, locker=12, floor=2", REFUSED),
            ("none", "", REFUSED),
        ],
    )
    def test_buttons(self, panel, change, second, code):
        """Each button makes its second context; only order is free."""
        state = panel.act(change)

        assert (state.decrypting, state.code) == (second, code)

    def test_every_button_is_offered(self, panel):
        """The buttons are those of the table of changes."""
        assert [action for action, _ in panel.controls()["change"].actions] == list(CHANGES)

    @pytest.mark.parametrize(
        ("first", "second", "code"),
        [
            ("", "", ""),
            ("a=1", "a=1 ", ""),
            ("a=1, b=2, c=3, d=4", "d=4,c=3,b=2,a=1", ""),
            ("a=1", "b=1", REFUSED),
            ("a=1", "a=", REFUSED),
            ("a", "a=", ""),
            ("ä=ö", "ä=o", REFUSED),
        ],
    )
    def test_typed(self, panel, first, second, code):
        """What is typed is what is sent; spaces around names and values are not."""
        assert panel.set(encrypted=first, decrypting=second).code == code

    def test_as_the_lab_answers(self, lab, panel):
        """The shown record is the one that the same two calls leave in a lab."""
        panel.act("extra")
        kms = lab.client()
        blob = kms.encrypt(KeyId="alias/lockers", Plaintext=b"x", EncryptionContext=CONTEXT)["CiphertextBlob"]
        with pytest.raises(kms.exceptions.InvalidCiphertextException):
            kms.decrypt(CiphertextBlob=blob, EncryptionContext={**CONTEXT, "floor": "2"})
        told = audit.record(lab.world, len(lab.world.log) - 1)

        shown = json.loads(panel.state.record)
        assert shown == {name: told[name] for name in ("eventName", "errorCode", "requestParameters")}
        assert shown["requestParameters"]["encryptionContext"] == {**CONTEXT, "floor": "2"}

    def test_learners_world(self, lab, panel):
        """Whatever is tried, the learner's log stays as it was."""
        before = lab.world.to_data()
        for change in CHANGES:
            panel.act(change)

        assert lab.world.to_data() == before

    def test_unknown_button(self, panel):
        """A button that there is not is refused."""
        with pytest.raises(ValueError, match="no action"):
            panel.act("explode")


class TestPicture:
    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ("same", "It opens. Both contexts are the same."),
            ("order", "It opens. The pairs are the same in another order."),
            ("case", "Only in the first: site=north. Only in the second: site=North."),
            ("missing", f"Decrypt refused: {REFUSED}. AWS gives no reason with it. Only in the first: locker=12."),
        ],
    )
    def test_summary(self, panel, change, said):
        """The answer and what differs stand in words."""
        panel.act(change)

        assert said in panel.text()

    def test_marks(self, panel):
        """Each pair says in words whether the other side has it."""
        panel.set(encrypted="a=1, b=2, c=3", decrypting="a=1, b=9")

        marks = {row[0]: row[-1] for row in panel.table(panel.state).rows}
        assert marks == {
            "a": ("good", "on both sides"),
            "b": ("warn", "differs"),
            "c": ("warn", "on one side only"),
            "KMS answers": ("bad", REFUSED),
        }

    def test_text_is_escaped(self, panel):
        """What a learner types is text, never HTML."""
        panel.set(decrypting="<b>=<script>")

        assert "<script>" not in panel.view(panel.state)
        assert "&lt;script&gt;" in panel.view(panel.state)


def test_written_and_read():
    """Typed pairs are read as they were written."""
    assert read(written(CONTEXT)) == CONTEXT
    assert read(" , ,") == {}
