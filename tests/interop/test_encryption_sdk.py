"""The AWS Encryption SDK for Python, as AWS publishes it, on real files through the lab's boto3 door."""

import aws_encryption_sdk
import pytest
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import (
    CreateAwsKmsDiscoveryKeyringInput,
    CreateAwsKmsKeyringInput,
    CreateAwsKmsMrkDiscoveryKeyringInput,
    CreateAwsKmsMrkKeyringInput,
    CreateAwsKmsMrkMultiKeyringInput,
    CreateAwsKmsMultiKeyringInput,
    CreateAwsKmsRsaKeyringInput,
    DiscoveryFilter,
)
from aws_encryption_sdk import CommitmentPolicy, EncryptionSDKClient, StrictAwsKmsMasterKeyProvider
from aws_encryption_sdk.caches.local import LocalCryptoMaterialsCache
from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError
from aws_encryption_sdk.materials_managers.caching import CachingCryptoMaterialsManager
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from kms_lab import Lab
from tests.service.conftest import new_family, new_key

pytestmark = pytest.mark.usefixtures("no_network")

CONTEXT = {"purpose": "backup", "tenant": "42"}
CONTENT = bytes(range(256)) * 1200
ESDK = EncryptionSDKClient()
MPL = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())


@pytest.fixture
def lab():
    return Lab(seed=7)


@pytest.fixture
def file(tmp_path):
    """A file of 300 KiB."""
    path = tmp_path / "backup.bin"
    path.write_bytes(CONTENT)
    return path


def encrypt(file, **keys):
    """Encrypt a file next to itself, frame by frame, and return the new one."""
    sealed = file.with_suffix(".sealed")
    with (
        file.open("rb") as plain,
        sealed.open("wb") as out,
        ESDK.stream(mode="e", source=plain, encryption_context=CONTEXT, **keys) as stream,
    ):
        for piece in stream:
            out.write(piece)
    return sealed


def decrypt(sealed, context=None, **keys):
    """Decrypt a file, and return its content and the header."""
    with sealed.open("rb") as source, ESDK.stream(mode="d", source=source, **keys, **context_of(context)) as stream:
        return b"".join(stream), stream.header


def context_of(context):
    return {} if context is None else {"encryption_context": context}


def keyring(client, key):
    return MPL.create_aws_kms_keyring(CreateAwsKmsKeyringInput(kms_key_id=key, kms_client=client))


def called(lab, since=0):
    """The operations in the log."""
    return [event["eventName"] for event in lab.events()[since:]]


def allowing(key, *actions):
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": key}]}


class TestOneKey:
    def test_keyring(self, lab, file):
        """
        A file sealed with a KMS keyring opens with it, under the default commitment policy and with key commitment.
        """
        key = new_key(lab.client())
        ring = keyring(lab.boto3_client(), key)

        sealed = encrypt(file, keyring=ring)
        content, header = decrypt(sealed, CONTEXT, keyring=ring)

        assert content == CONTENT
        assert CONTENT[:64] not in sealed.read_bytes()
        assert ESDK.config.commitment_policy is CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT
        assert header.algorithm.is_committing()
        assert called(lab) == ["CreateKey", "GenerateDataKey", "Decrypt"]

    def test_what_the_trail_shows(self, lab, file):
        """
        The trail shows the SDK's context, to which it has added the public key that signs the message.
        """
        key = new_key(lab.client())
        ring = keyring(lab.boto3_client(), key)

        decrypt(encrypt(file, keyring=ring), keyring=ring)

        for event in lab.events()[1:]:
            context = event["requestParameters"]["encryptionContext"]
            assert {name: context[name] for name in CONTEXT} == CONTEXT
            assert context.keys() - CONTEXT.keys() == {"aws-crypto-public-key"}

    def test_master_key_provider(self, lab, file):
        """
        The older master key providers work in a block, where they make clients of their own.
        """
        key = new_key(lab.client())
        with lab.boto3():
            sealed = encrypt(file, key_provider=StrictAwsKmsMasterKeyProvider(key_ids=[key]))
            content, _ = decrypt(sealed, key_provider=StrictAwsKmsMasterKeyProvider(key_ids=[key]))

        assert content == CONTENT
        assert called(lab)[1:] == ["GenerateDataKey", "Decrypt"]

    def test_old_and_new_agree(self, lab, file):
        """
        What a master key provider sealed, a keyring opens.
        """
        key = new_key(lab.client())
        with lab.boto3():
            sealed = encrypt(file, key_provider=StrictAwsKmsMasterKeyProvider(key_ids=[key]))

        assert decrypt(sealed, keyring=keyring(lab.boto3_client(), key))[0] == CONTENT

    def test_wrong_context(self, lab, file):
        """
        A file does not open for somebody who expects another context.
        """
        ring = keyring(lab.boto3_client(), new_key(lab.client()))
        sealed = encrypt(file, keyring=ring)

        with pytest.raises(AWSEncryptionSDKClientError):
            decrypt(sealed, {**CONTEXT, "tenant": "43"}, keyring=ring)

    def test_forged_context(self, lab, file):
        """
        A file whose context was changed does not open: KMS refuses the data key.
        """
        ring = keyring(lab.boto3_client(), new_key(lab.client()))
        sealed = encrypt(file, keyring=ring)
        sealed.write_bytes(sealed.read_bytes().replace(b"\x00\x0242", b"\x00\x0243", 1))

        with pytest.raises(AWSEncryptionSDKClientError):
            decrypt(sealed, keyring=ring)
        assert lab.events()[-1]["errorCode"] == "InvalidCiphertextException"
        assert lab.events()[-1]["requestParameters"]["encryptionContext"]["tenant"] == "43"

    def test_changed_content(self, lab, file):
        """
        A file of which a bit was changed does not open.
        """
        ring = keyring(lab.boto3_client(), new_key(lab.client()))
        sealed = encrypt(file, keyring=ring)
        content = bytearray(sealed.read_bytes())
        content[100_000] ^= 1
        sealed.write_bytes(content)

        with pytest.raises(InvalidTag):
            decrypt(sealed, keyring=ring)

    def test_permissions(self, lab, file):
        """
        Who may not decrypt with the key cannot open the file; who may, can.
        """
        key = new_key(lab.client())
        sealed = encrypt(file, keyring=keyring(lab.boto3_client(), key))
        reader, stranger = (
            lab.iam.create_role("Reader", [allowing(key, "kms:Decrypt")]),
            lab.iam.create_role("Stranger"),
        )

        assert decrypt(sealed, keyring=keyring(lab.boto3_client(reader), key))[0] == CONTENT
        with pytest.raises(AWSEncryptionSDKClientError):
            decrypt(sealed, keyring=keyring(lab.boto3_client(stranger), key))
        assert lab.events()[-1]["errorCode"] == "AccessDenied"

    def test_after_rotation(self, lab, file):
        """
        A file that was sealed before the key rotated opens after it.
        """
        kms = lab.client()
        key = new_key(kms)
        ring = keyring(lab.boto3_client(), key)
        sealed = encrypt(file, keyring=ring)
        kms.enable_key_rotation(KeyId=key)

        lab.clock.travel(days=800)

        assert decrypt(sealed, keyring=ring)[0] == CONTENT

    def test_discovery(self, lab, file):
        """
        A discovery keyring asks KMS which key it was, in the accounts that it is told to trust.
        """
        sealed = encrypt(file, keyring=keyring(lab.boto3_client(), new_key(lab.client())))

        def opened(account):
            trusted = DiscoveryFilter(account_ids=[account], partition="aws")
            ring = CreateAwsKmsDiscoveryKeyringInput(kms_client=lab.boto3_client(), discovery_filter=trusted)
            return decrypt(sealed, keyring=MPL.create_aws_kms_discovery_keyring(ring))[0]

        assert opened("111122223333") == CONTENT
        with pytest.raises(AWSEncryptionSDKClientError):
            opened("444455556666")

    def test_rsa(self, lab, file):
        """
        With an RSA key, whoever has the public key seals, and KMS is only asked to open.
        """
        kms = lab.client()
        key = new_key(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
        der = kms.get_public_key(KeyId=key)["PublicKey"]
        ring = MPL.create_aws_kms_rsa_keyring(
            CreateAwsKmsRsaKeyringInput(
                public_key=pem(der),
                kms_key_id=key,
                encryption_algorithm="RSAES_OAEP_SHA_256",
                kms_client=lab.boto3_client(),
            )
        )
        unsigned = aws_encryption_sdk.Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY

        sealed = encrypt(file, keyring=ring, algorithm=unsigned)
        before = len(lab.world.log)

        assert decrypt(sealed, keyring=ring)[0] == CONTENT
        assert called(lab)[2:before] == []
        assert called(lab, before) == ["Decrypt"]


def pem(der):
    return load_der_public_key(der).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class TestSeveralKeys:
    def ring(self, keys):
        return MPL.create_aws_kms_multi_keyring(CreateAwsKmsMultiKeyringInput(generator=keys[0], kms_key_ids=keys[1:]))

    def test_any_of_them_opens(self, lab, file):
        """
        A file sealed under three keys, in two Regions, opens with each of them alone.
        """
        keys = [new_key(lab.client()), new_key(lab.client()), new_key(lab.client(region="eu-west-1"))]
        with lab.boto3():
            sealed = encrypt(file, keyring=self.ring(keys))
        assert called(lab)[3:] == ["GenerateDataKey", "Encrypt", "Encrypt"]

        for key in keys:
            client = lab.boto3_client(region=key.split(":")[3])
            assert decrypt(sealed, keyring=keyring(client, key))[0] == CONTENT

    def test_one_is_gone(self, lab, file):
        """
        The file still opens when one of the keys has been deleted for good.
        """
        kms = lab.client()
        keys = [new_key(kms), new_key(kms)]
        with lab.boto3():
            sealed = encrypt(file, keyring=self.ring(keys))
            kms.schedule_key_deletion(KeyId=keys[0], PendingWindowInDays=7)
            lab.clock.travel(days=8)

            assert decrypt(sealed, keyring=self.ring(keys))[0] == CONTENT
        assert lab.events()[-2]["errorCode"] == "NotFoundException"

    def test_a_key_of_its_own(self, lab, file):
        """
        A key that the file was not sealed under does not open it, and KMS is not even asked.
        """
        kms = lab.client()
        sealed = encrypt(file, keyring=keyring(lab.boto3_client(), new_key(kms)))
        other = new_key(kms)
        before = len(lab.world.log)

        with pytest.raises(AWSEncryptionSDKClientError):
            decrypt(sealed, keyring=keyring(lab.boto3_client(), other))
        assert called(lab, before) == []

    def test_master_key_providers(self, lab, file):
        """
        The older providers seal under several keys, too.
        """
        kms = lab.client()
        keys = [new_key(kms), new_key(kms)]
        with lab.boto3():
            sealed = encrypt(file, key_provider=StrictAwsKmsMasterKeyProvider(key_ids=keys))
            for key in keys:
                assert decrypt(sealed, key_provider=StrictAwsKmsMasterKeyProvider(key_ids=[key]))[0] == CONTENT


class TestMultiRegionKeys:
    def test_the_replica_opens(self, lab, file):
        """
        A file sealed with the primary in one Region opens with the replica in another, which alone is asked.
        """
        primary = new_family(lab, "eu-west-1")
        replica = primary.replace("us-east-1", "eu-west-1")

        def ring(key):
            client = lab.boto3_client(region=key.split(":")[3])
            return MPL.create_aws_kms_mrk_keyring(CreateAwsKmsMrkKeyringInput(kms_key_id=key, kms_client=client))

        sealed = encrypt(file, keyring=ring(primary))
        before = len(lab.world.log)

        assert decrypt(sealed, keyring=ring(replica))[0] == CONTENT
        assert [(event["eventName"], event["awsRegion"]) for event in lab.events()[before:]] == [
            ("Decrypt", "eu-west-1")
        ]

    def test_multi_keyring(self, lab, file):
        """
        A multi-Region multi-keyring makes clients for the Regions of its keys, and opens where one of them can.
        """
        primary = new_family(lab, "eu-west-1", "ap-south-1")
        single = new_key(lab.client(region="eu-central-1"))

        def ring(generator, *others):
            return MPL.create_aws_kms_mrk_multi_keyring(
                CreateAwsKmsMrkMultiKeyringInput(generator=generator, kms_key_ids=list(others))
            )

        with lab.boto3():
            sealed = encrypt(file, keyring=ring(primary, single))
            assert decrypt(sealed, keyring=ring(primary.replace("us-east-1", "ap-south-1")))[0] == CONTENT
            assert decrypt(sealed, keyring=ring(single))[0] == CONTENT

    def test_discovery_at_home(self, lab, file):
        """
        A multi-Region discovery keyring finds the related key of its own Region.
        """
        primary = new_family(lab, "eu-west-1")
        sealed = encrypt(file, keyring=keyring(lab.boto3_client(), primary))
        ring = MPL.create_aws_kms_mrk_discovery_keyring(
            CreateAwsKmsMrkDiscoveryKeyringInput(kms_client=lab.boto3_client(region="eu-west-1"), region="eu-west-1")
        )

        assert decrypt(sealed, keyring=ring)[0] == CONTENT

    def test_no_replica_there(self, lab, file):
        """
        Where the family has no replica, the file does not open.
        """
        primary = new_family(lab, "eu-west-1")
        elsewhere = primary.replace("us-east-1", "sa-east-1")
        sealed = encrypt(file, keyring=keyring(lab.boto3_client(), primary))
        ring = MPL.create_aws_kms_mrk_keyring(
            CreateAwsKmsMrkKeyringInput(kms_key_id=elsewhere, kms_client=lab.boto3_client(region="sa-east-1"))
        )

        with pytest.raises(AWSEncryptionSDKClientError):
            decrypt(sealed, keyring=ring)
        assert lab.events()[-1]["errorCode"] == "NotFoundException"


class TestCaching:
    def test_fewer_calls(self, lab, file):
        """
        With a cache, ten files of one context cost two data keys of five messages each, and all of them open.
        """
        key = new_key(lab.client())
        with lab.boto3():
            manager = CachingCryptoMaterialsManager(
                master_key_provider=StrictAwsKmsMasterKeyProvider(key_ids=[key]),
                cache=LocalCryptoMaterialsCache(capacity=10),
                max_age=600.0,
                max_messages_encrypted=5,
            )
            sealed = []
            for number in range(10):
                one = file.with_name(f"{number}.bin")
                one.write_bytes(CONTENT[: 1000 * number])
                sealed.append(encrypt(one, materials_manager=manager))
            assert called(lab) == ["CreateKey", "GenerateDataKey", "GenerateDataKey"]

            for number, one in enumerate(sealed):
                assert decrypt(one, materials_manager=manager)[0] == CONTENT[: 1000 * number]
            assert called(lab).count("Decrypt") == 2

    def test_other_context(self, lab, file):
        """
        A cached data key serves its own context only.
        """
        key = new_key(lab.client())
        with lab.boto3():
            manager = CachingCryptoMaterialsManager(
                master_key_provider=StrictAwsKmsMasterKeyProvider(key_ids=[key]),
                cache=LocalCryptoMaterialsCache(capacity=10),
                max_age=600.0,
            )
            for tenant in ("1", "2", "1"):
                ESDK.encrypt(source=b"x", materials_manager=manager, encryption_context={"tenant": tenant})

        assert called(lab).count("GenerateDataKey") == 2
