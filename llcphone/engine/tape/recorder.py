"""A call's tape: what the engine was given and what it decided, line by line; and its replay.

A ``Recorder`` is called in place of an engine. Its lines are JSON:

    header   the version of llcphone and the call's setup
    step     an event, its time, what was decided, and when the engine wants to be woken
    frames   caller frames of one size between two steps: how many came, and how many went on to the
             model. A frame decides nothing else, so only the time of the last one is kept
    alive    signs of life of the model between two steps, which decide nothing: how many, and when the last
             one came
    cut      why the tape ends although the call went on

Notes are no decisions, so a tape stays valid when notes change. A recorder that fails stops recording; it
never fails the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from llcphone.audio import payload_bytes
from llcphone.engine.call import CallEngine
from llcphone.engine.call_setup import CallSetup
from llcphone.engine.events import Event
from llcphone.engine.note import Note
from llcphone.engine.tape.codec import Aliases, Data, as_data, audio_of, read
from llcphone.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from llcphone.engine.commands import Command

FORMAT = 2
"""Raised when old tapes can no longer be read."""


class Header(msgspec.Struct, tag_field="is", tag="tape"):
    format: int
    llcphone: str
    """The version that recorded it."""
    setup: Data


class Step(msgspec.Struct, tag_field="is", tag="step"):
    now_ms: int
    event: Data
    decided: list[Data] | str
    """Its commands without notes, a third element counting equal neighbours; or the error it raised."""
    wake_ms: int | None
    """The engine's next deadline, from now; None: only events can wake it."""


class Frames(msgspec.Struct, tag_field="is", tag="frames", omit_defaults=True):
    now_ms: int
    """When the last of them came."""
    frames: int
    bytes: int
    """Audio in each."""
    sent: int
    """How many went on to the model at once."""
    loud_ms: int = 0
    """When the last loud one came, where that matters: audio on tape is silent. 0: none was."""


class Alive(msgspec.Struct, tag_field="is", tag="alive"):
    now_ms: int
    """When the last of them came."""
    signs: int


class Cut(msgspec.Struct, tag_field="is", tag="cut"):
    why: str


Line = Header | Step | Frames | Alive | Cut

_decode = msgspec.json.Decoder(Line).decode


# -- recording ----------------------------------------------------------------------------------


class Recorder:
    """An engine whose events and decisions go on tape."""

    def __init__(self, engine: CallEngine, write: Callable[[bytes], bool], *, version: str) -> None:
        """Record this engine.

        Args:
            engine: it has decided nothing yet.
            write: keeps a line, without waiting; False: no more, please.
            version: ours, for the header.
        """
        self._engine = engine
        self._write = write
        self._aliases: Aliases = {}
        self._frames = self._sent = 0
        """Frames since the last line, and how many of them went on; each of ``_size`` bytes."""
        self._size = 0
        self._loud_ms = 0
        self._signs = 0
        """Signs of life since the last line."""
        self._length = -1
        self._on = True
        self._tell(self._header, version)

    def handle(self, event: Event, now_ms: int) -> list[Command]:
        """``CallEngine.handle``; a fault in it is put on tape too."""
        if not self._on or self._engine.ended is not None:
            return self._engine.handle(event, now_ms)
        self._tell_frames()
        try:
            commands = self._engine.handle(event, now_ms)
        except Exception as exc:
            self._tell(self._step, event, now_ms, exc)
            raise
        self._tell(self._step, event, now_ms, commands)
        return commands

    def hear(self, payload: bytes, now_ms: int) -> bytes | None:
        """``CallEngine.hear``, counted."""
        if len(payload) != self._length or not payload.endswith(b"=="):
            self._look_at_size(payload)
        through = self._engine.hear(payload, now_ms)
        self._frames += 1
        self._sent += through is not None
        return through

    def model_alive(self, now_ms: int) -> None:
        """``CallEngine.model_alive``, counted."""
        self._engine.model_alive(now_ms)
        self._signs += 1

    def close(self) -> None:
        """The call is over."""
        self._tell_frames()
        self._on = False

    def _header(self, version: str) -> Line:
        return Header(FORMAT, version, as_data(self._engine.setup, self._aliases))

    def _step(self, event: Event, now_ms: int, outcome: list[Command] | Exception) -> Line:
        decided = _decided(outcome, self._aliases)
        return Step(now_ms, as_data(event, self._aliases), decided, _wake_ms(self._engine, now_ms))

    def _look_at_size(self, payload: bytes) -> None:
        if (size := payload_bytes(payload)) != self._size:
            self._tell_frames()
            self._size = size
        # Twilio's frames of 160 bytes end so: then the length alone tells the next one's size.
        self._length = len(payload) if payload.endswith(b"==") else -1

    def _tell_frames(self) -> None:
        engine = self._engine
        if self._frames and engine.ended is None:
            loud_ms = 0 if engine.state.loud_ms == self._loud_ms else engine.state.loud_ms
            self._loud_ms = engine.state.loud_ms
            self._tell(Frames, engine.state.last_frame_ms, self._frames, self._size, self._sent, loud_ms)
        if self._signs and engine.ended is None:
            self._tell(Alive, engine.state.model_alive_ms, self._signs)
        self._frames = self._sent = self._signs = 0

    def _tell(self, make: Callable[..., Line], *args: Any) -> None:
        if not self._on:
            return
        try:
            self._on = self._write(_text(make(*args)))
        except Exception as exc:  # no call ends for its tape
            self._on = False
            self._write(cut_line(_raised(exc)))


def cut_line(why: str) -> bytes:
    """The last line of a tape that ends before its call does."""
    return _text(Cut(why))


def _text(line: Line) -> bytes:
    return msgspec.json.encode(line) + b"\n"


def _raised(exc: Exception) -> str:
    return f"raised {type(exc).__name__}"  # its text may hold what somebody said


def _wake_ms(engine: CallEngine, now_ms: int) -> int | None:
    due_ms = engine.next_deadline_ms
    return None if due_ms is None else due_ms - now_ms


def _decided(outcome: list[Command] | Exception, aliases: Aliases) -> list[Data] | str:
    if isinstance(outcome, Exception):
        return _raised(outcome)
    decided: list[Data] = []
    for command in outcome:
        if isinstance(command, Note):
            continue
        data = as_data(command, aliases)
        if decided and decided[-1][:2] == data:  # a second of kept audio is fifty of them
            decided[-1] = [*data, decided[-1][2] + 1 if len(decided[-1]) > 2 else 2]
        else:
            decided.append(data)
    return decided


# -- replaying ----------------------------------------------------------------------------------


@attrs.frozen
class Difference:
    """The first line on which two engines differ."""

    line: int
    """Its number in the file, from 1."""
    after_ms: int
    """Since the call's birth."""
    recorded: Step | Frames
    replayed: Step | Frames


@attrs.frozen
class Replay:
    """What became of a tape."""

    version: str
    """The version that recorded it."""
    steps: int
    frames: int
    lasted_ms: int
    cut: str
    """Why the tape ends before its call; empty: it does not say so."""
    difference: Difference | None


def replay(lines: Iterable[bytes]) -> Replay:
    """Give the events of a tape to this version's engine, up to its first other decision.

    Raises:
        RemoteProtocolError: it is no tape, or one of another format.
    """
    told = _again(lines)
    header = next(told)[1]
    assert isinstance(header, Header)
    steps = frames = 0
    first_ms: int | None = None
    now_ms, cut = 0, ""
    difference: Difference | None = None
    for number, recorded, replayed in told:
        if isinstance(recorded, Cut):
            cut = recorded.why
            break
        if isinstance(recorded, Alive):
            continue
        assert isinstance(recorded, Step | Frames)
        assert isinstance(replayed, Step | Frames)
        now_ms = recorded.now_ms
        first_ms = now_ms if first_ms is None else first_ms
        steps += isinstance(recorded, Step)
        frames += recorded.frames if isinstance(recorded, Frames) else 0
        if recorded != replayed:
            difference = Difference(number, now_ms - first_ms, recorded, replayed)
            break
    return Replay(header.llcphone, steps, frames, now_ms - (first_ms or 0), cut, difference)


def accepted(lines: Iterable[bytes], *, version: str) -> list[bytes]:
    """The same tape with the decisions of this version's engine, up to the end it comes to.

    Raises:
        RemoteProtocolError: it is no tape, or one of another format.
    """
    told = [replayed for _, _, replayed in _again(lines)]
    assert isinstance(told[0], Header)
    told[0].llcphone = version
    return [_text(line) for line in told]


def _again(lines: Iterable[bytes]) -> Iterator[tuple[int, Line, Line]]:
    """Each line with its number, as it was recorded and as it is decided now."""
    told = _read(lines)
    number, header = next(told, (0, None))
    if not isinstance(header, Header) or header.format != FORMAT:
        raise RemoteProtocolError(_why_none(number, header))
    engine = CallEngine(read(CallSetup, header.setup))
    aliases: Aliases = {}
    yield number, header, header
    for number, line in told:
        match line:
            case Step():
                yield number, line, _step_again(engine, line, aliases)
            case Frames():
                payload = audio_of(line.bytes)
                sent = sum(engine.hear(payload, line.now_ms) is not None for _ in range(line.frames))
                engine.state.loud_ms = line.loud_ms or engine.state.loud_ms
                yield number, line, Frames(line.now_ms, line.frames, line.bytes, sent, line.loud_ms)
            case Alive():
                engine.model_alive(line.now_ms)
                yield number, line, line
            case _:
                yield number, line, line
        if engine.ended is not None:
            return


def _why_none(number: int, first: object) -> str:
    """What is wrong with a file that does not begin as a tape."""
    if not number:
        return "it is empty"
    if isinstance(first, Cut):
        return "it was cut in its first line"
    if isinstance(first, Header):
        return f"it is a tape of format {first.format}, and this version reads format {FORMAT}"
    return "it is no tape, or its beginning is missing"


def _step_again(engine: CallEngine, line: Step, aliases: Aliases) -> Step:
    event = read(Event, line.event)
    outcome: list[Command] | Exception
    try:
        outcome = engine.handle(event, line.now_ms)
    except Exception as exc:  # what the tape of a fault is for
        outcome = exc
    return Step(line.now_ms, line.event, _decided(outcome, aliases), _wake_ms(engine, line.now_ms))


def _read(lines: Iterable[bytes]) -> Iterator[tuple[int, Any]]:
    """The lines that can be read; a last one that was not written to its end is a cut."""
    for number, text in enumerate(lines, 1):
        try:
            yield number, _decode(text)
        except msgspec.DecodeError:
            if text.endswith(b"\n"):
                raise RemoteProtocolError(f"line {number} is not of a tape") from None
            yield number, Cut("the last line was not written to its end")
