"""A world: accounts and Regions, the keys in them, the clock, the log and the source of randomness. State only.

It dispatches nothing and knows no rule; ``service.pipeline`` does that. It can be copied (``fork``), saved as one JSON
document and read back equal. A saved world contains key material, so it is a secret.
"""

import base64
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

from kms_lab.core import keys as records
from kms_lab.core import material
from kms_lab.core.clock import Clock
from kms_lab.core.keys import NO_GRANTS, AccessKey, Alias, Grant, Identity, Key, KeyMaterial, Past
from kms_lab.core.log import Log
from kms_lab.core.organization import Endpoint, Node, Organization
from kms_lab.core.stores import ExternalKey, HsmCluster, KeyStore, XksProxy

FORMAT = "kms_lab world 2"


class Entropy:
    """Where random bytes come from: the operating system, or a seeded generator that repeats itself."""

    __slots__ = ("_random", "take")

    def __init__(self, seed: int | None) -> None:
        self._random = None if seed is None else random.Random(seed)
        #: return so many random bytes
        self.take: Callable[[int], bytes] = os.urandom if self._random is None else self._random.randbytes

    def copy(self) -> "Entropy":
        return Entropy.from_data(self.to_data())

    def to_data(self) -> list[Any] | None:
        if self._random is None:
            return None
        version, internal, gauss = self._random.getstate()
        return [version, list(internal), gauss]

    @classmethod
    def from_data(cls, data: list[Any] | None) -> "Entropy":
        if data is None:
            return cls(None)
        entropy = cls(0)
        assert entropy._random is not None
        entropy._random.setstate((data[0], tuple(data[1]), data[2]))
        return entropy


class Shelf:
    """The keys, aliases and custom key stores of one account in one Region."""

    __slots__ = ("_aliases_of", "account", "aliases", "keys", "region", "stores")

    def __init__(self, account: str, region: str) -> None:
        self.account, self.region = account, region
        self.keys: dict[str, Key] = {}
        self.aliases: dict[str, Alias] = {}
        self.stores: dict[str, KeyStore] = {}
        self._aliases_of: dict[str, list[str]] = {}

    def put_alias(self, alias: Alias) -> None:
        """Add an alias, or point an existing one elsewhere."""
        if alias.name in self.aliases:
            self.drop_alias(alias.name)
        self.aliases[alias.name] = alias
        self._aliases_of.setdefault(alias.key_id, []).append(alias.name)

    def drop_alias(self, name: str) -> None:
        alias = self.aliases.pop(name)
        names = self._aliases_of[alias.key_id]
        names.remove(name)
        if not names:
            del self._aliases_of[alias.key_id]

    def aliases_of(self, key_id: str) -> tuple[str, ...]:
        """Return the names of the aliases that point at a key."""
        return tuple(self._aliases_of.get(key_id, ()))

    def copy(self) -> "Shelf":
        twin = Shelf(self.account, self.region)
        twin.keys = {key_id: key.copy() for key_id, key in self.keys.items()}
        for alias in self.aliases.values():
            twin.put_alias(Alias(**records.to_data(alias)))
        twin.stores = {store_id: store.copy() for store_id, store in self.stores.items()}
        return twin


class World:
    """Everything there is.

    Attributes:
        gone: the records of deleted keys by ARN, without their material.
        former: the same of deleted replicas that were made again: their ARN is another key's now.
        access_keys: by id, the credentials that principals were given.
        clusters, proxies: what stands behind custom key stores, by cluster id and by endpoint and path.
        groups: by ARN, the groups of users; their policies count for their members.
        managed_policies: by ARN, the text of policies that can be attached to users, roles and groups.
        organization: the organization that accounts are in; None for none.
        endpoints: by id, the VPC endpoints for KMS.
        import_secret: what import tokens are sealed with; empty until the first is asked for.
    """

    __slots__ = (
        "access_keys",
        "clock",
        "clusters",
        "endpoints",
        "entropy",
        "former",
        "gone",
        "groups",
        "identities",
        "import_secret",
        "log",
        "managed_policies",
        "meter",
        "organization",
        "proxies",
        "request_quotas",
        "shelves",
    )

    def __init__(self, start_us: int, seed: int | None = None) -> None:
        self.clock = Clock(start_us)
        self.entropy = Entropy(seed)
        self.log = Log(self.entropy.take(10))
        self.shelves: dict[tuple[str, str], Shelf] = {}
        self.identities: dict[str, Identity] = {}
        self.groups: dict[str, Identity] = {}
        self.managed_policies: dict[str, str] = {}
        self.organization: Organization | None = None
        self.endpoints: dict[str, Endpoint] = {}
        self.gone: dict[str, Key] = {}
        self.former: list[Key] = []
        self.access_keys: dict[str, AccessKey] = {}
        self.clusters: dict[str, HsmCluster] = {}
        self.proxies: dict[str, XksProxy] = {}
        self.import_secret = b""
        #: are request quotas enforced?
        self.request_quotas = False
        #: what ``service.quota`` remembers of counting the log; it can always be counted anew
        self.meter: object | None = None

    def look(self, account: str, region: str) -> Shelf:
        """Return what one account has in one Region, for reading only: an empty shelf if it never had anything."""
        return self.shelves.get((account, region)) or Shelf(account, region)

    def shelf(self, account: str, region: str) -> Shelf:
        """Return what one account has in one Region, to put something there; made if it never had anything."""
        shelf = self.shelves.get((account, region))
        if shelf is None:
            shelf = self.shelves[account, region] = Shelf(account, region)
        return shelf

    def all_keys(self) -> Iterator[Key]:
        """Every living key of every account and Region."""
        for shelf in self._ordered():
            yield from shelf.keys.values()

    def every_key(self) -> Iterator[Key]:
        """Every key that there ever was: the deleted ones, then the living."""
        yield from self.former
        yield from self.gone.values()
        yield from self.all_keys()

    def related(self, key: Key) -> list[Key]:
        """Return the other living keys of a multi-Region key's family: its primary and its replicas, by Region."""
        if not key.multi_region:
            return []
        family = (shelf.keys.get(key.id) for shelf in self.shelves.values() if shelf.account == key.account)
        return sorted((one for one in family if one is not None and one is not key), key=lambda one: one.region)

    def _ordered(self) -> list[Shelf]:
        """Return the shelves by account and Region: in the order in which they came to be, a loaded world, which has no
        empty ones, would differ."""
        return [self.shelves[place] for place in sorted(self.shelves)]

    def store_of(self, key: Key) -> KeyStore | None:
        """Return the custom key store that a key lives in."""
        return self.look(key.account, key.region).stores.get(key.store_id) if key.store_id else None

    def move(self, key: Key, state: str, *, told: bool = True) -> None:
        """Change a key's state, and note when the one before ended.

        Args:
            told: does the log's next entry tell of it? False for what the clock does without an event of CloudTrail.
        """
        if state != key.state:
            key.past = (*key.past, Past(key.state, len(self.log), self.clock.now_us, told))
            key.state = state

    def has_account(self, account: str) -> bool:
        """Does the world know anybody of this account?"""
        return any(arn.split(":")[4] == account for arn in self.identities)

    def fork(self) -> "World":
        """Return a copy that goes its own way. Secrets are shared, since they never change; an RSA secret that the
        copy is the first to need is there for both."""
        twin = World.__new__(World)
        twin.clock = self.clock.copy()
        twin.entropy = self.entropy.copy()
        twin.log = self.log.copy()
        twin.shelves = {place: shelf.copy() for place, shelf in self.shelves.items()}
        twin.identities = {arn: it.copy() for arn, it in self.identities.items()}
        twin.groups = {arn: group.copy() for arn, group in self.groups.items()}
        twin.managed_policies = dict(self.managed_policies)
        twin.organization = None if self.organization is None else self.organization.copy()
        twin.endpoints = {name: endpoint.copy() for name, endpoint in self.endpoints.items()}
        twin.request_quotas, twin.meter = self.request_quotas, None
        twin.gone, twin.former = dict(self.gone), list(self.former)
        twin.access_keys = dict(self.access_keys)
        twin.import_secret = self.import_secret
        twin.clusters = {cluster_id: cluster.copy() for cluster_id, cluster in self.clusters.items()}
        twin.proxies = {place: proxy.copy() for place, proxy in self.proxies.items()}
        return twin

    def become(self, other: "World") -> None:
        """Take over the whole state of another world, which must not be used afterwards.

        Everybody who holds this world, such as a client, goes on in the new state.
        """
        for name in World.__slots__:
            setattr(self, name, getattr(other, name))

    def to_data(self) -> dict[str, Any]:
        """Return the world as plain data, ready for JSON. It contains key material, also of RSA keys that nobody has
        used yet: they are generated now, so that every copy agrees."""
        return {
            "format": FORMAT,
            "clock": self.clock.to_data(),
            "entropy": self.entropy.to_data(),
            "request_quotas": self.request_quotas,
            "import_secret": base64.b64encode(self.import_secret).decode(),
            "log": self.log.to_data(),
            "identities": [records.to_data(identity.copy()) for identity in self.identities.values()],
            "groups": [records.to_data(group.copy()) for group in self.groups.values()],
            "managed_policies": dict(self.managed_policies),
            "organization": None if self.organization is None else _organization_to_data(self.organization),
            "endpoints": [records.to_data(endpoint) for endpoint in self.endpoints.values()],
            "keys": [_key_to_data(key) for key in self.all_keys()],
            "gone": [_key_to_data(key, gone=True) for key in self.gone.values()],
            "former": [_key_to_data(key, gone=True) for key in self.former],
            "aliases": [
                {"account": shelf.account, "region": shelf.region, **records.to_data(alias)}
                for shelf in self._ordered()
                for alias in shelf.aliases.values()
            ],
            "stores": [records.to_data(store) for shelf in self._ordered() for store in shelf.stores.values()],
            "access_keys": [records.to_data(one) for one in self.access_keys.values()],
            "clusters": [_cluster_to_data(one) for one in self.clusters.values()],
            "proxies": [_proxy_to_data(one) for one in self.proxies.values()],
        }

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> "World":
        """Return the world that ``to_data`` described.

        Raises:
            ValueError: the data is not a saved world, or of a version that this lab does not read.
        """
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise ValueError(f"this is not a world saved by this version of the lab (expected format {FORMAT!r})")
        world = cls.__new__(cls)
        world.clock = Clock.from_data(data["clock"])
        world.entropy = Entropy.from_data(data["entropy"])
        world.request_quotas, world.meter = bool(data["request_quotas"]), None
        world.log = Log.from_data(data["log"])
        world.identities = {row["arn"]: Identity.from_data(row) for row in data["identities"]}
        world.groups = {row["arn"]: Identity.from_data(row) for row in data["groups"]}
        world.managed_policies = dict(data["managed_policies"])
        world.organization = _organization_from_data(data["organization"])
        world.endpoints = {row["id"]: Endpoint(**row) for row in data["endpoints"]}
        world.shelves = {}
        for row in data["keys"]:
            key = _key_from_data(row)
            world.shelf(key.account, key.region).keys[key.id] = key
        for row in data["aliases"]:
            fields = dict(row)
            world.shelf(fields.pop("account"), fields.pop("region")).put_alias(Alias(**fields))
        world.gone = {key.arn: key for key in map(_key_from_data, data["gone"])}
        world.former = [_key_from_data(row) for row in data["former"]]
        for row in data["stores"]:
            store = KeyStore(**row)
            world.shelf(store.account, store.region).stores[store.id] = store
        world.access_keys = {row["id"]: AccessKey.from_data(row) for row in data["access_keys"]}
        world.import_secret = base64.b64decode(data["import_secret"])
        world.clusters = {row["id"]: _cluster_from_data(row) for row in data["clusters"]}
        proxies = map(_proxy_from_data, data["proxies"])
        world.proxies = {proxy.endpoint + proxy.path: proxy for proxy in proxies}
        return world


def secret_of(key: Key, which: KeyMaterial) -> bytes:
    """Return a material's secret, generating an RSA key the first time that it is needed."""
    if not which.secret and key.spec.startswith("RSA_") and key.origin == "AWS_KMS":
        which.secret = material.new_rsa(key.spec)
    return which.secret


def _key_to_data(key: Key, gone: bool = False) -> dict[str, Any]:
    row = records.to_data(key)
    row["tags"] = dict(key.tags)
    row["materials"] = [_material_to_data(one, b"" if gone else secret_of(key, one)) for one in key.materials]
    row["pending"] = [_material_to_data(one, one.secret) for one in key.pending]
    row["grants"] = [records.to_data(grant) for grant in key.grants.values()]
    return row


def _material_to_data(one: KeyMaterial, secret: bytes) -> dict[str, Any]:
    return {**records.to_data(one), "secret": base64.b64encode(secret).decode()}


def _key_from_data(row: dict[str, Any]) -> Key:
    materials = [_material_from_data(one) for one in row["materials"]]
    pending = tuple(_material_from_data(one) for one in row["pending"])
    grants = {one["id"]: _grant_from_data(one) for one in row["grants"]} or NO_GRANTS
    past = tuple(Past(*one) for one in row["past"])
    return Key(**{**row, "materials": materials, "pending": pending, "grants": grants, "past": past})


def _material_from_data(row: dict[str, Any]) -> KeyMaterial:
    return KeyMaterial(**{**row, "secret": base64.b64decode(row["secret"])})


def _grant_from_data(row: dict[str, Any]) -> Grant:
    """Return a grant whose lists are tuples again, since a grant is hashed."""

    def pairs(name: str) -> tuple[tuple[str, str], ...] | None:
        return None if row[name] is None else tuple((key, value) for key, value in row[name])

    texts = {name: tuple(row[name]) for name in ("operations", "tokens")}
    contexts = {name: pairs(name) for name in ("context_equals", "context_subset")}
    return Grant(**{**row, **texts, **contexts})


def _organization_to_data(one: Organization) -> dict[str, Any]:
    return {**records.to_data(one.copy()), "nodes": [records.to_data(node) for node in one.copy().nodes.values()]}


def _organization_from_data(row: dict[str, Any] | None) -> Organization | None:
    return None if row is None else Organization(**{**row, "nodes": {one["id"]: Node(**one) for one in row["nodes"]}})


def _cluster_to_data(one: HsmCluster) -> dict[str, Any]:
    keys = {name: base64.b64encode(secret).decode() for name, secret in one.keys.items()}
    return {**records.to_data(one.copy()), "keys": keys}


def _cluster_from_data(row: dict[str, Any]) -> HsmCluster:
    keys = {name: base64.b64decode(secret) for name, secret in row["keys"].items()}
    return HsmCluster(**{**row, "zones": list(row["zones"]), "keys": keys})


def _proxy_to_data(one: XksProxy) -> dict[str, Any]:
    keys = {
        name: {**records.to_data(key), "secret": base64.b64encode(key.secret).decode(), "usage": list(key.usage)}
        for name, key in one.keys.items()
    }
    return {**records.to_data(one), "keys": keys}


def _proxy_from_data(row: dict[str, Any]) -> XksProxy:
    keys = {
        name: ExternalKey(**{**key, "secret": base64.b64decode(key["secret"]), "usage": tuple(key["usage"])})
        for name, key in row["keys"].items()
    }
    return XksProxy(**{**row, "keys": keys})
