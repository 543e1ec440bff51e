"""How many questions a second: iam-simulate and the lab, on one question, in turns.

The question: a user asks for DescribeKey; 20 statements in four policies, a condition on the context, no grant.
"""

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from kms_lab import Lab
from kms_lab.core.errors import KMSError
from kms_lab.policy import scenario
from kms_lab.policy.compiled import compile_policy
from kms_lab.policy.evaluate import decide
from kms_lab.service import gates
from kms_lab.service.operation import OPERATIONS, Call
from kms_lab.views import explain

ACCOUNT, REGION = "111122223333", "us-east-1"
ASKED = "kms:DescribeKey"
DANA = f"arn:aws:iam::{ACCOUNT}:user/dana"
#: rounds, each of which asks everybody once; the median of the rounds counts
ROUNDS, REPEAT, SECONDS = 5, 3000, 0.3

Document = dict[str, Any]


def key_policy() -> Document:
    """The account statement last, after a deny and three allows that do not fit."""
    account = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    verbs = (["kms:Encrypt", "kms:ReEncrypt*"], ["kms:Sign", "kms:Verify"], ["kms:GenerateMac", "kms:VerifyMac"])
    return _policy(
        {"Effect": "Deny", "Principal": "*", "Action": "kms:ScheduleKeyDeletion", "Resource": "*"},
        *({"Effect": "Allow", "Principal": account, "Action": action, "Resource": "*"} for action in verbs),
        {"Effect": "Allow", "Principal": account, "Action": "kms:*", "Resource": "*"},
    )


def identity_policies(last_action: str) -> list[Document]:
    """Three policies of five statements; the last statement of the last is the one that may fit."""
    resource = f"arn:aws:kms:*:{ACCOUNT}:key/*"
    deny = {"Effect": "Deny", "Action": ["kms:PutKeyPolicy", "kms:Schedule*"], "Resource": "*"}
    allow = {"Effect": "Allow", "Action": ["kms:Create*", "kms:Tag*", "kms:Enable*"], "Resource": resource}
    decisive = {
        "Effect": "Allow",
        "Action": last_action,
        "Resource": resource,
        "Condition": {"StringEquals": {"kms:CallerAccount": ["444455556666", ACCOUNT]}},
    }
    plain = _policy(deny, allow, allow, allow, allow)
    return [plain, plain, _policy(deny, allow, allow, allow, decisive)]


def question(last_action: str) -> Document:
    return {
        "request": {
            "principal": {"arn": DANA, "type": "user", "account": ACCOUNT},
            "action": ASKED,
            "resource": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "resource_account": ACCOUNT,
            "context": {"kms:CallerAccount": ACCOUNT},
        },
        "key_policy": key_policy(),
        "identity_policies": identity_policies(last_action),
    }


def measure(peer: Callable[[Document, int], Document]) -> list[tuple[str, float]]:
    """Return (what, questions a second), medians of the rounds. ``peer`` runs one scenario many times in run.mjs."""
    document = question(ASKED)
    ours = {**through_the_lab(), **from_documents(document)}
    found: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        answer = peer(document, REPEAT)
        if answer["result"] != "Allowed":
            raise SystemExit(f"iam-simulate answers the fixed question with {answer['result']}")
        for name, rate in answer["speed"].items():
            found.setdefault(f"iam-simulate {answer['version']}: {name}", []).append(rate)
        for name, work in ours.items():
            found.setdefault(name, []).append(_rate(work))
    return [(name, statistics.median(rates)) for name, rates in found.items()]


def through_the_lab() -> dict[str, Callable[[], object]]:
    """The lab's own ways: the authorization check alone, and a whole call."""
    allowed, refused = _Setting(ASKED), _Setting("kms:GetPublicKey")
    row = OPERATIONS["DescribeKey"]
    principal = allowed.lab._known(DANA)
    call = Call(row, allowed.lab.world, principal, REGION, {"KeyId": allowed.key})
    call.key = key = allowed.lab.key(allowed.key)

    def remembered() -> object:
        return gates.verdict_of(call, ASKED, key.arn, key.account, key)

    def anew() -> object:
        decide.cache_clear()
        return remembered()

    def answered() -> object:
        return allowed.client.describe_key(KeyId=allowed.key)

    def turned_away() -> object:
        try:
            return refused.client.describe_key(KeyId=refused.key)
        except KMSError as error:
            return error

    assert gates.verdict_of(call, ASKED, key.arn, key.account, key).reason == "iam-via-key-policy"
    assert answered()["KeyMetadata"]["KeyId"] == allowed.key  # type: ignore[index]
    assert isinstance(turned_away(), KMSError)
    return {
        "ours: the check in the lab, decided anew": anew,
        "ours: the check in the lab, asked again": remembered,
        "ours: a whole DescribeKey, allowed": answered,
        "ours: a whole DescribeKey, refused": turned_away,
    }


def from_documents(document: Document) -> dict[str, Callable[[], object]]:
    """From the scenario as data, with the whole explanation as text."""

    def whole() -> object:
        return explain.text(scenario.decide(document))

    def unknown() -> object:
        compile_policy.cache_clear()
        decide.cache_clear()
        return whole()

    assert "iam-via-key-policy" in str(whole())
    return {
        "ours: the scenario, explained in full": whole,
        "ours: the scenario, explained in full, policies never seen before": unknown,
        "ours: the scenario, decision and sentence": lambda: scenario.decide(document).sentence,
    }


class _Setting:
    """A lab with the key and the user of the question."""

    def __init__(self, last_action: str) -> None:
        self.lab = Lab(seed=1)
        made = self.lab.client(region=REGION).create_key(Policy=json.dumps(key_policy()))
        self.key = made["KeyMetadata"]["KeyId"]
        self.lab.iam.create_user("dana", policies=identity_policies(last_action))
        self.client = self.lab.client(DANA, region=REGION)


def _policy(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _rate(work: Callable[[], object]) -> float:
    """Calls a second, over about SECONDS."""
    work()
    done, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < SECONDS:
        for _ in range(20):
            work()
        done += 20
    return done / spent
