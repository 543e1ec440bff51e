"""S3 with SSE-KMS: what it asks of KMS, and what stops working when the key does."""

import pytest

from kms_lab import Lab
from kms_lab.core.errors import AccessDeniedException, DisabledException, InvalidCiphertextException
from kms_lab.integrations.s3 import Bucket


@pytest.fixture
def lab():
    return Lab(seed=3)


@pytest.fixture
def key(lab):
    return lab.client().create_key()["KeyMetadata"]["KeyId"]


def test_one_data_key_for_each_object(lab, key):
    """
    A PUT is one GenerateDataKey and a GET one Decrypt, both with the object's ARN as encryption context.
    """
    bucket = Bucket("invoices", lab.client(), key)
    start = len(lab.world.log)

    bucket.put_object("42.pdf", b"%PDF" * 100_000)
    body = bucket.get_object("42.pdf")

    calls = [lab.world.log.entry(index) for index in range(start, len(lab.world.log))]
    assert body == b"%PDF" * 100_000
    assert [call.operation for call in calls] == ["GenerateDataKey", "Decrypt"]
    assert [call.context for call in calls] == [{"aws:s3:arn": "arn:aws:s3:::invoices/42.pdf"}] * 2


def test_data_key_of_another_object_does_not_open(lab, key):
    """
    A data key moved to another object's place does not decrypt there: the context does not fit.
    """
    bucket = Bucket("invoices", lab.client(), key)
    bucket.put_object("a", b"a")
    bucket.objects["b"] = bucket.objects["a"]

    with pytest.raises(InvalidCiphertextException):
        bucket.get_object("b")


def test_disabled_key_and_reader_without_permission(lab, key):
    """
    Reading an object needs a usable key and the caller's own kms:Decrypt.
    """
    kms = lab.client()
    bucket = Bucket("invoices", kms, key)
    bucket.put_object("a", b"a")
    reader = Bucket("invoices", lab.client(lab.iam.create_role("Reader")), key)
    reader.objects = bucket.objects

    with pytest.raises(AccessDeniedException):
        reader.get_object("a")
    kms.disable_key(KeyId=key)
    with pytest.raises(DisabledException):
        bucket.get_object("a")
