"""AWS JSON 1.1 against botocore's own serializer and parser, and against whatever anybody may send."""

import json
import math
from datetime import UTC, datetime

import botocore.parsers
import botocore.serialize
import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_lab import Lab
from kms_lab.core import model
from kms_lab.core.errors import SerializationException, UnsupportedByLab
from kms_lab.core.names import Principal
from kms_lab.doors import wire
from kms_lab.lab import ADMIN, REGION
from kms_lab.service.operation import OPERATIONS

MODEL = botocore.session.get_session().get_service_model("kms")
SERIALIZER = botocore.serialize.create_serializer("json", include_validation=False)
PARSER = botocore.parsers.create_parser("json")
WHO = Principal.parse(ADMIN)

# AWS's names for types of JSON
NUMBER = "class com.amazon.coral.value.json.numbers.TruncatingBigNumber"
TEXT, TRUTH = "class java.lang.String", "class java.lang.Boolean"


@pytest.fixture
def lab():
    return Lab(seed=7)


def send(lab, operation, body, who=WHO, region=REGION):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return wire.answer(lab.world, who, region, f"TrentService.{operation}", body)


def content(reply):
    return json.loads(reply.body)


def parsed(reply, operation):
    """What botocore makes of a reply."""
    response = {
        "status_code": reply.status,
        "body": reply.body,
        "headers": {k.lower(): v for k, v in reply.headers.items()},
    }
    return PARSER.parse(response, MODEL.operation_model(operation).output_shape)


def values(shape):
    """Everything that a shape of the model can be, sizes and patterns aside."""
    match shape.type_name:
        case "structure":
            required = {name: values(shape.members[name]) for name in shape.required_members}
            optional = {name: values(item) for name, item in shape.members.items() if name not in required}
            return st.fixed_dictionaries(required, optional=optional)
        case "list":
            return st.lists(values(shape.member), max_size=3)
        case "map":
            return st.dictionaries(values(shape.key), values(shape.value), max_size=3)
        case "blob":
            return st.binary(max_size=40)
        case "integer":
            return st.integers(-(2**31), 2**31 - 1)
        case "boolean":
            return st.booleans()
        case "timestamp":
            return st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
        case "string":
            return st.sampled_from(shape.enum) if shape.enum else st.text(max_size=20)
    raise AssertionError(shape.type_name)


ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["AAAA", "alias/x", ADMIN]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def bodies(draw, operation):
    """A body with the operation's members, and anything in them."""
    members = model.operation(operation).members
    names = draw(st.lists(st.sampled_from([*members, "Unknown"]), unique=True)) if members else ["Unknown"]
    return json.dumps({name: draw(ANY_JSON) for name in names}).encode()


class TestDecode:
    @pytest.mark.parametrize("operation", MODEL.operation_names)
    @given(data=st.data())
    def test_what_botocore_sends(self, operation, data):
        """
        Whatever an SDK can be asked to send arrives as it was given: blobs, times, lists, maps and all.
        """
        shape = MODEL.operation_model(operation).input_shape
        params = data.draw(values(shape)) if shape is not None else {}
        sent = SERIALIZER.serialize_to_request(params, MODEL.operation_model(operation))

        assert sent["headers"]["X-Amz-Target"] == f"TrentService.{operation}"
        assert sent["headers"]["Content-Type"] == wire.CONTENT_TYPE
        assert wire.decode(operation, sent["body"]) == params

    @pytest.mark.parametrize("operation", MODEL.operation_names)
    @given(data=st.data())
    def test_never_a_wrong_type(self, operation, data):
        """
        Whatever a body holds, what is decoded has the model's types, or is refused.
        """
        try:
            params = wire.decode(operation, data.draw(bodies(operation)))
        except SerializationException:
            return

        problems = model.operation(operation).client_problems(params)
        assert [problem for problem in problems if "Invalid type" in problem or "Unknown" in problem] == []

    @pytest.mark.parametrize(
        ("operation", "members", "message"),
        [
            ("DescribeKey", {"KeyId": 5}, f"{NUMBER} can not be converted to an String"),
            ("DescribeKey", {"KeyId": True}, f"{TRUTH} can not be converted to an String"),
            ("DescribeKey", {"KeyId": []}, "Start of list found where not expected"),
            ("DescribeKey", {"KeyId": {}}, "Start of structure or map found where not expected."),
            ("DescribeKey", {"KeyId": "x", "GrantTokens": "x"}, "Expected list or null"),
            ("DescribeKey", {"KeyId": "x", "GrantTokens": [None]}, "null can not be converted to an String"),
            ("Encrypt", {"EncryptionContext": "x"}, "Expected map or null"),
            ("Encrypt", {"EncryptionContext": {"a": 1.5}}, f"{NUMBER} can not be converted to an String"),
            ("Encrypt", {"Plaintext": 5}, f"{NUMBER} can not be converted to a Blob"),
            ("Encrypt", {"Plaintext": "A"}, "Value can not be converted to a Blob: Invalid Base64"),
            ("Encrypt", {"Plaintext": "ä==="}, "Value can not be converted to a Blob: Invalid Base64"),
            ("Encrypt", {"Plaintext": "AA==AA=="}, "Value can not be converted to a Blob: Invalid Base64"),
            ("CreateKey", {"MultiRegion": "true"}, f"{TEXT} can not be converted to an Boolean"),
            ("CreateKey", {"MultiRegion": 1}, f"{NUMBER} can not be converted to an Boolean"),
            ("CreateKey", {"Tags": [5]}, "Expected null"),
            ("GenerateRandom", {"NumberOfBytes": "5"}, f"{TEXT} can not be converted to an Integer"),
            ("GenerateRandom", {"NumberOfBytes": True}, f"{TRUTH} can not be converted to an Integer"),
            ("GenerateRandom", {"NumberOfBytes": math.inf}, ""),
            ("ImportKeyMaterial", {"ValidTo": "2026"}, f"{TEXT} can not be converted to milliseconds since epoch"),
            ("ImportKeyMaterial", {"ValidTo": math.nan}, ""),
            ("ImportKeyMaterial", {"ValidTo": -1}, ""),
            ("ImportKeyMaterial", {"ValidTo": 1e300}, ""),
        ],
    )  # fmt: skip
    def test_wrong_types(self, lab, operation, members, message):
        """
        A value of a wrong type is a SerializationException in AWS's words, status 400, and no call was made.
        """
        reply = send(lab, operation, members)

        assert reply.status == 400
        assert content(reply) == {"__type": "SerializationException", "Message": message}
        assert len(lab.world.log) == 0

    @pytest.mark.parametrize(
        "body",
        [
            b"{", b"[]", b'"x"', b"5", b"\xff\xfe", "\ufeff{}".encode(), b"[" * 100_000, b'{"KeyId":' + b"[" * 100_000,
            b'{"KeyId": "\\ud800"}', b'{"KeyId": ' + b"9" * 5_000 + b"}",
        ],
        ids=["half", "list", "text", "number", "not UTF-8", "mark", "tower", "tower inside", "surrogate", "digits"],
    )  # fmt: skip
    def test_not_json(self, lab, body):
        """
        What is not a JSON object in UTF-8 is a SerializationException.
        """
        assert content(send(lab, "DescribeKey", body))["__type"] == "SerializationException"

    def test_what_is_left_out(self):
        """
        Unknown members and nulls are left out, at every depth; a fraction is cut off; an empty body has no members.
        """
        assert wire.decode("CreateKey", b"") == {}
        assert wire.decode("CreateKey", b'{"Tags": [{"TagKey": "a", "TagValue": null, "More": 1}], "Color": 5}') == {
            "Tags": [{"TagKey": "a"}]
        }
        assert wire.decode("GenerateRandom", b'{"NumberOfBytes": 5.9}') == {"NumberOfBytes": 5}
        assert wire.decode("ImportKeyMaterial", b'{"ValidTo": 1800000000.25}') == {
            "ValidTo": datetime(2027, 1, 15, 8, 0, 0, 250_000, UTC)
        }


class TestAnswer:
    def test_botocore_reads_the_clients_answers(self, lab):
        """
        What botocore reads from a reply is what the lab's own client answers, dates and blobs too.
        """
        twin = lab.fork().client()
        key = content(send(lab, "CreateKey", {"Description": "ä"}))["KeyMetadata"]["KeyId"]
        twin.create_key(Description="ä")

        reply = send(lab, "Encrypt", {"KeyId": key, "Plaintext": "AAE="})
        seen, expected = parsed(reply, "Encrypt"), twin.encrypt(KeyId=key, Plaintext=b"\x00\x01")
        assert seen.pop("ResponseMetadata")["RequestId"] == expected.pop("ResponseMetadata")["RequestId"]
        assert seen == expected
        assert reply.headers["Content-Type"] == "application/x-amz-json-1.1"
        described = parsed(send(lab, "DescribeKey", {"KeyId": key}), "DescribeKey")["KeyMetadata"]
        assert described == twin.describe_key(KeyId=key)["KeyMetadata"]

    def test_dates_are_seconds(self, lab):
        """
        A date goes over the wire as seconds since 1970, with a fraction.
        """
        lab.clock.travel(seconds=0.25)

        created = content(send(lab, "CreateKey", {}))["KeyMetadata"]["CreationDate"]

        assert created == lab.clock.now.timestamp()
        assert created % 1 == 0.25

    def test_nothing_to_say(self, lab):
        """
        An operation without a response answers with an empty object.
        """
        key = content(send(lab, "CreateKey", {}))["KeyMetadata"]["KeyId"]

        assert send(lab, "DisableKey", {"KeyId": key}).body == b"{}"

    def test_who_and_where(self, lab):
        """
        The log names the caller and the Region that the door was told, and the reply carries the entry's id.
        """
        who = Principal.parse(lab.iam.create_role("App"))

        reply = send(lab, "ListKeys", {}, who, "eu-west-1")

        entry = lab.world.log.entry(0)
        assert (entry.principal, entry.region) == (who.arn, "eu-west-1")
        assert reply.headers["x-amzn-RequestId"] == lab.world.log.request_id(0)

    def test_listener(self, lab):
        """
        A listener gets each call as it sets out; what never becomes a call it does not hear of.
        """
        heard = []
        for body in (b"{}", b"{"):
            wire.answer(lab.world, WHO, REGION, "TrentService.ListKeys", body, heard.append)

        assert [call.row.name for call in heard] == ["ListKeys"]


class TestErrors:
    def test_a_modelled_error(self, lab):
        """
        An error has its code, its text and its status, and botocore reads the same from it as from the lab's client.
        """
        with pytest.raises(Exception) as ours:
            lab.fork().client().describe_key(KeyId="alias/none")

        reply = send(lab, "DescribeKey", {"KeyId": "alias/none"})

        assert reply.status == 400
        assert content(reply) == {"__type": "NotFoundException", "message": ours.value.message}
        assert parsed(reply, "DescribeKey")["Error"] == ours.value.response["Error"]
        assert reply.headers["x-amzn-RequestId"] == ours.value.request_id

    def test_access_denied(self, lab):
        """
        AccessDeniedException spells its member with a capital, as AWS does.
        """
        reply = send(lab, "ListKeys", {}, Principal.parse(lab.iam.create_role("App")))

        assert content(reply).keys() == {"__type", "Message"}
        assert parsed(reply, "ListKeys")["Error"]["Message"].startswith("User: arn:aws:sts::111122223333:")

    def test_constraints(self, lab):
        """
        Of the right type but not allowed is a ValidationException, and an entry in the log.
        """
        reply = send(lab, "DescribeKey", {})

        assert content(reply)["__type"] == "ValidationException"
        assert "Value null at 'keyId'" in content(reply)["message"]
        assert lab.world.log.entry(0).error == "ValidationException"

    @pytest.mark.parametrize(
        "target",
        [None, "", "Encrypt", "TrentService.", "TrentService.encrypt", "Other.Encrypt", "TrentService.__init__"],
    )
    def test_no_such_operation(self, lab, target):
        """
        A target that is no operation of KMS is an UnknownOperationException.
        """
        reply = wire.answer(lab.world, WHO, REGION, target, b"{}")

        assert reply.status == 400
        assert content(reply)["__type"] == "UnknownOperationException"

    def test_not_in_the_lab(self, lab, monkeypatch):
        """
        An operation that AWS has and the lab has not is named in an error that a client can read.
        """
        monkeypatch.delitem(OPERATIONS, "Encrypt")

        error = parsed(send(lab, "Encrypt", {}), "Encrypt")["Error"]

        assert error == {"Code": "UnsupportedByLab", "Message": "AWS has Encrypt; the lab does not have it yet."}

    def test_a_limit_of_a_handler(self, lab, monkeypatch):
        """
        What the lab cannot do crosses the wire by that name, too.
        """

        def limited(call, **_params):
            raise UnsupportedByLab("words")

        monkeypatch.setattr(OPERATIONS["ListKeys"], "handler", limited)

        assert content(send(lab, "ListKeys", {})) == {"__type": "UnsupportedByLab", "message": "words"}

    @given(data=st.data())
    def test_anything_is_answered(self, data):
        """
        Whatever the target and the body, the answer is a reply in AWS's form.
        """
        operation = data.draw(st.sampled_from(sorted(OPERATIONS)))
        body = data.draw(st.binary(max_size=30) | bodies(operation))

        reply = send(Lab(seed=1), operation, body)

        assert reply.status == 200 or (reply.status == 400 and content(reply)["__type"])
        assert parsed(reply, operation)["ResponseMetadata"]["HTTPStatusCode"] == reply.status
