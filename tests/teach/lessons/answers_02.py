"""What learners might write in the exercise cells of lesson 02: right, right in another way, and wrong by name."""

from typing import Any

_TRIP = """
with attempt():
    blob = kms.encrypt(KeyId="alias/lockers", Plaintext=b"door code 5555"{CLOSE})["CiphertextBlob"]
    kms.decrypt(CiphertextBlob=blob{OPEN})
lesson.q1.check()
"""
_ASKED = ', EncryptionContext={"site": "south", "locker": "40"}'

_BREAK = """
damaged = bytearray(lesson.given.code)
{CHANGE}
with attempt():
    kms.decrypt(CiphertextBlob=bytes(damaged), EncryptionContext={CONTEXT})
lesson.q2.check(bytes(damaged))
"""
_CODE = '{"site": "north", "locker": "12"}'

_PLAN = """
def lock_plan(kms, plan):
    {BODY}

lesson.q3.check(lock_plan)
"""
_ASK = 'answer = kms.generate_data_key(KeyId="alias/lockers", KeySpec="AES_256")\n    '

_MOVE = """
def move(kms, blob, context):
    {BODY}

lesson.q4.check(move)
"""

_APP = """
import base64
import hashlib
import json

def save_code(kms, locker, card, code):
    context = {CONTEXT}
    return kms.encrypt(KeyId="alias/lockers", Plaintext=code, EncryptionContext=context)["CiphertextBlob"]

def open_code(kms, locker, card, blob):
    context = {CONTEXT}
    return kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"]

lesson.q5.check((save_code, open_code))
"""


def fill(template: str, **gaps: str) -> str:
    """Put code into the gaps of a template."""
    for name, code in gaps.items():
        template = template.replace("{" + name + "}", code)
    return template


ANSWERS: dict[str, dict[str, Any]] = {
    "q1": {
        "right": fill(_TRIP, CLOSE=_ASKED, OPEN=_ASKED),
        "also_right": (
            # the other order, and the key named again
            fill(
                _TRIP,
                CLOSE=_ASKED,
                OPEN=', KeyId="alias/lockers", EncryptionContext={"locker": "40", "site": "south"}',
            ),
            # a first try went wrong
            fill(_TRIP, CLOSE=_ASKED, OPEN="") + fill(_TRIP, CLOSE=_ASKED, OPEN=_ASKED),
        ),
        "wrong": {
            "key-ties-data": fill(_TRIP, CLOSE="", OPEN=""),
            "context-is-stored": fill(_TRIP, CLOSE=_ASKED, OPEN=""),
            "close-is-enough": (
                fill(_TRIP, CLOSE=_ASKED, OPEN=', EncryptionContext={"locker": "40"}'),
                fill(
                    _TRIP,
                    CLOSE=', EncryptionContext={"Site": "South", "Locker": "40"}',
                    OPEN=', EncryptionContext={"Site": "South", "Locker": "40"}',
                ),
            ),
        },
    },
    "q2": {
        "right": fill(_BREAK, CHANGE="damaged[100] ^= 1", CONTEXT=_CODE),
        "also_right": (
            # the last byte, all of it
            fill(_BREAK, CHANGE="damaged[-1] = 255 - damaged[-1]", CONTEXT=_CODE),
            # where the lab's layout names the key: another error, refused all the same
            fill(_BREAK, CHANGE="damaged[20] ^= 1", CONTEXT=_CODE),
            # cut and joined
            """
blob = lesson.given.code
damaged = blob[:70] + bytes([(blob[70] + 1) % 256]) + blob[71:]
with attempt():
    kms.decrypt(CiphertextBlob=damaged, EncryptionContext={"locker": "12", "site": "north"})
lesson.q2.check(damaged)
""",
        ),
        "wrong": {
            "error-names-cause": (
                # two things at once
                fill(_BREAK, CHANGE="damaged[100] ^= 1", CONTEXT="{}"),
                # the context instead of the bytes
                fill(_BREAK, CHANGE="", CONTEXT='{"site": "north", "locker": "21"}'),
            ),
            "same-text-same-blob": f"""
text = kms.decrypt(CiphertextBlob=lesson.given.code, EncryptionContext={_CODE})["Plaintext"]
damaged = kms.encrypt(KeyId="alias/lockers", Plaintext=text, EncryptionContext={_CODE})["CiphertextBlob"]
lesson.q2.check(damaged)
""",
        },
    },
    "q3": {
        "right": fill(_PLAN, BODY=_ASK + 'return answer["CiphertextBlob"], lock_here(answer["Plaintext"], plan)'),
        "also_right": (
            fill(
                _PLAN,
                BODY=_ASK + 'return {"key": answer["CiphertextBlob"].hex(), '
                '"plan": lock_here(answer["Plaintext"], plan).hex()}',
            ),
            # the library, in one line
            fill(
                _PLAN,
                BODY='from kms_lab.envelope import encrypt_bytes\n    return encrypt_bytes(kms, "alias/lockers", plan)',
            ),
            # a key of one's own, which Encrypt can take
            fill(
                _PLAN,
                BODY='key = os.urandom(32)\n    blob = kms.encrypt(KeyId="alias/lockers", Plaintext=key)'
                '["CiphertextBlob"]\n    return blob + lock_here(key, plan)',
            ),
        ),
        "wrong": {
            "encrypt-takes-all": (
                fill(_PLAN, BODY='return kms.encrypt(KeyId="alias/lockers", Plaintext=plan)["CiphertextBlob"]'),
                fill(
                    _PLAN,
                    BODY="import zlib\n    "
                    'return kms.encrypt(KeyId="alias/lockers", Plaintext=plan + zlib.compress(plan))["CiphertextBlob"]',
                ),
            ),
            "cut-in-pieces": fill(
                _PLAN,
                BODY="pieces = [plan[at : at + 4096] for at in range(0, len(plan), 4096)]\n    "
                'return [kms.encrypt(KeyId="alias/lockers", Plaintext=one)["CiphertextBlob"] for one in pieces]',
            ),
            "save-plaintext-key": (
                fill(_PLAN, BODY=_ASK + 'return answer["Plaintext"], lock_here(answer["Plaintext"], plan)'),
                fill(_PLAN, BODY=_ASK + 'return {**answer, "plan": lock_here(answer["Plaintext"], plan)}'),
            ),
            "wrapped-key-locks": fill(
                _PLAN, BODY=_ASK + 'return answer["CiphertextBlob"], lock_here(answer["CiphertextBlob"], plan)'
            ),
            "kms-keeps-data-keys": fill(
                _PLAN, BODY=_ASK + 'return answer["KeyId"], lock_here(answer["Plaintext"], plan)'
            ),
        },
    },
    "q4": {
        "right": fill(
            _MOVE,
            BODY='return kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId="alias/annex", '
            'SourceEncryptionContext=context, DestinationEncryptionContext=context)["CiphertextBlob"]',
        ),
        "also_right": (
            # both keys named, by id
            fill(
                _MOVE,
                BODY="return kms.re_encrypt(CiphertextBlob=blob, SourceKeyId=lesson.given.lockers, "
                "DestinationKeyId=lesson.given.annex, SourceEncryptionContext=context, "
                'DestinationEncryptionContext=dict(context))["CiphertextBlob"]',
            ),
            # by way of a third ciphertext
            fill(
                _MOVE,
                BODY="plain = kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext=context, "
                'DestinationKeyId="alias/annex")["CiphertextBlob"]\n    '
                'return kms.re_encrypt(CiphertextBlob=plain, DestinationKeyId="alias/annex", '
                'DestinationEncryptionContext=context)["CiphertextBlob"]',
            ),
        ),
        "wrong": {
            "decrypt-then-encrypt": fill(
                _MOVE,
                BODY='text = kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"]\n    '
                'return kms.encrypt(KeyId="alias/annex", Plaintext=text, EncryptionContext=context)["CiphertextBlob"]',
            ),
            "context-is-stored": (
                fill(
                    _MOVE,
                    BODY='return kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId="alias/annex")["CiphertextBlob"]',
                ),
                fill(
                    _MOVE,
                    BODY='return kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId="alias/annex", '
                    'DestinationEncryptionContext=context)["CiphertextBlob"]',
                ),
            ),
            "context-stays": fill(
                _MOVE,
                BODY='return kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId="alias/annex", '
                'SourceEncryptionContext=context)["CiphertextBlob"]',
            ),
        },
    },
    "q5": {
        "right": fill(_APP, CONTEXT='{"locker": locker}'),
        "also_right": (
            fill(_APP, CONTEXT='{"hall": "north", "locker": locker, "purpose": "door"}'),
            # the last four digits, as on a receipt
            fill(_APP, CONTEXT='{"locker": locker, "card": card[-4:]}'),
            # a MAC of the number, whose key is a secret
            "import hmac\nSECRET = bytes(range(32))\n\ndef tag(card):\n"
            "    return hmac.new(SECRET, card.encode(), 'sha256').hexdigest()\n"
            + fill(_APP, CONTEXT='{"locker": locker, "card": tag(card)}'),
            # the card stays tied to the code, inside what is encrypted
            """
import json

def save_code(kms, locker, card, code):
    text = json.dumps([card, code.decode()]).encode()
    return kms.encrypt(KeyId="alias/lockers", Plaintext=text, EncryptionContext={"locker": locker})["CiphertextBlob"]

def open_code(kms, locker, card, blob):
    text = kms.decrypt(CiphertextBlob=blob, EncryptionContext={"locker": locker})["Plaintext"]
    paid_with, code = json.loads(text)
    return code if paid_with == card else None

lesson.q5.check((save_code, open_code))
""",
        ),
        "wrong": {
            "context-is-secret": (
                fill(_APP, CONTEXT='{"locker": locker, "card": card}'),
                fill(_APP, CONTEXT='{"locker": locker, "card": base64.b64encode(card.encode()).decode()}'),
                fill(_APP, CONTEXT='{f"{locker}-{card}": "card"}'),
                fill(_APP, CONTEXT='{"locker": locker, "first": card[:8], "second": card[8:]}'),
                fill(_APP, CONTEXT='{"locker": locker, "card": card[:12] + "****"}'),
            ),
            "hash-hides": (
                fill(_APP, CONTEXT='{"locker": locker, "card": hashlib.sha256(card.encode()).hexdigest()}'),
                fill(_APP, CONTEXT='{"locker": locker, "card": hashlib.md5(card.encode()).hexdigest()}'),
                # salted with what stands beside it, cut short, turned round
                fill(_APP, CONTEXT='{"locker": locker, "card": hashlib.sha256((locker + card).encode()).hexdigest()}'),
                fill(_APP, CONTEXT='{"locker": locker, "card": hashlib.sha256(card.encode()).hexdigest()[:12]}'),
                fill(_APP, CONTEXT='{"locker": locker, "card": card[::-1]}'),
            ),
            "drop-the-context": (
                fill(_APP, CONTEXT="{}"),
                fill(_APP, CONTEXT='{"hall": "north"}'),
            ),
        },
    },
}
