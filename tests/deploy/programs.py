"""The programs that check deploy/ and the packages.

They are the dependency group ``deploy`` (``./dev deploy`` installs it and runs these tests), and packages of
Debian. Where one is missing, tests that need it are skipped, unless ``NEED_DEPLOY`` is set, as ``.ci/run``
does.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
_PLACES = (Path(sys.executable).parent, ROOT / ".uv" / "bin", Path("/usr/sbin"))


def program(name: str) -> str:
    """The path of a program; skips the test where there is none."""
    places = os.pathsep.join([*map(str, _PLACES), os.environ.get("PATH", "")])
    found = shutil.which(name, path=places)
    if found is None:
        if os.environ.get("NEED_DEPLOY"):
            pytest.fail(f"no {name} here: tests/deploy/programs.py says where it comes from")
        pytest.skip(f"no {name} here")
    return found
