"""Changed requests at the loopback endpoint, past its sockets: whatever they hold, they are answered by the rules."""

import json
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from kms_lab.core.errors import RequestError
from kms_lab.doors.http import CLOCK, Endpoint
from kms_lab.doors.wire import TARGET_PREFIX
from kms_lab.lab import ADMIN, LabClock
from kms_lab.service.operation import OPERATIONS
from tests.fuzz.mutations import spoil_json, spoiled, spoiled_json_text, spoiled_text
from tests.fuzz.oracle import Oracle, cases, promptly, state
from tests.service.conftest import new_key

#: refusals of requests that no operation gets to see
UNREAD = frozenset(one.__name__ for one in RequestError.__subclasses__())
HEADERS = ("authorization", "host", "x-amz-date", "x-amz-target", "x-amz-security-token", "content-type", "x")
ROLE = "arn:aws:iam::111122223333:role/App"


class Door:
    """The endpoint's function that answers a request, on a fresh copy of one world each time."""

    def __init__(self, lab, endpoint):
        self.oracle, self.endpoint = Oracle(lab), endpoint
        key = lab.world.access_keys[next(iter(lab.world.access_keys))]
        self.credentials = Credentials(key.id, key.secret, key.token or None)

    def signed(self, target, body, path="/", service="kms"):
        """The headers with which an SDK would send a body."""
        kind = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
        if target is None:
            kind = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        request = AWSRequest("POST", self.endpoint.url + path, kind, body)
        SigV4Auth(self.credentials, service, "us-east-1").add_auth(request)
        return {"host": self.endpoint.url[7:], **{name.lower(): value for name, value in request.headers.items()}}

    def answer(self, headers, body, path="/", query=""):
        """The reply, and what to say of the request if it is wrong."""

        def attempt():
            self.endpoint.world = self.oracle.base.fork()
            return self.endpoint.answer("POST", path, query, headers, body)

        told = f"{path} {query!r} {headers!r} {body!r:.6000}"
        reply = promptly(attempt, told)
        assert reply.status < 500, f"{reply.body!r}: {told}"
        return reply, told


@pytest.fixture
def door(lab):
    lab.iam.create_role(
        "App", [{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}, "Version": "2012-10-17"}]
    )
    lab.credentials(ADMIN)
    new_key(lab.client())
    with Endpoint(lab.world, lambda **journey: LabClock(endpoint.world).travel(**journey)) as endpoint:
        yield Door(lab, endpoint)


def requests(door):
    """Good requests: operations with their bodies."""
    key = next(door.oracle.base.all_keys()).arn
    return (
        ("Encrypt", {"KeyId": key, "Plaintext": "aGk=", "EncryptionContext": {"a": "b"}, "DryRun": False}),
        ("CreateKey", {"Tags": [{"TagKey": "a", "TagValue": "b"}], "MultiRegion": False}),
        ("ListKeys", {"Limit": 1}),
        ("CreateGrant", {"KeyId": key, "GranteePrincipal": ADMIN, "Operations": ["Decrypt"], "Name": "mine"}),
    )


class TestKms:
    def test_bodies_and_headers(self, door, count):
        """A changed body or header is answered by the operation or refused before it; no refusal changes anything."""
        good, targets = requests(door), [TARGET_PREFIX + name for name in OPERATIONS]
        for number, chance in cases("http", count(500, 60_000)):
            name, params = chance.choice(good)
            body = json.dumps(params).encode()
            if chance.random() < 0.6:
                text = spoiled_json_text(params, chance, (*params, "alias/x", "aGk=", "Decrypt"))
                body = text.encode("utf-8", "surrogatepass")
                body = spoiled(body, chance) if chance.random() < 0.2 else body
            target = TARGET_PREFIX + name
            if chance.random() < 0.2:
                target = as_header(spoiled_text(target, chance, targets))
            headers = door.signed(target, body)
            changed = chance.random() < 0.5
            if changed:
                spoil_headers(headers, chance)
            query = chance.choice(("", "", "", "a=b", "&&=", "%zz", "é"))
            reply, told = door.answer(headers, body, query=query)
            operation = headers.get("x-amz-target", "").removeprefix(TARGET_PREFIX)
            door.oracle.judge_reply(door.endpoint.world, operation, reply, f"{number} {told}", UNREAD)
        outcomes = door.oracle.outcomes
        assert outcomes["done"] > 0
        assert outcomes["SerializationException"] > 0
        assert outcomes["InvalidSignatureException"] > 0
        assert outcomes["UnknownOperationException"] > 0


class TestBesides:
    def test_sts(self, door, count):
        """A changed form for STS is answered in its XML, and only AssumeRole gives anybody credentials."""
        good = (
            {"Action": "GetCallerIdentity", "Version": "2011-06-15"},
            {
                "Action": "AssumeRole",
                "Version": "2011-06-15",
                "RoleArn": ROLE,
                "RoleSessionName": "me",
                "DurationSeconds": "900",
            },
        )
        words = (*good[1], *good[1].values(), "Tags.member.1.Key")
        statuses = set()
        for _, chance in cases("sts", count(300, 20_000)):
            form = spoil_json(chance.choice(good), chance, words)
            pairs = form if isinstance(form, dict) else {"": form}
            body = urlencode({as_header(str(name)): as_header(str(value)) for name, value in pairs.items()}).encode()
            body = spoiled(body, chance) if chance.random() < 0.4 else body
            headers = door.signed(None, body, service="sts")
            if chance.random() < 0.2:
                spoil_headers(headers, chance)
            reply, told = door.answer(headers, body)
            statuses.add(reply.status)
            if reply.headers["Content-Type"] == "text/xml":
                assert ElementTree.fromstring(reply.body).tag, told
            else:
                assert json.loads(reply.body)["__type"] in UNREAD | {"UnsupportedByLab"}, told
            given = b"AssumeRoleResult" in reply.body
            assert (state(door.endpoint.world) == door.oracle.before) == (not given), told
        assert {200, 400} <= statuses <= {200, 400, 403}

    def test_the_clock(self, door, count):
        """A changed journey is made or refused with the reason, and a refused one takes no time."""
        statuses = set()
        for _, chance in cases("clock", count(300, 20_000)):
            journey = {
                "days": chance.choice((0, 1, 0.5, -1, 1e300, 10**400, float("nan"), float("inf"), 2.9e6)),
                "hours": 1,
            }
            if chance.random() < 0.5:
                journey = {
                    "to": chance.choice(
                        ("2027-01-01T00:00:00Z", "2027-01-01", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:00")
                    )
                }
            text = spoiled_json_text(journey, chance, ("days", "to", "seconds", "2030-01-01T00:00:00Z"))
            body = text.encode("utf-8", "surrogatepass")
            reply, told = door.answer(door.signed("", body, CLOCK), body, CLOCK)
            statuses.add(reply.status)
            said = json.loads(reply.body)
            if reply.status == 200:
                assert said["now"], told
            else:
                assert said["__type"] == "RefusedByLab", told
                assert state(door.endpoint.world) == door.oracle.before, told
        assert statuses == {200, 400}


def as_header(text):
    """A text as it comes out of a header, where a byte is a character."""
    return text.encode("latin-1", "replace").decode("latin-1")


def spoil_headers(headers, chance):
    """Change, leave out or add headers after the signature was made."""
    for _ in range(chance.choice((1, 1, 2))):
        name = chance.choice(HEADERS)
        match chance.randrange(4):
            case 0:
                headers.pop(name, None)
            case 1:
                headers[name] = as_header(spoiled_text(headers.get(name, ""), chance, list(headers.values())))
            case 2:
                headers[name] = chance.choice(list(headers.values()) or [""])
            case _:
                headers[name] = as_header(headers.get(name, "") + chance.choice((",", " ", "\t", ";", "é")))
