"""Request quotas: off by default; switched on, each group is a bucket that fills at its rate."""

import pytest

from kms_lab import Lab
from kms_lab.core.errors import ThrottlingException
from kms_lab.service.operation import OPERATIONS
from kms_lab.service.quota import draws_of
from tests.service.conftest import code

MESSAGE = "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."


@pytest.fixture
def metered():
    return Lab(seed=5, request_quotas=True)


def test_off_by_default(lab):
    """
    A lab that did not ask for quotas takes any number of calls in one instant.
    """
    kms = lab.client()

    assert [code(kms.create_key) for _ in range(50)] == [None] * 50


def test_the_sixth_create_key_in_a_second_is_refused(metered):
    """
    CreateKey may be called five times in an instant; the sixth is refused in AWS's words, and a fifth of a second later
    one more works.
    """
    kms = metered.client()
    for _ in range(5):
        kms.create_key()

    with pytest.raises(ThrottlingException) as refused:
        kms.create_key()

    assert refused.value.message == MESSAGE
    assert refused.value.http_status == 400
    metered.clock.travel(seconds=0.19)
    assert code(kms.create_key) == "ThrottlingException"
    metered.clock.travel(seconds=0.01)
    assert [code(kms.create_key) for _ in range(2)] == [None, "ThrottlingException"]


def test_the_bucket_fills_at_the_rate_and_no_further(metered):
    """
    At five calls a second for ever nothing is refused; after an hour of rest five calls are there, not more.
    """
    kms = metered.client()
    for _ in range(20):
        assert code(kms.create_key) is None
        metered.clock.travel(seconds=0.2)
    metered.clock.travel(hours=1)
    assert [code(kms.create_key) for _ in range(6)] == [None] * 5 + ["ThrottlingException"]


def test_halves_of_a_journey_fill_as_much_as_the_whole(metered):
    """
    Many small steps give back exactly what one step gives back.
    """
    kms = metered.client()
    for _ in range(5):
        kms.create_key()
    twin = metered.fork()
    metered.clock.travel(seconds=0.6)
    for _ in range(6):
        twin.clock.travel(seconds=0.1)
        code(twin.client().describe_key, KeyId="alias/x")
    wanted = [None] * 3 + ["ThrottlingException"]
    assert [code(kms.create_key) for _ in range(4)] == wanted
    assert [code(twin.client().create_key) for _ in range(4)] == wanted


def test_groups_regions_and_accounts_are_counted_apart(metered):
    """
    A full group leaves room in other groups, in other Regions and for other accounts.
    """
    kms = metered.client()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for _ in range(4):
        kms.create_key()
    assert code(kms.create_key) == "ThrottlingException"

    assert code(kms.disable_key, KeyId=key) is None
    assert code(metered.client(region="eu-west-1").create_key) is None
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    other = metered.iam.create_role("App", [policy], account="444455556666")
    assert code(metered.client(other).create_key) is None


def test_refused_calls_count_and_throttled_ones_do_not(metered):
    """
    A call that KMS answered with an error took its place; one that was throttled did not.
    """
    kms = metered.client()
    for _ in range(5):
        assert code(kms.disable_key, KeyId="alias/x") == "InvalidArnException"
    key = kms.create_key()["KeyMetadata"]["KeyId"]

    assert [code(kms.disable_key, KeyId=key) for _ in range(5)] == ["ThrottlingException"] * 5
    metered.clock.travel(seconds=0.2)
    assert [code(kms.disable_key, KeyId=key) for _ in range(2)] == [None, "ThrottlingException"]


def test_a_fork_and_a_saved_lab_count_on(metered, tmp_path):
    """
    A copy of a lab has the same last second behind it.
    """
    kms = metered.client()
    for _ in range(5):
        kms.create_key()
    metered.save(tmp_path / "lab.json")

    assert code(metered.fork().client().create_key) == "ThrottlingException"
    assert code(Lab.load(tmp_path / "lab.json").client().create_key) == "ThrottlingException"


@pytest.mark.parametrize(
    ("operation", "spec", "region", "wanted"),
    [
        ("Encrypt", "SYMMETRIC_DEFAULT", "us-east-1", ("symmetric", 100_000)),
        ("Encrypt", "SYMMETRIC_DEFAULT", "eu-central-1", ("symmetric", 20_000)),
        ("Decrypt", "SYMMETRIC_DEFAULT", "sa-east-1", ("symmetric", 10_000)),
        ("Encrypt", "RSA_4096", "us-east-1", ("rsa", 1000)),
        ("GenerateRandom", None, "eu-north-1", ("symmetric", 10_000)),
        ("DescribeKey", "RSA_2048", "us-east-1", ("DescribeKey", 2000)),
    ],
)
def test_rates(lab, operation, spec, region, wanted):
    """
    The rates are those of AWS's page: shared groups by Region and key spec, management operations each its own.
    """
    key = None
    if spec is not None:
        made = lab.client().create_key(KeySpec=spec, KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
        key = lab.key(made)

    draws = draws_of(OPERATIONS[operation], key, "111122223333", region, {})
    assert draws == [(("111122223333", region, wanted[0]), wanted[1], 1)]


@pytest.mark.parametrize(
    ("spec", "rate"),
    [("RSA_2048", 20), ("RSA_3072", 4), ("RSA_4096", 1), ("ECC_NIST_P256", 100), ("ECC_NIST_EDWARDS25519", 100)],
)
@pytest.mark.parametrize("operation", ["GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"])
def test_data_key_pairs_have_a_rate_for_each_spec(operation, spec, rate):
    """
    Both operations draw from one bucket for each spec of pair.
    """
    draws = draws_of(OPERATIONS[operation], None, "111122223333", "us-east-1", {"KeyPairSpec": spec})
    assert draws == [(("111122223333", "us-east-1", f"GenerateDataKeyPair ({spec})"), rate, 1)]


def test_replicating_draws_two_create_keys_in_the_replicas_region():
    """
    ReplicateKey counts as itself in the primary's Region and as two CreateKeys in the replica's.
    """
    draws = draws_of(OPERATIONS["ReplicateKey"], None, "1", "us-east-1", {"ReplicaRegion": "eu-west-1"})
    assert draws == [(("1", "us-east-1", "ReplicateKey"), 5, 1), (("1", "eu-west-1", "CreateKey"), 5, 2)]


def test_changing_the_primary_region_counts_in_both_regions():
    """
    UpdatePrimaryRegion is one request in the old primary's Region and one in the new one's.
    """
    draws = draws_of(OPERATIONS["UpdatePrimaryRegion"], None, "1", "us-east-1", {"PrimaryRegion": "eu-west-1"})
    assert [draw.place[1] for draw in draws] == ["us-east-1", "eu-west-1"]


def test_a_custom_key_store_has_a_bucket_of_its_own(lab, kms, key):
    """
    Cryptography with a key in a custom key store draws from the store's 1,800 besides, whatever account calls.
    """
    record = lab.key(key)
    record.store_id = "cks-1"
    draws = draws_of(OPERATIONS["Encrypt"], record, "444455556666", "us-east-1", {})
    assert draws[1:] == [(("", "us-east-1", "cks-1"), 1800, 1)]
    assert len(draws_of(OPERATIONS["DescribeKey"], record, "444455556666", "us-east-1", {})) == 1


def test_refusals_are_throttled_too(metered):
    """
    A loop of calls that are refused because of the key's state runs into the quota as one of successes does.
    """
    kms = metered.client()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=key)

    answers = [code(kms.schedule_key_deletion, KeyId=key) for _ in range(15)]

    assert answers == ["KMSInvalidStateException"] * 14 + ["ThrottlingException"]
