"""The blob: its size, what it says openly, and that no bit of it can be changed."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kms_lab.core.ciphertext import Undecryptable, canonical, open_blob, parse, parts, seal, size

SIZES = json.loads((Path(__file__).parents[1] / "data" / "key_specs.json").read_text())["blob_size_by_plaintext"]
KEY_ID, MRK = "1234abcd-12ab-34cd-56ef-1234567890ab", "mrk-1234abcd12ab34cd56ef1234567890ab"
ACCOUNT, MATERIAL, SECRET = "000022223333", "0f" * 32, b"s" * 32
CONTEXTS = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=4)
CLOSE_TEXT = st.text(":01a", max_size=3)
CLOSE_CONTEXTS = st.dictionaries(CLOSE_TEXT, CLOSE_TEXT, max_size=2)


def sealed(plaintext=b"x" * 32, context=None, key_id=KEY_ID, seed=0):
    return seal(key_id, ACCOUNT, MATERIAL, SECRET, plaintext, context, random.Random(seed).randbytes)


@given(st.binary(max_size=200), CONTEXTS, st.sampled_from([KEY_ID, MRK]))
def test_round_trip(plaintext, context, key_id):
    """
    A blob names account, key and material, and opens to its plaintext under its context.
    """
    blob = parse(sealed(plaintext, context, key_id))

    assert (blob.account, blob.key_id, blob.material_id) == (ACCOUNT, key_id, MATERIAL)
    assert open_blob(blob, SECRET, dict(reversed(context.items()))) == plaintext


@pytest.mark.parametrize(("length", "expected"), [(int(n), total) for n, total in SIZES.items()])
def test_size(length, expected):
    """
    A blob is as long as AWS's for the same plaintext.
    """
    assert size(length) == expected == len(sealed(b"x" * length))


def test_plaintext_does_not_show():
    """
    Neither plaintext, context nor secret stands in the blob.
    """
    blob = sealed(b"a plaintext to look for", {"context key": "context value"})

    for hidden in (b"a plaintext", b"context", SECRET):
        assert hidden not in blob


def test_every_single_bit():
    """
    A blob with any one bit flipped does not open, whichever of its 1,472 bits it is.
    """
    whole = sealed()

    for bit in range(len(whole) * 8):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Undecryptable):
            open_blob(parse(bytes(changed)), SECRET, None)
    assert len(whole) == 184


@given(st.integers(0, 183))
def test_cut_or_longer(length):
    """
    A part of a blob, or a blob with more behind it, is no blob.
    """
    whole = sealed()

    for wrong in (whole[:length], whole[length + 1 :], whole + b"x", whole * 2):
        with pytest.raises(Undecryptable):
            open_blob(parse(wrong), SECRET, None)


@given(st.binary(max_size=300))
def test_any_bytes(data):
    """
    Bytes that the lab did not make are no blob, and nothing but Undecryptable comes of them.
    """
    with pytest.raises(Undecryptable):
        parse(data)


@settings(max_examples=200)
@given(CLOSE_CONTEXTS, CLOSE_CONTEXTS)
def test_context_is_one_to_one(one, other):
    """
    Two contexts have the same canonical bytes exactly if they are equal.
    """
    assert (canonical(one) == canonical(other)) == (one == other)


def test_contexts_that_look_alike():
    """
    Moving characters between names and values, or between pairs, makes another context.
    """
    alike = [
        {"ab": "c"},
        {"a": "bc"},
        {"abc": ""},
        {"": "abc"},
        {"a": "b", "c": ""},
        {"a": "", "b": "c"},
        {"a": "b:c"},
        {"a:b": "c"},
        {"a": "b", "c": "d"},
        {"a": "bc:d"},
        {"a": "b1:c1:d"},
        {"a": "1:b1:c"},
        {"a1": ":b"},
    ]

    assert len({canonical(context) for context in alike}) == len(alike)
    assert canonical({}) == canonical(None)


@pytest.mark.parametrize("length", [0, 1, 32, 4096])
def test_parts(length):
    """
    The parts of a blob follow each other without a gap, from its first byte to its last, and hold what they say.
    """
    blob = sealed(b"x" * length)
    found = parts(blob)
    held = {part.name: blob[part.start : part.end] for part in found}

    assert b"".join(held.values()) == blob
    assert (held["key ID"].hex(), held["key material ID"].hex()) == (KEY_ID.replace("-", ""), MATERIAL)
    assert int.from_bytes(held["account"], "big") == int(ACCOUNT)
    assert int.from_bytes(held["length"], "big") == len(held["encrypted text"]) == length
    assert not any(held["filler"])
    assert (len(held["nonce"]), len(held["tag"])) == (12, 16)
