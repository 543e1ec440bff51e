"""The price book: what AWS KMS charges, one row for each price, with its source and the day it was read.

Not here: counting (see ``bill``), and the price of anything beside KMS, such as CloudHSM hours.

Source: see each row. Older copies of AWS's page say that every rotation adds $1; since 2024 only the first two do.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Final

KEY: Final = "key"
ROTATION: Final = "rotation"
STANDARD: Final = "standard"
RSA_2048: Final = "rsa2048"
ASYMMETRIC: Final = "asymmetric"
DATA_KEY_PAIR_ECC: Final = "data-key-pair-ecc"
DATA_KEY_PAIR_RSA: Final = "data-key-pair-rsa"

#: The classes of requests, dearest last.
REQUEST_CLASSES = (STANDARD, RSA_2048, DATA_KEY_PAIR_ECC, ASYMMETRIC, DATA_KEY_PAIR_RSA)

#: Requests a month that cost nothing, over all Regions together. Source: AWS KMS pricing page, "Free tier".
FREE_REQUESTS = 20_000

#: How many of a key's rotations make it dearer. Source: AWS KMS pricing page, "Key storage".
PAID_ROTATIONS = 2

#: The Region that stands in where the book has no row.
# unverified: other Regions as a whole; $1 and $0.03 were seen for us-west-2, eu-west-1, eu-central-1 and
# ap-southeast-1, and $0.03, $0.15 and $12 for ap-southeast-2
HOME_REGION = "us-east-1"

_READ = date(2026, 11, 23)
_PAGE = "AWS KMS pricing page"
_LIST = "AWS Price List for awskms, publication 2026-09-11"


@dataclass(frozen=True)
class Price:
    """One price.

    Attributes:
        code: what is charged: ``key``, ``rotation`` or a class of requests.
        what: the same in words, as the bill shows it.
        usd: dollars for ``per`` units.
        unit: one key for one month, or one request.
        free_tier: do requests of this class use up the free tier?
        source: where the price is from.
        read: when it was read there.
    """

    code: str
    what: str
    usd: Decimal
    per: int
    unit: str
    free_tier: bool
    source: str
    read: date
    region: str = HOME_REGION

    @cached_property
    def each_usd(self) -> Decimal:
        """Dollars for one unit."""
        return self.usd / self.per

    @property
    def text(self) -> str:
        """``$0.03 per 10,000 requests``."""
        many = f"{self.per:,} {self.unit}s" if self.per > 1 else self.unit
        return f"${self.usd:,.2f} per {many}"


def _key(code: str, what: str) -> Price:
    return Price(code, what, Decimal(1), 1, "key-month", False, f'{_PAGE}, "Key storage"', _READ)


def _request(code: str, what: str, usd: str, source: str, *, free_tier: bool = False) -> Price:
    return Price(code, what, Decimal(usd), 10_000, "request", free_tier, source, _READ)


_ROWS = (
    _key(KEY, "Customer managed key"),
    # unverified: that on-demand rotations count like automatic ones; AWS's text exempts neither
    _key(ROTATION, "First or second rotation of a key"),
    _request(STANDARD, "Requests: symmetric, HMAC and management", "0.03", _LIST, free_tier=True),
    _request(RSA_2048, "Requests: RSA 2048 keys", "0.03", _LIST),
    # unverified: ML-DSA and ML-KEM have no usage type of their own in any list seen, so they are counted here
    _request(ASYMMETRIC, "Requests: other asymmetric keys", "0.15", _LIST),
    _request(DATA_KEY_PAIR_ECC, "Requests: elliptic curve data key pairs", "0.10", _PAGE),
    _request(DATA_KEY_PAIR_RSA, "Requests: RSA data key pairs", "12.00", _LIST),
)


class Tariff:
    """Prices by what is charged and where."""

    def __init__(self, rows: Iterable[Price]) -> None:
        self.rows = tuple(rows)
        self._by_place = {(row.code, row.region): row for row in self.rows}

    def price(self, code: str, region: str = HOME_REGION) -> Price:
        """Return a price; where a Region has none of its own, that of us-east-1.

        Raises:
            LookupError: nothing is charged under this code.
        """
        row = self._by_place.get((code, region)) or self._by_place.get((code, HOME_REGION))
        if row is None:
            codes = ", ".join(dict.fromkeys(row.code for row in self.rows))
            raise LookupError(f"the tariff has no price for {code!r}; it has {codes}")
        return row


#: The prices in force.
TARIFF = Tariff(_ROWS)
