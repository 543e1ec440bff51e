"""Random policy worlds: scenario documents in which few names, actions and values meet often.

A world is drawn around its question: first who asks for what, then layers that are mostly about that. So a good share
is allowed, and every reason code occurs (``test_laws.test_the_worlds_are_varied`` counts them).
"""

import copy
from functools import lru_cache

from hypothesis import strategies as st

HOME, AWAY = "111122223333", "444455556666"
KEY = f"arn:aws:kms:eu-west-1:{HOME}:key/0f0e0d0c-0b0a-4908-8706-050403020100"
OTHER_KEY = f"arn:aws:kms:eu-west-1:{HOME}:key/0f0e0d0c-0b0a-4908-8706-050403020101"
ALIAS = f"arn:aws:kms:eu-west-1:{HOME}:alias/app"
HOME_ROOT, AWAY_ROOT = f"arn:aws:iam::{HOME}:root", f"arn:aws:iam::{AWAY}:root"
DANA, BOB = f"arn:aws:iam::{HOME}:user/dana", f"arn:aws:iam::{HOME}:user/team/bob"
EVE = f"arn:aws:iam::{AWAY}:user/eve"
APP, APP_SESSION = f"arn:aws:iam::{HOME}:role/svc/App", f"arn:aws:sts::{HOME}:assumed-role/App/lab"
FAR, FAR_SESSION = f"arn:aws:iam::{AWAY}:role/Far", f"arn:aws:sts::{AWAY}:assumed-role/Far/job"
LINKED = f"arn:aws:iam::{HOME}:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS"
LINKED_SESSION = f"arn:aws:sts::{HOME}:assumed-role/AWSServiceRoleForRDS/x"
GUEST = f"arn:aws:sts::{HOME}:federated-user/guest"
LOGS = "logs.eu-west-1.amazonaws.com"
VOLUME = f"arn:aws:ec2:eu-west-1:{HOME}:volume/vol-1"


def _caller(kind, arn, account=HOME, **more):
    return {"type": kind, "arn": arn, "account": account, **more}


CALLERS = {
    "dana": _caller("user", DANA, unique_id="AIDADANA4EXAMPLE"),
    "bob": _caller("user", BOB),
    "app": _caller("role-session", APP_SESSION, role_arn=APP, unique_id="AROAAPP44EXAMPLE:lab"),
    "linked": _caller("role-session", LINKED_SESSION, role_arn=LINKED),
    "root": _caller("root-user", HOME_ROOT),
    "guest": _caller("federated-user", GUEST, user_arn=DANA, unique_id=f"{HOME}:guest"),
    "eve": _caller("user", EVE, AWAY),
    "far": _caller("role-session", FAR_SESSION, AWAY, role_arn=FAR),
    "away root": _caller("root-user", AWAY_ROOT, AWAY),
    "logs": _caller("service", LOGS, ""),
    "anonymous": _caller("anonymous", "anonymous", ""),
}
_OFTEN = ("dana", "dana", "app", "app", "guest", "eve", "far", "bob")

USES = ("Encrypt", "Decrypt", "DescribeKey", "CreateGrant", "GenerateDataKey")
MANAGES = ("PutKeyPolicy", "EnableKeyRotation")
KEYLESS = ("CreateKey", "GenerateRandom")
GRANTED = ("Encrypt", "Decrypt", "DescribeKey", "CreateGrant", "RetireGrant", "GenerateDataKey")
#: operations that take an encryption context
WITH_PAIRS = ("Encrypt", "Decrypt", "CreateGrant", "GenerateDataKey")

FULL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
OPEN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}
NOTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": ["s3:*"], "Resource": "*"}}
BOBS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": BOB}, "Action": "kms:*", "Resource": "*"}],
}
DELEGATES = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": [HOME_ROOT, AWAY]}, "Action": "kms:*", "Resource": "*"}],
}


# Drawing by hand, from cached integers, is several times faster than building a strategy for every small choice.


@lru_cache
def _upto(most):
    return st.integers(0, most)


def pick(draw, *pool):
    """One of the pool; it shrinks to the first."""
    return pool[draw(_upto(len(pool) - 1))]


def chance(draw, percent):
    return draw(_upto(99)) >= 100 - percent


def some(draw, *pool):
    """One of the pool by itself, or a list of a few."""
    count = draw(_upto(4))
    return pick(draw, *pool) if count < 2 else [pick(draw, *pool) for _ in range(count - 1)]


def several(draw, fewest, most, make):
    return [make() for _ in range(fewest + draw(_upto(most - fewest)))]


def distinct(draw, fewest, most, *pool):
    """A list of different members of the pool."""
    return list(dict.fromkeys(several(draw, fewest, most, lambda: pick(draw, *pool))))


# ------------------------------------------------------------------------------------------------ conditions

#: condition key -> (values in a request, values in a policy)
TEXTS = {
    "kms:ViaService": (
        ["s3.eu-west-1.amazonaws.com", ""],
        ["s3.eu-west-1.amazonaws.com", "s3.*.amazonaws.com", "S3.EU-WEST-1.amazonaws.com", ""],
    ),
    "aws:PrincipalTag/Team": (
        ["blue", "*", "Blue"],
        ["blue", "b*", "?lue", "${*}", "${aws:PrincipalTag/team}", "${aws:username}", "red"],
    ),
    "kms:CallerAccount": ([HOME, AWAY], [HOME, AWAY, "${kms:CallerAccount}", "${aws:username, 'x'}"]),
    "aws:username": (["dana", "blue"], ["dana", "d*", "${aws:PrincipalTag/Team}", "${aws:PrincipalTag/Team, 'dana'}"]),
    "kms:ResourceAliases": (
        [["alias/app", "alias/old"], ["alias/app"], []],
        ["alias/app", "alias/*", "alias/?ld", "alias/x"],
    ),
    "aws:TagKeys": ([["team", "*"], ["team"], []], ["team", "te*", "${aws:username}", "${aws:TagKeys}", "*"]),
    "kms:EncryptionContext:shop": ([], ["a", "A", "${aws:PrincipalTag/team}", "*"]),
    "kms:EncryptionContextKeys": ([], ["shop", "Shop", "unit"]),
    "kms:Nothing": ([], ["a", "*"]),
}
ARNS = {
    "aws:SourceArn": (
        [VOLUME, f"arn:aws:logs:eu-west-1:{HOME}:log-group:app:*", "no-arn"],
        [VOLUME, "arn:aws:ec2:*:*:volume/*", f"arn:aws:logs:*:{HOME}:*", "arn:aws:*", "*", f"arn:*:*:*:{AWAY}:*"],
    ),
    "aws:PrincipalArn": (
        [DANA, APP],
        [DANA, f"arn:aws:iam::{HOME}:*", APP, f"arn:aws:iam::{HOME}:user/${{aws:username}}"],
    ),
}
NUMBERS = {"kms:RotationPeriodInDays": (["90", "365", "365.0", "many"], ["90", "365", "1000", 365])}
DATES = {
    "aws:CurrentTime": (
        ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "1767225600", "2026-06-01T12:00:00.5Z"],
        ["2026-01-01", "2026-01-01T00:00:00Z", "2026", "1767225601", "2026-06", "2026-13-01"],
    )
}
FLAGS = {"aws:MultiFactorAuthPresent": (["true", "false"], ["true", "false", True, False, "TRUE"])}
ADDRESSES = {
    "aws:SourceIp": (
        ["203.0.113.9", "198.51.100.1", "2001:db8::9"],
        ["203.0.113.0/24", "203.0.113.9", "2001:DB8::/32", "0.0.0.0/0"],
    )
}
BLOBS = {"kms:RecipientAttestation:ImageSha384": (["QmluYXJ5", "QmluYXJ6"], ["QmluYXJ5", "QmluYXJ7"])}

_ORDERS = ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
FAMILIES = (
    (TEXTS, [f"String{name}" for name in ("Equals", "EqualsIgnoreCase", "Like")]),
    (TEXTS, [f"StringNot{name}" for name in ("Equals", "EqualsIgnoreCase", "Like")]),
    (TEXTS, ["StringEquals", "StringLike"]),
    (ARNS, ["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "StringLike"]),
    (NUMBERS, [f"Numeric{name}" for name in _ORDERS]),
    (DATES, [f"Date{name}" for name in _ORDERS]),
    (FLAGS, ["Bool"]),
    (ADDRESSES, ["IpAddress", "NotIpAddress"]),
    (BLOBS, ["BinaryEquals"]),
)
ALL_KEYS = {key: pools for family, _ in FAMILIES for key, pools in family.items()}
QUALIFIERS, SUFFIXES = ("", "", "", "ForAllValues:", "ForAnyValue:"), ("", "", "IfExists")


def context(draw):
    """What the request says: each key may be absent."""
    return {key: pick(draw, *found) for key, (found, _) in ALL_KEYS.items() if found and chance(draw, 50)}


def condition(draw, kind):
    """A Condition of one or two tests; half of the keys are written in another case than the request's."""
    block = {}
    for _ in range(pick(draw, 1, 1, 2)):
        if chance(draw, 12):
            key, operator, values = pick(draw, *ALL_KEYS), "Null", pick(draw, "true", "false")
        else:
            unseen = kind == "key" and chance(draw, 20)  # kms:ResourceAliases, which key policies do not see
            family, operators = pick(draw, *FAMILIES[:3] if unseen else FAMILIES)
            key = "kms:ResourceAliases" if unseen else pick(draw, *family)
            values = some(draw, *family[key][1])
            qualifier = "" if key.startswith("kms:EncryptionContext:") else pick(draw, *QUALIFIERS)
            operator = qualifier + pick(draw, *operators) + pick(draw, *SUFFIXES)
        block.setdefault(operator, {})[pick(draw, key, key.lower())] = values
    return block


# ------------------------------------------------------------------------------------------------- documents


def _own_names(caller):
    """The ways in which a policy can name a caller."""
    if caller["type"] == "service":
        return [{"Service": caller["arn"]}, {"Service": ["s3.amazonaws.com", caller["arn"]]}]
    if caller["type"] == "anonymous":
        return ["*"]
    names = [caller["arn"], caller.get("role_arn"), caller.get("user_arn"), caller.get("unique_id", ":").split(":")[0]]
    return [{"AWS": name} for name in names if name and name != HOME]


ACCOUNTS = ({"AWS": HOME_ROOT}, {"AWS": HOME}, {"AWS": [AWAY, HOME_ROOT]}, {"AWS": AWAY_ROOT})


def anybody(draw):
    kind = pick(draw, "*", "AWS", "Service", "both")
    if kind == "*":
        return "*"
    if kind == "both":
        return {"AWS": some(draw, DANA, APP, AWAY_ROOT, "AIDADANA4EXAMPLE"), "Service": LOGS}
    if kind == "Service":
        return {"Service": some(draw, LOGS, "s3.amazonaws.com")}
    return {"AWS": some(draw, DANA, BOB, APP, APP_SESSION, EVE, FAR, GUEST, HOME, AWAY, HOME_ROOT, "*")}


def principal(draw, caller):
    kind = pick(draw, "own", "own", "account", "account", "any")
    if kind == "any":
        return anybody(draw)
    return dict_or_star(pick(draw, *(_own_names(caller) if kind == "own" else ACCOUNTS)))


def dict_or_star(value):
    return value if value == "*" else dict(value)


def exception(draw, caller):
    """A NotPrincipal that often lists the caller, with or without its account."""
    identity = caller.get("role_arn") or caller.get("user_arn") or caller["arn"]
    if not identity.startswith("arn:") or chance(draw, 25):
        return anybody(draw)
    names = (identity, caller["arn"], f"arn:aws:iam::{caller['account']}:root", BOB)
    return {"AWS": [identity, names[2]] if chance(draw, 40) else distinct(draw, 1, 4, *names)}


def statement(draw, kind, caller, action, resource, effect=None):
    """A statement that mostly covers the question; an RCP of one's own can only deny."""
    made = {"Effect": "Deny" if kind == "rcp" else effect or pick(draw, *["Allow"] * 9, "Deny")}
    if chance(draw, 20):
        made["Sid"] = pick(draw, "One", "Two", "Three")
    if kind in ("key", "endpoint"):
        if chance(draw, 25 if made["Effect"] == "Deny" else 4):
            made["NotPrincipal"] = exception(draw, caller)
        else:
            made["Principal"] = principal(draw, caller)
    elif kind == "rcp":
        made["Principal"] = "*"
    made |= what(draw, kind, action)
    made |= where(draw, resource)
    if kind == "key" and chance(draw, 3):
        del made[pick(draw, *[name for name in made if name.endswith(("Action", "Resource"))])]
    if chance(draw, 25):
        made["Condition"] = condition(draw, kind)
    return made


def what(draw, kind, action):
    operation = action.removeprefix("kms:")
    covers = ("kms:*", "*", action, action.lower(), f"kms:{operation[:3]}*", f"KMS:?{operation[1:]}")
    others = ("kms:Sign", "s3:GetObject", "kms:*Alias")
    if kind != "rcp" and chance(draw, 8):
        return {"NotAction": some(draw, *others, action)}
    return {"Action": some(draw, *(covers if chance(draw, 40 if kind == "rcp" else 88) else others))}


def where(draw, resource):
    if chance(draw, 6):
        return {"NotResource": some(draw, ALIAS, OTHER_KEY, resource, f"{KEY[:-4]}${{aws:username}}")}
    if chance(draw, 60):
        return {"Resource": "*"}
    patterns = ["*", "*", "*", resource, "arn:aws:kms:eu*", f"arn:aws:kms:*:{HOME}:key/*", "arn:aws:kms:*key/*"]
    patterns += [ALIAS, f"{KEY[:-4]}${{aws:username}}", f"{KEY[:-4]}${{aws:PrincipalTag/no, '0100'}}"]
    return {"Resource": some(draw, *patterns)}


def policy(draw, kind, *about):
    drawn = several(draw, 1, 3, lambda: statement(draw, kind, *about))
    for number, one in enumerate(drawn):
        if "Sid" in one:
            one["Sid"] += str(number)
    version = pick(draw, *["2012-10-17"] * 4, "2008-10-17", None)
    return {**({"Version": version} if version else {}), "Statement": drawn}


# ---------------------------------------------------------------------------------------------------- grants


def pairs(draw):
    """An encryption context; no two keys differ by case alone."""
    made = {}
    for key in distinct(draw, 0, 2, "shop", "Shop", "unit"):
        if key.lower() not in map(str.lower, made):
            made[key] = pick(draw, "a", "A")
    return made


def constraints(draw):
    kind = pick(draw, "", "", "EncryptionContextEquals", "EncryptionContextSubset")
    source = pick(draw, None, None, None, VOLUME, f"{VOLUME}1")
    return {**({kind: pairs(draw)} if kind else {}), **({"SourceArn": source} if source else {})}


def grant(draw, caller, action, number):
    own = [caller["arn"], caller.get("role_arn") or caller.get("user_arn") or caller["arn"]]
    own += [f"arn:aws:iam::{caller['account']}:root", caller["account"]] if caller["account"] else []
    named = (*own, *own, DANA, APP, EVE, HOME_ROOT)
    grantee, retiring = pick(draw, *named), pick(draw, None, None, *named)
    operations = distinct(draw, 1, 4, *GRANTED)
    if action.removeprefix("kms:") in GRANTED and chance(draw, 60):
        operations = sorted({*operations, action.removeprefix("kms:")})
    return {
        "grant_id": f"{number:064x}",
        "key": pick(draw, *[KEY] * 9, KEY.rpartition("/")[2], OTHER_KEY),
        "grantee_service_principal" if grantee == LOGS else "grantee_principal": grantee,
        "retiring_service_principal" if retiring == LOGS else "retiring_principal": retiring,
        "operations": operations,
        "constraints": constraints(draw),
        "status": pick(draw, *["active"] * 5, "pending-consistency", "pending-consistency", "revoked"),
        "grant_token": f"token-{number}",
        **({"issuing_account": pick(draw, HOME, AWAY, HOME_ROOT)} if chance(draw, 50) else {}),
    }


def grants_held(draw, focus, caller, action):
    likely = {"kms:RetireGrant": 95, "kms:CreateGrant": 55}.get(action, 40 if action[4:] in GRANTED else 5)
    count = pick(draw, 1, 1, 2, 3) if focus == "grants" or chance(draw, likely) else 0
    return [grant(draw, caller, action, number) for number in range(count)]


def parameters(draw, action):
    """Grant tokens or an id, and what CreateGrant asks for."""
    params = {}
    if action == "kms:RetireGrant":
        choice = pick(draw, None, "GrantId", "GrantToken", "GrantTokens")
        number = pick(draw, 0, 0, 1, 2)
        values = {"GrantId": f"{number:064x}", "GrantToken": f"token-{number}", "GrantTokens": [f"token-{number}"]}
        return {choice: values[choice]} if choice else {}
    if chance(draw, 25):
        params["GrantTokens"] = distinct(draw, 1, 2, "token-0", "token-1", "no")
    if action == "kms:CreateGrant":
        params["Operations"] = distinct(draw, 1, 2, *GRANTED[:3])
        params["Constraints"] = constraints(draw)
    return params


# ---------------------------------------------------------------------------------------------------- worlds


def question(draw, focus):
    """Who asks for what: the request, without its context."""
    caller = CALLERS[pick(draw, *_OFTEN) if chance(draw, 50) else pick(draw, *CALLERS)]
    kinds = ["use"] * 6 + (["retire", "retire"] if focus == "grants" else ["manage", "manage", "retire", "keyless"])
    kind = pick(draw, *kinds)
    pool = {"use": USES, "manage": MANAGES, "retire": ("RetireGrant",), "keyless": KEYLESS}[kind]
    keyless = kind == "keyless"
    return {
        "principal": dict(caller),
        "action": f"kms:{pick(draw, *pool)}",
        "resource": "*" if keyless else KEY,
        "resource_account": (caller["account"] or HOME) if keyless else HOME,
    }


def levels(draw, kind, *about):
    """Organisation levels, each with a few policies, mostly one that allows everything."""
    full = OPEN if kind == "rcp" else FULL

    def level():
        if chance(draw, 50):
            return several(draw, 0, 2, lambda: full if chance(draw, 50) else policy(draw, kind, *about))
        return [full, policy(draw, kind, *about)] if chance(draw, 50) else [full]

    return several(draw, 1, 3, level)


def further_check(draw, caller, action):
    """One more check of an operation that needs several: on an alias (no key policy), or on another key."""
    if chance(draw, 50):
        check = {"action": action, "resource": ALIAS, "resource_account": HOME, "key_policy": None}
    else:
        key_policy = DELEGATES if chance(draw, 50) else policy(draw, "key", caller, action, OTHER_KEY)
        check = {"action": action, "resource": OTHER_KEY, "resource_account": HOME, "key_policy": key_policy}
    about = (caller, action, check["resource"])
    if chance(draw, 30):
        check["identity_policies"] = several(draw, 0, 1, lambda: policy(draw, "identity", *about))
    if chance(draw, 20):
        check["context"] = context(draw)
    if chance(draw, 20):
        check["key"] = {"manager": "AWS"}
    if chance(draw, 10):
        check["rcps"] = levels(draw, "rcp", *about)
    return check


_FOCUSES = ("all", "grants", "guards")
#: how likely a layer is, in per cent, in each focus
_LIKELY = {
    "permissions_boundary": (30, 40, 50),
    "session_policy": (25, 30, 40),
    "scps": (25, 20, 40),
    "rcps": (25, 20, 60),
    "vpce_policy": (20, 10, 25),
    "also": (10, 5, 25),
    "key_account_scps": (5, 5, 5),
    "principal_account_rcps": (5, 5, 5),
}


@st.composite
def worlds(draw, focus="all"):
    """A scenario document: a question, and any of the layers.

    ``focus``: ``all``; ``grants`` (policies are quiet, so that grants decide); ``guards`` (somebody allows, so that
    boundaries, session policies, SCPs, RCPs and endpoint policies decide).
    """
    request = question(draw, focus)
    caller, action = request["principal"], request["action"]
    about = (caller, action, request["resource"])
    request["context"] = context(draw)
    if action[4:] in WITH_PAIRS and chance(draw, 70):
        request["encryption_context"] = pairs(draw)
    if chance(draw, 75):
        request["key"] = {"manager": pick(draw, "CUSTOMER", "AWS")}
    params = parameters(draw, action)
    if params:
        request["params"] = params
    world = {
        "request": request,
        "key_policy": None if action[4:] in KEYLESS else key_policy(draw, focus, *about),
        "identity_policies": identity_policies(draw, focus, *about),
        "grants": grants_held(draw, focus, caller, action),
    }
    if focus == "grants" and "encryption_context" in request and chance(draw, 50):
        request["encryption_context"] = fitting_pairs(draw, world["grants"][0]["constraints"])
    for name, likely in _LIKELY.items():
        percent = likely[_FOCUSES.index(focus)]
        if name == "session_policy" and caller["type"] == "federated-user":
            percent = 70
        if chance(draw, percent):
            world[name] = layer(draw, name, *about)
    return copy.deepcopy(world)


def fitting_pairs(draw, constraints):
    """The encryption context a grant wants, often with a pair too many."""
    wanted = constraints.get("EncryptionContextEquals") or constraints.get("EncryptionContextSubset") or {}
    return {**wanted, **({"more": "a"} if chance(draw, 50) else {})}


def key_policy(draw, focus, caller, action, resource):
    if focus == "guards":
        whom = pick(draw, *_own_names(caller), {"AWS": [HOME, AWAY]})
        allows = {"Effect": "Allow", "Principal": whom, "Action": "kms:*", "Resource": "*"}
        others = {"Effect": "Deny", "NotPrincipal": exception(draw, CALLERS[pick(draw, *_OFTEN)])}
        denies = [{**others, "Action": "kms:*", "Resource": "*"}] if chance(draw, 15) else []
        return pick(draw, {"Version": "2012-10-17", "Statement": [allows, *denies]}, BOBS)
    if focus == "grants" and chance(draw, 70):
        return pick(draw, BOBS, DELEGATES)
    return DELEGATES if chance(draw, 35) else policy(draw, "key", caller, action, resource)


def identity_policies(draw, focus, *about):
    if focus == "all":
        return several(draw, 0, 2, lambda: FULL if chance(draw, 50) else policy(draw, "identity", *about))
    return [FULL] if chance(draw, 80 if focus == "guards" else 30) else []


def layer(draw, name, *about):
    """What else can be in a scenario, by its field."""
    if name == "also":
        return several(draw, 1, 2, lambda: further_check(draw, *about[:2]))
    if name == "vpce_policy":
        return OPEN if chance(draw, 50) else policy(draw, "endpoint", *about)
    if name in ("permissions_boundary", "session_policy"):
        return pick(draw, FULL, NOTHING) if chance(draw, 60) else policy(draw, "identity", *about)
    return levels(draw, "rcp" if "rcps" in name else "scp", *about)


statements = st.composite(statement)
grants = st.composite(grant)
