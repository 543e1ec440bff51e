"""Aliases: CreateAlias, UpdateAlias, DeleteAlias, ListAliases.

An alias is a resource of its own. Its permission is asked for on the alias (identity policies only) and on each
key that is concerned. Source: AWS KMS Developer Guide, "Controlling access to aliases".
"""

from collections.abc import Iterable

from kms_lab.core.clock import to_datetime
from kms_lab.core.errors import (
    AlreadyExistsException,
    InvalidAliasNameException,
    LimitExceededException,
    NotAuthorizedException,
    NotFoundException,
    ValidationException,
)
from kms_lab.core.keys import Alias, Key
from kms_lab.core.names import AWS_ALIAS_PREFIX, alias_arn, parse_key_reference
from kms_lab.core.specs import SPECS
from kms_lab.service import resolve
from kms_lab.service.operation import NO_KEY, Call, Check, Response, operation
from kms_lab.service.paging import page
from kms_lab.service.states import EDIT

ALIASES_PER_KEY = 50


def _target_key(call: Call) -> None:
    """Find the key that the alias shall point at; a name that no alias may have is refused first."""
    _accept_name(call.params["AliasName"])
    call.alias_arn = alias_arn(call.region, call.principal.account, call.params["AliasName"])
    target = call.params["TargetKeyId"]
    if parse_key_reference(target).kind == "alias":
        # unverified: seen in other emulators only; AWS's model lists no InvalidArnException here
        raise ValidationException("Aliases must refer to keys. Not aliases")
    call.key = resolve.find(call, target)


def _existing_alias(call: Call) -> None:
    """Find the key that an existing alias points at."""
    name = call.params["AliasName"]
    _accept_name(name)
    call.alias_arn = alias_arn(call.region, call.principal.account, name)
    call.key = _key_behind(call)


def _alias_and_keys(call: Call) -> Iterable[Check]:
    assert call.alias_arn is not None
    account = call.principal.account
    yield call.row.permission, call.alias_arn, account, None
    if call.row.name == "UpdateAlias":
        old = _key_behind(call)
        yield call.row.permission, old.arn, old.account, old
    yield call.row.permission, call.key.arn, call.key.account, call.key


@operation(
    permission="kms:CreateAlias",
    target=_target_key,
    checks=_alias_and_keys,
    states=EDIT,
    quota=5,
    shown=("AliasName", "TargetKeyId"),
    source="AWS KMS API Reference, CreateAlias",
)
def create_alias(call: Call, *, AliasName: str, TargetKeyId: str) -> None:
    """Give a customer managed key of the same account and Region a friendly name."""
    shelf = call.world.shelf(call.principal.account, call.region)
    assert call.alias_arn is not None
    if parse_key_reference(AliasName).kind != "alias":
        # the model's pattern is wider than AWS's rule
        if ":" in AliasName:  # the answer as a report of 2020 quotes it
            raise ValidationException(f"{AliasName} contains invalid characters for an alias")
        raise InvalidAliasNameException()  # unverified: AWS's error and text for "alias/" alone
    if AliasName in shelf.aliases:
        raise AlreadyExistsException(f"An alias with the name {call.alias_arn} already exists")
    count = len(shelf.aliases_of(call.key.id))
    if count >= ALIASES_PER_KEY:
        raise LimitExceededException(
            f"Aliases per key quota for this account in this region is {ALIASES_PER_KEY}, current usage is {count}."
        )
    now = call.world.clock.now_us
    shelf.put_alias(Alias(AliasName, call.alias_arn, call.key.id, now, now))


@operation(
    permission="kms:UpdateAlias",
    target=_target_key,
    checks=_alias_and_keys,
    states=EDIT,  # of the new key; the old one may be pending deletion: note 10 of AWS's table
    quota=5,
    shown=("AliasName", "TargetKeyId"),
    source="AWS KMS API Reference, UpdateAlias",
)
def update_alias(call: Call, *, AliasName: str, TargetKeyId: str) -> None:
    """Point an alias at another key of the same type and usage. This is how keys are rotated by hand."""
    shelf = call.world.shelf(call.principal.account, call.region)
    old, new = _key_behind(call), call.key
    if _kind(old) != _kind(new) or old.usage != new.usage:
        # unverified: AWS's error for a target of another type was not seen; its model lists no other that fits
        raise ValidationException(
            f"Alias {call.alias_arn} cannot be changed from a {old.spec} key with usage {old.usage} "
            f"to a {new.spec} key with usage {new.usage}."
        )
    if new is not old and len(shelf.aliases_of(new.id)) >= ALIASES_PER_KEY:
        raise LimitExceededException(
            f"Aliases per key quota for this account in this region is {ALIASES_PER_KEY}, "
            f"current usage is {len(shelf.aliases_of(new.id))}."
        )
    alias = shelf.aliases[AliasName]
    shelf.put_alias(Alias(AliasName, alias.arn, new.id, alias.created_us, call.world.clock.now_us))


@operation(
    permission="kms:DeleteAlias",
    target=_existing_alias,
    checks=_alias_and_keys,
    quota=15,
    shown=("AliasName",),
    source="AWS KMS API Reference, DeleteAlias",
)
def delete_alias(call: Call, *, AliasName: str) -> None:
    """Remove an alias. The key is not touched."""
    call.world.shelf(call.principal.account, call.region).drop_alias(AliasName)


@operation(
    permission="kms:ListAliases",
    target=NO_KEY,
    quota=500,
    shown=("KeyId", "Limit", "Marker"),
    source="AWS KMS API Reference, ListAliases",
)
def list_aliases(call: Call, *, KeyId: str | None = None, Limit: int = 50, Marker: str | None = None) -> Response:
    """List the aliases of the account and Region, or those of one key."""
    shelf = call.world.shelf(call.principal.account, call.region)
    if KeyId is None:
        aliases = list(shelf.aliases.values())
    else:
        call.key = resolve.own(call, KeyId)
        aliases = [shelf.aliases[name] for name in shelf.aliases_of(call.key.id)]
    return page(aliases, "Aliases", _shown, Limit, Marker)


def _shown(alias: Alias) -> dict[str, object]:
    return {
        "AliasName": alias.name,
        "AliasArn": alias.arn,
        "TargetKeyId": alias.key_id,
        "CreationDate": to_datetime(alias.created_us),
        "LastUpdatedDate": to_datetime(alias.updated_us),
    }


def _key_behind(call: Call) -> Key:
    shelf = call.world.shelf(call.principal.account, call.region)
    alias = shelf.aliases.get(call.params["AliasName"])
    if alias is None:
        raise NotFoundException(f"Alias {call.alias_arn} is not found.")
    return shelf.keys[alias.key_id]


def _accept_name(name: str) -> None:
    if not name.startswith("alias/"):
        # AWS adds the address of its guide's page on aliases
        raise ValidationException('Alias must start with the prefix "alias/". Please see the AWS KMS Developer Guide.')
    if name.startswith(AWS_ALIAS_PREFIX):
        raise NotAuthorizedException()


def _kind(key: Key) -> str:
    """Symmetric, HMAC or asymmetric: what an alias may not move between."""
    spec = SPECS[key.spec]
    return "asymmetric" if spec.asymmetric else spec.family
