"""The agent that ``llcphone torture`` gives to our own server: two tools that take their time."""

from __future__ import annotations

import trio

from llcphone.agent import Agent

TOOL_S = 3.0

agent = Agent("You answer the telephone of a shop. Look up what you are asked for. Be brief.", name="torture")


@agent.tool(lean=True)
async def look_up() -> str:
    """Look something up."""
    await trio.sleep(TOOL_S)
    return "found"


@agent.tool(lean=True)
async def check_stock() -> str:
    """Check what is in stock."""
    await trio.sleep(TOOL_S)
    return "plenty"
