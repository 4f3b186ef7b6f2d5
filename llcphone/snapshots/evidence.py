"""What speaks for a configuration: figures of the calls that were held under it.

Call records do not say which settings they were held with. So only those count that were born after the
settings file, its .env and the agent modules were last written.
"""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from llcphone.config.addresses import is_loopback_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from llcphone.config import Config

SIMULATORS = "simulators only; no live account has confirmed it"
LIVE = "calls over the endpoint of this deployment"
NOTHING = "nothing yet: no call was held under these settings"
_STANDS_ON = ("trio", "websockets", "hypercorn", "quart-trio", "twilio")


def versions() -> dict[str, str]:
    """Of llcphone, Python and the packages that calls go through."""
    own = {"llcphone": version("llcphone"), "python": platform.python_version()}
    return own | {name: version(name) for name in _STANDS_ON}


def measure(config: Config, records: Path | None, sources: Iterable[Path]) -> dict[str, Any]:
    """Figures of the calls in ``records`` (None: none are kept) since the last change of a source."""
    since_s = max((path.stat().st_mtime for path in sources if path.exists()), default=0.0)
    calls = [call for call in _records(records) if call.get("born_at", 0.0) >= since_s] if records else []
    proof = SIMULATORS if is_loopback_url(config.realtime.url) else LIVE
    evidence: dict[str, Any] = {"proof": proof if calls else NOTHING, "calls": len(calls)}
    evidence["model"] = config.realtime.model
    if not calls:
        return evidence
    born = [call["born_at"] for call in calls]
    evidence |= {"first_call": _date(min(born)), "last_call": _date(max(born))}
    evidence["dialects"] = sorted({call["dialect"] for call in calls if call.get("dialect")})
    evidence["ended_as"] = _counted(call["reason"] for call in calls)
    turns = [turn for call in calls for turn in call.get("turns", ())]
    evidence["turns"] = len(turns)
    for name in ("answer_gap_ms", "ear_gap_ms"):
        evidence |= _percentiles(name, [turn[name] for turn in turns if turn.get(name) is not None])
    return evidence | _percentiles("first_audio_ms", list(_first_audio(calls)))


def _records(path: Path) -> Iterator[dict[str, Any]]:
    """The lines that can be read: the last one may be cut, and old versions wrote others."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict) and "born_at" in record:
                yield record


def _first_audio(calls: Iterable[dict[str, Any]]) -> Iterator[int]:
    """From the stream's start to the first audio sent, of calls in which the agent spoke first."""
    for call in calls:
        first: dict[str, Any] = next(iter(call.get("turns", ())), {})
        if first.get("asked") == "greeting" and first.get("sent_ms") is not None:
            yield max(0, first["sent_ms"] - (call.get("started_after_ms") or 0))


def _percentiles(name: str, values: list[int]) -> dict[str, int]:
    """p50 and p95 by nearest rank; nothing for no values."""
    if not values:
        return {}
    ordered, stem = sorted(values), name.removesuffix("_ms")
    return {f"{stem}_p{p}_ms": ordered[max(0, -(-len(ordered) * p // 100) - 1)] for p in (50, 95)}


def _counted(words: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return counts


def _date(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).date().isoformat()
