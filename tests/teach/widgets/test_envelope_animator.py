"""The envelope animator: who holds what at each step, from a real run."""

import re
from itertools import pairwise

import pytest

from kms_lab.core.errors import DisabledException
from kms_lab.lab import Lab
from kms_lab.teach.widgets.envelope_animator import (
    APP,
    DATA_KEY,
    KMS,
    KMS_KEY,
    PHOTO,
    PLACES,
    STEPS,
    STORAGE,
    WRAPPED,
    EnvelopeAnimator,
    rehearse,
)

IMAGE = b"a photo " * 1_000


@pytest.fixture
def lab():
    lab = Lab(seed=3)
    key = lab.client().create_key()["KeyMetadata"]["KeyId"]
    lab.client().create_alias(AliasName="alias/photos", TargetKeyId=key)
    return lab


@pytest.fixture
def animator(lab):
    return EnvelopeAnimator(lab, "alias/photos", IMAGE)


class TestRun:
    def test_sizes_are_those_of_a_real_run(self, lab):
        """
        A data key has 32 bytes, 184 when wrapped, and what is encrypted is the photo with nonce and tag.
        """
        run = rehearse(lab, "alias/photos", IMAGE)

        assert (run.sizes[DATA_KEY], run.sizes[WRAPPED]) == (32, 184)
        assert run.sizes["ciphertext"] == len(IMAGE) + 12 + 16
        assert run.calls == ("GenerateDataKey", "Decrypt")

    def test_leaves_no_trace(self, lab):
        """
        The run happens on a copy: the learner's log stays as it was.
        """
        before = lab.world.to_data()

        EnvelopeAnimator(lab, "alias/photos", IMAGE)

        assert lab.world.to_data() == before

    def test_refusal(self, lab):
        """
        A key that KMS refuses to use cannot be shown, and KMS's own error says so.
        """
        lab.client().disable_key(KeyId=lab.key("alias/photos").id)

        with pytest.raises(DisabledException):
            rehearse(lab, "alias/photos", IMAGE)


class TestSteps:
    def test_kms_key_never_leaves(self):
        """
        At every step the KMS key is in KMS and nowhere else.
        """
        for step in STEPS:
            assert [place for place in PLACES if KMS_KEY in step.held(place)] == [KMS]

    def test_kms_never_holds_the_photo(self):
        """
        KMS holds neither the photo nor its ciphertext, ever.
        """
        assert all({PHOTO, "ciphertext"}.isdisjoint(step.held(KMS)) for step in STEPS)

    def test_storage_never_holds_a_plaintext(self):
        """
        Neither the photo nor the plaintext data key is ever in storage.
        """
        assert all({PHOTO, DATA_KEY}.isdisjoint(step.held(STORAGE)) for step in STEPS)

    def test_what_is_gone_is_gone(self):
        """
        A thing thrown away at a step was there one step before and is there no more.
        """
        for before, step in pairwise(STEPS):
            for place, thing in step.gone:
                assert thing in before.held(place)
                assert thing not in step.held(place)

    def test_nothing_vanishes_silently(self):
        """
        What a place no longer holds is shown as thrown away, unless storage keeps it.
        """
        for before, step in pairwise(STEPS):
            lost = {(place, thing) for place in PLACES for thing in set(before.held(place)) - set(step.held(place))}
            assert {thing for _, thing in lost - set(step.gone)} <= set(step.storage)

    def test_calls_are_counted(self, animator):
        """
        One call after encrypting, two after decrypting, as many as the run made.
        """
        assert [step.calls for step in STEPS] == sorted(step.calls for step in STEPS)
        assert STEPS[-1].calls == len(animator.run.calls)
        assert next(step for step in STEPS if step.name == "Encrypt: forget").calls == 1


class TestView:
    def test_summary_says_what_is_thrown_away(self, animator):
        """
        At the step that forgets, words say so: the picture alone does not carry it.
        """
        animator.set(step=[step.name for step in STEPS].index("Encrypt: forget"))

        assert "Thrown away in your app: data key, plaintext; photo." in animator.text()

    @pytest.mark.parametrize("at", range(len(STEPS)))
    def test_table_twin(self, animator, at):
        """
        The table names each thing a place holds, step by step.
        """
        animator.set(step=at)
        rows = {row[0]: row[2:] for row in animator.table(animator.state).rows}

        for column, place in enumerate(PLACES):
            held = {name for name, cells in rows.items() if cells[column] == ("info", "here")}
            assert len(held) == len(STEPS[at].held(place))

    @pytest.mark.parametrize("at", range(len(STEPS)))
    def test_picture_is_named(self, animator, at):
        """
        Both drawings, wide and narrow, carry the step's name and a description of who holds what.
        """
        animator.set(step=at)

        assert animator.html().count(f'aria-label="Step {at + 1}: {STEPS[at].name}"') == 2
        assert len(re.findall(r"<desc>.*?Your app holds: .*?</desc>", animator.html())) == 2

    def test_plaintext_key_glides_from_kms_to_the_app(self, animator):
        """
        The copy that moved keeps its name between two pictures, so the browser moves it.
        """
        places = []
        for at in (1, 2):
            animator.set(step=at)
            found = re.search(
                r'data-key="data key" class="kl-move" style="transform:translate\((\d+)px', animator.html()
            )
            assert found
            places.append(int(found[1]))

        assert places[0] > places[1]

    def test_back_to_the_start(self, animator):
        """
        One button leads back to the first step.
        """
        animator.set(step=7)

        assert animator.act("start").step == 0

    def test_app_is_empty_when_all_is_forgotten(self, animator):
        """
        After forgetting, the app holds nothing.
        """
        at = [step.name for step in STEPS].index("Encrypt: forget")

        assert STEPS[at].held(APP) == ()
