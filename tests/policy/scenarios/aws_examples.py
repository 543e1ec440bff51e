"""AWS's own example policies, asked what their pages say they do.

Each section is one page of AWS's guides: its policy in our layout, with the placeholders filled in, and calls that the
page allows and refuses. The answers are the page's; where a page leaves a consequence to the reader, the case says so.
"""

from typing import Any

from build import (
    ALIAS,
    AWAY,
    DELEGATES,
    FULL_ACCESS,
    HOME,
    KEY,
    REGION,
    Case,
    Document,
    allow,
    allowed,
    denied,
    deny,
    grant,
    policy,
    role,
    root,
    scenario,
    service,
    user,
)

OTHER_KEY = f"arn:aws:kms:{REGION}:{HOME}:key/1f1e1d1c-1b1a-4918-8716-151413121110"
OTHER_ACCOUNTS_KEY = f"arn:aws:kms:{REGION}:{AWAY}:key/2f2e2d2c-2b2a-4928-8726-252423222120"
ALL_KEYS = f"arn:aws:kms:*:{HOME}:key/*"

ACCOUNT = f"arn:aws:iam::{HOME}:root"
OTHER_ACCOUNT = f"arn:aws:iam::{AWAY}:root"
EXAMPLE_USER = f"arn:aws:iam::{HOME}:user/ExampleUser"

USE = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
GRANTS = ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"]
FOR_SERVICES = {"Bool": {"kms:GrantIsForAWSResource": "true"}}


def guide(title: str, name: str = "KMS Developer Guide") -> str:
    return f"{name}, {title}"


def role_arn(name: str, account: str = HOME) -> str:
    return f"arn:aws:iam::{account}:role/{name}"


def equals(**pairs: Any) -> Document:
    """A StringEquals condition; a double underscore stands for the colon: ``kms__ViaService``."""
    return {"StringEquals": {name.replace("__", ":"): value for name, value in pairs.items()}}


def by_name(arn: str, action: Any, condition: Document, effect: str = "Allow") -> Document:
    """A key policy of one statement that names a principal, under a condition."""
    return policy(
        {"Effect": effect, "Principal": {"AWS": arn}, "Action": action, "Resource": "*", "Condition": condition}
    )


def through_iam(who: Document, action: str, *identity_policies: Document, **more: Any) -> Document:
    """A question about a key whose policy leaves everything to IAM."""
    return scenario(who, action, DELEGATES, *identity_policies, **more)


def keyless(who: Document, action: str, *identity_policies: Document, **more: Any) -> Document:
    """A question about an operation that has no key."""
    return scenario(who, action, None, *identity_policies, resource="*", **more)


ANYTHING = policy(allow("kms:*"))
EXAMPLE = user("ExampleUser")

# --------------------------------------------------------------------- Default key policy (made by the console)

CONSOLE = policy(
    allow("kms:*", ACCOUNT, Sid="Enable IAM policies"),
    allow(
        [
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
        ],
        [f"arn:aws:iam::{HOME}:user/KMSAdminUser", role_arn("KMSAdminRole")],
        Sid="Allow access for Key Administrators",
    ),
    allow(USE, [EXAMPLE_USER, role_arn("ExampleRole"), OTHER_ACCOUNT], Sid="Allow use of the key"),
    allow(
        GRANTS,
        [EXAMPLE_USER, role_arn("ExampleRole"), OTHER_ACCOUNT],
        Sid="Allow attachment of persistent resources",
        Condition=FOR_SERVICES,
    ),
)
ADMIN = user("KMSAdminUser")
_DEFAULT = guide("Default key policy")
_COMPLETE = guide("Creating a key policy")

DEFAULT_KEY_POLICY = [
    denied(
        "example-default-policy-gives-user-nothing",
        "implicit-deny",
        "the account statement gives no IAM identity anything by itself",
        _DEFAULT,
        scenario(user(), "kms:Decrypt"),
    ),
    allowed(
        "example-default-policy-lets-iam-allow",
        "iam-via-key-policy",
        "the account statement lets an identity policy allow any KMS action",
        _DEFAULT,
        through_iam(user(), "kms:Decrypt", policy(allow("kms:Decrypt", resource=KEY))),
    ),
    allowed(
        "example-default-policy-serves-root-user",
        "account-root",
        "the account principal stands for the account, its root user included",
        _DEFAULT,
        scenario(root(), "kms:PutKeyPolicy"),
    ),
    denied(
        "example-without-account-statement-iam-is-void",
        "no-iam-delegation",
        "without the account statement, identity policies that allow are ineffective",
        _DEFAULT,
        scenario(user(), "kms:Decrypt", policy(allow("kms:*", f"arn:aws:iam::{HOME}:user/alice")), ANYTHING),
    ),
    denied(
        "example-without-account-statement-iam-still-denies",
        "explicit-deny",
        "without the account statement, identity policies that deny are still effective",
        _DEFAULT,
        scenario(
            user("alice"),
            "kms:Decrypt",
            policy(allow("kms:*", f"arn:aws:iam::{HOME}:user/alice")),
            policy(deny("kms:Decrypt", Sid="NoDecrypt")),
        ),
        layer="identity-policy",
        sid="NoDecrypt",
    ),
    denied(
        "example-one-user-key-locks-root-user-out",
        "implicit-deny",
        "a key policy does not automatically give permission to the account; one user's key is that user's alone",
        _DEFAULT,
        scenario(root(), "kms:PutKeyPolicy", policy(allow("kms:*", f"arn:aws:iam::{HOME}:user/alice"))),
    ),
    allowed(
        "example-console-admin-disables-rotation",
        "key-policy",
        "kms:Disable* covers DisableKeyRotation",
        _DEFAULT,
        scenario(ADMIN, "kms:DisableKeyRotation", CONSOLE),
        layer="key-policy",
        sid="Allow access for Key Administrators",
    ),
    allowed(
        "example-console-admin-role-changes-policy",
        "key-policy",
        "kms:Put* covers PutKeyPolicy, for whoever assumes the administrators' role",
        _DEFAULT,
        scenario(role("KMSAdminRole"), "kms:PutKeyPolicy", CONSOLE),
    ),
    allowed(
        "example-console-admin-creates-grants",
        "key-policy",
        "kms:Create* covers CreateGrant: administrators can give themselves use of the key",
        _DEFAULT,
        scenario(ADMIN, "kms:CreateGrant", CONSOLE, context={"kms:GrantOperations": ["Decrypt"]}),
    ),
    denied(
        "example-console-admin-cannot-decrypt",
        "implicit-deny",
        "administrators may manage the key but not use it",
        _DEFAULT,
        scenario(ADMIN, "kms:Decrypt", CONSOLE),
    ),
    denied(
        "example-console-delete-star-is-not-key-deletion",
        "implicit-deny",
        "kms:Delete* does not let administrators delete the key: that is ScheduleKeyDeletion",
        _DEFAULT,
        scenario(ADMIN, "kms:ScheduleKeyDeletion", policy(allow("kms:Delete*", ADMIN["arn"]))),
    ),
    denied(
        "example-console-create-star-is-not-create-key",
        "implicit-deny",
        "kms:CreateKey is valid only in an identity policy",
        _DEFAULT,
        keyless(ADMIN, "kms:CreateKey"),
    ),
    denied(
        "example-console-admin-does-not-replicate",
        "implicit-deny",
        "kms:ReplicateKey is in the administrators' statement of multi-Region keys only",
        _DEFAULT,
        scenario(ADMIN, "kms:ReplicateKey", CONSOLE, context={"kms:ReplicaRegion": "us-east-1"}),
    ),
    allowed(
        "example-console-user-generates-key-pair",
        "key-policy",
        "kms:GenerateDataKey* covers data key pairs",
        _COMPLETE,
        scenario(EXAMPLE, "kms:GenerateDataKeyPair", CONSOLE),
        layer="key-policy",
        sid="Allow use of the key",
    ),
    denied(
        "example-console-user-does-not-manage",
        "implicit-deny",
        "key users may use the key, not disable it",
        _COMPLETE,
        scenario(EXAMPLE, "kms:DisableKey", CONSOLE),
    ),
    denied(
        "example-console-user-cannot-grant-directly",
        "implicit-deny",
        "the persistent-resources statement does not let users call grant operations themselves",
        _DEFAULT,
        scenario(EXAMPLE, "kms:CreateGrant", CONSOLE, context={"kms:GrantIsForAWSResource": "false"}),
    ),
    allowed(
        "example-console-service-grants-for-user",
        "key-policy",
        "an integrated service may create the grant on the user's behalf",
        _DEFAULT,
        scenario(EXAMPLE, "kms:CreateGrant", CONSOLE, context={"kms:GrantIsForAWSResource": "true"}),
        layer="key-policy",
        sid="Allow attachment of persistent resources",
    ),
    allowed(
        "example-console-other-account-uses",
        "cross-account",
        "account 444455556666 may use the key, once an identity policy there allows it",
        _COMPLETE,
        scenario(user("erin", AWAY), "kms:Encrypt", CONSOLE, policy(allow("kms:Encrypt", resource=KEY))),
    ),
    denied(
        "example-describe-only-symmetric",
        "implicit-deny",
        "the first example policy allows DescribeKey only where the key's spec is SYMMETRIC_DEFAULT",
        _COMPLETE,
        scenario(
            user("Alice"),
            "kms:DescribeKey",
            by_name(f"arn:aws:iam::{HOME}:user/Alice", "kms:DescribeKey", equals(kms__KeySpec="SYMMETRIC_DEFAULT")),
            context={"kms:KeySpec": "RSA_2048"},
        ),
    ),
    allowed(
        "example-describe-symmetric",
        "key-policy",
        "the same policy on a symmetric encryption key",
        _COMPLETE,
        scenario(
            user("Alice"),
            "kms:DescribeKey",
            by_name(f"arn:aws:iam::{HOME}:user/Alice", "kms:DescribeKey", equals(kms__KeySpec="SYMMETRIC_DEFAULT")),
            context={"kms:KeySpec": "SYMMETRIC_DEFAULT"},
        ),
    ),
    denied(
        "example-statement-without-resource",
        "implicit-deny",
        "a key policy statement without Resource applies to no key",
        _COMPLETE,
        scenario(user("Alice"), "kms:DescribeKey", policy(allow("kms:*", f"arn:aws:iam::{HOME}:user/Alice", None))),
    ),
]

# ------------------------------------------------------------------------------ Customer managed policy examples

READ_ONLY = policy(
    allow(
        [
            "kms:GetPublicKey",
            "kms:GetKeyRotationStatus",
            "kms:GetKeyPolicy",
            "kms:DescribeKey",
            "kms:ListKeyPolicies",
            "kms:ListResourceTags",
        ],
        resource=ALL_KEYS,
        Sid="ReadOnlyAccessForAllKeysInAccount",
    ),
    allow(["kms:ListKeys", "kms:ListAliases", "iam:ListRoles", "iam:ListUsers"], Sid="OperationsWithoutKey"),
)
CREATE_KEYS = policy(
    allow("kms:TagResource", resource=ALL_KEYS),
    allow("kms:CreateAlias", resource=f"arn:aws:kms:*:{HOME}:alias/*"),
    allow(["kms:CreateKey", "kms:ListKeys", "kms:ListAliases"]),
)
IN_REGION = policy(allow(["kms:Encrypt", "kms:Decrypt"], resource=f"arn:aws:kms:{REGION}:{HOME}:key/*"))
TWO_KEYS = policy(allow(["kms:Encrypt", "kms:Decrypt"], resource=[KEY, OTHER_KEY]))
NO_DELETING = policy(deny(["kms:DisableKey", "kms:ScheduleKeyDeletion"], Sid="NeverDeleteKeys"))
_CUSTOMER_MANAGED = guide("Customer managed policy examples")


def tagging_while_creating(who: Document, *identity_policies: Document) -> Document:
    return keyless(
        who,
        "kms:CreateKey",
        *identity_policies,
        operation="CreateKey",
        also=[{"action": "kms:TagResource", "resource": KEY, "resource_account": HOME, "key_policy": None}],
    )


def aliasing(who: Document, key_policy: Document, *identity_policies: Document, **key_check: Any) -> Document:
    """CreateAlias: the alias, then the key."""
    return scenario(
        who,
        "kms:CreateAlias",
        None,
        *identity_policies,
        resource=ALIAS,
        operation="CreateAlias",
        also=[
            {
                "action": "kms:CreateAlias",
                "resource": KEY,
                "resource_account": HOME,
                "key_policy": key_policy,
                **key_check,
            }
        ],
    )


CUSTOMER_MANAGED_POLICIES = [
    allowed(
        "example-read-only-describes",
        "iam-via-key-policy",
        "a console viewer sees every key of the account, in every Region",
        _CUSTOMER_MANAGED,
        through_iam(user(), "kms:DescribeKey", READ_ONLY),
    ),
    allowed(
        "example-read-only-lists",
        "iam-policy",
        "listing needs Resource * and no key policy",
        _CUSTOMER_MANAGED,
        keyless(user(), "kms:ListKeys", READ_ONLY),
    ),
    denied(
        "example-read-only-cannot-create",
        "implicit-deny",
        "a console viewer cannot create keys",
        _CUSTOMER_MANAGED,
        keyless(user(), "kms:CreateKey", READ_ONLY),
    ),
    denied(
        "example-read-only-cannot-change",
        "implicit-deny",
        "a console viewer cannot change keys",
        _CUSTOMER_MANAGED,
        through_iam(user(), "kms:UpdateKeyDescription", READ_ONLY),
    ),
    allowed(
        "example-create-key",
        "iam-policy",
        "CreateKey uses no resource: an identity policy with Resource * is enough",
        _CUSTOMER_MANAGED,
        keyless(user(), "kms:CreateKey", policy(allow("kms:CreateKey"))),
    ),
    denied(
        "example-create-key-for-one-key",
        "implicit-deny",
        "CreateKey uses no particular key, so a key's ARN as Resource never fits",
        _CUSTOMER_MANAGED,
        keyless(user(), "kms:CreateKey", policy(allow("kms:CreateKey", resource=ALL_KEYS))),
    ),
    denied(
        "example-create-key-with-tags-needs-tag-permission",
        "implicit-deny",
        "tags at creation need kms:TagResource in an identity policy",
        _CUSTOMER_MANAGED,
        tagging_while_creating(user(), policy(allow("kms:CreateKey"))),
    ),
    allowed(
        "example-create-key-with-tags",
        "iam-policy",
        "kms:TagResource on all keys of the account is enough for tags at creation",
        _CUSTOMER_MANAGED,
        tagging_while_creating(user(), CREATE_KEYS),
    ),
    denied(
        "example-create-alias-needs-key-too",
        "implicit-deny",
        "the policy allows every alias of the account, but the key must be allowed as well",
        _CUSTOMER_MANAGED,
        aliasing(user(), DELEGATES, CREATE_KEYS),
    ),
    allowed(
        "example-encrypt-with-any-key-of-account",
        "iam-via-key-policy",
        "any key of account 111122223333, in any Region",
        _CUSTOMER_MANAGED,
        through_iam(user(), "kms:Encrypt", policy(allow(["kms:Encrypt", "kms:Decrypt"], resource=ALL_KEYS))),
    ),
    denied(
        "example-encrypt-in-another-region",
        "implicit-deny",
        "the policy is for keys of one Region",
        _CUSTOMER_MANAGED,
        through_iam(user(), "kms:Encrypt", IN_REGION, resource=KEY.replace(REGION, "us-west-2")),
    ),
    allowed(
        "example-encrypt-in-region",
        "iam-via-key-policy",
        "the same policy and a key of that Region",
        _CUSTOMER_MANAGED,
        through_iam(user(), "kms:Encrypt", IN_REGION),
    ),
    allowed(
        "example-decrypt-second-listed-key",
        "iam-via-key-policy",
        "two keys are listed by their ARNs",
        _CUSTOMER_MANAGED,
        through_iam(user(), "kms:Decrypt", TWO_KEYS, resource=OTHER_KEY),
    ),
    denied(
        "example-decrypt-unlisted-key",
        "implicit-deny",
        "a third key is not",
        _CUSTOMER_MANAGED,
        through_iam(user(), "kms:Decrypt", TWO_KEYS, resource=KEY.replace("0f0e0d0c", "3f3e3d3c")),
    ),
    denied(
        "example-never-delete-beats-key-policy",
        "explicit-deny",
        "the deny holds even where a key policy allows the same",
        _CUSTOMER_MANAGED,
        scenario(ADMIN, "kms:ScheduleKeyDeletion", CONSOLE, NO_DELETING),
        layer="identity-policy",
        sid="NeverDeleteKeys",
    ),
    allowed(
        "example-never-delete-leaves-cancel",
        "key-policy",
        "only DisableKey and ScheduleKeyDeletion are denied",
        _CUSTOMER_MANAGED,
        scenario(ADMIN, "kms:CancelKeyDeletion", CONSOLE, NO_DELETING),
    ),
]

# ------------------------------------------------------------------ Specifying KMS keys in IAM policy statements

_SPECIFYING = guide("Specifying KMS keys in IAM policy statements")
RISKY = policy(deny(["kms:CreateKey", "kms:PutKeyPolicy", "kms:CreateGrant", "kms:ScheduleKeyDeletion"], Sid="NoRisk"))
TRUSTED = policy(
    allow(
        ["kms:DescribeKey", "kms:GenerateDataKey", "kms:GenerateDataKeyPair"],
        resource=[ALL_KEYS, f"arn:aws:kms:*:{AWAY}:key/*"],
    )
)
AWAY_KEY_FOR_HOME = policy(
    allow("kms:*", OTHER_ACCOUNT, Sid="Permission to use IAM policies"),
    allow(USE, ACCOUNT, Sid="Allow account 1 to use this KMS key"),
)

SPECIFYING_KEYS = [
    denied(
        "example-alias-arn-is-not-the-key",
        "implicit-deny",
        "an alias ARN in Resource means the alias, not the key behind it",
        _SPECIFYING,
        through_iam(
            user(),
            "kms:Decrypt",
            policy(allow("kms:Decrypt", resource=ALIAS)),
            key={"aliases": ["alias/orders"]},
            context={"kms:RequestAlias": "alias/orders", "kms:ResourceAliases": ["alias/orders"]},
        ),
    ),
    denied(
        "example-key-id-is-not-a-resource",
        "implicit-deny",
        "a key ID alone does not identify a key in an identity policy",
        _SPECIFYING,
        through_iam(
            user(),
            "kms:Decrypt",
            policy(allow("kms:Decrypt", resource=KEY.replace("eu-west-1", "*").replace("key/", ""))),
        ),
    ),
    allowed(
        "example-trusted-accounts-both",
        "cross-account",
        "keys of two trusted accounts by pattern; the other account's key policy allows this account",
        _SPECIFYING,
        scenario(
            user(),
            "kms:GenerateDataKey",
            AWAY_KEY_FOR_HOME,
            TRUSTED,
            resource=OTHER_ACCOUNTS_KEY,
            resource_account=AWAY,
        ),
    ),
    denied(
        "example-risky-operations-denied-everywhere",
        "explicit-deny",
        "Resource * in a deny stands for every key",
        _SPECIFYING,
        through_iam(user(), "kms:CreateGrant", ANYTHING, RISKY),
        layer="identity-policy",
        sid="NoRisk",
    ),
    denied(
        "example-risky-create-key-denied",
        "explicit-deny",
        "... and for operations without a key",
        _SPECIFYING,
        keyless(user(), "kms:CreateKey", ANYTHING, RISKY),
        layer="identity-policy",
    ),
    allowed(
        "example-read-only-star",
        "iam-via-key-policy",
        "Resource * may also stand for every key in an allow",
        _SPECIFYING,
        through_iam(user(), "kms:ListResourceTags", policy(allow(["kms:ListKeys", "kms:ListResourceTags"]))),
    ),
]

# --------------------------------------------- Allowing users in other accounts to use a key; Troubleshooting access

_OTHER_ACCOUNTS = guide("Allowing users in other accounts to use a KMS key")
_TROUBLE = guide("Troubleshooting key access")
SHARED = policy(allow("kms:*", ACCOUNT), allow(USE, OTHER_ACCOUNT, Sid="Allow an external account to use this key"))
SHARED_WITH_TWO = policy(
    allow("kms:*", ACCOUNT), allow(USE, [role_arn("ExampleRole", AWAY), f"arn:aws:iam::{AWAY}:user/ExampleUser"])
)
SHARED_SERVICES = policy(allow("kms:*", ACCOUNT), allow(GRANTS, OTHER_ACCOUNT, Condition=FOR_SERVICES))
USE_OF_KEY = policy(allow(USE, resource=KEY, Sid="AllowUseOfKeyInAccount111122223333"))

OTHER_ACCOUNTS = [
    allowed(
        "example-external-account-both-halves",
        "cross-account",
        "the key policy names the account, an identity policy there delegates",
        _OTHER_ACCOUNTS,
        scenario(user("erin", AWAY), "kms:Decrypt", SHARED, USE_OF_KEY),
    ),
    denied(
        "example-external-account-without-iam",
        "cross-account-no-iam-policy",
        "nobody there can use the key until an identity policy is attached",
        _OTHER_ACCOUNTS,
        scenario(user("erin", AWAY), "kms:Decrypt", SHARED),
    ),
    denied(
        "example-external-account-beyond-shared-actions",
        "cross-account-no-key-policy",
        "actions that the key policy does not list are not effective in the identity policy",
        _OTHER_ACCOUNTS,
        scenario(user("erin", AWAY), "kms:CreateGrant", SHARED, ANYTHING),
    ),
    allowed(
        "example-external-role-named",
        "cross-account",
        "named in the key policy and allowed at home",
        _OTHER_ACCOUNTS,
        scenario(role("ExampleRole", account=AWAY), "kms:Encrypt", SHARED_WITH_TWO, USE_OF_KEY),
    ),
    denied(
        "example-external-user-named-without-iam",
        "cross-account-no-iam-policy",
        "naming the user in the key policy is half of it",
        _OTHER_ACCOUNTS,
        scenario(user("ExampleUser", AWAY), "kms:Encrypt", SHARED_WITH_TWO),
    ),
    denied(
        "example-external-user-not-named",
        "cross-account-no-key-policy",
        "an identity policy for anyone but the named ones has no effect",
        _OTHER_ACCOUNTS,
        scenario(user("erin", AWAY), "kms:Encrypt", SHARED_WITH_TWO, USE_OF_KEY),
    ),
    denied(
        "example-external-account-grants-directly",
        "cross-account-no-key-policy",
        "grants only for integrated services",
        _OTHER_ACCOUNTS,
        scenario(
            user("erin", AWAY),
            "kms:CreateGrant",
            SHARED_SERVICES,
            ANYTHING,
            context={"kms:GrantIsForAWSResource": "false"},
        ),
    ),
    allowed(
        "example-external-account-service-grants",
        "cross-account",
        "a service creates the grant for the external user",
        _OTHER_ACCOUNTS,
        scenario(
            user("erin", AWAY),
            "kms:CreateGrant",
            SHARED_SERVICES,
            ANYTHING,
            context={"kms:GrantIsForAWSResource": "true"},
        ),
    ),
    denied(
        "example-alice",
        "implicit-deny",
        "Alice: the default key policy lets IAM decide, and no identity policy or grant allows her",
        _TROUBLE,
        scenario(user("alice"), "kms:Decrypt", policy(allow("kms:*", ACCOUNT, Sid="Delegate to IAM policies"))),
    ),
    allowed(
        "example-bob",
        "cross-account",
        "Bob assumes the Engineering role: account 2's key policy allows account 1, whose role allows the use",
        _TROUBLE,
        scenario(
            role("Engineering", "bob"),
            "kms:GenerateDataKey",
            AWAY_KEY_FOR_HOME,
            policy(allow(["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"], resource=OTHER_ACCOUNTS_KEY)),
            resource=OTHER_ACCOUNTS_KEY,
            resource_account=AWAY,
        ),
    ),
    denied(
        "example-bob-without-role-policy",
        "cross-account-no-iam-policy",
        "no one in account 1 can use the key until account 1 defines identity policies",
        _TROUBLE,
        scenario(
            role("Engineering", "bob"),
            "kms:GenerateDataKey",
            AWAY_KEY_FOR_HOME,
            resource=OTHER_ACCOUNTS_KEY,
            resource_account=AWAY,
        ),
    ),
]

# ------------------------------------------------------------------------------------ AWS KMS condition keys: request


def conditions(key: str) -> str:
    return guide(f"AWS KMS condition keys, {key}")


NO_BYPASS = policy(
    deny(
        ["kms:CreateKey", "kms:PutKeyPolicy"],
        Sid="NoBypass",
        Condition={"Bool": {"kms:BypassPolicyLockoutSafetyCheck": True}},
    )
)
EBS = policy(
    allow(
        ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey"],
        "*",
        Sid="Allow access through EBS for all principals in the account that are authorized to use EBS",
        Condition=equals(kms__CallerAccount=HOME, kms__ViaService=f"ec2.{REGION}.amazonaws.com"),
    )
)
ONLY_OAEP = policy(
    allow("kms:*", ACCOUNT),
    deny(
        ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*"],
        role_arn("ExampleRole"),
        Sid="Allow only one encryption algorithm with this asymmetric KMS key",
        Condition={"StringNotEquals": {"kms:EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}},
    ),
)
ONLY_SYMMETRIC = policy(
    deny(
        ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"],
        resource=f"arn:aws:kms:{REGION}:{HOME}:key/*",
        Sid="AllowOnlySymmetricAlgorithm",
        Condition={"StringNotEquals": {"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}},
    )
)
RSA_PAIRS = by_name(
    EXAMPLE_USER,
    ["kms:GenerateDataKeyPair", "kms:GenerateDataKeyPairWithoutPlaintext"],
    {"StringLike": {"kms:DataKeyPairSpec": "RSA*"}},
)
IMPORT_FOREVER = by_name(
    EXAMPLE_USER, "kms:ImportKeyMaterial", equals(kms__ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE")
)
IMPORT_EXPIRING = by_name(EXAMPLE_USER, "kms:ImportKeyMaterial", {"Null": {"kms:ExpirationModel": True}})
IMPORT_UNTIL_2018 = by_name(
    EXAMPLE_USER, "kms:ImportKeyMaterial", {"NumericLessThanEquals": {"kms:ValidTo": "1546257599.0"}}
)
STRONG_MACS = policy(
    *(
        allow(["kms:GenerateMac", "kms:VerifyMac"], role_arn("testers"), Condition=equals(kms__MacAlgorithm=algorithm))
        for algorithm in ("HMAC_SHA_384", "HMAC_SHA_512")
    )
)
RAW_ONLY = by_name(EXAMPLE_USER, "kms:Sign", equals(kms__MessageType="RAW"))
PSS_ONLY = by_name(role_arn("testers"), "kms:Sign", {"StringLike": {"kms:SigningAlgorithm": "RSASSA_PSS*"}})
SAME_KEY = by_name(EXAMPLE_USER, "kms:ReEncrypt*", {"Bool": {"kms:ReEncryptOnSameKey": True}})
BY_ALIAS = by_name(role_arn("developer"), "kms:GenerateDataKey", equals(kms__RequestAlias="alias/finance-key"))
EC2_OR_RDS = by_name(
    EXAMPLE_USER,
    [*USE, "kms:CreateGrant", "kms:ListGrants"],
    equals(kms__ViaService=[f"ec2.{REGION}.amazonaws.com", f"rds.{REGION}.amazonaws.com"]),
)
NOT_LAMBDA = policy(
    allow("kms:*", ACCOUNT),
    allow("kms:Encrypt", EXAMPLE_USER),
    deny("kms:Encrypt", EXAMPLE_USER, Condition=equals(kms__ViaService=[f"lambda.{REGION}.amazonaws.com"])),
)


def reencrypting(context: Document) -> Document:
    check = {"action": "kms:ReEncryptTo", "resource": KEY, "resource_account": HOME, "key_policy": SAME_KEY}
    return scenario(
        EXAMPLE,
        "kms:ReEncryptFrom",
        SAME_KEY,
        context=context,
        operation="ReEncrypt",
        also=[{**check, "context": context}],
    )


REQUEST_CONDITIONS = [
    denied(
        "example-bypass-lockout-check",
        "explicit-deny",
        "creating a key with BypassPolicyLockoutSafetyCheck true is denied",
        conditions("kms:BypassPolicyLockoutSafetyCheck"),
        keyless(user(), "kms:CreateKey", ANYTHING, NO_BYPASS, context={"kms:BypassPolicyLockoutSafetyCheck": "true"}),
        layer="identity-policy",
        sid="NoBypass",
    ),
    allowed(
        "example-no-bypass",
        "iam-policy",
        "the same without the bypass",
        conditions("kms:BypassPolicyLockoutSafetyCheck"),
        keyless(user(), "kms:CreateKey", ANYTHING, NO_BYPASS, context={"kms:BypassPolicyLockoutSafetyCheck": "false"}),
    ),
    allowed(
        "example-put-policy-when-bypass-absent",
        "key-policy",
        "Null: allowed only when the request does not include the parameter",
        conditions("kms:BypassPolicyLockoutSafetyCheck"),
        scenario(
            EXAMPLE,
            "kms:PutKeyPolicy",
            by_name(EXAMPLE_USER, "kms:PutKeyPolicy", {"Null": {"kms:BypassPolicyLockoutSafetyCheck": True}}),
        ),
    ),
    allowed(
        "example-ebs-managed-key-through-ebs",
        "key-policy",
        "every identity of the account, if the call comes through EBS",
        conditions("kms:CallerAccount"),
        scenario(
            user(),
            "kms:Decrypt",
            EBS,
            context={"kms:CallerAccount": HOME, "kms:ViaService": f"ec2.{REGION}.amazonaws.com"},
        ),
    ),
    denied(
        "example-ebs-managed-key-directly",
        "implicit-deny",
        "a direct call carries no kms:ViaService",
        conditions("kms:CallerAccount"),
        scenario(user(), "kms:Decrypt", EBS, context={"kms:CallerAccount": HOME}),
    ),
    denied(
        "example-ebs-managed-key-other-account",
        "cross-account-no-key-policy",
        "kms:CallerAccount keeps * to one account",
        conditions("kms:CallerAccount"),
        scenario(
            user("erin", AWAY),
            "kms:Decrypt",
            EBS,
            ANYTHING,
            context={"kms:CallerAccount": AWAY, "kms:ViaService": f"ec2.{REGION}.amazonaws.com"},
        ),
    ),
    allowed(
        "example-rsa-data-key-pair",
        "key-policy",
        "only RSA data key pairs",
        conditions("kms:DataKeyPairSpec"),
        scenario(EXAMPLE, "kms:GenerateDataKeyPair", RSA_PAIRS, context={"kms:DataKeyPairSpec": "RSA_3072"}),
    ),
    denied(
        "example-ecc-data-key-pair",
        "implicit-deny",
        "an ECC pair is not an RSA pair",
        conditions("kms:DataKeyPairSpec"),
        scenario(EXAMPLE, "kms:GenerateDataKeyPair", RSA_PAIRS, context={"kms:DataKeyPairSpec": "ECC_NIST_P256"}),
    ),
    allowed(
        "example-oaep-256",
        "iam-via-key-policy",
        "the deny spares the one algorithm; the identity policy allows",
        conditions("kms:EncryptionAlgorithm"),
        scenario(
            role("ExampleRole"),
            "kms:Encrypt",
            ONLY_OAEP,
            ANYTHING,
            context={"kms:EncryptionAlgorithm": "RSAES_OAEP_SHA_256"},
        ),
    ),
    denied(
        "example-oaep-1",
        "explicit-deny",
        "any other algorithm is prohibited for whoever assumes the role, whatever else allows it",
        conditions("kms:EncryptionAlgorithm"),
        scenario(
            role("ExampleRole"),
            "kms:Encrypt",
            ONLY_OAEP,
            ANYTHING,
            context={"kms:EncryptionAlgorithm": "RSAES_OAEP_SHA_1"},
        ),
        layer="key-policy",
        sid="Allow only one encryption algorithm with this asymmetric KMS key",
    ),
    denied(
        "example-oaep-1-grant-does-not-help",
        "explicit-deny",
        "the deny takes precedence over all grants for the key",
        conditions("kms:EncryptionAlgorithm"),
        scenario(
            role("ExampleRole"),
            "kms:Encrypt",
            ONLY_OAEP,
            context={"kms:EncryptionAlgorithm": "RSAES_OAEP_SHA_1"},
            grants=[grant(role_arn("ExampleRole"), "Encrypt")],
        ),
        layer="key-policy",
    ),
    denied(
        "example-only-symmetric",
        "explicit-deny",
        "the identity policy limits its principals to symmetric encryption",
        conditions("kms:EncryptionAlgorithm"),
        through_iam(
            user(), "kms:Encrypt", ANYTHING, ONLY_SYMMETRIC, context={"kms:EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
        ),
        layer="identity-policy",
        sid="AllowOnlySymmetricAlgorithm",
    ),
    allowed(
        "example-only-symmetric-data-key",
        "iam-via-key-policy",
        "data keys are always made with the symmetric algorithm",
        conditions("kms:EncryptionAlgorithm"),
        through_iam(
            user(),
            "kms:GenerateDataKey",
            ANYTHING,
            ONLY_SYMMETRIC,
            context={"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"},
        ),
    ),
    allowed(
        "example-import-forever",
        "key-policy",
        "only material that does not expire",
        conditions("kms:ExpirationModel"),
        scenario(
            EXAMPLE,
            "kms:ImportKeyMaterial",
            IMPORT_FOREVER,
            context={"kms:ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"},
        ),
    ),
    denied(
        "example-import-expiring-refused",
        "implicit-deny",
        "material that expires is not allowed by that statement",
        conditions("kms:ExpirationModel"),
        scenario(
            EXAMPLE, "kms:ImportKeyMaterial", IMPORT_FOREVER, context={"kms:ExpirationModel": "KEY_MATERIAL_EXPIRES"}
        ),
    ),
    allowed(
        "example-import-parameter-absent",
        "key-policy",
        "Null true: only when the request has no ExpirationModel parameter",
        conditions("kms:ExpirationModel"),
        scenario(EXAMPLE, "kms:ImportKeyMaterial", IMPORT_EXPIRING),
    ),
    denied(
        "example-import-parameter-present",
        "implicit-deny",
        "Null true: not when the parameter is there",
        conditions("kms:ExpirationModel"),
        scenario(
            EXAMPLE,
            "kms:ImportKeyMaterial",
            IMPORT_EXPIRING,
            context={"kms:ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"},
        ),
    ),
    allowed(
        "example-import-valid-to-2018",
        "key-policy",
        "ValidTo, in Unix time, up to the end of 2018",
        conditions("kms:ValidTo"),
        scenario(EXAMPLE, "kms:ImportKeyMaterial", IMPORT_UNTIL_2018, context={"kms:ValidTo": "1546257599.0"}),
    ),
    denied(
        "example-import-valid-to-2019",
        "implicit-deny",
        "a second later is too late",
        conditions("kms:ValidTo"),
        scenario(EXAMPLE, "kms:ImportKeyMaterial", IMPORT_UNTIL_2018, context={"kms:ValidTo": "1546257600.0"}),
    ),
    allowed(
        "example-mac-512",
        "key-policy",
        "one of the two statements fits HMAC_SHA_512",
        conditions("kms:MacAlgorithm"),
        scenario(role("testers"), "kms:GenerateMac", STRONG_MACS, context={"kms:MacAlgorithm": "HMAC_SHA_512"}),
    ),
    denied(
        "example-mac-256",
        "implicit-deny",
        "no statement allows HMAC_SHA_256",
        conditions("kms:MacAlgorithm"),
        scenario(role("testers"), "kms:GenerateMac", STRONG_MACS, context={"kms:MacAlgorithm": "HMAC_SHA_256"}),
    ),
    allowed(
        "example-sign-message",
        "key-policy",
        "sign a message",
        conditions("kms:MessageType"),
        scenario(EXAMPLE, "kms:Sign", RAW_ONLY, context={"kms:MessageType": "RAW"}),
    ),
    denied(
        "example-sign-digest",
        "implicit-deny",
        "but not a message digest",
        conditions("kms:MessageType"),
        scenario(EXAMPLE, "kms:Sign", RAW_ONLY, context={"kms:MessageType": "DIGEST"}),
    ),
    allowed(
        "example-sign-pss",
        "key-policy",
        "any RSASSA_PSS algorithm",
        conditions("kms:SigningAlgorithm"),
        scenario(role("testers"), "kms:Sign", PSS_ONLY, context={"kms:SigningAlgorithm": "RSASSA_PSS_SHA_512"}),
    ),
    denied(
        "example-sign-pkcs1",
        "implicit-deny",
        "not RSASSA_PKCS1",
        conditions("kms:SigningAlgorithm"),
        scenario(role("testers"), "kms:Sign", PSS_ONLY, context={"kms:SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_512"}),
    ),
    allowed(
        "example-reencrypt-same-key",
        "key-policy",
        "re-encrypting under the same key",
        conditions("kms:ReEncryptOnSameKey"),
        reencrypting({"kms:ReEncryptOnSameKey": "true"}),
    ),
    denied(
        "example-reencrypt-other-key",
        "implicit-deny",
        "not with another destination key",
        conditions("kms:ReEncryptOnSameKey"),
        reencrypting({"kms:ReEncryptOnSameKey": "false"}),
    ),
    allowed(
        "example-request-alias",
        "key-policy",
        "the request names the key by alias/finance-key",
        conditions("kms:RequestAlias"),
        scenario(role("developer"), "kms:GenerateDataKey", BY_ALIAS, context={"kms:RequestAlias": "alias/finance-key"}),
    ),
    denied(
        "example-request-alias-by-key-id",
        "implicit-deny",
        "the same key by its ID does not satisfy the condition",
        conditions("kms:RequestAlias"),
        scenario(
            role("developer"), "kms:GenerateDataKey", BY_ALIAS, context={"kms:ResourceAliases": ["alias/finance-key"]}
        ),
    ),
    allowed(
        "example-via-rds",
        "key-policy",
        "through EC2 or RDS on behalf of ExampleUser",
        conditions("kms:ViaService"),
        scenario(EXAMPLE, "kms:Decrypt", EC2_OR_RDS, context={"kms:ViaService": f"rds.{REGION}.amazonaws.com"}),
    ),
    denied(
        "example-via-rds-of-another-region",
        "implicit-deny",
        "the service name carries the Region",
        conditions("kms:ViaService"),
        scenario(EXAMPLE, "kms:Decrypt", EC2_OR_RDS, context={"kms:ViaService": "rds.us-east-1.amazonaws.com"}),
    ),
    denied(
        "example-via-lambda-denied",
        "explicit-deny",
        "Encrypt through Lambda on behalf of ExampleUser is prevented",
        conditions("kms:ViaService"),
        scenario(EXAMPLE, "kms:Encrypt", NOT_LAMBDA, context={"kms:ViaService": f"lambda.{REGION}.amazonaws.com"}),
        layer="key-policy",
    ),
    allowed(
        "example-via-lambda-direct-call-spared",
        "key-policy",
        "a direct call is not through Lambda",
        conditions("kms:ViaService"),
        scenario(EXAMPLE, "kms:Encrypt", NOT_LAMBDA),
    ),
]

# ----------------------------------------------------------------------- AWS KMS condition keys: encryption context

APP = role_arn("RoleForExampleApp")
APP_ROLE = role("RoleForExampleApp")
_CONTEXT = conditions("kms:EncryptionContext:context-key")
_CONTEXT_KEYS = conditions("kms:EncryptionContextKeys")
ALICE = f"arn:aws:iam::{HOME}:user/alice"

APP_NAME = by_name(APP, "kms:GenerateDataKey", {"StringEquals": {"kms:EncryptionContext:AppName": "ExampleApp"}})
APP_NAME_ONLY = by_name(
    ALICE,
    "kms:GenerateDataKey",
    {
        "StringEquals": {"kms:EncryptionContext:AppName": "ExampleApp"},
        "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["AppName"]},
    },
)
NOT_RESTRICTED = policy(
    allow("kms:GenerateDataKey", APP),
    deny(
        "kms:GenerateDataKey",
        APP,
        Sid="NotTheseStages",
        Condition={"StringEquals": {"kms:EncryptionContext:Stage": ["Restricted", "Production"]}},
    ),
)
BOTH_PAIRS = by_name(
    APP,
    "kms:Decrypt",
    {"StringEquals": {"kms:EncryptionContext:Department": "IT", "kms:EncryptionContext:Project": "Alpha"}},
)
EITHER_PAIR = policy(
    allow("kms:GenerateDataKey", APP, Condition={"StringEquals": {"kms:EncryptionContext:Department": "IT"}}),
    allow("kms:GenerateDataKey", APP, Condition={"StringEquals": {"kms:EncryptionContext:Project": "Alpha"}}),
)
ANY_CASE = by_name(APP, "kms:Decrypt", {"StringEquals": {"kms:EncryptionContext:Appname": "ExampleApp"}})
EXACT_KEY = by_name(APP, "kms:GenerateDataKey", {"ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": "AppName"}})
EXACT_PAIR = by_name(
    APP,
    "kms:GenerateDataKey",
    {
        "ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": "AppName"},
        "StringEquals": {"kms:EncryptionContext:AppName": "ExampleApp"},
    },
)
OWN_DATA = by_name(
    role_arn("TestTeam"),
    ["kms:Decrypt", "kms:Encrypt"],
    {"StringEquals": {"kms:EncryptionContext:user": "${aws:username}"}},
)
COGNITO = by_name(
    role_arn("TestTeam"),
    ["kms:Decrypt", "kms:Encrypt"],
    {"StringEquals": {"kms:EncryptionContext:sub": "${cognito-identity.amazonaws.com:sub}"}},
)
SOME_CONTEXT = by_name(APP, ["kms:Encrypt", "kms:GenerateDataKey*"], {"Null": {"kms:EncryptionContextKeys": False}})

ENCRYPTION_CONTEXT = [
    allowed(
        "example-context-pair",
        "key-policy",
        "the required pair is there; other pairs are permitted",
        _CONTEXT,
        scenario(
            APP_ROLE, "kms:GenerateDataKey", APP_NAME, encryption_context={"AppName": "ExampleApp", "Stage": "Test"}
        ),
    ),
    denied(
        "example-context-absent",
        "implicit-deny",
        "no encryption context, no permission",
        _CONTEXT,
        scenario(APP_ROLE, "kms:GenerateDataKey", APP_NAME),
    ),
    denied(
        "example-context-wrong-value",
        "implicit-deny",
        "the value's case matters to StringEquals",
        _CONTEXT,
        scenario(APP_ROLE, "kms:GenerateDataKey", APP_NAME, encryption_context={"AppName": "exampleapp"}),
    ),
    allowed(
        "example-context-only-this-pair",
        "key-policy",
        "ForAllValues on the keys forbids all other pairs; this request has none",
        _CONTEXT,
        scenario(user("alice"), "kms:GenerateDataKey", APP_NAME_ONLY, encryption_context={"AppName": "ExampleApp"}),
    ),
    denied(
        "example-context-one-pair-too-many",
        "implicit-deny",
        "a second pair is forbidden",
        _CONTEXT,
        scenario(
            user("alice"),
            "kms:GenerateDataKey",
            APP_NAME_ONLY,
            encryption_context={"AppName": "ExampleApp", "Stage": "Test"},
        ),
    ),
    denied(
        "example-context-only-this-pair-absent",
        "implicit-deny",
        "ForAllValues alone would allow an empty context; the pair's own condition fails",
        _CONTEXT,
        scenario(user("alice"), "kms:GenerateDataKey", APP_NAME_ONLY),
    ),
    denied(
        "example-context-stage-production",
        "explicit-deny",
        "several values of one key are joined by OR",
        _CONTEXT,
        scenario(APP_ROLE, "kms:GenerateDataKey", NOT_RESTRICTED, encryption_context={"Stage": "Production"}),
        layer="key-policy",
        sid="NotTheseStages",
    ),
    allowed(
        "example-context-stage-test",
        "key-policy",
        "the Stage key with another value is allowed",
        _CONTEXT,
        scenario(APP_ROLE, "kms:GenerateDataKey", NOT_RESTRICTED, encryption_context={"Stage": "Test"}),
    ),
    allowed(
        "example-context-two-pairs",
        "key-policy",
        "two keys in one condition are joined by AND: both pairs are there",
        _CONTEXT,
        scenario(APP_ROLE, "kms:Decrypt", BOTH_PAIRS, encryption_context={"Department": "IT", "Project": "Alpha"}),
    ),
    denied(
        "example-context-one-of-two-pairs",
        "implicit-deny",
        "one pair of two is not enough",
        _CONTEXT,
        scenario(APP_ROLE, "kms:Decrypt", BOTH_PAIRS, encryption_context={"Department": "IT"}),
    ),
    allowed(
        "example-context-either-pair",
        "key-policy",
        "separate statements are joined by OR",
        _CONTEXT,
        scenario(APP_ROLE, "kms:GenerateDataKey", EITHER_PAIR, encryption_context={"Project": "Alpha"}),
    ),
    denied(
        "example-context-neither-pair",
        "implicit-deny",
        "neither pair is there",
        _CONTEXT,
        scenario(
            APP_ROLE, "kms:GenerateDataKey", EITHER_PAIR, encryption_context={"Department": "HR", "Project": "Beta"}
        ),
    ),
    allowed(
        "example-context-key-in-any-case",
        "key-policy",
        "the key part of the condition key is not case sensitive",
        _CONTEXT,
        scenario(APP_ROLE, "kms:Decrypt", ANY_CASE, encryption_context={"APPNAME": "ExampleApp"}),
    ),
    denied(
        "example-context-key-any-case-value-exact",
        "implicit-deny",
        "the value must be capitalized as in the policy",
        _CONTEXT,
        scenario(APP_ROLE, "kms:Decrypt", ANY_CASE, encryption_context={"APPNAME": "EXAMPLEAPP"}),
    ),
    denied(
        "example-context-key-in-exact-case",
        "implicit-deny",
        "with kms:EncryptionContextKeys the key is a value, so its case counts",
        _CONTEXT,
        scenario(APP_ROLE, "kms:GenerateDataKey", EXACT_KEY, encryption_context={"appname": "ExampleApp"}),
    ),
    denied(
        "example-context-exact-pair-wrong-key-case",
        "implicit-deny",
        "both conditions together make key and value case sensitive",
        _CONTEXT,
        scenario(APP_ROLE, "kms:GenerateDataKey", EXACT_PAIR, encryption_context={"appname": "ExampleApp"}),
    ),
    allowed(
        "example-context-exact-pair",
        "key-policy",
        "key and value as written",
        _CONTEXT,
        scenario(APP_ROLE, "kms:GenerateDataKey", EXACT_PAIR, encryption_context={"AppName": "ExampleApp"}),
    ),
    allowed(
        "example-context-own-name",
        "key-policy",
        "the caller's user name replaces the variable",
        _CONTEXT,
        scenario(
            role("TestTeam", "bob"),
            "kms:Decrypt",
            OWN_DATA,
            context={"aws:username": "bob"},
            encryption_context={"user": "bob"},
        ),
    ),
    denied(
        "example-context-name-of-another",
        "implicit-deny",
        "bob cannot decrypt what alice encrypted",
        _CONTEXT,
        scenario(
            role("TestTeam", "bob"),
            "kms:Decrypt",
            OWN_DATA,
            context={"aws:username": "bob"},
            encryption_context={"user": "alice"},
        ),
    ),
    allowed(
        "example-context-cognito-sub",
        "key-policy",
        "a provider's context key in a variable",
        _CONTEXT,
        scenario(
            role("TestTeam", "web"),
            "kms:Encrypt",
            COGNITO,
            context={"cognito-identity.amazonaws.com:sub": "eu-west-1:0001"},
            encryption_context={"sub": "eu-west-1:0001"},
        ),
    ),
    denied(
        "example-context-cognito-other-sub",
        "implicit-deny",
        "another user of the pool",
        _CONTEXT,
        scenario(
            role("TestTeam", "web"),
            "kms:Encrypt",
            COGNITO,
            context={"cognito-identity.amazonaws.com:sub": "eu-west-1:0001"},
            encryption_context={"sub": "eu-west-1:0002"},
        ),
    ),
    allowed(
        "example-context-keys-any",
        "key-policy",
        "AppName=Helper and Project=Alpha: at least one key matches",
        _CONTEXT_KEYS,
        scenario(
            APP_ROLE, "kms:GenerateDataKey", EXACT_KEY, encryption_context={"AppName": "Helper", "Project": "Alpha"}
        ),
    ),
    denied(
        "example-context-keys-none-matches",
        "implicit-deny",
        "only Project=Alpha fails",
        _CONTEXT_KEYS,
        scenario(APP_ROLE, "kms:GenerateDataKey", EXACT_KEY, encryption_context={"Project": "Alpha"}),
    ),
    denied(
        "example-context-keys-absent",
        "implicit-deny",
        "no encryption context fails ForAnyValue",
        _CONTEXT_KEYS,
        scenario(APP_ROLE, "kms:GenerateDataKey", EXACT_KEY),
    ),
    allowed(
        "example-some-context-required",
        "key-policy",
        "Null false: any encryption context will do",
        _CONTEXT_KEYS,
        scenario(APP_ROLE, "kms:Encrypt", SOME_CONTEXT, encryption_context={"anything": "at all"}),
    ),
    denied(
        "example-some-context-required-absent",
        "implicit-deny",
        "Null false: but there must be one",
        _CONTEXT_KEYS,
        scenario(APP_ROLE, "kms:Encrypt", SOME_CONTEXT),
    ),
]

# -------------------------------------------------------------------------------------- AWS KMS condition keys: grants

EXACT_CONSTRAINT = by_name(EXAMPLE_USER, "kms:CreateGrant", equals(kms__GrantConstraintType="EncryptionContextEquals"))
ENCRYPT_GRANTS = by_name(
    EXAMPLE_USER,
    "kms:CreateGrant",
    {"ForAllValues:StringEquals": {"kms:GrantOperations": ["Encrypt", "ReEncryptTo"]}},
)
ENCRYPT_GRANTS_ANY = by_name(
    EXAMPLE_USER,
    "kms:CreateGrant",
    {"ForAnyValue:StringEquals": {"kms:GrantOperations": ["Encrypt", "ReEncryptTo"]}},
)
TO_LIMITED_ADMIN = by_name(EXAMPLE_USER, "kms:CreateGrant", equals(kms__GranteePrincipal=role_arn("LimitedAdminRole")))
RETIRED_BY = by_name(
    EXAMPLE_USER,
    "kms:CreateGrant",
    equals(kms__RetiringPrincipal=[role_arn("LimitedAdminRole"), f"arn:aws:iam::{HOME}:user/OpsAdmin"]),
)
TO_IT = grant(
    f"arn:aws:iam::{HOME}:user/exampleUser", "Decrypt", constraints={"EncryptionContextEquals": {"Department": "IT"}}
)
TO_IT_AND_MORE = grant(
    f"arn:aws:iam::{HOME}:user/exampleUser", "Decrypt", constraints={"EncryptionContextSubset": {"Department": "IT"}}
)
PARENT = grant(
    f"arn:aws:iam::{HOME}:user/exampleUser",
    "GenerateDataKey",
    "Decrypt",
    "CreateGrant",
    constraints={"EncryptionContextSubset": {"Department": "IT"}},
)
_GRANTS = guide("Creating grants")
GRANTEE = user("exampleUser")


def granting(policy_or_none: Document, **context: Any) -> Document:
    return scenario(
        EXAMPLE, "kms:CreateGrant", policy_or_none, context={f"kms:{name}": value for name, value in context.items()}
    )


def child(operations: list[str], constraints: Document) -> Document:
    return scenario(
        GRANTEE,
        "kms:CreateGrant",
        context={"kms:GrantOperations": operations},
        params={"Operations": operations, "Constraints": constraints},
        grants=[PARENT],
    )


GRANT_EXAMPLES = [
    allowed(
        "example-grant-constraint-type",
        "key-policy",
        "grants only with an EncryptionContextEquals constraint",
        conditions("kms:GrantConstraintType"),
        granting(EXACT_CONSTRAINT, GrantConstraintType="EncryptionContextEquals"),
    ),
    denied(
        "example-grant-constraint-type-subset",
        "implicit-deny",
        "the other type of constraint does not satisfy it",
        conditions("kms:GrantConstraintType"),
        granting(EXACT_CONSTRAINT, GrantConstraintType="EncryptionContextSubset"),
    ),
    allowed(
        "example-grant-operations-within",
        "key-policy",
        "Encrypt, ReEncryptTo, or both",
        conditions("kms:GrantOperations"),
        granting(ENCRYPT_GRANTS, GrantOperations=["Encrypt"]),
    ),
    denied(
        "example-grant-operations-beyond",
        "implicit-deny",
        "any other operation fails ForAllValues",
        conditions("kms:GrantOperations"),
        granting(ENCRYPT_GRANTS, GrantOperations=["Encrypt", "Decrypt"]),
    ),
    allowed(
        "example-grant-operations-any",
        "key-policy",
        "ForAnyValue would require one of them and allow others, such as Decrypt",
        conditions("kms:GrantOperations"),
        granting(ENCRYPT_GRANTS_ANY, GrantOperations=["Encrypt", "Decrypt"]),
    ),
    allowed(
        "example-grantee-principal",
        "key-policy",
        "only grants for LimitedAdminRole",
        conditions("kms:GranteePrincipal"),
        granting(TO_LIMITED_ADMIN, GranteePrincipal=role_arn("LimitedAdminRole")),
    ),
    denied(
        "example-grantee-principal-other",
        "implicit-deny",
        "not for another role",
        conditions("kms:GranteePrincipal"),
        granting(TO_LIMITED_ADMIN, GranteePrincipal=role_arn("OtherRole")),
    ),
    allowed(
        "example-retiring-principal",
        "key-policy",
        "either of the two retiring principals",
        conditions("kms:RetiringPrincipal"),
        granting(RETIRED_BY, RetiringPrincipal=f"arn:aws:iam::{HOME}:user/OpsAdmin"),
    ),
    denied(
        "example-retiring-principal-absent",
        "implicit-deny",
        "a grant without a retiring principal",
        conditions("kms:RetiringPrincipal"),
        granting(RETIRED_BY),
    ),
    denied(
        "example-grant-for-service-only",
        "implicit-deny",
        "kms:GrantIsForAWSResource does not let the user create grants directly",
        conditions("kms:GrantIsForAWSResource"),
        scenario(
            EXAMPLE,
            "kms:CreateGrant",
            by_name(EXAMPLE_USER, "kms:CreateGrant", {"Bool": {"kms:GrantIsForAWSResource": True}}),
        ),
    ),
    allowed(
        "example-grant-for-service",
        "key-policy",
        "... it lets an integrated service create them on the user's behalf",
        conditions("kms:GrantIsForAWSResource"),
        scenario(
            EXAMPLE,
            "kms:CreateGrant",
            by_name(EXAMPLE_USER, "kms:CreateGrant", {"Bool": {"kms:GrantIsForAWSResource": True}}),
            context={"kms:GrantIsForAWSResource": "true"},
        ),
    ),
    allowed(
        "example-grant-equals",
        "grant",
        "Department=IT is exactly the constraint",
        _GRANTS,
        scenario(GRANTEE, "kms:Decrypt", encryption_context={"Department": "IT"}, grants=[TO_IT]),
    ),
    denied(
        "example-grant-equals-extra-pair",
        "grant-constraint",
        "Department=IT, Purpose=Test fails EncryptionContextEquals",
        _GRANTS,
        scenario(GRANTEE, "kms:Decrypt", encryption_context={"Department": "IT", "Purpose": "Test"}, grants=[TO_IT]),
    ),
    allowed(
        "example-grant-subset-extra-pair",
        "grant",
        "... and satisfies EncryptionContextSubset",
        _GRANTS,
        scenario(
            GRANTEE, "kms:Decrypt", encryption_context={"Department": "IT", "Purpose": "Test"}, grants=[TO_IT_AND_MORE]
        ),
    ),
    allowed(
        "example-child-grant-stricter",
        "grant",
        "CreateGrant and Decrypt, Subset turned into Equals: fewer operations, a stricter constraint",
        _GRANTS,
        child(["CreateGrant", "Decrypt"], {"EncryptionContextEquals": {"Department": "IT"}}),
    ),
    denied(
        "example-child-grant-more-operations",
        "grant-constraint",
        "operations that the parent lacks",
        _GRANTS,
        child(["Decrypt", "ReEncryptFrom"], {"EncryptionContextSubset": {"Department": "IT"}}),
    ),
    denied(
        "example-child-grant-looser",
        "grant-constraint",
        "the child cannot remove pairs",
        _GRANTS,
        child(["Decrypt"], {}),
    ),
    allowed(
        "example-new-grant-with-token",
        "grant",
        "a grant token makes a new grant usable at once",
        guide("Managing grants"),
        scenario(
            user("appUser"),
            "kms:GenerateDataKey",
            params={"GrantTokens": ["token-1"]},
            grants=[
                grant(
                    f"arn:aws:iam::{HOME}:user/appUser",
                    "GenerateDataKey",
                    "Decrypt",
                    status="pending-consistency",
                    grant_token="token-1",
                )
            ],
        ),
    ),
    denied(
        "example-new-grant-without-token",
        "implicit-deny",
        "without the token, a grant that is not yet known everywhere might not help",
        guide("Managing grants"),
        scenario(
            user("appUser"),
            "kms:GenerateDataKey",
            grants=[
                grant(
                    f"arn:aws:iam::{HOME}:user/appUser",
                    "GenerateDataKey",
                    "Decrypt",
                    status="pending-consistency",
                    grant_token="token-1",
                )
            ],
        ),
    ),
    allowed(
        "example-retiring-principal-retires",
        "grant",
        "the grant determines who can retire it",
        guide("Managing grants"),
        scenario(
            user("acctAdmin"),
            "kms:RetireGrant",
            grants=[
                grant(
                    f"arn:aws:iam::{HOME}:user/appUser",
                    "Decrypt",
                    retiring_principal=f"arn:aws:iam::{HOME}:user/acctAdmin",
                )
            ],
        ),
    ),
    denied(
        "example-retire-in-key-policy-is-void",
        "implicit-deny",
        "kms:RetireGrant is not effective in a key policy",
        guide("Managing grants"),
        scenario(
            EXAMPLE,
            "kms:RetireGrant",
            policy(allow("kms:RetireGrant", EXAMPLE_USER)),
            grants=[
                grant(
                    f"arn:aws:iam::{HOME}:user/appUser",
                    "Decrypt",
                    retiring_principal=f"arn:aws:iam::{HOME}:user/acctAdmin",
                )
            ],
        ),
    ),
]

# -------------------------------------------------------------------------------- condition keys about the key; ABAC

CRYPTO = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
IN_CLOUDHSM = policy(allow(CRYPTO, resource=ALL_KEYS, Condition=equals(kms__KeyOrigin="AWS_CLOUDHSM")))
ONLY_RSA_KEYS = policy(allow("kms:CreateKey", Condition={"StringLike": {"kms:KeySpec": "RSA_*"}}))
SIGNING_KEYS = policy(
    allow(
        ["kms:CreateGrant", "kms:DescribeKey", "kms:GetPublicKey", "kms:ScheduleKeyDeletion"],
        resource=ALL_KEYS,
        Condition=equals(kms__KeyUsage="SIGN_VERIFY"),
    )
)
FINANCE = policy(
    allow(
        "kms:GenerateDataKey",
        resource=ALL_KEYS,
        Condition={"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/finance-key"}},
    )
)
ALL_TEST_ALIASES = policy(
    allow(
        ["kms:EnableKey", "kms:DisableKey"],
        resource=ALL_KEYS,
        Condition={
            "ForAllValues:StringLike": {"kms:ResourceAliases": ["alias/*Test*"]},
            "ForAnyValue:StringLike": {"kms:ResourceAliases": ["alias/*Test*"]},
        },
    )
)
RESTRICTED = policy(
    allow(
        ["kms:EnableKeyRotation", "kms:DisableKeyRotation", "kms:GetKeyRotationStatus"],
        resource=[ALL_KEYS, f"arn:aws:kms:*:{AWAY}:key/*"],
        Condition={"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/restricted*"}},
    )
)
ALPHA_ALIAS = by_name(
    role_arn("alpha-developer"),
    ["kms:Decrypt", "kms:GenerateDataKey*", "kms:DescribeKey"],
    {"StringLike": {"kms:RequestAlias": "alias/*alpha*"}},
)
PURPOSE_TEST = policy(
    allow(
        ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:DescribeKey"],
        resource=ALL_KEYS,
        Condition={"StringEquals": {"aws:ResourceTag/Purpose": "Test"}},
    )
)
NOT_RESERVED = policy(
    allow(CRYPTO, resource=ALL_KEYS, Sid="IAMAllowCryptographicOperations"),
    deny(
        "kms:*", resource=ALL_KEYS, Sid="IAMDenyOnTag", Condition={"StringEquals": {"aws:ResourceTag/Type": "Reserved"}}
    ),
    deny("kms:*", resource=ALL_KEYS, Sid="IAMDenyNoTag", Condition={"Null": {"aws:ResourceTag/Type": "true"}}),
)
PROJECT_TAGS = policy(
    allow(
        ["kms:TagResource", "kms:UntagResource"],
        resource=ALL_KEYS,
        Condition={"ForAllValues:StringEquals": {"aws:TagKeys": "Project"}},
    )
)
TAGGING = policy(
    allow("kms:*", ACCOUNT, Sid="Enable IAM policies"),
    allow(["kms:TagResource", "kms:ListResourceTags", "kms:UntagResource"], f"arn:aws:iam::{HOME}:user/LeadAdmin"),
    allow("kms:ListResourceTags", [role_arn("Administrator"), role_arn("Developer")]),
)
OWN_ALIASES = policy(
    allow(["kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias"], resource=f"arn:aws:kms:{REGION}:{HOME}:alias/*"),
    deny(
        ["kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias"],
        resource=f"arn:aws:kms:{REGION}:{HOME}:alias/Restricted*",
        Sid="IAMPolicyForAnAliasDeny",
    ),
)
KEY_ALLOWS_ALIASES = policy(allow(["kms:CreateAlias", "kms:DescribeKey"], f"arn:aws:iam::{HOME}:user/KMSAdminUser"))
MADE_BY_KMS = policy(
    allow("kms:CreateAlias", resource=ALIAS),
    allow("kms:CreateAlias", resource=ALL_KEYS, Condition=equals(kms__KeyOrigin="AWS_KMS")),
)
_TAGS = guide("Using tags to control access to KMS keys")
_ALIASES = guide("Using aliases to control access to KMS keys")
_ALIAS_ACCESS = guide("Controlling access to aliases")
_TAG_ACCESS = guide("Controlling access to tags")

ABOUT_THE_KEY = [
    allowed(
        "example-key-origin-cloudhsm",
        "iam-via-key-policy",
        "only keys of a CloudHSM key store",
        conditions("kms:KeyOrigin"),
        through_iam(user(), "kms:Decrypt", IN_CLOUDHSM, context={"kms:KeyOrigin": "AWS_CLOUDHSM"}),
    ),
    denied(
        "example-key-origin-kms",
        "implicit-deny",
        "a key made in KMS is not one of them",
        conditions("kms:KeyOrigin"),
        through_iam(user(), "kms:Decrypt", IN_CLOUDHSM, context={"kms:KeyOrigin": "AWS_KMS"}),
    ),
    allowed(
        "example-key-spec-rsa",
        "iam-policy",
        "create only RSA keys",
        conditions("kms:KeySpec"),
        keyless(user(), "kms:CreateKey", ONLY_RSA_KEYS, context={"kms:KeySpec": "RSA_4096"}),
    ),
    denied(
        "example-key-spec-default",
        "implicit-deny",
        "the default spec counts as well when the parameter is left out",
        conditions("kms:KeySpec"),
        keyless(user(), "kms:CreateKey", ONLY_RSA_KEYS, context={"kms:KeySpec": "SYMMETRIC_DEFAULT"}),
    ),
    allowed(
        "example-key-usage-sign",
        "iam-via-key-policy",
        "only keys that sign",
        conditions("kms:KeyUsage"),
        through_iam(user(), "kms:GetPublicKey", SIGNING_KEYS, context={"kms:KeyUsage": "SIGN_VERIFY"}),
    ),
    denied(
        "example-key-usage-encrypt",
        "implicit-deny",
        "an RSA key for encryption does not sign",
        conditions("kms:KeyUsage"),
        through_iam(user(), "kms:GetPublicKey", SIGNING_KEYS, context={"kms:KeyUsage": "ENCRYPT_DECRYPT"}),
    ),
    allowed(
        "example-resource-alias-any-of-many",
        "iam-via-key-policy",
        "one alias of the key is enough, even if the request used the key ID",
        conditions("kms:ResourceAliases"),
        through_iam(
            user(), "kms:GenerateDataKey", FINANCE, context={"kms:ResourceAliases": ["alias/finance-key", "alias/old"]}
        ),
    ),
    denied(
        "example-resource-alias-none",
        "implicit-deny",
        "ForAnyValue fails for a key without aliases",
        conditions("kms:ResourceAliases"),
        through_iam(user(), "kms:GenerateDataKey", FINANCE),
    ),
    allowed(
        "example-all-aliases-test",
        "iam-via-key-policy",
        "all aliases of the key include Test",
        conditions("kms:ResourceAliases"),
        through_iam(
            user(), "kms:DisableKey", ALL_TEST_ALIASES, context={"kms:ResourceAliases": ["alias/MyTest1", "alias/Test"]}
        ),
    ),
    denied(
        "example-one-alias-not-test",
        "implicit-deny",
        "one alias does not",
        conditions("kms:ResourceAliases"),
        through_iam(
            user(), "kms:DisableKey", ALL_TEST_ALIASES, context={"kms:ResourceAliases": ["alias/MyTest1", "alias/prod"]}
        ),
    ),
    denied(
        "example-no-alias-not-test",
        "implicit-deny",
        "without the ForAnyValue condition a key without aliases would be allowed",
        conditions("kms:ResourceAliases"),
        through_iam(user(), "kms:DisableKey", ALL_TEST_ALIASES),
    ),
    allowed(
        "example-alias-pattern-in-request",
        "key-policy",
        "any alias that includes alpha identifies the key in the request",
        _ALIASES,
        scenario(
            role("alpha-developer"), "kms:DescribeKey", ALPHA_ALIAS, context={"kms:RequestAlias": "alias/project-alpha"}
        ),
    ),
    denied(
        "example-key-id-in-request",
        "implicit-deny",
        "a request by key ID or key ARN does not fulfil it",
        _ALIASES,
        scenario(
            role("alpha-developer"),
            "kms:DescribeKey",
            ALPHA_ALIAS,
            context={"kms:ResourceAliases": ["alias/project-alpha"]},
        ),
    ),
    allowed(
        "example-restricted-alias-by-key-id",
        "iam-via-key-policy",
        "a request that does not name the alias still satisfies kms:ResourceAliases",
        _ALIASES,
        through_iam(
            user(), "kms:EnableKeyRotation", RESTRICTED, context={"kms:ResourceAliases": ["alias/restricted-project"]}
        ),
    ),
    denied(
        "example-unrestricted-alias",
        "implicit-deny",
        "only keys with an alias that begins with restricted",
        _ALIASES,
        through_iam(user(), "kms:EnableKeyRotation", RESTRICTED, context={"kms:ResourceAliases": ["alias/project"]}),
    ),
    allowed(
        "example-tagged-test",
        "iam-via-key-policy",
        "keys with Purpose=Test",
        guide("ABAC for AWS KMS"),
        through_iam(user(), "kms:Encrypt", PURPOSE_TEST, context={"aws:ResourceTag/Purpose": "Test"}),
    ),
    denied(
        "example-tag-value-changed",
        "implicit-deny",
        "when the tag's value changes, the access is gone",
        guide("ABAC for AWS KMS"),
        through_iam(user(), "kms:Encrypt", PURPOSE_TEST, context={"aws:ResourceTag/Purpose": "Production"}),
    ),
    denied(
        "example-tag-removed",
        "implicit-deny",
        "when the tag is deleted, the access is gone",
        guide("ABAC for AWS KMS"),
        through_iam(user(), "kms:Encrypt", PURPOSE_TEST),
    ),
    allowed(
        "example-type-tag-open",
        "iam-via-key-policy",
        "any key with a Type other than Reserved",
        _TAGS,
        through_iam(user(), "kms:Encrypt", NOT_RESERVED, context={"aws:ResourceTag/Type": "Open"}),
    ),
    denied(
        "example-type-tag-reserved",
        "explicit-deny",
        "no operation on keys with Type=Reserved",
        _TAGS,
        through_iam(user(), "kms:Encrypt", NOT_RESERVED, context={"aws:ResourceTag/Type": "Reserved"}),
        layer="identity-policy",
        sid="IAMDenyOnTag",
    ),
    denied(
        "example-type-tag-absent",
        "explicit-deny",
        "nor on keys without a Type tag",
        _TAGS,
        through_iam(user(), "kms:Encrypt", NOT_RESERVED),
        layer="identity-policy",
        sid="IAMDenyNoTag",
    ),
    allowed(
        "example-tag-project-only",
        "iam-via-key-policy",
        "tags with the key Project may be added",
        _TAG_ACCESS,
        through_iam(user(), "kms:TagResource", PROJECT_TAGS, context={"aws:TagKeys": ["Project"]}),
    ),
    denied(
        "example-tag-project-and-more",
        "implicit-deny",
        "all tag keys of the request must match",
        _TAG_ACCESS,
        through_iam(user(), "kms:TagResource", PROJECT_TAGS, context={"aws:TagKeys": ["Project", "Owner"]}),
    ),
    allowed(
        "example-lead-admin-untags",
        "key-policy",
        "select users have every tagging permission",
        _TAG_ACCESS,
        scenario(user("LeadAdmin"), "kms:UntagResource", TAGGING, context={"aws:TagKeys": ["Project"]}),
    ),
    denied(
        "example-developer-only-views-tags",
        "implicit-deny",
        "the roles may view tags only",
        _TAG_ACCESS,
        scenario(role("Developer"), "kms:TagResource", TAGGING, context={"aws:TagKeys": ["Project"]}),
    ),
    allowed(
        "example-create-alias-both-permissions",
        "iam-policy",
        "the alias by identity policy, the key by key policy",
        _ALIAS_ACCESS,
        aliasing(ADMIN, KEY_ALLOWS_ALIASES, policy(allow(["kms:CreateAlias", "kms:UpdateAlias"], resource=ALIAS))),
    ),
    denied(
        "example-create-alias-key-policy-alone",
        "implicit-deny",
        "the permission for the alias belongs in an identity policy",
        _ALIAS_ACCESS,
        aliasing(ADMIN, KEY_ALLOWS_ALIASES),
    ),
    denied(
        "example-create-alias-on-imported-key",
        "implicit-deny",
        "aliases only on keys whose material is from KMS",
        _ALIAS_ACCESS,
        aliasing(user(), DELEGATES, MADE_BY_KMS, context={"kms:KeyOrigin": "EXTERNAL"}),
    ),
    denied(
        "example-restricted-alias-name",
        "explicit-deny",
        "any alias unless it begins with Restricted",
        _ALIAS_ACCESS,
        scenario(
            user(), "kms:DeleteAlias", None, OWN_ALIASES, resource=f"arn:aws:kms:{REGION}:{HOME}:alias/Restricted-1"
        ),
        layer="identity-policy",
        sid="IAMPolicyForAnAliasDeny",
    ),
    allowed(
        "example-unrestricted-alias-name",
        "iam-policy",
        "another alias",
        _ALIAS_ACCESS,
        scenario(user(), "kms:DeleteAlias", None, OWN_ALIASES, resource=ALIAS),
    ),
]

# ------------------------------------------------------------------------------------------------- multi-Region keys

_MULTI_REGION = guide("Controlling access to multi-Region keys")
MRK = "mrk-1234abcd12ab34cd56ef1234567890ab"
PRIMARY = f"arn:aws:kms:{REGION}:{HOME}:key/{MRK}"
REPLICA = f"arn:aws:kms:us-east-1:{HOME}:key/{MRK}"
REPLICATE = by_name(
    role_arn("Administrator"),
    "kms:ReplicateKey",
    equals(kms__ReplicaRegion=["us-east-1", "eu-west-3", "ap-southeast-2"]),
)
UPDATE_PRIMARY = policy(allow("kms:UpdatePrimaryRegion", role_arn("Administrator")))
NO_MULTI_REGION = policy(
    allow("kms:*"), deny("kms:CreateKey", Sid="NoMultiRegion", Condition={"Bool": {"kms:MultiRegion": True}})
)
NOTHING_MULTI_REGION = policy(allow("kms:*"), deny("kms:*", Sid="None", Condition={"Bool": {"kms:MultiRegion": True}}))
REPLICAS_ONLY = policy(
    allow(
        ["kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion"],
        resource=ALL_KEYS,
        Condition=equals(kms__MultiRegionKeyType="REPLICA"),
    )
)
THREE_PRIMARIES = policy(
    allow(
        "kms:UpdatePrimaryRegion",
        resource=ALL_KEYS,
        Condition=equals(kms__PrimaryRegion=["us-west-2", "sa-east-1", "ap-southeast-1"]),
    )
)
EVERY_REGION = policy(allow(["kms:Describe*", "kms:List*"], resource=f"arn:aws:kms:*:{HOME}:key/{MRK}"))


def replicating(region: str, *identity_policies: Document) -> Document:
    return scenario(
        role("Administrator"),
        "kms:ReplicateKey",
        REPLICATE,
        *identity_policies,
        resource=PRIMARY,
        context={"kms:ReplicaRegion": region},
        operation="ReplicateKey",
        also=[{"action": "kms:CreateKey", "resource": "*", "resource_account": HOME, "key_policy": None}],
    )


def promoting(replica_policy: Document) -> Document:
    return scenario(
        role("Administrator"),
        "kms:UpdatePrimaryRegion",
        UPDATE_PRIMARY,
        resource=PRIMARY,
        context={"kms:PrimaryRegion": "us-east-1"},
        operation="UpdatePrimaryRegion",
        also=[
            {
                "action": "kms:UpdatePrimaryRegion",
                "resource": REPLICA,
                "resource_account": HOME,
                "key_policy": replica_policy,
            }
        ],
    )


MULTI_REGION = [
    allowed(
        "example-replicate",
        "key-policy",
        "ReplicateKey by the primary's key policy, CreateKey by an identity policy",
        _MULTI_REGION,
        replicating("us-east-1", policy(allow("kms:CreateKey"))),
    ),
    denied(
        "example-replicate-into-other-region",
        "implicit-deny",
        "only into the listed Regions",
        _MULTI_REGION,
        replicating("us-west-2", policy(allow("kms:CreateKey"))),
    ),
    denied(
        "example-replicate-without-create-key",
        "implicit-deny",
        "the principal needs kms:CreateKey for the replica's Region",
        _MULTI_REGION,
        replicating("us-east-1"),
    ),
    allowed(
        "example-update-primary-region",
        "key-policy",
        "permission on the primary and on the replica",
        _MULTI_REGION,
        promoting(UPDATE_PRIMARY),
    ),
    denied(
        "example-update-primary-region-one-key",
        "implicit-deny",
        "key policies are not shared: permission on the primary alone is not enough",
        _MULTI_REGION,
        promoting(DELEGATES),
    ),
    denied(
        "example-create-multi-region-key",
        "explicit-deny",
        "creating multi-Region keys is denied",
        _MULTI_REGION,
        keyless(user(), "kms:CreateKey", NO_MULTI_REGION, context={"kms:MultiRegion": "true"}),
        layer="identity-policy",
        sid="NoMultiRegion",
    ),
    allowed(
        "example-create-single-region-key",
        "iam-policy",
        "single-Region keys may be created",
        _MULTI_REGION,
        keyless(user(), "kms:CreateKey", NO_MULTI_REGION, context={"kms:MultiRegion": "false"}),
    ),
    denied(
        "example-use-multi-region-key",
        "explicit-deny",
        "neither use nor management of a multi-Region key",
        _MULTI_REGION,
        through_iam(user(), "kms:Encrypt", NOTHING_MULTI_REGION, resource=PRIMARY, context={"kms:MultiRegion": "true"}),
        layer="identity-policy",
    ),
    allowed(
        "example-delete-replica",
        "iam-via-key-policy",
        "deletion of replica keys",
        _MULTI_REGION,
        through_iam(
            user(),
            "kms:ScheduleKeyDeletion",
            REPLICAS_ONLY,
            resource=REPLICA,
            context={"kms:MultiRegionKeyType": "REPLICA"},
        ),
    ),
    denied(
        "example-delete-primary",
        "implicit-deny",
        "not of the primary key",
        _MULTI_REGION,
        through_iam(
            user(),
            "kms:ScheduleKeyDeletion",
            REPLICAS_ONLY,
            resource=PRIMARY,
            context={"kms:MultiRegionKeyType": "PRIMARY"},
        ),
    ),
    denied(
        "example-delete-single-region-key",
        "implicit-deny",
        "only multi-Region keys have a MultiRegionKeyType",
        _MULTI_REGION,
        through_iam(user(), "kms:ScheduleKeyDeletion", REPLICAS_ONLY, context={"kms:MultiRegion": "false"}),
    ),
    denied(
        "example-primary-region-not-listed",
        "implicit-deny",
        "the new primary Region must be one of three",
        _MULTI_REGION,
        through_iam(
            user(),
            "kms:UpdatePrimaryRegion",
            THREE_PRIMARIES,
            resource=PRIMARY,
            context={"kms:PrimaryRegion": "us-east-1"},
        ),
    ),
    allowed(
        "example-related-keys-by-wildcard-region",
        "iam-via-key-policy",
        "a wildcard in the Region covers every related key",
        _MULTI_REGION,
        through_iam(user(), "kms:DescribeKey", EVERY_REGION, resource=REPLICA),
    ),
    denied(
        "example-related-key-by-its-own-arn",
        "implicit-deny",
        "a key ARN with one Region covers that key only",
        _MULTI_REGION,
        through_iam(user(), "kms:DescribeKey", policy(allow("kms:DescribeKey", resource=PRIMARY)), resource=REPLICA),
    ),
]

# --------------------------------------------------------------------------- VPC endpoints and source addresses

_VPC = guide("Connecting to AWS KMS through a VPC endpoint")
ENDPOINT = "vpce-0295a3caf8414c94a"
ONLY_ENDPOINT = policy(
    allow(["kms:*"], [HOME], Sid="Enable IAM user permissions"),
    deny(
        ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"],
        "*",
        Sid="Restrict usage to my VPC endpoint",
        Condition={"StringNotEquals": {"aws:sourceVpce": ENDPOINT}},
    ),
)
TWO_VPCS = policy(
    allow(
        ["kms:Create*", "kms:Enable*", "kms:Put*", "kms:Update*", "kms:Revoke*", "kms:Disable*", "kms:Delete*"],
        HOME,
        Condition={"StringEquals": {"aws:sourceVpc": "vpc-12345678"}},
    ),
    allow(
        ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*"],
        HOME,
        Condition={"StringEquals": {"aws:sourceVpc": "vpc-2b2b2b2b"}},
    ),
    allow(["kms:Describe*", "kms:List*", "kms:Get*"], HOME),
)
FROM_OFFICE = policy(
    deny("*", Sid="OfficeOnly", Condition={"NotIpAddress": {"aws:SourceIp": ["192.0.2.0/24", "203.0.113.0/24"]}})
)
_SOURCE_IP = guide("AWS global condition keys")

NETWORK = [
    allowed(
        "example-through-endpoint",
        "iam-via-key-policy",
        "the call came through the endpoint",
        _VPC,
        scenario(user(), "kms:Decrypt", ONLY_ENDPOINT, ANYTHING, context={"aws:SourceVpce": ENDPOINT}),
    ),
    denied(
        "example-around-endpoint",
        "explicit-deny",
        "a call from the internet carries no endpoint, which is not equal to it",
        _VPC,
        scenario(user(), "kms:Decrypt", ONLY_ENDPOINT, ANYTHING, context={"aws:SourceIp": "192.0.2.7"}),
        layer="key-policy",
        sid="Restrict usage to my VPC endpoint",
    ),
    allowed(
        "example-around-endpoint-for-management",
        "iam-via-key-policy",
        "the deny is about use of the key only",
        _VPC,
        scenario(user(), "kms:DisableKey", ONLY_ENDPOINT, ANYTHING, context={"aws:SourceIp": "192.0.2.7"}),
    ),
    denied(
        "example-service-cannot-use-endpoint-key",
        "explicit-deny",
        "calls of an integrated service on the user's behalf might fail",
        _VPC,
        scenario(
            user(), "kms:Decrypt", ONLY_ENDPOINT, ANYTHING, context={"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
        ),
        layer="key-policy",
    ),
    allowed(
        "example-use-from-its-vpc",
        "iam-via-key-policy",
        "cryptographic operations from vpc-2b2b2b2b",
        _VPC,
        scenario(user(), "kms:Encrypt", TWO_VPCS, ANYTHING, context={"aws:SourceVpc": "vpc-2b2b2b2b"}),
    ),
    denied(
        "example-manage-from-the-other-vpc",
        "no-iam-delegation",
        "management only from vpc-12345678",
        _VPC,
        scenario(user(), "kms:DisableKey", TWO_VPCS, ANYTHING, context={"aws:SourceVpc": "vpc-2b2b2b2b"}),
    ),
    allowed(
        "example-view-from-everywhere",
        "iam-via-key-policy",
        "read actions from everywhere",
        _VPC,
        scenario(user(), "kms:DescribeKey", TWO_VPCS, ANYTHING),
    ),
    allowed(
        "example-from-office",
        "iam-via-key-policy",
        "a call from the company's addresses",
        guide("AWS: Denies access to AWS based on the source IP", "IAM User Guide"),
        through_iam(user(), "kms:Decrypt", ANYTHING, FROM_OFFICE, context={"aws:SourceIp": "203.0.113.9"}),
    ),
    denied(
        "example-from-elsewhere",
        "explicit-deny",
        "a call from any other address",
        guide("AWS: Denies access to AWS based on the source IP", "IAM User Guide"),
        through_iam(user(), "kms:Decrypt", ANYTHING, FROM_OFFICE, context={"aws:SourceIp": "198.51.100.4"}),
        layer="identity-policy",
        sid="OfficeOnly",
    ),
    allowed(
        "example-principal-arn",
        "iam-via-key-policy",
        "aws:PrincipalArn allows only the principal that the ARN represents: of a session, its role",
        _SOURCE_IP,
        through_iam(
            role("App"),
            "kms:Decrypt",
            policy(allow("kms:Decrypt", Condition=equals(aws__PrincipalArn=role_arn("App")))),
            context={"aws:PrincipalArn": role_arn("App")},
        ),
    ),
    denied(
        "example-ec2-attaches-volume-for-office",
        "explicit-deny",
        "EC2 decrypts the volume's data key from its own address, so the attachment fails",
        _SOURCE_IP,
        through_iam(
            user(),
            "kms:Decrypt",
            ANYTHING,
            FROM_OFFICE,
            context={"aws:SourceIp": "198.51.100.4", "kms:ViaService": f"ec2.{REGION}.amazonaws.com"},
        ),
        layer="identity-policy",
        sid="OfficeOnly",
    ),
]

# -------------------------------------------------------------------------------------------- services as principals

TRAIL = f"arn:aws:cloudtrail:{REGION}:{HOME}:trail/finance"
CLOUDTRAIL = policy(
    allow("kms:*", ACCOUNT),
    allow(
        "kms:GenerateDataKey*",
        {"Service": "cloudtrail.amazonaws.com"},
        KEY,
        Sid="Allow CloudTrail to encrypt logs",
        Condition={
            "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": [f"arn:aws:cloudtrail:*:{HOME}:trail/*"]},
            "StringEquals": {"aws:SourceArn": TRAIL},
        },
    ),
    allow(
        "kms:Decrypt",
        f"arn:aws:iam::{HOME}:user/Bob",
        KEY,
        Sid="Enable CloudTrail log decrypt permissions",
        Condition={"Null": {"kms:EncryptionContext:aws:cloudtrail:arn": "false"}},
    ),
    allow(
        "kms:Decrypt",
        [OTHER_ACCOUNT],
        KEY,
        Sid="Enable encrypted CloudTrail log read access",
        Condition={"Null": {"kms:EncryptionContext:aws:cloudtrail:arn": "false"}},
    ),
    allow("kms:DescribeKey", {"Service": "cloudtrail.amazonaws.com"}, KEY, Condition=equals(aws__SourceArn=TRAIL)),
)
_CLOUDTRAIL = guide("Configure AWS KMS key policies for CloudTrail", "CloudTrail User Guide")
CLOUDTRAIL_SERVICE = service("cloudtrail.amazonaws.com")
LOGS_CONTEXT = {"aws:cloudtrail:arn": TRAIL}

FINANCE_TRAIL = policy(
    allow(
        "kms:GenerateDataKey",
        {"Service": "cloudtrail.amazonaws.com"},
        Condition={
            "ArnEquals": {"aws:SourceArn": [TRAIL]},
            "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": [f"arn:aws:cloudtrail:*:{HOME}:trail/*"]},
        },
    )
)
_LEAST = guide("Permissions for AWS services in key policies")
TRACKER = by_name(
    role_arn("LocationTeam"),
    "kms:CreateGrant",
    {
        "StringEquals": {
            "kms:ViaService": f"geo.{REGION}.amazonaws.com",
            "kms:CallerAccount": HOME,
            "kms:EncryptionContext:aws:geo:arn": f"arn:aws:geo:{REGION}:{HOME}:tracker/SAMPLE-Tracker",
        }
    },
)

LOGS = policy(
    allow("kms:*", ACCOUNT),
    allow(
        ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
        {"Service": f"logs.{REGION}.amazonaws.com"},
    ),
)
ONE_LOG_GROUP = policy(
    allow("kms:*", ACCOUNT),
    allow(
        ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
        {"Service": f"logs.{REGION}.amazonaws.com"},
        Condition={
            "ArnEquals": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{REGION}:{HOME}:log-group:orders"}
        },
    ),
)
_LOGS = guide("Encrypt log data in CloudWatch Logs using AWS KMS", "CloudWatch Logs User Guide")
SNS = policy(
    allow("kms:*", ACCOUNT),
    allow(
        ["kms:Decrypt", "kms:GenerateDataKey*"],
        {"Service": "sns.amazonaws.com"},
        Sid="Allow Amazon SNS to use this key",
    ),
)
_SNS = guide("Enabling SSE for a topic with an encrypted SQS queue subscribed", "SNS Developer Guide")
EVENTS = policy(
    allow("kms:*", ACCOUNT), allow(["kms:GenerateDataKey", "kms:Decrypt"], {"Service": "events.amazonaws.com"})
)
PRODUCER = policy(
    allow(["kms:GenerateDataKey", "kms:Decrypt"], resource=KEY),
    allow("sqs:SendMessage", resource=f"arn:aws:sqs:*:{HOME}:MyQueue"),
)
CONSUMER = policy(
    allow("kms:Decrypt", resource=KEY), allow("sqs:ReceiveMessage", resource=f"arn:aws:sqs:*:{HOME}:MyQueue")
)
_SQS = guide("Key management", "SQS Developer Guide")
INVENTORY = policy(
    allow("kms:*", ACCOUNT),
    allow(
        ["kms:GenerateDataKey"],
        {"Service": "s3.amazonaws.com"},
        Sid="Allow Amazon S3 use of the KMS key",
        Condition={
            "StringEquals": {"aws:SourceAccount": HOME},
            "ArnLike": {"aws:SourceARN": "arn:aws:s3:::source-bucket"},
        },
    ),
)
_INVENTORY = guide("Configuring Amazon S3 Inventory", "S3 User Guide")
SECRETS = policy(
    allow(
        ["kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey"],
        "*",
        Sid="Allow access through AWS Secrets Manager for all principals in the account",
        Condition=equals(kms__ViaService=f"secretsmanager.{REGION}.amazonaws.com", kms__CallerAccount=HOME),
    ),
    allow(
        ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
        ACCOUNT,
        Sid="Allow direct access to key metadata to the account",
    ),
)
_SECRETS = guide("Secret encryption and decryption", "Secrets Manager User Guide")
THROUGH_SECRETS = {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com", "kms:CallerAccount": HOME}
NO_VARIABLES = policy(deny(["kms:Decrypt"], resource=KEY, Sid="VisualEditor0"))
_LAMBDA = guide("Using AWS Lambda environment variables", "Lambda Developer Guide")

SERVICES = [
    allowed(
        "example-cloudtrail-encrypts",
        "key-policy",
        "CloudTrail, for its trail, with its encryption context",
        _CLOUDTRAIL,
        scenario(
            CLOUDTRAIL_SERVICE,
            "kms:GenerateDataKey",
            CLOUDTRAIL,
            context={"aws:SourceArn": TRAIL},
            encryption_context=LOGS_CONTEXT,
        ),
        layer="key-policy",
        sid="Allow CloudTrail to encrypt logs",
    ),
    denied(
        "example-cloudtrail-for-other-trail",
        "implicit-deny",
        "aws:SourceArn ties the permission to one trail",
        _CLOUDTRAIL,
        scenario(
            CLOUDTRAIL_SERVICE,
            "kms:GenerateDataKey",
            CLOUDTRAIL,
            context={"aws:SourceArn": f"arn:aws:cloudtrail:{REGION}:{AWAY}:trail/theirs"},
            encryption_context={"aws:cloudtrail:arn": f"arn:aws:cloudtrail:{REGION}:{AWAY}:trail/theirs"},
        ),
    ),
    allowed(
        "example-cloudtrail-describes",
        "key-policy",
        "CloudTrail may describe the key",
        _CLOUDTRAIL,
        scenario(CLOUDTRAIL_SERVICE, "kms:DescribeKey", CLOUDTRAIL, context={"aws:SourceArn": TRAIL}),
    ),
    allowed(
        "example-bob-reads-logs",
        "key-policy",
        "Bob decrypts what CloudTrail encrypted: the context key is present",
        _CLOUDTRAIL,
        scenario(user("Bob"), "kms:Decrypt", CLOUDTRAIL, encryption_context=LOGS_CONTEXT),
    ),
    denied(
        "example-bob-reads-other-data",
        "implicit-deny",
        "Null false: nothing else is decrypted with that statement",
        _CLOUDTRAIL,
        scenario(user("Bob"), "kms:Decrypt", CLOUDTRAIL, encryption_context={"AppName": "ExampleApp"}),
    ),
    allowed(
        "example-alice-reads-logs-from-other-account",
        "cross-account",
        "Alice's account is named in the key policy, and her identity policy names the key",
        _CLOUDTRAIL,
        scenario(
            user("Alice", AWAY),
            "kms:Decrypt",
            CLOUDTRAIL,
            policy(allow("kms:Decrypt", resource=KEY)),
            encryption_context=LOGS_CONTEXT,
        ),
    ),
    denied(
        "example-alice-without-identity-policy",
        "cross-account-no-iam-policy",
        "without the identity policy Alice cannot",
        _CLOUDTRAIL,
        scenario(user("Alice", AWAY), "kms:Decrypt", CLOUDTRAIL, encryption_context=LOGS_CONTEXT),
    ),
    allowed(
        "example-finance-trail",
        "key-policy",
        "both conditions hold for the finance trail",
        _LEAST,
        scenario(
            CLOUDTRAIL_SERVICE,
            "kms:GenerateDataKey",
            FINANCE_TRAIL,
            context={"aws:SourceArn": TRAIL},
            encryption_context=LOGS_CONTEXT,
        ),
    ),
    denied(
        "example-finance-trail-without-context",
        "implicit-deny",
        "any request must satisfy both",
        _LEAST,
        scenario(CLOUDTRAIL_SERVICE, "kms:GenerateDataKey", FINANCE_TRAIL, context={"aws:SourceArn": TRAIL}),
    ),
    allowed(
        "example-location-tracker",
        "key-policy",
        "Amazon Location creates grants for one tracker, on behalf of the team",
        _LEAST,
        scenario(
            role("LocationTeam"),
            "kms:CreateGrant",
            TRACKER,
            context={"kms:ViaService": f"geo.{REGION}.amazonaws.com", "kms:CallerAccount": HOME},
            encryption_context={"aws:geo:arn": f"arn:aws:geo:{REGION}:{HOME}:tracker/SAMPLE-Tracker"},
        ),
    ),
    denied(
        "example-location-other-tracker",
        "implicit-deny",
        "another tracker has another encryption context",
        _LEAST,
        scenario(
            role("LocationTeam"),
            "kms:CreateGrant",
            TRACKER,
            context={"kms:ViaService": f"geo.{REGION}.amazonaws.com", "kms:CallerAccount": HOME},
            encryption_context={"aws:geo:arn": f"arn:aws:geo:{REGION}:{HOME}:tracker/Another"},
        ),
    ),
    denied(
        "example-context-condition-on-describe",
        "implicit-deny",
        "encryption-context conditions on other operations, such as DescribeKey, mean that permission is denied",
        _LEAST,
        scenario(
            EXAMPLE,
            "kms:DescribeKey",
            by_name(EXAMPLE_USER, "kms:DescribeKey", {"StringEquals": {"kms:EncryptionContext:AppName": "ExampleApp"}}),
        ),
    ),
    allowed(
        "example-logs-of-the-region",
        "key-policy",
        "the service principal of the key's Region",
        _LOGS,
        scenario(service(f"logs.{REGION}.amazonaws.com"), "kms:GenerateDataKey", LOGS),
    ),
    denied(
        "example-logs-of-another-region",
        "implicit-deny",
        "the service principal must be of the key's Region",
        _LOGS,
        scenario(service("logs.us-east-1.amazonaws.com"), "kms:GenerateDataKey", LOGS),
    ),
    allowed(
        "example-one-log-group",
        "key-policy",
        "the encryption context names the log group",
        _LOGS,
        scenario(
            service(f"logs.{REGION}.amazonaws.com"),
            "kms:Encrypt",
            ONE_LOG_GROUP,
            encryption_context={"aws:logs:arn": f"arn:aws:logs:{REGION}:{HOME}:log-group:orders"},
        ),
    ),
    denied(
        "example-another-log-group",
        "implicit-deny",
        "the key is restricted to one log group",
        _LOGS,
        scenario(
            service(f"logs.{REGION}.amazonaws.com"),
            "kms:Encrypt",
            ONE_LOG_GROUP,
            encryption_context={"aws:logs:arn": f"arn:aws:logs:{REGION}:{HOME}:log-group:payments"},
        ),
    ),
    allowed(
        "example-sns-to-encrypted-queue",
        "key-policy",
        "SNS needs GenerateDataKey and Decrypt on the queue's key",
        _SNS,
        scenario(service("sns.amazonaws.com"), "kms:GenerateDataKey", SNS),
    ),
    denied(
        "example-sns-without-statement",
        "implicit-deny",
        "without the statement SNS cannot deliver to the encrypted queue",
        _SNS,
        scenario(service("sns.amazonaws.com"), "kms:GenerateDataKey"),
    ),
    denied(
        "example-sns-does-not-encrypt",
        "implicit-deny",
        "the statement gives SNS two actions, not Encrypt",
        _SNS,
        scenario(service("sns.amazonaws.com"), "kms:Encrypt", SNS),
    ),
    allowed(
        "example-event-source-to-queue",
        "key-policy",
        "an event source that sends to an encrypted queue",
        _SQS,
        scenario(service("events.amazonaws.com"), "kms:Decrypt", EVENTS),
    ),
    allowed(
        "example-queue-producer",
        "iam-via-key-policy",
        "a producer needs GenerateDataKey and Decrypt",
        _SQS,
        through_iam(user("producer"), "kms:GenerateDataKey", PRODUCER),
    ),
    denied(
        "example-queue-consumer-makes-no-data-keys",
        "implicit-deny",
        "a consumer needs, and has, Decrypt only",
        _SQS,
        through_iam(user("consumer"), "kms:GenerateDataKey", CONSUMER),
    ),
    allowed(
        "example-inventory",
        "key-policy",
        "S3 encrypts the inventory of the source bucket",
        _INVENTORY,
        scenario(
            service("s3.amazonaws.com"),
            "kms:GenerateDataKey",
            INVENTORY,
            context={"aws:SourceAccount": HOME, "aws:SourceArn": "arn:aws:s3:::source-bucket"},
        ),
    ),
    denied(
        "example-inventory-of-another-account",
        "implicit-deny",
        "a bucket of another account is another source",
        _INVENTORY,
        scenario(
            service("s3.amazonaws.com"),
            "kms:GenerateDataKey",
            INVENTORY,
            context={"aws:SourceAccount": AWAY, "aws:SourceArn": "arn:aws:s3:::source-bucket"},
        ),
    ),
    allowed(
        "example-secret-through-secrets-manager",
        "key-policy",
        "every user of the account, when Secrets Manager asks on their behalf",
        _SECRETS,
        scenario(
            user(),
            "kms:Decrypt",
            SECRETS,
            key={"manager": "AWS"},
            context=THROUGH_SECRETS,
            encryption_context={
                "SecretARN": f"arn:aws:secretsmanager:{REGION}:{HOME}:secret:test-secret-a1b2c3",
                "SecretVersionId": "EXAMPLE1-90ab-cdef-fedc-ba987SECRET1",
            },
        ),
    ),
    denied(
        "example-secret-key-directly",
        "no-iam-delegation",
        "the key policy does not allow any user to use the key directly",
        _SECRETS,
        scenario(user(), "kms:Decrypt", SECRETS, ANYTHING, key={"manager": "AWS"}, context={"kms:CallerAccount": HOME}),
    ),
    allowed(
        "example-secret-key-metadata",
        "iam-via-key-policy",
        "the account may let users view the key's properties",
        _SECRETS,
        scenario(
            user(), "kms:DescribeKey", SECRETS, ANYTHING, key={"manager": "AWS"}, context={"kms:CallerAccount": HOME}
        ),
    ),
    denied(
        "example-lambda-variables-hidden",
        "explicit-deny",
        "a deny by key ARN keeps a key user from viewing the variables",
        _LAMBDA,
        scenario(
            EXAMPLE, "kms:Decrypt", CONSOLE, NO_VARIABLES, context={"kms:ViaService": f"lambda.{REGION}.amazonaws.com"}
        ),
        layer="identity-policy",
        sid="VisualEditor0",
    ),
    allowed(
        "example-lambda-creates-grant",
        "key-policy",
        "Lambda uses a key user's permissions to create a grant on the key",
        _LAMBDA,
        scenario(
            EXAMPLE,
            "kms:CreateGrant",
            CONSOLE,
            context={"kms:GrantIsForAWSResource": "true", "kms:ViaService": f"lambda.{REGION}.amazonaws.com"},
        ),
    ),
]

# --------------------------------------------------------------------------------------------------- organizations

ORG = "o-1234567890"
IDENTITY_PERIMETER = policy(
    deny(
        "kms:*",
        "*",
        Sid="RCPEnforceIdentityPerimeter",
        Condition={
            "StringNotEqualsIfExists": {"aws:PrincipalOrgID": ORG},
            "Bool": {"aws:PrincipalIsAWSService": "false"},
        },
    )
)
NO_DEPUTY = policy(
    deny(
        "kms:*",
        "*",
        Sid="RCPEnforceConfusedDeputyProtection",
        Condition={
            "StringNotEqualsIfExists": {"aws:SourceOrgID": ORG},
            "Bool": {"aws:PrincipalIsAWSService": "true"},
            "Null": {"aws:SourceAccount": "false"},
        },
    )
)
PARTNER = "333333333333"
NO_DEPUTY_BUT_PARTNER = policy(
    deny(
        ["s3:*", "sqs:*", "kms:*", "secretsmanager:*", "sts:*"],
        "*",
        Sid="EnforceConfusedDeputyProtection",
        Condition={
            "StringNotEqualsIfExists": {"aws:SourceOrgID": ORG, "aws:SourceAccount": [PARTNER]},
            "Bool": {"aws:PrincipalIsAWSService": "true"},
            "Null": {"aws:SourceArn": "false"},
        },
    )
)
ONLY_TLS = policy(
    deny(
        ["sts:*", "s3:*", "sqs:*", "secretsmanager:*", "kms:*"],
        "*",
        Sid="EnforceSecureTransport",
        Condition={"BoolIfExists": {"aws:SecureTransport": "false"}},
    )
)
EU_ONLY = policy(
    deny(
        None,
        resource="*",
        NotAction=["cloudfront:*", "iam:*", "organizations:*", "route53:*", "sts:*", "support:*"],
        Sid="DenyAllOutsideEU",
        Condition={
            "StringNotEquals": {"aws:RequestedRegion": ["eu-central-1", "eu-west-1"]},
            "ArnNotLike": {"aws:PrincipalARN": ["arn:aws:iam::*:role/Role1AllowedToBypassThisSCP"]},
        },
    )
)
EU_ONLY_BUT_KMS = policy(
    deny(
        None,
        NotAction=["cloudfront:*", "iam:*", "kms:*", "organizations:*", "route53:*", "sts:*", "support:*"],
        Sid="DenyAllOutsideEU",
        Condition={"StringNotEquals": {"aws:RequestedRegion": ["eu-central-1", "eu-west-1"]}},
    )
)
NO_ROOT = policy(
    deny("kms:*", Sid="RestrictKMSForRoot", Condition={"StringLike": {"aws:PrincipalArn": ["arn:aws:iam::*:root"]}})
)
PRIVILEGED_DELETION = policy(
    deny(
        ["kms:ScheduleKeyDeletion", "kms:DeleteAlias", "kms:DeleteCustomKeyStore", "kms:DeleteImportedKeyMaterial"],
        Sid="DenyKeyDeletion",
        Condition={"ArnNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{HOME}:role/KeyCustodian"}},
    )
)
THIRTY_DAYS = policy(
    deny(
        "kms:ScheduleKeyDeletion",
        Sid="ThirtyDays",
        Condition={"NumericLessThan": {"kms:ScheduleKeyDeletionPendingWindowInDays": "30"}},
    )
)
_RCP = guide("Resource control policies in AWS KMS")
_RCP_EXAMPLES = guide("Resource control policy examples", "Organizations User Guide")
_SCP_EXAMPLES = guide("Service control policy examples, general", "Organizations User Guide")
_SCP_SAMPLES = "aws-samples/service-control-policy-examples, Protect cloud platform resources"
US_KEY = KEY.replace(REGION, "us-east-1")


def guarded(*policies: Document) -> list[list[Document]]:
    """SCPs: full access at the root, the policies beside it one level below."""
    return [[FULL_ACCESS], [FULL_ACCESS, *policies]]


ORGANIZATION = [
    denied(
        "example-rcp-outsider",
        "explicit-deny",
        "an external principal, whatever key policy and identity policy allow",
        _RCP,
        scenario(
            user("erin", AWAY),
            "kms:Decrypt",
            SHARED,
            USE_OF_KEY,
            context={"aws:PrincipalOrgID": "o-0987654321", "aws:PrincipalIsAWSService": "false"},
            rcps=[[IDENTITY_PERIMETER]],
        ),
        layer="rcp",
        sid="RCPEnforceIdentityPerimeter",
    ),
    allowed(
        "example-rcp-colleague",
        "cross-account",
        "a principal of the organization",
        _RCP,
        scenario(
            user("erin", AWAY),
            "kms:Decrypt",
            SHARED,
            USE_OF_KEY,
            context={"aws:PrincipalOrgID": ORG, "aws:PrincipalIsAWSService": "false"},
            rcps=[[IDENTITY_PERIMETER]],
        ),
    ),
    denied(
        "example-rcp-account-without-organization",
        "explicit-deny",
        "an account outside every organization has no aws:PrincipalOrgID: IfExists is met",
        _RCP,
        scenario(
            user("erin", AWAY),
            "kms:Decrypt",
            SHARED,
            USE_OF_KEY,
            context={"aws:PrincipalIsAWSService": "false"},
            rcps=[[IDENTITY_PERIMETER]],
        ),
        layer="rcp",
    ),
    allowed(
        "example-rcp-spares-services",
        "key-policy",
        "a service principal is exempt from the identity perimeter",
        _RCP,
        scenario(
            service("sns.amazonaws.com"),
            "kms:Decrypt",
            SNS,
            context={"aws:PrincipalIsAWSService": "true"},
            rcps=[[IDENTITY_PERIMETER]],
        ),
    ),
    allowed(
        "example-rcp-spares-aws-managed-keys",
        "key-policy",
        "RCPs do not apply to AWS managed keys",
        _RCP,
        scenario(
            user(),
            "kms:Decrypt",
            SECRETS,
            key={"manager": "AWS"},
            context={**THROUGH_SECRETS, "aws:PrincipalIsAWSService": "false", "aws:PrincipalOrgID": "o-0987654321"},
            rcps=[[IDENTITY_PERIMETER]],
        ),
    ),
    allowed(
        "example-rcp-does-not-reach-retire-grant",
        "grant",
        "kms:RetireGrant is not effective in an RCP, not even by *",
        _RCP,
        scenario(
            user("erin", AWAY),
            "kms:RetireGrant",
            context={"aws:PrincipalOrgID": "o-0987654321", "aws:PrincipalIsAWSService": "false"},
            grants=[
                grant(
                    f"arn:aws:iam::{HOME}:user/appUser", "Decrypt", retiring_principal=f"arn:aws:iam::{AWAY}:user/erin"
                )
            ],
            rcps=[[IDENTITY_PERIMETER]],
        ),
    ),
    denied(
        "example-rcp-deputy-of-outsider",
        "explicit-deny",
        "a service acting for a resource outside the organization",
        _RCP,
        scenario(
            service("sns.amazonaws.com"),
            "kms:Decrypt",
            SNS,
            context={
                "aws:PrincipalIsAWSService": "true",
                "aws:SourceOrgID": "o-0987654321",
                "aws:SourceAccount": AWAY,
            },
            rcps=[[NO_DEPUTY]],
        ),
        layer="rcp",
        sid="RCPEnforceConfusedDeputyProtection",
    ),
    allowed(
        "example-rcp-deputy-of-colleague",
        "key-policy",
        "the same for a resource of the organization",
        _RCP,
        scenario(
            service("sns.amazonaws.com"),
            "kms:Decrypt",
            SNS,
            context={"aws:PrincipalIsAWSService": "true", "aws:SourceOrgID": ORG, "aws:SourceAccount": HOME},
            rcps=[[NO_DEPUTY]],
        ),
    ),
    allowed(
        "example-rcp-deputy-without-source-account",
        "key-policy",
        "integrations that do not use aws:SourceAccount are not affected",
        _RCP,
        scenario(
            service("sns.amazonaws.com"),
            "kms:Decrypt",
            SNS,
            context={"aws:PrincipalIsAWSService": "true"},
            rcps=[[NO_DEPUTY]],
        ),
    ),
    allowed(
        "example-rcp-deputy-of-partner",
        "key-policy",
        "a trusted third-party account is listed by aws:SourceAccount",
        _RCP_EXAMPLES,
        scenario(
            service("sns.amazonaws.com"),
            "kms:Decrypt",
            SNS,
            context={
                "aws:PrincipalIsAWSService": "true",
                "aws:SourceArn": f"arn:aws:sns:{REGION}:{PARTNER}:topic",
                "aws:SourceAccount": PARTNER,
                "aws:SourceOrgID": "o-0987654321",
            },
            rcps=[[NO_DEPUTY_BUT_PARTNER]],
        ),
    ),
    denied(
        "example-rcp-deputy-of-stranger",
        "explicit-deny",
        "neither the organization nor the listed account",
        _RCP_EXAMPLES,
        scenario(
            service("sns.amazonaws.com"),
            "kms:Decrypt",
            SNS,
            context={
                "aws:PrincipalIsAWSService": "true",
                "aws:SourceArn": f"arn:aws:sns:{REGION}:{AWAY}:topic",
                "aws:SourceAccount": AWAY,
                "aws:SourceOrgID": "o-0987654321",
            },
            rcps=[[NO_DEPUTY_BUT_PARTNER]],
        ),
        layer="rcp",
    ),
    denied(
        "example-rcp-plain-http",
        "explicit-deny",
        "all access must be over TLS",
        _RCP_EXAMPLES,
        through_iam(user(), "kms:Decrypt", ANYTHING, context={"aws:SecureTransport": "false"}, rcps=[[ONLY_TLS]]),
        layer="rcp",
        sid="EnforceSecureTransport",
    ),
    allowed(
        "example-rcp-tls",
        "iam-via-key-policy",
        "over TLS",
        _RCP_EXAMPLES,
        through_iam(user(), "kms:Decrypt", ANYTHING, context={"aws:SecureTransport": "true"}, rcps=[[ONLY_TLS]]),
    ),
    denied(
        "example-scp-outside-eu",
        "explicit-deny",
        "an operation that targets another Region",
        _SCP_EXAMPLES,
        through_iam(
            user(),
            "kms:Decrypt",
            ANYTHING,
            resource=US_KEY,
            context={"aws:RequestedRegion": "us-east-1", "aws:PrincipalArn": user()["arn"]},
            scps=guarded(EU_ONLY),
        ),
        layer="scp",
        sid="DenyAllOutsideEU",
    ),
    allowed(
        "example-scp-in-eu",
        "iam-via-key-policy",
        "an approved Region",
        _SCP_EXAMPLES,
        through_iam(
            user(),
            "kms:Decrypt",
            ANYTHING,
            context={"aws:RequestedRegion": REGION, "aws:PrincipalArn": user()["arn"]},
            scps=guarded(EU_ONLY),
        ),
    ),
    allowed(
        "example-scp-outside-eu-bypass-role",
        "iam-via-key-policy",
        "requests by an administrator role are exempt",
        _SCP_EXAMPLES,
        through_iam(
            role("Role1AllowedToBypassThisSCP"),
            "kms:Decrypt",
            ANYTHING,
            resource=US_KEY,
            context={"aws:RequestedRegion": "us-east-1", "aws:PrincipalArn": role_arn("Role1AllowedToBypassThisSCP")},
            scps=guarded(EU_ONLY),
        ),
    ),
    allowed(
        "example-scp-outside-eu-exempt-service",
        "iam-via-key-policy",
        "kms:* in NotAction exempts KMS, as a global service such as CloudFront may need",
        _SCP_EXAMPLES,
        through_iam(
            user(),
            "kms:Decrypt",
            ANYTHING,
            resource=US_KEY,
            context={"aws:RequestedRegion": "us-east-1"},
            scps=guarded(EU_ONLY_BUT_KMS),
        ),
    ),
    denied(
        "example-scp-root-user",
        "explicit-deny",
        "the root user of a member account, with KMS in the place of EC2",
        _SCP_EXAMPLES,
        scenario(root(), "kms:Decrypt", context={"aws:PrincipalArn": ACCOUNT}, scps=guarded(NO_ROOT)),
        layer="scp",
        sid="RestrictKMSForRoot",
    ),
    allowed(
        "example-scp-root-user-spares-users",
        "iam-via-key-policy",
        "a user is not the root user",
        _SCP_EXAMPLES,
        through_iam(
            user(), "kms:Decrypt", ANYTHING, context={"aws:PrincipalArn": user()["arn"]}, scps=guarded(NO_ROOT)
        ),
    ),
    denied(
        "example-scp-key-deletion",
        "explicit-deny",
        "key deletion except by a privileged role",
        _SCP_SAMPLES,
        scenario(
            ADMIN,
            "kms:ScheduleKeyDeletion",
            CONSOLE,
            context={"aws:PrincipalArn": ADMIN["arn"]},
            scps=guarded(PRIVILEGED_DELETION),
        ),
        layer="scp",
        sid="DenyKeyDeletion",
    ),
    allowed(
        "example-scp-key-deletion-privileged-role",
        "iam-via-key-policy",
        "by that role",
        _SCP_SAMPLES,
        through_iam(
            role("KeyCustodian"),
            "kms:ScheduleKeyDeletion",
            ANYTHING,
            context={"aws:PrincipalArn": role_arn("KeyCustodian")},
            scps=guarded(PRIVILEGED_DELETION),
        ),
    ),
    denied(
        "example-scp-seven-days",
        "explicit-deny",
        "a waiting period under 30 days",
        _SCP_SAMPLES,
        through_iam(
            user(),
            "kms:ScheduleKeyDeletion",
            ANYTHING,
            context={"kms:ScheduleKeyDeletionPendingWindowInDays": "7"},
            scps=guarded(THIRTY_DAYS),
        ),
        layer="scp",
        sid="ThirtyDays",
    ),
    allowed(
        "example-scp-thirty-days",
        "iam-via-key-policy",
        "30 days",
        _SCP_SAMPLES,
        through_iam(
            user(),
            "kms:ScheduleKeyDeletion",
            ANYTHING,
            context={"kms:ScheduleKeyDeletionPendingWindowInDays": "30"},
            scps=guarded(THIRTY_DAYS),
        ),
    ),
]

CASES: list[Case] = [
    *DEFAULT_KEY_POLICY,
    *CUSTOMER_MANAGED_POLICIES,
    *SPECIFYING_KEYS,
    *OTHER_ACCOUNTS,
    *REQUEST_CONDITIONS,
    *ENCRYPTION_CONTEXT,
    *GRANT_EXAMPLES,
    *ABOUT_THE_KEY,
    *MULTI_REGION,
    *NETWORK,
    *SERVICES,
    *ORGANIZATION,
]
