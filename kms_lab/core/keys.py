"""What a Region holds: keys, their materials, grants and aliases. Plain records; every rule about them lives elsewhere.

Source: AWS KMS API Reference, ``KeyMetadata``, ``RotationsListEntry``, ``GrantListEntry``, ``AliasListEntry``.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple

ENABLED: Final = "Enabled"
DISABLED: Final = "Disabled"
PENDING_DELETION: Final = "PendingDeletion"
PENDING_REPLICA_DELETION: Final = "PendingReplicaDeletion"
PENDING_IMPORT: Final = "PendingImport"
UNAVAILABLE: Final = "Unavailable"
CREATING: Final = "Creating"
UPDATING: Final = "Updating"

#: the eight key states of AWS, in the order of the developer guide
KEY_STATES = (
    ENABLED,
    DISABLED,
    PENDING_DELETION,
    PENDING_REPLICA_DELETION,
    PENDING_IMPORT,
    UNAVAILABLE,
    CREATING,
    UPDATING,
)

FIRST: Final = "FIRST"
AUTOMATIC: Final = "AUTOMATIC"
ON_DEMAND: Final = "ON_DEMAND"


@dataclass(slots=True, eq=False)
class KeyMaterial:
    """The secret inside a key. Its record is never changed once made, so copies of a world share it: deleting and
    importing put another record in its place.

    Attributes:
        id: 64 hexadecimal characters, AWS's ``KeyMaterialId``.
        since_us: when it became the key's current material; for material that waits for its rotation, when it came.
        how: ``FIRST``, or the rotation that brought it: ``AUTOMATIC`` or ``ON_DEMAND``.
        secret: raw bytes of a symmetric or HMAC key; PKCS#8 DER of a private key. Empty for an RSA key that nobody
            has used yet (it is generated at first use, which takes up to a second, and then stays), and for imported
            material that is deleted or expired.
        expires_us: when imported material goes by itself; None for never.
        description: what the importer wrote about it.
    """

    id: str
    since_us: int
    how: str
    secret: bytes = field(repr=False)
    expires_us: int | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """Permission to use one key, given to one grantee: it can only allow. Never changed, only replaced.

    Attributes:
        id: 64 hexadecimal characters.
        name: what its maker called it, for idempotency; "" for none.
        key_arn: the key.
        grantee: ARN of a principal or account, or name of a service such as ``ec2.amazonaws.com``.
        retiring: who may retire it, in the same form; "" for nobody.
        operations: AWS's grant operations, as given.
        context_equals, context_subset: constraint on the encryption context, as sorted pairs; None for no constraint.
        source_arn: constraint on the resource for which a service acts; "" for none.
        issuer: ARN of the account in whose name it was made.
        creator: ARN of the principal that made it.
        tokens: tokens that CreateGrant handed out for it.
        created_us: when it was made.
        effective_us: from when on it works without a token: grants take a while to reach all of KMS.
        ends_us: from when on it works no more, once retired or revoked; None while it lives.
        grantee_is_service, retiring_is_service: was it given as a service principal, in the member for such?
    """

    id: str
    name: str
    key_arn: str
    grantee: str
    retiring: str
    operations: tuple[str, ...]
    context_equals: tuple[tuple[str, str], ...] | None
    context_subset: tuple[tuple[str, str], ...] | None
    source_arn: str
    issuer: str
    creator: str
    tokens: tuple[str, ...]
    created_us: int
    effective_us: int
    ends_us: int | None = None
    grantee_is_service: bool = False
    retiring_is_service: bool = False

    def __hash__(self) -> int:
        return hash(self.id)  # grants are looked up with every call that they might allow


class Past(NamedTuple):
    """A state that a key was in, and how that ended.

    Attributes:
        state: one of ``KEY_STATES``.
        entry: number of the log's entry that tells of the end; of the entry that came next, if none tells.
        at_us: when it ended.
        told: does an entry tell of it? KMS ends some states by itself, and CloudTrail has no event of that.
    """

    state: str
    entry: int
    at_us: int
    told: bool


NO_GRANTS: Mapping[str, Grant] = MappingProxyType({})


@dataclass(slots=True, eq=False, repr=False)
class Key:
    """A KMS key as KMS keeps it.

    Attributes:
        materials: every material that is or was current, oldest first; all of them can still decrypt.
        pending: imported materials that wait to be made current by a rotation.
        grants: by id, the retired and revoked ones too until their end has reached all of KMS.
        primary_region: of a multi-Region key, where its primary is; "" for other keys. Related keys are records of
            their own, with the same id, one in each Region.
        store_id, backing_id: the custom key store that a key lives in, and its name there.
        returns_to: the state to come back to, while the key is Unavailable, Creating or Updating.
        past: the states that it was in before, oldest first; ``World.move`` adds to it.
    """

    id: str
    arn: str
    account: str
    region: str
    spec: str
    usage: str
    origin: str
    created_us: int
    policy: str
    state: str = ENABLED
    description: str = ""
    manager: str = "CUSTOMER"
    multi_region: bool = False
    materials: list[KeyMaterial] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    deletion_us: int | None = None
    pending_days: int | None = None
    rotation_enabled: bool = False
    rotation_period_days: int | None = None
    next_rotation_us: int | None = None
    pending: tuple[KeyMaterial, ...] = ()
    grants: Mapping[str, Grant] = field(default_factory=lambda: NO_GRANTS)
    primary_region: str = ""
    store_id: str = ""
    backing_id: str = ""
    returns_to: str = ""
    past: tuple[Past, ...] = ()

    def __repr__(self) -> str:
        return f"<Key {self.arn}: {self.spec}, {self.usage}, {self.state}>"

    @property
    def current(self) -> KeyMaterial:
        """The material that encrypts."""
        return self.materials[-1]

    @property
    def has_all_material(self) -> bool:
        """Are the bytes of every material here? Imported ones can be missing: not yet imported, deleted or expired."""
        return self.origin != "EXTERNAL" or (bool(self.materials) and all(one.secret for one in self.materials))

    @property
    def is_primary(self) -> bool:
        """Is it the primary of its multi-Region keys?"""
        return self.region == self.primary_region

    @property
    def multi_region_type(self) -> str:
        """AWS's ``MultiRegionKeyType``; "" for a key of a single Region."""
        return ("PRIMARY" if self.is_primary else "REPLICA") if self.multi_region else ""

    def state_after(self, entry: int) -> str:
        """Return the state that the key was in after an entry of the log, given by its number."""
        return next((one.state for one in self.past if one.entry > entry), self.state)

    def put_grant(self, grant: Grant) -> None:
        """Add a grant, or replace the one with its id."""
        if not isinstance(self.grants, dict):
            self.grants = {}
        self.grants[grant.id] = grant

    def drop_grant(self, grant_id: str) -> None:
        """Forget a grant."""
        assert isinstance(self.grants, dict)
        del self.grants[grant_id]

    def copy(self) -> "Key":
        twin = copy.copy(self)
        twin.materials = list(self.materials)
        twin.tags = dict(self.tags)
        twin.grants = dict(self.grants) if self.grants else NO_GRANTS
        return twin


@dataclass(slots=True)
class Alias:
    """A friendly name that points at one key of its account and Region."""

    name: str
    arn: str
    key_id: str
    created_us: int
    updated_us: int


@dataclass(slots=True)
class Identity:
    """A user, role or group of an account, and what hangs on it.

    Attributes:
        policies: its own (inline) identity policies, as JSON text.
        tags: of a user or role, for ``aws:PrincipalTag``.
        attached: ARNs of the managed policies attached to it.
        groups: ARNs of the groups that a user is in.
        boundary: JSON text of the permissions boundary of a user or role; "" for none.
    """

    arn: str
    policies: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    attached: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    boundary: str = ""

    def copy(self) -> "Identity":
        return Identity(self.arn, self.policies, dict(self.tags), self.attached, self.groups, self.boundary)

    @classmethod
    def from_data(cls, row: dict[str, Any]) -> "Identity":
        """Return the identity that ``to_data`` described; lists are tuples again."""
        lists = {name: tuple(row[name]) for name in ("policies", "attached", "groups")}
        return cls(**{**row, **lists, "tags": dict(row["tags"])})


@dataclass(slots=True)
class AccessKey:
    """A principal's credentials, for doors that check signatures.

    Attributes:
        id: ``AKIA...`` for a user or the root user, ``ASIA...`` for a session.
        secret, token: what signs; the token is "" for long-term keys.
        principal: ARN of the principal, as it appears to policies and in CloudTrail.
        expires_us: when a session's credentials end; None for never.
        issued_us: when STS gave them out; None for those that the lab hands out itself.
        identity: ARN of the user who made a federated user's session; "" for other credentials.
        mfa_us: when a second factor was proved for them; None for not at all.
        session_policy, session_tags, source_identity: what the session was given (``Circumstances``).
    """

    id: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    principal: str
    expires_us: int | None = None
    issued_us: int | None = None
    identity: str = ""
    mfa_us: int | None = None
    session_policy: str = ""
    session_tags: tuple[tuple[str, str], ...] = ()
    source_identity: str = ""

    @classmethod
    def from_data(cls, row: dict[str, Any]) -> "AccessKey":
        """Return the credentials that ``to_data`` described; lists are tuples again."""
        return cls(**{**row, "session_tags": tuple((name, value) for name, value in row["session_tags"])})


def to_data(record: Any) -> dict[str, Any]:
    """Return a record's fields by name, for saving; nested records stay as they are."""
    return {name: getattr(record, name) for name in record.__slots__}
