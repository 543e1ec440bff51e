"""Faults that a review of the whole library found, each as the rule that it broke."""

import json
import tracemalloc
from contextlib import suppress
from dataclasses import replace

import pytest

from kms_lab import Lab
from kms_lab.core.errors import (
    AccessDeniedException,
    DisabledException,
    MalformedPolicyDocumentException,
    UnsupportedByLab,
    ValidationException,
)
from kms_lab.core.names import Principal
from kms_lab.service.operation import OPERATIONS, Call
from kms_lab.service.pipeline import handle

BOB = "444455556666"
EVERYTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}


@pytest.fixture
def lab():
    return Lab(seed=1)


@pytest.fixture
def kms(lab):
    return lab.client()


@pytest.fixture
def key(kms):
    return kms.create_key()["KeyMetadata"]["Arn"]


@pytest.fixture
def theirs(lab):
    """A client of another account."""
    return lab.client(lab.iam.create_user("Bob", [EVERYTHING], account=BOB))


def refusal(method, **params):
    with pytest.raises(AccessDeniedException) as caught:
        method(**params)
    return caught.value


def unknown(arn):
    """The ARN of a key that is not there."""
    return f"{arn[:-1]}{'0' if arn[-1] != '0' else '1'}"


class TestLog:
    @pytest.mark.parametrize("tokens", [["my-token"] * 11, ["my-token" * 2000]])
    def test_no_grant_token(self, lab, kms, key, tokens):
        """
        A refused grant token is quoted neither in the message nor in the log.
        """
        with pytest.raises(ValidationException) as caught:
            kms.encrypt(KeyId=key, Plaintext=b"x", GrantTokens=tokens)

        assert "at 'grantTokens" in caught.value.message
        assert "my-token" not in caught.value.message
        assert "my-token" not in json.dumps(lab.events())

    def test_a_tuple_in_a_request(self, lab, kms, key, tmp_path):
        """
        A request with a tuple for a list is saved and read back like any other.
        """
        kms.untag_resource(KeyId=key, TagKeys=("a", "b"))
        lab.save(tmp_path / "lab.json")

        assert Lab.load(tmp_path / "lab.json").events() == lab.events()

    def test_members_of_another_version(self, lab, kms, key):
        """
        A log that began with other shown members, as one saved by an older lab does, never takes one for another.
        """
        log = lab.world.log
        log.append(0, "Probe", "us-east-1", fields=("A", "B"), params={"A": 1, "B": 2})
        log.append(0, "Probe", "us-east-1", fields=("B", "A"), params={"A": 1, "B": 2})

        assert log.entry(-1).request == log.entry(-2).request == {"A": 1, "B": 2}

    def test_refusals_are_small(self, kms, key):
        """
        Ten thousand equal refusals take fewer than 200 bytes each in the log.
        """
        kms.disable_key(KeyId=key)

        def refuse(times):
            for _ in range(times):
                with suppress(DisabledException):
                    kms.encrypt(KeyId=key, Plaintext=b"x")

        refuse(10)
        tracemalloc.start()
        refuse(10_000)
        size, _peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert size < 200 * 10_000


class TestAcrossAccounts:
    def test_list_aliases(self, kms, theirs):
        """
        ListAliases of another account's key says the same whether the key exists or not.
        """
        foreign = theirs.create_key()["KeyMetadata"]["Arn"]

        found = refusal(kms.list_aliases, KeyId=foreign).message
        assert found == refusal(kms.list_aliases, KeyId=unknown(foreign)).message

    def test_own_deny(self, lab, theirs):
        """
        An explicit deny in the caller's own policy is named, though the key is another account's.
        """
        foreign = theirs.create_key()["KeyMetadata"]["Arn"]
        deny = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*"}}
        eve = lab.client(lab.iam.create_user("Eve", [EVERYTHING, deny]))

        message = refusal(eve.encrypt, KeyId=foreign, Plaintext=b"x").message
        assert message.endswith("with an explicit deny in an identity-based policy")

    def test_re_encrypt_names_the_source_permission(self, lab, kms, key, theirs):
        """
        ReEncrypt refused for a source that is not to be found names kms:ReEncryptFrom.
        """
        foreign = unknown(theirs.create_key()["KeyMetadata"]["Arn"])
        blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        west = lab.client(region="us-west-2")
        there = west.create_key()["KeyMetadata"]["Arn"]

        named = refusal(kms.re_encrypt, CiphertextBlob=blob, SourceKeyId=foreign, DestinationKeyId=key)
        by_blob = refusal(west.re_encrypt, CiphertextBlob=blob, DestinationKeyId=there)
        for error in (named, by_blob):
            assert "perform: kms:ReEncryptFrom on " in error.message

    def test_the_error_carries_the_verdict(self, lab, key):
        """
        A denial carries the verdict that decided it.
        """
        nobody = lab.client(lab.iam.create_user("Nobody"))

        error = refusal(nobody.encrypt, KeyId=key, Plaintext=b"x")
        assert error.verdict.sentence == lab.last_verdict.sentence
        assert not error.verdict.allowed


class TestPolicies:
    def test_unique_id(self, kms, key):
        """
        A unique id as principal belongs to nobody in the lab, so the policy has an invalid principal.
        """
        policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
        policy["Statement"].append(
            {"Effect": "Allow", "Principal": {"AWS": "AIDACKCEVSQ6C2EXAMPLE"}, "Action": "kms:*", "Resource": "*"}
        )

        with pytest.raises(MalformedPolicyDocumentException, match="invalid principals"):
            kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))

    def test_lockout_with_an_identity_policy_on_keys(self, lab, kms, key):
        """
        At CreateKey an identity policy on every key by ARN passes the lockout check, as it does at PutKeyPolicy.
        """
        statements = [
            {"Effect": "Allow", "Action": "kms:CreateKey", "Resource": "*"},
            {"Effect": "Allow", "Action": "kms:*", "Resource": "arn:aws:kms:*:111122223333:key/*"},
        ]
        user = lab.client(lab.iam.create_user("Keeper", [{"Version": "2012-10-17", "Statement": statements}]))
        policy = kms.get_key_policy(KeyId=key)["Policy"]

        own = user.create_key(Policy=policy)["KeyMetadata"]["KeyId"]
        assert user.get_key_policy(KeyId=own)["Policy"] == policy

    def test_tags_at_creation(self, lab):
        """
        CreateKey with tags needs kms:TagResource on all keys of the account and Region; on one key is not enough.
        """
        everywhere = "arn:aws:kms:us-east-1:111122223333:key/"

        def creator(name, resource):
            statements = [
                {"Effect": "Allow", "Action": "kms:CreateKey", "Resource": "*"},
                {"Effect": "Allow", "Action": "kms:TagResource", "Resource": resource},
            ]
            return lab.client(lab.iam.create_user(name, [{"Version": "2012-10-17", "Statement": statements}]))

        tags = [{"TagKey": "team", "TagValue": "blue"}]
        assert creator("All", f"{everywhere}*").create_key(Tags=tags)
        refusal(creator("One", f"{everywhere}1234abcd-12ab-34cd-56ef-1234567890ab").create_key, Tags=tags)


class TestRsa:
    def test_no_context_at_decrypt(self, kms):
        """
        An RSA key takes no encryption context: Decrypt refuses one as Encrypt does.
        """
        key = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
        algorithm = {"KeyId": key, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
        blob = kms.encrypt(Plaintext=b"x", **algorithm)["CiphertextBlob"]

        with pytest.raises(ValidationException):
            kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"}, **algorithm)
        assert kms.decrypt(CiphertextBlob=blob, **algorithm)["Plaintext"] == b"x"


class TestClock:
    def test_no_journey_beyond_the_calendar(self, lab):
        """
        A journey beyond the calendar is refused before it begins.
        """
        before = lab.clock.now

        with pytest.raises(ValueError, match="9999"):
            lab.clock.travel(days=5_000_000)
        assert lab.clock.now == before


class TestProbe:
    def test_an_action_without_a_key(self, lab, kms, key):
        """
        May somebody list the keys? No key policy has a say in that, not even one that shuts IAM out.
        """
        policy = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}}
        policy["Statement"]["Principal"] = {"AWS": "arn:aws:iam::111122223333:user/Admin"}
        kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))
        lister = lab.iam.create_user("Lister", [EVERYTHING])

        assert lab.may(lister, "kms:ListKeys", key).allowed
        assert not lab.may(lister, "kms:Encrypt", key).allowed


class TestNewerModel:
    def test_a_member_that_the_lab_does_not_know(self, lab, key):
        """
        A request member that AWS added later is refused by name, not answered with a crash.
        """

        def older(call, *, KeyId):
            return {}

        row = replace(OPERATIONS["DescribeKey"], handler=older, gates=())
        admin = Principal.parse("arn:aws:iam::111122223333:user/Admin")

        with pytest.raises(UnsupportedByLab, match="GrantTokens"):
            handle(Call(row, lab.world, admin, "us-east-1", {"KeyId": key, "GrantTokens": ["a"]}))
        assert handle(Call(row, lab.world, admin, "us-east-1", {"KeyId": key}))


def test_a_deny_in_another_accounts_key_policy_is_not_told(lab):
    """
    A foreign key that is missing, silent or closed by a deny reads the same; a deny of the caller's own is named.
    """
    guest = lab.iam.create_user("Guest", policies=[EVERYTHING], account=BOB)
    away = lab.client(principal=guest)
    root = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"}
    let_in = {**root, "Principal": {"AWS": BOB}, "Action": "kms:DescribeKey"}

    def told(key):
        with pytest.raises(AccessDeniedException) as refused:
            away.describe_key(KeyId=key)
        return refused.value.message

    policies = [{"Statement": more} for more in ([root], [root, let_in, {**let_in, "Effect": "Deny"}])]
    keys = [lab.client().create_key(Policy=json.dumps(one))["KeyMetadata"]["Arn"] for one in policies]
    missing = f"{keys[0].rpartition('/')[0]}/1234abcd-12ab-34cd-56ef-1234567890ab"
    assert len({told(key) for key in (*keys, missing)}) == 1

    lab.iam.put_policies(guest, [EVERYTHING, {"Statement": {"Effect": "Deny", "Action": "kms:*", "Resource": "*"}}])
    assert told(keys[0]).endswith("with an explicit deny in an identity-based policy")
