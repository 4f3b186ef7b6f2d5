"""Names that Twilio or a client brings back: with ``server.node`` they begin with the node that made them.

Several processes may serve one public URL behind a proxy. What a request is about lives in one of them, so
each address says in which: the proxy reads it from the path alone (``process/haproxy.py`` writes how) and
asks no table. Without a node name nothing is added.

    /media/<node>.<random>    likewise /status, /amd, /twiml and /transfer
    /resume/<run_number>/<node>    likewise /recording and /voicemail
    /calls/<node>-<hex>
"""

from __future__ import annotations


def token(node: str, secret: str) -> str:
    """A token that is a part of a path."""
    return f"{node}.{secret}" if node else secret


def call_id(node: str, digits: str) -> str:
    """The id of a call."""
    return f"{node}-{digits}" if node else digits


def node_of(call_id: str) -> str:
    """Which node has given a call its id; "" for one without a name."""
    return call_id.partition("-")[0] if "-" in call_id else ""


def at_node(path: str, node: str) -> str:
    """A path without a token of its own."""
    return f"{path}/{node}" if node else path
