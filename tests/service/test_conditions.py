"""Every condition key: what a policy sees of a call, and when it sees nothing.

Each claim is put as a condition in the caller's identity policy, and read from whether the call is allowed.
"""

import json

import pytest

from kms_lab import LabError
from kms_lab.core.circumstances import Circumstances
from kms_lab.core.clock import iso_text
from kms_lab.core.names import Principal, principal_id
from kms_lab.lab import ADMIN
from kms_lab.service.conditions import FAMILIES, PROVIDERS
from tests.service.conftest import EVERYDAY, code, import_request, imported_key, method, new_grant, new_key

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


#: keys of the calls of organizations, endpoints, services and sessions with more to them: set in TestWhoCalls and below
ELSEWHERE = [
    "PrincipalOrgID", "PrincipalOrgPaths", "ResourceOrgID", "ResourceOrgPaths", "SourceAccount", "SourceOrgID",
    "SourceOrgPaths", "PrincipalServiceName", "PrincipalServiceNamesList", "MultiFactorAuthAge", "SourceIdentity",
    "SourceVpce", "SourceVpc", "SourceVpcArn", "VpcSourceIp", "VpceAccount", "VpceOrgID", "VpceOrgPaths",
    "FederatedProvider", "Ec2InstanceSourceVpc", "Ec2InstanceSourcePrivateIPv4", "referer", "AssumedRoot",
    "ChatbotSourceArn",
]  # fmt: skip
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
    "aws:ResourceAccount": ([(*DESCRIBE, HOME), (*LIST, HOME)], []),
    "aws:userid": ([(*DESCRIBE, principal_id(Principal.parse(ROLE)))], []),
    "aws:MultiFactorAuthPresent": ([(*DESCRIBE, "false"), (*LIST, "false")], []),
    "aws:TokenIssueTime": ([(*DESCRIBE, "2026-01-01T09:00:00Z")], []),
    "aws:SourceIp": ([(*DESCRIBE, "192.0.2.0"), (*LIST, "192.0.2.0")], []),
    "aws:UserAgent": ([(*DESCRIBE, "kms-lab")], []),
    **{f"aws:{name}": ([], [DESCRIBE, LIST]) for name in ELSEWHERE},
    "iam:AWSServiceName": ([], [DESCRIBE, everyday("CreateKey")]),
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
THROUGH_A_SERVICE = {
    "kms:viaservice", "aws:calledvia", "aws:calledviafirst", "aws:calledvialast", "aws:viaawsservice"
}  # fmt: skip
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
        besides = {"Effect": "Allow", "Action": "iam:CreateServiceLinkedRole", "Resource": "*"}
        stage.lab.iam.put_policies(role, [{"Version": "2012-10-17", "Statement": [statement, besides]}])
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


# ------------------------------------------------------------------------------ operations, and what each sets

STORES = {f"{verb}CustomKeyStore" for verb in ("Connect", "Create", "Delete", "Disconnect", "Update")}
STORES |= {"DescribeCustomKeyStores"}
LISTINGS = {"GenerateRandom", "ListAliases", "ListKeys", "ListRetirableGrants"}
ON_KEYS = EVERYDAY.keys() - STORES - LISTINGS - {"CreateKey"}
DATA_KEYS = {f"GenerateDataKey{end}" for end in ("", "Pair", "WithoutPlaintext", "PairWithoutPlaintext")}
#: condition key: operations that set it. Source: AWS KMS Developer Guide, "AWS KMS condition keys"; IAM's Service
#: Authorization Reference, "AWS KMS"
OPERATIONS_OF = {
    "kms:bypasspolicylockoutsafetycheck": {"CreateKey", "PutKeyPolicy", "ReplicateKey"},  # of it: kms:CreateKey
    "kms:calleraccount": EVERYDAY.keys() - LISTINGS,
    "kms:datakeypairspec": {"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"},
    "kms:encryptionalgorithm": {"Decrypt", "Encrypt", "ReEncrypt"} | DATA_KEYS,
    "kms:encryptioncontextkeys": {"Decrypt", "Encrypt", "ReEncrypt", "CreateGrant", "RetireGrant"} | DATA_KEYS,
    "kms:expirationmodel": {"ImportKeyMaterial"},
    "kms:grantconstraintsourcearn": {"CreateGrant"},
    "kms:grantconstrainttype": {"CreateGrant", "RetireGrant"},
    "kms:granteeprincipal": {"CreateGrant"},
    "kms:granteeserviceprincipal": {"CreateGrant"},
    "kms:grantisforawsresource": {"CreateGrant", "ListGrants", "RevokeGrant"},
    "kms:grantoperations": {"CreateGrant"},
    "kms:keyagreementalgorithm": {"DeriveSharedSecret"},
    "kms:keyorigin": ON_KEYS | {"CreateKey"},
    "kms:keyspec": ON_KEYS | {"CreateKey"},
    "kms:keyusage": ON_KEYS | {"CreateKey"},
    "kms:macalgorithm": {"GenerateMac", "VerifyMac"},
    "kms:messagetype": {"Sign", "Verify"},
    "kms:multiregion": ON_KEYS | {"CreateKey"},
    "kms:multiregionkeytype": ON_KEYS | {"CreateKey"},
    "kms:policyname": {"GetKeyPolicy", "PutKeyPolicy"},
    "kms:primaryregion": {"UpdatePrimaryRegion"},
    "kms:reencryptonsamekey": {"ReEncrypt"},
    "kms:replicaregion": {"ReplicateKey"},
    "kms:requestalias": ON_KEYS,
    "kms:resourcealiases": ON_KEYS,
    "kms:retiringprincipal": {"CreateGrant"},
    "kms:retiringserviceprincipal": {"CreateGrant"},
    "kms:rotationperiodindays": {"EnableKeyRotation"},
    "kms:schedulekeydeletionpendingwindowindays": {"ScheduleKeyDeletion"},
    "kms:signingalgorithm": {"Sign", "Verify"},
    "kms:trailingdayswithoutkeyusage": {"DisableKey", "ScheduleKeyDeletion"},
    "kms:validto": {"ImportKeyMaterial"},
    "kms:viaservice": ON_KEYS | {"CreateKey"},
    "kms:wrappingalgorithm": {"GetParametersForImport"},
    "kms:wrappingkeyspec": {"GetParametersForImport"},
}
#: set only by requests or for keys that have something to tell
OPTIONAL = {
    "kms:encryptioncontextkeys", "kms:grantconstraintsourcearn", "kms:grantconstrainttype",
    "kms:granteeserviceprincipal", "kms:multiregionkeytype", "kms:requestalias", "kms:resourcealiases",
    "kms:retiringprincipal", "kms:retiringserviceprincipal", "kms:viaservice",
    "kms:replicaregion",  # of a replica's first check; see test_multi_region
}  # fmt: skip


def context_after(lab):
    return lab.last_verdict.request.context


@pytest.mark.parametrize("operation", EVERYDAY)
def test_operations(stage, operation):
    """
    Each operation sets the condition keys that AWS lists for it, and no other of KMS's.
    """
    params = EVERYDAY[operation](stage) if operation != "CreateKey" else {}
    code(method(stage.lab.client(), operation), **params)

    found = {name for name in context_after(stage.lab) if name.startswith("kms:") and "context:" not in name}

    listed = {name for name, operations in OPERATIONS_OF.items() if operation in operations}
    assert listed - OPTIONAL <= found <= listed


def test_every_key_of_kms_is_in_the_table():
    """
    The table of operations has every condition key of KMS that the lab computes.
    """
    assert {name for name in PROVIDERS if name.startswith("kms:")} == OPERATIONS_OF.keys()


class TestSides:
    """Where an operation needs several permissions, each is asked with what is its own."""

    def test_via_service(self, stage):
        """
        A service that calls for somebody is named for keys, aliases and CreateKey, not for listings and key stores.
        """
        for operation in ("DescribeKey", "CreateAlias", "CreateKey", "GenerateRandom", "ListKeys"):
            params = EVERYDAY[operation](stage) if operation != "CreateKey" else {}
            code(method(stage.lab.client(via="s3"), operation), **params)
            listed = operation in OPERATIONS_OF["kms:viaservice"]
            assert ("kms:viaservice" in context_after(stage.lab)) == listed, operation
        code(stage.lab.client(via="s3").describe_custom_key_stores)
        assert "kms:viaservice" not in context_after(stage.lab)

    def test_retire_grant(self, stage):
        """
        RetireGrant sets what CreateGrant had set of the constraints.
        """
        grant = new_grant(stage.kms, stage.key, Constraints={EQUALS: {"shop": "a"}})

        stage.kms.retire_grant(KeyId=stage.key, GrantId=grant["GrantId"])

        assert context_after(stage.lab)["kms:encryptioncontext:shop"] == "a"
        assert context_after(stage.lab)["kms:grantconstrainttype"] == EQUALS

    def test_service_linked_role(self, stage):
        """
        A multi-Region key needs one more permission, about the role and the service, with nothing of KMS's in it.
        """
        lab = stage.lab
        role = lab.iam.create_role("App")

        def tried(resource="*", condition=None, **params):
            statements = [
                {"Effect": "Allow", "Action": "kms:*", "Resource": "*"},
                {"Effect": "Allow", "Action": "iam:CreateServiceLinkedRole", "Resource": resource},
            ]
            if condition is not None:
                statements[1]["Condition"] = condition
            lab.iam.put_policies(role, [{"Version": "2012-10-17", "Statement": statements}])
            return code(lab.client(role).create_key, **params)

        mine = {"StringEquals": {"iam:AWSServiceName": "mrk.kms.amazonaws.com"}}
        path = f"arn:aws:iam::{HOME}:role/aws-service-role/mrk.kms.amazonaws.com/"
        path += "AWSServiceRoleForKeyManagementServiceMultiRegionKeys"
        assert tried(path, mine, MultiRegion=True) is None
        assert tried(path, {"Null": {"kms:KeySpec": "true"}}, MultiRegion=True) is None
        assert tried(path[:-1], MultiRegion=True) == "AccessDeniedException"
        assert "iam:CreateServiceLinkedRole" in lab.last_verdict.request.action
        other = {"StringEquals": {"iam:AWSServiceName": "x"}}
        assert tried(path, other, MultiRegion=True) == "AccessDeniedException"
        assert tried(path[:-1]) is None

    def test_a_replica_is_two_questions(self, stage):
        """
        ReplicateKey is asked where to, CreateKey whether the safety check is bypassed; neither knows the other's.
        """
        role = stage.lab.iam.create_role("App")
        params = EVERYDAY["ReplicateKey"](stage)

        def tried(replicate, create):
            statements = [
                {"Effect": "Allow", "Action": action, "Resource": "*", "Condition": condition}
                for action, condition in (("kms:ReplicateKey", replicate), ("kms:CreateKey", create))
            ]
            stage.lab.iam.put_policies(role, [{"Version": "2012-10-17", "Statement": statements}])
            return code(stage.lab.fork().client(role).replicate_key, **params)

        there = {"StringEquals": {"kms:ReplicaRegion": "eu-west-1"}}
        bypass = {"Bool": {"kms:BypassPolicyLockoutSafetyCheck": "false"}}
        assert tried(there, bypass) is None
        assert tried(bypass, bypass) == "AccessDeniedException"
        assert tried(there, there) == "AccessDeniedException"

    def test_both_regions_of_a_new_primary(self, stage):
        """
        UpdatePrimaryRegion is asked of both keys, each in its own Region.
        """
        params = EVERYDAY["UpdatePrimaryRegion"](stage)

        stage.kms.update_primary_region(**params)

        last = stage.lab.last_verdict
        assert (last.request.context["aws:requestedregion"], last.request.resource.split(":")[3]) == ("eu-west-1",) * 2
        assert len(last.earlier) == 1
        assert last.earlier[0].request.resource == params["KeyId"]

    def test_a_question_about_a_grant(self, lab, kms, key):
        """
        Asked whether somebody may create a grant, the lab looks at the grant that he would create.
        """
        condition = {
            "ForAllValues:StringEquals": {"kms:GrantOperations": ["Decrypt"]},
            "StringEquals": {"kms:GranteePrincipal": ADMIN, "kms:EncryptionContext:shop": "a"},
        }
        statement = {"Effect": "Allow", "Action": "kms:CreateGrant", "Resource": "*", "Condition": condition}
        role = lab.iam.create_role("App", policies=[{"Version": "2012-10-17", "Statement": [statement]}])

        def may(**params):
            given = {"GranteePrincipal": ADMIN, "Operations": ["Decrypt"], "Constraints": {EQUALS: {"shop": "a"}}}
            return bool(lab.may(role, "kms:CreateGrant", key, params={**given, **params}))

        assert may()
        assert not may(Operations=["Decrypt", "Encrypt"])
        assert not may(GranteePrincipal=role)
        assert not may(Constraints={SUBSET: {"shop": "b"}})


# ------------------------------------------------------------------------------ who calls, and how

OUTSIDE = "444455556666"
USER_ID, ROLE_ID = (principal_id(Principal.parse(one)) for one in (ADMIN, ROLE))
FEDERATED = f"arn:aws:sts::{HOME}:federated-user/Visitor"
#: kind of caller: what conditions see of it; None is absent
CALLERS = {
    ADMIN: {
        "aws:PrincipalArn": ADMIN, "aws:PrincipalType": "User", "aws:username": "Admin", "aws:userid": USER_ID,
        "aws:MultiFactorAuthPresent": None, "aws:TokenIssueTime": None, "aws:PrincipalServiceName": None,
    },
    ROLE: {
        "aws:PrincipalArn": ROLE, "aws:PrincipalType": "AssumedRole", "aws:username": None, "aws:userid": ROLE_ID,
        "aws:MultiFactorAuthPresent": "false", "aws:TokenIssueTime": "2026-01-01T09:00:00Z",
    },
    f"arn:aws:iam::{HOME}:root": {
        "aws:PrincipalArn": f"arn:aws:iam::{HOME}:root", "aws:PrincipalType": "Account", "aws:username": None,
        "aws:userid": HOME, "aws:MultiFactorAuthPresent": None,
    },
    FEDERATED: {
        "aws:PrincipalArn": FEDERATED, "aws:PrincipalType": "FederatedUser", "aws:username": None,
        "aws:userid": f"{HOME}:Visitor", "aws:MultiFactorAuthPresent": None,
        "aws:TokenIssueTime": "2026-01-01T09:00:00Z",
    },
    "s3.amazonaws.com": {
        "aws:PrincipalArn": None, "aws:PrincipalType": None, "aws:userid": None, "aws:PrincipalIsAWSService": "true",
        "aws:PrincipalServiceName": "s3.amazonaws.com", "aws:PrincipalServiceNamesList": ("s3.amazonaws.com",),
        "aws:MultiFactorAuthPresent": None, "aws:TokenIssueTime": None, "aws:PrincipalOrgID": None,
        "aws:PrincipalOrgPaths": None, "kms:CallerAccount": None, "aws:SourceIp": "198.51.100.0",
    },
}  # fmt: skip


@pytest.fixture
def seen(lab, kms, key):
    """A function: what conditions see of DescribeKey by a caller, in the world as it is by then."""
    lab.iam.create_role("App")

    def look(principal=ADMIN, on=key, **how):
        code(lab.client(principal, **how).describe_key, KeyId=on)
        context = context_after(lab)
        return lambda name: context.get(name.lower())

    return look


class TestWhoCalls:
    @pytest.mark.parametrize("principal", CALLERS)
    def test_kinds(self, lab, seen, principal):
        """
        Each kind of caller has the keys that AWS gives it, and a service principal belongs to no organization.
        """
        lab.org.create()
        look = seen(principal, **({"federated_by": ADMIN} if principal == FEDERATED else {}))

        for name, value in CALLERS[principal].items():
            assert look(name) == value, name

    def test_organizations(self, lab, seen, key):
        """
        Caller and key each show the organization of their account, if it is a member.
        """
        guest = lab.iam.create_user("Guest", account=OUTSIDE)
        assert seen()("aws:PrincipalOrgID") is None
        lab.org.create(management="999999999999")
        assert seen()("aws:PrincipalOrgID") is None
        unit = lab.org.create_unit("Work")
        lab.org.place(HOME, unit)

        mine, theirs = seen(), seen(guest)

        path = (f"o-kmslab1234/r-kmslab/{unit}/",)
        assert (mine("aws:PrincipalOrgID"), mine("aws:PrincipalOrgPaths")) == ("o-kmslab1234", path)
        assert (mine("aws:ResourceOrgID"), mine("aws:ResourceOrgPaths")) == ("o-kmslab1234", path)
        assert (theirs("aws:PrincipalOrgID"), theirs("aws:PrincipalOrgPaths")) == (None, None)
        assert (theirs("aws:ResourceOrgID"), theirs("aws:ResourceOrgPaths")) == ("o-kmslab1234", path)
        assert (theirs("aws:PrincipalAccount"), theirs("aws:ResourceAccount")) == (OUTSIDE, HOME)

    def test_the_managing_account_is_a_member(self, lab, seen):
        """
        The account that manages an organization shows it, too.
        """
        lab.org.create(management=HOME)

        assert seen()("aws:PrincipalOrgID") == "o-kmslab1234"
        assert seen()("aws:PrincipalOrgPaths") == ("o-kmslab1234/r-kmslab/",)

    def test_sources(self, lab, seen):
        """
        A service that acts as itself says for what and whom; one that lends its caller's identity does not.
        """
        lab.org.create(management="999999999999")
        lab.org.place(HOME)
        queue = f"arn:aws:sqs:us-east-1:{HOME}:q"

        itself = seen("sns.amazonaws.com", source_arn=queue)
        said = seen("s3.amazonaws.com", source_arn="arn:aws:s3:::b", source_account=OUTSIDE)
        lent = seen(ROLE, via="s3", source_arn=queue, source_account=HOME)

        names = ("aws:SourceArn", "aws:SourceAccount", "aws:SourceOrgID", "aws:SourceOrgPaths")
        assert [itself(one) for one in names] == [queue, HOME, "o-kmslab1234", ("o-kmslab1234/r-kmslab/",)]
        assert [said(one) for one in names] == ["arn:aws:s3:::b", OUTSIDE, None, None]
        assert [lent(one) for one in names] == [None] * 4
        assert seen("s3.amazonaws.com", source_arn="arn:aws:s3:::b")("aws:SourceAccount") is None

    def test_tags_of_a_session(self, lab, seen):
        """
        A session's tags go before its role's, whatever the case of their keys; a federated user has only his session's.
        """
        lab.iam.tag(ROLE, unit="sales", city="Rome")
        lab.iam.tag(ADMIN, unit="it")

        session = seen(ROLE, session_tags={"Unit": "law", "team": "a"})

        assert [session(f"aws:PrincipalTag/{one}") for one in ("unit", "city", "team")] == ["law", "Rome", "a"]
        assert seen(ADMIN)("aws:PrincipalTag/unit") == "it"
        assert seen(FEDERATED, federated_by=ADMIN)("aws:PrincipalTag/unit") is None
        assert seen(FEDERATED, federated_by=ADMIN, session_tags={"a": "b"})("aws:PrincipalTag/a") == "b"

    def test_second_factor(self, seen):
        """
        A second factor is seen of users and roles, with its age; without one the age is absent. Calls that a service
        makes for a user have "false", not nothing.
        """
        user, role, without = seen(mfa=True), seen(ROLE, mfa=True), seen(ROLE)

        assert (user("aws:MultiFactorAuthPresent"), user("aws:MultiFactorAuthAge")) == ("true", "0")
        assert user("aws:TokenIssueTime") is not None
        assert (role("aws:MultiFactorAuthPresent"), role("aws:MultiFactorAuthAge")) == ("true", "0")
        assert without("aws:MultiFactorAuthAge") is None
        assert seen(via="s3")("aws:MultiFactorAuthPresent") == "false"
        federated = seen(FEDERATED, federated_by=ADMIN, mfa=True)
        assert (federated("aws:MultiFactorAuthPresent"), federated("aws:MultiFactorAuthAge")) == (None, None)

    def test_age_and_issue(self, lab, key):
        """
        What is known of a session's beginning is told as seconds and as a date.
        """
        how = Circumstances(mfa_age_s=90, issued_us=lab.world.clock.now_us - 90_000_000, source_identity="Ann")
        role = lab.iam.create_role("App")
        deny = {"NumericGreaterThan": {"aws:MultiFactorAuthAge": "60"}}
        issued = {"DateEquals": {"aws:TokenIssueTime": iso_text(lab.world.clock.now_us - 90_000_000)}}

        for condition in (deny, issued, {"StringEquals": {"aws:SourceIdentity": "Ann"}}):
            statement = {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": condition}
            lab.iam.put_policies(role, [{"Version": "2012-10-17", "Statement": [statement]}])
            assert lab.may(role, "kms:DescribeKey", key, how=how)
            assert not lab.may(role, "kms:DescribeKey", key)


class TestNetwork:
    def test_through_an_endpoint(self, lab, seen):
        """
        A call through a VPC endpoint shows the endpoint, its VPC, owner and organization, and no public address.
        """
        lab.org.create(management=OUTSIDE)
        endpoint = lab.vpc.create_endpoint(account=OUTSIDE, vpc="vpc-1")

        look = seen(endpoint=endpoint, source_ip="10.0.0.7")

        assert {name: look(f"aws:{name}") for name in ELSEWHERE if "Vpc" in name} == {
            "SourceVpce": endpoint,
            "SourceVpc": "vpc-1",
            "SourceVpcArn": f"arn:aws:ec2:us-east-1:{OUTSIDE}:vpc/vpc-1",
            "VpcSourceIp": "10.0.0.7",
            "VpceAccount": OUTSIDE,
            "VpceOrgID": "o-kmslab1234",
            "VpceOrgPaths": ("o-kmslab1234/r-kmslab/",),
            "Ec2InstanceSourceVpc": None,
        }
        assert look("aws:SourceIp") is None
        assert seen(source_ip="203.0.113.9")("aws:SourceIp") == "203.0.113.9"

    def test_calls_that_a_service_makes(self, seen):
        """
        What a service calls for somebody comes from the service: not from his address, and through no endpoint of his.
        """
        look = seen(via="dynamodb", source_ip="203.0.113.9")

        assert look("aws:SourceIp") == "198.51.100.0"
        assert look("aws:UserAgent") == "dynamodb.amazonaws.com"
        assert look("aws:ViaAWSService") == "true"
        assert look("aws:CalledVia") == ("dynamodb.amazonaws.com",)
        assert look("aws:CalledViaFirst") == look("aws:CalledViaLast") == "dynamodb.amazonaws.com"
        assert look("aws:SourceVpce") is None
        assert (seen()("aws:ViaAWSService"), seen()("aws:CalledViaFirst")) == ("false", None)

    def test_not_both(self, lab):
        """
        No call is made by a service and comes through the caller's endpoint.
        """
        endpoint = lab.vpc.create_endpoint()

        with pytest.raises(LabError, match="does not come through"):
            lab.client(via="s3", endpoint=endpoint)

    def test_transport(self, lab, key):
        """
        Calls come over TLS; a question can be about one that did not.
        """
        statement = {"Effect": "Deny", "Action": "kms:*", "Resource": "*"}
        plain = {**statement, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
        lab.iam.put_policies(ADMIN, [{"Version": "2012-10-17", "Statement": [plain]}])

        assert lab.may(ADMIN, "kms:DescribeKey", key, how=Circumstances(secure=False)).reason == "explicit-deny"
        assert lab.may(ADMIN, "kms:DescribeKey", key).reason != "explicit-deny"
