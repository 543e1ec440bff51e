"""Which policies have a say in a call: those on the key, on the caller, on the session, on accounts and endpoints.

Gathered anew for every call, since any of them may have changed; compiled and put together once for all that are alike.

Not here: what they say (``policy``), and which of these layers spare whom (``policy.guardrails``).
"""

from functools import cache, lru_cache

from kms_lab.core.circumstances import DIRECT
from kms_lab.core.keys import Identity, Key
from kms_lab.core.organization import Node
from kms_lab.core.world import World
from kms_lab.policy.compiled import CompiledPolicy, Layers, compile_policy
from kms_lab.policy.document import Kind
from kms_lab.service.operation import Call

#: layers, and the condition keys that their policies ask for
Authority = tuple[Layers, tuple[str, ...]]

#: the texts and the names of policies
_Named = tuple[tuple[str, ...], tuple[str, ...]]
#: the same for each level of an organization, by the level's name
_Levels = tuple[tuple[str, _Named], ...]


def authority(call: Call, key: Key | None, account: str, policy: str | None = None) -> Authority:
    """Return the layers for a call.

    Args:
        key: the key whose policy counts; None where the request has none.
        account: the one that owns the resource.
        policy: stands in for the key's own where a new one is tried out.
    """
    world, how = call.world, call.how
    text = policy if policy is not None else None if key is None else key.policy
    identity = world.identities.get(call.principal.identity_arn)
    plain = identity is None or not (identity.attached or identity.groups or identity.boundary)
    if plain and how is DIRECT and world.organization is None:
        return _plain(text, () if identity is None else identity.policies)
    hung, names = ((), ()) if identity is None else hanging_on(world, identity)
    endpoint = world.endpoints.get(how.endpoint)
    scps, rcps = _bound(world, call.principal.account, rcps=False), _bound(world, account, rcps=True)
    return _layers(
        text,
        hung,
        names,
        "" if identity is None else identity.boundary,
        how.session_policy,
        scps,
        rcps,
        "" if endpoint is None else endpoint.policy,
        key is not None and key.manager == "AWS",
    )


def hanging_on(world: World, identity: Identity) -> _Named:
    """Return the identity policies of a user or role, from all sources, and what people call them."""
    if not (identity.attached or identity.groups):
        return identity.policies, _numbered(len(identity.policies))
    sources = list(zip(_numbered(len(identity.policies)), identity.policies, strict=True))
    sources += _attached(world, identity)
    for arn in identity.groups:
        group = world.groups[arn]
        name = arn.rpartition("/")[2]
        sources += [(f"policy {number} of group {name}", text) for number, text in enumerate(group.policies, start=1)]
        sources += [(f"{policy} (group {name})", text) for policy, text in _attached(world, group)]
    return tuple(text for _, text in sources), tuple(name for name, _ in sources)


@cache
def _numbered(count: int) -> tuple[str, ...]:
    """Return what inline policies are called."""
    return tuple(f"identity policy {number}" for number in range(1, count + 1))


def _attached(world: World, identity: Identity) -> list[tuple[str, str]]:
    return [(f"managed policy {arn.rpartition('/')[2]}", world.managed_policies[arn]) for arn in identity.attached]


def _bound(world: World, account: str, *, rcps: bool) -> _Levels:
    """Return the SCPs or RCPs that bind an account, level by level."""
    nodes: tuple[Node, ...] = () if world.organization is None else world.organization.binding(account)
    if rcps and not any(node.rcps for node in nodes):
        return ()
    attached = [(node.label, node.rcps if rcps else node.scps) for node in nodes]
    return tuple([(label, (tuple(policies.values()), tuple(policies))) for label, policies in attached])


@lru_cache(maxsize=4096)
def _plain(key_policy: str | None, identity_policies: tuple[str, ...]) -> Authority:
    """Return the layers of a call that only a key policy and identity policies decide."""
    return _with_keys(
        Layers(
            None if key_policy is None else compile_policy(key_policy, "key"),
            tuple(compile_policy(text, "identity") for text in identity_policies),
        )
    )


@lru_cache(maxsize=1024)
def _layers(
    key_policy: str | None,
    identity_policies: tuple[str, ...],
    names: tuple[str, ...],
    boundary: str,
    session_policy: str,
    scps: _Levels,
    rcps: _Levels,
    endpoint: str,
    aws_managed: bool,
) -> Authority:
    return _with_keys(
        Layers(
            None if key_policy is None else compile_policy(key_policy, "key"),
            tuple(compile_policy(text, "identity") for text in identity_policies),
            _one(boundary, "identity"),
            _one(session_policy, "identity"),
            tuple(tuple(compile_policy(text, "scp") for text in texts) for _, (texts, _) in scps),
            tuple(tuple(compile_policy(text, "rcp") for text in texts) for _, (texts, _) in rcps),
            _one(endpoint, "endpoint"),
            aws_managed,
            names,
            (tuple(label for label, _ in scps), tuple(label for label, _ in rcps)),
            (tuple(names for _, (_, names) in scps), tuple(names for _, (_, names) in rcps)),
        )
    )


def _one(text: str, kind: Kind) -> CompiledPolicy | None:
    return compile_policy(text, kind) if text else None


def _with_keys(layers: Layers) -> Authority:
    return layers, tuple(sorted({name for _, _, policy in layers.policies() for name in policy.context_keys}))
