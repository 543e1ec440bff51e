"""The tamper pad: bytes move and flip by keys, and what KMS makes of them is Decrypt's own answer."""

import pytest

from kms_lab.core.ciphertext import parts
from kms_lab.core.errors import KMSError
from kms_lab.lab import Lab
from kms_lab.teach.widgets.tamper_pad import FITS, GUARDS, MEANINGS, TamperPad

CONTEXT = {"site": "north", "locker": "12"}
UNREADABLE, UNKNOWN_KEY, BROKEN_SEAL = GUARDS.values()


@pytest.fixture
def lab():
    lab = Lab(seed=5)
    lab.client().create_alias(AliasName="alias/lockers", TargetKeyId=lab.client().create_key()["KeyMetadata"]["KeyId"])
    return lab


@pytest.fixture
def blob(lab):
    return lab.client().encrypt(KeyId="alias/lockers", Plaintext=b"code 4711", EncryptionContext=CONTEXT)[
        "CiphertextBlob"
    ]


@pytest.fixture
def pad(lab, blob):
    return TamperPad(lab, blob, CONTEXT)


def flip_at(pad, at, bit=0):
    """Flip a bit of one byte, and ask KMS."""
    pad.act("pick", str(at))
    pad.act("flip", str(bit))
    return pad.act("decrypt").answer


class TestMoving:
    @pytest.mark.parametrize(
        ("keys", "at"),
        [
            (["ArrowRight", "ArrowRight", "ArrowLeft"], 1),
            (["ArrowLeft"], 0),
            (["ArrowDown"], 9),
            (["ArrowDown", "ArrowDown", "ArrowRight", "ArrowUp"], 15),
            (["End"], 160),
            (["End", "ArrowRight", "ArrowDown"], 160),
            (["End", "Home"], 0),
        ],
    )
    def test_keys(self, pad, keys, at):
        """Left and right move by a byte, up and down to a part's first byte, and nothing leaves the bytes."""
        for key in keys:
            pad.act("key", key)

        assert pad.state.at == at

    def test_other_keys(self, pad):
        """A key that is none of the pad's is refused."""
        with pytest.raises(ValueError, match="no action"):
            pad.act("key", "x")


class TestTampering:
    def test_whole(self, pad, blob):
        """Untouched bytes open, and the text is shown."""
        answer = pad.act("decrypt").answer

        assert (answer.text, answer.code, answer.guard) == ("code 4711", "", FITS)
        assert "Decrypt gave “code 4711”." in pad.text()

    @pytest.mark.parametrize(
        ("part", "code", "guard"),
        [
            ("mark", "InvalidCiphertextException", UNREADABLE),
            ("account", "AccessDeniedException", UNKNOWN_KEY),
            ("key ID", "AccessDeniedException", UNKNOWN_KEY),
            ("key material ID", "InvalidCiphertextException", BROKEN_SEAL),
            ("length", "InvalidCiphertextException", UNREADABLE),
            ("nonce", "InvalidCiphertextException", BROKEN_SEAL),
            ("filler", "InvalidCiphertextException", BROKEN_SEAL),
            ("encrypted text", "InvalidCiphertextException", BROKEN_SEAL),
            ("tag", "InvalidCiphertextException", BROKEN_SEAL),
        ],
    )
    def test_each_part(self, pad, blob, part, code, guard):
        """A bit flipped in any part is noticed; error and guard are those that the call itself met."""
        (where,) = (one for one in parts(blob) if one.name == part)

        answer = flip_at(pad, where.end - 1, bit=1)

        assert (answer.code, answer.guard, answer.text) == (code, guard, "")

    def test_as_the_lab_answers(self, lab, pad):
        """The code shown is the one that Decrypt gives for the same bytes in the learner's lab."""
        answer = flip_at(pad, 70)
        with pytest.raises(KMSError) as refused:
            lab.client().decrypt(CiphertextBlob=pad.state.data, EncryptionContext=CONTEXT)

        assert answer.code == refused.value.code

    def test_a_disabled_key_is_said_in_aws_words(self, lab, blob):
        """What the pad has no words for is shown in AWS's: here, that the key is disabled."""
        lab.client().disable_key(KeyId=lab.key("alias/lockers").id)

        answer = TamperPad(lab, blob, CONTEXT).act("decrypt").answer

        assert answer.code == "DisabledException"
        assert "is disabled" in answer.guard

    def test_twice_heals(self, pad, blob):
        """The same bit flipped twice is as it was."""
        pad.act("key", " ")
        pad.act("key", " ")

        assert pad.state.data == blob
        assert pad.act("key", "Enter").answer.text == "code 4711"

    def test_a_change_withdraws_the_answer(self, pad):
        """After a change the old answer is gone: it was about other bytes."""
        pad.act("decrypt")

        assert pad.act("key", " ").answer is None
        assert "Not decrypted since." in pad.text()

    def test_put_back(self, pad, blob):
        """All bytes can be put back, and the place stays."""
        flip_at(pad, 70)
        state = pad.act("reset")

        assert (state.data, state.at, state.answer) == (blob, 70, None)

    def test_learners_world(self, lab, blob):
        """Whatever is tried, the learner's log and keys stay as they were."""
        before = lab.world.to_data()
        pad = TamperPad(lab, blob, CONTEXT)
        for at in (0, 20, 70, 160):
            flip_at(pad, at)

        assert lab.world.to_data() == before


class TestPicture:
    def test_every_part_is_named(self, pad, blob):
        """Each part of a ciphertext has its name and meaning in words, in the picture and in the table."""
        html, text = pad.view(pad.state), pad.text()

        assert [part.name for part in parts(blob)] == list(MEANINGS)
        for name, (meaning, _) in MEANINGS.items():
            assert f"{name} <small>{meaning}</small>" in html
            assert meaning in text

    def test_a_change_is_told_in_words(self, pad):
        """Which byte is changed, what it was and what it is, stands in words."""
        before = pad.state.data[70]
        flip_at(pad, 70)

        assert f"Byte 70 of 0 to 160, nonce: hex {before ^ 1:02x}, was {before:02x}. 1 byte changed." in pad.text()
        assert [row[-1] for row in pad.table(pad.state).rows if row[0] == "nonce"] == ["70"]

    def test_it_says_whose_layout_it_is(self, pad):
        """The picture says that the layout is the lab's, and that the context is not in the bytes."""
        html = pad.html()

        assert "This layout is the lab&#x27;s own. AWS does not publish its layout" in html
        assert "not in these bytes: site=north, locker=12" in html
        assert "kl-bytes-part{" in html
