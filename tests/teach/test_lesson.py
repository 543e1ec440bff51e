"""A lesson: its seeded world, hints and solutions, checkpoints, and coming back after a lost kernel."""

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

import kms_lab.teach.lessons as lessons_package
from kms_lab.lab import Lab
from kms_lab.teach import open_lesson
from kms_lab.teach.exercise import Misconception, Outcome
from kms_lab.teach.lesson import Lesson, lesson_data, lesson_numbers
from kms_lab.teach.progress import Progress
from kms_lab.teach.question import Choice, Option

TINY = """
from kms_lab.teach.lesson import LessonData, Objective

LESSON = LessonData(
    number="97", title="Tiny", minutes=5, goal="See it open.", topics=("keys",),
    objectives=(Objective("o", "open it"),),
    world=lambda lab: {"key": lab.client().create_key()["KeyMetadata"]["KeyId"]},
)
"""


@pytest.fixture
def tiny(tmp_path, monkeypatch, home):
    """A lesson that is found by its number, as those of the course are."""
    (tmp_path / "lesson_97.py").write_text(TINY)
    monkeypatch.setattr(lessons_package, "__path__", [*lessons_package.__path__, str(tmp_path)])
    yield "97"
    sys.modules.pop("kms_lab.teach.lessons.lesson_97", None)


class TestOpen:
    def test_header(self, tiny, capsys):
        """Opening shows goal, minutes, topics, cost, version and the simulated clock."""
        lesson = open_lesson(tiny)

        shown = capsys.readouterr().out
        for text in (
            "Tiny",
            "See it open.",
            "5 minutes",
            "keys",
            "Cost on AWS: none",
            "kms_lab 0.",
            "2026-01-01 09:00 UTC",
        ):
            assert text in shown
        assert lesson.kms.describe_key(KeyId=lesson.given.key)["KeyMetadata"]["Enabled"]

    def test_event(self, tiny):
        """Opening is remembered."""
        open_lesson(tiny)

        assert [event.kind for event in Progress().events(tiny)] == ["lesson_opened"]

    def test_unknown(self, home):
        """A lesson that is not there is a clear error that lists those there are."""
        with pytest.raises(ValueError, match="There is no lesson '77'"):
            open_lesson("77")

    @pytest.mark.parametrize(("made_for", "warned"), [("0.0", True), ("9.9.9", True), ("", False), (None, False)])
    def test_version(self, tiny, capsys, made_for, warned):
        """A notebook made for another version says so; one made for this version does not."""
        import importlib.metadata

        open_lesson(tiny, made_for=importlib.metadata.version("kms-lab") if made_for is None else made_for)

        assert ("was written for" in capsys.readouterr().out) is warned

    def test_every_lesson_reads(self):
        """Every lesson of the course can be read, under its own number."""
        assert [lesson_data(number).number for number in lesson_numbers()] == lesson_numbers()


class TestSeeds:
    def test_stable_for_one_learner(self, home, data):
        """The same learner gets the same ids each time the lesson is opened."""
        assert Lesson(data).given.orders == Lesson(data).given.orders

    def test_differ_between_learners(self, data, tmp_path):
        """Two learners get different ids."""
        ids = {Lesson(data, folder=tmp_path / name).given.orders for name in ("one", "two")}

        assert len(ids) == 2

    def test_pinned(self, data, tmp_path):
        """A seed pins the world for everybody."""
        worlds = [Lesson(data, seed=5, folder=tmp_path / name).lab.world.to_data() for name in ("one", "two")]

        assert worlds[0] == worlds[1]


class TestHintsAndSolution:
    def test_three_tiers(self, lesson):
        """Hints come in three steps, and the last stays."""
        shown = [repr(lesson.q2.hint()) for _ in range(4)]

        assert [("Look there." in s, "Think so." in s, "Type `this`." in s) for s in shown] == [
            (True, False, False),
            (False, True, False),
            (False, False, True),
            (False, False, True),
        ]

    def test_solution_is_closed_at_first(self, lesson):
        """Before success or three tries the solution says when it opens, and nothing else."""
        lesson.q2.check("two")
        shown = repr(lesson.q2.solution())

        assert "you have made 1" in shown
        assert "lesson.q1.check()" not in shown

    def test_after_three_tries(self, lesson):
        """After three wrong tries the solution is open, and the feedback says so."""
        for _ in range(3):
            found = lesson.q2.check("two")

        assert "which is open now" in repr(found)
        assert "It is the shortest way." in repr(lesson.q2.solution())

    def test_not_attempted_is_no_try(self, lesson):
        """Running a blank cell three times opens nothing."""
        for _ in range(3):
            lesson.q2.check(...)

        assert "you have made 0" in repr(lesson.q2.solution())

    def test_after_success(self, lesson, secret):
        """After success the solution is open."""
        lesson.q2.check(secret)

        assert "It is the shortest way." in repr(lesson.q2.solution())

    def test_reset(self, lesson):
        """Reset starts tries and hints from zero."""
        for _ in range(3):
            lesson.q2.check("two")
            lesson.q2.hint()
        lesson.q2.reset()

        assert "you have made 0" in repr(lesson.q2.solution())
        assert "Look there." in repr(lesson.q2.hint())

    def test_unknown_exercise(self, lesson):
        """An exercise that is not there is an AttributeError that lists those there are."""
        with pytest.raises(AttributeError, match="q1, q2"):
            lesson.q17.check()

    def test_completion(self, lesson):
        """Pressing Tab after the dot offers the exercises."""
        assert {"q1", "q2", "lab", "kms", "predict"} <= set(dir(lesson))


class TestCards:
    def test_no_colour_alone(self, lesson, secret):
        """Each verdict has its word as text and an icon hidden from screen readers."""
        cards = [lesson.q2.check(...).card, lesson.q2.check("two").card, lesson.q2.check(secret).card]

        for card, word in zip(cards, ("Not attempted", "Not yet", "Right"), strict=True):
            assert f"{word}</span>" in card.html()
            assert '<svg viewBox="0 0 16 16" aria-hidden="true">' in card.html()
            assert card.text().split(": ")[0].endswith(word)

    def test_escaped(self, lesson):
        """What a learner typed is shown as text, never as markup."""
        shown = lesson.predict("p2", "<img src=x onerror=alert(1)>")

        assert "<img" not in shown.html()

    def test_progress_table(self, tiny, lesson):
        """Progress is a table with a caption, column heads and a text bar for each lesson."""
        html = lesson.progress().html()

        assert "<caption>" in html
        assert 'scope="col"' in html
        assert "97 Tiny" in html
        assert "0\N{NO-BREAK SPACE}of" in html
        assert "□□□□□" in html


class TestCheck:
    def test_forgotten_brackets(self, lesson):
        """Two values handed in without brackets are judged as a pair, and nothing breaks."""
        (exercise,) = [one for one in lesson.data.exercises if one.id == "q2"]

        answer = lesson.q2.check("one", "two")

        assert exercise.expects
        assert answer.outcome is Outcome.WRONG
        assert "tuple of 2" in repr(answer)
        assert lesson.q2.check().outcome is Outcome.NOT_ATTEMPTED


class TestCheckpoint:
    def test_lost_kernel(self, home, data):
        """After a lost kernel resume brings back world and clock, and tells keys, aliases and what is done."""
        lost = Lesson(data)
        new = lost.kms.create_key(Description="made by hand")["KeyMetadata"]["KeyId"]
        lost.kms.update_alias(AliasName="alias/orders", TargetKeyId=new)
        lost.lab.clock.travel(days=30)
        lost.q1.check()
        before = lost.lab.world.to_data()
        del lost

        back = Lesson(data)
        assert "A checkpoint of" in back.header().text()
        shown = back.resume().text()

        assert back.lab.world.to_data() == before
        assert new in shown
        assert "alias/orders" in shown
        assert "Exercises done: q1" in shown
        assert back.q1.check().outcome is Outcome.RIGHT

    def test_variables_follow(self, home, data):
        """Clients and the lab that the notebook already holds see the resumed world."""
        lost = Lesson(data)
        new = lost.kms.create_key()["KeyMetadata"]["KeyId"]
        lost.checkpoint()

        back = Lesson(data)
        lab, kms = back.lab, back.kms
        back.resume()

        assert kms.describe_key(KeyId=new)["KeyMetadata"]["KeyId"] == new
        assert lab.key(new).id == new

    def test_new_session_keeps_the_old_checkpoint(self, home, data):
        """Run All in a new session does not overwrite what the lost one left."""
        lost = Lesson(data)
        new = lost.kms.create_key()["KeyMetadata"]["KeyId"]
        lost.checkpoint()

        back = Lesson(data)
        back.kms.list_keys()
        back.checkpoint()
        back.resume()

        assert back.lab.key(new).id == new

    def test_older_ones(self, home, data):
        """Further back is possible, and a number that is not there changes nothing."""
        for count in (1, 2):
            session = Lesson(data)
            for _ in range(count):
                session.kms.create_key()
            session.checkpoint()
        back = Lesson(data)

        back.resume(back=2)
        assert len(back.kms.list_keys()["Keys"]) == 2
        assert "There are 2" in back.resume(back=9).text()

    def test_nothing_to_resume(self, lesson):
        """Without a checkpoint resume says so and changes nothing."""
        before = lesson.lab.world.to_data()

        assert "none yet" in lesson.resume().text()
        assert lesson.lab.world.to_data() == before

    def test_unchanged_world_is_not_saved(self, lesson, home):
        """Opening, or looking, writes no checkpoint."""
        assert lesson.checkpoint() is False
        assert not (home / "checkpoints").exists()

    @pytest.mark.parametrize(
        "change",
        [
            lambda lesson: lesson.kms.list_keys(),
            lambda lesson: lesson.lab.clock.travel(hours=1),
            lambda lesson: lesson.lab.iam.create_role("App"),
            lambda lesson: lesson.lab.iam.tag("arn:aws:iam::111122223333:user/Admin", team="a"),
        ],
    )
    def test_every_change_is_saved(self, lesson, data, change):
        """A call, a move of the clock and a change to an identity are all saved."""
        change(lesson)

        assert lesson.checkpoint() is True
        assert lesson.checkpoint() is False
        back = Lesson(data, seed=7)
        back.resume()
        assert back.lab.world.to_data() == lesson.lab.world.to_data()

    def test_damaged_checkpoint(self, home, data):
        """A damaged checkpoint is told and leaves the lab as it is."""
        lost = Lesson(data)
        lost.kms.create_key()
        lost.checkpoint()
        for path in (home / "checkpoints").glob("*.world.json"):
            path.write_text(path.read_text()[:100])
        back = Lesson(data)
        before = back.lab.world.to_data()

        assert "cannot be read" in back.resume().text()
        assert back.lab.world.to_data() == before

    def test_only_the_last_ones_are_kept(self, home, data):
        """Old checkpoints are cleared away, so that they do not fill the disk."""
        for _ in range(8):
            session = Lesson(data)
            session.kms.create_key()
            session.checkpoint()

        assert len(list((home / "checkpoints").glob("*.world.json"))) == 5

    def test_pinned_seed_comes_back(self, home, data):
        """A checkpoint of a session with a pinned seed brings its own given things with it."""
        lost = Lesson(data, seed=99)
        lost.kms.list_keys()
        lost.checkpoint()

        back = Lesson(data)
        back.resume()

        assert back.given.orders == lost.given.orders
        assert back.kms.describe_key(KeyId=back.given.orders)

    def test_killed_kernel(self, tmp_path):
        """A process killed right after a check has its world and its progress on disk."""
        program = f"""
            import os, signal, sys
            sys.path.insert(0, {str(Path(__file__).parent)!r})
            from conftest import DATA
            from kms_lab.teach.lesson import Lesson
            lesson = Lesson(DATA)
            new = lesson.kms.create_key()["KeyMetadata"]["KeyId"]
            lesson.kms.update_alias(AliasName="alias/orders", TargetKeyId=new)
            lesson.q1.check()
            print(new, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        """
        environment = {**os.environ, "KMS_LAB_HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        (world,) = (tmp_path / "checkpoints").glob("*.world.json")

        assert Lab.load(world).key("alias/orders").id == done.stdout.strip()
        assert Progress(tmp_path).summary()["98"].exercises == {"q1"}

    def test_restart(self, lesson):
        """Restart brings back the starting world, and what was there stays as a checkpoint."""
        start = lesson.lab.world.to_data()
        lesson.kms.create_key()
        made = lesson.lab.world.to_data()
        lesson.restart()

        assert lesson.lab.world.to_data() == start
        assert lesson.probe().calls() == []

        lesson.checkpoint()  # as after each cell
        lesson.resume()
        assert lesson.lab.world.to_data() == made


class TestLessonData:
    @pytest.mark.parametrize(
        ("spoil", "says"),
        [
            (lambda d: replace(d, objectives=()), "no such objective"),
            (lambda d: replace(d, misconceptions=d.misconceptions[1:]), "no such misconception: 'alias-is-key'"),
            (lambda d: replace(d, questions=(*d.questions, d.questions[0])), "used twice"),
            (lambda d: replace(d, exercises=(replace(d.exercises[0], id="resume"),)), "cannot be reached"),
            (lambda d: replace(d, exercises=(replace(d.exercises[0], id="lab"),)), "cannot be reached"),
        ],
    )
    def test_contradiction(self, data, spoil, says):
        """A lesson whose parts do not fit together cannot be made, and says what does not fit."""
        with pytest.raises(ValueError, match=says):
            spoil(data)

    def test_review_question(self, tiny, lesson, monkeypatch):
        """A question of an earlier lesson is asked and remembered under that lesson's number."""
        question = Choice(
            id="z1", prompt="?", options=(Option("a", "A", "y"), Option("b", "B", "n", "m")), right="a", why="w"
        )
        data = lesson_data(tiny)
        monkeypatch.setattr(
            sys.modules["kms_lab.teach.lessons.lesson_97"],
            "LESSON",
            replace(data, questions=(question,), misconceptions=(Misconception("m", "b", "t"),)),
        )

        assert lesson.quiz("97/z1", "a").outcome is Outcome.RIGHT
        assert Progress().summary()["97"].questions == {"z1"}

    def test_feedback_is_storable(self, lesson):
        """What check returns is JSON-safe HTML and text, as a notebook stores it."""
        bundle = lesson.q2.check("two")._repr_mimebundle_()

        assert json.loads(json.dumps(bundle)).keys() == {"text/html", "text/plain"}
