"""A deployment in which all is well, and its folder."""

from __future__ import annotations

import pytest

from tests.doctor.stage import open_doctor


@pytest.fixture
def in_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "TWILIO_AUTH_TOKEN", "TWILIO_ACCOUNT_SID", "PUBLIC_URL", "PORT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def stage(in_its_folder, tmp_path):
    """Nothing serves. Tests in virtual time ask for the clock themselves: pytest-trio looks only there."""
    async with open_doctor(tmp_path, serving=False) as stage:
        yield stage
