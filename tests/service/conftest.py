"""A lab with some keys in it, one everyday call for each operation, and RSA keys that are made once."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from kms_lab import KMSError, Lab
from kms_lab.core.material import new_rsa
from kms_lab.core.names import Principal
from kms_lab.doors.client import Client
from kms_lab.lab import ADMIN, REGION
from kms_lab.service.operation import OPERATIONS, Call
from kms_lab.service.pipeline import handle

#: what any operation may answer though AWS's model lists it for none
COMMON = {
    "AccessDeniedException",
    "NotAuthorizedException",
    "ThrottlingException",
    "UnsupportedByLab",
    "ValidationException",
}


@pytest.fixture
def lab():
    """A reproducible lab."""
    return Lab(seed=7)


@pytest.fixture
def kms(lab):
    """An administrator's client in us-east-1."""
    return lab.client()


@pytest.fixture
def key(kms):
    """The ARN of a symmetric encryption key."""
    return new_key(kms)


@pytest.fixture(scope="session")
def rsa_secrets():
    """One private key for each RSA spec, made once for all tests: generating takes up to a second."""
    return {spec: new_rsa(spec) for spec in ("RSA_2048", "RSA_3072", "RSA_4096")}


@pytest.fixture
def rsa_key(lab, kms, rsa_secrets):
    """A function that creates an RSA key, and gives it the shared private key, so that none is generated."""

    def make(spec="RSA_2048", usage="ENCRYPT_DECRYPT"):
        arn = new_key(kms, KeySpec=spec, KeyUsage=usage)
        lab.key(arn).materials[0].secret = rsa_secrets[spec]
        return arn

    return make


def new_key(kms, **params):
    """Create a key and return its ARN."""
    return kms.create_key(**params)["KeyMetadata"]["Arn"]


def refusal(call: Callable[..., object], **params: object) -> KMSError:
    """Return the error with which a call is refused."""
    with pytest.raises(KMSError) as refused:
        call(**params)
    return refused.value


def answer(call: Callable[..., object], **params: object) -> tuple[str, str]:
    """Return a refused call's code and message."""
    error = refusal(call, **params)
    return error.code, error.message


def code(call: Callable[..., object], **params: object) -> str | None:
    """Return a refused call's code; None for one that succeeds."""
    try:
        call(**params)
    except KMSError as error:
        return error.code
    return None


def sender(lab: Lab, operation: str, principal: str = ADMIN, region: str = REGION) -> Callable[..., object]:
    """Return a function that sends an operation straight to the service, with no SDK to hold it back."""

    def send(**params: object) -> object:
        return handle(Call(OPERATIONS[operation], lab.world, Principal.parse(principal), region, params))

    return send


@dataclass
class Stage:
    """A key that everything happens to, and what calls on it need."""

    lab: Lab
    kms: Client
    key: str
    other: str
    blob: bytes


@pytest.fixture
def stage(lab, kms, key):
    """A key with an alias, a tag and a ciphertext, and a second key to move to."""
    other = new_key(kms)
    kms.create_alias(AliasName="alias/key", TargetKeyId=key)
    kms.create_alias(AliasName="alias/other", TargetKeyId=other)
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "team", "TagValue": "blue"}])
    return Stage(lab, kms, key, other, kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"])


#: a call of each operation that succeeds on an enabled key (CancelKeyDeletion: on one pending deletion)
EVERYDAY: dict[str, Callable[[Stage], dict[str, object]]] = {
    "CancelKeyDeletion": lambda on: {"KeyId": on.key},
    "CreateAlias": lambda on: {"AliasName": "alias/new", "TargetKeyId": on.key},
    "CreateKey": lambda on: {"Description": "new", "Tags": [{"TagKey": "a", "TagValue": "b"}], "MultiRegion": True},
    "Decrypt": lambda on: {"CiphertextBlob": on.blob},
    "DeleteAlias": lambda on: {"AliasName": "alias/key"},
    "DescribeKey": lambda on: {"KeyId": on.key},
    "DisableKey": lambda on: {"KeyId": on.key},
    "DisableKeyRotation": lambda on: {"KeyId": on.key},
    "EnableKey": lambda on: {"KeyId": on.key},
    "EnableKeyRotation": lambda on: {"KeyId": on.key, "RotationPeriodInDays": 100},
    "Encrypt": lambda on: {"KeyId": on.key, "Plaintext": b"secret", "EncryptionContext": {"a": "b"}},
    "GenerateDataKey": lambda on: {"KeyId": on.key, "KeySpec": "AES_256"},
    "GenerateDataKeyWithoutPlaintext": lambda on: {"KeyId": on.key, "NumberOfBytes": 16},
    "GenerateRandom": lambda on: {"NumberOfBytes": 8},
    "GetKeyPolicy": lambda on: {"KeyId": on.key},
    "GetKeyRotationStatus": lambda on: {"KeyId": on.key},
    "ListAliases": lambda on: {"KeyId": on.key},
    "ListKeyPolicies": lambda on: {"KeyId": on.key},
    "ListKeyRotations": lambda on: {"KeyId": on.key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"},
    "ListKeys": lambda on: {"Limit": 1},
    "ListResourceTags": lambda on: {"KeyId": on.key},
    "PutKeyPolicy": lambda on: {"KeyId": on.key, "Policy": on.kms.get_key_policy(KeyId=on.other)["Policy"]},
    "ReEncrypt": lambda on: {"CiphertextBlob": on.blob, "DestinationKeyId": on.key},
    "RotateKeyOnDemand": lambda on: {"KeyId": on.key},
    "ScheduleKeyDeletion": lambda on: {"KeyId": on.key, "PendingWindowInDays": 7},
    "TagResource": lambda on: {"KeyId": on.key, "Tags": [{"TagKey": "a", "TagValue": ""}]},
    "UntagResource": lambda on: {"KeyId": on.key, "TagKeys": ["team"]},
    "UpdateAlias": lambda on: {"AliasName": "alias/other", "TargetKeyId": on.key},
    "UpdateKeyDescription": lambda on: {"KeyId": on.key, "Description": "changed"},
}


def method(kms: Client, operation: str) -> Callable[..., dict[str, object]]:
    """Return a client's method for an operation."""
    return getattr(kms, OPERATIONS[operation].method)
