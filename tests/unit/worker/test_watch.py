"""How an attempt's progress reaches the store and the board, without making its solver wait."""

import threading
import time
from contextlib import contextmanager

import pytest

from harness.session.blackbox import AttemptProgress
from harness.store.database import StoreUnavailable
from harness.store.values import ClaimedRun, LeaseLost
from harness.worker import watch
from harness.worker.watch import AttemptWatch

RUN = ClaimedRun(
    run_id=1,
    claim_number=1,
    worker="w",
    submission_id=1,
    origin_id=1,
    submission_name="cma",
    team="us",
    digest="b" * 64,
    path="b" * 64,
    round_name="toy",
    round_version="1.0",
    round_digest="a" * 64,
    task="sst2",
    kshot_seed=8,
    solver_seed=1,
    budget_calls=100,
    n_attempts=0,
    is_baseline=False,
)


class Stores:
    """Takes what is written, after `slow_s` seconds, or raises the next of `faults`."""

    def __init__(self, slow_s=0.0, faults=()):
        self.slow_s = slow_s
        self.faults = list(faults)
        self.written = []

    def _take(self, what):
        time.sleep(self.slow_s)
        if self.faults:
            raise self.faults.pop(0)
        self.written.append(what)

    @contextmanager
    def write(self):
        """Give itself as the transaction that `note_metered` takes."""
        yield self

    def report(self, run, calls, best_train_loss):
        self._take((run.run_id, calls, best_train_loss))


@pytest.fixture
def watching(monkeypatch):
    monkeypatch.setattr(watch, "_REPORT_EVERY_S", 0.1)
    monkeypatch.setattr(watch, "_NOTE_S", 0.3)
    monkeypatch.setattr(watch, "note_metered", lambda stores, attempt: stores._take(("metered", attempt)))

    def made(stores):
        lost = threading.Event()
        return AttemptWatch(stores, stores, RUN, 7, lambda: None, lost), lost

    return made


def wait_until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.01)


def test_a_metered_query_is_noted_before_anybody_is_told_of_it(watching):
    stores = Stores()
    attempt, _ = watching(stores)
    with attempt.writing():
        attempt.on_query(AttemptProgress(1, 100, None))
        assert stores.written[0] == ("metered", 7)
        attempt.on_query(AttemptProgress(5, 100, 0.5))
        wait_until(lambda: (1, 5, 0.5) in stores.written)
    assert stores.written.count(("metered", 7)) == 1


def test_a_slow_store_holds_up_the_first_query_alone_and_not_for_long(watching):
    stores = Stores(slow_s=1.5)
    attempt, _ = watching(stores)
    with attempt.writing():
        started = time.monotonic()
        for calls in range(1, 101):
            attempt.on_query(AttemptProgress(calls, 100, None))
        assert time.monotonic() - started < 1.0
        wait_until(lambda: (1, 100, None) in stores.written)
    assert stores.written[0] == ("metered", 7)


def test_what_a_store_out_of_order_refuses_is_written_when_it_is_back(watching):
    stores = Stores(faults=[StoreUnavailable("locked"), OSError(28, "full")])
    attempt, lost = watching(stores)
    with attempt.writing():
        attempt.on_query(AttemptProgress(1, 100, None))
        wait_until(lambda: len(stores.written) == 2)
    assert stores.written == [("metered", 7), (1, 1, None)]
    assert not lost.is_set()


def test_a_run_that_is_not_this_workers_any_more_is_stopped(watching):
    stores = Stores(faults=[LeaseLost("cancelled")])
    attempt, lost = watching(stores)
    with attempt.writing():
        attempt.on_query(AttemptProgress(1, 100, None))
        assert lost.wait(5)
    assert stores.written == []
