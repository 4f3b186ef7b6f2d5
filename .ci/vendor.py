"""Makes ``llcphone/console/web/vendor`` from its ``lock.toml``: libraries of the console's pages, by npm.

Only who changes a version runs this, as ``./dev vendor``; it needs npm. Each tarball is checked against the
lock's integrity, which is that of the registry where it is empty. The files are taken as they are, but for
module names that a browser cannot resolve and the names of maps that are not shipped.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit

if TYPE_CHECKING:
    from collections.abc import Mapping

VENDOR = Path(__file__).parent.parent / "llcphone" / "console" / "web" / "vendor"
LOCK = VENDOR / "lock.toml"
LICENSES = VENDOR / "LICENSES.txt"
_MODULE = re.compile(r"""((?:from|import)\s*)(["'])([^"'./][^"']*)\2""")
_MAP = re.compile(r"\n?//# sourceMappingURL=.*\n?")


def main() -> None:
    """Fetch every package, and write its files, their hashes and the licences."""
    lock: Any = tomlkit.parse(LOCK.read_text("utf-8"))
    licenses = []
    for package in lock["package"]:
        tarball = fetch(package["name"], package["version"])
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()
        if package["integrity"] not in ("", integrity):
            sys.exit(f"vendor: {package['name']} {package['version']} is not what the lock says: {integrity}")
        package["integrity"] = integrity
        with tarfile.open(fileobj=io.BytesIO(tarball)) as archive:
            for file in package["files"]:
                content = shipped(read(archive, file["path"]), lock["rewrites"])
                (VENDOR / file["name"]).write_text(content, "utf-8")
                file["sha256"] = hashlib.sha256(content.encode()).hexdigest()
            names = ", ".join(file["name"] for file in package["files"])
            text = read(archive, "LICENSE").strip()
            head = f"{package['name']} {package['version']} ({package['license']}): {names}"
            licenses.append(f"{head}\n\n{text}\n")
    LICENSES.write_text(f"\n{'-' * 80}\n\n".join(licenses), "utf-8")
    LOCK.write_text(tomlkit.dumps(lock), "utf-8")


def fetch(name: str, version: str) -> bytes:
    """The tarball of a package."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", folder]
        try:
            subprocess.run([*command, f"{name}@{version}"], check=True, stdout=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError) as error:
            sys.exit(f"vendor: no {name} {version}: {error}. Fix: install npm; is its registry reachable?")
        (tarball,) = Path(folder).iterdir()
        return tarball.read_bytes()


def read(archive: tarfile.TarFile, path: str) -> str:
    """A text of a package."""
    member = archive.extractfile(f"package/{path}")
    assert member is not None, path
    return member.read().decode("utf-8")


def shipped(source: str, rewrites: Mapping[str, str]) -> str:
    """A module as a browser takes it."""

    def resolved(found: re.Match[str]) -> str:
        lead, quote, name = found.groups()
        return f"{lead}{quote}{rewrites[name]}{quote}"

    return _MAP.sub("\n", _MODULE.sub(resolved, source))


if __name__ == "__main__":
    main()
