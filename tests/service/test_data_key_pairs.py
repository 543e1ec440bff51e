"""GenerateDataKeyPair and its variant without plaintext: real key pairs, and a private key that opens like any blob."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mlkem, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from kms_lab import Lab
from kms_lab.core import model
from tests.service.conftest import answer, code, new_key, refusal

#: what can be made, and how to know it again; RSA other than RSA_2048 only where sizes matter, since it takes long
KINDS = {
    "RSA_2048": lambda key: isinstance(key, rsa.RSAPrivateKey) and key.key_size == 2048,
    "ECC_NIST_P256": lambda key: isinstance(key.curve, ec.SECP256R1),
    "ECC_NIST_P384": lambda key: isinstance(key.curve, ec.SECP384R1),
    "ECC_NIST_P521": lambda key: isinstance(key.curve, ec.SECP521R1),
    "ECC_SECG_P256K1": lambda key: isinstance(key.curve, ec.SECP256K1),
    "ECC_NIST_EDWARDS25519": lambda key: isinstance(key, ed25519.Ed25519PrivateKey),
    "ML_KEM_768": lambda key: isinstance(key, mlkem.MLKEM768PrivateKey),
    "ML_KEM_1024": lambda key: isinstance(key, mlkem.MLKEM1024PrivateKey),
}
REFUSED = {"ML_KEM_512": "UnsupportedByLab", "SM2": "UnsupportedOperationException"}
BOTH = ("generate_data_key_pair", "generate_data_key_pair_without_plaintext")


def test_every_spec_is_tried():
    """
    The specs below, with two larger RSA keys, are those of AWS's model.
    """
    assert {*KINDS, *REFUSED, "RSA_3072", "RSA_4096"} == set(model.enum("DataKeyPairSpec"))


@pytest.mark.parametrize("spec", KINDS)
def test_pair(kms, key, spec):
    """
    The private key is PKCS#8 DER of the spec asked for, and the public key, SubjectPublicKeyInfo, is its other half.
    """
    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec=spec)

    private = load_der_private_key(pair["PrivateKeyPlaintext"], password=None)
    assert KINDS[spec](private)
    assert private.public_key() == load_der_public_key(pair["PublicKey"])
    assert (pair["KeyId"], pair["KeyPairSpec"]) == (key, spec)
    assert kms.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"])["Plaintext"] == pair["PrivateKeyPlaintext"]


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "ML_KEM_768"])
def test_without_plaintext(kms, key, spec):
    """
    The variant gives the same, but the private key under the KMS key only.
    """
    pair = kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec=spec)

    pair.pop("ResponseMetadata")
    assert set(pair) == {"KeyId", "KeyMaterialId", "KeyPairSpec", "PrivateKeyCiphertextBlob", "PublicKey"}
    opened = kms.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"])
    private = load_der_private_key(opened["Plaintext"], password=None)
    spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert spki == pair["PublicKey"]


def test_size_of_a_large_private_key(kms, key):
    """
    The blob of an RSA_4096 private key has the size measured on a real one, give or take what DER varies.
    """
    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="RSA_4096")

    assert abs(len(pair["PrivateKeyCiphertextBlob"]) - 2538) <= 4
    assert load_der_public_key(pair["PublicKey"]).key_size == 4096


def test_seed_format(kms, key):
    """
    The private key of an ML-KEM pair holds the seed, so all parameter sets have keys of one length.
    """
    pairs = [kms.generate_data_key_pair(KeyId=key, KeyPairSpec=f"ML_KEM_{size}") for size in (768, 1024)]

    assert {len(pair["PrivateKeyPlaintext"]) for pair in pairs} == {86}


@pytest.mark.parametrize("method", BOTH)
def test_encryption_context(kms, key, method):
    """
    The private key opens with the encryption context of its making, and with no other.
    """
    pair = getattr(kms, method)(KeyId=key, KeyPairSpec="ECC_NIST_P256", EncryptionContext={"a": "b"})
    blob = pair["PrivateKeyCiphertextBlob"]

    assert code(kms.decrypt, CiphertextBlob=blob, EncryptionContext={"a": "b"}) is None
    assert code(kms.decrypt, CiphertextBlob=blob) == "InvalidCiphertextException"
    assert code(kms.decrypt, CiphertextBlob=blob, EncryptionContext={"a": "c"}) == "InvalidCiphertextException"


@pytest.mark.parametrize("method", BOTH)
def test_material(lab, kms, key, method):
    """
    The answer and the log name the material that encrypted the private key: the newest.
    """
    kms.rotate_key_on_demand(KeyId=key)

    pair = getattr(kms, method)(KeyId=key, KeyPairSpec="ECC_NIST_P256")

    assert pair["KeyMaterialId"] == lab.key(key).materials[1].id == lab.world.log.entry(-1).material
    assert kms.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"])["KeyMaterialId"] == pair["KeyMaterialId"]


@pytest.mark.parametrize("spec", [spec for spec in KINDS if spec != "RSA_2048"])
def test_pairs_differ_and_repeat(spec):
    """
    No two pairs are alike, and the same seed makes the same pairs and the same blobs.
    """

    def pairs(seed):
        kms = Lab(seed=seed).client()
        key = new_key(kms)
        made = [kms.generate_data_key_pair(KeyId=key, KeyPairSpec=spec) for _ in range(2)]
        return [(pair["PrivateKeyPlaintext"], pair["PrivateKeyCiphertextBlob"]) for pair in made]

    one = pairs(1)

    assert one == pairs(1)
    assert len({private for private, _ in one + pairs(2)}) == 4


@pytest.mark.parametrize("dry", [False, True])
@pytest.mark.parametrize("method", BOTH)
@pytest.mark.parametrize("spec", REFUSED)
def test_what_cannot_be_made(kms, key, method, spec, dry):
    """
    SM2 exists in China Regions only, and the lab has no ML-KEM-512: refused, and a dry run says so too.
    """
    error = refusal(getattr(kms, method), KeyId=key, KeyPairSpec=spec, DryRun=dry)

    assert error.code == REFUSED[spec]
    assert spec in error.message


@pytest.mark.parametrize("method", BOTH)
def test_ml_dsa_is_no_pair_spec(kms, key, method):
    """
    AWS makes no ML-DSA data key pairs: the spec is not in the enum.
    """
    assert code(getattr(kms, method), KeyId=key, KeyPairSpec="ML_DSA_44") == "ValidationException"


@pytest.mark.parametrize("method", BOTH)
@pytest.mark.parametrize(
    ("spec", "usage"),
    [("ECC_NIST_P256", "SIGN_VERIFY"), ("HMAC_256", "GENERATE_VERIFY_MAC"), ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE")],
)
def test_usage(kms, method, spec, usage):
    """
    Only a key that encrypts can protect a private key.
    """
    key = new_key(kms, KeySpec=spec, KeyUsage=usage)
    name = "GenerateDataKeyPair" + ("WithoutPlaintext" if method.endswith("plaintext") else "")

    assert answer(getattr(kms, method), KeyId=key, KeyPairSpec="ECC_NIST_P256") == (
        "InvalidKeyUsageException",
        f"{key} key usage is {usage} which is not valid for {name}.",
    )


@pytest.mark.parametrize("method", BOTH)
def test_rsa_does_not_protect_a_pair(kms, rsa_key, method):
    """
    The key must be a symmetric one: RSA's encryption algorithms do not do.
    """
    error = refusal(getattr(kms, method), KeyId=rsa_key(), KeyPairSpec="ECC_NIST_P256")

    assert error.code == "InvalidKeyUsageException"
    assert error.message == "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048."


@pytest.mark.parametrize("dry", [False, True])
@pytest.mark.parametrize("method", BOTH)
@pytest.mark.parametrize("origin", ["AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"])
@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("Enabled", "UnsupportedOperationException"),
        ("Unavailable", "UnsupportedOperationException"),
        ("Disabled", "DisabledException"),
        ("PendingDeletion", "KMSInvalidStateException"),
    ],
)
def test_custom_key_stores(lab, kms, key, method, dry, origin, state, expected):
    """
    A key of a custom key store protects no pairs, connected or not; a state in which nothing works comes first.
    """
    record = lab.key(key)
    record.origin, record.state = origin, state

    error = refusal(getattr(kms, method), KeyId=key, KeyPairSpec="ECC_NIST_P256", DryRun=dry)

    assert error.code == expected
    if expected == "UnsupportedOperationException":
        assert error.message == f"{key} is in a custom key store, which is not valid for this operation."


def test_imported_material_protects_a_pair(lab, kms, key):
    """
    The origin EXTERNAL is no custom key store: such a key protects pairs.
    """
    lab.key(key).origin = "EXTERNAL"

    assert code(kms.generate_data_key_pair, KeyId=key, KeyPairSpec="ECC_NIST_P256") is None
