"""What the examples share: real settings with ``--real``, else simulated vendors and one caller.

Without ``--real`` an example needs no account: the Realtime API is simulated, somebody rings, says
a sentence, listens to the answer and hangs up, and the example ends.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

import llcphone
from llcphone.rehearsal import AUTH_TOKEN, rehearsal_config
from llcphone.sim import voices
from llcphone.sim.model import Scripted, open_model
from llcphone.sim.phone import open_twilio


@asynccontextmanager
async def vendors(script: Scripted = None) -> AsyncIterator[llcphone.Config]:
    """Yield the settings to use; simulated, the block is cancelled when the caller has hung up."""
    if "--real" in sys.argv:
        yield llcphone.load_config()
        return
    script = script or ["Hello, this is the bakery!", "We bake until six."]
    async with open_model(script) as model, trio.open_nursery() as nursery:
        config = rehearsal_config(model.url)
        nursery.start_soon(somebody_rings, config, nursery.cancel_scope, name="caller")
        yield config
        nursery.cancel_scope.cancel()


async def somebody_rings(config: llcphone.Config, everything: trio.CancelScope) -> None:
    """One caller, from ringing to hanging up."""
    while not await listens(config.server.port):  # noqa: ASYNC110 (a server knows no event)
        await trio.sleep(0.05)
    webhook = f"{config.server.public_url}/twiml"
    async with open_twilio(webhook_url=webhook, auth_token=AUTH_TOKEN) as twilio:
        call = await twilio.ring()
        await call.stream_started()
        await call.hears(0.3)
        await call.silence_for(500)
        await call.speak(voices.load("book_table"))
        await call.hears(0.3)
        await call.silence_for(700)
        call.hang_up()
        await call.ended()
        heard_s = sum(len(audio) for _, audio in call.ear) / 8000
        print(f"the caller heard {heard_s:.1f} s of the agent and hung up")
    await trio.sleep(0.2)
    everything.cancel()


async def listens(port: int) -> bool:
    """Whether somebody listens on this loopback port."""
    try:
        await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
    except OSError:
        return False
    return True
