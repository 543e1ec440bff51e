"""Request quotas: off by default; switched on, they count any second of the log."""

import pytest

from kms_lab import Lab
from kms_lab.core.errors import ThrottlingException
from kms_lab.service.operation import OPERATIONS
from kms_lab.service.quota import rate_of
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
    CreateKey may be called five times a second; the sixth is refused in AWS's words, and a second later it works.
    """
    kms = metered.client()
    for _ in range(5):
        kms.create_key()

    with pytest.raises(ThrottlingException) as refused:
        kms.create_key()

    assert refused.value.message == MESSAGE
    assert refused.value.http_status == 400
    metered.clock.travel(seconds=0.9)
    assert code(kms.create_key) == "ThrottlingException"
    metered.clock.travel(seconds=0.1)
    assert code(kms.create_key) is None


def test_the_window_slides(metered):
    """
    It is any second that counts, not the clock's: three calls, half a second, two more, half a second, three more.
    """
    kms = metered.client()
    for calls in (3, 2, 3):
        assert [code(kms.create_key) for _ in range(calls)] == [None] * calls
        metered.clock.travel(seconds=0.5)
    assert [code(kms.create_key) for _ in range(3)] == [None, None, "ThrottlingException"]


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

    metered.clock.travel(seconds=0.6)
    assert [code(kms.disable_key, KeyId=key) for _ in range(5)] == ["ThrottlingException"] * 5
    metered.clock.travel(seconds=0.4)  # the first five are a second old; the throttled ones are not
    assert code(kms.disable_key, KeyId=key) is None


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

    assert rate_of(OPERATIONS[operation], key, region) == wanted
