"""The append-only log: one entry for every call and for everything the clock did. Audit, bill and timeline read it.

An entry is three small integers: when, what, and with which encryption context. "What" is the number of a happening:
operation, Region, caller, key, error, material and request, kept once however often it happens. So a million entries
fit in tens of megabytes and become a DataFrame without a loop over them. Contexts, which may all differ, are bytes in
one heap. No secret is ever given to the log.
"""

import base64
import json
import zlib
from array import array
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from kms_lab.core.clock import iso_text, read_us

_CACHED_TEXTS = 4096


class Happening(NamedTuple):
    """What happened, apart from when and with which context.

    Attributes:
        operation: an operation's name, or that of a service event such as ``RotateKey``.
        principal: the caller's ARN; None for what AWS did by itself.
        key: ARN of the key that was meant; None where there is none or it was never found.
        error: the error's code, or None for a success.
        material: id of the key material used.
        via: the AWS service that made the call on the caller's behalf, such as ``s3``; "" where the caller made it.
        request: values of the request's members that may be shown, as ``Log.fields`` names them.
    """

    operation: str
    region: str
    principal: str | None
    key: str | None
    error: str | None
    material: str | None
    via: str
    request: tuple[Any, ...]


class Contexts:
    """Encryption contexts as JSON in one heap of bytes; those used lately are recognised and not written twice."""

    __slots__ = ("_ends", "_heap", "_recent")

    def __init__(self, heap: bytes = b"", ends: bytes = bytes(8)) -> None:
        self._heap = bytearray(heap)
        self._ends = array("Q", ends)
        self._recent: dict[tuple[tuple[str, str], ...], int] = {}

    def __len__(self) -> int:
        """How many there are, number 0 (no context) included."""
        return len(self._ends)

    def number(self, context: Mapping[str, str] | None) -> int:
        if not context:
            return 0
        pairs = tuple(context.items())
        number = self._recent.get(pairs)
        if number is None:
            if len(self._recent) >= _CACHED_TEXTS:
                self._recent.clear()
            number = self._recent[pairs] = len(self._ends)
            self._heap += json.dumps(context, separators=(",", ":")).encode()
            self._ends.append(len(self._heap))
        return number

    def text(self, number: int) -> str:
        """Return a context as JSON text; "" for none."""
        return self._heap[self._ends[number - 1] : self._ends[number]].decode() if number else ""

    def get(self, number: int) -> dict[str, str] | None:
        return json.loads(self.text(number)) if number else None

    def copy(self) -> "Contexts":
        twin = Contexts(bytes(self._heap), self._ends.tobytes())
        twin._recent = dict(self._recent)
        return twin

    def to_data(self) -> list[str]:
        return [_pack(bytes(self._heap)), _pack(self._ends.tobytes())]

    @classmethod
    def from_data(cls, data: list[str]) -> "Contexts":
        contexts = cls(_unpack(data[0]), _unpack(data[1]))
        last = len(contexts) - 1
        for number in range(last - (last - 1) % _CACHED_TEXTS, last + 1) if last else ():  # since it last forgot
            contexts._recent[tuple((contexts.get(number) or {}).items())] = number
        return contexts


class Json(str):
    """A nested request value (tags, a policy) as JSON text, so that it can be kept in a table."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, read back. What it means in CloudTrail's terms is for ``views.audit`` to say.

    The attributes are those of ``Happening``, with the request as a dictionary, and besides:
        context: the encryption context.
        more: whatever only this kind of entry has, such as ReEncrypt's second key or the message of an error.
    """

    index: int
    at_us: int
    operation: str
    principal: str | None
    region: str
    key: str | None
    error: str | None
    context: dict[str, str] | None
    request: dict[str, Any]
    material: str | None
    via: str = ""
    more: dict[str, Any] = field(default_factory=dict)


class Log:
    """The log of one world.

    Attributes:
        at_us, what, context: the columns, as long as the log; ``what`` indexes ``happenings``, ``context`` numbers
            ``contexts``.
        fields: by operation, the request members that its happenings show.
        more: what few entries have, by index. Records may be shared, and are never changed once their call is over.
    """

    __slots__ = (
        "_numbers",
        "_request_prefix",
        "_salt",
        "at_us",
        "context",
        "contexts",
        "fields",
        "happenings",
        "more",
        "what",
    )

    def __init__(self, salt: bytes) -> None:
        self._salt = digits = salt.hex()
        self._request_prefix = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-"
        self.at_us, self.what, self.context = array("q"), array("I"), array("I")
        self.happenings: list[Happening] = []
        self._numbers: dict[tuple[Any, ...], int] = {}
        self.contexts = Contexts()
        self.fields: dict[str, tuple[str, ...]] = {}
        self.more: dict[int, dict[str, Any]] = {}

    def __len__(self) -> int:
        return len(self.at_us)

    def append(
        self,
        at_us: int,
        operation: str,
        region: str,
        principal: str | None = None,
        key: str | None = None,
        error: str | None = None,
        material: str | None = None,
        fields: tuple[str, ...] = (),
        params: Mapping[str, Any] | None = None,
        context: Mapping[str, str] | None = None,
        more: dict[str, Any] | None = None,
        via: str = "",
    ) -> int:
        """Add one entry and return its index.

        ``fields`` names the request members that may be shown; of ``params`` nothing else is kept.
        """
        shown = self.fields.get(operation)  # as this log began, even if it was saved by another version of the lab
        if shown is None:
            shown = self.fields[operation] = fields
        request = tuple(map(params.get, shown)) if params else ()
        try:
            number = self._numbers.get((operation, region, principal, key, error, material, via, request))
        except TypeError:  # a list or a dict in the request
            number, request = None, tuple(map(_hashable, request))
        if number is None:
            request = tuple(map(_undated, request))
            number = self._numbers.get((operation, region, principal, key, error, material, via, request))
        if number is None:
            number = len(self.happenings)
            what = Happening(operation, region, principal, key, error, material, via, request)
            self.happenings.append(what)
            self._numbers[what] = number
        index = len(self.at_us)
        self.at_us.append(at_us)
        self.what.append(number)
        self.context.append(self.contexts.number(context) if context else 0)
        if more:
            self.more[index] = more
        return index

    def entry(self, index: int) -> Entry:
        """Return one entry; negative indexes count from the end.

        Raises:
            IndexError: there is no such entry.
        """
        index = range(len(self))[index]
        what = self.happenings[self.what[index]]
        request = {
            name: json.loads(value) if isinstance(value, Json) else value
            for name, value in zip(self.fields[what.operation], what.request)
            if value is not None
        }
        return Entry(
            index,
            self.at_us[index],
            what.operation,
            what.principal,
            what.region,
            what.key,
            what.error,
            self.contexts.get(self.context[index]),
            request,
            what.material,
            what.via,
            self.more.get(index, {}),
        )

    def request_id(self, index: int) -> str:
        """Return the request id that AWS would give an entry."""
        return f"{self._request_prefix}{index:012x}"

    def event_id(self, index: int) -> str:
        """Return the CloudTrail event id of an entry."""
        salt = self._salt[::-1]
        return f"{salt[:8]}-{salt[8:12]}-4{salt[13:16]}-9{salt[17:20]}-{index:012x}"

    def copy(self) -> "Log":
        twin = Log(bytes.fromhex(self._salt))
        twin.at_us, twin.what, twin.context = self.at_us[:], self.what[:], self.context[:]
        twin.happenings = list(self.happenings)
        twin._numbers = dict(self._numbers)
        twin.contexts = self.contexts.copy()
        twin.fields = dict(self.fields)
        twin.more = dict(self.more)
        return twin

    def to_data(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON."""
        return {
            "salt": self._salt,
            "columns": [_pack(column.tobytes()) for column in (self.at_us, self.what, self.context)],
            "happenings": [[*what[:-1], [_plain(value) for value in what.request]] for what in self.happenings],
            "contexts": self.contexts.to_data(),
            "fields": {name: list(members) for name, members in self.fields.items()},
            "more": [[index, dict(more)] for index, more in self.more.items()],
        }

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> "Log":
        log = cls(bytes.fromhex(data["salt"]))
        columns = [_unpack(column) for column in data["columns"]]
        log.at_us, log.what, log.context = array("q", columns[0]), array("I", columns[1]), array("I", columns[2])
        log.happenings = [Happening._make([*row[:-1], tuple(map(_from_plain, row[-1]))]) for row in data["happenings"]]
        log._numbers = {what: number for number, what in enumerate(log.happenings)}
        log.contexts = Contexts.from_data(data["contexts"])
        log.fields = {name: tuple(members) for name, members in data["fields"].items()}
        log.more = dict(data["more"])
        return log


@lru_cache(maxsize=_CACHED_TEXTS)
def _pairs(items: tuple[tuple[str, str], ...]) -> Json:
    """Return a map of texts as JSON: ReEncrypt has two encryption contexts, of which few are new."""
    return Json(json.dumps(dict(items)))


def _hashable(value: Any) -> Hashable:
    if isinstance(value, dict) and all(type(item) is str for item in value.values()):
        return _pairs(tuple(value.items()))
    if isinstance(value, dict | list | tuple):
        return Json(json.dumps(value, default=str))
    return str(value) if not isinstance(value, Hashable) else value


def _undated(value: Any) -> Any:
    """Return a time as text, so that the log can be saved and read back equal; anything else as it is."""
    return iso_text(read_us(value)) if isinstance(value, datetime) else value


def _plain(value: Any) -> Any:
    return {"json": str(value)} if isinstance(value, Json) else value


def _from_plain(value: Any) -> Any:
    if isinstance(value, list):  # a tuple of the caller's, before JSON made a list of it
        return tuple(value)
    return Json(value["json"]) if isinstance(value, dict) else value


def _pack(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 1)).decode()


def _unpack(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))
