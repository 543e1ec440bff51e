"""One call, one way: through the gates to the handler, and one entry in the log whatever AWS answers.

Also the service's side of the clock: what happens to a key when one of its dates comes.
"""

from dataclasses import replace
from functools import lru_cache
from typing import Any

from kms_lab.core.circumstances import DIRECT, told
from kms_lab.core.clock import Due
from kms_lab.core.errors import AccessDeniedException, KMSError, RequestError, UnsupportedByLab
from kms_lab.core.world import World
from kms_lab.policy.evaluate import Verdict, evaluate
from kms_lab.service import gates, operations, quota
from kms_lab.service.operation import OPERATIONS, Call, Gate, Response

#: what is done when an entry of the clock is due, by its kind
TIMERS = operations.TIMERS
#: what the log calls a fault of the lab itself
_UNEXPECTED = "KMSInternalException"


def handle(call: Call) -> Response:
    """Carry out one call and return the response, in AWS's shape.

    Raises:
        KMSError: AWS's refusal, complete with operation, request id and, where policies decided, the verdict.
    """
    row = call.row
    try:
        if not call.checked:
            gates.validate(call)
        compiled = row.gates or _compile(call)
        for gate in _metered(compiled) if call.world.request_quotas else compiled:
            gate(call)
        response = row.handler(call, **call.params) or {}
    except (UnsupportedByLab, RequestError) as unseen:
        # a limit of ours, or a request that cannot be read: no call that AWS would have recorded or charged
        unseen.operation_name = row.name
        raise
    except KMSError as refusal:
        _complete(refusal, call, _record(call, refusal.code))
        raise
    except BaseException:
        _record(call, _UNEXPECTED)
        raise
    index = _record(call, None)
    response["ResponseMetadata"] = {
        "RequestId": call.world.log.request_id(index),
        "HTTPStatusCode": 200,
        "RetryAttempts": 0,
    }
    return response


def travel(world: World, until_us: int) -> list[Due]:
    """Move a world's clock, doing everything that is due on the way at its own instant. Returns what was done."""
    done = []
    for due in world.clock.advance(until_us):
        try:
            if TIMERS[due.kind](world, due):
                done.append(due)
        except BaseException:  # an interrupt, for example: the entry is still due
            world.clock.put_back(due)
            raise
    return done


def _compile(call: Call) -> tuple[Gate, ...]:
    """Compile a row's gates at its first call, so that importing the package does not read AWS's model."""
    row = call.row
    row.gates = gates.gates_of(row)
    return row.gates


@lru_cache(maxsize=128)
def _metered(compiled: tuple[Gate, ...]) -> tuple[Gate, ...]:
    """Return an operation's gates with the quota among them: after the key is found, which can choose the bucket."""
    after = (gates.tokens, gates.authorize, gates.authorize_all)
    first = next(place for place, gate in enumerate(compiled) if gate in after)
    return (*compiled[:first], quota.throttle, *compiled[first:])


def _record(call: Call, code: str | None) -> int:
    """Append the call's entry, and those of the service events it caused. Return the index of its own."""
    row, world, key = call.row, call.world, call.key
    index = world.log.append(
        world.clock.now_us,
        row.name,
        call.region,
        call.principal.arn,
        None if key is None else key.arn,
        code,
        call.material,
        row.shown,
        call.params,
        call.params.get("EncryptionContext") if call.context is None else call.context,
        call.more if call.how is DIRECT else _with_circumstances(call),
        call.how.via,
    )
    for event in call.aftermath:
        world.log.append(world.clock.now_us, **event)
    return index


def _with_circumstances(call: Call) -> dict[str, Any]:
    return {**call.more, **told(call.how)} if call.more else told(call.how)


def _complete(error: KMSError, call: Call, index: int) -> None:
    error.operation_name = call.row.name
    error.request_id = call.world.log.request_id(index)
    more, message = call.world.log.more, _message(error.message)
    more[index] = {**more[index], **message} if index in more else message
    if call.how.endpoint and isinstance(error, AccessDeniedException) and _only_the_endpoint(error.verdict):
        more[index] = {**more[index], "withheld": True}


def _only_the_endpoint(verdict: Verdict | None) -> bool:
    """Did nothing but the policy of the VPC endpoint stand against the call? CloudTrail does not tell of it then.

    Source: AWS KMS Developer Guide, "Logging AWS KMS requests that use a VPC endpoint".
    """
    if verdict is None or verdict.layers.endpoint is None:
        return False
    return evaluate(verdict.request, replace(verdict.layers, endpoint=None), verdict.held).allowed


@lru_cache(maxsize=1024)
def _message(text: str) -> dict[str, Any]:
    """Return what the log keeps besides of a refusal: one record for all that are alike."""
    return {"message": text}


__all__ = ["OPERATIONS", "TIMERS", "handle", "travel"]
