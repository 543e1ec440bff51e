"""The operations, in files grouped as the AWS documentation groups them.

Importing this enters them all in ``OPERATIONS``.
"""

from kms_lab.service.operations import (
    aliases,
    asymmetric,
    crypto,
    data_key_pairs,
    deletion,
    grants,
    imported,
    keys,
    mac,
    multi_region,
    policies,
    rotation,
    stores,
    tags,
)

TIMERS = {
    "rotate": rotation.automatic,
    "delete": deletion.delete,
    "expire": imported.expire,
    "end grant": grants.forget,
    "created": multi_region.created,
    "updated": multi_region.updated,
    "connected": stores.connected,
    "disconnected": stores.disconnected,
}

__all__ = [
    "TIMERS",
    "aliases",
    "asymmetric",
    "crypto",
    "data_key_pairs",
    "deletion",
    "grants",
    "imported",
    "keys",
    "mac",
    "multi_region",
    "policies",
    "rotation",
    "stores",
    "tags",
]
