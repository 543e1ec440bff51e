"""Client-side envelope encryption: data of any size, one call to KMS, constant memory.

KMS encrypts at most 4,096 bytes. For more, ask it for a data key, encrypt locally, and keep the data key
only as KMS wrapped it. Two functions say it all; both take any client shaped like boto3's, the lab's or the
real one::

    encrypt(kms, key_id, source, sink, context={"tenant": "a"})     one GenerateDataKey
    decrypt(kms, source, sink, context={"tenant": "a"})             one Decrypt

What is written (all numbers big-endian)::

    offset  bytes  what
    0       4      magic, b"kmsE"
    4       1      version, 1
    5       2      n, the length of the wrapped data key
    7       n      the data key as KMS wrapped it (GenerateDataKey's CiphertextBlob)
    7+n     4      f, plaintext bytes in each frame but the last
    11+n    8      nonce prefix, random
    19+n    f+16   frame 0: AES-256-GCM ciphertext and its 16-byte tag
    ...            frame 1, 2, ...; the last one holds 0 to f bytes of plaintext, and its tag

Each frame is sealed under the nonce ``prefix (8) | frame number (3) | 1 if last else 0 (1)`` with the whole
header as additional authenticated data. So no frame can be changed, moved, left out, repeated or taken from
another envelope, no header field altered, nothing appended, and a missing end is noticed. This is the STREAM
construction (Hoang, Reyhanitabar, Rogaway, Vizár: "Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance", CRYPTO 2015), which Tink's streaming AEAD and age also use.

The encryption context is not stored. It goes to KMS, which binds it to the wrapped data key and writes it to
the audit trail in clear; who decrypts must know it.

The plaintext data key: our references to it are dropped as soon as the cipher is set up. What Python cannot
do is wipe it. The client handed it over as ``bytes``, which nobody can overwrite, and its memory holds the
key until something else is put there; OpenSSL clears the copy in its cipher object when that object is freed.

Not here: key commitment (AES-GCM has none; the AWS Encryption SDK adds it), signatures, several wrapping keys
for one envelope. The layout is ours, and the AWS Encryption SDK does not read it.

Source: data keys and limits, AWS KMS API Reference, "GenerateDataKey", "Encrypt"; nonces, NIST SP 800-38D, 8.
"""

import io
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"kmsE"
VERSION = 1
KEY_BYTES = 32
TAG_BYTES = 16
PREFIX_BYTES = 8
#: Plaintext bytes in a frame, unless told otherwise. Measured: within 4% of the speed of frames of 1 MiB, with a
#: sixteenth of their memory; smaller frames lose more (``make bench``).
FRAME_BYTES = 64 * 1024
#: What is read at first, to see whether the message is a short one.
SHORT_BYTES = 4 * 1024
#: A header cannot make a reader reserve more than this for a frame, before anything is authenticated.
MAX_FRAME_BYTES = 16 * 1024 * 1024
#: The longest ciphertext that Decrypt takes.
MAX_WRAPPED_BYTES = 6144
#: What a frame number of three bytes can count: 1 TiB in frames of 64 KiB.
MAX_FRAMES = 1 << 24
#: Under one data key. Prefixes are random: two among 2**16 are equal with a chance of less than 2**-32.
MAX_MESSAGES = 1 << 16


class KMSClient(Protocol):
    """What is needed of a client: two methods, called with boto3's keyword arguments."""

    @property
    def generate_data_key(self) -> Callable[..., Any]: ...
    @property
    def decrypt(self) -> Callable[..., Any]: ...


class Source(Protocol):
    """A binary file open for reading. Where it has ``readinto``, that is used and saves a copy."""

    def read(self, size: int, /) -> bytes | None: ...


class Sink(Protocol):
    """A binary file open for writing. Like Python's own it has done with ``data`` when ``write`` returns."""

    def write(self, data: memoryview, /) -> int | None: ...


# ---- what can go wrong


class EnvelopeError(Exception):
    """An envelope cannot be opened. A refusal of KMS is none of these: it comes as the client raises it.

    ::

        EnvelopeError
        ├── NotAnEnvelope        it does not begin as one
        ├── UnknownVersion       written by a later kms_lab
        ├── Truncated            its end is missing
        └── Tampered             a part is not what was sealed
    """


class NotAnEnvelope(EnvelopeError):
    """The first bytes are not an envelope's, or its header is impossible."""


class UnknownVersion(EnvelopeError):
    """The envelope has a version that this kms_lab does not know."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"This envelope has version {version}, and this kms_lab reads version {VERSION}: "
            "it was written by a later release. Upgrade kms_lab to open it."
        )
        self.version = version


class Truncated(EnvelopeError):
    """The envelope ends too early: an upload or a copy was interrupted, or somebody cut it."""


class Tampered(EnvelopeError):
    """A frame does not authenticate.

    Attributes:
        frame: number of the frame that failed, counted from 0; frames before it were genuine.
    """

    def __init__(self, message: str, frame: int) -> None:
        super().__init__(message)
        self.frame = frame


# ---- the header


class Field(NamedTuple):
    """One part of a header: where it lies, what it is, and its bytes."""

    offset: int
    what: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """What an envelope says in clear. ``print(header)`` shows it byte by byte.

    Nothing of it is secret, and all of it is authenticated, but only once a frame has been opened.
    """

    #: the data key as KMS wrapped it; Decrypt turns it back into the data key
    wrapped_key: bytes
    #: plaintext bytes in each frame but the last
    frame_bytes: int
    nonce_prefix: bytes
    version: int = VERSION

    def to_bytes(self) -> bytes:
        n = len(self.wrapped_key).to_bytes(2, "big")
        frame = self.frame_bytes.to_bytes(4, "big")
        return b"".join((MAGIC, bytes([self.version]), n, self.wrapped_key, frame, self.nonce_prefix))

    def fields(self) -> tuple[Field, ...]:
        """The parts in the order in which they are stored."""
        n, data = len(self.wrapped_key), self.to_bytes()
        return (
            Field(0, "magic", data[:4]),
            Field(4, f"version: {self.version}", data[4:5]),
            Field(5, f"length of the wrapped data key: {n:,} bytes", data[5:7]),
            Field(7, "data key, wrapped by KMS", data[7 : 7 + n]),
            Field(7 + n, f"plaintext in a frame: {self.frame_bytes:,} bytes", data[7 + n : 11 + n]),
            Field(11 + n, "nonce prefix", data[11 + n :]),
        )

    def __str__(self) -> str:
        lines = ["offset  bytes  what"]
        for offset, what, value in self.fields():
            shown = value.hex() if len(value) <= PREFIX_BYTES else value[:PREFIX_BYTES].hex() + "..."
            lines.append(f"{offset:6}  {len(value):5}  {what}  [{shown}]")
        lines.append(f"{len(self.to_bytes()):6}         frames: AES-256-GCM, each with a tag of {TAG_BYTES} bytes")
        return "\n".join(lines)


def read_header(source: Source) -> Header:
    """Read an envelope's header, leaving ``source`` at the first frame. Calls no KMS, checks no tag.

    Raises:
        NotAnEnvelope, UnknownVersion, Truncated
    """
    start = _read(source, 5)
    if start[:4] != MAGIC[: len(start)] or not start:
        raise NotAnEnvelope(
            f"This is not an envelope: it begins with {start[:4]!r}, not with {MAGIC!r}. "
            "Was it encrypted by kms_lab.envelope, and is the file opened in binary mode at its start?"
        )
    if len(start) < 5:
        raise _cut_header()
    if start[4] != VERSION:
        raise UnknownVersion(start[4])
    length = int.from_bytes(_read_exactly(source, 2), "big")
    if not 1 <= length <= MAX_WRAPPED_BYTES:
        raise _impossible_header(f"a wrapped data key of {length:,} bytes; possible are 1 to {MAX_WRAPPED_BYTES:,}")
    wrapped_key = _read_exactly(source, length)
    frame_bytes = int.from_bytes(_read_exactly(source, 4), "big")
    if not 1 <= frame_bytes <= MAX_FRAME_BYTES:
        raise _impossible_header(f"frames of {frame_bytes:,} bytes; possible are 1 to {MAX_FRAME_BYTES:,}")
    return Header(wrapped_key, frame_bytes, _read_exactly(source, PREFIX_BYTES), start[4])


def _read_exactly(source: Source, size: int) -> bytes:
    data = _read(source, size)
    if len(data) < size:
        raise _cut_header()
    return data


def _impossible_header(what: str) -> NotAnEnvelope:
    return NotAnEnvelope(
        f"The header tells of {what}. It is damaged, or was not made by kms_lab.envelope. Fetch it again."
    )


def _cut_header() -> Truncated:
    return Truncated(
        "The envelope ends inside its header, so there is no data in it. Fetch it again from where it is stored."
    )


# ---- streams


def encrypt(
    kms: KMSClient,
    key_id: str,
    source: Source,
    sink: Sink,
    *,
    context: Mapping[str, str] | None = None,
    frame_bytes: int = FRAME_BYTES,
) -> int:
    """Encrypt all that can be read from ``source`` into ``sink``, under a new data key. One GenerateDataKey.

    Args:
        key_id: the KMS key that wraps the data key: id, ARN or alias.
        context: encryption context; needed again to decrypt, visible in the audit trail, not stored here.
        frame_bytes: plaintext in a frame, up to ``MAX_FRAME_BYTES``. Two frames are held in memory.

    Returns:
        Plaintext bytes read.

    Raises:
        ValueError: ``frame_bytes`` is out of range, or ``source`` is longer than ``MAX_FRAMES`` frames.
        Whatever the client raises when KMS refuses; ``sink`` is then untouched.
    """
    _check_frame_bytes(frame_bytes)
    aead, wrapped_key = _new_data_key(kms, key_id, context)
    return _seal(aead, wrapped_key, frame_bytes, source, sink)


def decrypt(
    kms: KMSClient,
    source: Source,
    sink: Sink,
    *,
    context: Mapping[str, str] | None = None,
    key_id: str | None = None,
) -> int:
    """Decrypt an envelope from ``source`` into ``sink``. One Decrypt.

    A frame is written only after its tag was checked, but that the end is missing is known only at the end:
    when this raises, ``sink`` may hold genuine frames that must not be used as the whole. ``decrypt_file``
    and ``decrypt_bytes`` give all or nothing.

    Args:
        context: the encryption context that was given to ``encrypt``.
        key_id: when given, KMS refuses a data key that another key has wrapped. Give it where you know it.

    Returns:
        Plaintext bytes written.

    Raises:
        EnvelopeError: one of its kinds. Whatever the client raises when KMS refuses, such as
        InvalidCiphertextException for another context or a changed wrapped key.
    """
    header = read_header(source)
    aead = _known_data_key(kms, header, context, key_id)
    written = 0
    for plaintext in opened_frames(aead, header, source):
        _write(sink, plaintext)
        written += len(plaintext)
    return written


def encrypt_bytes(
    kms: KMSClient,
    key_id: str,
    plaintext: bytes,
    *,
    context: Mapping[str, str] | None = None,
    frame_bytes: int = FRAME_BYTES,
) -> bytes:
    """``encrypt`` for data in memory."""
    sink = io.BytesIO()
    encrypt(kms, key_id, io.BytesIO(plaintext), sink, context=context, frame_bytes=frame_bytes)
    return sink.getvalue()


def decrypt_bytes(
    kms: KMSClient, envelope: bytes, *, context: Mapping[str, str] | None = None, key_id: str | None = None
) -> bytes:
    """``decrypt`` for data in memory: the whole plaintext, or an error."""
    sink = io.BytesIO()
    decrypt(kms, io.BytesIO(envelope), sink, context=context, key_id=key_id)
    return sink.getvalue()


def encrypt_file(
    kms: KMSClient,
    key_id: str,
    path: str | Path,
    target: str | Path,
    *,
    context: Mapping[str, str] | None = None,
    frame_bytes: int = FRAME_BYTES,
) -> int:
    """``encrypt`` from one file to another, or in place. On any failure ``target`` is as it was before.

    A new ``target`` can be read by its owner only; one that exists keeps its permissions.
    """
    with _replacing(Path(target)) as sink, open(path, "rb", buffering=0) as source:
        return encrypt(kms, key_id, source, sink, context=context, frame_bytes=frame_bytes)


def decrypt_file(
    kms: KMSClient,
    path: str | Path,
    target: str | Path,
    *,
    context: Mapping[str, str] | None = None,
    key_id: str | None = None,
) -> int:
    """``decrypt`` from one file to another: the whole plaintext, or ``target`` as it was before."""
    with _replacing(Path(target)) as sink, open(path, "rb", buffering=0) as source:
        return decrypt(kms, source, sink, context=context, key_id=key_id)


class Sealer:
    """Encrypts many messages and saves calls to KMS: one data key serves until a limit is reached.

    Fewer calls cost less and are faster; but a data key that leaks opens every message under it, and the
    audit trail shows one GenerateDataKey for all of them. The limits are that trade. Each message is an
    envelope of its own, and ``decrypt`` opens it. Not for use by several threads at once.

    Attributes:
        data_keys: how many data keys were asked for so far.
        messages, message_bytes: what the current one has sealed.
    """

    def __init__(
        self,
        kms: KMSClient,
        key_id: str,
        *,
        context: Mapping[str, str] | None = None,
        max_messages: int = 1_000,
        max_bytes: int = 1 << 32,
        frame_bytes: int = FRAME_BYTES,
    ) -> None:
        """
        Args:
            context: encryption context, the same for every message.
            max_messages: messages under one data key, 1 to ``MAX_MESSAGES``.
            max_bytes: plaintext bytes under one data key. The message that reaches it is still finished.

        Raises:
            ValueError: a limit is out of range.
        """
        if not 1 <= max_messages <= MAX_MESSAGES:
            raise ValueError(
                f"max_messages must be 1 to {MAX_MESSAGES:,}, not {max_messages:,}: nonce prefixes are "
                "random, and more messages under one key could repeat one"
            )
        if max_bytes < 1:
            raise ValueError(f"max_bytes must be at least 1, not {max_bytes:,}")
        _check_frame_bytes(frame_bytes)
        self._kms, self._key_id, self._context = kms, key_id, dict(context or {})
        self._max_messages, self._max_bytes, self._frame_bytes = max_messages, max_bytes, frame_bytes
        self._current: tuple[AESGCM, bytes] | None = None
        self.data_keys = self.messages = self.message_bytes = 0

    def encrypt(self, source: Source, sink: Sink) -> int:
        """Encrypt one message; the same as the function ``encrypt``, but for the data key."""
        aead, wrapped_key = self._data_key()
        self.messages += 1  # counted first: an interrupted message has used its nonces
        size = _seal(aead, wrapped_key, self._frame_bytes, source, sink)
        self.message_bytes += size
        return size

    def encrypt_bytes(self, plaintext: bytes) -> bytes:
        """``encrypt`` for data in memory."""
        sink = io.BytesIO()
        self.encrypt(io.BytesIO(plaintext), sink)
        return sink.getvalue()

    def _data_key(self) -> tuple[AESGCM, bytes]:
        spent = self.messages >= self._max_messages or self.message_bytes >= self._max_bytes
        if self._current is None or spent:
            self._current = _new_data_key(self._kms, self._key_id, self._context)
            self.data_keys += 1
            self.messages = self.message_bytes = 0
        return self._current


# ---- data keys


def _new_data_key(kms: KMSClient, key_id: str, context: Mapping[str, str] | None) -> tuple[AESGCM, bytes]:
    """Ask KMS for a data key; return the cipher it makes and its wrapped form."""
    answer = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", **_context(context))
    return AESGCM(answer["Plaintext"]), answer["CiphertextBlob"]


def _known_data_key(kms: KMSClient, header: Header, context: Mapping[str, str] | None, key_id: str | None) -> AESGCM:
    """Have KMS unwrap the data key of an envelope."""
    named = {"KeyId": key_id} if key_id is not None else {}
    key = kms.decrypt(CiphertextBlob=header.wrapped_key, **named, **_context(context))["Plaintext"]
    if len(key) != KEY_BYTES:
        raise NotAnEnvelope(
            f"KMS opened what should be a data key of {KEY_BYTES} bytes, and it holds {len(key)}. "
            "The header was put together from something else than GenerateDataKey's answer."
        )
    return AESGCM(key)


def _context(context: Mapping[str, str] | None) -> dict[str, Any]:
    return {"EncryptionContext": dict(context)} if context else {}


# ---- frames: generators, so that memory is bounded by construction


def sealed_frames(aead: AESGCM, header: Header, source: Source) -> Iterator[memoryview]:
    """Seal everything in ``source``, frame by frame. Each frame is valid until the next one is asked for.

    One byte is read beyond the frame, because the last frame is sealed differently and so must be known as
    the last when it is sealed. Empty input gives one empty frame.
    """
    size, prefix, aad = header.frame_bytes, header.nonce_prefix, header.to_bytes()
    plaintext, have = _first_fill(source, size + 1)
    sealed = memoryview(bytearray(min(have, size) + TAG_BYTES))
    frame, rest = plaintext[:size], plaintext[1:]
    for number in range(MAX_FRAMES):
        if have <= size:
            sealed = sealed[: have + TAG_BYTES]
            aead.encrypt_into(_nonce(prefix, number, True), plaintext[:have], aad, sealed)
            yield sealed
            return
        aead.encrypt_into(_nonce(prefix, number, False), frame, aad, sealed)
        yield sealed
        plaintext[0] = plaintext[size]
        have = 1 + _fill(source, rest)
    raise ValueError(
        f"The data is longer than {MAX_FRAMES:,} frames of {size:,} bytes. Encrypt it with larger frame_bytes."
    )


def opened_frames(aead: AESGCM, header: Header, source: Source) -> Iterator[memoryview]:
    """Open the frames that follow a header, each checked before it is given out and valid until the next.

    Raises:
        Truncated, Tampered
    """
    size, prefix, aad = header.frame_bytes + TAG_BYTES, header.nonce_prefix, header.to_bytes()
    sealed, have = _first_fill(source, size + 1)
    plaintext = memoryview(bytearray(max(min(have, size) - TAG_BYTES, 0)))
    frame, rest = sealed[:size], sealed[1:]
    for number in range(MAX_FRAMES):
        last = have <= size
        if last:
            if have < TAG_BYTES:
                raise _cut_frames(number)
            frame, plaintext = sealed[:have], plaintext[: have - TAG_BYTES]
        try:
            aead.decrypt_into(_nonce(prefix, number, last), frame, aad, plaintext)
        except InvalidTag:
            raise _explain(aead, header, frame, number, last) from None
        yield plaintext
        if last:
            return
        sealed[0] = sealed[size]
        have = 1 + _fill(source, rest)
    raise _appended(MAX_FRAMES - 1)


def _nonce(prefix: bytes, number: int, last: bool) -> bytes:
    return prefix + (number << 8 | last).to_bytes(4, "big")


def _explain(aead: AESGCM, header: Header, frame: memoryview, number: int, last: bool) -> EnvelopeError:
    """Why a frame did not open. If it opens as the other kind, last or not last, then it is genuine and the
    stream's end is what is wrong; that too was authenticated, so it may be told."""
    try:
        aead.decrypt(_nonce(header.nonce_prefix, number, not last), frame, header.to_bytes())
    except InvalidTag:
        return Tampered(
            f"Frame {number} does not authenticate: it or the header was changed, it was cut, or it belongs "
            "in another place or envelope. Nothing of it was released. Fetch the envelope again.",
            number,
        )
    return _cut_frames(number + 1) if last else _appended(number)


def _cut_frames(whole: int) -> Truncated:
    return Truncated(
        f"The envelope ends after {whole} whole frames, before its last one: the end is missing. "
        "Was a copy interrupted? Fetch it again, and do not use the part that was decrypted."
    )


def _appended(number: int) -> Tampered:
    return Tampered(
        f"Data follows frame {number}, which was sealed as the last: something was appended. "
        "Fetch the envelope again from where it is stored.",
        number + 1,
    )


# ---- files


def _check_frame_bytes(frame_bytes: int) -> None:
    if not 1 <= frame_bytes <= MAX_FRAME_BYTES:
        raise ValueError(f"frame_bytes must be 1 to {MAX_FRAME_BYTES:,}, not {frame_bytes:,}")


def _seal(aead: AESGCM, wrapped_key: bytes, frame_bytes: int, source: Source, sink: Sink) -> int:
    """Write one envelope; return how many plaintext bytes it holds."""
    header = Header(wrapped_key, frame_bytes, os.urandom(PREFIX_BYTES))
    _write(sink, memoryview(header.to_bytes()))
    size = 0
    for frame in sealed_frames(aead, header, source):
        _write(sink, frame)
        size += len(frame) - TAG_BYTES
    return size


def _fill(source: Source, buffer: memoryview) -> int:
    """Read until ``buffer`` is full or the source ends, however short its reads; return how many bytes came."""
    readinto: Callable[[memoryview], int | None] | None = getattr(source, "readinto", None)
    have = 0
    while have < len(buffer):
        if readinto is not None:
            got = readinto(buffer[have:])
        else:
            data = source.read(len(buffer) - have)
            got = None if data is None else len(data)
            if data:
                buffer[have : have + len(data)] = data
        if got is None:
            raise BlockingIOError("the source has no data yet; envelopes need a source that waits for data")
        if got == 0:
            break
        have += got
    return have


def _first_fill(source: Source, size: int) -> tuple[memoryview, int]:
    """A buffer of ``size`` bytes, and how many of them were read. A short stream gets a small buffer, because
    to reserve a whole frame costs more time than to seal a short message."""
    buffer = memoryview(bytearray(min(size, SHORT_BYTES)))
    have = _fill(source, buffer)
    if have < len(buffer) or have == size:
        return buffer, have
    whole = memoryview(bytearray(size))
    whole[:have] = buffer
    return whole, have + _fill(source, whole[have:])


def _read(source: Source, size: int) -> bytes:
    buffer = bytearray(size)
    return bytes(buffer[: _fill(source, memoryview(buffer))])


def _write(sink: Sink, data: memoryview) -> None:
    """Write all of ``data``; a raw file may take a part of it at a time. An answer of None means all."""
    written = sink.write(data)
    while written is not None and written < len(data):
        data = data[written:]
        written = sink.write(data)


@contextmanager
def _replacing(target: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of ``target`` if all goes well, and vanishes if not."""
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with open(handle, "wb", buffering=0) as sink:
            yield sink
            os.fsync(sink.fileno())
        if target.exists():
            os.chmod(temporary, target.stat().st_mode & 0o7777)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
