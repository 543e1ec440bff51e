"""attempt(): a refusal is part of the lesson, so it is shown as a short card and the notebook goes on.

Outside ``attempt()`` a refusal ends its cell, as any exception does; ``refusals_in_brief`` sees to it that a learner
then reads the own line, AWS's answer and what to try, and not the lab's code.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from kms_lab.core.errors import AccessDeniedException, KMSError, LabError, ParameterError
from kms_lab.teach.card import Card, Tone, in_notebook, show

_PACKAGE = str(Path(__file__).parents[1])

#: What to try next, by error code. Advice for a learner, not a rule: the rules live in the service.
WHAT_TO_TRY = {
    "AccessDeniedException": "`lab.last_verdict` names the statement that decided, or the one that is missing.",
    "AlreadyExistsException": "The name is taken. Use `update_alias` to move it, or choose another.",
    "DisabledException": "The key is only disabled. `enable_key` brings it back; nothing is lost.",
    "IncorrectKeyException": "Leave `KeyId` out, or name the key that made this ciphertext.",
    "InvalidAliasNameException": "An alias begins with `alias/`, and `alias/aws/` belongs to AWS.",
    "InvalidArnException": "Some operations take a key's ID or ARN, and no alias. Else check the ARN letter by letter.",
    "InvalidCiphertextException": "Hand in the ciphertext as it was, and the encryption context of the Encrypt call.",
    "InvalidKeyUsageException": "`describe_key` shows `KeyUsage` and `KeySpec`; take an operation that fits.",
    "KMSInvalidStateException": "`describe_key` shows `KeyState`; if deletion is pending, `cancel_key_deletion` first.",
    "LimitExceededException": "A quota is reached; the message says which.",
    "MalformedPolicyDocumentException": "Check JSON and principals, and that you could still change it afterwards.",
    "NotFoundException": "Check the ID, or the alias with its `alias/`, and the Region: a key lives in one Region.",
    "TagException": "Check the tags for duplicates and for the reserved prefix `aws:`.",
    "ThrottlingException": "Wait a little and try again, longer each time.",
    "UnsupportedByLab": "The lab does not have this yet; AWS does.",
    "ValidationException": "Read what AWS says: change that in the call, and run the cell again.",
}
_NO_KEY_FOUND = "KMS found no key whose policies it could ask. Check the Region, the key ID, the ciphertext."

#: What to change in a call that was never sent: a pattern over boto3's words, and advice.
WHAT_TO_CHANGE = (
    (
        r"type: <class 'dict'>, valid types: <class 'str'>",
        'It is a whole answer. Take one member: `["KeyId"]`.',
    ),
    (r"type: <class 'NoneType'>", "Nothing is in it. Leave the parameter out, or run the cell that sets the name."),
    (r"valid types: <class 'str'>", 'Text stands in quotes: `"40"`, not `40`. Other values: `str(...)` makes text.'),
    (r"type: <class 'set'>, valid types: <class 'dict'>", 'Between name and value stands a colon: `{"locker": "40"}`.'),
    (r"valid types: <class 'dict'>", 'Names and values stand in braces: `{"locker": "40"}`.'),
    (r"valid types: <class 'int'>", "A whole number stands without quotes: `7`."),
    (r"valid types: <class 'list'>", "A list stands in brackets, even with one thing in it."),
    (
        r"valid types: <class 'bytes'>",
        'Bytes have a `b` before the quotes: `b"..."`. From text: `text.encode()`; from a list: `bytes(numbers)`.',
    ),
    (r"^Unknown parameter", "Compare the name, letter by letter and with its capitals, with those that AWS has."),
    (r"^Missing required", "Add this parameter: the call cannot do without it."),
    (r"^Invalid (length|value)", "It is too short or too small, or nothing is in it."),
)
_LONG_VALUE = r"(value: .{60}).+(, type: <class)"
#: what boto3 calls the error of a call that it does not send
NOT_SENT = "ParamValidationError"


class Attempt:
    """What happened inside ``with attempt() as tried:``.

    Attributes:
        error: KMS's answer, or the ParameterError of a call that was never sent; None if all went well.
    """

    def __init__(self) -> None:
        self.error: KMSError | ParameterError | None = None

    @property
    def refused(self) -> bool:
        """True if the call was refused, by KMS or before it was sent."""
        return self.error is not None

    @property
    def code(self) -> str:
        """The error's code (``ParamValidationError`` for a call that was never sent), or "" if all went well."""
        if isinstance(self.error, ParameterError):
            return NOT_SENT
        return self.error.code if self.error else ""

    def __enter__(self) -> "Attempt":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, ParameterError) and any("value: Ellipsis" in problem for problem in error.problems):
            show(Card(Tone.OPEN, "This cell has a gap", ("Put your answer in the place of `...`, and run it again.",)))
            return True
        if isinstance(error, KMSError):
            show(refusal_card(error))
        elif isinstance(error, ParameterError):
            show(not_sent_card(error))
        else:
            return False
        self.error = error
        return True

    def __repr__(self) -> str:
        return f"<Attempt: {self.code or 'not refused'}>"


def attempt() -> Attempt:
    """Try something that KMS may refuse; a refusal is shown as a card and the code goes on after the block.

    Caught are answers of KMS, and calls that boto3 would not send because their parameters do not fit: a wrong type,
    a wrong name, or the ``...`` of a worked example with a gap. A mistake in Python (``NameError``) passes through.

    >>> with attempt() as tried:
    ...     pass
    >>> tried.refused
    False
    """
    return Attempt()


def refusal_card(error: KMSError) -> Card:
    """Return the card for a refused call: what was asked, AWS's answer, why, what to try."""
    message = f"AWS says: “{error.message}”" if error.message else "AWS gives no text with this error."
    lines = [f"`{error.code}`. {message}"]
    if sentence := verdict_sentence(error):
        lines.append(f"Why: {sentence}")
    if advice := _NO_KEY_FOUND if _no_key_found(error) else WHAT_TO_TRY.get(error.code):
        lines.append(f"Try: {advice}")
    return Card(Tone.REFUSED, error.operation_name or "this call", tuple(lines))


def _no_key_found(error: KMSError) -> bool:
    return isinstance(error, AccessDeniedException) and error.verdict is None


def not_sent_card(error: ParameterError) -> Card:
    """Return the card for a call that was never sent: what boto3 says, and what to change."""
    lines = (
        f"`{NOT_SENT}`, as boto3 calls it: the parameters do not fit. The call was never sent: nothing is logged, "
        "nothing billed.",
        *not_sent_lines(error),
    )
    return Card(Tone.REFUSED, "this call, before it was sent", lines)


def not_sent_lines(error: ParameterError) -> list[str]:
    """Return what boto3 says of a call that was never sent, each value cut short, and what to change."""
    said = [re.sub(_LONG_VALUE, r"\1…\2", problem, flags=re.DOTALL) for problem in error.problems]
    return [*(f"boto3 says: “{line}”" for line in said), *(f"Try: {advice}" for advice in _what_to_change(error))]


def _what_to_change(error: ParameterError) -> list[str]:
    """Return the advice on each problem, once."""
    found = [next((advice for words, advice in WHAT_TO_CHANGE if re.search(words, p)), "") for p in error.problems]
    return [advice for advice in dict.fromkeys(found) if advice]


def verdict_sentence(error: KMSError) -> str:
    """Return the verdict's plain sentence, if the refusal carries a verdict."""
    verdict: Any = error.evidence.get("verdict")
    return str(getattr(verdict, "sentence", "") or "")


def refusals_in_brief() -> None:
    """In a notebook, from now on, cut a refusal's traceback to the learner's own lines, and add why and what to try.

    The same holds for what the lab itself turns away (``LabError``). Other exceptions stay as they are.
    """
    if in_notebook():
        sys.modules["IPython"].get_ipython().set_custom_exc((KMSError, LabError), _in_brief)


def _in_brief(
    shell: Any, kind: type[BaseException], error: BaseException, trace: TracebackType | None, tb_offset: Any = None
) -> None:
    shell.showtraceback((kind, error, _cut(trace)), tb_offset=tb_offset)
    if isinstance(error, KMSError) and (advice := refusal_card(error).lines[1:]):
        show(Card(Tone.REFUSED, error.operation_name or "this call", advice))
    if isinstance(error, ParameterError) and (changes := _what_to_change(error)):
        show(Card(Tone.HINT, "the call was never sent", tuple(changes)))


def _cut(trace: TracebackType | None) -> TracebackType | None:
    """The same traceback, up to where it enters the package."""
    kept = None
    for step in reversed(list(_until_package(trace))):
        kept = TracebackType(kept, step.tb_frame, step.tb_lasti, step.tb_lineno)
    return kept


def _until_package(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        yield trace
        trace = trace.tb_next
