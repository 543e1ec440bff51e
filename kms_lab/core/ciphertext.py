"""The ciphertext blob of a symmetric key: which key and material made it, bound to the encryption context.

Layout, all of it authenticated (change any bit and the blob does not open)::

     0   8  magic, b"kms_lab" and a version byte
     8   1  1 for a multi-Region key id, else 0
     9   6  account of the key, as a number
    15  16  key id, without its dashes or its mrk- prefix
    31  32  key material id
    63   2  length of the plaintext
    65  12  nonce
    77   …  zeros, up to the size that a real blob has
     …   …  AES-256-GCM ciphertext, as long as the plaintext
     …  16  tag

The layout is the lab's own: AWS's is not documented. True of AWS are what it does (names its key and material, so that
Decrypt needs no KeyId; holds the context in its tag, not in its bytes) and its size, which is that of real blobs.

Source: AWS KMS Developer Guide, "Encryption context" and "Ciphertext format"; sizes computed with the DER layout of
public samples and equal to those measured (184 bytes for a 32-byte data key).
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from cryptography.exceptions import InvalidTag

from kms_lab.core import material
from kms_lab.core.material import NONCE_BYTES, TAG_BYTES, Undecryptable

MAGIC = b"kms_lab\x01"
_LENGTH_AT = 63
_NONCE_AT = 65
_HEADER = _NONCE_AT + NONCE_BYTES


class Blob(NamedTuple):
    """A blob read: who made it, and where in ``data`` the header ends and the sealed plaintext begins."""

    account: str
    key_id: str
    material_id: str
    data: bytes
    cut: int


def seal(
    key_id: str,
    account: str,
    material_id: str,
    secret: bytes,
    plaintext: bytes,
    context: Mapping[str, str] | None,
    entropy: Callable[[int], bytes],
) -> bytes:
    """Return the blob that holds ``plaintext`` under one key material and encryption context."""
    nonce = entropy(NONCE_BYTES)
    before, after = _frame(key_id, account, material_id, len(plaintext))
    header = before + nonce + after
    return header + material.aes(secret).encrypt(nonce, plaintext, header + canonical(context))


def open_blob(blob: Blob, secret: bytes, context: Mapping[str, str] | None) -> bytes:
    """Return the plaintext.

    Raises:
        Undecryptable: a bit of the blob or a part of the context is not as it was.
    """
    data, cut = blob.data, blob.cut
    try:
        return material.aes(secret).decrypt(data[_NONCE_AT:_HEADER], data[cut:], data[:cut] + canonical(context))
    except InvalidTag:
        raise Undecryptable from None


def parse(data: bytes) -> Blob:
    """Take a blob apart without opening it.

    Raises:
        Undecryptable: this is not a blob of the lab.
    """
    account, key_id, material_id, total, cut = _made_by(data[:_NONCE_AT])
    if total != len(data):
        raise Undecryptable
    return Blob(account, key_id, material_id, data, cut)


class Part(NamedTuple):
    """A stretch of a blob, from ``start`` up to ``end``, and what the lab keeps there."""

    name: str
    start: int
    end: int


def parts(data: bytes) -> tuple[Part, ...]:
    """Say what stands where in a blob, for a reader who looks at its bytes.

    Raises:
        Undecryptable: this is not a blob of the lab.
    """
    cut, total = parse(data).cut, len(data)
    ends = (9, 15, 31, _LENGTH_AT, _NONCE_AT, _HEADER, cut, total - TAG_BYTES, total)
    names = ("mark", "account", "key ID", "key material ID", "length", "nonce", "filler", "encrypted text", "tag")
    return tuple(map(Part, names, (0, *ends), ends))


@lru_cache(maxsize=1024)
def size(plaintext_length: int) -> int:
    """Return how many bytes a real KMS blob has for a plaintext of this length.

    >>> size(32), size(4096)
    (184, 4258)
    """

    def der(content: int) -> int:
        """Length of a DER element around ``content`` bytes."""
        return content + (2 if content < 128 else 3 if content < 256 else 4)

    encrypted = der(plaintext_length + 11 + TAG_BYTES)
    info = der(11 + 32 + encrypted)
    return 58 + der(11 + der(der(3 + info)))


def canonical(context: Mapping[str, str] | None) -> bytes:
    """Return the context as bytes: order does not matter, every character does."""
    return _pairs(tuple(context.items())) if context else b""


@lru_cache(maxsize=4096)
def _pairs(context: tuple[tuple[str, str], ...]) -> bytes:
    return "".join([f"{len(k)}:{k}{len(v)}:{v}" for k, v in sorted(context)]).encode("utf-8", "surrogatepass")


@lru_cache(maxsize=4096)
def _frame(key_id: str, account: str, material_id: str, plaintext_length: int) -> tuple[bytes, bytes]:
    """Return what stands before and after the nonce in a header."""
    before = b"%b%b%b%b%b%b" % (
        MAGIC,
        b"\x01" if key_id.startswith("mrk-") else b"\x00",
        int(account).to_bytes(6, "big"),
        bytes.fromhex(key_id.removeprefix("mrk-").replace("-", "")),
        bytes.fromhex(material_id),
        plaintext_length.to_bytes(2, "big"),
    )
    return before, bytes(size(plaintext_length) - _HEADER - plaintext_length - TAG_BYTES)


@lru_cache(maxsize=4096)
def _made_by(start: bytes) -> tuple[str, str, str, int, int]:
    """Return account, key id and material id that a header's start names, how long the blob is, and where it is cut."""
    if len(start) < _NONCE_AT:
        raise Undecryptable
    kind, account, key, material_id = start[8:9], start[9:15], start[15:31].hex(), start[31:63].hex()
    if not start.startswith(MAGIC) or kind > b"\x01":
        raise Undecryptable
    key_id = f"mrk-{key}" if kind == b"\x01" else "-".join((key[:8], key[8:12], key[12:16], key[16:20], key[20:]))
    length = int.from_bytes(start[_LENGTH_AT:])
    total = size(length)
    return f"{int.from_bytes(account, 'big'):012d}", key_id, material_id, total, total - length - TAG_BYTES


__all__ = ["Blob", "Part", "Undecryptable", "canonical", "open_blob", "parse", "parts", "seal", "size"]
