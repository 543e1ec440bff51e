"""The key policies AWS writes when nobody writes one.

The API's default is one statement. The console adds statements for key administrators, key users, and
for the grants that AWS services make for those users.

Source: AWS KMS Developer Guide, "Default key policy"; the Ids and the layout of the API's default as
GetKeyPolicy shows it (same guide, edition of 2017; console Id from policies of 2020 and later).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_API_DEFAULT = """{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::%s:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}"""

_ADMINISTER = (
    "kms:Create*",
    "kms:Describe*",
    "kms:Enable*",
    "kms:List*",
    "kms:Put*",
    "kms:Update*",
    "kms:Revoke*",
    "kms:Disable*",
    "kms:Get*",
    "kms:Delete*",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:ScheduleKeyDeletion",
    "kms:CancelKeyDeletion",
    "kms:RotateKeyOnDemand",
)
#: what the console leaves out where administrators are not to delete the key
_DELETE = ("kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion")
_USE_SYMMETRIC = (
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncrypt*",
    "kms:GenerateDataKey*",
    "kms:DescribeKey",
)
_USE = {
    "GENERATE_VERIFY_MAC": ("kms:DescribeKey", "kms:GenerateMac", "kms:VerifyMac"),
    "ENCRYPT_DECRYPT": (
        "kms:Encrypt",
        "kms:Decrypt",
        "kms:ReEncrypt*",
        "kms:DescribeKey",
        "kms:GetPublicKey",
    ),
    "SIGN_VERIFY": ("kms:DescribeKey", "kms:GetPublicKey", "kms:Sign", "kms:Verify"),
    "KEY_AGREEMENT": ("kms:DescribeKey", "kms:GetPublicKey", "kms:DeriveSharedSecret"),
    # unverified: what the console writes for ML-KEM keys; formed after the other asymmetric usages.
    "ENCAPSULATE_DECAPSULATE": (
        "kms:DescribeKey",
        "kms:GetPublicKey",
        "kms:Encapsulate",
        "kms:Decapsulate",
    ),
}
_GRANT = ("kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant")


@lru_cache(maxsize=64)
def api_default(account: str) -> str:
    """Return the policy of a key created through the API without one: the account may, and IAM decides."""
    return _API_DEFAULT % account


def console_default(
    account: str,
    administrators: Sequence[str] = (),
    users: Sequence[str] = (),
    *,
    other_accounts: Sequence[str] = (),
    administrators_may_delete: bool = True,
    spec: str = "SYMMETRIC_DEFAULT",
    usage: str = "ENCRYPT_DECRYPT",
    origin: str = "AWS_KMS",
    multi_region: bool = False,
) -> str:
    """Return the policy that the console writes from its form for a new key.

    Args:
        account: the account that owns the key.
        administrators: ARNs of users and roles; without any, there is no statement for them.
        users: ARNs of users and roles; without any, and without other accounts, there are no statements for them.
        other_accounts: accounts whose own IAM policies may let their principals use the key, by their twelve digits.
        administrators_may_delete: the form's box "Allow key administrators to delete this key".
        spec, usage, origin, multi_region: of the key; they choose the actions.
    """
    statements = [_allow("Enable IAM User Permissions", [f"arn:aws:iam::{account}:root"], ["kms:*"])]
    if administrators:
        # unverified: that kms:Delete*, which covers no deletion of keys, stays where the box is cleared
        actions = [action for action in _ADMINISTER if administrators_may_delete or action not in _DELETE]
        if origin == "EXTERNAL":
            actions.append("kms:ImportKeyMaterial")
        if multi_region:
            actions += ["kms:ReplicateKey", "kms:UpdatePrimaryRegion"]
        statements.append(_allow("Allow access for Key Administrators", administrators, actions))
    users = [*users, *(f"arn:aws:iam::{other}:root" for other in other_accounts)]
    if users:
        use = _USE_SYMMETRIC if spec == "SYMMETRIC_DEFAULT" else _USE[usage]
        statements.append(_allow("Allow use of the key", users, use))
        # unverified: the guide says "most key types" get this statement and does not list them.
        grants = _allow("Allow attachment of persistent resources", users, _GRANT)
        statements.append(grants | {"Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}}})
    return json.dumps({"Id": "key-consolepolicy-3", "Version": "2012-10-17", "Statement": statements}, indent=4)


_CRYPTO = ("kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*")
_LOOK = ("kms:Describe*", "kms:Get*", "kms:List*")


@dataclass(frozen=True)
class _Managed:
    """What the policy of one service's AWS managed key has of its own.

    Attributes:
        id: the policy's.
        name: how the policy calls the service; ``name_again`` where it calls it otherwise the second time.
        use: what everybody in the account may do through the service.
        grants: does the service work with grants, so that the account may revoke them?
    """

    id: str
    name: str
    use: tuple[str, ...] = (*_CRYPTO, "kms:CreateGrant", "kms:DescribeKey")
    grants: bool = True
    name_again: str = ""


#: by the service's name in endpoints. # unverified: of SQS all but the first statement
_MANAGED = {
    "dynamodb": _Managed("auto-dynamodb-1", "Amazon DynamoDB"),
    "ec2": _Managed("auto-ebs-2", "EBS"),
    "lambda": _Managed("auto-awslambda", "AWS Lambda"),
    "rds": _Managed("auto-rds-2", "RDS", (*_CRYPTO, "kms:CreateGrant", "kms:ListGrants", "kms:DescribeKey")),
    "s3": _Managed("auto-s3-2", "S3", (*_CRYPTO, "kms:DescribeKey"), grants=False),
    "secretsmanager": _Managed(
        "auto-secretsmanager-2", "AWS Secrets Manager", (*_CRYPTO[:3], "kms:CreateGrant", "kms:DescribeKey")
    ),
    "sns": _Managed(
        "auto-sns-1",
        "SNS",
        ("kms:Decrypt", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:ListGrants", "kms:DescribeKey"),
    ),
    "sqs": _Managed("auto-sqs-1", "Simple Queue Service (SQS)", name_again="SQS"),
    "ssm": _Managed("auto-ssm-1", "SSM", (*_CRYPTO, "kms:DescribeKey"), grants=False),
}


@lru_cache(maxsize=256)
def aws_managed_default(service: str, account: str, region: str) -> str:
    """Return the policy of an AWS managed key: everybody in the account may use it, through its service only.

    Args:
        service: the service's name in endpoints, such as ``s3`` or, for EBS, ``ec2``.

    Source: the policy of aws/dynamodb in the Amazon DynamoDB Developer Guide, of aws/secretsmanager in the AWS Secrets
    Manager User Guide, and of the others as accounts show them.
    """
    own = _MANAGED[service]
    through = (
        f"Allow access through {own.name} for all principals in the account that are authorized to use "
        f"{own.name_again or own.name}"
    )
    caller = {"kms:CallerAccount": account}
    here = {"StringEquals": {**caller, "kms:ViaService": f"{service}.{region}.amazonaws.com"}}
    statements = [{**_allow(through, ["*"], own.use), "Condition": here}]
    if service == "secretsmanager":  # a secret is replicated to other Regions: there each needs a data key
        anywhere = {"StringEquals": caller, "StringLike": {"kms:ViaService": f"{service}.*.amazonaws.com"}}
        statements.append({**_allow(through, ["*"], ["kms:GenerateDataKey*"]), "Condition": anywhere})
    statements.append(
        _allow(
            "Allow direct access to key metadata to the account",
            [f"arn:aws:iam::{account}:root"],
            [*_LOOK, "kms:RevokeGrant"] if own.grants else _LOOK,
        )
    )
    if service == "dynamodb":
        describe = (
            "Allow DynamoDB Service with service principal name dynamodb.amazonaws.com to describe the key directly"
        )
        statements.append({**_allow(describe, ["*"], _LOOK), "Principal": {"Service": "dynamodb.amazonaws.com"}})
    return json.dumps({"Version": "2012-10-17", "Id": own.id, "Statement": statements}, indent=2)


def _allow(sid: str, principals: Sequence[str], actions: Sequence[str]) -> dict[str, object]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"AWS": _one_or_list(principals)},
        "Action": _one_or_list(actions),
        "Resource": "*",
    }


def _one_or_list(texts: Sequence[str]) -> str | list[str]:
    return texts[0] if len(texts) == 1 else list(texts)
