"""What is kept of a call: one record, written once, whatever ended it."""

from __future__ import annotations

from typing import Any

import attrs

from llcphone.engine.events import EndReason
from llcphone.engine.status import LONG_TURN

TROUBLE = frozenset(
    {
        EndReason.PHONE_LOST,
        EndReason.STREAM_DEAD,
        EndReason.BAD_STREAM,
        EndReason.NEVER_JOINED,
        EndReason.START_TIMEOUT,
        EndReason.MODEL_UNREACHABLE,
        EndReason.MODEL_REFUSED,
        EndReason.MODEL_LOST,
        EndReason.CALL_FAILED,
        EndReason.DIAL_REFUSED,
        EndReason.NO_CALLBACK,
        EndReason.BUDGET,
        EndReason.FAILED,
    }
)
"""Ends that nobody on the line wanted."""
OFTEN_INTERRUPTED = 6
"""Barge-ins; so many, and agent and caller do not get on."""


@attrs.frozen
class CallRecord:
    """A finished call. Times are seconds or milliseconds as named; clock times are Unix seconds."""

    call_id: str
    call_sid: str
    direction: str
    agent: str
    reason: EndReason
    born_at: float
    """Unix time of birth."""
    duration_s: float
    """From birth to the end."""
    started_after_ms: int | None
    """Birth to media stream start; None when it never started."""
    ready_after_ms: int | None
    """Birth to a configured session; None when it never was."""
    dialect: str
    attempts: int
    """Model legs dialled or adopted."""
    failure: str
    """Code of why Twilio placed no call, else of the last trouble of the set-up; empty: there was none."""
    frames: int
    """Caller frames received."""
    frames_held_back: int
    """Caller frames counted but not sent to the model (guard, not ready)."""
    run_number: int = 0
    """How often the call was resumed before this run of it."""
    resumed_from: str = ""
    """The ``call_id`` of the run before; empty for a new call."""
    transferred_to: str = ""
    """Where the caller left for at its end: a destination, ``voicemail`` or ``keys``; empty: nowhere."""
    warm: str = ""
    """How warm it was: ``pool``, ``hit``, ``joined``, ``cold`` or ``wasted`` (``call/session_source.py``)."""
    warm_saved_ms: int = 0
    """Set-up of the session that the person on the line did not wait for."""
    floor: tuple[list[Any], ...] = ()
    """When somebody else got the floor, in milliseconds since birth, and who."""
    turns: tuple[dict[str, Any], ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    """Each tool that ran: its name, when it began, how long it took (and should have taken), whether it did
    its work (``ok``). ``took_ms`` and ``ok`` are None for one that had not ended."""
    gaps: tuple[dict[str, Any], ...] = ()
    """Each end of a model session in mid-call, ``lost`` or ``planned``."""
    barge_ins: int = 0
    late_deltas: int = 0
    unasked_responses: int = 0
    failed_responses: int = 0
    digits: int = 0
    unknown_events: int = 0
    stray_echoes: int = 0
    bad_messages: int = 0
    usage: dict[str, int] = attrs.field(factory=dict)
    cached_share: float = 0.0
    cost_usd: float | None = None
    """Estimate for the model's tokens by the price list; None: the model has no price there."""
    unbilled_responses: int = 0
    """Responses whose tokens are unknown (cut off by the end of the call): in no sum here."""
    seconds: int = 0
    """How long its Live sessions have lasted, as they are billed; 0 with the Realtime API."""
    lead_ms: dict[str, int] = attrs.field(factory=dict)
    """How late the voice of a Live session began to be heard: ``p50``, ``p99`` and ``max``, in steps of
    10 ms. Empty with the Realtime API."""
    alarms: tuple[dict[str, Any], ...] = ()
    """Slow turns and dead air: kind, when, for how long, because of what."""
    transcript: tuple[dict[str, Any], ...] = ()
    """What was said and heard; empty unless ``records.transcript`` is on."""

    def as_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        data = attrs.asdict(self)
        data["reason"] = self.reason.value
        return data

    @property
    def slowest_ms(self) -> int | None:
        """The longest that the caller waited for an answer; None: that is not known of any."""
        return max(
            (turn["ear_gap_ms"] for turn in self.turns if turn.get("ear_gap_ms") is not None), default=None
        )

    @property
    def attention(self) -> str:
        """Why somebody should look at this call, in a few words; empty: nothing stands out."""
        why = [self.reason.value] if self.reason in TROUBLE else []
        if self.failure:
            why.append(f"set-up: {self.failure}")
        longest: dict[str, int] = {}
        for alarm in self.alarms:
            longest[alarm["kind"]] = max(alarm["lasted_ms"], longest.get(alarm["kind"], 0))
        why += [f"{kind} {lasted_ms / 1000:.1f} s" for kind, lasted_ms in longest.items()]
        lost = {gap["cause"] for gap in self.gaps if gap["kind"] == "lost"}
        why += ["model lost"] if lost - {LONG_TURN} else []
        why += ["no pause for 15 s, model session replaced"] if LONG_TURN in lost else []
        failed = dict.fromkeys(tool["name"] for tool in self.tools if tool["ok"] is False)
        why += [f"tool {name} failed" for name in failed]
        if self.barge_ins >= OFTEN_INTERRUPTED:
            why.append(f"interrupted {self.barge_ins} times")
        return ", ".join(why[:4])
