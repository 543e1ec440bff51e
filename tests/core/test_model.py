"""AWS's model as the lab reads it, against botocore's own reading of the same file."""

import io
import string
from datetime import UTC, datetime

import botocore
import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from kms_lab.core import model
from kms_lab.service.operation import OPERATIONS
from kms_lab.service.pipeline import handle

assert handle  # importing the pipeline enters every operation
SERVICE = botocore.session.get_session().get_service_model("kms")
NAMES = list(SERVICE.operation_names)
OURS = sorted(OPERATIONS)


def botocore_says(name, params):
    """The words with which boto3 refuses to send a call; empty if it sends it."""
    shape = SERVICE.operation_model(name).input_shape
    return ParamValidator().validate(params, shape).generate_report()


def lab_says(name, params):
    return "\n".join(model.operation(name).client_problems(params))


class TestReading:
    def test_all_operations(self):
        """
        The model has the 56 operations that botocore finds in it.
        """
        assert model.operation_names() == NAMES
        assert len(NAMES) == 56

    @pytest.mark.parametrize("name", NAMES)
    def test_operation(self, name):
        """
        Members, required members, outputs, errors and documentation are botocore's.
        """
        ours, theirs = model.operation(name), SERVICE.operation_model(name)

        def members(shape):
            return {member: one.name for member, one in shape.members.items()} if shape is not None else {}

        assert ours.members == members(theirs.input_shape)
        assert set(ours.required) == set(getattr(theirs.input_shape, "required_members", ()))
        assert set(ours.output_members) == set(members(theirs.output_shape))
        assert list(ours.errors) == [shape.name for shape in theirs.error_shapes]
        assert ours.documentation == theirs.documentation
        for member in ours.members:
            assert ours.member_documentation(member) == theirs.input_shape.members[member].documentation

    @pytest.mark.parametrize("name", NAMES)
    def test_snake_case(self, name):
        """
        The lab's method names are boto3's.
        """
        assert model.snake_case(name) == botocore.xform_name(name)

    @pytest.mark.parametrize("shape", ["KeySpec", "KeyState", "KeyUsageType", "OriginType", "RotationType"])
    def test_enum(self, shape):
        """
        An enum has botocore's values in botocore's order.
        """
        assert list(model.enum(shape)) == SERVICE.shape_for(shape).enum


# ------------------------------------------------------------------------------ what boto3 would not send

BAD = [
    ("Encrypt", {}),
    ("Encrypt", {"KeyId": 1, "Plaintext": 2}),
    ("Encrypt", {"KeyId": "", "Plaintext": b""}),
    ("Encrypt", {"KeyId": None, "Plaintext": None}),
    ("Encrypt", {"KeyID": "x", "Plaintext": b"x"}),
    ("Encrypt", {"KeyId": "x", "Plaintext": b"x", "Key": 1, "Plain": 2}),
    ("Encrypt", {"KeyId": "x", "Plaintext": b"x", "EncryptionContext": "a=b"}),
    ("Encrypt", {"KeyId": "x", "Plaintext": b"x", "EncryptionContext": {"a": 1, 2: "b", None: None}}),
    ("Encrypt", {"KeyId": "x", "Plaintext": b"x", "GrantTokens": "token"}),
    ("Encrypt", {"KeyId": "x", "Plaintext": b"x", "GrantTokens": ["", 5, None, ["x"]]}),
    ("Encrypt", {"KeyId": "x", "Plaintext": b"x", "DryRun": "yes"}),
    ("Encrypt", {"KeyId": "x", "Plaintext": b"x", "DryRun": 1}),
    ("Encrypt", {"KeyId": b"x", "Plaintext": b"x", "EncryptionAlgorithm": 7}),
    ("CreateKey", {"Tags": [{"TagKey": "a"}, {"TagValue": 1}, "tag", {"TagKey": "", "Tagvalue": ""}]}),
    ("CreateKey", {"Tags": {"TagKey": "a"}, "MultiRegion": None, "Policy": {}}),
    ("CreateKey", {"Policy": "", "Description": 5}),
    ("ListKeys", {"Limit": 0, "Marker": ""}),
    ("ListKeys", {"Limit": "5"}),
    ("ListKeys", {"Limit": 5.0, "ResourceOwners": []}),
    ("EnableKeyRotation", {"KeyId": "x", "RotationPeriodInDays": 89}),
    ("ScheduleKeyDeletion", {"KeyId": "x", "PendingWindowInDays": -1}),
    ("GenerateRandom", {"NumberOfBytes": 0, "Recipient": {"AttestationDocument": 1, "x": 2}}),
    ("GenerateRandom", {"Recipient": []}),
    ("Decrypt", {"CiphertextBlob": ["bytes"]}),
]
ODD = st.sampled_from([None, True, 0, -5, 1.5, "", "x", b"", b"x", [], ["x"], [None], {}, {"x": 1}, object()])
TEXT = st.text(string.ascii_letters, max_size=3)


def values(shape, depth=0):
    """Mostly values that fit a shape, sometimes ones that do not."""
    match shape.type_name:
        case "structure":
            fits = members(shape, depth + 1) if depth < 3 else st.just({})
        case "list":
            fits = st.lists(values(shape.member, depth + 1), max_size=3)
        case "map":
            fits = st.dictionaries(TEXT, values(shape.value, depth + 1), max_size=2)
        case "string":
            fits = st.sampled_from(shape.enum) if shape.enum else TEXT
        case "blob":
            return st.one_of(st.binary(max_size=3), ODD.filter(lambda value: not isinstance(value, str)))
        case "integer":
            fits = st.integers(-1, 3000)
        case "boolean":
            fits = st.booleans()
        case "timestamp":
            dates = st.datetimes(timezones=st.just(UTC))
            return st.one_of(dates, ODD.filter(lambda value: not isinstance(value, int | float)))
    return st.one_of(fits, fits, fits, ODD)


def members(shape, depth=0):
    """A dictionary with some of a structure's members, required ones mostly, and now and then one too many."""
    known = {name: values(member, depth) for name, member in shape.members.items()}
    required = {name: known[name] for name in shape.required_members}
    right = st.fixed_dictionaries(required, optional={name: one for name, one in known.items() if name not in required})
    loose = st.fixed_dictionaries({}, optional={**known, "Unknown": ODD})
    return st.one_of(right, right, loose)


CALLS = st.sampled_from(OURS).flatmap(
    lambda name: st.tuples(st.just(name), members(SERVICE.operation_model(name).input_shape))
)


class TestClientProblems:
    @pytest.mark.parametrize(("name", "params"), BAD)
    def test_table(self, name, params):
        """
        Parameters that boto3 would not send are refused in its very words.
        """
        assert lab_says(name, params) == botocore_says(name, params) != ""

    @settings(max_examples=200)
    @given(CALLS)
    def test_generated(self, call):
        """
        On any parameters of any operation the lab and boto3 say the same, word for word, or both say nothing.
        """
        assert lab_says(*call) == botocore_says(*call)

    @settings(max_examples=200)
    @given(CALLS)
    def test_fast_answer(self, call):
        """
        The fast yes is exactly the absence of problems, the SDK's and the service's.
        """
        name, params = call
        shape = model.operation(name)
        problems = shape.client_problems(params) or shape.service_problems(params)

        assert shape.accepts(params) == (not problems)

    @pytest.mark.parametrize("name", OURS)
    def test_everything_missing(self, name):
        """
        Without parameters each operation misses what AWS requires.
        """
        assert lab_says(name, {}) == botocore_says(name, {})

    @pytest.mark.parametrize("blob", ["text", bytearray(b"text"), io.BytesIO(b"text"), memoryview(b"text")])
    def test_blobs(self, blob):
        """
        Text, bytearrays and files are sent as bytes, as boto3 sends them.
        """
        sent = model.operation("Encrypt").coerced({"KeyId": "x", "Plaintext": blob})

        assert sent == {"KeyId": "x", "Plaintext": b"text"}

    @pytest.mark.parametrize(
        "date",
        [
            1767258000,
            1767258000.0,
            "1767258000",
            "2026-01-01T09:00:00Z",
            "2026-01-01T10:00:00+01:00",
            datetime(2026, 1, 1, 9),
            datetime(2026, 1, 1, 9, tzinfo=UTC),
        ],
    )
    def test_dates(self, date):
        """
        Seconds since 1970 and ISO text are dates as boto3 reads them, and become the same datetime.
        """
        params = {"KeyId": "x", "ImportToken": b"x", "EncryptedKeyMaterial": b"x", "ValidTo": date}

        sent = model.operation("ImportKeyMaterial").coerced(params)["ValidTo"]

        assert lab_says("ImportKeyMaterial", params) == botocore_says("ImportKeyMaterial", params) == ""
        assert sent == botocore.utils.parse_to_aware_datetime(date) == datetime(2026, 1, 1, 9, tzinfo=UTC)

    @pytest.mark.parametrize("date", ["soon", "", "2026-13-01", 1e300])
    def test_no_dates(self, date):
        """
        Text that is no date is not sent, nor is a number beyond all dates.
        """
        params = {"KeyId": "x", "ImportToken": b"x", "EncryptedKeyMaterial": b"x", "ValidTo": date}

        assert lab_says("ImportKeyMaterial", params) == (
            f"Invalid type for parameter ValidTo, value: {date}, type: {type(date)}, "
            "valid types: <class 'datetime.datetime'>, timestamp-string"
        )

    def test_blob_is_not_everything(self):
        """
        A list of numbers is no blob; the fast check takes bytes alone.
        """
        assert lab_says("Encrypt", {"KeyId": "x", "Plaintext": [1]}) == (
            "Invalid type for parameter Plaintext, value: [1], type: <class 'list'>, "
            "valid types: <class 'bytes'>, <class 'bytearray'>, file-like object"
        )
        assert not model.operation("Encrypt").accepts({"KeyId": "x", "Plaintext": "text"})


class TestServiceProblems:
    @pytest.mark.parametrize(
        ("name", "params", "expected"),
        [
            ("Encrypt", {"KeyId": "x", "Plaintext": b"x"}, []),
            (
                "Encrypt",
                {"KeyId": "x" * 2049, "Plaintext": b"p" * 4097},
                [
                    f"Value '{'x' * 2049}' at 'keyId' failed to satisfy constraint: "
                    "Member must have length less than or equal to 2048",
                    "Value at 'plaintext' failed to satisfy constraint: "
                    "Member must have length less than or equal to 4096",
                ],
            ),
            (
                "TagResource",
                {"KeyId": "x", "Tags": [{"TagKey": "a", "TagValue": "b"}, {"TagKey": "", "TagValue": "b"}]},
                [
                    "Value '' at 'tags.2.member.tagKey' failed to satisfy constraint: "
                    "Member must have length greater than or equal to 1"
                ],
            ),
            (
                "TagResource",
                {"KeyId": "x", "Tags": [{"TagKey": "a"}]},
                ["Value null at 'tags.1.member.tagValue' failed to satisfy constraint: Member must not be null"],
            ),
            (
                "ListKeys",
                {"Limit": 0},
                [
                    "Value '0' at 'limit' failed to satisfy constraint: "
                    "Member must have value greater than or equal to 1"
                ],
            ),
            (
                "CreateKey",
                {"Origin": "HOME"},
                [
                    "Value 'HOME' at 'origin' failed to satisfy constraint: Member must satisfy enum value set: "
                    "[AWS_KMS, EXTERNAL, AWS_CLOUDHSM, EXTERNAL_KEY_STORE]"
                ],
            ),
            (
                "CreateAlias",
                {"AliasName": "alias/ö", "TargetKeyId": "x"},
                [
                    "Value 'alias/ö' at 'aliasName' failed to satisfy constraint: "
                    "Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"
                ],
            ),
        ],
    )
    def test_wording(self, name, params, expected):
        """
        Each violation is one phrase, worded as AWS words it.
        """
        assert model.operation(name).service_problems(params) == expected

    def test_secrets_are_not_quoted(self):
        """
        A value that the model calls sensitive, and any blob, stays out of the message.
        """
        password = "hunter2hunter2hunter2hunter2hunter2"
        problems = model.operation("UpdateCustomKeyStore").service_problems(
            {"CustomKeyStoreId": "cks-1", "KeyStorePassword": password}
        )

        assert problems == [
            "Value at 'keyStorePassword' failed to satisfy constraint: Member must have length less than or equal to 32"
        ]

    def test_a_date(self):
        """
        A date satisfies a date member, a number does not.
        """
        accepts = model.operation("ImportKeyMaterial").accepts
        params = {"KeyId": "x", "ImportToken": b"x", "EncryptedKeyMaterial": b"x"}

        assert accepts({**params, "ValidTo": datetime(2026, 1, 1, tzinfo=UTC)})
        assert not accepts({**params, "ValidTo": 5})
