"""Key policies: PutKeyPolicy, GetKeyPolicy, ListKeyPolicies.

Source: AWS KMS API Reference, the operations named; AWS KMS Developer Guide, "Default key policy".
"""

from kms_lab.core.errors import (
    LimitExceededException,
    MalformedPolicyDocumentException,
    NotFoundException,
    ValidationException,
)
from kms_lab.core.keys import Key
from kms_lab.core.names import key_arn
from kms_lab.core.world import World
from kms_lab.policy.document import INVALID_PRINCIPALS, PolicyError, parse
from kms_lab.policy.document import Policy as PolicyDocument
from kms_lab.service.gates import verdict_of
from kms_lab.service.operation import KEY_ONLY, Call, Response, operation

POLICY_BYTES = 32_768
_DEFAULT = "default"


@operation(
    permission="kms:PutKeyPolicy",
    target=KEY_ONLY,
    quota=15,
    shown=("BypassPolicyLockoutSafetyCheck", "KeyId", "Policy", "PolicyName"),
    source="AWS KMS API Reference, PutKeyPolicy",
)
def put_key_policy(
    call: Call,
    *,
    KeyId: str,
    Policy: str,
    PolicyName: str = _DEFAULT,
    BypassPolicyLockoutSafetyCheck: bool = False,
) -> None:
    """Replace the whole key policy. A policy that would lock its writer out is refused unless the check is bypassed."""
    if PolicyName == "AWS_RAM":
        raise ValidationException("The AWS_RAM policy can only be managed by the RAM service.")
    _only_default(PolicyName)
    call.key.policy = accept_policy(call, Policy, call.key, BypassPolicyLockoutSafetyCheck)


@operation(
    permission="kms:GetKeyPolicy",
    target=KEY_ONLY,
    quota=1000,
    shown=("KeyId", "PolicyName"),
    source="AWS KMS API Reference, GetKeyPolicy",
)
def get_key_policy(call: Call, *, KeyId: str, PolicyName: str = _DEFAULT) -> Response:
    """Return the key policy as JSON text."""
    _only_default(PolicyName)
    return {"Policy": call.key.policy, "PolicyName": PolicyName}


@operation(
    permission="kms:ListKeyPolicies",
    target=KEY_ONLY,
    quota=100,
    shown=("KeyId", "Limit", "Marker"),
    source="AWS KMS API Reference, ListKeyPolicies",
)
def list_key_policies(call: Call, *, KeyId: str, Limit: int = 100, Marker: str | None = None) -> Response:
    """Return the names of a key's policies: ``default``, and no other in the lab."""
    if Marker is not None:  # one name is one page, so no marker was ever given out
        # unverified: AWS's error; its model lists no InvalidMarkerException for this listing
        raise ValidationException("The marker is not one that this listing gave out.")
    return {"PolicyNames": [_DEFAULT], "Truncated": False}


def accept_policy(call: Call, text: str, key: Key | None, bypass_lockout_check: bool) -> str:
    """Return a policy text that may become a key's policy; ``key`` is None while the key is being created.

    Raises:
        LimitExceededException: more than 32 KiB.
        MalformedPolicyDocumentException: not well formed, a principal that does not exist, or a lock-out.
    """
    if len(text.encode()) > POLICY_BYTES:
        # unverified: wording
        raise LimitExceededException(f"The key policy is larger than {POLICY_BYTES} bytes.")
    try:
        document = parse(text, "key")
    except PolicyError as error:
        # AWS has a sentence for principals only, and gave no text at all for what is not a policy (aws-sdk-ruby issue
        # 1784, 2018); ours say what is wrong
        text = error.aws or "; ".join(error.problems)
        raise MalformedPolicyDocumentException(text, problems=error.problems) from error
    if not _principals_exist(document, call.world):
        raise MalformedPolicyDocumentException(INVALID_PRINCIPALS)
    if not bypass_lockout_check:
        # a key that has no id yet is any key of its place, so that identity policies on keys by ARN count
        resource = key_arn(call.region, call.principal.account, "*") if key is None else key.arn
        verdict = verdict_of(call, "kms:PutKeyPolicy", resource, call.principal.account, key, policy=text)
        if not verdict.allowed:
            raise MalformedPolicyDocumentException(
                "The new key policy will not allow you to update the key policy in the future.",
                verdict=verdict,
            )
    return text


def _principals_exist(document: PolicyDocument, world: World) -> bool:
    """Users and roles of accounts that the lab knows must exist; of other accounts it can know nothing.

    A unique id (``AIDA...``) is what AWS leaves in a policy when a user or role was deleted: nobody in the lab has one.
    """
    return all(
        _exists(name, world)
        for statement in document.statements
        if statement.principals is not None
        for name in statement.principals.aws
    )


def _exists(name: str, world: World) -> bool:
    if not name.startswith("arn:"):
        return False
    _, _, service, _, account, _ = name.split(":", 5)
    return name in world.identities or service != "iam" or name.endswith(":root") or not world.has_account(account)


def _only_default(name: str) -> None:
    if name != _DEFAULT:
        # AWS's text names the error for AWS_RAM; unverified: for other names, and its words
        raise NotFoundException(f"No such policy exists: {name}")
