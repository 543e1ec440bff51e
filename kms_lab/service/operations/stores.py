"""Custom key stores: CreateCustomKeyStore, UpdateCustomKeyStore, DeleteCustomKeyStore, DescribeCustomKeyStores,
ConnectCustomKeyStore, DisconnectCustomKeyStore.

Connecting and disconnecting answer at once and take effect on the clock. What they find at the other end is simulated:
``kms_lab.outside`` holds the clusters and proxies, ``service.backing`` asks them. A password or a secret is never
shown: the rows' ``shown`` leave them out, and no answer repeats them.

Never given, though AWS's model lists it: KMSInternalException, since the lab's KMS has no faults of its own.

Source: AWS KMS API Reference, the operations named; AWS KMS Developer Guide, "Custom key stores". # unverified: the
order in which an operation looks for its errors, and every text without a source beside it.
"""

from collections.abc import Mapping
from typing import Any

from kms_lab.core.clock import Due, to_datetime
from kms_lab.core.errors import (
    CloudHsmClusterInUseException,
    CloudHsmClusterInvalidConfigurationException,
    CloudHsmClusterNotActiveException,
    CloudHsmClusterNotFoundException,
    CloudHsmClusterNotRelatedException,
    CustomKeyStoreHasCMKsException,
    CustomKeyStoreInvalidStateException,
    CustomKeyStoreNameInUseException,
    CustomKeyStoreNotFoundException,
    IncorrectTrustAnchorException,
    LimitExceededException,
    ValidationException,
    XksProxyUriEndpointInUseException,
    XksProxyUriInUseException,
    XksProxyVpcEndpointServiceInUseException,
)
from kms_lab.core.stores import (
    AWS_CLOUDHSM,
    CONNECTED,
    CONNECTING,
    DISCONNECTED,
    DISCONNECTING,
    EXTERNAL_KEY_STORE,
    FAILED,
    PUBLIC_ENDPOINT,
    VPC_ENDPOINT_SERVICE,
    HsmCluster,
    KeyStore,
)
from kms_lab.core.world import World
from kms_lab.service import backing
from kms_lab.service.operation import NO_KEY, Call, Response, operation
from kms_lab.service.paging import page

STORES_PER_REGION = 10
_MINUTE_US = 60 * 1_000_000
#: how long a connection takes to be made. Source: for CloudHSM "up to 20 minutes", AWS KMS API Reference of 2020; for
#: an external key store "about five minutes", AWS KMS Developer Guide
CONNECTING_US = {AWS_CLOUDHSM: 20 * _MINUTE_US, EXTERNAL_KEY_STORE: 5 * _MINUTE_US}
DISCONNECTING_US = _MINUTE_US  # unverified: AWS gives no figure

_CLOUDHSM_MEMBERS = ("CloudHsmClusterId", "TrustAnchorCertificate", "KeyStorePassword")
_XKS_MEMBERS = ("XksProxyConnectivity", "XksProxyAuthenticationCredential", "XksProxyUriEndpoint", "XksProxyUriPath")
_VPC_MEMBERS = ("XksProxyVpcEndpointServiceName", "XksProxyVpcEndpointServiceOwner")
#: what UpdateCustomKeyStore changes while the key store is connected
_ANY_TIME = {
    AWS_CLOUDHSM: {"NewCustomKeyStoreName"},
    EXTERNAL_KEY_STORE: {"NewCustomKeyStoreName", "XksProxyAuthenticationCredential", "XksProxyUriPath"},
}


@operation(
    permission="kms:CreateCustomKeyStore",
    target=NO_KEY,
    quota=5,
    shown=("CloudHsmClusterId", "CustomKeyStoreName"),
    source="AWS KMS API Reference, CreateCustomKeyStore",
)
def create_custom_key_store(
    call: Call,
    *,
    CustomKeyStoreName: str,
    CloudHsmClusterId: str | None = None,
    TrustAnchorCertificate: str | None = None,
    KeyStorePassword: str | None = None,
    CustomKeyStoreType: str = AWS_CLOUDHSM,
    XksProxyUriEndpoint: str | None = None,
    XksProxyUriPath: str | None = None,
    XksProxyVpcEndpointServiceName: str | None = None,
    XksProxyVpcEndpointServiceOwner: str | None = None,
    XksProxyAuthenticationCredential: Mapping[str, str] | None = None,
    XksProxyConnectivity: str | None = None,
) -> Response:
    """Tell KMS of a CloudHSM cluster or an external key store proxy of yours. Next, connect it.

    The password and the credential are taken on trust: they are tried out when the key store connects, and a public
    proxy's already now.
    """
    world, account = call.world, call.principal.account
    shelf = world.shelf(account, call.region)
    _accept_members(call, CustomKeyStoreType, XksProxyConnectivity)
    _accept_name(call, CustomKeyStoreName)
    if len(shelf.stores) >= STORES_PER_REGION:
        raise LimitExceededException(
            f"The quota of {STORES_PER_REGION} custom key stores in this account and Region is reached."
        )
    store = KeyStore("", CustomKeyStoreName, CustomKeyStoreType, account, call.region, world.clock.now_us)
    _change(store, call)
    if CustomKeyStoreType == AWS_CLOUDHSM:
        cluster = _accept_cluster(world, store)
        if any(one.trust_anchor == cluster.trust_anchor for one in _stores_of(world, account)):
            raise CloudHsmClusterInUseException(
                f"Cluster {cluster.id}, or a relative of it, backs a key store already."
            )
        if TrustAnchorCertificate is None or TrustAnchorCertificate.split() != cluster.trust_anchor.split():
            raise IncorrectTrustAnchorException(f"This is not the trust anchor certificate of cluster {cluster.id}.")
        store.trust_anchor = cluster.trust_anchor
    else:
        _accept_proxy(world, store)
    store.id = f"cks-{world.entropy.take(9).hex()[:17]}"
    shelf.stores[store.id] = store
    call.more = {"store_id": store.id}
    return {"CustomKeyStoreId": store.id}


@operation(
    permission="kms:UpdateCustomKeyStore",
    target=NO_KEY,
    quota=5,
    shown=("CloudHsmClusterId", "CustomKeyStoreId"),
    source="AWS KMS API Reference, UpdateCustomKeyStore",
)
def update_custom_key_store(
    call: Call,
    *,
    CustomKeyStoreId: str,
    NewCustomKeyStoreName: str | None = None,
    KeyStorePassword: str | None = None,
    CloudHsmClusterId: str | None = None,
    XksProxyUriEndpoint: str | None = None,
    XksProxyUriPath: str | None = None,
    XksProxyVpcEndpointServiceName: str | None = None,
    XksProxyVpcEndpointServiceOwner: str | None = None,
    XksProxyAuthenticationCredential: Mapping[str, str] | None = None,
    XksProxyConnectivity: str | None = None,
) -> None:
    """Change what KMS knows of a key store; the cluster or proxy itself does not notice.

    Disconnect first, except for the name and, of an external key store, the credential and the path.
    """
    world, store = call.world, _find(call, CustomKeyStoreId)
    changes = {name for name, value in call.params.items() if value is not None} - {"CustomKeyStoreId"}
    _accept_update(store, changes, XksProxyConnectivity)
    if store.state != DISCONNECTED and not (store.state == CONNECTED and changes <= _ANY_TIME[store.type]):
        raise CustomKeyStoreInvalidStateException(
            f"Custom key store {store.id} is {store.state}; disconnect it before you change this."
        )
    if NewCustomKeyStoreName not in (None, store.name):
        _accept_name(call, NewCustomKeyStoreName)
    after = store.copy()
    _change(after, call)
    if CloudHsmClusterId is not None:
        cluster = _accept_cluster(world, after)
        if cluster.trust_anchor != store.trust_anchor:
            raise CloudHsmClusterNotRelatedException(
                f"Cluster {cluster.id} has another certificate than the cluster of key store {store.id}."
            )
    if store.type == EXTERNAL_KEY_STORE and changes - {"NewCustomKeyStoreName"}:
        _accept_proxy(world, after)
    world.shelf(store.account, store.region).stores[store.id] = after


@operation(
    permission="kms:DeleteCustomKeyStore",
    target=NO_KEY,
    quota=5,
    shown=("CustomKeyStoreId",),
    source="AWS KMS API Reference, DeleteCustomKeyStore",
)
def delete_custom_key_store(call: Call, *, CustomKeyStoreId: str) -> None:
    """Make KMS forget a key store that is empty and disconnected. The cluster or proxy stays as it is."""
    store = _find(call, CustomKeyStoreId)
    if backing.keys_in(call.world, store):
        raise CustomKeyStoreHasCMKsException(f"Custom key store {store.id} contains KMS keys.")
    if store.state != DISCONNECTED:
        raise CustomKeyStoreInvalidStateException(f"Custom key store {store.id} is {store.state}, not DISCONNECTED.")
    del call.world.shelf(store.account, store.region).stores[store.id]


@operation(
    permission="kms:DescribeCustomKeyStores",
    target=NO_KEY,
    quota=5,
    shown=("CustomKeyStoreId",),
    source="AWS KMS API Reference, DescribeCustomKeyStores",
)
def describe_custom_key_stores(
    call: Call,
    *,
    CustomKeyStoreId: str | None = None,
    CustomKeyStoreName: str | None = None,
    Limit: int = 100,
    Marker: str | None = None,
) -> Response:
    """Show the key stores of the account and Region, or one of them, with their connection states."""
    if CustomKeyStoreId is not None and CustomKeyStoreName is not None:
        raise ValidationException("Specify CustomKeyStoreId or CustomKeyStoreName, but not both.")
    shelf = call.world.shelf(call.principal.account, call.region)
    shown = list(shelf.stores.values())
    if CustomKeyStoreId is not None:
        shown = [backing.find_store(shelf, CustomKeyStoreId)]
    if CustomKeyStoreName is not None:
        shown = [store for store in shown if store.name == CustomKeyStoreName]
        if not shown:
            raise CustomKeyStoreNotFoundException(f"Custom key store {CustomKeyStoreName} does not exist.")
    # unverified: how many there are on a page without a limit; an account has ten at most
    return page(shown, "CustomKeyStores", _entry, Limit, Marker)


@operation(
    permission="kms:ConnectCustomKeyStore",
    target=NO_KEY,
    quota=5,
    shown=("CustomKeyStoreId",),
    source="AWS KMS API Reference, ConnectCustomKeyStore",
)
def connect_custom_key_store(call: Call, *, CustomKeyStoreId: str) -> None:
    """Begin to connect a key store. Whether it worked, DescribeCustomKeyStores says some minutes later.

    What is easily seen to be wrong with a cluster is an error at once, and the key store stays as it was.
    """
    store = _find(call, CustomKeyStoreId)
    if store.state in (DISCONNECTING, FAILED):
        raise CustomKeyStoreInvalidStateException(f"Custom key store {store.id} is {store.state}; disconnect it first.")
    if store.state != DISCONNECTED:
        return  # it is valid to connect what is connected
    cluster = call.world.clusters.get(store.cluster_id)
    if cluster is not None:
        _require_active(cluster)
        if not cluster.zones:
            raise CloudHsmClusterInvalidConfigurationException(f"Cluster {cluster.id} must contain an active HSM.")
    _begin(call.world, store, CONNECTING, CONNECTING_US[store.type], "connected")


@operation(
    permission="kms:DisconnectCustomKeyStore",
    target=NO_KEY,
    quota=5,
    shown=("CustomKeyStoreId",),
    source="AWS KMS API Reference, DisconnectCustomKeyStore",
)
def disconnect_custom_key_store(call: Call, *, CustomKeyStoreId: str) -> None:
    """Begin to disconnect a key store. Its keys become Unavailable right away."""
    store = _find(call, CustomKeyStoreId)
    if store.state in (DISCONNECTING, DISCONNECTED):
        raise CustomKeyStoreInvalidStateException(f"Custom key store {store.id} is {store.state} already.")
    _begin(call.world, store, DISCONNECTING, DISCONNECTING_US, "disconnected")
    _tell_keys(call.world, store)


# ------------------------------------------------------------------------------ the clock's side


def connected(world: World, due: Due) -> bool:
    """Find out whether a connection that was begun comes about. If so, the key store's keys are back."""
    store = _waiting(world, due, CONNECTING)
    if store is None:
        return False
    if store.type == AWS_CLOUDHSM:
        store.error = backing.log_in(world, store)
    else:
        trouble = backing.trouble_of(world, store)
        store.error = trouble.connection if trouble is not None else ""
    store.state = FAILED if store.error else CONNECTED
    _tell_keys(world, store)
    return True


def disconnected(world: World, due: Due) -> bool:
    """Finish disconnecting a key store."""
    store = _waiting(world, due, DISCONNECTING)
    if store is None:
        return False
    store.state = DISCONNECTED
    return True


def _begin(world: World, store: KeyStore, state: str, lasts_us: int, kind: str) -> None:
    store.state, store.error = state, ""
    store.due_us = world.clock.now_us + lasts_us
    world.clock.schedule(store.due_us, kind, f"{store.account}/{store.region}/{store.id}")


def _waiting(world: World, due: Due, state: str) -> KeyStore | None:
    """Return the key store that an entry of the clock means, if it still waits for it."""
    account, region, store_id = due.subject.split("/")
    store = world.shelf(account, region).stores.get(store_id)
    if store is None or (store.state, store.due_us) != (state, due.when_us):
        return None
    store.due_us = None
    return store


def _tell_keys(world: World, store: KeyStore) -> None:
    for key in backing.keys_in(world, store):
        backing.follow(world, key)


# ------------------------------------------------------------------------------ what they share


def _find(call: Call, store_id: str) -> KeyStore:
    """Return the key store that a request names, and note for the log what CloudTrail tells of it."""
    store = backing.find_store(call.world.shelf(call.principal.account, call.region), store_id)
    call.more = {"store_name": store.name, "cluster_id": store.cluster_id}
    return store


def _stores_of(world: World, account: str) -> list[KeyStore]:
    return [store for shelf in world.shelves.values() if shelf.account == account for store in shelf.stores.values()]


def _accept_members(call: Call, store_type: str, connectivity: str | None) -> None:
    """Refuse a request to create that lacks a member of the key store's type, or has one of the other type."""
    of_cloudhsm = store_type == AWS_CLOUDHSM
    needed: tuple[str, ...] = _CLOUDHSM_MEMBERS if of_cloudhsm else _XKS_MEMBERS
    if connectivity == VPC_ENDPOINT_SERVICE:
        needed += _VPC_MEMBERS[:1]
    foreign: tuple[str, ...] = _XKS_MEMBERS + _VPC_MEMBERS if of_cloudhsm else _CLOUDHSM_MEMBERS
    if connectivity == PUBLIC_ENDPOINT:
        foreign += _VPC_MEMBERS
    given = {name for name, value in call.params.items() if value is not None}
    if missing := [name for name in needed if name not in given]:
        raise ValidationException(f"A custom key store of type {store_type} needs {', '.join(missing)}.")
    _refuse_foreign([name for name in foreign if name in given])


def _accept_update(store: KeyStore, changes: set[str], connectivity: str | None) -> None:
    """Refuse changes that do not fit the key store's type or connectivity, or half a change of the connectivity."""
    if store.type == AWS_CLOUDHSM:
        _refuse_foreign([name for name in _XKS_MEMBERS + _VPC_MEMBERS if name in changes])
        return
    will_be = connectivity or store.xks_connectivity
    foreign = _CLOUDHSM_MEMBERS if will_be == VPC_ENDPOINT_SERVICE else _CLOUDHSM_MEMBERS + _VPC_MEMBERS
    _refuse_foreign([name for name in foreign if name in changes])
    if will_be != store.xks_connectivity:
        needed = ("XksProxyUriEndpoint", *(_VPC_MEMBERS[:1] if will_be == VPC_ENDPOINT_SERVICE else ()))
        if missing := [name for name in needed if name not in changes]:
            raise ValidationException(f"To change XksProxyConnectivity to {will_be}, give {', '.join(missing)} too.")


def _refuse_foreign(members: list[str]) -> None:
    if members:
        raise ValidationException(f"Not valid for this type of custom key store: {', '.join(members)}.")


def _accept_name(call: Call, name: str | None) -> None:
    if any(one.name == name for one in call.world.shelf(call.principal.account, call.region).stores.values()):
        raise CustomKeyStoreNameInUseException(f"The name {name} is already assigned to another custom key store.")


def _change(store: KeyStore, call: Call) -> None:
    """Write a request's members into a key store's record."""
    for member, field in _FIELDS.items():
        if call.params.get(member) is not None:
            setattr(store, field, call.params[member])
    credential = call.params.get("XksProxyAuthenticationCredential")
    if credential is not None:
        store.xks_access_key, store.xks_secret = credential["AccessKeyId"], credential["RawSecretAccessKey"]
    if store.xks_connectivity != VPC_ENDPOINT_SERVICE:
        store.xks_vpc_service = store.xks_vpc_owner = ""
    elif not store.xks_vpc_owner:
        store.xks_vpc_owner = call.principal.account


_FIELDS = {
    "NewCustomKeyStoreName": "name",
    "CloudHsmClusterId": "cluster_id",
    "KeyStorePassword": "password",
    "XksProxyConnectivity": "xks_connectivity",
    "XksProxyUriEndpoint": "xks_endpoint",
    "XksProxyUriPath": "xks_path",
    "XksProxyVpcEndpointServiceName": "xks_vpc_service",
    "XksProxyVpcEndpointServiceOwner": "xks_vpc_owner",
}


def _accept_cluster(world: World, store: KeyStore) -> HsmCluster:
    """Return the cluster of a CloudHSM key store, refusing one that is not there, not active or too small."""
    cluster = world.clusters.get(store.cluster_id)
    if cluster is None or (cluster.account, cluster.region) != (store.account, store.region):
        raise CloudHsmClusterNotFoundException(f"KMS cannot find the CloudHSM cluster {store.cluster_id}.")
    _require_active(cluster)
    if len(set(cluster.zones)) < backing.ZONES_TO_CREATE:
        # the sentence as a public account of setting up a key store quotes it
        raise CloudHsmClusterInvalidConfigurationException(
            "CloudHSM cluster must contain active HSMs in at least two Availability Zones"
        )
    return cluster


def _require_active(cluster: HsmCluster) -> None:
    if not cluster.active:
        raise CloudHsmClusterNotActiveException(f"The CloudHSM cluster {cluster.id} is not active.")


def _accept_proxy(world: World, store: KeyStore) -> None:
    """Refuse a way to a proxy that another key store of the account and Region has, or that leads nowhere.

    A proxy behind a VPC endpoint service is asked only once KMS is connected to that service.
    """
    for other in world.shelf(store.account, store.region).stores.values():
        if other.id == store.id or other.type != EXTERNAL_KEY_STORE:
            continue
        private = VPC_ENDPOINT_SERVICE in (store.xks_connectivity, other.xks_connectivity)
        if (other.xks_endpoint, other.xks_path) == (store.xks_endpoint, store.xks_path):
            raise XksProxyUriInUseException(
                f"{store.xks_endpoint}{store.xks_path} serves key store {other.id} already."
            )
        if private and other.xks_endpoint == store.xks_endpoint:
            raise XksProxyUriEndpointInUseException(f"{store.xks_endpoint} serves key store {other.id} already.")
        if store.xks_vpc_service and other.xks_vpc_service == store.xks_vpc_service:
            raise XksProxyVpcEndpointServiceInUseException(
                f"{store.xks_vpc_service} serves key store {other.id} already."
            )
    asked = store.xks_connectivity == PUBLIC_ENDPOINT or store.state == CONNECTED
    trouble = backing.trouble_of(world, store) if asked else backing.endpoint_service_trouble(world, store)
    if trouble is not None:
        raise trouble.error(trouble.text)


def _entry(store: KeyStore) -> dict[str, Any]:
    """Return ``CustomKeyStoresListEntry``."""
    shown: dict[str, Any] = {
        "CustomKeyStoreId": store.id,
        "CustomKeyStoreName": store.name,
        "CustomKeyStoreType": store.type,
        "ConnectionState": store.state,
        "CreationDate": to_datetime(store.created_us),
    }
    if store.state == FAILED:
        shown["ConnectionErrorCode"] = store.error
    if store.type == AWS_CLOUDHSM:
        return {**shown, "CloudHsmClusterId": store.cluster_id, "TrustAnchorCertificate": store.trust_anchor}
    proxy = {
        "Connectivity": store.xks_connectivity,
        "AccessKeyId": store.xks_access_key,
        "UriEndpoint": store.xks_endpoint,
        "UriPath": store.xks_path,
    }
    if store.xks_vpc_service:
        proxy |= {
            "VpcEndpointServiceName": store.xks_vpc_service,
            "VpcEndpointServiceOwner": store.xks_vpc_owner,
        }
    return {**shown, "XksProxyConfiguration": proxy}
