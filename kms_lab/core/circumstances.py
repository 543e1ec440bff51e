"""How a call reaches KMS, besides who makes it and what it asks for: what only policies and the log look at.

Some of it is the way of the call, such as an address; the rest is the caller's session, given when it began, and stays
with its credentials.

Source: IAM User Guide, "AWS global condition context keys", "Forward access sessions"; AWS CloudTrail User Guide,
"CloudTrail userIdentity element".
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from kms_lab.core.errors import LabError

#: an address kept free for examples (RFC 5737), as in AWS's samples
SOURCE_ADDRESS: Final = "192.0.2.0"
#: another one, for AWS's own services
SERVICE_ADDRESS: Final = "198.51.100.0"
#: what the callers of the lab call themselves
USER_AGENT: Final = "kms-lab"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is true of a call whatever its parameters.

    Attributes:
        via: the AWS service that makes the call on the principal's behalf, by its name in endpoints, such as ``s3``.
        source_arn, source_account: for what and whom a service that acts as itself says that it acts.
        source_ip: the caller's address.
        endpoint: id of the VPC endpoint that the call comes through; "" where it comes over the internet.
        secure: does it come over TLS? KMS takes no other.
        mfa_age_s: seconds since the caller proved a second factor; None where none was proved.
        session_policy: JSON text of what the caller's session was narrowed to when it began; "" for nothing.
        session_tags: tags that the session was given, which go before those of its role, as sorted pairs.
        source_identity: who stands behind the session, as was said when it began; "" where nothing was.
        issued_us: when STS gave out the session's credentials; None for long-term credentials, and for a role's session
            that began just now.
        access_key: id of the credentials, where it is not the one that the principal has by default; the doors set it.
        federated_by: ARN of the user who made a federated user's session.

    Raises:
        LabError: no call has both: what a service calls on somebody's behalf does not come through his VPC endpoint.
    """

    via: str = ""
    source_arn: str = ""
    source_account: str = ""
    source_ip: str = SOURCE_ADDRESS
    endpoint: str = ""
    secure: bool = True
    mfa_age_s: int | None = None
    session_policy: str = ""
    session_tags: tuple[tuple[str, str], ...] = ()
    source_identity: str = ""
    issued_us: int | None = None
    access_key: str = ""
    federated_by: str = ""

    def __post_init__(self) -> None:
        if self.via and self.endpoint:
            raise LabError(f"a call that {self.via} makes for somebody does not come through his VPC endpoint")

    def of_session(self, session: "Circumstances") -> "Circumstances":
        """Return this way of calling, with what another one knows of the session in place of what this one does."""
        joined = replace(self, **{name: getattr(session, name) for name in _OF_SESSION})
        return DIRECT if joined == DIRECT else joined


_OF_SESSION = (
    "mfa_age_s", "session_policy", "session_tags", "source_identity", "issued_us", "access_key", "federated_by"
)  # fmt: skip

#: a call that a principal makes over the internet, with nothing special about it
DIRECT: Final = Circumstances()


def told(how: Circumstances) -> dict[str, Any]:
    """Return what the log keeps of a call's circumstances: nothing of what goes without saying.

    A session's policy and tags are not logged with its calls on AWS either.
    """
    return _told(
        how.source_ip, how.endpoint, how.mfa_age_s is not None, how.issued_us, how.access_key, how.source_identity,
        how.federated_by,
    )  # fmt: skip


@lru_cache(maxsize=256)
def _told(
    ip: str, endpoint: str, mfa: bool, issued_us: int | None, access_key: str, identity: str, issuer: str
) -> dict[str, Any]:
    """One record for all that are alike."""
    shown = {
        "source_ip": "" if ip == SOURCE_ADDRESS else ip,
        "endpoint": endpoint,
        "mfa": mfa,
        "issued_us": issued_us,
        "access_key": access_key,
        "source_identity": identity,
        "federated_by": issuer,
    }
    return {name: value for name, value in shown.items() if value or (name == "issued_us" and value is not None)}
