"""Imported key material: GetParametersForImport, ImportKeyMaterial, DeleteImportedKeyMaterial, and its expiry.

A key with Origin EXTERNAL lives on bytes that its owner brings and keeps a copy of. What has become current once
belongs to the key for ever: if it is deleted or expires, only the same bytes can take its place, and until then the key
waits for them as PendingImport. A symmetric key can be brought another material, which then waits to be rotated in.

Related multi-Region keys agree on which materials they have, not on the bytes: each Region is brought those by itself.

Not here: how bytes are wrapped and what fits a key (``core.wrapping``); how waiting material becomes current
(``rotation``).

Source: AWS KMS Developer Guide, "Importing key material for AWS KMS keys"; AWS KMS API Reference, the operations named.
Texts marked E are those of simulators that record AWS's answers.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from kms_lab.core import material
from kms_lab.core.clock import DAY_US, HOUR_US, Due, read_us, to_datetime
from kms_lab.core.errors import (
    ExpiredImportTokenException,
    IncorrectKeyMaterialException,
    InvalidCiphertextException,
    InvalidImportTokenException,
    KMSInvalidStateException,
    NotFoundException,
    UnsupportedOperationException,
    ValidationException,
)
from kms_lab.core.keys import DISABLED, ENABLED, FIRST, ON_DEMAND, PENDING_IMPORT, UPDATING, Key, KeyMaterial
from kms_lab.core.material import Undecryptable
from kms_lab.core.specs import SPECS
from kms_lab.core.world import World
from kms_lab.core.wrapping import (
    OAEP,
    Token,
    UnfitMaterial,
    UnsoundToken,
    accept,
    material_id,
    open_token,
    rsa_bytes,
    seal,
    suits,
    unwrap,
)
from kms_lab.service.find import key_by_arn
from kms_lab.service.operation import KEY_ONLY, Call, Response, operation
from kms_lab.service.operations.rotation import synchronization
from kms_lab.service.states import DELETE_MATERIAL, IMPORT, IMPORT_PARAMETERS

#: arguments of ``Log.append``
Event = dict[str, Any]

TOKEN_US = 24 * HOUR_US
LONGEST_US = 365 * DAY_US
_SECOND_US = 1_000_000
_EXPIRES = "KEY_MATERIAL_EXPIRES"
_NEW = "NEW_KEY_MATERIAL"
_EXISTING = "EXISTING_KEY_MATERIAL"
#: members that ImportKeyMaterial takes for symmetric encryption keys only
_SYMMETRIC_ONLY = ("ImportType", "KeyMaterialDescription", "KeyMaterialId")


def _takes_imports(call: Call) -> None:
    """Only keys that were created for it do. AWS says so before it looks at the state: note 9 of its state table."""
    key = call.key
    if key.origin != "EXTERNAL":
        raise UnsupportedOperationException(f"{key.arn} origin is {key.origin} which is not valid for this operation.")


@operation(
    permission="kms:GetParametersForImport",
    target=KEY_ONLY,
    kind=_takes_imports,
    states=IMPORT_PARAMETERS,
    quota=1,
    shown=("KeyId", "WrappingAlgorithm", "WrappingKeySpec"),
    source="AWS KMS API Reference, GetParametersForImport",
)
def get_parameters_for_import(call: Call, *, KeyId: str, WrappingAlgorithm: str, WrappingKeySpec: str) -> Response:
    """Return a public key to wrap key material with, and the token that goes with it. Both are good for 24 hours.

    Each answer has an RSA key of its own, made on the spot: RSA_4096 takes up to a second.
    """
    key, world = call.key, call.world
    if not suits(key.spec, WrappingAlgorithm, WrappingKeySpec):
        # error and words as a learner of 2024 met them with RSA_AES_KEY_WRAP_SHA_256 and a symmetric key; unverified:
        # that the retired RSAES_PKCS1_V1_5, and China's SM2, are refused alike
        raise ValidationException(
            f"Wrapping algorithm {WrappingAlgorithm} and wrapping key spec {WrappingKeySpec} "
            f"cannot be used to import a {key.spec} key."
        )
    if not world.import_secret:
        world.import_secret = world.entropy.take(32)
    expires_us = world.clock.now_us + TOKEN_US
    private = material.new_rsa(WrappingKeySpec)
    token = Token(expires_us, WrappingAlgorithm, WrappingKeySpec, private)
    return {
        "KeyId": key.arn,
        "ImportToken": seal(token, world.import_secret, key.arn, world.entropy.take),
        "PublicKey": material.public_key(private),
        "ParametersValidTo": to_datetime(expires_us),
    }


@operation(
    permission="kms:ImportKeyMaterial",
    target=KEY_ONLY,
    kind=_takes_imports,
    states=IMPORT,
    quota=15,
    shown=("ExpirationModel", "ImportType", "KeyId", "KeyMaterialDescription", "ValidTo"),
    source="AWS KMS API Reference, ImportKeyMaterial",
)
def import_key_material(
    call: Call,
    *,
    KeyId: str,
    ImportToken: bytes,
    EncryptedKeyMaterial: bytes,
    ValidTo: datetime | float | str | None = None,
    ExpirationModel: str = _EXPIRES,
    ImportType: str | None = None,
    KeyMaterialDescription: str | None = None,
    KeyMaterialId: str | None = None,
) -> Response:
    """Bring a key its material: the first, the same again, or for a symmetric key a new one that waits for rotation.

    Imported again, material takes the new expiry; without a description it keeps the one it had.
    """
    key, world = call.key, call.world
    symmetric = SPECS[key.spec].symmetric
    _accept_options(call, symmetric)
    expires_us = _expiry(ExpirationModel, ValidTo, world.clock.now_us)
    secret = _unwrapped(key, _opened(call, ImportToken), EncryptedKeyMaterial)

    which = material_id(key.id, secret)
    known = {one.id: one for one in (*key.materials, *key.pending)}
    if ImportType == _NEW or not known:
        _accept_new(key, which, known, ImportType)
        one = KeyMaterial(which, world.clock.now_us, ON_DEMAND if known else FIRST, b"")
    elif which in known and KeyMaterialId in (None, which):
        one = known[which]
    else:
        # unverified: wording, here and below
        raise IncorrectKeyMaterialException("The key material is not the one that was imported before.")
    description = one.description if KeyMaterialDescription is None else KeyMaterialDescription
    _put(key, replace(one, secret=secret, expires_us=expires_us, description=description))
    if which not in known and known:
        call.aftermath = _tell_replicas(world, key, one)
    _settle(world, key)
    if expires_us is not None:
        world.clock.schedule(expires_us, "expire", key.arn)
    return _answer(call, which)


@operation(
    permission="kms:DeleteImportedKeyMaterial",
    target=KEY_ONLY,
    kind=_takes_imports,
    states=DELETE_MATERIAL,
    quota=15,
    shown=("KeyId", "KeyMaterialId"),
    source="AWS KMS API Reference, DeleteImportedKeyMaterial",
)
def delete_imported_key_material(call: Call, *, KeyId: str, KeyMaterialId: str | None = None) -> Response:
    """Delete imported material at once: the current one, or the one that is named. The same bytes can bring it back.

    Deleting what is not there any more succeeds and changes nothing: "No effect" in older editions of AWS's key-state
    table.
    """
    key = call.key
    if KeyMaterialId is None:
        if not key.materials:
            return {"KeyId": key.arn}
        which = key.current
    else:
        found = [one for one in (*key.materials, *key.pending) if one.id == KeyMaterialId]
        if not found:
            # unverified: AWS's error and its words
            raise NotFoundException(f"Key material {KeyMaterialId} of {key.arn} does not exist.")
        which = found[0]
    call.aftermath = _lose(call.world, key, which)
    return _answer(call, which.id)


def expire(world: World, due: Due) -> bool:
    """Delete the material whose time is up. Material that was imported again meanwhile has another time."""
    key = key_by_arn(world, due.subject)
    if key is None:
        return False
    gone = [one for one in (*key.materials, *key.pending) if one.expires_us == due.when_us]
    for one in gone:
        event = {"operation": "DeleteExpiredKeyMaterial", "region": key.region, "key": key.arn, "material": one.id}
        for what in ({**event, "more": {"account": key.account}}, *_lose(world, key, one)):
            world.log.append(world.clock.now_us, **what)
    return bool(gone)


# ------------------------------------------------------------------------------ what a request must satisfy


def _accept_options(call: Call, symmetric: bool) -> None:
    given = [name for name in _SYMMETRIC_ONLY if call.params.get(name) is not None]
    if given and not symmetric:
        # unverified: AWS's error and its words; its guide says that such a request is rejected
        raise UnsupportedOperationException(f"{given[0]} is supported for symmetric encryption KMS keys only.")
    if "KeyMaterialId" in given and call.params.get("ImportType") == _NEW:
        # the rule is the model's text; unverified: AWS's error and its words
        raise ValidationException(f"KeyMaterialId cannot be specified with ImportType {_NEW}.")


def _expiry(model: str, valid_to: datetime | float | str | None, now_us: int) -> int | None:
    """Return when material expires, to the second as boto3 sends it; None for never.

    Source: that a date is needed, recorded; the first three sentences, E.
    """
    if model != _EXPIRES:
        if valid_to is not None:
            raise ValidationException(
                f"The parameter ValidTo cannot be specified for a key with an expiration model of {model}"
            )
        return None
    if valid_to is None:
        raise ValidationException(f"A validTo date must be set if the ExpirationModel is {_EXPIRES}")
    expires_us = read_us(valid_to) // _SECOND_US * _SECOND_US
    if expires_us <= now_us:
        raise ValidationException("ValidTo must be in the future")
    if expires_us > now_us + LONGEST_US:
        # unverified: wording
        raise ValidationException("ValidTo must be at most 365 days from now.")
    return expires_us


def _opened(call: Call, data: bytes) -> Token:
    try:
        token = open_token(data, call.world.import_secret, call.key.arn)
    except UnsoundToken:
        raise InvalidImportTokenException() from None
    if call.world.clock.now_us >= token.expires_us:
        raise ExpiredImportTokenException()
    return token


def _unwrapped(key: Key, token: Token, wrapped: bytes) -> bytes:
    if token.algorithm in OAEP and len(wrapped) != rsa_bytes(token):
        # as KMS is quoted by another simulator; unverified: that it says so of no RSA_AES_KEY_WRAP
        raise ValidationException("Invalid encrypted key size.")
    try:
        return accept(key.spec, unwrap(token, wrapped))
    except Undecryptable:
        raise InvalidCiphertextException() from None
    except UnfitMaterial:
        # unverified: wording
        raise IncorrectKeyMaterialException(f"The key material is no key of spec {key.spec}.") from None


def _accept_new(key: Key, which: str, known: Iterable[str], asked: str | None) -> None:
    """Refuse to take bytes as new material: a key can be asked for the same again, or have one waiting already."""
    if not known:
        if asked == _EXISTING:
            raise IncorrectKeyMaterialException(f"No key material was ever imported into {key.arn}.")
        return
    if key.multi_region and not key.is_primary:
        # unverified: AWS's error and its words; that it refuses is the model's text
        raise UnsupportedOperationException(f"{key.arn} is not a multi-region primary key.")
    if which in known:
        raise IncorrectKeyMaterialException("The key material is already associated with the KMS key.")
    for waiting in key.pending:
        # source: E
        raise KMSInvalidStateException(
            f"New key material (id: {which}) cannot be imported into KMS key {key.arn}, "
            f"because another key material (id: {waiting.id}) is pending rotation."
        )


# ------------------------------------------------------------------------------ materials come and go


def _put(key: Key, one: KeyMaterial) -> None:
    """Put a material in the place of the one with its id; a new one waits, unless it is the first."""
    places = [index for index, old in enumerate(key.materials) if old.id == one.id]
    if places:
        key.materials[places[0]] = one
    elif key.materials:
        key.pending = (one,)
    else:
        key.materials.append(one)


def _tell_replicas(world: World, key: Key, one: KeyMaterial) -> tuple[Event, ...]:
    """Let the replicas of a primary know what to expect: the bytes are for their owner to bring."""
    for replica in world.related(key):
        replica.pending = (one,)
    return synchronization(world, key)


def _lose(world: World, key: Key, which: KeyMaterial) -> tuple[Event, ...]:
    """Delete the bytes of a material. A key forgets one that only waited, and with a primary its replicas do.

    Returns the event that tells replicas of it, if there are any to tell.
    """
    bare = replace(which, secret=b"", expires_us=None)
    if which not in key.pending:
        _put(key, bare)
        _settle(world, key)
        return ()
    if key.multi_region and not key.is_primary:
        key.pending = (bare,)
        return ()
    for one in (key, *world.related(key)):
        one.pending = ()
    return synchronization(world, key)


def _settle(world: World, key: Key) -> None:
    """Bring a key's state into line with its materials. A key pending deletion stays so, whatever it has."""
    if key.has_all_material:
        # unverified: that a disabled key stays disabled; the model's text says Enabled, and names no disabled keys
        if key.state == PENDING_IMPORT:
            world.move(key, ENABLED)
        elif key.state == UPDATING and key.returns_to == PENDING_IMPORT:
            key.returns_to = ENABLED
    elif key.state in (ENABLED, DISABLED):
        world.move(key, PENDING_IMPORT)
    elif key.state == UPDATING:
        world.move(key, PENDING_IMPORT)
        key.returns_to = ""


def _answer(call: Call, which: str) -> Response:
    """Return what both calls answer. AWS tells the ids of symmetric keys' materials only: E."""
    call.material = which
    return {"KeyId": call.key.arn} | ({"KeyMaterialId": which} if SPECS[call.key.spec].symmetric else {})
