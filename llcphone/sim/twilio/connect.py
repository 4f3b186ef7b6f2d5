"""``<Connect><Stream>``: from TwiML to a media stream and back.

The verb blocks until the stream ends; then comes its ``action`` URL, else the next verb, else the end of the
call (twilio.com/docs/voice/twiml/connect). Query strings of the stream URL are dropped, as Twilio does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from llcphone.sim.twilio.messages import StreamWriter
from llcphone.sim.twilio.moving import carry
from llcphone.sim.twilio.record import StreamRecord
from llcphone.sim.twilio.steps import Step, absolute, action_of, make_sid
from llcphone.sim.twilio.stream import MediaStream
from llcphone.sim.twilio.wire import StreamFailed, find_target

if TYPE_CHECKING:
    from llcphone.sim.twilio.call import SimCall
    from llcphone.sim.twilio.twiml import Verb

PARAMETER_LIMIT = 500
ABRUPT = 1006
"""Close code of a stream that ended without a Close (RFC 6455, section 7.1.5)."""


async def connect(call: SimCall, verb: Verb, base: str) -> Step | None:
    noun = verb.child("Stream")
    if noun is None:
        call.log.note("<Connect> without <Stream> is not simulated")
        return None
    stream = _prepare_stream(call, noun, base)
    if stream is not None:
        callback = noun.get("statusCallback")
        _tell_stream_event(call, stream, callback, "stream-started")
        with call.streaming(stream):
            await carry(call, stream)
        opened = stream.record.ended_at_ms is not None
        _tell_stream_event(call, stream, callback, "stream-stopped" if opened else "stream-error")
        if call.faults.asks_nothing and stream.record.close_code == ABRUPT and not call.interrupted:
            call.log.event("the caller hears silence")
            await trio.sleep_forever()  # until the call is updated, or the caller hangs up
    action = action_of(verb, base, {})
    if not call.interrupted:
        return action
    if action is not None and call.hung_up:  # Twilio requests the action URL, and ignores its answer
        call.notify(action.purpose, action.url, call.form({"CallStatus": "completed"}), action.method)
    return None


def _prepare_stream(call: SimCall, noun: Verb, base: str) -> MediaStream | None:
    url = absolute(base, noun.get("url"))
    if "//" not in noun.get("url"):  # a relative URL takes the document's host
        url = url.replace("http", "ws", 1)
    if noun.get("track", "inbound_track") != "inbound_track":
        call.log.error(31941, "a bidirectional stream carries the inbound track only")
        return None
    try:
        target = find_target(url, call.exchange.route)
    except StreamFailed as failure:
        call.log.error(failure.code, failure.text)
        return None
    if target.stripped_query:
        call.log.note("the query string of the stream URL was stripped")
    record = StreamRecord(make_sid("MZ"), target.url, target.stripped_query)
    call.record.streams.append(record)
    return MediaStream(
        target=target,
        auth_token=call.exchange.auth_token,
        parameters=_parameters(call, noun),
        faults=call.faults,
        log=call.log,
        playout=call.playout,
        record=record,
        writer=StreamWriter(call.exchange.account_sid, call.sid, record.stream_sid, call.faults.spaced_json),
        unknowns=call.exchange.unknowns,
        relay=call.handset.relay if call.handset is not None else None,
    )


def _parameters(call: SimCall, noun: Verb) -> dict[str, str]:
    """``<Parameter>`` elements; name and value together stay under 500 characters."""
    parameters = {}
    for parameter in noun.children:
        name, value = parameter.get("name"), parameter.get("value")
        if len(name) + len(value) < PARAMETER_LIMIT:
            parameters[name] = value
        else:
            call.log.error(12200, "a <Parameter> of 500 characters or more")
    return parameters


def _tell_stream_event(call: SimCall, stream: MediaStream, callback: str, event: str) -> None:
    if not callback:
        return
    fields = {
        "AccountSid": call.exchange.account_sid,
        "CallSid": call.sid,
        "StreamSid": stream.record.stream_sid,
        "StreamName": stream.record.stream_sid,
        "StreamEvent": event,
        "Timestamp": call.timestamp.isoformat(),
    }
    if event == "stream-error":
        fields["StreamError"] = call.record.errors[-1].text if call.record.errors else ""
    call.notify(event, callback, fields)
