"""``llcphone demo``: whole calls over loopback, no account needed, and a verdict on them.

A caller rings and is answered; then two calls are placed, one to a guest who answers, one to a busy line.

The other files: ``script`` the story, ``telephone`` its people, ``run`` holds it and ``call`` is a call as it
goes on, ``facts`` what each side saw, ``waterfall``, ``verdict`` and ``verdict_outbound`` what follows from
it, ``view`` and ``summary`` how a person sees it. ``mode_run`` and ``modes`` are ``--mode``.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio
from rich.console import Console

from llcphone.demo import script as story
from llcphone.demo.call import DemoCall
from llcphone.demo.facts import Facts, OutboundFacts
from llcphone.demo.player import find_live_player, find_player, no_player, play
from llcphone.demo.summary import show_checks, show_files, show_verdict, show_waterfall
from llcphone.demo.verdict import judge
from llcphone.demo.verdict_outbound import judge_outbound
from llcphone.demo.view import CallView
from llcphone.demo.waterfall import waterfall
from llcphone.errors import ConfigError
from llcphone.sim.model.hearing import SEMANTIC_PADDING_MS, SILENCE_MS, Hearing, Started, Stopped
from llcphone.sim.wav import SpeechFileError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from llcphone.demo.run import DemoRun

INTRODUCTION = (
    "All on this computer, without account or network: Twilio's telephone line and OpenAI's Realtime API "
    "(the model that listens and speaks) are simulated, the server between them is the real one."
)

CALL_LIMIT_S = 150.0
"""For all calls, on top of the length of the user's own recordings."""

FILES = {
    "call.wav": "what was said (left) and heard (right), in true time",
    "timeline.jsonl": "what happened, in ms since the call was born",
    "record.json": "the call record",
    "call-outbound.wav": "the call we placed",
    "timeline-outbound.jsonl": "its timeline",
    "record-outbound.json": "its record",
}


def run_demo(
    out: Path,
    *,
    caller: Sequence[Path] = (),
    dialect: str = "ga",
    inbound_only: bool = False,
    quiet: bool = False,
    aloud: bool = False,
    model_faults: Mapping[str, Any] | None = None,
) -> int:
    """Hold the calls, show them, write their files; returns the exit code, 0 only if every check holds.

    Args:
        out: folder for the files, see ``FILES``; made if it is missing.
        caller: speech files that replace the scripted caller's; fewer checks apply.
        dialect: what the simulated Realtime API speaks, ``ga`` or ``flat``.
        inbound_only: place no calls.
        quiet: show the summary only.
        aloud: play the calls while they go on, or afterwards where no player here can do that.
        model_faults: fields of ``llcphone.sim.model.Faults``, to see the demo fail.

    Raises:
        ConfigError: a speech file cannot be read, or holds no speech.
    """
    console = Console(highlight=False)
    view = CallView(Console(quiet=True) if quiet else console)
    speech_s = _own_speech(caller, view)
    if aloud and find_player() is None:
        console.print(no_player())
    out.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (out / name).unlink(missing_ok=True)  # an earlier run's must not pass for this one's
    interrupted = unread = False
    try:
        view.open_with(_what_comes(own=bool(caller), inbound_only=inbound_only), INTRODUCTION)
        view.say("starting: the server, a simulated telephone, a simulated model")
        from llcphone.demo.run import DemoRun  # takes a second: not before the first line

        run = DemoRun(
            out.resolve(),
            caller,
            dialect,
            dict(model_faults or {}),
            view,
            DemoCall(Facts(own=[file.name for file in caller])),
            None if inbound_only else OutboundFacts(),
            player=find_live_player() if aloud else (),
        )
        trio.run(partial(run.hold_calls, CALL_LIMIT_S + speech_s))
    except* KeyboardInterrupt:
        interrupted = True
    except* SystemExit:  # rich's word for a reader that has gone, as ``head`` does
        unread = True
    if unread:
        return 0
    if interrupted:
        console.print("interrupted")
        return 130
    code = _conclude(run, console)
    if aloud and not run.player:
        files = [out / name for name in FILES if name.endswith(".wav") and (out / name).exists()]
        play(files, partial(console.print, soft_wrap=True))
    return code


def _what_comes(*, own: bool, inbound_only: bool) -> str:
    """What will be seen."""
    story = (
        f"{'You ring' if own else 'A caller rings'} a restaurant, and the server answers with an AI voice."
    )
    if own:
        story += " Nobody here understands your words: the answers you will hear are scripted."
    return story if inbound_only else f"{story} Then it rings two guests itself."


def _own_speech(files: Sequence[Path], view: CallView) -> float:
    """Say what is heard in the user's own recordings; returns their length in seconds."""
    total_s = 0.0
    for file, line in zip(files, story.own_lines(files), strict=True):
        try:
            audio = line.load()
        except (OSError, SpeechFileError) as exc:
            raise ConfigError("--caller", f"cannot be used: {exc}", "name a WAV file of speech") from None
        total_s += len(audio) / 8000
        if not (spoken_s := _spoken_s(audio)):
            why = f"no speech was found in {file.name}: it is silence, or too quiet"
            raise ConfigError("--caller", why, f"sox {file.name} louder.wav gain -n -3")
        view.say(f"{file.name}: {len(audio) / 8000:.1f} s long, about {spoken_s:.1f} s of it speech")
    return total_s


def _spoken_s(audio: bytes) -> float:
    """How long the simulated model will hear somebody speak."""
    detection = {"type": "semantic_vad", "eagerness": "high"}
    heard = Hearing().listen(audio + b"\xff" * 16_000, "audio/pcmu", detection)
    begun = [event.start_ms for event in heard if isinstance(event, Started)]
    ended = [event.end_ms for event in heard if isinstance(event, Stopped)]
    if not begun:
        return 0.0
    waits_ms = SILENCE_MS["high"] + SEMANTIC_PADDING_MS  # what a turn has around its sound
    return max(100, sum(ended) - sum(begun) - waits_ms * len(ended)) / 1000


def _conclude(run: DemoRun, console: Console) -> int:
    """Write the files, say how it went; returns the exit code."""
    out, inbound, outbound = run.out, run.inbound, run.outbound
    inbound.write(out / "timeline.jsonl", out / "record.json")
    if run.guest is not None:
        run.guest.write(out / "timeline-outbound.jsonl", out / "record-outbound.json")
    answers, checks = waterfall(inbound.facts), judge(inbound.facts)
    placed = [] if outbound is None else judge_outbound(outbound)
    if outbound is not None:
        answers += [
            attrs.evolve(answer, title=f"{answer.title}, to the guest we rang")
            for answer in waterfall(outbound.guest)
        ]
    show_waterfall(console, answers)
    show_checks(console, "The call that came in", checks)
    if run.caller:
        console.print("  The answers were scripted: no model has understood your words.")
        console.print("  With your own recordings, tools and interruptions are not asked for.")
    if placed:
        show_checks(console, "The calls we placed", placed)
    show_verdict(console, [*checks, *placed])
    show_files(console, {out / name: what for name, what in FILES.items() if (out / name).exists()})
    return 0 if all(check.ok for check in [*checks, *placed]) else 1
