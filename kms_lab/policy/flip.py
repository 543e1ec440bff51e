"""What is the smallest edit that would flip this verdict? Answered by search: every answer was tried.

A denied request has *needs*: each deny that applies must go, each silent layer must allow, and something must allow.
Each edit of the scenario (see ``edits``) is judged by which needs it ends, as the evaluator itself sees them. A search
then puts edits together, each made on the document that the ones before left behind, until nothing is needed.

Better is: fewer edits; then fewer leaves of the document changed; then less given away. So, of two changes of the same
size, the one to the request goes before one to a policy (nobody may do more than before), one more name or action in a
statement before a new statement, and both before a condition or a deny that falls for everybody (see ``edits.Reach``).

No edit changes who calls, whose key it is, or the policies of AWS's own keys: an operation that does not work across
accounts cannot be flipped.

That no smaller answer exists is certain for one edit, and tested for two; of more edits the order of trying is an
estimate. A world with very many denies and silent layers has more ways than can be tried. Then the answer is a straight
way: one need after the other, each by the edit that ends the most. It flips, but a smaller one may do so too.

Not here: the candidates (see ``edits``).
"""

import heapq
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from kms_lab.policy import edits as candidates
from kms_lab.policy import patch
from kms_lab.policy.compiled import CompiledPolicy, Layers, Request, compile_policy
from kms_lab.policy.document import Policy
from kms_lab.policy.edits import Check, Edit
from kms_lab.policy.evaluate import Verdict, evaluate
from kms_lab.policy.grants import RETIRE_GRANT
from kms_lab.policy.scenario import ScenarioError, decide, verdicts_of

#: documents made before the search for the smallest way ends with what it has
_DOCUMENTS = 1_500
#: documents with the same needs that are followed up: more of them would only do the same in another way
_ALIKE = 8
_EVERYTHING = compile_policy(
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}', "identity"
)
#: fields of a scenario that hold policies, one or several
_POLICIES = ("key_policy", "identity_policies", "permissions_boundary", "session_policy", "vpce_policy", "scps", "rcps")


@dataclass(frozen=True)
class Flip:
    """Edits that flip a verdict.

    Attributes:
        edits: in the order in which they are made.
        sentence: what to do, in words.
        document: the scenario afterwards.
        verdict: its verdict.
    """

    edits: tuple[Edit, ...]
    sentence: str
    document: dict[str, Any]
    verdict: Verdict

    def to_data(self) -> dict[str, object]:
        """The answer as JSON-ready data."""
        return {
            "sentence": self.sentence,
            "decision": self.verdict.decision,
            "edits": [{"op": list(edit.op), "words": edit.words, "layer": edit.layer} for edit in self.edits],
        }

    def __repr__(self) -> str:
        return f"<Flip: {self.sentence}>"


def flip(question: Mapping[str, Any] | Verdict) -> Flip | None:
    """Return the smallest change that flips the verdict on a scenario; None where none does.

    Args:
        question: a scenario, or a verdict, of which the scenario is taken.

    Raises:
        ScenarioError: the document is no scenario.
    """
    return next(iter(flips(question, limit=1)), None)


def flips(question: Mapping[str, Any] | Verdict, limit: int = 5) -> list[Flip]:
    """Return several ways to flip a verdict, the best first; none has more than one edit more than that.

    Raises:
        ScenarioError: the document is no scenario.
    """
    plain = _read(question.scenario() if isinstance(question, Verdict) else question)
    start = _state(plain, ())
    found = _to_deny(start) if start.allowed else _to_allow(start)
    states: list[_State] = []
    for state in found:
        states.append(state)
        if len(states) >= limit:
            break
    kept: list[_State] = []
    for state in sorted(states, key=lambda state: state.cost):
        if not _contains_one(state, kept):
            kept.append(state)
    return [_flip(state) for state in kept[:limit]]


def apply(document: Mapping[str, Any], edits: Iterable[Edit]) -> dict[str, Any]:
    """Return a scenario after edits; the one given stays as it is."""
    changed: dict[str, Any] = patch.apply(_read(document), [operation for edit in edits for operation in edit.op])
    return changed


def _read(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a scenario whose policies are documents, and no texts."""
    plain = {name: _documents(value) if name in _POLICIES else value for name, value in document.items()}
    if plain.get("also"):
        plain["also"] = [_read(check) if isinstance(check, Mapping) else check for check in plain["also"]]
    return plain


def _documents(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value  # which is no policy, as the evaluator will say
    return [_documents(one) for one in value] if isinstance(value, list | tuple) else value


def _flip(state: "_State") -> Flip:
    verdict = decide(state.document)
    words = "; then ".join(edit.words[:1].lower() + edit.words[1:] for edit in state.edits)
    count = len(state.edits)
    number = f"{_NUMBERS[count]} edits" if count < len(_NUMBERS) and count > 1 else f"{count} edits"
    sentence = f"{'One edit' if count == 1 else number} would make it {verdict.decision}: {words}."
    return Flip(state.edits, sentence, state.document, verdict)


_NUMBERS = ("", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


# ------------------------------------------------------------------------------------------------- needs


class _Need(NamedTuple):
    """One thing that keeps a check from being allowed.

    Attributes:
        check: number of the check.
        what: ``deny``, ``scp``, ``vpce``, ``boundary`` or ``session-policy`` (silent); ``key half`` or ``identity
            half`` (of a call across accounts), ``way`` (nothing allows), ``impossible``.
        at: which deny (its path in the document), or which level.
    """

    check: int
    what: str
    at: tuple[str | int, ...] = ()


class _State(NamedTuple):
    """A document on the way, with the edits that led to it."""

    document: dict[str, Any]
    edits: tuple[Edit, ...]
    verdicts: tuple[Verdict, ...]
    checks: tuple[Check, ...]
    needs: tuple[_Need, ...]

    @property
    def cost(self) -> int:
        return sum(map(_cost, self.edits))

    @property
    def allowed(self) -> bool:
        return all(verdict.allowed for verdict in self.verdicts)


def _cost(edit: Edit) -> int:
    """Return edits first, then leaves, then reach, as one number."""
    return 1_000_000 + 1_000 * edit.size + edit.reach


def _state(document: dict[str, Any], edits: tuple[Edit, ...]) -> _State:
    verdicts = tuple(verdicts_of(document))
    checks = tuple(Check(document, number, verdict) for number, verdict in enumerate(verdicts))
    needs = tuple(need for check in checks if not check.verdict.allowed for need in _needs(check))
    return _State(document, edits, verdicts, checks, needs)


def _needs(check: Check) -> Iterator[_Need]:
    """Yield what a denied check lacks. What is a deny, silence or an allow is asked of the evaluator, part by part."""
    number, layers = check.number, check.layers
    for place, statement in reversed(list(candidates.applying(check, "Deny"))):  # so that removing one moves no other
        yield _Need(number, "deny", (*place.path, statement.source.index))
    ways = _evaluate(check)
    if ways.reason == "not-cross-account":
        yield _Need(number, "impossible")
        return
    for level, policies in enumerate(layers.scps):
        if _evaluate(check, scps=(tuple(map(_allows, policies)),)).reason == "scp":
            yield _Need(number, "scp", (level,))
    if layers.endpoint is not None and _evaluate(check, endpoint=_allows(layers.endpoint)).reason == "vpce":
        yield _Need(number, "vpce")
    if not ways.allowed:
        yield from _missing_ways(check)
    for layer, policy in (("boundary", layers.boundary), ("session-policy", layers.session_policy)):
        federated = layer == "session-policy" and check.principal.kind == "federated-user"
        if (policy is not None or federated) and _is_silent(check, layer, policy, ways.allowed):
            yield _Need(number, layer)


def _missing_ways(check: Check) -> Iterator[_Need]:
    request = check.request
    foreign = bool(request.principal.account) and request.resource_account not in (request.principal.account, "")
    if not foreign or request.action.lower() == RETIRE_GRANT:
        yield _Need(check.number, "way")
        return
    policies_alone = evaluate(request, _bare(check.layers))
    if policies_alone.reason == "cross-account-no-key-policy":
        yield _Need(check.number, "key half")
    own = Layers(identity_policies=_bare(check.layers).identity_policies, session_policy=_EVERYTHING)
    if not evaluate(_at_home(request), own).allowed:
        yield _Need(check.number, "identity half")


def _is_silent(check: Check, layer: str, policy: CompiledPolicy | None, allowed: bool) -> bool:
    """Return whether a limit of the caller's stands in every way that allows; or would, where nothing allows yet."""
    limit = None if policy is None else _allows(policy)
    boundary, session = (limit, _EVERYTHING) if layer == "boundary" else (None, limit)
    if allowed:
        return not _evaluate(check, boundary=boundary, session_policy=session).allowed
    everything = Layers(identity_policies=(_EVERYTHING,), boundary=boundary, session_policy=session)
    return not evaluate(_at_home(check.request), everything).allowed


def _evaluate(check: Check, **guards: Any) -> Verdict:
    """Ask what allows a check, denies and all limits aside but those given."""
    return evaluate(check.request, _bare(check.layers, **guards), check.verdict.held)


def _bare(layers: Layers, **guards: Any) -> Layers:
    return Layers(
        None if layers.key_policy is None else _allows(layers.key_policy),
        tuple(map(_allows, layers.identity_policies)),
        aws_managed=layers.aws_managed,
        **{"session_policy": _EVERYTHING, **guards},
    )


def _at_home(request: Request) -> Request:
    """The same question of a caller's own policies alone."""
    who = request.principal
    action = "kms:Decrypt" if request.action.lower() == RETIRE_GRANT else request.action
    return Request(who, action, request.resource, who.account, request.context, request.asked)


@lru_cache(maxsize=4096)
def _allows(policy: CompiledPolicy) -> CompiledPolicy:
    """Return a policy without its denies."""
    document = policy.document
    allows = tuple(statement for statement in document.statements if statement.effect == "Allow")
    if len(allows) == len(document.statements):
        return policy
    return CompiledPolicy(policy.text, Policy(document.kind, document.version, allows))


# ------------------------------------------------------------------------------------------------ search


def _to_allow(start: _State) -> Iterator[_State]:
    """Yield documents that are allowed, the best first; a search for the shortest way, by cost so far and still due."""
    if any(need.what == "impossible" for need in start.needs):
        return
    first = _followers(start, start.needs)
    due: dict[_Need, int] = {}
    for state in first:
        ended = set(start.needs) - set(state.needs)
        for need in ended:
            share = state.cost // len(ended)
            due[need] = min(due.get(need, share), share)
    queue: list[tuple[int, int, int, _State]] = []
    count = 0
    best = 0

    def push(states: Iterable[_State], need: _Need) -> None:
        nonlocal count
        for state in states:
            if need not in state.needs:
                count += 1
                rest = sum(due.get(one, 0) for one in state.needs)
                heapq.heappush(queue, (state.cost + rest, -len(state.edits), count, state))

    push(first, _first(start.needs, first))
    found: list[_State] = []
    expanded: Counter[tuple[_Need, ...]] = Counter()
    while queue and count < _DOCUMENTS:
        state = heapq.heappop(queue)[-1]
        if best and len(state.edits) > best + 1:
            return
        expanded[state.needs] += bool(state.needs)
        if expanded[state.needs] > _ALIKE:
            continue
        if state.allowed:
            state = _trimmed(state, start)
            if not _contains_one(state, found):
                best = best or len(state.edits)
                found.append(state)
                yield state
        elif state.needs and (not best or len(state.edits) <= best):
            need = state.needs[0]
            push(_followers(state, (need,)), need)
    if not found:
        yield from _straight(start)


def _straight(start: _State) -> Iterator[_State]:
    """Yield the end of a way that ends one need after the other, each by the edit that ends the most."""
    state = start
    while state.needs:
        followers = (_followers(state, (need,)) for need in state.needs)
        nearer = ([one for one in some if len(one.needs) < len(state.needs)] for some in followers)
        first = next(filter(None, nearer), None)
        if first is None:
            return
        state = min(first, key=lambda one: (len(one.needs), one.cost))
    if state.allowed:
        yield _trimmed(state, start)


def _first(needs: tuple[_Need, ...], states: list[_State]) -> _Need:
    """Return the first need that some edit ends."""
    return next((need for need in needs if any(need not in state.needs for state in states)), needs[0])


def _contains_one(state: _State, others: Iterable[_State]) -> bool:
    """Return whether the edits include those of another way, by what they say."""
    words = {edit.words for edit in state.edits}
    return any({edit.words for edit in other.edits} <= words for other in others)


def _trimmed(state: _State, start: _State) -> _State:
    """Return a way without the edits that can be left out, since a later one does what they do."""
    for left_out in range(len(state.edits) if len(state.edits) > 1 else 0):
        fewer = state.edits[:left_out] + state.edits[left_out + 1 :]
        try:
            shorter = _state(apply(start.document, fewer), fewer)
        except (LookupError, ScenarioError):
            continue
        if shorter.allowed:
            return _trimmed(shorter, start)
    return state


def _followers(state: _State, needs: Iterable[_Need]) -> list[_State]:
    """Return the documents to which edits for these needs lead, where they end any need."""
    followers = []
    seen: set[str] = set()
    for need in needs:
        for group in _candidates(state, need):
            key = json.dumps([edit.op for edit in group], sort_keys=True)
            if key in seen:
                continue
            seen.add(key)
            follower = _after(state, group)
            if follower is not None and set(state.needs) - set(follower.needs):
                followers.append(follower)
    return followers


def _after(state: _State, group: tuple[Edit, ...]) -> _State | None:
    try:
        document = patch.apply(state.document, [operation for edit in group for operation in edit.op])
        return _state(document, (*state.edits, *group))
    except (LookupError, ScenarioError):
        return None  # such as a principal that no policy can name


def _candidates(state: _State, need: _Need) -> Iterator[tuple[Edit, ...]]:
    check = state.checks[need.check]
    for group in _for_need(check, need):
        if not check.layers.aws_managed or all(edit.layer != "key-policy" for edit in group):
            yield group


def _for_need(check: Check, need: _Need) -> Iterator[tuple[Edit, ...]]:
    match need.what:
        case "deny":
            for place, statement in candidates.applying(check, "Deny"):
                if (*place.path, statement.source.index) == need.at:
                    yield from candidates.loosened(check, place, statement)
        case "scp":
            level = need.at[0]
            assert isinstance(level, int)
            yield from candidates.silence(check, "scp", level)
        case "vpce":
            yield from candidates.silence(check, "vpce")
        case "boundary" | "session-policy":
            yield from candidates.silence(check, need.what)
            yield from candidates.ways(check)
        case _:
            yield from candidates.ways(check)


def _to_deny(start: _State) -> Iterator[_State]:
    """Yield documents that are denied after one edit, the best first: one deny more is always enough."""
    found = []
    seen = set()
    for check in start.checks:
        for edit in candidates.tightened(check):
            key = json.dumps(edit.op, sort_keys=True)
            if key not in seen:
                seen.add(key)
                state = _after(start, (edit,))
                if state is not None and not all(verdict.allowed for verdict in state.verdicts):
                    found.append(state)
    yield from sorted(found, key=lambda state: state.cost)
