"""What the pages begin with: who one is here, what runs, and how well it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import llcphone
from llcphone.agent import agents_of
from llcphone.runtime.host import PROCESS

if TYPE_CHECKING:
    from llcphone.console.access import Session
    from llcphone.console.console import Console


async def state_of(console: Console, session: Session) -> dict[str, Any]:
    """The snapshot that a page takes before it follows events with a higher ``seq``."""
    config, phone = console.config, console.phone
    seq, calls = (0, []) if console.live is None else await console.live.snapshot()
    return {
        "seq": seq,
        "process": PROCESS,
        "version": llcphone.__version__,
        "mode": console.mode,
        "model": {
            "kind": "simulated" if console.simulated else "real",
            "text": console.model,
        },
        "transcribed": phone is not None and phone.config.realtime.transcription_model is not None,
        "agents": [] if phone is None else list(agents_of(phone.agent)),
        "act": session.act,
        "phone": session.phone and "line" in console.sockets,
        "live": "live" in console.sockets,
        "words": config.words,
        "numbers": config.numbers,
        "audio": config.audio,
        "drain": _drain_limit_s(console),
        "store": phone is not None and phone.store is not None,
        "calls": calls,
        "health": {} if console.live is None else console.live.health(),
    }


def _drain_limit_s(console: Console) -> float | None:
    """How long a drain waits for live calls; None: this program cannot be stopped from here."""
    if console.operations.drain is None or console.phone is None:
        return None
    return console.phone.config.drain.limit_s
