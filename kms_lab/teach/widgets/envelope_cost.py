"""What an envelope saves, and what it costs in return: calls, dollars, bytes, and how much one leaked key opens.

Every number is asked for: prices and free tier of the bill (``views.bill``), the limit of Encrypt of AWS's own model,
the size of a blob of ``core.ciphertext``.

Not here: reading. Each later read asks Decrypt once, unless an app keeps the data key for a while.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from math import ceil, log10

from kms_lab.core import ciphertext, model
from kms_lab.envelope import KEY_BYTES, TAG_BYTES
from kms_lab.teach import svg
from kms_lab.teach.theme import var
from kms_lab.teach.widgets.base import Controls, LabWidget, log_slider
from kms_lab.views import bill
from kms_lab.views.tariff import FREE_REQUESTS, STANDARD, TARIFF

NONCE_BYTES = 12


def encrypt_limit() -> int:
    """Return the bytes of plaintext that one Encrypt takes, as AWS's model says."""
    return int(model.load()["shapes"]["PlaintextType"]["max"])


@dataclass(frozen=True)
class State:
    """A month's work.

    Attributes:
        size_bytes: of one object.
        objects: encrypted in a month.
        per_key: objects under one data key.
    """

    size_bytes: int = 10_000_000
    objects: int = 100_000
    per_key: int = 1


@dataclass(frozen=True)
class Way:
    """One way to encrypt them all.

    Attributes:
        calls: to KMS in a month.
        usd: for those calls, free tier taken off.
        extra_bytes: stored on top of each object.
    """

    name: str
    calls: int
    usd: Decimal
    extra_bytes: int


def directly(state: State) -> Way:
    """Send everything through Encrypt, cut into pieces as large as it takes."""
    limit = encrypt_limit()
    whole, rest = divmod(state.size_bytes, limit)
    extra = whole * (ciphertext.size(limit) - limit) + (ciphertext.size(rest) - rest if rest else 0)
    return _way("Encrypt only", state.objects * ceil(state.size_bytes / limit), extra)


def in_envelopes(state: State) -> Way:
    """Ask for a data key as often as the reuse rule says, and encrypt in the app."""
    return _way("Envelopes", ceil(state.objects / state.per_key), ciphertext.size(KEY_BYTES) + NONCE_BYTES + TAG_BYTES)


def opened_by_one_key(state: State) -> int:
    """How many objects one leaked data key opens."""
    return min(state.per_key, state.objects)


def _way(name: str, calls: int, extra_bytes: int) -> Way:
    return Way(name, calls, bill.estimate(requests={STANDARD: calls}).total, extra_bytes)


class EnvelopeCost(LabWidget[State]):
    """Move a slider and see calls, dollars and bytes for both ways."""

    title = "What an envelope saves"

    def controls(self) -> Controls:
        return Controls(
            size_bytes=log_slider(1_000, 1e9, label="Size of an object", say=size_in_words),
            objects=log_slider(1, 1e7, label="Encrypted in a month", say=_objects),
            per_key=log_slider(
                1, 1e5, label="Under one data key", say=_objects, help="The reuse rule. 1: a new data key each time."
            ),
        )

    def view(self, state: State) -> str:
        ways = directly(state), in_envelopes(state)
        cards = [_card(way, hue) for way, hue in zip(ways, ("orange", "blue"))]
        risk = svg.facts({"A leaked data key opens": _objects(opened_by_one_key(state))})
        cards.append(svg.card("The other side", risk, svg.paragraph(_trade(state), note=True), hue="rose"))
        axis = svg.paragraph("Calls to KMS in a month; each mark is ten times the one before.", note=True)
        fine = (
            f"Requests cost {TARIFF.price(STANDARD).text}, after {FREE_REQUESTS:,} free ones a month. "
            "The KMS key is charged by the month, the same both ways. Reading is not counted here."
        )
        return svg.responsive(_bars(ways)) + axis + svg.grid(*cards) + svg.row(svg.paragraph(fine, note=True))

    def summary(self, state: State) -> str:
        direct, envelope = directly(state), in_envelopes(state)
        return (
            f"{_objects(state.objects)} of {size_in_words(state.size_bytes)}: "
            f"{direct.calls:,} calls ({_usd(direct.usd)}) with Encrypt only, "
            f"{envelope.calls:,} ({_usd(envelope.usd)}) with envelopes. "
            f"A leaked data key opens {_objects(opened_by_one_key(state))}."
        )

    def table(self, state: State) -> svg.Table:
        rows = [[way.name, way.calls, _usd(way.usd), way.extra_bytes] for way in (directly(state), in_envelopes(state))]
        return svg.Table("Both ways for a month", ["Way", "KMS calls", "Requests, USD", "Extra bytes per object"], rows)


def size_in_words(count: int) -> str:
    """
    >>> size_in_words(5_000), size_in_words(10_000_000)
    ('5 KB', '10 MB')
    """
    for unit, each in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if count >= each:
            return f"{count / each:,.4g} {unit}"
    return f"{count} bytes"


def _card(way: Way, hue: str) -> str:
    pairs = {"KMS calls": way.calls, "Requests": _usd(way.usd), "Extra bytes per object": f"{way.extra_bytes:,}"}
    return svg.card(way.name, svg.facts(pairs), hue=hue)


def _usd(amount: Decimal) -> str:
    return f"${amount:,.2f}"


def _objects(count: int) -> str:
    return f"{count:,} object{'' if count == 1 else 's'}"


def _trade(state: State) -> str:
    if state.per_key == 1:
        return "As small as it gets. Reuse saves calls, and makes this number grow."
    return "Fewer calls, but a bigger pile under one key."


def _bars(ways: tuple[Way, ...]) -> Callable[[float], str]:
    """Calls as bars on a scale of powers of ten."""
    most = max(way.calls for way in ways)
    powers = max(1, ceil(log10(most))) if most > 1 else 1

    def draw(width: float) -> str:
        left = 2.0
        room = width - left - 12
        parts = []
        for power in range(0, powers + 1, max(1, ceil(powers * 52 / room))):
            x = left + room * power / powers
            parts.append(f'<path d="M{x:.1f} 8 V124" stroke="{var("line")}"/>')
            anchor = "start" if power == 0 else "end" if power == powers else "middle"
            parts.append(svg.text(x, 142, _power(power), size=12, anchor=anchor, hue="muted"))
        for number, (way, hue) in enumerate(zip(ways, ("orange", "blue"))):
            y, long = 8 + number * 60, max(4.0, room * log10(max(way.calls, 1)) / powers)
            parts.append(svg.text(left + 4, y + 14, f"{way.name}: {way.calls:,} calls", size=14, weight=600, hue=hue))
            parts.append(
                f'<rect x="{left}" y="{y + 22}" width="{long:.1f}" height="22" rx="5"'
                f' fill="{var(hue, soft=True)}" stroke="{var(hue)}" stroke-width="1.5"/>'
            )
        few = ways[1].calls
        title = f"KMS calls a month: {ways[0].calls:,} with Encrypt only, {few:,} with envelopes"
        return svg.drawing(width, 150, *parts, title=title, desc="Each mark of the scale is ten times the one before.")

    return draw


def _power(power: int) -> str:
    """
    >>> _power(2), _power(4), _power(7)
    ('100', '10K', '10M')
    """
    return f"{10 ** (power % 3)}{('', 'K', 'M', 'B', 'T', 'Q')[power // 3]}"
