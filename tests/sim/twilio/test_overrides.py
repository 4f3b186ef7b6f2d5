"""Connection overrides in a webhook's URL: how often the simulated Twilio asks again, and after what."""

from __future__ import annotations

import pytest
import trio

from llcphone.sim.twilio import open_twilio
from llcphone.sim.twilio.http import RETRY_PAUSES_S, TOTAL_TIMEOUT_S, Overrides
from tests.sim.twilio.server import TOKEN, listening

HANGUP = b"<Response><Hangup/></Response>"


async def ask(fragment: str, *answers: int) -> tuple[list[int], float, int]:
    """Ring a server that answers with these statuses, the last for ever; 0 closes without an answer.

    Returns Twilio's errors, how long it took, and how often the server was asked.
    """
    asked = 0

    async def serve(stream: trio.SocketStream) -> None:
        nonlocal asked
        status = answers[min(asked, len(answers) - 1)]
        asked += 1
        await stream.receive_some()
        if status:
            head = f"HTTP/1.1 {status} X\r\nContent-Type: text/xml\r\nConnection: close\r\n"
            await stream.send_all(f"{head}Content-Length: {len(HANGUP)}\r\n\r\n".encode() + HANGUP)
        await stream.aclose()

    began = trio.current_time()
    async with listening(serve) as port:
        url = f"http://127.0.0.1:{port}/{fragment}"
        async with open_twilio(webhook_url=url, auth_token=TOKEN) as twilio:
            record = await (await twilio.ring()).ended()
            took_s = trio.current_time() - began
    return record.error_codes, round(took_s, 1), asked


async def test_without_overrides_a_bad_answer_is_taken_at_its_word(autojump_clock):
    assert await ask("", 502, 200) == ([11200], 0.0, 1)


async def test_a_server_that_comes_back_is_found_by_the_retries_asked_for(autojump_clock):
    assert await ask("#rc=5&rp=all", 502, 0, 403, 200) == ([], 3.5, 4)


async def test_only_what_the_policy_names_is_tried_again(autojump_clock):
    assert await ask("#rc=5&rp=5xx", 502, 403, 200) == ([11200], 0.5, 2)
    assert await ask("#rc=5", 502, 200) == ([11200], 0.0, 1)


async def test_retries_come_to_an_end(autojump_clock):
    assert await ask("#rc=2&rp=all", 502) == ([11200], 1.5, 3)


@pytest.mark.parametrize("asked", ["#rc=0", "#rc=5&rp=all", "#rc=9", "#ct=1000", ""])
def test_no_more_than_five_retries_within_the_time_an_answer_may_take(asked: str) -> None:
    pauses = Overrides.of(f"https://a.example/x{asked}").pauses()
    assert pauses[-1] is None
    assert len(pauses) <= 6
    assert sum(pause or 0 for pause in pauses) < TOTAL_TIMEOUT_S
    assert sum(RETRY_PAUSES_S) < TOTAL_TIMEOUT_S
