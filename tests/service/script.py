"""A play in which everything in AWS's model of KMS happens once: calls that succeed in every way, and that fail in
every way. ``test_model_coverage`` watches it.

A scene is a function of a ``Stage``. Each gets a lab of its own, whose clients write down what they are asked and
what they answer.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import botocore.session

from kms_lab import KMSError, Lab
from kms_lab.core.specs import SPECS
from kms_lab.doors.client import Client
from kms_lab.lab import ADMIN
from kms_lab.service.backing import TROUBLES
from kms_lab.service.operation import OPERATIONS
from kms_lab.service.operations.stores import CONNECTING_US, DISCONNECTING_US, STORES_PER_REGION
from tests.service.conftest import (
    EVERYDAY,
    LATER,
    MATERIAL,
    Stage,
    code,
    fill_with_grants,
    fill_with_keys,
    import_request,
    imported_key,
    method,
    new_family,
    new_grant,
    new_key,
    new_stage,
    peer_key,
)
from tests.service.homes import NOWHERE, OTHER_VPC, PASSWORD, VPC, Home, hsm_request, new_store, wait
from tests.service.test_stores import CLUSTER_FAILURES

#: boto3's own reading of AWS's model
MODEL = botocore.session.get_session().get_service_model("kms")
METHODS = {row.method: name for name, row in OPERATIONS.items()}
SYMMETRIC = ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
MISSING = "1234abcd-12ab-34cd-56ef-1234567890ab"
THERE = "eu-west-1"
Params = dict[str, Any]


# ------------------------------------------------------------------------------ watching


@dataclass
class Seen:
    """What was seen of the model so far.

    Attributes:
        errors: operation and error.
        inputs: structure and member, of calls that succeeded; an operation's own members are under its name.
        outputs: likewise, of answers.
        asked: operation, member and enum value, of calls that succeeded.
        answered: enum and value.
    """

    errors: set[tuple[str, str]] = field(default_factory=set)
    inputs: set[tuple[str, str]] = field(default_factory=set)
    outputs: set[tuple[str, str]] = field(default_factory=set)
    asked: set[tuple[str, str, str]] = field(default_factory=set)
    answered: set[tuple[str, str]] = field(default_factory=set)

    def call(self, operation: str, params: Params, response: Params | None) -> None:
        """Take down a call that succeeded; ``response`` is None for a dry run."""
        shapes = MODEL.operation_model(operation)
        for owner, member, shape, value in _walk(shapes.input_shape, params, operation):
            self.inputs.add((owner, member))
            if getattr(shape, "enum", None):
                self.asked.add((operation, member, value))
        if response and shapes.output_shape is not None:
            for owner, member, shape, value in _walk(shapes.output_shape, response, operation):
                self.outputs.add((owner, member))
                if getattr(shape, "enum", None):
                    self.answered.add((shape.name, value))


def _walk(shape: Any, value: Any, owner: str, member: str = "") -> Iterator[tuple[str, str, Any, Any]]:
    """Yield the members of a structure that a value has, each with the structure it is in, its shape and its value."""
    if shape is None:
        return
    if shape.type_name == "structure":
        for name, inner in value.items():
            if name in shape.members:
                yield owner, name, shape.members[name], inner
                yield from _walk(shape.members[name], inner, shape.members[name].name, name)
    elif shape.type_name == "list":
        for item in value:
            yield owner, member, shape.member, item
            yield from _walk(shape.member, item, shape.member.name, member)


class Watched:
    """A client that takes down what it is asked and what it answers."""

    def __init__(self, client: Client, seen: Seen) -> None:
        self._client, self._seen = client, seen

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        return partial(self._watch, METHODS[name], call) if name in METHODS else call

    def _watch(self, operation: str, call: Callable[..., Params], **params: Any) -> Params:
        try:
            response = call(**params)
        except KMSError as error:
            self._seen.errors.add((operation, error.code))
            if error.code == "DryRunOperationException":
                self._seen.call(operation, params, None)
            raise
        self._seen.call(operation, params, response)
        return response


class WatchedLab(Lab):
    """A reproducible lab whose clients are watched."""

    def __init__(self, seen: Seen) -> None:
        super().__init__(seed=7)
        self._seen = seen

    def client(self, *args: Any, **kwargs: Any) -> Any:
        return Watched(super().client(*args, **kwargs), self._seen)


def play() -> Seen:
    """Play every scene, each on a stage of its own, and return what was seen."""
    seen = Seen()
    for scene in scenes():
        scene(new_stage(WatchedLab(seen)))
    return seen


def scenes() -> Iterator[Callable[[Stage], object]]:
    """Yield every scene."""
    for operation in OPERATIONS:
        yield partial(everyday, operation)
        yield partial(refused, operation)
        for prepare in STATES:
            yield partial(in_state, operation, prepare)
    for operation, params in FAILING:
        yield partial(failing, operation, params)
    for trouble in TROUBLES:
        yield partial(troubled_proxy, trouble)
    yield from SUCCEEDING


def everyday(operation: str, on: Stage) -> None:
    """An operation's everyday call, as it is and as a dry run."""
    if operation == "CancelKeyDeletion":
        on.kms.schedule_key_deletion(KeyId=on.key)
    members = MODEL.operation_model(operation).input_shape.members
    token = {"GrantTokens": [new_grant(on.kms, on.other)["GrantToken"]]} if "GrantTokens" in members else {}
    params = EVERYDAY[operation](on) | token
    if "DryRun" in members:
        code(method(on.kms, operation), **params, DryRun=True)
    method(on.kms, operation)(**params)


# ------------------------------------------------------------------------------ calls that fail

#: what is wrong with a call, wherever it has the members
WRONG: tuple[Params, ...] = (
    {"KeyId": MISSING},
    {"TargetKeyId": MISSING},
    {"DestinationKeyId": MISSING},
    {"AliasName": "alias/none"},
    {"AliasName": "alias/other"},
    {"AliasName": "alias/"},
    {"KeyId": "alias/key"},
    {"Marker": "bad"},
    {"GrantTokens": ["bad"]},
    {"GrantId": "bad"},
    {"GrantId": "0" * 64},
    {"GrantToken": "bad", "KeyId": None, "GrantId": None},
    {"Policy": "{"},
    {"Policy": " " * 32_769},
    {"Tags": [{"TagKey": "a", "TagValue": ""}] * 2},
    {"CiphertextBlob": b"garbage"},
    {"SharedSecretCiphertextBlob": b"garbage"},
    {"Signature": b"garbage"},
    {"Mac": b"garbage"},
    {"GranteePrincipal": f"{ADMIN}istrator"},
    {"RetiringPrincipal": f"{ADMIN}istrator"},
    {"RetiringPrincipal": "nobody"},
    {"CustomKeyStoreId": NOWHERE},
    {"NumberOfBytes": 16, "CustomKeyStoreId": NOWHERE},
    {"ImportToken": b"bad"},
    {"EncryptedKeyMaterial": bytes(256)},
    {"KeyMaterialId": "0" * 64},
    {"PrimaryRegion": THERE + "1"},
)


def refused(operation: str, on: Stage) -> None:
    """An operation's everyday call with something wrong in it, and on keys of other kinds."""
    params = EVERYDAY[operation](on)
    members = MODEL.operation_model(operation).input_shape.members
    call = method(on.kms, operation)
    for wrong in WRONG:
        if wrong.keys() <= members.keys():
            changed = {**params, **wrong}
            code(call, **{name: value for name, value in changed.items() if value is not None})
    member = "DestinationKeyId" if "DestinationKeyId" in members else "KeyId"
    if member in members:
        for other in (
            on.other,
            new_key(on.kms, KeySpec="HMAC_224", KeyUsage="GENERATE_VERIFY_MAC"),
            new_key(on.kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY"),
        ):
            code(call, **{**params, member: other})


def _pending_import(on: Stage, key: str) -> str:
    return new_key(on.kms, Origin="EXTERNAL")


def _disabled(on: Stage, key: str) -> str:
    on.kms.disable_key(KeyId=key)
    return key


def _doomed(on: Stage, key: str) -> str:
    on.kms.schedule_key_deletion(KeyId=key)
    return key


STATES: tuple[Callable[[Stage, str], str], ...] = (lambda on, key: key, _disabled, _doomed, _pending_import)


def in_state(operation: str, prepare: Callable[[Stage, str], str], on: Stage) -> None:
    """An operation's everyday call on a key in another state."""
    params = EVERYDAY[operation](on)
    members = [member for member in ("TargetKeyId", "DestinationKeyId", "KeyId") if member in params]
    for member in members or ["KeyId"]:
        if member in MODEL.operation_model(operation).input_shape.members:
            key = params.get(member, on.key)
            code(method(on.kms, operation), **{**params, member: prepare(on, key)})
            return


def failing(operation: str, params: Callable[[Stage], Params], on: Stage) -> None:
    """A call that is made to fail in a way of its own."""
    request = params(on)  # this may turn to another Region
    code(method(on.kms, operation), **request)


def _same_cluster(on: Stage) -> Params:
    request = hsm_request(on.lab, "first")
    on.kms.create_custom_key_store(**request)
    return {**request, "CustomKeyStoreName": "second"}


def _same_name(on: Stage) -> Params:
    new_store(on.lab, "taken")
    return hsm_request(on.lab, "taken")


def _full_of_stores(on: Stage) -> Params:
    for number in range(STORES_PER_REGION):
        new_store(on.lab, str(number))
    return hsm_request(on.lab, "one more")


def _no_cluster(on: Stage) -> Params:
    request = hsm_request(on.lab)
    on.lab.hsm.cluster(request["CloudHsmClusterId"]).delete()
    return request


def _stopped_cluster(on: Stage) -> Params:
    request = hsm_request(on.lab)
    on.lab.hsm.cluster(request["CloudHsmClusterId"]).stop()
    return request


def _small_cluster(on: Stage) -> Params:
    request = hsm_request(on.lab)
    on.lab.hsm.cluster(request["CloudHsmClusterId"]).remove_hsm()
    return request


def _other_certificate(on: Stage) -> Params:
    return {**hsm_request(on.lab), "TrustAnchorCertificate": on.lab.hsm.create_cluster().trust_anchor}


def _store(on: Stage, spoil: Callable[[Home], object] = lambda home: None, kind: str = "AWS_CLOUDHSM") -> Params:
    """Name a connected key store, after something has happened to it."""
    home = Home(on.lab, kind)
    spoil(home)
    return {"CustomKeyStoreId": home.id}


def _moved(spoil: Callable[[Any], object], related: bool = True) -> Callable[[Stage], Params]:
    """Return a scene that moves a disconnected key store to another cluster, after something has happened to that."""

    def params(on: Stage) -> Params:
        home = Home(on.lab, "AWS_CLOUDHSM")
        home.disconnect()
        other = on.lab.hsm.create_cluster(**({"backup_of": home.behind} if related else {}))
        spoil(other)
        return {"CustomKeyStoreId": home.id, "CloudHsmClusterId": other.id}

    return params


def _stopped_store(on: Stage) -> Params:
    store = new_store(on.lab)
    for cluster in on.lab.world.clusters.values():
        cluster.active = False
    return {"CustomKeyStoreId": store}


def _empty_store(on: Stage) -> Params:
    store = new_store(on.lab)
    for cluster in on.lab.world.clusters.values():
        cluster.zones.clear()
    return {"CustomKeyStoreId": store}


#: address of a first proxy, and of a second one that is in its way
CLASHES: tuple[tuple[tuple[str, str, str], tuple[str, str, str] | None], ...] = (
    (("https://a.example.com", "/kms/xks/v1", ""), None),
    (("https://a.example.com", "/kms/xks/v1", VPC), ("https://a.example.com", "/b/kms/xks/v1", OTHER_VPC)),
    (("https://a.example.com", "/kms/xks/v1", VPC), ("https://b.example.com", "/kms/xks/v1", VPC)),
)


def _created(clash: int, on: Stage) -> Params:
    """A second key store that cannot be beside the first."""
    first, second = CLASHES[clash]
    proxy = on.lab.xks.create_proxy(*first)
    on.kms.create_custom_key_store(CustomKeyStoreName="first", **proxy.request)
    other = proxy if second is None else on.lab.xks.create_proxy(*second)
    return {"CustomKeyStoreName": "second", **other.request}


def _updated(clash: int, on: Stage) -> Params:
    """A second key store that is changed so that it cannot be beside the first."""
    request = _created(clash, on)
    free = on.lab.xks.create_proxy("https://c.example.com")
    store = on.kms.create_custom_key_store(CustomKeyStoreName="third", **free.request)["CustomKeyStoreId"]
    return {"CustomKeyStoreId": store, **{name: request[name] for name in request if name.startswith("Xks")}}


def troubled_proxy(trouble: str, on: Stage) -> None:
    """A proxy in trouble, when its key store is created, changed, connected and used."""
    for kind, vpc in (("public", ""), ("private", VPC)):
        proxy = on.lab.xks.create_proxy(f"https://{kind}.example.com", vpc_service=vpc)
        proxy.create_key("external")
        request = {"CustomKeyStoreName": kind, **proxy.request}
        store = on.kms.create_custom_key_store(**request)["CustomKeyStoreId"]
        proxy.trouble(trouble)
        code(
            on.kms.update_custom_key_store,
            CustomKeyStoreId=store,
            XksProxyAuthenticationCredential=proxy.credential,
        )
        on.kms.connect_custom_key_store(CustomKeyStoreId=store)
        wait(on.lab, CONNECTING_US["EXTERNAL_KEY_STORE"])
        on.kms.describe_custom_key_stores(CustomKeyStoreName=kind)
        code(on.kms.connect_custom_key_store, CustomKeyStoreId=store)
        on.kms.disconnect_custom_key_store(CustomKeyStoreId=store)
        wait(on.lab, CONNECTING_US["EXTERNAL_KEY_STORE"])
        on.kms.delete_custom_key_store(CustomKeyStoreId=store)
        code(on.kms.create_custom_key_store, **request)


def _external(spoil: Callable[[Any], object]) -> Callable[[Stage], Params]:
    """Return a scene that creates a key in an external key store, after something has happened to the proxy."""

    def params(on: Stage) -> Params:
        home = Home(on.lab, "EXTERNAL_KEY_STORE")
        home.behind.create_key("new")
        spoil(home.behind)
        return {**home.own, "XksKeyId": "new"}

    return params


def _renew(proxy: Any) -> None:
    proxy.delete_key("new")
    proxy.create_key("new", spec="AES_128")


def _in_small_cluster(on: Stage) -> Params:
    home = Home(on.lab, "AWS_CLOUDHSM")
    home.behind.remove_hsm()
    return home.own


def _in_disconnected_store(on: Stage) -> Params:
    home = Home(on.lab, "AWS_CLOUDHSM")
    home.disconnect()
    return home.own


def _with_aliases(on: Stage) -> str:
    key = new_key(on.kms)
    for number in range(50):
        on.kms.create_alias(AliasName=f"alias/{number}", TargetKeyId=key)
    return key


def _with_grants(on: Stage) -> Params:
    fill_with_grants(on.lab, on.key, 50_000)
    return {"KeyId": on.key, "GranteePrincipal": ADMIN, "Operations": ["Decrypt"]}


def _full_region(region: str, params: Params, on: Stage) -> Params:
    fill_with_keys(on.lab, on.key, region, 100_000)
    return params or _primary(on)


def _creating(on: Stage) -> Params:
    """A replica of a key with imported material, while it is being made."""
    key = new_key(on.kms, MultiRegion=True, Origin="EXTERNAL")
    on.kms.import_key_material(**import_request(on.kms, key))
    there = on.kms.replicate_key(KeyId=key, ReplicaRegion=THERE)["ReplicaKeyMetadata"]["Arn"]
    on.kms = on.lab.client(region=THERE)
    return {"KeyId": there}


def _aged_token(on: Stage) -> Params:
    request = import_request(on.kms, new_key(on.kms, Origin="EXTERNAL"))
    on.lab.clock.travel(days=1)
    return request


def _about_to_rotate(on: Stage) -> Params:
    on.kms.enable_key_rotation(KeyId=on.key, RotationPeriodInDays=90)
    on.lab.clock.travel(to=on.lab.clock.now + timedelta(days=90, minutes=-10))
    return {"KeyId": on.key}


def _often_rotated(on: Stage) -> Params:
    for _ in range(25):
        on.kms.rotate_key_on_demand(KeyId=on.key)
    return {"KeyId": on.key}


def _primary(on: Stage, **params: Any) -> Params:
    return {"KeyId": new_key(on.kms, MultiRegion=True), "ReplicaRegion": THERE, **params}


def _state_of_primary(prepare: Callable[[Stage, str], str]) -> Callable[[Stage], Params]:
    return lambda on: {"KeyId": prepare(on, new_family(on.lab, THERE)), "PrimaryRegion": THERE}


def _other_blob(on: Stage) -> Params:
    return {"CiphertextBlob": on.blob, "KeyId": on.other}


#: operation, and the members of a call that fails though most calls do not
FAILING: tuple[tuple[str, Callable[[Stage], Params]], ...] = (
    ("CancelKeyDeletion", lambda on: {"KeyId": on.key}),
    ("ConnectCustomKeyStore", _stopped_store),
    ("ConnectCustomKeyStore", _empty_store),
    ("CreateAlias", lambda on: {"AliasName": "alias/one/more", "TargetKeyId": _with_aliases(on)}),
    ("CreateAlias", lambda on: {"AliasName": "alias/key", "TargetKeyId": on.key}),
    ("UpdateAlias", lambda on: {"AliasName": "alias/key", "TargetKeyId": _with_aliases(on)}),
    ("CreateCustomKeyStore", _same_cluster),
    ("CreateCustomKeyStore", _same_name),
    ("CreateCustomKeyStore", _full_of_stores),
    ("CreateCustomKeyStore", _no_cluster),
    ("CreateCustomKeyStore", _stopped_cluster),
    ("CreateCustomKeyStore", _small_cluster),
    ("CreateCustomKeyStore", _other_certificate),
    *(("CreateCustomKeyStore", partial(_created, clash)) for clash in range(len(CLASHES))),
    ("UpdateCustomKeyStore", _moved(lambda cluster: cluster.delete())),
    ("UpdateCustomKeyStore", _moved(lambda cluster: cluster.stop())),
    ("UpdateCustomKeyStore", _moved(lambda cluster: cluster.remove_hsm())),
    ("UpdateCustomKeyStore", _moved(lambda cluster: None, related=False)),
    ("UpdateCustomKeyStore", lambda on: {**_store(on), "KeyStorePassword": PASSWORD}),
    (
        "UpdateCustomKeyStore",
        lambda on: {**_store(on, lambda home: new_store(on.lab, "taken")), "NewCustomKeyStoreName": "taken"},
    ),
    *(("UpdateCustomKeyStore", partial(_updated, clash)) for clash in range(len(CLASHES))),
    ("DeleteCustomKeyStore", lambda on: _store(on, lambda home: home.disconnect())),
    ("DeleteCustomKeyStore", lambda on: {"CustomKeyStoreId": _connected_and_empty(on)}),
    ("DisconnectCustomKeyStore", lambda on: {"CustomKeyStoreId": new_store(on.lab)}),
    ("CreateKey", lambda on: {"KeySpec": "ML_DSA_44", "KeyUsage": "SIGN_VERIFY", "Origin": "EXTERNAL"}),
    ("CreateKey", _in_small_cluster),
    ("CreateKey", _in_disconnected_store),
    ("CreateKey", lambda on: {"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": NOWHERE}),
    ("CreateKey", _external(lambda proxy: proxy.delete_key("new"))),
    ("CreateKey", _external(lambda proxy: proxy.disable_key("new"))),
    ("CreateKey", _external(_renew)),
    ("CreateKey", lambda on: Home(on.lab, "EXTERNAL_KEY_STORE").own),
    ("GenerateRandom", lambda on: {"NumberOfBytes": 1, **_store(on, lambda home: home.disconnect())}),
    ("GenerateRandom", lambda on: {"NumberOfBytes": 1, **_store(on, lambda home: home.switch_off())}),
    ("GenerateRandom", lambda on: {"NumberOfBytes": 1, **_store(on, kind="EXTERNAL_KEY_STORE")}),
    ("GenerateDataKeyPair", lambda on: {"KeyId": Home(on.lab, "AWS_CLOUDHSM").key, "KeyPairSpec": "ECC_NIST_P256"}),
    (
        "GenerateDataKeyPairWithoutPlaintext",
        lambda on: {"KeyId": Home(on.lab, "AWS_CLOUDHSM").key, "KeyPairSpec": "ECC_NIST_P256"},
    ),
    ("CreateKey", partial(_full_region, "us-east-1", {"Description": "one more"})),
    ("ReplicateKey", partial(_full_region, THERE, {})),
    ("CreateGrant", _with_grants),
    ("DeleteImportedKeyMaterial", _creating),
    ("Decrypt", _other_blob),
    ("Decrypt", lambda on: {"CiphertextBlob": b"x", "KeyId": on.key, "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"}),
    ("Encrypt", lambda on: {"KeyId": on.key, "Plaintext": b"x", "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"}),
    ("ReEncrypt", lambda on: {"CiphertextBlob": on.blob, "SourceKeyId": on.other, "DestinationKeyId": on.key}),
    ("ImportKeyMaterial", lambda on: import_request(on.kms, imported_key(on.kms), bytes(32))),
    ("ImportKeyMaterial", _aged_token),
    ("RotateKeyOnDemand", _about_to_rotate),
    ("RotateKeyOnDemand", _often_rotated),
    ("ReplicateKey", lambda on: {"KeyId": on.key, "ReplicaRegion": THERE}),
    ("ReplicateKey", lambda on: _primary(on, ReplicaRegion="us-east-1")),
    ("UpdatePrimaryRegion", lambda on: {"KeyId": on.key, "PrimaryRegion": THERE}),
    *(("UpdatePrimaryRegion", _state_of_primary(prepare)) for prepare in STATES),
    ("ListRetirableGrants", lambda on: {"RetiringPrincipal": "nobody"}),
)


def _connected_and_empty(on: Stage) -> str:
    store = new_store(on.lab)
    on.kms.connect_custom_key_store(CustomKeyStoreId=store)
    wait(on.lab, CONNECTING_US["AWS_CLOUDHSM"])
    return store


# ------------------------------------------------------------------------------ calls that succeed


def kind_of_key(spec: str, usage: str, on: Stage) -> None:
    """Everything that is done with a kind of key, with every algorithm that it has; what the lab cannot make fails."""
    made = {"KeySpec": spec, "KeyUsage": usage}
    key = code(on.kms.create_key, **made) or on.kms.create_key(**made)["KeyMetadata"]["Arn"]
    if not key.startswith("arn:"):
        return
    if SPECS[spec].asymmetric:
        on.kms.get_public_key(KeyId=key)
    for algorithm in SPECS[spec].algorithms[usage]:
        for params in USES[usage](on, key, algorithm):
            _do(on, key, **params)
    for operation in MODEL.shape_for("GrantOperation").enum:
        asked = ["DescribeKey", operation] if operation == "CreateGrant" else [operation]
        code(on.kms.create_grant, KeyId=key, GranteePrincipal=ADMIN, Operations=asked)
    on.kms.list_grants(KeyId=key)
    code(on.kms.create_key, CustomerMasterKeySpec=spec, KeyUsage=usage)


def _do(on: Stage, key: str, operation: str, **params: Any) -> Params:
    """Use a key, and look when it was last used."""
    member = "DestinationKeyId" if operation == "ReEncrypt" else "KeyId"
    answer = method(on.kms, operation)(**{member: key}, **params)
    on.kms.get_key_last_usage(KeyId=key)
    return answer


def _encryption(on: Stage, key: str, algorithm: str) -> Iterator[Params]:
    made = _do(on, key, "Encrypt", Plaintext=b"x", EncryptionAlgorithm=algorithm)
    blob = {"CiphertextBlob": made["CiphertextBlob"]}
    yield {"operation": "Decrypt", "EncryptionAlgorithm": algorithm, **blob}
    source, destination = {"SourceEncryptionAlgorithm": algorithm}, {"DestinationEncryptionAlgorithm": algorithm}
    yield {"operation": "ReEncrypt", "SourceKeyId": key, **source, **destination, **blob}
    if SPECS[on.lab.key(key).spec].symmetric:
        for spec in MODEL.shape_for("DataKeySpec").enum:
            yield {"operation": "GenerateDataKey", "KeySpec": spec}
            yield {"operation": "GenerateDataKeyWithoutPlaintext", "KeySpec": spec}


def _signatures(on: Stage, key: str, algorithm: str) -> Iterator[Params]:
    for kind in MODEL.shape_for("MessageType").enum:
        for size in (28, 32, 48, 64):
            params = {"Message": bytes(size), "SigningAlgorithm": algorithm, "MessageType": kind}
            if code(on.kms.sign, KeyId=key, **params) is None:
                signed = _do(on, key, "Sign", **params)
                yield {"operation": "Verify", "Signature": signed["Signature"], **params}


def _macs(on: Stage, key: str, algorithm: str) -> Iterator[Params]:
    params = {"Message": b"m", "MacAlgorithm": algorithm}
    yield {"operation": "VerifyMac", "Mac": _do(on, key, "GenerateMac", **params)["Mac"], **params}


def _agreements(on: Stage, key: str, algorithm: str) -> Iterator[Params]:
    spec = on.lab.key(key).spec
    yield {"operation": "DeriveSharedSecret", "KeyAgreementAlgorithm": algorithm, "PublicKey": peer_key(spec)}


def _capsules(on: Stage, key: str, algorithm: str) -> Iterator[Params]:
    made = _do(on, key, "Encapsulate", EncapsulationAlgorithm=algorithm)["SharedSecretCiphertextBlob"]
    yield {"operation": "Decapsulate", "EncapsulationAlgorithm": algorithm, "SharedSecretCiphertextBlob": made}


USES: Mapping[str, Callable[[Stage, str, str], Iterator[Params]]] = {
    "ENCRYPT_DECRYPT": _encryption,
    "SIGN_VERIFY": _signatures,
    "GENERATE_VERIFY_MAC": _macs,
    "KEY_AGREEMENT": _agreements,
    "ENCAPSULATE_DECAPSULATE": _capsules,
}


def data_key_pairs(on: Stage) -> None:
    """A data key pair of every spec, with and without the plaintext, and a look when the key was used."""
    for spec in MODEL.shape_for("DataKeyPairSpec").enum:
        for operation in ("GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"):
            if code(method(on.kms, operation), KeyId=on.key, KeyPairSpec=spec) is None:
                on.kms.get_key_last_usage(KeyId=on.key)


def contexts_and_tokens(on: Stage) -> None:
    """Encryption contexts, grant tokens and dry runs that look at no ciphertext."""
    token = on.kms.create_grant(KeyId=on.key, GranteePrincipal=ADMIN, Operations=["Decrypt"])["GrantToken"]
    with_token = {"GrantTokens": [token]}
    context = {"EncryptionContext": {"a": "b"}}
    key = {"KeyId": on.key}
    blob = {"CiphertextBlob": on.kms.encrypt(**key, Plaintext=b"x", **context, **with_token)["CiphertextBlob"]}
    on.kms.decrypt(**blob, **key, **context, **with_token)
    both = {"SourceEncryptionContext": {"a": "b"}, "DestinationEncryptionContext": {"a": "b"}}
    on.kms.re_encrypt(**blob, SourceKeyId=on.key, DestinationKeyId=on.key, **both, **with_token)
    for operation in ("GenerateDataKey", "GenerateDataKeyWithoutPlaintext"):
        method(on.kms, operation)(**key, NumberOfBytes=24, **context, **with_token)
    for operation in ("GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"):
        method(on.kms, operation)(**key, KeyPairSpec="ECC_NIST_P256", **context, **with_token)
    blind = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    code(on.kms.decrypt, **key, **blind)
    code(on.kms.re_encrypt, SourceKeyId=on.key, DestinationKeyId=on.key, **blind)


def pages(on: Stage) -> None:
    """Every listing, page by page."""
    new_store(on.lab, "hsm")
    for _ in range(2):
        on.kms.rotate_key_on_demand(KeyId=on.key)
        on.kms.create_grant(KeyId=on.key, GranteePrincipal=ADMIN, RetiringPrincipal=ADMIN, Operations=["Decrypt"])
    on.kms.create_alias(AliasName="alias/too", TargetKeyId=on.key)
    on.kms.tag_resource(KeyId=on.key, Tags=[{"TagKey": name, "TagValue": name} for name in "ab"])
    on.kms.create_custom_key_store(CustomKeyStoreName="xks", **on.lab.xks.create_proxy().request)
    for operation, row in OPERATIONS.items():
        if "Marker" in row.model.members:
            params = EVERYDAY[operation](on) if operation != "DescribeCustomKeyStores" else {}
            first = method(on.kms, operation)(**{**params, "Limit": 1})
            if first["Truncated"]:
                method(on.kms, operation)(**{**params, "Limit": 1, "Marker": first["NextMarker"]})


def policies(on: Stage) -> None:
    """Key policies that are given, named, and put without the lock-out check."""
    policy = {"Policy": on.kms.get_key_policy(KeyId=on.key, PolicyName="default")["Policy"]}
    unchecked = {"BypassPolicyLockoutSafetyCheck": True}
    on.kms.create_key(**policy, **unchecked, Origin="AWS_KMS")
    on.kms.put_key_policy(KeyId=on.key, PolicyName="default", **policy, **unchecked)
    tags = {"Tags": [{"TagKey": "a", "TagValue": "b"}]}
    on.kms.replicate_key(**_primary(on, Description="there", **policy, **unchecked, **tags))


def service_grants(on: Stage) -> None:
    """Grants with every term, for users and services; found by each, and retired by token."""
    asked = {"KeyId": on.key, "Operations": ["Encrypt", "RetireGrant"]}
    retired = on.kms.create_grant(**asked, GranteePrincipal=ADMIN)
    on.kms.retire_grant(GrantToken=retired["GrantToken"])
    by_user = {**asked, "GranteePrincipal": ADMIN, "RetiringPrincipal": ADMIN, "Name": "n"}
    for terms in ({"EncryptionContextEquals": {"a": "b"}}, {"EncryptionContextSubset": {"a": "b"}}):
        made = on.kms.create_grant(**by_user, Constraints=terms)
        on.kms.list_grants(KeyId=on.key, GrantId=made["GrantId"])
    service = "ec2.amazonaws.com"
    on.kms.create_grant(
        **asked,
        GranteeServicePrincipal=service,
        RetiringServicePrincipal=service,
        Constraints={"SourceArn": f"arn:aws:ec2:us-east-1:{on.lab.key(on.key).account}:volume/vol-1"},
    )
    on.kms.list_grants(KeyId=on.key)
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "kms:ListGrants", "Resource": "*"}
    policy = json.loads(on.kms.get_key_policy(KeyId=on.key)["Policy"])
    policy["Statement"].append(statement)
    on.kms.put_key_policy(KeyId=on.key, Policy=json.dumps(policy))
    ec2 = on.lab.client(service)
    ec2.list_grants(KeyId=on.key, GranteeServicePrincipal=service)
    ec2.list_retirable_grants(RetiringServicePrincipal=service)


def imports(on: Stage) -> None:
    """Imported material in every way: wrapped in each way, the first, the same, a new one, deleted, expired."""
    for algorithm in MODEL.shape_for("AlgorithmSpec").enum:
        for spec in MODEL.shape_for("WrappingKeySpec").enum:
            for kind in (SYMMETRIC, ("RSA_2048", "SIGN_VERIFY")):
                key = new_key(on.kms, Origin="EXTERNAL", KeySpec=kind[0], KeyUsage=kind[1])
                asked = {"KeyId": key, "WrappingAlgorithm": algorithm, "WrappingKeySpec": spec}
                code(on.kms.get_parameters_for_import, **asked)
    key = imported_key(on.kms, ValidTo=LATER, ExpirationModel="KEY_MATERIAL_EXPIRES", KeyMaterialDescription="first")
    which = on.kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
    same = {"ImportType": "EXISTING_KEY_MATERIAL", "KeyMaterialId": which}
    on.kms.import_key_material(**import_request(on.kms, key, **same))
    on.kms.describe_key(KeyId=key)
    on.kms.import_key_material(**import_request(on.kms, key, bytes(32), ImportType="NEW_KEY_MATERIAL"))
    everything = {"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}
    on.kms.list_key_rotations(**everything)
    on.kms.rotate_key_on_demand(KeyId=key)
    on.kms.list_key_rotations(**everything)
    on.kms.import_key_material(**import_request(on.kms, key, MATERIAL, ValidTo=LATER, **same))
    on.kms.list_key_rotations(**everything)
    on.kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ROTATIONS_ONLY")
    on.kms.delete_imported_key_material(KeyId=key, KeyMaterialId=which)
    on.kms.list_key_rotations(**everything)


def imports_in_a_family(on: Stage) -> None:
    """New material in one Region of two, which waits for the other."""
    key = new_key(on.kms, MultiRegion=True, Origin="EXTERNAL")
    on.kms.import_key_material(**import_request(on.kms, key))
    on.kms.replicate_key(KeyId=key, ReplicaRegion=THERE)
    on.lab.clock.travel(minutes=1)
    on.kms.import_key_material(**import_request(on.kms, key, bytes(32), ImportType="NEW_KEY_MATERIAL"))
    on.kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")


def rotation(on: Stage) -> None:
    """Rotations of both types, listed."""
    on.kms.enable_key_rotation(KeyId=on.key)
    on.kms.get_key_rotation_status(KeyId=on.key)
    on.lab.clock.travel(days=366)
    on.kms.rotate_key_on_demand(KeyId=on.key)
    on.kms.list_key_rotations(KeyId=on.key)


def family(on: Stage) -> None:
    """A multi-Region key through all its states, looked at from both Regions."""
    key = new_key(on.kms, MultiRegion=True)
    on.kms.replicate_key(KeyId=key, ReplicaRegion=THERE)
    there = on.lab.client(region=THERE)
    there.describe_key(KeyId=key.rpartition("/")[2])
    on.lab.clock.travel(minutes=1)
    on.kms.update_primary_region(KeyId=key, PrimaryRegion=THERE)
    on.kms.describe_key(KeyId=key)
    on.lab.clock.travel(minutes=1)
    there.schedule_key_deletion(KeyId=key.rpartition("/")[2], PendingWindowInDays=7)
    there.describe_key(KeyId=key.rpartition("/")[2])


def dying(on: Stage) -> None:
    """A key that is disabled, and one that is pending deletion."""
    for state in (_disabled, _doomed):
        on.kms.describe_key(KeyId=state(on, on.key))


def managed(on: Stage) -> None:
    """An AWS managed key."""
    on.lab.client(via="s3").generate_data_key(KeyId="alias/aws/s3", KeySpec="AES_256")
    on.kms.describe_key(KeyId="alias/aws/s3")


def owners(on: Stage) -> None:
    """The keys of each kind of owner."""
    for owner in MODEL.shape_for("ResourceOwnerType").enum:
        code(on.kms.list_keys, ResourceOwners=[owner])


def stored(kind: str, on: Stage) -> None:
    """A custom key store and a key in it, in every state, and with everything about it changed."""
    home = Home(on.lab, kind)
    on.kms.describe_custom_key_stores()
    on.kms.describe_key(KeyId=home.key)
    if kind == "AWS_CLOUDHSM":
        on.kms.generate_random(NumberOfBytes=1, CustomKeyStoreId=home.id)
        on.kms.create_custom_key_store(**hsm_request(on.lab, "too"), CustomKeyStoreType=kind)
    on.kms.disconnect_custom_key_store(CustomKeyStoreId=home.id)
    on.kms.describe_key(KeyId=home.key)
    on.kms.describe_custom_key_stores()
    wait(on.lab, DISCONNECTING_US)
    on.kms.describe_custom_key_stores()
    if kind == "AWS_CLOUDHSM":
        password = {"KeyStorePassword": PASSWORD, "CloudHsmClusterId": home.behind.id}
        on.kms.update_custom_key_store(CustomKeyStoreId=home.id, **password)
    else:
        private = on.lab.xks.create_proxy("https://private.example.com", vpc_service=VPC).request
        on.kms.create_custom_key_store(CustomKeyStoreName="private", **private)
        on.kms.describe_custom_key_stores(CustomKeyStoreName="private")
        moved = on.lab.xks.create_proxy("https://moved.example.com", vpc_service=OTHER_VPC).request
        changes = {name: value for name, value in moved.items() if name != "CustomKeyStoreType"}
        on.kms.update_custom_key_store(CustomKeyStoreId=home.id, **changes)
        public = on.lab.xks.create_proxy("https://public.example.com").request
        changes = {name: value for name, value in public.items() if name != "CustomKeyStoreType"}
        on.kms.update_custom_key_store(CustomKeyStoreId=home.id, **changes)
    on.kms.connect_custom_key_store(CustomKeyStoreId=home.id)
    on.kms.describe_custom_key_stores()


def troubled_cluster(spoil: Callable[[Any], object], on: Stage) -> None:
    """A cluster in trouble while its key store connects."""
    home = Home(on.lab, "AWS_CLOUDHSM")
    home.disconnect()
    on.kms.connect_custom_key_store(CustomKeyStoreId=home.id)
    spoil(home.behind)
    wait(on.lab, CONNECTING_US["AWS_CLOUDHSM"])
    on.kms.describe_custom_key_stores(CustomKeyStoreId=home.id)


def locked_out(on: Stage) -> None:
    """A cluster that has been shown too many wrong passwords."""
    home = Home(on.lab, "AWS_CLOUDHSM")
    home.behind.change_password("another one")
    for _ in range(6):
        home.disconnect()
        home.connect()
    on.kms.describe_custom_key_stores(CustomKeyStoreId=home.id)


SUCCEEDING: tuple[Callable[[Stage], object], ...] = (
    *(partial(kind_of_key, spec.name, usage) for spec in SPECS.values() for usage in spec.usages),
    data_key_pairs,
    contexts_and_tokens,
    pages,
    policies,
    service_grants,
    imports,
    imports_in_a_family,
    rotation,
    family,
    dying,
    managed,
    owners,
    partial(stored, "AWS_CLOUDHSM"),
    partial(stored, "EXTERNAL_KEY_STORE"),
    *(partial(troubled_cluster, spoil) for spoil in CLUSTER_FAILURES.values()),
    locked_out,
)
