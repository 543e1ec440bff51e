"""What an explanation says: each layer's outcome, the sentence for each reason, the near miss, the missing keys."""

import json
import sys
from pathlib import Path

import pytest

from kms_lab.core.names import Principal
from kms_lab.policy.compiled import Layers, Request, compile_policy
from kms_lab.policy.evaluate import evaluate
from kms_lab.policy.scenario import decide

sys.path.insert(0, str(Path(__file__).parent / "scenarios"))

from build import (
    ALIAS,
    AWAY,
    DELEGATES,
    FULL_ACCESS,
    HOME,
    KEY,
    allow,
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

DANA, EVE, APP = f"arn:aws:iam::{HOME}:user/dana", f"arn:aws:iam::{AWAY}:user/eve", f"arn:aws:iam::{HOME}:role/App"
JOB = f"arn:aws:sts::{HOME}:assumed-role/App/job"
ROOT = f"arn:aws:iam::{HOME}:root"
ALL, S3 = policy(allow("kms:*", Sid="All")), policy(allow("s3:*"))
NAMES_DANA = policy(allow("kms:*", DANA, Sid="Use"))
NAMES_APP = policy(allow("kms:*", APP, Sid="Use"))
LINKED = {
    "arn": f"arn:aws:sts::{HOME}:assumed-role/AWSServiceRoleForRDS/x",
    "type": "role-session",
    "account": HOME,
    "role_arn": f"arn:aws:iam::{HOME}:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS",
}


def ask(caller, key_policy, *identity_policies, action="kms:Decrypt", **more):
    return decide(scenario(caller, action, key_policy, *identity_policies, **more))


def outcomes(verdict):
    return [(layer.title, layer.outcome) for layer in verdict.trace.layers]


class TestLayers:
    def test_every_layer_in_order(self):
        """
        The layers stand in the order in which they are asked, each level of an organization by itself, grants last.
        """
        verdict = ask(
            user(),
            DELEGATES,
            ALL,
            permissions_boundary=FULL_ACCESS,
            scps=[[FULL_ACCESS], [FULL_ACCESS, S3]],
            rcps=[[], [policy(deny("kms:Encrypt", "*"))]],
            vpce_policy=policy(allow("*", "*")),
            grants=[grant(EVE, "Decrypt")],
        )

        assert outcomes(verdict) == [
            ("key policy", "allow"),
            ("identity policies of dana", "allow"),
            ("permissions boundary of dana", "allow"),
            ("SCPs of level 1", "allow"),
            ("SCPs of level 2", "allow"),
            ("RCPs of level 2", "none"),
            ("endpoint policy", "allow"),
            ("grants", "none"),
        ]
        assert [layer.layer for layer in verdict.trace.layers if layer.decides] == ["identity-policy"]

    @pytest.mark.parametrize(
        ("verdict", "layer", "why"),
        [
            (
                lambda: ask(LINKED, DELEGATES, ALL, scps=[[S3], [S3]]),
                "scp",
                "an SCP does not bind a service-linked role",
            ),
            (lambda: ask(LINKED, DELEGATES, ALL, rcps=[[S3_RCP]]), "rcp", "an RCP does not bind a service-linked role"),
            (
                lambda: ask(service("sns.amazonaws.com"), DELEGATES, scps=[[S3]]),
                "scp",
                "an SCP does not bind an AWS service",
            ),
            (
                lambda: ask(user(), DELEGATES, ALL, rcps=[[S3_RCP]], key={"manager": "AWS"}),
                "rcp",
                "an RCP does not reach AWS managed keys",
            ),
            (
                lambda: ask(user(), DELEGATES, ALL, action="kms:RetireGrant", rcps=[[S3_RCP]]),
                "rcp",
                "an RCP does not reach RetireGrant",
            ),
            (
                lambda: ask(user(), DELEGATES, ALL, action="kms:RetireGrant"),
                "key-policy",
                "the grant, and not the key policy, says who may retire it",
            ),
            (lambda: ask(root(), DELEGATES, permissions_boundary=S3), "boundary", "the root user has none"),
            (lambda: ask(service("sns.amazonaws.com"), DELEGATES), "identity-policy", "an AWS service has none"),
        ],
    )
    def test_spared(self, verdict, layer, why):
        """
        A layer that does not bind the caller stands there once, unasked, with the reason.
        """
        (told,) = [one for one in verdict().trace.layers if one.layer == layer]

        assert (told.outcome, told.why, told.policies) == ("spared", why, ())

    def test_what_need_not_allow_says_nothing(self):
        """
        An identity policy, a boundary or a key policy that does not allow is silent only where it would have had to.
        """
        named = ask(user(), NAMES_DANA, S3, permissions_boundary=S3)
        granted = ask(user(), S3_KEY, permissions_boundary=S3, grants=[grant(DANA, "Decrypt")])
        limited = ask(role(), NAMES_APP, permissions_boundary=S3)

        assert [outcome for _, outcome in outcomes(named)] == ["allow", "none", "none"]
        assert [outcome for _, outcome in outcomes(granted)] == ["none", "none", "none", "allow"]
        assert [outcome for _, outcome in outcomes(limited)] == ["allow", "none", "silent"]
        assert [outcome for _, outcome in outcomes(ask(user(), S3_KEY, S3))] == ["silent", "silent"]
        foreign = ask(user("eve", AWAY), policy(allow("kms:*", EVE)))
        assert [outcome for _, outcome in outcomes(foreign)] == ["allow", "silent"]

    def test_a_denial_wins_in_its_layer(self):
        """
        A layer that both allows and denies denies, and says which statement does.
        """
        verdict = ask(user(), DELEGATES, ALL, permissions_boundary=policy(allow("*"), deny("kms:*", Sid="No")))

        layer = verdict.trace.deciding
        assert (layer.layer, layer.outcome) == ("boundary", "deny")
        assert layer.why == 'statement "No" of the permissions boundary denies it'

    def test_the_level_that_decides(self):
        """
        Of several levels, the one that denies decides, or the first that is silent.
        """
        denied = ask(user(), DELEGATES, ALL, scps=[[FULL_ACCESS], [FULL_ACCESS, policy(deny("kms:*"))], [FULL_ACCESS]])
        silent = ask(user(), DELEGATES, ALL, scps=[[FULL_ACCESS], [S3], []])

        assert denied.trace.deciding.title == "SCPs of level 2"
        assert silent.trace.deciding.title == "SCPs of level 2"
        assert silent.decided_by.to_data() == {"layer": "scp", "policy": "SCPs of level 2"}
        assert [outcome for title, outcome in outcomes(silent) if "SCP" in title] == ["allow", "silent", "silent"]

    def test_a_federated_session_without_a_session_policy(self):
        """
        The layer of the missing session policy is there, and silent.
        """
        verdict = ask(federated(), DELEGATES, ALL)

        layer = verdict.trace.deciding
        assert (layer.layer, layer.outcome, layer.policies) == ("session-policy", "silent", ())
        assert layer.why == "there is none, and without one a federated user's session has no permissions"

    def test_what_decides_without_a_policy(self):
        """
        An operation that stays in its account, and a root user who needs no policy, are layers of their own.
        """
        foreign = ask(user("eve", AWAY), policy(allow("kms:*", "*")), ALL, action="kms:PutKeyPolicy")
        alone = ask(root(), None, action="kms:CreateKey", resource="*")

        assert outcomes(foreign)[0] == ("operation", "deny")
        assert outcomes(alone)[0] == (f"account {HOME}", "allow")
        assert foreign.trace.deciding.layer == "operation"
        assert alone.trace.deciding.layer == "account"

    def test_names_of_levels_and_policies(self):
        """
        Where levels and policies have names, the layers and sentences use them.
        """
        full, no = (compile_policy(json.dumps(one), "scp") for one in (FULL_ACCESS, policy(deny("kms:*", Sid="Not"))))
        layers = Layers(
            compile_policy(json.dumps(NAMES_DANA), "key"),
            scps=((full,), (full, no)),
            level_names=(("the root", "OU W"), ()),
            guard_names=((("FullAWSAccess",), ("FullAWSAccess", "NoKms")), ()),
        )

        verdict = evaluate(Request(Principal.parse(DANA), "kms:Decrypt", KEY, HOME, {}), layers)

        assert [title for title, _ in outcomes(verdict)][2:] == ["SCPs of the root", "SCPs of OU W"]
        assert verdict.sentence.startswith('Statement "Not" of SCP NoKms of OU W explicitly denies dana')


S3_RCP = policy(deny("s3:*", "*"))
S3_KEY = policy(allow("kms:*", f"arn:aws:iam::{HOME}:user/bob"))
TENANT = {"EncryptionContextSubset": {"tenant": "a"}}
VIA = {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}

SENTENCES = {
    "the key policy names the user, whom a boundary does not limit": (
        lambda: ask(user(), NAMES_DANA, permissions_boundary=S3),
        'Statement "Use" of the key policy allows kms:Decrypt on this key, and its Principal names dana; inside the'
        " key's account that is enough, without any identity policy; the permissions boundary of dana does not limit"
        " it, for what the key policy or a grant gives to the caller's very ARN needs no allow of it.",
    ),
    "a service": (
        lambda: ask(service("sns.amazonaws.com"), policy(allow("kms:*", {"Service": "sns.amazonaws.com"}))),
        "Statement 1 of the key policy allows kms:Decrypt on this key, and its Principal names sns.amazonaws.com.",
    ),
    "a session": (
        lambda: ask(role(), policy(allow("kms:*", JOB)), ALL),
        "Statement 1 of the key policy allows kms:Decrypt on this key, and its Principal names this very session of"
        " role App.",
    ),
    "by IAM": (
        lambda: ask(user(), DELEGATES, ALL),
        'The key policy lets IAM decide (statement "Enable IAM User Permissions"), and identity policy 1 of dana allows'
        ' kms:Decrypt on this key (statement "All").',
    ),
    "the root user": (
        lambda: ask(root(), DELEGATES),
        'The key policy gives the account kms:Decrypt on this key (statement "Enable IAM User Permissions"), and the'
        f" root user of account {HOME} is the account.",
    ),
    "the root user without a key": (
        lambda: ask(root(), None, action="kms:CreateKey", resource="*"),
        f"The root user of account {HOME} may call kms:CreateKey, and needs no policy for it.",
    ),
    "across accounts, the account let in": (
        lambda: ask(user("eve", AWAY), policy(allow("kms:*", AWAY, Sid="Away")), ALL),
        f"Both halves of a cross-account call allow kms:Decrypt on this key: the key policy of account {HOME} lets"
        f' account {AWAY} in (statement "Away"), and statement "All" of identity policy 1 allows it too.',
    ),
    "across accounts, the user let in": (
        lambda: ask(user("eve", AWAY), policy(allow("kms:*", EVE, Sid="Eve"))),
        f"The key policy of account {HOME} lets eve of account {AWAY} in, but across accounts an identity policy must"
        " allow kms:Decrypt on this key too, and none does.",
    ),
    "across accounts, not let in": (
        lambda: ask(user("eve", AWAY), policy(allow("kms:Sign", EVE)), ALL),
        f"The key belongs to account {HOME}, and its key policy gives eve of account {AWAY} no kms:Decrypt; the nearest"
        " is statement 1 of the key policy, where everything matched but its Action, which does not cover kms:Decrypt.",
    ),
    "across accounts, the root user not let in": (
        lambda: ask(root(AWAY), policy(allow("kms:Sign", EVE))),
        f"The key belongs to account {HOME}, and its key policy gives the root user of account {AWAY} no kms:Decrypt.",
    ),
    "across accounts, the root user let in": (
        lambda: ask(root(AWAY), policy(allow("kms:*", {"AWS": f"arn:aws:iam::{AWAY}:root"}, Sid="Away"))),
        f"Both halves of a cross-account call allow kms:Decrypt on this key: the key policy of account {HOME} lets"
        f' account {AWAY} in (statement "Away"), and its root user needs no more.',
    ),
    "a grant": (
        lambda: ask(user(), S3_KEY, grants=[grant(DANA, "Decrypt", name="orders")]),
        'Grant "orders" (aaaaaaaa) lets dana call kms:Decrypt on this key.',
    ),
    "a grant to an account": (
        lambda: ask(user(), S3_KEY, ALL, grants=[grant(ROOT, "Decrypt")]),
        f'Grant aaaaaaaa lets account {HOME} call kms:Decrypt on this key, and statement "All" of identity policy'
        " 1 of"
        " dana allows it too.",
    ),
    "a deny": (
        lambda: ask(user(), S3_KEY, policy(deny("kms:*")), grants=[grant(DANA, "Decrypt")]),
        "Statement 1 of identity policy 1 explicitly denies dana kms:Decrypt on this key, and an explicit deny beats"
        " every"
        " allow, that of grant aaaaaaaa too.",
    ),
    "a negated operator on an absent key": (
        lambda: ask(user(), NAMES_DANA, policy(deny("*", Condition={"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}))),
        "Statement 1 of identity policy 1 explicitly denies dana kms:Decrypt on this key, and an explicit deny beats"
        " every"
        " allow; note that aws:SourceVpc is absent, which StringNotEquals takes for a match.",
    ),
    "ForAllValues on an absent key": (
        lambda: ask(
            user(),
            DELEGATES,
            policy(allow("kms:*", Condition={"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": "tenant"}})),
        ),
        'The key policy lets IAM decide (statement "Enable IAM User Permissions"), and identity policy 1 of dana allows'
        " kms:Decrypt on this key (statement 1); note that kms:EncryptionContextKeys is absent, which"
        " ForAllValues:StringEquals takes for a match.",
    ),
    "the boundary cuts what IAM allows": (
        lambda: ask(user(), DELEGATES, ALL, permissions_boundary=S3),
        'The key policy lets IAM decide (statement "Enable IAM User Permissions"), and identity policy 1 of dana allows'
        ' kms:Decrypt on this key (statement "All"), but the permissions boundary of dana does not allow kms:Decrypt.',
    ),
    "the boundary cuts what the key policy gives a role": (
        lambda: ask(role(), NAMES_APP, permissions_boundary=policy(allow("kms:*", Condition=VIA))),
        'The key policy names role App (statement "Use"), but the permissions boundary of role App does not allow'
        " kms:Decrypt; the nearest is statement 1 of the permissions boundary, where everything matched but"
        " kms:ViaService"
        " is absent.",
    ),
    "the session policy cuts a grant to the role": (
        lambda: ask(role(), S3_KEY, session_policy=S3, grants=[grant(APP, "Decrypt")]),
        "Grant aaaaaaaa lets role App call kms:Decrypt on this key, but the session policy of role App does not allow"
        " kms:Decrypt.",
    ),
    "the session policy cuts a grant, for IAM was not asked": (
        lambda: ask(role(), S3_KEY, ALL, session_policy=S3, grants=[grant(APP, "Decrypt")]),
        "Grant aaaaaaaa lets role App call kms:Decrypt on this key, but the session policy of role App does not allow"
        " kms:Decrypt.",
    ),
    "the session policy cuts a cross-account allow": (
        lambda: ask(role(account=AWAY), policy(allow("kms:*", AWAY)), ALL, session_policy=S3),
        f"The key policy of account {HOME} lets account {AWAY} in (statement 1), and identity policy 1 of role App"
        " allows"
        ' kms:Decrypt on this key (statement "All"), but the session policy of role App does not allow kms:Decrypt.',
    ),
    "the boundary cuts an allow without a key": (
        lambda: ask(user(), None, ALL, action="kms:CreateKey", resource="*", permissions_boundary=S3),
        'Identity policy 1 of dana allows kms:CreateKey (statement "All"), but the permissions boundary of dana does'
        " not"
        " allow kms:CreateKey.",
    ),
    "a federated session without a session policy": (
        lambda: ask(federated(), DELEGATES, ALL),
        'The key policy lets IAM decide (statement "Enable IAM User Permissions"), and identity policy 1 of'
        " federated user"
        ' guest allows kms:Decrypt on this key (statement "All"), but federated user guest has no session policy, and'
        " without one such a session has no permissions.",
    ),
    "no SCP allows": (
        lambda: ask(user(), DELEGATES, ALL, scps=[[FULL_ACCESS], [policy(allow("kms:*", Condition=VIA))]]),
        "No SCP of level 2 allows kms:Decrypt on this key, and every level from the root down to the account of dana"
        " must"
        " have one that allows; the nearest is statement 1 of SCP 1 of level 2, where everything matched but"
        " kms:ViaService is absent.",
    ),
    "a level without SCPs": (
        lambda: ask(user(), DELEGATES, ALL, scps=[[FULL_ACCESS], []]),
        "No SCP is attached to level 2, and every level from the root down to the account of dana must have one that"
        " allows.",
    ),
    "the endpoint policy": (
        lambda: ask(user(), DELEGATES, ALL, vpce_policy=policy(allow("s3:*", "*"))),
        "The call came through a VPC endpoint, whose policy does not allow dana kms:Decrypt on this key.",
    ),
    "a constraint that wants another value": (
        lambda: ask(
            user(), S3_KEY, grants=[grant(DANA, "Decrypt", constraints=TENANT)], encryption_context={"tenant": "A"}
        ),
        "Grant aaaaaaaa lets dana call kms:Decrypt on this key, but its EncryptionContextSubset wants tenant=a,"
        " where the"
        " request has tenant=A.",
    ),
    "a constraint that wants a pair": (
        lambda: ask(
            user(), S3_KEY, grants=[grant(DANA, "Decrypt", constraints=TENANT)], encryption_context={"unit": "b"}
        ),
        "Grant aaaaaaaa lets dana call kms:Decrypt on this key, but its EncryptionContextSubset wants tenant=a,"
        " where the"
        " request's encryption context has no tenant.",
    ),
    "a constraint that wants no more": (
        lambda: ask(
            user(),
            S3_KEY,
            grants=[grant(DANA, "Decrypt", constraints={"EncryptionContextEquals": {"tenant": "a"}})],
            encryption_context={"Tenant": "a", "unit": "b"},
        ),
        "Grant aaaaaaaa lets dana call kms:Decrypt on this key, but its EncryptionContextEquals wants tenant=a,"
        " where the"
        " request has unit=b as well.",
    ),
    "a constraint on the source": (
        lambda: ask(user(), S3_KEY, grants=[grant(DANA, "Decrypt", constraints={"SourceArn": "arn:aws:s3:::a"})]),
        "Grant aaaaaaaa lets dana call kms:Decrypt on this key, but its SourceArn wants arn:aws:s3:::a, where the"
        " request"
        " has none.",
    ),
    "a child grant that permits more": (
        lambda: ask(
            user(),
            S3_KEY,
            action="kms:CreateGrant",
            params={"Operations": ["Decrypt", "Encrypt"]},
            grants=[grant(DANA, "CreateGrant", "Decrypt")],
        ),
        "Grant aaaaaaaa lets dana call kms:CreateGrant on this key, but the new grant would also permit Encrypt.",
    ),
    "a child grant that is less strict": (
        lambda: ask(
            user(),
            S3_KEY,
            action="kms:CreateGrant",
            params={"Operations": ["Decrypt"]},
            grants=[grant(DANA, "CreateGrant", "Decrypt", constraints=TENANT)],
        ),
        "Grant aaaaaaaa lets dana call kms:CreateGrant on this key, but the new grant's constraints are less strict"
        " than"
        " its own.",
    ),
    "a grant that is too new": (
        lambda: ask(user(), S3_KEY, grants=[grant(DANA, "Decrypt", status="pending-consistency")]),
        "Neither the key policy nor an identity policy of dana allows kms:Decrypt on this key; the nearest is grant"
        " aaaaaaaa, where everything matched but its age: it has not reached all of KMS yet, so wait, or pass its grant"
        " token.",
    ),
    "the grant says who retires it": (
        lambda: ask(user(), DELEGATES, action="kms:RetireGrant", grants=[grant(DANA, "Decrypt")]),
        "Grant aaaaaaaa names others than dana as its retiring principal and as grantee with RetireGrant, the key"
        " policy"
        " has no say in it, and no account that may retire it, or owns the key, lets IAM policies allow it.",
    ),
    "no grant to retire": (
        lambda: ask(user(), DELEGATES, action="kms:RetireGrant"),
        "There is no grant that dana could retire.",
    ),
    "retired by its retiring principal": (
        lambda: ask(user(), S3_KEY, action="kms:RetireGrant", grants=[grant(EVE, "Decrypt", retiring_principal=DANA)]),
        "Grant aaaaaaaa lets dana call kms:RetireGrant on this key.",
    ),
    "retired by IAM": (
        lambda: ask(user(), S3_KEY, ALL, action="kms:RetireGrant", grants=[grant(EVE, "Decrypt")]),
        f'Identity policy 1 of dana allows kms:RetireGrant (statement "All"), and account {HOME} owns the key.',
    ),
    "retired by the root user": (
        lambda: ask(root(), S3_KEY, action="kms:RetireGrant", grants=[grant(EVE, "Decrypt")]),
        f"The root user of account {HOME} may retire the grant, for account {HOME} owns the key.",
    ),
    "nobody is above the key policy": (
        lambda: ask(root(), policy(allow("kms:Sign", DANA))),
        f"The key policy does not allow the root user of account {HOME} kms:Decrypt on this key, and the root user"
        " of the"
        " account has no way around it.",
    ),
    "an identity policy on the alias": (
        lambda: ask(user(), DELEGATES, policy(allow("kms:*", resource=ALIAS))),
        "The key policy lets IAM decide, and no identity policy of dana allows kms:Decrypt on this key; the nearest is"
        f" statement 1 of identity policy 1, where everything matched but its Resource {ALIAS}, for an alias ARN never"
        " means the key.",
    ),
    "an identity policy on a key for a call that names none": (
        lambda: ask(user(), None, policy(allow("kms:*", resource=KEY)), action="kms:ListKeys", resource="*"),
        "No identity policy of dana allows kms:ListKeys; the nearest is statement 1 of identity policy 1, where"
        " everything"
        f' matched but its Resource {KEY}, for a request that names no key asks for "*".',
    ),
    "another session of the role": (
        lambda: ask(role(session="other"), policy(allow("kms:*", JOB))),
        "Neither the key policy nor an identity policy of role App allows kms:Decrypt on this key; the nearest is"
        " statement"
        f" 1 of the key policy, where everything matched but its Principal, which lists {JOB}: another session of role"
        " App.",
    ),
    "a role without its path": (
        lambda: ask(role(path="/svc/"), NAMES_APP),
        "Neither the key policy nor an identity policy of role App allows kms:Decrypt on this key; the nearest is"
        " statement"
        f' "Use" of the key policy, where everything matched but its Principal, which lists {APP}, while the role\'s'
        " own"
        f" ARN, path and all, is arn:aws:iam::{HOME}:role/svc/App.",
    ),
}


@pytest.mark.parametrize("case", SENTENCES.values(), ids=SENTENCES)
def test_sentences(case):
    """
    Each reason has its sentence, which names what decided, what was cut, or what nearly allowed.
    """
    verdict, sentence = case

    assert verdict().sentence == sentence


@pytest.mark.parametrize(
    ("caller", "listed", "boundary", "why"),
    [
        (user(), [EVE], None, "its NotPrincipal does not list dana"),
        (user(), [DANA], None, f"its NotPrincipal lists dana but not account {HOME}, and it takes both to be spared"),
        (
            user(),
            [ROOT],
            None,
            f"its NotPrincipal lists account {HOME} but not dana, and spares only who is listed along with the account",
        ),
        (
            role(),
            [JOB, ROOT],
            None,
            "its NotPrincipal lists the session of role App but not the role itself, and spares only who is listed"
            " along"
            " with the account",
        ),
        (user(), [DANA, ROOT], FULL_ACCESS, "its NotPrincipal spares nobody who has a permissions boundary"),
    ],
)
def test_not_principal(caller, listed, boundary, why):
    """
    A deny by NotPrincipal says whom its list lacks, or that a boundary makes the list void.
    """
    statement = {"Effect": "Deny", "NotPrincipal": {"AWS": listed}, "Action": "*", "Resource": "*"}
    layers = {} if boundary is None else {"permissions_boundary": boundary}

    verdict = ask(caller, policy(statement), **layers)

    assert verdict.reason == "explicit-deny"
    assert verdict.sentence.endswith(f"an explicit deny beats every allow; {why}.")


def clauses(verdict, layer):
    """The clauses of a layer's first statement, by element."""
    statement = next(one for one in verdict.trace.layers if one.layer == layer).policies[0].statements[0]
    return {clause.element: clause for clause in statement.clauses}


class TestClauses:
    def test_whom_not_principal_spares(self):
        """
        A NotPrincipal that spares the caller says who is on its list: with Deny, the caller and the account.
        """

        def why(effect, caller, *listed):
            statement = {"Effect": effect, "NotPrincipal": {"AWS": [*listed]}, "Action": "*", "Resource": "*"}
            return clauses(ask(caller, policy(statement)), "key-policy")["NotPrincipal"].why

        assert why("Deny", user(), DANA, ROOT) == f"its NotPrincipal lists dana and account {HOME}"
        assert why("Deny", root(), ROOT) == f"its NotPrincipal lists the root user of account {HOME}"
        assert why("Allow", user(), DANA, ROOT) == "its NotPrincipal lists dana"
        assert why("Deny", user(), "*") == "its NotPrincipal lists everyone"
        known = {**user(), "unique_id": "AIDADANA4EXAMPLE"}
        assert why("Deny", known, "AIDADANA4EXAMPLE", ROOT) == f"its NotPrincipal lists dana and account {HOME}"

    def test_what_a_statement_lacks(self):
        """
        A key policy statement without Action or without Resource says that it has no effect.
        """
        no_action = clauses(ask(user(), policy(allow(None, DANA))), "key-policy")
        no_resource = clauses(ask(user(), policy(allow("kms:*", DANA, None))), "key-policy")

        assert no_action["Action"].why == "the missing Action, without which a statement has no effect"
        assert no_action["Resource"].why == f"its Resource covers {KEY}"
        assert no_resource["Resource"].why == "the missing Resource, without which a statement has no effect"
        assert no_resource["Action"].why == "its Action covers kms:Decrypt"

    def test_a_grant_to_an_account(self):
        """
        A grant to an account has a clause for the identity policy that must allow too.
        """
        without, with_iam = (
            clauses(ask(user(), S3_KEY, *iam, grants=[grant(ROOT, "Decrypt")]), "grant")["IAM"] for iam in ((), (ALL,))
        )

        assert (without.matched, without.found) == (False, None)
        assert (with_iam.matched, with_iam.found) == (True, ("kms:Decrypt",))

    def test_a_child_grant(self):
        """
        A grant that CreateGrant rests on shows what it permits beside what the new grant would.
        """
        given = [grant(DANA, "CreateGrant", "Decrypt")]
        verdict = ask(user(), S3_KEY, action="kms:CreateGrant", params={"Operations": ["Decrypt"]}, grants=given)

        child = clauses(verdict, "grant")["Child"]
        assert (child.wanted, child.found) == (("CreateGrant", "Decrypt"), ("Decrypt",))

    def test_why_a_layer_allows(self):
        """
        The key policy says whether it allows by name or lets IAM decide; by name goes first, whatever stands first.
        """
        both = policy(allow("kms:*", ROOT, Sid="Account"), allow("kms:*", DANA, Sid="Name"))
        whys = [ask(user(), key_policy).trace.layers[0].why for key_policy in (DELEGATES, both)]
        granted = ask(user(), S3_KEY, ALL, grants=[grant(ROOT, "Decrypt")])

        assert whys == [
            'statement "Enable IAM User Permissions" of the key policy lets IAM decide for the account',
            'statement "Name" of the key policy allows it',
        ]
        assert granted.trace.deciding.why == "grant aaaaaaaa allows it"

    def test_several_values(self):
        """
        What a request has is had together; of what a condition lists, one is enough.
        """
        condition = {"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["app", "tenant"]}}
        verdict = ask(
            user(), DELEGATES, policy(allow("kms:*", Condition=condition)), encryption_context={"app": "x", "to": "y"}
        )

        assert clauses(verdict, "identity-policy")["Condition"].why == (
            'kms:EncryptionContextKeys is "app" and "to", where ForAllValues:StringEquals wants "app" or "tenant"'
        )

    def test_several_names(self):
        """
        A Principal lists all of its names; of many the first two are told.
        """
        listed = [EVE, APP, JOB, f"arn:aws:iam::{AWAY}:root"]

        assert clauses(ask(user(), policy(allow("kms:*", listed[:2]))), "key-policy")["Principal"].why == (
            f"its Principal, which lists {EVE} and {APP}"
        )
        assert clauses(ask(user(), policy(allow("kms:*", listed))), "key-policy")["Principal"].why == (
            f"its Principal, which lists {EVE} and {APP} and 2 more"
        )


class TestMissingContext:
    def test_all_layers_are_searched(self):
        """
        The keys that the request lacks are collected from every layer that was asked, each once and as first written.
        """
        verdict = ask(
            user(),
            DELEGATES,
            policy(allow("kms:*", Condition=VIA), allow("kms:*", Condition={"Null": {"KMS:viaservice": "true"}})),
            permissions_boundary=policy(allow("*", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})),
            scps=[[policy(allow("*", Condition={"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}))]],
            grants=[grant(DANA, "Decrypt", constraints={"SourceArn": "arn:aws:s3:::a"})],
        )

        assert verdict.missing_context == (
            "kms:ViaService",
            "aws:MultiFactorAuthPresent",
            "aws:PrincipalOrgID",
            "aws:SourceArn",
        )

    def test_a_variable_in_a_resource_counts(self):
        """
        A policy variable without a value, in a Resource or in a condition's value, is a missing key.
        """
        verdict = ask(
            user(),
            DELEGATES,
            policy(
                allow("kms:*", resource=f"arn:aws:kms:*:{HOME}:key/${{aws:PrincipalTag/Key}}"),
                allow("kms:*", Condition={"StringEquals": {"aws:PrincipalTag/Team": "${aws:username}"}}),
            ),
            context={"aws:PrincipalTag/Team": "blue"},
        )

        assert verdict.missing_context == ("aws:principaltag/key", "aws:username")

    def test_what_another_clause_excludes_is_not_missed(self):
        """
        A statement about another action, caller or resource misses nothing, nor does a layer that was not asked.
        """
        verdict = ask(
            LINKED,
            policy(allow("kms:Decrypt", DANA, Condition=VIA), allow("kms:Sign", "*", Condition=VIA)),
            policy(allow("kms:*", resource=ALIAS, Condition=VIA)),
            scps=[[policy(allow("*", Condition=VIA))]],
        )

        assert verdict.missing_context == ()

    def test_a_key_that_key_policies_never_see_is_not_missed(self):
        """
        kms:ResourceAliases in a key policy is no missing key: giving it would change nothing.
        """
        condition = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/app"}}

        unseen = ask(user(), policy(allow("kms:*", "*", Condition=condition)))
        seen = ask(user(), DELEGATES, policy(allow("*", Condition=condition)))

        assert (unseen.missing_context, seen.missing_context) == ((), ("kms:ResourceAliases",))


def test_several_checks_are_told():
    """
    The text of an operation with several checks names the others, and what they came to.
    """
    verdict = ask(
        user(),
        DELEGATES,
        ALL,
        action="kms:CreateAlias",
        also=[{"action": "kms:CreateAlias", "resource": ALIAS, "resource_account": HOME, "key_policy": None}],
    )

    assert f"also asked: kms:CreateAlias on {ALIAS}: ALLOW (iam-policy)" in verdict.explain()
