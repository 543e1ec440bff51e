"""The context panel: the encryption context of an Encrypt beside that of a Decrypt; does it open, and what is logged?

Both calls are made, anew after every change, on a copy of the learner's lab: whether it opens is Decrypt's own answer,
and what the log shows is the record of that call. The widget holds no rule of KMS. That two pairs are the same or not
is only said to help the eye.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape

from kms_lab.core.errors import KMSError
from kms_lab.lab import Lab
from kms_lab.teach import svg
from kms_lab.teach.widgets.base import Controls, LabWidget, buttons, text_field
from kms_lab.views import audit

Pairs = dict[str, str]
#: What the buttons make of the first context, and in which words they offer it.
CHANGES = {
    "same": "The same",
    "order": "Other order",
    "case": "A capital letter",
    "missing": "One pair missing",
    "extra": "One pair more",
    "none": "No context",
}
MOST_LETTERS = 120


@dataclass(frozen=True)
class State:
    """Both contexts as they are typed, and what the calls with them answered.

    Attributes:
        encrypted, decrypting: pairs as text, ``site=north, locker=12``.
        code: Decrypt's error code, or "" if it opened.
        record: what CloudTrail would record of the Decrypt call: name, error and request, as JSON text.
    """

    encrypted: str
    decrypting: str
    code: str = ""
    record: str = ""


class ContextPanel(LabWidget[State]):
    """Type two contexts, or press a button that changes the second; KMS is asked each time."""

    title = "Does it open? Two contexts, side by side"

    def __init__(self, lab: Lab, key: str, context: Mapping[str, str]) -> None:
        self._lab = lab.fork()
        self._key = key
        super().__init__(State(written(context), written(context)))

    def controls(self) -> Controls:
        return Controls(
            encrypted=text_field(MOST_LETTERS, label="Encrypted with", help="name=value, and a comma between pairs"),
            decrypting=text_field(
                MOST_LETTERS, label="Decrypting with", help="empty for no context; the buttons fill this one"
            ),
            change=buttons(CHANGES, label="Make the second one"),
        )

    def settle(self, state: State) -> State:
        """Make both calls with what is typed now."""
        lab = self._lab.fork()
        kms = lab.client()
        sealed = kms.encrypt(KeyId=self._key, Plaintext=b"text", EncryptionContext=read(state.encrypted))
        code = ""
        try:
            kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=read(state.decrypting))
        except KMSError as error:
            code = error.code
        told = audit.record(lab.world, len(lab.world.log) - 1)
        kept = {name: told[name] for name in ("eventName", "errorCode", "requestParameters") if name in told}
        return replace(state, code=code, record=json.dumps(kept, indent=2))

    def view(self, state: State) -> str:
        first, second = read(state.encrypted), read(state.decrypting)
        return (
            f"<p>{_verdict(state)}</p>"
            + svg.grid(
                svg.card("Encrypted with", _pairs(first, second), hue="blue"),
                svg.card("Decrypting with", _pairs(second, first), hue="purple"),
            )
            + svg.card(
                "What CloudTrail records of this Decrypt",
                '<pre class="kl-mono" style="margin:0;white-space:pre-wrap;overflow-wrap:anywhere">'
                f"{escape(state.record)}</pre>",
                svg.paragraph("In clear text, whether it opened or not.", note=True),
            )
        )

    def summary(self, state: State) -> str:
        first, second = read(state.encrypted), read(state.decrypting)
        answer = f"Decrypt refused: {state.code}." if state.code else "It opens."
        if state.code:
            answer += " AWS gives no reason with it."
        if list(first) != list(second) and first == second:
            return f"{answer} The pairs are the same in another order."
        only = [f"{name}={value}" for name, value in second.items() if first.get(name) != value]
        missing = [f"{name}={value}" for name, value in first.items() if second.get(name) != value]
        if not only and not missing:
            return f"{answer} Both contexts are the same."
        parts = [f"Only in the first: {', '.join(missing)}." if missing else ""]
        parts.append(f"Only in the second: {', '.join(only)}." if only else "")
        return " ".join([answer, *filter(None, parts)])

    def table(self, state: State) -> svg.Table:
        first, second = read(state.encrypted), read(state.decrypting)
        rows = [
            [name, first.get(name, "(none)"), second.get(name, "(none)"), _mark(first.get(name), second.get(name))]
            for name in {**first, **second}
        ]
        rows.append(["KMS answers", "", "", ("bad", state.code) if state.code else ("good", "opens")])
        return svg.Table("Both contexts", ["Name", "Encrypted with", "Decrypting with", "Result"], rows)

    def react(self, state: State, action: str, value: str) -> State:
        if action not in CHANGES:
            return super().react(state, action, value)
        return replace(state, decrypting=written(changed(read(state.encrypted), action))[:MOST_LETTERS])


def read(text: str) -> Pairs:
    """Take typed pairs apart. A piece without an equals sign is a name with an empty value.

    >>> read("site=north, locker = 12")
    {'site': 'north', 'locker': '12'}
    """
    pieces = [piece.partition("=") for piece in text.split(",") if piece.strip()]
    return {name.strip(): value.strip() for name, _, value in pieces}


def written(context: Mapping[str, str]) -> str:
    """Return pairs as one types them; the inverse of ``read``."""
    return ", ".join(f"{name}={value}" for name, value in context.items())


def changed(context: Pairs, change: str) -> Pairs:
    """Return a context like the given one, changed as a button says."""
    items = list(context.items())
    match change:
        case "order":
            return dict(reversed(items))
        case "case":
            return {name: value.title() if at == 0 else value for at, (name, value) in enumerate(items)}
        case "missing":
            return dict(items[:-1])
        case "extra":
            return {**context, "floor": "2"}
        case "none":
            return {}
    return dict(items)


def _verdict(state: State) -> str:
    if state.code:
        return f"{svg.badge('bad', 'refused')} <code>{escape(state.code)}</code>"
    return svg.badge("good", "opens")


def _pairs(here: Pairs, there: Pairs) -> str:
    """One side's pairs; each with a word on whether the other side has it too."""
    if not here:
        return svg.paragraph("No context.")
    rows = "".join(
        f'<dt class="kl-mono">{escape(name)}</dt><dd><span class="kl-mono">{escape(value)}</span> '
        f"{svg.badge(*_mark(value, there.get(name)))}</dd>"
        for name, value in here.items()
    )
    return f'<dl class="kl-facts">{rows}</dl>'


def _mark(here: str | None, there: str | None) -> tuple[str, str]:
    """Say whether a pair is on both sides, for the eye; KMS's own answer stands above."""
    if here == there:
        return "good", "on both sides"
    return "warn", "on one side only" if None in (here, there) else "differs"


__all__ = ["CHANGES", "ContextPanel", "State", "changed", "read", "written"]
