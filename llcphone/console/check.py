"""What the dial guard says of a call before it is placed.

POST /api/calls/check    the body of POST /api/calls: {"allowed", "why", "fix"}; nothing is dialled
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.console.requests import read_body
from llcphone.errors import ConfigError, DialRefused, NotAdmitted
from llcphone.server.api.errors import json_response, refusal
from llcphone.server.api.models import Checked, NewCall

if TYPE_CHECKING:
    from quart import Blueprint, Response

    from llcphone.server.api.desk import Desk


def add_check(blueprint: Blueprint, desk: Desk) -> None:
    """Add this route."""

    @blueprint.post("/calls/check")
    async def check() -> Response:
        asked = await read_body(NewCall)
        desk.agent_named(asked.agent)
        try:
            desk.phone.check_call(asked.to, caller_id=asked.caller_id)
        except (DialRefused, NotAdmitted, ConfigError) as error:
            problem = refusal(error).problem
            return json_response(Checked(False, problem.detail, problem.fix))
        return json_response(Checked(True))
