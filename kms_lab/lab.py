"""The lab: one simulated world with ready-made accounts, and a door to everything in it.

This is what the first cell of a notebook makes. It holds no rule of KMS; it hands out clients, turns the clock,
and asks the views.
"""

import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kms_lab.accounts import ACCOUNT, Document, Iam, Organizations, Vpc, text_of
from kms_lab.core.circumstances import DIRECT, SOURCE_ADDRESS, Circumstances
from kms_lab.core.clock import DAY_US, HOUR_US, to_us
from kms_lab.core.errors import LabError
from kms_lab.core.keys import AccessKey, Key
from kms_lab.core.names import Principal, parse_key_reference
from kms_lab.core.world import World
from kms_lab.doors.client import Client
from kms_lab.outside import Hsm, Xks
from kms_lab.policy.evaluate import Verdict
from kms_lab.service import gates, pipeline
from kms_lab.service.conditions import everything
from kms_lab.service.operation import NO_KEY, Call, row_for

if TYPE_CHECKING:
    import pandas as pd

    from kms_lab.views.bill import Bill
    from kms_lab.views.explain import Explanation
    from kms_lab.views.timeline import Timeline
    from kms_lab.views.who import WhoCan

REGION = "us-east-1"
ADMIN = f"arn:aws:iam::{ACCOUNT}:user/Admin"
START = datetime(2026, 1, 1, 9, tzinfo=UTC)
_END_US = to_us(datetime(9992, 1, 1, tzinfo=UTC))  # leaves room for dates that lie ahead, such as the next rotation

_ADMINISTRATOR_ACCESS = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "AdministratorAccess", "Effect": "Allow", "Action": "*", "Resource": "*"}],
}


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

    def client(
        self,
        principal: str = ADMIN,
        region: str = REGION,
        via: str = "",
        *,
        source_arn: str = "",
        source_account: str = "",
        source_ip: str = SOURCE_ADDRESS,
        endpoint: str = "",
        mfa: bool = False,
        session_policy: Document | None = None,
        session_tags: Mapping[str, str] | None = None,
        source_identity: str = "",
        federated_by: str = "",
    ) -> Client:
        """Return a boto3-shaped KMS client.

        Args:
            principal: ARN of a user, role, role session, federated user or account root, or a service such as
                ``logs.us-east-1.amazonaws.com``. A role's ARN means "somebody who assumed it".
            region: any Region's name.
            via: an AWS service that calls KMS on the principal's behalf, by its name in endpoints: ``s3``, or
                ``ec2`` for EBS. Such calls reach AWS managed keys, and set ``kms:ViaService``.
            source_arn, source_account: for which resource and whose account a service that acts as itself acts.
            source_ip: the caller's address, for ``aws:SourceIp``.
            endpoint: id of a VPC endpoint that the calls go through; ``lab.vpc.create_endpoint`` makes one.
            mfa: did the caller prove a second factor, just now?
            session_policy: what the session was narrowed to when it began.
            session_tags: tags that the session was given, besides those of its role.
            source_identity: who stands behind the session.
            federated_by: ARN of the user who made a federated user's session.

        Raises:
            LabError: nobody of that name, or no such endpoint, exists in the lab yet; or the policy is none.
            ValueError: the text is not the ARN of a principal.
        """
        if endpoint and endpoint not in self.world.endpoints:
            raise LabError(f"there is no VPC endpoint {endpoint!r}; lab.vpc.create_endpoint() makes one")
        how = Circumstances(
            via=via,
            source_arn=source_arn,
            source_account=source_account,
            source_ip=source_ip,
            endpoint=endpoint,
            mfa_age_s=0 if mfa else None,
            session_policy="" if session_policy is None else text_of(session_policy, "identity", "this session policy"),
            session_tags=tuple(sorted((session_tags or {}).items())),
            source_identity=source_identity,
            federated_by=federated_by,
        )
        return Client(self.world, self._known(principal, federated_by), region, self._calls.append, how)

    def boto3_client(
        self, principal: str = ADMIN, region: str = REGION, service: str = "kms", how: Circumstances = DIRECT
    ) -> Any:
        """Return the real boto3's client, answered by the lab: the same calls, errors, paginators and waiters.

        Nothing is sent anywhere, and nothing is read from the machine's AWS configuration.

        Args:
            principal: as in ``client``.
            service: ``kms`` or ``sts``.
            how: how the calls come, such as ``Circumstances(endpoint=...)``; what ``client`` takes one by one.
        """
        from kms_lab.doors import boto

        return boto.client(
            self.world, self._known(principal, how.federated_by), region, service, self._calls.append, how
        )

    def boto3(
        self, principal: str = ADMIN, region: str = REGION, how: Circumstances = DIRECT
    ) -> AbstractContextManager[AccessKey]:
        """Let unmodified boto3 code talk to the lab: ``with lab.boto3(): main()``.

        In the block every client for KMS or STS, however it is made, is answered by the lab, and a client for
        another service raises LabError instead of sending anything. Clients act as ``principal`` unless they are
        given other credentials of the lab, from ``lab.credentials`` or AssumeRole. See ``doors.boto.diverted`` for
        threads, retries, and clients that outlive the block.
        """
        from kms_lab.doors import boto

        return boto.diverted(self.world, self._known(principal, how.federated_by), region, self._calls.append, how)

    @contextmanager
    def serve(
        self,
        port: int = 0,
        follow: bool = False,
        changed: Callable[[], object] = lambda: None,
        how: Circumstances = DIRECT,
    ) -> Iterator[str]:
        """Serve the lab over HTTP, on this machine only: ``with lab.serve() as url: ...``.

        Requests are signed with ``lab.credentials``. Meanwhile use the lab itself only while no request is under way,
        or with ``kms_lab.doors.wire.turn`` held. ``kms-lab serve`` is the same for the shell.

        Args:
            port: where to listen; 0 takes a free one.
            follow: let the lab's clock go as the real one does, instead of standing still until it is turned.
            changed: called after each request that may have changed the lab, with ``turn`` held.
            how: the way that every request comes, such as through a VPC endpoint.

        Raises:
            OSError: the port is taken.
        """
        from kms_lab.doors.http import Endpoint

        with Endpoint(self.world, self.clock.travel, port, follow, self._calls.append, changed, how) as endpoint:
            yield endpoint.url

    def credentials(self, principal: str, how: Circumstances = DIRECT) -> AccessKey:
        """Return a principal's access key, for clients that sign their requests: ``id``, ``secret`` and ``token``.

        Asked again, the lab gives the same key. A role's key is that of a session of it, as in ``client``, and
        does not end; ``sts.assume_role`` gives keys that do. ``how`` says what the session was given when it began.
        """
        from kms_lab.doors.credentials import credentials_of

        return credentials_of(self.world, self._known(principal, how.federated_by), how)

    @property
    def last_verdict(self) -> Verdict | None:
        """Who decided the last call, and why.

        It tells all that policies could have asked about the call, not only what they did ask; what changes, such as
        tags and aliases, as it is now. None before the first call, or if it did not get as far as the policies.
        """
        call = self._calls[-1] if self._calls else None
        if call is None or call.verdict is None:
            return None
        return call.verdict.told_of(everything(call), tuple(one.told_of({}) for one in call.earlier))

    def explain(self, verdict: Verdict | None = None) -> "Explanation":
        """Return the last verdict, or another, to look at: every layer, statement and clause as a tree.

        Raises:
            LabError: no verdict is given, and the last call did not get as far as the policies.
        """
        from kms_lab.views.explain import Explanation

        found = self.last_verdict if verdict is None else verdict
        if found is None:
            raise LabError("no call has been decided yet; make one first, or ask lab.may(...)")
        return Explanation(found)

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
        key: str | None,
        region: str = REGION,
        context: Mapping[str, str] | None = None,
        alias: str | None = None,
        params: Mapping[str, Any] | None = None,
        how: Circumstances = DIRECT,
    ) -> Verdict:
        """Ask the policies whether a principal may do something, without doing it: nothing is logged or changed.

        Args:
            action: an IAM action such as ``kms:Decrypt``.
            key: id, ARN or alias of the key; None for what needs none, such as ``kms:CreateKey``.
            context: the encryption context that the call would carry.
            alias: the alias name the call would use, for ``kms:RequestAlias``.
            params: other members of the request that policies look at, such as a grant's ``Operations``.
            how: how the call would come, such as ``Circumstances(via="s3")``.

        Raises:
            LookupError: there is no such key.
            LabError: no operation that the lab has needs that permission.
        """
        row = row_for(action)
        if row is None:
            raise LabError(f"no operation of the lab asks for {action}; try kms:Decrypt, for example")
        members = {"EncryptionContext": dict(context)} if context else {}
        found = None if key is None else self.key(key, region=region)
        where = region if found is None else found.region
        call = Call(row, self.world, self._known(principal), where, {**members, **(params or {})})
        call.how = how
        if found is None or row.target == NO_KEY:  # such as kms:CreateKey: no key policy has a say
            return gates.verdict_of(call, action, "*", call.principal.account, None)
        call.key, call.alias_arn = found, alias
        return gates.verdict_of(call, action, found.arn, found.account, found)

    def who_can(
        self,
        action: str,
        key: str,
        region: str = REGION,
        context: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        how: Circumstances = DIRECT,
    ) -> "WhoCan":
        """Return which principals may do something to a key, and through what; nothing is logged or changed.

        Asked are all users and roles, the root users, and whom else the key policy or a grant of the key names.

        Args:
            action: an IAM action such as ``kms:Decrypt``.
            key: id, ARN or alias of the key.
            context: the encryption context that each call would carry; None where the caller chooses it.
            params: other members of the request that policies look at.
            how: how each call would come. What the policies mention is tried besides: see ``service.who``.

        Raises:
            LookupError: there is no such key.
            LabError: no operation that the lab has needs that permission.
        """
        from kms_lab.service.who import who_can
        from kms_lab.views.who import WhoCan

        found = self.key(key, region=region)
        return WhoCan(action, found.arn, who_can(self.world, action, found, context, params, how))

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
        self.org = Organizations(world)
        self.vpc = Vpc(world)
        self.hsm = Hsm(world, ACCOUNT, REGION)
        self.xks = Xks(world, ACCOUNT)
        self._calls: deque[Call] = deque(maxlen=1)  # the last one
        self._bookmarks: dict[str, World] = {}

    def _become(self, world: World) -> None:
        """Go on in another world. Credentials that were given out stay good: code that holds them does not go back."""
        world.access_keys = {**self.world.access_keys, **world.access_keys}
        self.world.become(world)
        self._calls.clear()

    def _known(self, principal: str, federated_by: str = "") -> Principal:
        who = Principal.parse(principal)
        if federated_by:
            who = replace(who, identity_arn=self._known(federated_by).identity_arn)
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
