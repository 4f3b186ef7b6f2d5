"""The task of one simulated call: it follows TwiML from the first step until the call is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from llcphone.sim.twilio.moving import stop_left_stream
from llcphone.sim.twilio.outbound import final_status, tell_status
from llcphone.sim.twilio.record import EndedBy
from llcphone.sim.twilio.recording import recording_fields, tell_recording
from llcphone.sim.twilio.verbs import run_step

if TYPE_CHECKING:
    from llcphone.sim.twilio.call import SimCall
    from llcphone.sim.twilio.steps import Step


async def live(call: SimCall, first: Step) -> None:
    try:
        async with trio.open_nursery() as call.background:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(call.mouth.run, name="sim caller's mouth")
                ended_by = await _follow(call, first)
                stop_left_stream(call)
                nursery.cancel_scope.cancel()
            call.finish(final_status(call, ended_by), ended_by)
            tell_status(call, "completed")
            if call.recording is not None:
                began, callback = call.recording
                tell_recording(call, callback, recording_fields(call, began, "StartCallRecordingTwiML"))
    finally:
        call.finish(final_status(call, EndedBy.SIMULATOR), EndedBy.SIMULATOR)


async def _follow(call: SimCall, step: Step) -> EndedBy:
    while True:
        if call.fate is not None:
            step, call.fate = call.fate, None
        if isinstance(step, EndedBy):
            return step
        with trio.CancelScope() as call.verbs:
            step = await run_step(call, step)
