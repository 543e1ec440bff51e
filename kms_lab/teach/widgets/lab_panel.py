"""The lab panel: press a button, and see what one call leaves behind: a verdict, a trail, a bill, and time.

It plays on a copy of the learner's lab, so that nothing pressed here counts in the exercises. Every answer shown is
the lab's own.
"""

from dataclasses import dataclass
from typing import Any

from kms_lab.core.clock import to_datetime
from kms_lab.core.errors import KMSError
from kms_lab.lab import ADMIN, Lab
from kms_lab.teach import svg
from kms_lab.teach.widgets.base import Controls, LabWidget, buttons

_SHOWN_EVENTS = 5
_PLAINTEXT = b"hello"


@dataclass(frozen=True)
class State:
    """How many buttons were pressed, and what the last one did."""

    pressed: int = 0
    said: str = "Nothing pressed yet."
    went_well: bool = True


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
        self._key, self._stranger = key, stranger
        self._again()
        super().__init__(State())

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
                return self._call(state, "Admin encrypted five bytes.", ADMIN, "encrypt", **self._message())
            case "refused":
                return self._call(state, "Intern encrypted five bytes.", self._stranger, "encrypt", **self._message())
            case "create":
                return self._call(state, "Admin created a key.", ADMIN, "create_key")
            case "month":
                self._lab.clock.travel(days=31)
                return State(state.pressed + 1, f"31 days passed. It is now {self._lab.clock.now:%d %B %Y}.")
            case "again":
                self._again()
                return State()
        return super().react(state, action, value)

    def view(self, state: State) -> str:
        bill = self._lab.bill()
        verdict = self._lab.last_verdict
        return svg.grid(
            svg.card("Clock", svg.paragraph(f"{self._lab.clock.now:%A, %d %B %Y, %H:%M} UTC"), hue="slate"),
            svg.card(
                "Verdict of the last call",
                svg.paragraph(verdict.sentence if verdict is not None else "No call has been judged yet."),
                hue="blue",
            ),
            svg.card("Bill so far", svg.paragraph(f"${bill.total:,.2f} on AWS, $0.00 here"), hue="orange"),
        ) + svg.table(self._rows(), ("When", "Who", "Call", "Answer"), f"Trail: the last {_SHOWN_EVENTS} events")

    def summary(self, state: State) -> str:
        events = len(self._lab.world.log)
        return f"{state.said} The trail holds {events} events; the bill stands at ${self._lab.bill().total:,.2f}."

    def _call(self, state: State, done: str, principal: str, method: str, **params: Any) -> State:
        try:
            getattr(self._lab.client(principal), method)(**params)
        except KMSError as error:
            return State(state.pressed + 1, f"KMS refused: {error.code}.", went_well=False)
        return State(state.pressed + 1, done)

    def _message(self) -> dict[str, Any]:
        return {"KeyId": self._key, "Plaintext": _PLAINTEXT}

    def _again(self) -> None:
        self._lab = self._start.fork()

    def _rows(self) -> list[list[object]]:
        log = self._lab.world.log
        entries = [log.entry(index) for index in range(max(0, len(log) - _SHOWN_EVENTS), len(log))]
        return [
            [
                f"{to_datetime(entry.at_us):%d %b %Y, %H:%M}",
                (entry.principal or "AWS KMS itself").rpartition(":")[2],
                entry.operation,
                ("bad", entry.error) if entry.error else ("good", "done"),
            ]
            for entry in reversed(entries)
        ]
