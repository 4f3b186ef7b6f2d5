"""Against the real Realtime API, by choice only: ``LIVE=1 ./dev test tests/live`` with real settings.

Costs no tokens: a session is opened, configured and closed. It answers what only the vendor can:
which dialect the endpoint takes today, and whether it confirms 8 kHz µ-law both ways.
"""

from __future__ import annotations

import os

import pytest
import trio

from llcphone import load_config
from llcphone.call.endpoint import Endpoint

pytestmark = pytest.mark.skipif(os.environ.get("LIVE") != "1", reason="LIVE=1 asks the real vendor")


async def test_the_vendor_accepts_the_default_session_in_one_of_the_dialects() -> None:
    endpoint = Endpoint(load_config())
    with trio.move_on_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(endpoint.keep_asking)
            await endpoint.accepted.wait()
            nursery.cancel_scope.cancel()
    assert endpoint.trouble is None
    assert endpoint.dialects.answer is not None
    print(f"the endpoint speaks {endpoint.dialects.answer.value}")
