"""``llcphone sim phone``: ring a running server, or be the Twilio that it rings people through."""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import attrs
import trio

from llcphone.sim import voices
from llcphone.sim.twilio.call import CallOver, SimCall
from llcphone.sim.twilio.playout import SAMPLES_PER_MS
from llcphone.sim.twilio.simulator import open_twilio
from llcphone.sim.twilio.steps import Callee
from llcphone.sim.wav import read_speech

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llcphone.sim.twilio.record import CallRecord

DEFAULT_SAY = ("hello_opening_hours", "book_table", "goodbye")
"""Recordings said when none are named."""
SILENCE_MS = 700
"""The agent has finished when it has been silent for this long."""
LONGEST_ANSWER_S = 60.0
"""An agent that talks for longer is talked over."""


class ServerSide(TypedDict, total=False):
    """The account and address of the server, as `open_twilio` takes them."""

    account_sid: str
    numbers: Sequence[str]
    public_url: str | None
    connect_to: tuple[str, int] | None


@attrs.frozen
class PhoneSummary:
    """How a call went, in figures a person can judge."""

    record: CallRecord
    said: int
    """Recordings said."""
    agent_ms: int
    """Agent voice heard."""
    answer_gaps_ms: list[int]
    """For each recording that was answered: its end to the first agent voice after it."""

    @property
    def ok(self) -> bool:
        """The call was answered, the agent spoke and Twilio logged nothing but the server's own hang-up."""
        return self.agent_ms > 0 and set(self.record.error_codes) <= {31921}

    def lines(self) -> list[str]:
        """The summary as text."""
        gaps = ", ".join(f"{gap} ms" for gap in self.answer_gaps_ms) or "none"
        ended_by = self.record.ended_by.value if self.record.ended_by else "not yet"
        return [
            f"call: {self.record.duration_ms / 1000:.1f} s, ended: {ended_by}",
            f"caller: {self.said} recordings said",
            f"agent: {self.agent_ms / 1000:.1f} s of voice heard",
            f"answer gaps: {gaps}",
            *(f"Twilio error {error.code} at {error.at_ms} ms: {error.text}" for error in self.record.errors),
        ]


async def run_phone(
    url: str,
    auth_token: str,
    say: Sequence[Path | str] = DEFAULT_SAY,
    *,
    printer: Callable[[str], None] = print,
    patience_s: float = 20.0,
    wav: Path | str | None = None,
    **server: Unpack[ServerSide],
) -> PhoneSummary:
    """Ring a running server and hold a call of recordings.

    Args:
        url: the server's voice webhook, such as ``http://127.0.0.1:8081/twiml``.
        auth_token: the Auth Token the server checks signatures with.
        say: speech files, or names of the bundled voices, said one after the other.
        printer: called with a line per event.
        patience_s: longest wait for the agent to start speaking.
        wav: write the call there as stereo WAV.
        server: as for `open_twilio`; the first of its ``numbers`` is called.

    Raises:
        SpeechFileError, OSError: a speech file cannot be read.
        KeyError: no such voice.
    """
    speeches = [_load(name) for name in say]

    async with open_twilio(webhook_url=url, auth_token=auth_token, **server) as twilio:
        call = await twilio.ring(on_event=partial(_print_event, printer))
        script = _Script(call, patience_s)
        with contextlib.suppress(CallOver):
            await call.stream_started()
            await script.listen()
            for speech in speeches:
                await script.say(speech)
        call.hang_up()
        record = await call.ended()
        if wav is not None:
            call.write_wav(wav)
        agent_ms = call.playout.voiced(call.log.now) // SAMPLES_PER_MS
        return PhoneSummary(record, script.said, agent_ms, script.gaps_ms)


async def run_rest(
    url: str,
    auth_token: str,
    *,
    callee: Callee | Callable[[str], Callee] = Callee(),  # noqa: B008 (frozen)
    port: int = 0,
    printer: Callable[[str], None] = print,
    **server: Unpack[ServerSide],
) -> None:
    """Be the Twilio through which a running server rings people, until cancelled.

    Args:
        url: the server's voice webhook, such as ``http://127.0.0.1:8081/twiml``.
        callee: how people behave, all or by number.
        port: of the REST API on this machine; 0 takes a free one.
        printer: given the setting that leads to the API once it is served, and then each event.
        server: as for `open_twilio`.
    """

    async with open_twilio(
        webhook_url=url,
        auth_token=auth_token,
        callee=callee,
        api_port=port,
        on_event=partial(_print_event, printer),
        **server,
    ) as twilio:
        printer("Twilio is simulated. The line for .env:")
        printer(f"LLCPHONE_TWILIO__API_URL={twilio.api_url}")
        await trio.sleep_forever()


def _print_event(printer: Callable[[str], None], at_ms: int, line: str) -> None:
    printer(f"{at_ms / 1000:8.3f} s  {line}")


@attrs.define
class _Script:
    """The caller's manners: lets the agent finish, and waits a limited time for it to begin."""

    call: SimCall
    patience_s: float
    said: int = 0
    gaps_ms: list[int] = attrs.field(factory=list)

    async def listen(self) -> None:
        """Hear the agent out, if it speaks at all."""
        with trio.move_on_after(self.patience_s) as patience:
            await self.call.hears()
        if patience.cancelled_caught:
            self.call.log.event("the agent says nothing")
            return
        self.call.log.event("the agent speaks")
        if self.said:
            self.gaps_ms.append(self.call.log.now_ms - self.call.mouth.last_said_at // SAMPLES_PER_MS)
        with trio.move_on_after(LONGEST_ANSWER_S):
            await self.call.silence_for(SILENCE_MS)

    async def say(self, speech: bytes) -> None:
        self.call.log.event(f"the caller speaks for {len(speech) / 8000:.1f} s")
        await self.call.speak(speech)
        self.said += 1
        await self.listen()


def _load(name: Path | str) -> bytes:
    if isinstance(name, str) and name in voices.TEXTS:
        return voices.load(name)
    return read_speech(Path(name).expanduser())
