"""Message authentication with HMAC keys: GenerateMac, VerifyMac."""

import hmac
from collections.abc import Sequence

from kms_lab.core import material
from kms_lab.core.errors import KMSInvalidMacException
from kms_lab.core.specs import GENERATE_VERIFY_MAC
from kms_lab.service.operation import KEY_OR_ALIAS, SYMMETRIC, Call, Response, operation
from kms_lab.service.states import USE

_ROW = {
    "target": KEY_OR_ALIAS,
    "states": USE,
    "usage": GENERATE_VERIFY_MAC,
    "algorithm": "MacAlgorithm",
    "cross_account": True,
    "quota": SYMMETRIC,
    "shown": ("KeyId", "MacAlgorithm"),
}


@operation(permission="kms:GenerateMac", source="AWS KMS API Reference, GenerateMac", **_ROW)  # type: ignore[arg-type]
def generate_mac(
    call: Call,
    *,
    Message: bytes,
    KeyId: str,
    MacAlgorithm: str,
    GrantTokens: Sequence[str] = (),
    DryRun: bool = False,
) -> Response:
    """Return the HMAC of a message of up to 4,096 bytes. Whoever may call VerifyMac with the key can check it."""
    key = call.key
    return {
        "Mac": material.mac(key.current.secret, MacAlgorithm, Message),
        "MacAlgorithm": MacAlgorithm,
        "KeyId": key.arn,
    }


@operation(permission="kms:VerifyMac", source="AWS KMS API Reference, VerifyMac", **_ROW)  # type: ignore[arg-type]
def verify_mac(
    call: Call,
    *,
    Message: bytes,
    KeyId: str,
    MacAlgorithm: str,
    Mac: bytes,
    GrantTokens: Sequence[str] = (),
    DryRun: bool = False,
) -> Response:
    """Check an HMAC. It never answers false: a wrong one is KMSInvalidMacException."""
    key = call.key
    if not hmac.compare_digest(material.mac(key.current.secret, MacAlgorithm, Message), Mac):
        raise KMSInvalidMacException()
    return {"KeyId": key.arn, "MacValid": True, "MacAlgorithm": MacAlgorithm}
