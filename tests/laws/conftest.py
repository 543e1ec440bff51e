"""Random lives of a small world: strategies for what is done, and a hand that does it."""

from functools import cache

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import strategies as st

from kms_lab import KMSError, Lab
from kms_lab.core import material
from kms_lab.doors.client import Client
from kms_lab.lab import ACCOUNT
from kms_lab.lab import ADMIN as ADMINISTRATOR

OTHER_ACCOUNT = "444455556666"
#: who may do everything, by account
ADMINS = {ACCOUNT: ADMINISTRATOR, OTHER_ACCOUNT: f"arn:aws:iam::{OTHER_ACCOUNT}:user/Admin"}
#: somebody whom no policy names
APP = f"arn:aws:iam::{ACCOUNT}:user/App"
_EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@cache
def wrapping_key() -> bytes:
    """The RSA key that stands in for every one that KMS would make to wrap imports with: making one takes long."""
    return _new_rsa("RSA_2048")


_new_rsa = material.new_rsa


@pytest.fixture(autouse=True, scope="package")
def one_wrapping_key():
    """Let KMS make no RSA keys, but take the same one every time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(material, "new_rsa", lambda _spec: wrapping_key())
        yield


def wrap(secret: bytes) -> bytes:
    """Wrap key material as its owner would, to import it."""
    public = load_der_public_key(material.public_key(wrapping_key()))
    return public.encrypt(secret, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))


def new_lab(seed: int) -> Lab:
    """A lab with two accounts, an administrator in each, and a user without permissions."""
    lab = Lab(seed=seed)
    lab.iam.create_user("Admin", policies=[_EVERYTHING], account=OTHER_ACCOUNT)
    lab.iam.create_user("App")
    return lab

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
