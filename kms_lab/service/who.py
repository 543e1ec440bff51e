"""Who may do something to a key, and through what: every principal of the world is asked, and none is guessed.

Whoever may not do it just so may perhaps do it in other circumstances: with a pair of the encryption context, through
a service, with a second factor. Those that the caller's policies and the key's grants mention are tried, alone and
together, the fewest first.

Of principals the world knows the users, roles and root users; besides, those are asked whom the key policy or a grant
names. What another account's IAM policies say, where the lab knows nobody there, is for that account to decide.

Not here: the picture of it (``views.who``).
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from kms_lab.core.circumstances import DIRECT, Circumstances
from kms_lab.core.errors import LabError
from kms_lab.core.keys import Grant, Key
from kms_lab.core.names import Principal
from kms_lab.core.world import World
from kms_lab.policy import wishes
from kms_lab.policy.compiled import compile_policy
from kms_lab.policy.evaluate import Verdict
from kms_lab.policy.match import Condition
from kms_lab.service import gates
from kms_lab.service.operation import NO_KEY, Call, Row, row_for

YES: Final = "yes"
CONDITIONS: Final = "with conditions"
NO: Final = "no"

#: circumstances that are put together, and sets of them that are tried, before the answer is no
_TOGETHER = 6
_TRIED = 4_000
#: stands for whoever is not named, of an account that the lab does not know
_STRANGER = "arn:aws:iam::000000000000:user/anybody"
#: condition keys that repeat a member of the request
_MEMBERS = {
    "kms:bypasspolicylockoutsafetycheck": "BypassPolicyLockoutSafetyCheck",
    "kms:datakeypairspec": "KeyPairSpec",
    "kms:encryptionalgorithm": "EncryptionAlgorithm",
    "kms:granteeprincipal": "GranteePrincipal",
    "kms:grantoperations": "Operations",
    "kms:keyagreementalgorithm": "KeyAgreementAlgorithm",
    "kms:macalgorithm": "MacAlgorithm",
    "kms:messagetype": "MessageType",
    "kms:primaryregion": "PrimaryRegion",
    "kms:replicaregion": "ReplicaRegion",
    "kms:retiringprincipal": "RetiringPrincipal",
    "kms:rotationperiodindays": "RotationPeriodInDays",
    "kms:schedulekeydeletionpendingwindowindays": "PendingWindowInDays",
    "kms:signingalgorithm": "SigningAlgorithm",
    "kms:wrappingalgorithm": "WrappingAlgorithm",
    "kms:wrappingkeyspec": "WrappingKeySpec",
}
_SIDES = {"kms:reencryptfrom": "Source", "kms:reencryptto": "Destination"}


@dataclass(frozen=True)
class Answer:
    """One principal, and what it may.

    Attributes:
        principal: ARN of a user or root user, of a role (which stands for a session of it) or a session, a service, an
            account of which the lab knows nobody, or ``*`` for whoever is not named.
        kind: ``user``, ``role``, ``session``, ``root user``, ``federated user``, ``service``, ``account`` or
            ``anybody``.
        answer: ``yes``, ``with conditions`` or ``no``.
        needs: what would make it a yes, in words; none of it where it is one already, or can be none.
        verdict: the evaluator's, in the circumstances that ``needs`` names; the plain one where the answer is no.
    """

    principal: str
    kind: str
    answer: str
    needs: tuple[str, ...]
    verdict: Verdict

    @property
    def way(self) -> str:
        """What lets the principal in, in a few words; "" where nothing does."""
        return "" if self.answer == NO else _WAYS[self.verdict.reason](self.verdict)

    @property
    def through(self) -> str:
        """What lets the principal in, and the statement or grant that decided; "" where nothing does."""
        if self.answer == NO:
            return ""
        by = self.verdict.decided_by
        decided = by.statement or by.policy
        return f"{self.way} ({decided})" if decided and decided not in self.way else self.way

    @property
    def nearest(self) -> str:
        """Why not, and what came nearest, where the answer is no."""
        return self.verdict.sentence if self.answer == NO else ""


_WAYS: dict[str, Callable[[Verdict], str]] = {
    "key-policy": lambda verdict: str(verdict.decided_by.statement),
    "iam-via-key-policy": lambda _: "IAM policies, which the key policy lets decide",
    "account-root": lambda _: "the account's statement of the key policy",
    "cross-account": lambda _: "the key policy and IAM policies of the other account",
    "grant": lambda verdict: str(verdict.decided_by.policy),
    "iam-policy": lambda _: "IAM policies",
    "cross-account-no-iam-policy": lambda _: "the key policy, and what the other account says",
}


class _Wish(NamedTuple):
    """Something that could be otherwise about a call: in words, and as settings, each by its own name."""

    words: str
    settings: tuple[tuple[str, Any], ...]


class _Question:
    """What is asked of each principal, and how the call may be changed."""

    def __init__(
        self, world: World, row: Row, action: str, key: Key, context: Mapping[str, str] | None,
        params: Mapping[str, Any], how: Circumstances,
    ) -> None:  # fmt: skip
        self.world, self.row, self.action, self.key = world, row, action, key
        self.context, self.params, self.how = context, params, how

    def ask(self, who: Principal, wishes_: Iterable[_Wish] = ()) -> Verdict | None:
        """Return the verdict, in other circumstances perhaps; None where no call can have all of them."""
        settings = {name: value for wish in wishes_ for name, value in wish.settings}
        how = {name[4:]: value for name, value in settings.items() if name.startswith("how ")}
        pairs = dict(self.context or {})
        pairs |= {name[5:]: value for name, value in settings.items() if name.startswith("pair ")}
        params = {**self.params, **{name[7:]: value for name, value in settings.items() if name.startswith("member ")}}
        try:
            call = Call(self.row, self.world, who, self.key.region, {**params, **self._with_pairs(pairs, params)})
            call.how = replace(self.how, **how)
        except LabError:
            return None
        call.key, call.alias_arn = self.key, settings.get("alias")
        return gates.verdict_of(call, self.action, self.key.arn, self.key.account, self.key)

    def _with_pairs(self, pairs: dict[str, str], params: Mapping[str, Any]) -> dict[str, Any]:
        if not pairs:
            return {}
        if self.row.name == "CreateGrant":
            return {"Constraints": {**(params.get("Constraints") or {}), "EncryptionContextSubset": pairs}}
        return {f"{_SIDES.get(self.action.lower(), '')}EncryptionContext": pairs}

    @property
    def takes_pairs(self) -> bool:
        """Can the call carry another encryption context than the one asked about?"""
        side = _SIDES.get(self.action.lower(), "")
        member = "Constraints" if self.row.name == "CreateGrant" else f"{side}EncryptionContext"
        return self.context is None and member in self.row.model.members

    # ------------------------------------------------------------------- circumstances that policies mention

    def wishes(self, verdict: Verdict) -> list[_Wish]:
        """Return what the policies and grants behind a verdict mention, once each."""
        found: dict[str, _Wish] = {}
        for _, _, policy in verdict.layers.policies():
            for statement in policy.about(self.action.lower()):
                for condition in statement.conditions:
                    for wish in self._of_condition(condition, verdict):
                        found.setdefault(wish.words, wish)
        for grant in verdict.held:
            for wish in self._of_grant(grant, verdict):
                found.setdefault(wish.words, wish)
        return list(found.values())

    def _of_condition(self, condition: Condition, verdict: Verdict) -> Iterator[_Wish]:
        if condition.blind:
            return
        for holds in (True, False):
            for value in wishes.values(condition, verdict.request.context, holds):
                wish = None if value is None else self._wish(condition.source.key, value)
                if wish is not None:
                    yield wish

    def _wish(self, key: str, value: str | tuple[str, ...]) -> _Wish | None:
        """Return the circumstance in which a condition key has a value; None where no call can be made so."""
        name, texts = key.lower(), (value,) if isinstance(value, str) else value
        text = texts[0] if texts else ""
        if name.startswith(wishes.ENCRYPTION_CONTEXT):
            return self._pairs({key[len(wishes.ENCRYPTION_CONTEXT) :]: text})
        if name == wishes.ENCRYPTION_CONTEXT_KEYS:
            return self._pairs(dict.fromkeys(texts, "example"))
        match name:
            case "kms:viaservice":
                service = text.removesuffix(f".{self.key.region}.amazonaws.com")
                return None if service == text else _Wish(f"through {service}", (("how via", service),))
            case "aws:multifactorauthpresent" if text == "true":
                return _Wish("with MFA", (("how mfa_age_s", 0),))
            case "aws:multifactorauthage" if text.isdigit():
                return _Wish(f"with MFA {text} seconds ago", (("how mfa_age_s", int(text)),))
            case "aws:sourceip":
                return _Wish(f"from {text}", (("how source_ip", text),))
            case "aws:sourcearn":
                return _Wish(f"for {text}", (("how source_arn", text),))
            case "aws:sourceaccount":
                return _Wish(f"for account {text}", (("how source_account", text),))
            case "aws:sourcevpce" | "aws:sourcevpc":
                return self._endpoint(text)
            case "kms:requestalias":
                shelf = self.world.look(self.key.account, self.key.region)
                alias = shelf.aliases.get(text)
                known = alias is not None and alias.key_id == self.key.id
                return _Wish(f"naming the key {text}", (("alias", alias.arn),)) if alias and known else None
        return self._member(name, texts)

    def _pairs(self, pairs: dict[str, str]) -> _Wish | None:
        if not self.takes_pairs or not pairs:
            return None
        said = ", ".join(f"{name}={value}" for name, value in pairs.items())
        return _Wish(f"encryption context {said}", tuple((f"pair {name}", value) for name, value in pairs.items()))

    def _endpoint(self, text: str) -> _Wish | None:
        for endpoint in self.world.endpoints.values():
            if text in (endpoint.id, endpoint.vpc):
                return _Wish(f"through VPC endpoint {endpoint.id}", (("how endpoint", endpoint.id),))
        return None

    def _member(self, name: str, texts: tuple[str, ...]) -> _Wish | None:
        member = _MEMBERS.get(name, "")
        side = _SIDES.get(self.action.lower(), "")
        if name == "kms:encryptionalgorithm":
            member = f"{side}EncryptionAlgorithm"
        if member not in self.row.model.members or not texts:
            return None
        value = list(texts) if member == "Operations" else texts[0]
        return _Wish(f"{member} {', '.join(texts)}", ((f"member {member}", value),))

    def _of_grant(self, grant: Grant, verdict: Verdict) -> Iterator[_Wish]:
        for pairs in (grant.context_equals, grant.context_subset):
            if pairs:
                wish = self._pairs(dict(pairs))
                if wish is not None:
                    yield wish
        if grant.source_arn:
            yield _Wish(f"for {grant.source_arn}", (("how source_arn", grant.source_arn),))
        if grant.id in verdict.request.asked.early and grant.tokens and "GrantTokens" in self.row.model.members:
            yield _Wish("with its grant token", (("member GrantTokens", [grant.tokens[0]]),))


def who_can(
    world: World,
    action: str,
    key: Key,
    context: Mapping[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
    how: Circumstances = DIRECT,
) -> tuple[Answer, ...]:
    """Return what every principal may: those of the key's account first, then other accounts', then services.

    Args:
        action: an IAM action such as ``kms:Decrypt``.
        context: the encryption context that each call would carry; None where it may be chosen.
        params: other members of the request that policies look at.
        how: how each call would come, but for what is tried.

    Raises:
        LabError: no operation on a key needs that permission.
    """
    row = row_for(action)
    if row is None or row.target == NO_KEY:
        raise LabError(f"no operation of the lab on a key asks for {action}; try kms:Decrypt, for example")
    question = _Question(world, row, action, key, context, params or {}, how)
    return tuple(_answer(question, *named) for named in _principals(world, key))


# ------------------------------------------------------------------------------------------- principals


class _Named(NamedTuple):
    """A principal to be asked.

    ``stranger``: of an account whose IAM policies the lab does not know.
    """

    shown: str
    kind: str
    who: Principal
    stranger: bool


_KINDS = {"role-session": "session", "root-user": "root user", "federated-user": "federated user"}


def _principals(world: World, key: Key) -> list[_Named]:
    policy = compile_policy(key.policy, "key")
    listed = [statement.source.principals for statement in policy.statements if statement.source.principals]
    names = [name for principals in listed for name in (*principals.aws, *principals.services)]
    for grant in key.grants.values():
        if grant.ends_us is None:
            names += [grant.grantee, grant.retiring]
    roots = {arn.split(":")[4]: None for arn in (key.arn, *world.identities)}
    if world.organization is not None:
        roots |= dict.fromkeys(world.organization.members())
    everybody = [*world.identities, *(f"arn:aws:iam::{account}:root" for account in roots), *names]
    found: dict[str, _Named] = {}
    for name in everybody:
        named = _named(world, key, name)
        if named is not None:
            found.setdefault(named.shown, named)
    ordered = sorted(found.values(), key=lambda one: _place(one, key))
    if any(principals.everyone for principals in listed):
        ordered.append(_Named("*", "anybody", Principal.parse(_STRANGER), True))
    return ordered


def _named(world: World, key: Key, name: str) -> _Named | None:
    """Return whom a name means; None for what is no principal, such as the id of somebody who was deleted."""
    try:
        who = Principal.parse(name)
    except ValueError:
        return None
    if who.kind == "role-session" and ":assumed-role/" in name:
        who = _with_path(world, who)
    knows_account = who.account == key.account or world.has_account(who.account)
    if who.kind == "root-user" and not knows_account:
        member = world.organization is not None and who.account in world.organization.nodes
        return _Named(name, "root user", who, False) if member else _Named(who.account, "account", who, True)
    is_known = who.kind in ("root-user", "service") or who.identity_arn in world.identities
    kind = "role" if ":role/" in name else _KINDS.get(who.kind, who.kind)
    return _Named(name, kind, who, not is_known and who.account != key.account)


def _with_path(world: World, who: Principal) -> Principal:
    """Return a session with its role's ARN in full: a session's ARN leaves the path out."""
    for arn in world.identities:
        if Principal.parse(arn).arn.rpartition("/")[0] == who.arn.rpartition("/")[0]:
            return replace(who, identity_arn=arn)
    return who


_ORDER = ("root user", "user", "role", "session", "federated user", "account")


def _place(named: _Named, key: Key) -> tuple[bool, bool, str, int, str]:
    who = named.who
    rank = _ORDER.index(named.kind) if named.kind in _ORDER else len(_ORDER)
    return who.kind == "service", who.account != key.account, who.account, rank, named.shown


# ---------------------------------------------------------------------------------------------- answers


def _answer(question: _Question, shown: str, kind: str, who: Principal, stranger: bool) -> Answer:
    plain = question.ask(who)
    if plain is None:
        raise LabError("no call can be made in these circumstances")
    there = (f"account {who.account} decides",) if who.account != "000000000000" else ("the caller's account decides",)
    theirs = there if stranger else ()

    def lets(verdict: Verdict) -> bool:
        return verdict.allowed or (stranger and verdict.reason == "cross-account-no-iam-policy")

    if lets(plain):
        return Answer(shown, kind, CONDITIONS if theirs else YES, theirs, plain)
    for chosen in itertools.islice(_sets(question.wishes(plain)), _TRIED):
        verdict = question.ask(who, chosen)
        if verdict is not None and lets(verdict):
            return Answer(shown, kind, CONDITIONS, (*(wish.words for wish in chosen), *theirs), verdict)
    return Answer(shown, kind, NO, (), plain)


def _sets(found: list[_Wish]) -> Iterator[tuple[_Wish, ...]]:
    """Yield sets of circumstances that go together, the smallest first."""
    for count in range(1, _TOGETHER + 1):
        for chosen in itertools.combinations(found, count):
            names = [name for wish in chosen for name, _ in wish.settings]
            if len(set(names)) == len(names):
                yield chosen
