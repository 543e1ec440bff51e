"""A tiny lesson, and a home for progress that is thrown away."""

from pathlib import Path

import pytest

from kms_lab.lab import Lab
from kms_lab.teach.exercise import Exercise, Misconception, Solution, expecting, right, wrong
from kms_lab.teach.lesson import Lesson, LessonData, Objective
from kms_lab.teach.probe import Unfinished
from kms_lab.teach.question import Choice, Multiple, Option, Prediction

SECRET_ANSWER = "three-hundred-and-eleven"


def world(lab: Lab):
    kms = lab.client()
    key = kms.create_key(Description="orders")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/orders", TargetKeyId=key)
    invoice = kms.encrypt(KeyId=key, Plaintext=b"invoice 42")["CiphertextBlob"]
    return {"orders": key, "invoice": invoice}


def alias_moved(probe, value):
    target = probe.key("alias/orders")
    if target is None:
        return wrong("alias-is-key", "There is no alias/orders any more.")
    if target.id == probe.given["orders"]:
        return wrong("alias-is-copy", "alias/orders points where it pointed before.")
    return right(f"alias/orders points at {target.id}.")


def opens(probe, value):
    got = probe.run(value, probe.client(), probe.given["invoice"])
    return right() if got == b"invoice 42" else wrong("alias-is-key", "That is not the invoice.")


def meddles(probe, value):
    """A check that does all it can to the world it was given."""
    kms = probe.client()
    kms.schedule_key_deletion(KeyId=probe.given["orders"], PendingWindowInDays=7)
    probe.lab.clock.travel(days=400)
    probe.lab.iam.create_role("Left")
    probe.key("alias/aws") or probe.lab.world.log.more.clear()
    return right("done")


def disabled(probe):
    if not probe.calls("DisableKey", ok=True):
        raise Unfinished
    return "a" if probe.key("alias/orders").state == "Disabled" else "b"


def _exercise(id, check, **more):
    fields = {
        "title": "A task",
        "stars": 1,
        "objectives": ("alias",),
        "prompt": "Do it.",
        "hints": ("Look there.", "Think so.", "Type `this`."),
        "solution": Solution("lesson.q1.check()", "It is the shortest way."),
        "misconceptions": ("alias-is-key", "alias-is-copy"),
    }
    return Exercise(id=id, check=check, **{**fields, **more})


DATA = LessonData(
    number="98",
    title="A key and its name",
    minutes=20,
    goal="You can point an alias at a key.",
    topics=("aliases",),
    objectives=(Objective("alias", "move an alias"),),
    misconceptions=(
        Misconception("alias-is-key", "An alias is the key.", "An alias points at a key."),
        Misconception("alias-is-copy", "An alias copies the key.", "Keys are never copied."),
    ),
    world=world,
    exercises=(
        _exercise("q1", alias_moved, attempted=lambda probe: bool(probe.calls())),
        _exercise(
            "q2",
            expecting(
                lambda probe: SECRET_ANSWER,
                {"alias-is-copy": (lambda probe: "two", "You said two.")},
                otherwise=("alias-is-key", "That is another text."),
                because="So it is.",
            ),
            expects="a text",
            takes=str,
        ),
        _exercise("q3", opens, expects="a function"),
        _exercise("q4", meddles, expects="anything"),
        _exercise("q5", lambda probe, value: value["a"]["b"].upper() and right(), expects="a dict"),
    ),
    predictions=(
        Prediction(
            id="p1",
            prompt="Which state?",
            options=(
                Option("a", "Disabled", ""),
                Option("b", "Enabled", "An alias has no state.", "alias-is-copy"),
            ),
            truth=disabled,
            why="State belongs to the key.",
            objectives=("alias",),
        ),
        Prediction(
            id="p2", prompt="How many?", truth=lambda probe: len(probe.calls()), why="It counts.", objectives=()
        ),
    ),
    questions=(
        Choice(
            id="z1",
            prompt="What is an alias?",
            options=(
                Option("a", "A pointer", "Yes, no more than that."),
                Option("b", "A copy", "Nothing is copied.", "alias-is-copy"),
                Option("c", "The key", "It has a target.", "alias-is-key"),
            ),
            right="a",
            why="AWS stores a name and a target.",
            objectives=("alias",),
        ),
        Multiple(
            id="z2",
            prompt="Which two?",
            options=(
                Option("a", "One", "Yes."),
                Option("b", "Two", "No.", "alias-is-key"),
                Option("c", "Three", "Yes too."),
            ),
            right=frozenset({"a", "c"}),
            why="Because.",
            objectives=("alias",),
        ),
    ),
)


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("KMS_LAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def data() -> LessonData:
    return DATA


@pytest.fixture
def lesson(home, data) -> Lesson:
    return Lesson(data, seed=7)


@pytest.fixture
def secret() -> str:
    """The right answer of q2, which must never be shown before it is given."""
    return SECRET_ANSWER
