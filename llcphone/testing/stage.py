"""A stage: both vendors, simulated, around the address at which a server of yours listens.

    async with open_stage(["Good morning!"]) as stage:
        stage.write_settings(folder)  # for a server in a process of its own
        ...
        call = await stage.ring()

``rehearse`` starts the server, too, in this process.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

import attrs

from llcphone.config import Config, toml_value
from llcphone.sim.model import ModelSession, ModelSimulator, Pace, open_model
from llcphone.sim.ports import free_port
from llcphone.sim.twilio import Callee, DialOutcome, Ring, SimCall, TwilioSimulator, open_twilio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from llcphone.sim.model.script import Scripted

AUTH_TOKEN = "rehearsal-0123456789abcdef"
ACCOUNT_SID = "AC" + "0" * 32
API_KEY = "sk-rehearsal-0123456789"
NUMBER = "+15551230002"
"""Our own number, the caller ID of outbound rehearsals."""

Sections: TypeAlias = "Mapping[str, Mapping[str, Any]]"
"""Sections of ``llcphone.toml``."""


@attrs.define(eq=False, kw_only=True)
class Stage:
    """Both vendors, for driving them and for assertions."""

    twilio: TwilioSimulator
    model: ModelSimulator
    port: int
    """Where the server listens."""
    can_dial: bool
    """People can be called."""

    @property
    def url(self) -> str:
        """The server's public address."""
        return _url(self.port)

    async def ring(self, **how: Unpack[Ring]) -> SimCall:
        """A caller rings; returns when the media stream has started."""
        call = await self.twilio.ring(**how)
        await call.stream_started()
        return call

    async def session(self, number: int = 1) -> ModelSession:
        """The ``number``-th model session of a call."""
        return await self.model.session(number)

    def settings(self, *overlays: Sections) -> dict[str, dict[str, Any]]:
        """What leads a server to this stage, with further sections laid over it, the last on top."""
        dialling: Sections = {}
        if self.can_dial:
            account = {"account_sid": ACCOUNT_SID, "api_url": self.twilio.api_url, "phone_number": NUMBER}
            dialling = {"twilio": account, "outbound": {"allow_prefixes": ["+1555"]}}  # numbers of films
        return layered(_loopback(self.model.url, self.port), dialling, *overlays)

    def make_config(self, *overlays: Sections) -> Config:
        """The same, read."""
        return Config.from_dict(self.settings(*overlays))

    def write_settings(self, folder: Path, *overlays: Sections) -> None:
        """The same as ``llcphone.toml`` in a folder, for a server in a process of its own."""
        write_toml(folder / "llcphone.toml", self.settings(*overlays))


@asynccontextmanager
async def open_stage(
    script: Scripted = None,
    *,
    dialects: Any = "ga",
    profile: Any = "openai",
    faults: Any = None,
    pace: Pace | None = None,
    key: str | None = None,
    callee: Callee | Callable[[str], Callee] | None = None,
    dial_outcome: DialOutcome | Callable[[str], DialOutcome] | None = None,
) -> AsyncIterator[Stage]:
    """Open both vendors around a free port of this machine; the server is yours.

    Args:
        script: what the simulated model says (see ``llcphone.sim.model``).
        dialects: what the simulated endpoint speaks: ``ga``, ``flat`` or ``both``.
        profile: which kind of endpoint it plays: ``openai``, ``azure``, ``xai`` or ``generic``.
        faults: what goes wrong at the model's end.
        pace: how fast the simulated model is.
        key: the one API key that the model accepts; None: every one.
        callee: how the people behave whom the server calls, all or by number; None: it can call nobody.
        dial_outcome: what becomes of ``<Dial>`` of a number; None: it is answered after 3 s.
    """
    port = free_port()
    people: dict[str, Any] = {"callee": callee, "dial_outcome": dial_outcome}
    people = {name: value for name, value in people.items() if value is not None}
    async with (
        open_model(script, dialects, faults=faults, pace=pace, key=key, profile=profile) as model,
        open_twilio(webhook_url=f"{_url(port)}/twiml", auth_token=AUTH_TOKEN, **people) as twilio,
    ):
        yield Stage(twilio=twilio, model=model, port=port, can_dial=callee is not None)


def rehearsal_config(model_url: str, *overlays: Sections) -> Config:
    """Settings for a server on a free port of this machine, without a stage around it."""
    return Config.from_dict(layered(_loopback(model_url, free_port()), *overlays))


def write_toml(file: Path, sections: Sections) -> None:
    """Write sections of settings, readable by their owner only: secrets may be among them."""
    lines: list[str] = []
    for name, table in sections.items():
        lines += [f"[{name}]", *(f"{key} = {toml_value(value)}" for key, value in table.items())]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    file.chmod(0o600)


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _loopback(model_url: str, port: int) -> Sections:
    return {
        "realtime": {"url": model_url, "api_key": API_KEY},
        "server": {"public_url": _url(port), "port": port},
        "twilio": {"auth_token": AUTH_TOKEN},
        "records": {"path": "", "transcript": True},
    }


def layered(*layers: Sections) -> dict[str, dict[str, Any]]:
    """Sections laid over each other, the last on top."""
    sections: dict[str, dict[str, Any]] = {}
    for layer in layers:
        for name, table in layer.items():
            sections[name] = {**sections.get(name, {}), **table}
    return sections
