"""A verdict told whole: as text, as a tree to open and close, as a row of gates."""

import re
from html.parser import HTMLParser

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


class Page(HTMLParser):
    """What a screen reader finds: for every element its path of tags, and the text in it that is not hidden."""

    VOID = ("br",)

    def __init__(self, html):
        super().__init__()
        self.stack, self.items = [], []
        self.feed(html)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag, attributes):
        item = {"tag": tag, "path": [one["tag"] for one in self.stack], "text": "", **dict(attributes)}
        self.items.append(item)
        self.stack.append(item)

    def handle_endtag(self, tag):
        assert self.stack.pop()["tag"] == tag

    def handle_data(self, data):
        if not any(one.get("aria-hidden") for one in self.stack):
            for one in self.stack:
                one["text"] += data

    def all(self, tag, name=None):
        return [one for one in self.items if one["tag"] == tag and name in (None, one.get("class"))]


def test_text_has_every_clause(verdict):
    """
    The text shows the decision, the sentence, and a line for every layer, statement and clause.
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
    assert "  ○ identity policies of role App: silent: nothing in it allows kms:Encrypt  ◀ decides" in text
    assert '    ✘ statement "OnlyTenantA" of identity policy 1 (Allow): does not apply' in text


def test_text_is_indented_by_depth(verdict):
    """
    Layers, statements and clauses each stand deeper than what they belong to.
    """
    lines = explain.text(verdict).splitlines()

    depths = [len(line) - len(line.lstrip()) for line in lines if line.startswith(" ")]

    assert depths == [2, 4, 6, 6, 6, 2, 4, 6, 6, 6]


def test_the_text_marks_the_statement_that_decided(lab):
    """
    An allowed call is explained in the same way; its layer and its statement are both marked.
    """
    lab.client().create_key()

    text = explain.text(lab.last_verdict)

    assert text.startswith("ALLOW")
    assert [line.strip().split()[1] for line in text.splitlines() if "◀ decides" in line] == ["identity", "statement"]


class TestTree:
    def test_it_nests(self, verdict):
        """
        The tree is a list of layers, in them lists of statements, in them lists of clauses, which open and close.
        """
        page = Page(explain.tree(verdict))

        layers, statements = page.all("li", "kms-layer"), page.all("li", "kms-statement")
        inside = ["details", "ul"]
        assert [one["path"] for one in layers] == [["div", "ul"]] * 2
        assert [one["path"] for one in statements] == [["div", "ul", "li", *inside]] * 2
        found = page.all("li", "kms-clause")
        assert [one["path"] for one in found] == [["div", "ul", "li", *inside, "li", *inside]] * len(clauses(verdict))
        assert all(page.items[page.items.index(one) + 1]["tag"] == "summary" for one in page.all("details"))

    def test_it_says_everything_in_words(self, verdict):
        """
        Without its signs the tree still says what each layer came to, what matched, and what decides.
        """
        page = Page(explain.tree(verdict))

        key, identity = page.all("li", "kms-layer")
        assert key["text"].startswith("key policy: allows: statement")
        start = "identity policies of role App: silent: nothing in it allows kms:Encrypt decides"
        assert identity["text"].startswith(start)
        told = [one["text"] for one in page.all("li", "kms-clause")]
        assert [text.startswith("matched: ") for text in told] == [clause.matched for _, clause in clauses(verdict)]
        assert sum(text.startswith("not matched: ") for text in told) == 1
        assert not set("✔✘○◀") & set("".join(one["text"] for one in page.items))

    def test_the_nearest_miss_is_open(self, verdict):
        """
        Where silence decides, the path to the statement that nearly allowed is open, and says so; the rest is closed.
        """
        page = Page(explain.tree(verdict))

        states = [("open" in one, one["text"].split(":")[0]) for one in page.all("details")]
        assert [is_open for is_open, _ in states] == [False, False, True, True]
        assert "(the nearest miss)" in page.all("li", "kms-statement")[1]["text"]
        assert explain.tree(verdict).count("kms-decides") == 1

    def test_the_path_to_what_decided_is_open(self, lab):
        """
        Where a statement decides, it is open along with its layer, and both say that they decide.
        """
        kms = lab.client()
        kms.describe_key(KeyId=kms.create_key()["KeyMetadata"]["KeyId"])

        page = Page(explain.tree(lab.last_verdict))

        opened = [one for one in page.all("details") if "open" in one]
        assert len(opened) == 2
        assert all("decides" in page.items[page.items.index(one) + 1]["text"] for one in opened)
        assert len(page.all("details")) == 4
        assert "nearest miss" not in explain.tree(lab.last_verdict)

    def test_it_escapes_what_people_wrote(self, verdict):
        """
        Names from a policy are text, never markup.
        """
        assert "<a>" not in explain.tree(verdict)
        assert "&lt;a&gt;" in explain.tree(verdict)

    def test_the_other_checks(self, lab):
        """
        The tree names the other checks of the same operation, and what they came to.
        """
        kms = lab.client()
        kms.create_alias(AliasName="alias/x", TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])

        assert "Also asked: kms:CreateAlias on arn:aws:kms:us-east-1:111122223333:" in explain.tree(lab.last_verdict)

    def test_the_keys_that_lacked(self, verdict):
        """
        The tree names the condition keys that the request lacked.
        """
        assert "<p>The request had no kms:EncryptionContext:tenant.</p>" in explain.tree(verdict)


class TestPicture:
    def test_gates_in_order(self, verdict):
        """
        The picture is an ordered list: each layer with its outcome in words, then the decision.
        """
        page = Page(explain.picture(verdict))

        gates = page.all("li", "kms-gate")
        assert [(one["text"], one["data-outcome"]) for one in gates] == [
            ("key policy: allows", "allow"),
            ("identity policies of role App: silent decides", "silent"),
            ("DENY (implicit-deny)", "deny"),
        ]
        assert len(page.all("ol")) == 1

    def test_shut_gates_look_shut(self, verdict):
        """
        A gate that does not let through has another border than one that does: the picture needs no colour.
        """
        styles = {one["data-outcome"]: one["style"] for one in Page(explain.picture(verdict)).all("li", "kms-gate")}

        assert "4px double" in styles["silent"]
        assert "2px solid" in styles["allow"]
        assert not re.search(r"color|#[0-9a-f]{3}", explain.picture(verdict))


def test_an_explanation_shows_itself(verdict):
    """
    An Explanation is picture and tree in a notebook, and the text elsewhere.
    """
    shown = explain.Explanation(verdict)

    assert shown._repr_html_() == explain.picture(verdict) + explain.tree(verdict)
    assert str(shown) == repr(shown) == explain.text(verdict)


class TestErrors:
    def test_the_message_on_request(self, lab, refused):
        """
        error.explain() is AWS's message and then the text; message, response and str stay AWS's.
        """
        key = lab.client().create_key()["KeyMetadata"]["KeyId"]
        error = refused(lab.client(lab.iam.create_role("App")).describe_key, KeyId=key)

        first, empty, *rest = error.explain().splitlines()
        assert (first, empty) == (str(error), "")
        assert "\n".join(rest) == explain.text(error.verdict)
        assert error.response["Error"]["Message"] == error.message
        assert str(error).endswith(error.message)
        assert "implicit-deny" not in str(error)

    def test_a_traceback_says_how_to_ask(self, lab, refused):
        """
        The note under a traceback names explain().
        """
        key = lab.client().create_key()["KeyMetadata"]["KeyId"]
        error = refused(lab.client(lab.iam.create_role("App")).describe_key, KeyId=key)

        assert error.__notes__ == ["error.explain() tells which policies were asked, and what each of them said."]

    def test_where_no_policy_was_asked(self, lab, refused):
        """
        Where there was no key whose policies could be asked, there is AWS's message alone.
        """
        missing = "arn:aws:kms:us-east-1:444455556666:key/0f0e0d0c-0b0a-4908-8706-050403020100"
        error = refused(lab.client(lab.iam.create_role("App")).encrypt, KeyId=missing, Plaintext=b"x")

        assert error.verdict is None
        assert error.explain() == str(error)
        assert not hasattr(error, "__notes__")


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
        assert f"    ✔ {granted.decided_by.policy}: applies  ◀ decides" in text
        assert "✔ matched  Grantee" in text
        assert "✔ matched  Operations: wants Encrypt; the request has Encrypt" in text
        assert text.count("matched  ") == len(clauses(granted))

    def test_a_grant_in_the_tree(self, granted):
        """
        The tree has the grant, open, and escapes what people wrote.
        """
        tree = explain.tree(granted)

        assert (
            Page(tree)
            .all("li", "kms-statement")[-1]["text"]
            .startswith(f"{granted.decided_by.policy}: applies decidesmatched: Grantee")
        )
        assert "<a>" not in tree

    def test_a_grant_that_does_not_reach(self, granted, refused):
        """
        A call with another encryption context than the grant wants is denied, and the clause that failed is shown.
        """
        verdict = refused(self.call, EncryptionContext={"tenant": "b"}).evidence["verdict"]

        text = explain.text(verdict)

        assert text.startswith("DENY")
        assert "✘ not matched  Constraint: wants EncryptionContextSubset" in text
        assert "does not apply" in text
