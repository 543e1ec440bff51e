"""The operations, in files grouped as the AWS documentation groups them.

Importing this enters them all in ``OPERATIONS``.
"""

from kms_lab.service.operations import aliases, crypto, deletion, keys, policies, rotation, tags

TIMERS = {"rotate": rotation.automatic, "delete": deletion.delete}

__all__ = ["TIMERS", "aliases", "crypto", "deletion", "keys", "policies", "rotation", "tags"]
