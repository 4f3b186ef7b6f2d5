"""The page of whoever operates the server: doctor, log, settings, drain.

    GET  /api/doctor      the last report, and whether one is being made
    POST /api/doctor      make one: {"live": false}; with "live" it costs money
    GET  /api/log         the last warnings, masked
    GET  /api/settings    the settings in effect, and where each comes from
    POST /api/drain       take no new call, let live ones end, stop

A program of your own that opens a console gives it none of doctor, settings and drain: they are the command
line's. The doctor runs as a process of its own: its checks and imports would hold up audio here.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import trio

from llcphone.console.requests import read_body
from llcphone.runtime.containment import contained
from llcphone.server.api.errors import ApiError, json_response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quart import Blueprint, Response

    from llcphone.console.console import Console

DOCTOR_S = 120.0
"""Longest examination."""


class DoctorRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /api/doctor``."""

    live: bool = False


@attrs.define(eq=False)
class Doctor:
    """Runs the doctor, one at a time, and keeps its last report."""

    command: Sequence[str]
    running: bool = False
    at: float | None = None
    """Unix time of the report."""
    report: Any = None
    trouble: str = ""
    """Why there is none of the last run."""

    async def run(self, live: bool) -> None:
        """Make a report."""
        command = [*self.command, *(["--live"] if live else [])]
        if (nice := shutil.which("nice")) is not None:
            command = [nice, "-n", "10", *command]
        output = b""
        try:
            with contained() as failure, trio.move_on_after(DOCTOR_S) as limit:
                done = await trio.run_process(
                    command, capture_stdout=True, stderr=subprocess.DEVNULL, check=False
                )
                output = done.stdout
            self.trouble = f"the doctor took longer than {DOCTOR_S:.0f} s" if limit.cancelled_caught else ""
            if failure.error is not None:
                self.trouble = f"the doctor could not be run: {failure.kinds[0]}"
            elif not self.trouble:
                self._read(output)
        finally:
            self.running = False

    def _read(self, output: bytes) -> None:
        try:
            self.report = msgspec.json.decode(output)
            self.at = round(time.time(), 3)
        except msgspec.DecodeError:
            self.trouble = "the doctor printed no report. Fix: run llcphone doctor in a terminal"

    def as_json(self) -> dict[str, Any]:
        """As the page reads it."""
        return {
            "there": bool(self.command),
            "running": self.running,
            "at": self.at,
            "report": self.report,
            "trouble": self.trouble,
        }


def add_operations(blueprint: Blueprint, console: Console) -> None:
    """Add these routes."""
    _add_doctor(blueprint, console)
    _add_drain(blueprint, console)

    @blueprint.get("/log")
    async def warnings() -> Response:
        return json_response({"lines": console.warnings.lines()})

    @blueprint.get("/settings")
    async def settings() -> Response:
        mask = console.warnings.mask
        rows = console.operations.settings
        shown = [{"key": key, "value": mask.evidence(value), "origin": origin} for key, value, origin in rows]
        return json_response({"settings": shown})


def _add_doctor(blueprint: Blueprint, console: Console) -> None:
    doctor = Doctor(console.operations.doctor)

    @blueprint.get("/doctor")
    async def report() -> Response:
        return json_response(doctor.as_json())

    @blueprint.post("/doctor")
    async def examine() -> Response:
        asked = await read_body(DoctorRequest)
        if not doctor.command:
            raise ApiError(404, "no_doctor", "there is no doctor here", "run llcphone doctor in a terminal")
        if doctor.running:
            raise ApiError(409, "doctor_runs", "the doctor is running already", "wait for its report")
        doctor.running = True
        console.tasks.start_soon(doctor.run, asked.live, name="console doctor")
        return json_response(doctor.as_json(), 202)


def _add_drain(blueprint: Blueprint, console: Console) -> None:
    @blueprint.post("/drain")
    async def drain() -> Response:
        if (stop := console.operations.drain) is None or console.phone is None:
            fix = "stop it where it was started"
            raise ApiError(404, "no_drain", "this program cannot be stopped from here", fix)
        if not console.phone.draining:
            stop()
        limit_s = console.phone.config.drain.limit_s
        return json_response({"live": console.phone.live_calls, "limit_s": limit_s}, 202)
