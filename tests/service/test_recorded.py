"""What AWS really answered, as recorded in public tests and reports: texts and fields. Each test names its items.

Where a recording is older than AWS's model, the model wins.
"""

from collections.abc import Callable
from typing import TypeVar

import pytest

from kms_lab import Lab
from kms_lab.core import model
from tests.service.conftest import (
    EVERYDAY,
    LATER,
    answer,
    code,
    import_request,
    imported_key,
    method,
    new_family,
    new_grant,
    new_key,
    peer_key,
    refusal,
    sender,
)

pytestmark = pytest.mark.usefixtures("quick_rsa")

#: what was recorded, and from 23 on what simulators of KMS commonly leave out
ITEMS = {
    0: "the text of a modelled error stands twice",
    1: "failures of Verify, VerifyMac and Decrypt have no text",
    2: "UnsupportedOperationException with a text and without",
    3: "a key of the wrong usage",
    4: "an algorithm that does not fit",
    5: "keys that are not found",
    6: "states, and their order among the checks",
    7: "sizes of plaintext",
    8: "sizes of GenerateRandom",
    9: "digests of the wrong length",
    10: "tags",
    11: "CreateKey's usage",
    12: "DeriveSharedSecret",
    13: "a dry run that would succeed",
    14: "ImportKeyMaterial expires unless told otherwise",
    15: "CurrentKeyMaterialId",
    16: "KeyMaterialId in answers",
    17: "members that repeat or exclude each other",
    18: "GetKeyRotationStatus",
    19: "OnDemandRotationStartDate, and ARNs as KeyId",
    20: "rotation of imported material",
    21: "ReplicateKey",
    22: "CancelKeyDeletion",
    23: "implicit deny",
    24: "conditions",
    25: "the lock-out check",
    26: "refusal across accounts",
    27: "constraints of grants when they are used",
    28: "invalid grant tokens",
    29: "DryRun wherever AWS has it",
    30: "the material that Decrypt used, old or new",
    31: "rotation periods under 90 days",
    32: "other material after the first import",
    33: "UpdatePrimaryRegion",
    34: "PendingReplicaDeletion",
    35: "InvalidMarkerException",
    36: "the 51st alias",
    37: "alias/aws/ is reserved",
    38: "keys that cannot rotate",
    39: "ML-DSA and ML-KEM",
    40: "custom key stores",
    41: "GetKeyLastUsage",
    42: "request quotas",
    43: "a clock",
    44: "CloudTrail",
    45: "cost",
    46: "ARNs where others answer with bare ids",
    47: "policies that are not JSON",
    48: "digests of the wrong length are not signed",
}
SHOWN: set[int] = set()
Test = TypeVar("Test", bound=Callable[..., None])


def item(*numbers: int) -> Callable[[Test], Test]:
    """Say which items a test is about."""
    SHOWN.update(numbers)
    return lambda test: test


def described(kms, key):
    return kms.describe_key(KeyId=key)["KeyMetadata"]


ENCRYPT = "ENCRYPT_DECRYPT"


@pytest.fixture
def hmac(kms):
    return new_key(kms, KeySpec="HMAC_224", KeyUsage="GENERATE_VERIFY_MAC")


@pytest.fixture
def signer(kms):
    return new_key(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")


class TestErrors:
    @item(0)
    def test_text_stands_twice(self, kms, key):
        """
        A modelled error carries its text in Error.Message and again as message; a ValidationException does not.
        """
        kms.disable_key(KeyId=key)
        modelled = refusal(kms.encrypt, KeyId=key, Plaintext=b"x").response
        validation = refusal(kms.encrypt, KeyId=key, Plaintext=b"").response

        assert modelled["Error"]["Message"] == modelled["message"] == f"{key} is disabled."
        assert validation["Error"]["Code"] == "ValidationException"
        assert "message" not in validation

    @item(1)
    @pytest.mark.parametrize(
        "spoil",
        [
            lambda blob: {"CiphertextBlob": blob, "EncryptionContext": {"a": "c"}},
            lambda blob: {"CiphertextBlob": blob},
            lambda blob: {"CiphertextBlob": blob[:-1] + bytes([blob[-1] ^ 1]), "EncryptionContext": {"a": "b"}},
            lambda blob: {"CiphertextBlob": blob[:-1], "EncryptionContext": {"a": "b"}},
            lambda blob: {"CiphertextBlob": b"no ciphertext at all"},
        ],
        ids=["wrong context", "no context", "damaged", "cut off", "garbage"],
    )
    def test_damage_and_wrong_context_look_alike(self, kms, key, spoil):
        """
        A wrong or missing encryption context and a damaged blob are InvalidCiphertextException, with no text.
        """
        blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"]

        assert answer(kms.decrypt, **spoil(blob)) == ("InvalidCiphertextException", "")
        assert answer(kms.decrypt, KeyId=key, **spoil(blob)) == ("InvalidCiphertextException", "")

    @item(1)
    def test_wrong_signature_and_mac(self, kms, signer, hmac):
        """
        A signature or MAC that does not fit is an error without a text, not an answer that says false.
        """
        message, other = {"Message": b"m"}, {"Message": b"n"}
        signed = {"KeyId": signer, "SigningAlgorithm": "ECDSA_SHA_256"}
        tagged = {"KeyId": hmac, "MacAlgorithm": "HMAC_SHA_224"}
        signature, mac = kms.sign(**signed, **message)["Signature"], kms.generate_mac(**tagged, **message)["Mac"]

        assert kms.verify(**signed, **message, Signature=signature)["SignatureValid"] is True
        assert kms.verify_mac(**tagged, **message, Mac=mac)["MacValid"] is True
        assert answer(kms.verify, **signed, **other, Signature=signature) == ("KMSInvalidSignatureException", "")
        assert answer(kms.verify_mac, **tagged, **other, Mac=mac) == ("KMSInvalidMacException", "")

    @item(2)
    def test_parameters_for_import_of_a_normal_key(self, kms, key):
        """
        GetParametersForImport on a key whose material KMS made says ARN and origin.
        """
        wrapping = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}

        assert answer(kms.get_parameters_for_import, KeyId=key, **wrapping) == (
            "UnsupportedOperationException",
            f"{key} origin is AWS_KMS which is not valid for this operation.",
        )

    @item(2, 38)
    def test_rotation_of_an_rsa_key(self, kms, rsa_key):
        """
        On-demand rotation of an RSA key is UnsupportedOperationException, with no text.
        """
        assert answer(kms.rotate_key_on_demand, KeyId=rsa_key()) == ("UnsupportedOperationException", "")

    @item(6)
    def test_disabled_comes_before_the_spec(self, kms, rsa_key):
        """
        On-demand rotation of a disabled RSA key says that it is disabled.
        """
        key = rsa_key()
        kms.disable_key(KeyId=key)

        assert answer(kms.rotate_key_on_demand, KeyId=key) == ("DisabledException", f"{key} is disabled.")

    @item(3)
    def test_wrong_usage(self, kms, signer):
        """
        A key of another usage: InvalidKeyUsageException with ARN, usage and operation.
        """
        assert answer(kms.encrypt, KeyId=signer, Plaintext=b"x") == (
            "InvalidKeyUsageException",
            f"{signer} key usage is SIGN_VERIFY which is not valid for Encrypt.",
        )

    @item(3)
    def test_hmac_key_named_for_a_symmetric_blob(self, kms, key, hmac):
        """
        Decrypt and ReEncrypt of a symmetric blob naming an HMAC key: IncorrectKeyException, whose text says CMK.
        """
        blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        expected = (
            "IncorrectKeyException",
            "The key ID in the request does not identify a CMK that can perform this operation.",
        )

        assert answer(kms.decrypt, CiphertextBlob=blob, KeyId=hmac) == expected
        assert answer(kms.re_encrypt, CiphertextBlob=blob, SourceKeyId=hmac, DestinationKeyId=key) == expected

    @item(4)
    def test_wrong_algorithm(self, kms, key, rsa_key):
        """
        Right usage, wrong algorithm: InvalidKeyUsageException with algorithm and key spec.
        """
        rsa = rsa_key()

        assert answer(kms.encrypt, KeyId=rsa, Plaintext=b"x") == (
            "InvalidKeyUsageException",
            "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.",
        )
        assert answer(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_1") == (
            "InvalidKeyUsageException",
            "Algorithm RSAES_OAEP_SHA_1 is incompatible with key spec SYMMETRIC_DEFAULT.",
        )

    @item(4)
    def test_wrong_mac_algorithm(self, kms, hmac):
        """
        An HMAC key of another size: the recorded sentence.
        """
        assert answer(kms.generate_mac, KeyId=hmac, Message=b"m", MacAlgorithm="HMAC_SHA_256") == (
            "InvalidKeyUsageException",
            "Algorithm HMAC_SHA_256 is incompatible with key spec HMAC_224.",
        )

    @item(6)
    def test_pending_import(self, kms):
        """
        A key that waits for its material says so: KMSInvalidStateException.
        """
        key = new_key(kms, Origin="EXTERNAL")

        assert answer(kms.encrypt, KeyId=key, Plaintext=b"x") == (
            "KMSInvalidStateException",
            f"{key} is pending import.",
        )

    @item(6)
    def test_disabled(self, kms, key):
        """
        A disabled key says so: DisabledException.
        """
        kms.disable_key(KeyId=key)

        assert answer(kms.encrypt, KeyId=key, Plaintext=b"x") == ("DisabledException", f"{key} is disabled.")

    @item(9, 48)
    @pytest.mark.parametrize("size", [31, 33, 64])
    def test_digest_of_the_wrong_length(self, kms, signer, size):
        """
        A digest of the wrong length is refused in a sentence with the algorithm, to sign and to verify.
        """
        params = {"KeyId": signer, "Message": bytes(size), "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256"}
        expected = ("ValidationException", "Digest is invalid length for algorithm ECDSA_SHA_256.")

        assert answer(kms.sign, **params) == expected
        assert answer(kms.verify, **params, Signature=b"s") == expected

    @item(12)
    def test_shared_secret(self, kms):
        """
        A garbage public key is a ValidationException without a text; a good one's answer has KeyOrigin.
        """
        key = new_key(kms, KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
        params = {"KeyId": key, "KeyAgreementAlgorithm": "ECDH"}

        assert answer(kms.derive_shared_secret, **params, PublicKey=b"garbage") == ("ValidationException", "")
        assert kms.derive_shared_secret(**params, PublicKey=peer_key())["KeyOrigin"] == "AWS_KMS"

    @item(14)
    def test_import_expires_by_default(self, kms):
        """
        ImportKeyMaterial without ExpirationModel means that the material expires, so that it needs a date.
        """
        request = import_request(kms, new_key(kms, Origin="EXTERNAL"))
        del request["ExpirationModel"]

        assert code(kms.import_key_material, **request) == "ValidationException"
        assert code(kms.import_key_material, **request, ValidTo=LATER) is None

    @item(4)
    def test_unknown_algorithm(self, kms, key):
        """
        An unknown algorithm is a ValidationException that lists the enum, unquoted. (AWS's order follows no rule that
        is known; the lab's is the model's.)
        """
        name, text = answer(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionAlgorithm="ROT13")

        start, _, values = text.rstrip("]").partition("[")
        assert name == "ValidationException"
        assert start == (
            "1 validation error detected: Value 'ROT13' at 'encryptionAlgorithm' failed to satisfy constraint: "
            "Member must satisfy enum value set: "
        )
        assert set(values.split(", ")) == {"SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"}

    @item(5)
    @pytest.mark.parametrize("text", ["mrk-fake", "0123456789abcdef0123456789abcdef", "x"])
    def test_text_that_cannot_be_an_id(self, kms, text):
        """
        A text that cannot be a key id, such as an undashed UUID, is an invalid keyId.
        """
        assert answer(kms.describe_key, KeyId=text) == ("NotFoundException", f"Invalid keyId '{text}'")

    @item(5)
    def test_unknown_key(self, lab):
        """
        A key that could be but is not: its would-be ARN, in the caller's Region.
        """
        key_id = "1234abcd-12ab-34cd-56ef-1234567890ab"

        assert answer(lab.client(region="eu-west-1").describe_key, KeyId=key_id) == (
            "NotFoundException",
            f"Key 'arn:aws:kms:eu-west-1:111122223333:key/{key_id}' does not exist",
        )

    @item(5)
    def test_arn_of_another_region(self, lab, key):
        """
        An ARN of another Region is refused with that Region's name and nothing else.
        """
        assert answer(lab.client(region="eu-west-1").describe_key, KeyId=key) == (
            "NotFoundException",
            "Invalid arn us-east-1",
        )

    def test_unknown_alias(self, kms):
        """
        An unknown alias: its ARN in the caller's Region and account, with a full stop.
        """
        assert answer(kms.describe_key, KeyId="alias/none") == (
            "NotFoundException",
            "Alias arn:aws:kms:us-east-1:111122223333:alias/none is not found.",
        )

    def test_alias_where_only_a_key_is_taken(self, kms, key):
        """
        An alias where only a key is taken: InvalidArnException.
        """
        kms.create_alias(AliasName="alias/a", TargetKeyId=key)

        assert answer(kms.disable_key, KeyId="alias/a") == (
            "InvalidArnException",
            "Key Aliases are not supported for this operation.",
        )

    @item(7)
    def test_plaintext_over_the_limit(self, kms, key):
        """
        Over 4,096 bytes: a constraint message on 'plaintext', which does not show the value.
        """
        assert answer(kms.encrypt, KeyId=key, Plaintext=b"s" * 4097) == (
            "ValidationException",
            "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: "
            "Member must have length less than or equal to 4096",
        )

    @item(7)
    @pytest.mark.parametrize(
        ("spec", "algorithm", "limit"),
        [
            ("RSA_2048", "RSAES_OAEP_SHA_1", 214),
            ("RSA_2048", "RSAES_OAEP_SHA_256", 190),
            ("RSA_3072", "RSAES_OAEP_SHA_1", 342),
            ("RSA_3072", "RSAES_OAEP_SHA_256", 318),
            ("RSA_4096", "RSAES_OAEP_SHA_1", 470),
            ("RSA_4096", "RSAES_OAEP_SHA_256", 446),
        ],
    )
    def test_rsa_limit_names_algorithm_and_spec(self, kms, rsa_key, spec, algorithm, limit):
        """
        RSA takes so many bytes; the refusal of one more names the algorithm and the key spec.
        """
        params = {"KeyId": rsa_key(spec), "EncryptionAlgorithm": algorithm}

        assert code(kms.encrypt, **params, Plaintext=b"s" * limit) is None
        name, text = answer(kms.encrypt, **params, Plaintext=b"s" * (limit + 1))
        assert name == "ValidationException"
        assert algorithm in text
        assert spec in text

    @item(8)
    def test_random_without_a_size(self, kms):
        """
        GenerateRandom with no size has a sentence of its own.
        """
        assert answer(kms.generate_random) == ("ValidationException", "NumberOfBytes is required.")

    @item(8)
    @pytest.mark.parametrize(
        ("size", "bound"), [(0, "greater than or equal to 1"), (1025, "less than or equal to 1024")]
    )
    def test_random_out_of_range(self, lab, size, bound):
        """
        GenerateRandom of 0 or 1,025 bytes: constraint messages with the value.
        """
        assert answer(sender(lab, "GenerateRandom"), NumberOfBytes=size) == (
            "ValidationException",
            f"1 validation error detected: Value '{size}' at 'numberOfBytes' failed to satisfy constraint: "
            f"Member must have value {bound}",
        )

    @item(13)
    def test_dry_run_that_would_succeed(self, kms, key):
        """
        A DryRun that would succeed is an error that says so.
        """
        assert answer(kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True) == (
            "DryRunOperationException",
            "The request would have succeeded, but the DryRun option is set.",
        )

    @item(11)
    @pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_P256", "HMAC_256"])
    def test_usage_must_be_given(self, kms, spec):
        """
        CreateKey without KeyUsage on a spec that is not symmetric is a ValidationException with its own sentence.
        """
        assert answer(kms.create_key, KeySpec=spec) == (
            "ValidationException",
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
        )

    @item(11)
    def test_usage_that_does_not_fit_the_spec(self, kms):
        """
        KEY_AGREEMENT with RSA_2048 is not compatible, and AWS says so in these words.
        """
        assert answer(kms.create_key, KeySpec="RSA_2048", KeyUsage="KEY_AGREEMENT") == (
            "ValidationException",
            "KeyUsage KEY_AGREEMENT is not compatible with KeySpec RSA_2048",
        )


class TestTagTexts:
    @item(10)
    def test_duplicates(self, kms, key):
        """
        Two tags of one key in a request: "Duplicate tag keys".
        """
        tags = [{"TagKey": "a", "TagValue": "1"}, {"TagKey": "a", "TagValue": "2"}]

        assert answer(kms.tag_resource, KeyId=key, Tags=tags) == ("TagException", "Duplicate tag keys")

    @item(10)
    def test_fifty_first(self, kms, key):
        """
        Fifty tags fit on a key; with the 51st there are too many, and nothing is changed.
        """
        kms.tag_resource(KeyId=key, Tags=[{"TagKey": str(n), "TagValue": ""} for n in range(50)])

        assert answer(kms.tag_resource, KeyId=key, Tags=[{"TagKey": "one more", "TagValue": ""}]) == (
            "TagException",
            "Too many tags",
        )
        assert len(kms.list_resource_tags(KeyId=key)["Tags"]) == 50
        assert code(kms.tag_resource, KeyId=key, Tags=[{"TagKey": "7", "TagValue": "new"}]) is None

    @item(10)
    @pytest.mark.parametrize("name", ["aws:x", "AWS:x", "Aws:"])
    def test_reserved_prefix(self, kms, key, name):
        """
        Tags that begin with aws:, in any case, are reserved.
        """
        expected = ("TagException", "Tags beginning with aws: are reserved")

        assert answer(kms.tag_resource, KeyId=key, Tags=[{"TagKey": name, "TagValue": ""}]) == expected
        assert answer(kms.create_key, Tags=[{"TagKey": name, "TagValue": ""}]) == expected

    @item(10)
    def test_too_long(self, kms, key):
        """
        A tag key of 129 or a value of 257 characters is a ValidationException that names the member.
        """
        ok = {"TagKey": "k" * 128, "TagValue": "v" * 256}
        assert code(kms.tag_resource, KeyId=key, Tags=[ok]) is None

        name, text = answer(kms.tag_resource, KeyId=key, Tags=[{"TagKey": "k" * 129, "TagValue": ""}])
        assert name == "ValidationException"
        assert "at 'tags.1.member.tagKey' failed to satisfy constraint: " in text
        assert text.endswith("Member must have length less than or equal to 128")

        _, text = answer(kms.tag_resource, KeyId=key, Tags=[ok, {"TagKey": "k", "TagValue": "v" * 257}])
        assert "at 'tags.2.member.tagValue' failed" in text
        assert text.endswith("less than or equal to 256")

    @item(10)
    def test_sorted(self, kms, key):
        """
        ListResourceTags comes back sorted by key.
        """
        kms.tag_resource(KeyId=key, Tags=[{"TagKey": name, "TagValue": name} for name in "cab"])

        assert [tag["TagKey"] for tag in kms.list_resource_tags(KeyId=key)["Tags"]] == ["a", "b", "c"]


class TestFields:
    @item(15)
    def test_current_material_of_symmetric_keys_only(self, kms, key, hmac, signer):
        """
        CurrentKeyMaterialId appears for symmetric keys with material, not for HMAC, asymmetric or EXTERNAL keys.
        """
        external = new_key(kms, Origin="EXTERNAL")

        def shown(name):
            return "CurrentKeyMaterialId" in kms.describe_key(KeyId=name)["KeyMetadata"]

        assert [shown(one) for one in (key, hmac, signer, external)] == [True, False, False, False]

    @item(16, 30)
    def test_decrypt_names_the_material(self, kms, key):
        """
        Decrypt names the key material that it used, old or new; Encrypt names none.
        """
        before = kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
        old = kms.encrypt(KeyId=key, Plaintext=b"x")
        kms.rotate_key_on_demand(KeyId=key)
        after = kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
        new = kms.encrypt(KeyId=key, Plaintext=b"x")

        assert "KeyMaterialId" not in old
        assert before != after
        assert kms.decrypt(CiphertextBlob=old["CiphertextBlob"])["KeyMaterialId"] == before
        assert kms.decrypt(CiphertextBlob=new["CiphertextBlob"])["KeyMaterialId"] == after

    @item(16)
    def test_data_keys_and_re_encrypt_name_the_material(self, kms, key):
        """
        As the model has it, data keys name the current material, and ReEncrypt that of either side.
        """
        before = kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
        blob = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
        kms.rotate_key_on_demand(KeyId=key)
        after = kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]

        moved = kms.re_encrypt(CiphertextBlob=blob["CiphertextBlob"], DestinationKeyId=key)
        again = kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_256")

        assert blob["KeyMaterialId"] == before
        assert again["KeyMaterialId"] == after
        assert (moved["SourceKeyMaterialId"], moved["DestinationKeyMaterialId"]) == (before, after)

    @item(17)
    @pytest.mark.parametrize(
        ("spec", "usage", "member", "algorithms"),
        [
            ("SYMMETRIC_DEFAULT", ENCRYPT, "EncryptionAlgorithms", ["SYMMETRIC_DEFAULT"]),
            ("HMAC_384", "GENERATE_VERIFY_MAC", "MacAlgorithms", ["HMAC_SHA_384"]),
            ("RSA_2048", ENCRYPT, "EncryptionAlgorithms", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]),
            ("ECC_NIST_P384", "SIGN_VERIFY", "SigningAlgorithms", ["ECDSA_SHA_384"]),
            ("ECC_NIST_P384", "KEY_AGREEMENT", "KeyAgreementAlgorithms", ["ECDH"]),
        ],
    )
    def test_algorithms_of_the_usage_only(self, kms, spec, usage, member, algorithms):
        """
        A key's metadata lists the algorithms of its usage, and of no other; CustomerMasterKeySpec repeats KeySpec.
        """
        metadata = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]

        assert {name: value for name, value in metadata.items() if name.endswith("Algorithms")} == {member: algorithms}
        assert metadata["CustomerMasterKeySpec"] == metadata["KeySpec"] == spec

    @item(18, 19)
    def test_rotation_status(self, kms, key):
        """
        GetKeyRotationStatus always has KeyId; date and period (365 unless given) only while rotation is on.
        """
        off = kms.get_key_rotation_status(KeyId=key)
        kms.enable_key_rotation(KeyId=key)
        on = kms.get_key_rotation_status(KeyId=key)

        assert off.keys() - {"ResponseMetadata"} == {"KeyId", "KeyRotationEnabled"}
        assert (off["KeyRotationEnabled"], on["KeyRotationEnabled"]) == (False, True)
        assert on["RotationPeriodInDays"] == 365
        assert "NextRotationDate" in on
        assert "OnDemandRotationStartDate" not in on

    @item(18)
    def test_on_demand_does_not_move_the_schedule(self, lab, kms, key):
        """
        On-demand rotation leaves NextRotationDate where it was.
        """
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=730)
        before = kms.get_key_rotation_status(KeyId=key)["NextRotationDate"]
        lab.clock.travel(days=300)

        kms.rotate_key_on_demand(KeyId=key)

        assert kms.get_key_rotation_status(KeyId=key)["NextRotationDate"] == before

    @item(19, 46)
    def test_key_arn_as_key_id(self, kms, key):
        """
        RotateKeyOnDemand and the cryptographic calls answer with the key's ARN as KeyId, also to an alias.
        """
        kms.create_alias(AliasName="alias/a", TargetKeyId=key)
        sealed = kms.encrypt(KeyId="alias/a", Plaintext=b"x")
        data_key = kms.generate_data_key(KeyId="alias/a", KeySpec="AES_128")

        assert sealed["KeyId"] == data_key["KeyId"] == key
        assert kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"])["KeyId"] == key
        assert kms.rotate_key_on_demand(KeyId=key.rpartition("/")[2])["KeyId"] == key

    @item(20)
    def test_external_key_without_new_material(self, kms):
        """
        An EXTERNAL key to which no new material was brought does not rotate.
        """
        key = imported_key(kms)

        assert answer(kms.rotate_key_on_demand, KeyId=key) == (
            "KMSInvalidStateException",
            f"No available key material pending rotation for the key: {key}.",
        )

    @item(20)
    def test_external_key_with_new_material(self, kms):
        """
        New material waits, and no second one beside it; CurrentKeyMaterialId moves at the rotation, not at the import.
        """
        key = imported_key(kms)
        first = described(kms, key)["CurrentKeyMaterialId"]
        new = {"ImportType": "NEW_KEY_MATERIAL"}
        second = kms.import_key_material(**import_request(kms, key, bytes(32), **new))["KeyMaterialId"]

        assert code(kms.import_key_material, **import_request(kms, key, b"3" * 32, **new)) == "KMSInvalidStateException"
        assert described(kms, key)["CurrentKeyMaterialId"] == first
        kms.rotate_key_on_demand(KeyId=key)
        assert described(kms, key)["CurrentKeyMaterialId"] == second != first

    @item(15)
    def test_deleted_material(self, kms):
        """
        After imported material is deleted CurrentKeyMaterialId stays, ExpirationModel goes, and the key waits again.
        """
        key = imported_key(kms)
        before = described(kms, key)
        kms.delete_imported_key_material(KeyId=key)
        after = described(kms, key)

        assert before["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"
        assert after["CurrentKeyMaterialId"] == before["CurrentKeyMaterialId"]
        assert "ExpirationModel" not in after
        assert (after["Enabled"], after["KeyState"]) == (False, "PendingImport")

    @item(19)
    def test_import_calls_answer_with_the_arn(self, kms):
        """
        The import calls answer with the key's ARN as KeyId, also to an id.
        """
        key = new_key(kms, Origin="EXTERNAL")
        request = import_request(kms, key.rpartition("/")[2])
        wrapping = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}

        assert kms.get_parameters_for_import(KeyId=request["KeyId"], **wrapping)["KeyId"] == key
        assert kms.import_key_material(**request)["KeyId"] == key
        assert kms.delete_imported_key_material(KeyId=request["KeyId"])["KeyId"] == key

    @item(19)
    def test_no_rotation_is_in_progress(self, kms, key):
        """
        OnDemandRotationStartDate is there only during a rotation, and the lab's is done when the call returns.
        """
        kms.rotate_key_on_demand(KeyId=key)

        assert "OnDemandRotationStartDate" not in kms.get_key_rotation_status(KeyId=key)

    @item(21)
    def test_replica(self, lab, kms):
        """
        ReplicateKey answers with a replica that is Creating, without description and material id, and with its policy.
        """
        primary = new_key(kms, MultiRegion=True, Description="the primary's")

        answer = kms.replicate_key(KeyId=primary, ReplicaRegion="eu-west-1")

        metadata = answer["ReplicaKeyMetadata"]
        assert (metadata["KeyState"], metadata["Enabled"], metadata["Description"]) == ("Creating", False, "")
        assert "CurrentKeyMaterialId" not in metadata
        assert answer["ReplicaPolicy"] == kms.get_key_policy(KeyId=primary)["Policy"]

    @item(21)
    def test_replica_of_a_replica(self, lab):
        """
        Replicating a replica is UnsupportedOperationException: it is no primary.
        """
        replica = new_family(lab, "eu-west-1").replace("us-east-1", "eu-west-1")

        found = answer(lab.client(region="eu-west-1").replicate_key, KeyId=replica, ReplicaRegion="us-west-2")

        assert found == ("UnsupportedOperationException", f"{replica} is not a multi-region primary key.")

    @item(21)
    def test_fresh_multi_region_primary(self, kms):
        """
        A fresh multi-Region primary has an id that begins with mrk-, and an empty list of replicas.
        """
        metadata = kms.create_key(MultiRegion=True)["KeyMetadata"]

        assert metadata["KeyId"].startswith("mrk-")
        assert metadata["MultiRegion"] is True
        assert metadata["MultiRegionConfiguration"] == {
            "MultiRegionKeyType": "PRIMARY",
            "PrimaryKey": {"Arn": metadata["Arn"], "Region": "us-east-1"},
            "ReplicaKeys": [],
        }

    @item(22)
    def test_cancelled_deletion_leaves_the_key_disabled(self, kms, key):
        """
        After CancelKeyDeletion a key is Disabled, not Enabled.
        """
        kms.schedule_key_deletion(KeyId=key)
        pending = kms.describe_key(KeyId=key)["KeyMetadata"]
        kms.cancel_key_deletion(KeyId=key)
        back = kms.describe_key(KeyId=key)["KeyMetadata"]

        assert (pending["KeyState"], pending["Enabled"], "DeletionDate" in pending) == ("PendingDeletion", False, True)
        assert (back["KeyState"], back["Enabled"], "DeletionDate" in back) == ("Disabled", False, False)


class TestRefusedPrincipals:
    @item(25)
    def test_lockout(self, kms, key):
        """
        A policy that would lock its writer out is refused, in AWS's words.
        """
        policy = '{"Version":"2012-10-17","Statement":[]}'
        name, text = answer(kms.put_key_policy, KeyId=key, Policy=policy.replace("[]", f"[{READ_ONLY}]"))

        assert name == "MalformedPolicyDocumentException"
        assert text == "The new key policy will not allow you to update the key policy in the future."

    def test_unknown_principal(self, kms, key):
        """
        A policy that names somebody who does not exist is refused, in AWS's words.
        """
        policy = kms.get_key_policy(KeyId=key)["Policy"].replace(":root", ":role/Ghost")

        assert answer(kms.put_key_policy, KeyId=key, Policy=policy) == (
            "MalformedPolicyDocumentException",
            "Policy contains a statement with one or more invalid principals.",
        )

    def test_alias_that_exists(self, kms, key):
        """
        An alias that exists already: AlreadyExistsException with its ARN.
        """
        kms.create_alias(AliasName="alias/a", TargetKeyId=key)

        assert answer(kms.create_alias, AliasName="alias/a", TargetKeyId=key) == (
            "AlreadyExistsException",
            "An alias with the name arn:aws:kms:us-east-1:111122223333:alias/a already exists",
        )

    def test_alias_without_prefix(self, kms, key):
        """
        An alias without its prefix: ValidationException, which names the prefix.
        """
        name, text = answer(kms.create_alias, AliasName="orders", TargetKeyId=key)

        assert name == "ValidationException"
        assert text.startswith('Alias must start with the prefix "alias/". Please see ')

    @item(36)
    def test_fifty_first_alias(self, kms, key):
        """
        The 51st alias of a key: LimitExceededException with the quota and the present number.
        """
        for number in range(50):
            kms.create_alias(AliasName=f"alias/{number}", TargetKeyId=key)

        assert answer(kms.create_alias, AliasName="alias/50", TargetKeyId=key) == (
            "LimitExceededException",
            "Aliases per key quota for this account in this region is 50, current usage is 50.",
        )

    def test_policy_of_the_ram_service(self, kms, key):
        """
        The AWS_RAM policy cannot be put by hand.
        """
        policy = kms.get_key_policy(KeyId=key)["Policy"]

        assert answer(kms.put_key_policy, KeyId=key, PolicyName="AWS_RAM", Policy=policy) == (
            "ValidationException",
            "The AWS_RAM policy can only be managed by the RAM service.",
        )


DRY = sorted(name for name in model.operation_names() if "DryRun" in model.operation(name).members)
TOKENS = sorted(
    name for name in model.operation_names() if "InvalidGrantTokenException" in model.operation(name).errors
)
LISTINGS = sorted(name for name in model.operation_names() if "InvalidMarkerException" in model.operation(name).errors)


class TestWhatOthersLeaveOut:
    @item(23)
    def test_implicit_deny(self, lab, key):
        """
        Nobody may do what no policy allows.
        """
        nobody = lab.client(lab.iam.create_role("Nobody"))

        assert code(nobody.encrypt, KeyId=key, Plaintext=b"x") == "AccessDeniedException"

    @item(24)
    def test_conditions(self, lab, key):
        """
        A statement with a condition allows what meets it, and nothing else.
        """
        condition = {"StringEquals": {"kms:EncryptionContext:shop": "a"}}
        statement = {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*", "Condition": condition}
        app = lab.client(lab.iam.create_role("App", [{"Version": "2012-10-17", "Statement": [statement]}]))

        found = [code(app.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"shop": shop}) for shop in "ab"]

        assert found == [None, "AccessDeniedException"]

    @item(26)
    def test_across_accounts(self, lab, key):
        """
        A caller of another account needs the key policy's consent besides that of his own.
        """
        statement = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        guest = lab.client(lab.iam.create_role("Guest", [policy], account="444455556666"))

        assert code(guest.encrypt, KeyId=key, Plaintext=b"x") == "AccessDeniedException"

    @item(27)
    def test_constraints_of_grants(self, lab, kms, key):
        """
        A grant with a constraint allows calls with that encryption context only.
        """
        app = lab.iam.create_role("App")
        new_grant(kms, key, app, ["Encrypt"], Constraints={"EncryptionContextEquals": {"shop": "a"}})
        lab.clock.travel(hours=1)
        client = lab.client(app)

        found = [code(client.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"shop": shop}) for shop in "ab"]

        assert found == [None, "AccessDeniedException"]

    @item(28)
    @pytest.mark.parametrize("operation", TOKENS)
    def test_invalid_grant_tokens(self, stage, operation):
        """
        A grant token that no grant has is refused by every operation that lists the error.
        """
        params = EVERYDAY[operation](stage)
        bad = {"GrantToken": "none"} if operation == "RetireGrant" else {**params, "GrantTokens": ["none"]}

        assert code(method(stage.kms, operation), **bad) == "InvalidGrantTokenException"

    @item(29)
    @pytest.mark.parametrize("operation", DRY)
    def test_dry_run(self, stage, operation):
        """
        DryRun of a call that would succeed says so, for every operation that has it.
        """
        params = EVERYDAY[operation](stage)

        assert code(method(stage.kms, operation), **params, DryRun=True) == "DryRunOperationException"
        assert code(method(stage.kms, operation), **params) is None

    @item(31)
    @pytest.mark.parametrize(("days", "expected"), [(89, "ValidationException"), (90, None)])
    def test_shortest_rotation_period(self, lab, key, days, expected):
        """
        Automatic rotation has a period of 90 days at least.
        """
        assert code(sender(lab, "EnableKeyRotation"), KeyId=key, RotationPeriodInDays=days) == expected

    @item(32)
    def test_other_material(self, kms):
        """
        After its first import a key takes the same material again, and no other in its place.
        """
        key = imported_key(kms)

        assert code(kms.import_key_material, **import_request(kms, key)) is None
        assert code(kms.import_key_material, **import_request(kms, key, bytes(32))) == "IncorrectKeyMaterialException"

    @item(33)
    def test_primary_region(self, lab, kms):
        """
        UpdatePrimaryRegion makes a replica the primary, and the primary a replica.
        """
        key = new_family(lab, "eu-west-1")
        kms.update_primary_region(KeyId=key, PrimaryRegion="eu-west-1")

        assert described(kms, key)["MultiRegionConfiguration"]["MultiRegionKeyType"] == "REPLICA"

    @item(34)
    def test_primary_waits_for_its_replicas(self, lab, kms):
        """
        A primary that has replicas is PendingReplicaDeletion, without a date, until they are gone.
        """
        key = new_family(lab, "eu-west-1")
        there = lab.client(region="eu-west-1")
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        there.schedule_key_deletion(KeyId=key.rpartition("/")[2], PendingWindowInDays=7)
        before = described(kms, key)
        lab.clock.travel(days=7)
        after = described(kms, key)

        assert (before["KeyState"], "DeletionDate" in before) == ("PendingReplicaDeletion", False)
        assert (after["KeyState"], "DeletionDate" in after) == ("PendingDeletion", True)

    @item(35)
    @pytest.mark.parametrize("operation", LISTINGS)
    def test_invalid_marker(self, stage, operation):
        """
        A marker that a listing did not give out is refused by every operation that lists the error.
        """
        params = {} if operation == "DescribeCustomKeyStores" else EVERYDAY[operation](stage)

        assert code(method(stage.kms, operation), **params, Marker="none") == "InvalidMarkerException"

    @item(37)
    @pytest.mark.parametrize("operation", ["CreateAlias", "UpdateAlias", "DeleteAlias"])
    def test_reserved_aliases(self, stage, operation):
        """
        Names under alias/aws/ are for AWS.
        """
        params = {**EVERYDAY[operation](stage), "AliasName": "alias/aws/mine"}

        assert code(method(stage.kms, operation), **params) == "NotAuthorizedException"

    @item(38)
    @pytest.mark.parametrize("operation", ["EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand"])
    def test_keys_that_cannot_rotate(self, kms, signer, hmac, operation):
        """
        Asymmetric and HMAC keys do not rotate.
        """
        found = [code(method(kms, operation), KeyId=key) for key in (signer, hmac)]

        assert found == ["UnsupportedOperationException"] * 2

    @item(39)
    @pytest.mark.parametrize("spec", ["ML_DSA_44", "ML_DSA_65", "ML_DSA_87"])
    def test_ml_dsa(self, kms, spec):
        """
        ML-DSA keys sign, and verify what they signed.
        """
        key = new_key(kms, KeySpec=spec, KeyUsage="SIGN_VERIFY")
        params = {"KeyId": key, "Message": b"m", "SigningAlgorithm": "ML_DSA_SHAKE_256"}
        signature = kms.sign(**params)["Signature"]

        assert kms.verify(**params, Signature=signature)["SignatureValid"] is True
        assert code(kms.verify, **{**params, "Message": b"n"}, Signature=signature) == "KMSInvalidSignatureException"

    @item(39)
    @pytest.mark.parametrize("spec", ["ML_KEM_768", "ML_KEM_1024"])
    def test_ml_kem(self, kms, spec):
        """
        ML-KEM keys give a shared secret, and find it again in its capsule.
        """
        params = {
            "KeyId": new_key(kms, KeySpec=spec, KeyUsage="ENCAPSULATE_DECAPSULATE"),
            "EncapsulationAlgorithm": "ML_KEM",
        }
        made = kms.encapsulate(**params)
        found = kms.decapsulate(**params, SharedSecretCiphertextBlob=made["SharedSecretCiphertextBlob"])

        assert found["SharedSecret"] == made["SharedSecret"]

    @item(40)
    def test_custom_key_stores(self, home):
        """
        A key in a custom key store works while the store is connected, and only then.
        """
        blob = home.kms.encrypt(KeyId=home.key, Plaintext=b"x")["CiphertextBlob"]

        assert home.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
        home.disconnect()
        assert code(home.kms.decrypt, CiphertextBlob=blob) == "KMSInvalidStateException"

    @item(41)
    def test_last_usage(self, lab, kms, key):
        """
        GetKeyLastUsage tells the last cryptographic operation, and when it was.
        """
        kms.encrypt(KeyId=key, Plaintext=b"x")
        used = lab.clock.now
        lab.clock.travel(days=1)

        usage = kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]

        assert (usage["Operation"], usage["Timestamp"]) == ("Encrypt", used)

    @item(42)
    def test_request_quotas(self):
        """
        A lab that keeps AWS's request quotas refuses a sixth CreateKey in a second.
        """
        kms = Lab(seed=7, request_quotas=True).client()

        assert [code(kms.create_key) for _ in range(6)] == [None] * 5 + ["ThrottlingException"]

    @item(43)
    def test_clock(self, lab, kms, key):
        """
        What takes days on AWS happens when the lab's clock has gone so far: a key is gone after its waiting period.
        """
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        lab.clock.travel(days=7)

        assert code(kms.describe_key, KeyId=key) == "NotFoundException"

    @item(44)
    def test_cloudtrail(self, lab, kms, key):
        """
        Every call is an event of CloudTrail, with its error if it was refused.
        """
        kms.disable_key(KeyId=key)
        assert code(kms.encrypt, KeyId=key, Plaintext=b"x") == "DisabledException"

        found = [(event["eventName"], event.get("errorCode")) for event in lab.events()]

        assert found == [("CreateKey", None), ("DisableKey", None), ("Encrypt", "DisabledException")]

    @item(45)
    def test_cost(self, lab, kms, key):
        """
        A key costs a dollar a month, used or not.
        """
        lab.clock.travel(to=lab.clock.now.replace(month=lab.clock.now.month + 1))

        assert round(lab.bill().total, 2) == 1

    @item(47)
    @pytest.mark.parametrize("policy", ["{", "policy", "[]", "{}"])
    def test_policies_that_are_none(self, kms, key, policy):
        """
        What is not the JSON of a policy becomes nobody's key policy.
        """
        assert code(kms.put_key_policy, KeyId=key, Policy=policy) == "MalformedPolicyDocumentException"
        assert code(kms.create_key, Policy=policy) == "MalformedPolicyDocumentException"


def test_every_item_has_a_test():
    """
    Whatever was recorded, and whatever others leave out, has a test here that names it.
    """
    assert set(ITEMS) == SHOWN


READ_ONLY = (
    '{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:Describe*","Resource":"*"}'
)
