"""Who may: the same-account and cross-account tables, deny, NotPrincipal, sessions, and what a verdict says."""

import json

import pytest

from kms_lab.core.names import Principal
from kms_lab.policy.evaluate import CROSS_ACCOUNT_ACTIONS, Layers, Request, compile_policy, evaluate

HOME, AWAY = "111122223333", "444455556666"
KEY = f"arn:aws:kms:eu-west-1:{HOME}:key/0f0e0d0c-0b0a-4908-8706-050403020100"
ALIAS = f"arn:aws:kms:eu-west-1:{HOME}:alias/app"

DANA = f"arn:aws:iam::{HOME}:user/dana"
APP = f"arn:aws:iam::{HOME}:role/svc/App"
APP_SESSION = f"arn:aws:sts::{HOME}:assumed-role/App/lab"
APP_OTHER_SESSION = f"arn:aws:sts::{HOME}:assumed-role/App/other"
ROOT = f"arn:aws:iam::{HOME}:root"
EVE = f"arn:aws:iam::{AWAY}:user/eve"
AWAY_ROOT = f"arn:aws:iam::{AWAY}:root"
LOGS = "logs.eu-west-1.amazonaws.com"


def key_statement(principal, **changes):
    """An Allow for a principal on everything, changed at will."""
    who = principal if isinstance(principal, dict) or principal == "*" else {"AWS": principal}
    return {"Effect": "Allow", "Principal": who, "Action": "kms:*", "Resource": "*"} | changes


def identity(effect="Allow", **changes):
    """An identity policy of one statement."""
    return [{"Effect": effect, "Action": "kms:*", "Resource": "*"} | changes]


def judge(caller, key_policy, *identity_policies, action="kms:Encrypt", resource=KEY, **context):
    """Evaluate a check; ``key_policy`` and each identity policy are lists of statements."""

    def compiled(statements, kind):
        return compile_policy(json.dumps({"Version": "2012-10-17", "Statement": statements}), kind)

    owner = HOME if resource != "*" else Principal.parse(caller).account
    return evaluate(
        Request(Principal.parse(caller), action, resource, owner, context),
        Layers(
            None if key_policy is None else compiled(key_policy, "key"),
            tuple(compiled(statements, "identity") for statements in identity_policies),
        ),
    )


NAMES = [key_statement(DANA)]
ACCOUNT = [key_statement(ROOT)]
EVERYONE = [key_statement("*")]
NOBODY = [key_statement(f"arn:aws:iam::{HOME}:user/bob")]
ALLOWED = [identity()]
SILENT = [identity(Action="s3:*")]
DENIED = [identity(), identity("Deny")]

SAME_ACCOUNT = [
    # caller, key policy, identity policies, reason
    (DANA, NAMES, [], "key-policy"),
    (DANA, NAMES, SILENT, "key-policy"),
    (DANA, NAMES, ALLOWED, "key-policy"),
    (DANA, NAMES, DENIED, "explicit-deny"),
    (DANA, ACCOUNT, [], "implicit-deny"),
    (DANA, ACCOUNT, SILENT, "implicit-deny"),
    (DANA, ACCOUNT, ALLOWED, "iam-via-key-policy"),
    (DANA, ACCOUNT, DENIED, "explicit-deny"),
    (DANA, [key_statement(HOME)], ALLOWED, "iam-via-key-policy"),
    (DANA, EVERYONE, [], "key-policy"),
    (DANA, EVERYONE, DENIED, "explicit-deny"),
    (DANA, NOBODY, [], "implicit-deny"),
    (DANA, NOBODY, ALLOWED, "no-iam-delegation"),
    (DANA, NOBODY, DENIED, "explicit-deny"),
    (DANA, [key_statement(ROOT, Effect="Deny"), *NAMES], ALLOWED, "explicit-deny"),
    (DANA, [key_statement(AWAY_ROOT)], ALLOWED, "no-iam-delegation"),
    # the account statement's own actions and conditions limit what it delegates
    (DANA, [key_statement(ROOT, Action="kms:Decrypt")], ALLOWED, "no-iam-delegation"),
    (DANA, [key_statement(ROOT, Condition={"Bool": {"aws:x": "true"}})], ALLOWED, "no-iam-delegation"),
    # the root user is the account
    (ROOT, ACCOUNT, [], "account-root"),
    (ROOT, NOBODY, [], "implicit-deny"),
    (ROOT, EVERYONE, [], "key-policy"),
    (ROOT, [*ACCOUNT, key_statement(ROOT, Effect="Deny")], [], "explicit-deny"),
    # roles and their sessions
    (APP, [key_statement(APP)], [], "key-policy"),
    (APP, [key_statement(APP_SESSION)], [], "key-policy"),
    (APP, [key_statement(APP_OTHER_SESSION)], [], "implicit-deny"),
    (APP, [key_statement(f"arn:aws:iam::{HOME}:role/App")], [], "implicit-deny"),
    (APP, ACCOUNT, ALLOWED, "iam-via-key-policy"),
    # services
    (LOGS, [key_statement({"Service": LOGS})], [], "key-policy"),
    (LOGS, [key_statement({"Service": "s3.amazonaws.com"})], [], "implicit-deny"),
    (LOGS, ACCOUNT, [], "implicit-deny"),
    (LOGS, EVERYONE, [], "key-policy"),
    # a statement without Action or Resource has no effect, for good or ill
    (DANA, [{name: v for name, v in NAMES[0].items() if name != "Resource"}], [], "implicit-deny"),
    (DANA, [{name: v for name, v in NAMES[0].items() if name != "Action"}], [], "implicit-deny"),
]


@pytest.mark.parametrize(("caller", "key_policy", "identity_policies", "reason"), SAME_ACCOUNT)
def test_same_account(caller, key_policy, identity_policies, reason):
    """
    Inside the key's account each combination of key policy and identity policy gives its one reason.
    """
    verdict = judge(caller, key_policy, *identity_policies)

    assert verdict.reason == reason
    assert verdict.allowed is (reason in ("key-policy", "iam-via-key-policy", "account-root"))


CROSS_ACCOUNT = [
    (EVE, [key_statement(EVE)], ALLOWED, "cross-account"),
    (EVE, [key_statement(AWAY)], ALLOWED, "cross-account"),
    (EVE, EVERYONE, ALLOWED, "cross-account"),
    (EVE, [key_statement(EVE)], [], "cross-account-no-iam-policy"),
    (EVE, [key_statement(AWAY)], SILENT, "cross-account-no-iam-policy"),
    (EVE, EVERYONE, [], "cross-account-no-iam-policy"),
    (EVE, ACCOUNT, ALLOWED, "cross-account-no-key-policy"),
    (EVE, NOBODY, [], "cross-account-no-key-policy"),
    (EVE, None, ALLOWED, "cross-account-no-key-policy"),
    (EVE, [key_statement(EVE)], DENIED, "explicit-deny"),
    (EVE, [key_statement(AWAY), key_statement("*", Effect="Deny")], ALLOWED, "explicit-deny"),
    (AWAY_ROOT, [key_statement(AWAY)], [], "cross-account"),
    (AWAY_ROOT, [key_statement(EVE)], [], "cross-account-no-key-policy"),
]


@pytest.mark.parametrize(("caller", "key_policy", "identity_policies", "reason"), CROSS_ACCOUNT)
def test_cross_account(caller, key_policy, identity_policies, reason):
    """
    On another account's key both halves must allow, even if the key policy names the caller.
    """
    verdict = judge(caller, key_policy, *identity_policies)

    assert (verdict.allowed, verdict.reason) == (reason == "cross-account", reason)


@pytest.mark.parametrize("action", ["kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:CreateAlias", "kms:EnableKey"])
def test_operations_that_stay_at_home(action):
    """
    An operation off the cross-account list is refused there, whatever the policies allow.
    """
    assert judge(EVE, EVERYONE, *ALLOWED, action=action).reason == "not-cross-account"
    assert judge(DANA, EVERYONE, *ALLOWED, action=action).allowed


def test_the_cross_account_list():
    """
    Twenty-two permissions work across accounts: fifteen cryptographic ones and seven others. Policies give all but one.
    """
    assert len(CROSS_ACCOUNT_ACTIONS) == 22
    refused = {action for action in CROSS_ACCOUNT_ACTIONS if not judge(EVE, EVERYONE, *ALLOWED, action=action).allowed}
    assert refused == {"kms:retiregrant"}


@pytest.mark.parametrize(
    ("caller", "identity_policies", "reason"),
    [
        (DANA, ALLOWED, "iam-policy"),
        (DANA, SILENT, "implicit-deny"),
        (DANA, [], "implicit-deny"),
        (DANA, DENIED, "explicit-deny"),
        (DANA, [identity(Resource=KEY)], "implicit-deny"),
        (ROOT, [], "account-root"),
    ],
)
def test_no_key_in_the_request(caller, identity_policies, reason):
    """
    CreateKey, ListKeys and GenerateRandom are a matter for identity policies alone.
    """
    assert judge(caller, None, *identity_policies, action="kms:ListKeys", resource="*").reason == reason


@pytest.mark.parametrize(
    ("caller", "listed", "denied"),
    [
        (DANA, [DANA, ROOT], False),
        (DANA, [DANA], True),  # its account is not spared, so neither is dana
        (DANA, [ROOT], True),  # others of a listed account stay denied
        (DANA, [EVE, AWAY], True),
        (APP, [APP, ROOT], False),
        (APP, [APP_SESSION, ROOT], True),  # the role itself is not spared
        (APP, [APP_SESSION, APP, ROOT], False),
        (ROOT, [ROOT], False),
        (LOGS, [DANA, ROOT], True),
    ],
)
def test_not_principal_with_deny(caller, listed, denied):
    """
    NotPrincipal with Deny spares a caller only if its identity and its account are both listed.
    """
    deny = {"Effect": "Deny", "NotPrincipal": {"AWS": listed}, "Action": "*", "Resource": "*"}

    verdict = judge(caller, [deny, *EVERYONE])

    assert verdict.reason == ("explicit-deny" if denied else "key-policy")


def test_not_principal_with_a_service():
    """
    A service named in NotPrincipal is spared.
    """
    deny = {"Effect": "Deny", "NotPrincipal": {"Service": LOGS}, "Action": "*", "Resource": "*"}

    assert judge(LOGS, [deny, *EVERYONE]).allowed
    assert not judge(DANA, [deny, *EVERYONE]).allowed


def test_not_principal_with_allow():
    """
    NotPrincipal with Allow lets in everybody but those listed.
    """
    allow = {"Effect": "Allow", "NotPrincipal": {"AWS": DANA}, "Action": "*", "Resource": "*"}

    assert not judge(DANA, [allow]).allowed
    assert judge(APP, [allow]).reason == "key-policy"


def test_not_action_and_not_resource():
    """
    NotAction and NotResource cover everything but what they list.
    """
    deny_rest = [{"Effect": "Deny", "NotAction": "kms:Encrypt", "Resource": "*"}]
    elsewhere = [{"Effect": "Deny", "Action": "*", "NotResource": f"arn:aws:kms:*:{HOME}:key/*"}]

    assert judge(DANA, ACCOUNT, identity(), deny_rest, action="kms:Encrypt").allowed
    assert judge(DANA, ACCOUNT, identity(), deny_rest, action="kms:Decrypt").reason == "explicit-deny"
    assert judge(DANA, ACCOUNT, identity(), elsewhere).allowed
    assert judge(DANA, ACCOUNT, identity(), elsewhere, resource=ALIAS).reason == "explicit-deny"


def test_an_alias_arn_never_means_the_key():
    """
    An identity policy on the alias ARN gives the alias operations their alias half and no use of the key.
    """
    on_alias = identity(Resource=ALIAS)

    assert judge(DANA, ACCOUNT, on_alias).reason == "implicit-deny"
    assert judge(DANA, None, on_alias, action="kms:CreateAlias", resource=ALIAS).reason == "iam-policy"


def test_resource_aliases_count_in_identity_policies_only():
    """
    kms:ResourceAliases is seen by identity policies and never by key policies.
    """
    condition = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/app"}}
    aliases = {"kms:resourcealiases": ("alias/app", "alias/old")}

    assert judge(DANA, ACCOUNT, identity(Condition=condition), **aliases).allowed
    refused = judge(DANA, [key_statement(DANA, Condition=condition)], **aliases)
    assert not refused.allowed
    assert "kms:ResourceAliases is never seen by a key policy" in refused.sentence


def test_the_statement_that_decided_is_named():
    """
    decided_by names layer, policy and Sid, or the index where there is no Sid.
    """
    assert judge(DANA, ACCOUNT, identity(Action="s3:*"), identity(Sid="Use")).decided_by.to_data() == {
        "layer": "identity-policy",
        "policy": "identity policy 2",
        "sid": "Use",
    }
    assert judge(DANA, [*NOBODY, *NAMES]).decided_by.to_data() == {
        "layer": "key-policy",
        "policy": "key policy",
        "index": 2,
    }


VIA = {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}
SENTENCES = [
    (
        lambda: judge(DANA, ACCOUNT),
        "The key policy lets IAM decide, and no identity policy of dana allows kms:Encrypt on this key.",
    ),
    (
        lambda: judge(DANA, ACCOUNT, identity(Sid="ViaS3", Condition=VIA)),
        "The key policy lets IAM decide, and no identity policy of dana allows kms:Encrypt on this key; the nearest"
        ' is statement "ViaS3" of identity policy 1, where everything matched but kms:ViaService is absent.',
    ),
    (
        lambda: judge(DANA, ACCOUNT, identity(Condition=VIA), **{"kms:viaservice": "ec2.eu-west-1.amazonaws.com"}),
        "The key policy lets IAM decide, and no identity policy of dana allows kms:Encrypt on this key; the nearest"
        " is statement 1 of identity policy 1, where everything matched but kms:ViaService is"
        ' "ec2.eu-west-1.amazonaws.com", where StringEquals wants "s3.eu-west-1.amazonaws.com".',
    ),
    (
        lambda: judge(DANA, ACCOUNT, identity(Resource=ALIAS)),
        "The key policy lets IAM decide, and no identity policy of dana allows kms:Encrypt on this key; the nearest"
        f" is statement 1 of identity policy 1, where everything matched but its Resource {ALIAS},"
        " for an alias ARN never means the key.",
    ),
    (
        lambda: judge(DANA, NOBODY, identity(Sid="All")),
        'Identity policy 1 of dana allows kms:Encrypt on this key (statement "All"), but the key policy neither'
        " gives it to the caller by name nor lets IAM decide about it, so that allow has no effect; the nearest is"
        " statement 1 of the key"
        f" policy, where everything matched but its Principal, which lists arn:aws:iam::{HOME}:user/bob.",
    ),
    (
        lambda: judge(APP, [key_statement(APP, Sid="Use")]),
        'Statement "Use" of the key policy allows kms:Encrypt on this key, and its Principal names role App; inside the'
        " key's account that is enough, without any identity policy.",
    ),
    (
        lambda: judge(DANA, ACCOUNT, *DENIED),
        "Statement 1 of identity policy 2 explicitly denies dana kms:Encrypt on this key, and an explicit deny beats"
        " every allow.",
    ),
    (
        lambda: judge(EVE, EVERYONE, action="kms:PutKeyPolicy"),
        f"kms:PutKeyPolicy does not work on a key of another account ({HOME}), whatever the policies say.",
    ),
]


@pytest.mark.parametrize(("verdict", "sentence"), SENTENCES, ids=range(len(SENTENCES)))
def test_sentences(verdict, sentence):
    """
    The sentence names the statement that decided, or the one that nearly did and what it lacked.
    """
    assert verdict().sentence == sentence


def test_missing_context_is_what_would_have_been_asked():
    """
    missing_context lists the absent keys of statements that fit the caller, action and resource, as written.
    """
    verdict = judge(
        DANA,
        ACCOUNT,
        identity(Condition=VIA | {"StringLike": {"aws:PrincipalTag/Team": "${aws:username}"}}),
        identity(Action="kms:Sign", Condition={"Bool": {"aws:SecureTransport": "true"}}),
        **{"aws:principaltag/team": "blue"},
    )

    assert verdict.missing_context == ("kms:ViaService", "aws:username")


def test_the_trace_shows_every_clause():
    """
    The trace has every layer and statement, with each clause, its values and whether it matched.
    """
    verdict = judge(DANA, ACCOUNT, identity(Condition=VIA), **{"kms:viaservice": "ec2.eu-west-1.amazonaws.com"})

    layers = verdict.to_data()["trace"]["layers"]
    assert [layer["layer"] for layer in layers] == ["key-policy", "identity-policy"]
    key, user = (layer["policies"][0]["statements"][0] for layer in layers)
    assert [(clause["element"], clause["matched"]) for clause in key["clauses"]] == [
        ("Principal", True),
        ("Action", True),
        ("Resource", True),
    ]
    assert (key["applies"], key["naming"], user["applies"]) == (True, "account", False)
    assert user["clauses"][-1] | {"why": ""} == {
        "element": "Condition",
        "matched": False,
        "wanted": ["StringEquals kms:ViaService", "s3.eu-west-1.amazonaws.com"],
        "found": ["ec2.eu-west-1.amazonaws.com"],
        "why": "",
        "missing": [],
    }
