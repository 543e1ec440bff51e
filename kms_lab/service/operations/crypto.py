"""Cryptography with symmetric and RSA keys: Encrypt, Decrypt, ReEncrypt, the data keys, GenerateRandom."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kms_lab.core import material
from kms_lab.core.ciphertext import Blob, open_blob, seal
from kms_lab.core.errors import (
    InvalidCiphertextException,
    ValidationException,
)
from kms_lab.core.keys import Key, KeyMaterial
from kms_lab.core.material import Undecryptable
from kms_lab.core.specs import ENCRYPT_DECRYPT, SPECS
from kms_lab.core.stores import EXTERNAL_KEY_STORE
from kms_lab.core.world import secret_of
from kms_lab.service import backing, resolve
from kms_lab.service.operation import (
    KEY_OR_ALIAS,
    KEY_SPEC,
    NO_KEY,
    SYMMETRIC,
    Call,
    Check,
    Response,
    operation,
)
from kms_lab.service.states import USE, refusal

Context = Mapping[str, str]
_AES = "SYMMETRIC_DEFAULT"


def _try_encrypt(call: Call) -> None:
    params = call.params
    algorithm = params.get("EncryptionAlgorithm", _AES)
    if algorithm != _AES:
        _accept_rsa(call.key, params["Plaintext"], params.get("EncryptionContext"), algorithm)


@operation(
    permission="kms:Encrypt",
    target=KEY_OR_ALIAS,
    states=USE,
    usage=ENCRYPT_DECRYPT,
    algorithm="EncryptionAlgorithm",
    trial=_try_encrypt,
    cross_account=True,
    quota=KEY_SPEC,
    price=KEY_SPEC,
    shown=("EncryptionAlgorithm", "KeyId"),
    source="AWS KMS API Reference, Encrypt",
)
def encrypt(
    call: Call,
    *,
    KeyId: str,
    Plaintext: bytes,
    EncryptionContext: Context | None = None,
    EncryptionAlgorithm: str = _AES,
    GrantTokens: Sequence[str] = (),
    DryRun: bool = False,
) -> Response:
    """Encrypt up to 4,096 bytes under a KMS key; RSA keys take less.

    For more, generate a data key and encrypt locally: see ``kms_lab.envelope``.
    """
    blob = _encrypt(call, call.key, Plaintext, EncryptionContext, EncryptionAlgorithm)
    return {"CiphertextBlob": blob, "KeyId": call.key.arn, "EncryptionAlgorithm": EncryptionAlgorithm}


@operation(
    permission="kms:Decrypt",
    target=resolve.ciphertext,
    states=USE,
    usage=ENCRYPT_DECRYPT,
    algorithm="EncryptionAlgorithm",
    cross_account=True,
    quota=KEY_SPEC,
    price=KEY_SPEC,
    shown=("EncryptionAlgorithm", "KeyId"),
    source="AWS KMS API Reference, Decrypt",
)
def decrypt(
    call: Call,
    *,
    CiphertextBlob: bytes,
    EncryptionContext: Context | None = None,
    GrantTokens: Sequence[str] = (),
    KeyId: str | None = None,
    EncryptionAlgorithm: str = _AES,
    Recipient: Mapping[str, Any] | None = None,
    DryRun: bool = False,
    DryRunModifiers: Sequence[str] = (),
) -> Response:
    """Decrypt what a KMS key encrypted. Symmetric ciphertext names its key, so KeyId may be left out."""
    plaintext, used = _decrypt(call, call.key, CiphertextBlob, EncryptionContext, EncryptionAlgorithm)
    response: Response = {
        "KeyId": call.key.arn,
        "Plaintext": plaintext,
        "EncryptionAlgorithm": EncryptionAlgorithm,
    }
    if EncryptionAlgorithm == _AES:
        response["KeyMaterialId"] = call.material = used.id
    return response


def _source_and_destination(call: Call) -> None:
    params = call.params
    source, call.blob = resolve.opener(
        call,
        params.get("CiphertextBlob"),
        params.get("SourceKeyId"),
        params.get("SourceEncryptionAlgorithm", _AES),
        "kms:ReEncryptFrom",
    )
    call.key = resolve.find(call, params["DestinationKeyId"])
    call.source_key = source


def _from_and_to(call: Call) -> Iterable[Check]:
    source, destination = call.source_key, call.key
    assert source is not None
    yield "kms:ReEncryptFrom", source.arn, source.account, source
    yield "kms:ReEncryptTo", destination.arn, destination.account, destination


def _both_states(call: Call) -> None:
    """ReEncrypt's source must be usable too; the row's own state gate looks at the destination."""
    assert call.source_key is not None
    error = refusal(call.row.states, call.source_key)
    if error is not None:
        raise error


@operation(
    permission="kms:ReEncryptTo",
    target=_source_and_destination,
    checks=_from_and_to,
    kind=_both_states,
    states=USE,
    usage=ENCRYPT_DECRYPT,
    algorithm="DestinationEncryptionAlgorithm",
    cross_account=True,
    quota=KEY_SPEC,
    price=KEY_SPEC,
    shown=(
        "DestinationEncryptionAlgorithm", "DestinationEncryptionContext", "DestinationKeyId",
        "SourceEncryptionAlgorithm", "SourceEncryptionContext", "SourceKeyId",
    ),
    source="AWS KMS API Reference, ReEncrypt",
)  # fmt: skip
def re_encrypt(
    call: Call,
    *,
    CiphertextBlob: bytes,
    DestinationKeyId: str,
    SourceEncryptionContext: Context | None = None,
    SourceKeyId: str | None = None,
    DestinationEncryptionContext: Context | None = None,
    SourceEncryptionAlgorithm: str = _AES,
    DestinationEncryptionAlgorithm: str = _AES,
    GrantTokens: Sequence[str] = (),
    DryRun: bool = False,
    DryRunModifiers: Sequence[str] = (),
) -> Response:
    """Decrypt and encrypt again inside KMS: another key, the newest material, or another context.

    No plaintext leaves.
    """
    source, destination = call.source_key, call.key
    assert source is not None
    plaintext, used = _decrypt(call, source, CiphertextBlob, SourceEncryptionContext, SourceEncryptionAlgorithm)
    blob = _encrypt(call, destination, plaintext, DestinationEncryptionContext, DestinationEncryptionAlgorithm)
    response: Response = {
        "CiphertextBlob": blob,
        "SourceKeyId": source.arn,
        "KeyId": destination.arn,
        "SourceEncryptionAlgorithm": SourceEncryptionAlgorithm,
        "DestinationEncryptionAlgorithm": DestinationEncryptionAlgorithm,
    }
    call.more = {"source_key": source.arn}
    if SourceEncryptionAlgorithm == _AES:
        response["SourceKeyMaterialId"] = call.more["source_material"] = used.id
    if DestinationEncryptionAlgorithm == _AES:
        response["DestinationKeyMaterialId"] = call.material = destination.current.id
    return response


def _try_data_key(call: Call) -> None:
    _length(call.params.get("NumberOfBytes"), call.params.get("KeySpec"))


_DATA_KEY = {
    "target": KEY_OR_ALIAS,
    "states": USE,
    "usage": ENCRYPT_DECRYPT,
    "trial": _try_data_key,
    "cross_account": True,
    "quota": SYMMETRIC,
    "shown": ("KeyId", "KeySpec", "NumberOfBytes"),
}


@operation(permission="kms:GenerateDataKey", source="AWS KMS API Reference, GenerateDataKey", **_DATA_KEY)  # type: ignore[arg-type]
def generate_data_key(
    call: Call,
    *,
    KeyId: str,
    EncryptionContext: Context | None = None,
    NumberOfBytes: int | None = None,
    KeySpec: str | None = None,
    GrantTokens: Sequence[str] = (),
    Recipient: Mapping[str, Any] | None = None,
    DryRun: bool = False,
) -> Response:
    """Return a new data key twice: in the clear, to encrypt with now, and under the KMS key, to keep."""
    return _data_key(call, EncryptionContext, _length(NumberOfBytes, KeySpec), with_plaintext=True)


@operation(
    permission="kms:GenerateDataKeyWithoutPlaintext",
    source="AWS KMS API Reference, GenerateDataKeyWithoutPlaintext",
    **_DATA_KEY,  # type: ignore[arg-type]
)
def generate_data_key_without_plaintext(
    call: Call,
    *,
    KeyId: str,
    EncryptionContext: Context | None = None,
    KeySpec: str | None = None,
    NumberOfBytes: int | None = None,
    GrantTokens: Sequence[str] = (),
    DryRun: bool = False,
) -> Response:
    """Return a new data key under the KMS key only, for somebody who encrypts later."""
    return _data_key(call, EncryptionContext, _length(NumberOfBytes, KeySpec), with_plaintext=False)


@operation(
    permission="kms:GenerateRandom",
    target=NO_KEY,
    quota=SYMMETRIC,
    shown=(),
    source="AWS KMS API Reference, GenerateRandom",
)
def generate_random(
    call: Call,
    *,
    NumberOfBytes: int | None = None,
    CustomKeyStoreId: str | None = None,
    Recipient: Mapping[str, Any] | None = None,
) -> Response:
    """Return 1 to 1,024 random bytes. No key is involved.

    With a CloudHSM key store the bytes come from its cluster; the lab's stand-in draws them where KMS does.
    """
    if NumberOfBytes is None:
        raise ValidationException("NumberOfBytes is required.")
    if CustomKeyStoreId is not None:
        backing.can_draw_random(call.world, call.world.shelf(call.principal.account, call.region), CustomKeyStoreId)
    return {"Plaintext": call.world.entropy.take(NumberOfBytes)}


# ------------------------------------------------------------------------------ what they share


def _encrypt(call: Call, key: Key, plaintext: bytes, context: Context | None, algorithm: str) -> bytes:
    if algorithm == _AES:
        secret = _current_secret(call, key)
        return seal(key.id, key.account, key.current.id, secret, plaintext, context, call.world.entropy.take)
    _accept_rsa(key, plaintext, context, algorithm)
    return material.oaep_encrypt(secret_of(key, key.current), algorithm, plaintext)


def _current_secret(call: Call, key: Key) -> bytes:
    """Return what encrypts under a symmetric key now, and note for the log which material that is.

    Raises:
        KMSInvalidStateException: what a custom key store keeps cannot be reached.
    """
    call.material = key.current.id
    return backing.secret_of_stored(call.world, key) if key.store_id else key.current.secret


def _accept_rsa(key: Key, plaintext: bytes, context: Context | None, algorithm: str) -> None:
    """Refuse an encryption context, and more bytes than OAEP takes."""
    _no_context(context)
    limit = SPECS[key.spec].max_plaintext[algorithm]
    if len(plaintext) > limit:
        # the limits, and that algorithm and spec are named, are recorded; the sentence as other simulators quote it
        raise ValidationException(
            f"Algorithm {algorithm} and key spec {key.spec} cannot encrypt data larger than {limit} bytes."
        )


def _no_context(context: Context | None) -> None:
    if context:
        # unverified: wording; that asymmetric keys take no encryption context is AWS's rule
        raise ValidationException("An encryption context can be used with symmetric encryption KMS keys only.")


def _decrypt(call: Call, key: Key, data: bytes, context: Context | None, algorithm: str) -> tuple[bytes, KeyMaterial]:
    """Return the plaintext and the material that opened it.

    Raises:
        InvalidCiphertextException: damaged or another context; AWS does not say which.
        KMSInvalidStateException: the same under an external key; or what a custom key store keeps cannot be reached.
    """
    try:
        if algorithm != _AES:
            _no_context(context)
            return material.oaep_decrypt(secret_of(key, key.current), algorithm, data), key.current
        if call.blob is None:
            raise Undecryptable
        used = _material(key, call.blob)
        secret = backing.secret_of_stored(call.world, key) if key.store_id else used.secret
        return open_blob(call.blob, secret, context), used
    except Undecryptable:
        if call.blob is not None and key.origin == EXTERNAL_KEY_STORE:
            raise backing.unopened() from None
        raise InvalidCiphertextException from None


def _material(key: Key, blob: Blob) -> KeyMaterial:
    current = key.materials[-1]
    if current.id == blob.material_id:
        return current
    for one in key.materials:
        if one.id == blob.material_id:
            return one
    raise Undecryptable


def _length(number_of_bytes: int | None, spec: str | None) -> int:
    if (number_of_bytes is None) == (spec is None):
        # the sentence as several independent simulators quote it
        raise ValidationException("Please specify either number of bytes or key spec.")
    return number_of_bytes if number_of_bytes is not None else 32 if spec == "AES_256" else 16


def _data_key(call: Call, context: Context | None, length: int, *, with_plaintext: bool) -> Response:
    key, take = call.key, call.world.entropy.take
    secret = _current_secret(call, key)  # before any randomness is taken: a refused call takes none
    data_key = take(length)
    blob = seal(key.id, key.account, key.current.id, secret, data_key, context, take)
    response: Response = {"CiphertextBlob": blob, "KeyId": key.arn, "KeyMaterialId": call.material}
    if with_plaintext:
        response["Plaintext"] = data_key
    return response
