"""Key pairs for use outside KMS: GenerateDataKeyPair, GenerateDataKeyPairWithoutPlaintext."""

from collections.abc import Mapping, Sequence
from typing import Any

from kms_lab.core import material
from kms_lab.core.ciphertext import seal
from kms_lab.core.specs import ENCRYPT_DECRYPT
from kms_lab.service.operation import KEY_OR_ALIAS, PAIR_SPEC, Call, Response, operation
from kms_lab.service.operations.keys import accept_makeable
from kms_lab.service.states import NOTES, PAIR

Context = Mapping[str, str]


def _accept(call: Call) -> None:
    """Refuse a key of a custom key store, and a pair that the lab cannot make."""
    key = call.key
    if key.origin not in ("AWS_KMS", "EXTERNAL"):
        # after the state: AWS's table answers note 1 for a disabled key, without note 7
        note = NOTES[7]
        raise note.error(f"{key.arn} {note.text}", origin=key.origin)
    accept_makeable(call.params["KeyPairSpec"])


_ROW = {
    "target": KEY_OR_ALIAS,
    "states": PAIR,
    "usage": ENCRYPT_DECRYPT,
    "trial": _accept,
    "cross_account": True,
    "quota": PAIR_SPEC,
    "price": PAIR_SPEC,
    "shown": ("KeyId", "KeyPairSpec"),
}


@operation(permission="kms:GenerateDataKeyPair", source="AWS KMS API Reference, GenerateDataKeyPair", **_ROW)  # type: ignore[arg-type]
def generate_data_key_pair(
    call: Call,
    *,
    KeyId: str,
    KeyPairSpec: str,
    EncryptionContext: Context | None = None,
    GrantTokens: Sequence[str] = (),
    Recipient: Mapping[str, Any] | None = None,
    DryRun: bool = False,
) -> Response:
    """Return a new key pair: the public key, and the private key twice, in the clear and under the KMS key.

    The pair is yours: KMS does not keep it, and does not watch how it is used.
    """
    return _pair(call, KeyPairSpec, EncryptionContext, with_plaintext=True)


@operation(
    permission="kms:GenerateDataKeyPairWithoutPlaintext",
    source="AWS KMS API Reference, GenerateDataKeyPairWithoutPlaintext",
    **_ROW,  # type: ignore[arg-type]
)
def generate_data_key_pair_without_plaintext(
    call: Call,
    *,
    KeyId: str,
    KeyPairSpec: str,
    EncryptionContext: Context | None = None,
    GrantTokens: Sequence[str] = (),
    DryRun: bool = False,
) -> Response:
    """Return a new key pair, its private key under the KMS key only, for somebody who decrypts or signs later."""
    return _pair(call, KeyPairSpec, EncryptionContext, with_plaintext=False)


def _pair(call: Call, spec: str, context: Context | None, *, with_plaintext: bool) -> Response:
    _accept(call)
    key, take = call.key, call.world.entropy.take
    private = material.generate(spec, take) or material.new_rsa(spec)
    used = key.current
    call.material = used.id
    response: Response = {
        "PrivateKeyCiphertextBlob": seal(key.id, key.account, used.id, used.secret, private, context, take),
        "PublicKey": material.public_key(private),
        "KeyId": key.arn,
        "KeyPairSpec": spec,
        "KeyMaterialId": used.id,
    }
    if with_plaintext:
        response["PrivateKeyPlaintext"] = private
    return response
