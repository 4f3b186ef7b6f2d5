"""What a serving process does to be found, watched and stopped; and the files that keep it running."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import psutil
import pytest
import trio
import trio.lowlevel

from llcphone.config import Config
from llcphone.errors import ConfigError
from llcphone.process.notify import notify, passed_sockets, watchdog_s, watched
from llcphone.process.pidfile import own_pid_file, read_pid_file, running, written
from llcphone.process.start import ServerJob
from llcphone.process.stop import known
from llcphone.process.supervisors import run_command, supervisor_of
from llcphone.process.units import node_environment, nodes_here, pm2_unit, systemd_unit
from llcphone.settings import load
from tests.patience import HANG_S
from tests.process.deployment import deploy


def test_the_pid_file_stands_as_long_as_the_process_serves(tmp_path) -> None:
    path = tmp_path / "a.pid"
    with written(str(path), own_pid_file("127.0.0.1", 8081)):
        pid_file = read_pid_file(str(path))
        assert pid_file is not None
        assert (pid_file.pid, pid_file.port, pid_file.alive) == (os.getpid(), 8081, True)
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()


def test_a_successors_pid_file_is_not_removed(tmp_path) -> None:
    path = tmp_path / "a.pid"
    with written(str(path), own_pid_file("127.0.0.1", 8081)):
        path.write_text(path.read_text().replace(f'"pid":{os.getpid()}', '"pid":1'))
    assert path.exists()


def test_a_folder_that_cannot_be_written_is_no_reason_to_take_no_calls(tmp_path, caplog) -> None:
    with written(str(tmp_path / "nowhere" / "a.pid"), own_pid_file("127.0.0.1", 8081)):
        pass
    assert [record.event for record in caplog.records] == ["no pid file"]


def test_a_pid_that_was_given_away_is_another_process() -> None:
    mine = own_pid_file("127.0.0.1", 1)
    assert running(mine.pid, mine.created)
    assert not running(mine.pid, mine.created - 60)
    assert not running(2**22 - 3)


def test_a_clock_that_is_set_makes_no_live_mark_look_dead(monkeypatch) -> None:
    mine = own_pid_file("127.0.0.1", 1)
    began = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: began(self) + 3600.0)
    assert mine.alive


def test_a_mark_of_another_container_is_neither_alive_nor_stale(tmp_path) -> None:
    pid_file = msgspec.structs.replace(own_pid_file("127.0.0.1", 1), pids="pid:[4026530000]")
    assert (pid_file.alive, pid_file.elsewhere) == (False, True)
    (tmp_path / "a.pid").write_bytes(msgspec.json.encode(pid_file))
    told: list[str] = []
    config = Config.from_dict({"process": {"pid_file": str(tmp_path / "a.pid")}})
    assert known(ServerJob(config=config, tell=told.append)) is None
    assert (tmp_path / "a.pid").exists()
    assert told == []


@pytest.mark.parametrize("text", ["", "17\n", "[]", '{"pid": 1}'])
def test_a_pid_file_that_cannot_be_read_is_none(tmp_path, text: str) -> None:
    (tmp_path / "a.pid").write_text(text)
    assert read_pid_file(str(tmp_path / "a.pid")) is None


# -- systemd ------------------------------------------------------------------------------------


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield sock


def heard(sock: socket.socket) -> list[str]:
    said = []
    while True:
        try:
            said.append(sock.recv(4096).decode())
        except BlockingIOError:
            return said


async def test_systemd_is_told_of_readiness_and_twice_per_interval_of_life(
    autojump_clock, systemd, monkeypatch
):
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    async with watched():
        await trio.sleep(31)
    said = heard(systemd)
    assert said[0] == f"READY=1\nMAINPID={os.getpid()}"
    assert said[1:] == ["WATCHDOG=1"] * 3


async def test_a_loop_that_does_not_turn_gives_no_sign_of_life(autojump_clock, systemd, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    async with watched():
        await trio.sleep(1)
        heard(systemd)
        assert heard(systemd) == []


def test_without_systemd_nothing_is_told() -> None:
    assert not notify("READY=1", {})
    assert not notify("READY=1", {"NOTIFY_SOCKET": "/nowhere/at/all"})
    assert watchdog_s({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}) is None
    assert passed_sockets({"LISTEN_FDS": "1", "LISTEN_PID": "1"}) == []


HANGS = """
import sys, time, trio.testing
from llcphone.process import notify
notify.HANGS_S = 0.3

async def main():
    async with notify.watched():
        await trio.testing.wait_all_tasks_blocked()
        time.sleep(float(sys.argv[1]))

trio.run(main)
"""


def test_a_loop_that_hangs_says_where_while_it_hangs() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HANGS, str(HANG_S)], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = ""
        while "in main" not in said:
            said += (line := process.stderr.readline())
            assert line, said
        assert process.poll() is None
        process.send_signal(signal.SIGABRT)  # as the watchdog does
        assert "Fatal Python error: Aborted" in process.stderr.read()
        assert process.wait() == -signal.SIGABRT


async def test_a_loop_that_turns_says_nothing(capfd, monkeypatch) -> None:
    monkeypatch.setattr("llcphone.process.notify.HANGS_S", 600.0)
    async with watched():
        await trio.lowlevel.checkpoint()
    assert capfd.readouterr().err == ""


PASS_SOCKET = """
import os, socket, sys
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(sys.executable, [sys.executable, "-m", "llcphone", "serve"])
"""


@pytest.mark.slow
async def test_a_socket_that_systemd_passes_on_is_served(tmp_path) -> None:
    async with deploy(tmp_path) as deployed:
        server = await deployed.spawn(sys.executable, "-c", PASS_SOCKET, str(deployed.port))
        await deployed.until(lambda: deployed.serving(server.pid))
        told = await deployed.succeeds("doctor", "--only", "process", "public")
        assert f"{deployed.port} has one owner: pid {server.pid} (llcphone" in told
        server.send_signal(signal.SIGTERM)
        await server.wait()
        assert server.returncode == 0


def test_the_systemd_unit_notifies_is_watched_and_outlasts_the_drain(tmp_path) -> None:
    config = Config.from_dict({"server": {"max_calls": 1000}, "drain": {"limit_s": 120}})
    text = systemd_unit(config, ["/opt/a b/python", "-m", "llcphone", "serve"], Path("/srv/50%"), user=False)
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text)
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) > 0
    assert int(service["TimeoutStopSec"]) > 122
    assert int(service["LimitNOFILE"]) >= 4000
    assert service["ExecStart"] == "'/opt/a b/python' -m llcphone serve"
    assert service["WorkingDirectory"] == "/srv/50%%"
    assert unit["Install"]["WantedBy"] == "multi-user.target"
    assert "ProtectSystem" not in systemd_unit(config, ["p"], Path("/srv"), user=True)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize("nodes", [0, 2])
def test_systemd_itself_finds_no_fault_in_the_unit(nodes: int, tmp_path) -> None:
    unit = tmp_path / ("llcphone@.service" if nodes else "llcphone.service")
    folder = tmp_path / '50% "x'
    folder.mkdir()
    config = Config.from_dict({"process": {"pid_file": "a b%.pid"}, "metrics": {"port": 9000}})
    command = [sys.executable, "-m", "llcphone", "serve"]
    unit.write_text(systemd_unit(config, command, folder, user=True, nodes=nodes))
    asked = str(unit).replace("@", "@8081") if nodes else str(unit)
    done = subprocess.run(
        ["systemd-analyze", "verify", asked], capture_output=True, text=True, timeout=HANG_S
    )
    assert unit.name.partition(".")[0] not in done.stderr, done.stderr


def test_an_instance_of_the_template_is_a_node_with_ports_and_files_of_its_own(tmp_path) -> None:
    config = Config.from_dict(
        {
            "server": {"node": "a"},
            "metrics": {"port": 9000},
            "console": {"port": 8082},
            "drain": {"limit_s": 9},
        }
    )
    text = systemd_unit(config, ["python", "-m", "llcphone", "serve"], tmp_path, user=False, nodes=3)
    assert "enable --now llcphone@8081 llcphone@8082 llcphone@8083" in text
    assert "set shared.url" in text
    assert "TimeoutStopSec=39" in text
    environ = dict(re.findall(r'^Environment="(\w+)=(.*)"$', text.replace("%i", "8083"), re.M))
    assert environ == node_environment(config, 8083)
    loaded = load(environ=environ).config
    assert (loaded.server.node, loaded.server.port) == ("a8083", 8083)
    assert (loaded.metrics.port, loaded.console.port) == (18083, 28083)
    assert (loaded.process.pid_file, loaded.process.unit) == ("llcphone-8083.pid", "llcphone@8083")
    assert nodes_here(config, 2) == {"a8081": "127.0.0.1:8081", "a8082": "127.0.0.1:8082"}


@pytest.mark.parametrize(
    ("server", "nodes", "key"),
    [({}, 65, "--nodes"), ({"port": 0}, 2, "server.port"), ({"port": 9_998}, 3, "server.port")],
)
def test_nodes_that_can_have_no_ports_in_a_row_are_refused(server, nodes: int, key: str) -> None:
    config = Config.from_dict({"server": server, "metrics": {"port": 9000}})
    with pytest.raises(ConfigError, match=key):
        nodes_here(config, nodes)


def test_the_pm2_file_is_one_process_that_outlasts_the_drain() -> None:
    text = pm2_unit(Config(), ["/opt/it's/python", "-m", "llcphone", "serve"], Path("/srv"))
    body = re.sub(r"^\s*//.*$", "", text, flags=re.M).partition("module.exports =")[2].strip().rstrip(";")
    plain = json.loads(re.sub(r",(\s*[}\]])", r"\1", re.sub(r"(?m)^(\s*)(\w+):", r'\1"\2":', body)))
    (app,) = plain["apps"]
    assert app["script"] == "/opt/it's/python"
    assert app["args"] == ["-m", "llcphone", "serve"]
    assert (app["instances"], app["exec_mode"]) == (1, "fork")
    assert app["kill_timeout"] > 602_000


# -- supervisors --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "stop", "start"),
    [
        ("none", (), ()),
        ("systemd", ("systemctl", "stop", "phone"), ("systemctl", "start", "phone")),
        ("systemd-user", ("systemctl", "--user", "stop", "phone"), ("systemctl", "--user", "start", "phone")),
        ("pm2", ("pm2", "stop", "phone"), ("pm2", "start", "phone")),
        ("docker", ("docker", "stop", "--time", "605", "phone"), ("docker", "start", "phone")),
    ],
)
def test_each_supervisor_has_its_usual_commands(name: str, stop: tuple, start: tuple) -> None:
    found = supervisor_of(Config.from_dict({"process": {"supervisor": name, "unit": "phone"}}), 605.0)
    assert (found.stop, found.start) == (stop, start)


def test_a_command_of_ones_own_goes_before_the_usual_one() -> None:
    config = Config.from_dict({"process": {"supervisor": "pm2", "stop_command": "sudo 'my stop'"}})
    found = supervisor_of(config, 5.0)
    assert (found.stop, found.start) == (("sudo", "my stop"), ("pm2", "start", "llcphone"))


async def test_a_command_that_fails_or_hangs_or_is_not_there_is_told() -> None:
    assert await run_command((sys.executable, "-c", "pass"), 10) == ""
    failed = await run_command((sys.executable, "-c", "import sys; sys.exit('no such unit')"), 10)
    assert failed == "ended with 1: no such unit"
    assert (
        await run_command((sys.executable, "-c", "import time; time.sleep(60)"), 0.3)
        == "did not end within 0 s"
    )
    assert await run_command(("/nowhere/at/all",), 10) == "No such file or directory"
