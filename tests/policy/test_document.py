"""Reading policy documents: what the grammar takes, and what it says about the rest."""

import json

import pytest

from kms_lab.policy.document import PolicyError, parse

ROOT = {"AWS": "arn:aws:iam::111122223333:root"}


def statement(**changes):
    """A good key statement with some elements replaced; None removes one."""
    base = {"Effect": "Allow", "Principal": ROOT, "Action": "kms:*", "Resource": "*"} | changes
    return {name: value for name, value in base.items() if value is not None}


def problems(document, kind="key"):
    """What the reader says against a document."""
    with pytest.raises(PolicyError) as caught:
        parse(document, kind)
    return caught.value.problems


def test_a_text_and_a_list_of_one_are_the_same():
    """
    Statement, Action, Resource, principals and values may be one item or a list of it.
    """
    one = {"Version": "2012-10-17", "Statement": statement(Condition={"StringEquals": {"aws:x": "1"}})}
    many = {
        "Version": "2012-10-17",
        "Statement": [
            statement(
                Principal={"AWS": [ROOT["AWS"]]},
                Action=["kms:*"],
                Resource=["*"],
                Condition={"StringEquals": {"aws:x": ["1"]}},
            )
        ],
    }

    assert parse(json.dumps(one), "key") == parse(many, "key")


def test_twelve_digits_are_the_account():
    """
    A bare account id is its :root ARN.
    """
    policy = parse({"Statement": statement(Principal={"AWS": "111122223333"})}, "key")

    assert policy.statements[0].principals.aws == (ROOT["AWS"],)
    assert policy.statements[0].principals.accounts() == ("111122223333",)


@pytest.mark.parametrize(("version", "variables"), [(None, False), ("2008-10-17", False), ("2012-10-17", True)])
def test_versions(version, variables):
    """
    An absent Version means 2008-10-17, which has no policy variables.
    """
    document = {"Statement": statement()} | ({"Version": version} if version else {})

    assert parse(document, "key").has_variables is variables


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        {"AWS": "*"},
        {"AWS": ["111122223333", "arn:aws:iam::111122223333:role/path/App"]},
        {"AWS": "arn:aws:sts::111122223333:assumed-role/App/session"},
        {"AWS": "arn:aws:sts::111122223333:federated-user/guest"},
        {"AWS": "AIDACKCEVSQ6C2EXAMPLE"},
        {"Service": ["cloudtrail.amazonaws.com"]},
        {"Federated": "cognito-identity.amazonaws.com"},
        {"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"},
    ],
)
def test_principal_forms(principal):
    """
    Every documented form of Principal is read, and so is NotPrincipal.
    """
    assert parse({"Statement": statement(Principal=principal)}, "key").statements[0].principals.listed()
    negated = parse({"Statement": statement(Principal=None, NotPrincipal=principal)}, "key").statements[0]
    assert negated.not_principal


@pytest.mark.parametrize("missing", ["Action", "Resource"])
def test_a_key_statement_may_lack_action_or_resource(missing):
    """
    The KMS API accepts a key policy statement without Action or Resource; IAM refuses one.
    """
    assert parse({"Statement": statement(**{missing: None})}, "key")
    assert problems({"Statement": statement(Principal=None, **{missing: None})}, "identity") == [
        f"Statement 1 needs {missing} or Not{missing}."
    ]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("", "is not JSON"),
        ("[]", "is a JSON object"),
        ("{}", "at least one Statement"),
        ({"Statement": []}, "at least one Statement"),
        ({"Statement": ["Allow"]}, "Statement 1 is not an object"),
        ({"Statement": statement(), "Version": "2020-01-01"}, "Version is '2020-01-01'"),
        ({"Statement": statement(), "statement": 1}, "unknown element 'statement'"),
        ({"Statement": statement(Effects="Allow")}, "unknown element 'Effects'"),
        ({"Statement": statement(Effect="allow")}, "Effect must be Allow or Deny"),
        ({"Statement": statement(Effect=None)}, "Effect must be Allow or Deny"),
        ({"Statement": statement(Principal=None)}, "needs a Principal"),
        ({"Statement": statement(NotPrincipal="*")}, "both Principal and NotPrincipal"),
        ({"Statement": statement(NotAction="*")}, "both Action and NotAction"),
        ({"Statement": statement(NotResource="*")}, "both Resource and NotResource"),
        ({"Statement": statement(Action=[])}, "Action must be text"),
        ({"Statement": statement(Action=7)}, "Action must be text"),
        ({"Statement": statement(Action="Encrypt")}, "'Encrypt' is not an action"),
        ({"Statement": statement(Resource=[])}, "Resource must be text"),
        ({"Statement": statement(Principal="111122223333")}, 'Principal must be "*"'),
        ({"Statement": statement(Principal={})}, 'Principal must be "*"'),
        ({"Statement": statement(Principal={"Aws": "*"})}, "'Aws' is not a type of principal"),
        ({"Statement": statement(Principal={"AWS": "dana"})}, "'dana' is not a principal"),
        ({"Statement": statement(Principal={"AWS": "arn:aws:iam::111122223333:role/*"})}, "without wildcards"),
        ({"Statement": statement(Principal={"AWS": "arn:aws:iam::111122223333:group/g"})}, "not a principal"),
        ({"Statement": statement(Condition=[])}, "Condition must be an object"),
        ({"Statement": statement(Condition={"StringIs": {"aws:x": "1"}})}, "'StringIs' is not a condition"),
        ({"Statement": statement(Condition={"NullIfExists": {"aws:x": "true"}})}, "not a condition operator"),
        ({"Statement": statement(Condition={"ForSome:StringEquals": {"aws:x": "1"}})}, "not a condition"),
        ({"Statement": statement(Condition={"StringEquals": "x"})}, "must hold an object of condition keys"),
        ({"Statement": statement(Condition={"StringEquals": {"aws:x": {}}})}, "not text, number or Boolean"),
        ({"Statement": statement(Condition={"StringEquals": {"aws:x": []}})}, "has no value"),
        (
            {"Statement": statement(Condition={"ForAllValues:StringEquals": {"kms:EncryptionContext:a": "1"}})},
            "OverlyPermissiveCondition",
        ),
    ],
)
def test_problems_are_named(document, said):
    """
    Each way to break the grammar is refused with a sentence about it.
    """
    found = problems(document)

    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"Statement": statement()}, "cannot have Principal"),
        ({"Statement": statement(Principal=None), "Id": "x"}, "cannot have an Id"),
        ({"Statement": statement(Principal=None, Sid="a b")}, "only letters and digits"),
        ({"Statement": [statement(Principal=None, Sid="a")] * 2}, "repeats the Sid 'a'"),
    ],
)
def test_identity_policies_are_stricter(document, said):
    """
    An identity policy has no Principal, no Id, and its Sids are alphanumeric and unique.
    """
    assert any(said in problem for problem in problems(document, "identity"))


def test_all_problems_are_told_at_once():
    """
    A document with several faults is refused with all of them.
    """
    broken = {"Version": "1", "Statement": [statement(Effect="No"), statement(Principal=None), statement(Action=1)]}

    assert len(problems(broken)) == 4


def test_duplicate_elements_are_an_error():
    """
    JSON lets the last of two equal names win silently; a policy must not.
    """
    text = '{"Statement": {"Effect": "Allow", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}}'

    assert problems(text) == ["The element 'Effect' appears twice in the same object."]


def test_deep_nesting_is_a_problem_not_a_crash():
    """
    A document nested beyond all reason is refused like any other.
    """
    assert problems('{"Statement":' + "[" * 200_000)
