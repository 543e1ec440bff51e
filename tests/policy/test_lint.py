"""The linter: each mistake is found and explained, and what is right gets no finding."""

import json

import pytest

from kms_lab.policy.defaults import api_default, aws_managed_default, console_default
from kms_lab.policy.lint import DANGEROUS, REFUSED, USELESS, lint

ACCOUNT, OTHER = "111122223333", "444455556666"
ADMIN = f"arn:aws:iam::{ACCOUNT}:role/Admin"
USER = f"arn:aws:iam::{ACCOUNT}:user/dana"
FOREIGN = f"arn:aws:iam::{OTHER}:role/App"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/0f0e0d0c-0b0a-4908-8706-050403020100"
ALIAS = f"arn:aws:kms:eu-west-1:{ACCOUNT}:alias/app"
SERVICE = {"Service": "cloudtrail.amazonaws.com"}


def statement(**changes):
    """A good key statement with elements replaced; None removes one."""
    base = {"Effect": "Allow", "Principal": {"AWS": USER}, "Action": "kms:Encrypt", "Resource": "*"} | changes
    return {name: value for name, value in base.items() if value is not None}


def when(operator, key, value, **changes):
    """A good key statement with one condition."""
    return statement(Condition={operator: {key: value}}, **changes)


def found(*statements, kind="key", account="", version="2012-10-17"):
    return lint({"Version": version, "Statement": list(statements)}, kind, account)


def codes(*statements, **more):
    """The codes the linter gives."""
    return [finding.code for finding in found(*statements, **more)]


CLOSED = statement(Effect="Deny", Principal="*", Action="*")

MISTAKES = [
    # code, severity, the mistake, its near twin that is right
    ("unknown-action", USELESS, statement(Action=["kms:Encrypt", "kms:ReEncrypt"]), statement(Action="kms:ReEncrypt*")),
    ("unknown-action", USELESS, statement(Action="kms:Encrpyt*"), statement(Action="KMS:encrypt")),
    (
        "other-service",
        USELESS,
        statement(Action=["kms:Encrypt", "s3:GetObject"]),
        statement(Action="*", Principal={"AWS": ROOT}),
    ),
    ("needs-no-key", USELESS, statement(Action="kms:CreateKey"), statement(Action="kms:Create*")),
    ("retire-grant", USELESS, statement(Action="kms:RetireGrant"), statement(Action="kms:RevokeGrant")),
    ("no-resource", USELESS, statement(Resource=None), statement()),
    ("no-action", USELESS, statement(Action=None), statement()),
    ("open-to-everyone", DANGEROUS, statement(Principal="*"), statement(Principal="*", Effect="Deny")),
    (
        "open-to-everyone",
        DANGEROUS,
        when("StringEquals", "kms:ViaService", "s3.eu-west-1.amazonaws.com", Principal={"AWS": ["*"]}),
        statement(
            Principal={"AWS": ["*"]},
            Condition={"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com", "kms:CallerAccount": ACCOUNT}},
        ),
    ),
    (
        "open-to-everyone",
        DANGEROUS,
        when("StringNotEquals", "aws:PrincipalOrgID", "o-1234567890", Principal="*"),
        when("StringEquals", "aws:PrincipalOrgID", "o-1234567890", Principal="*"),
    ),
    (
        "not-principal-without-account",
        DANGEROUS,
        statement(Principal=None, NotPrincipal={"AWS": USER}, Effect="Deny"),
        statement(Principal=None, NotPrincipal={"AWS": [USER, ROOT]}, Effect="Deny"),
    ),
    (
        "service-without-source",
        DANGEROUS,
        statement(Principal=SERVICE),
        when("StringEquals", "aws:SourceAccount", ACCOUNT, Principal=SERVICE),
    ),
    (
        "service-without-source",
        DANGEROUS,
        when("StringNotEquals", "aws:SourceAccount", OTHER, Principal=SERVICE),
        when("ArnLike", "AWS:SourceARN", "arn:aws:cloudtrail:*:*:trail/t", Principal=SERVICE),
    ),
    ("administrator-uses", DANGEROUS, statement(Action="kms:*"), statement(Action="kms:*", Principal={"AWS": ROOT})),
    (
        "administrator-uses",
        DANGEROUS,
        statement(Action=["kms:PutKeyPolicy", "kms:Sign"]),
        statement(Action=["kms:PutKeyPolicy", "kms:CreateGrant"]),
    ),
    (
        "allow-not-action",
        DANGEROUS,
        statement(Action=None, NotAction="kms:*Dele*", Principal={"AWS": ROOT}),
        statement(Action=None, NotAction="kms:*Dele*", Effect="Deny"),
    ),
    ("alias-as-resource", USELESS, statement(Resource=ALIAS), statement(Resource=[ALIAS, KEY], Action="kms:*Alias")),
    (
        "condition-cannot-apply",
        USELESS,
        when("StringEquals", "kms:EncryptionContext:app", "a", Action="kms:DescribeKey"),
        when("StringEquals", "kms:EncryptionContext:app", "a"),
    ),
    (
        "condition-cannot-apply",
        USELESS,
        when("StringEquals", "kms:SigningAlgorithm", "ECDSA_SHA_256"),
        when("StringEquals", "kms:SigningAlgorithm", "ECDSA_SHA_256", Action=["kms:Encrypt", "kms:Sign"]),
    ),
    (
        "condition-cannot-apply",
        USELESS,
        when("ForAnyValue:StringEquals", "kms:ResourceAliases", "alias/app"),
        when("StringEquals", "kms:RequestAlias", "alias/app"),
    ),
    (
        "unknown-condition-key",
        USELESS,
        when("StringEquals", "kms:EncryptionContexts:app", "a"),
        when("StringEquals", "KMS:encryptioncontext:app", "a"),
    ),
    (
        "for-all-values",
        DANGEROUS,
        when("ForAllValues:StringEquals", "kms:EncryptionContextKeys", ["app"]),
        statement(
            Condition={
                "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["app"]},
                "Null": {"kms:EncryptionContextKeys": "false"},
            }
        ),
    ),
    (
        "mfa-absent",
        DANGEROUS,
        when("Bool", "aws:MultiFactorAuthPresent", "false", Effect="Deny"),
        when("BoolIfExists", "aws:MultiFactorAuthPresent", "false", Effect="Deny"),
    ),
    (
        "if-exists",
        DANGEROUS,
        when("StringEqualsIfExists", "kms:CallerAccount", ACCOUNT),
        when("StringEqualsIfExists", "kms:CallerAccount", ACCOUNT, Effect="Deny"),
    ),
    (
        "literal-star",
        USELESS,
        when("StringEquals", "kms:RequestAlias", "alias/app*"),
        when("StringLike", "kms:RequestAlias", "alias/app*"),
    ),
    (
        "unreadable-value",
        USELESS,
        when("NumericLessThan", "kms:RotationPeriodInDays", "a year", Action="kms:EnableKeyRotation"),
        when("NumericLessThan", "kms:RotationPeriodInDays", 366, Action="kms:EnableKeyRotation"),
    ),
    (
        "unreadable-value",
        USELESS,
        when("IpAddress", "aws:SourceIp", "10.0.0.0/33"),
        when("IpAddress", "aws:SourceIp", ["10.0.0.0/8", "2001:db8::/32"]),
    ),
    (
        "unreadable-value",
        USELESS,
        when("ArnLike", "aws:PrincipalArn", "role/App"),
        when("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/App"),
    ),
    (
        "odd-value",
        USELESS,
        when("StringEquals", "kms:ViaService", "s3.amazonaws.com"),
        when("StringEquals", "kms:ViaService", "s3.eu-west-1.amazonaws.com"),
    ),
    (
        "odd-value",
        USELESS,
        when("StringEquals", "kms:CallerAccount", ROOT),
        when("StringEquals", "kms:CallerAccount", ACCOUNT),
    ),
    (
        "never-matches",
        USELESS,
        statement(
            Condition={
                "StringEquals": {"kms:RequestAlias": "alias/app"},
                "StringLike": {"kms:requestalias": "alias/test-*"},
            }
        ),
        statement(
            Condition={
                "StringEquals": {"kms:RequestAlias": "alias/test-app"},
                "StringLike": {"kms:requestalias": "alias/test-*"},
            }
        ),
    ),
]


@pytest.mark.parametrize(("code", "severity", "mistake", "right"), MISTAKES, ids=lambda value: str(value)[:40])
def test_a_mistake_is_found_and_its_near_twin_is_not(code, severity, mistake, right):
    """Each mistake is found once, named and explained with its remedy and source; one change makes it right."""
    [finding] = found({**mistake, "Sid": "Mine"})
    assert (finding.code, finding.severity) == (code, severity)
    assert finding.statement == 'statement "Mine"'
    assert all((finding.message, finding.why, finding.fix, finding.source))
    assert codes(right) == []


def test_a_not_principal_that_allows_is_open_to_everyone_and_not_supported():
    """NotPrincipal with Allow gets both findings: whom it lets in, and that AWS does not support it."""
    mistake = statement(Principal=None, NotPrincipal={"AWS": USER})
    assert set(codes(mistake)) == {"open-to-everyone", "allow-not-principal"}


def test_conditions_that_services_never_meet():
    """A service that acts as itself has no calling service, no account and no organization."""
    mistake = when("StringEquals", "kms:ViaService", "s3.eu-west-1.amazonaws.com", Principal=SERVICE)
    assert set(codes(mistake)) == {"service-without-source", "never-set-for-services"}


class TestRefused:
    def test_grammar_problems_are_findings_one_by_one(self):
        """A policy that breaks the grammar is not linted further, and every problem is a finding."""
        problems = lint('{"Statement": [{"Effect": "Maybe", "Action": "Encrypt", "Resource": "*"}]}')
        assert [finding.code for finding in problems] == ["malformed"] * 3
        assert {finding.severity for finding in problems} == {REFUSED}
        assert lint("{")[0].code == "malformed"

    def test_size(self):
        """A key policy of more than 32,768 bytes is refused; an identity policy has limits of its own."""
        big = json.dumps({"Statement": [statement(Sid="x" * 33_000)]})
        assert [finding.code for finding in lint(big)] == ["too-large"]
        assert len(json.dumps({"Statement": [statement(Sid="x" * 32_500)]})) < 32_768
        assert codes(statement(Sid="x" * 32_500)) == []

    def test_characters(self):
        """Characters beyond U+00FF, such as typographic quotes, are refused; é is not."""
        assert [f.code for f in lint(json.dumps({"Statement": statement(Sid="“x”")}, ensure_ascii=False))] == [
            "bad-characters"
        ]
        assert lint(json.dumps({"Statement": statement(Sid="é")}, ensure_ascii=False)) == []

    @pytest.mark.parametrize(
        ("statements", "locked"),
        [
            ([statement()], True),
            ([statement(Action="kms:Put*", Principal={"AWS": FOREIGN})], True),
            ([statement(Action="kms:Put*", Principal={"Service": "s3.amazonaws.com"})], True),
            ([statement(Action="kms:*", Principal={"AWS": ROOT}), CLOSED], True),
            ([statement(Action="kms:Put*")], False),
            ([statement(Action="kms:*", Principal={"AWS": ACCOUNT})], False),
            (
                [
                    statement(Action="kms:*", Principal={"AWS": ROOT}),
                    when("Bool", "aws:SecureTransport", "false", Effect="Deny", Principal="*", Action="*"),
                ],
                False,
            ),
        ],
    )  # fmt: skip
    def test_lockout(self, statements, locked):
        """A policy that nobody of the key's account could change again is found, where the account is known."""
        assert ("lockout" in codes(*statements, account=ACCOUNT)) is locked
        assert "lockout" not in codes(*statements)


def test_what_never_works_across_accounts():
    """Allowing another account to manage the key does nothing; to use it does."""
    keep = statement(Action="kms:*", Principal={"AWS": ROOT})
    mistake = statement(Action=["kms:Decrypt", "kms:EnableKey"], Principal={"AWS": FOREIGN})
    assert codes(keep, mistake, account=ACCOUNT) == ["not-across-accounts"]
    assert codes(keep, statement(Action="kms:Decrypt", Principal={"AWS": FOREIGN}), account=ACCOUNT) == []


def test_variables_need_the_newer_version():
    """A variable in a policy of 2008, or without a version, is plain text."""
    mistake = when("StringEquals", "kms:EncryptionContext:team", "${aws:PrincipalTag/team}")
    assert codes(mistake, version="2008-10-17") == ["variables-need-2012"]
    assert codes(mistake) == []


def test_identity_policies():
    """The alias mistake is most often made in identity policies; what needs no key belongs there."""
    assert codes(statement(Principal=None, Resource=[ALIAS]), kind="identity") == ["alias-as-resource"]
    assert codes(statement(Principal=None, Action=["kms:CreateKey", "s3:GetObject"]), kind="identity") == []


@pytest.mark.parametrize(
    "policy",
    [
        api_default(ACCOUNT),
        console_default(ACCOUNT, [ADMIN], [USER, f"arn:aws:iam::{OTHER}:root"]),
        console_default(ACCOUNT, [ADMIN], [USER], spec="ECC_NIST_P256", usage="SIGN_VERIFY"),
        console_default(ACCOUNT, [ADMIN], [USER], origin="EXTERNAL", multi_region=True),
        *(aws_managed_default(service, ACCOUNT, "eu-west-1") for service in ("s3", "ec2", "secretsmanager")),
    ],
)
def test_the_policies_of_aws_get_no_finding(policy):
    """The policies that AWS itself writes are left alone."""
    assert lint(policy) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"Action": ["kms:CreateAlias", "kms:DeleteAlias"], "Resource": ALIAS},
        {"Action": "kms:*Alias", "Resource": [ALIAS, KEY]},
        {
            "Principal": {"Service": "logs.eu-west-1.amazonaws.com"},
            "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:*:*:*"}},
        },
        {"Principal": SERVICE, "Effect": "Deny"},
    ],
)
def test_it_does_not_cry_wolf(changes):
    """What is right, or a deny, gets no finding."""
    assert codes(statement(**changes)) == []


def test_half_a_character_is_no_obstacle():
    """
    A policy with half of a surrogate pair in it, which JSON can write, is looked at like any other.
    """
    assert lint('{"Statement": []}\ud800')[0].severity == REFUSED
