"""Any call of a world can be written down as a scenario, and is answered there as it was in the world."""

import contextlib
import json

import pytest

from kms_lab import Lab
from kms_lab.core.errors import AccessDeniedException
from kms_lab.policy.scenario import decide
from kms_lab.service import pipeline
from tests.service.script import play

HOME, AWAY = "111122223333", "444455556666"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def assert_exported(verdict):
    """The verdict's scenario, written as JSON and read again, has the same answer for the same reason."""
    again = decide(json.loads(json.dumps(verdict.scenario())))
    assert (again.decision, again.reason) == (verdict.decision, verdict.reason), verdict.sentence
    there, here = again.decided_by, verdict.decided_by
    assert (there.layer, there.sid, there.index) == (here.layer, here.sid, here.index), verdict.sentence


def test_every_call_of_a_long_play(monkeypatch):
    """Whatever any operation asks of the policies, allowed or refused, is answered alike outside its world."""
    record, seen = pipeline._record, set()

    def check(call, code):
        if call.verdict is not None:
            verdict = call.verdict.told_of({}, call.earlier)
            question = (call.row.name, verdict.reason, len(call.earlier))
            if question not in seen:
                seen.add(question)
                assert_exported(verdict)
        return record(call, code)

    monkeypatch.setattr(pipeline, "_record", check)
    play()

    assert {name for name, _, _ in seen} >= {"ReEncrypt", "CreateAlias", "UpdateAlias", "ReplicateKey", "RetireGrant"}
    assert {reason for _, reason, _ in seen} >= {"grant", "iam-policy", "iam-via-key-policy", "key-policy"}
    assert max(earlier for _, _, earlier in seen) >= 2


class TestLayers:
    """A world in which every layer has a say."""

    @pytest.fixture
    def lab(self):
        lab = Lab(seed=4)
        lab.org.create(management="999999999999")
        lab.org.place(HOME)
        lab.org.place(AWAY)
        return lab

    @pytest.fixture
    def key(self, lab):
        return lab.client().create_key()["KeyMetadata"]["Arn"]

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda lab, app: None, "iam-via-key-policy"),
            (lambda lab, app: lab.org.detach_scp(HOME), "scp"),
            (lambda lab, app: lab.iam.put_boundary(app, _statement("Allow", "s3:*")), "boundary"),
            (lambda lab, app: lab.org.attach_scp(HOME, "No", _statement("Deny", "kms:Encrypt")), "explicit-deny"),
            (
                lambda lab, app: lab.org.attach_rcp("r-kmslab", "No", _statement("Deny", "kms:Encrypt", Principal="*")),
                "explicit-deny",
            ),
        ],
    )
    def test_what_hangs_on_accounts_and_identities(self, lab, key, change, reason):
        """SCPs, RCPs and boundaries go with the exported question."""
        app = lab.iam.create_role("App", policies=[EVERYTHING])
        change(lab, app)
        self.assert_answered(lab, lab.client(principal=app), key, reason)

    def test_what_hangs_on_the_call(self, lab, key):
        """Session policies and endpoint policies go with the exported question."""
        app = lab.iam.create_role("App", policies=[EVERYTHING])
        session = lab.client(principal=app, session_policy=_statement("Allow", "kms:Decrypt"))
        self.assert_answered(lab, session, key, "session-policy")
        endpoint = lab.vpc.create_endpoint(_statement("Allow", "kms:Decrypt", Principal="*"))
        self.assert_answered(lab, lab.client(principal=app, endpoint=endpoint), key, "vpce")

    def test_policies_of_groups_and_managed_policies(self, lab, key):
        """What a user has through groups and managed policies is merged, and named by where it hangs."""
        user = lab.iam.create_user("Dana")
        group = lab.iam.create_group("Clerks")
        lab.iam.add_to_group(user, group)
        lab.iam.attach(group, lab.iam.create_policy("Encrypting", _statement("Allow", "kms:Encrypt")))
        self.assert_answered(lab, lab.client(principal=user), key, "iam-via-key-policy")
        assert "managed policy Encrypting (group Clerks)" in lab.last_verdict.sentence
        lab.iam.remove_from_group(user, group)
        self.assert_answered(lab, lab.client(principal=user), key, "implicit-deny")

    def test_grants_and_encryption_contexts(self, lab, key):
        """Constraints of grants are held against the same context there as here."""
        user = lab.iam.create_user("Dana")
        terms = {"EncryptionContextSubset": {"shop": "a"}}
        lab.client().create_grant(KeyId=key, GranteePrincipal=user, Operations=["Encrypt"], Constraints=terms)
        lab.clock.travel(minutes=6)
        self.assert_answered(lab, lab.client(principal=user), key, "grant-constraint")
        self.assert_answered(lab, lab.client(principal=user), key, "grant", EncryptionContext={"shop": "a", "b": "c"})

    def assert_answered(self, lab, kms, key, reason, **params):
        with contextlib.suppress(AccessDeniedException):
            kms.encrypt(KeyId=key, Plaintext=b"x", **params)
        assert lab.last_verdict.reason == reason
        assert_exported(lab.last_verdict)


def test_the_whole_context_goes_along(everyday_key):
    """The exported question has every condition key of the call, so that other policies can be tried on it."""
    lab, key = everyday_key
    lab.client(via="s3").encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"Shop": "a"})
    context = lab.last_verdict.scenario()["request"]["context"]
    assert context["kms:viaservice"] == "s3.us-east-1.amazonaws.com"
    assert context["kms:encryptioncontext:shop"] == "a"
    assert context["kms:encryptioncontextkeys"] == ["Shop"]
    assert context["kms:calleraccount"] == HOME


@pytest.fixture
def everyday_key():
    lab = Lab(seed=4)
    return lab, lab.client().create_key()["KeyMetadata"]["KeyId"]


def _statement(effect, action, **more):
    return {"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": "*", **more}]}
