"""What learners might write in the exercise cells of lesson 03: right, right in another way, and wrong by name."""

from typing import Any

_CLIP = """
def encrypt_clip(kms, clip):
    answer = kms.generate_data_key(KeyId="alias/photos", KeySpec="AES_256")
    nonce = os.urandom(12)
    ciphertext = AESGCM(answer["Plaintext"]).encrypt(nonce, clip, None)
    return {RETURNED}

lesson.q1.check(encrypt_clip)
"""

_SCAN = """
def encrypt_scan(kms, scan):
    answer = {ASKED}
    nonce = os.urandom(12)
    ciphertext = AESGCM({KEY}).encrypt(nonce, scan, None)
    return {"wrapped_key": answer["CiphertextBlob"], "nonce": nonce, "ciphertext": ciphertext}

lesson.q2.check(encrypt_scan)
"""
_DATA_KEY = 'kms.generate_data_key(KeyId="alias/photos", KeySpec="AES_256")'

_PHOTO = """
def encrypt_photo(kms, photo):
    answer = kms.generate_data_key(KeyId="alias/photos", KeySpec="AES_256")
    nonce = os.urandom(12)
    ciphertext = AESGCM(answer["Plaintext"]).encrypt(nonce, photo, None)
    return {RETURNED}

def decrypt_photo(kms, saved):
    {OPENED}

lesson.q3.check((encrypt_photo, decrypt_photo))
"""

_FOUND = """
def open_found(kms, found):
    end = 2 + int.from_bytes(found[:2], "big")
    wrapped_key, nonce, ciphertext = found[2:end], found[end : end + 12], found[end + 12 :]
    data_key = {UNWRAPPED}
    return AESGCM(data_key).decrypt(nonce, ciphertext, None)

lesson.q4.check(open_found)
"""

_NOTES = """
def encrypt_notes(kms, notes):
    saved = []
    {BEFORE}
    for number, note in enumerate(notes):
        if {DUE}:
            answer = kms.generate_data_key(KeyId="alias/photos", KeySpec="AES_256")
        nonce = {NONCE}
        ciphertext = AESGCM(answer["Plaintext"]).encrypt(nonce, note, None)
        saved.append({SAVED})
    return saved

lesson.q5.check(encrypt_notes)
"""
_NOTE_BY_NOTE = {"BEFORE": "", "DUE": "number % 100 == 0", "NONCE": "os.urandom(12)"}
_NOTE = '(answer["CiphertextBlob"], nonce, ciphertext)'

_WHO = """
def who_refuses(kms, saved):
    try:
        key = kms.decrypt(CiphertextBlob=saved["wrapped_key"])["Plaintext"]
    except kms.exceptions.InvalidCiphertextException:
        return {KMS}
    try:
        AESGCM(key).decrypt(saved["nonce"], saved["ciphertext"], None)
    except InvalidTag:
        return {APP}
    return "nobody"

lesson.q6.check(who_refuses)
"""


def fill(template: str, **gaps: str) -> str:
    """Put code into the gaps of a template."""
    for name, code in gaps.items():
        template = template.replace("{" + name + "}", code)
    return template


ANSWERS: dict[str, dict[str, Any]] = {
    "q1": {
        "right": fill(
            _CLIP,
            RETURNED='{"wrapped_key": answer["CiphertextBlob"], "nonce": nonce, "ciphertext": ciphertext}',
        ),
        "also_right": (
            fill(_CLIP, RETURNED='(ciphertext, nonce, answer["CiphertextBlob"])'),
            fill(_CLIP, RETURNED='nonce + ciphertext + answer["CiphertextBlob"]'),
            fill(_CLIP, RETURNED='{"blob": answer["CiphertextBlob"].hex(), "photo": (nonce + ciphertext).hex()}'),
            # all of it as JSON text
            """
import base64
import json

def encrypt_clip(kms, clip):
    answer = kms.generate_data_key(KeyId="alias/photos", KeySpec="AES_256")
    nonce = os.urandom(12)
    ciphertext = AESGCM(answer["Plaintext"]).encrypt(nonce, clip, None)
    parts = {"key": answer["CiphertextBlob"], "nonce": nonce, "clip": ciphertext}
    return json.dumps({name: base64.b64encode(part).decode() for name, part in parts.items()})

lesson.q1.check(encrypt_clip)
""",
        ),
        "wrong": {
            "save-plaintext-key": (
                fill(
                    _CLIP,
                    RETURNED='{"wrapped_key": answer["Plaintext"], "nonce": nonce, "ciphertext": ciphertext}',
                ),
                fill(_CLIP, RETURNED='{**answer, "nonce": nonce, "ciphertext": ciphertext}'),
                fill(
                    _CLIP,
                    RETURNED='{"w": answer["CiphertextBlob"], "c": nonce + ciphertext, "k": answer["Plaintext"].hex()}',
                ),
            ),
            "kms-keeps-data-keys": (
                fill(_CLIP, RETURNED='{"wrapped_key": answer["KeyId"], "nonce": nonce, "ciphertext": ciphertext}'),
                fill(_CLIP, RETURNED='{"nonce": nonce, "ciphertext": ciphertext}'),
            ),
            # the name of part 2, as in its step 3
            "notebook-remembers": fill(
                _CLIP, RETURNED='{"wrapped_key": wrapped_key, "nonce": nonce, "ciphertext": ciphertext}'
            ),
        },
    },
    "q2": {
        "right": fill(_SCAN, ASKED=_DATA_KEY, KEY='answer["Plaintext"]'),
        "also_right": (
            fill(
                _SCAN,
                ASKED="kms.generate_data_key(KeyId=lesson.given.photos, NumberOfBytes=16, EncryptionContext={})",
                KEY='answer["Plaintext"]',
            ),
            fill(_SCAN, ASKED=_DATA_KEY, KEY='answer["Plaintext"]')
            .replace("AESGCM(", "ChaCha20Poly1305(")
            .replace("\ndef", "\nfrom cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305\n\ndef", 1),
            # the wrapped key first, and Decrypt for the plaintext
            fill(
                _SCAN,
                ASKED='kms.generate_data_key_without_plaintext(KeyId="alias/photos", KeySpec="AES_256")',
                KEY='kms.decrypt(CiphertextBlob=answer["CiphertextBlob"])["Plaintext"]',
            ),
        ),
        "wrong": {
            "kms-encrypts-data": fill(
                _SCAN, ASKED='kms.encrypt(KeyId="alias/photos", Plaintext=scan)', KEY='answer["CiphertextBlob"]'
            ),
            "wrapped-key-encrypts": (
                fill(_SCAN, ASKED=_DATA_KEY, KEY='answer["CiphertextBlob"]'),
                fill(
                    _SCAN,
                    ASKED='kms.generate_data_key_without_plaintext(KeyId="alias/photos", KeySpec="AES_256")',
                    KEY='answer["Plaintext"]',
                ),
            ),
            "notebook-remembers": fill(_SCAN, ASKED=_DATA_KEY, KEY="data_key"),
        },
    },
    "q3": {
        "right": fill(
            _PHOTO,
            RETURNED='{"wrapped_key": answer["CiphertextBlob"], "nonce": nonce, "ciphertext": ciphertext}',
            OPENED='key = kms.decrypt(CiphertextBlob=saved["wrapped_key"])["Plaintext"]\n'
            '    return AESGCM(key).decrypt(saved["nonce"], saved["ciphertext"], None)',
        ),
        "also_right": (
            # one run of bytes
            fill(
                _PHOTO,
                RETURNED='answer["CiphertextBlob"] + nonce + ciphertext',
                OPENED='key = kms.decrypt(CiphertextBlob=saved[:184])["Plaintext"]\n'
                "    return AESGCM(key).decrypt(saved[184:196], saved[196:], None)",
            ),
            # a header in JSON, an encryption context, and the header as additional authenticated data
            """
import base64
import json

def encrypt_photo(kms, photo):
    answer = kms.generate_data_key(KeyId="alias/photos", KeySpec="AES_256", EncryptionContext={"album": "1923"})
    key, wrapped, nonce = answer["Plaintext"], answer["CiphertextBlob"], os.urandom(12)
    header = json.dumps({"key": base64.b64encode(wrapped).decode(), "nonce": nonce.hex()})
    return header, AESGCM(key).encrypt(nonce, photo, header.encode())

def decrypt_photo(kms, saved):
    header = json.loads(saved[0])
    wrapped = base64.b64decode(header["key"])
    key = kms.decrypt(CiphertextBlob=wrapped, EncryptionContext={"album": "1923"})["Plaintext"]
    return AESGCM(key).decrypt(bytes.fromhex(header["nonce"]), saved[1], saved[0].encode())

lesson.q3.check((encrypt_photo, decrypt_photo))
""",
            # another cipher, a tuple
            """
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

def encrypt_photo(kms, photo):
    answer = kms.generate_data_key(KeyId="alias/photos", NumberOfBytes=32)
    nonce = os.urandom(12)
    return nonce, ChaCha20Poly1305(answer["Plaintext"]).encrypt(nonce, photo, None), answer["CiphertextBlob"]

def decrypt_photo(kms, saved):
    key = kms.decrypt(CiphertextBlob=saved[2])["Plaintext"]
    return ChaCha20Poly1305(key).decrypt(saved[0], saved[1], None)

lesson.q3.check((encrypt_photo, decrypt_photo))
""",
            # all of it as one run of Base64
            """
import base64

def encrypt_photo(kms, photo):
    answer = kms.generate_data_key(KeyId="alias/photos", KeySpec="AES_256")
    nonce = os.urandom(12)
    ciphertext = AESGCM(answer["Plaintext"]).encrypt(nonce, photo, None)
    return base64.b64encode(answer["CiphertextBlob"] + nonce + ciphertext)

def decrypt_photo(kms, saved):
    saved = base64.b64decode(saved)
    key = kms.decrypt(CiphertextBlob=saved[:184])["Plaintext"]
    return AESGCM(key).decrypt(saved[184:196], saved[196:], None)

lesson.q3.check((encrypt_photo, decrypt_photo))
""",
            # what was changed is noticed, and answered with None
            fill(
                _PHOTO,
                RETURNED='answer["CiphertextBlob"], nonce, ciphertext',
                OPENED="""from cryptography.exceptions import InvalidTag

    wrapped, nonce, ciphertext = saved
    try:
        return AESGCM(kms.decrypt(CiphertextBlob=wrapped)["Plaintext"]).decrypt(nonce, ciphertext, None)
    except InvalidTag:
        return None""",
            ),
            # a key of one's own, wrapped by Encrypt: one call as well
            """
def encrypt_photo(kms, photo):
    key, nonce = os.urandom(32), os.urandom(12)
    wrapped = kms.encrypt(KeyId="alias/photos", Plaintext=key)["CiphertextBlob"]
    return [wrapped, nonce, AESGCM(key).encrypt(nonce, photo, None)]

def decrypt_photo(kms, saved):
    wrapped, nonce, ciphertext = saved
    return AESGCM(kms.decrypt(CiphertextBlob=wrapped)["Plaintext"]).decrypt(nonce, ciphertext, None)

lesson.q3.check((encrypt_photo, decrypt_photo))
""",
            # the library
            """
from kms_lab import envelope

def encrypt_photo(kms, photo):
    return envelope.encrypt_bytes(kms, "alias/photos", photo)

lesson.q3.check((encrypt_photo, envelope.decrypt_bytes))
""",
        ),
        "wrong": {
            "kms-encrypts-data": (
                """
def encrypt_photo(kms, photo):
    cut = range(0, len(photo), 4096)
    return [kms.encrypt(KeyId="alias/photos", Plaintext=photo[at : at + 4096])["CiphertextBlob"] for at in cut]

def decrypt_photo(kms, saved):
    return b"".join(kms.decrypt(CiphertextBlob=blob)["Plaintext"] for blob in saved)

lesson.q3.check((encrypt_photo, decrypt_photo))
""",
                """
def encrypt_photo(kms, photo):
    return kms.encrypt(KeyId="alias/photos", Plaintext=photo)["CiphertextBlob"]

def decrypt_photo(kms, saved):
    return kms.decrypt(CiphertextBlob=saved)["Plaintext"]

lesson.q3.check((encrypt_photo, decrypt_photo))
""",
            ),
            "save-plaintext-key": (
                fill(
                    _PHOTO,
                    RETURNED='answer["Plaintext"], nonce, ciphertext',
                    OPENED="return AESGCM(saved[0]).decrypt(saved[1], saved[2], None)",
                ),
                # both are saved, the plaintext key as text
                fill(
                    _PHOTO,
                    RETURNED='answer["CiphertextBlob"], nonce, ciphertext, "key=" + answer["Plaintext"].hex()',
                    OPENED='key = kms.decrypt(CiphertextBlob=saved[0])["Plaintext"]\n'
                    "    return AESGCM(key).decrypt(saved[1], saved[2], None)",
                ),
                # the wrapped key is saved, but a copy of the plaintext key stays in the app
                """
cache = {}

def encrypt_photo(kms, photo):
    answer = kms.generate_data_key(KeyId="alias/photos", KeySpec="AES_256")
    nonce, cache["key"] = os.urandom(12), answer["Plaintext"]
    return answer["CiphertextBlob"], nonce, AESGCM(cache["key"]).encrypt(nonce, photo, None)

def decrypt_photo(kms, saved):
    return AESGCM(cache["key"]).decrypt(saved[1], saved[2], None)

lesson.q3.check((encrypt_photo, decrypt_photo))
""",
            ),
            "kms-keeps-data-keys": (
                fill(
                    _PHOTO,
                    RETURNED='answer["KeyId"], nonce, ciphertext',
                    OPENED='key = kms.generate_data_key(KeyId=saved[0], KeySpec="AES_256")["Plaintext"]\n'
                    "    return AESGCM(key).decrypt(saved[1], saved[2], None)",
                ),
                fill(
                    _PHOTO,
                    RETURNED='answer["CiphertextBlob"], nonce, ciphertext',
                    OPENED='key = kms.generate_data_key(KeyId="alias/photos", KeySpec="AES_256")["Plaintext"]\n'
                    "    return AESGCM(key).decrypt(saved[1], saved[2], None)",
                ),
            ),
            # the nonce is not saved; the one of part 2 still stands in the notebook
            "notebook-remembers": """
def encrypt_photo(kms, photo):
    answer = kms.generate_data_key(KeyId="alias/photos", KeySpec="AES_256")
    return answer["CiphertextBlob"], AESGCM(answer["Plaintext"]).encrypt(nonce, photo, None)

def decrypt_photo(kms, saved):
    return AESGCM(kms.decrypt(CiphertextBlob=saved[0])["Plaintext"]).decrypt(nonce, saved[1], None)

lesson.q3.check((encrypt_photo, decrypt_photo))
""",
            "encryption-stops-changes": (
                """
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

def stream(key, nonce):
    return Cipher(algorithms.AES(key), modes.CTR(nonce)).encryptor()

def encrypt_photo(kms, photo):
    answer = kms.generate_data_key(KeyId="alias/photos", KeySpec="AES_256")
    nonce = os.urandom(16)
    return answer["CiphertextBlob"], nonce, stream(answer["Plaintext"], nonce).update(photo)

def decrypt_photo(kms, saved):
    return stream(kms.decrypt(CiphertextBlob=saved[0])["Plaintext"], saved[1]).update(saved[2])

lesson.q3.check((encrypt_photo, decrypt_photo))
""",
                # the same in an object of one's own
                """
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

@dataclass
class Saved:
    wrapped: bytes
    start: bytes
    content: bytes

def stream(key, start):
    return Cipher(algorithms.AES(key), modes.CTR(start)).encryptor()

def encrypt_photo(kms, photo):
    answer = kms.generate_data_key(KeyId="alias/photos", KeySpec="AES_256")
    start = os.urandom(16)
    return Saved(answer["CiphertextBlob"], start, stream(answer["Plaintext"], start).update(photo))

def decrypt_photo(kms, saved):
    key = kms.decrypt(CiphertextBlob=saved.wrapped)["Plaintext"]
    return stream(key, saved.start).update(saved.content)

lesson.q3.check((encrypt_photo, decrypt_photo))
""",
            ),
        },
    },
    "q4": {
        "right": fill(_FOUND, UNWRAPPED='kms.decrypt(CiphertextBlob=wrapped_key)["Plaintext"]'),
        "also_right": (
            """
def open_found(kms, found):
    length, rest = int.from_bytes(found[:2], "big"), found[2:]
    answer = kms.decrypt(CiphertextBlob=rest[:length], EncryptionAlgorithm="SYMMETRIC_DEFAULT")
    return AESGCM(answer["Plaintext"]).decrypt(rest[length:][:12], rest[length:][12:], None)

lesson.q4.check(open_found)
""",
        ),
        "wrong": {
            "needs-key-id": fill(
                _FOUND, UNWRAPPED='kms.decrypt(KeyId="alias/photos", CiphertextBlob=wrapped_key)["Plaintext"]'
            ),
            "kms-encrypts-data": (
                fill(_FOUND, UNWRAPPED='kms.decrypt(CiphertextBlob=ciphertext)["Plaintext"]'),
                fill(_FOUND, UNWRAPPED='kms.decrypt(CiphertextBlob=found)["Plaintext"]'),
            ),
            "kms-keeps-data-keys": fill(
                _FOUND, UNWRAPPED='kms.generate_data_key(KeyId="alias/photos", KeySpec="AES_256")["Plaintext"]'
            ),
            "wrapped-key-encrypts": fill(_FOUND, UNWRAPPED="wrapped_key"),
            # the data key of part 2 still stands in the notebook
            "notebook-remembers": """
def open_found(kms, found):
    end = 2 + int.from_bytes(found[:2], "big")
    return AESGCM(data_key).decrypt(found[end : end + 12], found[end + 12 :], None)

lesson.q4.check(open_found)
""",
        },
    },
    "q5": {
        "right": fill(_NOTES, SAVED=_NOTE, **_NOTE_BY_NOTE),
        "also_right": (
            """
import base64

from cryptography.fernet import Fernet

def encrypt_notes(kms, notes):
    saved = []
    for number, note in enumerate(notes):
        if number % 100 == 0:
            answer = kms.generate_data_key(KeyId="alias/photos", KeySpec="AES_256")
            locker = Fernet(base64.urlsafe_b64encode(answer["Plaintext"]))
        saved.append({"wrapped_key": answer["CiphertextBlob"], "token": locker.encrypt(note)})
    return saved

lesson.q5.check(encrypt_notes)
""",
            """
from kms_lab.envelope import Sealer

def encrypt_notes(kms, notes):
    sealer = Sealer(kms, "alias/photos", max_messages=100)
    return [sealer.encrypt_bytes(note) for note in notes]

lesson.q5.check(encrypt_notes)
""",
            """
def encrypt_notes(kms, notes):
    saved = []
    for start in range(0, len(notes), 100):
        answer = kms.generate_data_key(KeyId="alias/photos", KeySpec="AES_256")
        aead, wrapped = AESGCM(answer["Plaintext"]), answer["CiphertextBlob"]
        for count, note in enumerate(notes[start : start + 100]):
            nonce = count.to_bytes(12, "big")
            saved.append(len(wrapped).to_bytes(2, "big") + wrapped + nonce + aead.encrypt(nonce, note, wrapped))
    return saved

lesson.q5.check(encrypt_notes)
""",
        ),
        "wrong": {
            "reuse-is-free": (
                fill(_NOTES, SAVED=_NOTE, **{**_NOTE_BY_NOTE, "DUE": "number == 0"}),
                fill(_NOTES, SAVED=_NOTE, **{**_NOTE_BY_NOTE, "DUE": "number % 101 == 0"}),
            ),
            "never-reuse": fill(_NOTES, SAVED=_NOTE, **{**_NOTE_BY_NOTE, "DUE": "True"}),
            "notebook-remembers": fill(_NOTES, SAVED="(wrapped_key, nonce, ciphertext)", **_NOTE_BY_NOTE),
            "nonce-may-repeat": fill(
                _NOTES, SAVED=_NOTE, **{**_NOTE_BY_NOTE, "BEFORE": "fixed = os.urandom(12)", "NONCE": "fixed"}
            ),
            "kms-keeps-data-keys": fill(_NOTES, SAVED="(nonce, ciphertext)", **_NOTE_BY_NOTE),
            "save-plaintext-key": fill(_NOTES, SAVED='{**answer, "n": nonce, "c": ciphertext}', **_NOTE_BY_NOTE),
        },
    },
    "q6": {
        "right": fill(_WHO, KMS='"KMS"', APP='"AES-GCM"'),
        "also_right": (
            fill(_WHO, KMS='"kms"', APP='"AESGCM"'),
            """
def who_refuses(kms, saved):
    who = "kms"
    try:
        key = kms.decrypt(CiphertextBlob=saved["wrapped_key"])["Plaintext"]
        who = "aes-gcm"
        AESGCM(key).decrypt(saved["nonce"], saved["ciphertext"], None)
        who = "nobody"
    finally:
        return who

lesson.q6.check(who_refuses)
""",
        ),
        "wrong": {
            "kms-checks-data": fill(_WHO, KMS='"KMS"', APP='"KMS"'),
            "wrong-key-gives-garbage": fill(_WHO, KMS='"KMS"', APP='"nobody"'),
            "all-in-the-app": fill(_WHO, KMS='"AES-GCM"', APP='"AES-GCM"'),
        },
    },
}
