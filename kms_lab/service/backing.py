"""What stands behind a custom key store, asked as KMS asks it: is it there, what is wrong with it, what does a key say?

The bytes of such a key are not KMS's alone, so they are read where they are each time that the key is used:

* A key in a CloudHSM key store is wholly in the cluster. Its ``KeyMaterial`` has no secret.
* A key in an external key store has two halves: KMS's own, which is in its ``KeyMaterial``, and the external key behind
  the proxy. AWS encrypts twice, first under its own, then under the external one. The lab encrypts once, under a key
  derived from both: neither half opens anything without the other, and the ciphertext keeps its usual length, which on
  AWS is longer.

So a ciphertext dies with its backing key: delete the external key and nobody, AWS included, can open it again.

What goes wrong on the customer's side is one row of ``TROUBLES``: what a connection attempt says, what the management
operations say, and the sentence. Cryptographic operations answer KMSInvalidStateException whatever it is, and CreateKey
CustomKeyStoreInvalidStateException; so ``KeyUnavailableException``, though listed for them, is never given here.

Source: AWS KMS Developer Guide, "Troubleshooting external key stores" and "Troubleshooting a custom key store".
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from kms_lab.core import stores
from kms_lab.core.errors import (
    CloudHsmClusterInvalidConfigurationException,
    CustomKeyStoreError,
    CustomKeyStoreInvalidStateException,
    CustomKeyStoreNotFoundException,
    DependencyTimeoutException,
    KMSInvalidStateException,
    UnsupportedOperationException,
    ValidationException,
    XksKeyAlreadyInUseException,
    XksKeyInvalidConfigurationException,
    XksKeyNotFoundException,
    XksProxyIncorrectAuthenticationCredentialException,
    XksProxyInvalidConfigurationException,
    XksProxyInvalidResponseException,
    XksProxyUriUnreachableException,
    XksProxyVpcEndpointServiceInvalidConfigurationException,
    XksProxyVpcEndpointServiceNotFoundException,
)
from kms_lab.core.keys import DISABLED, ENABLED, UNAVAILABLE, Key
from kms_lab.core.stores import AWS_CLOUDHSM, EXTERNAL_KEY_STORE, ExternalKey, HsmCluster, KeyStore, XksProxy
from kms_lab.core.world import Shelf, World

#: HSMs, each in a Zone of its own, that a cluster needs before keys are made in it
ZONES_TO_CREATE = 2
#: attempts to log in with a wrong password, after which a cluster locks the account out
WRONG_PASSWORDS = 5


class Trouble(NamedTuple):
    """One thing that can be wrong with a proxy, as each side of KMS tells of it.

    Attributes:
        connection: AWS's ``ConnectionErrorCode``.
        error: what CreateCustomKeyStore and UpdateCustomKeyStore answer.
        text: AWS's sentence.
    """

    connection: str
    error: type[CustomKeyStoreError]
    text: str


TROUBLES: Mapping[str, Trouble] = {
    "offline": Trouble(
        "XKS_PROXY_NOT_REACHABLE",
        XksProxyUriUnreachableException,
        "AWS KMS cannot communicate with the external key store proxy. Verify that your external key store proxy is "
        "active and is connected to the network, and that its URI path and endpoint URI or VPC service name are "
        "correct in your external key store.",
    ),
    "slow": Trouble(
        "XKS_PROXY_TIMED_OUT",
        XksProxyUriUnreachableException,
        "AWS KMS rejected the request because the external key store proxy did not respond in time. Retry the request. "
        "If you see this error repeatedly, report it to your external key store proxy administrator.",
    ),
    "unhealthy": Trouble(
        "XKS_PROXY_NOT_REACHABLE",
        XksProxyUriUnreachableException,
        "The external key store proxy is in an unhealthy state. If you see this message repeatedly, notify your "
        "external key store proxy administrator.",
    ),
    "garbled": Trouble(
        "XKS_PROXY_INVALID_RESPONSE",
        XksProxyInvalidResponseException,
        "AWS KMS cannot interpret the response from the external key store proxy. If you see this error repeatedly, "
        "consult your external key store proxy administrator.",
    ),
    "wrong path": Trouble(
        "XKS_PROXY_INVALID_CONFIGURATION",
        XksProxyInvalidConfigurationException,
        "The external key store proxy rejected the request because of an invalid URI path. Verify the URI path for "
        "your external key store and update if necessary.",
    ),
    "bad certificate": Trouble(
        "XKS_PROXY_INVALID_TLS_CONFIGURATION",
        XksProxyInvalidConfigurationException,
        "AWS KMS cannot establish a TLS connection to the external key store proxy. Verify the TLS configuration, "
        "including its certificate.",
    ),
    "access denied": Trouble(
        "XKS_PROXY_ACCESS_DENIED",
        XksProxyInvalidConfigurationException,  # unverified: the guide names no error of these two operations for it
        "The external key store proxy denied access to the operation. Verify that the user and the external key are "
        "both authorized for this operation, and try the request again.",
    ),
    "wrong credential": Trouble(
        "INVALID_CREDENTIALS",
        XksProxyIncorrectAuthenticationCredentialException,
        "The external key store proxy rejected the request because it could not authenticate AWS KMS. Verify the "
        "credentials for your external key store and update if necessary.",
    ),
    # unverified: the sentences of the next two
    "no endpoint service": Trouble(
        "XKS_VPC_ENDPOINT_SERVICE_NOT_FOUND",
        XksProxyVpcEndpointServiceNotFoundException,
        "AWS KMS cannot find the VPC endpoint service that it uses to communicate with the external key store proxy.",
    ),
    "unfit endpoint service": Trouble(
        "XKS_VPC_ENDPOINT_SERVICE_INVALID_CONFIGURATION",
        XksProxyVpcEndpointServiceInvalidConfigurationException,
        "The VPC endpoint service does not fulfill the requirements for an external key store.",
    ),
}

# the first text is the developer guide's, the last is AWS's answer as notes quote it; unverified: the one between
_NO_CLUSTER = "KMS cannot communicate with your CloudHSM cluster"
_NO_BACKING_KEY = "The key material of the KMS key was not found in the CloudHSM cluster."
_TOO_FEW_HSMS = "CloudHSM cluster must contain active HSMs in at least two Availability Zones"

# ------------------------------------------------------------------------------ using a key


def secret_of_stored(world: World, key: Key) -> bytes:
    """Return the secret of a key that lives in a custom key store, read from where its parts are.

    Raises:
        KMSInvalidStateException: the cluster or the proxy does not answer, does not have the key, or will not use it.
    """
    store = world.store_of(key)
    assert store is not None
    if store.type == AWS_CLOUDHSM:
        cluster = running(world, store)
        if cluster is None:
            raise KMSInvalidStateException(_NO_CLUSTER)
        if key.backing_id not in cluster.keys:
            raise KMSInvalidStateException(_NO_BACKING_KEY)
        return cluster.keys[key.backing_id]
    trouble = trouble_of(world, store)
    if trouble is not None:
        raise KMSInvalidStateException(trouble.text)
    external = _proxy(world, store).keys.get(key.backing_id)
    problem = _unusable(external)
    if external is None or problem:
        raise KMSInvalidStateException(problem)
    return hmac.digest(key.current.secret, external.secret, "sha256")


def unopened() -> KMSInvalidStateException:
    """Return the error for a ciphertext or context with which an external key does not decrypt."""
    return KMSInvalidStateException(
        "The external key store proxy rejected the request because the specified ciphertext or additional "
        "authenticated data is corrupted, missing, or otherwise invalid."
    )


def _unusable(external: ExternalKey | None) -> str:
    """Return AWS's sentence for an external key with which no cryptography is possible; "" where it is."""
    start = "The external key store proxy rejected the request because "
    if external is None:
        return start + "it could not find the external key."
    if external.status != "ENABLED":
        return start + "the external key is not enabled in the external key manager."
    if not {"ENCRYPT", "DECRYPT"} <= set(external.usage):
        return start + "the external key does not support the requested operation."
    return ""


# ------------------------------------------------------------------------------ making a key


def home_of_new_key(
    shelf: Shelf, origin: str, store_id: str | None, xks_key_id: str | None, plain: bool
) -> KeyStore | None:
    """Return the custom key store in which CreateKey shall make a key; None for keys of KMS itself.

    Args:
        plain: is it a symmetric encryption key of a single Region? There are no others in custom key stores.

    Raises:
        ValidationException: the origin needs other members than those given. # unverified: the error, and its wording
        UnsupportedOperationException: another kind of key, or a key store of the other type.
            # unverified: the error, and its wording
        CustomKeyStoreNotFoundException: no such key store.
        CustomKeyStoreInvalidStateException: it is not connected.
    """
    if xks_key_id is not None and origin != EXTERNAL_KEY_STORE:
        raise ValidationException("XksKeyId is valid only for KMS keys with an Origin of EXTERNAL_KEY_STORE.")
    if xks_key_id is None and origin == EXTERNAL_KEY_STORE:
        raise ValidationException("XksKeyId is required for KMS keys with an Origin of EXTERNAL_KEY_STORE.")
    if (store_id is not None) != (origin in (AWS_CLOUDHSM, EXTERNAL_KEY_STORE)):
        raise ValidationException(f"CustomKeyStoreId and an Origin of {origin} do not go together.")
    if store_id is None:
        return None
    if not plain:
        raise UnsupportedOperationException(
            "A custom key store can contain only symmetric encryption KMS keys in a single Region."
        )
    store = find_store(shelf, store_id)
    if store.type != origin:
        raise UnsupportedOperationException(f"Origin {origin} is not valid in a key store of type {store.type}.")
    require_connected(store)
    return store


def accept_new_key(world: World, store: KeyStore, xks_key_id: str | None) -> None:
    """Refuse a new key for which its key store has no place.

    Raises:
        CloudHsmClusterInvalidConfigurationException: the cluster has not two active HSMs in two Zones.
        CustomKeyStoreInvalidStateException: the proxy does not answer as it should.
        XksKeyNotFoundException, XksKeyInvalidConfigurationException, XksKeyAlreadyInUseException: the external key
            cannot back this key.
    """
    if store.type == AWS_CLOUDHSM:
        cluster = running(world, store)
        if cluster is None or len(set(cluster.zones)) < ZONES_TO_CREATE:
            raise CloudHsmClusterInvalidConfigurationException(_TOO_FEW_HSMS)
    else:
        assert xks_key_id is not None
        _accept_external_key(world, store, xks_key_id)


def settle(world: World, store: KeyStore, key: Key, secret: bytes, xks_key_id: str | None) -> bytes:
    """Give a new key its place in a key store that has one for it, and return what KMS keeps of its secret."""
    key.store_id, key.backing_id = store.id, xks_key_id or key.id
    if store.type == AWS_CLOUDHSM:
        world.clusters[store.cluster_id].keys[key.id] = secret
        return b""
    return secret


def _accept_external_key(world: World, store: KeyStore, name: str) -> None:
    trouble = trouble_of(world, store)
    if trouble is not None:
        raise CustomKeyStoreInvalidStateException(trouble.text)
    external = _proxy(world, store).keys.get(name)
    if external is None:
        raise XksKeyNotFoundException(_unusable(None))
    for found, wanted, sentence in (
        (external.spec, external.spec == "AES_256", "The key spec of the external key must be AES_256. The key spec"),
        (external.status, external.status == "ENABLED", "The status of the external key must be ENABLED. The status"),
        (
            ", ".join(external.usage),
            {"ENCRYPT", "DECRYPT"} <= set(external.usage),
            "The key usage of the external key must include ENCRYPT and DECRYPT. The key use",
        ),
    ):
        if not wanted:
            raise XksKeyInvalidConfigurationException(f"{sentence} of specified external key is {found}.")
    if any(key.backing_id == name for key in keys_in(world, store)):
        # unverified: wording
        raise XksKeyAlreadyInUseException(f"The external key {name} is already associated with another KMS key.")


def cluster_of(world: World, key: Key) -> str:
    """Return the id of the cluster that keeps a key; "" for a key in no CloudHSM key store."""
    store = world.store_of(key)
    return "" if store is None else store.cluster_id


def forget(world: World, key: Key) -> bool:
    """Delete what a deleted key leaves in a cluster, if KMS can reach it. Returns whether it could.

    AWS calls it a best effort; material that stays is orphaned. In an external key manager KMS deletes nothing.
    """
    store = world.store_of(key)
    if store is not None and store.type == AWS_CLOUDHSM and store.state == stores.CONNECTED:
        cluster = running(world, store)
        if cluster is not None:
            cluster.keys.pop(key.backing_id, None)
            return True
    return False


# ------------------------------------------------------------------------------ key stores and their keys


def find_store(shelf: Shelf, store_id: str) -> KeyStore:
    """Return a custom key store by its id.

    Raises:
        CustomKeyStoreNotFoundException: there is none in this account and Region.
    """
    store = shelf.stores.get(store_id)
    if store is None:
        # unverified: wording
        raise CustomKeyStoreNotFoundException(f"Custom key store {store_id} does not exist.")
    return store


def require_connected(store: KeyStore) -> None:
    """Refuse a key store that is not connected.

    Raises:
        CustomKeyStoreInvalidStateException: its connection state is another one. # unverified: wording
    """
    if store.state != stores.CONNECTED:
        raise CustomKeyStoreInvalidStateException(f"Custom key store {store.id} is {store.state}, not CONNECTED.")


def can_draw_random(world: World, shelf: Shelf, store_id: str) -> None:
    """Refuse a key store from which GenerateRandom cannot draw: only a connected CloudHSM key store will do.

    Raises:
        CustomKeyStoreNotFoundException, CustomKeyStoreInvalidStateException: there is none such, or not connected.
        UnsupportedOperationException: it is an external key store.
        DependencyTimeoutException: its cluster does not answer. # unverified: which of the listed errors AWS gives
    """
    store = find_store(shelf, store_id)
    if store.type == EXTERNAL_KEY_STORE:
        raise UnsupportedOperationException("GenerateRandom is not supported in an external key store.")
    require_connected(store)
    if running(world, store) is None:
        raise DependencyTimeoutException(_NO_CLUSTER)


def keys_in(world: World, store: KeyStore) -> list[Key]:
    """Return the keys of a custom key store, those pending deletion too."""
    return [key for key in world.shelf(store.account, store.region).keys.values() if key.store_id == store.id]


def follow(world: World, key: Key) -> None:
    """Bring a key's state in line with its key store: Unavailable while that is not connected.

    A key pending deletion stays so, whatever its key store does: note 13 of AWS's key-state table.
    """
    store = world.store_of(key)
    connected = store is None or store.state == stores.CONNECTED
    if key.state in (ENABLED, DISABLED) and not connected:
        key.returns_to = key.state
        world.move(key, UNAVAILABLE)
    elif key.state == UNAVAILABLE and connected and key.returns_to:
        world.move(key, key.returns_to, told=False)
        key.returns_to = ""


def whereabouts(store: KeyStore, key: Key) -> dict[str, Any]:
    """Return the members of ``KeyMetadata`` that tell where a key of a custom key store lives."""
    if store.type == AWS_CLOUDHSM:
        return {"CustomKeyStoreId": store.id, "CloudHsmClusterId": store.cluster_id}
    return {"CustomKeyStoreId": store.id, "XksKeyConfiguration": {"Id": key.backing_id}}


def switch(world: World, key: Key, state: str) -> None:
    """Enable or disable a key. An Unavailable one shows it when its key store is connected again: note 12 of AWS's
    key-state table."""
    if key.state == UNAVAILABLE:
        key.returns_to = state
    else:
        world.move(key, state)


# ------------------------------------------------------------------------------ clusters and proxies


def running(world: World, store: KeyStore) -> HsmCluster | None:
    """Return the cluster of a CloudHSM key store, if it is active and has an HSM."""
    cluster = world.clusters.get(store.cluster_id)
    return cluster if cluster is not None and cluster.active and cluster.zones else None


def log_in(world: World, store: KeyStore) -> str:
    """Log in to a cluster as ``kmsuser`` and change the password, as AWS does at each connection.

    Returns:
        AWS's ``ConnectionErrorCode``, or "" if it went well.
    """
    cluster = world.clusters.get(store.cluster_id)
    if cluster is None:
        return "CLUSTER_NOT_FOUND"
    problem = next((code for code, is_so in _LOGIN_PROBLEMS.items() if is_so(cluster)), "") or cluster.trouble
    if problem:
        return problem
    if cluster.password != store.password:
        cluster.wrong_passwords += 1
        return "INVALID_CREDENTIALS"
    cluster.wrong_passwords = 0
    cluster.password = store.password = world.entropy.take(16).hex()
    return ""


_LOGIN_PROBLEMS: dict[str, Callable[[HsmCluster], bool]] = {
    "NETWORK_ERRORS": lambda cluster: not cluster.active,  # unverified: the code for a cluster stopped meanwhile
    "INSUFFICIENT_CLOUDHSM_HSMS": lambda cluster: not cluster.zones,
    "USER_NOT_FOUND": lambda cluster: not cluster.password,
    "USER_LOCKED_OUT": lambda cluster: cluster.wrong_passwords >= WRONG_PASSWORDS,
    "USER_LOGGED_IN": lambda cluster: cluster.logged_in,
}
#: troubles of a cluster that the lab does not play out, but can pretend
PRETENDED: Sequence[str] = (
    "INTERNAL_ERROR", "NETWORK_ERRORS", "SUBNET_NOT_FOUND", "INSUFFICIENT_FREE_ADDRESSES_IN_SUBNET",
)  # fmt: skip


def trouble_of(world: World, store: KeyStore) -> Trouble | None:
    """Return what is wrong with an external key store's proxy or the way to it, or None."""
    name = _endpoint_service_trouble(world, store) or _proxy_trouble(world, store)
    return TROUBLES[name] if name else None


def endpoint_service_trouble(world: World, store: KeyStore) -> Trouble | None:
    """Return what is wrong with the VPC endpoint service of an external key store that has one, or None."""
    name = _endpoint_service_trouble(world, store)
    return TROUBLES[name] if name else None


def _endpoint_service_trouble(world: World, store: KeyStore) -> str:
    if store.xks_connectivity != stores.VPC_ENDPOINT_SERVICE:
        return ""
    way = next((one for one in world.proxies.values() if one.vpc_service == store.xks_vpc_service), None)
    if way is None or way.vpc_owner != store.xks_vpc_owner or f".{store.region}." not in store.xks_vpc_service:
        return "no endpoint service"
    if way.endpoint != store.xks_endpoint:  # it has to be the service's private DNS name
        return "unfit endpoint service"
    return way.trouble if way.trouble in ("no endpoint service", "unfit endpoint service") else ""


def _proxy_trouble(world: World, store: KeyStore) -> str:
    proxy = world.proxies.get(store.xks_endpoint + store.xks_path)
    public = store.xks_connectivity == stores.PUBLIC_ENDPOINT
    if proxy is None or bool(proxy.vpc_service) == public:
        elsewhere = any(one.endpoint == store.xks_endpoint for one in world.proxies.values())
        return "wrong path" if proxy is None and elsewhere else "offline"
    if proxy.trouble:
        return proxy.trouble
    shown, asked = (store.xks_access_key, store.xks_secret), (proxy.access_key, proxy.secret)
    return "" if shown == asked else "wrong credential"


def _proxy(world: World, store: KeyStore) -> XksProxy:
    return world.proxies[store.xks_endpoint + store.xks_path]
