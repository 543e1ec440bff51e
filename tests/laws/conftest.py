"""Random lives of a small world: strategies for what is done, and a hand that does it."""

import json
from datetime import timedelta
from functools import cache

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import strategies as st

from kms_lab import KMSError, Lab
from kms_lab.core import material
from kms_lab.core.names import Principal
from kms_lab.doors import sts
from kms_lab.doors.client import Client
from kms_lab.doors.credentials import session_credentials
from kms_lab.lab import ACCOUNT
from kms_lab.lab import ADMIN as ADMINISTRATOR

OTHER_ACCOUNT = "444455556666"
#: who may do everything, by account
ADMINS = {ACCOUNT: ADMINISTRATOR, OTHER_ACCOUNT: f"arn:aws:iam::{OTHER_ACCOUNT}:user/Admin"}
#: somebody whom no policy names
APP = f"arn:aws:iam::{ACCOUNT}:user/App"
_EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@cache
def wrapping_key() -> bytes:
    """The RSA key that stands in for every one that KMS would make to wrap imports with: making one takes long."""
    return _new_rsa("RSA_2048")


_new_rsa = material.new_rsa


@pytest.fixture(autouse=True, scope="module")
def one_wrapping_key():
    """Let KMS make no RSA keys, but take the same one every time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(material, "new_rsa", lambda _spec: wrapping_key())
        yield


def wrap(secret: bytes) -> bytes:
    """Wrap key material as its owner would, to import it."""
    public = load_der_public_key(material.public_key(wrapping_key()))
    return public.encrypt(secret, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))


def new_lab(seed: int) -> Lab:
    """A lab with two accounts, an administrator in each, and a user without permissions."""
    lab = Lab(seed=seed)
    lab.iam.create_user("Admin", policies=[_EVERYTHING], account=OTHER_ACCOUNT)
    lab.iam.create_user("App")
    return lab


CONTEXTS = st.dictionaries(st.sampled_from("abc"), st.text(max_size=3), max_size=2)
REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
WHICH = st.integers(0, 11)
PLACES = st.sampled_from(REGIONS)
KINDS = (
    {},
    {"MultiRegion": True},
    {"Origin": "EXTERNAL", "MultiRegion": True},
    {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
    {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "MultiRegion": True},
    {"KeySpec": "ML_DSA_44", "KeyUsage": "SIGN_VERIFY"},
)


def deed(name, which=WHICH, **params):
    """A strategy for one thing that somebody does: a method's name, which key, and parameters."""
    names = name if isinstance(name, st.SearchStrategy) else st.just(name)
    return st.tuples(names, which, st.fixed_dictionaries(params))


DEEDS = st.one_of(
    deed("create_key", Description=st.text(max_size=3), place=PLACES, kind=st.sampled_from(KINDS)),
    deed("encrypt", Plaintext=st.just(b"p"), EncryptionContext=CONTEXTS),
    deed("generate_data_key", KeySpec=st.just("AES_256")),
    deed("generate_mac", Message=st.just(b"m"), MacAlgorithm=st.just("HMAC_SHA_256")),
    deed("enable_key_rotation", RotationPeriodInDays=st.integers(90, 200)),
    deed("schedule_key_deletion", PendingWindowInDays=st.integers(7, 30)),
    deed("tag_resource", Tags=st.just([{"TagKey": "a", "TagValue": "b"}])),
    deed("replicate_key", ReplicaRegion=PLACES),
    deed("update_primary_region", PrimaryRegion=PLACES),
    deed(
        "create_grant",
        GranteePrincipal=st.sampled_from([APP, ADMINISTRATOR]),
        Operations=st.just(["DescribeKey"]),
        RetiringPrincipal=st.just(ADMINISTRATOR),
    ),
    deed(st.sampled_from(["revoke_grant", "retire_grant"]), grant=st.integers(0, 3)),
    deed(
        "import_key_material",
        secret=st.sampled_from([bytes(32), b"1" * 32]),
        lasts=st.sampled_from([None, 60, 3600 * 24 * 30]),
        new=st.booleans(),
    ),
    deed("delete_imported_key_material"),
    deed("create_alias", AliasName=st.sampled_from(["alias/a", "alias/b"])),
    deed("delete_alias", AliasName=st.sampled_from(["alias/a", "alias/b"])),
    deed(st.sampled_from(["connect_custom_key_store", "disconnect_custom_key_store", "create_in_store"])),
    deed(
        st.sampled_from(
            (
                "enable_key",
                "disable_key",
                "cancel_key_deletion",
                "disable_key_rotation",
                "rotate_key_on_demand",
                "describe_key",
                "list_key_rotations",
            )
        )
    ),
    deed("travel", st.integers(1, 120), hours=st.sampled_from([0, 5])),
    deed("travel", st.just(0), seconds=st.sampled_from([1, 10, 60, 300, 1200])),
)
LIVES = st.lists(DEEDS, max_size=25)


def do(lab: Lab, deed) -> list[tuple[str, str | None]]:
    """Do one deed; a refusal is part of life. Returns the calls that it took: method, and error's code or None."""
    what, which, params = deed[0], deed[1], dict(deed[2])
    arns = [key.arn for key in lab.world.all_keys()] + list(lab.world.gone)
    arn = arns[which % len(arns)] if arns else "arn:aws:kms:us-east-1:111122223333:key/none"
    region = arn.split(":")[3]
    kms, key = lab.client(region=region), {"KeyId": arn}
    match what:
        case "travel":
            lab.clock.travel(days=which, **params)
            return []
        case "create_key":
            kms, key = lab.client(region=params.pop("place")), params.pop("kind")
        case "create_alias":
            key = {"TargetKeyId": arn}
        case "delete_alias":
            key = {}
        case "revoke_grant" | "retire_grant":
            grants = [grant.id for one in lab.world.all_keys() if one.arn == arn for grant in one.grants.values()]
            params = {"GrantId": [*grants, "0" * 64][params["grant"] % (len(grants) + 1)]}
        case "connect_custom_key_store" | "disconnect_custom_key_store" | "create_in_store":
            stores = lab.world.shelf(ACCOUNT, REGIONS[0]).stores
            kms, key = lab.client(), {"CustomKeyStoreId": next(iter(stores), "cks-none")}
            if what == "create_in_store":
                what, params = "create_key", {"Origin": "AWS_CLOUDHSM"}
        case "import_key_material":
            return _import(kms, arn, **params)
    return [_call(kms, what, **key, **params)]


def _call(kms: Client, method: str, **params):
    try:
        getattr(kms, method)(**params)
    except KMSError as refusal:
        return method, refusal.code
    return method, None


def _import(kms: Client, arn: str, secret: bytes, lasts: int | None, new: bool):
    asking = {"KeyId": arn, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
    try:
        token = kms.get_parameters_for_import(**asking)["ImportToken"]
    except KMSError as refusal:
        return [("get_parameters_for_import", refusal.code)]
    params = {"KeyId": arn, "ImportToken": token, "EncryptedKeyMaterial": wrap(secret)}
    params["ExpirationModel"] = "KEY_MATERIAL_DOES_NOT_EXPIRE" if lasts is None else "KEY_MATERIAL_EXPIRES"
    if lasts is not None:
        params["ValidTo"] = kms._world.clock.now + timedelta(seconds=lasts)
    if new:
        params |= {"ImportType": "NEW_KEY_MATERIAL", "KeyMaterialDescription": "new"}
    return [("get_parameters_for_import", None), _call(kms, "import_key_material", **params)]


def new_store(lab: Lab) -> str:
    """A CloudHSM key store, not connected."""
    cluster = lab.hsm.create_cluster(password="kmsuser-password")
    return lab.client().create_custom_key_store(
        CustomKeyStoreName="store",
        CloudHsmClusterId=cluster.id,
        TrustAnchorCertificate=cluster.trust_anchor,
        KeyStorePassword="kmsuser-password",
    )["CustomKeyStoreId"]


#: every life begins so: a key, a family in two Regions, and one that waits for its material
BEGINNING = (
    ("create_key", 0, {"place": REGIONS[0], "kind": KINDS[0]}),
    ("create_key", 0, {"place": REGIONS[0], "kind": KINDS[1]}),
    ("replicate_key", 1, {"ReplicaRegion": REGIONS[1]}),
    ("travel", 0, {"seconds": 10}),
    ("create_key", 0, {"place": REGIONS[0], "kind": KINDS[2]}),
)


def live(lab: Lab, deeds) -> Lab:
    """Do many deeds, in a lab that has some keys."""
    if APP not in lab.iam.list():
        lab.iam.create_user("App")
        new_store(lab)
        deeds = (*BEGINNING, *deeds)
    for one in deeds:
        do(lab, one)
    return lab


def _policies_everywhere(lab: Lab) -> None:
    """Hang a policy wherever one can hang, and begin sessions that carry one."""
    allow_all = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    user = lab.iam.create_user("Dana", boundary=allow_all)
    group = lab.iam.create_group("Clerks", policies=[allow_all])
    lab.iam.add_to_group(user, group)
    for one in (user, group):
        lab.iam.attach(one, lab.iam.create_policy("Everything", allow_all))
    root = lab.org.create("999999999999")
    lab.org.place(ACCOUNT, lab.org.create_unit("Workloads"))
    deny = {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": f"arn:aws:kms:*:{OTHER_ACCOUNT}:*"}
    lab.org.attach_rcp(root, "Elsewhere", {"Version": "2012-10-17", "Statement": [deny]})
    lab.vpc.create_endpoint()
    text = json.dumps(allow_all)
    administrator, dana = Principal.parse(ADMINISTRATOR), Principal.parse(user)
    sts.assume_role(
        sts.Caller(lab.world, administrator),
        f"arn:aws:iam::{ACCOUNT}:role/App",
        "job",
        policy=text,
        tags={"team": "b"},
        source_identity="ada",
    )
    sts.get_federation_token(sts.Caller(lab.world, administrator), "guest", policy=text)
    sts.get_session_token(sts.Caller(lab.world, dana), mfa=True)


def full_lab(seed: int) -> Lab:
    """A lab in which every field of everything that there can be has been set, and every timer runs."""
    lab = Lab(seed=seed)
    kms, other = lab.client(), lab.client(region=REGIONS[1])
    role = lab.iam.create_role("App", policies=[_EVERYTHING])
    lab.iam.tag(role, team="a")
    _policies_everywhere(lab)

    def new(**params):
        return kms.create_key(**params)["KeyMetadata"]["Arn"]

    def family(**params):
        arn = new(MultiRegion=True, **params)
        if params:
            _import(kms, arn, bytes(32), None, False)
        kms.replicate_key(KeyId=arn, ReplicaRegion=REGIONS[1])
        lab.clock.travel(seconds=10)
        return arn

    # a replica that was deleted and made again; a key that is deleted; one that rotates; one of an AWS service
    again = family()
    twin = again.replace(REGIONS[0], REGIONS[1])
    other.schedule_key_deletion(KeyId=twin, PendingWindowInDays=7)
    gone = new(Description="gone", Tags=[{"TagKey": "a", "TagValue": "b"}])
    kms.schedule_key_deletion(KeyId=gone, PendingWindowInDays=7)
    kms.disable_key(KeyId=new())
    moved = family()
    lab.clock.travel(days=8)
    kms.enable_key_rotation(KeyId=moved, RotationPeriodInDays=90)
    kms.rotate_key_on_demand(KeyId=moved)
    kms.create_alias(AliasName="alias/moved", TargetKeyId=moved)
    blob = kms.encrypt(KeyId=moved, Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"]
    kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})
    lab.client(via="s3").encrypt(KeyId="alias/aws/s3", Plaintext=b"x")

    # imported material: current, waiting, about to expire
    imported = family(Origin="EXTERNAL")
    _import(kms, imported, b"1" * 32, 3600 * 24 * 30, True)

    # stores: one connected, with a key; one failed; one on its way; one of an external key manager
    store = new_store(lab)
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    proxy = lab.xks.create_proxy(vpc_service="com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0")
    proxy.create_key("external")
    external = kms.create_custom_key_store(CustomKeyStoreName="xks", **proxy.request)["CustomKeyStoreId"]
    kms.connect_custom_key_store(CustomKeyStoreId=external)
    lab.clock.travel(minutes=20)
    new(Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=external, XksKeyId="external")
    stored = new(Origin="AWS_CLOUDHSM", CustomKeyStoreId=store)
    cluster = lab.hsm.create_cluster(password="kmsuser-password")
    failing = kms.create_custom_key_store(
        CustomKeyStoreName="failing",
        CloudHsmClusterId=cluster.id,
        TrustAnchorCertificate=cluster.trust_anchor,
        KeyStorePassword="wrong-password",
    )["CustomKeyStoreId"]
    kms.connect_custom_key_store(CustomKeyStoreId=failing)
    lab.clock.travel(minutes=20)
    record = lab.world.clusters[cluster.id]
    record.active, record.logged_in, record.trouble = False, True, "INTERNAL_ERROR"
    proxy.create_key("weak", "AES_128", ("ENCRYPT",))
    proxy.disable_key("weak")
    proxy.trouble("slow")
    kms.disable_key(KeyId=stored)
    kms.disconnect_custom_key_store(CustomKeyStoreId=external)
    third = lab.hsm.create_cluster(password="kmsuser-password")
    waiting = kms.create_custom_key_store(
        CustomKeyStoreName="waiting",
        CloudHsmClusterId=third.id,
        TrustAnchorCertificate=third.trust_anchor,
        KeyStorePassword="kmsuser-password",
    )["CustomKeyStoreId"]
    kms.connect_custom_key_store(CustomKeyStoreId=waiting)
    kms.schedule_key_deletion(KeyId=stored, PendingWindowInDays=7)

    # grants of every kind, one of which is ending; credentials; replicas on their way; a primary that waits
    for constraints in (
        None,
        {"EncryptionContextEquals": {"a": "b", "c": "d"}},
        {"EncryptionContextSubset": {"a": "b"}},
    ):
        given = {} if constraints is None else {"Constraints": constraints}
        grant = kms.create_grant(
            KeyId=moved,
            GranteePrincipal=role,
            Operations=["Decrypt", "Encrypt"],
            RetiringPrincipal=role,
            Name="n",
            **given,
        )
    kms.create_grant(
        KeyId=moved,
        GranteeServicePrincipal="rds.amazonaws.com",
        RetiringServicePrincipal="rds.amazonaws.com",
        Operations=["Decrypt"],
        Constraints={"SourceArn": "arn:aws:rds:us-east-1:111122223333:db:a"},
    )
    kms.revoke_grant(KeyId=moved, GrantId=grant["GrantId"])
    lab.credentials(ADMINISTRATOR)
    session_credentials(
        lab.world, Principal.parse(role.replace("iam", "sts").replace(":role", ":assumed-role") + "/s"), 900
    )
    kms.replicate_key(KeyId=again, ReplicaRegion=REGIONS[1])
    kms.update_primary_region(KeyId=moved, PrimaryRegion=REGIONS[1])
    kms.schedule_key_deletion(KeyId=again, PendingWindowInDays=7)
    lab.world.request_quotas = True
    return lab
