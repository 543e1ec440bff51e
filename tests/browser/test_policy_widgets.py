"""The verdict tree, the probe grid and the condition tester in JupyterLab: by keyboard, in every light and width."""

import statistics

import nbformat
import pytest

WORLD = """
import json

from kms_lab import Lab
from kms_lab.core.circumstances import Circumstances
from kms_lab.policy import actions
from kms_lab.teach.widgets.condition_tester import ConditionTester
from kms_lab.teach.widgets.probe_grid import ProbeGrid
from kms_lab.teach.widgets.verdict_tree import VerdictTree

lab = Lab(seed=9)
kms = lab.client()


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": [{"Resource": "*", **one} for one in statements]}


def allow(what, **more):
    return policy({"Sid": "Use", "Effect": "Allow", "Action": what, **more})


S3 = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
admin = "arn:aws:iam::111122223333:user/Admin"
dana = lab.iam.create_user("Dana")
app = lab.iam.create_role("App", policies=[allow("kms:Decrypt", Condition=S3)])
audit = lab.iam.create_role("Audit", policies=[allow(["kms:Describe*", "kms:List*", "kms:Get*"])])
build = lab.iam.create_role("Build", policies=[allow("kms:*")], boundary=allow(["kms:Encrypt", "kms:Describe*"]))
account = {"Sid": "Account", "Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*"}
danas = {"Sid": "Dana", "Effect": "Allow", "Principal": {"AWS": dana}, "Action": ["kms:Encrypt", "kms:Decrypt"]}
kept = {"Sid": "Kept", "Effect": "Deny", "Principal": "*", "Action": "kms:ScheduleKeyDeletion"}
key = kms.create_key()["KeyMetadata"]["KeyId"]
kms.put_key_policy(KeyId=key, Policy=json.dumps(policy(account, danas, kept)))
everybody = {
    "Admin": admin, "Dana": dana, "App": app, "App through S3": (app, Circumstances(via="s3")), "Audit": audit,
    "Build": build,
}
some = (
    "Encrypt Decrypt GenerateDataKey DescribeKey GetKeyPolicy PutKeyPolicy CreateGrant ScheduleKeyDeletion".split()
)
"""
TREE = """
tree = VerdictTree(
    {name: {"principal": who, "action": "kms:" + what, "key": key} for name, who, what in (
        ("App decrypts", app, "Decrypt"),
        ("Dana encrypts", dana, "Encrypt"),
        ("Build decrypts", build, "Decrypt"),
        ("Admin deletes the key", admin, "ScheduleKeyDeletion"),
    )},
    lab=lab,
)
tree
"""
GRID = """
grid = ProbeGrid.of(lab, key, everybody, ["kms:" + name for name in some])
grid
"""
BIG = """
roles = [lab.iam.create_role(f"Role{n:02}", policies=[allow("kms:*")]) for n in range(20)]
names = [name for name in actions.all_actions() if name.removeprefix("kms:") not in actions.WITHOUT_KEY]
wide = lab.fork()
wide.client().put_key_policy(KeyId=key, Policy=json.dumps(policy(account)))
big = ProbeGrid.of(wide, key, roles, names[:30])
big
"""
_TREE, _GRID, _TESTER, _BIG = 1, 2, 3, 4


@pytest.fixture(scope="module")
def notebook(open_notebook):
    sources = (WORLD, TREE, GRID, "tester = ConditionTester()\ntester", BIG)
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s.strip()) for s in sources])
    opened = open_notebook(book, "policy_widgets.ipynb")
    opened.run_all()
    return opened


class TestAccess:
    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    @pytest.mark.parametrize("width", [1280, 390])
    def test_axe_finds_nothing_and_nothing_sticks_out(self, notebook, dark, width):
        """In light and dark, on a laptop and a phone: no critical or serious finding, no sideways scrolling."""
        cells = {"tree": _TREE, "grid": _GRID, "tester": _TESTER, "big": _BIG}

        findings, wide = notebook.looked_at("policy", dark, width, **cells)

        assert findings == []
        assert wide == []

    def test_after_an_edit_too(self, notebook):
        """With changed cells, a refused policy and the linter's words open; and with the flip and its lines of JSON."""
        notebook.run_code("tree.act('flip'); grid.set(policy=grid.state.policy.replace('kms:*', 'kms:Describe*'))")
        notebook.output(_GRID).get_by_text("The linter has").click()
        notebook.quiet()

        found = [notebook.looked_at("policy-edited", dark, 390, tree=_TREE, grid=_GRID) for dark in (False, True)]
        notebook.looked_at("policy-edited", False, 1280, tree=_TREE, grid=_GRID)

        notebook.run_code("tree.act('back'); grid.act('back')")
        assert found == [([], []), ([], [])]

    def test_without_a_kernel(self, notebook, open_notebook):
        """Opened by somebody who has not run it, each tells its finding and its facts."""
        book = nbformat.v4.new_notebook()
        for outputs in notebook.outputs():
            cell = nbformat.v4.new_code_cell("")
            cell.outputs = [nbformat.from_dict(output) for output in outputs]
            book.cells.append(cell)
        reader = open_notebook(book, "policy-read-only.ipynb")

        tree, grid, tester = (reader.output(cell).inner_text() for cell in (_TREE, _GRID, _TESTER))

        assert 'the nearest is statement "Use"' in tree
        assert "Allowed are 14 of 48 cells" in grid
        assert "It matches: kms:ViaService is" in tester
        assert "✓" in reader.output(_GRID).get_by_role("row").nth(1).inner_text()


class TestVerdictTree:
    def test_by_keyboard(self, notebook):
        """Enter opens a gate; another question is another tree; flip, make the edit, and go back, the focus kept."""
        shown = notebook.output(_TREE)
        gate = shown.locator("summary", has_text="Key policy")
        statement = shown.locator("summary", has_text='statement "Account" (Allow)')
        assert not statement.is_visible()
        notebook.press(gate, "Enter")
        notebook.press(statement, "Enter")
        shown.get_by_text("arn:aws:iam::111122223333:root").first.wait_for()

        question = shown.get_by_role("combobox", name="Question")
        assert "permissions boundary" in notebook.changes(_TREE, lambda: notebook.press(question, "b")).lower()

        button = shown.get_by_role("button", name="Flip it")
        assert "The smallest edit that turns DENY into ALLOW" in notebook.changes(
            _TREE, lambda: notebook.press(button, "Enter")
        )
        make = shown.get_by_role("button", name="Make this edit and ask again")
        assert make.evaluate("e => e === document.activeElement")
        assert "what if" in notebook.changes(_TREE, lambda: notebook.page.keyboard.press("Enter"))
        assert "ALLOW" in shown.inner_text()
        back = shown.get_by_role("button", name="Take the edit back")
        assert "The smallest edit" in notebook.changes(_TREE, lambda: notebook.press(back, " "))
        notebook.changes(_TREE, lambda: notebook.press(shown.get_by_role("button", name="Close"), "Enter"))

    def test_a_screen_reader_is_told(self, notebook):
        """The gates are a list with a name, the deciding one says so, and the verdict is announced."""
        shown = notebook.output(_TREE)
        notebook.run_code("tree.set(question='Dana encrypts')")

        gates = shown.get_by_role("list", name="The gates, in the order in which they were asked")

        assert gates.get_by_role("listitem").filter(has_text="decides").count() >= 1
        shown.get_by_role("status").filter(has_text="ALLOW").wait_for(state="attached")


class TestProbeGrid:
    def test_arrow_keys_walk_the_cells(self, notebook):
        """Arrow keys move the focus from cell to cell and tell why; JupyterLab's selected cell stays."""
        shown = notebook.output(_GRID)
        cell = shown.locator("[aria-selected]")
        words = notebook.changes(_GRID, lambda: notebook.press(cell, "ArrowDown", 2))
        assert "App · kms:Encrypt" in words
        assert "App · kms:ScheduleKeyDeletion" in notebook.changes(_GRID, lambda: notebook.page.keyboard.press("End"))
        assert cell.evaluate("e => e === document.activeElement")
        assert notebook.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex") == _GRID
        notebook.changes(_GRID, lambda: notebook.page.keyboard.press("Home"))

    def test_a_click_chooses_a_cell(self, notebook):
        """A click looks at the cell under the pointer, which then takes the keys."""
        shown = notebook.output(_GRID)
        row = shown.get_by_role("row").filter(has_text="App through S3")
        assert "App through S3 · kms:Decrypt" in notebook.changes(
            _GRID, lambda: row.get_by_role("gridcell").nth(1).click()
        )
        assert "through S3 · kms:GenerateDataKey" in notebook.changes(
            _GRID, lambda: notebook.press(shown.locator("[aria-selected]"), "ArrowRight")
        )

    def test_typing_changes_cells_and_nothing_else(self, notebook):
        """An edit in the text area marks what it changes; broken JSON keeps the grid; no notebook cell is touched."""
        shown = notebook.output(_GRID)
        area = shown.get_by_role("textbox", name="Key policy")
        before = area.input_value()
        words = notebook.changes(_GRID, lambda: area.fill(before.replace('"kms:Encrypt", ', "")))
        assert "0 now allowed, 1 now denied" in words
        assert shown.locator("td.kl-new").get_attribute("aria-label") == "now denied"

        words = notebook.changes(_GRID, lambda: notebook.press(area, "Backspace"))
        assert "not a policy KMS takes" in words
        assert "The document is not JSON" in words
        assert shown.locator("td.kl-new").count() == 1
        assert area.evaluate("e => e === document.activeElement")

        undo = shown.get_by_role("button", name="Back to the policy before")
        assert "nothing changed" in notebook.changes(_GRID, lambda: notebook.press(undo, "Enter"))
        assert area.input_value() == before
        assert len(notebook.outputs()) == 5

    def test_an_edit_is_painted_quickly(self, notebook):
        """Of 600 cells, a key typed into the policy is painted in under 100 ms, and so is an arrow key.

        The lower quartile counts: what else runs on the machine only ever adds to a sample.
        """
        shown = notebook.output(_BIG)
        area = shown.get_by_role("textbox", name="Key policy")
        typed, moved = [], []
        for word in ("Encrypt", "Decrypt", "Disable"):
            area.evaluate("e => { const at = e.value.indexOf('kms:') + 4; e.focus(); e.setSelectionRange(at, at) }")
            typed += notebook.painted_ms(_BIG, area, list(word))
            assert f"kms:{word}*" in area.input_value()
            notebook.changes(_BIG, lambda word=word: notebook.press(area, "Backspace", len(word)))
            moved += notebook.painted_ms(_BIG, shown.locator("[aria-selected]"), ["ArrowRight", "ArrowDown"] * 4)

        for what, samples in (("key", typed), ("arrow", moved)):
            quartile = statistics.quantiles(samples, n=4)[0]
            print(f"{what} to picture of 600 cells: {quartile:.0f} ms, median {statistics.median(samples):.0f} ms")
            assert quartile < 100


class TestConditionTester:
    def test_by_keyboard(self, notebook):
        """A trap's button sets everything; another operator turns the answer round."""
        shown = notebook.output(_TESTER)
        trap = shown.get_by_role("button", name="No MFA is not false")
        words = notebook.changes(_TESTER, lambda: notebook.press(trap, "Enter"))
        assert "It does not match: aws:MultiFactorAuthPresent is absent" in words
        assert "BoolIfExists" in words

        suffix = shown.get_by_role("switch", name="…IfExists")
        assert "It matches" in notebook.changes(_TESTER, lambda: notebook.press(suffix, " "))

    def test_the_page_stayed_clean(self, notebook):
        """All of the above wrote no error to the console and asked for nothing outside the machine."""
        notebook.assert_clean()
