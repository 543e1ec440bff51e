"""Custom key stores, and what stands behind them: a CloudHSM cluster or an external key store proxy.

A key store is AWS's record. The cluster and the proxy are the customer's side, which the lab has to stand in for: a
stand-in keeps key bytes under the names that KMS knows, and can be switched off. It is no CloudHSM and speaks no XKS
protocol.

Source: AWS KMS API Reference, ``CustomKeyStoresListEntry``; AWS KMS Developer Guide, "Custom key stores".
"""

from dataclasses import dataclass, field
from typing import Final

CONNECTED: Final = "CONNECTED"
CONNECTING: Final = "CONNECTING"
FAILED: Final = "FAILED"
DISCONNECTED: Final = "DISCONNECTED"
DISCONNECTING: Final = "DISCONNECTING"


@dataclass(slots=True)
class KeyStore:
    """A custom key store of one account and Region.

    Attributes:
        type: ``AWS_CLOUDHSM`` or ``EXTERNAL_KEY_STORE``.
        state: the five connection states of AWS.
        error: AWS's ``ConnectionErrorCode``, after a connection failed; "" otherwise.
        behind: id of the cluster, or endpoint and path of the proxy: which stand-in is meant.
        password: what KMS logs in to the cluster with.
    """

    id: str
    name: str
    type: str
    account: str
    region: str
    created_us: int
    behind: str
    state: str = DISCONNECTED
    error: str = ""
    trust_anchor: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    xks_endpoint: str = ""
    xks_path: str = ""
    xks_connectivity: str = ""
    xks_vpc_service: str = ""
    xks_vpc_owner: str = ""
    xks_access_key: str = ""
    xks_secret: str = field(default="", repr=False)

    def copy(self) -> "KeyStore":
        return KeyStore(**{name: getattr(self, name) for name in self.__slots__})


@dataclass(slots=True)
class HsmCluster:
    """A stand-in for a CloudHSM cluster.

    Attributes:
        zones: one entry for each HSM: the Availability Zone that it stands in.
        active: does it answer?
        keys: the key bytes that it keeps, by the id KMS knows them under.
    """

    id: str
    account: str
    region: str
    trust_anchor: str
    password: str = field(repr=False)
    zones: list[str] = field(default_factory=list)
    active: bool = True
    keys: dict[str, bytes] = field(default_factory=dict, repr=False)

    def copy(self) -> "HsmCluster":
        fields = {name: getattr(self, name) for name in self.__slots__}
        return HsmCluster(**{**fields, "zones": list(self.zones), "keys": dict(self.keys)})


@dataclass(slots=True)
class XksProxy:
    """A stand-in for an external key store proxy, and the key manager behind it.

    Attributes:
        endpoint, path: where KMS finds it.
        access_key, secret: the credential that it asks for.
        online: does it answer?
        keys: the external keys, by their id.
        enabled: ids of those external keys that may be used.
    """

    endpoint: str
    path: str
    access_key: str
    secret: str = field(repr=False)
    vpc_service: str = ""
    online: bool = True
    keys: dict[str, bytes] = field(default_factory=dict, repr=False)
    enabled: list[str] = field(default_factory=list)

    def copy(self) -> "XksProxy":
        fields = {name: getattr(self, name) for name in self.__slots__}
        return XksProxy(**{**fields, "keys": dict(self.keys), "enabled": list(self.enabled)})
