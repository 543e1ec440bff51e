"""A second evaluator for the laws: slow, literal, and sharing no line with the library.

It reads a scenario (one JSON-ready document) and says what AWS would. Written from the rules as AWS tells them, not
from our code; it imports nothing of kms_lab.

>>> decide(document)        # ("DENY", "explicit-deny")
>>> deny_layer(document)    # "scp", or None where no Deny decides
"""

import base64
import binascii
import ipaddress
import re
from datetime import UTC, datetime
from decimal import Decimal

_ACROSS = """
    Decapsulate Decrypt DeriveSharedSecret Encapsulate Encrypt GenerateDataKey GenerateDataKeyPair
    GenerateDataKeyPairWithoutPlaintext GenerateDataKeyWithoutPlaintext GenerateMac ReEncryptFrom
    ReEncryptTo Sign Verify VerifyMac
    CreateGrant DescribeKey GetKeyRotationStatus GetPublicKey ListGrants RetireGrant RevokeGrant
"""
ACROSS = set(_ACROSS.split())


def decide(document):
    """Return (decision, reason)."""
    return verdict(document)[:2]


def deny_layer(document):
    """Return the layer whose Deny decides, or None."""
    return verdict(document)[2]


def verdict(document):
    answers = [one_check(world) for world in [document, *further_checks(document)]]
    return next((answer for answer in answers if answer[0] == "DENY"), answers[0])


def further_checks(document):
    """Yield the main check's world, changed as each item of ``also`` says."""
    for item in document.get("also") or []:
        request = {name: value for name, value in document["request"].items() if name != "key"}
        for name in ("action", "resource", "resource_account", "context", "encryption_context", "key", "params"):
            if name in item:
                request[name] = item[name]
        world = {**document, "request": request, "key_policy": item.get("key_policy")}
        for name in ("identity_policies", "grants", "rcps"):
            if name in item:
                world[name] = item[name]
        yield world


def one_check(world):
    layer = first_deny(world)
    if layer:
        return "DENY", "explicit-deny", layer
    if crosses(world) and operation(world) not in ACROSS:
        return "DENY", "not-cross-account", None
    if scps_bind(world) and any(not allows(world, "scp", level) for level in world.get("scps") or []):
        return "DENY", "scp", None
    if world.get("vpce_policy") and not allows(world, "vpce", [world["vpce_policy"]]):
        return "DENY", "vpce", None
    paths = retire_paths(world) if operation(world) == "RetireGrant" else allow_paths(world)
    if not paths:
        return "DENY", why_not(world), None
    silence = silent_limit(world)
    for reason, limited in paths:
        if not (limited and silence):
            return "ALLOW", reason, None
    return "DENY", silence, None


# ---- the caller, and what binds it


def caller_of(world):
    return world["request"]["principal"]


def operation(world):
    return world["request"]["action"].removeprefix("kms:")


def is_identity(caller):
    """Has the caller identity policies, and may it have a boundary and a session policy?"""
    return caller["type"] in ("user", "role-session", "federated-user")


def has_account(caller):
    return caller["type"] not in ("service", "anonymous")


def crosses(world):
    caller = caller_of(world)
    return has_account(caller) and caller["account"] != world["request"]["resource_account"]


def is_service_linked(caller):
    return ":role/aws-service-role/" in (caller.get("role_arn") or "")


def scps_bind(world):
    return has_account(caller_of(world)) and not is_service_linked(caller_of(world))


def rcps_bind(world):
    managed_by_aws = (world["request"].get("key") or {}).get("manager") == "AWS"
    return not (is_service_linked(caller_of(world)) or managed_by_aws or operation(world) == "RetireGrant")


def boundary_of(world):
    return world.get("permissions_boundary") if is_identity(caller_of(world)) else None


def session_policy_of(world):
    return world.get("session_policy") if is_identity(caller_of(world)) else None


def identity_policies_of(world):
    return (world.get("identity_policies") or []) if is_identity(caller_of(world)) else []


def silent_limit(world):
    """The first of boundary and session policy that is there and allows nothing, or None."""
    boundary, session = boundary_of(world), session_policy_of(world)
    if boundary and not allows(world, "boundary", [boundary]):
        return "boundary"
    if session and not allows(world, "session-policy", [session]):
        return "session-policy"
    if not session and caller_of(world)["type"] == "federated-user":
        return "session-policy"
    return None


# ---- the layers


def layers(world):
    """Every (layer, documents) whose Deny counts, in the order in which they are named."""
    yes_key = operation(world) != "RetireGrant" and world.get("key_policy")
    return [
        ("key-policy", [world["key_policy"]] if yes_key else []),
        ("identity-policy", identity_policies_of(world)),
        ("boundary", [boundary_of(world)] if boundary_of(world) else []),
        ("session-policy", [session_policy_of(world)] if session_policy_of(world) else []),
        ("scp", flat(world.get("scps")) if scps_bind(world) else []),
        ("rcp", flat(world.get("rcps")) if rcps_bind(world) else []),
        ("vpce", [world["vpce_policy"]] if world.get("vpce_policy") else []),
    ]


def flat(levels):
    return [policy for level in levels or [] for policy in level]


def first_deny(world):
    for layer, documents in layers(world):
        if hits(world, layer, documents, "Deny"):
            return layer
    return None


def allows(world, layer, documents):
    return bool(hits(world, layer, documents, "Allow"))


def hits(world, layer, documents, effect):
    """How each statement of this effect that applies reaches the caller; see ``reaches``."""
    found = []
    for policy in documents:
        for statement in as_list(policy["Statement"]):
            if statement["Effect"] == effect:
                how = reaches(statement, world, layer)
                if how and rest_applies(statement, policy.get("Version"), world, layer):
                    found.append(how)
    return found


# ---- where an allow can come from


def allow_paths(world):
    """Every (reason, limited by boundary and session policy) that allows, in order of preference."""
    caller, key_policy = caller_of(world), world.get("key_policy")
    is_root = caller["type"] == "root-user"
    by_iam = allows(world, "identity-policy", identity_policies_of(world))
    by_key = hits(world, "key-policy", [key_policy], "Allow") if key_policy else []
    paths = []
    if crosses(world):
        if by_key and (by_iam or is_root):
            paths.append(("cross-account", True))
    elif key_policy is None:
        if is_root:
            paths.append(("account-root", False))
        elif by_iam:
            paths.append(("iam-policy", True))
    else:
        for how in by_key:
            if how != "account":
                paths.append(("key-policy", is_limited(how, world)))
        if "account" in by_key and is_root:
            paths.append(("account-root", False))
        if "account" in by_key and by_iam:
            paths.append(("iam-via-key-policy", True))
    for grant in grants_of_the_key(world):
        how = grant_reaches(grant, world, by_iam)
        if how and meets_constraints(grant, world):
            paths.append(("grant", is_limited(how, world)))
    return paths


def is_limited(how, world):
    """Do the silences of boundary and session policy count, where a key policy or grant names the caller thus?"""
    if how == "others":  # NotPrincipal with Allow, which AWS does not support: on the safe side
        return crosses(world) or caller_of(world)["type"] in ("role-session", "federated-user")
    return crosses(world) or how in ("account", "identity")


def why_not(world):
    by_iam = allows(world, "identity-policy", identity_policies_of(world))
    if operation(world) == "RetireGrant":
        return "implicit-deny"
    if any(grant_reaches(grant, world, by_iam) for grant in grants_of_the_key(world)):
        return "grant-constraint"
    key_policy = world.get("key_policy")
    if crosses(world):
        by_key = key_policy and hits(world, "key-policy", [key_policy], "Allow")
        return "cross-account-no-iam-policy" if by_key else "cross-account-no-key-policy"
    return "no-iam-delegation" if by_iam else "implicit-deny"


# ---- grants


def grants_of_the_key(world):
    """The living grants of the key, known to the caller or spread."""
    return [grant for grant in grants_with_this_key(world) if is_in_force(grant, world)]


def grants_with_this_key(world):
    """A grant gives its key as an ARN, or as the id alone."""
    resource = world["request"]["resource"]
    return [grant for grant in world.get("grants") or [] if grant["key"] in (resource, resource.rpartition("/")[2])]


def is_in_force(grant, world):
    if grant.get("status", "active") == "pending-consistency":
        return bool(grant.get("grant_token")) and grant["grant_token"] in params(world).get("GrantTokens", [])
    return grant.get("status", "active") == "active"


def params(world):
    return world["request"].get("params") or {}


def grant_reaches(grant, world, by_iam):
    """How a grant of this operation names the caller, or None."""
    if operation(world) not in grant["operations"]:
        return None
    how = is_whom(grantee_of(grant), caller_of(world))
    if how == "account" and caller_of(world)["type"] != "root-user" and not by_iam:
        return None
    return how


def grantee_of(grant):
    return grant.get("grantee_principal") or grant.get("grantee_service_principal")


def is_whom(name, caller):
    """Return "self", "identity" (role of a session, user behind a federated user), "account", or None."""
    if not name:
        return None
    if name in (f"arn:aws:iam::{caller['account']}:root", caller["account"]):
        return "account" if has_account(caller) else None
    if name == caller["arn"]:
        return "self"
    return "identity" if name in (caller.get("role_arn"), caller.get("user_arn")) else None


def meets_constraints(grant, world):
    constraints = grant.get("constraints") or {}
    arn = context_of(world).get("aws:sourcearn")
    wanted = constraints.get("SourceArn")
    if wanted and wanted != arn and not (operation(world) == "DescribeKey" and arn is None):
        return False
    if operation(world) == "DescribeKey":
        return True
    if operation(world) == "CreateGrant":
        return is_no_wider(params(world), grant)
    context = small_keys(world["request"].get("encryption_context"))
    exact, part = constraints.get("EncryptionContextEquals"), constraints.get("EncryptionContextSubset")
    if exact is not None and small_keys(exact) != context:
        return False
    return part is None or contains(context, small_keys(part))


def is_no_wider(child, grant):
    """Is a grant no wider than the grant by which it is made?"""
    new, old = child.get("Constraints") or {}, grant.get("constraints") or {}
    if not set(child.get("Operations", [])) <= set(grant["operations"]):
        return False
    if old.get("SourceArn") and new.get("SourceArn") != old["SourceArn"]:
        return False
    exact, part = new.get("EncryptionContextEquals"), new.get("EncryptionContextSubset")
    if old.get("EncryptionContextEquals") is not None:
        return exact is not None and small_keys(exact) == small_keys(old["EncryptionContextEquals"])
    if old.get("EncryptionContextSubset") is not None:
        promised = exact if exact is not None else part
        return promised is not None and contains(small_keys(promised), small_keys(old["EncryptionContextSubset"]))
    return True


def small_keys(pairs):
    return {key.lower(): value for key, value in (pairs or {}).items()}


def contains(pairs, part):
    return all(pairs.get(key) == value for key, value in part.items())


def retire_paths(world):
    """RetireGrant: whom the grant names may; the key's account, and an account that is named, delegate."""
    caller = caller_of(world)
    whom = [is_whom(name, caller) for grant in grants_meant(world) for name in who_may_retire(grant)]
    delegates = (has_account(caller) and not crosses(world)) or "account" in whom
    paths = [("grant", is_limited(how, world)) for how in whom if how in ("self", "identity")]
    if caller["type"] == "root-user" and "account" in whom:
        paths.append(("grant", False))
    if caller["type"] == "root-user" and delegates:
        paths.append(("account-root", False))
    if delegates and allows(world, "identity-policy", identity_policies_of(world)):
        paths.append(("iam-policy", True))
    return paths


def grants_meant(world):
    """By id or by token, or any grant of the key; one that has not spread can be retired too."""
    grants = [grant for grant in grants_with_this_key(world) if grant.get("status", "active") != "revoked"]
    grant_id = params(world).get("GrantId")
    tokens = [*params(world).get("GrantTokens", []), params(world).get("GrantToken")]
    if grant_id:
        return [grant for grant in grants if grant["grant_id"] == grant_id]
    if any(tokens):
        return [grant for grant in grants if grant.get("grant_token") in tokens]
    return grants


def who_may_retire(grant):
    names = [grant.get("retiring_principal"), grant.get("retiring_service_principal"), grant.get("issuing_account")]
    return [*names, grantee_of(grant)] if "RetireGrant" in grant["operations"] else names


# ---- Principal and NotPrincipal


def as_list(value):
    return value if isinstance(value, list) else [value]


def reaches(statement, world, layer):
    """Return "self", "identity", "everyone", "others" or "account": how a statement reaches the caller; or None."""
    if "Principal" in statement:
        return named(listed(statement["Principal"]), caller_of(world))
    if "NotPrincipal" in statement:
        return not_excepted(statement["Effect"], listed(statement["NotPrincipal"]), world)
    return "everyone" if layer not in ("key-policy", "vpce") else None


def listed(element):
    """The (type, name) pairs of a Principal; an account is written as its ARN."""
    if element == "*":
        return [("AWS", "*")]
    return [(kind, as_root(value)) for kind, values in element.items() for value in as_list(values)]


def as_root(value):
    return f"arn:aws:iam::{value}:root" if re.fullmatch(r"\d{12}", value) else value


def named(pairs, caller):
    """The way in which a list of principals names the caller; what is least limited comes first."""
    if caller["type"] == "service":
        if ("Service", caller["arn"]) in pairs:
            return "self"
        return "everyone" if ("AWS", "*") in pairs else None
    names = [name for kind, name in pairs if kind == "AWS"]
    ways = []
    if caller["type"] != "anonymous":
        ways = [is_whom(name, caller) or by_unique_id(name, caller) for name in names]
    if "*" in names:
        ways.append("everyone")
    return next((way for way in ("self", "everyone", "identity", "account") if way in ways), None)


def by_unique_id(name, caller):
    own = caller.get("unique_id")
    if not own or name.startswith("arn:"):
        return None
    if caller["type"] == "role-session":
        return "identity" if own.split(":")[0] == name else None
    return "self" if own == name else None


def not_excepted(effect, pairs, world):
    """NotPrincipal: Deny spares whoever is listed with its account; Allow leaves out whoever is listed in any way."""
    caller = caller_of(world)
    way = named(pairs, caller)
    if effect == "Allow":
        return None if way else "others"
    if boundary_of(world):
        return "everyone"
    if way == "everyone" or ("AWS", "*") in pairs:
        return None
    if caller["type"] == "service":
        return None if way else "everyone"
    account_too = ("AWS", f"arn:aws:iam::{caller['account']}:root") in pairs
    if caller["type"] == "root-user":
        return None if account_too else "everyone"
    return None if account_too and identity_listed(pairs, caller) else "everyone"


def identity_listed(pairs, caller):
    """Is the user, or the role of the session, or the user behind the federated session, in the list?"""
    own = caller.get("role_arn") or caller.get("user_arn") or caller["arn"]
    names = [name for kind, name in pairs if kind == "AWS"]
    return own in names or any(by_unique_id(name, caller) for name in names)


# ---- Action, Resource, Condition


def rest_applies(statement, version, world, layer):
    context = context_of(world)
    variables = version == "2012-10-17"
    return (
        action_fits(statement, world["request"]["action"])
        and resource_fits(statement, world["request"]["resource"], context, variables)
        and conditions_hold(statement, context, variables, layer)
    )


def context_of(world):
    """The condition context, names in small letters, with what follows from the encryption context."""
    pairs = world["request"].get("encryption_context") or {}
    context = {f"kms:encryptioncontext:{key.lower()}": value for key, value in pairs.items()}
    if pairs:
        context["kms:encryptioncontextkeys"] = list(pairs)
    for name, value in (world["request"].get("context") or {}).items():
        context[name.lower()] = value
    return context


def action_fits(statement, action):
    if "Action" not in statement and "NotAction" not in statement:
        return False
    patterns = as_list(statement.get("Action", statement.get("NotAction")))
    covered = any(match_chars(plain(pattern.lower()), action.lower()) for pattern in patterns)
    return covered == ("Action" in statement)


def plain(text):
    return [(char, True) for char in text]


def resource_fits(statement, resource, context, variables):
    if "Resource" not in statement and "NotResource" not in statement:
        return False
    patterns = as_list(statement.get("Resource", statement.get("NotResource")))
    filled = [resource_pattern(pattern, context, variables) for pattern in patterns]
    covered = any(chars is not None and resource_glob(chars, resource) for chars in filled)
    return covered == ("Resource" in statement)


def resource_pattern(pattern, context, variables):
    """Variables have a meaning only after the fifth colon."""
    parts = pattern.split(":", 5)
    if not variables or len(parts) < 6:
        return plain(pattern)
    tail = substitute(parts[5], context)
    return None if tail is None else plain(":".join(parts[:5]) + ":") + tail


def conditions_hold(statement, context, variables, layer):
    for operator, tests in (statement.get("Condition") or {}).items():
        for key, values in tests.items():
            found = context.get(key.lower())
            if layer == "key-policy" and key.lower() == "kms:resourcealiases":
                found = None  # IAM policies only
            if not holds(operator, [text_of(value) for value in as_list(values)], found, context, variables):
                return False
    return True


def text_of(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def holds(operator, values, found, context, variables):
    if operator == "Null":
        return any((found is None or found in ([], "")) == (value.lower() == "true") for value in values)
    quantifier, _, operator = operator.rpartition(":")
    if_exists = operator.endswith("IfExists")
    operator = operator.replace("IfExists", "")
    negated = "Not" in operator
    positive = operator.replace("Not", "")
    if found is None or found == [] or (quantifier and found == ""):
        return {"ForAllValues": True, "ForAnyValue": False, "": negated or if_exists}[quantifier]
    patterns = [pattern_of(positive, value, context, variables) for value in values]
    patterns = [pattern for pattern in patterns if pattern is not None]  # nothing is like a variable without a value
    fits = [any(compare(positive, pattern, text_of(item)) for pattern in patterns) for item in as_list(found)]
    if quantifier == "ForAllValues":
        return all(fit != negated for fit in fits)
    if quantifier == "ForAnyValue":
        return any(fit != negated for fit in fits)
    return any(fits) != negated


def pattern_of(operator, value, context, variables):
    return substitute(value, context) if variables and operator.startswith(("String", "Arn")) else plain(value)


def compare(operator, chars, item):
    text = "".join(char for char, _ in chars)
    if operator == "StringEquals":
        return text == item
    if operator in ("StringEqualsIgnoreCase", "Bool"):
        return text.lower() == item.lower()
    if operator == "StringLike":
        return match_chars(chars, item)
    if operator in ("ArnEquals", "ArnLike"):
        return arn_fits(chars, item)
    if operator == "BinaryEquals":
        return binary(text) is not None and binary(text) == binary(item)
    if operator == "IpAddress":
        return is_inside(item, text)
    if operator.startswith("Numeric"):
        return is_ordered(operator.removeprefix("Numeric"), number(item), number(text))
    if operator.startswith("Date"):
        return is_ordered(operator.removeprefix("Date"), moment(item), moment(text))
    raise ValueError(operator)


def is_ordered(comparison, left, right):
    if left is None or right is None:
        return False
    return {
        "Equals": left == right,
        "LessThan": left < right,
        "LessThanEquals": left <= right,
        "GreaterThan": left > right,
        "GreaterThanEquals": left >= right,
    }[comparison]


def number(text):
    return Decimal(text) if re.fullmatch(r"[-+]?[0-9]+(\.[0-9]+)?", text) else None


def moment(text):
    """Seconds since 1970 of an ISO 8601 date as W3C profiles it, or of epoch time."""
    if re.fullmatch(r"[0-9]{5,}(\.[0-9]+)?", text):
        return Decimal(text)
    form = r"([0-9]{4})(-[0-9]{2})?(-[0-9]{2})?(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[-+][0-9]{2}:[0-9]{2}))?"
    found = re.fullmatch(form, text)
    if not found:
        return None
    year, month, day, time, *_ = found.groups()
    clock = "T00:00Z" if time is None else time
    try:
        when = datetime.fromisoformat(f"{year}{month or '-01'}{day or '-01'}{clock.replace('Z', '+00:00')}")
    except ValueError:
        return None
    return Decimal(str((when - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()))


def is_inside(address, network):
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def binary(text):
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def arn_fits(chars, item):
    """Each of the six components is compared by itself."""
    parts, found = [[]], item.split(":", 5)
    for char, wild in chars:
        if char == ":" and len(parts) < 6:
            parts.append([])
        else:
            parts[-1].append((char, wild))
    return len(parts) == len(found) == 6 and all(map(match_chars, parts, found))


def substitute(text, context):
    """Return [(character, may be a wildcard)], or None for a variable without a value."""
    chars = []
    while text:
        if text.startswith("${") and "}" in text:
            inside, text = text[2:].split("}", 1)
            value = inside if inside in ("*", "?", "$") else variable(inside, context)
            if value is None:
                return None
            chars += [(char, False) for char in value]
        else:
            chars.append((text[0], True))
            text = text[1:]
    return chars


def variable(inside, context):
    name, comma, default = inside.partition(",")
    value = context.get(name.strip().lower())
    if value is None and comma:
        return default.strip().strip("'")
    return value if isinstance(value, str) else None


def resource_glob(chars, text):
    """``*`` and ``?`` stop at a colon, unless the ``*`` ends its segment."""
    if not chars:
        return not text
    (char, wild), rest = chars[0], chars[1:]
    if wild and char == "*":
        runs_on = not rest or rest[0][0] == ":"
        if resource_glob(rest, text):
            return True
        return bool(text) and (runs_on or text[0] != ":") and resource_glob(chars, text[1:])
    if wild and char == "?":
        return bool(text) and text[0] != ":" and resource_glob(rest, text[1:])
    return text[:1] == char and resource_glob(rest, text[1:])


def match_chars(chars, text):
    if not chars:
        return not text
    (char, wild), rest = chars[0], chars[1:]
    if wild and char == "*":
        return match_chars(rest, text) or (bool(text) and match_chars(chars, text[1:]))
    if wild and char == "?":
        return bool(text) and match_chars(rest, text[1:])
    return text[:1] == char and match_chars(rest, text[1:])
