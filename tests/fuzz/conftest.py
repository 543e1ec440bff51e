"""A world with something of everything in it, and how many cases each target gets."""

import itertools
import os

import pytest

from kms_lab import Lab
from kms_lab.core import material
from tests.fuzz.worlds import everything

DEEP = bool(os.environ.get("KMS_LAB_DEEP"))


@pytest.fixture(scope="session")
def count():
    """How many cases: a sample, or with ``KMS_LAB_DEEP=1`` a test's share of the 100,000 or more of its file."""
    return lambda sample, deep: deep if DEEP else sample


@pytest.fixture(scope="session")
def two_of_each():
    """A function in place of ``new_rsa`` that gives two keys of each size in turn: making one takes up to a second."""
    make, made, turns = material.new_rsa, {}, itertools.count()

    def next_one(spec):
        turn = spec, next(turns) % 2
        if turn not in made:
            made[turn] = make(spec)
        return made[turn]

    return next_one


@pytest.fixture(autouse=True)
def quick_rsa(monkeypatch, two_of_each):
    """Whenever KMS makes an RSA key, it gets one of few."""
    monkeypatch.setattr(material, "new_rsa", two_of_each)


@pytest.fixture
def lab():
    """A reproducible lab."""
    return Lab(seed=7)


@pytest.fixture
def full(lab, quick_rsa):
    """A lab with something of everything in it."""
    return everything(lab)
