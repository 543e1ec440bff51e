"""The probe grid: each cell is the evaluator's answer, edits are marked, and nothing in the learner's world changes."""

import json
import statistics
import time

import pytest

from kms_lab.core.circumstances import Circumstances
from kms_lab.core.errors import LabError
from kms_lab.lab import Lab
from kms_lab.policy import actions
from kms_lab.policy.scenario import ScenarioError, decide
from kms_lab.teach.widgets.probe_grid import LabBoard, ProbeGrid, ScenarioBoard, pretty

ADMIN = "arn:aws:iam::111122223333:user/Admin"
ACTIONS = ("kms:Encrypt", "kms:Decrypt", "kms:PutKeyPolicy")


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", **one} for one in statements]}


ACCOUNT = {"Sid": "Account", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*"}


@pytest.fixture
def lab():
    lab = Lab(seed=4)
    lab.iam.create_user("Dana")
    lab.iam.create_role("App", policies=[policy({"Action": "kms:Decrypt"})])
    lab.client().create_key(Policy=json.dumps(policy(ACCOUNT)))
    return lab


@pytest.fixture
def key(lab):
    return next(iter(lab.world.all_keys())).id


@pytest.fixture
def callers():
    return [ADMIN, "arn:aws:iam::111122223333:user/Dana", "arn:aws:iam::111122223333:role/App"]


@pytest.fixture
def grid(lab, key, callers):
    return ProbeGrid.of(lab, key, callers, ACTIONS)


def write(grid, *statements):
    return grid.set(policy=json.dumps(policy(*statements)))


def signs(grid):
    """The cells as letters: y, n; capitals where they have changed."""
    view = grid.view(grid.state)
    words = {"allowed": "y", "denied": "n", "now allowed": "Y", "now denied": "N"}
    lines = view.split("<tbody>")[1].split("</tbody>")[0].split("</tr>")[:-1]
    return ["".join(words[cell.split('"')[0]] for cell in line.split('aria-label="')[1:]) for line in lines]


DANA = {"Sid": "Dana", "Principal": {"AWS": "arn:aws:iam::111122223333:user/Dana"}, "Action": "kms:Encrypt"}


class TestCells:
    def test_each_is_the_verdict(self, lab, key, callers, grid):
        """Every cell says what the lab answers to the same question."""
        assert signs(grid) == [
            "".join("y" if lab.may(caller, action, key) else "n" for action in ACTIONS) for caller in callers
        ]
        assert signs(grid) == ["yyy", "nnn", "nyn"]

    def test_an_edit_is_marked(self, grid):
        """What an edit allows or denies is marked, and counted from the policy before."""
        write(grid, {**ACCOUNT, "Action": ["kms:PutKeyPolicy", "kms:Encrypt"]}, DANA)

        assert signs(grid) == ["yNy", "Ynn", "nNn"]
        assert "1 now allowed, 2 now denied" in grid.summary(grid.state)

    def test_the_policy_before_can_be_moved(self, grid):
        """Changes are counted from the policy that was made the one before; going back returns to it."""
        write(grid, ACCOUNT, DANA)
        grid.act("compare")
        write(grid, ACCOUNT)
        assert signs(grid)[1] == "Nnn"

        grid.act("back")

        assert signs(grid)[1] == "ynn"
        assert "nothing changed" in grid.summary(grid.state)

    def test_how_a_call_comes(self, lab, key):
        """The same caller can stand in two rows: itself, and through a service."""
        app = "arn:aws:iam::111122223333:role/App"
        rows = {"App": app, "App through S3": (app, Circumstances(via="s3"))}
        grid = ProbeGrid(LabBoard(lab, key, rows, ["kms:Encrypt"]))

        through = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
        write(grid, ACCOUNT, {"Principal": {"AWS": app}, "Action": "kms:Encrypt", "Condition": through})

        assert grid.board.callers == ("App", "App through S3")
        assert signs(grid) == ["n", "Y"]

    def test_the_context_of_the_calls(self, lab, key, callers):
        """A board's calls may carry an encryption context."""
        board = LabBoard(lab, key, callers[1:2], ["kms:Encrypt"], context={"site": "north"})
        grid = ProbeGrid(board)

        write(grid, ACCOUNT, {**DANA, "Condition": {"StringEquals": {"kms:EncryptionContext:site": "north"}}})

        assert signs(grid) == ["Y"]

    def test_names_that_are_alike(self, lab, key):
        """Callers of the same name are told apart by their account."""
        other = lab.iam.create_user("Dana", account="444455556666")
        grid = ProbeGrid.of(lab, key, [ADMIN, "arn:aws:iam::111122223333:user/Dana", other], ["kms:Encrypt"])

        assert grid.board.callers == ("Admin", "Dana of 111122223333", "Dana of 444455556666")


class TestLooking:
    @pytest.mark.parametrize(
        ("keys", "at"),
        [
            (["ArrowRight", "ArrowDown"], (1, 1)),
            (["ArrowUp", "ArrowLeft"], (0, 0)),
            (["End", "ArrowRight"], (0, 2)),
            (["ArrowDown"] * 9, (2, 0)),
            (["End", "Home"], (0, 0)),
        ],
    )
    def test_keys(self, grid, keys, at):
        """Arrow keys, Home and End move the cell that is looked at, and never out of the grid."""
        for key in keys:
            grid.act("key", key)

        assert grid.state.at == at

    def test_the_sentence(self, lab, key, callers, grid):
        """The cell looked at tells the verdict's own sentence, and the one before the edit where it differs."""
        grid.act("pick", "1.0")
        before = lab.may(callers[1], "kms:Encrypt", key).sentence
        assert before in grid.summary(grid.state)

        write(grid, ACCOUNT, DANA)

        assert 'Statement "Dana" of the key policy allows kms:Encrypt' in grid.summary(grid.state)
        assert f"Under the policy before: {before}" in grid.view(grid.state)

    def test_only_the_cell_looked_at_takes_the_focus(self, grid):
        """The grid is one stop of the Tab key."""
        assert grid.view(grid.state).split("<table")[1].split("</table>")[0].count("tabindex") == 1

    def test_in_words(self, grid):
        """The text form lists what each caller may do, and what has changed."""
        write(grid, ACCOUNT, DANA)

        assert "Dana      Encrypt                         Encrypt now allowed" in grid.text()
        assert "&quot;Sid&quot;: &quot;Dana&quot;" in grid.html()


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("{", "not JSON"),
            ('{"Statement": []}', "at least one Statement"),
            (json.dumps(policy({"Action": "kms:*"})), "Statement 1 needs a Principal"),
            (
                json.dumps(policy({**ACCOUNT, "Principal": {"AWS": "arn:aws:iam::111122223333:user/Nobody"}})),
                "principals",
            ),
            (json.dumps(policy(ACCOUNT)) + " " * 33_000, "32768 bytes"),
        ],
    )
    def test_a_policy_that_kms_does_not_take(self, grid, text, said):
        """What KMS says of it is shown, the text stays, and the grid keeps the last policy that it takes."""
        write(grid, ACCOUNT, DANA)
        good = grid.state.asked

        grid.set(policy=text)

        assert said in grid.view(grid.state)
        assert grid.state.policy == text
        assert grid.state.asked == good
        assert signs(grid) == ["yyy", "Ynn", "nyn"]
        assert grid.summary(grid.state).startswith("KMS would refuse this policy: ")

    def test_a_lockout(self, grid):
        """A policy that nobody could change again is shown, with KMS's warning, since the check can be bypassed."""
        write(grid, DANA)

        assert signs(grid) == ["NNN", "Ynn", "nNn"]
        assert "will not allow you to update the key policy in the future" in grid.view(grid.state)
        assert "BypassPolicyLockoutSafetyCheck" in grid.view(grid.state)

    def test_what_the_linter_finds(self, grid):
        """Findings stand below, with why and the source; the default policy has none."""
        assert "The linter finds nothing" in grid.view(grid.state)

        write(grid, ACCOUNT, {**DANA, "Action": "kms:Enkrypt"})

        assert "The linter has 1 finding in this policy" in grid.view(grid.state)
        assert "No KMS action is called kms:Enkrypt." in grid.view(grid.state)

    def test_who_is_unknown(self, lab, key):
        """A caller whom the lab does not know, and an action that KMS does not, are mistakes at once."""
        with pytest.raises(LabError, match="no user 'Nobody'"):
            ProbeGrid.of(lab, key, ["arn:aws:iam::111122223333:user/Nobody"], ACTIONS)
        with pytest.raises(LabError, match="kms:Enkrypt"):
            ProbeGrid.of(lab, key, [ADMIN], ["kms:Enkrypt"])


class TestWorld:
    def test_it_stays_as_it_was(self, lab, grid):
        """Whatever is tried out, the lab's keys, policies and log stay the same."""
        before = json.dumps(lab.world.to_data(), default=str, sort_keys=True)

        write(grid, ACCOUNT, DANA)
        grid.set(policy="{")
        grid.act("key", "ArrowDown")
        grid.html()

        assert json.dumps(lab.world.to_data(), default=str, sort_keys=True) == before


SCENARIO = {
    "request": {
        "principal": {"arn": "arn:aws:iam::111122223333:user/dana", "type": "user", "account": "111122223333"},
        "action": "kms:Encrypt",
        "resource": "arn:aws:kms:eu-west-1:111122223333:key/0f0e0d0c-0b0a-4908-8706-050403020100",
        "resource_account": "111122223333",
    },
    "key_policy": policy(ACCOUNT),
    "identity_policies": [policy({"Action": "kms:Decrypt"})],
}


class TestScenarios:
    def test_rows_are_documents(self):
        """Each row is a scenario; its cells are its verdicts with the column's action and the policy typed."""
        bound = {**SCENARIO, "permissions_boundary": policy({"Action": "kms:Encrypt"})}
        grid = ProbeGrid(ScenarioBoard({"dana": SCENARIO, "dana, bounded": bound}, ACTIONS))
        assert signs(grid) == ["nyn", "nnn"]

        write(grid, ACCOUNT, {**DANA, "Principal": {"AWS": "arn:aws:iam::111122223333:user/dana"}})

        assert signs(grid) == ["Yyn", "Ynn"]
        assert decide({**bound, "key_policy": grid.state.asked}).allowed

    def test_refusals(self):
        """The same warnings, from the grammar and the linter: there is no KMS to ask."""
        grid = ProbeGrid(ScenarioBoard({"dana": SCENARIO}, ACTIONS))

        grid.set(policy="[]")
        assert "A policy is a JSON object." in grid.view(grid.state)
        write(grid, DANA)
        assert "Nobody of account 111122223333 could change this policy again" in grid.view(grid.state)

    def test_no_scenario(self):
        """A document that is none is a mistake at once."""
        with pytest.raises(ScenarioError):
            ProbeGrid(
                ScenarioBoard({"dana": {**SCENARIO, "request": {**SCENARIO["request"], "principal": {}}}}, ACTIONS)
            )


class TestText:
    def test_a_policy_is_laid_out(self):
        """JSON is broken where a line would be too long, and means the same; other text stays."""
        document = policy(ACCOUNT, DANA)

        assert json.loads(pretty(document)) == document
        assert '      "Principal": {"AWS": "arn:aws:iam::111122223333:user/Dana"},' in pretty(document).splitlines()
        assert max(map(len, pretty(document).splitlines())) <= 80
        assert pretty("{") == "{"


class TestSpeed:
    def test_six_hundred_cells(self, lab, key):
        """The kernel's share of a redraw of 20 callers by 30 actions, after an edit that was never seen before."""
        roles = [lab.iam.create_role(f"Role{n}", policies=[policy({"Action": "kms:Decrypt"})]) for n in range(20)]
        names = [name for name in actions.all_actions() if name.removeprefix("kms:") not in actions.WITHOUT_KEY][:30]
        grid = ProbeGrid.of(lab, key, roles, names)
        samples = []
        for number in range(9):
            text = json.dumps(policy({**ACCOUNT, "Sid": f"Edit{number}"}))
            start = time.process_time()
            grid.set(policy=text)
            page = grid.html()
            samples.append((time.process_time() - start) * 1000)

        print(f"600 cells: median {statistics.median(samples):.0f} ms of CPU, {len(grid.view(grid.state))} letters")
        assert page.count("<td") > 600
        assert statistics.median(samples) < 60
        assert len(grid.view(grid.state)) < 40_000
