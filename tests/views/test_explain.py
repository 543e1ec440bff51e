"""A verdict told whole."""

import re

import pytest

from kms_lab.views import explain


@pytest.fixture
def verdict(lab, refused):
    """The verdict on a role whose policy wanted an encryption context that the call did not carry."""
    key = lab.client().create_key()["KeyMetadata"]["KeyId"]
    statement = {
        "Sid": "OnlyTenantA",
        "Effect": "Allow",
        "Action": "kms:Encrypt",
        "Resource": "*",
        "Condition": {"StringEquals": {"kms:EncryptionContext:tenant": "<a>"}},
    }
    role = lab.iam.create_role("App", [{"Version": "2012-10-17", "Statement": [statement]}])
    return refused(lab.client(role).encrypt, KeyId=key, Plaintext=b"x").evidence["verdict"]


def clauses(verdict):
    return [
        (statement, clause)
        for policy in verdict.trace.policies
        for statement in policy.statements
        for clause in statement.clauses
    ]


def test_text_has_every_clause(verdict):
    """
    The text shows the decision, the sentence, and a line for every statement and every clause.
    """
    text = explain.text(verdict)

    assert text.startswith("DENY (implicit-deny)")
    assert verdict.sentence in text
    assert text.count("matched  ") == len(clauses(verdict))
    assert (
        "✘ not matched  Condition: wants StringEquals kms:EncryptionContext:tenant, <a>; the request has nothing"
        in text
    )
    assert "the request had no kms:EncryptionContext:tenant" in text


def test_text_is_indented_by_depth(verdict):
    """
    Policies, statements and clauses each stand deeper than what they belong to.
    """
    lines = explain.text(verdict).splitlines()

    depths = [len(line) - len(line.lstrip()) for line in lines if line.startswith(" ")]

    assert set(depths) == {2, 4, 6}


def test_table_says_matched_in_words(verdict):
    """
    The table has a row for every clause, and says in words and with a sign whether it matched.
    """
    table = explain.table(verdict)

    body = "".join(re.findall("<tbody>(.*?)</tbody>", table))
    assert body.count("<tr>") == len(clauses(verdict))
    assert body.count("✘ not matched") == sum(not clause.matched for _, clause in clauses(verdict))
    assert table.count("<caption") == len(verdict.trace.policies) == 2


def test_table_escapes_what_people_wrote(verdict):
    """
    Names from a policy are text, never markup.
    """
    table = explain.table(verdict)

    assert "<a>" not in table
    assert "&lt;a&gt;" in table


def test_an_allowed_call(lab):
    """
    An allowed call is explained in the same way.
    """
    kms = lab.client()
    kms.create_key()

    assert explain.text(lab.last_verdict).startswith("ALLOW")


class TestGrants:
    @pytest.fixture
    def granted(self, lab):
        """The verdict on a role that a grant lets use a key, with a constraint."""
        kms, role = lab.client(), lab.iam.create_role("App")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        token = kms.create_grant(
            KeyId=key,
            GranteePrincipal=role,
            Operations=["Encrypt"],
            Constraints={"EncryptionContextSubset": {"tenant": "<a>"}},
            Name="orders",
        )["GrantToken"]
        self.call = lambda **params: lab.client(role).encrypt(KeyId=key, Plaintext=b"x", **params)
        self.call(EncryptionContext={"tenant": "<a>"}, GrantTokens=[token])
        return lab.last_verdict

    def test_a_grant_that_allows(self, granted):
        """
        A call that a grant allows names the grant in the sentence, and the grant has its clauses like a statement.
        """
        text = explain.text(granted)

        assert text.startswith("ALLOW (grant)")
        assert granted.sentence.startswith('Grant "orders"')
        assert "the grant (Allow): applies" in text
        assert "✔ matched  Grantee" in text
        assert "✔ matched  Operations: wants Encrypt; the request has Encrypt" in text
        assert text.count("matched  ") == len(clauses(granted))

    def test_a_grant_is_a_table_of_its_own(self, granted):
        """
        The table of a grant says what the grant wants and what the request has, and escapes what people wrote.
        """
        table = explain.table(granted)

        assert table.count("<caption") == len(granted.trace.policies)
        assert "Grant &quot;orders&quot;" in table
        assert "<a>" not in table

    def test_a_grant_that_does_not_reach(self, granted, refused):
        """
        A call with another encryption context than the grant wants is denied, and the clause that failed is shown.
        """
        verdict = refused(self.call, EncryptionContext={"tenant": "b"}).evidence["verdict"]

        text = explain.text(verdict)

        assert text.startswith("DENY")
        assert "✘ not matched  Constraint: wants EncryptionContextSubset" in text
        assert "does not apply" in text
