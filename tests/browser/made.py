"""Made-up content that is hard on a page: many calls, a long one, names and words of all kinds."""

from __future__ import annotations

import copy
from typing import Any

LONG_NAME = "reception " * 20
"""200 characters."""
WORDS = (
    "مرحبا، هل يمكنني حجز طاولة لشخصين الليلة الساعة 19:30؟",
    "שלום, אני רוצה להזמין שולחן ל־4 אנשים, בבקשה.",
    "您好，请问你们星期天几点开门？我想订一张两个人的桌子。",
    "もしもし、日曜日は何時から営業していますか。二人で予約したいのですが。",
    "안녕하세요, 오늘 저녁 일곱 시에 두 사람 자리가 있나요?",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft, bitte!",
    "नमस्ते, क्या आज रात दो लोगों के लिए मेज़ मिल सकती है?",
    "I read it back: +15551230001, order 4711-0815, casa.verde@example.com, 🌶️ no onions.",
)
REPEATED = 20
GAP_MS = 1_500


def row(number: int, **fields: Any) -> dict[str, Any]:
    """A row of the live socket."""
    usual = {"direction": "inbound", "from": f"…{number:02}", "to": "…02", "agent": "reception"}
    now = {"state": "talking", "floor": "caller", "since_s": 61.0, "gap_ms": 640, "worst": "decided"}
    return {"id": f"c{number}", **usual, **now, "tools": [], "usd": 0.04, "approvals": [], **fields}


def crowd(count: int) -> list[dict[str, Any]]:
    """Calls in all states; some need somebody."""
    rows = [row(number, since_s=61.0 + 7 * number) for number in range(count)]
    for number, state in ((1, "ringing"), (2, "transferring"), (3, "ending"), (4, "restoring")):
        rows[number] |= {"state": state, "floor": "nobody", "gap_ms": None, "worst": ""}
    rows[4] |= {"attention": "no model session"}
    rows[5] |= {"floor": "agent", "direction": "outbound", "to": "…77", "since_s": 3_723.0}
    rows[6] |= {"floor": "thinking", "tools": ["look_up_reservation", "send_confirmation"], "worst": "tools"}
    rows[7] |= {"agent": LONG_NAME, "attention": "slow turn 3.1 s (tools)", "gap_ms": 3_104}
    asked = {"id": "a1", "text": 'refund {"order": "4711", "amount": 240.5, "why": "' + WORDS[0] + '"}'}
    rows[9] |= {"approvals": [asked], "tools": ["refund"]}
    return rows


def long_call(shown: dict[str, Any], words: tuple[str, ...] = WORDS) -> dict[str, Any]:
    """A page of a call, as long as ``REPEATED`` of these, in which many languages are spoken."""
    page = copy.deepcopy(shown)
    record, page["record"] = page["record"], copy.deepcopy(shown["record"])
    length_ms = int(record["duration_s"] * 1000) + GAP_MS
    turns = len(record["turns"])
    for name in ("turns", "floor", "tools", "transcript"):
        page["record"][name] = [
            _later(each, number * length_ms, number * turns)
            for number in range(REPEATED)
            for each in copy.deepcopy(record[name])
        ]
    for number, line in enumerate(page["record"]["transcript"]):
        line["text"] = words[number % len(words)]
        if line.get("unheard"):
            line["unheard"] = words[(number + 1) % len(words)]
    duration_s = (REPEATED * length_ms - GAP_MS) / 1000
    page["record"]["duration_s"] = page["call"]["duration_s"] = duration_s
    page["record"]["alarms"] = [
        {"kind": "slow turn", "at_ms": 41_000, "lasted_ms": 3_100, "because": "tools"},
        {"kind": "dead air", "at_ms": 84_000, "lasted_ms": 6_000, "because": "model"},
    ]
    lost = {"kind": "lost", "cause": "closed", "gap_ms": 412, "outcome": "restored"}
    page["record"]["gaps"] = [{**lost, "at_ms": 60_000}, {**lost, "at_ms": 120_000, "kind": "renewed"}]
    return page


def _later(thing: Any, ms: int, turns: int) -> Any:
    if isinstance(thing, list):
        return [thing[0] + ms, *thing[1:]]
    for name, value in thing.items():
        if name.endswith("_ms") and isinstance(value, int) and name not in _LENGTHS:
            thing[name] = value + ms
    if "index" in thing:
        thing["index"] += turns
    return thing


_LENGTHS = {"ear_gap_ms", "heard_gap_ms", "took_ms", "target_ms", "generated_ms", "heard_ms", "gap_ms"}
