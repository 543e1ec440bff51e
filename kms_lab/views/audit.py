"""What CloudTrail would tell of everything that happened: records in AWS's shape, and one DataFrame of them all.

Nothing is hidden here, because nothing secret is in the log: no plaintext, ciphertext, key, message, signature or
token. What AWS does show is shown: encryption contexts, key ARNs, aliases, policies.

What a record cannot have, since the lab has no network: TLS details, and a real address or agent of the caller.
Ids that AWS gives to principals and access keys are made up from their ARN.

Source: AWS KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail" and its sample entries; AWS CloudTrail
User Guide, "CloudTrail record contents" and "userIdentity element".
"""

import base64
import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kms_lab.core.clock import DAY_US, to_datetime
from kms_lab.core.keys import ENABLED, PENDING_DELETION, PENDING_IMPORT
from kms_lab.core.log import Entry
from kms_lab.core.names import Principal, alias_arn
from kms_lab.core.specs import ENCRYPT_DECRYPT, SPECS
from kms_lab.core.world import World
from kms_lab.service.find import key_by_arn
from kms_lab.service.operation import OPERATIONS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

Record = dict[str, Any]

EVENT_VERSION = "1.11"
#: an address kept free for examples (RFC 5737), as in AWS's samples
SOURCE_ADDRESS = "192.0.2.0"
USER_AGENT = "kms-lab"
_AWS = "AWS Internal"
_AES = "SYMMETRIC_DEFAULT"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

#: CloudTrail's name for an error, where it differs from the API's. Source: events quoted in public issues.
ERROR_CODES = {"AccessDeniedException": "AccessDenied"}


def records(world: World, account: str | None = None) -> Iterator[Record]:
    """Yield CloudTrail's records, oldest first.

    A call on another account's key is recorded in both accounts, unless access was denied: that only the caller sees.

    Args:
        account: only what this account's trail gets; None for every account's.
    """
    for index in range(len(world.log)):
        entry = world.log.entry(index)
        recipients = _recipients(entry)
        for number, recipient in enumerate(recipients):
            if account in (None, recipient):
                yield _record(world, entry, recipients, number)


def record(world: World, index: int) -> Record:
    """Return the record of one entry of the log, as the caller's account gets it; negative indexes count from the end.

    Raises:
        IndexError: there is no such entry.
    """
    entry = world.log.entry(index)
    return _record(world, entry, _recipients(entry), 0)


def frame(world: World, account: str | None = None) -> "pd.DataFrame":
    """Return one row for each event, oldest first; the index is the entry's number in the log.

    The columns are CloudTrail's, flattened: ``principal`` is ``userIdentity.arn``, ``keyId`` and ``keyArn`` are the
    key that was meant (ReEncrypt: the destination), ``encryptionContext`` is JSON text. A million rows take
    milliseconds, because the log's numbers become categories as they are. Only contexts
    cost more: each different one is written out, one to two seconds for a million different ones.

    Args:
        account: only what this account's trail gets; None for everything, each event once.
    """
    import numpy as np
    import pandas as pd

    log = world.log
    what = column(log.what, np.intp)
    columns = list(zip(*log.happenings)) or [()] * 7
    operations, regions, principals, keys, errors, materials = (_Facet(what, values) for values in columns[:6])
    contexts = [log.contexts.text(number) or None for number in range(len(log.contexts))]
    called = principals.flags(lambda arn: arn is not None)
    table = pd.DataFrame(
        {
            "eventTime": pd.DatetimeIndex(column(log.at_us).view("M8[us]")).tz_localize("UTC"),
            "eventName": operations.texts(),
            "errorCode": errors.texts(lambda code: ERROR_CODES.get(code, code)),
            "principal": principals.texts(),
            "awsRegion": regions.texts(),
            "keyId": keys.texts(lambda arn: arn.rpartition("/")[2]),
            "encryptionContext": _categories(column(log.context), contexts),
            "readOnly": operations.flags(lambda name: name in OPERATIONS and OPERATIONS[name].read_only),
            "eventType": _categories(called.view(np.int8), ["AwsServiceEvent", "AwsApiCall"]),
            "errorMessage": _messages(world),
            "keyMaterialId": materials.texts(),
            "keyArn": keys.texts(),
        },
        index=pd.RangeIndex(len(log), name="entry"),
        copy=False,
    )
    return table if account is None else table[_received(world, account)]


# ------------------------------------------------------------------------------ one record


def _record(world: World, entry: Entry, recipients: Sequence[str], number: int) -> Record:
    """Return one account's record. Members stand in the order of AWS's samples."""
    event = entry.principal is None
    row = OPERATIONS.get(entry.operation)
    event_id = world.log.event_id(entry.index)
    shown: Record = {
        "eventVersion": EVENT_VERSION,
        "userIdentity": _identity(entry, recipients[number]),
        "eventTime": _iso(entry.at_us),
        "eventSource": "kms.amazonaws.com",
        "eventName": entry.operation,
        "awsRegion": entry.region,
        "sourceIPAddress": _AWS if event else SOURCE_ADDRESS,
        "userAgent": _AWS if event else USER_AGENT,
    }
    if entry.error is not None:
        shown["errorCode"] = ERROR_CODES.get(entry.error, entry.error)
        shown["errorMessage"] = entry.more.get("message", "")
    shown["requestParameters"] = None if event else _request_parameters(entry)
    shown["responseElements"] = _response_elements(entry)
    if extra := _additional_event_data(entry):
        shown["additionalEventData"] = extra
    if not event:
        shown["requestID"] = world.log.request_id(entry.index)
    shown["eventID"] = _variant(event_id, "9ab"[number])
    shown["readOnly"] = row is not None and row.read_only
    shown["resources"] = [{"accountId": _owner(arn), "type": "AWS::KMS::Key", "ARN": arn} for arn in _resources(entry)]
    shown["eventType"] = _event_type(entry.principal)
    shown["managementEvent"] = True
    shown["recipientAccountId"] = recipients[number]
    if len(recipients) > 1:
        shown["sharedEventID"] = _variant(event_id, "8")
    if entry.operation == "RotateKey":
        shown["serviceEventDetails"] = _rotation(world, entry)
    shown["eventCategory"] = "Management"
    return shown


def _recipients(entry: Entry) -> list[str]:
    """Return the accounts whose trails get an entry, the caller's first."""
    accounts = [_account_of(entry.principal)]
    if _is_told(entry.error):
        accounts += [_owner(entry.more.get("source_key")), _owner(entry.key)]
    return list(dict.fromkeys(filter(None, accounts)))


def _account_of(principal: str | None) -> str:
    return "" if principal is None else Principal.parse(principal).account


def _owner(key: str | None) -> str:
    return "" if key is None else key.split(":")[4]


def _is_told(error: str | None) -> bool:
    """Does the owner of a key hear of a call from another account that ended so?"""
    return error != "AccessDeniedException"


def _event_type(principal: str | None) -> str:
    return "AwsServiceEvent" if principal is None else "AwsApiCall"


def _identity(entry: Entry, recipient: str) -> Record:
    if entry.principal is None:
        return {"accountId": recipient, "invokedBy": _AWS}
    who = Principal.parse(entry.principal)
    if who.kind == "service":
        return {"type": "AWSService", "invokedBy": who.arn}
    if who.account != recipient:
        # unverified: that KMS tells the key's owner no more than this, as CloudTrail does for callers of other services
        return {"type": "AWSAccount", "principalId": _principal_id(who), "accountId": who.account}
    identity: Record = {
        "type": _IDENTITY_TYPES[who.kind],
        "principalId": _principal_id(who),
        "arn": who.arn,
        "accountId": who.account,
        "accessKeyId": _invented_id("AKIA" if who.kind == "user" else "ASIA", who.arn, 9) + "EXAMPLE",
    }
    if who.kind == "user":
        identity["userName"] = who.name
    if who.kind == "role-session":
        identity["sessionContext"] = {
            "sessionIssuer": {
                "type": "Role",
                "principalId": _invented_id("AROA", who.identity_arn, 17),
                "arn": who.identity_arn,
                "accountId": who.account,
                "userName": who.name,
            },
            "attributes": {"creationDate": _iso(entry.at_us), "mfaAuthenticated": "false"},
        }
    return identity


_IDENTITY_TYPES = {
    "user": "IAMUser", "role-session": "AssumedRole", "root-user": "Root", "federated-user": "FederatedUser",
}  # fmt: skip


def _principal_id(who: Principal) -> str:
    match who.kind:
        case "root-user":
            return who.account
        case "role-session":
            return f"{_invented_id('AROA', who.identity_arn, 17)}:{who.arn.rpartition('/')[2]}"
        case "federated-user":
            return f"{who.account}:{who.name}"
        case _:
            return _invented_id("AIDA", who.arn, 17)


@lru_cache(maxsize=1024)
def _invented_id(prefix: str, arn: str, length: int) -> str:
    """Return an id that looks like AWS's and is always the same for the same ARN."""
    return prefix + base64.b32encode(hashlib.sha256(f"{prefix} {arn}".encode()).digest()).decode()[:length]


# What AWS writes where the request left a parameter out. Source: the page on Decrypt, for the algorithm; samples.
# unverified: for CreateKey and PutKeyPolicy, since the samples do not say what the request contained
_DEFAULTS: dict[str, Record] = {
    "Encrypt": {"EncryptionAlgorithm": _AES},
    "Decrypt": {"EncryptionAlgorithm": _AES},
    "ReEncrypt": {"SourceEncryptionAlgorithm": _AES, "DestinationEncryptionAlgorithm": _AES},
    "PutKeyPolicy": {"PolicyName": "default", "BypassPolicyLockoutSafetyCheck": False},
}


def _request_parameters(entry: Entry) -> Record | None:
    # unverified: that a denied call shows its parameters; AWS's sample of a Decrypt that failed otherwise does
    request = {**_DEFAULTS.get(entry.operation, {}), **entry.request}
    if entry.operation == "CreateKey":
        request = {**_new_key(entry), "BypassPolicyLockoutSafetyCheck": False, **entry.request}
    if entry.context:
        request["EncryptionContext"] = entry.context
    return _camel(request) or None


def _camel(value: Any) -> Any:
    """Return AWS's members with a small first letter, as CloudTrail writes them. What a caller named keeps its name."""
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if isinstance(value, dict):
        return {
            name[:1].lower() + name[1:]: item if "EncryptionContext" in name else _camel(item)
            for name, item in value.items()
        }
    return value


def _new_key(entry: Entry) -> Record:
    """Return what CreateKey was asked for, its defaults filled in."""
    request = entry.request
    spec = request.get("KeySpec") or request.get("CustomerMasterKeySpec") or _AES
    return {
        "Description": request.get("Description", ""),
        "KeyUsage": request.get("KeyUsage", ENCRYPT_DECRYPT),
        "Origin": request.get("Origin", "AWS_KMS"),
        "CustomerMasterKeySpec": spec,
        "KeySpec": spec,
    }


def _response_elements(entry: Entry) -> Record | None:
    """Return what CloudTrail shows of a response: nothing for reading and cryptography, little for changes."""
    if entry.error is not None:
        return None
    element = _RESPONSES.get(entry.operation)
    return element(entry) if element is not None else None


def _key_arn(entry: Entry) -> Record:
    """Since December 2022 the entries of most changes name the key's ARN here, though the response does not."""
    return {"keyId": entry.key}


def _key_metadata(entry: Entry) -> Record:
    assert entry.key is not None
    asked = _new_key(entry)
    imported = asked["Origin"] == "EXTERNAL"
    usage = asked["KeyUsage"]
    metadata = {
        "KeyId": entry.key.rpartition("/")[2],
        "Arn": entry.key,
        "CreationDate": _american(to_datetime(entry.at_us)),
        "Enabled": not imported,
        **asked,
        "KeyState": PENDING_IMPORT if imported else ENABLED,
        "KeyManager": "CUSTOMER",
        _ALGORITHMS[usage]: list(SPECS[asked["KeySpec"]].algorithms[usage]),
        "MultiRegion": bool(entry.request.get("MultiRegion", False)),
    }
    return {"keyMetadata": {"AWSAccountId": _owner(entry.key), **_camel(metadata)}}


_ALGORITHMS = {
    "ENCRYPT_DECRYPT": "EncryptionAlgorithms",
    "SIGN_VERIFY": "SigningAlgorithms",
    "GENERATE_VERIFY_MAC": "MacAlgorithms",
    "KEY_AGREEMENT": "KeyAgreementAlgorithms",
    "ENCAPSULATE_DECAPSULATE": "EncapsulationAlgorithms",
}


def _scheduled(entry: Entry) -> Record:
    days = entry.request.get("PendingWindowInDays", 30)
    return {
        "keyId": entry.key,
        "keyState": PENDING_DELETION,
        "deletionDate": _american(to_datetime(entry.at_us + days * DAY_US)),
        "pendingWindowInDays": days,
    }


#: What ``responseElements`` holds; operations that are absent have null. RotateKey's sample of 2025 has null again.
_RESPONSES: dict[str, Callable[[Entry], Record]] = {
    "CancelKeyDeletion": _key_arn,
    "CreateAlias": _key_arn,
    "CreateKey": _key_metadata,
    "DeleteAlias": _key_arn,
    "DeleteKey": _key_arn,
    "DisableKey": _key_arn,
    "EnableKey": _key_arn,
    "EnableKeyRotation": _key_arn,
    "RotateKeyOnDemand": _key_arn,
    "ScheduleKeyDeletion": _scheduled,
    "TagResource": _key_arn,
    "UntagResource": _key_arn,
    "UpdateAlias": _key_arn,
}


def _additional_event_data(entry: Entry) -> Record:
    if entry.principal is None:
        return {}
    if entry.operation != "ReEncrypt":
        return {"keyMaterialId": entry.material} if entry.material else {}
    both = {"sourceKeyMaterialId": entry.more.get("source_material"), "destinationKeyMaterialId": entry.material}
    return {name: value for name, value in both.items() if value}


def _resources(entry: Entry) -> list[str]:
    """Return the ARNs of the keys and aliases concerned, in the order of AWS's samples."""
    if entry.key is None or entry.operation == "ListAliases":
        return []
    source = entry.more.get("source_key")
    if source is not None:
        return [source, entry.key]
    name = entry.request.get("AliasName")
    if name is None:
        return [entry.key]
    alias = alias_arn(entry.region, _owner(entry.key), name)
    return [entry.key, alias] if entry.operation == "CreateAlias" else [alias, entry.key]


def _rotation(world: World, entry: Entry) -> Record:
    assert entry.key is not None
    key = key_by_arn(world, entry.key) or world.gone[entry.key]
    return {
        "rotationType": entry.more["rotation_type"],
        "keyOrigin": key.origin,
        "previousKeyMaterialId": entry.more["previous"],
        "currentKeyMaterialId": entry.material,
        "keyId": key.id,
    }


def _variant(event_id: str, digit: str) -> str:
    """Return an event id with another variant digit: the ids of one event in several accounts, and the shared one."""
    return event_id[:19] + digit + event_id[20:]


def _iso(us: int) -> str:
    return to_datetime(us).strftime("%Y-%m-%dT%H:%M:%SZ")


def _american(moment: datetime) -> str:
    """Write a date as CloudTrail does inside ``responseElements``: ``Aug 10, 2022, 10:38:27 PM``."""
    month, half = _MONTHS[moment.month - 1], "AM" if moment.hour < 12 else "PM"  # strftime would follow the locale
    return f"{month} {moment.day}, {moment.year}, {moment.hour % 12 or 12}:{moment:%M:%S} {half}"


# ------------------------------------------------------------------------------ all records at once


def column(numbers: Any, kind: Any = None) -> "npt.NDArray[Any]":
    """Return a copy of a column of the log as a numpy array; a view of it would keep the log from growing."""
    import numpy as np

    return np.frombuffer(numbers, dtype=numbers.typecode).astype(kind or numbers.typecode)


class _Facet:
    """One property of what happened, over the whole log: spread out from the few happenings to the many entries."""

    def __init__(self, what: "npt.NDArray[np.intp]", values: Sequence[Any]) -> None:
        import numpy as np

        self._what = what
        self._distinct = list(dict.fromkeys(values))
        place = {value: number for number, value in enumerate(self._distinct)}
        self._places = np.fromiter(map(place.__getitem__, values), np.intp, len(values))

    def texts(self, text: Callable[[str], str] = str) -> "pd.Categorical[Any]":
        """Return the property of each entry, as ``text`` writes it."""
        return _categories(
            self._what, [None if value is None else text(value) for value in self._distinct], self._places
        )

    def flags(self, flag: Callable[[Any], bool]) -> "npt.NDArray[np.bool_]":
        """Return whether each entry's property is so."""
        import numpy as np

        return np.array([flag(value) for value in self._distinct], bool).take(self._places).take(self._what)


def _categories(
    numbers: "npt.NDArray[Any]", values: Sequence[str | None], places: "npt.NDArray[np.intp] | None" = None
) -> "pd.Categorical[Any]":
    """Return a column of numbers as the texts that they stand for; None is a missing value.

    With ``places`` a number stands for the value at its place.
    """
    import numpy as np
    import pandas as pd

    texts = dict.fromkeys(values)
    texts.pop(None, None)
    code: dict[str | None, int] = {text: number for number, text in enumerate(texts)}
    code[None] = -1
    size = np.int8 if len(texts) < 128 else np.int16 if len(texts) < 32_768 else np.int32
    codes = np.fromiter(map(code.__getitem__, values), size, len(values))
    kind: Any = pd.CategoricalDtype(list(texts))
    spread: Any = (codes if places is None else codes.take(places)).take(numbers)
    return pd.Categorical.from_codes(spread, dtype=kind, validate=False)


def _messages(world: World) -> "pd.Categorical[Any]":
    """Return the texts of all refusals; only they are looked at one by one."""
    import numpy as np

    numbers = np.zeros(len(world.log), np.int32)
    texts: dict[str | None, int] = {None: 0}
    for index, more in world.log.more.items():
        if "message" in more:
            numbers[index] = texts.setdefault(more["message"], len(texts))
    return _categories(numbers, list(texts))


def _received(world: World, account: str) -> "npt.NDArray[np.bool_]":
    """Say of each entry whether an account's trail gets it: what ``_recipients`` says of one entry."""
    import numpy as np

    log = world.log
    gets = [
        _account_of(what.principal) == account or (_is_told(what.error) and _owner(what.key) == account)
        for what in log.happenings
    ]
    received = np.array(gets, bool).take(column(log.what))
    for index, more in log.more.items():
        if _owner(more.get("source_key")) == account:
            received[index] |= _is_told(log.entry(index).error)
    return received
