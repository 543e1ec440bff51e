"""Pages: how AWS lists long things. One function, used by every listing.

Source: AWS KMS API Reference, ``Limit``, ``Marker``, ``NextMarker``, ``Truncated`` of the List operations.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from kms_lab.core.errors import InvalidMarkerException, ValidationException

T = TypeVar("T")

#: the longest page, where it is shorter than the model's 1,000: the text on ``Limit`` of the operations concerned
_LONGEST = {"Aliases": 100, "Grants": 100, "Tags": 50}


def page(items: Sequence[T], name: str, show: Callable[[T], Any], limit: int, marker: str | None) -> dict[str, Any]:
    """Return one page of ``items`` as the member ``name`` of a response, and the marker of the next page if there
    is one.

    Raises:
        ValidationException: ``limit`` is more than this listing's pages hold.
        InvalidMarkerException: the marker is not one that this listing gave out.
    """
    longest = _LONGEST.get(name, limit)
    if limit > longest:
        # unverified: AWS's answer; its text says that the value must be between 1 and this, its model allows more
        raise ValidationException(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: "
            f"Member must have value less than or equal to {longest}"
        )
    start = 0 if marker is None else _position(marker, name)
    response: dict[str, Any] = {name: [show(item) for item in items[start : start + limit]]}
    response["Truncated"] = start + limit < len(items)
    if response["Truncated"]:
        response["NextMarker"] = _marker(start + limit, name)
    return response


def _marker(position: int, name: str) -> str:
    return base64.urlsafe_b64encode(f"{name}:{position}".encode()).decode()


def _position(marker: str, name: str) -> int:
    try:
        kind, _, position = base64.urlsafe_b64decode(marker.encode()).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        kind, position = "", ""
    if kind != name or not position.isdecimal():
        raise InvalidMarkerException()
    return int(position)
