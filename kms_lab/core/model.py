"""AWS's own model of KMS: members, required ones, lengths, patterns, enums, errors and documentation.

botocore ships the model as a JSON file; it is read directly, because importing botocore's loader costs
ten times as long. Nothing of it is typed here by hand. From it one check per operation is compiled on
first use: a tree of small functions that only say yes or no. Only when the answer is no does a second walk find
the words.

There are two refusals, as there are on AWS. What the SDK itself notices (unknown or missing members,
wrong types, too short) never leaves the client: ``Operation.client_problems``. The rest, and everything when no SDK
stands in between, is the service's: ``Operation.service_problems``.

Source: botocore's ``kms/2014-11-01/service-2.json``; wording, botocore's validator and recordings of AWS's answers.
"""

import gzip
import importlib.util
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from kms_lab.core.clock import read_us, to_datetime

Check = Callable[[Any], bool]
Shape = Mapping[str, Any]

#: request members that no message quotes, besides blobs and what the model calls sensitive: messages go to the log
_NEVER_QUOTED = frozenset({"grantToken", "grantTokens"})

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "list": (list, tuple),
    "map": (dict,),
    "structure": (dict,),
}
#: the types of a request's values once a door has let them through
_READ: dict[str, tuple[type, ...]] = {**_TYPES, "blob": (bytes,), "timestamp": (datetime,)}


@cache
def load() -> dict[str, Any]:
    """Return the whole model as botocore ships it, read once."""
    model: dict[str, Any] = json.loads(gzip.decompress(_home().joinpath("service-2.json.gz").read_bytes()))
    return model


@cache
def paginators() -> dict[str, dict[str, Any]]:
    """Return botocore's settings of the operations that answer page by page, by AWS's name."""
    pages: dict[str, dict[str, Any]] = json.loads(_home().joinpath("paginators-1.json").read_bytes())["pagination"]
    return pages


def _home() -> Path:
    """Where botocore keeps what it knows of KMS."""
    spec = importlib.util.find_spec("botocore")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("botocore carries AWS's model of KMS and is not installed: pip install boto3")
    return Path(spec.submodule_search_locations[0], "data", "kms", "2014-11-01")


@cache
def operation(name: str) -> "Operation":
    """Return the model of one operation, by AWS's name for it."""
    return Operation(name)


def operation_names() -> list[str]:
    """Return every operation that the installed model knows, in AWS's order."""
    return list(load()["operations"])


def snake_case(name: str) -> str:
    """Return boto3's method name for an operation.

    >>> snake_case("GenerateDataKeyWithoutPlaintext")
    'generate_data_key_without_plaintext'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


class Operation:
    """One operation of the model. ``accepts`` is the fast answer; the ``*_problems`` find the words."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._data: Shape = load()["operations"][name]
        self._input: Shape = _shape(self._data.get("input"))
        self._output: Shape = _shape(self._data.get("output"))
        #: members of the request, with the name of each one's shape
        self.members: dict[str, str] = {k: v["shape"] for k, v in self._input.get("members", {}).items()}
        self.required: tuple[str, ...] = tuple(self._input.get("required", ()))
        #: members of the response
        self.output_members: tuple[str, ...] = tuple(self._output.get("members", {}))
        #: names of the errors that AWS lists for the operation
        self.errors: tuple[str, ...] = tuple(e["shape"] for e in self._data.get("errors", ()))
        self.documentation: str = self._data.get("documentation", "")

    @cached_property
    def accepts(self) -> Check:
        """A function of the parameters: do they satisfy the model?"""
        return _structure_check(self._input)

    def client_problems(self, params: Mapping[str, Any]) -> list[str]:
        """Return what boto3 would refuse to send, in botocore's words."""
        return list(_client_problems(params, self._input, ""))

    def service_problems(self, params: Mapping[str, Any]) -> list[str]:
        """Return what KMS would refuse, one phrase for each violation, in AWS's words."""
        return list(_service_problems(params, self._input, ""))

    def read(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters without nulls and unknown members, as AWS's JSON reader leaves them out.

        Raises:
            TypeError: a value has not the type that the model gives it.
        """
        members: dict[str, Any] = _read(params, self._input)
        return members

    def coerced(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters as boto3 puts them on the wire: blobs given as text, bytearray or file become bytes,
        and times given as number or text become a ``datetime``."""
        return {name: _coerced(value, self.members.get(name)) for name, value in params.items()}

    def member_documentation(self, member: str) -> str:
        """Return AWS's HTML text on one member of the request."""
        text: str = self._input["members"][member].get("documentation", "")
        return text


def enum(shape: str) -> tuple[str, ...]:
    """Return the values of an enum, by the name of its shape."""
    return tuple(load()["shapes"][shape]["enum"])


def _shape(reference: Mapping[str, str] | None) -> Shape:
    if reference is None:
        return {"type": "structure", "members": {}}
    shape: Shape = load()["shapes"][reference["shape"]]
    return shape


def _coerced(value: Any, shape_name: str | None) -> Any:
    kind = None if shape_name is None else load()["shapes"][shape_name]["type"]
    if kind == "blob":
        return _as_bytes(value)
    return to_datetime(read_us(value)) if kind == "timestamp" else value


def _as_bytes(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    return value.read() if hasattr(value, "read") else value


def _read(value: Any, shape: Shape) -> Any:
    kind = shape["type"]
    fits = isinstance(value, _READ[kind]) and (kind != "timestamp" or _type_fits(value, kind))
    if not fits:
        raise TypeError(f"a value of type {type(value).__name__} stands where the model has a {kind}")
    match kind:
        case "structure":
            known = {name: item for name, item in value.items() if item is not None and name in shape["members"]}
            return {name: _read(item, _shape(shape["members"][name])) for name, item in known.items()}
        case "list":
            return [_read(item, _shape(shape["member"])) for item in value]
        case "map":
            key_shape, item_shape = _shape(shape["key"]), _shape(shape["value"])
            return {_read(key, key_shape): _read(item, item_shape) for key, item in value.items()}
    return value


# ------------------------------------------------------------------------------ the fast yes or no


def _check(shape: Shape) -> Check:
    match shape["type"]:
        case "structure":
            return _structure_check(shape)
        case "list":
            return _list_check(shape)
        case "map":
            return _map_check(shape)
        case "string":
            return _string_check(shape)
        case "blob":
            low, high = shape.get("min", 0), shape.get("max", 1 << 62)
            return lambda value: type(value) is bytes and low <= len(value) <= high
        case "integer":
            low, high = shape.get("min", -(1 << 62)), shape.get("max", 1 << 62)
            return lambda value: isinstance(value, int) and low <= value <= high
        case "boolean":
            return lambda value: value is True or value is False
        case "timestamp":
            return lambda value: isinstance(value, datetime) and _is_time(value)
    raise ValueError(f"the model has a shape of a new type: {shape['type']}")


def _structure_check(shape: Shape) -> Check:
    checks = {name: _check(_shape(ref)) for name, ref in shape.get("members", {}).items()}
    required = tuple(shape.get("required", ()))

    def check(value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        for name in required:
            if name not in value:
                return False
        try:
            for name, item in value.items():
                if not checks[name](item):
                    return False
        except KeyError:
            return False
        return True

    return check


def _list_check(shape: Shape) -> Check:
    member = _check(_shape(shape["member"]))
    low, high = shape.get("min", 0), shape.get("max", 1 << 62)
    return lambda value: isinstance(value, list | tuple) and low <= len(value) <= high and all(map(member, value))


def _map_check(shape: Shape) -> Check:
    key, item = _check(_shape(shape["key"])), _check(_shape(shape["value"]))
    if _is_any_text(_shape(shape["key"])) and _is_any_text(_shape(shape["value"])):
        return _is_text_to_text

    def check(value: Any) -> bool:
        return isinstance(value, dict) and all(map(key, value)) and all(map(item, value.values()))

    return check


def _is_any_text(shape: Shape) -> bool:
    return shape["type"] == "string" and not shape.keys() & {"enum", "min", "max", "pattern"}


def _is_text_to_text(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    for key, item in value.items():  # noqa: SIM110 - a generator costs as much as the whole loop
        if not isinstance(key, str) or not isinstance(item, str):
            return False
    return True


def _string_check(shape: Shape) -> Check:
    if "enum" in shape:
        allowed = frozenset(shape["enum"])
        return lambda value: isinstance(value, str) and value in allowed
    low, high = shape.get("min", 0), shape.get("max", 1 << 62)
    if "pattern" in shape:
        full = re.compile(shape["pattern"]).fullmatch
        return lambda value: isinstance(value, str) and low <= len(value) <= high and full(value) is not None
    if low == 0 and high == 1 << 62:
        return lambda value: isinstance(value, str)
    return lambda value: isinstance(value, str) and low <= len(value) <= high


# ------------------------------------------------------------------------------ the words


def _client_problems(value: Any, shape: Shape, name: str) -> Iterator[str]:
    kind = shape["type"]
    if not _type_fits(value, kind):
        found = f"value: {value}, type: {type(value)}"
        yield f"Invalid type for parameter {_label(name)}, {found}, valid types: {_valid_types(kind)}"
        return
    match kind:
        case "structure":
            members = shape.get("members", {})
            for required in shape.get("required", ()):
                if required not in value:
                    yield f'Missing required parameter in {_label(name)}: "{required}"'
            for key in value:
                if key not in members:
                    yield f'Unknown parameter in {_label(name)}: "{key}", must be one of: {", ".join(members)}'
            for key in value:
                if key in members:
                    yield from _client_problems(value[key], _shape(members[key]), f"{name}.{key}")
        case "list":
            yield from _too_short(len(value), shape, name, "length")
            for index, item in enumerate(value):
                yield from _client_problems(item, _shape(shape["member"]), f"{name}[{index}]")
        case "map":
            for key, item in value.items():
                yield from _client_problems(key, _shape(shape["key"]), f"{name} (key: {key})")
                yield from _client_problems(item, _shape(shape["value"]), f"{name}.{key}")
        case "string":
            yield from _too_short(len(value), shape, name, "length")
        case "integer":
            yield from _too_short(value, shape, name, "value")


def _type_fits(value: Any, kind: str) -> bool:
    if kind == "blob":
        return isinstance(value, bytes | bytearray | str) or hasattr(value, "read")
    if kind == "timestamp":
        return isinstance(value, datetime | int | float | str) and _is_time(value)
    return isinstance(value, _TYPES[kind])


def _is_time(value: datetime | float | str) -> bool:
    try:
        read_us(value)
    except ValueError:
        return False
    return True


def _valid_types(kind: str) -> str:
    if kind == "blob":
        return f"{bytes}, {bytearray}, file-like object"
    if kind == "timestamp":
        return f"{datetime}, timestamp-string"
    return ", ".join(map(str, _TYPES[kind]))


def _too_short(size: int, shape: Shape, name: str, what: str) -> Iterator[str]:
    low = shape.get("min")
    if low is not None and size < low:
        yield f"Invalid {what} for parameter {_label(name)}, value: {size}, valid min {what}: {low}"


def _label(name: str) -> str:
    return name.removeprefix(".") or "input"


def _service_problems(value: Any, shape: Shape, name: str) -> Iterator[str]:
    def violated(constraint: str, shown: str | None = None) -> str:
        hidden = shape.get("sensitive") or shape["type"] == "blob" or name.partition(".")[0] in _NEVER_QUOTED
        what = "Value" if hidden else f"Value {shown if shown is not None else repr_value(value)}"
        return f"{what} at '{name}' failed to satisfy constraint: {constraint}"

    match shape["type"]:
        case "structure":
            yield from _structure_problems(value, shape, name)
        case "list":
            yield from map(violated, _range_problems(len(value), shape, "length"))
            for index, item in enumerate(value, 1):
                yield from _service_problems(item, _shape(shape["member"]), f"{name}.{index}.member")
        case "map":
            for key, item in value.items():
                yield from _service_problems(item, _shape(shape["value"]), f"{name}.{key}.member")
        case "string" | "blob":
            if "enum" in shape:
                if value not in shape["enum"]:
                    yield violated(f"Member must satisfy enum value set: [{', '.join(shape['enum'])}]")
                return
            yield from map(violated, _range_problems(len(value), shape, "length"))
            if "pattern" in shape and not re.fullmatch(shape["pattern"], value):
                yield violated(f"Member must satisfy regular expression pattern: {shape['pattern']}")
        case "integer":
            yield from map(violated, _range_problems(value, shape, "value"))


def _structure_problems(value: Any, shape: Shape, name: str) -> Iterator[str]:
    prefix = f"{name}." if name else ""
    for required in shape.get("required", ()):
        if value.get(required) is None:
            yield (
                f"Value null at '{prefix}{lower_camel(required)}' failed to satisfy constraint: Member must not be null"
            )
    members = shape.get("members", {})
    for key, item in value.items():
        if key in members and item is not None:
            yield from _service_problems(item, _shape(members[key]), f"{prefix}{lower_camel(key)}")


def _range_problems(size: int, shape: Shape, what: str) -> Iterator[str]:
    have = "have length" if what == "length" else "have value"
    if size < shape.get("min", size):
        yield f"Member must {have} greater than or equal to {shape['min']}"
    if size > shape.get("max", size):
        yield f"Member must {have} less than or equal to {shape['max']}"


def repr_value(value: Any) -> str:
    """Return a value as AWS quotes it in a constraint message."""
    return f"'{value}'"


def lower_camel(member: str) -> str:
    """Return a member's name as AWS writes it in messages and in CloudTrail: ``KeyId`` becomes ``keyId``."""
    return member[:1].lower() + member[1:]
