"""Runs of calls: how each begins, and what follows from its record.

A telephone call may have several runs, one after the other. All of them begin here: new calls for the phone,
and calls that continue for transfers, resumption and moved calls.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import attrs

from llcphone.call import node_names
from llcphone.call.run import CallRun
from llcphone.call.services import CallServices
from llcphone.call.session_source import EndpointSource, SessionSource
from llcphone.call.setup import CallStart, brief_of, plan_call
from llcphone.engine.events import EndReason
from llcphone.errors import ConfigError
from llcphone.phone.journal_entries import RESUMABLE
from llcphone.phone.transfers.transfer import is_briefing
from llcphone.recorder.wav import About
from llcphone.twilio import twiml

if TYPE_CHECKING:
    from llcphone.agent import Agent
    from llcphone.call.call import Call
    from llcphone.call.record import CallRecord
    from llcphone.call.services import Taping
    from llcphone.config import Config
    from llcphone.engine.resumed import Resumed
    from llcphone.phone.admission import Admission
    from llcphone.phone.calls import LiveCalls
    from llcphone.phone.dialler import Dialler
    from llcphone.phone.endpoints import Endpoints
    from llcphone.phone.loop_monitor import LoopMonitor
    from llcphone.phone.transfers.recordings import Recordings
    from llcphone.phone.transfers.registry import TransferRegistry
    from llcphone.phone.transfers.requests import TransferRequests
    from llcphone.phone.warm_pool import WarmPool
    from llcphone.recorder.recorder import Recorder
    from llcphone.recorder.recording import Recording
    from llcphone.store.store import Store
    from llcphone.wire.poller import Poller


_FIVE_MORE_TRIES = "#rc=5&rp=all"
"""For Twilio (docs/vendor-facts.md, Calls and callbacks): ask up to five times more, whatever went wrong,
because the process that is to answer may just be starting."""
_TWO_MORE_TRIES = "#rc=2&rp=all"
"""Without a journal only this process can answer."""


def need_public_url(config: Config) -> None:
    """Raise ConfigError unless Twilio can find the media stream."""
    if not config.server.public_url:
        why = "is missing: it tells Twilio where the media stream goes"
        raise ConfigError("server.public_url", why, "set PUBLIC_URL")


@attrs.define(eq=False)
class StreamDocuments:
    """Writes the TwiML that joins a telephone call to us, with the address where Twilio asks what next."""

    _config: Config
    _recordings: Recordings
    _journal: bool = attrs.field(kw_only=True)
    """Whether another process can answer."""

    def resume_url(self, run_number: int, node: str) -> str:
        """Where Twilio asks what next when the stream of this run of this node has ended; "": any node."""
        tries = _FIVE_MORE_TRIES if self._journal else _TWO_MORE_TRIES
        return node_names.at_node(f"{self._config.server.public_url}/resume/{run_number}", node) + tries

    def write(self, call: Call) -> None:
        """Let ``call.twiml`` be the document that brings its media stream."""
        begun = call.run_number > 0 or is_briefing(call)  # then it is recorded already, or not at all
        recorded = None if begun else self._recordings.of_call()
        call.twiml = self._connect(call.token, call.run_number, call.node, recorded)

    def again(self, token: str, run_number: int, node: str) -> str:
        """The document of a run that another request, perhaps another node, has begun."""
        return self._connect(token, run_number, node, None)

    def _connect(self, token: str, run_number: int, node: str, recorded: twiml.Recorded | None) -> str:
        may_continue = self._journal or self._config.transfers.any
        action = self.resume_url(run_number, node) if may_continue else None
        stream = twiml.stream_url(self._config.server.public_url, token)
        return twiml.connect_stream(stream, action=action, recorded=recorded)


@attrs.frozen(eq=False, kw_only=True)
class CallRuns:
    """Begins runs with what the phone has for them."""

    config: Config
    endpoints: Endpoints
    calls: LiveCalls
    admission: Admission
    loop_monitor: LoopMonitor
    documents: StreamDocuments
    transfers: TransferRegistry
    requests: TransferRequests
    warm: WarmPool
    dialler: Dialler | None
    """None when ``twilio.account_sid`` is not set."""
    poller: Poller | None
    """Reads the sockets of all calls; None where the system has no epoll."""
    taping: Taping | None
    """Black boxes, when ``records.blackbox_dir`` is set."""
    recorder: Recorder | None
    """Records calls, when ``records.audio_dir`` is set."""
    store: Store | None
    resumes: bool
    """Whether another run may go on with a call that has lost its own."""

    def need_dialler(self) -> Dialler:
        """What rings people.

        Raises:
            ConfigError: a setting that is needed to place calls is missing.
            NotAdmitted: no new call is taken.
        """
        if self.dialler is None:
            raise ConfigError(
                "twilio.account_sid", "is missing: placing calls needs it", "set TWILIO_ACCOUNT_SID"
            )
        need_public_url(self.config)
        self.admission.check()
        return self.dialler

    def begin(
        self,
        call: Call,
        agent: Agent,
        *,
        dialler: Dialler | None = None,
        context: str = "",
        resumed: Resumed | None = None,
        trusted: bool = False,
    ) -> None:
        """Begin a run.

        Without a ``dialler`` the person rings us, or is on the line already. ``trusted``: the dialled number
        comes from our own settings.

        Raises:
            DialRefused: the guard refuses the call.
        """
        held = partial(self.loop_monitor.held, call)
        call.context = context if resumed else brief_of(agent, call, context, held)
        self.documents.write(call)
        config = agent.over(self.config)
        start = CallStart(
            call_sid=call.call_sid,
            outbound=call.direction == "outbound",
            person=_person(call),
            context=call.context,
            dial=None if dialler is None else dialler.plan(),
            resumed=resumed,
            lasted_s=call.lasted_s,
            spent_usd=call.spent_usd,
        )
        setup = plan_call(
            config,
            agent,
            start,
            dialects=[each.dialects.answer for each in self.endpoints.all],
            down=self.endpoints.down,
        )
        services = self._services(call, agent, config, dialler)
        call.store = self.store
        call.begin(CallRun(setup, agent=agent, handle=call, services=services), self.requests)
        if dialler is not None:
            dialler.admit(call, trusted=trusted)  # last: nothing can fail once it counts
        self.calls.start(call)

    def resume(self, call: Call, agent: Agent, resumed: Resumed, *, context: str) -> None:
        """Go on with a call whose older run, here or elsewhere, has ended."""
        self.begin(call, agent, context=context, resumed=resumed)
        if self.dialler is not None and call.direction == "outbound":
            self.dialler.goes_on(call.call_sid)

    def _services(self, call: Call, agent: Agent, config: Config, dialler: Dialler | None) -> CallServices:
        return CallServices(
            config=config,
            sessions=SessionSource(
                [
                    EndpointSource(
                        partial(each.dial, caller=_person(call)),
                        each.dialects,
                        None if number else self.warm.taker(agent),
                    )
                    for number, each in enumerate(self.endpoints.all)
                ]
            ),
            on_record=partial(self._ended, call),
            wall_clock=time.time,
            start_detached=self.calls.start_task,
            dial=None if dialler is None else partial(dialler.dial, call),
            observe=partial(self.calls.noted, call),
            on_loop_held=partial(self.loop_monitor.held, call),
            on_over=partial(self.calls.over, call),
            poller=self.poller,
            tape=self.taping,
            recording=self._recording(call, agent),
        )

    def _recording(self, call: Call, agent: Agent) -> Recording | None:
        """A colleague who is briefed was not told of any recording."""
        if self.recorder is None or is_briefing(call):
            return None
        about = About(
            call=call.call_id,
            call_sid=call.call_sid,
            caller=call.caller,
            dialled=call.dialled,
            agent=agent.name,
            run_number=call.run_number,
            resumed_from=call.resumed_from,
        )
        return self.recorder.of_call(about, born_at=call.born_at)

    # -- a run's end -----------------------------------------------------------------------------

    def _ended(self, call: Call, record: CallRecord) -> None:
        """A run has its record: its place is free, even if a listener fails."""
        calls = self.calls
        calls.remove(call)
        with calls.faults.contained("end of a call not noted", call=call.call_id):
            record = attrs.evolve(
                record,
                run_number=call.run_number,
                resumed_from=call.resumed_from,
                transferred_to=self.transfers.destination_of(call),
            )
        with calls.faults.contained("a call not hung up at its end", call=call.call_id):
            self._hang_up(call, record.reason)
        calls.ended(call, record)

    def _hang_up(self, call: Call, reason: EndReason) -> None:
        if self.dialler is None:
            return
        leave = self._leaves_telephone(call, reason)
        if call.run.status.dial is not None:
            self.dialler.over(call, leave=leave)
        elif call.direction == "outbound" and not leave:
            self.dialler.freed(call.call_sid)

    def _leaves_telephone(self, call: Call, reason: EndReason) -> bool:
        """Whether the telephone call may go on without this run, so that we do not hang it up.

        A ``stop`` is Twilio's: the call has ended, or it was moved. Neither needs our help.
        """
        stopped = reason is EndReason.CALLER_HUNG_UP or self.calls.newest_run(call.call_sid) is not None
        resumable = self.resumes and reason in RESUMABLE
        return stopped or resumable or self.transfers.leaves(call)


def _person(call: Call) -> str:
    """Number of the person on the line."""
    return call.dialled if call.direction == "outbound" else call.caller
