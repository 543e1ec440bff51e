"""Lesson 09: the whole verdict. Who may use a key: key policy, identity policies, grants, and what stands above them.

The world is a company's pay office: who may open salary slips, and who may not. Three keys, each with another kind of
key policy: payroll lets IAM decide, board names its callers only, slips waits for a policy that the learner writes.
The tickets of exercise 5 are scenarios, made by asking a copy of the world.

Source: AWS KMS Developer Guide, "Key policies in AWS KMS", "Default key policy", "Grants in AWS KMS", "Using a grant
token", "Retiring and revoking grants", "Allowing users in other accounts to use a KMS key", "Troubleshooting key
access"; IAM User Guide, "Policy evaluation logic", "Permissions boundaries for IAM entities"; AWS Organizations User
Guide, "SCP evaluation".
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kms_lab.accounts import ACCOUNT
from kms_lab.core.errors import KMSError
from kms_lab.core.log import Entry
from kms_lab.core.names import Principal
from kms_lab.lab import ADMIN, Lab
from kms_lab.policy import actions
from kms_lab.policy.evaluate import Verdict
from kms_lab.policy.scenario import decide
from kms_lab.service.authority import hanging_on
from kms_lab.service.grants import PROPAGATION_US
from kms_lab.teach.exercise import (
    Exercise,
    Misconception,
    Outcome,
    Result,
    Solution,
    describe,
    not_attempted,
    right,
    wrong,
)
from kms_lab.teach.lesson import Lesson, LessonData, Objective
from kms_lab.teach.probe import Probe, Unfinished
from kms_lab.teach.question import Choice, Matching, Multiple, Option, Prediction

Context = dict[str, str] | None
NOT_RIGHT = Outcome.WRONG
PARTNER, STRANGERS, MANAGEMENT = "444455556666", "999988887777", "123456789012"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
SALARY, TAX, YEAR_END, SICK = ({"purpose": name} for name in ("salary", "tax", "year-end", "sick-leave"))
MINUTE_US = 60_000_000
#: from when on a grant needs no token, in the lab
PROPAGATION_MINUTES = PROPAGATION_US // MINUTE_US
#: what a test of a new grant waits, so that the grant is in force without its token
A_WHILE = 10

# ---- the starting world


def _policy(*statements: Mapping[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(*names: str) -> dict[str, Any]:
    """An identity policy that allows actions of KMS on any key."""
    return _policy({"Effect": "Allow", "Action": [f"kms:{name}" for name in names], "Resource": "*"})


def _for(sid: str, arn: str, *names: str) -> dict[str, Any]:
    """A statement of a key policy that names one principal."""
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"AWS": arn},
        "Action": [f"kms:{name}" for name in names],
        "Resource": "*",
    }


MANAGING = (
    "DescribeKey", "GetKeyPolicy", "PutKeyPolicy", "EnableKey", "DisableKey", "ScheduleKeyDeletion", "CancelKeyDeletion"
)  # fmt: skip


def world(lab: Lab) -> dict[str, Any]:
    """Keys of a pay office, with the people and programs that want something of them."""
    iam = lab.iam
    people = {
        "dana": iam.create_user("Dana", [_allow("Decrypt")]),
        "milo": iam.create_user("Milo"),
        "keeper": iam.create_role("Keeper"),
        "app": iam.create_role("App"),
        "auditor": iam.create_role("Auditor"),
        "secretary": iam.create_role("Secretary"),
        "clerk": iam.create_role("Clerk"),
        "worker": iam.create_role("Worker"),
        "adviser": iam.create_role("Adviser", [_allow("*")], account=PARTNER),
        "stranger": iam.create_role("Stranger", [_allow("*")], account=STRANGERS),
        "admin": ADMIN,
    }
    kms = lab.client()
    keys = {}
    for name in ("payroll", "board", "slips", "archive"):
        keys[name] = kms.create_key(Description=name)["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=keys[name])
    blobs = {
        name: kms.encrypt(KeyId=keys[key], Plaintext=text, EncryptionContext=context)["CiphertextBlob"]
        for name, key, text, context in (
            ("slip", "payroll", b"Dana, January: 3,100", SALARY),
            ("minutes", "board", b"We sell the north hall.", {}),
            ("year_end", "archive", b"Sum of all salaries: 812,400", YEAR_END),
            ("sick_note", "archive", b"Milo: 3 days", SICK),
        )
    }
    keeper = _for("Keeper", people["keeper"], *MANAGING)
    minutes = _for("Minutes", people["secretary"], "Encrypt", "Decrypt")
    for name, document in (("board", _policy(keeper, minutes)), ("slips", _policy(keeper))):
        kms.put_key_policy(KeyId=keys[name], Policy=json.dumps(document), BypassPolicyLockoutSafetyCheck=True)
    return {**people, **keys, **blobs, "tickets": _tickets(lab.fork(), keys["archive"])}


def _tickets(lab: Lab, key: str) -> dict[str, Any]:
    """Three refusals of a copy of the lab, as scenarios."""
    lab.org.create(management=MANAGEMENT)
    unit = lab.org.create_unit("Finance")
    lab.org.place(ACCOUNT, unit)
    ends = ["kms:ScheduleKeyDeletion", "kms:DisableKey"]
    stay = {"Sid": "KeysStay", "Effect": "Deny", "Action": ends, "Resource": "*"}
    lab.org.attach_scp(unit, "Finance", _policy(stay))
    nina = lab.iam.create_role("Operator", [_allow("*")])
    everyday = ["s3:*", "kms:Encrypt", "kms:DescribeKey"]
    limit = {"Sid": "Everyday", "Effect": "Allow", "Action": everyday, "Resource": "*"}
    omar = lab.iam.create_user("Omar", [_allow("Encrypt", "Decrypt")], boundary=_policy(limit))
    batch = lab.iam.create_role("Batch")
    kms = lab.client()
    kms.create_grant(KeyId=key, GranteePrincipal=batch, Operations=["Decrypt"], Name="batch")
    guard = {
        "Sid": "KnownPurposes",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": {"StringNotEquals": {"kms:EncryptionContext:purpose": ["year-end", "sick-leave"]}},
    }
    kms.put_key_policy(KeyId=key, Policy=json.dumps(_policy(_for("Account", ROOT, "*"), guard)))
    lab.clock.travel(minutes=A_WHILE)
    asked = {
        "A": lab.may(nina, "kms:ScheduleKeyDeletion", key),
        "B": lab.may(omar, "kms:Decrypt", key, context=YEAR_END),
        "C": lab.may(batch, "kms:Decrypt", key, context={"purpose": "test"}),
    }
    return {name: verdict.scenario() for name, verdict in asked.items()}


# ---- asking a copy of the lab


def _asked(probe: Probe, who: str, name: str, key: str, context: Context = None) -> Verdict:
    return probe.lab.may(who, f"kms:{name}", key, context=context)


def _name(arn: str) -> str:
    if arn.endswith(":root"):
        return "the root user"
    return arn.rpartition("/")[2]


def _call(name: str, context: Context) -> str:
    if context is None:
        return f"kms:{name}"
    return f"kms:{name} with " + (", ".join(f"{k}={v}" for k, v in context.items()) or "no context")


def _statements(document: Any) -> list[dict[str, Any]]:
    found = document.get("Statement", []) if isinstance(document, Mapping) else []
    return [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, dict)]


def _values(value: Any) -> Iterator[Any]:
    """Every value inside a document, however deep."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _values(inner)
    elif isinstance(value, list | tuple | set):
        for inner in value:
            yield from _values(inner)
    else:
        yield value


def _everyone(document: Any) -> bool:
    """Does some statement allow with Principal "*"?"""
    allows = [one.get("Principal") for one in _statements(document) if one.get("Effect") == "Allow"]
    return any("*" in list(_values(principal)) for principal in allows)


# ---- exercise 1: what each layer said


def says_what_layers_said(probe: Probe, value: Mapping[str, Any]) -> Result:
    """Judged against the trace of the same question, asked again."""
    trace = _asked(probe, probe.given["dana"], "Decrypt", probe.given["board"]).trace
    truth = {layer.layer: layer.outcome for layer in trace.layers}
    if missing := [name for name in ("key-policy", "identity-policy", "decides") if name not in value]:
        return Result(NOT_RIGHT, f"Your answer has no entry {missing[0]!r}.")
    key, iam = (_outcome(value[name]) for name in ("key-policy", "identity-policy"))
    if strange := next((word for word in (key, iam) if word not in _OUTCOMES.values()), None):
        return Result(NOT_RIGHT, f"“{strange:.30}” is none of the trace's words: allow, deny, silent, none.")
    if key == "deny":
        return wrong("silence-denies", "You wrote that the key policy denies. No statement in it has the effect Deny.")
    if key != truth["key-policy"]:
        return wrong("iam-alone", f"You wrote “{key}” for the key policy, as if nothing had been missing there.")
    if iam != truth["identity-policy"]:
        return wrong("refused-by-all", f"You wrote “{iam}” for Dana's identity policies.")
    if (decides := _layer(getattr(value["decides"], "layer", value["decides"]))) != trace.deciding.layer:
        said = f"You wrote that “{decides:.30}” decides. That layer had said yes, or was not asked."
        return wrong("refused-by-all", said)
    return right("One half said yes. The half that had to hand the question over to IAM said nothing.")


def _plain(value: Any) -> str:
    return str(value).strip().strip(".").lower()


_OUTCOMES = {
    "allow": "allow",
    "allows": "allow",
    "yes": "allow",
    "deny": "deny",
    "denies": "deny",
    "silent": "silent",
    "silence": "silent",
    "none": "none",
    "says nothing": "none",  # as a tree has it
}


def _outcome(value: Any) -> str:
    """A word of the trace, however a learner says it."""
    word = _plain(getattr(value, "outcome", value)).removeprefix("it ").removeprefix("is ")
    return _OUTCOMES.get(word, word)


_LAYERS = {
    "key-policy": "key-policy",
    "identity-policy": "identity-policy",
    "grant": "grant",
    "boundary": "boundary",
    "scp": "scp",
    "rcp": "rcp",
    "session-policy": "session-policy",
    "vpce": "vpce",
    "operation": "operation",
    "account": "account",
    "iam": "identity-policy",
    "identity": "identity-policy",
    "iam-policy": "identity-policy",
    "key": "key-policy",
    "permissions-boundary": "boundary",
    "permission-boundary": "boundary",
    "session": "session-policy",
    "service-control-policy": "scp",
    "resource-control-policy": "rcp",
    "endpoint-policy": "vpce",
}


def _layer(name: Any) -> str:
    """The code of a layer, however a learner writes its name."""
    plain = _plain(name).removeprefix("the ").partition(" of ")[0]  # "SCPs of level 2", as a tree has it
    text = re.sub("[ _]+", "-", re.sub("ies$", "y", plain)).removesuffix("s")
    code = next((code for code in ("scp", "rcp") if text.startswith(f"{code}-")), text)  # "SCP Finance"
    return _LAYERS.get(code, plain)


# ---- exercise 2: let IAM decide again


def iam_decides_again(probe: Probe, value: Any) -> Result:
    """Judged by probes: those of today, and somebody who comes tomorrow."""
    given, key = probe.given, probe.given["payroll"]
    newcomer = probe.lab.iam.create_user("Newcomer", [_allow("Decrypt")])
    document = json.loads(probe.lab.key(key).policy)
    probe.lab.clock.travel(minutes=A_WHILE)
    if not (dana := _asked(probe, given["dana"], "Decrypt", key, SALARY)):
        return _still_refused(probe, document, dana.sentence)
    if _asked(probe, given["stranger"], "Decrypt", key, SALARY) or _asked(probe, given["milo"], "Decrypt", key, SALARY):
        return _too_many(probe, document)
    if not (refused := _asked(probe, newcomer, "Decrypt", key, SALARY)):
        said = f"The check made a user Newcomer, with Dana's IAM policy. kms:Decrypt: refused. {refused.sentence}"
        return wrong("names-delegate", said)
    if not (admin := _asked(probe, ADMIN, "PutKeyPolicy", key)):
        return Result(NOT_RIGHT, f"You can no longer change this policy yourself. {admin.sentence}")
    return right(
        "Dana decrypts, and so does Newcomer with the same IAM policy. Milo, whom IAM gives nothing, does not."
    )


def _still_refused(probe: Probe, document: Any, why: str) -> Result:
    said = f"Dana still cannot open her slip. {why}"
    last = probe.calls("PutKeyPolicy", key=probe.given["payroll"])[-1:]
    if document == _only_admin():
        if last and last[0].error:
            said = f"The last PutKeyPolicy was refused ({last[0].error}), so nothing has changed. {said}"
            return Result(NOT_RIGHT, said)
        return Result(NOT_RIGHT, said, "iam-alone")
    if _lets_account_in(document):
        said += " A statement does name the account: does its Action cover kms:Decrypt? Has it a Condition?"
    return Result(NOT_RIGHT, said)


def _lets_account_in(document: Any) -> bool:
    """Does some statement name the account?"""
    return any({ROOT, ACCOUNT} & set(_values(one.get("Principal"))) for one in _statements(document))


def _too_many(probe: Probe, document: Any) -> Result:
    key, milo = probe.given["payroll"], probe.given["milo"]
    who = milo if _asked(probe, milo, "Decrypt", key, SALARY) else probe.given["stranger"]
    found = f"{_name(who)} may call kms:Decrypt too. {_asked(probe, who, 'Decrypt', key, SALARY).sentence}"
    return wrong("star-is-us", found) if _everyone(document) else Result(NOT_RIGHT, found)


def _only_admin() -> dict[str, Any]:
    """The key policy that the lesson's own cell puts in place."""
    return _policy({"Sid": "Admin", "Effect": "Allow", "Principal": {"AWS": ADMIN}, "Action": "kms:*", "Resource": "*"})


def _tried_repair(probe: Probe) -> bool:
    """Is anything else than the lesson's own cell left behind?"""
    changes = [*probe.calls("PutKeyPolicy"), *probe.calls("CreateGrant", key=probe.given["payroll"])]
    if not changes:
        return False
    if changes[-1].operation == "CreateGrant" or changes[-1].error:
        return True
    identities = probe.lab.world.identities
    iam_now = [identities[probe.given[who]].policies for who in ("dana", "milo")]
    iam_then = [(json.dumps(_allow("Decrypt")),), ()]
    return json.loads(probe.lab.key(probe.given["payroll"]).policy) != _only_admin() or iam_now != iam_then


# ---- exercise 3: a key policy for a team

#: (name in ``given``, what is asked for, context): what each must be able to do
WANTED: tuple[tuple[str, str, Context], ...] = (
    *(("keeper", name, None) for name in MANAGING),
    *(("app", name, SALARY) for name in ("Encrypt", "Decrypt", "GenerateDataKey")),
    ("app", "DescribeKey", None),
    ("auditor", "DescribeKey", None),
    ("auditor", "GetKeyPolicy", None),
    ("adviser", "Decrypt", TAX),
)
_NAMES = frozenset(name.removeprefix("kms:") for name in actions.all_actions())
#: what a key policy has a say in
_OF_KEYS = _NAMES - actions.WITHOUT_KEY - {"RetireGrant"}
_LOOKING = frozenset(name for name in _OF_KEYS if name.startswith(("Get", "List", "Describe")))
_USING = actions.CRYPTOGRAPHIC | {"CreateGrant"}
#: what each may be able to do besides, without harm
HARMLESS: Mapping[str, frozenset[str]] = {
    "keeper": _OF_KEYS - _USING,
    "app": _LOOKING
    | {name for name in _OF_KEYS if name.startswith(("Encrypt", "Decrypt", "ReEncrypt", "GenerateData"))},
    "auditor": _LOOKING,
}
#: the calls that tell most, first
_TELLING = ("Decrypt", "CreateGrant", "PutKeyPolicy", "Encrypt", "DisableKey")
CONTEXTS: tuple[Context, ...] = ({}, SALARY, TAX)


def behaves(probe: Probe, document: Any) -> Result:
    """Judged by probes on a copy: every call that is wanted, then every call that is not."""
    if any(value is ... for value in _values(document)):
        return not_attempted("There still is a `...` in your policy.")
    keeper = probe.client(principal=probe.given["keeper"])
    text = document if isinstance(document, str) else json.dumps(document)
    try:
        document = json.loads(text)
    except ValueError as error:
        return Result(NOT_RIGHT, f"Your text is not JSON: {error}.")
    resources = [value for one in _statements(document) for value in _values(one.get("Resource"))]
    alias = any(":alias/" in str(value) for value in resources)
    try:
        keeper.put_key_policy(KeyId=probe.given["slips"], Policy=text)
    except KMSError as error:
        said = f"Keeper tried to save it, and PutKeyPolicy was refused: {error.code}. {error.message}"
        return Result(NOT_RIGHT, said, "alias-is-resource" if alias else "")
    return _refused_though_wanted(probe, document, alias) or _allowed_though_not_wanted(probe, document) or right(
        f"The {len(WANTED)} calls that your team needs went through. Whatever else was tried, by them or by others, "
        "was refused."
    )  # fmt: skip


def _refused_though_wanted(probe: Probe, document: Any, alias: bool) -> Result | None:
    for who, name, context in WANTED:
        verdict = _asked(probe, probe.given[who], name, probe.given["slips"], context)
        if verdict:
            continue
        said = f"{who.title()} is refused {_call(name, context)}. {verdict.sentence}"
        if alias:
            return wrong("alias-is-resource", said)
        return Result(NOT_RIGHT, said, "root-gives-all" if _lets_account_in(document) and who != "adviser" else "")
    return None


def _allowed_though_not_wanted(probe: Probe, document: Any) -> Result | None:
    for who, name, context in _unwanted():
        if verdict := _asked(probe, probe.given[who], name, probe.given["slips"], context):
            said = f"{who.title()} may call {_call(name, context)}, and should not. {verdict.sentence}"
            return Result(NOT_RIGHT, said, _belief_behind(who, name, verdict, document))
    return None


def _unwanted() -> Iterator[tuple[str, str, Context]]:
    """Every call that nobody asked for, those that tell most first."""
    for name in (*_TELLING, *sorted(_OF_KEYS.difference(_TELLING))):
        for who in ("stranger", "milo", "dana", "admin", "keeper", "auditor", "adviser", "app"):
            if name not in HARMLESS.get(who, ()):
                for context in CONTEXTS if name in actions.CRYPTOGRAPHIC else (None,):
                    if (who, name, context) not in WANTED:
                        yield who, name, context


def _belief_behind(who: str, name: str, verdict: Verdict, document: Any) -> str:
    if who in ("stranger", "milo"):
        return "star-is-us"
    if who in ("dana", "admin"):
        return "root-is-harmless" if verdict.reason == "iam-via-key-policy" else "star-is-us"
    if who == "keeper":
        return "admins-are-locked-out"
    if (who, name) == ("adviser", "Decrypt"):
        return "context-guards"
    starred = any("*" in str(name) for one in _statements(document) for name in _values(one.get("Action")))
    return "wide-is-short" if starred else ""


# ---- exercise 4: a grant for one job

_GRANTED = ("Decrypt", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo", "CreateGrant")


def job_done(probe: Probe, value: Any) -> Result:
    """Judged on the events of a grant that was made for the worker, by trying what it would have let through, and by
    what the worker may do afterwards."""
    made = _grants_for_worker(probe)
    if not made:
        return _no_grant(probe)
    results = [_job(probe, entry) for entry in reversed(made)]
    done = next((one for one in results if one.outcome is Outcome.RIGHT), None)
    return results[0] if done is None else _left_over(probe) or done


def _no_grant(probe: Probe) -> Result:
    worker = probe.given["worker"]
    if probe.calls("Decrypt", ok=True, principal=worker):
        why = _asked(probe, worker, "Decrypt", probe.given["archive"], YEAR_END).sentence
        return Result(NOT_RIGHT, f"Worker has decrypted, but the trail has no CreateGrant for Worker. {why}")
    last = next(reversed(probe.calls("CreateGrant")), None)
    if last is None:
        return Result(NOT_RIGHT, "The trail has no CreateGrant.")
    why = f"refused: {last.error}" if last.error else f"for {_name(str(last.request.get('GranteePrincipal')))}"
    return Result(NOT_RIGHT, f"No CreateGrant for Worker went through. The last one was {why}.")


def _left_over(probe: Probe) -> Result | None:
    """What still lets the worker in after the job."""
    archive, worker = probe.given["archive"], probe.given["worker"]
    left = [one for one in probe.lab.key(archive).grants.values() if one.ends_us is None and _is_worker(one.grantee)]
    if left:
        others = "another grant" if len(left) == 1 else f"{len(left)} other grants"
        return wrong("grants-end-themselves", f"`list_grants` still shows {others} for Worker. `revoke_grant` ends it.")
    probe.lab.clock.travel(minutes=A_WHILE)
    for context in (YEAR_END, SICK, {}):
        if verdict := _asked(probe, worker, "Decrypt", archive, context):
            said = f"The grant is gone, and Worker may still call {_call('Decrypt', context)}. {verdict.sentence}"
            return Result(NOT_RIGHT, said)
    return None


def _is_worker(name: Any) -> bool:
    return ":role/Worker" in str(name) or ":assumed-role/Worker/" in str(name)


def _grants_for_worker(probe: Probe) -> list[Entry]:
    return [one for one in probe.calls("CreateGrant", ok=True) if _is_worker(one.request.get("GranteePrincipal"))]


def _tried_job(probe: Probe) -> bool:
    others = (not str(one.request.get("GranteePrincipal")).endswith("/Clerk") for one in probe.calls("CreateGrant"))
    return any(others) or bool(probe.calls(principal=probe.given["worker"]))


def _job(probe: Probe, made: Entry) -> Result:
    if not str(made.key).endswith(probe.given["archive"]):
        return Result(NOT_RIGHT, "Your grant is on another key than the one behind alias/archive.")
    twin = _Twin(probe, made)
    return _too_wide(twin) or _not_used(probe, made, twin) or _not_ended(probe, made) or right(
        "The trail has CreateGrant, then Decrypt by Worker with the context year-end, then RetireGrant by Worker. "
        "The grant let nothing else through."
    )  # fmt: skip


class _Twin:
    """Somebody else who gets the same grant, on a copy, when it is in force: what would it let through?"""

    def __init__(self, probe: Probe, made: Entry) -> None:
        self._copy, self._key = probe.fork(), probe.given["archive"]
        self._arn = self._copy.lab.iam.create_role("Twin")
        wishes = {name: made.request[name] for name in ("Operations", "Constraints") if made.request.get(name)}
        grant = self._copy.client().create_grant(KeyId=self._key, GranteePrincipal=self._arn, **wishes)
        self._id, self._worker_id = grant["GrantId"][:8], str(made.more.get("grant"))[:8]
        self._copy.lab.clock.travel(minutes=A_WHILE)

    def may(self, name: str, context: Context) -> tuple[bool, str]:
        """The answer, and the reason as if Worker had asked."""
        verdict = _asked(self._copy, self._arn, name, self._key, context)
        return verdict.allowed, verdict.sentence.replace("Twin", "Worker").replace(self._id, self._worker_id)


def _too_wide(twin: _Twin) -> Result | None:
    for name, context in (("Decrypt", SICK), ("Decrypt", {}), *((name, YEAR_END) for name in _GRANTED[1:])):
        allowed, why = twin.may(name, context)
        if allowed:
            call = _call(name, context if name == "Decrypt" else None)
            return wrong("grant-is-for-the-job", f"With your grant, Worker may call {call}. {why}")
    return None


def _not_used(probe: Probe, made: Entry, twin: _Twin) -> Result | None:
    used = [one for one in probe.calls("Decrypt", principal=probe.given["worker"]) if one.index > made.index]
    good = _good(used)
    if not used:
        return Result(NOT_RIGHT, "The grant is there. The trail shows no Decrypt by Worker after it.")
    if not good:
        last = used[-1]
        minutes = (last.at_us - made.at_us) // MINUTE_US
        fits, why = twin.may("Decrypt", last.context or {})
        when = f"{minutes} minutes after CreateGrant" if minutes else "right after CreateGrant"
        said = f"Worker called {_call('Decrypt', last.context or {})}, {when}: {last.error or 'allowed'}."
        if not fits:
            return Result(NOT_RIGHT, f"{said} {why}")
        early = minutes < PROPAGATION_MINUTES and last.context == YEAR_END
        return Result(NOT_RIGHT, said, "grants-work-at-once" if early else "")
    waited = (good[0].at_us - made.at_us) // MINUTE_US
    if waited >= PROPAGATION_MINUTES:
        return wrong("grants-need-waiting", f"Worker's Decrypt came {waited} minutes after CreateGrant.")
    return None


def _good(used: list[Entry]) -> list[Entry]:
    return [one for one in used if one.error is None and one.context == YEAR_END]


def _not_ended(probe: Probe, made: Entry) -> Result | None:
    worker = probe.given["worker"]
    ends = [*probe.calls("RetireGrant", ok=True), *probe.calls("RevokeGrant", ok=True)]
    ended = [one for one in ends if one.more.get("grant") == made.more.get("grant")]
    if not ended:
        tried = probe.calls("RetireGrant", ok=False, principal=worker)
        if tried and tried[-1].index > made.index:
            return wrong("grantees-retire", f"Worker called RetireGrant, and was refused: {tried[-1].error}.")
        return wrong("grants-end-themselves", "The job is done, and `list_grants` still shows the grant.")
    if not _is_worker(ended[0].principal) or ended[0].operation != "RetireGrant":
        who = _name(str(ended[0].principal))
        said = f"The grant was ended by {who}, with {ended[0].operation}. Worker had no hand in it."
        return wrong("only-admins-end", said)
    if not _good([one for one in probe.calls("Decrypt", principal=worker) if made.index < one.index < ended[0].index]):
        return Result(
            NOT_RIGHT,
            "Worker retired the grant first and decrypted afterwards. That went through only because the end of a "
            "grant takes its minutes to spread, too.",
        )
    return None


# ---- exercise 5: three tickets


def names_the_nodes(probe: Probe, value: Mapping[str, Any]) -> Result:
    """Judged against the scenarios themselves."""
    for ticket, document in probe.given["tickets"].items():
        if ticket not in value:
            return Result(NOT_RIGHT, f"Your answer has no entry {ticket!r}.")
        layer, statement = _node(value[ticket])
        by = decide(document).decided_by
        if layer not in _LAYERS.values():
            said = f"Ticket {ticket}: “{layer:.30}” is no layer. Take its name from the tree, such as identity policy."
            return Result(NOT_RIGHT, said)
        if layer != by.layer:
            said = f"Ticket {ticket}: you name {layer}. That layer did not decide."
            return Result(NOT_RIGHT, said, _BLAMED.get((ticket, layer), "first-paper-decides"))
        if by.index is None and statement:
            return wrong("silence-denies", f"Ticket {ticket}: {layer} is the layer. It has no statement that decides.")
        if by.index is not None and statement not in (by.sid and by.sid.lower(), str(by.index)):
            named = "not the one that you name" if statement else "and you name none"
            return Result(NOT_RIGHT, f"Ticket {ticket}: {layer} is the layer. A statement of it decides, {named}.")
    return right("Three refusals, three different nodes: a layer and its statement, or a layer and its silence.")


#: what somebody believes who blames a layer, by ticket
_BLAMED = {
    ("A", "identity-policy"): "iam-is-the-top",
    ("A", "key-policy"): "iam-is-the-top",
    ("B", "identity-policy"): "boundary-gives",
    ("B", "key-policy"): "boundary-gives",
    ("C", "grant"): "grant-beats-deny",
    ("C", "identity-policy"): "grant-beats-deny",
}


def _node(value: Any) -> tuple[str, str]:
    """The layer and the statement ("" for silence) of an answer, in any form that says both."""
    if hasattr(value, "layer"):  # a verdict's decided_by, or a layer of its trace
        statement = getattr(value, "sid", None) or getattr(value, "index", None)
        return _layer(value.layer), str(statement).lower() if isinstance(statement, str | int) else ""
    parts = list(value) if isinstance(value, list | tuple) else [value]
    layer, statement = (*parts, None, None)[:2]
    text = _plain("" if statement is None else statement)
    if quoted := re.search('["“](.+?)["”]', text):  # statement "Sid" of the key policy
        text = quoted.group(1)
    text = text.removeprefix("statement").strip().strip("\"'“”")
    return _layer(layer), "" if text in ("", "none", "silence", "silent", "no statement") else text


# ---- exercise 6: a counter-example

_CONTEXT = "kms:encryptioncontext:"


def contradicts(probe: Probe, function: Any) -> Result:
    """Judged on the world that the learner's function leaves on a copy."""
    lab, key = probe.lab, probe.given["archive"]
    handed = probe.run(function, lab)
    if not isinstance(handed, str):
        return Result(NOT_RIGHT, f"Your function returned {describe(handed)}. Return an ARN, as text.")
    try:
        who = Principal.parse(handed)
    except ValueError:
        said = f"Your function returned “{handed:.40}”. Return the whole ARN, as `create_role` hands it out."
        return Result(NOT_RIGHT, said)
    identity = lab.world.identities.get(who.identity_arn)
    if who.kind == "root-user":
        return Result(NOT_RIGHT, "The root user has no identity policies, true. But a user or a role was asked for.")
    if identity is None:
        return Result(NOT_RIGHT, f"You name {_name(handed)}. Name a user or a role that is in the lab.")
    if texts := hanging_on(lab.world, identity)[0]:
        many = "an identity policy" if len(texts) == 1 else f"{len(texts)} identity policies"
        return wrong("both-must-allow", f"{_name(handed)} has {many}. So this is no counter-example.")
    lab.clock.travel(minutes=A_WHILE)
    verdicts = [_asked(probe, handed, "Decrypt", key, context) for context in _contexts(lab, key)]
    verdict = next((one for one in verdicts if one), verdicts[0])
    if verdict:
        return right(f"No identity policy, and kms:Decrypt is allowed. {verdict.sentence}")
    said = f"{_name(handed)} is refused. {verdict.sentence}"
    if who.account != ACCOUNT:
        return wrong("accounts-are-alike", said)
    gave = any(one.error is None and one.operation in ("CreateGrant", "PutKeyPolicy") for one in probe.made())
    return Result(NOT_RIGHT, said, "" if gave else "root-gives-all")


def _contexts(lab: Lab, key: str) -> Iterator[dict[str, str]]:
    """Contexts to try: the lesson's, and those that the key's grants and policy speak of."""
    yield from (YEAR_END, SICK, {}, SALARY)
    for grant in lab.key(key).grants.values():
        yield dict(grant.context_equals or grant.context_subset or ())
    for statement in _statements(json.loads(lab.key(key).policy)):
        for test in statement.get("Condition", {}).values():
            for name, values in test.items():
                if name.lower().startswith(_CONTEXT):
                    yield from ({name[len(_CONTEXT) :]: value} for value in _values(values))


# ---- what predictions are compared with


def what_became_of_minutes(probe: Probe) -> str:
    """Dana's call on the board's key, as the log has it, and why."""
    given = probe.given
    if not probe.calls("Decrypt", key=given["board"], principal=given["dana"]):
        raise Unfinished
    verdict = _asked(probe, given["dana"], "Decrypt", given["board"])
    return "a" if verdict else "c" if verdict.reason == "explicit-deny" else "b"


def who_is_left(probe: Probe) -> str:
    """Once more on the copy: the policy of the lesson's own cell."""
    given = probe.given
    if not probe.calls("PutKeyPolicy", ok=True):
        raise Unfinished
    probe.lab.key(given["payroll"]).policy = json.dumps(_only_admin())
    dana, root = (_asked(probe, who, "Decrypt", given["payroll"], SALARY) for who in (given["dana"], ROOT))
    return "a" if dana else "c" if root else "b"


def what_became_of_sick_note(probe: Probe) -> str:
    """Clerk's first call with the new grant."""
    calls = probe.calls("Decrypt", principal=probe.given["clerk"])
    if not calls:
        raise Unfinished
    return "b" if calls[0].error else "a"


# ---- widgets


def tree(lesson: Lesson) -> Any:
    """Four questions about two keys, gate by gate."""
    from kms_lab.teach.widgets.verdict_tree import VerdictTree

    given = lesson.given
    return VerdictTree(
        {
            "Dana opens a slip": {"principal": given.dana, "action": "kms:Decrypt", "key": given.payroll},
            "Milo opens a slip": {"principal": given.milo, "action": "kms:Decrypt", "key": given.payroll},
            "Secretary reads the minutes": {"principal": given.secretary, "action": "kms:Decrypt", "key": given.board},
            "Stranger opens a slip": {"principal": given.stranger, "action": "kms:Decrypt", "key": given.payroll},
        },
        lab=lesson.lab,
    )


def grid(lesson: Lesson) -> Any:
    """The team's key: who may do what under a policy that one edits."""
    from kms_lab.teach.widgets.probe_grid import LabBoard, ProbeGrid

    given = lesson.given
    callers = {
        "Keeper": given.keeper,
        "App": given.app,
        "Auditor": given.auditor,
        "Adviser (other account)": given.adviser,
        "Dana": given.dana,
        "Stranger": given.stranger,
    }
    using, managing = ("Encrypt", "Decrypt", "GenerateDataKey"), ("PutKeyPolicy", "DisableKey", "CreateGrant")
    asked = [f"kms:{name}" for name in (*using, "DescribeKey", "GetKeyPolicy", *managing)]
    return ProbeGrid(LabBoard(lesson.lab, given.slips, callers, asked, context=TAX, writer=given.keeper))


def conditions(lesson: Lesson) -> Any:
    """A condition on the encryption context, and what requests it lets through."""
    from kms_lab.teach.widgets.condition_tester import ConditionTester, State

    purpose = "kms:EncryptionContext:purpose"
    return ConditionTester(State("StringEquals", purpose, "salary", "values", "salary", place="key"))


def tickets(lesson: Lesson) -> Any:
    """The three tickets, gate by gate, with the smallest edit that would flip each."""
    from kms_lab.teach.widgets.verdict_tree import VerdictTree

    return VerdictTree({f"Ticket {name}": document for name, document in lesson.given.tickets.items()})


# ---- the lesson

MISCONCEPTIONS = (
    Misconception(
        "both-must-allow",
        "Both the key policy and IAM must allow.",
        "Inside one account, a key policy that names the caller is enough, and so is a grant. Both halves are needed "
        "where the key policy names only the account, and across accounts.",
    ),
    Misconception(
        "iam-alone",
        "An IAM policy alone is enough.",
        "On a key, IAM policies count only if the key policy lets the account in.",
    ),
    Misconception(
        "root-gives-all",
        "The root statement gives everybody in the account access.",
        "It gives users and roles nothing by itself. It lets IAM policies decide.",
    ),
    Misconception(
        "root-is-harmless",
        "The root statement belongs in every key policy, and changes nothing.",
        "With it, every IAM policy of the account counts on this key, also those that you never saw.",
    ),
    Misconception(
        "root-user-always",
        "The account's root user can always get in.",
        "The root user is let in by the account statement, as IAM is. Without it, the root user is refused too.",
    ),
    Misconception(
        "silence-denies",
        "A refusal means that some statement denies.",
        "Where nothing allows, the answer is no. Most refusals are a silence, and have no statement to point at.",
    ),
    Misconception(
        "refused-by-all",
        "If a call is refused, nobody allowed it.",
        "One half may say yes and the other nothing. Ask which half was silent.",
    ),
    Misconception(
        "star-is-us",
        'Principal "*" means everybody in my account.',
        "It means everybody, in any account. Name your account to hand the question to your IAM policies.",
    ),
    Misconception(
        "names-delegate",
        "Naming the people of today hands the question to IAM.",
        "Whoever is named needs no IAM policy; whoever is not is out, whatever IAM says. Name the account instead.",
    ),
    Misconception(
        "admins-are-locked-out",
        "Key administrators cannot use the key, so the data is safe from them.",
        "With kms:CreateGrant or kms:PutKeyPolicy they can let themselves in. The first hides in kms:Create*.",
    ),
    Misconception(
        "wide-is-short",
        "A wildcard only saves typing.",
        "Every operation that it covers is allowed, also those that nobody had in mind.",
    ),
    Misconception(
        "looking-is-using",
        "Whoever may look at a key can get at the data.",
        "Describe, Get and List tell about the key. Data takes an operation that uses it.",
    ),
    Misconception(
        "context-guards",
        "The encryption context already says who may decrypt.",
        "KMS checks that a context fits the ciphertext. Who may come with which context is a matter of conditions.",
    ),
    Misconception(
        "alias-is-resource",
        "An alias ARN as Resource means the key.",
        'It means the alias, never the key. In a key policy the Resource is `"*"`: this key.',
    ),
    Misconception(
        "grant-is-for-the-job",
        "A grant that was made for a job serves only that job.",
        "It serves all that its operations and its constraint let through.",
    ),
    Misconception(
        "grants-work-at-once",
        "A grant works from the moment it is made.",
        "It reaches all of KMS within minutes. Until then a call must carry the grant's token.",
    ),
    Misconception(
        "grants-need-waiting",
        "After CreateGrant you must wait.",
        "Whoever sends the grant's token along need not wait.",
    ),
    Misconception(
        "grants-end-themselves",
        "A grant ends when its job is done.",
        "A grant stays until somebody retires or revokes it.",
    ),
    Misconception(
        "only-admins-end",
        "Only an administrator can end a grant.",
        "RevokeGrant is for those whom a policy allows it. RetireGrant is for those whom the grant itself names, and "
        "for the account that made it.",
    ),
    Misconception(
        "grantees-retire",
        "Whoever holds a grant may retire it.",
        "Only if the grant says so: as its retiring principal, or with RetireGrant among its operations.",
    ),
    Misconception(
        "grant-beats-deny",
        "A grant can beat a deny.",
        "A grant only allows. An explicit deny in any policy ends it.",
    ),
    Misconception(
        "iam-is-the-top",
        "Whoever has kms:* may do everything with the key.",
        "Above the account stand the organization's policies. They only take away, and also from administrators.",
    ),
    Misconception(
        "boundary-gives",
        "What an identity policy allows, its user may do.",
        "A boundary is a fence around it: only what both allow is left. The boundary itself gives nothing.",
    ),
    Misconception(
        "first-paper-decides",
        "The policy at hand is the one that decides.",
        "Each layer has its say. Look for a deny first, then for the half or the fence that was silent.",
    ),
    Misconception(
        "accounts-are-alike",
        "Being named in the key policy is enough in any account.",
        "Across accounts both halves are needed: the caller's own account must allow it, too.",
    ),
)

_TRACED = """
verdict = lab.may(lesson.given.dana, "kms:Decrypt", lesson.given.board)
outcomes = {layer.layer: layer.outcome for layer in verdict.trace.layers}
said = {
    "key-policy": outcomes["key-policy"],
    "identity-policy": outcomes["identity-policy"],
    "decides": verdict.decided_by.layer,
}
lesson.q1.check(said)
"""
_REPAIRED = """
account = {"AWS": "111122223333"}
more = {"Sid": "LetIamDecide", "Effect": "Allow", "Principal": account, "Action": "kms:*", "Resource": "*"}
repaired = {"Version": "2012-10-17", "Statement": [statement, more]}
kms.put_key_policy(KeyId=lesson.given.payroll, Policy=json.dumps(repaired))
lesson.q2.check()
"""
_TEAM = """
given = lesson.given
manage = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:PutKeyPolicy", "kms:EnableKey", "kms:DisableKey"]
manage += ["kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion"]
use = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"]
look = ["kms:DescribeKey", "kms:GetKeyPolicy"]
tax = {"StringEquals": {"kms:EncryptionContext:purpose": "tax"}}

keeper = {"Effect": "Allow", "Principal": {"AWS": given.keeper}, "Action": manage, "Resource": "*"}
app = {"Effect": "Allow", "Principal": {"AWS": given.app}, "Action": use, "Resource": "*"}
auditor = {"Effect": "Allow", "Principal": {"AWS": given.auditor}, "Action": look, "Resource": "*"}
adviser = {"Effect": "Allow", "Principal": {"AWS": given.adviser}, "Action": "kms:Decrypt",
           "Resource": "*", "Condition": tax}

team = {"Version": "2012-10-17", "Statement": [keeper, app, auditor, adviser]}
lesson.q3.check(team)
"""
_JOB = """
# Step 1: grant
grant = kms.create_grant(
    KeyId=lesson.given.archive,
    GranteePrincipal=lesson.given.worker,
    RetiringPrincipal=lesson.given.worker,
    Operations=["Decrypt"],
    Constraints={"EncryptionContextEquals": {"purpose": "year-end"}},
)
# Step 2: use it at once
worker = lab.client(principal=lesson.given.worker)
worker.decrypt(
    CiphertextBlob=lesson.given.year_end,
    EncryptionContext={"purpose": "year-end"},
    GrantTokens=[grant["GrantToken"]],
)
# Step 3: retire it
worker.retire_grant(GrantToken=grant["GrantToken"])
lesson.q4.check()
"""
_NODES = """
from kms_lab.policy.scenario import decide

nodes = {}
for name, ticket in lesson.given.tickets.items():
    by = decide(ticket).decided_by
    nodes[name] = (by.layer, by.sid)
lesson.q5.check(nodes)
"""
_COUNTER = """
def counter_example(lab):
    visitor = lab.iam.create_role("Visitor")
    kms = lab.client()
    key = lesson.given.archive
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    policy["Statement"].append(
        {"Effect": "Allow", "Principal": {"AWS": visitor}, "Action": "kms:Decrypt", "Resource": "*"}
    )
    kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))
    return visitor


lesson.q6.check(counter_example)
"""

EXERCISES = (
    Exercise(
        id="q1",
        title="Explain it",
        stars=1,
        objectives=("trace",),
        prompt="What did the two layers say to Dana's call for the minutes, and which of them decided?",
        check=says_what_layers_said,
        expects="a dict with the three entries",
        takes=dict,
        hints=(
            "`lab.last_verdict` is the verdict of the newest call; `lab.may(...)` asks again. Look at `trace.layers`.",
            "A layer has an outcome: allow, deny, silent (it had to allow, and did not) or none (it need not).",
            "`{layer.layer: layer.outcome for layer in verdict.trace.layers}`, and `verdict.decided_by.layer`.",
        ),
        solution=Solution(
            _TRACED,
            "IAM said yes, and was not asked to decide: the key policy names neither Dana nor the account.",
        ),
        misconceptions=("silence-denies", "iam-alone", "refused-by-all"),
    ),
    Exercise(
        id="q2",
        title="Let IAM decide again",
        stars=2,
        objectives=("write",),
        prompt="Repair the policy of alias/payroll: IAM policies shall decide again, for all who work in this account, "
        "today and tomorrow. Whom IAM gives nothing gets nothing.",
        check=iam_decides_again,
        attempted=_tried_repair,
        hints=(
            "Compare the policy with the one that you printed first. What is missing?",
            "A statement that names the account, as an ARN that ends in `:root` or by its twelve digits.",
            '`{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"}`, beside '
            "the statement that is there. Then `kms.put_key_policy(KeyId=..., Policy=json.dumps(...))`.",
        ),
        solution=Solution(
            _REPAIRED,
            "The account's twelve digits and its `:root` ARN mean the same. Each hands the question over to IAM.",
        ),
        misconceptions=("iam-alone", "star-is-us", "names-delegate"),
    ),
    Exercise(
        id="q3",
        title="A policy for a team",
        stars=3,
        objectives=("write",),
        prompt="Write the key policy of alias/slips, so that each of the team can do what the table says, and nobody "
        "anything else, whatever IAM policies say.",
        check=behaves,
        expects="a key policy, as a dict or as JSON text",
        takes=(dict, str),
        hints=(
            "Take the statement of Keeper as a model. Which of its parts differ from person to person?",
            "Four statements are enough. The last one needs a `Condition` on `kms:EncryptionContext:purpose`.",
            'Principal `{"AWS": given.adviser}`, Action `"kms:Decrypt"`, Condition `{"StringEquals": '
            '{"kms:EncryptionContext:purpose": ...}}`. And no statement for the whole account.',
        ),
        solution=Solution(
            _TEAM,
            "No statement names the account, so no IAM policy counts here, Dana's included. Adviser is of another "
            "account: there its own IAM policy is the other half.",
        ),
        misconceptions=(
            "root-gives-all",
            "root-is-harmless",
            "star-is-us",
            "admins-are-locked-out",
            "wide-is-short",
            "context-guards",
            "alias-is-resource",
        ),
    ),
    Exercise(
        id="q4",
        title="A grant for one job",
        stars=2,
        objectives=("grant",),
        prompt="Worker shall open `lesson.given.year_end`. Make the grant; Worker uses it at once, then retires it.",
        check=job_done,
        attempted=_tried_job,
        hints=(
            "Clerk's cell above has two of the three steps. What must be another name, and what another context?",
            "Name Worker as grantee and as retiring principal. Constrain the context. Send the token along.",
            "`RetiringPrincipal=lesson.given.worker` in CreateGrant; at the end "
            '`worker.retire_grant(GrantToken=grant["GrantToken"])`.',
        ),
        solution=Solution(
            _JOB,
            "No policy was touched. The grant named what, with which context, for whom, and who may end it.",
        ),
        misconceptions=(
            "grant-is-for-the-job",
            "grants-work-at-once",
            "grants-need-waiting",
            "grants-end-themselves",
            "only-admins-end",
            "grantees-retire",
        ),
    ),
    Exercise(
        id="q5",
        title="Three tickets",
        stars=2,
        objectives=("debug",),
        prompt="For each ticket, name the node that decided: the layer and, if a statement decided, its Sid.",
        check=names_the_nodes,
        expects="a dict with an entry for each ticket",
        takes=dict,
        hints=(
            "Look for a deny first, in every layer. Then look for a layer that had to allow and was silent.",
            "The tree marks the gate that decides, and in it the statement. A silent gate has none: write None.",
            "`decide(lesson.given.tickets[...]).decided_by` has `layer` and `sid`; `decide` is in "
            "`kms_lab.policy.scenario`.",
        ),
        solution=Solution(
            _NODES,
            "A: a deny of the organization. B: a boundary that is silent. C: a deny in the key policy, which no grant "
            "overcomes.",
        ),
        misconceptions=(
            "iam-is-the-top",
            "boundary-gives",
            "grant-beats-deny",
            "silence-denies",
            "first-paper-decides",
        ),
    ),
    Exercise(
        id="q6",
        title="The counter-example",
        stars=2,
        objectives=("trace", "grant"),
        prompt="Write a function that changes a lab so that a user or role without any identity policy may decrypt "
        "with alias/archive, and returns its ARN.",
        check=contradicts,
        expects="your function",
        functions=1,
        hints=(
            "Which ways to a yes need no identity policy? Two of the gates can give by themselves.",
            "Make a role without policies. Then name it: in the key policy, or in a grant.",
            "`visitor = lab.iam.create_role(...)`, then `lab.client().create_grant(KeyId=lesson.given.archive, "
            "GranteePrincipal=visitor, ...)`, then `return visitor`.",
        ),
        solution=Solution(
            _COUNTER,
            "One statement that names the role. A grant would do as well. IAM was never asked for an allow.",
        ),
        misconceptions=("both-must-allow", "root-gives-all", "accounts-are-alike"),
    ),
)

PREDICTIONS = (
    Prediction(
        id="p1",
        prompt="Dana asks KMS to decrypt the minutes of the board. Her IAM policy allows kms:Decrypt on every key; the "
        "key policy says nothing of her or of the account. What happens?",
        options=(
            Option("a", "It works: IAM allows it", "The key policy did not let IAM decide.", "iam-alone"),
            Option("b", "It is refused, although no statement denies it", ""),
            Option("c", "It is refused: a statement denies it", "Look for one. There is none.", "silence-denies"),
        ),
        truth=what_became_of_minutes,
        why="A key policy that names neither the caller nor the account leaves IAM without a say.",
        objectives=("trace",),
    ),
    Prediction(
        id="p2",
        prompt="The statement that names the account is gone; the only one left names user Admin. Who can still open "
        "Dana's slip?",
        options=(
            Option("a", "Admin, and Dana by her IAM policy", "IAM no longer has a say.", "iam-alone"),
            Option("b", "Admin alone", ""),
            Option("c", "Admin, and the account's root user", "The account is no longer let in.", "root-user-always"),
        ),
        truth=who_is_left,
        why="`:root` in a key policy is the account: its root user, and through IAM its users and roles.",
        objectives=("trace",),
    ),
    Prediction(
        id="p3",
        prompt="You make a grant for Clerk, a role without any policy. In the same second Clerk calls Decrypt, without "
        "a token. What happens?",
        options=(
            Option("a", "It works", "The grant has not yet reached all of KMS.", "grants-work-at-once"),
            Option("b", "It is refused, for now", ""),
        ),
        truth=what_became_of_sick_note,
        why="A new grant reaches all of KMS within minutes. Its token lets a call use it before that.",
        objectives=("grant",),
    ),
)

QUESTIONS = (
    Matching(
        id="z1",
        prompt="What can each layer do to a call inside one account?",
        objectives=("trace",),
        items=(
            ("1", "Key policy that names the caller"),
            ("2", "Identity policy"),
            ("3", "Grant"),
            ("4", "SCP of the organization"),
            ("5", "Permissions boundary"),
        ),
        options=(
            Option("a", "Give, by itself", "Only what names the caller and hangs on the key.", "both-must-allow"),
            Option("b", "Give, if the key policy lets the account in", "One layer is only a half.", "iam-alone"),
            Option("c", "Only take away", "Fences: they give nothing.", "boundary-gives"),
        ),
        right={"1": "a", "2": "b", "3": "a", "4": "c", "5": "c"},
        why="Three ways to a yes. Everything else can only take it away again.",
        source="AWS KMS Developer Guide, Determining access; IAM User Guide, Policy evaluation logic",
    ),
    Choice(
        id="z2",
        prompt="Kim: “IAM alone is enough. My role has an IAM policy, no key policy names it, and it works.” Lee: “No, "
        "both must always allow. That is the rule of KMS.” Who is right, for callers of the key's own account?",
        objectives=("trace",),
        right="c",
        options=(
            Option("a", "Kim", "Kim's key policy lets the account in. Without that, IAM has no say.", "iam-alone"),
            Option("b", "Lee", "A key policy that names the caller needs no IAM policy.", "both-must-allow"),
            Option("c", "Neither", "Yes. Kim used two halves, and Lee forgets the callers who are named."),
            Option("d", "Kim, if the role is an administrator", "No role stands above key policies.", "iam-alone"),
        ),
        why="Named in the key policy: enough. Account named: then IAM decides. Neither: no.",
        source="AWS KMS Developer Guide, Key policies in AWS KMS",
    ),
    Multiple(
        id="z3",
        prompt="A key administrator has the actions that the AWS console gives: kms:Create*, kms:Put*, kms:Describe* "
        "and others, but no kms:Decrypt. Which calls can lead to the data?",
        objectives=("write", "debug"),
        right=frozenset({"a", "c"}),
        options=(
            Option("a", "PutKeyPolicy", "Yes: a new statement may allow Decrypt."),
            Option("b", "DescribeKey", "It tells facts about the key.", "looking-is-using"),
            Option("c", "CreateGrant", "Yes: kms:Create* covers it, and a grant may allow what its maker lacks."),
            Option("d", "None: administrators are kept from the data", "See the others.", "admins-are-locked-out"),
        ),
        why="They cannot use the key, but they can let themselves in. Such a call stands in the trail: watch for it.",
        source="AWS KMS Developer Guide, Default key policy",
    ),
    Choice(
        id="z4",
        prompt="An IAM policy allows kms:Decrypt on Resource arn:aws:kms:us-east-1:111122223333:alias/payroll. Nothing "
        "else allows. What does it give on the key behind that alias?",
        objectives=("write",),
        right="b",
        options=(
            Option("a", "Decrypt, while the alias points there", "No policy follows an alias.", "alias-is-resource"),
            Option("b", "Nothing", "Yes: the ARN of an alias means the alias."),
            Option("c", "Decrypt, for calls that name the alias", "That is kms:RequestAlias.", "alias-is-resource"),
        ),
        why="Give the key's ARN, or Resource * with a condition on kms:RequestAlias or kms:ResourceAliases.",
        source="AWS KMS Developer Guide, Using aliases to control access to KMS keys",
    ),
    Choice(
        id="z5",
        prompt="Somebody has stolen a role that holds a grant for Decrypt on your key. What stops its calls?",
        objectives=("grant", "debug"),
        right="d",
        options=(
            Option("a", "Take away its IAM policies", "A grant needs none of them.", "both-must-allow"),
            Option("b", "Take the role out of the key policy", "The grant stays.", "both-must-allow"),
            Option("c", "Wait: the grant ends with its job", "It does not.", "grants-end-themselves"),
            Option("d", "RevokeGrant, and a deny in the key policy until it has spread", "Yes: deny beats allow."),
            Option("e", "Nothing: what a grant allows, no policy stops", "Any deny does.", "grant-beats-deny"),
        ),
        why="A revoked grant can go on working for minutes. An explicit deny ends every allow, the grant's too.",
        source="AWS KMS Developer Guide, Retiring and revoking grants; IAM User Guide, Policy evaluation logic",
    ),
)

LESSON = LessonData(
    number="09",
    title="The whole verdict: IAM, key policy, grants",
    minutes=60,
    goal="Say who may use a key and why, find out why somebody may not, and give just enough.",
    topics=("key policies", "IAM policies", "grants", "guardrails (SCP, boundary)"),
    objectives=(
        Objective("trace", "trace an authorization through its layers"),
        Objective("debug", "find the node that refuses a call"),
        Objective("write", "write a key policy that gives just enough"),
        Objective("grant", "design a grant for one job"),
    ),
    world=world,
    exercises=EXERCISES,
    predictions=PREDICTIONS,
    questions=QUESTIONS,
    misconceptions=MISCONCEPTIONS,
    review=("02/z2", "03/z1"),
    widgets={"tree": tree, "grid": grid, "conditions": conditions, "tickets": tickets},
)
