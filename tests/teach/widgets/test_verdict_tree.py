"""The verdict tree: every gate with what it says, the deciding one marked, and the flip that was searched for."""

import json
import re

import pytest

from kms_lab.lab import Lab
from kms_lab.policy import words
from kms_lab.policy.scenario import decide
from kms_lab.teach.widgets.verdict_tree import STATUS, VerdictTree

S3 = "s3.us-east-1.amazonaws.com"


def policy(**statement):
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", **statement}]}


@pytest.fixture
def lab():
    lab = Lab(seed=3)
    lab.client().create_key()
    return lab


@pytest.fixture
def key(lab):
    return next(iter(lab.world.all_keys())).id


@pytest.fixture
def app(lab):
    allowed = policy(Sid="Use", Action="kms:Decrypt", Condition={"StringEquals": {"kms:ViaService": S3}})
    return lab.iam.create_role("App", policies=[allowed])


@pytest.fixture
def tree(lab, key, app):
    admin = "arn:aws:iam::111122223333:user/Admin"
    questions = {
        name: {"principal": who, "action": "kms:Decrypt", "key": key} for name, who in (("App", app), ("Admin", admin))
    }
    return VerdictTree(questions, lab=lab)


class TestTree:
    def test_every_gate_is_there_in_order(self, tree):
        """The list has each layer of the trace, in its order, with its outcome in words; one of them decides."""
        layers = tree.state.verdict.trace.layers

        gates = re.findall(r'<li class="kl-gate kl-(\w+)( kl-deciding)?"', tree.view(tree.state))

        assert [(outcome, bool(decides)) for outcome, decides in gates] == [
            (layer.outcome, layer.decides) for layer in layers
        ]
        assert [row[0] for row in tree.table(tree.state).rows] == [layer.title for layer in layers]
        assert [row[3] for row in tree.table(tree.state).rows].count("decides") == 1

    def test_every_outcome_has_a_sign(self):
        """Each outcome that the policy package knows has a colour here."""
        assert set(STATUS) == set(words.OUTCOMES)

    def test_clauses_show_what_was_compared(self, tree):
        """A clause that failed says so, with what the policy wanted and that the request had nothing."""
        view = tree.view(tree.state)

        failed = re.search(r'<li class="n">.*?</li>', view)[0]

        assert "✘ Condition</b> <em>not matched" in failed
        assert f"<dt>wanted</dt><dd><code>StringEquals kms:ViaService</code>: <code>{S3}</code></dd>" in failed
        assert "<dt>found</dt><dd>nothing</dd>" in failed

    def test_the_way_to_the_reason_is_open(self, tree):
        """The deciding gate and the nearest statement are unfolded, the others folded."""
        view = tree.view(tree.state)

        assert view.count("<details open>") == 1
        assert "nearest</span></summary>" in view
        assert re.findall(r'class="kl-statement"( open)?', view) == ["", " open"]

    def test_the_verdict_in_words(self, tree):
        """The summary is the decision and its sentence, and the text form has the gates."""
        verdict = tree.state.verdict

        assert tree.summary(tree.state) == f"DENY: {verdict.sentence}"
        assert "identity policies of role App" in tree.text()
        assert "The request had no" in tree.view(tree.state)

    def test_names_are_escaped(self):
        """What a document says cannot become markup."""
        document = scenario("<b>Evil</b>")

        assert "<b>Evil" not in VerdictTree(document).html()

    def test_other_checks_are_named(self, lab, key):
        """An operation that needs several checks shows the others too."""
        lab.client().create_alias(AliasName="alias/orders", TargetKeyId=key)

        view = VerdictTree(lab.last_verdict).view(VerdictTree(lab.last_verdict).state)

        assert view.count("Also asked: kms:CreateAlias on ") == 1


def scenario(sid):
    return {
        "request": {
            "principal": {"arn": "arn:aws:iam::111122223333:user/dana", "type": "user", "account": "111122223333"},
            "action": "kms:Encrypt",
            "resource": "arn:aws:kms:eu-west-1:111122223333:key/0f0e0d0c-0b0a-4908-8706-050403020100",
            "resource_account": "111122223333",
        },
        "key_policy": policy(Sid=sid, Principal={"AWS": "111122223333"}, Action="kms:*"),
        "identity_policies": [],
    }


class TestInputs:
    def test_a_scenario(self):
        """A scenario is decided, and needs no control."""
        tree = VerdictTree(scenario("Account"))

        assert tree.state.verdict.reason == "implicit-deny"
        assert list(tree.controls()) == []

    def test_a_verdict(self):
        """A verdict is shown as it is."""
        verdict = decide(scenario("Account"))

        assert VerdictTree(verdict).state.verdict is verdict

    def test_several_with_names(self, tree):
        """Of several questions one is chosen by name."""
        tree.set(question="Admin")

        assert tree.state.verdict.allowed
        with pytest.raises(ValueError, match="Question"):
            tree.set(question="Nobody")

    def test_a_question_needs_a_lab(self, key, app):
        """A question about a key cannot be asked of nothing."""
        with pytest.raises(ValueError, match="asked of a lab"):
            VerdictTree({"App": {"principal": app, "action": "kms:Decrypt", "key": key}})

    def test_asking_leaves_no_trace(self, lab, key, app):
        """Building the tree and flipping its verdicts leaves the lab as it was."""
        before = json.dumps(lab.world.to_data(), default=str, sort_keys=True)

        tree = VerdictTree({"App": {"principal": app, "action": "kms:Decrypt", "key": key}}, lab=lab)
        tree.act("flip")
        tree.act("apply")

        assert json.dumps(lab.world.to_data(), default=str, sort_keys=True) == before

    def test_ask_again(self, lab, tree, app):
        """After a change in the lab, the question is asked anew."""
        lab.iam.put_policies(app, [policy(Action="kms:Decrypt")])
        assert not tree.state.verdict.allowed

        tree.act("again")

        assert tree.state.verdict.reason == "iam-via-key-policy"


class TestFlip:
    def test_there_and_back(self, tree):
        """Flip shows the edit; making it shows the other verdict; going back ends where it began."""
        assert "One edit would make it ALLOW" in tree.summary(tree.act("flip"))
        view = tree.view(tree.state)
        assert "The smallest edit that turns DENY into ALLOW" in view
        assert f"<ins>+     &quot;kms:ViaService&quot;: &quot;{S3}&quot;" in view

        assert tree.summary(tree.act("apply")).startswith("With the edit: ALLOW")
        assert "kl-deciding" in tree.view(tree.state)

        assert (tree.act("back").stage, tree.act("back").stage) == ("flip", "")
        assert tree.summary(tree.state).startswith("DENY")

    def test_another_question_begins_anew(self, tree):
        """Another question is shown without the edit of the one before."""
        tree.act("flip")

        assert tree.set(question="Admin").stage == ""
        assert tree.set(question="App").stage == ""

    def test_of_an_allow(self, tree):
        """An allowed request is flipped to a denial."""
        tree.set(question="Admin")
        tree.act("flip")

        assert tree.summary(tree.act("apply")).startswith("With the edit: DENY")

    def test_nothing_flips_it(self):
        """Where no edit of policies helps, it says so, and offers none to make."""
        document = scenario("Account")
        document["request"] |= {"action": "kms:PutKeyPolicy", "resource_account": "444455556666"}
        tree = VerdictTree(document)

        tree.act("flip")

        assert "No edit" in tree.summary(tree.state)
        assert 'data-action="apply"' in tree.view(tree.state)
        assert tree.view(tree.state).count('aria-disabled="true"') == 1
        with pytest.raises(ValueError, match="no action"):
            tree.act("apply")

    def test_only_changed_lines_are_marked(self):
        """A name that is added to a list is one line; the comma before it makes no second one."""
        document = scenario("Account")
        document["key_policy"]["Statement"].append(
            {"Sid": "Use", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:user/dana"},
             "Action": ["kms:Decrypt"], "Resource": "*"}
        )  # fmt: skip
        tree = VerdictTree(document)

        tree.act("flip")

        assert re.findall(r"<(ins|del)>(.*)\n", tree.view(tree.state)) == [("ins", "+         &quot;kms:Encrypt&quot;")]
