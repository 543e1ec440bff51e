"""Access keys of the lab's principals, signatures made by botocore, and STS."""

from datetime import UTC, datetime
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.parsers
import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_lab import Lab, LabError
from kms_lab.core.errors import (
    AccessDeniedException,
    ExpiredTokenException,
    IncompleteSignatureException,
    InvalidSignatureException,
    MissingAuthenticationTokenException,
    RequestError,
    UnrecognizedClientException,
    UnsupportedByLab,
)
from kms_lab.core.keys import AccessKey
from kms_lab.core.names import Principal
from kms_lab.core.world import World
from kms_lab.doors import sts
from kms_lab.doors.credentials import environment, principal_of, session_credentials, verify
from kms_lab.lab import ADMIN, REGION
from tests.doors.conftest import outcome

STS = botocore.session.get_session().get_service_model("sts")
HOST = "kms.us-east-1.amazonaws.com"
ASSUME = "Action=AssumeRole&RoleSessionName=me&RoleArn="
ROOT = "arn:aws:iam::111122223333:root"
MAY_ASSUME = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::111122223333:role/App"}],
}


@pytest.fixture
def lab():
    return Lab(seed=7)


def signed(key, method="POST", url=f"https://{HOST}/", body=b"{}", region=REGION, service="kms", headers=None):
    """A request as botocore signs it: the arguments of ``verify``."""
    request = botocore.awsrequest.AWSRequest(method, url, {"X-Amz-Target": "TrentService.X", **(headers or {})}, body)
    owner = botocore.credentials.Credentials(key.id, key.secret, key.token or None)
    botocore.auth.SigV4Auth(owner, service, region).add_auth(request)
    split = urlsplit(url)
    return [method, split.path, split.query, {"host": split.netloc, **dict(request.headers)}, body]


class TestAccessKeys:
    def test_cloudtrail_shows_the_same(self, lab):
        """
        The id of a principal's access key is the one that the trail shows for its calls.
        """
        people = [ADMIN, lab.iam.create_role("App"), ROOT]
        for principal in people:
            outcome(lab.client(principal).list_keys)
            assert lab.credentials(principal).id == lab.events()[-1]["userIdentity"]["accessKeyId"]

        assert [lab.credentials(one).id[:4] for one in people] == ["AKIA", "ASIA", "AKIA"]
        assert [bool(lab.credentials(one).token) for one in people] == [False, True, False]

    def test_always_the_same(self, lab, tmp_path):
        """
        Asked again, the lab gives the same key: the next day, in a copy, and after saving and loading.
        """
        key = lab.credentials(ADMIN)
        lab.clock.travel(days=400)
        lab.save(tmp_path / "lab.json")

        assert lab.credentials(ADMIN) == key
        assert lab.fork().credentials(ADMIN) == key
        assert Lab.load(tmp_path / "lab.json").credentials(ADMIN) == key

    def test_of_their_own(self, lab):
        """
        Two principals, and two labs, never share a secret or a token.
        """
        role = lab.iam.create_role("App")
        keys = [lab.credentials(ADMIN), lab.credentials(role), Lab(seed=8).credentials(ADMIN), Lab().credentials(ADMIN)]

        assert len({key.secret for key in keys}) == 4
        assert all(len(key.secret) == 40 for key in keys)

    def test_nothing_else_changes(self):
        """
        Giving out credentials leaves a seeded lab's ids, ciphertexts and log as they would have been.
        """
        with_keys, without = Lab(seed=7), Lab(seed=7)
        with_keys.credentials(ADMIN)

        assert with_keys.client().create_key() == without.client().create_key()
        assert with_keys.client().generate_random(NumberOfBytes=9) == without.client().generate_random(NumberOfBytes=9)
        assert with_keys.events() == without.events()

    def test_hidden(self, lab):
        """
        A key that is printed does not show its secret.
        """
        key = lab.credentials(lab.iam.create_role("App"))

        assert key.secret not in repr(key)
        assert key.token not in repr(key)

    def test_nobody(self, lab):
        """
        A principal that does not exist has no credentials.
        """
        with pytest.raises(LabError, match="create_user"):
            lab.credentials("arn:aws:iam::111122223333:user/Nobody")

    def test_environment(self, lab):
        """
        The variables are those that SDKs read; a long-term key has no session token.
        """
        key, session = lab.credentials(ADMIN), lab.credentials(lab.iam.create_role("App"))

        assert environment(key, REGION) == {
            "AWS_ACCESS_KEY_ID": key.id,
            "AWS_SECRET_ACCESS_KEY": key.secret,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
        }
        assert environment(session, REGION)["AWS_SESSION_TOKEN"] == session.token


class TestPrincipalOf:
    def who(self, lab, key):
        return principal_of(lab.world, key.id, key.token, lab.world.clock.now_us)

    def test_user_and_session(self, lab):
        """
        A key leads to the principal that a client of the same ARN would be.
        """
        role = lab.iam.create_role("App")

        assert self.who(lab, lab.credentials(ADMIN)) == Principal.parse(ADMIN)
        assert self.who(lab, lab.credentials(role)) == Principal.parse(role)

    def test_a_role_with_a_path(self, lab):
        """
        A session of a role with a path has that role's policies, though its ARN does not show the path.
        """
        role = lab.iam.create_role("deep/down/App")

        who = self.who(lab, lab.credentials(role))

        assert who.arn == "arn:aws:sts::111122223333:assumed-role/App/lab"
        assert who.identity_arn == role

    def test_unknown(self, lab):
        """
        A key that nobody has, and a token that does not belong to the key, are not recognised.
        """
        key = lab.credentials(lab.iam.create_role("App"))
        for key_id, token in (
            ("AKIANOBODY", ""),
            (key.id, ""),
            (key.id, "x"),
            (key.id, "ä"),
            (key.id, key.token + "="),
        ):
            with pytest.raises(UnrecognizedClientException, match="security token included in the request is invalid"):
                principal_of(lab.world, key_id, token, 0)

    def test_the_end(self, lab):
        """
        A session's credentials end when their time is over on the lab's clock, and not before.
        """
        session = Principal.parse(lab.iam.create_role("App"), "short")
        key = session_credentials(lab.world, session, 900)
        lab.clock.travel(seconds=899)
        assert self.who(lab, key) == session

        lab.clock.travel(seconds=1)

        with pytest.raises(ExpiredTokenException):
            self.who(lab, key)

    def test_again(self, lab):
        """
        Credentials of a session are renewed while they last, never shortened; after their end there are new ones.
        """
        session = Principal.parse(lab.iam.create_role("App"), "me")
        first = session_credentials(lab.world, session, 3600)
        shorter, longer = (session_credentials(lab.world, session, seconds) for seconds in (900, 7200))

        assert shorter == first
        assert (longer.secret, longer.token) == (first.secret, first.token)
        assert longer.expires_us - first.expires_us == 3600 * 1_000_000
        lab.clock.travel(hours=2)
        after = session_credentials(lab.world, session, 3600)
        assert after.secret != first.secret
        with pytest.raises(UnrecognizedClientException):
            self.who(lab, first)

    def test_a_copy_renews_alone(self, lab):
        """
        Credentials renewed in a copy of the lab end in the original when they always did.
        """
        session = Principal.parse(lab.iam.create_role("App"), "me")
        key = session_credentials(lab.world, session, 900)

        session_credentials(lab.fork().world, session, 43_200)

        lab.clock.travel(hours=1)
        with pytest.raises(ExpiredTokenException):
            self.who(lab, key)


class TestVerify:
    @given(
        path=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="/."), min_size=1), max_size=3),
        query=st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=4),
        body=st.binary(max_size=50),
        region=st.sampled_from(["us-east-1", "eu-west-1"]),
        padding=st.sampled_from(["", " ", "  b "]),
    )
    def test_botocores_signatures(self, path, query, body, region, padding):
        """
        A request that botocore signed is its signer's, in the Region and for the service that the signature names.
        """
        lab = Lab(seed=7)
        session = Principal.parse(lab.iam.create_role("App"))
        key = lab.credentials(session.identity_arn)
        url = f"https://{HOST}/" + "/".join(quote(part) for part in path)
        if query:
            url += "?" + "&".join(f"{quote(name)}={quote(value)}" for name, value in query)

        request = signed(key, url=url, body=body, region=region, headers={"X-Amz-More": f"a{padding}"})

        assert verify(lab.world, *request) == (session, region, "kms")

    @pytest.mark.parametrize(
        "change",
        [
            lambda request: request.__setitem__(0, "GET"),
            lambda request: request.__setitem__(1, "/other"),
            lambda request: request.__setitem__(2, "a=b"),
            lambda request: request.__setitem__(4, b"{ }"),
            lambda request: request[3].update({"X-Amz-Target": "TrentService.Y"}),
            lambda request: request[3].update({"host": "localhost"}),
            lambda request: request[3].pop("X-Amz-Target"),
            lambda request: request[3].update({"X-Amz-Added": "x"}),
            lambda request: request[3].update({"X-Amz-Date": "20200101T000000Z"}),
            lambda request: request[3].pop("X-Amz-Date"),
            lambda request: edit(request, REGION, "eu-west-1"),
            lambda request: edit(request, "/kms/", "/sts/"),
            lambda request: edit(request, "SignedHeaders=host;", "SignedHeaders="),
            lambda request: edit(request, request[3]["Authorization"][-4:], "0000"),
        ],
        ids=[
            "method", "path", "query", "body", "target", "host", "left out", "added", "date", "no date", "Region",
            "service", "unsigned host", "signature",
        ],
    )  # fmt: skip
    def test_whatever_is_changed(self, lab, change):
        """
        A signature fits one request only: change anything of it, and it is refused.
        """
        request = signed(lab.credentials(ADMIN))
        verify(lab.world, *request)
        change(request)

        with pytest.raises(InvalidSignatureException):
            verify(lab.world, *request)

    def test_wrong_secret(self, lab):
        """
        The right id with a wrong secret is refused.
        """
        key = lab.credentials(ADMIN)

        with pytest.raises(InvalidSignatureException, match="Check your AWS Secret Access Key"):
            verify(lab.world, *signed(AccessKey(key.id, "wrong", "", key.principal)))

    def test_strangers(self, lab):
        """
        A well signed request with a key of another lab is not recognised.
        """
        elsewhere = Lab(seed=1)
        stranger = elsewhere.credentials(elsewhere.iam.create_role("Other"))

        with pytest.raises(UnrecognizedClientException):
            verify(lab.world, *signed(stranger))

    def test_unsigned(self, lab):
        """
        A request without a signature says that it is missing.
        """
        with pytest.raises(MissingAuthenticationTokenException):
            verify(lab.world, "POST", "/", "", {"host": HOST}, b"{}")

    @pytest.mark.parametrize(
        "header",
        [
            "x",
            "Basic dXNlcjpwYXNz",
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA256 Credential=a/b/c",
            "AWS4-ECDSA-P256-SHA256 x",
        ],
    )
    def test_no_signature_of_version_4(self, lab, header):
        """
        An authorization that is no signature of version 4 is incomplete.
        """
        with pytest.raises(IncompleteSignatureException):
            verify(lab.world, "POST", "/", "", {"Authorization": header, "host": HOST}, b"{}")

    @given(header=st.text(), date=st.text(max_size=20), token=st.text(max_size=5), query=st.text(max_size=20))
    def test_anything_is_refused(self, header, date, token, query):
        """
        Whatever stands in a request's headers, the answer is one of AWS's refusals.
        """
        world = World(0)
        key = Lab(seed=1).credentials(ADMIN)
        world.access_keys[key.id] = key
        place = f"{key.id}/20260101/r/kms/aws4_request"
        scope = f"AWS4-HMAC-SHA256 Credential={place}, SignedHeaders=host, Signature={'0' * 64}"
        for authorization in (header, scope):
            headers = {
                "Authorization": authorization,
                "host": header,
                "X-Amz-Date": date,
                "X-Amz-Security-Token": token,
            }
            with pytest.raises(RequestError):
                verify(world, "POST", "/", query, headers, b"")

    def test_the_date_is_not_compared(self, lab):
        """
        A request signed today is taken whatever the lab's clock shows, where AWS allows five minutes of difference.
        """
        lab.clock.travel(to=datetime(2090, 1, 1, tzinfo=UTC))

        assert verify(lab.world, *signed(lab.credentials(ADMIN)))[0].arn == ADMIN


def edit(request, old, new):
    request[3]["Authorization"] = request[3]["Authorization"].replace(old, new)


class TestAssumeRole:
    def test_who_may(self, lab):
        """
        A role is assumed by whom an identity policy allows to, in the same account; by nobody else.
        """
        role, other = lab.iam.create_role("App"), lab.iam.create_role("Other")
        foreign = lab.iam.create_role("Foreign", account="444455556666", policies=[MAY_ASSUME])
        allowed, silent = lab.iam.create_user("Ann", policies=[MAY_ASSUME]), lab.iam.create_user("Bob")

        def tried(caller, role_arn):
            return outcome(sts.assume_role, lab.world, Principal.parse(caller), role_arn, "me")

        assert tried(ADMIN, role) == tried(allowed, role) == "done"
        for caller, role_arn in (
            (silent, role), (allowed, other), (foreign, role), (ADMIN, foreign), (ROOT, role), (ADMIN, ADMIN),
            (ADMIN, "arn:aws:iam::111122223333:role/None"), (ADMIN, "no arn"),
        ):  # fmt: skip
            assert tried(caller, role_arn) == "AccessDeniedException"

    def test_denied_in_words(self, lab):
        """
        A refusal says who may not do what.
        """
        role, bob = lab.iam.create_role("App"), lab.iam.create_user("Bob")

        with pytest.raises(AccessDeniedException, match=f"User: {bob} is not authorized to perform: sts:AssumeRole"):
            sts.assume_role(lab.world, Principal.parse(bob), role, "me")

    @pytest.mark.parametrize(
        ("name", "seconds"), [("", 3600), ("x", 3600), ("a b", 3600), ("x" * 65, 3600), ("me", 899), ("me", 43_201)]
    )
    def test_limits(self, lab, name, seconds):
        """
        A session's name has 2 to 64 letters, and it lasts from 15 minutes to 12 hours.
        """
        role = lab.iam.create_role("App")
        shape = STS.operation_model("AssumeRole").input_shape.members

        assert outcome(sts.assume_role, lab.world, Principal.parse(ADMIN), role, name, seconds) == "ValidationError"
        assert (shape["RoleSessionName"].metadata["min"], shape["RoleSessionName"].metadata["max"]) == (2, 64)
        assert (shape["DurationSeconds"].metadata["min"], shape["DurationSeconds"].metadata["max"]) == (900, 43_200)

    def test_through_a_session(self, lab):
        """
        A session may assume a role itself, if its role's policies allow it.
        """
        first, second = lab.iam.create_role("First", policies=[MAY_ASSUME]), lab.iam.create_role("App")
        _, session = sts.assume_role(lab.world, Principal.parse(ADMIN), first, "one")

        _, final = sts.assume_role(lab.world, session, second, "two")

        assert final.arn == "arn:aws:sts::111122223333:assumed-role/App/two"


class TestStsOverTheWire:
    def ask(self, lab, body, who=ADMIN):
        reply = sts.answer(lab.world, Principal.parse(who), REGION, body.encode())
        parser = botocore.parsers.create_parser("query")
        action = body.partition("Action=")[2].partition("&")[0]
        shape = STS.operation_model(action).output_shape if action in STS.operation_names else None
        headers = {name.lower(): value for name, value in reply.headers.items()}
        return parser.parse({"status_code": reply.status, "body": reply.body, "headers": headers}, shape)

    def test_get_caller_identity(self, lab):
        """
        GetCallerIdentity tells ARN, account and the id that the trail shows as principalId, and is in no log.
        """
        role = lab.iam.create_role("App")
        outcome(lab.client(role).list_keys)

        told = self.ask(lab, "Action=GetCallerIdentity&Version=2011-06-15", role)

        assert told["Arn"] == "arn:aws:sts::111122223333:assumed-role/App/lab"
        assert told["Account"] == "111122223333"
        assert told["UserId"] == lab.events()[0]["userIdentity"]["principalId"]
        assert len(lab.world.log) == 1

    def test_assume_role(self, lab):
        """
        AssumeRole gives the credentials of the session and the time of their end, and is in no log.
        """
        role = lab.iam.create_role("App")

        told = self.ask(lab, f"Action=AssumeRole&RoleArn={quote(role)}&RoleSessionName=a%2Bb&DurationSeconds=900")

        key = told["Credentials"]
        assert told["AssumedRoleUser"]["Arn"] == "arn:aws:sts::111122223333:assumed-role/App/a+b"
        assert key["Expiration"] == datetime(2026, 1, 1, 9, 15, tzinfo=UTC)
        who = principal_of(lab.world, key["AccessKeyId"], key["SessionToken"], lab.world.clock.now_us)
        assert who.arn == told["AssumedRoleUser"]["Arn"]
        assert len(lab.world.log) == 0

    @pytest.mark.parametrize(
        ("body", "code", "status"),
        [
            ("Action=GetSessionToken", "UnsupportedByLab", 400),
            ("Action=%3Cb%3E", "InvalidAction", 400),
            ("", "InvalidAction", 400),
            ("Action=AssumeRole", "ValidationError", 400),
            ("Action=AssumeRole&RoleArn=x&RoleSessionName=me&DurationSeconds=soon", "ValidationError", 400),
            ("Action=AssumeRole&RoleArn=%3Cx%3E&RoleSessionName=me", "AccessDenied", 403),
            ("Action=AssumeRole&RoleArn=x&RoleSessionName=me&Policy=%7B%7D", "UnsupportedByLab", 400),
            ("Action=AssumeRole&RoleArn=x&RoleSessionName=me&Tags.member.1.Key=a", "UnsupportedByLab", 400),
            ("Action=AssumeRole&RoleArn=x&RoleSessionName=me&SerialNumber=a", "UnsupportedByLab", 400),
        ],
    )
    def test_refusals(self, lab, body, code, status):
        """
        STS refuses in its own form, under its own names; what would narrow a session is refused, not ignored.
        """
        told = self.ask(lab, body)

        assert told["Error"]["Code"] == code
        assert told["ResponseMetadata"]["HTTPStatusCode"] == status

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (UnrecognizedClientException("words"), "InvalidClientTokenId"),
            (InvalidSignatureException("words"), "SignatureDoesNotMatch"),
            (ExpiredTokenException("words"), "ExpiredToken"),
            (MissingAuthenticationTokenException("words"), "MissingAuthenticationToken"),
            (UnsupportedByLab("words"), "UnsupportedByLab"),
        ],
    )
    def test_names(self, error, code):
        """
        A refusal of the door has STS's name for it.
        """
        told = ElementTree.fromstring(sts.refusal(error).body)

        assert told.findtext("{*}Error/{*}Code") == code
        assert told.findtext("{*}Error/{*}Message") == "words"

    @given(body=st.binary(max_size=60) | st.text(max_size=40).map(lambda text: (ASSUME + quote(text)).encode()))
    def test_anything_is_answered(self, body):
        """
        Whatever is sent to STS, the answer is well-formed XML.
        """
        reply = sts.answer(Lab(seed=1).world, Principal.parse(ADMIN), REGION, body)

        assert reply.status in (200, 400, 403)
        assert ElementTree.fromstring(reply.body).tag.startswith("{https://sts.amazonaws.com/doc/2011-06-15/}")
