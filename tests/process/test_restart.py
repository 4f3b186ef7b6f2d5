"""llcphone restart, stop and status with real processes: each ends right, and says what it did."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

import attrs
import msgspec
import pytest
import trio

from llcphone import settings
from llcphone.cli import restart
from llcphone.config import Config
from llcphone.doctor.checks import run_checks
from llcphone.doctor.context import context_of
from llcphone.doctor.report import Status
from llcphone.process import start, stop
from llcphone.process.pidfile import own_pid_file, read_pid_file, running
from llcphone.process.status import standing, standing_lines
from llcphone.server.port_owners import is_server
from llcphone.sim.model import Faults
from tests.calls.test_kill_nine import all_of, hangs_up, speak, talk, talks_again
from tests.patience import HANG_S
from tests.process.deployment import deploy

LISTEN = """
import socket, sys, time
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
time.sleep(60)
"""


@pytest.mark.slow
async def test_none_of_twenty_live_calls_is_lost_in_a_restart(tmp_path) -> None:
    async with deploy(tmp_path, speak) as deployed:
        first = await deployed.serve()
        calls = [deployed.twilio.ring_nowait() for _ in range(20)]
        await all_of(talk, calls)
        code, told = await deployed.run("restart")
        await all_of(talks_again, calls)
        assert code == 0, told
        assert await first.wait() == 0
        assert [call.ended_by for call in calls if call.over] == []
        await all_of(hangs_up, calls)
    assert [len(call.record.streams) for call in calls] == [2] * 20
    assert f"the old server, pid {first.pid}: its live calls may continue for 2 s" in told
    assert "restarted, and well" in told


@pytest.mark.slow
async def test_a_server_without_a_pid_file_is_an_orphan_and_is_ended(tmp_path) -> None:
    async with deploy(tmp_path) as deployed:
        orphan = await deployed.serve()
        (tmp_path / "llcphone.pid").unlink()
        told = await deployed.succeeds("restart")
        assert f"stopping an orphan of ours, pid {orphan.pid}" in told
        assert orphan.poll() == 0
        pid_file = read_pid_file(str(tmp_path / "llcphone.pid"))
        assert pid_file is not None
        assert pid_file.pid != orphan.pid


@pytest.mark.slow
async def test_a_server_that_hangs_is_killed_and_not_waited_for(tmp_path) -> None:
    async with deploy(tmp_path) as deployed:
        deployed.configure(drain={"limit_s": 600})
        hung = await deployed.serve()
        hung.send_signal(signal.SIGSTOP)
        told = await deployed.succeeds("restart")
        assert f"pid {hung.pid} hangs" in told
        assert f"pid {hung.pid}: killed" in told


@pytest.mark.slow
async def test_a_foreign_listener_is_named_and_left_alone_unless_forced(tmp_path) -> None:
    async with deploy(tmp_path) as deployed:
        foreign = await deployed.spawn(sys.executable, "-c", LISTEN, str(deployed.port))
        assert foreign.stdout is not None
        await foreign.stdout.receive_some()
        code, told = await deployed.run("restart")
        assert code == 1
        assert f"belongs to pid {foreign.pid} (python" in told
        assert f"kill {foreign.pid}" in told
        assert running(foreign.pid)
        code, told = await deployed.run("serve")
        assert code == 2
        assert f"is taken by pid {foreign.pid} (python" in told
        told = await deployed.succeeds("restart", "--force")
        assert not running(foreign.pid)


@pytest.mark.slow
async def test_a_stale_pid_file_is_said_and_removed(tmp_path) -> None:
    async with deploy(tmp_path) as deployed:
        server = await deployed.serve()
        server.kill()
        await server.wait()
        assert (tmp_path / "llcphone.pid").exists()
        code, told = await deployed.run("status")
        assert code == 1
        assert "the pid file is stale" in told
        told = await deployed.succeeds("restart")
        assert f"stale pid file: pid {server.pid} does not run any more" in told


@pytest.mark.slow
async def test_a_pid_that_somebody_else_has_now_is_not_ended(tmp_path) -> None:
    async with deploy(tmp_path) as deployed:
        server = await deployed.serve()
        pid_file = read_pid_file(str(tmp_path / "llcphone.pid"))
        server.kill()
        await server.wait()
        bystander = await deployed.spawn(sys.executable, "-c", "import time; time.sleep(60)")
        stale = msgspec.structs.replace(pid_file, pid=bystander.pid)
        (tmp_path / "llcphone.pid").write_bytes(msgspec.json.encode(stale))
        told = await deployed.succeeds("restart")
        assert "stale pid file" in told
        assert running(bystander.pid)


@pytest.mark.slow
async def test_broken_settings_stop_nothing(tmp_path) -> None:
    async with deploy(tmp_path) as deployed:
        server = await deployed.serve()
        deployed.configure(server={"max_cals": 3})
        code, told = await deployed.run("restart")
        assert code == 2
        assert "write server.max_calls if you meant that" in told
        assert "a server that runs is left alone" in told
        assert deployed.serving(server.pid)


@pytest.mark.slow
async def test_broken_settings_are_rolled_back_when_asked_and_can_be_stopped(tmp_path) -> None:
    async with deploy(tmp_path) as deployed:
        server = await deployed.serve()
        told = await deployed.succeeds("snapshot", "save", "works", "--why", "it works")
        deployed.configure(server={"max_cals": 3})
        told = await deployed.succeeds("restart", "--rollback")
        assert "max_cals" not in (tmp_path / "llcphone.toml").read_text()
        assert await server.wait() == 0
        assert deployed.serving()
        deployed.configure(server={"max_cals": 3})
        told = await deployed.succeeds("stop")
        assert "the settings are refused" in told
        assert not deployed.serving()


@pytest.mark.slow
async def test_an_agent_that_cannot_be_loaded_stops_nothing(tmp_path) -> None:
    async with deploy(tmp_path) as deployed:
        server = await deployed.serve()
        (tmp_path / "agent.py").write_text("import nothing_of_that_name\n")
        code, told = await deployed.run("restart", "--agent", "agent.py")
        assert code == 2
        assert "agent.py, line 1: ModuleNotFoundError: No module named 'nothing_of_that_name'" in told
        assert deployed.serving(server.pid)


@pytest.mark.slow
async def test_a_refused_session_offers_a_snapshot_and_rolls_back_only_when_asked(tmp_path) -> None:
    async with deploy(tmp_path) as deployed:
        await deployed.serve()
        told = await deployed.succeeds("snapshot", "save", "works", "--why", "it works")
        deployed.configure(realtime={"model": "gpt-nothing"})
        code, told = await deployed.run("restart")
        assert code == 1
        assert "Infrastructure first" in told
        assert "the endpoint has no such model [invalid_model]" in told
        assert "llcphone restart --rollback" in told
        assert "gpt-nothing" in (tmp_path / "llcphone.toml").read_text()
        told = await deployed.succeeds("restart", "--rollback")
        assert "gpt-nothing" not in (tmp_path / "llcphone.toml").read_text()
        assert "restarted, and well" in told


@pytest.mark.slow
async def test_what_keeps_a_server_from_starting_offers_a_snapshot(tmp_path) -> None:
    async with deploy(tmp_path) as house:
        server = await house.serve()
        told = await house.succeeds("snapshot", "save", "works", "--why", "it works")
        house.configure(money={"price_file": "not-there.toml"})
        code, told = await house.run("restart")
        assert code in (1, 2), told
        assert "price_file" in told
        assert "llcphone restart --rollback" in told
        assert house.serving(server.pid)


@pytest.mark.slow
async def test_a_snapshot_is_not_offered_for_what_it_cannot_mend(tmp_path) -> None:
    async with deploy(tmp_path) as deployed:
        told = await deployed.succeeds("snapshot", "save", "works", "--why", "it works")
        deployed.configure(process={"start_command": f"{sys.executable} -c pass", "start_timeout_s": 1})
        code, told = await deployed.run("restart", "--rollback")
        assert code == 1
        assert "restoring a snapshot will not help" in told


@pytest.mark.parametrize("late", [0, 3, 1000])
async def test_a_new_server_has_its_time_to_become_ready_and_then_what_fails_is_said(
    autojump_clock, monkeypatch, late: int
) -> None:
    """Right after its start its session has not been asked for yet."""
    asked = []

    async def ask_ready(host: str, port: int) -> list[str] | None:
        asked.append(port)
        return ["model endpoint: not asked yet"] if len(asked) <= late else []

    monkeypatch.setattr(start, "ask_ready", ask_ready)
    config = Config.from_dict({"process": {"start_timeout_s": 5, "pid_file": ""}, "server": {"port": 7}})
    reasons = await start.not_ready(start.ServerJob(config=config))
    assert reasons == (["model endpoint: not asked yet"] if late == 1000 else [])
    assert set(asked) == {7}


KEEPER = """
import os, signal, subprocess, sys
command = [sys.executable, "-m", "llcphone", "serve"]
open("keeper.pid", "w").write(str(os.getpid()))
stopping = False
def stop(*_):
    global stopping
    stopping = True
    child.send_signal(signal.SIGTERM)
signal.signal(signal.SIGTERM, stop)
while not stopping:
    child = subprocess.Popen(command, env=os.environ | {"pm_id": "0"})
    child.wait()
os.unlink("keeper.pid")
"""
STOP_KEEPER = """
import os, signal, time
os.kill(int(open("keeper.pid").read()), signal.SIGTERM)
while os.path.exists("keeper.pid"): time.sleep(0.05)
"""
START_KEEPER = """
import subprocess, sys
with open("llcphone.log", "ab") as log:
    subprocess.Popen([sys.executable, "keeper.py"], stdout=log, stderr=log, start_new_session=True)
"""


@pytest.mark.slow
async def test_a_parent_that_respawns_is_stopped_first(tmp_path) -> None:
    """Else its next child and ours race for the port."""
    for name, text in (("keeper", KEEPER), ("stop", STOP_KEEPER), ("start", START_KEEPER)):
        (tmp_path / f"{name}.py").write_text(text)
    async with deploy(tmp_path) as deployed:
        keeper = await deployed.spawn(sys.executable, "keeper.py")
        await deployed.until(deployed.serving)
        code, told = await deployed.run("restart")
        assert code == 1
        assert (
            'kept running by pm2, which would start it again at once: set process.supervisor = "pm2"' in told
        )
        assert deployed.serving()
        commands = {
            "stop_command": f"{sys.executable} stop.py",
            "start_command": f"{sys.executable} start.py",
        }
        deployed.configure(process=commands)
        told = await deployed.succeeds("restart")
        await keeper.wait()
        assert deployed.serving()
        told = await deployed.succeeds("stop")
        assert not (tmp_path / "keeper.pid").exists()
        assert not deployed.serving()


@pytest.mark.slow
async def test_stalled_peers_keep_no_process_beyond_two_seconds_of_its_drain_limit(tmp_path):
    faults = Faults(never_answer_close=True, stop_reading=False)
    async with deploy(tmp_path, speak, faults=faults) as deployed:
        deployed.configure(drain={"limit_s": 1}, journal={"enabled": False})
        server = await deployed.serve()
        calls = [deployed.twilio.ring_nowait() for _ in range(3)]
        await all_of(talk, calls)
        stalled = await trio.open_tcp_stream("127.0.0.1", deployed.port)
        await stalled.send_all(b"POST /twiml HTTP/1.1\r\nHost: x\r\n")
        for session in deployed.model.sessions:
            session.faults.stop_reading = True
        began, queued_s = trio.current_time(), waited_for_a_core(server.pid)
        server.send_signal(signal.SIGTERM)
        late_s = 0.0
        with trio.fail_after(HANG_S):
            while server.poll() is None:
                late_s = max(late_s, waited_for_a_core(server.pid) - queued_s)
                await trio.sleep(0.02)
        took = trio.current_time() - began
        await stalled.aclose()
    assert 0.9 < took < 3.0 + late_s
    assert server.returncode == 0, "by itself, not by the alarm"
    lines = (tmp_path / "calls.jsonl").read_text().splitlines()
    assert len(lines) == 3


def waited_for_a_core(pid: int) -> float:
    """How long this process was ready to run while others ran, in seconds (proc(5), ``schedstat``)."""
    try:
        texts = [file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    except OSError:  # it has just ended
        return 0.0
    return sum(int(text.split()[1]) for text in texts) / 1e9


@pytest.mark.slow
async def test_the_last_alarm_ends_a_loop_that_does_not_turn_any_more(tmp_path) -> None:
    program = "from llcphone.process.notify import stopping\nstopping(0)\nwhile True: pass"
    process = await trio.lowlevel.open_process([sys.executable, "-c", program])
    try:
        with trio.fail_after(HANG_S):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == -signal.SIGALRM


def test_a_command_line_is_recognised_as_ours() -> None:
    python = "/usr/bin/python3"
    assert is_server([python, "-m", "llcphone", "serve", "--config", "a.toml"])
    assert is_server([python, "/home/me/.venv/bin/llcphone", "serve"])
    assert is_server([python, "-X", "dev", "-m", "llcphone", "serve"])
    assert not is_server([python, "-m", "llcphone", "restart"])
    assert not is_server([python, "-m", "http.server", "8081"])


@pytest.mark.slow
async def test_two_projects_on_one_port_leave_each_other_alone(tmp_path, monkeypatch) -> None:
    """Same port, same names of all files: only the folder differs."""
    production, other = tmp_path / "production", tmp_path / "staging"
    production.mkdir()
    other.mkdir()
    async with deploy(production) as deployed:
        server = await deployed.serve()
        attrs.evolve(deployed, folder=other).configure()
        monkeypatch.chdir(other)
        told: list[str] = []
        job = start.ServerJob(config=settings.load(None).config, tell=told.append)
        assert not await stop.stop(job)
        assert await restart.restart(restart.RestartOptions(tell=told.append)) == 1
        named = f"port {deployed.port} belongs to another project: pid {server.pid} (llcphone of {production}"
        assert sum(line.startswith(named) for line in told) == 2
        (line,) = standing_lines(await standing(job.config))
        assert line.startswith(
            f"no server of this project runs; port {deployed.port} belongs to pid {server.pid}"
        )
        findings = await run_checks(context_of(None), ("process",))
        assert [each.status for each in findings if each.check == "process"] == [Status.FAIL]
        assert deployed.serving(server.pid)


@pytest.mark.slow
async def test_a_new_server_that_cannot_start_leaves_the_old_one_serving(tmp_path, monkeypatch) -> None:
    """It fails at the last moment, when the old one has stopped accepting: the private port is taken."""
    async with deploy(tmp_path) as deployed:
        server = await deployed.serve()
        call = deployed.twilio.ring_nowait()
        await call.stream_started()
        taken = socket.create_server(("127.0.0.1", 0))
        deployed.configure(metrics={"port": taken.getsockname()[1]})
        monkeypatch.chdir(tmp_path)
        told: list[str] = []
        assert await restart.restart(restart.RestartOptions(tell=told.append)) == 1
        assert f"the server that ran, pid {server.pid}, is left serving" in told
        assert deployed.serving(server.pid)
        await deployed.twilio.ring_nowait().stream_started()
        assert not call.over
        taken.close()


async def test_a_busy_server_that_misses_questions_is_drained_and_not_killed(autojump_clock, monkeypatch):
    """One unanswered question proves nothing: it is asked again, after TERM too."""
    asked, told, signals = [], [], []

    async def ask_health(host: str, port: int) -> object | None:
        asked.append((host, port))
        return None if len(asked) <= stop._TRIES + 1 else object()

    async def gone(pid: int, created: float, within_s: float, tell: object = None) -> bool:
        await trio.sleep(within_s)
        return within_s > 100

    monkeypatch.setattr(stop, "ask_health", ask_health)
    monkeypatch.setattr(stop, "gone", gone)
    monkeypatch.setattr(stop, "terminate", lambda *which: signals.append(which))
    job = start.ServerJob(config=Config.from_dict({"process": {"pid_file": ""}}), tell=told.append)
    pid_file = msgspec.structs.replace(own_pid_file("127.0.0.9", 9), pid=2**22 - 3)
    assert await stop._end(job, pid_file.pid, pid_file.created, pid_file, "the server")
    assert signals == [(pid_file.pid, pid_file.created)], "a second TERM would end all calls"
    assert set(asked) == {("127.0.0.9", 9)}, "where it was started, not where the settings say by now"
    assert told[-1] == f"pid {pid_file.pid}: ended"
