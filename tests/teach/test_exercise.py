"""Exercises: outcomes, named misconceptions, and a learner's world that no check can change."""

import time
from dataclasses import replace

import pytest

from kms_lab.core.errors import KMSError
from kms_lab.lab import Lab
from kms_lab.teach.exercise import Exercise, Outcome, Solution, judge, right
from kms_lab.teach.probe import LearnerCodeError, Probe


def saved(lab: Lab):
    return lab.world.to_data()


class TestOutcomes:
    @pytest.mark.parametrize("blank", [..., None, [..., "b"], {"a": ...}])
    def test_untouched_value(self, lesson, blank):
        """A blank cell's value is not attempted, and no mistake."""
        assert lesson.q2.check(blank).outcome is Outcome.NOT_ATTEMPTED

    def test_no_value_handed_in(self, lesson):
        """Calling check with nothing is not attempted."""
        assert lesson.q2.check().outcome is Outcome.NOT_ATTEMPTED

    def test_untouched_world(self, lesson):
        """An exercise on the world is not attempted while the learner has made no call."""
        assert lesson.q1.check().outcome is Outcome.NOT_ATTEMPTED

    def test_function_that_returns_nothing(self, lesson):
        """A learner's function that still returns its blank is not attempted."""
        assert lesson.q3.check(lambda kms, blob: ...).outcome is Outcome.NOT_ATTEMPTED

    def test_function_with_a_gap(self, lesson):
        """A learner's function that still holds a blank is not attempted, though it returns something."""

        def opened(kms, blob):
            answer = kms.decrypt(CiphertextBlob=...)
            return answer["Plaintext"]

        assert lesson.q3.check(opened).outcome is Outcome.NOT_ATTEMPTED

    def test_world_judged_right(self, lesson):
        """The state of the world makes an exercise right, whatever calls led to it."""
        kms = lesson.kms
        new = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.delete_alias(AliasName="alias/orders")
        kms.create_alias(AliasName="alias/orders", TargetKeyId=new)

        assert lesson.q1.check().outcome is Outcome.RIGHT

    @pytest.mark.parametrize(("value", "misconception"), [("two", "alias-is-copy"), ("nine", "alias-is-key")])
    def test_wrong_names_the_misconception(self, lesson, value, misconception):
        """A wrong answer names the belief behind it and says what is so instead."""
        found = lesson.q2.check(value)

        assert (found.outcome, found.misconceptions) == (Outcome.WRONG, (misconception,))
        assert lesson.data.misconception(misconception).truth in repr(found)

    def test_reference_is_never_printed(self, lesson, secret):
        """Feedback to a wrong answer holds the reference neither as text nor as HTML."""
        found = lesson.q2.check("two")

        assert secret not in repr(found) + found.card.html()

    @pytest.mark.parametrize("value", [7, b"x", 3.5, ["a"], object(), True, print])
    def test_wrong_type_is_told(self, lesson, value):
        """A value of another kind gets a clear sentence that says what is expected."""
        found = lesson.q2.check(value)

        assert found.outcome is Outcome.WRONG
        assert "this exercise expects a text" in repr(found)

    @pytest.mark.parametrize("value", [{}, {"a": 1}, 5, {"a": {"b": 3}}])
    def test_check_that_raises(self, lesson, value):
        """A value that a check stumbles over gives a message, not a traceback."""
        found = lesson.q5.check(value)

        assert found.outcome is Outcome.WRONG
        assert "could not be judged" in repr(found)

    def test_learner_function_that_raises(self, lesson):
        """A learner's function that raises is told what it raised, by name."""

        def read_invoice(kms, blob):
            return kms.decrypt(CiphertextBlob=blob)["Nonsense"]

        found = lesson.q3.check(read_invoice)

        assert found.outcome is Outcome.WRONG
        assert "`read_invoice` stopped with KeyError" in repr(found)

    def test_learner_function_refused_by_kms(self, lesson):
        """A refusal inside a learner's function is told with AWS's code."""
        found = lesson.q3.check(lambda kms, blob: kms.decrypt(CiphertextBlob=blob[:-1] + b"!"))

        assert "InvalidCiphertextException" in repr(found)


class TestWorldStaysEqual:
    def test_check_that_meddles(self, lesson):
        """A check may delete keys, turn the clock and make roles: the learner's world is equal before and after."""
        before = saved(lesson.lab)

        assert lesson.q4.check("go").outcome is Outcome.RIGHT
        assert saved(lesson.lab) == before

    def test_learner_function_runs_on_a_copy(self, lesson):
        """What a learner's function does with the client it is handed happens on a copy."""
        before = saved(lesson.lab)

        found = lesson.q3.check(lambda kms, blob: kms.create_key() and kms.decrypt(CiphertextBlob=blob)["Plaintext"])

        assert found.outcome is Outcome.RIGHT
        assert saved(lesson.lab) == before

    def test_function_that_uses_the_global_client(self, lesson):
        """A function that reaches past its argument to the learner's lab is undone, and told."""
        before = saved(lesson.lab)

        found = lesson.q3.check(lambda kms, blob: lesson.kms.decrypt(CiphertextBlob=blob)["Plaintext"])

        assert found.outcome is Outcome.WRONG
        assert "client from outside" in repr(found)
        assert saved(lesson.lab) == before

    def test_clients_go_on_after_undoing(self, lesson):
        """After an undone check the learner's own client works in the same world."""
        lesson.q3.check(lambda kms, blob: lesson.kms.create_key())

        lesson.kms.create_key()
        assert len(lesson.kms.list_keys()["Keys"]) == 2
        assert sum(1 for _ in lesson.lab.world.all_keys()) == 2

    def test_verdict_probe_leaves_no_trace(self, lesson):
        """Asking what a principal may do writes nothing, not even on the copy."""
        probe = lesson.probe()
        before = saved(probe.lab)

        assert probe.may("arn:aws:iam::111122223333:user/Admin", "kms:Decrypt", "alias/orders")
        assert saved(probe.lab) == before

    def test_check_is_quick(self, lesson):
        """A check answers in less than half a second, copying of the world included."""
        began = time.perf_counter()
        lesson.q2.check("two")
        assert time.perf_counter() - began < 0.5


class TestProbe:
    def test_calls_count_from_the_start(self, lesson):
        """A probe sees the learner's calls, not those that built the starting world."""
        lesson.kms.list_keys()

        assert [entry.operation for entry in lesson.probe().calls()] == ["ListKeys"]

    def test_calls_by_outcome_and_key(self, lesson):
        """Calls can be picked by operation, by success and by key."""
        lesson.kms.disable_key(KeyId=lesson.given.orders)
        code = lesson.probe().code(lambda: lesson.kms.encrypt(KeyId="alias/orders", Plaintext=b"x"))
        probe = lesson.probe()

        assert code == "DisabledException"
        assert len(probe.calls("Encrypt", ok=False, key="alias/orders")) == 1
        assert probe.calls("Encrypt", ok=True) == []
        assert probe.calls(key="alias/none") == []

    def test_unknown_key(self, lesson):
        """A key that is not there is None, so that a check can say so in its own words."""
        assert lesson.probe().key("alias/none") is None

    def test_fork_starts_from_the_same_place(self, lesson):
        """A forked probe does not see what its twin did."""
        first = lesson.probe()
        second = first.fork()
        first.client().create_key()

        assert len(second.client().list_keys()["Keys"]) == 1

    def test_own_calls_do_not_count(self, lesson):
        """What a check calls on its copy, or on a fork of it, is never among the learner's calls."""
        lesson.kms.list_keys()
        probe = lesson.probe()
        probe.client().create_key()
        fork = probe.fork()
        fork.client().list_aliases()

        assert [entry.operation for entry in probe.calls()] == ["ListKeys"]
        assert [entry.operation for entry in fork.calls()] == ["ListKeys"]
        assert [entry.operation for entry in probe.made()] == ["CreateKey"]
        assert [entry.operation for entry in fork.made()] == ["CreateKey", "ListAliases"]

    def test_made_leaves_out_what_aws_does(self, lesson):
        """A rotation that falls due on the copy is nobody's call."""
        probe = lesson.probe()
        probe.client().enable_key_rotation(KeyId=probe.given["orders"])
        probe.lab.clock.travel(days=400)

        assert [entry.operation for entry in probe.made()] == ["EnableKeyRotation"]

    def test_calls_by_principal(self, lesson):
        """A caller can be named by the ARN that create_role or create_user returned, or by the one in the log."""
        mover, other = (lesson.lab.iam.create_role(name) for name in ("Mover", "MoverToo"))
        user = lesson.lab.iam.create_user("Ann")
        for caller, method in ((mover, "list_keys"), (other, "list_aliases"), (user, "create_key")):
            try:
                getattr(lesson.lab.client(principal=caller), method)()
            except KMSError:  # refused, and logged
                continue
        probe = lesson.probe()
        session = probe.calls("ListKeys")[0].principal

        assert [entry.operation for entry in probe.calls(principal=mover)] == ["ListKeys"]
        assert [entry.operation for entry in probe.calls(principal=session)] == ["ListKeys"]
        assert [entry.operation for entry in probe.calls(principal=user)] == ["CreateKey"]
        assert probe.calls(principal=f"{session}2") == []
        assert probe.calls(principal="nobody") == []


class TestFunctions:
    @pytest.fixture
    def one(self, data):
        return replace(data.exercises[2], expects="your function", functions=1)

    @pytest.fixture
    def two(self, data):
        return replace(data.exercises[3], expects="your two functions, `(save, load)`", functions=2)

    @pytest.mark.parametrize("value", [b"invoice 42", "open_it", 7, (len, len), True])
    def test_what_is_no_function(self, lesson, one, value):
        """Whoever hands in what a function returned is told to hand in the function."""
        found = lesson.judge(one, value)

        assert found.outcome is Outcome.WRONG
        assert "expects your function" in found.observed
        assert "its name, with no brackets" in found.observed
        assert found.misconception == ""

    @pytest.mark.parametrize("value", [len, (len,), (len, len, len), (len, b"x"), {"a": len, "b": len}])
    def test_not_two_functions(self, lesson, two, value):
        """Where two functions are wanted, one, three, or a function and its answer are turned away."""
        found = lesson.judge(two, value)

        assert found.outcome is Outcome.WRONG
        assert "expects your two functions" in found.observed

    @pytest.mark.parametrize("value", [(len, len), [len, str]])
    def test_two_functions(self, lesson, two, value):
        """Two functions are taken, as a tuple or a list."""
        assert lesson.judge(two, value).outcome is Outcome.RIGHT

    @pytest.mark.parametrize("value", [..., None])
    def test_blank(self, lesson, one, value):
        """A blank is no wrong answer."""
        assert lesson.judge(one, value).outcome is Outcome.NOT_ATTEMPTED

    def test_probe_runs_functions_only(self, lesson):
        """A probe that is given no function to run says so in words for the learner."""
        with pytest.raises(LearnerCodeError, match="is no function"):
            lesson.probe().run(b"x")


class TestExerciseData:
    @pytest.mark.parametrize(
        "broken", [{"id": "not a name"}, {"stars": 4}, {"hints": ("one", "two")}, {"objectives": ()}]
    )
    def test_incomplete_exercise(self, broken):
        """An exercise that lacks a hint, an objective or a sensible name cannot be made."""
        fields = {
            "id": "q1",
            "title": "T",
            "stars": 1,
            "objectives": ("o",),
            "prompt": "P",
            "check": lambda probe, value: right(),
            "hints": ("a", "b", "c"),
            "solution": Solution("", ""),
            "misconceptions": (),
        }
        with pytest.raises(ValueError, match="exercise"):
            Exercise(**{**fields, **broken})

    def test_judge_without_a_lesson(self, data):
        """Judging needs a lab and data only: the exam can use it without a lesson."""
        assert judge(data.exercises[1], Probe(Lab(seed=1)), "two").misconception == "alias-is-copy"
