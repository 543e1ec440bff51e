"""The key-spec table: one row for each KeySpec of AWS's model, and nothing about key specs anywhere else.

Source: botocore's KMS model; AWS KMS Developer Guide, "Key spec reference".
OAEP's limit is key bytes - 2 x hash bytes - 2 (RFC 8017); the results are the numbers AWS prints.
"""

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

ENCRYPT_DECRYPT: Final = "ENCRYPT_DECRYPT"
SIGN_VERIFY: Final = "SIGN_VERIFY"
GENERATE_VERIFY_MAC: Final = "GENERATE_VERIFY_MAC"
KEY_AGREEMENT: Final = "KEY_AGREEMENT"
ENCAPSULATE_DECAPSULATE: Final = "ENCAPSULATE_DECAPSULATE"


@dataclass(frozen=True, slots=True)
class KeySpec:
    """One kind of key.

    Attributes:
        family: which functions of ``material`` handle it; "" where the lab has none yet.
        algorithms: by usage, the algorithms that fit.
        max_plaintext: bytes that one Encrypt takes, by algorithm.
        price: request class on the bill: ``standard``, ``rsa2048`` or ``asymmetric``.
        quota: request quota group.
    """

    name: str
    family: str
    algorithms: dict[str, tuple[str, ...]]
    price: str = "asymmetric"
    quota: str = ""
    max_plaintext: dict[str, int] = field(default_factory=dict)

    @property
    def symmetric(self) -> bool:
        """Is it a symmetric *encryption* key, the kind that rotates and that integrated services use?"""
        return self.family == "AES"

    @property
    def asymmetric(self) -> bool:
        return self.family not in ("AES", "HMAC")

    @property
    def usages(self) -> tuple[str, ...]:
        return tuple(self.algorithms)


_RSA_SIGN = tuple(f"RSASSA_{scheme}_SHA_{bits}" for scheme in ("PSS", "PKCS1_V1_5") for bits in ("256", "384", "512"))
_OAEP = {"RSAES_OAEP_SHA_1": 20, "RSAES_OAEP_SHA_256": 32}


def _rsa(bits: int) -> KeySpec:
    return KeySpec(
        f"RSA_{bits}",
        "RSA",
        {ENCRYPT_DECRYPT: tuple(_OAEP), SIGN_VERIFY: _RSA_SIGN},
        price="rsa2048" if bits == 2048 else "asymmetric",
        quota="rsa",
        max_plaintext={name: bits // 8 - 2 * digest - 2 for name, digest in _OAEP.items()},
    )


def _ecc(name: str, hash_bits: int, usages: tuple[str, ...] = (SIGN_VERIFY, KEY_AGREEMENT)) -> KeySpec:
    by_usage = {SIGN_VERIFY: (f"ECDSA_SHA_{hash_bits}",), KEY_AGREEMENT: ("ECDH",)}
    return KeySpec(name, "EC", {usage: by_usage[usage] for usage in usages}, quota="ecc")


def _hmac(bits: int) -> KeySpec:
    return KeySpec(
        f"HMAC_{bits}",
        "HMAC",
        {GENERATE_VERIFY_MAC: (f"HMAC_SHA_{bits}",)},
        price="standard",
        quota="symmetric",
    )


def _ml_kem(size: int, family: str = "ML-KEM") -> KeySpec:
    return KeySpec(f"ML_KEM_{size}", family, {ENCAPSULATE_DECAPSULATE: ("ML_KEM",)}, quota="ml-kem")


_ROWS = (
    KeySpec(
        "SYMMETRIC_DEFAULT",
        "AES",
        {ENCRYPT_DECRYPT: ("SYMMETRIC_DEFAULT",)},
        price="standard",
        quota="symmetric",
        max_plaintext={"SYMMETRIC_DEFAULT": 4096},
    ),
    *map(_rsa, (2048, 3072, 4096)),
    _ecc("ECC_NIST_P256", 256),
    _ecc("ECC_NIST_P384", 384),
    _ecc("ECC_NIST_P521", 512),
    _ecc("ECC_SECG_P256K1", 256, (SIGN_VERIFY,)),
    KeySpec(
        "ECC_NIST_EDWARDS25519",
        "ED25519",
        {SIGN_VERIFY: ("ED25519_SHA_512", "ED25519_PH_SHA_512")},
        quota="ecc",
    ),
    *map(_hmac, (224, 256, 384, 512)),
    *(KeySpec(f"ML_DSA_{n}", "ML-DSA", {SIGN_VERIFY: ("ML_DSA_SHAKE_256",)}, quota="ml-dsa") for n in (44, 65, 87)),
    _ml_kem(512, family=""),  # no library of ours has this parameter set
    _ml_kem(768),
    _ml_kem(1024),
    KeySpec(
        "SM2",  # China Regions only; no library of ours has it
        "",
        {ENCRYPT_DECRYPT: ("SM2PKE",), SIGN_VERIFY: ("SM2DSA",), KEY_AGREEMENT: ("ECDH",)},
        quota="ecc",
        max_plaintext={"SM2PKE": 1024},
    ),
)

SPECS = MappingProxyType({row.name: row for row in _ROWS})
