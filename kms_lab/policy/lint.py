"""Lint: what is legal in a policy and still wrong.

Each rule says why, how to mend it and where that is written. A rule that cannot be sure stays silent: the
default key policies, a wildcard *deny* and a ``*`` that is narrowed by a condition get no finding.

Not here: grammar (see ``document``; a document that does not parse cannot be linted).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from kms_lab.policy import match
from kms_lab.policy.document import Kind, Statement, parse


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing worth changing.

    Attributes:
        code: stable name of the rule.
        statement: which statement, in words: ``statement "Sid"`` or ``statement 2``.
        message: what was seen.
        why: what goes wrong because of it.
        fix: the smallest change that mends it.
        source: where AWS says so.
    """

    code: str
    statement: str
    message: str
    why: str
    fix: str
    source: str


#: A condition on a key that starts with one of these keeps a service from acting for a stranger. The last
#: is how CloudWatch Logs and CloudTrail say for which of your resources they act.
_SOURCE_KEYS = ("aws:sourcearn", "aws:sourceaccount", "aws:sourceorg", "kms:encryptioncontext:aws:")
_ALIAS_ACTIONS = ("kms:createalias", "kms:updatealias", "kms:deletealias")


def lint(text: str, kind: Kind, actions: frozenset[str]) -> list[Finding]:
    """Return what is wrong with a policy, in reading order.

    Args:
        text: the policy as JSON.
        kind: ``"key"`` or ``"identity"``.
        actions: every action that exists, such as ``kms:Encrypt``.

    Raises:
        PolicyError: the text is no policy.
    """
    known = frozenset(action.lower() for action in actions)
    return [
        finding
        for statement in parse(text, kind).statements
        for rule in (
            _unknown_action(statement, known),
            _without_effect(statement),
            _everyone(statement),
            _confused_deputy(statement),
            _alias_resource(statement),
        )
        for finding in rule
    ]


def _unknown_action(statement: Statement, known: frozenset[str]) -> Iterator[Finding]:
    for action in statement.actions or ():
        service = action.partition(":")[0].lower()
        if service != "kms" or any(map(match.action([action]), known)):
            continue
        yield Finding(
            code="unknown-action",
            statement=statement.name,
            message=f"No KMS action is called {action}.",
            why="The entry matches nothing, so it neither allows nor denies anything.",
            fix="Correct the name; permissions are named after operations, but ReEncrypt is kms:ReEncryptFrom"
            " and kms:ReEncryptTo.",
            source='AWS KMS Developer Guide, "AWS KMS permissions"',
        )


def _without_effect(statement: Statement) -> Iterator[Finding]:
    for element, value in (("Resource", statement.resources), ("Action", statement.actions)):
        if value is None:
            yield Finding(
                code=f"no-{element.lower()}",
                statement=statement.name,
                message=f"The statement has no {element}.",
                why="KMS accepts it, but it can never match: it has no effect at all.",
                fix='Add "Resource": "*", which in a key policy means this key.'
                if element == "Resource"
                else "Add the actions it is about.",
                source='AWS KMS Developer Guide, "Creating a key policy"',
            )


def _everyone(statement: Statement) -> Iterator[Finding]:
    principals = statement.principals
    if statement.effect != "Allow" or principals is None or statement.conditions:
        return
    if statement.not_principal or principals.everyone:
        yield Finding(
            code="open-to-everyone",
            statement=statement.name,
            message="The statement allows every principal of every AWS account, without a condition.",
            why="Anybody whose own account lets them call KMS can use the key.",
            fix="Name the principals, or add a condition such as kms:CallerAccount or aws:PrincipalOrgID.",
            source='AWS KMS Developer Guide, "Creating a key policy", Principal',
        )


def _confused_deputy(statement: Statement) -> Iterator[Finding]:
    if statement.effect != "Allow" or statement.principals is None or not statement.principals.services:
        return
    if any(test.key.lower().startswith(_SOURCE_KEYS) for test in statement.conditions):
        return
    services = ", ".join(statement.principals.services)
    yield Finding(
        code="service-without-source",
        statement=statement.name,
        message=f"{services} may act, whoever it acts for.",
        why="Another customer could make the service use your key (the confused deputy).",
        fix="Add a condition on aws:SourceArn or aws:SourceAccount. Some services do not send these keys with"
        " every call: look at the service's own page first.",
        source='IAM User Guide, "The confused deputy problem"',
    )


def _alias_resource(statement: Statement) -> Iterator[Finding]:
    if _means_the_alias(statement):
        return
    for resource in statement.resources or ():
        if ":alias/" not in resource:
            continue
        yield Finding(
            code="alias-as-resource",
            statement=statement.name,
            message=f"{resource} is the ARN of an alias.",
            why="As a Resource it means the alias itself, never the key behind it.",
            fix="Name the key's ARN, or use the condition kms:RequestAlias or kms:ResourceAliases.",
            source='AWS KMS Developer Guide, "Using aliases to control access to KMS keys"',
        )


def _means_the_alias(statement: Statement) -> bool:
    """Whether the alias may well be meant: only alias operations, or alias operations and a key besides."""
    if statement.not_action or statement.not_resource or statement.actions is None:
        return True
    if all(action.lower().endswith("alias") for action in statement.actions):
        return True
    manages = match.action(statement.actions)
    return any(manages(action) for action in _ALIAS_ACTIONS) and any(
        ":alias/" not in resource for resource in statement.resources or ()
    )
