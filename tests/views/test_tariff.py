"""The price book: complete, dated, sourced."""

from decimal import Decimal

import pytest

from kms_lab.core.specs import SPECS
from kms_lab.service.operation import KEY_SPEC, OPERATIONS, PAIR_SPEC
from kms_lab.views.tariff import REQUEST_CLASSES, TARIFF


@pytest.mark.parametrize("row", TARIFF.rows, ids=lambda row: row.code)
def test_every_price_has_a_source_and_a_date(row):
    """
    Each price says where it is from and when it was read, and is exact.
    """
    assert row.source
    assert row.read.year >= 2026
    assert isinstance(row.usd, Decimal)
    assert row.each_usd * row.per == row.usd


@pytest.mark.parametrize(
    ("code", "usd", "per"),
    [
        ("key", "1", 1),
        ("rotation", "1", 1),
        ("standard", "0.03", 10_000),
        ("rsa2048", "0.03", 10_000),
        ("asymmetric", "0.15", 10_000),
        ("data-key-pair-ecc", "0.10", 10_000),
        ("data-key-pair-rsa", "12.00", 10_000),
    ],
)
def test_prices_of_us_east_1(code, usd, per):
    """
    The prices of us-east-1 are those that AWS publishes.
    """
    row = TARIFF.price(code, "us-east-1")

    assert (row.usd, row.per) == (Decimal(usd), per)


def test_only_standard_requests_are_in_the_free_tier():
    """
    The free tier leaves out everything that is asymmetric and every data key pair.
    """
    assert [code for code in REQUEST_CLASSES if TARIFF.price(code).free_tier] == ["standard"]


def test_every_request_has_a_price():
    """
    Every class that a key spec or an operation names is in the book.
    """
    chosen_by_spec = {KEY_SPEC, PAIR_SPEC}
    classes = {spec.price for spec in SPECS.values()} | {row.price for row in OPERATIONS.values()} - chosen_by_spec

    assert classes <= set(REQUEST_CLASSES)
    assert all(TARIFF.price(code).unit == "request" for code in REQUEST_CLASSES)


def test_a_region_without_prices_borrows_those_of_us_east_1():
    """
    A Region that has no row of its own is charged as us-east-1.
    """
    assert TARIFF.price("key", "sa-east-1") is TARIFF.price("key", "us-east-1")


def test_a_price_that_does_not_exist():
    """
    Asking for a price that is not in the book names those that are.
    """
    with pytest.raises(LookupError, match="standard"):
        TARIFF.price("cloudhsm")


def test_a_price_in_words():
    """
    A price can be read aloud.
    """
    assert TARIFF.price("standard").text == "$0.03 per 10,000 requests"
