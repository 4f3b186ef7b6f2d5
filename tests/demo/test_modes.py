"""``llcphone demo --mode`` and ``llcphone mode``: what a newcomer tries first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llcphone import ConfigError
from llcphone.cli.agents import mode as copy_mode
from llcphone.config import Config
from llcphone.demo import modes
from tests.modes.kit import no_threads

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

pytestmark = pytest.mark.usefixtures(no_threads.__name__)
__all__ = ["no_threads"]


@pytest.fixture(autouse=True)
def babbles(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call in virtual time does not wait for a program that speaks."""
    modes.say.cache_clear()
    monkeypatch.setattr("shutil.which", lambda name: None)


async def shown(folder: Path, mode: str, dial: str = "", **settings: dict[str, object]) -> str:
    lines: list[str] = []
    config = Config.from_dict(settings)
    assert await modes.demo_mode(config, mode, folder, lines.append, dial=dial) == 0
    assert "listen: " in lines[-1]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("mode", "outcome"),
    [("receptionist", "rung    sales"), ("ivr", "rung    sales"), ("csr", "an appointment: ")],
)
async def test_a_mode_is_heard_without_any_settings(
    mode: str, outcome: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    text = await shown(tmp_path, mode)
    assert f"{mode} answers" in text
    assert outcome in text


async def test_a_changed_greeting_route_and_desk_are_heard(tmp_path: Path, autojump_clock: MockClock) -> None:
    text = await shown(
        tmp_path,
        "",
        "+15551230077",
        company={"greeting": "Casa Azul, good to hear you.", "closed": all_days()},
        routes={"receptionist": ["+15551230077"]},
    )
    assert "+15551230077 is rung: receptionist answers" in text
    assert "Casa Azul, good to hear you." in text
    assert "a message, normal" in text
    assert "rung    nobody" in text


def all_days() -> list[str]:
    """Closed for as long as anybody looks ahead."""
    import datetime

    today = datetime.date.today()
    return [(today + datetime.timedelta(days=day)).isoformat() for day in range(-1, 40)]


async def test_a_copied_and_edited_module_answers(tmp_path: Path, autojump_clock: MockClock) -> None:
    copy = tmp_path / "clinic.py"
    copy_mode("receptionist", copy)
    copy.write_text(copy.read_text().replace('"receptionist",\n', '"clinic",\n', 1))
    text = await shown(tmp_path, "", "+15551230078", routes={"files": {"+15551230078": str(copy)}})
    assert "+15551230078 is rung: clinic answers" in text


def test_a_mode_is_not_copied_over_a_file_that_exists(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("# mine")
    with pytest.raises(ConfigError, match="exists already"):
        copy_mode("ivr", file)
    assert file.read_text() == "# mine"
