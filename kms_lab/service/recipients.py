"""Whose trails get an entry of the log.

A call on another account's key is recorded in both accounts, unless access was denied: that only the caller sees.

Source: AWS KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail".
"""

from kms_lab.core.log import Entry, Log
from kms_lab.core.names import Principal

#: The digit in an event id that tells apart the records of one event in several accounts, the caller's first.
_DIGITS = "9ab"


def recipients(entry: Entry) -> list[str]:
    """Return the accounts whose trails get an entry, the caller's first."""
    accounts = [account_of(entry.principal)]
    if is_told(entry.error):
        accounts += [owner(entry.more.get("source_key")), owner(entry.key)]
    return list(dict.fromkeys(filter(None, accounts)))


def account_of(principal: str | None) -> str:
    """Return a principal's account; "" for AWS itself and its services."""
    return "" if principal is None else Principal.parse(principal).account


def owner(key: str | None) -> str:
    """Return the account in a key's ARN."""
    return "" if key is None else key.split(":")[4]


def is_told(error: str | None) -> bool:
    """Does the owner of a key hear of a call from another account that ended so?"""
    return error != "AccessDeniedException"


def event_id(log: Log, index: int, number: int) -> str:
    """Return the event id of an entry in the trail of its recipient ``number``."""
    return variant(log.event_id(index), _DIGITS[number])


def variant(event: str, digit: str) -> str:
    """Return an event id with another variant digit."""
    return event[:19] + digit + event[20:]
