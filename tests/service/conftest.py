"""A lab with some keys in it, one everyday call for each operation, and RSA keys that are made once."""

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import load_der_public_key

from kms_lab import KMSError, Lab
from kms_lab.core import material
from kms_lab.core.material import generate, new_rsa, public_key
from kms_lab.core.names import Principal
from kms_lab.doors.client import Client
from kms_lab.lab import ADMIN, REGION
from kms_lab.service.operation import OPERATIONS, Call
from kms_lab.service.operations.multi_region import CREATING_US
from kms_lab.service.pipeline import handle
from tests.service.homes import Home, connecting_store, hsm_request, new_store

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


def new_family(lab: Lab, *regions: str, **params: object) -> str:
    """Create a multi-Region key with replicas that are ready, and return the primary's ARN. Takes some seconds."""
    kms = lab.client()
    arn = new_key(kms, MultiRegion=True, **params)
    for region in regions:
        kms.replicate_key(KeyId=arn, ReplicaRegion=region)
    lab.clock.travel(seconds=CREATING_US / 1_000_000)
    return arn


#: when imported material shall expire
LATER = datetime(2026, 6, 1, tzinfo=UTC)
#: bytes that somebody made outside KMS, as a symmetric encryption key
MATERIAL = bytes(range(32))


def wrap(public: bytes, algorithm: str, secret: bytes) -> bytes:
    """Wrap key material under a public key (DER SubjectPublicKeyInfo) as its owner would, by AWS's name of the way."""
    key, digest = load_der_public_key(public), hashes.SHA1() if algorithm.endswith("SHA_1") else hashes.SHA256()
    oaep = padding.OAEP(mgf=padding.MGF1(digest), algorithm=digest, label=None)
    if algorithm.startswith("RSAES_OAEP"):
        return key.encrypt(secret, oaep)
    wrapping_key = b"w" * 32
    return key.encrypt(wrapping_key, oaep) + aes_key_wrap_with_padding(wrapping_key, secret)


def import_request(
    kms: Client,
    key: str,
    secret: bytes = MATERIAL,
    algorithm: str = "RSAES_OAEP_SHA_256",
    wrapping_spec: str = "RSA_2048",
    **params: object,
) -> dict[str, object]:
    """Return what ImportKeyMaterial takes to bring a key its material: for ever, unless a ValidTo is given."""
    given = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec=wrapping_spec)
    wrapped = wrap(given["PublicKey"], algorithm, secret)
    request = {"KeyId": key, "ImportToken": given["ImportToken"], "EncryptedKeyMaterial": wrapped, **params}
    return request if "ValidTo" in params else {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE", **request}


def imported_key(kms: Client, secret: bytes = MATERIAL, **params: object) -> str:
    """Create a symmetric key with imported material, and return its ARN."""
    key = new_key(kms, Origin="EXTERNAL")
    kms.import_key_material(**import_request(kms, key, secret, **params))
    return key


@pytest.fixture(scope="session")
def made_rsa():
    """RSA keys made so far in place of new ones, by spec and turn."""
    return {}


@pytest.fixture
def quick_rsa(monkeypatch, made_rsa):
    """Two RSA keys of each size, which take turns whenever KMS makes one: generating takes up to a second."""
    turns = itertools.count()

    def make(spec):
        turn = spec, next(turns) % 2
        if turn not in made_rsa:
            made_rsa[turn] = new_rsa(spec)
        return made_rsa[turn]

    monkeypatch.setattr(material, "new_rsa", make)


def new_grant(kms, key, grantee=ADMIN, operations=("Decrypt",), **params):
    """Create a grant and return what CreateGrant answers."""
    return kms.create_grant(KeyId=key, GranteePrincipal=grantee, Operations=list(operations), **params)


def fill_with_grants(lab: Lab, key: str, total: int) -> None:
    """Give a key as many grants as it takes to have ``total``: copies of one, since making each takes too long."""
    new_grant(lab.client(), key)
    record = lab.key(key)
    model = next(iter(record.grants.values()))
    for number in range(len(record.grants), total):
        record.put_grant(replace(model, id=f"{number:064x}", tokens=()))


def fill_with_keys(lab: Lab, key: str, region: str, total: int) -> None:
    """Give a Region as many keys as it takes to have ``total``: one key under many names, since making each is long."""
    record = lab.key(key)
    shelf = lab.world.shelf(record.account, region).keys
    for number in range(len(shelf), total):
        shelf[f"{number:036}"] = record


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


@pytest.fixture(params=["AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"])
def home(lab, request):
    """A connected key store of each type, with a key."""
    return Home(lab, request.param)


@pytest.fixture
def hsm(lab):
    """A connected CloudHSM key store, with a key."""
    return Home(lab, "AWS_CLOUDHSM")


@pytest.fixture
def xks(lab):
    """A connected external key store, with a key."""
    return Home(lab, "EXTERNAL_KEY_STORE")


@dataclass
class Stage:
    """A key that everything happens to, and what calls on it need."""

    lab: Lab
    kms: Client
    key: str
    other: str
    blob: bytes

    def turn(self, spec: str, usage: str) -> str:
        """Make a key of another kind the one that everything happens to from now on, and return its ARN."""
        self.key = new_key(self.kms, KeySpec=spec, KeyUsage=usage)
        return self.key


def peer_key(spec: str = "ECC_NIST_P256") -> bytes:
    """Return the public key of somebody outside KMS, as DER SubjectPublicKeyInfo."""
    return public_key(generate(spec, random.Random(1).randbytes))


def signed(on: Stage) -> dict[str, object]:
    """Return a message and its signature under a new key, as Verify takes them."""
    params = {"KeyId": on.turn("ECC_NIST_P256", "SIGN_VERIFY"), "Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
    return {**params, "Signature": on.kms.sign(**params)["Signature"]}


def tagged(on: Stage) -> dict[str, object]:
    """Return a message and its MAC under a new key, as VerifyMac takes them."""
    params = {"KeyId": on.turn("HMAC_256", "GENERATE_VERIFY_MAC"), "Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}
    return {**params, "Mac": on.kms.generate_mac(**params)["Mac"]}


def encapsulated(on: Stage) -> dict[str, object]:
    """Return an encapsulated secret under a new key, as Decapsulate takes it."""
    params = {"KeyId": on.turn("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"), "EncapsulationAlgorithm": "ML_KEM"}
    return {**params, "SharedSecretCiphertextBlob": on.kms.encapsulate(**params)["SharedSecretCiphertextBlob"]}


@pytest.fixture
def stage(lab, quick_rsa):
    """A key with an alias, a tag and a ciphertext, and a second key to move to."""
    return new_stage(lab)


def new_stage(lab: Lab) -> Stage:
    """Set up a key that everything can happen to."""
    kms = lab.client()
    key, other = new_key(kms), new_key(kms)
    kms.create_alias(AliasName="alias/key", TargetKeyId=key)
    kms.create_alias(AliasName="alias/other", TargetKeyId=other)
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "team", "TagValue": "blue"}])
    return Stage(lab, kms, key, other, kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"])


#: a call of each operation that succeeds on an enabled key (CancelKeyDeletion: on one pending deletion)
EVERYDAY: dict[str, Callable[[Stage], dict[str, object]]] = {
    "CancelKeyDeletion": lambda on: {"KeyId": on.key},
    "ConnectCustomKeyStore": lambda on: {"CustomKeyStoreId": new_store(on.lab)},
    "CreateAlias": lambda on: {"AliasName": "alias/new", "TargetKeyId": on.key},
    "CreateCustomKeyStore": lambda on: hsm_request(on.lab),
    "CreateGrant": lambda on: {"KeyId": on.key, "GranteePrincipal": ADMIN, "Operations": ["Decrypt"], "Name": "mine"},
    "CreateKey": lambda on: {"Description": "new", "Tags": [{"TagKey": "a", "TagValue": "b"}], "MultiRegion": True},
    "Decapsulate": encapsulated,
    "Decrypt": lambda on: {"CiphertextBlob": on.blob},
    "DeleteAlias": lambda on: {"AliasName": "alias/key"},
    "DeleteCustomKeyStore": lambda on: {"CustomKeyStoreId": new_store(on.lab)},
    "DeleteImportedKeyMaterial": lambda on: {"KeyId": imported_key(on.kms)},
    "DeriveSharedSecret": lambda on: {
        "KeyId": on.turn("ECC_NIST_P256", "KEY_AGREEMENT"),
        "KeyAgreementAlgorithm": "ECDH",
        "PublicKey": peer_key(),
    },
    "DescribeCustomKeyStores": lambda on: {"CustomKeyStoreId": new_store(on.lab)},
    "DescribeKey": lambda on: {"KeyId": on.key},
    "DisableKey": lambda on: {"KeyId": on.key},
    "DisableKeyRotation": lambda on: {"KeyId": on.key},
    "DisconnectCustomKeyStore": lambda on: {"CustomKeyStoreId": connecting_store(on.lab)},
    "EnableKey": lambda on: {"KeyId": on.key},
    "EnableKeyRotation": lambda on: {"KeyId": on.key, "RotationPeriodInDays": 100},
    "Encapsulate": lambda on: {
        "KeyId": on.turn("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"),
        "EncapsulationAlgorithm": "ML_KEM",
    },
    "Encrypt": lambda on: {"KeyId": on.key, "Plaintext": b"secret", "EncryptionContext": {"a": "b"}},
    "GenerateDataKey": lambda on: {"KeyId": on.key, "KeySpec": "AES_256"},
    "GenerateDataKeyPair": lambda on: {"KeyId": on.key, "KeyPairSpec": "ECC_NIST_P256"},
    "GenerateDataKeyPairWithoutPlaintext": lambda on: {"KeyId": on.key, "KeyPairSpec": "ECC_NIST_EDWARDS25519"},
    "GenerateDataKeyWithoutPlaintext": lambda on: {"KeyId": on.key, "NumberOfBytes": 16},
    "GenerateMac": lambda on: {
        "KeyId": on.turn("HMAC_256", "GENERATE_VERIFY_MAC"),
        "Message": b"m",
        "MacAlgorithm": "HMAC_SHA_256",
    },
    "GenerateRandom": lambda on: {"NumberOfBytes": 8},
    "GetKeyLastUsage": lambda on: {"KeyId": on.key},
    "GetKeyPolicy": lambda on: {"KeyId": on.key},
    "GetKeyRotationStatus": lambda on: {"KeyId": on.key},
    "GetParametersForImport": lambda on: {
        "KeyId": imported_key(on.kms),
        "WrappingAlgorithm": "RSAES_OAEP_SHA_256",
        "WrappingKeySpec": "RSA_2048",
    },
    "GetPublicKey": lambda on: {"KeyId": on.turn("ECC_NIST_P256", "SIGN_VERIFY")},
    "ImportKeyMaterial": lambda on: import_request(on.kms, imported_key(on.kms), ValidTo=LATER),
    "ListAliases": lambda on: {"KeyId": on.key},
    "ListGrants": lambda on: {"KeyId": on.key, "Limit": 1, "GranteePrincipal": ADMIN},
    "ListKeyPolicies": lambda on: {"KeyId": on.key},
    "ListKeyRotations": lambda on: {"KeyId": on.key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"},
    "ListKeys": lambda on: {"Limit": 1},
    "ListRetirableGrants": lambda on: {"RetiringPrincipal": ADMIN},
    "ListResourceTags": lambda on: {"KeyId": on.key},
    "PutKeyPolicy": lambda on: {"KeyId": on.key, "Policy": on.kms.get_key_policy(KeyId=on.other)["Policy"]},
    "ReEncrypt": lambda on: {"CiphertextBlob": on.blob, "DestinationKeyId": on.key},
    "ReplicateKey": lambda on: {"KeyId": new_key(on.kms, MultiRegion=True), "ReplicaRegion": "eu-west-1"},
    "RetireGrant": lambda on: {"KeyId": on.key, "GrantId": new_grant(on.kms, on.key)["GrantId"]},
    "RevokeGrant": lambda on: {"KeyId": on.key, "GrantId": new_grant(on.kms, on.key)["GrantId"]},
    "RotateKeyOnDemand": lambda on: {"KeyId": on.key},
    "ScheduleKeyDeletion": lambda on: {"KeyId": on.key, "PendingWindowInDays": 7},
    "Sign": lambda on: {
        "KeyId": on.turn("ECC_NIST_P256", "SIGN_VERIFY"),
        "Message": b"m",
        "SigningAlgorithm": "ECDSA_SHA_256",
    },
    "TagResource": lambda on: {"KeyId": on.key, "Tags": [{"TagKey": "a", "TagValue": ""}]},
    "UntagResource": lambda on: {"KeyId": on.key, "TagKeys": ["team"]},
    "UpdateAlias": lambda on: {"AliasName": "alias/other", "TargetKeyId": on.key},
    "UpdateCustomKeyStore": lambda on: {"CustomKeyStoreId": new_store(on.lab), "NewCustomKeyStoreName": "renamed"},
    "UpdateKeyDescription": lambda on: {"KeyId": on.key, "Description": "changed"},
    "UpdatePrimaryRegion": lambda on: {"KeyId": new_family(on.lab, "eu-west-1"), "PrimaryRegion": "eu-west-1"},
    "Verify": signed,
    "VerifyMac": tagged,
}


def method(kms: Client, operation: str) -> Callable[..., dict[str, object]]:
    """Return a client's method for an operation."""
    return getattr(kms, OPERATIONS[operation].method)
