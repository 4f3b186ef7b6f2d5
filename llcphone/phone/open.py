"""Opening a phone: what it owns, and in which order that is left.

``open_phone`` owns one nursery; every call is a child of it. Leaving it normally drains; leaving it
by an error or a cancellation ends all calls at once.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

import trio

from llcphone.agent import Agent, agents_of
from llcphone.call.endpoint import Endpoint
from llcphone.call.setup import plan_call, recovery_plan, tool_plan
from llcphone.call.setup_money import endpoint_rates
from llcphone.config import Config
from llcphone.phone.all_nodes import AllNodes
from llcphone.phone.assembly import Opened, assembled
from llcphone.phone.black_box import open_black_boxes
from llcphone.phone.call_store import open_call_store
from llcphone.phone.call_warnings import look_at_tools
from llcphone.phone.calls import LiveCalls
from llcphone.phone.endpoints import Endpoints
from llcphone.phone.sweep import check_sweep
from llcphone.phone.transfers.transfers import check_destinations
from llcphone.phone.warm_pool import WarmPool
from llcphone.recorder.recorder import open_recorder
from llcphone.runtime.host import need_trio
from llcphone.shared.shared import open_shared
from llcphone.store.journal_writer import open_journal
from llcphone.store.record_file import open_record_file
from llcphone.validation.arguments import need, need_function
from llcphone.wire.poller import Poller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from llcphone.phone.agents import AgentChoice
    from llcphone.phone.calls import OnNote, OnRecord
    from llcphone.phone.dialler import Dialler
    from llcphone.phone.phone import Phone
    from llcphone.store.journal_writer import JournalWriter


@asynccontextmanager
async def open_phone(
    config: Config,
    agent: AgentChoice,
    *,
    on_record: OnRecord | None = None,
    on_note: OnNote | None = None,
    replaces: bool = False,
) -> AsyncIterator[Phone]:
    """A phone inside the caller's own task tree.

    Args:
        config: the settings.
        agent: the agent that answers, or a function that chooses it by the webhook's form.
        on_record: called synchronously with every call's record, besides ``records.path``.
        on_note: called synchronously with what happens in calls (floor, words, tools, barge-in);
            it runs inside the engine's step, so it must be quick.
        replaces: a process with the same ``server.node`` runs and is to end once this one serves; otherwise
            it would keep this one from its name.

    Yields:
        The phone. Leaving the block normally drains it, within ``drain.limit_s``.
    """
    need_trio("open_phone")
    need(config, Config, "open_phone: config", "what load_config returns")
    for name, taker in {"on_record": on_record, "on_note": on_note}.items():
        if taker is not None:
            need_function(taker, f"open_phone: {name}", "a plain function; let it start a task to wait")
    endpoints, warm = examined(config, agent)
    async with AsyncExitStack() as stack:
        taping = await stack.enter_async_context(open_black_boxes(config.records))
        recorder = await stack.enter_async_context(open_recorder(config.records))
        secret = config.twilio.auth_token
        journal = await stack.enter_async_context(open_journal(config.journal, secret=secret))
        opened_shared = open_shared(config, version=version("llcphone"), replaces=replaces)
        shared = await stack.enter_async_context(opened_shared)
        call_store = await stack.enter_async_context(open_call_store(config))
        takers = [] if on_record is None else [on_record]
        if config.records.path:
            takers.append(await stack.enter_async_context(open_record_file(config.records.path)))
        nursery = await stack.enter_async_context(trio.open_nursery())
        calls = LiveCalls(nursery)
        poller = Poller() if Poller.supported() else None
        if poller is not None:
            nursery.start_soon(poller.run, name="poller")
        all_nodes = AllNodes(calls, shared)
        dialler = await stack.enter_async_context(_opened_dialler(config, calls, all_nodes, journal))
        opened = Opened(
            config, endpoints, warm, calls, all_nodes, dialler, poller, taping, recorder, journal, call_store
        )
        phone = assembled(opened, agent, takers, on_note)
        if shared is not None:  # in the calls' nursery, as it has to beat while they are drained
            shared.beat.look = lambda: (len(calls), "draining" if phone.draining else "serving")
            nursery.start_soon(shared.beat.run, name="shared limits")
        try:
            async with trio.open_nursery() as background:
                for name, task in _background(phone).items():
                    background.start_soon(phone.faults.keep, f"{name} failed", task, name=name)
                yield phone
                background.cancel_scope.cancel(reason="leaving")
            await phone.drain()
        finally:  # after an error too: a late webhook gets the fallback, not a dead nursery
            phone.admission.close()
        nursery.cancel_scope.cancel(reason="drained")


@asynccontextmanager
async def _opened_dialler(
    config: Config, calls: LiveCalls, all_nodes: AllNodes, journal: JournalWriter | None
) -> AsyncIterator[Dialler | None]:
    """What rings people; None without a Twilio account."""
    if not (config.twilio.account_sid and config.twilio.auth_token):
        yield None
        return
    # Imported here: Twilio's REST package takes 100 ms, and inbound calls do not need it.
    from llcphone.phone.dialler import open_dialler

    of_others = None if journal is None else journal.of_others
    async with open_dialler(config, calls.start_task, all_nodes, of_others) as dialler:
        with calls.faults.contained("do-not-call list failed"):  # until it is read, every call is refused
            await dialler.lists.read()
        yield dialler


def use_agent(phone: Phone, agent: AgentChoice) -> None:
    """Let another agent answer from now on; live calls keep theirs.

    Args:
        phone: whose calls they are.
        agent: the agent that answers, or a function that chooses it by the webhook's form.

    Raises:
        ConfigError: its settings cannot be used; nothing has changed.
    """
    _check_agents(phone.config, agent, "use_agent: agent")
    phone.warm.keep_for(agent)
    phone.agents.agent = agent
    phone.endpoints.ask_for(agents_of(agent).values())


def _check_agents(config: Config, agent: AgentChoice, argument: str) -> None:
    if not isinstance(agent, Agent):
        need_function(agent, argument, "an Agent, or a plain function (form) that returns one")
    for each in agents_of(agent).values():
        plan_call(config, each)
        look_at_tools(each)


def examined(config: Config, agent: AgentChoice) -> tuple[Endpoints, WarmPool]:
    """The model's endpoints and the pool of sessions, once settings and agents are seen to fit each other.

    Nothing is opened, so the doctor asks the same.

    Raises:
        ConfigError: a call with them would fail, or a file that they name cannot be read.
    """
    endpoint_rates(config)  # a price list that cannot be read, budgets that cannot be kept
    recovery_plan(config)  # a recording that cannot be read is reported now, not to a caller
    tool_plan(config)
    check_destinations(config)
    check_sweep(config)
    _check_agents(config, agent, "open_phone: agent")
    numbers = range(len(config.endpoints))
    agents = agents_of(agent).values()
    endpoints = Endpoints(config.breaker, [Endpoint(config, agents, number) for number in numbers])
    return endpoints, WarmPool(config, endpoints.first, agent)


def _background(phone: Phone) -> dict[str, Callable[[], Awaitable[object]]]:
    """The tasks that serve all calls, by name; one that fails begins again and ends no call."""
    tasks: dict[str, Callable[[], Awaitable[object]]] = {
        "dialect question": phone.endpoints.keep_asking,
        "breakers": phone.endpoints.keep_breakers,
        "endpoints' news": lambda: phone.endpoints.keep_telling(phone.calls),
        "loop monitor": phone.loop_monitor.run,
        "day budget writer": phone.day_budget.run,
        "warm pool": phone.warm.run,
    }
    if phone.dialler is not None:
        tasks["do-not-call list"] = phone.dialler.lists.keep
    if phone.sweep is not None:
        tasks["sweep"] = phone.sweep.run
    return tasks
