"""Principals: whom a name in a key policy reaches, and whom not."""

from build import (
    AWAY,
    DELEGATES,
    HOME,
    Document,
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

PRINCIPAL = "IAM User Guide, AWS JSON policy elements: Principal"
ACCOUNTS = PRINCIPAL + ", AWS account principals"
ROLES = PRINCIPAL + ", IAM role principals"
ROLE_SESSIONS = PRINCIPAL + ", Role session principals"
USERS = PRINCIPAL + ", IAM user principals"
FEDERATED = PRINCIPAL + ", AWS STS federated user session principals"
SERVICES = PRINCIPAL + ", AWS service principals"
EVERYONE = PRINCIPAL + ", All principals"
IDS = "IAM User Guide, IAM identifiers, Unique identifiers"
KEPT_AS_ID = PRINCIPAL + " (a saved policy keeps an ARN as the ID); Policy evaluation logic"
GLOBAL = "IAM User Guide, AWS global condition context keys"
KEY_POLICIES = "AWS KMS Developer Guide, Key policies in AWS KMS"
DEFAULT_POLICY = "AWS KMS Developer Guide, Default key policy"
EXTERNAL = "AWS KMS Developer Guide, Allowing users in other accounts to use a KMS key"
ANYBODY = EVERYONE + " (unverified: KMS itself takes no anonymous calls)"

DANA = f"arn:aws:iam::{HOME}:user/dana"
APP = f"arn:aws:iam::{HOME}:role/App"
JOB = f"arn:aws:sts::{HOME}:assumed-role/App/job"
GUEST = f"arn:aws:sts::{HOME}:federated-user/guest"
ACCOUNT = f"arn:aws:iam::{HOME}:root"
AWAY_ACCOUNT = f"arn:aws:iam::{AWAY}:root"
ORG = "o-a1b2c3d4e5"
MAY = policy(allow("kms:Decrypt"))
MAY_ALL = policy(allow("kms:*"))
ANONYMOUS = {"arn": "anonymous", "type": "anonymous", "account": ""}


def ask(caller: Document, principal, *identity_policies: Document, action: str = "kms:Decrypt", **more) -> Document:
    """May the caller decrypt when the key policy's one statement allows ``principal`` to?"""
    conditions = more.pop("condition", None)
    extra = {"Condition": conditions} if conditions else {}
    return scenario(caller, action, policy(allow(action, principal, Sid="One", **extra)), *identity_policies, **more)


def with_id(caller: Document, unique_id: str) -> Document:
    return {**caller, "unique_id": unique_id}


ORG_ONLY = {"StringEquals": {"aws:PrincipalOrgID": ORG}}

IDENTITIES = [
    allowed(
        "user-named",
        "key-policy",
        "the key policy names the user; IAM is not needed",
        KEY_POLICIES,
        ask(user(), DANA),
        layer="key-policy",
        sid="One",
    ),
    denied("user-other-named", "implicit-deny", "the key policy names another user", USERS, ask(user("erin"), DANA)),
    denied(
        "user-name-case-counts",
        "implicit-deny",
        "user names in Principal are case-sensitive",
        USERS,
        ask(user("Dana"), DANA),
    ),
    allowed("user-in-a-list", "key-policy", "several principals are alternatives", PRINCIPAL, ask(user(), [APP, DANA])),
    denied(
        "user-with-path-named-without",
        "implicit-deny",
        "the path is part of a user's ARN",
        IDS,
        ask({**user(), "arn": f"arn:aws:iam::{HOME}:user/team/dana"}, DANA),
    ),
    denied(
        "user-of-same-name-elsewhere",
        "cross-account-no-key-policy",
        "dana of another account is somebody else",
        USERS,
        ask(user(account=AWAY), DANA, MAY_ALL),
    ),
    allowed(
        "role-named-reaches-its-sessions",
        "key-policy",
        "naming the role reaches every session of it",
        ROLES,
        ask(role(), APP),
    ),
    allowed(
        "role-named-reaches-another-session",
        "key-policy",
        "whatever the session's name",
        ROLES,
        ask(role(session="night"), APP),
    ),
    denied("role-other-named", "implicit-deny", "another role", ROLES, ask(role("Other"), APP)),
    allowed(
        "role-with-path-named-with-path",
        "key-policy",
        "the role's ARN has its path",
        ROLES,
        ask(role(path="/team/"), f"arn:aws:iam::{HOME}:role/team/App"),
    ),
    denied(
        "role-with-path-named-without",
        "implicit-deny",
        "role/App is another role than role/team/App",
        ROLES,
        ask(role(path="/team/"), APP),
    ),
    allowed("session-named", "key-policy", "this very session is named", ROLE_SESSIONS, ask(role(), JOB)),
    denied(
        "session-other-named",
        "implicit-deny",
        "another session of the same role",
        ROLE_SESSIONS,
        ask(role(session="night"), JOB),
    ),
    allowed(
        "session-arn-has-no-path",
        "key-policy",
        "a session's ARN leaves the role's path out",
        ROLE_SESSIONS,
        ask(role(path="/team/"), JOB),
    ),
    allowed(
        "federated-session-named", "key-policy", "this federated session is named", FEDERATED, ask(federated(), GUEST)
    ),
    denied(
        "federated-session-other-named",
        "implicit-deny",
        "another federated session of the same user",
        FEDERATED,
        ask(federated("visitor"), GUEST),
    ),
    denied(
        "federated-session-named-is-not-the-user",
        "implicit-deny",
        "the user who federated is not the session",
        FEDERATED,
        ask(user(), GUEST),
    ),
    allowed(
        "federated-user-named-with-session-policy",
        "key-policy",
        "the user behind is named, the session policy allows",
        "IAM User Guide, Policy evaluation logic",
        ask(federated(), DANA, session_policy=MAY),
    ),
]

ACCOUNT_CASES = [
    allowed(
        "account-arn-and-iam",
        "iam-via-key-policy",
        "the account is named, IAM allows",
        ACCOUNTS,
        ask(user(), ACCOUNT, MAY),
    ),
    allowed(
        "principal-account-digits-and-iam",
        "iam-via-key-policy",
        "twelve digits mean the same",
        ACCOUNTS,
        ask(user(), HOME, MAY),
    ),
    denied(
        "account-digits-without-iam",
        "implicit-deny",
        "the account statement gives identities nothing by itself",
        DEFAULT_POLICY,
        ask(user(), HOME),
    ),
    allowed(
        "account-root-user",
        "account-root",
        "the root user is the account's own principal",
        DEFAULT_POLICY,
        ask(root(), ACCOUNT),
        layer="key-policy",
        sid="One",
    ),
    denied(
        "account-root-user-locked-out",
        "implicit-deny",
        "no statement names the account, so its root user has nothing",
        DEFAULT_POLICY,
        ask(root(), DANA),
    ),
    denied(
        "account-other-named",
        "no-iam-delegation",
        "another account is named, IAM here allows in vain",
        ACCOUNTS,
        ask(user(), AWAY_ACCOUNT, MAY),
    ),
    allowed(
        "account-away-and-iam",
        "cross-account",
        "the other account is named and its IAM allows",
        EXTERNAL,
        ask(user(account=AWAY), AWAY_ACCOUNT, MAY),
    ),
    denied(
        "account-away-without-iam",
        "cross-account-no-iam-policy",
        "the other account's IAM is silent",
        EXTERNAL,
        ask(user(account=AWAY), AWAY_ACCOUNT),
    ),
    denied(
        "user-away-named-without-iam",
        "cross-account-no-iam-policy",
        "even a named foreign user needs an identity policy",
        EXTERNAL,
        ask(user(account=AWAY), f"arn:aws:iam::{AWAY}:user/dana"),
    ),
    allowed(
        "role-away-named-and-iam",
        "cross-account",
        "key policy and identity policy",
        EXTERNAL,
        ask(role(account=AWAY), f"arn:aws:iam::{AWAY}:role/App", MAY),
    ),
    allowed(
        "root-user-away",
        "cross-account",
        "the root user of the account named",
        EXTERNAL + " (unverified)",
        ask(root(AWAY), AWAY_ACCOUNT),
    ),
    allowed(
        "federated-account-statement-with-session-policy",
        "iam-via-key-policy",
        "the account statement lets IAM decide: the user's policies within the session policy",
        "AWS STS API Reference, GetFederationToken",
        ask(federated(), ACCOUNT, MAY_ALL, session_policy=MAY),
    ),
]

STAR_CASES = [
    allowed(
        "star-user",
        "key-policy",
        "everyone, and in the key's own account no other permission is needed",
        EVERYONE,
        ask(user(), "*"),
    ),
    allowed("star-aws-user", "key-policy", '{"AWS": "*"} reaches every user', EVERYONE, ask(user(), {"AWS": "*"})),
    allowed("star-session", "key-policy", "everyone includes role sessions", EVERYONE, ask(role(), "*")),
    allowed("star-anonymous", "key-policy", "everyone includes anonymous callers", ANYBODY, ask(ANONYMOUS, "*")),
    allowed(
        "star-aws-anonymous",
        "key-policy",
        "for anonymous users both forms are the same",
        ANYBODY,
        ask(ANONYMOUS, {"AWS": "*"}),
    ),
    denied(
        "account-statement-anonymous",
        "implicit-deny",
        "an anonymous caller is of no account",
        ANYBODY,
        scenario(ANONYMOUS, "kms:Decrypt", DELEGATES),
    ),
    denied(
        "star-anonymous-meets-condition",
        "implicit-deny",
        "an anonymous caller is of no organization",
        ANYBODY,
        ask(ANONYMOUS, "*", condition=ORG_ONLY),
    ),
    denied(
        "star-deny-anonymous",
        "explicit-deny",
        "a deny of everyone includes anonymous callers",
        ANYBODY,
        scenario(ANONYMOUS, "kms:Decrypt", policy(allow("kms:*", "*"), deny("kms:Decrypt", "*", Sid="No"))),
        layer="key-policy",
        sid="No",
    ),
    allowed(
        "star-away-with-iam",
        "cross-account",
        "a foreign caller needs its own account's permission too",
        EVERYONE,
        ask(user(account=AWAY), "*", MAY),
    ),
    denied(
        "star-away-without-iam",
        "cross-account-no-iam-policy",
        "and without it is refused",
        EVERYONE,
        ask(user(account=AWAY), "*"),
    ),
    denied(
        "star-away-operation-that-cannot-cross",
        "not-cross-account",
        "EnableKey is not for other accounts, whatever the key policy says",
        "AWS KMS Developer Guide, AWS KMS permissions",
        ask(user(account=AWAY), "*", MAY_ALL, action="kms:EnableKey"),
    ),
    denied(
        "star-deny-hits-root-user",
        "explicit-deny",
        "everyone includes the root user",
        EVERYONE,
        scenario(root(), "kms:Decrypt", policy(*DELEGATES["Statement"], deny("kms:Decrypt", "*", Sid="No"))),
        layer="key-policy",
        sid="No",
    ),
    denied(
        "star-deny-hits-service",
        "explicit-deny",
        "everyone includes service principals",
        GLOBAL,
        scenario(
            service("sns.amazonaws.com"),
            "kms:Decrypt",
            policy(allow("kms:Decrypt", {"Service": "sns.amazonaws.com"}), deny("kms:Decrypt", "*", Sid="No")),
        ),
        layer="key-policy",
        sid="No",
    ),
    allowed(
        "star-organization-member",
        "cross-account",
        "everyone of the organization, with IAM's allow across accounts",
        GLOBAL,
        ask(user(account=AWAY), "*", MAY, condition=ORG_ONLY, context={"aws:PrincipalOrgID": ORG}),
    ),
    denied(
        "star-organization-stranger",
        "cross-account-no-key-policy",
        "another organization",
        GLOBAL,
        ask(user(account=AWAY), "*", MAY, condition=ORG_ONLY, context={"aws:PrincipalOrgID": "o-zzzzzzzzzz"}),
    ),
    allowed(
        "star-organization-same-account",
        "key-policy",
        "in the key's own account IAM is not needed",
        GLOBAL,
        ask(user(), "*", condition=ORG_ONLY, context={"aws:PrincipalOrgID": ORG}),
    ),
    allowed(
        "star-principal-arn-of-role",
        "key-policy",
        "the role's ARN, asked by condition",
        ROLES,
        ask(role(), "*", condition={"ArnEquals": {"aws:PrincipalArn": APP}}, context={"aws:PrincipalArn": APP}),
    ),
    denied(
        "star-principal-arn-of-other-role",
        "implicit-deny",
        "another role's ARN",
        ROLES,
        ask(
            role("Other"),
            "*",
            condition={"ArnEquals": {"aws:PrincipalArn": APP}},
            context={"aws:PrincipalArn": f"arn:aws:iam::{HOME}:role/Other"},
        ),
    ),
]

SNS, LOGS = service("sns.amazonaws.com"), service("logs.eu-west-1.amazonaws.com")

SERVICE_CASES = [
    allowed(
        "service-named",
        "key-policy",
        "the service acts as itself",
        SERVICES,
        ask(SNS, {"Service": "sns.amazonaws.com"}),
    ),
    denied(
        "service-other-named", "implicit-deny", "another service", SERVICES, ask(SNS, {"Service": "sqs.amazonaws.com"})
    ),
    allowed(
        "service-in-a-list",
        "key-policy",
        "several services are alternatives",
        SERVICES,
        ask(SNS, {"Service": ["sqs.amazonaws.com", "sns.amazonaws.com"]}),
    ),
    allowed(
        "service-of-a-region-named",
        "key-policy",
        "CloudWatch Logs has its Region in its name",
        "CloudWatch Logs User Guide, Encrypt log data using AWS KMS",
        ask(LOGS, {"Service": "logs.eu-west-1.amazonaws.com"}),
    ),
    denied(
        "service-of-another-region-named",
        "implicit-deny",
        "the name is of another Region's Logs",
        "CloudWatch Logs User Guide, Encrypt log data using AWS KMS",
        ask(LOGS, {"Service": "logs.us-east-1.amazonaws.com"}),
    ),
    denied(
        "service-not-under-account-statement",
        "implicit-deny",
        "a service is of no account",
        SERVICES,
        scenario(SNS, "kms:Decrypt", DELEGATES),
    ),
    denied(
        "account-root-user-is-not-a-named-user",
        "implicit-deny",
        "naming a user is not naming the account",
        ACCOUNTS,
        ask(root(), [DANA, APP]),
    ),
    allowed(
        "service-beside-users",
        "key-policy",
        "one Principal element may name several kinds",
        PRINCIPAL,
        ask(SNS, {"AWS": DANA, "Service": "sns.amazonaws.com"}),
    ),
    allowed(
        "user-beside-service",
        "key-policy",
        "the kinds are alternatives",
        PRINCIPAL,
        ask(user(), {"AWS": DANA, "Service": "sns.amazonaws.com"}),
    ),
    denied(
        "user-behind-a-service-is-the-user",
        "implicit-deny",
        "in a forwarded call the caller is still the user, whom the policy does not name",
        "AWS KMS Developer Guide, kms:ViaService",
        ask(user(), {"Service": "s3.amazonaws.com"}, context={"kms:ViaService": "s3.eu-west-1.amazonaws.com"}),
    ),
    allowed(
        "service-with-grant",
        "grant",
        "a grant may be for a service principal, tied to a source",
        "AWS KMS API Reference, CreateGrant",
        scenario(
            SNS,
            "kms:Decrypt",
            DELEGATES,
            context={"aws:SourceArn": f"arn:aws:sns:eu-west-1:{HOME}:orders"},
            grants=[
                {
                    **grant(
                        "x",
                        "Decrypt",
                        grantee_service_principal="sns.amazonaws.com",
                        constraints={"SourceArn": f"arn:aws:sns:eu-west-1:{HOME}:orders"},
                    ),
                    "grantee_principal": None,
                }
            ],
        ),
    ),
    denied(
        "service-with-grant-other-source",
        "grant-constraint",
        "the grant is tied to another topic",
        "AWS KMS API Reference, CreateGrant",
        scenario(
            SNS,
            "kms:Decrypt",
            DELEGATES,
            context={"aws:SourceArn": f"arn:aws:sns:eu-west-1:{HOME}:salaries"},
            grants=[
                {
                    **grant(
                        "x",
                        "Decrypt",
                        grantee_service_principal="sns.amazonaws.com",
                        constraints={"SourceArn": f"arn:aws:sns:eu-west-1:{HOME}:orders"},
                    ),
                    "grantee_principal": None,
                }
            ],
        ),
    ),
]

ID_CASES = [
    allowed(
        "unique-id-of-user",
        "key-policy",
        "the ID stands for the user it was given to",
        IDS,
        ask(with_id(user(), "AIDAEXAMPLEDANA42"), "AIDAEXAMPLEDANA42"),
    ),
    denied(
        "unique-id-of-deleted-user",
        "implicit-deny",
        "a new user of the old name has another ID",
        IDS,
        ask(with_id(user(), "AIDAEXAMPLENEW"), "AIDAEXAMPLEDANA42"),
    ),
    denied(
        "unique-id-unknown",
        "implicit-deny",
        "the caller's ID is not known, nothing matches",
        IDS,
        ask(user(), "AIDAEXAMPLEDANA42"),
    ),
    allowed(
        "unique-id-of-role",
        "key-policy",
        "the part before the colon is the role's ID",
        IDS,
        ask(with_id(role(), "AROAEXAMPLEAPP42:job"), "AROAEXAMPLEAPP42"),
    ),
    denied(
        "unique-id-of-deleted-role",
        "implicit-deny",
        "a new role of the old name has another ID",
        IDS,
        ask(with_id(role(), "AROAEXAMPLENEW:job"), "AROAEXAMPLEAPP42"),
    ),
    allowed(
        "unique-id-of-user-is-the-user",
        "key-policy",
        "the user's ID is the user: silence of the boundary does not limit it",
        KEPT_AS_ID,
        ask(with_id(user(), "AIDAEXAMPLEDANA42"), "AIDAEXAMPLEDANA42", permissions_boundary=policy(allow("s3:*"))),
    ),
    denied(
        "unique-id-limited-as-the-role",
        "boundary",
        "the role's ID is the role: silence of the boundary limits it",
        KEPT_AS_ID,
        ask(with_id(role(), "AROAEXAMPLEAPP42:job"), "AROAEXAMPLEAPP42", permissions_boundary=policy(allow("s3:*"))),
        layer="boundary",
    ),
]

CASES = [*IDENTITIES, *ACCOUNT_CASES, *STAR_CASES, *SERVICE_CASES, *ID_CASES]
