"""Calls in your own quart-trio app: two routes hand the webhook and the socket to the phone.

Your server, your rules: check Twilio's signature there (``llcphone.twilio.signature``), and read in
docs/reliability.md why the bundled server keeps hypercorn behind a door.
"""

import hypercorn
import hypercorn.trio
import trio
from _vendors import vendors
from quart import Response, request, websocket
from quart_trio import QuartTrio

import llcphone

agent = llcphone.Agent("You answer the telephone of a bakery.")


def my_app(phone: llcphone.Phone) -> QuartTrio:
    app = QuartTrio(__name__)

    @app.post("/twiml")
    async def voice_webhook() -> Response:
        form = await request.form
        return Response(phone.answer(form.to_dict()), content_type="text/xml")

    @app.websocket("/media/<token>")
    async def media_stream(token: str) -> None:
        await websocket.accept()
        await phone.serve_leg(websocket, token)

    return app


async def main() -> None:
    async with (
        vendors() as config,
        llcphone.open_phone(config, agent) as phone,
        llcphone.until_signal(phone),
    ):
        server = hypercorn.Config()
        server.bind = [f"127.0.0.1:{config.server.port}"]
        server.read_timeout = 30
        await hypercorn.trio.serve(my_app(phone), server, shutdown_trigger=trio.sleep_forever)


if __name__ == "__main__":
    trio.run(main)
