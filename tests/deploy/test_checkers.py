"""deploy/ and the workflows, as the programs see them that know those formats best."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from llcphone.config import Config
from llcphone.process.units import systemd_unit
from tests.deploy.programs import ROOT, program
from tests.patience import HANG_S

pytestmark = pytest.mark.deploy


def passes(*words: str) -> str:
    """What a program wrote that found no fault."""
    done = subprocess.run(
        [program(words[0]), *words[1:]], cwd=ROOT, capture_output=True, text=True, timeout=HANG_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_dockerfile() -> None:
    passes("hadolint", "deploy/Dockerfile")


def test_the_compose_file() -> None:
    passes("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "deploy/compose.yaml")


def test_the_workflows() -> None:
    workflows = [str(path) for path in (ROOT / ".github" / "workflows").iterdir()]
    passes("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)


def test_what_kubernetes_would_get(tmp_path) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl here: neither PyPI nor Debian has one of these years")
    built = tmp_path / "built.yaml"
    built.write_text(passes("kubectl", "kustomize", "deploy/kubernetes"))
    passes("kubernetes-validate", "--strict", str(built))


def test_each_resource_without_kustomize() -> None:
    files = [str(path) for path in (ROOT / "deploy" / "kubernetes").glob("*.yaml")]
    passes("kubernetes-validate", "--strict", *(file for file in files if "kustomization" not in file))


def test_the_unit_of_systemd(tmp_path) -> None:
    unit = tmp_path / "llcphone.service"
    unit.write_text(systemd_unit(Config(), ["/bin/true", "serve"], tmp_path, user=False))
    passes("systemd-analyze", "verify", "--man=no", str(unit))
