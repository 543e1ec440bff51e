"""AWS's whole model of KMS, as boto3 carries it: every operation, member, error and enum value is shown at work, or a
reason says why not.

``script`` plays everything once and takes down what it sees. A reason is a sentence in a table below; one that is no
longer needed, because what it excuses has been seen, fails as well.
"""

import inspect
from collections.abc import Iterator

import pytest
from botocore.model import Shape

from kms_lab.core import material
from kms_lab.service.operation import OPERATIONS
from tests.service.conftest import COMMON
from tests.service.script import MODEL, Seen, play

NAMES = sorted(MODEL.operation_names)

_IN_AWS = "a fault of AWS's own, which the lab does not have"
_ALIASES = "recorded: what is neither an id nor an ARN is NotFoundException, and an alias is welcome here"
_STATES = "AWS's key-state table has no state in which the operation gives it"
#: for a whole error: the sentence, and the operations that give it nevertheless
NEVER: dict[str, tuple[str, tuple[str, ...]]] = {
    "KMSInternalException": (_IN_AWS, ()),
    "DependencyTimeoutException": (_IN_AWS + ", but a CloudHSM cluster can be out of reach", ("GenerateRandom",)),
    "KeyUnavailableException": (
        "AWS's guide gives KMSInvalidStateException for whatever is wrong behind a custom key store",
        (),
    ),
}
ERROR_REASONS: dict[tuple[str, str], str] = {
    ("CreateKey", "InvalidArnException"): "recorded: an unknown principal in a policy is MalformedPolicyDocument",
    ("DeleteAlias", "KMSInvalidStateException"): _STATES,
    ("DescribeKey", "InvalidArnException"): _ALIASES,
    ("EnableKey", "LimitExceededException"): "a disabled key counts as much as an enabled one",
    ("GetKeyPolicy", "KMSInvalidStateException"): _STATES,
    ("GetKeyRotationStatus", "KMSInvalidStateException"): _STATES + "; PendingImport is UnsupportedOperationException",
    ("GetPublicKey", "DisabledException"): _STATES + " but where recordings show KMSInvalidStateException",
    ("GetPublicKey", "InvalidArnException"): _ALIASES,
    ("GetPublicKey", "InvalidKeyUsageException"): "a key pair of any usage has a public key",
    ("ListGrants", "KMSInvalidStateException"): _STATES,
    ("ListKeyPolicies", "KMSInvalidStateException"): _STATES,
    ("ListKeyRotations", "KMSInvalidStateException"): _STATES,
    ("ListRetirableGrants", "NotFoundException"): "no key, grant or policy is named that could be missing",
    ("PutKeyPolicy", "KMSInvalidStateException"): _STATES,
    ("PutKeyPolicy", "UnsupportedOperationException"): "every kind of key has a key policy",
    ("RetireGrant", "KMSInvalidStateException"): _STATES,
    ("RevokeGrant", "KMSInvalidStateException"): _STATES,
    ("TagResource", "LimitExceededException"): "recorded: the 51st tag is TagException",
    ("UntagResource", "TagException"): "no tag that may not be is there, and removing what is not there is no error",
}

_ENCLAVE = "the lab has no Nitro enclaves, and says UnsupportedByLab to a Recipient"
_ONE_POLICY = "a key has one policy, which is one page"
_ENCLAVES = ("Decrypt", "DeriveSharedSecret", "GenerateDataKey", "GenerateDataKeyPair", "GenerateRandom")
INPUT_REASONS: dict[tuple[str, str], str] = {
    **{(operation, "Recipient"): _ENCLAVE for operation in _ENCLAVES},
    ("RecipientInfo", "AttestationDocument"): _ENCLAVE,
    ("RecipientInfo", "KeyEncryptionAlgorithm"): _ENCLAVE,
    ("ListKeyPolicies", "Marker"): _ONE_POLICY,
}
OUTPUT_REASONS: dict[tuple[str, str], str] = {
    **{(operation, "CiphertextForRecipient"): _ENCLAVE for operation in _ENCLAVES},
    ("ListKeyPolicies", "NextMarker"): _ONE_POLICY,
    ("GetKeyRotationStatus", "OnDemandRotationStartDate"): "an on-demand rotation is done when the call returns",
}
#: why a value is never accepted, or never answered: by enum and value
ENUM_REASONS: dict[tuple[str, str], str] = {
    **dict.fromkeys(
        [
            ("AlgorithmSpec", "SM2PKE"),
            ("CustomerMasterKeySpec", "SM2"),
            ("DataKeyPairSpec", "SM2"),
            ("EncryptionAlgorithmSpec", "SM2PKE"),
            ("KeySpec", "SM2"),
            ("SigningAlgorithmSpec", "SM2DSA"),
            ("WrappingKeySpec", "SM2"),
        ],
        "SM2 is for China Regions only, and no library of the lab has it",
    ),
    ("AlgorithmSpec", "RSAES_PKCS1_V1_5"): "AWS has taken it for no key since 2023",
    ("DataKeyPairSpec", "ML_KEM_512"): "no library of the lab has this parameter set",
    ("KeySpec", "ML_KEM_512"): "no library of the lab has this parameter set",
    ("KeyEncryptionMechanism", "RSAES_OAEP_SHA_256"): _ENCLAVE,
    ("ResourceOwnerType", "OTHER_ACCOUNTS_VIA_RAM"): "the lab shares no keys through AWS RAM: UnsupportedByLab",
}


@pytest.fixture(scope="module")
def seen(rsa_secrets) -> Seen:
    """What was seen after every scene was played, with one RSA key of each size. Takes some seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(material, "new_rsa", rsa_secrets.__getitem__)
        return play()


def members(shape: Shape | None, owner: str) -> Iterator[tuple[str, str, Shape]]:
    """Yield every member of a structure and of the structures in it: the structure, the member, the member's shape."""
    if shape is not None and shape.type_name == "structure":
        for name, inner in shape.members.items():
            yield owner, name, inner
            yield from members(inner, inner.name)
    elif shape is not None and shape.type_name == "list":
        yield from members(shape.member, shape.member.name)


def enums(shape: Shape | None, name: str) -> Iterator[tuple[str, str, str]]:
    """Yield every enum value in a structure: member, enum, value."""
    for _, member, inner in members(shape, name):
        leaf = inner.member if inner.type_name == "list" else inner
        for value in getattr(leaf, "enum", None) or ():
            yield member, leaf.name, value


def unexplained(all_of_them: set, seen: set, reasons: dict) -> tuple[set, set]:
    """What was neither seen nor explained, and what was explained though it was seen or is not AWS's."""
    return all_of_them - seen - reasons.keys(), reasons.keys() - (all_of_them - seen)


NOTHING: tuple[set, set] = (set(), set())


def listed(operation: str) -> set[str]:
    return {shape.name for shape in MODEL.operation_model(operation).error_shapes}


def test_every_operation_has_a_row():
    """
    The lab has AWS's 56 operations, no more and no fewer.
    """
    assert sorted(OPERATIONS) == NAMES
    assert len(NAMES) == 56


@pytest.mark.parametrize("operation", NAMES)
def test_every_input_member_is_taken(operation):
    """
    An operation's handler has a parameter for each of AWS's members, so that none is refused as newer than the lab.
    """
    shape = MODEL.operation_model(operation).input_shape

    assert inspect.signature(OPERATIONS[operation].handler).parameters.keys() == {"call", *shape.members}


def test_every_input_member_is_used(seen):
    """
    Each member of each request, nested ones too, is in some call that succeeds, or a reason says why not.
    """
    wanted = {
        (owner, member)
        for operation in NAMES
        for owner, member, _ in members(MODEL.operation_model(operation).input_shape, operation)
    }

    assert unexplained(wanted, seen.inputs, INPUT_REASONS) == NOTHING


def test_every_output_member_is_answered(seen):
    """
    Each member of each answer, nested ones too, is in some answer, or a reason says why not.
    """
    wanted = {
        (owner, member)
        for operation in NAMES
        for owner, member, _ in members(MODEL.operation_model(operation).output_shape, operation)
    }

    assert unexplained(wanted, seen.outputs, OUTPUT_REASONS) == NOTHING


def test_every_error_is_raised(seen):
    """
    Each error that AWS lists for an operation is raised by a call of it, or a reason says why not.
    """
    wanted = {(operation, error) for operation in NAMES for error in listed(operation)}
    never = {
        (operation, error): sentence
        for error, (sentence, but) in NEVER.items()
        for operation in NAMES
        if error in listed(operation) and operation not in but
    }

    assert len(wanted) > 400
    assert never.keys().isdisjoint(ERROR_REASONS)
    assert unexplained(wanted, seen.errors, {**never, **ERROR_REASONS}) == NOTHING


def test_no_other_error_is_raised(seen):
    """
    Of all these calls none raises an error that AWS lists neither for the operation nor for all.
    """
    assert {(operation, error) for operation, error in seen.errors if error not in listed(operation) | COMMON} == set()


def test_every_enum_value_is_accepted(seen):
    """
    Each value of each enum in a request is in some call of the operation that succeeds, or a reason says why not.
    """
    wanted = {
        (operation, *one)
        for operation in NAMES
        for one in enums(MODEL.operation_model(operation).input_shape, operation)
    }
    missing = {one for one in wanted if (one[0], one[1], one[3]) not in seen.asked}
    accepted = {one[2:] for one in wanted - missing}

    assert {one for one in missing if one[2:] not in ENUM_REASONS} == set()
    assert accepted.isdisjoint(ENUM_REASONS)


def test_every_enum_value_is_answered(seen):
    """
    Each value of each enum in an answer is in some answer, or a reason says why not.
    """
    wanted = {one[1:] for operation in NAMES for one in enums(MODEL.operation_model(operation).output_shape, operation)}

    assert wanted - seen.answered - ENUM_REASONS.keys() == set()
    assert seen.answered.isdisjoint(ENUM_REASONS)


def test_reasons_are_of_the_model():
    """
    Every enum value that has a reason is in AWS's model, and every reason is a sentence of some length.
    """
    tables = (ERROR_REASONS, INPUT_REASONS, OUTPUT_REASONS, ENUM_REASONS)
    sentences = [reason for table in tables for reason in table.values()] + [one for one, _ in NEVER.values()]

    assert all(value in MODEL.shape_for(enum).enum for enum, value in ENUM_REASONS)
    assert min(map(len, sentences)) > 20
