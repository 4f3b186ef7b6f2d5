"""The plain way on Trio: quart-trio for the telephone, trio-websocket for the model, JSON both ways.

What one writes after reading the three manuals, with nothing done wrong on purpose and nothing
done for speed: no record, no tools, no limits. Run as ``python -m bench.naive_trio``.
"""

from __future__ import annotations

import json
import os

import hypercorn
import hypercorn.trio
import trio
from quart import Response, websocket
from quart_trio import QuartTrio
from trio_websocket import WebSocketConnection, open_websocket_url

PORT, MODEL_URL = os.environ["PORT"], os.environ["MODEL_URL"]
KEY = f"Bearer {os.environ['OPENAI_API_KEY']}"
ULAW = {"format": {"type": "audio/pcmu"}}
SESSION = {
    "type": "realtime",
    "output_modalities": ["audio"],
    "audio": {
        "input": {**ULAW, "turn_detection": {"type": "semantic_vad"}},
        "output": {**ULAW, "voice": "cedar"},
    },
}
CUE = {"type": "input_text", "text": "Greet the caller."}
GREETING = {"type": "message", "role": "user", "content": [CUE]}

app = QuartTrio(__name__)


@app.post("/twiml")
async def twiml() -> Response:
    stream = f'<Response><Connect><Stream url="ws://127.0.0.1:{PORT}/media"/></Connect></Response>'
    return Response(stream, content_type="text/xml")


@app.websocket("/media")
async def media() -> None:
    async with open_websocket_url(MODEL_URL, extra_headers=[("Authorization", KEY)]) as model:
        await model.send_message(json.dumps({"type": "session.update", "session": SESSION}))
        stream: dict[str, str] = {}
        async with trio.open_nursery() as nursery:
            nursery.start_soon(model_to_phone, model, websocket._get_current_object(), stream)
            while True:
                message = json.loads(await websocket.receive())
                if message["event"] == "media":
                    append = {"type": "input_audio_buffer.append", "audio": message["media"]["payload"]}
                    await model.send_message(json.dumps(append))
                elif message["event"] == "start":
                    stream["sid"] = message["start"]["streamSid"]
                elif message["event"] == "stop":
                    nursery.cancel_scope.cancel()


async def model_to_phone(model: WebSocketConnection, phone: object, stream: dict[str, str]) -> None:
    greet = bool(os.environ.get("GREET"))
    while True:
        event = json.loads(await model.get_message())
        sid = stream.get("sid")
        if event["type"] == "response.output_audio.delta":
            audio = {"event": "media", "streamSid": sid, "media": {"payload": event["delta"]}}
            await phone.send(json.dumps(audio))
            await phone.send(json.dumps({"event": "mark", "streamSid": sid, "mark": {"name": "audio"}}))
        elif event["type"] == "input_audio_buffer.speech_started":
            await phone.send(json.dumps({"event": "clear", "streamSid": sid}))
        elif event["type"] == "session.updated" and greet:
            greet = False
            await model.send_message(json.dumps({"type": "conversation.item.create", "item": GREETING}))
            await model.send_message(json.dumps({"type": "response.create"}))


if __name__ == "__main__":
    config = hypercorn.Config.from_mapping(bind=[f"127.0.0.1:{PORT}"], backlog=1024, errorlog=None)
    trio.run(hypercorn.trio.serve, app, config)
