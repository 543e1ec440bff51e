"""The trace and the sentence agree with the decision, on every scenario and on random worlds."""

import importlib
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given

from kms_lab.policy.scenario import decide
from kms_lab.views import explain

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "scenarios")]

from worlds import worlds  # noqa: E402 - a file of this folder

MODULES = sorted(path.stem for path in (HERE / "scenarios").glob("*.py") if path.stem not in ("build", "__init__"))


def read(layers, request):
    """Add a trace up again: (decision, reason, deciding layer), from what its statements say and nothing else."""
    denies = [layer["layer"] for layer in layers if applying(layer, "Deny")]
    if denies:
        return "DENY", "explicit-deny", denies[0]
    if any(layer["layer"] == "operation" for layer in layers):
        return "DENY", "not-cross-account", "operation"
    for must in ("scp", "vpce"):
        if any(not applying(layer, "Allow") for layer in asked(layers, must)):
            return "DENY", must, must
    silent = next((c for c in ("boundary", "session-policy") if any(map(quiet, asked(layers, c)))), None)
    ways = list(ways_in(layers, request))
    for reason, layer, limited in ways:
        if not (limited and silent):
            return "ALLOW", reason, layer
    if ways:
        return "DENY", silent, silent
    return ("DENY", *why_not(layers, request))


def ways_in(layers, request):
    """Every way in which something allows: (reason, layer, do boundary and session policy count?)."""
    key = [one for layer in asked(layers, "key-policy") for one in applying(layer, "Allow")]
    identity = any(applying(layer, "Allow") for layer in asked(layers, "identity-policy"))
    grants = [one for layer in asked(layers, "grant") for one in statements(layer)]
    named = [one for one in key if one["naming"] == "named"]
    delegated = [one for one in key if one["naming"] == "account"]
    root = request.principal.kind == "root-user"
    account = request.principal.account
    foreign = account and request.resource_account != account
    if request.action.lower() == "kms:retiregrant":
        yield from (("grant", "grant", not one["direct"]) for one in grants if one["applies"])
        if account == request.resource_account or any(one["naming"] != "no" for one in grants):
            if root:
                yield "account-root", "account", True
            elif identity:
                yield "iam-policy", "identity-policy", True
        return
    if foreign:
        if key and (identity or root):
            yield "cross-account", "key-policy", True
    elif not has(layers, "key-policy"):
        if root:
            yield "account-root", "account", True
        elif identity:
            yield "iam-policy", "identity-policy", True
    else:
        if named:
            yield "key-policy", "key-policy", not any(one["direct"] for one in named)
        if delegated and root:
            yield "account-root", "key-policy", True
        if delegated and identity:
            yield "iam-via-key-policy", "identity-policy", True
    yield from (("grant", "grant", not one["direct"]) for one in grants if one["applies"])


def why_not(layers, request):
    """(reason, layer) of a denial for which nothing allowed."""
    if request.action.lower() == "kms:retiregrant":
        return "implicit-deny", "grant"
    grants = [one for layer in asked(layers, "grant") for one in statements(layer)]
    failed = [{clause["element"] for clause in one["clauses"] if not clause["matched"]} for one in grants]
    if any(elements <= {"Constraint", "Child"} for elements in failed):
        return "grant-constraint", "grant"
    key = any(applying(layer, "Allow") for layer in asked(layers, "key-policy"))
    identity = any(applying(layer, "Allow") for layer in asked(layers, "identity-policy"))
    account = request.principal.account
    if account and request.resource_account != account:
        if key:
            return "cross-account-no-iam-policy", "identity-policy"
        return "cross-account-no-key-policy", "key-policy"
    if identity and has(layers, "key-policy"):
        return "no-iam-delegation", "key-policy"
    return "implicit-deny", "identity-policy" if key or not has(layers, "key-policy") else "key-policy"


def has(layers, code):
    return any(layer["layer"] == code for layer in layers)


def asked(layers, code):
    return [layer for layer in layers if layer["layer"] == code and layer["outcome"] != "spared"]


def quiet(layer):
    return not applying(layer, "Allow")


def statements(layer):
    return [statement for policy in layer["policies"] for statement in policy["statements"]]


def applying(layer, effect):
    """The statements of an effect that apply, by their clauses."""
    found = [one for one in statements(layer) if one["effect"] == effect]
    return [one for one in found if all(clause["matched"] for clause in one["clauses"])]


def check(verdict):
    """Every law of an explanation, for one verdict."""
    data = json.loads(json.dumps(verdict.to_data()))
    layers, by = data["trace"]["layers"], data["decided_by"]
    deciding = [layer for layer in layers if layer["decides"]]

    assert read(layers, verdict.request) == (verdict.decision, verdict.reason, by["layer"])
    assert [layer["layer"] for layer in deciding] == [by["layer"]]
    if verdict.reason != "explicit-deny" and by["layer"] != "operation":
        expected = {"ALLOW": {"allow"}, "DENY": {"silent", "spared"}}[verdict.decision]
        assert deciding[0]["outcome"] in expected
    if "sid" in by or "index" in by:
        policy = next(policy for policy in deciding[0]["policies"] if policy["policy"] == by["policy"])
        name, wanted = ("sid", by["sid"]) if "sid" in by else ("index", by["index"])
        assert any(one["applies"] and one[name] == wanted for one in policy["statements"])
    for layer in layers:
        outcome = layer["outcome"]
        assert (outcome == "deny") == bool(applying(layer, "Deny") or layer["layer"] == "operation")
        assert outcome != "allow" or applying(layer, "Allow") or layer["layer"] == "account"
        assert outcome not in ("silent", "none", "spared") or not applying(layer, "Allow")
        assert outcome != "spared" or not layer["policies"]
        assert layer["why"]
        assert layer["title"]
        for one in statements(layer):
            assert one["applies"] == all(clause["matched"] for clause in one["clauses"])
            assert all(clause["why"] for clause in one["clauses"])
    tell(verdict)


def tell(verdict):
    """The words of a verdict: one sentence, and every layer in each rendering."""
    sentence = verdict.sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert " None" not in sentence
    if verdict.decided_by.index is not None:
        assert verdict.decided_by.number.lower() in sentence.lower()
    text, tree, picture = verdict.explain(), explain.tree(verdict), explain.picture(verdict)
    marks = 1 + bool(verdict.place or verdict.grant)
    assert text.count("◀ decides") == tree.count('class="kms-decides"') == marks
    assert picture.count('class="kms-decides"') == 1
    assert picture.count("<li class") - 1 == tree.count('"kms-layer"') == len(verdict.trace.layers)
    assert tree.count("<details") == tree.count("</details>")
    assert tree.count("<ul") == tree.count("</ul>")


@pytest.mark.parametrize("module", MODULES)
def test_every_scenario_explains_itself(module):
    """
    The rules applied to the trace's data give decision, reason and deciding layer; so do each layer's outcomes.
    """
    for case in importlib.import_module(module).CASES:
        verdict = decide(case.scenario)
        for one in (verdict, *verdict.earlier):
            check(one)


@given(worlds())
def test_random_worlds_explain_themselves(world):
    """
    The same holds in any world.
    """
    verdict = decide(world)
    for one in (verdict, *verdict.earlier):
        check(one)
