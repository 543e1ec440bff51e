"""The declarative rows against AWS's own model and documentation, as botocore carries them."""

import html
import inspect
import re
from datetime import datetime

import botocore
import botocore.session
import pytest

from kms_lab.core import errors
from kms_lab.core.errors import KMSError
from kms_lab.policy.evaluate import CROSS_ACCOUNT_ACTIONS
from kms_lab.service import gates, resolve, states
from kms_lab.service.operation import KEY_ONLY, KEY_OR_ALIAS, NO_KEY, OPERATIONS, operation
from tests.service.conftest import COMMON, EVERYDAY, method, new_key

MODEL = botocore.session.get_session().get_service_model("kms")
RAW = botocore.session.get_session().get_component("data_loader").load_service_model("kms", "service-2")
ROWS = sorted(OPERATIONS)

every_operation = pytest.mark.parametrize("name", ROWS)


def text(name: str) -> str:
    """AWS's documentation of an operation, without its markup."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", MODEL.operation_model(name).documentation)))


def about(name: str, title: str) -> str:
    """What AWS says after one of its headings."""
    found = re.search(rf"{title}\s*:?\s*(.+?)(?: Related operations| Eventual consistency|$)", text(name))
    assert found, f"{name} says nothing about {title}"
    return found[1]


def members(shape) -> set[str]:
    return set(shape.members) if shape is not None else set()


class TestRow:
    @every_operation
    def test_handler_takes_every_member(self, name):
        """
        A handler takes every member of AWS's request, by AWS's name, and no other.
        """
        parameters = inspect.signature(OPERATIONS[name].handler).parameters

        assert parameters.keys() - {"call"} == members(MODEL.operation_model(name).input_shape)
        assert all(one.kind is one.KEYWORD_ONLY for one in parameters.values() if one.name != "call")

    @every_operation
    def test_required_members(self, name):
        """
        What AWS requires has no default; everything else has, but the ciphertext that AWS's text requires.
        """
        parameters = inspect.signature(OPERATIONS[name].handler).parameters.values()
        needed = {one.name for one in parameters if one.default is one.empty} - {"call"}
        required = set(getattr(MODEL.operation_model(name).input_shape, "required_members", ()))

        assert needed - required <= {"CiphertextBlob"}
        assert required <= needed

    @every_operation
    def test_boto3_name(self, name):
        """
        A handler is called what boto3 calls the operation.
        """
        assert OPERATIONS[name].method == botocore.xform_name(name)

    @every_operation
    def test_cross_account_use(self, name):
        """
        An operation works across accounts exactly if AWS's documentation says so, and the evaluator knows it.
        """
        row = OPERATIONS[name]
        said = about(name, "Cross-account use").startswith("Yes.")

        assert row.cross_account == said
        asked = {"kms:ReEncryptFrom", "kms:ReEncryptTo"} if name == "ReEncrypt" else {row.permission}
        assert {one.lower() in CROSS_ACCOUNT_ACTIONS for one in asked} == {said}

    @every_operation
    def test_permission(self, name):
        """
        The permission asked for is one that AWS's documentation requires; RetireGrant's is the grant's to give.
        """
        needed = about(name, "Required permissions?")

        assert OPERATIONS[name].permission in needed.split() or "determined primarily by the grant" in needed

    @every_operation
    def test_policies_of_the_key_count(self, name):
        """
        Where AWS requires the permission in an IAM policy alone, the request names no key, and the other way round.
        """
        needed = about(name, "Required permissions?")
        by_key = "key policy" in needed or "determined primarily by the grant" in needed

        assert (OPERATIONS[name].target == NO_KEY) == (not by_key)

    @every_operation
    def test_key_or_alias(self, name):
        """
        An alias may name the key exactly where AWS's documentation of KeyId, or of cross-account use, says so.
        """
        shape = MODEL.operation_model(name).input_shape
        if OPERATIONS[name].target in (KEY_ONLY, KEY_OR_ALIAS):
            words = html.unescape(re.sub(r"<[^>]+>", "", shape.members["KeyId"].documentation))
            words += about(name, "Cross-account use")
            named = words.lower().replace("alias names are not supported", "")
            assert ("alias" in named) == (OPERATIONS[name].target == KEY_OR_ALIAS)
        else:
            assert callable(OPERATIONS[name].target) or OPERATIONS[name].target == NO_KEY

    @every_operation
    def test_gates_for_options(self, name):
        """
        An operation with DryRun ends at the dry-run gate; grant tokens and a recipient have gates of their own.
        """
        asked = members(MODEL.operation_model(name).input_shape)
        compiled = gates.gates_of(OPERATIONS[name])

        assert (compiled[-1] is gates.dry_run) == ("DryRun" in asked)
        assert (gates.recipient in compiled) == ("Recipient" in asked)
        assert (gates.tokens in compiled) == ("GrantTokens" in asked and name != "DescribeKey")

    @every_operation
    def test_shown_members(self, name):
        """
        The log shows only members that exist, and none that is a blob, sensitive or a grant token.
        """
        shape = MODEL.operation_model(name).input_shape

        for member in OPERATIONS[name].shown:
            assert shape.members[member].type_name != "blob"
            assert "sensitive" not in shape.members[member].metadata
            assert member != "GrantTokens"

    @pytest.mark.parametrize("broken", [{"source": ""}, {"permission": "Encrypt"}])
    def test_incomplete_row(self, broken):
        """
        A row without a source or a permission is refused when it is declared, not when it is called.
        """
        row = {"permission": "kms:X", "target": NO_KEY, "quota": 5, "shown": (), "source": "a page", **broken}

        def half_operation(call):
            """Do something."""

        with pytest.raises(TypeError, match="HalfOperation"):
            operation(**row)(half_operation)
        assert "HalfOperation" not in OPERATIONS

    def test_row_without_docstring(self):
        """
        A handler that does not say what it does is refused.
        """
        with pytest.raises(TypeError, match="docstring"):
            operation(permission="kms:X", target=NO_KEY, quota=5, shown=(), source="a page")(lambda call: None)


def test_enums():
    """
    Every enum that the lab spells out is AWS's, value for value.
    """
    from kms_lab.core import keys, specs

    def values(shape):
        return set(MODEL.shape_for(shape).enum)

    assert set(keys.KEY_STATES) == values("KeyState")
    assert set(specs.SPECS) == values("KeySpec")
    assert {usage for spec in specs.SPECS.values() for usage in spec.usages} == values("KeyUsageType")
    assert {keys.AUTOMATIC, keys.ON_DEMAND} == values("RotationType")
    algorithms = {one for spec in specs.SPECS.values() for names in spec.algorithms.values() for one in names}
    assert algorithms == set().union(
        *map(
            values,
            (
                "EncryptionAlgorithmSpec",
                "SigningAlgorithmSpec",
                "MacAlgorithmSpec",
                "KeyAgreementAlgorithmSpec",
                "EncapsulationAlgorithmSpec",
            ),
        )
    )


# ------------------------------------------------------------------------------ answers


_PYTHON = {"string": str, "boolean": bool, "integer": int, "timestamp": datetime, "blob": bytes}


def misfits(value, shape, where=""):
    """Yield every way in which an answer is not what AWS's model says."""
    if shape.type_name == "structure":
        yield from (f"{where}.{name} is not in the model" for name in value if name not in shape.members)
        for name, item in value.items():
            if name in shape.members:
                yield from misfits(item, shape.members[name], f"{where}.{name}")
    elif shape.type_name == "list":
        if type(value) is not list:
            yield f"{where} is a {type(value).__name__}, not a list"
        for index, item in enumerate(value):
            yield from misfits(item, shape.member, f"{where}[{index}]")
    else:
        if type(value) is not _PYTHON[shape.type_name]:
            yield f"{where} is a {type(value).__name__}, not a {shape.type_name}"
        elif getattr(shape, "enum", None) and value not in shape.enum:
            yield f"{where} is {value}, which is not in the enum"
        elif shape.type_name == "timestamp" and value.tzinfo is None:
            yield f"{where} has no time zone"


@every_operation
def test_answer_fits_the_model(name, stage):
    """
    The answer to an everyday call has members of AWS's response only, each of AWS's type.
    """
    stage.kms.enable_key_rotation(KeyId=stage.key)
    stage.kms.rotate_key_on_demand(KeyId=stage.key)
    if name == "CancelKeyDeletion":
        stage.kms.schedule_key_deletion(KeyId=stage.key)

    response = method(stage.kms, name)(**EVERYDAY[name](stage))

    metadata = response.pop("ResponseMetadata")
    shape = MODEL.operation_model(name).output_shape
    assert bool(shape is not None and shape.members) == bool(response)
    assert list(misfits(response, shape)) == [] if shape is not None else True
    assert metadata["HTTPStatusCode"] == 200
    assert metadata["RequestId"]


def test_metadata_in_every_state_fits_the_model(stage):
    """
    What DescribeKey says fits AWS's model for every kind and state of key that the lab can bring about.
    """
    kms = stage.kms
    kms.schedule_key_deletion(KeyId=stage.key)
    kms.disable_key(KeyId=stage.other)
    more = [
        new_key(kms, Origin="EXTERNAL"),
        new_key(kms, MultiRegion=True),
        new_key(kms, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"),
        new_key(kms, KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT"),
        new_key(kms, KeySpec="ECC_NIST_EDWARDS25519", KeyUsage="SIGN_VERIFY"),
    ]

    for key in (stage.key, stage.other, *more):
        response = kms.describe_key(KeyId=key)["KeyMetadata"]
        assert list(misfits(response, MODEL.operation_model("DescribeKey").output_shape.members["KeyMetadata"])) == []


# ------------------------------------------------------------------------------ errors


def mentioned(function, seen: set | None = None) -> set[str]:
    """Names of the error classes that a function of the service, or any that it calls there, can raise."""
    seen = set() if seen is None else seen
    if function in seen or not hasattr(function, "__code__"):
        return set()
    seen.add(function)
    scope = {**function.__globals__, **inspect.getclosurevars(function).nonlocals}
    found = set()
    names = function.__code__.co_names
    modules = [scope[name] for name in names if inspect.ismodule(scope.get(name))]
    for name in names:
        for value in (scope.get(name), *(getattr(module, name, None) for module in modules)):
            if isinstance(value, type) and issubclass(value, KMSError):
                found.add(value.__name__)
            elif inspect.isfunction(value) and value.__module__.startswith("kms_lab.service"):
                found |= mentioned(value, seen)
    return found


@every_operation
def test_errors_in_the_code_are_listed(name):
    """
    No error class within reach of an operation's handler, resolver or state profile is missing from AWS's list.
    """
    row = OPERATIONS[name]
    reach = mentioned(row.handler) | {states.NOTES[number].error.__name__ for number in row.states.values()}
    for gate in (*gates.gates_of(row), row.kind, row.checks):
        if gate not in (None, gates.recipient, gates.tokens, gates.authorize_all, resolve.key_or_alias, gates.usage):
            reach |= mentioned(gate)
    if row.target == KEY_OR_ALIAS or callable(row.target):
        reach -= {"InvalidArnException"}  # find() raises it only where an alias is refused: KEY_ONLY

    listed = {shape.name for shape in MODEL.operation_model(name).error_shapes}
    assert reach - listed - COMMON == set()


class TestErrorClasses:
    def test_all_of_them(self):
        """
        The lab has a class for each of the model's 48 errors, and none that the model does not have.
        """
        ours = {
            one.__name__
            for one in vars(errors).values()
            if isinstance(one, type)
            and issubclass(one, errors.ModelledError)
            and one not in (errors.ModelledError, errors.CustomKeyStoreError, errors.ServerError)
        }
        theirs = {shape.name for shape in MODEL.error_shapes}

        assert len(theirs) == 48
        assert ours == theirs

    @pytest.mark.parametrize("shape", MODEL.error_shapes, ids=lambda shape: shape.name)
    def test_fault_and_status(self, shape):
        """
        Faults of AWS answer 5xx, all other errors 400; the code is the model's, the text stands there twice.
        """
        error = getattr(errors, shape.name)("words")

        assert (error.http_status >= 500) == bool(RAW["shapes"][shape.name].get("fault"))
        assert error.http_status >= 500 or error.http_status == 400
        assert error.response["Error"] == {"Code": shape.error_code, "Message": "words"}
        assert error.response["message"] == "words"

    @pytest.mark.parametrize("name", sorted(COMMON))
    def test_common_errors(self, name):
        """
        Errors that the model does not list answer 400, without a second text.
        """
        error = getattr(errors, name)("words")

        assert error.response == {
            "Error": {"Code": name, "Message": "words"},
            "ResponseMetadata": {"RequestId": "", "HTTPStatusCode": 400, "RetryAttempts": 0},
        }
