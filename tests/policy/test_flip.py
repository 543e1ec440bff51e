"""The smallest edit that flips a verdict: it does flip it, nothing smaller does, and there is none only where nothing
can."""

import copy
import importlib
import itertools
import json
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kms_lab.policy import edits as candidates
from kms_lab.policy import patch, wishes
from kms_lab.policy.document import ConditionTest
from kms_lab.policy.edits import Check, Reach
from kms_lab.policy.flip import apply, flip, flips
from kms_lab.policy.match import condition
from kms_lab.policy.scenario import ScenarioError, decide, verdicts_of

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "scenarios"))
sys.path.insert(0, str(HERE))

from build import (  # noqa: E402
    AWAY,
    DELEGATES,
    FULL_ACCESS,
    HOME,
    KEY,
    allow,
    deny,
    federated,
    grant,
    policy,
    role,
    root,
    scenario,
    service,
    user,
)
from worlds import worlds  # noqa: E402

DANA, ERIN, APP = f"arn:aws:iam::{HOME}:user/dana", f"arn:aws:iam::{HOME}:user/erin", f"arn:aws:iam::{HOME}:role/App"
ACCOUNT = f"arn:aws:iam::{HOME}:root"
MODULES = sorted(path.stem for path in (HERE / "scenarios").glob("*.py") if path.stem not in ("build", "__init__"))
CASES = [case for module in MODULES for case in importlib.import_module(module).CASES]
TENANT = {"StringEquals": {"kms:EncryptionContext:tenant": "a"}}
random_worlds = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


# ------------------------------------------------------------------ edits made without the candidates of the search


def documents_of(document):
    """Every policy of a scenario: its kind, a way to put another in its place, and itself."""

    def entry(kind, holder, name):
        return kind, lambda new: holder.__setitem__(name, new), holder[name]

    owners = [document, *document.get("also", [])]
    for owner in owners:
        if owner.get("key_policy") is not None:
            yield entry("key", owner, "key_policy")
        for number in range(len(owner.get("identity_policies") or [])):
            yield entry("identity", owner["identity_policies"], number)
        for level in owner.get("rcps") or []:
            for number in range(len(level)):
                yield entry("rcp", level, number)
    for kind, field in (("identity", "permissions_boundary"), ("identity", "session_policy"), ("vpce", "vpce_policy")):
        if document.get(field) is not None:
            yield entry(kind, document, field)
    for level in document.get("scps") or []:
        for number in range(len(level)):
            yield entry("scp", level, number)


def statements_of(document):
    listed = document["Statement"]
    return listed if isinstance(listed, list) else [listed]


def everything(kind):
    principal = {"Principal": "*"} if kind in ("key", "vpce") else {}
    return {"Effect": "Allow", **principal, "Action": "*", "Resource": "*"}


def is_aws_managed(document):
    return any(
        (asked.get("key") or {}).get("manager") == "AWS" for asked in (document["request"], *document.get("also", []))
    )


def single_edits(document):
    """Scenarios from which one deny was removed, or to which one allow of everything was added."""
    policies = len(list(documents_of(document)))
    for number in range(policies):
        kind, _, old = list(documents_of(document))[number]
        if kind == "key" and is_aws_managed(document):
            continue
        for at, statement in enumerate(statements_of(old)):
            if statement["Effect"] == "Deny":
                changed = copy.deepcopy(document)
                _, put, before = list(documents_of(changed))[number]
                others = [one for index, one in enumerate(statements_of(before)) if index != at]
                put({**before, "Statement": others or [{**everything(kind), "Action": "s3:*", "Effect": "Allow"}]})
                if kind != "rcp" or others:
                    yield changed
                else:
                    put({**before, "Statement": [{**statement, "Action": "s3:*"}]})
                    yield changed
        if kind != "rcp":
            changed = copy.deepcopy(document)
            _, put, before = list(documents_of(changed))[number]
            put({**before, "Statement": [*statements_of(before), everything(kind)]})
            yield changed
    for owner in range(1 + len(document.get("also", []))):
        changed = copy.deepcopy(document)
        holder = [changed, *changed.get("also", [])][owner]
        if owner == 0 or "identity_policies" in holder:
            holder["identity_policies"] = [*(holder.get("identity_policies") or []), FULL_ACCESS]
            yield changed
    for level in range(len(document.get("scps") or [])):
        changed = copy.deepcopy(document)
        changed["scps"][level].append(FULL_ACCESS)
        yield changed
    if document["request"]["principal"]["type"] == "federated-user" and document.get("session_policy") is None:
        yield {**document, "session_policy": FULL_ACCESS}
    yield from without_a_policy(document)
    yield from other_contexts(document)
    yield from more_grants(document)


def without_a_policy(document):
    """Scenarios from which one policy was taken whole; a key has always one, and an endpoint too."""
    for owner in range(1 + len(document.get("also", []))):
        for field in ("identity_policies", "scps", "rcps", "permissions_boundary", "session_policy"):
            found = [document, *document.get("also", [])][owner].get(field) or []
            paths = [[]] if isinstance(found, dict) else [[at] for at in range(len(found))]
            if field in ("scps", "rcps"):
                paths = [[level, at] for level, policies in enumerate(found) for at in range(len(policies))]
            for path in paths:
                changed = copy.deepcopy(document)
                holder = [changed, *changed.get("also", [])][owner]
                *way, last = [field, *path]
                for part in way:
                    holder = holder[part]
                del holder[last]
                yield changed


def other_contexts(document):
    """Scenarios in which the request has one value more, or another, or none, as far as policies mention it."""
    mentioned = {}
    for _, _, data in documents_of(document):
        for statement in statements_of(data):
            for tests in statement.get("Condition", {}).values():
                for key, values in tests.items():
                    listed = values if isinstance(values, list) else [values]
                    mentioned.setdefault(key, set()).update(str(value) for value in listed)
    asked = document["request"]
    for key, values in mentioned.items():
        if wishes.is_fact(key, asked["action"], document.get("key_policy") is not None):
            continue
        others = {name: value for name, value in (asked.get("context") or {}).items() if name.lower() != key.lower()}
        pairs = asked.get("encryption_context")
        for value in (None, "other", *sorted(values)):
            if not key.lower().startswith("kms:encryptioncontext"):
                yield {**document, "request": {**asked, "context": {**others, **({key: value} if value else {})}}}
            elif pairs is not None and key.count(":") == 2:
                name = key.rpartition(":")[2]
                rest = {one: text for one, text in pairs.items() if one.lower() != name.lower()}
                sent = {**rest, **({name: value} if value else {})}
                yield {**document, "request": {**asked, "encryption_context": sent}}


def more_grants(document):
    """Scenarios with one more grant to the caller, on a key that is not AWS's."""
    asked, who = document["request"], document["request"]["principal"]
    operation = asked["action"].partition(":")[2]
    granted = ("Encrypt", "Decrypt", "DescribeKey", "CreateGrant", "GenerateDataKey", "Sign")
    if is_aws_managed(document) or document.get("key_policy") is None or operation not in granted:
        return
    for name in {who.get("arn"), who.get("role_arn"), who.get("user_arn")} - {None}:
        if name.startswith("arn:"):
            child = asked.get("params", {}).get("Operations", [])
            made = grant(name, *dict.fromkeys((operation, *child)), key=asked["resource"], grant_id="f" * 64)
            yield {**document, "grants": [*(document.get("grants") or []), made]}


def omnipotent(document):
    """The scenario without any deny, where every policy allows everything."""
    changed = copy.deepcopy(document)
    fixed = is_aws_managed(document)
    for kind, put, old in list(documents_of(changed)):
        if kind == "key" and fixed:
            continue
        allows = [one for one in statements_of(old) if one["Effect"] == "Allow"]
        if kind == "rcp":
            put(policy(deny("s3:*", "*")))
        else:
            put({**old, "Statement": [*allows, everything(kind)]})
    for owner in (changed, *changed.get("also", [])):
        if owner is changed or "identity_policies" in owner:
            owner["identity_policies"] = [*(owner.get("identity_policies") or []), FULL_ACCESS]
    changed["scps"] = [[*level, FULL_ACCESS] for level in changed.get("scps") or []]
    if changed["request"]["principal"]["type"] == "federated-user" and changed.get("session_policy") is None:
        changed["session_policy"] = FULL_ACCESS
    return changed


def opened(document):
    """A scenario whose policies are no texts."""
    return apply(document, [])


def crowd(document, chance):
    """The scenario with many more statements in its policies, and with more policies."""
    crowded = copy.deepcopy(opened(document))
    action, who = crowded["request"]["action"], crowded["request"]["principal"]

    def statement(kind):
        effect = deny if kind == "rcp" or chance.random() < 0.5 else allow
        whom = chance.choice(["*", who.get("role_arn") or who["arn"]]) if who["type"] != "anonymous" else "*"
        if kind in ("identity", "scp"):
            whom = None
        elif kind != "key" or who["type"] == "service":
            whom = "*"
        key = chance.choice(["kms:ViaService", "aws:PrincipalTag/team", "kms:EncryptionContext:x", "aws:SourceIp"])
        condition = {chance.choice(["StringEquals", "StringNotEquals"]): {key: chance.choice("ab")}}
        more = {"Condition": condition} if chance.random() < 0.35 else {}
        return effect(chance.choice([action, "kms:*", "kms:Sign"]), whom, **more)

    def several(kind, most):
        return [statement(kind) for _ in range(chance.randint(1, most))]

    for kind, put, old in list(documents_of(crowded)):
        if kind != "rcp" and chance.random() < 0.8:
            statements = [*statements_of(old), *several(kind, 4)]
            chance.shuffle(statements)
            put({**old, "Statement": statements})
    crowded["identity_policies"] = [
        *(crowded.get("identity_policies") or []),
        *(policy(*several("identity", 5)) for _ in range(chance.randint(0, 2))),
    ]
    for field, kind, fewest in (("scps", "scp", 0), ("rcps", "rcp", 1)):
        if chance.random() < 0.5:
            levels = [range(chance.randint(fewest, 2)) for _ in range(chance.randint(1, 4))]
            crowded[field] = [[policy(*several(kind, 4)) for _ in level] for level in levels]
    return crowded


def check_flip(document):
    """All claims about the flip of one scenario."""
    before = json.dumps(document, sort_keys=True)
    verdict = decide(document)
    found = flip(document)
    assert json.dumps(document, sort_keys=True) == before
    if found is None:
        assert not verdict.allowed
        assert not decide(omnipotent(opened(document))).allowed
        return
    after = decide(apply(document, found.edits))
    assert after.allowed is not verdict.allowed
    assert (after.decision, after.reason) == (found.verdict.decision, found.verdict.reason)
    assert found.document == apply(document, found.edits)
    assert json.loads(json.dumps(found.to_data()))["decision"] == after.decision
    if verdict.allowed:
        assert len(found.edits) == 1
    elif len(found.edits) > 1:
        assert not any(decide(one).allowed for one in single_edits(opened(document)))
        assert not any(decide(one).allowed for one in candidate_singles(opened(document)))
    if len(found.edits) > 2 and len(list(single_edits(opened(document)))) < 12:
        assert not any(decide(two).allowed for one in single_edits(opened(document)) for two in single_edits(one))


def candidate_singles(document):
    """Scenarios after each single edit that the search would think of, for whatever need."""
    for number, verdict in enumerate(verdicts_of(document)):
        check = Check(document, number, verdict)
        groups = [candidates.ways(check)]
        groups += [candidates.loosened(check, *found) for found in candidates.applying(check, "Deny")]
        groups += [candidates.silence(check, "scp", level) for level in range(len(document.get("scps") or []))]
        groups += [candidates.silence(check, layer) for layer in ("vpce", "boundary", "session-policy")]
        for group in itertools.chain(*groups):
            if len(group) > 1 or (group[0].layer == "key-policy" and check.layers.aws_managed):
                continue
            if group[0].op[0]["path"] == "/vpce_policy":
                continue
            try:
                changed = apply(document, group)
                decide(changed)
            except (LookupError, ScenarioError):
                continue
            yield changed


class TestFlip:
    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
    def test_it_flips_and_nothing_smaller_does(self, case):
        """
        The edits flip the verdict of the scenario; fewer do not; there are none only where no policy could help.
        """
        check_flip(case.scenario)

    @random_worlds
    @given(worlds())
    def test_it_flips_random_worlds(self, document):
        """
        The same holds of random worlds.
        """
        check_flip(document)

    @settings(random_worlds, max_examples=120)
    @given(st.sampled_from(CASES), st.randoms(use_true_random=False))
    def test_it_flips_crowded_worlds(self, case, chance):
        """
        However many denies and silent layers stand in the way, the answer flips; None is for what nothing can flip.
        """
        crowded = crowd(case.scenario, chance)
        verdict, found = decide(crowded), flip(crowded)
        if found is None:
            assert not verdict.allowed
            assert not decide(omnipotent(crowded)).allowed
        else:
            assert decide(apply(crowded, found.edits)).allowed is not verdict.allowed

    def test_an_edit_that_a_later_one_makes_needless_is_left_out(self):
        """
        Of two denies in an endpoint policy none is removed first, where the policy is then written anew.
        """
        closed = policy(deny("kms:Decrypt", "*"), deny("kms:*", "*"))
        shut = scenario(user(), "kms:Decrypt", policy(allow("kms:*", DANA)), vpce_policy=closed)
        found = flip(shut)

        assert [edit.layer for edit in found.edits] == ["vpce"]
        assert decide(apply(shut, found.edits)).allowed

    def test_a_world_with_too_many_ways(self):
        """
        Where there is more in the way than can be searched, the answer still flips.
        """
        near = [allow(f"kms:{name}") for name in ("Sign", "Verify", "Encrypt", "ReEncrypt*")]
        shut = scenario(
            user(),
            "kms:Decrypt",
            policy(*[deny("kms:*", DANA)] * 5, allow("kms:*", ACCOUNT)),
            policy(*near, *[deny("kms:*")] * 5),
            scps=[[policy(*near, *[deny("kms:*")] * 5)]] * 12,
            rcps=[[policy(*[deny("kms:*", "*")] * 5)]] * 12,
            permissions_boundary=policy(*near, *[deny("kms:*")] * 5),
        )
        found = flip(shut)

        assert decide(apply(shut, found.edits)).allowed

    @random_worlds
    @given(worlds())
    def test_others_come_in_order(self, document):
        """
        Several ways to flip come best first, all flip, none contains another, and the first is the one.
        """
        found = flips(document, limit=4)

        ranks = [(len(one.edits), sum(e.size for e in one.edits), sum(e.reach for e in one.edits)) for one in found]
        assert ranks == sorted(ranks)
        assert all(decide(apply(document, one.edits)).allowed is not decide(document).allowed for one in found)
        words = [{edit.words for edit in one.edits} for one in found]
        assert not any(one <= other for one, other in itertools.combinations(words, 2))
        assert [one.sentence for one in found[:1]] == [one.sentence for one in [flip(document)] if one]

    def test_one_of_several_edits_alone_does_not_do(self):
        """
        Of a flip of several edits none can be left out.
        """
        shut = scenario(user(), "kms:Decrypt", DELEGATES, policy(deny("kms:Decrypt")), scps=[[policy(allow("s3:*"))]])
        for found in flips(shut):
            for left_out in range(len(found.edits)):
                fewer = [edit for number, edit in enumerate(found.edits) if number != left_out]
                assert not decide(apply(shut, fewer)).allowed


NOTHING = policy(allow("s3:*"))
MANY = policy(*(allow(f"kms:{name}") for name in ("Sign", "Verify", "Encrypt", "ReEncrypt*", "GenerateMac")))
TO_ALLOW = {
    "the action is missing in the statement": (
        scenario(user(), "kms:Decrypt", DELEGATES, policy(allow("kms:Encrypt", Sid="Use"))),
        ['Add kms:Decrypt to the Action of statement "Use" of identity policy 1'],
    ),
    "the resource is another": (
        scenario(user(), "kms:Decrypt", DELEGATES, policy(allow("kms:Decrypt", resource=KEY[:-1] + "9"))),
        [f"Add {KEY} to the Resource of statement 1 of identity policy 1"],
    ),
    "the caller is not listed": (
        scenario(user(), "kms:Decrypt", policy(allow("kms:Decrypt", ERIN, Sid="Use"))),
        ['Add user/dana to the Principal of statement "Use" of the key policy'],
    ),
    "a role, not its session, is to be listed": (
        scenario(role(), "kms:Decrypt", policy(allow("kms:Decrypt", ERIN))),
        ["Add role/App to the Principal of statement 1 of the key policy"],
    ),
    "nobody is put beside an account": (
        scenario(user(), "kms:Decrypt", policy(allow("kms:*", [ACCOUNT, f"arn:aws:iam::{AWAY}:root"]))),
        ["Give the caller an identity policy that allows kms:Decrypt"],
    ),
    "IAM allows, and nobody lets it": (
        scenario(user(), "kms:Decrypt", policy(allow("kms:Encrypt", ACCOUNT)), policy(allow("kms:*"))),
        ["Add kms:Decrypt to the Action of statement 1 of the key policy"],
    ),
    "the root user is locked out": (
        scenario(root(), "kms:Decrypt", policy(allow("kms:*", DANA))),
        [f"Add account {HOME} to the Principal of statement 1 of the key policy"],
    ),
    "a service is not listed": (
        scenario(service("logs.eu-west-1.amazonaws.com"), "kms:Decrypt", DELEGATES),
        ["Add a statement to the key policy that allows logs.eu-west-1.amazonaws.com kms:Decrypt"],
    ),
    "a pair of the encryption context is missing": (
        scenario(user(), "kms:Decrypt", DELEGATES, policy(allow("kms:Decrypt", Condition=TENANT))),
        ["Send tenant=a in the encryption context"],
    ),
    "two pairs are missing, but one condition can go": (
        scenario(
            user(),
            "kms:Decrypt",
            DELEGATES,
            policy(
                allow(
                    "kms:Decrypt",
                    Sid="Use",
                    Condition={"StringEquals": {"kms:EncryptionContext:tenant": "a", "kms:EncryptionContext:app": "b"}},
                )
            ),
        ),
        ['Drop the conditions of statement "Use" of identity policy 1'],
    ),
    "a fact of the caller is no edit of the request": (
        scenario(
            user(),
            "kms:Decrypt",
            DELEGATES,
            policy(allow("kms:Decrypt", Condition={"StringEquals": {"aws:PrincipalAccount": AWAY}})),
            context={"aws:PrincipalAccount": HOME},
        ),
        [f"Add {HOME} to the aws:PrincipalAccount of statement 1 of identity policy 1"],
    ),
    "no MFA": (
        scenario(
            user(),
            "kms:Decrypt",
            DELEGATES,
            policy(allow("kms:Decrypt")),
            policy(deny("kms:*", Condition={"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}})),
        ),
        ["Call with MFA (aws:MultiFactorAuthPresent = true)"],
    ),
    "a deny lists the action": (
        scenario(user(), "kms:Decrypt", DELEGATES, policy(allow("kms:*"), deny(["kms:Encrypt", "kms:Decrypt"]))),
        ["Take kms:Decrypt from the Action of statement 2 of identity policy 1"],
    ),
    "a deny that names the caller": (
        scenario(user(), "kms:Decrypt", policy(allow("kms:*", DANA), deny("kms:*", [ERIN, DANA], Sid="No"))),
        ['Take user/dana from the Principal of statement "No" of the key policy'],
    ),
    "a deny without more": (
        scenario(user(), "kms:Decrypt", DELEGATES, policy(allow("kms:*"), deny("kms:*", Sid="No"))),
        ['Remove statement "No" of identity policy 1'],
    ),
    "three denies of one policy, where policies of accounts cannot be removed": (
        scenario(user(), "kms:Decrypt", policy(allow("kms:*", DANA), *(deny("kms:*", DANA, Sid=sid) for sid in "ABC"))),
        [f'Remove statement "{sid}" of the key policy' for sid in "ABC"],
    ),
    "two denies of one RCP": (
        scenario(user(), "kms:Decrypt", policy(allow("kms:*", DANA)), rcps=[[policy(*[deny("kms:*", "*")] * 2)]]),
        ["Remove RCP 1 of level 1"],
    ),
    "three denies of one identity policy that allows, too": (
        scenario(user(), "kms:Decrypt", DELEGATES, policy(allow("kms:*"), *[deny("kms:*")] * 3)),
        ["Remove identity policy 1", "Give the caller an identity policy that allows kms:Decrypt"],
    ),
    "identity policies that only deny": (
        scenario(user(), "kms:Decrypt", policy(allow("kms:*", DANA)), *[policy(deny("kms:*"))] * 3),
        [f"Remove identity policy {number}" for number in (1, 2, 3)],
    ),
    "a boundary that denies, and allows nothing": (
        scenario(
            user(), "kms:Decrypt", DELEGATES, FULL_ACCESS, permissions_boundary=policy(deny("kms:*"), allow("s3:*"))
        ),
        ["Take the permissions boundary off"],
    ),
    "many ways at every one of seven layers": (
        scenario(
            user(), "kms:Decrypt", DELEGATES, MANY, permissions_boundary=MANY, session_policy=MANY, scps=[[MANY]] * 4
        ),
        [
            *(f"Add kms:Decrypt to the Action of statement 1 of SCP 1 of level {level}" for level in (1, 2, 3, 4)),
            "Add a statement to the key policy that allows user/dana kms:Decrypt",
        ],
    ),
    "an SCP is silent": (
        scenario(user(), "kms:Decrypt", DELEGATES, policy(allow("kms:*")), scps=[[FULL_ACCESS], []]),
        ["Attach an SCP to level 2 that allows kms:Decrypt"],
    ),
    "a boundary is silent": (
        scenario(
            user(), "kms:Decrypt", DELEGATES, policy(allow("kms:*")), permissions_boundary=policy(allow("kms:List*"))
        ),
        ["Add kms:Decrypt to the Action of statement 1 of the permissions boundary"],
    ),
    "an endpoint policy names another": (
        scenario(user(), "kms:Decrypt", DELEGATES, policy(allow("kms:*")), vpce_policy=policy(allow("kms:*", ERIN))),
        ["Add user/dana to the Principal of statement 1 of the endpoint policy"],
    ),
    "a federated user without permissions": (
        scenario(federated(), "kms:Decrypt", DELEGATES, policy(allow("kms:*"))),
        ["Give the caller the session policy that allows kms:Decrypt"],
    ),
    "a grant wants a pair": (
        scenario(
            role(),
            "kms:Decrypt",
            policy(allow("kms:*", ERIN)),
            grants=[grant(APP, "Decrypt", constraints={"EncryptionContextSubset": {"tenant": "a"}})],
            encryption_context={"app": "x"},
        ),
        ["Send tenant=a in the encryption context"],
    ),
    "a grant without the operation": (
        scenario(role(), "kms:Sign", DELEGATES, grants=[grant(APP, "Decrypt")]),
        ["Add kms:Sign to grant aaaaaaaa"],
    ),
    "a grant too new": (
        scenario(
            role(),
            "kms:Decrypt",
            DELEGATES,
            grants=[grant(APP, "Decrypt", status="pending-consistency", grant_token="T")],
        ),
        ["Pass the token of grant aaaaaaaa in the request"],
    ),
    "a grant that has ended": (
        scenario(
            role(),
            "kms:Decrypt",
            policy(allow("kms:*", ERIN, Condition=TENANT)),
            grants=[grant(APP, "Decrypt", status="revoked")],
        ),
        ["Make the ended grant aaaaaaaa again"],
    ),
    "the grant to retire names nobody": (
        scenario(user(account=AWAY), "kms:RetireGrant", DELEGATES, grants=[grant(APP, "Decrypt")]),
        ["Name user/dana as retiring principal of grant aaaaaaaa"],
    ),
    "both halves across accounts are missing: a grant is both": (
        scenario(user(account=AWAY), "kms:Decrypt", policy(allow("kms:*", ERIN))),
        ["Make a grant that lets user/dana call kms:Decrypt"],
    ),
    "both halves, and no grant can permit it": (
        scenario(user(account=AWAY), "kms:ListGrants", policy(allow("kms:*", ERIN))),
        [
            "Add user/dana to the Principal of statement 1 of the key policy",
            "Give the caller an identity policy that allows kms:ListGrants",
        ],
    ),
    "identity policy, boundary and SCP": (
        scenario(
            role(),
            "kms:PutKeyPolicy",
            DELEGATES,
            NOTHING,
            permissions_boundary=policy(deny("kms:Sign"), allow("s3:*")),
            scps=[[NOTHING]],
        ),
        [
            "Add a statement to the key policy that allows assumed-role/App/job kms:PutKeyPolicy",
            "Add kms:PutKeyPolicy to the Action of statement 1 of SCP 1 of level 1",
        ],
    ),
    "two checks, one edit": (
        scenario(
            user(),
            "kms:ReEncryptFrom",
            policy(allow("kms:ReEncrypt*", DANA)),
            scps=[[policy(allow("s3:*"), allow("kms:ReEncrypt*", Condition=TENANT))]],
            encryption_context={"app": "x"},
            also=[
                {
                    "action": "kms:ReEncryptTo",
                    "resource": KEY,
                    "resource_account": HOME,
                    "key_policy": policy(allow("kms:ReEncrypt*", DANA)),
                }
            ],
        ),
        ["Send tenant=a in the encryption context"],
    ),
    "an AWS managed key is used through its service": (
        scenario(
            user(),
            "kms:Decrypt",
            policy(
                allow(
                    "kms:Decrypt",
                    "*",
                    Condition={
                        "StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com", "kms:CallerAccount": HOME}
                    },
                )
            ),
            context={"kms:CallerAccount": HOME},
            key={"manager": "AWS"},
        ),
        ["Make the call through s3 (kms:ViaService = s3.eu-west-1.amazonaws.com)"],
    ),
}

TO_DENY = {
    "one action of several": (
        scenario(user(), "kms:Decrypt", DELEGATES, policy(allow(["kms:Encrypt", "kms:Decrypt"]))),
        "Take kms:Decrypt from the Action of statement 1 of identity policy 1",
    ),
    "one principal of several": (
        scenario(user(), "kms:Decrypt", policy(allow("kms:*", [ERIN, DANA]))),
        "Take user/dana from the Principal of statement 1 of the key policy",
    ),
    "a grant": (
        scenario(role(), "kms:Decrypt", policy(allow("kms:*", ERIN)), grants=[grant(APP, "Decrypt")]),
        "End grant aaaaaaaa",
    ),
    "two ways at once": (
        scenario(user(), "kms:Decrypt", policy(allow("kms:*", [ERIN, DANA])), NOTHING, grants=[grant(DANA, "Decrypt")]),
        "Add a statement to identity policy 1 that denies kms:Decrypt",
    ),
    "the root user, whom only an SCP binds": (
        scenario(root(), "kms:CreateKey", None, resource="*"),
        "Bind the caller's account by an SCP that denies kms:CreateKey",
    ),
}


class TestAnswers:
    @pytest.mark.parametrize("name", TO_ALLOW)
    def test_what_would_allow(self, name):
        """
        The answer is the edit that somebody who knows would make.
        """
        document, words = TO_ALLOW[name]
        found = flip(document)

        assert found.verdict.allowed
        assert sorted(edit.words for edit in found.edits) == sorted(words)

    @pytest.mark.parametrize("name", TO_DENY)
    def test_what_would_deny(self, name):
        """
        So it is where the request is allowed, and is to be refused.
        """
        document, words = TO_DENY[name]
        found = flip(document)

        assert not found.verdict.allowed
        assert [edit.words for edit in found.edits] == [words]

    @pytest.mark.parametrize(
        "document",
        [
            scenario(user(account=AWAY), "kms:DisableKey", policy(allow("kms:*", "*")), policy(allow("kms:*"))),
            scenario(user(), "kms:DisableKey", policy(allow("kms:DescribeKey", ACCOUNT)), policy(allow("kms:*")),
                     key={"manager": "AWS"}),
        ],
        ids=["an operation that does not work across accounts", "an AWS managed key, whose policy is AWS's"],
    )  # fmt: skip
    def test_what_nothing_would_allow(self, document):
        """
        There is no answer where no policy has a say.
        """
        assert flip(document) is None
        assert flips(document) == []

    def test_the_sentence(self):
        """
        The sentence counts the edits, says what would come of them, and lists them.
        """
        one = flip(TO_ALLOW["no MFA"][0])
        two = flip(TO_ALLOW["both halves, and no grant can permit it"][0])

        assert one.sentence == "One edit would make it ALLOW: call with MFA (aws:MultiFactorAuthPresent = true)."
        assert two.sentence == (
            "Two edits would make it ALLOW: add user/dana to the Principal of statement 1 of the key policy;"
            " then give the caller an identity policy that allows kms:ListGrants."
        )

    def test_it_gives_away_least(self):
        """
        Of two edits of the same size the one to the request comes first, and what falls for everybody comes last.
        """
        document, _ = TO_ALLOW["a pair of the encryption context is missing"]
        found = flips(document, limit=10)

        reaches = [one.edits[0].reach for one in found if len(one.edits) == 1 and one.edits[0].size == 1]
        assert reaches[0] is Reach.REQUEST
        assert reaches[-1] is Reach.CONDITION

    def test_as_data(self):
        """
        A flip is JSON-ready, with its patches as RFC 6902 writes them.
        """
        found = flip(TO_ALLOW["the action is missing in the statement"][0])

        assert json.loads(json.dumps(found.to_data())) == {
            "sentence": found.sentence,
            "decision": "ALLOW",
            "edits": [
                {
                    "op": [
                        {
                            "op": "replace",
                            "path": "/identity_policies/0/Statement/0/Action",
                            "value": ["kms:Encrypt", "kms:Decrypt"],
                        }
                    ],
                    "words": 'Add kms:Decrypt to the Action of statement "Use" of identity policy 1',
                    "layer": "identity-policy",
                }
            ],
        }

    def test_policies_as_text(self):
        """
        Policies that are given as JSON texts are edited like those that are given as documents.
        """
        document, _ = TO_ALLOW["the caller is not listed"]
        texts = {**document, "key_policy": json.dumps(document["key_policy"])}

        assert flip(texts).to_data() == flip(document).to_data()
        assert decide(apply(texts, flip(texts).edits)).allowed

    def test_derived_context_follows(self):
        """
        Where the context spells an encryption context out, an edit of the one is an edit of the other.
        """
        document = scenario(
            user(),
            "kms:Decrypt",
            DELEGATES,
            policy(
                allow(
                    "kms:Decrypt",
                    Condition={**TENANT, "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["tenant"]}},
                )
            ),
            context={"kms:EncryptionContext:tenant": "b", "kms:EncryptionContextKeys": ["tenant"]},
        )
        found = flip(document)

        assert found.document["request"]["context"] == {
            "kms:EncryptionContext:tenant": "a", "kms:EncryptionContextKeys": ["tenant"]
        }  # fmt: skip

    def test_a_child_grant_keeps_its_own_terms(self):
        """
        A new grant that is narrowed to its parent's terms keeps those of its own.
        """
        source = f"arn:aws:ec2:eu-west-1:{HOME}:volume/vol-1"
        document = scenario(
            role(),
            "kms:CreateGrant",
            policy(allow("kms:*", ERIN)),
            grants=[grant(APP, "CreateGrant", "Decrypt", constraints={"EncryptionContextSubset": {"a": "1"}})],
            params={"Operations": ["Decrypt", "Encrypt"], "Constraints": {"SourceArn": source}},
        )
        asked = flip(document).document["request"]["params"]

        assert asked == {
            "Operations": ["Decrypt"],
            "Constraints": {"EncryptionContextSubset": {"a": "1"}, "SourceArn": source},
        }

    @pytest.mark.parametrize("absent", [{}, {"identity_policies": None, "grants": None}])
    def test_fields_that_are_not_there(self, absent):
        """
        What a scenario leaves out, or says is nothing, can be added to.
        """
        asked = scenario(user(), "kms:Decrypt", policy(allow("kms:*", "arn:aws:iam::111122223333:user/erin")))
        document = {"request": asked["request"], "key_policy": asked["key_policy"], **absent}
        delegated = {**document, "key_policy": DELEGATES}

        assert flip(delegated).document["identity_policies"] == [policy(allow("kms:Decrypt", resource=KEY))]
        given = [one.document.get("grants") for one in flips(document, limit=20)]
        assert [grants[0]["grantee_principal"] for grants in given if grants] == [DANA]

    def test_ways_to_retire(self):
        """
        A grant can be retired by whom it names so, by a grantee with that operation, and by whom IAM lets do it.
        """
        document = scenario(role(), "kms:RetireGrant", DELEGATES, grants=[grant(APP, "Decrypt")])

        assert {one.sentence.partition(": ")[2] for one in flips(document, limit=10) if len(one.edits) == 1} == {
            "add kms:RetireGrant to grant aaaaaaaa.",
            "name role/App as retiring principal of grant aaaaaaaa.",
            "name assumed-role/App/job as retiring principal of grant aaaaaaaa.",
            "give the caller an identity policy that allows kms:RetireGrant.",
        }

    def test_a_verdict_is_a_question_too(self):
        """
        A verdict can be asked about as well as its scenario.
        """
        document, _ = TO_ALLOW["an SCP is silent"]

        assert flip(decide(document)).sentence == flip(document).sentence


class TestWishes:
    @pytest.mark.parametrize(
        ("operator", "key", "wanted", "context", "first"),
        [
            ("StringEquals", "kms:ViaService", "s3.*", {}, "s3.*"),
            ("StringLike", "kms:ViaService", "s3.*.amazonaws.com", {}, "s3.us-east-1.amazonaws.com"),
            ("StringLike", "kms:ViaService", "s3.*.amazonaws.com", {"aws:requestedregion": "eu-west-1"},
             "s3.eu-west-1.amazonaws.com"),
            ("StringLike", "kms:RequestAlias", "alias/??-*", {}, "alias/xx-example"),
            ("StringEquals", "aws:SourceIdentity", "${aws:username}", {"aws:username": "dana"}, "dana"),
            ("StringNotEquals", "kms:EncryptionContext:a", "b", {"kms:encryptioncontext:a": "b"}, None),
            ("Bool", "aws:MultiFactorAuthPresent", "true", {}, "true"),
            ("Null", "kms:EncryptionContext:a", "false", {}, "example"),
            ("Null", "kms:EncryptionContext:a", "true", {"kms:encryptioncontext:a": "b"}, None),
            ("NumericLessThan", "aws:MultiFactorAuthAge", "60", {}, "59"),
            ("NumericGreaterThan", "aws:MultiFactorAuthAge", "60", {}, "61"),
            ("DateGreaterThan", "aws:CurrentTime", "2026-01-01T00:00:00Z", {}, "2026-01-01T00:00:01Z"),
            ("DateLessThan", "aws:CurrentTime", "1767225600", {}, "2025-12-31T23:59:59Z"),
            ("IpAddress", "aws:SourceIp", "10.0.0.0/8", {}, "10.0.0.1"),
            ("NotIpAddress", "aws:SourceIp", "192.0.2.0/24", {"aws:sourceip": "192.0.2.9"}, None),
            ("StringLike", "kms:SigningAlgorithm", "RSASSA_PSS_SHA_???", {}, "RSASSA_PSS_SHA_256"),
            ("ForAllValues:StringEquals", "aws:TagKeys", "a", {"aws:tagkeys": ("a", "b")}, ("a",)),
            ("ForAnyValue:StringEquals", "aws:TagKeys", "a", {"aws:tagkeys": ("b",)}, ("b", "a")),
            ("ForAnyValue:StringEquals", "kms:EncryptionContextKeys", "a", {}, ("a",)),
        ],
    )  # fmt: skip
    def test_the_nearest_value(self, operator, key, wanted, context, first):
        """
        The first value with which a condition holds is the one nearest at hand, and each one does hold.
        """
        tested = condition(ConditionTest(operator, key, (wanted,)), True)
        found = list(wishes.values(tested, context))

        assert found[0] == first
        assert all(tested.holds(wishes.changed(context, tested.key, value)) for value in found)
        against = wishes.values(tested, context, holds=False)
        assert not any(tested.holds(wishes.changed(context, tested.key, value)) for value in against)

    @pytest.mark.parametrize(
        ("key", "action", "of_key", "fact"),
        [
            ("aws:PrincipalArn", "kms:Decrypt", True, True),
            ("kms:CallerAccount", "kms:Decrypt", True, True),
            ("aws:SourceIp", "kms:Decrypt", True, False),
            ("kms:KeySpec", "kms:Decrypt", True, True),
            ("kms:KeySpec", "kms:CreateKey", False, False),
            ("kms:EncryptionContext:tenant", "kms:Decrypt", True, False),
            ("kms:EncryptionContext:tenant", "kms:DescribeKey", True, True),
            ("kms:GrantOperations", "kms:Decrypt", True, True),
            ("kms:NoSuchKey", "kms:Decrypt", True, True),
        ],
    )
    def test_facts(self, key, action, of_key, fact):
        """
        Who calls, what the key is, and what KMS never sets with an operation, is no matter of the request.
        """
        assert wishes.is_fact(key, action, of_key) is fact


class TestPatch:
    #: Source: RFC 6902, appendix A
    EXAMPLES = (
        ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
        ({"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "qux"}], {"foo": ["bar", "qux", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
        ({"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, [{"op": "replace", "path": "/baz", "value": "boo"}],
         {"baz": "boo", "foo": "bar"}),
        ({"foo": "bar"}, [{"op": "add", "path": "/child", "value": {"grandchild": {}}}],
         {"foo": "bar", "child": {"grandchild": {}}}),
        ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}],
         {"foo": ["bar", ["abc", "def"]]}),
        ({"/": 9, "~1": 10}, [{"op": "replace", "path": "/~01", "value": 11}], {"/": 9, "~1": 11}),
    )  # fmt: skip

    @pytest.mark.parametrize(("before", "operations", "after"), EXAMPLES)
    def test_examples_of_the_rfc(self, before, operations, after):
        """
        The examples of RFC 6902 come out as it says, and what was given stays as it was.
        """
        kept = copy.deepcopy(before)

        assert patch.apply(before, operations) == after
        assert before == kept

    @pytest.mark.parametrize(
        ("operation", "error"),
        [
            ({"op": "add", "path": "/baz/bat", "value": "qux"}, LookupError),
            ({"op": "remove", "path": "/none"}, LookupError),
            ({"op": "replace", "path": "/none", "value": 1}, LookupError),
            ({"op": "remove", "path": "/list/1"}, LookupError),
            ({"op": "replace", "path": "/list/-", "value": 1}, LookupError),
            ({"op": "add", "path": "/list/2", "value": 1}, LookupError),
            ({"op": "test", "path": "/list", "value": 1}, ValueError),
        ],
    )
    def test_what_cannot_be_done(self, operation, error):
        """
        A path that leads nowhere, and an operation that is none of the three, are errors.
        """
        with pytest.raises(error):
            patch.apply({"list": [1]}, [operation])

    @pytest.mark.parametrize(
        ("operation", "size"),
        [
            (patch.replace(("a",), ["x", "y"]), 1),
            (patch.replace(("a",), "z"), 1),
            (patch.add(("b",), {"c": 1, "d": [1, 2]}), 3),
            (patch.remove(("l",)), 2),
            (patch.remove(("l", 0)), 1),
        ],
    )
    def test_size(self, operation, size):
        """
        Leaves that come or go are counted, a changed one once, and a list of one as its only element.
        """
        assert patch.size({"a": "x", "l": [1, 2]}, [operation]) == size
