"""Who may do something to a key: the answer agrees with asking one by one, in every circumstance."""

import itertools
import json
import random

import pytest

from kms_lab import Lab
from kms_lab.core.circumstances import Circumstances
from kms_lab.core.errors import AccessDeniedException, LabError

HOME, AWAY, FAR = "111122223333", "444455556666", "999988887777"
ROOT, AWAY_ROOT = f"arn:aws:iam::{HOME}:root", f"arn:aws:iam::{AWAY}:root"
LOGS = "logs.us-east-1.amazonaws.com"


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action="kms:*", principal=None, **more):
    whom = {} if principal is None else {"Principal": principal}
    return {"Effect": "Allow", **whom, "Action": action, "Resource": "*", **more}


def deny(action="kms:*", principal=None, **more):
    return {**allow(action, principal, **more), "Effect": "Deny"}


DELEGATES = allow(principal={"AWS": ROOT}, Sid="Account")


def when(**conditions):
    """Conditions by operator: ``when(StringEquals={"kms:ViaService": ...})``."""
    return {"Condition": conditions}


@pytest.fixture
def lab():
    return Lab(seed=7)


def key_with(lab, *statements, **more):
    """A key whose policy has these statements, after one that keeps the administrator in."""
    admin = allow(principal={"AWS": f"arn:aws:iam::{HOME}:user/Admin"}, Sid="Admin")
    made = lab.client().create_key(
        Policy=json.dumps(policy(admin, *statements)), BypassPolicyLockoutSafetyCheck=True, **more
    )
    return made["KeyMetadata"]["KeyId"]


def answers(found):
    return {row.principal.rpartition("/")[2]: (row.answer, row.needs) for row in found.rows}


def row_of(found, principal):
    return next(row for row in found.rows if row.principal == principal)


class TestWays:
    def test_who_is_asked(self, lab):
        """
        Asked are users, roles, root users, and whoever the key policy or a grant names; nobody twice, the ended grants'
        nobody.
        """
        role, dana = lab.iam.create_role("App"), lab.iam.create_user("dana", account=AWAY)
        key = key_with(
            lab,
            allow(principal={"AWS": [dana, FAR, f"arn:aws:sts::{HOME}:assumed-role/App/job"], "Service": LOGS}),
        )
        kms = lab.client()
        ended = kms.create_grant(KeyId=key, GranteePrincipal=f"arn:aws:iam::{FAR}:user/gone", Operations=["Decrypt"])
        kms.create_grant(KeyId=key, GranteePrincipal=f"arn:aws:iam::{FAR}:user/kept", Operations=["Decrypt"])
        kms.revoke_grant(KeyId=key, GrantId=ended["GrantId"])

        found = lab.who_can("kms:Decrypt", key)

        assert [(row.principal, row.kind) for row in found.rows] == [
            (ROOT, "root user"),
            (f"arn:aws:iam::{HOME}:user/Admin", "user"),
            (role, "role"),
            (f"arn:aws:sts::{HOME}:assumed-role/App/job", "session"),
            (AWAY_ROOT, "root user"),
            (dana, "user"),
            (f"arn:aws:iam::{FAR}:user/kept", "user"),
            (FAR, "account"),
            (LOGS, "service"),
        ]

    def test_each_way_is_told(self, lab):
        """
        The answer tells what lets a principal in, and which statement or grant decided.
        """
        iam = lab.iam.create_user("iam", [policy(allow(Sid="Use"))])
        named = lab.iam.create_user("named")
        far = lab.iam.create_user("far", [policy(allow())], account=AWAY)
        given = lab.iam.create_role("Given")
        key = key_with(lab, DELEGATES, allow(principal={"AWS": [named, far]}, Sid="Named"))
        lab.client().create_grant(KeyId=key, GranteePrincipal=given, Operations=["Decrypt"], Name="orders")
        lab.clock.travel(hours=1)

        found = lab.who_can("kms:Decrypt", key)

        assert {row.answer for row in found.rows if row.principal != AWAY_ROOT} == {"yes"}
        assert 'statement "Use" of identity policy 1' in row_of(found, iam).through
        assert row_of(found, named).through == 'statement "Named" of the key policy'
        assert "other account" in row_of(found, far).through
        assert row_of(found, given).through.startswith('grant "orders"')
        assert 'statement "Account" of the key policy' in row_of(found, ROOT).through
        refused = row_of(found, AWAY_ROOT)
        assert (refused.answer, refused.through, refused.needs) == ("no", "", ())
        assert refused.nearest == refused.verdict.sentence

    def test_an_account_that_the_lab_does_not_know(self, lab):
        """
        Where the key policy lets in an account, or a principal of one, of whom the lab knows nobody, that account
        decides; where it does not, the answer is no.
        """
        stranger = f"arn:aws:iam::{FAR}:role/Theirs"
        key = key_with(lab, allow("kms:Decrypt", {"AWS": [FAR, stranger]}))

        assert answers(lab.who_can("kms:Decrypt", key))[FAR] == ("with conditions", (f"account {FAR} decides",))
        assert answers(lab.who_can("kms:Decrypt", key))["Theirs"] == ("with conditions", (f"account {FAR} decides",))
        assert answers(lab.who_can("kms:Encrypt", key))[FAR] == ("no", ())

    def test_everybody(self, lab):
        """
        A key policy for everyone has a row for whoever is not named: the caller's own account decides then.
        """
        key = key_with(lab, allow("kms:Decrypt", "*"))

        row = lab.who_can("kms:Decrypt", key).rows[-1]
        assert (row.principal, row.kind, row.answer, row.needs) == (
            "*", "anybody", "with conditions", ("the caller's account decides",)
        )  # fmt: skip

    def test_a_session_of_a_role_with_a_path(self, lab):
        """
        A session that a key policy names has the identity policies of its role, whose path its ARN leaves out.
        """
        lab.iam.create_role("svc/App", [policy(allow("kms:Decrypt"))])
        session = f"arn:aws:sts::{HOME}:assumed-role/App/job"
        key = key_with(lab, DELEGATES, allow("kms:Sign", {"AWS": session}))

        assert row_of(lab.who_can("kms:Decrypt", key), session).answer == "yes"
        assert row_of(lab.who_can("kms:Encrypt", key), session).answer == "no"


CIRCUMSTANCES = {
    "a pair of the encryption context": (
        when(StringEquals={"kms:EncryptionContext:tenant": ["a", "b"]}),
        ("encryption context tenant=a",),
    ),
    "names of pairs": (
        when(**{"ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": "app"}}),
        ("encryption context app=example",),
    ),
    "a service": (
        when(StringEquals={"kms:ViaService": ["s3.us-east-1.amazonaws.com", "sqs.eu-west-1.amazonaws.com"]}),
        ("through s3",),
    ),
    "a service, by pattern": (when(StringLike={"kms:ViaService": "ec2.*.amazonaws.com"}), ("through ec2",)),
    "a second factor": (when(Bool={"aws:MultiFactorAuthPresent": "true"}), ("with MFA",)),
    "a fresh second factor": (
        when(NumericLessThan={"aws:MultiFactorAuthAge": "60"}),
        ("with MFA 59 seconds ago",),
    ),
    "an address": (when(IpAddress={"aws:SourceIp": "10.1.0.0/16"}), ("from 10.1.0.1",)),
    "an alias": (when(StringEquals={"kms:RequestAlias": "alias/orders"}), ("naming the key alias/orders",)),
    "an algorithm": (
        when(StringEquals={"kms:EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}),
        ("EncryptionAlgorithm RSAES_OAEP_SHA_256",),
    ),
    "several": (
        when(StringEquals={"kms:EncryptionContext:a": "1", "kms:ViaService": "s3.us-east-1.amazonaws.com"},
             Bool={"aws:MultiFactorAuthPresent": "true"}),
        ("encryption context a=1", "through s3", "with MFA"),
    ),
}  # fmt: skip


class TestCircumstances:
    @pytest.mark.parametrize("name", CIRCUMSTANCES)
    def test_what_would_make_it_a_yes(self, lab, name):
        """
        A condition that a call can meet is told as what the call needs.
        """
        condition, needs = CIRCUMSTANCES[name]
        role = lab.iam.create_role("App", [policy(allow("kms:Decrypt", **condition))])
        key = key_with(lab, DELEGATES)
        lab.client().create_alias(AliasName="alias/orders", TargetKeyId=key)
        lab.client().create_alias(AliasName="alias/others", TargetKeyId=key_with(lab))

        row = row_of(lab.who_can("kms:Decrypt", key), role)
        assert (row.answer, row.needs) == ("with conditions", needs)
        assert row.verdict.allowed

    @pytest.mark.parametrize(
        "condition",
        [
            when(StringEquals={"aws:PrincipalAccount": AWAY}),
            when(StringEquals={"kms:RequestAlias": "alias/others"}),
            when(StringEquals={"kms:KeySpec": "RSA_2048"}),
            when(StringEquals={"kms:ViaService": "s3.eu-west-1.amazonaws.com"}),
            when(StringEquals={"aws:SourceVpce": "vpce-none"}),
            when(StringEquals={"kms:SigningAlgorithm": "ECDSA_SHA_256"}),
        ],
    )
    def test_what_no_call_can_meet(self, lab, condition):
        """
        What is a fact of the caller or the key, or cannot be said in such a call, makes it a no.
        """
        role = lab.iam.create_role("App", [policy(allow("kms:Decrypt", **condition))])
        key = key_with(lab, DELEGATES)
        lab.client().create_alias(AliasName="alias/others", TargetKeyId=key_with(lab))

        assert row_of(lab.who_can("kms:Decrypt", key), role).answer == "no"

    def test_numbers_and_truths(self, lab):
        """
        Members that are numbers or truths are circumstances like those that are texts.
        """
        numbers = when(NumericGreaterThan={"kms:ScheduleKeyDeletionPendingWindowInDays": "29"})
        truth = when(Bool={"kms:BypassPolicyLockoutSafetyCheck": "true"})
        role = lab.iam.create_role(
            "App",
            [policy(deny("kms:ScheduleKeyDeletion", **numbers), allow(["kms:ScheduleKeyDeletion"])),
             policy(allow("kms:PutKeyPolicy", **truth))],
        )  # fmt: skip
        key = key_with(lab, DELEGATES)

        assert row_of(lab.who_can("kms:ScheduleKeyDeletion", key), role).needs == ("PendingWindowInDays 29",)
        assert row_of(lab.who_can("kms:PutKeyPolicy", key), role).needs == ("BypassPolicyLockoutSafetyCheck true",)

    def test_an_endpoint(self, lab):
        """
        A VPC endpoint is a circumstance where the lab has it.
        """
        lab.vpc.create_endpoint(vpc="vpc-1")
        endpoint = lab.vpc.create_endpoint(vpc="vpc-2")
        role = lab.iam.create_role("App", [policy(allow(**when(StringEquals={"aws:SourceVpce": endpoint})))])
        key = key_with(lab, DELEGATES)

        assert row_of(lab.who_can("kms:Decrypt", key), role).needs == (f"through VPC endpoint {endpoint}",)

    def test_a_service_for_its_resource(self, lab):
        """
        A service that must say for what it acts does so.
        """
        arn = f"arn:aws:logs:us-east-1:{HOME}:log-group:orders"
        key = key_with(lab, allow(principal={"Service": LOGS}, **when(ArnEquals={"aws:SourceArn": arn})))

        assert row_of(lab.who_can("kms:Decrypt", key), LOGS).needs == (f"for {arn}",)

    def test_grants(self, lab):
        """
        A grant's constraint and its token are circumstances; the token only while the grant is new.
        """
        role = lab.iam.create_role("App")
        key = key_with(lab)
        lab.client().create_grant(
            KeyId=key, GranteePrincipal=role, Operations=["Decrypt"],
            Constraints={"EncryptionContextEquals": {"a": "1", "b": "2"}},
        )  # fmt: skip

        early = row_of(lab.who_can("kms:Decrypt", key), role)
        lab.clock.travel(hours=1)
        late = row_of(lab.who_can("kms:Decrypt", key), role)

        assert early.needs == ("encryption context a=1, b=2", "with its grant token")
        assert late.needs == ("encryption context a=1, b=2",)

    def test_a_grant_to_a_service(self, lab):
        """
        A service that has a grant acts for the resource that the grant names.
        """
        arn = f"arn:aws:logs:us-east-1:{HOME}:log-group:orders"
        key = key_with(lab)
        lab.client().create_grant(
            KeyId=key,
            GranteeServicePrincipal=LOGS,
            RetiringServicePrincipal=LOGS,
            Operations=["Decrypt"],
            Constraints={"SourceArn": arn},
        )
        lab.clock.travel(hours=1)

        assert row_of(lab.who_can("kms:Decrypt", key), LOGS).needs == (f"for {arn}",)

    def test_a_given_context_stays(self, lab):
        """
        Where the encryption context is part of the question, no other is tried.
        """
        tenant = when(StringEquals={"kms:EncryptionContext:tenant": "a"})
        role = lab.iam.create_role("App", [policy(allow(**tenant))])
        key = key_with(lab, DELEGATES)

        assert row_of(lab.who_can("kms:Decrypt", key, context={"tenant": "a"}), role).answer == "yes"
        assert row_of(lab.who_can("kms:Decrypt", key, context={"tenant": "b"}), role).answer == "no"
        assert row_of(lab.who_can("kms:Decrypt", key, context={}), role).answer == "no"

    def test_given_circumstances(self, lab):
        """
        How the call comes is part of the question too.
        """
        role = lab.iam.create_role("App", [policy(allow(**when(Bool={"aws:MultiFactorAuthPresent": "true"})))])
        key = key_with(lab, DELEGATES)

        assert row_of(lab.who_can("kms:Decrypt", key, how=Circumstances(mfa_age_s=5)), role).answer == "yes"

    def test_each_side_of_reencrypt(self, lab):
        """
        ReEncrypt has a context for each side.
        """
        tenant = when(StringEquals={"kms:EncryptionContext:tenant": "a"})
        role = lab.iam.create_role("App", [policy(allow("kms:ReEncryptFrom", **tenant))])
        key = key_with(lab, DELEGATES)

        assert row_of(lab.who_can("kms:ReEncryptFrom", key), role).needs == ("encryption context tenant=a",)

    def test_the_algorithm(self, lab):
        """
        The algorithm is a member of its own for signatures, and for each side of ReEncrypt.
        """
        signs = when(StringEquals={"kms:SigningAlgorithm": "ECDSA_SHA_256"})
        opens = when(StringEquals={"kms:EncryptionAlgorithm": "RSAES_OAEP_SHA_1"})
        role = lab.iam.create_role("App", [policy(allow("kms:Sign", **signs), allow("kms:ReEncryptTo", **opens))])
        key = key_with(lab, DELEGATES)

        assert row_of(lab.who_can("kms:Sign", key), role).needs == ("SigningAlgorithm ECDSA_SHA_256",)
        assert row_of(lab.who_can("kms:ReEncryptTo", key), role).needs == (
            "DestinationEncryptionAlgorithm RSAES_OAEP_SHA_1",
        )

    def test_create_grant(self, lab):
        """
        CreateGrant's context is the one in the constraint of the grant, and its operations are a circumstance.
        """
        tenant = {"kms:EncryptionContext:tenant": "a"}
        some = {"ForAllValues:StringEquals": {"kms:GrantOperations": ["Decrypt"]}, "StringEquals": tenant}
        role = lab.iam.create_role("App", [policy(allow("kms:CreateGrant", Condition=some))])
        key = key_with(lab, DELEGATES)

        assert row_of(lab.who_can("kms:CreateGrant", key), role).needs == ("encryption context tenant=a",)


class TestRefusals:
    def test_no_such_permission(self, lab):
        """
        An action that no operation on a key needs is an error.
        """
        key = key_with(lab)

        for action in ("kms:Fly", "kms:CreateKey", "s3:GetObject"):
            with pytest.raises(LabError, match=action):
                lab.who_can(action, key)

    def test_no_such_key(self, lab):
        """
        A key that is not there is an error.
        """
        with pytest.raises(LookupError):
            lab.who_can("kms:Decrypt", "alias/none")

    def test_it_leaves_no_trace(self, lab):
        """
        Asking changes and logs nothing.
        """
        key = key_with(lab, DELEGATES)
        before = json.dumps(lab.world.to_data(), sort_keys=True)

        lab.who_can("kms:Decrypt", key)
        assert json.dumps(lab.world.to_data(), sort_keys=True) == before


# ---------------------------------------------------------------------------------- against brute force

VIA = ("", "s3", "ec2")
PAIRS = ({}, {"tenant": "a"}, {"tenant": "b"}, {"app": "x"}, {"tenant": "a", "app": "x"}, {"tenant": "b", "app": "x"})
TESTS = (
    {},
    when(StringEquals={"kms:EncryptionContext:tenant": "a"}),
    when(StringNotEquals={"kms:EncryptionContext:tenant": "b"}),
    when(StringEquals={"kms:EncryptionContext:tenant": ["a", "b"], "kms:EncryptionContext:app": "x"}),
    when(Null={"kms:EncryptionContext:app": "false"}, StringLike={"kms:EncryptionContext:app": "x*"}),
    when(StringEquals={"kms:ViaService": ["s3.us-east-1.amazonaws.com", "ec2.us-east-1.amazonaws.com"]}),
    when(StringNotEquals={"kms:ViaService": "s3.us-east-1.amazonaws.com"}),
    when(Bool={"aws:MultiFactorAuthPresent": "true"}),
    when(BoolIfExists={"aws:MultiFactorAuthPresent": "false"}),
    when(StringEquals={"aws:PrincipalAccount": AWAY}),
)
CONSTRAINTS = (
    {},
    {"EncryptionContextEquals": {"tenant": "a"}},
    {"EncryptionContextSubset": {"tenant": "b"}},
    {"EncryptionContextEquals": {"tenant": "a", "app": "x"}},
)


def random_lab(seed):
    """A lab with a few principals, random policies, a key with a random policy, and grants."""
    dice = random.Random(seed)
    lab = Lab(seed=seed)

    def statement(principal=None):
        make = deny if dice.random() < 0.25 else allow
        action = dice.choice(("kms:*", "kms:Decrypt", "kms:Encrypt"))
        return make(action, principal, **dice.choice(TESTS))

    def policies():
        return [policy(*(statement() for _ in range(dice.randint(1, 2)))) for _ in range(dice.randint(0, 2))]

    people = [
        lab.iam.create_user("dana", policies()),
        lab.iam.create_user("erin", policies(), boundary=dice.choice((None, policy(allow(**dice.choice(TESTS)))))),
        lab.iam.create_role("App", policies()),
        lab.iam.create_user("far", policies(), account=AWAY),
    ]
    if dice.random() < 0.3:
        lab.org.create(management=FAR)
        lab.org.place(HOME)
        lab.org.attach_scp(HOME, "Guard", policy(deny("kms:Decrypt", **dice.choice(TESTS))))
    listed = [*people, ROOT, AWAY_ROOT]
    statements = [statement({"AWS": dice.sample(listed, dice.randint(1, 3))}) for _ in range(dice.randint(1, 3))]
    admin = deny("kms:ListKeyPolicies", {"AWS": people[0]})
    key = lab.client().create_key()["KeyMetadata"]["KeyId"]
    for _ in range(dice.randint(0, 2)):
        lab.client().create_grant(
            KeyId=key,
            GranteePrincipal=dice.choice(people),
            Operations=["Decrypt"],
            Constraints=dice.choice(CONSTRAINTS),
        )
        if dice.random() < 0.5:
            lab.clock.travel(hours=1)
    lab.client().put_key_policy(
        KeyId=key, Policy=json.dumps(policy(admin, *statements)), BypassPolicyLockoutSafetyCheck=True
    )
    return lab, key


def ways_to_ask(lab, key):
    """Every call that the random worlds can tell apart, the plain one first."""
    tokens = [grant.tokens[0] for grant in lab.key(key).grants.values()]
    for params in ({}, *({"GrantTokens": [token]} for token in tokens)):
        for pairs, via, mfa in itertools.product(PAIRS, VIA, (None, 0)):
            yield pairs, params, Circumstances(via=via, mfa_age_s=mfa)


class TestBruteForce:
    @pytest.mark.parametrize("seed", range(60))
    def test_every_answer(self, seed):
        """
        Yes is what a plain call may, with conditions what another call may, no what none may; and real calls agree.
        """
        lab, key = random_lab(seed)

        found = lab.who_can("kms:Decrypt", key)
        for row in found.rows:
            asked = [
                lab.may(row.principal, "kms:Decrypt", key, context=pairs, params=params, how=how).allowed
                for pairs, params, how in ways_to_ask(lab, key)
            ]
            assert row.answer == ("yes" if asked[0] else "with conditions" if any(asked) else "no"), row
            assert row.verdict.allowed is any(asked)
            assert bool(row.needs) is (row.answer == "with conditions")

    def test_worlds_have_every_answer(self):
        """
        In those worlds each answer is given many times, so that none can be wrong unnoticed.
        """
        given = [row.answer for seed in range(60) for row in lab_rows(seed)]

        assert min(given.count(answer) for answer in ("yes", "with conditions", "no")) > 25

    @pytest.mark.parametrize("seed", range(0, 60, 5))
    def test_real_calls_agree(self, seed):
        """
        On a fork, who may make the call just so can make it, and the others cannot.
        """
        lab, key = random_lab(seed)
        for row in lab.who_can("kms:Encrypt", key).rows:
            client = lab.fork().client(row.principal)
            try:
                client.encrypt(KeyId=lab.key(key).arn, Plaintext=b"x")
                worked = True
            except AccessDeniedException:
                worked = False
            assert worked is (row.answer == "yes"), row


def lab_rows(seed):
    lab, key = random_lab(seed)
    return lab.who_can("kms:Decrypt", key).rows
