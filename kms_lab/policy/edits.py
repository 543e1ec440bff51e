"""Edits of a scenario that may change its answer: candidates only, most of which do not. ``flip`` tries them.

An edit is what somebody would do in one go: add an action to a statement, drop a condition, send one more pair of the
encryption context, make a grant. Grants cannot be changed on AWS, so an edit of one means to make it anew.

What nobody can change is left alone: who calls, facts of the key, and the key policy and grants of AWS managed keys.

Source: IAM User Guide, "Grammar of the IAM JSON policy language"; AWS KMS API Reference, CreateGrant.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

from kms_lab.core.keys import Grant
from kms_lab.core.names import Principal
from kms_lab.policy import grants, guardrails, patch, wishes
from kms_lab.policy.compiled import CompiledPolicy, CompiledStatement, Naming
from kms_lab.policy.evaluate import Verdict
from kms_lab.policy.match import Condition
from kms_lab.policy.patch import Op, Path

#: What a grant can permit. Source: AWS KMS API Reference, CreateGrant, Operations
_GRANTABLE_NAMES = """
    Decrypt Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo Sign Verify GetPublicKey
    CreateGrant RetireGrant DescribeKey GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext GenerateMac VerifyMac
    DeriveSharedSecret Encapsulate Decapsulate
"""
_GRANTABLE = frozenset(_GRANTABLE_NAMES.split())
_EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
#: values of one condition that are tried in a request
_VALUES_TRIED = 2


class Reach(IntEnum):
    """How much an edit gives away beyond the one request; of edits of the same size, the lowest is best."""

    REQUEST = 0  # nobody may do more than before
    CLAUSE = 1  # one more caller, action, resource or value, in a statement or grant that there is
    STATEMENT = 2
    GRANT = 3
    SESSION = 4  # names a session, which is narrow but does not last: the next session has another name
    ACCOUNT = 5  # leaves it to all IAM policies of an account
    CONDITION = 6  # drops a condition, for everybody whom the statement is about
    LAYER = 7  # takes a deny or a whole policy away


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit of a scenario.

    Attributes:
        op: the operations of its JSON patch (RFC 6902), in order.
        words: what to do: ``Add kms:Decrypt to statement "Use" of the key policy``.
        layer: what it changes: as in ``Layers.policies``, or ``grant`` or ``request``.
        size: how many leaves of the document it changes; of a request, the values that somebody would set.
        reach: how much it gives away; see ``Reach``.
    """

    op: tuple[Op, ...]
    words: str
    layer: str
    size: int
    reach: Reach


class Check:
    """One check of a scenario, and where in the document its parts stand. Number 0 is the main check."""

    def __init__(self, document: Mapping[str, Any], number: int, verdict: Verdict) -> None:
        self.document, self.number, self.verdict = document, number, verdict
        self.request, self.layers = verdict.request, verdict.layers
        self._own: Mapping[str, Any] = document["also"][number - 1] if number else {}

    @property
    def principal(self) -> Principal:
        return self.request.principal

    @property
    def action(self) -> str:
        return self.request.action.lower()

    @property
    def retires(self) -> bool:
        return self.action == grants.RETIRE_GRANT

    @property
    def has_own_key(self) -> bool:
        """Is there a key, whose policy and grants somebody could change?"""
        return self.layers.key_policy is not None and not self.layers.aws_managed

    @property
    def scope(self) -> list[tuple[str, str]]:
        """The actions and resources of all checks of the scenario."""
        asked = self.document["request"]
        checks = [asked, *(self.document.get("also") or ())]
        return [(one.get("action", asked["action"]), one.get("resource", asked.get("resource", "*"))) for one in checks]

    def asked(self, member: str) -> tuple[Path, Any]:
        """Return where a member of the request stands, and its value."""
        if member in self._own:
            return ("also", self.number - 1, member), self._own[member]
        return ("request", member), self.document["request"].get(member)

    def part(self, field: str) -> tuple[Path, Any]:
        """Return where a part of the document stands that may be the check's own, and its value."""
        if field in self._own:
            return ("also", self.number - 1, field), self._own[field]
        return (field,), self.document.get(field)

    def edit(self, words: str, layer: str, reach: Reach, *op: Op, size: int | None = None) -> Edit:
        return Edit(op, words, layer, patch.size(self.document, op) if size is None else size, reach)


class Place(NamedTuple):
    """A policy: its layer, where it stands, what it says, compiled, and what to call it."""

    layer: str
    path: Path
    data: Mapping[str, Any]
    compiled: CompiledPolicy
    title: str

    def statement(self, number: int) -> tuple[Path, Mapping[str, Any]]:
        """Return where a statement stands (number from 0), and what it says."""
        listed = self.data["Statement"]
        if isinstance(listed, Mapping):
            return (*self.path, "Statement"), listed
        return (*self.path, "Statement", number), listed[number]

    def name(self, statement: CompiledStatement) -> str:
        return f"{statement.source.name} of {self.title}"


_FIELDS = {"boundary": "permissions_boundary", "session-policy": "session_policy", "vpce": "vpce_policy"}
_TITLES = {
    "key-policy": "the key policy",
    "boundary": "the permissions boundary",
    "session-policy": "the session policy",
    "vpce": "the endpoint policy",
}


def places(check: Check) -> Iterator[Place]:
    """Yield the policies that have a say in a check, with those of AWS's own keys, which nobody can change."""
    for layer, at, compiled in check.layers.policies():
        if guardrails.spares(layer, check.request, check.layers):
            continue
        (path, data), title = _home(check, layer, at), _TITLES.get(layer, "")
        if layer == "identity-policy":
            title = f"identity policy {at[0] + 1}"
        elif not title:
            title = f"{layer.upper()} {at[1] + 1} of level {at[0] + 1}"
        yield Place(layer, path, data, compiled, title)


def _home(check: Check, layer: str, at: tuple[int, ...]) -> tuple[Path, Any]:
    fields = {"key-policy": "key_policy", "identity-policy": "identity_policies", "scp": "scps", "rcp": "rcps"}
    path, data = check.part(_FIELDS.get(layer) or fields[layer])
    for number in at:
        path, data = (*path, number), data[number]
    return path, data


# ------------------------------------------------------------------------------------------- statements


def _applies(check: Check, statement: CompiledStatement) -> bool:
    request = check.request
    named = statement.source.principals is None or guardrails.naming_of(statement, request.principal, check.layers)
    return (
        bool(named)
        and statement.covers_resource(request.resource, request.context)
        and all(condition.holds(request.context) for condition in statement.conditions)
    )


def applying(check: Check, effect: str) -> Iterator[tuple[Place, CompiledStatement]]:
    """Yield the statements of one effect that apply to a check."""
    for place in places(check):
        for statement in place.compiled.about(check.action):
            if statement.source.effect == effect and _applies(check, statement):
                yield place, statement


class _Name(NamedTuple):
    """A way to name the caller: a type of principal, and what is listed under it."""

    type: str
    text: str
    reach: Reach


def _names(check: Check, delegate: bool) -> list[_Name]:
    """Return how a statement can name the caller; ``delegate``: also through the account."""
    who = check.principal
    if who.kind == "anonymous":
        return [_Name("", "*", Reach.STATEMENT)]
    if who.kind == "service":
        return [_Name("Service", who.arn, Reach.STATEMENT)]
    names = [_Name("AWS", who.arn, Reach.STATEMENT)]
    if who.identity_arn != who.arn:
        names = [_Name("AWS", who.identity_arn, Reach.STATEMENT), _Name("AWS", who.arn, Reach.SESSION)]
    if delegate and who.kind != "root-user":
        names.append(_Name("AWS", f"arn:aws:iam::{who.account}:root", Reach.ACCOUNT))
    return names


def _allowing(check: Check, layer: str) -> Iterator[tuple[dict[str, Any], str, Reach]]:
    """Yield the statements that allow exactly what is asked for, in words, and how much they give away.

    Where an operation needs several checks, one statement of the caller's may be about all of them.
    """
    what, where = check.request.action, check.request.resource
    if layer not in ("key-policy", "vpce") and len(check.scope) > 1:
        actions, resources = (list(dict.fromkeys(texts)) for texts in zip(*check.scope))
        both: dict[str, Any] = {"Effect": "Allow", "Action": actions, "Resource": resources}
        yield both, f"allows {', '.join(actions)} on all that the call is about", Reach.STATEMENT
    if layer in ("key-policy", "vpce"):
        for name in _names(check, delegate=layer == "key-policy"):
            principal: Any = {name.type: name.text} if name.type else name.text
            resource = "*" if layer == "key-policy" else where
            statement = {"Effect": "Allow", "Principal": principal, "Action": what, "Resource": resource}
            yield statement, f"allows {_short(name.text)} {what}", name.reach
    else:
        yield {"Effect": "Allow", "Action": what, "Resource": where}, f"allows {what}", Reach.STATEMENT


def _new_statement(check: Check, place: Place) -> Iterator[Edit]:
    listed = place.data["Statement"]
    path = (*place.path, "Statement")
    for statement, words, reach in _allowing(check, place.layer):
        op = patch.replace(path, [listed, statement]) if isinstance(listed, Mapping) else patch.add(
            (*path, "-"), statement
        )  # fmt: skip
        yield check.edit(f"Add a statement to {place.title} that {words}", place.layer, reach, op)


def _widened(check: Check, place: Place) -> Iterator[tuple[Edit, ...]]:
    """Yield edits of the statements that would allow but for one clause, and of the request that they would fit."""
    for number, statement in enumerate(place.compiled.statements):
        if statement.deny:
            continue
        path, data = place.statement(number)
        naming = Naming.NAMED
        if statement.source.principals is not None:
            naming = guardrails.naming_of(statement, check.principal, check.layers)
        failing = [condition for condition in statement.conditions if not condition.holds(check.request.context)]
        covers = statement.covers_action(check.action)
        on = statement.covers_resource(check.request.resource, check.request.context)
        if (not naming) + (not covers) + (not on) + bool(failing) > 1:
            continue
        name = place.name(statement)
        if not covers:
            yield from _single(_listed(check, place, path, data, "Action", check.request.action, name))
        elif not on:
            resource = "*" if place.layer == "key-policy" else check.request.resource
            yield from _single(_listed(check, place, path, data, "Resource", resource, name))
        elif failing:
            yield from _eased(check, place, path, data, failing, name)
        elif naming is not Naming.NAMED:
            yield from _single(_named(check, place, path, data, name))


def _single(edits: Iterator[Edit]) -> Iterator[tuple[Edit, ...]]:
    for edit in edits:
        yield (edit,)


def _listed(
    check: Check, place: Place, path: Path, data: Mapping[str, Any], element: str, text: str, name: str
) -> Iterator[Edit]:
    """Yield the edits that add a text to an element, or take it from the element's Not form."""
    negated = f"Not{element}"
    if negated in data:
        without = _without((*path, negated), data[negated], text)
        if without is not None:
            words = f"Take {text} from the {negated} of {name}"
            yield check.edit(words, place.layer, Reach.CLAUSE, without)
    elif element in data:
        words = f"Add {_short(text)} to the {element} of {name}"
        yield check.edit(words, place.layer, Reach.CLAUSE, _with((*path, element), data[element], text))
    else:
        words = f"Give {name} the {element} {text}"
        yield check.edit(words, place.layer, Reach.CLAUSE, patch.add((*path, element), text))


def _named(check: Check, place: Place, path: Path, data: Mapping[str, Any], name: str) -> Iterator[Edit]:
    """Yield the edits that let a statement name the caller.

    One that lets accounts in delegates to their IAM policies: nobody else is put beside them.
    """
    listed = data.get("Principal")
    if not isinstance(listed, Mapping):
        return
    delegates = place.layer == "key-policy" and any(
        text.isdigit() or text.endswith(":root") for text in _texts(listed.get("AWS", ()))
    )
    for way in _names(check, delegate=place.layer == "key-policy"):
        if delegates and not way.text.endswith(":root"):
            continue
        kind = way.type or "AWS"
        at = (*path, "Principal", kind)
        op = _with(at, listed[kind], way.text) if kind in listed else patch.add(at, way.text)
        reach = Reach.CLAUSE if way.reach is Reach.STATEMENT else way.reach
        yield check.edit(f"Add {_short(way.text)} to the Principal of {name}", place.layer, reach, op)


def _eased(
    check: Check, place: Place, path: Path, data: Mapping[str, Any], failing: list[Condition], name: str
) -> Iterator[tuple[Edit, ...]]:
    """Yield what makes the conditions of a statement hold: other requests, wider values, or no condition."""
    yield from _requests(check, failing)
    if len(failing) > 1:
        words = f"Drop the conditions of {name}"
        yield (check.edit(words, place.layer, Reach.CONDITION, patch.remove((*path, "Condition"))),)
        return
    (condition,) = failing
    yield from _single(_other_value(check, place, path, data, condition, name))
    yield (_dropped(check, place, path, data, condition, name),)


def _dropped(check: Check, place: Place, path: Path, data: Mapping[str, Any], condition: Condition, name: str) -> Edit:
    """Return the edit that drops a condition, and what would be empty without it."""
    source = condition.source
    tests = data["Condition"]
    at: Path = (*path, "Condition")
    if len(tests[source.operator]) > 1:
        at = (*at, source.operator, source.key)
    elif len(tests) > 1:
        at = (*at, source.operator)
    words = f"Drop the condition on {source.key} from {name}"
    return check.edit(words, place.layer, Reach.CONDITION, patch.remove(at))


def _other_value(
    check: Check, place: Place, path: Path, data: Mapping[str, Any], condition: Condition, name: str
) -> Iterator[Edit]:
    """Yield the edits that add the request's value to what a condition lists, or take it off a list of exceptions."""
    value, source = condition.value(check.request.context), condition.source
    operator = source.parts()[1]
    if not isinstance(value, str) or operator.startswith(("Null", "Bool", "Numeric", "Date")):
        return
    at: Path = (*path, "Condition", source.operator, source.key)
    listed = data["Condition"][source.operator][source.key]
    without = _without(at, listed, value)
    if without is not None:
        yield check.edit(f"Take {value} off the {source.key} of {name}", place.layer, Reach.CLAUSE, without)
    else:
        op = _with(at, listed, value)
        yield check.edit(f"Add {value} to the {source.key} of {name}", place.layer, Reach.CLAUSE, op)


def _texts(listed: Any) -> list[str]:
    return [listed] if isinstance(listed, str) else list(listed)


def _with(path: Path, listed: Any, text: str) -> Op:
    return patch.add((*path, "-"), text) if isinstance(listed, list) else patch.replace(path, [listed, text])


def _without(path: Path, listed: Any, text: str) -> Op | None:
    """Return the operation that takes a text off a list; None where it is not listed, or the only one."""
    if isinstance(listed, list) and len(listed) > 1:
        for number, one in enumerate(listed):
            if str(one).lower() == text.lower():
                return patch.remove((*path, number))
    return None


def _short(text: str) -> str:
    """An ARN without what goes without saying: ``user/dana``, ``assumed-role/App/job``; an account by its number."""
    if text.endswith(":root"):
        return f"account {text.split(':')[4]}"
    return text.rpartition(":")[2] if ":iam:" in text or ":sts:" in text else text


# ---------------------------------------------------------------------------------------- closing a need


def silence(check: Check, layer: str, level: int | None = None) -> Iterator[tuple[Edit, ...]]:
    """Yield edits after which a layer, or a level of the SCPs, may allow."""
    found = [
        place for place in places(check) if place.layer == layer and (level is None or place.path[-2:-1] == (level,))
    ]
    for place in found:
        yield from _widened(check, place)
    if found:
        yield from _single(_new_statement(check, found[0]))
    else:
        yield from _single(_new_policy(check, layer, level))
    if layer in ("boundary", "session-policy"):
        path, data = check.part(_FIELDS[layer])
        if data is not None:
            words = f"Take {_TITLES[layer]} off"
            yield (check.edit(words, layer, Reach.LAYER, patch.remove(path)),)


def _new_policy(check: Check, layer: str, level: int | None) -> Iterator[Edit]:
    for statement, words, reach in _allowing(check, layer):
        document = {"Version": "2012-10-17", "Statement": [statement]}
        if layer == "identity-policy":
            path, listed = check.part("identity_policies")
            op = patch.add(path, [document]) if listed is None else patch.add((*path, "-"), document)
            what = "Give the caller an identity policy"
        elif layer == "scp":
            op, what = patch.add(("scps", level or 0, "-"), document), f"Attach an SCP to level {(level or 0) + 1}"
        else:
            op, what = patch.add((_FIELDS[layer],), document), f"Give the caller {_TITLES[layer]}"
        yield check.edit(f"{what} that {words}", layer, reach, op)


def ways(check: Check) -> Iterator[tuple[Edit, ...]]:
    """Yield edits after which something may allow: the key policy, an identity policy, or a grant."""
    for place in places(check):
        if place.layer in ("key-policy", "identity-policy"):
            yield from _widened(check, place)
    first = {place.layer: place for place in reversed(list(places(check)))}
    if not guardrails.spares("identity-policy", check.request, check.layers):
        here = first.get("identity-policy")
        yield from _single(_new_policy(check, "identity-policy", None) if here is None else _new_statement(check, here))
    if "key-policy" in first:
        yield from _single(_new_statement(check, first["key-policy"]))
    yield from _single(_by_grants(check))


def loosened(check: Check, place: Place, statement: CompiledStatement) -> Iterator[tuple[Edit, ...]]:
    """Yield edits after which a statement that denies may do so no more."""
    number = statement.source.index - 1
    path, data = place.statement(number)
    name = place.name(statement)
    for condition in statement.conditions:
        yield from _requests(check, [condition], holds=False)
        yield from _single(_other_value(check, place, path, data, condition, name))
    yield from _single(_spared(check, place, path, data, name))
    for element, text in (("Action", check.request.action), ("Resource", check.request.resource)):
        yield from _single(_unlisted(check, place, path, data, element, text, name))
    yield from _single(_removed(check, place, number, name))


def _unlisted(
    check: Check, place: Place, path: Path, data: Mapping[str, Any], element: str, text: str, name: str
) -> Iterator[Edit]:
    """Yield the edits that take a text from an element, or add it to the element's Not form."""
    if f"Not{element}" in data:
        op = _with((*path, f"Not{element}"), data[f"Not{element}"], text)
        yield check.edit(f"Add {_short(text)} to the Not{element} of {name}", place.layer, Reach.CLAUSE, op)
        return
    without = _without((*path, element), data.get(element), text)
    if without is not None:
        words = f"Take {_short(text)} from the {element} of {name}"
        yield check.edit(words, place.layer, Reach.CLAUSE, without)


def _spared(check: Check, place: Place, path: Path, data: Mapping[str, Any], name: str) -> Iterator[Edit]:
    """Yield the edits that spare the caller what is denied to others."""
    who = check.principal
    listed, negated = data.get("Principal"), data.get("NotPrincipal")
    if isinstance(listed, Mapping):
        yield from _unnamed(check, place, path, listed, name)
    if isinstance(negated, Mapping):
        kind = "Service" if who.kind == "service" else "AWS"
        wanted = [who.arn] if kind == "Service" else [who.identity_arn, f"arn:aws:iam::{who.account}:root"]
        texts = _texts(negated.get(kind, ()))
        op = patch.add((*path, "NotPrincipal", kind), [*texts, *(text for text in wanted if text not in texts)])
        words = f"Add {_short(wanted[0])} to the NotPrincipal of {name}"
        yield check.edit(words, place.layer, Reach.CLAUSE, op)
    if who.account and place.layer in ("key-policy", "scp", "rcp", "vpce"):
        tests = data.get("Condition", {})
        exempt = {"aws:PrincipalArn": who.identity_arn}
        words = f"Exempt {_short(who.identity_arn)} from {name}"
        if not tests:
            op = patch.add((*path, "Condition"), {"ArnNotEquals": exempt})
        elif "ArnNotEquals" not in tests:
            op = patch.add((*path, "Condition", "ArnNotEquals"), exempt)
        else:
            return
        yield check.edit(words, place.layer, Reach.CLAUSE, op)


def _unnamed(check: Check, place: Place, path: Path, listed: Mapping[str, Any], name: str) -> Iterator[Edit]:
    """Yield the edits that take a caller who is listed by name off a Principal."""
    who = check.principal
    for kind, texts in listed.items():
        for text in (who.arn, who.identity_arn, who.account, f"arn:aws:iam::{who.account}:root", who.unique_id):
            without = _without((*path, "Principal", kind), texts, text)
            if without is not None:
                words = f"Take {_short(text)} from the Principal of {name}"
                yield check.edit(words, place.layer, Reach.CLAUSE, without)


def _removed(check: Check, place: Place, number: int, name: str) -> Iterator[Edit]:
    """Yield the edit that removes a statement; with the only one of a policy goes the policy, or another comes."""
    listed = place.data["Statement"]
    if isinstance(listed, list) and len(listed) > 1:
        path, _ = place.statement(number)
        yield check.edit(f"Remove {name}", place.layer, Reach.LAYER, patch.remove(path))
        if sum(one.path == place.path for one, _ in applying(check, "Deny")) < 2:
            return
    if place.layer in ("identity-policy", "scp", "rcp", "boundary", "session-policy"):
        own = place.layer in ("boundary", "session-policy")
        words = f"Take {place.title} off" if own else f"Remove {place.title}"
        yield check.edit(words, place.layer, Reach.LAYER, patch.remove(place.path))
    if place.layer != "rcp" and not (isinstance(listed, list) and len(listed) > 1):
        for statement, words, _ in _allowing(check, place.layer):
            op = patch.replace((*place.path, "Statement"), [statement])
            old = listed[0] if isinstance(listed, list) else listed
            size = len(old) + len(statement)  # all of one and all of the other, even where they look alike
            yield check.edit(f"Replace {name} by one that {words}", place.layer, Reach.LAYER, op, size=size)


# -------------------------------------------------------------------------------------------- the request


def _requests(check: Check, conditions: list[Condition], holds: bool = True) -> Iterator[tuple[Edit, ...]]:
    """Yield edits of the request, one for each condition, after which all of them hold (or do not)."""
    choices = [list(_values(check, condition, holds)) for condition in conditions]
    for number in range(min(map(len, choices), default=0)):
        yield tuple(options[number] for options in choices)


def _values(check: Check, condition: Condition, holds: bool) -> Iterator[Edit]:
    if condition.blind or wishes.is_fact(condition.key, check.action, check.layers.key_policy is not None):
        return
    found = 0
    for value in wishes.values(condition, check.request.context, holds):
        edit = _said(check, condition.source.key, value)
        if edit is not None:
            yield edit
            found += 1
        if found == _VALUES_TRIED:
            return


def _said(check: Check, key: str, value: wishes.Value) -> Edit | None:
    """Return the edit after which the request says something else about a condition key."""
    name = key.lower()
    if name.startswith(wishes.ENCRYPTION_CONTEXT):
        pair = key[len(wishes.ENCRYPTION_CONTEXT) :]
        pairs = {known: text for known, text in _pairs(check).items() if known.lower() != pair.lower()}
        if isinstance(value, str):
            pairs[pair] = value
        return with_pairs(check, pairs)
    if name == wishes.ENCRYPTION_CONTEXT_KEYS:
        known = _pairs(check)
        wanted = () if value is None else (value,) if isinstance(value, str) else value
        return with_pairs(check, {pair: known.get(pair, "example") for pair in wanted})
    path, context = check.asked("context")
    written = next((one for one in context or {} if one.lower() == name), None)
    if value is None:
        if written is None:
            return None
        op = patch.remove((*path, written))
        return check.edit(f"Leave {key} out of the request", "request", Reach.REQUEST, op, size=1)
    plain = value if isinstance(value, str) else list(value)
    op = patch.add(path, {key: plain}) if context is None else patch.add((*path, written or key), plain)
    return check.edit(_request_words(check, key, value), "request", Reach.REQUEST, op, size=1)


def _request_words(check: Check, key: str, value: str | tuple[str, ...]) -> str:
    said = value if isinstance(value, str) else ", ".join(value)
    family, _, rest = key.partition("/")
    match family.lower():
        case "aws:resourcetag":
            return f"Tag the key with {rest} = {said}"
        case "aws:principaltag":
            return f"Tag the caller with {rest} = {said}"
        case "kms:viaservice":
            return f"Make the call through {said.partition('.')[0]} (kms:ViaService = {said})"
        case "kms:requestalias":
            return f"Name the key by its alias in the request (kms:RequestAlias = {said})"
        case "kms:resourcealiases":
            return f"Give the key the alias {said}"
        case "aws:multifactorauthpresent":
            return f"Call {'with' if said == 'true' else 'without'} MFA (aws:MultiFactorAuthPresent = {said})"
        case "aws:sourceip":
            return f"Call from the address {said}"
        case "aws:sourcevpce":
            return f"Call through the VPC endpoint {said}"
        case "kms:grantisforawsresource":
            made = "Let an AWS service make the call" if said == "true" else "Make the call yourself"
            return f"{made} (kms:GrantIsForAWSResource = {said})"
        case "aws:currenttime":
            return f"Call at another time, such as {said}"
    return f"Call with {key} = {said}"


def _pairs(check: Check) -> dict[str, str]:
    """Return the encryption context of the request, with the names that it has there or in its context."""
    _, pairs = check.asked("encryption_context")
    if pairs is not None:
        return {str(name): str(value) for name, value in pairs.items()}
    return dict(check.request.asked.context)


def with_pairs(check: Check, pairs: Mapping[str, str]) -> Edit | None:
    """Return the edit after which the request has another encryption context; None where it has it already."""
    before = _pairs(check)
    if pairs == before:
        return None
    path, listed = check.asked("encryption_context")
    context_path, context = check.asked("context")
    context = context or {}
    written = {name.lower(): name for name in context}
    op: list[Op] = []
    derived = listed is None and any(name.startswith(wishes.ENCRYPTION_CONTEXT) for name in written)
    if not derived:
        op.append(patch.add(path, dict(pairs)))
    names = {name.lower(): name for name in (*before, *pairs)}
    values = {name.lower(): value for name, value in pairs.items()}
    for name, shown in names.items():
        key = wishes.ENCRYPTION_CONTEXT + name
        if key in written and name not in values:
            op.append(patch.remove((*context_path, written[key])))
        elif name in values and (derived or key in written):
            op.append(patch.add((*context_path, written.get(key, f"kms:EncryptionContext:{shown}")), values[name]))
    if wishes.ENCRYPTION_CONTEXT_KEYS in written:
        at = (*context_path, written[wishes.ENCRYPTION_CONTEXT_KEYS])
        op.append(patch.replace(at, list(pairs)) if pairs else patch.remove(at))
    changed = set(pairs.items()) ^ set(before.items())
    return check.edit(
        _pairs_words(before, pairs), "request", Reach.REQUEST, *op, size=len({name.lower() for name, _ in changed})
    )


def _pairs_words(before: Mapping[str, str], pairs: Mapping[str, str]) -> str:
    new = [f"{name}={value}" for name, value in pairs.items() if before.get(name) != value]
    gone = [name for name in before if name.lower() not in map(str.lower, pairs)]
    said = [f"Send {', '.join(new)} in the encryption context"] if new else []
    if gone:
        said.append(f"{'leave' if new else 'Leave'} {', '.join(gone)} out of the encryption context")
    return " and ".join(said)


# ----------------------------------------------------------------------------------------------- grants


def _by_grants(check: Check) -> Iterator[Edit]:
    """Yield edits of the grants on the key, and a new grant."""
    path, listed = check.part("grants")
    living = {grant.id: grant for grant in check.verdict.held}
    for number, data in enumerate(listed or ()):
        at = (*path, number)
        grant = living.get(str(data.get("grant_id") or f"{number + 1:064x}"))
        if grant is not None:
            yield from _retiring(check, at, data, grant) if check.retires else _regranted(check, at, data, grant)
        elif data.get("status") == "revoked":
            op = patch.replace((*at, "status"), "active")
            yield check.edit(f"Make the ended {_grant_name(data)} again", "grant", Reach.GRANT, op)
    yield from _new_grant(check, path, listed)


def _grant_name(data: Mapping[str, Any]) -> str:
    name, grant_id = data.get("name"), str(data.get("grant_id") or "")[:8]
    return f'grant "{name}"' if name else f"grant {grant_id}".rstrip()


def _regranted(check: Check, at: Path, data: Mapping[str, Any], grant: Grant) -> Iterator[Edit]:
    """Yield edits of a grant of which only one thing keeps it from allowing, and of requests that it would fit."""
    request, action = check.request, check.action
    named = bool(grants.naming(grant.grantee, request.principal))
    covered, early = grants.covers(grant, action), grant.id in request.asked.early
    fits = (
        grants.context_fits(grant, action, request.asked.context),
        grants.source_fits(grant, action, request.asked.source_arn),
        grants.child_fits(grant, action, request.asked.child),
    )
    if (not named) + (not covered) + early + fits.count(False) > 1:
        return
    name = _grant_name(data)
    if not covered:
        op = patch.add((*at, "operations", "-"), request.action.partition(":")[2])
        yield check.edit(f"Add {request.action} to {name}", "grant", Reach.CLAUSE, op)
    elif early:
        yield from _in_force(check, at, data, name)
    elif not fits[0]:
        yield from _context_constraint(check, at, data, grant, name)
    elif not fits[1]:
        yield from _source_constraint(check, at, grant, name)
    elif not fits[2]:
        yield from _child_constraint(check, grant, name)
    elif not named:
        yield from _to_caller(check, at, data, name)
    else:  # one to an account, or to a role whose session is limited
        yield from _to_caller(check, at, data, name)


def _to_caller(check: Check, at: Path, data: Mapping[str, Any], name: str) -> Iterator[Edit]:
    if "grantee_principal" not in data:
        return
    for way in _names(check, delegate=False):
        if way.type == "AWS" and way.text != data["grantee_principal"]:
            reach = Reach.GRANT if way.reach is Reach.STATEMENT else way.reach
            op = patch.replace((*at, "grantee_principal"), way.text)
            yield check.edit(f"Make {name} out to {_short(way.text)}", "grant", reach, op)


def _in_force(check: Check, at: Path, data: Mapping[str, Any], name: str) -> Iterator[Edit]:
    token = data.get("grant_token")
    path, params = check.asked("params")
    if token:
        tokens = (params or {}).get("GrantTokens")
        if params is None:
            op = patch.add(path, {"GrantTokens": [token]})
        else:
            op = patch.add((*path, "GrantTokens"), [*(tokens or ()), token])
        yield check.edit(f"Pass the token of {name} in the request", "request", Reach.REQUEST, op, size=1)
    op = patch.replace((*at, "status"), "active")
    yield check.edit(f"Wait until {name} is in force everywhere", "grant", Reach.CLAUSE, op)


def _context_constraint(check: Check, at: Path, data: Mapping[str, Any], grant: Grant, name: str) -> Iterator[Edit]:
    pairs = _pairs(check)
    wanted = dict(grant.context_equals) if grant.context_equals is not None else pairs
    for key, value in grant.context_subset or ():
        wanted = {known: text for known, text in wanted.items() if known.lower() != key.lower()} | {key: value}
    edit = with_pairs(check, wanted)
    if edit is not None:
        yield edit
    for member in ("EncryptionContextEquals", "EncryptionContextSubset"):
        if member in data.get("constraints", {}):
            op = patch.remove((*at, "constraints", member))
            yield check.edit(f"Drop {member} from {name}", "grant", Reach.CONDITION, op)


def _source_constraint(check: Check, at: Path, grant: Grant, name: str) -> Iterator[Edit]:
    edit = _said(check, "aws:SourceArn", grant.source_arn)
    if edit is not None:
        yield edit
    op = patch.remove((*at, "constraints", "SourceArn"))
    yield check.edit(f"Drop SourceArn from {name}", "grant", Reach.CONDITION, op)


def _child_constraint(check: Check, grant: Grant, name: str) -> Iterator[Edit]:
    """Yield the edit after which the new grant permits nothing that its parent does not."""
    child = check.request.asked.child
    path, params = check.asked("params")
    operations = [one for one in child.operations if one in grant.operations] if child else []
    if not child or not operations:
        return
    constraints = dict(params.get("Constraints") or {})
    for member, pairs in (
        ("EncryptionContextEquals", grant.context_equals), ("EncryptionContextSubset", grant.context_subset)
    ):  # fmt: skip
        if pairs is not None:
            constraints.pop("EncryptionContextSubset", None)
            constraints[member] = dict(pairs)
    if grant.source_arn:
        constraints["SourceArn"] = grant.source_arn
    op = patch.replace(path, {**params, "Operations": operations, "Constraints": constraints})
    words = f"Ask for a grant that permits no more than {name} does"
    yield check.edit(words, "request", Reach.REQUEST, op)


def _retiring(check: Check, at: Path, data: Mapping[str, Any], grant: Grant) -> Iterator[Edit]:
    service = check.principal.kind == "service"
    member = "retiring_service_principal" if service else "retiring_principal"
    for way in _names(check, delegate=False):
        if way.type and grant.retiring != way.text:
            reach = Reach.GRANT if way.reach is Reach.STATEMENT else way.reach
            words = f"Name {_short(way.text)} as retiring principal of {_grant_name(data)}"
            yield check.edit(words, "grant", reach, patch.add((*at, member), way.text))
    if grants.naming(grant.grantee, check.principal) and not grants.covers(grant, grants.RETIRE_GRANT):
        op = patch.add((*at, "operations", "-"), "RetireGrant")
        yield check.edit(f"Add kms:RetireGrant to {_grant_name(data)}", "grant", Reach.CLAUSE, op)


def _new_grant(check: Check, path: Path, listed: Any) -> Iterator[Edit]:
    operation = check.request.action.partition(":")[2]
    if operation not in _GRANTABLE or check.retires or not check.has_own_key:
        return
    child = check.request.asked.child if check.action == grants.CREATE_GRANT else None
    grant: dict[str, Any] = {
        "grant_id": f"{len(listed or ()) + 1:064x}",
        "key": check.request.resource,
        "operations": list(dict.fromkeys((operation, *(child.operations if child else ())))),
        "status": "active",
    }
    for way in _names(check, delegate=False):
        if way.type == "AWS":
            whom: dict[str, Any] = {"grantee_principal": way.text}
        elif way.type == "Service" and check.request.asked.source_arn:  # which such a grant must be bound to
            constraints = {"SourceArn": check.request.asked.source_arn}
            whom = {"grantee_service_principal": way.text, "constraints": constraints}
        else:
            return
        new = {**grant, **whom}
        op = patch.add(path, [new]) if listed is None else patch.add((*path, "-"), new)
        reach = Reach.GRANT if way.reach is Reach.STATEMENT else way.reach
        yield check.edit(f"Make a grant that lets {_short(way.text)} call {check.request.action}", "grant", reach, op)


# -------------------------------------------------------------------------------- from ALLOW to DENY


def tightened(check: Check) -> Iterator[Edit]:
    """Yield edits after which a check may be refused: less that allows, or something that denies."""
    for place, statement in applying(check, "Allow"):
        path, data = place.statement(statement.source.index - 1)
        name = place.name(statement)
        yield from _unlisted(check, place, path, data, "Action", check.request.action, name)
        if isinstance(data.get("Principal"), Mapping):
            yield from _unnamed(check, place, path, data["Principal"], name)
        listed = place.data["Statement"]
        if isinstance(listed, list) and len(listed) > 1:
            yield check.edit(f"Remove {name}", place.layer, Reach.LAYER, patch.remove(path))
        elif place.layer in ("identity-policy", "scp"):
            yield check.edit(f"Remove {place.title}", place.layer, Reach.LAYER, patch.remove(place.path))
    yield from _ended(check)
    yield from _denied(check)


def _ended(check: Check) -> Iterator[Edit]:
    path, listed = check.part("grants")
    for number, data in enumerate(listed or ()):
        if data.get("status", "active") != "revoked":
            op = patch.add((*path, number, "status"), "revoked")
            yield check.edit(f"End {_grant_name(data)}", "grant", Reach.GRANT, op)


def _denied(check: Check) -> Iterator[Edit]:
    what, where = check.request.action, check.request.resource
    plain = {"Effect": "Deny", "Action": what, "Resource": where}
    first = {place.layer: place for place in reversed(list(places(check)))}
    for layer, place in first.items():
        listed, path = place.data["Statement"], (*place.path, "Statement")
        texts = [""] if layer not in ("key-policy", "rcp", "vpce") else ["*"] if layer == "rcp" else [
            name.text for name in _names(check, delegate=False)
        ]  # fmt: skip
        for text in texts:
            kind = "Service" if check.principal.kind == "service" else "AWS"
            principal: Any = text if text == "*" else {kind: text}
            statement = {**plain, **({"Principal": principal} if text else {})}
            if layer == "key-policy":
                statement["Resource"] = "*"
            op = patch.replace(path, [listed, statement]) if isinstance(listed, Mapping) else patch.add(
                (*path, "-"), statement
            )  # fmt: skip
            words = f"Add a statement to {place.title} that denies {_short(text) + ' ' if text else ''}{what}"
            yield check.edit(words, layer, Reach.STATEMENT, op)
    if "identity-policy" not in first and not guardrails.spares("identity-policy", check.request, check.layers):
        path, listed = check.part("identity_policies")
        document = {"Version": "2012-10-17", "Statement": [plain]}
        op = patch.add(path, [document]) if listed is None else patch.add((*path, "-"), document)
        words = f"Give the caller an identity policy that denies {what}"
        yield check.edit(words, "identity-policy", Reach.STATEMENT, op)
    if "scp" not in first and not guardrails.spares("scp", check.request, check.layers):
        document = {"Version": "2012-10-17", "Statement": [_EVERYTHING, plain]}
        op = patch.add(("scps",), [*(check.document.get("scps") or ()), [document]])
        yield check.edit(f"Bind the caller's account by an SCP that denies {what}", "scp", Reach.LAYER, op)
