"""Probe: how a check looks at the learner's world without leaving a trace in it.

A probe stands on a fork of the learner's lab. Verdict probes (``may``) ask the evaluator; effect probes
(``client``, ``code``, ``run``) act, and what they change is the fork's.

What the learner called (``calls``) and what a check called on its copy (``made``) are two lists: a check never counts
its own probing.

Not here: any rule of KMS. A probe asks the lab.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from kms_lab.core.errors import KMSError, ParameterError
from kms_lab.core.keys import Key
from kms_lab.core.log import Entry
from kms_lab.core.names import Principal
from kms_lab.doors.client import Client
from kms_lab.lab import ADMIN, REGION, Lab
from kms_lab.teach.attempt import NOT_SENT, not_sent_lines

_REAL_BOTO3 = " That is boto3's own client, which looks for AWS. Use the client that your function is handed."


class Unfinished(Exception):
    """The learner's function still has a ``...`` in it, or returns nothing: a blank, not a mistake."""


class LearnerCodeError(Exception):
    """The learner's own function raised. The text says what, for the learner."""


class Probe:
    """A look at a copy of the learner's lab.

    Args:
        lab: the learner's lab. It is forked; the original is only read.
        given: what the lesson handed out at its start (ids, blobs), by name.
        start: how many entries the log had at the lesson's start; ``calls`` counts from there.
        end: how many it had when the check began; ``calls`` ends there, and ``made`` begins. Left out, it is now.
    """

    def __init__(
        self, lab: Lab, given: Mapping[str, Any] | None = None, start: int = 0, end: int | None = None
    ) -> None:
        self._start = start
        self._end = len(lab.world.log) if end is None else end
        self.given: Mapping[str, Any] = given or {}
        #: the copy; free to change
        self.lab = lab.fork()

    @property
    def now(self) -> datetime:
        """The simulated time in the learner's lab (aware UTC)."""
        return self.lab.clock.now

    def key(self, ref: str, region: str = REGION) -> Key | None:
        """Return the record of a key by id, ARN or ``alias/name``, or None if there is no such key."""
        try:
            return self.lab.key(ref, region=region)
        except (LookupError, ValueError):
            return None

    def calls(self, operation: str = "", *, ok: bool | None = None, key: str = "", principal: str = "") -> list[Entry]:
        """Return the log entries of the learner's calls since the lesson's start, oldest first.

        What this probe, or a fork of it, has called is not among them: see ``made``. What AWS did by itself (a
        rotation, a deletion) is not a call. An entry has ``operation``, ``principal``, ``region``, ``key`` (an ARN),
        ``error``, ``context``, ``request`` and ``at_us``.

        Args:
            operation: only this one (``"Encrypt"``).
            ok: True for successes only, False for refusals only.
            key: only this key's, by id, ARN or alias.
            principal: only this caller's. A role's ARN, as ``create_role`` returns it, means any session of the role;
                the ARN of a session, as the log has it, means this session.
        """
        record = self.key(key) if key else None
        return [
            entry
            for entry in self._entries(self._start, self._end)
            if (not operation or entry.operation == operation)
            and ok in (None, entry.error is None)
            and (not key or (record is not None and entry.key == record.arn))
            and (not principal or _is_caller(entry.principal or "", principal))
        ]

    def made(self) -> list[Entry]:
        """Return the log entries of what was called on the copy since the check began, oldest first.

        That is what the check called itself, and what a learner's function did under ``run``.
        """
        return list(self._entries(self._end, len(self.lab.world.log)))

    def _entries(self, start: int, end: int) -> Iterator[Entry]:
        entries = map(self.lab.world.log.entry, range(start, end))
        return (entry for entry in entries if entry.principal is not None)

    def may(self, principal: str, action: str, key: str, **more: Any) -> bool:
        """Say whether a principal may do an action on a key, from the policies alone. Leaves no trace.

        ``more``: ``region=`` and ``context=`` (condition keys), as ``Lab.may`` takes them.
        """
        return bool(self.lab.may(principal, action, key, **more).allowed)

    def client(self, principal: str = ADMIN, region: str = REGION) -> Client:
        """Return a client on the copy, as any principal in any Region."""
        return self.lab.client(principal=principal, region=region)

    def code(self, call: Callable[[], Any]) -> str:
        """Return a call's error code, or "" if it succeeds: ``probe.code(lambda: kms.decrypt(...))``."""
        try:
            call()
        except KMSError as error:
            return error.code
        return ""

    def fork(self) -> "Probe":
        """Return a second probe on a copy of this one, to try something twice from the same start."""
        return Probe(self.lab, self.given, self._start, self._end)

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run a function that the learner wrote, and return what it returns.

        Hand it clients of this probe (``probe.client()``), so that what it does happens on the copy.

        Raises:
            Unfinished: there still is a ``...`` of the blank cell in it, or it returned ``...`` or None.
            LearnerCodeError: it raised, or it is no function; the text is made for the learner.
        """
        if not callable(function):
            raise LearnerCodeError("What you handed in is no function. Hand in its name, without brackets after it.")
        if ... in getattr(getattr(function, "__code__", None), "co_consts", ()):
            raise Unfinished
        try:
            value = function(*args)
        except Exception as error:
            name = getattr(function, "__name__", "your function")
            said = ": " + text if (text := _short(error)) else "."
            raise LearnerCodeError(f"Your function `{name}` stopped with {_named(error)}{said}") from error
        if value is None or value is ...:
            raise Unfinished
        return value


def _is_caller(caller: str, wanted: str) -> bool:
    """Is an entry's caller the one meant? A role's ARN means all of its sessions."""
    try:
        who = Principal.parse(wanted, session="")
    except ValueError:
        return False
    return caller.startswith(who.arn) if who.arn != wanted else caller == wanted


def _named(error: Exception) -> str:
    if isinstance(error, ParameterError):
        return NOT_SENT
    return error.code if isinstance(error, KMSError) else type(error).__name__


def _short(error: Exception, limit: int = 200) -> str:
    if isinstance(error, ParameterError):
        return " ".join(not_sent_lines(error))
    text = error.message if isinstance(error, KMSError) else str(error)
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return text + (_REAL_BOTO3 if type(error).__module__.startswith("botocore") else "")
