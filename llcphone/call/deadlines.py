"""The deadline task: sleeps until the engine's next deadline, then steps it.

The keepalive of the model legs uses the same alarm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.engine.events import Tick

if TYPE_CHECKING:
    from llcphone.call.core import CallCore
    from llcphone.call.model_legs import ModelLegs


async def keep_deadlines(core: CallCore, models: ModelLegs) -> None:
    """Wake for deadlines and due pings, until the nursery is cancelled."""
    while True:
        await core.alarm.sleep()
        models.keepalive()
        core.step(Tick())
