"""``llcphone demo``: a whole call over loopback, no account needed, and a verdict on it.

Three processes hold it: this one is the server, exactly as ``llcphone serve`` runs it (door, quart-trio,
phone, with signatures checked against a made-up token), and each vendor's simulator is a process of its own
(``demo_party``). So only the server's work is in the server's timings, no loop or lock is shared, and what
the checks compare was really seen by different parties. The server believes in a public https address;
the simulated Twilio reaches it on loopback, as through a tunnel.

The other files: ``demo_script`` the story, ``demo_facts`` what the parties report, ``demo_waterfall`` and
``demo_report`` what follows from it, ``demo_view`` how a person sees it.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import trio
from rich.console import Console

from llcphone import demo_script as story
from llcphone.config import Config
from llcphone.demo_facts import Entry, Facts, ModelFacts, PhoneFacts
from llcphone.demo_process import Census, open_party, warnings_to
from llcphone.demo_report import judge
from llcphone.demo_view import WIDTH, CallView, show_files, show_verdict, show_waterfall
from llcphone.demo_waterfall import waterfall
from llcphone.errors import ConfigError
from llcphone.phone import Call, Phone, open_phone
from llcphone.server.run import serve
from llcphone.sim.wav import SpeechFileError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from llcphone.call.record import CallRecord
    from llcphone.engine.commands import Note
    from llcphone.server.door import Door

PUBLIC_URL = "https://casa-verde.example"
AUTH_TOKEN = "a-made-up-token-for-the-demo"

ASK_S = 3.0
"""What the dialect question may take before the caller rings all the same."""

DRAIN_S = 5.0

CALL_LIMIT_S = 120.0
"""On top of the length of the user's own recordings."""

FILES = {
    "call.wav": "what was said (left) and heard (right), in true time",
    "timeline.jsonl": "what happened, in ms since the call was born",
    "record.json": "the call record",
}


def run_demo(
    out: Path,
    *,
    caller: Sequence[Path] = (),
    dialect: str = "ga",
    quiet: bool = False,
    model_faults: Mapping[str, Any] | None = None,
) -> int:
    """Hold the call, show it, write its files; returns the exit code, 0 only if every check holds.

    Args:
        out: folder for ``call.wav``, ``timeline.jsonl`` and ``record.json``; made if it is missing.
        caller: speech files that replace the scripted caller's; fewer checks apply.
        dialect: what the simulated Realtime API speaks, ``ga`` or ``flat``.
        quiet: show the summary only.
        model_faults: fields of ``llcphone.sim.model.Faults``, to see the demo fail.

    Raises:
        ConfigError: a speech file cannot be read.
    """
    console = Console(highlight=False, width=WIDTH)
    speech_s = _length_s(caller)
    out.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (out / name).unlink(missing_ok=True)  # an earlier run's must not pass for this one's
    demo = Demo(
        out.resolve(),
        [str(file.resolve()) for file in caller],
        dialect,
        dict(model_faults or {}),
        CallView(Console(quiet=True) if quiet else console),
        Facts(own=bool(caller)),
    )
    interrupted = False
    try:
        trio.run(partial(demo.hold_call, CALL_LIMIT_S + speech_s))
    except* KeyboardInterrupt:
        interrupted = True
    if interrupted:
        console.print("interrupted")
        return 130
    checks = judge(demo.facts)
    demo.write_files()
    show_waterfall(console, waterfall(demo.facts))
    show_verdict(console, checks)
    if caller:
        console.print("  With your own recordings, tools and interruptions are not asked for.")
    show_files(console, demo.files())
    return 0 if all(check.ok for check in checks) else 1


def _length_s(files: Sequence[Path]) -> float:
    """How long the user's own recordings are, in seconds."""
    try:
        return sum(len(line.load()) / 8000 for line in story.own_lines(files))
    except (OSError, SpeechFileError) as exc:
        raise ConfigError("--caller", f"cannot be used: {exc}") from None


def make_config(model_url: str) -> Config:
    """As a user would write it: everything else keeps its default."""
    return Config.from_dict(
        {
            "realtime": {"url": model_url, "api_key": "sk-demo", "transcription_model": "gpt-4o-transcribe"},
            "server": {"port": 0, "public_url": PUBLIC_URL},
            "twilio": {"auth_token": AUTH_TOKEN},
            "records": {"transcript": True},
        }
    )


@attrs.define(eq=False)
class Demo:
    """One run of the demo."""

    out: Path
    caller: list[str]
    dialect: str
    model_faults: dict[str, Any]
    view: CallView
    facts: Facts
    _unseen: list[Entry] = attrs.field(factory=list)
    """Notes not drawn yet."""
    _elsewhere: list[tuple[float, str, str]] = attrs.field(factory=list)
    """What others than the call said: (moment, party, what); perhaps before the call was born."""

    # -- the parties ------------------------------------------------------------------------

    async def hold_call(self, limit_s: float) -> None:
        """Open all three parties, let the caller ring, collect the facts."""
        with trio.move_on_after(limit_s), self.view.open(), warnings_to(self._warned):
            self.view.open_with("simulated Twilio ⇄ llcphone ⇄ simulated Realtime API")
            settings = {"files": self.caller, "dialect": self.dialect, "faults": self.model_faults}
            async with open_party("model", settings) as model:
                ready = await model.next()
                if ready is None:
                    return
                before = Census.take()
                await self._serve(make_config(ready["url"]))
                after = Census.take()
                self.facts.tasks_left = sorted((after.tasks - before.tasks).elements())
                self.facts.sockets_left = max(0, after.sockets - before.sockets)
                await model.let_go()
                self.facts.model = await model.report(ModelFacts)

    async def _serve(self, config: Config) -> None:
        async with (
            open_phone(config, story.make_agent(), on_record=self._keep, on_note=self._note) as phone,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(self._draw, name="view")
            door: Door = await nursery.start(serve, phone, config, name="server")
            await self._ask(phone)
            await self._ring(door.addresses[0][1])
            await phone.drain(DRAIN_S)
            door.stop_accepting()
            nursery.cancel_scope.cancel(reason="over")

    async def _ask(self, phone: Phone) -> None:
        """A server that has been up for a while knows the dialect before anybody rings."""
        self.view.say("asking the Realtime API for its dialect, flat first")
        with trio.move_on_after(ASK_S):
            while phone.endpoint.trouble is not None:  # noqa: ASYNC110 (a question, not an event)
                await trio.sleep(0.02)
        answer = phone.endpoint.dialects.answer
        self.facts.dialect = answer.value if answer is not None else ""
        trouble = phone.endpoint.trouble
        self.view.say(f"it speaks {self.facts.dialect}" if trouble is None else f"no session yet: {trouble}")

    async def _ring(self, port: int) -> None:
        settings = {
            "files": self.caller,
            "auth_token": AUTH_TOKEN,
            "public_url": PUBLIC_URL,
            "port": port,
            "wav": str(self.out / "call.wav"),
        }
        async with open_party("phone", settings) as caller:
            while (message := await caller.next()) is not None:
                if message["kind"] == "event":
                    self._elsewhere.append((message["at_s"], "phone", message["what"]))
                elif message["kind"] == "report":
                    self.facts.phone = msgspec.convert(message["report"], PhoneFacts)

    # -- what the server tells --------------------------------------------------------------

    def _keep(self, record: CallRecord) -> None:
        self.facts.record = record

    def _note(self, call: Call, note: Note) -> None:
        """Inside the engine's step: write it down, draw it later."""
        if self.view.engine is None:
            self.view.engine = call.run.engine
            self.facts.born_s = time.perf_counter() - trio.current_time() + call.run.engine.born_ms / 1000
        at_ms = round(trio.current_time() * 1000) - call.run.engine.born_ms
        entry = Entry(at_ms, "server", note.kind, dict(note.fields), note.words)
        self.facts.timeline.append(entry)
        self._unseen.append(entry)

    def _warned(self, text: str) -> None:
        self._elsewhere.append((time.perf_counter(), "log", text))

    async def _draw(self) -> None:
        try:
            while True:
                self._draw_now()
                await trio.sleep(0.1)
        finally:
            self._draw_now()
            self.view.finish()

    def _draw_now(self) -> None:
        now_ms = round(trio.current_time() * 1000)
        unseen, self._unseen = self._unseen, []
        for entry in sorted(unseen, key=lambda entry: (entry.at_ms, entry.kind == "floor")):
            self.view.show(entry)  # of one step, what moved the floor before the floor
        self.view.refresh(now_ms)

    # -- files ------------------------------------------------------------------------------

    def files(self) -> dict[Path, str]:
        """What was written, and what it is."""
        return {self.out / name: what for name, what in FILES.items() if (self.out / name).exists()}

    def write_files(self) -> None:
        """The timeline and the record; the telephone has written the WAV."""
        born_s = self.facts.born_s or 0.0
        others = [Entry(round((at_s - born_s) * 1000), who, what) for at_s, who, what in self._elsewhere]
        entries = sorted([*self.facts.timeline, *others], key=lambda entry: entry.at_ms)
        lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        (self.out / "timeline.jsonl").write_bytes(lines)
        if self.facts.record is not None:
            text = msgspec.json.format(msgspec.json.encode(self.facts.record.as_dict()), indent=2)
            (self.out / "record.json").write_bytes(text + b"\n")
