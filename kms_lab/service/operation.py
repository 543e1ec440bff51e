"""An operation is one row and one function: what AWS says about it, and what only it does.

``@operation`` reads the row, checks that it is complete, and enters it in ``OPERATIONS`` under AWS's name. The gates
(``service.gates``) work from the row, so that a handler holds nothing but what is unique to its operation.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kms_lab.core import model
from kms_lab.core.circumstances import DIRECT, Circumstances
from kms_lab.core.keys import Grant, Key
from kms_lab.core.names import Principal
from kms_lab.service.states import ANY, Profile

if TYPE_CHECKING:
    from kms_lab.core.ciphertext import Blob
    from kms_lab.core.world import World
    from kms_lab.policy.evaluate import Verdict

Response = dict[str, Any]
Handler = Callable[..., Response | None]
Gate = Callable[["Call"], None]
#: permission, resource ARN, account that owns the resource, and the key whose policy counts (None: identity
#: policies only)
Check = tuple[str, str, str, Key | None]
Checks = Callable[["Call"], Iterable[Check]]

#: every operation the lab has, by AWS's name
OPERATIONS: dict[str, "Row"] = {}
_BY_PERMISSION: dict[str, "Row"] = {}

# How an operation names its key.
KEY_OR_ALIAS = "key id, key ARN, alias name or alias ARN"
KEY_ONLY = "key id or key ARN"
NO_KEY = "no key"

# Request classes of the bill, and request quota groups, that the spec of the key or of the data key pair chooses.
STANDARD = "standard"
KEY_SPEC = "by key spec"
PAIR_SPEC = "by key pair spec"

# Request quota groups; management operations have a rate of their own instead.
SYMMETRIC = "symmetric"


@dataclass(slots=True)
class Row:
    """What AWS says about one operation.

    Attributes:
        name: AWS's name.
        permission: the IAM action that is checked on the key, or on ``*`` where no key is named.
        target: how the request names a key: ``KEY_OR_ALIAS``, ``KEY_ONLY``, ``NO_KEY``; or a resolver of its own.
        states: key-state profile (``service.states``).
        usage: KeyUsage that the key must have, or "" for any.
        algorithm: request member that names the algorithm; its default is ``SYMMETRIC_DEFAULT``.
        kind: a check of the key's type that comes before its state.
        trial: what a dry run still has to check of the request, since the handler does not run.
        checks: the permissions that are checked, for operations that need more than ``permission`` on one key.
        cross_account: may a principal of another account call it?
        quota: request quota group, or requests per second for operations with a rate of their own.
        price: request class on the bill.
        shown: request members that CloudTrail shows, besides the encryption context.
        source: where the row comes from.
        handler: what only this operation does.
        gates: compiled from the row by ``service.gates``.
    """

    name: str
    permission: str
    target: str | Gate
    states: Profile
    usage: str
    algorithm: str
    kind: Gate | None
    trial: Gate | None
    checks: Checks | None
    cross_account: bool
    quota: str | int
    price: str
    shown: tuple[str, ...]
    source: str
    handler: Handler
    gates: tuple[Gate, ...] = field(default=())

    @property
    def method(self) -> str:
        """boto3's name for the operation."""
        return self.handler.__name__

    @property
    def model(self) -> model.Operation:
        return model.operation(self.name)

    @property
    def read_only(self) -> bool:
        """Does CloudTrail call it read-only? Cryptography is; changes of anything are not.

        # unverified: DeriveSharedSecret, of which AWS shows no record
        """
        return self.name.startswith(
            (
                "Encrypt", "Decrypt", "ReEncrypt", "Generate", "Verify", "Sign", "Derive", "Encapsulate", "Decapsulate",
                "Get", "List", "Describe",
            )
        )  # fmt: skip


class Call:
    """One request on its way through the corridor, and what the gates have found out about it.

    Attributes:
        params: the request's members, by AWS's names.
        checked: the door has already found that the parameters satisfy the model.
        key: the key that is meant, once resolved; ReEncrypt's destination.
        source_key: ReEncrypt's source.
        blob: the ciphertext taken apart, for Decrypt and ReEncrypt.
        alias_arn: the alias that the request names, if it names one.
        grant: the grant that RetireGrant is about.
        how: how the call reaches KMS, such as on whose behalf a service makes it.
        verdict: the last authorization check.
        earlier: those before it, where the operation needs several.
        permission: what is being checked; ReEncrypt's two sides have conditions of their own.
        context: the encryption context that the log shows, where it is not the request's own.
        material: id of the key material used, for the log.
        more: what only this entry of the log has.
        aftermath: service events that the call causes, as arguments of ``Log.append``; they follow its own entry.
    """

    key: Key = None  # type: ignore[assignment]  # the resolve gate sets it before any handler of a key operation runs
    source_key: Key | None = None
    blob: "Blob | None" = None
    alias_arn: str | None = None
    grant: Grant | None = None
    how: Circumstances = DIRECT
    verdict: "Verdict | None" = None
    earlier: "tuple[Verdict, ...]" = ()
    permission: str = ""
    context: Mapping[str, str] | None = None
    material: str | None = None
    more: dict[str, Any] | None = None
    aftermath: tuple[dict[str, Any], ...] = ()

    def __init__(
        self,
        row: Row,
        world: "World",
        principal: Principal,
        region: str,
        params: Mapping[str, Any],
        checked: bool = False,
    ) -> None:
        self.row, self.world = row, world
        self.principal, self.region = principal, region
        self.params, self.checked = params, checked


def operation(
    *,
    permission: str,
    target: str | Gate,
    quota: str | int,
    shown: tuple[str, ...],
    source: str,
    states: Profile = ANY,
    usage: str = "",
    algorithm: str = "",
    kind: Gate | None = None,
    trial: Gate | None = None,
    checks: Checks | None = None,
    cross_account: bool = False,
    price: str = STANDARD,
) -> Callable[[Handler], Handler]:
    """Enter a handler and its row in ``OPERATIONS``; the handler's name is boto3's name for the operation.

    Raises:
        TypeError: the row is incomplete. It is raised at import, so that no half operation ever answers.
    """

    def enter(handler: Handler) -> Handler:
        name = "".join(part.capitalize() for part in handler.__name__.split("_"))
        if not handler.__doc__ or not source or not permission.startswith("kms:"):
            raise TypeError(f"{name}: the row needs a docstring, a source and a permission such as kms:{name}")
        row = OPERATIONS[name] = Row(
            name, permission, target, states, usage, algorithm, kind, trial, checks, cross_account, quota, price,
            shown, source, handler
        )  # fmt: skip
        for needed in ("kms:ReEncryptFrom", "kms:ReEncryptTo") if name == "ReEncrypt" else (permission,):
            _BY_PERMISSION.setdefault(needed.lower(), row)
        return handler

    return enter


def row_for(permission: str) -> Row | None:
    """Return the row of an operation that needs an IAM action such as ``kms:Decrypt``; None where no operation does."""
    return _BY_PERMISSION.get(permission.lower())
