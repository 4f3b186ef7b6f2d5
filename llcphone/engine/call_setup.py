"""All that the engine knows of a call before it begins. It is plain data, so a call can be replayed.

No class here has a default. The settings (``llcphone.config``) have the defaults, and
``llcphone.call.setup`` passes them on.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

import attrs

from llcphone.engine.endpoint_plan import EndpointPlan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.engine.resumed import Resumed
    from llcphone.prices import Rates
    from llcphone.realtime.dialects import Dialect


# -- the session and its turns ------------------------------------------------------------------


@attrs.frozen
class TurnUpdate:
    """A session update that is due after a number of answered turns."""

    after_turn: int
    """Responses that answered caller speech; 0: any first response of the conversation."""
    name: str
    """Names it in its event id and in notes."""
    session: Mapping[str, Any]
    """Only the keys that change, in flat names."""


@attrs.frozen
class RenewalPlan:
    """When a session is replaced, and how."""

    at_age_ms: int
    """0: never; then the end of a session is a lost session."""
    margin_ms: int
    """How long before the end that the server names, at the latest; a quarter of a shorter life."""
    quiet_ms: int
    """How long it must have been quiet."""
    most_tries: int
    refresh_age_ms: int
    keep_turns: int
    """Turns of the caller that a refresh sends word by word."""
    summary: bool
    summary_wait_ms: int


@attrs.frozen
class EchoPlan:
    """How much of what comes over the agent's own voice is believed."""

    mute_ms: int
    """Frames held back at the beginning of each stretch of agent audio; 0: none."""
    after_ms: int
    """How long speech over the agent's voice must last to be a barge-in; 0: it is one at once."""
    answer: bool
    """Whether turns are answered where the server, while it is doubted, does not."""


@attrs.frozen
class SilencePlan:
    """How long a silence may last, and the cues for what the agent says then."""

    after_ms: int
    """0: only the idle limit ends a silence."""
    prompts: int
    """How often the caller is asked; the silence after the last one ends the call."""
    prompt_cue: str
    goodbye_cue: str
    manual: bool
    """Also with manual turns, where nothing says that the caller speaks."""


@attrs.frozen
class LivePlan:
    """What a session of the Live API needs. Its clock is the audio that it is given, and it decides alone
    when it speaks."""

    feed_every_ms: int
    """It is given silence when the telephone has sent nothing for this long."""
    cushion_ms: int
    """Audio that should wait at Twilio while the agent speaks; what is quiet is dropped above that."""
    dead_ms: int
    """A session that gives no audio for this long, silence included, is lost."""
    greeting_again_ms: int
    """What a session is asked to say first is asked for once more after this time without a voice."""
    quiet_ms: int
    """How long the caller must have been quiet before an irreversible tool runs."""


# -- tools --------------------------------------------------------------------------------------


@attrs.frozen
class ToolRule:
    """What the engine has to know of one tool."""

    name: str
    timeout_ms: int
    """How long the model waits for it; 0: for ever."""
    goes_on: bool
    """It may still work after that ..."""
    deliver: bool
    """... and its result is sent to the model then."""
    irreversible: bool
    """It does not run while the caller is cutting in: they may mean "no"."""


@attrs.frozen
class ToolPlan:
    """How tools are waited for."""

    rules: tuple[ToolRule, ...]
    filler_after_ms: int
    """Silence until the caller hears the filler; 0: never."""
    filler_every_ms: int
    """Silence until the next one; 0: there is none."""
    filler: tuple[bytes, ...]
    """Stored speech or a tone, as base64 payloads."""


# -- trouble, money, the end --------------------------------------------------------------------


@attrs.frozen
class RetellingTexts:
    """What the model reads about a conversation it did not hold; the names are those of the sentences."""

    line_cut: str
    """An answer broke off, and the caller has heard a part of it."""
    line_cut_at_once: str
    """An answer broke off before the caller heard a word."""
    line_missing: str
    """Some turns of the caller have neither words nor audio."""
    line_back: str
    """The telephone line broke, and nothing is owed."""
    line_back_answer: str
    """The same, and the caller waits for an answer."""
    line_back_rest: str
    """The same, in the middle of an answer."""
    no_repeat: str
    """Behind each of the three, and behind other news of a caller who is back."""
    summary: str
    """Before a summary of what was said."""
    summary_request: str
    """Asks for that summary."""


@attrs.frozen
class RecoveryPlan:
    """How hard to try when the model is lost, and what the caller hears meanwhile."""

    enabled: bool
    limit_ms: int
    """Longest time from a lost session or a failed answer until the agent is heard again."""
    most: int
    """Such troubles, or stalls, in a row with no answer spoken to its end; then the call is given up."""
    stall_ms: int
    """An answer that is due and does not come for this long is a lost session; 0: never. The next one
    is given up to twice as long."""
    spread: tuple[float, ...]
    """Factors of the pauses between tries, drawn by chance, so that calls do not come back together."""
    filler_after_ms: int
    filler_every_ms: int
    filler: tuple[bytes, ...]
    """Stored "one moment, please", as base64 payloads; empty: silence."""
    apology: tuple[bytes, ...]
    """Stored apology; empty: the call just ends."""
    texts: RetellingTexts
    """What a fresh session reads about the call."""


@attrs.frozen
class AlarmPlan:
    """When an alarm is raised; 0 never."""

    slow_turn_ms: int
    dead_air_ms: int


class AtLimit(Enum):
    """What a spent budget means."""

    GOODBYE = "goodbye"
    """The agent says good-bye, and the call ends."""
    HANG_UP = "hang_up"
    """The call ends when what is being said was heard."""
    NOTE = "note"
    """It is noted."""


@attrs.frozen
class MoneyPlan:
    """What a call may cost, by which prices."""

    rates: Rates | None
    """None: the model has no price, so the cost is unknown."""
    budget_usd: float
    """0: no limit."""
    at_limit: AtLimit
    goodbye_cue: str
    grace_ms: int
    spent_usd: float
    """What older runs of this telephone call have cost."""
    minute_usd: float = 0.0
    """What a minute of a session costs, beside its tokens. The default is for tapes from before it."""


@attrs.frozen
class GoodbyePlan:
    """What is said when our side must end a call."""

    goodbye_cue: str
    apology: tuple[bytes, ...]
    """The last word, stored; empty: the call just ends."""


# -- outbound calls -----------------------------------------------------------------------------


class MachinePolicy(Enum):
    """What to do when a machine has answered."""

    HANG_UP = "hang_up"
    LEAVE_MESSAGE = "leave_message"
    GO_ON = "go_on"


@attrs.frozen
class DialPlan:
    """How to ring somebody."""

    at_once: bool
    """Dial without waiting for the model leg."""
    no_callback_ms: int
    """Longest wait for any word of the carrier after dialling: ring time included."""
    turn_ms: int
    """Longest wait for our turn to dial, before that: an account is allowed a number of calls per second."""
    join_ms: int
    """Longest wait for the media stream once somebody has answered; synchronous detection included."""
    machine: MachinePolicy
    message_cue: str
    message: tuple[bytes, ...]
    """A stored message, as base64 payloads; empty: the agent speaks it."""
    patience_ms: int
    """With opening ``listen``: the agent speaks first after this much silence of the callee; 0: never."""


# -- the whole ----------------------------------------------------------------------------------


@attrs.frozen
class CallLimits:
    """The engine's own deadlines; the settings of the same names say what each is for."""

    warm_ms: int
    """From the call's birth until a session is configured, while nobody is on the line."""
    join_grace_ms: int
    """From when the media stream joins, for the attempt under way."""
    cold_ms: int
    """For the attempt that replaces it."""
    token_ms: int
    start_ms: int
    dead_stream_ms: int
    idle_ms: int
    max_duration_ms: int
    goodbye_ms: int
    greeting_guard_ms: int
    greeting_guard_max_ms: int
    early_audio_ms: int
    mark_every_ms: int
    response_wait_ms: int


@attrs.frozen
class CallSetup:
    """What one call starts from."""

    session: Mapping[str, Any]
    """The opening ``session.update`` in flat names."""
    call_sid: str
    """What the media stream must name; empty: not known yet."""
    greets: bool
    greeting_cue: str
    pad_ms: int
    priming: bool
    schedule: tuple[TurnUpdate, ...]
    """Later updates of the session, by the turn after which each is due."""
    tools: frozenset[str]
    silent_tools: frozenset[str]
    tool_plan: ToolPlan
    dialect: Dialect | None
    """None: unknown yet."""
    may_switch: bool
    """Dialect ``auto``: a refusal of flat turns to GA once."""
    elsewhere: tuple[EndpointPlan, ...]
    """The other endpoints, by preference; ``session``, ``dialect``, ``may_switch`` and ``money.rates`` are
    the first one's."""
    endpoints_down: tuple[int, ...]
    """Numbers of the endpoints that give no sessions at the call's birth; 0 is the first."""
    recovery: RecoveryPlan
    money: MoneyPlan
    goodbye: GoodbyePlan
    alarms: AlarmPlan
    renewal: RenewalPlan
    dial: DialPlan | None
    """How to ring the callee; None: they ring us."""
    resumed: Resumed | None
    """The conversation of the process that held this call before; None: it is a new call."""
    create_response: bool
    """Whether the server answers the turns it detects."""
    interrupt_response: bool
    """Whether the caller's speech stops the agent."""
    echo: EchoPlan
    silence: SilencePlan
    limits: CallLimits
    live: LivePlan | None = None
    """The model speaks the Live API; None: the Realtime API. The default is for tapes from before it."""
    endpoints_barred: tuple[int, ...] = ()
    """Numbers of the endpoints that this call cannot use: they speak another protocol."""

    @property
    def endpoints(self) -> tuple[EndpointPlan, ...]:
        """All endpoints, by number."""
        first = EndpointPlan(self.session, self.dialect, self.may_switch, self.money.rates)
        return first, *self.elsewhere

    @property
    def manual_turns(self) -> bool:
        """The application says when a turn ends; no detector does."""
        return self.session.get("turn_detection", ...) is None
