"""A full disk and a locked database, with the real thing: nothing that ended is lost, nothing is charged twice.

The disk is a small filesystem mounted for the test, which needs root; the full database and the lock
need nothing.
"""

import hashlib
import json
import os
import sqlite3
import subprocess
import threading
import time

import pytest
from in_store import read, write
from sqlalchemy import event
from store_steps import quota

from harness.cli.options import stores
from harness.config import load_round
from harness.errors import InfrastructureError
from harness.records import Verdict
from harness.rounds.intake import submit
from harness.rounds.lifecycle import create_round
from harness.sandbox import require_mode
from harness.session.artifact import read_artifact
from harness.store import database
from harness.store.database import StoreUnavailable
from harness.store.public.publisher import Publisher
from harness.store.sealed.events import read_events
from harness.store.sealed.queue import sweep
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import get_submission
from harness.store.sealed.teams import ensure_team
from harness.worker.worker import Worker

MIB = 2**20
QUERIES = """
for _ in range(3):
    model.query(zeros(model))
return Solution(zeros(model))
"""


@pytest.fixture
def small_disk(tmp_path):
    """A filesystem of 80 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small filesystem needs root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=80m,mode=700", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small filesystem can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill_up(folder):
    """Leave no byte on the disk."""
    with (folder / "ballast").open("wb", buffering=0) as file:
        for size in (MIB, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def arena(home, mini_round, *solvers):
    """Make an arena with these submissions of one team; return its paths and their numbers."""
    with stores(home, must_exist=False) as (paths, sealed, publisher):
        config = load_round(str(mini_round))
        create_round(sealed, publisher, config)
        return paths, [submit(sealed, publisher, paths, config, path, "us") for path in solvers]


def working(paths, observer, **settings):
    """Open an arena anew and work until nothing is left, as a worker does that was started again."""
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        write(sealed, sweep)
        return Worker(sealed, publisher, paths, require_mode(), observer, lease_s=3.0, **settings).run_until_idle()


def check(paths, numbers, *, n_attempts=None):
    """Every submission has one result, whole and as recorded, and is charged once; no attempt is open."""
    with SealedStore.open(paths) as sealed:
        for number in numbers:
            (run,) = read(sealed, get_submission, number).runs
            assert (run.verdict, run.calls) == (Verdict.OK, 3)
            assert n_attempts is None or run.n_attempts == n_attempts
            content = (paths.artifacts / run.summary.artifact_path).read_bytes()
            assert hashlib.sha256(content).hexdigest() == run.summary.artifact_sha256
            kinds = [each.kind for each in read(sealed, read_events, number)]
            assert (kinds.count("run ended"), kinds.count("quota charged")) == (1, 1)
        assert quota(sealed, "us", "mini").used == len(numbers)
        assert write(sealed, sweep) == 0
    database_ = sqlite3.connect(paths.sealed_db)
    assert database_.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database_.close()


def test_a_disk_that_fills_up_during_a_run_loses_nothing_and_work_goes_on_when_there_is_room(
    cli, small_disk, mini_round
):
    solvers = [cli.solver(name, QUERIES) for name in ("one", "two", "three")]
    paths, numbers = arena(small_disk / "arena", mini_round, *solvers)
    seeds = [json.dumps(_seeds(paths, number)) for number in numbers]
    told = []
    is_full = threading.Event()

    def observe(each):
        told.append(each)
        if len([one for one in told if one.artifact]) == 1 and each.progress and not is_full.is_set():
            # In the second run, after its first charge.
            is_full.set()
            fill_up(small_disk)
            threading.Timer(4.0, (small_disk / "ballast").unlink).start()

    assert working(paths, observe, min_free_bytes=8 * MIB) == 3
    assert is_full.is_set()
    check(paths, numbers)
    assert [json.dumps(_seeds(paths, number)) for number in numbers] == seeds
    # Nothing that looks like a result stands beside the three.
    assert len([path for path in paths.artifacts.iterdir() if not path.name.startswith(".")]) == 3
    assert cli.json("status", numbers[2], GRADFREE_HOME=str(paths.home))["verdict"] == "OK"


def test_on_a_full_disk_no_run_is_started_the_operator_is_told_and_nobody_can_hand_in(cli, small_disk, mini_round):
    paths, numbers = arena(small_disk / "arena", mini_round, cli.solver("one", QUERIES))
    fill_up(small_disk)
    late = cli.solver("late", QUERIES)
    refused = cli.run("submit", late, "--round", "mini", "--team", "us", "--home", paths.home, expect=3).stderr
    assert "check whether its disk is full" in refused
    assert "Traceback" not in refused
    told = []

    def observe(each):
        if each.run is None:
            told.append(each.fault)
            threading.Timer(2.0, (small_disk / "ballast").unlink).start()

    # Opened before the disk was full: a store cannot be opened on a full one, and a worker then ends with 3.
    (small_disk / "ballast").unlink()
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        fill_up(small_disk)
        worker = Worker(sealed, publisher, paths, require_mode(), observe, min_free_bytes=8 * MIB)
        assert worker.run_until_idle() == 1
    assert len(told) == 1
    assert "less than 8,388,608 bytes left" in told[0]
    check(paths, numbers, n_attempts=1)


def test_a_worker_killed_on_a_full_disk_leaves_an_attempt_that_runs_again(cli, small_disk, mini_round):
    paths, numbers = arena(small_disk / "arena", mini_round, cli.solver("one", QUERIES))
    pid = os.fork()
    if pid == 0:
        # Dies in the middle of writing the artifact: half of it is on the disk, the rest does not fit.
        def observe(each):
            if each.progress and each.progress.calls == 3:
                fill_up(small_disk)
                threading.Timer(3.0, os._exit, (9,)).start()

        working(paths, observe)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 9
    (small_disk / "ballast").unlink()
    assert [path for path in paths.artifacts.iterdir() if not path.name.startswith(".")] == []
    assert working(paths, None) == 1
    check(paths, numbers, n_attempts=2)
    (run,) = _runs(paths, numbers[0])
    assert read_artifact(paths.artifacts / run.summary.artifact_path).verdict is Verdict.OK


def test_a_result_waits_for_a_database_that_is_full(cli, tmp_path, mini_round):
    paths, numbers = arena(tmp_path / "arena", mini_round, cli.solver("one", QUERIES))
    faults = []
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        limit = {"pages": 2**30}

        def limit_pages(_connection, cursor, *_rest):
            cursor.connection.execute(f"PRAGMA max_page_count = {limit['pages']}")

        def note(context):
            faults.append(str(context.original_exception))

        event.listen(sealed.engine, "before_cursor_execute", limit_pages)
        event.listen(sealed.engine, "handle_error", note)

        def observe(each):
            if each.progress and each.progress.calls == 3:
                _fill_pages(paths)
                # Below what there is: SQLite takes it as what there is.
                limit["pages"] = 1
                threading.Timer(3.0, limit.update, ({"pages": 2**30},)).start()

        worker = Worker(sealed, publisher, paths, require_mode(), observe, lease_s=3.0)
        assert worker.run_until_idle() == 1
    assert any("full" in fault for fault in faults)
    check(paths, numbers, n_attempts=1)


def _fill_pages(paths):
    """Use up what is free within the database's pages, so that the next row needs a new one."""
    with sqlite3.connect(paths.sealed_db, timeout=10) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS ballast (x)")
        free = connection.execute("PRAGMA freelist_count").fetchone()[0]
        connection.executemany("INSERT INTO ballast VALUES (zeroblob(3000))", [()] * (2 * free))
    connection.close()


def test_a_lock_held_longer_than_anybody_waits_ends_no_run_and_no_worker(cli, tmp_path, mini_round, monkeypatch):
    monkeypatch.setattr(database, "WRITER_BUSY_TIMEOUT_MS", 200)
    paths, numbers = arena(tmp_path / "arena", mini_round, cli.solver("one", QUERIES), cli.solver("two", QUERIES))
    locked = []

    def hold_the_lock():
        other = sqlite3.connect(paths.sealed_db, isolation_level=None, timeout=10)
        other.execute("BEGIN IMMEDIATE")
        locked.append(time.monotonic())
        time.sleep(2.5)
        other.execute("ROLLBACK")
        other.close()

    threads = []

    def observe(each):
        # Once in the middle of the first run, and once between the runs.
        if (each.progress and not threads) or (each.artifact and len(threads) == 1):
            thread = threading.Thread(target=hold_the_lock)
            threads.append(thread)
            thread.start()
            while len(locked) < len(threads):
                time.sleep(0.01)

    assert working(paths, observe) == 2
    for thread in threads:
        thread.join()
    assert len(locked) == 2
    check(paths, numbers, n_attempts=1)
    with SealedStore.open(paths) as sealed:
        holder = sqlite3.connect(paths.sealed_db, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="sealed store failed: database is locked"):
            write(sealed, ensure_team, "late")
        assert issubclass(StoreUnavailable, InfrastructureError)
        holder.close()


@pytest.mark.parametrize(("n_workers", "slots"), [(1, 2), (2, 1)])
def test_a_result_outlives_a_lock_held_longer_than_its_lease_though_others_look_for_work(
    cli, tmp_path, mini_round, monkeypatch, n_workers, slots
):
    monkeypatch.setattr(database, "WRITER_BUSY_TIMEOUT_MS", 200)
    paths, numbers = arena(tmp_path / "arena", mini_round, cli.solver("one", QUERIES))
    locked = threading.Event()

    def hold_the_lock():
        other = sqlite3.connect(paths.sealed_db, isolation_level=None, timeout=10)
        other.execute("BEGIN IMMEDIATE")
        locked.set()
        time.sleep(8.0)
        other.execute("ROLLBACK")
        other.close()

    thread = threading.Thread(target=hold_the_lock)

    def observe(each):
        # With its last query the run has only its scoring before it.
        if each.progress and each.progress.calls == 3 and not locked.is_set():
            thread.start()
            locked.wait()

    workers = [
        threading.Thread(target=working, args=(paths, observe), kwargs={"slots": slots}) for _ in range(n_workers)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    thread.join()
    check(paths, numbers, n_attempts=1)


def _runs(paths, number):
    with SealedStore.open(paths) as sealed:
        return read(sealed, get_submission, number).runs


def _seeds(paths, number):
    return [(run.kshot_seed, run.solver_seed) for run in _runs(paths, number)]
