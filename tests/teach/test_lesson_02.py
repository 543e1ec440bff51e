"""Feedback of lesson 02 on answers that are not right and belong to no misconception, or that are easily mistaken."""

import pytest

from kms_lab.teach.exercise import Outcome
from kms_lab.teach.lesson import Lesson, lesson_data

SOUTH = {"site": "south", "locker": "40"}


@pytest.fixture
def lesson(home):
    return Lesson(lesson_data("02"), seed=7)


@pytest.fixture
def there_and_back(lesson):
    """Encrypt and decrypt with a context, and return what exercise 1 says."""

    def there_and_back(context, key="alias/lockers"):
        blob = lesson.kms.encrypt(KeyId=key, Plaintext=b"door code 5555", EncryptionContext=context)["CiphertextBlob"]
        lesson.kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)
        return lesson.q1.check()

    return there_and_back


def data_key(kms):
    return kms.generate_data_key(KeyId="alias/lockers", KeySpec="AES_256")


class TestThereAndBack:
    def test_under_another_key(self, there_and_back):
        """The right context under the wrong key is told as such."""
        assert "not with the key behind alias/lockers" in repr(there_and_back(SOUTH, key="alias/annex"))

    def test_a_slip_is_a_try(self, there_and_back):
        """Whoever mistypes both values is told what was sent, not that nothing was tried."""
        assert "Your Encrypt was sent site=soth, locker=4O." in repr(there_and_back({"site": "soth", "locker": "4O"}))

    def test_the_cells_above_are_no_try(self, there_and_back):
        """The worked example and its gaps do not count as tries."""
        assert there_and_back({"site": "north", "locker": "14"}).outcome is Outcome.NOT_ATTEMPTED
        assert there_and_back({"locker": "14"}).outcome is Outcome.NOT_ATTEMPTED


class TestTooLarge:
    def test_two_calls(self, lesson):
        """A plan that is locked right, but with two calls, is told which calls."""

        def lock_plan(kms, plan):
            key = kms.generate_random(NumberOfBytes=32)["Plaintext"]
            return kms.encrypt(KeyId="alias/lockers", Plaintext=key)["CiphertextBlob"], key[:0] + b"locked"

        assert "you called GenerateRandom, Encrypt." in repr(lesson.q3.check(lock_plan))

    def test_whole_answer(self, lesson):
        """Whoever locks with the whole answer is told to take a member."""

        def lock_plan(kms, plan):
            raise TypeError(f'Cannot convert "{type(data_key(kms))}" instance to a buffer.')

        assert "one member of an answer" in repr(lesson.q3.check(lock_plan))

    def test_data_key_without_plaintext(self, lesson):
        """The call that hands out only the encrypted data key is named."""

        def lock_plan(kms, plan):
            return kms.generate_data_key_without_plaintext(KeyId="alias/lockers", KeySpec="AES_256")["Plaintext"]

        found = lesson.q3.check(lock_plan)
        assert found.misconceptions == ("wrapped-key-locks",)
        assert "the encrypted data key only" in repr(found)


class TestMove:
    def test_wrong_parameter_name(self, lesson):
        """A parameter that ReEncrypt does not have is told in full, with what to try, and as boto3 names the error."""

        def move(kms, blob, context):
            return kms.re_encrypt(CiphertextBlob=blob, EncryptionContext=context, DestinationKeyId="alias/annex")

        shown = repr(lesson.q4.check(move))
        assert "stopped with ParamValidationError" in shown
        assert "DestinationEncryptionContext" in shown
        assert "Compare the name, letter by letter" in shown

    def test_source_key(self, lesson):
        """A SourceKeyId that is not the old key is told as such."""

        def move(kms, blob, context):
            return kms.re_encrypt(
                CiphertextBlob=blob,
                SourceKeyId="alias/annex",
                SourceEncryptionContext=context,
                DestinationKeyId="alias/annex",
            )["CiphertextBlob"]

        assert "SourceKeyId, if given, is the key that made the old ciphertext." in repr(lesson.q4.check(move))

    def test_name_of_an_earlier_cell(self, lesson):
        """A function that lives on a variable of an earlier cell is told which one."""
        cell = {"place": {"site": "north", "locker": "20"}}
        exec("def move(kms, blob, context):\n    return kms.re_encrypt(CiphertextBlob=blob, KeyId=place)", cell)

        found = lesson.q4.check(cell["move"])
        assert "uses `place`, which an earlier cell left" in repr(found)
        assert "place" in cell

    def test_real_boto3(self, lesson):
        """A function that makes a client of boto3's own is told whose client to use."""
        import boto3

        def move(kms, blob, context):
            return boto3.client("kms", region_name="nowhere at all").re_encrypt(CiphertextBlob=blob)

        assert "Use the client that your function is handed." in repr(lesson.q4.check(move))


class TestApp:
    @pytest.mark.parametrize(("first", "second", "call"), [(True, False, "Encrypt"), (False, True, "Decrypt")])
    def test_half_a_repair(self, lesson, first, second, call):
        """Where one of the two functions still sends the card number, the call that shows it is named."""

        def save(kms, locker, card, code):
            context = {"locker": locker, **({"card": card} if first else {})}
            return kms.encrypt(KeyId="alias/lockers", Plaintext=code, EncryptionContext=context)["CiphertextBlob"]

        def fetch(kms, locker, card, blob):
            context = {"locker": locker, **({"card": card} if second else {})}
            return kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"]

        assert f"CloudTrail's record of your {call}." in repr(lesson.q5.check((save, fetch)))

    def test_order_of_the_two(self, lesson):
        """Two functions handed in the wrong way round are told so."""

        def save(kms, locker, card, code):
            return kms.encrypt(KeyId="alias/lockers", Plaintext=code, EncryptionContext={"l": locker})["CiphertextBlob"]

        def fetch(kms, locker, card, blob):
            return kms.decrypt(CiphertextBlob=blob, EncryptionContext={"l": locker})["Plaintext"]

        assert lesson.q5.check((save, fetch)).outcome is Outcome.RIGHT
        assert "Hand in the function that saves first" in repr(lesson.q5.check((fetch, save)))
