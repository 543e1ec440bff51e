"""Lesson 01: meet a KMS key. Its names, its states, what KMS shows of it, and the Region it lives in.

The world is the account of a restaurant in which colleagues have made keys before: names that moved, notes that
grew old, one key switched off, one waiting to be deleted, one in another Region.
"""

from typing import Any

from kms_lab.accounts import ACCOUNT
from kms_lab.core.ciphertext import parse
from kms_lab.core.keys import DISABLED, ENABLED, PENDING_DELETION
from kms_lab.core.log import Entry
from kms_lab.lab import REGION, Lab
from kms_lab.teach.exercise import Exercise, Misconception, Outcome, Result, Solution, right, wrong
from kms_lab.teach.lesson import Lesson, LessonData, Objective
from kms_lab.teach.probe import Probe, Unfinished
from kms_lab.teach.question import Choice, Multiple, Option, Prediction

OTHER_REGION = "eu-west-1"
_USE_KMS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": "*"}],
}


# --- the world ------------------------------------------------------------------------------------------------


def world(lab: Lab) -> dict[str, Any]:
    """Eleven keys made over two months, and two ciphertexts: a letter (whose key has lost its alias) and an order."""
    kms = lab.client()
    app = lab.iam.create_role("OrderApp", policies=[_USE_KMS])
    ana = lab.iam.create_user("Ana", policies=[_USE_KMS])

    _key(kms, "Photos of dishes", "alias/photos", "alias/gallery")
    _key(kms, "test 2", "alias/letters")
    orders = _key(kms, "Orders", "alias/orders")
    lab.clock.travel(days=12)
    payroll = _key(kms, "Payroll", "alias/payroll")
    letter = lab.client(ana).encrypt(KeyId="alias/letters", Plaintext=b"Dear guests, we open at six. Ana")
    _key(kms, "do not delete")
    lab.clock.travel(days=9)
    newsletter = _key(kms, "Newsletter", "alias/newsletter")
    order = lab.client(app).encrypt(KeyId="alias/orders", Plaintext=b"table 4: two soups")
    backups = _key(kms, "Backups of the old till", "alias/backups")
    _key(kms, "test")
    lab.clock.travel(days=20)
    kms.update_alias(AliasName="alias/letters", TargetKeyId=_key(kms, "Letters to guests"))
    kms.disable_key(KeyId=payroll)
    _key(kms, "Signs the price list", "alias/prices", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    _key(lab.client(region=OTHER_REGION), "Archive", "alias/archive")
    lab.clock.travel(days=19)
    kms.schedule_key_deletion(KeyId=backups)
    return {
        "app": app,
        "letter": letter["CiphertextBlob"],
        "order": order["CiphertextBlob"],
        "newsletter": newsletter,
        "orders": orders,
        "keys": tuple(key.arn for key in lab.world.all_keys()),
    }


def _key(kms: Any, description: str, *aliases: str, **more: str) -> str:
    key = str(kms.create_key(Description=description, **more)["KeyMetadata"]["KeyId"])
    for alias in aliases:
        kms.create_alias(AliasName=alias, TargetKeyId=key)
    return key


# --- exercises ------------------------------------------------------------------------------------------------


def _named(probe: Probe, value: Any) -> Result:
    target = probe.key("alias/tickets")
    if target is None:
        if not _names_asked_for(probe):
            return wrong("label-is-alias", "You made a key, but no call asked for an alias.")
        return wrong("any-name-will-do", "No alias of your Region is called alias/tickets.")
    others = [name for name in _aliases(probe, target.id) if name in _SHOWN_NAMES]
    if target.arn in probe.given["keys"] or others or target.description == "My first key":
        known = f", which also has the name {others[0]}" if others else ""
        return wrong("alias-makes-key", f"alias/tickets points at a key that was there before{known}.")
    return right(f"alias/tickets points at a key of your own, {target.id}.")


#: names and notes of what the lesson itself makes before this exercise
_SHOWN_NAMES = ("alias/menu", "alias/table")
_SHOWN_NOTES = ("My first key", "Menu cards", "Table plan")


def _made_something(probe: Probe) -> bool:
    """A key beyond those of the worked examples, or anything with the name that was asked for."""
    return _own_key_at(probe) < len(probe.calls()) or any("ticket" in str(call.request) for call in probe.calls())


def _own_key_at(probe: Probe) -> int:
    """Where in the log the learner made the first key of the exercise; the log's length if there is none."""
    calls = probe.calls()
    made = (call.operation == "CreateKey" and call.error is None for call in calls)
    own = (is_key and call.request.get("Description") not in _SHOWN_NOTES for call, is_key in zip(calls, made))
    return next((at for at, found in enumerate(own) if found), len(calls))


def _names_asked_for(probe: Probe) -> bool:
    """Did a call ask for an alias since then? What was tried in the worked example does not count."""
    return any(call.operation == "CreateAlias" for call in probe.calls()[_own_key_at(probe) :])


def _switched(probe: Probe, value: Any) -> Result:
    key = probe.key(probe.given["newsletter"])
    if key is None or key.state == PENDING_DELETION:
        return wrong("delete-to-disable", "The key behind alias/newsletter is on its way out, or gone already.")
    calls = probe.calls(key=key.id)
    if not _made(calls, "DisableKey"):
        if _made(calls, "ScheduleKeyDeletion"):
            return wrong("delete-to-disable", "You scheduled the key's deletion. No DisableKey is in your log.")
        return wrong(
            "alias-everywhere", f"Your DisableKey was refused: {probe.calls('DisableKey', ok=False)[-1].error}."
        )
    if not any(call.error == "DisabledException" for call in calls):
        done = sorted({call.operation for call in calls})
        return wrong("disabled-is-dead", f"No call on this key was refused with DisabledException: {', '.join(done)}.")
    if key.state == DISABLED:
        return wrong("back-by-itself", "Disabled and refused, as asked. But the key is Disabled still.")
    return right("DisableKey, a refusal, EnableKey: all in your log, and the key is Enabled again.")


def _tried_to_switch(probe: Probe) -> bool:
    """DisableKey on this key, or by a text that named none; the lesson itself disables another key."""
    key = probe.key(probe.given["newsletter"])
    mine = probe.calls(key=key.id) if key else []
    nowhere = [call for call in probe.calls("DisableKey", ok=False) if call.key is None]
    return key is None or bool(nowhere) or any(call.operation in ("DisableKey", "ScheduleKeyDeletion") for call in mine)


def _made(calls: list[Entry], operation: str) -> bool:
    return any(call.operation == operation and call.error is None for call in calls)


def _opens_letter(probe: Probe, value: Any) -> Result:
    maker = parse(probe.given["letter"]).key_id
    named = probe.key(value.strip()) or probe.key(value.strip(), region=OTHER_REGION)
    if named is None:
        return Result(Outcome.WRONG, "No key of your account has this ID, ARN or alias. Copy it whole.")
    if named.id == maker:
        return right("That key made the letter. Its note says “test 2”, and it has no alias any more.")
    code = probe.code(
        lambda: probe.client(region=named.region).decrypt(KeyId=named.id, CiphertextBlob=probe.given["letter"])
    )
    if "alias/letters" in _aliases(probe, named.id):
        return wrong("label-decides", f"alias/letters points at this key today, but with it Decrypt answers {code}.")
    return wrong("any-key-opens", f"With this key Decrypt answers {code}.")


def _moved(probe: Probe, value: Any) -> Result:
    app, target = probe.client(probe.given["app"]), probe.key("alias/orders")
    if target is None:
        return wrong("alias-is-key", "There is no alias/orders any more, so the app's next call finds no key.")
    if target.id == probe.given["orders"]:
        return wrong("new-key-new-name", "The app asks for alias/orders, and that still means the old key.")
    if target.arn in probe.given["keys"]:
        return wrong("keys-are-shared", "alias/orders now points at a key that your colleagues use for other things.")
    if code := probe.code(lambda: app.encrypt(KeyId="alias/orders", Plaintext=b"table 7: one tea")):
        return wrong("alias-is-key", f"The app's next order is refused: {code}. Look at the new key's state.")
    if code := probe.code(lambda: app.decrypt(CiphertextBlob=probe.given["order"])):
        return wrong("old-key-is-done", f"New orders go well. But an old order does not open any more: {code}.")
    return right("The app's code is as it was. New orders use the new key, and the old order still opens.")


def _touched_orders(probe: Probe) -> bool:
    old = probe.given["orders"]
    target = probe.key("alias/orders")
    asked = [call for call in probe.calls() if str(call.request.get("AliasName", "")).startswith("alias/orders")]
    changed = probe.key(old) is None or probe.key(old).state != ENABLED  # type: ignore[union-attr]
    return target is None or target.id != old or changed or any(call.region == REGION for call in asked)


def _twice(probe: Probe, value: Any) -> Result:
    here, there = probe.key("alias/orders"), probe.key("alias/orders", region=OTHER_REGION)
    if here is None:
        return wrong("name-taken", f"alias/orders is gone from {REGION}.")
    if there is None:
        asked = [call for call in _in_other_region(probe) if call.operation == "CreateAlias"]
        if asked and asked[-1].error is None:
            return wrong(
                "name-taken", f"In {OTHER_REGION} you made {asked[-1].request['AliasName']}, not alias/orders."
            )
        if asked:
            return wrong("key-is-everywhere", f"CreateAlias in {OTHER_REGION} was refused: {asked[-1].error}.")
        return wrong("key-is-everywhere", f"{OTHER_REGION} has a new key, but no alias/orders.")
    return right(f"One name, two pointers: a key of {here.region} and a key of {there.region}.")


def _in_other_region(probe: Probe) -> list[Entry]:
    changes = ("CreateKey", "CreateAlias", "UpdateAlias")
    return [call for call in probe.calls() if call.region == OTHER_REGION and call.operation in changes]


def _aliases(probe: Probe, key_id: str) -> tuple[str, ...]:
    return probe.lab.world.shelf(ACCOUNT, REGION).aliases_of(key_id)


# --- what became of a prediction ------------------------------------------------------------------------------


def _found_its_key(probe: Probe) -> str:
    calls = [call for call in probe.calls("Decrypt") if "KeyId" not in call.request]
    if not calls:
        raise Unfinished
    return "b" if calls[0].error is None else "a"


def _while_disabled(probe: Probe) -> str:
    calls = probe.calls()
    start = next((at for at, call in enumerate(calls) if call.operation == "DisableKey" and call.error is None), None)
    if start is None:
        raise Unfinished
    after = [call for call in calls[start + 1 :] if call.key == calls[start].key]
    answers = {name: next((c.error is None for c in after if c.operation == name), None) for name in _TRIED}
    if None in answers.values():
        raise Unfinished
    return {(True, True): "a", (False, True): "b"}.get((bool(answers["Decrypt"]), bool(answers["DescribeKey"])), "c")


_TRIED = ("Encrypt", "Decrypt", "DescribeKey")


def _after_cancelling(probe: Probe) -> str:
    if not probe.calls("CancelKeyDeletion", ok=True):
        raise Unfinished
    kms = probe.client()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=key)
    kms.cancel_key_deletion(KeyId=key)
    return {ENABLED: "a", DISABLED: "b"}.get(kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"], "c")


# --- widgets --------------------------------------------------------------------------------------------------


def _cards(lesson: Lesson) -> Any:
    from kms_lab.teach.widgets.key_card import KeyCards

    return KeyCards(lesson.lab)


def _states(lesson: Lesson) -> Any:
    from kms_lab.teach.widgets.state_machine import StateMachine

    return StateMachine(lesson.lab)


LESSON = LessonData(
    number="01",
    title="Meet a KMS key",
    minutes=35,
    goal="You know what a KMS key is, what its names mean, and what you can do with it in each state.",
    topics=("keys and key material", "key ID, ARN, alias", "key states and deletion", "Regions"),
    objectives=(
        Objective("names", "tell a key's ID, ARN, alias and state apart"),
        Objective("material", "say what KMS shows of a key, and what it never hands out"),
        Objective("states", "predict what works in each key state"),
        Objective("alias", "name a key, and move the name"),
        Objective("region", "say in which Region a key or an alias lives"),
    ),
    misconceptions=(
        Misconception(
            "needs-key-id",
            "KMS must be told which key made a ciphertext.",
            "The ciphertext of a symmetric key names its key, so Decrypt finds it.",
        ),
        Misconception(
            "tries-keys",
            "KMS tries one key after another until one fits.",
            "It reads in the ciphertext which key made it, and takes that one.",
        ),
        Misconception(
            "key-is-handed-out",
            "With enough rights you can read the key itself.",
            "Key material never leaves KMS unencrypted. Calls use it; nobody receives it.",
        ),
        Misconception(
            "alias-is-key",
            "An alias is the key, or a part of it.",
            "An alias is a pointer. It can be moved or removed, and the key does not change. State belongs to the key.",
        ),
        Misconception(
            "alias-makes-key",
            "Making an alias makes a key.",
            "CreateAlias makes a pointer only, so the key must be there before.",
        ),
        Misconception(
            "label-is-alias",
            "A description can be used as a name.",
            "In a call a key goes by its ID, its ARN or an alias. The description is a note for people.",
        ),
        Misconception(
            "any-name-will-do",
            "An alias may be written in any way.",
            "The whole name counts, alias/ included.",
        ),
        Misconception(
            "alias-everywhere",
            "Every call takes an alias.",
            "Calls that use or describe a key take one. Calls that manage it, such as DisableKey, want its ID or ARN.",
        ),
        Misconception(
            "disabled-is-dead",
            "A disabled key answers nothing.",
            "It refuses to be used. It can still be looked at and managed: DescribeKey works.",
        ),
        Misconception(
            "still-opens",
            "A key that is off, or waits for its deletion, still opens old data.",
            "Decrypt is use, like Encrypt. In these states both are refused.",
        ),
        Misconception(
            "back-by-itself",
            "A disabled key comes back by itself.",
            "It stays Disabled until somebody calls EnableKey.",
        ),
        Misconception(
            "delete-to-disable",
            "To take a key out of use you delete it.",
            "DisableKey takes it out of use and loses nothing. Deletion ends with data that nobody can open.",
        ),
        Misconception(
            "cancel-restores",
            "CancelKeyDeletion puts the key back in service.",
            "It only stops the deletion. The key is Disabled then, and EnableKey is a step of its own.",
        ),
        Misconception(
            "cannot-be-stopped",
            "A scheduled deletion cannot be stopped.",
            "Until the waiting period is over, CancelKeyDeletion stops it.",
        ),
        Misconception(
            "delete-now",
            "A key can be deleted at once.",
            "ScheduleKeyDeletion waits for 7 to 30 days, and for 30 if you name no number.",
        ),
        Misconception(
            "label-decides",
            "The name of a key tells what was encrypted with it.",
            "Names move and notes grow old. The ciphertext itself names its key.",
        ),
        Misconception(
            "any-key-opens",
            "Any key of the account opens the account's ciphertexts.",
            "A ciphertext opens with the key that made it.",
        ),
        Misconception(
            "new-key-new-name",
            "A new key needs a new name.",
            "An alias can be moved from one key to another.",
        ),
        Misconception(
            "keys-are-shared",
            "Any key will do.",
            "Whoever disables a shared key stops everything that uses it.",
        ),
        Misconception(
            "old-key-is-done",
            "Once the alias has moved, the old key is not needed.",
            "What it encrypted still needs it. Moving an alias changes no ciphertext.",
        ),
        Misconception(
            "key-is-everywhere",
            "A key can be used from every Region.",
            "A key lives in one Region, and so does an alias. A client sees those of its own Region.",
        ),
        Misconception(
            "name-taken",
            "A name that is taken in one Region is taken in all.",
            "An alias is unique within one account and one Region.",
        ),
    ),
    world=world,
    exercises=(
        Exercise(
            id="q1",
            title="A key with a name",
            stars=1,
            objectives=("alias", "names"),
            prompt="Make a key, and point `alias/tickets` at it.",
            check=_named,
            attempted=_made_something,
            hints=(
                "Look at the worked example above: which call makes the key, and which one the name?",
                "`create_key` answers with the metadata; the new key's ID is in it. The alias needs that ID.",
                '`kms.create_alias(AliasName="alias/tickets", TargetKeyId=key["KeyId"])`, after `key = ...`',
            ),
            solution=Solution(
                code="""
key = kms.create_key(Description="Tickets")["KeyMetadata"]
kms.create_alias(AliasName="alias/tickets", TargetKeyId=key["KeyId"])
lesson.q1.check()
""",
                why="First the key, then the pointer. TargetKeyId takes the key's ID or its ARN.",
            ),
            misconceptions=("label-is-alias", "any-name-will-do", "alias-makes-key"),
        ),
        Exercise(
            id="q2",
            title="Off and on again",
            stars=2,
            objectives=("states",),
            prompt=(
                "Disable the key behind `alias/newsletter`, let KMS refuse a call on it with `DisabledException`, and "
                "enable it again."
            ),
            check=_switched,
            attempted=_tried_to_switch,
            hints=(
                "DisableKey takes no alias. Which call tells you the ID behind an alias?",
                "Three steps: disable; try a call that uses the key, inside `with attempt():`; enable.",
                '`key = kms.describe_key(KeyId="alias/newsletter")["KeyMetadata"]["KeyId"]`, then `disable_key`, '
                "`encrypt` and `enable_key`, each with `KeyId=key`",
            ),
            solution=Solution(
                code="""
key = kms.describe_key(KeyId="alias/newsletter")["KeyMetadata"]["KeyId"]
kms.disable_key(KeyId=key)
with attempt():
    kms.encrypt(KeyId=key, Plaintext=b"Spring menu")
kms.enable_key(KeyId=key)
lesson.q2.check()
""",
                why="DescribeKey takes the alias and tells the ID. Encrypt is use, so the disabled key refuses it.",
            ),
            misconceptions=("delete-to-disable", "alias-everywhere", "disabled-is-dead", "back-by-itself"),
        ),
        Exercise(
            id="q3",
            title="Which key made it?",
            stars=2,
            objectives=("names",),
            prompt="Find the one key that can decrypt `lesson.given.letter`, and hand in its ID or ARN.",
            expects="the ID or the ARN of a key, as text",
            takes=str,
            check=_opens_letter,
            hints=(
                "You need no list of keys. Remember what Decrypt did in section 2.",
                "Decrypt finds the key by itself, and its answer says which one it took.",
                '`kms.decrypt(CiphertextBlob=lesson.given.letter)["KeyId"]`',
            ),
            solution=Solution(
                code="""
key = kms.decrypt(CiphertextBlob=lesson.given.letter)["KeyId"]
lesson.q3.check(key)
""",
                why="The ciphertext names its key. The name alias/letters has moved since the letter was written.",
            ),
            misconceptions=("label-decides", "any-key-opens"),
        ),
        Exercise(
            id="q4",
            title="A new key for the app",
            stars=2,
            objectives=("alias",),
            prompt=(
                "Let the app use a new key, without a change to its code: `alias/orders` must mean the new key, and "
                "old orders must still open."
            ),
            check=_moved,
            attempted=_touched_orders,
            hints=(
                "Four calls deal with aliases: create, update, delete, list.",
                "Make a key, then move the name to it. Leave the old key as it is.",
                '`kms.update_alias(AliasName="alias/orders", TargetKeyId=new["KeyId"])`',
            ),
            solution=Solution(
                code="""
new = kms.create_key(Description="Orders, second key")["KeyMetadata"]
kms.update_alias(AliasName="alias/orders", TargetKeyId=new["KeyId"])
lesson.q4.check()
""",
                why="UpdateAlias moves the name in one call. Old orders still name the old key, which stays Enabled.",
            ),
            misconceptions=("alias-is-key", "new-key-new-name", "keys-are-shared", "old-key-is-done"),
        ),
        Exercise(
            id="q5",
            title="One name, two Regions",
            stars=1,
            objectives=("region",),
            prompt="In eu-west-1, point `alias/orders` at a key of that Region. Leave us-east-1 as it is.",
            check=_twice,
            attempted=lambda probe: bool(_in_other_region(probe)),
            hints=(
                "Which client talks to eu-west-1?",
                "That Region needs a key of its own. Make it with the same client that makes the alias.",
                '`eu.create_alias(AliasName="alias/orders", TargetKeyId=key["KeyId"])`, with a `key` that `eu` made',
            ),
            solution=Solution(
                code="""
key = eu.create_key(Description="Orders in Europe")["KeyMetadata"]
eu.create_alias(AliasName="alias/orders", TargetKeyId=key["KeyId"])
lesson.q5.check()
""",
                why="Each Region has its own keys and its own aliases. The same name may stand in both.",
            ),
            misconceptions=("key-is-everywhere", "name-taken"),
        ),
    ),
    predictions=(
        Prediction(
            id="p1",
            prompt="Decrypt gets the ciphertext only, and no key ID. What will KMS do?",
            options=(
                Option("a", "Refuse: it has to be told which key", "That is so for asymmetric keys.", "needs-key-id"),
                Option("b", "Open it: the ciphertext says which key made it", ""),
                Option("c", "Try the keys of the account until one opens it", "There is nothing to try.", "tries-keys"),
            ),
            truth=_found_its_key,
            why=(
                "The ciphertext of a symmetric key carries the name of its key. KMS reads it, asks whether you may "
                "use that key, and only then opens the ciphertext."
            ),
            objectives=("names",),
        ),
        Prediction(
            id="p2",
            prompt="The key is Disabled. You call Encrypt, Decrypt and DescribeKey on it. Which of them work?",
            options=(
                Option("a", "Decrypt and DescribeKey: only new data is refused", "Opening is use too.", "still-opens"),
                Option("b", "DescribeKey only", ""),
                Option("c", "None of the three", "Looking at a key is not using it.", "disabled-is-dead"),
            ),
            truth=_while_disabled,
            why="A disabled key is not used for anything. It can be looked at and managed: you need that to enable it.",
            objectives=("states",),
        ),
        Prediction(
            id="p3",
            prompt="You schedule a deletion, and three days later you cancel it. In which state is the key then?",
            options=(
                Option("a", "Enabled, as if nothing had happened", "KMS leaves that step to you.", "cancel-restores"),
                Option("b", "Disabled", ""),
                Option("c", "PendingDeletion until day 7", "Cancelling ends the waiting.", "cannot-be-stopped"),
            ),
            truth=_after_cancelling,
            why="CancelKeyDeletion leaves the key Disabled. Whoever wants it back in service calls EnableKey as well.",
            objectives=("states",),
        ),
    ),
    questions=(
        Choice(
            id="z1",
            prompt="A report must name a key so that it always means this very key. What do you write down?",
            options=(
                Option("a", "The alias name, alias/orders", "It can be moved to another key tomorrow.", "alias-is-key"),
                Option(
                    "b",
                    "The alias ARN, arn:aws:kms:us-east-1:111122223333:alias/orders",
                    "It says Region and account, but it is the ARN of the alias, and that can move.",
                    "alias-is-key",
                ),
                Option(
                    "c",
                    "The key ARN, arn:aws:kms:us-east-1:111122223333:key/1234abcd-…",
                    "It names one key of one account and Region, for good.",
                ),
                Option("d", "The description", "It can be changed, and two keys may have the same.", "label-is-alias"),
            ),
            right="c",
            why="Aliases are for code that should follow a change. ARNs of keys are for records that should not.",
            objectives=("names", "alias"),
            source="AWS KMS Developer Guide, Key identifiers; Aliases",
        ),
        Choice(
            id="z2",
            prompt=(
                "A key in use was scheduled for deletion by mistake. On day 5 you call CancelKeyDeletion. Right after, "
                "an app calls Encrypt with this key. What does it get?"
            ),
            options=(
                Option("a", "A ciphertext", "The key is not back in service yet.", "cancel-restores"),
                Option("b", "DisabledException", "Cancelling left the key Disabled."),
                Option(
                    "c",
                    "KMSInvalidStateException: pending deletion",
                    "That was so on day 4. The waiting has ended.",
                    "cannot-be-stopped",
                ),
                Option("d", "NotFoundException", "The key was never gone; it was waiting.", "delete-now"),
            ),
            right="b",
            why="From PendingDeletion the way back leads to Disabled. EnableKey is the second step.",
            objectives=("states",),
            source="AWS KMS API Reference, CancelKeyDeletion",
        ),
        Multiple(
            id="z3",
            prompt="You call ScheduleKeyDeletion and name no waiting period. What is true?",
            options=(
                Option("a", "The key will wait for 30 days", "30 is the default."),
                Option("b", "Meanwhile its old data can still be decrypted", "Decrypt is refused.", "still-opens"),
                Option("c", "Until the period is over you can call it off", "With CancelKeyDeletion."),
                Option("d", "With PendingWindowInDays=1 it would be gone tomorrow", "7 is the least.", "delete-now"),
            ),
            right=frozenset({"a", "c"}),
            why="The wait is there so that somebody notices. If you are not sure, disable the key instead.",
            objectives=("states",),
            source="AWS KMS API Reference, ScheduleKeyDeletion; Developer Guide, Key states",
        ),
        Choice(
            id="z4",
            prompt=(
                "alias/invoices exists in us-east-1 only. In the same account, a client for eu-west-1 calls Encrypt "
                "with KeyId alias/invoices. What happens?"
            ),
            options=(
                Option(
                    "a", "It works, with the key in us-east-1", "The client asks eu-west-1 only.", "key-is-everywhere"
                ),
                Option("b", "NotFoundException", "eu-west-1 has no alias of that name."),
                Option(
                    "c",
                    "KMS makes the alias and a key there",
                    "Encrypt makes nothing but a ciphertext.",
                    "alias-makes-key",
                ),
            ),
            right="b",
            why="Keys and aliases belong to one Region, and a client talks to the KMS of one Region.",
            objectives=("region",),
            source="AWS KMS Developer Guide, Aliases; Key identifiers",
        ),
        Multiple(
            id="z5",
            prompt="An administrator calls DescribeKey. What does the answer tell?",
            options=(
                Option("a", "The key's state", "KeyState."),
                Option("b", "Its Region and account", "Both stand in the ARN."),
                Option("c", "Its aliases", "They are not part of the key; ListAliases lists them.", "alias-is-key"),
                Option("d", "Its key material", "No call hands it out, to nobody.", "key-is-handed-out"),
            ),
            right=frozenset({"a", "b"}),
            why="DescribeKey shows metadata. Aliases, tags and policies have calls of their own; the material none.",
            objectives=("material", "names"),
            source="AWS KMS API Reference, DescribeKey",
        ),
    ),
    widgets={"cards": _cards, "states": _states},
)
