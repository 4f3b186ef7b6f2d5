"""What may be done to a live call, by name: its body, its deed, and how the API describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from llcphone.errors import ConfigError
from llcphone.server.api.errors import ApiError, refusal
from llcphone.server.api.models import Digits, Said, TransferTo, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

    from llcphone.call.call import Call

MOST_WAITING = 20
"""Instructions that the model has not got yet; one more is refused."""
_SOON_S = 10


@attrs.frozen(kw_only=True)
class Act:
    """Something that may be done to a call."""

    body: type[msgspec.Struct] | None = None
    """None: the body is not read."""
    do: Callable[[Call, Any], None]
    """Synchronous; raises ApiError."""
    operation: str
    """Its name in the OpenAPI document."""
    summary: str
    needs_talk: bool = True
    """It makes sense only while caller and agent are talking."""
    of_ended: bool = False
    """For a call that is over it has been done already."""
    errors: tuple[int, ...] = ()
    """Statuses of its own refusals."""


def _hang_up(call: Call, asked: None) -> None:
    call.dismiss()


def _end(call: Call, asked: None) -> None:
    call.end()


def _say(call: Call, asked: Said) -> None:
    _check_room(call)
    call.say(asked.text)


def _tell(call: Call, asked: Said) -> None:
    _check_room(call)
    call.inform(asked.text)


def _check_room(call: Call) -> None:
    if call.run.activity.instructions >= MOST_WAITING:
        text = f"{MOST_WAITING} instructions wait for a quiet moment of this call already"
        raise ApiError(429, "too_much_to_say", text, "try again after Retry-After", retry_after_s=_SOON_S)


def _transfer(call: Call, asked: TransferTo) -> None:
    names = call.run.config.transfers.destinations
    if names and asked.to not in names:
        text, fix = "there is no destination of this name", "use one of: " + ", ".join(names)
        raise ApiError(422, "unknown_destination", text, fix)
    try:
        outcome = call.put_through(asked.to, summary=asked.summary)
    except ConfigError as error:
        raise refusal(error) from None
    if not outcome.ok:
        raise ApiError(409, "transfer_refused", outcome.says, "see the call: GET /calls/{id}")


def _press(call: Call, asked: Digits) -> None:
    call.send_digits(asked.digits)


def _approve(call: Call, asked: Verdict) -> None:
    if not call.approvals.answer(asked.approval, asked.allow or asked.why):
        text = "nothing with this id waits for approval: it was answered, or its time is over"
        raise ApiError(404, "no_such_approval", text, "see the approvals of the call: GET /calls/{id}")


ACTS = {
    "hangup": Act(
        do=_hang_up,
        operation="hangUpCall",
        summary="End a call once the agent's last word was heard; one that is over stays so.",
        needs_talk=False,
        of_ended=True,
    ),
    "end": Act(
        do=_end,
        operation="endCall",
        summary="End a call at once, in the middle of a word; one that is over stays so.",
        needs_talk=False,
        of_ended=True,
    ),
    "say": Act(
        body=Said,
        do=_say,
        operation="sayInCall",
        summary="Let the agent say this to the caller in these words, in the next quiet moment.",
        errors=(429,),
    ),
    "tell": Act(
        body=Said,
        do=_tell,
        operation="tellAgent",
        summary="Let the agent know this; it does not speak because of it.",
        errors=(429,),
    ),
    "transfer": Act(
        body=TransferTo,
        do=_transfer,
        operation="transferCall",
        summary="Let the agent say that it puts the caller through, and transfer them.",
    ),
    "digits": Act(
        body=Digits, do=_press, operation="sendDigits", summary="Press keys, as the caller would hear them."
    ),
    "approve": Act(
        body=Verdict,
        do=_approve,
        operation="answerApproval",
        summary="Allow or refuse a tool that waits for an approval.",
    ),
}
