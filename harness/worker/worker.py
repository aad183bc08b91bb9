"""The worker: claims runs, hands them to an executor, and stores the results.

Theory of operation
-------------------
A worker has a thread per slot; each thread claims a run, makes one attempt at it through the executor, and
stores what came of it. Only the worker writes the store: an executor receives a job and returns an artifact,
and could be another process or host.

A run is claimed under a lease that a thread renews. If this process dies, the lease expires, the attempt is
void, and the run starts from zero under the same seeds, here or elsewhere.
"""

import contextlib
import logging
import math
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from harness.errors import GradfreeError, InfrastructureError
from harness.executors.base import Executor, JobEvent, Progressed, ScoringStarted, TestRowsLoaded
from harness.executors.threads import ThreadsExecutor
from harness.rounds.logs import tidy_attempts
from harness.sandbox import SandboxMode
from harness.session.artifact import Artifact, write_artifact
from harness.session.blackbox import AttemptProgress
from harness.store.paths import ArenaPaths
from harness.store.public.publisher import Publisher
from harness.store.sealed.attempts import finish_run, start_attempt, start_scoring, void_attempt
from harness.store.sealed.claims import claim_run, has_waiting_runs
from harness.store.sealed.queue import heartbeat, release_run
from harness.store.sealed.replicates import TestSet, keep_test_set
from harness.store.sealed.rounds import find_round
from harness.store.sealed.store import SealedStore, Transaction
from harness.store.values import ClaimedRun, LeaseLost
from harness.worker.faults import STORE_FAULTS, has_room, patiently
from harness.worker.job import job_of
from harness.worker.repeating import repeating
from harness.worker.spool_intake import take_in_uploads
from harness.worker.watch import AttemptWatch

__all__ = ["RunEvent", "Worker"]

_LOG = logging.getLogger("gradfree.worker")

_PAUSE_S = 0.5
"""Between looks at an empty queue."""

_PUBLISH_EVERY_S = 60.0
"""Between two checks whether the clock alone has opened or closed a round."""


@dataclass(frozen=True, slots=True)
class RunEvent:
    """What a worker reports to its observer.

    Attributes:
        run: which run; None where the event is about the worker itself.
        progress: after a query; None when the run has ended.
        artifact: the result; None while it runs, or if the attempt was void.
        fault: the platform error that voided the attempt or stops the worker, for the operator.
    """

    run: ClaimedRun | None
    progress: AttemptProgress | None = None
    artifact: Artifact | None = None
    fault: str = ""


@dataclass
class Worker:
    """Runs what is queued.

    Attributes:
        store: the sealed store.
        publisher: brings the public store up to date.
        paths: the arena folder.
        mode: how solvers are isolated; without isolation, only baselines and packaged examples run.
        observer: called with progress and results, or None.
        executor: runs the attempts; None runs them in this process.
        name: for people, in leases and events.
        slots: runs at a time, >= 1; fewer where their memory limits do not fit together.
        lease_s: seconds after which another worker may take the run of a silent one.
        patience_s: seconds that a result waits for a store or a disk that is out of order.
        min_free_bytes: on the arena's disk; with less, no run is started.
    """

    store: SealedStore
    publisher: Publisher
    paths: ArenaPaths
    mode: SandboxMode
    observer: Callable[[RunEvent], None] | None = None
    executor: Executor | None = None
    name: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")
    slots: int = 1
    lease_s: float = 30.0
    patience_s: float = 600.0
    min_free_bytes: int = 64 * 2**20
    _owes_board: bool = field(default=False, repr=False)
    _published_at: float = field(default=-math.inf, repr=False)
    _sweeps_from: float = field(default=-math.inf, repr=False)
    _reporting: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _faults: dict[str, str] = field(default_factory=dict, repr=False)
    _at_work: dict[int, ClaimedRun] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Take the executor of this process unless another one is given."""
        self._executor: Executor = self.executor or ThreadsExecutor(self.paths.attempts)

    @property
    def _only_bundled(self) -> bool:
        """Code of participants never runs without isolation."""
        return self.mode is SandboxMode.UNSAFE

    def run_until_idle(self, round_name: str | None = None) -> int:
        """Work until nothing that may run here is queued or under a lease; return how many runs ended here.

        Runs of a worker that died are waited for until their lease expires.

        Raises:
            UsageError: there is no such round.
        """
        return self._in_slots(lambda stop: self._work(stop, round_name, until_idle=True), threading.Event())

    def run_forever(self, stop: threading.Event) -> None:
        """Work until `stop` is set."""
        self._in_slots(lambda stop: self._work(stop, None, until_idle=False), stop)

    def _work(self, stop: threading.Event, round_name: str | None, *, until_idle: bool) -> int:
        """Claim and attempt in one slot; return how many runs ended."""
        ended = 0
        while not stop.is_set():
            run = self._claim(round_name)
            if run is not None:
                ended += self.attempt(run)
            elif until_idle and not self._is_anything_left(round_name):
                break
            else:
                stop.wait(_PAUSE_S)
        return ended

    def _in_slots(self, work: Callable[[threading.Event], int], stop: threading.Event) -> int:
        """Do `work` in every slot and return the sum; one slot is this thread. Interrupted, give runs back."""
        try:
            if self.slots == 1:
                return work(stop)
            futures: list[Future[int]] = [Future() for _ in range(self.slots)]

            def serve(future: Future[int]) -> None:
                try:
                    future.set_result(work(stop))
                except BaseException as error:  # noqa: BLE001 (raised again below, in the caller's thread)
                    future.set_exception(error)

            # Daemons: an interrupt must not wait for solvers; they die with this process.
            for number, future in enumerate(futures):
                threading.Thread(target=serve, args=(future,), name=f"slot-{number}", daemon=True).start()
            return sum(future.result() for future in futures)
        except KeyboardInterrupt:
            stop.set()
            for run in list(self._at_work.values()):
                self._release(run)
            raise

    def attempt(self, run: ClaimedRun) -> bool:
        """Make one attempt at a claimed run; return whether it ended with a result.

        A platform error voids the attempt and is reported; the worker goes on.
        """
        try:
            with self.store.write() as tx:
                attempt = start_attempt(tx, run)
        except STORE_FAULTS:
            # The run belongs to another worker, or the store is out of order: the lease expires by itself.
            return False
        # The token distinguishes what a restored database would number again.
        name = f"{run.run_id}-{attempt}-{secrets.token_hex(4)}"
        _LOG.info("run started", extra=_fields(run, attempt=attempt))
        lost = threading.Event()
        try:
            self._at_work[run.run_id] = run
            with self._leased(run, lost):
                if run.n_attempts:
                    tidy_attempts(self.paths, run.run_id)
                artifact = self._execute(run, attempt, name, lost)
                # The store decides whether it comes too late, not the lease.
                self._patiently(lambda: self._keep(run, attempt, artifact), threading.Event())
            self._executor.clean(name)
        except KeyboardInterrupt:
            # Stopped at once: nothing counts against the run.
            self._release(run)
            raise
        except LeaseLost:
            # Another worker has the run, or it was cancelled; that outcome counts.
            _LOG.info("run lost", extra=_fields(run, attempt=attempt))
            return False
        except Exception as error:  # noqa: BLE001 (any other error is the platform's, and must not end the worker)
            if lost.is_set():
                # Stopped for that reason; the store has ended it too.
                return False
            fault = str(error) if isinstance(error, GradfreeError) else f"{type(error).__name__}: {error}"
            # Where even this fails the lease expires, and the sweep voids the attempt.
            with contextlib.suppress(*STORE_FAULTS), self.store.write() as tx:
                void_attempt(tx, attempt, fault)
            _LOG.error("attempt void", extra=_fields(run, attempt=attempt, fault=fault))
            self._report(RunEvent(run, fault=fault))
            return False
        finally:
            self._at_work.pop(run.run_id, None)
            self._publish()
        _LOG.info(
            "run ended", extra=_fields(run, attempt=attempt, verdict=artifact.verdict.value, calls=artifact.usage.calls)
        )
        self._report(RunEvent(run, artifact=artifact))
        return True

    def _leased(self, run: ClaimedRun, lost: threading.Event) -> contextlib.AbstractContextManager[None]:
        """Renew the lease three times in its length, so that a busy database costs one beat and not the lease."""

        def renew() -> bool:
            with self.store.write() as tx:
                is_held = heartbeat(tx, run, self.lease_s)
            if not is_held:
                lost.set()
            return is_held

        return repeating("lease", self.lease_s / 3, renew)

    def _execute(self, run: ClaimedRun, attempt: int, name: str, lost: threading.Event) -> Artifact:
        job = job_of(self.store, self.paths, run, name, self.mode)
        watch = AttemptWatch(self.store, self.publisher, run, attempt, self._publish, lost)

        def on_event(event: JobEvent) -> None:
            match event:
                case TestRowsLoaded():
                    # Before a score exists: of two machines with different test rows, the later one scores nothing.
                    self._write_patiently(lambda tx: _keep_test_rows(tx, run, event), lost)
                case Progressed(progress):
                    watch.on_query(progress)
                    self._report(RunEvent(run, progress=progress))
                case ScoringStarted():
                    # In the audit before the rows are read.
                    self._write_patiently(lambda tx: start_scoring(tx, attempt), lost)
                    self._publish()

        with watch.writing():
            return self._executor.run(job, on_event, lost)

    def _claim(self, round_name: str | None) -> ClaimedRun | None:
        """Take the next run; None if there is none, or if the store or the disk is out of order for now."""
        with self._reporting_faults("no run is started"):
            if not has_room(self.paths.home, self.min_free_bytes):
                raise InfrastructureError(
                    f"the disk of {self.paths.home} has less than {self.min_free_bytes:,} bytes left"
                )
            if self._owes_board or time.monotonic() - self._published_at > _PUBLISH_EVERY_S:
                self._publish()
            # The queue does not wait for a spool that cannot be read.
            with self._reporting_faults("submission uploads are not taken in"):
                take_in_uploads(self.store, self.publisher, self.paths)
            with self.store.write() as tx:
                return claim_run(
                    tx,
                    self.name,
                    self.lease_s,
                    None if round_name is None else find_round(tx, round_name).id,
                    only_bundled=self._only_bundled,
                    at_work=list(self._at_work.values()),
                    is_sweeping=time.monotonic() >= self._sweeps_from,
                )
        # Other workers could not renew their leases either: give them time before they count as dead.
        self._sweeps_from = time.monotonic() + self.lease_s
        return None

    @contextlib.contextmanager
    def _reporting_faults(self, what: str) -> Iterator[None]:
        """Go on after a fault of the store or the disk; report it when it begins, or becomes another one."""
        try:
            yield
        except STORE_FAULTS as error:
            fault = f"{what}: {error}"
            if self._faults.get(what) != fault:
                self._faults[what] = fault
                _LOG.error(fault)
                self._report(RunEvent(None, fault=f"{fault}; retrying until it is repaired"))
        else:
            self._faults.pop(what, None)

    def _keep(self, run: ClaimedRun, attempt: int, artifact: Artifact) -> None:
        """Write the artifact, then the rows derived from it. Idempotent."""
        path = self.paths.artifacts / f"{run.run_id}-{attempt}.json"
        summary = artifact.summary(path.name, write_artifact(artifact, path))
        predictions = None if artifact.predictions is None else np.asarray(artifact.predictions, np.int64)
        with self.store.write() as tx:
            finish_run(tx, run, attempt, summary, predictions)

    def _write_patiently(self, act: Callable[[Transaction], None], lost: threading.Event) -> None:
        def write() -> None:
            with self.store.write() as tx:
                act(tx)

        self._patiently(write, lost)

    def _patiently(self, act: Callable[[], None], lost: threading.Event) -> None:
        patiently(act, lost, self.patience_s)

    def _publish(self) -> None:
        """Bring the board up to date; what fails now is tried again before the next run, or while none waits."""
        self._owes_board = True
        with contextlib.suppress(*STORE_FAULTS):
            self.publisher.publish()
            self._owes_board = False
            self._published_at = time.monotonic()

    def _is_anything_left(self, round_name: str | None) -> bool:
        try:
            with self.store.read() as tx:
                round_id = None if round_name is None else find_round(tx, round_name).id
                return has_waiting_runs(tx, round_id, only_bundled=self._only_bundled)
        except STORE_FAULTS:
            return True

    def _release(self, run: ClaimedRun) -> None:
        with contextlib.suppress(*STORE_FAULTS), self.store.write() as tx:
            release_run(tx, run)

    def _report(self, event: RunEvent) -> None:
        if self.observer is not None:
            with self._reporting:
                self.observer(event)


def _keep_test_rows(tx: Transaction, run: ClaimedRun, event: TestRowsLoaded) -> None:
    test_set = TestSet(event.labels, event.is_public, event.n_classes, event.digest)
    keep_test_set(tx, find_round(tx, run.round_name, run.round_version), run.task, test_set)


def _fields(run: ClaimedRun, **more: object) -> dict[str, object]:
    """Return the fields of a log line about a run."""
    return {
        "run": run.run_id,
        "submission": run.submission_id,
        "round": run.round_name,
        "task": run.task,
        "kshot_seed": run.kshot_seed,
        **more,
    }
