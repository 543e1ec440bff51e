"""The condition context of a call: one row for each condition key, computed from the call only when a policy asks
for it.

A row's function gets the call and the key that is checked, and returns the value, a tuple of values, or None where
AWS does not set the key. Names are lower case, since condition keys ignore case.

Keys that AWS has and that no call of the lab can have are not here, so they are absent: those of sessions that come
from identity providers, EC2 instances or chat channels, of web pages (``aws:referer``), and of attested enclaves
(``kms:RecipientAttestation:...``).

Source: AWS KMS Developer Guide, "AWS KMS condition keys", "AWS global condition keys"; IAM User Guide, "AWS global
condition context keys", "Principal key values", "Forward access sessions".
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from kms_lab.core.circumstances import SERVICE_ADDRESS, USER_AGENT
from kms_lab.core.clock import DAY_US, iso_text, read_us
from kms_lab.core.keys import Key
from kms_lab.core.names import parse_key_reference, principal_id
from kms_lab.core.organization import Endpoint
from kms_lab.core.specs import ENCRYPT_DECRYPT
from kms_lab.service.find import key_by_arn
from kms_lab.service.last_usage import last_use
from kms_lab.service.operation import NO_KEY, Call

Value = str | tuple[str, ...] | None
Provider = Callable[[Call, Key | None], Value]

_SIDES = {"kms:ReEncryptFrom": "Source", "kms:ReEncryptTo": "Destination"}
_OF_GRANTS = ("CreateGrant", "RetireGrant")
#: what the role is made for whom KMS lets synchronize multi-Region keys
MULTI_REGION_SERVICE = "mrk.kms.amazonaws.com"


def context_of(call: Call, key: Key | None, names: Iterable[str]) -> tuple[tuple[str, str | tuple[str, ...]], ...]:
    """Return the values of the named condition keys; those that AWS does not set for this call are left out."""
    found = []
    foreign = call.permission.startswith(("iam:", "sts:"))  # what other services are asked has nothing of KMS's
    for name in names:
        value = None if foreign and name.startswith("kms:") else value_of(call, key, name)
        if value is not None:
            found.append((name, value))
    return tuple(found)


def value_of(call: Call, key: Key | None, name: str) -> Value:
    """Return the value of one condition key for one call, or None."""
    provider = PROVIDERS.get(name)
    if provider is not None:
        return provider(call, key)
    for prefix, family in FAMILIES.items():
        if name.startswith(prefix):
            return family(call, key, name.removeprefix(prefix))
    return None


def everything(call: Call) -> dict[str, str | tuple[str, ...]]:
    """Return every condition key that AWS sets for a call's last check, with the key, if any, that was checked then."""
    verdict = call.verdict
    key: Key | None = call.key
    if verdict is not None:
        key = None if verdict.layers.key_policy is None else key_by_arn(call.world, verdict.request.resource)
    names = {*PROVIDERS}
    context, tags = encryption_context(call), _principal_tags(call)
    names.update(f"kms:encryptioncontext:{name.lower()}" for name in context)
    names.update(f"aws:principaltag/{name.lower()}" for name in tags)
    names.update(f"aws:requesttag/{name.lower()}" for name in _requested_tags(call))
    if key is not None:
        names.update(f"aws:resourcetag/{name.lower()}" for name in key.tags)
    return dict(context_of(call, key, sorted(names)))


def _parameter(member: str, default: str | None = None) -> Provider:
    """A condition key that repeats a request member; operations without that member do not set it."""

    def provide(call: Call, _key: Key | None) -> Value:
        value = call.params.get(member)
        if value is None:
            value = default if member in call.row.model.members else None
        return None if value is None else _text(value)

    return provide


def _of_key(read: Callable[[Key], Any]) -> Provider:
    return lambda _call, key: None if key is None else _text(read(key))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _moment(value: datetime | float | str | None) -> Value:
    return None if value is None else iso_text(read_us(value))


def _side(call: Call) -> str:
    """The prefix of the request's members that belong to the permission being checked: ReEncrypt has two."""
    return _SIDES.get(call.permission, "")


def encryption_context(call: Call) -> dict[str, str]:
    """Return the encryption context of the side being checked; of CreateGrant, the one in the grant's constraint.

    The same for RetireGrant, as the IAM reference has it. # unverified: that it is the constraint of the grant retired
    """
    params = call.params
    if call.row.name in _OF_GRANTS:
        constraints = _constraints(call)
        return constraints.get("EncryptionContextEquals") or constraints.get("EncryptionContextSubset") or {}
    context: dict[str, str] = params.get(f"{_side(call)}EncryptionContext") or params.get("EncryptionContext") or {}
    return context


def _constraints(call: Call) -> Mapping[str, Any]:
    """Return the constraints of the grant that a call would make, or retire."""
    if call.grant is None:
        return call.params.get("Constraints") or {}
    kinds = {
        "EncryptionContextEquals": call.grant.context_equals,
        "EncryptionContextSubset": call.grant.context_subset,
    }
    return {kind: dict(pairs) for kind, pairs in kinds.items() if pairs is not None} | (
        {"SourceArn": call.grant.source_arn} if call.grant.source_arn else {}
    )


def _context_keys(call: Call, _key: Key | None) -> Value:
    return tuple(encryption_context(call)) or None


def _context_value(call: Call, _key: Key | None, name: str) -> Value:
    """The key part of the condition's name ignores case; the value does not."""
    return next((value for key, value in encryption_context(call).items() if key.lower() == name), None)


def _request_alias(call: Call, _key: Key | None) -> Value:
    """The alias that names the key in the request. Operations on an alias itself do not set it."""
    if side := _side(call):
        name = parse_key_reference(call.params.get(f"{side}KeyId") or "")
        return name.name if name.kind == "alias" else None
    return None if call.alias_arn is None or "AliasName" in call.params else call.alias_arn.rpartition(":")[2]


def _resource_aliases(call: Call, key: Key | None) -> Value:
    return None if key is None else call.world.look(key.account, key.region).aliases_of(key.id) or None


def _of_account_only(call: Call) -> bool:
    """Is it a listing of an account, or GenerateRandom? They know neither a key nor who calls through whom."""
    return call.row.target == NO_KEY and call.row.name.startswith(("List", "GenerateRandom"))


def _caller_account(call: Call, _key: Key | None) -> Value:
    """Set for operations on keys and on custom key stores, not for the listings of an account and GenerateRandom."""
    return None if _of_account_only(call) else call.principal.account or None


def _via_service(call: Call, _key: Key | None) -> Value:
    """Set for operations on keys and aliases only."""
    if not call.how.via or _of_account_only(call) or call.row.name.endswith(("CustomKeyStore", "CustomKeyStores")):
        return None
    return f"{call.how.via}.{call.region}.amazonaws.com"


def _new_key(member: str, default: str | None, read: Callable[[Key], Any]) -> Provider:
    """A fact of the key, or, while there is none yet, of the key that is asked for: a replica is like its primary."""
    of_request, of_key = _parameter(member, default), _of_key(read)

    def provide(call: Call, key: Key | None) -> Value:
        if key is None and call.row.name == "ReplicateKey":
            key = call.key  # unverified: that a replica's kms:CreateKey is asked with the facts of its primary
        return of_key(call, key) if key is not None else of_request(call, key)

    return provide


_bypass = _parameter("BypassPolicyLockoutSafetyCheck", "false")
_spec = _new_key("KeySpec", "SYMMETRIC_DEFAULT", lambda key: key.spec)


def _key_spec(call: Call, key: Key | None) -> Value:
    """CreateKey takes the spec by its old name too."""
    return (call.params.get("CustomerMasterKeySpec") if "KeySpec" not in call.params else None) or _spec(call, key)


def _multi_region_type(call: Call, key: Key | None) -> Value:
    """Not set for keys of a single Region. What CreateKey makes is a primary, what ReplicateKey makes a replica."""
    if key is not None:
        return key.multi_region_type or None
    if call.row.name == "ReplicateKey":
        return "REPLICA"
    return "PRIMARY" if call.params.get("MultiRegion") else None


def _requested_region(call: Call, key: Key | None) -> Value:
    """Where the permission is needed: a replica's own Region, for what is done there.

    # unverified: what AWS sets for the permissions that ReplicateKey and UpdatePrimaryRegion need elsewhere.
    """
    if key is not None:
        return key.region
    region: str = call.params.get("ReplicaRegion") or call.region
    return region


def _principal_tags(call: Call) -> dict[str, str]:
    """Return the tags of the user or role, and those of the session, which replace them: tag keys ignore case.

    A federated user has those of his session only. # unverified: that he has none of the user behind him
    """
    session = dict(call.how.session_tags)
    identity = call.world.identities.get(call.principal.identity_arn)
    if identity is None or call.principal.kind == "federated-user":
        return session
    replaced = {name.lower() for name in session}
    return {name: value for name, value in identity.tags.items() if name.lower() not in replaced} | session


def _requested_tags(call: Call) -> dict[str, str]:
    return {tag["TagKey"]: tag["TagValue"] for tag in call.params.get("Tags") or ()}


def _tag(tags: dict[str, str], name: str) -> Value:
    """Tag keys in condition names ignore case."""
    return next((value for key, value in tags.items() if key.lower() == name), None)


def _of_new_grant(member: str) -> Provider:
    """What CreateGrant asks for; other operations that have the member only search by it."""
    return lambda call, _key: call.params.get(member) if call.row.name == "CreateGrant" else None


def _grant_operations(call: Call, _key: Key | None) -> Value:
    return tuple(call.params.get("Operations") or ()) or None if call.row.name == "CreateGrant" else None


def _constraint_types(call: Call, _key: Key | None) -> Value:
    """Several values where a grant has both kinds of constraints. # unverified: that, and the value for SourceArn."""
    types = tuple(_constraints(call) if call.row.name in _OF_GRANTS else ())
    return types[0] if len(types) == 1 else types or None


def _is_for_aws_resource(call: Call, key: Key | None) -> Value:
    """Does a service that is integrated with KMS make the call, for itself or for somebody?

    # unverified: that AWS sets "false" for other callers, and does not leave the key out.
    """
    if call.row.name not in ("CreateGrant", "ListGrants", "RevokeGrant"):
        return None
    return _text(call.principal.kind == "service" or value_of(call, key, "kms:viaservice") is not None)


def _days_unused(call: Call, key: Key | None) -> Value:
    """Whole days since the key was last used for cryptography, for the two calls that would stop its users.

    A key that was never used counts from its creation. Source: AWS KMS Developer Guide,
    "kms:TrailingDaysWithoutKeyUsage", and a public test of it in 2026.
    """
    if key is None or call.row.name not in ("DisableKey", "ScheduleKeyDeletion"):
        return None
    index = last_use(call.world, key)
    since_us = key.created_us if index is None else call.world.log.at_us[index]
    return str((call.world.clock.now_us - since_us) // DAY_US)


# ------------------------------------------------------------------------------ who calls


def _principal_account(call: Call, _key: Key | None) -> Value:
    """AWS has it in every request, and does not say what it is for services. # unverified: that they have none"""
    return "anonymous" if call.principal.kind == "anonymous" else call.principal.account or None


def _principal_arn(call: Call, _key: Key | None) -> Value:
    """The role behind a session, and not the session; a federated user himself, and not the user behind him."""
    who = call.principal
    if not who.account:
        return None
    return who.arn if who.kind == "federated-user" else who.identity_arn


def _user_id(call: Call, _key: Key | None) -> Value:
    """AWS has it in every request, and does not say what it is for services. # unverified: that they have none"""
    if call.principal.kind == "anonymous":
        return "anonymous"
    return None if call.principal.kind == "service" else principal_id(call.principal)


def _service_name(call: Call, _key: Key | None) -> Value:
    return call.principal.arn if call.principal.kind == "service" else None


def _service_names(call: Call, _key: Key | None) -> Value:
    """# unverified: which other names a service has; here it has the one that it calls itself"""
    return (call.principal.arn,) if call.principal.kind == "service" else None


# ------------------------------------------------------------------------------ the session


def _temporary(call: Call) -> bool:
    """Are the credentials those of a session? For calls that they make on a user's behalf, services get such."""
    how = call.how
    if call.principal.kind in ("role-session", "federated-user"):
        return True
    own = how.issued_us is not None or how.mfa_age_s is not None
    return call.principal.kind in ("user", "root-user") and (own or bool(how.via))


def _mfa_present(call: Call, _key: Key | None) -> Value:
    """Absent for long-term credentials, which is not the same as "false"; absent for federated users, too."""
    if not _temporary(call) or call.principal.kind == "federated-user":
        return None
    return _text(call.how.mfa_age_s is not None)


def _mfa_age(call: Call, _key: Key | None) -> Value:
    if call.how.mfa_age_s is None or call.principal.kind in ("federated-user", "service", "anonymous"):
        return None
    return str(call.how.mfa_age_s)


def _token_issued(call: Call, _key: Key | None) -> Value:
    """A session of which nothing else is known began just now.

    # unverified: that calls that a service makes with its own session for a user count from then, too
    """
    if not _temporary(call):
        return None
    return iso_text(call.world.clock.now_us if call.how.issued_us is None else call.how.issued_us)


def _source_identity(call: Call, _key: Key | None) -> Value:
    return call.how.source_identity or None if call.principal.kind == "role-session" else None


# ------------------------------------------------------------------------------ the network


def _endpoint(call: Call) -> Endpoint | None:
    return call.world.endpoints.get(call.how.endpoint)


def _of_endpoint(read: Callable[[Call, Endpoint], Value]) -> Provider:
    """A fact of the VPC endpoint that the call comes through; what a service calls comes through none."""

    def provide(call: Call, _key: Key | None) -> Value:
        endpoint = _endpoint(call)
        return None if endpoint is None else read(call, endpoint)

    return provide


def _source_ip(call: Call, _key: Key | None) -> Value:
    """Absent through a VPC endpoint. What a service calls comes from an address of the service.

    # unverified: AWS's KMS guide has such a call come from the service's address, and fail under conditions on the
    caller's; newer editions of the IAM guide say that forward access sessions keep the caller's.
    """
    if _endpoint(call) is not None:
        return None
    return SERVICE_ADDRESS if call.how.via or call.principal.kind == "service" else call.how.source_ip


def _user_agent(call: Call, _key: Key | None) -> Value:
    """Of a service it is the service's name, as CloudTrail shows. # unverified: that policies see the same"""
    return f"{call.how.via}.amazonaws.com" if call.how.via else USER_AGENT


# ------------------------------------------------------------------------------ for whom a service acts


def _source_arn(call: Call, _key: Key | None) -> Value:
    """Set where a service calls as itself, on behalf of a resource; not where it lends its caller's identity."""
    return call.how.source_arn or None if call.principal.kind == "service" else None


def _source_account(call: Call) -> str:
    """The account in the source's ARN, unless it is said; ARNs of buckets have none."""
    if call.principal.kind != "service":
        return ""
    return call.how.source_account or "".join(call.how.source_arn.split(":")[4:5])


# ------------------------------------------------------------------------------ accounts


def _resource_account(call: Call, key: Key | None) -> str:
    """Who owns what is asked for; AWS has it in every request of KMS.

    # unverified: that it is the caller's account where the request has no key
    """
    return key.account if key is not None else call.principal.account


def _org_id(account: Callable[[Call, Key | None], str]) -> Provider:
    """The organization of an account, the one that manages it included; absent for an account outside."""

    def provide(call: Call, key: Key | None) -> Value:
        organization = call.world.organization
        return organization.id if organization is not None and account(call, key) in organization.nodes else None

    return provide


def _org_paths(account: Callable[[Call, Key | None], str]) -> Provider:
    """The account's place in its organization: a list of one, since AWS has these keys multivalued."""

    def provide(call: Call, key: Key | None) -> Value:
        organization = call.world.organization
        path = "" if organization is None else organization.path(account(call, key))
        return (path,) if path else None

    return provide


def _caller(call: Call, _key: Key | None) -> str:
    return call.principal.account


def _source(call: Call, _key: Key | None) -> str:
    return _source_account(call)


def _endpoint_owner(call: Call, _key: Key | None) -> str:
    endpoint = _endpoint(call)
    return "" if endpoint is None else endpoint.account


PROVIDERS: dict[str, Provider] = {
    "kms:bypasspolicylockoutsafetycheck": lambda call, key: (
        None if call.permission == "kms:ReplicateKey" else _bypass(call, key)
    ),
    "kms:calleraccount": _caller_account,
    "kms:datakeypairspec": _parameter("KeyPairSpec"),
    "kms:encryptionalgorithm": lambda call, key: _algorithm(call, key),
    "kms:encryptioncontextkeys": _context_keys,
    "kms:keyagreementalgorithm": _parameter("KeyAgreementAlgorithm"),
    "kms:grantconstraintsourcearn": lambda call, key: (
        (call.params.get("Constraints") or {}).get("SourceArn") if call.row.name == "CreateGrant" else None
    ),
    "kms:grantconstrainttype": _constraint_types,
    "kms:granteeprincipal": _of_new_grant("GranteePrincipal"),
    "kms:granteeserviceprincipal": _of_new_grant("GranteeServicePrincipal"),
    "kms:grantisforawsresource": _is_for_aws_resource,
    "kms:grantoperations": _grant_operations,
    "kms:expirationmodel": _parameter("ExpirationModel", "KEY_MATERIAL_EXPIRES"),
    "kms:keyorigin": _new_key("Origin", "AWS_KMS", lambda key: key.origin),
    "kms:keyspec": _key_spec,
    "kms:keyusage": _new_key("KeyUsage", "ENCRYPT_DECRYPT", lambda key: key.usage),
    "kms:macalgorithm": _parameter("MacAlgorithm"),
    "kms:messagetype": _parameter("MessageType", "RAW"),
    "kms:multiregion": _new_key("MultiRegion", "false", lambda key: key.multi_region),
    "kms:multiregionkeytype": _multi_region_type,
    "kms:policyname": _parameter("PolicyName", "default"),
    "kms:primaryregion": _parameter("PrimaryRegion"),
    "kms:reencryptonsamekey": lambda call, _key: (
        None if call.source_key is None else _text(call.source_key is call.key)
    ),
    "kms:replicaregion": lambda call, _key: (
        call.params.get("ReplicaRegion") if call.permission == "kms:ReplicateKey" else None
    ),
    "kms:requestalias": _request_alias,
    "kms:resourcealiases": _resource_aliases,
    "kms:retiringprincipal": _of_new_grant("RetiringPrincipal"),
    "kms:retiringserviceprincipal": _of_new_grant("RetiringServicePrincipal"),
    "kms:rotationperiodindays": lambda call, _key: _number(call, "EnableKeyRotation", "RotationPeriodInDays", 365),
    "kms:schedulekeydeletionpendingwindowindays": lambda call, _key: _number(
        call, "ScheduleKeyDeletion", "PendingWindowInDays", 30
    ),
    "kms:viaservice": _via_service,
    "aws:viaawsservice": lambda call, _key: _text(bool(call.how.via)),
    "aws:calledvia": lambda call, _key: (f"{call.how.via}.amazonaws.com",) if call.how.via else None,
    "aws:calledviafirst": lambda call, _key: f"{call.how.via}.amazonaws.com" if call.how.via else None,
    "aws:calledvialast": lambda call, _key: f"{call.how.via}.amazonaws.com" if call.how.via else None,
    "kms:signingalgorithm": _parameter("SigningAlgorithm"),
    "kms:validto": lambda call, _key: _moment(call.params.get("ValidTo")),
    "kms:wrappingalgorithm": _parameter("WrappingAlgorithm"),
    "kms:wrappingkeyspec": _parameter("WrappingKeySpec"),
    "kms:trailingdayswithoutkeyusage": _days_unused,
    "aws:currenttime": lambda call, _key: call.world.clock.now.isoformat().replace("+00:00", "Z"),
    "aws:epochtime": lambda call, _key: str(call.world.clock.now_us // 1_000_000),
    "aws:principalaccount": _principal_account,
    "aws:principalarn": _principal_arn,
    "aws:principaltype": lambda call, _key: _PRINCIPAL_TYPES.get(call.principal.kind),
    "aws:principalisawsservice": lambda call, _key: (
        None if call.principal.kind == "anonymous" else _text(call.principal.kind == "service")
    ),
    "aws:principalservicename": _service_name,
    "aws:principalservicenameslist": _service_names,
    "aws:principalorgid": _org_id(_caller),
    "aws:principalorgpaths": _org_paths(_caller),
    "aws:userid": _user_id,
    "aws:username": lambda call, _key: call.principal.name if call.principal.kind == "user" else None,
    "aws:requestedregion": _requested_region,
    "aws:resourceaccount": lambda call, key: _resource_account(call, key) or None,
    "aws:resourceorgid": _org_id(_resource_account),
    "aws:resourceorgpaths": _org_paths(_resource_account),
    "aws:sourcearn": _source_arn,
    "aws:sourceaccount": lambda call, _key: _source_account(call) or None,
    "aws:sourceorgid": _org_id(_source),
    "aws:sourceorgpaths": _org_paths(_source),
    "aws:securetransport": lambda call, _key: _text(call.how.secure),
    "aws:multifactorauthpresent": _mfa_present,
    "aws:multifactorauthage": _mfa_age,
    "aws:tokenissuetime": _token_issued,
    "aws:sourceidentity": _source_identity,
    "aws:sourceip": _source_ip,
    "aws:vpcsourceip": _of_endpoint(lambda call, _endpoint: call.how.source_ip),
    "aws:sourcevpce": _of_endpoint(lambda _call, endpoint: endpoint.id),
    "aws:sourcevpc": _of_endpoint(lambda _call, endpoint: endpoint.vpc),
    "aws:sourcevpcarn": _of_endpoint(
        lambda call, endpoint: f"arn:aws:ec2:{call.region}:{endpoint.account}:vpc/{endpoint.vpc}"
    ),
    "aws:vpceaccount": _of_endpoint(lambda _call, endpoint: endpoint.account),
    "aws:vpceorgid": _org_id(_endpoint_owner),
    "aws:vpceorgpaths": _org_paths(_endpoint_owner),
    "aws:useragent": _user_agent,
    "iam:awsservicename": lambda call, _key: (
        MULTI_REGION_SERVICE if call.permission == "iam:CreateServiceLinkedRole" else None
    ),
    "aws:tagkeys": lambda call, _key: tuple(_requested_tags(call)) or tuple(call.params.get("TagKeys") or ()) or None,
}

FAMILIES: dict[str, Callable[[Call, Key | None, str], Value]] = {
    "kms:encryptioncontext:": _context_value,
    "aws:principaltag/": lambda call, _key, name: _tag(_principal_tags(call), name),
    "aws:resourcetag/": lambda _call, key, name: None if key is None else _tag(key.tags, name),
    "aws:requesttag/": lambda call, _key, name: _tag(_requested_tags(call), name),
}

_PRINCIPAL_TYPES: dict[str, str] = {
    "user": "User", "role-session": "AssumedRole", "root-user": "Account", "federated-user": "FederatedUser",
    "anonymous": "Anonymous",
}  # fmt: skip


def _algorithm(call: Call, _key: Key | None) -> Value:
    """Set for encryption and decryption, also where the request leaves the algorithm at its default."""
    if call.row.usage != ENCRYPT_DECRYPT:
        return None
    member = f"{side}EncryptionAlgorithm" if (side := _side(call)) else call.row.algorithm
    return _text(call.params.get(member) or "SYMMETRIC_DEFAULT")


def _number(call: Call, operation: str, member: str, default: int) -> Value:
    return str(call.params.get(member, default)) if call.row.name == operation else None
