"""The phone's own store: each call is kept there when it ends, and tools find it by ``store_of``."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import attrs

from llcphone.engine.notes import ToolBegun, ToolDone
from llcphone.errors import ConfigError
from llcphone.store.models import ToolCall
from llcphone.store.store import open_store
from llcphone.store.webhook import open_webhook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llcphone.call.call import Call
    from llcphone.config import Config
    from llcphone.engine.note import Note
    from llcphone.store.store import Store


@attrs.define(eq=False)
class CallStoreObserver:
    """Stores each call of a phone when it ends."""

    store: Store
    _tools: dict[str, dict[str, ToolCall]] = attrs.field(factory=dict, init=False)

    def noted(self, call: Call, note: Note) -> None:
        """Something happened in a call; its tools are remembered, without what they were asked."""
        match note:
            case ToolBegun(name=name, call_id=key):
                at_ms = max(0, round((time.time() - call.born_at) * 1000))
                self._tools.setdefault(call.call_id, {})[key] = ToolCall(name=name, at_ms=at_ms)
            case ToolDone(call_id=key, ok=ok, took_ms=took_ms):
                tools = self._tools.get(call.call_id, {})
                if key in tools:
                    tools[key] = attrs.evolve(tools[key], took_ms=took_ms, ok=ok)

    def ended(self, call: Call) -> None:
        """A call has its record."""
        tools = tuple(self._tools.pop(call.call_id, {}).values())
        if call.record is not None:
            self.store.put_call(
                call.record, caller=call.caller, dialled=call.dialled, context=call.context, tools=tools
            )


@asynccontextmanager
async def open_call_store(config: Config) -> AsyncIterator[CallStoreObserver | None]:
    """The store and the webhook of a phone, as its settings say; None when it has no store.

    Raises:
        ConfigError: one of them cannot be had.
    """
    async with AsyncExitStack() as stack:
        if not wants_store(config):
            yield None
            return
        store = await stack.enter_async_context(open_store(config))
        await stack.enter_async_context(open_webhook(config.webhook, store))
        yield CallStoreObserver(store)


def wants_store(config: Config) -> bool:
    """Whether there is to be a store.

    Raises:
        ConfigError: there is none, and the webhook needs one.
    """
    wanted = config.store.enabled and bool(config.store.url)
    if config.webhook.url and not wanted:
        raise ConfigError(
            "store.url",
            "webhook.url needs the store, which holds records until they are sent",
            "set it and store.enabled = true, or leave webhook.url empty",
        )
    return wanted
