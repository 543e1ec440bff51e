"""A world in which everything happens: every operation of AWS KMS, some refused, and all that KMS does by itself."""

import hashlib
import json
from datetime import timedelta
from types import SimpleNamespace

import pytest

from kms_lab import KMSError, Lab
from kms_lab.lab import ADMIN
from tests.service.conftest import import_request, peer_key, sender
from tests.service.homes import hsm_request, wait

OTHER = "444455556666"
GUEST_POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}


def share(kms, key, account=OTHER):
    """Let another account use a key: its half of the bargain."""
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    root = {"AWS": f"arn:aws:iam::{account}:root"}
    policy["Statement"].append({"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"})
    kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))


def refused(call, **params):
    """Make a call that AWS refuses, and return the error."""
    with pytest.raises(KMSError) as caught:
        call(**params)
    return caught.value


def everything(lab: Lab, marker: str = "top secret") -> SimpleNamespace:
    """Let everything happen, with secrets that begin with a marker where the caller chooses them.

    Returns:
        What is left to look at; ``secrets`` are all the secrets that went to KMS or came from it.
    """
    kms, secret = lab.client(), marker.encode()
    world = SimpleNamespace(lab=lab, kms=kms, secrets=[secret])
    _symmetric(world, secret)
    _asymmetric(world, secret)
    _grants(world, secret)
    _imported(world, secret)
    _regions(world)
    _cloudhsm(world, marker)
    _external(world, secret)
    world.secrets += [one.secret for key in lab.world.all_keys() for one in (*key.materials, *key.pending)]
    world.secrets = [one for one in dict.fromkeys(world.secrets) if one]
    return world


def _new(kms, **params):
    return kms.create_key(**params)["KeyMetadata"]["KeyId"]


def _symmetric(world, secret):
    lab, kms = world.lab, world.kms
    world.key = key = _new(kms, Description="orders", Tags=[{"TagKey": "team", "TagValue": "blue"}])
    world.other = other = _new(kms)
    world.rsa = rsa = _new(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    context = {"Tenant": "a", "purpose": "test"}
    kms.create_alias(AliasName="alias/app", TargetKeyId=key)
    kms.list_aliases()
    kms.list_keys()
    kms.describe_key(KeyId="alias/app")
    blob = kms.encrypt(KeyId="alias/app", Plaintext=secret, EncryptionContext=context)["CiphertextBlob"]
    kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)
    again = kms.re_encrypt(
        CiphertextBlob=blob,
        SourceEncryptionContext=context,
        DestinationKeyId=other,
        DestinationEncryptionContext={"Level": "3A"},
    )["CiphertextBlob"]
    sealed = kms.encrypt(KeyId=rsa, Plaintext=secret, EncryptionAlgorithm="RSAES_OAEP_SHA_256")["CiphertextBlob"]
    kms.decrypt(KeyId=rsa, CiphertextBlob=sealed, EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    data = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=context)
    sparse = kms.generate_data_key_without_plaintext(KeyId=key, NumberOfBytes=24)["CiphertextBlob"]
    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256", EncryptionContext=context)
    half = kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec="ECC_NIST_EDWARDS25519")
    world.secrets += [blob, again, sealed, data["Plaintext"], data["CiphertextBlob"], sparse]
    world.secrets += [pair["PrivateKeyPlaintext"], pair["PrivateKeyCiphertextBlob"], half["PrivateKeyCiphertextBlob"]]
    world.secrets.append(kms.generate_random(NumberOfBytes=24)["Plaintext"])
    kms.get_key_last_usage(KeyId=key)
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "cost", "TagValue": "42"}])
    kms.list_resource_tags(KeyId=key)
    kms.untag_resource(KeyId=key, TagKeys=["cost"])
    kms.update_key_description(KeyId=key, Description="orders, again")
    kms.put_key_policy(KeyId=key, Policy=kms.get_key_policy(KeyId=key)["Policy"])
    kms.list_key_policies(KeyId=key)
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    kms.get_key_rotation_status(KeyId=key)
    lab.clock.travel(days=200)
    kms.rotate_key_on_demand(KeyId=key)
    kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    kms.disable_key_rotation(KeyId=key)
    kms.disable_key(KeyId=key)
    kms.enable_key(KeyId=key)
    kms.update_alias(AliasName="alias/app", TargetKeyId=other)
    kms.delete_alias(AliasName="alias/app")
    kms.schedule_key_deletion(KeyId=key)
    kms.cancel_key_deletion(KeyId=key)
    refused(kms.encrypt, KeyId=key, Plaintext=secret)
    refused(kms.encrypt, KeyId=other, Plaintext=secret * 500)
    refused(kms.decrypt, CiphertextBlob=again, EncryptionContext={"wrong": "context"})
    stranger = lab.client(lab.iam.create_role("Stranger"))
    refused(stranger.decrypt, CiphertextBlob=blob, EncryptionContext=context)
    refused(kms.describe_key, KeyId="alias/nowhere")
    world.secrets += [one.secret for one in lab.key(key).materials]
    world.arn = lab.key(key).arn
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    lab.clock.travel(days=8)

    share(kms, other)
    world.guest = lab.client(lab.iam.create_role("Guest", [GUEST_POLICY], account=OTHER))
    world.secrets.append(world.guest.encrypt(KeyId=lab.key(other).arn, Plaintext=secret)["CiphertextBlob"])
    refused(world.guest.encrypt, KeyId=lab.key(rsa).arn, Plaintext=secret)


def _asymmetric(world, secret):
    kms = world.kms
    signing = {"KeyId": _new(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY"), "SigningAlgorithm": "ECDSA_SHA_256"}
    signature = kms.sign(**signing, Message=secret)["Signature"]
    kms.verify(**signing, Message=secret, Signature=signature)
    refused(kms.verify, **signing, Message=secret + b"!", Signature=signature)
    refused(sender(world.lab, "Sign"), **signing, Message=secret * 500)
    kms.get_public_key(KeyId=signing["KeyId"])
    mac = {"KeyId": _new(kms, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"), "MacAlgorithm": "HMAC_SHA_256"}
    tag = kms.generate_mac(**mac, Message=secret)["Mac"]
    kms.verify_mac(**mac, Message=secret, Mac=tag)
    refused(kms.verify_mac, **mac, Message=secret + b"!", Mac=tag)
    agreement = _new(kms, KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
    shared = kms.derive_shared_secret(KeyId=agreement, KeyAgreementAlgorithm="ECDH", PublicKey=peer_key())
    capsule = {
        "KeyId": _new(kms, KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE"),
        "EncapsulationAlgorithm": "ML_KEM",
    }
    wrapped = kms.encapsulate(**capsule)
    kms.decapsulate(**capsule, SharedSecretCiphertextBlob=wrapped["SharedSecretCiphertextBlob"])
    refused(kms.decapsulate, **capsule, SharedSecretCiphertextBlob=secret)
    world.secrets += [signature, tag, shared["SharedSecret"], wrapped["SharedSecret"]]
    world.secrets.append(wrapped["SharedSecretCiphertextBlob"])


def _grants(world, secret):
    kms, key = world.kms, world.other
    constraints = {"EncryptionContextSubset": {"Tenant": "a"}}
    request = {"KeyId": key, "GranteePrincipal": ADMIN, "Operations": ["Decrypt", "RetireGrant"]}
    first = kms.create_grant(**request, Constraints=constraints, RetiringPrincipal=ADMIN, Name="first")
    second, third = kms.create_grant(**request), kms.create_grant(**request)
    kms.list_grants(KeyId=key)
    kms.list_retirable_grants(RetiringPrincipal=ADMIN)
    kms.retire_grant(GrantToken=first["GrantToken"])
    kms.retire_grant(KeyId=world.lab.key(key).arn, GrantId=second["GrantId"])
    kms.revoke_grant(KeyId=key, GrantId=third["GrantId"])
    refused(kms.retire_grant, GrantToken=first["GrantToken"])
    refused(kms.retire_grant, GrantToken=secret.decode())
    refused(kms.encrypt, KeyId=key, Plaintext=secret, GrantTokens=[secret.decode()])
    world.grants = [one["GrantId"] for one in (first, second, third)]
    world.secrets += [one["GrantToken"].encode() for one in (first, second, third)]


def _imported(world, secret):
    lab, kms = world.lab, world.kms
    world.imported = key = _new(kms, Origin="EXTERNAL")
    one, two = (hashlib.sha256(secret + number).digest() for number in (b"1", b"2"))
    until = lab.clock.now + timedelta(days=30)
    requests = [import_request(kms, key, one, ValidTo=until)]
    kms.import_key_material(**requests[0])
    requests.append(import_request(kms, key, two, ImportType="NEW_KEY_MATERIAL", KeyMaterialDescription="the second"))
    kms.import_key_material(**requests[1])
    kms.rotate_key_on_demand(KeyId=key)
    refused(kms.import_key_material, **{**requests[0], "ImportToken": secret})
    refused(kms.import_key_material, **{**requests[0], "EncryptedKeyMaterial": secret})
    kms.delete_imported_key_material(KeyId=key)
    lab.clock.travel(days=31)
    world.secrets += [one, two]
    world.secrets += [request[name] for request in requests for name in ("ImportToken", "EncryptedKeyMaterial")]


def _regions(world):
    lab, kms = world.lab, world.kms
    metadata = kms.create_key(MultiRegion=True, Description="everywhere")["KeyMetadata"]
    world.primary, world.family = metadata["Arn"], metadata["KeyId"]
    kms.enable_key_rotation(KeyId=world.primary)
    for region in ("eu-west-1", "ap-southeast-2"):
        kms.replicate_key(KeyId=world.primary, ReplicaRegion=region, Description=f"in {region}")
    refused(kms.replicate_key, KeyId=world.primary, ReplicaRegion="eu-west-1")
    lab.clock.travel(seconds=10)
    kms.rotate_key_on_demand(KeyId=world.primary)
    kms.update_primary_region(KeyId=world.primary, PrimaryRegion="eu-west-1")
    lab.clock.travel(seconds=10)
    lab.client(region="eu-west-1").schedule_key_deletion(KeyId=world.family, PendingWindowInDays=7)
    for region in ("us-east-1", "ap-southeast-2"):
        lab.client(region=region).schedule_key_deletion(KeyId=world.family, PendingWindowInDays=7)
    lab.clock.travel(days=7)


def _cloudhsm(world, marker):
    lab, kms = world.lab, world.kms
    password = f"{marker.replace(' ', '')[:20]}Aa1"
    cluster = lab.hsm.create_cluster(password=password)
    request = {
        "CustomKeyStoreName": "hsm",
        "CloudHsmClusterId": cluster.id,
        "TrustAnchorCertificate": cluster.trust_anchor,
        "KeyStorePassword": password,
    }
    refused(sender(lab, "CreateCustomKeyStore"), **{**request, "KeyStorePassword": password * 3})
    refused(kms.create_custom_key_store, **{**request, "TrustAnchorCertificate": "another"})
    world.store = store = kms.create_custom_key_store(**request)["CustomKeyStoreId"]
    kms.describe_custom_key_stores(CustomKeyStoreId=store)
    kms.update_custom_key_store(CustomKeyStoreId=store, NewCustomKeyStoreName="cloudhsm", KeyStorePassword=password)
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    wait(lab, CONNECTING)
    world.secrets += [password.encode(), lab.world.clusters[cluster.id].password.encode()]
    world.stored, doomed = (_new(kms, Origin="AWS_CLOUDHSM", CustomKeyStoreId=store) for _ in "ab")
    kms.encrypt(KeyId=world.stored, Plaintext=marker.encode())
    world.secrets += lab.world.clusters[cluster.id].keys.values()
    kms.schedule_key_deletion(KeyId=doomed, PendingWindowInDays=7)
    lab.clock.travel(days=7)
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    refused(kms.encrypt, KeyId=world.stored, Plaintext=marker.encode())
    refused(kms.delete_custom_key_store, CustomKeyStoreId=store)
    wait(lab, CONNECTING)
    empty = kms.create_custom_key_store(**hsm_request(lab, "empty"))["CustomKeyStoreId"]
    kms.delete_custom_key_store(CustomKeyStoreId=empty)
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    wait(lab, CONNECTING)


def _external(world, secret):
    lab, kms = world.lab, world.kms
    proxy = lab.xks.create_proxy()
    proxy.create_key("external")
    store = kms.create_custom_key_store(CustomKeyStoreName="xks", **proxy.request)["CustomKeyStoreId"]
    world.secrets += [text.encode() for text in proxy.credential.values()]
    credential = proxy.rotate_credential()
    kms.update_custom_key_store(CustomKeyStoreId=store, XksProxyAuthenticationCredential=credential)
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    wait(lab, CONNECTING)
    world.outside = _new(kms, Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId="external")
    blob = kms.encrypt(KeyId=world.outside, Plaintext=secret)["CiphertextBlob"]
    refused(kms.decrypt, CiphertextBlob=blob, EncryptionContext={"wrong": "context"})
    (record,) = lab.world.proxies.values()
    world.secrets += [blob, *(text.encode() for text in credential.values())]
    world.secrets += [one.secret for one in record.keys.values()]


#: longer than connecting or disconnecting any key store takes
CONNECTING = 21 * 60 * 1_000_000
