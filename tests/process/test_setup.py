"""llcphone init, number and tunnel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llcphone.config import Config
from llcphone.errors import ConfigError
from llcphone.process.env_file import set_variables
from llcphone.process.setup import CHOICES, PROMPT, QUESTIONS, run_init
from llcphone.process.webhook import set_webhook, show_number
from llcphone.settings import load
from tests.doctor.clinic import open_clinic

if TYPE_CHECKING:
    from pathlib import Path


def answers(**given: str):
    """A person who answers these questions, and keeps what there is at all others."""
    by_text = {question.text: given.get(question.variable, "") for question in (*QUESTIONS, *CHOICES)}
    by_text[PROMPT] = given.get("prompt", "")

    def ask(question: str, secret: bool) -> str:
        for text, answer in by_text.items():
            if question.startswith(text):
                return answer
        raise AssertionError(question)

    return ask


def test_init_writes_what_serve_needs_and_secrets_for_nobody_else(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    told: list[str] = []
    ask = answers(
        OPENAI_API_KEY="sk-init-0123456789",
        TWILIO_AUTH_TOKEN="init-token-0123456789",
        TWILIO_PHONE_NUMBER="+15551230002",
        PUBLIC_URL="https://phone.example.com/",
        prompt='You are "Ada" of the bakery.',
    )
    assert run_init(tmp_path / "llcphone.toml", ask=ask, tell=told.append) == 0
    config = load(tmp_path / "llcphone.toml", environ={}).config
    config.check_ready_to_serve()
    assert config.agent.instructions == 'You are "Ada" of the bakery.'
    assert config.server.public_url == "https://phone.example.com"
    for name in (".env", "llcphone.toml"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert "sk-init" not in (tmp_path / "llcphone.toml").read_text()
    assert "sk-init" not in str(told)


def test_init_asks_again_what_cannot_be_right_and_keeps_what_stands_there(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("# mine\nOTHER=1\nOPENAI_API_KEY=sk-old-0123456789\n")
    (tmp_path / "llcphone.toml").write_text("[agent]\nname = 'ada'\n")
    numbers = iter(["0555-123", "+15551230002"])
    plain, told = answers(TWILIO_AUTH_TOKEN="t" * 32), []

    def ask(question: str, secret: bool) -> str:
        return next(numbers) if question.startswith("Your Twilio number") else plain(question, secret)

    assert run_init(tmp_path / "llcphone.toml", ask=ask, tell=told.append) == 1, "no public URL yet"
    assert any("TWILIO_PHONE_NUMBER must be a number as +" in line for line in told)
    assert "0555" not in str(told)
    text = (tmp_path / ".env").read_text()
    assert text.startswith("# mine\nOTHER=1\nOPENAI_API_KEY=sk-old-0123456789\n")
    assert (tmp_path / "llcphone.toml").read_text() == "[agent]\nname = 'ada'\n"


def test_an_env_file_keeps_its_other_lines_and_gains_no_second_one(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text(
        "A=1\nexport PUBLIC_URL=https://old.example\nB='two words'\nPUBLIC_URL=https://older.example\n"
    )
    set_variables(env, {"PUBLIC_URL": "https://new.example", "C": "a b$c"})
    assert env.read_text() == "A=1\nPUBLIC_URL=https://new.example\nB='two words'\nC='a b$c'\n"
    assert env.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match="PUBLIC_URL"):
        set_variables(env, {"PUBLIC_URL": "https://a\nOPENAI_API_KEY=x"})


# -- the number ---------------------------------------------------------------------------------


async def test_the_numbers_webhook_is_shown_set_and_read_back(autojump_clock, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_clinic(tmp_path, serving=False) as clinic:
        clinic.twilio.rest.voice_url = "https://user:secret@old.example/twiml?key=secret"
        config, told, asked = load(clinic.path, environ={}).config, [], []
        assert await show_number(config, told.append) == 1
        assert await set_webhook(config, told.append, lambda q: bool(asked.append(q))) == 1
        assert clinic.twilio.rest.voice_url.startswith("https://user")
        assert await set_webhook(config, told.append, lambda q: True) == 0
        assert clinic.twilio.rest.voice_url == f"{config.server.public_url}/twiml"
        assert await show_number(config, told.append) == 0
        assert asked == ["Set it?"]
        for secret in ("secret", config.twilio.phone_number, config.twilio.auth_token):
            assert secret not in str(told)
        clinic.twilio.rest.number_fields["trunk_sid"] = "TK" + "1" * 32
        assert await set_webhook(config, told.append, lambda q: True) == 1
        assert "a SIP trunk takes precedence" in told[-1]


async def test_a_number_that_cannot_be_read_says_why() -> None:
    with pytest.raises(ConfigError, match=r"server\.public_url"):
        await set_webhook(Config(), print, lambda q: True)
