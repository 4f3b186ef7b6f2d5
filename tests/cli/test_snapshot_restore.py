"""Save, change, restore: what comes back is what was, to the byte; what cannot come back changes nothing."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from llcphone import ConfigError, settings, snapshots
from llcphone.agent import agents_of
from llcphone.cli import snapshot as cli_snapshot
from llcphone.config import Config, toml_text
from llcphone.modes.agent_file import agent_of
from llcphone.realtime.dialects import REALTIME_DIALECTS, encode
from llcphone.realtime.messages import UpdateSession
from llcphone.snapshots import restore as restoring
from llcphone.snapshots.format import read_text
from llcphone.snapshots.procedure import Restore, run_restore
from tests.config.test_config import tables

TOML = """\
# Our bakery. Do not lose this comment.
[server]
public_url = "https://phone.example.com"

[twilio]
auth_token = "a-secret-of-twilio-0123456789"

[realtime]
eagerness = "low"
voice = "marin"

[agent]
file = "agents/baker.py"
"""
BAKER = '''\
from llcphone import Agent

agent = Agent("You answer the telephone of a bakery.\\nBe brief; it's \\"busy\\".", name="baker")


@agent.tool(lean=True)
async def opening_hours(day: str) -> str:
    """When the bakery is open."""
    return "always"
'''
DOTENV = "OPENAI_API_KEY=sk-proj-aaaaaaaaaaaaaaaaaaaaaaaa\n"


@attrs.frozen
class Desk:
    """A deployment's folder, in which the commands are run."""

    folder: Path
    told: list[str] = attrs.field(factory=list)

    def save(self, name: str = "works", **how: Any) -> Path:
        cli_snapshot.save(name, why="callers were happy", who="Ann", **how)
        return next((self.folder / "snapshots").glob(f"{name}-TUNED-*.toml"))

    def restore(self, name: str = "works", **how: Any) -> int:
        how = {"ask": lambda question: True, "tell": self.told.append} | how
        return run_restore(name, None, Restore(**how))

    @property
    def text(self) -> str:
        return "\n".join(self.told)

    def file(self, name: str) -> Path:
        return self.folder / name

    def effect(self) -> tuple[Any, ...]:
        """All that a call could notice: every setting, and what the model is told, byte by byte."""
        from llcphone.call.setup import plan_session

        config = settings.load(environ={}).config
        updates = []
        for agent in agents_of(agent_of(config)).values():
            session = plan_session(config, agent)
            updates += [encode(UpdateSession(session), dialect) for dialect in REALTIME_DIALECTS]
            updates.append(json.dumps(agent.full_tools()))
        return config, updates, self.file("agents/baker.py").read_bytes()

    def save_and_change(self) -> None:
        self.save()
        self.change()

    def change(self) -> None:
        """What somebody did in the night."""
        changed = TOML.replace('"low"', '"high"').replace("https://phone", "https://moved")
        self.file("llcphone.toml").write_text(changed + "\n[opening]\ngreeting_guard_ms = 0\n")
        self.file("agents/baker.py").write_text(BAKER.replace("Be brief", "Be long") + "\nx = 1\n")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    for variable in [each for each in os.environ if each in settings.OWN_NAMES | settings.USUAL_NAMES]:
        monkeypatch.delenv(variable)
    desk = Desk(tmp_path)
    monkeypatch.setattr(cli_snapshot, "tell", desk.told.append)
    desk.file("agents").mkdir()
    desk.file("llcphone.toml").write_text(TOML)
    desk.file(".env").write_text(DOTENV)
    desk.file("agents/baker.py").write_text(BAKER)
    return desk


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


# -- there and back ---------------------------------------------------------------------------


def test_restored_is_byte_for_byte_what_was_saved(desk) -> None:
    before = desk.effect()
    desk.save_and_change()
    moved = settings.load(environ={}).config.server.public_url
    assert desk.effect() != before
    assert desk.restore() == 0
    config, updates, module = desk.effect()
    assert (updates, module) == before[1:]
    assert config.tuning() == before[0].tuning()
    assert config.server.public_url == moved, "the deployment's own address is not the snapshot's business"
    assert config.twilio.auth_token == "a-secret-of-twilio-0123456789"
    assert "verified" in desk.text


@pytest.mark.slow
@settings_of_hypothesis(max_examples=30, deadline=None)
@given(saved=tables, changed=tables, private=st.booleans())
def test_any_settings_come_back_and_the_deployments_own_stay(saved: Any, changed: Any, private: bool) -> None:
    own = {"server": {"public_url": "https://a.example"}, "realtime": {"api_key": "sk-a"}} if private else {}
    there = Config.from_dict(saved)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "llcphone.toml"
        night = {section: changed.get(section, {}) | own.get(section, {}) for section in {*changed, *own}}
        path.write_text(toml_text(night), "utf-8")
        snapshot = snapshots.Snapshot(
            name="any", saved_at="2026-11-21T00:00:00Z", who="w", why="y", settings=there.tuning()
        )
        read = read_text(snapshot.text(), {}, "any")
        snapshots.put_back(snapshots.plan_restore(read, path, environ={}))
        config = settings.load(path, environ={}).config
    assert config.tuning() == there.tuning()
    assert config == Config.from_dict({**config.tuning(), **{k: config.tuning()[k] | own[k] for k in own}})


def test_restoring_tells_what_changes_and_twice_changes_nothing(desk) -> None:
    desk.save_and_change()
    desk.restore()
    assert 'realtime.eagerness: "high" -> "low"' in desk.told
    assert "opening.greeting_guard_ms: 0 -> 700" in desk.told
    assert "    -x = 1" in desk.told
    assert '    +Be brief; it\'s "busy".' in desk.told
    before = tree(desk.folder)
    assert desk.restore() == 0
    assert tree(desk.folder) == before


def test_what_was_there_is_kept_as_a_snapshot_and_as_the_files_themselves(desk) -> None:
    desk.save_and_change()
    night = {name: desk.file(name).read_bytes() for name in ("llcphone.toml", "agents/baker.py")}
    effect = desk.effect()
    desk.restore()
    kept = [path.read_bytes() for path in sorted((desk.folder / ".llcphone-restore").rglob("*.old"))]
    assert sorted(kept) == sorted(night.values())
    assert desk.restore("before-restore") == 0
    assert desk.effect() == effect
    last = snapshots.load_last_good(desk.file("snapshots"))
    assert last is not None
    assert last.name == "works", "what was only put aside is not called good"


def test_the_kept_files_and_the_settings_file_are_for_their_owner_only(desk) -> None:
    desk.save_and_change()
    desk.file("llcphone.toml").chmod(0o640)
    desk.restore()
    place = desk.file(".llcphone-restore")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in [place, *place.rglob("*")]}
    assert modes <= {0o700, 0o600}
    assert stat.S_IMODE(desk.file("llcphone.toml").stat().st_mode) == 0o640, "as it was"


def test_rescue_needs_no_settings_file_and_no_module(desk) -> None:
    desk.file("llcphone.toml").unlink()
    desk.file("agents/baker.py").unlink()
    assert desk.restore("rescue") == 0
    config = settings.load(environ={}).config
    assert config.agent.name == "rescue"
    assert not config.agent.file


# -- the settings file stays the user's ---------------------------------------------------------

TIDY = """\
# Ours. Keep the comments.
[realtime]
# a calm voice
voice = "marin"        # Ann likes it
model = "gpt-realtime-1.5"

# how the phone is answered
[opening]
greeting_guard_ms = 650

[company]
name = "Bakery Voss"
"""


def test_only_lines_that_must_change_do_and_defaults_are_not_written(desk) -> None:
    desk.file("llcphone.toml").write_text(TIDY)
    desk.save()
    changed = TIDY.replace('"marin" ', '"alloy" ').replace("greeting_guard_ms = 650\n", "")
    changed = changed.replace("Bakery Voss", "Voss & Daughter")
    desk.file("llcphone.toml").write_text(changed + '\n[turns]\nmode = "manual"\n')
    assert desk.restore() == 0
    assert desk.file("llcphone.toml").read_text() == TIDY.replace("Bakery Voss", "Voss & Daughter")


def test_a_settings_file_that_is_not_there_gets_only_what_differs(desk) -> None:
    desk.save()
    for name in ("llcphone.toml", ".env"):
        desk.file(name).unlink()
    assert desk.restore() == 0
    head, *lines = desk.file("llcphone.toml").read_text().splitlines()
    assert head.startswith("# Written by `llcphone snapshot restore`")
    said = ["[realtime]", 'eagerness = "low"', 'voice = "marin"', "[agent]", 'file = "agents/baker.py"']
    assert sorted(filter(None, lines)) == sorted(said)


def test_what_is_no_setting_any_more_is_told_and_left_out(desk) -> None:
    desk.save()
    desk.file("llcphone.toml").write_text(TOML + "\n[realtme]\nx = 1\n[opening]\nno_such = 2 # mine\n")
    assert desk.restore() == 0
    assert "not carried over: realtme: it is no setting" in desk.told
    assert "not carried over: opening.no_such: it is no setting" in desk.told
    assert desk.file("llcphone.toml").read_text().startswith(TOML)


# -- asking -------------------------------------------------------------------------------------


def test_it_says_what_it_will_do_and_asks_before_it_does(desk) -> None:
    desk.save_and_change()
    before, asked = tree(desk.folder), []
    assert desk.restore(restart=True, ask=lambda question: bool(asked.append(question))) == 1
    assert asked == ["Write agents/baker.py, llcphone.toml, and restart the server?"]
    assert desk.told[-1] == "nothing was changed"
    assert tree(desk.folder) == before
    assert desk.restore() == 0
    assert desk.restore(restart=True, ask=lambda question: bool(asked.append(question))) == 1
    assert asked[-1] == "Restart the server?", "there is nothing to write any more"
    assert desk.restore(ask=asked.append) == 0
    assert len(asked) == 2, "nor to ask"


@pytest.mark.parametrize("line", ["snapshot restore works", "rescue"])
@pytest.mark.slow
def test_without_a_terminal_only_yes_restores(desk, line: str) -> None:
    desk.save_and_change()
    before = tree(desk.folder)
    command = [sys.executable, "-m", "llcphone", *line.split(), "--no-restart"]
    refused = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stderr) == (1, "")
    assert "no terminal to ask at: no; --yes says yes" in refused.stdout
    assert tree(desk.folder) == before
    done = subprocess.run([*command, "--yes"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert tree(desk.folder) != before


def test_a_dry_run_leaves_a_broken_off_restore_to_others(desk, monkeypatch) -> None:
    desk.save_and_change()
    with monkeypatch.context() as patch:
        patch.setattr(restoring, "replace_file", None)
        with pytest.raises(TypeError):
            desk.restore()
    before = tree(desk.folder)
    assert desk.restore(dry_run=True) == 0
    assert "an earlier restore was broken off" in desk.text
    assert tree(desk.folder) == before
    assert desk.restore() == 0
    assert "finished a restore that was broken off" in desk.told


# -- broken things ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["[realtime\n", '[realtime]\nvoise = "cedar"\n', '[realtime]\nspeed = "fast"\n']
)
def test_a_broken_settings_file_can_be_restored_over(desk, text: str) -> None:
    before = desk.effect()
    desk.save()
    desk.file("llcphone.toml").write_text(text + TOML.replace("[realtime]", "").partition("voice")[0])
    assert desk.restore() == 0
    assert "cannot be read" in desk.text
    assert desk.effect()[1:] == before[1:]
    assert [p.read_text() for p in desk.folder.rglob("*.old") if b"public_url" in p.read_bytes()]


def test_an_agent_module_that_does_not_load_can_be_restored_over(desk) -> None:
    before = desk.effect()
    desk.save()
    desk.file("agents/baker.py").write_text("import nowhere_to_be_found\n")
    assert desk.restore() == 0
    assert desk.effect() == before


def test_a_damaged_snapshot_changes_nothing(desk) -> None:
    path = desk.save()
    desk.change()
    copy = next(path.with_suffix("").iterdir())
    for damaged in (path, copy):
        whole = damaged.read_bytes()
        damaged.chmod(0o600)
        damaged.write_bytes(whole.replace(b"Be brief", b"Be bribed"))
        before = tree(desk.folder)
        with pytest.raises(ConfigError, match="is damaged"):
            desk.restore()
        assert tree(desk.folder) == before
        damaged.write_bytes(whole)
    copy.unlink()
    with pytest.raises(ConfigError, match=r"the copy of agents/baker\.py is missing"):
        desk.restore()


def test_a_variable_that_would_win_is_named_and_nothing_is_changed(desk) -> None:
    desk.save_and_change()
    desk.file(".env").write_text(DOTENV + "VOSS_VOICE=alloy\n")
    before = tree(desk.folder)
    with pytest.raises(ConfigError, match=r"realtime\.voice: would not come back: .*VOSS_VOICE"):
        desk.restore()
    assert tree(desk.folder) == before


def test_agents_that_say_something_else_than_then_are_taken_back(desk) -> None:
    """The module is as it was, but what it reads is not: its prompt is not what was good."""
    reads = "\nfrom pathlib import Path\nagent.instructions = Path('prompt.txt').read_text()\n"
    desk.file("prompt.txt").write_text("You are a baker.")
    desk.file("agents/baker.py").write_text(BAKER + reads)
    desk.save_and_change()
    desk.file("prompt.txt").write_text("You are a butcher.")
    before = {name: desk.file(name).read_bytes() for name in ("llcphone.toml", "agents/baker.py")}
    assert desk.restore() == 1
    assert "agent baker instructions" in desk.text
    assert {name: desk.file(name).read_bytes() for name in before} == before
    assert desk.restore(force=True) == 0
    assert settings.load(environ={}).config.realtime.eagerness == "low"


def test_a_dry_run_shows_and_changes_nothing(desk) -> None:
    desk.save_and_change()
    before = tree(desk.folder)
    assert desk.restore(dry_run=True) == 0
    assert 'realtime.eagerness: "high" -> "low"' in desk.told
    assert tree(desk.folder) == before


# -- all or nothing ---------------------------------------------------------------------------


def test_a_file_that_cannot_be_written_leaves_the_others_as_they_were(desk, monkeypatch) -> None:
    desk.save_and_change()
    before = {name: desk.file(name).read_bytes() for name in ("llcphone.toml", "agents/baker.py")}
    replace = Path.replace

    def full(self: Path, target: Path) -> Path:
        if Path(target).name == "llcphone.toml" and "restore" not in str(target) and once:
            once.clear()
            raise OSError(28, "No space left on device", str(target))
        return replace(self, target)

    once = [True]
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ConfigError, match="No space left on device; nothing was changed"):
        desk.restore()
    assert {name: desk.file(name).read_bytes() for name in before} == before
    assert not restoring.finish(desk.file("llcphone.toml"))
    names = {path.name for folder in (desk.folder, desk.file("agents")) for path in folder.iterdir()}
    usual = {"llcphone.toml", ".env", "agents", "baker.py", "__pycache__", "snapshots", ".llcphone-restore"}
    assert names <= usual, "no staged file is left"


def test_taking_a_restore_back_is_all_or_nothing_too(desk, monkeypatch) -> None:
    desk.save_and_change()
    night = desk.effect()
    plan = snapshots.plan_restore(snapshots.find("works"), Path("llcphone.toml"))
    folder = snapshots.put_back(plan)
    replace = restoring.replace_file

    def dies(target: Path, content: bytes, **how: Any) -> None:
        assert target.suffix != ".toml", "killed"
        replace(target, content, **how)

    with monkeypatch.context() as patch:
        patch.setattr(restoring, "replace_file", dies)
        with pytest.raises(AssertionError, match="killed"):  # half of it is done
            snapshots.take_back(plan, folder)
    assert desk.effect()[1:] != night[1:]
    assert restoring.finish(desk.file("llcphone.toml"))
    assert desk.effect() == night


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_stay_the_servers_when_root_restores(desk) -> None:
    desk.save_and_change()
    os.chown(desk.file("llcphone.toml"), 12345, 12345)
    os.chown(desk.file("agents"), 12345, 12345)
    desk.file("agents/baker.py").unlink()
    assert desk.restore() == 0
    assert {desk.file(name).stat().st_uid for name in ("llcphone.toml", "agents/baker.py")} == {12345}


@pytest.mark.slow
def test_a_restore_that_is_killed_between_two_files_is_finished_by_serve_or_restore(desk):
    before = desk.effect()
    desk.save_and_change()
    killed = (
        "import os, sys\nfrom pathlib import Path\n"
        "from llcphone.snapshots.procedure import Restore, run_restore\n"
        "replace = Path.replace\n"
        "def dies(self, target):\n"
        "    if Path(target).name == 'llcphone.toml': os.kill(os.getpid(), 9)\n"
        "    return replace(self, target)\n"
        "Path.replace = dies\n"
        "run_restore('works', None, Restore(ask=bool, tell=print))\n"
    )
    dead = subprocess.run([sys.executable, "-c", killed], capture_output=True, check=False)
    assert dead.returncode == -9, dead.stderr
    assert desk.effect()[1:] != before[1:], "half of it"
    half = desk.effect()
    subprocess.run([sys.executable, "-m", "llcphone", "config"], check=True, capture_output=True)
    assert desk.effect() == half, "who only looks changes nothing"
    assert restoring.finish(Path("llcphone.toml"))
    assert desk.effect()[1:] == before[1:]
    assert not restoring.finish(Path("llcphone.toml"))


@pytest.mark.parametrize(
    ("pending", "files", "words"),
    [
        ("", "[]", "damaged"),
        ("only-one-word", "[]", "damaged"),
        ("x new and more", "[]", "damaged"),
        ("../x new", "[]", "damaged"),
        ("x other", "[]", "damaged"),
        ("x new", "", "damaged"),
        ("x new", "[1]", "damaged"),
        ("x new", '[{"target": "llcphone.toml"}]', "damaged"),
        ("x new", '[{"target": "llcphone.toml", "number": 7}]', "damaged"),
        ("x new", '[{"target": "VICTIM", "number": 0}]', "outside this folder"),
        ("x old", '[{"target": "VICTIM", "number": 9}]', "outside this folder"),
    ],
)
def test_a_pending_restore_of_somebody_else_or_a_broken_one_replaces_nothing(
    desk, tmp_path_factory, pending: str, files: str, words: str
) -> None:
    victim = tmp_path_factory.mktemp("home") / "profile"
    victim.write_text("mine")
    place = desk.file(".llcphone-restore")
    (place / "x").mkdir(parents=True, mode=0o700)
    place.chmod(0o700)
    (place / "pending").write_text(pending)
    (place / "x" / "files.json").write_text(files.replace("VICTIM", str(victim)))
    (place / "x" / "0.new").write_text("theirs")
    with pytest.raises(ConfigError, match=words) as caught:
        restoring.finish(Path("llcphone.toml"))
    assert "\n" not in str(caught.value)
    assert victim.read_text() == "mine"
    place.chmod(0o755)  # as git and archives make it
    assert not restoring.finish(Path("llcphone.toml"))


@pytest.mark.parametrize("path", ["../profile.py", "/tmp/profile.py"])
def test_a_module_outside_the_folder_is_not_written(desk, path: str) -> None:
    desk.save()
    snapshot = snapshots.find("works")
    outside = attrs.evolve(
        snapshot, modules=tuple(attrs.evolve(each, path=path) for each in snapshot.modules)
    )
    with pytest.raises(ConfigError, match="outside this folder"):
        snapshots.plan_restore(outside, Path("llcphone.toml"))


# -- what is saved ----------------------------------------------------------------------------


def test_a_saved_snapshot_holds_no_secret_and_nothing_of_the_deployment(desk) -> None:
    path = desk.save()
    for each in (path, *path.with_suffix("").iterdir()):
        content = each.read_text()
        for personal in ("phone.example.com", "a-secret-of-twilio", "sk-proj"):
            assert personal not in content


@pytest.mark.parametrize("secret", ["a-secret-of-twilio-0123456789", "sk-live-0123456789abcdef0123"])
def test_a_module_with_a_key_in_it_is_not_saved_and_the_key_not_told(desk, secret: str) -> None:
    desk.file("agents/baker.py").write_text(BAKER + f"\nKEY = '{secret}'\n")
    with pytest.raises(ConfigError) as caught:
        desk.save()
    assert "agents/baker.py" in str(caught.value)
    assert secret not in str(caught.value)
    assert not desk.file("snapshots").exists()


def test_numbers_of_the_routes_are_secrets_too_and_paths_and_names_are_none(desk) -> None:
    numbers = [f"+1555010{each:02}" for each in range(12)]
    files = "".join(f'"{number}" = "agents/baker.py", ' for number in numbers[:9]).rstrip(", ")
    desks = ", ".join(
        f'department_{each} = {{number = "{number}"}}' for each, number in enumerate(numbers[9:])
    )
    routes = f"\n[routes]\nfiles = {{{files}}}\n[transfers]\ndestinations = {{{desks}}}\n"
    desk.file("llcphone.toml").write_text(TOML + routes)
    desk.file("agents/baker.py").write_text(BAKER + "# department_1\n")
    text = desk.save().read_text()
    assert "+1555010" not in text
    desk.file("agents/baker.py").write_text(BAKER + f"# ring {numbers[10]}\n")
    with pytest.raises(ConfigError, match=r"transfers\.destinations: its value is in agents/baker\.py"):
        desk.save("another")


def test_modules_that_the_routes_name_are_kept_and_come_back(desk) -> None:
    routes = '[routes]\ndefault = "agents/baker.py"\nfiles = {"+15550100" = "agents/baker.py"}\n'
    desk.file("llcphone.toml").write_text(TOML.partition("[agent]")[0] + routes)
    desk.save()
    assert [module.path for module in snapshots.find("works").modules] == ["agents/baker.py"]
    desk.file("agents/baker.py").write_text(BAKER.replace("Be brief", "Be long"))
    assert desk.restore() == 0
    assert desk.file("agents/baker.py").read_text() == BAKER


def test_an_agent_that_does_not_load_is_not_good(desk) -> None:
    desk.file("agents/baker.py").write_text("1 / 0\n")
    with pytest.raises(ConfigError, match=r"agents/baker\.py, line 1: ZeroDivisionError"):
        desk.save()


def test_a_module_that_needs_its_house_is_saved_without_prompts_and_comes_back(desk) -> None:
    needs = (
        "from llcphone import Agent\n\ndef make(house):\n    return Agent('Ask ' + house.destinations[0])\n"
    )
    desk.file("agents/baker.py").write_text(needs)
    house = TOML + "[transfers]\ndestinations = {ann = {number = '+15550100'}}\n"
    desk.file("llcphone.toml").write_text(house)
    desk.save()
    assert "prompts and tools are not kept" in desk.text
    desk.file("agents/baker.py").write_text(BAKER)
    assert desk.restore() == 0, desk.text
    assert desk.file("agents/baker.py").read_text() == needs


def test_a_snapshot_is_never_written_again(desk) -> None:
    path = desk.save()
    before = tree(desk.file("snapshots"))
    desk.change()
    with pytest.raises(ConfigError, match="exists, and a snapshot is never changed"):
        desk.save()
    assert tree(desk.file("snapshots")) == before
    assert {stat.S_IMODE(each.stat().st_mode) for each in [path, *path.with_suffix("").iterdir()]} == {0o444}


def test_evidence_is_of_the_calls_since_the_last_change(desk) -> None:
    changed_at = desk.file("llcphone.toml").stat().st_mtime

    def call(born_at: float, *gaps: int) -> str:
        turns = [{"asked": "greeting", "sent_ms": 1_300}]
        turns += [{"asked": "caller", "answer_gap_ms": gap, "ear_gap_ms": gap + 100} for gap in gaps]
        record = {"born_at": born_at, "reason": "caller hung up", "dialect": "ga", "turns": turns}
        return json.dumps(record | {"started_after_ms": 1_000})

    lines = [
        call(changed_at - 60, 9_000),
        call(changed_at + 60, *range(100, 2_100, 100)),
        call(changed_at + 70),
    ]
    desk.file("calls.jsonl").write_text("\n".join([*lines, '{"born_at": 17']))
    desk.save()
    evidence = snapshots.find("works", desk.file("snapshots")).evidence
    assert (evidence["calls"], evidence["turns"]) == (2, 22)
    assert (evidence["answer_gap_p50_ms"], evidence["answer_gap_p95_ms"]) == (1_000, 1_900)
    assert evidence["first_audio_p95_ms"] == 300
    assert evidence["ended_as"] == {"caller hung up": 2}


def test_no_call_is_no_evidence_and_says_so(desk) -> None:
    desk.save()
    assert "no call was held" in desk.text


def test_list_show_and_diff_tell_what_there_is(desk) -> None:
    path = desk.save()
    cli_snapshot.list_()
    assert any(line.startswith(path.stem) and "callers were happy" in line for line in desk.told)
    assert any(line.startswith("rescue ") for line in desk.told)
    cli_snapshot.show("works")
    assert '  realtime.eagerness = "low"' in desk.told
    cli_snapshot.diff()
    assert desk.told[-1] == "no difference: what is in effect is the snapshot's"
    desk.change()
    cli_snapshot.diff()
    assert 'realtime.eagerness: "high" -> "low"' in desk.told


def test_a_later_setting_has_its_default_and_a_lost_one_is_refused(desk) -> None:
    path = desk.save()
    snapshot = snapshots.load_file(path)
    opening = {
        key: value for key, value in snapshot.settings["opening"].items() if key != "greeting_guard_ms"
    }
    older = attrs.evolve(snapshot, settings={**snapshot.settings, "opening": opening})
    assert older.missing() == ["opening.greeting_guard_ms"]
    assert older.config == snapshot.config
    newer = attrs.evolve(snapshot, settings={**snapshot.settings, "opening": {"of_next_year": 1}})
    with pytest.raises(ConfigError, match=r"opening\.of_next_year"):
        snapshots.plan_restore(newer, desk.file("llcphone.toml"))


def test_odd_prompts_come_back_as_they_were() -> None:
    config = settings.Config()
    for prompt in (
        "'''",
        "a\n'''\nb",
        'say "hi"',
        'it\'s "so"',
        "\ttab\n",
        "\r\n",
        "\x7f",
        "ä\u2028ö",
        "'",
        "\n'",
    ):
        agent = {"name": "a", "instructions": prompt, "tools": [prompt, prompt]}
        saved = snapshots.Snapshot(
            name="odd",
            saved_at="2026-11-21T00:00:00Z",
            who="w",
            why=prompt,
            settings=config.tuning(),
            agents=(agent,),
        )
        read = read_text(saved.text(), {}, "odd")
        assert (read.why, read.agents) == (prompt, (agent,))
        assert read.text() == saved.text()


def test_the_restart_procedure_is_run_after_the_restore_unless_told_not_to(desk) -> None:
    restarted: list[Path | None] = []

    def restart(config: Path | None, tell: Any) -> int:
        restarted.append(config)
        return 7

    desk.save_and_change()
    desk.restore()
    assert restarted == []
    desk.restore(restart=restart)
    assert restarted == [None], "nothing differs, but what runs may be older"
    restarted.clear()
    desk.change()
    assert desk.restore(restart=restart) == 7
    assert restarted == [None]
