"""Key pairs: GetPublicKey, Sign, Verify, DeriveSharedSecret, Encapsulate, Decapsulate.

What KMS answers is checked with the exported public key alone, by ``cryptography`` and by OpenSSL, outside the lab.
"""

import hashlib
import shutil
import subprocess
from dataclasses import replace

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, mlkem, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings

from kms_lab import Lab
from kms_lab.core import model
from kms_lab.core.specs import SPECS
from tests.service.conftest import EVERYDAY, answer, code, method, new_key, peer_key, refusal, sender

SIGN, AGREE, ENCAPSULATE = "SIGN_VERIFY", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE"
ECDSA = {
    "ECC_NIST_P256": ("ECDSA_SHA_256", ec.SECP256R1),
    "ECC_NIST_P384": ("ECDSA_SHA_384", ec.SECP384R1),
    "ECC_NIST_P521": ("ECDSA_SHA_512", ec.SECP521R1),
    "ECC_SECG_P256K1": ("ECDSA_SHA_256", ec.SECP256K1),
}
RSA = [f"RSASSA_{kind}_SHA_{bits}" for kind in ("PSS", "PKCS1_V1_5") for bits in (256, 384, 512)]
HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
ED, PH, MLDSA = "ED25519_SHA_512", "ED25519_PH_SHA_512", "ML_DSA_SHAKE_256"
MESSAGE = b"pay 100 to Alice"

#: every signing key spec with every algorithm of its own
SIGNING = [
    *((f"RSA_{bits}", algorithm) for bits in (2048, 3072, 4096) for algorithm in RSA),
    *((spec, algorithm) for spec, (algorithm, _) in ECDSA.items()),
    ("ECC_NIST_EDWARDS25519", ED),
    ("ECC_NIST_EDWARDS25519", PH),
    *((f"ML_DSA_{size}", MLDSA) for size in (44, 65, 87)),
]
SPECS_THAT_SIGN = list(dict.fromkeys(spec for spec, _ in SIGNING))
FORMS = [
    (spec, algorithm, kind)
    for spec, algorithm in SIGNING
    for kind in (
        ("RAW",) if algorithm == ED else
        ("DIGEST",) if algorithm == PH else
        ("RAW", "EXTERNAL_MU") if algorithm == MLDSA else
        ("RAW", "DIGEST")
    )
]  # fmt: skip
AGREEING = ("ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521")
STRANGERS = [
    (spec, algorithm)
    for spec in SPECS_THAT_SIGN
    for algorithm in model.enum("SigningAlgorithmSpec")
    if (spec, algorithm) not in SIGNING
]
MALFORMED = [
    (spec, algorithm, kind)
    for spec, algorithm in SIGNING
    for kind in model.enum("MessageType")
    if (spec, algorithm, kind) not in FORMS
]
PAIR_SPECS = [spec for spec, row in SPECS.items() if row.asymmetric and row.family]
ALL_PAIRS = [(spec, usage) for spec in PAIR_SPECS for usage in SPECS[spec].usages]
#: the kind of public key of each family
PUBLIC_KINDS = {
    "RSA": rsa.RSAPublicKey,
    "EC": ec.EllipticCurvePublicKey,
    "ED25519": ed25519.Ed25519PublicKey,
    "ML-DSA": (mldsa.MLDSA44PublicKey, mldsa.MLDSA65PublicKey, mldsa.MLDSA87PublicKey),
    "ML-KEM": (mlkem.MLKEM768PublicKey, mlkem.MLKEM1024PublicKey),
}
#: the usage that each operation needs
USAGES = {
    "Sign": SIGN,
    "Verify": SIGN,
    "DeriveSharedSecret": AGREE,
    "Encapsulate": ENCAPSULATE,
    "Decapsulate": ENCAPSULATE,
    "GenerateMac": "GENERATE_VERIFY_MAC",
    "VerifyMac": "GENERATE_VERIFY_MAC",
    "GenerateDataKeyPair": "ENCRYPT_DECRYPT",
}
#: keys of every usage
OF_EACH_USAGE = [
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
    ("RSA_2048", "ENCRYPT_DECRYPT"),
    ("ECC_NIST_P256", SIGN),
    ("ECC_NIST_P256", AGREE),
    ("ML_KEM_768", ENCAPSULATE),
    ("ML_DSA_44", SIGN),
    ("HMAC_256", "GENERATE_VERIFY_MAC"),
]
#: length of a ciphertext
CIPHERTEXTS = {"ML_KEM_768": 1088, "ML_KEM_1024": 1568}


@pytest.fixture
def pair(kms, rsa_key):
    """A function that creates a key pair; RSA keys are shared, since they take long to make."""

    def make(spec, usage=SIGN):
        return rsa_key(spec, usage) if spec.startswith("RSA") else new_key(kms, KeySpec=spec, KeyUsage=usage)

    return make


def exported(kms, key):
    """The public key as somebody outside KMS has it."""
    return load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])


def digest_of(algorithm: str, message: bytes) -> bytes:
    return hashlib.new(f"sha{algorithm[-3:]}", message).digest()


def mu_of(public: bytes, message: bytes) -> bytes:
    """ML-DSA's message representative, as FIPS 204, algorithm 7, makes it of a raw public key; no context."""
    tr = hashlib.shake_256(public).digest(64)
    return hashlib.shake_256(tr + b"\x00\x00" + message).digest(64)


def given_as(kms, key, algorithm, kind, message=MESSAGE) -> dict:
    """The parameters with which Sign and Verify are given a message in one of its forms."""
    if kind == "DIGEST":
        message = digest_of(algorithm, message)
    if kind == "EXTERNAL_MU":
        message = mu_of(exported(kms, key).public_bytes_raw(), message)
    return {"KeyId": key, "Message": message, "MessageType": kind, "SigningAlgorithm": algorithm}


def valid_outside(public, algorithm: str, message: bytes, signature: bytes) -> bool:
    """Verify a signature with the public key alone."""
    try:
        if algorithm.startswith("ECDSA"):
            public.verify(signature, message, ec.ECDSA(HASHES[algorithm[-3:]]))
        elif algorithm.startswith("RSASSA_PSS"):
            hashing = HASHES[algorithm[-3:]]
            public.verify(signature, message, padding.PSS(padding.MGF1(hashing), hashing.digest_size), hashing)
        elif algorithm.startswith("RSASSA"):
            public.verify(signature, message, padding.PKCS1v15(), HASHES[algorithm[-3:]])
        elif algorithm == PH:
            # what KMS is given is a digest, and it hashes once more: FIPS 186-5, 7.8.1
            state = bindings.crypto_sign_ed25519ph_state()
            bindings.crypto_sign_ed25519ph_update(state, digest_of(algorithm, message))
            return bindings.crypto_sign_ed25519ph_final_verify(state, signature, public.public_bytes_raw())
        else:
            public.verify(signature, message)
    except InvalidSignature:
        return False
    return True


# ------------------------------------------------------------------------------ GetPublicKey


class TestGetPublicKey:
    @pytest.mark.parametrize(("spec", "usage"), ALL_PAIRS)
    def test_answer(self, lab, kms, pair, spec, usage):
        """
        The public half as SubjectPublicKeyInfo, with the key's spec, usage, and the algorithms of that usage.
        """
        key = pair(spec, usage)
        shown = kms.get_public_key(KeyId=key)

        shown.pop("ResponseMetadata")
        public = load_der_public_key(shown.pop("PublicKey"))
        assert isinstance(public, PUBLIC_KINDS[SPECS[spec].family])
        assert public == load_der_private_key(lab.key(key).current.secret, password=None).public_key()
        metadata = kms.describe_key(KeyId=key)["KeyMetadata"]
        algorithms = {name: value for name, value in metadata.items() if name.endswith("Algorithms")}
        old = {"CustomerMasterKeySpec": spec} if spec in model.enum("CustomerMasterKeySpec") else {}
        assert shown == {"KeyId": key, "KeySpec": spec, "KeyUsage": usage, **algorithms, **old}
        assert len(algorithms) == 1

    @pytest.mark.parametrize(("spec", "size"), [("ECC_NIST_EDWARDS25519", 44), ("ML_DSA_44", 1334)])
    def test_sizes_of_real_keys(self, kms, pair, spec, size):
        """
        The exported key is as long as the ones that AWS gave in public reports.
        """
        assert len(kms.get_public_key(KeyId=pair(spec))["PublicKey"]) == size

    def test_always_the_same(self, kms, pair):
        """
        A key has one public key, whoever asks and whenever; another key has another.
        """
        key, other = pair("ECC_NIST_P256"), pair("ECC_NIST_P256")

        assert kms.get_public_key(KeyId=key)["PublicKey"] == kms.get_public_key(KeyId=key)["PublicKey"]
        assert kms.get_public_key(KeyId=key)["PublicKey"] != kms.get_public_key(KeyId=other)["PublicKey"]

    def test_disabled(self, kms, pair):
        """
        A disabled key still gives its public half, with which signatures verify outside, but signs nothing more.
        """
        key = pair("ECC_NIST_P256")
        params = {"KeyId": key, "Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256"}
        signature = kms.sign(**params)["Signature"]
        kms.disable_key(KeyId=key)

        assert valid_outside(exported(kms, key), "ECDSA_SHA_256", MESSAGE, signature)
        assert code(kms.sign, **params) == "DisabledException"
        assert code(kms.verify, **params, Signature=signature) == "DisabledException"

    def test_before_the_first_import(self, kms):
        """
        A key that waits for its first material has no public key yet, and says what it waits for.
        """
        key = new_key(kms, KeySpec="ECC_NIST_P256", KeyUsage=SIGN, Origin="EXTERNAL")

        assert answer(kms.get_public_key, KeyId=key) == ("KMSInvalidStateException", f"{key} is pending import.")

    def test_after_the_material_is_gone(self, lab, kms, pair):
        """
        The lab keeps no public key without its private half, so it gives none once imported material is gone.

        AWS's key-state table says ok for a key that waits for its material.
        """
        key = pair("ECC_NIST_P256")
        record = lab.key(key)
        record.origin, record.state = "EXTERNAL", "PendingImport"
        record.materials = [replace(record.current, secret=b"")]

        assert answer(kms.get_public_key, KeyId=key) == ("KMSInvalidStateException", f"{key} is pending import.")

    @pytest.mark.parametrize("state", ["Enabled", "Disabled", "PendingDeletion"])
    @pytest.mark.parametrize(
        ("spec", "usage"), [("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), ("HMAC_256", "GENERATE_VERIFY_MAC")]
    )
    def test_no_public_key(self, lab, kms, spec, usage, state):
        """
        Symmetric and HMAC keys have no public half, in whatever state.
        """
        key = new_key(kms, KeySpec=spec, KeyUsage=usage)
        lab.key(key).state = state

        assert code(kms.get_public_key, KeyId=key) == "UnsupportedOperationException"

    def test_encrypt_outside(self, kms, rsa_key):
        """
        What is encrypted outside with an exported RSA key, Decrypt opens.
        """
        key = rsa_key("RSA_2048", "ENCRYPT_DECRYPT")
        scheme = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        blob = exported(kms, key).encrypt(b"from outside", scheme)

        opened = kms.decrypt(KeyId=key, CiphertextBlob=blob, EncryptionAlgorithm="RSAES_OAEP_SHA_256")

        assert opened["Plaintext"] == b"from outside"


# ------------------------------------------------------------------------------ Sign and Verify


def test_the_table_of_algorithms_is_complete():
    """
    The tests below have every signing algorithm of AWS's model but SM2's, and every spec that can sign.
    """
    assert {algorithm for _, algorithm in SIGNING} | {"SM2DSA"} == set(model.enum("SigningAlgorithmSpec"))
    assert {*SPECS_THAT_SIGN, "SM2"} == {name for name, row in SPECS.items() if SIGN in row.usages}


class TestSignAndVerify:
    @pytest.mark.parametrize(("spec", "algorithm", "kind"), FORMS)
    def test_round_trip(self, kms, pair, spec, algorithm, kind):
        """
        What Sign made, Verify accepts, and so does anybody with the public key and the message itself.
        """
        key = pair(spec)
        params = given_as(kms, key, algorithm, kind)

        made = kms.sign(**params)
        checked = kms.verify(**params, Signature=made["Signature"])

        assert (made["KeyId"], made["SigningAlgorithm"]) == (key, algorithm)
        assert valid_outside(exported(kms, key), algorithm, MESSAGE, made["Signature"])
        checked.pop("ResponseMetadata")
        assert checked == {"KeyId": key, "SignatureValid": True, "SigningAlgorithm": algorithm}

    @pytest.mark.parametrize(("spec", "algorithm", "kind"), FORMS)
    def test_tampering(self, kms, pair, spec, algorithm, kind):
        """
        Verify never answers false: whatever was changed, it is KMSInvalidSignatureException, with no text.
        """
        params = given_as(kms, pair(spec), algorithm, kind)
        right = kms.sign(**params)["Signature"]
        other = {"RSA_2048": "RSA_3072", "RSA_3072": "RSA_2048", "RSA_4096": "RSA_2048"}.get(spec, spec)
        wrong = {
            "first bit": {"Signature": bytes([right[0] ^ 0x80]) + right[1:]},
            "last bit": {"Signature": right[:-1] + bytes([right[-1] ^ 1])},
            "cut": {"Signature": right[:-1]},
            "longer": {"Signature": right + b"\x00"},
            "zeros": {"Signature": bytes(len(right))},
            "garbage": {"Signature": b"x"},
            "message": {"Message": params["Message"][:-1] + bytes([params["Message"][-1] ^ 1])},
            "key": {"KeyId": pair(other)},
        }

        assert kms.verify(**params, Signature=right)["SignatureValid"]
        found = {name: answer(kms.verify, **{**params, "Signature": right, **one}) for name, one in wrong.items()}

        assert found == dict.fromkeys(wrong, ("KMSInvalidSignatureException", ""))

    @pytest.mark.parametrize(("spec", "algorithm"), [row for row in SIGNING if row[1] not in (ED, PH)])
    def test_forms_of_one_message(self, kms, pair, spec, algorithm):
        """
        A message and its digest, or its mu, are the same message: what is signed as one verifies as the other.
        """
        key = pair(spec)
        forms = [given_as(kms, key, algorithm, kind) for s, a, kind in FORMS if (s, a) == (spec, algorithm)]

        for one, other in (forms, forms[::-1]):
            assert kms.verify(**other, Signature=kms.sign(**one)["Signature"])["SignatureValid"]

    @pytest.mark.parametrize(("spec", "algorithm"), SIGNING)
    def test_raw_is_the_default(self, kms, pair, spec, algorithm):
        """
        A request without a message type means RAW: a digest given so is hashed again.
        """
        key = pair(spec)
        params = {"KeyId": key, "Message": digest_of("512", MESSAGE), "SigningAlgorithm": algorithm}

        if algorithm == PH:
            assert code(kms.sign, **params) == code(kms.sign, **params, MessageType="RAW") == "ValidationException"
            return
        signature = kms.sign(**params)["Signature"]
        assert kms.verify(**params, MessageType="RAW", Signature=signature)["SignatureValid"]
        assert valid_outside(exported(kms, key), algorithm, params["Message"], signature)
        assert not valid_outside(exported(kms, key), algorithm, MESSAGE, signature)

    @pytest.mark.parametrize(
        ("spec", "algorithm", "size"),
        [
            ("RSA_2048", RSA[0], 256),
            ("RSA_3072", RSA[0], 384),
            ("RSA_4096", RSA[0], 512),
            ("ECC_NIST_EDWARDS25519", ED, 64),
            ("ML_DSA_44", MLDSA, 2420),
            ("ML_DSA_65", MLDSA, 3309),
            ("ML_DSA_87", MLDSA, 4627),
        ],
    )
    def test_sizes(self, kms, pair, spec, algorithm, size):
        """
        A signature has the size that its standard says.
        """
        params = {"KeyId": pair(spec), "Message": MESSAGE, "SigningAlgorithm": algorithm}

        assert len(kms.sign(**params)["Signature"]) == size

    @pytest.mark.parametrize("spec", ECDSA)
    def test_ecdsa_is_der(self, kms, pair, spec):
        """
        An ECDSA signature is the DER sequence of two numbers below the order of the curve, and differs each time.
        """
        params = {"KeyId": pair(spec), "Message": MESSAGE, "SigningAlgorithm": ECDSA[spec][0]}

        made = [kms.sign(**params)["Signature"] for _ in range(3)]

        assert len(set(made)) == 3
        for signature in made:
            r, s = utils.decode_dss_signature(signature)
            assert max(r, s).bit_length() <= ECDSA[spec][1]().key_size
            assert utils.encode_dss_signature(r, s) == signature

    @pytest.mark.parametrize("bits", ["256", "384", "512"])
    def test_salt_of_pss(self, kms, pair, bits):
        """
        RSASSA-PSS salts with as many bytes as the digest has, and Verify wants just that.
        """
        key, algorithm, hashing = pair("RSA_2048"), f"RSASSA_PSS_SHA_{bits}", HASHES[bits]
        params = {"KeyId": key, "Message": MESSAGE, "SigningAlgorithm": algorithm}
        public = exported(kms, key)

        def verify(salt: int) -> None:
            public.verify(kms.sign(**params)["Signature"], MESSAGE, padding.PSS(padding.MGF1(hashing), salt), hashing)

        verify(int(bits) // 8)
        with pytest.raises(InvalidSignature):
            verify(int(bits) // 8 - 1)

    @pytest.mark.parametrize("bits", ["256", "384", "512"])
    def test_other_salts(self, lab, kms, pair, bits):
        """
        Verify wants just that salt too: one of another length is no valid signature.
        """
        key, hashing = pair("RSA_2048"), HASHES[bits]
        private = load_der_private_key(lab.key(key).current.secret, password=None)

        def found(salt: int) -> str | None:
            signature = private.sign(MESSAGE, padding.PSS(padding.MGF1(hashing), salt), hashing)
            params = {"Message": MESSAGE, "Signature": signature, "SigningAlgorithm": f"RSASSA_PSS_SHA_{bits}"}
            return code(kms.verify, KeyId=key, **params)

        assert found(int(bits) // 8) is None
        assert {found(salt) for salt in (0, 20, int(bits) // 8 + 1)} == {"KMSInvalidSignatureException"}

    def test_prehash_is_not_the_pure_form(self, kms, pair):
        """
        Ed25519ph over a digest is another signature than Ed25519 over it: neither verifies as the other.
        """
        key, digest = pair("ECC_NIST_EDWARDS25519"), digest_of(PH, MESSAGE)
        pre = {"KeyId": key, "Message": digest, "MessageType": "DIGEST", "SigningAlgorithm": PH}
        pure = {"KeyId": key, "Message": digest, "SigningAlgorithm": ED}

        assert code(kms.verify, **pure, Signature=kms.sign(**pre)["Signature"]) == "KMSInvalidSignatureException"
        assert code(kms.verify, **pre, Signature=kms.sign(**pure)["Signature"]) == "KMSInvalidSignatureException"

    def test_mu_by_the_library(self, kms, pair):
        """
        The mu that the library hashes piece by piece is the mu that KMS takes.
        """
        key = pair("ML_DSA_44")
        hasher = mldsa.MLDSAMuHasher(exported(kms, key))
        for part in (MESSAGE[:5], MESSAGE[5:]):
            hasher.update(part)

        params = {"KeyId": key, "Message": hasher.finalize(), "MessageType": "EXTERNAL_MU", "SigningAlgorithm": MLDSA}

        assert valid_outside(exported(kms, key), MLDSA, MESSAGE, kms.sign(**params)["Signature"])


class TestWhatDoesNotFit:
    @pytest.mark.parametrize(("spec", "algorithm"), STRANGERS)
    def test_algorithm_of_another_spec(self, kms, pair, spec, algorithm):
        """
        Every pair of spec and algorithm that is not in the table is refused, naming both.
        """
        params = {"KeyId": pair(spec), "Message": MESSAGE, "SigningAlgorithm": algorithm}
        expected = ("InvalidKeyUsageException", f"Algorithm {algorithm} is incompatible with key spec {spec}.")

        assert answer(kms.sign, **params) == expected
        assert answer(kms.verify, **params, Signature=b"x") == expected

    @pytest.mark.parametrize("dry", [False, True])
    @pytest.mark.parametrize(("spec", "algorithm", "kind"), [row for row in FORMS if row[2] != "RAW"])
    def test_length_of_a_digest(self, kms, pair, spec, algorithm, kind, dry):
        """
        A digest has the length of its hash, and mu 64 bytes: Sign and Verify refuse any other, and dry runs too.
        """
        right = 64 if kind == "EXTERNAL_MU" else int(algorithm[-3:]) // 8
        params = {"KeyId": pair(spec), "MessageType": kind, "SigningAlgorithm": algorithm, "DryRun": dry}
        expected = ("ValidationException", f"Digest is invalid length for algorithm {algorithm}.")

        for size in {1, 20, 28, 32, 48, 64, 65, 4096} - {right}:
            assert answer(kms.sign, **params, Message=b"d" * size) == expected
            assert answer(kms.verify, **params, Message=b"d" * size, Signature=b"x") == expected
        success = "DryRunOperationException" if dry else None
        assert code(kms.sign, **params, Message=b"d" * right) == success

    @pytest.mark.parametrize("dry", [False, True])
    @pytest.mark.parametrize(("spec", "algorithm", "kind"), MALFORMED)
    def test_message_type(self, kms, pair, spec, algorithm, kind, dry):
        """
        A message type that the algorithm does not take is refused, by the algorithm's name or by the spec's.
        """
        params = {"KeyId": pair(spec), "Message": b"d" * 64, "MessageType": kind, "SigningAlgorithm": algorithm}
        culprit = f"algorithm {algorithm}" if algorithm in (ED, PH) else f"key spec {spec}"
        expected = ("ValidationException", f"Message type {kind} is incompatible with {culprit}.")

        assert answer(kms.sign, **params, DryRun=dry) == expected
        assert answer(kms.verify, **params, Signature=b"x", DryRun=dry) == expected

    @pytest.mark.parametrize("size", [0, 4097])
    def test_size_of_a_message(self, lab, pair, size):
        """
        A message has 1 to 4,096 bytes; for more there are digests.
        """
        params = {"KeyId": pair("ECC_NIST_P256"), "Message": b"m" * size, "SigningAlgorithm": "ECDSA_SHA_256"}

        error = refusal(sender(lab, "Sign"), **params)

        assert error.code == "ValidationException"
        assert "'message' failed to satisfy constraint: Member must have length" in error.message

    def test_largest_message(self, kms, pair):
        """
        4,096 bytes are signed as they are.
        """
        params = {"KeyId": pair("ECC_NIST_P256"), "Message": b"m" * 4096, "SigningAlgorithm": "ECDSA_SHA_256"}

        assert kms.verify(**params, Signature=kms.sign(**params)["Signature"])["SignatureValid"]

    @pytest.mark.parametrize(
        ("operation", "spec", "usage"),
        [
            (operation, spec, usage)
            for operation, needed in USAGES.items()
            for spec, usage in OF_EACH_USAGE
            if usage != needed
        ],
    )
    def test_usage(self, stage, operation, spec, usage):
        """
        A key of another usage is refused, with its usage and the operation's name; a disabled one says that first.
        """
        params = EVERYDAY[operation](stage)
        params["KeyId"] = key = new_key(stage.kms, KeySpec=spec, KeyUsage=usage)

        assert answer(method(stage.kms, operation), **params) == (
            "InvalidKeyUsageException",
            f"{key} key usage is {usage} which is not valid for {operation}.",
        )
        stage.kms.disable_key(KeyId=key)
        assert code(method(stage.kms, operation), **params) == "DisabledException"


# ------------------------------------------------------------------------------ OpenSSL


class TestOpenSSL:
    """The command that stands in AWS's own examples of offline verification."""

    @pytest.mark.parametrize(
        ("spec", "algorithm", "options"),
        [
            *((spec, algorithm, ()) for spec, (algorithm, _) in ECDSA.items()),
            *(("RSA_2048", name, ()) for name in RSA if "PKCS1" in name),
            *(
                ("RSA_2048", name, ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"))
                for name in RSA
                if "PSS" in name
            ),
        ],
    )
    def test_verifies(self, kms, pair, tmp_path, spec, algorithm, options):
        """
        ``openssl dgst -verify`` accepts a signature of KMS with the exported key, and refuses it for another message.
        """
        program = shutil.which("openssl")
        assert program, "the OpenSSL command is needed to check signatures independently"
        key = pair(spec)
        public = exported(kms, key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        signature = kms.sign(KeyId=key, Message=MESSAGE, SigningAlgorithm=algorithm)["Signature"]
        (tmp_path / "public.pem").write_bytes(public)
        (tmp_path / "signature").write_bytes(signature)
        (tmp_path / "message").write_bytes(MESSAGE)
        (tmp_path / "other").write_bytes(MESSAGE + b"!")

        def verify(message: str) -> bool:
            command = [program, "dgst", f"-sha{algorithm[-3:]}", "-verify", "public.pem", *options]
            done = subprocess.run([*command, "-signature", "signature", message], cwd=tmp_path, capture_output=True)
            return done.returncode == 0

        assert verify("message")
        assert not verify("other")


# ------------------------------------------------------------------------------ DeriveSharedSecret


class TestDeriveSharedSecret:
    @pytest.mark.parametrize("spec", AGREEING)
    def test_both_sides_agree(self, kms, pair, spec):
        """
        Two KMS keys derive one secret from each other's public keys, and answer with the key's origin.
        """
        alice, bob = pair(spec, AGREE), pair(spec, AGREE)

        def derive(own, peer):
            public = kms.get_public_key(KeyId=peer)["PublicKey"]
            return kms.derive_shared_secret(KeyId=own, KeyAgreementAlgorithm="ECDH", PublicKey=public)

        one, other = derive(alice, bob), derive(bob, alice)

        assert one["SharedSecret"] == other["SharedSecret"] != derive(alice, alice)["SharedSecret"]
        assert len(one["SharedSecret"]) == (ECDSA[spec][1]().key_size + 7) // 8
        one.pop("ResponseMetadata")
        one.pop("SharedSecret")
        assert one == {"KeyId": alice, "KeyAgreementAlgorithm": "ECDH", "KeyOrigin": "AWS_KMS"}

    @pytest.mark.parametrize("spec", AGREEING)
    def test_peer_outside(self, kms, pair, spec):
        """
        A peer outside KMS reaches the same secret with its own private key and the exported public key.
        """
        key = pair(spec, AGREE)
        outside = ec.generate_private_key(ECDSA[spec][1]())
        public = outside.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

        inside = kms.derive_shared_secret(KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=public)["SharedSecret"]

        assert inside == outside.exchange(ec.ECDH(), exported(kms, key))

    @pytest.mark.parametrize("dry", [False, True])
    @pytest.mark.parametrize(
        "peer",
        [
            b"garbage",
            peer_key("ECC_NIST_P384"),
            peer_key("ECC_SECG_P256K1"),
            peer_key("ECC_NIST_EDWARDS25519"),
            peer_key("ML_KEM_768"),
            peer_key()[:-1],
            peer_key() + b"\x00",
            peer_key()[:-1] + bytes([peer_key()[-1] ^ 1]),
            peer_key()[26:],
        ],
        ids=["garbage", "P-384", "secp256k1", "Ed25519", "ML-KEM", "cut", "longer", "not on the curve", "bare point"],
    )
    def test_unusable_peer(self, kms, pair, peer, dry):
        """
        Anything but a point of the same curve in SubjectPublicKeyInfo is a ValidationException, with no text.
        """
        key = pair("ECC_NIST_P256", AGREE)

        found = answer(kms.derive_shared_secret, KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=peer, DryRun=dry)

        assert found == ("ValidationException", "")

    @given(noise=st.binary(min_size=1, max_size=200), cut=st.integers(0, 91))
    def test_any_peer(self, noise, cut):
        """
        No bytes in place of a peer's public key do anything but succeed or be refused as a ValidationException.
        """
        kms = Lab(seed=1).client()
        key = new_key(kms, KeySpec="ECC_NIST_P256", KeyUsage=AGREE)

        for peer in (noise, peer_key()[:cut] + noise):
            found = code(kms.derive_shared_secret, KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=peer)
            assert found == "ValidationException"


# ------------------------------------------------------------------------------ Encapsulate and Decapsulate


class TestEncapsulation:
    @pytest.mark.parametrize(("spec", "size"), CIPHERTEXTS.items())
    def test_round_trip(self, kms, pair, spec, size):
        """
        Decapsulate recovers the 32 bytes that Encapsulate gave; each time there are others.
        """
        key = pair(spec, ENCAPSULATE)
        params = {"KeyId": key, "EncapsulationAlgorithm": "ML_KEM"}

        made = kms.encapsulate(**params)
        opened = kms.decapsulate(**params, SharedSecretCiphertextBlob=made["SharedSecretCiphertextBlob"])

        assert len(made["SharedSecret"]) == 32
        assert len(made["SharedSecretCiphertextBlob"]) == size
        opened.pop("ResponseMetadata")
        assert opened == {**params, "SharedSecret": made["SharedSecret"]}
        made.pop("ResponseMetadata")
        assert set(made) == {*params, "SharedSecret", "SharedSecretCiphertextBlob"}
        assert kms.encapsulate(**params)["SharedSecret"] != made["SharedSecret"]

    @pytest.mark.parametrize("spec", CIPHERTEXTS)
    def test_encapsulate_outside(self, kms, pair, spec):
        """
        A peer outside encapsulates with the exported public key, and KMS opens it.
        """
        key = pair(spec, ENCAPSULATE)
        shared, blob = exported(kms, key).encapsulate()

        opened = kms.decapsulate(KeyId=key, EncapsulationAlgorithm="ML_KEM", SharedSecretCiphertextBlob=blob)

        assert opened["SharedSecret"] == shared

    @pytest.mark.parametrize("spec", CIPHERTEXTS)
    def test_implicit_rejection(self, kms, pair, spec):
        """
        An altered ciphertext, or another key's, gives 32 other bytes and no error: the same ones each time.
        """
        key, other = pair(spec, ENCAPSULATE), pair(spec, ENCAPSULATE)
        params = {"KeyId": key, "EncapsulationAlgorithm": "ML_KEM"}
        made = kms.encapsulate(**params)
        altered = bytes([made["SharedSecretCiphertextBlob"][0] ^ 1]) + made["SharedSecretCiphertextBlob"][1:]

        def secret(key, blob):
            params = {"KeyId": key, "EncapsulationAlgorithm": "ML_KEM", "SharedSecretCiphertextBlob": blob}
            return kms.decapsulate(**params)["SharedSecret"]

        found = {made["SharedSecret"], secret(key, altered), secret(other, made["SharedSecretCiphertextBlob"])}
        assert len(found) == 3
        assert {len(one) for one in found} == {32}
        assert secret(key, altered) == secret(key, altered)

    @pytest.mark.parametrize("dry", [False, True])
    @pytest.mark.parametrize("size", [1, 32, 768, 1087, 1088, 1089, 1568])
    @pytest.mark.parametrize(("spec", "right"), CIPHERTEXTS.items())
    def test_length_of_the_ciphertext(self, kms, pair, spec, right, size, dry):
        """
        A ciphertext of another length is InvalidCiphertextException, dry or not; of the right length, never.
        """
        params = {"KeyId": pair(spec, ENCAPSULATE), "EncapsulationAlgorithm": "ML_KEM", "DryRun": dry}

        found = code(kms.decapsulate, **params, SharedSecretCiphertextBlob=b"c" * size)

        success = "DryRunOperationException" if dry else None
        assert found == (success if size == right else "InvalidCiphertextException")


# ------------------------------------------------------------------------------ all of them


@pytest.mark.parametrize("spec", PAIR_SPECS)
def test_saved_and_forked_keys_are_the_same(lab, pair, spec):
    """
    A saved world, read back, and a fork have the same key pairs.
    """
    key = pair(spec, SPECS[spec].usages[-1])
    public = lab.client().get_public_key(KeyId=key)["PublicKey"]

    for copy in (lab.fork(), lab.world.from_data(lab.world.to_data())):
        world = getattr(copy, "world", copy)
        twin = world.shelf("111122223333", "us-east-1").keys[key.rpartition("/")[2]]
        assert twin.current.secret == lab.key(key).current.secret
    assert lab.fork().client().get_public_key(KeyId=key)["PublicKey"] == public


@pytest.mark.parametrize("spec", [spec for spec in PAIR_SPECS if spec not in ("RSA_3072", "RSA_4096")])
def test_seeded_pairs(spec):
    """
    A seed makes the same key pairs again, in the next lab too; only RSA, which OpenSSL makes, differs.
    """

    def made(seed):
        kms = Lab(seed=seed).client()
        return kms.get_public_key(KeyId=new_key(kms, KeySpec=spec, KeyUsage=SPECS[spec].usages[0]))["PublicKey"]

    assert made(1) != made(2)
    assert (made(1) == made(1)) == (not spec.startswith("RSA"))


@pytest.mark.parametrize("operation", ["Sign", "Verify", "DeriveSharedSecret", "Decapsulate"])
def test_the_log_has_no_secrets(stage, operation):
    """
    The log shows key, algorithm and message type, and neither message nor signature, public key or ciphertext.
    """
    params = EVERYDAY[operation](stage)
    if operation in ("Sign", "Verify"):
        params["MessageType"] = "RAW"
    method(stage.kms, operation)(**params)

    shown = stage.lab.world.log.entry(-1).request

    assert shown == {name: value for name, value in params.items() if not isinstance(value, bytes)}
