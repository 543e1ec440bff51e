"""Progress: what a learner has done, as events in append-only files.

Each kernel appends to a file of its own, one JSON object a line, so two kernels never write to the same
place. Reading merges all files: events sorted by time, each counted once. A line cut short by a lost kernel
is not valid JSON and is passed over; the lines around it stand. No reference answer is ever in an event: an
exercise or question leaves its outcome, and only a prediction leaves the learner's words, because they are
compared later.

::

    HOME/learner.json           who: a random id, made once; seeds of lessons are derived from it
    HOME/events/*.jsonl         one file per kernel, and one per import
    HOME/checkpoints/           worlds, written by ``lesson.py``

HOME is ``KMS_LAB_HOME`` if that is set, else the user data folder of the operating system.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kms_lab.lab import write_atomically
from kms_lab.teach.card import Card, Tone
from kms_lab.teach.svg import Table

EXPORT_FORMAT = "kms-lab-progress"
EXPORT_VERSION = 1


class ProgressError(Exception):
    """A progress file cannot be used. The text says why, and that nothing was changed."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        id: unique over all kernels and machines: ``<writer>:<serial>``.
        at: when, by the real clock (aware UTC, ISO 8601 text).
        kind: ``lesson_opened``, ``prediction``, ``exercise``, ``hint``, ``solution``, ``reset`` or ``quiz``.
        lesson: its number, ``"03"``.
        subject: id of the exercise, prediction or question; empty for a lesson.
        detail: small texts and numbers: ``outcome``, ``misconception``, ``tier``, ``prediction``.
    """

    id: str
    at: str
    kind: str
    lesson: str
    subject: str = ""
    detail: dict[str, Any] = field(default_factory=dict)

    def to_data(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "at": self.at,
            "kind": self.kind,
            "lesson": self.lesson,
            "subject": self.subject,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class LessonSummary:
    """How far one lesson is: exercises right, questions right, predictions made."""

    number: str
    exercises: frozenset[str]
    questions: frozenset[str]
    predictions: frozenset[str]
    misconceptions: tuple[str, ...]


class Progress:
    """The learner's events in one folder: append, read, export, import.

    Args:
        folder: where to keep them; default: ``KMS_LAB_HOME``, else the user data folder.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.folder = Path(folder) if folder is not None else home()
        self._events = self.folder / "events"
        self._events.mkdir(parents=True, exist_ok=True)
        self.learner = self._learner()
        self._writer = _Writer(self._events)

    def add(self, kind: str, lesson: str, subject: str = "", **detail: Any) -> Event:
        """Append one event to this kernel's file. It is on its way to the disk when this returns."""
        return self._writer.append(kind, lesson, subject, detail)

    def events(self, lesson: str = "", kind: str = "", subject: str = "") -> list[Event]:
        """Return the events of all kernels, oldest first, each once; narrowed by what is given."""
        merged: dict[str, Event] = {}
        for path in sorted(self._events.glob("*.jsonl")):
            for event in read_events(path):
                merged.setdefault(event.id, event)
        wanted = (
            event
            for event in merged.values()
            if (not lesson or event.lesson == lesson)
            and (not kind or event.kind == kind)
            and (not subject or event.subject == subject)
        )
        return sorted(wanted, key=_order)

    def summary(self) -> dict[str, LessonSummary]:
        """Return what is done, per lesson number, for every lesson that was opened."""
        return summarise(self.events())

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write all events to one file, whole or not at all. It has a version and a hash, and no answers."""
        events = [event.to_data() for event in self.events()]
        body = {"format": EXPORT_FORMAT, "version": EXPORT_VERSION, "learner": self.learner, "events": events}
        target = Path(path)
        write_atomically(target, json.dumps({**body, "sha256": _hash(body)}, indent=1))
        return target

    def import_(self, path: str | os.PathLike[str]) -> int:
        """Add the events of an exported file to these; importing twice adds nothing.

        Into a fresh folder the file also brings the learner's id, so that the lessons' worlds are the same as
        before.

        Returns:
            How many events were new.

        Raises:
            ProgressError: the file is not an export, is damaged, or comes from a newer version. Nothing is
                changed.
        """
        learner, events = read_export(Path(path))
        known = {event.id for event in self.events()}
        if not known:
            self._adopt(learner)
        new = [event for event in events if event.id not in known]
        if new:
            lines = "".join(_line(event) for event in new)
            name = hashlib.sha256(lines.encode()).hexdigest()[:16]
            write_atomically(self._events / f"import-{name}.jsonl", lines)
        return len(new)

    def seed(self, lesson: str) -> int:
        """Return this learner's seed for a lesson: always the same here, another for everybody else."""
        return int.from_bytes(hashlib.sha256(f"{self.learner}/{lesson}".encode()).digest()[:6])

    def _learner(self) -> str:
        path = self.folder / "learner.json"
        if not path.exists():
            _create(path, json.dumps({"version": 1, "learner": secrets.token_hex(16)}))
        try:
            return str(json.loads(path.read_text("utf-8"))["learner"])
        except (ValueError, KeyError, TypeError) as error:
            raise ProgressError(
                f"{path} is damaged. Your events are safe beside it; move this one file away."
            ) from error

    def _adopt(self, learner: str) -> None:
        write_atomically(self.folder / "learner.json", json.dumps({"version": 1, "learner": learner}))
        self.learner = learner


class _Writer:
    """Appends to one file that no other process writes to; opened at the first event."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = 0
        self._name = ""
        self._serial = 0
        self._torn = False

    def append(self, kind: str, lesson: str, subject: str, detail: dict[str, Any]) -> Event:
        if self._process != os.getpid():  # the first event, or the child of a fork
            self._process, self._serial, self._torn = os.getpid(), 0, False
            self._name = f"{_now():%Y%m%dT%H%M%S}-{self._process}-{secrets.token_hex(4)}"
        self._serial += 1
        at = _now().isoformat(timespec="microseconds")
        event = Event(f"{self._name}:{self._serial}", at, kind, lesson, subject, detail)
        data = (("\n" if self._torn else "") + _line(event)).encode()
        self._torn = True  # until the whole line is written
        descriptor = os.open(self._folder / f"{self._name}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        finally:
            os.close(descriptor)
        self._torn = False
        return event


def home() -> Path:
    """Return where progress lives: ``KMS_LAB_HOME``, else the user data folder of the operating system."""
    from platformdirs import user_data_path

    named = os.environ.get("KMS_LAB_HOME")
    return Path(named) if named else user_data_path("kms-lab", appauthor=False)


def read_events(path: Path) -> Iterable[Event]:
    """Yield the whole events of one file; a torn or foreign line is passed over."""
    for line in path.read_bytes().split(b"\n"):
        try:
            event = _event(json.loads(line))
        except (ValueError, KeyError, TypeError):
            continue
        yield event


def read_export(path: Path) -> tuple[str, list[Event]]:
    """Return the learner's id and the events of an exported file.

    Raises:
        ProgressError: it cannot be read, is no export, is damaged, or comes from a newer version.
    """
    unchanged = "Nothing was changed."
    try:
        data = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ProgressError(f"{path} cannot be read: {error.strerror}. {unchanged}") from error
    except ValueError as error:
        raise ProgressError(f"{path} is not a progress file: it is not JSON. {unchanged}") from error
    if not isinstance(data, dict) or data.get("format") != EXPORT_FORMAT:
        raise ProgressError(f"{path} is not a progress file. {unchanged}")
    if data.get("version") != EXPORT_VERSION:
        raise ProgressError(f"{path} was written by another version of kms_lab ({data.get('version')}). {unchanged}")
    if data.pop("sha256", None) != _hash(data):
        raise ProgressError(f"{path} is damaged: its hash does not match its contents. {unchanged}")
    try:
        return str(data["learner"]), [_event(item) for item in data["events"]]
    except (KeyError, TypeError) as error:
        raise ProgressError(f"{path} is not a complete progress file. {unchanged}") from error


def summarise(events: Iterable[Event]) -> dict[str, LessonSummary]:
    """Fold events into what is done, per lesson."""
    by_lesson: dict[str, list[Event]] = {}
    for event in events:
        by_lesson.setdefault(event.lesson, []).append(event)
    return {number: _summary(number, by_lesson[number]) for number in sorted(by_lesson)}


def summary_card(title: str, rows: Iterable[tuple[str, int, int]]) -> Card:
    """Return a table with one bar a row; ``rows`` are (name, done, of how many)."""
    cells = [[name, _badge(done, total)] for name, done, total in rows]
    return Card(Tone.NOTE, title, table=Table("Exercises and questions answered right", ["lesson", "done"], cells))


def bar(done: int, total: int, width: int = 5) -> str:
    """Return a bar of text, ``■■■□□``: it reads the same without colour."""
    filled = width if done >= total else done * width // total
    return "■" * filled + "□" * (width - filled)


def _badge(done: int, total: int) -> tuple[str, str]:
    status = "good" if done >= total else "info" if done else "off"
    return status, f"{done} of {total}".replace(" ", "\N{NO-BREAK SPACE}") + f" {bar(done, total)}"


def _create(path: Path, text: str) -> None:
    """Write a file unless another process did so first; either way a whole file is there."""
    neighbour = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    neighbour.write_text(text, encoding="utf-8")
    try:
        os.link(neighbour, path)
    except FileExistsError:
        return
    except OSError:  # no hard links here: the last one wins, which is whole as well
        neighbour.replace(path)
    finally:
        neighbour.unlink(missing_ok=True)


def _summary(number: str, events: list[Event]) -> LessonSummary:
    def subjects(kind: str, outcome: str = "") -> frozenset[str]:
        return frozenset(
            e.subject for e in events if e.kind == kind and (not outcome or e.detail.get("outcome") == outcome)
        )

    met = dict.fromkeys(name for event in events for name in _misconceptions(event))
    return LessonSummary(
        number, subjects("exercise", "right"), subjects("quiz", "right"), subjects("prediction"), tuple(met)
    )


def _misconceptions(event: Event) -> list[str]:
    named = event.detail.get("misconceptions", event.detail.get("misconception", ""))
    return [name for name in (named if isinstance(named, list) else [named]) if name]


def _event(data: Any) -> Event:
    event = Event(data["id"], data["at"], data["kind"], data["lesson"], data["subject"], data["detail"])
    texts = (event.id, event.at, event.kind, event.lesson, event.subject)
    if not all(isinstance(text, str) for text in texts) or not isinstance(event.detail, dict):
        raise TypeError("not an event")
    return event


def _line(event: Event) -> str:
    return json.dumps(event.to_data(), separators=(",", ":")) + "\n"


def _order(event: Event) -> tuple[str, str, int]:
    writer, _, serial = event.id.partition(":")
    return event.at, writer, int(serial) if serial.isdigit() else 0


def _hash(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _now() -> datetime:
    return datetime.now(UTC)
