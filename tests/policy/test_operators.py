"""Condition operators, wildcards and policy variables: each row is one sentence of AWS's documentation."""

import json

import pytest

from kms_lab.core.names import Principal
from kms_lab.policy.evaluate import Layers, Request, compile_policy, evaluate

DANA = Principal.parse("arn:aws:iam::111122223333:user/dana")
KEY = "arn:aws:kms:eu-west-1:111122223333:key/0f0e0d0c-0b0a-4908-8706-050403020100"


def allows(*, condition=None, resource="*", asked="*", action="kms:CreateKey", context=None, version="2012-10-17"):
    """Whether one identity statement allows dana a call in which no key policy has a say."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition or {}}
    text = json.dumps({"Version": version, "Statement": statement})
    request = Request(DANA, "kms:CreateKey", asked, "111122223333", context or {})
    return evaluate(request, Layers(None, (compile_policy(text, "identity"),))).allowed


def holds(operator, wanted, context, version="2012-10-17"):
    """Whether a condition on aws:TagKeys holds."""
    return allows(condition={operator: {"aws:TagKeys": wanted}}, context=context, version=version)


# operator, policy value, a request value that fits it, one that does not
FAMILIES = [
    ("StringEquals", "blue", "blue", "Blue"),
    ("StringEqualsIgnoreCase", "blue", "BLUE", "red"),
    ("StringLike", "b*e", "blue", "Blue"),
    ("ArnEquals", "arn:aws:s3:::b*", "arn:aws:s3:::bucket", "arn:aws:s3:::other"),
    ("ArnLike", "arn:aws:s3:::b*", "arn:aws:s3:::bucket", "arn:aws:s3:::other"),
    ("Bool", "true", "true", "false"),
    ("NumericEquals", "10", "10.0", "11"),
    ("NumericLessThan", "10", "9.5", "10"),
    ("NumericLessThanEquals", "10", "10", "10.01"),
    ("NumericGreaterThan", "10", "11", "10"),
    ("NumericGreaterThanEquals", "10", "10", "9"),
    ("DateEquals", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:01Z"),
    ("DateLessThan", "2026-01-01", "2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z"),
    ("DateLessThanEquals", "2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"),
    ("DateGreaterThan", "1767225600", "2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z"),
    ("DateGreaterThanEquals", "2026", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z"),
    ("IpAddress", "203.0.113.0/24", "203.0.113.9", "203.0.114.9"),
    ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", "QmluYXJ6"),
]
NEGATIONS = [
    ("StringNotEquals", "blue", "blue", "Blue"),
    ("StringNotEqualsIgnoreCase", "blue", "BLUE", "red"),
    ("StringNotLike", "b*e", "blue", "Blue"),
    ("ArnNotEquals", "arn:aws:s3:::b*", "arn:aws:s3:::bucket", "arn:aws:s3:::other"),
    ("ArnNotLike", "arn:aws:s3:::b*", "arn:aws:s3:::bucket", "arn:aws:s3:::other"),
    ("NumericNotEquals", "10", "10.0", "11"),
    ("DateNotEquals", "2026-01-01", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
    ("NotIpAddress", "2001:db8::/32", "2001:db8::1", "2001:db9::1"),
]
# form: result for a value that fits, one that does not, no key, both values, neither of two
POSITIVE = {
    "{}": (True, False, False, True, False),
    "{}IfExists": (True, False, True, True, False),
    "ForAllValues:{}": (True, False, True, False, False),
    "ForAnyValue:{}": (True, False, False, True, False),
    "ForAllValues:{}IfExists": (True, False, True, False, False),
    "ForAnyValue:{}IfExists": (True, False, False, True, False),
}
NEGATIVE = {
    "{}": (False, True, True, False, True),
    "{}IfExists": (False, True, True, False, True),
    "ForAllValues:{}": (False, True, True, False, True),
    "ForAnyValue:{}": (False, True, False, True, True),
    "ForAllValues:{}IfExists": (False, True, True, False, True),
    "ForAnyValue:{}IfExists": (False, True, False, True, True),
}


@pytest.mark.parametrize(
    ("row", "form", "expected"),
    [
        (row, *item)
        for rows, forms in ((FAMILIES, POSITIVE), (NEGATIONS, NEGATIVE))
        for row in rows
        for item in forms.items()
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) and isinstance(value[0], str) else None,
)
def test_every_operator_in_every_form(row, form, expected):
    """
    Present, absent and multivalued keys count as documented, for each operator, suffix and set operator.
    """
    operator, wanted, fit, misfit = row
    contexts = [
        {"aws:tagkeys": fit},
        {"aws:tagkeys": misfit},
        {},
        {"aws:tagkeys": (fit, misfit)},
        {"aws:tagkeys": (misfit, misfit)},
    ]

    assert tuple(holds(form.format(operator), wanted, context) for context in contexts) == expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("ForAllValues:StringEquals", True),
        ("ForAllValues:StringNotEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
    ],
)
@pytest.mark.parametrize("empty", ["", ()])
def test_an_empty_set_counts_as_absent_for_set_operators(operator, expected, empty):
    """
    ForAllValues is true and ForAnyValue false when the key resolves to an empty set, as an empty text does.
    """
    assert holds(operator, "blue", {"aws:tagkeys": empty}) is expected


@pytest.mark.parametrize(
    ("value", "context", "expected"),
    [
        ("true", {}, True),
        ("false", {}, False),
        ("true", {"aws:tagkeys": "x"}, False),
        ("false", {"aws:tagkeys": "x"}, True),
        ("false", {"aws:tagkeys": ("x", "y")}, True),
        ("true", {"aws:tagkeys": ()}, True),
        ("true", {"aws:tagkeys": ""}, True),
        ("false", {"aws:tagkeys": ""}, False),
        (["true", "false"], {}, True),
    ],
)
def test_null_asks_for_absence(value, context, expected):
    """
    Null true wants the key absent or empty, Null false wants it there with a value.
    """
    assert holds("Null", value, context) is expected


def test_several_values_are_or_for_equality_and_nor_for_its_negation():
    """
    A list of values is OR for StringEquals and NOR for StringNotEquals.
    """
    assert holds("StringEquals", ["red", "blue"], {"aws:tagkeys": "blue"})
    assert not holds("StringNotEquals", ["red", "blue"], {"aws:tagkeys": "blue"})
    assert holds("StringNotEquals", ["red", "blue"], {"aws:tagkeys": "green"})


def test_operators_and_keys_are_and():
    """
    All operators of a Condition, and all keys of an operator, must hold together.
    """
    both = {"StringEquals": {"aws:a": "1", "aws:b": "2"}, "StringLike": {"aws:c": "3*"}}

    assert allows(condition=both, context={"aws:a": "1", "aws:b": "2", "aws:c": "33"})
    for missing in ("aws:a", "aws:b", "aws:c"):
        rest = {key: value for key, value in {"aws:a": "1", "aws:b": "2", "aws:c": "3"}.items() if key != missing}
        assert not allows(condition=both, context=rest)


def test_condition_key_names_ignore_case_and_values_do_not():
    """
    aws:PRINCIPALTAG/Team in a policy is the key aws:principaltag/team, but its value keeps its case.
    """
    condition = {"StringEquals": {"aws:PRINCIPALTAG/Team": "Blue"}}

    assert allows(condition=condition, context={"aws:principaltag/team": "Blue"})
    assert not allows(condition=condition, context={"aws:principaltag/team": "blue"})


@pytest.mark.parametrize(
    ("operator", "wanted", "found", "expected"),
    [
        ("StringLike", "a?c", "abc", True),
        ("StringLike", "a?c", "ac", False),
        ("StringLike", "*", "", True),
        ("StringLike", "a.c", "abc", False),
        ("StringLike", "a*b*c", "a/x/b\n/c", True),
        ("StringEquals", "a*", "abc", False),
        ("StringEquals", "", "", True),
        (
            "ArnLike",
            "arn:aws:someservice:*:111122223333:finance/*",
            "arn:aws:someservice:us-east-2:111122223333:finance/x",
            True,
        ),
        (
            "ArnLike",
            "arn:aws:someservice:*:111122223333:finance/*",
            "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt",
            False,
        ),
        (
            "StringLike",
            "arn:aws:someservice:*:111122223333:finance/*",
            "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt",
            True,
        ),
        ("ArnLike", "arn:aws:logs:*:*:log-group:app:*", "arn:aws:logs:eu-west-1:111122223333:log-group:app:x", True),
        ("ArnLike", "arn:aws:logs:*", "arn:aws:logs:eu-west-1:111122223333:log-group:app", False),
        ("ArnLike", "*", "arn:aws:s3:::b", False),
        ("ArnEquals", "arn:aws:s3:::b", "ARN:aws:s3:::b", False),
        ("Bool", "TRUE", "true", True),
        ("NumericEquals", "10", "ten", False),
        ("NumericNotEquals", "10", "ten", True),
        ("NumericLessThan", "10", "NaN", False),
        ("NumericLessThan", ["10", "20"], "15", True),
        ("DateLessThan", "2026-01-01T00:00:00Z", "1767225599", True),
        ("DateLessThan", "2026-13-01", "2020-01-01", False),
        ("DateEquals", "2026-02", "2026-02-01T00:00:00Z", True),
        ("IpAddress", "203.0.113.7", "203.0.113.7", True),
        ("IpAddress", "203.0.113.7", "203.0.113.8", False),
        ("IpAddress", ["203.0.113.0/24", "2001:DB8:1234:5678::/64"], "2001:db8:1234:5678::9", True),
        ("IpAddress", "203.0.113.0/24", "somewhere", False),
        ("NotIpAddress", "203.0.113.0/24", "somewhere", True),
        ("BinaryEquals", "QmluYXJ5", "not base64", False),
    ],
)
def test_values(operator, wanted, found, expected):
    """
    Each operator compares values as documented, and what cannot be read matches nothing.
    """
    assert holds(operator, wanted, {"aws:tagkeys": found}) is expected


@pytest.mark.parametrize(("written", "text"), [(True, "true"), (False, "false"), (7, "7"), (1.5, "1.5")])
def test_bare_json_values_are_text(written, text):
    """
    A Boolean or number without quotes means the same text with quotes.
    """
    assert holds("StringEquals", written, {"aws:tagkeys": text})


@pytest.mark.parametrize(
    ("operator", "wanted", "context", "expected"),
    [
        ("StringEquals", "${aws:username}", {"aws:username": "dana"}, True),
        ("StringEquals", "${AWS:UserName}", {"aws:username": "dana"}, True),
        ("StringEquals", "${aws:PrincipalTag/Who}", {"aws:principaltag/who": "dana"}, True),
        ("StringEquals", "${aws:username}", {"aws:username": "bob"}, False),
        ("StringNotEquals", "${aws:username}", {"aws:username": "bob"}, True),
        ("StringLike", "d${aws:username}*", {"aws:username": "an"}, True),
        ("StringEquals", "${aws:username, 'dana'}", {}, True),
        ("StringEquals", "${aws:username, 'dana'}", {"aws:username": "bob"}, False),
        # a variable without a value makes the statement invalid, so it does not apply
        ("StringEquals", "${aws:username}", {}, False),
        ("StringNotEquals", "${aws:username}", {}, True),
        ("StringEquals", "${aws:username}", {"aws:username": ("dana", "bob")}, False),
        ("StringEquals", ["dana", "${aws:username}"], {}, True),
        ("StringLike", "${aws:username}", {"aws:username": "d*"}, False),
        ("ArnLike", "arn:aws:iam::1:user/${aws:username}", {"aws:username": "dana"}, False),
        ("NumericEquals", "${aws:username}", {"aws:username": "dana"}, False),
    ],
)
def test_policy_variables(operator, wanted, context, expected):
    """
    A policy variable stands for the request's value or its default; without either nothing applies.
    """
    assert holds(operator, wanted, {"aws:tagkeys": "dana", **context}) is expected


@pytest.mark.parametrize(
    ("operator", "wanted", "found", "expected"),
    [
        ("StringLike", "a${*}c", "a*c", True),
        ("StringLike", "a${*}c", "abc", False),
        ("StringLike", "a${?}", "a?", True),
        ("StringLike", "a${?}", "ab", False),
        ("StringEquals", "${$}{aws:username}", "${aws:username}", True),
        ("StringEquals", "${*}", "*", True),
    ],
)
def test_the_three_fixed_variables(operator, wanted, found, expected):
    """
    ${*}, ${?} and ${$} are the bare characters, never wildcards.
    """
    assert holds(operator, wanted, {"aws:tagkeys": found}) is expected


@pytest.mark.parametrize("version", ["2008-10-17", "2012-10-17"])
def test_version_2008_has_no_variables(version):
    """
    In version 2008-10-17 a policy variable is literal text.
    """
    context = {"aws:tagkeys": "${aws:username}", "aws:username": "dana"}

    assert holds("StringEquals", "${aws:username}", context, version) is (version == "2008-10-17")


def test_if_exists_with_an_absent_key_needs_no_variable():
    """
    IfExists is true on an absent key even if the value's variable has no value.
    """
    assert holds("StringEqualsIfExists", "${aws:username}", {})


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", True),
        (KEY, True),
        (KEY.upper(), False),
        ("arn:aws:kms:eu-west-1:111122223333:key/*", True),
        ("arn:aws:kms:*:111122223333:key/0f0e0d0c-????-*", True),
        ("arn:aws:kms:*:*:key/*", True),
        ("arn:aws:kms:eu*", True),
        ("arn:*", True),
        ("arn:aws:kms:*key/*", False),
        ("arn:aws:kms?eu-west-1:111122223333:key/*", False),
        ("arn:aws:kms:eu-west-2:*", False),
        ("arn:aws:kms:eu-west-1:111122223333:alias/app", False),
        ("arn:aws:kms:eu-west-1:111122223333:alias/*", False),
        ("arn:aws:kms:eu-west-1:111122223333:key/${aws:username}", True),
        ("arn:aws:kms:eu-west-1:111122223333:key/${aws:absent}", False),
        ("arn:aws:kms:eu-west-1:${aws:account}:key/*", False),
        (["arn:aws:s3:::b", KEY], True),
    ],
)
def test_resource_patterns(pattern, expected):
    """
    Wildcards stay in their ARN segment unless they end it, and variables work only after the fifth colon.
    """
    context = {"aws:username": KEY.rpartition("/")[2], "aws:account": "111122223333"}

    assert allows(resource=pattern, asked=KEY, context=context) is expected


def test_not_resource_with_a_variable_without_value_excepts_nothing():
    """
    A NotResource whose variable has no value matches no resource, so that everything else is what it covers.
    """
    elsewhere = {"Effect": "Allow", "Action": "*", "NotResource": KEY.rpartition("/")[0] + "/${aws:username}"}
    policy = compile_policy(json.dumps({"Version": "2012-10-17", "Statement": elsewhere}), "identity")

    def asked(context):
        return evaluate(Request(DANA, "kms:CreateKey", KEY, "111122223333", context), Layers(None, (policy,)))

    assert asked({"aws:username": "dana"}).allowed
    assert not asked({"aws:username": KEY.rpartition("/")[2]}).allowed
    assert asked({}).allowed


def test_many_wildcards_stay_quick():
    """
    A pattern of forty asterisks is compared in no time, in conditions, ARNs and resources alike.
    """
    stars = "*a" * 40
    text = "a" * 2_000
    with_arn = f"arn:aws:s3:::{text}"

    assert holds("StringLike", f"{stars}*", {"aws:tagkeys": text})
    assert not holds("StringLike", f"{stars}b", {"aws:tagkeys": text})
    assert not holds("ArnLike", f"arn:{stars}b:s3:::*", {"aws:tagkeys": f"arn:{text}:s3:::x"})
    assert not allows(resource=f"arn:aws:s3:::{stars}b", asked=with_arn)
    assert allows(resource=f"arn:aws:s3:::{stars}", asked=with_arn)


def test_many_asterisks_that_run_past_colons_stay_quick():
    """
    A resource of any number of segments is compared in no time with a pattern in which each of them is an asterisk.
    """
    assert not allows(resource=f"{':*' * 300}:x", asked=":" * 20_000)
    assert allows(resource=f"{':*' * 300}:x", asked=f"{':' * 20_000}x")
    assert allows(resource="a*b*:*c*:d", asked="aabab:b:cab::c:d")


def test_unclosed_and_empty_variables_are_read_quickly():
    """
    Many variables without an end, or one of nothing but blanks, are read in no time, and are no value's.
    """
    assert holds("StringEquals", "${" * 20_000, {"aws:tagkeys": "${" * 20_000})
    assert not holds("StringEquals", f"${{{' ' * 20_000}}}", {"aws:tagkeys": "x"})


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", True),
        ("kms:*", True),
        ("KMS:CREATEKEY", True),
        ("kms:Create*", True),
        ("kms:C*Key", True),
        ("kms:?reateKey", True),
        ("kms:Create", False),
        ("kms:CreateKeys", False),
        ("s3:*", False),
        (["s3:*", "kms:createkey"], True),
    ],
)
def test_action_patterns(pattern, expected):
    """
    Actions match with wildcards and without regard to case.
    """
    assert allows(action=pattern) is expected
