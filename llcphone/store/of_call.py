"""The store of a call's phone, as tools ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.errors import StoreUnavailable

if TYPE_CHECKING:
    from llcphone.store.store import Store
    from llcphone.tools.call_handle import CallHandle


def store_of(call: CallHandle) -> Store:
    """The store of the phone that has this call.

    Raises:
        StoreUnavailable: it has none; set ``store.url``.
    """
    store: Store | None = getattr(call, "store", None)
    if store is None:
        raise StoreUnavailable("none")
    return store
