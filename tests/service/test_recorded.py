"""What AWS really answered, as recorded in public tests and reports: texts and fields, for what the lab has.

Where a recording is older than AWS's model, the model wins.
"""

import pytest

from tests.service.conftest import answer, code, new_key, refusal, sender

ENCRYPT = "ENCRYPT_DECRYPT"


@pytest.fixture
def hmac(kms):
    return new_key(kms, KeySpec="HMAC_224", KeyUsage="GENERATE_VERIFY_MAC")


@pytest.fixture
def signer(kms):
    return new_key(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")


class TestErrors:
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

    def test_rotation_of_an_rsa_key(self, kms, rsa_key):
        """
        On-demand rotation of an RSA key is UnsupportedOperationException, with no text.
        """
        assert answer(kms.rotate_key_on_demand, KeyId=rsa_key()) == ("UnsupportedOperationException", "")

    def test_disabled_comes_before_the_spec(self, kms, rsa_key):
        """
        On-demand rotation of a disabled RSA key says that it is disabled.
        """
        key = rsa_key()
        kms.disable_key(KeyId=key)

        assert answer(kms.rotate_key_on_demand, KeyId=key) == ("DisabledException", f"{key} is disabled.")

    def test_wrong_usage(self, kms, signer):
        """
        A key of another usage: InvalidKeyUsageException with ARN, usage and operation.
        """
        assert answer(kms.encrypt, KeyId=signer, Plaintext=b"x") == (
            "InvalidKeyUsageException",
            f"{signer} key usage is SIGN_VERIFY which is not valid for Encrypt.",
        )

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

    def test_unknown_algorithm(self, kms, key):
        """
        An unknown algorithm is a ValidationException that lists the enum, unquoted.
        """
        name, text = answer(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionAlgorithm="ROT13")

        start, _, values = text.rstrip("]").partition("[")
        assert name == "ValidationException"
        assert start == (
            "1 validation error detected: Value 'ROT13' at 'encryptionAlgorithm' failed to satisfy constraint: "
            "Member must satisfy enum value set: "
        )
        assert set(values.split(", ")) == {"SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"}

    @pytest.mark.parametrize("text", ["mrk-fake", "0123456789abcdef0123456789abcdef", "x"])
    def test_text_that_cannot_be_an_id(self, kms, text):
        """
        A text that cannot be a key id, such as an undashed UUID, is an invalid keyId.
        """
        assert answer(kms.describe_key, KeyId=text) == ("NotFoundException", f"Invalid keyId '{text}'")

    def test_unknown_key(self, lab):
        """
        A key that could be but is not: its would-be ARN, in the caller's Region.
        """
        key_id = "1234abcd-12ab-34cd-56ef-1234567890ab"

        assert answer(lab.client(region="eu-west-1").describe_key, KeyId=key_id) == (
            "NotFoundException",
            f"Key 'arn:aws:kms:eu-west-1:111122223333:key/{key_id}' does not exist",
        )

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

    def test_plaintext_over_the_limit(self, kms, key):
        """
        Over 4,096 bytes: a constraint message on 'plaintext', which does not show the value.
        """
        assert answer(kms.encrypt, KeyId=key, Plaintext=b"s" * 4097) == (
            "ValidationException",
            "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: "
            "Member must have length less than or equal to 4096",
        )

    def test_rsa_limit_names_algorithm_and_spec(self, kms, rsa_key):
        """
        The refusal of too long a plaintext for RSA names the algorithm and the key spec.
        """
        name, text = answer(
            kms.encrypt, KeyId=rsa_key(), Plaintext=b"s" * 191, EncryptionAlgorithm="RSAES_OAEP_SHA_256"
        )

        assert name == "ValidationException"
        assert "RSAES_OAEP_SHA_256" in text
        assert "RSA_2048" in text

    def test_random_without_a_size(self, kms):
        """
        GenerateRandom with no size has a sentence of its own.
        """
        assert answer(kms.generate_random) == ("ValidationException", "NumberOfBytes is required.")

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

    def test_dry_run_that_would_succeed(self, kms, key):
        """
        A DryRun that would succeed is an error that says so.
        """
        assert answer(kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True) == (
            "DryRunOperationException",
            "The request would have succeeded, but the DryRun option is set.",
        )

    @pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_P256", "HMAC_256"])
    def test_usage_must_be_given(self, kms, spec):
        """
        CreateKey without KeyUsage on a spec that is not symmetric is a ValidationException with its own sentence.
        """
        assert answer(kms.create_key, KeySpec=spec) == (
            "ValidationException",
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
        )

    def test_usage_that_does_not_fit_the_spec(self, kms):
        """
        KEY_AGREEMENT with RSA_2048 is not compatible, and AWS says so in these words.
        """
        assert answer(kms.create_key, KeySpec="RSA_2048", KeyUsage="KEY_AGREEMENT") == (
            "ValidationException",
            "KeyUsage KEY_AGREEMENT is not compatible with KeySpec RSA_2048",
        )


class TestTagTexts:
    def test_duplicates(self, kms, key):
        """
        Two tags of one key in a request: "Duplicate tag keys".
        """
        tags = [{"TagKey": "a", "TagValue": "1"}, {"TagKey": "a", "TagValue": "2"}]

        assert answer(kms.tag_resource, KeyId=key, Tags=tags) == ("TagException", "Duplicate tag keys")

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

    @pytest.mark.parametrize("name", ["aws:x", "AWS:x", "Aws:"])
    def test_reserved_prefix(self, kms, key, name):
        """
        Tags that begin with aws:, in any case, are reserved.
        """
        expected = ("TagException", "Tags beginning with aws: are reserved")

        assert answer(kms.tag_resource, KeyId=key, Tags=[{"TagKey": name, "TagValue": ""}]) == expected
        assert answer(kms.create_key, Tags=[{"TagKey": name, "TagValue": ""}]) == expected

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

    def test_sorted(self, kms, key):
        """
        ListResourceTags comes back sorted by key.
        """
        kms.tag_resource(KeyId=key, Tags=[{"TagKey": name, "TagValue": name} for name in "cab"])

        assert [tag["TagKey"] for tag in kms.list_resource_tags(KeyId=key)["Tags"]] == ["a", "b", "c"]


class TestFields:
    def test_current_material_of_symmetric_keys_only(self, kms, key, hmac, signer):
        """
        CurrentKeyMaterialId appears for symmetric keys with material, not for HMAC, asymmetric or EXTERNAL keys.
        """
        external = new_key(kms, Origin="EXTERNAL")

        def shown(name):
            return "CurrentKeyMaterialId" in kms.describe_key(KeyId=name)["KeyMetadata"]

        assert [shown(one) for one in (key, hmac, signer, external)] == [True, False, False, False]

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

    def test_on_demand_does_not_move_the_schedule(self, lab, kms, key):
        """
        On-demand rotation leaves NextRotationDate where it was.
        """
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=730)
        before = kms.get_key_rotation_status(KeyId=key)["NextRotationDate"]
        lab.clock.travel(days=300)

        kms.rotate_key_on_demand(KeyId=key)

        assert kms.get_key_rotation_status(KeyId=key)["NextRotationDate"] == before

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

    def test_external_key_without_new_material(self, lab, kms, key):
        """
        An EXTERNAL key with nothing pending does not rotate. (No import exists yet: the test writes the origin.)
        """
        lab.key(key).origin = "EXTERNAL"

        assert answer(kms.rotate_key_on_demand, KeyId=key) == (
            "KMSInvalidStateException",
            f"No available key material pending rotation for the key: {key}.",
        )

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


READ_ONLY = (
    '{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:Describe*","Resource":"*"}'
)
