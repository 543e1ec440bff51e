"""Who may do something to a key, as a table and as a picture."""

import itertools
import json
import re
import xml.etree.ElementTree as ET
from html import unescape

import pytest

HOME, FAR = "111122223333", "999988887777"
ROOT = f"arn:aws:iam::{HOME}:root"


def allow(principal=None, **more):
    whom = {} if principal is None else {"Principal": {"AWS": principal}}
    return {"Effect": "Allow", **whom, "Action": "kms:*", "Resource": "*", **more}


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


@pytest.fixture
def found(lab):
    """Three who may, one who may with a second factor, one who may not, and an account that decides for itself."""
    lab.iam.create_user("zoe", [policy(allow())])
    mfa = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    lab.iam.create_user("mia", [policy(allow(Condition=mfa))])
    lab.iam.create_role("Idle")
    document = policy(allow(ROOT, Sid="<Account>"), allow(FAR, Sid="Far"))
    key = lab.client().create_key(Policy=json.dumps(document))["KeyMetadata"]["KeyId"]
    return lab.who_can("kms:Decrypt", key)


def test_frame(found):
    """
    The frame has one row for each principal, with the answer and its reasons in words.
    """
    frame = found.frame()

    assert list(frame.columns) == ["principal", "kind", "answer", "through", "needs", "nearest"]
    assert list(frame["principal"]) == [row.principal for row in found.rows]
    by = frame.set_index("principal")
    assert by.loc[f"arn:aws:iam::{HOME}:user/mia", ["answer", "needs"]].tolist() == ["with conditions", "with MFA"]
    assert by.loc[f"arn:aws:iam::{HOME}:role/Idle", "answer"] == "no"
    assert "no identity policy of role Idle" in by.loc[f"arn:aws:iam::{HOME}:role/Idle", "nearest"]
    assert by.loc[FAR, "needs"] == f"account {FAR} decides"


def test_text(found):
    """
    For a terminal there is a table in letters, yes first, the long words last in each line; and a line that counts.
    """
    first, head, *lines = str(found).splitlines()

    assert first == f"kms:Decrypt on {found.key}"
    assert head.split("  ")[0] == "Principal"
    assert [line.split()[1] for line in lines] == ["✔"] * 3 + ["◐"] * 2 + ["✘"]
    assert "✔ yes              let in by the account's statement of the key policy (statement" in lines[0]
    assert "◐ with conditions  with MFA; let in by IAM policies, which" in lines[3]
    assert "no identity policy of role Idle" in lines[5]
    assert repr(found) == f"<WhoCan kms:Decrypt on {found.key}: 3 yes, 2 with conditions, 1 no>"


def tables(html):
    """The cells of every row of each table, as text."""
    rows = [re.findall("<tr>(.*?)</tr>", body) for body in re.findall("<tbody>(.*?)</tbody>", html)]
    return [[list(map(unescape, re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row))) for row in table] for table in rows]


def test_who_may_stand_in_a_table(found):
    """
    Below the picture a table has those who may, yes first: who, what they need, and through what.
    """
    html = found._repr_html_()

    assert html.index("<svg") < html.index("<table")
    rows = tables(html)[0]
    assert [row[0] for row in rows] == [f"root user of {HOME}", "user/Admin", "user/zoe", "user/mia", f"account {FAR}"]
    assert rows[0][1:] == [
        "✔ yes",
        'the account\'s statement of the key policy (statement "<Account>" of the key policy)',
    ]
    assert [row[1] for row in rows[3:]] == ["◐ with conditions: with MFA", f"◐ with conditions: account {FAR} decides"]


def test_who_may_not_is_folded(found):
    """
    Those who may not, and why, are folded away until somebody opens it, with the mouse or by keyboard.
    """
    html = found._repr_html_()

    details = html[html.index("<details>") :]
    assert "<summary data-lm-suppress-shortcuts>✘ no: 1 principal may not</summary>" in details
    ((who, why),) = tables(details)[0]
    assert who == "role/Idle"
    assert "no identity policy of role Idle" in why
    assert html.count('tabindex="0"') == 3


def test_nothing_is_folded_that_is_the_only_answer(lab):
    """
    Where nobody may, why not is open, and no table of those who may is there; where all may, nothing is folded.
    """
    kms = lab.client()
    policies = [policy(allow("*")), policy({**allow("*"), "Effect": "Deny"})]
    all_may, none = (
        lab.who_can("kms:Decrypt", kms.create_key(Policy=json.dumps(one), BypassPolicyLockoutSafetyCheck=True)
                    ["KeyMetadata"]["KeyId"]) for one in policies
    )  # fmt: skip

    assert "<details open>" in none._repr_html_()
    assert len(tables(none._repr_html_())) == 1
    assert "✘ no: 3 principals may not" in none._repr_html_()
    assert len(list(ET.fromstring(none.svg()).iter("rect"))) == 2
    assert "<details" not in all_may._repr_html_()
    assert not [box for box in ET.fromstring(all_may.svg()).iter("rect") if "stroke-dasharray" in box.attrib]


def test_tables_fit_into_their_place(found):
    """
    The columns share the width there is, and long words break, so that nothing is cut off on a narrow screen.
    """
    html = found._repr_html_()

    assert html.count("table-layout:fixed;width:100%;max-width:75em;overflow-wrap:anywhere") == 2
    for table in html.split("<table")[1:]:
        shares = re.findall(r'<col style="width:(\d+)%">', table)
        assert sum(map(int, shares)) == 100
        assert len(shares) == table.count('<th scope="col"')


def test_accounts_are_told_apart(lab):
    """
    Of two users with the same name, the one of another account has the account behind it.
    """
    lab.iam.create_user("zoe", [])
    lab.iam.create_user("zoe", [], account=FAR)
    key = lab.client().create_key()["KeyMetadata"]["KeyId"]

    names = {row[0] for rows in tables(lab.who_can("kms:Decrypt", key)._repr_html_()) for row in rows}
    assert {"user/zoe", f"user/zoe of {FAR}", f"root user of {FAR}"} <= names


def test_picture_has_every_line(found):
    """
    Each principal who may has a line, broken where there are conditions, and each way has one to the key; those who
    may not share one dotted box, which counts them.
    """
    drawing = ET.fromstring(found.svg())
    lines = [element for element in drawing.iter() if element.tag == "path"]
    ways = {row.way for row in found.rows if row.way}

    assert len(lines) == 5 + len(ways)
    assert sum("stroke-dasharray" in line.attrib for line in lines) == 2
    boxes = list(drawing.iter("rect"))
    assert ["stroke-dasharray" in box.attrib for box in boxes] == [False] * (5 + len(ways) + 1) + [True]
    assert [text.text for text in drawing.iter("text")][-1] == "✘ no: 1 principal may not"


def test_lines_do_not_cross_without_need(found):
    """
    Those whom the same thing lets in stand together, in the order of what lets them in.
    """
    lines = [re.findall(r"[\d.]+", path.get("d")) for path in ET.fromstring(found.svg()).iter("path")]
    left = [(float(numbers[1]), float(numbers[-1])) for numbers in lines if numbers[0] == "240"]

    assert len(left) == 5
    assert left == sorted(left)
    assert [end for _, end in left] == sorted(end for _, end in left)


def test_picture_is_told_in_words(found):
    """
    The picture's text for those who do not see it names everybody, the answer, and the way.
    """
    drawing = ET.fromstring(found.svg())

    assert drawing.get("role") == "img"
    assert drawing.get("aria-label") == found.summary
    assert found.summary.startswith(f"kms:Decrypt on key {found.key.rpartition('/')[2]}. ")
    assert f"root user of {HOME} may, through the account's statement of the key policy." in found.summary
    assert "user/mia may with conditions, through IAM policies, which the key policy lets decide." in found.summary
    assert found.summary.endswith("role/Idle may not.")


def test_nothing_overlaps(found):
    """
    No two boxes of a column touch, and all stand inside the drawing.
    """
    drawing = ET.fromstring(found.svg())
    height = float(drawing.get("viewBox").split()[3])
    boxes = [(float(box.get("x")), float(box.get("y"))) for box in drawing.iter("rect")]

    assert all(y >= 0 and y + 38 <= height for _, y in boxes)
    for column in {x for x, _ in boxes}:
        tops = sorted(y for x, y in boxes if x == column)
        assert all(later - earlier > 38 for earlier, later in itertools.pairwise(tops))


def test_names_are_text(lab):
    """
    What people wrote into policies is text in table and picture, never markup, and long names are cut.
    """
    role = lab.iam.create_role("R" * 60)
    document = policy(allow(ROOT), allow(role, Sid="<b>Use</b>" * 9))
    key = lab.client().create_key(Policy=json.dumps(document))["KeyMetadata"]["KeyId"]

    html = lab.who_can("kms:Decrypt", key)._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;" in html
    drawing = ET.fromstring(re.search("<svg.*</svg>", html, re.DOTALL)[0])
    assert max(len(text.text) for text in drawing.iter("text")) <= 36
