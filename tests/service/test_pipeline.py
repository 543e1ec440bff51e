"""The pipeline: what a call leaves behind, whatever becomes of it."""

import pytest

from kms_lab.core.errors import UnsupportedByLab
from kms_lab.service import operation
from kms_lab.service.operations import TIMERS


def test_a_limit_of_the_lab_leaves_no_trace(lab):
    """
    What the lab cannot do was never a call to AWS: it says so, and nothing is recorded or charged.
    """
    kms = lab.client()
    before = len(lab.world.log)

    with pytest.raises(UnsupportedByLab) as limit:
        kms.create_key(KeySpec="ML_KEM_512", KeyUsage="ENCAPSULATE_DECAPSULATE")

    assert limit.value.operation_name == "CreateKey"
    assert len(lab.world.log) == before


def test_a_fault_of_the_lab_is_recorded_and_not_hidden(lab, monkeypatch):
    """
    If a handler breaks, the learner sees the real error and the log has an entry that is no success.
    """
    row = operation.OPERATIONS["ListKeys"]

    def broken(call, **params):
        raise ZeroDivisionError

    kms = lab.client()
    kms.list_keys()
    monkeypatch.setattr(row, "handler", broken)
    before = len(lab.world.log)

    with pytest.raises(ZeroDivisionError):
        kms.list_keys()

    assert [entry.error for entry in map(lab.world.log.entry, range(before, len(lab.world.log)))] == [
        "KMSInternalException"
    ]


def test_an_interrupted_journey_goes_on_where_it_stopped(lab, kms, key, monkeypatch):
    """What could not be done because somebody interrupted it is still due, and is done at the next move."""

    def interrupt(_world, _due):
        raise KeyboardInterrupt

    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    with monkeypatch.context() as patch:
        patch.setitem(TIMERS, "rotate", interrupt)
        with pytest.raises(KeyboardInterrupt):
            lab.clock.travel(days=100)
    lab.clock.travel(days=10)
    assert len(lab.key(key).materials) == 2
