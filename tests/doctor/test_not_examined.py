"""What could not be looked at is never green; what cannot be written or loaded is known before a call."""

from __future__ import annotations

import json
import signal

import pytest

from llcphone.config import Config
from llcphone.doctor import agents, places
from llcphone.doctor.checks import GROUPS
from llcphone.doctor.context import INSTALL_CERTIFICATES, DoctorContext
from llcphone.doctor.places import places_of
from llcphone.doctor.probe import Probe
from llcphone.doctor.session import judge_session
from llcphone.doctor.twilio import judge_refusal
from llcphone.realtime.dialects import Dialect
from llcphone.sim.ports import free_port
from tests.doctor.stage import FAIL, PASS, UNKNOWN, WARN, names, open_doctor
from tests.process.deployment import deploy
from tests.shared.kit import Process


@pytest.mark.parametrize("only", [*GROUPS])
async def test_settings_that_cannot_be_read_are_told_whatever_is_asked_for(
    autojump_clock, no_threads, stage, only
):
    stage.set("server.max_cals", 3)
    found = await stage.run_checks(only)
    names(found["configuration"], FAIL, "write server.max_calls")
    if only in ("machine", "public", "twilio", "session"):
        names(found[only], UNKNOWN, "not examined", "correct the settings")


async def test_the_command_is_not_ok_with_settings_that_cannot_be_read(tmp_path) -> None:
    async with deploy(tmp_path) as deployed:
        environ = {"LLCPHONE_OUTBOUND__ALLOW_PREFIXES": '["+1"]'}
        code, told = await deployed.run("doctor", "--json", "--only", "public", "twilio", environ=environ)
        said = json.loads(told)
        assert (code, said["ok"]) == (1, False)
        assert said["findings"][0]["check"] == "configuration"


async def test_agents_that_cannot_be_loaded_leave_the_session_unexamined(autojump_clock, stage):
    stage.agent("1/0\n")
    await stage.finds(
        "session", "agents' sessions", UNKNOWN, "the agents cannot be loaded", "--only settings"
    )


async def test_a_setting_of_an_agent_that_is_none(autojump_clock, stage):
    settings = '{"turns": {"silnce_s": 1}}'
    text = f'import llcphone\nagent = llcphone.Agent("Hi.", name="ada", settings={settings})\n'
    stage.agent(text)
    found = await stage.finds(
        "settings session", "agent", FAIL, "turns.silnce_s: is no setting; agent ada has it"
    )
    assert "report it" not in str(found)


async def test_a_tool_of_which_the_model_knows_only_the_name(autojump_clock, stage):
    text = 'import llcphone\nagent = llcphone.Agent("Hi.", name="ada")\n'
    text += "@agent.tool\nasync def order(what: str) -> str:\n    return what\n"
    stage.agent(text)
    await stage.finds(
        "settings", "agent", WARN, "tools without a description, ada: order", "write a docstring"
    )


async def test_an_agents_file_that_waits_at_import(autojump_clock, stage, monkeypatch):
    monkeypatch.setattr(agents, "LOAD_S", 0.3)
    set_timer = signal.setitimer  # its time begins at line 3, however long a busy machine takes to get there
    monkeypatch.setattr(signal, "setitimer", lambda which, s: set_timer(which, 60 if s == 0.3 else s))
    waits = "signal.setitimer(signal.ITIMER_REAL, 0.31), time.sleep(60)"
    lines = f"import signal, time\ntry:\n    {waits}\nexcept Exception:\n    pass\n"
    stage.agent(lines)
    found = await stage.finds(
        "settings session", "agent", FAIL, "agent.py, line 3: not loaded within 0.3 s", "do not wait"
    )
    names(found["agents' sessions"], UNKNOWN, "not examined")


# -- folders ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("records.path", "{}/calls.jsonl"),
        ("journal.url", "sqlite:///{}/journal.db"),
        ("store.url", "sqlite:///{}/store.db"),
        ("shared.url", "sqlite:///{}/shared.db"),
        ("process.pid_file", "{}/llcphone.pid"),
        ("process.log_file", "{}/llcphone.log"),
        ("money.state_file", "{}/spent.json"),
        ("records.blackbox_dir", "{}/tapes"),
    ],
)
async def test_a_folder_that_cannot_be_written(autojump_clock, stage, tmp_path, monkeypatch, key, value):
    closed = tmp_path / "closed"
    closed.mkdir()

    def refused(**where):  # the tests may run as root, who may write everywhere
        if where["dir"] == closed:
            raise PermissionError(13, "Permission denied")
        return (tmp_path / "probe").open("wb")

    monkeypatch.setattr(places.tempfile, "TemporaryFile", refused)
    assert (await stage.run_checks("machine"))["folders"].status is PASS
    stage.set(key, value.format(closed))
    await stage.finds("machine", "folders", FAIL, f"{closed} cannot be written (Permission denied)", key)


async def test_a_folder_that_is_not_there(autojump_clock, stage, tmp_path):
    stage.set("records.path", str(tmp_path / "none" / "calls.jsonl"))
    await stage.finds("machine", "folders", FAIL, "none is not there", "mkdir -p")
    stage.set("records.path", str(tmp_path))
    await stage.finds("machine", "folders", FAIL, "cannot be written by this user")


def test_every_file_that_serve_writes_is_looked_at_and_databases_elsewhere_are_not(tmp_path) -> None:
    context = DoctorContext(config=Config(), path=tmp_path / "llcphone.toml")
    written = "records.path process.pid_file process.log_file journal.url store.url"
    assert {each.key for each in places_of(context)} == {*written.split()}
    elsewhere = {"journal": {"url": "postgresql://u@h/d"}, "process": {"supervisor": "systemd"}}
    config = Config.from_dict({**elsewhere, "store": {"enabled": False}})
    found = {each.key for each in places_of(DoctorContext(config=config))}
    assert found == {"records.path", "process.pid_file"}


# -- certificates -------------------------------------------------------------------------------


def test_a_certificate_that_is_not_trusted_asks_for_certificates() -> None:
    [finding] = judge_session(Config(), [Probe(dialect=Dialect.GA, code="tls")])
    assert finding.fix == INSTALL_CERTIFICATES
    assert judge_refusal("tls").fix == INSTALL_CERTIFICATES
    assert "install certificates" in INSTALL_CERTIFICATES


# -- settings that cannot be right --------------------------------------------------------------


async def test_a_server_that_its_platform_cannot_reach(autojump_clock, stage, monkeypatch):
    assert (await stage.run_checks("settings"))["listening address"].status is PASS
    monkeypatch.setenv("RENDER", "true")
    await stage.finds("settings", "listening address", WARN, "127.0.0.1", "RENDER", "0.0.0.0")
    stage.set("server.host", "0.0.0.0")
    assert (await stage.run_checks("settings"))["listening address"].status is PASS


async def test_a_console_where_calls_come_in(autojump_clock, stage):
    assert "console" not in await stage.run_checks("settings")
    stage.set("console.port", free_port())
    await stage.finds("settings", "console", WARN, "console.key is not set", "llcphone init")
    stage.secret("LLCPHONE_CONSOLE__KEY", "k" * 32)
    assert (await stage.run_checks("settings"))["console"].status is PASS
    stage.set("server.public_url", "https://phone.example.com")
    stage.set("console.origins", ["https://phone.example.com"])
    await stage.finds("settings", "console", WARN, "console.origins", "a name of its own")


async def test_a_token_of_another_length(autojump_clock, stage):
    assert "auth token" not in await stage.run_checks("settings"), "a simulator takes any"
    stage.set("twilio.api_url", None)
    stage.secret("TWILIO_AUTH_TOKEN", "0123456789abcdef0123456789abcde")
    await stage.finds("settings", "auth token", WARN, "31 characters", "primary")
    stage.secret("TWILIO_AUTH_TOKEN", "0123456789abcdef0123456789abcdef")
    assert "auth token" not in await stage.run_checks("settings")


async def test_a_sid_of_something_else(autojump_clock, stage):
    stage.set("twilio.api_url", None)
    stage.set("twilio.account_sid", "SK" + "0" * 32)
    await stage.finds("settings", "ready to serve", FAIL, "AC and 32", "TWILIO_ACCOUNT_SID")


async def test_a_start_that_its_platform_cannot_reach_is_logged_once(tmp_path) -> None:
    async with deploy(tmp_path) as deployed:
        await deployed.serve(environ={"RENDER": "true"})
        log = (tmp_path / "llcphone.log").read_text()
        assert log.count("set server.host to 0.0.0.0") == 1
        assert "RENDER" in log


# -- databases ----------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["journal.url", "shared.url", "store.url", "store.lookup_url"])
async def test_a_database_that_does_not_answer(in_its_folder, tmp_path, key):
    check = f"{key.partition('.')[0]} database"
    async with open_doctor(tmp_path, serving=False) as stage:
        stage.set(key, f"postgresql://phone:canary-word@127.0.0.1:{free_port()}/calls")
        found = await stage.finds("machine", check, FAIL, f"{key}: cannot be opened", f"set {key}")
        assert "canary-word" not in str(found)


async def test_a_file_that_is_no_database(autojump_clock, stage, tmp_path):
    await stage.finds("machine", "journal database", PASS, "made at the first start")
    (tmp_path / "journal.db").write_text("no database, but a text that is long enough to look like one" * 9)
    await stage.finds("machine", "journal database", FAIL, "journal.db cannot be read")
    (tmp_path / "journal.db").write_bytes(b"")
    await stage.finds("machine", "journal database", PASS, "can be read")


async def test_shared_tables_of_a_newer_version(autojump_clock, stage, tmp_path):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    stage.set("shared.url", url)
    await stage.finds("machine", "shared database", PASS, "made at the first start")
    process = Process(url, "n1")
    await stage.finds("machine", "shared database", PASS, "can be read")
    process.run(lambda db: db.exec_driver_sql("UPDATE llcphone_shared SET version = 99"))
    process.place.close()
    await stage.finds("machine", "shared database", FAIL, "newer llcphone", "use that llcphone")


async def test_an_address_of_another_kind_of_database(autojump_clock, stage):
    stage.set("journal.url", "mysql://u@h/d")
    await stage.finds(
        "machine",
        "journal database",
        FAIL,
        "is not a database that llcphone can use",
        "set it to sqlite:///<file> or postgres",
    )


async def test_a_node_that_nodes_of_other_machines_do_not_reach(in_its_folder, tmp_path):
    async with open_doctor(tmp_path, serving=False) as stage:
        stage.set("server.node", "n1")
        stage.set("shared.url", "mysql://u@h/d")
        found = await stage.finds("machine", "shared database", FAIL, "is not a database")
        assert "node address" not in found
        stage.set("shared.url", "postgresql://u@nowhere.invalid/d")
        await stage.finds("machine", "node address", WARN, "do not reach this one", "shared.node_url")
        stage.set("shared.node_url", "http://10.0.0.5:8081")
        assert "node address" not in await stage.run_checks("machine")


async def test_a_log_that_is_not_there_is_not_a_log_without_errors(autojump_clock, stage, tmp_path):
    await stage.finds("process", "server log", WARN, "not read", "process.log_file")
    (tmp_path / "llcphone.log").write_text("")
    await stage.finds("process", "server log", PASS, "no recent errors")


async def test_an_endpoint_that_does_not_answer_says_nothing_of_its_models(autojump_clock, stage):
    stage.set("realtime.url", f"ws://127.0.0.1:{free_port()}/v1/realtime")
    await stage.finds("session", "model", UNKNOWN, "not checked: no connection")
