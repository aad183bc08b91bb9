"""The queue under 10,000 waiting submissions: milliseconds of claim, heartbeat and finish on SQLite.

    python tests/bench/bench_queue.py [N]

Prints one JSON line: medians and worst cases over 300 runs, and the processor's share of each. Beside
them stand the median of a transaction that writes a single row (`floor`) and what of it is the disk's:
each transaction ends in one `fsync` of the write-ahead log, and `fsync` is that alone, of two pages
appended to a file beside it. Where the system allows it, what is measured runs before everybody else
(`is_first` true); elsewhere the clock on the wall measures the machine's other users too.
"""

import json
import os
import platform
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))  # run as a script, without pytest

from in_store import read, write
from small_round import small_round

from harness.records import RunSummary, Usage, Verdict
from harness.store.paths import ArenaPaths
from harness.store.sealed.attempts import finish_run, start_attempt
from harness.store.sealed.claims import claim_run
from harness.store.sealed.queue import heartbeat
from harness.store.sealed.rounds import add_round, find_round
from harness.store.sealed.schema import SubmissionRow
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import add_submission, list_submissions
from harness.store.sealed.teams import ensure_team, find_team

N_TEAMS = 100
N_MEASURED = 300
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def fill(store, n_submissions):
    write(store, add_round, small_round(("sst2", "accuracy", 3000, (8,))))
    for number in range(N_TEAMS):
        write(store, ensure_team, f"team {number}")
    for start in range(0, n_submissions, N_TEAMS):
        # A hundred at once: filling is not what is measured.
        with store.write() as tx:
            row = find_round(tx, "toy")
            for number in range(min(N_TEAMS, n_submissions - start)):
                team = find_team(tx, f"team {number}")
                add_submission(tx, row, SubmissionRow(team=team, name="x", digest="b" * 64, path="x"))


def main():
    n_submissions = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder, SealedStore.open(ArenaPaths(Path(folder))) as store:
        fill(store, n_submissions)
        is_first = go_first()
        times = {"claim": [], "start_attempt": [], "heartbeat": [], "finish": [], "floor": [], "fsync": []}
        cpu = {name: [] for name in times}

        def timed(name, call, *arguments):
            started, used = time.perf_counter(), time.thread_time()
            result = call(*arguments)
            times[name].append(1000 * (time.perf_counter() - started))
            cpu[name].append(1000 * (time.thread_time() - used))
            return result

        for number in range(N_MEASURED + 20):
            if number == 20:
                for kept in (*times.values(), *cpu.values()):
                    kept.clear()
            claim = timed("claim", write, store, claim_run, "w", 60)
            attempt = timed("start_attempt", write, store, start_attempt, claim)
            assert timed("heartbeat", write, store, heartbeat, claim, 60)
            summary = RunSummary(Verdict.OK, 70.0, 60.0, Usage(calls=3), NOW, NOW)
            timed("finish", write, store, finish_run, claim, attempt, summary)
            timed("floor", touch, store)
            timed("fsync", append, Path(folder) / "log")
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        assert len(read(store, list_submissions)) == n_submissions
    print(
        json.dumps(
            {
                "bench": "queue",
                "queued": n_submissions,
                "teams": N_TEAMS,
                "median_ms": {name: round(statistics.median(values), 2) for name, values in times.items()},
                "median_cpu_ms": {name: round(statistics.median(values), 2) for name, values in cpu.items()},
                "worst_ms": {name: round(max(values), 1) for name, values in times.items()},
                "is_first": is_first,
                "python": platform.python_version(),
                "sqlalchemy": sqlalchemy.__version__,
                "machine": platform.machine(),
            }
        )
    )


def go_first():
    """Run before every ordinary process, for the seconds that are measured; return whether the system allows it."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        return False
    return True


def append(path):
    """What a commit asks of the disk: two pages with their frames, at the end of a log."""
    with path.open("ab", buffering=0) as file:
        file.write(bytes(2 * (4096 + 24)))
        os.fsync(file.fileno())


def touch(store):
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE teams SET created_at = created_at WHERE id = 1")


if __name__ == "__main__":
    main()
