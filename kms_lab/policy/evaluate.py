"""The decision: who may do what with a key, and which statement decided it.

The rules, in order:

1. An explicit deny anywhere ends it.
2. An operation that cannot be used across accounts is denied on another account's key.
3. The layers that can only take away must not be silent: every level of the organization has an SCP that allows, and so
   does the policy of the VPC endpoint that the call came through. (RCPs are never silent: AWS's own allows everything.)
4. Something must allow:
   a. the key policy names the caller (or everyone);
   b. the key policy names the caller's account *and* an identity policy allows. That statement gives
      the account's users and roles nothing by itself; the root user is the account and needs no more;
   c. where the request has no key, an identity policy alone;
   d. on another account's key: a or b's half in the key policy, *and* an identity policy;
   e. a grant to the caller, whichever account the key belongs to.
5. The caller's permissions boundary and session policy must allow too, unless, in the caller's own account, the key
   policy names everyone, or it or a grant names the user or the very session that calls, and not only the role or user
   behind it.

Everything else is an implicit deny. RetireGrant has rules of its own: the grant says who may retire it, and the key
policy has no say. ``evaluate`` is pure; ``decide`` is the same, remembered.

Not here: to whom a layer applies at all (see ``guardrails``).

Source: AWS KMS Developer Guide, "Key policies in AWS KMS", "Default key policy", "Allowing users in other
accounts to use a KMS key", "Retiring and revoking grants"; IAM User Guide, "Policy evaluation logic", "Permissions
boundaries for IAM entities"; AWS Organizations User Guide, "SCP evaluation", "Resource control policies".
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from kms_lab.core.keys import Grant
from kms_lab.core.names import Principal
from kms_lab.policy import grants, guardrails, writer
from kms_lab.policy.compiled import (
    NOTHING_ASKED,
    Asked,
    CompiledPolicy,
    CompiledStatement,
    Layers,
    Naming,
    Request,
    caller_names,
    compile_policy,
)

if TYPE_CHECKING:
    from kms_lab.policy.trace import DecidedBy, Trace

__all__ = [
    "CROSS_ACCOUNT_ACTIONS",
    "Asked",
    "CompiledPolicy",
    "Layers",
    "Request",
    "Verdict",
    "compile_policy",
    "decide",
    "evaluate",
]

_ACROSS = """
    Decapsulate Decrypt DeriveSharedSecret Encapsulate Encrypt GenerateDataKey GenerateDataKeyPair
    GenerateDataKeyPairWithoutPlaintext GenerateDataKeyWithoutPlaintext GenerateMac ReEncryptFrom ReEncryptTo
    Sign Verify VerifyMac
    CreateGrant DescribeKey GetKeyRotationStatus GetPublicKey ListGrants RetireGrant RevokeGrant
"""
#: Permissions that work on a key of another account, in lower case. Source: AWS KMS Developer Guide,
#: "Allowing users in other accounts to use a KMS key" and "AWS KMS permissions".
CROSS_ACCOUNT_ACTIONS = frozenset(f"kms:{name.lower()}" for name in _ACROSS.split())


class Place(NamedTuple):
    """Where a statement stands: its layer, the policy's place in it (as ``Layers.policies`` has it), and itself."""

    layer: str
    at: tuple[int, ...]
    statement: CompiledStatement


class Verdict:
    """The answer, with its reasons. Made cheaply: words and trace are built when read.

    Attributes:
        allowed: the answer.
        reason: one code, such as ``key-policy`` or ``explicit-deny``.
        request, layers: what was asked, of which policies.
        held: the grants that had a say: of the key, those whose grantee may be the caller; for RetireGrant, the one
            that is to be retired.
        layer: the code of the layer that settled it: one of ``Layers.policies``, ``grant``, ``account`` (the root
            user needs no policy) or ``operation`` (it does not work across accounts).
        place: the statement that settled it; None where a grant or silence did.
        grant: the grant that allows, where one does.
        earlier: the verdicts of the same operation's other checks, where it needs several.
    """

    __slots__ = (
        "_sentence", "_trace", "allowed", "earlier", "grant", "held", "layer", "layers", "place", "reason", "request"
    )  # fmt: skip

    def __init__(
        self,
        allowed: bool,
        reason: str,
        request: Request,
        layers: Layers,
        held: tuple[Grant, ...],
        layer: str,
        place: Place | None = None,
        grant: Grant | None = None,
    ) -> None:
        self.allowed = allowed
        self.reason = reason
        self.request = request
        self.layers = layers
        self.held = held
        self.layer = layer
        self.place = place
        self.grant = grant
        self.earlier: tuple[Verdict, ...] = ()
        self._sentence: str | None = None
        self._trace: Trace | None = None

    def __bool__(self) -> bool:
        """Whether the answer is yes, so that ``if lab.may(...)`` means what it says."""
        return self.allowed

    @property
    def decision(self) -> str:
        """``ALLOW`` or ``DENY``."""
        return "ALLOW" if self.allowed else "DENY"

    @property
    def decided_by(self) -> "DecidedBy":
        """The layer, policy and statement that settled it; no statement where a grant or silence did."""
        from kms_lab.policy.replay import decided_by

        return decided_by(self, self._trace)

    @property
    def sentence(self) -> str:
        """One sentence for people: the answer, the statement behind it, and what nearly matched."""
        if self._sentence is None:
            from kms_lab.policy.words import sentence

            self._sentence = sentence(self)
        return self._sentence

    @property
    def missing_context(self) -> tuple[str, ...]:
        """Condition keys that statements about this very request asked for and the request lacked."""
        return self.trace.missing_context

    @property
    def trace(self) -> "Trace":
        """Every layer, every statement, each clause: matched or not, and why."""
        if self._trace is None:
            from kms_lab.policy.replay import replay

            self._trace = replay(self)
        return self._trace

    def explain(self) -> str:
        """The whole of it as indented text: the sentence, and under it every layer, statement and clause."""
        from kms_lab.policy.words import text

        return text(self)

    def scenario(self) -> dict[str, object]:
        """The question as one JSON-ready document, which ``kms_lab.policy.scenario.decide`` answers alike."""
        return writer.document_of([(one.request, one.layers, one.held) for one in (self, *self.earlier)])

    def told_of(self, context: Mapping[str, str | tuple[str, ...]], earlier: "tuple[Verdict, ...]" = ()) -> "Verdict":
        """The same verdict about a request of which more is known: values that no policy asked for.

        What the decision rested on stays as it was, also what policies asked for and did not find. Also names the
        earlier checks of the same operation.
        """
        asked = self.request
        wanted = {name for _, _, policy in self.layers.policies() for name in policy.context_keys}
        more = {name: value for name, value in context.items() if name not in wanted}
        request = Request(
            asked.principal, asked.action, asked.resource, asked.resource_account, {**more, **asked.context},
            asked.asked,
        )  # fmt: skip
        twin = Verdict(
            self.allowed, self.reason, request, self.layers, self.held, self.layer, self.place, self.grant
        )  # fmt: skip
        twin.earlier = earlier
        return twin

    def to_data(self) -> dict[str, object]:
        """The answer as JSON-ready data."""
        return {
            "decision": self.decision,
            "reason": self.reason,
            "decided_by": self.decided_by.to_data(),
            "sentence": self.sentence,
            "missing_context": list(self.missing_context),
            "trace": self.trace.to_data(),
        }

    def __repr__(self) -> str:
        return f"<Verdict {self.decision} {self.reason}: {self.sentence}>"


def evaluate(
    request: Request,
    layers: Layers,
    held: tuple[Grant, ...] = (),
    cross_account: frozenset[str] = CROSS_ACCOUNT_ACTIONS,
) -> Verdict:
    """Decide one check.

    Args:
        request: the question.
        layers: the policies that have a say.
        held: the grants that have: those of the key that have not ended.
        cross_account: lower-cased actions that may be used on a key of another account.
    """
    principal = request.principal
    action = request.action.lower()
    found = _Found()
    if action != grants.RETIRE_GRANT:
        _by_key_policy(request, layers, action, found)
    if found.denied is None:
        _by_identity(request, layers, action, found)
    if found.denied is None and layers.guarded:
        found.denied = _by_guards(request, layers, action)
    if found.denied is not None:
        return Verdict(False, "explicit-deny", request, layers, held, found.denied.layer, found.denied)

    foreign = bool(principal.account) and request.resource_account not in (principal.account, "")
    if foreign and action not in cross_account:
        return Verdict(False, "not-cross-account", request, layers, held, "operation")
    if layers.guarded:
        silent = _silent_organization(request, layers, action)
        if silent:
            return Verdict(False, silent, request, layers, held, silent)

    if action == grants.RETIRE_GRANT:
        paths = _retirements(request, held, found, foreign)
    else:
        paths = _paths(request, layers, held, found, foreign)
    limit = _limit(request, layers, action)
    blocked = False
    for path in paths:
        if limit and path.limited:
            blocked = True
            continue
        return Verdict(True, path.reason, request, layers, held, path.layer, path.place, path.grant)
    if blocked:
        return Verdict(False, limit, request, layers, held, limit)
    reason, silent = _why_not(request, layers, held, found, foreign)
    return Verdict(False, reason, request, layers, held, silent)


class _Found:
    """What the key policy and the identity policies say about a request.

    Attributes:
        denied: the first deny that applies.
        named: the first key policy statement that allows the caller by name.
        direct: the first that names the user or the very session that calls.
        account: the first that allows the caller's account.
        identity: the first identity policy statement that allows.
    """

    __slots__ = ("account", "denied", "direct", "identity", "named")

    def __init__(self) -> None:
        self.denied: Place | None = None
        self.named: Place | None = None
        self.direct: Place | None = None
        self.account: Place | None = None
        self.identity: Place | None = None


class _Path(NamedTuple):
    """A way in which something allows.

    ``limited``: do the caller's permissions boundary and session policy have to allow too?
    """

    reason: str
    place: Place | None
    grant: Grant | None
    limited: bool

    @property
    def layer(self) -> str:
        if self.grant is not None:
            return "grant"
        return self.place.layer if self.place is not None else "account"


def _by_key_policy(request: Request, layers: Layers, action: str, found: _Found) -> None:
    if layers.key_policy is None:
        return
    principal = request.principal
    names = caller_names(principal)
    for statement in layers.key_policy.about(action):
        if statement.callers.isdisjoint(names) or not _applies(statement, request.resource, request.context):
            continue
        naming = guardrails.naming_of(statement, principal, layers)
        if naming is Naming.NO:
            continue
        place = Place("key-policy", (), statement)
        if statement.deny:
            found.denied = place
            return
        if naming is Naming.ACCOUNT:
            found.account = found.account or place
        else:
            found.named = found.named or place
            if found.direct is None and (not _is_session(principal) or statement.names_directly(principal)):
                found.direct = place


def _by_identity(request: Request, layers: Layers, action: str, found: _Found) -> None:
    if request.principal.kind in guardrails.WITHOUT_IDENTITY:
        return
    for number, policy in enumerate(layers.identity_policies):
        for statement in policy.about(action):
            if (found.identity and not statement.deny) or not _applies(statement, request.resource, request.context):
                continue
            place = Place("identity-policy", (number,), statement)
            if statement.deny:
                found.denied = place
                return
            found.identity = place


def _by_guards(request: Request, layers: Layers, action: str) -> Place | None:
    """The first deny of the layers that can only take away."""
    for layer, at, policy in layers.guards():
        if guardrails.spares(layer, request, layers):
            continue
        for statement in policy.about(action):
            if statement.deny and _reaches(statement, request, layers):
                return Place(layer, at, statement)
    return None


def _silent_organization(request: Request, layers: Layers, action: str) -> str:
    """The code of the layer without an allow: ``scp`` or ``vpce``; "" where none is silent."""
    if not guardrails.spares("scp", request, layers):
        for level in layers.scps:
            if not _allow(level, request, layers, action):
                return "scp"
    if layers.endpoint is not None and not _allow((layers.endpoint,), request, layers, action):
        return "vpce"
    return ""


def _limit(request: Request, layers: Layers, action: str) -> str:
    """The code of the caller's own layer without an allow: ``boundary`` or ``session-policy``; "" where none is."""
    principal = request.principal
    if principal.kind in guardrails.WITHOUT_IDENTITY:
        return ""
    if layers.boundary is not None and not _allow((layers.boundary,), request, layers, action):
        return "boundary"
    if layers.session_policy is None:
        # GetFederationToken without a policy: the session has no permissions of its own
        return "session-policy" if principal.kind == "federated-user" else ""
    return "" if _allow((layers.session_policy,), request, layers, action) else "session-policy"


def _paths(request: Request, layers: Layers, held: tuple[Grant, ...], found: _Found, foreign: bool) -> Iterator[_Path]:
    """Every way in which something allows, the one to be named first."""
    is_root = request.principal.kind == "root-user"
    identity = found.identity
    if foreign:
        half = found.named or found.account
        # unverified: that another account's root user needs no identity policy here either
        if half is not None and (identity is not None or is_root):
            yield _Path("cross-account", half, None, True)
    elif layers.key_policy is None:
        if is_root:
            yield _Path("account-root", None, None, True)
        elif identity is not None:
            yield _Path("iam-policy", identity, None, True)
        return
    else:
        if found.named is not None:
            yield _Path("key-policy", found.direct or found.named, None, found.direct is None)
        if found.account is not None and is_root:
            yield _Path("account-root", found.account, None, True)
        if found.account is not None and identity is not None:
            yield _Path("iam-via-key-policy", identity, None, True)
    for grant in held:
        if _serves(grant, request, found) and grants.applies(grant, request):
            yield _Path("grant", None, grant, foreign or not _is_direct(grant.grantee, request.principal))


def _retirements(request: Request, held: tuple[Grant, ...], found: _Found, foreign: bool) -> Iterator[_Path]:
    """The ways to retire a grant: by the grant; else by IAM policies, for the account that may or that owns the key."""
    principal = request.principal
    namings = [(grants.may_retire(grant, principal), grant) for grant in held]
    for naming, grant in namings:
        if naming is Naming.NAMED:
            yield _Path("grant", None, grant, foreign or not grants.retires_directly(grant, principal))
    if principal.account == request.resource_account or any(naming for naming, _ in namings):
        if principal.kind == "root-user":
            yield _Path("account-root", None, None, True)
        elif found.identity is not None:
            yield _Path("iam-policy", found.identity, None, True)


def _why_not(
    request: Request, layers: Layers, held: tuple[Grant, ...], found: _Found, foreign: bool
) -> tuple[str, str]:
    """The reason of a denial for which nothing allowed, and the layer that had to allow."""
    if request.action.lower() == grants.RETIRE_GRANT:
        return "implicit-deny", "grant"
    if any(_serves(grant, request, found) and grants.fits_but_for_constraints(grant, request) for grant in held):
        return "grant-constraint", "grant"
    if foreign:
        if found.named or found.account:
            return "cross-account-no-iam-policy", "identity-policy"
        return "cross-account-no-key-policy", "key-policy"
    if layers.key_policy is None:
        return "implicit-deny", "identity-policy"
    if found.identity is not None:
        return "no-iam-delegation", "key-policy"
    return "implicit-deny", "identity-policy" if found.account else "key-policy"


def _serves(grant: Grant, request: Request, found: _Found) -> bool:
    """Whether a grant is for the caller; one to an account serves whom the account's IAM policies allow."""
    naming = grants.naming(grant.grantee, request.principal)
    return naming is Naming.NAMED or (naming is Naming.ACCOUNT and found.identity is not None)


def _is_session(principal: Principal) -> bool:
    return principal.kind in ("role-session", "federated-user")


def _is_direct(name: str, principal: Principal) -> bool:
    """Whether a grant names the user or the very session that calls, and not only the role or user behind it."""
    return name == principal.arn


def _allow(policies: Iterable[CompiledPolicy], request: Request, layers: Layers, action: str) -> bool:
    return any(
        not statement.deny and _reaches(statement, request, layers)
        for policy in policies
        for statement in policy.about(action)
    )


def _reaches(statement: CompiledStatement, request: Request, layers: Layers) -> bool:
    """Whether a statement applies to the request and its caller."""
    if statement.source.principals is not None and not guardrails.naming_of(statement, request.principal, layers):
        return False
    return _applies(statement, request.resource, request.context)


def _applies(statement: CompiledStatement, resource: str, context: Mapping[str, str | tuple[str, ...]]) -> bool:
    if not statement.any_resource and not statement.covers_resource(resource, context):
        return False
    for condition in statement.conditions:  # noqa: SIM110 - a generator costs a third of a decision
        if not condition.holds(context):
            return False
    return True


@lru_cache(maxsize=2048)
def decide(
    principal: Principal,
    action: str,
    resource: str,
    resource_account: str,
    layers: Layers,
    context: tuple[tuple[str, str | tuple[str, ...]], ...],
    held: tuple[Grant, ...] = (),
    asked: Asked = NOTHING_ASKED,
) -> Verdict:
    """``evaluate``, remembered: the same arguments give the same verdict, for all it depends on is here.

    ``context`` is the request's context as sorted pairs; it is enough to pass the keys that the policies'
    ``context_keys`` name. ``held`` are the grants, and ``asked`` need only hold what their constraints look at.
    """
    return evaluate(Request(principal, action, resource, resource_account, dict(context), asked), layers, held)
