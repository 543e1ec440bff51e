"""Custom key stores, and what stands behind them: a CloudHSM cluster or an external key store proxy.

A key store is AWS's record. The cluster and the proxy are the customer's side, which the lab has to stand in for: a
stand-in keeps key bytes under the names that KMS knows, and can be switched off. It is no CloudHSM and speaks no XKS
protocol. How KMS asks them is in ``service.backing``; the learner's hand on them is ``kms_lab.outside``.

Source: AWS KMS API Reference, ``CustomKeyStoresListEntry``; AWS KMS Developer Guide, "Custom key stores".
"""

from dataclasses import dataclass, field
from typing import Final

AWS_CLOUDHSM: Final = "AWS_CLOUDHSM"
EXTERNAL_KEY_STORE: Final = "EXTERNAL_KEY_STORE"

CONNECTED: Final = "CONNECTED"
CONNECTING: Final = "CONNECTING"
FAILED: Final = "FAILED"
DISCONNECTED: Final = "DISCONNECTED"
DISCONNECTING: Final = "DISCONNECTING"

PUBLIC_ENDPOINT: Final = "PUBLIC_ENDPOINT"
VPC_ENDPOINT_SERVICE: Final = "VPC_ENDPOINT_SERVICE"


@dataclass(slots=True)
class KeyStore:
    """A custom key store of one account and Region.

    Attributes:
        type: ``AWS_CLOUDHSM`` or ``EXTERNAL_KEY_STORE``.
        state: one of the five connection states of AWS.
        error: AWS's ``ConnectionErrorCode``, after a connection failed; "" otherwise.
        due_us: when the connection that is being made or ended will be; None while nothing is under way.
        cluster_id, trust_anchor: the cluster of a CloudHSM key store, and its certificate.
        password: what KMS logs in to the cluster with.
        xks_endpoint, xks_path, xks_connectivity, xks_vpc_service, xks_vpc_owner: the way to an external key store's
            proxy.
        xks_access_key, xks_secret: the credential that KMS shows to the proxy.
    """

    id: str
    name: str
    type: str
    account: str
    region: str
    created_us: int
    state: str = DISCONNECTED
    error: str = ""
    due_us: int | None = None
    cluster_id: str = ""
    trust_anchor: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    xks_endpoint: str = ""
    xks_path: str = ""
    xks_connectivity: str = ""
    xks_vpc_service: str = ""
    xks_vpc_owner: str = ""
    xks_access_key: str = field(default="", repr=False)
    xks_secret: str = field(default="", repr=False)

    def copy(self) -> "KeyStore":
        return KeyStore(**{name: getattr(self, name) for name in self.__slots__})


@dataclass(slots=True)
class HsmCluster:
    """A stand-in for a CloudHSM cluster.

    Attributes:
        trust_anchor: its certificate; clusters made from one another's backups share it.
        password: of ``kmsuser``, the user that KMS logs in as; "" while there is no such user.
        zones: one entry for each HSM: the Availability Zone that it stands in.
        active: is it running?
        logged_in: is somebody else logged in as ``kmsuser``?
        wrong_passwords: attempts to log in since the last one that succeeded.
        trouble: AWS's ``ConnectionErrorCode`` for a trouble that the lab does not play out; "" for none.
        keys: the key bytes that it keeps, by the id KMS knows them under.
    """

    id: str
    account: str
    region: str
    trust_anchor: str = field(repr=False)
    password: str = field(repr=False)
    zones: list[str] = field(default_factory=list)
    active: bool = True
    logged_in: bool = False
    wrong_passwords: int = 0
    trouble: str = ""
    keys: dict[str, bytes] = field(default_factory=dict, repr=False)

    def copy(self) -> "HsmCluster":
        fields = {name: getattr(self, name) for name in self.__slots__}
        return HsmCluster(**{**fields, "zones": list(self.zones), "keys": dict(self.keys)})


@dataclass(frozen=True, slots=True)
class ExternalKey:
    """A key in an external key manager. Never changed, only replaced.

    Attributes:
        spec: what the proxy says of it; KMS takes ``AES_256`` only.
        usage: what it may do, as the proxy says it.
        status: ``ENABLED`` or ``DISABLED``.
    """

    secret: bytes = field(repr=False)
    spec: str = "AES_256"
    usage: tuple[str, ...] = ("DECRYPT", "ENCRYPT")
    status: str = "ENABLED"


@dataclass(slots=True)
class XksProxy:
    """A stand-in for an external key store proxy, and the key manager behind it.

    Attributes:
        endpoint, path: where KMS finds it.
        access_key, secret: the credential that it asks for.
        vpc_service, vpc_owner: the VPC endpoint service that leads to it, and the account that owns this; "" for a
            proxy with a public endpoint.
        trouble: what is wrong with it, one of ``service.backing.TROUBLES``; "" while it answers.
        keys: the external keys, by their id.
    """

    endpoint: str
    path: str
    access_key: str = field(repr=False)
    secret: str = field(repr=False)
    vpc_service: str = ""
    vpc_owner: str = ""
    trouble: str = ""
    keys: dict[str, ExternalKey] = field(default_factory=dict, repr=False)

    def copy(self) -> "XksProxy":
        fields = {name: getattr(self, name) for name in self.__slots__}
        return XksProxy(**{**fields, "keys": dict(self.keys)})
