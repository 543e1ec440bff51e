"""Envelope encryption: what comes back, what is noticed, what is never left behind."""

import io
import os
import tracemalloc
from dataclasses import replace

import boto3
import pytest
from botocore.stub import Stubber
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from kms_lab import KMSError, Lab, envelope
from kms_lab.envelope import (
    EnvelopeError,
    NotAnEnvelope,
    Sealer,
    Tampered,
    Truncated,
    UnknownVersion,
    decrypt,
    decrypt_bytes,
    decrypt_file,
    encrypt,
    encrypt_bytes,
    encrypt_file,
    read_header,
)

FRAME = 16
TEXT = bytes(range(40))  # two whole frames and half of one
CONTEXT = {"tenant": "a", "purpose": "test"}


class Refused(Exception):
    """What this client raises when KMS says no."""


class FakeKMS:
    """Just enough of KMS: wraps data keys under AES-GCM, with the encryption context as authenticated data."""

    def __init__(self):
        self.aead = AESGCM(AESGCM.generate_key(256))
        self.calls = []
        self.data_keys = []

    def generate_data_key(self, **params):
        self.calls.append(("GenerateDataKey", params))
        if params["KeyId"] == "forbidden":
            raise Refused("GenerateDataKey")
        key, nonce = os.urandom(32), os.urandom(12)
        self.data_keys.append(key)
        blob = nonce + self.aead.encrypt(nonce, key, self._aad(params))
        return {"Plaintext": key, "CiphertextBlob": blob, "KeyId": params["KeyId"]}

    def decrypt(self, **params):
        self.calls.append(("Decrypt", params))
        blob = params["CiphertextBlob"]
        try:
            return {"Plaintext": self.aead.decrypt(blob[:12], blob[12:], self._aad(params))}
        except (InvalidTag, ValueError):
            raise Refused("Decrypt") from None

    @staticmethod
    def _aad(params):
        return repr(sorted(params.get("EncryptionContext", {}).items())).encode()


class Dribble(io.RawIOBase):
    """A source that gives a few bytes at a time, as a socket may."""

    def __init__(self, data, step):
        self.data, self.step = io.BytesIO(data), step

    def readable(self):
        return True

    def readinto(self, buffer):
        return self.data.readinto(memoryview(buffer)[: self.step])


class OnlyRead:
    """A source without ``readinto``, such as boto3's StreamingBody."""

    def __init__(self, data):
        self.data = io.BytesIO(data)

    def read(self, size=-1):
        return self.data.read(size)


class Lazy(io.RawIOBase):
    """A sink that takes at most seven bytes at a time, as a raw file may."""

    def __init__(self):
        self.data = bytearray()

    def writable(self):
        return True

    def write(self, data):
        self.data += bytes(data[:7])
        return min(7, len(data))


@pytest.fixture
def kms():
    return FakeKMS()


def sealed(kms, text=TEXT, context=CONTEXT, frame=FRAME):
    return encrypt_bytes(kms, "k", text, context=context, frame_bytes=frame)


def parts(blob):
    """An envelope taken apart: header, and its frames as a list."""
    source = io.BytesIO(blob)
    header = read_header(source).to_bytes()
    rest = source.read()
    return header, [rest[i : i + FRAME + 16] for i in range(0, len(rest), FRAME + 16)]


def released(kms, blob, context=CONTEXT):
    """What an attempt to decrypt released before it failed, and the error."""
    sink = io.BytesIO()
    with pytest.raises((EnvelopeError, Refused)) as caught:
        decrypt(kms, io.BytesIO(blob), sink, context=context)
    return sink.getvalue(), caught.value


class TestRoundTrip:
    @given(
        frame=st.integers(1, 9),
        frames=st.integers(0, 4),
        off=st.integers(-1, 1),
        context=st.dictionaries(st.text(), st.text(), max_size=2),
    )
    def test_every_size_around_a_frame_boundary_comes_back(self, frame, frames, off, context):
        """What was encrypted comes back, whatever its size is next to that of a frame."""
        kms, text = FakeKMS(), os.urandom(max(0, frame * frames + off))

        blob = encrypt_bytes(kms, "k", text, context=context, frame_bytes=frame)

        assert decrypt_bytes(kms, blob, context=context) == text
        assert len(blob) == len(parts_header(blob)) + len(text) + 16 * max(1, -(-len(text) // frame))

    @pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 65535, 65536, 65537, 200_000])
    def test_default_frames(self, kms, size):
        """The default frame size works at the sizes where buffers change."""
        text = os.urandom(size)

        assert decrypt_bytes(kms, encrypt_bytes(kms, "k", text)) == text

    @pytest.mark.parametrize("step", [1, 5, 16, 17, 1000])
    def test_short_reads_change_nothing(self, kms, step):
        """A source that answers with fewer bytes than asked for is read to its end."""
        sink, back = io.BytesIO(), io.BytesIO()

        size = encrypt(kms, "k", Dribble(TEXT, step), sink, frame_bytes=FRAME)
        decrypt(kms, Dribble(sink.getvalue(), step), back)

        assert (size, back.getvalue()) == (len(TEXT), TEXT)

    def test_a_source_without_readinto_works(self, kms):
        """A source needs only ``read``."""
        sink, back = io.BytesIO(), io.BytesIO()

        encrypt(kms, "k", OnlyRead(TEXT), sink, frame_bytes=FRAME)
        size = decrypt(kms, OnlyRead(sink.getvalue()), back)

        assert (size, back.getvalue()) == (len(TEXT), TEXT)

    def test_a_sink_that_writes_less_gets_everything(self, kms):
        """A sink that takes a part of each write receives all of it in the end."""
        sink, back = Lazy(), Lazy()

        encrypt(kms, "k", io.BytesIO(TEXT), sink, frame_bytes=FRAME)
        decrypt(kms, io.BytesIO(sink.data), back)

        assert back.data == TEXT

    def test_a_source_that_would_block_is_refused(self, kms):
        """A source without data that is not at its end is an error, not the end of the data."""

        class NotNow(io.RawIOBase):
            def readinto(self, buffer):
                return None

        with pytest.raises(BlockingIOError):
            encrypt(kms, "k", NotNow(), io.BytesIO())

    @given(text=st.binary(max_size=80))
    def test_the_documented_layout_is_the_layout(self, text):
        """A reader written from the module docstring alone opens an envelope."""
        kms = FakeKMS()
        blob = sealed(kms, text)

        assert blob[:5] == b"kmsE\x01"
        n = int.from_bytes(blob[5:7], "big")
        size = int.from_bytes(blob[7 + n : 11 + n], "big") + 16
        prefix, header, frames = blob[11 + n : 19 + n], blob[: 19 + n], blob[19 + n :]
        key = AESGCM(kms.decrypt(CiphertextBlob=blob[7 : 7 + n], EncryptionContext=CONTEXT)["Plaintext"])
        count = -(-len(frames) // size)
        opened = b""
        for i in range(count):
            nonce = prefix + i.to_bytes(3, "big") + bytes([i == count - 1])
            opened += key.decrypt(nonce, frames[i * size : (i + 1) * size], header)
        assert opened == text


def parts_header(blob):
    return read_header(io.BytesIO(blob)).to_bytes()


class TestCallsToKMS:
    def test_one_call_each_way(self, kms):
        """Encrypting makes one GenerateDataKey, decrypting one Decrypt, whatever the size."""
        decrypt_bytes(kms, sealed(kms, os.urandom(1000)), context=CONTEXT, key_id="k")

        assert [name for name, _ in kms.calls] == ["GenerateDataKey", "Decrypt"]
        assert kms.calls[0][1] == {"KeyId": "k", "KeySpec": "AES_256", "EncryptionContext": CONTEXT}
        assert kms.calls[1][1].keys() == {"CiphertextBlob", "EncryptionContext", "KeyId"}

    def test_nothing_is_sent_that_was_not_given(self, kms):
        """Without context and key, neither appears in the calls."""
        decrypt_bytes(kms, encrypt_bytes(kms, "k", TEXT))

        assert [sorted(params) for _, params in kms.calls] == [["KeyId", "KeySpec"], ["CiphertextBlob"]]

    def test_the_envelope_holds_no_plaintext_key_and_no_context(self, kms):
        """Neither the data key nor the encryption context is stored."""
        blob = sealed(kms, context={"tenant": "Alexandria"})

        assert kms.data_keys[0] not in blob
        assert b"Alexandria" not in blob

    def test_each_envelope_has_its_own_key(self, kms):
        """The same data encrypted twice gives two data keys and nothing in common after the fixed fields."""
        first, second = sealed(kms), sealed(kms)

        assert len(set(kms.data_keys)) == 2
        assert parts(first)[1][0] != parts(second)[1][0]

    def test_a_refusal_comes_through_and_leaves_the_sink_alone(self, kms):
        """When KMS refuses, the client's own error is raised and nothing was written."""
        sink = io.BytesIO()

        with pytest.raises(Refused):
            encrypt(kms, "forbidden", io.BytesIO(TEXT), sink)

        assert sink.getvalue() == b""

    def test_a_ciphertext_that_is_no_data_key(self, kms):
        """A header around a ciphertext that holds something other than a data key is refused."""
        nonce = os.urandom(12)
        blob = nonce + kms.aead.encrypt(nonce, b"hello", b"[]")
        header = replace(read_header(io.BytesIO(sealed(kms))), wrapped_key=blob)

        with pytest.raises(NotAnEnvelope, match="holds 5"):
            decrypt_bytes(kms, header.to_bytes() + bytes(16))


class TestTampering:
    def test_every_single_bit_matters(self, kms):
        """Flip any one bit of an envelope and it does not open; only frames before the flip are released."""
        blob = sealed(kms)
        start = len(parts(blob)[0])

        for position in range(len(blob)):
            for bit in range(8):
                changed = bytearray(blob)
                changed[position] ^= 1 << bit
                out, _ = released(kms, bytes(changed))
                genuine_frames = max(0, position - start) // (FRAME + 16)
                assert out == TEXT[: genuine_frames * FRAME], (position, bit)

    def test_every_cut_is_noticed(self, kms):
        """Cut an envelope anywhere and it does not open."""
        blob = sealed(kms)

        for length in range(len(blob)):
            out, error = released(kms, blob[:length])
            assert isinstance(error, EnvelopeError), length
            assert out in (b"", TEXT[:FRAME], TEXT[: 2 * FRAME])

    def test_a_cut_between_frames_is_named_as_such(self, kms):
        """When whole frames are missing, the error says that the end is missing, and how many frames there are."""
        header, frames = parts(sealed(kms))

        for whole in range(len(frames)):
            _, error = released(kms, header + b"".join(frames[:whole]))
            assert type(error) is Truncated
            assert f"after {whole} whole frames" in str(error)

    @pytest.mark.parametrize("size", [0, 16, 32, 40])
    @pytest.mark.parametrize("tail", [b"\0", bytes(16), bytes(33), bytes(100)])
    def test_appended_data_is_noticed(self, kms, size, tail):
        """Whatever follows the last frame, the envelope does not open as a whole."""
        _, error = released(kms, sealed(kms, bytes(size)) + tail)

        assert type(error) is Tampered

    def test_data_after_a_whole_last_frame_is_named_as_such(self, kms):
        """When something follows a last frame that is intact, the error says so."""
        out, error = released(kms, sealed(kms, bytes(32)) + b"more")

        assert "something was appended" in str(error)
        assert out == bytes(16)  # the last frame is not released, since more follows

    @pytest.mark.parametrize("order", [(1, 0, 2), (0, 2, 1), (0, 0, 1, 2), (0, 2), (1, 2), (0, 1, 1, 2), (2,)])
    def test_frames_have_their_place(self, kms, order):
        """Frames that are swapped, repeated or left out are noticed."""
        header, frames = parts(sealed(kms))

        _, error = released(kms, header + b"".join(frames[i] for i in order))

        assert type(error) is Tampered

    def test_a_frame_of_another_message_under_the_same_data_key(self, kms):
        """Two messages under one data key cannot exchange frames."""
        sealer = Sealer(kms, "k", context=CONTEXT, frame_bytes=FRAME)
        header, frames = parts(sealer.encrypt_bytes(TEXT))
        _, others = parts(sealer.encrypt_bytes(TEXT))

        out, error = released(kms, header + frames[0] + others[1] + frames[2])

        assert (out, type(error), error.frame) == (TEXT[:FRAME], Tampered, 1)

    def test_swapped_wrapped_keys(self, kms):
        """An envelope with the wrapped key of another one does not open, though KMS accepts that key."""
        first, second = sealed(kms), sealed(kms)
        header, frames = parts(first)
        swapped = replace(read_header(io.BytesIO(header)), wrapped_key=read_header(io.BytesIO(second)).wrapped_key)

        out, error = released(kms, swapped.to_bytes() + b"".join(frames))

        assert (out, type(error)) == (b"", Tampered)
        assert kms.calls[-1][0] == "Decrypt"

    @given(context=st.dictionaries(st.text(max_size=6), st.text(max_size=6), max_size=3))
    def test_only_the_same_context_opens(self, context):
        """An envelope opens with the encryption context it was made with, and KMS refuses every other."""
        kms = FakeKMS()
        blob = sealed(kms, context=context)

        assert decrypt_bytes(kms, blob, context=context) == TEXT
        for other in ({}, CONTEXT, {**context, "more": "x"}):
            if other != context:
                assert isinstance(released(kms, blob, other)[1], Refused)


class TestHeader:
    def test_it_shows_what_is_inside(self, kms):
        """The header can be read without KMS, and printed byte by byte."""
        source = io.BytesIO(sealed(kms))
        calls = len(kms.calls)

        header = read_header(source)

        assert (header.version, header.frame_bytes, len(header.wrapped_key)) == (1, FRAME, 60)
        assert b"".join(field.value for field in header.fields()) == source.getvalue()[: source.tell()]
        assert [field.offset for field in header.fields()] == [0, 4, 5, 7, 67, 71]
        assert "data key, wrapped by KMS" in str(header)
        assert len(kms.calls) == calls

    @pytest.mark.parametrize("data", [b"", b"k m s", b"PK\x03\x04 a zip", b"hello", bytes(100)])
    def test_something_else_is_not_an_envelope(self, kms, data):
        """Data that does not begin as an envelope is refused by name, and KMS is not asked."""
        with pytest.raises(NotAnEnvelope, match=r"This is not an envelope: it begins with"):
            decrypt_bytes(kms, data)
        assert kms.calls == []

    def test_a_later_version(self, kms):
        """An envelope of a later version says what to do."""
        blob = bytearray(sealed(kms))
        blob[4] = 2

        with pytest.raises(UnknownVersion, match="Upgrade") as caught:
            decrypt_bytes(kms, bytes(blob), context=CONTEXT)
        assert caught.value.version == 2

    @pytest.mark.parametrize("frame_bytes", [0, envelope.MAX_FRAME_BYTES + 1, 2**32 - 1])
    def test_an_impossible_frame_size_reserves_no_memory(self, kms, frame_bytes):
        """A header that asks for frames of gigabytes is refused before KMS is asked or memory taken."""
        header = replace(read_header(io.BytesIO(sealed(kms))), frame_bytes=frame_bytes)
        calls = len(kms.calls)

        with pytest.raises(NotAnEnvelope, match="frames of"):
            decrypt_bytes(kms, header.to_bytes() + bytes(100))
        assert len(kms.calls) == calls

    @pytest.mark.parametrize("frame_bytes", [0, -1, envelope.MAX_FRAME_BYTES + 1])
    def test_an_impossible_frame_size_is_not_written(self, kms, frame_bytes):
        """A frame size that no reader would accept is refused before KMS is asked."""
        with pytest.raises(ValueError, match="frame_bytes must be"):
            encrypt_bytes(kms, "k", TEXT, frame_bytes=frame_bytes)
        assert kms.calls == []

    def test_more_frames_than_a_number_can_count(self, kms, monkeypatch):
        """Data longer than the frame numbers reach is refused, and such an envelope is not read on."""
        whole = sealed(kms)
        monkeypatch.setattr(envelope, "MAX_FRAMES", 2)

        with pytest.raises(ValueError, match="larger frame_bytes"):
            sealed(kms)
        assert type(released(kms, whole)[1]) is Tampered


class TestFiles:
    def test_round_trip(self, kms, tmp_path):
        """A file comes back from its envelope; each call answers with the size of the plaintext."""
        text, blob, back = tmp_path / "a.txt", tmp_path / "a.kms", tmp_path / "b.txt"
        text.write_bytes(TEXT)

        assert encrypt_file(kms, "k", text, blob, context=CONTEXT) == 40
        assert decrypt_file(kms, blob, str(back), context=CONTEXT) == 40

        assert back.read_bytes() == TEXT
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.kms", "a.txt", "b.txt"]

    def test_in_place(self, kms, tmp_path):
        """A file can be encrypted and decrypted in place, and keeps its permissions."""
        path = tmp_path / "a"
        path.write_bytes(TEXT)
        path.chmod(0o640)

        encrypt_file(kms, "k", path, path)
        assert path.read_bytes()[:4] == b"kmsE"
        decrypt_file(kms, path, path)

        assert path.read_bytes() == TEXT
        assert os.name == "nt" or path.stat().st_mode & 0o777 == 0o640

    @pytest.mark.parametrize("existing", [None, b"precious"])
    @pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:-20], lambda b: b + b"x", lambda b: b[:8]])
    def test_a_damaged_envelope_leaves_the_target_as_it_was(self, kms, tmp_path, existing, damage):
        """When decryption fails, the target is what it was before, and no part of the plaintext remains."""
        blob, target = tmp_path / "blob", tmp_path / "target"
        blob.write_bytes(damage(sealed(kms)))
        if existing:
            target.write_bytes(existing)

        with pytest.raises((EnvelopeError, Refused)):
            decrypt_file(kms, blob, target, context=CONTEXT)

        assert (target.read_bytes() if target.exists() else None) == existing
        assert {path.name for path in tmp_path.iterdir()} == ({"blob", "target"} if existing else {"blob"})

    @pytest.mark.parametrize("problem", [Refused, KeyboardInterrupt, MemoryError])
    def test_an_interruption_leaves_nothing(self, kms, tmp_path, problem):
        """Whatever interrupts an encryption, the target is untouched and the temporary file is gone."""
        path = tmp_path / "a"
        path.write_bytes(TEXT)

        def interrupted(**_):
            raise problem

        kms.generate_data_key = interrupted
        with pytest.raises(problem):
            encrypt_file(kms, "k", path, path)

        assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", TEXT)]

    def test_a_missing_source_leaves_nothing(self, kms, tmp_path):
        """A source that is not there is the usual error, and leaves no file behind."""
        with pytest.raises(FileNotFoundError):
            decrypt_file(kms, tmp_path / "none", tmp_path / "target")
        assert list(tmp_path.iterdir()) == []


class TestSealer:
    def test_messages_per_data_key(self, kms):
        """A new data key is asked for after the given number of messages, and every message opens."""
        sealer = Sealer(kms, "k", context=CONTEXT, max_messages=3)
        blobs = [sealer.encrypt_bytes(b"%d" % i) for i in range(7)]

        assert (len(kms.calls), sealer.data_keys, sealer.messages) == (3, 3, 1)
        assert [decrypt_bytes(kms, blob, context=CONTEXT) for blob in blobs] == [b"%d" % i for i in range(7)]

    @given(st.lists(st.integers(0, 30), max_size=20), st.integers(1, 5), st.integers(1, 60))
    def test_no_data_key_outlives_its_limits(self, sizes, max_messages, max_bytes):
        """No data key starts a message after its number of messages or of bytes is reached."""
        kms = FakeKMS()
        sealer = Sealer(kms, "k", max_messages=max_messages, max_bytes=max_bytes, frame_bytes=8)
        used = {}
        for size in sizes:
            key = read_header(io.BytesIO(sealer.encrypt_bytes(bytes(size)))).wrapped_key
            messages, total = used.get(key, (0, 0))
            assert messages < max_messages
            assert total < max_bytes
            used[key] = (messages + 1, total + size)

        assert len(used) == sealer.data_keys == len(kms.calls)

    def test_nonces_do_not_repeat(self, kms):
        """Messages under one data key have different nonce prefixes."""
        sealer = Sealer(kms, "k", max_messages=500)
        prefixes = {read_header(io.BytesIO(sealer.encrypt_bytes(b""))).nonce_prefix for _ in range(500)}

        assert (len(prefixes), sealer.data_keys) == (500, 1)

    def test_a_refused_message_is_asked_for_again(self, kms):
        """When KMS refuses the first data key, a later message asks again."""
        sealer = Sealer(kms, "forbidden")
        for _ in range(2):
            with pytest.raises(Refused):
                sealer.encrypt_bytes(b"x")

        assert (len(kms.calls), sealer.data_keys) == (2, 0)

    @pytest.mark.parametrize("limits", [{"max_messages": 0}, {"max_messages": 2**16 + 1}, {"max_bytes": 0}])
    def test_limits_have_limits(self, kms, limits):
        """Limits without sense, or above what random nonces allow, are refused."""
        with pytest.raises(ValueError, match="must be"):
            Sealer(kms, "k", **limits)


class TestClients:
    def test_the_labs_client(self):
        """The lab refuses the wrong context, the wrong key and a disabled key, as KMS does."""
        lab = Lab(seed=1)
        kms = lab.client()
        key, other = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
        blob = encrypt_bytes(kms, key, TEXT, context=CONTEXT)

        assert decrypt_bytes(kms, blob, context=CONTEXT, key_id=key) == TEXT
        assert code_of(lambda: decrypt_bytes(kms, blob, context={})) == "InvalidCiphertextException"
        assert code_of(lambda: decrypt_bytes(kms, blob, context=CONTEXT, key_id=other)) == "IncorrectKeyException"
        kms.disable_key(KeyId=key)
        assert code_of(lambda: decrypt_bytes(kms, blob, context=CONTEXT)) == "DisabledException"

    def test_an_envelope_outlives_rotation(self):
        """An envelope made before its key was rotated opens afterwards, unchanged."""
        lab = Lab(seed=1)
        kms = lab.client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.enable_key_rotation(KeyId=key)
        blob = encrypt_bytes(kms, key, TEXT)

        lab.clock.travel(days=800)

        assert decrypt_bytes(kms, blob) == TEXT

    def test_boto3s_client(self):
        """The calls are ones that the real boto3 accepts, and its answers are understood."""
        kms = boto3.client("kms", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        key, wrapped, arn = os.urandom(32), os.urandom(184), "arn:aws:kms:us-east-1:111122223333:key/k"
        with Stubber(kms) as stub:
            stub.add_response(
                "generate_data_key",
                {"Plaintext": key, "CiphertextBlob": wrapped, "KeyId": arn},
                {"KeyId": "alias/a", "KeySpec": "AES_256", "EncryptionContext": CONTEXT},
            )
            stub.add_response(
                "decrypt",
                {"Plaintext": key, "KeyId": arn},
                {"CiphertextBlob": wrapped, "KeyId": arn, "EncryptionContext": CONTEXT},
            )
            blob = encrypt_bytes(kms, "alias/a", TEXT, context=CONTEXT)

            assert decrypt_bytes(kms, blob, context=CONTEXT, key_id=arn) == TEXT
            stub.assert_no_pending_responses()


def code_of(action):
    """The code with which KMS refuses an action."""
    with pytest.raises(KMSError) as caught:
        action()
    return caught.value.response["Error"]["Code"]


class Zeros(io.RawIOBase):
    """A file of a given size without a disk."""

    def __init__(self, size):
        self.left = size

    def readable(self):
        return True

    def readinto(self, buffer):
        count = min(len(buffer), self.left)
        self.left -= count
        return count


class Count(io.RawIOBase):
    def writable(self):
        return True

    def write(self, data):
        return len(data)


def peak(action):
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class TestMemory:
    @pytest.mark.parametrize("frame", [64 * 1024, 1024 * 1024])
    def test_it_is_two_frames_however_long_the_stream(self, kms, tmp_path, frame):
        """Encrypting and decrypting hold two frames in memory, the same for 4 MiB and for 64 MiB."""
        blob, peaks = tmp_path / "blob", []

        def measure(size):
            with open(blob, "wb", buffering=0) as sink:
                peaks.append(peak(lambda: encrypt(kms, "k", Zeros(size), sink, frame_bytes=frame)))
            with open(blob, "rb", buffering=0) as source:
                peaks.append(peak(lambda: decrypt(kms, source, Count())))

        measure(4 << 20)
        measure(64 << 20)

        assert max(peaks) < 2 * frame + 64 * 1024
        assert max(peaks) - min(peaks) < 16 * 1024

    def test_a_short_message_does_not_reserve_a_frame(self, kms):
        """A message of one kilobyte takes kilobytes, even with frames of a megabyte."""
        encrypt_bytes(kms, "k", bytes(1024), frame_bytes=1 << 20)  # imports and caches

        assert peak(lambda: encrypt_bytes(kms, "k", bytes(1024), frame_bytes=1 << 20)) < 64 * 1024
