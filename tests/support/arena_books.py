"""What must hold in an arena whatever was killed: nothing half written, nothing charged twice."""

import hashlib
import json

from in_store import write

from harness.metering import read_journal
from harness.store.paths import ArenaPaths
from harness.store.sealed.queue import sweep
from harness.store.sealed.store import SealedStore

__all__ = ["check_books"]


def check_books(home):
    """Every run has one result, its artifact is whole, and its journal says what it was charged."""
    paths = ArenaPaths(home)
    with SealedStore.open(paths) as sealed:
        assert write(sealed, sweep) == 0
        with sealed.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").all() == [("ok",)]
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
            rows = connection.exec_driver_sql(
                "SELECT r.id, r.calls, r.summary, "
                "(SELECT count(*) FROM attempts a WHERE a.run_id = r.id AND a.void_reason IS NULL), "
                "(SELECT max(a.id) FROM attempts a WHERE a.run_id = r.id AND a.void_reason IS NULL), "
                "(SELECT count(*) FROM attempts a WHERE a.run_id = r.id AND a.ended_at IS NULL), "
                "(SELECT count(*) FROM events e WHERE e.run_id = r.id AND e.kind = 'run ended') FROM runs r"
            ).all()
    for run_id, calls, text, n_results, attempt, n_open, n_ended in rows:
        assert (n_results, n_open, n_ended) == (1, 0, 1), run_id
        summary = json.loads(text)
        content = (paths.artifacts / summary["artifact_path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == summary["artifact_sha256"]
        assert json.loads(content)["usage"]["calls"] == calls
        (journal,) = paths.attempts.glob(f"{run_id}-{attempt}-*/journal.jsonl")
        charges = list(read_journal(journal))
        assert (charges[-1].total if charges else 0) == calls == sum(entry.calls for entry in charges)
