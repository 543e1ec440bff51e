"""The lab: one simulated world with ready-made accounts, and a door to everything in it.

This is what the first cell of a notebook makes. It holds no rule of KMS; it hands out clients, turns the clock,
and asks the views.
"""

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kms_lab.core.clock import DAY_US, HOUR_US, to_us
from kms_lab.core.errors import LabError
from kms_lab.core.keys import AccessKey, Identity, Key
from kms_lab.core.names import Principal, parse_key_reference
from kms_lab.core.world import World
from kms_lab.doors.client import Client
from kms_lab.outside import Hsm, Xks
from kms_lab.policy.document import PolicyError, parse
from kms_lab.policy.evaluate import Verdict
from kms_lab.service import gates, pipeline
from kms_lab.service.operation import NO_KEY, OPERATIONS, Call

if TYPE_CHECKING:
    import pandas as pd

    from kms_lab.views.bill import Bill
    from kms_lab.views.timeline import Timeline

ACCOUNT = "111122223333"
REGION = "us-east-1"
ADMIN = f"arn:aws:iam::{ACCOUNT}:user/Admin"
START = datetime(2026, 1, 1, 9, tzinfo=UTC)
_END_US = to_us(datetime(9992, 1, 1, tzinfo=UTC))  # leaves room for dates that lie ahead, such as the next rotation

_ADMINISTRATOR_ACCESS = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "AdministratorAccess", "Effect": "Allow", "Action": "*", "Resource": "*"}],
}
Document = Mapping[str, Any] | str


class Lab:
    """A KMS of your own: no account, no cost, no danger.

    Args:
        seed: makes the lab reproducible: the same calls give the same ids, dates and ciphertexts (RSA excepted).
            Without one, randomness is the operating system's.
        start: what the clock shows at the beginning (aware UTC).
        request_quotas: refuse calls beyond AWS's rates. Off, because the clock stands still while your code runs.

    >>> lab = Lab(seed=7)
    >>> kms = lab.client()
    >>> key = kms.create_key(Description="orders")["KeyMetadata"]["KeyId"]
    >>> blob = kms.encrypt(KeyId=key, Plaintext=b"hello")["CiphertextBlob"]
    >>> kms.decrypt(CiphertextBlob=blob)["Plaintext"]
    b'hello'
    """

    def __init__(self, seed: int | None = None, start: datetime = START, request_quotas: bool = False) -> None:
        self._take(World(to_us(start), seed))
        self.world.request_quotas = request_quotas
        self.iam.create_user("Admin", policies=[_ADMINISTRATOR_ACCESS])

    def __repr__(self) -> str:
        count = len(list(self.world.all_keys()))
        return f"<Lab: {count} keys, {len(self.world.log)} log entries, {self.clock.now:%Y-%m-%d %H:%M} UTC>"

    def client(self, principal: str = ADMIN, region: str = REGION, via: str = "") -> Client:
        """Return a boto3-shaped KMS client.

        Args:
            principal: ARN of a user, role, role session or account root. A role's ARN means "somebody who assumed it".
            region: any Region's name.
            via: an AWS service that calls KMS on the principal's behalf, by its name in endpoints: ``s3``, or
                ``ec2`` for EBS. Such calls reach AWS managed keys, and set ``kms:ViaService``.

        Raises:
            LabError: nobody of that name exists in the lab yet.
            ValueError: the text is not the ARN of a principal.
        """
        return Client(self.world, self._known(principal), region, self._calls.append, via)

    def boto3_client(self, principal: str = ADMIN, region: str = REGION, service: str = "kms") -> Any:
        """Return the real boto3's client, answered by the lab: the same calls, errors, paginators and waiters.

        Nothing is sent anywhere, and nothing is read from the machine's AWS configuration.

        Args:
            principal: as in ``client``.
            service: ``kms`` or ``sts``.
        """
        from kms_lab.doors import boto

        return boto.client(self.world, self._known(principal), region, service, self._calls.append)

    def boto3(self, principal: str = ADMIN, region: str = REGION) -> AbstractContextManager[AccessKey]:
        """Let unmodified boto3 code talk to the lab: ``with lab.boto3(): main()``.

        In the block every client for KMS or STS, however it is made, is answered by the lab, and a client for
        another service raises LabError instead of sending anything. Clients act as ``principal`` unless they are
        given other credentials of the lab, from ``lab.credentials`` or AssumeRole. See ``doors.boto.diverted`` for
        threads, retries, and clients that outlive the block.
        """
        from kms_lab.doors import boto

        return boto.diverted(self.world, self._known(principal), region, self._calls.append)

    @contextmanager
    def serve(self, port: int = 0, follow: bool = False, changed: Callable[[], object] = lambda: None) -> Iterator[str]:
        """Serve the lab over HTTP, on this machine only: ``with lab.serve() as url: ...``.

        Requests are signed with ``lab.credentials``. Meanwhile use the lab itself only while no request is under way,
        or with ``kms_lab.doors.wire.turn`` held. ``kms-lab serve`` is the same for the shell.

        Args:
            port: where to listen; 0 takes a free one.
            follow: let the lab's clock go as the real one does, instead of standing still until it is turned.
            changed: called after each request that may have changed the lab, with ``turn`` held.

        Raises:
            OSError: the port is taken.
        """
        from kms_lab.doors.http import Endpoint

        with Endpoint(self.world, self.clock.travel, port, follow, self._calls.append, changed) as endpoint:
            yield endpoint.url

    def credentials(self, principal: str) -> AccessKey:
        """Return a principal's access key, for clients that sign their requests: ``id``, ``secret`` and ``token``.

        Asked again, the lab gives the same key. A role's key is that of a session of it, as in ``client``, and
        does not end; ``sts.assume_role`` gives keys that do.
        """
        from kms_lab.doors.credentials import credentials_of

        return credentials_of(self.world, self._known(principal))

    @property
    def last_verdict(self) -> Verdict | None:
        """Who decided the last call, and why.

        None before the first call, or if it did not get as far as the policies.
        """
        return self._calls[-1].verdict if self._calls else None

    def key(self, reference: str, region: str = REGION, account: str = ACCOUNT) -> Key:
        """Return the record of a living key, by id, ARN, alias name or alias ARN. For looking, not for changing.

        Raises:
            LookupError: there is no such key.
        """
        name = parse_key_reference(reference)
        shelf = self.world.look(name.account or account, name.region or region)
        key_id = name.name
        if name.kind == "alias" and key_id in shelf.aliases:
            key_id = shelf.aliases[key_id].key_id
        if key_id not in shelf.keys:
            raise LookupError(f"there is no key {reference!r} in account {shelf.account}, Region {shelf.region}")
        return shelf.keys[key_id]

    def may(
        self,
        principal: str,
        action: str,
        key: str,
        region: str = REGION,
        context: Mapping[str, str] | None = None,
        alias: str | None = None,
    ) -> Verdict:
        """Ask the policies whether a principal may do something, without doing it: nothing is logged or changed.

        Args:
            action: an IAM action such as ``kms:Decrypt``.
            key: id, ARN or alias of the key.
            context: the encryption context that the call would carry.
            alias: the alias name the call would use, for ``kms:RequestAlias``.

        Raises:
            LookupError: there is no such key.
            LabError: no operation that the lab has needs that permission.
        """
        found = self.key(key, region=region)
        row = next((row for row in OPERATIONS.values() if row.permission.lower() == action.lower()), None)
        if row is None and action not in ("kms:ReEncryptFrom", "kms:ReEncryptTo"):
            raise LabError(f"no operation of the lab asks for {action}; try kms:Decrypt, for example")
        row = row or OPERATIONS["ReEncrypt"]
        call = Call(row, self.world, self._known(principal), found.region, {"EncryptionContext": dict(context or {})})
        if row.target == NO_KEY:  # such as kms:CreateKey: no key policy has a say
            return gates.verdict_of(call, action, "*", call.principal.account, None)
        call.key, call.alias_arn = found, alias
        return gates.verdict_of(call, action, found.arn, found.account, found)

    def trail(self) -> "pd.DataFrame":
        """Return everything that happened as CloudTrail would tell it: one row per event, oldest first."""
        from kms_lab.views import audit

        return audit.frame(self.world)

    def events(self) -> list[dict[str, Any]]:
        """Return the same as CloudTrail's JSON records."""
        from kms_lab.views import audit

        return list(audit.records(self.world))

    def bill(self, account: str = ACCOUNT) -> "Bill":
        """Return what AWS would charge an account for everything so far."""
        from kms_lab.views import bill

        return bill.bill(self.world, account)

    def timeline(self, key: str, region: str = REGION) -> "Timeline":
        """Return the history of one key: its materials, states and dates. A deleted key is found by its ARN or id."""
        from kms_lab.views import timeline

        try:
            return timeline.timeline(self.world, self.key(key, region=region))
        except LookupError:
            deleted = [gone for gone in self.world.gone.values() if key in (gone.arn, gone.id)]
            if not deleted:
                raise
            deleted.sort(key=lambda gone: gone.region != region)  # related keys have the same id
            return timeline.timeline(self.world, deleted[0])

    def fork(self) -> "Lab":
        """Return a copy that goes its own way; this lab does not notice."""
        return Lab._of(self.world.fork())

    def restore(self, other: "Lab") -> None:
        """Put another lab's world in place of this one's; clients of this lab go on in it."""
        self._become(other.world.fork())

    def bookmark(self, name: str = "bookmark") -> None:
        """Remember the whole lab under a name, in place of what had that name; ``rewind`` comes back to it.

        Bookmarks live as long as this lab object does: ``save`` does not write them.
        """
        self._bookmarks[name] = self.world.fork()

    def rewind(self, name: str = "bookmark") -> None:
        """Go back to a bookmark, as often as you like; clients of this lab go on from there.

        Everything since is undone: keys, log, bill and clock.

        Raises:
            LabError: there is no such bookmark.
        """
        if name not in self._bookmarks:
            known = ", ".join(map(repr, self._bookmarks)) or "none yet"
            raise LabError(f"there is no bookmark {name!r}; lab.bookmark({name!r}) makes one. Bookmarks: {known}")
        self._become(self._bookmarks[name].fork())

    def save(self, path: str | Path) -> None:
        """Write the whole lab to one JSON file, at once or not at all. It holds key material: keep it to yourself."""
        write_atomically(Path(path), json.dumps({"note": "contains secret key material", **self.world.to_data()}))

    @classmethod
    def load(cls, path: str | Path) -> "Lab":
        """Return the lab that ``save`` wrote.

        Raises:
            ValueError: the file is not a saved lab.
        """
        return cls._of(World.from_data(json.loads(Path(path).read_text())))

    @classmethod
    def _of(cls, world: World) -> "Lab":
        lab = cls.__new__(cls)
        lab._take(world)
        return lab

    def _take(self, world: World) -> None:
        self.world = world
        self.clock = LabClock(world)
        self.iam = Iam(world)
        self.hsm = Hsm(world, ACCOUNT, REGION)
        self.xks = Xks(world, ACCOUNT)
        self._calls: deque[Call] = deque(maxlen=1)  # the last one
        self._bookmarks: dict[str, World] = {}

    def _become(self, world: World) -> None:
        """Go on in another world. Credentials that were given out stay good: code that holds them does not go back."""
        world.access_keys = {**self.world.access_keys, **world.access_keys}
        self.world.become(world)
        self._calls.clear()

    def _known(self, principal: str) -> Principal:
        who = Principal.parse(principal)
        if who.kind in ("user", "role-session") and who.identity_arn not in self.world.identities:
            kind, _, name = who.identity_arn.rpartition(":")[2].partition("/")
            raise LabError(
                f"account {who.account} has no {kind} {name!r} yet. Make it first: "
                f"lab.iam.create_{kind}({name!r}, policies=[...])"
            )
        return who


class LabClock:
    """The clock of a lab, and the hand that turns it."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def now(self) -> datetime:
        """The simulated time, aware UTC."""
        return self._world.clock.now

    def travel(
        self,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
        to: datetime | None = None,
    ) -> datetime:
        """Move forward, and let everything on the way happen at its own instant: rotations, deletions, expiries.

        Args:
            to: the moment to arrive at (aware UTC), instead of a distance.

        Returns:
            The new time.

        Raises:
            ValueError: the journey would go back in time, or into the last years before 9999, where dates end; or both
                a distance and a moment are given.
        """
        if to is not None and any((days, hours, minutes, seconds)):
            raise ValueError("give either a distance or the moment to arrive at, but not both")
        step_us = round(days * DAY_US + hours * HOUR_US + minutes * 60_000_000 + seconds * 1_000_000)
        until = self._world.clock.now_us + step_us if to is None else to_us(to)
        if until > _END_US:
            raise ValueError("the clock ends in the year 9992, since dates end in 9999")
        pipeline.travel(self._world, until)
        return self.now

    def __repr__(self) -> str:
        return f"<clock: {self.now:%A, %Y-%m-%d %H:%M:%S} UTC>"


class Iam:
    """The users and roles of the simulated accounts. Only what KMS needs of IAM: who there is, and their policies."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __repr__(self) -> str:
        return f"<iam: {len(self._world.identities)} users and roles; list() names them>"

    def create_user(self, name: str, policies: Iterable[Document] = (), account: str = ACCOUNT) -> str:
        """Make a user and return its ARN."""
        return self._create(f"arn:aws:iam::{account}:user/{name}", policies)

    def create_role(self, name: str, policies: Iterable[Document] = (), account: str = ACCOUNT) -> str:
        """Make a role and return its ARN."""
        return self._create(f"arn:aws:iam::{account}:role/{name}", policies)

    def put_policies(self, arn: str, policies: Iterable[Document]) -> None:
        """Replace the identity policies of a user or role.

        Raises:
            LabError: nobody has this ARN, or a policy is not well formed.
        """
        self._identity(arn).policies = _texts(policies)

    def policies(self, arn: str) -> list[dict[str, Any]]:
        """Return the identity policies of a user or role, as documents."""
        return [json.loads(text) for text in self._identity(arn).policies]

    def tag(self, arn: str, **tags: str) -> None:
        """Set tags of a user or role, for ``aws:PrincipalTag`` conditions."""
        self._identity(arn).tags.update(tags)

    def list(self) -> list[str]:
        """Return the ARNs of all users and roles."""
        return list(self._world.identities)

    def _create(self, arn: str, policies: Iterable[Document]) -> str:
        Principal.parse(arn)
        for other in self._world.identities:
            # a name is taken under any path: IAM User Guide, "IAM identifiers"; the ARN of a session does not show it
            if arn.rpartition("/")[2] == other.rpartition("/")[2] and arn.split("/")[0] == other.split("/")[0]:
                raise LabError(f"{other} exists already; lab.iam.put_policies changes what it may do")
        self._world.identities[arn] = Identity(arn, _texts(policies))
        return arn

    def _identity(self, arn: str) -> Identity:
        if arn not in self._world.identities:
            raise LabError(f"nobody has the ARN {arn}; lab.iam.list() names everybody")
        return self._world.identities[arn]


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file whole: whoever reads it sees the old content or the new one, never half of it."""
    import tempfile  # here, because it costs every other use of the lab several milliseconds

    data = content.encode() if isinstance(content, str) else content
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _texts(policies: Iterable[Document]) -> tuple[str, ...]:
    if isinstance(policies, str | Mapping):
        raise LabError("policies is a list, even if it holds only one policy: put [ ] around the document")
    texts = []
    for policy in policies:
        if not isinstance(policy, str | Mapping):
            raise LabError(f"a policy is a dict or JSON text with Version and Statement; got {policy!r}")
        text = policy if isinstance(policy, str) else json.dumps(policy)
        try:
            parse(text, "identity")
        except PolicyError as error:
            raise LabError("this identity policy is not well formed: " + "; ".join(error.problems)) from error
        texts.append(text)
    return tuple(texts)
