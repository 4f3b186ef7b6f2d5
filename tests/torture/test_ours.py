"""Our own phone passes every trial: in this process, on virtual time; and once as a process of its own."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio

from llcphone import open_phone
from llcphone.cli import torture_agent
from llcphone.cli.torture import own_profile
from llcphone.config import Config
from llcphone.server.run import serve
from llcphone.torture.judge import Verdict
from llcphone.torture.profile import ACCOUNT_SID, API_KEY, AUTH_TOKEN, Place, Profile
from llcphone.torture.run import chosen, run_trial, run_trials
from llcphone.torture.trials import TRIALS
from tests.torture.mini import InThisProcess
from tests.torture.test_the_rig import marks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trio.testing import MockClock

    from llcphone.server.listener import PublicListener
    from llcphone.torture.bridge import Bridge


class OurPhone(InThisProcess):
    """A served phone."""

    async def run(self, config: Config, task_status: trio.TaskStatus[None]) -> None:
        async with open_phone(config, torture_agent.agent) as phone, trio.open_nursery() as nursery:
            door: PublicListener = await nursery.start(partial(serve, phone, config))
            task_status.started()
            await self.stopping.wait()
            await phone.drain(config.drain.limit_s)
            door.stop_accepting()
        self.ended.set()


@asynccontextmanager
async def start_ours(profile: Profile, place: Place) -> AsyncIterator[Bridge]:
    config = Config.from_dict(
        {
            "realtime": {"url": place.model_url, "api_key": API_KEY},
            "server": {"port": place.port, "public_url": place.public_url},
            "twilio": {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN, "api_url": place.twilio_url},
            "call": {"token_ttl_s": profile.stream_deadline_s},
            "records": {"path": ""},
        }
    )
    ours = OurPhone()
    async with trio.open_nursery() as nursery:
        await nursery.start(ours.run, config)
        yield ours
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("name", [pytest.param(each, marks=marks(each)) for each in sorted(TRIALS)])
async def test_our_phone_passes(name: str, autojump_clock: MockClock) -> None:
    found = await run_trial(own_profile(), TRIALS[name], start_ours)
    assert (found.verdict, found.reading) == (Verdict.PASS, ""), found


@pytest.mark.slow
async def test_our_server_passes_as_a_process_of_its_own() -> None:
    told = []
    findings = await run_trials(own_profile(), chosen(["forged", "webhook-retry"]), tell=told.append)
    assert [each.name for each in findings] == ["forged-stream", "forged-webhook", "webhook-retry"]
    assert {each.verdict for each in findings} == {Verdict.PASS}, findings
    assert sorted(told, key=lambda each: each.name) == findings
