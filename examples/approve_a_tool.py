"""A tool that cannot be undone: a person approves it while the caller waits and hears a filler."""

import attrs
import trio
from _vendors import vendors

import llcphone
from llcphone import Call, Note, ToolContext
from llcphone.server import serve
from llcphone.sim.model import CallTool

agent = llcphone.Agent("You take refunds for a bakery. Say what was refunded.")


@agent.tool(lean=True, irreversible=True, approve="operator", retry=2)
async def refund(euros: float, tool: ToolContext) -> str:
    """Refund an order.

    Args:
        euros: how much.
    """
    print(f"refunded {euros} euros, once for {tool.key[:2]}…")  # a bank takes the key: it pays once
    return "refunded"


async def operator(asked: trio.MemoryReceiveChannel[Call]) -> None:
    """Somebody at a desk, who looks and decides."""
    async for call in asked:
        await trio.sleep(1.5)
        for request in call.approvals.waiting:
            call.approvals.answer(request.tool_call_id, request.arguments["euros"] < 50 or "ask the office")


async def main() -> None:
    tell, asked = trio.open_memory_channel[Call](100)

    def look(call: Call, note: Note) -> None:
        if note.kind == "approval asked":
            tell.send_nowait(call)

    asks = CallTool("refund", {"euros": 9})
    script: list[str | CallTool] = ["Hello, this is the bakery!", asks, "You get nine euros back."]
    async with vendors(script) as config:
        config = attrs.evolve(config, filler=attrs.evolve(config.filler, tool_after_ms=500))
        async with (
            llcphone.open_phone(config, agent, on_note=look) as phone,
            llcphone.until_signal(phone),
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(operator, asked, name="operator")
            await serve(phone, config)


if __name__ == "__main__":
    trio.run(main)
