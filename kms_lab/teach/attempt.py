"""attempt(): a refusal is part of the lesson, so it is shown as a short card and the notebook goes on."""

from types import TracebackType
from typing import Any

from kms_lab.core.errors import KMSError, ParameterError
from kms_lab.teach.card import Card, Tone, show

#: What to try next, by error code. Advice for a learner, not a rule: the rules live in the service.
WHAT_TO_TRY = {
    "AccessDeniedException": "`lab.last_verdict` names the statement that decided, or the one that is missing.",
    "AlreadyExistsException": "The name is taken. Use `update_alias` to move it, or choose another.",
    "DisabledException": "The key is only disabled. `enable_key` brings it back; nothing is lost.",
    "IncorrectKeyException": "Leave `KeyId` out, or name the key that made this ciphertext.",
    "InvalidAliasNameException": "An alias begins with `alias/`, and `alias/aws/` belongs to AWS.",
    "InvalidArnException": "Check the ARN letter by letter; some operations take a key only, no alias.",
    "InvalidCiphertextException": "Give the same encryption context as at Encrypt, and the ciphertext unchanged.",
    "InvalidKeyUsageException": "`describe_key` shows `KeyUsage` and `KeySpec`; take an operation that fits.",
    "KMSInvalidStateException": "`describe_key` shows `KeyState`; if deletion is pending, `cancel_key_deletion` first.",
    "LimitExceededException": "A quota is reached; the message says which.",
    "MalformedPolicyDocumentException": "Check JSON and principals, and that you could still change it afterwards.",
    "NotFoundException": "Check the id, the alias's spelling, and the Region: a key lives in one Region.",
    "TagException": "Check the tags for duplicates and for the reserved prefix `aws:`.",
    "ThrottlingException": "Wait a little and try again, longer each time.",
    "UnsupportedByLab": "The lab does not have this yet; AWS does.",
    "ValidationException": "The message names the parameter that does not fit.",
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
