"""Requests with members of any kind, to all operations: by AWS's model, almost by it, and far from it."""

import json
from base64 import b64encode
from datetime import datetime
from itertools import cycle

import pytest

from kms_lab.core import model
from kms_lab.doors.wire import TARGET_PREFIX
from kms_lab.service.operation import OPERATIONS
from tests.fuzz.mutations import Params, spoil_json, spoiled
from tests.fuzz.oracle import Oracle, cases
from tests.fuzz.worlds import FOREIGNER, READER, REGIONS, pool
from tests.service.conftest import ADMIN, EVERYDAY, new_stage

NAMES = sorted(OPERATIONS)
SHARES = 8


def stages(full, share):
    """For every eighth operation, a world where an everyday call of it succeeds, the call, and what else can be named."""
    for name in NAMES[share::SHARES]:
        lab = full.fork()
        params = EVERYDAY[name](new_stage(lab))
        things = pool(lab)
        yield name, params, things, Oracle(lab)


@pytest.mark.parametrize("share", range(SHARES))
class TestParams:
    def test_the_service(self, full, share, count):
        """Whatever parameters reach the service, it answers as AWS's model has it, and refusals leave no trace but one."""
        total = count(1_200, 100_000) // SHARES
        ready = list(stages(full, share))
        for (name, params, things, oracle), (number, chance) in zip(cycle(ready), cases(f"service {share}", total)):
            changed = Params(chance, things, odd=True).spoiled(name, params)
            who = chance.choice((ADMIN,) * 8 + (READER, FOREIGNER))
            oracle.send(name, changed, who, REGIONS[chance.random() < 0.1], note=number)
        assert all(
            oracle.outcomes["ValidationException"] or not model.operation(name).members for name, _, _, oracle in ready
        )

    def test_the_wire(self, full, share, count):
        """The same as JSON, changed once more as JSON or as bytes."""
        total = count(1_200, 100_000) // SHARES
        ready = list(stages(full, share))
        for (name, params, things, oracle), (number, chance) in zip(cycle(ready), cases(f"wire {share}", total)):
            changed = json.loads(
                json.dumps(Params(chance, things, odd=False).spoiled(name, params), default=on_the_wire)
            )
            if chance.random() < 0.3:
                changed = spoil_json(changed, chance, (*sorted(model.operation(name).members), "alias/plain"))
            body = json.dumps(changed).encode()
            target = TARGET_PREFIX + name
            match chance.randrange(10):
                case 0:
                    body = spoiled(body, chance)
                case 1:
                    body = json.dumps(changed, ensure_ascii=False).encode("utf-8", "surrogatepass")
            oracle.wire(target, body, note=number)
        assert all(oracle.outcomes["SerializationException"] for _, _, _, oracle in ready)


def on_the_wire(value):
    """A value as JSON has it."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return value.timestamp() if isinstance(value, datetime) and value.year in range(1971, 3000) else str(value)
