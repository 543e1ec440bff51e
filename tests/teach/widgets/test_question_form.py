"""Forms: they gather an answer, hand it over, show what comes back, and know nothing of what is right."""

import json

import pytest

from kms_lab.teach.card import Card, Tone
from kms_lab.teach.probe import Probe
from kms_lab.teach.question import Choice, Matching, Multiple, Option, Ordering, Prediction
from kms_lab.teach.widgets.question import prediction_form, question_form

OPTIONS = (
    Option("a", "Alpha `x`", "FEEDBACK-A"),
    Option("b", "Beta", "FEEDBACK-B", "belief-b"),
    Option("c", "Gamma <b>", "FEEDBACK-C", "belief-c"),
)
CHOICE = Choice(id="z1", prompt="Which?", options=OPTIONS, right="a", why="WHY")
ORDERING = Ordering(id="z3", prompt="In which order?", options=OPTIONS, right=("c", "a", "b"), why="WHY")
MATCHING = Matching(
    id="z4",
    prompt="What fits?",
    items=(("1", "One"), ("2", "Two")),
    options=OPTIONS,
    right={"1": "b", "2": "a"},
    why="WHY",
)
MULTIPLE = Multiple(
    id="z2",
    prompt="Which ones?",
    options=(*OPTIONS[:2], Option("c", "Gamma", "FEEDBACK-C")),
    right=frozenset("ac"),
    why="WHY",
)


def truth(probe: Probe) -> str:
    return "a"


PREDICTION = Prediction(id="p1", prompt="What then?", options=OPTIONS, truth=truth, why="WHY")
FREE = Prediction(id="p2", prompt="How many?", truth=truth, why="WHY")
MAKERS = [
    *((lambda answer, q=q: question_form(q, answer)) for q in (CHOICE, MULTIPLE, ORDERING, MATCHING)),
    *((lambda answer, p=p: prediction_form(p, answer)) for p in (PREDICTION, FREE)),
]


class Teacher:
    """Takes answers down and gives a card back."""

    def __init__(self):
        self.answers = []

    def __call__(self, answer):
        self.answers.append(answer)
        return Card(Tone.OPEN, "Title", ("RETURNED",))


@pytest.fixture
def teacher():
    return Teacher()


class TestAnswers:
    def test_choice(self, teacher):
        """Choosing hands nothing over; pressing the button does, and shows what comes back."""
        form = question_form(CHOICE, teacher)
        form.set(chosen="b")
        assert teacher.answers == []

        form.act("answer")

        assert teacher.answers == ["b"]
        assert "RETURNED" in form.view(form.state)

    def test_multiple(self, teacher):
        """Ticking twice unticks; the ticked keys are handed over."""
        form = question_form(MULTIPLE, teacher)
        for key in ("c", "b", "a", "b"):
            form.act("tick", key)
        form.act("answer")

        assert teacher.answers == [["a", "c"]]

    def test_ordering(self, teacher):
        """Entries move up and down, stop at the ends, and are handed over in their order."""
        form = question_form(ORDERING, teacher)
        form.act("up", "c")
        form.act("up", "c")
        form.act("up", "c")
        form.act("down", "b")
        form.act("answer")

        assert teacher.answers == [["c", "a", "b"]]

    def test_matching(self, teacher):
        """An incomplete match is not handed over; a complete one is, item by item."""
        form = question_form(MATCHING, teacher)
        form.set(item_0="b")
        form.act("answer")
        form.set(item_1="a")
        form.act("answer")

        assert teacher.answers == [{"1": "b", "2": "a"}]

    @pytest.mark.parametrize("prediction", [PREDICTION, FREE])
    def test_prediction(self, teacher, prediction):
        """A prediction's form records what was chosen or typed."""
        form = prediction_form(prediction, teacher)
        form.set(chosen="b")
        form.act("answer")

        assert teacher.answers == ["b"]

    @pytest.mark.parametrize("make", MAKERS)
    def test_nothing_chosen(self, teacher, make):
        """Pressing the button before anything is chosen hands nothing over, but for an order, which always is one."""
        form = make(teacher)
        form.act("answer")

        assert teacher.answers == ([["a", "b", "c"]] if form.question is ORDERING else [])

    def test_changed_mind(self, teacher):
        """What came back for one answer is not shown beside another."""
        form = question_form(CHOICE, teacher)
        form.set(chosen="b")
        form.act("answer")
        form.set(chosen="c")

        assert "RETURNED" not in form.view(form.state)

    def test_recorded_before(self, teacher):
        """A prediction recorded earlier stands chosen when the form is shown again."""
        assert prediction_form(PREDICTION, teacher, "b").state.chosen == "b"


class TestNothingGivenAway:
    @pytest.mark.parametrize("make", MAKERS)
    def test_before_the_answer(self, teacher, make):
        """Neither the model that the browser gets nor the stored output holds feedback, belief or explanation."""
        form = make(teacher)
        data, metadata = form._repr_mimebundle_()
        model = {name: form.live.get_state()[name] for name in ("controls", "shown", "title")}
        sent = json.dumps([data, metadata, model])

        for secret in ("FEEDBACK", "belief-", "WHY"):
            assert secret not in sent

    def test_same_form_whatever_is_right(self, teacher):
        """Two questions that differ only in the right answer send the same to the browser."""
        options = (*OPTIONS[1:], Option("a", "Alpha", "FEEDBACK-A", "belief-a"))
        first, second = (
            question_form(Choice(id="z1", prompt="?", options=options, right=key, why="WHY"), teacher) for key in "bc"
        )

        assert first.live.get_state()["shown"] == second.live.get_state()["shown"]
        assert first.live.get_state()["controls"] == second.live.get_state()["controls"]
        assert first.html() == second.html()


class TestReadable:
    @pytest.mark.parametrize("make", MAKERS)
    def test_without_a_browser(self, teacher, make):
        """The stored HTML and text hold the question and every option, so that the page reads without a kernel."""
        form = make(teacher)
        data, _ = form._repr_mimebundle_()

        assert form.question.prompt in data["text/html"]
        assert all(option.text in data["text/plain"] for option in form.question.options)

    def test_escaped(self, teacher):
        """Markup in an option is text."""
        for make in MAKERS:
            form = make(teacher)
            assert "<b>" not in form.html() + form.view(form.state)

    def test_checkboxes_are_named_and_grouped(self, teacher):
        """Checkboxes stand in a fieldset with a legend, and each says whether it is ticked."""
        form = question_form(MULTIPLE, teacher)
        form.act("tick", "b")
        html = form.view(form.state)

        assert "<fieldset" in html
        assert "<legend" in html
        assert html.count('role="checkbox"') == 3
        assert html.count('aria-checked="true"') == 1

    def test_moves_are_named(self, teacher):
        """Each move button says what it moves, and one that cannot move says so instead of vanishing."""
        form = question_form(ORDERING, teacher)
        html = form.view(form.state)

        assert 'aria-label="Move' not in html
        assert 'aria-label="Up: Beta"' in html
        assert html.count('aria-disabled="true"') == 2

    def test_change_is_announced(self, teacher):
        """The sentence for screen readers follows the form: open, ready, answered."""
        form = question_form(CHOICE, teacher)
        said = [form.summary(form.state)]
        form.set(chosen="a")
        said.append(form.summary(form.state))
        form.act("answer")
        said.append(form.summary(form.state))

        assert said == ["Not answered yet.", "Press Answer when you are done.", "RETURNED"]


class TestInLesson:
    def test_quiz_through_the_form(self, lesson, monkeypatch):
        """In a notebook a question is a form, and answering it there is remembered like an answer in code."""
        monkeypatch.setattr("kms_lab.teach.lesson.in_notebook", lambda: True)
        form = lesson.quiz("z1")
        form.set(chosen="b")
        form.act("answer")

        assert "Keys are never copied." in form.view(form.state)
        assert [event.detail["outcome"] for event in lesson.events("quiz", "z1")] == ["wrong"]

    def test_prediction_through_the_form(self, lesson, monkeypatch):
        """In a notebook a prediction is a form that records, and shows what was recorded when it is opened again."""
        monkeypatch.setattr("kms_lab.teach.lesson.in_notebook", lambda: True)
        form = lesson.predict("p1")
        form.set(chosen="b")
        form.act("answer")

        assert lesson.predicted("p1") == "b"
        assert lesson.predict("p1").state.chosen == "b"
