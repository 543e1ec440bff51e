"""What the customer of a custom key store runs outside KMS, and the learner's hand on it: ``lab.hsm`` and ``lab.xks``.

All of it is a stand-in. A cluster is no CloudHSM: it keeps key bytes, a password and a list of HSMs, and can be
stopped. A proxy speaks no XKS protocol: it keeps external keys and a credential, and can go offline. What KMS makes of
their answers is the service's (``service.backing``). Nothing done here is an AWS call, so nothing of it is in the log.

Source: AWS KMS Developer Guide, "AWS CloudHSM key stores", "External key stores" and their pages on troubleshooting.
"""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime

from kms_lab.core.errors import LabError
from kms_lab.core.stores import ExternalKey, HsmCluster, XksProxy
from kms_lab.core.world import World
from kms_lab.service.backing import PRETENDED, TROUBLES

#: how long a certificate is valid; the end is X.509's way to say that there is none
_VALID = datetime(2000, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_ZONES = "abcdef"
#: bytes of an external key, by what the proxy says it is
_KEY_BYTES = {"AES_256": 32, "AES_192": 24, "AES_128": 16}


class Hsm:
    """CloudHSM clusters of the simulated accounts, as far as KMS needs them."""

    def __init__(self, world: World, account: str, region: str) -> None:
        self._world, self._account, self._region = world, account, region

    def __repr__(self) -> str:
        return f"<CloudHSM (a stand-in): {len(self.list())} clusters; create_cluster() makes one>"

    def create_cluster(
        self,
        zones: int = 2,
        password: str = "kmsuser-password",
        backup_of: "Cluster | None" = None,
        account: str = "",
        region: str = "",
    ) -> "Cluster":
        """Make a running cluster, ready for CreateCustomKeyStore: its ``id`` and ``trust_anchor`` go there.

        Args:
            zones: how many HSMs, each in an Availability Zone of its own; KMS asks for two before it makes keys.
            password: of the user ``kmsuser``; "" for a cluster that has no such user yet.
            backup_of: make it from a backup of this cluster, taken now: same certificate, same keys, same password.
            account, region: where; by default the lab's own account and us-east-1, or where ``backup_of`` is.
        """
        if not 0 <= zones <= len(_ZONES):
            raise LabError(
                f"a Region of the lab has {len(_ZONES)} Availability Zones, so a cluster has 0 to {len(_ZONES)}"
            )
        world = self._world
        origin = None if backup_of is None else backup_of._record
        region = region or (self._region if origin is None else origin.region)
        cluster_id = "cluster-" + base64.b32encode(world.entropy.take(10)).decode().lower()[:11]
        if origin is None:
            record = HsmCluster(cluster_id, account or self._account, region, _certificate(world, cluster_id), password)
        else:
            record = HsmCluster(
                cluster_id,
                account or origin.account,
                region,
                origin.trust_anchor,
                origin.password,
                keys=dict(origin.keys),
            )
        record.zones = [region + _ZONES[number] for number in range(zones)]
        world.clusters[cluster_id] = record
        return Cluster(world, cluster_id)

    def cluster(self, cluster_id: str) -> "Cluster":
        """Return a cluster by its id.

        Raises:
            LabError: there is none.
        """
        if cluster_id not in self._world.clusters:
            raise LabError(f"there is no cluster {cluster_id!r}; lab.hsm.list() names them")
        return Cluster(self._world, cluster_id)

    def list(self) -> list[str]:
        """Return the ids of all clusters."""
        return list(self._world.clusters)


class Cluster:
    """A stand-in for one CloudHSM cluster. Every method takes effect at once."""

    def __init__(self, world: World, cluster_id: str) -> None:
        self._world = world
        self.id = cluster_id

    def __repr__(self) -> str:
        if self.id not in self._world.clusters:
            return f"<CloudHSM cluster {self.id} (a stand-in): deleted>"
        record = self._record
        state = "active" if record.active else "stopped"
        return f"<CloudHSM cluster {self.id} (a stand-in): {state}, HSMs in {', '.join(record.zones) or 'no Zone'}>"

    @property
    def trust_anchor(self) -> str:
        """The certificate that was made when the cluster was initialized (``customerCA.crt``), as PEM text."""
        return self._record.trust_anchor

    @property
    def zones(self) -> list[str]:
        """The Availability Zone of each HSM."""
        return list(self._record.zones)

    @property
    def keys(self) -> list[str]:
        """The names of the keys that it keeps: for the key of a KMS key, the KMS key's id."""
        return list(self._record.keys)

    def stop(self) -> None:
        """Let it answer no more."""
        self._record.active = False

    def start(self) -> None:
        """Let it answer again."""
        self._record.active = True

    def delete(self) -> None:
        """Delete the cluster with all keys in it. Only a cluster made from a backup before can bring them back."""
        del self._world.clusters[self._record.id]

    def add_hsm(self, zone: str = "") -> str:
        """Add an HSM in a Zone, by default in one that has none yet. Returns the Zone.

        Raises:
            LabError: every Zone has one and none is named, or the Zone is of another Region.
        """
        record = self._record
        free = (record.region + letter for letter in _ZONES if record.region + letter not in record.zones)
        zone = zone or next(free, "")
        if not zone.startswith(record.region):
            raise LabError(f"give a Zone of {record.region}, such as {record.region}a")
        record.zones.append(zone)
        return zone

    def remove_hsm(self, zone: str = "") -> str:
        """Remove an HSM, by default the last one. Returns its Zone. The keys stay: the cluster keeps a backup.

        Raises:
            LabError: there is none.
        """
        zones = self._record.zones
        if (zone or None) not in (None, *zones) or not zones:
            raise LabError(f"the cluster has no HSM{' in ' + zone if zone else ''}; zones lists them")
        zone = zone or zones[-1]
        zones.remove(zone)
        return zone

    def delete_key(self, name: str) -> None:
        """Delete a key. What was encrypted under it opens no more, whatever KMS still has.

        Raises:
            LabError: there is no such key.
        """
        if self._record.keys.pop(name, None) is None:
            raise LabError(f"the cluster has no key {name!r}; keys lists them")

    def change_password(self, password: str) -> None:
        """Set the password of ``kmsuser``, or "" to delete that user. It also ends a lockout.

        KMS sets one of its own each time that it connects, so tell it yours with UpdateCustomKeyStore.
        """
        self._record.password, self._record.wrong_passwords = password, 0

    def log_in(self) -> None:
        """Log in as ``kmsuser``, which keeps KMS out."""
        self._record.logged_in = True

    def log_out(self) -> None:
        """Leave the account to KMS again."""
        self._record.logged_in = False

    def pretend(self, code: str = "") -> None:
        """Let connections fail with an error code of AWS whose cause the lab does not play out; "" to end that.

        Raises:
            LabError: it is not such a code; the message names them.
        """
        if code not in ("", *PRETENDED):
            raise LabError(f"choose one of {', '.join(PRETENDED)}")
        self._record.trouble = code

    @property
    def _record(self) -> HsmCluster:
        if self.id not in self._world.clusters:
            raise LabError(f"cluster {self.id} is not there, or not any more")
        return self._world.clusters[self.id]


class Xks:
    """External key store proxies, each with its external key manager."""

    def __init__(self, world: World, account: str) -> None:
        self._world, self._account = world, account

    def __repr__(self) -> str:
        return f"<external key stores (a stand-in): {len(self.list())} proxies; create_proxy() makes one>"

    def create_proxy(
        self,
        endpoint: str = "https://xks.example.com",
        path: str = "/kms/xks/v1",
        vpc_service: str = "",
        vpc_owner: str = "",
    ) -> "Proxy":
        """Make a proxy that answers. Its ``request`` has what CreateCustomKeyStore needs to know of it.

        Args:
            vpc_service: name of the VPC endpoint service that leads to it, such as
                ``com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0``; "" for a public endpoint.
            vpc_owner: account that owns that service; the lab's own unless said otherwise.

        Raises:
            LabError: there is one at that address already.
        """
        world = self._world
        if endpoint + path in world.proxies:
            raise LabError(f"there is a proxy at {endpoint}{path} already")
        access_key, secret = _credential(world)
        owner = (vpc_owner or self._account) if vpc_service else ""
        world.proxies[endpoint + path] = XksProxy(endpoint, path, access_key, secret, vpc_service, owner)
        return Proxy(world, endpoint, path)

    def proxy(self, address: str) -> "Proxy":
        """Return a proxy by its address, which is endpoint and path.

        Raises:
            LabError: there is none.
        """
        if address not in self._world.proxies:
            raise LabError(f"there is no proxy at {address!r}; lab.xks.list() names them")
        found = self._world.proxies[address]
        return Proxy(self._world, found.endpoint, found.path)

    def list(self) -> list[str]:
        """Return the addresses of all proxies."""
        return list(self._world.proxies)


class Proxy:
    """A stand-in for an external key store proxy and the external key manager behind it."""

    def __init__(self, world: World, endpoint: str, path: str) -> None:
        self._world = world
        self.endpoint, self.path = endpoint, path

    def __repr__(self) -> str:
        record = self._record
        state = record.trouble or "online"
        return f"<XKS proxy {self.endpoint}{self.path} (a stand-in): {state}, {len(record.keys)} external keys>"

    @property
    def credential(self) -> dict[str, str]:
        """The credential that it asks for, as ``XksProxyAuthenticationCredential``. It is a secret."""
        return {"AccessKeyId": self._record.access_key, "RawSecretAccessKey": self._record.secret}

    @property
    def request(self) -> dict[str, object]:
        """The members of CreateCustomKeyStore that tell KMS how to reach it. They include the credential."""
        record = self._record
        members: dict[str, object] = {
            "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
            "XksProxyConnectivity": "VPC_ENDPOINT_SERVICE" if record.vpc_service else "PUBLIC_ENDPOINT",
            "XksProxyUriEndpoint": self.endpoint,
            "XksProxyUriPath": self.path,
            "XksProxyAuthenticationCredential": self.credential,
        }
        if record.vpc_service:
            members["XksProxyVpcEndpointServiceName"] = record.vpc_service
            members["XksProxyVpcEndpointServiceOwner"] = record.vpc_owner
        return members

    @property
    def keys(self) -> dict[str, str]:
        """The external keys: the status of each by its id."""
        return {name: key.status for name, key in self._record.keys.items()}

    def create_key(self, name: str, spec: str = "AES_256", usage: Sequence[str] = ("DECRYPT", "ENCRYPT")) -> str:
        """Make an external key and return its id, for ``XksKeyId``. KMS takes an AES_256 key that does both usages.

        Raises:
            LabError: there is one of that id already, or no such spec.
        """
        keys = self._record.keys
        if name in keys:
            raise LabError(f"the key manager has a key {name!r} already")
        if spec not in _KEY_BYTES:
            raise LabError(f"choose a spec of {', '.join(_KEY_BYTES)}")
        keys[name] = ExternalKey(self._world.entropy.take(_KEY_BYTES[spec]), spec, tuple(usage))
        return name

    def disable_key(self, name: str) -> None:
        """Let a key be used no more, until it is enabled."""
        self._set_status(name, "DISABLED")

    def enable_key(self, name: str) -> None:
        """Let a key be used again."""
        self._set_status(name, "ENABLED")

    def delete_key(self, name: str) -> None:
        """Delete a key. What was encrypted under it opens no more, whatever KMS still has.

        Raises:
            LabError: there is no such key.
        """
        self._key(name)
        del self._record.keys[name]

    def go_offline(self) -> None:
        """Let it answer no more."""
        self.trouble("offline")

    def go_online(self) -> None:
        """Let it answer again, and end every other trouble."""
        self._record.trouble = ""

    def trouble(self, what: str) -> None:
        """Let something go wrong, until ``go_online``.

        Raises:
            LabError: it is not a trouble that the lab knows; the message names them.
        """
        if what not in TROUBLES:
            raise LabError(f"choose one of {', '.join(TROUBLES)}")
        self._record.trouble = what

    def rotate_credential(self) -> dict[str, str]:
        """Ask for a new credential from now on, and return it. Tell KMS with UpdateCustomKeyStore."""
        self._record.access_key, self._record.secret = _credential(self._world)
        return self.credential

    def move(self, endpoint: str = "", path: str = "") -> None:
        """Answer at another address from now on, with the same keys. Tell KMS with UpdateCustomKeyStore.

        Raises:
            LabError: there is a proxy already.
        """
        record = self._record
        endpoint, path = endpoint or self.endpoint, path or self.path
        if endpoint + path in self._world.proxies:
            raise LabError(f"there is a proxy at {endpoint}{path} already")
        del self._world.proxies[self.endpoint + self.path]
        record.endpoint, record.path = self.endpoint, self.path = endpoint, path
        self._world.proxies[endpoint + path] = record

    def _set_status(self, name: str, status: str) -> None:
        key = self._key(name)
        self._record.keys[name] = ExternalKey(key.secret, key.spec, key.usage, status)

    def _key(self, name: str) -> ExternalKey:
        if name not in self._record.keys:
            raise LabError(f"the key manager has no key {name!r}; keys lists them")
        return self._record.keys[name]

    @property
    def _record(self) -> XksProxy:
        if self.endpoint + self.path not in self._world.proxies:
            raise LabError(f"the proxy {self.endpoint}{self.path} is not there, or not any more")
        return self._world.proxies[self.endpoint + self.path]


def _credential(world: World) -> tuple[str, str]:
    """Return a new access key id and secret, in the characters and lengths that AWS's model asks for."""
    return base64.b32encode(world.entropy.take(15)).decode()[:24], base64.b64encode(world.entropy.take(33)).decode()


def _certificate(world: World, name: str) -> str:
    """Return a self-signed certificate as PEM text: a real one, though nobody checks it. Ed25519, so that a seeded lab
    makes the same one again."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding

    private = Ed25519PrivateKey.from_private_bytes(world.entropy.take(32))
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{name} (a stand-in)")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(int.from_bytes(world.entropy.take(16)) >> 1 | 1)
        .not_valid_before(_VALID[0])
        .not_valid_after(_VALID[1])
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, None)
    )
    return certificate.public_bytes(Encoding.PEM).decode()
