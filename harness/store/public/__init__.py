"""What everybody may see: values of the board, the reader of the public store, exports, and the spool.

The leaderboard imports the store from here alone. `documents` and `publisher`, which derive the public store
from the sealed one, are not offered.
"""

from harness.errors import GradfreeError, UsageError
from harness.store.paths import ArenaPaths
from harness.store.public.board import (
    NORMAL_95,
    STALE,
    UNOFFICIAL,
    UPLOAD_LABEL,
    Board,
    BoardRound,
    BoardTask,
    Curve,
    Entry,
    Progress,
    RunLine,
    SubmissionList,
    SubmissionPage,
    Upload,
)
from harness.store.public.reader import PublicStore
from harness.store.spool import MAX_UPLOAD_BYTES, Spool, SpoolAnswer

__all__ = [
    "MAX_UPLOAD_BYTES",
    "NORMAL_95",
    "STALE",
    "UNOFFICIAL",
    "UPLOAD_LABEL",
    "ArenaPaths",
    "Board",
    "BoardRound",
    "BoardTask",
    "Curve",
    "Entry",
    "GradfreeError",
    "Progress",
    "PublicStore",
    "RunLine",
    "Spool",
    "SpoolAnswer",
    "SubmissionList",
    "SubmissionPage",
    "Upload",
    "UsageError",
]
