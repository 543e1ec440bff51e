"""Access keys of the lab's principals, signatures made by botocore, and STS."""

import json
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.parsers
import botocore.session
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from kms_lab import Lab, LabError
from kms_lab.core.circumstances import DIRECT, Circumstances
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
from kms_lab.doors.credentials import environment, principal_of, session_credentials, session_of, verify
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

        assert verify(lab.world, *request) == (session, region, "kms", DIRECT)

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


def caller_of(lab, arn=ADMIN, **how):
    return sts.Caller(lab.world, Principal.parse(arn), how=Circumstances(**how))


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
            return outcome(sts.assume_role, caller_of(lab, caller), role_arn, "me")

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
            sts.assume_role(caller_of(lab, bob), role, "me")

    @pytest.mark.parametrize(
        ("name", "seconds"), [("", 3600), ("x", 3600), ("a b", 3600), ("x" * 65, 3600), ("me", 899), ("me", 43_201)]
    )
    def test_limits(self, lab, name, seconds):
        """
        A session's name has 2 to 64 letters, and it lasts from 15 minutes to 12 hours.
        """
        role = lab.iam.create_role("App")
        shape = STS.operation_model("AssumeRole").input_shape.members

        assert outcome(sts.assume_role, caller_of(lab), role, name, seconds) == "ValidationError"
        assert (shape["RoleSessionName"].metadata["min"], shape["RoleSessionName"].metadata["max"]) == (2, 64)
        assert (shape["DurationSeconds"].metadata["min"], shape["DurationSeconds"].metadata["max"]) == (900, 43_200)

    def test_through_a_session(self, lab):
        """
        A session may assume a role itself, if its role's policies allow it.
        """
        first, second = lab.iam.create_role("First", policies=[MAY_ASSUME]), lab.iam.create_role("App")
        session = sts.assume_role(caller_of(lab), first, "one")

        final = sts.assume_role(sts.Caller(lab.world, session.principal), second, "two").principal

        assert final.arn == "arn:aws:sts::111122223333:assumed-role/App/two"


def policy(*actions, effect="Allow", **more):
    return {"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": actions, "Resource": "*", **more}]}


def client_of(lab, session):
    """A client that signs with a session's credentials, in a block of the lab."""
    key = session.key
    return boto3.client("kms", aws_access_key_id=key.id, aws_secret_access_key=key.secret, aws_session_token=key.token)


def refused(call, **params):
    """The code that boto3 hears, or None."""
    try:
        call(**params)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


class TestEveryLayer:
    """sts:AssumeRole is decided as any other permission is."""

    def test_layers(self, lab):
        """
        Boundary, session policy, SCP and an explicit deny each keep a caller from assuming a role; groups let him.
        """
        role = lab.iam.create_role("App")
        user = lab.iam.create_user("Ann")
        group = lab.iam.create_group("Staff", policies=[policy("sts:AssumeRole")])
        tried = lambda **how: outcome(sts.assume_role, caller_of(lab, user, **how), role, "me")  # noqa: E731
        assert tried() == "AccessDeniedException"

        lab.iam.add_to_group(user, group)
        assert tried() == "done"

        lab.iam.put_boundary(user, policy("kms:*"))
        assert tried() == "AccessDeniedException"
        lab.iam.put_boundary(user, policy("kms:*", "sts:*"))
        assert tried() == "done"

        lab.org.create(management="999999999999")
        lab.org.place("111122223333")
        lab.org.attach_scp("111122223333", "no", policy("sts:AssumeRole", effect="Deny"))
        assert tried() == "AccessDeniedException"
        lab.org.detach_scp("111122223333", "no")
        assert tried() == "done"

        away = policy("sts:*", effect="Deny", Condition={"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}})
        lab.iam.put_policies(user, [away])
        assert (tried(), tried(source_ip="203.0.113.9")) == ("AccessDeniedException", "done")

    def test_a_session_policy_narrows_what_comes_after(self, lab):
        """
        A session that was narrowed cannot assume what its role could.
        """
        first, second = lab.iam.create_role("First", policies=[policy("sts:*")]), lab.iam.create_role("App")
        session = Principal.parse(first, "one")

        def tried(text):
            caller = sts.Caller(lab.world, session, how=Circumstances(session_policy=text))
            return outcome(sts.assume_role, caller, second, "two")

        assert tried("") == "done"
        assert tried(json.dumps(policy("kms:*"))) == "AccessDeniedException"

    @pytest.mark.parametrize(
        ("given", "needed"),
        [({"tags": {"team": "a"}}, "sts:TagSession"), ({"source_identity": "Ann"}, "sts:SetSourceIdentity")],
    )
    def test_what_a_session_is_given_needs_a_permission(self, lab, given, needed):
        """
        Tags and a source identity need a permission of their own.
        """
        role, user = lab.iam.create_role("App"), lab.iam.create_user("Ann", policies=[policy("sts:AssumeRole")])
        caller = caller_of(lab, user)
        assert outcome(sts.assume_role, caller, role, "me") == "done"
        with pytest.raises(AccessDeniedException, match=needed):
            sts.assume_role(caller, role, "me", **given)

        lab.iam.put_policies(user, [policy("sts:AssumeRole", needed)])

        assert outcome(sts.assume_role, caller, role, "me", **given) == "done"

    def test_conditions_on_the_request(self, lab):
        """
        Policies see the tags, the names and the second factor that a request for a session has.
        """
        role = lab.iam.create_role("App")
        conditions = [
            ({"StringEquals": {"aws:RequestTag/Team": "a"}}, {"tags": {"team": "a"}}),
            ({"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}, {"tags": {"other": "a", "team": "a"}}),
            ({"StringEquals": {"sts:RoleSessionName": "me"}}, {}),
            ({"StringEquals": {"sts:SourceIdentity": "Ann"}}, {"source_identity": "Ann"}),
            ({"StringEquals": {"sts:ExternalId": "x"}}, {"external_id": "x"}),
            ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, {"mfa": True}),
            ({"Null": {"kms:CallerAccount": "true"}}, {}),
        ]
        heard = []
        for condition, more in conditions:
            user = lab.iam.create_user(f"U{len(heard)}", policies=[policy("sts:*", Condition=condition)])
            caller = caller_of(lab, user)
            heard.append((
                outcome(sts.assume_role, caller, role, "me", **more), outcome(sts.assume_role, caller, role, "you")
            ))  # fmt: skip

        denied = "AccessDeniedException"
        assert heard == [
            ("done", denied), (denied, "done"), ("done", denied), ("done", denied), ("done", denied), ("done", denied),
            ("done", "done"),
        ]  # fmt: skip

    def test_source_identity_stays(self, lab):
        """
        A source identity goes on through sessions that are begun in a session, and nobody changes it on the way.
        """
        roles = [lab.iam.create_role(name, policies=[policy("sts:*")]) for name in ("One", "Two")]
        first = sts.assume_role(caller_of(lab), roles[0], "me", source_identity="Ann")
        caller = sts.Caller(lab.world, first.principal, how=session_of(lab.world, first.key))

        assert sts.assume_role(caller, roles[1], "me").key.source_identity == "Ann"
        with pytest.raises(AccessDeniedException, match="sts:SetSourceIdentity"):
            sts.assume_role(caller, roles[1], "me", source_identity="Bob")

    def test_chained_sessions_are_short(self, lab):
        """
        A session that was begun in a role's session lasts an hour at most.
        """
        role = lab.iam.create_role("App", policies=[policy("sts:*")])
        caller = caller_of(lab, role)

        assert outcome(sts.assume_role, caller, role, "me", 3600) == "done"
        assert outcome(sts.assume_role, caller, role, "me", 3601) == "ValidationError"


class TestSessions:
    """What a session was given goes with every call that its credentials sign."""

    @pytest.fixture
    def key(self, lab):
        return lab.client().create_key()["KeyMetadata"]["KeyId"]

    def test_policy(self, lab, key):
        """
        A session policy narrows its session only; the same session name without one is a session of its own.
        """
        role = lab.iam.create_role("App", policies=[policy("kms:*")])
        with lab.boto3():
            ask = lambda **more: boto3.client("sts").assume_role(  # noqa: E731
                RoleArn=role, RoleSessionName="me", **more
            )["Credentials"]
            narrow, wide = ask(Policy=json.dumps(policy("kms:Describe*"))), ask()
            one, other = (
                boto3.client(
                    "kms",
                    aws_access_key_id=each["AccessKeyId"],
                    aws_secret_access_key=each["SecretAccessKey"],
                    aws_session_token=each["SessionToken"],
                )
                for each in (narrow, wide)
            )

            assert refused(one.describe_key, KeyId=key) is None
            assert refused(one.disable_key, KeyId=key) == "AccessDeniedException"
            assert lab.last_verdict.reason == "session-policy"
            assert refused(other.disable_key, KeyId=key) is None
        shown = [record["userIdentity"]["accessKeyId"] for record in lab.events()[-3:]]
        assert shown == [narrow["AccessKeyId"], narrow["AccessKeyId"], wide["AccessKeyId"]]

    def test_saved(self, lab, key, tmp_path):
        """
        A saved lab knows what its sessions were given.
        """
        role = lab.iam.create_role("App", policies=[policy("kms:*")])
        given = {"policy": json.dumps(policy("kms:*")), "tags": {"b": "1", "a": "2"}, "source_identity": "Ann"}
        session = sts.assume_role(caller_of(lab), role, "me", **given)
        lab.save(tmp_path / "lab.json")

        again = Lab.load(tmp_path / "lab.json")

        assert again.world.access_keys[session.key.id] == session.key
        assert session_of(again.world, session.key) == session_of(lab.world, session.key)
        assert session_of(lab.world, session.key).session_tags == (("a", "2"), ("b", "1"))

    def test_revoking_sessions(self, lab, key):
        """
        A deny of sessions that were issued before a moment ends them, and spares those that begin later.
        """
        role = lab.iam.create_role("App", policies=[policy("kms:*")])
        session = sts.assume_role(caller_of(lab), role, "old")
        lab.clock.travel(minutes=5)
        before = {"DateLessThan": {"aws:TokenIssueTime": lab.clock.now.strftime("%Y-%m-%dT%H:%M:%SZ")}}
        lab.iam.put_policies(role, [policy("kms:*"), policy("*", effect="Deny", Condition=before)])
        later = sts.assume_role(caller_of(lab), role, "new")

        with lab.boto3():
            assert refused(client_of(lab, session).describe_key, KeyId=key) == "AccessDeniedException"
            assert refused(client_of(lab, later).describe_key, KeyId=key) is None

    def test_second_factor_of_a_user(self, lab, key):
        """
        Credentials of GetSessionToken show the second factor and its age; those of AssumeRole do not; long-term
        credentials have nothing to show.
        """
        young = {"NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}
        user = lab.iam.create_user("Ann", policies=[policy("kms:*", Condition=young), policy("sts:*")])
        role = lab.iam.create_role("App", policies=[policy("kms:*", Condition=young)])
        with_it = sts.get_session_token(caller_of(lab, user), mfa=True)
        without = sts.get_session_token(caller_of(lab, user))
        assumed = sts.assume_role(caller_of(lab, user), role, "me", mfa=True)

        with lab.boto3(user):
            denied = "AccessDeniedException"
            assert refused(boto3.client("kms").describe_key, KeyId=key) == denied
            assert refused(client_of(lab, without).describe_key, KeyId=key) == denied
            assert refused(client_of(lab, assumed).describe_key, KeyId=key) == denied
            assert refused(client_of(lab, with_it).describe_key, KeyId=key) is None
            lab.clock.travel(hours=1)
            assert refused(client_of(lab, with_it).describe_key, KeyId=key) == denied
            anew = sts.get_session_token(caller_of(lab, user), mfa=True)
            assert refused(client_of(lab, anew).describe_key, KeyId=key) is None
        assert (with_it.key.id[:4], with_it.principal.arn) == ("ASIA", user)

    @pytest.mark.parametrize(
        ("serial", "code", "heard"),
        [
            ("arn:aws:iam::111122223333:mfa/Ann", "123456", "done"),
            ("arn:aws:iam::111122223333:mfa/Bob", "123456", "verify your MFA serial number"),
            ("arn:aws:iam::111122223333:mfa/Ann", "12345", "invalid MFA one time pass code"),
            ("arn:aws:iam::111122223333:mfa/Ann", None, "invalid MFA one time pass code"),
        ],
    )
    def test_devices(self, lab, serial, code, heard):
        """
        A user's device has the user's name, and takes any six digits.
        """
        user = lab.iam.create_user("Ann")
        body = f"Action=GetSessionToken&SerialNumber={serial}" + (f"&TokenCode={code}" if code else "")

        text = sts.answer(lab.world, Principal.parse(user), REGION, body.encode()).body.decode()

        assert (heard in text) or (heard == "done" and "<SessionToken>" in text)
        assert ("<Error>" in text) is (heard != "done")

    def test_get_session_token(self, lab):
        """
        A user needs no permission for a session, not even against a deny; a session gets none of its own.
        """
        user = lab.iam.create_user("Ann", policies=[policy("*", effect="Deny")])
        role = lab.iam.create_role("App", policies=[policy("*")])

        session = sts.get_session_token(caller_of(lab, user))

        assert session.key.expires_us - lab.world.clock.now_us == 43_200 * 1_000_000
        root = sts.get_session_token(caller_of(lab, ROOT))
        assert root.key.expires_us - lab.world.clock.now_us == 3600 * 1_000_000
        again = sts.Caller(lab.world, session.principal, how=session_of(lab.world, session.key))
        for caller in (caller_of(lab, role), again):
            with pytest.raises(AccessDeniedException, match="Cannot call GetSessionToken with session credentials"):
                sts.get_session_token(caller)

    def test_federated_user(self, lab, key):
        """
        A federated user may do what both the user who vouches and the policy allow; without a policy, nothing.
        """
        user = lab.iam.create_user("Ann", policies=[policy("kms:Describe*", "kms:Encrypt", "sts:*")])
        text = json.dumps(policy("kms:Describe*", "kms:Disable*"))
        session = sts.get_federation_token(caller_of(lab, user), "Visitor", policy=text)
        bare = sts.get_federation_token(caller_of(lab, user), "Visitor")

        with lab.boto3():
            visitor, nobody = client_of(lab, session), client_of(lab, bare)
            assert refused(visitor.describe_key, KeyId=key) is None
            for call in (visitor.disable_key, nobody.describe_key):
                assert refused(call, KeyId=key) == "AccessDeniedException"
            assert refused(visitor.encrypt, KeyId=key, Plaintext=b"x") == "AccessDeniedException"
        assert session.principal.arn == "arn:aws:sts::111122223333:federated-user/Visitor"
        assert session.principal.identity_arn == user

    def test_who_may_federate(self, lab):
        """
        GetFederationToken needs a permission and long-term credentials of a user; the root user has none in the lab.
        """
        user, role = lab.iam.create_user("Ann"), lab.iam.create_role("App", policies=[policy("*")])
        tried = lambda *args, **more: outcome(sts.get_federation_token, *args, **more)  # noqa: E731

        assert tried(caller_of(lab, user), "Visitor") == "AccessDeniedException"
        lab.iam.put_policies(user, [policy("sts:GetFederationToken")])
        assert tried(caller_of(lab, user), "Visitor") == "done"
        assert tried(caller_of(lab, user), "Visitor", tags={"a": "b"}) == "AccessDeniedException"
        assert tried(caller_of(lab, user), "V") == "ValidationError"
        assert tried(caller_of(lab, role), "Visitor") == "AccessDeniedException"
        assert tried(caller_of(lab, ROOT), "Visitor") == "UnsupportedByLab"
        lab.iam.put_policies(user, [policy("sts:*")])
        visitor = sts.get_federation_token(caller_of(lab, user), "Visitor").principal
        wide = Circumstances(session_policy=json.dumps(policy("sts:*")), federated_by=user)
        assert tried(sts.Caller(lab.world, visitor, how=wide), "Again") == "AccessDeniedException"
        assert outcome(sts.assume_role, sts.Caller(lab.world, visitor, how=wide), role, "me") == "AccessDeniedException"

    @given(name=st.text(max_size=130), value=st.text(max_size=260))
    def test_tags(self, name, value):
        """
        A tag has a name of 1 to 128 letters, and a value of up to 256; whatever is accepted comes to the session.
        """
        lab = Lab(seed=7)
        role = lab.iam.create_role("App")
        heard = outcome(sts.assume_role, caller_of(lab), role, "me", tags={name: value})

        assert heard == ("done" if 1 <= len(name) <= 128 and len(value) <= 256 else "ValidationError")
        if heard == "done":
            session = sts.assume_role(caller_of(lab), role, "me", tags={name: value})
            assert session_of(lab.world, session.key).session_tags == ((name, value),)


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

    def test_every_member(self, lab):
        """
        The form of each operation is read as botocore writes it: policy, tags, source identity, second factor.
        """
        role = lab.iam.create_role("App")
        text = json.dumps(policy("kms:*"))
        with lab.boto3():
            client = boto3.client("sts")
            tags = [{"Key": "team", "Value": "a"}, {"Key": "b", "Value": ""}]
            device = {"SerialNumber": "arn:aws:iam::111122223333:mfa/Admin", "TokenCode": "123456"}
            assumed = client.assume_role(
                RoleArn=role, RoleSessionName="me", Policy=text, Tags=tags, SourceIdentity="Ann", **device
            )
            federated = client.get_federation_token(Name="Visitor", Policy=text, Tags=tags)
            own = client.get_session_token(DurationSeconds=900, **device)

        known = [lab.world.access_keys[one["Credentials"]["AccessKeyId"]] for one in (assumed, federated, own)]
        assert [one.session_tags for one in known] == [(("b", ""), ("team", "a"))] * 2 + [()]
        assert [one.session_policy for one in known] == [text, text, ""]
        assert assumed["SourceIdentity"] == known[0].source_identity == "Ann"
        assert federated["FederatedUser"] == {
            "FederatedUserId": "111122223333:Visitor", "Arn": "arn:aws:sts::111122223333:federated-user/Visitor"
        }  # fmt: skip
        assert [one.mfa_us is not None for one in known] == [False, False, True]
        assert own["Credentials"]["Expiration"] == datetime(2026, 1, 1, 9, 15, tzinfo=UTC)

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
            ("Action=AssumeRoleWithSAML", "UnsupportedByLab", 400),
            ("Action=GetFederationToken", "ValidationError", 400),
            ("Action=GetSessionToken&DurationSeconds=899", "ValidationError", 400),
            ("Action=%3Cb%3E", "InvalidAction", 400),
            ("", "InvalidAction", 400),
            ("Action=AssumeRole", "ValidationError", 400),
            ("Action=AssumeRole&RoleArn=x&RoleSessionName=me&DurationSeconds=soon", "ValidationError", 400),
            ("Action=AssumeRole&RoleArn=%3Cx%3E&RoleSessionName=me", "AccessDenied", 403),
            ("Action=AssumeRole&RoleArn=x&RoleSessionName=me&Policy=%7B%7D", "MalformedPolicyDocument", 400),
            ("Action=AssumeRole&RoleArn=x&RoleSessionName=me&SerialNumber=a", "AccessDenied", 403),
            ("Action=AssumeRole&RoleArn=x&RoleSessionName=me&PolicyArns.member.1.arn=a", "UnsupportedByLab", 400),
            ("Action=AssumeRole&RoleArn=x&RoleSessionName=me&TransitiveTagKeys.member.1=a", "UnsupportedByLab", 400),
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
