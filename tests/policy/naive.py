"""A second evaluator for the laws: slow, literal, and sharing no line with the library.

It reads a scenario (one JSON-ready document) and returns ``(decision, reason)``. Written from the rules as
AWS tells them, not from our code; it imports nothing of kms_lab.
"""

from decimal import Decimal

_ACROSS = """
    Decapsulate Decrypt DeriveSharedSecret Encapsulate Encrypt GenerateDataKey GenerateDataKeyPair
    GenerateDataKeyPairWithoutPlaintext GenerateDataKeyWithoutPlaintext GenerateMac ReEncryptFrom
    ReEncryptTo Sign Verify VerifyMac
    CreateGrant DescribeKey GetKeyRotationStatus GetPublicKey ListGrants RetireGrant RevokeGrant
"""
ACROSS = set(_ACROSS.split())


def decide(scenario):
    request = scenario["request"]
    caller = request["principal"]
    key_policy = scenario["key_policy"]
    hits = []  # (where, effect, how): every statement that applies
    for statement in as_list((key_policy or {"Statement": []})["Statement"]):
        how = names(statement, caller)
        if how and rest_applies(statement, request, key_policy.get("Version"), "key"):
            hits.append(("key", statement["Effect"], how))
    for policy in scenario["identity_policies"]:
        for statement in as_list(policy["Statement"]):
            if rest_applies(statement, request, policy.get("Version"), "identity"):
                hits.append(("identity", statement["Effect"], "name"))

    grants = scenario.get("grants", [])
    if request["action"] == "kms:RetireGrant":
        return retire(caller, request, grants, [hit for hit in hits if hit[0] == "identity"])
    if any(effect == "Deny" for _, effect, _ in hits):
        return "DENY", "explicit-deny"
    decision, reason = by_policies(scenario, hits)
    by_iam = ("identity", "Allow", "name") in hits
    grants_count = decision == "DENY" and key_policy is not None and reason != "not-cross-account"
    if grants_count and any(gives(grant, caller, request, by_iam) for grant in grants):
        return "ALLOW", "grant"
    return decision, reason


def by_policies(scenario, hits):
    request = scenario["request"]
    caller = request["principal"]
    key_policy = scenario["key_policy"]
    by_name = ("key", "Allow", "name") in hits
    by_account = ("key", "Allow", "account") in hits
    by_iam = ("identity", "Allow", "name") in hits
    root = caller["type"] == "root-user"
    if caller["type"] != "service" and caller["account"] != request["resource_account"]:
        if request["action"].split(":")[1] not in ACROSS:
            return "DENY", "not-cross-account"
        if not (by_name or by_account):
            return "DENY", "cross-account-no-key-policy"
        return ("ALLOW", "cross-account") if by_iam or root else ("DENY", "cross-account-no-iam-policy")
    if key_policy is None:
        if root:
            return "ALLOW", "account-root"
        return ("ALLOW", "iam-policy") if by_iam else ("DENY", "implicit-deny")
    if by_name:
        return "ALLOW", "key-policy"
    if root:
        return ("ALLOW", "account-root") if by_account else ("DENY", "no-iam-delegation" if by_iam else "implicit-deny")
    if by_iam:
        return ("ALLOW", "iam-via-key-policy") if by_account else ("DENY", "no-iam-delegation")
    return "DENY", "implicit-deny"


def is_whom(name, caller):
    """Return "name", "account" (of which the caller is one) or None."""
    role_or_user = caller.get("role_arn") or caller.get("user_arn")
    if name in (caller["arn"], role_or_user):
        return "name"
    return "account" if name == f"arn:aws:iam::{caller['account']}:root" else None


def gives(grant, caller, request, by_iam):
    """Does a grant let a caller do what is asked?"""
    whom = is_whom(grant["grantee"], caller)
    operation = request["action"].removeprefix("kms:")
    if whom is None or (whom == "account" and not by_iam) or operation not in grant["operations"] or grant["too_new"]:
        return False
    wanted_arn, arn = grant["source_arn"], request["source_arn"]
    if wanted_arn and wanted_arn != arn and not (operation == "DescribeKey" and not arn):
        return False
    if operation == "DescribeKey":
        return True
    if operation == "CreateGrant":
        return narrower(request["new_grant"], grant)
    context = [(key.lower(), value) for key, value in request["encryption_context"].items()]
    for key, value in (grant["equals"] or grant["subset"] or {}).items():
        if (key.lower(), value) not in context:
            return False
    if grant["equals"] is not None:
        keys = [key.lower() for key in grant["equals"]]
        return all(key in keys and grant["equals"].get(original_key(grant["equals"], key)) == v for key, v in context)
    return True


def original_key(pairs, folded):
    return next(key for key in pairs if key.lower() == folded)


def narrower(new, old):
    """Is a grant no wider than the grant by which it is made?"""
    if new is None:
        return True
    if [one for one in new["operations"] if one not in old["operations"]]:
        return False
    if old["source_arn"] and new["source_arn"] != old["source_arn"]:
        return False
    if old["equals"] is not None:
        return new["equals"] is not None and small_keys(new["equals"]) == small_keys(old["equals"])
    if old["subset"] is not None:
        promised = new["equals"] if new["equals"] is not None else new["subset"]
        return promised is not None and all(
            small_keys(promised).get(key) == value for key, value in small_keys(old["subset"]).items()
        )
    return True


def small_keys(pairs):
    return {key.lower(): value for key, value in pairs.items()}


def retire(caller, request, grants, hits):
    """RetireGrant: an IAM policy may deny; the grant names who may; an account that may, or owns the key, delegates."""
    if ("identity", "Deny", "name") in hits:
        return "DENY", "explicit-deny"
    account = caller["type"] != "service" and caller["account"] == request["resource_account"]
    for grant in grants:
        names = [grant["retiring"], grant["issuer"]]
        if "RetireGrant" in grant["operations"]:
            names.append(grant["grantee"])
        whom = [is_whom(name, caller) for name in names]
        if "name" in whom:
            return "ALLOW", "grant"
        account = account or "account" in whom
    if account and caller["type"] == "root-user":
        return "ALLOW", "account-root"
    if account and ("identity", "Allow", "name") in hits:
        return "ALLOW", "iam-policy"
    return "DENY", "not-retiring"


def as_list(value):
    return value if isinstance(value, list) else [value]


def names(statement, caller):
    """Return "name", "account" or None."""
    identity = caller.get("role_arn") or caller.get("user_arn") or caller["arn"]
    element = statement.get("Principal", statement.get("NotPrincipal"))
    if element == "*":
        listed = ["*"]
    else:
        listed = []
        for kind, values in element.items():
            for value in as_list(values):
                if kind == "AWS" and len(value) == 12 and value.isdigit():
                    value = f"arn:aws:iam::{value}:root"
                if kind in ("AWS", "Service"):
                    listed.append(value)
    everyone = "*" in listed
    # ":root" in a list means the account; the root user is reached through it, not by name.
    by_name = any(value in (caller["arn"], identity) for value in listed if not value.endswith(":root"))
    by_account = caller["type"] != "service" and f"arn:aws:iam::{caller['account']}:root" in listed
    if "Principal" in statement:
        if everyone or by_name:
            return "name"
        return "account" if by_account else None
    if everyone:
        return None
    if statement["Effect"] == "Allow":
        return None if by_name or by_account else "name"
    if caller["type"] == "service":
        return None if by_name else "name"
    spared = by_account and (caller["type"] == "root-user" or identity in listed)
    return None if spared else "name"


def rest_applies(statement, request, version, kind):
    context = request["context"]
    variables = version == "2012-10-17"
    if "Action" in statement or "NotAction" in statement:
        wanted = as_list(statement.get("Action", statement.get("NotAction")))
        covered = any(glob(pattern.lower(), request["action"].lower()) for pattern in wanted)
        if covered != ("Action" in statement):
            return False
    else:
        return False
    if "Resource" in statement or "NotResource" in statement:
        covered = False
        for pattern in as_list(statement.get("Resource", statement.get("NotResource"))):
            parts = pattern.split(":", 5)
            if variables and len(parts) == 6:
                tail = substitute(parts[5], context)
                if tail is None:
                    if "NotResource" in statement:
                        return False
                    continue
                chars = [(char, True) for char in ":".join(parts[:5]) + ":"] + tail
            else:
                chars = [(char, True) for char in pattern]
            covered = covered or resource_glob(chars, request["resource"])
        if covered != ("Resource" in statement):
            return False
    else:
        return False
    for operator, tests in statement.get("Condition", {}).items():
        for key, values in tests.items():
            if not holds(operator, key, as_list(values), context, variables, kind):
                return False
    return True


def holds(operator, key, values, context, variables, kind):
    found = context.get(key.lower())
    if kind == "key" and key.lower() == "kms:resourcealiases":
        found = None
    values = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    if operator == "Null":
        return any((found is None or found == []) == (value == "true") for value in values)
    quantifier, _, operator = operator.rpartition(":")
    if_exists = operator.endswith("IfExists")
    operator = operator.replace("IfExists", "")
    negated = "Not" in operator
    positive = operator.replace("Not", "")
    if found == [] or (quantifier and found == ""):
        found = None
    if found is None:
        if quantifier == "ForAllValues":
            return True
        if quantifier == "ForAnyValue":
            return False
        return negated or if_exists
    filled = []
    for value in values:
        chars = [(char, True) for char in value]
        if variables and not positive.startswith(("Numeric", "Date", "Ip", "Binary")):
            chars = substitute(value, context)
        if chars is None:
            return False
        filled.append(chars)
    found = as_list(found)
    fits = [any(compare(positive, chars, item) for chars in filled) for item in found]
    if quantifier == "ForAllValues":
        return all(fit != negated for fit in fits)
    if quantifier == "ForAnyValue":
        return any(fit != negated for fit in fits)
    return any(fits) != negated


def compare(operator, chars, item):
    text = "".join(char for char, _ in chars)
    if operator == "StringEquals":
        return text == item
    if operator == "StringEqualsIgnoreCase":
        return text.lower() == item.lower()
    if operator == "StringLike":
        return match_chars(chars, item)
    if operator in ("ArnEquals", "ArnLike"):
        parts, item_parts = [[]], item.split(":", 5)
        for char, wild in chars:
            if char == ":" and len(parts) < 6:
                parts.append([])
            else:
                parts[-1].append((char, wild))
        return len(parts) == len(item_parts) == 6 and all(
            match_chars(part, value) for part, value in zip(parts, item_parts)
        )
    if operator == "Bool":
        return text.lower() == item.lower()
    if operator.startswith("Numeric"):
        try:
            left, right = Decimal(item), Decimal(text)
        except ArithmeticError:
            return False
        return {
            "Equals": left == right,
            "LessThan": left < right,
            "LessThanEquals": left <= right,
            "GreaterThan": left > right,
            "GreaterThanEquals": left >= right,
        }[operator.removeprefix("Numeric")]
    raise ValueError(operator)


def substitute(text, context):
    """Return [(character, may be a wildcard)], or None for a variable without a value."""
    chars = []
    while text:
        if text.startswith("${") and "}" in text:
            inside, text = text[2:].split("}", 1)
            if inside in ("*", "?", "$"):
                chars.append((inside, False))
                continue
            name, _, default = inside.partition(",")
            value = context.get(name.strip().lower())
            if value is None and default:
                value = default.strip().strip("'")
            if not isinstance(value, str):
                return None
            chars += [(char, False) for char in value]
        else:
            chars.append((text[0], True))
            text = text[1:]
    return chars


def glob(pattern, text):
    return match_chars([(char, True) for char in pattern], text)


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
