"""The rig judged: a sound bridge passes every trial, and each flaw shows in the trials made for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llcphone.torture.judge import Verdict
from llcphone.torture.run import chosen, run_trial
from llcphone.torture.trials import TRIALS
from tests.torture.mini import PROFILE, start_mini
from tests.torture.mini_call import Flaw

if TYPE_CHECKING:
    from trio.testing import MockClock

FLAWS: list[tuple[Flaw, str, Verdict, str]] = [
    (Flaw.LEAKS_MODEL, "leak-hang-ups", Verdict.FAIL, "sessions stay open"),
    (Flaw.LEAKS_MODEL, "leak-connecting", Verdict.FAIL, "sessions stay open"),
    (Flaw.LEAKS_MODEL, "leak-early", Verdict.FAIL, "sessions stay open"),
    (Flaw.NEVER_REACHES_THE_MODEL, "leak-hang-ups", Verdict.FAIL, "never reaches the model"),
    (
        Flaw.REFUSES_EVERYBODY,
        "forged-webhook",
        Verdict.FAIL,
        "line was cut (Twilio error 11200: voice: HTTP 403)",
    ),
    (Flaw.REFUSES_EVERYBODY, "forged-stream", Verdict.FAIL, "line was cut"),
    (Flaw.LEAKS_DESCRIPTORS, "leak-hang-ups", Verdict.FAIL, "descriptors stay open"),
    (Flaw.CRASHES, "twenty-calls", Verdict.FAIL, "process has ended"),
    (Flaw.NO_CLEAR, "barge-in-first", Verdict.FAIL, "speaks on over the caller"),
    (Flaw.NO_CLEAR, "tool-slow", Verdict.FAIL, "speaks on while the tool runs"),
    (Flaw.NO_TRUNCATE, "barge-in-first", Verdict.FAIL, "believes that all of it was heard"),
    (Flaw.TRUNCATES_WHAT_WAS_SENT, "barge-in-first", Verdict.FAIL, "what the caller did not hear"),
    (Flaw.STALE_CLOCK, "barge-in-second", Verdict.FAIL, "what the caller did not hear"),
    (Flaw.TRUNCATES_AFTER_THE_END, "barge-in-none", Verdict.FAIL, "heard to its end is cut"),
    (Flaw.FORWARDS_LATE_DELTAS, "barge-in-late-deltas", Verdict.FAIL, "comes back"),
    (Flaw.TOOLS_IN_READER, "tool-slow", Verdict.FAIL, "waits for the tool"),
    (Flaw.TOOLS_ONE_BY_ONE, "tool-two", Verdict.FAIL, "waits for the other"),
    (Flaw.CREATE_PER_TOOL, "tool-two", Verdict.PARTIAL, "2 response.create"),
    (Flaw.DEAD_LINE, "drop-closed", Verdict.FAIL, "the line is dead"),
    (Flaw.DEAD_LINE, "drop-reset", Verdict.FAIL, "the line is dead"),
    (Flaw.CUT_LINE, "drop-closed", Verdict.FAIL, "thrown out"),
    (Flaw.HISTORY_LOST, "drop-closed", Verdict.PARTIAL, "greeted again"),
    (Flaw.HISTORY_SHORT, "drop-closed", Verdict.PARTIAL, "said twice"),
    (Flaw.NEVER_NOTICES_A_STALL, "drop-stalled", Verdict.FAIL, "the line is dead"),
    (Flaw.CROSSTALK, "twenty-calls", Verdict.FAIL, "hear"),
    (Flaw.NO_DRAIN, "sigterm", Verdict.FAIL, "the bridge does not drain"),
    (Flaw.NEVER_EXITS, "sigterm", Verdict.FAIL, "does not end"),
    (Flaw.SESSION_PER_WEBHOOK, "webhook-retry", Verdict.FAIL, "another model session"),
    (Flaw.NO_SIGNATURES, "forged-webhook", Verdict.FAIL, "unsigned requests start paid calls"),
    (Flaw.NO_SIGNATURES, "forged-stream", Verdict.FAIL, "an unauthorized client"),
    (Flaw.NO_TOKENS, "spent-token", Verdict.FAIL, "an unauthorized client"),
]


def marks(name: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.slow] if name == "twenty-calls" else []


@pytest.mark.parametrize("name", [pytest.param(each, marks=marks(each)) for each in sorted(TRIALS)])
async def test_a_sound_bridge_passes(name: str, autojump_clock: MockClock) -> None:
    found = await run_trial(PROFILE, TRIALS[name], start_mini())
    assert (found.verdict, found.reading) == (Verdict.PASS, ""), found


@pytest.mark.parametrize(
    ("flaw", "name", "verdict", "reading"),
    [pytest.param(*each, id=f"{each[0].name.lower()}-{each[1]}", marks=marks(each[1])) for each in FLAWS],
)
async def test_a_flaw_shows(
    flaw: Flaw, name: str, verdict: Verdict, reading: str, autojump_clock: MockClock
) -> None:
    found = await run_trial(PROFILE, TRIALS[name], start_mini(flaw))
    assert found.verdict is verdict, found
    assert reading in found.reading, found


def test_every_trial_has_a_flaw_that_it_finds_and_every_flaw_a_trial() -> None:
    assert {name for _, name, *_ in FLAWS} == set(TRIALS)
    assert {flaw for flaw, *_ in FLAWS} == set(Flaw)


def test_trials_are_chosen_by_name_or_beginning_in_the_order_of_their_names() -> None:
    assert [each.name for each in chosen(["tool", "sigterm"])] == ["sigterm", "tool-slow", "tool-two"]
    assert [each.name for each in chosen([])] == sorted(TRIALS)
