"""Ordinary mistakes: every command, in one line that names the thing and the fix, with the right exit code.

A row is a command line in a folder of odd files. Nothing here may end in a traceback: `entry.run` lets only a
fault of llcphone out, and then the row fails with it.
"""

from __future__ import annotations

import io
import re
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from llcphone.cli.entry import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READY = """\
[realtime]
api_key = "sk-mistakes-0123456789"
[twilio]
account_sid = "AC00000000000000000000000000000000"
auth_token = "0123456789abcdef0123456789abcdef"
phone_number = "+14155552600"
[server]
public_url = "https://phone.example.test"
[agent]
instructions = "Be brief."
"""
FILES = {
    "ok.toml": READY,
    "broken.toml": "[server\nport = 1",
    "unknown.toml": "[server]\nprot = 8081\n",
    "range.toml": "[server]\nport = 99999999\n",
    "text.txt": "this is a text",
    "syntax.py": "agent = (\n",
    "zero.py": "1 / 0\n",
    "leaves.py": "import sys\nsys.exit(3)\n",
    "missing.py": "import no_such_module_anywhere\n",
    "nothing.py": "x = 1\n",
    "base.py": "class Mine(BaseException): pass\nraise Mine()\n",
    "wrong.py": "agent = 'Be brief.'\n",
    "interrupts.py": "import llcphone\ndef make(house):\n    return undefined_name\n",
    "script.toml": 'turns = [{foo = "x"}]',
    "script2.toml": "turns = [",
    "script3.toml": 'turns = [{write = "x"}]',
    "cut.jsonl": '{"form": 1',
    "profile.json": "{}",
    "taken": "",
}

Row = tuple[str, str, int]
"""A command line, what is to be said about it, and its exit code."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "latin.toml").write_bytes(b"[agent]\ninstructions = '\xe9'\n")
    (tmp_path / "latin.py").write_bytes(b"x = '\xe9'\n")
    (tmp_path / "a_folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    for name in ("OPENAI_API_KEY", "TWILIO_AUTH_TOKEN", "PUBLIC_URL", "PORT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


# -- rows ---------------------------------------------------------------------------------------

ALL = """
demo init new doctor serve call number tunnel start stop restart status unit calls show transcript tail
export store config prompt mode snapshot rescue skill sim torture replay
"""
COMMANDS = ALL.split()
NESTED = {
    "number": ["show", "set-webhook"],
    "store": ["demo", "purge"],
    "snapshot": ["save", "list", "show", "diff", "restore"],
    "skill": ["build"],
    "sim": ["model", "live", "phone", "twilio"],
}
EVERY = [
    line for name in COMMANDS for line in ([f"{name} {each}" for each in NESTED.get(name, [])] or [name])
]
READS_SETTINGS = [
    "serve",
    "call +14155552671",
    "call +14155552671 --yes",
    "number show",
    "number set-webhook",
    "tunnel",
    "start",
    "restart",
    "status",
    "unit systemd",
    "calls",
    "show a",
    "transcript a",
    "tail",
    "export",
    "store purge",
    "config",
    "prompt",
    "snapshot save x --why y",
    "snapshot diff rescue",
    "sim phone",
    "sim twilio",
    "demo --mode ivr",
]
BAD_SETTINGS = {
    "none.toml": "none.toml: there is no such file",
    "a_folder": "a_folder: cannot be read",
    "broken.toml": "broken.toml",
    "latin.toml": "latin.toml: cannot be read: it is not UTF-8 text",
    "unknown.toml": "server.prot",
    "range.toml": "server.port",
}
BAD_AGENTS = {
    "none.py": "none.py is not a Python file",
    "a_folder": "a_folder is not a Python file",
    "syntax.py": "syntax.py, line 1: SyntaxError",
    "latin.py": "latin.py",
    "zero.py": "zero.py, line 1: ZeroDivisionError",
    "leaves.py": "leaves.py, line 2: SystemExit",
    "missing.py": "missing.py, line 1: ModuleNotFoundError: No module named 'no_such_module_anywhere'",
    "nothing.py": "nothing.py defines no agent",
    "base.py": "base.py, line 2: Mine",
    "wrong.py": "wrong.py defines no agent",
    "interrupts.py": "interrupts.py, line 3: NameError",
    "text.txt": "text.txt",
}


def rows() -> Iterator[Row]:
    for line in EVERY:
        yield f"{line} --no-such-option", "--no-such-option", 2
    for name in NESTED:
        yield f"{name} nonsense", "nonsense", 2
    for line in READS_SETTINGS:
        for file, words in BAD_SETTINGS.items():
            yield f"{line} --config {file}", words, 2
    for line in ("serve", "prompt", "call +14155552671"):
        for file, words in BAD_AGENTS.items():
            yield f"{line} --config ok.toml --agent {file}", words, 2
    yield from OTHERS


OTHERS: list[Row] = [
    # words that are missing or wrong
    ("nonsense", "nonsense", 2),
    ("dcotor", "doctor", 2),
    ("call", "TO", 2),
    ("show", "CALL", 2),
    ("transcript", "CALL", 2),
    ("unit", "KIND", 2),
    ("unit upstart", "upstart", 2),
    ("unit haproxy", "--node: is missing", 2),
    ("unit haproxy --node n1", "--node: 'n1' is no node", 2),
    ("unit haproxy --node N1=a:1", "--node: 'N1=a:1' is no node", 2),
    ("unit haproxy --node n1=a:0", "--node: 'n1=a:0' is no node", 2),
    ("unit haproxy --node n1=a:1 --node n1=b:2", "the name or the address of another node", 2),
    ("unit haproxy --node n1=a:1 --node n2=a:1", "the name or the address of another node", 2),
    ("mode", "NAME", 2),
    ("mode banana", "banana", 2),
    ("replay", "FILE", 2),
    ("snapshot save", "NAME", 2),
    ("snapshot save x", "--why", 2),
    ("snapshot show", "NAME", 2),
    ("snapshot restore", "NAME", 2),
    ("skill build", "FOLDER", 2),
    ("config one two", "two", 2),
    ("demo --dialect klingon", "klingon", 2),
    ("demo --mode banana", "banana", 2),
    ("doctor --only banana", "banana", 2),
    ("tunnel --program banana", "banana", 2),
    ("export --format xml", "xml", 2),
    ("sim model --dialects none", "none", 2),
    ("sim twilio --answer maybe", "maybe", 2),
    ("torture --dialect klingon", "klingon", 2),
    ("torture --only banana", "banana", 2),
    # numbers
    ("calls --last 0", "0", 2),
    ("calls --last -3", "-3", 2),
    ("calls --last many", "many", 2),
    ("export --days 0", "0", 2),
    ("export --days -1", "-1", 2),
    ("export --days soon", "soon", 2),
    ("torture --jobs 0", "0", 2),
    ("torture --jobs x", "x", 2),
    ("sim twilio --ring-s -1", "-1", 2),
    ("sim twilio --ring-s x", "x", 2),
    ("sim twilio --hangs-up-after-s 0", "0", 2),
    # ports and addresses
    ("sim model --port 0", "0", 2),
    ("sim model --port 70000", "70000", 2),
    ("sim model --port -1", "-1", 2),
    ("sim model --port http", "http", 2),
    ("sim model --port {port}", "127.0.0.1, port {port}: Address already in use. Fix: name another port", 2),
    ("sim model --host 203.0.113.1", "203.0.113.1", 2),
    ("sim model --host no.such.host.invalid", "no.such.host.invalid", 2),
    ("sim live --port 70000", "70000", 2),
    ("sim live --port {port}", "127.0.0.1, port {port}: Address already in use. Fix: name another port", 2),
    ("sim twilio --port 70000", "70000", 2),
    ("sim twilio --port {port}", "{port}: Address already in use", 2),
    ("sim phone --to banana", "--to", 2),
    ("sim phone --to http://", "--to", 2),
    ("sim phone --to http://127.0.0.1:99999/twiml", "a port above 65535", 2),
    ("sim phone --to http://127.0.0.1:1/twiml --auth-token x", "no server answers at http://127.0.0.1:1", 1),
    # telephone numbers
    ("call banana", "is not a telephone number", 2),
    ("call 0555-123", "is not a telephone number", 2),
    ("call +1", "is not a telephone number", 2),
    ("call +14155552671 --caller-id banana", "--caller-id", 2),
    ("call +19005550123 --config ok.toml", "[premium]", 1),
    ("call +14155552671", "realtime.api_key", 1),
    ("call +14155552671 --yes", "realtime.api_key", 2),
    ("calls --number banana", "--number", 2),
    ("store purge --number banana --config ok.toml", "--number", 2),
    ("store purge --yes --number 0555 --config ok.toml", "--number", 2),
    ("store purge --json --config ok.toml", "--json: cannot be used with a question", 2),
    # what is not there
    ("calls --config ok.toml", "there is no store at", 2),
    ("show a --config ok.toml", "there is no store at", 2),
    ("transcript a --config ok.toml", "there is no store at", 2),
    ("tail --config ok.toml", "there is no store at", 2),
    ("export --config ok.toml", "there is no store at", 2),
    ("store purge --config ok.toml", "there is no store at", 2),
    ("number show", "twilio.account_sid", 2),
    ("number set-webhook --yes", "PUBLIC_URL", 2),
    ("serve", "api_key", 2),
    ("start", "api_key", 2),
    ("restart", "api_key", 2),
    ("snapshot show banana", "banana", 2),
    ("snapshot diff banana", "banana", 2),
    ("snapshot diff", "snapshots: none was saved here", 2),
    ("snapshot restore banana", "banana", 2),
    ("snapshot restore rescue --config none.toml", "none.toml", 2),
    ("snapshot save BAD.name --why x", "BAD.name", 2),
    ("config no.such.setting", "no setting has 'no.such.setting' in its name", 1),
    # files that cannot be read
    ("replay none.jsonl", "none.jsonl", 2),
    ("replay a_folder", "a_folder", 2),
    ("replay text.txt", "text.txt: cannot be replayed: it was cut in its first line", 2),
    ("replay cut.jsonl", "cut.jsonl: cannot be replayed: it was cut in its first line", 2),
    ("replay taken", "taken: cannot be replayed: it is empty", 2),
    ("replay ok.toml", "ok.toml: cannot be replayed: line 1 is not of a tape", 2),
    ("replay loop", "loop", 2),
    ("sim model --script none.toml", "none.toml: No such file or directory", 2),
    ("sim model --script a_folder", "a_folder", 2),
    ("sim model --script script.toml", "turn 1: a step is one of say, call", 2),
    ("sim model --script script2.toml", "script2.toml", 2),
    ("sim live --script none.toml", "none.toml: No such file or directory", 2),
    ("sim live --script script3.toml", "turn 1: Write means nothing in a Live session", 2),
    ("sim model --script latin.toml", "UTF-8", 2),
    ("sim phone --say none.wav", "none.wav: No such file or directory", 2),
    ("sim phone --say a_folder", "a_folder", 2),
    ("sim phone --say text.txt", "text.txt: neither raw .ulaw nor a WAV file", 2),
    ("sim twilio --say none.wav", "none.wav", 2),
    ("sim twilio --say text.txt", "text.txt", 2),
    ("demo --caller none.wav --out out", "none.wav", 2),
    ("demo --caller text.txt --out out", "text.txt", 2),
    ("torture --profile none.json", "none.json", 2),
    ("torture --profile a_folder", "a_folder", 2),
    ("torture --profile text.txt", "text.txt", 2),
    ("torture --profile profile.json", "profile.json", 2),
    # files that cannot be written
    ("mode ivr taken", "taken: exists already", 2),
    ("mode ivr no/such/folder.py", "no/such/folder.py", 2),
    ("mode ivr text.txt/ivr.py", "text.txt/ivr.py", 2),
    ("new taken", "taken: exists already", 2),
    ("new no/such/agent.py", "no/such/agent.py", 2),
    ("new a_folder", "a_folder: exists already", 2),
    ("unit systemd --out a_folder", "a_folder", 2),
    ("unit pm2 --out no/such/file", "no/such/file", 2),
    ("skill build text.txt", "text.txt", 2),
    ("skill build text.txt/x", "text.txt", 2),
    ("store demo taken", "taken exists already", 2),
    ("store demo no/such/phone.db", "no/such/phone.db", 2),
    ("store demo text.txt/phone.db", "text.txt/phone.db", 2),
    ("store demo new.db --timezone Mars/Olympus", "--timezone", 2),
    ("demo --out text.txt", "text.txt", 2),
    ("demo --out text.txt/x", "text.txt/x", 2),
    ("demo --mode ivr --out text.txt", "text.txt", 2),
    ("sim phone --out no/such/call.wav", "no/such", 2),
    ("snapshot save x --why y --config text.txt/x.toml", "text.txt/x.toml", 2),
    ("init --config no/such/llcphone.toml", "no/such", 2),
    ("init --config a_folder", "a_folder", 2),
    (
        "init --number 0555-123",
        "--number: TWILIO_PHONE_NUMBER has a wrong value. Fix: set it to a number as +",
        2,
    ),
    ("init --public-url phone.example.com", "--public-url", 2),
    # programs that are not there
    ("tunnel --config ok.toml", "cloudflared or ngrok is not installed", 2),
    ("torture --only barge-in-first --cmd no-such-program-x", "no-such-program", 2),
    ("torture --cmd no-such-program", "no-such-program", 2),
    ("torture --cmd 'unclosed", "cannot be read: No closing quotation", 2),
    # no terminal
    ("init", "still missing: realtime.api_key", 1),
    ("store demo a_folder", "a_folder exists already", 2),
]
TABLE = list(rows())
FIXES = (
    "Fix: |set [A-Z_]+|; (leave|install|name|write)|[dD]id you mean|must (be|define)|is not a Python file"
    "|there are: "
    r"|, line \d|is not UTF-8|cannot be (read|used): |convert it: sox"
)
"""How a line says what to do; of a file that cannot be read the reason is enough."""


@pytest.fixture(scope="module")
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


@pytest.mark.parametrize(("line", "words", "code"), TABLE, ids=[row[0] for row in TABLE])
def test_a_mistake_is_one_line_that_names_it(line, words, code, folder, taken_port, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "")
    before = {path.name for path in folder.iterdir()}
    left = run([word.replace("{port}", str(taken_port)) for word in line.split()])
    out, err = capsys.readouterr()
    assert left == code, out + err
    assert words.replace("{port}", str(taken_port)) in out + err
    assert "Traceback" not in out + err
    if code == 2:
        told = (out + err if line.startswith("restart") else err).splitlines()
        assert told[0].startswith("llcphone: ") or line.startswith("restart")
        assert len(told) == 1 or line.startswith("restart"), told  # which says what it did not do
        assert not out or not line.startswith("sim")
        assert re.search(FIXES, told[0]), told
        assert {path.name for path in folder.iterdir()} == before, "a refused command leaves nothing behind"


def test_a_list_in_a_variable_is_said_how_to_write(folder, capsys, monkeypatch) -> None:
    monkeypatch.setenv("LLCPHONE_OUTBOUND__ALLOW_PREFIXES", '["+1"]')
    assert run(["config"]) == 2
    assert "write several with commas between them, without brackets" in capsys.readouterr().err
    monkeypatch.setenv("LLCPHONE_OUTBOUND__ALLOW_PREFIXES", "+1202, +44")
    assert run(["config", "allow_prefixes"]) == 0
    assert '["+1202", "+44"]' in capsys.readouterr().out


@pytest.mark.parametrize("line", EVERY)
def test_help_shows_no_empty_default_or_choice(line: str, capsys) -> None:
    assert run([*line.split(), "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "[default: ]" not in shown
    assert "[choices: ," not in shown
    assert "--no-no" not in shown


def test_there_are_enough_rows_and_every_command_has_some() -> None:
    assert len(TABLE) >= 200
    assert {line.split()[0] for line, _, _ in TABLE} >= set(COMMANDS)
