"""The proxy's settings: HAProxy takes them, and what they are made of is checked."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from llcphone.config import Config
from llcphone.errors import ConfigError
from llcphone.process.haproxy import BIND, haproxy_config, nodes_of
from tests.nodes.cluster import haproxy
from tests.patience import HANG_S

if TYPE_CHECKING:
    from pathlib import Path

WORDS = ["n1=10.0.0.5:8081", "n2=[fd00::5]:8081", "blue=phone.example.com:443"]


def config_at(url: str) -> Config:
    return Config.from_dict({"server": {"public_url": url}})


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("url", ["", "https://phone.example.com", "https://example.com/voice.v1/"])
def test_haproxy_itself_finds_no_fault(count: int, url: str, tmp_path: Path) -> None:
    nodes = {f"n{number}": f"127.0.0.1:{8080 + number}" for number in range(1, count + 1)}
    file = tmp_path / "haproxy.cfg"
    file.write_text(haproxy_config(config_at(url), nodes, "127.0.0.1:9000"))
    done = subprocess.run(
        [haproxy(), "-c", "-f", str(file)], capture_output=True, text=True, timeout=HANG_S, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr.lower(), done.stderr


def test_each_node_has_its_backend_and_stands_in_for_the_others() -> None:
    text = haproxy_config(config_at(""), nodes_of(WORDS))
    assert f"bind {BIND}" in text
    for name in ("n1", "n2", "blue"):
        backend = text.partition(f"backend node_{name}\n")[2].partition("\nbackend ")[0]
        servers = [line.split() for line in backend.splitlines() if line.strip().startswith("server ")]
        own, *others, last = servers
        assert (own[1], last[1]) == (name, f"{name}_last")
        assert {words[1] for words in others} == {"n1", "n2", "blue"} - {name}
        assert all("backup" in words and "track" in words for words in others)
        assert "/healthz" in backend, "a node that drains keeps its streams"


def test_a_call_outlives_a_reload_and_the_path_of_the_public_url_is_taken_off() -> None:
    config = Config.from_dict(
        {"server": {"public_url": "https://example.com/voice.v1"}, "call": {"max_duration_s": 600}}
    )
    text = haproxy_config(config, {"n1": "127.0.0.1:1"})
    assert "hard-stop-after 660s" in text
    assert "http-request replace-path /voice\\.v1(/.*) \\1\n" in text
    assert "replace-path" not in haproxy_config(config_at("https://example.com"), {"n1": "127.0.0.1:1"})


@pytest.mark.parametrize(
    "words",
    [[], ["n1"], ["n1=host"], ["n1=host:70000"], ["n 1=host:1"], ["n1=a b:1"], ["n1=a:1\n", "n2=a:2"]],
    ids=str,
)
def test_what_is_no_node_is_refused(words: list[str]) -> None:
    with pytest.raises(ConfigError, match="--node"):
        nodes_of(words)
