"""Lesson 00: the lab itself. One call and the traces it leaves, the clock, and how progress is kept."""

from datetime import timedelta
from typing import Any

from kms_lab.lab import ADMIN, Lab
from kms_lab.teach.exercise import Exercise, Misconception, Result, Solution, right, wrong
from kms_lab.teach.lesson import Lesson, LessonData, Objective
from kms_lab.teach.probe import Probe, Unfinished
from kms_lab.teach.question import Choice, Matching, Multiple, Option, Prediction

INTERN = "arn:aws:iam::111122223333:role/Intern"
APP = "arn:aws:iam::111122223333:role/App"
_USE = {"Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": "*"}


def world(lab: Lab) -> dict[str, Any]:
    """A key named alias/orders that rotates yearly, an App that may use it, and an Intern who tried."""
    kms = lab.client()
    key = kms.create_key(Description="Orders")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/orders", TargetKeyId=key)
    kms.enable_key_rotation(KeyId=key)
    lab.iam.create_role("App", policies=[{"Version": "2012-10-17", "Statement": [_USE]}])
    lab.iam.create_role("Intern")
    letter = kms.encrypt(KeyId=key, Plaintext=b"Dear customer")["CiphertextBlob"]
    lab.clock.travel(hours=13)
    lab.client(APP).decrypt(CiphertextBlob=letter)
    try:
        lab.client(INTERN).decrypt(CiphertextBlob=letter)
    except lab.client().exceptions.AccessDeniedException:
        lab.clock.travel(hours=11)
    return {"orders": key, "letter": letter, "intern": INTERN, "app": APP}


# ------------------------------------------------------------------------------ exercises


def _encrypted(probe: Probe, value: Any) -> Result:
    if probe.calls("Encrypt", ok=True, key="alias/orders"):
        return right("Your Encrypt stands in the trail. The key itself never left KMS.")
    if probe.calls("Encrypt", ok=True):
        return wrong("any-key-will-do", "You encrypted, but under another key than the one behind alias/orders.")
    refused = [call for call in _by_admin(probe) if call.operation == "Encrypt" and call.error]
    if refused:
        return wrong("alias-without-prefix", f"Your Encrypt was refused with {refused[-1].error}.")
    return wrong("data-key-is-encrypt", "You called KMS, but no Encrypt is in the trail.")


def _by_admin(probe: Probe) -> list[Any]:
    """The learner's own calls, without those that the notebook makes for them."""
    return [call for call in probe.calls() if call.principal == ADMIN and call.operation != "DescribeKey"]


def _time_passed(probe: Probe, value: Any) -> Result:
    passed = probe.now - probe.given["start"]
    if passed >= timedelta(days=31):
        return right(f"{passed.days} days went by. The bill now stands at ${probe.lab.bill().total:,.2f}.")
    if passed > timedelta(0):
        return wrong("units", f"Only {passed} went by.")
    return wrong("calls-move-time", "You made calls, but the clock still shows the same moment.")


def _refused_caller(probe: Probe, value: Any) -> Result:
    who = str(value)
    if who in (INTERN, _session(probe)):
        return right("A refused call leaves a trace too, with its error code.")
    if who.endswith(("role/App", "assumed-role/App/lab")):
        return wrong("success-is-refusal", "That caller's row has no errorCode: the call worked.")
    if who == ADMIN:
        return wrong("refusals-leave-no-trace", "None of that caller's calls was refused.")
    return wrong("refusals-leave-no-trace", "No refused call in the trail was made by that caller.")


def _session(probe: Probe) -> str:
    log = probe.lab.world.log
    return next(str(e.principal) for e in map(log.entry, range(len(log))) if e.error == "AccessDeniedException")


def _may_decrypt_only(probe: Probe, value: Any) -> Result:
    key = probe.given["orders"]
    if not probe.may(INTERN, "kms:Decrypt", key):
        if probe.may(INTERN, "kms:Encrypt", key):
            return wrong("encrypt-includes-decrypt", "Intern may encrypt now, but a Decrypt is still refused.")
        return wrong("key-opens-itself", "A Decrypt by Intern is still refused.")
    for action in ("kms:ScheduleKeyDeletion", "kms:PutKeyPolicy", "kms:Encrypt"):
        if probe.may(INTERN, action, key):
            return wrong("broad-is-fine", f"Intern can decrypt, and may now also call {action}.")
    return right("Intern may decrypt, and nothing else that was tried.")


def _policies_touched(probe: Probe) -> bool:
    return bool(probe.lab.iam.policies(INTERN)) or bool(probe.calls("PutKeyPolicy"))


# ------------------------------------------------------------------------------ predictions


def _letter_opens(probe: Probe) -> str:
    if probe.now - probe.given["start"] < timedelta(days=3650):
        raise Unfinished
    return "b" if probe.code(lambda: probe.client().decrypt(CiphertextBlob=probe.given["letter"])) else "a"


def _intern_leaves(probe: Probe) -> str:
    by_intern = [call for call in probe.calls() if str(call.principal).endswith("Intern/lab")]
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
    minutes=15,
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
        Misconception("units", "Any argument of travel will do.", "travel takes days=, hours=, minutes= or to=."),
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
            "kms:* is a simple way to allow one call.",
            "It also allows deleting the key. Allow what the job needs.",
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
            "tool-mixed", "One view answers every question.", "Each of the four answers one kind of question."
        ),
    ),
    world=_with_start,
    exercises=(
        Exercise(
            id="q1",
            title="Your first ciphertext",
            stars=1,
            objectives=("call",),
            prompt="Encrypt any bytes under `alias/orders`.",
            check=_encrypted,
            attempted=lambda probe: bool(_by_admin(probe)),
            hints=(
                "Look at what `kms.` offers: press Tab after the dot.",
                "Encrypt takes the key's name and the bytes.",
                '`kms.encrypt(KeyId="alias/...", Plaintext=b"...")`',
            ),
            solution=Solution(
                code='kms.encrypt(KeyId="alias/orders", Plaintext=b"hello")\nlesson.q1.check()',
                why="An alias stands for its key in cryptographic calls.",
            ),
            misconceptions=("any-key-will-do", "alias-without-prefix", "data-key-is-encrypt"),
        ),
        Exercise(
            id="q2",
            title="Who was refused?",
            stars=2,
            objectives=("evidence",),
            prompt="In the first night somebody tried to decrypt and was refused. Hand in that caller's ARN.",
            check=_refused_caller,
            expects="the caller's ARN, as text",
            takes=str,
            hints=(
                "`lab.trail()` is a DataFrame with one row for each event.",
                "Refused calls have an `errorCode`.",
                'trail = lab.trail(); look at trail[trail["errorCode"] == "AccessDenied"]',
            ),
            solution=Solution(
                code='trail = lab.trail()\nrefused = trail[trail["errorCode"].notna()]\n'
                'caller = str(refused["principal"].iloc[0])\nlesson.q2.check(caller)',
                why="A refusal is an event like any other, and the error code gives it away.",
            ),
            misconceptions=("refusals-leave-no-trace", "success-is-refusal"),
        ),
        Exercise(
            id="q3",
            title="Let the Intern read, and no more",
            stars=2,
            objectives=("evidence", "call"),
            prompt="Give the role Intern a policy that lets it decrypt with the orders key, and nothing else.",
            check=_may_decrypt_only,
            attempted=_policies_touched,
            hints=(
                "The lab's users and roles are in `lab.iam`.",
                "An identity policy has a statement with Effect, Action and Resource.",
                '`lab.iam.put_policies(lesson.given.intern, [{"Version": "2012-10-17", "Statement": [...]}])`',
            ),
            solution=Solution(
                code='arn = lab.key("alias/orders").arn\n'
                'statement = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": arn}\n'
                'lab.iam.put_policies(lesson.given.intern, [{"Version": "2012-10-17", "Statement": [statement]}])\n'
                "lesson.q3.check()",
                why="The key's own policy leaves the decision to IAM, so an identity policy is enough.",
            ),
            misconceptions=("encrypt-includes-decrypt", "key-opens-itself", "broad-is-fine"),
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
            prompt="The Intern, whom no policy mentions, tries to encrypt. What will the trail show?",
            options=(
                Option("a", "The call, marked as refused", ""),
                Option(
                    "b",
                    "Nothing: it was refused",
                    "It stands there, with an error code.",
                    "refusals-leave-no-trace",
                ),
                Option(
                    "c",
                    "The call, done: Intern is in the account",
                    "Somebody must allow it first.",
                    "key-opens-itself",
                ),
            ),
            truth=_intern_leaves,
            why="Refused calls are recorded, and the error carries the verdict.",
            objectives=("evidence",),
        ),
        Prediction(
            id="p2",
            prompt="The orders key rotates every year. Ten years from now, will a letter encrypted today still open?",
            options=(
                Option("a", "Yes", ""),
                Option(
                    "b",
                    "No, its key material has been replaced",
                    "Old material is kept for decryption.",
                    "rotation-breaks",
                ),
            ),
            truth=_letter_opens,
            why="Rotation adds new material for new encryption. The old ones stay and still decrypt.",
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
