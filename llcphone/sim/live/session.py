"""One session of the simulated GPT-Live: what it does with each client event, and its life.

Every handler is synchronous: an event and its answers are one step. A refusal is an exception on the exit
from the handler and becomes one ``error`` event; nothing was changed before it.
"""

from __future__ import annotations

import copy
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import trio

from llcphone.sim.live.appends import Append, Appends
from llcphone.sim.live.backend import Backend, Call
from llcphone.sim.live.caller_audio import CallerAudio
from llcphone.sim.live.config import PCM, merged, resolved
from llcphone.sim.live.ear import Ear
from llcphone.sim.live.formats import Format
from llcphone.sim.live.schema import check_event
from llcphone.sim.live.state import Event, LiveState
from llcphone.sim.live.turns import Turns
from llcphone.sim.live.voice import Utterance, Voice
from llcphone.sim.model.check import Refused
from llcphone.sim.model.script import steps_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.sim.live.faults import Reason
    from llcphone.sim.model.script import Step

Json = dict[str, Any]
_TOKENS_PER_S, _CONTEXT_TOKENS = 30, 128_000
"""Both directions of audio, and the context window: for the share that a report of usage names."""


@attrs.define(eq=False)
class LiveSession(LiveState):
    """One connection, open or over. Everything public may be read and asserted at any time."""

    voice: Voice = attrs.field(init=False, repr=False)
    backend: Backend = attrs.field(init=False, repr=False)
    turns: Turns = attrs.field(init=False, repr=False)
    _appends: Appends = attrs.field(init=False, repr=False)
    _audio: CallerAudio = attrs.field(init=False, repr=False)
    _start_id: str | None = attrs.field(default=None, init=False)
    _close_id: str | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.voice = Voice(self)
        self.backend = Backend(self)
        self.turns = self.backend.front = Turns(self, self.voice, self.backend)
        self._appends = Appends(self, self.voice, self.turns, self.backend)
        self._audio = CallerAudio(self, self.voice, Ear(self, self.turns))

    # ---- the record ------------------------------------------------------------------------------------

    @property
    def appends(self) -> list[Append]:
        """Every text the client put into the context, in order."""
        return self._appends.all

    @property
    def calls(self) -> list[Call]:
        """Every function call of the backend, in order."""
        return list(self.backend.calls.values())

    @property
    def said(self) -> list[str]:
        """The words of every utterance that has begun, in order."""
        return [utterance.text for utterance in self.voice.said]

    # ---- live controls ---------------------------------------------------------------------------------

    def say(self, *turn: str | Step) -> list[Utterance]:
        """Make the model speak, or call a tool, as soon as its clock allows."""
        return self.turns.perform(steps_of(turn), self.clock.now_ms, self.clock.now_ms)

    def moderate(self) -> None:
        """Refuse what the voice is saying: an ``error``, and silence. The session goes on."""
        complaint = "The response was stopped because it may violate the usage policies."
        self.refuse(Refused(None, complaint), None)
        self.voice.fall_silent()

    def end(self, reason: Reason) -> None:
        """End the session: what was not acknowledged, ``session.closed``, Close."""
        if self.stage == "over" or not self.config:
            return
        self._appends.end()
        self.stage = "over"
        usage = {"seconds": self.seconds}
        self.send("session.closed", self._close_id, reason=reason, session=self.config, usage=usage)
        if not self.assumes.stays_open:
            self.link.close(1000)

    # ---- its life --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Hold the session until its socket has ended."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            if self.faults.silent:
                self.stall()
            if self.assumes.unstarted_s is not None:
                self.later(self.assumes.unstarted_s, self._close_unstarted, "unstarted")
            try:
                await self.link.run(self._take)
            finally:
                self.notify()
            nursery.cancel_scope.cancel()

    def _close_unstarted(self) -> None:
        if self.stage == "waiting":
            self.link.close(1000)

    def _take(self, received: str | bytes) -> None:
        """One WebSocket message from the client."""
        event: Any = None
        try:
            try:
                event = msgspec.json.decode(received)
            except (msgspec.DecodeError, RecursionError):
                raise Refused("invalid_json", "The message is not valid JSON.") from None
            if isinstance(received, bytes):
                raise Refused("invalid_event", "Binary messages are not supported; send JSON text.")
            self._keep(event)
            self._must_come_now(event)
            if self.assumes.takes_calls and _is_own_call(event):
                return
            check_event(event)
            _HANDLERS[event["type"]](self, event)
        except Refused as refusal:
            echo = event.get("event_id") if isinstance(event, dict) else None
            self._refuse(refusal, echo if isinstance(echo, str) else None)
        self.notify()

    def _keep(self, event: Any) -> None:
        is_audio = isinstance(event, dict) and event.get("type") == "session.input_audio.append"
        if isinstance(event, dict) and (self.keep_audio or not is_audio):
            self.received.append(Event(trio.current_time(), self.clock.now_ms, event))

    def _must_come_now(self, event: Any) -> None:
        kind = event.get("type") if isinstance(event, dict) else None
        if self.stage == "waiting" and kind != "session.start":
            raise Refused("invalid_event", "The first message must be session.start.")  # the code is ours
        if self.stage == "starting" and kind != "session.start":
            if kind == "session.input_audio.append" and self.assumes.early_audio != "refused":
                return
            raise Refused("invalid_event", "Wait for session.started.")  # the code is ours
        if self.stage in ("closing", "over"):
            raise Refused("session_closed", "The session is closing.")  # the code is ours

    def _refuse(self, refusal: Refused, answers: str | None) -> None:
        is_of_start = self.stage == "waiting"
        self.refuse(refusal, answers if self.assumes.refusal_echoes or not is_of_start else None)
        if is_of_start:
            self.stage = "over"
            self.later(self.pace.drop_s, lambda: self.link.close(1000), "drop")

    # ---- start, update, close --------------------------------------------------------------------------

    def _start(self, event: Json) -> None:
        if self.stage != "waiting":
            raise Refused("invalid_event", "The session has been started.")  # the code is ours
        if code := self.faults.refuse_start:
            raise Refused(code, "The simulator refuses this start.")
        lasts_s = self.pace.lasts_s if self.faults.expire_after_s is None else self.faults.expire_after_s
        expires_at = int(time.time() + self.pace.start_s + lasts_s)
        self.config = resolved(event["session"], self.new_id("live"), expires_at)
        if self.faults.wrong_format:
            self.config["audio"]["format"] = dict(PCM)
        self.format = Format.of(self.config["audio"]["format"])
        self.stage, self._start_id = "starting", event.get("event_id")
        self.later(self.pace.start_s, self._started, "start")

    def _started(self) -> None:
        self.stage = "active"
        self.conversation += copy.deepcopy(self.config["input"])
        self.started_s = trio.current_time()
        self.send("session.started", self._start_id, session=self.config)
        self.voice.start()
        self._plan_faults()
        self.spawn(self._report_usage, name="usage")
        self.spawn(self._expire_without_audio, name="audio watch")
        lasts_s = self.faults.expire_after_s
        wait_s = self.pace.lasts_s if lasts_s is None else lasts_s
        self.later(wait_s, lambda: self.end("expired"), "lifetime")
        self._audio.start()
        if self.assumes.speaks_first and self.config["input"]:
            self.turns.asked_to_speak("", self.pace.commentary_ms)

    def _plan_faults(self) -> None:
        faults = self.faults
        for at_ms, action in (
            (faults.stall_after_ms, partial(self.link.then, self.link.stall)),
            (faults.reset_after_ms, partial(self.link.then, self.link.reset)),
            (faults.close_after_ms, partial(self.link.close, faults.close_with)),
            (faults.end_after_ms, partial(self.end, faults.end_reason)),
        ):
            if at_ms is not None:
                self.clock.at(at_ms, action)

    def _update(self, event: Json) -> None:
        if code := self.faults.refuse_update:
            raise Refused(code, "The simulator refuses this update.", "session")
        wanted = event["session"].get("delegation")
        if wanted is not None and wanted["type"] != self.delegates_to:
            complaint = "The type of delegation cannot be changed."
            raise Refused("immutable_field_update", complaint, "session.delegation.type")
        self.later(self.pace.update_s, partial(self._updated, event), "update")

    def _updated(self, event: Json) -> None:
        if self.stage == "over":
            return
        self.config = merged(self.config, event["session"])
        self.send("session.updated", event.get("event_id"), session=self.config)

    def _close(self, event: Json) -> None:
        self.stage, self._close_id = "closing", event.get("event_id")
        self.backend.close()
        self.spawn(self._drain, name="drain")

    async def _drain(self) -> None:
        """A response of the backend may finish."""
        with trio.move_on_after(self.pace.drain_s):
            await self.until(lambda: self.backend.active is None)
        self.end("close_requested")

    # ---- audio, context, backend ---------------------------------------------------------------------------

    def _append(self, event: Json) -> None:
        self._audio.append(event)

    def _mute(self, event: Json) -> None:
        self._audio.mute(event)

    def _play(self, event: Json) -> None:
        self._audio.play(event)

    def _take_context(self, event: Json) -> None:
        self._appends.take(event)

    def _take_item(self, event: Json) -> None:
        self.backend.take(event["item"])

    def _create_response(self, event: Json) -> None:
        self.backend.create(event.get("event_id"))

    # ---- by Trio's clock -------------------------------------------------------------------------------

    async def _report_usage(self) -> None:
        while True:
            await trio.sleep(self.pace.usage_s)
            if self.stage == "over":
                return
            share = {"usage_ratio": round(self.seconds * _TOKENS_PER_S / _CONTEXT_TOKENS, 4)}
            more = {"context_window": share} if self.assumes.context_window else {}
            self.send("session.usage.updated", usage={"seconds": self.seconds}, **more)

    async def _expire_without_audio(self) -> None:
        due_s = self._audio.heard_s + self.pace.no_audio_s
        while due_s > trio.current_time():
            await trio.sleep_until(due_s)
            due_s = self._audio.heard_s + self.pace.no_audio_s
        self.end("expired")


def _is_own_call(event: Any) -> bool:
    """Whether the client puts in a function call, which only the backend makes."""
    item = event.get("item") if isinstance(event, dict) else None
    return isinstance(item, dict) and item.get("type") == "function_call"


_HANDLERS: dict[str, Callable[[LiveSession, Json], None]] = {
    "session.start": LiveSession._start,
    "session.update": LiveSession._update,
    "session.input_audio.append": LiveSession._append,
    "session.input_audio.mute": LiveSession._mute,
    "session.input_audio.unmute": LiveSession._mute,
    "session.output_audio.fixture.play": LiveSession._play,
    "session.instructions.append": LiveSession._take_context,
    "session.thinking.append": LiveSession._take_context,
    "session.commentary.append": LiveSession._take_context,
    "response.item.create": LiveSession._take_item,
    "response.create": LiveSession._create_response,
    "session.close": LiveSession._close,
}
