"""The processes that are there: statements on a connection.

A *node* is a process with a name (``server.node``), a *life* one run of it. A name belongs to one life at a
time, and its next life takes it once the last beat is `SILENT_S` old; a life that is to follow another one
(``llcphone restart``) begins beside it. Nothing is routed by this table: a proxy does that by the names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from sqlalchemy import delete, insert, select, update

from llcphone.shared.tables import NODES, PLACES, now_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection

BEAT_S = 1.0
LEASE_S = 15.0
"""What a process holds, such as places of calls, counts for so long after its last beat."""
SILENT_S = 5.0
"""A process that beat longer ago has gone or hangs, and its name is free."""


@attrs.frozen(kw_only=True)
class Node:
    """A process as it describes itself."""

    life: str
    """Begins with the id of the process, as ``/healthz`` says it (``runtime.host``)."""
    name: str
    url: str
    """Where other nodes reach it; "" where that is not known."""
    live: int = 0
    """Its calls."""
    capacity: int
    """``server.max_calls``."""
    version: str
    state: str = "serving"


@attrs.frozen(kw_only=True)
class SeenNode(Node):
    """A process as the others see it."""

    beat_at: float
    """Of the last one."""
    age_s: float
    """Since its first beat."""
    silent_s: float
    """Since its last beat."""


def register(db: Connection, node: Node) -> None:
    """A life begins, or goes on after it was taken for dead."""
    now = now_of(db)
    if node.name:
        gone = select(NODES.c.life).where((NODES.c.name == node.name) & (NODES.c.beat_at < now - SILENT_S))
        lives = db.execute(gone).scalars().all()
        if lives:
            db.execute(delete(PLACES).where(PLACES.c.life.in_(lives)))
            db.execute(delete(NODES).where(NODES.c.life.in_(lives)))
    db.execute(insert(NODES).values(**attrs.asdict(node), began_at=now, beat_at=now))


def beat(db: Connection, node: Node) -> bool:
    """It is there; False: its row is gone, as another process has taken its name or a day is over."""
    ours = NODES.c.life == node.life
    values = {"live": node.live, "state": node.state, "beat_at": now_of(db)}
    return db.execute(update(NODES).where(ours).values(values)).rowcount == 1


def leave(db: Connection, life: str) -> None:
    """A life ends, with all that it held."""
    db.execute(delete(PLACES).where(PLACES.c.life == life))
    db.execute(delete(NODES).where(NODES.c.life == life))


def seen(db: Connection) -> Sequence[SeenNode]:
    """All that are in the table, the silent ones too; by name."""
    now = now_of(db)
    described = [NODES.c[field.name] for field in attrs.fields(Node)]
    ages = ((now - NODES.c.began_at).label("age_s"), (now - NODES.c.beat_at).label("silent_s"))
    all_nodes = select(*described, NODES.c.beat_at, *ages).order_by(NODES.c.name, NODES.c.began_at)
    return [SeenNode(**row) for row in db.execute(all_nodes).mappings()]


def owner_of(nodes: Sequence[SeenNode], node: Node) -> SeenNode | None:
    """Another process that has this node's name."""
    others = (each for each in nodes if each.name == node.name and each.life != node.life)
    return next((each for each in others if each.silent_s < SILENT_S), None) if node.name else None


def beats_now(db: Connection) -> ColumnElement[bool]:
    """Rows of nodes whose lease holds."""
    return NODES.c.beat_at > now_of(db) - LEASE_S
