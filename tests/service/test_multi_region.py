"""Multi-Region keys: what related keys share, what each has for itself, and the seconds that changes take."""

import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_der_public_key

from kms_lab import KMSError, Lab
from kms_lab.lab import ADMIN
from kms_lab.service.operations import keys
from kms_lab.service.operations.multi_region import CREATING_US, UPDATING_US
from tests.service.conftest import answer, code, method, new_family, new_key, refusal, sender

HOME = "111122223333"
HERE, THERE, ELSEWHERE = "us-east-1", "eu-west-1", "ap-south-1"
CREATING, UPDATING = (timedelta(microseconds=us) for us in (CREATING_US, UPDATING_US))
INSTANT = timedelta(microseconds=1)
CONTEXT = {"tenant": "a"}
MATERIAL = b"m" * 32
ROOT = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{HOME}:root"}, "Action": "kms:*", "Resource": "*"}


def in_region(arn, region):
    """The ARN of the related key in another Region."""
    return arn.replace(HERE, region)


def import_material(client, arn, secret=MATERIAL, **more):
    """Import material into a key as its owner would."""
    asked = client.get_parameters_for_import(
        KeyId=arn, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
    wrapped = load_der_public_key(asked["PublicKey"]).encrypt(secret, oaep)
    return client.import_key_material(KeyId=arn, ImportToken=asked["ImportToken"], EncryptedKeyMaterial=wrapped, **more)


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def allow(*actions, resource="*", **more):
    """An identity policy with one statement."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def describe(lab, arn):
    return lab.client(region=arn.split(":")[3]).describe_key(KeyId=arn)["KeyMetadata"]


def state(lab, arn):
    return describe(lab, arn)["KeyState"]


@pytest.fixture
def there(lab):
    """An administrator's client in eu-west-1."""
    return lab.client(region=THERE)


@pytest.fixture
def primary(kms):
    """The ARN of a multi-Region key without replicas, in us-east-1."""
    return new_key(kms, MultiRegion=True)


@pytest.fixture
def family(lab):
    """The ARN of a multi-Region key in us-east-1 with a replica in eu-west-1, ready."""
    return new_family(lab, THERE)


class TestAnswer:
    def test_new_replica(self, lab, kms, primary):
        """
        ReplicateKey answers with the replica as it is: Creating, of the same id, with a policy and tags of its own.
        """
        lab.clock.travel(days=3)

        response = kms.replicate_key(KeyId=primary, ReplicaRegion=THERE)

        metadata = response["ReplicaKeyMetadata"]
        assert metadata["Arn"] == in_region(primary, THERE)
        assert metadata["KeyId"] == primary.rpartition("/")[2]
        assert (metadata["KeyState"], metadata["Enabled"], metadata["Description"]) == ("Creating", False, "")
        assert metadata["CreationDate"] == lab.clock.now
        assert "CurrentKeyMaterialId" not in metadata
        assert json.loads(response["ReplicaPolicy"])["Id"] == "key-default-1"
        assert "ReplicaTags" not in response  # as recorded for a replica without tags
        assert metadata["MultiRegionConfiguration"] == {
            "MultiRegionKeyType": "REPLICA",
            "PrimaryKey": {"Arn": primary, "Region": HERE},
            "ReplicaKeys": [{"Arn": in_region(primary, THERE), "Region": THERE}],
        }

    def test_everything_given(self, lab, kms, there, primary):
        """
        Policy, description and tags of the call become the replica's, and are answered.
        """
        text, tags = policy(ROOT), [{"TagKey": "team", "TagValue": "blue"}]

        response = kms.replicate_key(KeyId=primary, ReplicaRegion=THERE, Policy=text, Description="copy", Tags=tags)

        replica = in_region(primary, THERE)
        assert (response["ReplicaPolicy"], response["ReplicaTags"]) == (text, tags)
        assert response["ReplicaKeyMetadata"]["Description"] == "copy"
        assert there.get_key_policy(KeyId=replica)["Policy"] == text
        assert there.list_resource_tags(KeyId=replica)["Tags"] == tags
        assert describe(lab, replica)["Description"] == "copy"

    def test_relatives_know_each_other(self, lab, kms, primary):
        """
        Every related key lists the primary, and all replicas by Region.
        """
        for region in (THERE, ELSEWHERE):
            kms.replicate_key(KeyId=primary, ReplicaRegion=region)

        for region, kind in ((HERE, "PRIMARY"), (THERE, "REPLICA"), (ELSEWHERE, "REPLICA")):
            assert describe(lab, in_region(primary, region))["MultiRegionConfiguration"] == {
                "MultiRegionKeyType": kind,
                "PrimaryKey": {"Arn": primary, "Region": HERE},
                "ReplicaKeys": [{"Arn": in_region(primary, one), "Region": one} for one in (ELSEWHERE, THERE)],
            }

    def test_keys_of_one_region_have_no_configuration(self, lab, kms, key):
        """
        A key of a single Region has no MultiRegionConfiguration.
        """
        assert "MultiRegionConfiguration" not in describe(lab, key)


#: property: how it is read with a client and a key, and how it is changed there
INDEPENDENT = {
    "policy": (
        lambda kms, key: kms.get_key_policy(KeyId=key)["Policy"],
        lambda kms, key: kms.put_key_policy(KeyId=key, Policy=policy(ROOT, ROOT)),
    ),
    "tags": (
        lambda kms, key: kms.list_resource_tags(KeyId=key)["Tags"],
        lambda kms, key: kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}]),
    ),
    "aliases": (
        lambda kms, key: kms.list_aliases(KeyId=key)["Aliases"],
        lambda kms, key: kms.create_alias(AliasName="alias/mine", TargetKeyId=key),
    ),
    "description": (
        lambda kms, key: kms.describe_key(KeyId=key)["KeyMetadata"]["Description"],
        lambda kms, key: kms.update_key_description(KeyId=key, Description="mine"),
    ),
    "enabled or disabled": (
        lambda kms, key: kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"],
        lambda kms, key: kms.disable_key(KeyId=key),
    ),
    "deletion": (
        lambda kms, key: kms.describe_key(KeyId=key)["KeyMetadata"].get("DeletionDate"),
        lambda kms, key: kms.schedule_key_deletion(KeyId=key),
    ),
    "grants": (
        lambda kms, key: [one["GrantId"] for one in kms.list_grants(KeyId=key)["Grants"]],
        lambda kms, key: kms.create_grant(KeyId=key, GranteePrincipal=ADMIN, Operations=["Decrypt"]),
    ),
    "last usage": (
        lambda kms, key: kms.get_key_last_usage(KeyId=key)["KeyLastUsage"],
        lambda kms, key: kms.encrypt(KeyId=key, Plaintext=b"x"),
    ),
}


class TestIndependent:
    @pytest.mark.parametrize("what", INDEPENDENT)
    def test_each_key_has_its_own(self, kms, there, family, what):
        """
        Changing this on a replica does not change the primary.
        """
        read, change = INDEPENDENT[what]
        replica = in_region(family, THERE)
        before = read(there, replica)

        here = read(kms, family)
        change(there, replica)

        assert read(there, replica) != before
        assert read(kms, family) == here

    @pytest.mark.parametrize("what", ["tags", "aliases", "description", "policy", "grants"])
    def test_not_taken_over(self, kms, there, primary, what):
        """
        What the primary has of this when it is replicated stays with the primary.
        """
        read, change = INDEPENDENT[what]
        change(kms, primary)

        kms.replicate_key(KeyId=primary, ReplicaRegion=THERE)

        assert read(there, in_region(primary, THERE)) != read(kms, primary)


KINDS = [
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
    ("RSA_2048", "ENCRYPT_DECRYPT"),
    ("RSA_2048", "SIGN_VERIFY"),
    ("ECC_NIST_P256", "SIGN_VERIFY"),
    ("HMAC_256", "GENERATE_VERIFY_MAC"),
]


class TestShared:
    @pytest.mark.parametrize(("spec", "usage"), KINDS)
    def test_metadata(self, lab, kms, spec, usage):
        """
        Related keys have the same id, spec, usage, origin, algorithms and material id.
        """
        arn = new_family(lab, THERE, KeySpec=spec, KeyUsage=usage)
        own = {"Arn", "CreationDate", "MultiRegionConfiguration"}

        here, there = (describe(lab, in_region(arn, region)) for region in (HERE, THERE))

        assert {k: v for k, v in here.items() if k not in own} == {k: v for k, v in there.items() if k not in own}
        assert here["Arn"] != there["Arn"]

    @pytest.mark.parametrize(("spec", "usage"), KINDS)
    def test_material(self, lab, spec, usage):
        """
        Related keys have the same material, also where the primary had never needed it before.
        """
        arn = new_family(lab, THERE, KeySpec=spec, KeyUsage=usage)

        here, there = (lab.key(in_region(arn, region)) for region in (HERE, THERE))

        assert all(one.secret for one in here.materials)
        assert [(one.id, one.secret) for one in here.materials] == [(one.id, one.secret) for one in there.materials]

    def test_rotation_settings(self, kms, there, primary):
        """
        A replica is made with its primary's rotation: on, with the same period and next date, and all old materials.
        """
        kms.enable_key_rotation(KeyId=primary, RotationPeriodInDays=100)
        kms.rotate_key_on_demand(KeyId=primary)
        kms.replicate_key(KeyId=primary, ReplicaRegion=THERE)
        replica = in_region(primary, THERE)

        def shown(client, key):
            status = client.get_key_rotation_status(KeyId=key)
            return [status[name] for name in ("KeyRotationEnabled", "RotationPeriodInDays", "NextRotationDate")]

        def rotations(client, key):
            listed = client.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
            return [one["KeyMaterialId"] for one in listed]

        assert shown(there, replica) == shown(kms, primary)
        assert rotations(there, replica) == rotations(kms, primary)
        assert len(rotations(there, replica)) == 2


class TestUse:
    """Ciphertext goes from Region to Region as it is."""

    @pytest.mark.parametrize(("source", "target"), [(HERE, THERE), (THERE, HERE), (THERE, ELSEWHERE)])
    @pytest.mark.parametrize("named", [None, "id", "arn", "alias"])
    def test_decrypt_elsewhere(self, lab, source, target, named):
        """
        What one related key encrypted any other decrypts in its own Region, named or not.
        """
        arn = new_family(lab, THERE, ELSEWHERE)
        near, far = (lab.client(region=region) for region in (source, target))
        blob = near.encrypt(KeyId=in_region(arn, source), Plaintext=b"kept", EncryptionContext=CONTEXT)
        far.create_alias(AliasName="alias/far", TargetKeyId=in_region(arn, target))
        names = {"id": arn.rpartition("/")[2], "arn": in_region(arn, target), "alias": "alias/far"}
        more = {} if named is None else {"KeyId": names[named]}

        opened = far.decrypt(CiphertextBlob=blob["CiphertextBlob"], EncryptionContext=CONTEXT, **more)

        assert (opened["Plaintext"], opened["KeyId"]) == (b"kept", in_region(arn, target))

    def test_re_encrypt_elsewhere(self, lab, there, kms, family):
        """
        A related key can be the source of ReEncrypt, and the destination in its own Region.
        """
        other = new_key(there)
        blob = kms.encrypt(KeyId=family, Plaintext=b"kept")["CiphertextBlob"]

        moved = there.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other, SourceKeyId=in_region(family, THERE))
        back = there.re_encrypt(CiphertextBlob=moved["CiphertextBlob"], DestinationKeyId=in_region(family, THERE))

        assert moved["SourceKeyId"] == in_region(family, THERE)
        assert kms.decrypt(CiphertextBlob=back["CiphertextBlob"])["Plaintext"] == b"kept"

    def test_data_key(self, lab, there, kms, family):
        """
        A data key made in one Region is unwrapped in another.
        """
        made = kms.generate_data_key(KeyId=family, KeySpec="AES_256")

        assert there.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"] == made["Plaintext"]

    def test_rsa(self, lab, there, kms):
        """
        An RSA key opens elsewhere what was encrypted here, though nobody had used it before it was replicated.
        """
        arn = new_family(lab, THERE, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
        oaep = {"EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
        blob = kms.encrypt(KeyId=arn, Plaintext=b"kept", **oaep)["CiphertextBlob"]

        assert there.decrypt(KeyId=in_region(arn, THERE), CiphertextBlob=blob, **oaep)["Plaintext"] == b"kept"

    def test_context_still_counts(self, there, kms, family):
        """
        The encryption context is checked in the other Region too.
        """
        blob = kms.encrypt(KeyId=family, Plaintext=b"x", EncryptionContext=CONTEXT)["CiphertextBlob"]

        assert code(there.decrypt, CiphertextBlob=blob) == "InvalidCiphertextException"

    def test_unrelated_key(self, there, kms, family):
        """
        Another multi-Region key opens nothing of this one.
        """
        blob = kms.encrypt(KeyId=family, Plaintext=b"x")["CiphertextBlob"]

        assert code(there.decrypt, CiphertextBlob=blob, KeyId=new_key(there, MultiRegion=True)) == (
            "IncorrectKeyException"
        )

    def test_no_call_across_regions(self, kms, there, family):
        """
        A related key is called in its own Region only, and where there is no replica nothing opens.
        """
        blob = kms.encrypt(KeyId=family, Plaintext=b"x")["CiphertextBlob"]

        assert answer(kms.encrypt, KeyId=in_region(family, THERE), Plaintext=b"x") == (
            "NotFoundException",
            f"Invalid arn {THERE}",
        )
        there.disable_key(KeyId=in_region(family, THERE))
        assert code(there.decrypt, CiphertextBlob=blob) == "DisabledException"
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"

    def test_region_without_replica(self, lab, kms, family):
        """
        Where there is no replica nothing opens.
        """
        blob = kms.encrypt(KeyId=family, Plaintext=b"x")["CiphertextBlob"]

        assert code(lab.client(region=ELSEWHERE).decrypt, CiphertextBlob=blob) == "AccessDeniedException"


USING = ("CreateGrant", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext")
#: calls on a key of a family, besides the key itself
CALLS = {
    "CancelKeyDeletion": {},
    "CreateAlias": {"AliasName": "alias/new"},
    "CreateGrant": {"GranteePrincipal": f"arn:aws:iam::{HOME}:root", "Operations": ["Decrypt"]},
    "DescribeKey": {},
    "DisableKey": {},
    "DisableKeyRotation": {},
    "EnableKey": {},
    "EnableKeyRotation": {"RotationPeriodInDays": 100},
    "Encrypt": {"Plaintext": b"x"},
    "GenerateDataKey": {"KeySpec": "AES_256"},
    "GenerateDataKeyWithoutPlaintext": {"KeySpec": "AES_256"},
    "GetKeyPolicy": {},
    "GetKeyRotationStatus": {},
    "ListAliases": {},
    "ListKeyPolicies": {},
    "ListKeyRotations": {},
    "ListResourceTags": {},
    "PutKeyPolicy": {"Policy": policy(ROOT)},
    "ReplicateKey": {"ReplicaRegion": "eu-west-3"},
    "RotateKeyOnDemand": {},
    "ScheduleKeyDeletion": {},
    "TagResource": {"Tags": [{"TagKey": "a", "TagValue": "b"}]},
    "UntagResource": {"TagKeys": ["a"]},
    "UpdateKeyDescription": {"Description": "new"},
    "UpdatePrimaryRegion": {"PrimaryRegion": HERE},
}
#: calls that only a primary takes
OF_PRIMARIES = {"DisableKeyRotation", "EnableKeyRotation", "ReplicateKey", "RotateKeyOnDemand", "UpdatePrimaryRegion"}
#: calls that a key in a transient state refuses, and why; all others succeed
REFUSED = {
    "Creating": {
        "is creating.": {"DisableKey", "EnableKey", *OF_PRIMARIES, *USING},
        "is not pending deletion.": {"CancelKeyDeletion"},
    },
    "Updating": {
        "is updating.": {"DisableKey", "EnableKey", "ReplicateKey", "ScheduleKeyDeletion"},
        "is not pending deletion.": {"CancelKeyDeletion"},
    },
    "PendingReplicaDeletion": {
        "is pending replica deletion.": {
            "CreateAlias", "DisableKey", "EnableKey", "ScheduleKeyDeletion", "TagResource", "UntagResource",
            "UpdateKeyDescription", *OF_PRIMARIES, *USING,
        },
    },
}  # fmt: skip
CELLS = [(state, operation) for state in REFUSED for operation in CALLS]


class TestTransientStates:
    """Creating, Updating and PendingReplicaDeletion, reached by calls."""

    @staticmethod
    def reach(lab, family, wanted):
        """Bring a key of the family into a state by a call, and return its ARN."""
        kms = lab.client()
        if wanted == "Creating":
            return kms.replicate_key(KeyId=family, ReplicaRegion=ELSEWHERE)["ReplicaKeyMetadata"]["Arn"]
        if wanted == "Updating":
            kms.update_primary_region(KeyId=family, PrimaryRegion=THERE)
            return in_region(family, THERE)
        return kms.schedule_key_deletion(KeyId=family)["KeyId"]

    @pytest.mark.parametrize(("wanted", "operation"), CELLS)
    def test_cell(self, lab, family, wanted, operation):
        """
        Each operation on a key in a transient state ends as AWS's key-state table has it.
        """
        key = self.reach(lab, family, wanted)
        client = lab.client(region=key.split(":")[3])
        params = {"TargetKeyId" if operation == "CreateAlias" else "KeyId": key, **CALLS[operation]}
        assert state(lab, key) == wanted

        reason = next((text for text, names in REFUSED[wanted].items() if operation in names), None)

        if reason is None:
            assert code(method(client, operation), **params) is None
        else:
            assert answer(method(client, operation), **params) == ("KMSInvalidStateException", f"{key} {reason}")

    def test_decrypt(self, lab, kms, there, family):
        """
        Decrypt waits for a replica that is being created, and for nobody while the primary changes.
        """
        blob = kms.encrypt(KeyId=family, Plaintext=b"kept")["CiphertextBlob"]
        replica = self.reach(lab, family, "Creating")

        error = refusal(lab.client(region=ELSEWHERE).decrypt, CiphertextBlob=blob)
        assert (error.code, error.message) == ("KMSInvalidStateException", f"{replica} is creating.")
        self.reach(lab, family, "Updating")
        for client in (kms, there):
            assert client.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"

    def test_creating_takes_seconds(self, lab, kms, primary):
        """
        A replica is Creating until its instant, and Enabled from then on.
        """
        kms.replicate_key(KeyId=primary, ReplicaRegion=THERE)
        replica, due = in_region(primary, THERE), lab.clock.now + CREATING

        lab.clock.travel(to=due - INSTANT)
        assert state(lab, replica) == "Creating"
        lab.clock.travel(to=due)

        assert (state(lab, replica), describe(lab, replica)["Enabled"]) == ("Enabled", True)
        assert describe(lab, replica)["CurrentKeyMaterialId"] == describe(lab, primary)["CurrentKeyMaterialId"]

    def test_updating_takes_seconds(self, lab, kms, family):
        """
        The old and the new primary are Updating until their instant, and then Enabled; other replicas notice nothing.
        """
        kms.replicate_key(KeyId=family, ReplicaRegion=ELSEWHERE)
        lab.clock.travel(to=lab.clock.now + CREATING)
        kms.update_primary_region(KeyId=family, PrimaryRegion=THERE)
        due = lab.clock.now + UPDATING

        def states():
            return [state(lab, in_region(family, region)) for region in (HERE, THERE, ELSEWHERE)]

        assert states() == ["Updating", "Updating", "Enabled"]
        lab.clock.travel(to=due - INSTANT)
        assert states() == ["Updating", "Updating", "Enabled"]
        lab.clock.travel(to=due)
        assert states() == ["Enabled", "Enabled", "Enabled"]

    def test_updating_ends_with_the_last_change(self, lab, kms, there, family):
        """
        A primary that changes again while it is Updating is Updating until the second change is done.
        """
        kms.update_primary_region(KeyId=family, PrimaryRegion=THERE)
        lab.clock.travel(to=lab.clock.now + UPDATING / 2)
        there.update_primary_region(KeyId=in_region(family, THERE), PrimaryRegion=HERE)
        due = lab.clock.now + UPDATING

        lab.clock.travel(to=due - INSTANT)
        assert {state(lab, in_region(family, region)) for region in (HERE, THERE)} == {"Updating"}
        lab.clock.travel(to=due)

        assert {state(lab, in_region(family, region)) for region in (HERE, THERE)} == {"Enabled"}
        assert describe(lab, family)["MultiRegionConfiguration"]["MultiRegionKeyType"] == "PRIMARY"

    @pytest.mark.parametrize("steps", [1, 2, 7])
    def test_travel_in_steps(self, lab, steps):
        """
        However a journey is divided, families end up the same: clock, states, dates and log.
        """
        kms = lab.client()
        arn = new_key(kms, MultiRegion=True)
        kms.replicate_key(KeyId=arn, ReplicaRegion=THERE)
        twin = lab.fork()

        lab.clock.travel(seconds=14)
        for _ in range(steps):
            twin.clock.travel(seconds=14 / steps)
        twin.clock.travel(to=lab.clock.now)

        assert twin.world.to_data() == lab.world.to_data()

    @pytest.mark.parametrize("wanted", REFUSED)
    @pytest.mark.parametrize("way", ["fork", "save"])
    def test_kept_half_way(self, lab, family, tmp_path, wanted, way):
        """
        A copy, or a lab saved and loaded, in the middle of a change goes on to the same end.
        """
        key = self.reach(lab, family, wanted)
        if way == "fork":
            twin = lab.fork()
        else:
            lab.save(tmp_path / "lab.json")
            twin = Lab.load(tmp_path / "lab.json")

        assert describe(twin, key) == describe(lab, key)
        for one in (lab, twin):
            one.clock.travel(days=1)
        assert twin.world.to_data() == lab.world.to_data()
        assert state(twin, key) == ("Enabled" if wanted != "PendingReplicaDeletion" else wanted)

    def test_fork_goes_its_own_way(self, lab, kms, family):
        """
        What happens to a family in a copy does not happen in the original.
        """
        twin = lab.fork()
        twin.client().update_primary_region(KeyId=family, PrimaryRegion=THERE)

        assert describe(lab, family)["MultiRegionConfiguration"]["MultiRegionKeyType"] == "PRIMARY"
        assert state(lab, family) == "Enabled"

    def test_doomed_while_creating(self, lab, kms, there, primary):
        """
        A replica that is doomed while it is Creating stays doomed, and is Disabled once its deletion is called off.
        """
        kms.replicate_key(KeyId=primary, ReplicaRegion=THERE)
        replica = in_region(primary, THERE)
        there.schedule_key_deletion(KeyId=replica, PendingWindowInDays=7)

        lab.clock.travel(days=1)
        assert (state(lab, replica), lab.key(replica).returns_to) == ("PendingDeletion", "")
        there.cancel_key_deletion(KeyId=replica)
        assert state(lab, replica) == "Disabled"


class TestReplicate:
    @pytest.mark.parametrize("known", [HERE, THERE])
    def test_already_there(self, kms, family, known):
        """
        A Region has at most one of a family's keys; the primary's own counts.
        """
        assert code(kms.replicate_key, KeyId=family, ReplicaRegion=known) == "AlreadyExistsException"

    def test_already_there_until_deleted(self, lab, kms, there, family):
        """
        A replica pending deletion is still there; once it is deleted the primary can be replicated again.
        """
        replica = in_region(family, THERE)
        blob = there.encrypt(KeyId=replica, Plaintext=b"kept")["CiphertextBlob"]
        there.create_alias(AliasName="alias/old", TargetKeyId=replica)
        there.schedule_key_deletion(KeyId=replica, PendingWindowInDays=7)
        assert code(kms.replicate_key, KeyId=family, ReplicaRegion=THERE) == "AlreadyExistsException"

        lab.clock.travel(days=7)
        assert code(there.describe_key, KeyId=replica) == "NotFoundException"
        assert describe(lab, family)["MultiRegionConfiguration"]["ReplicaKeys"] == []
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
        kms.replicate_key(KeyId=family, ReplicaRegion=THERE)
        lab.clock.travel(minutes=1)

        assert there.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
        assert there.list_aliases(KeyId=replica)["Aliases"] == []
        assert replica not in lab.world.gone
        assert describe(lab, replica)["CreationDate"] > describe(lab, family)["CreationDate"]

    def test_replica(self, lab, there, family):
        """
        A replica cannot be replicated: AWS's recorded sentence. A disabled one says first that it is disabled.
        """
        replica = in_region(family, THERE)

        assert answer(there.replicate_key, KeyId=replica, ReplicaRegion=ELSEWHERE) == (
            "UnsupportedOperationException",
            f"{replica} is not a multi-region primary key.",
        )
        lab.client(region=THERE).disable_key(KeyId=replica)
        assert code(there.replicate_key, KeyId=replica, ReplicaRegion=ELSEWHERE) == "DisabledException"

    @pytest.mark.parametrize("operation", ["ReplicateKey", "UpdatePrimaryRegion"])
    def test_key_of_one_region(self, kms, key, operation):
        """
        A key of a single Region is never replicated, and has no primary to change.
        """
        params = CALLS[operation]

        assert code(method(kms, operation), KeyId=key, **params) == "UnsupportedOperationException"

    @pytest.mark.parametrize("region", ["us-gov-west-1", "cn-north-1", "us-iso-east-1", "eusc-de-east-1"])
    def test_other_partition(self, kms, primary, region):
        """
        A replica is in its primary's partition.
        """
        assert code(kms.replicate_key, KeyId=primary, ReplicaRegion=region) == "UnsupportedOperationException"

    @pytest.mark.parametrize(
        ("operation", "member"), [("ReplicateKey", "ReplicaRegion"), ("UpdatePrimaryRegion", "PrimaryRegion")]
    )
    @pytest.mark.parametrize("region", ["", "Ireland", "eu-west", "EU-WEST-1", "eu-west-1a", "a-" * 20 + "1"])
    def test_no_name_of_a_region(self, lab, family, operation, member, region):
        """
        What cannot be a Region's name is refused by AWS's model.
        """
        assert code(sender(lab, operation), KeyId=family, **{member: region}) == "ValidationException"

    @pytest.mark.parametrize("names", [["a", "a"], ["aws:x"], [str(number) for number in range(51)]])
    def test_tags(self, lab, kms, primary, names):
        """
        Tags that CreateKey would refuse are refused, and no replica is made.
        """
        tags = [{"TagKey": name, "TagValue": ""} for name in names]

        assert code(kms.replicate_key, KeyId=primary, ReplicaRegion=THERE, Tags=tags) == "TagException"
        assert not lab.world.shelf(HOME, THERE).keys

    @pytest.mark.parametrize(
        ("text", "error"),
        [
            ("{", "MalformedPolicyDocumentException"),
            (" " * 33_000, "LimitExceededException"),
            (policy({**ROOT, "Principal": {"AWS": f"arn:aws:iam::{HOME}:user/Nobody"}}), None),
            (policy({**ROOT, "Principal": {"AWS": f"arn:aws:iam::{HOME}:role/App"}}), None),
        ],
    )
    @pytest.mark.parametrize("bypass", [False, True])
    def test_policy(self, lab, kms, primary, text, error, bypass):
        """
        A policy is checked as CreateKey does: form and principals always, lock-out unless that is bypassed.
        """
        lab.iam.create_role("App")
        if error is None and not ("role/App" in text and bypass):
            error = "MalformedPolicyDocumentException"

        found = code(
            kms.replicate_key,
            KeyId=primary,
            ReplicaRegion=THERE,
            Policy=text,
            BypassPolicyLockoutSafetyCheck=bypass,
        )

        assert found == error
        assert bool(lab.world.shelf(HOME, THERE).keys) == (error is None)

    def test_quota(self, lab, kms, primary, monkeypatch):
        """
        The quota of keys is that of the replica's Region.
        """
        monkeypatch.setattr(keys, "KEYS_PER_REGION", 1)
        assert code(kms.replicate_key, KeyId=primary, ReplicaRegion=THERE) is None
        lab.client(region=ELSEWHERE).create_key()

        assert code(kms.replicate_key, KeyId=primary, ReplicaRegion=ELSEWHERE) == "LimitExceededException"

    def test_other_accounts_region(self, lab, kms, primary):
        """
        The same Region of another account has nothing to do with it.
        """
        guest = lab.iam.create_user("Guest", policies=[allow("kms:*", "iam:*")], account="444455556666")
        new_key(lab.client(principal=guest, region=THERE), MultiRegion=True)

        kms.replicate_key(KeyId=primary, ReplicaRegion=THERE)

        assert [one.account for one in lab.world.related(lab.key(primary))] == [HOME]


class TestImportedMaterial:
    @pytest.fixture
    def imported(self, lab, kms):
        """The ARN of a multi-Region primary with imported material."""
        arn = new_key(kms, MultiRegion=True, Origin="EXTERNAL")
        import_material(kms, arn, KeyMaterialDescription="from home", ValidTo=lab.clock.now + timedelta(days=300))
        return arn

    def test_waits_for_its_own_import(self, lab, kms, imported):
        """
        A replica of a key with imported material knows the material's id, has no byte of it, and waits for its import.
        """
        kms.replicate_key(KeyId=imported, ReplicaRegion=THERE)
        replica = in_region(imported, THERE)
        assert state(lab, replica) == "Creating"

        lab.clock.travel(to=lab.clock.now + CREATING)

        assert state(lab, replica) == "PendingImport"
        kept = lab.key(replica).materials
        [given] = lab.key(imported).materials
        assert [(one.id, one.secret, one.expires_us, one.description) for one in kept] == [(given.id, b"", None, "")]
        assert given.secret == MATERIAL

    def test_imported_there_too(self, lab, kms, there, imported):
        """
        Once the same bytes are imported into it a replica opens what its primary encrypted; other bytes are refused.
        """
        blob = kms.encrypt(KeyId=imported, Plaintext=b"kept")["CiphertextBlob"]
        kms.replicate_key(KeyId=imported, ReplicaRegion=THERE)
        lab.clock.travel(minutes=1)
        replica = in_region(imported, THERE)
        never = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}

        with pytest.raises(KMSError) as refused:
            import_material(there, replica, b"x" * 32, **never)
        assert refused.value.code == "IncorrectKeyMaterialException"
        assert code(there.decrypt, CiphertextBlob=blob) == "KMSInvalidStateException"
        import_material(there, replica, **never)

        assert there.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
        lab.clock.travel(days=300)
        assert (state(lab, imported), state(lab, replica)) == ("PendingImport", "Enabled")

    def test_material_that_waits(self, lab, kms, imported):
        """
        Material that waits for its rotation is known to a new replica too, by its id.
        """
        import_material(kms, imported, b"n" * 32, ImportType="NEW_KEY_MATERIAL", ValidTo=lab.clock.now + CREATING * 9)

        kms.replicate_key(KeyId=imported, ReplicaRegion=THERE)

        [here], [there] = (lab.key(in_region(imported, region)).pending for region in (HERE, THERE))
        assert (here.secret, there.secret, here.id == there.id) == (b"n" * 32, b"", True)

    def test_called_off_deletion(self, lab, kms, there, imported):
        """
        A replica that still waits for its import does so again when its deletion is called off; its primary does not.
        """
        kms.replicate_key(KeyId=imported, ReplicaRegion=THERE)
        replica = in_region(imported, THERE)
        for client, key in ((there, replica), (kms, imported)):
            client.schedule_key_deletion(KeyId=key)
            client.cancel_key_deletion(KeyId=key)

        assert (state(lab, replica), state(lab, imported)) == ("PendingImport", "Disabled")

    def test_never_imported(self, kms):
        """
        A primary without material cannot be replicated.
        """
        key = new_key(kms, MultiRegion=True, Origin="EXTERNAL")

        assert code(kms.replicate_key, KeyId=key, ReplicaRegion=THERE) == "KMSInvalidStateException"

    def test_cannot_become_primary(self, lab, kms, imported):
        """
        A replica that waits for its import cannot become the primary.
        """
        kms.replicate_key(KeyId=imported, ReplicaRegion=THERE)
        lab.clock.travel(minutes=1)

        assert answer(kms.update_primary_region, KeyId=imported, PrimaryRegion=THERE) == (
            "KMSInvalidStateException",
            f"{in_region(imported, THERE)} is pending import.",
        )


class TestUpdatePrimary:
    def test_roles_change(self, lab, kms, family):
        """
        The replica is the primary and the primary a replica, and every related key says so.
        """
        kms.replicate_key(KeyId=family, ReplicaRegion=ELSEWHERE)

        assert set(kms.update_primary_region(KeyId=family, PrimaryRegion=THERE)) == {"ResponseMetadata"}

        for region, kind in ((HERE, "REPLICA"), (THERE, "PRIMARY"), (ELSEWHERE, "REPLICA")):
            assert describe(lab, in_region(family, region))["MultiRegionConfiguration"] == {
                "MultiRegionKeyType": kind,
                "PrimaryKey": {"Arn": in_region(family, THERE), "Region": THERE},
                "ReplicaKeys": [{"Arn": in_region(family, one), "Region": one} for one in (ELSEWHERE, HERE)],
            }

    def test_new_primary_replicates(self, lab, kms, there, family):
        """
        Afterwards the new primary replicates, and the old one no more.
        """
        kms.update_primary_region(KeyId=family, PrimaryRegion=THERE)
        lab.clock.travel(minutes=1)

        assert code(kms.replicate_key, KeyId=family, ReplicaRegion=ELSEWHERE) == "UnsupportedOperationException"
        assert code(there.replicate_key, KeyId=in_region(family, THERE), ReplicaRegion=ELSEWHERE) is None

    def test_independent_properties_stay(self, lab, kms, there, family):
        """
        Policies, tags and descriptions stay where they are.
        """
        kms.update_key_description(KeyId=family, Description="here")
        before = [there.get_key_policy(KeyId=in_region(family, THERE))["Policy"], describe(lab, family)["Description"]]

        kms.update_primary_region(KeyId=family, PrimaryRegion=THERE)

        assert [
            there.get_key_policy(KeyId=in_region(family, THERE))["Policy"],
            describe(lab, family)["Description"],
        ] == before
        assert describe(lab, in_region(family, THERE))["Description"] == ""

    @pytest.mark.parametrize("region", [HERE, ELSEWHERE])
    def test_no_replica_there(self, lab, kms, family, region):
        """
        No key is made by it: the new primary must be there as a replica.
        """
        assert code(kms.update_primary_region, KeyId=family, PrimaryRegion=region) == "NotFoundException"
        assert state(lab, family) == "Enabled"

    def test_called_on_a_replica(self, there, family):
        """
        It is called on the present primary, not on the key that shall be it.
        """
        replica = in_region(family, THERE)

        assert answer(there.update_primary_region, KeyId=replica, PrimaryRegion=THERE) == (
            "UnsupportedOperationException",
            f"{replica} is not a multi-region primary key.",
        )

    @pytest.mark.parametrize("side", [HERE, THERE])
    @pytest.mark.parametrize(
        ("prepare", "expected"),
        [
            (lambda client, key: client.disable_key(KeyId=key), ("DisabledException", "is disabled.")),
            (
                lambda client, key: client.schedule_key_deletion(KeyId=key),
                ("KMSInvalidStateException", "deletion."),
            ),
        ],
    )
    def test_both_must_be_usable(self, lab, kms, family, side, prepare, expected):
        """
        The state of either key can stand in the way; then nothing changes.
        """
        key = in_region(family, side)
        prepare(lab.client(region=side), key)
        before = lab.world.to_data()["keys"]

        name, text = answer(kms.update_primary_region, KeyId=family, PrimaryRegion=THERE)

        assert (name, text.startswith(key), text.endswith(expected[1])) == (expected[0], True, True)
        assert lab.world.to_data()["keys"] == before

    def test_creating_replica(self, kms, primary):
        """
        A replica that is still Creating cannot become the primary.
        """
        kms.replicate_key(KeyId=primary, ReplicaRegion=THERE)

        assert answer(kms.update_primary_region, KeyId=primary, PrimaryRegion=THERE) == (
            "KMSInvalidStateException",
            f"{in_region(primary, THERE)} is creating.",
        )

    def test_rotation_goes_on(self, lab, kms, there, family):
        """
        Automatic rotation keeps its date: the new primary rotates then, once.
        """
        kms.enable_key_rotation(KeyId=family, RotationPeriodInDays=100)
        due = kms.get_key_rotation_status(KeyId=family)["NextRotationDate"]
        kms.update_primary_region(KeyId=family, PrimaryRegion=THERE)

        lab.clock.travel(to=due)

        shown = [
            client.list_key_rotations(KeyId=in_region(family, region))["Rotations"]
            for client, region in ((kms, HERE), (there, THERE))
        ]
        assert [[one["RotationDate"] for one in rotations] for rotations in shown] == [[due], [due]]
        assert shown[0][0]["KeyMaterialId"] == shown[1][0]["KeyMaterialId"]


class TestPermissions:
    @pytest.fixture
    def role(self, lab):
        return lab.iam.create_role("App")

    @pytest.fixture
    def app(self, lab, role):
        return lab.client(principal=role)

    @pytest.mark.parametrize("missing", ["kms:ReplicateKey", "kms:CreateKey", "kms:TagResource", None])
    def test_replicate(self, lab, role, app, primary, missing):
        """
        ReplicateKey needs kms:ReplicateKey on the primary, kms:CreateKey, and with tags kms:TagResource.
        """
        needed = {"kms:ReplicateKey", "kms:CreateKey", "kms:TagResource"}
        lab.iam.put_policies(role, [allow(*(needed - {missing}))])
        params = {"KeyId": primary, "ReplicaRegion": THERE, "Tags": [{"TagKey": "a", "TagValue": "b"}]}

        if missing is None:
            assert code(app.replicate_key, **params) is None
            return
        name, text = answer(app.replicate_key, **params)
        assert name == "AccessDeniedException"
        assert f"is not authorized to perform: {missing} on resource" in text
        assert not lab.world.shelf(HOME, THERE).keys

    def test_replicate_without_tags(self, lab, role, app, primary):
        """
        Without tags nobody asks for kms:TagResource.
        """
        lab.iam.put_policies(role, [allow("kms:ReplicateKey", "kms:CreateKey")])

        assert code(app.replicate_key, KeyId=primary, ReplicaRegion=THERE) is None

    def test_create_key_is_an_identity_policys(self, lab, kms, role, app, primary):
        """
        The key policy of the primary can give kms:ReplicateKey, and can never give kms:CreateKey.
        """
        kms.put_key_policy(
            KeyId=primary,
            Policy=policy(ROOT, {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "kms:*", "Resource": "*"}),
        )
        assert code(app.replicate_key, KeyId=primary, ReplicaRegion=THERE) == "AccessDeniedException"

        lab.iam.put_policies(role, [allow("kms:CreateKey")])
        assert code(app.replicate_key, KeyId=primary, ReplicaRegion=THERE) is None

    @pytest.mark.parametrize("name", ["kms:ReplicaRegion", "aws:RequestedRegion"])
    @pytest.mark.parametrize("region", [THERE, ELSEWHERE])
    def test_region_conditions(self, lab, role, app, primary, name, region):
        """
        kms:ReplicaRegion limits where kms:ReplicateKey leads; for kms:CreateKey the requested Region is the replica's.
        """
        action, other = ("kms:ReplicateKey", "kms:CreateKey")
        if name == "aws:RequestedRegion":
            action, other = other, action
        lab.iam.put_policies(role, [allow(other), allow(action, Condition={"StringEquals": {name: THERE}})])

        found = code(app.replicate_key, KeyId=primary, ReplicaRegion=region)

        assert found == (None if region == THERE else "AccessDeniedException")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("kms:MultiRegionKeyType", "REPLICA"),
            ("kms:MultiRegion", "true"),
            ("kms:KeySpec", "SYMMETRIC_DEFAULT"),
            ("kms:KeyUsage", "ENCRYPT_DECRYPT"),
            ("kms:KeyOrigin", "AWS_KMS"),
        ],
    )
    def test_kind_conditions(self, lab, role, app, primary, name, value):
        """
        For kms:CreateKey of a replica, a policy sees what key that will be.
        """

        def under(wanted):
            condition = {"StringEquals": {name: wanted}}
            lab.iam.put_policies(role, [allow("kms:ReplicateKey"), allow("kms:CreateKey", Condition=condition)])
            return code(lab.fork().client(principal=role).replicate_key, KeyId=primary, ReplicaRegion=THERE)

        assert under(value) is None
        assert under("other") == "AccessDeniedException"

    @pytest.mark.parametrize(("region", "kind"), [(HERE, "PRIMARY"), (THERE, "REPLICA")])
    def test_key_type_condition(self, lab, role, family, region, kind):
        """
        kms:MultiRegionKeyType tells primary from replica.
        """
        client, key = lab.client(principal=role, region=region), in_region(family, region)
        for wanted in ("PRIMARY", "REPLICA"):
            condition = {"StringEquals": {"kms:MultiRegionKeyType": wanted}}
            lab.iam.put_policies(role, [allow("kms:DescribeKey", Condition=condition)])

            assert code(client.describe_key, KeyId=key) == (None if wanted == kind else "AccessDeniedException")

    @pytest.mark.parametrize("halves", [(HERE, THERE), (HERE,), (THERE,), ()])
    @pytest.mark.parametrize("by", ["identity policy", "key policies"])
    def test_update_primary(self, lab, role, app, family, halves, by):
        """
        UpdatePrimaryRegion needs kms:UpdatePrimaryRegion on both keys; either half missing is AccessDenied.
        """
        if by == "identity policy":
            arns = [in_region(family, region) for region in halves]
            lab.iam.put_policies(role, [allow("kms:UpdatePrimaryRegion", resource=arns)] if arns else [])
        else:
            statement = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "kms:Update*", "Resource": "*"}
            for region in halves:
                lab.client(region=region).put_key_policy(
                    KeyId=in_region(family, region), Policy=policy(ROOT, statement)
                )

        found = code(app.update_primary_region, KeyId=family, PrimaryRegion=THERE)

        assert found == (None if len(halves) == 2 else "AccessDeniedException")
        assert describe(lab, family)["MultiRegionConfiguration"]["PrimaryKey"]["Region"] == (
            THERE if found is None else HERE
        )

    @pytest.mark.parametrize("regions", [(HERE, THERE), (HERE,), (THERE,)])
    def test_update_primary_in_two_regions(self, lab, role, app, family, regions):
        """
        Each half of kms:UpdatePrimaryRegion is asked in its own key's Region.
        """
        condition = {"StringEquals": {"aws:RequestedRegion": list(regions)}}
        lab.iam.put_policies(role, [allow("kms:UpdatePrimaryRegion", Condition=condition)])

        found = code(app.update_primary_region, KeyId=family, PrimaryRegion=THERE)

        assert found == (None if len(regions) == 2 else "AccessDeniedException")

    @pytest.mark.parametrize("region", [THERE, HERE])
    def test_lock_out_is_the_replicas(self, lab, role, app, primary, region):
        """
        Who gives a replica its policy must be able to change it there; being able to on the primary does not count.
        """
        change = allow("kms:PutKeyPolicy", resource=in_region(primary, region))
        lab.iam.put_policies(role, [allow("kms:ReplicateKey", "kms:CreateKey"), change])

        found = code(app.replicate_key, KeyId=primary, ReplicaRegion=THERE, Policy=policy(ROOT))

        assert found == (None if region == THERE else "MalformedPolicyDocumentException")

    @pytest.mark.parametrize("region", [THERE, ELSEWHERE])
    def test_primary_region_condition(self, lab, role, app, family, region):
        """
        kms:PrimaryRegion limits where the primary may go.
        """
        lab.client().replicate_key(KeyId=family, ReplicaRegion=ELSEWHERE)
        lab.clock.travel(minutes=1)
        condition = {"StringEquals": {"kms:PrimaryRegion": THERE}}
        lab.iam.put_policies(role, [allow("kms:UpdatePrimaryRegion", Condition=condition)])

        found = code(app.update_primary_region, KeyId=family, PrimaryRegion=region)

        assert found == (None if region == THERE else "AccessDeniedException")

    def test_each_keys_policy_counts_for_itself(self, lab, kms, there, role, family):
        """
        What the primary's key policy allows the replica's does not.
        """
        statement = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "kms:Decrypt", "Resource": "*"}
        kms.put_key_policy(KeyId=family, Policy=policy(ROOT, statement))
        blob = there.encrypt(KeyId=in_region(family, THERE), Plaintext=b"x")["CiphertextBlob"]

        found = [code(lab.client(role, region).decrypt, CiphertextBlob=blob) for region in (HERE, THERE)]

        assert found == [None, "AccessDeniedException"]


class TestLog:
    def test_replicate(self, lab, kms, primary):
        """
        ReplicateKey is logged where it was called, and a CreateKey of the same caller in the replica's Region.
        """
        kms.replicate_key(KeyId=primary, ReplicaRegion=THERE, Description="copy")

        call, creation = (lab.world.log.entry(index) for index in (-2, -1))
        assert (call.operation, call.region, call.key) == ("ReplicateKey", HERE, primary)
        assert call.request == {"KeyId": primary, "ReplicaRegion": THERE, "Description": "copy"}
        assert (creation.operation, creation.region, creation.key) == ("CreateKey", THERE, in_region(primary, THERE))
        assert creation.principal == call.principal
        assert creation.request == {
            "Description": "copy",
            "KeySpec": "SYMMETRIC_DEFAULT",
            "KeyUsage": "ENCRYPT_DECRYPT",
            "MultiRegion": True,
            "Origin": "AWS_KMS",
        }

    def test_refused(self, lab, kms, family):
        """
        A refused ReplicateKey creates nothing, in the log either.
        """
        before = len(lab.world.log)

        code(kms.replicate_key, KeyId=family, ReplicaRegion=THERE)

        assert len(lab.world.log) == before + 1
        assert lab.world.log.entry(-1).error == "AlreadyExistsException"

    def test_synchronized(self, lab, kms, primary):
        """
        When a replica is ready KMS has synchronized it: an event about the primary, without a caller.
        """
        kms.replicate_key(KeyId=primary, ReplicaRegion=THERE)

        lab.clock.travel(minutes=1)

        event = lab.world.log.entry(-1)
        assert (event.operation, event.region, event.key) == ("SynchronizeMultiRegionKey", HERE, primary)
        assert event.principal is None
        assert event.at_us == lab.world.clock.now_us - 60_000_000 + CREATING_US

    def test_update_primary(self, lab, kms, family):
        """
        UpdatePrimaryRegion is logged on the former primary, where it was called.
        """
        kms.update_primary_region(KeyId=family, PrimaryRegion=THERE)

        entry = lab.world.log.entry(-1)
        assert (entry.operation, entry.region, entry.key) == ("UpdatePrimaryRegion", HERE, family)
        assert entry.request == {"KeyId": family, "PrimaryRegion": THERE}
