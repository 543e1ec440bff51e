"""To whom the layers apply that can only take away.

- A permissions boundary and a session policy belong to users, roles and sessions: a root user and a service has none.
- SCPs bind the principals of their account, its root user too; not service principals, and not service-linked roles.
  (The account that manages the organization is bound by none: it is asked with no SCPs.)
- RCPs protect the customer managed keys of their account from every principal, of whatever account, and from services;
  not from service-linked roles, and not RetireGrant.

Source: AWS Organizations User Guide, "Service control policies (SCPs)", "Resource control policies (RCPs)"; IAM User
Guide, "Permissions boundaries for IAM entities".
"""

from kms_lab.core.names import Principal
from kms_lab.policy.compiled import CompiledStatement, Layers, Naming, Request
from kms_lab.policy.grants import RETIRE_GRANT

#: kinds of callers on whom no policies of IAM hang
WITHOUT_IDENTITY = frozenset({"root-user", "service", "anonymous"})

_SERVICE_LINKED = ":role/aws-service-role/"


def spares(layer: str, request: Request, layers: Layers) -> bool:
    """Return whether a layer, by its code, has no say about a request."""
    principal = request.principal
    match layer:
        case "identity-policy" | "boundary" | "session-policy":
            return principal.kind in WITHOUT_IDENTITY
        case "scp":
            return principal.kind in ("service", "anonymous") or is_service_linked(principal)
        case "rcp":
            return layers.aws_managed or is_service_linked(principal) or request.action.lower() == RETIRE_GRANT
        case "key-policy":
            return request.action.lower() == RETIRE_GRANT
    return False


def naming_of(statement: CompiledStatement, principal: Principal, layers: Layers) -> Naming:
    """How a statement names the caller. A deny to all but some is never spared to who has a permissions boundary.

    Source: IAM User Guide, "NotPrincipal".
    """
    bounded = layers.boundary is not None and principal.kind not in WITHOUT_IDENTITY
    if bounded and statement.deny and statement.source.not_principal:
        return Naming.NAMED
    return statement.naming(principal)


def is_service_linked(principal: Principal) -> bool:
    """Return whether the caller is a session of a role that a service made for itself."""
    return _SERVICE_LINKED in principal.identity_arn
