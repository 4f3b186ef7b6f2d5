"""How a phone is put together: each part is given what it uses, and no part is changed afterwards."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import attrs

from llcphone.errors import ConfigError
from llcphone.phone.admission import Admission
from llcphone.phone.agents import AgentChooser
from llcphone.phone.answering import Answering
from llcphone.phone.call_warnings import CallWarnings
from llcphone.phone.day_budget import DayBudget
from llcphone.phone.loop_monitor import LoopMonitor
from llcphone.phone.moved_calls import MovedCalls
from llcphone.phone.ordering import Ordering
from llcphone.phone.overload import Overload
from llcphone.phone.phone import Phone
from llcphone.phone.resumption import CallResumption
from llcphone.phone.runs import CallRuns, StreamDocuments
from llcphone.phone.sweep import Sweep
from llcphone.phone.transfers.messages import TextMessages
from llcphone.phone.transfers.recordings import Recordings
from llcphone.phone.transfers.registry import TransferRegistry
from llcphone.phone.transfers.requests import TransferRequests
from llcphone.phone.transfers.transfers import Transfers
from llcphone.phone.transfers.warm_transfer import WarmTransfers
from llcphone.phone.transfers.webhooks import TransferWebhooks
from llcphone.twilio import twiml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llcphone.agent import Agent
    from llcphone.call.services import Taping
    from llcphone.carrier.rest import Carrier
    from llcphone.config import Config
    from llcphone.phone.agents import AgentChoice
    from llcphone.phone.all_nodes import AllNodes
    from llcphone.phone.call_store import CallStoreObserver
    from llcphone.phone.calls import LiveCalls, OnNote, OnRecord
    from llcphone.phone.dialler import Dialler
    from llcphone.phone.endpoints import Endpoints
    from llcphone.phone.warm_pool import WarmPool
    from llcphone.recorder.recorder import Recorder
    from llcphone.store.journal_writer import JournalWriter
    from llcphone.wire.poller import Poller


@attrs.frozen
class Opened:
    """What is open before a phone is put together: it has to be closed again, in reverse order."""

    config: Config
    endpoints: Endpoints
    warm: WarmPool
    calls: LiveCalls
    all_nodes: AllNodes
    dialler: Dialler | None = None
    poller: Poller | None = None
    taping: Taping | None = None
    recorder: Recorder | None = None
    journal: JournalWriter | None = None
    call_store: CallStoreObserver | None = None


def assembled(
    opened: Opened, agent: AgentChoice, takers: Sequence[OnRecord], on_note: OnNote | None
) -> Phone:
    """Build the parts from below to above, then subscribe them to news of calls."""
    config, calls, dialler = opened.config, opened.calls, opened.dialler
    journal = opened.journal is not None
    speech = twiml.Speech(config.twilio.say_language, config.twilio.say_voice)
    agents = AgentChooser(agent, calls.faults)
    endpoints = opened.endpoints
    shared = opened.all_nodes.shared
    day_budget = DayBudget(config.money, time.time, shared)
    overload = Overload(config.overload, lambda: len(calls))
    admission = Admission(calls, config.server.max_calls, endpoints, day_budget, overload, shared)
    loop_monitor = LoopMonitor(calls.all, faults=calls.faults)
    carrier_for = partial(_carrier_for, config, dialler)
    registry = TransferRegistry(config.server.public_url)
    recordings = Recordings(config, speech)
    messages = TextMessages(config, dialler, carrier_for)
    documents = StreamDocuments(config, recordings, journal=journal)
    runs = CallRuns(
        config=config,
        endpoints=endpoints,
        calls=calls,
        admission=admission,
        loop_monitor=loop_monitor,
        documents=documents,
        transfers=registry,
        requests=TransferRequests(config.transfers, registry, messages, carrier_for),
        warm=opened.warm,
        dialler=dialler,
        poller=opened.poller,
        taping=opened.taping,
        recorder=opened.recorder,
        store=None if opened.call_store is None else opened.call_store.store,
        resumes=journal and config.journal.max_resumes > 0,
    )
    moved_calls = MovedCalls(runs, documents, registry)
    colleagues = WarmTransfers(config, registry, calls, runs, carrier_for, speech, journal=journal)

    def agent_named(name: str, form: Mapping[str, str]) -> Agent:
        return agents.named(name) or colleagues.agent_named(name) or agents.choose(form)

    resumption = None
    if opened.journal is not None:
        node = config.server.node
        life = "" if shared is None else shared.beat.node.life
        resumption = CallResumption(
            opened.journal, calls, runs, documents, moved_calls, node, life, agent_named
        )
    sweep = None
    if config.shared.sweep and shared is not None and opened.journal is not None and dialler is not None:
        sweep = Sweep(shared, opened.journal, dialler.carrier, calls, documents.resume_url)
    webhooks = TransferWebhooks(
        config, registry, colleagues, calls, admission, runs, moved_calls, resumption, speech
    )
    transfers = Transfers(config, registry, calls, messages, colleagues, webhooks, recordings)

    answering = Answering(
        config=config,
        calls=calls,
        runs=runs,
        moved_calls=moved_calls,
        admission=admission,
        agents=agents,
        overload=overload,
        transfers=transfers,
        all_nodes=opened.all_nodes,
        speech=speech,
    )

    # The listeners of calls, in this order. The user's function comes first for notes, and the store last:
    # what it keeps is complete by then. At the end of a run its transfer is known before its resumption is.
    loop_monitor.listeners.append(overload.look)
    calls.observers += [] if on_note is None else [on_note]
    calls.observers += [endpoints.noted, day_budget.noted, CallWarnings().noted, registry.noted]
    calls.on_over.append(transfers.over)
    calls.on_record += takers
    calls.on_end += [endpoints.ended, day_budget.ended, moved_calls.ended, transfers.ended]
    if resumption is not None:
        calls.on_birth.append(resumption.born)
        calls.observers.append(resumption.noted)
        calls.on_over.append(resumption.ended)
        calls.on_end.append(resumption.recorded)
    calls.on_over.append(moved_calls.over)
    if opened.all_nodes.counts_inbound:
        calls.on_birth.append(opened.all_nodes.born)
        calls.on_end.append(opened.all_nodes.ended)
    if opened.call_store is not None:
        calls.observers.append(opened.call_store.noted)
        calls.on_end.append(opened.call_store.ended)

    return Phone(
        config=config,
        endpoints=endpoints,
        admission=admission,
        agents=agents,
        warm=opened.warm,
        loop_monitor=loop_monitor,
        day_budget=day_budget,
        overload=overload,
        transfers=transfers,
        dialler=dialler,
        store=runs.store,
        shared=shared,
        sweep=sweep,
        calls=calls,
        runs=runs,
        moved_calls=moved_calls,
        resumption=resumption,
        answering=answering,
        ordering=Ordering(config, runs, agents),
    )


def _carrier_for(config: Config, dialler: Dialler | None, purpose: str) -> Carrier:
    """The way to Twilio's REST API.

    Raises:
        ConfigError: there is no account.
    """
    if dialler is None:
        key = "account_sid" if not config.twilio.account_sid else "auth_token"
        raise ConfigError(f"twilio.{key}", f"is missing: {purpose} needs it", f"set TWILIO_{key.upper()}")
    return dialler.carrier
