"""Matching: wildcards, policy variables and condition operators, compiled to predicates.

Everything here answers one small question: does this text fit that pattern? A pattern is compiled
once; a policy variable in it is filled from the request at the moment of the question.

Not here: which statement applies, and what follows from it (see ``compiled`` and ``evaluate``).

Sources: IAM User Guide, "Condition operators", "Conditions with multiple context keys or values",
"Single-valued vs. multivalued context keys", "Variables and tags", "Resource".
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from kms_lab.policy.document import ConditionTest

#: The values of a request: lower-cased condition key -> one text, or several for a multivalued key.
Context = Mapping[str, str | tuple[str, ...]]
Test = Callable[[str], bool]

# ---------------------------------------------------------------------------------------------------------
# Policy variables
# ---------------------------------------------------------------------------------------------------------

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_DEFAULT = re.compile(r"'([^']*)'")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a pattern: text, where ``*`` and ``?`` may be wildcards, or literal text."""

    text: str
    literal: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """``${aws:username}`` or ``${aws:username, 'nobody'}``; ``key`` is lower case."""

    key: str
    default: str | None


#: A pattern without open variables.
Pattern = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A policy value, perhaps with policy variables in it."""

    pieces: tuple[Piece | Variable, ...]

    @classmethod
    def read(cls, text: str, variables: bool) -> "Template":
        """Split a policy value at its variables; with ``variables`` off, ``${`` is literal text.

        ``${*}``, ``${?}`` and ``${$}`` stand for the bare character.
        """
        if not variables or "${" not in text:
            return cls((Piece(text),))
        pieces: list[Piece | Variable] = []
        end = 0
        for found in _VARIABLE.finditer(text, 0, text.rfind("}") + 1):  # what is never closed is not looked for
            if found.start() > end:
                pieces.append(Piece(text[end : found.start()]))
            pieces.append(_variable(found[1]))
            end = found.end()
        if end < len(text):
            pieces.append(Piece(text[end:]))
        return cls(tuple(pieces))

    @property
    def keys(self) -> tuple[str, ...]:
        """The condition keys its variables name, in lower case."""
        return tuple(piece.key for piece in self.pieces if isinstance(piece, Variable))

    def fill(self, context: Context) -> Pattern | None:
        """Put the request's values in; None when a variable has neither a value nor a default.

        A multivalued key cannot be a variable. What is filled in is literal: a ``*`` in a tag value is no
        wildcard.
        """
        # unverified: that AWS reads wildcards inside a substituted value literally.
        filled = []
        for piece in self.pieces:
            if isinstance(piece, Piece):
                filled.append(piece)
                continue
            value = context.get(piece.key, piece.default)
            if not isinstance(value, str):
                return None
            filled.append(Piece(value, literal=True))
        return tuple(filled)


def _variable(inside: str) -> Piece | Variable:
    if inside in ("*", "?", "$"):
        return Piece(inside, literal=True)
    name, _, rest = inside.partition(",")
    default = _DEFAULT.fullmatch(rest.strip())
    if name.strip() and default:
        return Variable(name.strip().lower(), default[1])
    return Variable(inside.strip().lower(), None)


def plain(pattern: Pattern) -> str:
    """The text of a pattern where wildcards mean themselves."""
    return "".join(piece.text for piece in pattern)


# ---------------------------------------------------------------------------------------------------------
# Wildcards
# ---------------------------------------------------------------------------------------------------------

#: A pattern letter by letter: the character, and whether it may be a wildcard.
_Letters = list[tuple[str, bool]]


def _letters(pattern: Pattern) -> _Letters:
    return [(char, not piece.literal) for piece in pattern for char in piece.text]


def _segments(letters: _Letters, limit: int | None = None) -> list[_Letters]:
    """Split at colons, at most ``limit`` times."""
    segments: list[_Letters] = [[]]
    for letter in letters:
        if letter[0] == ":" and (limit is None or len(segments) <= limit):
            segments.append([])
        else:
            segments[-1].append(letter)
    return segments


def _stretch(letters: _Letters, one: str) -> str:
    """Write letters as a regular expression in which ``?`` is ``one`` and ``*`` any run of it.

    All asterisks but the last take the first fit and never give it back (which loses nothing, for a later one can
    always run on), so that matching stays linear however many there are.
    """
    parts = [""]
    for char, wild in letters:
        if wild and char == "*":
            parts.append("")
        else:
            parts[-1] += one if wild and char == "?" else re.escape(char)
    if len(parts) == 1:
        return parts[0]
    head, *middle, tail = parts
    fixed = "".join(f"(?>{one}*?{part})" for part in middle if part)
    return f"{head}{fixed}{one}*{tail}"


def _regex(source: str) -> Test:
    compiled = re.compile(source, re.DOTALL)
    return lambda text: compiled.fullmatch(text) is not None


def _any_of(tests: list[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda text: any(test(text) for test in tests)


def wildcard(pattern: Pattern) -> Test:
    """``StringLike``: ``*`` is any run of characters, ``?`` any one; case counts."""
    return _regex(_stretch(_letters(pattern), "."))


@lru_cache(maxsize=4096)
def resource(patterns: tuple[Pattern, ...]) -> Test:
    """Resource ARNs, one of which must fit. Wildcards stay inside a colon-separated segment, except that
    an asterisk which ends its segment also runs past colons; case counts.

    Source: IAM User Guide, "Resource", "Using wildcards in resource ARNs".
    """
    return _regex("|".join(map(_resource, patterns))) if patterns else lambda _text: False


def _resource(pattern: Pattern) -> str:
    """Write a Resource as a regular expression. Like the asterisks in ``_stretch``, those that run past colons do not
    give back what they took, but for the last."""
    parts = [""]
    for number, segment in enumerate(_segments(_letters(pattern))):
        parts[-1] += ":" if number else ""
        runs_on = segment[-1:] == [("*", True)]
        parts[-1] += _stretch(segment[:-1] if runs_on else segment, "[^:]")
        if runs_on:
            parts.append("")
    if len(parts) == 1:
        return parts[0]
    head, *middle, tail = parts
    fixed = "".join(f"(?>.*?{part})" for part in middle)
    return f"(?>{head}){fixed}.*{tail}"


def arn(pattern: Pattern) -> Test:
    """``ArnLike`` and ``ArnEquals``: the six parts of an ARN compared one by one, each with wildcards.

    Only the sixth part may contain colons. A pattern of fewer parts matches nothing.
    """
    *parts, rest = _segments(_letters(pattern), limit=5)
    if len(parts) < 5:
        return lambda _text: False
    return _regex(":".join((*(_stretch(part, "[^:]") for part in parts), _stretch(rest, "."))))


def action(patterns: Iterable[str]) -> Test:
    """Compile Action patterns; the test takes the action in lower case, for case does not count.

    >>> action(["kms:Generate*"])("kms:generatemac")
    True
    """
    exact = set()
    prefixes = []
    others: list[Test] = []
    for text in patterns:
        lower = text.lower()
        head = lower.removesuffix("*")
        if "*" in head or "?" in head:
            others.append(wildcard((Piece(lower),)))
        elif head != lower:
            prefixes.append(head)
        else:
            exact.add(lower)
    starts = tuple(prefixes)

    def test(name: str) -> bool:
        return name in exact or name.startswith(starts)

    return test if not others else _any_of([test, *others])


# ---------------------------------------------------------------------------------------------------------
# Condition operators
# ---------------------------------------------------------------------------------------------------------


def _equals(patterns: list[Pattern]) -> Test:
    return frozenset(map(plain, patterns)).__contains__


def _equals_ignore_case(patterns: list[Pattern]) -> Test:
    texts = frozenset(plain(pattern).casefold() for pattern in patterns)
    return lambda text: text.casefold() in texts


def _like(patterns: list[Pattern]) -> Test:
    return _any_of([wildcard(pattern) for pattern in patterns])


def _arn(patterns: list[Pattern]) -> Test:
    return _any_of([arn(pattern) for pattern in patterns])


def _bool(patterns: list[Pattern]) -> Test:
    texts = frozenset(plain(pattern).lower() for pattern in patterns)
    return lambda text: text.lower() in texts


def _number(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _moment(text: str) -> Decimal | None:
    """Seconds since 1970, from epoch seconds or from a W3C date such as ``2026-01-01T09:00:00Z``."""
    if re.fullmatch(r"\d{4}(-\d{2})?", text):
        text = f"{text}-01-01"[:10]
    elif (seconds := _number(text)) is not None:
        return seconds
    try:
        parsed = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return Decimal(str(aware.timestamp()))


def _ordered(
    read: Callable[[str], Decimal | None], compare: Callable[[Decimal, Decimal], bool]
) -> Callable[[list[Pattern]], Test]:
    """Numbers and dates: ``compare(request value, policy value)``; what cannot be read matches nothing."""

    def compile_(patterns: list[Pattern]) -> Test:
        limits = [limit for pattern in patterns if (limit := read(plain(pattern))) is not None]

        def test(text: str) -> bool:
            value = read(text)
            return value is not None and any(compare(value, limit) for limit in limits)

        return test

    return compile_


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _address(patterns: list[Pattern]) -> Test:
    networks = [network for pattern in patterns if (network := _network(plain(pattern))) is not None]

    def test(text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return any(address in network for network in networks)

    return test


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _binary(patterns: list[Pattern]) -> Test:
    wanted = {data for pattern in patterns if (data := _bytes(plain(pattern))) is not None}
    return lambda text: _bytes(text) in wanted


@dataclass(frozen=True, slots=True)
class Operator:
    """A family of comparisons: how to compile it, whether it negates, whether variables work in it."""

    build: Callable[[list[Pattern]], Test]
    negated: bool = False
    variables: bool = False


# The operators page allows variables with Bool, the variables page does not: allowed here.
_OPERATORS: dict[str, Operator] = {
    "StringEquals": Operator(_equals, variables=True),
    "StringNotEquals": Operator(_equals, negated=True, variables=True),
    "StringEqualsIgnoreCase": Operator(_equals_ignore_case, variables=True),
    "StringNotEqualsIgnoreCase": Operator(_equals_ignore_case, negated=True, variables=True),
    "StringLike": Operator(_like, variables=True),
    "StringNotLike": Operator(_like, negated=True, variables=True),
    "ArnEquals": Operator(_arn, variables=True),
    "ArnLike": Operator(_arn, variables=True),
    "ArnNotEquals": Operator(_arn, negated=True, variables=True),
    "ArnNotLike": Operator(_arn, negated=True, variables=True),
    "Bool": Operator(_bool, variables=True),
    "NumericEquals": Operator(_ordered(_number, lambda a, b: a == b)),
    "NumericNotEquals": Operator(_ordered(_number, lambda a, b: a == b), negated=True),
    "NumericLessThan": Operator(_ordered(_number, lambda a, b: a < b)),
    "NumericLessThanEquals": Operator(_ordered(_number, lambda a, b: a <= b)),
    "NumericGreaterThan": Operator(_ordered(_number, lambda a, b: a > b)),
    "NumericGreaterThanEquals": Operator(_ordered(_number, lambda a, b: a >= b)),
    "DateEquals": Operator(_ordered(_moment, lambda a, b: a == b)),
    "DateNotEquals": Operator(_ordered(_moment, lambda a, b: a == b), negated=True),
    "DateLessThan": Operator(_ordered(_moment, lambda a, b: a < b)),
    "DateLessThanEquals": Operator(_ordered(_moment, lambda a, b: a <= b)),
    "DateGreaterThan": Operator(_ordered(_moment, lambda a, b: a > b)),
    "DateGreaterThanEquals": Operator(_ordered(_moment, lambda a, b: a >= b)),
    "IpAddress": Operator(_address),
    "NotIpAddress": Operator(_address, negated=True),
    "BinaryEquals": Operator(_binary),
}


def readable(operator: str, value: str) -> bool:
    """Return whether an operator (without qualifier and suffix) can compare anything with a policy's value.

    >>> readable("NumericEquals", "many"), readable("IpAddress", "10.0.0.0/8")
    (False, True)
    """
    match operator:
        case "Bool" | "Null":
            return value.lower() in ("true", "false")
        case "IpAddress" | "NotIpAddress":
            return _network(value) is not None
        case "BinaryEquals":
            return _bytes(value) is not None
        case _ if operator.startswith("Numeric"):
            return _number(value) is not None
        case _ if operator.startswith("Date"):
            return _moment(value) is not None
        case _ if operator.startswith("Arn"):
            return value == "*" or value.count(":") >= 5
    return True


class Condition:
    """One condition line, compiled.

    What an absent key means (IAM User Guide): a plain operator does not match, a negated one does, and
    ``IfExists`` does; ``ForAllValues`` matches and ``ForAnyValue`` does not, whatever follows them. That
    ``ForAnyValue`` beats ``IfExists`` is not in the guide; a reader measured it (AWS re:Post,
    "ForAnyValue:StringEqualsIfExists behaving unexpectedly").
    """

    __slots__ = ("_templates", "_test", "absent", "blind", "key", "negated", "qualifier", "source")

    def __init__(self, source: ConditionTest, variables: bool, blind: bool = False) -> None:
        self.source = source
        self.key = source.key.lower()
        #: True where this kind of policy never sees the key, which then counts as absent.
        self.blind = blind
        self.qualifier, bare, if_exists = source.parts()
        operator = _OPERATORS[bare]
        self.negated = operator.negated
        self.absent = {"ForAllValues": True, "ForAnyValue": False}.get(self.qualifier, operator.negated or if_exists)
        templates = [Template.read(value, variables and operator.variables) for value in source.values]
        self._templates: tuple[list[Template], Callable[[list[Pattern]], Test]] | None = None
        self._test: Test | None = None
        if any(template.keys for template in templates):
            self._templates = (templates, operator.build)
        else:
            self._test = operator.build([pattern for t in templates if (pattern := t.fill({})) is not None])

    @property
    def variable_keys(self) -> tuple[str, ...]:
        """The condition keys named by policy variables in the values."""
        return tuple(key for template in self._templates[0] for key in template.keys) if self._templates else ()

    def value(self, context: Context) -> str | tuple[str, ...] | None:
        """What the request says about the key; None when it says nothing.

        An empty text is a value to a plain operator, and an empty set to a set operator.
        """
        if self.blind:
            return None
        value = context.get(self.key)
        return value if value or (value == "" and not self.qualifier) else None

    def test(self, context: Context) -> Test:
        """The comparison with the values filled in. A value whose variable the request does not have fits nothing.

        Source: IAM User Guide, "Variables and tags", "Policy variables with no value".
        """
        if self._templates is None:
            assert self._test is not None
            return self._test
        templates, build = self._templates
        patterns = [pattern for template in templates if (pattern := template.fill(context)) is not None]
        return build(patterns) if patterns else lambda _text: False

    def open_variables(self, context: Context) -> tuple[str, ...]:
        """The policy variables that the request gives no value to, and that have no default."""
        if self._templates is None:
            return ()
        without = [template for template in self._templates[0] if template.fill(context) is None]
        return tuple(key for template in without for key in template.keys if not isinstance(context.get(key), str))

    def holds(self, context: Context) -> bool:
        """Whether the request meets the condition."""
        value = context.get(self.key)
        if not value or self.blind:
            value = self.value(context)
            if value is None:
                return self.absent
        test = self._test or self.test(context)
        if type(value) is str:
            return test(value) is not self.negated
        if self.qualifier == "ForAllValues":
            return all(test(item) is not self.negated for item in value)
        if self.qualifier == "ForAnyValue":
            return any(test(item) is not self.negated for item in value)
        # unverified: a multivalued key under a plain operator. AWS only says that a set operator is
        # required; here one fitting value is a match.
        return any(test(item) for item in value) is not self.negated


class NullCondition(Condition):
    """``Null``: true asks that the key be absent, false that it be there."""

    __slots__ = ("wanted",)

    def __init__(self, source: ConditionTest, blind: bool = False) -> None:
        self.source = source
        self.key = source.key.lower()
        self.blind = blind
        self.qualifier = ""
        self.negated = False
        self._templates = None
        self._test = None
        self.wanted = frozenset(value.lower() for value in source.values)
        self.absent = "true" in self.wanted

    def value(self, context: Context) -> str | tuple[str, ...] | None:
        """What the request says about the key; an empty text or set is null, as an absent key is.

        Source: IAM User Guide, "IAM JSON policy elements: Condition operators", on ``ForAllValues`` and ``Null``.
        """
        return super().value(context) or None

    def holds(self, context: Context) -> bool:
        """Whether presence is as the policy wants it."""
        return ("true" if self.value(context) is None else "false") in self.wanted


def condition(source: ConditionTest, variables: bool, blind: bool = False) -> Condition:
    """Compile one condition line."""
    if source.parts()[1] == "Null":
        return NullCondition(source, blind)
    return Condition(source, variables, blind)
