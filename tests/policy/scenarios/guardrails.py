"""Guardrails: permissions boundary, session policy, SCPs, RCPs, endpoint policy, and which of them is named."""

from build import (
    AWAY,
    DELEGATES,
    FULL_ACCESS,
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

EVALUATION = "IAM User Guide, Policy evaluation logic"
ORDER = "IAM User Guide, How AWS enforcement code logic evaluates requests"
CROSS = "IAM User Guide, Cross-account policy evaluation logic"
BOUNDARIES = "IAM User Guide, Permissions boundaries for IAM entities"
SESSIONS = "IAM User Guide, Policies and permissions in IAM, Session policies"
FEDERATION = "AWS STS API Reference, GetFederationToken"
PRINCIPAL = "IAM User Guide, AWS JSON policy elements: Principal"
NOT_PRINCIPAL = "IAM User Guide, AWS JSON policy elements: NotPrincipal"
SCP = "AWS Organizations User Guide, Service control policies (SCPs)"
SCP_EVALUATION = "AWS Organizations User Guide, SCP evaluation"
RCP = "AWS Organizations User Guide, Resource control policies (RCPs)"
KMS_RCP = "AWS KMS Developer Guide, Resource control policies in AWS KMS"
VPCE = "AWS KMS Developer Guide, Controlling access to a VPC endpoint"
GRANTS = "AWS KMS Developer Guide, Grants in AWS KMS"
RETIRE = "AWS KMS Developer Guide, Retiring and revoking grants"
PERMISSIONS = "AWS KMS Developer Guide, AWS KMS permissions"

DANA = f"arn:aws:iam::{HOME}:user/dana"
ERIN = f"arn:aws:iam::{HOME}:user/erin"
APP = f"arn:aws:iam::{HOME}:role/App"
JOB = f"arn:aws:sts::{HOME}:assumed-role/App/job"
GUEST = f"arn:aws:sts::{HOME}:federated-user/guest"
ACCOUNT = f"arn:aws:iam::{HOME}:root"
AWAY_DANA = f"arn:aws:iam::{AWAY}:user/dana"
AWAY_APP = f"arn:aws:iam::{AWAY}:role/App"
AWAY_JOB = f"arn:aws:sts::{AWAY}:assumed-role/App/job"
AWAY_ACCOUNT = f"arn:aws:iam::{AWAY}:root"

MAY_DECRYPT = policy(allow("kms:Decrypt"))
MAY_ALL = policy(allow("kms:*"))
ONLY_S3 = policy(allow("s3:*"))
NO_DECRYPT = policy(allow("*"), deny("kms:Decrypt", Sid="NoDecrypt"))
ORG = "o-a1b2c3d4e5"


def names(*who):
    """A key policy that allows Decrypt to whom it names, and delegates nothing."""
    return policy(allow("kms:Decrypt", list(who), Sid="Named"))


SHARED = policy(allow("kms:Decrypt", AWAY_ACCOUNT, Sid="Shared"))
SLR = role("AWSServiceRoleForAutoScaling", "AutoScaling", path="/aws-service-role/autoscaling.amazonaws.com/")
SLR_ARN = SLR["role_arn"]
LOOKALIKE = role("AWSServiceRoleForAutoScaling", "AutoScaling")
SNS = service("sns.amazonaws.com")
TO_SNS = policy(allow("kms:Decrypt", {"Service": "sns.amazonaws.com"}, Sid="Topic"))

BOUNDARY = [
    denied(
        "boundary-silent-blocks-iam-allow",
        "boundary",
        "an identity policy gives no more than the boundary allows, and this boundary only knows S3",
        BOUNDARIES,
        scenario(user(), "kms:Decrypt", DELEGATES, MAY_ALL, permissions_boundary=ONLY_S3),
        layer="boundary",
    ),
    allowed(
        "boundary-and-iam-both-allow",
        "iam-via-key-policy",
        "identity policy and boundary overlap on kms:Decrypt",
        BOUNDARIES,
        scenario(user(), "kms:Decrypt", DELEGATES, MAY_ALL, permissions_boundary=MAY_DECRYPT),
    ),
    denied(
        "boundary-allow-is-no-permission",
        "implicit-deny",
        "a boundary limits, it gives nothing: no identity policy allows",
        BOUNDARIES,
        scenario(user(), "kms:Decrypt", DELEGATES, permissions_boundary=FULL_ACCESS),
    ),
    denied(
        "boundary-and-iam-both-silent",
        "implicit-deny",
        "without any allow the boundary is never asked",
        ORDER,
        scenario(user(), "kms:Decrypt", DELEGATES, ONLY_S3, permissions_boundary=ONLY_S3),
    ),
    denied(
        "boundary-deny-beats-iam-allow",
        "explicit-deny",
        "a deny in a boundary is a deny",
        BOUNDARIES,
        scenario(user(), "kms:Decrypt", DELEGATES, MAY_ALL, permissions_boundary=NO_DECRYPT),
        layer="boundary",
        sid="NoDecrypt",
    ),
    allowed(
        "boundary-silent-spares-user-named-in-key-policy",
        "key-policy",
        "what a resource policy gives to a user's ARN is not limited by an implicit deny in the boundary",
        EVALUATION,
        scenario(user(), "kms:Decrypt", names(DANA), permissions_boundary=ONLY_S3),
        layer="key-policy",
        sid="Named",
    ),
    denied(
        "boundary-deny-hits-user-named-in-key-policy",
        "explicit-deny",
        "only silence is harmless to a named user; a deny in the boundary counts",
        EVALUATION,
        scenario(user(), "kms:Decrypt", names(DANA), permissions_boundary=NO_DECRYPT),
        layer="boundary",
        sid="NoDecrypt",
    ),
    allowed(
        "boundary-silent-two-paths-named-user-wins",
        "key-policy",
        "the delegated path is blocked by the boundary, the path that names the user is not",
        EVALUATION,
        scenario(
            user(),
            "kms:Decrypt",
            policy(*DELEGATES["Statement"], *names(DANA)["Statement"]),
            MAY_ALL,
            permissions_boundary=ONLY_S3,
        ),
        layer="key-policy",
        sid="Named",
    ),
    denied(
        "boundary-silent-limits-role-named-in-key-policy",
        "boundary",
        "what a resource policy gives to a role's ARN is limited by an implicit deny in the boundary",
        EVALUATION,
        scenario(role(), "kms:Decrypt", names(APP), permissions_boundary=ONLY_S3),
        layer="boundary",
    ),
    allowed(
        "boundary-allows-role-named-in-key-policy",
        "key-policy",
        "key policy names the role and the boundary allows; identity policies are not needed",
        EVALUATION,
        scenario(role(), "kms:Decrypt", names(APP), permissions_boundary=MAY_DECRYPT),
    ),
    allowed(
        "boundary-silent-spares-session-named-in-key-policy",
        "key-policy",
        "what is given to the session's own ARN is not limited by an implicit deny in the boundary",
        EVALUATION,
        scenario(role(), "kms:Decrypt", names(JOB), permissions_boundary=ONLY_S3),
    ),
    denied(
        "boundary-deny-hits-session-named-in-key-policy",
        "explicit-deny",
        "a deny in the boundary counts for a named session too",
        EVALUATION,
        scenario(role(), "kms:Decrypt", names(JOB), permissions_boundary=NO_DECRYPT),
        layer="boundary",
    ),
    denied(
        "boundary-silent-blocks-delegated-role",
        "boundary",
        "the account statement with an identity policy is always within the boundary",
        BOUNDARIES,
        scenario(role(), "kms:Decrypt", DELEGATES, MAY_ALL, permissions_boundary=ONLY_S3),
        layer="boundary",
    ),
    denied(
        "boundary-silent-limits-named-user-across-accounts",
        "boundary",
        "across accounts the caller's own account must allow, and its boundary is part of that",
        CROSS,
        scenario(user(account=AWAY), "kms:Decrypt", names(AWAY_DANA), MAY_DECRYPT, permissions_boundary=ONLY_S3),
        layer="boundary",
    ),
    allowed(
        "boundary-allows-named-user-across-accounts",
        "cross-account",
        "key policy, identity policy and boundary all allow",
        CROSS,
        scenario(user(account=AWAY), "kms:Decrypt", names(AWAY_DANA), MAY_DECRYPT, permissions_boundary=MAY_ALL),
    ),
    denied(
        "boundary-silent-limits-named-session-across-accounts",
        "boundary",
        "that a named session escapes the boundary holds within one account only",
        EVALUATION,
        scenario(role(account=AWAY), "kms:Decrypt", names(AWAY_JOB), MAY_DECRYPT, permissions_boundary=ONLY_S3),
        layer="boundary",
    ),
    denied(
        "boundary-silent-blocks-list-keys",
        "boundary",
        "no key policy takes part in ListKeys, so the boundary limits the identity policy",
        BOUNDARIES,
        scenario(user(), "kms:ListKeys", None, MAY_ALL, resource="*", permissions_boundary=ONLY_S3),
        layer="boundary",
    ),
    allowed(
        "boundary-allows-create-key",
        "iam-policy",
        "CreateKey is decided by identity policy and boundary",
        BOUNDARIES,
        scenario(
            user(), "kms:CreateKey", None, MAY_ALL, resource="*", permissions_boundary=policy(allow("kms:CreateKey"))
        ),
    ),
    denied(
        "boundary-condition-fails",
        "boundary",
        "the boundary's only allow asks for MFA that the request lacks",
        BOUNDARIES,
        scenario(
            user(),
            "kms:Decrypt",
            DELEGATES,
            MAY_ALL,
            permissions_boundary=policy(allow("kms:*", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})),
        ),
        layer="boundary",
    ),
    allowed(
        "boundary-condition-holds",
        "iam-via-key-policy",
        "the same boundary with MFA present",
        BOUNDARIES,
        scenario(
            user(),
            "kms:Decrypt",
            DELEGATES,
            MAY_ALL,
            context={"aws:MultiFactorAuthPresent": "true"},
            permissions_boundary=policy(allow("kms:*", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})),
        ),
    ),
    denied(
        "boundary-names-another-key",
        "boundary",
        "the boundary allows Decrypt, but on another key",
        BOUNDARIES,
        scenario(
            user(),
            "kms:Decrypt",
            DELEGATES,
            MAY_ALL,
            permissions_boundary=policy(allow("kms:Decrypt", resource=KEY.replace("0f0e", "ffff"))),
        ),
        layer="boundary",
    ),
    allowed(
        "boundary-silent-spares-user-under-star",
        "key-policy",
        "everyone includes the user, who needs no other permission in the key's own account",
        PRINCIPAL + ", All principals (unverified)",
        scenario(user(), "kms:Decrypt", policy(allow("kms:Decrypt", "*")), permissions_boundary=ONLY_S3),
    ),
    allowed(
        "boundary-silent-spares-role-by-principal-arn",
        "key-policy",
        "boundaries do not limit what aws:PrincipalArn under Principal * gives to a role",
        PRINCIPAL + ", IAM role principals",
        scenario(
            role(),
            "kms:Decrypt",
            policy(allow("kms:Decrypt", "*", Condition={"ArnEquals": {"aws:PrincipalArn": APP}})),
            context={"aws:PrincipalArn": APP},
            permissions_boundary=ONLY_S3,
        ),
    ),
    denied(
        "boundary-deny-hits-role-by-principal-arn",
        "explicit-deny",
        "unless they contain an explicit deny",
        PRINCIPAL + ", IAM role principals",
        scenario(
            role(),
            "kms:Decrypt",
            policy(allow("kms:Decrypt", "*", Condition={"ArnEquals": {"aws:PrincipalArn": APP}})),
            context={"aws:PrincipalArn": APP},
            permissions_boundary=NO_DECRYPT,
        ),
        layer="boundary",
    ),
    allowed(
        "boundary-silent-spares-user-with-grant",
        "grant",
        "a grant that names the user is a resource-based permission for the user",
        GRANTS + " (unverified)",
        scenario(user(), "kms:Decrypt", DELEGATES, permissions_boundary=ONLY_S3, grants=[grant(DANA, "Decrypt")]),
    ),
    denied(
        "boundary-silent-limits-role-with-grant",
        "boundary",
        "a grant that names the role is limited as a key policy that names it",
        GRANTS + " (unverified)",
        scenario(role(), "kms:Decrypt", DELEGATES, permissions_boundary=ONLY_S3, grants=[grant(APP, "Decrypt")]),
        layer="boundary",
    ),
    denied(
        "boundary-deny-beats-grant",
        "explicit-deny",
        "grants allow, any explicit deny overrides them",
        GRANTS,
        scenario(user(), "kms:Decrypt", DELEGATES, permissions_boundary=NO_DECRYPT, grants=[grant(DANA, "Decrypt")]),
        layer="boundary",
    ),
]

SESSION = [
    allowed(
        "session-without-policy-has-the-roles-permissions",
        "iam-via-key-policy",
        "a session policy is optional when a role is assumed",
        SESSIONS,
        scenario(role(), "kms:Decrypt", DELEGATES, MAY_DECRYPT),
    ),
    denied(
        "session-policy-silent-blocks-iam-allow",
        "session-policy",
        "the session has the intersection of the role's policies and the session policy",
        SESSIONS,
        scenario(role(), "kms:Decrypt", DELEGATES, MAY_DECRYPT, session_policy=ONLY_S3),
        layer="session-policy",
    ),
    allowed(
        "session-policy-and-iam-both-allow",
        "iam-via-key-policy",
        "both sides of the intersection hold kms:Decrypt",
        SESSIONS,
        scenario(role(), "kms:Decrypt", DELEGATES, MAY_ALL, session_policy=MAY_DECRYPT),
    ),
    denied(
        "session-policy-is-no-permission",
        "implicit-deny",
        "a session policy cannot give more than the role has",
        SESSIONS,
        scenario(role(), "kms:Decrypt", DELEGATES, session_policy=MAY_ALL),
    ),
    denied(
        "session-policy-deny",
        "explicit-deny",
        "a deny in a session policy is a deny",
        SESSIONS,
        scenario(role(), "kms:Decrypt", DELEGATES, MAY_ALL, session_policy=NO_DECRYPT),
        layer="session-policy",
        sid="NoDecrypt",
    ),
    denied(
        "session-policy-silent-limits-named-role",
        "session-policy",
        "a key policy that names the role's ARN is limited by the session policy",
        EVALUATION,
        scenario(role(), "kms:Decrypt", names(APP), session_policy=ONLY_S3),
        layer="session-policy",
    ),
    allowed(
        "session-policy-silent-spares-named-session",
        "key-policy",
        "a key policy that names the session adds to the session policy",
        EVALUATION,
        scenario(role(), "kms:Decrypt", names(JOB), session_policy=ONLY_S3),
    ),
    denied(
        "session-policy-silent-other-session-named",
        "implicit-deny",
        "the key policy names another session of the role, so nothing allows this one",
        EVALUATION,
        scenario(role(session="other"), "kms:Decrypt", names(JOB), session_policy=ONLY_S3),
    ),
    denied(
        "session-policy-deny-hits-named-session",
        "explicit-deny",
        "only silence is harmless to a named session",
        EVALUATION,
        scenario(role(), "kms:Decrypt", names(JOB), session_policy=NO_DECRYPT),
        layer="session-policy",
    ),
    allowed(
        "session-policy-silent-spares-role-by-principal-arn",
        "key-policy",
        "session policies do not limit what aws:PrincipalArn under Principal * gives to a role",
        PRINCIPAL + ", IAM role principals",
        scenario(
            role(),
            "kms:Decrypt",
            policy(allow("kms:Decrypt", "*", Condition={"ArnEquals": {"aws:PrincipalArn": APP}})),
            context={"aws:PrincipalArn": APP},
            session_policy=ONLY_S3,
        ),
    ),
    denied(
        "session-policy-silent-limits-named-session-across-accounts",
        "session-policy",
        "across accounts the caller's own account must allow, session policy included",
        CROSS,
        scenario(role(account=AWAY), "kms:Decrypt", names(AWAY_JOB), MAY_ALL, session_policy=ONLY_S3),
        layer="session-policy",
    ),
    denied(
        "session-policy-silent-blocks-generate-random",
        "session-policy",
        "no key takes part; the session policy limits the identity policy",
        SESSIONS,
        scenario(role(), "kms:GenerateRandom", None, MAY_ALL, resource="*", session_policy=ONLY_S3),
        layer="session-policy",
    ),
    denied(
        "federated-without-session-policy-has-nothing",
        "session-policy",
        "GetFederationToken without a policy gives a session with no permissions, whatever the user has",
        FEDERATION,
        scenario(federated(), "kms:Decrypt", DELEGATES, MAY_ALL),
        layer="session-policy",
    ),
    allowed(
        "federated-with-session-policy-inherits-intersection",
        "iam-via-key-policy",
        "the federated session has what both the user's policies and the session policy allow",
        FEDERATION,
        scenario(federated(), "kms:Decrypt", DELEGATES, MAY_ALL, session_policy=MAY_DECRYPT),
    ),
    denied(
        "federated-session-policy-alone",
        "implicit-deny",
        "the session policy cannot give what the user does not have",
        FEDERATION,
        scenario(federated(), "kms:Decrypt", DELEGATES, session_policy=MAY_ALL),
    ),
    allowed(
        "federated-named-in-key-policy-without-session-policy",
        "key-policy",
        "a resource policy that names the federated session gives directly to it, session policy or not",
        FEDERATION,
        scenario(federated(), "kms:Decrypt", names(GUEST)),
    ),
    denied(
        "federated-user-behind-named-without-session-policy",
        "session-policy",
        "naming the IAM user who federated is limited by an implicit deny in the session policy",
        EVALUATION,
        scenario(federated(), "kms:Decrypt", names(DANA)),
        layer="session-policy",
    ),
    allowed(
        "federated-user-behind-named-with-session-policy",
        "key-policy",
        "the user's ARN is named and the session policy allows",
        EVALUATION,
        scenario(federated(), "kms:Decrypt", names(DANA), session_policy=MAY_DECRYPT),
    ),
    denied(
        "federated-user-behind-named-boundary-silent",
        "boundary",
        "requests of the federated session under the user's ARN are limited by the user's boundary",
        EVALUATION,
        scenario(federated(), "kms:Decrypt", names(DANA), session_policy=MAY_DECRYPT, permissions_boundary=ONLY_S3),
        layer="boundary",
    ),
    allowed(
        "session-policy-silent-spares-session-with-grant",
        "grant",
        "a grant whose grantee is the session's own ARN gives directly to the session",
        GRANTS + " (unverified)",
        scenario(role(), "kms:Decrypt", DELEGATES, session_policy=ONLY_S3, grants=[grant(JOB, "Decrypt")]),
    ),
    denied(
        "session-policy-silent-limits-role-with-grant",
        "session-policy",
        "a grant to the role is limited by the session policy as a key policy would be",
        GRANTS + " (unverified)",
        scenario(role(), "kms:Decrypt", DELEGATES, session_policy=ONLY_S3, grants=[grant(APP, "Decrypt")]),
        layer="session-policy",
    ),
    denied(
        "boundary-and-session-policy-both-silent",
        "boundary",
        "the boundary is asked before the session policy",
        ORDER,
        scenario(role(), "kms:Decrypt", DELEGATES, MAY_ALL, permissions_boundary=ONLY_S3, session_policy=ONLY_S3),
        layer="boundary",
    ),
    denied(
        "boundary-allows-session-policy-silent",
        "session-policy",
        "every limit must allow; here the session policy does not",
        BOUNDARIES,
        scenario(role(), "kms:Decrypt", DELEGATES, MAY_ALL, permissions_boundary=MAY_ALL, session_policy=ONLY_S3),
        layer="session-policy",
    ),
    allowed(
        "boundary-session-policy-and-iam-allow",
        "iam-via-key-policy",
        "all three allow",
        BOUNDARIES,
        scenario(role(), "kms:Decrypt", DELEGATES, MAY_ALL, permissions_boundary=MAY_ALL, session_policy=MAY_DECRYPT),
    ),
]


def under_scps(*levels, caller=None, action="kms:Decrypt", key_policy=DELEGATES, iam=(MAY_ALL,), **more):
    """The caller (dana unless told) under SCPs, from the root of the organization down."""
    return scenario(caller or user(), action, key_policy, *iam, scps=[list(level) for level in levels], **more)


FULL = [FULL_ACCESS]
NO_DECRYPT_SCP = [FULL_ACCESS, policy(deny("kms:Decrypt", Sid="NoDecrypt"))]
EU_ONLY = policy(
    deny(
        None,
        Sid="EuropeOnly",
        NotAction=["iam:*", "sts:*"],
        Condition={"StringNotEquals": {"aws:RequestedRegion": ["eu-west-1", "eu-central-1"]}},
    )
)

SCPS = [
    allowed(
        "scp-full-access-at-every-level",
        "iam-via-key-policy",
        "FullAWSAccess at root, OU and account: the SCPs take nothing away",
        SCP_EVALUATION,
        under_scps(FULL, FULL, FULL),
    ),
    denied(
        "scp-ou-level-silent",
        "scp",
        "an allow is needed at every level from the root down, the OU only allows S3",
        SCP_EVALUATION,
        under_scps(FULL, [ONLY_S3], FULL),
        layer="scp",
    ),
    denied(
        "scp-root-level-silent",
        "scp",
        "what the root does not allow cannot be allowed below",
        SCP_EVALUATION,
        under_scps([ONLY_S3], FULL, FULL),
        layer="scp",
    ),
    denied(
        "scp-account-level-silent",
        "scp",
        "what the root allows must be allowed at the account too",
        SCP_EVALUATION,
        under_scps(FULL, FULL, [ONLY_S3]),
        layer="scp",
    ),
    denied(
        "scp-level-without-any-policy",
        "scp",
        "a level with no SCP attached allows nothing",
        SCP_EVALUATION,
        under_scps(FULL, [], FULL),
        layer="scp",
    ),
    allowed(
        "scp-no-organization",
        "iam-via-key-policy",
        "without an organization there are no SCPs to pass",
        SCP,
        under_scps(),
    ),
    denied(
        "scp-deny-at-ou",
        "explicit-deny",
        "a deny at any level reaches every account below",
        SCP_EVALUATION,
        under_scps(FULL, NO_DECRYPT_SCP, FULL),
        layer="scp",
        sid="NoDecrypt",
    ),
    denied(
        "scp-deny-at-account",
        "explicit-deny",
        "a deny at the account itself",
        SCP_EVALUATION,
        under_scps(FULL, FULL, NO_DECRYPT_SCP),
        layer="scp",
        sid="NoDecrypt",
    ),
    allowed(
        "scp-deny-of-another-action",
        "iam-via-key-policy",
        "the deny is of Decrypt, the call is Encrypt",
        SCP_EVALUATION,
        under_scps(FULL, NO_DECRYPT_SCP, FULL, action="kms:Encrypt"),
    ),
    allowed(
        "scp-allow-lists-overlap",
        "iam-via-key-policy",
        "kms:Decrypt is in the allow list of each level",
        SCP_EVALUATION,
        under_scps(FULL, [MAY_ALL], [policy(allow(["kms:Decrypt", "s3:*"]))]),
    ),
    denied(
        "scp-allow-lists-do-not-overlap",
        "scp",
        "the OU's list has Encrypt, the account's has not",
        SCP_EVALUATION,
        under_scps(FULL, [MAY_ALL], [policy(allow(["kms:Decrypt", "s3:*"]))], action="kms:Encrypt"),
        layer="scp",
    ),
    allowed(
        "scp-two-documents-at-one-level",
        "iam-via-key-policy",
        "within a level one allow in any document is enough",
        SCP_EVALUATION,
        under_scps(FULL, [ONLY_S3, MAY_DECRYPT]),
    ),
    denied(
        "scp-allow-is-no-permission",
        "implicit-deny",
        "SCPs give nothing; no identity policy allows",
        SCP,
        under_scps(FULL, FULL, iam=()),
    ),
    denied(
        "scp-silent-limits-user-named-in-key-policy",
        "scp",
        "SCPs limit resource-based permissions of principals of the account as well",
        EVALUATION,
        under_scps(FULL, [ONLY_S3], key_policy=names(DANA), iam=()),
        layer="scp",
    ),
    denied(
        "scp-silent-limits-member-root-user",
        "scp",
        "SCPs bind the root user of a member account",
        SCP,
        under_scps(FULL, [ONLY_S3], caller=root(), iam=()),
        layer="scp",
    ),
    denied(
        "scp-deny-hits-member-root-user",
        "explicit-deny",
        "a deny binds the root user too",
        SCP,
        under_scps(FULL, NO_DECRYPT_SCP, caller=root(), iam=()),
        layer="scp",
    ),
    allowed(
        "scp-allows-member-root-user",
        "account-root",
        "the account statement is for the root user, and the SCPs allow",
        SCP,
        under_scps(FULL, FULL, caller=root(), iam=()),
        layer="key-policy",
    ),
    allowed(
        "scp-spares-service-linked-role",
        "key-policy",
        "SCPs do not affect service-linked roles",
        SCP,
        under_scps(FULL, NO_DECRYPT_SCP, [ONLY_S3], caller=SLR, key_policy=names(SLR_ARN), iam=()),
    ),
    denied(
        "scp-binds-role-that-only-looks-service-linked",
        "explicit-deny",
        "the path /aws-service-role/ makes a service-linked role, not its name",
        SCP,
        under_scps(FULL, NO_DECRYPT_SCP, caller=LOOKALIKE, key_policy=names(LOOKALIKE["role_arn"]), iam=()),
        layer="scp",
    ),
    allowed(
        "scp-spares-service-principal",
        "key-policy",
        "SCPs bind principals of member accounts; a service principal belongs to none",
        SCP,
        under_scps(FULL, NO_DECRYPT_SCP, caller=SNS, key_policy=TO_SNS, iam=()),
    ),
    denied(
        "scp-silent-across-accounts",
        "scp",
        "the caller's account is a member, its SCPs bind calls on foreign keys",
        CROSS,
        under_scps(FULL, [ONLY_S3], caller=user(account=AWAY), key_policy=SHARED),
        layer="scp",
    ),
    denied(
        "scp-deny-across-accounts",
        "explicit-deny",
        "a deny in the caller's organization reaches calls on foreign keys",
        CROSS,
        under_scps(FULL, NO_DECRYPT_SCP, caller=user(account=AWAY), key_policy=SHARED),
        layer="scp",
    ),
    allowed(
        "scp-of-key-account-does-not-bind-foreign-caller",
        "cross-account",
        "SCPs bind the principals of their account, not those who come to its resources",
        SCP,
        scenario(user(account=AWAY), "kms:Decrypt", SHARED, MAY_DECRYPT, key_account_scps=[FULL, NO_DECRYPT_SCP]),
    ),
    denied(
        "scp-region-deny",
        "explicit-deny",
        "the call goes to a Region off the list",
        SCP + ", General examples",
        under_scps(
            FULL,
            [FULL_ACCESS, EU_ONLY],
            context={"aws:RequestedRegion": "us-east-1"},
            resource=KEY.replace("eu-west-1", "us-east-1"),
        ),
        layer="scp",
        sid="EuropeOnly",
    ),
    allowed(
        "scp-region-deny-does-not-apply",
        "iam-via-key-policy",
        "the call goes to a Region on the list",
        SCP + ", General examples",
        under_scps(FULL, [FULL_ACCESS, EU_ONLY], context={"aws:RequestedRegion": "eu-west-1"}),
    ),
    denied(
        "scp-silent-blocks-list-keys",
        "scp",
        "calls without a key are bound too",
        SCP,
        under_scps(FULL, [ONLY_S3], action="kms:ListKeys", key_policy=None, resource="*"),
        layer="scp",
    ),
    denied(
        "scp-deny-beats-grant",
        "explicit-deny",
        "an explicit deny overrides a grant",
        GRANTS,
        under_scps(FULL, NO_DECRYPT_SCP, iam=(), grants=[grant(DANA, "Decrypt")]),
        layer="scp",
    ),
    denied(
        "scp-silent-limits-grant",
        "scp",
        "SCPs limit what principals may do, wherever the permission comes from",
        SCP,
        under_scps(FULL, [ONLY_S3], iam=(), grants=[grant(DANA, "Decrypt")]),
        layer="scp",
    ),
    denied(
        "scp-silent-and-nothing-allows",
        "scp",
        "the SCPs are asked before identity policies",
        ORDER,
        under_scps(FULL, [ONLY_S3], iam=()),
        layer="scp",
    ),
    denied(
        "scp-deny-of-retire-grant",
        "explicit-deny",
        "the retiring principal may retire, but an SCP of its account denies",
        SCP,
        under_scps(
            [FULL_ACCESS, policy(deny("kms:RetireGrant", Sid="KeepGrants"))],
            action="kms:RetireGrant",
            iam=(),
            grants=[grant(APP, "Decrypt", retiring_principal=DANA)],
        ),
        layer="scp",
        sid="KeepGrants",
    ),
]

#: both from the KMS guide's page on RCPs
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
CONFUSED_DEPUTY = policy(
    deny(
        "kms:*",
        "*",
        Sid="RCPEnforceConfusedDeputyProtection",
        Condition={
            "StringNotEqualsIfExists": {"aws:SourceOrgID": ORG},
            "Null": {"aws:SourceAccount": "false"},
            "Bool": {"aws:PrincipalIsAWSService": "true"},
        },
    )
)
NO_USE = policy(deny("kms:*", "*", Sid="NoUse"))
INSIDE = {"aws:PrincipalOrgID": ORG, "aws:PrincipalIsAWSService": "false"}
OUTSIDE = {"aws:PrincipalOrgID": "o-zzzzzzzzzz", "aws:PrincipalIsAWSService": "false"}

RCPS = [
    denied(
        "rcp-perimeter-stops-stranger",
        "explicit-deny",
        "the key is shared with an account outside the organization; the RCP denies it all the same",
        KMS_RCP,
        scenario(user(account=AWAY), "kms:Decrypt", SHARED, MAY_DECRYPT, context=OUTSIDE, rcps=[[IDENTITY_PERIMETER]]),
        layer="rcp",
        sid="RCPEnforceIdentityPerimeter",
    ),
    allowed(
        "rcp-perimeter-lets-member-account-in",
        "cross-account",
        "the caller's account is of the organization",
        KMS_RCP,
        scenario(user(account=AWAY), "kms:Decrypt", SHARED, MAY_DECRYPT, context=INSIDE, rcps=[[IDENTITY_PERIMETER]]),
    ),
    denied(
        "rcp-perimeter-stops-account-without-organization",
        "explicit-deny",
        "no aws:PrincipalOrgID at all: StringNotEqualsIfExists is true on an absent key",
        KMS_RCP,
        scenario(
            user(account=AWAY),
            "kms:Decrypt",
            SHARED,
            MAY_DECRYPT,
            context={"aws:PrincipalIsAWSService": "false"},
            rcps=[[IDENTITY_PERIMETER]],
        ),
        layer="rcp",
    ),
    allowed(
        "rcp-perimeter-spares-service-principal",
        "key-policy",
        "a service principal never has aws:PrincipalOrgID; aws:PrincipalIsAWSService excepts it",
        KMS_RCP,
        scenario(
            SNS, "kms:Decrypt", TO_SNS, context={"aws:PrincipalIsAWSService": "true"}, rcps=[[IDENTITY_PERIMETER]]
        ),
    ),
    denied(
        "rcp-deputy-stops-service-for-stranger",
        "explicit-deny",
        "the service acts for an account outside the organization",
        KMS_RCP,
        scenario(
            SNS,
            "kms:Decrypt",
            TO_SNS,
            rcps=[[CONFUSED_DEPUTY]],
            context={"aws:PrincipalIsAWSService": "true", "aws:SourceAccount": AWAY, "aws:SourceOrgID": "o-zzzzzzzzzz"},
        ),
        layer="rcp",
        sid="RCPEnforceConfusedDeputyProtection",
    ),
    allowed(
        "rcp-deputy-lets-service-for-member",
        "key-policy",
        "the service acts for an account of the organization",
        KMS_RCP,
        scenario(
            SNS,
            "kms:Decrypt",
            TO_SNS,
            rcps=[[CONFUSED_DEPUTY]],
            context={"aws:PrincipalIsAWSService": "true", "aws:SourceAccount": AWAY, "aws:SourceOrgID": ORG},
        ),
    ),
    denied(
        "rcp-deputy-stops-service-for-account-without-organization",
        "explicit-deny",
        "an account without organization has no aws:SourceOrgID, but it has aws:SourceAccount",
        KMS_RCP,
        scenario(
            SNS,
            "kms:Decrypt",
            TO_SNS,
            rcps=[[CONFUSED_DEPUTY]],
            context={"aws:PrincipalIsAWSService": "true", "aws:SourceAccount": AWAY},
        ),
        layer="rcp",
    ),
    allowed(
        "rcp-deputy-spares-service-without-source",
        "key-policy",
        "Null on aws:SourceAccount keeps the deny off calls that carry no source",
        KMS_RCP,
        scenario(SNS, "kms:Decrypt", TO_SNS, rcps=[[CONFUSED_DEPUTY]], context={"aws:PrincipalIsAWSService": "true"}),
    ),
    denied(
        "rcp-binds-service-principal",
        "explicit-deny",
        "unlike SCPs, RCPs reach service principals",
        RCP,
        scenario(SNS, "kms:Decrypt", TO_SNS, rcps=[[NO_USE]]),
        layer="rcp",
        sid="NoUse",
    ),
    denied(
        "rcp-binds-callers-of-the-keys-account",
        "explicit-deny",
        "RCPs concern the resource, whoever calls",
        RCP,
        scenario(user(), "kms:Decrypt", DELEGATES, MAY_ALL, rcps=[[NO_USE]]),
        layer="rcp",
    ),
    denied(
        "rcp-binds-root-user-of-the-keys-account",
        "explicit-deny",
        "the root user's access to the resource is bound too",
        RCP,
        scenario(root(), "kms:Decrypt", DELEGATES, rcps=[[NO_USE]]),
        layer="rcp",
    ),
    allowed(
        "rcp-spares-service-linked-role",
        "key-policy",
        "RCPs do not affect calls made by a service-linked role",
        RCP,
        scenario(SLR, "kms:Decrypt", names(SLR_ARN), rcps=[[NO_USE]]),
    ),
    denied(
        "rcp-binds-role-that-only-looks-service-linked",
        "explicit-deny",
        "the path makes the difference",
        RCP,
        scenario(LOOKALIKE, "kms:Decrypt", names(LOOKALIKE["role_arn"]), rcps=[[NO_USE]]),
        layer="rcp",
    ),
    allowed(
        "rcp-spares-aws-managed-key",
        "key-policy",
        "RCPs do not apply to AWS managed keys",
        KMS_RCP,
        scenario(user(), "kms:Decrypt", names(DANA), key={"manager": "AWS"}, rcps=[[NO_USE]]),
    ),
    denied(
        "rcp-binds-customer-managed-key",
        "explicit-deny",
        "the same with a customer managed key",
        KMS_RCP,
        scenario(user(), "kms:Decrypt", names(DANA), key={"manager": "CUSTOMER"}, rcps=[[NO_USE]]),
        layer="rcp",
    ),
    allowed(
        "rcp-has-no-say-in-retire-grant",
        "grant",
        "kms:RetireGrant is not effective in an RCP, even under a wildcard",
        KMS_RCP,
        scenario(
            user(),
            "kms:RetireGrant",
            DELEGATES,
            rcps=[[NO_USE]],
            grants=[grant(APP, "Decrypt", retiring_principal=DANA)],
        ),
    ),
    denied(
        "rcp-has-a-say-in-revoke-grant",
        "explicit-deny",
        "RevokeGrant is decided by policies, RCPs among them",
        KMS_RCP,
        scenario(user(), "kms:RevokeGrant", DELEGATES, MAY_ALL, rcps=[[NO_USE]], grants=[grant(APP, "Decrypt")]),
        layer="rcp",
    ),
    denied(
        "rcp-deny-beats-grant",
        "explicit-deny",
        "an explicit deny overrides a grant",
        GRANTS,
        scenario(user(), "kms:Decrypt", DELEGATES, rcps=[[NO_USE]], grants=[grant(DANA, "Decrypt")]),
        layer="rcp",
    ),
    allowed(
        "rcp-level-without-policy-is-full-access",
        "iam-via-key-policy",
        "RCPFullAWSAccess is attached to every level and cannot be taken off",
        RCP,
        scenario(user(), "kms:Decrypt", DELEGATES, MAY_ALL, rcps=[[], []]),
    ),
    denied(
        "rcp-full-access-is-no-permission",
        "implicit-deny",
        "an RCP gives nothing",
        RCP,
        scenario(user(), "kms:Decrypt", DELEGATES, rcps=[[policy(allow("*", "*"))]]),
    ),
    allowed(
        "rcp-of-callers-account-does-not-matter",
        "cross-account",
        "RCPs protect the resources of their accounts; the key is elsewhere",
        RCP,
        scenario(user(account=AWAY), "kms:Decrypt", SHARED, MAY_DECRYPT, principal_account_rcps=[[NO_USE]]),
    ),
    denied(
        "rcp-deny-at-a-lower-level",
        "explicit-deny",
        "a deny at the OU reaches the account",
        RCP,
        scenario(user(), "kms:Decrypt", DELEGATES, MAY_ALL, rcps=[[], [NO_USE], []]),
        layer="rcp",
    ),
    denied(
        "rcp-asks-for-tls",
        "explicit-deny",
        "the RCP denies calls without TLS",
        RCP,
        scenario(
            user(),
            "kms:Decrypt",
            DELEGATES,
            MAY_ALL,
            context={"aws:SecureTransport": "false"},
            rcps=[[policy(deny("*", "*", Sid="Tls", Condition={"BoolIfExists": {"aws:SecureTransport": "false"}}))]],
        ),
        layer="rcp",
        sid="Tls",
    ),
]


def via_endpoint(vpce, caller=None, action="kms:Decrypt", key_policy=DELEGATES, iam=(MAY_ALL,), **more):
    return scenario(caller or user(), action, key_policy, *iam, vpce_policy=vpce, **more)


ANYONE = policy(allow("*", "*"))

ENDPOINT = [
    allowed(
        "vpce-default-policy",
        "iam-via-key-policy",
        "the default endpoint policy lets everyone do everything",
        VPCE,
        via_endpoint(ANYONE),
    ),
    denied(
        "vpce-default-policy-is-no-permission",
        "implicit-deny",
        "the endpoint policy gives nothing that key and identity policies do not",
        VPCE,
        via_endpoint(ANYONE, iam=()),
    ),
    denied(
        "vpce-silent-on-action",
        "vpce",
        "the endpoint lets Encrypt through, not Decrypt",
        VPCE,
        via_endpoint(policy(allow("kms:Encrypt", "*"))),
        layer="vpce",
    ),
    allowed(
        "vpce-allows-named-user",
        "iam-via-key-policy",
        "the endpoint policy names the caller",
        VPCE,
        via_endpoint(policy(allow("kms:Decrypt", DANA))),
    ),
    denied(
        "vpce-names-another-user",
        "vpce",
        "the endpoint policy names somebody else",
        VPCE,
        via_endpoint(policy(allow("kms:Decrypt", ERIN))),
        layer="vpce",
    ),
    allowed(
        "vpce-names-role-of-session",
        "iam-via-key-policy",
        "the role's ARN stands for its sessions",
        VPCE,
        via_endpoint(policy(allow("kms:Decrypt", APP)), caller=role()),
    ),
    denied(
        "vpce-names-another-key",
        "vpce",
        "the endpoint is for another key only",
        VPCE,
        via_endpoint(policy(allow("kms:*", "*", KEY.replace("0f0e", "ffff")))),
        layer="vpce",
    ),
    denied(
        "vpce-deny",
        "explicit-deny",
        "a deny in the endpoint policy is a deny",
        VPCE,
        via_endpoint(policy(allow("*", "*"), deny("kms:Decrypt", "*", Sid="NoDecrypt"))),
        layer="vpce",
        sid="NoDecrypt",
    ),
    allowed(
        "vpce-deny-of-somebody-else",
        "iam-via-key-policy",
        "the deny names another user",
        VPCE,
        via_endpoint(policy(allow("*", "*"), deny("kms:Decrypt", ERIN))),
    ),
    denied(
        "vpce-silent-limits-user-named-in-key-policy",
        "vpce",
        "the endpoint must let the call through, whatever the key policy says",
        VPCE,
        via_endpoint(policy(allow("s3:*", "*")), key_policy=names(DANA), iam=()),
        layer="vpce",
    ),
    denied(
        "vpce-silent-limits-root-user",
        "vpce",
        "the endpoint policy makes no exception for the root user",
        VPCE,
        via_endpoint(policy(allow("kms:Decrypt", DANA)), caller=root(), iam=()),
        layer="vpce",
    ),
    denied(
        "vpce-silent-limits-grant",
        "vpce",
        "the endpoint must let the call through, whatever grants say",
        "AWS KMS Developer Guide, Connect to an AWS KMS VPC endpoint, Required permissions",
        via_endpoint(policy(allow("s3:*", "*")), iam=(), grants=[grant(DANA, "Decrypt")]),
        layer="vpce",
    ),
    denied(
        "vpce-organization-condition-fails",
        "vpce",
        "the endpoint is for principals of the organization",
        VPCE,
        via_endpoint(policy(allow("*", "*", Condition={"StringEquals": {"aws:PrincipalOrgID": ORG}})), context=OUTSIDE),
        layer="vpce",
    ),
    allowed(
        "vpce-organization-condition-holds",
        "iam-via-key-policy",
        "the caller is of the organization",
        VPCE,
        via_endpoint(policy(allow("*", "*", Condition={"StringEquals": {"aws:PrincipalOrgID": ORG}})), context=INSIDE),
    ),
    denied(
        "vpce-silent-across-accounts",
        "vpce",
        "a call on a foreign key passes the endpoint as any other",
        VPCE,
        via_endpoint(policy(allow("s3:*", "*")), caller=user(account=AWAY), key_policy=SHARED),
        layer="vpce",
    ),
]

ALL_SILENT = {"permissions_boundary": ONLY_S3, "session_policy": ONLY_S3, "vpce_policy": policy(allow("s3:*", "*"))}
DENIES = {
    "permissions_boundary": NO_DECRYPT,
    "session_policy": NO_DECRYPT,
    "scps": [[NO_DECRYPT]],
    "rcps": [[policy(deny("kms:Decrypt", "*", Sid="NoDecrypt"))]],
    "vpce_policy": policy(allow("*", "*"), deny("kms:Decrypt", "*", Sid="NoDecrypt")),
}
ONE_NAMED = "IAM User Guide, Troubleshoot access denied error messages (order among layers unverified)"


def denies(*layers):
    return {layer: DENIES[layer] for layer in layers}


PRECEDENCE = [
    denied(
        "deny-in-identity-policy-is-named-before-the-boundarys",
        "explicit-deny",
        "several deny, one is named",
        ONE_NAMED,
        scenario(role(), "kms:Decrypt", DELEGATES, NO_DECRYPT, **DENIES),
        layer="identity-policy",
    ),
    denied(
        "deny-in-key-policy-is-named-first",
        "explicit-deny",
        "several deny, one is named",
        ONE_NAMED,
        scenario(
            role(),
            "kms:Decrypt",
            policy(*DELEGATES["Statement"], deny("kms:Decrypt", "*", Sid="Locked")),
            NO_DECRYPT,
            **DENIES,
        ),
        layer="key-policy",
        sid="Locked",
    ),
    denied(
        "deny-in-boundary-is-named-before-the-session-policys",
        "explicit-deny",
        "several deny, one is named",
        ONE_NAMED,
        scenario(role(), "kms:Decrypt", DELEGATES, MAY_ALL, **DENIES),
        layer="boundary",
    ),
    denied(
        "deny-in-session-policy-is-named-before-the-scps",
        "explicit-deny",
        "several deny, one is named",
        ONE_NAMED,
        scenario(role(), "kms:Decrypt", DELEGATES, MAY_ALL, **denies("session_policy", "scps", "rcps", "vpce_policy")),
        layer="session-policy",
    ),
    denied(
        "deny-in-scp-is-named-before-the-rcps",
        "explicit-deny",
        "several deny, one is named",
        ONE_NAMED,
        scenario(role(), "kms:Decrypt", DELEGATES, MAY_ALL, **denies("scps", "rcps", "vpce_policy")),
        layer="scp",
    ),
    denied(
        "deny-in-rcp-is-named-before-the-endpoints",
        "explicit-deny",
        "several deny, one is named",
        ONE_NAMED,
        scenario(role(), "kms:Decrypt", DELEGATES, MAY_ALL, **denies("rcps", "vpce_policy")),
        layer="rcp",
    ),
    denied(
        "explicit-deny-is-named-before-silence",
        "explicit-deny",
        "denies are looked for first, in every policy",
        ORDER,
        scenario(role(), "kms:Decrypt", DELEGATES, MAY_ALL, scps=[[ONLY_S3]], rcps=[[NO_USE]], **ALL_SILENT),
        layer="rcp",
    ),
    denied(
        "scp-silence-is-named-before-the-endpoints-boundarys-and-sessions",
        "scp",
        "SCPs are asked before the other limits",
        ORDER,
        scenario(role(), "kms:Decrypt", DELEGATES, MAY_ALL, scps=[[ONLY_S3]], **ALL_SILENT),
        layer="scp",
    ),
    denied(
        "endpoint-silence-is-named-before-the-boundarys",
        "vpce",
        "the request passes the endpoint before the caller's limits are asked",
        ORDER + " (unverified)",
        scenario(role(), "kms:Decrypt", DELEGATES, MAY_ALL, **ALL_SILENT),
        layer="vpce",
    ),
    denied(
        "operation-that-cannot-cross-is-named-before-scp-silence",
        "not-cross-account",
        "ScheduleKeyDeletion cannot be used on a foreign key whatever policies say",
        PERMISSIONS + " (order unverified)",
        scenario(
            user(account=AWAY),
            "kms:ScheduleKeyDeletion",
            policy(allow("kms:*", AWAY_ACCOUNT)),
            MAY_ALL,
            scps=[[ONLY_S3]],
        ),
    ),
    denied(
        "explicit-deny-is-named-before-operation-that-cannot-cross",
        "explicit-deny",
        "denies are looked for first",
        ORDER + " (unverified)",
        scenario(
            user(account=AWAY),
            "kms:ScheduleKeyDeletion",
            policy(allow("kms:*", AWAY_ACCOUNT)),
            MAY_ALL,
            scps=[[FULL_ACCESS, policy(deny("kms:ScheduleKeyDeletion", Sid="KeepKeys"))]],
        ),
        layer="scp",
        sid="KeepKeys",
    ),
    denied(
        "missing-delegation-is-named-before-boundary",
        "no-iam-delegation",
        "the key policy lets IAM decide nothing, so the boundary is never asked",
        ORDER,
        scenario(user(), "kms:Decrypt", names(ERIN), MAY_ALL, permissions_boundary=ONLY_S3),
    ),
    denied(
        "missing-half-across-accounts-is-named-before-boundary",
        "cross-account-no-key-policy",
        "the key's account does not allow; the caller's limits are beside the point",
        CROSS,
        scenario(user(account=AWAY), "kms:Decrypt", DELEGATES, MAY_ALL, permissions_boundary=ONLY_S3),
    ),
    allowed(
        "every-layer-allows",
        "iam-via-key-policy",
        "seven layers, each with its allow",
        ORDER,
        scenario(
            role(),
            "kms:Decrypt",
            DELEGATES,
            MAY_DECRYPT,
            permissions_boundary=MAY_DECRYPT,
            session_policy=MAY_DECRYPT,
            scps=[[FULL_ACCESS], [MAY_ALL]],
            rcps=[[policy(allow("*", "*"))]],
            vpce_policy=ANYONE,
        ),
    ),
    allowed(
        "every-layer-allows-across-accounts",
        "cross-account",
        "both halves and all the guardrails",
        CROSS,
        scenario(
            role(account=AWAY),
            "kms:Decrypt",
            SHARED,
            MAY_DECRYPT,
            permissions_boundary=MAY_ALL,
            session_policy=MAY_DECRYPT,
            scps=[[FULL_ACCESS], [MAY_ALL]],
            rcps=[[]],
            vpce_policy=ANYONE,
        ),
    ),
    allowed(
        "service-principal-meets-key-policy-and-rcp-only",
        "key-policy",
        "a service principal has no identity policies, boundary, session policy or SCPs",
        PRINCIPAL + ", AWS service principals",
        scenario(
            SNS,
            "kms:Decrypt",
            TO_SNS,
            scps=[[ONLY_S3]],
            rcps=[[]],
            permissions_boundary=ONLY_S3,
            session_policy=ONLY_S3,
        ),
    ),
]


def all_but(*spared):
    """A key policy that delegates, and denies Decrypt to all but those listed."""
    return policy(
        *DELEGATES["Statement"],
        {
            "Sid": "AllBut",
            "Effect": "Deny",
            "NotPrincipal": {"AWS": list(spared)},
            "Action": "kms:Decrypt",
            "Resource": "*",
        },
    )


ALL_BUT_ERIN = policy(
    {"Sid": "AllBut", "Effect": "Allow", "NotPrincipal": {"AWS": ERIN}, "Action": "kms:Decrypt", "Resource": "*"}
)

NOT_PRINCIPALS = [
    allowed(
        "notprincipal-deny-spares-user-and-account",
        "iam-via-key-policy",
        "user and account are both listed",
        NOT_PRINCIPAL,
        scenario(user(), "kms:Decrypt", all_but(DANA, ACCOUNT), MAY_ALL),
    ),
    denied(
        "notprincipal-deny-lists-user-without-account",
        "explicit-deny",
        "the account is not listed, so it is denied, and with it the user",
        NOT_PRINCIPAL,
        scenario(user(), "kms:Decrypt", all_but(DANA), MAY_ALL),
        layer="key-policy",
        sid="AllBut",
    ),
    denied(
        "notprincipal-deny-lists-account-only",
        "explicit-deny",
        "all principals except those specified are denied: the account is listed, this user is not",
        NOT_PRINCIPAL,
        scenario(user(), "kms:Decrypt", all_but(ACCOUNT), MAY_ALL),
        layer="key-policy",
        sid="AllBut",
    ),
    denied(
        "notprincipal-deny-hits-other-user-of-listed-account",
        "explicit-deny",
        "erin and the account are listed, dana is not",
        NOT_PRINCIPAL,
        scenario(user(), "kms:Decrypt", all_but(ERIN, ACCOUNT), MAY_ALL),
        layer="key-policy",
    ),
    allowed(
        "notprincipal-deny-spares-root-user-of-listed-account",
        "account-root",
        "the root user is the account's principal",
        NOT_PRINCIPAL + " (unverified)",
        scenario(root(), "kms:Decrypt", all_but(DANA, ACCOUNT)),
    ),
    allowed(
        "notprincipal-deny-spares-session-role-and-account",
        "iam-via-key-policy",
        "session, role and account are all listed",
        NOT_PRINCIPAL,
        scenario(role(), "kms:Decrypt", all_but(JOB, APP, ACCOUNT), MAY_ALL),
    ),
    allowed(
        "notprincipal-deny-spares-role-and-account",
        "iam-via-key-policy",
        "the role's ARN stands for its sessions; AWS advises to list role and account",
        NOT_PRINCIPAL,
        scenario(role(), "kms:Decrypt", all_but(APP, ACCOUNT), MAY_ALL),
    ),
    denied(
        "notprincipal-deny-lists-role-without-account",
        "explicit-deny",
        "the account is checked too",
        NOT_PRINCIPAL,
        scenario(role(), "kms:Decrypt", all_but(APP, JOB), MAY_ALL),
        layer="key-policy",
    ),
    denied(
        "notprincipal-deny-hits-other-session",
        "explicit-deny",
        "only the session job and the account are listed",
        NOT_PRINCIPAL,
        scenario(role(session="night"), "kms:Decrypt", all_but(JOB, ACCOUNT), MAY_ALL),
        layer="key-policy",
    ),
    denied(
        "notprincipal-deny-always-hits-a-boundary",
        "explicit-deny",
        "NotPrincipal with Deny denies every principal that has a boundary, listed or not",
        NOT_PRINCIPAL,
        scenario(user(), "kms:Decrypt", all_but(DANA, ACCOUNT), MAY_ALL, permissions_boundary=FULL_ACCESS),
        layer="key-policy",
        sid="AllBut",
    ),
    allowed(
        "principal-arn-instead-of-notprincipal-spares-boundary",
        "iam-via-key-policy",
        "the advised form, ArnNotEquals on aws:PrincipalArn, does not mind a boundary",
        NOT_PRINCIPAL,
        scenario(
            user(),
            "kms:Decrypt",
            policy(
                *DELEGATES["Statement"],
                deny("kms:Decrypt", "*", Condition={"ArnNotEquals": {"aws:PrincipalArn": DANA}}),
            ),
            MAY_ALL,
            context={"aws:PrincipalArn": DANA},
            permissions_boundary=FULL_ACCESS,
        ),
    ),
    denied(
        "principal-arn-instead-of-notprincipal-hits-others",
        "explicit-deny",
        "the advised form denies everyone else",
        NOT_PRINCIPAL,
        scenario(
            user("erin"),
            "kms:Decrypt",
            policy(
                *DELEGATES["Statement"],
                deny("kms:Decrypt", "*", Sid="AllButDana", Condition={"ArnNotEquals": {"aws:PrincipalArn": DANA}}),
            ),
            MAY_ALL,
            context={"aws:PrincipalArn": ERIN},
        ),
        layer="key-policy",
        sid="AllButDana",
    ),
    denied(
        "notprincipal-deny-hits-foreign-user",
        "explicit-deny",
        "a principal of another account is not listed",
        NOT_PRINCIPAL,
        scenario(
            user(account=AWAY),
            "kms:Decrypt",
            policy(*SHARED["Statement"], *all_but(DANA, ACCOUNT)["Statement"]),
            MAY_ALL,
        ),
        layer="key-policy",
        sid="AllBut",
    ),
    allowed(
        "notprincipal-deny-spares-foreign-user-and-account",
        "cross-account",
        "as in AWS's example: the user in the other account and that account are listed",
        NOT_PRINCIPAL,
        scenario(
            user(account=AWAY),
            "kms:Decrypt",
            policy(*SHARED["Statement"], *all_but(AWAY_DANA, AWAY_ACCOUNT)["Statement"]),
            MAY_ALL,
        ),
    ),
    allowed(
        "notprincipal-allow-gives-to-all-others",
        "key-policy",
        "NotPrincipal with Allow allows everyone who is not listed (AWS warns against it)",
        NOT_PRINCIPAL + " (unverified: no longer supported)",
        scenario(user(), "kms:Decrypt", ALL_BUT_ERIN),
    ),
    denied(
        "notprincipal-allow-leaves-the-listed-out",
        "implicit-deny",
        "erin is listed, so nothing allows her",
        NOT_PRINCIPAL + " (unverified: no longer supported)",
        scenario(user("erin"), "kms:Decrypt", ALL_BUT_ERIN),
    ),
]

JOB = role()
RETIRING = [
    allowed(
        "retire-as-named-session-under-a-silent-boundary",
        "grant",
        "the grant names the very session as its retiring principal, so the boundary does not limit it",
        RETIRE + " (unverified: how boundaries limit it)",
        scenario(
            JOB,
            "kms:RetireGrant",
            grants=[grant(DANA, "Encrypt", retiring_principal=JOB["arn"])],
            permissions_boundary=policy(allow("s3:*")),
        ),
    ),
    denied(
        "retire-through-the-role-under-a-silent-boundary",
        "boundary",
        "the session is grantee without RetireGrant, and retires only through its role, which the boundary limits",
        RETIRE + " (unverified: how boundaries limit it)",
        scenario(
            JOB,
            "kms:RetireGrant",
            grants=[grant(JOB["arn"], "Encrypt", retiring_principal=JOB["role_arn"])],
            permissions_boundary=policy(allow("s3:*")),
        ),
    ),
    denied(
        "notprincipal-everyone-still-denies-who-has-a-boundary",
        "explicit-deny",
        "a Deny with NotPrincipal hits every principal with a boundary, whatever NotPrincipal lists",
        NOT_PRINCIPAL,
        scenario(
            user(),
            "kms:Decrypt",
            policy(allow("kms:*", DANA), {"Effect": "Deny", "NotPrincipal": "*", "Action": "kms:*", "Resource": "*"}),
            permissions_boundary=policy(allow("kms:*")),
        ),
    ),
]

FURTHER = [
    denied(
        "further-check-has-key-facts-of-its-own",
        "explicit-deny",
        "the source is an AWS managed key, which the RCP spares; the destination is a customer's, which it protects",
        KMS_RCP,
        scenario(
            user(),
            "kms:ReEncryptFrom",
            DELEGATES,
            FULL_ACCESS,
            key={"manager": "AWS"},
            rcps=[[policy(deny("kms:ReEncrypt*", "*"))]],
            also=[{"action": "kms:ReEncryptTo", "resource": KEY, "resource_account": HOME, "key_policy": DELEGATES}],
        ),
        layer="rcp",
    ),
]

CASES = [*BOUNDARY, *SESSION, *SCPS, *RCPS, *ENDPOINT, *PRECEDENCE, *NOT_PRINCIPALS, *RETIRING, *FURTHER]
