"""How long things of a call may take, as the engine's plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.engine.call_setup import CallLimits, LivePlan, RenewalPlan

if TYPE_CHECKING:
    from llcphone.config import Config

# Limits that are no settings: nothing in a deployment suggests other values.
GREETING_GUARD_MAX_MS = 3_000
"""The greeting guard ends after this time whatever the marks say: no caller may be ignored for longer."""
EARLY_AUDIO_MS = 10_000
"""Caller audio kept while the session is not ready and the agent listens first: as long as a session may
take by default (``opening.warm_deadline_ms``)."""
MARK_EVERY_MS = 200
"""Agent audio between two marks. A lost mark costs this much knowledge of what was heard; more marks cost
messages."""
RESPONSE_WAIT_MS = 3_000
"""How long a committed turn may wait for ``response.created`` before llcphone asks for a response itself."""
RENEWAL_MARGIN_MS = 300_000
"""A successor is opened this long before the end that the server names, or a quarter of a shorter life."""
RENEWAL_QUIET_MS = 500
"""Silence of both sides before the switch to a successor."""
RENEWAL_TRIES = 5
"""Successors tried in a row. Then the session runs to its end, and recovery takes over."""
FEED_EVERY_MS = 200
"""GPT-Live receives silence when the telephone has sent nothing for this long: its clock is its input."""
LIVE_DEAD_MS = 2_000
"""GPT-Live sends ten pieces of audio a second, silence included. After this long without one it is lost."""
GREETING_AGAIN_MS = 2_500
"""GPT-Live sometimes does not speak when it is asked first; then it is asked once more."""
QUIET_MS = 700
"""GPT-Live may call a tool before the caller has finished: an irreversible one waits for this silence."""
SUMMARY_WAIT_MS = 5_000
"""Longest wait for a summary of the conversation; without it only the last turns are repeated."""


def renewal_plan(config: Config) -> RenewalPlan:
    """When a session gets a successor."""
    renewal = config.renewal
    if config.realtime.protocol == "live":  # a session lasts two hours, longer than a call
        renewal = attrs.evolve(renewal, at_age_s=0.0)
    return RenewalPlan(
        at_age_ms=round(renewal.at_age_s * 1000),
        margin_ms=RENEWAL_MARGIN_MS,
        quiet_ms=RENEWAL_QUIET_MS,
        most_tries=RENEWAL_TRIES,
        refresh_age_ms=round(renewal.refresh_at_age_s * 1000),
        keep_turns=renewal.keep_turns,
        summary=renewal.summary,
        summary_wait_ms=SUMMARY_WAIT_MS,
    )


def call_limits(config: Config, lasted_s: float) -> CallLimits:
    """The deadlines of a run, of a call that lasted this long in older runs."""
    call, opening = config.call, config.opening
    return CallLimits(
        warm_ms=opening.warm_deadline_ms,
        join_grace_ms=opening.join_grace_ms,
        cold_ms=opening.cold_deadline_ms,
        token_ms=round(call.token_ttl_s * 1000),
        start_ms=round(call.start_timeout_s * 1000),
        dead_stream_ms=round(call.media_timeout_s * 1000),
        idle_ms=round(call.idle_limit_s * 1000),
        max_duration_ms=max(1_000, round((call.max_duration_s - lasted_s) * 1000)),
        goodbye_ms=round(call.goodbye_timeout_s * 1000),
        greeting_guard_ms=opening.greeting_guard_ms,
        greeting_guard_max_ms=GREETING_GUARD_MAX_MS,
        early_audio_ms=EARLY_AUDIO_MS,
        mark_every_ms=MARK_EVERY_MS,
        response_wait_ms=RESPONSE_WAIT_MS,
    )


def live_plan(config: Config) -> LivePlan | None:
    """What GPT-Live needs; None with the Realtime API."""
    if config.realtime.protocol == "realtime":
        return None
    return LivePlan(
        feed_every_ms=FEED_EVERY_MS,
        cushion_ms=config.live.cushion_ms,
        dead_ms=LIVE_DEAD_MS,
        greeting_again_ms=GREETING_AGAIN_MS,
        quiet_ms=QUIET_MS,
    )
