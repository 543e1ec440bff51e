"""Lesson 00: the lab itself. One call and the traces it leaves, the clock, and how progress is kept."""

import json
import re
from contextlib import suppress
from datetime import timedelta
from typing import Any

from kms_lab.core.clock import to_us
from kms_lab.core.errors import AccessDeniedException
from kms_lab.lab import ADMIN, Lab
from kms_lab.service.operation import NO_KEY, OPERATIONS
from kms_lab.teach.exercise import Exercise, Misconception, Outcome, Result, Solution, right, wrong
from kms_lab.teach.lesson import Lesson, LessonData, Objective
from kms_lab.teach.probe import Probe, Unfinished
from kms_lab.teach.question import Choice, Matching, Multiple, Option, Prediction

INTERN = "arn:aws:iam::111122223333:role/Intern"
APP = "arn:aws:iam::111122223333:role/App"
#: whoever tried in the night is one of these: another one for every learner
_NIGHT = ("Courier", "Gardener", "Painter")


def world(lab: Lab) -> dict[str, Any]:
    """A key named alias/orders that rotates yearly, an App at work all night, and one caller who was refused."""
    kms = lab.client()
    key = kms.create_key(Description="Orders")["KeyMetadata"]
    kms.create_alias(AliasName="alias/orders", TargetKeyId=key["KeyId"])
    kms.enable_key_rotation(KeyId=key["KeyId"])
    lab.iam.create_role("App", policies=[_allow(["kms:Encrypt", "kms:Decrypt"], key["Arn"])])
    lab.iam.create_role("Intern")
    stranger = lab.iam.create_role(_NIGHT[int(key["KeyId"][0], 16) % len(_NIGHT)])
    letter = kms.encrypt(KeyId="alias/orders", Plaintext=b"Welcome! Break anything you like. Only the rules are real.")
    lab.clock.travel(hours=12)
    order = lab.client(APP).encrypt(KeyId="alias/orders", Plaintext=b"order 42: two chairs")["CiphertextBlob"]
    for hour in range(12):
        lab.client(APP).decrypt(CiphertextBlob=order)
        if hour == 6:
            _refused(lab, stranger, order)
        lab.clock.travel(hours=1)
    return {"orders": key["KeyId"], "letter": letter["CiphertextBlob"], "intern": INTERN, "app": APP}


def _allow(actions: list[str], key: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": actions, "Resource": key}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _refused(lab: Lab, who: str, blob: bytes) -> None:
    with suppress(AccessDeniedException):
        lab.client(who).decrypt(CiphertextBlob=blob)


# ------------------------------------------------------------------------------ exercises


def _encrypted(probe: Probe, value: Any) -> Result:
    if probe.calls("Encrypt", ok=True, key="alias/orders"):
        return right("Your Encrypt stands in the trail. The key itself never left KMS.")
    if probe.calls("Encrypt", ok=True):
        return wrong("any-key-will-do", "You encrypted, but under another key than the one behind alias/orders.")
    refused = [call for call in _by_admin(probe) if call.operation == "Encrypt" and call.error]
    if not refused:
        return wrong("data-key-is-encrypt", "You called KMS, but no Encrypt is in the trail.")
    name = str(refused[-1].request.get("KeyId", ""))
    seen = f"Your Encrypt with the key name {name!r}, in {refused[-1].region}, was refused: {refused[-1].error}."
    if name == "orders":
        return wrong("alias-without-prefix", seen)
    return Result(Outcome.WRONG, seen)


def _by_admin(probe: Probe) -> list[Any]:
    """The learner's own calls, without those that the notebook makes for them."""
    shown = ("DescribeKey", "Decrypt")
    return [call for call in probe.calls(principal=ADMIN) if call.operation not in shown]


def _time_passed(probe: Probe, value: Any) -> Result:
    passed = probe.now - probe.given["start"]
    if passed >= timedelta(days=31):
        return right(f"{passed.days} days went by. The bill now stands at ${probe.lab.bill().total:,.2f}.")
    if passed >= timedelta(days=2):
        return Result(Outcome.WRONG, f"{passed.days} days went by, and that is not enough.")
    if passed > timedelta(0):
        return wrong("units", f"Only {passed} hours went by." if passed.days == 0 else f"Only {passed} went by.")
    return wrong("calls-move-time", "You made calls, but the clock still shows the same moment.")


def _refused_caller(probe: Probe, value: Any) -> Result:
    who = _role(value.strip())
    log = probe.lab.world.log
    entries = [entry for entry in map(log.entry, range(len(log))) if _role(str(entry.principal)) == who]
    refused = [entry for entry in entries if entry.error == "AccessDeniedException"]
    before = to_us(probe.given["start"])
    if any(entry.operation == "Decrypt" and entry.at_us < before for entry in refused):
        return right("A refused call leaves a trace too, with its error code.")
    if refused:
        return wrong("half-a-row", f"That caller was refused, with {refused[0].operation}. Look at the time as well.")
    if entries:
        return wrong("success-is-refusal", "That caller's rows have no errorCode: its calls worked.")
    return Result(Outcome.WRONG, "No caller in the trail has this name. Copy the whole ARN, from `arn:` to the end.")


def _role(arn: str) -> str:
    """A role's own ARN, whether the role or its session is given; other names stay as they are."""
    session = re.fullmatch(r"arn:aws:sts::(\d+):assumed-role/([^/]+)/.+", arn)
    return f"arn:aws:iam::{session[1]}:role/{session[2]}" if session else arn


def _may_decrypt_only(probe: Probe, value: Any) -> Result:
    key = probe.given["orders"]
    if not probe.may(INTERN, "kms:Decrypt", key):
        if probe.may(INTERN, "kms:Encrypt", key):
            return wrong("encrypt-includes-decrypt", "Intern may encrypt now, but a Decrypt is still refused.")
        if "kms:Decrypt" in json.dumps(probe.lab.iam.policies(INTERN)):
            seen = "Intern has a policy with kms:Decrypt in it, but its Resource does not match this key."
            return wrong("any-name-in-a-policy", seen)
        return wrong("key-opens-itself", "No policy of Intern allows kms:Decrypt, so a Decrypt is still refused.")
    if more := [action for action in _other_actions() if probe.may(INTERN, action, key)]:
        others = f" and {len(more) - 1} more calls" if len(more) > 1 else ""
        return wrong("broad-is-fine", f"Intern can decrypt, and may now also call {more[0]}{others}.")
    if probe.may(INTERN, "kms:Decrypt", probe.client().create_key()["KeyMetadata"]["KeyId"]):
        return wrong("broad-is-fine", "Intern can decrypt with the orders key, and with every other key you make.")
    return right("Intern may decrypt with the orders key. Every other call on it was tried, and is refused.")


def _other_actions() -> list[str]:
    """Every permission to do something with a key, except kms:Decrypt, the most harmful first."""
    actions = {row.permission for row in OPERATIONS.values() if row.target != NO_KEY and row.permission}
    worst = ("kms:ScheduleKeyDeletion", "kms:PutKeyPolicy", "kms:DisableKey", "kms:Encrypt")
    return [*worst, *sorted(actions - {*worst, "kms:Decrypt"})]


def _policies_touched(probe: Probe) -> bool:
    return bool(probe.lab.iam.policies(INTERN)) or bool(probe.calls("PutKeyPolicy"))


# ------------------------------------------------------------------------------ predictions


def _letter_opens(probe: Probe) -> str:
    if probe.now - probe.given["start"] < timedelta(days=3650):
        raise Unfinished
    return "b" if probe.code(lambda: probe.client().decrypt(CiphertextBlob=probe.given["letter"])) else "a"


def _intern_leaves(probe: Probe) -> str:
    by_intern = probe.calls(principal=INTERN)
    if not by_intern:
        raise Unfinished
    return "a" if by_intern[0].error else "c"


def _panel(lesson: Lesson) -> Any:
    from kms_lab.teach.widgets.lab_panel import LabPanel

    return LabPanel(lesson.lab, lesson.given.orders, INTERN)


def _with_start(lab: Lab) -> dict[str, Any]:
    return {**world(lab), "start": lab.clock.now}


LESSON = LessonData(
    number="00",
    title="Start here",
    minutes=20,
    goal="You know what the lab is, what every call leaves behind, and how your work is kept.",
    topics=("the lab", "clock, verdict, trail and bill", "progress", "what differs from AWS"),
    objectives=(
        Objective("call", "make a KMS call and read its answer"),
        Objective("clock", "let simulated time pass"),
        Objective("evidence", "find out what happened from trail, verdict and bill"),
        Objective("keep", "keep your work, and bring it back"),
        Objective("limits", "say what is true of AWS here and what is the lab's own"),
    ),
    misconceptions=(
        Misconception(
            "any-key-will-do", "Every key of an account is as good.", "A ciphertext opens with its own key only."
        ),
        Misconception(
            "alias-without-prefix",
            "An alias is given by its bare name.",
            "The prefix belongs to the name: alias/orders, not orders.",
        ),
        Misconception(
            "data-key-is-encrypt",
            "Any call with a key in it encrypts.",
            "Encrypt is a call of its own; making or describing a key encrypts nothing.",
        ),
        Misconception("units", "A number alone says how long.", "The unit is its name: days=, hours=, minutes=."),
        Misconception(
            "calls-move-time",
            "Working in the lab makes its time go by.",
            "The lab's clock stands still until you turn it, so that nothing happens behind your back.",
        ),
        Misconception(
            "refusals-leave-no-trace",
            "A refused call is as if it had never been made.",
            "CloudTrail records it, with the error code. That is how attempts are found.",
        ),
        Misconception(
            "success-is-refusal",
            "Whoever stands in the trail did something wrong.",
            "Every call stands there; only errorCode marks a refusal.",
        ),
        Misconception(
            "half-a-row",
            "An error code alone tells the story.",
            "A row says who, which call, when, and with what result. The story needs all four.",
        ),
        Misconception(
            "encrypt-includes-decrypt",
            "Whoever may encrypt may also decrypt.",
            "They are two permissions, and often two different people.",
        ),
        Misconception(
            "key-opens-itself",
            "Being in the account is enough to use its keys.",
            "Somebody has to be allowed: here by an identity policy, because the key policy leaves it to IAM.",
        ),
        Misconception(
            "broad-is-fine",
            "It does no harm to allow a little more.",
            "Each further call and each further key is one more way to do damage. Allow what the job needs.",
        ),
        Misconception(
            "any-name-in-a-policy",
            "A policy may name a key in any way.",
            "To allow the use of a key, Resource holds the key's ARN. An alias there means the alias itself.",
        ),
        Misconception(
            "rotation-breaks",
            "After a rotation old ciphertext no longer opens.",
            "KMS keeps every earlier key material and picks the right one.",
        ),
        Misconception(
            "variables-saved",
            "Python variables come back with the world.",
            "The world comes back: keys, clock, trail. Names in Python are set by running their cells again.",
        ),
        Misconception(
            "tool-mixed", "One view answers every question.", "Each view answers a question of its own kind."
        ),
    ),
    world=_with_start,
    exercises=(
        Exercise(
            id="q1",
            title="Your first ciphertext",
            stars=1,
            objectives=("call",),
            prompt="Encrypt a message of your own under `alias/orders`.",
            check=_encrypted,
            attempted=lambda probe: bool(_by_admin(probe)),
            hints=(
                "Type `kms.enc` and press Tab. Inside the brackets, Shift + Tab shows what the call takes.",
                'Encrypt takes two things: `KeyId`, here the alias, and `Plaintext`, your message as bytes (`b"..."`).',
                '`kms.encrypt(KeyId="alias/...", Plaintext=b"...")`',
            ),
            solution=Solution(
                code='with attempt():\n    kms.encrypt(KeyId="alias/orders", Plaintext=b"hello")\nlesson.q1.check()',
                why="In a call that uses a key, its alias can stand for it.",
            ),
            misconceptions=("any-key-will-do", "alias-without-prefix", "data-key-is-encrypt"),
        ),
        Exercise(
            id="q2",
            title="Who was refused?",
            stars=2,
            objectives=("evidence",),
            prompt="In the night somebody tried to decrypt an order, and was refused. Who was it?",
            check=_refused_caller,
            expects="the caller's ARN, as text",
            takes=str,
            hints=(
                "The five rows above are the newest only. `lab.trail()` has them all.",
                "Rows of refused calls have an `errorCode`; the others have NaN, pandas' word for empty.",
                'Look at `trail[trail["errorCode"].notna()]`, at the column `principal`, and at the time.',
            ),
            solution=Solution(
                code="""
trail = lab.trail()
refused = trail[trail["errorCode"].notna() & (trail["eventName"] == "Decrypt")]
caller = refused["principal"].iloc[0]
lesson.q2.check(caller)
""",
                why="A refusal is an event like any other, and the error code gives it away.",
            ),
            misconceptions=("success-is-refusal", "half-a-row"),
        ),
        Exercise(
            id="q3",
            title="Let Intern read, and no more",
            stars=2,
            objectives=("evidence", "call"),
            prompt="Give the role Intern a policy that lets it decrypt with the orders key, and nothing else.",
            check=_may_decrypt_only,
            attempted=_policies_touched,
            hints=(
                "The App's policy, shown above, has the right shape. What does it allow that Intern must not do?",
                "Copy the whole list, and change `Action` to the one call that reads.",
                "`lab.iam.put_policies(lesson.given.intern, [...])`, with the App's policy in the brackets and "
                '`"Action": "kms:..."` in it',
            ),
            solution=Solution(
                code="""
statement = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": lab.key("alias/orders").arn}
lab.iam.put_policies(lesson.given.intern, [{"Version": "2012-10-17", "Statement": [statement]}])
lesson.q3.check()
""",
                why="The key's own policy leaves the decision to IAM, so an identity policy is enough.",
            ),
            misconceptions=("encrypt-includes-decrypt", "any-name-in-a-policy", "key-opens-itself", "broad-is-fine"),
        ),
        Exercise(
            id="q4",
            title="A month goes by",
            stars=1,
            objectives=("clock", "evidence"),
            prompt="Let at least 31 days pass, so that a bill comes in.",
            check=_time_passed,
            attempted=lambda probe: probe.now != probe.given["start"] or bool(probe.calls("CreateKey")),
            hints=(
                "The clock is `lab.clock`.",
                "It moves when you tell it how far.",
                "`lab.clock.travel(days=...)`",
            ),
            solution=Solution(
                code="lab.clock.travel(days=31)\nlesson.q4.check()",
                why="Everything due on the way, such as a rotation or a deletion, happens at its own moment.",
            ),
            misconceptions=("units", "calls-move-time"),
        ),
    ),
    predictions=(
        Prediction(
            id="p1",
            prompt="Intern, whom no policy mentions, calls Encrypt. What will the trail show?",
            options=(
                Option("a", "The call, with an error code: it was refused", ""),
                Option(
                    "b",
                    "Nothing: a refused call never happened",
                    "It is there, with its error code.",
                    "refusals-leave-no-trace",
                ),
                Option(
                    "c",
                    "The call, and no error: Intern is in the account",
                    "Somebody must allow it first.",
                    "key-opens-itself",
                ),
            ),
            truth=_intern_leaves,
            why="No policy allowed the call, so KMS refused it. A refusal is recorded like any other call.",
            objectives=("evidence",),
        ),
        Prediction(
            id="p2",
            prompt="The orders key gets new key material every year. Will your letter still open in ten years?",
            options=(
                Option("a", "Yes, whatever the number of rotations", ""),
                Option(
                    "b",
                    "No, its key material has been replaced",
                    "Old material is kept for decryption.",
                    "rotation-breaks",
                ),
            ),
            truth=_letter_opens,
            why="Rotation adds new material for new encryption. The old ones stay, and still decrypt.",
            objectives=("clock",),
        ),
    ),
    questions=(
        Choice(
            id="z1",
            prompt="Which of these is the lab's own and not true of AWS?",
            objectives=("limits",),
            right="b",
            why="AWS does not publish the layout of a ciphertext. Everything else in the list is AWS's rule.",
            options=(
                Option("a", "A refused call is recorded in the trail", "AWS does the same.", "refusals-leave-no-trace"),
                Option("b", "The order of the bytes inside a ciphertext blob", "Yes. Only its size is AWS's."),
                Option(
                    "c", "A rotated key still opens old ciphertext", "AWS keeps old material too.", "rotation-breaks"
                ),
                Option(
                    "d", "Encrypt and Decrypt are two permissions", "So they are on AWS.", "encrypt-includes-decrypt"
                ),
            ),
        ),
        Multiple(
            id="z2",
            prompt="Your kernel is lost. What does `lesson.resume()` bring back?",
            objectives=("keep",),
            right=frozenset({"a", "b"}),
            why="The lab is saved after each cell that changed it. Python variables are not.",
            options=(
                Option("a", "The keys you made", "Yes: the whole world is saved."),
                Option("b", "The time on the lab's clock", "Yes: the clock belongs to the world."),
                Option("c", "Your variables, such as `blob`", "Run the cells that set them again.", "variables-saved"),
            ),
        ),
        Matching(
            id="z3",
            prompt="Which view answers which question?",
            objectives=("evidence",),
            items=(
                ("1", "Who called Decrypt last night?"),
                ("2", "Why was I refused?"),
                ("3", "What would this have cost?"),
            ),
            options=(
                Option("a", "lab.bill()", "It prices keys and requests.", "tool-mixed"),
                Option("b", "lab.trail()", "It has one row for each event.", "tool-mixed"),
                Option("c", "lab.last_verdict", "It says who decided, and why.", "tool-mixed"),
            ),
            right={"1": "b", "2": "c", "3": "a"},
            why="The trail tells what happened, the verdict why, the bill for how much.",
        ),
    ),
    widgets={"panel": _panel},
)
