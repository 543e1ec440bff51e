"""Worlds that the tests of views share."""

from datetime import UTC, datetime

import pytest

from kms_lab import Lab
from tests.views import everything


def new_lab() -> Lab:
    return Lab(seed=7, start=datetime(2026, 4, 1, tzinfo=UTC))


@pytest.fixture
def lab():
    return new_lab()


@pytest.fixture(scope="session")
def refused():
    """Make a call that AWS refuses, and get the error."""
    return everything.refused


@pytest.fixture(scope="session")
def share():
    """Let another account use a key."""
    return everything.share


@pytest.fixture(scope="session")
def eventful():
    """A world in which every operation of AWS KMS happened, some refused, and KMS did things by itself.

    It is made once, to look at: no test changes it.
    """
    return everything.everything(new_lab())
