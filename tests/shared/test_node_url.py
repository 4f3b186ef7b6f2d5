"""Which address a node gives the other ones."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from llcphone import Config, ConfigError
from llcphone.shared.node_url import is_reached_here_only, node_url
from llcphone.store.engines import host_of

FILE, SOCKET, TCP = "sqlite:///s.db", "postgresql://u@/d?host=/run/postgresql", "postgresql://u@127.0.0.1/d"
FAR = "postgresql://u@db.example.com/d"


def config(host: str, database: str, port: int = 8081, **shared: Any) -> Config:
    return Config.from_dict(
        {"server": {"host": host, "port": port, "node": "n1"}, "shared": {"url": database, **shared}}
    )


@pytest.mark.parametrize(
    ("host", "database", "url"),
    [
        ("10.0.0.5", FAR, "http://10.0.0.5:8081"),
        ("fd00::5", FAR, "http://[fd00::5]:8081"),
        ("n1.example.com", FAR, "http://n1.example.com:8081"),
        ("127.0.0.1", FILE, "http://127.0.0.1:8081"),
        ("0.0.0.0", FILE, "http://127.0.0.1:8081"),
        ("0.0.0.0", SOCKET, "http://127.0.0.1:8081"),
        ("0.0.0.0", TCP, "http://127.0.0.1:8081"),
        ("::", FILE, "http://[::1]:8081"),
    ],
)
async def test_by_where_it_listens_and_where_the_database_is(host: str, database: str, url: str) -> None:
    assert await node_url(config(host, database)) == url


async def test_all_addresses_are_the_one_towards_a_database_on_another_machine() -> None:
    own = _address_of_a_network_interface()
    assert await node_url(config("0.0.0.0", f"postgresql://u@{own}:6543/d")) == f"http://{own}:8081"


async def test_what_is_set_goes_first_and_a_port_that_is_not_known_yet_has_no_address() -> None:
    assert await node_url(config("0.0.0.0", FILE, node_url="http://10.9.9.9:80/")) == "http://10.9.9.9:80"
    assert await node_url(config("127.0.0.1", FILE, port=0)) == ""


async def test_a_database_whose_name_leads_nowhere_leaves_it_unknown() -> None:
    assert await node_url(config("0.0.0.0", "postgresql://u@nowhere.invalid/d")) == ""


@pytest.mark.parametrize(
    "bad", ["https://a:1", "http://a", "http://a:1/path", "10.0.0.5:8081", "http://a:1?b"]
)
def test_an_address_of_a_node_has_host_and_port_alone(bad: str) -> None:
    with pytest.raises(ConfigError, match=r"shared\.node_url"):
        config("0.0.0.0", FILE, node_url=bad)


def test_a_node_on_loopback_is_of_no_use_to_nodes_of_other_machines() -> None:
    assert is_reached_here_only(config("127.0.0.1", FAR))
    assert is_reached_here_only(config("localhost", FAR))
    assert not is_reached_here_only(config("127.0.0.1", FAR, node_url="http://10.0.0.5:8081"))
    assert not is_reached_here_only(config("0.0.0.0", FAR))
    for database in (FILE, SOCKET, TCP, ""):
        assert not is_reached_here_only(config("127.0.0.1", database))


def test_where_a_database_is() -> None:
    assert host_of(FAR, "k") == "db.example.com"
    assert host_of("postgresql://u@[fd00::5]:5433/d", "k") == "fd00::5"
    assert host_of("postgresql://u@/d?host=a.example.com:5433,b", "k") == "a.example.com"
    assert host_of("postgresql://u@/d?host=a.example.com:5433&host=b:5433", "k") == "a.example.com"
    for local in (FILE, SOCKET, "postgresql://u@/d"):
        assert host_of(local, "k") == ""


def _address_of_a_network_interface() -> str:
    """Not loopback's, if this machine has another one."""
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return "127.0.0.1"
