"""The laws of the house, as properties of random lives; those of policy, envelope and bill stand elsewhere."""

import ast
import base64
import copy
import json
import re
import zlib
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kms_lab import KMSError, Lab, ParameterError
from kms_lab.service.operation import OPERATIONS
from tests.laws.conftest import CONTEXTS, DEEDS, LIVES, do, live

PACKAGE = Path(__file__).parents[2] / "kms_lab"
SOURCES = sorted(PACKAGE.rglob("*.py"))


def data(lab):
    """Everything about a lab's world, as text."""
    return json.dumps(lab.world.to_data())


def calls(lab):
    """The entries of the log that are somebody's calls, not things that AWS did."""
    log = lab.world.log
    return [entry for entry in map(log.entry, range(len(log))) if entry.principal is not None]


class TestLaw1:
    """Rules have one home."""

    @pytest.mark.parametrize(
        "path", sorted((PACKAGE / "service" / "operations").glob("*.py")), ids=lambda path: path.stem
    )
    def test_handlers_check_no_permission_or_state(self, path):
        """
        No file of operations names an error of permission, state, usage or quota: those are for the gates.
        """
        names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}

        theirs = {
            "AccessDeniedException",
            "DisabledException",
            "InvalidKeyUsageException",
            "IncorrectKeyException",
            "InvalidGrantTokenException",
            "DryRunOperationException",
            "ThrottlingException",
        }
        assert not names & theirs


class TestLaw2:
    """Every call leaves exactly one log entry, refused ones too, and no secret in it."""

    @given(LIVES)
    def test_one_entry_for_each_call(self, deeds):
        """
        Each call, allowed or refused, adds one entry of its operation, at its time, with its error.
        """
        lab = Lab(seed=1)
        kms = lab.client()
        for deed in (("create_key", 0, {}), *deeds):
            before, now = len(calls(lab)), lab.world.clock.now_us
            error = do(lab, kms, deed)
            new = calls(lab)[before:]

            if deed[0] == "travel":
                assert new == []
                continue
            (entry,) = new
            assert OPERATIONS[entry.operation].method == deed[0]
            assert (entry.at_us, entry.error) == (now, error)
            assert entry.principal == "arn:aws:iam::111122223333:user/Admin"

    @pytest.mark.parametrize("name", sorted(OPERATIONS))
    def test_one_entry_for_each_refusal(self, name):
        """
        Malformed, forbidden and impossible calls of every operation leave one entry each; unsent ones leave none.
        """
        lab = Lab(seed=1)
        nobody = lab.client(principal=lab.iam.create_role("Nobody"))
        row = OPERATIONS[name]
        missing = {member: "alias/none" for member in row.model.required if "Key" in member or member == "AliasName"}
        others = {"Plaintext": b"x", "Policy": "{}", "Tags": [], "TagKeys": [], "Description": "d"}
        others |= {"GranteePrincipal": "nobody", "Operations": ["Decrypt"], "GrantId": "none"}
        params = missing | {member: others[member] for member in row.model.required if member in others}

        for client in (lab.client(), nobody):
            before = len(lab.world.log)
            error = request_id = None
            try:
                getattr(client, row.method)(**params)
            except KMSError as refusal:
                error, request_id = refusal.code, refusal.request_id
            assert request_id in (None, lab.world.log.request_id(before))
            entries = calls(lab)
            assert len(lab.world.log) == before + 1
            assert (entries[-1].operation, entries[-1].error) == (name, error)
            assert entries[-1].principal == client._principal.arn
        with pytest.raises(ParameterError):
            getattr(nobody, row.method)(Nonsense=1)
        assert len(lab.world.log) == before + 1
        assert entries[-1].error is not None

    @given(st.binary(min_size=16, max_size=40), CONTEXTS, st.binary(min_size=16, max_size=16))
    def test_no_secret_in_the_log(self, plaintext, context, token):
        """
        Plaintexts, data keys, random bytes, ciphertexts, key material and tokens are nowhere in the log.
        """
        assume(len(set(plaintext)) > 6)
        assume(len(set(token)) > 6)
        lab = Lab(seed=int.from_bytes(plaintext))
        kms = lab.client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        mac = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
        sealed = kms.encrypt(KeyId=key, Plaintext=plaintext, EncryptionContext=context)["CiphertextBlob"]
        data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=context)
        moved = kms.re_encrypt(CiphertextBlob=sealed, DestinationKeyId=key, SourceEncryptionContext=context)
        kms.decrypt(CiphertextBlob=sealed, EncryptionContext=context)
        noise = kms.generate_random(NumberOfBytes=32)["Plaintext"]
        for refused in (
            lambda: kms.decrypt(CiphertextBlob=sealed, EncryptionContext={"wrong": "one"}),
            lambda: kms.encrypt(KeyId=mac, Plaintext=plaintext),
            lambda: kms.encrypt(KeyId=key, Plaintext=plaintext * 300),
            lambda: kms.encrypt(KeyId=key, Plaintext=plaintext, GrantTokens=[token.hex()]),
            lambda: kms.encrypt(KeyId=key, Plaintext=plaintext, DryRun=True),
            lambda: kms.encrypt(KeyId="alias/none", Plaintext=plaintext),
        ):
            with pytest.raises(KMSError):
                refused()
        secrets = [one.secret for record in lab.world.all_keys() for one in record.materials]

        hay = open_text(lab.world.log)

        for needle in (
            plaintext,
            token,
            noise,
            sealed,
            data_key["Plaintext"],
            data_key["CiphertextBlob"],
            moved["CiphertextBlob"],
            *secrets,
        ):
            for form in (
                needle,
                needle.hex().encode(),
                base64.b64encode(needle).rstrip(b"="),
                repr(needle)[2:-1].encode(),
            ):
                assert form not in hay


def open_text(log) -> bytes:
    """A log's data with everything that is packed in it unpacked, and its entries printed."""
    saved = log.to_data()
    packed = [zlib.decompress(base64.b64decode(text)) for text in (*saved["columns"], *saved["contexts"])]
    entries = [repr(log.entry(index)) for index in range(len(log))]
    return b"\n".join([json.dumps(saved).encode(), *packed, *(entry.encode() for entry in entries)])


class TestLaw5:
    """Travelling is the sum of its steps."""

    @given(LIVES, st.integers(0, 400), st.integers(0, 400))
    def test_two_steps_or_one(self, deeds, first, second):
        """
        travel(a); travel(b) leaves the same world as travel(a + b), log and random bytes included.
        """
        lab = live(Lab(seed=2), deeds)
        steps, leap = lab.fork(), lab.fork()

        steps.clock.travel(days=first)
        steps.clock.travel(days=second)
        leap.clock.travel(days=first + second)

        assert data(steps) == data(leap)

    @given(LIVES)
    def test_each_at_its_own_instant(self, deeds):
        """
        Every rotation and deletion that the clock did is logged at the instant for which it was due, in order of time.
        """
        lab = live(Lab(seed=2), deeds)
        due = {(due.kind, due.subject, due.when_us) for due in lab.world.clock.pending}
        before = len(lab.world.log)
        lab.clock.travel(days=400)

        log = lab.world.log
        done = [log.entry(index) for index in range(before, len(log))]
        assert [entry.at_us for entry in done] == sorted(entry.at_us for entry in done)
        for entry in done:
            if entry.operation == "DeleteKey":
                assert ("delete", entry.key, entry.at_us) in due
                assert lab.world.gone[entry.key].deletion_us == entry.at_us
        records = [*lab.world.all_keys(), *lab.world.gone.values()]
        expected = {(one.id, one.since_us) for key in records for one in key.materials if one.how == "AUTOMATIC"}
        everything = map(log.entry, range(len(log)))
        rotated = {
            (entry.material, entry.at_us)
            for entry in everything
            if entry.operation == "RotateKey" and entry.more["rotation_type"] == "AUTOMATIC"
        }
        assert rotated == expected

    @given(st.lists(st.integers(0, 200), min_size=2, max_size=6))
    def test_many_steps(self, steps):
        """
        Any number of steps is one journey: ten keys with periods of their own rotate alike.
        """
        lab = Lab(seed=3)
        kms = lab.client()
        for number in range(10):
            key = kms.create_key()["KeyMetadata"]["KeyId"]
            kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90 + number % 3)
        leap = lab.fork()

        for days in steps:
            lab.clock.travel(days=days)
        leap.clock.travel(days=sum(steps))

        assert data(lab) == data(leap)


class TestLaw6:
    """Rotation loses nothing; a changed bit or context loses everything."""

    @given(st.lists(st.tuples(st.integers(0, 300), st.booleans(), CONTEXTS), min_size=1, max_size=8))
    def test_every_ciphertext_decrypts(self, steps):
        """
        Every ciphertext and data key made under a living key decrypts, whatever rotations lie between.
        """
        lab = Lab(seed=4)
        kms = lab.client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        made = []
        for number, (days, rotate, context) in enumerate(steps):
            lab.clock.travel(days=days, minutes=30)
            if rotate:
                kms.rotate_key_on_demand(KeyId=key)
            text = str(number).encode()
            blob = kms.encrypt(KeyId=key, Plaintext=text, EncryptionContext=context)["CiphertextBlob"]
            made.append((text, blob, context))
            data_key = kms.generate_data_key(KeyId=key, NumberOfBytes=24, EncryptionContext=context)
            made.append((data_key["Plaintext"], data_key["CiphertextBlob"], context))
        lab.clock.travel(days=1000)

        for text, blob, context in made:
            assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == text

    @settings(max_examples=30)
    @given(CONTEXTS, CONTEXTS)
    def test_changed_context(self, context, other):
        """
        Under any other context a ciphertext does not decrypt, however close it is.
        """
        assume(context != other)
        kms = Lab(seed=4).client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]

        close = [{name.upper(): value for name, value in context.items()}, context | {"d": ""}]
        close += [{name: f"{value} " for name, value in context.items()}]
        for wrong in [other, *(one for one in close if one != context)]:
            with pytest.raises(kms.exceptions.InvalidCiphertextException):
                kms.decrypt(CiphertextBlob=blob, EncryptionContext=wrong)

    def test_every_bit_of_a_blob(self):
        """
        Each of the 1,472 bits of a blob, flipped alone, makes it undecryptable, with and without KeyId.
        """
        lab = Lab(seed=4)
        kms = lab.client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        blob = kms.encrypt(KeyId=key, Plaintext=b"x" * 32)["CiphertextBlob"]
        assert len(blob) == 184

        found = set()
        for bit in range(len(blob) * 8):
            changed = bytearray(blob)
            changed[bit // 8] ^= 1 << bit % 8
            for named in ({}, {"KeyId": key}):
                with pytest.raises(KMSError) as refused:
                    kms.decrypt(CiphertextBlob=bytes(changed), **named)
                found.add(refused.value.code)
        assert found == {"InvalidCiphertextException", "IncorrectKeyException", "AccessDeniedException"}


class TestLaw8:
    """A seeded world is reproducible byte for byte."""

    @settings(max_examples=30)
    @given(st.integers(0, 2**64), LIVES)
    def test_same_seed(self, seed, deeds):
        """
        The same seed and the same deeds give the same world, byte for byte; a fork goes on exactly as the original.
        """
        one, other = (live(Lab(seed=seed), deeds) for _ in range(2))
        assert data(one) == data(other)

        twin = one.fork()
        for lab in (one, twin):
            live(lab, deeds)
        assert data(one) == data(twin)

    @pytest.mark.parametrize(
        ("spec", "usage"),
        [
            ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
            ("HMAC_224", "GENERATE_VERIFY_MAC"),
            ("HMAC_512", "GENERATE_VERIFY_MAC"),
            ("ECC_NIST_P256", "SIGN_VERIFY"),
            ("ECC_NIST_P384", "KEY_AGREEMENT"),
            ("ECC_NIST_P521", "SIGN_VERIFY"),
            ("ECC_SECG_P256K1", "SIGN_VERIFY"),
            ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY"),
        ],
    )
    def test_material_of_every_family(self, spec, usage):
        """
        Key material of each family but RSA comes out of the seed, in a fork too; two keys of a world differ.
        """
        lab = Lab(seed=9)
        labs = [lab, lab.fork(), Lab(seed=9), Lab(seed=10)]
        made = [[one.client().create_key(KeySpec=spec, KeyUsage=usage) for _ in range(2)] for one in labs]
        secrets = [[key.current.secret for key in one.world.all_keys()] for one in labs]

        assert secrets[0] == secrets[1] == secrets[2] != secrets[3]
        assert secrets[0][0] != secrets[0][1]
        ids = [[answer["KeyMetadata"]["KeyId"] for answer in answers] for answers in made]
        assert ids[0] == ids[1] == ids[2] != ids[3]

    def test_blobs_and_data_keys(self):
        """
        Blobs, data keys and random bytes come out of the seed.
        """

        def script(lab):
            kms = lab.client()
            key = kms.create_key()["KeyMetadata"]["KeyId"]
            answers = [
                kms.encrypt(KeyId=key, Plaintext=b"x"),
                kms.generate_data_key(KeyId=key, KeySpec="AES_256"),
                kms.generate_random(NumberOfBytes=16),
            ]
            return repr(answers)

        assert script(Lab(seed=1)) == script(Lab(seed=1)) != script(Lab(seed=2))

    def test_unseeded(self):
        """
        Without a seed no two worlds share an id, a secret, a random byte string or a request id.
        """

        def script(lab):
            kms = lab.client()
            answer = kms.create_key()
            metadata = answer["KeyMetadata"]
            secret = lab.key(metadata["KeyId"]).current.secret
            noise = kms.generate_random(NumberOfBytes=16)["Plaintext"]
            return [
                metadata["KeyId"],
                metadata["CurrentKeyMaterialId"],
                secret,
                noise,
                answer["ResponseMetadata"]["RequestId"],
            ]

        one, other = script(Lab()), script(Lab())
        assert not set(one) & set(other)


class TestLaw9:
    """A world saves to one JSON file and loads back equal. No pickle, no eval, no exec anywhere."""

    @settings(max_examples=40)
    @given(LIVES, LIVES)
    def test_saved_and_loaded(self, deeds, later):
        """
        A lab saved and loaded is equal, and goes on exactly as the original would.
        """
        lab = live(Lab(seed=6), deeds)
        lab.client().create_alias(AliasName="alias/a", TargetKeyId=lab.client().create_key()["KeyMetadata"]["KeyId"])
        text = data(lab)

        twin = Lab._of(type(lab.world).from_data(json.loads(text)))

        assert data(twin) == text
        for one in (lab, twin):
            live(one, later)
            one.clock.travel(days=100)
        assert data(twin) == data(lab)

    def test_file(self, tmp_path):
        """
        The file is one JSON document that says what it is.
        """
        lab = live(Lab(seed=6), [])
        lab.save(tmp_path / "lab.json")

        saved = json.loads((tmp_path / "lab.json").read_text())
        assert saved["format"] == "kms_lab world 1"
        assert [path.name for path in tmp_path.iterdir()] == ["lab.json"]
        assert data(Lab.load(tmp_path / "lab.json")) == data(lab)

    def test_unseeded_lab_is_saved_too(self, tmp_path):
        """
        A lab without a seed comes back with its keys, and goes on with the system's randomness.
        """
        lab = Lab()
        kms = lab.client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
        lab.save(tmp_path / "lab.json")
        one, other = Lab.load(tmp_path / "lab.json"), Lab.load(tmp_path / "lab.json")

        assert one.client().decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
        assert one.client().create_key() != other.client().create_key()

    @pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
    def test_nothing_is_executed(self, path):
        """
        No module unpickles anything or runs text as code.
        """
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", None) or ""}
                assert not {name.partition(".")[0] for name in names} & {
                    "pickle",
                    "cPickle",
                    "dill",
                    "shelve",
                    "marshal",
                }
            if isinstance(node, ast.Name):
                assert node.id not in ("eval", "exec", "compile", "__import__")
            if isinstance(node, ast.Attribute):
                assert node.attr not in ("eval", "exec", "read_pickle", "to_pickle")


class TestLaw11:
    """A what-if leaves the learner's world equal."""

    @given(LIVES, LIVES)
    def test_fork(self, deeds, trial):
        """
        Whatever happens in a fork, the lab it was made from stays as it was.
        """
        lab = live(Lab(seed=8), deeds)
        before = copy.deepcopy(lab.world.to_data())

        twin = lab.fork()
        live(twin, trial)
        twin.clock.travel(days=500)
        twin.iam.create_role("Trial")
        twin.iam.tag("arn:aws:iam::111122223333:user/Admin", new="tag")
        twin.iam.put_policies("arn:aws:iam::111122223333:user/Admin", [])

        assert lab.world.to_data() == before

    @pytest.mark.parametrize("action", ["kms:Encrypt", "kms:ReEncryptFrom", "kms:ScheduleKeyDeletion"])
    def test_verdict_probe(self, action):
        """
        Asking whether somebody may do something logs, draws and changes nothing.
        """
        lab = live(Lab(seed=8), [])
        role = lab.iam.create_role("App")
        key = next(lab.world.all_keys()).arn
        before = data(lab)

        assert not lab.may(role, action, key, context={"a": "b"}).allowed
        assert lab.may("arn:aws:iam::111122223333:user/Admin", action, key).allowed
        assert data(lab) == before

    @given(DEEDS)
    def test_looking(self, deed):
        """
        Saving, printing and looking at a lab leave it as it was.
        """
        lab = live(Lab(seed=8), [deed])
        before = data(lab)

        repr(lab), repr(lab.clock), lab.iam.list(), lab.fork()
        key = next(lab.world.all_keys())
        assert lab.key(key.arn) is key
        assert re.match(r"<Lab: \d+ keys", repr(lab))
        assert data(lab) == before
