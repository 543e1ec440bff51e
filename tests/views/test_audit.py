"""CloudTrail's records and the DataFrame of them: AWS's shape, every call once, and never a secret."""

import base64
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_lab import KMSError, Lab
from kms_lab.core.specs import SPECS
from kms_lab.lab import ADMIN
from kms_lab.service.operation import OPERATIONS
from kms_lab.views import audit
from tests.service.conftest import import_request
from tests.service.homes import Home, hsm_request

ACCOUNT = "111122223333"
OTHER = "444455556666"
SHAPES = json.loads((Path(__file__).parents[1] / "data" / "cloudtrail-shapes.json").read_text("utf-8"))["events"]


def last(lab):
    return audit.record(lab.world, -1)


class TestShape:
    def test_every_record_has_the_shape_of_aws_sample_entries(self, eventful):
        """
        Each record has exactly the members that AWS's sample entry of its event has.
        """
        for record in audit.records(eventful.lab.world):
            shape = SHAPES[record["eventName"]]
            failed = "errorCode" in record

            assert record["eventType"] == shape["eventType"]
            assert record["readOnly"] is shape["readOnly"]
            assert set(record["requestParameters"] or ()) <= set(shape["requestParameters"])
            assert set(record.get("additionalEventData", ())) <= set(shape["additionalEventData"])
            assert set(record.get("serviceEventDetails", ())) == set(shape["serviceEventDetails"])
            if failed:
                assert record["responseElements"] is None
            else:
                elements, wanted = record["responseElements"], shape["responseElements"]
                assert set(elements or ()) <= set(wanted or ()), record["eventName"]
                assert set(elements or ()) | set(shape.get("mayLack", ())) >= set(wanted or ())
                assert (elements is None) is (wanted is None)
                assert len(record["resources"]) == shape["resources"]

    def test_every_operation_was_looked_at(self, eventful):
        """
        The world of these tests has an entry of every operation that the lab has.
        """
        seen = {record["eventName"] for record in audit.records(eventful.lab.world)}

        assert set(OPERATIONS) <= seen
        assert {"DeleteExpiredKeyMaterial", "DeleteKey", "RotateKey", "SynchronizeMultiRegionKey"} <= seen
        assert seen <= set(SHAPES)

    def test_members_that_every_record_has(self, eventful):
        """
        Each record says when, where, who, what, and that it is a management event of KMS.
        """
        for record in audit.records(eventful.lab.world):
            assert record["eventVersion"] == "1.11"
            assert record["eventSource"] == "kms.amazonaws.com"
            assert record["eventTime"].endswith("Z")
            assert record["managementEvent"] is True
            assert record["eventCategory"] == "Management"
            assert ("requestID" in record) is (record["eventType"] == "AwsApiCall")
            assert all(set(resource) == {"accountId", "type", "ARN"} for resource in record["resources"])

    def test_event_ids_are_unique(self, eventful):
        """
        No two records share an event id, not even the two of one cross-account call.
        """
        ids = [record["eventID"] for record in audit.records(eventful.lab.world)]

        assert len(set(ids)) == len(ids)

    def test_encryption_context_is_shown_as_the_caller_wrote_it(self, lab):
        """
        The encryption context is in the record, in clear, and its keys keep their capitals.
        """
        kms = lab.client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]

        kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"Tenant": "Ann", "b": "2"})

        assert last(lab)["requestParameters"] == {
            "keyId": key,
            "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
            "encryptionContext": {"Tenant": "Ann", "b": "2"},
        }

    def test_re_encrypt_names_source_then_destination(self, eventful):
        """
        ReEncrypt is one event with two resources, source first, and the material of each.
        """
        record = next(r for r in audit.records(eventful.lab.world) if r["eventName"] == "ReEncrypt")

        assert [one["ARN"].rpartition("/")[2] for one in record["resources"]] == [eventful.key, eventful.other]
        assert set(record["additionalEventData"]) == {"sourceKeyMaterialId", "destinationKeyMaterialId"}
        assert record["requestParameters"]["destinationEncryptionContext"] == {"Level": "3A"}

    def test_create_key_shows_the_new_key(self, lab):
        """
        CreateKey's record shows the metadata of the key that came to be.
        """
        metadata = lab.client().create_key(Description="orders")["KeyMetadata"]

        shown = last(lab)["responseElements"]["keyMetadata"]

        assert (shown["keyId"], shown["arn"]) == (metadata["KeyId"], metadata["Arn"])
        assert shown["description"] == "orders"
        assert shown["creationDate"] == "Apr 1, 2026, 12:00:00 AM"

    def test_schedule_key_deletion_shows_the_date(self, lab):
        """
        ScheduleKeyDeletion's record shows the day on which the key will be gone.
        """
        kms = lab.client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]

        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=10)

        assert last(lab)["responseElements"] == {
            "keyId": lab.key(key).arn,
            "keyState": "PendingDeletion",
            "deletionDate": "Apr 11, 2026, 12:00:00 AM",
            "pendingWindowInDays": 10,
        }

    def test_rotation_is_an_event_of_the_service(self, lab):
        """
        An automatic rotation is recorded as AWS's own doing, with the materials before and after.
        """
        kms = lab.client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.enable_key_rotation(KeyId=key)
        lab.clock.travel(days=365)

        record = last(lab)

        assert record["userIdentity"] == {"accountId": ACCOUNT, "invokedBy": "AWS Internal"}
        old, new = lab.key(key).materials
        assert record["serviceEventDetails"] == {
            "rotationType": "AUTOMATIC",
            "keyOrigin": "AWS_KMS",
            "previousKeyMaterialId": old.id,
            "currentKeyMaterialId": new.id,
            "keyId": key,
        }


def records_of(world, name):
    """The records of an operation, oldest first, without those of refused calls."""
    return [one for one in audit.records(world.lab.world) if one["eventName"] == name and "errorCode" not in one]


KINDS = [
    {"KeySpec": spec.name, "KeyUsage": usage}
    for spec in SPECS.values()
    for usage in spec.algorithms
    if spec.name not in ("SM2", "ML_KEM_512")  # the lab makes none of these
] + [{"Origin": "EXTERNAL"}, {"MultiRegion": True}, {"MultiRegion": True, "Origin": "EXTERNAL"}]


class TestNewKeys:
    @pytest.mark.parametrize("params", KINDS, ids=lambda params: " ".join(map(str, params.values())))
    def test_metadata_is_what_the_call_answered(self, lab, params):
        """
        CreateKey's record has the metadata that the call answered, for every spec, usage and origin.
        """
        told = lab.client().create_key(Description="mine", **params)["KeyMetadata"]

        assert last(lab)["responseElements"]["keyMetadata"] == as_cloudtrail(told)

    @pytest.mark.parametrize("kind", ["AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"])
    def test_in_a_custom_key_store(self, lab, kind):
        """
        The record of a key in a custom key store says in which, and under which name the key is known there.
        """
        home = Home(lab, kind)

        record = last(lab)

        told = home.kms.describe_key(KeyId=home.key)["KeyMetadata"]
        assert record["responseElements"]["keyMetadata"] == as_cloudtrail(told)
        assert record["requestParameters"]["customKeyStoreId"] == home.id
        if kind == "AWS_CLOUDHSM":
            backing = record["additionalEventData"]["backingKey"]
            assert json.loads(backing) == {"backingKeyId": home.key.rpartition("/")[2]}
        else:
            assert record["requestParameters"]["xksKeyId"] == "external"

    def test_stays_as_it_was(self, lab):
        """
        The record shows the key as it was when it was made, whatever became of it.
        """
        kms = lab.client()
        key = kms.create_key(Description="first", MultiRegion=True)["KeyMetadata"]["KeyId"]
        before = last(lab)

        kms.update_key_description(KeyId=key, Description="second")
        kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
        kms.disable_key(KeyId=key)

        assert audit.record(lab.world, 0) == before

    def test_replicate_key_shows_the_replica(self, lab):
        """
        ReplicateKey's record, in the primary's Region, shows the replica as it was made, and its policy.
        """
        kms = lab.client()
        key = kms.create_key(MultiRegion=True)["KeyMetadata"]["Arn"]
        kms.replicate_key(KeyId=key, ReplicaRegion="eu-central-1")
        told = kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1", Description="near")
        kms.replicate_key(KeyId=key, ReplicaRegion="ap-southeast-2")
        lab.clock.travel(seconds=10)

        record = audit.record(lab.world, 3)

        wanted = as_cloudtrail(told["ReplicaKeyMetadata"])
        wanted["aWSAccountId"] = wanted.pop("AWSAccountId")
        assert record["responseElements"] == {"replicaKeyMetadata": wanted, "replicaPolicy": told["ReplicaPolicy"]}
        assert record["awsRegion"] == "us-east-1"
        assert [one["ARN"] for one in record["resources"]] == [key]
        assert wanted["keyState"] == "Creating"

    def test_the_replica_is_created_in_its_region(self, lab):
        """
        Replicating a key also leaves a CreateKey in the replica's Region, which shows the replica.
        """
        kms = lab.client()
        key = kms.create_key(MultiRegion=True)["KeyMetadata"]["Arn"]
        told = kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1", Description="near")["ReplicaKeyMetadata"]

        record = last(lab)

        assert (record["eventName"], record["awsRegion"]) == ("CreateKey", "eu-west-1")
        assert record["responseElements"]["keyMetadata"] == as_cloudtrail(told)
        assert record["requestParameters"]["multiRegion"] is True
        assert [one["ARN"] for one in record["resources"]] == [told["Arn"]]

    def test_a_replica_made_again(self, lab):
        """
        A replica that was deleted and made again has a record of each creation, each with its own description.
        """
        kms = lab.client()
        key = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
        for name in ("first", "second"):
            kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1", Description=name)
            lab.client(region="eu-west-1").schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
            lab.clock.travel(days=8)

        created = [one for one in lab.events() if (one["eventName"], one["awsRegion"]) == ("CreateKey", "eu-west-1")]

        shown = [one["responseElements"]["keyMetadata"] for one in created]
        assert [one["description"] for one in shown] == ["first", "second"]
        assert [one["creationDate"][:6] for one in shown] == ["Apr 1,", "Apr 9,"]


def as_cloudtrail(metadata):
    """Write ``KeyMetadata`` as CloudTrail's samples do."""

    def small(value):
        if isinstance(value, dict):
            return {name[0].lower() + name[1:]: small(one) for name, one in value.items()}
        return [small(one) for one in value] if isinstance(value, list) else value

    shown = small(metadata)
    shown["AWSAccountId"] = shown.pop("aWSAccountId")
    shown["creationDate"] = f"{metadata['CreationDate']:%b} {metadata['CreationDate'].day}, 2026, " + (
        f"{metadata['CreationDate']:%I:%M:%S %p}".lstrip("0")
    )
    shown.pop("currentKeyMaterialId", None)
    return shown


class TestGrants:
    def test_create_grant(self, eventful):
        """
        CreateGrant's record has the grant's id and the key's ARN, and the constraints in the caller's own words.
        """
        record = records_of(eventful, "CreateGrant")[0]

        arn = eventful.lab.key(eventful.other).arn
        assert record["responseElements"] == {"grantId": eventful.grants[0], "keyId": arn}
        assert record["requestParameters"]["constraints"] == {"encryptionContextSubset": {"Tenant": "a"}}
        assert record["requestParameters"]["granteePrincipal"] == ADMIN

    def test_retire_grant_names_the_grant_beside_the_request(self, eventful):
        """
        RetireGrant's record has no request parameters, since the token is a secret; the grant's id stands beside.
        """
        for grant, record in zip(eventful.grants, records_of(eventful, "RetireGrant"), strict=False):
            assert record["requestParameters"] is None
            assert record["additionalEventData"] == {"grantId": grant}

    def test_revoke_grant(self, eventful):
        """
        RevokeGrant's record names the grant among the request parameters.
        """
        (record,) = records_of(eventful, "RevokeGrant")

        assert record["requestParameters"] == {"keyId": eventful.other, "grantId": eventful.grants[2]}


class TestImportedMaterial:
    def test_import(self, lab, eventful):
        """
        ImportKeyMaterial's record says which material came, until when it is good and what it is for.
        """
        first, second = records_of(eventful, "ImportKeyMaterial")

        materials = [one.id for one in eventful.lab.key(eventful.imported).materials]
        assert [one["responseElements"]["keyMaterialId"] for one in (first, second)] == materials
        assert first["requestParameters"]["validTo"] == "Nov 25, 2026, 12:00:00 AM"
        assert first["requestParameters"]["expirationModel"] == "KEY_MATERIAL_EXPIRES"
        assert second["requestParameters"]["importType"] == "NEW_KEY_MATERIAL"
        assert second["requestParameters"]["keyMaterialDescription"] == "the second"
        assert "additionalEventData" not in first

    def test_valid_to_is_read_in_any_form(self, lab):
        """
        A date given as a number shows as the date that it means.
        """
        kms = lab.client()
        key = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
        moment = datetime(2026, 5, 21, 5, 47, 45, tzinfo=UTC)

        kms.import_key_material(**import_request(kms, key, ValidTo=moment.timestamp()))

        assert last(lab)["requestParameters"]["validTo"] == "May 21, 2026, 5:47:45 AM"

    def test_delete(self, eventful):
        """
        DeleteImportedKeyMaterial's record names the material that went.
        """
        (record,) = records_of(eventful, "DeleteImportedKeyMaterial")

        key = eventful.lab.key(eventful.imported)
        assert record["responseElements"] == {"keyId": key.arn, "keyMaterialId": key.materials[1].id}

    def test_material_of_other_keys_has_no_id(self, lab):
        """
        AWS tells no id of an HMAC key's material, so neither do the records of its import and deletion.
        """
        kms = lab.client()
        params = {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC", "Origin": "EXTERNAL"}
        key = kms.create_key(**params)["KeyMetadata"]["Arn"]

        kms.import_key_material(**import_request(kms, key))
        kms.delete_imported_key_material(KeyId=key)
        kms.delete_imported_key_material(KeyId=key)

        *_, imported, deleted, again = lab.events()
        assert [one["responseElements"] for one in (imported, deleted, again)] == [{"keyId": key}] * 3

    def test_expiry_is_an_event_of_the_service(self, eventful):
        """
        Material that expires is recorded as AWS's own doing, with the key and the material that went.
        """
        (record,) = records_of(eventful, "DeleteExpiredKeyMaterial")

        assert record["userIdentity"] == {"accountId": ACCOUNT, "invokedBy": "AWS Internal"}
        assert record["serviceEventDetails"] == {
            "keyId": eventful.imported,
            "keyMaterialId": eventful.lab.key(eventful.imported).materials[0].id,
        }


class TestRegions:
    def test_synchronizing_is_a_call_of_aws_itself(self, eventful):
        """
        SynchronizeMultiRegionKey names the primary alone, and is a call with a request id, made by nobody.
        """
        record = records_of(eventful, "SynchronizeMultiRegionKey")[0]

        assert record["eventType"] == "AwsApiCall"
        assert record["requestID"]
        assert record["userIdentity"] == {"accountId": ACCOUNT, "invokedBy": "AWS Internal"}
        assert record["responseElements"] == {"keyId": eventful.primary}

    def test_a_primary_that_waits_has_no_deletion_date(self, eventful):
        """
        Scheduled while it has replicas, a primary is PendingReplicaDeletion and its record has no date.
        """
        (record,) = (one for one in records_of(eventful, "ScheduleKeyDeletion") if one["awsRegion"] == "eu-west-1")

        assert record["responseElements"] == {
            "keyId": eventful.primary.replace("us-east-1", "eu-west-1"),
            "keyState": "PendingReplicaDeletion",
            "pendingWindowInDays": 7,
        }

    def test_update_primary_region(self, eventful):
        """
        UpdatePrimaryRegion's record is the old primary's and names the new Region.
        """
        (record,) = records_of(eventful, "UpdatePrimaryRegion")

        assert record["requestParameters"] == {"keyId": eventful.primary, "primaryRegion": "eu-west-1"}
        assert record["responseElements"] == {"keyId": eventful.primary}


class TestCustomKeyStores:
    def test_create(self, lab):
        """
        CreateCustomKeyStore's record has the name, the cluster and the new id; neither password nor certificate.
        """
        request = hsm_request(lab)

        store = lab.client().create_custom_key_store(**request)["CustomKeyStoreId"]

        record = last(lab)
        assert record["requestParameters"] == {
            "clusterId": request["CloudHsmClusterId"],
            "customKeyStoreName": "cloudhsm",
        }
        assert record["responseElements"] == {"customKeyStoreId": store}

    @pytest.mark.parametrize("name", ["ConnectCustomKeyStore", "DisconnectCustomKeyStore", "UpdateCustomKeyStore"])
    def test_management(self, eventful, name):
        """
        Connecting, disconnecting and updating name the key store in the request, and its name and cluster beside.
        """
        record = records_of(eventful, name)[0]

        assert record["requestParameters"]["customKeyStoreId"] == eventful.store
        assert record["additionalEventData"]["customKeyStoreName"] in ("hsm", "cloudhsm")
        assert record["additionalEventData"]["clusterId"] in eventful.lab.world.clusters
        assert record["responseElements"] is None

    def test_use_of_a_key_tells_where_it_is(self, eventful):
        """
        Cryptography with a key in a custom key store names that; in an external one also the external key.
        """
        used = {
            one["resources"][0]["ARN"].rpartition("/")[2]: one.get("additionalEventData")
            for one in records_of(eventful, "Encrypt")
        }

        outside = eventful.lab.key(eventful.outside).store_id
        assert used[eventful.stored] == {"customKeyStoreId": eventful.store}
        assert used[eventful.outside] == {"customKeyStoreId": outside, "xksKeyId": "external"}

    def test_a_refusal_of_the_proxy(self, lab, refused):
        """
        A Decrypt that an external key store's proxy refuses is recorded as in AWS's sample entry.
        """
        home = Home(lab, "EXTERNAL_KEY_STORE")
        blob = home.kms.encrypt(KeyId=home.key, Plaintext=b"x")["CiphertextBlob"]
        refused(home.kms.decrypt, CiphertextBlob=blob, EncryptionContext={"Department": "Engineering"})

        record = last(lab)

        assert record["errorCode"] == "KMSInvalidStateException"
        assert record["errorMessage"] == (
            "The external key store proxy rejected the request because the specified ciphertext or additional "
            "authenticated data is corrupted, missing, or otherwise invalid."
        )
        assert record["additionalEventData"] == {"customKeyStoreId": home.id, "xksKeyId": "external"}

    @pytest.mark.parametrize(("connected", "status"), [(True, "SUCCESS"), (False, "FAILURE")])
    def test_deletion_tells_of_the_backing_key(self, lab, connected, status):
        """
        Scheduling and deleting a key in a CloudHSM key store name its backing key, and whether it could be erased.
        """
        home = Home(lab, "AWS_CLOUDHSM")
        key = home.key.rpartition("/")[2]
        home.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        scheduled = last(lab)["additionalEventData"]
        if not connected:
            home.disconnect()
        lab.clock.travel(days=7)

        deleted = last(lab)

        backing = f'[{{"backingKeyId":"{key}"}}]'
        wanted = {"customKeyStoreId": home.id, "clusterId": home.behind.id, "backingKeys": backing}
        assert scheduled == wanted
        assert deleted["eventName"] == "DeleteKey"
        assert deleted["additionalEventData"] == {
            **wanted,
            "backingKeysDeletionStatus": f'[{{"backingKeyId":"{key}","deletionStatus":"{status}"}}]',
        }


class TestWho:
    def test_user(self, lab):
        """
        A user is an IAMUser with a name and no session.
        """
        lab.client().list_keys()

        identity = last(lab)["userIdentity"]

        assert (identity["type"], identity["userName"]) == ("IAMUser", "Admin")
        assert "sessionContext" not in identity

    def test_role(self, lab, refused):
        """
        A role is an AssumedRole whose session names the role as its issuer.
        """
        role = lab.iam.create_role("App")
        refused(lab.client(role).list_keys)

        identity = last(lab)["userIdentity"]

        assert identity["type"] == "AssumedRole"
        assert identity["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/App/lab"
        issuer = identity["sessionContext"]["sessionIssuer"]
        assert (issuer["arn"], issuer["userName"]) == (role, "App")
        assert identity["principalId"] == f"{issuer['principalId']}:lab"

    def test_root(self, lab):
        """
        The root user is Root, and its principal id is the account.
        """
        lab.client(f"arn:aws:iam::{ACCOUNT}:root").list_keys()

        identity = last(lab)["userIdentity"]

        assert (identity["type"], identity["principalId"]) == ("Root", ACCOUNT)


ALL = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
MINE = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
VISITOR = f"arn:aws:sts::{ACCOUNT}:federated-user/Visitor"
BEGUN = {"creationDate": "2026-04-01T00:00:00Z", "mfaAuthenticated": "false"}


class TestCircumstances:
    """How a call came, and the session that it was made in."""

    def test_through_an_endpoint(self, lab):
        """
        A call through a VPC endpoint shows the endpoint, its owner, and the address inside; other calls show none.
        """
        endpoint = lab.vpc.create_endpoint(account=OTHER)
        lab.client(endpoint=endpoint, source_ip="10.0.0.7").list_keys()

        record = last(lab)

        assert (record["vpcEndpointId"], record["vpcEndpointAccountId"]) == (endpoint, OTHER)
        assert record["sourceIPAddress"] == "10.0.0.7"
        lab.client().list_keys()
        assert not {"vpcEndpointId", "vpcEndpointAccountId"} & set(last(lab))
        assert last(lab)["sourceIPAddress"] == "192.0.2.0"

    @pytest.mark.parametrize("wide", [True, False])
    @pytest.mark.parametrize("deny", [True, False])
    def test_refused_by_the_endpoint(self, lab, refused, deny, wide):
        """
        What nothing but the endpoint's policy refused is in no trail, though it is in the log; a call that others
        refuse, too, is told.
        """
        stranger = lab.iam.create_role("Stranger", policies=[MINE] if wide else [])
        policy = {"Version": "2012-10-17", "Statement": [ALL, {**ALL, "Effect": "Deny", "Action": "kms:ListKeys"}]}
        if not deny:
            policy["Statement"] = [{**ALL, "Action": "kms:DescribeKey"}]
        endpoint = lab.vpc.create_endpoint(policy)

        refused(lab.client(stranger, endpoint=endpoint).list_keys)

        told = not wide
        assert len(lab.world.log) == 1
        assert len(lab.events()) == len(lab.trail()) == told
        assert len(audit.frame(lab.world, ACCOUNT)) == len(list(audit.records(lab.world, ACCOUNT))) == told

    def test_a_service_that_acts_as_itself(self, lab):
        """
        A service shows its name for an address.
        """
        key = lab.client().create_key(Policy=json.dumps({"Version": "2012-10-17", "Statement": [ALL]}))["KeyMetadata"]
        lab.client("logs.us-east-1.amazonaws.com").describe_key(KeyId=key["Arn"])

        assert last(lab)["sourceIPAddress"] == "logs.us-east-1.amazonaws.com"
        assert last(lab)["userIdentity"] == {"type": "AWSService", "invokedBy": "logs.us-east-1.amazonaws.com"}

    def test_federated_user(self, lab, refused):
        """
        A federated user's session names the user who made it as its issuer.
        """
        refused(lab.client(VISITOR, federated_by=ADMIN).list_keys)

        identity = last(lab)["userIdentity"]

        issuer = identity["sessionContext"]["sessionIssuer"]
        assert (identity["type"], identity["arn"]) == ("FederatedUser", VISITOR)
        assert (issuer["type"], issuer["arn"], issuer["userName"]) == ("IAMUser", ADMIN, "Admin")
        assert issuer["accountId"] == ACCOUNT
        assert issuer["principalId"].startswith("AIDA")
        assert identity["sessionContext"]["attributes"] == BEGUN
        assert "userName" not in identity

    def test_session_of_a_user(self, lab):
        """
        A user with credentials of GetSessionToken has a session that nobody issued, with its beginning and its second
        factor, and shows those credentials.
        """
        sts = lab.boto3_client(service="sts")
        key = sts.get_session_token(SerialNumber=f"arn:aws:iam::{ACCOUNT}:mfa/Admin", TokenCode="123456")
        lab.clock.travel(minutes=5)
        given = key["Credentials"]
        with lab.boto3():
            boto3.client(
                "kms",
                aws_access_key_id=given["AccessKeyId"],
                aws_secret_access_key=given["SecretAccessKey"],
                aws_session_token=given["SessionToken"],
            ).list_keys()

        identity = last(lab)["userIdentity"]

        assert identity["type"] == "IAMUser"
        assert identity["accessKeyId"] == given["AccessKeyId"]
        assert identity["sessionContext"] == {"attributes": {**BEGUN, "mfaAuthenticated": "true"}}

    def test_source_identity(self, lab, refused):
        """
        A role's session tells who stands behind it; its policy and its tags are not told.
        """
        role = lab.iam.create_role("App")
        how = {"source_identity": "Ann", "session_policy": MINE, "session_tags": {"team": "marker"}, "mfa": True}
        refused(lab.client(role, **how).list_keys)

        session = last(lab)["userIdentity"]["sessionContext"]

        assert session["sourceIdentity"] == "Ann"
        assert session["attributes"]["mfaAuthenticated"] == "true"
        assert "marker" not in json.dumps(lab.world.log.to_data())
        assert "Statement" not in json.dumps(lab.world.log.to_data())

    def test_nothing_is_kept_that_goes_without_saying(self, lab):
        """
        The log keeps nothing more of a call with nothing special, and one record for all that came alike.
        """
        kms = lab.client(source_ip="203.0.113.9")
        lab.client().list_keys()
        lab.client(via="s3").list_keys()
        kms.list_keys()
        kms.list_keys()

        more = lab.world.log.more
        assert set(more) == {2, 3}
        assert more[2] is more[3]

    def test_circumstances_and_what_an_operation_adds(self, lab):
        """
        What an operation adds to its entry stands beside the circumstances.
        """
        key = lab.client().create_key()["KeyMetadata"]["KeyId"]
        kms = lab.client(source_ip="203.0.113.9")
        grant = kms.create_grant(KeyId=key, GranteePrincipal=ADMIN, Operations=["Decrypt"])["GrantId"]

        assert last(lab)["responseElements"]["grantId"] == grant
        assert last(lab)["sourceIPAddress"] == "203.0.113.9"


class TestRefusals:
    def test_access_denied_goes_by_cloudtrails_name(self, eventful):
        """
        A denied call is recorded with CloudTrail's code AccessDenied and AWS's sentence.
        """
        record = next(r for r in audit.records(eventful.lab.world) if r.get("errorCode") == "AccessDenied")

        assert "is not authorized to perform: kms:Decrypt" in record["errorMessage"]

    def test_other_errors_keep_their_name(self, lab, refused):
        """
        Any other refusal is recorded under its own name.
        """
        error = refused(lab.client().describe_key, KeyId="alias/nowhere")

        record = last(lab)

        assert (record["errorCode"], record["errorMessage"]) == ("NotFoundException", error.message)
        assert record["requestID"] == error.response["ResponseMetadata"]["RequestId"]

    def test_a_successful_record_has_no_error(self, lab):
        """
        A call that succeeded has neither errorCode nor errorMessage.
        """
        lab.client().list_keys()

        assert not {"errorCode", "errorMessage"} & set(last(lab))


class TestAcrossAccounts:
    def test_logged_in_both_accounts(self, eventful):
        """
        A call on another account's key is in both trails, under one shared event id; the owner sees no name.
        """
        world = eventful.lab.world
        (theirs,) = (r for r in audit.records(world, OTHER) if "errorCode" not in r)
        (ours,) = (r for r in audit.records(world, ACCOUNT) if r.get("sharedEventID"))

        assert theirs["sharedEventID"] == ours["sharedEventID"]
        assert theirs["eventID"] != ours["eventID"]
        assert theirs["recipientAccountId"] == OTHER
        assert theirs["userIdentity"]["type"] == "AssumedRole"
        assert set(ours["userIdentity"]) == {"type", "principalId", "accountId"}

    def test_a_denied_call_stays_with_the_caller(self, eventful):
        """
        A denied cross-account call is in the caller's trail only.
        """
        world = eventful.lab.world
        denied = [r for r in audit.records(world) if r.get("errorCode") == "AccessDenied"]

        assert [r["recipientAccountId"] for r in denied] == [ACCOUNT, OTHER]
        assert all("sharedEventID" not in r for r in denied)

    def test_one_story(self):
        """
        On another account's key the caller is logged, charged and throttled, and the owner only hears.
        """
        lab = Lab(seed=7, request_quotas=True)
        guest = lab.iam.create_user("Guest", policies=[MINE], account=OTHER)
        statement = {"Effect": "Allow", "Principal": {"AWS": guest}, "Action": "kms:DescribeKey", "Resource": "*"}
        own = {**ALL, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [own, statement]})
        key = lab.client().create_key(Policy=policy)["KeyMetadata"]["Arn"]
        theirs, ours = lab.client(guest), lab.client()

        def outcome(call, **params):
            try:
                call(**params)
            except KMSError as error:
                return error.code
            return None

        rate = OPERATIONS["DescribeKey"].quota
        assert [outcome(theirs.describe_key, KeyId=key) for _ in range(rate + 1)] == [None] * rate + [
            "ThrottlingException"
        ]
        assert outcome(ours.describe_key, KeyId=key) is None
        assert outcome(theirs.disable_key, KeyId=key) == "AccessDeniedException"

        names = Counter(
            (record["recipientAccountId"], record["eventName"], record.get("errorCode")) for record in lab.events()
        )
        assert names[OTHER, "DescribeKey", None] == rate
        assert names[ACCOUNT, "DescribeKey", None] == rate + 1
        assert (names[OTHER, "DisableKey", "AccessDenied"], names[ACCOUNT, "DisableKey", "AccessDenied"]) == (1, 0)
        shared = Counter(record["sharedEventID"] for record in lab.events() if "sharedEventID" in record)
        assert set(shared.values()) == {2}


_CALLS = {
    "encrypt": lambda kms, key, n: kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"n": str(n)}),
    "decrypt garbage": lambda kms, key, n: kms.decrypt(CiphertextBlob=bytes([n])),
    "missing key": lambda kms, key, n: kms.describe_key(KeyId=f"alias/{n}"),
    "data key": lambda kms, key, n: kms.generate_data_key(KeyId=key, KeySpec="AES_256"),
    "two sizes": lambda kms, key, n: kms.generate_data_key(KeyId=key, KeySpec="AES_256", NumberOfBytes=n + 1),
    "alias": lambda kms, key, n: kms.create_alias(AliasName=f"alias/{n}", TargetKeyId=key),
    "bad name": lambda kms, key, n: kms.create_alias(AliasName="nothing", TargetKeyId=key),
    "disable": lambda kms, key, n: kms.disable_key(KeyId=key),
    "list": lambda kms, key, n: kms.list_keys(),
    "dry run": lambda kms, key, n: kms.encrypt(KeyId=key, Plaintext=b"x", DryRun=True),
}


class TestLaws:
    @given(calls=st.lists(st.tuples(st.sampled_from(sorted(_CALLS)), st.booleans(), st.integers(0, 9)), max_size=12))
    def test_one_entry_for_each_call(self, calls):
        """
        Every call leaves exactly one entry, refused calls too, and the trail shows each of them.
        """
        lab = Lab(seed=1)
        admin, stranger = lab.client(), lab.client(lab.iam.create_role("Stranger"))
        key = admin.create_key()["KeyMetadata"]["KeyId"]
        refusals = 0

        for name, trusted, number in calls:
            before = len(lab.world.log)
            try:
                _CALLS[name](admin if trusted else stranger, key, number)
            except KMSError:
                refusals += 1
            assert len(lab.world.log) == before + 1

        records = list(audit.records(lab.world))
        assert len(records) == len(calls) + 1
        assert sum("errorCode" in record for record in records) == refusals

    @given(marker=st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=20, max_size=40))
    def test_no_secret_is_ever_logged(self, marker, refused):
        """
        No plaintext, data key, key material, random bytes or ciphertext is in any record or entry, in any spelling.
        """
        lab = Lab()
        kms = lab.client()
        plaintext = marker.encode()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        blob = kms.encrypt(KeyId=key, Plaintext=plaintext)["CiphertextBlob"]
        kms.decrypt(CiphertextBlob=blob)
        kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key)
        data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
        random = kms.generate_random(NumberOfBytes=24)["Plaintext"]
        refused(kms.decrypt, CiphertextBlob=blob, EncryptionContext={"wrong": "context"})
        refused(kms.encrypt, KeyId=key, Plaintext=plaintext * 250)
        refused(kms.encrypt, KeyId="alias/nowhere", Plaintext=plaintext)
        refused(lab.client(lab.iam.create_role("App")).encrypt, KeyId=key, Plaintext=plaintext)

        told = json.dumps(list(audit.records(lab.world))) + lab.trail().to_csv()
        kept = repr([lab.world.log.entry(index) for index in range(len(lab.world.log))]) + repr(
            lab.world.log.happenings
        )

        secrets = (plaintext, blob, data_key["Plaintext"], data_key["CiphertextBlob"], random)
        for secret in (*secrets, lab.key(key).current.secret):
            for spelling in spellings(secret):
                assert spelling not in told
                assert spelling not in kept

    def test_no_secret_of_any_operation_is_logged(self, eventful):
        """
        Of all that went through all operations, no plaintext, ciphertext, key, message, signature, MAC, shared secret,
        token, password or credential is in any record, message or entry, in any spelling.
        """
        lab = eventful.lab
        told = json.dumps(lab.events()) + lab.trail().to_csv()
        kept = repr([lab.world.log.entry(index) for index in range(len(lab.world.log))])
        kept += repr(lab.world.log.happenings) + repr(lab.world.log.more)

        assert len(eventful.secrets) > 40
        for secret in eventful.secrets:
            for spelling in spellings(secret):
                assert spelling not in told
                assert spelling not in kept


def spellings(secret):
    """A secret's bytes as somebody might have written them down."""
    whole = base64.b64encode(secret).decode().rstrip("=")
    return repr(secret)[2:-1], secret.hex(), whole[: len(secret) * 4 // 3]


class TestFrame:
    def test_says_what_the_records_say(self, eventful):
        """
        The frame has one row for each event, and every row agrees with its record.
        """
        world = eventful.lab.world
        table = audit.frame(world)

        assert len(table) == len(world.log)
        for index, row in enumerate(table.to_dict("records")):
            record = audit.record(world, index)
            key = record["resources"] and next(r["ARN"] for r in reversed(record["resources"]) if ":key/" in r["ARN"])
            context = (record["requestParameters"] or {}).get("encryptionContext")
            shown = {name: None if pd.isna(value) else value for name, value in row.items()}
            assert shown["eventTime"] == pd.Timestamp(record["eventTime"])
            assert shown["principal"] == record["userIdentity"].get("arn")
            assert (shown["encryptionContext"] and json.loads(shown["encryptionContext"])) == context
            for name in ("eventName", "awsRegion", "readOnly", "eventType"):
                assert shown[name] == record[name]
            for name in ("errorCode", "errorMessage"):
                assert shown[name] == record.get(name)
            if record["resources"]:
                assert shown["keyArn"] == key
                assert shown["keyId"] == key.rpartition("/")[2]

    def test_time_is_aware_utc(self, eventful):
        """
        Event times know that they are UTC.
        """
        assert str(eventful.lab.trail()["eventTime"].dt.tz) == "UTC"

    @pytest.mark.parametrize("account", [ACCOUNT, OTHER, "999999999999"])
    def test_of_one_account(self, eventful, account):
        """
        An account's frame has the events of its records, in their order.
        """
        world = eventful.lab.world

        rows = audit.frame(world, account)

        assert [r["eventName"] for r in audit.records(world, account)] == rows["eventName"].tolist()

    def test_the_log_goes_on_while_a_frame_is_held(self, lab):
        """
        A frame is a snapshot: the log grows on and the frame stays as it was.
        """
        kms = lab.client()
        kms.list_keys()

        trail = lab.trail()
        kms.list_keys()

        assert (len(trail), len(lab.trail())) == (1, 2)

    def test_an_empty_world(self):
        """
        Where nothing happened the frame has all its columns and no row.
        """
        trail = Lab().trail()

        assert len(trail) == 0
        assert {"eventTime", "eventName", "errorCode", "principal", "keyId"} <= set(trail.columns)

    def test_grouping(self, eventful):
        """
        Counting by event and error gives what counting the records gives.
        """
        world = eventful.lab.world
        wanted = Counter(audit.record(world, index)["eventName"] for index in range(len(world.log)))

        counts = audit.frame(world).groupby("eventName", observed=True).size()

        assert counts.to_dict() == wanted

    def test_equal_contexts_are_one_category(self, lab):
        """
        A context that many calls carry is one category, so that grouping by it is cheap and right.
        """
        kms = lab.client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        for number in range(6):
            kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"tenant": str(number % 2)})

        sizes = lab.trail().groupby("encryptionContext", observed=True).size()

        assert sizes.to_dict() == {'{"tenant":"0"}': 3, '{"tenant":"1"}': 3}
