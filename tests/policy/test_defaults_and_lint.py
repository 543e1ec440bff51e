"""The policies AWS writes by default, and what the linter says and does not say."""

import json

import pytest

from kms_lab.core.names import Principal
from kms_lab.policy.defaults import api_default, console_default
from kms_lab.policy.evaluate import compile_policy, decide
from kms_lab.policy.lint import lint

ACCOUNT = "111122223333"
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/0f0e0d0c-0b0a-4908-8706-050403020100"
ADMIN, USER = f"arn:aws:iam::{ACCOUNT}:role/Admin", f"arn:aws:iam::{ACCOUNT}:user/dana"
_NAMES = """
    CancelKeyDeletion CreateAlias CreateGrant CreateKey Decrypt DeleteAlias DeleteImportedKeyMaterial
    DeriveSharedSecret DescribeKey DisableKey DisableKeyRotation EnableKey EnableKeyRotation Encrypt
    GenerateDataKey GenerateDataKeyPair GenerateMac GetKeyPolicy GetPublicKey ImportKeyMaterial ListGrants
    PutKeyPolicy ReEncryptFrom ReEncryptTo ReplicateKey RevokeGrant RotateKeyOnDemand ScheduleKeyDeletion Sign
    TagResource UntagResource UpdateAlias UpdateKeyDescription UpdatePrimaryRegion Verify VerifyMac
    Encapsulate Decapsulate
"""
ACTIONS = frozenset(f"kms:{name}" for name in _NAMES.split())


def may(policy, caller, action, **context):
    """Whether the key policy alone lets the caller in."""
    compiled = compile_policy(policy, "key")
    return decide(Principal.parse(caller), action, KEY, ACCOUNT, compiled, (), tuple(context.items())).allowed


def test_the_api_default_gives_the_account_everything_and_nobody_anything():
    """
    CreateKey without a policy delegates to IAM: the root user may all, a user without identity policy nothing.
    """
    policy = api_default(ACCOUNT)

    assert all(may(policy, f"arn:aws:iam::{ACCOUNT}:root", action) for action in ACTIONS)
    assert not any(may(policy, ADMIN, action) for action in ACTIONS)
    assert json.loads(policy)["Statement"][0]["Sid"] == "Enable IAM User Permissions"


def test_the_console_default_separates_administration_from_use():
    """
    Administrators manage and cannot encrypt; users encrypt and cannot manage; grants are for AWS services only.
    """
    policy = console_default(ACCOUNT, [ADMIN], [USER])
    for_service = {"kms:grantisforawsresource": "true"}

    assert {action for action in ACTIONS if may(policy, USER, action)} == {
        *("kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo"),
        *("kms:GenerateDataKey", "kms:GenerateDataKeyPair", "kms:DescribeKey"),
    }
    assert may(policy, USER, "kms:CreateGrant", **for_service)
    assert may(policy, ADMIN, "kms:CreateGrant")
    assert may(policy, ADMIN, "kms:PutKeyPolicy")
    assert may(policy, ADMIN, "kms:ScheduleKeyDeletion")
    for action in (
        "Encrypt",
        "Decrypt",
        "Sign",
        "GenerateDataKey",
        "ReEncryptFrom",
        "ImportKeyMaterial",
        "ReplicateKey",
    ):
        assert not may(policy, ADMIN, f"kms:{action}")


@pytest.mark.parametrize(
    ("spec", "usage", "actions"),
    [
        ("HMAC_256", "GENERATE_VERIFY_MAC", {"DescribeKey", "GenerateMac", "VerifyMac"}),
        (
            "RSA_2048",
            "ENCRYPT_DECRYPT",
            {"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "DescribeKey", "GetPublicKey"},
        ),
        ("ECC_NIST_P256", "SIGN_VERIFY", {"DescribeKey", "GetPublicKey", "Sign", "Verify"}),
        ("ECC_NIST_P256", "KEY_AGREEMENT", {"DescribeKey", "GetPublicKey", "DeriveSharedSecret"}),
        ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE", {"DescribeKey", "GetPublicKey", "Encapsulate", "Decapsulate"}),
    ],
)
def test_users_get_what_the_key_can_do(spec, usage, actions):
    """
    The console's key users statement follows the key's usage.
    """
    policy = console_default(ACCOUNT, users=[USER], spec=spec, usage=usage)

    assert {action for action in ACTIONS if may(policy, USER, action)} == {f"kms:{name}" for name in actions}


def test_administrators_of_special_keys_get_more():
    """
    Imported material adds ImportKeyMaterial, multi-Region adds ReplicateKey and UpdatePrimaryRegion.
    """
    policy = console_default(ACCOUNT, [ADMIN], origin="EXTERNAL", multi_region=True)

    assert all(
        may(policy, ADMIN, f"kms:{name}") for name in ("ImportKeyMaterial", "ReplicateKey", "UpdatePrimaryRegion")
    )


def statement(**changes):
    """A good key statement with elements replaced; None removes one."""
    base = {"Effect": "Allow", "Principal": {"AWS": USER}, "Action": "kms:Encrypt", "Resource": "*"} | changes
    return {name: value for name, value in base.items() if value is not None}


def codes(*statements, kind="key"):
    """The codes the linter gives."""
    text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    return [finding.code for finding in lint(text, kind, ACTIONS)]


ALIAS = f"arn:aws:kms:eu-west-1:{ACCOUNT}:alias/app"
SERVICE = {"Service": "cloudtrail.amazonaws.com"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Action": ["kms:Encrypt", "kms:ReEncrypt"]}, "unknown-action"),
        ({"Action": "kms:Encrpyt*"}, "unknown-action"),
        ({"Resource": None}, "no-resource"),
        ({"Action": None}, "no-action"),
        ({"Principal": "*"}, "open-to-everyone"),
        ({"Principal": {"AWS": ["*"]}}, "open-to-everyone"),
        ({"Principal": None, "NotPrincipal": {"AWS": USER}}, "open-to-everyone"),
        ({"Principal": SERVICE}, "service-without-source"),
        (
            {"Principal": SERVICE, "Condition": {"StringEquals": {"kms:ViaService": "s3.x.amazonaws.com"}}},
            "service-without-source",
        ),
        ({"Resource": ALIAS}, "alias-as-resource"),
    ],
)
def test_lint_finds(changes, code):
    """
    Each mistake is found once, named, and explained with its remedy and source.
    """
    assert codes(statement(**changes)) == [code]
    text = json.dumps({"Statement": statement(Sid="Mine", **changes)})
    finding = lint(text, "key", ACTIONS)[0]
    assert finding.statement == 'statement "Mine"'
    assert all((finding.message, finding.why, finding.fix, finding.source))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Action": "kms:*"},
        {"Action": ["KMS:encrypt", "kms:ReEncrypt*", "s3:NoSuchThing"]},
        {"Principal": "*", "Effect": "Deny"},
        {"Principal": "*", "Condition": {"StringEquals": {"kms:CallerAccount": ACCOUNT}}},
        {"Principal": None, "NotPrincipal": {"AWS": USER}, "Effect": "Deny"},
        {"Principal": SERVICE, "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}},
        {"Principal": SERVICE, "Condition": {"ArnLike": {"AWS:SourceARN": "arn:aws:cloudtrail:*:*:trail/t"}}},
        {
            "Principal": {"Service": "logs.eu-west-1.amazonaws.com"},
            "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:*:*:*"}},
        },
        {"Principal": SERVICE, "Effect": "Deny"},
        {"Action": ["kms:CreateAlias", "kms:DeleteAlias"], "Resource": ALIAS},
        {"Action": "kms:*", "Resource": [ALIAS, KEY]},
    ],
)
def test_lint_does_not_cry_wolf(changes):
    """
    What is right, or narrowed, or a deny, gets no finding.
    """
    assert codes(statement(**changes)) == []


@pytest.mark.parametrize(
    "policy",
    [
        api_default(ACCOUNT),
        console_default(ACCOUNT, [ADMIN], [USER, "arn:aws:iam::444455556666:root"]),
        console_default(ACCOUNT, [ADMIN], [USER], spec="ECC_NIST_P256", usage="SIGN_VERIFY"),
        console_default(ACCOUNT, [ADMIN], [USER], origin="EXTERNAL", multi_region=True),
    ],
)
def test_lint_leaves_the_defaults_alone(policy):
    """
    The policies AWS itself writes get no finding.
    """
    assert lint(policy, "key", ACTIONS) == []


def test_lint_reads_identity_policies():
    """
    The alias mistake is most often made in identity policies, and is found there.
    """
    assert codes(statement(Principal=None, Resource=[ALIAS]), kind="identity") == ["alias-as-resource"]
