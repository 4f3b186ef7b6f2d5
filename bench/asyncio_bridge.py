"""Good practice on asyncio: a raw ASGI app on uvicorn's sans-I/O WebSocket, websockets to the model.

Compression off, C masking, msgspec for JSON, uvloop where it is installed; no framework between.
As in the naive bridge there is no record, no tool, no limit. Run as ``python -m bench.asyncio_bridge``.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from importlib.util import find_spec

import uvicorn
from msgspec import json
from websockets.asyncio.client import ClientConnection, connect

from bench.naive_trio import GREETING, KEY, MODEL_URL, PORT, SESSION

LOOP = "uvloop" if find_spec("uvloop") else "asyncio"
TLS = ssl.create_default_context(cafile=os.environ.get("CA_FILE")) if MODEL_URL.startswith("wss:") else None
TWIML = f'<Response><Connect><Stream url="ws://127.0.0.1:{PORT}/media"/></Connect></Response>'.encode()


async def app(scope, receive, send) -> None:
    if scope["type"] == "http":
        headers = [(b"content-type", b"text/xml"), (b"content-length", str(len(TWIML)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": TWIML})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        headers = {"Authorization": KEY}
        async with connect(
            MODEL_URL, ssl=TLS, compression=None, max_size=2**24, additional_headers=headers
        ) as model:
            await say(model, type="session.update", session=SESSION)
            stream: dict[str, str] = {}
            async with asyncio.TaskGroup() as group:
                back = group.create_task(model_to_phone(model, send, stream))
                while (event := await receive())["type"] == "websocket.receive":
                    message = json.decode(event["text"])
                    if message["event"] == "media":
                        audio = message["media"]["payload"]
                        await say(model, type="input_audio_buffer.append", audio=audio)
                    elif message["event"] == "start":
                        stream["sid"] = message["start"]["streamSid"]
                back.cancel()


async def model_to_phone(model: ClientConnection, send, stream: dict[str, str]) -> None:
    greet = bool(os.environ.get("GREET"))

    async def tell(event: str, **fields: object) -> None:
        text = json.encode({"event": event, "streamSid": stream.get("sid"), **fields}).decode()
        await send({"type": "websocket.send", "text": text})

    async for text in model:
        event = json.decode(text)
        if event["type"] == "response.output_audio.delta":
            await tell("media", media={"payload": event["delta"]})
            await tell("mark", mark={"name": "audio"})
        elif event["type"] == "input_audio_buffer.speech_started":
            await tell("clear")
        elif event["type"] == "session.updated" and greet:
            greet = False
            await say(model, type="conversation.item.create", item=GREETING)
            await say(model, type="response.create")


async def say(model: ClientConnection, **event: object) -> None:
    await model.send(json.encode(event), text=True)


if __name__ == "__main__":
    uvicorn.run(
        app, port=int(PORT), loop=LOOP, ws="websockets-sansio", ws_per_message_deflate=False,
        lifespan="off", log_level="error", backlog=1024,
    )  # fmt: skip
