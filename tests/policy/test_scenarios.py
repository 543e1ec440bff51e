"""Every scenario of ``scenarios/``: what AWS answers, by which rule, and where AWS says so."""

import importlib
import sys
from collections import Counter
from pathlib import Path

import pytest

from kms_lab.policy.scenario import decide

HERE = Path(__file__).parent / "scenarios"
sys.path.insert(0, str(HERE))

MODULES = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in ("build", "__init__"))
CASES = [case for module in MODULES for case in importlib.import_module(module).CASES]

ALLOW_REASONS = {"key-policy", "iam-via-key-policy", "account-root", "cross-account", "grant", "iam-policy"}
DENY_REASONS = {
    "explicit-deny",
    "implicit-deny",
    "no-iam-delegation",
    "cross-account-no-key-policy",
    "cross-account-no-iam-policy",
    "not-cross-account",
    "boundary",
    "session-policy",
    "scp",
    "vpce",
    "grant-constraint",
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_scenario(case):
    """
    The scenario is decided as AWS documents it, for that reason, and by what the case names.
    """
    verdict = decide(case.scenario)

    assert (verdict.decision, verdict.reason) == (case.decision, case.reason), f"{case.why} ({case.source})"
    assert (case.by or {}).items() <= verdict.to_data()["decided_by"].items()


def test_ids_are_unique():
    """
    No two scenarios share an id.
    """
    assert [name for name, count in Counter(case.id for case in CASES).items() if count > 1] == []


@pytest.mark.parametrize("name", ["why", "source"])
def test_each_scenario_says_why_and_where(name):
    """
    Each scenario gives its reason, and AWS's page, in one line each.
    """
    assert [case.id for case in CASES if len(getattr(case, name).strip().splitlines()) != 1] == []


def test_decision_and_reason_agree():
    """
    An allowed scenario has a reason to allow, a denied one a reason to deny.
    """
    allowed = {case.reason for case in CASES if case.decision == "ALLOW"}
    denied = {case.reason for case in CASES if case.decision == "DENY"}

    assert allowed <= ALLOW_REASONS
    assert denied <= DENY_REASONS


def test_the_scenarios_cover_the_ground():
    """
    At least three hundred scenarios, allowed and denied alike, give every reason there is.

    Resource control policies can only deny: a full access statement is always attached, so their silence is no reason.
    """
    decisions = Counter(case.decision for case in CASES)

    assert decisions.total() >= 300
    assert min(decisions["ALLOW"], decisions["DENY"]) >= 100
    assert {case.reason for case in CASES} == ALLOW_REASONS | DENY_REASONS
