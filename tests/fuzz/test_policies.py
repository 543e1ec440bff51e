"""Changed policies: refused as malformed, or taken; and a policy that was taken decides every call."""

import json
from functools import partial

import pytest

from kms_lab import KMSError
from kms_lab.core.errors import LabError
from kms_lab.core.names import Principal
from kms_lab.lab import ADMIN
from kms_lab.policy.lint import lint
from kms_lab.service.operation import OPERATIONS, Call
from kms_lab.service.pipeline import handle
from kms_lab.views import explain
from tests.fuzz.mutations import spoil_json, spoiled_json_text
from tests.fuzz.oracle import Oracle, cases, promptly
from tests.fuzz.worlds import FOREIGNER, POLICY, READER, WORDS
from tests.service.conftest import new_key

ROOT = "arn:aws:iam::111122223333:root"
CALLERS = (ADMIN, READER, FOREIGNER, ROOT, "logs.us-east-1.amazonaws.com")
#: what becomes of a policy in a request
OUTCOMES = {"done", "MalformedPolicyDocumentException", "LimitExceededException", "ValidationException"}
IDENTITY = {
    "Version": "2012-10-17",
    "Statement": [
        {name: value for name, value in statement.items() if name not in ("Principal", "NotPrincipal")}
        for statement in POLICY["Statement"]
    ],
}


@pytest.fixture
def key(lab):
    """A key, and people who may want to use it."""
    lab.iam.create_role("Reader", policies=[])
    lab.iam.create_user("Foreigner", policies=[], account="444455556666")
    return new_key(lab.client())


def deeds(key, chance):
    """Calls that policies have a say in."""
    context = chance.choice(({}, {"a": "b"}, {"a": "a" * 3000}, {"é": "\ud800", "": ""}))
    yield "GetKeyPolicy", {"KeyId": key}
    yield "DescribeKey", {"KeyId": key}
    yield "Encrypt", {"KeyId": key, "Plaintext": b"p", "EncryptionContext": context, "DryRun": chance.random() < 0.2}
    yield "CreateGrant", {"KeyId": key, "GranteePrincipal": READER, "Operations": ["Decrypt"]}
    yield "EnableKeyRotation", {"KeyId": key, "RotationPeriodInDays": 90}


def decide(world, key, chance, told):
    """Have the policies of a world decide a call of each kind; every answer is one, and can be explained."""
    for operation, params in deeds(key, chance):
        call = Call(OPERATIONS[operation], world, Principal.parse(chance.choice(CALLERS)), "us-east-1", params)
        code = "AccessDeniedException"
        try:
            promptly(partial(handle, call), told)
        except KMSError as refusal:
            code = refusal.code
        except BaseException as fault:
            raise AssertionError(f"{type(fault).__name__} in {operation} under {told}") from fault
        assert code in (*call.row.model.errors, "AccessDeniedException"), told
        assert call.verdict is None or explain.text(call.verdict), told


class TestKeyPolicies:
    @pytest.mark.parametrize("operation", ["CreateKey", "PutKeyPolicy"])
    def test_refused_as_malformed_or_in_force(self, lab, key, operation, count):
        """A changed key policy is refused in AWS's words, or stands word for word and decides every call."""
        oracle = Oracle(lab)
        for number, chance in cases(operation, count(500, 35_000)):
            text = spoiled_json_text(POLICY, chance, WORDS)
            params = {"Policy": text, "BypassPolicyLockoutSafetyCheck": chance.random() < 0.5}
            params |= {"KeyId": key} if operation == "PutKeyPolicy" else {}
            answer = oracle.send(operation, params, note=number)
            if not isinstance(answer, KMSError):
                which = key if operation == "PutKeyPolicy" else answer["KeyMetadata"]["Arn"]
                assert next(one for one in oracle.world.all_keys() if one.arn == which).policy == text
                lint(text)
                decide(oracle.world, which, chance, text)
        assert set(oracle.outcomes) <= OUTCOMES
        assert oracle.outcomes["done"] > 0
        assert oracle.outcomes["MalformedPolicyDocumentException"] > 0


class TestIdentityPolicies:
    def test_refused_as_malformed_or_in_force(self, lab, key, count):
        """A changed identity policy is refused by the lab with what is wrong, or decides every call of its owner."""
        taken = 0
        for _, chance in cases("identity", count(500, 35_000)):
            copy = lab.fork()
            decoded = chance.random() < 0.3
            policy = spoil_json(IDENTITY, chance, WORDS) if decoded else spoiled_json_text(IDENTITY, chance, WORDS)
            told = f"{policy!r:.6000}"
            try:
                copy.iam.put_policies(chance.choice((READER, FOREIGNER, ADMIN)), [policy])
            except LabError:
                assert [copy.iam.policies(one) for one in (READER, ADMIN)] == [
                    lab.iam.policies(one) for one in (READER, ADMIN)
                ]
                continue
            except BaseException as fault:
                raise AssertionError(f"{type(fault).__name__} instead of LabError: {told}") from fault
            taken += 1
            lint(policy if isinstance(policy, str) else json.dumps(policy), "identity")
            decide(copy.world, key, chance, told)
        assert taken > 0
