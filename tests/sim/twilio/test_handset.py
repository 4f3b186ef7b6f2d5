"""A call whose mouth and ear are outside: frames, marks, and what a person decides."""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.lowlevel
import trio.testing

from llcphone.sim.twilio import Callee, CallFaults, EndedBy, Handset
from tests.sim.twilio.server import served

LOUD = b"\x10" * 160
VOICE = b"\x20" * 8


@attrs.define
class Holder:
    """Keeps what a handset shows."""

    texts: list[str] = attrs.field(factory=list)

    @property
    def shown(self):
        return [json.loads(text) for text in self.texts]

    def carrier(self, what):
        return [each for each in self.shown if each.get("what") == what]

    async def until(self, what, **fields):
        while not (found := [e for e in self.carrier(what) if fields.items() <= e.items()]):  # noqa: ASYNC110
            await trio.sleep(0.01)
        return found[0]


def held():
    holder = Holder()
    return Handset(holder.texts.append), holder


@asynccontextmanager
async def one_call(**how):
    """A call from a handset to a server, and the server's end of its stream."""
    async with served() as (server, twilio):
        server.answers["/twiml"] = server.connect()
        handset, holder = held()
        call = await twilio.ring(handset=handset, **how)
        await call.stream_started()
        yield handset, holder, call, await server.stream()


def frames(stream):
    return [base64.b64decode(each["media"]["payload"]) for each in stream.of("media")]


def voiced(stream):
    return b"".join(frame for frame in frames(stream) if frame.strip(b"\xff\x7f"))


async def test_the_server_sees_fifty_frames_a_second_of_a_handset_that_says_nothing(autojump_clock):
    async with one_call() as (_, _, call, stream):
        await trio.sleep(0.5)
        began = len(frames(stream))
        await trio.sleep(10)
        assert len(frames(stream)) - began == pytest.approx(500, abs=1)
        assert call.mouth.filled == pytest.approx(525, abs=10)


async def test_a_frame_goes_on_at_the_moment_it_arrives(autojump_clock):
    async with one_call() as (handset, _, call, stream):
        for n in range(100):
            handset.hear(bytes([n]) * 160)
            await trio.lowlevel.checkpoint()
            await trio.sleep(0.02)
        assert voiced(stream) == b"".join(bytes([n]) * 160 for n in range(100))
        assert call.mouth.dropped == 0
        before = call.mouth.filled
        handset.hear(LOUD)
        at = trio.current_time()
        await stream.until(lambda s: s.audio.endswith(LOUD))
        assert trio.current_time() - at < 0.02
        assert call.mouth.filled == before


@pytest.mark.parametrize("jitter_ms", [10, 50, 80])
async def test_jitter_neither_loses_nor_reorders_what_is_said(autojump_clock, jitter_ms):
    async with one_call() as (handset, _, call, stream):
        began, at = trio.current_time() + 0.1, 0.0
        for n in range(500):
            at = max(at, began + n * 0.02 + (n * 7919 % 101) / 101 * jitter_ms / 1000)  # TCP keeps the order
            await trio.sleep_until(at)
            handset.hear(bytes([n % 120]) * 160)
        await trio.sleep(0.1)
        filled_before_speech = 5 + 3
        assert call.mouth.dropped <= 1
        assert len(voiced(stream)) >= 499 * 160
        assert call.mouth.filled <= filled_before_speech + 6


async def test_after_a_stall_the_burst_does_not_make_the_caller_late(autojump_clock):
    async with one_call() as (handset, _, _, stream):
        began = trio.current_time()
        for n in range(100):  # two seconds of frames at once
            handset.hear(bytes([n]) * 160)
        await trio.sleep(1)
        assert len(voiced(stream)) <= 8 * 160
        for n in range(50):
            handset.hear(LOUD)
            await trio.sleep_until(began + 1 + n * 0.02)
        await trio.sleep(0.1)
        at = stream.times[-1] - began
        assert len(frames(stream)) == pytest.approx(at * 50, abs=6)


async def test_a_frame_of_another_length_is_refused(autojump_clock):
    async with one_call() as (handset, _, _, _):
        with pytest.raises(ValueError, match="160 bytes"):
            handset.hear(b"\xff" * 161)


async def test_the_holder_gets_the_servers_messages_as_they_came_but_not_what_twilio_ignores(autojump_clock):
    async with one_call() as (_, holder, call, stream):
        await stream.say(VOICE * 20, "m1")
        await stream.socket.send_message('{"event":"media"}')
        await stream.clear()
        await holder.until("error", code=31951)
        await trio.testing.wait_all_tasks_blocked()
        assert [each["event"] for each in holder.shown if each["event"] != "carrier"] == [
            "media",
            "mark",
            "clear",
        ]
        assert call.record.error_codes == [31951]


async def test_a_mark_comes_back_when_the_holder_has_heard_it_and_once(autojump_clock):
    async with one_call() as (handset, _, call, stream):
        began = trio.current_time()
        await stream.say(VOICE * 500, "half")
        await stream.say(VOICE * 500, "end")
        await trio.sleep(5)
        assert stream.marks == []
        handset.confirm("half")
        handset.confirm("half")
        handset.confirm("never sent")
        await stream.until(lambda s: bool(s.marks))
        await stream.clear()
        await trio.sleep(1)
        assert stream.marks == ["half"]
        assert call.pending_marks == 1
        handset.confirm("end")
        await trio.sleep(0.1)
        assert stream.marks == ["half", "end"]
        assert stream.mark_times()["half"] == pytest.approx(began + 5)


async def test_the_recording_lies_where_the_holder_heard_it(autojump_clock):
    async with one_call() as (handset, _, call, stream):
        await trio.testing.wait_all_tasks_blocked()
        began = call.log.now_ms
        await stream.say(b"\x20" * 4000, "one")
        await stream.say(b"\x30" * 4000, "two")
        await trio.sleep(0.7)  # 200 ms behind
        handset.confirm("one")
        await trio.sleep(0.5)
        handset.confirm("two")
        await trio.sleep(0.5)
        heard = call.heard_ulaw(began + 1300)[began * 8 :]
        assert heard == b"\xff" * 1600 + b"\x20" * 4000 + b"\x30" * 4000 + b"\xff" * 800


async def test_what_is_said_here_takes_the_place_of_the_microphone(autojump_clock):
    async with one_call() as (handset, _, call, stream):
        speech = bytes(range(1, 101)) * 16
        ticket = call.speak_nowait(speech)
        while not call.mouth.was_said(ticket):
            handset.hear(LOUD)
            await trio.sleep(0.02)
        await trio.sleep(0.1)
        assert voiced(stream).startswith(speech)
        assert voiced(stream)[len(speech) :].replace(LOUD, b"") == b""
        assert call.said_ulaw().count(speech) == 1


async def test_a_call_over_rest_rings_the_handset_and_its_holder_decides(autojump_clock):
    for choice, status, answered_by in (
        ("accept", "in-progress", "human"),
        ("machine", "in-progress", "machine_end_beep"),
        ("decline", "busy", None),
        ("", "no-answer", None),
    ):
        handset, holder = held()
        async with served(callee=Callee(handset=handset)) as (server, twilio):
            server.answers["/twiml"] = server.connect()
            call = twilio._place_call(
                {
                    "To": ["+15551230009"],
                    "From": [twilio.number],
                    "Url": [twilio.webhook_url],
                    "Timeout": ["10"],
                    "MachineDetection": ["DetectMessageEnd"],
                    "AsyncAmd": ["true"],
                }
            )
            rung = await holder.until("ring")
            assert (rung["call"], rung["to"]) == (call.sid, "+15551230009")
            assert call.status == "ringing"
            await trio.sleep(3)
            if choice:
                handset.answer("answered")  # of another question
                handset.answer(choice)
            await trio.sleep(8)
            assert call.status == status, choice
            if answered_by is not None:
                assert call.answered_ms == pytest.approx(3000, abs=50)
            else:
                assert (await holder.until("state", state="over"))["why"] == EndedBy.NOT_ANSWERED.value


@pytest.mark.parametrize(
    ("choice", "status"), [("answered", "completed"), ("busy", "busy"), ("", "no-answer")]
)
async def test_the_holder_plays_the_party_that_is_dialled(autojump_clock, choice, status):
    handset, holder = held()
    async with served() as (server, twilio):
        server.answers["/twiml"] = (
            '<Response><Say>One moment</Say><Dial action="/after" timeout="20">'
            "<Number>+15551230007</Number></Dial></Response>"
        )
        server.answers["/after"] = "<Response><Hangup/></Response>"
        call = await twilio.ring(handset=handset)
        assert (await holder.until("say"))["text"] == "One moment"
        asked = await holder.until("dial")
        assert asked["to"] == "+15551230007"
        if choice:
            handset.answer(choice)
        if status == "completed":
            await holder.until("dial", choices=["over"])
            await trio.sleep(7)
            handset.answer("over")
        await call.ended()
        (asked_after,) = [each for each in server.requests if each.path == "/after"]
        assert asked_after.fields["DialCallStatus"] == status
        assert asked_after.fields.get("DialCallDuration") == ("7" if status == "completed" else None)


async def test_a_handset_holds_one_call_at_a_time(autojump_clock):
    async with one_call(faults=CallFaults(comfort_noise=True)) as (handset, _, call, _):
        with pytest.raises(RuntimeError, match="another call"):
            handset.take_up(call.log, False, True)
        call.hang_up()
        await call.ended()
        assert not handset.busy


async def test_two_handsets_in_a_conference_hear_each_other(autojump_clock):
    async with served() as (server, twilio):
        server.answers["/twiml"] = "<Response><Dial><Conference>room</Conference></Dial></Response>"
        (one, first), (two, second) = held(), held()
        call = await twilio.ring(handset=one)
        await first.until("conference", state="joined")
        other = await twilio.ring(handset=two)
        await second.until("conference", state="joined")
        for n in range(100):
            one.hear(bytes([n]) * 160)
            two.hear(bytes([100 + n % 20]) * 160)
            await trio.sleep(0.02)
        await trio.sleep(0.2)
        call.hang_up()
        await call.ended()
        other.hang_up()
        await second.until("conference", state="over")

        def heard(holder):
            payloads = [each["media"]["payload"] for each in holder.shown if each["event"] == "media"]
            return b"".join(base64.b64decode(payload) for payload in payloads)

        said = b"".join(bytes([n]) * 160 for n in range(100))
        assert said in heard(second)
        assert said not in heard(first)
        assert bytes([119]) * 160 in heard(first)
        assert said in other.heard_ulaw()


async def test_what_a_dialled_party_hears_first_is_shown_and_its_key_is_pressed(autojump_clock):
    handset, holder = held()
    async with served() as (server, twilio):
        server.answers["/twiml"] = (
            '<Response><Dial action="/after"><Number url="/whisper">+15551230007</Number></Dial></Response>'
        )
        server.answers["/whisper"] = (
            '<Response><Gather action="/key" numDigits="1"><Say>A caller. Press a key.</Say></Gather>'
            "<Hangup/></Response>"
        )
        server.answers["/key"] = "<Response/>"
        server.answers["/after"] = "<Response><Hangup/></Response>"
        call = await twilio.ring(handset=handset)
        await holder.until("dial")
        handset.answer("answered")
        await holder.until("whisper", text="A caller. Press a key.")
        await holder.until("dial", choices=["over"])
        handset.answer("over")
        await call.ended()
        assert call.record.joined == ["+15551230007"]


async def test_calls_that_are_over_can_be_forgotten(autojump_clock):
    async with served() as (server, twilio):
        server.answers["/twiml"] = server.connect()
        calls = [await twilio.ring() for _ in range(4)]
        for call in calls[:3]:
            call.hang_up()
            await call.ended()
        twilio.forget_calls(but=1)
        assert twilio.calls == calls[2:]
