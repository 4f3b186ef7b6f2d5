"""The API on a stage: a real server, both vendors simulated, and a client that has the key."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import httpx
import trio

from llcphone import Agent
from llcphone.sim.twilio import Callee
from llcphone.testing import Rehearsal, rehearse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llcphone.phone.agents import AgentChoice

KEY = "a-key-of-enough-characters"
TO = "+15551239999"
LIMIT_S = 7200
"""A test that waits for what never comes ends after this, virtual time."""
ANSWERS = Callee()
BUSY = Callee(outcome="busy", ring_s=0.1)


@attrs.frozen
class Api:
    stage: Rehearsal
    client: httpx.AsyncClient

    async def get(self, path: str, **how: Any) -> httpx.Response:
        return await self.client.get(path, **how)

    async def post(self, path: str, body: Any = None, key: str = "", **how: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return await self.client.post(path, json=body, headers=headers, **how)

    async def place(self, to: str = TO, **fields: Any) -> str:
        """Place a call; its id."""
        answer = await self.post("/calls", {"to": to, **fields})
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    async def ended(self, call_id: str) -> dict[str, Any]:
        """Wait for a call's end; how the API shows it then."""
        for call in self.stage.phone.calls():
            if call.call_id == call_id:
                await call
        return (await self.get(f"/calls/{call_id}")).json()


@asynccontextmanager
async def open_api(
    agent: AgentChoice | None = None,
    *,
    callee: Any = ANSWERS,
    script: Any = None,
    **sections: dict[str, Any],
) -> AsyncIterator[Api]:
    """Open the stage; ``sections`` are settings over the rehearsal's own."""
    api = {"key": KEY, **sections.pop("api", {})}
    speaker: Any = agent or Agent("Be brief.", name="desk")
    async with rehearse(speaker, script=script, callee=callee, settings={"api": api, **sections}) as stage:
        url = stage.config.server.public_url
        headers = {"Authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60, verify=False) as client:
            with trio.fail_after(LIMIT_S):
                yield Api(stage, client)


def code_of(answer: httpx.Response) -> str:
    """The code of an error; the other members of the problem are checked."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem.keys() - {"success", "error"} == {"type", "title", "status", "detail", "code", "fix"}
    assert problem["status"] == answer.status_code
    assert problem["type"] in ("about:blank", f"urn:llcphone:problem:{problem['code']}")
    assert all(problem[name] for name in ("title", "detail", "fix"))
    is_legacy = answer.request.url.path == "/outbound-call" and problem["type"] != "about:blank"
    legacy = {"success": False, "error": problem["detail"]} if is_legacy else {}
    assert {name: problem[name] for name in ("success", "error") if name in problem} == legacy
    return problem["code"]
