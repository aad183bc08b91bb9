"""A worker in a process of its own, started quickly so that it can be killed often."""

from pathlib import Path

from in_store import write

from harness.sandbox import require_mode
from harness.store.paths import ArenaPaths
from harness.store.public.publisher import Publisher
from harness.store.sealed.queue import sweep
from harness.store.sealed.store import SealedStore
from harness.worker.worker import Worker

LEASE_S = 3.0


def work(home):
    paths = ArenaPaths(Path(home))
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        write(sealed, sweep)
        Worker(sealed, publisher, paths, require_mode(), lease_s=LEASE_S).run_until_idle()
