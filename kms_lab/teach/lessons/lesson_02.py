"""Lesson 02: ciphertext under the microscope. Encrypt and Decrypt, encryption context, and what their failures mean.

The world is a hall of lockers: short door codes, each encrypted with the number of its locker as encryption context.

What is true of AWS here: Decrypt of symmetric ciphertext needs no KeyId; a damaged ciphertext and another context give
the same InvalidCiphertextException, without text; the context is compared letter by letter in any order, is no part of
the ciphertext, and stands in CloudTrail in clear; Encrypt takes 4,096 bytes at most; ReEncrypt needs
kms:ReEncryptFrom and kms:ReEncryptTo and hands out no plaintext; each Encrypt draws a new nonce; the readable part of a
ciphertext is sealed with the rest. The lab's own is the layout of a ciphertext's bytes.

Source: AWS KMS Developer Guide, "Encryption context", "Ciphertext format", "Logging AWS KMS API calls with AWS
CloudTrail", "Permissions for AWS KMS in key policies"; AWS KMS API Reference, Encrypt, Decrypt, ReEncrypt,
GenerateDataKey; AWS KMS Cryptographic Details, "Encrypt", "Customer data operations"; errors and messages as recorded
from AWS.
"""

import hashlib
import json
import random
import re
from collections.abc import Iterator
from typing import Any

from kms_lab.core.log import Entry
from kms_lab.lab import Lab
from kms_lab.teach import ciphertexts
from kms_lab.teach.ciphertexts import Tried, flipped, holds, opened, pieces
from kms_lab.teach.exercise import (
    Exercise,
    Misconception,
    Outcome,
    Result,
    Solution,
    describe,
    right,
    wrong,
)
from kms_lab.teach.lesson import Lesson, LessonData, Objective
from kms_lab.teach.probe import Probe, Unfinished
from kms_lab.teach.question import Choice, Multiple, Option, Prediction
from kms_lab.views import audit

Context = dict[str, str]
#: the context of ``given.code``
CODE_CONTEXT = {"site": "north", "locker": "12"}
#: what exercise 1 asks for
ASKED = {"site": "south", "locker": "40"}
NEW_KEY = "alias/annex"
NOT_RIGHT = Outcome.WRONG
DAMAGED = "InvalidCiphertextException"
#: so many digits of a card number in a row are more than may be shown
SHOWN_DIGITS = 9
_MOVE_ONLY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["kms:ReEncryptFrom", "kms:ReEncryptTo"], "Resource": "*"}],
}

# ---- the starting world


def world(lab: Lab) -> dict[str, Any]:
    """Two keys (annex is for what will move), three door codes, a site plan, a role that may move ciphertexts only."""
    kms = lab.client()
    keys = {}
    for name in ("lockers", "annex"):
        keys[name] = kms.create_key(Description=name)["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=keys[name])
    mover = lab.iam.create_role("Mover", policies=[_MOVE_ONLY])
    chance = random.Random(kms.generate_random(NumberOfBytes=32)["Plaintext"])
    made = {
        name: kms.encrypt(KeyId=keys["lockers"], Plaintext=_door_code(chance), EncryptionContext=context)
        for name, context in (
            ("code", CODE_CONTEXT),
            ("code_13", {"site": "north", "locker": "13"}),
            ("old", {"site": "north", "locker": "20"}),
        )
    }
    return {
        **{name: answer["CiphertextBlob"] for name, answer in made.items()},
        **keys,
        "mover": mover,
        "plan": b"site plan: " + bytes(chance.choices(b"#. ", k=6_000)),
        "card": "4000" + "".join(chance.choices("0123456789", k=12)),
    }


def _door_code(chance: random.Random) -> bytes:
    return b"door code %04d" % chance.randrange(10_000)


# ---- exercise 1: a round trip with context


def round_trip(probe: Probe, value: Any) -> Result:
    """Judged on the log: an Encrypt and a Decrypt with the context that was asked for."""
    calls = [call for call in probe.calls() if _is_try(call)]
    sealed = [call for call in calls if call.operation == "Encrypt" and call.error is None]
    if not sealed:
        return Result(NOT_RIGHT, f"No Encrypt went through. The last call was refused: {calls[-1].error}.")
    good = [call for call in sealed if call.context == ASKED]
    if not good:
        return _another_context(sealed[-1])
    if not (good := [call for call in good if str(call.key).endswith(probe.given["lockers"])]):
        return Result(NOT_RIGHT, f"Encrypt has {_said(ASKED)}, but not with the key behind alias/lockers.")
    after = [call for call in calls if call.operation == "Decrypt" and call.index > good[0].index]
    if any(call.error is None and call.context == ASKED for call in after):
        return right(f"Two events with the same context: Encrypt and Decrypt, {_said(ASKED)}.")
    if not after:
        return Result(NOT_RIGHT, f"Encrypt has {_said(ASKED)}. No Decrypt came after it.")
    if not after[-1].context:
        return wrong("context-is-stored", f"Your Decrypt was sent no context. KMS answered {after[-1].error}.")
    return wrong("close-is-enough", f"Your Decrypt was sent {_said(after[-1].context)}: {after[-1].error}.")


def _another_context(call: Entry) -> Result:
    if not call.context:
        return wrong("key-ties-data", "Your Encrypt was sent no context. Its ciphertext would open for any locker.")
    return wrong("close-is-enough", f"Your Encrypt was sent {_said(call.context)}.")


def _is_try(call: Entry) -> bool:
    """Is this the learner's own, and no call of the lesson's other cells, which are all about other lockers?"""
    if call.operation not in ("Encrypt", "Decrypt"):
        return False
    said = call.context or {}
    if any(text.casefold() in ("40", "south") for text in said.values()):
        return True
    return said.get("site") != "north" and said.get("locker") not in ("7", "11", "12", "13", "14", "20")


def _tried_round_trip(probe: Probe) -> bool:
    return any(_is_try(call) for call in probe.calls("Encrypt"))


def _said(context: Context | None) -> str:
    return ", ".join(f"{name}={value}" for name, value in (context or {}).items()) or "no context"


# ---- exercise 2: one changed byte


#: the context that the lesson's own cell sends with the ciphertext of locker 12
SWAPPED = {"site": "north", "locker": "13"}


def one_byte_broken(probe: Probe, value: Any) -> Result:
    """Judged on the bytes handed in, and on what the log has of the learner's own Decrypt."""
    whole, damaged = probe.given["code"], bytes(value)
    changed = sum(a != b for a, b in zip(whole, damaged))
    kms = probe.client()
    answer = probe.code(lambda: kms.decrypt(CiphertextBlob=damaged, EncryptionContext=CODE_CONTEXT))
    refused = [c for c in probe.calls("Decrypt", ok=False) if c.error == (answer or DAMAGED) and c.context != SWAPPED]
    if damaged == whole:
        return _not_damaged(refused)
    if answer == "":
        return wrong("same-text-same-blob", "What you handed in is another ciphertext, and it opens.")
    if len(damaged) != len(whole):
        return Result(NOT_RIGHT, f"You handed in {len(damaged)} bytes; lesson.given.code has {len(whole)}.")
    if changed != 1:
        return Result(NOT_RIGHT, f"{changed} bytes differ from lesson.given.code. One was asked for.")
    if any(call.context == CODE_CONTEXT for call in refused):
        hit = (
            "" if answer == DAMAGED else " Your byte stood where the lab's layout names the key. Try another one, too."
        )
        return right(f"One byte of {len(whole)}, the right context, and the log has {answer}.{hit}")
    if refused:
        return wrong("error-names-cause", f"KMS refused, but your Decrypt had {_said(refused[-1].context)}.")
    return Result(NOT_RIGHT, "One byte is changed. But the log has no refused Decrypt of yours: KMS was not asked.")


def _not_damaged(refused: list[Entry]) -> Result:
    others = [call for call in refused if call.context != CODE_CONTEXT]
    if others:
        return wrong("error-names-cause", f"No byte is changed. Your refused Decrypt had {_said(others[-1].context)}.")
    return Result(NOT_RIGHT, "No byte differs from lesson.given.code.")


# ---- exercise 3: more than 4,096 bytes


def locks_plan(probe: Probe, function: Any) -> Result:
    """Judged by what was asked of KMS, and by opening what the learner's function returned."""
    plan = probe.given["plan"]
    tried = ciphertexts.run(probe, function, plan, leftovers=("answer", "moved"))
    if tried.error:
        return _plan_stopped(tried)
    found = pieces(tried.value)
    if tried.asked("Encrypt") > 1:
        return wrong("cut-in-pieces", f"For one plan you called Encrypt {tried.asked('Encrypt')} times.")
    if not tried.keys:
        return Result(NOT_RIGHT, "Nothing in what you saved was made by KMS, so no KMS key protects the plan.")
    if any(holds(found, key) for key, _ in tried.keys):
        return wrong("save-plaintext-key", "The plaintext data key lies in what you saved.")
    if any(plan[:64] in piece for piece in found):
        return Result(NOT_RIGHT, "The plan lies in what you saved, as it was.")
    if not any(holds(found, wrapped) for _, wrapped in tried.keys):
        return wrong("kms-keeps-data-keys", "The encrypted data key is not in what you saved, and nowhere else.")
    if len(tried.calls) > 1:
        return Result(NOT_RIGHT, f"For one plan you called {', '.join(call.operation for call in tried.calls)}.")
    kms = probe.client()
    contents = [opened(kms, found, key, wrapped) for key, wrapped in tried.keys]
    if plan not in [content for _, content in filter(None, contents)]:
        return Result(NOT_RIGHT, "The saved key was decrypted, but with it the plan does not come back.")
    return right(f"{len(plan):,} bytes, one call: {tried.calls[0].operation}. KMS saw a key, and nothing of the plan.")


def _plan_stopped(tried: Tried) -> Result:
    assert tried.error is not None
    if tried.asked("Encrypt", ok=False):
        return wrong("encrypt-takes-all", f"Your function sent the plan itself to Encrypt. {tried.error}")
    if tried.asked("GenerateDataKeyWithoutPlaintext"):
        return wrong("wrapped-key-locks", f"That call hands out the encrypted data key only. {tried.error}")
    if isinstance(tried.error.__cause__, ValueError) and "key" in str(tried.error).lower():
        return wrong(
            "wrapped-key-locks", f"What `lock_here` got first, in the place of the key, is none. {tried.error}"
        )
    if isinstance(tried.error.__cause__, TypeError) and "buffer" in str(tried.error):
        return Result(NOT_RIGHT, f"`lock_here` takes bytes: one member of an answer, and not all of it. {tried.error}")
    return Result(NOT_RIGHT, str(tried.error))


# ---- exercise 4: to a new key, and no plaintext on the way


def moves(probe: Probe, function: Any) -> Result:
    """Judged on the calls, and by opening what came back, with and without its context."""
    for context, text in (({"site": "east", "locker": "7"}, b"door code 0815"), (CODE_CONTEXT, b"door code 9001")):
        kms = probe.client()
        blob = kms.encrypt(KeyId=probe.given["lockers"], Plaintext=text, EncryptionContext=context)["CiphertextBlob"]
        tried = ciphertexts.run(probe, function, blob, dict(context), leftovers=("answer", "moved", "place"))
        if fault := _move_fault(probe, tried, context, text):
            return fault
    return right("Two ciphertexts moved with ReEncrypt, no Decrypt. Each opens with its context, and only with it.")


def _move_fault(probe: Probe, tried: Tried, context: Context, text: bytes) -> Result | None:
    kms, new, moved = probe.client(), probe.given["annex"], tried.value
    if tried.asked("Decrypt"):
        return wrong("decrypt-then-encrypt", "Your function called Decrypt: the plaintext came out of KMS.")
    if tried.error:
        return _move_stopped(tried)
    if not isinstance(moved, bytes | bytearray):
        return Result(
            NOT_RIGHT,
            f"Your function returned {describe(moved)}. Return the new ciphertext: the member CiphertextBlob, bytes.",
        )
    if probe.code(lambda: kms.decrypt(CiphertextBlob=moved)) == "":
        return wrong("context-stays", "The new ciphertext opens with no context at all.")
    if code := probe.code(lambda: kms.decrypt(CiphertextBlob=moved, EncryptionContext=context)):
        return Result(NOT_RIGHT, f"With {_said(context)} the new ciphertext does not open: {code}.")
    answer = kms.decrypt(CiphertextBlob=moved, EncryptionContext=context)
    if not answer["KeyId"].endswith(new):
        return Result(NOT_RIGHT, f"The new ciphertext was not made with {NEW_KEY}.")
    if answer["Plaintext"] != text:
        return Result(NOT_RIGHT, "The new ciphertext holds another text.")
    return None


def _move_stopped(tried: Tried) -> Result:
    refused = [call for call in tried.calls if call.error == DAMAGED]
    if refused:
        return wrong("context-is-stored", "ReEncrypt was refused: it could not open the old ciphertext.")
    if any(call.error == "IncorrectKeyException" for call in tried.calls):
        return Result(NOT_RIGHT, f"SourceKeyId, if given, is the key that made the old ciphertext. {tried.error}")
    return Result(NOT_RIGHT, str(tried.error))


# ---- exercise 5: an app that says too much


def keeps_quiet(probe: Probe, value: Any) -> Result:
    """Judged on the records of CloudTrail, and by opening codes with the right locker and the wrong one."""
    save, fetch = value
    card, code = "".join(reversed(probe.given["card"])), b"door code 2718"
    start = len(probe.lab.world.log)
    saved = ciphertexts.run(probe, save, "7", card, code)
    if fault := _unsafe(saved, code):
        return fault
    back = ciphertexts.run(probe, fetch, "7", card, saved.value)
    if shown := _shown(probe, start, card) or _guessable(probe, save, card, code):
        return shown
    if back.asked("Decrypt", ok=False):
        return Result(NOT_RIGHT, "The code was saved, and Decrypt refused to open it. Compare the two contexts.")
    if back.error:
        return Result(NOT_RIGHT, str(back.error))
    if back.value not in (code, code.decode()):
        return Result(NOT_RIGHT, f"For the right locker and card, you returned {describe(back.value)}, not the code.")
    if _opens(probe, fetch, code, "8", card, saved.value):
        return wrong("drop-the-context", "The code of locker 7 was opened as if it belonged to locker 8.")
    return right("No record shows the card number. The code opens for its own locker, and for no other.")


def _unsafe(saved: Tried, code: bytes) -> Result | None:
    """Did saving fail, or leave the door code unprotected?"""
    if saved.error and saved.asked("Decrypt"):
        return Result(NOT_RIGHT, f"Hand in the function that saves first, then the one that opens. {saved.error}")
    if saved.error:
        return Result(NOT_RIGHT, str(saved.error))
    if not saved.keys or holds(pieces(saved.value), code):
        return Result(NOT_RIGHT, "The door code was saved without the help of KMS.")
    return None


def _opens(probe: Probe, fetch: Any, code: bytes, *args: Any) -> bool:
    try:
        tried = ciphertexts.run(probe, fetch, *args)
    except Unfinished:  # it noticed, and returned None
        return False
    return tried.error is None and bool(tried.value in (code, code.decode()))


def _shown(probe: Probe, start: int, card: str) -> Result | None:
    """Is the card number in what the log has from here on: plainly, most of it, in Base64 or hex, or as a hash?"""
    world = probe.lab.world
    most = [card[at : at + SHOWN_DIGITS].encode() for at in range(len(card) - SHOWN_DIGITS + 1)]
    for record in (audit.record(world, at) for at in range(start, len(world.log))):
        told, where = json.dumps(record).encode(), f"stands in CloudTrail's record of your {record['eventName']}."
        digits = re.sub(rb"\D", b"", told)
        if holds([told], card.encode()) or any(part in digits for part in most):
            return wrong("context-is-secret", f"The card number {where}")
        if any(holds([told], digest) for digest in _digests(card.encode())):
            return wrong("hash-hides", f"A plain hash of the card number {where}")
    return None


def _guessable(probe: Probe, save: Any, card: str, code: bytes) -> Result | None:
    """Does the log show something that follows from the card number, so that guesses can be tried against it?

    Tried with two cards that differ in four digits in the middle. A MAC is no such thing: its key is a secret.
    """
    other = card[:8] + "".join(str(9 - int(digit)) for digit in card[8:12]) + card[12:]
    once, again, elsewhere = (ciphertexts.run(probe, save, "7", each, code) for each in (card, card, other))
    keyed = once.asked("GenerateMac") or "hmac" in _names(save)
    if keyed or _contexts(once) != _contexts(again) or _contexts(once) == _contexts(elsewhere):
        return None
    return wrong("hash-hides", "With another card, the records of CloudTrail show something else for the same locker.")


def _names(function: Any) -> set[str]:
    """The names that a function uses, and those that the notebook's functions it calls use."""
    names = set(getattr(getattr(function, "__code__", None), "co_names", ()))
    called = (getattr(function, "__globals__", {}).get(name) for name in names)
    return names.union(*(getattr(getattr(one, "__code__", None), "co_names", ()) for one in called))


def _contexts(tried: Tried) -> list[Context | None]:
    return [call.context for call in tried.calls]


def _digests(secret: bytes) -> Iterator[bytes]:
    for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "sha3_256"):
        yield hashlib.new(name, secret, usedforsecurity=False).digest()


# ---- what predictions are compared with


def what_the_swap_did(probe: Probe) -> str:
    """Did the first Decrypt of a swapped ciphertext open? As the log has it."""
    calls = [call for call in probe.calls("Decrypt") if call.context == SWAPPED]
    if not calls:
        raise Unfinished
    return "a" if calls[0].error is None else "b"


def what_a_bit_did(probe: Probe) -> str:
    """Tried on the copy: one bit, in the middle, and in the last byte."""
    kms, blob = probe.client(), probe.given["code"]
    ends = (flipped(blob), blob[:-1] + bytes([blob[-1] ^ 1]))
    codes = [probe.code(lambda b=b: kms.decrypt(CiphertextBlob=b, EncryptionContext=CODE_CONTEXT)) for b in ends]  # type: ignore[misc]
    return "b" if all(codes) else "c" if any(codes) else "a"


def what_mover_could(probe: Probe) -> str:
    """Which of the role's two calls went through, as the log has it."""
    mine = probe.calls(principal=probe.given["mover"])
    if {call.operation for call in mine} < {"ReEncrypt", "Decrypt"}:
        raise Unfinished
    moved, read = (any(c.operation == name and c.error is None for c in mine) for name in ("ReEncrypt", "Decrypt"))
    return {(True, False): "b", (True, True): "c"}.get((moved, read), "a")


# ---- widgets


def contexts(lesson: Lesson) -> Any:
    """Two contexts, and whether the second opens what the first closed."""
    from kms_lab.teach.widgets.context_panel import ContextPanel

    return ContextPanel(lesson.lab, lesson.given.lockers, CODE_CONTEXT)


def pad(lesson: Lesson) -> Any:
    """The bytes of a door code's ciphertext, to tamper with."""
    from kms_lab.teach.widgets.tamper_pad import TamperPad

    return TamperPad(lesson.lab, lesson.given.code, CODE_CONTEXT)


# ---- the lesson

MISCONCEPTIONS = (
    Misconception(
        "key-can-be-had",
        "A KMS key can be downloaded and used elsewhere.",
        "It never leaves KMS unencrypted. Whoever wants to use it calls KMS.",
    ),
    Misconception(
        "all-have-public-half",
        "Every key has a public half to hand out.",
        "Only asymmetric keys have one (lesson 04). A symmetric key is one key, and it is secret.",
    ),
    Misconception(
        "key-ties-data",
        "Encrypting is enough to tie data to its place.",
        "Without a context, any ciphertext of the key opens wherever it is put. The context ties it to its place.",
    ),
    Misconception(
        "context-is-stored",
        "The ciphertext carries its context along.",
        "The context is not in the ciphertext. Whoever decrypts or re-encrypts must bring it again.",
    ),
    Misconception(
        "close-is-enough",
        "Roughly the same context will do.",
        "Names and values must be the same, letter by letter. Only the order is free.",
    ),
    Misconception(
        "order-matters",
        "The pairs must come in the same order.",
        "Order is free. What counts is which pairs there are.",
    ),
    Misconception(
        "context-is-secret",
        "The context is encrypted with the data.",
        "The context is no secret: CloudTrail writes it down in clear text.",
    ),
    Misconception(
        "hash-hides",
        "A hash of a secret may be shown.",
        "Whoever guesses can hash each guess, salt and all, and compare. A card number or a PIN is soon found.",
    ),
    Misconception(
        "drop-the-context",
        "A context only gives things away, so leave it out.",
        "A context that is no secret costs nothing, and it keeps ciphertexts from being swapped.",
    ),
    Misconception(
        "part-still-opens",
        "A damaged ciphertext opens with a small mistake in its text.",
        "A seal stands over all of it. KMS hands out the whole text or none.",
    ),
    Misconception(
        "only-text-counts",
        "Only the encrypted text matters; other bytes may change.",
        "What stands around the text is under the same seal.",
    ),
    Misconception(
        "error-names-cause",
        "The error tells what was wrong.",
        "For damaged bytes and for another context KMS gives the same error, without text. Change one thing at a time.",
    ),
    Misconception(
        "denied-looks-damaged",
        "Without permission one gets InvalidCiphertextException.",
        "Permission is checked first: AccessDeniedException. Who may not decrypt never learns whether the rest fits.",
    ),
    Misconception(
        "same-text-same-blob",
        "The same text always gives the same ciphertext.",
        "Each Encrypt makes a different one, even of the same text, and all of them open.",
    ),
    Misconception(
        "encrypt-takes-all",
        "Encrypt takes data of any size, under some key or other.",
        "Encrypt takes 4,096 bytes at most under a symmetric key; RSA keys take less.",
    ),
    Misconception(
        "limit-is-a-quota",
        "AWS raises the limit of 4,096 bytes on request.",
        "It is part of the API, and no quota of your account.",
    ),
    Misconception(
        "cut-in-pieces",
        "What is too large is cut in pieces for Encrypt.",
        "It would take a call for each piece, and nothing would notice pieces swapped. Ask for a data key instead.",
    ),
    Misconception(
        "save-plaintext-key",
        "The data key must be saved as it is.",
        "Whoever finds it reads the data without asking KMS. Save its encrypted copy.",
    ),
    Misconception(
        "wrapped-key-locks",
        "The encrypted data key can lock data.",
        "It is ciphertext. Lock with the plaintext copy, and keep the encrypted one.",
    ),
    Misconception(
        "kms-keeps-data-keys",
        "KMS keeps my data keys.",
        "It keeps none. Without the encrypted copy, the data is lost.",
    ),
    Misconception(
        "decrypt-then-encrypt",
        "To change the key one decrypts, then encrypts.",
        "Then the plaintext leaves KMS on the way. ReEncrypt does both inside.",
    ),
    Misconception(
        "context-stays",
        "ReEncrypt keeps the context by itself.",
        "It takes two: the old one to open, the new one to close. What you leave out is no context.",
    ),
    Misconception(
        "mover-can-read",
        "Who may re-encrypt may read.",
        "ReEncrypt hands out ciphertext only. Reading takes kms:Decrypt.",
    ),
    Misconception(
        "move-needs-decrypt",
        "ReEncrypt needs kms:Decrypt and kms:Encrypt.",
        "It has permissions of its own: kms:ReEncryptFrom on the old key, kms:ReEncryptTo on the new one.",
    ),
    Misconception(
        "alias-moves-data",
        "When the alias moves, the ciphertexts move.",
        "An alias serves new calls. Each old ciphertext still names the key that made it.",
    ),
)

EXERCISES = (
    Exercise(
        id="q1",
        title="There and back, with context",
        stars=1,
        objectives=("apply",),
        prompt="Under alias/lockers, encrypt any door code with the context site=south, locker=40, and open it again.",
        check=round_trip,
        attempted=_tried_round_trip,
        hints=(
            "Both calls stand in the worked example: which parameter carries the context?",
            "Put the context into a variable, and send the same one with both calls.",
            '`context = {"site": "south", "locker": "40"}`, then `EncryptionContext=context` in both calls.',
        ),
        solution=Solution(
            """
context = {"site": "south", "locker": "40"}
blob = kms.encrypt(KeyId="alias/lockers", Plaintext=b"door code 5555", EncryptionContext=context)["CiphertextBlob"]
kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)
lesson.q1.check()
""",
            "One variable for both calls: then the contexts cannot differ. The key needs to be named once only.",
        ),
        misconceptions=("key-ties-data", "context-is-stored", "close-is-enough"),
    ),
    Exercise(
        id="q2",
        title="Break it",
        stars=2,
        objectives=("diagnose",),
        prompt="Change exactly one byte of `lesson.given.code`, have KMS try to open it with the right context, and "
        "hand in the changed bytes.",
        check=one_byte_broken,
        expects="the changed ciphertext, as bytes",
        takes=(bytes, bytearray),
        hints=(
            "Bytes cannot be changed in Python. A `bytearray` can.",
            "Copy, change one place, and leave the context as it is: then only the byte can be the reason.",
            "`damaged = bytearray(lesson.given.code)`, then `damaged[100] ^= 1`, then call `kms.decrypt`.",
        ),
        solution=Solution(
            """
damaged = bytearray(lesson.given.code)
damaged[100] ^= 1
with attempt():
    kms.decrypt(CiphertextBlob=bytes(damaged), EncryptionContext={"site": "north", "locker": "12"})
lesson.q2.check(bytes(damaged))
""",
            "With everything else as it was, the error has one cause only.",
        ),
        misconceptions=("error-names-cause", "same-text-same-blob"),
    ),
    Exercise(
        id="q3",
        title="Too large",
        stars=2,
        objectives=("apply",),
        prompt="Encrypt the site plan, which is larger than 4,096 bytes. Make one call to KMS, and return what must be "
        "saved.",
        check=locks_plan,
        expects="your function",
        functions=1,
        hints=(
            "`lock_here(key, data)` needs a key of 32 bytes. Which call of KMS hands out such a key?",
            "The answer of `generate_data_key` holds the same key twice: once to use now, once to keep.",
            '`answer = kms.generate_data_key(KeyId="alias/lockers", KeySpec="AES_256")`; lock with '
            '`answer["Plaintext"]`, return `answer["CiphertextBlob"]` beside what is locked.',
        ),
        solution=Solution(
            """
def lock_plan(kms, plan):
    answer = kms.generate_data_key(KeyId="alias/lockers", KeySpec="AES_256")
    return answer["CiphertextBlob"], lock_here(answer["Plaintext"], plan)


lesson.q3.check(lock_plan)
""",
            "The data key has 32 bytes, whatever the size of the plan. Lesson 03 is all about this.",
        ),
        misconceptions=(
            "encrypt-takes-all",
            "cut-in-pieces",
            "save-plaintext-key",
            "wrapped-key-locks",
            "kms-keeps-data-keys",
        ),
    ),
    Exercise(
        id="q4",
        title="To a new key, unseen",
        stars=2,
        objectives=("apply",),
        prompt="Write a function that gets a ciphertext and its context, and returns a ciphertext of the same text "
        "under `alias/annex`, with the same context. No plaintext may leave KMS.",
        check=moves,
        expects="your function",
        functions=1,
        hints=(
            "One call does it. You saw it two cells above.",
            "The old ciphertext opens with its context only, and the new one gets a context only if you send one.",
            '`kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext=context, DestinationKeyId="alias/annex", '
            'DestinationEncryptionContext=context)["CiphertextBlob"]`',
        ),
        solution=Solution(
            """
def move(kms, blob, context):
    answer = kms.re_encrypt(
        CiphertextBlob=blob,
        SourceEncryptionContext=context,
        DestinationKeyId="alias/annex",
        DestinationEncryptionContext=context,
    )
    return answer["CiphertextBlob"]


lesson.q4.check(move)
""",
            "The old key needs no mention: the ciphertext names it.",
        ),
        misconceptions=("decrypt-then-encrypt", "context-is-stored", "context-stays"),
    ),
    Exercise(
        id="q5",
        title="An app that says too much",
        stars=3,
        objectives=("explain",),
        prompt="Repair the app: no card number may get into the audit log, and a code must open for its own locker "
        "only.",
        check=keeps_quiet,
        expects="your two functions, `(save_code, open_code)`",
        functions=2,
        hints=(
            "What of the context must not be seen, and what of it ties the code to its place?",
            "The number of the locker is no secret. It is enough, if both functions send it.",
            'In both functions: `context = {"locker": locker}`.',
        ),
        solution=Solution(
            """
def save_code(kms, locker, card, code):
    context = {"locker": locker}
    return kms.encrypt(KeyId="alias/lockers", Plaintext=code, EncryptionContext=context)["CiphertextBlob"]


def open_code(kms, locker, card, blob):
    context = {"locker": locker}
    return kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"]


lesson.q5.check((save_code, open_code))
""",
            "A repair does not clean the log: what is there stays. And ciphertexts with the old context must move.",
        ),
        misconceptions=("context-is-secret", "hash-hides", "drop-the-context"),
    ),
)

PREDICTIONS = (
    Prediction(
        id="p1",
        prompt="The ciphertexts of lockers 12 and 13 were swapped. The app opens what lies at 13, with the context of "
        "locker 13. What does KMS do?",
        options=(
            Option("a", "It opens: the key is the right one", "The key is right, the place is not.", "key-ties-data"),
            Option("b", "It refuses", ""),
        ),
        truth=what_the_swap_did,
        why="What lies there was closed with locker=12. Only with locker=12 does it open.",
        objectives=("explain",),
    ),
    Prediction(
        id="p2",
        prompt="One bit of a ciphertext is flipped, somewhere. What does Decrypt give you?",
        options=(
            Option("a", "The text, with one wrong letter", "There is a seal over it.", "part-still-opens"),
            Option("b", "A refusal, wherever the bit was", ""),
            Option("c", "It depends: only bits of the encrypted text matter", "All are sealed.", "only-text-counts"),
        ),
        truth=what_a_bit_did,
        why="The tag is a seal over every byte and over the context. KMS checks it before it gives anything out.",
        objectives=("diagnose",),
    ),
    Prediction(
        id="p3",
        prompt="Mover may use kms:ReEncryptFrom and kms:ReEncryptTo, no more. It calls ReEncrypt, then Decrypt. What "
        "happens?",
        options=(
            Option("a", "Both are refused", "ReEncrypt asks for neither Decrypt nor Encrypt.", "move-needs-decrypt"),
            Option("b", "ReEncrypt works, Decrypt is refused", ""),
            Option("c", "Both work", "Moving is not reading.", "mover-can-read"),
        ),
        truth=what_mover_could,
        why="ReEncrypt has permissions of its own, and what it hands out is ciphertext. So somebody can move data "
        "without being able to read it.",
        objectives=("apply",),
    ),
)

QUESTIONS = (
    Choice(
        id="z1",
        prompt="A certificate file of 5,000 bytes must be encrypted. What do you do?",
        objectives=("apply",),
        right="c",
        options=(
            Option("a", "Encrypt, under an RSA_4096 key", "An RSA key takes a few hundred.", "encrypt-takes-all"),
            Option("b", "Ask AWS to raise the limit", "It is part of the API.", "limit-is-a-quota"),
            Option("c", "GenerateDataKey, and encrypt the file yourself", "Yes, whatever its size."),
            Option("d", "Encrypt, in two pieces", "Nothing would hold them together.", "cut-in-pieces"),
        ),
        why="Encrypt is for small things such as passwords. For more, KMS hands out a data key.",
        source="AWS KMS API Reference, Encrypt; GenerateDataKey",
    ),
    Multiple(
        id="z2",
        prompt="An app encrypts with the context patient=P-17. What is true?",
        objectives=("explain",),
        right=frozenset({"a", "c"}),
        options=(
            Option("a", "Whoever reads the CloudTrail log can read P-17", "Yes, in clear text."),
            Option("b", "Whoever has only the ciphertext can read P-17", "It is not in there.", "context-is-stored"),
            Option("c", "Decrypt needs patient=P-17 again", "Yes, letter by letter."),
            Option("d", "P-17 is encrypted with the data", "It is not encrypted at all.", "context-is-secret"),
        ),
        why="The context is checked, not hidden. Name things in it, and no secrets.",
        source="AWS KMS Developer Guide, Encryption context",
    ),
    Choice(
        id="z3",
        prompt="A thousand small ciphertexts must move to a new key. No server of yours may see a plaintext.",
        objectives=("apply",),
        right="b",
        options=(
            Option("a", "Decrypt and Encrypt, on a server you trust", "It sees all of them.", "decrypt-then-encrypt"),
            Option("b", "ReEncrypt each, with its context, to the new key", "Yes: a thousand calls, no plaintext."),
            Option("c", "Point the alias at the new key", "That is for new data.", "alias-moves-data"),
            Option("d", "ReEncrypt, no contexts: KMS reads the old one", "It cannot.", "context-is-stored"),
        ),
        why="ReEncrypt opens and closes inside KMS. The two contexts are yours to send.",
        source="AWS KMS API Reference, ReEncrypt",
    ),
    Multiple(
        id="z4",
        prompt="Decrypt answers InvalidCiphertextException, with no text. What may be the reason?",
        objectives=("diagnose",),
        right=frozenset({"a", "b"}),
        options=(
            Option("a", "A byte got lost on the way to the database", "Yes."),
            Option("b", "The app now writes Locker for locker", "Yes: every letter counts."),
            Option("c", "The caller may not use the key", "That is AccessDenied.", "denied-looks-damaged"),
            Option("d", "The app sends the pairs in another order", "Order is free.", "order-matters"),
        ),
        why="Damaged bytes and a context that differs look the same. Compare what was stored, then the two contexts.",
        source="AWS KMS API Reference, Decrypt; Developer Guide, Encryption context",
    ),
    Multiple(
        id="z5",
        prompt="alias/lockers stands for a symmetric KMS key. What is true of such keys?",
        objectives=("know",),
        right=frozenset({"a", "d"}),
        options=(
            Option("a", "What it closes, the same key opens", "Yes, that is what symmetric means."),
            Option("b", "You can download it, with a permission for that", "No call hands it out.", "key-can-be-had"),
            Option("c", "Partners get its public half, to encrypt for you", "It has none.", "all-have-public-half"),
            Option("d", "AWS services that encrypt with KMS use this kind", "Yes, and no other."),
        ),
        why="A symmetric key is one AES key of 256 bits. It stays in KMS; you and AWS services use it by calling KMS.",
        source="AWS KMS Developer Guide, Symmetric encryption KMS keys; AWS KMS API Reference, CreateKey",
    ),
)

LESSON = LessonData(
    number="02",
    title="Ciphertext under the microscope",
    minutes=40,
    goal="You encrypt and decrypt with a context, and know what it means when KMS refuses.",
    topics=("symmetric keys", "encryption context", "ReEncrypt", "what the audit log shows"),
    objectives=(
        Objective("know", "say what a symmetric KMS key is, and who uses such keys"),
        Objective("apply", "use Encrypt, Decrypt and ReEncrypt, and know the size limit"),
        Objective("explain", "explain encryption context: checked, not hidden"),
        Objective("diagnose", "find out why a ciphertext does not open"),
    ),
    world=world,
    exercises=EXERCISES,
    predictions=PREDICTIONS,
    questions=QUESTIONS,
    misconceptions=MISCONCEPTIONS,
    review=("01/z3", "01/z4"),
    widgets={"contexts": contexts, "pad": pad},
)
