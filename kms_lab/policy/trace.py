"""The records of an explanation: layers, statements and clauses, each with what it came to.

They say what every part of every policy made of a request. The rules in ``evaluate``, applied to what the layers say,
give the decision; a reader of the trace can apply them again.

Not here: how a trace is made (see ``replay``), and how it is told (see ``words``).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from kms_lab.core.names import Principal
from kms_lab.policy.compiled import Request
from kms_lab.policy.grants import RETIRE_GRANT

#: What layers of one policy are called.
NAMES: Final = {
    "key-policy": "key policy",
    "boundary": "permissions boundary",
    "session-policy": "session policy",
    "vpce": "endpoint policy",
}


@dataclass(frozen=True, slots=True)
class DecidedBy:
    """What settled a decision.

    Attributes:
        layer: as in ``LayerTrace``.
        policy: ``key policy``, ``identity policy 2`` or ``grant "orders" (0123abcd)``; where the silence of a layer
            decided, the layer's title.
        sid, index: the statement (index from 1); None where none decided.
    """

    layer: str
    policy: str
    sid: str | None = None
    index: int | None = None

    @property
    def statement(self) -> str | None:
        """``statement "Sid" of the key policy``, or None."""
        return None if self.index is None else f"{_numbered(self.sid, self.index)} of {the(self.policy)}"

    @property
    def number(self) -> str:
        """``statement "Sid"``; "" where none decided."""
        return "" if self.index is None else _numbered(self.sid, self.index)

    def to_data(self) -> dict[str, object]:
        """Layer, policy, and the Sid or else the index."""
        data: dict[str, object] = {"layer": self.layer, "policy": self.policy}
        if self.sid:
            data["sid"] = self.sid
        elif self.index is not None:
            data["index"] = self.index
        return data


class ClauseTrace(NamedTuple):
    """One clause of one statement.

    Attributes:
        element: ``Principal``, ``NotAction``, ``Condition`` ... as in the document; of a grant ``Grantee``,
            ``Operations``, ``IAM``, ``InForce``, ``Constraint``, ``Child`` or ``Retiring``.
        matched: whether it lets the statement apply.
        wanted: what the policy says.
        found: what the request says; None for an absent condition key.
        why: a short phrase that completes "everything matched but ...".
        missing: condition keys it needed and the request lacked.
    """

    element: str
    matched: bool
    wanted: tuple[str, ...]
    found: tuple[str, ...] | None
    why: str
    missing: tuple[str, ...] = ()

    def to_data(self) -> dict[str, object]:
        return {
            "element": self.element,
            "matched": self.matched,
            "wanted": list(self.wanted),
            "found": None if self.found is None else list(self.found),
            "why": self.why,
            "missing": list(self.missing),
        }


@dataclass(frozen=True, eq=False, slots=True)
class StatementTrace:
    """One statement with all its clauses, in the order Principal, Action, Resource, Condition; or a grant, told alike.

    Equal only to itself, so that its words can be remembered by it.

    Attributes:
        policy: the name of its policy, or the grant's.
        index: from 1; 0 for a grant.
        naming: how it names the caller: ``no``, ``account`` or ``named``.
        direct: it names the user or the very session that calls, in the key's own account; then no permissions boundary
            and no session policy has to allow too.
        applies: every clause matched.
    """

    policy: str
    index: int
    sid: str | None
    effect: str
    naming: str
    direct: bool
    applies: bool
    clauses: tuple[ClauseTrace, ...]

    @property
    def name(self) -> str:
        """``statement "Sid" of the key policy``, or ``grant "orders" (0123abcd)``."""
        return f"{self.number} of {the(self.policy)}" if self.index else self.policy

    @property
    def number(self) -> str:
        """``statement "Sid"``."""
        return _numbered(self.sid, self.index)

    @property
    def failed(self) -> tuple[ClauseTrace, ...]:
        """The clauses that kept the statement from applying."""
        return tuple(clause for clause in self.clauses if not clause.matched)

    @property
    def missing(self) -> tuple[str, ...]:
        """The condition keys that it asked for and the request lacked, if nothing else is against it."""
        if not all(clause.matched or clause.missing or clause.element == "Condition" for clause in self.clauses):
            return ()
        return tuple(key for clause in self.clauses for key in clause.missing)

    def is_about(self, *elements: str) -> bool:
        """Whether no clause failed but those of the elements named."""
        return all(clause.matched or clause.element.removeprefix("Not") in elements for clause in self.clauses)

    def to_data(self) -> dict[str, object]:
        return {
            "index": self.index,
            "sid": self.sid,
            "effect": self.effect,
            "naming": self.naming,
            "direct": self.direct,
            "applies": self.applies,
            "clauses": [clause.to_data() for clause in self.clauses],
        }


class PolicyTrace(NamedTuple):
    """One policy: its layer, its name for people, and its statements. A grant is a policy of one statement."""

    layer: str
    policy: str
    statements: tuple[StatementTrace, ...]

    def to_data(self) -> dict[str, object]:
        return {"policy": self.policy, "statements": [statement.to_data() for statement in self.statements]}


class LayerTrace(NamedTuple):
    """One layer and what it came to. Each level of an organization is a layer by itself, for each has to allow.

    Attributes:
        layer: as in ``Layers.policies``; also ``grant``, and where they decide ``operation`` (it does not work across
            accounts) and ``account`` (the root user needs no policy).
        title: what people call it: ``key policy``, ``SCPs of OU Workloads``.
        outcome: ``deny`` (a statement denies explicitly, or the operation does not cross accounts), ``allow``,
            ``silent`` (it would have had to allow and did not), ``none`` (it says nothing and need not) or ``spared``
            (it does not bind this caller, and was not asked).
        why: a short phrase: what makes the outcome.
        policies: what is in it; nothing where it was not asked.
        decides: whether it is the one that settled the decision, as ``DecidedBy`` has it; one layer is.
    """

    layer: str
    title: str
    outcome: str
    why: str
    policies: tuple[PolicyTrace, ...]
    decides: bool = False

    def statements(self, effect: str) -> Iterator[StatementTrace]:
        """The statements with one effect."""
        for policy in self.policies:
            yield from (statement for statement in policy.statements if statement.effect == effect)

    def first(self, effect: str, naming: str | None = None) -> StatementTrace | None:
        """The first statement of an effect that applies."""
        for policy in self.policies:
            for statement in policy.statements:
                if statement.applies and statement.effect == effect and naming in (None, statement.naming):
                    return statement
        return None

    def to_data(self) -> dict[str, object]:
        return {
            "layer": self.layer,
            "title": self.title,
            "outcome": self.outcome,
            "why": self.why,
            "decides": self.decides,
            "policies": [policy.to_data() for policy in self.policies],
        }


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything that was asked. The properties are the facts the rules in ``evaluate`` build on."""

    request: Request
    layers: tuple[LayerTrace, ...]

    @property
    def policies(self) -> tuple[PolicyTrace, ...]:
        """Every policy and grant that was asked."""
        return tuple(policy for layer in self.layers for policy in layer.policies)

    @property
    def deciding(self) -> LayerTrace:
        """The layer that settled the decision."""
        return next(layer for layer in self.layers if layer.decides)

    def statements(self, layer: str, effect: str) -> Iterator[StatementTrace]:
        """The statements of one layer with one effect."""
        for one in self.layers:
            if one.layer == layer:
                yield from one.statements(effect)

    def _first(self, layer: str, effect: str, naming: str | None = None) -> StatementTrace | None:
        for one in self.layers:
            if one.layer == layer and (found := one.first(effect, naming)):
                return found
        return None

    @property
    def has_key_policy(self) -> bool:
        """Whether the request is about a key."""
        return any(layer.layer == "key-policy" for layer in self.layers)

    @property
    def denied_by(self) -> StatementTrace | None:
        """The first explicit deny that applies."""
        denies = (layer.first("Deny") for layer in self.layers)
        return next((statement for statement in denies if statement), None)

    @property
    def named_by(self) -> StatementTrace | None:
        """The first key policy statement that allows the caller by name."""
        return self._first("key-policy", "Allow", "named")

    @property
    def delegated_by(self) -> StatementTrace | None:
        """The first key policy statement that allows the caller's account."""
        return self._first("key-policy", "Allow", "account")

    @property
    def identity_allowed_by(self) -> StatementTrace | None:
        """The first identity policy statement that allows."""
        return self._first("identity-policy", "Allow")

    @property
    def granted_by(self) -> StatementTrace | None:
        """The first grant that allows."""
        return self._first("grant", "Allow")

    @property
    def is_direct(self) -> bool:
        """Whether an allow applies that no permissions boundary and no session policy limits."""
        return any(
            statement.direct and statement.applies
            for layer in ("key-policy", "grant")
            for statement in self.statements(layer, "Allow")
        )

    @property
    def crosses_accounts(self) -> bool:
        """Whether the resource is another account's."""
        return crosses_accounts(self.request)

    @property
    def retires(self) -> bool:
        """Whether the request is RetireGrant, which has rules of its own."""
        return self.request.action.lower() == RETIRE_GRANT

    @property
    def missing_context(self) -> tuple[str, ...]:
        """Condition keys asked for by statements that otherwise cover this principal, action and resource."""
        found: dict[str, str] = {}
        for policy in self.policies:
            for statement in policy.statements:
                for key in statement.missing:
                    found.setdefault(key.lower(), key)
        return tuple(found.values())

    def to_data(self) -> dict[str, object]:
        """The trace as JSON-ready data."""
        return {"layers": [layer.to_data() for layer in self.layers]}


# ---------------------------------------------------------------------------------------------------------
# Names
# ---------------------------------------------------------------------------------------------------------


def who(principal: Principal) -> str:
    """A caller in words: ``dana``, ``role App``, ``the root user of account 111122223333``."""
    match principal.kind:
        case "role-session":
            return f"role {principal.name}"
        case "root-user":
            return f"the root user of account {principal.account}"
        case "federated-user":
            return f"federated user {principal.name}"
        case "anonymous":
            return "an anonymous caller"
    return principal.name if principal.kind == "user" else principal.arn


def crosses_accounts(request: Request) -> bool:
    """Whether the resource is another account's than the caller's; services and nobody have no account."""
    account = request.principal.account
    return bool(account) and request.resource_account not in (account, "")


def the(policy: str) -> str:
    """A policy's name with its article, if it takes one."""
    return f"the {policy}" if policy in NAMES.values() else policy


def choice(values: Iterable[str]) -> str:
    """``a or b``; of many the first two, and how many more."""
    return _joined(values, " or ")


def together(values: Iterable[str]) -> str:
    """``a and b``; of many the first two, and how many more."""
    return _joined(values, " and ")


def _joined(values: Iterable[str], link: str) -> str:
    texts = list(values)
    if len(texts) > 3:
        texts = [*texts[:2], f"{len(texts) - 2} more"]
    return link.join(texts) or "nothing"


def _numbered(sid: str | None, index: int) -> str:
    return f'statement "{sid}"' if sid else f"statement {index}"
