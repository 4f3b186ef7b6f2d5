"""The image of deploy/Dockerfile, built without a daemon and without a registry of images.

Buildah carries out the Dockerfile itself. The two images that it begins with are made here: Debian's by
debootstrap, as Debian makes it, and uv's of the program that is installed. The steps need root.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import attrs

from tests.deploy.programs import ROOT, program

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_LEFT_OUT = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "var/lib/apt/lists")
"""Not in Debian's slim images either."""
_BUILD_S = 900


@attrs.define(eq=False)
class Image:
    """An image, unpacked in a folder of this machine."""

    folder: Path
    config: dict[str, Any]
    size: int
    """Bytes of all its files, unpacked."""


@attrs.define(eq=False)
class Builder:
    """Buildah, with a store of its own."""

    folder: Path

    def run(self, *words: str) -> str:
        """One command of it; what it wrote."""
        store = ["--root", str(self.folder / "store"), "--runroot", str(self.folder / "run")]
        done = subprocess.run(
            [program("buildah"), *store, "--storage-driver", "vfs", *words],
            capture_output=True,
            text=True,
            timeout=_BUILD_S,
            check=False,
            cwd=ROOT,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout.strip()

    def make(self, name: str, source: Path, target: str, *env: str) -> None:
        """An image of one folder or file."""
        container = self.run("from", "scratch")
        self.run("copy", "--quiet", container, str(source), target)
        self.run("config", *(f"--env={each}" for each in env), container)
        self.run("commit", "--quiet", container, name)
        self.run("rm", container)


def build_image(folder: Path) -> Image:
    """Carry out deploy/Dockerfile."""
    builder = Builder(folder)
    debian = folder / "debian"
    subprocess.run(
        [program("debootstrap"), "--variant=minbase", "trixie", str(debian)],
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=_BUILD_S,
    )
    for path in _LEFT_OUT:
        shutil.rmtree(debian / path)
        (debian / path).mkdir()
    for package in (debian / "var/cache/apt/archives").glob("*.deb"):
        package.unlink()
    # What this machine trusts, for the package index; it is not in Debian's image.
    trusted = debian / "trusted.crt"
    shutil.copy(CERTIFICATES, trusted)
    base, of_uv = _begins_with()
    builder.make(base, debian, "/", "SSL_CERT_FILE=/trusted.crt")
    builder.make(of_uv, Path(program("uv")), "/uv")
    ignored = f"--ignorefile={ROOT / 'deploy' / 'Dockerfile.dockerignore'}"
    how = ["--isolation=chroot", "--pull-never", "--format=docker", "--quiet", ignored]
    builder.run("bud", *how, "--file=deploy/Dockerfile", "--tag=llcphone", ".")
    container = builder.run("from", "--pull-never", "llcphone")
    root = Path(builder.run("mount", container))
    config = json.loads(builder.run("inspect", container))["Docker"]["config"]
    trusted = root / trusted.name
    files = {path.lstat().st_ino: path.lstat().st_size for path in root.rglob("*") if path != trusted}
    return Image(root, config, sum(files.values()))


def _begins_with() -> tuple[str, str]:
    """The images of Debian and of uv that the Dockerfile names, with their registries."""
    lines = (ROOT / "deploy" / "Dockerfile").read_text().splitlines()
    uv, base, *_ = [line.split()[1] for line in lines if line.startswith("FROM ")]
    return f"docker.io/library/{base}", uv
