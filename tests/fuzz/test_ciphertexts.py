"""Changed ciphertexts, of every way to encrypt: none opens, and none gives another plaintext than what went in."""

from itertools import cycle

import pytest

from kms_lab import KMSError
from kms_lab.core.names import Principal
from kms_lab.lab import ADMIN
from kms_lab.service.operation import OPERATIONS, Call
from kms_lab.service.pipeline import handle
from tests.fuzz.mutations import spoiled
from tests.fuzz.oracle import Oracle, cases
from tests.service.conftest import encapsulated, new_family, new_key, new_stage
from tests.service.homes import Home

#: contexts that plaintexts are encrypted with
OWN = ({}, {"a": "b"}, {"a": "b", "c": "d:e"}, {"é\ud800": "\ud800"})
CONTEXTS = (*OWN, {"a": "c"}, {"b": "a", "a": "b"})
PLAINTEXTS = (b"p", b"q", b"\0" * 32, b"a" * 300, b"a" * 4096)


def sealed(kms, key):
    """Ciphertexts under a key, by their bytes: the key, plaintext and context of each."""
    made = {}
    for plaintext, context in zip(PLAINTEXTS, cycle(OWN)):
        blob = kms.encrypt(KeyId=key, Plaintext=plaintext, EncryptionContext=context)["CiphertextBlob"]
        made[blob] = (key, plaintext, context)
    return made


@pytest.fixture
def symmetric(lab):
    """Ciphertexts of keys of every home: single-Region, multi-Region, rotated since, and in an external key store."""
    kms, made = lab.client(), {}
    rotated = new_key(kms)
    for key in (rotated, new_key(kms), new_family(lab, "eu-west-1"), Home(lab, "EXTERNAL_KEY_STORE").key):
        made |= sealed(kms, key)
    kms.rotate_key_on_demand(KeyId=rotated)
    lab.clock.travel(days=1)
    return made | sealed(kms, rotated)


class TestSymmetric:
    @pytest.mark.parametrize("operation", ["Decrypt", "ReEncrypt"])
    def test_only_what_was_made_opens(self, lab, symmetric, operation, count):
        """A changed blob, context or KeyId is refused, and what opens is an unchanged blob with its own context."""
        blobs = list(symmetric)
        keys = list(dict.fromkeys(key for key, _, _ in symmetric.values()))
        names = [None, None, *keys, new_key(lab.client()), "alias/nobody", keys[0].replace("us-east-1", "eu-west-1")]
        source = "Source" if operation == "ReEncrypt" else ""
        oracle = Oracle(lab)
        for number, chance in cases(operation, count(800, 35_000)):
            original = chance.choice(blobs)
            blob = spoiled(original, chance, blobs) if chance.random() < 0.9 else original
            key, _, context = symmetric[original]
            context = context if chance.random() < 0.8 else chance.choice(CONTEXTS)
            params = {"CiphertextBlob": blob, f"{source}EncryptionContext": context}
            name = chance.choice(names) if chance.random() < 0.7 else key
            if name is not None:
                params[f"{source}KeyId"] = name
            if source:
                params["DestinationKeyId"] = keys[1]
            answer = oracle.send(
                operation, params, region=chance.choice(("us-east-1", "us-east-1", "eu-west-1")), note=number
            )
            if isinstance(answer, KMSError):
                continue
            _, plaintext, own = symmetric[blob]
            assert context == own, params
            assert (answer["Plaintext"] if not source else reopened(oracle, answer, params)) == plaintext, params
        assert oracle.outcomes["done"] > 0
        assert oracle.outcomes["InvalidCiphertextException"] > oracle.outcomes["done"]
        assert oracle.outcomes["IncorrectKeyException"] > 0

    def test_another_context_opens_nothing(self, lab, symmetric, count):
        """A context that differs in a character, however odd, does not open an unchanged blob."""
        oracle, blobs = Oracle(lab), list(symmetric)
        for number, chance in cases("context", count(300, 15_000)):
            blob = chance.choice(blobs)
            own = symmetric[blob][2]
            context = near(own, chance)
            answer = oracle.send("Decrypt", {"CiphertextBlob": blob, "EncryptionContext": context}, note=number)
            assert isinstance(answer, KMSError) == (context != own), context
        assert oracle.outcomes["done"] > 0
        assert oracle.outcomes["InvalidCiphertextException"] > 0


def near(context, chance):
    """A context that has much the same characters as another, in the same order as far as can be."""
    pairs = [*context.items()] or [("", "")]
    (name, value), *rest = pairs
    one_text = ":".join(f"{key}:{item}" for key, item in pairs)
    cut = chance.randrange(len(one_text) + 1)
    tight = "".join(f"{key}:{item}" for key, item in pairs)
    match chance.randrange(9):
        case 0:
            return dict(reversed(pairs)) if context else {}
        case 1:
            return {one_text[:cut]: one_text[cut:]}
        case 2:
            return {name: tight[len(name) + 1 :]}
        case 3:
            return {name + value[:1]: value[1:], **dict(rest)}
        case 4:
            return {value: name, **dict(rest)}
        case 5:
            return dict(rest)
        case 6:
            return {**context, chance.choice(("", "1", "z")): chance.choice(("", "1:"))}
        case 7:
            return {name.upper(): value, **dict(rest)} if context else {"A": ""}
        case _:
            return {name: value + chance.choice(("", " ", "\0", "\ud800", "ｂ")), **dict(rest)} if context else {}


def reopened(oracle, answer, params):
    """What a re-encrypted blob holds."""
    again = {
        "CiphertextBlob": answer["CiphertextBlob"],
        "EncryptionContext": params.get("DestinationEncryptionContext", {}),
    }
    return handle(Call(OPERATIONS["Decrypt"], oracle.world, Principal.parse(ADMIN), "us-east-1", again))["Plaintext"]


class TestRsa:
    def test_only_what_was_made_opens(self, lab, count):
        """A changed RSA ciphertext, or another algorithm or key, is refused."""
        kms = lab.client()
        keys = [new_key(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT") for _ in range(2)]
        algorithms = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SYMMETRIC_DEFAULT"]
        made = {}
        for key in keys:
            for algorithm in algorithms[:2]:
                for plaintext in (b"p", b"a" * 190):
                    told = kms.encrypt(KeyId=key, Plaintext=plaintext, EncryptionAlgorithm=algorithm)
                    made[told["CiphertextBlob"]] = (key, algorithm, plaintext)
        oracle, blobs = Oracle(lab), list(made)
        for number, chance in cases("rsa", count(300, 15_000)):
            original = chance.choice(blobs)
            key, algorithm, _ = made[original]
            params = {
                "CiphertextBlob": spoiled(original, chance, blobs),
                "KeyId": key if chance.random() < 0.9 else chance.choice(keys),
                "EncryptionAlgorithm": algorithm if chance.random() < 0.9 else chance.choice(algorithms),
            }
            answer = oracle.send("Decrypt", params, note=number)
            if not isinstance(answer, KMSError):
                expected = (params["KeyId"], params["EncryptionAlgorithm"], answer["Plaintext"])
                assert made.get(params["CiphertextBlob"]) == expected, params
        assert oracle.outcomes["done"] > 0
        assert oracle.outcomes["InvalidCiphertextException"] > 0


class TestEncapsulation:
    def test_another_ciphertext_never_gives_the_secret(self, lab, count):
        """A changed ML-KEM ciphertext is refused for its length, or gives a secret that is not the encapsulated one."""
        stage = new_stage(lab)
        params = encapsulated(stage)
        blob = params["SharedSecretCiphertextBlob"]
        other = stage.kms.encapsulate(KeyId=stage.key, EncapsulationAlgorithm="ML_KEM")["SharedSecretCiphertextBlob"]
        secret = stage.kms.decapsulate(**params)["SharedSecret"]
        oracle = Oracle(lab)
        for number, chance in cases("ML-KEM", count(300, 10_000)):
            changed = spoiled(blob, chance, [blob, other])
            answer = oracle.send("Decapsulate", {**params, "SharedSecretCiphertextBlob": changed}, note=number)
            if not isinstance(answer, KMSError):
                assert (answer["SharedSecret"] == secret) == (changed == blob), changed.hex()
        assert oracle.outcomes["done"] > 0
        assert oracle.outcomes["InvalidCiphertextException"] + oracle.outcomes["ValidationException"] > 0
