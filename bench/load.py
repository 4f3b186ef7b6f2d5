"""One load: a number of calls through a bridge for some time, and what was seen from outside."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import attrs

from bench.loop import Conn, Listener, Loop, now
from bench.model import FakeModel
from bench.phone import FakePhone
from bench.samples import Samples, Scenario

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from bench.samples import Session


@attrs.frozen
class Result:
    """What one load showed. Latencies in milliseconds, sorted."""

    calls: int
    failed: int
    forward: list[float]
    """Caller to model, per frame."""
    back: list[float]
    """Model to caller: a delta's send until its last piece's arrival."""
    lost_frames: int
    out_of_order: int
    lost_chars: int
    """Base64 characters of answers that never reached the phone."""
    first_audio: list[float]
    """Stream start until the first audio at the phone."""
    answered_audio: list[float]
    """The same from the moment Twilio dials the stream."""
    before: Any
    after: Any
    """What ``sample`` returned when the window opened and closed."""
    window_s: float
    generator_busy: float
    """Share of the window the generator itself was working."""


class FakeWorld:
    """The generator's loop and the model's port; lives as long as a bridge does."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.loop = Loop()
        self.tls = tls
        self.load: Samples | None = None
        """Whose the sessions are that a bridge opens."""
        self._listener = Listener(self.loop, self._accepted)
        self._sessions = 0

    @property
    def model_url(self) -> str:
        return f"{'wss' if self.tls else 'ws'}://127.0.0.1:{self._listener.port}/v1/realtime"

    def _accepted(self, sock: socket.socket) -> None:
        if self.tls is not None:
            sock.setblocking(False)
            sock = self.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._sessions += 1
        load = self.load
        session = FakeModel(load or Load(self, Scenario(0), 0), self._sessions)
        if load is not None:
            load.session_opened(session)
        Conn(self.loop, sock, session, client=False)

    def idle(self, seconds: float) -> None:
        """Let the bridge start up and ask its questions."""
        self.loop.at(now() + seconds, self._stop)
        self._run()

    def run(
        self, scenario: Scenario, bridge_port: int, sample: Callable[[], Any], *more_ports: int
    ) -> Result:
        self.load = load = Load(self, scenario, bridge_port, *more_ports)
        load.schedule(sample, self._stop)
        gc.collect()
        gc.disable()  # no pauses of ours in the bridge's figures
        try:
            self._run()
        finally:
            gc.enable()
        self.load = None
        self.idle(1.0)  # the bridge closes its sessions
        return load.result()

    def _run(self) -> None:
        self.loop.stopped = False
        self.loop.run()

    def _stop(self) -> None:
        self.loop.stopped = True

    def close(self) -> None:
        self._listener.close()


class Load(Samples):
    def __init__(self, world: FakeWorld, scenario: Scenario, *bridge_ports: int) -> None:
        super().__init__(world.loop, scenario, *bridge_ports)
        self.phones = [FakePhone(self, call) for call in range(scenario.calls)]
        self.sessions: list[Session] = []
        self._opens = self._closes = float("inf")
        self._forward: list[float] = []
        self._back: list[float] = []
        self._sampled: list[Any] = []
        self._busy_s = 0.0

    def schedule(self, sample: Callable[[], Any], stop: Callable[[], None]) -> None:
        at, scenario = self.loop.at, self.scenario
        begin = now() + 0.05
        for index, phone in enumerate(self.phones):
            at(begin + index * scenario.ramp_s, phone.ring)
        opens = begin + len(self.phones) * scenario.ramp_s + scenario.ring_s + scenario.warm_s
        at(opens, self._open, sample)
        at(opens + scenario.window_s, self._close, sample)
        at(opens + scenario.window_s + 1.0, self._hang_up)
        at(opens + scenario.window_s + 1.5, stop)

    def _open(self, sample: Callable[[], Any]) -> None:
        self._sampled.append(sample())
        self._busy_s = self.loop.busy_s
        self._opens = now()

    def _close(self, sample: Callable[[], Any]) -> None:
        self._closes = now()
        self._busy_s = self.loop.busy_s - self._busy_s
        self._sampled.append(sample())
        self.quiet = True

    def _hang_up(self) -> None:
        for phone in self.phones:
            phone.failed = phone.failed or not phone.streaming
            phone.hang_up()

    # -- what arrives -----------------------------------------------------------------------

    def session_opened(self, session: Session) -> None:
        self.sessions.append(session)

    def frame_arrived(self, call: int, number: int, when: float) -> None:
        sent = self.phones[call].sent_at[number]
        if self._opens <= sent < self._closes:
            self._forward.append(when - sent)

    def delta_arrived(self, at_call: int, call: int, number: int, when: float) -> None:
        sent = self.model_of[call].deltas_at[number]
        if self._opens <= sent < self._closes and call == at_call:
            self._back.append(when - sent)

    def call_without_frames(self) -> int:
        """The call of a session that speaks before it hears (its frames name it otherwise): the next one."""
        return next(phone.call for phone in self.phones if phone.call not in self.model_of)

    def result(self) -> Result:
        sent = sum(sum(self._opens <= at < self._closes for at in phone.sent_at) for phone in self.phones)
        window_s = self._closes - self._opens
        return Result(
            calls=self.scenario.calls,
            failed=sum(phone.failed for phone in self.phones),
            forward=[round(s * 1000, 3) for s in sorted(self._forward)],
            back=[round(s * 1000, 3) for s in sorted(self._back)],
            lost_frames=sent - len(self._forward),
            out_of_order=sum(session.out_of_order for session in self.sessions),
            lost_chars=sum(m.sent_chars for m in self.sessions) - sum(p.received_chars for p in self.phones),
            first_audio=sorted(p.first_audio_ms for p in self.phones if p.first_audio_ms is not None),
            answered_audio=sorted(
                p.answered_audio_ms for p in self.phones if p.answered_audio_ms is not None
            ),
            before=self._sampled[0],
            after=self._sampled[1],
            window_s=window_s,
            generator_busy=self._busy_s / window_s,
        )
