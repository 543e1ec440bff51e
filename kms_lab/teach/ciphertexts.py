"""Looking at what a learner's function did and saved, whatever its layout.

A check runs the function (``run``), takes the bytes out of what it returned (``pieces``), looks for a key that should
not be there (``holds``), opens the rest (``opened``) and damages a copy (``flipped``). Layouts are the learner's own
choice: dicts, tuples, JSON, Base64, one run of bytes.
"""

import base64
import copy
import functools
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, AESGCMSIV, AESOCB3, ChaCha20Poly1305

from kms_lab import envelope
from kms_lab.core.log import Entry
from kms_lab.doors.client import Client
from kms_lab.teach.exercise import untouched
from kms_lab.teach.probe import LearnerCodeError, Probe, Unfinished

NONCE_BYTES = 12


class Watched:
    """A client that remembers each data key it hands out, wraps or unwraps, so that a check can look for it."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.keys: list[tuple[bytes, bytes]] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if name not in ("generate_data_key", "encrypt", "decrypt"):
            return method

        @functools.wraps(method)
        def remembering(**params: Any) -> dict[str, Any]:
            answer: dict[str, Any] = method(**params)
            both = params | answer
            self.keys.append((both["Plaintext"], both["CiphertextBlob"]))
            return answer

        return remembering


@dataclass(frozen=True)
class Tried:
    """One run of a learner's function: what it returned, what it asked of KMS, the (plaintext, wrapped) data keys
    that it met, and the error that stopped it."""

    value: Any
    calls: list[Entry]
    keys: list[tuple[bytes, bytes]]
    error: LearnerCodeError | None

    def asked(self, operation: str, *, ok: bool | None = None) -> int:
        return sum(c.operation == operation and ok in (None, c.error is None) for c in self.calls)


@contextmanager
def new_session(function: Any, leftovers: Iterable[str]) -> Iterator[None]:
    """Hide what earlier cells left behind, as if the function ran years later, in a new kernel."""
    names = getattr(function, "__globals__", {})
    hidden = {name: names.pop(name) for name in leftovers if isinstance(names.get(name), bytes | dict)}
    try:
        yield
    finally:
        names.update(hidden)


def run(probe: Probe, function: Any, *args: Any, leftovers: Iterable[str] = ()) -> Tried:
    """Run a learner's function with a client of the probe, as in a new session.

    Args:
        leftovers: names of bytes and dicts that the lesson's own cells leave in the notebook, to be hidden meanwhile.
            A function that misses one of them is told so.

    Raises:
        Unfinished: it returned nothing, or something with a gap in it.
    """
    kms, before = Watched(probe.client()), len(probe.made())
    value, error = None, None
    try:
        with new_session(function, leftovers):
            value = probe.run(function, kms, *args)
    except LearnerCodeError as caught:
        error = _explained(caught, leftovers)
    if error is None and untouched(value):
        raise Unfinished
    return Tried(value, probe.made()[before:], kms.keys, error)


def _explained(error: LearnerCodeError, leftovers: Iterable[str]) -> LearnerCodeError:
    """Say of a name that was hidden what became of it; other errors stay as they are."""
    cause = error.__cause__
    if not isinstance(cause, NameError) or cause.name not in tuple(leftovers):
        return error
    told = LearnerCodeError(
        f"Your function uses `{cause.name}`, which an earlier cell left in your notebook. Use what the function is "
        "handed: it is tried as in a new session."
    )
    told.__cause__ = cause
    return told


def pieces(value: Any) -> list[bytes]:
    """Return every run of bytes in what somebody saved: in dicts, lists, JSON, hex or Base64 text, or as it is."""
    match value:
        case bytes() | bytearray() | memoryview():
            data = bytes(value)
            return [data, *(pieces(data.decode())[1:] if data.isascii() else [])]
        case str():
            return [value.encode(), *_from_json(value), *_decoded(value)]
        case Mapping():
            return [piece for item in value.values() for piece in pieces(item)]
        case list() | tuple() | set() | frozenset():
            return [piece for item in value for piece in pieces(item)]
    return pieces(vars(value)) if hasattr(value, "__dict__") else []


def _from_json(text: str) -> list[bytes]:
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return pieces(found) if isinstance(found, dict | list) else []


def _decoded(text: str) -> list[bytes]:
    try:
        return [bytes.fromhex(text)]
    except ValueError:
        pass
    try:
        return [base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)]
    except ValueError:
        return []


def holds(found: list[bytes], secret: bytes) -> bool:
    """Say whether a secret lies in what was found: as it is, or written as text in one of the usual ways."""
    written = (secret.hex(), secret.hex().upper(), repr(secret)[2:-1])
    base64s = (base64.b64encode(secret), base64.urlsafe_b64encode(secret))
    forms = [secret, *(text.encode() for text in written), *(text.rstrip(b"=") for text in base64s)]
    return any(form in piece for piece in found for form in forms)


_CIPHERS = (AESGCM, ChaCha20Poly1305, AESCCM, AESOCB3, AESGCMSIV)
#: how every Fernet token begins
_FERNET, _FERNET_KEY_BYTES = b"gAAAA", 32


def opened(kms: Client, found: list[bytes], key: bytes, wrapped: bytes) -> tuple[bytes, bytes] | None:
    """Open a saved object with its data key; return the nonce and the content, or None.

    Tried is every cipher that authenticates, with the nonce on its own, before or after the ciphertext, and Fernet.
    """
    for piece in found:
        if piece.startswith(envelope.MAGIC):
            prefix = envelope.read_header(io.BytesIO(piece)).nonce_prefix
            return prefix, envelope.decrypt_bytes(kms, piece)
        if piece.startswith(_FERNET) and len(key) == _FERNET_KEY_BYTES:
            try:
                return piece, Fernet(base64.urlsafe_b64encode(key)).decrypt(piece)
            except InvalidToken:
                continue
    parts = [part for piece in found for part in piece.split(wrapped) if part]
    for nonce, ciphertext in _splits(parts):
        for cipher in _CIPHERS:
            for aad in (None, wrapped):
                try:
                    return nonce, cipher(key).decrypt(nonce, ciphertext, aad)
                except (InvalidTag, ValueError, OverflowError, UnsupportedAlgorithm):
                    continue
    return None


def _splits(parts: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    nonces = [part for part in parts if 7 <= len(part) <= 16]
    for other in sorted(parts, key=len, reverse=True)[:4]:
        yield from ((nonce, other) for nonce in nonces if nonce is not other)
    for part in parts:
        yield part[:NONCE_BYTES], part[NONCE_BYTES:]
        yield part[-NONCE_BYTES:], part[:-NONCE_BYTES]


def flipped(value: Any) -> Any:
    """Return a copy of what was saved with one bit changed in the middle of its longest part."""
    match value:
        case bytes() | bytearray():
            data = bytearray(value)
            data[len(data) // 2] ^= 1
            return bytes(data)
        case str():
            at = len(value) // 2
            return value[:at] + ("B" if value[at] == "A" else "A") + value[at + 1 :]
        case dict():
            name = max(value, key=lambda name: _weight(value[name]))
            return {**value, name: flipped(value[name])}
        case list() | tuple():
            at = max(range(len(value)), key=lambda at: _weight(value[at]))
            changed = [*value[:at], flipped(value[at]), *value[at + 1 :]]
            return getattr(value, "_make", type(value))(changed)
    other = copy.copy(value)
    other.__dict__.update(flipped(vars(value)))
    return other


def _weight(value: Any) -> int:
    return sum(map(len, pieces(value)))
