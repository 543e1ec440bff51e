"""The clock of a world: what time it is, and what is due later.

Entries on the heap are plain data ``(when, serial, kind, subject)``, so that a clock can be saved, copied and
rewound. What an entry does when it is due is the service's business (``service.pipeline``); the clock only says
which is next.

Time is an integer count of microseconds since 1970 UTC inside, and an aware ``datetime`` at the edges.
"""

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
_MICROSECOND = timedelta(microseconds=1)


def to_datetime(us: int) -> datetime:
    """Return aware UTC time from microseconds."""
    return EPOCH + timedelta(microseconds=us)


def to_us(moment: datetime) -> int:
    """Return microseconds from an aware time.

    Raises:
        TypeError: not a ``datetime``.
        ValueError: the time has no zone, so nobody can know which moment is meant.
    """
    if not isinstance(moment, datetime):
        raise TypeError(f"{moment!r} is not a datetime; write datetime(2027, 1, 1, tzinfo=timezone.utc)")
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone; write datetime(..., tzinfo=timezone.utc)")
    return (moment - EPOCH) // _MICROSECOND


def read_us(moment: datetime | float | str) -> int:
    """Return microseconds from a time in any form that boto3 takes: a ``datetime``, seconds since 1970, or ISO text.

    A time without a zone is taken as UTC, as boto3 takes it.

    Raises:
        ValueError: the text is no time, or it is a time beyond what a ``datetime`` in UTC can be.
    """
    if isinstance(moment, str):
        moment = _read_text(moment)
    try:
        if isinstance(moment, datetime):
            return to_us(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC))
        return to_us(EPOCH + timedelta(seconds=moment))
    except OverflowError:
        what = moment if isinstance(moment, datetime) else f"{moment} seconds since 1970"
        raise ValueError(f"{what} is no time that there is") from None


def _read_text(text: str) -> datetime | float:
    try:
        return float(text)
    except ValueError:
        return datetime.fromisoformat(text)


def iso_text(us: int) -> str:
    """Return a time as ISO 8601 writes it in UTC, to the second.

    >>> iso_text(0)
    '1970-01-01T00:00:00Z'
    """
    return to_datetime(us).strftime("%Y-%m-%dT%H:%M:%SZ")


class Due(NamedTuple):
    """One entry of the clock: at ``when_us``, do ``kind`` to ``subject``. Equal instants keep their order of entry."""

    when_us: int
    serial: int
    kind: str
    subject: str


class Clock:
    """What time it is. It moves only when somebody moves it."""

    __slots__ = ("_due", "_now", "_serial", "now_us")

    def __init__(self, now_us: int) -> None:
        self.now_us = now_us
        self._now: datetime | None = None  # made when somebody asks
        self._due: list[Due] = []
        self._serial = 0

    @property
    def now(self) -> datetime:
        """The simulated time, aware UTC."""
        if self._now is None:
            self._now = to_datetime(self.now_us)
        return self._now

    @property
    def pending(self) -> list[Due]:
        """What is due later, soonest first."""
        return sorted(self._due)

    def schedule(self, when_us: int, kind: str, subject: str) -> None:
        """Enter something for later. An entry in the past is due at once, at the next move of the clock."""
        self._serial += 1
        heapq.heappush(self._due, Due(when_us, self._serial, kind, subject))

    def advance(self, until_us: int) -> Iterator[Due]:
        """Move to ``until_us``, stopping at each entry on the way: the clock shows its instant while it is handled.

        Raises:
            ValueError: ``until_us`` lies in the past.
        """
        if until_us < self.now_us:
            raise ValueError(
                f"the clock shows {self.now:%Y-%m-%d %H:%M:%S} UTC and only moves forward; "
                "to go back, rewind to a bookmark or start a new lab"
            )
        while self._due and self._due[0].when_us <= until_us:
            entry = heapq.heappop(self._due)
            self._set(max(entry.when_us, self.now_us))
            yield entry
        self._set(until_us)

    def put_back(self, entry: Due) -> None:
        """Enter again what ``advance`` took off, because it could not be done."""
        heapq.heappush(self._due, entry)

    def copy(self) -> "Clock":
        twin = Clock(self.now_us)
        twin._due, twin._serial = list(self._due), self._serial
        return twin

    def to_data(self) -> dict[str, object]:
        return {"now_us": self.now_us, "serial": self._serial, "due": [list(entry) for entry in self.pending]}

    @classmethod
    def from_data(cls, data: dict[str, object]) -> "Clock":
        clock = cls(int(str(data["now_us"])))
        clock._serial = int(str(data["serial"]))
        entries = data["due"]
        assert isinstance(entries, list)
        clock._due = [Due(*entry) for entry in entries]
        return clock

    def _set(self, now_us: int) -> None:
        if now_us != self.now_us:
            self.now_us = now_us
            self._now = None
