"""The real boto3 in process: a client of the lab, and code that knows nothing of it."""

import os
import subprocess
import sys
import threading
import time

import boto3
import botocore.endpoint
import botocore.session
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError, ProfileNotFound
from botocore.httpsession import URLLib3Session

from kms_lab import Lab, LabError
from kms_lab.core.errors import KeyUnavailableException
from kms_lab.lab import ADMIN, REGION
from kms_lab.service.operation import OPERATIONS

pytestmark = pytest.mark.usefixtures("no_network")

CONFIG = """
[default]
region = ap-south-1
endpoint_url = http://127.0.0.1:9/
aws_access_key_id = AKIAFROMFILE
aws_secret_access_key = x
retry_mode = adaptive
[profile app]
role_arn = arn:aws:iam::111122223333:role/App
credential_source = Ec2InstanceMetadata
"""


@pytest.fixture
def lab():
    return Lab(seed=7)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine on which everything that can point elsewhere does."""
    (tmp_path / "config").write_text(CONFIG)
    for name, value in {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "config"),
        "AWS_PROFILE": "app",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9/",
        "AWS_ENDPOINT_URL_KMS": "http://127.0.0.1:9/",
        "AWS_ACCESS_KEY_ID": "AKIAFROMENVIRONMENT",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_SESSION_TOKEN": "x",
        "AWS_DEFAULT_REGION": "ap-south-1",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_MAX_ATTEMPTS": "9",
        "AWS_CA_BUNDLE": "/nowhere",
        "AWS_CSM_ENABLED": "true",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9/",
    }.items():
        monkeypatch.setenv(name, value)


ALLOW_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
LIST_KEYS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*"}]}


def last(lab):
    """Who made the last call of the log, and where."""
    entry = lab.world.log.entry(len(lab.world.log) - 1)
    return entry.principal, entry.region


def with_key(key):
    """boto3's keywords for an access key of the lab."""
    return {
        "aws_access_key_id": key.id,
        "aws_secret_access_key": key.secret,
        "aws_session_token": key.token or None,
    }


class TestClient:
    def test_it_is_boto3s(self, lab):
        """
        The client is boto3's own, and encrypts and decrypts.
        """
        kms = lab.boto3_client()
        key = kms.create_key(Description="orders")["KeyMetadata"]["KeyId"]
        blob = kms.encrypt(KeyId=key, Plaintext=b"hello", EncryptionContext={"a": "b"})["CiphertextBlob"]

        assert type(kms).__module__ == "botocore.client"
        assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"] == b"hello"
        assert lab.client().decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"] == b"hello"

    def test_errors(self, lab):
        """
        Errors are caught by their class in client.exceptions and as ClientError, with AWS's members.
        """
        kms = lab.boto3_client()
        for name in ("NotFoundException", "ClientError"):
            with pytest.raises(getattr(kms.exceptions, name)) as caught:
                kms.describe_key(KeyId="alias/none")
            assert isinstance(caught.value, ClientError)
            assert caught.value.response["Error"]["Code"] == "NotFoundException"
            assert caught.value.response["message"] == caught.value.response["Error"]["Message"]
            assert str(caught.value).startswith(
                "An error occurred (NotFoundException) when calling the DescribeKey operation: "
            )

    def test_never_sent(self, lab):
        """
        What boto3 itself refuses leaves no trace in the lab.
        """
        with pytest.raises(ParamValidationError):
            lab.boto3_client().encrypt(KeyID="x")
        assert len(lab.world.log) == 0

    def test_paginators(self, lab):
        """
        boto3's paginators walk through the lab's pages.
        """
        kms = lab.boto3_client()
        made = {kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(5)}

        pages = list(kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2}))

        assert [len(page["Keys"]) for page in pages] == [2, 2, 1]
        assert {key["KeyId"] for page in pages for key in page["Keys"]} == made

    def test_who_and_where(self, lab):
        """
        Calls are the principal's, in the Region asked for; a role's ARN means somebody who assumed it.
        """
        role = lab.iam.create_role("App")

        with pytest.raises(ClientError, match="AccessDeniedException"):
            lab.boto3_client(role, region="eu-west-1").list_keys()

        assert last(lab) == ("arn:aws:sts::111122223333:assumed-role/App/lab", "eu-west-1")
        assert not lab.last_verdict.allowed

    def test_sts(self, lab):
        """
        An STS client tells who it is, and is in no log.
        """
        assert lab.boto3_client(service="sts").get_caller_identity()["Arn"] == ADMIN
        assert len(lab.world.log) == 0

    def test_other_services(self, lab):
        """
        There is no client for a service that the lab does not have.
        """
        with pytest.raises(LabError, match="kms and sts only, not for 's3'"):
            lab.boto3_client(service="s3")

    @pytest.mark.usefixtures("machine")
    def test_nothing_of_the_machine(self, lab):
        """
        Neither profiles nor environment variables change where a client goes, who it is or how it tries again.
        """
        kms = lab.boto3_client()
        kms.create_key()

        assert kms.meta.endpoint_url == "https://kms.us-east-1.amazonaws.com"
        assert last(lab) == (ADMIN, REGION)

    def test_one_call_one_entry(self, lab, monkeypatch):
        """
        A fault of the service is not tried again: one call is one entry in the log.
        """

        def fail(call, **_params):
            raise KeyUnavailableException("words")

        monkeypatch.setattr(OPERATIONS["ListKeys"], "handler", fail)
        with pytest.raises(ClientError) as caught:
            lab.boto3_client().list_keys()

        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
        assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 0
        assert len(lab.world.log) == 1

    def test_goes_on_after_going_back(self, lab):
        """
        A client goes on in a world that was put back to a time before the client was made.
        """
        before = lab.fork()
        kms = lab.boto3_client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]

        lab.restore(before)

        with pytest.raises(kms.exceptions.NotFoundException):
            kms.describe_key(KeyId=key)

    def test_threads(self, lab):
        """
        Clients of several threads take turns: every call has its own entry.
        """
        kms = lab.boto3_client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        threads = [threading.Thread(target=lambda: [kms.describe_key(KeyId=key) for _ in range(20)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(lab.world.log) == 81

    def test_loaded_late(self):
        """
        boto3 is loaded when a client of it is asked for, not before.
        """
        program = (
            "import sys; from kms_lab import Lab; lab = Lab(); before = 'botocore' in sys.modules;"
            "lab.boto3_client(); print(before, 'botocore' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

        assert done.stdout.split() == ["False", "True"]


def application():
    """Code that has never heard of the lab."""
    kms = boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"hello")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"hello"
    return key


class TestBlock:
    @pytest.mark.usefixtures("machine")
    @pytest.mark.parametrize(
        "make",
        [
            lambda: boto3.client("kms"),
            lambda: boto3.Session().client("kms"),
            lambda: boto3.session.Session(region_name=REGION).client("kms", config=Config(read_timeout=1)),
            lambda: botocore.session.get_session().create_client("kms"),
            lambda: boto3.client("kms", endpoint_url="http://127.0.0.1:4566/deep/path"),
        ],
    )
    def test_however_it_is_made(self, lab, make):
        """
        A client of unmodified code talks to the lab as the block's principal, whatever the machine is set up for.
        """
        role = lab.iam.create_role("App", policies=[ALLOW_ALL])

        with lab.boto3(role):
            make().create_key()

        assert last(lab) == ("arn:aws:sts::111122223333:assumed-role/App/lab", REGION)
        assert lab.last_verdict.allowed

    def test_application(self, lab):
        """
        A program runs in the block as it is, in the Region of the block.
        """
        with lab.boto3(region="eu-central-1"):
            key = application()

        assert key.startswith("arn:aws:kms:eu-central-1:111122223333:key/")
        assert lab.key(key).state == "Enabled"

    def test_a_region_of_its_own(self, lab):
        """
        Code that chooses a Region gets that one.
        """
        with lab.boto3():
            boto3.client("kms", region_name="sa-east-1").list_keys()

        assert last(lab) == (ADMIN, "sa-east-1")

    def test_credentials_of_the_lab(self, lab):
        """
        A client that is given an access key of the lab is that key's principal, not the block's.
        """
        role = lab.iam.create_role("App")
        key = lab.credentials(role)

        with lab.boto3():
            who = boto3.client("sts", **with_key(key)).get_caller_identity()
            with pytest.raises(ClientError, match="assumed-role/App/lab is not authorized to perform: kms:ListKeys"):
                boto3.client("kms", **with_key(key)).list_keys()

        assert who["Arn"] == "arn:aws:sts::111122223333:assumed-role/App/lab"

    def test_assume_role(self, lab):
        """
        Code that assumes a role goes on as a session of it, until the credentials end on the lab's clock.
        """
        role = lab.iam.create_role("Reader", policies=[LIST_KEYS])
        with lab.boto3():
            answer = boto3.client("sts").assume_role(RoleArn=role, RoleSessionName="night", DurationSeconds=900)
            given = answer["Credentials"]
            kms = boto3.client(
                "kms",
                aws_access_key_id=given["AccessKeyId"],
                aws_secret_access_key=given["SecretAccessKey"],
                aws_session_token=given["SessionToken"],
            )
            kms.list_keys()
            with pytest.raises(ClientError, match="AccessDeniedException"):
                kms.create_key()
            lab.clock.travel(minutes=15)
            with pytest.raises(ClientError) as caught:
                kms.list_keys()

        assert caught.value.response["Error"]["Code"] == "ExpiredTokenException"
        trail = lab.events()
        assert [event["userIdentity"]["arn"].rpartition("/")[2] for event in trail] == ["night", "night"]
        assert {event["userIdentity"]["accessKeyId"] for event in trail} == {given["AccessKeyId"]}

    def test_refused_role(self, lab):
        """
        STS refuses under its own names, and botocore reads them.
        """
        with lab.boto3(), pytest.raises(ClientError) as caught:
            boto3.client("sts").assume_role(RoleArn="arn:aws:iam::111122223333:role/None", RoleSessionName="me")

        assert caught.value.response["Error"]["Code"] == "AccessDenied"
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403

    @pytest.mark.parametrize(
        ("keywords", "code"),
        [
            ({"aws_access_key_id": "AKIAOFAWS", "aws_secret_access_key": "x"}, "UnrecognizedClientException"),
            ({"config": Config(signature_version=UNSIGNED)}, "MissingAuthenticationTokenException"),
        ],
    )
    def test_strangers(self, lab, keywords, code):
        """
        Unknown credentials, and none, are refused by KMS's names, and by STS's from STS.
        """
        with lab.boto3():
            with pytest.raises(ClientError) as caught:
                boto3.client("kms", **keywords).list_keys()
            with pytest.raises(ClientError) as from_sts:
                boto3.client("sts", **keywords).get_caller_identity()

        assert caught.value.response["Error"]["Code"] == code
        assert from_sts.value.response["Error"]["Code"] in ("InvalidClientTokenId", "MissingAuthenticationToken")
        assert len(lab.world.log) == 0

    def test_wrong_secret(self, lab):
        """
        A key of the lab with a wrong secret gives a signature that does not match.
        """
        key = lab.credentials(ADMIN)
        with lab.boto3(), pytest.raises(ClientError, match="InvalidSignatureException"):
            boto3.client("kms", aws_access_key_id=key.id, aws_secret_access_key="wrong").list_keys()

    @pytest.mark.parametrize(
        ("service", "method", "params"),
        [
            ("s3", "list_buckets", {}),
            ("s3", "get_object", {"Bucket": "b", "Key": "k"}),
            ("dynamodb", "list_tables", {}),
            ("ec2", "describe_instances", {}),
            ("iam", "list_users", {}),
            ("secretsmanager", "list_secrets", {}),
            ("lambda", "list_functions", {}),
            ("sqs", "list_queues", {}),
        ],
    )
    def test_other_services(self, lab, service, method, params):
        """
        A client of any other service raises a clear error, and reaches no network.
        """
        with lab.boto3(), pytest.raises(LabError, match="was not sent: the lab answers for kms and sts only"):
            getattr(boto3.client(service), method)(**params)

    def test_no_metadata_service(self, lab):
        """
        Nothing asks the machine's metadata service: not for credentials, and in no roundabout way.
        """
        from botocore.utils import InstanceMetadataFetcher

        with lab.boto3():
            assert boto3.Session().get_credentials().method == "env"
            assert InstanceMetadataFetcher().retrieve_iam_role_credentials() == {}

    @pytest.mark.usefixtures("machine")
    def test_profiles(self, lab):
        """
        A named profile of the machine does not exist in the block.
        """
        with lab.boto3(), pytest.raises(ProfileNotFound):
            boto3.Session(profile_name="app")

    @pytest.mark.parametrize(
        "own", [None, Config(retries={"mode": "legacy", "max_attempts": 2}), Config(retries={"mode": "adaptive"})]
    )
    def test_trying_again(self, lab, monkeypatch, own):
        """
        Code that tries again does so, each time with an entry in the log, without waiting in real time.
        """

        def fail(call, **_params):
            raise KeyUnavailableException("words")

        waited = []
        monkeypatch.setattr(OPERATIONS["ListKeys"], "handler", fail)
        monkeypatch.setattr(time, "sleep", waited.append)
        with lab.boto3(), pytest.raises(ClientError) as caught:
            boto3.client("kms", config=own).list_keys()

        assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 2
        assert len(lab.world.log) == 3
        assert waited == []

    def test_threads(self, lab):
        """
        While the block lasts, clients of other threads talk to the lab as well.
        """
        made = []
        with lab.boto3():
            threads = [threading.Thread(target=lambda: made.append(application())) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        assert len(set(made)) == 4
        assert len(lab.world.log) == 12


class TestAroundTheBlock:
    def seen(self):
        """Everything that a block changes."""
        return (
            {name: value for name, value in os.environ.items() if name.startswith(("AWS", "BOTO"))},
            boto3.DEFAULT_SESSION,
            URLLib3Session.__init__,
            URLLib3Session.send,
            botocore.endpoint.time,
        )

    @pytest.mark.usefixtures("machine")
    def test_everything_is_restored(self, lab, monkeypatch):
        """
        After the block, ended well or by an error, everything is as it was before, also what the block's code set.
        """
        monkeypatch.setattr(
            boto3,
            "DEFAULT_SESSION",
            boto3.Session(region_name="eu-west-3", aws_access_key_id="x", aws_secret_access_key="x"),
        )
        before = self.seen()

        def fail_inside():
            with lab.boto3():
                boto3.setup_default_session(region_name="eu-north-1")
                os.environ["AWS_REGION"] = "changed"
                assert os.environ["AWS_ACCESS_KEY_ID"] == lab.credentials(ADMIN).id
                raise ZeroDivisionError

        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                fail_inside()
            assert self.seen() == before

    def test_nested(self, lab):
        """
        Blocks may be nested: each client belongs to the block and the lab that it was made in.
        """
        other = Lab(seed=8)
        role = other.iam.create_role("App")
        before = self.seen()
        with lab.boto3():
            outer = boto3.client("sts")
            with other.boto3(role):
                assert boto3.client("sts").get_caller_identity()["Arn"].endswith("assumed-role/App/lab")
                assert outer.get_caller_identity()["Arn"] == ADMIN
            assert boto3.client("sts").get_caller_identity()["Arn"] == ADMIN
        assert self.seen() == before

    @pytest.mark.usefixtures("machine")
    @pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (1, 2, 0), (2, 0, 1)])
    def test_ended_in_any_order(self, lab, order):
        """
        Blocks of several threads or generators end in any order: while one is open nothing gets past the labs, the
        clients of a block last as long as it does, and after the last one everything is as it was before.
        """
        labs = [lab, Lab(seed=8), Lab(seed=9)]
        before = self.seen()
        blocks = [one.boto3() for one in labs]
        clients = []
        for block in blocks:
            block.__enter__()
            clients.append(boto3.client("kms"))

        for number, ended in enumerate(order):
            blocks[ended].__exit__(None, None, None)
            with pytest.raises(LabError, match="which is over"):
                clients[ended].list_keys()
            open_ones = sorted(set(order[number + 1 :]))
            for which in open_ones:
                clients[which].list_keys()
            if open_ones:
                entries = len(labs[open_ones[-1]].world.log)
                boto3.client("kms").list_keys()
                assert len(labs[open_ones[-1]].world.log) == entries + 1

        assert self.seen() == before

    def test_made_before(self, lab):
        """
        A client from before the block signs with a key that the lab does not know: it is refused, and nothing is sent.
        """
        kms = boto3.client("kms", region_name=REGION, aws_access_key_id="AKIAOFAWS", aws_secret_access_key="x")

        with lab.boto3(), pytest.raises(ClientError, match="UnrecognizedClientException"):
            kms.list_keys()

    def test_used_after(self, lab):
        """
        A client that outlives its block refuses to send anything.
        """
        with lab.boto3():
            kms = boto3.client("kms")
            kms.list_keys()

        with pytest.raises(LabError, match="made in a block of the lab, which is over"):
            kms.list_keys()
        assert len(lab.world.log) == 1

    def test_a_lab_client_inside(self, lab):
        """
        A client of one lab keeps to its lab in the block of another.
        """
        other = Lab(seed=8)
        kms = other.boto3_client()
        with lab.boto3():
            kms.list_keys()
            other.boto3_client().list_keys()

        assert (len(lab.world.log), len(other.world.log)) == (0, 2)

    def test_going_back_inside(self, lab):
        """
        A block goes on in a world that was put back to a time before the block began.
        """
        before = lab.fork()
        with lab.boto3():
            kms = boto3.client("kms")
            kms.create_key()
            lab.restore(before)
            assert kms.list_keys()["Keys"] == []
