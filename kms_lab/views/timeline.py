"""The history of one key: its materials one after another, and everything that changed it.

The log tells what changed, and the key's own record which states it has been in: some of them KMS ends by itself, with
no event in CloudTrail.

Not here: drawing it (see ``teach``), and who used the key for what (see ``audit``).
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kms_lab.core.clock import read_us, to_datetime
from kms_lab.core.keys import CREATING, PENDING_REPLICA_DELETION, UNAVAILABLE, UPDATING, Key, KeyMaterial, Past
from kms_lab.core.log import Entry, Happening
from kms_lab.core.world import World
from kms_lab.service.find import key_by_arn
from kms_lab.service.operations.rotation import CURRENT, NON_CURRENT, PENDING_ELSEWHERE, PENDING_ROTATION, state_of
from kms_lab.views.audit import column
from kms_lab.views.table import html_table, text_table

if TYPE_CHECKING:
    import pandas as pd

#: How the lab calls the state of a key that is no more; AWS has no word, since nobody can ask.
DELETED = "Deleted"
#: How it calls a change of state that CloudTrail has no event of.
KEY_STATE = "KeyState"


@dataclass(frozen=True, slots=True)
class Material:
    """One key material.

    Attributes:
        id: AWS's ``KeyMaterialId``.
        since, until: when it was the one that encrypts (aware UTC); ``until`` is None while it still is, both for
            imported material that waits to be rotated in.
        how: ``FIRST``, or the rotation that brought it: ``AUTOMATIC`` or ``ON_DEMAND``; "" for material that waits.
        state: AWS's ``KeyMaterialState``. ``CURRENT`` encrypts and decrypts, ``NON_CURRENT`` only decrypts,
            ``PENDING_ROTATION`` and ``PENDING_MULTI_REGION_IMPORT_AND_ROTATION`` wait; ``Deleted`` is gone with the
            key.
        missing: why the bytes of imported material are not here: ``deleted``, ``expired`` or ``not imported``; ""
            while they are.
        expires: when imported material goes by itself; None for never.
    """

    id: str
    since: datetime | None
    until: datetime | None
    how: str
    state: str
    missing: str = ""
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One change.

    Attributes:
        at: when (aware UTC).
        what: the operation, or an event of KMS's own such as ``RotateKey`` and ``DeleteKey``; ``KeyState`` for a change
            that is no event: a replica that is ready, a key store that is connected.
        detail: what changed, in words.
        by: the caller's ARN; None for what KMS did by itself.
        state: the key's state afterwards.
        entry: the number of the log's entry; None for ``KeyState``.
    """

    at: datetime
    what: str
    detail: str
    by: str | None
    state: str
    entry: int | None


@dataclass(frozen=True)
class Timeline:
    """A key's history. A notebook shows it as two tables."""

    key: str
    materials: tuple[Material, ...]
    events: tuple[Event, ...]

    def frame(self) -> "pd.DataFrame":
        """Return one row for each material, oldest first."""
        import pandas as pd

        names = list(Material.__slots__)
        rows = [[getattr(material, name) for name in names] for material in self.materials]
        return pd.DataFrame(rows, columns=names).rename_axis("material")

    def event_frame(self) -> "pd.DataFrame":
        """Return one row for each change, oldest first; the index is the entry's number in the log."""
        import pandas as pd

        names = list(Event.__slots__)
        rows = [[getattr(event, name) for name in names] for event in self.events]
        table = pd.DataFrame(rows, columns=names)
        return table.astype({"entry": "Int64"}).set_index("entry")

    def _material_rows(self) -> list[tuple[str, ...]]:
        return [
            (
                str(number),
                f"{material.id[:8]}…",
                _minute(material.since) if material.since else "",
                _minute(material.until) if material.until else "now" if material.since else "",
                material.how,
                material.state,
                f"none: {material.missing}" if material.missing else _USES[material.state],
            )
            for number, material in enumerate(self.materials, 1)
        ]

    def _event_rows(self) -> list[tuple[str, ...]]:
        return [
            (
                _minute(event.at),
                event.what,
                event.detail,
                event.by.rpartition(":")[2] if event.by else "AWS KMS",
                event.state,
            )
            for event in self.events
        ]

    def _repr_html_(self) -> str:
        name = self.key.rpartition("/")[2]
        return html_table(f"Materials of key {name}", _MATERIAL_HEAD, self._material_rows(), numbers=(0,)) + html_table(
            f"Changes of key {name}", _EVENT_HEAD, self._event_rows()
        )

    def __str__(self) -> str:
        return f"{self.key}\n{text_table([_MATERIAL_HEAD, *self._material_rows()], numbers=(0,))}\n\n" + text_table(
            [_EVENT_HEAD, *self._event_rows()]
        )

    def __repr__(self) -> str:
        return f"<Timeline of {self.key}: {len(self.materials)} materials, {len(self.events)} changes>"


_USES = {
    CURRENT: "encrypts and decrypts",
    NON_CURRENT: "decrypts only",
    PENDING_ROTATION: "waits for a rotation",
    PENDING_ELSEWHERE: "waits for its import into every Region",
    DELETED: "gone",
}
_MATERIAL_HEAD = ("No.", "Material", "Current from (UTC)", "to (UTC)", "How", "State", "Use")
_EVENT_HEAD = ("When (UTC)", "What", "Detail", "By", "State after")


def timeline(world: World, key: Key) -> Timeline:
    """Return the history of a key, living or deleted (``world.gone``)."""
    return Timeline(key.arn, tuple(_materials(world, key)), tuple(_events(world, key)))


# ------------------------------------------------------------------------------ materials


def _materials(world: World, key: Key) -> Iterator[Material]:
    deleted = key_by_arn(world, key.arn) is not key
    ends = [one.since_us for one in key.materials[1:]] + [key.deletion_us if deleted else None]
    imported = key.origin == "EXTERNAL" and not deleted
    fates = _fates(world, key) if imported else {}
    spans: list[tuple[KeyMaterial, int | None, int | None, str]] = [
        (one, one.since_us, end_us, one.how) for one, end_us in zip(key.materials, ends)
    ]
    spans += [(one, None, None, "") for one in key.pending]
    for one, since_us, until_us, how in spans:
        state = DELETED if deleted else state_of(world, key, one)
        missing = fates.get(one.id, "not imported") if imported and not one.secret else ""
        yield Material(one.id, _moment(since_us), _moment(until_us), how, state, missing, _moment(one.expires_us))


def _fates(world: World, key: Key) -> dict[str, str]:
    """Return how imported materials went, by id, as the log's last word on each."""
    ends = {"DeleteExpiredKeyMaterial": "expired", "DeleteImportedKeyMaterial": "deleted"}
    return {str(entry.material): ends[entry.operation] for entry in _changes(world, key) if entry.operation in ends}


# ------------------------------------------------------------------------------ changes


def _events(world: World, key: Key) -> list[Event]:
    """Put together the log's changes of a key and the states that ended without one, each before the next entry."""
    silent = [(past.entry, 0, event) for past, event in _silent(key)]
    told = [(event.entry or 0, 1, event) for event in (_event(key, *each) for each in _told(world, key))]
    return [event for *_, event in sorted(silent + told, key=lambda each: each[:2])]


def _silent(key: Key) -> Iterator[tuple[Past, Event]]:
    """Yield the states of a key whose end no entry tells of, each with its event."""
    states = [past.state for past in key.past[1:]] + [key.state]
    for past, state in zip(key.past, states):
        if not past.told:
            yield past, Event(to_datetime(past.at_us), KEY_STATE, _SILENT[past.state], None, state, None)


def _event(key: Key, entry: Entry, detail: str) -> Event:
    state = DELETED if entry.operation == "DeleteKey" else key.state_after(entry.index)
    return Event(to_datetime(entry.at_us), entry.operation, detail, entry.principal, state, entry.index)


def _told(world: World, key: Key) -> Iterator[tuple[Entry, str]]:
    """Yield the log's changes of a key, each in words; of aliases also those that went to another key."""
    names = set[str]()
    for entry in _changes(world, key):
        ours = entry.key == key.arn
        alias = entry.request.get("AliasName")
        if alias is not None and not ours:
            if alias not in names:
                continue
            names.discard(alias)
        elif entry.operation == "DeleteAlias":
            names.discard(str(alias))
        elif alias is not None:
            names.add(alias)
        moved = alias is not None and not ours
        yield entry, f"{alias} now points at {_short(entry.key)}" if moved else _DETAILS[entry.operation](entry)


def _changes(world: World, key: Key) -> list[Entry]:
    """Return the log's successful changes of the key, and of any alias in its place, oldest first.

    A replica that was deleted and made again has two lives with one ARN; only those of this life are returned.
    """
    place = key.arn.partition(":key/")[0]
    numbers = {past.entry for past in key.past if past.told}  # a change of state that the log tells of other keys

    def matters(what: Happening) -> bool:
        if what.error is not None or what.operation not in _DETAILS:
            return False
        named = what.key or ""
        related = key.multi_region and what.operation in _SHARED and named.split(":")[4:] == key.arn.split(":")[4:]
        return named == key.arn or related or (what.operation == "UpdateAlias" and named.startswith(f"{place}:"))

    entries = {entry.index: entry for entry in _entries(world, matters)}
    entries |= {number: world.log.entry(number) for number in numbers - entries.keys()}
    return _life([entries[number] for number in sorted(entries)], key)


def _life(entries: Sequence[Entry], key: Key) -> list[Entry]:
    """Return the entries from a key's creation to its deletion. AWS's own keys have no entry of their creation."""
    begins = [
        number
        for number, entry in enumerate(entries)
        if (entry.operation, entry.key, entry.at_us) == ("CreateKey", key.arn, key.created_us)
    ]
    ours = entries[begins[-1] :] if begins else entries
    ends = [number for number, entry in enumerate(ours) if (entry.operation, entry.key) == ("DeleteKey", key.arn)]
    return list(ours[: ends[0] + 1] if ends else ours)


def _entries(world: World, matters: Callable[[Happening], bool]) -> Iterator[Entry]:
    """Yield the log's entries of some happenings, oldest first."""
    import numpy as np

    log = world.log
    chosen = np.array([matters(what) for what in log.happenings], bool)
    for index in np.flatnonzero(chosen.take(column(log.what))).tolist():
        yield log.entry(index)


#: How the end of a state is told that has no event.
_SILENT = {
    CREATING: "the replica is ready",
    PENDING_REPLICA_DELETION: "its last replica is gone; the waiting period begins",
    UNAVAILABLE: "its key store is connected",
    UPDATING: "the primary Region has changed",
}
#: Changes of one multi-Region key that are changes of all related ones.
_SHARED = frozenset(
    {"DisableKeyRotation", "EnableKeyRotation", "RotateKey", "RotateKeyOnDemand", "UpdatePrimaryRegion"}
)


def _asked(name: str, default: Any = "") -> Callable[[Entry], str]:
    return lambda entry: str(entry.request.get(name, default))


def _rotated(entry: Entry) -> str:
    return f"{entry.more['rotation_type']}: material {str(entry.material)[:8]}… is current"


def _born(entry: Entry) -> str:
    spec = str(entry.request.get("KeySpec") or entry.request.get("CustomerMasterKeySpec") or "SYMMETRIC_DEFAULT")
    return f"{spec}, a replica of the key in {entry.more['primary']}" if "primary" in entry.more else spec


def _granted(entry: Entry) -> str:
    grantee = str(entry.request.get("GranteePrincipal") or entry.request.get("GranteeServicePrincipal"))
    return f"{_grant(entry)}: {grantee.rpartition(':')[2]} may {', '.join(entry.request['Operations'])}"


def _grant(entry: Entry) -> str:
    return f"grant {entry.more['grant'][:8]}…"


def _imported(entry: Entry) -> str:
    until = entry.request.get("ValidTo")
    return _material(entry) + ("" if until is None else f", until {_minute(to_datetime(read_us(until)))}")


def _material(entry: Entry) -> str:
    return f"material {entry.material[:8]}…" if entry.material else "there was none"


def _tagged(entry: Entry) -> str:
    return ", ".join(f"{tag['TagKey']} = {tag['TagValue']}" for tag in entry.request.get("Tags", ()))


def _policy(entry: Entry) -> str:
    statements = json.loads(entry.request["Policy"]).get("Statement", [])
    count = len(statements) if isinstance(statements, list) else 1
    return f"{count} statement{'s' if count != 1 else ''}"


#: What counts as a change, and how each is told.
_DETAILS: dict[str, Callable[[Entry], str]] = {
    "CreateKey": _born,
    "EnableKey": lambda _: "may be used",
    "DisableKey": lambda _: "may not be used",
    "ScheduleKeyDeletion": lambda entry: f"waiting period of {entry.request.get('PendingWindowInDays', 30)} days",
    "CancelKeyDeletion": lambda _: "stays",
    "DeleteKey": lambda _: "its material is gone",
    "EnableKeyRotation": lambda entry: f"every {entry.request.get('RotationPeriodInDays', 365)} days",
    "DisableKeyRotation": lambda _: "no more automatic rotations",
    "RotateKeyOnDemand": lambda _: "asked for",
    "RotateKey": _rotated,
    "ImportKeyMaterial": _imported,
    "DeleteImportedKeyMaterial": _material,
    "DeleteExpiredKeyMaterial": _material,
    "CreateGrant": _granted,
    "RetireGrant": lambda entry: f"{_grant(entry)} ends",
    "RevokeGrant": lambda entry: f"{_grant(entry)} ends",
    "ReplicateKey": lambda entry: f"into {entry.request['ReplicaRegion']}",
    "UpdatePrimaryRegion": lambda entry: f"{entry.request['PrimaryRegion']} becomes the primary Region",
    "DisconnectCustomKeyStore": lambda _: "its key store is disconnected",
    "CreateAlias": _asked("AliasName"),
    "UpdateAlias": lambda entry: f"{entry.request['AliasName']} now points here",
    "DeleteAlias": _asked("AliasName"),
    "UpdateKeyDescription": _asked("Description"),
    "PutKeyPolicy": _policy,
    "TagResource": _tagged,
    "UntagResource": lambda entry: ", ".join(entry.request.get("TagKeys", ())),
}


def _short(arn: str | None) -> str:
    return f"key {(arn or '').rpartition('/')[2]}"


def _moment(us: int | None) -> datetime | None:
    return None if us is None else to_datetime(us)


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
