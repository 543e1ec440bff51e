"""The numbers kms_lab promises, measured side by side: ``make bench``.

One section is one function that returns rows. Figures are ratios against a named peer wherever there is one:
the contestants of a cell take turns in every round, in an order that rotates by one, and the figure is the
median of the per-round ratios, so that a slow moment of the machine slows both. Memory and start-up are
taken in new processes.

    python benchmarks/run.py                     every section
    python benchmarks/run.py --section envelope  one of them
    python benchmarks/run.py --strict            exit with 1 when a row misses its bar
"""

import argparse
import contextlib
import gc
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kms_lab import KMSError, Lab, envelope
from kms_lab.core.keys import Grant
from kms_lab.core.names import Principal
from kms_lab.doors import wire
from kms_lab.policy import scenario
from kms_lab.policy.compiled import Asked
from kms_lab.policy.evaluate import Layers, Request, compile_policy, decide, evaluate
from kms_lab.policy.flip import flip
from kms_lab.views import audit
from kms_lab.views.bill import price_of, tally
from kms_lab.views.tariff import REQUEST_CLASSES, TARIFF

MIB = 1 << 20


@dataclass(frozen=True)
class Row:
    """One figure. ``bar`` is what it must reach: at most that, or at least that if ``more_is_better``."""

    what: str
    value: float
    unit: str
    bar: float | None = None
    more_is_better: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.bar is None:
            return ""
        good = self.value >= self.bar if self.more_is_better else self.value <= self.bar
        return "ok" if good else "MISSED"


# ---- measuring


def rounds_of(contestants: dict[str, Callable[[], Any]], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Seconds per call of each contestant in every round; they take turns, and the order rotates."""
    names = list(contestants)
    repeats = {name: _repeats(contestants[name], seconds) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            call, start = contestants[name], time.perf_counter()
            for _ in range(repeats[name]):
                call()
            times[name].append((time.perf_counter() - start) / repeats[name])
    return times


def _repeats(call: Callable[[], Any], seconds: float) -> int:
    """How often to call so that one turn lasts about ``seconds``; the first call warms up and does not count."""
    call()
    start = time.perf_counter()
    call()
    return max(1, round(seconds / max(time.perf_counter() - start, 1e-9)))


def ratio(over: list[float], under: list[float]) -> float:
    """The median of the ratios within each round."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


def in_new_process(code: str) -> float:
    """Run ``code`` in a new interpreter; the last thing it prints is the figure."""
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root, env=_environment(root)
    )
    return float(done.stdout.split()[-1])


def _environment(root: Path) -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**known, "PYTHONPATH": os.pathsep.join([str(root), str(root / "benchmarks")])}


# ---- envelope


class Data(io.RawIOBase):
    """A file of ``size`` bytes without a disk: one block, again and again."""

    def __init__(self, size: int, block: bytes) -> None:
        self.left, self.block = size, memoryview(block)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        count = min(len(view), self.left)
        for start in range(0, count, len(self.block)):
            end = min(start + len(self.block), count)
            view[start:end] = self.block[: end - start]
        self.left -= count
        return count


class Nowhere(io.RawIOBase):
    """A file that forgets what is written."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return len(data)


class LocalKMS:
    """The least that an envelope asks of a client, so that only the envelope is measured."""

    key = b"d" * 32

    def generate_data_key(self, **_: Any) -> dict[str, bytes]:
        return {"Plaintext": self.key, "CiphertextBlob": b"w" * 184}

    def decrypt(self, **_: Any) -> dict[str, bytes]:
        return {"Plaintext": self.key}


def raw_encrypt(source: io.RawIOBase, sink: io.RawIOBase, frame: int) -> None:
    """The floor: AES-256-GCM over equal frames with a counter for a nonce; no header, no end, no promises."""
    aead, head = AESGCM(LocalKMS.key), bytes(20)
    plaintext, sealed = memoryview(bytearray(frame)), memoryview(bytearray(frame + 16))
    number = 0
    while count := source.readinto(plaintext):
        nonce = number.to_bytes(12, "big")
        size = aead.encrypt_into(nonce, plaintext[:count], head, sealed[: count + 16])
        sink.write(sealed[:size])
        number += 1


def raw_decrypt(source: io.RawIOBase, sink: io.RawIOBase, frame: int) -> None:
    """The floor for the other direction, over what ``raw_encrypt`` wrote."""
    aead, head = AESGCM(LocalKMS.key), bytes(20)
    sealed, plaintext = memoryview(bytearray(frame + 16)), memoryview(bytearray(frame))
    number = 0
    while count := source.readinto(sealed):
        nonce = number.to_bytes(12, "big")
        size = aead.decrypt_into(nonce, sealed[:count], head, plaintext[: count - 16])
        sink.write(plaintext[:size])
        number += 1


def envelope_section(rounds: int, seconds: float) -> Iterator[Row]:
    """A stream against raw AES-GCM in equal frames; then what it holds in memory."""
    kms, size, block = LocalKMS(), 32 * MIB, os.urandom(MIB)
    for frame, bar, name in ((64 * 1024, 0.85, "64 KiB"), (MIB, 0.90, "1 MiB")):
        ours, raw = io.BytesIO(), io.BytesIO()
        envelope.encrypt(kms, "k", Data(size, block), ours, frame_bytes=frame)
        raw_encrypt(Data(size, block), raw, frame)
        for way, contestants in (
            ("encrypt", {
                "ours": lambda f=frame: envelope.encrypt(kms, "k", Data(size, block), Nowhere(), frame_bytes=f),
                "raw": lambda f=frame: raw_encrypt(Data(size, block), Nowhere(), f),
            }),
            ("decrypt", {
                "ours": lambda blob=ours: envelope.decrypt(kms, rewound(blob), Nowhere()),
                "raw": lambda blob=raw, f=frame: raw_decrypt(rewound(blob), Nowhere(), f),
            }),
        ):  # fmt: skip
            times = rounds_of(contestants, rounds, seconds)
            speed = size / statistics.median(times["ours"]) / 1e6
            yield Row(
                f"envelope {way}, frames of {name}: of raw AES-GCM in equal frames",
                ratio(times["raw"], times["ours"]), "x", bar, True, f"{speed:,.0f} MB/s",
            )  # fmt: skip
    for frame, name in ((64 * 1024, "64 KiB"), (MIB, "1 MiB")):
        for mib in (1, 64, 1024):
            peak = in_new_process(f"import run; print(run.envelope_peak({frame}, {mib} * run.MIB))")
            bar = 4 * frame / MIB + 2
            yield Row(f"envelope peak memory, {mib:,} MiB in frames of {name}", peak, "MiB", bar)


def rewound(blob: io.BytesIO) -> io.BytesIO:
    blob.seek(0)
    return blob


def envelope_peak(frame: int, size: int) -> float:
    """MiB by which the process grew at its peak while it encrypted ``size`` bytes. Linux only: 0 elsewhere."""
    kms, block = LocalKMS(), os.urandom(MIB)
    envelope.encrypt(kms, "k", Data(1000, block), Nowhere())  # code and caches
    start = resident_peak(reset=True)
    envelope.encrypt(kms, "k", Data(size, block), Nowhere(), frame_bytes=frame)
    return (resident_peak() - start) / MIB


def resident_peak(reset: bool = False) -> int:
    """The most bytes that this process had in memory, since the last reset (Linux: clear_refs 5)."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


# ---- calls


CONTEXT = {"project": "lab", "purpose": "bench"}


def raw_calls() -> dict[str, Callable[[], Any]]:
    """The same cryptography without a KMS around it."""
    key, plaintext, aad = AESGCM(os.urandom(32)), os.urandom(1024), json.dumps(CONTEXT).encode()
    nonce = os.urandom(12)
    sealed = key.encrypt(nonce, plaintext, aad)

    def data_key() -> Any:
        secret = os.urandom(32)
        return secret, key.encrypt(os.urandom(12), secret, aad)

    return {
        "Encrypt": lambda: key.encrypt(os.urandom(12), plaintext, aad),
        "Decrypt": lambda: key.decrypt(nonce, sealed, aad),
        "GenerateDataKey": data_key,
        "CreateKey": lambda: (uuid.uuid4(), AESGCM(os.urandom(32))),
    }


def kms_calls(kms: Any) -> dict[str, Callable[[], Any]]:
    """The calls of any boto3-shaped client."""
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    plaintext = os.urandom(1024)
    blob = kms.encrypt(KeyId=key, Plaintext=plaintext, EncryptionContext=CONTEXT)["CiphertextBlob"]
    return {
        "Encrypt": lambda: kms.encrypt(KeyId=key, Plaintext=plaintext, EncryptionContext=CONTEXT),
        "Decrypt": lambda: kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT),
        "GenerateDataKey": lambda: kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=CONTEXT),
        "CreateKey": lambda: kms.create_key(),
    }


def call_section(rounds: int, seconds: float) -> Iterator[Row]:
    """One call, everything included, above the bare primitive; and a refused one beside an allowed one."""
    lab = Lab()
    ours, raw = kms_calls(lab.client()), raw_calls()
    for name in ("Encrypt", "Decrypt", "GenerateDataKey"):
        times = rounds_of({"ours": ours[name], "raw": raw[name]}, rounds, seconds)
        above = statistics.median(a - b for a, b in zip(times["ours"], times["raw"], strict=True)) * 1e6
        yield Row(
            f"{name} of 1 KiB above the raw primitive", above, "us", 10, note=f"{ratio(**_pair(times)):.1f} x raw"
        )
    times = rounds_of({"ours": ours["CreateKey"], "raw": raw["CreateKey"]}, rounds, seconds)
    yield Row("CreateKey against uuid4 and a new cipher", ratio(**_pair(times)), "x", 5)

    key = lab.client().create_key()["KeyMetadata"]["KeyId"]
    stranger = lab.client(lab.iam.create_role("Stranger"))

    def refused() -> None:
        with contextlib.suppress(KMSError):
            stranger.encrypt(KeyId=key, Plaintext=b"x" * 1024, EncryptionContext=CONTEXT)

    times = rounds_of({"ours": refused, "raw": ours["Encrypt"]}, rounds, seconds)
    yield Row("a refused call against an allowed one", ratio(**_pair(times)), "x", 2)


def signing_section(rounds: int, seconds: float) -> Iterator[Row]:
    """Signing and verifying through KMS, against the bare primitive on the same key."""
    lab = Lab()
    kms = lab.client()
    message = os.urandom(1024)
    for spec, algorithm, bars in (
        ("ECC_NIST_P256", "ECDSA_SHA_256", {"Sign": 1.4, "Verify": 1.4}),
        ("RSA_2048", "RSASSA_PSS_SHA_256", {"Sign": 1.05, "Verify": 1.4}),
    ):
        key = kms.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        asked = {"KeyId": key, "Message": message, "SigningAlgorithm": algorithm}
        signature = kms.sign(**asked)["Signature"]
        private = serialization.load_der_private_key(lab.key(key).current.secret, None)
        public = private.public_key()
        how: tuple[Any, ...] = (ec.ECDSA(hashes.SHA256()),)
        if spec.startswith("RSA"):
            how = (padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        pairs = {
            "Sign": (lambda asked=asked: kms.sign(**asked), lambda k=private, how=how: k.sign(message, *how)),
            "Verify": (
                lambda asked=asked, s=signature: kms.verify(Signature=s, **asked),
                lambda k=public, s=signature, how=how: k.verify(s, message, *how),
            ),
        }
        for name, (ours, raw) in pairs.items():
            times = rounds_of({"ours": ours, "raw": raw}, rounds, seconds)
            yield Row(f"{name} {spec} against the primitive", ratio(**_pair(times)), "x", bars[name])


def doors_section(rounds: int, seconds: float) -> Iterator[Row]:
    """The real boto3 in process against botocore's own cost and ours together; and the HTTP door, for information."""
    lab = Lab()
    kms, boto = lab.client(), lab.boto3_client()
    ours, through = kms_calls(kms)["Encrypt"], kms_calls(boto)["Encrypt"]
    canned = wire_answer(lab)
    from botocore.awsrequest import AWSResponse

    body = SimpleNamespace(stream=lambda *_, **__: [canned.body])
    stub = lab.boto3_client()
    stub.meta.events.register_first(
        "before-send",
        lambda request, **_: AWSResponse(request.url, 200, canned.headers, body),
    )
    blank = kms_calls_on(stub, kms.create_key()["KeyMetadata"]["KeyId"])
    times = rounds_of({"through": through, "stub": blank, "ours": ours}, rounds, seconds)
    figure = statistics.median(
        a / (b + c) for a, b, c in zip(times["through"], times["stub"], times["ours"], strict=True)
    )
    yield Row("Encrypt through boto3 against botocore's own cost and ours", figure, "x", 1.1)


def wire_answer(lab: Lab) -> wire.Reply:
    """An answer to Encrypt as it goes over the wire."""
    key = lab.client().create_key()["KeyMetadata"]["KeyId"]
    body = json.dumps({"KeyId": key, "Plaintext": "eA==", "EncryptionContext": CONTEXT}).encode()
    admin = Principal.parse("arn:aws:iam::111122223333:user/Admin")
    return wire.answer(lab.world, admin, "us-east-1", "TrentService.Encrypt", body)


def kms_calls_on(kms: Any, key: str) -> Callable[[], Any]:
    plaintext = os.urandom(1024)
    return lambda: kms.encrypt(KeyId=key, Plaintext=plaintext, EncryptionContext=CONTEXT)


def moto_section(rounds: int, seconds: float) -> Iterator[Row]:
    """The same calls through boto3 on moto."""
    os.environ.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x", AWS_DEFAULT_REGION="us-east-1")
    import boto3
    from moto import mock_aws

    ours = kms_calls(Lab().client())
    with mock_aws():
        theirs = kms_calls(boto3.client("kms"))
        for name in ("Encrypt", "Decrypt", "GenerateDataKey"):
            times = rounds_of({"ours": theirs[name], "raw": ours[name]}, rounds, seconds)
            yield Row(f"{name} against moto through boto3", ratio(**_pair(times)), "x", 80, True)


def _pair(times: dict[str, list[float]]) -> dict[str, list[float]]:
    return {"over": times["ours"], "under": times["raw"]}


# ---- authorization


def policy_section(rounds: int, seconds: float) -> Iterator[Row]:
    """20 statements in 4 policies, a condition on the context, and a grant that decides: first, and again."""
    principal = Principal.parse("arn:aws:iam::111122223333:role/App")
    arn = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    key_policy = compile_policy(_policy("key", 5), "key")
    identity = tuple(compile_policy(_policy("identity", 5, number), "identity") for number in range(3))
    context = (("kms:encryptioncontext:tenant", "nobody's"),)
    pairs = (("tenant", "nobody's"),)
    grant = Grant(
        "0" * 64, "", arn, principal.identity_arn, "", ("Decrypt",), None, pairs, "", "", "", (), 0, 0
    )  # fmt: skip
    asked = Asked(context=pairs)
    request = Request(principal, "kms:Decrypt", arn, "111122223333", dict(context), asked)
    layers = Layers(key_policy, identity)

    def again() -> Any:
        return decide(principal, "kms:Decrypt", arn, "111122223333", layers, context, (grant,), asked)

    document = again().scenario()
    contestants = {
        "first": lambda: evaluate(request, layers, (grant,)),
        "again": again,
        "document": lambda: scenario.decide(document).explain(),
        "flip": lambda: flip(document),
    }
    assert again().reason == "grant"
    times = rounds_of(contestants, rounds, seconds)
    yield Row("a first decision", statistics.median(times["first"]) * 1e6, "us", 15)
    yield Row("a repeated decision", statistics.median(times["again"]) * 1e6, "us", 1.5)
    yield Row("a scenario document, answered and explained in full", statistics.median(times["document"]) * 1e6, "us")
    yield Row("the smallest edit that flips it", statistics.median(times["flip"]) * 1e3, "ms")


def _policy(kind: str, statements: int, number: int = 0) -> str:
    rows = []
    for index in range(statements):
        row: dict[str, Any] = {
            "Effect": "Deny" if index == 0 else "Allow",
            "Action": [f"kms:{verb}*" for verb in ("Put", "Create", "Schedule")] if index < statements - 1 else "kms:*",
            "Resource": "*",
        }
        if kind == "key":
            row["Principal"] = {"AWS": "arn:aws:iam::111122223333:root"}
        if index == statements - 1:
            row["Condition"] = {"StringEquals": {"kms:EncryptionContext:tenant": ["a", f"b{number}"]}}
        rows.append(row)
    return json.dumps({"Version": "2012-10-17", "Statement": rows})


# ---- size


def size_section(rounds: int, seconds: float) -> Iterator[Row]:
    """10,000 keys with an alias each, and a log of 10^6 entries."""
    grown = in_new_process("import run; print(run.many_keys_mib())")
    yield Row("10,000 keys and aliases: memory", grown, "MiB", 12)
    lab, one = Lab(), Lab()
    keys = _many_keys(lab)
    few, many = kms_calls(one.client())["Encrypt"], kms_calls(lab.client())["Encrypt"]
    times = rounds_of({"ours": many, "raw": few}, rounds, seconds)
    yield Row("Encrypt in a world of 10,000 keys against a world of one", ratio(**_pair(times)), "x", 1.1)
    kms = lab.client()
    times = rounds_of(
        {
            "alias": lambda: kms.describe_key(KeyId="alias/bench-9999"),
            "id": lambda: kms.describe_key(KeyId=keys[9999]),
        },
        rounds,
        seconds,
    )
    extra = statistics.median(a - b for a, b in zip(times["alias"], times["id"], strict=True)) * 1e6
    yield Row("an alias against an id", extra, "us", 1)
    yield Row("a log entry", in_new_process("import run; print(run.entry_bytes(False))"), "B", 48)
    yield Row(
        "a log entry with a context of its own", in_new_process("import run; print(run.entry_bytes(True))"), "B", 200
    )
    world = _long_log(10**6, own_context=False)
    audit.frame(world)
    times = rounds_of({"frame": lambda: audit.frame(world)}, rounds, 0.01)
    yield Row("10^6 log entries to a DataFrame", statistics.median(times["frame"]) * 1000, "ms", 60)


def _many_keys(lab: Lab) -> list[str]:
    kms = lab.client()
    keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(10_000)]
    for number, key in enumerate(keys):
        kms.create_alias(AliasName=f"alias/bench-{number}", TargetKeyId=key)
    return keys


def many_keys_mib() -> float:
    lab = Lab()
    lab.client().create_key()
    start = resident()
    _many_keys(lab)
    gc.collect()
    return (resident() - start) / MIB


def _long_log(entries: int, own_context: bool) -> Any:
    world = Lab().world
    callers = [f"arn:aws:iam::111122223333:user/u{number}" for number in range(20)]
    keys = [f"arn:aws:kms:us-east-1:111122223333:key/{uuid.uuid4()}" for _ in range(100)]
    for number in range(entries):
        context = {"tenant": f"tenant-{number}", "document": f"invoice-{number:08d}"} if own_context else CONTEXT
        world.log.append(
            number, "Decrypt", "us-east-1", callers[number % 20], keys[number % 100], context=context
        )  # fmt: skip
    return world


def entry_bytes(own_context: bool) -> float:
    entries = 300_000
    gc.collect()
    start = resident()
    world = _long_log(entries, own_context)
    gc.collect()
    return (resident() - start) / len(world.log)


def resident() -> int:
    """Bytes of this process in memory now (Linux: /proc; 0 elsewhere)."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0


# ---- start-up


def decade_section(rounds: int, seconds: float) -> Iterator[Row]:
    """A million audited calls over ten simulated years with rotations; then questions about them, and their price."""
    code = "import run; lab, spent, grown = run.decade(10**6); print({})"
    yield Row("10^6 audited calls over ten simulated years", in_new_process(code.format("spent")), "s", 12)
    yield Row("the same: memory", in_new_process(code.format("grown")), "MiB", 48)
    world = _long_log(10**6, own_context=False)
    frame = audit.frame(world)
    first, start, end = frame.keyId.iloc[0], frame.eventTime.iloc[250_000], frame.eventTime.iloc[500_000]

    def ask() -> Any:
        """Who decrypted with one key in a part of the time, and how often?"""
        found = frame[
            (frame.eventName == "Decrypt")
            & (frame.keyId == first)
            & (frame.eventTime >= start)
            & (frame.eventTime < end)
        ]
        return found.groupby("principal", observed=True).size()

    times = rounds_of({"ask": ask}, rounds, 0.01)
    yield Row("10^6 log entries: filter and group", statistics.median(times["ask"]) * 1000, "ms", 20)
    columns = [np.random.default_rng(1).integers(0, top, 10**7, np.int16) for top in (100, 12, 5)]
    prices = [TARIFF.price(code).each_usd for code in REQUEST_CLASSES]
    times = rounds_of({"price": lambda: price_of(tally(columns, [100, 12, 5]), prices)}, rounds, 0.01)
    yield Row("pricing 10^7 requests", statistics.median(times["price"]) * 1000, "ms", 60)


def decade(calls: int) -> tuple[Lab, float, float]:
    """Ten years of a rotating key in use: the lab, the seconds it took, and the MiB by which the process grew."""
    lab = Lab(seed=1)
    kms = lab.client()
    keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(10)]
    for key in keys:
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    kms.encrypt(KeyId=keys[0], Plaintext=b"x")
    gc.collect()
    start, before = time.perf_counter(), resident()
    steps = 3650
    for step in range(steps):
        key = keys[step % len(keys)]
        blob = kms.encrypt(KeyId=key, Plaintext=b"x" * 32, EncryptionContext=CONTEXT)["CiphertextBlob"]
        for _ in range(calls // steps - 1):
            kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)
        lab.clock.travel(days=1)
    spent = time.perf_counter() - start
    gc.collect()
    return lab, spent, (resident() - before) / MIB


def start_section(rounds: int, seconds: float) -> Iterator[Row]:
    """From a new interpreter to the first answer."""
    first = """
import time
start = time.perf_counter()
from kms_lab import Lab
kms = Lab().client()
key = kms.create_key()["KeyMetadata"]["KeyId"]
kms.encrypt(KeyId=key, Plaintext=b"x")
print((time.perf_counter() - start) * 1000)
"""
    in_new_process(first)  # the page cache
    figures = [in_new_process(first) for _ in range(rounds)]
    yield Row("import kms_lab to the first Encrypt, new interpreter", statistics.median(figures), "ms", 100)


#: A section takes (rounds, seconds per turn) and yields rows. Add one here.
SECTIONS: dict[str, Callable[[int, float], Iterator[Row]]] = {
    "calls": call_section,
    "signing": signing_section,
    "doors": doors_section,
    "moto": moto_section,
    "policy": policy_section,
    "size": size_section,
    "decade": decade_section,
    "envelope": envelope_section,
    "start": start_section,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--section", action="append", choices=list(SECTIONS), help="default: all")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.2, help="length of one turn")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a row misses its bar")
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {options.rounds} rounds")
    rows = []
    for name in options.section or SECTIONS:
        for row in SECTIONS[name](options.rounds, options.seconds):
            rows.append(row)
            bar = "" if row.bar is None else f"{'>=' if row.more_is_better else '<='} {row.bar:g}"
            print(f"{row.verdict:7}{row.value:10.3f} {row.unit:4}{bar:10}{row.what}  {row.note}", flush=True)
    if options.json:
        options.json.write_text(json.dumps([{**asdict(row), "verdict": row.verdict} for row in rows], indent=1))
    return 1 if options.strict and any(row.verdict == "MISSED" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
