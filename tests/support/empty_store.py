"""A sealed store without rows, copied instead of migrated: a tenth of a second less for every test."""

import functools
import tempfile
from pathlib import Path

from harness.store.paths import ArenaPaths
from harness.store.sealed.store import SealedStore

__all__ = ["lay_empty_store"]


@functools.cache
def _empty_store():
    with tempfile.TemporaryDirectory() as folder:
        paths = ArenaPaths(Path(folder))
        with SealedStore.open(paths):
            pass
        return paths.sealed_db.read_bytes()


def lay_empty_store(paths):
    """Make the SQLite file of an arena's sealed store, at the newest schema; return the paths."""
    paths.create()
    paths.create_sealed_db()
    paths.sealed_db.write_bytes(_empty_store())
    return paths
