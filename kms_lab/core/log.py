"""The append-only log: one entry for every call and for everything the clock did. Audit, bill and timeline read it.

Entries are columns of small integers, not objects: a million of them fit in tens of megabytes and become a
DataFrame without a loop. Texts that recur (principals, keys, request parameters) are kept once, in side tables;
encryption contexts, which may all differ, as bytes in one heap. No secret is ever given to it.
"""

import base64
import json
import zlib
from array import array
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

_CACHED_TEXTS = 4096
_COLUMNS = {
    "at_us": "q",
    "operation": "B",
    "principal": "I",
    "region": "B",
    "key": "I",
    "error": "B",
    "context": "I",
    "request": "I",
    "material": "I",
}


class Table:
    """Values kept once and known by their number; number 0 is None."""

    __slots__ = ("_numbers", "values")

    def __init__(self, values: list[Any] | None = None) -> None:
        self.values: list[Any] = values if values is not None else [None]
        self._numbers: dict[Hashable, int] = {value: number for number, value in enumerate(self.values)}

    def number(self, value: Hashable) -> int:
        """Return the value's number, giving it the next one if it is new."""
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = len(self.values)
            self.values.append(value)
        return number

    def copy(self) -> "Table":
        return Table(list(self.values))


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
        return Contexts(bytes(self._heap), self._ends.tobytes())

    def to_data(self) -> list[str]:
        return [_pack(bytes(self._heap)), _pack(self._ends.tobytes())]

    @classmethod
    def from_data(cls, data: list[str]) -> "Contexts":
        return cls(_unpack(data[0]), _unpack(data[1]))


class Json(str):
    """A nested request value (tags, a policy) as JSON text, so that it can be kept in a table."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, read back. What it means in CloudTrail's terms is for ``views.audit`` to say.

    Attributes:
        operation: an operation's name, or that of a service event such as ``RotateKey``.
        principal: the caller's ARN; None for what AWS did by itself.
        key: ARN of the key that was meant; None where there is none or it was never found.
        error: the error's code, or None for a success.
        context: the encryption context.
        request: the request's other parameters that may be shown, by AWS's member names.
        material: id of the key material used.
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
    more: dict[str, Any] = field(default_factory=dict)


class Log:
    """The log of one world."""

    __slots__ = (
        "_salt", "contexts", "errors", "fields", "keys", "materials", "more", "operations", "principals", "regions",
        "requests", *_COLUMNS,
    )  # fmt: skip

    at_us: "array[int]"
    operation: "array[int]"
    principal: "array[int]"
    region: "array[int]"
    key: "array[int]"
    error: "array[int]"
    context: "array[int]"
    request: "array[int]"
    material: "array[int]"

    def __init__(self, salt: bytes) -> None:
        self._salt = salt.hex()
        for name, code in _COLUMNS.items():
            setattr(self, name, array(code))
        self.operations, self.principals, self.regions = Table(), Table(), Table()
        self.keys, self.errors, self.requests, self.materials = Table(), Table(), Table(), Table()
        self.contexts = Contexts()
        #: by operation number, the member names that its request tuples hold
        self.fields: dict[int, tuple[str, ...]] = {}
        #: what few entries have, by index
        self.more: dict[int, dict[str, Any]] = {}

    def __len__(self) -> int:
        return len(self.at_us)

    def append(
        self,
        at_us: int,
        operation: str,
        region: str,
        *,
        fields: tuple[str, ...] = (),
        params: Mapping[str, Any] | None = None,
        principal: str | None = None,
        key: str | None = None,
        error: str | None = None,
        context: Mapping[str, str] | None = None,
        material: str | None = None,
        more: dict[str, Any] | None = None,
    ) -> int:
        """Add one entry and return its index.

        ``fields`` names the request members that may be shown; of ``params`` nothing else is kept.
        """
        number = self.operations.number(operation)
        if number not in self.fields:
            self.fields[number] = fields
        index = len(self.at_us)
        self.at_us.append(at_us)
        self.operation.append(number)
        self.region.append(self.regions.number(region))
        self.principal.append(self.principals.number(principal))
        self.key.append(self.keys.number(key))
        self.error.append(self.errors.number(error))
        self.context.append(self.contexts.number(context) if context else 0)
        self.request.append(self._request_number(fields, params) if params else 0)
        self.material.append(self.materials.number(material))
        if more:
            self.more[index] = more
        return index

    def entry(self, index: int) -> Entry:
        """Return one entry; negative indexes count from the end.

        Raises:
            IndexError: there is no such entry.
        """
        index = range(len(self))[index]
        number = self.operation[index]
        values = self.requests.values[self.request[index]] or ()
        request = {
            name: json.loads(value) if isinstance(value, Json) else value
            for name, value in zip(self.fields[number], values)
            if value is not None
        }
        return Entry(
            index,
            self.at_us[index],
            self.operations.values[number],
            self.principals.values[self.principal[index]],
            self.regions.values[self.region[index]],
            self.keys.values[self.key[index]],
            self.errors.values[self.error[index]],
            self.contexts.get(self.context[index]),
            request,
            self.materials.values[self.material[index]],
            self.more.get(index, {}),
        )

    def request_id(self, index: int) -> str:
        """Return the request id that AWS would give an entry."""
        salt = self._salt
        return f"{salt[:8]}-{salt[8:12]}-4{salt[13:16]}-8{salt[17:20]}-{index:012x}"

    def event_id(self, index: int) -> str:
        """Return the CloudTrail event id of an entry."""
        salt = self._salt[::-1]
        return f"{salt[:8]}-{salt[8:12]}-4{salt[13:16]}-9{salt[17:20]}-{index:012x}"

    def copy(self) -> "Log":
        return Log.from_data(self.to_data(packed=False), packed=False)

    def to_data(self, packed: bool = True) -> dict[str, Any]:
        """Return everything as plain data; ``packed`` for JSON, else with the columns as bytes."""
        pack = _pack if packed else bytes
        return {
            "salt": self._salt,
            "columns": {name: pack(getattr(self, name).tobytes()) for name in _COLUMNS},
            "tables": {
                "operations": list(self.operations.values),
                "principals": list(self.principals.values),
                "regions": list(self.regions.values),
                "keys": list(self.keys.values),
                "errors": list(self.errors.values),
                "materials": list(self.materials.values),
                "requests": [_plain(values) for values in self.requests.values]
                if packed
                else list(self.requests.values),
            },
            "contexts": self.contexts.to_data() if packed else self.contexts.copy(),
            "fields": [[number, list(names)] for number, names in self.fields.items()],
            "more": [[index, dict(more)] for index, more in self.more.items()],
        }

    @classmethod
    def from_data(cls, data: dict[str, Any], packed: bool = True) -> "Log":
        log = cls(bytes.fromhex(data["salt"]))
        for name, code in _COLUMNS.items():
            column = data["columns"][name]
            setattr(log, name, array(code, _unpack(column) if packed else column))
        for name, values in data["tables"].items():
            if name == "requests" and packed:
                values = [_frozen(row) for row in values]
            setattr(log, name, Table(values))
        log.contexts = Contexts.from_data(data["contexts"]) if packed else data["contexts"]
        log.fields = {number: tuple(names) for number, names in data["fields"]}
        log.more = dict(data["more"])
        return log

    def _request_number(self, fields: tuple[str, ...], params: Mapping[str, Any]) -> int:
        values = tuple(map(params.get, fields))
        try:
            return self.requests.number(values)
        except TypeError:  # a list or a dict among them
            return self.requests.number(tuple(map(_hashable, values)))


def _hashable(value: Any) -> Hashable:
    if isinstance(value, dict | list | tuple):
        return Json(json.dumps(value, default=str))
    return str(value) if not isinstance(value, Hashable) else value


def _plain(values: tuple[Any, ...] | None) -> list[Any] | None:
    if values is None:
        return None
    return [{"json": str(value)} if isinstance(value, Json) else value for value in values]


def _frozen(row: list[Any] | None) -> tuple[Any, ...] | None:
    if row is None:
        return None
    return tuple(Json(value["json"]) if isinstance(value, dict) else value for value in row)


def _pack(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 1)).decode()


def _unpack(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))
