"""One file for the state of a served world: kept up to date, whole at every moment, and never by two servers at once.

A change is on disk about a second later, and at once when the server is stopped. A process that is killed, or a machine
that loses power, loses what was done since the last writing, and never what was written.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kms_lab.core.errors import LabError
from kms_lab.doors.wire import turn

#: the shortest time between two writings
EVERY_SECONDS = 1.0
#: a large world takes long to write; it is written less often, so that writing takes this part of the time at most
_SHARE = 0.1


class Keeper:
    """Writes a world soon after it changed, in a thread of its own.

    Args:
        save: writes the whole state, at once or not at all; called with ``wire.turn`` held.
        report: told in words when writing fails. It is tried again, until ``close`` says how it ended.
    """

    def __init__(self, save: Callable[[], object], report: Callable[[str], object]) -> None:
        self._save, self._report = save, report
        self._pause = EVERY_SECONDS
        self._changed = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kms-lab state", daemon=True)
        self._thread.start()

    def changed(self) -> None:
        """Say that the world is not as it was written. Call it with ``wire.turn`` held."""
        self._changed = True

    def close(self) -> None:
        """Write what is not yet written, and stop.

        Raises:
            OSError: it could not be written.
        """
        self._stop.set()
        self._thread.join()
        if self._changed:
            self._write()

    def _run(self) -> None:
        failed = False
        while not self._stop.wait(self._pause):
            if not self._changed:
                continue
            try:
                self._write()
                failed = False
            except Exception as error:
                if not failed:
                    self._report(f"the state could not be written, and will be tried again: {error}")
                failed = True

    def _write(self) -> None:
        with turn:
            begin = time.monotonic()
            self._save()
            self._changed = False
            self._pause = max(EVERY_SECONDS, (time.monotonic() - begin) / _SHARE)


@contextmanager
def sole_user(path: Path) -> Iterator[None]:
    """Hold a state file for this process alone. The operating system lets go of it, however the process ends.

    The lock is on a file beside it, ``.NAME.lock``, which stays: the state file itself is replaced at every writing.

    Raises:
        LabError: another process holds it.
        OSError: no file can be made there, or a link is in its place.
    """
    with open(path.with_name(f".{path.name}.lock"), "ab", opener=_own_file) as file:
        try:
            _lock(file)
        except OSError as error:
            raise LabError(f"{path} is in use by another server") from error
        yield


def _own_file(path: str, flags: int) -> int:
    """Open a file that others cannot read, and no link: that could lead to any file."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


__all__ = ["EVERY_SECONDS", "Keeper", "sole_user"]
