"""The laws of the house, as properties of random lives; those of policy, envelope and bill stand elsewhere."""

import ast
import base64
import copy
import dataclasses
import json
import re
import zlib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kms_lab import KMSError, Lab, ParameterError
from kms_lab.core.clock import to_datetime, to_us
from kms_lab.core.world import World
from kms_lab.service.operation import OPERATIONS
from kms_lab.service.pipeline import TIMERS
from tests.laws.conftest import ADMINISTRATOR, CONTEXTS, DEEDS, LIVES, REGIONS, do, full_lab, live, new_store, wrap

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
        lab = live(Lab(seed=1), [])
        for deed in deeds:
            before, now = len(calls(lab)), lab.world.clock.now_us
            made = do(lab, deed)
            new = calls(lab)[before:]

            if made == [("replicate_key", None)]:
                made.append(("create_key", None))  # what CloudTrail shows in the replica's Region
            assert [(OPERATIONS[entry.operation].method, entry.error) for entry in new] == made
            for entry in new:
                assert entry.at_us == now
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
        others |= {
            "Message": b"m",
            "Signature": b"s",
            "Mac": b"m",
            "PublicKey": b"p",
            "SharedSecretCiphertextBlob": b"c",
        }
        others |= {"SigningAlgorithm": "ECDSA_SHA_256", "MacAlgorithm": "HMAC_SHA_256", "KeyAgreementAlgorithm": "ECDH"}
        others |= {"EncapsulationAlgorithm": "ML_KEM", "KeyPairSpec": "ECC_NIST_P256", "ReplicaRegion": "us-west-2"}
        others |= {
            "PrimaryRegion": "us-west-2",
            "WrappingKeySpec": "RSA_2048",
            "WrappingAlgorithm": "RSAES_OAEP_SHA_256",
        }
        others |= {"ImportToken": b"t", "EncryptedKeyMaterial": b"m", "CustomKeyStoreId": "none"}
        others |= {"CustomKeyStoreName": "store"}
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

        steps.clock.travel(days=first, seconds=second)
        steps.clock.travel(days=second, seconds=first)
        leap.clock.travel(days=first + second, seconds=first + second)

        assert data(steps) == data(leap)

    @given(LIVES)
    def test_from_date_to_date(self, deeds):
        """
        Stopping at each instant at which something is due, just before and just after it, changes nothing.
        """
        steps = live(Lab(seed=2), deeds)
        leap = steps.fork()
        end = steps.clock.now + timedelta(days=300)
        clock = steps.world.clock

        while clock.pending and clock.pending[0].when_us < to_us(end):
            when = clock.pending[0].when_us
            for stop in (when - 1, when, when + 1):
                steps.clock.travel(to=max(to_datetime(stop), steps.clock.now))
            assert not clock.pending or clock.pending[0].when_us > when
        steps.clock.travel(to=end)
        leap.clock.travel(to=end)

        assert data(steps) == data(leap)

    @given(LIVES)
    def test_each_at_its_own_instant(self, deeds):
        """
        Every rotation, deletion and expiry by the clock is logged at the instant for which it was due, in order.
        """
        lab = live(Lab(seed=2), deeds)
        expiring = {
            (key.arn, one.id, one.expires_us) for key in lab.world.all_keys() for one in (*key.materials, *key.pending)
        }
        before = len(lab.world.log)
        lab.clock.travel(days=400)

        log = lab.world.log
        done = [log.entry(index) for index in range(before, len(log))]
        assert [entry.at_us for entry in done] == sorted(entry.at_us for entry in done)
        for entry in done:
            if entry.operation == "DeleteKey":
                assert lab.world.gone[entry.key].deletion_us == entry.at_us
            if entry.operation == "DeleteExpiredKeyMaterial":
                assert (entry.key, entry.material, entry.at_us) in expiring
        for key in lab.world.all_keys():
            assert key.state not in ("Creating", "Updating")
            assert all(grant.ends_us is None for grant in key.grants.values())
            assert all(one.expires_us is None or one.expires_us > lab.world.clock.now_us for one in key.materials)
            assert key.deletion_us is None or key.deletion_us > lab.world.clock.now_us
        records = lab.world.every_key()
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

    @pytest.mark.parametrize(
        "kind",
        [{}, {"MultiRegion": True}, {"Origin": "EXTERNAL"}, {"Origin": "AWS_CLOUDHSM"}],
        ids=["plain", "multi-Region", "imported", "in a key store"],
    )
    def test_every_bit_of_a_blob(self, kind):
        """
        Each of the 1,472 bits of a blob, flipped alone, makes it undecryptable, with and without KeyId.
        """
        lab = Lab(seed=4)
        kms = lab.client()
        if kind.get("Origin") == "AWS_CLOUDHSM":
            kind = {**kind, "CustomKeyStoreId": new_store(lab)}
            kms.connect_custom_key_store(CustomKeyStoreId=kind["CustomKeyStoreId"])
            lab.clock.travel(minutes=20)
        key = kms.create_key(**kind)["KeyMetadata"]["Arn"]
        do(lab, ("import_key_material", 0, {"secret": b"k" * 32, "lasts": None, "new": False}))
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

    def test_every_bit_of_a_context(self):
        """
        Each bit of a name or value of a context, flipped alone, makes it another context, which does not open the blob.
        """
        kms = Lab(seed=4).client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        context = {"Purpose": "test", "Größe": "ü1", "": "e"}
        blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]
        assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"x"

        for name, value in context.items():
            rest = {other: text for other, text in context.items() if other != name}
            changed = [{**rest, name: text} for text in flipped(value)] + [
                {**rest, text: value} for text in flipped(name)
            ]
            for wrong in (*changed, rest, {**context, "x": ""}):
                with pytest.raises(kms.exceptions.InvalidCiphertextException):
                    kms.decrypt(CiphertextBlob=blob, EncryptionContext=wrong)

    @settings(max_examples=40)
    @given(LIVES)
    def test_in_any_life(self, deeds):
        """
        Whatever happens, a ciphertext decrypts in each Region that has a usable related key, and nowhere else.
        """
        lab = live(Lab(seed=4), [])
        made = []
        for deed in deeds:
            do(lab, deed)
            for key in lab.world.all_keys():
                if key.spec == "SYMMETRIC_DEFAULT" and key.state in ("Enabled", "Updating"):
                    kms = lab.client(region=key.region)
                    sealed = kms.encrypt(KeyId=key.arn, Plaintext=key.arn.encode(), EncryptionContext={"a": "b"})
                    made.append((key.id, key.arn.encode(), sealed["CiphertextBlob"]))
        lab.clock.travel(minutes=1)

        for key_id, text, blob in made[-60:]:
            for region in REGIONS:
                kms = lab.client(region=region)
                found = lab.world.shelf("111122223333", region).keys.get(key_id)
                if found is not None and found.state == "Enabled":
                    opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})
                    assert opened["Plaintext"] == text
                else:
                    with pytest.raises(KMSError):
                        kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})


def flipped(text):
    """A text with one bit of one character changed, in every way that is still a text."""
    return [
        text[:place] + chr(ord(one) ^ 1 << bit) + text[place + 1 :]
        for place, one in enumerate(text)
        for bit in range(8)
    ]


#: what OpenSSL draws for itself: an encapsulated secret
CHANCE = ("SharedSecret", "SharedSecretCiphertextBlob")
SEEDED = (
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
    ("HMAC_224", "GENERATE_VERIFY_MAC"),
    ("HMAC_512", "GENERATE_VERIFY_MAC"),
    ("ECC_NIST_P256", "SIGN_VERIFY"),
    ("ECC_NIST_P384", "KEY_AGREEMENT"),
    ("ECC_NIST_P521", "SIGN_VERIFY"),
    ("ECC_SECG_P256K1", "SIGN_VERIFY"),
    ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY"),
    ("ML_DSA_44", "SIGN_VERIFY"),
    ("ML_DSA_65", "SIGN_VERIFY"),
    ("ML_DSA_87", "SIGN_VERIFY"),
    ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"),
    ("ML_KEM_1024", "ENCAPSULATE_DECAPSULATE"),
)


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

    @pytest.mark.parametrize(("spec", "usage"), SEEDED)
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

    def test_every_operation(self):
        """
        Two runs of one script give the same answers byte for byte, encapsulated secrets excepted.

        RSA keys and paddings come from OpenSSL too; here one RSA key stands in for those that wrap imports.
        """

        def script(lab):
            answers = []

            def call(method, region=REGIONS[0], **params):
                answer = getattr(lab.client(region=region), method)(**params)
                answers.append({name: value for name, value in answer.items() if name not in CHANCE})
                return answer

            store = new_store(lab)
            call("connect_custom_key_store", CustomKeyStoreId=store)
            lab.clock.travel(minutes=20)
            stored = call("create_key", Origin="AWS_CLOUDHSM", CustomKeyStoreId=store)["KeyMetadata"]["Arn"]
            made = {spec: call("create_key", KeySpec=spec, KeyUsage=usage) for spec, usage in SEEDED}
            arns = {spec: answer["KeyMetadata"]["Arn"] for spec, answer in made.items()}
            for spec, arn in arns.items():
                if not spec.startswith(("SYMM", "HMAC")):
                    call("get_public_key", KeyId=arn)
            call("generate_mac", KeyId=arns["HMAC_512"], Message=b"m", MacAlgorithm="HMAC_SHA_512")
            call("encapsulate", KeyId=arns["ML_KEM_768"], EncapsulationAlgorithm="ML_KEM")
            call("sign", KeyId=arns["ECC_NIST_EDWARDS25519"], Message=b"m", SigningAlgorithm="ED25519_SHA_512")
            family = call("create_key", MultiRegion=True)["KeyMetadata"]["Arn"]
            call("replicate_key", KeyId=family, ReplicaRegion=REGIONS[1])
            lab.clock.travel(seconds=10)
            call("rotate_key_on_demand", KeyId=family)
            call("generate_data_key_pair", KeyId=family, KeyPairSpec="ECC_NIST_P256")
            for key in (stored, family):
                call("encrypt", KeyId=key, Plaintext=b"x")
            call("encrypt", REGIONS[1], KeyId=family.replace(*REGIONS[:2]), Plaintext=b"x")
            call("create_grant", KeyId=family, GranteePrincipal=ADMINISTRATOR, Operations=["Decrypt"])
            imported = call("create_key", Origin="EXTERNAL")["KeyMetadata"]["Arn"]
            wrapping = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
            token = call("get_parameters_for_import", KeyId=imported, **wrapping)["ImportToken"]
            material = {"ImportToken": token, "EncryptedKeyMaterial": wrap(bytes(32))}
            call("import_key_material", KeyId=imported, ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE", **material)
            call("encrypt", KeyId=imported, Plaintext=b"x")
            call("list_key_rotations", KeyId=family, IncludeKeyMaterial="ALL_KEY_MATERIAL")
            lab.credentials(ADMINISTRATOR)
            answers.append(lab.xks.create_proxy().credential)
            return answers, data(lab)

        one, other, another = script(Lab(seed=1)), script(Lab(seed=1)), script(Lab(seed=2))

        assert one == other
        assert one[1] != another[1]
        assert not [answer for answer in one[0] if answer in another[0]]

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


def all_records(world):
    """Every record that a world holds."""
    keys = list(world.every_key())
    proxies = list(world.proxies.values())
    return [
        *keys,
        *(one for key in keys for one in (*key.materials, *key.pending, *key.grants.values())),
        *(one for shelf in world.shelves.values() for one in (*shelf.aliases.values(), *shelf.stores.values())),
        *world.clusters.values(),
        *proxies,
        *(key for proxy in proxies for key in proxy.keys.values()),
        *world.access_keys.values(),
        *world.identities.values(),
        *world.groups.values(),
        *world.endpoints.values(),
        *([world.organization, *world.organization.nodes.values()] if world.organization else ()),
    ]


def plain(value):
    """A record, with those in it, as plain data that compares."""
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    return list(map(plain, value)) if isinstance(value, list | tuple) else value


class TestLaw9:
    """A world saves to one JSON file and loads back equal. No pickle, no eval, no exec anywhere."""

    @settings(max_examples=40)
    @given(LIVES, LIVES)
    def test_saved_and_loaded(self, deeds, later):
        """
        A lab saved and loaded is equal, and goes on exactly as the original would.
        """
        lab = live(Lab(seed=6), deeds)
        text = data(lab)

        twin = Lab._of(World.from_data(json.loads(text)))

        assert data(twin) == text
        assert list(map(plain, all_records(twin.world))) == list(map(plain, all_records(lab.world)))
        for one in (lab, twin):
            live(one, later)
            one.clock.travel(days=100)
        assert data(twin) == data(lab)

    def test_everything(self):
        """
        A lab that has everything, with all of its fields set and a timer of each kind running, comes back equal.
        """
        lab = full_lab(seed=6)
        world = lab.world
        records = all_records(world)
        for kind in {type(one) for one in records}:
            for field in dataclasses.fields(kind):
                values = [getattr(one, field.name) for one in records if type(one) is kind]
                default = field.default if field.default is not dataclasses.MISSING else None
                assert any(value != default and value not in ((), [], {}) for value in values), (kind, field.name)
        assert {due.kind for due in world.clock.pending} == set(TIMERS)
        text = data(lab)
        assert all(json.loads(text).values())

        twin = Lab._of(World.from_data(json.loads(text)))

        assert data(twin) == text
        assert list(map(plain, all_records(twin.world))) == list(map(plain, records))
        for days in (0, 1, 10, 400):
            for one in (lab, twin):
                one.clock.travel(days=days, minutes=7)
                for number in range(8):
                    do(one, ("rotate_key_on_demand", number, {}))
            assert data(twin) == data(lab)

    def test_file(self, tmp_path):
        """
        The file is one JSON document that says what it is.
        """
        lab = live(Lab(seed=6), [])
        lab.save(tmp_path / "lab.json")

        saved = json.loads((tmp_path / "lab.json").read_text())
        assert saved["format"] == "kms_lab world 2"
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
