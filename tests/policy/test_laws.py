"""The laws of the evaluator, on random small worlds, and its agreement with a naive second one."""

import importlib.util
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_lab.core.keys import Grant
from kms_lab.core.names import Principal
from kms_lab.policy.compiled import Child
from kms_lab.policy.evaluate import Asked, Layers, Request, compile_policy, decide, evaluate

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


def ask(caller, action, key_policy, identity_policies, context, resource=KEY, held=(), asked=None):
    """Evaluate one check of documents, and of grants, given as Python data."""
    return evaluate(
        Request(
            principal(caller),
            action,
            resource,
            HOME,
            {name: tuple(value) if isinstance(value, list) else value for name, value in context.items()},
            what_grants_ask(asked, held) if asked else Asked(),
        ),
        Layers(
            None if key_policy is None else compile_policy(json.dumps(key_policy), "key"),
            tuple(compile_policy(json.dumps(policy), "identity") for policy in identity_policies),
            tuple(grant_of(number, grant) for number, grant in enumerate(held)),
        ),
    )


def pairs(context):
    return None if context is None else tuple(sorted(context.items()))


def grant_of(number, grant):
    """The record of a grant given as Python data."""
    return Grant(
        id=f"{number:08x}" + "0" * 56,
        name="",
        key_arn=KEY,
        grantee=grant["grantee"],
        retiring=grant["retiring"],
        operations=tuple(grant["operations"]),
        context_equals=pairs(grant["equals"]),
        context_subset=pairs(grant["subset"]),
        source_arn=grant["source_arn"],
        issuer=grant["issuer"],
        creator=DANA,
        tokens=(),
        created_us=0,
        effective_us=0,
    )


def what_grants_ask(asked, held):
    """What the service tells the evaluator about a request, for grants."""
    new = asked["new_grant"]
    child = new and Child(tuple(new["operations"]), pairs(new["equals"]), pairs(new["subset"]), new["source_arn"])
    early = frozenset(f"{number:08x}" + "0" * 56 for number, grant in enumerate(held) if grant["too_new"])
    return Asked(pairs(asked["encryption_context"]), asked["source_arn"], child, early)


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


ROOTS = [f"arn:aws:iam::{account}:root" for account in (HOME, AWAY)]
GRANTED = ("Encrypt", "Decrypt", "DescribeKey", "CreateGrant", "RetireGrant")
VOLUME = f"arn:aws:ec2:eu-west-1:{HOME}:volume/vol-1"
encryption_contexts = st.dictionaries(
    st.sampled_from(["shop", "Shop", "unit"]), st.sampled_from(["a", "A"]), max_size=2
)
folded_once = encryption_contexts.filter(lambda context: len({key.lower() for key in context}) == len(context))
source_arns = st.sampled_from(["", "", VOLUME, f"{VOLUME}1"])
operation_lists = st.lists(st.sampled_from(GRANTED), min_size=1, max_size=4, unique=True)


@st.composite
def constraints(draw):
    kind = draw(st.sampled_from(["", "equals", "subset"]))
    wanted = {"equals": None, "subset": None} | ({kind: draw(folded_once)} if kind else {})
    return {**wanted, "source_arn": draw(source_arns), "operations": draw(operation_lists)}


@st.composite
def grants_on_the_key(draw):
    return {
        **draw(constraints()),
        "grantee": draw(st.sampled_from([DANA, BOB, APP, APP_SESSION, EVE, LOGS, *ROOTS])),
        "retiring": draw(st.sampled_from(["", BOB, APP_SESSION, EVE, LOGS, *ROOTS])),
        "issuer": draw(st.sampled_from(ROOTS)),
        "too_new": draw(st.integers(0, 4)) == 0,
    }


@st.composite
def what_is_asked(draw):
    return {
        "encryption_context": draw(encryption_contexts),
        "source_arn": draw(source_arns),
        "new_grant": draw(constraints()),
    }


grant_lists = st.lists(grants_on_the_key(), max_size=3)
QUIET = [[], [ALLOW_ALL], [{"Version": "2012-10-17", "Statement": [{**ALLOW_ALL["Statement"][0], "Effect": "Deny"}]}]]
granted_keys = st.sampled_from(
    [
        {"Version": "2012-10-17", "Statement": [{**DELEGATE, "Principal": {"AWS": BOB}}]},
        {"Version": "2012-10-17", "Statement": [DELEGATE]},
        {"Version": "2012-10-17", "Statement": [{**DELEGATE, "Effect": "Deny", "Principal": {"AWS": DANA}}]},
    ]
)


class TestGrants:
    """Grants beside policies."""

    @given(granted_keys | key_documents, st.sampled_from(QUIET) | identity_lists, grant_lists, what_is_asked())
    def test_agrees_with_the_naive_evaluator(self, key_policy, identity_policies, held, asked):
        """
        With any grants, on any request, decision and reason are those of a second evaluator that shares no code.
        """
        for caller in CALLERS:
            for operation in GRANTED:
                request = {
                    "principal": CALLERS[caller],
                    "action": f"kms:{operation}",
                    "context": {},
                    "resource": KEY,
                    "resource_account": HOME,
                    **asked,
                }
                scenario = {
                    "request": request,
                    "key_policy": key_policy,
                    "identity_policies": identity_policies,
                    "grants": held,
                }

                verdict = ask(caller, request["action"], key_policy, identity_policies, {}, held=held, asked=asked)

                assert (verdict.decision, verdict.reason) == naive.decide(scenario), scenario

    @given(granted_keys | key_documents, identity_lists, grant_lists, grants_on_the_key(), what_is_asked())
    def test_a_grant_never_denies(self, key_policy, identity_policies, held, more, asked):
        """
        Whatever grant is added, nothing that was allowed is refused.
        """
        for caller in CALLERS:
            for action in map("kms:{}".format, GRANTED):
                before = ask(caller, action, key_policy, identity_policies, {}, held=held, asked=asked)
                after = ask(caller, action, key_policy, identity_policies, {}, held=[*held, more], asked=asked)

                assert after.allowed or not before.allowed

    @given(key_documents, identity_lists, grant_lists, what_is_asked(), st.booleans())
    def test_deny_beats_grants(self, key_policy, identity_policies, held, asked, in_key_policy):
        """
        A Deny that applies refuses whatever a grant allows; one in the key policy has no say in RetireGrant.
        """
        deny = {"Effect": "Deny", "Action": "*", "Resource": "*"}
        if in_key_policy:
            key_policy["Statement"].append({**deny, "Principal": "*"})
        else:
            identity_policies.append({"Version": "2012-10-17", "Statement": deny})
        for caller in CALLERS:
            for operation in GRANTED:
                verdict = ask(caller, f"kms:{operation}", key_policy, identity_policies, {}, held=held, asked=asked)

                assert not (operation == "RetireGrant" and in_key_policy) or verdict.reason in (
                    *("grant", "account-root", "iam-policy", "not-retiring", "explicit-deny"),
                )
                assert (operation == "RetireGrant" and in_key_policy) or verdict.reason == "explicit-deny"

    @given(granted_keys, st.sampled_from(QUIET), grant_lists, what_is_asked(), st.randoms(use_true_random=False))
    def test_order_never_matters(self, key_policy, identity_policies, held, asked, random):
        """
        Shuffling the grants changes neither decision nor reason.
        """
        shuffled = random.sample(held, len(held))
        for caller in CALLERS:
            for action in map("kms:{}".format, GRANTED):
                verdict = ask(caller, action, key_policy, identity_policies, {}, held=held, asked=asked)
                again = ask(caller, action, key_policy, identity_policies, {}, held=shuffled, asked=asked)

                assert (verdict.decision, verdict.reason) == (again.decision, again.reason)

    @given(granted_keys, st.sampled_from(QUIET), grant_lists, what_is_asked(), st.sampled_from(list(CALLERS)))
    def test_every_verdict_can_be_told(self, key_policy, identity_policies, held, asked, caller):
        """
        A verdict about grants has one sentence, names the grant that allows, and tells each grant as it was decided.
        """
        for action in map("kms:{}".format, GRANTED):
            verdict = ask(caller, action, key_policy, identity_policies, {}, held=held, asked=asked)

            told = {policy.policy: policy for policy in verdict.trace.policies if policy.layer == "grant"}
            assert json.loads(json.dumps(verdict.to_data()))["sentence"] == verdict.sentence
            assert len(told) == len(held)
            if verdict.reason == "grant":
                assert verdict.decided_by.layer == "grant"
                assert told[verdict.decided_by.policy].statements[0].applies
            elif not verdict.allowed and verdict.reason not in ("explicit-deny", "not-cross-account"):
                assert not any(policy.statements[0].applies for policy in told.values())


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
