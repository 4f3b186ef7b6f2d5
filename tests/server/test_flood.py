"""A stranger floods the public port: honest callers get in, at once, wherever the flood comes from."""

import pytest
import trio

from tests.server.support import TWIML, body_of, get, make_config, media_request, open_server, webhook_request

PLACES, HELD = 16, 100
HONEST, FLOOD_EACH = 16, 12

REQUESTS = {
    "nothing there": get("/nothing"),
    "wrongly signed webhooks": webhook_request(signature="x"),
    "wrongly signed streams": media_request("t", signature="x"),
    "half a request": b"POST /twiml HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
    "nothing at all": b"",
    "noise": b"\x16\x03\x01",
}


@pytest.mark.parametrize("address", ["127.0.0.2", "127.0.0.1"], ids=["an address of its own", "our proxy's"])
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
async def test_of_honest_callers_none_is_turned_away_and_none_waits(autojump_clock, address, request_):
    """All of it within no time at all, since none passes here; what floods holds its sockets open."""
    held = []
    async with open_server(make_config(max_pending=PLACES)) as server:
        peer = await server.stream("live")
        start = trio.current_time()
        for number in range(HONEST):
            for _ in range(FLOOD_EACH):
                stream = await trio.open_tcp_stream("127.0.0.1", server.port, local_address=address)
                held.append(stream)
                await stream.send_all(request_)
            while len(held) > HELD:
                held.pop(0).socket.close()
            if number % 2:
                await server.stream(f"caller-{number}")
            else:
                answer = await server.ask(webhook_request(b"CallSid=CA%d" % number), within_s=0)
                assert body_of(answer) == TWIML.encode()
        await peer.send(b"still here")
        assert await peer.receive() == b"still here"
        assert trio.current_time() == start
        for stream in held:
            stream.socket.close()
    assert server.phone.connections["failed"] == 0
