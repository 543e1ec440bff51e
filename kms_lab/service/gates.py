"""The gates that every call passes, each a small function of the call. A row names which of them it needs.

The order is validate, resolve, quota, grant tokens, authorize, kind, state, recipient, usage, dry run. That parameters
come first, that the key is found before it is authorized, and that DryRun answers last is AWS's own;
RotateKeyOnDemand was recorded to look at the state before the spec. # unverified: the places of the quota and of grant
tokens, authorization before state for a caller who may not use a disabled key, and state before usage.

Source: AWS KMS Developer Guide, "Cryptographic details: Decrypt"; recordings of AWS's answers.
"""

from kms_lab.core.errors import (
    AccessDeniedException,
    DryRunOperationException,
    IncorrectKeyException,
    InvalidKeyUsageException,
    SerializationException,
    UnsupportedByLab,
    ValidationException,
)
from kms_lab.core.keys import Key
from kms_lab.core.specs import SPECS
from kms_lab.policy.evaluate import Verdict, decide
from kms_lab.service import grants, resolve, states
from kms_lab.service.authority import authority
from kms_lab.service.conditions import context_of
from kms_lab.service.operation import KEY_ONLY, KEY_OR_ALIAS, NO_KEY, Call, Gate, Row

_REMEMBERED_GRANTS = 64
_RESOLVERS: dict[str, Gate] = {KEY_OR_ALIAS: resolve.key_or_alias, KEY_ONLY: resolve.key_only}


def gates_of(row: Row) -> tuple[Gate, ...]:
    """Return the gates that a row needs, in order."""
    gates: list[Gate] = []
    if _newer(row):
        gates.append(known_members)
    if row.target != NO_KEY:
        gates.append(_RESOLVERS[row.target] if isinstance(row.target, str) else row.target)
    if "GrantTokens" in row.model.members and "InvalidGrantTokenException" in row.model.errors:
        gates.append(tokens)  # DescribeKey takes tokens too, and by AWS's model never finds fault with one
    gates.append(authorize if row.checks is None else authorize_all)
    if row.kind is not None:
        gates.append(row.kind)
    if row.states:
        gates.append(state)
    if "Recipient" in row.model.members:
        gates.append(recipient)
    if row.usage:
        gates.append(usage)
    if "DryRun" in row.model.members:
        gates.append(dry_run)
    return tuple(gates)


def validate(call: Call) -> None:
    """Refuse parameters that AWS's model does not allow, in AWS's words.

    Raises:
        SerializationException: a value has the wrong type. The doors let none through.
        ValidationException: a value is missing, or breaks a length, a pattern or an enum.
    """
    if call.row.model.accepts(call.params):
        return
    try:
        call.params = call.row.model.read(call.params)
    except TypeError:
        raise SerializationException() from None
    problems = call.row.model.service_problems(call.params)
    if problems:
        call.context = {}  # a malformed context is not logged
        count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected: "
        raise ValidationException(count + "; ".join(problems), problems=problems)


def known_members(call: Call) -> None:
    """Refuse a member that AWS has added to the operation since: boto3 may be newer than the lab."""
    for member in _newer(call.row):
        if call.params.get(member) is not None:
            raise UnsupportedByLab(f"AWS's {call.row.name} takes {member}; the lab does not know it yet.")


def authorize(call: Call) -> None:
    """Ask the policies whether the caller may do this to the key that was found."""
    key, permission = call.key, call.row.permission
    resource, account = (key.arn, key.account) if key is not None else ("*", call.principal.account)
    verdict = call.verdict = verdict_of(call, permission, resource, account, key)
    if not verdict.allowed:
        raise _denied(call, permission, resource, account, verdict)


def authorize_all(call: Call) -> None:
    """Ask for each of several permissions; the first that is refused decides."""
    assert call.row.checks is not None
    for permission, resource, account, key in call.row.checks(call):
        check(call, permission, resource, account, key)


def check(call: Call, permission: str, resource: str, account: str, key: Key | None) -> None:
    """Ask for one permission.

    Raises:
        AccessDeniedException: the policies do not allow it; the error carries the verdict.
    """
    if call.verdict is not None:
        call.earlier += (call.verdict,)
    verdict = call.verdict = verdict_of(call, permission, resource, account, key)
    if not verdict.allowed:
        raise _denied(call, permission, resource, account, verdict)


def verdict_of(
    call: Call, permission: str, resource: str, account: str, key: Key | None, policy: str | None = None
) -> Verdict:
    """Return the evaluator's verdict; ``policy`` stands in for the key's own where a new one is tried out."""
    layers, wanted = authority(call, key, account, policy)
    call.permission = permission
    context = context_of(call, key, wanted) if wanted else ()
    if key is not None and key.grants:
        held = grants.held(call, key)
        if held:
            # a verdict about very many grants is not worth remembering
            ask = decide if len(held) <= _REMEMBERED_GRANTS else decide.__wrapped__
            return ask(
                call.principal, permission, resource, account, layers, context, held, grants.asked(call, held)
            )  # fmt: skip
    return decide(call.principal, permission, resource, account, layers, context)


def state(call: Call) -> None:
    """Refuse a key whose state the operation's profile does not let through."""
    if call.key.state in call.row.states:
        error = states.refusal(call.row.states, call.key)
        assert error is not None
        raise error


def tokens(call: Call) -> None:
    """Refuse grant tokens that belong to no grant: authorization cannot look at what they stand for."""
    # unverified: that the token of another grant, for another key or grantee, does no harm
    for token in call.params.get("GrantTokens") or ():
        grants.by_token(call.world, token)


def recipient(call: Call) -> None:
    """Refuse what the lab has no means for: an answer for an enclave."""
    if call.params.get("Recipient"):
        raise UnsupportedByLab("The lab has no Nitro enclaves, so it cannot encrypt its answer for one (Recipient).")


def usage(call: Call) -> None:
    """Refuse a key, named or found, that cannot do what the operation needs."""
    row, key, source, blob = call.row, call.key, call.source_key, call.blob
    if blob is not None:
        opener = source or key
        if opener.id != blob.key_id or opener.account != blob.account:
            raise IncorrectKeyException(
                "The key ID in the request does not identify a CMK that can perform this operation."
            )
    if source is not None:
        _fits(row, source, call.params.get("SourceEncryptionAlgorithm"))
    _fits(row, key, call.params.get(row.algorithm))


def _fits(row: Row, key: Key, asked: str | None) -> None:
    """Refuse a key whose usage is not the operation's, or whose spec does not have the algorithm."""
    if key.usage != row.usage:
        raise InvalidKeyUsageException(
            f"{key.arn} key usage is {key.usage} which is not valid for {row.name}.", usage=key.usage
        )
    algorithm = asked or "SYMMETRIC_DEFAULT"
    if algorithm not in SPECS[key.spec].algorithms[key.usage]:
        raise InvalidKeyUsageException(
            f"Algorithm {algorithm} is incompatible with key spec {key.spec}.",
            algorithm=algorithm,
            spec=key.spec,
        )


def dry_run(call: Call) -> None:
    """Stop here, with the error that means success, if only a trial was asked for."""
    if call.params.get("DryRun"):
        if call.row.trial is not None:
            call.row.trial(call)
        raise DryRunOperationException("The request would have succeeded, but the DryRun option is set.")


def _newer(row: Row) -> list[str]:
    """Return the members of AWS's model that the row's handler does not take."""
    code = row.handler.__code__
    return [
        name for name in row.model.members if name not in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    ]


# ------------------------------------------------------------------------------ AWS's sentence for a denial

#: Source: IAM User Guide, "Troubleshoot access denied error messages"
_LAYERS = {
    "key-policy": "a resource-based policy",
    "identity-policy": "an identity-based policy",
    "boundary": "a permissions boundary",
    "session-policy": "a session policy",
    "scp": "a service control policy",
    "rcp": "a resource control policy",
    "vpce": "a VPC endpoint policy",
}
#: layers whose silence is named
_SILENT = ("boundary", "session-policy", "scp", "vpce")
#: layers whose statements the other account may not learn of
_FOREIGN = ("key-policy", "rcp")


def _denied(call: Call, permission: str, resource: str, account: str, verdict: Verdict) -> AccessDeniedException:
    return AccessDeniedException(_denial(call, permission, resource, account, verdict), verdict=verdict)


def _denial(call: Call, permission: str, resource: str, account: str, verdict: Verdict) -> str:
    """Return AWS's message: one policy type is named, even where several refuse.

    AWS is adding the ARN of the policy that denies, service by service (AWS Security Blog, "Enhanced access denied
    error messages with policy ARNs"). # unverified: whether KMS does so by now; here it does not
    """
    foreign = account != call.principal.account
    by_ciphertext = call.blob is not None and call.params.get("KeyId") is None and call.row.name == "Decrypt"
    target = "on the resource associated with this ciphertext" if by_ciphertext else f"on resource: {resource}"
    if resource.endswith(":key/*"):
        target = ""  # kms:TagResource for a key that is not yet: AWS names no resource, by several reports of CreateKey
    layer = verdict.layer
    explicit = verdict.reason == "explicit-deny"
    # what the caller's own policies say is no secret of the other account
    own = layer not in _FOREIGN if explicit else verdict.reason in ("cross-account-no-iam-policy", *_SILENT)
    if foreign and not own:
        return resolve.nowhere(call, target if by_ciphertext else "on this resource", permission)
    start = f"User: {call.principal.arn} is not authorized to perform: {permission} {target}".rstrip() + " "
    if explicit:
        return start + f"with an explicit deny in {_LAYERS[layer]}"
    silent = _LAYERS[layer if layer in ("key-policy", *_SILENT) else "identity-policy"].partition(" ")[2]
    return start + f"because no {silent} allows the {permission} action"
