"""Grants as a layer of policy: whom a grant serves, for what, and on which terms. Pure functions.

A grant only ever allows. Its constraints narrow it:

- ``EncryptionContextEquals`` and ``EncryptionContextSubset`` are held against the request's encryption context. They do
  not apply to DescribeKey and RetireGrant. For CreateGrant they bind the grant that is made instead: it must be as
  strict, and permit nothing else.
- ``SourceArn`` is held against the resource on whose behalf a service calls. It never applies to RetireGrant.

Not here: which grants a call can see at its instant (``service.grants``); how grants and policies add up
(``evaluate``).

Source: AWS KMS Developer Guide, "Grants in AWS KMS", "Creating grants"; API Reference, ``GrantConstraints``.
"""

from kms_lab.core.keys import Grant
from kms_lab.core.names import Principal
from kms_lab.policy.compiled import Child, Naming, Pairs, Request

CREATE_GRANT = "kms:creategrant"
DESCRIBE_KEY = "kms:describekey"
RETIRE_GRANT = "kms:retiregrant"
#: Permissions whose requests an encryption context constraint is not held against.
_WITHOUT_CONTEXT = (CREATE_GRANT, DESCRIBE_KEY, RETIRE_GRANT)


def naming(name: str, principal: Principal) -> Naming:
    """How a grantee or a retiring principal fits a caller.

    A role's ARN means every session of the role, a session's ARN that session alone. An account's ARN means its root
    user, and those whom the account's own IAM policies allow.

    # unverified: the last for a grantee. AWS says so of a retiring principal that is an account ("Retiring and revoking
    grants"), and of accounts in key policies; of an account as grantee, only that it is valid.
    """
    if name in (principal.arn, principal.identity_arn):
        return Naming.NAMED
    if not principal.account or not name.endswith(f"::{principal.account}:root"):
        return Naming.NO
    return Naming.NAMED if principal.kind == "root-user" else Naming.ACCOUNT


def applies(grant: Grant, request: Request) -> bool:
    """Whether a grant permits what is asked, to whomever it serves."""
    action = request.action.lower()
    return (
        fits_but_for_constraints(grant, request)
        and context_fits(grant, action, request.asked.context)
        and source_fits(grant, action, request.asked.source_arn)
        and child_fits(grant, action, request.asked.child)
    )


def fits_but_for_constraints(grant: Grant, request: Request) -> bool:
    """Whether a grant is in force and covers the operation, whatever its constraints say."""
    return covers(grant, request.action.lower()) and grant.id not in request.asked.early


def covers(grant: Grant, action: str) -> bool:
    """Whether a permission (in lower case) is among the grant's operations."""
    return action.removeprefix("kms:") in map(str.lower, grant.operations)


def context_fits(grant: Grant, action: str, context: Pairs) -> bool:
    """Whether the encryption context is the one the grant wants, or holds the pairs that it wants.

    # unverified: that the case of a pair's key does not count. AWS's API reference says so; its guide asks for an exact
    match. The case of the value counts.
    """
    if action in _WITHOUT_CONTEXT:
        return True
    if grant.context_equals is not None and _folded(context) != _folded(grant.context_equals):
        return False
    return grant.context_subset is None or _folded(grant.context_subset) <= _folded(context)


def source_fits(grant: Grant, action: str, source_arn: str) -> bool:
    """Whether the call is made for the resource that the grant wants.

    # unverified: that an ARN must be the same, letter by letter; that a call for no resource fails, also one that no
    service makes (AWS's API reference says that the grant helps only for the resource; its guide, that the constraint
    is looked at only when a service calls); and how DescribeKey fares. AWS says that the constraint applies to it
    "when specified in the request", so here only another ARN fails.
    """
    if not grant.source_arn or action == RETIRE_GRANT or (action == DESCRIBE_KEY and not source_arn):
        return True
    return source_arn == grant.source_arn


def child_fits(grant: Grant, action: str, child: Child | None) -> bool:
    """Whether a grant that is made by means of this one permits nothing more, on terms as strict or stricter."""
    if action != CREATE_GRANT or child is None:
        return True
    return (
        set(child.operations) <= set(grant.operations)
        and _as_strict(grant, child)
        and grant.source_arn in ("", child.source_arn)
    )


def _as_strict(grant: Grant, child: Child) -> bool:
    if grant.context_equals is not None:
        return child.context_equals is not None and _folded(child.context_equals) == _folded(grant.context_equals)
    if grant.context_subset is None:
        return True
    wanted = child.context_subset if child.context_equals is None else child.context_equals
    return wanted is not None and _folded(grant.context_subset) <= _folded(wanted)


def may_retire(grant: Grant, principal: Principal) -> Naming:
    """How a grant itself lets a caller retire it: as its retiring principal, as a grantee with that operation, or not.

    ``ACCOUNT`` is for callers of an account that may, where an IAM policy has to allow them: the account is the
    retiring principal, a grantee with that operation, or the account in which the grant was made.
    """
    found = naming(grant.retiring, principal)
    if covers(grant, RETIRE_GRANT):
        found = max(found, naming(grant.grantee, principal))
    return max(found, naming(grant.issuer, principal))


def retires_directly(grant: Grant, principal: Principal) -> bool:
    """Whether a grant lets the very user or session retire it, and not only the role or user behind it."""
    grantee = (grant.grantee,) if covers(grant, RETIRE_GRANT) else ()
    return principal.arn in (grant.retiring, grant.issuer, *grantee)


def title(grant: Grant) -> str:
    """What to call a grant in a sentence: its name, if it has one, and the start of its id."""
    return f'grant "{grant.name}" ({grant.id[:8]})' if grant.name else f"grant {grant.id[:8]}"


def _folded(pairs: Pairs) -> frozenset[tuple[str, str]]:
    return frozenset((key.lower(), value) for key, value in pairs)
