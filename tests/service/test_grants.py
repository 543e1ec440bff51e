"""Grants through the client: who may do what by one, from when to when, and who makes and ends them."""

import json
from dataclasses import replace

import botocore.session
import pytest

from kms_lab import Lab
from kms_lab.core.circumstances import Circumstances
from kms_lab.core.names import Principal
from kms_lab.core.specs import SPECS
from kms_lab.lab import ACCOUNT, ADMIN, REGION
from kms_lab.service.grants import PROPAGATION_US, Register
from kms_lab.service.operation import OPERATIONS, Call
from kms_lab.service.operations import grants as module
from kms_lab.service.pipeline import handle
from tests.service.conftest import answer, code, new_grant, new_key, sender

MODEL = botocore.session.get_session().get_service_model("kms")
AWAY = "444455556666"
VOLUME = f"arn:aws:ec2:{REGION}:{ACCOUNT}:volume/vol-1"
MINUTES = PROPAGATION_US / 60_000_000
EVERYTHING = [{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}]
EQUALS, SUBSET = "EncryptionContextEquals", "EncryptionContextSubset"
ROOT, AWAY_ROOT = (f"arn:aws:iam::{account}:root" for account in (ACCOUNT, AWAY))


def policy(*actions, effect="Allow", resource="*"):
    """An identity policy of one statement."""
    statement = {"Effect": effect, "Action": list(actions), "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.fixture
def app(lab):
    """The ARN of a role without any policy."""
    return lab.iam.create_role("App")


@pytest.fixture
def eve(lab):
    """The ARN of a user of another account, who may do everything there."""
    return lab.iam.create_user("Eve", EVERYTHING, account=AWAY)


@pytest.fixture
def pat(lab):
    """The ARN of a user of the key's account without any policy."""
    return lab.iam.create_user("Pat")


def encrypts(client, key, context=None, tokens=()):
    """May the client encrypt under the key?"""
    return (
        code(client.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=context or {}, GrantTokens=list(tokens))
        is None
    )


def settled(lab):
    """Let every grant that was made or ended reach all of KMS."""
    lab.clock.travel(minutes=MINUTES)


class TestUse:
    def test_without_a_policy(self, lab, kms, key, app):
        """
        A grant lets a principal without any policy use the operations it lists, and no others.
        """
        new_grant(kms, key, app, ["Encrypt", "Decrypt"])
        settled(lab)
        client = lab.client(app)

        blob = client.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]

        assert client.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
        assert code(client.generate_data_key, KeyId=key, KeySpec="AES_256") == "AccessDeniedException"
        assert code(client.describe_key, KeyId=key) == "AccessDeniedException"
        assert not encrypts(client, new_key(kms))

    @pytest.mark.parametrize(
        ("operation", "method", "params"),
        [
            ("Encrypt", "encrypt", {"Plaintext": b"x"}),
            ("GenerateDataKey", "generate_data_key", {"KeySpec": "AES_256"}),
            ("GenerateDataKeyWithoutPlaintext", "generate_data_key_without_plaintext", {"KeySpec": "AES_256"}),
            ("DescribeKey", "describe_key", {}),
        ],
    )
    def test_each_operation_by_itself(self, lab, kms, key, app, operation, method, params):
        """
        An operation in the grant allows the call of that name alone.
        """
        new_grant(kms, key, app, [operation])
        settled(lab)
        call = getattr(lab.client(app), method)

        assert code(call, KeyId=key, **params) is None
        assert lab.last_verdict.reason == "grant"
        kms.revoke_grant(KeyId=key, GrantId=kms.list_grants(KeyId=key)["Grants"][0]["GrantId"])
        settled(lab)
        assert code(call, KeyId=key, **params) == "AccessDeniedException"

    def test_re_encrypt_needs_both_sides(self, lab, kms, key, app):
        """
        ReEncrypt takes ReEncryptFrom on the source key and ReEncryptTo on the destination, each with its own context.
        """
        other, client = new_key(kms), lab.client(app)
        blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"shop": "a"})["CiphertextBlob"]
        call = {
            "CiphertextBlob": blob,
            "DestinationKeyId": other,
            "SourceEncryptionContext": {"shop": "a"},
            "DestinationEncryptionContext": {"shop": "b"},
        }
        new_grant(kms, key, app, ["ReEncryptFrom"], Constraints={EQUALS: {"shop": "a"}})
        settled(lab)
        first = code(client.re_encrypt, **call)
        wrong = new_grant(kms, other, app, ["ReEncryptTo"], Constraints={EQUALS: {"shop": "a"}})
        settled(lab)
        second = code(client.re_encrypt, **call)
        kms.revoke_grant(KeyId=other, GrantId=wrong["GrantId"])
        new_grant(kms, other, app, ["ReEncryptTo"], Constraints={EQUALS: {"shop": "b"}})
        settled(lab)

        assert (first, second) == ("AccessDeniedException", "AccessDeniedException")
        assert code(client.re_encrypt, **call) is None

    def test_an_explicit_deny_beats_a_grant(self, lab, kms, key, app):
        """
        Neither a grant nor its token helps against an explicit deny of the caller's own policies.
        """
        token = new_grant(kms, key, app, ["Encrypt"])["GrantToken"]
        settled(lab)
        lab.iam.put_policies(app, [policy("kms:Encrypt", effect="Deny")])

        assert not encrypts(lab.client(app), key, tokens=[token])
        assert lab.last_verdict.reason == "explicit-deny"

    def test_the_policies_go_first(self, lab, kms, key):
        """
        Where policies allow, the verdict names them, though a grant would have done.
        """
        new_grant(kms, key, ADMIN, ["Encrypt"])
        settled(lab)
        kms.encrypt(KeyId=key, Plaintext=b"x")

        assert lab.last_verdict.reason == "iam-via-key-policy"

    def test_the_verdict_names_the_grant(self, lab, kms, key, app):
        """
        A verdict says which grant allowed; a refusal, which one nearly did and what it lacked.
        """
        grant = new_grant(kms, key, app, ["Encrypt"], Name="orders", Constraints={SUBSET: {"shop": "a"}})
        early = lab.may(app, "kms:Encrypt", key, context={"shop": "a"})
        settled(lab)

        verdict = lab.may(app, "kms:Encrypt", key, context={"shop": "a"})
        other = lab.may(app, "kms:Encrypt", key, context={"shop": "b"})
        unlisted = lab.may(app, "kms:Decrypt", key, context={"shop": "a"})

        title = f'grant "orders" ({grant["GrantId"][:8]})'
        assert (verdict.allowed, verdict.reason, verdict.decided_by.layer) == (True, "grant", "grant")
        assert verdict.sentence == f"G{title[1:]} lets role App call kms:Encrypt on this key."
        assert verdict.grant.id == grant["GrantId"]
        assert (other.reason, other.decided_by.layer) == ("grant-constraint", "grant")
        assert other.sentence == (
            f"G{title[1:]} lets role App call kms:Encrypt on this key, but its {SUBSET} wants shop=a, "
            "where the request has shop=b."
        )
        assert unlisted.sentence.endswith("where everything matched but its operations do not include Decrypt.")
        assert "it has not reached all of KMS yet" in early.sentence

    @pytest.mark.parametrize("key_policy_allows", [False, True])
    def test_across_accounts(self, lab, kms, key, key_policy_allows):
        """
        A grant to a user of another account needs no policy on either side.
        """
        bob = lab.iam.create_user("Bob", account=AWAY)
        if key_policy_allows:
            text = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
            text["Statement"].append(
                {"Effect": "Allow", "Principal": {"AWS": AWAY_ROOT}, "Action": "kms:*", "Resource": "*"}
            )
            kms.put_key_policy(KeyId=key, Policy=json.dumps(text))
        client = lab.client(bob)
        before = encrypts(client, key)
        new_grant(kms, key, bob, ["Encrypt", "DescribeKey"])
        settled(lab)

        assert not before
        assert encrypts(client, key)
        assert lab.last_verdict.reason == "grant"
        assert code(client.describe_key, KeyId=key) is None
        assert code(client.disable_key, KeyId=key) == "AccessDeniedException"


SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/App/one"
OTHER_SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/App/two"
APP = f"arn:aws:iam::{ACCOUNT}:role/App"
PAT = f"arn:aws:iam::{ACCOUNT}:user/Pat"
GUEST = f"arn:aws:sts::{ACCOUNT}:federated-user/guest"
EVE = f"arn:aws:iam::{AWAY}:user/Eve"
GRANTEES = [
    # grantee, caller, may they encrypt?
    (APP, APP, True),
    (APP, SESSION, True),
    (APP, OTHER_SESSION, True),
    (SESSION, SESSION, True),
    (SESSION, OTHER_SESSION, False),
    (SESSION, APP, False),
    (PAT, PAT, True),
    (PAT, APP, False),
    (APP, PAT, False),
    (GUEST, GUEST, True),
    (GUEST, PAT, False),
    (ROOT, ROOT, True),
    (ROOT, APP, False),  # an account is its root user, and whom its policies allow
    (ROOT, EVE, False),
    (EVE, EVE, True),
    (AWAY_ROOT, EVE, True),
    (AWAY_ROOT, AWAY_ROOT, True),
    (AWAY_ROOT, ROOT, False),
    ("ec2.us-east-1.amazonaws.com", "ec2.us-east-1.amazonaws.com", True),
    ("ec2.us-east-1.amazonaws.com", "rds.us-east-1.amazonaws.com", False),
    ("ec2.us-east-1.amazonaws.com", APP, False),
]


class TestGrantees:
    @pytest.mark.parametrize(("grantee", "caller", "allowed"), GRANTEES)
    def test_kinds(self, lab, kms, app, pat, eve, grantee, caller, allowed):
        """
        A grant serves its grantee alone: a role's for all its sessions, a session's for that one, an account's by IAM.
        """
        text = {"Effect": "Allow", "Principal": {"AWS": ADMIN}, "Action": "kms:*", "Resource": "*"}
        key = new_key(kms, Policy=json.dumps({"Version": "2012-10-17", "Statement": [text]}))
        new_grant(kms, key, grantee, ["Encrypt"])
        settled(lab)

        assert encrypts(lab.client(caller), key) == allowed

    def test_an_account_and_its_policies(self, lab, kms, key):
        """
        Of an account that is the grantee, whom its IAM policies allow may use the grant, and nobody else.
        """
        bob = lab.iam.create_user("Bob", account=AWAY)
        new_grant(kms, key, AWAY_ROOT, ["Encrypt"])
        settled(lab)
        before = lab.may(bob, "kms:Encrypt", key)
        lab.iam.put_policies(bob, [policy("kms:Encrypt")])
        after = lab.may(bob, "kms:Encrypt", key)

        assert not before.allowed
        assert "no identity policy of Bob allows it, which a grant to an account needs" in before.sentence
        assert (after.allowed, after.reason) == (True, "grant")
        assert after.sentence.endswith("and statement 1 of identity policy 1 of Bob allows it too.")

    @pytest.mark.parametrize(
        "principal",
        [
            *("App", ACCOUNT, "arn:aws:iam::1:user/x", f"arn:aws:iam::{ACCOUNT}:group/Team", "arn:aws:s3:::bucket"),
            *(f"arn:aws:iam::{ACCOUNT}:user/Nobody", f"arn:aws:iam::{ACCOUNT}:role/Nobody"),
            *(f"arn:aws:sts::{ACCOUNT}:assumed-role/Nobody/s", "AROAEXAMPLE"),
        ],
    )
    @pytest.mark.parametrize("member", ["GranteePrincipal", "RetiringPrincipal"])
    def test_principals_that_do_not_exist(self, kms, key, member, principal):
        """
        What is no principal's ARN, or names nobody of an account that the lab knows, is an InvalidArnException.
        """
        params = {"GranteePrincipal": ADMIN, member: principal}

        found = answer(kms.create_grant, KeyId=key, Operations=["Decrypt"], **params)

        assert found == ("InvalidArnException", f"ARN does not refer to a valid principal: {principal}")

    def test_principals_of_accounts_that_nobody_knows(self, kms, key):
        """
        Of an account that the lab does not know, any user or role is taken on trust.
        """
        assert new_grant(kms, key, "arn:aws:iam::999988887777:role/Theirs")["GrantId"]


CONTEXTS = [
    # constraint, context of the call, may they encrypt?
    ({EQUALS: {"shop": "a"}}, {"shop": "a"}, True),
    ({EQUALS: {"shop": "a"}}, {"shop": "a", "unit": "1"}, False),
    ({EQUALS: {"shop": "a"}}, {"shop": "b"}, False),
    ({EQUALS: {"shop": "a"}}, {"shop": "A"}, False),
    ({EQUALS: {"shop": "a"}}, {"Shop": "a"}, True),
    ({EQUALS: {"shop": "a"}}, {}, False),
    ({EQUALS: {"shop": "a", "unit": "1"}}, {"unit": "1", "shop": "a"}, True),
    ({EQUALS: {"shop": "a", "unit": "1"}}, {"shop": "a"}, False),
    ({EQUALS: {}}, {}, True),
    ({EQUALS: {}}, {"shop": "a"}, False),
    ({SUBSET: {"shop": "a"}}, {"shop": "a"}, True),
    ({SUBSET: {"shop": "a"}}, {"shop": "a", "unit": "1"}, True),
    ({SUBSET: {"shop": "a"}}, {"unit": "1"}, False),
    ({SUBSET: {"shop": "a"}}, {"shop": "A"}, False),
    ({SUBSET: {"shop": "a"}}, {"SHOP": "a"}, True),
    ({SUBSET: {"shop": "a"}}, {}, False),
    ({SUBSET: {"shop": "a", "unit": "1"}}, {"shop": "a"}, False),
    ({SUBSET: {}}, {"shop": "a"}, True),
    ({}, {"shop": "a"}, True),
    ({"SourceArn": VOLUME}, {}, False),
]


class TestConstraints:
    @pytest.mark.parametrize(("constraints", "context", "allowed"), CONTEXTS)
    def test_context(self, lab, kms, key, app, constraints, context, allowed):
        """
        A constraint holds for the same context (Equals), or for one that includes its pairs (Subset); values mind case.
        """
        new_grant(kms, key, app, ["Encrypt", "DescribeKey", "GenerateDataKey"], Constraints=constraints)
        settled(lab)
        client = lab.client(app)

        assert encrypts(client, key, context) == allowed
        found = code(client.generate_data_key, KeyId=key, KeySpec="AES_256", EncryptionContext=context)
        assert (found is None) == allowed

    @pytest.mark.parametrize("constraints", [{EQUALS: {"shop": "a"}}, {SUBSET: {"shop": "a"}}, {"SourceArn": VOLUME}])
    def test_describe_and_retire_are_free_of_context(self, lab, kms, key, app, constraints):
        """
        DescribeKey and RetireGrant carry no context, and a grant with a constraint lets them through.
        """
        token = new_grant(kms, key, app, ["DescribeKey", "RetireGrant"], Constraints=constraints)["GrantToken"]
        settled(lab)
        client = lab.client(app)

        assert code(client.describe_key, KeyId=key) is None
        assert code(client.retire_grant, GrantToken=token) is None

    @pytest.mark.parametrize(
        ("source_arn", "encrypt", "describe"), [(VOLUME, True, True), (f"{VOLUME}2", False, False), ("", False, True)]
    )
    def test_source_arn(self, lab, kms, key, source_arn, encrypt, describe):
        """
        A service uses a grant only on behalf of the resource that the grant names.
        """
        kms.create_grant(
            KeyId=key,
            GranteeServicePrincipal="ec2.amazonaws.com",
            RetiringPrincipal=ADMIN,
            Operations=["Encrypt", "DescribeKey"],
            Constraints={"SourceArn": VOLUME},
        )
        settled(lab)

        def allowed(operation, **params):
            who = Principal.parse("ec2.amazonaws.com")
            call = Call(OPERATIONS[operation], lab.world, who, REGION, {"KeyId": key, **params})
            call.how = Circumstances(source_arn=source_arn)
            return code(lambda: handle(call)) is None

        assert allowed("Encrypt", Plaintext=b"x") == encrypt
        assert allowed("DescribeKey") == describe

    @pytest.mark.parametrize(
        "constraints",
        [
            {EQUALS: {"a": "b"}, SUBSET: {"a": "b"}},
            {EQUALS: {str(n): "x" for n in range(9)}},
            {SUBSET: {str(n): "x" for n in range(9)}},
            {SUBSET: {"a": "x" * 385}},
        ],
    )
    def test_limits(self, kms, key, constraints):
        """
        A grant has one context constraint, of at most 8 pairs, with values of at most 384 characters.
        """
        params = {"KeyId": key, "GranteePrincipal": ADMIN, "Operations": ["Decrypt"]}
        fits = {EQUALS: {str(n): "x" * 384 for n in range(8)}}

        assert code(kms.create_grant, **params, Constraints=constraints) == "ValidationException"
        assert code(kms.create_grant, **params, Constraints=fits) is None

    @pytest.mark.parametrize("spec", ["HMAC_256", "ECC_NIST_P256", "RSA_2048"])
    def test_context_needs_a_symmetric_key(self, kms, spec):
        """
        A context constraint on any other key is refused, in AWS's words; a SourceArn is not.
        """
        usage = SPECS[spec].usages[0]
        key = new_key(kms, KeySpec=spec, KeyUsage=usage)
        params = {"KeyId": key, "GranteePrincipal": ADMIN, "Operations": ["DescribeKey"]}

        found = answer(kms.create_grant, **params, Constraints={EQUALS: {"a": "b"}})

        assert found == (
            "ValidationException",
            "EncryptionContext is supported only when creating a grant for a symmetric encryption KMS key.",
        )
        assert code(kms.create_grant, **params, Constraints={"SourceArn": VOLUME}) is None


ALL_OPERATIONS = (
    *("Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"),
    *("Sign", "Verify", "GetPublicKey", "CreateGrant", "RetireGrant", "DescribeKey", "GenerateDataKeyPair"),
    *("GenerateDataKeyPairWithoutPlaintext", "GenerateMac", "VerifyMac", "DeriveSharedSecret"),
    *("Encapsulate", "Decapsulate"),
)
ALWAYS = {"CreateGrant", "RetireGrant", "DescribeKey"}
ENCRYPTION = {"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo"}
FITTING = {
    "ENCRYPT_DECRYPT": ENCRYPTION | {"GetPublicKey"},
    "SIGN_VERIFY": {"Sign", "Verify", "GetPublicKey"},
    "GENERATE_VERIFY_MAC": {"GenerateMac", "VerifyMac"},
    "KEY_AGREEMENT": {"DeriveSharedSecret", "GetPublicKey"},
    "ENCAPSULATE_DECAPSULATE": {"Encapsulate", "Decapsulate", "GetPublicKey"},
}
SYMMETRIC = ENCRYPTION | {name for name in ALL_OPERATIONS if name.startswith("GenerateDataKey")}
KINDS = [(spec.name, usage) for spec in SPECS.values() for usage in spec.usages]


class TestOperations:
    def test_they_are_all_of_awss(self):
        """
        AWS's model knows nineteen grant operations, and the table below tries each.
        """
        assert set(MODEL.shape_for("GrantOperation").enum) == set(ALL_OPERATIONS)
        assert len(ALL_OPERATIONS) == 19

    @pytest.mark.parametrize(("spec", "usage"), KINDS)
    def test_which_fit_a_key(self, lab, kms, key, spec, usage):
        """
        A grant takes exactly the operations that the key's spec and usage support, each of the nineteen tried.
        """
        record = lab.key(key)
        record.spec, record.usage = spec, usage
        fitting = ALWAYS | (SYMMETRIC if spec == "SYMMETRIC_DEFAULT" else FITTING[usage])

        found = {
            name: code(kms.create_grant, KeyId=key, GranteePrincipal=ADMIN, Operations=[name, "DescribeKey"])
            for name in ALL_OPERATIONS
        }

        assert {name for name, error in found.items() if error is None} == fitting
        assert set(found.values()) == {None, "ValidationException"}

    def test_not_create_grant_alone(self, kms, key):
        """
        A grant of nothing but the right to make grants would be of no use: every grant made by it permits no more.
        """
        found = answer(kms.create_grant, KeyId=key, GranteePrincipal=ADMIN, Operations=["CreateGrant"])

        assert found == ("ValidationException", "Grants must not contain only the CreateGrant operation.")

    @pytest.mark.parametrize("operations", [[], ["Fly"], ["ListGrants"]])
    def test_not_an_operation(self, lab, key, operations):
        """
        A list that is empty, or names what no grant can permit, is a ValidationException.
        """
        send = sender(lab, "CreateGrant")

        assert code(send, KeyId=key, GranteePrincipal=ADMIN, Operations=operations) == "ValidationException"


SERVICE = {"GranteeServicePrincipal": "ec2.amazonaws.com"}
PARTS = [
    # members of CreateGrant besides KeyId and Operations, error
    ({"GranteePrincipal": ADMIN}, None),
    ({}, "ValidationException"),
    ({"GranteePrincipal": ADMIN, **SERVICE}, "ValidationException"),
    (SERVICE, "ValidationException"),
    ({**SERVICE, "RetiringPrincipal": ADMIN}, "ValidationException"),
    ({**SERVICE, "Constraints": {"SourceArn": VOLUME}}, "ValidationException"),
    ({**SERVICE, "Constraints": {"SourceArn": VOLUME}, "RetiringPrincipal": ADMIN}, None),
    ({**SERVICE, "Constraints": {"SourceArn": VOLUME}, "RetiringServicePrincipal": "ec2.amazonaws.com"}, None),
    (
        {"GranteePrincipal": ADMIN, "RetiringPrincipal": ADMIN, "RetiringServicePrincipal": "ec2.amazonaws.com"},
        "ValidationException",
    ),
    ({"GranteePrincipal": ADMIN, "RetiringServicePrincipal": "ec2.amazonaws.com"}, None),
    ({"GranteePrincipal": ADMIN, "Constraints": {"SourceArn": "vol-1"}}, "ValidationException"),
    ({"GranteePrincipal": ADMIN, "Name": "no blanks"}, "ValidationException"),
    ({"GranteePrincipal": ADMIN, "GrantTokens": ["t"] * 11}, "ValidationException"),
    ({"GranteePrincipal": ADMIN, "GrantTokens": ["t"]}, "InvalidGrantTokenException"),
]


class TestCreate:
    @pytest.mark.parametrize(("params", "error"), PARTS)
    @pytest.mark.parametrize("dry", [False, True])
    def test_members_that_need_each_other(self, lab, kms, key, params, error, dry):
        """
        A grant has one grantee; a service as grantee needs a SourceArn and a retiring principal. A DryRun tells.
        """
        send = sender(lab, "CreateGrant")

        found = code(send, KeyId=key, Operations=["Decrypt"], **params, **({"DryRun": True} if dry else {}))

        assert found == (error or ("DryRunOperationException" if dry else None))
        assert len(kms.list_grants(KeyId=key)["Grants"]) == (error is None and not dry)

    def test_answer(self, lab, kms, key):
        """
        CreateGrant answers an id of 64 hexadecimal digits and a token, new at each call; the log keeps no token.
        """
        first, second = new_grant(kms, key), new_grant(kms, key)

        assert len(first["GrantId"]) == 64
        assert int(first["GrantId"], 16)
        assert first["GrantId"] != second["GrantId"]
        assert first["GrantToken"] != second["GrantToken"]
        log = json.dumps(lab.world.log.to_data())
        assert first["GrantToken"] not in log
        assert lab.world.log.entry(-1).more == {"grant": second["GrantId"]}

    @pytest.mark.parametrize("reference", ["alias/key", f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/key"])
    def test_not_by_alias(self, stage, reference):
        """
        Grants are made on keys, not on aliases.
        """
        found = answer(stage.kms.create_grant, KeyId=reference, GranteePrincipal=ADMIN, Operations=["Decrypt"])

        assert found == ("InvalidArnException", "Key Aliases are not supported for this operation.")

    def test_giving_what_one_has_not(self, lab, kms, key, app, pat):
        """
        Whoever has CreateGrant by a policy can grant operations that they may not use themselves.
        """
        lab.iam.put_policies(pat, [policy("kms:CreateGrant")])
        client = lab.client(pat)
        assert not encrypts(client, key)

        token = new_grant(client, key, app, ["Encrypt"])["GrantToken"]

        assert encrypts(lab.client(app), key, tokens=[token])

    def test_as_many_as_a_key_can_have(self, kms, key, monkeypatch):
        """
        A key has a limited number of living grants; a retry of one of them, and one in place of another, go through.
        """
        assert module.GRANTS_PER_KEY == 50_000
        monkeypatch.setattr(module, "GRANTS_PER_KEY", 3)
        last = [new_grant(kms, key, Name=str(number)) for number in range(3)][-1]
        asked = {"KeyId": key, "GranteePrincipal": ADMIN, "Operations": ["Decrypt"]}

        full = answer(kms.create_grant, **asked)
        dry = code(kms.create_grant, **asked, DryRun=True)
        again = new_grant(kms, key, Name="2")
        kms.revoke_grant(KeyId=key, GrantId=last["GrantId"])

        assert full == (
            "LimitExceededException",
            "Grants per key quota for this account in this region is 3, current usage is 3.",
        )
        assert dry == "LimitExceededException"
        assert again["GrantId"] == last["GrantId"]
        assert code(kms.create_grant, **asked) is None


BY_PARENT = [
    # constraints of the parent, constraints of the child, may it be made?
    ({}, {}, True),
    ({}, {EQUALS: {"shop": "a"}}, True),
    ({EQUALS: {"shop": "a"}}, {EQUALS: {"shop": "a"}}, True),
    ({EQUALS: {"shop": "a"}}, {EQUALS: {"shop": "a", "unit": "1"}}, False),
    ({EQUALS: {"shop": "a"}}, {EQUALS: {"shop": "b"}}, False),
    ({EQUALS: {"shop": "a"}}, {SUBSET: {"shop": "a"}}, False),
    ({EQUALS: {"shop": "a"}}, {}, False),
    ({SUBSET: {"shop": "a"}}, {SUBSET: {"shop": "a"}}, True),
    ({SUBSET: {"shop": "a"}}, {SUBSET: {"shop": "a", "unit": "1"}}, True),
    ({SUBSET: {"shop": "a"}}, {EQUALS: {"shop": "a", "unit": "1"}}, True),
    ({SUBSET: {"shop": "a"}}, {SUBSET: {"unit": "1"}}, False),
    ({SUBSET: {"shop": "a"}}, {EQUALS: {"unit": "1"}}, False),
    ({SUBSET: {"shop": "a", "unit": "1"}}, {SUBSET: {"shop": "a"}}, False),
    ({SUBSET: {"shop": "a"}}, {}, False),
]


class TestChildren:
    @pytest.mark.parametrize(("parent", "child", "allowed"), BY_PARENT)
    def test_terms(self, lab, kms, key, app, pat, parent, child, allowed):
        """
        A grant made by means of a grant is on terms as strict as its parent's, or stricter.
        """
        new_grant(kms, key, app, ["Encrypt", "CreateGrant"], Constraints=parent)
        settled(lab)

        found = code(new_grant, kms=lab.client(app), key=key, grantee=pat, operations=["Encrypt"], Constraints=child)

        assert found == (None if allowed else "AccessDeniedException")

    @pytest.mark.parametrize(
        ("operations", "allowed"),
        [
            (["Encrypt"], True),
            (["Encrypt", "CreateGrant"], True),
            (["Decrypt"], False),
            (["Encrypt", "Decrypt"], False),
            (["RetireGrant"], False),
        ],
    )
    def test_operations(self, lab, kms, key, app, pat, operations, allowed):
        """
        A grant made by means of a grant permits none but its parent's operations.
        """
        token = new_grant(kms, key, app, ["Encrypt", "CreateGrant"])["GrantToken"]
        client = lab.client(app)

        found = code(new_grant, kms=client, key=key, grantee=pat, operations=operations, GrantTokens=[token])

        assert found == (None if allowed else "AccessDeniedException")
        assert allowed or "the new grant would also permit" in lab.last_verdict.sentence

    def test_not_without_the_operation(self, lab, kms, key, app, pat):
        """
        A grantee without CreateGrant among the operations makes no grants.
        """
        new_grant(kms, key, app, ["Encrypt"])
        settled(lab)

        assert code(new_grant, kms=lab.client(app), key=key, grantee=pat, operations=["Encrypt"]) is not None

    def test_it_outlives_its_parent(self, lab, kms, key, app, pat):
        """
        Revoking a grant ends nothing but that grant.
        """
        parent = new_grant(kms, key, app, ["Encrypt", "CreateGrant"])
        settled(lab)
        new_grant(lab.client(app), key, pat, ["Encrypt"])
        kms.revoke_grant(KeyId=key, GrantId=parent["GrantId"])
        settled(lab)

        assert encrypts(lab.client(pat), key)
        assert not encrypts(lab.client(app), key)


class TestTime:
    def test_a_token_or_patience(self, lab, kms, key, app):
        """
        A new grant works at once with its token, and without it once it has reached all of KMS.
        """
        token = new_grant(kms, key, app, ["Encrypt"])["GrantToken"]
        client = lab.client(app)

        assert not encrypts(client, key)
        assert encrypts(client, key, tokens=[token])
        assert not encrypts(client, key)
        lab.clock.travel(minutes=MINUTES, seconds=-1)
        assert not encrypts(client, key)
        lab.clock.travel(seconds=1)
        assert encrypts(client, key)

    def test_a_token_is_no_permission(self, lab, kms, key, app, pat):
        """
        A token is no secret: in another's hands, or on another key, it opens nothing.
        """
        token = new_grant(kms, key, app, ["Encrypt"])["GrantToken"]

        assert not encrypts(lab.client(pat), key, tokens=[token])
        assert not encrypts(lab.client(app), new_key(kms), tokens=[token])
        assert not encrypts(lab.client(app), key, tokens=[new_grant(kms, key, pat, ["Encrypt"])["GrantToken"]])
        assert encrypts(kms, key, tokens=[token])

    def test_several_tokens(self, lab, kms, key, app):
        """
        One of several tokens is enough, and ReEncrypt takes those of both keys.
        """
        other, client = new_key(kms), lab.client(app)
        tokens = [
            new_grant(kms, key, app, ["Encrypt", "ReEncryptFrom"])["GrantToken"],
            new_grant(kms, other, app, ["ReEncryptTo"])["GrantToken"],
        ]
        blob = client.encrypt(KeyId=key, Plaintext=b"x", GrantTokens=tokens)["CiphertextBlob"]

        assert code(client.re_encrypt, CiphertextBlob=blob, DestinationKeyId=other, GrantTokens=tokens) is None
        assert code(client.re_encrypt, CiphertextBlob=blob, DestinationKeyId=other, GrantTokens=tokens[:1]) is not None

    @pytest.mark.parametrize("spoil", [lambda token: token[:-4], lambda token: "x" + token, lambda _: "aGVsbG8="])
    def test_tokens_of_no_grant(self, kms, key, spoil):
        """
        A token that no grant has is refused.
        """
        token = new_grant(kms, key)["GrantToken"]

        assert code(kms.encrypt, KeyId=key, Plaintext=b"x", GrantTokens=[spoil(token)]) == "InvalidGrantTokenException"

    @pytest.mark.parametrize("how", ["revoke", "retire"])
    def test_the_end_takes_as_long(self, lab, kms, key, app, how):
        """
        An ended grant is listed no more, works until its end has reached all of KMS, and is then forgotten.
        """
        grant = new_grant(kms, key, app, ["Encrypt"])
        client = lab.client(app)
        settled(lab)
        call = kms.revoke_grant if how == "revoke" else kms.retire_grant
        call(KeyId=key, GrantId=grant["GrantId"])

        assert kms.list_grants(KeyId=key)["Grants"] == []
        assert encrypts(client, key)
        lab.clock.travel(minutes=MINUTES, seconds=-1)
        assert encrypts(client, key)
        lab.clock.travel(seconds=1)
        assert not encrypts(client, key)
        assert not lab.key(key).grants
        assert code(kms.encrypt, KeyId=key, Plaintext=b"x", GrantTokens=[grant["GrantToken"]]) is not None

    def test_ending_twice(self, lab, kms, key):
        """
        A grant that was ended is not found any more, whoever names it by id or by token.
        """
        grant = new_grant(kms, key)
        kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"])

        assert code(kms.revoke_grant, KeyId=key, GrantId=grant["GrantId"]) == "NotFoundException"
        assert code(kms.retire_grant, KeyId=key, GrantId=grant["GrantId"]) == "NotFoundException"
        assert code(kms.retire_grant, GrantToken=grant["GrantToken"]) == "InvalidGrantTokenException"

    def test_a_replica_that_is_back(self, lab, kms, app):
        """
        A replica that is deleted while a grant on it ends, and made again at once, has nothing to do with that grant.
        """
        key = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
        kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
        lab.clock.travel(minutes=1)
        there = lab.client(region="eu-west-1")
        grant = new_grant(there, key, app, ["Encrypt"])["GrantId"]
        there.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        lab.clock.travel(days=7, minutes=-1)
        there.revoke_grant(KeyId=key, GrantId=grant)
        lab.clock.travel(minutes=1)

        kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
        lab.clock.travel(minutes=10)

        assert there.list_grants(KeyId=key)["Grants"] == []

    def test_a_key_that_is_gone(self, lab, kms, key):
        """
        A grant whose key is deleted before the grant's end is no trouble to the clock.
        """
        grant = new_grant(kms, key)
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        lab.clock.travel(days=7, minutes=-1)
        kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"])
        lab.clock.travel(days=1)

        assert code(kms.retire_grant, GrantToken=grant["GrantToken"]) == "InvalidGrantTokenException"


class TestNames:
    def test_the_same_again(self, lab, kms, key, app):
        """
        Asking again under the same name gives the same grant with another token, and both tokens work.
        """
        asked = {"Name": "orders", "Constraints": {SUBSET: {"shop": "a", "unit": "1"}}}
        first = new_grant(kms, key, app, ["Encrypt"], **asked)
        asked["Constraints"] = {SUBSET: {"unit": "1", "shop": "a"}}
        second = new_grant(kms, key, app, ["Encrypt"], **asked)

        assert first["GrantId"] == second["GrantId"]
        assert first["GrantToken"] != second["GrantToken"]
        assert len(kms.list_grants(KeyId=key)["Grants"]) == 1
        for grant in (first, second):
            assert encrypts(lab.client(app), key, {"shop": "a", "unit": "1"}, [grant["GrantToken"]])

    @pytest.mark.parametrize(
        "change",
        [
            {"Name": "other"},
            {"grantee": ADMIN},
            {"operations": ["Encrypt", "Decrypt"]},
            {"RetiringPrincipal": ADMIN},
            {"Constraints": {EQUALS: {"shop": "a"}}},
            {"Constraints": {SUBSET: {"shop": "b"}}},
            {"Constraints": {SUBSET: {"shop": "a"}, "SourceArn": VOLUME}},
            {"Constraints": {}},
        ],
    )
    def test_something_else(self, kms, key, app, change):
        """
        A grant that differs in anything is another grant, though it has the same name.
        """
        asked = {"grantee": app, "operations": ["Encrypt"], "Name": "orders", "Constraints": {SUBSET: {"shop": "a"}}}

        assert new_grant(kms, key, **asked)["GrantId"] != new_grant(kms, key, **{**asked, **change})["GrantId"]

    def test_on_another_key(self, kms, key):
        """
        A name belongs to one key.
        """
        assert new_grant(kms, key, Name="n")["GrantId"] != new_grant(kms, new_key(kms), Name="n")["GrantId"]

    def test_without_a_name(self, kms, key):
        """
        Without a name, every request makes a grant.
        """
        assert new_grant(kms, key)["GrantId"] != new_grant(kms, key)["GrantId"]

    def test_after_its_end(self, lab, kms, key):
        """
        The name of a grant that was revoked makes a new grant.
        """
        first = new_grant(kms, key, Name="n")["GrantId"]
        kms.revoke_grant(KeyId=key, GrantId=first)
        second = new_grant(kms, key, Name="n")["GrantId"]
        settled(lab)

        assert first != second
        assert new_grant(kms, key, Name="n")["GrantId"] == second


CARL = f"arn:aws:iam::{AWAY}:user/Carl"
RETIRERS = [
    # the grant's retiring principal, its operations, who calls, with which identity policies, may they retire?
    (PAT, ["Encrypt"], PAT, [], True),
    (PAT, ["Encrypt"], PAT, [policy("kms:RetireGrant", effect="Deny")], False),
    (None, ["Encrypt"], PAT, [], False),
    (APP, ["Encrypt"], SESSION, [], True),
    (SESSION, ["Encrypt"], OTHER_SESSION, [], False),
    (PAT, ["Encrypt"], SESSION, [], False),  # the grantee, without the operation
    (PAT, ["RetireGrant"], SESSION, [], True),
    (None, ["RetireGrant"], SESSION, [policy("kms:*", effect="Deny")], False),
    (None, ["Encrypt"], ROOT, [], True),  # the account in which it was made
    (None, ["Encrypt"], PAT, [policy("kms:RetireGrant")], True),  # to whom that account delegates it
    (None, ["Encrypt"], PAT, [policy("kms:RevokeGrant")], False),
    (CARL, ["Encrypt"], CARL, [], True),
    (None, ["Encrypt"], CARL, [policy("kms:RetireGrant")], False),  # alone, the permission gives nothing
    (AWAY_ROOT, ["Encrypt"], AWAY_ROOT, [], True),
    (AWAY_ROOT, ["Encrypt"], CARL, [], False),
    (AWAY_ROOT, ["Encrypt"], CARL, [policy("kms:RetireGrant")], True),
    ("ec2.amazonaws.com", ["Encrypt"], "ec2.amazonaws.com", [], True),
    ("ec2.amazonaws.com", ["Encrypt"], "rds.amazonaws.com", [], False),
]


class TestRetire:
    @pytest.mark.parametrize(("retiring", "operations", "caller", "policies", "allowed"), RETIRERS)
    @pytest.mark.parametrize("by_token", [True, False])
    def test_who_may(self, lab, kms, key, app, pat, retiring, operations, caller, policies, allowed, by_token):
        """
        A grant is retired by whom it names: retiring principal, grantee with the operation, an account's delegate.
        """
        lab.iam.create_user("Carl", account=AWAY)
        if policies:
            lab.iam.put_policies(APP if caller == SESSION else caller, policies)
        more = {"RetiringPrincipal": retiring} if retiring else {}
        grant = new_grant(kms, key, app, operations, **more)
        params = {"GrantToken": grant["GrantToken"]} if by_token else {"KeyId": key, "GrantId": grant["GrantId"]}

        dry = code(lab.client(caller).retire_grant, **params, DryRun=True)
        found = code(lab.client(caller).retire_grant, **params)

        assert found == (None if allowed else "AccessDeniedException")
        assert dry == ("DryRunOperationException" if allowed else "AccessDeniedException")
        assert len(kms.list_grants(KeyId=key)["Grants"]) == (not allowed)

    @pytest.mark.parametrize(
        ("caller", "policies", "allowed"),
        [
            (AWAY_ROOT, [], True),
            (CARL, [], False),
            (CARL, [policy("kms:RetireGrant")], True),
            (ROOT, [], True),
            (PAT, [], False),
            (PAT, [policy("kms:RetireGrant")], True),
        ],
    )
    def test_a_grant_made_across_accounts(self, lab, kms, pat, eve, caller, policies, allowed):
        """
        The account that made a grant on another's key may retire it, and so may the key's; each delegates by IAM.
        """
        lab.iam.create_user("Carl", account=AWAY)
        if policies:
            lab.iam.put_policies(caller, policies)
        both = {"Effect": "Allow", "Principal": {"AWS": [ADMIN, EVE]}, "Action": "kms:*", "Resource": "*"}
        key = new_key(kms, Policy=json.dumps({"Version": "2012-10-17", "Statement": [both]}))
        token = new_grant(lab.client(eve), key, ADMIN)["GrantToken"]

        found = code(lab.client(caller).retire_grant, GrantToken=token)

        assert found == (None if allowed else "AccessDeniedException")

    @pytest.mark.parametrize("effect", ["Allow", "Deny"])
    def test_the_key_policy_has_no_say(self, lab, kms, app, pat, effect):
        """
        A key policy neither gives nor takes the right to retire a grant.
        """
        statements = [
            {"Effect": "Allow", "Principal": {"AWS": ADMIN}, "Action": "kms:*", "Resource": "*"},
            {"Effect": effect, "Principal": {"AWS": [APP, PAT]}, "Action": "kms:RetireGrant", "Resource": "*"},
        ]
        key = new_key(kms, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
        token = new_grant(kms, key, app, ["Encrypt"], RetiringPrincipal=PAT)["GrantToken"]

        assert code(lab.client(app).retire_grant, GrantToken=token) == "AccessDeniedException"
        assert lab.last_verdict.reason == "implicit-deny"
        assert code(lab.client(pat).retire_grant, GrantToken=token) is None
        assert lab.last_verdict.decided_by.layer == "grant"

    @pytest.mark.parametrize(
        "members",
        [(), ("KeyId",), ("GrantId",), ("GrantToken", "KeyId"), ("GrantToken", "GrantId", "KeyId")],
    )
    def test_one_way_to_name_it(self, kms, key, members):
        """
        A grant is named by its token, or by key and id: not by half of it, nor by both.
        """
        grant = new_grant(kms, key)
        params = {"GrantToken": grant["GrantToken"], "GrantId": grant["GrantId"], "KeyId": key}

        found = code(kms.retire_grant, **{name: params[name] for name in members})

        assert found == "ValidationException"

    def test_not_from_another_region(self, lab, kms, key):
        """
        A token means nothing in another Region.
        """
        token = new_grant(kms, key)["GrantToken"]

        assert code(lab.client(region="eu-west-1").retire_grant, GrantToken=token) == "InvalidGrantTokenException"

    @pytest.mark.parametrize(
        ("grant_id", "error"), [("0" * 64, "NotFoundException"), ("no id", "InvalidGrantIdException")]
    )
    @pytest.mark.parametrize("operation", ["revoke_grant", "retire_grant"])
    def test_grants_that_are_not_there(self, kms, key, operation, grant_id, error):
        """
        An id that no grant has is not found; one that none can have is invalid; a DryRun says so too.
        """
        assert code(getattr(kms, operation), KeyId=key, GrantId=grant_id) == error
        assert code(getattr(kms, operation), KeyId=key, GrantId=grant_id, DryRun=True) == error


class TestRevoke:
    @pytest.mark.parametrize(
        ("policies", "allowed"),
        [([policy("kms:RevokeGrant")], True), ([policy("kms:RetireGrant")], False), ([], False)],
    )
    def test_by_policy(self, lab, kms, key, app, pat, policies, allowed):
        """
        A grant is revoked by whom policies let, even if the grant names them as its retiring principal.
        """
        grant = new_grant(kms, key, app, ["Encrypt"], RetiringPrincipal=pat)
        lab.iam.put_policies(pat, policies)

        found = code(lab.client(pat).revoke_grant, KeyId=key, GrantId=grant["GrantId"])

        assert found == (None if allowed else "AccessDeniedException")

    def test_across_accounts(self, lab, kms, eve):
        """
        With both halves of the policies, another account lists, makes and revokes grants on a key; it issues its own.
        """
        statements = [
            {"Effect": "Allow", "Principal": {"AWS": [ROOT, AWAY_ROOT]}, "Action": "kms:*", "Resource": "*"},
        ]
        key = new_key(kms, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
        client = lab.client(eve)

        grant = new_grant(client, key, eve, ["Encrypt"])

        (entry,) = client.list_grants(KeyId=key)["Grants"]
        assert entry["IssuingAccount"] == AWAY_ROOT
        assert code(client.revoke_grant, KeyId=key, GrantId=grant["GrantId"]) is None


class TestListings:
    def test_an_entry(self, lab, kms, key, app):
        """
        An entry tells all that was asked for, and nothing that was not.
        """
        lab.clock.travel(hours=1)
        new_grant(kms, key, app, ["Encrypt"], RetiringPrincipal=ADMIN, Name="n", Constraints={EQUALS: {"a": "b"}})
        new_grant(kms, key, app, ["Decrypt"])
        kms.create_grant(
            KeyId=key,
            GranteeServicePrincipal="ec2.amazonaws.com",
            RetiringServicePrincipal="rds.amazonaws.com",
            Operations=["Decrypt"],
            Constraints={"SourceArn": VOLUME},
        )

        full, plain, service = kms.list_grants(KeyId=key)["Grants"]

        common = {"KeyId": key, "IssuingAccount": ROOT, "CreationDate": lab.clock.now}
        assert full == {
            **common,
            "GrantId": full["GrantId"],
            "Name": "n",
            "GranteePrincipal": app,
            "RetiringPrincipal": ADMIN,
            "Operations": ["Encrypt"],
            "Constraints": {EQUALS: {"a": "b"}},
        }
        assert plain == {**common, "GrantId": plain["GrantId"], "GranteePrincipal": app, "Operations": ["Decrypt"]}
        assert service == {
            **common,
            "GrantId": service["GrantId"],
            "GranteeServicePrincipal": "ec2.amazonaws.com",
            "RetiringServicePrincipal": "rds.amazonaws.com",
            "Operations": ["Decrypt"],
            "Constraints": {"SourceArn": VOLUME},
        }

    def test_filters(self, kms, key, app, pat):
        """
        ListGrants shows those of one grantee, or the one with an id; an id that is there but another's shows none.
        """
        apps = [new_grant(kms, key, app)["GrantId"] for _ in range(2)]
        pats = new_grant(kms, key, pat)["GrantId"]

        def ids(**params):
            return [grant["GrantId"] for grant in kms.list_grants(KeyId=key, **params)["Grants"]]

        assert ids() == [*apps, pats]
        assert ids(GranteePrincipal=app) == apps
        assert ids(GrantId=pats) == [pats]
        assert ids(GrantId=pats, GranteePrincipal=app) == []
        assert ids(GrantId="0" * 64) == []
        assert code(kms.list_grants, KeyId=key, GrantId="no id") == "InvalidGrantIdException"

    @pytest.mark.parametrize("members", [{"GranteePrincipal": ADMIN}, {}])
    def test_filters_for_services(self, kms, key, members):
        """
        Only a service lists by service principal, and nobody by both kinds of grantee.
        """
        found = code(kms.list_grants, KeyId=key, GranteeServicePrincipal="ec2.amazonaws.com", **members)

        assert found == "ValidationException"

    def test_a_service_lists_its_grants(self, lab, kms):
        """
        A service whom the key policy lets sees the grants made to it as a service principal.
        """
        statements = [
            {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"},
            {
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": "kms:ListGrants",
                "Resource": "*",
            },
        ]
        key = new_key(kms, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
        kms.create_grant(
            KeyId=key,
            GranteeServicePrincipal="ec2.amazonaws.com",
            RetiringServicePrincipal="ec2.amazonaws.com",
            Operations=["Decrypt"],
            Constraints={"SourceArn": VOLUME},
        )
        new_grant(kms, key, "ec2.amazonaws.com")
        client = lab.client("ec2.amazonaws.com")

        assert len(client.list_grants(KeyId=key, GranteeServicePrincipal="ec2.amazonaws.com")["Grants"]) == 1
        retirable = client.list_retirable_grants(RetiringServicePrincipal="ec2.amazonaws.com")["Grants"]
        assert [grant["GranteeServicePrincipal"] for grant in retirable] == ["ec2.amazonaws.com"]

    @pytest.mark.parametrize("operation", ["list_grants", "list_retirable_grants"])
    def test_pages(self, kms, key, operation):
        """
        Page by page, every grant comes once, in the order they were made; 50 to a page unless asked otherwise.
        """
        made = [new_grant(kms, key, RetiringPrincipal=ADMIN)["GrantId"] for _ in range(53)]
        params = {"KeyId": key} if operation == "list_grants" else {"RetiringPrincipal": ADMIN}

        first = getattr(kms, operation)(**params)
        pages = list(kms.get_paginator(operation).paginate(**params, Limit=20))

        assert len(first["Grants"]) == 50
        assert [len(page["Grants"]) for page in pages] == [20, 20, 13]
        assert [grant["GrantId"] for page in pages for grant in page["Grants"]] == made
        assert code(getattr(kms, operation), **params, Marker="rubbish") == "InvalidMarkerException"

    def test_retirable(self, lab, kms, key, pat, eve):
        """
        ListRetirableGrants shows the grants of the Region that name a principal, whichever account's key they are on.
        """
        away = lab.client(eve)
        theirs = new_grant(away, new_key(away), eve, RetiringPrincipal=pat)["GrantId"]
        ours = new_grant(kms, key, RetiringPrincipal=pat)["GrantId"]
        ended = new_grant(kms, key, RetiringPrincipal=pat)["GrantId"]
        kms.revoke_grant(KeyId=key, GrantId=ended)
        new_grant(kms, key, RetiringPrincipal=ADMIN)
        new_grant(kms, key)
        elsewhere = lab.client(region="eu-west-1")
        new_grant(elsewhere, new_key(elsewhere), RetiringPrincipal=pat)

        found = kms.list_retirable_grants(RetiringPrincipal=pat)["Grants"]

        assert {grant["GrantId"] for grant in found} == {theirs, ours}

    @pytest.mark.parametrize(
        ("params", "error"),
        [
            ({"RetiringPrincipal": PAT}, None),
            ({}, "ValidationException"),
            ({"RetiringPrincipal": PAT, "RetiringServicePrincipal": "ec2.amazonaws.com"}, "ValidationException"),
            ({"RetiringServicePrincipal": "ec2.amazonaws.com"}, "ValidationException"),
            ({"RetiringPrincipal": "Pat"}, "InvalidArnException"),
            ({"RetiringPrincipal": "ec2.amazonaws.com"}, "InvalidArnException"),
            ({"RetiringPrincipal": EVE}, "AccessDeniedException"),
        ],
    )
    def test_whose_retirable(self, kms, params, error):
        """
        One lists for a principal of one's own account, and only a service for a service.
        """
        assert code(kms.list_retirable_grants, **params) == error

    @pytest.mark.parametrize(
        ("resource", "allowed"), [("*", True), (PAT, True), (APP, False), ("arn:aws:kms:*", False)]
    )
    def test_permission_is_on_the_principal(self, lab, kms, pat, resource, allowed):
        """
        kms:ListRetirableGrants is asked for on the retiring principal, not on any key.
        """
        lab.iam.put_policies(pat, [policy("kms:ListRetirableGrants", resource=resource)])

        found = code(lab.client(pat).list_retirable_grants, RetiringPrincipal=PAT)

        assert found == (None if allowed else "AccessDeniedException")


class TestConditions:
    @pytest.mark.parametrize(
        ("condition", "operations", "allowed"),
        [
            ({"ForAllValues:StringEquals": {"kms:GrantOperations": ["Encrypt", "Decrypt"]}}, ["Encrypt"], True),
            ({"ForAllValues:StringEquals": {"kms:GrantOperations": ["Encrypt"]}}, ["Encrypt", "Decrypt"], False),
            ({"Bool": {"kms:GrantIsForAWSResource": "true"}}, ["Encrypt"], False),
            ({"StringEquals": {"kms:GranteePrincipal": APP}}, ["Encrypt"], True),
            ({"StringEquals": {"kms:GranteePrincipal": PAT}}, ["Encrypt"], False),
        ],
    )
    def test_policies_limit_grants(self, lab, kms, key, app, pat, condition, operations, allowed):
        """
        A policy limits which grants somebody may make, by operations, grantee and whether a service asks.
        """
        document = policy("kms:CreateGrant")
        document["Statement"][0]["Condition"] = condition
        lab.iam.put_policies(pat, [document])

        found = code(new_grant, kms=lab.client(pat), key=key, grantee=app, operations=operations)

        assert found == (None if allowed else "AccessDeniedException")

    @pytest.mark.parametrize(
        ("operation", "params"), [("create_grant", {"GranteePrincipal": APP}), ("list_grants", {})]
    )
    def test_for_an_aws_resource(self, lab, kms, key, app, pat, operation, params):
        """
        The statement of the console's default policy lets people make grants through AWS services only.
        """
        document = policy("kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant")
        document["Statement"][0]["Condition"] = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
        lab.iam.put_policies(pat, [document])
        params = {"KeyId": key, **params, **({"Operations": ["Decrypt"]} if params else {})}

        assert code(getattr(lab.client(pat), operation), **params) == "AccessDeniedException"
        assert code(getattr(lab.client(pat, via="ec2"), operation), **params) is None


class TestMay:
    @pytest.mark.parametrize(
        ("action", "context", "reason"),
        [
            ("kms:Encrypt", {"shop": "a"}, "grant"),
            ("kms:encrypt", {"shop": "a"}, "grant"),
            ("kms:Encrypt", {}, "grant-constraint"),
            ("kms:ReEncryptFrom", {"shop": "a"}, "grant"),
            ("kms:ReEncryptTo", {"shop": "a"}, "implicit-deny"),
            ("kms:CreateGrant", {}, "grant"),
            ("kms:RetireGrant", {}, "implicit-deny"),
            ("kms:RevokeGrant", {}, "implicit-deny"),
        ],
    )
    def test_grants_count(self, lab, kms, key, app, action, context, reason):
        """
        Asking what somebody may do takes the grants into account, and leaves no trace.
        """
        new_grant(kms, key, app, ["Encrypt", "ReEncryptFrom", "CreateGrant"], Constraints={EQUALS: {"shop": "a"}})
        settled(lab)
        before = lab.world.to_data()

        assert lab.may(app, action, key, context=context).reason == reason
        assert lab.world.to_data() == before

    def test_any_grant_to_retire(self, lab, kms, key, app):
        """
        Somebody may retire grants of a key if there is one that they may retire.
        """
        before = lab.may(app, "kms:RetireGrant", key)
        new_grant(kms, key)
        new_grant(kms, key, RetiringPrincipal=app)

        assert (before.allowed, before.sentence) == (
            False,
            "There is no grant that role App could retire.",
        )
        assert lab.may(app, "kms:RetireGrant", key).allowed


class TestWorlds:
    def test_fork(self, lab, kms, key, app):
        """
        A fork has the grants of its origin, and each makes and ends its own.
        """
        grant = new_grant(kms, key, app, ["Encrypt"], Name="n")
        twin = lab.fork()
        mate = twin.client()
        mate.revoke_grant(KeyId=key, GrantId=grant["GrantId"])
        new_grant(kms, key, app, ["Decrypt"])
        settled(lab)
        settled(twin)

        assert encrypts(lab.client(app), key)
        assert not encrypts(twin.client(app), key)
        assert (len(lab.key(key).grants), len(twin.key(key).grants)) == (2, 0)
        assert new_grant(kms, key, app, ["Encrypt"], Name="n")["GrantId"] == grant["GrantId"]

    def test_save_and_load(self, lab, kms, key, app, tmp_path):
        """
        A saved lab keeps its grants, tokens, names and ends.
        """
        grant = new_grant(kms, key, app, ["Encrypt"], Name="n", Constraints={SUBSET: {"shop": "a"}})
        ended = new_grant(kms, key, app, ["Decrypt"])
        kms.revoke_grant(KeyId=key, GrantId=ended["GrantId"])
        lab.save(tmp_path / "lab.json")

        again = Lab.load(tmp_path / "lab.json")

        client = again.client()
        assert client.list_grants(KeyId=key)["Grants"] == kms.list_grants(KeyId=key)["Grants"]
        assert encrypts(again.client(app), key, {"shop": "a"}, [grant["GrantToken"]])
        same = new_grant(client, key, app, ["Encrypt"], Name="n", Constraints={SUBSET: {"shop": "a"}})
        assert same["GrantId"] == grant["GrantId"]
        settled(again)
        assert list(again.key(key).grants) == [grant["GrantId"]]

    def test_the_grant_that_decides(self, lab, kms, key, app, tmp_path):
        """
        Of several grants that allow, every copy of a lab names the same, also after one was given out again.
        """
        for name in ("first", "second", "first"):
            new_grant(kms, key, app, ["Encrypt"], Name=name)
        settled(lab)
        lab.save(tmp_path / "lab.json")

        copies = (lab, lab.fork(), Lab.load(tmp_path / "lab.json"))
        (decided,) = {one.may(app, "kms:Encrypt", key).decided_by for one in copies}

        assert decided.policy.startswith('grant "first"')

    def test_many(self, lab, kms, key, app, monkeypatch):
        """
        However many grants a key has, using one, retrying one and making one more goes through none of the others.
        """
        first = new_grant(kms, key, app, ["Encrypt"], Name="0")
        (known,) = lab.key(key).grants.values()
        for number in range(1, 49_990):
            somebody = f"arn:aws:iam::{number:012d}:root"
            lab.key(key).put_grant(replace(known, id=f"{number:064x}", name=str(number), grantee=somebody, tokens=()))
        settled(lab)
        for way in ("values", "items", "__iter__"):
            monkeypatch.setattr(Register, way, lambda _: pytest.fail("went through all grants"))

        assert encrypts(lab.client(app), key, tokens=[first["GrantToken"]])
        assert encrypts(kms, key)
        assert new_grant(kms, key, app, ["Encrypt"], Name="0")["GrantId"] == first["GrantId"]
        assert new_grant(kms, key, app, ["Encrypt"], Name="again")["GrantId"] != first["GrantId"]
        assert code(kms.retire_grant, GrantToken=first["GrantToken"]) is None
