"""Who may do something to a key, as a table and as a picture."""

import itertools
import json
import re
import xml.etree.ElementTree as ET

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
    For a terminal there is a table in letters, and a line that counts.
    """
    assert len(str(found).splitlines()) == 2 + len(found.rows)
    idle = next(line for line in str(found).splitlines() if "role/Idle" in line)
    assert "✘ no" in idle
    assert "no identity policy of role Idle" in idle
    assert repr(found) == f"<WhoCan kms:Decrypt on {found.key}: 3 yes, 2 with conditions, 1 no>"


def test_table_and_picture_stand_together(found):
    """
    A notebook shows the picture, and below it a table that says the same in words; both can be scrolled by keyboard.
    """
    html = found._repr_html_()

    assert html.index("<svg") < html.index("<table")
    assert html.count('tabindex="0"') == 2
    body = re.search("<tbody>(.*?)</tbody>", html)[1]
    assert body.count("<tr>") == len(found.rows)
    assert body.count("◐ with conditions") == 2


def test_picture_has_every_line(found):
    """
    Each principal who may has a line, broken where there are conditions, and each way has one to the key; the box of
    who may not is dotted.
    """
    drawing = ET.fromstring(found.svg())
    lines = [element for element in drawing.iter() if element.tag == "path"]
    ways = {row.way for row in found.rows if row.way}

    assert len(lines) == 5 + len(ways)
    assert sum("stroke-dasharray" in line.attrib for line in lines) == 2
    boxes = list(drawing.iter("rect"))
    assert sum("stroke-dasharray" in box.attrib for box in boxes) == 1
    assert len(boxes) == len(found.rows) + len(ways) + 1


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
