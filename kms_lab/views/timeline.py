"""The history of one key: its materials one after another, and everything that changed it.

Not here: drawing it (see ``teach``), and who used the key for what (see ``audit``).
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kms_lab.core.clock import to_datetime
from kms_lab.core.keys import DISABLED, ENABLED, PENDING_DELETION, PENDING_IMPORT, Key
from kms_lab.core.log import Entry
from kms_lab.core.world import World
from kms_lab.views.audit import column
from kms_lab.views.table import html_table, text_table

if TYPE_CHECKING:
    import pandas as pd

#: How the lab calls the state of a key that is no more; AWS has no word, since nobody can ask.
DELETED = "Deleted"
CURRENT = "CURRENT"
NON_CURRENT = "NON_CURRENT"


@dataclass(frozen=True, slots=True)
class Material:
    """One key material.

    Attributes:
        id: AWS's ``KeyMaterialId``.
        since, until: when it was the one that encrypts (aware UTC); ``until`` is None while it still is.
        how: ``FIRST``, or the rotation that brought it: ``AUTOMATIC`` or ``ON_DEMAND``.
        state: ``CURRENT`` encrypts and decrypts, ``NON_CURRENT`` only decrypts, ``Deleted`` is gone with its key.
    """

    id: str
    since: datetime
    until: datetime | None
    how: str
    state: str


@dataclass(frozen=True, slots=True)
class Event:
    """One change.

    Attributes:
        at: when (aware UTC).
        what: the operation, or KMS's own ``RotateKey`` and ``DeleteKey``.
        detail: what changed, in words.
        by: the caller's ARN; None for what KMS did by itself.
        state: the key's state afterwards.
        entry: the number of the log's entry.
    """

    at: datetime
    what: str
    detail: str
    by: str | None
    state: str
    entry: int


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
        return pd.DataFrame(rows, columns=names).set_index("entry")

    def _material_rows(self) -> list[tuple[str, ...]]:
        return [
            (
                str(number),
                f"{material.id[:8]}…",
                _minute(material.since),
                _minute(material.until) if material.until else "now",
                material.how,
                material.state,
                _USES[material.state],
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


_USES = {CURRENT: "encrypts and decrypts", NON_CURRENT: "decrypts only", DELETED: "gone"}
_MATERIAL_HEAD = ("No.", "Material", "Current from (UTC)", "to (UTC)", "How", "State", "Use")
_EVENT_HEAD = ("When (UTC)", "What", "Detail", "By", "State after")


def timeline(world: World, key: Key) -> Timeline:
    """Return the history of a key, living or deleted (``world.gone``)."""
    return Timeline(key.arn, tuple(_materials(key, key.arn in world.gone)), tuple(_events(world, key)))


def _materials(key: Key, deleted: bool) -> Iterator[Material]:
    ends = [one.since_us for one in key.materials[1:]] + [key.deletion_us if deleted else None]
    for one, end_us in zip(key.materials, ends):
        state = DELETED if deleted else CURRENT if one is key.current else NON_CURRENT
        until = None if end_us is None else to_datetime(end_us)
        yield Material(one.id, to_datetime(one.since_us), until, one.how, state)


def _events(world: World, key: Key) -> Iterator[Event]:
    """Fold the log's changes of this key; of aliases also those that went to another key."""
    state, names = ENABLED, set[str]()
    for entry in _changes(world, key):
        ours = entry.key == key.arn
        alias = entry.request.get("AliasName")
        if not ours:
            if alias not in names:
                continue
            names.discard(alias)
        elif entry.operation == "DeleteAlias":
            names.discard(str(alias))
        elif alias is not None:
            names.add(alias)
        if ours and entry.operation in _STATES:
            state = _STATES[entry.operation](entry, key)
        yield Event(
            to_datetime(entry.at_us),
            entry.operation,
            _DETAILS[entry.operation](entry) if ours else f"{alias} now points at {_short(entry.key)}",
            entry.principal,
            state,
            entry.index,
        )


def _changes(world: World, key: Key) -> Iterator[Entry]:
    """Yield the log's successful changes of the key, and of any alias in its place, oldest first."""
    import numpy as np

    log = world.log
    place = key.arn.partition(":key/")[0]
    matters = [
        what.error is None
        and what.operation in _DETAILS
        and (what.key == key.arn or (what.operation == "UpdateAlias" and (what.key or "").startswith(f"{place}:")))
        for what in log.happenings
    ]
    for index in np.flatnonzero(np.array(matters, bool).take(column(log.what))).tolist():
        yield log.entry(index)


def _made(entry: Entry, _key: Key) -> str:
    return PENDING_IMPORT if entry.request.get("Origin") == "EXTERNAL" else ENABLED


#: The state of a key after a change; other changes leave it as it is.
_STATES: dict[str, Callable[[Entry, Key], str]] = {
    "CreateKey": _made,
    "EnableKey": lambda _entry, _key: ENABLED,
    "DisableKey": lambda _entry, _key: DISABLED,
    "ScheduleKeyDeletion": lambda _entry, _key: PENDING_DELETION,
    "CancelKeyDeletion": lambda _entry, key: DISABLED if key.materials else PENDING_IMPORT,
    "DeleteKey": lambda _entry, _key: DELETED,
}


def _asked(name: str, default: Any = "") -> Callable[[Entry], str]:
    return lambda entry: str(entry.request.get(name, default))


def _rotated(entry: Entry) -> str:
    return f"{entry.more['rotation_type']}: material {str(entry.material)[:8]}… is current"


def _tagged(entry: Entry) -> str:
    return ", ".join(f"{tag['TagKey']} = {tag['TagValue']}" for tag in entry.request.get("Tags", ()))


def _policy(entry: Entry) -> str:
    statements = json.loads(entry.request["Policy"]).get("Statement", [])
    count = len(statements) if isinstance(statements, list) else 1
    return f"{count} statement{'s' if count != 1 else ''}"


#: What counts as a change, and how each is told.
_DETAILS: dict[str, Callable[[Entry], str]] = {
    "CreateKey": _asked("KeySpec", "SYMMETRIC_DEFAULT"),
    "EnableKey": lambda _: "may be used",
    "DisableKey": lambda _: "may not be used",
    "ScheduleKeyDeletion": lambda entry: f"in {entry.request.get('PendingWindowInDays', 30)} days",
    "CancelKeyDeletion": lambda _: "stays",
    "DeleteKey": lambda _: "its material is gone",
    "EnableKeyRotation": lambda entry: f"every {entry.request.get('RotationPeriodInDays', 365)} days",
    "DisableKeyRotation": lambda _: "no more automatic rotations",
    "RotateKeyOnDemand": lambda _: "asked for",
    "RotateKey": _rotated,
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


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
