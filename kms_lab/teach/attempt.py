"""attempt(): a refusal is part of the lesson, so it is shown as a short card and the notebook goes on.

Outside ``attempt()`` a refusal ends its cell, as any exception does; ``refusals_in_brief`` sees to it that a learner
then reads the own line, AWS's answer and what to try, and not the lab's code.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from kms_lab.core.errors import KMSError, LabError, ParameterError
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


class Attempt:
    """What happened inside ``with attempt() as tried:``.

    Attributes:
        error: the KMSError, or None if all went well.
    """

    def __init__(self) -> None:
        self.error: KMSError | None = None

    @property
    def refused(self) -> bool:
        """True if the call was refused."""
        return self.error is not None

    @property
    def code(self) -> str:
        """The error's code, or "" if all went well."""
        return self.error.code if self.error else ""

    def __enter__(self) -> "Attempt":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, ParameterError) and any("value: Ellipsis" in problem for problem in error.problems):
            show(Card(Tone.OPEN, "This cell has a gap", ("Put your answer in the place of `...`, and run it again.",)))
            return True
        if not isinstance(error, KMSError):
            return False
        self.error = error
        show(refusal_card(error))
        return True

    def __repr__(self) -> str:
        return f"<Attempt: {self.code or 'not refused'}>"


def attempt() -> Attempt:
    """Try something that KMS may refuse; a refusal is shown as a card and the code goes on after the block.

    Only answers of KMS are caught, and a parameter that still is the ``...`` of a worked example with a gap. A
    mistake in Python (``NameError``, a wrong parameter name) passes through.

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
    if advice := WHAT_TO_TRY.get(error.code):
        lines.append(f"Try: {advice}")
    return Card(Tone.REFUSED, error.operation_name or "this call", tuple(lines))


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
    if isinstance(error, ParameterError) and any("type: <class 'dict'>" in problem for problem in error.problems):
        show(Card(Tone.HINT, "that is a whole answer", ('Take the member that is meant, such as `["KeyId"]`.',)))


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
