"""Random lives of a small world: strategies for what is done, and a hand that does it."""

from hypothesis import strategies as st

from kms_lab import KMSError, Lab
from kms_lab.doors.client import Client

CONTEXTS = st.dictionaries(st.sampled_from("abc"), st.text(max_size=3), max_size=2)
WHICH = st.integers(0, 3)
#: one thing that somebody does: a method's name, which key, and parameters
DEEDS = st.one_of(
    st.tuples(st.just("create_key"), WHICH, st.fixed_dictionaries({"Description": st.text(max_size=3)})),
    st.tuples(
        st.just("encrypt"), WHICH, st.fixed_dictionaries({"Plaintext": st.just(b"p"), "EncryptionContext": CONTEXTS})
    ),
    st.tuples(st.just("generate_data_key"), WHICH, st.just({"KeySpec": "AES_256"})),
    st.tuples(
        st.just("enable_key_rotation"), WHICH, st.fixed_dictionaries({"RotationPeriodInDays": st.integers(90, 200)})
    ),
    st.tuples(
        st.just("schedule_key_deletion"), WHICH, st.fixed_dictionaries({"PendingWindowInDays": st.integers(7, 30)})
    ),
    st.tuples(
        st.just("tag_resource"),
        WHICH,
        st.fixed_dictionaries({"Tags": st.just([{"TagKey": "a", "TagValue": "b"}])}),
    ),
    st.tuples(
        st.sampled_from(
            (
                "enable_key",
                "disable_key",
                "cancel_key_deletion",
                "disable_key_rotation",
                "rotate_key_on_demand",
                "describe_key",
                "list_key_rotations",
            )
        ),
        WHICH,
        st.just({}),
    ),
    st.tuples(st.just("travel"), st.integers(1, 120), st.sampled_from([{}, {"hours": 5}])),
)
LIVES = st.lists(DEEDS, max_size=25)


def do(lab: Lab, kms: Client, deed) -> str | None:
    """Do one deed; a refusal is part of life. Returns the error's code, or None."""
    what, which, params = deed
    if what == "travel":
        lab.clock.travel(days=which, **params)
        return None
    arns = [key.arn for key in lab.world.all_keys()] + list(lab.world.gone)
    named = {"KeyId": arns[which % len(arns)]} if what != "create_key" and arns else {}
    if what != "create_key" and not arns:
        return None
    try:
        getattr(kms, what)(**named, **params)
    except KMSError as refusal:
        return refusal.code
    return None


def live(lab: Lab, deeds) -> Lab:
    """Do many deeds, after making two keys."""
    kms = lab.client()
    for deed in (("create_key", 0, {}), ("create_key", 0, {}), *deeds):
        do(lab, kms, deed)
    return lab
