"""Three doors, one KMS: the same script gives equal answers, equal errors and equal worlds, the log included."""

import json
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError

from kms_lab import KMSError, Lab, ParameterError
from kms_lab.core.circumstances import Circumstances
from kms_lab.doors.wire import NO_REQUEST_ID
from kms_lab.lab import ADMIN, REGION
from kms_lab.service.operation import OPERATIONS
from tests.service.conftest import EVERYDAY, Stage, new_key

#: what OpenSSL draws at random, even in a lab with a seed: there the answers agree in everything else
RANDOM = {
    "Encapsulate": {"SharedSecret", "SharedSecretCiphertextBlob"},
    "GetParametersForImport": {"ImportToken", "PublicKey"},
    "Sign": {"Signature"},
}


@contextmanager
def own_client(lab, **how):
    """The lab's own client."""
    how["session_tags"] = dict(how.get("session_tags", ()))
    yield partial(lab.client, **how)


@contextmanager
def real_boto3(lab, **how):
    """boto3's client of the lab."""
    yield partial(lab.boto3_client, how=Circumstances(**how))


@contextmanager
def unmodified(lab, **how):
    """What boto3 makes in a block of the lab, given credentials of the principal."""

    def make(principal=ADMIN, region=REGION):
        return boto3.client("kms", region_name=region, **credentials(lab, principal, **how))

    with lab.boto3(how=Circumstances(**how)):
        yield make


@contextmanager
def loopback(lab, **how):
    """boto3, over HTTP."""
    config = Config(retries={"total_max_attempts": 1}, inject_host_prefix=False)
    with lab.serve(how=Circumstances(**how)) as url:

        def make(principal=ADMIN, region=REGION):
            given = credentials(lab, principal, **how)
            return boto3.client("kms", endpoint_url=url, region_name=region, config=config, **given)

        yield make


ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}
LOOK = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:Describe*", "Resource": "*"}]}
#: circumstances of a call, as ``Circumstances`` has them
HOW = {
    "endpoint": {"source_ip": "10.0.0.7"},
    "address": {"source_ip": "203.0.113.9"},
    "service": {"via": "s3"},
    "policy": {"session_policy": json.dumps(LOOK)},
    "identity": {"source_identity": "Ann", "session_tags": (("team", "a"),)},
}
DOORS = {"client": own_client, "boto3": real_boto3, "block": unmodified, "http": loopback}


def credentials(lab, principal, **how):
    key = lab.credentials(principal, Circumstances(**how))
    return {
        "aws_access_key_id": key.id,
        "aws_secret_access_key": key.secret,
        "aws_session_token": key.token or None,
    }


def told(call, **params):
    """What a caller hears, in the same form through every door."""
    try:
        answer = call(**params)
    except (ParameterError, ParamValidationError) as unsent:
        return "never sent", str(unsent).partition(":\n")[2]
    except (KMSError, ClientError) as error:
        words = str(error).replace(" (reached max retries: 0)", "")
        return "refused", words, error.operation_name, plain(error.response)
    return "answered", plain(answer)


def plain(answer):
    """An answer without what only HTTP has."""
    metadata = dict(answer["ResponseMetadata"])
    metadata.pop("HTTPHeaders", None)
    metadata.pop("MaxAttemptsReached", None)
    if metadata["RequestId"] == NO_REQUEST_ID:
        metadata["RequestId"] = ""
    return {**answer, "ResponseMetadata": metadata}


def world(lab):
    """The whole state of a lab, without the credentials that only signed requests need."""
    state = lab.world.to_data()
    del state["access_keys"]
    return state


def through(name, start, script, **how):
    """Run a script through a door of a copy of a lab. Return what it heard, and the world that it left."""
    lab = start.fork()
    with DOORS[name](lab, **how) as client:
        return script(lab, client), world(lab)


def without_chance(operation, heard):
    """What was heard, without what OpenSSL drew at random."""
    kind, answer = heard
    return kind, {name: value for name, value in answer.items() if name not in RANDOM.get(operation, ())}


@pytest.fixture(scope="module")
def started():
    """For each operation, a lab in which its everyday call can be made, and the call's parameters."""
    made = {}

    def start(operation):
        if operation not in made:
            lab = Lab(seed=7)
            kms = lab.client()
            key, other = new_key(kms), new_key(kms)
            kms.create_alias(AliasName="alias/key", TargetKeyId=key)
            kms.create_alias(AliasName="alias/other", TargetKeyId=other)
            kms.tag_resource(KeyId=key, Tags=[{"TagKey": "team", "TagValue": "blue"}])
            blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
            if operation == "CancelKeyDeletion":
                kms.schedule_key_deletion(KeyId=key)
            params = EVERYDAY[operation](Stage(lab, kms, key, other, blob))
            lab.world.to_data()  # RSA keys that nobody has used yet are made now, for all doors
            made[operation] = lab, params
        return made[operation]

    return start


@pytest.mark.parametrize("door", [name for name in DOORS if name != "client"])
class TestAgreement:
    @pytest.mark.parametrize("how", HOW)
    def test_circumstances(self, door, how):
        """
        How a call comes, and what its session was given, decides alike through every door, and is logged alike.
        """
        lab = Lab(seed=7)
        key = new_key(lab.client())
        endpoint = lab.vpc.create_endpoint({**ALLOW, "Statement": [{**ALLOW["Statement"][0], "Principal": "*"}]})
        lab.iam.create_role("App", policies=[ALLOW])
        given = {**HOW[how], **({"endpoint": endpoint} if how == "endpoint" else {})}

        def script(lab, client):
            kms = client(f"arn:aws:iam::{lab.key(key).account}:role/App")
            return [told(kms.describe_key, KeyId=key), told(kms.disable_key, KeyId=key)], lab.events()[-2:]

        plainly, expected = through("client", lab, script), through("client", lab, script, **given)
        assert through(door, lab, script, **given) == expected
        assert expected != plainly

    @pytest.mark.parametrize("operation", sorted(OPERATIONS))
    def test_every_operation(self, started, door, operation):
        """
        Each operation refuses a stranger and answers an administrator alike, in words, world and log.
        """
        lab, params = started(operation)
        method = OPERATIONS[operation].method

        def script(lab, client):
            stranger = lab.iam.create_role("Stranger")
            return [told(getattr(client(who), method), **params) for who in (stranger, ADMIN)]

        (refused, answered), left = through("client", lab, script)
        (refused_there, answered_there), left_there = through(door, lab, script)

        assert answered[0] == "answered"
        assert refused_there == refused
        assert without_chance(operation, answered_there) == without_chance(operation, answered)
        assert left_there == left

    def test_a_session(self, door):
        """
        A long session of several callers in several Regions, with refusals of many kinds, is the same.
        """
        heard, left = through("client", Lab(seed=7), long_session)
        heard_there, left_there = through(door, Lab(seed=7), long_session)

        assert {one[0] for one in heard} == {"answered", "refused", "never sent"}
        for number, (ours, theirs) in enumerate(zip(heard, heard_there)):
            assert theirs == ours, f"step {number}"
        assert len(heard_there) == len(heard) > 45
        assert left_there == left


def long_session(lab, client):
    """Do many things, in good order and in bad; return what was heard."""
    heard = []

    def do(call, **params):
        heard.append(told(call, **params))
        return heard[-1][1]

    app = lab.iam.create_role("app/App", policies=[])
    partner = lab.iam.create_user("Partner", account="444455556666")
    root, admin = client("arn:aws:iam::111122223333:root"), client()
    kms, europe, far = client(app), client(region="eu-west-1"), client(partner)

    key = do(admin.create_key, Description="Schlüssel – ключ", Tags=[{"TagKey": "team", "TagValue": "a"}])[
        "KeyMetadata"
    ]["Arn"]
    do(admin.create_alias, AliasName="alias/orders", TargetKeyId=key)
    do(admin.create_alias, AliasName="alias/orders", TargetKeyId=key)
    do(admin.create_alias, AliasName="orders", TargetKeyId=key)
    do(admin.create_alias, AliasName="alias/aws/mine", TargetKeyId=key)
    blob = do(admin.encrypt, KeyId="alias/orders", Plaintext=b"\x00\xff", EncryptionContext={"ä": "ö", "": ""})[
        "CiphertextBlob"
    ]
    do(admin.decrypt, CiphertextBlob=blob, EncryptionContext={"ä": "ö", "": ""})
    do(admin.decrypt, CiphertextBlob=blob, EncryptionContext={"ä": "other"})
    do(admin.decrypt, CiphertextBlob=blob[:-1] + b"\x00", EncryptionContext={"ä": "ö", "": ""})
    do(admin.decrypt, CiphertextBlob=b"no ciphertext")
    do(admin.decrypt, CiphertextBlob=b"")
    do(admin.decrypt)
    do(admin.encrypt, KeyId=key)
    do(admin.encrypt, KeyID=key, Plaintext=b"")
    do(admin.encrypt, KeyId=key, Plaintext=b"x" * 4097)
    do(admin.encrypt, KeyId=key, Plaintext="text")
    do(admin.encrypt, KeyId=key, Plaintext=bytearray(b"array"))
    do(admin.encrypt, KeyId=key, Plaintext=5)
    do(admin.encrypt, KeyId=key, Plaintext=b"x", EncryptionAlgorithm="ROT13")
    do(admin.encrypt, KeyId=key, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    do(admin.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"a": 1})
    do(admin.encrypt, KeyId=key, Plaintext=b"x", GrantTokens=["nonsense"])
    do(admin.encrypt, KeyId=key, Plaintext=b"x", DryRun=True)
    do(admin.sign, KeyId=key, Message=b"x", SigningAlgorithm="ECDSA_SHA_256")
    do(admin.generate_data_key, KeyId=key)
    do(admin.generate_data_key, KeyId=key, KeySpec="AES_256", NumberOfBytes=32)
    do(admin.generate_random, NumberOfBytes=0)
    do(admin.generate_random, NumberOfBytes=1025)
    do(admin.generate_random)
    do(admin.describe_key, KeyId="nothing")
    do(admin.describe_key, KeyId="alias/nothing")
    do(admin.describe_key, KeyId=key.replace("us-east-1", "eu-west-1"))
    do(europe.describe_key, KeyId=key)
    do(europe.list_aliases)
    do(root.describe_key, KeyId=key)
    do(kms.encrypt, KeyId=key, Plaintext=b"x")
    do(far.encrypt, KeyId=key, Plaintext=b"x")
    do(far.describe_key, KeyId="alias/orders")
    grant = do(admin.create_grant, KeyId=key, GranteePrincipal=app, Operations=["Encrypt", "Decrypt"], Name="g")
    do(kms.encrypt, KeyId=key, Plaintext=b"x", GrantTokens=[grant["GrantToken"]])
    lab.clock.travel(minutes=5)
    do(kms.encrypt, KeyId=key, Plaintext=b"x")
    do(admin.list_grants, KeyId=key)
    do(admin.put_key_policy, KeyId=key, Policy="{}")
    do(admin.put_key_policy, KeyId=key, Policy="no JSON")
    do(admin.enable_key_rotation, KeyId=key, RotationPeriodInDays=89)
    do(admin.enable_key_rotation, KeyId=key, RotationPeriodInDays=90)
    lab.clock.travel(days=100, seconds=0.123456)
    do(admin.list_key_rotations, KeyId=key)
    do(admin.get_key_rotation_status, KeyId=key)
    do(admin.disable_key, KeyId=key)
    do(admin.encrypt, KeyId=key, Plaintext=b"x")
    do(admin.schedule_key_deletion, KeyId=key, PendingWindowInDays=6)
    do(admin.schedule_key_deletion, KeyId=key, PendingWindowInDays=7)
    do(admin.encrypt, KeyId=key, Plaintext=b"x")
    do(admin.list_keys, Limit=1, Marker="nonsense")
    do(admin.tag_resource, KeyId=key, Tags=[{"TagKey": "aws:x", "TagValue": ""}])
    do(admin.tag_resource, KeyId=key, Tags=[{"TagKey": "x" * 129, "TagValue": ""}])
    do(admin.get_public_key, KeyId=key)
    do(
        admin.import_key_material,
        KeyId=key,
        ImportToken=b"x",
        EncryptedKeyMaterial=b"x",
        ValidTo=lab.clock.now + timedelta(1),
    )
    lab.clock.travel(days=8)
    do(admin.describe_key, KeyId=key)
    do(admin.list_keys)
    return heard
