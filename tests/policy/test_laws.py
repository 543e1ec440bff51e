"""The laws of the evaluator, on random small worlds, and its agreement with a naive second one."""

import importlib.util
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_lab.core.names import Principal
from kms_lab.policy.evaluate import Layers, Request, compile_policy, decide, evaluate

_spec = importlib.util.spec_from_file_location("naive_policy", Path(__file__).with_name("naive.py"))
naive = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(naive)

HOME, AWAY = "111122223333", "444455556666"
KEY = f"arn:aws:kms:eu-west-1:{HOME}:key/0f0e0d0c-0b0a-4908-8706-050403020100"
ALIAS = f"arn:aws:kms:eu-west-1:{HOME}:alias/app"
DANA, BOB = f"arn:aws:iam::{HOME}:user/dana", f"arn:aws:iam::{HOME}:user/team/bob"
APP = f"arn:aws:iam::{HOME}:role/svc/App"
APP_SESSION = f"arn:aws:sts::{HOME}:assumed-role/App/lab"
EVE = f"arn:aws:iam::{AWAY}:user/eve"
LOGS = "logs.eu-west-1.amazonaws.com"

CALLERS = {
    "dana": {"arn": DANA, "type": "user", "account": HOME},
    "bob": {"arn": BOB, "type": "user", "account": HOME},
    "app": {"arn": APP_SESSION, "type": "role-session", "account": HOME, "role_arn": APP},
    "root": {"arn": f"arn:aws:iam::{HOME}:root", "type": "root-user", "account": HOME},
    "guest": {
        "arn": f"arn:aws:sts::{HOME}:federated-user/guest",
        "type": "federated-user",
        "account": HOME,
        "user_arn": DANA,
    },
    "eve": {"arn": EVE, "type": "user", "account": AWAY},
    "away root": {"arn": f"arn:aws:iam::{AWAY}:root", "type": "root-user", "account": AWAY},
    "logs": {"arn": LOGS, "type": "service", "account": ""},
}
ACTIONS = ("kms:Encrypt", "kms:Decrypt", "kms:PutKeyPolicy")
CONTEXTS = (
    {},
    {
        "kms:viaservice": "s3.eu-west-1.amazonaws.com",
        "kms:calleraccount": HOME,
        "aws:principaltag/team": "blue",
        "kms:resourcealiases": ["alias/app", "alias/old"],
        "aws:tagkeys": ["team", "*"],
        "kms:rotationperiodindays": "365",
        "aws:multifactorauthpresent": "false",
        "aws:sourcearn": f"arn:aws:logs:eu-west-1:{HOME}:log-group:app:*",
    },
    {
        "kms:viaservice": "",
        "aws:principaltag/team": "*",
        "aws:tagkeys": [],
        "kms:resourcealiases": ["alias/app"],
        "kms:rotationperiodindays": "many",
        "aws:multifactorauthpresent": "true",
    },
)


def one_or_more(pool):
    return st.sampled_from(pool) | st.lists(st.sampled_from(pool), min_size=1, max_size=3)


aws_principals = one_or_more([DANA, BOB, APP, APP_SESSION, EVE, HOME, AWAY, f"arn:aws:iam::{HOME}:root", "*"])
principals = st.one_of(
    st.just("*"),
    st.fixed_dictionaries({"AWS": aws_principals}),
    st.fixed_dictionaries({"Service": one_or_more([LOGS, "s3.amazonaws.com"])}),
    st.fixed_dictionaries({"AWS": aws_principals, "Service": st.just(LOGS)}),
)
actions = one_or_more(
    ["kms:*", "*", "kms:Encrypt", "KMS:ENC*", "kms:De?rypt", "kms:*crypt", "kms:PutKeyPolicy", "s3:GetObject"]
)
resources = one_or_more(
    [
        *("*", KEY, ALIAS, "arn:aws:kms:eu*", f"arn:aws:kms:eu-w*-1:{HOME}:key/?*", "arn:aws:kms:*key/*"),
        *(f"arn:aws:kms:*:{HOME}:key/*", f"arn:aws:kms:*:{AWAY}:key/*"),
        *(f"{KEY[:-4]}${{aws:PrincipalTag/no}}", f"{KEY[:-4]}${{aws:PrincipalTag/no, '0100'}}"),
    ]
)
tests = st.sampled_from(
    [
        ("kms:ViaService", ["s3.eu-west-1.amazonaws.com", "s3.*.amazonaws.com", "S3.EU-WEST-1.amazonaws.com", ""]),
        ("AWS:principaltag/Team", ["blue", "b*", "${*}", "${aws:PrincipalTag/team}", "red"]),
        ("kms:CallerAccount", [HOME, AWAY, "${kms:CallerAccount}", "${aws:username, 'x'}"]),
        ("kms:ResourceAliases", ["alias/app", "alias/*", "alias/?ld"]),
        ("aws:TagKeys", ["team", "te*", "${aws:PrincipalTag/team}", "${aws:TagKeys}"]),
        ("aws:SourceArn", ["arn:aws:logs:*:*:*", f"arn:aws:logs:*:{HOME}:*", "arn:aws:*", "*"]),
        ("kms:Nothing", ["a", "*"]),
    ]
)
text_operators = [
    f"{qualifier}{kind}{negation}{comparison}{suffix}"
    for qualifier in ("", "ForAllValues:", "ForAnyValue:")
    for kind, comparisons in (("String", ("Equals", "EqualsIgnoreCase", "Like")), ("Arn", ("Equals", "Like")))
    for negation in ("", "Not")
    for comparison in comparisons
    for suffix in ("", "IfExists")
]


@st.composite
def conditions(draw):
    block = {}
    for _ in range(draw(st.integers(0, 2))):
        kind = draw(st.sampled_from(["text", "text", "text", "number", "bool", "null"]))
        if kind == "text":
            key, values = draw(tests)
            operator, value = draw(st.sampled_from(text_operators)), draw(one_or_more(values))
        elif kind == "number":
            key, value = "kms:RotationPeriodInDays", draw(one_or_more(["90", "365", "1000"]))
            comparison = draw(st.sampled_from(["Equals", "NotEquals", "LessThan", "GreaterThanEquals"]))
            operator = f"Numeric{comparison}" + draw(st.sampled_from(["", "IfExists"]))
        elif kind == "bool":
            key, value = "aws:MultiFactorAuthPresent", draw(st.sampled_from(["true", "false", True, False]))
            operator = draw(st.sampled_from(["Bool", "BoolIfExists"]))
        else:
            key, value = draw(tests)[0], draw(st.sampled_from(["true", "false"]))
            operator = "Null"
        block.setdefault(operator, {})[key] = value
    return block


@st.composite
def statements(draw, kind):
    statement = {"Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"]))}
    if kind == "key":
        statement[draw(st.sampled_from(["Principal"] * 4 + ["NotPrincipal"]))] = draw(principals)
    statement[draw(st.sampled_from(["Action"] * 5 + ["NotAction"]))] = draw(actions)
    statement[draw(st.sampled_from(["Resource"] * 5 + ["NotResource"]))] = draw(resources)
    if kind == "key" and draw(st.integers(0, 9)) == 0:
        del statement[draw(st.sampled_from([name for name in statement if name.endswith(("Action", "Resource"))]))]
    block = draw(conditions())
    if block:
        statement["Condition"] = block
    return statement


@st.composite
def documents(draw, kind):
    return {
        "Version": draw(st.sampled_from(["2012-10-17", "2012-10-17", "2008-10-17"])),
        "Statement": draw(st.lists(statements(kind), min_size=1, max_size=4)),
    }


key_documents = documents("key")
identity_lists = st.lists(documents("identity"), max_size=2)


def principal(name):
    caller = CALLERS[name]
    return Principal(
        caller["arn"],
        caller["type"],
        caller["account"],
        caller.get("role_arn") or caller.get("user_arn") or caller["arn"],
    )


def ask(caller, action, key_policy, identity_policies, context, resource=KEY):
    """Evaluate one check of documents given as Python data."""
    return evaluate(
        Request(
            principal(caller),
            action,
            resource,
            HOME,
            {name: tuple(value) if isinstance(value, list) else value for name, value in context.items()},
        ),
        Layers(
            None if key_policy is None else compile_policy(json.dumps(key_policy), "key"),
            tuple(compile_policy(json.dumps(policy), "identity") for policy in identity_policies),
        ),
    )


contexts = st.sampled_from(CONTEXTS)


def checks(*contexts):
    """Every caller and action in the contexts given, or in all."""
    return [(caller, action, context) for caller in CALLERS for action in ACTIONS for context in contexts or CONTEXTS]


ALLOW_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}
DELEGATE = {"Effect": "Allow", "Principal": {"AWS": [HOME, AWAY]}, "Action": "kms:*", "Resource": "*"}


@given(st.none() | key_documents, identity_lists)
def test_agrees_with_the_naive_evaluator(key_policy, identity_policies):
    """
    On any world, decision and reason are those of a second evaluator that shares no code.
    """
    for caller, action, context in checks():
        scenario = {
            "request": {
                "principal": CALLERS[caller],
                "action": action,
                "resource": KEY if key_policy else "*",
                "resource_account": HOME,
                "context": context,
            },
            "key_policy": key_policy,
            "identity_policies": identity_policies,
        }

        verdict = ask(caller, action, key_policy, identity_policies, context, KEY if key_policy else "*")

        assert (verdict.decision, verdict.reason) == naive.decide(scenario), scenario


@given(key_documents, identity_lists, contexts)
def test_the_trace_says_what_was_decided(key_policy, identity_policies, drawn):
    """
    The rules applied to the replayed trace give the decision, and the statement named applies in it.
    """
    for caller, action, context in checks(drawn):
        verdict = ask(caller, action, key_policy, identity_policies, context)
        trace, by = verdict.trace, verdict.decided_by

        key_half = trace.named_by or trace.delegated_by
        root = CALLERS[caller]["type"] == "root-user"
        if trace.denied_by:
            allowed = False
        elif trace.crosses_accounts:
            across = action != "kms:PutKeyPolicy"
            allowed = bool(across and key_half and (trace.identity_allowed_by or root))
        else:
            allowed = bool(trace.named_by or (trace.delegated_by and (root or trace.identity_allowed_by)))
        assert verdict.allowed == allowed
        if by.index is not None:
            named = [s for p in trace.policies if p.policy == by.policy for s in p.statements if s.index == by.index]
            assert [s.applies for s in named] == [True]
            assert named[0].effect == ("Allow" if verdict.allowed else "Deny")
            assert all(clause.matched for clause in named[0].clauses)


@given(key_documents, identity_lists, statements("key"), statements("identity"), contexts)
def test_adding_a_deny_never_allows(key_policy, identity_policies, key_deny, identity_deny, drawn):
    """
    Whatever Deny is added to whichever policy, no refused call becomes allowed.
    """
    key_deny["Effect"] = identity_deny["Effect"] = "Deny"
    more_key = {**key_policy, "Statement": [*key_policy["Statement"], key_deny]}
    more_identity = [*identity_policies, {"Version": "2012-10-17", "Statement": identity_deny}]
    for caller, action, context in checks(drawn):
        before = ask(caller, action, key_policy, identity_policies, context)

        assert before.allowed or not ask(caller, action, more_key, identity_policies, context).allowed
        assert before.allowed or not ask(caller, action, key_policy, more_identity, context).allowed


@given(key_documents, identity_lists, st.booleans())
def test_deny_wins(key_policy, identity_policies, in_key_policy):
    """
    A Deny that applies refuses the call as an explicit deny, whatever allows it.
    """
    deny = {"Sid": "No", "Effect": "Deny", "Action": "*", "Resource": "*"}
    if in_key_policy:
        key_policy["Statement"].append({**deny, "Principal": "*"})
    else:
        identity_policies.append({"Version": "2012-10-17", "Statement": deny})
    for caller, action, context in checks():
        verdict = ask(caller, action, key_policy, identity_policies, context)

        assert (verdict.decision, verdict.reason) == ("DENY", "explicit-deny")


@given(key_documents, identity_lists, st.randoms(use_true_random=False), contexts)
def test_order_never_matters(key_policy, identity_policies, random, drawn):
    """
    Shuffling statements and identity policies changes neither decision nor reason.
    """
    shuffled = {**key_policy, "Statement": random.sample(key_policy["Statement"], len(key_policy["Statement"]))}
    others = [
        {**policy, "Statement": random.sample(policy["Statement"], len(policy["Statement"]))}
        for policy in random.sample(identity_policies, len(identity_policies))
    ]
    for caller, action, context in checks(drawn):
        verdict = ask(caller, action, key_policy, identity_policies, context)
        again = ask(caller, action, shuffled, others, context)

        assert (verdict.decision, verdict.reason) == (again.decision, again.reason)


@given(st.lists(statements("key"), min_size=1, max_size=4), identity_lists)
def test_without_an_account_statement_iam_allows_nothing(key_statements, identity_policies):
    """
    Where the key policy names only bob and a service, no identity policy lets anybody else in, not even root.
    """
    for statement in key_statements:
        statement.pop("NotPrincipal", None)
        statement["Principal"] = {"AWS": BOB, "Service": LOGS}
    key_policy = {"Version": "2012-10-17", "Statement": key_statements}
    for caller, action, context in checks():
        if caller not in ("bob", "logs"):
            assert not ask(caller, action, key_policy, [*identity_policies, ALLOW_ALL], context).allowed


@given(key_documents, identity_lists)
def test_cross_account_needs_both_halves(key_policy, identity_policies):
    """
    A foreign user who is allowed loses it when either half is taken away, and never manages the key.
    """
    only_home = {**key_policy, "Statement": [{**DELEGATE, "Principal": {"AWS": HOME}}]}
    for context in CONTEXTS:
        for action in ACTIONS:
            verdict = ask("eve", action, key_policy, identity_policies, context)

            assert not (verdict.allowed and action == "kms:PutKeyPolicy")
            assert not ask("eve", action, key_policy, [], context).allowed
            assert not ask("eve", action, only_home, [ALLOW_ALL], context).allowed


@given(key_documents, identity_lists)
def test_only_the_context_keys_named_matter(key_policy, identity_policies):
    """
    Leaving out of the context every key that ``context_keys`` does not name changes no verdict.
    """
    compiled = [compile_policy(json.dumps(key_policy), "key")]
    compiled += [compile_policy(json.dumps(policy), "identity") for policy in identity_policies]
    named = frozenset().union(*(policy.context_keys for policy in compiled))
    for caller, action, context in checks():
        reduced = {key: value for key, value in context.items() if key in named}
        full = ask(caller, action, key_policy, identity_policies, context)
        less = ask(caller, action, key_policy, identity_policies, reduced)

        assert (full.decision, full.reason) == (less.decision, less.reason)


@given(key_documents, identity_lists, contexts)
def test_every_verdict_can_be_told(key_policy, identity_policies, drawn):
    """
    Every verdict has one sentence with a full stop, and is JSON through and through.
    """
    for caller, action, context in checks(drawn):
        verdict = ask(caller, action, key_policy, identity_policies, context)

        assert verdict.sentence.endswith(".")
        assert verdict.sentence[0].isupper() or verdict.sentence.startswith("kms:")
        assert json.loads(json.dumps(verdict.to_data()))["sentence"] == verdict.sentence
        asked = {
            key
            for policy in (verdict.layers.key_policy, *verdict.layers.identity_policies)
            for key in policy.context_keys
        }
        assert {key.lower() for key in verdict.missing_context} <= asked


def test_a_decision_is_remembered():
    """
    Asking ``decide`` twice gives the very same verdict, equal to a fresh evaluation.
    """
    key = compile_policy(json.dumps({"Version": "2012-10-17", "Statement": DELEGATE}), "key")
    identity = (compile_policy(json.dumps(ALLOW_ALL), "identity"),)
    question = (principal("dana"), "kms:Encrypt", KEY, HOME, key, identity, (("kms:calleraccount", HOME),))

    first = decide(*question)

    assert decide(*question) is first
    assert (
        first.to_data()
        == ask(
            "dana",
            "kms:Encrypt",
            {"Version": "2012-10-17", "Statement": DELEGATE},
            [ALLOW_ALL],
            {"kms:calleraccount": HOME},
        ).to_data()
    )


@pytest.mark.parametrize("kind", ["key", "identity"])
def test_a_policy_is_compiled_once(kind):
    """
    The same text of the same kind is one compiled object; equality is identity.
    """
    text = json.dumps({"Version": "2012-10-17", "Statement": DELEGATE} if kind == "key" else ALLOW_ALL)

    assert compile_policy(text, kind) is compile_policy(text, kind)
    assert compile_policy(text, kind) != compile_policy(text + " ", kind)
