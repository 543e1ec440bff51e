"""What only a key pair can do: GetPublicKey, Sign, Verify, DeriveSharedSecret, Encapsulate, Decapsulate.

Encrypt and Decrypt with RSA are in ``crypto``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from kms_lab.core import material
from kms_lab.core.errors import (
    InvalidCiphertextException,
    KMSInvalidSignatureException,
    UnsupportedOperationException,
    ValidationException,
)
from kms_lab.core.keys import Key
from kms_lab.core.material import DIGEST, ED25519PH, EXTERNAL_MU, RAW, Undecryptable, UnusablePeer
from kms_lab.core.specs import ENCAPSULATE_DECAPSULATE, KEY_AGREEMENT, SIGN_VERIFY, SPECS
from kms_lab.core.world import secret_of
from kms_lab.service.operation import KEY_OR_ALIAS, KEY_SPEC, Call, Response, operation
from kms_lab.service.operations.keys import spec_members
from kms_lab.service.states import NOTES, PUBLIC, USE

_ANY_LENGTH = 0
#: how many bytes the message must have, by algorithm and message type; pairs that are not here do not go together
_MESSAGE_BYTES: dict[tuple[str, str], int] = {
    **{(name, RAW): _ANY_LENGTH for spec in SPECS.values() for name in spec.algorithms.get(SIGN_VERIFY, ())},
    **{
        (name, DIGEST): int(name.rpartition("_")[2]) // 8
        for spec in SPECS.values()
        if spec.family in ("RSA", "EC")
        for name in spec.algorithms.get(SIGN_VERIFY, ())
    },
    (ED25519PH, DIGEST): 64,
    ("ML_DSA_SHAKE_256", EXTERNAL_MU): 64,
}
del _MESSAGE_BYTES[ED25519PH, RAW]


def _has_public_key(call: Call) -> None:
    """A symmetric or HMAC key has none. The text is empty, as somebody's trial against AWS in 2026 found it.

    # unverified: that this comes before the state
    """
    if not SPECS[call.key.spec].asymmetric:
        raise UnsupportedOperationException(spec=call.key.spec)


@operation(
    permission="kms:GetPublicKey",
    target=KEY_OR_ALIAS,
    kind=_has_public_key,
    states=PUBLIC,
    cross_account=True,
    quota=2000,
    price=KEY_SPEC,
    shown=("KeyId",),
    source="AWS KMS API Reference, GetPublicKey",
)
def get_public_key(call: Call, *, KeyId: str, GrantTokens: Sequence[str] = ()) -> Response:
    """Return the public half of a key pair (DER SubjectPublicKeyInfo), for use outside KMS.

    A disabled key gives it too: what is public cannot be called back.
    """
    key = call.key
    return {"KeyId": key.arn, "PublicKey": material.public_key(_secret(key)), **spec_members(key)}


def _accept_message(call: Call) -> None:
    """Refuse a message type that the algorithm does not take, and a digest of the wrong length.

    Texts: for digests and for Ed25519 recorded; for ML-DSA recorded with DIGEST. Sign and Verify answer alike.
    """
    params = call.params
    algorithm, kind = params["SigningAlgorithm"], params.get("MessageType") or RAW
    wanted = _MESSAGE_BYTES.get((algorithm, kind))
    if wanted == _ANY_LENGTH:
        return
    if wanted is None:
        # unverified: EXTERNAL_MU with RSA and elliptic curves
        culprit = f"algorithm {algorithm}" if algorithm.startswith("ED25519") else f"key spec {call.key.spec}"
        raise ValidationException(f"Message type {kind} is incompatible with {culprit}.")
    if len(params["Message"]) != wanted:
        # unverified: that EXTERNAL_MU of another length has the same sentence
        raise ValidationException(f"Digest is invalid length for algorithm {algorithm}.", wanted=wanted)


_SIGNING = {
    "target": KEY_OR_ALIAS,
    "states": USE,
    "usage": SIGN_VERIFY,
    "algorithm": "SigningAlgorithm",
    "trial": _accept_message,
    "cross_account": True,
    "quota": KEY_SPEC,
    "price": KEY_SPEC,
    "shown": ("KeyId", "MessageType", "SigningAlgorithm"),
}


@operation(permission="kms:Sign", source="AWS KMS API Reference, Sign", **_SIGNING)  # type: ignore[arg-type]
def sign(
    call: Call,
    *,
    KeyId: str,
    Message: bytes,
    SigningAlgorithm: str,
    MessageType: str = RAW,
    GrantTokens: Sequence[str] = (),
    DryRun: bool = False,
) -> Response:
    """Sign a message of up to 4,096 bytes, or the digest of a longer one, with a private key that never leaves KMS."""
    _accept_message(call)
    signature = material.signer(_secret(call.key), SigningAlgorithm, MessageType)(Message)
    return {"KeyId": call.key.arn, "Signature": signature, "SigningAlgorithm": SigningAlgorithm}


@operation(permission="kms:Verify", source="AWS KMS API Reference, Verify", **_SIGNING)  # type: ignore[arg-type]
def verify(
    call: Call,
    *,
    KeyId: str,
    Message: bytes,
    Signature: bytes,
    SigningAlgorithm: str,
    MessageType: str = RAW,
    GrantTokens: Sequence[str] = (),
    DryRun: bool = False,
) -> Response:
    """Check a signature. It never answers false: a wrong signature is KMSInvalidSignatureException."""
    _accept_message(call)
    if not material.verifier(_secret(call.key), SigningAlgorithm, MessageType)(Message, Signature):
        raise KMSInvalidSignatureException()
    return {"KeyId": call.key.arn, "SignatureValid": True, "SigningAlgorithm": SigningAlgorithm}


def _agree(call: Call) -> bytes:
    try:
        return material.agree(_secret(call.key), call.params["PublicKey"])
    except UnusablePeer:
        # recorded for garbage, with no text; unverified: the same for a key of another curve
        raise ValidationException() from None


def _try_agree(call: Call) -> None:
    _agree(call)


@operation(
    permission="kms:DeriveSharedSecret",
    target=KEY_OR_ALIAS,
    states=USE,
    usage=KEY_AGREEMENT,
    algorithm="KeyAgreementAlgorithm",
    trial=_try_agree,
    cross_account=True,
    quota=KEY_SPEC,
    price=KEY_SPEC,
    shown=("KeyAgreementAlgorithm", "KeyId"),
    source="AWS KMS API Reference, DeriveSharedSecret",
)
def derive_shared_secret(
    call: Call,
    *,
    KeyId: str,
    KeyAgreementAlgorithm: str,
    PublicKey: bytes,
    GrantTokens: Sequence[str] = (),
    DryRun: bool = False,
    Recipient: Mapping[str, Any] | None = None,
) -> Response:
    """Return the secret that this key and a peer's public key share. It is raw: derive a key from it before use."""
    key = call.key
    return {
        "KeyId": key.arn,
        "SharedSecret": _agree(call),
        "KeyAgreementAlgorithm": KeyAgreementAlgorithm,
        "KeyOrigin": key.origin,
    }


_ENCAPSULATION = {
    "target": KEY_OR_ALIAS,
    "states": USE,  # unverified: AWS's key-state table is older than the operation; its errors are those of Sign
    "usage": ENCAPSULATE_DECAPSULATE,
    "algorithm": "EncapsulationAlgorithm",
    "cross_account": True,
    "quota": KEY_SPEC,
    "price": KEY_SPEC,
    "shown": ("EncapsulationAlgorithm", "KeyId"),
}


@operation(permission="kms:Encapsulate", source="AWS KMS API Reference, Encapsulate", **_ENCAPSULATION)  # type: ignore[arg-type]
def encapsulate(
    call: Call,
    *,
    KeyId: str,
    EncapsulationAlgorithm: str,
    GrantTokens: Sequence[str] = (),
    DryRun: bool = False,
) -> Response:
    """Return a new 32-byte secret twice: in the clear, and in a form that only the private key opens."""
    shared, ciphertext = material.encapsulate(_secret(call.key))
    return {
        "KeyId": call.key.arn,
        "SharedSecret": shared,
        "SharedSecretCiphertextBlob": ciphertext,
        "EncapsulationAlgorithm": EncapsulationAlgorithm,
    }


def _decapsulate(call: Call) -> bytes:
    try:
        return material.decapsulate(_secret(call.key), call.params["SharedSecretCiphertextBlob"])
    except Undecryptable:
        raise InvalidCiphertextException from None


def _try_decapsulate(call: Call) -> None:
    _decapsulate(call)


@operation(
    permission="kms:Decapsulate",
    trial=_try_decapsulate,
    source="AWS KMS API Reference, Decapsulate",
    **_ENCAPSULATION,  # type: ignore[arg-type]
)
def decapsulate(
    call: Call,
    *,
    KeyId: str,
    SharedSecretCiphertextBlob: bytes,
    EncapsulationAlgorithm: str,
    GrantTokens: Sequence[str] = (),
    DryRun: bool = False,
) -> Response:
    """Recover an encapsulated secret. A wrong ciphertext of the right length gives another secret, and no error."""
    return {
        "KeyId": call.key.arn,
        "SharedSecret": _decapsulate(call),
        "EncapsulationAlgorithm": EncapsulationAlgorithm,
    }


def _secret(key: Key) -> bytes:
    """Return the private key. Only GetPublicKey gets here with a key that waits for its material.

    AWS's key-state table says ok, and AWS may well keep the public key of material that is gone; the lab does not.
    # unverified: AWS's answer before the first import, when there is nothing to give
    """
    secret = secret_of(key, key.current) if key.materials else b""
    if not secret:
        note = NOTES[5]
        raise note.error(f"{key.arn} {note.text}", state=key.state)
    return secret
