"""Where iam-simulate is known to answer otherwise than AWS's text says, and how to recognize such a case.

``docs/simulators.md`` shows this table to users. A disagreement that no row explains is news: read AWS's page, then
either mend the case or add a row.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Scenario = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What iam-simulate said.

    Attributes:
        result: ``Allowed``, ``ExplicitlyDenied``, ``ImplicitlyDenied``, or None where it took no question.
        ignored: the condition keys that it left out before it looked at the policies.
        error: why it took no question.
    """

    result: str | None
    ignored: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class Departure:
    """One rule, and the cases in which it shows.

    Attributes:
        what: the rule, in a few words.
        peer: what iam-simulate does.
        aws: what AWS's text says.
        source: the page.
        fits: is this case about the rule?
        told: iam-simulate has an input for what the rule depends on; without one it cannot know better.
    """

    what: str
    peer: str
    aws: str
    source: str
    fits: Callable[[Scenario, str, Answer], bool]
    told: bool = True


# ----------------------------------------------------------------------------------------------- looking at a scenario


def _type(scenario: Scenario) -> str:
    return str(scenario["request"]["principal"]["type"])


def _checks(scenario: Scenario) -> list[Scenario]:
    """The requests of an operation, the main one first."""
    return [scenario["request"], *scenario.get("also", ())]


def _policies(scenario: Scenario) -> list[Scenario]:
    """Every policy document of a scenario."""
    one = [scenario.get(name) for name in ("key_policy", "permissions_boundary", "session_policy", "vpce_policy")]
    many = [*scenario.get("identity_policies", ())]
    many += [policy for name in ("scps", "rcps") for level in scenario.get(name, ()) for policy in level]
    many += [check.get("key_policy") for check in scenario.get("also", ())]
    return [policy for policy in (*one, *many) if policy]


def _statements(policy: Scenario | None) -> list[Scenario]:
    found = (policy or {}).get("Statement", [])
    return found if isinstance(found, list) else [found]


def _key_statements(scenario: Scenario) -> list[Scenario]:
    policies = [scenario.get("key_policy"), *(check.get("key_policy") for check in scenario.get("also", ()))]
    return [statement for policy in policies for statement in _statements(policy)]


def _principals(scenario: Scenario) -> list[str]:
    """What key policies name, as texts."""
    named: list[str] = []
    for statement in _key_statements(scenario):
        whom = statement.get("Principal", {})
        values = whom.values() if isinstance(whom, dict) else [whom]
        for value in values:
            named += value if isinstance(value, list) else [value]
    return named


def _resources(scenario: Scenario) -> list[str]:
    found: list[str] = []
    for policy in scenario.get("identity_policies", ()):
        for statement in _statements(policy):
            value = statement.get("Resource", [])
            found += value if isinstance(value, list) else [value]
    return found


def _wanted(scenario: Scenario) -> list[tuple[str, str]]:
    """Every operator of a condition with each of its values."""
    return [
        (operator, str(value))
        for policy in _policies(scenario)
        for statement in _statements(policy)
        for operator, keys in statement.get("Condition", {}).items()
        for values in keys.values()
        for value in (values if isinstance(values, list) else [values])
    ]


def _has_path(scenario: Scenario) -> bool:
    role = scenario["request"]["principal"].get("role_arn", "")
    return role.partition(":role/")[2].count("/") > 0


def _service_linked(scenario: Scenario) -> bool:
    return ":role/aws-service-role/" in scenario["request"]["principal"].get("role_arn", "")


def _session(scenario: Scenario) -> bool:
    return _type(scenario) in ("role-session", "federated-user")


def _says(scenario: Scenario, text: str) -> bool:
    return any(text.lower() in str(policy).lower() for policy in _policies(scenario))


def _has_variable_without_value(scenario: Scenario) -> bool:
    present = {name.lower() for name in scenario["request"]["context"]}
    names = re.findall(r"\$\{([^},]+)\}", " ".join(str(policy) for policy in _policies(scenario)))
    return any(name.lower() not in present for name in names if name not in "*?$")


def is_pair(name: str) -> bool:
    return name.lower().startswith("kms:encryptioncontext:")


def _old(policy: Scenario) -> bool:
    return policy.get("Version", "2008-10-17") == "2008-10-17"


# ------------------------------------------------------------------------------------------------------- the table

_KMS, _IAM = "KMS Developer Guide", "IAM User Guide"

DEPARTURES = (
    Departure(
        "Operations that stop at the account's border",
        "allowed, if both policies allow",
        "refused, whatever the policies say",
        f"{_KMS}, AWS KMS permissions (column Cross-account use)",
        lambda scenario, reason, answer: reason == "not-cross-account" and answer.result == "Allowed",
    ),
    Departure(
        "`kms:EncryptionContext:KEY`",
        "removed from the request before the policies are read, so allows fail and denies do not bite",
        "a condition key of every symmetric operation and of CreateGrant",
        f"{_KMS}, AWS KMS condition keys",
        lambda scenario, reason, answer: any(is_pair(name) and _says(scenario, name) for name in answer.ignored),
    ),
    Departure(
        "The root user as caller",
        "needs an identity policy, as a user does",
        "the account principal includes the root user, and nothing is denied to it by silence",
        f"{_KMS}, Default key policy; {_IAM}, Policy evaluation logic",
        lambda scenario, reason, answer: _type(scenario) == "root-user" and answer.result == "ImplicitlyDenied",
    ),
    Departure(
        "A session policy that is silent, where the key policy names the session",
        "blocks",
        "does not limit what the key policy gives to the session itself, or to a role by `aws:PrincipalArn` under `*`",
        f"{_IAM}, Policy evaluation logic; AWS JSON policy elements: Principal",
        lambda scenario, reason, answer: (
            _session(scenario)
            and bool(scenario.get("session_policy"))
            and reason == "key-policy"
            and answer.result == "ImplicitlyDenied"
            and not _behind(scenario)
        ),
    ),
    Departure(
        "A federated user session without a session policy",
        "has what the user has",
        "has no permissions of its own: only what a resource's policy gives to the session",
        "STS API Reference, GetFederationToken",
        lambda scenario, reason, answer: (
            _type(scenario) == "federated-user"
            and not scenario.get("session_policy")
            and reason == "session-policy"
            and answer.result == "Allowed"
        ),
    ),
    Departure(
        "`NotPrincipal` with `Deny`",
        "spares everybody in an account that is listed, and whoever is listed without the account",
        "denies all but those listed; list the identity and its account",
        f"{_IAM}, AWS JSON policy elements: NotPrincipal (the page says might deny: unverified)",
        lambda scenario, reason, answer: (
            reason == "explicit-deny" and any("NotPrincipal" in one for one in _key_statements(scenario))
        ),
    ),
    Departure(
        "A key policy statement without `Resource`",
        "applies to the key",
        "has no effect",
        f"{_KMS}, Creating a key policy",
        lambda scenario, reason, answer: any(
            "Resource" not in one and "NotResource" not in one for one in _key_statements(scenario)
        ),
    ),
    Departure(
        "A key ID in `Resource` of an identity policy",
        "means the key",
        "only the key ARN does",
        f"{_KMS}, Specifying KMS keys in IAM policy statements",
        lambda scenario, reason, answer: any(
            value != "*" and not value.startswith("arn:") for value in _resources(scenario)
        ),
    ),
    Departure(
        "`kms:ResourceAliases` and `aws:ResourceTag` in a key policy",
        "evaluated",
        "IAM policies only, so never met in a key policy",
        f"{_KMS}, ABAC for AWS KMS (that they are never met: unverified)",
        lambda scenario, reason, answer: (
            answer.result != "ImplicitlyDenied"
            and any(
                name in str(one.get("Condition", ""))
                for one in _key_statements(scenario)
                for name in ("kms:ResourceAliases", "aws:ResourceTag/")
            )
        ),
    ),
    Departure(
        "Condition keys that its data for KMS lacks",
        "removed from the request before the policies are read",
        "`kms:CustomerMasterKeySpec` and `...Usage` go on working, `kms:PolicyName` is new, providers' keys count",
        f"{_KMS}, AWS KMS condition keys; Service Authorization Reference",
        lambda scenario, reason, answer: any(not is_pair(name) and _says(scenario, name) for name in answer.ignored),
    ),
    Departure(
        "Seconds since 1970 against an ISO 8601 date",
        "compared as seconds with milliseconds",
        "both are times, in either form",
        f"{_IAM}, IAM JSON policy elements: Condition operators, Date condition operators",
        lambda scenario, reason, answer: any(
            value.isdigit() for operator, value in _wanted(scenario) if operator.startswith("Date")
        ),
    ),
    Departure(
        "Set operators on an empty text",
        "a value like another",
        "no value: ForAllValues is met, ForAnyValue is not",
        f"{_IAM}, Set operators for multivalued context keys",
        lambda scenario, reason, answer: (
            "" in scenario["request"]["context"].values()
            and any(operator.startswith("For") for operator, _ in _wanted(scenario))
        ),
    ),
    Departure(
        "`Null` on an empty list",
        "present",
        "no value, so null",
        f"{_IAM}, IAM JSON policy elements: Condition operators",
        lambda scenario, reason, answer: (
            [] in scenario["request"]["context"].values()
            and any(operator.startswith("Null") for operator, _ in _wanted(scenario))
        ),
    ),
    Departure(
        "SCPs and service principals",
        "bound, when SCPs are given",
        "SCPs bind the users and roles of member accounts only",
        "Organizations User Guide, Service control policies",
        lambda scenario, reason, answer: _type(scenario) == "service" and bool(scenario.get("scps")),
    ),
    Departure(
        "SCPs and RCPs and service-linked roles",
        "bound",
        "exempt",
        "Organizations User Guide, Service control policies; Resource control policies",
        lambda scenario, reason, answer: (
            _service_linked(scenario)
            and bool(scenario.get("scps") or scenario.get("rcps"))
            and answer.result != "Allowed"
        ),
        told=False,
    ),
    Departure(
        "RCPs and AWS managed keys",
        "bound",
        "exempt",
        f"{_KMS}, Resource control policies in AWS KMS",
        lambda scenario, reason, answer: (
            (scenario["request"].get("key") or {}).get("manager") == "AWS"
            and bool(scenario.get("rcps"))
            and answer.result == "ExplicitlyDenied"
        ),
        told=False,
    ),
    Departure(
        "Roles with a path",
        "the session's ARN has no path, so a policy that names the role without it matches",
        "that ARN is another role",
        f"{_IAM}, IAM identifiers",
        lambda scenario, reason, answer: _has_path(scenario) and answer.result == "Allowed",
        told=False,
    ),
    Departure(
        "Unique IDs (`AIDA...`, `AROA...`) in `Principal`",
        "match nobody",
        "stand for the identity they were given to",
        f"{_IAM}, IAM identifiers; AWS JSON policy elements: Principal",
        lambda scenario, reason, answer: any(name.startswith(("AIDA", "AROA")) for name in _principals(scenario)),
        told=False,
    ),
    Departure(
        "The user behind a federated session",
        "unknown, so a key policy that names the user does not match",
        "naming the user serves the session, within its session policy",
        f"{_IAM}, Policy evaluation logic",
        lambda scenario, reason, answer: _behind(scenario) and answer.result == "ImplicitlyDenied",
        told=False,
    ),
    Departure(
        "Tags given with CreateKey",
        "the key's policy is missed, though there is no key yet",
        "`kms:TagResource` in an identity policy is what is needed",
        f"{_KMS}, Customer managed policy examples",
        lambda scenario, reason, answer: (
            scenario["request"]["action"] == "kms:CreateKey"
            and any(check["action"] == "kms:TagResource" for check in _checks(scenario))
        ),
        told=False,
    ),
    Departure(
        "A variable without a value, under a negated operator or in `NotResource`",
        "the statement does not apply",
        "the value is null, to which nothing is equal: negated operators are met, `NotResource` excepts nothing",
        f"{_IAM}, IAM policy elements: Variables and tags, Policy variables with no value",
        lambda scenario, reason, answer: (
            _has_variable_without_value(scenario)
            and (
                any("NotResource" in one for policy in _policies(scenario) for one in _statements(policy))
                or any("Not" in operator and "${" in value for operator, value in _wanted(scenario))
            )
        ),
    ),
    Departure(
        "Variables in a policy of version 2008-10-17",
        "resolved",
        "literal text",
        f"{_IAM}, IAM policy elements: Variables and tags",
        lambda scenario, reason, answer: any(_old(policy) and "${" in str(policy) for policy in _policies(scenario)),
    ),
    Departure(
        "`${*}`, `${?}`, `${$}`",
        "not resolved under operators without wildcards",
        "stand for the character itself",
        f"{_IAM}, IAM policy elements: Variables and tags",
        lambda scenario, reason, answer: any(_says(scenario, text) for text in ("${*}", "${?}", "${$}")),
    ),
)


def _behind(scenario: Scenario) -> bool:
    user = scenario["request"]["principal"].get("user_arn", "")
    return bool(user) and user in _principals(scenario)


def explained(scenario: Scenario, reason: str, answer: Answer) -> Departure | None:
    """Return the row that explains a disagreement, if one does."""
    return next((row for row in DEPARTURES if row.fits(scenario, reason, answer)), None)
