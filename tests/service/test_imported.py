"""Imported key material: how it comes, what it does, when it goes, and that only the same comes back."""

import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from kms_lab import Lab, ParameterError
from kms_lab.core.ciphertext import open_blob, parse
from kms_lab.core.clock import to_datetime
from kms_lab.core.specs import SPECS
from tests.service.conftest import (
    MATERIAL,
    answer,
    code,
    import_request,
    imported_key,
    new_key,
    refusal,
    sender,
    wrap,
)

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
OTHER = b"o" * 32
THIRD = b"t" * 32

OAEP = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
AES_WRAP = ("RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256")
NEVER = ("RSAES_PKCS1_V1_5", "SM2PKE")
RSA_SPECS = ("RSA_2048", "RSA_3072", "RSA_4096")
CURVES = {
    "ECC_NIST_P256": ec.SECP256R1,
    "ECC_NIST_P384": ec.SECP384R1,
    "ECC_NIST_P521": ec.SECP521R1,
    "ECC_SECG_P256K1": ec.SECP256K1,
}
HMACS = ("HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512")

#: the wrapping algorithms of each key spec: AWS KMS API Reference, GetParametersForImport
TAKES = {
    "SYMMETRIC_DEFAULT": OAEP,
    **dict.fromkeys(HMACS, OAEP),
    **dict.fromkeys(RSA_SPECS, AES_WRAP),
    **dict.fromkeys((*CURVES, "ECC_NIST_EDWARDS25519"), OAEP + AES_WRAP),
}

pytestmark = pytest.mark.usefixtures("quick_rsa")


def pkcs8(key):
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture(scope="session")
def outside(rsa_secrets):
    """A function that returns material made outside KMS for a key spec, the same every time."""
    made = dict(rsa_secrets)

    def material(spec):
        if spec not in made:
            if spec in CURVES:
                made[spec] = pkcs8(ec.generate_private_key(CURVES[spec]()))
            elif spec == "ECC_NIST_EDWARDS25519":
                made[spec] = pkcs8(ed25519.Ed25519PrivateKey.generate())
            else:
                made[spec] = MATERIAL if spec == "SYMMETRIC_DEFAULT" else bytes(range(64))
        return made[spec]

    return material


def external(kms, spec="SYMMETRIC_DEFAULT", usage=None):
    """Create a key that waits for material."""
    return new_key(kms, Origin="EXTERNAL", KeySpec=spec, KeyUsage=usage or SPECS[spec].usages[-1])


def bring(kms, key, secret=MATERIAL, **params):
    """Import material, and return the answer."""
    return kms.import_key_material(**import_request(kms, key, secret, **params))


def bring_new(kms, key, secret, **params):
    return bring(kms, key, secret, ImportType="NEW_KEY_MATERIAL", **params)["KeyMaterialId"]


def described(kms, key):
    return kms.describe_key(KeyId=key)["KeyMetadata"]


def state(kms, key):
    return described(kms, key)["KeyState"]


def listed(kms, key):
    return kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]


def material_states(kms, key):
    return [one["KeyMaterialState"] for one in listed(kms, key)]


def parameters(kms, key, algorithm="RSAES_OAEP_SHA_256", wrapping_spec="RSA_2048"):
    return kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec=wrapping_spec)


class TestParametersForImport:
    @pytest.mark.parametrize("spec", TAKES)
    def test_wrapping_algorithms(self, kms, spec):
        """
        A kind of key takes the wrapping algorithms of AWS's table and no other; P-521 does not fit OAEP with RSA_2048.
        """
        key = external(kms, spec)
        for algorithm in (*OAEP, *AES_WRAP, *NEVER):
            for wrapping_spec in (*RSA_SPECS, "SM2"):
                fits = algorithm in TAKES[spec] and wrapping_spec != "SM2"
                if (spec, wrapping_spec) == ("ECC_NIST_P521", "RSA_2048") and algorithm in OAEP:
                    fits = False
                params = {"KeyId": key, "WrappingAlgorithm": algorithm, "WrappingKeySpec": wrapping_spec}
                found = code(kms.get_parameters_for_import, **params)
                assert found == (None if fits else "ValidationException"), params

    def test_wrapping_algorithm_of_another_kind(self, kms):
        """
        A wrapping algorithm that does not fit the key is refused in words that name all three; AWS's are reported.
        """
        params = {"WrappingAlgorithm": "RSA_AES_KEY_WRAP_SHA_256", "WrappingKeySpec": "RSA_3072"}

        assert answer(kms.get_parameters_for_import, KeyId=external(kms), **params) == (
            "ValidationException",
            "Wrapping algorithm RSA_AES_KEY_WRAP_SHA_256 and wrapping key spec RSA_3072 cannot be used to import a "
            "SYMMETRIC_DEFAULT key.",
        )

    @pytest.mark.parametrize("wrapping_spec", RSA_SPECS)
    def test_answer(self, lab, kms, wrapping_spec):
        """
        The answer has the key's ARN, an RSA public key of the size asked for, a token, and a day to use them.
        """
        key = external(kms)

        found = parameters(kms, key.rpartition("/")[2], wrapping_spec=wrapping_spec)

        assert found["KeyId"] == key
        assert f"RSA_{load_der_public_key(found['PublicKey']).key_size}" == wrapping_spec
        assert found["ParametersValidTo"] == lab.clock.now + DAY
        assert len(found["ImportToken"]) <= 6144  # what ImportKeyMaterial takes

    @pytest.mark.parametrize("disabled", [False, True])
    def test_key_that_kms_made(self, lab, kms, key, disabled):
        """
        A key whose material KMS made takes none, in any state; AWS's text for it is recorded.
        """
        if disabled:
            kms.disable_key(KeyId=key)
        message = f"{key} origin is AWS_KMS which is not valid for this operation."
        asked = {"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
        brought = {"KeyId": key, "ImportToken": b"t", "EncryptedKeyMaterial": b"m"}

        for call, params in (
            (kms.get_parameters_for_import, asked),
            (kms.import_key_material, brought),
            (kms.delete_imported_key_material, {"KeyId": key}),
        ):
            assert answer(call, **params) == ("UnsupportedOperationException", message)

    @pytest.mark.parametrize("spec", ["ML_DSA_44", "ML_DSA_87", "ML_KEM_768"])
    def test_kinds_that_cannot_be_imported(self, kms, spec):
        """
        Keys of the newest kinds cannot be created for imported material.
        """
        params = {"KeySpec": spec, "KeyUsage": SPECS[spec].usages[0], "Origin": "EXTERNAL"}

        assert code(kms.create_key, **params) == "UnsupportedOperationException"


class TestToken:
    @pytest.mark.parametrize(
        ("after", "found"),
        [(timedelta(), None), (DAY - SECOND, None), (DAY, "ExpiredImportTokenException")],
    )
    def test_a_day(self, lab, kms, after, found):
        """
        A token is good for 24 simulated hours, and not a moment longer.
        """
        request = import_request(kms, external(kms))
        lab.clock.travel(to=lab.clock.now + after)

        assert code(kms.import_key_material, **request) == found

    def test_used_twice(self, kms):
        """
        Within its day a token works again.
        """
        request = import_request(kms, external(kms))

        kms.import_key_material(**request)
        assert code(kms.import_key_material, **request) is None

    def test_damaged(self, kms):
        """
        A token with any bit changed, cut or made up is none.
        """
        request = import_request(kms, external(kms))
        token = request["ImportToken"]
        broken = [token[:at] + bytes([token[at] ^ 1]) + token[at + 1 :] for at in range(0, len(token), 97)]

        for bad in (*broken, token[:-1], token[:20], token + b"x", b"x", b"kms_token"):
            assert code(kms.import_key_material, **{**request, "ImportToken": bad}) == "InvalidImportTokenException"

    def test_before_any_token_was_given(self, kms):
        """
        A world that never gave out a token takes none.
        """
        request = {"KeyId": external(kms), "ImportToken": b"kms_token" + bytes(100), "EncryptedKeyMaterial": b"x"}

        found = code(kms.import_key_material, ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE", **request)

        assert found == "InvalidImportTokenException"

    def test_of_another_key(self, kms):
        """
        A token belongs to the key that it was asked for.
        """
        request = import_request(kms, external(kms))

        found = code(kms.import_key_material, **{**request, "KeyId": external(kms)})

        assert found == "InvalidImportTokenException"

    def test_of_another_answer(self, kms):
        """
        Token and public key are a pair: material wrapped under another answer's public key does not open.
        """
        key = external(kms)
        first, second = import_request(kms, key), import_request(kms, key)

        mixed = {**first, "EncryptedKeyMaterial": second["EncryptedKeyMaterial"]}

        assert code(kms.import_key_material, **mixed) == "InvalidCiphertextException"

    def test_wrapped_by_another_algorithm(self, kms):
        """
        The token holds the algorithm that was asked for: what is wrapped by another does not open.
        """
        key = external(kms)
        given = parameters(kms, key, "RSAES_OAEP_SHA_256")
        request = import_request(kms, key)
        wrapped = wrap(given["PublicKey"], "RSAES_OAEP_SHA_1", MATERIAL)

        found = code(
            kms.import_key_material,
            **{**request, "ImportToken": given["ImportToken"], "EncryptedKeyMaterial": wrapped},
        )

        assert found == "InvalidCiphertextException"

    def test_never_logged(self, lab, kms):
        """
        Neither token nor material stands in the log, wrapped or not, in whatever form.
        """
        request = import_request(kms, external(kms))
        kms.import_key_material(**request)
        bad = {**request, "ImportToken": b"kms_token" + request["ImportToken"]}
        assert code(kms.import_key_material, **bad) == "InvalidImportTokenException"

        log = json.dumps(lab.world.log.to_data()) + repr(lab.world.log.happenings) + repr(lab.world.log.more)

        assert [entry.request.keys() for entry in map(lab.world.log.entry, (-2, -1))] == [
            {"ExpirationModel", "KeyId"},
            {"ExpirationModel", "KeyId"},
        ]
        for secret in (request["ImportToken"], request["EncryptedKeyMaterial"], MATERIAL):
            assert secret.hex() not in log
            assert repr(secret)[2:30] not in log


class TestMaterialIsUsed:
    @pytest.mark.parametrize("algorithm", OAEP)
    @pytest.mark.parametrize("wrapping_spec", RSA_SPECS)
    def test_symmetric(self, kms, algorithm, wrapping_spec):
        """
        A symmetric key encrypts under the very bytes that were imported.
        """
        key = external(kms)
        bring(kms, key, algorithm=algorithm, wrapping_spec=wrapping_spec)

        blob = kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext={"a": "b"})["CiphertextBlob"]

        assert open_blob(parse(blob), MATERIAL, {"a": "b"}) == b"secret"
        assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"] == b"secret"

    @pytest.mark.parametrize("spec", HMACS)
    @pytest.mark.parametrize("algorithm", OAEP)
    def test_hmac(self, kms, spec, algorithm, outside):
        """
        An HMAC key's tags are those of Python's hmac with the imported bytes.
        """
        key = external(kms, spec)
        bring(kms, key, outside(spec), algorithm=algorithm)

        name = spec.replace("_", "_SHA_")
        tag = kms.generate_mac(KeyId=key, Message=b"m", MacAlgorithm=name)["Mac"]

        assert tag == hmac.digest(outside(spec), b"m", f"sha{spec[-3:]}")

    @pytest.mark.parametrize("spec", CURVES)
    @pytest.mark.parametrize("algorithm", OAEP + AES_WRAP)
    def test_elliptic_curves(self, kms, spec, algorithm, outside):
        """
        An ECC key signs as the imported private key: its public half verifies, outside KMS.
        """
        key = external(kms, spec, "SIGN_VERIFY")
        bring(kms, key, outside(spec), algorithm=algorithm, wrapping_spec="RSA_3072")
        signing = SPECS[spec].algorithms["SIGN_VERIFY"][0]

        signature = kms.sign(KeyId=key, Message=b"m", SigningAlgorithm=signing)["Signature"]

        public = load_der_private_key(outside(spec), None).public_key()
        public.verify(signature, b"m", ec.ECDSA(getattr(hashes, f"SHA{signing[-3:]}")()))
        assert kms.get_public_key(KeyId=key)["PublicKey"] == public.public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )

    @pytest.mark.parametrize("algorithm", OAEP + AES_WRAP)
    def test_ed25519(self, kms, algorithm, outside):
        """
        So does an Ed25519 key.
        """
        spec = "ECC_NIST_EDWARDS25519"
        key = external(kms, spec)
        bring(kms, key, outside(spec), algorithm=algorithm)

        signature = kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="ED25519_SHA_512")["Signature"]

        assert signature == load_der_private_key(outside(spec), None).sign(b"m")

    @pytest.mark.parametrize("spec", RSA_SPECS)
    @pytest.mark.parametrize("algorithm", AES_WRAP)
    def test_rsa(self, kms, spec, algorithm, outside):
        """
        An RSA key decrypts what was encrypted with the imported key's public half, and signs for it.
        """
        private = load_der_private_key(outside(spec), None)
        encrypts, signs = external(kms, spec, "ENCRYPT_DECRYPT"), external(kms, spec, "SIGN_VERIFY")
        for key in (encrypts, signs):
            bring(kms, key, outside(spec), algorithm=algorithm)

        oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
        sealed = private.public_key().encrypt(b"secret", oaep)
        opened = kms.decrypt(KeyId=encrypts, CiphertextBlob=sealed, EncryptionAlgorithm="RSAES_OAEP_SHA_256")
        assert opened["Plaintext"] == b"secret"

        named = {"KeyId": signs, "Message": b"m", "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256"}
        assert kms.sign(**named)["Signature"] == private.sign(b"m", padding.PKCS1v15(), hashes.SHA256())

    def test_key_agreement(self, kms, outside):
        """
        A key-agreement key derives the secret that the imported private key derives.
        """
        spec = "ECC_NIST_P384"
        key = external(kms, spec, "KEY_AGREEMENT")
        bring(kms, key, outside(spec))
        peer = ec.generate_private_key(CURVES[spec]()).public_key()

        found = kms.derive_shared_secret(
            KeyId=key,
            KeyAgreementAlgorithm="ECDH",
            PublicKey=peer.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        )

        assert found["SharedSecret"] == load_der_private_key(outside(spec), None).exchange(ec.ECDH(), peer)
        assert found["KeyOrigin"] == "EXTERNAL"

    def test_the_same_bytes_in_another_key(self, kms):
        """
        Two keys with the same bytes do not open each other's ciphertexts, and their materials have different ids.
        """
        first, second = imported_key(kms), imported_key(kms)
        blob = kms.encrypt(KeyId=first, Plaintext=b"x")["CiphertextBlob"]

        assert code(kms.decrypt, CiphertextBlob=blob, KeyId=second) == "IncorrectKeyException"
        assert described(kms, first)["CurrentKeyMaterialId"] != described(kms, second)["CurrentKeyMaterialId"]


class TestImport:
    def test_first(self, kms):
        """
        The first import enables the key and names its material, which becomes current at once.
        """
        key = external(kms)
        before = described(kms, key)

        found = bring(kms, key.rpartition("/")[2])

        after = described(kms, key)
        assert (before["KeyState"], before["Enabled"]) == ("PendingImport", False)
        assert not before.keys() & {"CurrentKeyMaterialId", "ExpirationModel", "ValidTo"}
        assert (after["KeyState"], after["Enabled"]) == ("Enabled", True)
        assert found["KeyId"] == key
        assert after["CurrentKeyMaterialId"] == found["KeyMaterialId"]
        assert after["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"
        assert "ValidTo" not in after

    @pytest.mark.parametrize("spec", ["HMAC_256", "ECC_NIST_P256", "RSA_2048"])
    def test_other_kinds_have_no_material_id(self, kms, spec, outside):
        """
        Only symmetric keys tell ids of materials; the others tell their expiry all the same.
        """
        key = external(kms, spec)

        found = bring(kms, key, outside(spec), algorithm=TAKES[spec][-1])

        assert found.keys() == {"KeyId", "ResponseMetadata"}
        assert "CurrentKeyMaterialId" not in described(kms, key)
        assert described(kms, key)["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"

    @pytest.mark.parametrize("spec", HMACS)
    def test_sizes_of_hmac_keys(self, kms, spec):
        """
        An HMAC key takes material from its own size up to 1,024 bits.
        """
        least = int(spec[-3:]) // 8
        for size, found in (
            (least - 1, "IncorrectKeyMaterialException"),
            (least, None),
            (128, None),
            (129, "IncorrectKeyMaterialException"),
        ):
            request = import_request(kms, external(kms, spec), bytes(size))
            assert code(kms.import_key_material, **request) == found, size

    @pytest.mark.parametrize("size", [1, 16, 24, 31, 33, 64])
    def test_sizes_of_symmetric_keys(self, kms, size):
        """
        A symmetric key takes 256 bits, no more and no less.
        """
        request = import_request(kms, external(kms), bytes(size))

        assert code(kms.import_key_material, **request) == "IncorrectKeyMaterialException"

    @pytest.mark.parametrize(
        ("spec", "wrong"),
        [
            ("ECC_NIST_P256", "ECC_SECG_P256K1"),
            ("ECC_SECG_P256K1", "ECC_NIST_P256"),
            ("ECC_NIST_P384", "ECC_NIST_P256"),
            ("ECC_NIST_P256", "ECC_NIST_EDWARDS25519"),
            ("ECC_NIST_EDWARDS25519", "ECC_NIST_P256"),
            ("ECC_NIST_P256", "RSA_2048"),
            ("RSA_2048", "RSA_3072"),
            ("RSA_4096", "ECC_NIST_P521"),
        ],
    )
    def test_private_key_of_another_spec(self, kms, spec, wrong, outside):
        """
        A private key of another spec is refused.
        """
        request = import_request(kms, external(kms, spec), outside(wrong), algorithm="RSA_AES_KEY_WRAP_SHA_256")

        assert code(kms.import_key_material, **request) == "IncorrectKeyMaterialException"

    @pytest.mark.parametrize("spec", ["ECC_NIST_P256", "RSA_2048"])
    def test_only_pkcs8(self, kms, spec, outside):
        """
        Private keys come as PKCS#8 DER: not in older forms, not as PEM, not encrypted, not cut, not as anything else.
        """
        private = load_der_private_key(outside(spec), None)
        key = external(kms, spec)
        bad = (
            private.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
            private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")),
            private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            pkcs8(x25519.X25519PrivateKey.generate()),
            outside(spec)[:-1],
            b"\x30",
            b"0" * 40,
        )
        for secret in bad:
            request = import_request(kms, key, secret, algorithm="RSA_AES_KEY_WRAP_SHA_256")
            assert code(kms.import_key_material, **request) == "IncorrectKeyMaterialException", secret[:8]
        assert state(kms, key) == "PendingImport"

    @pytest.mark.parametrize("size", [255, 257, 512, 1])
    def test_wrapped_size(self, kms, size):
        """
        What OAEP wrapped is as long as the wrapping key; anything else is refused unopened.
        """
        request = {**import_request(kms, external(kms)), "EncryptedKeyMaterial": bytes(size)}

        assert answer(kms.import_key_material, **request) == ("ValidationException", "Invalid encrypted key size.")

    def test_damaged_on_the_way(self, kms, outside):
        """
        Wrapped material with a bit changed in either part, cut or made up does not open.
        """
        spec = "ECC_NIST_P256"
        request = import_request(kms, external(kms, spec), outside(spec), algorithm="RSA_AES_KEY_WRAP_SHA_256")
        good = request["EncryptedKeyMaterial"]
        flipped = [good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in (0, 255, 256, 300, len(good) - 1)]

        for bad in (*flipped, good[:256], good[:-8], good[:-1], b"x"):
            found = code(kms.import_key_material, **{**request, "EncryptedKeyMaterial": bad})
            assert found == "InvalidCiphertextException"
        assert code(kms.import_key_material, **request) is None

    def test_wrapping_key_of_another_size(self, kms, outside):
        """
        The AES key of RSA_AES_KEY_WRAP has 256 bits: material under a shorter one does not open.
        """
        from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding

        spec = "ECC_NIST_P256"
        key = external(kms, spec)
        given = parameters(kms, key, "RSA_AES_KEY_WRAP_SHA_256")
        short = b"w" * 16
        wrapped = wrap(given["PublicKey"], "RSAES_OAEP_SHA_256", short)
        wrapped += aes_key_wrap_with_padding(short, outside(spec))

        found = code(
            kms.import_key_material,
            KeyId=key,
            ImportToken=given["ImportToken"],
            EncryptedKeyMaterial=wrapped,
            ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
        )

        assert found == "InvalidCiphertextException"

    def test_disabled_key(self, kms):
        """
        A disabled key takes its material again and stays disabled.
        """
        key = imported_key(kms)
        kms.disable_key(KeyId=key)

        bring(kms, key)

        assert state(kms, key) == "Disabled"

    @pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_P256"])
    @pytest.mark.parametrize("deleted", [False, True])
    def test_public_key_of_a_key_without_material(self, kms, spec, deleted, outside):
        """
        An asymmetric key that waits for its material gives no public key, and the answer is one of AWS's errors.
        """
        key = external(kms, spec)
        if deleted:
            bring(kms, key, outside(spec), algorithm=TAKES[spec][-1])
            kms.delete_imported_key_material(KeyId=key)

        assert code(kms.get_public_key, KeyId=key) == "KMSInvalidStateException"


class TestSameBytes:
    @pytest.mark.parametrize("spec", ["HMAC_256", "ECC_NIST_P256", "RSA_2048", "SYMMETRIC_DEFAULT"])
    @pytest.mark.parametrize("deleted", [False, True])
    def test_other_bytes(self, kms, spec, deleted, outside, quick_rsa):
        """
        A key that had material takes the same again and no other, whether or not it is still there.
        """
        from kms_lab.core import material

        algorithm = TAKES[spec][-1]
        others = {"HMAC_256": OTHER, "SYMMETRIC_DEFAULT": OTHER, "RSA_2048": material.new_rsa("RSA_2048")}
        other = others[spec] if spec in others else pkcs8(ec.generate_private_key(ec.SECP256R1()))
        key = external(kms, spec)
        bring(kms, key, outside(spec), algorithm=algorithm)
        if deleted:
            kms.delete_imported_key_material(KeyId=key)

        wrong = import_request(kms, key, other, algorithm=algorithm)

        assert code(kms.import_key_material, **wrong) == "IncorrectKeyMaterialException"
        assert state(kms, key) == ("PendingImport" if deleted else "Enabled")
        bring(kms, key, outside(spec), algorithm=algorithm)
        assert state(kms, key) == "Enabled"

    def test_the_same_private_key_written_otherwise(self, kms):
        """
        The same private key is the same material, whether or not its DER also holds the public key.
        """
        private = ec.generate_private_key(ec.SECP256R1())
        long = pkcs8(private)
        point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        scalar = private.private_numbers().private_value.to_bytes(32, "big")
        inner = bytes.fromhex("30250201010420") + scalar
        short = bytes.fromhex("3041020100301306072a8648ce3d020106082a8648ce3d0301070427") + inner
        assert point in long
        assert point not in short
        key = external(kms, "ECC_NIST_P256", "SIGN_VERIFY")
        bring(kms, key, long)

        assert code(kms.import_key_material, **import_request(kms, key, short)) is None

    def test_old_ciphertext_after_reimport(self, kms):
        """
        What was encrypted before material was deleted opens again once the same bytes are back.
        """
        key = imported_key(kms)
        blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
        kms.delete_imported_key_material(KeyId=key)
        assert answer(kms.decrypt, CiphertextBlob=blob) == ("KMSInvalidStateException", f"{key} is pending import.")

        bring(kms, key)

        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"

    def test_material_id_is_checked(self, kms):
        """
        KeyMaterialId must be the id of the very material that is imported, and one that the key knows.
        """
        key = imported_key(kms)
        own = described(kms, key)["CurrentKeyMaterialId"]

        assert bring(kms, key, KeyMaterialId=own)["KeyMaterialId"] == own
        wrong = import_request(kms, key, KeyMaterialId="0" * 64)
        assert code(kms.import_key_material, **wrong) == "IncorrectKeyMaterialException"
        wrong = import_request(kms, key, OTHER, KeyMaterialId=own)
        assert code(kms.import_key_material, **wrong) == "IncorrectKeyMaterialException"
        fresh = import_request(kms, external(kms), KeyMaterialId=own, ImportType="EXISTING_KEY_MATERIAL")
        assert code(kms.import_key_material, **fresh) == "IncorrectKeyMaterialException"

    def test_material_id_of_new_material(self, kms):
        """
        New material cannot have an id yet.
        """
        key = imported_key(kms)
        request = import_request(kms, key, OTHER, ImportType="NEW_KEY_MATERIAL", KeyMaterialId="0" * 64)

        assert code(kms.import_key_material, **request) == "ValidationException"

    @pytest.mark.parametrize(
        "params",
        [
            {"ImportType": "NEW_KEY_MATERIAL"},
            {"ImportType": "EXISTING_KEY_MATERIAL"},
            {"KeyMaterialDescription": "mine"},
            {"KeyMaterialId": "0" * 64},
        ],
    )
    def test_members_for_symmetric_keys_only(self, kms, params):
        """
        Import type, description and material id are for symmetric encryption keys.
        """
        request = import_request(kms, external(kms, "HMAC_256"), **params)

        assert code(kms.import_key_material, **request) == "UnsupportedOperationException"

    def test_description(self, kms):
        """
        Material keeps its description when it is deleted and imported again without one, and takes a new one.
        """
        key = imported_key(kms, KeyMaterialDescription="from the safe")
        kms.delete_imported_key_material(KeyId=key)
        assert listed(kms, key)[0]["KeyMaterialDescription"] == "from the safe"
        bring(kms, key)
        assert listed(kms, key)[0]["KeyMaterialDescription"] == "from the safe"

        bring(kms, key, KeyMaterialDescription="from the vault")
        assert listed(kms, key)[0]["KeyMaterialDescription"] == "from the vault"


class TestDelete:
    def test_current(self, kms):
        """
        Deleting takes effect at once: the key waits for the same bytes, keeps the id and forgets the expiry.
        """
        key = imported_key(kms, ValidTo=datetime(2026, 3, 1, tzinfo=UTC))
        current = described(kms, key)["CurrentKeyMaterialId"]

        found = kms.delete_imported_key_material(KeyId=key)

        metadata = described(kms, key)
        assert (found["KeyId"], found["KeyMaterialId"]) == (key, current)
        assert (metadata["KeyState"], metadata["Enabled"]) == ("PendingImport", False)
        assert metadata["CurrentKeyMaterialId"] == current
        assert not metadata.keys() & {"ExpirationModel", "ValidTo"}
        (row,) = listed(kms, key)
        assert row == {
            "KeyId": key,
            "KeyMaterialId": current,
            "ImportState": "PENDING_IMPORT",
            "KeyMaterialState": "CURRENT",
        }

    def test_bytes_are_gone(self, lab, kms):
        """
        Deleted material is nowhere in the world any more.
        """
        key = imported_key(kms)

        kms.delete_imported_key_material(KeyId=key)

        assert [one.secret for one in lab.key(key).materials] == [b""]

    def test_twice_and_never(self, kms):
        """
        Deleting again, or before anything was imported, changes nothing.
        """
        key, empty = imported_key(kms), external(kms)
        kms.delete_imported_key_material(KeyId=key)

        assert code(kms.delete_imported_key_material, KeyId=key) is None
        assert code(kms.delete_imported_key_material, KeyId=empty) is None
        assert (state(kms, key), state(kms, empty)) == ("PendingImport", "PendingImport")

    def test_unknown(self, kms):
        """
        Material that the key never had is not found.
        """
        found = code(kms.delete_imported_key_material, KeyId=imported_key(kms), KeyMaterialId="0" * 64)

        assert found == "NotFoundException"

    def test_disabled_key(self, kms):
        """
        A disabled key without material is PendingImport, and enabled once the material is back.
        """
        key = imported_key(kms)
        kms.disable_key(KeyId=key)
        kms.delete_imported_key_material(KeyId=key)
        assert state(kms, key) == "PendingImport"

        bring(kms, key)
        assert state(kms, key) == "Enabled"

    def test_pending_deletion(self, kms):
        """
        A key pending deletion stays so without its material; called off, it waits for it.
        """
        key = imported_key(kms)
        kms.schedule_key_deletion(KeyId=key)
        kms.delete_imported_key_material(KeyId=key)
        assert state(kms, key) == "PendingDeletion"

        kms.cancel_key_deletion(KeyId=key)
        assert state(kms, key) == "PendingImport"

    def test_called_off_with_material(self, kms):
        """
        Called off with all its material, a key is Disabled as any other.
        """
        key = imported_key(kms)
        kms.schedule_key_deletion(KeyId=key)

        kms.cancel_key_deletion(KeyId=key)
        assert state(kms, key) == "Disabled"


class TestExpiry:
    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({}, "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"),
            (
                {"ExpirationModel": "KEY_MATERIAL_EXPIRES"},
                "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES",
            ),
            (
                {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE", "ValidTo": datetime(2026, 3, 1, tzinfo=UTC)},
                "The parameter ValidTo cannot be specified for a key with an expiration model of "
                "KEY_MATERIAL_DOES_NOT_EXPIRE",
            ),
            ({"ValidTo": datetime(2026, 1, 1, 9, tzinfo=UTC)}, "ValidTo must be in the future"),
            ({"ValidTo": datetime(2025, 1, 1, tzinfo=UTC)}, "ValidTo must be in the future"),
            ({"ValidTo": datetime(2027, 1, 1, 9, 0, 1, tzinfo=UTC)}, None),
        ],
    )
    def test_refused(self, kms, params, message):
        """
        Expiring is the default and needs a date, at most 365 days ahead; not expiring takes none.
        """
        request = import_request(kms, external(kms))
        del request["ExpirationModel"]

        found = refusal(kms.import_key_material, **request, **params)

        assert found.code == "ValidationException"
        assert message in (None, found.message)

    def test_longest(self, kms):
        """
        365 days to the second are taken.
        """
        key = external(kms)
        bring(kms, key, ValidTo=datetime(2027, 1, 1, 9, tzinfo=UTC))

        assert described(kms, key)["ValidTo"] == datetime(2027, 1, 1, 9, tzinfo=UTC)

    @pytest.mark.parametrize(
        "date",
        [
            1772355600,
            1772355600.7,
            "1772355600",
            "2026-03-01T09:00:00Z",
            datetime(2026, 3, 1, 9, 0, 0, 999_999, tzinfo=UTC),
            datetime(2026, 3, 1, 9),
        ],
    )
    def test_forms_of_a_date(self, lab, kms, date):
        """
        A date in any form that boto3 takes is the same date, to the second, in the key and in the log.
        """
        key = external(kms)
        bring(kms, key, ValidTo=date)

        metadata, entry = described(kms, key), lab.world.log.entry(-2)
        assert metadata["ExpirationModel"] == "KEY_MATERIAL_EXPIRES"
        assert metadata["ValidTo"] == datetime(2026, 3, 1, 9, tzinfo=UTC)
        assert (entry.operation, entry.request["ValidTo"]) == ("ImportKeyMaterial", "2026-03-01T09:00:00Z")

    @pytest.mark.parametrize("send", ["refused", "checked"])
    def test_log_never_holds_a_datetime(self, lab, kms, send):
        """
        However a call with a date ends, its entry can be saved and read back equal.
        """
        request = import_request(kms, external(kms), ValidTo=datetime(2026, 3, 1, tzinfo=UTC))
        if send == "refused":
            request["ExpirationModel"] = "NONSENSE"

        code(sender(lab, "ImportKeyMaterial"), **request)

        log = lab.world.log
        again = type(log).from_data(json.loads(json.dumps(log.to_data())))
        assert again.entry(-1) == log.entry(-1)
        assert log.entry(-1).request["ValidTo"] == "2026-03-01T00:00:00Z"

    def test_no_date_at_all(self, kms):
        """
        What is no date is not sent, as boto3 does not send it.
        """
        request = {"KeyId": external(kms), "ImportToken": b"x", "EncryptedKeyMaterial": b"x", "ValidTo": "tomorrow"}

        with pytest.raises(ParameterError, match="Invalid type for parameter ValidTo"):
            kms.import_key_material(**request)

    def test_at_its_instant(self, lab, kms):
        """
        One microsecond before its date material is there; at its date it is gone, and CloudTrail tells of it.
        """
        key = external(kms)
        end = lab.clock.now + 30 * DAY
        bring(kms, key, ValidTo=end)
        current = described(kms, key)["CurrentKeyMaterialId"]

        lab.clock.travel(to=end - timedelta(microseconds=1))
        assert state(kms, key) == "Enabled"
        lab.clock.travel(to=end)
        assert state(kms, key) == "PendingImport"

        events = [e for e in map(lab.world.log.entry, range(len(lab.world.log))) if e.principal is None]
        assert [(e.operation, e.key, e.material, to_datetime(e.at_us)) for e in events] == [
            ("DeleteExpiredKeyMaterial", key, current, end)
        ]
        assert described(kms, key)["CurrentKeyMaterialId"] == current
        assert [one.secret for one in lab.key(key).materials] == [b""]

    @pytest.mark.parametrize("steps", [1, 7, 60])
    def test_sum_of_the_steps(self, kms, lab, steps):
        """
        It does not matter in how many steps the clock passes the date.
        """
        key = external(kms)
        bring(kms, key, ValidTo=lab.clock.now + 30 * DAY)
        for _ in range(steps):
            lab.clock.travel(days=60 / steps)

        assert state(kms, key) == "PendingImport"
        ended = [e for e in map(lab.world.log.entry, range(len(lab.world.log))) if e.principal is None]
        assert [to_datetime(e.at_us) for e in ended] == [datetime(2026, 1, 31, 9, tzinfo=UTC)]

    def test_later_date(self, lab, kms):
        """
        Imported again with a later date, material lives until then.
        """
        key = external(kms)
        bring(kms, key, ValidTo=lab.clock.now + 10 * DAY)
        bring(kms, key, ValidTo=lab.clock.now + 20 * DAY)

        lab.clock.travel(days=15)
        assert state(kms, key) == "Enabled"
        lab.clock.travel(days=5)
        assert state(kms, key) == "PendingImport"

    def test_no_date_any_more(self, lab, kms):
        """
        Imported again for ever, material lives for ever.
        """
        key = external(kms)
        bring(kms, key, ValidTo=lab.clock.now + 10 * DAY)
        bring(kms, key)

        lab.clock.travel(days=1000)
        assert state(kms, key) == "Enabled"

    def test_after_deletion(self, lab, kms):
        """
        Deleted and brought back for ever, material does not go at its former date.
        """
        key = external(kms)
        bring(kms, key, ValidTo=lab.clock.now + 10 * DAY)
        kms.delete_imported_key_material(KeyId=key)
        bring(kms, key)

        lab.clock.travel(days=20)
        assert state(kms, key) == "Enabled"

    def test_pending_deletion(self, lab, kms):
        """
        Material of a key pending deletion expires too; the state does not change, and the key goes on its day.
        """
        key = external(kms)
        bring(kms, key, ValidTo=lab.clock.now + 5 * DAY)
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)

        lab.clock.travel(days=6)
        assert (state(kms, key), lab.key(key).materials[0].secret) == ("PendingDeletion", b"")
        lab.clock.travel(days=1)
        assert code(kms.describe_key, KeyId=key) == "NotFoundException"

    def test_key_that_is_gone(self, lab, kms):
        """
        The date of a deleted key's material passes without notice.
        """
        key = external(kms)
        bring(kms, key, ValidTo=lab.clock.now + 30 * DAY)
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)

        lab.clock.travel(days=40)
        assert lab.world.log.entry(-1).operation == "DeleteKey"


class TestSeveralMaterials:
    def test_new_waits(self, lab, kms):
        """
        New material changes nothing until the key is rotated; then it encrypts, and the old one still decrypts.
        """
        key = imported_key(kms)
        old = described(kms, key)["CurrentKeyMaterialId"]
        blob = kms.encrypt(KeyId=key, Plaintext=b"old")["CiphertextBlob"]
        assert answer(kms.rotate_key_on_demand, KeyId=key) == (
            "KMSInvalidStateException",
            f"No available key material pending rotation for the key: {key}.",
        )

        new = bring_new(kms, key, OTHER)
        assert described(kms, key)["CurrentKeyMaterialId"] == old
        assert material_states(kms, key) == ["CURRENT", "PENDING_ROTATION"]
        lab.clock.travel(days=3)
        kms.rotate_key_on_demand(KeyId=key)

        assert described(kms, key)["CurrentKeyMaterialId"] == new
        assert kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == old
        fresh = kms.encrypt(KeyId=key, Plaintext=b"new")["CiphertextBlob"]
        assert open_blob(parse(fresh), OTHER, None) == b"new"
        rotated = listed(kms, key)[1]
        assert (rotated["RotationDate"], rotated["RotationType"]) == (lab.clock.now, "ON_DEMAND")
        assert answer(kms.rotate_key_on_demand, KeyId=key)[0] == "KMSInvalidStateException"

    def test_list(self, lab, kms):
        """
        The list says of each imported material whether it is there, until when, and what its importer wrote.
        """
        end = lab.clock.now + 50 * DAY
        key = imported_key(kms, KeyMaterialDescription="first")
        first = described(kms, key)["CurrentKeyMaterialId"]
        new = bring_new(kms, key, OTHER, ValidTo=end)

        assert listed(kms, key) == [
            {
                "KeyId": key,
                "KeyMaterialId": first,
                "KeyMaterialDescription": "first",
                "ImportState": "IMPORTED",
                "KeyMaterialState": "CURRENT",
                "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
            },
            {
                "KeyId": key,
                "KeyMaterialId": new,
                "ImportState": "IMPORTED",
                "KeyMaterialState": "PENDING_ROTATION",
                "ExpirationModel": "KEY_MATERIAL_EXPIRES",
                "ValidTo": end,
            },
        ]
        assert kms.list_key_rotations(KeyId=key)["Rotations"] == []
        kms.rotate_key_on_demand(KeyId=key)
        (only,) = kms.list_key_rotations(KeyId=key)["Rotations"]
        assert (only["KeyMaterialId"], only["RotationType"]) == (new, "ON_DEMAND")

    def test_one_at_a_time(self, kms):
        """
        While one material waits for rotation no other new one is taken, in AWS's words.
        """
        key = imported_key(kms)
        waiting = bring_new(kms, key, OTHER)
        request = import_request(kms, key, THIRD, ImportType="NEW_KEY_MATERIAL")

        name, message = answer(kms.import_key_material, **request)

        assert name == "KMSInvalidStateException"
        assert message.startswith("New key material (id: ")
        assert message.endswith(
            f") cannot be imported into KMS key {key}, "
            f"because another key material (id: {waiting}) is pending rotation."
        )

    @pytest.mark.parametrize("secret", [MATERIAL, OTHER], ids=["current", "waiting"])
    def test_new_is_new(self, kms, secret):
        """
        As new material a key takes none that it has already, current or waiting.
        """
        key = imported_key(kms)
        bring_new(kms, key, OTHER)
        request = import_request(kms, key, secret, ImportType="NEW_KEY_MATERIAL")

        assert code(kms.import_key_material, **request) == "IncorrectKeyMaterialException"

    def test_default_is_existing(self, kms):
        """
        Without an import type a key that has material takes no new one; with the type it does.
        """
        key = imported_key(kms)

        assert code(kms.import_key_material, **import_request(kms, key, OTHER)) == "IncorrectKeyMaterialException"
        bring_new(kms, key, OTHER)
        assert code(kms.import_key_material, **import_request(kms, key, OTHER)) is None

    def test_existing_before_the_first(self, kms):
        """
        A key that never had material has no existing one.
        """
        request = import_request(kms, external(kms), ImportType="EXISTING_KEY_MATERIAL")

        assert code(kms.import_key_material, **request) == "IncorrectKeyMaterialException"

    @pytest.mark.parametrize("number", [0, 1, 2])
    def test_all_must_be_there(self, kms, number):
        """
        A key that lacks any one of its materials is PendingImport, until that one is back.
        """
        secrets = [MATERIAL, OTHER, THIRD]
        key = imported_key(kms)
        for secret in secrets[1:]:
            bring_new(kms, key, secret)
            kms.rotate_key_on_demand(KeyId=key)
        missing = listed(kms, key)[number]["KeyMaterialId"]

        found = kms.delete_imported_key_material(KeyId=key, KeyMaterialId=missing)

        assert found["KeyMaterialId"] == missing
        assert state(kms, key) == "PendingImport"
        assert [one["ImportState"] == "IMPORTED" for one in listed(kms, key)] == [n != number for n in range(3)]
        assert [one.get("ExpirationModel") is None for one in listed(kms, key)] == [n == number for n in range(3)]
        assert described(kms, key)["CurrentKeyMaterialId"] == listed(kms, key)[2]["KeyMaterialId"]
        for other, secret in enumerate(secrets):
            if other != number:
                bring(kms, key, secret)
                assert state(kms, key) == "PendingImport"
        bring(kms, key, secrets[number])
        assert state(kms, key) == "Enabled"
        assert material_states(kms, key) == ["NON_CURRENT", "NON_CURRENT", "CURRENT"]

    def test_delete_waiting(self, kms):
        """
        Material that waits can be deleted: the key works on, forgets it, and takes another in its place.
        """
        key = imported_key(kms)
        waiting = bring_new(kms, key, OTHER)

        kms.delete_imported_key_material(KeyId=key, KeyMaterialId=waiting)

        assert state(kms, key) == "Enabled"
        assert material_states(kms, key) == ["CURRENT"]
        assert code(kms.rotate_key_on_demand, KeyId=key) == "KMSInvalidStateException"
        assert code(kms.import_key_material, **import_request(kms, key, OTHER)) == "IncorrectKeyMaterialException"
        bring_new(kms, key, THIRD)
        assert material_states(kms, key) == ["CURRENT", "PENDING_ROTATION"]

    def test_waiting_expires(self, lab, kms):
        """
        Material that waits can expire; the key's state does not change.
        """
        key = imported_key(kms)
        waiting = bring_new(kms, key, OTHER, ValidTo=lab.clock.now + 5 * DAY)
        assert described(kms, key)["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"

        lab.clock.travel(days=5)

        assert (state(kms, key), material_states(kms, key)) == ("Enabled", ["CURRENT"])
        last = lab.world.log.entry(-3)
        assert (last.operation, last.material) == ("DeleteExpiredKeyMaterial", waiting)

    def test_earliest_date(self, lab, kms):
        """
        DescribeKey tells the earliest date at which any material of the key goes, and that is when the key stops.
        """
        key = imported_key(kms)
        bring_new(kms, key, OTHER, ValidTo=lab.clock.now + 20 * DAY)
        kms.rotate_key_on_demand(KeyId=key)
        bring(kms, key, MATERIAL, ValidTo=lab.clock.now + 10 * DAY)
        assert described(kms, key)["ValidTo"] == lab.clock.now + 10 * DAY

        lab.clock.travel(days=10)
        assert state(kms, key) == "PendingImport"
        lab.clock.travel(days=10)
        ended = [e.material for e in map(lab.world.log.entry, range(len(lab.world.log))) if "Expired" in e.operation]
        assert ended == [one["KeyMaterialId"] for one in listed(kms, key)]

    def test_same_instant(self, lab, kms):
        """
        Two materials with one date go at that date, each once.
        """
        key = imported_key(kms)
        end = lab.clock.now + 20 * DAY
        bring_new(kms, key, OTHER, ValidTo=end)
        kms.rotate_key_on_demand(KeyId=key)
        bring(kms, key, MATERIAL, ValidTo=end)

        lab.clock.travel(days=30)

        ended = [e for e in map(lab.world.log.entry, range(len(lab.world.log))) if "Expired" in e.operation]
        assert [e.material for e in ended] == [one["KeyMaterialId"] for one in listed(kms, key)]
        assert {to_datetime(e.at_us) for e in ended} == {end}

    def test_new_material_for_a_key_that_lacks_one(self, kms):
        """
        A key that waits for an old material takes a new one as well, and keeps waiting.
        """
        key = imported_key(kms)
        kms.delete_imported_key_material(KeyId=key)

        bring_new(kms, key, OTHER)

        assert state(kms, key) == "PendingImport"
        assert answer(kms.rotate_key_on_demand, KeyId=key) == ("KMSInvalidStateException", f"{key} is pending import.")

    def test_twenty_five_rotations(self, kms):
        """
        Imported material is rotated in 25 times in a key's life, as any other.
        """
        key = imported_key(kms)
        for number in range(26):
            bring_new(kms, key, bytes([200 + number]) * 32)
            found = code(kms.rotate_key_on_demand, KeyId=key)
            assert found == ("LimitExceededException" if number == 25 else None)

    def test_never_automatically(self, kms):
        """
        A key with imported material has no schedule: its status reads false, and it takes none.
        """
        key = imported_key(kms)
        message = f"{key} origin is EXTERNAL which is not valid for this operation."

        assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False
        for call in (kms.enable_key_rotation, kms.disable_key_rotation):
            assert answer(call, KeyId=key) == ("UnsupportedOperationException", message)
        kms.delete_imported_key_material(KeyId=key)
        assert answer(kms.get_key_rotation_status, KeyId=key) == ("UnsupportedOperationException", message)


WEST, EAST = "eu-west-1", "ap-south-1"


class TestMultiRegion:
    @pytest.fixture
    def family(self, lab, kms):
        """A primary in us-east-1 and two replicas, all with the same material: an id and a client for each."""
        primary = new_key(kms, Origin="EXTERNAL", MultiRegion=True)
        bring(kms, primary)
        for region in (WEST, EAST):
            kms.replicate_key(KeyId=primary, ReplicaRegion=region)
        lab.clock.travel(minutes=1)
        key = primary.rpartition("/")[2]
        clients = [kms, lab.client(region=WEST), lab.client(region=EAST)]
        for client in clients[1:]:
            bring(client, key)
        return key, clients

    def test_replica_is_brought_its_own(self, lab, kms):
        """
        A replica waits for the same bytes as its primary, knows their id, and takes no other.
        """
        primary = new_key(kms, Origin="EXTERNAL", MultiRegion=True)
        bring(kms, primary, ValidTo=lab.clock.now + 9 * DAY)
        kms.replicate_key(KeyId=primary, ReplicaRegion=WEST)
        lab.clock.travel(minutes=1)
        key, west = primary.rpartition("/")[2], lab.client(region=WEST)
        assert state(west, key) == "PendingImport"
        (row,) = listed(west, key)
        assert (row["ImportState"], row["KeyMaterialState"]) == ("PENDING_IMPORT", "CURRENT")

        assert code(west.import_key_material, **import_request(west, key, OTHER)) == "IncorrectKeyMaterialException"
        new = import_request(west, key, OTHER, ImportType="NEW_KEY_MATERIAL")
        assert code(west.import_key_material, **new) == "UnsupportedOperationException"
        found = bring(west, key)

        assert state(west, key) == "Enabled"
        assert found["KeyMaterialId"] == described(kms, key)["CurrentKeyMaterialId"]
        blob = kms.encrypt(KeyId=key, Plaintext=b"east")["CiphertextBlob"]
        assert west.decrypt(CiphertextBlob=blob)["Plaintext"] == b"east"
        lab.clock.travel(days=9)
        assert (state(kms, key), state(west, key)) == ("PendingImport", "Enabled")

    def test_rotation(self, lab, family):
        """
        New material comes to the primary, then to every replica; then the primary's rotation makes it current in all.
        """
        key, (kms, west, east) = family
        new = bring_new(kms, key, OTHER)
        elsewhere = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
        for client, there in ((west, "PENDING_IMPORT"), (kms, "IMPORTED")):
            assert material_states(client, key) == ["CURRENT", elsewhere]
            assert [one["ImportState"] for one in listed(client, key)] == ["IMPORTED", there]
        bring(west, key, OTHER, KeyMaterialId=new)
        assert material_states(kms, key) == ["CURRENT", elsewhere]
        assert code(kms.rotate_key_on_demand, KeyId=key) == "KMSInvalidStateException"
        bring(east, key, OTHER, ImportType="EXISTING_KEY_MATERIAL", ValidTo=lab.clock.now + 5 * DAY)
        for client in (kms, west, east):
            assert material_states(client, key) == ["CURRENT", "PENDING_ROTATION"]

        assert code(west.rotate_key_on_demand, KeyId=key) == "UnsupportedOperationException"
        kms.rotate_key_on_demand(KeyId=key)

        for client in (kms, west, east):
            assert material_states(client, key) == ["NON_CURRENT", "CURRENT"]
            assert described(client, key)["CurrentKeyMaterialId"] == new
            assert client.list_key_rotations(KeyId=key)["Rotations"][0]["RotationDate"] == lab.clock.now
        blob = east.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        assert kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == new
        lab.clock.travel(days=5)
        assert [state(client, key) for client in (kms, west, east)] == ["Enabled", "Enabled", "PendingImport"]

    def test_new_material_for_a_replica_only(self, family):
        """
        New material goes to the primary first.
        """
        key, (_, west, _) = family
        request = import_request(west, key, OTHER, ImportType="NEW_KEY_MATERIAL")

        assert code(west.import_key_material, **request) == "UnsupportedOperationException"

    def test_delete_waiting_in_the_primary(self, lab, family):
        """
        Deleted in the primary, material that waits is gone from every replica.
        """
        key, clients = family
        new = bring_new(clients[0], key, OTHER)
        bring(clients[1], key, OTHER)

        clients[0].delete_imported_key_material(KeyId=key, KeyMaterialId=new)

        assert lab.world.log.entry(-1).operation == "SynchronizeMultiRegionKey"
        assert [material_states(client, key) for client in clients] == [["CURRENT"]] * 3
        assert [state(client, key) for client in clients] == ["Enabled"] * 3

    @pytest.mark.parametrize("where", [0, 1])
    def test_waiting_expires(self, lab, family, where):
        """
        Expired in the primary, material that waits is gone from every replica; expired in a replica, only there.
        """
        key, clients = family
        bring_new(clients[0], key, OTHER)
        for client in clients[1:]:
            bring(client, key, OTHER)
        bring(clients[where], key, OTHER, ValidTo=lab.clock.now + DAY)

        lab.clock.travel(days=1)

        assert [state(client, key) for client in clients] == ["Enabled"] * 3
        there = [[one["ImportState"] == "IMPORTED" for one in listed(client, key)] for client in clients]
        assert there == ([[True]] * 3 if where == 0 else [[True, True], [True, False], [True, True]])

    @pytest.mark.parametrize("waiting", [False, True])
    def test_delete_in_a_replica(self, family, waiting):
        """
        Deleted in a replica, material stays in the primary and in the other replicas.
        """
        key, clients = family
        kms, west, _ = clients
        new = bring_new(kms, key, OTHER)
        for client in clients[1:]:
            bring(client, key, OTHER)

        west.delete_imported_key_material(KeyId=key, **({"KeyMaterialId": new} if waiting else {}))

        there = [[one["ImportState"] == "IMPORTED" for one in listed(client, key)] for client in clients]
        assert there == [[True, True], [waiting, not waiting], [True, True]]
        assert state(west, key) == ("Enabled" if waiting else "PendingImport")
        last = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION" if waiting else "PENDING_ROTATION"
        assert material_states(kms, key) == ["CURRENT", last]

    def test_replica_made_while_material_waits(self, lab, family):
        """
        A replica that is made while new material waits needs that too before the rotation.
        """
        key, (kms, west, east) = family
        bring_new(kms, key, OTHER)
        for client in (west, east):
            bring(client, key, OTHER)
        kms.replicate_key(KeyId=key, ReplicaRegion="sa-east-1")
        lab.clock.travel(minutes=1)
        assert code(kms.rotate_key_on_demand, KeyId=key) == "KMSInvalidStateException"

        south = lab.client(region="sa-east-1")
        bring(south, key)
        bring(south, key, OTHER)

        kms.rotate_key_on_demand(KeyId=key)
        assert material_states(south, key) == ["NON_CURRENT", "CURRENT"]

    def test_expiry_while_updating(self, lab, family):
        """
        Material that expires while the primary Region is being changed stops the key at once and for good.
        """
        key, (kms, west, _) = family
        bring(kms, key, ValidTo=lab.clock.now + 2 * SECOND)
        kms.update_primary_region(KeyId=key, PrimaryRegion=WEST)
        assert state(kms, key) == "Updating"

        lab.clock.travel(seconds=2)
        assert answer(kms.encrypt, KeyId=key, Plaintext=b"x")[0] == "KMSInvalidStateException"
        lab.clock.travel(minutes=1)
        assert (state(kms, key), state(west, key)) == ("PendingImport", "Enabled")

    def test_events(self, lab, family):
        """
        What replicas hear of is told in the primary's Region: SynchronizeMultiRegionKey with the primary's ARN.
        """
        key, (kms, west, east) = family
        start = len(lab.world.log)
        bring_new(kms, key, OTHER)
        for client in (west, east):
            bring(client, key, OTHER)
        kms.rotate_key_on_demand(KeyId=key)

        log = lab.world.log
        events = [entry for entry in map(log.entry, range(start, len(log))) if entry.principal is None]
        assert [(entry.operation, entry.key) for entry in events] == [
            ("SynchronizeMultiRegionKey", lab.key(key).arn),
            ("RotateKey", lab.key(key).arn),
            ("SynchronizeMultiRegionKey", lab.key(key).arn),
        ]
        assert {entry.region for entry in events} == {"us-east-1"}

    @pytest.mark.parametrize("spec", ["HMAC_256", "ECC_NIST_P256"])
    def test_other_kinds(self, lab, kms, spec, outside):
        """
        Replicas of HMAC and asymmetric keys take the primary's material and no other.
        """
        usage = SPECS[spec].usages[0]
        primary = new_key(kms, Origin="EXTERNAL", MultiRegion=True, KeySpec=spec, KeyUsage=usage)
        bring(kms, primary, outside(spec))
        kms.replicate_key(KeyId=primary, ReplicaRegion=WEST)
        lab.clock.travel(minutes=1)
        key, west = primary.rpartition("/")[2], lab.client(region=WEST)
        other = b"o" * 40 if spec == "HMAC_256" else pkcs8(ec.generate_private_key(ec.SECP256R1()))

        assert code(west.import_key_material, **import_request(west, key, other)) == "IncorrectKeyMaterialException"
        bring(west, key, outside(spec))
        assert state(west, key) == "Enabled"


def copies(lab, tmp_path, how):
    """Return a copy of a lab: forked, or saved and loaded."""
    if how == "fork":
        return lab.fork()
    lab.save(tmp_path / "world.json")
    return Lab.load(tmp_path / "world.json")


@pytest.mark.parametrize("how", ["fork", "file"])
class TestCopies:
    def test_token(self, lab, kms, tmp_path, how):
        """
        A token that was given out before a copy was made works in the copy, until its day is over.
        """
        request = import_request(kms, external(kms))
        twin = copies(lab, tmp_path, how)
        late = copies(twin, tmp_path, how)
        late.clock.travel(days=1)

        twin.client().import_key_material(**request)

        assert state(twin.client(), request["KeyId"]) == "Enabled"
        assert state(kms, request["KeyId"]) == "PendingImport"
        assert code(late.client().import_key_material, **request) == "ExpiredImportTokenException"

    def test_materials(self, lab, kms, tmp_path, how):
        """
        Present, missing and waiting materials, their dates and descriptions are the same in a copy, and go apart there.
        """
        key = imported_key(kms, KeyMaterialDescription="first")
        blob = kms.encrypt(KeyId=key, Plaintext=b"old")["CiphertextBlob"]
        bring_new(kms, key, OTHER, ValidTo=lab.clock.now + 9 * DAY)
        kms.rotate_key_on_demand(KeyId=key)
        bring_new(kms, key, THIRD, ValidTo=lab.clock.now + 50 * DAY)
        kms.delete_imported_key_material(KeyId=key)
        before = listed(kms, key)

        twin = copies(lab, tmp_path, how)
        there = twin.client()

        assert listed(there, key) == before
        bring(there, key, OTHER, ValidTo=lab.clock.now + 9 * DAY)
        there.rotate_key_on_demand(KeyId=key)
        assert there.decrypt(CiphertextBlob=blob)["Plaintext"] == b"old"
        assert listed(kms, key) == before
        twin.clock.travel(days=9)
        assert state(there, key) == "PendingImport"
        twin.clock.travel(days=41)
        assert [one["ImportState"] for one in listed(there, key)] == ["IMPORTED", "PENDING_IMPORT", "PENDING_IMPORT"]


class TestConditions:
    @pytest.fixture
    def may(self, lab, kms):
        """A function that says whether a user whose policy has one condition may make a call."""
        user = lab.iam.create_user("Importer")

        def ask(call, condition, **params):
            statement = {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": condition}
            lab.iam.put_policies(user, [{"Version": "2012-10-17", "Statement": [statement]}])
            return code(getattr(lab.client(principal=user), call), **params) is None

        return ask

    @pytest.mark.parametrize(("operator", "allowed"), [("DateLessThan", True), ("DateGreaterThan", False)])
    @pytest.mark.parametrize("limit", ["2026-06-01T00:00:00Z", "1780272000"])
    def test_valid_to(self, kms, may, operator, allowed, limit):
        """
        A policy can say until when material may live.
        """
        request = import_request(kms, external(kms), ValidTo=datetime(2026, 5, 1, tzinfo=UTC))

        assert may("import_key_material", {operator: {"kms:ValidTo": limit}}, **request) == allowed


def test_bytes_of_a_deleted_key_are_gone(lab, kms):
    """
    When a key is deleted, none of its imported bytes are left in the saved world, waiting ones neither.
    """
    key = imported_key(kms)
    bring_new(kms, key, OTHER)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    lab.clock.travel(days=7)

    gone = lab.world.gone[key]

    assert all(one.secret == b"" for one in (*gone.materials, *gone.pending))
