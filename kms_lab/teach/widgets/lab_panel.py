"""The lab panel: press a button, and see what one call leaves behind: a verdict, a trail, a bill, and time.

It plays on a copy of the learner's lab, so that nothing pressed here counts in the exercises. Every answer shown is
the lab's own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from kms_lab.core.clock import to_datetime
from kms_lab.core.errors import KMSError
from kms_lab.core.log import Entry
from kms_lab.doors.client import Client
from kms_lab.lab import ADMIN, Lab
from kms_lab.teach import svg
from kms_lab.teach.widgets.base import Controls, LabWidget, buttons
from kms_lab.views.audit import ERROR_CODES

SHOWN_EVENTS = 5
_PLAINTEXT = b"hello"


@dataclass(frozen=True)
class Event:
    """One row of the trail, in words."""

    call: str
    error: str
    at: datetime


@dataclass(frozen=True)
class State:
    """What the copy of the lab shows now.

    Attributes:
        said: what the last button did.
        now: the simulated time.
        bill: what AWS would have charged until now, US dollars.
        verdict: the sentence on the last call; "" if none was judged yet.
        allowed: what that verdict says.
        events: how many events the trail holds.
        trail: the newest of them, newest first.
    """

    said: str
    now: datetime
    bill: Decimal
    verdict: str
    allowed: bool
    events: int
    trail: tuple[Event, ...]


class LabPanel(LabWidget[State]):
    """One call, and the four things the lab shows about it.

    Args:
        lab: the learner's lab; the panel plays on a copy.
        key: a key to play with.
        stranger: ARN of a role that no policy lets use the key.
    """

    title = "One call, four traces"

    def __init__(self, lab: Lab, key: str, stranger: str) -> None:
        self._start = lab.fork()
        self._lab = self._start.fork()
        self._key, self._stranger = key, stranger
        super().__init__(self._look("Nothing pressed yet."))

    def controls(self) -> Controls:
        return Controls(
            press=buttons(
                {
                    "encrypt": "Encrypt as Admin",
                    "refused": "Encrypt as Intern",
                    "create": "Create a key",
                    "month": "Let 31 days pass",
                    "again": "Start again",
                }
            )
        )

    def react(self, state: State, action: str, value: str) -> State:
        match action:
            case "encrypt":
                return self._call("Admin encrypted five bytes.", ADMIN, self._encrypt)
            case "refused":
                return self._call("Intern encrypted five bytes.", self._stranger, self._encrypt)
            case "create":
                return self._call("Admin created a key.", ADMIN, lambda kms: kms.create_key())
            case "month":
                self._lab.clock.travel(days=31)
                grown = self._lab.bill().total - state.bill
                return self._look(f"31 days passed, and the bill grew by ${grown:,.2f}.")
            case "again":
                self._lab = self._start.fork()
                return self._look("Back at the start.")
        return super().react(state, action, value)

    def view(self, state: State) -> str:
        answer = svg.badge("good", "Allowed") if state.allowed else svg.badge("bad", "Refused")
        verdict = [answer, svg.paragraph(state.verdict)] if state.verdict else [svg.paragraph("No call judged yet.")]
        return svg.grid(
            svg.card("Verdict on the last call", *verdict, hue="blue"),
            svg.card("Bill so far", svg.paragraph(f"${state.bill:,.2f} on AWS, $0.00 here"), hue="orange"),
            svg.card("Clock", svg.paragraph(f"{state.now:%A, %d %B %Y, %H:%M} UTC"), hue="slate"),
        ) + svg.table(
            [
                [
                    event.call,
                    ("bad", "refused") if event.error else ("good", "done"),
                    event.error or "none",
                    f"{event.at:%d %b %Y, %H:%M}",
                ]
                for event in state.trail
            ],
            ("Call", "Answer", "Error code", "When (UTC)"),
            f"Trail: the newest {len(state.trail)} of {state.events} events",
        )

    def summary(self, state: State) -> str:
        return f"{state.said} The trail holds {state.events} events; the bill stands at ${state.bill:,.2f}."

    def _call(self, done: str, principal: str, make: Callable[[Client], object]) -> State:
        try:
            make(self._lab.client(principal))
        except KMSError as error:
            return self._look(f"KMS refused: {error.code}. It stands in the trail all the same.")
        return self._look(done)

    def _encrypt(self, kms: Client) -> object:
        return kms.encrypt(KeyId=self._key, Plaintext=_PLAINTEXT)

    def _look(self, said: str) -> State:
        log, verdict = self._lab.world.log, self._lab.last_verdict
        newest = range(len(log) - 1, max(-1, len(log) - 1 - SHOWN_EVENTS), -1)
        return State(
            said=said,
            now=self._lab.clock.now,
            bill=self._lab.bill().total,
            verdict="" if verdict is None else verdict.sentence,
            allowed=verdict is not None and verdict.allowed,
            events=len(log),
            trail=tuple(_event(log.entry(index)) for index in newest),
        )


def _event(entry: Entry) -> Event:
    error = ERROR_CODES.get(entry.error, entry.error) if entry.error else ""
    return Event(f"{entry.operation} by {_name(entry.principal)}", error, to_datetime(entry.at_us))


def _name(principal: str | None) -> str:
    """A caller's name without the rest of the ARN: Admin, Intern; without a caller KMS acted by itself."""
    return principal.rpartition(":")[2].split("/")[1] if principal else "AWS KMS itself"
