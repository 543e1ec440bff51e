"""Which key is meant: from a key id, ARN, alias or ciphertext to the key itself.

Source: AWS KMS Developer Guide, "Key identifiers (KeyId)"; messages, recordings of AWS's answers. A key of another
account that does not exist looks the same as one that may not be used.
"""

from kms_lab.core.ciphertext import Blob, Undecryptable, parse
from kms_lab.core.errors import (
    AccessDeniedException,
    InvalidArnException,
    InvalidCiphertextException,
    NotFoundException,
    ValidationException,
)
from kms_lab.core.keys import Key
from kms_lab.core.names import AWS_ALIAS_PREFIX, alias_arn, key_arn, parse_key_reference
from kms_lab.service.managed import first_needed
from kms_lab.service.operation import Call

_NOWHERE = (
    "because the resource does not exist in this Region, no resource-based policies allow access, "
    "or a resource-based policy explicitly denies access"
)


def key_or_alias(call: Call) -> None:
    """Find the key that ``KeyId`` names in any of its four forms."""
    call.key = find(call, call.params["KeyId"])


def key_only(call: Call) -> None:
    """Find the key that ``KeyId`` names by id or ARN. An alias is refused."""
    call.key = find(call, call.params["KeyId"], aliases=False)


def ciphertext(call: Call) -> None:
    """Find the key for Decrypt: the one named, else the one that the ciphertext names."""
    named = call.params.get("KeyId")
    call.key, call.blob = opener(
        call,
        call.params.get("CiphertextBlob"),
        named,
        call.params.get("EncryptionAlgorithm", "SYMMETRIC_DEFAULT"),
    )


def find(call: Call, text: str, *, aliases: bool = True, action: str = "") -> Key:
    """Return the key that a text names, for this caller and Region.

    Args:
        aliases: may the text be an alias?
        action: the permission that a refusal names, where it is not the row's own.

    Raises:
        NotFoundException: there is no such key or alias in the caller's account, or the ARN is of another Region.
        InvalidArnException: an alias stands where only a key is taken.
        AccessDeniedException: another account has no such key; AWS does not tell missing from forbidden.
    """
    own = call.world.look(call.principal.account, call.region)
    key = own.keys.get(text)
    if key is not None:
        return key
    alias = own.aliases.get(text)
    if alias is not None and aliases:
        call.alias_arn = alias.arn
        return own.keys[alias.key_id]
    if aliases and call.how.via and text.startswith(AWS_ALIAS_PREFIX):
        made = first_needed(call.world, own.account, call.region, text, call.how.via)
        if made is not None:
            call.alias_arn = alias_arn(call.region, own.account, text)
            return made
    name = parse_key_reference(text)
    if name.kind == "invalid":
        # unverified: the text for a malformed ARN; for other texts it was recorded
        raise NotFoundException(f"Invalid keyId '{text}'")
    if name.region is not None and name.region != call.region:
        raise NotFoundException(f"Invalid arn {name.region}")
    account = name.account or own.account
    shelf = own if account == own.account else call.world.look(account, call.region)
    if name.kind == "id":
        key = shelf.keys.get(name.name)
        missing = f"Key '{key_arn(call.region, account, name.name)}' does not exist"
    else:
        if not aliases:
            raise InvalidArnException("Key Aliases are not supported for this operation.")
        call.alias_arn = alias_arn(call.region, account, name.name)
        alias = shelf.aliases.get(name.name)
        key = shelf.keys.get(alias.key_id) if alias else None
        missing = f"Alias {call.alias_arn} is not found."
    if key is not None:
        return key
    if shelf is not own:
        raise AccessDeniedException(nowhere(call, "on this resource", action))
    raise NotFoundException(missing)


def own(call: Call, text: str) -> Key:
    """Return a key of the caller's own account, by id or ARN, for operations that ask no permission on the key itself.

    Raises:
        NotFoundException, InvalidArnException: as ``find`` does.
        AccessDeniedException: another account's key, whether or not there is such a key.
    """
    key = find(call, text, aliases=False)
    if key.account != call.principal.account:
        # unverified: AWS's answer; the model only says "a KMS key in your account"
        raise AccessDeniedException(nowhere(call, "on this resource"))
    return key


def opener(
    call: Call, data: bytes | None, named: str | None, algorithm: str, action: str = ""
) -> tuple[Key, Blob | None]:
    """Return the key that shall open a ciphertext, and the ciphertext taken apart if it is a symmetric one.

    ``action`` is the permission that a refusal names, where it is not the row's own.

    Raises:
        InvalidCiphertextException: no key is named and the bytes name none either.
        ValidationException: the ciphertext is left out, though this is no dry run that ignores it; or no KeyId comes
            with a dry run that ignores the ciphertext, or with RSA ciphertext, which says nothing of its key.
    """
    if call.params.get("DryRunModifiers"):  # AWS has one modifier: IGNORE_CIPHERTEXT
        # unverified: wording; that it goes with DryRun, and that KeyId is then required, is the model's
        if not call.params.get("DryRun"):
            raise ValidationException("DryRunModifiers can only be used when DryRun is true.")
        if named is None:
            raise ValidationException("KeyId is required when the ciphertext is ignored.")
        return find(call, named, action=action), None
    if data is None:
        # unverified: wording; the model requires no ciphertext, its text does unless a modifier says otherwise
        raise ValidationException(
            "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: "
            "Member must not be null"
        )
    if algorithm != "SYMMETRIC_DEFAULT":
        if named is None:
            # unverified: wording
            raise ValidationException("KeyId is required for asymmetric decryption.")
        return find(call, named, action=action), None
    try:
        blob = parse(data)
    except Undecryptable:
        if named is None:
            raise InvalidCiphertextException from None
        return find(call, named, action=action), None
    if named is not None:
        return find(call, named, action=action), blob
    key = call.world.look(blob.account, call.region).keys.get(blob.key_id)
    if key is None:
        raise AccessDeniedException(nowhere(call, "on the resource associated with this ciphertext", action))
    return key, blob


def nowhere(call: Call, target: str, action: str = "") -> str:
    """Return the sentence with which AWS refuses what it will not tell apart: missing, not shared, denied."""
    return (
        f"User: {call.principal.arn} is not authorized to perform: {action or call.row.permission} {target} {_NOWHERE}"
    )
