"""Edits of JSON documents as data: RFC 6902 patches, of which ``add``, ``remove`` and ``replace`` are known.

A patched document shares what did not change with the one before; neither is ever changed in place.

Source: RFC 6902, "JavaScript Object Notation (JSON) Patch"; RFC 6901, "JSON Pointer".
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from typing import Any

#: one operation: ``{"op": "add", "path": "/identity_policies/-", "value": ...}``
Op = dict[str, Any]
#: where something stands: names of members and numbers of elements, from the outside in
Path = tuple[str | int, ...]


def pointer(path: Iterable[str | int]) -> str:
    """Write a path as a JSON Pointer.

    >>> pointer(("context", "aws:RequestTag/tenant", 0))
    '/context/aws:RequestTag~1tenant/0'
    """
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def add(path: Path, value: Any) -> Op:
    """Return the operation that adds a member or an element; a last part of ``-`` is the end of a list."""
    return {"op": "add", "path": pointer(path), "value": value}


def replace(path: Path, value: Any) -> Op:
    """Return the operation that puts a value in the place of another."""
    return {"op": "replace", "path": pointer(path), "value": value}


def remove(path: Path) -> Op:
    """Return the operation that takes a member or an element away."""
    return {"op": "remove", "path": pointer(path)}


def apply(document: Any, operations: Iterable[Op]) -> Any:
    """Return the document after the operations, one after the other.

    Raises:
        LookupError: a path leads nowhere.
        ValueError: an operation is none of the three.
    """
    for operation in operations:
        if operation["op"] not in ("add", "remove", "replace"):
            raise ValueError(f"no operation {operation['op']!r}")
        document = _changed(document, _parts(operation), operation)
    return document


def size(document: Mapping[str, Any], operations: Iterable[Op]) -> int:
    """Return how much operations change: the leaves (texts, numbers ...) that come or go, a changed one once."""
    operations = list(operations)
    homes = [_parts(operation)[:-1] for operation in operations]
    shared = [parts[0] for parts in takewhile(lambda parts: len(set(parts)) == 1, zip(*homes))]  # nothing else changes
    before, later = (Counter(_leaves(_at(whole, shared))) for whole in (document, apply(document, operations)))
    return max((before - later).total(), (later - before).total())


def _parts(operation: Op) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]


def _at(value: Any, parts: Iterable[str]) -> Any:
    for part in parts:
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def _changed(value: Any, parts: list[str], operation: Op) -> Any:
    if not parts:
        return operation["value"]
    first, *rest = parts
    if isinstance(value, list):
        number = len(value) if first == "-" else int(first)
        if number > len(value) or (number == len(value) and (rest or operation["op"] != "add")):
            raise IndexError(f"no element {first}")
        if rest:
            return [*value[:number], _changed(value[number], rest, operation), *value[number + 1 :]]
        new = [] if operation["op"] == "remove" else [operation["value"]]
        return [*value[:number], *new, *value[number + (operation["op"] != "add") :]]
    if not isinstance(value, Mapping) or (first not in value and (rest or operation["op"] != "add")):
        raise KeyError(first)
    if rest:
        return {**value, first: _changed(value[first], rest, operation)}
    if operation["op"] == "remove":
        return {name: other for name, other in value.items() if name != first}
    return {**value, first: operation["value"]}


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the leaves of a document with the names of the members that they are in; a list and its only element are
    alike."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, (*path, str(name)))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner, path)
    else:
        yield path, repr(value)
