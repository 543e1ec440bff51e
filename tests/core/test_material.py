"""Key material: what each family's secret is, and that it comes from the entropy given and nothing else."""

import random

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, mlkem
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key
from hypothesis import given, settings
from hypothesis import strategies as st

from kms_lab.core import material
from kms_lab.core.material import generate
from kms_lab.core.specs import SPECS

CURVES = {
    "ECC_NIST_P256": ec.SECP256R1,
    "ECC_NIST_P384": ec.SECP384R1,
    "ECC_NIST_P521": ec.SECP521R1,
    "ECC_SECG_P256K1": ec.SECP256K1,
}
SEEDED = [name for name, row in SPECS.items() if row.family in material.FAMILIES and row.family != "RSA"]


@pytest.mark.parametrize("spec", SEEDED)
def test_reproducible(spec):
    """
    The same random bytes make the same secret, others another.
    """
    one, same, other = (generate(spec, random.Random(seed).randbytes) for seed in (1, 1, 2))

    assert one == same != other


@pytest.mark.parametrize(
    ("spec", "size"), [("SYMMETRIC_DEFAULT", 32)] + [(f"HMAC_{n}", n // 8) for n in (224, 256, 384, 512)]
)
def test_raw_secrets(spec, size):
    """
    Symmetric and HMAC secrets are the random bytes themselves, as many as the spec says.
    """
    assert generate(spec, lambda count: b"r" * count) == b"r" * size


@pytest.mark.parametrize("spec", CURVES)
@settings(max_examples=15)
@given(seed=st.integers(0, 2**64))
def test_curves(spec, seed):
    """
    An elliptic secret is a private key of the spec's own curve, as PKCS#8 DER.
    """
    key = load_der_private_key(generate(spec, random.Random(seed).randbytes), password=None)

    assert isinstance(key.curve, CURVES[spec])


@pytest.mark.parametrize("spec", CURVES)
@pytest.mark.parametrize("byte", [b"\x00", b"\xff"])
def test_extreme_entropy(spec, byte):
    """
    Even the lowest and highest random bytes make a valid private key: the scalar is never zero nor too large.
    """
    key = load_der_private_key(generate(spec, lambda count: byte * count), password=None)

    scalar = key.private_numbers().private_value
    assert 0 < scalar < 2**key.curve.key_size
    ec.derive_private_key(scalar, CURVES[spec]())


def test_edwards():
    """
    An Ed25519 secret is 32 random bytes, as PKCS#8 DER.
    """
    key = load_der_private_key(generate("ECC_NIST_EDWARDS25519", lambda count: b"r" * count), password=None)

    assert isinstance(key, ed25519.Ed25519PrivateKey)
    assert key.private_bytes_raw() == b"r" * 32


@pytest.mark.parametrize("spec", ["RSA_2048", "RSA_3072", "RSA_4096"])
def test_rsa_waits(spec):
    """
    RSA material is left empty until it is needed, and draws no entropy.
    """
    assert generate(spec, lambda count: pytest.fail("RSA takes no seed")) == b""


@pytest.mark.parametrize("spec", [name for name, row in SPECS.items() if not row.family])
def test_families_that_are_not_there(spec):
    """
    A spec without a family cannot be made.
    """
    with pytest.raises(KeyError):
        generate(spec, bytes)


@pytest.mark.parametrize("spec", ["ML_DSA_44", "ML_DSA_65", "ML_DSA_87"])
def test_ml_dsa(spec):
    """
    An ML-DSA secret holds nothing but its seed: 32 random bytes, as PKCS#8 DER.
    """
    secret = generate(spec, lambda count: b"r" * count)
    key = load_der_private_key(secret, password=None)

    assert isinstance(key, getattr(mldsa, f"MLDSA{spec[-2:]}PrivateKey"))
    assert key.private_bytes_raw() == b"r" * 32
    assert len(secret) == 32 + 22


@pytest.mark.parametrize(("spec", "kind"), [("ML_KEM_768", "MLKEM768"), ("ML_KEM_1024", "MLKEM1024")])
def test_ml_kem(spec, kind):
    """
    An ML-KEM secret holds nothing but its seed: 64 random bytes, as PKCS#8 DER.
    """
    secret = generate(spec, lambda count: b"r" * count)
    key = load_der_private_key(secret, password=None)

    assert isinstance(key, getattr(mlkem, f"{kind}PrivateKey"))
    assert key.private_bytes_raw() == b"r" * 64
    assert len(secret) == 64 + 22


def test_prehash_known_answer():
    """
    Ed25519ph signs the message of RFC 8032, 7.3, as it stands there, and accepts that signature only for it.
    """
    seed = bytes.fromhex("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42")
    signature = bytes.fromhex(
        "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
        "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
    )
    secret = generate("ECC_NIST_EDWARDS25519", lambda count: seed)

    assert material.signer(secret, material.ED25519PH, material.DIGEST)(b"abc") == signature
    verify = material.verifier(secret, material.ED25519PH, material.DIGEST)
    assert verify(b"abc", signature)
    assert not verify(b"abd", signature)
    assert not verify(b"abc", signature[:-1])
    assert not verify(b"abc", signature + b"\x00")
    assert not verify(b"abc", bytes(64))


@pytest.mark.parametrize("spec", [name for name in SEEDED if SPECS[name].asymmetric])
def test_public_half(spec):
    """
    The public key given out is the public half of the secret, as SubjectPublicKeyInfo.
    """
    secret = generate(spec, random.Random(1).randbytes)

    assert load_der_public_key(material.public_key(secret)) == load_der_private_key(secret, None).public_key()


def test_families():
    """
    Every spec has a family that can be made, but the two of which no library of ours has the algorithm.
    """
    assert {name for name, row in SPECS.items() if row.family not in material.FAMILIES} == {"ML_KEM_512", "SM2"}
    assert {row.family for row in SPECS.values()} - {""} == material.FAMILIES
