"""Databases for tests: a file of the test's own, and one PostgreSQL for the whole session.

``pooled`` puts a PgBouncer before it (``apt-get install pgbouncer``), as it comes but for the pool mode.

The server is Debian's ``postgresql`` package (``apt-get install postgresql``), or any whose ``initdb`` and
``pg_ctl`` are on PATH or under /usr/lib/postgresql. Or name one that runs, with an empty database that
may be emptied again: ``TEST_POSTGRES_URL=postgresql://user@host/database``. Where there is none, tests
that need it are skipped, unless ``NEED_POSTGRES`` is set, as ``.ci/run`` does.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.patience import HANG_S

if TYPE_CHECKING:
    from collections.abc import Iterator

WHY = "no PostgreSQL here: apt-get install postgresql, or set TEST_POSTGRES_URL"


class Postgres:
    """A server of our own."""

    def __init__(self, programs: Path, folder: Path, *, durable: bool = False) -> None:
        self.folder = folder
        self._programs = programs
        self._fsync = "on" if durable else "off"
        self.url = f"postgresql://{self.user}@/postgres?host={folder}"

    @property
    def user(self) -> str:
        """Who runs it: PostgreSQL refuses to run as root."""
        return "postgres" if os.geteuid() == 0 else getpass.getuser()

    def run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), "-D", str(self.folder / "data"), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", self.user, "--", *command]
        with (self.folder / "log").open("ab") as log:  # a pipe would be held open by the server
            subprocess.run(command, check=True, stdout=log, stderr=log, cwd="/", timeout=HANG_S)

    def start(self) -> None:
        settings = f"-k {self.folder} -c listen_addresses= -c fsync={self._fsync} -c max_connections=60"
        self.run("pg_ctl", "-w", "-s", "-o", settings, "start")

    def stop(self, mode: str = "immediate") -> None:
        self.run("pg_ctl", "-w", "-s", "-m", mode, "stop")

    @property
    def pid(self) -> int:
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])


def _programs() -> Path | None:
    if (found := shutil.which("pg_ctl")) is not None and shutil.which("initdb"):
        return Path(found).resolve().parent
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    return places[-1].parent if places else None


@contextlib.contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[Postgres]:
    """A server in a folder of its own, on a Unix socket; gone afterwards.

    ``durable``: a commit waits for the disk, as elsewhere; no test needs that.
    """
    programs = _programs()
    if programs is None:
        if os.environ.get("NEED_POSTGRES"):
            pytest.fail(WHY)
        pytest.skip(WHY)
    folder = Path(tempfile.mkdtemp(prefix="llcphone-postgres-"))
    server = Postgres(programs, folder, durable=durable)
    try:
        _give(folder, server.user)
        server.run("initdb", "-A", "trust", "-U", server.user, "-E", "UTF8", "--no-sync")
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _give(path: Path, user: str) -> None:
    if os.geteuid() == 0:
        owner = pwd.getpwnam(user)
        os.chown(path, owner.pw_uid, owner.pw_gid)


POOLER = """
[databases]
* = {target}
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = {folder}
auth_type = any
pool_mode = {mode}
logfile = {folder}/pgbouncer.log
"""


@contextlib.contextmanager
def pooled(url: str, mode: str = "transaction") -> Iterator[str]:
    """The address of a PgBouncer before this server."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        if os.environ.get("NEED_POSTGRES"):
            pytest.fail("no pgbouncer here: apt-get install pgbouncer")
        pytest.skip("no pgbouncer here")
    parts = make_url(url)
    host = parts.host or parts.query.get("host", "")
    words = {"host": host, "port": parts.port, "user": parts.username, "password": parts.password}
    target = " ".join(f"{key}={value}" for key, value in words.items() if value)
    folder = Path(tempfile.mkdtemp(prefix="llcphone-pgbouncer-"))
    user = "postgres" if os.geteuid() == 0 else getpass.getuser()
    (folder / "pgbouncer.ini").write_text(POOLER.format(target=target, folder=folder, mode=mode))
    _give(folder, user)
    _give(folder / "pgbouncer.ini", user)
    who = {"user": user} if os.geteuid() == 0 else {}
    pooler = subprocess.Popen([program, "-q", str(folder / "pgbouncer.ini")], cwd="/", **who)
    try:
        for _ in range(200):
            assert pooler.poll() is None, "PgBouncer does not start"
            if (folder / ".s.PGSQL.6432").exists():
                break
            time.sleep(0.05)  # a process of its own: no virtual clock reaches it
        yield f"postgresql://{parts.username}@/{parts.database}?host={folder}&port=6432"
    finally:
        pooler.terminate()
        pooler.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def own_server() -> Iterator[Postgres]:
    """A server for one test, which may stop it."""
    with postgres_server() as server:
        yield server


def empty(url: str) -> None:
    """Make a PostgreSQL database as new."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))
    with engine.begin() as db:
        db.execute(text("DROP SCHEMA public CASCADE"))
        db.execute(text("CREATE SCHEMA public"))
    engine.dispose()
