"""llcphone inside somebody else's program: its nursery, its web app, its WebSocket server."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING

import hypercorn
import hypercorn.trio
import pytest
import trio
from quart import Response, request, websocket
from quart_trio import QuartTrio
from trio_websocket import serve_websocket

from llcphone import Agent, CallRecord, EndReason, JoinRefused, Phone, open_phone
from llcphone.server.run import serve
from llcphone.sim.model import open_model
from llcphone.sim.twilio import EndedBy, SimCall, TwilioSimulator, open_twilio
from tests.calls.stage import TOKEN, make_config, nothing_left

if TYPE_CHECKING:
    from trio.testing import MockClock
    from trio_websocket import WebSocketRequest

    from llcphone import Config

AGENT = Agent("Be brief.")


async def converse(twilio: TwilioSimulator, **how: str) -> SimCall:
    """A caller who hears a second of the greeting and hangs up."""
    sim = await twilio.ring(**how)  # type: ignore[arg-type]
    await sim.hears(1)
    sim.hang_up()
    await sim.ended()
    return sim


# -- its nursery --------------------------------------------------------------------------------


async def test_a_phone_lives_beside_other_work_in_the_same_nursery(autojump_clock: MockClock) -> None:
    baked: list[float] = []

    async def bake() -> None:
        while True:
            await trio.sleep(0.1)
            baked.append(trio.current_time())

    records: list[CallRecord] = []
    async with nothing_left(), open_model() as model, trio.open_nursery() as mine:
        config = make_config(model.url)
        mine.start_soon(bake)
        async with open_phone(config, AGENT, on_record=records.append) as phone:
            await mine.start(serve, phone, config)
            async with open_twilio(
                webhook_url=f"{config.server.public_url}/twiml", auth_token=TOKEN
            ) as twilio:
                await converse(twilio)
        assert [record.reason for record in records] == [EndReason.CALLER_HUNG_UP]
        await trio.sleep(0.1)
        gaps = [later - earlier for earlier, later in itertools.pairwise(baked)]
        assert max(gaps) == pytest.approx(0.1)
        mine.cancel_scope.cancel()


async def test_a_tool_of_which_the_model_knows_only_the_name_is_warned_of_at_the_start(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    agent = Agent("Be brief.", name="baker")

    @agent.tool
    async def order(what: str) -> str:
        return what

    @agent.tool(description="When the bakery is open.")
    async def hours() -> str:
        return "six to six"

    async with open_model() as model, open_phone(make_config(model.url), agent):
        pass
    (line,) = [each for each in caplog.messages if each.startswith("tools without a description")]
    assert line.endswith(" agent=baker tools=order")
    assert "write a docstring" in line


async def test_leaving_normally_waits_for_the_calls(autojump_clock: MockClock) -> None:
    async with nothing_left(), open_model() as model, trio.open_nursery() as mine:
        async with open_phone(make_config(model.url), AGENT) as phone:
            phone.answer({"CallSid": "CA1"})
            (call,) = phone.calls()
            begin = trio.current_time()

            async def end_later() -> None:
                await trio.sleep(4)
                call.end()

            mine.start_soon(end_later)
        assert 4 <= trio.current_time() - begin < 5
        assert phone.live_calls == 0


async def test_leaving_by_an_error_ends_all_calls_at_once(autojump_clock: MockClock) -> None:
    records: list[CallRecord] = []
    async with nothing_left(), open_model() as model:
        with pytest.RaisesGroup(KeyError, flatten_subgroups=True):
            async with open_phone(make_config(model.url), AGENT, on_record=records.append) as phone:
                for number in range(3):
                    phone.answer({"CallSid": f"CA{number}"})
                await model.session(4)
                begin = trio.current_time()
                raise KeyError("the user's own bug")
        assert trio.current_time() - begin <= 1
        assert [record.reason for record in records] == [EndReason.CANCELLED] * 3


# -- its web app --------------------------------------------------------------------------------


def own_app(phone: Phone) -> QuartTrio:
    app = QuartTrio(__name__)

    @app.post("/twiml")
    async def voice_webhook() -> Response:
        return Response(phone.answer((await request.form).to_dict()), content_type="text/xml")

    @app.websocket("/media/<token>")
    async def media_stream(token: str) -> None:
        await websocket.accept()
        await phone.serve_leg(websocket, token)

    return app


async def test_two_routes_of_a_quart_app_served_by_hypercorn_are_enough(autojump_clock: MockClock) -> None:
    records: list[CallRecord] = []
    async with nothing_left(), open_model() as model, trio.open_nursery() as mine:
        config = make_config(model.url)
        bound = hypercorn.Config()
        bound.bind = [f"127.0.0.1:{config.server.port}"]
        bound.accesslog = bound.errorlog = None
        bound.read_timeout = 30
        async with open_phone(config, AGENT, on_record=records.append) as phone:
            await mine.start(partial(hypercorn.trio.serve, own_app(phone), bound))
            async with open_twilio(
                webhook_url=f"{config.server.public_url}/twiml", auth_token=TOKEN
            ) as twilio:
                sims = [await converse(twilio) for _ in range(2)]
        mine.cancel_scope.cancel()
    assert [record.reason for record in records] == [EndReason.CALLER_HUNG_UP] * 2
    assert [sim.record.error_codes for sim in sims] == [[], []]


# -- its WebSocket server -----------------------------------------------------------------------


async def serve_streams(
    phone: Phone, config: Config, handlers: list[trio.CancelScope], *, task_status: trio.TaskStatus[object]
) -> None:
    """A trio-websocket server whose handlers hand their sockets over."""

    async def handler(request: WebSocketRequest) -> None:
        socket = await request.accept()
        with trio.CancelScope() as scope:
            handlers.append(scope)
            try:
                await phone.serve_leg(socket)
            except JoinRefused:
                await socket.aclose(1008)

    await serve_websocket(handler, "127.0.0.1", config.server.port, None, task_status=task_status)  # type: ignore[arg-type]


async def test_a_trio_websocket_server_hands_its_sockets_over(autojump_clock: MockClock) -> None:
    records: list[CallRecord] = []
    async with nothing_left(), open_model() as model, trio.open_nursery() as mine:
        config = make_config(model.url)
        async with open_phone(config, AGENT, on_record=records.append) as phone:
            await mine.start(partial(serve_streams, phone, config, []))
            async with open_twilio(webhook_url=config.server.public_url, auth_token=TOKEN) as twilio:
                document = phone.answer({})
                await converse(twilio, twiml=document)
                again = await twilio.ring(twiml=document)  # the token is spent
                assert (await again.ended()).close_code == 1008
        mine.cancel_scope.cancel()
    assert [record.reason for record in records] == [EndReason.CALLER_HUNG_UP]


async def test_a_cancelled_handler_is_a_lost_phone_leg_never_a_cancelled_call(
    autojump_clock: MockClock,
) -> None:
    records: list[CallRecord] = []
    handlers: list[trio.CancelScope] = []
    async with nothing_left(), open_model() as model, trio.open_nursery() as mine:
        config = make_config(model.url)
        async with open_phone(config, AGENT, on_record=records.append) as phone:
            await mine.start(partial(serve_streams, phone, config, handlers))
            async with open_twilio(webhook_url=config.server.public_url, auth_token=TOKEN) as twilio:
                cut = await twilio.ring(twiml=phone.answer({}))
                stays = await twilio.ring(twiml=phone.answer({}))
                for sim in (cut, stays):
                    await sim.hears(0.2)
                handlers[0].cancel()
                assert (await cut.ended()).ended_by is EndedBy.HANGUP_VERB
                await stays.hears(0.2)
                assert [record.reason for record in records] == [EndReason.PHONE_LOST]
        mine.cancel_scope.cancel()
