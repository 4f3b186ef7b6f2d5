"""Known-good configurations, whole: saved with their evidence, compared, put back.

    snapshot = load_last_good()
    for each in diff(config, snapshot):
        print(each.key, each.here, each.there)

`format` says what a snapshot is, `capture` and `evidence` make one, `folder` keeps them, `compare` finds
what differs, `restore` puts one back.
"""

from llcphone.snapshots.capture import agents_told, take
from llcphone.snapshots.compare import Difference, agent_differences, diff
from llcphone.snapshots.folder import (
    FOLDER,
    find,
    folder_of,
    load_file,
    load_last_good,
    paths_in,
    put,
    shipped_folder,
)
from llcphone.snapshots.format import Snapshot
from llcphone.snapshots.restore import Plan, broken_off, finish, plan_restore, put_back, take_back

__all__ = [
    "FOLDER",
    "Difference",
    "Plan",
    "Snapshot",
    "agent_differences",
    "agents_told",
    "broken_off",
    "diff",
    "find",
    "finish",
    "folder_of",
    "load_file",
    "load_last_good",
    "paths_in",
    "plan_restore",
    "put",
    "put_back",
    "shipped_folder",
    "take",
    "take_back",
]
