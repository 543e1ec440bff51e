"""How key material comes into KMS: wrapped under a public key that KMS gave out together with a token.

The token is where KMS keeps the private half: it is sealed with a secret of the world, and belongs to one key. So
nothing has to be remembered of wrapping keys that nobody comes back with. The layout is the lab's own, since AWS's is
not documented::

     0   9  magic, b"kms_token"
     9  12  nonce
    21   8  when the token expires, microseconds since 1970     ┐
    29   1  number of the wrapping algorithm in ``ALGORITHMS``  │ AES-256-GCM; the key's ARN
    30   1  number of the wrapping key's spec                   │ is authenticated with it
    31   …  private wrapping key, PKCS#8 DER                    ┘
     …  16  tag

Source: AWS KMS Developer Guide, "Importing key material": "Select a wrapping algorithm", "Requirements for imported key
material"; RFC 8017 (OAEP), RFC 5649 (AES key wrap with padding).
"""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from cryptography.exceptions import InvalidTag

from kms_lab.core import material
from kms_lab.core.material import NONCE_BYTES, Undecryptable
from kms_lab.core.specs import SPECS

MAGIC = b"kms_token"
OAEP = ("RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1")
AES_KEY_WRAP = ("RSA_AES_KEY_WRAP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1")
#: a token names algorithm and spec by their places here, so the order never changes
ALGORITHMS = OAEP + AES_KEY_WRAP
WRAPPING_KEY_SPECS = ("RSA_2048", "RSA_3072", "RSA_4096")

#: which wrapping algorithms take which family; material of other families cannot be imported
_TAKES = {
    "AES": OAEP,
    "HMAC": OAEP,
    "RSA": AES_KEY_WRAP,
    "EC": ALGORITHMS,
    "ED25519": ALGORITHMS,
}
_SYMMETRIC_BYTES = 32
_HMAC_MOST_BYTES = 128  # 1,024 bits
_WRAPPING_AES_BYTES = 32
_KEY_AT = 10

_CURVES = {
    "secp256r1": "ECC_NIST_P256",
    "secp384r1": "ECC_NIST_P384",
    "secp521r1": "ECC_NIST_P521",
    "secp256k1": "ECC_SECG_P256K1",
}


class UnsoundToken(Exception):
    """The token is damaged, of another key, or was never one."""


class UnfitMaterial(Exception):
    """The bytes are no key of the spec that they are meant for."""


class Token(NamedTuple):
    """An import token, opened.

    Attributes:
        expires_us: when it stops being valid.
        algorithm, wrapping_spec: what was asked for.
        private: the private wrapping key, PKCS#8 DER.
    """

    expires_us: int
    algorithm: str
    wrapping_spec: str
    private: bytes


def importable(spec: str) -> bool:
    """Can material for this key spec be imported?"""
    return SPECS[spec].family in _TAKES


def suits(spec: str, algorithm: str, wrapping_spec: str) -> bool:
    """Can material for a key spec be wrapped so?

    >>> suits("RSA_2048", "RSAES_OAEP_SHA_256", "RSA_4096")
    False
    """
    if wrapping_spec not in WRAPPING_KEY_SPECS or algorithm not in _TAKES.get(SPECS[spec].family, ()):
        return False
    # a private key of P-521 is larger than OAEP under 2,048 bits takes
    return not (spec == "ECC_NIST_P521" and algorithm in OAEP and wrapping_spec == "RSA_2048")


def material_id(key_id: str, secret: bytes) -> str:
    """Return the ``KeyMaterialId`` of imported material: the same for the same bytes in a key and its replicas."""
    return hashlib.sha256(b"kms_lab import\0" + key_id.encode() + b"\0" + secret).hexdigest()


def seal(token: Token, secret: bytes, key_arn: str, entropy: Callable[[int], bytes]) -> bytes:
    """Return the token as bytes; only who has ``secret`` can open it, and only for the same key."""
    nonce = entropy(NONCE_BYTES)
    numbers = bytes([ALGORITHMS.index(token.algorithm), WRAPPING_KEY_SPECS.index(token.wrapping_spec)])
    inside = token.expires_us.to_bytes(8, "big") + numbers + token.private
    return MAGIC + nonce + material.aes(secret).encrypt(nonce, inside, MAGIC + key_arn.encode())


def open_token(data: bytes, secret: bytes, key_arn: str) -> Token:
    """Return what ``seal`` sealed.

    Raises:
        UnsoundToken: a bit of it is not as it was, or it is another key's.
    """
    start = len(MAGIC) + NONCE_BYTES
    if not secret or not data.startswith(MAGIC):
        raise UnsoundToken
    try:
        inside = material.aes(secret).decrypt(data[len(MAGIC) : start], data[start:], MAGIC + key_arn.encode())
    except (InvalidTag, ValueError):  # ValueError: too short to have a nonce
        raise UnsoundToken from None
    expires_us = int.from_bytes(inside[:8], "big")
    return Token(expires_us, ALGORITHMS[inside[8]], WRAPPING_KEY_SPECS[inside[9]], inside[_KEY_AT:])


def rsa_bytes(token: Token) -> int:
    """Return how many bytes something encrypted with the token's public key has."""
    return int(token.wrapping_spec.removeprefix("RSA_")) // 8


def unwrap(token: Token, data: bytes) -> bytes:
    """Return the material that was wrapped under a token's public key.

    Raises:
        Undecryptable: damaged, or wrapped under another key or by another algorithm.
    """
    if token.algorithm in OAEP:
        return material.oaep_decrypt(token.private, token.algorithm, data)
    from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding

    cut = rsa_bytes(token)
    wrapping_key = material.oaep_decrypt(token.private, token.algorithm, data[:cut])
    if len(wrapping_key) != _WRAPPING_AES_BYTES:
        raise Undecryptable
    try:
        return aes_key_unwrap_with_padding(wrapping_key, data[cut:])
    except InvalidUnwrap:
        raise Undecryptable from None


def accept(spec: str, secret: bytes) -> bytes:
    """Return material as the lab keeps it: raw bytes, or a private key in the one way in which it is written.

    Raises:
        UnfitMaterial: too long, too short, not PKCS#8, or a key of another spec.
    """
    match SPECS[spec].family:
        case "AES":
            fits = len(secret) == _SYMMETRIC_BYTES
        case "HMAC":
            fits = int(spec.removeprefix("HMAC_")) // 8 <= len(secret) <= _HMAC_MOST_BYTES
        case _:
            return _accept_private_key(spec, secret)
    if not fits:
        raise UnfitMaterial
    return secret


def _accept_private_key(spec: str, secret: bytes) -> bytes:
    from cryptography.exceptions import InternalError, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_der_private_key,
    )

    if not _is_pkcs8(secret):
        raise UnfitMaterial
    try:
        key = load_der_private_key(secret, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError):  # InternalError: Ed448 of a wrong length
        raise UnfitMaterial from None
    if _spec_of(key) != spec:
        raise UnfitMaterial
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _is_pkcs8(der: bytes) -> bool:
    """Is it a SEQUENCE of a version number and another SEQUENCE? Older forms of private keys go on otherwise."""
    if len(der) < 2 or der[0] != 0x30:
        return False
    content = 2 if der[1] < 0x80 else 2 + (der[1] & 0x7F)
    return der[content : content + 2] == b"\x02\x01" and der[content + 3 : content + 4] == b"\x30"


def _spec_of(key: object) -> str | None:
    """Return the key spec that a private key is of; None for none of AWS's."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    match key:
        case rsa.RSAPrivateKey():
            return f"RSA_{key.key_size}"
        case ec.EllipticCurvePrivateKey():
            return _CURVES.get(key.curve.name)
        case ed25519.Ed25519PrivateKey():
            return "ECC_NIST_EDWARDS25519"
    return None
