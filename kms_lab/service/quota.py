"""Request quotas: how many calls a second one account may make in one Region, by group of operations.

Off unless a lab asks for them (``Lab(request_quotas=True)``): the lab's clock stands still while a notebook runs, so a
loop of a thousand calls would be a thousand calls in one instant. The meter keeps no account of its own; it counts
entries of the log whose moment is less than a second ago. A throttled call is not counted.

# unverified: AWS publishes rates, not the algorithm that holds them; the lab takes any second, to the microsecond.

Source: AWS KMS Developer Guide, "Request quotas" (read 2026-11-23). Only the caller's account is counted.
"""

from kms_lab.core.errors import ThrottlingException
from kms_lab.core.keys import Key
from kms_lab.core.names import Principal
from kms_lab.core.specs import SPECS
from kms_lab.core.world import World
from kms_lab.service.find import key_by_arn
from kms_lab.service.operation import KEY_SPEC, OPERATIONS, Call, Row

Place = tuple[str, str, str]

_SECOND_US = 1_000_000
#: calls a second of the symmetric group where a Region has more than 10,000
_SYMMETRIC = {
    **dict.fromkeys(("us-east-1", "us-west-2", "eu-west-1"), 100_000),
    **dict.fromkeys(
        ("us-east-2", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "eu-central-1", "eu-west-2"), 20_000
    ),
}
# unverified: the rate of the ML-KEM group, which AWS's page did not have yet; no key of it can be made here
_SHARED = {"rsa": 1000, "ecc": 1000, "ml-dsa": 1000, "ml-kem": 1000}


def rate_of(row: Row, key: Key | None, region: str) -> tuple[str, int]:
    """Return the quota group of a call, and how many calls a second it may have in a Region."""
    if isinstance(row.quota, int):
        return row.name, row.quota
    group = SPECS[key.spec].quota if row.quota == KEY_SPEC and key is not None else "symmetric"
    return group, _SHARED.get(group) or _SYMMETRIC.get(region, 10_000)


def throttle(call: Call) -> None:
    """Refuse a call for which the last second has no room left.

    Raises:
        ThrottlingException: wait, and try again.
    """
    group, rate = rate_of(call.row, call.key, call.region)
    meter = call.world.meter
    if not isinstance(meter, Meter):
        meter = call.world.meter = Meter(call.world)
    if meter.count((call.principal.account, call.region, group)) >= rate:
        raise ThrottlingException(
            "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
            group=group,
            rate=rate,
        )


class Meter:
    """Counts the calls of the last second, by account, Region and group: a window that slides over the log."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._first = self._next = 0  # the window, as indexes of the log
        self._counts: dict[Place, int] = {}
        self._places: dict[int, Place | None] = {}  # by happening

    def count(self, place: Place) -> int:
        """Return how many calls of one group were made in the second before now."""
        log = self._world.log
        for index in range(self._next, len(log)):
            self._add(log.what[index], 1)
        self._next = len(log)
        while self._first < self._next and log.at_us[self._first] <= self._world.clock.now_us - _SECOND_US:
            self._add(log.what[self._first], -1)
            self._first += 1
        return self._counts.get(place, 0)

    def _add(self, number: int, step: int) -> None:
        if number not in self._places:
            self._places[number] = self._place(number)
        place = self._places[number]
        if place is not None:
            self._counts[place] = self._counts.get(place, 0) + step

    def _place(self, number: int) -> Place | None:
        what = self._world.log.happenings[number]
        row = OPERATIONS.get(what.operation)
        if row is None or what.principal is None or what.error == "ThrottlingException":
            return None
        key = None if what.key is None else self._world.gone.get(what.key) or key_by_arn(self._world, what.key)
        return Principal.parse(what.principal).account, what.region, rate_of(row, key, what.region)[0]
