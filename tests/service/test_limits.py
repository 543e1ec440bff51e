"""Every number of AWS's quota pages, against what the lab enforces. How request quotas work is in ``test_quota``."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kms_lab import Lab
from kms_lab.core import model
from kms_lab.core.keys import Key
from kms_lab.core.specs import SPECS
from kms_lab.service.operation import KEY_SPEC, OPERATIONS, PAIR_SPEC, SYMMETRIC
from kms_lab.service.quota import draws_of
from tests.service.conftest import (
    EVERYDAY,
    Stage,
    code,
    fill_with_grants,
    fill_with_keys,
    method,
    new_grant,
    new_key,
    new_stage,
    refusal,
)
from tests.service.homes import new_store

pytestmark = pytest.mark.usefixtures("quick_rsa")

QUOTAS = json.loads((Path(__file__).parents[1] / "data" / "quotas.json").read_text())
RATES = QUOTAS["calls a second"]
GROUPS = {SYMMETRIC: SYMMETRIC, KEY_SPEC: "by key spec", PAIR_SPEC: "by key pair spec"}
ACCOUNT, HERE = "111122223333", "us-east-1"


# ------------------------------------------------------------------------------ resource quotas


def policy_of(on: Stage, size: int) -> str:
    return on.kms.get_key_policy(KeyId=on.key)["Policy"].strip().ljust(size)


#: how something comes to be there that there can be so many of; the number is that of the new one
MORE: dict[str, Callable[[Stage, int], object]] = {
    "keys in a Region": lambda on, number: on.kms.create_key(),
    "aliases of a key": lambda on, number: on.kms.create_alias(AliasName=f"alias/{number}", TargetKeyId=on.key),
    "grants on a key": lambda on, number: new_grant(on.kms, on.key),
    "custom key stores in a Region": lambda on, number: new_store(on.lab, str(number)),
    "on-demand rotations of a key": lambda on, number: on.kms.rotate_key_on_demand(KeyId=on.key),
    "bytes of a key policy": lambda on, number: on.kms.put_key_policy(KeyId=on.key, Policy=policy_of(on, number)),
    "tags on a key": lambda on, number: on.kms.tag_resource(
        KeyId=on.key, Tags=[{"TagKey": str(number), "TagValue": ""}]
    ),
}
#: how many there are on the stage; where one by one takes too long, how almost all come to be there
THERE_ALREADY: dict[str, Callable[[Stage, int], int]] = {
    "keys in a Region": lambda on, limit: fill_with_keys(on.lab, on.key, HERE, limit - 1) or limit - 1,
    "aliases of a key": lambda on, limit: 1,
    "grants on a key": lambda on, limit: fill_with_grants(on.lab, on.key, limit - 1) or limit - 1,
    "bytes of a key policy": lambda on, limit: limit - 1,
    "tags on a key": lambda on, limit: 1,
}


def test_every_resource_quota_is_tried():
    """
    Each of AWS's resource quotas has a test below.
    """
    assert MORE.keys() == QUOTAS["resource"].keys()


@pytest.mark.parametrize("what", MORE)
def test_resource_quota(stage, what):
    """
    There can be as many of something as AWS allows, and not one more.
    """
    quota = QUOTAS["resource"][what]
    limit, more = quota["limit"], MORE[what]
    there = THERE_ALREADY.get(what, lambda on, limit: 0)(stage, limit)

    for number in range(there + 1, limit + 1):
        more(stage, number)

    assert code(lambda: more(stage, limit + 1)) == quota["error"]


# ------------------------------------------------------------------------------ request quotas


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_rate_of_an_operation(operation):
    """
    An operation has a rate of its own, or shares the group's that AWS's page names.
    """
    quota = OPERATIONS[operation].quota

    assert GROUPS.get(quota, quota) == RATES[operation]


def test_every_operation_has_a_rate():
    """
    AWS's page has a rate or a group for each operation.
    """
    assert RATES.keys() == OPERATIONS.keys()


def record(lab: Lab, spec: str) -> Key:
    """Return the record of a key that can be counted as one of a spec."""
    made = lab.key(new_key(lab.client()))
    made.spec = spec
    return made


@pytest.mark.parametrize("region", [*QUOTAS["symmetric"], "eu-north-1"])
@pytest.mark.parametrize("operation", [name for name, group in RATES.items() if group == SYMMETRIC])
def test_symmetric_rate(operation, region):
    """
    The symmetric operations share one bucket, whose size is the Region's.
    """
    (draw,) = draws_of(OPERATIONS[operation], None, ACCOUNT, region, {})

    assert draw == ((ACCOUNT, region, SYMMETRIC), QUOTAS["symmetric"].get(region, QUOTAS["symmetric"]["other"]), 1)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("operation", [name for name, group in RATES.items() if group == "by key spec"])
def test_rate_by_key_spec(lab, operation, spec):
    """
    What is done with keys of one family shares one bucket; symmetric and HMAC keys share that of the symmetric ones.
    """
    (draw,) = draws_of(OPERATIONS[operation], record(lab, spec), ACCOUNT, "eu-north-1", {})

    families = {"RSA": "rsa", "ECC": "ecc", "SM2": "ecc", "ML_DSA": "ml-dsa", "ML_KEM": "ml-kem"}
    group = next((group for start, group in families.items() if spec.startswith(start)), SYMMETRIC)
    rate = QUOTAS["symmetric"]["other"] if group == SYMMETRIC else QUOTAS["by key spec"][group]
    assert draw == ((ACCOUNT, "eu-north-1", group), rate, 1)


@pytest.mark.parametrize("spec", model.enum("DataKeyPairSpec"))
@pytest.mark.parametrize("operation", [name for name, group in RATES.items() if group == "by key pair spec"])
def test_rate_by_pair_spec(operation, spec):
    """
    Both operations that make pairs draw from one bucket for each spec of pair.
    """
    (draw,) = draws_of(OPERATIONS[operation], None, ACCOUNT, HERE, {"KeyPairSpec": spec})

    assert draw == ((ACCOUNT, HERE, f"GenerateDataKeyPair ({spec})"), QUOTAS["by key pair spec"][spec], 1)


def test_rate_of_a_custom_key_store(lab, home):
    """
    The keys of a custom key store have a bucket in common besides, whatever account calls.
    """
    draws = draws_of(OPERATIONS["Encrypt"], lab.key(home.key), "444455556666", HERE, {})

    assert draws[1:] == [(("", HERE, home.id), QUOTAS["keys of a custom key store"], 1)]


def test_unsourced_rates():
    """
    Rates that AWS's page does not have are named, and are those of elliptic curves.
    """
    for group, names in QUOTAS["unsourced"].items():
        alike = {"by key spec": "ecc", "by key pair spec": "ECC_NIST_P256"}[group]
        assert {QUOTAS[group][name] for name in names} == {QUOTAS[group][alike]}


#: calls of which a second one is refused before it comes to the quota
ONCE = {"CancelKeyDeletion", "DeleteAlias", "RetireGrant", "ScheduleKeyDeletion"}
SLOW = {name: rate for name, rate in RATES.items() if isinstance(rate, int) and rate <= 100 and name not in ONCE}


@pytest.mark.parametrize("operation", SLOW)
def test_one_more_than_the_rate(operation):
    """
    Of one call as many go through in an instant as the rate says, whatever they answer; the next is throttled, in
    AWS's words. ReplicateKey is stopped earlier, by the two CreateKeys that it counts as in the other Region.
    """
    on = new_stage(Lab(seed=7))
    params = EVERYDAY[operation](on)
    on.lab.world.request_quotas = True
    on.lab.clock.travel(seconds=1)
    call = method(on.kms, operation)
    rate = RATES["CreateKey"] // 2 if operation == "ReplicateKey" else RATES[operation]

    before = [code(call, **params) for _ in range(rate)]
    error = refusal(call, **params)

    assert "ThrottlingException" not in before
    throttled = QUOTAS["throttled"]
    assert (error.code, error.message, error.http_status) == (
        throttled["error"],
        throttled["message"],
        throttled["status"],
    )
