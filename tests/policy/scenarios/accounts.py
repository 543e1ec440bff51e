"""Between accounts: both halves, operations that never cross, grants, replicas, services that act for customers."""

from build import (
    ALIAS,
    AWAY,
    DELEGATES,
    HOME,
    KEY,
    allow,
    allowed,
    denied,
    deny,
    federated,
    grant,
    policy,
    role,
    root,
    scenario,
    service,
    user,
)

EXTERNAL = "KMS Developer Guide, Allowing users in other accounts to use a KMS key"
KEY_HALF = "KMS Developer Guide, Allowing users in other accounts to use a KMS key: Step 1"
IAM_HALF = "KMS Developer Guide, Allowing users in other accounts to use a KMS key: Step 2"
TROUBLE = "KMS Developer Guide, Troubleshooting key access: Example 2"
TABLE = "KMS Developer Guide, AWS KMS permissions: Cross-account use"
BEST = "KMS Developer Guide, Best practices for IAM policies: Avoid Resource *"
CROSS = "IAM User Guide, Cross-account policy evaluation logic"
ROOT = "IAM User Guide, AWS JSON policy elements: Principal, AWS account principals (unverified)"
GRANTS = "KMS Developer Guide, Allowing users in other accounts to use a KMS key: Step 2 (or use grants)"
MRK = "KMS Developer Guide, Controlling access to multi-Region keys: Authorization basics"
DEPUTY = "IAM User Guide, The confused deputy problem: Cross-service confused deputy prevention"
CALLER = "KMS Developer Guide, AWS KMS condition keys: kms:CallerAccount"

EVE = user("eve", AWAY)
EVE_ARN = f"arn:aws:iam::{AWAY}:user/eve"
APP = role("App", account=AWAY)
APP_ARN = f"arn:aws:iam::{AWAY}:role/App"
JOB_ARN = f"arn:aws:sts::{AWAY}:assumed-role/App/job"
AWAY_ROOT = f"arn:aws:iam::{AWAY}:root"

USE = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
NAMES_EVE = policy(allow("kms:*", EVE_ARN, Sid="Eve"))
NAMES_AWAY = policy(allow("kms:*", f"arn:aws:iam::{HOME}:root"), allow("kms:*", AWAY_ROOT, Sid="Away"))
IAM_KEY = policy(allow("kms:*", resource=KEY))
IAM_SILENT = policy(allow("s3:*"))


def ask(caller, key_policy, *identity_policies, action="kms:Decrypt", **more):
    return scenario(caller, action, key_policy, *identity_policies, **more)


BOTH_HALVES = [
    allowed(
        "away-account-named-and-iam",
        "cross-account",
        "the key policy allows the account, and the account's IAM policy allows the user",
        TROUBLE,
        ask(EVE, NAMES_AWAY, IAM_KEY),
    ),
    denied(
        "away-account-named-iam-silent",
        "cross-account-no-iam-policy",
        "nobody in the other account can use the key until an IAM policy there allows it",
        TROUBLE,
        ask(EVE, NAMES_AWAY, IAM_SILENT),
    ),
    denied(
        "away-account-named-no-iam-at-all",
        "cross-account-no-iam-policy",
        "naming the account is half of it; the user has no identity policy",
        IAM_HALF,
        ask(EVE, NAMES_AWAY),
    ),
    denied(
        "away-iam-alone",
        "cross-account-no-key-policy",
        "the IAM policy is effective only when the key policy allows the account or the user",
        TROUBLE,
        ask(EVE, DELEGATES, IAM_KEY),
    ),
    denied(
        "away-neither-half",
        "cross-account-no-key-policy",
        "neither the key policy nor an IAM policy allows",
        CROSS,
        ask(EVE, DELEGATES),
    ),
    denied(
        "away-user-named-no-iam",
        "cross-account-no-iam-policy",
        "even a user whom the key policy names needs an IAM policy in the other account",
        KEY_HALF,
        ask(EVE, NAMES_EVE),
    ),
    allowed(
        "away-user-named-and-iam",
        "cross-account",
        "the key policy names the user, and an IAM policy allows",
        KEY_HALF,
        ask(EVE, NAMES_EVE, IAM_KEY),
    ),
    denied(
        "away-another-user-named",
        "cross-account-no-key-policy",
        "an IAM policy for others than those the key policy names has no effect",
        IAM_HALF,
        ask(user("mallory", AWAY), NAMES_EVE, IAM_KEY),
    ),
    allowed(
        "away-role-named-and-iam",
        "cross-account",
        "the key policy names the role, and the role's IAM policy allows",
        KEY_HALF,
        ask(APP, policy(allow("kms:*", APP_ARN)), IAM_KEY),
    ),
    denied(
        "away-role-named-no-iam",
        "cross-account-no-iam-policy",
        "a role named by another account's key policy still needs its own IAM policy",
        KEY_HALF,
        ask(APP, policy(allow("kms:*", APP_ARN))),
    ),
    denied(
        "away-session-named-no-iam",
        "cross-account-no-iam-policy",
        "naming the session spares it an IAM policy inside one account only",
        CROSS,
        ask(APP, policy(allow("kms:*", JOB_ARN))),
    ),
    allowed(
        "away-session-named-and-iam",
        "cross-account",
        "the key policy names the session, and the role's IAM policy allows",
        CROSS,
        ask(APP, policy(allow("kms:*", JOB_ARN)), IAM_KEY),
    ),
    denied(
        "away-role-of-the-same-name-at-home-named",
        "cross-account-no-key-policy",
        "the key policy names the role App of its own account",
        KEY_HALF,
        ask(APP, policy(allow("kms:*", f"arn:aws:iam::{HOME}:role/App")), IAM_KEY),
    ),
    allowed(
        "away-account-digits-and-iam",
        "cross-account",
        "the other account may be named by its digits",
        "IAM User Guide, AWS JSON policy elements: Principal, AWS account principals",
        ask(EVE, policy(allow("kms:*", AWAY)), IAM_KEY),
    ),
    allowed(
        "away-everyone-and-iam",
        "cross-account",
        "an asterisk opens the key to all accounts; their users need IAM permission there",
        "KMS Developer Guide, Creating a key policy: Elements in a key policy",
        ask(EVE, policy(allow("kms:*", "*")), IAM_KEY),
    ),
    denied(
        "away-everyone-no-iam",
        "cross-account-no-iam-policy",
        "an asterisk is the key policy's half only",
        "KMS Developer Guide, Creating a key policy: Elements in a key policy",
        ask(EVE, policy(allow("kms:*", "*"))),
    ),
    denied(
        "away-everyone-narrowed-to-home",
        "cross-account-no-key-policy",
        "kms:CallerAccount narrows the asterisk to the key's account",
        CALLER,
        ask(
            EVE,
            policy(allow("kms:*", "*", Condition={"StringEquals": {"kms:CallerAccount": HOME}})),
            IAM_KEY,
            context={"kms:CallerAccount": AWAY},
        ),
    ),
    denied(
        "away-key-policy-of-fewer-actions",
        "cross-account-no-key-policy",
        "an IAM policy's actions that the key policy lacks are not effective",
        IAM_HALF,
        ask(EVE, policy(allow(USE, AWAY_ROOT)), IAM_KEY, action="kms:CreateGrant"),
    ),
    allowed(
        "away-key-policy-of-these-actions",
        "cross-account",
        "Decrypt is among the actions that the key policy gives the account",
        IAM_HALF,
        ask(EVE, policy(allow(USE, AWAY_ROOT)), IAM_KEY),
    ),
    denied(
        "away-iam-of-fewer-actions",
        "cross-account-no-iam-policy",
        "the other account's administrators delegate Encrypt only",
        KEY_HALF,
        ask(EVE, NAMES_AWAY, policy(allow("kms:Encrypt", resource=KEY))),
    ),
    allowed(
        "away-iam-resource-star",
        "cross-account",
        "Resource * in an IAM policy reaches keys of other accounts",
        BEST,
        ask(EVE, NAMES_AWAY, policy(allow("kms:Decrypt"))),
    ),
    denied(
        "away-iam-resource-own-account",
        "cross-account-no-iam-policy",
        "the IAM policy covers the keys of the user's own account, and the key is another's",
        BEST,
        ask(EVE, NAMES_AWAY, policy(allow("kms:Decrypt", resource=f"arn:aws:kms:*:{AWAY}:key/*"))),
    ),
    denied(
        "away-iam-resource-alias",
        "cross-account-no-iam-policy",
        "the alias of the other account's key is no name for the key in Resource",
        "KMS Developer Guide, Best practices for IAM policies: Specify KMS keys in an IAM policy",
        ask(
            EVE, NAMES_AWAY, policy(allow("kms:Decrypt", resource=ALIAS)), context={"kms:RequestAlias": "alias/orders"}
        ),
    ),
    denied(
        "away-key-policy-denies",
        "explicit-deny",
        "a deny in the key policy holds against callers of other accounts",
        CROSS,
        ask(EVE, policy(allow("kms:*", AWAY_ROOT), deny("kms:Decrypt", EVE_ARN, Sid="NotEve")), IAM_KEY),
        layer="key-policy",
        sid="NotEve",
    ),
    denied(
        "away-key-policy-denies-the-account",
        "explicit-deny",
        "a deny for the other account applies to all principals in it",
        "IAM User Guide, AWS JSON policy elements: Principal, AWS account principals",
        ask(EVE, policy(allow("kms:*", EVE_ARN), deny("kms:Decrypt", AWAY_ROOT)), IAM_KEY),
        layer="key-policy",
    ),
    denied(
        "away-iam-denies",
        "explicit-deny",
        "a deny in the caller's own account holds as well",
        CROSS,
        ask(EVE, NAMES_AWAY, IAM_KEY, policy(deny("kms:*", resource=f"arn:aws:kms:*:{HOME}:key/*", Sid="Foreign"))),
        layer="identity-policy",
        sid="Foreign",
    ),
    allowed(
        "away-federated-session-named-and-iam",
        "cross-account",
        "the key policy names the account; the session passes its user's permission on",
        CROSS,
        ask(federated("guest", "eve", AWAY), NAMES_AWAY, IAM_KEY, session_policy=policy(allow("kms:*"))),
    ),
    denied(
        "home-account-statement-is-not-for-away",
        "cross-account-no-key-policy",
        "the account statement delegates to IAM of the key's account, never of another",
        TROUBLE,
        ask(EVE, policy(allow("kms:*", HOME)), IAM_KEY),
    ),
]

ROOT_USERS = [
    allowed(
        "away-root-user-of-named-account",
        "cross-account",
        "the account principal includes that account's root user, who has no identity policies",
        ROOT,
        ask(root(AWAY), NAMES_AWAY),
    ),
    denied(
        "away-root-user-not-named",
        "cross-account-no-key-policy",
        "the root user of another account needs the key policy's half like anyone",
        CROSS,
        ask(root(AWAY), DELEGATES),
    ),
    denied(
        "away-root-user-of-named-user",
        "cross-account-no-key-policy",
        "a key policy that names one user of an account does not name its root user",
        ROOT,
        ask(root(AWAY), NAMES_EVE),
    ),
    denied(
        "away-root-user-denied",
        "explicit-deny",
        "a deny for the account reaches its root user",
        "IAM User Guide, AWS JSON policy elements: Principal, AWS account principals",
        ask(root(AWAY), policy(allow("kms:*", "*"), deny("kms:Decrypt", AWAY))),
        layer="key-policy",
    ),
    denied(
        "away-root-user-cannot-schedule-deletion",
        "not-cross-account",
        "ScheduleKeyDeletion does not cross accounts, for the root user neither",
        TABLE,
        ask(root(AWAY), NAMES_AWAY, action="kms:ScheduleKeyDeletion"),
    ),
]

#: what the permissions table marks "Yes" under cross-account use; RetireGrant has its own rules (see grants_cases)
CROSSES = (
    "Decapsulate",
    "Decrypt",
    "DeriveSharedSecret",
    "Encapsulate",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "ReEncryptFrom",
    "ReEncryptTo",
    "Sign",
    "Verify",
    "VerifyMac",
    "CreateGrant",
    "DescribeKey",
    "GetKeyRotationStatus",
    "GetPublicKey",
    "ListGrants",
    "RevokeGrant",
)
#: what the table marks "No"
STAYS = (
    "CancelKeyDeletion",
    "CreateAlias",
    "DeleteAlias",
    "DeleteImportedKeyMaterial",
    "DisableKey",
    "DisableKeyRotation",
    "EnableKey",
    "EnableKeyRotation",
    "GetKeyPolicy",
    "GetParametersForImport",
    "ImportKeyMaterial",
    "ListKeyPolicies",
    "ListKeyRotations",
    "ListResourceTags",
    "PutKeyPolicy",
    "ReplicateKey",
    "RotateKeyOnDemand",
    "ScheduleKeyDeletion",
    "TagResource",
    "UntagResource",
    "UpdateAlias",
    "UpdateKeyDescription",
    "UpdatePrimaryRegion",
)

THE_LIST = [
    *(
        allowed(
            f"away-{name.lower()}",
            "cross-account",
            f"{name} works across accounts, and both halves allow it",
            TABLE,
            ask(EVE, NAMES_AWAY, IAM_KEY, action=f"kms:{name}"),
        )
        for name in CROSSES
    ),
    *(
        denied(
            f"away-{name.lower()}-stays-at-home",
            "not-cross-account",
            f"{name} cannot be called on another account's key, whatever both policies say",
            TABLE,
            ask(EVE, NAMES_AWAY, IAM_KEY, action=f"kms:{name}"),
        )
        for name in STAYS
    ),
    allowed(
        "home-schedulekeydeletion",
        "iam-via-key-policy",
        "the twin at home: ScheduleKeyDeletion by a user of the key's account",
        TABLE,
        ask(user(), DELEGATES, IAM_KEY, action="kms:ScheduleKeyDeletion"),
    ),
    denied(
        "away-putkeypolicy-explicitly-denied",
        "explicit-deny",
        "an explicit deny is named before the account border",
        "IAM User Guide, Policy evaluation logic: The difference between explicit and implicit denies",
        ask(EVE, policy(allow("kms:*", AWAY), deny("kms:PutKeyPolicy", "*")), IAM_KEY, action="kms:PutKeyPolicy"),
        layer="key-policy",
    ),
    denied(
        "away-alias-of-another-account",
        "not-cross-account",
        "an alias belongs to its account; nobody else can create it there",
        "KMS API Reference, CreateAlias: Cross-account use",
        ask(EVE, None, policy(allow("kms:*")), action="kms:CreateAlias", resource=ALIAS),
    ),
]

ACROSS_BY_GRANT = [
    allowed(
        "away-grantee-user",
        "grant",
        "a grant to a user of another account is enough; neither half is needed",
        GRANTS,
        ask(EVE, DELEGATES, grants=[grant(EVE_ARN, "Decrypt")]),
        layer="grant",
    ),
    allowed(
        "away-grantee-role",
        "grant",
        "the sessions of another account's role act by the grant to the role",
        GRANTS,
        ask(APP, DELEGATES, grants=[grant(APP_ARN, "Decrypt")]),
    ),
    allowed(
        "away-grantee-account-and-iam",
        "grant",
        "the grantee is the account, and its IAM policy allows the user",
        GRANTS + " (unverified)",
        ask(EVE, DELEGATES, IAM_KEY, grants=[grant(AWAY_ROOT, "Decrypt")]),
    ),
    allowed(
        "away-grantee-account-root-user",
        "grant",
        "the grantee is the account, and its root user is the account",
        GRANTS + " (unverified)",
        ask(root(AWAY), DELEGATES, grants=[grant(AWAY_ROOT, "Decrypt")]),
    ),
    denied(
        "away-grantee-account-no-iam",
        "cross-account-no-key-policy",
        "a grant to the account serves a user only if IAM there allows it",
        GRANTS + " (unverified)",
        ask(EVE, DELEGATES, grants=[grant(AWAY_ROOT, "Decrypt")]),
    ),
    denied(
        "away-grantee-of-another-operation",
        "cross-account-no-key-policy",
        "the grant allows Encrypt, and Decrypt is asked",
        "KMS Developer Guide, Grants in AWS KMS: Grant operations",
        ask(EVE, DELEGATES, IAM_KEY, grants=[grant(EVE_ARN, "Encrypt")]),
    ),
    denied(
        "away-grantee-denied-by-iam",
        "explicit-deny",
        "the other account's deny holds against the grant",
        CROSS,
        ask(EVE, DELEGATES, policy(deny("kms:Decrypt")), grants=[grant(EVE_ARN, "Decrypt")]),
        layer="identity-policy",
    ),
    denied(
        "away-grantee-denied-by-key-policy",
        "explicit-deny",
        "the key policy's deny holds against the grant",
        "KMS Developer Guide, Troubleshooting key access",
        ask(EVE, policy(deny("kms:Decrypt", AWAY)), grants=[grant(EVE_ARN, "Decrypt")]),
        layer="key-policy",
    ),
    allowed(
        "away-both-halves-before-grant",
        "cross-account",
        "both halves allow, and a grant does too",
        CROSS,
        ask(EVE, NAMES_AWAY, IAM_KEY, grants=[grant(EVE_ARN, "Decrypt")]),
    ),
    denied(
        "away-grantee-fails-constraint",
        "grant-constraint",
        "the grant fits but for its encryption context, and the policies do not allow",
        "KMS Developer Guide, Creating grants: Using grant constraints",
        ask(
            EVE,
            DELEGATES,
            encryption_context={"Department": "Sales"},
            grants=[grant(EVE_ARN, "Decrypt", constraints={"EncryptionContextEquals": {"Department": "IT"}})],
        ),
    ),
]

MRK_ID = "mrk-1234abcd12ab34cd56ef1234567890ab"
PRIMARY, REPLICA = f"arn:aws:kms:eu-west-1:{HOME}:key/{MRK_ID}", f"arn:aws:kms:us-east-1:{HOME}:key/{MRK_ID}"

MULTI_REGION = [
    denied(
        "mrk-iam-names-the-primary-only",
        "implicit-deny",
        "the replica has another ARN: the Region is part of it",
        MRK,
        ask(user(), DELEGATES, policy(allow("kms:*", resource=PRIMARY)), resource=REPLICA),
    ),
    allowed(
        "mrk-iam-names-the-primary",
        "iam-via-key-policy",
        "the twin: the identity policy names the very key that is used",
        MRK,
        ask(user(), DELEGATES, policy(allow("kms:*", resource=PRIMARY)), resource=PRIMARY),
    ),
    allowed(
        "mrk-iam-any-region",
        "iam-via-key-policy",
        "an asterisk for the Region takes in all related multi-Region keys",
        MRK,
        ask(user(), DELEGATES, policy(allow("kms:*", resource=f"arn:aws:kms:*:{HOME}:key/{MRK_ID}")), resource=REPLICA),
    ),
    allowed(
        "mrk-iam-all-multi-region-keys",
        "iam-via-key-policy",
        "a pattern with the prefix mrk- takes in all multi-Region keys",
        MRK,
        ask(user(), DELEGATES, policy(allow("kms:*", resource=f"arn:aws:kms:*:{HOME}:key/mrk-*")), resource=REPLICA),
    ),
    denied(
        "mrk-pattern-leaves-single-region-keys-out",
        "implicit-deny",
        "the key is a single-Region key, without the prefix",
        MRK,
        ask(user(), DELEGATES, policy(allow("kms:*", resource=f"arn:aws:kms:*:{HOME}:key/mrk-*"))),
    ),
    denied(
        "mrk-away-iam-names-the-primary-only",
        "cross-account-no-iam-policy",
        "across accounts as well the identity policy must name the replica's own ARN",
        MRK,
        ask(EVE, NAMES_AWAY, policy(allow("kms:*", resource=PRIMARY)), resource=REPLICA),
    ),
    allowed(
        "mrk-away-iam-any-region",
        "cross-account",
        "an asterisk for the Region reaches the replica of the other account",
        MRK,
        ask(EVE, NAMES_AWAY, policy(allow("kms:*", resource=f"arn:aws:kms:*:{HOME}:key/{MRK_ID}")), resource=REPLICA),
    ),
    denied(
        "mrk-grant-on-primary-does-not-reach-replica",
        "implicit-deny",
        "a grant allows one key, not its related keys",
        MRK,
        ask(
            user(),
            DELEGATES,
            resource=REPLICA,
            grants=[grant(f"arn:aws:iam::{HOME}:user/dana", "Decrypt", key=PRIMARY)],
        ),
    ),
    allowed(
        "mrk-grant-on-replica",
        "grant",
        "the twin: the grant is on the replica itself",
        MRK,
        ask(
            user(),
            DELEGATES,
            resource=REPLICA,
            grants=[grant(f"arn:aws:iam::{HOME}:user/dana", "Decrypt", key=REPLICA)],
        ),
    ),
    denied(
        "mrk-denied-by-condition",
        "explicit-deny",
        "the identity policy denies all multi-Region keys",
        "KMS Developer Guide, Controlling access to multi-Region keys: Using and managing multi-Region keys",
        ask(
            user(),
            DELEGATES,
            policy(allow("kms:*"), deny("kms:*", Condition={"Bool": {"kms:MultiRegion": "true"}})),
            resource=REPLICA,
            context={"kms:MultiRegion": "true", "kms:MultiRegionKeyType": "REPLICA"},
        ),
        layer="identity-policy",
    ),
]

TRAIL_ARN = f"arn:aws:cloudtrail:eu-west-1:{HOME}:trail/all"
TRAIL = policy(
    allow(
        "kms:GenerateDataKey*",
        {"Service": "cloudtrail.amazonaws.com"},
        Sid="Trail",
        Condition={"StringEquals": {"aws:SourceArn": TRAIL_ARN}},
    )
)
TOPIC = policy(
    allow(
        ["kms:GenerateDataKey*", "kms:Decrypt"],
        {"Service": "sns.amazonaws.com"},
        Condition={"StringEquals": {"aws:SourceAccount": HOME}},
    )
)


def cloudtrail(key_policy, *identity_policies, action="kms:GenerateDataKey", **context):
    return scenario(
        service("cloudtrail.amazonaws.com"),
        action,
        key_policy,
        *identity_policies,
        context={f"aws:{name}": value for name, value in context.items()},
    )


SERVICES = [
    allowed(
        "service-for-the-right-trail",
        "key-policy",
        "CloudTrail acts for the trail that the key policy names",
        DEPUTY,
        cloudtrail(TRAIL, SourceArn=TRAIL_ARN, SourceAccount=HOME),
        layer="key-policy",
        sid="Trail",
    ),
    denied(
        "service-for-a-strangers-trail",
        "implicit-deny",
        "CloudTrail acts for another customer's trail: the confused deputy is stopped",
        DEPUTY,
        cloudtrail(TRAIL, SourceArn=f"arn:aws:cloudtrail:eu-west-1:{AWAY}:trail/all", SourceAccount=AWAY),
    ),
    denied(
        "service-without-source",
        "implicit-deny",
        "a call without aws:SourceArn cannot meet the condition",
        DEPUTY,
        cloudtrail(TRAIL),
    ),
    allowed(
        "service-without-guard-serves-anyone",
        "key-policy",
        "a statement for a service without a source condition works for any customer's resource",
        DEPUTY,
        cloudtrail(
            policy(allow("kms:GenerateDataKey*", {"Service": "cloudtrail.amazonaws.com"})),
            SourceArn=f"arn:aws:cloudtrail:eu-west-1:{AWAY}:trail/all",
            SourceAccount=AWAY,
        ),
    ),
    denied(
        "service-for-another-action",
        "implicit-deny",
        "CloudTrail may generate data keys, not decrypt",
        DEPUTY,
        cloudtrail(TRAIL, action="kms:Decrypt", SourceArn=TRAIL_ARN),
    ),
    denied(
        "service-by-account-statement",
        "implicit-deny",
        "a service principal is no principal of the account, so the account statement is not for it",
        "IAM User Guide, AWS JSON policy elements: Principal, AWS service principals",
        cloudtrail(DELEGATES, SourceArn=TRAIL_ARN, SourceAccount=HOME),
    ),
    allowed(
        "service-for-the-right-account",
        "key-policy",
        "SNS acts for a topic of the account that the key policy names",
        DEPUTY,
        scenario(service("sns.amazonaws.com"), "kms:Decrypt", TOPIC, context={"aws:SourceAccount": HOME}),
    ),
    denied(
        "service-for-another-account",
        "implicit-deny",
        "SNS acts for a topic of another account",
        DEPUTY,
        scenario(service("sns.amazonaws.com"), "kms:Decrypt", TOPIC, context={"aws:SourceAccount": AWAY}),
    ),
    denied(
        "service-denied-for-strangers",
        "explicit-deny",
        "services are denied unless they act for this account",
        DEPUTY,
        cloudtrail(
            policy(
                allow("kms:*", {"Service": "cloudtrail.amazonaws.com"}),
                deny(
                    "kms:*",
                    "*",
                    Sid="OurServicesOnly",
                    Condition={
                        "StringNotEqualsIfExists": {"aws:SourceAccount": HOME},
                        "Bool": {"aws:PrincipalIsAWSService": "true"},
                    },
                ),
            ),
            SourceAccount=AWAY,
            PrincipalIsAWSService="true",
        ),
        layer="key-policy",
        sid="OurServicesOnly",
    ),
    allowed(
        "service-can-manage-the-key",
        "key-policy",
        "a service principal has no account, so the cross-account list is no matter",
        "IAM User Guide, AWS JSON policy elements: Principal, AWS service principals (unverified)",
        cloudtrail(policy(allow("kms:*", {"Service": "cloudtrail.amazonaws.com"})), action="kms:EnableKeyRotation"),
    ),
]

CASES = [*BOTH_HALVES, *ROOT_USERS, *THE_LIST, *ACROSS_BY_GRANT, *MULTI_REGION, *SERVICES]
