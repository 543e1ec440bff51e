"""Key policies: which texts may become one, and that they count from then on."""

import json

import pytest

from kms_lab.policy.defaults import api_default
from tests.service.conftest import code, new_key, refusal

HOME = "111122223333"
ADMIN = f"arn:aws:iam::{HOME}:user/Admin"


def statement(principal, *actions, effect="Allow", **more):
    return {"Effect": effect, "Principal": principal, "Action": list(actions), "Resource": "*", **more}


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


ROOT = statement({"AWS": f"arn:aws:iam::{HOME}:root"}, "kms:*")
READ_ONLY = statement({"AWS": f"arn:aws:iam::{HOME}:root"}, "kms:Describe*")


class TestDefault:
    def test_without_a_policy(self, kms, key):
        """
        A key created without a policy has the API's default one: the account may, and IAM decides.
        """
        found = kms.get_key_policy(KeyId=key)

        assert found["PolicyName"] == "default"
        assert found["Policy"] == api_default(HOME)
        (only,) = json.loads(found["Policy"])["Statement"]
        assert only == {**ROOT, "Sid": "Enable IAM User Permissions", "Action": "kms:*"}

    def test_given_policy_is_kept(self, kms):
        """
        A policy given to CreateKey or PutKeyPolicy comes back letter for letter.
        """
        text, changed = policy(ROOT) + "\n", "  " + policy(ROOT, READ_ONLY)
        key = new_key(kms, Policy=text)

        assert kms.get_key_policy(KeyId=key)["Policy"] == text
        kms.put_key_policy(KeyId=key, Policy=changed, PolicyName="default")
        assert kms.get_key_policy(KeyId=key)["Policy"] == changed

    def test_one_policy_named_default(self, kms, key):
        """
        A key has one policy, named default, and none of another name.
        """
        assert kms.list_key_policies(KeyId=key)["PolicyNames"] == ["default"]
        assert kms.list_key_policies(KeyId=key)["Truncated"] is False
        assert code(kms.get_key_policy, KeyId=key, PolicyName="other") == "NotFoundException"
        assert code(kms.put_key_policy, KeyId=key, PolicyName="other", Policy=policy(ROOT)) == "NotFoundException"


class TestLockout:
    @pytest.mark.parametrize("operation", ["create", "put"])
    def test_check_and_bypass(self, kms, operation):
        """
        A policy under which its writer could not put the next one is refused, unless the check is bypassed.
        """

        def write(**params):
            text = policy(READ_ONLY)
            if operation == "create":
                return kms.create_key(Policy=text, **params)
            return kms.put_key_policy(KeyId=new_key(kms), Policy=text, **params)

        error = refusal(write)
        assert error.code == "MalformedPolicyDocumentException"
        assert error.evidence["verdict"].allowed is False
        assert code(write, BypassPolicyLockoutSafetyCheck=False) == "MalformedPolicyDocumentException"
        assert code(write, BypassPolicyLockoutSafetyCheck=True) is None

    def test_locked_out(self, kms, key):
        """
        Who bypassed the check and locked himself out stays out.
        """
        kms.put_key_policy(KeyId=key, Policy=policy(READ_ONLY), BypassPolicyLockoutSafetyCheck=True)

        assert code(kms.put_key_policy, KeyId=key, Policy=policy(ROOT)) == "AccessDeniedException"
        assert code(kms.describe_key, KeyId=key) is None

    def test_refused_policy_leaves_the_old_one(self, kms, key):
        """
        After a refusal the old policy still stands.
        """
        before = kms.get_key_policy(KeyId=key)["Policy"]

        assert code(kms.put_key_policy, KeyId=key, Policy=policy(READ_ONLY)) == "MalformedPolicyDocumentException"
        assert kms.get_key_policy(KeyId=key)["Policy"] == before

    def test_identity_policy_counts(self, lab):
        """
        A root-only policy passes for a writer whose identity policy allows PutKeyPolicy, and only for such a one.
        """
        statements = [{"Effect": "Allow", "Action": ["kms:CreateKey"], "Resource": "*"}]
        role = lab.iam.create_role("Maker", policies=[{"Version": "2012-10-17", "Statement": statements}])
        maker = lab.client(principal=role)

        assert code(maker.create_key, Policy=policy(ROOT)) == "MalformedPolicyDocumentException"
        statements[0]["Action"].append("kms:PutKeyPolicy")
        lab.iam.put_policies(role, [{"Version": "2012-10-17", "Statement": statements}])
        assert code(maker.create_key, Policy=policy(ROOT)) is None

    def test_direct_statement_is_enough(self, kms):
        """
        A writer whom the policy names needs no statement for the account.
        """
        assert code(kms.create_key, Policy=policy(statement({"AWS": ADMIN}, "kms:PutKeyPolicy"))) is None


class TestMalformed:
    @pytest.mark.parametrize(
        "text",
        [
            "{",
            "[]",
            "{}",
            '"text"',
            policy({"Effect": "Maybe", "Principal": "*", "Action": "kms:*", "Resource": "*"}),
            policy({"Effect": "Allow", "Action": "kms:*", "Resource": "*"}),
            policy(statement({"AWS": "arn:aws:iam::1:role/x"}, "kms:*")),
            policy(statement({"AWS": f"arn:aws:iam::{HOME}:group/G"}, "kms:*")),
        ],
    )
    def test_not_a_policy(self, kms, key, text):
        """
        What is not a well-formed policy is MalformedPolicyDocumentException, and says what is wrong.
        """
        error = refusal(kms.put_key_policy, KeyId=key, Policy=text, BypassPolicyLockoutSafetyCheck=True)

        assert error.code == "MalformedPolicyDocumentException"
        assert error.message
        assert code(kms.create_key, Policy=text) == "MalformedPolicyDocumentException"

    @pytest.mark.parametrize(
        ("principals", "sentence"),
        [
            ({}, "Policy contains a statement with no principal."),
            ({"Principal": {"AWS": []}}, "Policy contains a statement with no principal."),
            (
                {"Principal": {"AWS": ["dana", f"arn:aws:iam::{HOME}:group/G"]}},
                "Policy contains a statement with one or more invalid principals.",
            ),
        ],
    )
    def test_principals(self, kms, principals, sentence):
        """
        A statement without a principal, or with what is none, is refused in AWS's words; ours are in ``problems``.
        """
        error = refusal(
            kms.create_key, Policy=policy(ROOT, {"Effect": "Allow", "Action": "kms:*", "Resource": "*", **principals})
        )

        assert (error.code, error.message) == ("MalformedPolicyDocumentException", sentence)
        assert all(problem.startswith("Statement 2") for problem in error.evidence["problems"])

    @pytest.mark.parametrize("kind", ["user", "role"])
    def test_unknown_principal(self, lab, kms, key, kind):
        """
        Users and roles that a policy names must exist in an account that the lab knows; bypassing does not help.
        """
        text = policy(ROOT, statement({"AWS": f"arn:aws:iam::{HOME}:{kind}/New"}, "kms:Encrypt"))
        params = {"KeyId": key, "Policy": text, "BypassPolicyLockoutSafetyCheck": True}

        assert code(kms.put_key_policy, **params) == "MalformedPolicyDocumentException"
        (lab.iam.create_user if kind == "user" else lab.iam.create_role)("New")
        assert code(kms.put_key_policy, **params) is None

    @pytest.mark.parametrize(
        "principal",
        [
            "*",
            {"AWS": "*"},
            {"AWS": "999900001111"},
            {"AWS": "arn:aws:iam::999900001111:role/Any"},
            {"Service": "s3.amazonaws.com"},
            {"AWS": [ADMIN, f"arn:aws:iam::{HOME}:root"]},
        ],
    )
    def test_known_principals(self, kms, key, principal):
        """
        Everybody, another account, services and people who exist may be named.
        """
        assert code(kms.put_key_policy, KeyId=key, Policy=policy(ROOT, statement(principal, "kms:Encrypt"))) is None

    def test_length(self, kms, key):
        """
        A policy has at most 32,768 bytes, whatever the model allows; beyond the model it is a ValidationException.
        """
        fits = policy(ROOT).ljust(32_768)

        assert code(kms.put_key_policy, KeyId=key, Policy=fits) is None
        assert code(kms.put_key_policy, KeyId=key, Policy=fits + " ") == "LimitExceededException"
        assert code(kms.create_key, Policy=fits + " ") == "LimitExceededException"
        assert code(kms.put_key_policy, KeyId=key, Policy=fits.ljust(131_073)) == "ValidationException"

    def test_length_counts_bytes(self, kms, key):
        """
        The length is counted in bytes: a letter outside ASCII counts twice.
        """
        text = json.dumps(json.loads(policy(ROOT)) | {"Id": "é" * 16_384}, ensure_ascii=False)

        assert len(text) < 32_768
        assert code(kms.put_key_policy, KeyId=key, Policy=text) == "LimitExceededException"


def test_a_new_policy_counts_at_once(lab, kms, key):
    """
    Nothing remembers a decision made under an older policy.
    """
    role = lab.iam.create_role("App")
    app = lab.client(principal=role)
    open_ = policy(ROOT, statement({"AWS": role}, "kms:Encrypt"))

    for text, found in ((open_, None), (policy(ROOT), "AccessDeniedException"), (open_, None)):
        kms.put_key_policy(KeyId=key, Policy=text)
        assert code(app.encrypt, KeyId=key, Plaintext=b"x") == found
