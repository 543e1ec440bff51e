"""Request quotas: how many calls a second one account may make in one Region, by group of operations.

Off unless a lab asks for them (``Lab(request_quotas=True)``): the lab's clock stands still while a notebook runs, so a
loop of a thousand calls would be a thousand calls in one instant. Each group is a token bucket: it holds as many calls
as one second allows, and fills again at that rate. The meter keeps no account of its own, it folds the log into the
buckets. A throttled call takes nothing.

# unverified: AWS publishes rates, not the algorithm that holds them.

Source: AWS KMS Developer Guide, "Request quotas" (read 2026-11-23). Only the caller's account is counted.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from kms_lab.core.errors import ThrottlingException
from kms_lab.core.keys import Key
from kms_lab.core.names import Principal
from kms_lab.core.specs import SPECS
from kms_lab.core.world import World
from kms_lab.service.find import key_by_arn
from kms_lab.service.operation import KEY_SPEC, OPERATIONS, PAIR_SPEC, Call, Row

_SECOND_US = 1_000_000
#: calls a second of the symmetric group where a Region has more than 10,000
_SYMMETRIC = {
    **dict.fromkeys(("us-east-1", "us-west-2", "eu-west-1"), 100_000),
    **dict.fromkeys(
        ("us-east-2", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "eu-central-1", "eu-west-2"), 20_000
    ),
}
# unverified: the rate of the ML-KEM group, which AWS's page did not have yet
_SHARED = {"rsa": 1000, "ecc": 1000, "ml-dsa": 1000, "ml-kem": 1000}
# unverified: ML-KEM pairs, which AWS's page did not have yet; they are counted as elliptic ones are
_PAIRS = {"RSA_2048": 20, "RSA_3072": 4, "RSA_4096": 1, "SM2": 25}
_OTHER_PAIRS = 100
#: calls a second on the keys of one custom key store, by whatever account
_STORE = 1800


class Draw(NamedTuple):
    """What a call takes from one bucket.

    Attributes:
        place: account, Region and group; "" for the account where all accounts share the bucket.
        rate: how many calls a second the bucket allows.
        calls: how many calls it counts as.
    """

    place: tuple[str, str, str]
    rate: int
    calls: int = 1


def draws_of(row: Row, key: Key | None, account: str, region: str, request: Mapping[str, Any]) -> list[Draw]:
    """Return what one call takes from which buckets.

    Replicating a key counts as two CreateKeys in the replica's Region besides, and changing the primary Region counts
    in both Regions.
    """
    if isinstance(row.quota, int):
        group, rate = row.name, row.quota
    elif row.quota == PAIR_SPEC:
        spec = request.get("KeyPairSpec", "")
        group, rate = f"GenerateDataKeyPair ({spec})", _PAIRS.get(spec, _OTHER_PAIRS)
    else:
        group = SPECS[key.spec].quota if row.quota == KEY_SPEC and key is not None else "symmetric"
        rate = _SHARED.get(group) or _SYMMETRIC.get(region, 10_000)
    draws = [Draw((account, region, group), rate)]
    if row.name == "ReplicateKey":
        draws.append(Draw((account, request.get("ReplicaRegion", ""), "CreateKey"), _rate("CreateKey"), 2))
    if row.name == "UpdatePrimaryRegion":
        draws.append(Draw((account, request.get("PrimaryRegion", ""), row.name), rate))
    if key is not None and key.store_id and not isinstance(row.quota, int):
        draws.append(Draw(("", key.region, key.store_id), _STORE))
    return draws


def throttle(call: Call) -> None:
    """Refuse a call for which a bucket has no room left.

    Raises:
        ThrottlingException: wait, and try again.
    """
    meter = call.world.meter
    if not isinstance(meter, Meter):
        meter = call.world.meter = Meter(call.world)
    for draw in draws_of(call.row, call.key, call.principal.account, call.region, call.params):
        if meter.left(draw) < draw.calls:
            raise ThrottlingException(
                "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
                group=draw.place[2],
                rate=draw.rate,
            )


class Meter:
    """The buckets of a world, folded from its log: what is left in each of them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._next = 0  # index of the first entry that is not counted yet
        self._levels: dict[tuple[str, str, str], tuple[int, int]] = {}  # millionths of a call left, and when
        self._draws: dict[int, list[Draw]] = {}  # by happening

    def left(self, draw: Draw) -> int:
        """Return how many whole calls a bucket still allows now."""
        log = self._world.log
        for index in range(self._next, len(log)):
            self._take(self._drawn(log.what[index]), log.at_us[index])
        self._next = len(log)
        return self._level(draw, self._world.clock.now_us) // _SECOND_US

    def _take(self, draws: Iterable[Draw], at_us: int) -> None:
        for draw in draws:
            self._levels[draw.place] = (max(0, self._level(draw, at_us) - draw.calls * _SECOND_US), at_us)

    def _level(self, draw: Draw, at_us: int) -> int:
        full = draw.rate * _SECOND_US
        level, since_us = self._levels.get(draw.place, (full, at_us))
        return min(full, level + draw.rate * (at_us - since_us))

    def _drawn(self, number: int) -> list[Draw]:
        draws = self._draws.get(number)
        if draws is None:
            draws = self._draws[number] = self._draws_of(number)
        return draws

    def _draws_of(self, number: int) -> list[Draw]:
        world = self._world
        what = world.log.happenings[number]
        row = OPERATIONS.get(what.operation)
        if row is None or what.principal is None or what.error == "ThrottlingException":
            return []
        key = None if what.key is None else world.gone.get(what.key) or key_by_arn(world, what.key)
        request = dict(zip(world.log.fields[what.operation], what.request))
        draws = draws_of(row, key, Principal.parse(what.principal).account, what.region, request)
        if row.name == "ReplicateKey" and what.error is None:
            draws[1] = draws[1]._replace(calls=1)  # the log has the other CreateKey itself
        return draws


def _rate(operation: str) -> int:
    rate = OPERATIONS[operation].quota
    assert isinstance(rate, int)
    return rate
