"""What a media stream does with what the server says, and how it ends."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from llcphone.sim.twilio import CallFaults, CallOver, EndedBy
from tests.sim.twilio.server import served

VOICE = b"\x20" * 8


@asynccontextmanager
async def one_call(*, faults=None, after="", on_stream=None, attributes=""):
    """A server, a call to it, and the server's end of the call's stream."""
    async with served() as (server, twilio):
        server.on_stream = on_stream
        server.answers["/twiml"] = server.connect(after=after, attributes=attributes)
        call = await twilio.ring(faults=faults or CallFaults())
        await call.stream_started()
        yield call, await server.stream(), server


async def test_audio_is_heard_in_order_and_in_real_time_however_fast_it_comes(autojump_clock):
    async with one_call() as (call, stream, _):
        began = call.log.now_ms
        for n in range(20):
            await stream.say(bytes([n]) * 1600)
        await call.hears(3.0)
        assert call.log.now_ms == began + 3000
        ((start, audio),) = call.ear
        assert start == began
        assert audio == b"".join(bytes([n]) * 1600 for n in range(15))
        assert call.heard_ulaw(began + 1) == b"\xff" * began * 8 + b"\x00" * 8


async def test_marks_come_back_at_the_moment_their_audio_has_been_played(autojump_clock):
    async with one_call() as (_, stream, _):
        began = trio.current_time()
        await stream.say(VOICE * 500, "half")
        await stream.say(VOICE * 700, "end \u00e9")
        await stream.until(lambda s: len(s.marks) == 2)
        times = stream.mark_times()
        assert times["half"] == pytest.approx(began + 0.5)
        assert times["end \u00e9"] == pytest.approx(began + 1.2)
        assert set(stream.of("mark")[0]) == {"event", "sequenceNumber", "streamSid", "mark"}


async def test_a_mark_on_an_empty_buffer_comes_back_at_once(autojump_clock):
    async with one_call() as (_, stream, _):
        began = trio.current_time()
        await stream.mark("now")
        await stream.until(lambda s: bool(s.marks))
        assert stream.mark_times()["now"] == began


async def test_a_clear_silences_the_agent_and_returns_all_pending_marks_at_once(autojump_clock):
    async with one_call() as (call, stream, _):
        for n in range(5):
            await stream.say(VOICE * 1000, f"m{n}")
        await call.heard_audio(1500)
        await stream.clear()
        await stream.until(lambda s: len(s.marks) == 5)
        times = stream.mark_times()
        assert list(times) == ["m0", "m1", "m2", "m3", "m4"]
        assert {times[f"m{n}"] for n in (1, 2, 3, 4)} == {times["m0"] + 0.5}
        await trio.sleep(5)
        assert sum(len(audio) for _, audio in call.ear) == 1500 * 8
        assert call.record.streams[0].messages["clear"] == 1


async def test_silence_is_waited_for_and_a_pad_of_silence_is_no_voice(autojump_clock):
    async with one_call() as (call, stream, _):
        began = call.log.now_ms
        await stream.say(b"\xff" * 4000)
        await stream.say(VOICE * 1000)
        await call.hears()
        assert call.log.now_ms == began + 500
        await call.silence_for(700)
        assert call.log.now_ms == began + 500 + 1000 + 700


async def test_invalid_messages_are_ignored_and_logged_once_per_stream(autojump_clock):
    async with one_call() as (call, stream, _):
        sid, ok = stream.sid, {"payload": "////"}
        for bad in (
            {"event": "media", "streamSid": "MZ0", "media": ok},
            {"event": "media", "media": ok},
            {"event": "media", "streamSid": sid, "media": {**ok, "track": "outbound"}},
            {"event": "media", "streamSid": sid, "media": {"payload": "not base64!"}},
            {"event": "media", "streamSid": sid, "media": ok, "sequenceNumber": "1"},
            {"event": "mark", "streamSid": sid, "mark": {"name": 7}},
            {"event": "clear"},
            {"event": "hello", "streamSid": sid},
            [],
        ):
            await stream.raw(bad)
        await stream.socket.send_message("{not json")
        await stream.socket.send_message(b"binary")
        await stream.socket.send_message(b"binary")
        await trio.sleep(1)
        assert call.record.error_codes == [31951, 31950]
        assert call.record.streams[0].messages["ignored"] == 12
        assert call.ear == []
        assert {message.event for message in call.received} == {"ignored"}


async def test_more_than_ten_minutes_of_audio_is_warned_of_once(autojump_clock):
    async with one_call() as (call, stream, _):
        for _ in range(63):
            await stream.say(VOICE * 10_000)
        await trio.sleep(0.1)
        assert call.record.error_codes == [31931]


async def test_the_server_closing_the_stream_leads_to_the_next_verb(autojump_clock):
    async def say_bye(stream):
        await stream.socket.aclose(1000)

    async with one_call(after='<Pause length="2"/><Hangup/>', on_stream=say_bye) as (call, _, _):
        record = await call.ended()
        assert record.verbs == ["Connect", "Pause", "Hangup"]
        assert record.ended_by is EndedBy.HANGUP_VERB
        assert record.close_code == 1000
        assert record.error_codes == [31921]  # Twilio logs it even for a clean close
        assert record.duration_ms in range(2000, 2100)


async def test_the_action_url_is_asked_when_the_server_has_closed_the_stream(autojump_clock):
    async def say_bye(stream):
        await stream.socket.aclose(1001)

    async with served() as (server, twilio):
        server.on_stream = say_bye
        server.answers["/twiml"] = server.connect(attributes=' action="/after"', after="<Say>never</Say>")
        server.answers["/after"] = "<Response><Pause/></Response>"
        record = await (await twilio.ring()).ended()
        assert server.paths() == ["/twiml", "/after"]
        assert server.requests[1].fields["CallStatus"] == "in-progress"
        assert record.verbs == ["Connect", "Pause"]
        assert record.ended_by is EndedBy.END_OF_TWIML


async def test_a_hang_up_is_told_to_the_action_url_and_its_twiml_is_not_run(autojump_clock):
    async with one_call(attributes=' action="/after"') as (call, _, server):
        server.answers["/after"] = server.connect()
        call.hang_up()
        record = await call.ended()
        await trio.sleep(0.1)
        assert server.requests[1].fields["CallStatus"] == "completed"
        assert len(record.documents) == 1
        assert len(server.streams) == 1


async def test_a_drop_is_a_reset_and_the_call_goes_on_with_its_twiml(autojump_clock):
    async with one_call(after="<Pause/>") as (call, stream, _):
        call.drop()
        await stream.closed.wait()
        assert stream.close_code == 1006
        assert stream.of("stop") == []
        record = await call.ended()
        assert record.error_codes == [31903]
        assert record.verbs == ["Connect", "Pause"]


async def test_after_vanishing_nothing_comes_or_goes_and_the_socket_stays_open(autojump_clock):
    async with one_call() as (call, stream, _):
        await trio.sleep(0.1)
        call.vanish()
        await trio.sleep(0.1)
        texts = len(stream.texts)
        await stream.say(VOICE * 100, "never")
        with trio.move_on_after(30) as waited:
            await stream.socket.ping()
        assert waited.cancelled_caught
        assert len(stream.texts) == texts
        assert not stream.closed.is_set()
        assert call.ear == []
        call.hang_up()
        await stream.closed.wait()
        assert stream.of("stop") == []


async def test_a_call_that_stopped_reading_sends_on_and_lets_the_servers_data_pile_up(autojump_clock):
    async with one_call() as (call, stream, _):
        call.stop_reading()
        frames = len(stream.of("media"))
        with trio.move_on_after(5) as waited:
            while True:
                await stream.say(VOICE * 10_000)
        assert waited.cancelled_caught
        assert len(stream.of("media")) >= frames + 249
        assert call.ear == []
        call.drop()


async def test_what_was_held_up_is_heard_when_the_call_reads_on(autojump_clock):
    async with one_call() as (call, stream, _):
        call.stop_reading()
        await stream.say(VOICE, "held up")
        await trio.sleep(2)
        assert (call.ear, stream.of("mark")) == ([], [])
        call.read_on()
        await call.hears()
        await call.silence_for(500)
        assert [each["mark"]["name"] for each in stream.of("mark")] == ["held up"]
        call.drop()


async def test_a_server_that_takes_no_data_is_lost_after_a_while(autojump_clock):
    async def sleep_through_it(stream):
        stream.socket._reader_running = False  # it reads no more
        await trio.sleep_forever()

    # The kernel's buffers hold minutes of an ordinary call, so the frames are huge.
    async with served() as (server, twilio):
        server.on_stream = sleep_through_it
        record = await (await twilio.ring(faults=CallFaults(frame_ms=60_000))).ended()
        assert record.error_codes == [31903]
        assert record.ended_by is EndedBy.END_OF_TWIML


@pytest.mark.parametrize(
    "garbage", [b"\xff" * 40, b"\x81\x85abcdhello", b"\xc1\x00", b"\x89\x7e\xff\xff" + b"x" * 300]
)
async def test_a_server_that_breaks_the_websocket_protocol_breaks_its_own_call_only(autojump_clock, garbage):
    async with one_call(after="<Pause/>") as (call, stream, _):
        await stream.socket._stream.send_all(garbage)
        record = await call.ended()
        assert record.error_codes == [31924]
        assert record.verbs == ["Connect", "Pause"]


async def test_waiting_for_something_in_a_call_that_ends_says_so(autojump_clock):
    async def hang_up_soon(call):
        await trio.sleep(1)
        call.hang_up()

    async with one_call() as (call, _, _), trio.open_nursery() as nursery:
        nursery.start_soon(hang_up_soon, call)
        with pytest.raises(CallOver) as caught:
            await call.hears(1)
        assert caught.value.record.ended_by is EndedBy.CALLER
        with pytest.raises(CallOver):
            await call.stream_started(2)


async def test_faults_of_the_start_message(autojump_clock):
    faults = CallFaults(spaced_json=True, wrong_call_sid=True, first_timestamp_ms=171, connect_delay_s=0.4)
    async with one_call(faults=faults) as (call, stream, _):
        await trio.sleep(0.1)
        assert stream.texts[0] == '{"event": "connected", "protocol": "Call", "version": "1.0.0"}'
        assert stream.of("start")[0]["start"]["callSid"] != call.sid
        assert stream.of("media")[0]["media"]["timestamp"] == "171"
        assert '"media": {"track": "inbound", "chunk": "1"' in stream.texts[2]
        assert call.record.streams[0].started_at_ms == 400


async def test_a_start_that_never_comes(autojump_clock):
    async with served() as (server, twilio):
        call = await twilio.ring(faults=CallFaults(no_start=True))
        await trio.sleep(20)
        assert [json.loads(text)["event"] for text in server.streams[0].texts] == ["connected"]
        call.hang_up()
        await server.streams[0].closed.wait()
        assert len(server.streams[0].texts) == 1


async def test_a_gap_uses_up_chunk_numbers_but_no_sequence_numbers(autojump_clock):
    async with one_call(faults=CallFaults(gap_after_s=0.2, gap_s=0.1)) as (_, stream, _):
        await trio.sleep(1)
        media = stream.of("media")
        chunks = [int(message["media"]["chunk"]) for message in media]
        assert chunks[8:12] == [9, 10, 16, 17]
        assert int(media[10]["media"]["timestamp"]) - int(media[9]["media"]["timestamp"]) == 120
        assert int(media[10]["sequenceNumber"]) - int(media[9]["sequenceNumber"]) == 1
