"""Scenarios as documents: what a lab writes is answered alike anywhere, and what is no scenario is refused in words."""

import json

import pytest
from click.testing import CliRunner

from kms_lab import Lab
from kms_lab.cli import main
from kms_lab.core.errors import KMSError
from kms_lab.policy.scenario import ScenarioError, decide

ACCOUNT = "111122223333"
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/0f0e0d0c-0b0a-4908-8706-050403020100"
DANA = {"arn": f"arn:aws:iam::{ACCOUNT}:user/dana", "type": "user", "account": ACCOUNT}
ALLOW = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
EVERYBODY = {**ALLOW, "Principal": "*"}


@pytest.fixture
def lab():
    """A reproducible lab."""
    return Lab(seed=7)


def policy(*statements):
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def question(principal=DANA, action="kms:Decrypt", context=None, **more):
    """A scenario about one key, whose policy lets everybody in."""
    request = {"principal": principal, "action": action, "resource": KEY, "resource_account": ACCOUNT}
    return {
        "request": {**request, "context": context or {}},
        "key_policy": policy(EVERYBODY),
        "identity_policies": [],
        **more,
    }


def told_again(verdict):
    """The verdict of another reader of the document that a verdict is written as."""
    return decide(json.loads(json.dumps(verdict.scenario())))


def told(verdict):
    """What a verdict says."""
    return verdict.decision, verdict.reason, verdict.decided_by, verdict.sentence


class TestNames:
    def test_managed_policies_and_groups_keep_their_names(self, lab):
        """A managed policy that denies is named in the document's answer as in the lab's, and so is its group."""
        lab.org.create(management="999999999999")
        lab.org.place(ACCOUNT)
        dana = lab.iam.create_user("dana", policies=[policy(ALLOW)])
        no_use = lab.iam.create_policy("NoUse", policy({**ALLOW, "Effect": "Deny"}))
        group = lab.iam.create_group("Interns")
        lab.iam.attach(group, no_use)
        lab.iam.add_to_group(dana, group)
        key = lab.client().create_key()["KeyMetadata"]["KeyId"]

        verdict = lab.may(dana, "kms:Decrypt", key)

        assert verdict.decided_by.policy == "managed policy NoUse (group Interns)"
        assert told(told_again(verdict)) == told(verdict)

    @pytest.mark.parametrize("kind", ["scp", "rcp"])
    def test_policies_of_an_organization_keep_their_names(self, lab, kind):
        """An SCP or RCP that denies is named with its unit in the document's answer as in the lab's."""
        lab.org.create(management="999999999999")
        unit = lab.org.create_unit("Workloads")
        lab.org.place(ACCOUNT, unit)
        deny = {"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"}
        if kind == "scp":
            lab.org.attach_scp(unit, "Freeze", policy(deny))
        else:
            lab.org.attach_rcp(unit, "Freeze", policy({**deny, "Principal": "*"}))
        key = lab.client().create_key()["KeyMetadata"]["KeyId"]

        verdict = lab.may(f"arn:aws:iam::{ACCOUNT}:user/Admin", "kms:Decrypt", key)

        assert verdict.decided_by.policy == f"{kind.upper()} Freeze of OU Workloads"
        assert told(told_again(verdict)) == told(verdict)

    def test_the_silence_of_a_unit_keeps_its_name(self, lab):
        """A unit without an SCP that allows is named in the document's answer."""
        lab.org.create(management="999999999999")
        unit = lab.org.create_unit("Workloads")
        lab.org.place(ACCOUNT, unit)
        key = lab.client().create_key()["KeyMetadata"]["KeyId"]
        lab.org.detach_scp(unit)

        verdict = lab.may(f"arn:aws:iam::{ACCOUNT}:user/Admin", "kms:Decrypt", key)

        assert "OU Workloads" in verdict.sentence
        assert told(told_again(verdict)) == told(verdict)

    def test_names_decide_nothing(self):
        """Without the names a document gets the same decision, with numbers for names."""
        document = question(
            scps=[[policy({**ALLOW, "Effect": "Deny"})]],
            names={"scps": [{"level": "OU Workloads", "policies": ["Freeze"]}]},
        )
        plain = {name: value for name, value in document.items() if name != "names"}

        assert decide(document).decided_by.policy == "SCP Freeze of OU Workloads"
        assert decide(plain).decided_by.policy == "SCP 1 of level 1"
        assert decide(plain).reason == decide(document).reason

    @pytest.mark.parametrize("names", [["one"], ["one", "two", "three"]])
    def test_names_that_do_not_fit_do_not_count(self, names):
        """Where there are more or fewer names than policies, nothing is known of which is whose, and numbers serve."""
        deny = policy({**ALLOW, "Effect": "Deny"})
        document = question(identity_policies=[policy(ALLOW), deny], names={"identity_policies": names})

        assert decide(document).decided_by.policy == "identity policy 2"

    @pytest.mark.parametrize(
        "names", [3, [], {"scps": 3}, {"scps": ["x"]}, {"scps": [{"level": 3}]}, {"identity_policies": [None]}]
    )
    def test_names_of_another_shape_are_refused(self, names):
        """Names that are no names are refused, unless there are none."""
        if not names:
            assert decide(question(names=names)).allowed
            return
        with pytest.raises(ScenarioError, match="names"):
            decide(question(names=names))


class TestWrittenAndReadAgain:
    def test_a_call_that_changed_what_was_asked_for(self, lab):
        """A tag that the call itself set is not part of its question: the document answers as the lab did."""
        untagged = {"Null": {"aws:ResourceTag/owner": "true"}}
        dana = lab.iam.create_user("dana", policies=[policy({**ALLOW, "Condition": untagged})])
        key = lab.client().create_key()["KeyMetadata"]["KeyId"]
        lab.client(dana).tag_resource(KeyId=key, Tags=[{"TagKey": "owner", "TagValue": "dana"}])

        assert lab.last_verdict.allowed
        assert told(told_again(lab.last_verdict)) == told(lab.last_verdict)

    def test_a_source_that_only_services_have(self, lab):
        """A user's calls are made for no resource, to a grant as to a policy."""
        lambda_arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
        dana = lab.iam.create_user("dana")
        kms = lab.client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        terms = {"SourceArn": lambda_arn}
        kms.create_grant(KeyId=key, GranteePrincipal=dana, Operations=["Encrypt"], Constraints=terms)
        lab.clock.travel(minutes=6)

        with pytest.raises(KMSError):
            lab.client(dana, source_arn=lambda_arn).encrypt(KeyId=key, Plaintext=b"p")

        assert lab.last_verdict.reason == "grant-constraint"
        assert told(told_again(lab.last_verdict)) == told(lab.last_verdict)

    def test_a_context_that_only_names_some_condition_keys(self):
        """Writing an encryption context that was read from the condition context adds no condition key to it."""
        condition = {"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["AppName"]}}
        context = {"kms:EncryptionContext:AppName": "Shop"}
        verdict = decide(question(context=context, key_policy=policy({**EVERYBODY, "Condition": condition})))

        assert verdict.allowed
        assert told(told_again(verdict)) == told(verdict)

    def test_a_further_check_without_an_encryption_context(self):
        """A further check without an encryption context does not get that of the main one."""
        absent = {"Null": {"kms:EncryptionContextKeys": "true"}}
        check = {"action": "kms:ReEncryptTo", "resource": KEY, "resource_account": ACCOUNT, "encryption_context": {}}
        own = {**check, "context": {}, "key_policy": policy({**EVERYBODY, "Condition": absent})}
        document = question(action="kms:ReEncryptFrom", also=[own])
        document["request"]["encryption_context"] = {"a": "b"}
        verdict = decide(document)

        assert verdict.allowed
        assert told(told_again(verdict)) == told(verdict)

    def test_a_further_check_with_identity_policies_of_its_own(self):
        """A further check that is asked of other identity policies is written with them."""
        check = {"action": "kms:CreateKey", "resource": "*", "resource_account": ACCOUNT, "key_policy": None}
        verdict = decide(question(also=[{**check, "identity_policies": [policy(ALLOW)]}]))

        assert verdict.allowed
        assert told(told_again(verdict)) == told(verdict)


class TestRefused:
    @pytest.mark.parametrize(
        "spoiled",
        [
            {"identity_policies": [{"Statement": [[[[object]]]]}]},
            {"identity_policies": [{"Statement": 10**5000}]},
            {"grants": [{"grantee_principal": "a", "operations": ["Decrypt"], "status": ["active"]}]},
            {"grants": [{"grantee_principal": "a", "operations": ["Decrypt"], "grant_id": {}, "key": [1]}]},
            {"request": {**question()["request"], "context": {"a": 10**5000}}},
            {"request": {**question()["request"], "context": {1: "a"}}},
            {"request": {**question()["request"], "principal": {**DANA, "type": "role-session", "arn": "App"}}},
            {
                "request": {
                    **question(action="kms:CreateGrant")["request"],
                    "params": {"Operations": [["Decrypt"]]},
                }
            },
        ],
    )
    def test_in_words(self, spoiled):
        """A document with something impossible in it is refused as no scenario, and by no other error."""
        with pytest.raises(ScenarioError):
            decide({**question(), **spoiled})

    def test_circles_and_towers(self):
        """A document that holds itself, or is nested without end, is refused as no scenario."""
        circle = {"Statement": []}
        circle["Statement"].append(circle)
        tower = []
        for _ in range(100_000):
            tower = [tower]

        for one in (circle, {"Statement": tower}, tower):
            with pytest.raises(ScenarioError):
                decide(question(permissions_boundary=one))


def test_a_root_user_by_another_arn_is_its_account():
    """A grant to an account serves its root user, by whatever ARN it is told of, and the explanation says the same."""
    root = {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/App/job", "type": "root-user", "account": ACCOUNT}
    grant = {"grantee_principal": ACCOUNT, "operations": ["Decrypt"], "status": "active"}
    verdict = decide(question(root, key_policy=policy({**EVERYBODY, "Action": "kms:Encrypt"}), grants=[grant]))

    assert verdict.reason == "grant"
    assert verdict.trace.granted_by is not None
    assert verdict.sentence


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_command_takes_what_it_is_given(tmp_path, mark):
    """The command answers a file with a byte order mark, and writes half a character as an escape."""
    file = tmp_path / "question.json"
    file.write_text(mark + json.dumps(question(action="kms:\ud800")), encoding="utf-8")

    result = CliRunner().invoke(main, ["explain", str(file)])

    assert result.exit_code == 0, result.output
    assert "kms:\\ud800" in result.output


def test_the_command_answers_machines(tmp_path):
    """With --json the answer is the verdict as data; a file that holds no scenario is named, with exit code 1."""
    file = tmp_path / "question.json"
    file.write_text(json.dumps(question()), encoding="utf-8")
    result = CliRunner().invoke(main, ["explain", str(file), "--json"])
    assert json.loads(result.output) == decide(question()).to_data()

    for rubbish, what in (("{", "is not JSON"), ("{}", "is no scenario")):
        file.write_text(rubbish, encoding="utf-8")
        result = CliRunner().invoke(main, ["explain", str(file)])
        assert result.exit_code == 1
        assert what in result.output
