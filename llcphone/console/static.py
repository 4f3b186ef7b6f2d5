"""The files of `web/`, read once: only what was there at the start can be asked for, by its exact path."""

from __future__ import annotations

import hashlib
import secrets
from importlib import resources
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "wav": "audio/wav",
    "txt": "text/plain; charset=utf-8",
    "toml": "text/plain; charset=utf-8",
}
"""Other files are not served."""
NONCE = b"{{nonce}}"
"""In the page: the nonce of its Content-Security-Policy, for styles that a library writes."""


@attrs.frozen
class File:
    """A file, and what identifies its content."""

    content: bytes = attrs.field(repr=False)
    type: str
    etag: str

    @property
    def has_nonce(self) -> bool:
        """Whether each answer differs."""
        return NONCE in self.content


def read_files() -> Mapping[str, File]:
    """All files by their path in a URL; the page itself is ``/``."""
    web = resources.files("llcphone.console") / "web"
    found = {f"/web/{path}": _file(path, each.read_bytes()) for path, each in _walk(web, "")}
    found["/"] = found.pop("/web/index.html")
    return found


def _walk(folder: Traversable, above: str) -> Iterator[tuple[str, Traversable]]:
    for each in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if each.is_dir():
            yield from _walk(each, f"{above}{each.name}/")
        elif each.name.rpartition(".")[2] in TYPES:
            yield above + each.name, each


def _file(path: str, content: bytes) -> File:
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return File(content, TYPES[path.rpartition(".")[2]], etag)


def new_nonce() -> str:
    """Of one answer."""
    return secrets.token_urlsafe(16)
