"""Databases for tests: a file of the test's own, and one PostgreSQL for the whole session.

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
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text

if TYPE_CHECKING:
    from collections.abc import Iterator

WHY = "no PostgreSQL here: apt-get install postgresql, or set TEST_POSTGRES_URL"


class Postgres:
    """A server of our own."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.folder = folder
        self._programs = programs
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
            subprocess.run(command, check=True, stdout=log, stderr=log, cwd="/", timeout=60)

    def start(self) -> None:
        settings = f"-k {self.folder} -c listen_addresses= -c fsync=off -c max_connections=60"
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
def postgres_server() -> Iterator[Postgres]:
    """A server in a folder of its own, on a Unix socket; gone afterwards."""
    programs = _programs()
    if programs is None:
        if os.environ.get("NEED_POSTGRES"):
            pytest.fail(WHY)
        pytest.skip(WHY)
    folder = Path(tempfile.mkdtemp(prefix="llcphone-postgres-"))
    server = Postgres(programs, folder)
    try:
        if os.geteuid() == 0:
            owner = pwd.getpwnam(server.user)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        server.run("initdb", "-A", "trust", "-U", server.user, "-E", "UTF8", "--no-sync")
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
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
