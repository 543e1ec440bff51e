"""AWS managed keys: made when a service first needs them, used through it only, changed by nobody."""

import json
from functools import partial

import pytest

from kms_lab.lab import ADMIN
from kms_lab.service.operation import OPERATIONS
from tests.service.conftest import code, refusal

OTHER = "444455556666"
ALLOW_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@pytest.fixture
def s3(lab):
    """S3, calling KMS on the administrator's behalf."""
    return lab.client(via="s3")


@pytest.fixture
def managed(s3):
    """The ARN of aws/s3, which S3 has just needed."""
    return s3.generate_data_key(KeyId="alias/aws/s3", KeySpec="AES_256")["KeyId"]


def test_it_appears_when_its_service_first_needs_it(lab, kms, s3):
    """Nobody created it; there is one for the account and Region, and the second use finds the first one's key."""
    assert kms.list_keys()["Keys"] == []
    first = s3.generate_data_key(KeyId="alias/aws/s3", KeySpec="AES_256")["KeyId"]
    second = s3.generate_data_key(KeyId="alias/aws/s3", KeySpec="AES_256")["KeyId"]
    assert first == second == lab.key("alias/aws/s3").arn
    assert [alias["AliasName"] for alias in kms.list_aliases()["Aliases"]] == ["alias/aws/s3"]
    metadata = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert metadata["KeyManager"] == "AWS"
    assert not metadata["MultiRegion"]


@pytest.mark.parametrize("via", ["", "ec2"])
def test_no_other_service_and_no_user_makes_it(lab, via):
    """A name that nobody has needed yet is no key: not for a user, not for another service."""
    client = lab.client(via=via)
    assert code(client.generate_data_key, KeyId="alias/aws/s3", KeySpec="AES_256") == "NotFoundException"
    assert not list(lab.world.all_keys())


def test_every_account_and_region_has_its_own(lab, managed):
    """The alias is the same everywhere, the key is not."""
    guest = lab.iam.create_role("Guest", [ALLOW_ALL], account=OTHER)
    keys = {
        managed,
        lab.client(guest, via="s3").generate_data_key(KeyId="alias/aws/s3", KeySpec="AES_256")["KeyId"],
        lab.client(region="eu-west-1", via="s3").generate_data_key(KeyId="alias/aws/s3", KeySpec="AES_256")["KeyId"],
    }
    assert len(keys) == 3


def test_it_works_through_its_service_only(lab, kms, s3, managed):
    """The same person may use it through S3, and neither directly nor through another service."""
    blob = s3.encrypt(KeyId=managed, Plaintext=b"object")["CiphertextBlob"]
    assert s3.decrypt(CiphertextBlob=blob)["Plaintext"] == b"object"
    error = refusal(kms.decrypt, CiphertextBlob=blob)
    assert error.code == "AccessDeniedException"
    assert error.message.endswith("because no resource-based policy allows the kms:Decrypt action")
    assert code(lab.client(via="ec2").decrypt, CiphertextBlob=blob) == "AccessDeniedException"


def test_somebody_without_any_policy_may_use_it_through_its_service(lab, managed):
    """Its key policy lets in everybody of the account who comes through S3."""
    nobody = lab.iam.create_role("Nobody")
    assert code(lab.client(nobody, via="s3").encrypt, KeyId=managed, Plaintext=b"p") is None


def test_another_account_may_not_use_it(lab, managed):
    """That is why data under aws/s3 cannot be shared across accounts."""
    guest = lab.client(lab.iam.create_role("Guest", [ALLOW_ALL], account=OTHER), via="s3")
    assert code(guest.encrypt, KeyId=managed, Plaintext=b"p") == "AccessDeniedException"


CHANGES = {
    "disable_key": {},
    "schedule_key_deletion": {},
    "put_key_policy": {"Policy": '{"Version": "2012-10-17", "Statement": []}'},
    "enable_key_rotation": {},
    "disable_key_rotation": {},
    "rotate_key_on_demand": {},
    "update_key_description": {"Description": "mine"},
    "tag_resource": {"Tags": [{"TagKey": "a", "TagValue": "b"}]},
    "untag_resource": {"TagKeys": ["a"]},
}


@pytest.mark.parametrize("change", CHANGES)
def test_nobody_in_the_account_changes_it(kms, managed, change):
    """Disabling, deleting, tagging, another policy, another rotation: all refused, by the key's policy."""
    assert code(getattr(kms, change), KeyId=managed, **CHANGES[change]) == "AccessDeniedException"


def test_its_alias_cannot_be_moved_and_it_takes_no_other(kms, managed):
    """alias/aws/ is AWS's, and a customer's alias needs the key policy's permission."""
    assert code(kms.delete_alias, AliasName="alias/aws/s3") == "NotAuthorizedException"
    assert code(kms.create_alias, AliasName="alias/mine", TargetKeyId=managed) == "AccessDeniedException"


@pytest.mark.parametrize("look", ["describe_key", "get_key_policy", "get_key_rotation_status", "list_resource_tags"])
def test_the_account_looks_at_it(kms, managed, look):
    """Metadata, policy and rotation can be read and audited."""
    assert code(getattr(kms, look), KeyId=managed) is None


def test_it_rotates_every_year(lab, kms, s3, managed):
    """Always, and by itself; what was encrypted before still opens."""
    blob = s3.encrypt(KeyId=managed, Plaintext=b"object")["CiphertextBlob"]
    assert kms.get_key_rotation_status(KeyId=managed)["KeyRotationEnabled"] is True
    lab.clock.travel(days=3 * 365)
    assert len(lab.key(managed).materials) == 4
    assert s3.decrypt(CiphertextBlob=blob)["Plaintext"] == b"object"


def test_it_costs_nothing_to_keep(lab, managed):
    """No monthly fee, however long, and however often it rotates."""
    lab.clock.travel(days=800)
    assert lab.bill().total == 0


def test_the_trail_names_the_service(lab, managed):
    """A call through a service shows the service as source, and the caller as the identity behind it."""
    record = lab.events()[-1]
    assert record["sourceIPAddress"] == record["userAgent"] == "s3.amazonaws.com"
    assert record["userIdentity"]["invokedBy"] == "s3.amazonaws.com"
    assert record["userIdentity"]["userName"] == "Admin"


def test_it_does_not_count_to_the_quota_of_keys(lab, kms, managed, monkeypatch):
    """Only customer managed keys do."""
    monkeypatch.setattr("kms_lab.service.operations.keys.KEYS_PER_REGION", 1)
    assert code(kms.create_key) is None
    assert code(kms.create_key) == "LimitExceededException"


@pytest.mark.parametrize(
    ("name", "operator", "value"),
    [
        ("kms:ViaService", "StringEquals", "s3.us-east-1.amazonaws.com"),
        ("aws:ViaAWSService", "Bool", "true"),
        ("aws:CalledVia", "ForAnyValue:StringEquals", "s3.amazonaws.com"),
    ],
)
def test_condition_keys_of_calls_through_a_service(lab, kms, key, name, operator, value):
    """A statement that asks for the service lets the role in through S3, and not through EC2 or directly."""
    condition = {operator: {name: value}}
    statement = {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*", "Condition": condition}
    role = lab.iam.create_role("App", [{"Version": "2012-10-17", "Statement": [statement]}])
    for via, wanted in (("s3", None), ("", "AccessDeniedException")):
        assert code(lab.client(role, via=via).encrypt, KeyId=key, Plaintext=b"p") == wanted
    through_ec2 = code(lab.client(role, via="ec2").encrypt, KeyId=key, Plaintext=b"p")
    assert through_ec2 == (None if name == "aws:ViaAWSService" else "AccessDeniedException")


@pytest.mark.parametrize(
    ("via", "alias", "policy", "may", "may_not"),
    [
        ("s3", "s3", "auto-s3-2", "Encrypt", "CreateGrant"),
        ("ssm", "ssm", "auto-ssm-1", "Encrypt", "CreateGrant"),
        ("ec2", "ebs", "auto-ebs-2", "CreateGrant", "ListGrants"),
        ("rds", "rds", "auto-rds-2", "ListGrants", "PutKeyPolicy"),
        ("sns", "sns", "auto-sns-1", "Decrypt", "Encrypt"),
        ("lambda", "lambda", "auto-awslambda", "Encrypt", "DisableKey"),
        ("secretsmanager", "secretsmanager", "auto-secretsmanager-2", "GenerateDataKey", "DisableKey"),
        ("dynamodb", "dynamodb", "auto-dynamodb-1", "CreateGrant", "DisableKey"),
        ("sqs", "sqs", "auto-sqs-1", "Encrypt", "DisableKey"),
    ],
)
def test_each_service_has_its_policy(lab, kms, via, alias, policy, may, may_not):
    """The policies are those that accounts show: what a service needs is allowed through it, and nothing else."""
    nobody = lab.client(lab.iam.create_role("Nobody"), via=via)
    key = lab.client(via=via).generate_data_key(KeyId=f"alias/aws/{alias}", KeySpec="AES_256")["KeyId"]
    document = json.loads(kms.get_key_policy(KeyId=key)["Policy"])

    assert document["Id"] == policy
    for operation, wanted in ((may, None), (may_not, "AccessDeniedException")):
        assert code(*_request(nobody, operation, key)) == wanted


def _request(client, operation, key):
    """A method and nothing else: the request is bound to it, so that ``code`` can send it."""
    params = {
        "Encrypt": {"Plaintext": b"p"},
        "GenerateDataKey": {"KeySpec": "AES_256"},
        "CreateGrant": {"GranteePrincipal": ADMIN, "Operations": ["Decrypt"]},
        "PutKeyPolicy": {"Policy": "{}"},
    }.get(operation, {})
    if operation == "Decrypt":
        params = {"CiphertextBlob": client.generate_data_key(KeyId=key, KeySpec="AES_256")["CiphertextBlob"]}
    method = getattr(client, OPERATIONS[operation].method)
    return (partial(method, KeyId=key, **params),)
