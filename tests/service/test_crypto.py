"""Which key takes which algorithm and how much, and what comes out."""

import itertools
import json
from pathlib import Path

import pytest

from kms_lab.core import model
from tests.service.conftest import answer, code, new_key, refusal, sender

FACTS = json.loads((Path(__file__).parents[1] / "data" / "key_specs.json").read_text())
SPECS = FACTS["specs"]
OAEP = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
#: specs that AWS has and the lab cannot make yet, and how it says so
NOT_YET = {"ML_KEM_512": "UnsupportedByLab", "SM2": "UnsupportedOperationException"}
PAIRS = [(spec, usage) for spec, row in SPECS.items() for usage in row["algorithms"]]
RSA_LIMITS = [(s, a, n) for s, row in SPECS.items() if s.startswith("RSA") for a, n in row["max_plaintext"].items()]
MISFITS = [
    (spec, usage)
    for spec, row in SPECS.items()
    for usage in model.enum("KeyUsageType")
    if usage not in row["algorithms"]
]


def test_the_table_is_complete():
    """
    The facts have a row for each of AWS's 20 key specs.
    """
    assert set(SPECS) == set(model.enum("KeySpec"))
    assert len(SPECS) == 20


class TestCreateKey:
    @pytest.mark.parametrize(("spec", "usage"), PAIRS)
    def test_spec_and_usage(self, kms, spec, usage):
        """
        Each spec is created with each usage that it has, with that usage's algorithms; or refused honestly.
        """
        if spec in NOT_YET:
            error = refusal(kms.create_key, KeySpec=spec, KeyUsage=usage)
            assert error.code == NOT_YET[spec]
            assert spec in error.message
            return
        metadata = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]

        assert (metadata["KeySpec"], metadata["KeyUsage"], metadata["KeyState"]) == (spec, usage, "Enabled")
        listed = [value for name, value in metadata.items() if name.endswith("Algorithms")]
        assert [sorted(one) for one in listed] == [sorted(SPECS[spec]["algorithms"][usage])]

    @pytest.mark.parametrize(("spec", "usage"), MISFITS)
    def test_usage_that_the_spec_lacks(self, kms, spec, usage):
        """
        A usage that a spec does not have is refused by name, and no key is made.
        """
        assert answer(kms.create_key, KeySpec=spec, KeyUsage=usage) == (
            "ValidationException",
            f"KeyUsage {usage} is not compatible with KeySpec {spec}",
        )
        assert kms.list_keys()["Keys"] == []

    @pytest.mark.parametrize("spec", [spec for spec in SPECS if spec != "SYMMETRIC_DEFAULT"])
    def test_usage_is_required(self, kms, spec):
        """
        Only a symmetric encryption key may leave its usage open.
        """
        assert code(kms.create_key, KeySpec=spec) == "ValidationException"

    def test_plain_key(self, lab, kms):
        """
        Without parameters: an enabled symmetric key of KMS's own material, in one Region, created now.
        """
        metadata = kms.create_key()["KeyMetadata"]

        assert metadata["Arn"] == f"arn:aws:kms:us-east-1:111122223333:key/{metadata['KeyId']}"
        assert metadata["CreationDate"] == lab.clock.now
        expected = {
            "AWSAccountId": "111122223333",
            "Description": "",
            "Enabled": True,
            "KeyManager": "CUSTOMER",
            "KeyState": "Enabled",
            "KeyUsage": "ENCRYPT_DECRYPT",
            "KeySpec": "SYMMETRIC_DEFAULT",
            "Origin": "AWS_KMS",
            "MultiRegion": False,
        }
        assert metadata.items() >= expected.items()
        assert kms.describe_key(KeyId=metadata["KeyId"])["KeyMetadata"] == metadata

    def test_old_name_of_the_spec(self, kms):
        """
        CustomerMasterKeySpec, the deprecated name, still chooses the spec.
        """
        metadata = kms.create_key(CustomerMasterKeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]

        assert metadata["KeySpec"] == "HMAC_256"

    def test_quota_of_keys(self, kms, monkeypatch):
        """
        The quota of keys in an account and Region is kept. (Lowered here from 100,000 to 2.)
        """
        monkeypatch.setattr("kms_lab.service.operations.keys.KEYS_PER_REGION", 2)
        new_key(kms)
        new_key(kms)

        assert code(kms.create_key) == "LimitExceededException"

    def test_ids_differ(self, kms):
        """
        No two keys share an id or a material id.
        """
        made = [kms.create_key()["KeyMetadata"] for _ in range(50)]

        assert len({one["KeyId"] for one in made}) == len({one["CurrentKeyMaterialId"] for one in made}) == 50


class TestUsageAndAlgorithm:
    @pytest.mark.parametrize(("spec", "usage"), [pair for pair in PAIRS if pair[0] not in NOT_YET])
    @pytest.mark.parametrize("algorithm", ["SYMMETRIC_DEFAULT", *OAEP, "SM2PKE"])
    def test_encrypt(self, kms, rsa_key, spec, usage, algorithm):
        """
        Encrypt works exactly where key spec, usage and algorithm fit together; else InvalidKeyUsageException.
        """
        key = rsa_key(spec, usage) if spec.startswith("RSA") else new_key(kms, KeySpec=spec, KeyUsage=usage)
        fits = usage == "ENCRYPT_DECRYPT" and algorithm in SPECS[spec]["algorithms"][usage]

        found = code(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionAlgorithm=algorithm)

        assert found == (None if fits else "InvalidKeyUsageException")

    @pytest.mark.parametrize("operation", ["generate_data_key", "generate_data_key_without_plaintext"])
    @pytest.mark.parametrize(("spec", "usage"), [pair for pair in PAIRS if pair[0] not in NOT_YET])
    def test_data_keys(self, kms, operation, spec, usage):
        """
        Data keys come from symmetric encryption keys only.
        """
        key = new_key(kms, KeySpec=spec, KeyUsage=usage)

        found = code(getattr(kms, operation), KeyId=key, KeySpec="AES_256")

        assert found == (None if spec == "SYMMETRIC_DEFAULT" else "InvalidKeyUsageException")


class TestRsa:
    @pytest.mark.parametrize(("spec", "algorithm", "limit"), RSA_LIMITS)
    def test_limit(self, kms, rsa_key, spec, algorithm, limit):
        """
        OAEP takes as many bytes as AWS prints, not one more, and gives them back; the ciphertext is a modulus long.
        """
        key = rsa_key(spec)
        params = {"KeyId": key, "EncryptionAlgorithm": algorithm}

        sealed = kms.encrypt(Plaintext=b"s" * limit, **params)
        opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], **params)

        assert sealed["EncryptionAlgorithm"] == opened["EncryptionAlgorithm"] == algorithm
        assert len(sealed["CiphertextBlob"]) == int(spec[4:]) // 8
        assert opened["Plaintext"] == b"s" * limit
        assert "KeyMaterialId" not in opened
        assert code(kms.encrypt, Plaintext=b"s" * (limit + 1), **params) == "ValidationException"

    def test_wrong_algorithm_or_key(self, kms, rsa_key):
        """
        RSA ciphertext opens under its own algorithm only, and needs the key's name.
        """
        key = rsa_key()
        blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionAlgorithm=OAEP[0])["CiphertextBlob"]

        assert answer(kms.decrypt, CiphertextBlob=blob, KeyId=key, EncryptionAlgorithm=OAEP[1]) == (
            "InvalidCiphertextException",
            "",
        )
        assert code(kms.decrypt, CiphertextBlob=blob, EncryptionAlgorithm=OAEP[0]) == "ValidationException"
        assert code(kms.decrypt, CiphertextBlob=blob) == "InvalidCiphertextException"
        assert code(kms.decrypt, CiphertextBlob=blob, KeyId=key) == "InvalidKeyUsageException"

    def test_no_encryption_context(self, kms, rsa_key):
        """
        An encryption context is for symmetric encryption keys only.
        """
        found = code(
            kms.encrypt,
            KeyId=rsa_key(),
            Plaintext=b"x",
            EncryptionAlgorithm=OAEP[0],
            EncryptionContext={"a": "b"},
        )

        assert found == "ValidationException"

    def test_made_at_first_use(self, lab, kms):
        """
        An RSA key that the test did not prepare generates its private key at first use, and keeps it.
        """
        key = new_key(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
        params = {"KeyId": key, "EncryptionAlgorithm": OAEP[1]}
        blob = kms.encrypt(Plaintext=b"x", **params)["CiphertextBlob"]

        assert lab.fork().client().decrypt(CiphertextBlob=blob, **params)["Plaintext"] == b"x"
        assert kms.decrypt(CiphertextBlob=blob, **params)["Plaintext"] == b"x"


class TestSymmetric:
    @pytest.mark.parametrize("size", [1, 2, 4095, 4096])
    def test_sizes_that_fit(self, kms, key, size):
        """
        One to 4,096 bytes go through Encrypt and come back.
        """
        blob = kms.encrypt(KeyId=key, Plaintext=b"s" * size)["CiphertextBlob"]

        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"s" * size

    @pytest.mark.parametrize("size", [0, 4097])
    def test_sizes_that_do_not(self, kms, key, size):
        """
        Nothing, or 4,097 bytes, is a ValidationException.
        """
        assert code(kms.encrypt, KeyId=key, Plaintext=b"s" * size) == "ValidationException"

    @pytest.mark.parametrize(("size", "expected"), [(int(n), m) for n, m in FACTS["blob_size_by_plaintext"].items()])
    def test_blob_size(self, kms, key, size, expected):
        """
        A blob is exactly as long as AWS's is for the same plaintext.
        """
        assert len(kms.encrypt(KeyId=key, Plaintext=b"s" * size)["CiphertextBlob"]) == expected

    def test_blobs_differ(self, kms, key):
        """
        Encrypting the same bytes twice gives two blobs.
        """
        assert len({kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"] for _ in range(20)}) == 20

    def test_order_of_the_context(self, kms, key):
        """
        The order of an encryption context's pairs does not matter; an empty context is none.
        """
        blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"a": "1", "b": "2"})["CiphertextBlob"]
        bare = kms.encrypt(KeyId=key, Plaintext=b"y", EncryptionContext={})["CiphertextBlob"]

        assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"b": "2", "a": "1"})["Plaintext"] == b"x"
        assert kms.decrypt(CiphertextBlob=bare)["Plaintext"] == b"y"

    def test_every_name_of_the_key(self, kms, key):
        """
        A key can be named by id, ARN, alias and alias ARN, to encrypt and to decrypt.
        """
        kms.create_alias(AliasName="alias/app", TargetKeyId=key)
        names = [key, key.rpartition("/")[2], "alias/app", "arn:aws:kms:us-east-1:111122223333:alias/app"]

        for one, other in itertools.product(names, names):
            blob = kms.encrypt(KeyId=one, Plaintext=b"x")["CiphertextBlob"]
            assert kms.decrypt(KeyId=other, CiphertextBlob=blob)["Plaintext"] == b"x"

    def test_another_key(self, kms, key):
        """
        Naming another key than the one that made the blob is IncorrectKeyException.
        """
        blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]

        assert code(kms.decrypt, CiphertextBlob=blob, KeyId=new_key(kms)) == "IncorrectKeyException"

    def test_another_region(self, lab, kms, key):
        """
        A blob opens in its own Region only; elsewhere KMS does not say whether the key exists.
        """
        blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]

        name, text = answer(lab.client(region="eu-west-1").decrypt, CiphertextBlob=blob)

        assert name == "AccessDeniedException"
        assert "kms:Decrypt on the resource associated with this ciphertext because the resource does not exist" in text

    def test_plaintext_as_text(self, kms, key):
        """
        Like boto3, the client takes text, a bytearray and a file for a blob.
        """
        import io

        for plaintext in ("ab", bytearray(b"ab"), io.BytesIO(b"ab")):
            blob = kms.encrypt(KeyId=key, Plaintext=plaintext)["CiphertextBlob"]
            assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"ab"


class TestDataKeys:
    @pytest.mark.parametrize(
        ("wanted", "size"),
        [({"KeySpec": "AES_128"}, 16), ({"KeySpec": "AES_256"}, 32)]
        + [({"NumberOfBytes": number}, number) for number in (1, 64, 1024)],
    )
    def test_sizes(self, kms, key, wanted, size):
        """
        A data key has the size asked for, and its encrypted copy opens to it.
        """
        made = kms.generate_data_key(KeyId=key, EncryptionContext={"a": "b"}, **wanted)
        hidden = kms.generate_data_key_without_plaintext(KeyId=key, **wanted)

        opened = kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"a": "b"})
        assert opened["Plaintext"] == made["Plaintext"]
        assert len(made["Plaintext"]) == size
        assert "Plaintext" not in hidden
        assert len(kms.decrypt(CiphertextBlob=hidden["CiphertextBlob"])["Plaintext"]) == size

    @pytest.mark.parametrize("wanted", [{}, {"KeySpec": "AES_256", "NumberOfBytes": 32}])
    def test_one_of_the_two(self, kms, key, wanted):
        """
        Exactly one of KeySpec and NumberOfBytes says how long a data key shall be.
        """
        assert code(kms.generate_data_key, KeyId=key, **wanted) == "ValidationException"
        assert code(kms.generate_data_key_without_plaintext, KeyId=key, **wanted) == "ValidationException"

    @pytest.mark.parametrize("number", [0, 1025])
    def test_number_of_bytes(self, lab, key, number):
        """
        A data key of 0 or of 1,025 bytes is a ValidationException.
        """
        for operation in ("GenerateDataKey", "GenerateDataKeyWithoutPlaintext"):
            assert code(sender(lab, operation), KeyId=key, NumberOfBytes=number) == "ValidationException"

    @pytest.mark.parametrize("number", [1, 1024])
    def test_random(self, kms, number):
        """
        GenerateRandom gives 1 to 1,024 bytes, each time others.
        """
        first, second = (kms.generate_random(NumberOfBytes=number)["Plaintext"] for _ in range(2))

        assert len(first) == len(second) == number
        assert number == 1 or first != second


class TestReEncrypt:
    ALGORITHMS = ("SYMMETRIC_DEFAULT", *OAEP)

    @pytest.mark.parametrize(("before", "after"), list(itertools.product(ALGORITHMS, ALGORITHMS)))
    @pytest.mark.parametrize("named", [True, False])
    def test_combinations(self, kms, rsa_key, rsa_secrets, lab, before, after, named):
        """
        ReEncrypt moves between symmetric and RSA keys in every combination, and the plaintext arrives.
        """
        source = new_key(kms) if before == "SYMMETRIC_DEFAULT" else rsa_key("RSA_2048")
        target = new_key(kms) if after == "SYMMETRIC_DEFAULT" else rsa_key("RSA_3072")
        blob = kms.encrypt(KeyId=source, Plaintext=b"kept", EncryptionAlgorithm=before)["CiphertextBlob"]
        params = {
            "CiphertextBlob": blob,
            "DestinationKeyId": target,
            "SourceEncryptionAlgorithm": before,
            "DestinationEncryptionAlgorithm": after,
        } | ({"SourceKeyId": source} if named else {})

        if not named and before != "SYMMETRIC_DEFAULT":
            assert code(kms.re_encrypt, **params) == "ValidationException"
            return
        moved = kms.re_encrypt(**params)

        assert (moved["SourceKeyId"], moved["KeyId"]) == (source, target)
        assert (moved["SourceEncryptionAlgorithm"], moved["DestinationEncryptionAlgorithm"]) == (before, after)
        assert ("SourceKeyMaterialId" in moved) == (before == "SYMMETRIC_DEFAULT")
        assert ("DestinationKeyMaterialId" in moved) == (after == "SYMMETRIC_DEFAULT")
        opened = kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], KeyId=target, EncryptionAlgorithm=after)
        assert opened["Plaintext"] == b"kept"

    def test_context_of_either_side(self, kms, key):
        """
        ReEncrypt opens with the source context and seals with the destination context.
        """
        blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"a": "1"})["CiphertextBlob"]
        params = {"CiphertextBlob": blob, "DestinationKeyId": key, "DestinationEncryptionContext": {"a": "2"}}

        assert code(kms.re_encrypt, **params) == "InvalidCiphertextException"
        moved = kms.re_encrypt(SourceEncryptionContext={"a": "1"}, **params)["CiphertextBlob"]
        assert kms.decrypt(CiphertextBlob=moved, EncryptionContext={"a": "2"})["Plaintext"] == b"x"
        assert code(kms.decrypt, CiphertextBlob=moved, EncryptionContext={"a": "1"}) == "InvalidCiphertextException"

    def test_wrong_source(self, kms, key):
        """
        Naming another source key than the one that made the blob is IncorrectKeyException.
        """
        blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]

        assert (
            code(kms.re_encrypt, CiphertextBlob=blob, SourceKeyId=new_key(kms), DestinationKeyId=key)
            == "IncorrectKeyException"
        )

    @pytest.mark.parametrize("dry", [True, False])
    def test_wrong_algorithm_of_the_source(self, kms, rsa_key, key, dry):
        """
        A source algorithm that the source key does not have is refused, in a dry run too.
        """
        found = code(
            kms.re_encrypt,
            CiphertextBlob=b"any bytes",
            SourceKeyId=rsa_key(),
            DestinationKeyId=key,
            DryRun=dry,
        )

        assert found == "InvalidKeyUsageException"

    def test_usage_of_either_side(self, kms, key):
        """
        Neither side may be a key for signing.
        """
        signer = new_key(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]

        assert code(kms.re_encrypt, CiphertextBlob=blob, DestinationKeyId=signer) == "InvalidKeyUsageException"
        assert (
            code(kms.re_encrypt, CiphertextBlob=b"garbage", SourceKeyId=signer, DestinationKeyId=key)
            == "InvalidKeyUsageException"
        )

    def test_too_long_for_the_destination(self, kms, key, rsa_key):
        """
        What does not fit an RSA destination is refused.
        """
        blob = kms.encrypt(KeyId=key, Plaintext=b"s" * 191)["CiphertextBlob"]

        assert (
            code(
                kms.re_encrypt,
                CiphertextBlob=blob,
                DestinationKeyId=rsa_key(),
                DestinationEncryptionAlgorithm="RSAES_OAEP_SHA_256",
            )
            == "ValidationException"
        )
