"""The key-card explorer: one card for each key of an account, as KMS itself describes it.

Everything on a card is what DescribeKey and ListAliases answer. They are asked on a copy of the lab, so looking
at a card leaves no entry in the learner's log. What a card cannot show, the key material, no call returns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any

from kms_lab.accounts import ACCOUNT
from kms_lab.doors.client import Client
from kms_lab.lab import Lab
from kms_lab.teach import svg, theme
from kms_lab.teach.widgets.base import Controls, LabWidget, buttons, choice

#: What the card lists of DescribeKey's answer, each member with its meaning in plain words.
SHOWN = {
    "Description": "a note, for people",
    "KeySpec": "kind of key",
    "KeyUsage": "what it is for",
    "CreationDate": "since when",
    "DeletionDate": "when it will be deleted",
    "KeyManager": "who manages it",
    "Origin": "who made its material",
}
#: The parts of a key's ARN between its colons, in order, and a hue for those that a learner looks for.
ARN_PARTS = (
    ("always arn", "slate"),
    ("partition", "slate"),
    ("service", "slate"),
    ("Region", "orange"),
    ("account", "green"),
    ("key ID", "blue"),
)
STATE_BADGES = {"Enabled": "good", "Disabled": "off", "PendingDeletion": "warn"}


@dataclass(frozen=True)
class KeyFacts:
    """What KMS tells of one key, as texts."""

    id: str
    arn: str
    region: str
    state: str
    spec: str
    aliases: tuple[str, ...]
    metadata: tuple[tuple[str, str], ...]
    material_id: str

    @property
    def name(self) -> str:
        """Its aliases, or its description where it has none."""
        return ", ".join(self.aliases) or f"no alias: “{dict(self.metadata).get('Description', '')}”"


@dataclass(frozen=True)
class State:
    """The keys that there are, and the one whose card is shown (an ARN)."""

    keys: tuple[KeyFacts, ...]
    key: str

    @property
    def chosen(self) -> KeyFacts:
        return next(one for one in self.keys if one.arn == self.key)


class KeyCards(LabWidget[State]):
    """Choose a key and read its card; "Look again" reads the account anew after you have changed something."""

    title = "The keys in your account"

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        keys = keys_of(lab)
        if not keys:
            raise ValueError("this account has no key yet, so there is no card to show")
        super().__init__(State(keys, newest(keys).arn))

    def controls(self) -> Controls:
        names = {f"{one.name} · {one.id[:8]}…": one.arn for one in self.state.keys}
        return Controls(key=choice(names, label="Key"), again=buttons({"again": "Look again"}, label="After a change"))

    def view(self, state: State) -> str:
        key = state.chosen
        badge = svg.badge(STATE_BADGES.get(key.state, "info"), key.state)
        names = escape(", ".join(key.aliases) or "A key without an alias")
        head = f'<p style="font-size:17px;font-weight:650;margin:0">{names}</p>'
        return svg.row(head, badge) + _arn(key) + svg.grid(_metadata(key), _material(key))

    def summary(self, state: State) -> str:
        key = state.chosen
        names = ", ".join(key.aliases) or "no alias"
        return (
            f"Key {key.id[:8]}… of {key.region}: {key.state}, {names}. KMS shows its metadata. Its key material stays "
            "in KMS."
        )

    def table(self, state: State) -> svg.Table:
        rows = [
            [
                one.id,
                ", ".join(one.aliases) or "none",
                one.region,
                (STATE_BADGES.get(one.state, "info"), one.state),
                one.spec,
            ]
            for one in state.keys
        ]
        return svg.Table(f"All keys of account {ACCOUNT}", ["Key ID", "Aliases", "Region", "State", "Key spec"], rows)

    def react(self, state: State, action: str, value: str) -> State:
        if action != "again":
            return super().react(state, action, value)
        keys = keys_of(self.lab)
        if not keys:
            return state
        return State(keys, state.key if any(one.arn == state.key for one in keys) else newest(keys).arn)


def newest(keys: tuple[KeyFacts, ...]) -> KeyFacts:
    """Return the key that was made last."""
    return max(reversed(keys), key=lambda one: dict(one.metadata)["CreationDate"])


def keys_of(lab: Lab, account: str = ACCOUNT) -> tuple[KeyFacts, ...]:
    """Ask a copy of the lab for an account's keys, Region by Region, in the order in which they were made."""
    copy = lab.fork()
    regions = [region for (owner, region), shelf in copy.world.shelves.items() if owner == account and shelf.keys]
    return tuple(facts for region in regions for facts in _in_region(copy.client(region=region), region))


def _in_region(kms: Client, region: str) -> Iterator[KeyFacts]:
    names: dict[str, list[str]] = {}
    for alias in _whole(kms.list_aliases, "Aliases"):
        names.setdefault(alias["TargetKeyId"], []).append(alias["AliasName"])
    for key in _whole(kms.list_keys, "Keys"):
        told = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        yield _facts(told, region, tuple(names.get(told["KeyId"], ())))


def _whole(listing: Callable[..., dict[str, Any]], member: str) -> Iterator[dict[str, Any]]:
    """Every item of a listing, page by page; boto3's paginators would cost the first picture their import."""
    page = listing()
    yield from page[member]
    while page["Truncated"]:
        page = listing(Marker=page["NextMarker"])
        yield from page[member]


def _facts(told: dict[str, Any], region: str, aliases: tuple[str, ...]) -> KeyFacts:
    metadata = tuple((name, _words(told[name])) for name in SHOWN if told.get(name))
    return KeyFacts(
        id=told["KeyId"],
        arn=told["Arn"],
        region=region,
        state=told["KeyState"],
        spec=told["KeySpec"],
        aliases=aliases,
        metadata=metadata,
        material_id=told.get("CurrentKeyMaterialId", ""),
    )


def _words(value: object) -> str:
    return f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else str(value)


def _arn(key: KeyFacts) -> str:
    """The ARN in one line, and under each part what it says."""
    texts = [*key.arn.split(":", 5)]
    pieces = []
    for at, (text, (meaning, hue)) in enumerate(zip(texts, ARN_PARTS)):
        colon = "" if at == len(texts) - 1 else "<span aria-hidden=true>:</span>"
        pieces.append(
            f'<span style="display:inline-flex;flex-direction:column;min-width:0">'
            f'<span class="kl-mono" style="white-space:normal"><strong style="color:{theme.var(hue)}">'
            f"{escape(text)}</strong>{colon}</span>"
            f'<span style="font-size:12px;color:{theme.var("muted")}">{escape(meaning)}</span></span>'
        )
    body = "".join(pieces)
    return (
        f'<div role="group" aria-label="The parts of its ARN" style="display:flex;flex-wrap:wrap;gap:6px 4px;'
        f'padding:10px 14px;margin:10px 0 12px;border:1px solid {theme.var("line")};border-radius:10px">{body}</div>'
    )


def _metadata(key: KeyFacts) -> str:
    rows = [("KeyState", key.state), *key.metadata]
    muted = f'style="display:block;font-size:12px;color:{theme.var("muted")}"'
    body = "".join(
        f'<dt class="kl-mono">{escape(name)}</dt><dd>{escape(value)} <span {muted}>{escape(_meaning(name))}</span></dd>'
        for name, value in rows
    )
    return svg.card("What KMS shows: metadata", f'<dl class="kl-facts">{body}</dl>', hue="blue")


def _meaning(name: str) -> str:
    return SHOWN.get(name, "may it be used now?")


def _material(key: KeyFacts) -> str:
    lock = svg.drawing(
        200,
        84,
        svg.box(4, 6, 192, 72, "stays in KMS", symbol="lock", hue="purple", strong=True),
        title="The key material is locked inside KMS",
    )
    parts = [f'<div style="max-width:200px;margin:0 auto 8px">{lock}</div>']
    parts.append(svg.paragraph("The secret bytes of the key. KMS makes them and uses them. No call hands them out."))
    if key.material_id:
        ids = f'<span class="kl-mono">{escape(key.material_id[:12])}…</span>'
        parts.append(f'<p class="kl-note">You see only which material it is: CurrentKeyMaterialId {ids}</p>')
    return svg.card("What KMS never shows: key material", *parts, hue="purple")
