"""What a Region holds: keys, their materials, aliases. Plain records; every rule about them lives elsewhere.

Source: AWS KMS API Reference, ``KeyMetadata``, ``RotationsListEntry``, ``AliasListEntry``.
"""

import copy
from dataclasses import dataclass, field
from typing import Any, Final

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
    """The secret inside a key. It is never changed once made, so copies of a world share it.

    Attributes:
        id: 64 hexadecimal characters, AWS's ``KeyMaterialId``.
        since_us: when it became the key's current material.
        how: ``FIRST``, or the rotation that brought it: ``AUTOMATIC`` or ``ON_DEMAND``.
        secret: raw bytes of a symmetric or HMAC key; PKCS#8 DER of a private key. Empty for a private
            key that nobody has used yet: it is generated at first use (RSA takes up to a second).
    """

    id: str
    since_us: int
    how: str
    secret: bytes = field(repr=False)


@dataclass(slots=True, eq=False, repr=False)
class Key:
    """A KMS key as KMS keeps it. ``materials`` is oldest first, and all of them can still decrypt."""

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

    def __repr__(self) -> str:
        return f"<Key {self.arn}: {self.spec}, {self.usage}, {self.state}>"

    @property
    def current(self) -> KeyMaterial:
        """The material that encrypts."""
        return self.materials[-1]

    def copy(self) -> "Key":
        twin = copy.copy(self)
        twin.materials = [one if one.secret else copy.copy(one) for one in self.materials]
        twin.tags = dict(self.tags)
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
    """A user or role of an account, with its identity policies as JSON text."""

    arn: str
    policies: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)

    def copy(self) -> "Identity":
        return Identity(self.arn, self.policies, dict(self.tags))


def to_data(record: Any) -> dict[str, Any]:
    """Return a record's fields by name, for saving; nested records stay as they are."""
    return {name: getattr(record, name) for name in record.__slots__}
