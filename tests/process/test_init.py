"""llcphone init, number and tunnel."""

from __future__ import annotations

import json

import pytest
from dotenv import dotenv_values

from llcphone.cli.number import number_lines, number_now, set_webhook
from llcphone.config import Config
from llcphone.errors import ConfigError
from llcphone.process.env_file import set_variables
from llcphone.process.init import CHOICES, PROMPT, QUESTIONS, run_init
from llcphone.settings import load
from tests.doctor.stage import open_doctor


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


def test_init_writes_what_serve_needs_and_secrets_for_nobody_else(tmp_path, monkeypatch) -> None:
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


@pytest.mark.parametrize(("setting", "what"), [("api.key", "the API"), ("console.key", "the console")])
def test_init_makes_a_key_once_and_shows_it_to_nobody(setting, what, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    path, told = tmp_path / "llcphone.toml", []
    run_init(path, ask=None, tell=told.append)
    key = load(path, environ={}).config.value(setting)
    assert len(key) >= 32
    assert any(f"a key for {what}" in line for line in told)
    assert key not in str(told)
    for force in (False, True):
        told.clear()
        run_init(path, ask=None, tell=told.append, force=force)
        assert load(path, environ={}).config.value(setting) == key
        assert not any(f"a key for {what}" in line for line in told)


def test_init_leaves_keys_that_stand_in_the_settings_file(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "llcphone.toml"
    console = "my-own-console-key-0123456789abcdef"
    path.write_text(f'[api]\nkey = "my-own-key-0123456789"\n\n[console]\nkey = "{console}"\n')
    run_init(path, ask=None, tell=lambda _: None)
    assert load(path, environ={}).config.api.key == "my-own-key-0123456789"
    assert not (tmp_path / ".env").exists()


def test_init_asks_again_what_cannot_be_right_and_keeps_what_stands_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("# mine\nOTHER=1\nOPENAI_API_KEY=sk-old-0123456789\n")
    (tmp_path / "llcphone.toml").write_text("[agent]\nname = 'ada'\n")
    numbers = iter(["0555-123", "+15551230002"])
    plain, told = answers(TWILIO_AUTH_TOKEN="t" * 32), []

    def ask(question: str, secret: bool) -> str:
        return next(numbers) if question.startswith("Your Twilio number") else plain(question, secret)

    assert run_init(tmp_path / "llcphone.toml", ask=ask, tell=told.append) == 1, "no public URL yet"
    assert any("TWILIO_PHONE_NUMBER has a wrong value. Fix: set it to a number as +" in line for line in told)
    assert "0555" not in str(told)
    text = (tmp_path / ".env").read_text()
    assert text.startswith("# mine\nOTHER=1\nOPENAI_API_KEY=sk-old-0123456789\n")
    assert (tmp_path / "llcphone.toml").read_text() == "[agent]\nname = 'ada'\n"


def test_an_env_file_keeps_its_other_lines_and_gains_no_second_one(tmp_path) -> None:
    env = tmp_path / ".env"
    env.write_text(
        "# ours\nA=1\n\nexport PUBLIC_URL='https://old.example'  # the tunnel\nB='two words'\n"
        'KEY="-----BEGIN\nPUBLIC_URL=no variable\n"\nPUBLIC_URL=https://older.example\n# end'
    )
    set_variables(env, {"PUBLIC_URL": "https://new.example", "C": r"a b$c\\d"})
    assert env.read_text() == (
        "# ours\nA=1\n\nexport PUBLIC_URL=https://new.example  # the tunnel\nB='two words'\n"
        'KEY="-----BEGIN\nPUBLIC_URL=no variable\n"\n# end\n' + r"C='a b$c\\\\d'" + "\n"
    )
    assert dotenv_values(env)["C"] == r"a b$c\\d"
    assert env.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match="PUBLIC_URL"):
        set_variables(env, {"PUBLIC_URL": "https://a\nOPENAI_API_KEY=x"})


def test_an_env_file_of_windows_keeps_its_line_ends(tmp_path) -> None:
    env = tmp_path / ".env"
    env.write_bytes("\ufeffA=1\r\nPORT= # none yet\r\n".encode())
    set_variables(env, {"PORT": "8082", "B": "2"})
    assert env.read_bytes() == b"A=1\r\nPORT=8082 # none yet\r\nB=2\r\n"


HAND_MADE = """\
# Our bakery.
[realtime]
voice = "marin"   # Ann's choice

[agent]
instructions = "You are Ada."
"""


def test_init_changes_only_the_answered_lines_of_a_settings_file(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    path, told = tmp_path / "llcphone.toml", []
    path.write_text(HAND_MADE)
    path.chmod(0o640)
    run_init(path, ask=answers(), tell=told.append)
    assert path.read_text() == HAND_MADE
    assert f"{path} stays as it is" in told
    run_init(path, ask=answers(voice="alloy", prompt="You are Bo.", language="en"), tell=told.append)
    changed = HAND_MADE.replace('"marin"', '"alloy"').replace("You are Ada.", "You are Bo.")
    assert path.read_text() == changed, "en is the default: it needs no line"
    assert path.stat().st_mode & 0o777 == 0o640
    run_init(path, ask=None, tell=told.append, given={"company": "Bakery Voss", "mode": "csr"})
    said = '\n[company]\nname = "Bakery Voss"\n\n[routes]\ndefault = "csr"\n'
    assert path.read_text() == changed + said
    assert any("agent.instructions is set and wins" in line for line in told)
    run_init(path, ask=None, tell=told.append, force=True)
    assert "Bakery" not in path.read_text()


def test_init_gives_no_prompt_to_somebody_who_has_chosen_a_mode(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "llcphone.toml"
    run_init(path, ask=None, tell=lambda line: None, given={"mode": "receptionist"})
    before = path.read_text()
    assert "instructions" not in before
    run_init(path, ask=None, tell=lambda line: None)
    assert path.read_text() == before


def test_init_does_not_touch_a_settings_file_that_it_cannot_read(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "llcphone.toml"
    for broken, named in (("[realtime\n", "cannot be read"), ("[realtime]\nvoise = 'a'\n", "voise")):
        path.write_text(broken)
        with pytest.raises(ConfigError, match=f"{named}.* --force"):
            run_init(path, ask=None, tell=print, given={"OPENAI_API_KEY": "sk-1"})
        assert path.read_text() == broken
        assert not (tmp_path / ".env").exists()


# -- the number ---------------------------------------------------------------------------------


async def test_the_numbers_webhook_is_shown_set_and_read_back(autojump_clock, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_doctor(tmp_path, serving=False) as stage:
        stage.twilio.rest.voice_url = "https://user:secret@old.example/twiml?key=secret"
        config, told, asked = load(stage.path, environ={}).config, [], []
        assert not (await number_now(config))["comes_to_us"]
        assert await set_webhook(config, told.append, lambda q: bool(asked.append(q))) == 1
        assert stage.twilio.rest.voice_url.startswith("https://user")
        assert await set_webhook(config, told.append, lambda q: True) == 0
        assert stage.twilio.rest.voice_url == f"{config.server.public_url}/twiml"
        now = await number_now(config)
        assert now["comes_to_us"]
        asked += [config.twilio.phone_number in json.dumps(now)]
        told += number_lines(now)
        assert asked == ["Set it?", True]
        assert await set_webhook(config, told.append, asked.append) == 0
        assert (told[-1], len(asked)) == ("it is so already", 2), "nothing is left to ask"
        for secret in ("secret", config.twilio.phone_number, config.twilio.auth_token):
            assert secret not in str(told)
        stage.twilio.rest.number_fields["trunk_sid"] = "TK" + "1" * 32
        assert await set_webhook(config, told.append, lambda q: True) == 1
        assert "a SIP trunk takes precedence" in told[-1]


async def test_a_number_that_cannot_be_read_says_why() -> None:
    with pytest.raises(ConfigError, match=r"server\.public_url"):
        await set_webhook(Config(), print, lambda q: True)
