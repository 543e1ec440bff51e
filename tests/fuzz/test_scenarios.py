"""Changed scenarios: answered, or refused as no scenario; and an answer reads the same when it is written and read."""

import json
from functools import partial

from kms_lab.policy.scenario import ScenarioError, decide
from kms_lab.views import explain
from tests.fuzz.mutations import ODD, places, spoil_json
from tests.fuzz.oracle import cases, promptly
from tests.policy.test_scenarios import CASES

DOCUMENTS = [case.scenario for case in CASES]
LAYERS = (
    "identity_policies",
    "permissions_boundary",
    "session_policy",
    "vpce_policy",
    "scps",
    "rcps",
    "grants",
    "also",
)


def words(value):
    """Every name and text in a document."""
    found = set()
    for box, name in places(value):
        found.update(one for one in (name, box[name]) if isinstance(one, str))
    return found


WORDS = sorted(set().union(*map(words, DOCUMENTS)))


def changed(chance):
    """A scenario with layers of others, or with something spoiled."""
    document = json.loads(json.dumps(chance.choice(DOCUMENTS)))
    for name in chance.choices(LAYERS, k=3):
        donors = [other for other in chance.choices(DOCUMENTS, k=20) if name in other]
        if donors:
            document[name] = json.loads(json.dumps(chance.choice(donors)[name]))
    kind = chance.randrange(4)
    if kind == 0:
        return spoil_json(document, chance, WORDS)
    if kind == 1:
        box, name = chance.choice(places([document]))
        box[name] = chance.choice((*ODD, chance.choice(WORDS)))
    return document


def answered(document):
    """The verdict, told in every way; None for what is no scenario."""
    try:
        verdict = decide(document)
    except ScenarioError:
        return None
    json.dumps(verdict.to_data())
    assert explain.text(verdict)
    return verdict


def test_answered_or_refused(count):
    """A changed scenario is answered and explained, or refused as no scenario; written and read it says the same."""
    taken = 0
    for number, chance in cases("scenario", count(1500, 100_000)):
        document = changed(chance)
        note = f"{number}: {document!r:.6000}"
        try:
            verdict = promptly(partial(answered, document), note)
        except BaseException as fault:
            raise AssertionError(f"{type(fault).__name__} for {note}") from fault
        if verdict is None:
            continue
        taken += 1
        again = decide(json.loads(json.dumps(verdict.scenario())))
        assert (again.reason, again.decided_by) == (verdict.reason, verdict.decided_by), note
    assert taken > 0
