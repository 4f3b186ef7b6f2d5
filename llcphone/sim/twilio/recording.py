"""Recordings of the simulated Twilio: what the server receives when one is ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.sim.twilio.steps import make_sid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.sim.twilio.call import SimCall


def recording_fields(call: SimCall, began: int, source: str) -> dict[str, str]:
    """A recording from that sample of the call until now."""
    sid = make_sid("RE")
    account = call.exchange.account_sid
    return {
        "RecordingUrl": f"https://api.twilio.com/2010-04-01/Accounts/{account}/Recordings/{sid}",
        "RecordingSid": sid,
        "RecordingDuration": str(max(1, (call.log.now - began) // 8000)),
        "RecordingSource": source,
    }


def tell_recording(call: SimCall, url: str, fields: Mapping[str, str]) -> None:
    """``recordingStatusCallback``: it carries the recording's fields and few of the call's."""
    if "//" not in url:
        return
    form = {"AccountSid": call.exchange.account_sid, "CallSid": call.sid, "RecordingStatus": "completed"}
    call.notify("recording", url, {**form, "RecordingChannels": "1", "ErrorCode": "0", **fields})
