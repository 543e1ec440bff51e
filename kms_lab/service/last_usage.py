"""When a key was last used: read from the log, as everything that is counted is.

Source: AWS KMS API Reference, GetKeyLastUsage; botocore's KMS model, ``KeyLastUsageTrackingOperation``.
"""

from functools import cache

from kms_lab.core import model
from kms_lab.core.keys import Key
from kms_lab.core.world import World


def last_use(world: World, key: Key) -> int | None:
    """Return the log's index of the last successful cryptographic operation with a key; None if there was none.

    ReEncrypt is a use of both its keys.
    """
    log = world.log
    tracked = _tracked()
    uses: set[int] = set()
    as_source: set[int] = set()  # ReEncrypts, whose source stands beside the happening
    for number, what in enumerate(log.happenings):
        if what.error is None and what.operation in tracked:
            if what.key == key.arn:
                uses.add(number)
            elif what.operation == "ReEncrypt":
                as_source.add(number)
    if not uses and not as_source:
        return None
    for index in range(len(log) - 1, -1, -1):
        if log.at_us[index] < key.created_us:
            break  # before that, a replica's ARN was an earlier replica's
        number = log.what[index]
        if number in uses or (number in as_source and log.more[index]["source_key"] == key.arn):
            return index
    return None


@cache
def _tracked() -> frozenset[str]:
    return frozenset(model.enum("KeyLastUsageTrackingOperation"))
