"""Policy documents: JSON text in, plain records out, and every grammar problem said at once.

A document is read for one of five uses. A *key policy* says who may do what with the key it hangs on, so every
statement needs a Principal or NotPrincipal; so does an *endpoint policy*, which hangs on a VPC endpoint. An *identity
policy* hangs on a user, group or role, so no statement may have one; permissions boundaries and session policies are
written alike, and so are service control policies (*SCPs*). A resource control policy (*RCP*) denies, to everyone.

Not here: size limits and whether a principal exists (the service knows those), and what a statement
means (see ``match`` and ``evaluate``).

Source: IAM User Guide, "Grammar of the IAM JSON policy language"; AWS KMS Developer Guide, "Creating a
key policy" (a statement without Resource is accepted by the API and has no effect); AWS Organizations User Guide, "SCP
syntax" and "RCP syntax".
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["key", "identity", "scp", "rcp", "endpoint"]

#: kinds whose statements say to whom they apply
_WITH_PRINCIPAL = frozenset({"key", "rcp", "endpoint"})
_WORDS = {
    "key": "a key policy",
    "identity": "an identity policy",
    "scp": "an SCP",
    "rcp": "an RCP",
    "endpoint": "an endpoint policy",
}

VERSIONS = ("2008-10-17", "2012-10-17")

#: AWS KMS's sentences for what is wrong with a key policy. Source: reports of 2024 and later, a public template checker
NO_PRINCIPAL = "Policy contains a statement with no principal."
INVALID_PRINCIPALS = "Policy contains a statement with one or more invalid principals."

_POLICY_ELEMENTS = frozenset({"Version", "Id", "Statement"})
_STATEMENT_ELEMENTS = frozenset(
    (
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    )
)
_PRINCIPAL_TYPES = ("AWS", "Service", "Federated", "CanonicalUser")
_ACCOUNT = re.compile(r"\d{12}")
_ROOT = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):root")
_AWS_PRINCIPAL = re.compile(
    r"arn:aws[a-z-]*:(?:iam::\d{12}:(?:root|(?:user|role)/[^*?]+)"
    r"|sts::\d{12}:(?:assumed-role/[^*?/]+/[^*?/]+|federated-user/[^*?]+))"
)
_UNIQUE_ID = re.compile(r"A[A-Z0-9]{15,127}")
_SERVICE = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?")
_ACTION = re.compile(r"\*|[a-zA-Z0-9-]+:[a-zA-Z0-9*?]+")
_IDENTITY_SID = re.compile(r"[A-Za-z0-9]*")
_SINGLE_VALUED_TRAPS = ("kms:encryptioncontext:", "aws:requesttag/")

_ORDERED = ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")

#: Condition operators without qualifier and suffix. ``Null`` takes no ``IfExists``.
OPERATORS = frozenset(
    (
        *("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
        *("StringLike", "StringNotLike", "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"),
        *(f"Numeric{comparison}" for comparison in _ORDERED),
        *(f"Date{comparison}" for comparison in _ORDERED),
        *("Bool", "Null", "IpAddress", "NotIpAddress", "BinaryEquals"),
    )
)


class PolicyError(ValueError):
    """A document that is no policy.

    Attributes:
        problems: every reason, in reading order.
        aws: AWS KMS's sentence for all of them; "" where none was seen, or they have different ones.
    """

    def __init__(self, problems: list[str], aws: str = "") -> None:
        super().__init__(" ".join(problems))
        self.problems = problems
        self.aws = aws


@dataclass(frozen=True, slots=True)
class Principals:
    """Whom a Principal or NotPrincipal element lists.

    Attributes:
        everyone: the element is or contains ``"*"``.
        aws: ARNs of users, roles, sessions and accounts; twelve digits are written out as ``:root``.
        services: service names such as ``logs.us-east-1.amazonaws.com``.
        federated: identity providers.
        canonical: canonical user ids (an S3 notion; it matches nobody here).
    """

    everyone: bool = False
    aws: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    federated: tuple[str, ...] = ()
    canonical: tuple[str, ...] = ()

    def accounts(self) -> tuple[str, ...]:
        """The account ids listed as accounts."""
        return tuple(root[1] for arn in self.aws if (root := _ROOT.fullmatch(arn)))

    def listed(self) -> tuple[str, ...]:
        """Everything listed, for people."""
        everyone = ("*",) if self.everyone else ()
        return everyone + self.aws + self.services + self.federated + self.canonical


@dataclass(frozen=True, slots=True)
class ConditionTest:
    """One line of a Condition element: operator as written, key as written, the values as text."""

    operator: str
    key: str
    values: tuple[str, ...]

    def parts(self) -> tuple[str, str, bool]:
        """Return the qualifier (or ``""``), the bare operator, and whether it ends in ``IfExists``."""
        qualifier, _, rest = self.operator.rpartition(":")
        bare = rest.removesuffix("IfExists")
        return qualifier, bare, bare != rest


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. An element that is absent is None; ``not_*`` tells the Not form.

    ``index`` counts from 1, as people do.
    """

    index: int
    sid: str | None
    effect: str
    principals: Principals | None
    not_principal: bool
    actions: tuple[str, ...] | None
    not_action: bool
    resources: tuple[str, ...] | None
    not_resource: bool
    conditions: tuple[ConditionTest, ...]

    @property
    def name(self) -> str:
        """``statement "Sid"``, or ``statement 2`` where there is no Sid."""
        return f'statement "{self.sid}"' if self.sid else f"statement {self.index}"


@dataclass(frozen=True, slots=True)
class Policy:
    """A document that passed the grammar."""

    kind: Kind
    version: str
    statements: tuple[Statement, ...]

    @property
    def has_variables(self) -> bool:
        """Whether ``${...}`` is a variable: only in version 2012-10-17; before, it is literal text."""
        return self.version == "2012-10-17"


def parse(source: str | Mapping[str, object], kind: Kind) -> Policy:
    """Read a policy document.

    Args:
        source: JSON text, or the same already decoded.
        kind: what the policy is for; boundaries and session policies are of kind ``"identity"``.

    Raises:
        PolicyError: the document breaks the grammar; all problems are listed.
    """
    reader = _Reader(kind)
    data: object = _decode(source, reader.problems) if isinstance(source, str) else source
    policy = reader.policy(data)
    if policy is None or reader.problems:
        sentences = {reader.sentences.get(problem, "") for problem in reader.problems}
        raise PolicyError(reader.problems, sentences.pop() if len(sentences) == 1 else "")
    return policy


def _decode(text: str, problems: list[str]) -> object:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        seen: dict[str, object] = {}
        for name, value in pairs:
            if name in seen:
                problems.append(f"The element {name!r} appears twice in the same object.")
            seen[name] = value
        return seen

    try:
        return json.loads(text, object_pairs_hook=unique)
    except RecursionError:
        problems.append("The document is nested too deeply.")
    except ValueError as error:
        problems.append(f"The document is not JSON: {error}.")
    return None


class _Reader:
    """Walks a decoded document, building records and collecting problems."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.problems: list[str] = []
        self.sentences: dict[str, str] = {}  # AWS's, by the problem that it tells of

    def policy(self, data: object) -> Policy | None:
        if not isinstance(data, Mapping):
            if not self.problems:
                self.problems.append("A policy is a JSON object.")
            return None
        self.unknown("The policy", data, _POLICY_ELEMENTS)
        # An absent Version means 2008-10-17: IAM User Guide, "Version".
        version = data.get("Version", "2008-10-17")
        if version not in VERSIONS:
            self.problems.append(f"Version is {version!r}; it must be one of {' and '.join(VERSIONS)}.")
        if self.kind == "identity" and "Id" in data:
            self.problems.append("An identity policy cannot have an Id.")
        return Policy(self.kind, str(version), tuple(self.statements(data.get("Statement"))))

    def statements(self, data: object) -> Iterator[Statement]:
        items: list[object] = data if isinstance(data, list) else [data]
        if data is None or not items:
            self.problems.append("The policy needs at least one Statement.")
            return
        sids: set[str] = set()
        for index, item in enumerate(items, start=1):
            if not isinstance(item, Mapping):
                self.problems.append(f"Statement {index} is not an object.")
                continue
            statement = self.statement(index, item)
            if statement.sid and statement.sid in sids and self.kind == "identity":
                self.problems.append(f"Statement {index} repeats the Sid {statement.sid!r}.")
            sids.add(statement.sid or "")
            yield statement

    def statement(self, index: int, data: Mapping[str, object]) -> Statement:
        where = f"Statement {index}"
        self.unknown(where, data, _STATEMENT_ELEMENTS)
        sid = data.get("Sid")
        if sid is not None and not isinstance(sid, str):
            self.problems.append(f"{where}: Sid must be text.")
            sid = None
        if sid and self.kind == "identity" and not _IDENTITY_SID.fullmatch(sid):
            self.problems.append(f"{where}: in an identity policy a Sid has only letters and digits.")
        effect = data.get("Effect")
        if effect not in ("Allow", "Deny"):
            self.problems.append(f"{where}: Effect must be Allow or Deny, not {effect!r}.")
        actions, not_action = self.texts(where, data, "Action")
        resources, not_resource = self.texts(where, data, "Resource")
        for action in actions or ():
            if not _ACTION.fullmatch(action):
                self.problems.append(f"{where}: {action!r} is not an action; write service:Name.")
        if self.kind == "rcp":
            self.denies_everyone(where, data)
        return Statement(
            index=index,
            sid=sid or None,
            effect=str(effect),
            principals=self.principals(where, data),
            not_principal="NotPrincipal" in data,
            actions=actions,
            not_action=not_action,
            resources=resources,
            not_resource=not_resource,
            conditions=tuple(self.conditions(where, data.get("Condition"))),
        )

    def denies_everyone(self, where: str, data: Mapping[str, object]) -> None:
        """An RCP only takes away, from everyone; the one that allows everything is AWS's own."""
        if data.get("Principal") != "*":
            self.problems.append(f'{where}: in an RCP, Principal is "*".')
        if data.get("Effect") == "Allow" and {**data, "Sid": ""} != {
            "Sid": "", "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"
        }:  # fmt: skip
            self.problems.append(f"{where}: an RCP of your own can only deny.")

    def unknown(self, where: str, data: Mapping[str, object], known: frozenset[str]) -> None:
        self.problems.extend(f"{where} has an unknown element {name!r}." for name in data if name not in known)

    def texts(self, where: str, data: Mapping[str, object], element: str) -> tuple[tuple[str, ...] | None, bool]:
        """Read Action or Resource and its Not form; returns the texts and whether it is the Not form."""
        negated = f"Not{element}" in data
        if negated and element in data:
            self.problems.append(f"{where} has both {element} and Not{element}.")
        name = f"Not{element}" if negated else element
        if name not in data:
            if self.kind != "key":
                self.problems.append(f"{where} needs {element} or Not{element}.")
            return None, False
        return self.text_list(f"{where}: {name}", data[name]), negated

    def text_list(self, where: str, data: object) -> tuple[str, ...]:
        items: list[object] = data if isinstance(data, list) else [data]
        if not items or not all(isinstance(item, str) for item in items):
            self.problems.append(f"{where} must be text or a list of texts.")
        return tuple(item for item in items if isinstance(item, str))

    def principals(self, where: str, data: Mapping[str, object]) -> Principals | None:
        present = [name for name in ("Principal", "NotPrincipal") if name in data]
        if self.kind not in _WITH_PRINCIPAL:
            if present:
                self.problems.append(f"{where}: {_WORDS[self.kind]} cannot have {present[0]}.")
            return None
        if not present:
            self.tell(f"{where} needs a Principal.", NO_PRINCIPAL)
            return None
        if len(present) != 1:
            self.problems.append(f"{where} has both Principal and NotPrincipal.")
            return None
        value = data[present[0]]
        if value == "*":
            return Principals(everyone=True)
        if not isinstance(value, Mapping) or not value:
            self.problems.append(f'{where}: {present[0]} must be "*" or an object such as {{"AWS": ...}}.')
            return None
        lists: dict[str, tuple[str, ...]] = dict.fromkeys(_PRINCIPAL_TYPES, ())
        for name, listed in value.items():
            if name not in lists:
                self.problems.append(f"{where}: {name!r} is not a type of principal.")
                continue
            if listed == []:
                self.tell(f"{where}: {present[0]} {name} is an empty list.", NO_PRINCIPAL)
                continue
            lists[name] = self.text_list(f"{where}: {present[0]} {name}", listed)
        return Principals(
            everyone="*" in lists["AWS"],
            aws=tuple(self.aws_principals(where, lists["AWS"])),
            services=tuple(self.services(where, lists["Service"])),
            federated=lists["Federated"],
            canonical=lists["CanonicalUser"],
        )

    def tell(self, problem: str, sentence: str) -> None:
        """Note a problem for which AWS has a sentence of its own."""
        self.problems.append(problem)
        self.sentences[problem] = sentence

    def aws_principals(self, where: str, listed: tuple[str, ...]) -> Iterator[str]:
        for text in listed:
            if _ACCOUNT.fullmatch(text):
                yield f"arn:aws:iam::{text}:root"
            elif text == "*":
                continue
            elif _AWS_PRINCIPAL.fullmatch(text) or _UNIQUE_ID.fullmatch(text):
                yield text
            else:
                self.tell(
                    f"{where}: {text!r} is not a principal; name an account, user, role or session"
                    " in full, without wildcards.",
                    INVALID_PRINCIPALS,
                )

    def services(self, where: str, listed: tuple[str, ...]) -> Iterator[str]:
        for text in listed:
            if _SERVICE.fullmatch(text):
                yield text
            else:
                self.tell(f"{where}: {text!r} is no service, such as logs.us-east-1.amazonaws.com.", INVALID_PRINCIPALS)

    def conditions(self, where: str, data: object) -> Iterator[ConditionTest]:
        if data is None:
            return
        if not isinstance(data, Mapping):
            self.problems.append(f"{where}: Condition must be an object.")
            return
        for operator, tests in data.items():
            if not self.operator(where, str(operator)):
                continue
            if not isinstance(tests, Mapping):
                self.problems.append(f"{where}: {operator} must hold an object of condition keys.")
                continue
            for key, values in tests.items():
                test = ConditionTest(str(operator), str(key), self.values(f"{where}: {operator} {key}", values))
                self.single_valued(where, test)
                yield test

    def operator(self, where: str, operator: str) -> bool:
        qualifier, bare, if_exists = ConditionTest(operator, "", ()).parts()
        known = bare in OPERATORS and qualifier in ("", "ForAllValues", "ForAnyValue")
        if not known or (bare == "Null" and if_exists):
            self.problems.append(f"{where}: {operator!r} is not a condition operator.")
            return False
        return True

    def single_valued(self, where: str, test: ConditionTest) -> None:
        """KMS refuses ForAllValues on these two families, because it would let requests without them in.

        Source: AWS KMS Developer Guide, "AWS KMS condition keys", error OverlyPermissiveCondition.
        """
        if (
            self.kind == "key"
            and test.operator.startswith("ForAllValues:")
            and test.key.lower().startswith(_SINGLE_VALUED_TRAPS)
        ):
            self.problems.append(
                f"{where}: OverlyPermissiveCondition: ForAllValues with the single-valued key {test.key}"
                " also matches requests that lack it."
            )

    def values(self, where: str, data: object) -> tuple[str, ...]:
        items: list[object] = data if isinstance(data, list) else [data]
        texts = []
        for item in items:
            if isinstance(item, bool):
                texts.append("true" if item else "false")
            elif isinstance(item, str | int | float):
                texts.append(str(item))
            else:
                self.problems.append(f"{where} has a value that is not text, number or Boolean.")
        if not items:
            self.problems.append(f"{where} has no value.")
        return tuple(texts)
