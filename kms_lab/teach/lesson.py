"""A lesson: its data (``LessonData``), and the object that a notebook talks to (``open_lesson`` returns a
``Lesson``).

A lesson file holds data only; everything that happens is here, once for all lessons: the seeded starting
world, checks, hints, predictions, questions, what is remembered, checkpoints and coming back after a lost
kernel.

Not here: what is right (``exercise.py``, ``question.py``), how it looks (``card.py``), forms
(``widgets/question.py``).
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeVar

from kms_lab.doors.client import Client
from kms_lab.lab import Lab
from kms_lab.teach.attempt import refusals_in_brief
from kms_lab.teach.card import Card, Tone, in_notebook, show
from kms_lab.teach.checkpoint import Keeper, mark
from kms_lab.teach.exercise import TRIES_BEFORE_SOLUTION, Exercise, Misconception, Outcome, Result, judge, untouched
from kms_lab.teach.probe import Probe, Unfinished
from kms_lab.teach.progress import Event, Progress, ProgressError, summary_card
from kms_lab.teach.question import AnswerError, Judged, Prediction, Question
from kms_lab.teach.svg import Table

Given = Mapping[str, Any]
N = TypeVar("N", Prediction, Question)


@dataclass(frozen=True, slots=True)
class Objective:
    """What a learner will be able to do: ``Objective("choose", "Choose a key spec for a job")``."""

    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonData:
    """A lesson as data; a lesson file defines one, named ``LESSON``.

    Attributes:
        number: two digits: ``"03"``.
        title: of the lesson.
        minutes: how long it takes.
        goal: one sentence.
        topics: what of KMS is covered, for the header.
        objectives: what the learner will be able to do; each is checked by an exercise or question.
        world: fills a new, seeded lab with the lesson's starting world; may return what the notebook needs
            from it by name (ids, blobs), which becomes ``lesson.given``. It must do the same for the same
            seed.
        exercises, predictions, questions: in the order of the notebook.
        misconceptions: every belief that a wrong answer can name.
        review: questions of earlier lessons to ask again: ``("01/z2",)``.
        widgets: name -> a function of the lesson that makes the widget, for ``lesson.widget(name)``. It
            imports what it needs itself, so that reading a lesson's data stays light.
    """

    number: str
    title: str
    minutes: int
    goal: str
    topics: tuple[str, ...]
    objectives: tuple[Objective, ...]
    world: Callable[[Lab], Given | None]
    exercises: tuple[Exercise, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    questions: tuple[Question, ...] = ()
    misconceptions: tuple[Misconception, ...] = ()
    review: tuple[str, ...] = ()
    widgets: Mapping[str, Callable[[Lesson], Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = {objective.id for objective in self.objectives}
        parts: tuple[Exercise | Prediction | Question, ...] = (*self.exercises, *self.predictions, *self.questions)
        problems = [
            f"{part.id} names no such objective: {o!r}" for part in parts for o in part.objectives if o not in known
        ]
        ids = [part.id for part in parts]
        problems += [f"the id {one!r} is used twice" for one in sorted({one for one in ids if ids.count(one) > 1})]
        beliefs = {misconception.id for misconception in self.misconceptions}
        problems += [f"no such misconception: {one!r}" for one in sorted(self._named() - beliefs)]
        problems += [f"{e.id} cannot be reached: Lesson has it" for e in self.exercises if _taken(e.id)]
        if problems:
            raise ValueError(f"lesson {self.number}: {'; '.join(problems)}")

    def misconception(self, name: str) -> Misconception | None:
        """Return a misconception by id."""
        return next((one for one in self.misconceptions if one.id == name), None)

    def _named(self) -> set[str]:
        by_exercises = {name for exercise in self.exercises for name in exercise.misconceptions}
        asked: tuple[Prediction | Question, ...] = (*self.predictions, *self.questions)
        by_options = {option.misconception for item in asked for option in item.options}
        return (by_exercises | by_options) - {""}


@dataclass(frozen=True, slots=True)
class Feedback:
    """What ``check`` and ``quiz`` return: an outcome to read in code, shown as a card in a notebook."""

    outcome: Outcome
    card: Card
    misconceptions: tuple[str, ...] = ()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.card._repr_mimebundle_()

    def __repr__(self) -> str:
        return self.card.text()


def _taken(name: str) -> bool:
    return hasattr(Lesson, name) or name in Lesson.__annotations__


def lesson_numbers() -> list[str]:
    """Return the numbers of the lessons that there are, in order."""
    import pkgutil

    from kms_lab.teach import lessons

    names = (module.name for module in pkgutil.iter_modules(lessons.__path__))
    return sorted(name.removeprefix("lesson_") for name in names if name.startswith("lesson_"))


def lesson_data(number: str) -> LessonData:
    """Return a lesson's data by its number.

    Raises:
        ValueError: there is no such lesson; the text lists those there are.
    """
    if number not in lesson_numbers():
        raise ValueError(f"There is no lesson {number!r}. There are: {', '.join(lesson_numbers())}.")
    data = importlib.import_module(f"kms_lab.teach.lessons.lesson_{number}").LESSON
    assert isinstance(data, LessonData)
    return data


def open_lesson(
    number: str, seed: int | None = None, folder: str | os.PathLike[str] | None = None, made_for: str = ""
) -> Lesson:
    """Open a lesson: build its starting world, find what is remembered of it, show its header.

    Args:
        number: ``"03"``.
        seed: pins the starting world; without it every learner has a world of their own, the same each time.
        folder: keep progress here (``"progress"``: beside the notebook) instead of in the user data folder.
        made_for: the version that the notebook was written for; a mismatch with the installed one is said.

    Raises:
        ValueError: there is no such lesson.
    """
    lesson = Lesson(lesson_data(number), seed=seed, folder=folder)
    lesson.remember("lesson_opened")
    _save_after_each_cell(lesson)
    refusals_in_brief()
    show(lesson.header(made_for))
    return lesson


class Lesson:
    """An open lesson. Its exercises are attributes: ``lesson.q1.check(...)``, ``.hint()``, ``.solution()``,
    ``.reset()``.

    Attributes:
        lab: the lesson's lab.
        kms: a client of it, for the default principal.
        given: what the starting world hands out: ``lesson.given.invoice``.
    """

    data: LessonData
    lab: Lab
    kms: Client
    given: SimpleNamespace

    def __init__(self, data: LessonData, seed: int | None = None, folder: str | os.PathLike[str] | None = None) -> None:
        self.data = data
        self._progress = Progress(folder)
        self._seed = self._progress.seed(data.number) if seed is None else seed
        self.lab, self.given, self._start = self._starting_world()
        self.kms = self.lab.client()
        self._keeper = Keeper(self._progress.folder, data.number, self._seed, self.lab)
        self._earlier = self._keeper.earlier()
        self._tasks = {exercise.id: Task(self, exercise) for exercise in data.exercises}

    def __getattr__(self, name: str) -> Task:
        tasks: dict[str, Task] = self.__dict__.get("_tasks", {})
        if name in tasks:
            return tasks[name]
        raise AttributeError(f"a lesson has no {name!r}; its exercises are {', '.join(tasks) or 'none'}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._tasks]

    def __repr__(self) -> str:
        return f"<Lesson {self.data.number}: {self.data.title}>"

    # ---------------------------------------------------------------- predictions and questions

    def predict(self, name: str, answer: Any = ...) -> Any:
        """Show a prediction's question, or record your answer: ``lesson.predict("p1", "b")``. It is not graded."""
        prediction = self._prediction(name)
        if untouched(answer):
            return self._prediction_form(prediction) if in_notebook() else self._with_answer_so_far(prediction)
        try:
            text = prediction.accept(answer)
        except AnswerError as error:
            return Card(Tone.OPEN, f"{name} Prediction", (str(error),))
        self.remember("prediction", name, prediction=text)
        return Card(Tone.PREDICTION, f"{name} recorded", (f"You expect: {_said(prediction, text)}", "Run on and see."))

    def predicted(self, name: str) -> str:
        """Return the prediction recorded last, or ""."""
        events = self._progress.events(self.data.number, "prediction", name)
        return str(events[-1].detail.get("prediction", "")) if events else ""

    def reveal(self, name: str) -> Card:
        """Compare a prediction with what happened."""
        prediction = self._prediction(name)
        text = self.predicted(name)
        if not text:
            advice = f'Write it down first, in the cell with `lesson.predict("{name}")`. Then run this cell again.'
            return Card(Tone.OPEN, f"{name} Prediction", (prediction.prompt, advice))
        try:
            truth = str(prediction.truth(self.probe()))
        except Unfinished:
            return Card(
                Tone.OPEN, f"{name} Prediction", ("Run the cell above this one first: nothing has happened yet.",)
            )
        lines = [f"You expected: {_said(prediction, text)}", f"What happened: {_said(prediction, truth)}"]
        chosen = prediction.option(text)
        if text != truth and chosen is not None and chosen.feedback:
            lines.append(chosen.feedback)
        found = "as you expected" if text == truth else "not what you expected"
        return Card(Tone.PREDICTION, f"{name}: {found}", (*lines, prediction.why))

    def quiz(self, name: str, answer: Any = ...) -> Any:
        """Show a question, or answer it: ``lesson.quiz("z1", "b")``. Questions of earlier lessons: ``"01/z2"``."""
        number, question = self._question(name)
        if untouched(answer):
            return self._question_form(name, question) if in_notebook() else question.card()
        try:
            judged = question.judge(answer)
        except AnswerError as error:
            return Feedback(Outcome.NOT_ATTEMPTED, Card(Tone.OPEN, name, (str(error),)))
        if judged.outcome is Outcome.NOT_ATTEMPTED:
            return Feedback(judged.outcome, question.card())
        self._remember_in(
            number, "quiz", question.id, outcome=judged.outcome, misconceptions=list(judged.misconceptions)
        )
        return Feedback(judged.outcome, self._quiz_card(number, question, judged), judged.misconceptions)

    # ---------------------------------------------------------------- the world, and coming back to it

    def probe(self) -> Probe:
        """Return a probe on a copy of the lab: what checks look through."""
        return Probe(self.lab, vars(self.given), self._start)

    def resume(self, back: int = 1) -> Card:
        """Bring back the world as it was before the kernel was lost. Your variables `lab` and `kms` see it at
        once.

        Args:
            back: 1 is the last checkpoint, 2 the one before it ...
        """
        if not 1 <= back <= len(self._earlier):
            there = {0: "There is none yet.", 1: "There is one."}
            how_many = there.get(len(self._earlier), f"There are {len(self._earlier)}.")
            return Card(Tone.NOTE, "No such checkpoint", (f"{how_many} Your lab was not changed.",))
        checkpoint = self._earlier[back - 1]
        try:
            lab = checkpoint.load()
        except (OSError, ValueError, KeyError) as error:
            return Card(Tone.WRONG, "Resume", (f"This checkpoint cannot be read ({error}). Your lab was not changed.",))
        if checkpoint.seed != self._seed:
            self._seed = checkpoint.seed
            _, self.given, self._start = self._starting_world()
        self.lab.restore(lab)
        done = self._done()
        lines = (
            f"Back at the checkpoint of {checkpoint.saved:%Y-%m-%d %H:%M:%S} UTC.",
            f"The simulated clock shows {self.lab.clock.now:%Y-%m-%d %H:%M} UTC.",
            f"Exercises done: {', '.join(done) or 'none yet'}.",
            "Python variables are not saved: run again the cells that set the names you need.",
        )
        return Card(Tone.NOTE, f"Lesson {self.data.number} is back", lines, table=_inventory(self.lab))

    def restart(self) -> Card:
        """Go back to the lesson's starting world. Progress stays, and what you made is kept as a checkpoint."""
        self.checkpoint()
        lab, self.given, self._start = self._starting_world()
        self.lab.restore(lab)
        self._keeper = Keeper(self._progress.folder, self.data.number, self._seed, self.lab)
        self._earlier = self._keeper.earlier()
        lines = (
            "Your lab is at its start again; progress is kept.",
            "Run the cells below the first one again, to set your variables.",
            *(["`lesson.resume()` brings back the lab as it was before."] if self._earlier else []),
        )
        return Card(Tone.NOTE, f"Lesson {self.data.number} from the start", lines)

    def checkpoint(self) -> bool:
        """Save the world if it has changed; say whether it had. This happens by itself after each cell and check."""
        return self._keeper.save(self.lab)

    # ---------------------------------------------------------------- showing

    def progress(self) -> Card:
        """Return a table of what is done, in this lesson and the others."""
        summary = self._progress.summary()
        rows = []
        for number in lesson_numbers():
            data, done = lesson_data(number), summary.get(number)
            ids = {exercise.id for exercise in data.exercises} | {question.id for question in data.questions}
            right = (done.exercises | done.questions) & ids if done else frozenset()
            rows.append((f"{number} {data.title}", len(right), len(ids)))
        return summary_card("Your progress", rows)

    def export_progress(self, path: str | os.PathLike[str] = "kms-lab-progress.json") -> Card:
        """Write everything you have done, in all lessons, to one file to take with you. It holds no answers."""
        where = self._progress.export(path)
        return Card(
            Tone.NOTE, "Progress exported", (f'Saved as `{where}`. `lesson.import_progress("{where}")` reads it back.',)
        )

    def import_progress(self, path: str | os.PathLike[str]) -> Card:
        """Add what an exported file remembers to what is remembered here; nothing is lost or counted twice."""
        try:
            count = self._progress.import_(path)
        except ProgressError as error:
            return Card(Tone.NOTE, "Progress not imported", (str(error),))
        new = {0: "Nothing in it was new here.", 1: "1 new entry."}.get(count, f"{count} new entries.")
        return Card(Tone.NOTE, "Progress imported", (new, "`lesson.progress()` shows what is done."))

    def widget(self, name: str) -> Any:
        """Return one of the lesson's widgets, wired to its lab."""
        if name not in self.data.widgets:
            raise ValueError(
                f"Lesson {self.data.number} has no widget {name!r}; it has {', '.join(self.data.widgets)}."
            )
        return self.data.widgets[name](self)

    def header(self, made_for: str = "") -> Card:
        """Return the card that a notebook opens with."""
        installed = importlib.metadata.version("kms-lab")
        items = [
            f"Time: about {self.data.minutes} minutes. Cost on AWS: none.",
            f"You will be able to: {'; '.join(objective.text for objective in self.data.objectives)}.",
            f"Topics: {', '.join(self.data.topics)}.",
            f"kms_lab {installed}; the simulated clock shows {self.lab.clock.now:%Y-%m-%d %H:%M} UTC.",
        ]
        if made_for and made_for.split(".")[:2] != installed.split(".")[:2]:
            items.append(
                f"Careful: this notebook was written for kms_lab {made_for}, but {installed} is installed. "
                "Run `kms-lab` to get the notebooks that belong to it."
            )
        if done := self._done():
            items.append(f"Done before: {', '.join(done)}.")
        if self._earlier:
            saved = self._earlier[0].saved
            items.append(
                f"A checkpoint of {saved:%Y-%m-%d %H:%M} UTC exists: `lesson.resume()` brings that world back."
            )
        return Card(Tone.NOTE, f"Lesson {self.data.number}: {self.data.title}", (self.data.goal,), tuple(items))

    # ---------------------------------------------------------------- for Task and the forms

    def remember(self, kind: str, subject: str = "", **detail: Any) -> None:
        """Append an event of this lesson to the learner's progress."""
        self._remember_in(self.data.number, kind, subject, **detail)

    def events(self, kind: str, subject: str) -> list[Event]:
        """Return what is remembered of one exercise, prediction or question, oldest first."""
        return self._progress.events(self.data.number, kind, subject)

    def belief_lines(self, names: tuple[str, ...], data: LessonData | None = None) -> tuple[str, ...]:
        """Return, for each misconception met, the belief and what is so instead."""
        found = ((data or self.data).misconception(name) for name in names)
        return tuple(f"A common belief: “{one.belief}” {one.truth}" for one in found if one)

    def judge(self, exercise: Exercise, value: Any) -> Result:
        """Judge an answer; the learner's world is the same before and after."""
        before, backup = mark(self.lab), self.lab.fork()
        result = judge(exercise, self.probe(), value)
        if mark(self.lab) == before:
            return result
        self.lab.restore(backup)
        return Result(
            Outcome.WRONG,
            "Your function used a client from outside, such as the notebook's `kms`. Use the one it is handed: a "
            "check tries your function on a copy of your lab. What it did outside has been undone.",
        )

    def _starting_world(self) -> tuple[Lab, SimpleNamespace, int]:
        lab = Lab(seed=self._seed)
        given = self.data.world(lab) or {}
        return lab, SimpleNamespace(**given), len(lab.world.log)

    def _done(self) -> list[str]:
        summary = self._progress.summary().get(self.data.number)
        return [e.id for e in self.data.exercises if summary and e.id in summary.exercises]

    def _prediction(self, name: str) -> Prediction:
        return _named(self.data.predictions, name, f"lesson {self.data.number} has no prediction")

    def _question(self, name: str) -> tuple[str, Question]:
        number, _, local = name.rpartition("/")
        data = lesson_data(number) if number else self.data
        return data.number, _named(data.questions, local, f"lesson {data.number} has no question")

    def _prediction_form(self, prediction: Prediction) -> Any:
        from kms_lab.teach.widgets.question import prediction_form

        name = prediction.id
        return prediction_form(prediction, lambda answer: self.predict(name, answer), self.predicted(name))

    def _question_form(self, name: str, question: Question) -> Any:
        from kms_lab.teach.widgets.question import question_form

        return question_form(question, lambda answer: self.quiz(name, answer).card)

    def _with_answer_so_far(self, prediction: Prediction) -> Card:
        card, text = prediction.card(), self.predicted(prediction.id)
        if not text:
            return card
        return Card(card.tone, card.title, (*card.lines, f"Recorded so far: {_said(prediction, text)}"), card.items)

    def _quiz_card(self, number: str, question: Question, judged: Judged) -> Card:
        title = f"{question.id} {question.prompt}"
        if judged.outcome is Outcome.RIGHT:
            return Card(Tone.RIGHT, title, judged.feedback[-1:], judged.feedback[:-1])
        data = self.data if number == self.data.number else lesson_data(number)
        lines = self.belief_lines(judged.misconceptions, data)
        wrong = [
            e for e in self._progress.events(number, "quiz", question.id) if e.detail.get("outcome") == Outcome.WRONG
        ]
        if len(wrong) >= TRIES_BEFORE_SOLUTION:
            return Card(Tone.WRONG, title, (*lines, "All options, after three tries:"), question.explain())
        return Card(Tone.WRONG, title, lines, judged.feedback)

    def _remember_in(self, number: str, kind: str, subject: str = "", **detail: Any) -> None:
        self._progress.add(kind, number, subject, **{name: _plain(value) for name, value in detail.items()})


class Task:
    """An exercise of an open lesson, as the learner meets it."""

    def __init__(self, lesson: Lesson, exercise: Exercise) -> None:
        self._lesson = lesson
        self.exercise = exercise

    def check(self, *values: Any) -> Feedback:
        """Judge your answer: the value handed in, or the state of your lab. It changes nothing in the lab.

        Several values are taken as one tuple, so that forgotten brackets do no harm.
        """
        value = values[0] if len(values) == 1 else values or ...
        result = self._lesson.judge(self.exercise, value)
        self._lesson.remember("exercise", self.exercise.id, outcome=result.outcome, misconception=result.misconception)
        self._lesson.checkpoint()
        names = (result.misconception,) if result.misconception else ()
        return Feedback(result.outcome, self._card(result, names), names)

    def hint(self, tier: int | None = None) -> Card:
        """Return the next hint: where to look, which idea, nearly the code. ``hint(1)`` shows the first again."""
        given = len(self._since_reset("hint"))
        number = min(tier or given + 1, len(self.exercise.hints))
        self._lesson.remember("hint", self.exercise.id, tier=number)
        more = f"`lesson.{self.exercise.id}.hint()` says more." if number < 3 else "This was the last hint."
        return Card(Tone.HINT, f"{number} of 3 for {self._title()}", (self.exercise.hints[max(number, 1) - 1], more))

    def solution(self) -> Card:
        """Return a solution and why it is one; it opens after success or three tries."""
        tried = self._wrong_tries()
        if not self.solved and tried < TRIES_BEFORE_SOLUTION:
            advice = (
                f"It opens once you are right, or after {TRIES_BEFORE_SOLUTION} tries; you have made {tried}. "
                f"`lesson.{self.exercise.id}.hint()` helps now."
            )
            return Card(Tone.OPEN, f"Solution of {self._title()}", (advice,))
        self._lesson.remember("solution", self.exercise.id)
        solution = self.exercise.solution
        return Card(Tone.SOLUTION, self._title(), (solution.why,), code=solution.code.strip("\n"))

    def reset(self) -> Card:
        """Begin this exercise again: tries and hints start from zero; that you solved it before stays on record."""
        self._lesson.remember("reset", self.exercise.id)
        advice = "Tries and hints start from zero. `lesson.restart()` brings back the lesson's starting world as well."
        return Card(Tone.NOTE, f"{self._title()} starts again", (self.exercise.prompt, advice))

    @property
    def solved(self) -> bool:
        """True once a check has said right."""
        tries = self._lesson.events("exercise", self.exercise.id)
        return any(event.detail.get("outcome") == Outcome.RIGHT for event in tries)

    def _card(self, result: Result, names: tuple[str, ...]) -> Card:
        name = f"lesson.{self.exercise.id}"
        if result.outcome is Outcome.NOT_ATTEMPTED:
            return Card(Tone.OPEN, self._title(), (self.exercise.prompt, *filter(None, (result.observed,))))
        if result.outcome is Outcome.RIGHT:
            after = f"`{name}.solution()` shows how it can also be done."
            return Card(Tone.RIGHT, self._title(), (*filter(None, (result.observed,)), after))
        lines = (result.observed, *self._lesson.belief_lines(names))
        left = TRIES_BEFORE_SOLUTION - self._wrong_tries()
        tries = "try" if left == 1 else "tries"
        way = (
            f"or `{name}.solution()`, which is open now"
            if left <= 0
            else f"the solution opens after {left} more {tries}"
        )
        return Card(Tone.WRONG, self._title(), (*lines, f"Next: `{name}.hint()`; {way}."))

    def _title(self) -> str:
        return f"{self.exercise.id} {self.exercise.title} {'★' * self.exercise.stars}"

    def _wrong_tries(self) -> int:
        return sum(e.detail.get("outcome") == Outcome.WRONG for e in self._since_reset("exercise"))

    def _since_reset(self, kind: str) -> list[Event]:
        resets = self._lesson.events("reset", self.exercise.id)
        after = resets[-1].at if resets else ""
        return [event for event in self._lesson.events(kind, self.exercise.id) if event.at > after]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return Card(Tone.NOTE, self._title(), (self.exercise.prompt,))._repr_mimebundle_()

    def __repr__(self) -> str:
        return f"<{self._title()}: {self.exercise.prompt}>"


def _said(prediction: Prediction, text: str) -> str:
    option = prediction.option(text)
    return f"`{text}` {option.text}" if option else text


def _named(items: tuple[N, ...], name: str, complaint: str) -> N:
    for item in items:
        if item.id == name:
            return item
    raise ValueError(f"{complaint} {name!r}; it has {', '.join(item.id for item in items) or 'none'}")


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Outcome) else value


def _inventory(lab: Lab) -> Table:
    rows = [
        [key.id, ", ".join(shelf.aliases_of(key.id)) or "no alias", key.state, f"{shelf.region}, {shelf.account}"]
        for shelf in lab.world.shelves.values()
        for key in shelf.keys.values()
    ]
    return Table("The keys in your lab", ["key", "aliases", "state", "where"], rows)


def _save_after_each_cell(lesson: Lesson) -> None:
    """Checkpoint after each cell that changed the world; one lesson a kernel at a time is watched."""
    if not in_notebook():
        return
    events = sys.modules["IPython"].get_ipython().events
    for watched in [one for one in events.callbacks["post_run_cell"] if getattr(one, "kms_lab_lesson", False)]:
        events.unregister("post_run_cell", watched)

    def save(result: Any = None) -> None:
        try:
            lesson.checkpoint()
        except OSError as error:
            show(Card(Tone.WRONG, "Checkpoint", (f"Your lab could not be saved: {error}. The notebook goes on.",)))

    save.kms_lab_lesson = True  # type: ignore[attr-defined]
    events.register("post_run_cell", save)
