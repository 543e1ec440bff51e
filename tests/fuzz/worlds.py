"""A world with something of everything in it, and what a request can name there."""

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from kms_lab import KMSError, Lab
from kms_lab.core import model
from kms_lab.core.errors import UnsupportedByLab, UnsupportedOperationException
from kms_lab.core.specs import SPECS
from kms_lab.lab import ADMIN, REGION
from tests.service.conftest import imported_key, new_family, new_grant, new_key, peer_key
from tests.service.homes import Home, new_store

READER = "arn:aws:iam::111122223333:role/Reader"
FOREIGNER = "arn:aws:iam::444455556666:user/Foreigner"
REGIONS = (REGION, "eu-west-1")
#: specs of keys that take long to make, and are used as RSA_2048 is
SLOW = ("RSA_3072", "RSA_4096")
#: a policy that uses the whole grammar
POLICY: dict[str, Any] = {
    "Version": "2012-10-17",
    "Id": "everything",
    "Statement": [
        {
            "Sid": "Root",
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Action": "kms:*",
            "Resource": "*",
        },
        {
            "Sid": "Some",
            "Effect": "Allow",
            "Principal": {"AWS": [READER, "444455556666"], "Service": "logs.us-east-1.amazonaws.com"},
            "Action": ["kms:Encrypt", "kms:Decrypt", "kms:Describe*"],
            "Resource": "*",
            "Condition": {
                "StringEquals": {"kms:EncryptionContext:a": ["b", "c"], "aws:PrincipalAccount": "111122223333"},
                "ForAnyValue:StringLike": {"kms:EncryptionContextKeys": "a*"},
                "NumericLessThanIfExists": {"kms:RotationPeriodInDays": 365},
                "Bool": {"kms:GrantIsForAWSResource": True},
                "DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z", "kms:ValidTo": 1e9},
                "IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "::1/128"]},
                "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/${aws:username}*"},
                "Null": {"aws:SourceArn": "true"},
                "BinaryEquals": {"kms:RecipientAttestation:ImageSha384": "QQ=="},
            },
        },
        {
            "Effect": "Deny",
            "NotPrincipal": {"AWS": [ADMIN, "arn:aws:iam::111122223333:root", READER]},
            "NotAction": "kms:Encrypt",
            "Resource": ["*"],
        },
    ],
}
#: texts that mean something in a policy
WORDS = (
    "Version", "2008-10-17", "2012-10-17", "Id", "Statement", "Sid", "Effect", "Allow", "Deny", "Principal",
    "NotPrincipal", "AWS", "Service", "Federated", "CanonicalUser", "*", "Action", "NotAction", "Resource",
    "NotResource", "Condition", "StringEquals", "ForAllValues:StringLike", "ForAnyValue:ArnLike", "NumericEquals",
    "DateLessThan", "Bool", "BoolIfExists", "Null", "IpAddress", "NotIpAddress", "BinaryEquals", "DateEqualsIfExists",
    "kms:*", "kms:CreateGrant", "kms:ViaService", "kms:EncryptionContext:a", "kms:EncryptionContext:", "aws:username",
    "kms:GrantOperations", "aws:CurrentTime", "aws:EpochTime", "aws:SourceIp", "aws:PrincipalTag/a", "aws:TagKeys",
    "kms:RequestAlias", "kms:ResourceAliases", "${aws:username}", "${*}", "${aws:PrincipalTag/a, 'b'}", "10.0.0.0/99",
    "::1", "0", "1e999", "nan", "9999-99-99", "QQ", "arn:aws:iam::111122223333:root", READER, "111122223333",
    "arn:aws:sts::111122223333:assumed-role/Reader/lab", "AIDA" + "A" * 17, "*" * 40 + "a", "*a" * 30 + "*b", "?",
    "a" * 3000,
)  # fmt: skip


def everything(lab: Lab) -> Lab:
    """Fill a lab with keys of every kind and state, aliases, tags, grants, and key stores."""
    lab.iam.create_role("Reader", policies=[])
    lab.iam.create_user("Foreigner", policies=[], account="444455556666")
    kms = lab.client()
    for spec, row in SPECS.items():
        for usage in row.algorithms if spec not in SLOW else ():
            with suppress(UnsupportedByLab, UnsupportedOperationException):
                new_key(kms, KeySpec=spec, KeyUsage=usage)
    plain, disabled, doomed = new_key(kms, Policy=json.dumps(POLICY)), new_key(kms), new_key(kms)
    kms.disable_key(KeyId=disabled)
    kms.schedule_key_deletion(KeyId=doomed)
    kms.create_alias(AliasName="alias/plain", TargetKeyId=plain)
    kms.tag_resource(KeyId=plain, Tags=[{"TagKey": "a", "TagValue": "b"}, {"TagKey": "c", "TagValue": ""}])
    kms.enable_key_rotation(KeyId=plain)
    new_grant(kms, plain, READER, ("Decrypt", "CreateGrant", "RetireGrant"), RetiringPrincipal=READER)
    new_key(kms, Origin="EXTERNAL")
    new_key(kms, Origin="EXTERNAL", MultiRegion=True)
    imported_key(kms, ValidTo=datetime(2026, 6, 1, tzinfo=UTC), ExpirationModel="KEY_MATERIAL_EXPIRES")
    new_family(lab, "eu-west-1")
    Home(lab, "EXTERNAL_KEY_STORE")
    store = new_store(lab, "of hardware")
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    lab.clock.travel(hours=1)
    new_key(kms, Origin="AWS_CLOUDHSM", CustomKeyStoreId=store)
    new_grant(kms, plain, READER, ("Encrypt",), Constraints={"EncryptionContextSubset": {"a": "b"}})
    return lab


def pool(lab: Lab) -> dict[str, Sequence[object]]:
    """Return, by the names of AWS's shapes, values that mean something in a lab."""
    world, kms = lab.world, lab.client()
    keys = list(world.all_keys())
    grants = [grant for key in keys for grant in key.grants.values()]
    names = [key.arn for key in keys] + [key.id for key in keys] + ["alias/plain", "alias/nobody"]
    symmetric = next(key.arn for key in keys if key.grants)
    blobs = [
        kms.encrypt(KeyId=symmetric, Plaintext=b"p", EncryptionContext=c)["CiphertextBlob"] for c in ({}, {"a": "b"})
    ]
    markers = []
    for call, params in ((kms.list_keys, {}), (kms.list_aliases, {}), (kms.list_resource_tags, {"KeyId": symmetric})):
        with suppress(KMSError, KeyError):
            markers.append(call(Limit=1, **params)["NextMarker"])
    algorithms = [name for row in SPECS.values() for names in row.algorithms.values() for name in names]
    regions = [*REGIONS, "us-west-2", "nowhere-1"]
    return {
        "KeyIdType": names,
        "ArnType": names,
        "AliasNameType": ["alias/plain", "alias/new", "alias/aws/s3", "alias/nobody"],
        "CiphertextType": blobs,
        "PlaintextType": [b"p", b"a" * 32],
        "EncryptionContextType": [{}, {"a": "b"}, {"a": "c"}],
        "GrantTokenType": [token for grant in grants for token in grant.tokens],
        "GrantIdType": [grant.id for grant in grants],
        "PrincipalIdType": [ADMIN, READER, FOREIGNER, "s3.amazonaws.com", "arn:aws:iam::111122223333:root"],
        "MarkerType": markers,
        "PolicyType": [json.dumps(POLICY)],
        "PolicyNameType": ["default"],
        "PublicKeyType": [peer_key(), peer_key("ECC_NIST_P384")],
        "CustomKeyStoreIdType": [store.id for shelf in world.shelves.values() for store in shelf.stores.values()],
        "RegionType": regions,
        "EncryptionAlgorithmSpec": algorithms,
        "SigningAlgorithmSpec": algorithms,
        "KeyMaterialIdType": [one.id for key in keys for one in key.materials],
        "XksProxyUriEndpointType": ["https://xks.example.com"],
        "XksProxyUriPathType": ["/kms/xks/v1"],
        "XksKeyIdType": ["external", "nothing"],
        "CloudHsmClusterIdType": list(world.clusters),
        **{name: [True, False] for name, shape in model.load()["shapes"].items() if shape["type"] == "boolean"},
    }
