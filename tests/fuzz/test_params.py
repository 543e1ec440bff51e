"""Requests with members of any kind, to all operations: by AWS's model, almost by it, and far from it."""

import json
import re
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
#: numbers, as JSON or Python's reader of it has them, that are none
ENDLESS = (b"1e999", b"-1e999", b"NaN", b"Infinity", b"9" * 5000)


def stages(full, share):
    """For every eighth operation: its name, a call that succeeds, what else can be named, and the world for it."""
    for name in NAMES[share::SHARES]:
        lab = full.fork()
        params = EVERYDAY[name](new_stage(lab))
        things = pool(lab)
        yield name, params, things, Oracle(lab)


@pytest.mark.parametrize("share", range(SHARES))
class TestParams:
    def test_the_service(self, full, share, count):
        """Whatever parameters reach the service, it answers as AWS's model has it; refusals leave one trace."""
        total = count(1_200, 100_000) // SHARES
        ready = list(stages(full, share))
        for (name, params, things, oracle), (number, chance) in zip(cycle(ready), cases(f"service {share}", total)):
            changed = Params(chance, things, odd=True).spoiled(name, params)
            who = chance.choice((ADMIN,) * 8 + (READER, FOREIGNER))
            oracle.send(name, changed, who, REGIONS[chance.random() < 0.1], note=number)
        assert {"done", "AccessDeniedException", "SerializationException", "ValidationException"} <= seen(ready)

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
                case 2:
                    body = re.sub(rb"(?<=[ \[])[-0-9.]+(?=[,}\]])", chance.choice(ENDLESS), body)
            oracle.wire(target, body, note=number)
        assert {"done", "SerializationException", "ValidationException"} <= seen(ready)


def seen(ready):
    """Every outcome that there was."""
    return {code for *_, oracle in ready for code in oracle.outcomes}


def on_the_wire(value):
    """A value as JSON has it."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return value.timestamp() if isinstance(value, datetime) and value.year in range(1971, 3000) else str(value)
