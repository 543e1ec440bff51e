"""The policies AWS writes by default, and whom they let in."""

import json

import pytest

from kms_lab.core.names import Principal
from kms_lab.policy.defaults import api_default, console_default
from kms_lab.policy.evaluate import Layers, Request, compile_policy, evaluate

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
    layers = Layers(compile_policy(policy, "key"))
    return evaluate(Request(Principal.parse(caller), action, KEY, ACCOUNT, context), layers).allowed


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


def test_administrators_need_not_be_able_to_delete():
    """With the console's box cleared, administrators can neither schedule nor cancel a deletion, and all else stays."""
    with_box, without = (console_default(ACCOUNT, [ADMIN], administrators_may_delete=box) for box in (True, False))
    lost = {action for action in ACTIONS if may(with_box, ADMIN, action) and not may(without, ADMIN, action)}
    assert lost == {"kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion"}


def test_other_accounts_are_let_in_as_users_and_not_as_administrators():
    """Another account entered in the form may use the key, once its own IAM allows; managing it stays at home."""
    policy = console_default(ACCOUNT, [ADMIN], other_accounts=["444455556666"])
    away = Layers(
        compile_policy(policy, "key"),
        (compile_policy('{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}', "identity"),),
    )
    caller = Principal.parse("arn:aws:iam::444455556666:role/App")

    def reason(action):
        return evaluate(Request(caller, action, KEY, ACCOUNT, {}), away).reason

    assert reason("kms:Decrypt") == "cross-account"
    assert reason("kms:PutKeyPolicy") == "not-cross-account"
    assert reason("kms:GetPublicKey") == "cross-account-no-key-policy"
