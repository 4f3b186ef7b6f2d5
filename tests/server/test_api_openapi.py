"""The OpenAPI document: complete, and judged by schemathesis against the running server."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import trio

from llcphone.server.app import make_app
from tests.server.api_stage import BUSY, KEY, open_api

JUDGE = Path(sys.executable).with_name("schemathesis")
LIMIT_S = 300.0
"""Of real time: only a judge that hangs is too slow. Alone it takes about ten seconds."""

JUDGE_CONFIG = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 413, 422, 429]
"""
"""What a schema forbids may also be too large for the listener, which looks first."""


def references(node: object) -> set[str]:
    """Every ``$ref`` below."""
    if isinstance(node, dict):
        own = {node["$ref"]} if "$ref" in node else set()
        return own.union(*(references(value) for value in node.values()))
    return set().union(*(references(value) for value in node)) if isinstance(node, list) else set()


async def test_every_route_is_in_the_document_and_every_reference_leads_somewhere(autojump_clock):
    async with open_api() as api:
        document = (await api.get("/openapi.json")).json()
        routes = set()
        for rule in make_app(api.stage.phone).url_map.iter_rules():
            if rule.endpoint.startswith("api."):
                path = re.sub(r"<(\w+)>", r"{\1}", rule.rule)
                routes |= {(path, method) for method in rule.methods - {"HEAD", "OPTIONS"}}
        named = {
            (path, method.upper())
            for path, item in document["paths"].items()
            for method in item.keys() - {"parameters"}
        }
        assert routes == named
        for reference in references(document):
            node = document
            for step in reference.removeprefix("#/").split("/"):
                node = node[step]
            assert node


@pytest.mark.slow
async def test_schemathesis_finds_no_fault(tmp_path):
    config = tmp_path / "schemathesis.toml"
    config.write_text(JUDGE_CONFIG)
    many = 10_000
    guard = {
        "allow_prefixes": ["+1"],
        "calls_per_minute": many,
        "max_per_day": many,
        "per_number_per_day": 1_000,
        "per_number_min_gap_s": 0.0,
        "max_concurrent": many,
        "calls_per_second": 1_000.0,
    }
    async with open_api(callee=BUSY, outbound=guard) as api:
        url = f"{api.stage.config.server.public_url}/openapi.json"
        command = [str(JUDGE), "--config-file", str(config), "run", url]
        command += ["--header", f"Authorization: Bearer {KEY}", "--exclude-path", "/logs"]
        command += ["--max-examples", "3", "--no-shrink", "--seed", "1", "--request-timeout", "15"]
        with trio.fail_after(LIMIT_S):
            judged = await trio.run_process(command, capture_stdout=True, check=False, cwd=tmp_path)
        report = judged.stdout.decode()
        assert judged.returncode == 0, report[:4_000]
        assert "Tested: 13" in report
        assert api.stage.records
        for call in api.stage.phone.calls():
            call.end()
