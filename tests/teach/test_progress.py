"""Progress: append-only event files of many kernels, merged, exported, imported; nothing is lost (law 12)."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kms_lab.teach.exercise import Outcome
from kms_lab.teach.lesson import Lesson
from kms_lab.teach.progress import Progress, ProgressError, bar, home

KILLS = 100 if os.environ.get("KMS_LAB_DEEP") else 6

WRITER = """
import sys
from kms_lab.teach.progress import Progress
progress = Progress(sys.argv[1])
for number in range(int(sys.argv[2])):
    event = progress.add("exercise", "03", f"q{number}", outcome="right", text="x" * (number % 700))
    sys.stdout.write(event.id + "\\n")
    sys.stdout.flush()
"""


def start_writer(folder: Path, count: int) -> "subprocess.Popen[str]":
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(count)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )


def files(folder: Path) -> list[Path]:
    return sorted((folder / "events").glob("*.jsonl"))


@pytest.fixture
def progress(tmp_path) -> Progress:
    return Progress(tmp_path / "p")


class TestManyKernels:
    def test_two_at_once(self, tmp_path):
        """Two processes that write at the same time lose nothing."""
        writers = [start_writer(tmp_path, 300) for _ in range(2)]
        told = {line.strip() for writer in writers for line in writer.communicate()[0].splitlines()}

        assert len(told) == 600
        assert {event.id for event in Progress(tmp_path).events()} == told

    def test_killed_in_the_middle(self, tmp_path):
        """However often kernels are killed in the middle of writing, every event that was acknowledged is there."""
        told: set[str] = set()
        for round in range(KILLS):
            writers = [start_writer(tmp_path, 100_000) for _ in range(2)]
            for writer in writers:
                assert writer.stdout is not None
                told.add(writer.stdout.readline().strip())
            time.sleep(0.01 * (round % 5))
            for writer in writers:
                os.kill(writer.pid, signal.SIGKILL)
            for writer in writers:
                out, _ = writer.communicate()
                told |= {line for line in out.split("\n")[:-1] if line}

        found = {event.id for event in Progress(tmp_path).events()}
        assert len(told) >= 2 * KILLS
        assert told <= found

    @settings(max_examples=60)
    @given(cut=st.integers(min_value=1, max_value=150))
    def test_torn_last_line(self, tmp_path_factory, cut):
        """Wherever a last line is cut, it alone is lost: lines before it and other kernels' lines stand."""
        folder = tmp_path_factory.mktemp("torn")
        first = Progress(folder)
        for number in range(3):
            first.add("hint", "01", f"q{number}")
        path = files(folder)[0]
        whole = path.read_bytes()
        last = len(whole.rstrip(b"\n")) - whole.rstrip(b"\n").rfind(b"\n") - 1
        path.write_bytes(whole.rstrip(b"\n")[: -min(cut, last)])
        later = Progress(folder)
        later.add("hint", "01", "q9")

        assert [event.subject for event in later.events()] == ["q0", "q1", "q9"]

    def test_failed_write(self, progress, monkeypatch):
        """A write that breaks off (a full disk) spoils neither earlier nor later events of the same kernel."""
        progress.add("hint", "01", "q1")
        whole, write = [], os.write

        def breaks_off(descriptor, data):
            if whole:
                raise OSError(28, "No space left on device")
            whole.append(True)
            return write(descriptor, data[:20])

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", breaks_off)
            with pytest.raises(OSError, match="space"):
                progress.add("hint", "01", "q2")
        progress.add("hint", "01", "q3")

        assert [event.subject for event in progress.events()] == ["q1", "q3"]

    def test_foreign_lines(self, progress):
        """Lines that are not events, whatever they are, are passed over."""
        progress.add("hint", "01", "q1")
        junk = (
            b'\n[]\n{"id": 1}\nnull\n\xff\xfe\n{"id":"a","at":"b","kind":"c","lesson":"d","subject":"e","detail":[]}\n'
        )
        (progress.folder / "events" / "junk.jsonl").write_bytes(junk)

        assert len(progress.events()) == 1

    def test_one_learner(self, tmp_path):
        """Kernels that begin at the same time in an empty folder agree who the learner is."""
        with ThreadPoolExecutor(8) as pool:
            ids = set(pool.map(lambda _: Progress(tmp_path / "new").learner, range(16)))

        assert len(ids) == 1

    def test_order(self, tmp_path):
        """Events of several kernels are read in the order in which they happened."""
        kernels = [Progress(tmp_path), Progress(tmp_path)]
        for number in range(6):
            kernels[number % 2].add("hint", "01", f"q{number}")

        assert [event.subject for event in kernels[0].events()] == [f"q{n}" for n in range(6)]


class TestExport:
    def test_round_trip(self, progress, tmp_path):
        """Exported and imported elsewhere, progress is the same, and so are the learner and the lessons' seeds."""
        progress.add("exercise", "03", "q1", outcome="right")
        progress.add("quiz", "03", "z1", outcome="wrong", misconceptions=["m"])
        progress.export(tmp_path / "out.json")
        other = Progress(tmp_path / "other")

        assert other.import_(tmp_path / "out.json") == 2
        assert other.events() == progress.events()
        assert other.summary() == progress.summary()
        assert other.seed("03") == progress.seed("03")
        assert Progress(tmp_path / "other").learner == progress.learner

    def test_twice(self, progress, tmp_path):
        """Importing the same file twice, or one's own, adds nothing."""
        progress.add("hint", "03", "q1")
        path = progress.export(tmp_path / "out.json")

        assert progress.import_(path) == 0
        assert len(progress.events()) == 1

    def test_into_a_used_folder(self, progress, tmp_path):
        """Imported into a folder with events, both sets stand and the learner stays who they were."""
        progress.add("hint", "03", "q1")
        path = progress.export(tmp_path / "out.json")
        other = Progress(tmp_path / "other")
        other.add("hint", "01", "q7")
        learner = other.learner

        other.import_(path)

        assert sorted(event.subject for event in other.events()) == ["q1", "q7"]
        assert Progress(tmp_path / "other").learner == learner

    @pytest.mark.parametrize(
        ("spoil", "says"),
        [
            (lambda text: "", "not JSON"),
            (lambda text: text[: len(text) // 2], "not JSON"),
            (lambda text: "[1, 2]", "not a progress file"),
            (lambda text: text.replace("kms-lab-progress", "shopping-list"), "not a progress file"),
            (lambda text: text.replace('"version": 1', '"version": 99'), "another version"),
            (lambda text: text.replace('"wrong"', '"right"'), "damaged"),
        ],
    )
    def test_bad_file(self, progress, tmp_path, spoil, says):
        """A broken, changed, foreign or newer file is refused with the reason, and nothing is lost."""
        progress.add("exercise", "03", "q1", outcome="wrong")
        path = progress.export(tmp_path / "out.json")
        path.write_text(spoil(path.read_text()))
        before = progress.events()

        with pytest.raises(ProgressError, match=f"(?s){says}.*Nothing was changed"):
            progress.import_(path)
        assert progress.events() == before

    def test_missing_file(self, progress, tmp_path):
        """A file that is not there is refused with the reason."""
        with pytest.raises(ProgressError, match="cannot be read"):
            progress.import_(tmp_path / "none.json")

    def test_hash_over_events_that_are_none(self, progress, tmp_path):
        """A file with a true hash over something that is no event is refused as well."""
        path = progress.export(tmp_path / "out.json")
        data = json.loads(path.read_text())
        data["events"] = [{"id": "x"}]
        del data["sha256"]
        from kms_lab.teach import progress as module

        path.write_text(json.dumps({**data, "sha256": module._hash(data)}))
        with pytest.raises(ProgressError, match="not a complete"):
            progress.import_(path)

    def test_no_answers(self, lesson, secret, tmp_path):
        """The exported file and the event files hold no right answer, solution or hint."""
        lesson.q2.check(secret)
        lesson.quiz("z2", ["a", "c"])
        lesson.q2.hint()
        lesson.q2.solution()
        exported = Progress().export(tmp_path / "out.json").read_text()
        stored = "".join(path.read_text() for path in files(Progress().folder))

        for text in (exported, stored):
            assert secret not in text
            assert '"c"' not in text
            assert "Look there." not in text
            assert "shortest way" not in text

    def test_written_whole_or_not_at_all(self, progress, tmp_path, monkeypatch):
        """An export that fails leaves the older file as it was, and no litter."""
        progress.add("hint", "01", "q1")
        path = progress.export(tmp_path / "out.json")
        before = path.read_text()
        progress.add("hint", "01", "q2")

        def fails(descriptor):
            raise OSError("disk")

        monkeypatch.setattr(os, "fsync", fails)
        with pytest.raises(OSError, match="disk"):
            progress.export(path)
        assert path.read_text() == before
        assert [p.name for p in tmp_path.iterdir() if "out.json" in p.name] == ["out.json"]


class TestFromALesson:
    def test_there_and_back(self, lesson, data, secret, tmp_path):
        """A learner exports from one lesson and imports into another machine's: exercises are done there."""
        lesson.q2.check(secret)
        lesson.export_progress(tmp_path / "mine.json")
        elsewhere = Lesson(data, folder=tmp_path / "elsewhere")

        shown = elsewhere.import_progress(tmp_path / "mine.json")

        assert "1 new entry" in repr(shown)
        assert elsewhere.q2.solved

    def test_broken_file(self, lesson, tmp_path):
        """A broken file is told on a card, without a traceback."""
        (tmp_path / "mine.json").write_text("{")

        assert "Nothing was changed" in repr(lesson.import_progress(tmp_path / "mine.json"))


class TestWhere:
    def test_environment(self, home, data):
        """KMS_LAB_HOME decides where progress lives."""
        Lesson(data).remember("lesson_opened")

        assert len(files(home)) == 1

    def test_folder(self, home, data, tmp_path):
        """A folder given when the lesson is opened wins, so progress can stand beside the notebook."""
        Lesson(data, folder=tmp_path / "beside").remember("lesson_opened")

        assert len(files(tmp_path / "beside")) == 1
        assert not home.exists()

    def test_default(self, monkeypatch):
        """Without KMS_LAB_HOME progress lives in the user's data folder."""
        monkeypatch.delenv("KMS_LAB_HOME", raising=False)

        assert home().name == "kms-lab"

    def test_damaged_learner_file(self, progress):
        """A damaged learner file is a clear error, and the events beside it are left alone."""
        progress.add("hint", "01", "q1")
        (progress.folder / "learner.json").write_text("{")

        with pytest.raises(ProgressError, match="events are safe"):
            Progress(progress.folder)
        assert len(progress.events()) == 1


class TestSummary:
    def test_counts(self, lesson):
        """The summary tells what is right, predicted and misunderstood, each once."""
        lesson.q2.check("two")
        lesson.q2.check("two")
        lesson.q3.check(lambda kms, blob: b"invoice 42")
        lesson.quiz("z1", "c")
        lesson.predict("p1", "a")

        found = Progress().summary()["98"]

        assert found.exercises == {"q3"}
        assert found.questions == frozenset()
        assert found.predictions == {"p1"}
        assert found.misconceptions == ("alias-is-copy", "alias-is-key")

    def test_once_right_stays_right(self, lesson, secret):
        """A later wrong try does not undo a success."""
        lesson.q2.check(secret)
        lesson.q2.check("two")

        assert Progress().summary()["98"].exercises == {"q2"}

    @pytest.mark.parametrize(
        ("done", "total", "text"),
        [(0, 5, "□□□□□"), (5, 5, "■■■■■"), (1, 3, "■□□□□"), (9, 10, "■■■■□"), (0, 0, "■■■■■")],
    )
    def test_bar(self, done, total, text):
        """A bar reads as text, without its colour."""
        assert bar(done, total) == text

    def test_events_outlive_the_kernel(self, lesson, data):
        """What one kernel recorded, the next one knows: tries, success and hints."""
        for _ in range(3):
            lesson.q2.check("two")
        again = Lesson(data, seed=7)

        assert "It is the shortest way." in repr(again.q2.solution())
        assert again.q2.check("two").outcome is Outcome.WRONG
