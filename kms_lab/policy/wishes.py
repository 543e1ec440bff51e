"""What a request would have to say: values with which a condition holds, or does not. Found by trying, not by guess.

Candidates come from the condition's own values; what counts is whether the compiled condition holds with them.

Not here: whether a caller can change that part of a request and how (see ``edits``).
"""

import ipaddress
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from kms_lab.core import model
from kms_lab.policy import actions
from kms_lab.policy.match import Condition, Context, Piece, Template

#: one text, several for a multivalued key, or None for the key's absence
Value = str | tuple[str, ...] | None

ENCRYPTION_CONTEXT: Final = "kms:encryptioncontext:"
ENCRYPTION_CONTEXT_KEYS: Final = "kms:encryptioncontextkeys"

_OF_CALLER = """
    principalaccount principalarn principalisawsservice principalorgid principalorgpaths principalservicename
    principalservicenameslist principaltype userid username federatedprovider tokenissuetime assumedroot
"""
_OF_RESOURCE = "resourceaccount resourceorgid resourceorgpaths"
#: Condition keys that tell who calls and whose key it is: no other request of the same caller has other values.
_FACTS = frozenset(
    {f"aws:{name}" for name in f"{_OF_CALLER} {_OF_RESOURCE}".split()} | {"kms:calleraccount", "kms:reencryptonsamekey"}
)
#: The same of the key itself; where a key is made, they are what the request asks for.
_FACTS_OF_KEY = frozenset(
    (
        *("kms:keyspec", "kms:keyusage", "kms:keyorigin", "kms:multiregion", "kms:multiregionkeytype"),
        *("kms:customermasterkeyspec", "kms:customermasterkeyusage", "aws:requestedregion"),
    )
)
#: Condition keys with values of an enum of AWS's model, and its name there.
_ENUMS = {
    "kms:datakeypairspec": "DataKeyPairSpec",
    "kms:encryptionalgorithm": "EncryptionAlgorithmSpec",
    "kms:expirationmodel": "ExpirationModelType",
    "kms:keyagreementalgorithm": "KeyAgreementAlgorithmSpec",
    "kms:keyorigin": "OriginType",
    "kms:keyspec": "KeySpec",
    "kms:keyusage": "KeyUsageType",
    "kms:macalgorithm": "MacAlgorithmSpec",
    "kms:messagetype": "MessageType",
    "kms:signingalgorithm": "SigningAlgorithmSpec",
    "kms:wrappingalgorithm": "AlgorithmSpec",
    "kms:wrappingkeyspec": "WrappingKeySpec",
}

#: a word for any text, and addresses kept free for examples (RFC 5737)
_ANY = "example"
_ADDRESSES = ("192.0.2.1", "198.51.100.1", "203.0.113.1")


def is_fact(key: str, action: str, of_key: bool) -> bool:
    """Return whether a caller cannot change what a request says about a condition key.

    Args:
        key: the condition key.
        action: what is asked for; a key that KMS never sets with it cannot be given a value.
        of_key: is the request about a key that exists?
    """
    name = key.lower()
    if name in _FACTS or (of_key and name in _FACTS_OF_KEY):
        return True
    if not name.startswith("kms:"):
        return False
    try:
        permissions = actions.set_with(ENCRYPTION_CONTEXT + "x" if name.startswith(ENCRYPTION_CONTEXT) else name)
    except LookupError:
        return True
    wanted = action.partition(":")[2].lower()
    return permissions is not None and wanted not in map(str.lower, permissions)


def values(condition: Condition, context: Context, holds: bool = True) -> Iterator[Value]:
    """Yield values of a condition's key with which it holds (or does not), the nearest at hand first."""
    for value in dict.fromkeys(_proposals(condition, context)):
        if value != context.get(condition.key) and condition.holds(changed(context, condition.key, value)) is holds:
            yield value


def changed(context: Context, key: str, value: Value) -> dict[str, str | tuple[str, ...]]:
    """Return a context in which one key has another value, or none."""
    others = {name: other for name, other in context.items() if name != key}
    return others if value is None else {**others, key: value}


def _proposals(condition: Condition, context: Context) -> Iterator[Value]:
    operator = condition.source.parts()[1]
    if condition.key in _ENUMS:
        yield from (value for value in condition.source.values if value in model.enum(_ENUMS[condition.key]))
        yield from model.enum(_ENUMS[condition.key])
        yield None
        return
    many = bool(condition.qualifier) or condition.key in actions.MULTIVALUED
    texts = [text for wanted in condition.source.values for text in _near(operator, wanted, context)]
    found = context.get(condition.key)
    if many:
        present = (found,) if isinstance(found, str) else found or ()
        kept = tuple(text for text in present if condition.holds({**context, condition.key: (text,)}))
        if kept and kept != present:
            yield kept
        for text in texts:
            yield from ((*present, text), (text,))
        if len(texts) > 1:
            yield tuple(dict.fromkeys(texts))
    else:
        yield from texts
    yield None
    other = (_ANY,) if many else _ANY
    yield from _ADDRESSES if operator.endswith("IpAddress") else (other,)


def _near(operator: str, wanted: str, context: Context) -> Iterator[str]:
    """Yield what a policy's value stands for, and what is next to it."""
    if operator == "Bool":
        yield from ("true", "false") if wanted.lower() == "true" else ("false", "true")
    elif operator == "Null":
        yield _ANY
    elif operator.endswith("IpAddress"):
        yield from _address(wanted)
    elif operator.startswith("Numeric"):
        yield wanted
        if wanted.lstrip("-").isdigit():
            yield from (str(int(wanted) - 1), str(int(wanted) + 1))
    elif operator.startswith("Date"):
        yield from _dates(wanted)
    else:
        text = _filled(wanted, context, wild=operator.endswith("Like") or operator.startswith("Arn"))
        if text is not None:
            yield text


def _address(wanted: str) -> Iterator[str]:
    try:
        network = ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return
    yield str(next(iter(network.hosts()), network.network_address))


def _dates(wanted: str) -> Iterator[str]:
    yield wanted
    try:
        moment = datetime.fromtimestamp(int(wanted), UTC) if wanted.isdigit() else datetime.fromisoformat(wanted)
        for step in (-1, 1):
            yield (moment + timedelta(seconds=step)).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return


def _filled(wanted: str, context: Context, wild: bool) -> str | None:
    """Return a text that fits a pattern: policy variables filled in, a word or a Region for an asterisk, if wild."""
    pattern = Template.read(wanted, variables=True).fill(context)
    if pattern is None:
        return None
    region = context.get("aws:requestedregion", "us-east-1")
    star = str(region) if wanted.endswith(".amazonaws.com") else _ANY
    return "".join(_instance(piece, star) if wild else piece.text for piece in pattern)


def _instance(piece: Piece, star: str) -> str:
    return piece.text if piece.literal else piece.text.replace("*", star).replace("?", "x")
