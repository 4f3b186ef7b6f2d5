"""Stored speech: what ships, and a user's own files."""

from __future__ import annotations

import base64
import struct
from typing import TYPE_CHECKING

import pytest

from llcphone import Agent, Config, open_phone
from llcphone.announcements import OFF, prompt, stored
from llcphone.call.setup import plan_call, recovery_plan
from llcphone.errors import ConfigError
from llcphone.sim import voices

if TYPE_CHECKING:
    from pathlib import Path

SPEECH = bytes(range(1, 101)) * 40
"""Half a second."""


def wav(audio: bytes, *, form: int = 7, channels: int = 1, rate: int = 8000) -> bytes:
    head = struct.pack("<HHIIHH", form, channels, rate, rate * channels, channels, 8)
    body = b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", len(audio)) + audio
    return b"RIFF" + struct.pack("<I", len(body)) + body


def audio_of(payloads: tuple[bytes, ...]) -> bytes:
    return b"".join(base64.b64decode(payload) for payload in payloads)


@pytest.mark.parametrize("name", ["one_moment", "apology"])
def test_the_shipped_recordings_are_those_of_the_simulators_voices(name: str) -> None:
    assert audio_of(stored(name)) == voices.load(name)
    assert all(len(base64.b64decode(payload)) <= 1_600 for payload in stored(name))


@pytest.mark.parametrize("form", ["ulaw", "wav"])
def test_a_file_of_ones_own_is_played_in_place_of_the_shipped_recording(form: str, tmp_path: Path) -> None:
    file = tmp_path / f"sorry.{form}"
    file.write_bytes(wav(SPEECH) if form == "wav" else SPEECH)
    config = Config.from_dict({"filler": {"sound": OFF}, "recovery": {"apology_file": str(file)}})
    plan = recovery_plan(config)
    assert plan.filler == ()
    assert audio_of(plan.apology) == SPEECH


@pytest.mark.parametrize(
    "data", [wav(SPEECH, form=1), wav(SPEECH, rate=16_000), wav(SPEECH, channels=2), b"", b"RIFF"]
)
def test_a_file_that_would_be_noise_on_the_line_is_refused(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "noise.wav"
    file.write_bytes(data)
    with pytest.raises(ConfigError, match="8 kHz mono"):
        prompt(str(file), "apology", "recovery.apology_file")


async def test_a_prompt_that_cannot_be_read_is_told_when_the_phone_opens_not_to_a_caller(
    tmp_path: Path,
) -> None:
    config = Config.from_dict({"filler": {"sound": str(tmp_path / "nothing.ulaw")}})
    with pytest.raises(ConfigError, match=r"filler\.sound"):
        async with open_phone(config, Agent("Be brief.")):
            pass


def test_every_setting_of_a_recovery_reaches_the_engine() -> None:
    settings = {
        "enabled": False,
        "limit_s": 3.0,
        "max_losses": 2,
        "stall_s": 1.5,
    }
    filler = {"loss_after_ms": 250, "every_ms": 2_000}
    plan = plan_call(Config.from_dict({"recovery": settings, "filler": filler}), Agent("Hi.")).recovery
    assert (plan.enabled, plan.limit_ms, plan.most, plan.stall_ms) == (False, 3_000, 2, 1_500)
    assert (plan.filler_after_ms, plan.filler_every_ms) == (250, 2_000)
    assert (plan.filler, plan.apology) == (stored("one_moment"), stored("apology"))
