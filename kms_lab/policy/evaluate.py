"""The decision: who may do what with a key, and which statement decided it.

The rules, in order:

1. An explicit deny anywhere ends it.
2. An operation that cannot be used across accounts is denied on another account's key.
3. Something must allow:
   a. the key policy names the caller (or everyone);
   b. the key policy names the caller's account *and* an identity policy allows. That statement gives
      the account's users and roles nothing by itself; the root user is the account and needs no more;
   c. where the request has no key, an identity policy alone;
   d. on another account's key: a or b's half in the key policy, *and* an identity policy;
   e. a grant to the caller, whichever account the key belongs to.

Everything else is an implicit deny. RetireGrant has rules of its own: the grant says who may retire it, and the key
policy has no say. ``evaluate`` is pure; ``decide`` is the same, remembered.

Source: AWS KMS Developer Guide, "Key policies in AWS KMS", "Default key policy", "Allowing users in other
accounts to use a KMS key", "Retiring and revoking grants"; IAM User Guide, "Policy evaluation logic".
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from kms_lab.core.keys import Grant
from kms_lab.core.names import Principal
from kms_lab.policy import grants
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
    from kms_lab.policy.explain import DecidedBy, Trace

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


class Verdict:
    """The answer, with its reasons. Made cheaply: words and trace are built when read.

    Attributes:
        allowed: the answer.
        reason: one code, such as ``key-policy`` or ``explicit-deny``.
        request, layers: what was asked, of which policies.
        grant: the grant that allows, where one does.
    """

    __slots__ = ("_policy", "_sentence", "_statement", "_trace", "allowed", "grant", "layers", "reason", "request")

    def __init__(
        self,
        allowed: bool,
        reason: str,
        request: Request,
        layers: Layers,
        statement: CompiledStatement | None = None,
        policy: int | None = None,
        grant: Grant | None = None,
    ) -> None:
        self.allowed = allowed
        self.reason = reason
        self.request = request
        self.layers = layers
        self.grant = grant
        self._statement = statement
        self._policy = policy
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
        from kms_lab.policy import explain

        if self.grant is not None:
            return explain.DecidedBy("grant", grants.title(self.grant))
        if self._statement is None:
            return explain.silence(self.reason, self.trace)
        return explain.decided_by(self._statement, self._policy)

    @property
    def sentence(self) -> str:
        """One sentence for people: the answer, the statement behind it, and what nearly matched."""
        if self._sentence is None:
            from kms_lab.policy import explain

            self._sentence = explain.sentence(self.reason, self.decided_by, self.trace)
        return self._sentence

    @property
    def missing_context(self) -> tuple[str, ...]:
        """Condition keys that statements about this very request asked for and the request lacked."""
        return self.trace.missing_context

    @property
    def trace(self) -> "Trace":
        """Every layer, every statement, each clause: matched or not, and why."""
        if self._trace is None:
            from kms_lab.policy import explain

            self._trace = explain.replay(self.request, self.layers)
        return self._trace

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


def evaluate(request: Request, layers: Layers, cross_account: frozenset[str] = CROSS_ACCOUNT_ACTIONS) -> Verdict:
    """Decide one check.

    Args:
        request: the question.
        layers: the policies and grants that have a say.
        cross_account: lower-cased actions that may be used on a key of another account.
    """
    principal = request.principal
    action = request.action.lower()
    resource = request.resource
    context = request.context
    if action == grants.RETIRE_GRANT:
        return _retirement(request, layers)

    named: CompiledStatement | None = None
    account: CompiledStatement | None = None
    if layers.key_policy is not None:
        names = caller_names(principal)
        for statement in layers.key_policy.about(action):
            if statement.callers.isdisjoint(names) or not _applies(statement, resource, context):
                continue
            naming = statement.naming(principal)
            if naming is Naming.NO:
                continue
            if statement.deny:
                return Verdict(False, "explicit-deny", request, layers, statement)
            if naming is Naming.NAMED:
                named = named or statement
            else:
                account = account or statement

    identity, number = _by_identity(layers, action, resource, context)
    if identity is not None and identity.deny:
        return Verdict(False, "explicit-deny", request, layers, identity, number)

    # A layer that can only take away (boundary, session policy, SCP, RCP, endpoint policy) is asked for its
    # denies above and for its silence here, before anything allows.

    is_root = principal.kind == "root-user"
    key_half = named or account
    if principal.account and request.resource_account not in (principal.account, ""):
        if action not in cross_account:
            return Verdict(False, "not-cross-account", request, layers)
        if key_half is None:
            return _by_grant(request, layers, identity) or Verdict(
                False, "cross-account-no-key-policy", request, layers
            )
        # unverified: that another account's root user needs no identity policy here either.
        if identity is None and not is_root:
            return _by_grant(request, layers, identity) or Verdict(
                False, "cross-account-no-iam-policy", request, layers
            )
        return Verdict(True, "cross-account", request, layers, key_half)
    if layers.key_policy is None:
        if is_root:
            return Verdict(True, "account-root", request, layers)
        if identity is not None:
            return Verdict(True, "iam-policy", request, layers, identity, number)
        return Verdict(False, "implicit-deny", request, layers)
    if named is not None:
        return Verdict(True, "key-policy", request, layers, named)
    if account is not None and is_root:
        return Verdict(True, "account-root", request, layers, account)
    if identity is None:
        return _by_grant(request, layers, identity) or Verdict(False, "implicit-deny", request, layers)
    if account is None:
        return _by_grant(request, layers, identity) or Verdict(False, "no-iam-delegation", request, layers)
    return Verdict(True, "iam-via-key-policy", request, layers, identity, number)


def _by_identity(
    layers: Layers, action: str, resource: str, context: Mapping[str, str | tuple[str, ...]]
) -> tuple[CompiledStatement | None, int | None]:
    """The statement with which the identity policies settle it: a deny that applies, else the first allow that does."""
    identity: CompiledStatement | None = None
    number: int | None = None
    for index, policy in enumerate(layers.identity_policies):
        for statement in policy.about(action):
            if (identity and not statement.deny) or not _applies(statement, resource, context):
                continue
            if statement.deny:
                return statement, index
            identity, number = statement, index
    return identity, number


def _by_grant(request: Request, layers: Layers, identity: CompiledStatement | None) -> Verdict | None:
    """The verdict of the first grant that allows; one to an account serves whom the account's IAM policies allow."""
    for grant in layers.grants:
        naming = grants.naming(grant.grantee, request.principal)
        if naming and (naming is Naming.NAMED or identity is not None) and grants.applies(grant, request):
            return Verdict(True, "grant", request, layers, grant=grant)
    return None


def _retirement(request: Request, layers: Layers) -> Verdict:
    """Decide RetireGrant: by the grant, else for the account that may retire it or owns the key, by IAM policies."""
    principal = request.principal
    identity, number = _by_identity(layers, grants.RETIRE_GRANT, request.resource, request.context)
    if identity is not None and identity.deny:
        return Verdict(False, "explicit-deny", request, layers, identity, number)
    namings = [(grants.may_retire(grant, principal), grant) for grant in layers.grants]
    for naming, grant in namings:
        if naming is Naming.NAMED:
            return Verdict(True, "grant", request, layers, grant=grant)
    if principal.account == request.resource_account or any(naming for naming, _ in namings):
        if principal.kind == "root-user":
            return Verdict(True, "account-root", request, layers)
        if identity is not None:
            return Verdict(True, "iam-policy", request, layers, identity, number)
    return Verdict(False, "not-retiring", request, layers)


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
    key_policy: CompiledPolicy | None,
    identity_policies: tuple[CompiledPolicy, ...],
    context: tuple[tuple[str, str | tuple[str, ...]], ...],
    held: tuple[Grant, ...] = (),
    asked: Asked = NOTHING_ASKED,
) -> Verdict:
    """``evaluate``, remembered: the same arguments give the same verdict, for all it depends on is here.

    ``context`` is the request's context as sorted pairs; it is enough to pass the keys that the policies'
    ``context_keys`` name. ``held`` are the grants, and ``asked`` need only hold what their constraints look at.
    """
    return evaluate(
        Request(principal, action, resource, resource_account, dict(context), asked),
        Layers(key_policy, identity_policies, held),
    )
