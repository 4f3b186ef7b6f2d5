"""The console's port: who is let in, and what attackers get."""

from __future__ import annotations

import logging
import time

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from llcphone import ConfigError
from llcphone.config.console import ConsoleConfig
from llcphone.console import port as console_port
from llcphone.console.access import BAD_CODES, make_code
from llcphone.console.console import LINES
from llcphone.console.listening import bind_console
from llcphone.console.static import read_files
from llcphone.telemetry.redaction import Mask
from tests.calls.stage import nothing_left
from tests.console.browser import KEY, READ_KEY, console_of
from tests.server.support import frame
from tests.wire.peers import parse

CONTENT_RULES = ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'")

OURS = b"POST /api/in HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\n"


async def talk(stream: trio.SocketStream, text: bytes) -> bytes:
    """Send a text, and receive the next frames."""
    await stream.send_all(frame(text))
    return bytes(await stream.receive_some(4096))


# -- the way in -------------------------------------------------------------------------------


async def test_a_link_leads_to_a_token_and_that_to_the_state(autojump_clock) -> None:
    async with console_of() as (console, page, stage):
        code = console.link().partition("/#in=")[2]
        entered = await page.ask("POST", "/api/in", {"code": code})
        assert entered.status == 200
        told = {key: entered.json[key] for key in ("act", "phone", "mode", "words", "numbers", "audio")}
        shown = {"words": "ask", "numbers": "ask", "audio": "ask"}
        assert told == {"act": True, "phone": True, "mode": "serve", **shown}
        page.token = entered.json["token"]
        state = await page.get("/api/state")
        assert state.status == 200
        assert state.json["agents"] == [stage.phone.agent.name]
        assert state.json["health"]["ready"] == []
        assert state.headers["cache-control"] == "no-store"


async def test_a_link_is_good_once_and_an_old_one_never(autojump_clock) -> None:
    async with console_of() as (_console, page, _):
        code = make_code(KEY, time.time())
        assert (await page.ask("POST", "/api/in", {"code": code})).status == 200
        again = await page.ask("POST", "/api/in", {"code": code})
        assert (again.status, again.json["code"]) == (403, "bad_code")
        old = make_code(KEY, time.time() - 121)
        assert (await page.ask("POST", "/api/in", {"code": old})).status == 403


async def test_guessing_is_answered_no_more_and_a_good_link_is(autojump_clock) -> None:
    async with console_of() as (_, page, _):
        answers = [await page.ask("POST", "/api/in", {"code": f"guess{n}"}) for n in range(BAD_CODES + 2)]
        assert [each.status for each in answers] == [403] * BAD_CODES + [429] * 2
        assert answers[-1].headers["retry-after"] == "60"
        assert (await page.ask("POST", "/api/in", {"code": make_code(KEY, time.time())})).status == 200


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"code": 1}', b"\xff", b"[" * 30_000])
async def test_what_is_no_code_is_refused(body: bytes, autojump_clock) -> None:
    async with console_of() as (_, page, _):
        head = f"POST /api/in HTTP/1.1\r\nHost: {page.host}\r\nOrigin: http://{page.host}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        assert (await page.raw(head.encode() + body)).status == 400


async def test_nothing_is_answered_without_a_token(autojump_clock) -> None:
    async with console_of() as (_, page, _):
        for method, path in (("GET", "/api/state"), ("POST", "/api/ticket"), ("GET", "/api/no-such")):
            for token in ("", "wrong", KEY, "é"):
                page.token = token
                answer = await page.ask(method, path, None if method == "GET" else {"for": "live"})
                assert answer.status in (400, 401), (method, path, token)
                assert "www-authenticate" in answer.headers or token == "é"


# -- other pages, other names ------------------------------------------------------------------


async def test_a_page_whose_name_was_made_to_point_here_reads_nothing(autojump_clock) -> None:
    async with console_of() as (console, page, _):
        await page.enter(console)
        ours = (f"localhost:{page.port}", f"127.0.0.1:{page.port}", f"[::1]:{page.port}", "LOCALHOST:9000")
        theirs = ("evil.example", f"evil.example:{page.port}", "127.0.0.1.evil.example", "192.168.0.7", "")
        for host in (*ours, *theirs):
            for path in ("/", "/web/style.css", "/api/state"):
                answer = await page.get(path, Host=host)
                assert (answer.status == 403) is (host in theirs), (host, path)
                assert answer.status != 403 or not answer.body


async def test_a_request_of_another_origin_is_refused(autojump_clock) -> None:
    async with console_of() as (console, page, _):
        await page.enter(console)
        for origin in ("https://evil.example", "http://127.0.0.1:1", f"https://{page.host}", "null", None):
            answer = await page.ask("POST", "/api/ticket", {"for": "live"}, {"Origin": origin})
            assert (answer.status, answer.body) == (403, b""), origin
            code = {"code": make_code(KEY, time.time())}
            assert (await page.ask("POST", "/api/in", code, {"Origin": origin})).status == 403
        assert (await page.get("/api/state", Origin="https://evil.example")).status == 403
        for site in ("cross-site", "same-site"):
            assert (await page.get("/api/state", Sec_Fetch_Site=site)).status == 403
        assert (await page.get("/", Sec_Fetch_Site="cross-site")).status == 200  # a link in a chat


async def test_a_form_of_another_page_is_no_request(autojump_clock) -> None:
    async with console_of() as (console, page, _):
        await page.enter(console)
        for kind in ("text/plain", "application/x-www-form-urlencoded", None):
            answer = await page.ask("POST", "/api/ticket", {"for": "live"}, {"Content-Type": kind})
            assert answer.status == 415
        assert not any(name.startswith("access-control") for name in answer.headers)


async def test_behind_a_proxy_its_origin_counts(autojump_clock) -> None:
    origin = "https://console.example.com"
    async with console_of(origins=(origin,)) as (console, page, _):
        assert console.link().startswith(f"{origin}/#in=")
        for host in ("console.example.com", page.host):  # with and without the Host passed on
            page.host = host
            code = {"code": make_code(KEY, time.time())}
            answer = await page.ask("POST", "/api/in", code, {"Origin": origin})
            assert answer.status == 200
            assert "wss://console.example.com" in answer.headers["content-security-policy"]
        answer = await page.ask(
            "POST", "/api/in", {"code": ""}, {"Host": "console.example.com", "Origin": None}
        )
        assert answer.status == 403


# -- static files ------------------------------------------------------------------------------


async def test_every_file_is_served_with_its_type_and_forbids_what_is_foreign(autojump_clock) -> None:
    async with console_of() as (_, page, _):
        for path, file in read_files().items():
            answer = await page.get(path)
            assert answer.status == 200, path
            assert answer.headers["content-type"] == file.type
            assert answer.headers["x-content-type-options"] == "nosniff"
            policy = answer.headers["content-security-policy"]
            assert all(rule in policy for rule in CONTENT_RULES)
            assert "unsafe" not in policy
            assert f"ws://{page.host}" in policy
            assert b"{{" not in answer.body or not file.has_nonce
            head = await page.ask("HEAD", path)
            assert (head.status, head.body) == (200, b"")


async def test_a_nonce_is_of_one_answer(autojump_clock) -> None:
    async with console_of() as (_, page, _):
        first, second = await page.get("/"), await page.get("/")
        assert first.headers["content-security-policy"] != second.headers["content-security-policy"]


async def test_a_file_that_the_browser_has_is_not_sent_again(autojump_clock, monkeypatch) -> None:
    file = console_port.File(b"body {}", "text/css", '"abc"')
    monkeypatch.setattr(console_port, "read_files", lambda: {"/web/a.css": file})
    async with console_of() as (_, page, _):
        answer = await page.get("/web/a.css")
        assert (answer.headers["etag"], answer.headers["cache-control"]) == ('"abc"', "no-cache")
        answer = await page.get("/web/a.css", If_None_Match='W/"x", "abc"')
        assert (answer.status, answer.body) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/web/../console.py",
        "/web/../../settings.py",
        "/web/%2e%2e/console.py",
        "/web/..%2fconsole.py",
        "/web//etc/passwd",
        "//etc/passwd",
        "/web/",
        "/web",
        "/web/index.html",
        "/web/index.html%00.js",
        "/web/./index.html",
        "/web\\..\\console.py",
        "/etc/passwd",
        "/console.py",
        "/.env",
        "/metrics",
    ],
)
async def test_no_path_leads_out_of_the_files(path: str, autojump_clock) -> None:
    async with console_of() as (_, page, _):
        answer = await page.get(path)
        assert (answer.status, answer.body) == (404, b"")


async def test_a_page_takes_no_other_method(autojump_clock) -> None:
    async with console_of() as (_, page, _):
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            assert (await page.ask(method, "/")).status == 405


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../../etc/passwd",
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "%2fetc%2fpasswd",
        "0123456789abcdef%00",
        "0123456789abcdef.wav",
        "0123456789ABCDEF",
        "*",
        "a" * 2_000,
    ],
)
async def test_no_name_of_a_call_leads_to_another_file(
    name: str, tmp_path, autojump_clock, no_threads
) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    for secret in (tmp_path / "passwd", folder / ".." / "0123456789abcdef.wav"):
        secret.write_bytes(b"secret")
    (folder / "0123456789abcdef.wav").symlink_to(tmp_path / "passwd")
    async with console_of(audio="show", rehearse={"records": {"audio_dir": str(folder)}}) as (
        console,
        page,
        _,
    ):
        await page.enter(console)
        for path in (f"/api/calls/{name}/audio", f"/api/calls/{name}"):
            answer = await page.get(path)
            assert answer.status == 404, path
            assert b"secret" not in answer.body
        assert (await page.get("/api/calls/0123456789abcdef/audio")).status == 404, "a link to elsewhere"


# -- sockets -----------------------------------------------------------------------------------


async def test_a_ticket_opens_its_socket_once(autojump_clock) -> None:
    async with console_of() as (console, page, _):
        await page.enter(console)
        ticket = await page.ticket("live")
        status, stream = await page.upgrade(f"/live/{ticket}")
        assert status == 101
        async with stream:
            assert b"hello" in await talk(stream, b"hello")
            assert (await page.upgrade(f"/live/{ticket}"))[0] == 403
        assert (await page.upgrade(f"/line/{await page.ticket('live')}"))[0] == 403


async def test_no_other_page_opens_a_socket(autojump_clock) -> None:
    async with console_of() as (console, page, _):
        await page.enter(console)
        for headers in ({"Origin": "https://evil.example"}, {"Origin": None}, {"Host": "evil.example"}):
            ticket = await page.ticket("live")
            assert (await page.upgrade(f"/live/{ticket}", **headers))[0] == 403
            assert (await page.upgrade(f"/live/{ticket}"))[0] == 101  # it was not spent
        for path in ("/live/", "/live/guess", "/nothing/guess", "/", "/live/a/b", "/media/doctor-probe"):
            assert (await page.upgrade(path))[0] in (403, 404)


async def test_who_only_looks_gets_no_line(autojump_clock) -> None:
    async with console_of() as (console, page, _):
        told = await page.enter(console, READ_KEY)
        assert (told["act"], told["phone"]) == (False, False)
        answer = await page.ask("POST", "/api/ticket", {"for": "line"})
        assert (answer.status, answer.json["code"]) == (403, "read_only")
        assert (await page.ask("POST", "/api/ticket", {"for": "live"})).status == 200
        for body in ({}, {"for": "media"}, {"for": "live", "x": 1}, []):
            assert (await page.ask("POST", "/api/ticket", body)).status == 422


async def test_the_phone_can_be_off(autojump_clock) -> None:
    async with console_of(phone=False) as (console, page, _):
        told = await page.enter(console)
        assert (told["act"], told["phone"]) == (True, False)
        answer = await page.ask("POST", "/api/ticket", {"for": "line"})
        assert (answer.status, answer.json["code"]) == (403, "no_phone")


async def test_there_are_two_lines_and_as_many_viewers_as_set(autojump_clock) -> None:
    async with console_of(viewers=1) as (console, page, _):
        await page.enter(console)
        for kind, most in (("live", 1), ("line", LINES)):
            opened = [await page.upgrade(f"/{kind}/{await page.ticket(kind)}") for _ in range(most + 1)]
            assert [status for status, _ in opened] == [101] * most + [503]
            await opened[0][1].aclose()
            await wait_all_tasks_blocked()
            await trio.sleep(2)
            assert (await page.upgrade(f"/{kind}/{await page.ticket(kind)}"))[0] == 101


async def test_a_browser_that_is_gone_without_a_word_makes_room(autojump_clock) -> None:
    async with console_of() as (console, page, _):
        await page.enter(console)
        for _number in range(LINES):  # none of which answers a ping
            assert (await page.upgrade(f"/line/{await page.ticket('line')}"))[0] == 101
        await trio.sleep(30)
        assert (await page.upgrade(f"/line/{await page.ticket('line')}"))[0] == 503
        await trio.sleep(30)
        assert (await page.upgrade(f"/line/{await page.ticket('line')}"))[0] == 101


async def test_a_socket_that_fails_ends_alone(autojump_clock, caplog) -> None:
    async def fails(leg, session) -> None:
        raise RuntimeError("sk-secret")

    async with console_of(sockets={"live": fails}) as (console, page, _):
        await page.enter(console)
        status, stream = await page.upgrade(f"/live/{await page.ticket('live')}")
        assert status == 101
        rest = b"".join([piece async for piece in stream])
        assert not rest or parse(rest)[0][0] == 8  # a Close
        assert "sk-secret" not in caplog.text
        assert "RuntimeError" in caplog.text
        assert (await page.get("/api/state")).status == 200


# -- floods ------------------------------------------------------------------------------------


async def test_connections_that_say_nothing_make_room_and_end(autojump_clock) -> None:
    async with console_of() as (console, page, _):
        await page.enter(console)
        status, watched = await page.upgrade(f"/live/{await page.ticket('live')}")
        assert status == 101
        silent = [await trio.open_tcp_stream("127.0.0.1", page.port) for _ in range(console_port.MOST + 20)]
        assert (await page.get("/api/state")).status == 200
        await trio.sleep(console_port.EXCHANGE_S + 1)
        for each in silent:
            assert await each.receive_some() == b""
            await each.aclose()
        assert b"still" in await talk(watched, b"still")  # who is let in is no part of the crowd
        await watched.aclose()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"A: " + b"x" * 20_000 + b"\r\n\r\n", 431),
        (OURS + b"Content-Length: 99999999\r\n\r\n", 413),
        (OURS + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n", 400),
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\n\r\n", 403),
    ],
    ids=["tls", "long-head", "long-body", "chunks", "two-hosts", "absolute", "no-host"],
)
async def test_what_is_no_request_of_a_browser_is_refused(
    request_: bytes, status: int, autojump_clock
) -> None:
    async with console_of() as (_, page, _):
        assert (await page.raw(request_)).status == status


async def test_nothing_is_left_of_page_loads_and_sockets(autojump_clock) -> None:
    async with console_of() as (console, page, _):
        await page.enter(console)
        await page.get("/api/state")
        async with nothing_left(10):
            for _ in range(10):
                await page.get("/")
                await page.get("/api/state")
                _, stream = await page.upgrade(f"/live/{await page.ticket('live')}")
                await stream.aclose()
                half = await trio.open_tcp_stream("127.0.0.1", page.port)
                await half.send_all(b"GET /api/st")
                await half.aclose()


async def test_no_log_line_holds_a_secret(autojump_clock, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    async with console_of() as (console, page, _):
        await page.enter(console)
        ticket = await page.ticket("live")
        await page.upgrade(f"/live/{ticket}")
        await page.upgrade(f"/live/{ticket}")
        await page.ask("POST", "/api/in", {"code": "no-code-at-all"})
        for secret in (page.token, ticket, KEY, "no-code-at-all"):
            assert secret not in caplog.text
    masked = Mask().text(f"GET /live/{ticket} and /line/{ticket}")
    assert ticket not in masked


async def test_a_port_that_is_taken_is_said(autojump_clock) -> None:
    async with console_of() as (_, page, _):
        with pytest.raises(ConfigError, match=r"console\.port"):
            await bind_console(ConsoleConfig(port=page.port))
