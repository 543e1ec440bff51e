"""The laws of the evaluator, on random policy worlds, and its agreement with a naive second one."""

import copy
import importlib.util
import json
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from kms_lab.core.names import Principal
from kms_lab.policy.compiled import Layers
from kms_lab.policy.evaluate import compile_policy
from kms_lab.policy.evaluate import decide as remembered
from kms_lab.policy.scenario import decide


def _sibling(name):
    spec = importlib.util.spec_from_file_location(f"policy_{name}", Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


naive, worlds = _sibling("naive"), _sibling("worlds")

FULL, OPEN, HOME, KEY = worlds.FULL, worlds.OPEN, worlds.HOME, worlds.KEY
ALLOW_CODES = {"key-policy", "account-root", "iam-via-key-policy", "cross-account", "iam-policy", "grant"}
DENY_CODES = {
    *("explicit-deny", "implicit-deny", "no-iam-delegation", "not-cross-account"),
    *("cross-account-no-key-policy", "cross-account-no-iam-policy"),
    *("boundary", "session-policy", "scp", "vpce", "grant-constraint"),
}
#: layer -> its field in a scenario; of these the verdict names the first whose Deny applies
FIELDS = {
    "key-policy": "key_policy",
    "identity-policy": "identity_policies",
    "boundary": "permissions_boundary",
    "session-policy": "session_policy",
    "scp": "scps",
    "rcp": "rcps",
    "vpce": "vpce_policy",
}
KINDS = {"key-policy": "key", "scp": "scp", "rcp": "rcp", "vpce": "endpoint"}
worlds_drawn = worlds.worlds()
layers_drawn = st.sampled_from(list(FIELDS))
#: compared with the naive evaluator more often than the other laws are tried: this one finds most
often = settings(max_examples=max(600, settings.default.max_examples))


def answer(document):
    verdict = decide(document)
    return verdict.decision, verdict.reason


def asked_by(document, caller):
    """The same question from another caller."""
    return {**document, "request": {**document["request"], "principal": caller}}


def without(document, *fields):
    return {name: value for name, value in document.items() if name not in fields}


def operation(document):
    return document["request"]["action"].removeprefix("kms:")


def policies_of(document, layer):
    """The policies of a layer, as lists (levels of one policy where the format has no levels)."""
    value = document.get(FIELDS[layer]) or []
    if layer in ("scp", "rcp"):
        return value
    return [value if layer == "identity-policy" else [value]] if value else []


def with_policies(document, layer, levels):
    """The document with the policies of one layer replaced."""
    if layer not in ("scp", "rcp"):
        levels = levels[0] if layer == "identity-policy" else levels[0][0]
    return {**document, FIELDS[layer]: levels}


def with_statement(policy, statement):
    given_already = policy["Statement"]
    several = given_already if isinstance(given_already, list) else [given_already]
    plain = {name: value for name, value in statement.items() if name != "Sid"}
    return {**policy, "Statement": [*several, plain]}


def extended(document, layer, statement):
    """The document with one more statement, in the last policy of a layer; None where the layer has no policy."""
    levels = [list(level) for level in policies_of(document, layer)]
    if not levels or not levels[-1]:
        return None
    levels[-1][-1] = with_statement(levels[-1][-1], statement)
    return with_policies(document, layer, levels)


def with_deny(document, layer, statement):
    """The document with one more Deny in a layer, be it a policy of its own; None where no policy can be."""
    longer = extended(document, layer, statement)
    if longer or (layer == "key-policy" and document["key_policy"] is None):
        return longer
    only = {"Version": "2012-10-17", "Statement": [{key: one for key, one in statement.items() if key != "Sid"}]}
    if layer in ("scp", "rcp"):
        levels = policies_of(document, layer) or [[]]
        return with_policies(document, layer, [*levels[:-1], [only]])
    return with_policies(document, layer, [[only]])


def binds(layer, document):
    """Does a layer bind the caller? In AWS's words, layer by layer."""
    request, caller = document["request"], document["request"]["principal"]
    service_linked = ":role/aws-service-role/" in caller.get("role_arn", "")
    if layer == "key-policy":
        return operation(document) != "RetireGrant"
    if layer in ("identity-policy", "boundary", "session-policy"):
        return caller["type"] in ("user", "role-session", "federated-user")
    if layer == "scp":
        return caller["type"] not in ("service", "anonymous") and not service_linked
    if layer == "rcp":
        managed_by_aws = request.get("key", {}).get("manager") == "AWS"
        return operation(document) != "RetireGrant" and not managed_by_aws and not service_linked
    return True


# ------------------------------------------------------------------------------------- the second evaluator


@pytest.mark.parametrize("focus", ["all", "grants", "guards"])
def test_agrees_with_the_naive_evaluator(focus):
    """
    Whoever asks in any world, also with a boundary that is silent: decision, reason and the layer that denies are those
    of a second, separate evaluator.
    """

    @often
    @given(worlds.worlds(focus))
    def agrees(document):
        narrow = {**document, "permissions_boundary": worlds.NOTHING}
        asked = [asked_by(world, caller) for world in (document, narrow) for caller in worlds.CALLERS.values()]
        for one in (document, *asked):
            verdict = decide(one)

            assert (verdict.decision, verdict.reason) == naive.decide(one)
            if verdict.reason == "explicit-deny":
                assert verdict.decided_by.layer == naive.deny_layer(one)

    agrees()


def test_the_worlds_are_varied():
    """
    The random worlds hold a good share of allowed calls, and every reason code.
    """
    seen = Counter()

    @settings(max_examples=600, derandomize=True, database=None, phases=[Phase.generate])
    @given(worlds.worlds() | worlds.worlds("grants") | worlds.worlds("guards"))
    def count(document):
        seen[naive.decide(document)] += 1

    count()

    assert {reason for decision, reason in seen if decision == "ALLOW"} == ALLOW_CODES
    assert {reason for decision, reason in seen if decision == "DENY"} == DENY_CODES
    assert sum(number for (decision, _), number in seen.items() if decision == "ALLOW") > 100


# -------------------------------------------------------------------------------------------------- denying


@given(worlds_drawn)
def test_deny_wins_where_its_layer_binds(document):
    """
    A Deny of everything decides in whichever layer binds the caller, grants or not; in another it changes nothing.
    """
    document = without(document, "also")
    for asked in (document, *(asked_by(document, caller) for caller in worlds.CALLERS.values())):
        before = answer(asked)
        for number, layer in enumerate(FIELDS):
            denied = with_deny(asked, layer, everything_denied(layer))
            if denied is None:
                continue
            verdict = decide(denied)

            if binds(layer, asked):
                assert (verdict.decision, verdict.reason) == ("DENY", "explicit-deny")
                assert list(FIELDS).index(verdict.decided_by.layer) <= number
            else:
                assert (verdict.decision, verdict.reason) == before


def everything_denied(layer):
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    return {**deny, "Principal": "*"} if layer in ("key-policy", "rcp", "vpce") else deny


@given(worlds_drawn, layers_drawn, st.data())
def test_adding_a_deny_never_allows(document, layer, data):
    """
    Whatever Deny is added to whichever layer, no refused call becomes allowed.
    """
    about = (*map(document["request"].get, ("principal", "action", "resource")), "Deny")
    longer = with_deny(document, layer, data.draw(worlds.statements(KINDS.get(layer, "identity"), *about)))

    assert longer is None or decide(document).allowed or not decide(longer).allowed


@given(worlds_drawn, layers_drawn, st.data())
def test_adding_an_allow_never_refuses(document, layer, data):
    """
    Whatever Allow is added to whichever policy that is there, no allowed call becomes refused.
    """
    about = (*map(document["request"].get, ("principal", "action", "resource")), "Allow")
    kind = KINDS.get(layer, "identity")
    longer = None if kind == "rcp" else extended(document, layer, data.draw(worlds.statements(kind, *about)))

    assert longer is None or decide(longer).allowed or not decide(document).allowed


@given(worlds_drawn, st.sampled_from(["boundary", "session-policy", "scp", "rcp", "vpce"]), st.data())
def test_removing_a_guardrail_never_refuses(document, layer, data):
    """
    Without a boundary, session policy, endpoint policy, SCPs, RCPs or a level of them, what was allowed is allowed.
    """
    if layer == "session-policy" and document["request"]["principal"]["type"] == "federated-user":
        return  # whose session has no permissions without one
    less = [without(document, FIELDS[layer])]
    if layer in ("scp", "rcp") and len(policies_of(document, layer)) > 1:
        levels = policies_of(document, layer)
        gone = data.draw(st.integers(0, len(levels) - 1))
        less.append(with_policies(document, layer, levels[:gone] + levels[gone + 1 :]))
    if decide(document).allowed:
        assert all(decide(one).allowed for one in less)


@given(worlds_drawn, st.sampled_from(["scps", "rcps"]))
def test_a_level_that_is_silent_refuses(document, field):
    """
    An empty level of SCPs allows nothing to those SCPs bind; of RCPs, whose full access is implied, it changes nothing.
    """
    silent = {**document, field: [*(document.get(field) or []), []]}
    before, after = answer(document), answer(silent)

    if field == "rcps":
        assert "rcps" in str(document.get("also")) or before == after
    elif binds("scp", document):
        assert after[0] == "DENY"
        assert after == before or after[1] == "scp"
    else:
        assert before == after


@given(worlds_drawn)
def test_the_other_sides_guardrails_never_matter(document):
    """
    SCPs of the key's account and RCPs of the caller's account have no say.
    """
    nothing = [[worlds.NOTHING]]
    denies = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
    cluttered = {**document, "key_account_scps": nothing, "principal_account_rcps": [[with_statement(OPEN, denies)]]}

    assert answer(document) == answer(cluttered)
    assert answer(document) == answer(without(document, "key_account_scps", "principal_account_rcps"))


@given(worlds_drawn)
def test_more_checks_never_allow_more(document):
    """
    An operation that needs several permissions is allowed only if the main one alone would be.
    """
    assert decide(without(document, "also")).allowed or not decide(document).allowed


# ---------------------------------------------------------------------------------------------------- order


def shuffled(random, policy):
    statement = policy["Statement"]
    return {**policy, "Statement": random.sample(statement, len(statement))} if isinstance(statement, list) else policy


@given(worlds_drawn, st.randoms(use_true_random=False))
def test_order_never_matters(document, random):
    """
    Shuffling statements, policies, levels and grants changes neither decision nor reason.
    """
    other = dict(document)
    for layer in FIELDS:
        levels = [
            [shuffled(random, policy) for policy in random.sample(level, len(level))]
            for level in policies_of(document, layer)
        ]
        if levels:
            other = with_policies(other, layer, random.sample(levels, len(levels)))
    other["grants"] = random.sample(document["grants"], len(document["grants"]))

    assert answer(document) == answer(other)


# --------------------------------------------------------------------------------- what KMS has of its own


@given(worlds_drawn)
def test_without_an_account_statement_iam_allows_nothing(document):
    """
    Where the key policy names only bob and a service, no identity policy lets anybody else in, not even root.
    """
    if document["key_policy"] is None or operation(document) == "RetireGrant":
        return
    policy = copy.deepcopy(document["key_policy"])
    for statement in policy["Statement"]:
        statement.pop("NotPrincipal", None)
        statement["Principal"] = {"AWS": worlds.BOB, "Service": worlds.LOGS}
    alone = {**document, "key_policy": policy, "identity_policies": [FULL], "grants": []}
    for name, caller in worlds.CALLERS.items():
        assert name in ("bob", "logs") or not decide(asked_by(alone, caller)).allowed


@given(worlds_drawn, st.sampled_from(["eve", "far"]))
def test_cross_account_needs_both_halves(document, name):
    """
    A foreign identity loses access when either half is taken away, and never manages the key.
    """
    if document["key_policy"] is None or operation(document) == "RetireGrant":
        return
    foreign = asked_by({**document, "grants": []}, worlds.CALLERS[name])
    only_home = copy.deepcopy(worlds.DELEGATES)
    only_home["Statement"][0]["Principal"] = {"AWS": HOME}

    assert operation(document) not in worlds.MANAGES or not decide(foreign).allowed
    assert not decide({**foreign, "identity_policies": []}).allowed
    assert not decide({**foreign, "identity_policies": [FULL], "key_policy": only_home}).allowed
    if answer(foreign)[0] == "ALLOW":
        assert answer(foreign)[1] == "cross-account"


@given(worlds_drawn, st.data())
def test_a_grant_only_ever_allows(document, data):
    """
    Whatever grant is added, nothing allowed is refused, and no Deny and no guardrail's silence is overcome.
    """
    about = (document["request"]["principal"], document["request"]["action"])
    more = {**document, "grants": [*document["grants"], data.draw(worlds.grants(*about, len(document["grants"])))]}
    before, after = decide(without(document, "also")), decide(without(more, "also"))

    assert after.allowed or not before.allowed
    if before.reason in ("explicit-deny", "scp", "vpce", "not-cross-account"):
        assert (after.reason, after.decided_by) == (before.reason, before.decided_by)


@given(worlds_drawn)
def test_a_grant_that_is_not_in_force_is_no_grant(document):
    """
    Revoked grants, and grants of another key, might as well not be there.
    """
    dead = [grant for grant in document["grants"] if grant["status"] == "revoked" or grant["key"] == worlds.OTHER_KEY]
    if not document.get("also"):
        alive = {**document, "grants": [grant for grant in document["grants"] if grant not in dead]}

        assert answer(document) == answer(alive)


# ------------------------------------------------------------------------------------ purity and what is told


@given(worlds_drawn)
def test_deciding_is_pure(document):
    """
    The document stays as it was, and the same question has the same answer, also written as JSON and read back.
    """
    before = copy.deepcopy(document)
    first = decide(document).to_data()

    assert document == before
    assert decide(document).to_data() == first
    assert decide(json.loads(json.dumps(document))).to_data() == first


@given(worlds_drawn)
def test_only_what_the_policies_name_matters(document):
    """
    Leaving out of the context every key that no policy names changes neither decision nor reason.
    """
    request = document["request"]
    named = json.dumps({**document, "request": {}}).lower()
    context = {key: value for key, value in request["context"].items() if key.lower() in named}
    if document["grants"] and "aws:SourceArn" in request["context"]:
        context["aws:SourceArn"] = request["context"]["aws:SourceArn"]

    assert answer(document) == answer({**document, "request": {**request, "context": context}})


@given(worlds_drawn)
def test_every_verdict_can_be_told(document):
    """
    Every verdict has one sentence with a full stop, is JSON through and through, and misses only what was asked for.
    """
    verdict = decide(document)
    data = json.loads(json.dumps(verdict.to_data()))

    assert verdict.sentence.endswith(".")
    assert verdict.sentence[0].isupper() or verdict.sentence.startswith("kms:")
    assert (data["decision"], data["reason"], data["sentence"]) == (verdict.decision, verdict.reason, verdict.sentence)
    assert data["decided_by"]["layer"] == verdict.decided_by.layer
    asked_for = json.dumps(document).lower() + " aws:sourcearn"  # a grant's constraint asks for it under a shorter name
    assert all(key.lower() in asked_for for key in verdict.missing_context)


def decisive(document, by):
    """Where the statement stands that a verdict names: the document's own lists, to read or to change."""
    numbers = [int(number) - 1 for number in re.findall(r"\d+", by.policy)]
    levels = policies_of(document, by.layer)
    if by.layer in ("scp", "rcp"):
        number, level = numbers
        policy = levels[level][number]
    else:
        policy = levels[0][numbers[0] if numbers else 0]
    if not isinstance(policy["Statement"], list):
        policy["Statement"] = [policy["Statement"]]
    return policy["Statement"], by.index - 1


@given(worlds_drawn)
def test_the_statement_named_exists_and_decides(document):
    """
    The verdict names a statement of the document, and once that covers nothing, something else decides, until no Deny
    is left.
    """
    document = copy.deepcopy(without(document, "also"))
    for _ in range(40):
        verdict = decide(document)
        by = verdict.decided_by
        if by.index is None:
            break
        statements, number = decisive(document, by)
        assert statements[number]["Effect"] == ("Allow" if verdict.allowed else "Deny")
        assert by.sid == statements[number].get("Sid")
        for element in ("NotAction", "Action"):
            statements[number].pop(element, None)
        statements[number]["Action"] = "s3:GetObject"
        again = decide(document).decided_by
        assert (again.layer, again.policy, again.index) != (by.layer, by.policy, by.index)

    assert (verdict.decision, verdict.reason) == naive.decide(document)
    assert verdict.reason != "explicit-deny"


@given(worlds_drawn)
def test_the_trace_says_what_was_decided(document):
    """
    In the replayed trace a statement applies when each of its clauses matches; what applies there gives the decision.
    """
    verdict = decide(document)
    trace, by = verdict.trace, verdict.decided_by
    told = {layer: [one for one in trace.layers if one.layer == layer] for layer in (*FIELDS, "grant")}
    for layer in trace.layers:
        for policy in layer.policies:
            for statement in policy.statements:
                assert statement.applies == all(clause.matched for clause in statement.clauses)
    applied = {
        (layer, effect): [
            statement for one in ones for statement in one.statements(effect) if statement.applies
        ]
        for layer, ones in told.items()
        for effect in ("Allow", "Deny")
    }  # fmt: skip
    denies = [layer for layer in FIELDS if applied[layer, "Deny"]]

    assert [layer.layer for layer in trace.layers if layer.decides] == [by.layer]
    if denies:
        assert (verdict.reason, by.layer) == ("explicit-deny", denies[0])
        assert by.index in [statement.index for statement in applied[by.layer, "Deny"]]
    else:
        assert verdict.reason != "explicit-deny"
    if verdict.allowed:
        assert "deny" not in [layer.outcome for layer in trace.layers]
        assert not any(one.outcome == "silent" for layer in ("scp", "vpce") for one in told[layer])
        assert by.layer == "account" or applied[by.layer, "Allow"]
    if verdict.reason in ("scp", "vpce", "boundary", "session-policy"):
        assert [one.outcome for one in trace.layers if one.decides] == ["silent"]
        assert by.layer == verdict.reason
        assert verdict.reason != "vpce" or not applied["vpce", "Allow"]


@given(worlds_drawn)
def test_a_verdict_can_be_asked_again(document):
    """
    The scenario that a verdict writes of itself is JSON and has the same answer.
    """
    verdict = decide(document)
    written = json.loads(json.dumps(verdict.scenario()))

    assert answer(written) == (verdict.decision, verdict.reason)


# ---------------------------------------------------------------------------------------------------- memory


def dana_asks():
    key_policy = compile_policy(json.dumps(worlds.DELEGATES), "key")
    identity_policy = compile_policy(json.dumps(FULL), "identity")
    layers = Layers(key_policy, (identity_policy,))
    return Principal.parse(worlds.DANA), "kms:Encrypt", KEY, HOME, layers, (("kms:calleraccount", HOME),)


def test_a_decision_is_remembered():
    """
    Asking ``decide`` twice gives the very same verdict, equal to the scenario's.
    """
    question = dana_asks()
    document = {
        "request": {
            "principal": {"arn": worlds.DANA, "type": "user", "account": HOME},
            "action": "kms:Encrypt",
            "resource": KEY,
            "resource_account": HOME,
            "context": {"kms:CallerAccount": HOME},
        },
        "key_policy": worlds.DELEGATES,
        "identity_policies": [FULL],
    }

    first = remembered(*question)

    assert remembered(*question) is first
    assert (first.decision, first.reason) == answer(document) == naive.decide(document)
    assert first.to_data()["sentence"] == decide(document).sentence


@pytest.mark.parametrize("kind", ["key", "identity", "scp", "endpoint"])
def test_a_policy_is_compiled_once(kind):
    """
    The same text of the same kind is one compiled object; equality is identity.
    """
    text = json.dumps({"key": worlds.DELEGATES, "endpoint": OPEN}.get(kind, FULL))

    assert compile_policy(text, kind) is compile_policy(text, kind)
    assert compile_policy(text, kind) != compile_policy(text + " ", kind)
