"""Killing a worker loses nothing and charges nobody twice."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

WORKER = """
import sys
from pathlib import Path
from harness.cli.options import stores
from harness.rounds.worker import Worker
from harness.sandbox import require_mode
with stores(Path(sys.argv[1])) as (paths, sealed, publisher):
    Worker(sealed, publisher, paths, require_mode(), lease_s=3.0).run_until_idle()
"""
SLOW = """
for _ in range(10):
    model.query(zeros(model))
    time.sleep(0.4)
return Solution(zeros(model))
"""


def start_worker(home):
    # A process group of its own, so that the test can say that nothing of it survives.
    return subprocess.Popen([sys.executable, "-c", WORKER, str(home)], start_new_session=True)


def rows(home, query):
    database = sqlite3.connect(home / "sealed.db")
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def wait_for_queries(home, n_lines, process):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        journals = list((home / "sealed" / "attempts").glob("*/journal.jsonl"))
        if any(len(path.read_text().splitlines()) >= n_lines for path in journals):
            return
        assert process.poll() is None, "the worker ended by itself"
        time.sleep(0.1)
    raise AssertionError("no query was journalled")


def descendants(pid):
    """Process numbers below a process, from the kernel's list of children."""
    found = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            found += [child, *descendants(child)]
    return found


def alive(pids):
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_a_killed_worker_leaves_a_void_attempt_and_the_run_starts_from_zero(cli, mini_round):
    cli.run("round", "create", mini_round)
    cli.run("submit", cli.solver("slow", SLOW), "--round", "mini", "--team", "us")
    first = start_worker(cli.home)
    wait_for_queries(cli.home, 3, first)
    sandboxed = descendants(first.pid)
    assert sandboxed, "the solver runs in processes of its own"
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert rows(cli.home, "SELECT calls FROM runs") == [(0,)]
    deadline = time.monotonic() + 10
    while alive(sandboxed) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert alive(sandboxed) == []
    assert list((cli.home / "sealed" / "artifacts").iterdir()) == []

    second = start_worker(cli.home)
    assert second.wait(timeout=240) == 0
    ((status, verdict, calls, n_attempts),) = rows(
        cli.home,
        "SELECT status, verdict, calls, (SELECT count(*) FROM attempts WHERE attempts.run_id = runs.id) FROM runs",
    )
    assert (status, verdict, calls, n_attempts) == ("finished", "OK", 10, 2)
    (artifact,) = (cli.home / "sealed" / "artifacts").iterdir()
    assert json.loads(artifact.read_text())["usage"]["calls"] == 10


def test_a_killed_bubblewrap_voids_the_attempt_and_the_same_worker_starts_again(cli, mini_round):
    cli.run("round", "create", mini_round)
    cli.run("submit", cli.solver("slow", SLOW), "--round", "mini", "--team", "us")
    worker = start_worker(cli.home)
    wait_for_queries(cli.home, 3, worker)
    monitor, *inside = descendants(worker.pid)
    os.kill(monitor, signal.SIGKILL)
    assert worker.wait(timeout=240) == 0
    assert alive(inside) == []
    ((status, verdict, calls),) = rows(cli.home, "SELECT status, verdict, calls FROM runs")
    assert (status, verdict, calls) == ("finished", "OK", 10)
    assert rows(cli.home, "SELECT count(*) FROM attempts") == [(2,)]
    assert len(list((cli.home / "sealed" / "artifacts").iterdir())) == 1
