"""The vendors' status pages. They lag behind by a quarter of an hour and more, so they are asked last."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llcphone.doctor.context import Answer, ask
from llcphone.doctor.report import Finding, good, warn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.doctor.context import Check, DoctorContext

_HOME = {"OpenAI": ("realtime.url", "openai.com"), "Twilio": ("twilio.api_url", "twilio.com")}


async def status_pages(context: DoctorContext) -> list[Finding]:
    """Only of those that the settings name: a simulator has no status page."""
    findings = []
    for name, url in context.status_pages.items():
        key, home = _HOME.get(name, ("", ""))
        if key and not (urlsplit(context.config.value(key)).hostname or "").endswith(home):
            continue
        findings.append(judge_status(name, await ask(url)))
    return findings or [good("status pages", "the settings name no vendor that has one")]


def judge_status(name: str, answer: Answer | str) -> Finding:
    check = f"{name} status"
    page: dict[str, Any] = answer.json if isinstance(answer, Answer) and isinstance(answer.json, dict) else {}
    said = page.get("status")
    if not isinstance(answer, Answer) or answer.status != 200 or not isinstance(said, dict):
        seen = f"answered {answer.status}" if isinstance(answer, Answer) else answer
        return warn(check, f"its status page cannot be read: {seen}", "look at it in a browser")
    incidents = [each for each in page.get("incidents", []) if isinstance(each, dict)]
    if said.get("indicator") == "none" and not incidents:
        return good(check, str(said.get("description", "all is well")))
    names = ", ".join(str(each.get("name", "")) for each in incidents[:2])
    seen = f"{said.get('description', 'trouble')}{f': {names}' if names else ''}"
    return warn(check, seen, "wait; until then callers are given the fallback (transfers.fallback)")


CHECKS: Mapping[str, Check] = MappingProxyType({"status pages": status_pages})
