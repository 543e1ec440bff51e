"""Which grants concern a call at its instant, and finding grants by grantee, by token and by what they say.

A new grant takes a while to reach all of KMS; until then it works only for calls that carry its token. A retired or
revoked grant goes on working as long again.

Not here: what a grant allows (``policy.grants``).

Source: AWS KMS Developer Guide, "Grants in AWS KMS", "Using a grant token"; API Reference, RevokeGrant.
"""

import base64
import binascii
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from kms_lab.core.errors import InvalidGrantTokenException
from kms_lab.core.keys import Grant, Key
from kms_lab.core.names import Principal, parse_key_reference
from kms_lab.core.world import World
from kms_lab.policy.compiled import NOTHING_ASKED, Asked, Child
from kms_lab.policy.grants import RETIRE_GRANT
from kms_lab.service.conditions import encryption_context, value_of
from kms_lab.service.find import key_by_arn
from kms_lab.service.operation import Call

# unverified: the moment. AWS says "usually less than five minutes", for new, retired and revoked grants alike; a
# program that gets along with the whole of them gets along with AWS.
PROPAGATION_US = 5 * 60 * 1_000_000

_TOKEN_BYTES = 24


class Register(dict[str, Grant]):
    """The grants of one key by id, found by grantee, token and content too, without going through all of them."""

    def __init__(self, grants: Mapping[str, Grant]) -> None:
        super().__init__()
        self._by_grantee: dict[str, dict[str, Grant]] = {}
        self._by_token: dict[str, str] = {}
        self._named: dict[tuple[object, ...], str] = {}
        for grant in grants.values():
            self[grant.id] = grant

    def __setitem__(self, grant_id: str, grant: Grant) -> None:
        before = self.get(grant_id)
        if before is not None:
            self._forget_words(before)
        super().__setitem__(grant_id, grant)
        # in the place of the one before, as in a register that is made anew: the first that allows is the one named
        self._by_grantee.setdefault(grant.grantee, {})[grant_id] = grant
        self._by_token.update(dict.fromkeys(grant.tokens, grant_id))
        if grant.name and grant.ends_us is None:
            self._named[_content(grant)] = grant_id

    def __delitem__(self, grant_id: str) -> None:
        grant = self[grant_id]
        self._forget_words(grant)
        grants = self._by_grantee[grant.grantee]
        del grants[grant_id]
        if not grants:
            del self._by_grantee[grant.grantee]
        super().__delitem__(grant_id)

    def of(self, grantees: tuple[str, ...]) -> list[Grant]:
        """Return the grants of any of these grantees, each of which is named once."""
        found: list[Grant] = []
        for name in grantees:
            if name in self._by_grantee:
                found += self._by_grantee[name].values()
        return found

    def with_token(self, token: str) -> Grant | None:
        """Return the grant that a token was handed out for."""
        grant_id = self._by_token.get(token)
        return None if grant_id is None else self[grant_id]

    def same_as(self, grant: Grant) -> Grant | None:
        """Return the living grant that has the same name and says the same."""
        grant_id = self._named.get(_content(grant))
        return None if grant_id is None else self[grant_id]

    def living(self) -> list[Grant]:
        """Return the grants that are neither retired nor revoked, oldest first."""
        return [grant for grant in self.values() if grant.ends_us is None]

    def _forget_words(self, grant: Grant) -> None:
        for token in grant.tokens:
            del self._by_token[token]
        if self._named.get(_content(grant)) == grant.id:
            del self._named[_content(grant)]


def register(key: Key) -> Register:
    """Return a key's grants, with the means to find them; a loaded or copied key gets these when they are needed."""
    if not isinstance(key.grants, Register):
        key.grants = Register(key.grants)
    return key.grants


def held(call: Call, key: Key) -> tuple[Grant, ...]:
    """Return the grants on a key that are given to the caller. Those that have ended are there no more.

    For RetireGrant, the grant to be retired; any, where somebody only asks what would be.
    """
    grants = register(key)
    if call.permission.lower() == RETIRE_GRANT:
        return (call.grant,) if call.grant is not None else tuple(grants.living())
    return tuple(grants.of(_names(call.principal)))


@lru_cache(maxsize=4096)
def _names(principal: Principal) -> tuple[str, ...]:
    """Return every name under which a grant can be given to a caller."""
    return tuple(dict.fromkeys((principal.arn, principal.identity_arn, account_arn(principal.account))))


def asked(call: Call, grants: tuple[Grant, ...]) -> Asked:
    """Return what these grants look at in a call: its context, for whom it is made, and whether it came too early."""
    now, tokens = call.world.clock.now_us, call.params.get("GrantTokens") or ()
    source = value_of(call, None, "aws:sourcearn")
    source_arn = source if isinstance(source, str) else ""
    constrained = False
    early: set[str] = set()
    for grant in grants:
        if grant.context_equals is not None or grant.context_subset is not None:
            constrained = True
        if grant.effective_us > now and not any(token in grant.tokens for token in tokens):
            early.add(grant.id)
    if call.row.name == "CreateGrant":
        return Asked((), source_arn, child_of(call.params), frozenset(early))
    if not (constrained or source_arn or early):
        return NOTHING_ASKED
    context = tuple(sorted(encryption_context(call).items())) if constrained else ()
    return Asked(context, source_arn, None, frozenset(early))


def child_of(params: Mapping[str, Any]) -> Child | None:
    """Return the terms of the grant that a CreateGrant request asks for; None where it asks for none yet."""
    if "Operations" not in params:
        return None
    constraints = params.get("Constraints") or {}

    def pairs(member: str) -> tuple[tuple[str, str], ...] | None:
        wanted = constraints.get(member)
        return None if wanted is None else tuple(sorted(wanted.items()))

    return Child(
        tuple(params["Operations"]),
        pairs("EncryptionContextEquals"),
        pairs("EncryptionContextSubset"),
        constraints.get("SourceArn") or "",
    )


def account_arn(account: str) -> str:
    """Return the ARN by which grants name an account."""
    return f"arn:aws:iam::{account}:root"


def new_token(world: World, key: Key) -> str:
    """Return a fresh grant token. It is no secret: it names the key, so that the grant is found at once."""
    return base64.b64encode(key.arn.encode() + b" " + world.entropy.take(_TOKEN_BYTES)).decode()


def by_token(world: World, token: str) -> tuple[Key, Grant]:
    """Return the grant that a token was handed out for, and its key.

    Raises:
        InvalidGrantTokenException: no grant has this token, or no more. # unverified: AWS's text
    """
    try:
        arn = base64.b64decode(token, validate=True)[: -_TOKEN_BYTES - 1].decode()
    except (binascii.Error, ValueError):
        raise InvalidGrantTokenException from None
    key = key_by_arn(world, arn) if parse_key_reference(arn).is_arn else None
    grant = None if key is None else register(key).with_token(token)
    if key is None or grant is None:
        raise InvalidGrantTokenException()
    return key, grant


def retirable(call: Call, token: str) -> tuple[Key, Grant]:
    """Return the living grant of the Region that a token was handed out for, and its key.

    Raises:
        InvalidGrantTokenException: no such grant.
    """
    key, grant = by_token(call.world, token)
    if key.region != call.region or grant.ends_us is not None:
        raise InvalidGrantTokenException()
    return key, grant


def _content(grant: Grant) -> tuple[object, ...]:
    """What must be the same for a retried CreateGrant to be recognised."""
    return (
        grant.name,
        grant.grantee,
        grant.retiring,
        grant.operations,
        grant.context_equals,
        grant.context_subset,
        grant.source_arn,
        grant.grantee_is_service,
        grant.retiring_is_service,
    )
