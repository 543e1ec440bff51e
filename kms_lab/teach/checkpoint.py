"""Checkpoints: a lesson's world, saved so that a lost kernel loses nothing.

Each session (one ``open_lesson``) writes files of its own, so a new session never overwrites what an older
one left::

    HOME/checkpoints/03-<session>.world.json    the world, replaced whole each time
    HOME/checkpoints/03-<session>.json          what it belongs to: lesson, seed, where the lesson's log began

A saved world holds key material; it is only simulated, and stays in the learner's own folder.
"""

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kms_lab.lab import Lab, write_atomically

FORMAT = "kms_lab checkpoint 1"
KEPT = 5


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A saved world of one session.

    Attributes:
        path: the file with the world.
        saved: when, by the real clock (aware UTC).
        seed: the seed its lesson was opened with.
    """

    path: Path
    saved: datetime
    seed: int

    def load(self) -> Lab:
        """Return the lab as it was.

        Raises:
            ValueError: the file is not a saved world of this version.
        """
        return Lab.load(self.path)


class Keeper:
    """Saves one session's world whenever it has changed."""

    def __init__(self, folder: Path, lesson: str, seed: int, lab: Lab) -> None:
        self._folder = folder / "checkpoints"
        self._lesson = lesson
        self._about = {"format": FORMAT, "lesson": lesson, "seed": seed}
        self._name = f"{lesson}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(3)}"
        self._saved = mark(lab)
        self._begun = False

    def save(self, lab: Lab) -> bool:
        """Save the lab's world if it has changed since the last time; say whether it had."""
        now = mark(lab)
        if now == self._saved:
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        world = self._folder / f"{self._name}.world.json"
        if not self._begun:  # the description first: a world without one would be nobody's
            write_atomically(self._folder / f"{self._name}.json", json.dumps(self._about))
            self._begun = True
        lab.save(world)
        self._saved = now
        self._prune()
        return True

    def earlier(self) -> list[Checkpoint]:
        """Return the checkpoints that other sessions of this lesson left, newest first."""
        return [one for one in checkpoints(self._folder, self._lesson) if not one.path.name.startswith(self._name)]

    def _prune(self) -> None:
        for old in checkpoints(self._folder, self._lesson)[KEPT:]:
            old.path.unlink(missing_ok=True)
            _description(old.path).unlink(missing_ok=True)


def checkpoints(folder: Path, lesson: str) -> list[Checkpoint]:
    """Return a lesson's checkpoints, newest first. A damaged description is passed over."""
    found = []
    for world in folder.glob(f"{lesson}-*.world.json"):
        try:
            about = json.loads(_description(world).read_text("utf-8"))
            saved = datetime.fromtimestamp(world.stat().st_mtime, UTC)
            found.append(Checkpoint(world, saved, int(about["seed"])))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return sorted(found, key=lambda one: (one.saved, one.path.name), reverse=True)


def mark(lab: Lab) -> tuple[Any, ...]:
    """Return what changes whenever the world does: calls are logged, time moves, identities are put."""
    world = lab.world
    identities = tuple(
        (arn, identity.policies, tuple(identity.tags.items())) for arn, identity in world.identities.items()
    )
    return len(world.log), world.clock.now, identities


def _description(world: Path) -> Path:
    return world.with_name(world.name.removesuffix(".world.json") + ".json")
