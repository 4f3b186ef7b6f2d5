"""Links, tokens and tickets."""

from __future__ import annotations

import base64
import time

import pytest
import trio

from llcphone import ConfigError
from llcphone.config.console import ConsoleConfig
from llcphone.console.access import (
    BAD_CODES,
    CODE_S,
    IDLE_S,
    REVEALED_S,
    SESSIONS,
    TICKET_S,
    Access,
    link,
    make_code,
    new_key,
)

NOW = 1_800_000_000.0


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


def made(**settings) -> tuple[Access, str, Clock]:
    key, clock = new_key(), Clock()
    return Access(ConsoleConfig(**settings), key, clock), key, clock


async def test_a_link_lets_in_once() -> None:
    access, key, clock = made()
    clock.now = time.time()
    origin, _, code = link("http://127.0.0.1:8082", key).partition("/#in=")
    assert origin == "http://127.0.0.1:8082"
    token, session = access.enter(code)
    assert session.act
    assert session.phone
    assert access.session(token) is session
    assert access.enter(code) is None


async def test_a_link_is_good_for_two_minutes() -> None:
    access, key, clock = made()
    code, other = make_code(key, NOW), make_code(key, NOW)
    clock.now = NOW + CODE_S - 1
    assert access.enter(code) is not None
    clock.now = NOW + CODE_S
    assert access.enter(other) is None
    assert access.enter(make_code(key, clock.now + 300)) is None  # made far ahead


async def test_what_the_key_has_not_signed_lets_nobody_in() -> None:
    access, key, _ = made()
    code = make_code(key, NOW)
    raw = bytearray(base64.urlsafe_b64decode(code + "=" * (-len(code) % 4)))
    for at in (0, 8, len(raw) - 1):
        changed = bytearray(raw)
        changed[at] ^= 1
        assert access.enter(base64.urlsafe_b64encode(bytes(changed)).rstrip(b"=").decode()) is None
    for text in ("", "x", "é", "=", "A" * 10_000, code[:-2], make_code(new_key(), NOW)):
        assert access.enter(text) is None


async def test_the_read_key_only_looks_and_act_can_be_off_for_all() -> None:
    read = new_key()
    access, key, _ = made(read_key=read)
    _, looks = access.enter(make_code(read, NOW))
    assert not looks.act
    assert not looks.phone
    access, key, _ = made(act=False)
    _, session = access.enter(make_code(key, NOW))
    assert not session.act
    assert not session.phone


async def test_a_token_lasts_while_it_is_used(autojump_clock) -> None:
    access, key, _ = made()
    token, session = access.enter(make_code(key, NOW))
    for _ in range(3):
        await trio.sleep(IDLE_S - 1)
        assert access.session(token) is session
    await trio.sleep(IDLE_S + 1)
    assert access.session(token) is None


async def test_the_session_that_was_used_least_recently_makes_room() -> None:
    access, key, _ = made()
    tokens = [access.enter(make_code(key, NOW))[0] for _ in range(SESSIONS)]
    access.session(tokens[0])
    access.enter(make_code(key, NOW))
    assert access.session(tokens[0]) is not None
    assert access.session(tokens[1]) is None


async def test_a_ticket_is_good_once_for_its_socket_and_for_half_a_minute(autojump_clock) -> None:
    access, key, _ = made()
    _, session = access.enter(make_code(key, NOW))
    ticket = access.make_ticket(session, "live")
    assert access.take_ticket(ticket, "live") is session
    assert access.take_ticket(ticket, "live") is None
    ticket = access.make_ticket(session, "live")
    assert access.take_ticket(ticket, "line") is None
    assert access.take_ticket(ticket, "live") is None  # spent by the attempt
    ticket = access.make_ticket(session, "live")
    await trio.sleep(TICKET_S)
    assert access.take_ticket(ticket, "live") is None


async def test_wrong_codes_are_counted_by_the_minute(autojump_clock) -> None:
    access, _, _ = made()
    assert [access.is_guessed() for _ in range(BAD_CODES + 1)] == [False] * BAD_CODES + [True]
    await trio.sleep(61)
    assert not access.is_guessed()


async def test_what_is_revealed_is_of_one_call_and_for_a_minute(autojump_clock) -> None:
    access, key, _ = made(words="never", numbers="ask", audio="show")
    _, session = access.enter(make_code(key, NOW))
    session.reveal("8f3a", "numbers")
    session.reveal("8f3a", "words")
    assert session.revealed("8f3a", "numbers")
    assert not session.revealed("22c0", "numbers")
    assert not session.revealed("8f3a", "words")
    assert session.revealed("22c0", "audio")
    await trio.sleep(REVEALED_S)
    assert not session.revealed("8f3a", "numbers")


@pytest.mark.parametrize(
    "settings",
    [
        {"host": "0.0.0.0"},
        {"host": "0.0.0.0", "key": "k" * 32},
        {"host": "::", "origins": ("https://console.example.com",)},
        {"key": "short"},
        {"key": "k" * 32, "read_key": "k" * 32},
        {"origins": ("https://console.example.com/",)},
        {"origins": ("http://console.example.com",)},
        {"origins": ("https://Console.example.com",)},
        {"origins": ("null",)},
        {"origins": (1,)},
        {"words": "always"},
    ],
    ids=str,
)
def test_settings_that_would_open_the_console_are_refused(settings) -> None:
    with pytest.raises(ConfigError, match=r"console\."):
        ConsoleConfig(**settings)


def test_behind_a_proxy_it_takes_key_and_origins() -> None:
    config = ConsoleConfig(host="0.0.0.0", key="k" * 32, origins=("https://console.example.com",))
    assert config.origins
