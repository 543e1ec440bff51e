"""Ways to spoil things: bytes, texts, JSON values and documents, and request parameters by AWS's model."""

import copy
import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone

from kms_lab.core import model

SURROGATE = "\ud800"
TEXTS = (
    "", " ", "a", "*", "\0", "\n", "é", "ÿ", "٣", "𝟙", "\u202e", "\ufffe", "\U0010ffff", SURROGATE, f"a{SURROGATE}b",
    "null", "true", "1e999", "%s%n", "${aws:username}", "${", "alias/", "alias/aws/s3", "aws:tag", "default", "mrk-",
    "arn:aws:kms:us-east-1:111122223333:key/", "arn:aws:iam::111122223333:root", "arn::::::", ":" * 20, "/" * 20,
    "a" * 129, "a" * 257, "a" * 2049, "a" * 8193, "é" * 20_000, "0" * 36, "9" * 5000,
    "00000000-0000-0000-0000-000000000000",
)  # fmt: skip
NUMBERS = (
    0,
    1,
    -1,
    2,
    7,
    30,
    50,
    90,
    100,
    101,
    1000,
    1001,
    2560,
    2**31,
    2**32,
    -(2**31),
    2**63,
    -(2**63),
    2**64,
    10**30,
)
TIMES = (
    datetime.min,
    datetime.max,
    datetime(2026, 1, 1, 9),
    datetime(2026, 3, 1),
    datetime(2026, 3, 1, tzinfo=UTC),
    datetime(2026, 1, 2, 23, tzinfo=timezone(timedelta(hours=-23, minutes=-59))),
    datetime.min.replace(tzinfo=UTC),
    datetime.min.replace(tzinfo=timezone(timedelta(hours=23))),
    datetime.max.replace(tzinfo=timezone(-timedelta(hours=23))),
    datetime(2026, 6, 1, tzinfo=UTC),
)
BLOBS = (b"", b"\0", b"a", b"a" * 16, b"a" * 32, b"a" * 256, b"a" * 4096, b"a" * 4097, b"a" * 6145, b"a" * 200_000)
#: what JSON can say
PLAIN = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    -0.0,
    1e300,
    10**30,
    "",
    "a",
    SURROGATE,
    [],
    [None],
    [[]],
    {},
    {"": ""},
    {"a": None},
)
#: what only Python can
ODD = (
    float("nan"),
    float("inf"),
    b"",
    b"a",
    (),
    ("a",),
    {1: 2},
    {"a": b"a"},
    {None: None},
    TIMES[0],
    object,
    {"a"},
    1j,
)

Spoil = Callable[[bytearray, random.Random, Sequence[bytes]], object]


# ------------------------------------------------------------------------------ bytes


def _flip(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    for _ in range(chance.randint(1, 4)):
        if data:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _truncate(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    del data[chance.randrange(len(data) + 1) :]


def _behead(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    del data[: chance.randrange(len(data) + 1)]


def _cut(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    place = chance.randrange(len(data) + 1)
    del data[place : place + chance.choice((1, 1, 2, 8, 16, 40))]


def _insert(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    place = chance.randrange(len(data) + 1)
    data[place:place] = chance.randbytes(chance.choice((1, 1, 2, 16, 300)))


def _repeat(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    place = chance.randrange(len(data) + 1)
    data[place:place] = data[place : place + chance.randrange(80)]


def _length(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    """Write over what may be a length."""
    size = chance.choice((1, 2, 2, 4, 8))
    if len(data) > size:
        place = chance.randrange(len(data) - size)
        value = chance.choice((0, 1, len(data), len(data) - 1, 127, 128, 255, 256, 2**16 - 1, 2**31, 2**64 - 1))
        data[place : place + size] = (value % 256**size).to_bytes(size, "big")


def _splice(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    """Go on as another does, at the same place or anywhere."""
    other = chance.choice(others)
    place = chance.randrange(len(data) + 1)
    data[place:] = other[place:] if chance.random() < 0.7 else other[chance.randrange(len(other) + 1) :]


def _header(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    """Begin as another does: the marks, ids or nonce of another."""
    end = chance.choice((8, 9, 15, 31, 63, 65, 77, chance.randrange(1, 80)))
    data[:end] = chance.choice(others)[:end]


def _graft(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    """Take a stretch of another into the same place."""
    other = chance.choice(others)
    start = chance.randrange(len(data) + 1)
    end = start + chance.choice((1, 2, 6, 16, 32))
    data[start:end] = other[start:end]


def _overwrite(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    data[:] = chance.choice((b"", b"\0", bytes(len(data)), b"\xff" * len(data), chance.randbytes(len(data))))


SPOILS: tuple[Spoil, ...] = (
    _flip, _flip, _truncate, _behead, _cut, _insert, _repeat, _length, _splice, _header, _graft, _overwrite
)  # fmt: skip


def spoiled(data: bytes, chance: random.Random, others: Sequence[bytes] = ()) -> bytes:
    """Return bytes after one to three changes, some of them taken from ``others``; now and then they are as before."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        chance.choice(SPOILS)(changed, chance, others or (data,))
    return bytes(changed)


def spoiled_text(text: str, chance: random.Random, others: Sequence[str] = ()) -> str:
    """Return a text after one to three changes of characters, or as bytes that were read wrongly."""
    if chance.random() < 0.3:
        return spoiled(text.encode("utf-8", "surrogatepass"), chance).decode("latin-1")
    for _ in range(chance.choice((1, 1, 2, 3))):
        place = chance.randrange(len(text) + 1)
        match chance.randrange(5):
            case 0:
                text = text[:place] + chance.choice(TEXTS) + text[place:]
            case 1:
                text = text[:place] + text[place + chance.choice((1, 1, 5, 30)) :]
            case 2:
                text = text[:place] + chance.choice("aZ09*?/-=:{}[]\",'\\ ") + text[place + 1 :]
            case 3:
                text = text[:place] + text[place:].swapcase()
            case _:
                other = chance.choice(others or (text,))
                text = text[:place] + other[place:]
    return text


# ------------------------------------------------------------------------------ JSON


def places(value: object) -> list[tuple[object, object]]:
    """Return every container in a JSON value with every key or index in it."""
    found: list[tuple[object, object]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        found += [(value, name), *places(item)]
    return found


def spoil_json(value: object, chance: random.Random, words: Sequence[str]) -> object:
    """Return a JSON value after one to four changes of its structure; ``words`` are texts that mean something in it."""
    root = [json.loads(json.dumps(value))]
    for _ in range(chance.choice((1, 1, 2, 4))):
        box, name = chance.choice(places(root))
        item = box[name]
        match chance.randrange(9):
            case 0:
                box[name] = copy.deepcopy(chance.choice(PLAIN))
            case 1:
                box[name] = chance.choice(words)
            case 2 if isinstance(box, dict):
                del box[name]
            case 3 if isinstance(box, dict):
                box[chance.choice((*words, *TEXTS))] = box.pop(name)
            case 4:
                box[name] = [item] if chance.random() < 0.7 else {chance.choice(words): item}
            case 5 if isinstance(item, str):
                box[name] = spoiled_text(item, chance, words)
            case 6 if isinstance(item, list):
                item *= chance.choice((0, 2, 50))
            case 7:
                other, there = chance.choice(places(root))
                box[name] = json.loads(json.dumps(other[there]))
            case _:
                box[name] = chance.choice((*words, *TEXTS))
    return root[0]


def spoiled_json_text(value: object, chance: random.Random, words: Sequence[str]) -> str:
    """Return JSON text, changed in its structure, as text, or both: duplicate names and towers of brackets too."""
    kind = chance.randrange(20)
    if kind <= 1:
        depth = chance.choice((10, 100, 300, 900, 1000, 10_000))
        opener, closer = chance.choice((("[", "]"), ('{"Statement":', "}"), ('{"a":', "}"), ('{"":[', "]}")))
        tower = opener * depth + "1" + (closer * depth if chance.random() < 0.8 else "")
        if kind == 0:
            return tower
        root = [json.loads(json.dumps(value))]
        box, name = chance.choice(places(root))
        box[name] = "a tower"
        return json.dumps(root[0]).replace('"a tower"', tower)
    text = json.dumps(spoil_json(value, chance, words) if kind > 4 else value, ensure_ascii=chance.random() < 0.8)
    if kind <= 7:
        text = spoiled_text(text, chance)
    elif kind == 8:  # a name that is there twice
        place = text.find(":", chance.randrange(len(text)))
        name = text[text.rfind('"', 0, max(place - 1, 0)) : place]
        text = text.replace(name + ":", f"{name}:{chance.choice(('null', '1', '[]'))},{name}:", 1) if name else text
    elif kind == 9:
        text = text.replace('"', chance.choice(("'", "", '""')), chance.choice((1, 2, -1)))
    elif kind == 10:
        text = chance.choice(("\ufeff", " ", "\n", "NaN", "[")) + text + chance.choice(("", "\0", ",", "x", " " * 1000))
    return text


# ------------------------------------------------------------------------------ request parameters


class Params:
    """Makes values by the shapes of AWS's model.

    Args:
        pool: by shape, values that mean something where they are sent.
        odd: may a value be one that JSON cannot say?
    """

    def __init__(self, chance: random.Random, pool: dict[str, Sequence[object]], odd: bool) -> None:
        self.chance, self.pool = chance, pool
        self.strange = PLAIN + ODD if odd else PLAIN

    def spoiled(self, operation: str, params: dict[str, object]) -> dict[str, object]:
        """Return a valid request after one to three changes; now and then one that has nothing to do with it."""
        chance, members = self.chance, model.operation(operation).members
        changed = {} if chance.random() < 0.15 else dict(params)
        for name in chance.choices(sorted(members) or ["Unknown"], k=chance.choice((1, 1, 2, 3))):
            kind = chance.randrange(10)
            if kind == 0:
                changed.pop(name, None)
            elif kind == 1:
                changed[name] = chance.choice(self.strange)
            elif kind == 2:
                changed[chance.choice(("Unknown", name.lower(), "", *TEXTS[:4]))] = chance.choice(self.strange)
            else:
                changed[name] = self.like(members.get(name, "KeyIdType"), changed.get(name))
        return changed

    def like(self, shape: str, value: object) -> object:
        """Return a value near a given one, or any of the shape."""
        chance = self.chance
        if isinstance(value, bytes) and chance.random() < 0.6:
            return spoiled(value, chance, [one for one in self.pool.get(shape, ()) if isinstance(one, bytes)])
        if isinstance(value, str) and chance.random() < 0.4:
            return spoiled_text(value, chance)
        return self.value(shape)

    def value(self, shape: str, depth: int = 0) -> object:
        """Return a value of a shape, of the right type most of the time."""
        chance, data = self.chance, model.load()["shapes"][shape]
        if chance.random() < 0.04 or depth > 6:
            return chance.choice(self.strange)
        if shape in self.pool and chance.random() < 0.7:
            return chance.choice(self.pool[shape])
        match data["type"]:
            case "structure":
                members = data["members"]
                names = [name for name in members if name in data.get("required", ()) or chance.random() < 0.5]
                return {name: self.value(members[name]["shape"], depth + 1) for name in names}
            case "list":
                count = chance.choice((0, 1, 1, 2, 3, data.get("max", 3) + 1))
                return [self.value(data["member"]["shape"], depth + 1) for _ in range(min(count, 60))]
            case "map":
                pairs = range(chance.choice((0, 1, 2, 9)))
                return {
                    str(self.value(data["key"]["shape"], 7 if depth > 5 else 5)): self.value(data["value"]["shape"], 5)
                    for _ in pairs
                }
            case "string":
                return chance.choice(data["enum"] if "enum" in data and chance.random() < 0.8 else TEXTS)
            case "blob":
                return chance.choice(BLOBS)
            case "integer":
                return chance.choice(NUMBERS)
            case "boolean":
                return chance.random() < 0.5
            case _:
                return chance.choice(TIMES)
