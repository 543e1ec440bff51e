"""What holds of every call, whatever it asks for.

Each case starts from the same world, so that it can be told by itself: a failure prints the operation and parameters.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from random import Random
from typing import Any, TypeVar

from kms_lab import KMSError, Lab
from kms_lab.core.log import Log
from kms_lab.core.names import Principal
from kms_lab.core.world import World
from kms_lab.doors.wire import TARGET_PREFIX, Reply, answer
from kms_lab.lab import ADMIN, REGION
from kms_lab.service.operation import OPERATIONS, Call
from kms_lab.service.pipeline import handle
from tests.service.conftest import COMMON

T = TypeVar("T")

#: the longest that a call may take
SECONDS = 1.0
#: what the service may answer to a request that no operation gets to see
UNREAD = {"SerializationException", "UnknownOperationException"}


def cases(seed: str, count: int) -> Iterator[tuple[int, Random]]:
    """Yield numbers and each one's own source of chance, so that a case can be had without those before it."""
    for number in range(count):
        yield number, Random(f"{seed} {number}")


def state(world: World) -> dict[str, Any]:
    """Return everything in a world but its log."""
    log, world.log = world.log, Log(bytes(10))
    try:
        return world.to_data()
    finally:
        world.log = log


def promptly(attempt: Callable[[], T], told: str) -> T:
    """Return what an attempt returns, or raise what it raises, and see that it does not take long.

    If it does, perhaps others had the processor: then it must be quick in one of three more attempts.
    """
    start = time.perf_counter()
    try:
        return attempt()
    finally:
        if time.perf_counter() - start > SECONDS:
            assert min(seconds(attempt) for _ in range(3)) < SECONDS, f"too slow: {told}"


def seconds(attempt: Callable[[], object]) -> float:
    """Return how long an attempt takes, whatever comes of it."""
    start = time.perf_counter()
    with suppress(KMSError):
        attempt()
    return time.perf_counter() - start


class Oracle:
    """Sends what may be nonsense to copies of one world, and sees that the answer is one of AWS's.

    Attributes:
        outcomes: how often each error came, and "done".
        world: the copy that the last call went to.
    """

    def __init__(self, lab: Lab) -> None:
        self.base = self.world = lab.world
        self.before = state(lab.world)
        self.outcomes: Counter[str] = Counter()

    def send(
        self, operation: str, params: Mapping[str, Any], principal: str = ADMIN, region: str = REGION, note: object = ""
    ) -> dict[str, Any] | KMSError:
        """Return the answer of the service to one call, or its refusal."""

        def attempt() -> dict[str, Any]:
            self.world = self.base.fork()
            return handle(Call(OPERATIONS[operation], self.world, Principal.parse(principal), region, params))

        told = f"{note} {operation} by {principal} in {region}: {params!r:.6000}"
        try:
            result: dict[str, Any] | KMSError = promptly(attempt, told)
        except KMSError as refusal:
            result = refusal
        except BaseException as fault:
            raise AssertionError(f"{type(fault).__name__} instead of an answer: {told}") from fault
        self.judge(self.world, operation, result.code if isinstance(result, KMSError) else None, told)
        if not isinstance(result, KMSError):
            assert result.keys() <= {*OPERATIONS[operation].model.output_members, "ResponseMetadata"}, told
        return result

    def wire(self, target: str | None, body: bytes, note: object = "") -> Reply:
        """Return the wire's answer to one request."""

        def attempt() -> Reply:
            self.world = self.base.fork()
            return answer(self.world, Principal.parse(ADMIN), REGION, target, body)

        told = f"{note} {target!r}: {body!r:.6000}"
        try:
            reply = promptly(attempt, told)
        except BaseException as fault:
            raise AssertionError(f"{type(fault).__name__} instead of a reply: {told}") from fault
        self.judge_reply(self.world, (target or "").removeprefix(TARGET_PREFIX), reply, told)
        return reply

    def judge_reply(
        self, world: World, operation: str, reply: Reply, told: str, extra: frozenset[str] = frozenset()
    ) -> None:
        """See that a reply can be read, and that what it says can be."""
        said = json.loads(reply.body)
        assert isinstance(said, dict), told
        code = None if reply.status == 200 else said["__type"]
        assert (code is None) == (reply.status == 200), told
        if code in UNREAD | extra:
            self.outcomes[code] += 1
            assert len(world.log) == len(self.base.log), f"an entry for {code}: {told}"
            assert state(world) == self.before, f"refused, and yet the world has changed: {told}"
        else:
            assert reply.status in (200, 400), told
            self.judge(world, operation, code, told)

    def judge(self, world: World, operation: str, code: str | None, told: str) -> None:
        """See that the error is one of the operation's, that a refusal changed nothing, and what the log has of it."""
        self.outcomes[code or "done"] += 1
        new = len(world.log) - len(self.base.log)
        if code is None:
            assert new >= 1, f"no entry: {told}"
            return
        assert code != "KMSInternalException", told
        assert code in COMMON | UNREAD or code in OPERATIONS[operation].model.errors, f"{code} is not of {told}"
        assert new == (0 if code in UNREAD | {"UnsupportedByLab"} else 1), f"{new} entries for {code}: {told}"
        if new:
            entry = world.log.entry(-1)
            assert (entry.operation, entry.error) == (operation, code), told
        assert state(world) == self.before, f"refused, and yet the world has changed: {told}"
