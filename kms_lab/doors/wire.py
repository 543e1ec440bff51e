"""KMS's wire form, AWS JSON 1.1: a request's header and body in, status, headers and body out.

Both doors that real SDKs use stand on it: ``doors.boto`` (in process) and ``doors.http`` (loopback). Who calls, and in
which Region, is read from the signature by ``doors.credentials``.

Here a value meets AWS's model for the first time, so that no handler ever sees one of a wrong type. As AWS's JSON
services do: unknown members and nulls are left out, a fraction is cut off, and whatever else does not fit is a
SerializationException. It leaves no entry in the log, since no operation has been found to be called.

Source: botocore's model (``targetPrefix``, ``jsonVersion``, shapes); the texts of SerializationException, recorded from
DynamoDB, which speaks the same protocol. # unverified: that KMS's are the same.
"""

import binascii
import json
import math
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, NoReturn

from kms_lab.core import model
from kms_lab.core.circumstances import DIRECT, Circumstances
from kms_lab.core.clock import to_datetime
from kms_lab.core.errors import (
    AccessDeniedException,
    KMSError,
    RequestError,
    SerializationException,
    UnknownOperationException,
    UnsupportedByLab,
)
from kms_lab.core.names import Principal
from kms_lab.core.world import World
from kms_lab.service.operation import OPERATIONS, Call
from kms_lab.service.pipeline import handle

TARGET_PREFIX = "TrentService."
CONTENT_TYPE = "application/x-amz-json-1.1"
#: the request id of an answer that has no entry in the log
NO_REQUEST_ID = "00000000-0000-0000-0000-000000000000"
#: One request at a time: a world is not made for two threads. Whoever turns the clock or changes the world while
#: a door is open to other threads takes it too.
turn = threading.RLock()

Listener = Callable[[Call], None]
_END_OF_TIME = 253_402_300_799  # the last second of the year 9999


class Reply(NamedTuple):
    """An answer, ready to be sent."""

    status: int
    headers: dict[str, str]
    body: bytes


def answer(
    world: World,
    principal: Principal,
    region: str,
    target: str | None,
    body: bytes,
    listener: Listener | None = None,
    how: Circumstances = DIRECT,
) -> Reply:
    """Answer one request. Whatever the request holds, the answer is a reply.

    Args:
        principal: who calls.
        region: where.
        target: the header ``X-Amz-Target``, such as ``TrentService.Encrypt``; None if there was none.
        listener: given the ``Call`` as it sets out.
        how: how the request came, and what is known of the caller's session.
    """
    try:
        name = _operation_of(target or "")
        params = decode(name, body)
        call = Call(OPERATIONS[name], world, principal, region, params)
        call.how = how
        with turn:
            if listener is not None:
                listener(call)
            response = handle(call)
    except KMSError as error:
        return refusal(error)
    request_id: str = response.pop("ResponseMetadata")["RequestId"]
    return Reply(200, _headers(request_id), _json(response).encode())


def refusal(error: KMSError) -> Reply:
    """Return an error as it goes over the wire."""
    # AWS spells the member with a capital where the error comes from in front of the service, the SDKs read both
    member = "Message" if isinstance(error, AccessDeniedException | RequestError) else "message"
    body = json.dumps({"__type": error.code, member: error.message}).encode()
    return Reply(error.http_status, _headers(error.request_id or NO_REQUEST_ID), body)


def decode(operation: str, body: bytes) -> dict[str, Any]:
    """Return the parameters that a body holds, by AWS's names; an empty body has none.

    Every value has the type that AWS's model gives it; lengths, patterns and enums are for the service to check.

    Raises:
        SerializationException: the body is not JSON, or a value has the wrong type.
    """
    try:
        value = json.loads(body.decode()) if body else {}
    except (ValueError, RecursionError):  # bad UTF-8, bad JSON, a number of thousands of digits, a tower of brackets
        raise SerializationException() from None
    if not isinstance(value, dict):
        raise SerializationException()
    reference = model.load()["operations"][operation].get("input")
    return {} if reference is None else _structure(value, model.load()["shapes"][reference["shape"]])


def _operation_of(target: str) -> str:
    """Return the operation that a target names.

    Raises:
        UnknownOperationException: KMS has none of this name.
        UnsupportedByLab: KMS has, the lab has not.
    """
    name = target.removeprefix(TARGET_PREFIX)
    if name in OPERATIONS and name != target:
        return name
    if name != target and name in model.load()["operations"]:
        error = UnsupportedByLab(f"AWS has {name}; the lab does not have it yet.")
        error.operation_name = name
        raise error
    raise UnknownOperationException()


def _headers(request_id: str) -> dict[str, str]:
    return {"Content-Type": CONTENT_TYPE, "x-amzn-RequestId": request_id}


def _encoded(value: Any) -> Any:
    """Return what JSON has no word for: blobs as base64, times as seconds since 1970."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"the wire has no form for {value!r}")


_json = json.JSONEncoder(default=_encoded, check_circular=False).encode


# ------------------------------------------------------------------------------ values by the model's shapes


def _value(value: Any, shape: Mapping[str, Any]) -> Any:
    return _READERS[shape["type"]](value, shape)


def _structure(value: Any, shape: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(value, dict):
        _misplaced(value, "Expected null")
    shapes, members = model.load()["shapes"], shape["members"]
    return {
        name: _value(item, shapes[members[name]["shape"]])
        for name, item in value.items()
        if item is not None and name in members
    }


def _list(value: Any, shape: Mapping[str, Any]) -> list[Any]:
    if not isinstance(value, list):
        _misplaced(value, "Expected list or null")
    member = model.load()["shapes"][shape["member"]["shape"]]
    return [_value(item, member) for item in value]


def _map(value: Any, shape: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(value, dict):
        _misplaced(value, "Expected map or null")
    item_shape = model.load()["shapes"][shape["value"]["shape"]]
    return {_string(key, shape): _value(item, item_shape) for key, item in value.items()}


def _string(value: Any, _shape: Mapping[str, Any]) -> str:
    if not isinstance(value, str):
        _misplaced(value, f"{_java(value)} can not be converted to an String")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:  # half of a surrogate pair: JSON can write it, UTF-8 cannot
            raise SerializationException() from None
    return str(value)


def _blob(value: Any, _shape: Mapping[str, Any]) -> bytes:
    if not isinstance(value, str):
        _misplaced(value, f"{_java(value)} can not be converted to a Blob")
    try:
        return binascii.a2b_base64(value, strict_mode=True)
    except ValueError:  # AWS's text quotes the value; a blob can be a secret, and the lab's does not
        raise SerializationException("Value can not be converted to a Blob: Invalid Base64") from None


def _integer(value: Any, _shape: Mapping[str, Any]) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        _misplaced(value, f"{_java(value)} can not be converted to an Integer")
    if isinstance(value, float) and not math.isfinite(value):
        raise SerializationException()
    return int(value)


def _boolean(value: Any, _shape: Mapping[str, Any]) -> bool:
    if not isinstance(value, bool):
        _misplaced(value, f"{_java(value)} can not be converted to an Boolean")
    return bool(value)


def _timestamp(value: Any, _shape: Mapping[str, Any]) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int | float):
        _misplaced(value, f"{_java(value)} can not be converted to milliseconds since epoch")
    if not 0 <= value <= _END_OF_TIME:  # not a number is not between them either
        raise SerializationException()
    return to_datetime(round(value * 1_000_000))


_READERS: dict[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "blob": _blob,
    "integer": _integer,
    "boolean": _boolean,
    "timestamp": _timestamp,
}


def _misplaced(value: Any, otherwise: str) -> NoReturn:
    """Refuse a value of a wrong type."""
    if isinstance(value, list):
        raise SerializationException("Start of list found where not expected")
    if isinstance(value, dict):
        raise SerializationException("Start of structure or map found where not expected.")
    raise SerializationException(otherwise)


def _java(value: Any) -> str:
    """Return AWS's name for a JSON value's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "class java.lang.Boolean"
    if isinstance(value, str):
        return "class java.lang.String"
    return "class com.amazon.coral.value.json.numbers.TruncatingBigNumber"
