"""``llcphone demo --mode`` and ``llcphone mode``: what a newcomer tries first."""

from __future__ import annotations

import datetime
import io
import re
import subprocess
import sys
import wave
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from llcphone import ConfigError
from llcphone.cli.agents import mode as copy_mode
from llcphone.config import Config
from llcphone.demo import mode_story
from llcphone.demo.mode_run import run_mode
from llcphone.demo.mode_words import ENGLISH, words_in
from llcphone.demo.modes import show_mode
from llcphone.languages import OWN, SHIPPED, placeholders
from tests.modes.test_languages import english_in
from tests.test_languages import PLACE

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

pytestmark = pytest.mark.usefixtures("no_threads")


@pytest.fixture(autouse=True)
def nothing_speaks_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call in virtual time does not wait for a program that speaks."""
    mode_story.speak.cache_clear()
    monkeypatch.setattr("shutil.which", lambda name: None)


async def shown(
    folder: Path, mode: str, dial: str = "", width: int = 80, **settings: dict[str, object]
) -> list[str]:
    file = io.StringIO()
    console = Console(file=file, width=width, highlight=False)
    wav = await show_mode(Config.from_dict(settings), mode, folder, console, dial=dial)
    lines = file.getvalue().splitlines()
    assert wav is not None
    with wave.open(str(wav)) as sound:
        assert sound.getnframes() > 8 * 8000
    assert lines[-1] == f"  listen  {wav}"
    return lines


STORIES = {
    "receptionist": (["check_availability", "transfer_call"], "ended   transferred to sales", "sales"),
    "ivr": (["transfer_call"], "ended   transferred to support", "support"),
    "csr": (
        ["check_availability", "book_appointment", "book_appointment", "add_call_note", "hang_up"],
        "kept    an appointment: ",
        "It is booked: tomorrow at nine in the morning.",
    ),
    "outbound": (["add_call_note", "hang_up"], "kept    a note, confirmed: ", "Can you still"),
}


@pytest.mark.parametrize("mode", STORIES)
async def test_a_mode_is_heard_without_any_settings_in_words_that_fit(
    mode: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    lines = await shown(tmp_path, mode)
    text = "\n".join(lines)
    tools, outcome, words = STORIES[mode]
    assert re.findall(r"tool +(\w+) …", text) == tools
    assert outcome in text
    assert words in text
    assert "is a hum" not in text
    times = [float(match[1]) for line in lines if (match := re.match(r" +(\d+\.\d\d) ", line))]
    assert times == sorted(times)
    assert times[-1] > 5


async def test_what_was_asked_for_is_what_is_booked(tmp_path: Path, autojump_clock: MockClock) -> None:
    text = "\n".join(await shown(tmp_path, "csr"))
    tomorrow = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=1)
    assert f"an appointment: {tomorrow:%d %B}, 09:00, a bicycle service" in text
    assert "have my bicycle serviced" in text


async def test_the_caller_is_shown_before_what_their_words_lead_to(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    lines = await shown(tmp_path, "receptionist")
    order = [at for at, line in enumerate(lines) if "two bicycles" in line or "check_availability …" in line]
    assert "two bicycles" in lines[order[0]]
    assert "check_availability" in lines[order[1]]


async def test_a_narrow_terminal_breaks_lines_between_words(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    lines = await shown(tmp_path, "receptionist", width=40)
    assert max(len(line) for line in lines[:-1]) <= 40
    words = {word for line in lines for word in line.split()}
    assert {"Bicycles,", "check_availability", "somebody"} <= words


async def test_a_changed_greeting_route_and_desk_are_heard(tmp_path: Path, autojump_clock: MockClock) -> None:
    lines = await shown(
        tmp_path,
        "",
        "+15551230077",
        company={"greeting": "Casa Azul, good to hear you.", "closed": all_days()},
        routes={"receptionist": ["+15551230077"]},
    )
    text = "\n".join(lines)
    assert "+15551230077 is rung: receptionist answers" in text
    assert "Casa Azul, good to hear you." in text
    assert "a message, normal" in text
    assert "transferred" not in text
    assert "bicycle" not in text
    assert "1 sentence of yours is a hum in the recording" in text


def all_days() -> list[str]:
    """Closed for as long as anybody looks ahead."""
    today = datetime.date.today()
    return [(today + datetime.timedelta(days=day)).isoformat() for day in range(-1, 40)]


async def test_desks_of_another_name_are_reached(tmp_path: Path, autojump_clock: MockClock) -> None:
    desks = {"kitchen": {"number": "+15550100009"}}
    text = "\n".join(await shown(tmp_path, "ivr", transfers={"destinations": desks}))
    assert "ended   transferred to kitchen" in text
    assert "brakes" not in text


async def test_a_copied_and_edited_module_answers(tmp_path: Path, autojump_clock: MockClock) -> None:
    copy = tmp_path / "clinic.py"
    copy_mode("receptionist", copy)
    copy.write_text(copy.read_text().replace('"receptionist",\n', '"clinic",\n', 1))
    lines = await shown(tmp_path, "", "+15551230078", routes={"files": {"+15551230078": str(copy)}})
    assert "+15551230078 is rung: clinic answers" in "\n".join(lines)


@pytest.mark.parametrize("dial", ["banana", "0155512345", "+1 555 0100", "+266696687"])
def test_what_is_no_number_is_not_rung(dial: str, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"--dial: .*is not a telephone number. Fix: write it as \+<country>"
    ):
        run_mode(Config.from_dict({}), "", tmp_path, dial=dial)


def test_a_mode_is_not_copied_over_a_file_that_exists(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("# mine")
    with pytest.raises(ConfigError, match="exists already"):
        copy_mode("ivr", file)
    assert file.read_text() == "# mine"


LANGUAGES = [language for language in SHIPPED if language != "en"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("mode", ["receptionist", "csr"])
async def test_a_call_is_shown_in_the_language(
    mode: str, language: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    lines = await shown(tmp_path, mode, company={"language": language})
    text, words = "".join("".join(lines).split()), words_in(language)  # lines end anywhere
    greeting = SHIPPED[language][OWN + "greeting"].partition("{company}")[2].replace("{assistant}", "Avery")
    said = [f"Harbour Bicycles{greeting}"]
    if mode == "csr":
        said += [words["next_free_time"], words["yes_please"]]
    else:
        said += [words["buy_bicycles"], words["to_sales"]]
    assert [each for each in said if each.replace(" ", "") not in text] == []
    assert not any(english.replace(" ", "") in text for english in ENGLISH.values())


async def test_a_language_of_ones_own_is_shown_with_its_sentences(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    settings: dict[str, dict[str, object]] = {}
    own: dict[str, object] = {}
    for key, text in SHIPPED["es"].items():
        section, _, name = key.partition(".")
        (own if key.startswith(OWN) else settings.setdefault(section, {}))[name] = text
    company = settings["company"] | {"language": "nl", "language_folder": str(PLACE / "es"), "sentences": own}
    lines = await shown(tmp_path, "receptionist", **{**settings, "company": company})
    assert "nuestra empresa, le atiende Avery." in " ".join(" ".join(lines).split())


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_said_in_the_demo_is_no_english_and_has_the_same_values(language: str) -> None:
    words = words_in(language)
    assert set(words) <= set(ENGLISH)
    assert set(words) == set(words_in("es"))
    assert all(placeholders(text) == placeholders(ENGLISH[name]) for name, text in words.items())
    assert english_in(re.sub(r"{\w+}", "", text) for text in words.values()) == {}


def test_the_first_line_waits_for_none_of_the_large_imports() -> None:
    code = "import sys, llcphone.settings, llcphone.demo.mode_run; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"quart", "sqlalchemy", "llcphone.phone", "llcphone.demo.modes"} & set(done.stdout.split())
