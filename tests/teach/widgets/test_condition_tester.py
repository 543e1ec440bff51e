"""The condition tester: what it says is the evaluator's answer, for every operator, and each known trap is seen."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_lab.policy import match
from kms_lab.policy.document import OPERATORS
from kms_lab.teach.widgets.condition_tester import (
    KEYS,
    TRAPS,
    ConditionTester,
    State,
    clause_of,
    requests_for,
    traps_of,
)

SINGLE = ("", "ForAllValues:", "ForAnyValue:")


@pytest.fixture
def tester():
    return ConditionTester()


class TestAnswer:
    @given(
        st.builds(
            State,
            operator=st.sampled_from(sorted(OPERATORS - {"Null"})),
            key=st.sampled_from(KEYS),
            wanted=st.sampled_from(["10", "true", "site", "2026-01-01T00:00:00Z", "192.0.2.0/24", "a, b*"]),
            given=st.sampled_from(["absent", "empty", "values"]),
            value=st.sampled_from(["10", "true", "Site", "2026-01-01", "192.0.2.7", "a, b"]),
            qualifier=st.sampled_from(SINGLE),
            if_exists=st.booleans(),
        )
    )
    def test_it_is_the_evaluators(self, state):
        """Whether it matches is what the compiled condition says, for every operator, qualifier and suffix."""
        clause = clause_of(state, state.request)
        context = {} if state.request is None else {state.key.lower(): state.request}

        assert clause.matched is match.condition(state.test, variables=True).holds(context)

    def test_in_words(self, tester):
        """The summary says whether it matches, why, and what follows for the statement."""
        tester.set(effect="Deny", value="lambda.us-east-1.amazonaws.com")

        assert tester.summary(tester.state) == (
            'It does not match: kms:ViaService is "lambda.us-east-1.amazonaws.com", where StringEquals wants'
            ' "s3.us-east-1.amazonaws.com". So the Deny does not apply.'
        )

    def test_the_same_condition_against_other_requests(self, tester):
        """The strip asks about an absent key, an empty value, the policy's own value and others like it."""
        rows = {row[0]: row[2][1] for row in tester.table(tester.state).rows}

        assert rows == {
            "no such key": "no match",
            "an empty value": "no match",
            "the policy's value": "matches",
            "other capitals": "no match",
            "another value": "no match",
        }

    @pytest.mark.parametrize(
        ("state", "values"),
        [
            (State("NumericLessThan", "kms:ScheduleKeyDeletionPendingWindowInDays", "10"), ["10", "9", "11"]),
            (State("Bool", "aws:SecureTransport", "true"), ["true", "false"]),
            (State("IpAddress", "aws:SourceIp", "192.0.2.0/24"), ["192.0.2.0/24", "192.0.2.0", "203.0.113.99"]),
            (
                State("DateLessThan", "aws:CurrentTime", "2026-01-02T00:00:00Z"),
                ["2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z"],
            ),
            (State("StringLike", "kms:RequestAlias", "alias/a*"), ["alias/a*", "ALIAS/A*", "alias/ax"]),
            (State("NumericEquals", "aws:MultiFactorAuthAge", "soon"), ["soon"]),
        ],
    )
    def test_other_values_fit_the_operator(self, state, values):
        """Numbers, dates, addresses and truth values are tried on both sides of the policy's value."""
        assert [given for _, given in requests_for(state)][2:] == values

    def test_two_values_only_where_a_key_has_several(self):
        """A request with two values is shown for keys that can have them, and for set operators."""
        labels = [label for label, _ in requests_for(State(key="kms:GrantOperations", wanted="Decrypt"))]

        assert labels[-1] == "two values"
        assert "two values" not in [label for label, _ in requests_for(State())]

    def test_a_condition_that_makes_no_policy(self, tester):
        """What AWS would refuse is said instead of an answer."""
        tester.set(operator="Null", if_exists=True)
        assert "'NullIfExists' is not a condition operator" in tester.summary(tester.state)
        assert tester.table(tester.state) is None

        tester.set(operator="StringEquals", if_exists=False, qualifier="ForAllValues:", place="key")
        tester.set(key="kms:EncryptionContext:site")
        assert "OverlyPermissiveCondition" in tester.view(tester.state)

    def test_a_key_policy_never_sees_the_aliases(self, tester):
        """The kind of the policy counts: kms:ResourceAliases is absent in a key policy."""
        tester.set(key="kms:ResourceAliases", wanted="alias/a", value="alias/a")
        assert tester.summary(tester.state).startswith("It matches")

        tester.set(place="key")
        assert "never seen by a key policy" in tester.summary(tester.state)

    def test_markup_is_text(self, tester):
        """What is typed cannot become markup."""
        tester.set(wanted="<b>x</b>", value="<i>y</i>")

        assert "<b>x" not in tester.html()
        assert "<i>y" not in tester.html()


class TestTraps:
    @pytest.mark.parametrize(
        ("name", "seen", "matched"),
        [
            ("nothing", "ForAllValues is also met by requests without", True),
            ("mfa", "The deny misses callers with long-term access keys.", False),
            ("star", 'In StringEquals, "alias/orders-*" means the asterisk itself.', False),
            ("case", "Only capital letters differ.", False),
            ("not", "A request without aws:SourceVpce matches too.", True),
            ("several", "The request has several values, and the operator is for one.", True),
        ],
    )
    def test_each_is_seen(self, tester, name, seen, matched):
        """A trap's button sets up the trap, the answer surprises, and the trap is named."""
        state = tester.act(name)

        assert any(trap.seen.startswith(seen) for trap in traps_of(state))
        assert clause_of(state, state.request).matched is matched
        assert seen.split('"')[0].strip() in tester.summary(state)

    @pytest.mark.parametrize(
        ("name", "mended"),
        [
            ("nothing", {"qualifier": "ForAnyValue:"}),
            ("mfa", {"if_exists": True}),
            ("star", {"operator": "StringLike"}),
            ("case", {"operator": "StringEqualsIgnoreCase"}),
            ("several", {"qualifier": "ForAllValues:", "effect": "Deny"}),
        ],
    )
    def test_each_can_be_mended(self, name, mended):
        """With the usual remedy the answer turns round."""
        state = TRAPS[name][1]
        better = replace(state, **mended)

        assert clause_of(better, better.request).matched is not clause_of(state, state.request).matched

    def test_a_good_condition_has_none(self, tester):
        """Nothing is said of a condition that does what it seems to."""
        assert traps_of(tester.state) == []

    def test_bool_and_an_absent_key(self):
        """Any key that is absent is not false."""
        state = State("Bool", "kms:GrantIsForAWSResource", "false", "absent", "", effect="Allow")

        assert [trap.seen for trap in traps_of(state)] == ["An absent key is not false."]

    def test_no_other_action(self, tester):
        """A button that is none is refused."""
        with pytest.raises(ValueError, match="no action"):
            tester.act("luck")
