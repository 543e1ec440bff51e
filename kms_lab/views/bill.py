"""The bill: what AWS would charge an account for what happened. A fold over the log and the keys' history alone.

Keys are charged to their owner by the hour: from CreateKey until ScheduleKeyDeletion, and as if that had never been
called once it is cancelled. Whatever its kind and wherever its material is, a key costs the same, and each replica is a
key. The first two rotations of a key each add a dollar a month from their hour on. Requests are charged to the account
that makes them, at the price of their class. Rotations and deletions that KMS does by itself are no requests.

Each calendar month (UTC) is a bill of its own, rounded to the cent; the total is the sum of the bills.

Not here: the prices (see ``tariff``), and other services' bills.

Source: AWS KMS pricing page, "Key storage", "Key usage" and "Free tier".
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from kms_lab.core.clock import HOUR_US, to_datetime, to_us
from kms_lab.core.keys import Key
from kms_lab.core.log import Happening
from kms_lab.core.names import Principal
from kms_lab.core.specs import SPECS
from kms_lab.core.world import World
from kms_lab.service.operation import KEY_SPEC, OPERATIONS, PAIR_SPEC
from kms_lab.views import tariff as book
from kms_lab.views.audit import column
from kms_lab.views.table import html_table, text_table
from kms_lab.views.tariff import FREE_REQUESTS, HOME_REGION, PAID_ROTATIONS, TARIFF, Price, Tariff

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

_CENT = Decimal("0.01")
_FINE = Decimal("1E-10")
_SHOWN_ROWS = 60
_CHUNK = 1 << 16
#: requests by (month, Region, class)
Counts = Mapping[tuple[str, str, str], int]


class Item(NamedTuple):
    """One line of one month's bill.

    Attributes:
        month: ``2026-01``.
        what: what is charged, in words.
        key: ARN of the key; None for requests.
        quantity: how many ``unit``; parts of a month for keys.
        price_usd: dollars for one unit; 0 inside the free tier.
        amount_usd: quantity x price, to ten places.
        note: how the quantity came about.
    """

    month: str
    what: str
    region: str
    key: str | None
    quantity: Decimal
    unit: str
    price_usd: Decimal
    amount_usd: Decimal
    note: str


@dataclass(frozen=True)
class Bill:
    """An account's bills, month by month. A notebook shows it as a table.

    Attributes:
        account: whose it is; "" for an estimate.
        until: up to when (aware UTC); None for an estimate.
        items: the lines, by month.
    """

    account: str
    until: datetime | None
    items: tuple[Item, ...]

    @property
    def total(self) -> Decimal:
        """Dollars, to the cent."""
        return sum(self.months().values(), Decimal("0.00"))

    def months(self) -> dict[str, Decimal]:
        """Return each month's bill in dollars, to the cent."""
        sums: dict[str, Decimal] = {}
        for item in self.items:
            sums[item.month] = sums.get(item.month, Decimal(0)) + item.amount_usd
        return {month: cents(amount) for month, amount in sums.items()}

    def frame(self) -> "pd.DataFrame":
        """Return the items as a DataFrame, one row each; quantities and dollars are Decimals."""
        import pandas as pd

        return pd.DataFrame(self.items, columns=list(Item._fields))

    @property
    def caption(self) -> str:
        """What the bill is of, in one line."""
        if self.until is None:
            return "AWS KMS, estimate for one month, USD"
        return f"AWS KMS, account {self.account}, until {self.until:%Y-%m-%d %H:%M} UTC, USD"

    def rows(self) -> list[tuple[str, ...]]:
        """Return the lines as text, equal lines of several months taken together."""
        groups: dict[tuple[object, ...], list[Item]] = {}
        single = len({(item.what, item.key, item.price_usd) for item in self.items}) <= _SHOWN_ROWS
        for item in self.items:
            key = item.key if single else None
            groups.setdefault((item.what, item.region, key, item.price_usd, item.unit), []).append(item)
        return [_line(items, single) for items in groups.values()]

    def _repr_html_(self) -> str:
        months = len(self.months())
        total = "Total" if months < 2 else f"Total of {months} monthly bills"
        foot = (total, *[""] * (len(_HEAD) - 2), f"{self.total:,.2f}")
        return html_table(self.caption, _HEAD, self.rows(), foot=foot, numbers=(3, 5, 6))

    def __str__(self) -> str:
        total = ("Total", *[""] * (len(_HEAD) - 2), f"{self.total:,.2f}")
        return f"{self.caption}\n{text_table([_HEAD, *self.rows(), total], numbers=(3, 5, 6))}"

    def __repr__(self) -> str:
        return f"<Bill: ${self.total:,.2f} in {len(self.months())} months>"


_HEAD = ("What", "For", "Month", "Quantity", "Unit", "Price of one", "Amount")


def bill(world: World, account: str, until: datetime | None = None, tariff: Tariff = TARIFF) -> Bill:
    """Return what an account would be charged for everything up to ``until``, by default now.

    Raises:
        ValueError: ``until`` has no time zone.
    """
    until_us = world.clock.now_us if until is None else to_us(until)
    holdings = _holdings(world, account, until_us)
    items = [
        *_key_items(holdings, tariff),
        *_request_items(_requests(world, account, until_us), tariff),
    ]
    items.sort(key=lambda item: item.month)
    return Bill(account, to_datetime(until_us), tuple(items))


def estimate(
    keys: int = 0,
    requests: Mapping[str, int] | None = None,
    rotations: int = 0,
    region: str = HOME_REGION,
    tariff: Tariff = TARIFF,
) -> Bill:
    """Return what one whole month costs, without a world.

    Args:
        keys: customer managed keys; each replica of a multi-Region key is one.
        requests: how many, by class (``tariff.REQUEST_CLASSES``).
        rotations: how often each key has been rotated before the month began.

    >>> estimate(keys=1, requests={"standard": 2_010_000}).total  # AWS's example of S3
    Decimal('6.97')
    """
    month = "a month"
    items = []
    for code, count in ((book.KEY, keys), (book.ROTATION, keys * min(rotations, PAID_ROTATIONS))):
        if count:
            items.append(_item(month, tariff.price(code, region), region, count, "all month"))
    counts = {(month, region, code): count for code, count in (requests or {}).items()}
    return Bill("", None, (*items, *_request_items(counts, tariff)))


def cents(usd: Decimal) -> Decimal:
    """Round to the cent, half a cent upwards."""
    return usd.quantize(_CENT, ROUND_HALF_UP)


# ------------------------------------------------------------------------------ keys


@dataclass(slots=True)
class _Holding:
    """How long a key was charged for, and from when each rotation that costs, by its number."""

    key: Key
    end_us: int
    rotations_us: dict[int, int]


def _holdings(world: World, account: str, until_us: int) -> list[_Holding]:
    """Return the account's customer managed keys, living and deleted, with what the log says of their time."""
    holdings = [
        _Holding(key, until_us, {})
        for key in world.every_key()
        if key.account == account and key.manager == "CUSTOMER" and key.created_us <= until_us
    ]
    rotated: dict[str, int] = {}
    by_arn: dict[str | None, list[_Holding]] = {}
    for holding in holdings:
        by_arn.setdefault(holding.key.arn, []).append(holding)
    for at_us, what in _key_events(world, until_us):
        # a replica that was deleted and made again is another key with the same ARN
        lives = [holding for holding in by_arn.get(what.key, ()) if holding.key.created_us <= at_us]
        if not lives:
            continue
        holding = max(lives, key=lambda holding: holding.key.created_us)
        if what.operation == "ScheduleKeyDeletion":
            # unverified: that a primary is free too while it waits for its last replica to be deleted
            holding.end_us = at_us
        elif what.operation == "CancelKeyDeletion":
            holding.end_us = until_us
        else:
            # unverified: that related keys, which rotate together, pay once, for the key that was the primary then
            family = holding.key.id
            number = rotated[family] = rotated.get(family, 0) + 1
            if number <= PAID_ROTATIONS:
                holding.rotations_us[number] = at_us
    return sorted(holdings, key=lambda holding: (holding.key.created_us, holding.key.arn))


_KEY_EVENTS = ("ScheduleKeyDeletion", "CancelKeyDeletion", "RotateKey")


def _key_events(world: World, until_us: int) -> Iterator[tuple[int, Happening]]:
    """Yield what changes the price of a key, oldest first."""
    import numpy as np

    log = world.log
    matters = np.array([what.operation in _KEY_EVENTS and what.error is None for what in log.happenings], bool)
    for index in np.flatnonzero(matters.take(column(log.what))).tolist():
        if log.at_us[index] <= until_us:
            yield log.at_us[index], log.happenings[log.what[index]]


def _key_items(holdings: Iterable[_Holding], tariff: Tariff) -> Iterator[Item]:
    for holding in holdings:
        key = holding.key
        price = tariff.price(book.KEY, key.region)
        yield from _month_items(price, key, key.created_us, holding.end_us, "")
        price = tariff.price(book.ROTATION, key.region)
        for number, since_us in holding.rotations_us.items():
            yield from _month_items(price, key, since_us, holding.end_us, f"rotation {number}, ")


def _month_items(price: Price, key: Key, start_us: int, end_us: int, note: str) -> Iterator[Item]:
    """Yield a line for each month that a time touches."""
    # unverified: that an hour that has begun counts whole; the page says "prorated hourly"
    hour, end = start_us // HOUR_US, -(-end_us // HOUR_US)
    while hour < end:
        month = _month_of(hour)
        hours, all_hours = min(end, month.end) - hour, month.end - month.start
        quantity, amount = _part(hours, all_hours, price.each_usd)
        yield Item(
            month.name, price.what, key.region, key.arn, quantity, price.unit, price.each_usd, amount,
            f"{note}{hours} of {all_hours} hours",
        )  # fmt: skip
        hour = month.end


class _Month(NamedTuple):
    """A calendar month in hours since 1970; ``end`` is the first hour after it."""

    name: str
    start: int
    end: int


@lru_cache(maxsize=4096)
def _month_of(hour: int) -> _Month:
    """Return the month that an hour lies in."""
    moment = to_datetime(hour * HOUR_US)
    start = datetime(moment.year, moment.month, 1, tzinfo=UTC)
    end = datetime(moment.year + moment.month // 12, moment.month % 12 + 1, 1, tzinfo=UTC)
    return _Month(f"{moment:%Y-%m}", to_us(start) // HOUR_US, to_us(end) // HOUR_US)


@lru_cache(maxsize=4096)
def _part(hours: int, all_hours: int, each_usd: Decimal) -> tuple[Decimal, Decimal]:
    """Return a part of a month, and what it costs."""
    quantity = Decimal(hours) / all_hours
    return quantity, _fine(quantity * each_usd)


# ------------------------------------------------------------------------------ requests


def request_class(operation: str, spec: str | None) -> str:
    """Return the price class of a request.

    Args:
        spec: of the data key pair that it asks for, else of its key; None where there is none.

    Source: AWS KMS pricing page and price list; the class of each operation stands in its row.
    """
    # unverified: that refused requests are charged like others (the page exempts none); that ReEncrypt goes by its
    # destination key; that managing an asymmetric key is a standard request; that the CreateKey by which ReplicateKey
    # makes a replica counts as a request of its own, as CloudTrail shows it
    price = OPERATIONS[operation].price if operation in OPERATIONS else book.STANDARD
    if price == PAIR_SPEC:
        # unverified: ML-KEM pairs, for which no price was seen
        return book.DATA_KEY_PAIR_RSA if (spec or "").startswith("RSA_") else book.DATA_KEY_PAIR_ECC
    if price != KEY_SPEC:
        return price
    return SPECS[spec].price if spec is not None else book.STANDARD


def tally(columns: Sequence["npt.NDArray[np.integer[Any]]"], sizes: Sequence[int]) -> "npt.NDArray[np.int64]":
    """Count how often each combination of values occurs: 10^7 rows of small numbers take about 20 ms.

    Args:
        columns: equally long columns of whole numbers from 0.
        sizes: by column, one more than its greatest number. The result has this shape.
    """
    import numpy as np

    cells = int(np.prod(sizes))
    kind = np.int16 if cells < 1 << 15 else np.int64
    counts = np.zeros(cells, np.int64)
    first, *others = columns
    for start in range(0, len(first), _CHUNK):
        cell: npt.NDArray[Any] = first[start : start + _CHUNK].astype(kind)
        for numbers, size in zip(others, sizes[1:]):
            np.multiply(cell, size, out=cell)
            np.add(cell, numbers[start : start + _CHUNK], out=cell, casting="unsafe")
        counts += np.bincount(cell, minlength=cells)
    return counts.reshape(tuple(sizes))


def price_of(counts: "npt.NDArray[np.int64]", prices_usd: Sequence[Decimal]) -> Decimal:
    """Return the exact price of counted requests; the last axis of ``counts`` goes by class, like ``prices_usd``."""
    by_class = counts.reshape(-1, len(prices_usd)).sum(axis=0).tolist()
    return sum((count * price for count, price in zip(by_class, prices_usd)), Decimal(0))


def _requests(world: World, account: str, until_us: int) -> Counts:
    """Count the requests that an account made, by month, Region and class."""
    import numpy as np

    log = world.log
    specs = {key.arn: key.spec for key in world.every_key()}
    callers = {what.principal for what in log.happenings} - {None}
    payers = {caller for caller in callers if Principal.parse(str(caller)).account == account}
    classes: dict[tuple[str, str | None], str] = {}
    kinds: dict[tuple[str, str], int] = {}
    kind_of = np.zeros(len(log.happenings), np.int16)  # 0: of another account, or no request
    for number, what in enumerate(log.happenings):
        if what.principal in payers:
            use = (what.operation, _pair_spec(world, what) or specs.get(what.key or ""))
            group = classes.get(use) or classes.setdefault(use, request_class(*use))
            kind_of[number] = kinds.setdefault((what.region, group), len(kinds) + 1)

    at_us, what_happened = column(log.at_us), column(log.what)
    counts: dict[tuple[str, str, str], int] = {}
    stop = int(np.searchsorted(at_us, until_us, "right"))
    start = 0
    while start < stop:  # entries are in order of time, so each month is a slice
        month = _month_of(int(at_us[start]) // HOUR_US)
        end = min(stop, int(np.searchsorted(at_us, month.end * HOUR_US)))
        by_kind = tally([kind_of.take(what_happened[start:end])], [len(kinds) + 1]).tolist()
        counts |= {(month.name, *kind): by_kind[number] for kind, number in kinds.items() if by_kind[number]}
        start = end
    return counts


def _pair_spec(world: World, what: Happening) -> str | None:
    """Return the spec of the data key pair that a request asked for."""
    fields = world.log.fields[what.operation]
    return what.request[fields.index("KeyPairSpec")] if "KeyPairSpec" in fields and what.request else None


def _request_items(counts: Counts, tariff: Tariff) -> Iterator[Item]:
    """Yield the lines of requests. The free tier is used up Region by Region, in order of their names."""
    free = dict.fromkeys((month for month, _, _ in counts), FREE_REQUESTS)
    order = {code: number for number, code in enumerate(book.REQUEST_CLASSES)}
    for month, region, code in sorted(counts, key=lambda group: (*group[:2], order.get(group[2], 99))):
        price, count = tariff.price(code, region), counts[month, region, code]
        gratis = min(count, free[month]) if price.free_tier else 0
        if gratis:
            free[month] -= gratis
            yield _item(month, price, region, gratis, "free tier", Decimal(0))
        if count > gratis:
            note = "beyond the free tier" if price.free_tier else "no free tier"
            yield _item(month, price, region, count - gratis, note)


# ------------------------------------------------------------------------------ lines


def _item(month: str, price: Price, region: str, quantity: int, note: str, each_usd: Decimal | None = None) -> Item:
    each = price.each_usd if each_usd is None else each_usd
    amount = _fine(quantity * each)
    return Item(month, price.what, region, None, Decimal(quantity), price.unit, each, amount, note)


def _fine(usd: Decimal) -> Decimal:
    return usd.quantize(_FINE, ROUND_HALF_UP)


def _line(items: Sequence[Item], single: bool) -> tuple[str, ...]:
    first, last = items[0], items[-1]
    quantity = sum((item.quantity for item in items), Decimal(0))
    if first.key is None:
        whom = f"{first.region}, {first.note}"
    elif single:
        whom = first.key.rpartition("/")[2]
    else:
        whom = f"{len({item.key for item in items})} keys in {first.region}"
    return (
        first.what,
        whom,
        first.month if first.month == last.month else f"{first.month} to {last.month}",
        f"{quantity:,.4f}" if first.unit == "key-month" else f"{quantity:,}",
        first.unit,
        f"{first.price_usd:f}",
        f"{sum((item.amount_usd for item in items), Decimal(0)):,.4f}",
    )
