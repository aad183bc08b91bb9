"""A worker in a process of its own, started quickly so that it can be killed often."""

from pathlib import Path

from harness.rounds.worker import Worker
from harness.sandbox import require_mode
from harness.store import ArenaPaths, Publisher, SealedStore

LEASE_S = 3.0


def work(home):
    paths = ArenaPaths(Path(home))
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        sealed.sweep()
        Worker(sealed, publisher, paths, require_mode(), lease_s=LEASE_S).run_until_idle()
