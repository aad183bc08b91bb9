"""The sealed store as the worker and the command line use it: one transaction per method."""

from collections.abc import Callable
from datetime import datetime
from typing import Self

from harness.errors import UsageError
from harness.store.database import SEALED, open_database, sqlite_url
from harness.store.paths import ArenaPaths
from harness.store.queue_store import QueueStore
from harness.store.round_store import RoundStore
from harness.store.submission_store import SubmissionStore
from harness.store.team_store import TeamStore
from harness.store.transactions import utc_now

__all__ = ["SealedStore", "utc_now"]


class SealedStore(RoundStore, TeamStore, SubmissionStore, QueueStore):
    """Rounds, teams, submissions and the queue. Every method is one transaction, and leaves an event.

    Safe to use from several processes at once. Use as a context manager, or call `close`. Every method
    raises InfrastructureError if the database fails; nothing was stored then.
    """

    @classmethod
    def open(
        cls,
        paths: ArenaPaths,
        *,
        must_exist: bool = False,
        url: str | None = None,
        clock: Callable[[], datetime] = utc_now,
        actor: str | None = None,
    ) -> Self:
        """Open the sealed store of an arena, migrated to the newest schema.

        Args:
            paths: the arena folder; made if it is missing.
            must_exist: refuse to make a new arena.
            url: another database than the arena's SQLite file.
            clock: gives the present moment, aware.
            actor: who acts, for the audit; None means this process.

        Raises:
            UsageError: the store is missing, not a database, or newer than this code.
        """
        address = url or sqlite_url(paths.sealed_db)
        if must_exist and url is None and not paths.sealed_db.exists():
            raise UsageError(f"no arena at {paths.home}: sealed.db is missing; create a round first")
        paths.create()
        if url is None:
            paths.create_sealed_db()
        return cls(open_database(SEALED, address), clock, actor)
