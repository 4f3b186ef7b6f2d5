"""The settings file of a HAProxy in front of several nodes, by their names and addresses.

The rules that find the node in a path are those of `llcphone.call.node_names`. How a node is watched:

    nodes      takes new calls: /readyz, so that a node that drains or is full gets none at the next look
    node_<n>   has the calls of one node: /healthz, so that a node that drains keeps its streams. Two looks of
               a second each must fail, as a node that stalls for a second must not lose its calls. A refused
               connection counts as the first, so that a dead node is left after a tenth of a second. Then
               its streams are closed, and Twilio asks the other nodes what next. If they are all down, they
               may just be busy: the node that had the call is asked.
"""

from __future__ import annotations

import re
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llcphone.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from llcphone.config import Config

BIND = ":443 ssl crt /etc/haproxy/llcphone.pem alpn http/1.1"
"""Where the proxy listens, as HAProxy writes it. Media streams need HTTP/1.1."""
_NODE = re.compile(r"([a-z0-9]{1,16})=(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})")
_OPTION = "--node"
_BEYOND_S = 60
"""A call may take this much longer than call.max_duration_s to end."""
_WATCH = (
    "inter 1s fastinter 100ms fall 2 rise 2 "
    "observe layer4 error-limit 1 on-error sudden-death on-marked-down shutdown-sessions"
)
_BACKEND = """
backend node_{name}
    balance roundrobin
    option allbackups
    option httpchk GET /healthz
    server {name} {address} check {watch}
{others}    server {name}_last {address} weight 0
    use-server {name}_last if {{ nbsrv eq 0 }}
"""


def nodes_of(words: Sequence[str]) -> dict[str, str]:
    """Names and addresses of nodes, from texts such as ``n1=10.0.0.5:8081``.

    Raises:
        ConfigError: a text is none, or two have one name or one address.
    """
    nodes: dict[str, str] = {}
    for word in words:
        found = _NODE.fullmatch(word)
        if found is None or not 0 < int(found[3]) < 65_536:
            fix = "write each node as <name>=<host>:<port>, the name as in its server.node"
            raise ConfigError(_OPTION, f"{word!r} is no node", fix)
        address = f"{found[2]}:{found[3]}"
        if found[1] in nodes or address in nodes.values():
            fix = "give each node a server.node and an address of its own"
            raise ConfigError(_OPTION, f"{word!r} has the name or the address of another node", fix)
        nodes[found[1]] = address
    if not nodes:
        raise ConfigError(_OPTION, "is missing", f"write {_OPTION} <name>=<host>:<port> for each node")
    return nodes


def haproxy_config(config: Config, nodes: Mapping[str, str], bind: str = BIND) -> str:
    """The whole file; without a node that is down it must be as good as one process."""
    base = urlsplit(config.server.public_url).path.rstrip("/")
    prefix = f"    http-request replace-path {re.escape(base)}(/.*) \\1\n" if base else ""
    text = Template(files("llcphone").joinpath("units", "haproxy.cfg").read_text("utf-8")).substitute(
        longest=round(config.call.max_duration_s) + _BEYOND_S,
        bind=bind,
        prefix=prefix,
        ready=_lines(f"server {node} {at} check inter 1s fall 1 rise 1" for node, at in nodes.items()),
        any=_lines(f"server {node}_any {at} backup" for node, at in nodes.items()),
    )
    return text + "".join(_backend(name, nodes) for name in nodes)


def _backend(name: str, nodes: Mapping[str, str]) -> str:
    others = _lines(
        f"server {other} {address} track node_{other}/{other} backup on-marked-down shutdown-sessions"
        for other, address in nodes.items()
        if other != name
    )
    others = f"{others}\n" if others else ""
    return _BACKEND.format(name=name, address=nodes[name], watch=_WATCH, others=others)


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)
