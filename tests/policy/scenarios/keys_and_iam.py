"""Inside one account: what a key policy gives or delegates to IAM, what a deny takes, what a statement covers."""

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
    policy,
    role,
    root,
    scenario,
    service,
    statement,
    user,
)

DEFAULT = "KMS Developer Guide, Default key policy: Allows access to the AWS account and enables IAM policies"
ADMINS = "KMS Developer Guide, Default key policy: Allows key administrators to administer the KMS key"
USERS = "KMS Developer Guide, Default key policy: Allows key users to use the KMS key"
ELEMENTS = "KMS Developer Guide, Creating a key policy: Elements in a key policy"
TROUBLE = "KMS Developer Guide, Troubleshooting key access: Example 1"
BEST = "KMS Developer Guide, Best practices for IAM policies"
STAR = "KMS Developer Guide, Best practices for IAM policies: When to use Resource *"
ALIASES = "KMS Developer Guide, Using aliases to control access to KMS keys"
REQUEST_ALIAS = "KMS Developer Guide, AWS KMS condition keys: kms:RequestAlias"
RESOURCE_ALIASES = "KMS Developer Guide, AWS KMS condition keys: kms:ResourceAliases"
VIA = "KMS Developer Guide, AWS KMS condition keys: kms:ViaService"
CALLER = "KMS Developer Guide, AWS KMS condition keys: kms:CallerAccount"
PRINCIPAL = "IAM User Guide, AWS JSON policy elements: Principal"
ACCOUNT = "IAM User Guide, AWS JSON policy elements: Principal, AWS account principals"
ROLES = "IAM User Guide, AWS JSON policy elements: Principal, IAM role principals"
SESSIONS = "IAM User Guide, AWS JSON policy elements: Principal, Role session principals"
EVERYONE = "IAM User Guide, AWS JSON policy elements: Principal, All principals"
UNIQUE = "IAM User Guide, IAM identifiers: Unique identifiers"
ACTION = "IAM User Guide, IAM JSON policy elements: Action"
NOT_ACTION = "IAM User Guide, IAM JSON policy elements: NotAction"
RESOURCE = "IAM User Guide, IAM JSON policy elements: Resource"
NOT_RESOURCE = "IAM User Guide, IAM JSON policy elements: NotResource"
LOGIC = "IAM User Guide, Policy evaluation logic: Determining whether a request is allowed or denied within an account"
DENY = "IAM User Guide, Policy evaluation logic: The difference between explicit and implicit denies"

DANA = f"arn:aws:iam::{HOME}:user/dana"
ERIN = f"arn:aws:iam::{HOME}:user/erin"
APP = f"arn:aws:iam::{HOME}:role/App"
ONLY_APP = {"ArnEquals": {"aws:PrincipalArn": APP}}
JOB = f"arn:aws:sts::{HOME}:assumed-role/App/job"
ACCOUNT_ARN = f"arn:aws:iam::{HOME}:root"
OTHER_KEY = KEY[:-3] + "777"

NAMES_DANA = policy(allow("kms:*", DANA, Sid="Dana"))
NAMES_ERIN = policy(allow("kms:*", ERIN, Sid="Erin"))
IAM_FULL = policy(allow("kms:*", Sid="Full"))
IAM_DENY = policy(deny("kms:Decrypt", Sid="NoDecrypt"))

#: the key administrators statement of the console, word for word but for the names
ADMIN_ACTIONS = [
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
]
USER_ACTIONS = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
CONSOLE = policy(
    allow("kms:*", ACCOUNT_ARN, Sid="Enable IAM User Permissions"),
    allow(ADMIN_ACTIONS, ERIN, Sid="Allow access for Key Administrators"),
    allow(USER_ACTIONS, [DANA, APP], Sid="Allow use of the key"),
    allow(
        ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"],
        [DANA, APP],
        Sid="Allow attachment of persistent resources",
        Condition={"Bool": {"kms:GrantIsForAWSResource": "true"}},
    ),
)


def encrypt(caller, key_policy, *identity_policies, action="kms:Encrypt", **more):
    return scenario(caller, action, key_policy, *identity_policies, **more)


def as_unique(caller, unique_id):
    return {**caller, "unique_id": unique_id}


WHO_THE_KEY_POLICY_NAMES = [
    allowed(
        "key-policy-names-user",
        "key-policy",
        "a key policy that names the user is enough inside the account; no identity policy is needed",
        LOGIC,
        encrypt(user(), NAMES_DANA),
        layer="key-policy",
        sid="Dana",
    ),
    denied(
        "key-policy-names-another-user",
        "implicit-deny",
        "the statement names erin, not dana, and nothing else allows",
        ELEMENTS,
        encrypt(user(), NAMES_ERIN),
    ),
    denied(
        "key-policy-user-name-in-other-case",
        "implicit-deny",
        "the user name part of an ARN in a Principal element is case sensitive",
        "IAM User Guide, AWS JSON policy elements: Principal, IAM user principals",
        encrypt(user(), policy(allow("kms:*", f"arn:aws:iam::{HOME}:user/Dana"))),
    ),
    allowed(
        "key-policy-names-one-of-two",
        "key-policy",
        "several principals in one statement are an OR",
        PRINCIPAL,
        encrypt(user(), policy(allow("kms:*", [ERIN, DANA]))),
    ),
    denied(
        "key-policy-names-user-for-another-action",
        "implicit-deny",
        "the statement covers Decrypt only",
        ELEMENTS,
        encrypt(user(), policy(allow("kms:Decrypt", DANA))),
    ),
    allowed(
        "key-policy-names-user-for-this-action",
        "key-policy",
        "one listed action is what the caller may do",
        ELEMENTS,
        encrypt(user(), policy(allow("kms:Decrypt", DANA)), action="kms:Decrypt"),
    ),
    allowed(
        "key-policy-names-role",
        "key-policy",
        "a session acts with what the key policy gives its role",
        ROLES,
        encrypt(role(), policy(allow("kms:*", APP, Sid="App"))),
        layer="key-policy",
        sid="App",
    ),
    allowed(
        "key-policy-names-session",
        "key-policy",
        "the caller is this very session",
        SESSIONS,
        encrypt(role(), policy(allow("kms:*", JOB))),
    ),
    denied(
        "key-policy-names-another-session",
        "implicit-deny",
        "a session ARN names one session, not the role's other sessions",
        SESSIONS,
        encrypt(role(session="night"), policy(allow("kms:*", JOB))),
    ),
    allowed(
        "key-policy-names-role-with-path",
        "key-policy",
        "a role's ARN holds its path",
        ROLES,
        encrypt(role(path="/svc/"), policy(allow("kms:*", f"arn:aws:iam::{HOME}:role/svc/App"))),
    ),
    denied(
        "key-policy-names-role-without-its-path",
        "implicit-deny",
        "the ARN without the path is the ARN of another role",
        "IAM User Guide, IAM identifiers: Friendly names and paths",
        encrypt(role(path="/svc/"), policy(allow("kms:*", APP))),
    ),
    allowed(
        "key-policy-names-session-of-role-with-path",
        "key-policy",
        "a session's ARN has no path, though its role's has",
        "IAM User Guide, IAM identifiers: IAM ARNs",
        encrypt(role(path="/svc/"), policy(allow("kms:*", JOB))),
    ),
    denied(
        "key-policy-names-role-of-the-same-name-elsewhere",
        "implicit-deny",
        "a role of another account is another principal",
        ROLES,
        encrypt(role(), policy(allow("kms:*", f"arn:aws:iam::{AWAY}:role/App"))),
    ),
    allowed(
        "key-policy-names-federated-session",
        "key-policy",
        "the caller is this federated user session",
        "IAM User Guide, AWS JSON policy elements: Principal, AWS STS federated user session principals",
        encrypt(federated(), policy(allow("kms:*", f"arn:aws:sts::{HOME}:federated-user/guest"))),
    ),
    denied(
        "key-policy-names-another-federated-session",
        "implicit-deny",
        "the statement names another federated user session",
        "IAM User Guide, AWS JSON policy elements: Principal, AWS STS federated user session principals",
        encrypt(federated("visitor"), policy(allow("kms:*", f"arn:aws:sts::{HOME}:federated-user/guest"))),
    ),
    allowed(
        "key-policy-names-everyone",
        "key-policy",
        "an asterisk takes in every principal of the account, without identity policies",
        EVERYONE,
        encrypt(user(), policy(allow("kms:*", "*"))),
    ),
    allowed(
        "key-policy-names-everyone-as-aws",
        "key-policy",
        "the asterisk under AWS takes in the same principals",
        EVERYONE,
        encrypt(user(), policy(allow("kms:*", {"AWS": "*"}))),
    ),
    allowed(
        "key-policy-everyone-narrowed-to-role",
        "key-policy",
        "aws:PrincipalArn of a session is its role's ARN",
        ROLES,
        encrypt(role(), policy(allow("kms:*", "*", Condition=ONLY_APP)), context={"aws:PrincipalArn": APP}),
    ),
    denied(
        "key-policy-everyone-narrowed-to-another-role",
        "implicit-deny",
        "aws:PrincipalArn is the ARN of another role",
        ROLES,
        encrypt(
            role("Batch"),
            policy(allow("kms:*", "*", Condition=ONLY_APP)),
            context={"aws:PrincipalArn": f"arn:aws:iam::{HOME}:role/Batch"},
        ),
    ),
    allowed(
        "key-policy-names-unique-id-of-user",
        "key-policy",
        "a unique ID stands for the identity it was given to",
        UNIQUE,
        encrypt(as_unique(user(), "AIDAEXAMPLEDANA00001"), policy(allow("kms:*", "AIDAEXAMPLEDANA00001"))),
    ),
    denied(
        "key-policy-names-unique-id-of-deleted-user",
        "implicit-deny",
        "a new user of the old name has a new unique ID, which the policy does not name",
        UNIQUE,
        encrypt(as_unique(user(), "AIDAEXAMPLEDANA00002"), policy(allow("kms:*", "AIDAEXAMPLEDANA00001"))),
    ),
    allowed(
        "key-policy-names-unique-id-of-role",
        "key-policy",
        "a session's unique ID begins with that of its role",
        ROLES,
        encrypt(as_unique(role(), "AROAEXAMPLEAPP000001:job"), policy(allow("kms:*", "AROAEXAMPLEAPP000001"))),
    ),
    denied(
        "key-policy-names-unique-id-of-deleted-role",
        "implicit-deny",
        "a role that is deleted and made again has another unique ID",
        ROLES,
        encrypt(as_unique(role(), "AROAEXAMPLEAPP000002:job"), policy(allow("kms:*", "AROAEXAMPLEAPP000001"))),
    ),
    denied(
        "key-policy-deny-by-unique-id",
        "explicit-deny",
        "a deny reaches the principal that the unique ID stands for",
        UNIQUE,
        encrypt(
            as_unique(user(), "AIDAEXAMPLEDANA00001"),
            policy(allow("kms:*", "*"), deny("kms:*", "AIDAEXAMPLEDANA00001", Sid="Out")),
        ),
        layer="key-policy",
        sid="Out",
    ),
    allowed(
        "key-policy-names-service",
        "key-policy",
        "a service principal acts by the key policy alone",
        "IAM User Guide, AWS JSON policy elements: Principal, AWS service principals",
        encrypt(service("sns.amazonaws.com"), policy(allow("kms:*", {"Service": "sns.amazonaws.com"}))),
    ),
    denied(
        "key-policy-names-another-service",
        "implicit-deny",
        "the statement names another service",
        "IAM User Guide, AWS JSON policy elements: Principal, AWS service principals",
        encrypt(service("sqs.amazonaws.com"), policy(allow("kms:*", {"Service": "sns.amazonaws.com"}))),
    ),
    denied(
        "key-policy-names-service-but-user-asks",
        "implicit-deny",
        "a statement for a service gives its users nothing",
        "IAM User Guide, AWS JSON policy elements: Principal, AWS service principals",
        encrypt(user(), policy(allow("kms:*", {"Service": "sns.amazonaws.com"}))),
    ),
]

THE_ACCOUNT_STATEMENT = [
    denied(
        "account-statement-alone",
        "implicit-deny",
        "the account statement lets IAM decide; by itself it gives no user anything",
        TROUBLE,
        encrypt(user(), DELEGATES),
    ),
    allowed(
        "account-statement-and-iam",
        "iam-via-key-policy",
        "the key policy delegates to IAM, and an identity policy allows",
        DEFAULT,
        encrypt(user(), DELEGATES, IAM_FULL),
    ),
    allowed(
        "account-digits-and-iam",
        "iam-via-key-policy",
        "twelve digits and the account's ARN are the same principal",
        ACCOUNT,
        encrypt(user(), policy(allow("kms:*", HOME)), IAM_FULL),
    ),
    denied(
        "account-digits-alone",
        "implicit-deny",
        "naming an account by its digits gives its users nothing without an identity policy",
        ACCOUNT,
        encrypt(user(), policy(allow("kms:*", HOME))),
    ),
    allowed(
        "account-statement-and-iam-for-role",
        "iam-via-key-policy",
        "the role's identity policies count for its session",
        DEFAULT,
        encrypt(role(), DELEGATES, IAM_FULL),
    ),
    denied(
        "account-statement-and-silent-iam",
        "implicit-deny",
        "the identity policy is about another service",
        TROUBLE,
        encrypt(user(), DELEGATES, policy(allow("s3:*"))),
    ),
    allowed(
        "account-statement-and-second-iam-policy",
        "iam-via-key-policy",
        "one allow in any of the caller's identity policies is enough",
        LOGIC,
        encrypt(user(), DELEGATES, policy(allow("s3:*")), IAM_FULL),
    ),
    denied(
        "no-account-statement-voids-iam",
        "no-iam-delegation",
        "the key policy names erin only, so IAM may not allow anyone",
        DEFAULT,
        encrypt(user(), NAMES_ERIN, IAM_FULL),
    ),
    denied(
        "no-account-statement-iam-deny-still-works",
        "explicit-deny",
        "without the account statement identity policies cannot allow, but they can deny",
        DEFAULT,
        encrypt(user(), NAMES_DANA, IAM_DENY, action="kms:Decrypt"),
        layer="identity-policy",
        sid="NoDecrypt",
    ),
    denied(
        "another-accounts-statement-is-no-delegation",
        "no-iam-delegation",
        "the key policy delegates to another account, not to the caller's",
        ACCOUNT,
        encrypt(user(), policy(allow("kms:*", f"arn:aws:iam::{AWAY}:root")), IAM_FULL),
    ),
    allowed(
        "account-statement-of-some-actions-covers",
        "iam-via-key-policy",
        "Decrypt is among the actions that the account may delegate",
        DEFAULT,
        encrypt(user(), policy(allow(["kms:Decrypt", "kms:DescribeKey"], ACCOUNT_ARN)), IAM_FULL, action="kms:Decrypt"),
    ),
    denied(
        "account-statement-of-some-actions-leaves-out",
        "no-iam-delegation",
        "the account can delegate only the permissions in the statement, and Encrypt is not there",
        DEFAULT,
        encrypt(user(), policy(allow(["kms:Decrypt", "kms:DescribeKey"], ACCOUNT_ARN)), IAM_FULL),
    ),
    allowed(
        "account-statement-condition-holds",
        "iam-via-key-policy",
        "the call came through S3, as the account statement asks",
        VIA,
        encrypt(
            user(),
            policy(allow("kms:*", HOME, Condition={"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}})),
            IAM_FULL,
            context={"kms:ViaService": "s3.eu-west-1.amazonaws.com"},
        ),
    ),
    denied(
        "account-statement-condition-fails",
        "no-iam-delegation",
        "called directly the delegation's condition is not met, so IAM has no say",
        VIA,
        encrypt(
            user(),
            policy(allow("kms:*", HOME, Condition={"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}})),
            IAM_FULL,
        ),
    ),
    allowed(
        "named-and-delegated",
        "key-policy",
        "named by the key policy as well as delegated to: being named is enough",
        LOGIC,
        encrypt(user(), policy(allow("kms:*", ACCOUNT_ARN), allow("kms:*", DANA, Sid="Dana")), IAM_FULL),
        layer="key-policy",
        sid="Dana",
    ),
    denied(
        "empty-world",
        "implicit-deny",
        "no policy says anything about the caller",
        DENY,
        encrypt(user("erin"), NAMES_DANA),
    ),
]

ROOT_USER = [
    allowed(
        "root-user-by-account-statement",
        "account-root",
        "the account principal includes the root user, who needs no identity policy",
        DEFAULT,
        encrypt(root(), DELEGATES, action="kms:PutKeyPolicy"),
    ),
    allowed(
        "root-user-by-account-digits",
        "account-root",
        "the twelve digits mean the account, and so its root user",
        ACCOUNT,
        encrypt(root(), policy(allow("kms:*", HOME))),
    ),
    denied(
        "root-user-locked-out",
        "implicit-deny",
        "unlike other resource policies a key policy gives not even the root user access unless it says so",
        DEFAULT,
        encrypt(root(), NAMES_DANA, action="kms:PutKeyPolicy"),
    ),
    allowed(
        "root-user-by-everyone",
        "key-policy",
        "an asterisk takes in the root user",
        EVERYONE,
        encrypt(root(), policy(allow("kms:*", "*"))),
    ),
    denied(
        "root-user-of-partial-account-statement",
        "implicit-deny",
        "the account statement leaves PutKeyPolicy out for the root user as well",
        DEFAULT,
        encrypt(root(), policy(allow("kms:Decrypt", ACCOUNT_ARN)), action="kms:PutKeyPolicy"),
    ),
    denied(
        "root-user-denied-by-key-policy",
        "explicit-deny",
        "a deny for everyone reaches the root user",
        DENY,
        encrypt(root(), policy(allow("kms:*", ACCOUNT_ARN), deny("kms:Encrypt", "*", Sid="Nobody"))),
        layer="key-policy",
        sid="Nobody",
    ),
    denied(
        "deny-for-account-reaches-its-users",
        "explicit-deny",
        "a deny for the account applies to all principals in it",
        ACCOUNT,
        encrypt(user(), policy(allow("kms:*", DANA), deny("kms:Encrypt", ACCOUNT_ARN, Sid="Account"))),
        layer="key-policy",
        sid="Account",
    ),
    denied(
        "deny-for-account-digits-reaches-its-sessions",
        "explicit-deny",
        "a deny for the account, written as digits, applies to its role sessions",
        ACCOUNT,
        encrypt(role(), policy(allow("kms:*", APP), deny("kms:Encrypt", HOME))),
        layer="key-policy",
    ),
]

DENIES = [
    denied(
        "key-policy-deny-beats-its-own-allow",
        "explicit-deny",
        "an explicit deny overrides any allow",
        DENY,
        encrypt(user(), policy(allow("kms:*", DANA), deny("kms:Encrypt", DANA, Sid="NotDana"))),
        layer="key-policy",
        sid="NotDana",
    ),
    denied(
        "key-policy-deny-beats-iam-allow",
        "explicit-deny",
        "IAM is delegated to and allows, and still the key policy's deny decides",
        DENY,
        encrypt(user(), policy(allow("kms:*", ACCOUNT_ARN), deny("kms:Encrypt", DANA)), IAM_FULL),
        layer="key-policy",
    ),
    denied(
        "iam-deny-beats-key-policy-allow",
        "explicit-deny",
        "an identity policy's deny holds against a key policy that names the caller",
        DENY,
        encrypt(user(), NAMES_DANA, IAM_DENY, action="kms:Decrypt"),
        layer="identity-policy",
    ),
    allowed(
        "iam-deny-of-another-action",
        "key-policy",
        "the deny is for Decrypt, and Encrypt is asked",
        DENY,
        encrypt(user(), NAMES_DANA, IAM_DENY),
    ),
    denied(
        "both-deny-key-policy-is-named",
        "explicit-deny",
        "the key policy and an identity policy both deny; one layer is named",
        DENY,
        encrypt(
            user(), policy(allow("kms:*", DANA), deny("kms:Decrypt", "*", Sid="Shut")), IAM_DENY, action="kms:Decrypt"
        ),
        layer="key-policy",
        sid="Shut",
    ),
    denied(
        "deny-for-role-reaches-session",
        "explicit-deny",
        "a deny that names the role applies to its sessions, even one that is allowed by name",
        ROLES,
        encrypt(role(), policy(allow("kms:*", JOB), deny("kms:Encrypt", APP, Sid="App"))),
        layer="key-policy",
        sid="App",
    ),
    denied(
        "deny-for-session-spares-no-role-allow",
        "explicit-deny",
        "the role is allowed, this one session is denied",
        SESSIONS,
        encrypt(role(), policy(allow("kms:*", APP), deny("kms:Encrypt", JOB))),
        layer="key-policy",
    ),
    allowed(
        "deny-for-another-session",
        "key-policy",
        "the deny names another session of the role",
        SESSIONS,
        encrypt(role(session="night"), policy(allow("kms:*", APP), deny("kms:Encrypt", JOB))),
    ),
    allowed(
        "deny-for-another-user",
        "key-policy",
        "the deny is for erin",
        DENY,
        encrypt(user(), policy(allow("kms:*", "*"), deny("kms:*", ERIN))),
    ),
    allowed(
        "deny-whose-condition-fails",
        "key-policy",
        "the deny applies only to calls without TLS",
        "IAM User Guide, AWS global condition context keys: aws:SecureTransport",
        encrypt(
            user(),
            policy(allow("kms:*", DANA), deny("kms:*", "*", Condition={"Bool": {"aws:SecureTransport": "false"}})),
            context={"aws:SecureTransport": "true"},
        ),
    ),
    denied(
        "deny-whose-condition-holds",
        "explicit-deny",
        "the deny for calls without TLS applies",
        "IAM User Guide, AWS global condition context keys: aws:SecureTransport",
        encrypt(
            user(),
            policy(allow("kms:*", DANA), deny("kms:*", "*", Condition={"Bool": {"aws:SecureTransport": "false"}})),
            context={"aws:SecureTransport": "false"},
        ),
        layer="key-policy",
    ),
    denied(
        "deny-of-service-principal",
        "explicit-deny",
        "a deny for everyone reaches a service principal",
        EVERYONE,
        encrypt(
            service("sns.amazonaws.com"),
            policy(allow("kms:*", {"Service": "sns.amazonaws.com"}), deny("kms:Encrypt", "*")),
        ),
        layer="key-policy",
    ),
]

ADMINISTRATORS = [
    denied(
        "administrator-cannot-encrypt",
        "implicit-deny",
        "key administrators manage the key but have no cryptographic operations",
        ADMINS,
        encrypt(user("erin"), CONSOLE),
    ),
    denied(
        "administrator-cannot-decrypt",
        "implicit-deny",
        "kms:Describe*, kms:Delete* and kms:Disable* do not reach Decrypt",
        ADMINS,
        encrypt(user("erin"), CONSOLE, action="kms:Decrypt"),
    ),
    allowed(
        "administrator-creates-grants",
        "key-policy",
        "kms:Create* covers CreateGrant, so an administrator can give use to anyone",
        ADMINS,
        encrypt(user("erin"), CONSOLE, action="kms:CreateGrant"),
        layer="key-policy",
        sid="Allow access for Key Administrators",
    ),
    allowed(
        "administrator-puts-key-policy",
        "key-policy",
        "kms:Put* covers PutKeyPolicy, so an administrator can give itself use",
        ADMINS,
        encrypt(user("erin"), CONSOLE, action="kms:PutKeyPolicy"),
    ),
    allowed(
        "administrator-schedules-deletion",
        "key-policy",
        "ScheduleKeyDeletion is in the administrators statement by its name",
        ADMINS,
        encrypt(user("erin"), CONSOLE, action="kms:ScheduleKeyDeletion"),
    ),
    denied(
        "delete-pattern-does-not-schedule-deletion",
        "implicit-deny",
        "kms:Delete* does not allow ScheduleKeyDeletion",
        ADMINS,
        encrypt(user("erin"), policy(allow("kms:Delete*", ERIN)), action="kms:ScheduleKeyDeletion"),
    ),
    denied(
        "administrator-cannot-replicate-by-console-statement",
        "implicit-deny",
        "kms:ReplicateKey is added for multi-Region keys only; no pattern covers it",
        ADMINS,
        encrypt(user("erin"), CONSOLE, action="kms:ReplicateKey"),
    ),
    allowed(
        "key-user-generates-data-keys",
        "key-policy",
        "kms:GenerateDataKey* covers GenerateDataKeyWithoutPlaintext",
        USERS,
        encrypt(role(), CONSOLE, action="kms:GenerateDataKeyWithoutPlaintext"),
        layer="key-policy",
        sid="Allow use of the key",
    ),
    allowed(
        "key-user-reencrypts",
        "key-policy",
        "kms:ReEncrypt* covers ReEncryptFrom and ReEncryptTo",
        USERS,
        encrypt(user(), CONSOLE, action="kms:ReEncryptFrom"),
    ),
    denied(
        "key-user-cannot-put-key-policy",
        "implicit-deny",
        "key users have no administrative operations",
        USERS,
        encrypt(user(), CONSOLE, action="kms:PutKeyPolicy"),
    ),
    allowed(
        "key-user-grants-to-services",
        "key-policy",
        "key users may create grants when an AWS service asks for them",
        "KMS Developer Guide, Default key policy: Allows key users to use the KMS key with AWS services",
        encrypt(user(), CONSOLE, action="kms:CreateGrant", context={"kms:GrantIsForAWSResource": "true"}),
    ),
    denied(
        "key-user-cannot-grant-to-people",
        "implicit-deny",
        "called directly kms:GrantIsForAWSResource is not true, so the statement does not apply",
        "KMS Developer Guide, Default key policy: Allows key users to use the KMS key with AWS services",
        encrypt(user(), CONSOLE, action="kms:CreateGrant", context={"kms:GrantIsForAWSResource": "false"}),
    ),
]

RESOURCES = [
    allowed(
        "iam-resource-key-arn",
        "iam-via-key-policy",
        "the identity policy names this key by its ARN",
        BEST,
        encrypt(user(), DELEGATES, policy(allow("kms:Encrypt", resource=KEY))),
    ),
    denied(
        "iam-resource-another-key",
        "implicit-deny",
        "the identity policy names another key",
        BEST,
        encrypt(user(), DELEGATES, policy(allow("kms:Encrypt", resource=OTHER_KEY))),
    ),
    denied(
        "iam-resource-alias-arn",
        "implicit-deny",
        "an alias ARN in Resource is the alias, never the key behind it",
        BEST,
        encrypt(
            user(), DELEGATES, policy(allow("kms:*", resource=ALIAS)), context={"kms:RequestAlias": "alias/orders"}
        ),
    ),
    denied(
        "iam-resource-key-id",
        "implicit-deny",
        "a key ID alone cannot name a key in Resource",
        BEST,
        encrypt(user(), DELEGATES, policy(allow("kms:*", resource="0f0e0d0c-0b0a-4908-8706-050403020100"))),
    ),
    allowed(
        "iam-resource-all-keys-of-account-and-region",
        "iam-via-key-policy",
        "key/* takes in every key of the account and Region",
        BEST,
        encrypt(user(), DELEGATES, policy(allow("kms:*", resource=f"arn:aws:kms:eu-west-1:{HOME}:key/*"))),
    ),
    denied(
        "iam-resource-all-keys-of-another-region",
        "implicit-deny",
        "the pattern is for another Region",
        BEST,
        encrypt(user(), DELEGATES, policy(allow("kms:*", resource=f"arn:aws:kms:us-east-1:{HOME}:key/*"))),
    ),
    allowed(
        "iam-resource-any-region",
        "iam-via-key-policy",
        "an asterisk may stand for the Region",
        BEST,
        encrypt(user(), DELEGATES, policy(allow("kms:*", resource=f"arn:aws:kms:*:{HOME}:key/*"))),
    ),
    allowed(
        "iam-resource-question-mark",
        "iam-via-key-policy",
        "a question mark stands for one character",
        RESOURCE,
        encrypt(user(), DELEGATES, policy(allow("kms:*", resource=KEY[:-1] + "?"))),
    ),
    denied(
        "iam-resource-question-mark-is-one-character",
        "implicit-deny",
        "a question mark stands for exactly one character, and here two are missing",
        RESOURCE,
        encrypt(user(), DELEGATES, policy(allow("kms:*", resource=KEY[:-2] + "?"))),
    ),
    allowed(
        "iam-resource-list",
        "iam-via-key-policy",
        "one of several resources is this key",
        RESOURCE,
        encrypt(user(), DELEGATES, policy(allow("kms:*", resource=[OTHER_KEY, KEY]))),
    ),
    denied(
        "iam-deny-of-key-arn",
        "explicit-deny",
        "everything is allowed but this key is denied",
        DENY,
        encrypt(user(), DELEGATES, IAM_FULL, policy(deny("kms:*", resource=KEY, Sid="NotThisKey"))),
        layer="identity-policy",
        sid="NotThisKey",
    ),
    allowed(
        "iam-deny-of-alias-does-not-touch-the-key",
        "iam-via-key-policy",
        "a deny on the alias does not stop the use of the key, even when it is named by the alias",
        ALIASES,
        encrypt(
            user(),
            DELEGATES,
            IAM_FULL,
            policy(deny("kms:*", resource=ALIAS)),
            context={"kms:RequestAlias": "alias/orders"},
        ),
    ),
    denied(
        "iam-not-resource-excludes-key",
        "implicit-deny",
        "the statement is for all but this key",
        NOT_RESOURCE,
        encrypt(user(), DELEGATES, policy(allow("kms:*", resource=None, NotResource=KEY))),
    ),
    allowed(
        "iam-not-resource-leaves-key-in",
        "iam-via-key-policy",
        "the statement is for all but another key",
        NOT_RESOURCE,
        encrypt(user(), DELEGATES, policy(allow("kms:*", resource=None, NotResource=OTHER_KEY))),
    ),
    denied(
        "iam-deny-not-resource",
        "explicit-deny",
        "all keys but another one are denied",
        NOT_RESOURCE,
        encrypt(user(), DELEGATES, IAM_FULL, policy(deny("kms:*", resource=None, NotResource=OTHER_KEY))),
        layer="identity-policy",
    ),
    denied(
        "key-policy-without-resource",
        "implicit-deny",
        "a key policy statement without Resource is accepted by the API and has no effect",
        ELEMENTS,
        encrypt(user(), policy(allow("kms:*", DANA, resource=None))),
    ),
    denied(
        "key-policy-account-statement-without-resource",
        "no-iam-delegation",
        "without Resource the account statement delegates nothing",
        ELEMENTS,
        encrypt(user(), policy(allow("kms:*", ACCOUNT_ARN, resource=None)), IAM_FULL),
    ),
    allowed(
        "key-policy-deny-without-resource",
        "key-policy",
        "a deny without Resource has no effect either",
        ELEMENTS,
        encrypt(user(), policy(allow("kms:*", DANA), deny("kms:*", DANA, resource=None))),
    ),
    denied(
        "key-policy-without-action",
        "implicit-deny",
        "a key policy statement without Action gives no permission",
        "KMS API Reference, PutKeyPolicy: Policy",
        encrypt(user(), policy(allow(None, DANA))),
    ),
    allowed(
        "key-policy-resource-own-arn",
        "key-policy",
        "the key's own ARN is this key as well as the asterisk",
        ELEMENTS + " (unverified)",
        encrypt(user(), policy(allow("kms:*", DANA, resource=KEY))),
    ),
    denied(
        "key-policy-resource-another-key",
        "implicit-deny",
        "a key policy cannot give anything on another key, and this statement leaves its own key out",
        ELEMENTS + " (unverified)",
        encrypt(user(), policy(allow("kms:*", DANA, resource=OTHER_KEY))),
    ),
]

ACTIONS = [
    allowed(
        "action-in-other-case",
        "key-policy",
        "the prefix and the name of an action are case insensitive",
        ACTION,
        encrypt(user(), policy(allow("KMS:encrypt", DANA))),
    ),
    allowed(
        "action-asterisk-alone",
        "iam-via-key-policy",
        "an asterisk covers all actions of all services",
        ACTION,
        encrypt(user(), DELEGATES, policy(allow("*"))),
    ),
    allowed(
        "action-pattern-in-the-middle",
        "key-policy",
        "kms:*crypt covers Encrypt",
        ACTION,
        encrypt(user(), policy(allow("kms:*crypt", DANA))),
    ),
    denied(
        "action-pattern-misses",
        "implicit-deny",
        "kms:*crypt does not cover GenerateDataKey",
        ACTION,
        encrypt(user(), policy(allow("kms:*crypt", DANA)), action="kms:GenerateDataKey"),
    ),
    denied(
        "action-without-wildcard-is-exact",
        "implicit-deny",
        "kms:GenerateDataKey does not cover GenerateDataKeyPair",
        ACTION,
        encrypt(user(), policy(allow("kms:GenerateDataKey", DANA)), action="kms:GenerateDataKeyPair"),
    ),
    denied(
        "action-reencrypt-is-no-permission",
        "implicit-deny",
        "the permissions are ReEncryptFrom and ReEncryptTo; kms:ReEncrypt is neither",
        "KMS API Reference, ReEncrypt: Required permissions",
        encrypt(user(), policy(allow("kms:ReEncrypt", DANA)), action="kms:ReEncryptFrom"),
    ),
    allowed(
        "action-question-mark",
        "key-policy",
        "kms:??crypt covers Encrypt",
        ACTION,
        encrypt(user(), policy(allow("kms:??crypt", DANA))),
    ),
    denied(
        "action-question-mark-misses",
        "implicit-deny",
        "a question mark is one character, so kms:?crypt does not cover Encrypt",
        ACTION,
        encrypt(user(), policy(allow("kms:?crypt", DANA))),
    ),
    denied(
        "action-of-another-service",
        "implicit-deny",
        "the same word under another service's prefix is another action",
        ACTION,
        encrypt(user(), policy(allow("payment-cryptography:Encrypt*", DANA))),
    ),
    allowed(
        "not-action-leaves-encrypt-in",
        "key-policy",
        "everything but ScheduleKeyDeletion is allowed",
        NOT_ACTION,
        encrypt(user(), policy(allow(None, DANA, NotAction="kms:ScheduleKeyDeletion"))),
    ),
    denied(
        "not-action-excludes-the-action",
        "implicit-deny",
        "ScheduleKeyDeletion is just what the statement leaves out",
        NOT_ACTION,
        encrypt(
            user(), policy(allow(None, DANA, NotAction="kms:ScheduleKeyDeletion")), action="kms:ScheduleKeyDeletion"
        ),
    ),
    denied(
        "deny-not-action",
        "explicit-deny",
        "all but Decrypt is denied, and Encrypt is asked",
        NOT_ACTION,
        encrypt(user(), policy(allow("kms:*", DANA), deny(None, DANA, NotAction=["kms:Decrypt"]))),
        layer="key-policy",
    ),
    allowed(
        "deny-not-action-spares",
        "key-policy",
        "all but Decrypt is denied, and Decrypt is asked",
        NOT_ACTION,
        encrypt(
            user(), policy(allow("kms:*", DANA), deny(None, DANA, NotAction=["kms:Decrypt"])), action="kms:Decrypt"
        ),
    ),
    allowed(
        "iam-not-action",
        "iam-via-key-policy",
        "an identity policy of everything but IAM allows the use of keys",
        NOT_ACTION,
        encrypt(user(), DELEGATES, policy(allow(None, NotAction="iam:*"))),
    ),
]

ALIASES_IN_CONDITIONS = [
    allowed(
        "request-alias-matches",
        "key-policy",
        "the request names the key by an alias that the condition allows",
        REQUEST_ALIAS,
        encrypt(
            user(),
            policy(allow("kms:*", DANA, Condition={"StringLike": {"kms:RequestAlias": "alias/*orders*"}})),
            context={"kms:RequestAlias": "alias/orders", "kms:ResourceAliases": ["alias/orders"]},
        ),
    ),
    denied(
        "request-alias-but-key-id-used",
        "implicit-deny",
        "the key has the alias, but the request names it by key ID",
        REQUEST_ALIAS,
        encrypt(
            user(),
            policy(allow("kms:*", DANA, Condition={"StringLike": {"kms:RequestAlias": "alias/*orders*"}})),
            context={"kms:ResourceAliases": ["alias/orders"]},
        ),
    ),
    denied(
        "request-alias-another-alias",
        "implicit-deny",
        "the request uses another alias of the same key",
        REQUEST_ALIAS,
        encrypt(
            user(),
            policy(allow("kms:*", DANA, Condition={"StringEquals": {"kms:RequestAlias": "alias/orders"}})),
            context={"kms:RequestAlias": "alias/bills", "kms:ResourceAliases": ["alias/bills", "alias/orders"]},
        ),
    ),
    denied(
        "request-alias-as-arn-in-policy",
        "implicit-deny",
        "the condition takes an alias name; an alias ARN never equals it",
        REQUEST_ALIAS,
        encrypt(
            user(),
            policy(allow("kms:*", DANA, Condition={"StringEquals": {"kms:RequestAlias": ALIAS}})),
            context={"kms:RequestAlias": "alias/orders"},
        ),
    ),
    allowed(
        "request-alias-in-iam-policy",
        "iam-via-key-policy",
        "kms:RequestAlias works in IAM policies as well",
        REQUEST_ALIAS,
        encrypt(
            user(),
            DELEGATES,
            policy(allow("kms:*", Condition={"StringEquals": {"kms:RequestAlias": "alias/orders"}})),
            context={"kms:RequestAlias": "alias/orders"},
        ),
    ),
    allowed(
        "resource-aliases-match-without-use",
        "iam-via-key-policy",
        "the key has the alias; the request need not use it",
        RESOURCE_ALIASES,
        encrypt(
            user(),
            DELEGATES,
            policy(allow("kms:*", Condition={"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/orders*"}})),
            action="kms:EnableKeyRotation",
            context={"kms:ResourceAliases": ["alias/bills", "alias/orders-2"]},
        ),
    ),
    denied(
        "resource-aliases-none-match",
        "implicit-deny",
        "none of the key's aliases begins with alias/orders",
        RESOURCE_ALIASES,
        encrypt(
            user(),
            DELEGATES,
            policy(allow("kms:*", Condition={"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/orders*"}})),
            action="kms:EnableKeyRotation",
            context={"kms:ResourceAliases": ["alias/bills"]},
        ),
    ),
    denied(
        "resource-aliases-key-without-alias",
        "implicit-deny",
        "a key without aliases has no kms:ResourceAliases, and ForAnyValue is false on an absent key",
        "IAM User Guide, Multivalued context keys",
        encrypt(
            user(),
            DELEGATES,
            policy(allow("kms:*", Condition={"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/orders*"}})),
            action="kms:EnableKeyRotation",
        ),
    ),
    denied(
        "resource-aliases-in-key-policy",
        "implicit-deny",
        "kms:ResourceAliases is a condition key of IAM policies only, so in a key policy it is never met",
        RESOURCE_ALIASES + " (unverified)",
        encrypt(
            user(),
            policy(
                allow("kms:*", DANA, Condition={"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/orders*"}})
            ),
            context={"kms:ResourceAliases": ["alias/orders"]},
        ),
    ),
    denied(
        "resource-aliases-deny-in-iam",
        "explicit-deny",
        "keys with a restricted alias are denied, however they are named",
        RESOURCE_ALIASES,
        encrypt(
            user(),
            DELEGATES,
            IAM_FULL,
            policy(
                deny(
                    "kms:*",
                    Sid="Restricted",
                    Condition={"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/restricted*"}},
                )
            ),
            context={"kms:ResourceAliases": ["alias/restricted-1"]},
        ),
        layer="identity-policy",
        sid="Restricted",
    ),
]

AWS_MANAGED = policy(
    allow(
        ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey"],
        {"AWS": "*"},
        Sid="Allow access through S3 for all principals in the account that are authorized to use S3",
        Condition={
            "StringEquals": {"kms:CallerAccount": HOME, "kms:ViaService": "s3.eu-west-1.amazonaws.com"},
        },
    ),
    allow(
        ["kms:Describe*", "kms:Get*", "kms:List*"],
        ACCOUNT_ARN,
        Sid="Allow direct access to key metadata to the account",
    ),
)
MANAGED = {"manager": "AWS"}

VIA_SERVICE = [
    allowed(
        "aws-managed-key-through-its-service",
        "key-policy",
        "through S3, from this account: the key policy asks no identity permission on the key",
        VIA,
        encrypt(
            user(),
            AWS_MANAGED,
            action="kms:GenerateDataKey",
            key=MANAGED,
            context={"kms:CallerAccount": HOME, "kms:ViaService": "s3.eu-west-1.amazonaws.com"},
        ),
    ),
    denied(
        "aws-managed-key-called-directly",
        "no-iam-delegation",
        "called directly there is no kms:ViaService, and IAM is delegated the metadata only",
        VIA,
        encrypt(
            user(),
            AWS_MANAGED,
            IAM_FULL,
            action="kms:GenerateDataKey",
            key=MANAGED,
            context={"kms:CallerAccount": HOME},
        ),
    ),
    denied(
        "aws-managed-key-through-another-service",
        "no-iam-delegation",
        "the call came through another service than the key is for",
        VIA,
        encrypt(
            user(),
            AWS_MANAGED,
            IAM_FULL,
            action="kms:GenerateDataKey",
            key=MANAGED,
            context={"kms:CallerAccount": HOME, "kms:ViaService": "sqs.eu-west-1.amazonaws.com"},
        ),
    ),
    denied(
        "aws-managed-key-through-its-service-in-another-region",
        "implicit-deny",
        "kms:ViaService holds the Region, and this is another one",
        VIA,
        encrypt(
            user(),
            AWS_MANAGED,
            action="kms:GenerateDataKey",
            key=MANAGED,
            context={"kms:CallerAccount": HOME, "kms:ViaService": "s3.us-east-1.amazonaws.com"},
        ),
    ),
    allowed(
        "aws-managed-key-metadata-by-iam",
        "iam-via-key-policy",
        "metadata of an AWS managed key is delegated to IAM",
        "KMS Developer Guide, Viewing key policies",
        encrypt(
            user(), AWS_MANAGED, IAM_FULL, action="kms:GetKeyPolicy", key=MANAGED, context={"kms:CallerAccount": HOME}
        ),
    ),
    denied(
        "aws-managed-key-cannot-be-deleted",
        "no-iam-delegation",
        "the key policy of an AWS managed key gives nobody ScheduleKeyDeletion",
        "KMS Developer Guide, Concepts: AWS managed keys",
        encrypt(
            user(),
            AWS_MANAGED,
            IAM_FULL,
            action="kms:ScheduleKeyDeletion",
            key=MANAGED,
            context={"kms:CallerAccount": HOME},
        ),
    ),
    allowed(
        "everyone-of-this-account-by-caller-account",
        "key-policy",
        "kms:CallerAccount narrows the asterisk to this account's principals",
        CALLER,
        encrypt(
            user(),
            policy(allow("kms:*", "*", Condition={"StringEquals": {"kms:CallerAccount": HOME}})),
            context={"kms:CallerAccount": HOME},
        ),
    ),
    denied(
        "via-service-deny-of-direct-use",
        "explicit-deny",
        "denied unless through S3: a direct call lacks kms:ViaService, and StringNotEquals is true on an absent key",
        VIA,
        encrypt(
            user(),
            policy(
                allow("kms:*", DANA),
                deny(
                    "kms:Decrypt", "*", Condition={"StringNotEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}
                ),
            ),
            action="kms:Decrypt",
        ),
        layer="key-policy",
    ),
    allowed(
        "via-service-deny-spares-the-service",
        "key-policy",
        "denied unless through S3, and through S3 it came",
        VIA,
        encrypt(
            user(),
            policy(
                allow("kms:*", DANA),
                deny(
                    "kms:Decrypt", "*", Condition={"StringNotEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}
                ),
            ),
            action="kms:Decrypt",
            context={"kms:ViaService": "s3.eu-west-1.amazonaws.com"},
        ),
    ),
]


def without_key(caller, action, *identity_policies, **more):
    return scenario(caller, action, None, *identity_policies, resource="*", **more)


NO_KEY = [
    *(
        allowed(
            f"no-key-{name.lower()}-by-iam",
            "iam-policy",
            f"{name} names no key, so an identity policy decides it alone",
            STAR,
            without_key(user(), f"kms:{name}", policy(allow(f"kms:{name}"))),
        )
        for name in ("CreateKey", "ListKeys", "ListAliases", "GenerateRandom", "DescribeCustomKeyStores")
    ),
    denied(
        "no-key-silent-iam",
        "implicit-deny",
        "no identity policy allows CreateKey, and no key policy could",
        STAR,
        without_key(user(), "kms:CreateKey", policy(allow("kms:Describe*"))),
    ),
    denied(
        "no-key-resource-is-not-star",
        "implicit-deny",
        "ListKeys is asked of all resources; a statement for one key's ARN does not cover it",
        STAR,
        without_key(user(), "kms:ListKeys", policy(allow("kms:ListKeys", resource=KEY))),
    ),
    denied(
        "no-key-resource-all-keys-is-not-star",
        "implicit-deny",
        "GenerateRandom needs Resource *, and key/* is less",
        STAR,
        without_key(user(), "kms:GenerateRandom", policy(allow("kms:*", resource=f"arn:aws:kms:*:{HOME}:key/*"))),
    ),
    denied(
        "no-key-iam-deny",
        "explicit-deny",
        "the identity policy allows all and denies CreateKey",
        DENY,
        without_key(user(), "kms:CreateKey", IAM_FULL, policy(deny("kms:CreateKey", Sid="NoKeys"))),
        layer="identity-policy",
        sid="NoKeys",
    ),
    allowed(
        "no-key-root-user",
        "account-root",
        "without a resource policy in the way the root user has full access",
        LOGIC,
        without_key(root(), "kms:CreateKey"),
    ),
    allowed(
        "no-key-role",
        "iam-policy",
        "the role's identity policy allows its session",
        STAR,
        without_key(role(), "kms:ListAliases", policy(allow(["kms:ListKeys", "kms:ListAliases"]))),
    ),
    denied(
        "create-key-of-wrong-kind",
        "explicit-deny",
        "multi-Region keys are denied by kms:MultiRegion",
        "KMS Developer Guide, Controlling access to multi-Region keys: Creating a primary key",
        without_key(
            user(),
            "kms:CreateKey",
            IAM_FULL,
            policy(deny("kms:CreateKey", Condition={"Bool": {"kms:MultiRegion": "true"}})),
            context={"kms:MultiRegion": "true"},
        ),
        layer="identity-policy",
    ),
    allowed(
        "create-key-of-right-kind",
        "iam-policy",
        "the deny is for multi-Region keys, and this one is not",
        "KMS Developer Guide, Controlling access to multi-Region keys: Creating a primary key",
        without_key(
            user(),
            "kms:CreateKey",
            IAM_FULL,
            policy(deny("kms:CreateKey", Condition={"Bool": {"kms:MultiRegion": "true"}})),
            context={"kms:MultiRegion": "false"},
        ),
    ),
    denied(
        "list-retirable-grants-silent-iam",
        "implicit-deny",
        "ListRetirableGrants is a matter for identity policies",
        "KMS API Reference, ListRetirableGrants: Required permissions",
        without_key(user(), "kms:ListRetirableGrants"),
    ),
    allowed(
        "list-retirable-grants-by-iam",
        "iam-policy",
        "an identity policy in the caller's account allows it",
        "KMS API Reference, ListRetirableGrants: Required permissions",
        without_key(user(), "kms:ListRetirableGrants", policy(allow("kms:ListRetirableGrants"))),
    ),
    allowed(
        "policy-of-a-single-statement",
        "iam-policy",
        "Statement may be one object instead of a list",
        "IAM User Guide, IAM JSON policy elements: Statement",
        without_key(
            user(), "kms:ListKeys", {"Version": "2012-10-17", "Statement": statement("Allow", ["kms:ListKeys"])}
        ),
    ),
]

CASES = [
    *WHO_THE_KEY_POLICY_NAMES,
    *THE_ACCOUNT_STATEMENT,
    *ROOT_USER,
    *DENIES,
    *ADMINISTRATORS,
    *RESOURCES,
    *ACTIONS,
    *ALIASES_IN_CONDITIONS,
    *VIA_SERVICE,
    *NO_KEY,
]
