"""How things are called: key ids, ARNs, alias names and principals. Parse and format, no look-ups.

Whether a name leads to a key is a question for ``World``; here it is only read.

Source: AWS KMS Developer Guide, "Key identifiers (KeyId)"; IAM User Guide, "IAM identifiers".
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

PARTITION = "aws"
#: AWS reserves this prefix for the aliases of AWS managed keys.
AWS_ALIAS_PREFIX = "alias/aws/"

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_KEY_ID = re.compile(rf"(?:{_UUID}|mrk-[0-9a-fA-F]{{32}})")
_ALIAS = re.compile(r"alias/[a-zA-Z0-9/_-]+")
_ARN = re.compile(r"arn:(aws[a-z-]*):kms:([a-z0-9-]+):(\d{12}):(key|alias)/(.+)")
_PRINCIPAL = re.compile(r"arn:(aws[a-z-]*):(iam|sts)::(\d{12}):(root|user|role|assumed-role|federated-user)(?:/(.+))?")


def key_arn(region: str, account: str, key_id: str) -> str:
    """Return the ARN of a key."""
    return f"arn:{PARTITION}:kms:{region}:{account}:key/{key_id}"


def alias_arn(region: str, account: str, alias: str) -> str:
    """Return the ARN of an alias; ``alias`` carries its ``alias/`` prefix."""
    return f"arn:{PARTITION}:kms:{region}:{account}:{alias}"


def key_id(digits: str, multi_region: bool = False) -> str:
    """Return a key id made of 32 random hexadecimal digits: a version 4 UUID, or a multi-Region id.

    >>> key_id("0" * 32), key_id("0" * 32, multi_region=True)
    ('00000000-0000-4000-a000-000000000000', 'mrk-00000000000000000000000000000000')
    """
    if multi_region:
        return f"mrk-{digits[:32]}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"


@dataclass(frozen=True, slots=True)
class KeyReference:
    """One of the four ways to name a key, taken apart.

    ``kind`` is ``"id"``, ``"alias"`` or ``"invalid"``; ``region`` and ``account`` are None unless the
    text was an ARN.
    """

    kind: str
    name: str
    region: str | None = None
    account: str | None = None

    @property
    def is_arn(self) -> bool:
        return self.region is not None


@lru_cache(maxsize=4096)
def parse_key_reference(text: str) -> KeyReference:
    """Read a ``KeyId`` parameter: key id, key ARN, alias name or alias ARN.

    >>> parse_key_reference("alias/orders").kind
    'alias'
    >>> parse_key_reference("not a key").kind
    'invalid'
    """
    if _KEY_ID.fullmatch(text):
        return KeyReference("id", text)
    if _ALIAS.fullmatch(text):
        return KeyReference("alias", text)
    arn = _ARN.fullmatch(text)
    if arn:
        _, region, account, kind, rest = arn.groups()
        if kind == "alias" and _ALIAS.fullmatch(f"alias/{rest}"):
            return KeyReference("alias", f"alias/{rest}", region, account)
        if kind == "key" and _KEY_ID.fullmatch(rest):
            return KeyReference("id", rest, region, account)
    return KeyReference("invalid", text)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a call.

    Attributes:
        arn: as CloudTrail and the error messages show it; a role in use is an
            ``assumed-role`` session.
        kind: ``user``, ``role-session``, ``root-user``, ``federated-user``, ``service`` or ``anonymous``.
        account: twelve digits; empty for an AWS service and for nobody.
        identity_arn: whose identity policies count: the user, or the role or user behind the session.
        unique_id: the id that AWS gives to the user or role, such as ``AIDA...``, where it is known.
    """

    arn: str
    kind: str
    account: str
    identity_arn: str
    unique_id: str = ""

    def __hash__(self) -> int:
        return hash(self.arn)  # a principal is looked up at every call

    @property
    def name(self) -> str:
        """The last part of the identity's ARN, or of the federated user's: what people call it."""
        arn = self.arn if self.kind == "federated-user" else self.identity_arn
        return arn.rpartition("/")[2] if "/" in arn else "root"

    @classmethod
    def parse(cls, text: str, session: str = "lab") -> "Principal":
        """Read a principal's ARN.

        A role's ARN is taken as "somebody who assumed this role": the principal is then a session
        of it, named ``session``, as it would be on AWS. (A session's ARN drops the role's path, so a role
        with a path must be given by its role ARN.)

        Raises:
            ValueError: the text is not the ARN of a user, role, session or account root, nor a service.

        >>> Principal.parse("arn:aws:iam::111122223333:role/App").arn
        'arn:aws:sts::111122223333:assumed-role/App/lab'
        """
        return _parse_principal(text, session)


@lru_cache(maxsize=4096)
def _parse_principal(text: str, session: str) -> Principal:
    if re.fullmatch(r"[a-z0-9.-]+\.amazonaws\.com", text):
        return Principal(text, "service", "", text)
    match = _PRINCIPAL.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is not a principal. Give the ARN of a user or role, for example "
            "arn:aws:iam::111122223333:role/App, or a service such as cloudtrail.amazonaws.com."
        )
    partition, _, account, kind, rest = match.groups()
    home = f"arn:{partition}:iam::{account}"
    match kind, rest:
        case "root", None:
            return Principal(f"{home}:root", "root-user", account, f"{home}:root")
        case "user", str():
            return Principal(text, "user", account, text)
        case "role", str():
            name = rest.rpartition("/")[2]
            arn = f"arn:{partition}:sts::{account}:assumed-role/{name}/{session}"
            return Principal(arn, "role-session", account, text)
        case "assumed-role", str() if "/" in rest:
            return Principal(text, "role-session", account, f"{home}:role/{rest.partition('/')[0]}")
        case "federated-user", str():
            return Principal(text, "federated-user", account, text)
    raise ValueError(f"{text!r} names no principal: a user, role or session needs a name after the slash.")


# ------------------------------------------------------------------------------ ids that AWS gives to principals


@lru_cache(maxsize=1024)
def invented_id(prefix: str, arn: str, length: int) -> str:
    """Return an id that looks like AWS's and is always the same for the same ARN."""
    return prefix + base64.b32encode(hashlib.sha256(f"{prefix} {arn}".encode()).digest()).decode()[:length]


def principal_id(who: Principal) -> str:
    """Return the id that CloudTrail shows as ``principalId`` and STS as ``UserId``."""
    match who.kind:
        case "root-user":
            return who.account
        case "role-session":
            return f"{invented_id('AROA', who.identity_arn, 17)}:{who.arn.rpartition('/')[2]}"
        case "federated-user":
            return f"{who.account}:{who.name}"
        case _:
            return invented_id("AIDA", who.arn, 17)


def access_key_id(who: Principal) -> str:
    """Return the id of a principal's access key: long-term for a user or the root user, temporary for a session."""
    return invented_id("AKIA" if who.kind in ("user", "root-user") else "ASIA", who.arn, 9) + "EXAMPLE"
