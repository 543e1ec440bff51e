"""The key-spec table against AWS's facts."""

import json
from pathlib import Path

import pytest

from kms_lab.core import model
from kms_lab.core.specs import SPECS

FACTS = json.loads((Path(__file__).parents[1] / "data" / "key_specs.json").read_text())["specs"]


def test_every_spec():
    """
    The table has AWS's specs, all of them and no other.
    """
    assert set(SPECS) == set(FACTS) == set(model.enum("KeySpec"))


@pytest.mark.parametrize("name", sorted(FACTS))
def test_row(name):
    """
    Usages, algorithms and limits are AWS's.
    """
    row = SPECS[name]

    assert {usage: set(names) for usage, names in row.algorithms.items()} == {
        usage: set(names) for usage, names in FACTS[name]["algorithms"].items()
    }
    assert set(row.usages) == set(FACTS[name]["algorithms"])
    assert row.max_plaintext == FACTS[name]["max_plaintext"]


@pytest.mark.parametrize("name", sorted(FACTS))
def test_kind(name):
    """
    One spec is symmetric in AWS's sense; HMAC keys are neither symmetric nor asymmetric; all others are asymmetric.
    """
    row = SPECS[name]

    assert row.symmetric == (name == "SYMMETRIC_DEFAULT")
    assert row.asymmetric == (name != "SYMMETRIC_DEFAULT" and not name.startswith("HMAC"))
