"""Grants: whom they serve and for what, constraints, tokens, grants that make grants, who retires or revokes them."""

from typing import Any

from build import (
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

GRANTS = "KMS Developer Guide, Grants in AWS KMS"
OPERATIONS = "KMS Developer Guide, Grants in AWS KMS: Grant operations"
GRANTEE = "KMS API Reference, CreateGrant: GranteePrincipal"
SERVICE = "KMS API Reference, CreateGrant: GranteeServicePrincipal"
EVALUATION = "KMS Developer Guide, Troubleshooting key access"
DENY = "IAM User Guide, Policy evaluation logic: The difference between explicit and implicit denies"
CONSTRAINTS = "KMS Developer Guide, Creating grants: Using grant constraints"
CONSTRAINTS_API = "KMS API Reference, GrantConstraints"
#: the reference lets the case of a key go, the guide asks for an exact match
KEY_CASE = "KMS API Reference, GrantConstraints (unverified: the Developer Guide asks for an exact match)"
TOKENS = "KMS Developer Guide, Managing grants: Using a grant token"
CHILD = "KMS Developer Guide, Creating grants: Granting CreateGrant permission"
RETIRE = "KMS Developer Guide, Managing grants: Retiring and revoking grants"
CONDITIONS = "KMS Developer Guide, Managing grants: Controlling access to grants"

DANA = f"arn:aws:iam::{HOME}:user/dana"
ERIN = f"arn:aws:iam::{HOME}:user/erin"
APP = f"arn:aws:iam::{HOME}:role/App"
JOB = f"arn:aws:sts::{HOME}:assumed-role/App/job"
HOME_ROOT, AWAY_ROOT = f"arn:aws:iam::{HOME}:root", f"arn:aws:iam::{AWAY}:root"
OTHER_KEY = KEY[:-3] + "777"

#: a key policy that gives dana nothing and delegates nothing
FOR_ERIN = policy(allow("kms:*", ERIN))
IAM_FULL = policy(allow("kms:*"))
IT = {"Department": "IT"}
IT_TEST = {"Department": "IT", "Purpose": "Test"}


def use(*grants, caller=None, key_policy=FOR_ERIN, iam=(), action="kms:Decrypt", **more):
    return scenario(caller or user(), action, key_policy, *iam, grants=list(grants), **more)


def equals(**pairs: str) -> dict[str, Any]:
    return {"constraints": {"EncryptionContextEquals": pairs}}


def subset(**pairs: str) -> dict[str, Any]:
    return {"constraints": {"EncryptionContextSubset": pairs}}


def for_service(name, *operations, source, **more):
    """A grant to a service principal, which must have a SourceArn constraint and a retiring principal."""
    made = grant(name, *operations, constraints={"SourceArn": source}, retiring_principal=ERIN, **more)
    del made["grantee_principal"]
    return {**made, "grantee_service_principal": name}


WHOM_AND_WHAT = [
    *(
        allowed(
            f"grant-allows-{name.lower()}",
            "grant",
            f"{name} is a grant operation; the grant needs no policy beside it",
            OPERATIONS,
            use(grant(DANA, name), action=f"kms:{name}"),
            layer="grant",
        )
        for name in (
            "Decapsulate",
            "Decrypt",
            "DeriveSharedSecret",
            "DescribeKey",
            "Encapsulate",
            "Encrypt",
            "GenerateDataKey",
            "GenerateDataKeyPair",
            "GenerateDataKeyPairWithoutPlaintext",
            "GenerateDataKeyWithoutPlaintext",
            "GenerateMac",
            "GetPublicKey",
            "ReEncryptFrom",
            "ReEncryptTo",
            "Sign",
            "Verify",
            "VerifyMac",
        )
    ),
    denied(
        "no-grant",
        "implicit-deny",
        "the twin of all: without a grant nothing allows",
        EVALUATION,
        use(),
    ),
    denied(
        "grant-of-another-operation",
        "implicit-deny",
        "the grant allows Encrypt and GenerateDataKey, and Decrypt is asked",
        OPERATIONS,
        use(grant(DANA, "Encrypt", "GenerateDataKey")),
    ),
    denied(
        "grant-operation-has-no-patterns",
        "implicit-deny",
        "GenerateDataKey in a grant is not GenerateDataKeyWithoutPlaintext",
        OPERATIONS,
        use(grant(DANA, "GenerateDataKey"), action="kms:GenerateDataKeyWithoutPlaintext"),
    ),
    denied(
        "grant-is-not-for-administration",
        "implicit-deny",
        "a grant of every use does not reach ScheduleKeyDeletion",
        OPERATIONS,
        use(grant(DANA, "Decrypt", "CreateGrant", "RetireGrant"), action="kms:ScheduleKeyDeletion"),
    ),
    denied(
        "grant-to-another-user",
        "implicit-deny",
        "the grantee is erin",
        GRANTS,
        use(grant(ERIN, "Decrypt"), key_policy=policy(allow("kms:PutKeyPolicy", ERIN))),
    ),
    denied(
        "grant-on-another-key",
        "implicit-deny",
        "each grant is on one key, and this one is on another",
        GRANTS,
        use(grant(DANA, "Decrypt", key=OTHER_KEY)),
    ),
    denied(
        "grant-revoked",
        "implicit-deny",
        "a revoked grant gives nothing",
        RETIRE,
        use(grant(DANA, "Decrypt", status="revoked")),
    ),
    allowed(
        "grant-to-role",
        "grant",
        "the grantee is the role, and a session of it asks",
        GRANTEE,
        use(grant(APP, "Decrypt"), caller=role()),
    ),
    denied(
        "grant-to-role-without-its-path",
        "implicit-deny",
        "the role lives under /svc/, and the grantee's ARN has no path",
        GRANTEE,
        use(grant(APP, "Decrypt"), caller=role(path="/svc/")),
    ),
    allowed(
        "grant-to-session",
        "grant",
        "an assumed role user is a valid grantee",
        GRANTEE,
        use(grant(JOB, "Decrypt"), caller=role()),
    ),
    denied(
        "grant-to-another-session",
        "implicit-deny",
        "the grantee is one session; another session of the role asks",
        GRANTEE,
        use(grant(JOB, "Decrypt"), caller=role(session="night")),
    ),
    allowed(
        "grant-to-federated-session",
        "grant",
        "a federated user is a valid grantee",
        GRANTEE,
        use(grant(f"arn:aws:sts::{HOME}:federated-user/guest", "Decrypt"), caller=federated()),
    ),
    allowed(
        "grant-to-user-behind-federated-session",
        "grant",
        "a federated session acts with what its user has, as far as the session policy allows",
        GRANTEE + " (unverified)",
        use(grant(DANA, "Decrypt"), caller=federated(), session_policy=policy(allow("kms:Decrypt"))),
    ),
    denied(
        "grant-to-user-behind-federated-session-without-policy",
        "session-policy",
        "a federated session to which no session policy was passed has no permissions of its user's",
        "STS API Reference, GetFederationToken: Permissions (unverified for grants)",
        use(grant(DANA, "Decrypt"), caller=federated()),
    ),
    allowed(
        "grant-to-account-and-iam",
        "grant",
        "the grantee is the account, and an identity policy allows the user",
        GRANTEE + " (unverified)",
        use(grant(HOME_ROOT, "Decrypt"), iam=[IAM_FULL]),
    ),
    denied(
        "grant-to-account-alone",
        "implicit-deny",
        "a grant to the account serves its users only as far as IAM allows them",
        GRANTEE + " (unverified)",
        use(grant(HOME_ROOT, "Decrypt")),
    ),
    allowed(
        "grant-to-account-root-user",
        "grant",
        "the root user is the account",
        GRANTEE + " (unverified)",
        use(grant(HOME_ROOT, "Decrypt"), caller=root()),
    ),
    allowed(
        "grant-to-account-digits-root-user",
        "grant",
        "twelve digits name the account as its ARN does",
        GRANTEE + " (unverified)",
        use(grant(HOME, "Decrypt"), caller=root()),
    ),
    denied(
        "grant-to-another-account",
        "no-iam-delegation",
        "the grantee is another account, and IAM alone is void here",
        GRANTEE,
        use(grant(AWAY_ROOT, "Decrypt"), iam=[IAM_FULL]),
    ),
    allowed(
        "grant-to-service",
        "grant",
        "the service principal acts for the resource in the grant's SourceArn constraint",
        SERVICE,
        use(
            for_service("rds.amazonaws.com", "Decrypt", source=f"arn:aws:rds:eu-west-1:{HOME}:db:orders"),
            caller=service("rds.amazonaws.com"),
            context={"aws:SourceArn": f"arn:aws:rds:eu-west-1:{HOME}:db:orders"},
        ),
        layer="grant",
    ),
    denied(
        "grant-to-service-for-another-resource",
        "grant-constraint",
        "the service acts for another resource than the SourceArn constraint names",
        SERVICE,
        use(
            for_service("rds.amazonaws.com", "Decrypt", source=f"arn:aws:rds:eu-west-1:{HOME}:db:orders"),
            caller=service("rds.amazonaws.com"),
            context={"aws:SourceArn": f"arn:aws:rds:eu-west-1:{HOME}:db:bills"},
        ),
    ),
    denied(
        "grant-to-another-service",
        "implicit-deny",
        "the grantee is another service",
        SERVICE,
        use(
            for_service("rds.amazonaws.com", "Decrypt", source=f"arn:aws:rds:eu-west-1:{HOME}:db:orders"),
            caller=service("redshift.amazonaws.com"),
            context={"aws:SourceArn": f"arn:aws:rds:eu-west-1:{HOME}:db:orders"},
        ),
    ),
    denied(
        "grant-to-service-is-not-for-people",
        "implicit-deny",
        "a user cannot use the service's grant",
        SERVICE,
        use(
            for_service("rds.amazonaws.com", "Decrypt", source=f"arn:aws:rds:eu-west-1:{HOME}:db:orders"),
            context={"aws:SourceArn": f"arn:aws:rds:eu-west-1:{HOME}:db:orders"},
        ),
    ),
    denied(
        "grant-against-key-policy-deny",
        "explicit-deny",
        "a deny in the key policy overrides a grant",
        EVALUATION,
        use(grant(DANA, "Decrypt"), key_policy=policy(deny("kms:Decrypt", DANA, Sid="NotDana"))),
        layer="key-policy",
        sid="NotDana",
    ),
    denied(
        "grant-against-identity-deny",
        "explicit-deny",
        "a deny in an identity policy overrides a grant",
        EVALUATION,
        use(grant(DANA, "Decrypt"), iam=[policy(deny("kms:Decrypt", Sid="NoDecrypt"))]),
        layer="identity-policy",
        sid="NoDecrypt",
    ),
    allowed(
        "grant-where-iam-is-void",
        "grant",
        "the key policy does not delegate, so the identity policy is void; the grant is not",
        EVALUATION,
        use(grant(DANA, "Decrypt"), iam=[IAM_FULL]),
    ),
    allowed(
        "grant-beside-key-policy",
        "key-policy",
        "the key policy names the caller, and a grant does too",
        EVALUATION,
        use(grant(DANA, "Decrypt"), key_policy=policy(allow("kms:*", DANA, Sid="Dana"))),
        layer="key-policy",
    ),
    allowed(
        "grant-beside-iam",
        "iam-via-key-policy",
        "IAM allows by delegation, and a grant does too",
        EVALUATION,
        use(grant(DANA, "Decrypt"), key_policy=DELEGATES, iam=[IAM_FULL]),
    ),
    allowed(
        "one-of-two-grants",
        "grant",
        "permissions of several grants add up: the second has the operation",
        GRANTS,
        use(grant(DANA, "Encrypt"), grant(DANA, "Decrypt", grant_id="b" * 64)),
    ),
]

WHICH_CONSTRAINT = [
    allowed(
        "equals-same-pairs",
        "grant",
        "the request's encryption context is the constraint's",
        CONSTRAINTS,
        use(grant(DANA, "Decrypt", **equals(Department="IT")), encryption_context=IT),
        layer="grant",
    ),
    allowed(
        "equals-in-another-order",
        "grant",
        "the pairs can appear in any order",
        CONSTRAINTS,
        use(
            grant(DANA, "Decrypt", **equals(Department="IT", Purpose="Test")),
            encryption_context={"Purpose": "Test", "Department": "IT"},
        ),
    ),
    denied(
        "equals-extra-pair",
        "grant-constraint",
        "Department=IT,Purpose=Test fails an EncryptionContextEquals of Department=IT",
        CONSTRAINTS,
        use(grant(DANA, "Decrypt", **equals(Department="IT")), encryption_context=IT_TEST),
    ),
    denied(
        "equals-missing-pair",
        "grant-constraint",
        "the request lacks one of the two pairs",
        CONSTRAINTS,
        use(grant(DANA, "Decrypt", **equals(Department="IT", Purpose="Test")), encryption_context=IT),
    ),
    denied(
        "equals-no-context-at-all",
        "grant-constraint",
        "the request has no encryption context",
        CONSTRAINTS,
        use(grant(DANA, "Decrypt", **equals(Department="IT"))),
    ),
    denied(
        "equals-value-in-other-case",
        "grant-constraint",
        "the value is case sensitive",
        CONSTRAINTS,
        use(grant(DANA, "Decrypt", **equals(Department="IT")), encryption_context={"Department": "it"}),
    ),
    allowed(
        "equals-key-in-other-case",
        "grant",
        "in a grant constraint the key of a pair is not case sensitive",
        KEY_CASE,
        use(grant(DANA, "Decrypt", **equals(Department="IT")), encryption_context={"department": "IT"}),
    ),
    denied(
        "equals-values-swapped",
        "grant-constraint",
        "the same keys with each other's values are other pairs",
        CONSTRAINTS,
        use(grant(DANA, "Decrypt", **equals(a="1", b="2")), encryption_context={"a": "2", "b": "1"}),
    ),
    allowed(
        "subset-same-pairs",
        "grant",
        "a context of just the constraint's pairs satisfies EncryptionContextSubset",
        CONSTRAINTS,
        use(grant(DANA, "Decrypt", **subset(Department="IT")), encryption_context=IT),
    ),
    allowed(
        "subset-extra-pair",
        "grant",
        "the request may have further pairs",
        CONSTRAINTS,
        use(grant(DANA, "Decrypt", **subset(Department="IT")), encryption_context=IT_TEST),
    ),
    allowed(
        "subset-in-another-order-and-extra",
        "grant",
        "the constraint's pairs may stand anywhere among the others",
        CONSTRAINTS,
        use(
            grant(DANA, "Decrypt", **subset(Department="Finance", Classification="Public")),
            encryption_context={
                "Customer": "12345",
                "Classification": "Public",
                "Purpose": "Test",
                "Department": "Finance",
            },
        ),
    ),
    denied(
        "subset-missing-pair",
        "grant-constraint",
        "the context includes only one of the constraint's two pairs",
        CONSTRAINTS,
        use(
            grant(DANA, "Decrypt", **subset(Department="Finance", Classification="Public")),
            encryption_context={"Classification": "Public", "Customer": "12345"},
        ),
    ),
    denied(
        "subset-value-in-other-case",
        "grant-constraint",
        "finance is not Finance",
        CONSTRAINTS,
        use(grant(DANA, "Decrypt", **subset(Department="Finance")), encryption_context={"Department": "finance"}),
    ),
    allowed(
        "subset-key-in-other-case",
        "grant",
        "in a grant constraint the key of a pair is not case sensitive",
        KEY_CASE,
        use(grant(DANA, "Decrypt", **subset(Department="IT")), encryption_context={"DEPARTMENT": "IT", "x": "y"}),
    ),
    denied(
        "subset-no-context-at-all",
        "grant-constraint",
        "the request has no encryption context",
        CONSTRAINTS,
        use(grant(DANA, "GenerateDataKey", **subset(Department="IT")), action="kms:GenerateDataKey"),
    ),
    denied(
        "subset-pattern-is-text",
        "grant-constraint",
        "an asterisk in a grant constraint is a character, no pattern",
        CONSTRAINTS,
        use(grant(DANA, "Decrypt", **subset(Department="*")), encryption_context=IT),
    ),
    allowed(
        "constraint-does-not-touch-describekey",
        "grant",
        "encryption context constraints are not applied to DescribeKey",
        CONSTRAINTS_API,
        use(grant(DANA, "Decrypt", "DescribeKey", **equals(Department="IT")), action="kms:DescribeKey"),
    ),
    denied(
        "constraint-fails-though-iam-allows-in-vain",
        "grant-constraint",
        "the identity policy is void here, and the grant fails by its constraint only",
        CONSTRAINTS,
        use(grant(DANA, "Decrypt", **equals(Department="IT")), iam=[IAM_FULL], encryption_context={"Department": "HR"}),
    ),
    allowed(
        "constraint-fails-but-iam-allows",
        "iam-via-key-policy",
        "the grant's constraint fails; IAM allows by delegation",
        EVALUATION,
        use(
            grant(DANA, "Decrypt", **equals(Department="IT")),
            key_policy=DELEGATES,
            iam=[IAM_FULL],
            encryption_context={"Department": "HR"},
        ),
    ),
    allowed(
        "constraint-fails-but-another-grant-allows",
        "grant",
        "one grant's constraint fails, the other has none",
        GRANTS,
        use(
            grant(DANA, "Decrypt", **equals(Department="IT")),
            grant(DANA, "Decrypt", grant_id="b" * 64),
            encryption_context={"Department": "HR"},
        ),
    ),
    denied(
        "constraint-of-a-grant-for-another-operation",
        "implicit-deny",
        "the grant whose constraint fails is not for this operation anyway",
        CONSTRAINTS,
        use(grant(DANA, "Encrypt", **equals(Department="IT")), encryption_context={"Department": "HR"}),
    ),
    denied(
        "constraint-of-a-revoked-grant",
        "implicit-deny",
        "the grant is revoked, so its constraint is not what stands in the way",
        RETIRE,
        use(
            grant(DANA, "Decrypt", status="revoked", **equals(Department="IT")), encryption_context={"Department": "HR"}
        ),
    ),
]

BUCKET, OTHER_BUCKET = "arn:aws:s3:::orders", "arn:aws:s3:::bills"
FROM_BUCKET = {"constraints": {"SourceArn": BUCKET}}

SOURCE_ARN = [
    allowed(
        "source-arn-equal",
        "grant",
        "the request is made on behalf of the resource in the constraint",
        CONSTRAINTS_API,
        use(grant(DANA, "Decrypt", **FROM_BUCKET), context={"aws:SourceArn": BUCKET}),
    ),
    denied(
        "source-arn-of-another-resource",
        "grant-constraint",
        "the request is made on behalf of another resource",
        CONSTRAINTS_API,
        use(grant(DANA, "Decrypt", **FROM_BUCKET), context={"aws:SourceArn": OTHER_BUCKET}),
    ),
    denied(
        "source-arn-absent",
        "grant-constraint",
        "the request is made on behalf of no resource",
        CONSTRAINTS_API + " (unverified: the Developer Guide has only requests of services held to it)",
        use(grant(DANA, "Decrypt", **FROM_BUCKET)),
    ),
    allowed(
        "source-arn-absent-on-describekey",
        "grant",
        "on DescribeKey the constraint applies when the request specifies a source",
        CONSTRAINTS_API,
        use(grant(DANA, "DescribeKey", **FROM_BUCKET), action="kms:DescribeKey"),
    ),
    denied(
        "source-arn-of-another-resource-on-describekey",
        "grant-constraint",
        "DescribeKey with another source does not meet the constraint",
        CONSTRAINTS_API,
        use(
            grant(DANA, "DescribeKey", **FROM_BUCKET), action="kms:DescribeKey", context={"aws:SourceArn": OTHER_BUCKET}
        ),
    ),
    denied(
        "source-arn-and-context-one-fails",
        "grant-constraint",
        "the source fits, the encryption context does not",
        CONSTRAINTS_API,
        use(
            grant(DANA, "Decrypt", constraints={"SourceArn": BUCKET, "EncryptionContextSubset": IT}),
            context={"aws:SourceArn": BUCKET},
            encryption_context={"Department": "HR"},
        ),
    ),
    allowed(
        "source-arn-and-context-both-hold",
        "grant",
        "the source and the encryption context both fit",
        CONSTRAINTS_API,
        use(
            grant(DANA, "Decrypt", constraints={"SourceArn": BUCKET, "EncryptionContextSubset": IT}),
            context={"aws:SourceArn": BUCKET},
            encryption_context=IT,
        ),
    ),
]

NEW = {"status": "pending-consistency", "grant_token": "token-of-the-new-grant"}

NEW_GRANTS = [
    denied(
        "new-grant-without-token",
        "implicit-deny",
        "the grant has not spread yet, so the call is refused with AccessDeniedException",
        TOKENS,
        use(grant(DANA, "Decrypt", **NEW)),
    ),
    allowed(
        "new-grant-with-token",
        "grant",
        "its token makes a new grant count at once",
        TOKENS,
        use(grant(DANA, "Decrypt", **NEW), params={"GrantTokens": ["token-of-the-new-grant"]}),
        layer="grant",
    ),
    denied(
        "new-grant-with-another-token",
        "implicit-deny",
        "the token is of another grant",
        TOKENS,
        use(grant(DANA, "Decrypt", **NEW), params={"GrantTokens": ["token-of-another-grant"]}),
    ),
    allowed(
        "new-grant-one-of-several-tokens",
        "grant",
        "several tokens can be sent in one request",
        TOKENS,
        use(
            grant(DANA, "Decrypt", **NEW),
            params={"GrantTokens": ["token-of-another-grant", "token-of-the-new-grant"]},
        ),
    ),
    denied(
        "token-in-anothers-hands",
        "implicit-deny",
        "a token is no permission: the grantee is erin, and dana sends the token",
        "KMS Developer Guide, Grants in AWS KMS: Grant token",
        use(
            grant(ERIN, "Decrypt", **NEW),
            key_policy=policy(allow("kms:PutKeyPolicy", ERIN)),
            params={"GrantTokens": ["token-of-the-new-grant"]},
        ),
    ),
    denied(
        "token-does-not-lift-constraint",
        "grant-constraint",
        "the new grant counts by its token, and its constraint still fails",
        TOKENS,
        use(
            grant(DANA, "Decrypt", **NEW, **equals(Department="IT")),
            params={"GrantTokens": ["token-of-the-new-grant"]},
            encryption_context={"Department": "HR"},
        ),
    ),
    denied(
        "new-grant-without-token-and-constraint",
        "implicit-deny",
        "a new grant without its token does not count, so its constraint is not asked",
        TOKENS,
        use(grant(DANA, "Decrypt", **NEW, **equals(Department="IT")), encryption_context={"Department": "HR"}),
    ),
    allowed(
        "old-grant-with-token",
        "grant",
        "a token that is no longer needed does no harm",
        TOKENS,
        use(
            grant(DANA, "Decrypt", grant_token="token-of-the-old-grant"),
            params={"GrantTokens": ["token-of-the-old-grant"]},
        ),
    ),
    denied(
        "revoked-grant-with-token",
        "implicit-deny",
        "a token does not bring a revoked grant back",
        RETIRE,
        use(
            grant(DANA, "Decrypt", status="revoked", grant_token="token-of-the-old-grant"),
            params={"GrantTokens": ["token-of-the-old-grant"]},
        ),
    ),
]


def create(*grants, operations=("Decrypt",), constraints=None, **more):
    """CreateGrant: dana makes a grant for erin."""
    params = {"GranteePrincipal": ERIN, "Operations": list(operations), "Constraints": constraints or {}}
    return use(*grants, action="kms:CreateGrant", params=params, **more)


PARENT = ("GenerateDataKey", "Decrypt", "CreateGrant")
EQUALS_IT, SUBSET_IT = {"EncryptionContextEquals": IT}, {"EncryptionContextSubset": IT}

GRANTS_THAT_MAKE_GRANTS = [
    allowed(
        "child-of-fewer-operations",
        "grant",
        "a child grant may allow some of its parent's operations",
        CHILD,
        create(grant(DANA, *PARENT)),
        layer="grant",
    ),
    allowed(
        "child-of-all-operations",
        "grant",
        "a child grant may allow all of its parent's operations, CreateGrant too",
        CHILD,
        create(grant(DANA, *PARENT), operations=PARENT),
    ),
    denied(
        "child-of-further-operation",
        "grant-constraint",
        "Encrypt is not among the parent's operations",
        CHILD,
        create(grant(DANA, *PARENT), operations=("Decrypt", "Encrypt")),
    ),
    denied(
        "parent-without-creategrant",
        "implicit-deny",
        "the grant does not allow CreateGrant",
        CHILD,
        create(grant(DANA, "GenerateDataKey", "Decrypt")),
    ),
    allowed(
        "child-of-same-subset",
        "grant",
        "the child's constraint is as strict as its parent's",
        CHILD,
        create(grant(DANA, *PARENT, **subset(Department="IT")), constraints=SUBSET_IT),
    ),
    denied(
        "child-without-constraint",
        "grant-constraint",
        "the parent's constraint cannot be left out",
        CHILD,
        create(grant(DANA, *PARENT, **subset(Department="IT"))),
    ),
    allowed(
        "child-adds-a-pair-to-subset",
        "grant",
        "a child may add pairs to a subset constraint",
        CHILD,
        create(grant(DANA, *PARENT, **subset(Department="IT")), constraints={"EncryptionContextSubset": IT_TEST}),
    ),
    denied(
        "child-drops-a-pair-of-subset",
        "grant-constraint",
        "a child cannot remove pairs from a subset constraint",
        CHILD,
        create(grant(DANA, *PARENT, **subset(Department="IT", Purpose="Test")), constraints=SUBSET_IT),
    ),
    denied(
        "child-changes-the-value",
        "grant-constraint",
        "another value is another pair",
        CHILD,
        create(
            grant(DANA, *PARENT, **subset(Department="IT")),
            constraints={"EncryptionContextSubset": {"Department": "HR"}},
        ),
    ),
    allowed(
        "child-turns-subset-into-equals",
        "grant",
        "a child may change subset to equals, which is stricter",
        CHILD,
        create(grant(DANA, *PARENT, **subset(Department="IT")), constraints=EQUALS_IT),
    ),
    denied(
        "child-turns-equals-into-subset",
        "grant-constraint",
        "a child cannot change equals to subset, which is wider",
        CHILD,
        create(grant(DANA, *PARENT, **equals(Department="IT")), constraints=SUBSET_IT),
    ),
    allowed(
        "child-of-same-equals",
        "grant",
        "the child asks for the very same encryption context",
        CHILD,
        create(grant(DANA, *PARENT, **equals(Department="IT")), constraints=EQUALS_IT),
    ),
    denied(
        "child-adds-a-pair-to-equals",
        "grant-constraint",
        "equals with another pair allows requests that its parent does not",
        CHILD + " (unverified)",
        create(grant(DANA, *PARENT, **equals(Department="IT")), constraints={"EncryptionContextEquals": IT_TEST}),
    ),
    allowed(
        "child-stricter-than-free-parent",
        "grant",
        "the parent has no constraint, so any is stricter",
        CHILD,
        create(grant(DANA, *PARENT), constraints=EQUALS_IT),
    ),
    allowed(
        "child-writes-the-key-in-other-case",
        "grant",
        "in a grant constraint the key of a pair is not case sensitive",
        KEY_CASE,
        create(
            grant(DANA, *PARENT, **subset(Department="IT")),
            constraints={"EncryptionContextSubset": {"department": "IT"}},
        ),
    ),
    denied(
        "child-writes-the-value-in-other-case",
        "grant-constraint",
        "the value of a pair is case sensitive",
        CONSTRAINTS_API,
        create(
            grant(DANA, *PARENT, **subset(Department="IT")),
            constraints={"EncryptionContextSubset": {"Department": "it"}},
        ),
    ),
    allowed(
        "child-of-same-source",
        "grant",
        "made on behalf of the parent's source, and bound to it",
        CHILD,
        create(
            grant(DANA, *PARENT, **FROM_BUCKET), constraints={"SourceArn": BUCKET}, context={"aws:SourceArn": BUCKET}
        ),
    ),
    denied(
        "child-without-source",
        "grant-constraint",
        "the child leaves out the parent's SourceArn",
        CHILD,
        create(grant(DANA, *PARENT, **FROM_BUCKET), context={"aws:SourceArn": BUCKET}),
    ),
    allowed(
        "wider-grant-by-key-policy",
        "key-policy",
        "who may CreateGrant by a policy may grant any operation, even one it lacks",
        CHILD,
        create(key_policy=policy(allow("kms:CreateGrant", DANA)), operations=("Decrypt", "Encrypt")),
    ),
    allowed(
        "wider-grant-by-iam",
        "iam-via-key-policy",
        "the limits of a parent grant do not bind permission that comes from a policy",
        CHILD,
        create(
            grant(DANA, *PARENT, **equals(Department="IT")),
            key_policy=DELEGATES,
            iam=[policy(allow("kms:CreateGrant"))],
            operations=("Encrypt",),
        ),
    ),
    allowed(
        "grant-operations-condition-holds",
        "key-policy",
        "the policy lets the caller grant Decrypt and DescribeKey, and Decrypt is granted",
        CONDITIONS,
        create(
            key_policy=policy(
                allow(
                    "kms:CreateGrant",
                    DANA,
                    Condition={"ForAllValues:StringEquals": {"kms:GrantOperations": ["Decrypt", "DescribeKey"]}},
                )
            ),
            context={"kms:GrantOperations": ["Decrypt"], "kms:GranteePrincipal": ERIN},
        ),
    ),
    denied(
        "grant-operations-condition-fails",
        "implicit-deny",
        "one of the granted operations is not on the policy's list",
        CONDITIONS,
        create(
            key_policy=policy(
                allow(
                    "kms:CreateGrant",
                    DANA,
                    Condition={"ForAllValues:StringEquals": {"kms:GrantOperations": ["Decrypt", "DescribeKey"]}},
                )
            ),
            operations=("Decrypt", "Encrypt"),
            context={"kms:GrantOperations": ["Decrypt", "Encrypt"], "kms:GranteePrincipal": ERIN},
        ),
    ),
    denied(
        "grantee-condition-fails",
        "implicit-deny",
        "the policy lets the caller grant to the role App only",
        CONDITIONS,
        create(
            key_policy=policy(
                allow("kms:CreateGrant", DANA, Condition={"StringEquals": {"kms:GranteePrincipal": APP}})
            ),
            context={"kms:GrantOperations": ["Decrypt"], "kms:GranteePrincipal": ERIN},
        ),
    ),
    denied(
        "grant-constraint-type-condition-fails",
        "implicit-deny",
        "the policy asks for an EncryptionContextEquals constraint, and the grant has none",
        CONDITIONS,
        create(
            key_policy=policy(
                allow(
                    "kms:CreateGrant",
                    DANA,
                    Condition={"StringEquals": {"kms:GrantConstraintType": "EncryptionContextEquals"}},
                )
            ),
            context={"kms:GrantOperations": ["Decrypt"], "kms:GranteePrincipal": ERIN},
        ),
    ),
]


def retire(*grants, **more):
    return use(*grants, action="kms:RetireGrant", **more)


EVE = user("eve", AWAY)

RETIRING = [
    allowed(
        "retire-by-retiring-principal",
        "grant",
        "the retiring principal of the grant needs no policy",
        RETIRE,
        retire(grant(ERIN, "Decrypt", retiring_principal=DANA)),
        layer="grant",
    ),
    denied(
        "retire-by-another",
        "implicit-deny",
        "the retiring principal is erin",
        RETIRE,
        retire(grant(APP, "Decrypt", retiring_principal=ERIN)),
    ),
    denied(
        "retire-by-mere-grantee",
        "implicit-deny",
        "a grantee can retire only if RetireGrant is among the grant's operations",
        RETIRE,
        retire(grant(DANA, "Decrypt", retiring_principal=ERIN)),
    ),
    allowed(
        "retire-by-grantee-with-operation",
        "grant",
        "RetireGrant is among the grant's operations",
        RETIRE,
        retire(grant(DANA, "Decrypt", "RetireGrant", retiring_principal=ERIN)),
    ),
    allowed(
        "retire-by-grantee-despite-constraints",
        "grant",
        "neither encryption context nor SourceArn constraints apply to RetireGrant",
        CONSTRAINTS_API,
        retire(
            grant(
                DANA,
                "Decrypt",
                "RetireGrant",
                constraints={"EncryptionContextEquals": IT, "SourceArn": BUCKET},
            )
        ),
    ),
    allowed(
        "retire-by-session-of-retiring-role",
        "grant",
        "the retiring principal is the role, and a session of it asks",
        RETIRE,
        retire(grant(ERIN, "Decrypt", retiring_principal=APP), caller=role()),
    ),
    allowed(
        "retire-by-root-user-of-issuing-account",
        "grant",
        "the account in which the grant was created can retire it",
        RETIRE,
        retire(grant(ERIN, "Decrypt", issuing_account=HOME_ROOT), caller=root()),
    ),
    allowed(
        "retire-by-root-user-of-key-account",
        "account-root",
        "the key's account may delegate the retiring of its grants, so its root user has it",
        RETIRE + " (unverified)",
        retire(grant(ERIN, "Decrypt", retiring_principal=APP), caller=root()),
    ),
    allowed(
        "retire-by-iam-in-key-account",
        "iam-policy",
        "the account that owns the key delegates kms:RetireGrant to its user",
        RETIRE,
        retire(grant(ERIN, "Decrypt", retiring_principal=APP), iam=[policy(allow("kms:RetireGrant"))]),
    ),
    denied(
        "retire-by-iam-of-another-action",
        "implicit-deny",
        "the identity policy allows RevokeGrant, which is another permission",
        RETIRE,
        retire(grant(ERIN, "Decrypt", retiring_principal=APP), iam=[policy(allow("kms:RevokeGrant"))]),
    ),
    denied(
        "retire-by-key-policy",
        "implicit-deny",
        "kms:RetireGrant is not effective in a key policy",
        RETIRE,
        retire(grant(ERIN, "Decrypt", retiring_principal=APP), key_policy=policy(allow("kms:RetireGrant", DANA))),
    ),
    allowed(
        "retire-despite-key-policy-deny",
        "grant",
        "kms:RetireGrant is not effective in a key policy, not even in a deny",
        RETIRE,
        retire(grant(ERIN, "Decrypt", retiring_principal=DANA), key_policy=policy(deny("kms:*", "*"))),
    ),
    denied(
        "retire-denied-by-iam",
        "explicit-deny",
        "a deny of kms:RetireGrant in an IAM policy holds against the retiring principal",
        RETIRE,
        retire(
            grant(ERIN, "Decrypt", retiring_principal=DANA), iam=[policy(deny("kms:RetireGrant", Sid="KeepGrants"))]
        ),
        layer="identity-policy",
        sid="KeepGrants",
    ),
    allowed(
        "retire-by-iam-in-retiring-account",
        "iam-policy",
        "the retiring principal is another account, whose administrators delegate to its user",
        RETIRE,
        retire(
            grant(ERIN, "Decrypt", retiring_principal=AWAY_ROOT),
            caller=EVE,
            iam=[policy(allow("kms:RetireGrant", resource=KEY))],
        ),
    ),
    denied(
        "retire-in-retiring-account-without-iam",
        "implicit-deny",
        "the retiring principal is the account; its users need the permission delegated",
        RETIRE,
        retire(grant(ERIN, "Decrypt", retiring_principal=AWAY_ROOT), caller=EVE),
    ),
    allowed(
        "retire-by-root-user-of-retiring-account",
        "grant",
        "the retiring principal is the account, and its root user asks",
        RETIRE,
        retire(grant(ERIN, "Decrypt", retiring_principal=AWAY_ROOT), caller=root(AWAY)),
    ),
    denied(
        "retire-by-iam-of-a-stranger",
        "implicit-deny",
        "kms:RetireGrant alone does not allow: the account neither owns the key nor is in the grant",
        RETIRE,
        retire(grant(ERIN, "Decrypt", retiring_principal=DANA), caller=EVE, iam=[policy(allow("kms:RetireGrant"))]),
    ),
    allowed(
        "retire-by-foreign-grantee",
        "grant",
        "RetireGrant works across accounts",
        "KMS API Reference, RetireGrant: Cross-account use",
        retire(grant(f"arn:aws:iam::{AWAY}:user/eve", "Decrypt", "RetireGrant"), caller=EVE),
    ),
    allowed(
        "retire-the-grant-that-names-the-caller",
        "grant",
        "the grant of the request names the caller; another does not matter",
        RETIRE,
        retire(
            grant(ERIN, "Decrypt", retiring_principal=DANA),
            grant(ERIN, "Decrypt", retiring_principal=APP, grant_id="b" * 64),
            params={"GrantId": "a" * 64},
        ),
    ),
    denied(
        "retire-the-grant-that-names-another",
        "implicit-deny",
        "the caller is in another grant than the one to retire",
        RETIRE,
        retire(
            grant(ERIN, "Decrypt", retiring_principal=DANA),
            grant(ERIN, "Decrypt", retiring_principal=APP, grant_id="b" * 64),
            params={"GrantId": "b" * 64},
        ),
    ),
    allowed(
        "retire-new-grant-by-token",
        "grant",
        "a grant token retires a grant before it has spread",
        RETIRE,
        retire(grant(ERIN, "Decrypt", retiring_principal=DANA, **NEW), params={"GrantToken": "token-of-the-new-grant"}),
    ),
    denied(
        "retire-revoked-grant",
        "implicit-deny",
        "a revoked grant gives nobody anything, not even its retiring",
        RETIRE + " (unverified)",
        retire(grant(ERIN, "Decrypt", retiring_principal=DANA, status="revoked")),
    ),
    denied(
        "retire-on-another-key",
        "implicit-deny",
        "the grant that names the caller is on another key",
        RETIRE,
        retire(grant(ERIN, "Decrypt", retiring_principal=DANA, key=OTHER_KEY)),
    ),
    allowed(
        "retire-by-retiring-service",
        "grant",
        "the service principal is the grant's retiring principal",
        "KMS API Reference, CreateGrant: RetiringServicePrincipal",
        retire(
            grant(ERIN, "Decrypt", retiring_service_principal="rds.amazonaws.com"), caller=service("rds.amazonaws.com")
        ),
    ),
    denied(
        "retire-by-another-service",
        "implicit-deny",
        "another service is the grant's retiring principal",
        "KMS API Reference, CreateGrant: RetiringServicePrincipal",
        retire(
            grant(ERIN, "Decrypt", retiring_service_principal="rds.amazonaws.com"), caller=service("sns.amazonaws.com")
        ),
    ),
]


def revoke(*grants, **more):
    return use(*grants, action="kms:RevokeGrant", **more)


REVOKING = [
    allowed(
        "revoke-by-key-policy",
        "key-policy",
        "RevokeGrant is a matter for policies, and the key policy allows it",
        RETIRE,
        revoke(grant(ERIN, "Decrypt"), key_policy=policy(allow("kms:Revoke*", DANA))),
    ),
    allowed(
        "revoke-by-iam",
        "iam-via-key-policy",
        "an identity policy allows it where the key policy delegates",
        RETIRE,
        revoke(grant(ERIN, "Decrypt"), key_policy=DELEGATES, iam=[policy(allow("kms:RevokeGrant", resource=KEY))]),
    ),
    denied(
        "revoke-by-retiring-principal",
        "implicit-deny",
        "the retiring principal may retire the grant; revoking takes a policy",
        RETIRE,
        revoke(grant(ERIN, "Decrypt", retiring_principal=DANA)),
    ),
    denied(
        "revoke-by-grantee",
        "implicit-deny",
        "RevokeGrant is no grant operation",
        CONDITIONS,
        revoke(grant(DANA, "Decrypt", "RetireGrant")),
    ),
    denied(
        "revoke-for-services-only",
        "implicit-deny",
        "the policy allows RevokeGrant when an AWS service asks, and the user asks directly",
        CONDITIONS,
        revoke(
            grant(ERIN, "Decrypt"),
            key_policy=policy(
                allow("kms:RevokeGrant", DANA, Condition={"Bool": {"kms:GrantIsForAWSResource": "true"}})
            ),
            context={"kms:GrantIsForAWSResource": "false"},
        ),
    ),
    denied(
        "list-grants-is-for-policies",
        "implicit-deny",
        "ListGrants is no grant operation either: a grantee cannot see the grants",
        CONDITIONS,
        use(grant(DANA, "Decrypt", "DescribeKey"), action="kms:ListGrants"),
    ),
]

CASES = [
    *WHOM_AND_WHAT,
    *WHICH_CONSTRAINT,
    *SOURCE_ARN,
    *NEW_GRANTS,
    *GRANTS_THAT_MAKE_GRANTS,
    *RETIRING,
    *REVOKING,
]
