"""The compiled form of a policy: it decides, and explanations are replayed from it.

Compiling happens once for each text (``compile_policy`` remembers); a decision parses nothing.

Not here: how statements of several policies add up to an answer (see ``evaluate``).

Source: IAM User Guide, "Principal", "NotPrincipal", "Resource"; AWS KMS Developer Guide, "Key policies".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from kms_lab.core.names import Principal
from kms_lab.policy import match
from kms_lab.policy.document import Kind, Policy, Principals, Statement, parse

#: Conditions on this key work in identity policies only: AWS KMS Developer Guide, "kms:ResourceAliases".
IDENTITY_ONLY_KEYS = frozenset({"kms:resourcealiases"})

#: Action names remembered for each policy before the memory is emptied.
_ACTIONS_REMEMBERED = 256


#: An encryption context, or what a grant wants of one, as sorted pairs.
Pairs = tuple[tuple[str, str], ...]


class Child(NamedTuple):
    """What a grant that may be made by means of another grant would allow, and on which terms."""

    operations: tuple[str, ...]
    context_equals: Pairs | None
    context_subset: Pairs | None
    source_arn: str


class Asked(NamedTuple):
    """What grants look at in a request, besides who wants to do what.

    Attributes:
        context: the encryption context, of ReEncrypt that of the side concerned.
        source_arn: the resource on whose behalf a service calls; "" for none.
        child: the grant that CreateGrant would make.
        early: ids of grants that are too new to be in force, and of which the request carries no token.
    """

    context: Pairs = ()
    source_arn: str = ""
    child: Child | None = None
    early: frozenset[str] = frozenset()


NOTHING_ASKED = Asked()


@dataclass(slots=True)
class Request:
    """The question: may this principal do this action on this resource? Made once, never changed.

    Attributes:
        action: ``kms:Encrypt``.
        resource: ARN of the key or alias, or ``"*"`` where the request names none.
        resource_account: the account that owns the resource; the caller's own where there is none.
        context: lower-cased condition key -> text, or a tuple of texts for a multivalued key. A key that
            is not there is absent; nothing is added.
        asked: what the constraints of grants are held against.
    """

    principal: Principal
    action: str
    resource: str
    resource_account: str
    context: Mapping[str, str | tuple[str, ...]]
    asked: Asked = NOTHING_ASKED


class Naming(IntEnum):
    """How a Principal element fits a caller: not at all, through the account, or by name (or ``*``)."""

    NO = 0
    ACCOUNT = 1
    NAMED = 2


#: Stands for "any caller" among the names of a caller.
EVERYONE = ("*",)


def caller_names(principal: Principal) -> tuple[str, ...]:
    """Every name by which a Principal element can reach a caller."""
    if principal.unique_id:
        return ("*", principal.arn, principal.identity_arn, principal.account, principal.unique_id)
    return ("*", principal.arn, principal.identity_arn, principal.account)


class CompiledStatement:
    """A statement ready to be asked. ``source`` is what it was compiled from."""

    __slots__ = (
        "_accounts",
        "_everyone",
        "_names",
        "_resources",
        "_templates",
        "any_resource",
        "callers",
        "conditions",
        "covers_action",
        "deny",
        "resource_keys",
        "source",
    )

    def __init__(self, source: Statement, policy: Policy) -> None:
        self.source = source
        self.deny = source.effect == "Deny"
        #: Whether Action or NotAction covers an action, given in lower case.
        self.covers_action = _action_test(source)
        principals = source.principals or Principals(everyone=True)  # an identity policy names nobody
        accounts = principals.accounts()
        self._everyone = principals.everyone
        self._accounts = frozenset(accounts)
        self._names = frozenset(name for name in principals.aws + principals.services if not name.endswith(":root"))
        #: Fast sieve: a caller none of whose ``caller_names`` is here is not named.
        self.callers = frozenset(EVERYONE if self._everyone or source.not_principal else self._names | self._accounts)
        resources = source.resources or ()
        self.any_resource = "*" in resources and not source.not_resource
        read = [_resource_template(text, policy.has_variables) for text in resources]
        self._templates = tuple(template for template in read if template.keys)
        #: The condition keys named by policy variables in Resource or NotResource, in lower case.
        self.resource_keys = tuple(key for template in self._templates for key in template.keys)
        self._resources = match.resource(
            tuple([pattern for template in read if (pattern := template.fill({})) is not None])
        )
        self.conditions = tuple(
            match.condition(test, policy.has_variables, policy.kind == "key" and test.key.lower() in IDENTITY_ONLY_KEYS)
            for test in source.conditions
        )

    @property
    def variable_keys(self) -> tuple[str, ...]:
        """The condition keys named by policy variables, in lower case."""
        return self.resource_keys + tuple(key for condition in self.conditions for key in condition.variable_keys)

    def naming(self, principal: Principal) -> Naming:
        """How Principal or NotPrincipal fits the caller.

        A role's ARN means every session of the role; a session's ARN means that session alone.
        """
        if self.source.not_principal:
            return self._naming_all_but(principal)
        if self._everyone or principal.arn in self._names or self._names_identity(principal):
            return Naming.NAMED
        return Naming.ACCOUNT if principal.account in self._accounts else Naming.NO

    def names_directly(self, principal: Principal) -> bool:
        """Whether Principal is everyone, or lists the very user or session that calls and not only what is behind it.

        Source: IAM User Guide, "Principal", "IAM role principals": what ``*`` and a condition on ``aws:PrincipalArn``
        give is not limited by boundaries and session policies. # unverified: the same of ``*`` without that condition
        """
        return (self._everyone or principal.arn in self._names) and not self.source.not_principal

    def _names_identity(self, principal: Principal) -> bool:
        return principal.identity_arn in self._names or (
            bool(principal.unique_id) and principal.unique_id in self._names
        )

    def _naming_all_but(self, principal: Principal) -> Naming:
        identity = self._names_identity(principal)
        named = identity or principal.arn in self._names
        account = principal.account in self._accounts
        if not self.deny:
            # AWS: NotPrincipal with Allow is "not supported" (IAM User Guide); older editions: it allows all but those
            # named. unverified: what KMS does with one; here any listed level excludes
            excluded = named or account
        elif principal.kind == "service":
            excluded = named
        else:
            # Deny spares a caller only if both the identity and its account are listed; for a session
            # the identity is the role: IAM User Guide, "NotPrincipal".
            excluded = account and (identity or principal.kind == "root-user")
        return Naming.NO if excluded or self._everyone else Naming.NAMED

    def covers_resource(self, resource: str, context: match.Context) -> bool:
        """Whether Resource or NotResource covers the resource. Without either, nothing is covered."""
        if self.any_resource:
            return True
        if self.source.resources is None:
            return False
        fits = self._resources(resource)
        for template in self._templates:
            pattern = template.fill(context)
            if pattern is None:
                continue  # with a variable that has no value it matches no resource
            fits = fits or match.resource((pattern,))(resource)
        return fits is not self.source.not_resource


class CompiledPolicy:
    """A policy ready to decide. Equal only to itself: the same text compiles to the same object.

    Attributes:
        text: the JSON it came from.
        statements: compiled, in reading order.
        context_keys: lower-cased names of all condition keys and policy variables it refers to. A
            decision depends on no other part of a request's context.
    """

    __slots__ = ("_by_action", "context_keys", "document", "statements", "text")

    def __init__(self, text: str, document: Policy) -> None:
        self.text = text
        self.document = document
        self.statements = tuple(CompiledStatement(source, document) for source in document.statements)
        self.context_keys = frozenset(
            key
            for statement in self.statements
            for keys in (statement.variable_keys, (condition.key for condition in statement.conditions))
            for key in keys
        )
        self._by_action: dict[str, tuple[CompiledStatement, ...]] = {}

    def about(self, action: str) -> tuple[CompiledStatement, ...]:
        """The statements that cover an action (lower case), in reading order; remembered."""
        found = self._by_action.get(action)
        if found is None:
            found = tuple(statement for statement in self.statements if statement.covers_action(action))
            if len(self._by_action) >= _ACTIONS_REMEMBERED:
                self._by_action.clear()
            self._by_action[action] = found
        return found


#: The policies attached at each level of an organization, from its root down to the account.
Levels = tuple[tuple[CompiledPolicy, ...], ...]


@dataclass(frozen=True, eq=False, slots=True)
class Layers:
    """The policies that have a say in one check. Equal only to itself, so that decisions can be remembered by it.

    Attributes:
        key_policy: the policy of the key the resource names; None where the request has no key.
        identity_policies: what hangs on the caller, from all sources, in a fixed order.
        boundary: the caller's permissions boundary.
        session_policy: what the caller's session was narrowed to when it began.
        scps: service control policies of the caller's account; empty where it is in no organization, or manages it.
        rcps: resource control policies of the account that owns the key, without AWS's own that allows everything.
        endpoint: the policy of the VPC endpoint that the call came through.
        aws_managed: is the key an AWS managed one?
        identity_names: what people call the identity policies, where they have names.
        level_names: what people call the levels of ``scps``, and of ``rcps``.
        guard_names: what people call their policies, level by level.
    """

    key_policy: CompiledPolicy | None = None
    identity_policies: tuple[CompiledPolicy, ...] = ()
    boundary: CompiledPolicy | None = None
    session_policy: CompiledPolicy | None = None
    scps: Levels = ()
    rcps: Levels = ()
    endpoint: CompiledPolicy | None = None
    aws_managed: bool = False
    identity_names: tuple[str, ...] = ()
    level_names: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    guard_names: tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]] = ((), ())

    def policies(self) -> Iterator[tuple[str, tuple[int, ...], CompiledPolicy]]:
        """Every policy with its layer and its place in it, in the order in which denies are looked for.

        The layers are ``key-policy``, ``identity-policy``, ``boundary``, ``session-policy``, ``scp``, ``rcp`` and
        ``vpce``. The place is () where a layer is one policy, else the number of the policy, or of the level and of the
        policy there, from 0.
        """
        if self.key_policy is not None:
            yield "key-policy", (), self.key_policy
        for number, policy in enumerate(self.identity_policies):
            yield "identity-policy", (number,), policy
        yield from self.guards()

    def guards(self) -> Iterator[tuple[str, tuple[int, ...], CompiledPolicy]]:
        """The same of the layers that can only take away."""
        if self.boundary is not None:
            yield "boundary", (), self.boundary
        if self.session_policy is not None:
            yield "session-policy", (), self.session_policy
        for layer, levels in (("scp", self.scps), ("rcp", self.rcps)):
            for level, policies in enumerate(levels):
                for number, policy in enumerate(policies):
                    yield layer, (level, number), policy
        if self.endpoint is not None:
            yield "vpce", (), self.endpoint

    @property
    def guarded(self) -> bool:
        """Whether there is any layer that can only take away."""
        return bool(self.boundary or self.session_policy or self.scps or self.rcps or self.endpoint)


@lru_cache(maxsize=16_384)
def compile_policy(text: str, kind: Kind) -> CompiledPolicy:
    """Compile a policy document; the same text and kind give the same object.

    Raises:
        PolicyError: the text is no policy of that kind.
    """
    return CompiledPolicy(text, parse(text, kind))


def _action_test(source: Statement) -> match.Test:
    if source.actions is None:
        return lambda _action: False
    covers = match.action(source.actions)
    return (lambda action: not covers(action)) if source.not_action else covers


@lru_cache(maxsize=4096)
def _resource_template(text: str, variables: bool) -> match.Template:
    """Read a Resource; variables count only after the fifth colon (IAM User Guide, "Variables and tags")."""
    head = ":".join(text.split(":", 5)[:5])
    if not variables or text.count(":") < 5:
        return match.Template.read(text, variables=False)
    rest = match.Template.read(text[len(head) :], variables=True)
    return match.Template((match.Piece(head), *rest.pieces))
