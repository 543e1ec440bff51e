"""Short ways to write a scenario: one authorization question as plain data. Imports nothing of the library."""

from dataclasses import dataclass
from typing import Any

HOME, AWAY = "111122223333", "444455556666"
REGION = "eu-west-1"
KEY = f"arn:aws:kms:{REGION}:{HOME}:key/0f0e0d0c-0b0a-4908-8706-050403020100"
ALIAS = f"arn:aws:kms:{REGION}:{HOME}:alias/orders"

Document = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A scenario and what AWS answers.

    Attributes:
        id: unique, readable, such as ``boundary-silent-blocks-role``.
        why: one line: the reason for the answer, for people.
        source: the AWS page that says so.
        by: what the answer's ``decided_by`` must hold, such as ``{"layer": "scp", "sid": "NoDecrypt"}``.
    """

    id: str
    why: str
    source: str
    scenario: Document
    decision: str
    reason: str
    by: Document | None = None


def allowed(id: str, reason: str, why: str, source: str, scenario: Document, **by: Any) -> Case:
    return Case(id, why, source, scenario, "ALLOW", reason, by or None)


def denied(id: str, reason: str, why: str, source: str, scenario: Document, **by: Any) -> Case:
    return Case(id, why, source, scenario, "DENY", reason, by or None)


# ------------------------------------------------------------------------------------------- principals


def user(name: str = "dana", account: str = HOME) -> Document:
    return {"arn": f"arn:aws:iam::{account}:user/{name}", "type": "user", "account": account}


def role(name: str = "App", session: str = "job", account: str = HOME, path: str = "/") -> Document:
    return {
        "arn": f"arn:aws:sts::{account}:assumed-role/{name}/{session}",
        "type": "role-session",
        "account": account,
        "role_arn": f"arn:aws:iam::{account}:role{path}{name}",
    }


def root(account: str = HOME) -> Document:
    return {"arn": f"arn:aws:iam::{account}:root", "type": "root-user", "account": account}


def federated(name: str = "guest", behind: str = "dana", account: str = HOME) -> Document:
    return {
        "arn": f"arn:aws:sts::{account}:federated-user/{name}",
        "type": "federated-user",
        "account": account,
        "user_arn": f"arn:aws:iam::{account}:user/{behind}",
    }


def service(name: str) -> Document:
    return {"arn": name, "type": "service", "account": ""}


# -------------------------------------------------------------------------------------------- documents


def statement(effect: str, action: Any, principal: Any = None, resource: Any = "*", **more: Any) -> Document:
    """One statement; ``more`` adds or replaces elements: ``Condition={...}``, ``Sid="..."``, ``NotAction=[...]``.

    None leaves Action or Resource out.
    """
    whom = {} if principal is None else {"Principal": principal if principal == "*" else _whom(principal)}
    what = {} if action is None else {"Action": action}
    where = {} if resource is None else {"Resource": resource}
    return {"Effect": effect, **whom, **what, **where, **more}


def _whom(principal: Any) -> Any:
    return principal if isinstance(principal, dict) else {"AWS": principal}


def allow(action: Any, principal: Any = None, resource: Any = "*", **more: Any) -> Document:
    return statement("Allow", action, principal, resource, **more)


def deny(action: Any, principal: Any = None, resource: Any = "*", **more: Any) -> Document:
    return statement("Deny", action, principal, resource, **more)


def policy(*statements: Document, version: str | None = "2012-10-17") -> Document:
    return {**({} if version is None else {"Version": version}), "Statement": list(statements)}


#: the account statement: IAM decides
DELEGATES = policy(allow("kms:*", f"arn:aws:iam::{HOME}:root", Sid="Enable IAM User Permissions"))
#: AWS's own policy that allows everything, as it is attached to every level of an organization at first
FULL_ACCESS = policy(allow("*"))


def scenario(
    principal: Document,
    action: str,
    key_policy: Document | None = DELEGATES,
    *identity_policies: Document,
    resource: str = KEY,
    resource_account: str = HOME,
    context: Document | None = None,
    encryption_context: Document | None = None,
    key: Document | None = None,
    params: Document | None = None,
    **layers: Any,
) -> Document:
    """One question; ``layers`` are the other top-level fields, such as ``scps=[[...]]`` or ``grants=[...]``."""
    request: Document = {
        "principal": principal,
        "action": action,
        "resource": resource,
        "resource_account": resource_account,
        "context": context or {},
    }
    for name, value in (("encryption_context", encryption_context), ("key", key), ("params", params)):
        if value is not None:
            request[name] = value
    return {"request": request, "key_policy": key_policy, "identity_policies": list(identity_policies), **layers}


def grant(grantee: str, *operations: str, key: str = KEY, **more: Any) -> Document:
    """A living grant; ``more``: ``constraints={...}``, ``status="pending-consistency"``, ``grant_token="..."`` ..."""
    return {
        "grant_id": "a" * 64,
        "key": key,
        "grantee_principal": grantee,
        "operations": list(operations),
        "constraints": {},
        "retiring_principal": None,
        "status": "active",
        **more,
    }
