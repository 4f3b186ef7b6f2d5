"""What the examples share: real settings with ``--real``, else simulated vendors and one caller.

Without ``--real`` an example needs no account: the Realtime API is simulated, somebody rings, says
a sentence, listens to the answer and hangs up, and the example ends. Examples that ring themselves
ask for people instead, each of whom is at home, or is not, in a way of their own.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

import llcphone
from llcphone.sim import voices
from llcphone.sim.model.script import Scripted
from llcphone.sim.twilio import Callee
from llcphone.testing import Stage, open_stage


@asynccontextmanager
async def vendors(script: Scripted = None, *, rings: bool = True) -> AsyncIterator[llcphone.Config]:
    """Yield the settings to use; simulated, the block is cancelled when the caller has hung up.

    Args:
        script: what the simulated model says.
        rings: a person calls; otherwise there are people who can be called.
    """
    if "--real" in sys.argv:
        yield llcphone.load_config()
        return
    callee = None if rings else somebody
    said = script or ["Hello, this is the bakery!", "We bake until six."]
    async with open_stage(said, callee=callee) as stage, trio.open_nursery() as nursery:
        if rings:
            nursery.start_soon(somebody_rings, stage, nursery.cancel_scope, name="caller")
        yield stage.make_config({} if rings else {"outbound": {"calls_per_second": 10.0}})
        nursery.cancel_scope.cancel()


def somebody(number: str) -> Callee:
    """The person at this number: most talk, some do not answer, and there are machines."""
    ways = {"2": Callee("busy"), "4": Callee("no-answer"), "7": Callee(answered_by="machine_start")}
    talks = Callee(ring_s=1.0, says=voices.load("yes_please"), hangs_up_after_s=4.5)
    return ways.get(number[-1], talks)


async def somebody_rings(stage: Stage, everything: trio.CancelScope) -> None:
    """One caller, from ringing to hanging up."""
    while not await listens(stage.port):  # noqa: ASYNC110 (a server knows no event)
        await trio.sleep(0.05)
    call = await stage.ring()
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
