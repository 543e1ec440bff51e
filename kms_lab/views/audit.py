"""What CloudTrail would tell of everything that happened: records in AWS's shape, and one DataFrame of them all.

Nothing is hidden here, because nothing secret is in the log: no plaintext, ciphertext, key, message, signature or
token. What AWS does show is shown: encryption contexts, key ARNs, aliases, policies.

What a record cannot have, since the lab has no network: TLS details, and a real address or agent of the caller.
Ids that AWS gives to principals and access keys are made up from their ARN.

One thing is left out, as on AWS: a call that nothing but the policy of a VPC endpoint refused.

Source: AWS KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail" and its sample entries, "Logging AWS
KMS requests that use a VPC endpoint"; AWS CloudTrail User Guide, "CloudTrail record contents", "userIdentity element".

# unverified: DeriveSharedSecret, GetPublicKey, ListRetirableGrants and some other reads, of which AWS shows no sample:
they follow the others, with no more of a request than the rows' ``shown``.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from kms_lab.core.circumstances import SOURCE_ADDRESS, USER_AGENT
from kms_lab.core.clock import DAY_US, read_us, to_datetime
from kms_lab.core.keys import ENABLED, PENDING_DELETION, Key
from kms_lab.core.log import Entry
from kms_lab.core.names import Principal, access_key_id, alias_arn, invented_id, key_arn, principal_id
from kms_lab.core.specs import ENCRYPT_DECRYPT, SPECS
from kms_lab.core.stores import AWS_CLOUDHSM, EXTERNAL_KEY_STORE
from kms_lab.core.world import World
from kms_lab.service.find import key_by_arn
from kms_lab.service.operation import OPERATIONS
from kms_lab.service.operations.keys import spec_members
from kms_lab.service.recipients import account_of, event_id, is_told, owner, recipients, variant

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

Record = dict[str, Any]

EVENT_VERSION = "1.11"
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
        if "withheld" in entry.more:
            continue
        told = recipients(entry)
        for number, recipient in enumerate(told):
            if account in (None, recipient):
                yield _record(world, entry, told, number)


def record(world: World, index: int) -> Record:
    """Return the record of one entry of the log, as the caller's account gets it; negative indexes count from the end.

    Raises:
        IndexError: there is no such entry.
    """
    entry = world.log.entry(index)
    return _record(world, entry, recipients(entry), 0)


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
    columns = list(zip(*log.happenings)) or [()] * 8
    operations, regions, principals, keys, errors, materials = (_Facet(what, values) for values in columns[:6])
    contexts = [log.contexts.text(number) or None for number in range(len(log.contexts))]
    called = principals.flags(lambda arn: arn is not None) | operations.flags(_CALLS_OF_ITS_OWN.__contains__)
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
    shown = None if account is None else _received(world, account)
    withheld = [index for index, more in log.more.items() if "withheld" in more]
    if withheld:
        shown = np.ones(len(log), bool) if shown is None else shown
        shown[withheld] = False
    return table if shown is None else table[shown]


# ------------------------------------------------------------------------------ one record


def _record(world: World, entry: Entry, told: Sequence[str], number: int) -> Record:
    """Return one account's record. Members stand in the order of AWS's samples."""
    event = entry.principal is None
    service = f"{entry.via}.amazonaws.com" if entry.via else ""
    row = OPERATIONS.get(entry.operation)
    shown: Record = {
        "eventVersion": EVENT_VERSION,
        "userIdentity": _identity(entry, told[number]),
        "eventTime": _iso(entry.at_us),
        "eventSource": "kms.amazonaws.com",
        "eventName": entry.operation,
        "awsRegion": entry.region,
        "sourceIPAddress": _AWS if event else service or _address(entry),
        "userAgent": _AWS if event else service or USER_AGENT,
    }
    if entry.error is not None:
        shown["errorCode"] = ERROR_CODES.get(entry.error, entry.error)
        shown["errorMessage"] = entry.more.get("message", "")
    shown["requestParameters"] = None if event else _request_parameters(entry)
    shown["responseElements"] = _response_elements(world, entry)
    if extra := _additional_event_data(world, entry):
        shown["additionalEventData"] = extra
    kind = "AwsServiceEvent" if event and entry.operation not in _CALLS_OF_ITS_OWN else "AwsApiCall"
    if kind == "AwsApiCall":
        shown["requestID"] = world.log.request_id(entry.index)
    shown["eventID"] = event_id(world.log, entry.index, number)
    shown["readOnly"] = row is not None and row.read_only
    shown["resources"] = [{"accountId": owner(arn), "type": "AWS::KMS::Key", "ARN": arn} for arn in _resources(entry)]
    shown["eventType"] = kind
    shown["managementEvent"] = True
    shown["recipientAccountId"] = told[number]
    if endpoint := entry.more.get("endpoint"):
        # unverified: that the other account is told of the endpoint, too
        shown["vpcEndpointId"], shown["vpcEndpointAccountId"] = endpoint, world.endpoints[endpoint].account
    if len(told) > 1:
        shown["sharedEventID"] = variant(world.log.event_id(entry.index), "8")
    if entry.operation in _DETAILS:
        shown["serviceEventDetails"] = _DETAILS[entry.operation](world, entry)
    shown["eventCategory"] = "Management"
    return shown


def _address(entry: Entry) -> str:
    """Return the caller's address; of a service that acts as itself, its name."""
    who = entry.principal
    service = who is not None and Principal.parse(who).kind == "service"
    address: str = str(who) if service else entry.more.get("source_ip", SOURCE_ADDRESS)
    return address


#: What KMS does by itself and AWS's sample shows as a call, with a request id. Source: the sample.
_CALLS_OF_ITS_OWN = frozenset({"SynchronizeMultiRegionKey"})


def _identity(entry: Entry, recipient: str) -> Record:
    if entry.principal is None:
        return {"accountId": recipient, "invokedBy": _AWS}
    who = Principal.parse(entry.principal)
    if who.kind == "service":
        return {"type": "AWSService", "invokedBy": who.arn}
    if who.account != recipient:
        # unverified: that KMS tells the key's owner no more than this, as CloudTrail does for callers of other services
        return {"type": "AWSAccount", "principalId": principal_id(who), "accountId": who.account}
    identity: Record = {
        "type": _IDENTITY_TYPES[who.kind],
        "principalId": principal_id(who),
        "arn": who.arn,
        "accountId": who.account,
        "accessKeyId": entry.more.get("access_key") or access_key_id(who),
    }
    if who.kind == "user":
        identity["userName"] = who.name
    if session := _session(entry, who):
        identity["sessionContext"] = session
    if entry.via:
        identity["invokedBy"] = f"{entry.via}.amazonaws.com"
    return identity


def _session(entry: Entry, who: Principal) -> Record:
    """Return what there is to tell of a session: who issued it, when, and whether with a second factor.

    A user or root user has one with the credentials of GetSessionToken, which nobody but they issued.
    """
    more = entry.more
    session: Record = {}
    if who.kind == "role-session":
        session["sessionIssuer"] = _issuer("Role", "AROA", who.identity_arn)
    elif "federated_by" in more:
        session["sessionIssuer"] = _issuer("IAMUser", "AIDA", more["federated_by"])
    elif who.kind != "federated-user" and not ("issued_us" in more or "mfa" in more):
        return {}
    session["attributes"] = {
        "creationDate": _iso(more.get("issued_us", entry.at_us)),
        "mfaAuthenticated": "true" if "mfa" in more else "false",
    }
    if "source_identity" in more:
        session["sourceIdentity"] = more["source_identity"]
    return session


def _issuer(kind: str, prefix: str, arn: str) -> Record:
    return {
        "type": kind,
        "principalId": invented_id(prefix, arn, 17),
        "arn": arn,
        "accountId": owner(arn),
        "userName": arn.rpartition("/")[2],
    }


_IDENTITY_TYPES = {
    "user": "IAMUser", "role-session": "AssumedRole", "root-user": "Root", "federated-user": "FederatedUser",
}  # fmt: skip


# What AWS writes where the request left a parameter out. Source: the page on Decrypt, for the algorithm; samples.
# unverified: for the others, since the samples do not say what the request contained
_DEFAULTS: dict[str, Record] = {
    "Encrypt": {"EncryptionAlgorithm": _AES},
    "Decrypt": {"EncryptionAlgorithm": _AES},
    "ReEncrypt": {"SourceEncryptionAlgorithm": _AES, "DestinationEncryptionAlgorithm": _AES},
    "ImportKeyMaterial": {"ExpirationModel": "KEY_MATERIAL_EXPIRES"},
    "PutKeyPolicy": {"PolicyName": "default", "BypassPolicyLockoutSafetyCheck": False},
    "ReplicateKey": {"BypassPolicyLockoutSafetyCheck": False, "Description": ""},
}
#: What CloudTrail calls otherwise than the API does. Source: samples.
_OTHER_NAMES = {"CloudHsmClusterId": "ClusterId"}


def _request_parameters(entry: Entry) -> Record | None:
    # unverified: that a denied call shows its parameters; AWS's sample of a Decrypt that failed otherwise does
    request = {**_DEFAULTS.get(entry.operation, {}), **entry.request}
    if entry.operation == "CreateKey":
        request = {**_new_key(entry), "BypassPolicyLockoutSafetyCheck": False, **entry.request}
    if entry.context:
        request["EncryptionContext"] = entry.context
    if "ValidTo" in request:
        request["ValidTo"] = _american(read_us(request["ValidTo"]))
    return _camel({_OTHER_NAMES.get(name, name): value for name, value in request.items()}) or None


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


def _response_elements(world: World, entry: Entry) -> Record | None:
    """Return what CloudTrail shows of a response: nothing for reading and cryptography, little for changes."""
    if entry.error is not None:
        return None
    element = _RESPONSES.get(entry.operation)
    return element(world, entry) if element is not None else None


def _key_arn(_world: World, entry: Entry) -> Record:
    """Since December 2022 the entries of most changes name the key's ARN here, though the response does not."""
    return {"keyId": entry.key}


def _created(world: World, entry: Entry) -> Record:
    key = _key(world, entry)
    return {"keyMetadata": {"AWSAccountId": key.account, **_metadata(key, entry)}}


def _replicated(world: World, entry: Entry) -> Record:
    arn = key_arn(entry.request["ReplicaRegion"], owner(entry.key), str(entry.key).rpartition("/")[2])
    key = _key(world, entry, arn)
    return {
        "replicaKeyMetadata": {"aWSAccountId": key.account, **_metadata(key, entry)},  # spelled as in AWS's sample
        "replicaPolicy": entry.more["policy"],
    }


def _metadata(key: Key, entry: Entry) -> Record:
    """Return the metadata of a new key as it was then: what can change comes from the entry, the rest from the key."""
    state = key.state_after(entry.index)
    metadata: Record = {
        "KeyId": key.id,
        "Arn": key.arn,
        "CreationDate": _american(key.created_us),
        "Enabled": state == ENABLED,
        "Description": entry.request.get("Description", ""),
        "KeyState": state,
        "Origin": key.origin,
        "KeyManager": key.manager,
        **spec_members(key),
        "MultiRegion": key.multi_region,
    }
    if key.store_id:
        metadata["CustomKeyStoreId"] = key.store_id
    if key.origin == AWS_CLOUDHSM:
        metadata["CloudHsmClusterId"] = entry.more["cluster_id"]
    if key.origin == EXTERNAL_KEY_STORE:
        metadata["XksKeyConfiguration"] = {"Id": key.backing_id}
    if key.multi_region:
        metadata["MultiRegionConfiguration"] = _family(key, entry)
    shown: Record = _camel(metadata)
    return shown


def _family(key: Key, entry: Entry) -> Record:
    """Return ``MultiRegionConfiguration`` of a new key. A key that is not replicated from another is a primary."""
    primary, replicas = entry.more.get("primary", key.region), entry.more.get("replicas", ())

    def place(region: str) -> Record:
        return {"Arn": key_arn(region, key.account, key.id), "Region": region}

    return {
        "MultiRegionKeyType": "PRIMARY" if key.region == primary else "REPLICA",
        "PrimaryKey": place(primary),
        "ReplicaKeys": [place(region) for region in replicas],
    }


def _scheduled(world: World, entry: Entry) -> Record:
    state = _key(world, entry).state_after(entry.index)
    days = entry.request.get("PendingWindowInDays", 30)
    shown = {"keyId": entry.key, "keyState": state, "pendingWindowInDays": days}
    if state == PENDING_DELETION:  # a primary with replicas has no date yet
        shown["deletionDate"] = _american(entry.at_us + days * DAY_US)
    return shown


def _material(world: World, entry: Entry) -> Record:
    """AWS tells the ids of symmetric keys' materials only, as its response does."""
    symmetric = SPECS[_key(world, entry).spec].symmetric
    return {"keyId": entry.key} | ({"keyMaterialId": entry.material} if symmetric and entry.material else {})


#: What ``responseElements`` holds; operations that are absent have null. RotateKey's sample of 2025 has null again.
_RESPONSES: dict[str, Callable[[World, Entry], Record]] = {
    "CancelKeyDeletion": _key_arn,
    "CreateAlias": _key_arn,
    "CreateCustomKeyStore": lambda _world, entry: {"customKeyStoreId": entry.more["store_id"]},
    "CreateGrant": lambda _world, entry: {"grantId": entry.more["grant"], "keyId": entry.key},
    "CreateKey": _created,
    "DeleteAlias": _key_arn,
    "DeleteImportedKeyMaterial": _material,
    "DeleteKey": _key_arn,
    "DisableKey": _key_arn,
    "EnableKey": _key_arn,
    "EnableKeyRotation": _key_arn,
    "ImportKeyMaterial": _material,
    "ReplicateKey": _replicated,
    "RetireGrant": _key_arn,  # in samples of 2024 and 2025, in other services' guides
    "RotateKeyOnDemand": _key_arn,
    "ScheduleKeyDeletion": _scheduled,
    "SynchronizeMultiRegionKey": _key_arn,
    "TagResource": _key_arn,
    "UntagResource": _key_arn,
    "UpdateAlias": _key_arn,
    "UpdatePrimaryRegion": _key_arn,
}


def _additional_event_data(world: World, entry: Entry) -> Record:
    """Return what is neither in the request nor in the response; members that there are not are left out."""
    row, more = OPERATIONS.get(entry.operation), entry.more
    shown: Record = {}
    if entry.operation == "RetireGrant":
        shown = {"grantId": more.get("grant")}
    elif "store_name" in more:
        shown = {"customKeyStoreName": more["store_name"], "clusterId": more["cluster_id"]}
    elif more.get("cluster_id"):
        shown = _backing(_key(world, entry), entry)
    elif row is not None and row.usage and is_told(entry.error):
        shown = _used(world, entry)
    return {name: value for name, value in shown.items() if value}


def _used(world: World, entry: Entry) -> Record:
    """Tell which material a cryptographic operation used, and of a key in a custom key store where that is.

    Samples of keys in custom key stores have no ``keyMaterialId``, those of other keys not before 2025.
    """
    # unverified: ReEncrypt, of which no sample has a key in a custom key store; here it tells of the destination
    key = _key(world, entry) if entry.key else None
    if key is not None and key.store_id:
        xks_key = key.backing_id if key.origin == EXTERNAL_KEY_STORE else None
        return {"customKeyStoreId": key.store_id, "xksKeyId": xks_key}
    if entry.operation != "ReEncrypt":
        return {"keyMaterialId": entry.material}
    return {"sourceKeyMaterialId": entry.more.get("source_material"), "destinationKeyMaterialId": entry.material}


def _backing(key: Key, entry: Entry) -> Record:
    """Tell of the key in a CloudHSM cluster when its KMS key is made, doomed or deleted. Lists are JSON text."""
    backing = {"backingKeyId": key.backing_id}
    if entry.operation == "CreateKey":
        return {"backingKey": _json(backing)}
    shown = {"customKeyStoreId": key.store_id, "clusterId": entry.more["cluster_id"], "backingKeys": _json([backing])}
    if entry.operation == "DeleteKey":
        status = "SUCCESS" if entry.more["erased"] else "FAILURE"
        shown["backingKeysDeletionStatus"] = _json([{**backing, "deletionStatus": status}])
    return shown


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


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
    alias = alias_arn(entry.region, owner(entry.key), name)
    return [entry.key, alias] if entry.operation == "CreateAlias" else [alias, entry.key]


def _rotation(world: World, entry: Entry) -> Record:
    key = _key(world, entry)
    return {
        "rotationType": entry.more["rotation_type"],
        "keyOrigin": key.origin,
        "previousKeyMaterialId": entry.more["previous"],
        "currentKeyMaterialId": entry.material,
        "keyId": key.id,
    }


def _expiry(world: World, entry: Entry) -> Record:
    # the key's id, not its ARN. Source: AWS's sample of DeleteExpiredKeyMaterial
    return {**_material(world, entry), "keyId": _key(world, entry).id}


#: What ``serviceEventDetails`` holds, for the events that have it.
_DETAILS: dict[str, Callable[[World, Entry], Record]] = {"DeleteExpiredKeyMaterial": _expiry, "RotateKey": _rotation}


def _key(world: World, entry: Entry, arn: str = "") -> Key:
    """Return the key that an entry is about, or another by its ARN: of several lives of a replica, the one of then."""
    arn = arn or str(entry.key)
    lives = [one for one in world.former if one.arn == arn]
    lives += filter(None, (world.gone.get(arn), key_by_arn(world, arn)))
    return [one for one in lives if one.created_us <= entry.at_us][-1]


def _iso(us: int) -> str:
    return to_datetime(us).strftime("%Y-%m-%dT%H:%M:%SZ")


def _american(us: int) -> str:
    """Write a date as CloudTrail does inside ``responseElements``: ``Aug 10, 2022, 10:38:27 PM``."""
    moment = to_datetime(us)
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
    """Say of each entry whether an account's trail gets it: what ``recipients`` says of one entry."""
    import numpy as np

    log = world.log
    gets = [
        account_of(what.principal) == account or (is_told(what.error) and owner(what.key) == account)
        for what in log.happenings
    ]
    received = np.array(gets, bool).take(column(log.what))
    for index, more in log.more.items():
        if owner(more.get("source_key")) == account:
            received[index] |= is_told(log.entry(index).error)
    return received
