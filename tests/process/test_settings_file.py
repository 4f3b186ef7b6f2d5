"""llcphone.toml is changed as a person would change it: what is not meant stays, comments and order too."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llcphone.config import SETTINGS, Config, toml_text
from llcphone.process.settings_file import edited, strangers
from tests.config.test_config import tables

FILE = """\
# Ours.
[realtime]
voice = "marin"    # Ann's choice

# how it begins
[opening]
greeting_guard_ms = 300
[transfers.destinations.sales]
number = "+12025550123"
"""


@pytest.mark.parametrize(
    ("values", "before", "after"),
    [
        ({"realtime.voice": "alloy"}, '"marin"', '"alloy"'),
        ({"realtime.voice": "marin"}, "", ""),
        ({"realtime.voice": "cedar"}, 'voice = "marin"    # Ann\'s choice\n', ""),
        ({"realtime.eagerness": "low"}, "choice\n", 'choice\neagerness = "low"\n'),
        ({"realtime.eagerness": "high"}, "", ""),
        ({"opening.greeting_guard_ms": 700}, "[opening]\ngreeting_guard_ms = 300\n", ""),
        ({"transfers.fallback": "menu"}, "[transfers.", '[transfers]\nfallback = "menu"\n[transfers.'),
        ({"agent.instructions": "A\n\tB"}, '0123"\n', '0123"\n\n[agent]\ninstructions = """A\n\\tB"""\n'),
        ({"company.name": "our company"}, '0123"\n', '0123"\n\n[company]\nname = "our company"\n'),
    ],
)
def test_only_what_is_meant_changes(values: dict[str, Any], before: str, after: str) -> None:
    assert edited(FILE, values) == FILE.replace(before, after, 1)


def test_line_ends_and_unusual_spellings_stay() -> None:
    crlf = FILE.replace("\n", "\r\n")
    changed = edited(crlf, {"realtime.voice": "alloy", "realtime.eagerness": "low"})
    assert changed.replace("\r\n", "") == changed.replace("\r\n", "\n").replace("\n", "")
    assert edited("realtime.voice = 'a' # b\n", {"realtime.voice": "c"}) == 'realtime.voice = "c" # b\n'
    inline = "realtime = {voice = 'a'} # b\n"
    assert edited(inline, {"realtime.voice": "c"}) == 'realtime = {voice = "c"} # b\n'


def test_what_is_no_setting_is_named_and_can_be_taken_out() -> None:
    text = "[opening]\nno = 1 # x\n\n[nowhere]\na = 1\n[[agent]]\nb = 1\n"
    found = strangers(tomllib.loads(text))
    assert found == ["nowhere", "agent", "opening.no"]
    assert edited(text, {}, without=found) == ""


_STYLES = st.sampled_from(["{}", "# head\n\n{}\n# tail", "[nobody.knows]\nx = 1 # y\n{}\n[nobody]\nz = 2\n"])


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(there=tables, wanted=tables, style=_STYLES)
def test_the_text_means_what_is_wanted_and_the_rest_is_untouched(there: Any, wanted: Any, style: str) -> None:
    text = style.replace("{}", toml_text(there))
    values = {key: Config.from_dict(wanted).value(key) for key in SETTINGS}
    new = tomllib.loads(edited(text, values))
    nobody = {"nobody": tomllib.loads(text)["nobody"]} if "nobody" in text else {}
    assert {"nobody": new.pop("nobody")} == nobody if nobody else "nobody" not in new
    assert Config.from_dict(new) == Config.from_dict(wanted)
    assert edited(edited(text, values), values) == edited(text, values)
