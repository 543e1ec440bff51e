"""The first cell of a notebook, and the corridor behind it from end to end."""

from itertools import pairwise

import boto3
import pytest

from kms_lab import KMSError, Lab, LabError, ParameterError
from kms_lab.core.clock import DAY_US
from kms_lab.core.errors import AccessDeniedException, DisabledException, InvalidCiphertextException
from kms_lab.lab import ADMIN, REGION


@pytest.fixture
def lab():
    return Lab(seed=7)


def test_round_trip(lab):
    """
    What Encrypt makes, Decrypt opens, without being told the key.
    """
    kms = lab.client()
    key = kms.create_key(Description="orders")["KeyMetadata"]["KeyId"]

    blob = kms.encrypt(KeyId=key, Plaintext=b"hello", EncryptionContext={"tenant": "a"})["CiphertextBlob"]

    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"tenant": "a"})["Plaintext"] == b"hello"
    with pytest.raises(InvalidCiphertextException):
        kms.decrypt(CiphertextBlob=blob, EncryptionContext={"tenant": "b"})


def test_rotation_every_90_days_for_ten_years(lab):
    """
    Ten years of 90-day rotation give 41 materials, each with its own date, and every ciphertext still opens.
    """
    kms = lab.client()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    blobs = [kms.encrypt(KeyId=key, Plaintext=b"before")["CiphertextBlob"]]

    for _ in range(5):
        lab.clock.travel(days=730.5)
        blobs.append(kms.encrypt(KeyId=key, Plaintext=b"later")["CiphertextBlob"])

    materials = lab.key(key).materials
    assert len(materials) == 41
    dates = [one.since_us for one in materials]
    assert {later - earlier for earlier, later in pairwise(dates)} == {90 * DAY_US}
    assert [kms.decrypt(CiphertextBlob=blob)["Plaintext"] for blob in blobs] == [b"before"] + [b"later"] * 5


def test_role_without_policy_is_refused(lab):
    """
    A role that no policy allows is refused, and the error carries the verdict.
    """
    key = lab.client().create_key()["KeyMetadata"]["KeyId"]
    app = lab.client(principal=lab.iam.create_role("App"))

    with pytest.raises(AccessDeniedException) as refused:
        app.encrypt(KeyId=key, Plaintext=b"x")

    assert refused.value.message == (
        "User: arn:aws:sts::111122223333:assumed-role/App/lab is not authorized to perform: kms:Encrypt "
        f"on resource: {lab.key(key).arn} because no identity-based policy allows the kms:Encrypt action"
    )
    told, last = refused.value.evidence["verdict"], lab.last_verdict
    assert (told.reason, told.sentence) == (last.reason, last.sentence)


def test_disabled_key(lab):
    """
    A disabled key refuses to encrypt, in boto3's error shape.
    """
    kms = lab.client()
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    kms.disable_key(KeyId=arn)

    with pytest.raises(DisabledException) as refused:
        kms.encrypt(KeyId=arn, Plaintext=b"x")

    assert refused.value.response["Error"] == {"Code": "DisabledException", "Message": f"{arn} is disabled."}
    assert str(refused.value) == (
        f"An error occurred (DisabledException) when calling the Encrypt operation: {arn} is disabled."
    )


def test_unsent_call_leaves_no_trace(lab):
    """
    What boto3 itself refuses is never sent: no entry in the log.
    """
    kms = lab.client()
    with pytest.raises(ParameterError, match='Missing required parameter in input: "KeyId"'):
        kms.encrypt(Plaintext=b"x")

    assert len(lab.world.log) == 0


def test_saved_lab_comes_back(lab, tmp_path):
    """
    A lab saved to a file and loaded opens what was encrypted before, and goes on as the original would.
    """
    kms = lab.client()
    key = kms.create_key(Tags=[{"TagKey": "team", "TagValue": "blue"}])["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/orders", TargetKeyId=key)
    kms.enable_key_rotation(KeyId=key)
    blob = kms.encrypt(KeyId="alias/orders", Plaintext=b"kept")["CiphertextBlob"]

    lab.save(tmp_path / "lab.json")
    twin = Lab.load(tmp_path / "lab.json")

    assert twin.world.to_data() == lab.world.to_data()
    assert twin.client().decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
    for one in (lab, twin):
        one.clock.travel(days=800)
    assert twin.client().create_key()["KeyMetadata"] == lab.client().create_key()["KeyMetadata"]


def test_fork_goes_its_own_way(lab):
    """
    What happens in a fork does not happen in the lab.
    """
    kms = lab.client()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    before = lab.world.to_data()

    twin = lab.fork()
    twin.client().schedule_key_deletion(KeyId=key)
    twin.clock.travel(days=40)

    assert lab.world.to_data() == before
    with pytest.raises(KMSError):
        twin.client().describe_key(KeyId=key)


def test_unknown_principal_gets_advice(lab):
    """
    A client for somebody who does not exist says how to make them.
    """
    with pytest.raises(LabError, match=r"lab.iam.create_role\('Ghost'"):
        lab.client(principal="arn:aws:iam::111122223333:role/Ghost")


@pytest.mark.parametrize(
    ("policies", "advice"),
    [
        ({"Version": "2012-10-17", "Statement": []}, r"put \[ \] around"),
        ('{"Version": "2012-10-17"}', r"put \[ \] around"),
        ([...], "a policy is a dict or JSON text"),
        (["{not json"], "not well formed"),
    ],
)
def test_policies_that_are_no_policies(lab, policies, advice):
    """
    What cannot be an identity policy is refused with advice, and changes nothing.
    """
    role = lab.iam.create_role("App")

    with pytest.raises(LabError, match=advice):
        lab.iam.put_policies(role, policies)

    assert lab.iam.policies(role) == []


def test_a_name_is_taken_under_any_path(lab):
    """
    A second role of the same name is refused, also under another path: sessions do not show the path.
    """
    lab.iam.create_role("App")
    lab.iam.create_user("App")
    lab.iam.create_role("App", account="444455556666")

    for name in ("App", "team/App"):
        with pytest.raises(LabError, match=r"role/App exists already"):
            lab.iam.create_role(name)


def test_a_distance_or_a_moment(lab):
    """
    A journey has a distance or an end; with both the clock does not move.
    """
    before = lab.clock.now

    with pytest.raises(ValueError, match="but not both"):
        lab.clock.travel(days=1, to=before)
    assert lab.clock.now == before


def test_a_key_shows_itself_in_one_line(lab):
    """
    A key's record shows what it is, and neither its policy nor a secret.
    """
    key = lab.key(lab.client().create_key()["KeyMetadata"]["KeyId"])

    assert repr(key) == f"<Key {key.arn}: SYMMETRIC_DEFAULT, ENCRYPT_DECRYPT, Enabled>"
    assert repr(lab.iam) == "<iam: 1 users and roles; list() names them>"


class TestBookmarks:
    def test_rewinding_undoes_everything(self):
        """
        Keys, log, bill and clock are as they were, and clients made before go on from there.
        """
        lab = Lab(seed=3)
        kms = lab.client()
        kms.create_key()
        lab.bookmark("before")
        before = lab.world.fork().to_data()
        kms.create_key()
        lab.clock.travel(days=40)

        lab.rewind("before")

        assert lab.world.to_data() == before
        assert len(kms.list_keys()["Keys"]) == 1

    def test_a_bookmark_can_be_used_again_and_others_stay(self):
        """
        What happens after a rewind does not touch the bookmark, and a later one leads forward again.
        """
        lab = Lab(seed=3)
        kms = lab.client()
        lab.bookmark("empty")
        kms.create_key()
        lab.bookmark("one key")
        for _ in range(2):
            lab.rewind("empty")
            assert kms.list_keys()["Keys"] == []
            kms.create_key()
            kms.create_key()
        lab.rewind("one key")
        assert len(kms.list_keys()["Keys"]) == 1

    def test_an_unknown_bookmark_is_named_with_those_there_are(self):
        """
        The error says which bookmarks there are.
        """
        lab = Lab()
        lab.bookmark("here")
        with pytest.raises(LabError, match="'here'"):
            lab.rewind("there")

    def test_credentials_outlive_a_rewind(self):
        """
        A program that was given credentials can go on using them after the lab went back to before they were made.
        """
        lab = Lab(seed=3)
        lab.bookmark("before")
        key = lab.credentials(ADMIN)
        with lab.serve() as url:
            kms = boto3.client(
                "kms",
                endpoint_url=url,
                region_name=REGION,
                aws_access_key_id=key.id,
                aws_secret_access_key=key.secret,
            )
            kms.create_key()
            lab.rewind("before")
            assert kms.list_keys()["Keys"] == []

    def test_looking_leaves_no_trace(self):
        """
        Asking for keys of accounts and Regions that have none leaves the saved lab as it was, but for the log.
        """
        lab = Lab(seed=3)
        shelves = len(lab.world.shelves)
        for region in ("eu-west-1", "eu-west-2"):
            with pytest.raises(LookupError):
                lab.key("alias/nowhere", region=region)
            with pytest.raises(KMSError):
                lab.client(region=region).describe_key(KeyId=f"arn:aws:kms:{region}:444455556666:alias/nowhere")
        assert len(lab.world.shelves) == shelves


def test_explain(lab):
    """
    The last verdict, or one that was asked for, can be looked at; before the first call there is none.
    """
    with pytest.raises(LabError, match="no call has been decided yet"):
        lab.explain()
    key = lab.client().create_key()["KeyMetadata"]["KeyId"]
    refused = lab.may(lab.iam.create_role("App"), "kms:Encrypt", key)

    assert str(lab.explain(refused)) == refused.explain()
    assert str(lab.explain()) == lab.last_verdict.explain()
    assert refused.sentence in str(lab.explain(refused))
    assert "<details" in lab.explain()._repr_html_()
