"""Worlds that the tests of views share."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from kms_lab import KMSError, Lab

OTHER = "444455556666"
GUEST_POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}


@pytest.fixture
def lab():
    return Lab(seed=7, start=datetime(2026, 4, 1, tzinfo=UTC))


def _share(kms, key, account=OTHER):
    """Let another account use a key: its half of the bargain."""
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    root = {"AWS": f"arn:aws:iam::{account}:root"}
    policy["Statement"].append({"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"})
    kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))


def _refused(call, **params):
    """Make a call that AWS refuses, and return the error."""
    with pytest.raises(KMSError) as caught:
        call(**params)
    return caught.value


@pytest.fixture(scope="session")
def refused():
    """Make a call that AWS refuses, and get the error."""
    return _refused


@pytest.fixture(scope="session")
def share():
    """Let another account use a key."""
    return _share


@pytest.fixture
def eventful(lab):
    """A world in which every operation of the lab happened, some refused, and KMS did things by itself."""
    kms = lab.client()
    admin = kms
    key = kms.create_key(Description="orders", Tags=[{"TagKey": "team", "TagValue": "blue"}])["KeyMetadata"]["KeyId"]
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    rsa = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
    context = {"Tenant": "a", "purpose": "test"}
    kms.create_alias(AliasName="alias/app", TargetKeyId=key)
    kms.list_aliases()
    kms.list_keys()
    kms.describe_key(KeyId="alias/app")
    blob = kms.encrypt(KeyId="alias/app", Plaintext=b"top secret", EncryptionContext=context)["CiphertextBlob"]
    kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)
    kms.re_encrypt(
        CiphertextBlob=blob,
        SourceEncryptionContext=context,
        DestinationKeyId=other,
        DestinationEncryptionContext={"Level": "3A"},
    )
    sealed = kms.encrypt(KeyId=rsa, Plaintext=b"rsa", EncryptionAlgorithm="RSAES_OAEP_SHA_256")["CiphertextBlob"]
    kms.decrypt(KeyId=rsa, CiphertextBlob=sealed, EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=context)
    kms.generate_data_key_without_plaintext(KeyId=key, NumberOfBytes=24)
    kms.generate_random(NumberOfBytes=16)
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "cost", "TagValue": "42"}])
    kms.list_resource_tags(KeyId=key)
    kms.untag_resource(KeyId=key, TagKeys=["cost"])
    kms.update_key_description(KeyId=key, Description="orders, again")
    kms.put_key_policy(KeyId=key, Policy=kms.get_key_policy(KeyId=key)["Policy"])
    kms.list_key_policies(KeyId=key)
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    kms.get_key_rotation_status(KeyId=key)
    lab.clock.travel(days=200)
    kms.rotate_key_on_demand(KeyId=key)
    kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    kms.disable_key_rotation(KeyId=key)
    kms.disable_key(KeyId=key)
    kms.enable_key(KeyId=key)
    kms.update_alias(AliasName="alias/app", TargetKeyId=other)
    kms.delete_alias(AliasName="alias/app")
    kms.schedule_key_deletion(KeyId=key)
    kms.cancel_key_deletion(KeyId=key)
    _refused(kms.encrypt, KeyId=key, Plaintext=b"top secret")
    stranger = lab.client(lab.iam.create_role("Stranger"))
    _refused(stranger.decrypt, CiphertextBlob=blob, EncryptionContext=context)
    _refused(kms.describe_key, KeyId="alias/nowhere")
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    lab.clock.travel(days=8)

    _share(kms, other)
    guest = lab.client(lab.iam.create_role("Guest", [GUEST_POLICY], account=OTHER))
    arn = lab.key(other).arn
    guest.encrypt(KeyId=arn, Plaintext=b"top secret")
    _refused(guest.encrypt, KeyId=lab.key(rsa).arn, Plaintext=b"top secret")
    return SimpleNamespace(lab=lab, kms=admin, guest=guest, key=key, other=other, rsa=rsa)
