"""Questions and predictions: the four kinds, feedback for every option, nothing given away before the answer."""

from collections.abc import Callable

import pytest

from kms_lab.teach.exercise import Outcome
from kms_lab.teach.question import AnswerError, Choice, Matching, Multiple, Option, Ordering

STEPS = (
    Option("a", "Encrypt the file", "Nothing to encrypt with yet.", "order-file-first"),
    Option("b", "Ask KMS for a data key", "Everything waits for this."),
    Option("c", "Throw the plain key away", "It is still needed.", "order-drop-early"),
)
CHOICE = Choice(
    id="z1",
    prompt="Which?",
    options=(
        Option("a", "This", "Yes, RIGHT-TOKEN."),
        Option("b", "That", "No.", "belief-b"),
        Option("c", "It", "No!", "belief-c"),
    ),
    right="a",
    why="WHY-TOKEN",
)
MULTIPLE = Multiple(
    id="z2",
    prompt="Which two?",
    options=(Option("a", "1", "RIGHT-TOKEN"), Option("b", "2", "No.", "belief-b"), Option("c", "3", "RIGHT-TOKEN too")),
    right=frozenset("ac"),
    why="WHY-TOKEN",
)
ORDERING = Ordering(id="z3", prompt="Order", options=STEPS, right=("b", "a", "c"), why="WHY-TOKEN")
MATCHING = Matching(
    id="z4",
    prompt="Match",
    items=(("1", "first"), ("2", "second")),
    options=(
        Option("a", "A", "A is for 2."),
        Option("b", "B", "B is for 1.", "belief-b"),
        Option("c", "C", "For none.", "belief-c"),
    ),
    right={"1": "b", "2": "a"},
    why="WHY-TOKEN",
)
ALL = [CHOICE, MULTIPLE, ORDERING, MATCHING]
RIGHT = {"z1": "a", "z2": ["c", "a"], "z3": ["b", "a", "c"], "z4": {"2": "a", "1": "b"}}
WRONG = {
    "z1": ("b", "belief-b"),
    "z2": (["a", "b"], "belief-b"),
    "z3": (["a", "b", "c"], "order-file-first"),
    "z4": ({"1": "c", "2": "a"}, "belief-c"),
}


class TestEveryKind:
    @pytest.mark.parametrize("question", ALL, ids=lambda q: q.kind)
    def test_right(self, question):
        """The right answer is right, and then every option's feedback and the explanation are given."""
        judged = question.judge(RIGHT[question.id])

        assert judged.outcome is Outcome.RIGHT
        assert all(any(option.feedback in line for line in judged.feedback) for option in question.options)
        assert "WHY-TOKEN" in judged.feedback

    @pytest.mark.parametrize("question", ALL, ids=lambda q: q.kind)
    def test_wrong(self, question):
        """A wrong answer names its misconception and explains only what was chosen."""
        answer, belief = WRONG[question.id]
        judged = question.judge(answer)

        assert (judged.outcome, judged.misconceptions) == (Outcome.WRONG, (belief,))
        assert not any("TOKEN" in line for line in judged.feedback)

    @pytest.mark.parametrize("question", ALL, ids=lambda q: q.kind)
    @pytest.mark.parametrize("blank", [..., None, "", [], {}])
    def test_untouched(self, question, blank):
        """No answer is not attempted."""
        assert question.judge(blank).outcome is Outcome.NOT_ATTEMPTED

    @pytest.mark.parametrize("question", ALL, ids=lambda q: q.kind)
    @pytest.mark.parametrize("value", [7, object(), "nonsense", ["a", 7], {"1": "zz"}, {"9": "a"}, print])
    def test_shape(self, question, value):
        """An answer of another shape is refused with the shape that is taken, and is no try."""
        with pytest.raises(AnswerError, match=r"takes|option"):
            question.judge(value)

    @pytest.mark.parametrize("question", ALL, ids=lambda q: q.kind)
    def test_card_gives_nothing_away(self, question):
        """What is shown before the answer holds every option's text and no feedback, misconception or explanation."""
        shown = question.card().html() + question.card().text()

        assert all(option.text in shown for option in question.options)
        assert not any(option.feedback in shown for option in question.options)
        assert not any(option.misconception and option.misconception in shown for option in question.options)
        assert question.why not in shown

    @pytest.mark.parametrize("question", ALL, ids=lambda q: q.kind)
    def test_card_looks_the_same_whatever_is_right(self, question):
        """The options stand in the card in the order of the data, so their place says nothing of the answer."""
        shown = question.card().text()
        places = [shown.index(f"`{option.key}` {option.text}") for option in question.options]

        assert places == sorted(places)


class TestMultiple:
    def test_incomplete(self):
        """A true but incomplete selection is wrong without naming a misconception or the missing option."""
        judged = MULTIPLE.judge(["a"])

        assert (judged.outcome, judged.misconceptions) == (Outcome.WRONG, ())
        assert "there is more" in judged.feedback[0]

    def test_as_text(self):
        """Letters in one text, with commas or blanks, are taken too."""
        assert MULTIPLE.judge("c, a").outcome is Outcome.RIGHT


BROKEN: list[Callable[[], object]] = [
    lambda: Choice(id="z", prompt="?", options=CHOICE.options, right="x", why=""),
    lambda: Choice(id="z", prompt="?", options=(Option("a", "1", "f"), Option("b", "2", "f")), right="a", why=""),
    lambda: Choice(id="z", prompt="?", options=(Option("a", "1", ""), Option("b", "2", "f", "m")), right="a", why=""),
    lambda: Choice(id="z", prompt="?", options=(Option("a", "1", "f"), Option("a", "2", "f", "m")), right="a", why=""),
    lambda: Multiple(id="z", prompt="?", options=MULTIPLE.options, right=frozenset(), why=""),
    lambda: Ordering(id="z", prompt="?", options=STEPS, right=("a", "b", "c"), why=""),
    lambda: Ordering(id="z", prompt="?", options=STEPS, right=("b", "a"), why=""),
    lambda: Matching(id="z", prompt="?", items=(("1", "x"),), options=MATCHING.options, right={"2": "a"}, why=""),
    lambda: Matching(id="z", prompt="?", items=(("1", "x"),), options=MATCHING.options, right={"1": "q"}, why=""),
]


class TestQuestionData:
    @pytest.mark.parametrize("make", BROKEN)
    def test_contradiction(self, make):
        """A question whose answer is not among its options, or whose distractor names no belief, cannot be made."""
        with pytest.raises(ValueError):
            make()


class TestInLesson:
    def test_right(self, lesson):
        """A question answered right in code says so and explains."""
        found = lesson.quiz("z1", "a")

        assert found.outcome is Outcome.RIGHT
        assert "AWS stores a name and a target." in repr(found)

    def test_wrong(self, lesson):
        """A wrong answer brings the belief's correction and not the right option's feedback."""
        found = lesson.quiz("z1", "b")

        assert found.misconceptions == ("alias-is-copy",)
        assert "Keys are never copied." in repr(found)
        assert "no more than that" not in repr(found)

    def test_after_three_tries(self, lesson):
        """After three wrong answers every option is explained."""
        for key in ("b", "c", "b"):
            found = lesson.quiz("z1", key)

        assert "no more than that" in repr(found)

    def test_shape_is_no_try(self, lesson):
        """An answer that names no option is told what to give, and is not counted."""
        found = lesson.quiz("z1", "q")

        assert found.outcome is Outcome.NOT_ATTEMPTED
        assert lesson.events("quiz", "z1") == []

    def test_without_an_answer(self, lesson):
        """Asking for a question shows it; without a browser, as a card."""
        assert "What is an alias?" in repr(lesson.quiz("z1"))

    def test_unknown(self, lesson):
        """A question that is not there is a clear error that lists those there are."""
        with pytest.raises(ValueError, match="z1, z2"):
            lesson.quiz("z9")


class TestPrediction:
    def test_recorded_before_and_compared_after(self, lesson):
        """A prediction is kept, and compared with what the world shows once it has happened."""
        lesson.predict("p1", "b")
        lesson.kms.disable_key(KeyId=lesson.given.orders)

        shown = repr(lesson.reveal("p1"))

        assert "You expected: `b` Enabled" in shown
        assert "What happened: `a` Disabled" in shown
        assert "An alias has no state." in shown
        assert "State belongs to the key." in shown

    def test_is_never_a_failure(self, lesson):
        """A prediction that did not come true is not called wrong, by word or by tone."""
        lesson.predict("p1", "b")
        lesson.kms.disable_key(KeyId=lesson.given.orders)

        assert lesson.reveal("p1").tone.name == "PREDICTION"
        assert "wrong" not in repr(lesson.reveal("p1")).lower()

    def test_before_it_happened(self, lesson):
        """Revealing before the run says to run first, and gives nothing away."""
        lesson.predict("p1", "a")

        assert "Run the cell above" in repr(lesson.reveal("p1"))
        assert "State belongs" not in repr(lesson.reveal("p1"))

    def test_without_a_prediction(self, lesson):
        """Revealing without a prediction asks for one and gives nothing away, so that Run All goes on."""
        lesson.kms.disable_key(KeyId=lesson.given.orders)

        assert "Write it down first" in repr(lesson.reveal("p1"))
        assert "State belongs" not in repr(lesson.reveal("p1"))

    def test_number(self, lesson):
        """A prediction without options takes a number and compares it as text."""
        lesson.predict("p2", 1)
        lesson.kms.list_keys()

        assert "as you expected" in repr(lesson.reveal("p2"))

    def test_last_one_counts(self, lesson):
        """A changed mind is fine: the last prediction counts."""
        lesson.predict("p1", "b")
        lesson.predict("p1", "a")

        assert lesson.predicted("p1") == "a"
        assert "Recorded so far: `a` Disabled" in repr(lesson.predict("p1"))

    def test_no_such_option(self, lesson):
        """A prediction that is none of the options is told which there are, and not recorded."""
        assert "one of: a, b" in repr(lesson.predict("p1", "z"))
        assert lesson.predicted("p1") == ""
