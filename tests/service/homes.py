"""Custom key stores to test with: connected ones with a key, and the stand-ins behind them."""

from kms_lab import Lab
from kms_lab.service.operations.stores import CONNECTING_US, DISCONNECTING_US

PASSWORD = "kmsuser-password"
VPC = "com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0"
OTHER_VPC = "com.amazonaws.vpce.us-east-1.vpce-svc-0fedcba9876543210"
ENDPOINT, PATH = "https://xks.example.com", "/kms/xks/v1"
NOWHERE = "cks-1234567890abcdef0"
INVALID_STATE = "CustomKeyStoreInvalidStateException"
#: troubles of the way to a proxy, not of the proxy
ON_THE_WAY = ("no endpoint service", "unfit endpoint service")


def hsm_request(lab: Lab, name: str = "cloudhsm") -> dict[str, object]:
    """Return CreateCustomKeyStore's members for a new cluster of two HSMs."""
    made = lab.hsm.create_cluster(password=PASSWORD)
    return {
        "CustomKeyStoreName": name,
        "CloudHsmClusterId": made.id,
        "TrustAnchorCertificate": made.trust_anchor,
        "KeyStorePassword": PASSWORD,
    }


def new_store(lab: Lab, name: str = "cloudhsm") -> str:
    """Create a CloudHSM key store, not connected, and return its id."""
    return lab.client().create_custom_key_store(**hsm_request(lab, name))["CustomKeyStoreId"]


def connecting_store(lab: Lab) -> str:
    """Create a CloudHSM key store that is being connected, and return its id."""
    store = new_store(lab)
    lab.client().connect_custom_key_store(CustomKeyStoreId=store)
    return store


def wait(lab: Lab, us: int) -> None:
    lab.clock.travel(seconds=us / 1_000_000)


def entry(lab: Lab, store: str) -> dict:
    """What DescribeCustomKeyStores says of one key store."""
    (shown,) = lab.client().describe_custom_key_stores(CustomKeyStoreId=store)["CustomKeyStores"]
    return shown


def state(lab: Lab, store: str) -> tuple[str, str | None]:
    """A key store's connection state, and its connection error code."""
    shown = entry(lab, store)
    return shown["ConnectionState"], shown.get("ConnectionErrorCode")


def key_state(lab: Lab, key: str) -> str:
    return lab.client().describe_key(KeyId=key)["KeyMetadata"]["KeyState"]


class Home:
    """A connected key store with one key in it, and the stand-in behind it."""

    def __init__(self, lab: Lab, kind: str) -> None:
        self.lab, self.kms, self.kind = lab, lab.client(), kind
        if kind == "AWS_CLOUDHSM":
            request = hsm_request(lab)
            self.behind = lab.hsm.cluster(request["CloudHsmClusterId"])
            self.own = {"Origin": kind}
        else:
            self.behind = lab.xks.create_proxy()
            self.behind.create_key("external")
            request = {"CustomKeyStoreName": "xks", **self.behind.request}
            self.own = {"Origin": kind, "XksKeyId": "external"}
        self.id = self.kms.create_custom_key_store(**request)["CustomKeyStoreId"]
        self.own["CustomKeyStoreId"] = self.id
        self.connect()
        self.key = self.kms.create_key(**self.own)["KeyMetadata"]["Arn"]

    def connect(self) -> None:
        self.kms.connect_custom_key_store(CustomKeyStoreId=self.id)
        wait(self.lab, CONNECTING_US[self.kind])

    def disconnect(self) -> None:
        self.kms.disconnect_custom_key_store(CustomKeyStoreId=self.id)
        wait(self.lab, DISCONNECTING_US)

    def switch_off(self) -> None:
        self.behind.stop() if self.kind == "AWS_CLOUDHSM" else self.behind.go_offline()

    def switch_on(self) -> None:
        self.behind.start() if self.kind == "AWS_CLOUDHSM" else self.behind.go_online()


def bring(home: Home, target: str) -> None:
    """Bring a connected key store into a connection state."""
    if target == "CONNECTED":
        return
    home.kms.disconnect_custom_key_store(CustomKeyStoreId=home.id)
    if target == "DISCONNECTING":
        return
    wait(home.lab, DISCONNECTING_US)
    if target == "DISCONNECTED":
        return
    home.kms.connect_custom_key_store(CustomKeyStoreId=home.id)
    if target == "FAILED":
        home.switch_off()
        wait(home.lab, CONNECTING_US[home.kind])
