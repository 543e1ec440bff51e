"""Policy variables: where they are replaced, by what, and where they stay plain text."""

from build import (
    ALIAS,
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
    federated,
    policy,
    role,
    root,
    scenario,
    user,
)

VARIABLES = "IAM User Guide, IAM policy elements: Variables and tags"
WHERE = VARIABLES + ", Where you can use policy variables"
SPECIAL = VARIABLES + ", Special characters"
NO_VALUE = VARIABLES + ", Policy variables with no value"
DEFAULTS = VARIABLES + ", Specifying default values"
PRINCIPAL_KEYS = VARIABLES + ", Principal key values"
VERSION = "IAM User Guide, IAM JSON policy elements: Version"
MULTIVALUED = "IAM User Guide, Single-valued vs. multivalued context keys"
ABAC = "IAM User Guide, What is ABAC for AWS?"

OWNER = "kms:EncryptionContext:owner"
TEAM = "aws:PrincipalTag/team"
DANA = {"aws:username": "dana", "aws:userid": "AIDAEXAMPLEDANA"}
MAY_ALL = policy(allow("kms:*"))


def when(operator: str, key: str, wanted, *, version: str | None = "2012-10-17", **context) -> Document:
    """dana's identity policy allows Decrypt under one condition; ``context`` goes on to the scenario."""
    statement = allow("kms:Decrypt", Condition={operator: {key: wanted}})
    return scenario(user(), "kms:Decrypt", DELEGATES, policy(statement, version=version), **context)


def on(
    resource: str,
    *,
    action: str = "kms:Decrypt",
    at: str = KEY,
    version: str | None = "2012-10-17",
    caller: Document | None = None,
    **context,
) -> Document:
    """The identity policy allows everything on one resource."""
    key_policy = None if ":alias/" in at else DELEGATES
    return scenario(
        caller or user(),
        action,
        key_policy,
        policy(allow("kms:*", resource=resource), version=version),
        resource=at,
        **context,
    )


def yes(id: str, why: str, source: str, question: Document) -> Case:
    reason = "iam-policy" if question["key_policy"] is None else "iam-via-key-policy"
    return allowed(id, reason, why, source, question)


def no(id: str, why: str, source: str, question: Document) -> Case:
    return denied(id, "implicit-deny", why, source, question)


def owned_by(name: str) -> Document:
    return {"encryption_context": {"owner": name}, "context": DANA}


IN_CONDITIONS = [
    yes(
        "variable-username-in-condition",
        "the variable becomes dana",
        WHERE,
        when("StringEquals", OWNER, "${aws:username}", **owned_by("dana")),
    ),
    no(
        "variable-username-somebody-else",
        "the variable becomes dana, the pair says erin",
        WHERE,
        when("StringEquals", OWNER, "${aws:username}", **owned_by("erin")),
    ),
    no(
        "variable-username-value-case",
        "values keep their case",
        WHERE,
        when("StringEquals", OWNER, "${aws:username}", **owned_by("Dana")),
    ),
    yes(
        "variable-name-in-other-case",
        "names of condition keys ignore case, in variables too",
        VARIABLES,
        when("StringEquals", OWNER, "${AWS:UserName}", **owned_by("dana")),
    ),
    yes(
        "variable-within-text",
        "text before and after stays",
        VARIABLES,
        when("StringEquals", OWNER, "user/${aws:username}/eu", **owned_by("user/dana/eu")),
    ),
    yes(
        "variable-two-in-one-text",
        "each is replaced",
        VARIABLES,
        when(
            "StringEquals",
            OWNER,
            "${aws:username}-${aws:PrincipalAccount}",
            encryption_context={"owner": f"dana-{HOME}"},
            context={**DANA, "aws:PrincipalAccount": HOME},
        ),
    ),
    yes(
        "variable-with-wildcard-beside-it",
        "under StringLike the policy's own star is a wildcard",
        WHERE,
        when("StringLike", OWNER, "${aws:username}-*", **owned_by("dana-orders")),
    ),
    no(
        "variable-with-wildcard-beside-it-somebody-else",
        "erin-orders does not begin with dana-",
        WHERE,
        when("StringLike", OWNER, "${aws:username}-*", **owned_by("erin-orders")),
    ),
    yes(
        "variable-one-of-several-values",
        "values are alternatives, with or without variables",
        WHERE,
        when("StringEquals", OWNER, ["shared", "${aws:username}"], **owned_by("dana")),
    ),
    yes(
        "variable-tag-equals-tag",
        "the caller's team is the key's team",
        ABAC,
        when(
            "StringEquals",
            "aws:ResourceTag/team",
            "${aws:PrincipalTag/team}",
            context={TEAM: "blue", "aws:ResourceTag/team": "blue"},
        ),
    ),
    no(
        "variable-tag-differs-from-tag",
        "blue may not use the red team's key",
        ABAC,
        when(
            "StringEquals",
            "aws:ResourceTag/team",
            "${aws:PrincipalTag/team}",
            context={TEAM: "blue", "aws:ResourceTag/team": "red"},
        ),
    ),
    no(
        "variable-tag-of-untagged-key",
        "the key has no tag to compare",
        ABAC,
        when("StringEquals", "aws:ResourceTag/team", "${aws:PrincipalTag/team}", context={TEAM: "blue"}),
    ),
    no(
        "variable-without-value",
        "the caller has no such tag: the statement matches nothing",
        NO_VALUE,
        when(
            "StringEquals", "aws:ResourceTag/team", "${aws:PrincipalTag/team}", context={"aws:ResourceTag/team": "blue"}
        ),
    ),
    no(
        "variable-without-value-is-not-its-own-text",
        "an unresolved variable is not compared as text",
        NO_VALUE,
        when(
            "StringEquals",
            "aws:ResourceTag/team",
            "${aws:PrincipalTag/team}",
            context={"aws:ResourceTag/team": "${aws:PrincipalTag/team}"},
        ),
    ),
    no(
        "variable-without-value-is-not-empty",
        "an unresolved variable is not the empty text",
        NO_VALUE,
        when("StringEquals", "aws:ResourceTag/team", "${aws:PrincipalTag/team}", context={"aws:ResourceTag/team": ""}),
    ),
    no(
        "variable-unknown-name",
        "there is no such key in the request",
        VARIABLES,
        when("StringEquals", OWNER, "${aws:NoSuchKey}", **owned_by("dana")),
    ),
    yes(
        "variable-under-ifexists-key-absent",
        "IfExists is true when the tested key is absent",
        VARIABLES,
        when("StringEqualsIfExists", "aws:ResourceTag/team", "${aws:PrincipalTag/team}", context={TEAM: "blue"}),
    ),
    yes(
        "variable-in-arn-operator",
        "variables work in ARN operators",
        WHERE,
        when(
            "ArnLike",
            "aws:PrincipalArn",
            "arn:aws:iam::" + HOME + ":user/${aws:username}",
            context={**DANA, "aws:PrincipalArn": f"arn:aws:iam::{HOME}:user/dana"},
        ),
    ),
    no(
        "variable-in-arn-operator-differs",
        "the tag names another user",
        WHERE,
        when(
            "ArnLike",
            "aws:PrincipalArn",
            "arn:aws:iam::" + HOME + ":user/${aws:PrincipalTag/twin}",
            context={"aws:PrincipalTag/twin": "erin", "aws:PrincipalArn": f"arn:aws:iam::{HOME}:user/dana"},
        ),
    ),
    yes(
        "variable-under-ignorecase",
        "replaced, then compared without case",
        WHERE,
        when("StringEqualsIgnoreCase", OWNER, "${aws:username}", **owned_by("DANA")),
    ),
    yes(
        "variable-negated-somebody-else",
        "erin is not dana",
        WHERE,
        when("StringNotEquals", OWNER, "${aws:username}", **owned_by("erin")),
    ),
    no(
        "variable-negated-same",
        "dana is dana",
        WHERE,
        when("StringNotEquals", OWNER, "${aws:username}", **owned_by("dana")),
    ),
    no(
        "variable-username-absent-for-role-session",
        "aws:username is not present for role sessions",
        PRINCIPAL_KEYS,
        scenario(
            role(),
            "kms:Decrypt",
            DELEGATES,
            policy(allow("kms:Decrypt", Condition={"StringEquals": {OWNER: "${aws:username}"}})),
            encryption_context={"owner": "App"},
            context={"aws:userid": "AROAEXAMPLEAPP:job"},
        ),
    ),
    yes(
        "variable-userid-of-role-session",
        "aws:userid of a session is role ID, colon, session name",
        PRINCIPAL_KEYS,
        scenario(
            role(),
            "kms:Decrypt",
            DELEGATES,
            policy(allow("kms:Decrypt", Condition={"StringEquals": {OWNER: "${aws:userid}"}})),
            encryption_context={"owner": "AROAEXAMPLEAPP:job"},
            context={"aws:userid": "AROAEXAMPLEAPP:job"},
        ),
    ),
    no(
        "variable-multivalued-key",
        "a key with several values cannot serve as a variable",
        VARIABLES + ", Using variables in policies",
        when(
            "StringEquals",
            OWNER,
            "${aws:TagKeys}",
            encryption_context={"owner": "team"},
            context={"aws:TagKeys": ["team", "cost"]},
        ),
    ),
    no(
        "variable-in-numeric-operator",
        "numeric operators know no variables",
        WHERE,
        when(
            "NumericEquals",
            "kms:RotationPeriodInDays",
            "${aws:PrincipalTag/days}",
            context={"aws:PrincipalTag/days": "90", "kms:RotationPeriodInDays": "90"},
        ),
    ),
    no(
        "variable-wildcard-inside-its-value",
        "a star that comes from a value is a star, not a wildcard",
        VARIABLES + " (unverified)",
        when("StringLike", OWNER, "${aws:PrincipalTag/team}", encryption_context={"owner": "red"}, context={TEAM: "*"}),
    ),
    yes(
        "variable-wildcard-inside-its-value-equals-itself",
        "the same star under StringEquals",
        VARIABLES + " (unverified)",
        when("StringEquals", OWNER, "${aws:PrincipalTag/team}", encryption_context={"owner": "*"}, context={TEAM: "*"}),
    ),
    no(
        "variable-inside-a-value",
        "what a variable brings in is not searched for variables again",
        VARIABLES + " (unverified)",
        when(
            "StringEquals",
            OWNER,
            "${aws:PrincipalTag/team}",
            encryption_context={"owner": "dana"},
            context={**DANA, TEAM: "${aws:username}"},
        ),
    ),
]

TEAM_WALL = {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}


def walled(operator: str, wall: Document = TEAM_WALL, **context) -> Document:
    """IAM allows dana everything, the key policy denies to all whom the condition hits."""
    wall_policy = policy(*DELEGATES["Statement"], deny("kms:*", "*", Sid="Wall", Condition={operator: wall}))
    return scenario(user(), "kms:Decrypt", wall_policy, MAY_ALL, **context)


BLUE_KEY = {"aws:ResourceTag/team": "blue"}
OWN_KEY_ONLY = {
    "Sid": "OwnKeyOnly",
    "Effect": "Deny",
    "Action": "kms:*",
    "NotResource": f"arn:aws:kms:{REGION}:{HOME}:key/${{aws:PrincipalTag/key}}",
}

WITHOUT_VALUE = [
    denied(
        "variable-without-value-under-negated-deny",
        "explicit-deny",
        "nothing equals a variable without value, so StringNotEquals matches and the deny applies",
        NO_VALUE,
        walled("StringNotEquals", context=BLUE_KEY),
        layer="key-policy",
        sid="Wall",
    ),
    allowed(
        "variable-with-value-under-negated-deny",
        "iam-via-key-policy",
        "the caller's team is the key's",
        NO_VALUE,
        walled("StringNotEquals", context={**BLUE_KEY, TEAM: "blue"}),
    ),
    denied(
        "variable-without-value-under-stringnotlike-deny",
        "explicit-deny",
        "nothing is like a variable without value",
        NO_VALUE,
        walled("StringNotLike", {"aws:ResourceTag/team": "${aws:PrincipalTag/team}*"}, context=BLUE_KEY),
        layer="key-policy",
        sid="Wall",
    ),
    denied(
        "variable-without-value-under-arnnotlike-deny",
        "explicit-deny",
        "the inverted ARN operators are no exception",
        NO_VALUE,
        walled(
            "ArnNotLike",
            {"aws:PrincipalArn": "arn:aws:iam::" + HOME + ":user/${aws:PrincipalTag/twin}"},
            context={"aws:PrincipalArn": f"arn:aws:iam::{HOME}:user/dana"},
        ),
        layer="key-policy",
        sid="Wall",
    ),
    allowed(
        "variable-without-value-under-plain-deny",
        "iam-via-key-policy",
        "StringEquals does not match, so the deny has no effect",
        NO_VALUE,
        walled("StringEquals", context=BLUE_KEY),
    ),
    yes(
        "variable-without-value-under-negated-allow",
        "the trap: an allow with StringNotEquals lets the untagged in",
        NO_VALUE,
        when("StringNotEquals", "aws:ResourceTag/team", "${aws:PrincipalTag/team}", context=BLUE_KEY),
    ),
    allowed(
        "variable-without-value-beside-a-value-that-matches",
        "iam-via-key-policy",
        "NOR: blue is one of the values, so the deny does not apply",
        NO_VALUE + " (unverified)",
        walled("StringNotEquals", {"aws:ResourceTag/team": ["${aws:PrincipalTag/team}", "blue"]}, context=BLUE_KEY),
    ),
    yes(
        "variable-without-value-beside-a-value-in-an-allow",
        "OR: blue is one of the values",
        NO_VALUE + " (unverified)",
        when("StringEquals", "aws:ResourceTag/team", ["${aws:PrincipalTag/team}", "blue"], context=BLUE_KEY),
    ),
    denied(
        "variable-with-default-under-negated-deny",
        "explicit-deny",
        "the default none is not blue",
        DEFAULTS,
        walled("StringNotEquals", {"aws:ResourceTag/team": "${aws:PrincipalTag/team, 'none'}"}, context=BLUE_KEY),
        layer="key-policy",
        sid="Wall",
    ),
    denied(
        "variable-without-value-in-notresource",
        "explicit-deny",
        "the pattern matches no resource, so none is excepted from the deny",
        NO_VALUE,
        scenario(user(), "kms:Decrypt", DELEGATES, policy(allow("kms:*"), OWN_KEY_ONLY)),
        layer="identity-policy",
        sid="OwnKeyOnly",
    ),
    allowed(
        "variable-with-value-in-notresource",
        "iam-via-key-policy",
        "the caller's own key is excepted from the deny",
        WHERE,
        scenario(
            user(),
            "kms:Decrypt",
            DELEGATES,
            policy(allow("kms:*"), OWN_KEY_ONLY),
            context={"aws:PrincipalTag/key": KEY.split("/")[1]},
        ),
    ),
    allowed(
        "variable-userid-of-root-user-is-its-account",
        "account-root",
        "aws:userid of a root user is the account ID",
        PRINCIPAL_KEYS,
        scenario(
            root(),
            "kms:Decrypt",
            policy(allow("kms:*", f"arn:aws:iam::{HOME}:root", Condition={"StringEquals": {OWNER: "${aws:userid}"}})),
            encryption_context={"owner": HOME},
            context={"aws:userid": HOME},
        ),
    ),
    yes(
        "variable-userid-of-federated-user",
        "aws:userid of a federated session is account, colon, name",
        PRINCIPAL_KEYS,
        scenario(
            federated(),
            "kms:Decrypt",
            DELEGATES,
            policy(allow("kms:Decrypt", Condition={"StringEquals": {OWNER: "${aws:userid}"}})),
            session_policy=MAY_ALL,
            encryption_context={"owner": f"{HOME}:guest"},
            context={"aws:userid": f"{HOME}:guest"},
        ),
    ),
]

DEFAULT_VALUES = [
    yes(
        "default-used-when-absent",
        "no tag, so the default none",
        DEFAULTS,
        when("StringEquals", OWNER, "${aws:PrincipalTag/team, 'none'}", encryption_context={"owner": "none"}),
    ),
    no(
        "default-not-used-when-present",
        "the tag says blue",
        DEFAULTS,
        when(
            "StringEquals",
            OWNER,
            "${aws:PrincipalTag/team, 'none'}",
            encryption_context={"owner": "none"},
            context={TEAM: "blue"},
        ),
    ),
    yes(
        "default-present-value-wins",
        "the tag says blue",
        DEFAULTS,
        when(
            "StringEquals",
            OWNER,
            "${aws:PrincipalTag/team, 'none'}",
            encryption_context={"owner": "blue"},
            context={TEAM: "blue"},
        ),
    ),
    no(
        "default-other-value",
        "no tag, and the pair is not the default",
        DEFAULTS,
        when("StringEquals", OWNER, "${aws:PrincipalTag/team, 'none'}", encryption_context={"owner": "blue"}),
    ),
    yes(
        "default-in-resource",
        "without a tag the default completes the ARN",
        DEFAULTS,
        on(
            f"arn:aws:kms:{REGION}:{HOME}:alias/${{aws:PrincipalTag/team, 'orders'}}",
            action="kms:CreateAlias",
            at=ALIAS,
        ),
    ),
]

IN_RESOURCES = [
    yes(
        "variable-in-alias-resource",
        "each user has the aliases that begin with the user's name",
        WHERE,
        on(
            f"arn:aws:kms:*:{HOME}:alias/${{aws:username}}-*",
            action="kms:CreateAlias",
            at=f"arn:aws:kms:{REGION}:{HOME}:alias/dana-orders",
            context=DANA,
        ),
    ),
    no(
        "variable-in-alias-resource-somebody-else",
        "erin's alias",
        WHERE,
        on(
            f"arn:aws:kms:*:{HOME}:alias/${{aws:username}}-*",
            action="kms:CreateAlias",
            at=f"arn:aws:kms:{REGION}:{HOME}:alias/erin-orders",
            context=DANA,
        ),
    ),
    yes(
        "variable-in-key-resource",
        "the tag holds the ID of the caller's key",
        WHERE,
        on(
            f"arn:aws:kms:{REGION}:{HOME}:key/${{aws:PrincipalTag/key}}",
            context={"aws:PrincipalTag/key": KEY.split("/")[1]},
        ),
    ),
    no(
        "variable-in-key-resource-other-key",
        "the tag holds another ID",
        WHERE,
        on(f"arn:aws:kms:{REGION}:{HOME}:key/${{aws:PrincipalTag/key}}", context={"aws:PrincipalTag/key": "ffffffff"}),
    ),
    no(
        "variable-in-key-resource-without-value",
        "no tag, no resource",
        NO_VALUE,
        on(f"arn:aws:kms:{REGION}:{HOME}:key/${{aws:PrincipalTag/key}}"),
    ),
    no(
        "variable-in-resource-wildcard-inside-value",
        "a star from a tag does not open all keys",
        VARIABLES + " (unverified)",
        on(f"arn:aws:kms:{REGION}:{HOME}:key/${{aws:PrincipalTag/key}}", context={"aws:PrincipalTag/key": "*"}),
    ),
    no(
        "variable-in-resource-2008",
        "a policy of 2008 has no variables: the text stays as it is",
        VERSION,
        on(
            f"arn:aws:kms:*:{HOME}:alias/${{aws:username}}-*",
            action="kms:CreateAlias",
            version="2008-10-17",
            at=f"arn:aws:kms:{REGION}:{HOME}:alias/dana-orders",
            context=DANA,
        ),
    ),
    denied(
        "variable-in-deny-resource",
        "explicit-deny",
        "denies are completed the same way",
        WHERE,
        scenario(
            user(),
            "kms:DeleteAlias",
            None,
            policy(
                allow("kms:*"),
                deny("kms:DeleteAlias", None, f"arn:aws:kms:*:{HOME}:alias/${{aws:username}}-*", Sid="KeepOwn"),
            ),
            resource=f"arn:aws:kms:{REGION}:{HOME}:alias/dana-orders",
            context=DANA,
        ),
        layer="identity-policy",
        sid="KeepOwn",
    ),
]

SPECIALS = [
    yes(
        "special-star-under-stringlike",
        "${*} is a plain star",
        SPECIAL,
        when("StringLike", OWNER, "a${*}c", encryption_context={"owner": "a*c"}),
    ),
    no(
        "special-star-under-stringlike-is-no-wildcard",
        "${*} stands for nothing but a star",
        SPECIAL,
        when("StringLike", OWNER, "a${*}c", encryption_context={"owner": "abc"}),
    ),
    yes(
        "special-star-beside-wildcard",
        "a plain star, then anything",
        SPECIAL,
        when("StringLike", OWNER, "${*}*", encryption_context={"owner": "*anything"}),
    ),
    yes(
        "special-star-under-stringequals",
        "usable wherever variables are",
        SPECIAL,
        when("StringEquals", OWNER, "a${*}c", encryption_context={"owner": "a*c"}),
    ),
    yes(
        "special-question-mark",
        "${?} is a plain question mark",
        SPECIAL,
        when("StringLike", OWNER, "who${?}", encryption_context={"owner": "who?"}),
    ),
    no(
        "special-question-mark-is-no-wildcard",
        "${?} stands for nothing but a question mark",
        SPECIAL,
        when("StringLike", OWNER, "who${?}", encryption_context={"owner": "whom"}),
    ),
    yes(
        "special-dollar",
        "${$} is a plain dollar sign",
        SPECIAL,
        when("StringEquals", OWNER, "US${$}5", encryption_context={"owner": "US$5"}),
    ),
    yes(
        "special-dollar-keeps-a-variable-as-text",
        "the dollar is made by ${$}, so no variable begins",
        SPECIAL + " (unverified)",
        when("StringEquals", OWNER, "${$}{aws:username}", **owned_by("${aws:username}")),
    ),
    no(
        "special-dollar-makes-no-variable",
        "the result is not read again",
        SPECIAL + " (unverified)",
        when("StringEquals", OWNER, "${$}{aws:username}", **owned_by("dana")),
    ),
]

VERSIONS = [
    no(
        "version-2008-does-not-replace",
        "variables came with 2012-10-17",
        VERSION,
        when("StringEquals", OWNER, "${aws:username}", version="2008-10-17", **owned_by("dana")),
    ),
    yes(
        "version-2008-compares-as-text",
        "the variable is its own text",
        VERSION,
        when("StringEquals", OWNER, "${aws:username}", version="2008-10-17", **owned_by("${aws:username}")),
    ),
    no(
        "version-absent-does-not-replace",
        "without Version a policy is of 2008-10-17",
        VERSION,
        when("StringEquals", OWNER, "${aws:username}", version=None, **owned_by("dana")),
    ),
    yes(
        "version-absent-compares-as-text",
        "the variable is its own text",
        VERSION,
        when("StringEquals", OWNER, "${aws:username}", version=None, **owned_by("${aws:username}")),
    ),
    no(
        "version-2008-default-is-text",
        "a default is part of the variable",
        VERSION,
        when(
            "StringEquals",
            OWNER,
            "${aws:PrincipalTag/team, 'none'}",
            version="2008-10-17",
            encryption_context={"owner": "none"},
        ),
    ),
    no(
        "version-2008-special-star-is-text",
        "even ${*} is plain text",
        VERSION,
        when("StringEquals", OWNER, "a${*}c", version="2008-10-17", encryption_context={"owner": "a*c"}),
    ),
    yes(
        "version-2008-special-star-holds-a-wildcard",
        "under StringLike the star inside the braces is a wildcard",
        VERSION + " (unverified)",
        when("StringLike", OWNER, "a${*}c", version="2008-10-17", encryption_context={"owner": "a${anything}c"}),
    ),
]


def keyed(version: str | None) -> Document:
    """The key policy allows dana where the pair's owner is the caller's name."""
    return policy(
        allow(
            "kms:Decrypt",
            f"arn:aws:iam::{HOME}:user/dana",
            Sid="Own",
            Condition={"StringEquals": {OWNER: "${aws:username}"}},
        ),
        version=version,
    )


TEAM_ONLY = policy(
    deny("kms:*", Sid="OtherTeams", Condition={"StringNotEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}})
)

ELSEWHERE = [
    allowed(
        "variable-in-key-policy",
        "key-policy",
        "key policies have variables too",
        VARIABLES,
        scenario(user(), "kms:Decrypt", keyed("2012-10-17"), **owned_by("dana")),
        layer="key-policy",
        sid="Own",
    ),
    denied(
        "variable-in-key-policy-2008",
        "implicit-deny",
        "a key policy of 2008 has none",
        VERSION,
        scenario(user(), "kms:Decrypt", keyed("2008-10-17"), **owned_by("dana")),
    ),
    denied(
        "variable-in-key-policy-without-version",
        "implicit-deny",
        "nor has one without Version",
        VERSION,
        scenario(user(), "kms:Decrypt", keyed(None), **owned_by("dana")),
    ),
    denied(
        "variable-in-scp-deny",
        "explicit-deny",
        "the key is another team's",
        VARIABLES,
        scenario(
            user(),
            "kms:Decrypt",
            DELEGATES,
            MAY_ALL,
            scps=[[FULL_ACCESS, TEAM_ONLY]],
            context={TEAM: "blue", "aws:ResourceTag/team": "red"},
        ),
        layer="scp",
        sid="OtherTeams",
    ),
    allowed(
        "variable-in-scp-deny-spares",
        "iam-via-key-policy",
        "the key is the caller's team's",
        VARIABLES,
        scenario(
            user(),
            "kms:Decrypt",
            DELEGATES,
            MAY_ALL,
            scps=[[FULL_ACCESS, TEAM_ONLY]],
            context={TEAM: "blue", "aws:ResourceTag/team": "blue"},
        ),
    ),
    denied(
        "variable-in-boundary",
        "boundary",
        "the boundary is for the user's own data",
        VARIABLES,
        scenario(
            user(),
            "kms:Decrypt",
            DELEGATES,
            MAY_ALL,
            permissions_boundary=policy(allow("kms:*", Condition={"StringEquals": {OWNER: "${aws:username}"}})),
            **owned_by("erin"),
        ),
        layer="boundary",
    ),
    allowed(
        "variable-in-boundary-same",
        "iam-via-key-policy",
        "the user's own data",
        VARIABLES,
        scenario(
            user(),
            "kms:Decrypt",
            DELEGATES,
            MAY_ALL,
            permissions_boundary=policy(allow("kms:*", Condition={"StringEquals": {OWNER: "${aws:username}"}})),
            **owned_by("dana"),
        ),
    ),
]

CASES = [*IN_CONDITIONS, *WITHOUT_VALUE, *DEFAULT_VALUES, *IN_RESOURCES, *SPECIALS, *VERSIONS, *ELSEWHERE]
