"""Every condition key: what a policy sees of a call, and when it sees nothing.

Each claim is put as a condition in the caller's identity policy, and read from whether the call is allowed.
"""

import json

import pytest

from kms_lab.lab import ADMIN
from kms_lab.service.conditions import FAMILIES, PROVIDERS
from tests.service.conftest import EVERYDAY, code, import_request, imported_key, method, new_key

HOME = "111122223333"
ROLE = f"arn:aws:iam::{HOME}:role/App"
CONTEXT = {"tenant": "a", "aws:s3:arn": "arn:aws:s3:::bucket", "a/b": "c"}


def encrypt(on):
    return {"KeyId": on.key, "Plaintext": b"x", "EncryptionContext": CONTEXT}


def everyday(operation, **more):
    return operation, lambda on: {**EVERYDAY[operation](on), **more}


EQUALS, SUBSET = "EncryptionContextEquals", "EncryptionContextSubset"
VOLUME = f"arn:aws:ec2:us-east-1:{HOME}:volume/vol-1"


def service_grant(on):
    return {
        "KeyId": on.key,
        "GranteeServicePrincipal": "ec2.amazonaws.com",
        "RetiringServicePrincipal": "rds.amazonaws.com",
        "Constraints": {"SourceArn": VOLUME},
        "Operations": ["Decrypt"],
    }


DESCRIBE = everyday("DescribeKey")
LIST = everyday("ListKeys")
#: condition key: calls that set it, with the value; calls that do not
ROWS = {
    "kms:BypassPolicyLockoutSafetyCheck": (
        [
            (*everyday("PutKeyPolicy", BypassPolicyLockoutSafetyCheck=True), "true"),
            (*everyday("CreateKey", BypassPolicyLockoutSafetyCheck=True), "true"),
            (*everyday("CreateKey"), "false"),
        ],
        [DESCRIBE, everyday("Encrypt")],
    ),
    "kms:CallerAccount": (
        [(*DESCRIBE, HOME), (*everyday("CreateKey"), HOME), (*everyday("UpdateAlias"), HOME)],
        [LIST, everyday("ListAliases"), everyday("GenerateRandom")],
    ),
    "kms:EncryptionAlgorithm": (
        [
            (*everyday(name), "SYMMETRIC_DEFAULT")
            for name in ("Encrypt", "Decrypt", "GenerateDataKey", "GenerateDataKeyPair", "ReEncrypt")
        ],
        [DESCRIBE, everyday("GenerateRandom"), everyday("Sign")],
    ),
    "kms:DataKeyPairSpec": (
        [
            (*everyday("GenerateDataKeyPair"), "ECC_NIST_P256"),
            (*everyday("GenerateDataKeyPairWithoutPlaintext"), "ECC_NIST_EDWARDS25519"),
        ],
        [everyday("GenerateDataKey"), everyday("Sign")],
    ),
    "kms:KeyAgreementAlgorithm": ([(*everyday("DeriveSharedSecret"), "ECDH")], [everyday("Encapsulate"), DESCRIBE]),
    "kms:MacAlgorithm": (
        [(*everyday(name), "HMAC_SHA_256") for name in ("GenerateMac", "VerifyMac")],
        [everyday("Sign"), DESCRIBE],
    ),
    "kms:MessageType": (
        [(*everyday(name), "RAW") for name in ("Sign", "Verify")]
        + [(*everyday("Sign", Message=b"d" * 32, MessageType="DIGEST"), "DIGEST")],
        [everyday("GenerateMac"), everyday("GetPublicKey")],
    ),
    "kms:SigningAlgorithm": (
        [(*everyday(name), "ECDSA_SHA_256") for name in ("Sign", "Verify")],
        [everyday("GetPublicKey"), everyday("GenerateMac")],
    ),
    "kms:EncryptionContextKeys": (
        [("Encrypt", encrypt, name) for name in CONTEXT],
        [everyday("Encrypt", EncryptionContext={}), everyday("GenerateDataKey"), DESCRIBE],
    ),
    "kms:EncryptionContext:tenant": ([("Encrypt", encrypt, "a")], [everyday("Encrypt"), DESCRIBE]),
    "kms:EncryptionContext:Tenant": ([("Encrypt", encrypt, "a")], []),
    "kms:EncryptionContext:aws:s3:arn": ([("Encrypt", encrypt, "arn:aws:s3:::bucket")], [everyday("Encrypt")]),
    "kms:EncryptionContext:a/b": ([("Encrypt", encrypt, "c")], [everyday("Encrypt")]),
    "kms:EncryptionContext:shop": (
        [(*everyday("CreateGrant", Constraints={kind: {"shop": "a"}}), "a") for kind in (EQUALS, SUBSET)],
        [everyday("CreateGrant"), everyday("ListGrants")],
    ),
    "kms:GrantConstraintSourceArn": (
        [(*everyday("CreateGrant", Constraints={"SourceArn": VOLUME}), VOLUME)],
        [everyday("CreateGrant"), DESCRIBE],
    ),
    "kms:GrantConstraintType": (
        [(*everyday("CreateGrant", Constraints={kind: {"a": "b"}}), kind) for kind in (EQUALS, SUBSET)]
        + [(*everyday("CreateGrant", Constraints={"SourceArn": VOLUME}), "SourceArn")],
        [everyday("CreateGrant"), everyday("RevokeGrant")],
    ),
    "kms:GranteePrincipal": ([(*everyday("CreateGrant"), ADMIN)], [everyday("ListGrants"), DESCRIBE]),
    "kms:GranteeServicePrincipal": (
        [("CreateGrant", service_grant, "ec2.amazonaws.com")],
        [everyday("CreateGrant"), DESCRIBE],
    ),
    "kms:GrantIsForAWSResource": (
        [(*everyday(name), "false") for name in ("CreateGrant", "ListGrants", "RevokeGrant")],
        [everyday("Encrypt"), everyday("ListRetirableGrants"), DESCRIBE],
    ),
    "kms:GrantOperations": ([(*everyday("CreateGrant"), "Decrypt")], [everyday("ListGrants"), DESCRIBE]),
    "kms:RetiringPrincipal": (
        [(*everyday("CreateGrant", RetiringPrincipal=ADMIN), ADMIN)],
        [everyday("CreateGrant"), everyday("ListRetirableGrants")],
    ),
    "kms:RetiringServicePrincipal": (
        [("CreateGrant", service_grant, "rds.amazonaws.com")],
        [everyday("CreateGrant"), DESCRIBE],
    ),
    "kms:ExpirationModel": (
        [
            (*everyday("ImportKeyMaterial"), "KEY_MATERIAL_EXPIRES"),
            (
                "ImportKeyMaterial",
                lambda on: import_request(on.kms, imported_key(on.kms)),
                "KEY_MATERIAL_DOES_NOT_EXPIRE",
            ),
        ],
        [everyday("GetParametersForImport"), DESCRIBE],
    ),
    "kms:ValidTo": (
        [(*everyday("ImportKeyMaterial"), "2026-06-01T00:00:00Z")],
        [("ImportKeyMaterial", lambda on: import_request(on.kms, imported_key(on.kms))), DESCRIBE],
    ),
    "kms:WrappingAlgorithm": (
        [(*everyday("GetParametersForImport"), "RSAES_OAEP_SHA_256")],
        [everyday("ImportKeyMaterial"), DESCRIBE],
    ),
    "kms:WrappingKeySpec": (
        [(*everyday("GetParametersForImport"), "RSA_2048")],
        [everyday("ImportKeyMaterial"), DESCRIBE],
    ),
    "kms:KeyOrigin": (
        [
            (*DESCRIBE, "AWS_KMS"),
            (*everyday("CreateKey"), "AWS_KMS"),
            (*everyday("CreateKey", Origin="EXTERNAL"), "EXTERNAL"),
        ],
        [LIST, everyday("GenerateRandom")],
    ),
    "kms:KeySpec": (
        [
            (*DESCRIBE, "SYMMETRIC_DEFAULT"),
            (*everyday("GenerateDataKey"), "SYMMETRIC_DEFAULT"),
            (*everyday("CreateKey"), "SYMMETRIC_DEFAULT"),
            (*everyday("CreateKey", KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"), "HMAC_256"),
            (*everyday("CreateKey", CustomerMasterKeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"), "HMAC_256"),
        ],
        [LIST],
    ),
    "kms:KeyUsage": (
        [
            (*DESCRIBE, "ENCRYPT_DECRYPT"),
            (*everyday("CreateKey"), "ENCRYPT_DECRYPT"),
            (*everyday("CreateKey", KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"), "GENERATE_VERIFY_MAC"),
        ],
        [LIST],
    ),
    "kms:MultiRegion": (
        [
            (*DESCRIBE, "false"),
            (*everyday("CreateKey", MultiRegion=False), "false"),
            (*everyday("CreateKey", MultiRegion=True), "true"),
        ],
        [LIST],
    ),
    "kms:MultiRegionKeyType": (
        [
            ("DescribeKey", lambda on: {"KeyId": new_key(on.kms, MultiRegion=True)}, "PRIMARY"),
            (*everyday("CreateKey", MultiRegion=True), "PRIMARY"),
        ],
        [LIST, DESCRIBE, everyday("CreateKey", MultiRegion=False)],
    ),
    "kms:PolicyName": ([(*everyday("GetKeyPolicy"), "default"), (*everyday("PutKeyPolicy"), "default")], [DESCRIBE]),
    "kms:PrimaryRegion": ([(*everyday("UpdatePrimaryRegion"), "eu-west-1")], [DESCRIBE, everyday("CreateKey")]),
    "kms:ReplicaRegion": ([], [DESCRIBE, everyday("CreateKey")]),  # set: see test_multi_region
    "kms:ReEncryptOnSameKey": (
        [(*everyday("ReEncrypt"), "true"), (*everyday("ReEncrypt", DestinationKeyId="alias/other"), "false")],
        [everyday("Encrypt"), everyday("Decrypt")],
    ),
    "kms:RequestAlias": (
        [(*everyday(name, KeyId="alias/key"), "alias/key") for name in ("DescribeKey", "Encrypt", "Decrypt")]
        + [(*everyday("DescribeKey", KeyId=f"arn:aws:kms:us-east-1:{HOME}:alias/key"), "alias/key")],
        [DESCRIBE, everyday("Decrypt"), everyday("CreateAlias"), everyday("UpdateAlias"), everyday("DeleteAlias")],
    ),
    "kms:ResourceAliases": (
        [(*DESCRIBE, "alias/key"), (*everyday("Encrypt"), "alias/key")],
        [LIST, ("DescribeKey", lambda on: {"KeyId": new_key(on.kms)})],
    ),
    "kms:RotationPeriodInDays": (
        [
            (*everyday("EnableKeyRotation"), "100"),
            ("EnableKeyRotation", lambda on: {"KeyId": on.key}, "365"),
        ],
        [DESCRIBE, everyday("DisableKeyRotation")],
    ),
    "kms:ScheduleKeyDeletionPendingWindowInDays": (
        [
            (*everyday("ScheduleKeyDeletion"), "7"),
            ("ScheduleKeyDeletion", lambda on: {"KeyId": on.key}, "30"),
        ],
        [DESCRIBE],
    ),
    # the stage has just encrypted with this key
    "kms:TrailingDaysWithoutKeyUsage": (
        [(*everyday("DisableKey"), "0"), (*everyday("ScheduleKeyDeletion"), "0")],
        [DESCRIBE, everyday("EnableKey")],
    ),
    "aws:CurrentTime": ([(*DESCRIBE, "2026-01-01T09:00:00Z"), (*LIST, "2026-01-01T09:00:00Z")], []),
    "aws:EpochTime": ([(*DESCRIBE, "1767258000")], []),
    "aws:PrincipalAccount": ([(*DESCRIBE, HOME), (*LIST, HOME)], []),
    "aws:PrincipalArn": ([(*DESCRIBE, ROLE)], []),
    "aws:PrincipalType": ([(*DESCRIBE, "AssumedRole")], []),
    "aws:PrincipalIsAWSService": ([(*DESCRIBE, "false")], []),
    "aws:username": ([], [DESCRIBE]),
    "aws:RequestedRegion": ([(*DESCRIBE, "us-east-1"), (*LIST, "us-east-1")], []),
    "aws:ResourceAccount": ([(*DESCRIBE, HOME)], [LIST]),
    "aws:SourceArn": ([], [DESCRIBE, LIST]),  # set: see test_grants
    "aws:SecureTransport": ([(*DESCRIBE, "true")], []),
    "aws:TagKeys": (
        [(*everyday("TagResource"), "a"), (*everyday("UntagResource"), "team"), (*everyday("CreateKey"), "a")],
        [DESCRIBE, everyday("CreateKey", Tags=[])],
    ),
    "aws:PrincipalTag/unit": ([(*DESCRIBE, "sales")], []),
    "aws:PrincipalTag/Unit": ([(*DESCRIBE, "sales")], []),
    "aws:PrincipalTag/none": ([], [DESCRIBE]),
    "aws:ResourceTag/team": ([(*DESCRIBE, "blue")], [LIST, ("DescribeKey", lambda on: {"KeyId": on.other})]),
    "aws:RequestTag/color": (
        [
            (*everyday(name, Tags=[{"TagKey": "color", "TagValue": "red"}]), "red")
            for name in ("TagResource", "CreateKey")
        ],
        [everyday("TagResource"), DESCRIBE],
    ),
}
#: set for calls that a service makes for somebody: tests of these are in ``test_managed``
THROUGH_A_SERVICE = {"kms:viaservice", "aws:calledvia", "aws:viaawsservice"}
MULTI_VALUED = {"kms:EncryptionContextKeys", "kms:GrantOperations", "kms:ResourceAliases", "aws:TagKeys"}
NUMBERS = {
    "kms:RotationPeriodInDays",
    "kms:ScheduleKeyDeletionPendingWindowInDays",
    "kms:TrailingDaysWithoutKeyUsage",
}
SET = [(name, *case) for name, (cases, _) in ROWS.items() for case in cases]
ABSENT = [(name, *case) for name, (_, cases) in ROWS.items() for case in cases]


def test_every_row_is_here():
    """
    Each condition key of the lab is tried below.
    """
    tried = {name.lower() for name in ROWS} | THROUGH_A_SERVICE

    assert {name for name in tried if name in PROVIDERS} == set(PROVIDERS)
    assert {prefix for prefix in FAMILIES if any(name.startswith(prefix) for name in tried)} == set(FAMILIES)


@pytest.fixture
def allowed(stage):
    """A function: may a role, under one condition, make this call?"""
    role = stage.lab.iam.create_role("App")
    stage.lab.iam.tag(role, unit="sales")

    def ask(operator, name, value, operation, params):
        statement = {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {operator: {name: value}}}
        stage.lab.iam.put_policies(role, [{"Version": "2012-10-17", "Statement": [statement]}])
        twin = stage.lab.fork()
        found = code(method(twin.client(principal=role), operation), **params)
        assert found in (None, "AccessDeniedException")
        return found is None

    return ask


@pytest.mark.parametrize(("name", "operation", "params", "value"), SET)
def test_set(stage, allowed, name, operation, params, value):
    """
    A call that sets a condition key has this value, and no other.
    """
    operator = "NumericEquals" if name in NUMBERS else "StringEquals"
    if name in MULTI_VALUED:
        operator = "ForAnyValue:StringEquals"
    call = operation, params(stage)

    assert allowed("Null", name, "false", *call)
    assert not allowed("Null", name, "true", *call)
    assert allowed(operator, name, value, *call)
    assert not allowed(operator, name, "1" if name in NUMBERS else "other", *call)


@pytest.mark.parametrize(("name", "operation", "params"), ABSENT)
def test_absent(stage, allowed, name, operation, params):
    """
    A call that does not set a condition key passes Null, and fails whatever asks for a value.
    """
    call = operation, params(stage)

    assert allowed("Null", name, "true", *call)
    assert not allowed("Null", name, "false", *call)
    assert not allowed("StringLike", name, "*", *call)


def test_all_values_of_a_multi_valued_key(stage, allowed):
    """
    Every key of the encryption context must be in the list for ForAllValues to hold.
    """
    name = "kms:EncryptionContextKeys"
    call = "Encrypt", encrypt(stage)

    assert allowed("ForAllValues:StringEquals", name, list(CONTEXT), *call)
    assert not allowed("ForAllValues:StringEquals", name, ["tenant"], *call)


def test_user_and_service(lab, kms, key):
    """
    A user has aws:username; a service has no account, ARN or type, and says that it is a service.
    """

    def under(condition, client):
        statements = [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{HOME}:root"}, "Action": "kms:*", "Resource": "*"},
            {"Effect": "Deny", "Principal": "*", "Action": "kms:DescribeKey", "Resource": "*", "Condition": condition},
            {
                "Effect": "Allow",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "kms:DescribeKey",
                "Resource": "*",
            },
        ]
        text = json.dumps({"Version": "2012-10-17", "Statement": statements})
        kms.put_key_policy(KeyId=key, Policy=text)
        return code(client.describe_key, KeyId=key) is None

    user = lab.client()
    assert not under({"StringEquals": {"aws:username": "Admin"}}, user)
    assert under({"StringEquals": {"aws:username": "Eve"}}, user)
    assert not under({"StringEquals": {"aws:PrincipalType": "User"}}, user)

    service = lab.client(principal="s3.amazonaws.com")
    assert not under({"Bool": {"aws:PrincipalIsAWSService": "true"}}, service)
    for name in ("aws:PrincipalAccount", "aws:PrincipalArn", "aws:PrincipalType", "kms:CallerAccount", "aws:username"):
        assert under({"Null": {name: "false"}}, service)
        assert not under({"Null": {name: "true"}}, service)


class TestReEncryptSides:
    """kms:ReEncryptFrom is asked about the source's parameters, kms:ReEncryptTo about the destination's."""

    @pytest.fixture
    def allowed_sides(self, stage):
        role = stage.lab.iam.create_role("App")
        blob = stage.kms.encrypt(KeyId=stage.key, Plaintext=b"x", EncryptionContext={"tenant": "a"})["CiphertextBlob"]

        def ask(at_source, at_destination, **more):
            statements = [
                {"Effect": "Allow", "Action": f"kms:ReEncrypt{side}", "Resource": "*", "Condition": condition}
                for side, condition in (("From", at_source), ("To", at_destination))
            ]
            stage.lab.iam.put_policies(role, [{"Version": "2012-10-17", "Statement": statements}])
            params = {
                "CiphertextBlob": blob,
                "SourceKeyId": "alias/key",
                "DestinationKeyId": "alias/other",
                "SourceEncryptionContext": {"tenant": "a"},
                "DestinationEncryptionContext": {"tenant": "b"},
            }
            return code(stage.lab.client(principal=role).re_encrypt, **{**params, **more}) is None

        return ask

    def test_context(self, allowed_sides):
        """
        Each side has its own encryption context.
        """
        a, b = ({"StringEquals": {"kms:EncryptionContext:tenant": value}} for value in "ab")

        assert allowed_sides(a, b)
        assert not allowed_sides(b, b)
        assert not allowed_sides(a, a)
        assert not allowed_sides(a, b, DestinationEncryptionContext={})

    def test_alias(self, stage, allowed_sides):
        """
        Each side has its own alias, or none.
        """
        key, other = ({"StringEquals": {"kms:RequestAlias": f"alias/{name}"}} for name in ("key", "other"))
        none = {"Null": {"kms:RequestAlias": "true"}}

        assert allowed_sides(key, other)
        assert not allowed_sides(other, other)
        assert not allowed_sides(key, key)
        assert allowed_sides(none, other, SourceKeyId=stage.key)
        assert allowed_sides(key, none, DestinationKeyId=stage.other)

    def test_algorithm(self, stage, allowed_sides, rsa_key):
        """
        Each side has its own algorithm.
        """
        aes, oaep = (
            {"StringEquals": {"kms:EncryptionAlgorithm": name}} for name in ("SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_256")
        )
        to_rsa = {"DestinationKeyId": rsa_key(), "DestinationEncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
        to_rsa["DestinationEncryptionContext"] = {}

        assert allowed_sides(aes, oaep, **to_rsa)
        assert not allowed_sides(oaep, oaep, **to_rsa)
        assert not allowed_sides(aes, aes, **to_rsa)
