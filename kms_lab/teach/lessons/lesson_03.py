"""Lesson 03: envelope encryption.

The layouts that its saved objects have are the lab's own. What is true of AWS are the calls, the sizes, and who holds
what.

Source: AWS KMS Developer Guide, "Envelope encryption", "Data keys", "Rotating keys"; AWS KMS API Reference,
"GenerateDataKey", "Encrypt", "Decrypt".
"""

import copy
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kms_lab.core.errors import KMSError
from kms_lab.doors.client import Client
from kms_lab.lab import Lab
from kms_lab.teach import ciphertexts
from kms_lab.teach.ciphertexts import NONCE_BYTES, Tried, flipped, holds, opened, pieces
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
from kms_lab.teach.probe import LearnerCodeError, Probe, Unfinished
from kms_lab.teach.question import Choice, Matching, Multiple, Option, Ordering, Prediction

PHOTO_BYTES = 10_000_000
CAP = 100
NOT_RIGHT = Outcome.WRONG

# ---- the starting world


def world(lab: Lab) -> dict[str, Any]:
    """A photo archive: one KMS key for new photos, an old one without a name, and what is in storage already."""
    kms = lab.client()
    photos = kms.create_key(Description="photos")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/photos", TargetKeyId=photos)
    archive = kms.create_key(Description="set up years ago")["KeyMetadata"]["KeyId"]
    chance = random.Random(kms.generate_random(NumberOfBytes=32)["Plaintext"])
    return {
        "photo": chance.randbytes(PHOTO_BYTES),
        "sunrise": seal(kms, photos, b"sunrise " + chance.randbytes(6_000), chance.randbytes(NONCE_BYTES)),
        "harbour": seal(kms, photos, b"harbour " + chance.randbytes(6_000), chance.randbytes(NONCE_BYTES)),
        "found": pack(seal(kms, archive, b"the founders, 1923", chance.randbytes(NONCE_BYTES))),
        "photos": photos,
        "archive": archive,
    }


def seal(kms: Client, key_id: str, data: bytes, nonce: bytes) -> dict[str, bytes]:
    """Return an envelope in the layout of the worked example."""
    answer = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")
    ciphertext = AESGCM(answer["Plaintext"]).encrypt(nonce, data, None)
    return {"wrapped_key": answer["CiphertextBlob"], "nonce": nonce, "ciphertext": ciphertext}


def pack(saved: Mapping[str, bytes]) -> bytes:
    """Return the same in one piece: length of the wrapped key (2 bytes), wrapped key, nonce (12 bytes), ciphertext."""
    length = len(saved["wrapped_key"]).to_bytes(2, "big")
    return length + saved["wrapped_key"] + saved["nonce"] + saved["ciphertext"]


# ---- trying what a learner wrote

#: what the lesson's own cells leave in the notebook; no function may live on it
LEFTOVERS = ("answer", "data_key", "wrapped_key", "nonce", "ciphertext", "saved", "photo", "key", "mixed")


def run(probe: Probe, function: Any, *args: Any) -> Tried:
    """Run a learner's function as in a new session: no function may live on what an earlier cell made."""
    return ciphertexts.run(probe, function, *args, leftovers=LEFTOVERS)


def _said(error: LearnerCodeError) -> str:
    return str(error).rstrip(": ")


def stopped(tried: Tried) -> Result:
    """Explain an error that stopped a learner's function, by what it had asked of KMS."""
    assert tried.error is not None
    said, cause = _said(tried.error), tried.error.__cause__
    if isinstance(cause, NameError) and cause.name in LEFTOVERS:
        name = cause.name
        return wrong("notebook-remembers", f"Your function uses `{name}`, which an earlier cell of yours left behind.")
    if tried.asked("Encrypt", ok=False):
        return wrong("kms-encrypts-data", f"Your function sent the data itself to Encrypt. {said}")
    if any(call.error == "IncorrectKeyException" for call in tried.calls):
        return wrong("needs-key-id", f"Your function named a KMS key, and another one had wrapped the data key. {said}")
    if tried.asked("Decrypt", ok=False):
        return wrong("kms-encrypts-data", f"Your function sent Decrypt something that KMS had not made. {said}")
    if isinstance(cause, TypeError) and "buffer" in str(cause):
        return Result(NOT_RIGHT, f"The cipher takes bytes, and got something else. {said}")
    if isinstance(cause, ValueError) and "key" in str(cause).lower():
        return wrong("wrapped-key-encrypts", f"The cipher did not take what it got as a key. {said}")
    if tried.asked("GenerateDataKeyWithoutPlaintext"):
        return wrong("wrapped-key-encrypts", f"That call hands out the wrapped key only. {said}")
    if isinstance(cause, InvalidTag) and tried.asked("GenerateDataKey"):
        return wrong("kms-keeps-data-keys", f"GenerateDataKey gave a new key, and it does not fit. {said}")
    if isinstance(cause, InvalidTag):
        return Result(NOT_RIGHT, "InvalidTag: the key, nonce and ciphertext used to decrypt do not belong together.")
    return Result(NOT_RIGHT, said)


def faults(tried: Tried, found: list[bytes], data: bytes) -> Result | None:
    """Say what is wrong with one saved object as far as its bytes tell, or None."""
    if tried.error:
        return stopped(tried)
    if not tried.keys:
        return Result(NOT_RIGHT, "Your function asked KMS for no data key, so no KMS key protects what it saved.")
    if any(holds(found, key) for key, _ in tried.keys):
        return wrong("save-plaintext-key", "The plaintext data key is in what you saved: no KMS needed to read it.")
    if not any(holds(found, wrapped) for _, wrapped in tried.keys):
        return wrong("kms-keeps-data-keys", "The wrapped data key is not in what you saved, and it is nowhere else.")
    if any(data[:64] in piece for piece in found):
        return Result(NOT_RIGHT, "The data lies in what you saved, as it was: it is not encrypted.")
    return None


def closed(found: list[bytes], data: bytes) -> str:
    """Say what was seen when a saved object did not open, although its data key was unwrapped."""
    if all(len(piece) <= len(data) for piece in found):
        return "the ciphertext is not in what you saved."
    return (
        "what you saved did not open with it. Opening takes ciphertext and nonce, and the data key that locked it "
        "(the check cannot guess additional data: pass None)."
    )


# ---- the checks


def seals(probe: Probe, function: Any) -> Result:
    """Exercises 1 and 2: one object, sealed and saved."""
    data = probe.given["photo"][:5_000]
    tried = run(probe, function, data)
    found = pieces(tried.value)
    if fault := faults(tried, found, data):
        return fault
    kms = probe.client()
    contents = [opened(kms, found, key, wrapped) for key, wrapped in tried.keys]
    if data not in [content for _, content in filter(None, contents)]:
        return Result(NOT_RIGHT, f"The saved key was unwrapped, but {closed(found, data)}")
    return right(
        f"One Decrypt unwrapped the saved key, and {len(data):,} bytes came back. The plaintext key is not in there."
    )


def one_call(probe: Probe, value: Any) -> Result:
    """Exercise 3: 10 MB with one call, and back."""
    encrypt, decrypt = value
    photo = probe.given["photo"]
    tried = run(probe, encrypt, photo)
    if tried.asked("Encrypt") > 1:
        return wrong("kms-encrypts-data", f"For one photo you called Encrypt {tried.asked('Encrypt'):,} times.")
    found = pieces(tried.value)
    if fault := faults(tried, found, photo):
        return fault
    if len(tried.calls) != 1:
        names = ", ".join(f"{count:,} {name}" for name, count in Counter(c.operation for c in tried.calls).items())
        return Result(NOT_RIGHT, f"Your function made these calls for one photo: {names}.")
    back = run(probe, decrypt, copy.deepcopy(tried.value))
    if back.error:
        return stopped(back)
    if not back.asked("Decrypt", ok=True):
        return wrong("save-plaintext-key", "Decrypting did not ask KMS, so the plaintext data key is still somewhere.")
    if not isinstance(back.value, bytes | bytearray) or back.value != photo:
        return Result(NOT_RIGHT, f"What came back is {describe(back.value)}, and it is not the photo.")
    if unnoticed(probe, encrypt, decrypt):
        return wrong(
            "encryption-stops-changes", "One bit of what you saved was flipped, and decrypting did not notice."
        )
    asked = tried.calls[0].operation
    return right(f"{len(photo):,} bytes, one call: {asked}. The photo came back, and a flipped bit was noticed.")


def unnoticed(probe: Probe, encrypt: Any, decrypt: Any) -> bool:
    """Does decrypting go through although a bit of what was saved has changed? Tried on something small."""
    saved = run(probe, encrypt, probe.given["photo"][:5_000]).value
    try:
        back = run(probe, decrypt, flipped(saved))
    except Unfinished:  # it noticed, and returned None
        return False
    return back.error is None and isinstance(back.value, bytes | bytearray) and len(back.value) > 0


def opens_what_was_found(probe: Probe, function: Any) -> Result:
    """Exercise 4: objects of which nothing but their bytes is known."""
    for key, data in ((probe.given["archive"], b"a letter"), (probe.given["photos"], probe.given["photo"][:20_000])):
        found = pack(seal(probe.client(), key, data, probe.given["photo"][:NONCE_BYTES]))
        tried = run(probe, function, found)
        if tried.error:
            return stopped(tried)
        if tried.asked("GenerateDataKey"):
            return wrong("kms-keeps-data-keys", "GenerateDataKey gave a new key, never the old one.")
        if tried.value != data:
            as_bytes = " It must be bytes." if isinstance(tried.value, str) else ""
            return Result(NOT_RIGHT, f"Your function returned {describe(tried.value)}, not what was saved.{as_bytes}")
    return right("Tried on objects of two KMS keys: KMS found the right one each time, from the wrapped key alone.")


def capped(probe: Probe, function: Any) -> Result:
    """Exercise 5: many notes, a cap on each data key, every note openable on its own."""
    for count in (100, 250):
        notes = [f"note {number}: {probe.given['photos']}".encode() for number in range(count)]
        tried = run(probe, function, notes)
        if tried.error:
            return stopped(tried)
        if not isinstance(tried.value, list | tuple) or len(tried.value) != count:
            return Result(
                NOT_RIGHT, f"For {count} notes your function returned {describe(tried.value)}, not a list of {count}."
            )
        if result := _reuse(probe, tried, notes):
            return result
    return right("The trail shows as few data keys as the cap allows, and every note opens on its own.")


def _reuse(probe: Probe, tried: Tried, notes: list[bytes]) -> Result | None:
    kms, saved = probe.client(), [pieces(item) for item in tried.value]
    if tried.asked("Encrypt") >= len(notes):
        return Result(NOT_RIGHT, f"For {len(notes)} notes you called Encrypt {tried.asked('Encrypt')} times.")
    if any(holds(found, key) for found in saved for key, _ in tried.keys):
        return wrong("save-plaintext-key", "A plaintext data key lies in what you saved.")
    used: Counter[bytes] = Counter()
    nonces: Counter[tuple[bytes, bytes]] = Counter()
    for note, found in zip(notes, saved):
        key, wrapped = next((pair for pair in tried.keys if holds(found, pair[1])), (b"", b""))
        if not wrapped:
            return wrong("kms-keeps-data-keys", "One note was taken alone: its wrapped data key is not saved with it.")
        content = opened(kms, found, key, wrapped)
        if content is None or content[1] != note:
            return Result(NOT_RIGHT, f"One note was taken alone and its key unwrapped, but {closed(found, note)}")
        used[wrapped] += 1
        nonces[wrapped, content[0]] += 1
    if max(nonces.values()) > 1:
        return wrong("nonce-may-repeat", "Two notes under one data key have the same nonce.")
    if max(used.values()) > CAP:
        return wrong("reuse-is-free", f"One data key sealed {max(used.values())} notes. A leak opens them all.")
    asked = len(tried.calls)
    if asked >= len(notes):
        return wrong("never-reuse", f"The trail shows {asked} calls for {len(notes)} notes.")
    if asked > -(-len(notes) // CAP):
        return Result(NOT_RIGHT, f"The trail shows {asked} calls for {len(notes)} notes; the cap would allow fewer.")
    return None


REFUSERS = ("KMS", "AES-GCM", "nobody")


def tells_who_refuses(probe: Probe, function: Any) -> Result:
    """Exercise 6: three kinds of damage, told apart by trying."""
    for what, saved, truth in _damaged(probe):
        tried = run(probe, function, saved)
        if tried.error:
            return Result(NOT_RIGHT, f"On {what}: {_said(tried.error)}")
        said = _plain(str(tried.value))
        if said not in map(_plain, REFUSERS):
            shown = f"`{tried.value[:20]}`" if isinstance(tried.value, str) else describe(tried.value)
            return Result(NOT_RIGHT, f"On {what} your function returned {shown}, none of the three words.")
        if said == _plain(truth):
            continue
        if said == "nobody":
            return wrong("wrong-key-gives-garbage", f"On {what} your function says that nobody refuses.")
        belief = "kms-checks-data" if said == "kms" else "all-in-the-app"
        return wrong(belief, f"On {what} your function blames {tried.value}.")
    return right("Four objects, four right answers: KMS vouches for the wrapped key, AES-GCM for the data.")


def _plain(words: str) -> str:
    return "".join(filter(str.isalpha, words.lower()))


def _damaged(probe: Probe) -> Iterator[tuple[str, dict[str, bytes], str]]:
    kms, nonce = probe.client(), probe.given["photo"][:NONCE_BYTES]
    one, two = (seal(kms, probe.given["photos"], data, nonce) for data in (b"a pier", b"a mill"))
    yield "an object that nobody touched", one, "nobody"
    yield "an object with another one's wrapped key", one | {"wrapped_key": two["wrapped_key"]}, "AES-GCM"
    yield "an object with a changed bit in its wrapped key", one | {"wrapped_key": flipped(one["wrapped_key"])}, "KMS"
    yield "an object with a changed bit in its ciphertext", one | {"ciphertext": flipped(one["ciphertext"])}, "AES-GCM"


# ---- what predictions are compared with


def what_encrypt_did(probe: Probe) -> str:
    """Refused or not, as the log has it."""
    if probe.calls("Encrypt", ok=False):
        return "b"
    if probe.calls("Encrypt", ok=True):
        return "a"
    raise Unfinished


def who_notices_the_swap(probe: Probe) -> str:
    """Try it on the copy."""
    if not probe.calls("Decrypt"):
        raise Unfinished
    kms = probe.client()
    try:
        key = kms.decrypt(CiphertextBlob=probe.given["harbour"]["wrapped_key"])["Plaintext"]
    except KMSError:
        return "a"
    try:
        AESGCM(key).decrypt(probe.given["sunrise"]["nonce"], probe.given["sunrise"]["ciphertext"], None)
    except InvalidTag:
        return "b"
    return "c"


def what_rotation_did(probe: Probe) -> str:
    """Does what was saved before the rotation still open, unchanged?"""
    if not probe.calls("RotateKeyOnDemand", ok=True):
        raise Unfinished
    saved = probe.given["sunrise"]
    refused = probe.code(lambda: probe.client().decrypt(CiphertextBlob=saved["wrapped_key"]))
    return "a" if refused else "b"


# ---- widgets


def animator(lesson: Lesson) -> Any:
    """An envelope, step by step."""
    from kms_lab.teach.widgets.envelope_animator import EnvelopeAnimator

    return EnvelopeAnimator(lesson.lab, lesson.given.photos, lesson.given.photo)


def savings(lesson: Lesson) -> Any:
    """Calls, dollars and bytes, with sliders."""
    from kms_lab.teach.widgets.envelope_cost import EnvelopeCost, State

    return EnvelopeCost(State())


# ---- the lesson

MISCONCEPTIONS = (
    Misconception(
        "kms-encrypts-data",
        "KMS encrypts my data, whatever its size.",
        "Encrypt takes 4,096 bytes. In an envelope KMS sees the data key only; your app encrypts the data.",
    ),
    Misconception(
        "bigger-limit",
        "GenerateDataKey is an Encrypt for larger data.",
        "GenerateDataKey takes no data at all. It makes a key.",
    ),
    Misconception(
        "save-plaintext-key",
        "The data key must be saved as it is, or nobody can open the data.",
        "Whoever finds a plaintext data key reads the data without asking KMS. Save the wrapped copy only.",
    ),
    Misconception(
        "kms-keeps-data-keys",
        "KMS keeps my data keys and gives them to me again.",
        "KMS keeps no data key. Without the wrapped copy, the data is lost.",
    ),
    Misconception(
        "notebook-remembers",
        "What an earlier cell made will still be there when my function runs.",
        "Years later there is what was handed in, what was saved, and KMS. The check hides the rest.",
    ),
    Misconception(
        "kms-key-comes-out",
        "The KMS key is handed out with the data key.",
        "A KMS key never leaves KMS. Only data keys are handed out.",
    ),
    Misconception(
        "wrapped-key-encrypts",
        "The wrapped key can lock and unlock data.",
        "The wrapped key is ciphertext. Only KMS turns it back into a key.",
    ),
    Misconception(
        "needs-key-id",
        "Decrypt must be told which KMS key to use.",
        "A wrapped data key names its KMS key. Pass `KeyId` as a guard, where you know it.",
    ),
    Misconception(
        "encryption-stops-changes",
        "Encrypted data cannot be changed without anybody noticing.",
        "Only an authenticated cipher notices, such as AES-GCM or ChaCha20-Poly1305.",
    ),
    Misconception(
        "reuse-is-free",
        "One data key for everything only saves calls.",
        "A data key that leaks opens everything under it. A cap keeps that pile small.",
    ),
    Misconception(
        "never-reuse",
        "A data key may be used only once.",
        "It may serve several objects, each with a nonce of its own. How many is your choice.",
    ),
    Misconception(
        "nonce-may-repeat",
        "The nonce may stay the same while the key is secret.",
        "One key must never meet one nonce twice: that breaks AES-GCM.",
    ),
    Misconception(
        "kms-checks-data",
        "KMS notices a wrapped key that lies with the wrong data.",
        "KMS never sees the data. It unwraps any genuine wrapped key for a caller who may.",
    ),
    Misconception(
        "all-in-the-app",
        "Every damage shows only in the app.",
        "The wrapped key is checked by KMS, before your app gets anything.",
    ),
    Misconception(
        "wrong-key-gives-garbage",
        "The wrong key gives garbage.",
        "An authenticated cipher checks a tag first, and gives out nothing if it does not fit.",
    ),
    Misconception(
        "rotation-reencrypts",
        "Rotation encrypts the data again.",
        "Rotation gives the KMS key new material for new calls. Nothing in storage is touched.",
    ),
    Misconception(
        "rotation-heals-leak",
        "Rotation makes a leaked data key harmless.",
        "A data key opens its data without KMS. Only new data keys and encrypting again help.",
    ),
)

_SEALED_WITH_ONE_GAP = """
def encrypt_clip(kms, clip):
    # Step 1: ask KMS for a data key
    answer = kms.generate_data_key(KeyId="alias/photos", KeySpec="AES_256")
    # Step 2: encrypt in your app
    nonce = os.urandom(12)
    ciphertext = AESGCM(answer["Plaintext"]).encrypt(nonce, clip, None)
    # Step 3: save what opens it again
    return {"wrapped_key": answer["CiphertextBlob"], "nonce": nonce, "ciphertext": ciphertext}


lesson.q1.check(encrypt_clip)
"""
_SEALED_WITH_TWO_GAPS = """
def encrypt_scan(kms, scan):
    # Step 1: ask KMS for a data key
    answer = kms.generate_data_key(KeyId="alias/photos", KeySpec="AES_256")
    # Step 2: encrypt in your app
    nonce = os.urandom(12)
    ciphertext = AESGCM(answer["Plaintext"]).encrypt(nonce, scan, None)
    # Step 3: save what opens it again
    return {"wrapped_key": answer["CiphertextBlob"], "nonce": nonce, "ciphertext": ciphertext}


lesson.q2.check(encrypt_scan)
"""
_THERE_AND_BACK = """
def encrypt_photo(kms, photo):
    answer = kms.generate_data_key(KeyId="alias/photos", KeySpec="AES_256")
    nonce = os.urandom(12)
    return answer["CiphertextBlob"], nonce, AESGCM(answer["Plaintext"]).encrypt(nonce, photo, None)


def decrypt_photo(kms, saved):
    wrapped_key, nonce, ciphertext = saved
    data_key = kms.decrypt(CiphertextBlob=wrapped_key)["Plaintext"]
    return AESGCM(data_key).decrypt(nonce, ciphertext, None)


lesson.q3.check((encrypt_photo, decrypt_photo))
"""
_FOUND_AND_OPENED = """
def open_found(kms, found):
    # Step 1: take the object apart
    end = 2 + int.from_bytes(found[:2], "big")
    wrapped_key, nonce, ciphertext = found[2:end], found[end : end + 12], found[end + 12 :]
    # Step 2: have KMS unwrap the data key
    data_key = kms.decrypt(CiphertextBlob=wrapped_key)["Plaintext"]
    # Step 3: decrypt in your app
    return AESGCM(data_key).decrypt(nonce, ciphertext, None)


lesson.q4.check(open_found)
"""
_CAPPED = """
def encrypt_notes(kms, notes):
    saved = []
    for number, note in enumerate(notes):
        if number % 100 == 0:
            answer = kms.generate_data_key(KeyId="alias/photos", KeySpec="AES_256")
        nonce = os.urandom(12)
        ciphertext = AESGCM(answer["Plaintext"]).encrypt(nonce, note, None)
        saved.append({"wrapped_key": answer["CiphertextBlob"], "nonce": nonce, "ciphertext": ciphertext})
    return saved


lesson.q5.check(encrypt_notes)
"""
_WHO_REFUSES = """
def who_refuses(kms, saved):
    try:
        data_key = kms.decrypt(CiphertextBlob=saved["wrapped_key"])["Plaintext"]
    except kms.exceptions.InvalidCiphertextException:
        return "KMS"
    try:
        AESGCM(data_key).decrypt(saved["nonce"], saved["ciphertext"], None)
    except InvalidTag:
        return "AES-GCM"
    return "nobody"


lesson.q6.check(who_refuses)
"""

EXERCISES = (
    Exercise(
        id="q1",
        title="One gap: what is saved?",
        stars=1,
        objectives=("construct",),
        prompt="Fill the gap, so that the clip can be opened again, and only with the help of KMS.",
        check=seals,
        expects="your function",
        functions=1,
        hints=(
            "Look at step 1 of part 2: the answer holds the same key twice.",
            "One copy opens the clip for anybody who finds it. The other one is safe in storage.",
            'The gap is `answer["CiphertextBlob"]`.',
        ),
        solution=Solution(
            _SEALED_WITH_ONE_GAP,
            "The wrapped key may lie beside the data: it is worth nothing to somebody whom KMS refuses.",
        ),
        misconceptions=("save-plaintext-key", "kms-keeps-data-keys", "notebook-remembers"),
    ),
    Exercise(
        id="q2",
        title="Two gaps: which call, which key?",
        stars=1,
        objectives=("construct",),
        prompt="Fill both gaps: ask KMS for what you need, and encrypt the scan with it.",
        check=seals,
        expects="your function",
        functions=1,
        hints=(
            "Both lines stand in part 2, steps 1 and 2.",
            "The scan is larger than Encrypt takes. Ask KMS for a key, and lock the scan with its plaintext copy.",
            '`kms.generate_data_key(KeyId="alias/photos", KeySpec=...)`, then `AESGCM(answer["Plaintext"])`.',
        ),
        solution=Solution(_SEALED_WITH_TWO_GAPS, "KMS makes the key, your app does the work. The scan never travels."),
        misconceptions=("kms-encrypts-data", "wrapped-key-encrypts", "notebook-remembers"),
    ),
    Exercise(
        id="q3",
        title="From blank: 10 MB with one call",
        stars=2,
        objectives=("construct", "compare"),
        prompt="Write both functions. Encrypting a photo of 10 MB may make one call to KMS; what it returns must be "
        "all that decrypting needs.",
        check=one_call,
        expects="your two functions, `(encrypt_photo, decrypt_photo)`",
        functions=2,
        hints=(
            "Exercise 2, and the cell of part 2 that opens the photo, have all the lines you need.",
            "Return wrapped key, nonce and ciphertext, in any layout you like. Decrypting begins with the wrapped key.",
            '`return answer["CiphertextBlob"], nonce, ciphertext`, and in the other function '
            '`kms.decrypt(CiphertextBlob=wrapped_key)["Plaintext"]`.',
        ),
        solution=Solution(
            _THERE_AND_BACK,
            "One GenerateDataKey, whatever the size. The plaintext key ends with the function.",
        ),
        misconceptions=(
            "kms-encrypts-data",
            "save-plaintext-key",
            "kms-keeps-data-keys",
            "encryption-stops-changes",
            "notebook-remembers",
        ),
    ),
    Exercise(
        id="q4",
        title="Only the bytes are left",
        stars=2,
        objectives=("construct", "justify"),
        prompt="Open an object of which nothing but its bytes is known: no key id, no alias, no notes.",
        check=opens_what_was_found,
        expects="your function",
        functions=1,
        hints=(
            "Look at the parameters of `kms.decrypt`: only one is required.",
            "The wrapped key names its KMS key. Your app needs no list of keys.",
            '`data_key = kms.decrypt(CiphertextBlob=wrapped_key)["Plaintext"]`, then `AESGCM(data_key).decrypt(...)`.',
        ),
        solution=Solution(_FOUND_AND_OPENED, "The wrapped key carries all that KMS needs to find its KMS key."),
        misconceptions=(
            "needs-key-id",
            "kms-encrypts-data",
            "kms-keeps-data-keys",
            "wrapped-key-encrypts",
            "notebook-remembers",
        ),
    ),
    Exercise(
        id="q5",
        title="Reuse, with a cap",
        stars=3,
        objectives=("compare", "justify"),
        prompt="Encrypt many notes with as few data keys as you can, but no data key may serve more than 100 notes. "
        "Return a list: one saved object for each note.",
        check=capped,
        expects="your function",
        functions=1,
        hints=(
            "When is a new data key due? Count the notes.",
            "Ask for a data key before the first note and after every hundredth. The nonce is new for every note.",
            "In `for number, note in enumerate(notes):` `if number % 100 == 0: answer = kms.generate_data_key(...)`.",
        ),
        solution=Solution(
            _CAPPED,
            "Calls go down by a hundred, and a leaked data key opens a hundred notes at most. "
            "`kms_lab.envelope.Sealer(kms, key_id, max_messages=100)` does the same for streams.",
        ),
        misconceptions=(
            "reuse-is-free",
            "never-reuse",
            "nonce-may-repeat",
            "kms-keeps-data-keys",
            "save-plaintext-key",
            "notebook-remembers",
        ),
    ),
    Exercise(
        id="q6",
        title="Who refuses?",
        stars=2,
        objectives=("justify",),
        prompt='Write a function that tries to open a saved object and says who refuses: "KMS", "AES-GCM" or "nobody".',
        check=tells_who_refuses,
        expects="your function",
        functions=1,
        hints=(
            "There are two calls that can fail: the one to KMS, and the one of AES-GCM.",
            "Put each into its own `try`. What you catch tells who refused.",
            "`except kms.exceptions.InvalidCiphertextException:` for KMS, `except InvalidTag:` for AES-GCM.",
        ),
        solution=Solution(
            _WHO_REFUSES,
            "Two locks, two guards. KMS guards the wrapped key; the cipher in your app guards the data.",
        ),
        misconceptions=("kms-checks-data", "wrong-key-gives-garbage", "all-in-the-app"),
    ),
)

PREDICTIONS = (
    Prediction(
        id="p1",
        prompt="You send a photo of 10 MB to Encrypt. What happens?",
        options=(
            Option("a", "It works: KMS encrypts it", "KMS is not made for data of this size.", "kms-encrypts-data"),
            Option("b", "KMS refuses: the photo is too large", ""),
        ),
        truth=what_encrypt_did,
        why="Encrypt takes 4,096 bytes at most: enough for a password or a key, not for a photo.",
        objectives=("justify",),
    ),
    Prediction(
        id="p2",
        prompt="The wrapped keys of two photos are swapped in storage. You open one of them. Who notices?",
        options=(
            Option("a", "KMS refuses to unwrap", "KMS never sees the photo, so it cannot know.", "kms-checks-data"),
            Option("b", "KMS unwraps; AES-GCM in the app refuses", ""),
            Option("c", "Nobody: garbage comes out", "A tag stands guard.", "wrong-key-gives-garbage"),
        ),
        truth=who_notices_the_swap,
        why="The swapped key is genuine, so KMS unwraps it. It is not this photo's key, and the tag shows that.",
        objectives=("justify",),
    ),
    Prediction(
        id="p3",
        prompt="You rotate the KMS key. What about the photo that you saved before?",
        options=(
            Option("a", "It must be encrypted again first", "KMS keeps the old key material.", "rotation-reencrypts"),
            Option("b", "It opens as before, and not a byte of it has changed", ""),
            Option("c", "KMS has wrapped its data key anew", "KMS has no hand in storage.", "rotation-reencrypts"),
        ),
        truth=what_rotation_did,
        why="New key material wraps new data keys. The old material stays in KMS and opens what it wrapped.",
        objectives=("justify",),
    ),
)

QUESTIONS = (
    Multiple(
        id="z1",
        prompt="An app has encrypted a photo in an envelope. What does it save?",
        objectives=("construct",),
        right=frozenset({"a", "c", "d"}),
        options=(
            Option("a", "The encrypted photo", "Yes: it is what you want back."),
            Option("b", "The plaintext data key", "It would open the photo for anybody.", "save-plaintext-key"),
            Option("c", "The wrapped data key", "Yes: KMS keeps no copy."),
            Option("d", "The nonce", "Yes. It is no secret, but the photo does not open without it."),
            Option("e", "The KMS key", "You never have it.", "kms-key-comes-out"),
        ),
        why="Saved are ciphertext, nonce and wrapped key. Thrown away is the plaintext data key.",
        source="AWS KMS Developer Guide, Data keys",
    ),
    Ordering(
        id="z2",
        prompt="You open a saved photo. Put the steps in order.",
        objectives=("construct",),
        right=("c", "a", "e", "b", "d"),
        options=(
            Option("a", "Send the wrapped key to Decrypt", "First the app must have it: it lies in storage."),
            Option("b", "Decrypt the photo in the app", "For this the app needs the plaintext data key."),
            Option("c", "Load photo and wrapped key from storage", "Everything else needs what lies there."),
            Option("d", "Throw the plaintext data key away", "As soon as the photo is open, and not before."),
            Option("e", "KMS unwraps the data key with the KMS key", "KMS can do so once it has got the wrapped key."),
        ),
        why="Load, ask, unwrap, open, forget. Only the third step happens inside KMS.",
        source="AWS KMS Developer Guide, Data keys",
    ),
    Matching(
        id="z3",
        prompt="Where does each thing live?",
        objectives=("construct",),
        items=(
            ("1", "KMS key"),
            ("2", "Plaintext data key"),
            ("3", "Wrapped data key"),
            ("4", "“Master key” in an old text"),
        ),
        options=(
            Option("a", "In KMS, for good", "Only KMS keys stay there.", "kms-keeps-data-keys"),
            Option("b", "In the app's memory, for moments", "Only what opens data at once lives there."),
            Option("c", "In storage, beside the data", "Only what is safe to find lies there.", "save-plaintext-key"),
        ),
        right={"1": "a", "2": "b", "3": "c", "4": "a"},
        why="Master key is the old name for a KMS key. KMS keeps KMS keys, and no data keys.",
        source="AWS KMS Developer Guide, Data keys",
    ),
    Choice(
        id="z4",
        prompt="A plaintext data key leaked, together with a copy of the photos it had encrypted. What is true?",
        objectives=("justify",),
        right="c",
        options=(
            Option("a", "Rotating the KMS key heals the leak", "The thief needs no KMS.", "rotation-heals-leak"),
            Option("b", "Rotating the KMS key encrypts the photos again", "It does not.", "rotation-reencrypts"),
            Option("c", "What was copied stays readable to the thief", "Yes. That is why caps matter."),
            Option("d", "Deleting the data key in KMS ends it", "There is none in KMS.", "kms-keeps-data-keys"),
        ),
        why="Data key and ciphertext are all it takes. Encrypt what you still hold under a new data key.",
        source="AWS KMS Developer Guide, Rotating keys; Data keys",
    ),
    Choice(
        id="z5",
        prompt="Encrypt takes 4,096 bytes. Why does an envelope hold a file of any size?",
        objectives=("justify", "compare"),
        right="b",
        options=(
            Option("a", "GenerateDataKey takes larger data", "It takes no data.", "bigger-limit"),
            Option("b", "Only the data key is encrypted by KMS; the file is encrypted in the app", "Yes."),
            Option("c", "KMS gets the file in pieces of 4,096 bytes", "KMS gets none of it.", "kms-encrypts-data"),
        ),
        why="A data key has 32 bytes. That fits, and it is all that ever travels.",
        source="AWS KMS API Reference, GenerateDataKey",
    ),
)

LESSON = LessonData(
    number="03",
    title="Envelope encryption",
    minutes=50,
    goal="Encrypt anything, of any size, with one call to KMS.",
    topics=("envelope encryption", "data keys", "KMS key (old name: master key)", "call counts"),
    objectives=(
        Objective("construct", "build an envelope and open it again"),
        Objective("justify", "say why it is safe, and what it does not do"),
        Objective("compare", "compare numbers of calls and what they cost"),
    ),
    world=world,
    exercises=EXERCISES,
    predictions=PREDICTIONS,
    questions=QUESTIONS,
    misconceptions=MISCONCEPTIONS,
    review=("01/z1", "01/z2"),
    widgets={"animator": animator, "savings": savings},
)
