"""GenerateMac and VerifyMac: known answers, and what is refused."""

import hashlib
import hmac
import itertools

import pytest

from kms_lab.core.material import generate
from kms_lab.core.specs import SPECS
from tests.service.conftest import answer, code, new_key, refusal, sender

BITS = (224, 256, 384, 512)
USAGE = "GENERATE_VERIFY_MAC"
#: RFC 4231, test cases 1, 2, 3, 4, 6 and 7: key, data and the four tags (the fifth case tests truncation)
RFC_4231 = [
    (
        b"\x0b" * 20,
        b"Hi There",
        "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
        "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
        "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
    ),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
        "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
    ),
    (
        b"\xaa" * 20,
        b"\xdd" * 50,
        "7fb3cb3588c6c1f6ffa9694d7d6ad2649365b0c1f65d69d1ec8333ea",
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3ab6e101a34f27",
        "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39"
        "bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb",
    ),
    (
        bytes(range(1, 26)),
        b"\xcd" * 50,
        "6c11506874013cac6a2abc1bb382627cec6a90d86efc012de7afec5a",
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        "3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e6801dd23c4a7d679ccf8a386c674cffb",
        "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3db"
        "a91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd",
    ),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "95e9a0db962095adaebe9b2d6f0dbce2d499f112f2d2b7273fa6870e",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952",
        "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
        "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
    ),
    (
        b"\xaa" * 131,
        b"This is a test using a larger than block-size key and a larger than block-size data. "
        b"The key needs to be hashed before being used by the HMAC algorithm.",
        "3a854166ac5d9f023f54d517d0b39dbd946770db9c2b95c9f6f565d1",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d3860e6110c46523e",
        "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944"
        "b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58",
    ),
]
VECTORS = [
    pytest.param(bits, key, data, bytes.fromhex(tags[number]), id=f"{bits}-{case}")
    for case, (key, data, *tags) in enumerate(RFC_4231)
    for number, bits in enumerate(BITS)
]


@pytest.fixture
def mac_key(kms):
    """A function that creates an HMAC key of so many bits."""
    return lambda bits: new_key(kms, KeySpec=f"HMAC_{bits}", KeyUsage=USAGE)


@pytest.mark.parametrize(("bits", "secret", "data", "tag"), VECTORS)
def test_known_answers(lab, kms, mac_key, bits, secret, data, tag):
    """
    The tags are those of RFC 4231's test cases. (The key material is put in place, since KMS would choose its own.)
    """
    key = mac_key(bits)
    lab.key(key).materials[0].secret = secret
    params = {"KeyId": key, "Message": data, "MacAlgorithm": f"HMAC_SHA_{bits}"}

    assert kms.generate_mac(**params)["Mac"] == tag
    assert kms.verify_mac(**params, Mac=tag)["MacValid"] is True


@pytest.mark.parametrize("bits", BITS)
def test_answers(lab, kms, mac_key, bits):
    """
    A tag is as long as the hash, made with the key's own secret, and answered with the key's ARN and the algorithm.
    """
    key = mac_key(bits)
    params = {"KeyId": key, "Message": b"x" * 4096, "MacAlgorithm": f"HMAC_SHA_{bits}"}

    made = kms.generate_mac(**params)
    checked = kms.verify_mac(**params, Mac=made["Mac"])

    made.pop("ResponseMetadata")
    checked.pop("ResponseMetadata")
    expected = hmac.new(lab.key(key).current.secret, b"x" * 4096, getattr(hashlib, f"sha{bits}")).digest()
    assert len(expected) == bits // 8
    assert made == {"KeyId": key, "MacAlgorithm": f"HMAC_SHA_{bits}", "Mac": expected}
    assert checked == {"KeyId": key, "MacAlgorithm": f"HMAC_SHA_{bits}", "MacValid": True}


@pytest.mark.parametrize("spoil", ["message", "mac", "short", "long", "other key"])
def test_wrong_mac(kms, mac_key, spoil):
    """
    VerifyMac never answers false: whatever is wrong, it is KMSInvalidMacException, with no text.
    """
    key = mac_key(256)
    params = {"KeyId": key, "Message": b"message", "MacAlgorithm": "HMAC_SHA_256"}
    tag = kms.generate_mac(**params)["Mac"]

    match spoil:
        case "message":
            params["Message"] = b"messagf"
        case "mac":
            tag = bytes([tag[0] ^ 1]) + tag[1:]
        case "short":
            tag = tag[:-1]
        case "long":
            tag += b"\x00"
        case "other key":
            params["KeyId"] = mac_key(256)

    assert answer(kms.verify_mac, **params, Mac=tag) == ("KMSInvalidMacException", "")


@pytest.mark.parametrize(("bits", "asked"), list(itertools.permutations(BITS, 2)))
def test_algorithm_must_fit(kms, mac_key, bits, asked):
    """
    An HMAC key takes the algorithm of its own size only, and the refusal names algorithm and spec.
    """
    params = {"KeyId": mac_key(bits), "Message": b"m", "MacAlgorithm": f"HMAC_SHA_{asked}"}
    expected = ("InvalidKeyUsageException", f"Algorithm HMAC_SHA_{asked} is incompatible with key spec HMAC_{bits}.")

    assert answer(kms.generate_mac, **params) == expected
    assert answer(kms.verify_mac, **params, Mac=b"x") == expected


@pytest.mark.parametrize("operation", ["GenerateMac", "VerifyMac"])
def test_wrong_usage(kms, key, operation):
    """
    Another kind of key is refused with its usage and the operation's name.
    """
    more = {"Mac": b"x"} if operation == "VerifyMac" else {}
    method = kms.verify_mac if more else kms.generate_mac

    assert answer(method, KeyId=key, Message=b"m", MacAlgorithm="HMAC_SHA_256", **more) == (
        "InvalidKeyUsageException",
        f"{key} key usage is ENCRYPT_DECRYPT which is not valid for {operation}.",
    )


@pytest.mark.parametrize("size", [0, 4097])
def test_size_of_the_message(lab, mac_key, size):
    """
    A message has 1 to 4,096 bytes.
    """
    send = sender(lab, "GenerateMac")

    error = refusal(send, KeyId=mac_key(256), Message=b"m" * size, MacAlgorithm="HMAC_SHA_256")

    assert error.code == "ValidationException"
    assert "'message' failed to satisfy constraint: Member must have length" in error.message


def test_no_rotation(kms, mac_key):
    """
    HMAC keys do not rotate.
    """
    assert code(kms.enable_key_rotation, KeyId=mac_key(256)) == "UnsupportedOperationException"


def test_the_log_has_no_message(lab, kms, mac_key):
    """
    Neither message nor tag gets into the log.
    """
    params = {"KeyId": mac_key(256), "Message": b"confidential message", "MacAlgorithm": "HMAC_SHA_256"}
    kms.verify_mac(**params, Mac=kms.generate_mac(**params)["Mac"])

    shown = [lab.world.log.entry(index).request for index in (-2, -1)]

    assert shown == [{"KeyId": params["KeyId"], "MacAlgorithm": "HMAC_SHA_256"}] * 2


def test_secrets_have_the_size_of_the_hash():
    """
    An HMAC key of KMS's own making is as long as its hash.
    """
    assert [len(generate(name, bytes)) * 8 for name in SPECS if name.startswith("HMAC")] == list(BITS)
