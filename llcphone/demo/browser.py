"""What is behind the telephone in a browser: the server, a simulated Twilio before it, and a model.

The agent is your own, a mode, or, where there are no settings, that of the demo. The model is the real one if
there is a key for it. Everything else that belongs to your deployment stays out: account, numbers, the
database, webhooks, calendars. Nobody is called and nothing is kept.
"""

from __future__ import annotations

import datetime
import tempfile
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.config import Config
from llcphone.config.console import ConsoleConfig
from llcphone.console.line import NUMBERS, Cue, Lines
from llcphone.console.open import open_console
from llcphone.demo import script as story
from llcphone.demo.mode_story import NAME, SHOP, Actor, choose_story, speak
from llcphone.demo.mode_words import voice_of, words_in
from llcphone.demo.modes import PACE, WEEK, mode_settings
from llcphone.errors import ConfigError
from llcphone.modes import routed
from llcphone.modes.agent_file import agent_of, load_agent
from llcphone.phone.open import open_phone
from llcphone.runtime.time_zones import zone_of
from llcphone.server.run import serve
from llcphone.sim import voices
from llcphone.sim.model import ModelScript, load_script
from llcphone.sim.twilio import open_twilio
from llcphone.testing.stage import layered, open_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from llcphone.console.console import Console
    from llcphone.phone.agents import AgentChoice
    from llcphone.phone.phone import Phone
    from llcphone.server.listener import PublicListener
    from llcphone.testing import Stage

OF_DEPLOYMENT = (
    "server",
    "twilio",
    "outbound",
    "api",
    "journal",
    "store",
    "calendar",
    "webhook",
    "process",
    "records",
    "metrics",
    "console",
)
"""Sections of the settings that stay out."""
DRAIN_S = 2.0
OWN_CALLS = ConsoleConfig(words="show", numbers="show", audio="show")
"""Of the console: whoever talks to the agent sees what is said."""


@attrs.define(kw_only=True)
class Behind:
    """Who answers the telephone, and how."""

    settings: dict[str, dict[str, Any]] = attrs.field(repr=False)
    """Sections of the user's own."""
    agent: AgentChoice
    real: bool
    """The model is the real one."""
    script: ModelScript = attrs.field(factory=ModelScript)
    """What the simulated model says."""
    cues: Sequence[Cue] = ()
    """What the caller may say to it."""
    actor: Actor | None = None
    """Who acts the model's side of a mode."""
    record: bool = False
    """Calls are recorded until it ends, and the caller is told."""

    @property
    def model(self) -> str:
        """Which model it is, in words."""
        return str(self.settings["realtime"]["model"]) if self.real else "simulated"


def behind(
    config: Config, agent: Path | None, mode: str, *, real: bool, script: Path | None = None
) -> Behind:
    """Choose who answers.

    Args:
        config: the user's settings.
        agent: a Python file with an agent; None: as the settings say.
        mode: a mode's name instead; "": none.
        real: let the real model answer.
        script: a file with what the simulated model says; None: a script that fits the agent.

    Raises:
        ConfigError: a setting or a file cannot be used.
    """
    chosen = _choose(config, agent, mode, real)
    if script is not None:
        chosen.script, chosen.actor = load_script(script), None
        chosen.cues = [Cue(words, "") for words in chosen.script.hears]
    chosen.script = attrs.evolve(chosen.script, voice=partial(speak, voice=voice_of(config.company.language)))
    return chosen


def _choose(config: Config, agent: Path | None, mode: str, real: bool) -> Behind:
    own = {name: t for name, t in config.to_dict(secrets=True).items() if name not in OF_DEPLOYMENT}
    own["money"]["state_file"] = ""  # it is of the server
    if mode:
        return _mode(config, own, mode, real)
    if agent is not None or config.agent.file or config.agent.instructions or config.routes.table:
        choice = agent_of(config, agent)
        return Behind(settings=own, agent=choice, real=real, script=_small_talk(config))
    cues = [Cue(voices.CALLER[line.speech], line.speech) for line in story.STORY]
    return Behind(settings=own, agent=story.make_agent(), real=real, script=story.story_script(), cues=cues)


def _mode(config: Config, own: dict[str, Any], mode: str, real: bool) -> Behind:
    """A mode, with the user's company and routes, or a made-up company."""
    own = layered(own, mode_settings(config, mode))
    modes = routed(Config.from_dict(own), load_agent).by_name
    if mode not in modes:
        raise ConfigError("--mode", f"there is no mode {mode}", "use ivr, receptionist or csr")
    agent, company = modes[mode], Config.from_dict(own).company
    desks = list(own["transfers"]["destinations"])
    told = choose_story(agent.tools, desks, own_company=company.name != SHOP["name"])
    today = datetime.datetime.now(zone_of(company.time_zone, "company.time_zone")).date()
    actor = Actor(told, str, today, company)  # its prompt comes with the session
    words = words_in(company.language)
    script = ModelScript(actor.reply, hears=[words[line] for line in told.lines])
    cues = [Cue(words[line], line) for line in told.lines]
    return Behind(settings=own, agent=agent, real=real, script=script, cues=cues, actor=actor)


def _small_talk(config: Config) -> ModelScript:
    """For an agent that no script knows: it can only be heard that the call works."""
    say = partial(speak, voice=voice_of(config.company.language))
    answers = [
        say("Hello. I am the simulated model: I hear that you speak, but not what you say."),
        say("I have heard you. With an OpenAI key the real model would answer now."),
        say("I have heard you again. You may interrupt me at any time, and I stop at once."),
    ]
    return ModelScript(lambda turn, past, tools: answers[0 if turn == 1 else 1 + turn % 2])


@asynccontextmanager
async def open_browser_phone(
    behind: Behind, listeners: Sequence[trio.SocketListener]
) -> AsyncIterator[Console]:
    """Serve a browser telephone, and the console of the server that it calls, until the block is left.

    Args:
        behind: who answers.
        listeners: where the console listens; they are closed at the end.
    """
    desks = behind.settings["transfers"]["destinations"]
    lines = Lines(
        model=behind.model,
        cues=() if behind.real else behind.cues,
        names={table["number"]: name for name, table in desks.items()},
    )
    with tempfile.TemporaryDirectory(prefix="llcphone-") as folder:
        async with open_stage(behind.script, dialects="both", pace=PACE, callee=lines.callee) as stage:
            stage.twilio.keep_audio = stage.model.keep_audio = False  # there may be calls for days
            lines.twilio = stage.twilio
            lines.simulated = None if behind.real else stage.model
            if behind.actor is not None:
                behind.actor.prompt = partial(_prompt, stage)
            config = _config(behind, stage, folder)
            async with open_phone(config, behind.agent) as phone, trio.open_nursery() as nursery:
                lines.call_id = phone.call_id_of
                await _furnish(phone)
                listener: PublicListener = await nursery.start(serve, phone, config)
                async with open_console(
                    phone,
                    OWN_CALLS,
                    sockets={"line": lines.serve},
                    mode="phone",
                    model=behind.model,
                    simulated=not behind.real,
                    listeners=listeners,
                ) as console:
                    yield console
                for call in stage.twilio.calls:
                    call.hang_up()
                await phone.drain(DRAIN_S)
                listener.stop_accepting()


@asynccontextmanager
async def open_line_to(
    server: Mapping[str, Any], listeners: Sequence[trio.SocketListener]
) -> AsyncIterator[Console]:
    """Serve a browser telephone that rings a server elsewhere, until the block is left.

    Args:
        server: where it is and what it checks, as `open_twilio` takes it.
        listeners: where the page is served; they are closed at the end.
    """
    url, *_ = server["url"].partition("?")
    lines = Lines(model=f"of {url}")
    how = {name: value for name, value in server.items() if name != "url"}
    async with open_twilio(webhook_url=server["url"], callee=lines.callee, **how) as twilio:
        lines.twilio = twilio
        sockets = {"line": lines.serve}
        open_page = open_console(
            None, OWN_CALLS, sockets=sockets, mode="phone", model=lines.model, listeners=listeners
        )
        async with open_page as console:
            yield console


def _config(behind: Behind, stage: Stage, folder: str) -> Config:
    """The user's settings, with what leads to the stage on top."""
    ours: dict[str, Any] = {
        "store": {"url": f"sqlite:///{folder}/phone.db"},
        "journal": {"url": f"sqlite:///{folder}/journal.db"},  # a lost stream is resumed
    }
    if behind.record:
        ours["records"] = {"audio_dir": f"{folder}/recordings"}
    if behind.real:
        ours["realtime"] = behind.settings["realtime"]
        if not ours["realtime"]["api_key"]:  # a model on this machine, which needs none
            del ours["realtime"]["api_key"]
    else:
        ours["realtime"] = {"transcription_model": "gpt-4o-transcribe"}
    return Config.from_dict(layered(behind.settings, stage.settings(), ours))


async def _furnish(phone: Phone) -> None:
    """What a mode looks up: hours, and the caller as a customer."""
    assert phone.store is not None
    await phone.store.set_hours(WEEK, timezone=phone.config.company.time_zone)
    await phone.store.add_customer(NAME, NUMBERS[0])


def _prompt(stage: Stage) -> str:
    return str(stage.model.sessions[-1].config["instructions"])
