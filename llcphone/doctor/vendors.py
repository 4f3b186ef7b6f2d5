"""The vendors' status pages. They lag behind by a quarter of an hour and more, so they are asked last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llcphone.doctor.case import Answer, ask
from llcphone.doctor.report import Finding, good, warn

if TYPE_CHECKING:
    from llcphone.doctor.case import Case

_HOME = {"OpenAI": ("realtime.url", "openai.com"), "Twilio": ("twilio.api_url", "twilio.com")}


async def vendors(case: Case) -> list[Finding]:
    """Only of those that the settings name: a simulator has no status page."""
    findings = []
    for name, url in case.status_pages.items():
        key, home = _HOME.get(name, ("", ""))
        if key and not (urlsplit(case.config.value(key)).hostname or "").endswith(home):
            continue
        findings.append(judge_status(name, await ask(url)))
    return findings


def judge_status(name: str, answer: Answer | str) -> Finding:
    """What a status page says."""
    check = f"{name} status"
    if isinstance(answer, str) or not isinstance(answer.json, dict):
        seen = answer if isinstance(answer, str) else f"answered {answer.status}"
        return warn(check, f"its status page cannot be read: {seen}", "look at it in a browser")
    page: dict[str, Any] = answer.json
    status = page.get("status")
    said = status if isinstance(status, dict) else {}
    incidents = [each for each in page.get("incidents", []) if isinstance(each, dict)]
    if said.get("indicator", "none") == "none" and not incidents:
        return good(check, str(said.get("description", "all is well")))
    names = ", ".join(str(each.get("name", "")) for each in incidents[:2])
    seen = f"{said.get('description', 'trouble')}{f': {names}' if names else ''}"
    return warn(check, seen, "wait; until then callers hear an apology or are redirected (transfers.way_out)")
