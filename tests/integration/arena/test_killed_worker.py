"""Killing the worker, bubblewrap or the network mid-run: no process left, nothing half written or charged twice."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from arena_books import check_books
from forked_worker import ForkedWorker
from worker_process import alive, descendants, start_worker, wait_for_queries, wait_until

N_QUERIES = 10
SLOW = f"""
print("before the first query")
for _ in range({N_QUERIES}):
    model.query(zeros(model))
    time.sleep(0.3)
return Solution(zeros(model))
"""
SLOW_PREDICT = """
if not hasattr(time, "slept"):
    time.slept = True
    time.sleep(3)
return response.logits[0].argmax(axis=-1)
"""


def rows(home, query):
    database = sqlite3.connect(home / "sealed.db")
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def hand_in(cli, mini_round):
    # Whether a busy machine is slow is not the question here.
    patient = re.sub(r"(?m)^(solver_s|cpu_s|predict_s) = .*$", r"\1 = 100.0", mini_round.read_text())
    mini_round.write_text(patient)
    cli.run("round", "create", mini_round)
    cli.run("submit", cli.solver("slow", SLOW, predict=SLOW_PREDICT), "--round", "mini", "--team", "us")


def family_in(cli, worker, moment):
    """Wait for the moment; return the sandbox's processes then."""
    wait_for_queries(cli.home, 3, worker)
    family = descendants(worker.pid)
    assert len(family) == 3, "bubblewrap, its process 1, the solver"
    if moment == "solve":
        return family
    wait_for_queries(cli.home, N_QUERIES, worker)
    # `predict` has a sandbox of its own.
    wait_until(lambda: len(now := descendants(worker.pid)) == 3 and not {*now} & {*family}, worker)
    time.sleep(0.5)
    return descendants(worker.pid)


def check_result(cli, n_attempts):
    """One result, charged once, in the store, the artifact, the journal and on the board."""
    ((status, verdict, calls),) = rows(cli.home, "SELECT status, verdict, calls FROM runs")
    assert (status, verdict, calls) == ("finished", "OK", N_QUERIES)
    assert rows(cli.home, "SELECT count(*) FROM attempts") == [(n_attempts,)]
    assert len(list((cli.home / "sealed" / "artifacts").iterdir())) == 1
    check_books(cli.home)
    (run,) = json.loads(cli.run("status", "1", "--json").stdout)["runs"]
    assert run["calls"] == N_QUERIES


@pytest.mark.parametrize("moment", ["solve", pytest.param("predict", marks=pytest.mark.slow)])
def test_a_killed_worker_leaves_a_void_attempt_and_the_run_starts_from_zero(cli, mini_round, moment):
    hand_in(cli, mini_round)
    first = ForkedWorker(cli.home)
    family = family_in(cli, first, moment)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert rows(cli.home, "SELECT calls, verdict, score_public FROM runs") == [(0, None, None)]
    deadline = time.monotonic() + 10
    while alive(family) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert alive(family) == []
    assert list((cli.home / "sealed" / "artifacts").iterdir()) == []
    assert rows(cli.home, "SELECT status FROM runs") == [("running" if moment == "solve" else "scoring",)]
    second = ForkedWorker(cli.home)
    assert second.wait(timeout=240) == 0
    check_result(cli, n_attempts=2)
    # What the first attempt printed outlived its worker.
    lost, kept = cli.json("logs", 1)
    assert (lost["verdict"], lost["message"]) == ("IE", "attempt 1: void, the worker's lease expired; not charged")
    assert lost["log"] == kept["log"] == "before the first query\n"
    # Both attempts that read test rows say so, also the one that left no result.
    n_reads = 1 + (moment == "predict")
    assert rows(cli.home, "SELECT count(*) FROM events WHERE kind = 'scoring started'") == [(n_reads,)]


@pytest.mark.parametrize("slots", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_worker_told_twice_to_stop_gives_its_run_back_and_nothing_counts_against_it(cli, mini_round, slots):
    patient = re.sub(r"(?m)^(solver_s|cpu_s) = .*$", r"\1 = 300.0", mini_round.read_text())
    mini_round.write_text(patient)
    cli.run("round", "create", mini_round)
    sleeper = cli.solver("sleeper", "model.query(zeros(model))\ntime.sleep(200)\nreturn Solution(zeros(model))")
    cli.run("submit", sleeper, "--round", "mini", "--team", "us")
    command = [Path(sys.executable).with_name("gradfree"), "worker", "--slots", str(slots), "--home", cli.home]
    worker = subprocess.Popen([*map(str, command)], start_new_session=True, stdout=subprocess.DEVNULL)
    wait_for_queries(cli.home, 1, worker)
    family = descendants(worker.pid)
    worker.send_signal(signal.SIGTERM)
    time.sleep(2)
    assert worker.poll() is None, "the first signal lets the run end"
    worker.send_signal(signal.SIGTERM)
    worker.wait(timeout=60)
    assert rows(cli.home, "SELECT status, worker, n_lost_leases FROM runs") == [("queued", None, 0)]
    assert rows(cli.home, "SELECT void_reason FROM attempts") == [("released by the worker",)]
    deadline = time.monotonic() + 10
    while alive(family) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert alive(family) == []


@pytest.mark.parametrize("moment", [pytest.param("solve", marks=pytest.mark.slow), "predict"])
def test_a_killed_bubblewrap_voids_the_attempt_and_the_same_worker_starts_again(cli, mini_round, moment):
    hand_in(cli, mini_round)
    worker = ForkedWorker(cli.home)
    monitor, *inside = family_in(cli, worker, moment)
    os.kill(monitor, signal.SIGKILL)
    assert worker.wait(timeout=240) == 0
    assert alive(inside) == []
    check_result(cli, n_attempts=2)


@pytest.mark.parametrize("moment", [pytest.param("solve", marks=pytest.mark.slow), "predict"])
def test_a_cut_network_changes_nothing(cli, mini_round, moment):
    """The worker asks nobody but its own files: the run goes on, in the same attempt."""
    hand_in(cli, mini_round)
    network = cli.folder / "network"
    worker = start_worker(cli.home, network)
    family = family_in(cli, worker, moment)
    network.with_suffix(".order").touch()
    wait_until(network.with_suffix(".after").exists, worker)
    found = [network.with_suffix(suffix).read_text() for suffix in (".before", ".after")]
    assert found == ["reached", "cut"], "the worker had a network, and lost it"
    assert worker.wait(timeout=240) == 0
    assert alive(family) == []
    check_result(cli, n_attempts=1)
