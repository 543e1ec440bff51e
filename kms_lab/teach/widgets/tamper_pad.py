"""The byte tamper pad: flip bits of a ciphertext, ask KMS to decrypt it, read which guard stood in the way.

What each byte is, the ciphertext's own module says; the layout is the lab's, since AWS does not publish its own. What a
change does is found by calling Decrypt on a copy of the learner's lab: answer and log entry of that call tell how far
it came. The widget holds no rule of KMS, and nothing pressed here reaches the learner's log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape

from kms_lab.core.ciphertext import Part, parts
from kms_lab.core.errors import KMSError
from kms_lab.lab import Lab
from kms_lab.teach import svg
from kms_lab.teach.widgets.base import LabWidget

#: What the lab keeps in each part of a ciphertext, in plain words, and the part's hue.
MEANINGS = {
    "mark": ("says: a ciphertext of the lab", "slate"),
    "account": ("whose key it was", "green"),
    "key ID": ("which key made it", "blue"),
    "key material ID": ("which material of that key", "purple"),
    "length": ("of the text", "slate"),
    "nonce": ("new for each Encrypt", "orange"),
    "filler": ("zeros, up to the size of a real one", "slate"),
    "encrypted text": ("as long as the text", "rose"),
    "tag": ("the seal over all of it, and over the context", "green"),
}
#: How far a Decrypt came, by its error and by whether the log knows the key: which guard it met.
GUARDS = {
    ("InvalidCiphertextException", False): "KMS could not read these bytes as a ciphertext, so it looked for no key.",
    ("AccessDeniedException", False): "These bytes name a key that is not there, or that you may not use. KMS does not "
    "tell which.",
    ("InvalidCiphertextException", True): "KMS found the key, but with it the bytes do not open: the seal is broken.",
}
FITS = "KMS found the key, and the seal holds: bytes and context are as they were."
#: The keys that the pad takes, besides the buttons.
MOVES = ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End")
FLIP, DECRYPT = " ", "Enter"


@dataclass(frozen=True)
class Answer:
    """What Decrypt answered: a text, or an error code; and the guard that let it through or not."""

    guard: str
    text: str = ""
    code: str = ""


@dataclass(frozen=True)
class State:
    """The bytes as they are now, the byte that is looked at, and the last answer (None after a change)."""

    data: bytes
    at: int = 0
    answer: Answer | None = None


class TamperPad(LabWidget[State]):
    """Move to a byte, flip a bit of it, and let KMS try to open the result."""

    title = "Tamper with a ciphertext"
    css = "tamper_pad.css"

    def __init__(self, lab: Lab, blob: bytes, context: Mapping[str, str] | None = None) -> None:
        self._lab = lab.fork()
        self._context = dict(context or {})
        self.blob = blob
        self.parts = parts(blob)
        super().__init__(State(blob))

    def view(self, state: State) -> str:
        buttons = svg.row(svg.button("Decrypt", "decrypt", primary=True), svg.button("Put all bytes back", "reset"))
        return (
            svg.paragraph(
                "On the bytes: arrow left and right move by a byte, up and down by a part, Space flips the last bit, "
                "Enter decrypts."
            )
            + self._pad(state)
            + buttons
            + svg.grid(self._answer(state), self._byte(state))
            + svg.paragraph(
                "This layout is the lab's own. AWS does not publish its layout: treat a real one as a closed box.",
                note=True,
            )
        )

    def summary(self, state: State) -> str:
        here = f"{self._said(state)}. {_count(len(self._changed(state)))} changed."
        if state.answer is None:
            return f"{here} Not decrypted since."
        answer = state.answer
        opened = f"Decrypt refused: {answer.code}." if answer.code else f"Decrypt gave “{answer.text}”."
        return f"{here} {opened} {answer.guard}"

    def table(self, state: State) -> svg.Table:
        changed = self._changed(state)
        rows = [
            [
                part.name,
                f"{part.start} to {part.end - 1}",
                MEANINGS[part.name][0],
                state.data[part.start : part.end].hex(" "),
                ", ".join(str(at) for at in changed if part.start <= at < part.end) or "none",
            ]
            for part in self.parts
        ]
        return svg.Table("The parts of this ciphertext", ["Part", "Bytes", "What it is", "In hex", "Changed"], rows)

    def react(self, state: State, action: str, value: str) -> State:
        match action:
            case "key" if value == FLIP:
                return self._flipped(state, 0)
            case "key" if value == DECRYPT:
                return replace(state, answer=self._ask(state.data))
            case "key" if value in MOVES:
                return replace(state, at=self._moved(state.at, value))
            case "pick":
                return replace(state, at=int(value))
            case "flip":
                return self._flipped(state, int(value))
            case "decrypt":
                return replace(state, answer=self._ask(state.data))
            case "reset":
                return replace(state, data=self.blob, answer=None)
        return super().react(state, action, value)

    def settle(self, state: State) -> State:
        return replace(state, at=min(max(state.at, 0), len(state.data) - 1))

    # Acting.

    def _ask(self, data: bytes) -> Answer:
        """Call Decrypt on a copy of the lab; its answer and its log entry tell how far it came."""
        lab = self._lab.fork()
        try:
            text = lab.client().decrypt(CiphertextBlob=data, EncryptionContext=self._context)["Plaintext"]
        except KMSError as error:
            entry = lab.world.log.entry(len(lab.world.log) - 1)
            guard = GUARDS.get((error.code, entry.key is not None), error.message)
            return Answer(guard, code=error.code)
        return Answer(FITS, text=text.decode(errors="replace"))

    def _flipped(self, state: State, bit: int) -> State:
        data = bytearray(state.data)
        data[state.at] ^= 1 << bit
        return replace(state, data=bytes(data), answer=None)

    def _moved(self, at: int, key: str) -> int:
        starts = [part.start for part in self.parts]
        match key:
            case "ArrowLeft":
                return at - 1
            case "ArrowRight":
                return at + 1
            case "ArrowUp":
                return max((start for start in starts if start < at), default=0)
            case "ArrowDown":
                return min((start for start in starts if start > at), default=at)
        return 0 if key == "Home" else len(self.blob) - 1

    # Looking.

    def _changed(self, state: State) -> list[int]:
        return [at for at, (old, new) in enumerate(zip(self.blob, state.data)) if old != new]

    def _part(self, at: int) -> Part:
        return next(part for part in self.parts if part.start <= at < part.end)

    def _said(self, state: State) -> str:
        at, now = state.at, state.data[state.at]
        was = f", was {self.blob[at]:02x}" if now != self.blob[at] else ""
        return f"Byte {at} of 0 to {len(state.data) - 1}, {self._part(at).name}: hex {now:02x}{was}"

    def _pad(self, state: State) -> str:
        """All bytes, part by part; one stop of the Tab key, steered by arrow keys."""
        changed = set(self._changed(state))
        said = (
            f'aria-label="Byte of the ciphertext" aria-valuemin="0" aria-valuemax="{len(state.data) - 1}"'
            f' aria-valuenow="{state.at}" aria-valuetext="{escape(self._said(state))}"'
        )
        keys = "|".join((*MOVES, FLIP, DECRYPT))
        blocks = "".join(self._block(part, state, changed) for part in self.parts)
        return (
            f'<div role="slider" tabindex="0" {said} data-keys="{keys}" data-keyed="key" {svg.KEYS_STAY}'
            f' class="kl-bytes">{blocks}</div>'
        )

    def _block(self, part: Part, state: State, changed: set[int]) -> str:
        meaning, hue = MEANINGS[part.name]
        cells = " ".join(_cell(at, state, at in changed) for at in range(part.start, part.end))
        return (
            f'<div class="kl-bytes-part kl-{hue}"><span class="kl-bytes-name">{escape(part.name)} '
            f"<small>{escape(meaning)}</small></span>"
            f'<span class="kl-bytes-row">{cells}</span></div>'
        )

    def _byte(self, state: State) -> str:
        part, now = self._part(state.at), state.data[state.at]
        bits = "".join(_bit(bit, now >> bit & 1) for bit in range(7, -1, -1))
        facts = {"Part": part.name, "What it is": MEANINGS[part.name][0], "Hex now": f"{now:02x}"}
        if now != self.blob[state.at]:
            facts["Hex before"] = f"{self.blob[state.at]:02x}"
        return svg.card(
            f"Byte {state.at}",
            svg.facts(facts, mono=["Hex now", "Hex before"]),
            '<p class="kl-note" style="margin-top:8px">Its eight bits; press one to flip it:</p>',
            f'<div class="kl-bits">{bits}</div>',
            hue=MEANINGS[part.name][1],
        )

    def _answer(self, state: State) -> str:
        pairs = ", ".join(f"{name}={value}" for name, value in self._context.items()) or "none"
        context = svg.paragraph(f"Encryption context, sent with the call and not in these bytes: {pairs}", note=True)
        if state.answer is None:
            asked = svg.paragraph("Not asked since the last change. Press Decrypt.")
            return svg.card("What KMS answers", asked, context, hue="slate")
        answer = state.answer
        verdict = (
            f"{svg.badge('bad', 'refused')} <code>{escape(answer.code)}</code>"
            if answer.code
            else f"{svg.badge('good', 'opened')} <code>{escape(answer.text)}</code>"
        )
        return svg.card("What KMS answers", f"<p>{verdict}</p>", svg.paragraph(answer.guard), context, hue="blue")


def _cell(at: int, state: State, changed: bool) -> str:
    """One byte. A changed one is bold and underlined, the one looked at has a frame."""
    kinds = [name for name, on in (("kl-bytes-here", at == state.at), ("kl-bytes-changed", changed)) if on]
    kind = f' class="{" ".join(kinds)}"' if kinds else ""
    return f'<span{kind} data-action="pick" data-value="{at}">{state.data[at]:02x}</span>'


def _bit(bit: int, value: int) -> str:
    """A button that flips one bit."""
    return svg.button(str(value), "flip", str(bit), label=f"Flip bit {bit}, now {value}", key=f"bit {bit}")


def _count(number: int) -> str:
    return "1 byte" if number == 1 else f"{number or 'No'} bytes"


__all__ = ["FITS", "GUARDS", "MEANINGS", "Answer", "State", "TamperPad"]
