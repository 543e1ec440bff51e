"""Lint: what AWS would refuse in a policy, and what is legal and still dangerous or of no use.

Each rule says why, how to mend it and where that is written. A rule that cannot be sure stays silent: the policies that
AWS itself writes, a wildcard *deny* and a ``*`` that is narrowed to callers get no finding.

Not here: the grammar (see ``document``), and whether principals exist (only a world knows that).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from kms_lab.policy import actions, match
from kms_lab.policy.compiled import CompiledStatement, compile_policy
from kms_lab.policy.document import ConditionTest, Kind, PolicyError, Statement
from kms_lab.policy.evaluate import CROSS_ACCOUNT_ACTIONS

REFUSED, DANGEROUS, USELESS = "refused", "dangerous", "useless"

#: Source: AWS KMS Developer Guide, "Resource quotas"
POLICY_BYTES = 32_768

_KMS = "AWS KMS Developer Guide"
_IAM = "IAM User Guide"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing worth changing.

    Attributes:
        code: stable name of the rule.
        severity: ``refused`` (AWS takes no such policy), ``dangerous`` or ``useless``.
        statement: which statement, in words: ``statement "Sid"`` or ``statement 2``; ``the policy`` for the whole.
        message: what was seen.
        why: what goes wrong because of it.
        fix: the smallest change that mends it.
        source: where AWS says so.
    """

    code: str
    severity: str
    statement: str
    message: str
    why: str
    fix: str
    source: str


@dataclass(frozen=True, slots=True)
class _Seen:
    """A statement under review."""

    source: Statement
    compiled: CompiledStatement
    kind: Kind
    account: str
    version: str

    @property
    def allows(self) -> bool:
        return not self.compiled.deny

    def covers(self, *names: str) -> bool:
        """Whether it covers every one of these permissions, given without ``kms:``."""
        return all(self.compiled.covers_action(f"kms:{name}".lower()) for name in names)

    def covered(self) -> list[str]:
        """The permissions of KMS that it covers, without ``kms:``."""
        return [name for action in actions.all_actions() if self.covers(name := action.removeprefix("kms:"))]

    def conditions_on(self, *starts: str) -> Iterator[ConditionTest]:
        return (test for test in self.source.conditions if test.key.lower().startswith(starts))

    def finding(self, code: str, severity: str, message: str, why: str, fix: str, source: str) -> Finding:
        return Finding(code, severity, self.source.name, message, why, fix, source)


def lint(document: str | Mapping[str, object], kind: Kind = "key", account: str = "") -> list[Finding]:
    """Return what is wrong with a policy: what AWS refuses first, then the rest in reading order.

    Args:
        document: the policy, as JSON text or already decoded.
        kind: what it is for, such as ``"key"`` or ``"identity"``.
        account: the account that owns the key. Without it, nothing is said about lock-outs and other accounts.
    """
    text = document if isinstance(document, str) else json.dumps(document)
    found = list(_text(text)) if kind == "key" else []
    try:
        policy = compile_policy(text, kind)
    except PolicyError as error:
        return found + [_malformed(problem) for problem in error.problems]
    seen = [_Seen(one.source, one, kind, account, policy.document.version) for one in policy.statements]
    if kind == "key":
        found += _lockout(seen, account)
    return found + [finding for one in seen for rule in _RULES for finding in rule(one)]


# ---------------------------------------------------------------------------------------------------------
# The whole policy
# ---------------------------------------------------------------------------------------------------------


def _malformed(problem: str) -> Finding:
    return Finding(
        "malformed",
        REFUSED,
        "the policy",
        problem,
        "AWS refuses a policy that breaks the grammar (MalformedPolicyDocumentException for a key policy).",
        "Mend what the message names.",
        f'{_IAM}, "Grammar of the IAM JSON policy language"',
    )


def _text(text: str) -> Iterator[Finding]:
    size = len(text.encode(errors="surrogatepass"))
    if size > POLICY_BYTES:
        yield Finding(
            "too-large",
            REFUSED,
            "the policy",
            f"The policy has {size} bytes.",
            f"A key policy has at most {POLICY_BYTES} bytes; the limit cannot be raised.",
            "Move what can be said in identity policies there, or use grants.",
            f'{_KMS}, "Resource quotas"',
        )
    odd = sorted({char for char in text if not (char in "\t\n\r" or " " <= char <= "\u00ff")})
    if odd:
        yield Finding(
            "bad-characters",
            REFUSED,
            "the policy",
            f"The policy has characters that a key policy cannot have: {', '.join(map(ascii, odd[:5]))}.",
            "A key policy is printable text from U+0020 to U+00FF, with tabs, line feeds and carriage returns.",
            "Replace them; typographic quotes and dashes are the usual ones.",
            f'{_KMS}, "Creating a key policy"',
        )


def _lockout(seen: list[_Seen], account: str) -> Iterator[Finding]:
    """Whether anybody of the key's account can still change the policy."""
    writers = [one for one in seen if one.allows and one.covers("PutKeyPolicy") and _reaches_account(one, account)]
    closed = [
        one
        for one in seen
        if not one.allows and one.covers("PutKeyPolicy") and not one.source.conditions and _is_for_all(one)
        and one.compiled.any_resource
    ]  # fmt: skip
    if account and (closed or not writers):
        because = f"{closed[0].source.name} denies it to everyone" if closed else "no statement allows it"
        yield Finding(
            "lockout",
            REFUSED,
            closed[0].source.name if closed else "the policy",
            f"Nobody of account {account} could change this policy again: {because}.",
            "KMS refuses it, unless its safety check is bypassed; then only AWS Support can make the key manageable.",
            'Allow kms:PutKeyPolicy to an administrator, or "kms:*" to the account '
            f"(arn:aws:iam::{account}:root), so that IAM policies can.",
            "AWS KMS API Reference, PutKeyPolicy, BypassPolicyLockoutSafetyCheck",
        )


def _reaches_account(one: _Seen, account: str) -> bool:
    principals = one.source.principals
    if principals is None or one.source.not_principal or principals.everyone:
        return True
    return any(f"::{account}:" in name for name in principals.aws)


def _is_for_all(one: _Seen) -> bool:
    return one.source.principals is not None and one.source.principals.everyone and not one.source.not_principal


# ---------------------------------------------------------------------------------------------------------
# Who: principals
# ---------------------------------------------------------------------------------------------------------

#: Conditions that keep callers out who are nobody's, when they ask for a value.
_NARROWING = (
    *("kms:calleraccount", "aws:principalaccount", "aws:principalorgid", "aws:principalorgpaths", "aws:principalarn"),
    *("aws:userid", "aws:username", "aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths"),
    *("aws:sourcevpce", "aws:sourcevpc", "aws:principaltag/"),
)
#: A condition on a key that starts with one of these keeps a service from acting for a stranger. The last
#: is how CloudWatch Logs and CloudTrail say for which of your resources they act.
_SOURCE_KEYS = ("aws:sourcearn", "aws:sourceaccount", "aws:sourceorg", "kms:encryptioncontext:aws:")


def _everyone(one: _Seen) -> Iterator[Finding]:
    principals = one.source.principals
    if not one.allows or principals is None or one.kind != "key":
        return
    if not (one.source.not_principal or principals.everyone):
        return
    if any(_asks_for_a_value(test) for test in one.conditions_on(*_NARROWING)):
        return
    through = any(one.conditions_on("kms:viaservice"))
    yield one.finding(
        "open-to-everyone",
        DANGEROUS,
        "The statement allows every principal of every AWS account"
        + (", as long as the call comes through a service." if through else "."),
        "kms:ViaService names the service, not whose it is: a stranger's call through it counts as well."
        if through
        else "Anybody whose own account lets them call KMS can use the key.",
        "Name the principals, or add a condition such as kms:CallerAccount or aws:PrincipalOrgID.",
        f'{_KMS}, "Creating a key policy", Principal',
    )


def _asks_for_a_value(test: ConditionTest) -> bool:
    """Whether a condition is met only by requests that have the key, with a value of the list."""
    qualifier, bare, if_exists = test.parts()
    return not (if_exists or qualifier == "ForAllValues" or "Not" in bare or bare == "Null")


def _not_principal(one: _Seen) -> Iterator[Finding]:
    if not one.source.not_principal or one.source.principals is None:
        return
    if one.allows:
        yield one.finding(
            "allow-not-principal",
            DANGEROUS,
            "NotPrincipal stands in a statement that allows.",
            "It means everybody in the world but those listed; AWS does not support it.",
            "List those who may in Principal.",
            f'{_IAM}, "NotPrincipal"',
        )
        return
    accounts = one.source.principals.accounts()
    alone = [arn for arn in one.source.principals.aws if arn.startswith("arn:") and arn.split(":")[4] not in accounts]
    if alone:
        yield one.finding(
            "not-principal-without-account",
            DANGEROUS,
            f"NotPrincipal lists {alone[0]}, but not its account.",
            "The deny may then hit those that it lists, too: the whole account that they belong to is denied.",
            'Deny Principal "*" with the condition ArnNotEquals on aws:PrincipalArn instead; it does what is meant, for'
            " principals with a permissions boundary too.",
            f'{_IAM}, "NotPrincipal"',
        )


def _confused_deputy(one: _Seen) -> Iterator[Finding]:
    principals = one.source.principals
    if not one.allows or principals is None or not principals.services or one.source.not_principal:
        return
    if any(_asks_for_a_value(test) for test in one.conditions_on(*_SOURCE_KEYS)):
        return
    services = ", ".join(principals.services)
    yield one.finding(
        "service-without-source",
        DANGEROUS,
        f"{services} may act, whoever it acts for.",
        "Another customer could make the service use your key (the confused deputy).",
        "Add a condition on aws:SourceArn or aws:SourceAccount. Some services do not send these keys with"
        " every call: look at the service's own page first.",
        f'{_IAM}, "The confused deputy problem"',
    )


def _service_conditions(one: _Seen) -> Iterator[Finding]:
    """Conditions on the caller's account or service in a statement that is for services alone.

    Not here: ``aws:PrincipalAccount``, which AWS has in every request, and of which it does not say what services give.
    """
    principals = one.source.principals
    if principals is None or one.source.not_principal or not principals.services or principals.aws:
        return
    if principals.everyone or not one.allows:
        return
    for test in one.conditions_on("kms:viaservice", "kms:calleraccount", "aws:principalorgid"):
        if _asks_for_a_value(test):
            yield one.finding(
                "never-set-for-services",
                USELESS,
                f"{test.key} is never set when a service acts as itself.",
                "The statement can never match.",
                "Use aws:SourceArn, aws:SourceAccount or aws:SourceOrgID, which say for whom the service acts.",
                f'{_IAM}, "AWS global condition context keys"; {_KMS}, "kms:ViaService"',
            )


def _administrator_uses(one: _Seen) -> Iterator[Finding]:
    principals = one.source.principals
    if not one.allows or principals is None or one.source.not_principal or one.kind != "key":
        return
    named = [name for name in principals.aws if not name.endswith(":root")]
    used = sorted(name for name in actions.CRYPTOGRAPHIC if one.covers(name))
    if named and used and one.covers("PutKeyPolicy"):
        yield one.finding(
            "administrator-uses",
            DANGEROUS,
            f"{named[0]} may both change the policy and use the key ({used[0]}).",
            "Who manages a key need not read what it protects; one stolen identity then does both.",
            "Split it: one statement for administration, another for use, for different principals.",
            f'{_KMS}, "Default key policy", key administrators and key users',
        )


def _not_across_accounts(one: _Seen) -> Iterator[Finding]:
    """What is allowed to other accounts only, and works for none of them."""
    principals = one.source.principals
    if not (one.allows and one.account and principals and principals.aws) or one.kind != "key":
        return
    if principals.everyone or principals.services or one.source.not_principal or one.source.not_action:
        return
    if any(f"::{one.account}:" in name or not name.startswith("arn:") for name in principals.aws):
        return
    for action in one.source.actions or ():
        covered = [name for name in actions.all_actions() if match.action([action])(name.lower())]
        if covered and not any(name.lower() in CROSS_ACCOUNT_ACTIONS for name in covered):
            yield one.finding(
                "not-across-accounts",
                USELESS,
                f"{action} is allowed to another account, where it never works.",
                "KMS takes no such call on a key of another account, whatever the policies say.",
                "Drop it, or let the other account assume a role in the key's account.",
                f'{_KMS}, "Allowing users in other accounts to use a KMS key"',
            )


# ---------------------------------------------------------------------------------------------------------
# What: actions and resources
# ---------------------------------------------------------------------------------------------------------


def _actions(one: _Seen) -> Iterator[Finding]:
    for action in one.source.actions or ():
        service = action.partition(":")[0].lower()
        if service not in ("kms", "*"):
            if one.kind == "key":
                yield _action(one, "other-service", f"{action} is no action of KMS.", "A key policy is about this key.")
        elif service == "kms" and not any(map(match.action([action]), map(str.lower, actions.all_actions()))):
            yield _action(
                one,
                "unknown-action",
                f"No KMS action is called {action}.",
                "Permissions are named after operations, but ReEncrypt is kms:ReEncryptFrom and kms:ReEncryptTo.",
            )
        elif one.kind == "key" and action.partition(":")[2].lower() in map(str.lower, actions.WITHOUT_KEY):
            yield _action(
                one,
                "needs-no-key",
                f"{action} is about no key, so a key policy has no say in it.",
                "Allow it in an identity policy.",
            )


def _action(one: _Seen, code: str, message: str, fix: str) -> Finding:
    return one.finding(
        code,
        USELESS,
        message,
        "The entry matches nothing, so it neither allows nor denies anything.",
        fix,
        f'{_KMS}, "AWS KMS permissions"',
    )


def _retire_grant(one: _Seen) -> Iterator[Finding]:
    if one.kind == "key" and any(action.lower() == "kms:retiregrant" for action in one.source.actions or ()):
        yield one.finding(
            "retire-grant",
            USELESS,
            "kms:RetireGrant stands in a key policy.",
            "The grant itself says who may retire it; a key policy neither allows nor denies it.",
            "Name a retiring principal when the grant is made; use kms:RevokeGrant for those who manage the key.",
            f'{_KMS}, "Retiring and revoking grants"',
        )


def _without_effect(one: _Seen) -> Iterator[Finding]:
    for element, value in (("Resource", one.source.resources), ("Action", one.source.actions)):
        if value is None:
            yield one.finding(
                f"no-{element.lower()}",
                USELESS,
                f"The statement has no {element}.",
                "It can never match, so it has no effect at all. The API takes it; the console reports an error.",
                'Add "Resource": "*", which in a key policy means this key.'
                if element == "Resource"
                else "Add the actions it is about.",
                "AWS KMS API Reference, PutKeyPolicy, Policy",
            )


def _allow_all_but(one: _Seen) -> Iterator[Finding]:
    if one.allows and one.source.not_action and one.kind in ("key", "identity"):
        yield one.finding(
            "allow-not-action",
            DANGEROUS,
            "NotAction stands in a statement that allows.",
            "It allows everything but what is listed, and what AWS adds to the service later.",
            "List in Action what is wanted.",
            f'{_IAM}, "NotAction"',
        )


def _alias_resource(one: _Seen) -> Iterator[Finding]:
    if _means_the_alias(one.source):
        return
    for resource in one.source.resources or ():
        if ":alias/" in resource:
            yield one.finding(
                "alias-as-resource",
                USELESS,
                f"{resource} is the ARN of an alias.",
                "As a Resource it means the alias itself, never the key behind it.",
                "Name the key's ARN, or use the condition kms:RequestAlias or kms:ResourceAliases.",
                f'{_KMS}, "Use aliases to control access to KMS keys"',
            )


_ALIAS_ACTIONS = ("kms:createalias", "kms:updatealias", "kms:deletealias")


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


def _variables(one: _Seen) -> Iterator[Finding]:
    texts = [*(one.source.resources or ()), *(value for test in one.source.conditions for value in test.values)]
    if one.version != "2012-10-17" and any("${" in text for text in texts):
        yield one.finding(
            "variables-need-2012",
            USELESS,
            f"A policy variable stands in a policy of version {one.version}.",
            "There ${...} is plain text, so it matches nothing that is meant.",
            'Set "Version": "2012-10-17".',
            f'{_IAM}, "Version"',
        )


# ---------------------------------------------------------------------------------------------------------
# When: conditions
# ---------------------------------------------------------------------------------------------------------


def _conditions(one: _Seen) -> Iterator[Finding]:
    for test in one.source.conditions:
        for rule in (_condition_key, _for_all_values, _absent_factor, _if_exists, _literal_star, _unreadable, _form):
            yield from rule(one, test)


def _condition_key(one: _Seen, test: ConditionTest) -> Iterator[Finding]:
    name = test.key.lower()
    if not name.startswith("kms:"):
        return
    if one.kind == "key" and name == "kms:resourcealiases":
        yield _never(
            one, f"{test.key} works in IAM policies only; a key policy never sees it.", "Use kms:RequestAlias."
        )
        return
    try:
        permissions = actions.set_with(name)
    except LookupError:
        yield one.finding(
            "unknown-condition-key",
            USELESS,
            f"KMS has no condition key {test.key}.",
            "It is absent from every request.",
            "Correct the name.",
            f'{_KMS}, "AWS KMS condition keys"',
        )
        return
    if permissions is not None and not permissions.intersection(one.covered()):
        told = ", ".join(sorted(permissions)[:3])
        more = " ..." if len(permissions) > 3 else ""
        yield _never(one, f"{test.key} is only set for {told}{more}.", "Put it into a statement for those actions.")


def _never(one: _Seen, message: str, fix: str) -> Finding:
    return one.finding(
        "condition-cannot-apply",
        USELESS,
        message,
        "With these actions the key is always absent: the condition is then always met, or never.",
        fix,
        f'{_KMS}, "AWS KMS condition keys"',
    )


def _for_all_values(one: _Seen, test: ConditionTest) -> Iterator[Finding]:
    if not one.allows or not test.operator.startswith("ForAllValues:"):
        return
    name = test.key.lower()
    guarded = any(
        other.key.lower() == name
        and (other.operator.startswith("ForAnyValue:") or (other.parts()[1] == "Null" and other.values == ("false",)))
        for other in one.source.conditions
    )
    if not guarded:
        yield one.finding(
            "for-all-values",
            DANGEROUS,
            f"ForAllValues is also met by requests without {test.key}.",
            "All values of nothing fit anything, so that a request which leaves the key out is allowed.",
            f'Add "Null": {{"{test.key}": "false"}}, or use ForAnyValue beside it.',
            f'{_IAM}, "Single-valued vs. multivalued context keys"',
        )


def _absent_factor(one: _Seen, test: ConditionTest) -> Iterator[Finding]:
    is_factor = test.key.lower() == "aws:multifactorauthpresent"
    if is_factor and not one.allows and test.operator == "Bool" and test.values == ("false",):
        yield one.finding(
            "mfa-absent",
            DANGEROUS,
            "The deny misses callers with long-term access keys.",
            "With those, aws:MultiFactorAuthPresent is not false but absent, and Bool is not met by an absent key.",
            "Use BoolIfExists.",
            f'{_IAM}, "AWS global condition context keys", aws:MultiFactorAuthPresent',
        )


def _if_exists(one: _Seen, test: ConditionTest) -> Iterator[Finding]:
    if one.allows and test.parts()[2] and test.key.lower().startswith(_NARROWING):
        yield one.finding(
            "if-exists",
            DANGEROUS,
            f"{test.operator} is also met by requests without {test.key}.",
            "A condition that is to keep others out must not be met by whom it cannot tell.",
            f"Use {test.operator.removesuffix('IfExists')}.",
            f'{_IAM}, "IAM JSON policy elements: Condition operators", ...IfExists',
        )


def _literal_star(one: _Seen, test: ConditionTest) -> Iterator[Finding]:
    if test.parts()[1] not in ("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase"):
        return
    for value in test.values:
        if "*" in value.replace("${*}", "") and "${" not in value.replace("${*}", ""):
            yield one.finding(
                "literal-star",
                USELESS,
                f'In {test.operator}, "{value}" means the asterisk itself.',
                "Wildcards work in StringLike and in the ARN operators only.",
                f"Use {test.operator.replace('EqualsIgnoreCase', 'Like').replace('Equals', 'Like')}.",
                f'{_IAM}, "IAM JSON policy elements: Condition operators"',
            )


def _unreadable(one: _Seen, test: ConditionTest) -> Iterator[Finding]:
    bare = test.parts()[1]
    for value in test.values:
        if "${" not in value and not match.readable(bare, value):
            yield one.finding(
                "unreadable-value",
                USELESS,
                f'"{value}" is nothing that {test.operator} can compare.',
                "It matches no request.",
                "Correct the value, or choose another operator.",
                f'{_IAM}, "IAM JSON policy elements: Condition operators"',
            )


def _form(one: _Seen, test: ConditionTest) -> Iterator[Finding]:
    """Values of well-known keys that are never of this form."""
    if test.parts()[1] not in ("StringEquals", "StringLike"):
        return
    name = test.key.lower()
    for value in test.values:
        if "*" in value or "?" in value or "${" in value:
            continue
        services = name == "kms:viaservice" and value.count(".") < 3
        account = name in ("kms:calleraccount", "aws:principalaccount", "aws:sourceaccount") and not (
            value.isdigit() and len(value) == 12
        )
        if services or account:
            yield one.finding(
                "odd-value",
                USELESS,
                f'{test.key} is never "{value}".',
                "It matches no request.",
                "Write the service with its Region, such as s3.eu-west-1.amazonaws.com."
                if services
                else "Write the account's twelve digits.",
                f'{_KMS}, "AWS KMS condition keys"; {_IAM}, "AWS global condition context keys"',
            )


def _contradiction(one: _Seen) -> Iterator[Finding]:
    """Two conditions on one single-valued key that no value meets."""
    tests = [test for test in one.source.conditions if test.key.lower() not in actions.MULTIVALUED]
    for test in tests:
        if test.operator != "StringEquals" or any("${" in value for value in test.values):
            continue
        for other in tests:
            if other is test or other.key.lower() != test.key.lower():
                continue
            condition = match.condition(other, variables=True)
            if not any(condition.holds({test.key.lower(): value}) for value in test.values):
                yield one.finding(
                    "never-matches",
                    USELESS,
                    f"StringEquals and {other.operator} on {test.key} exclude each other.",
                    "All conditions of a statement must be met, so the statement can never match.",
                    "Make two statements of it, or drop one condition.",
                    f'{_IAM}, "Conditions with multiple context keys or values"',
                )


_RULES: tuple[Callable[[_Seen], Iterator[Finding]], ...] = (
    _without_effect,
    _actions,
    _retire_grant,
    _everyone,
    _not_principal,
    _confused_deputy,
    _service_conditions,
    _administrator_uses,
    _not_across_accounts,
    _allow_all_but,
    _alias_resource,
    _variables,
    _conditions,
    _contradiction,
)
