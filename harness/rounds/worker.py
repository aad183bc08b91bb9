"""The worker: claims runs, attempts them in the sandbox, and stores what came out.

It has one model in memory and a thread per slot; each thread makes one attempt at a time, and the
attempts take turns on the engine (`harness.engine.scheduler`).

A run is claimed under a lease that a thread renews. If this process dies, the lease runs out,
the attempt is void and the run starts from zero under the same seeds, here or elsewhere.
"""

import contextlib
import math
import os
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import GradfreeError, InfrastructureError
from harness.rounds.admission import Admission, machine_bytes
from harness.rounds.arenas import Arenas
from harness.rounds.faults import STORE_FAULTS, has_room, patiently
from harness.rounds.lease import leased
from harness.rounds.logs import tidy_attempts
from harness.rounds.results import result_of
from harness.rounds.run_spec import spec_of
from harness.rounds.slots import in_slots
from harness.rounds.spool_intake import take_in_uploads
from harness.rounds.watch import AttemptWatch
from harness.sandbox import SandboxMode
from harness.session.artifact import SOLVER_LOG, Artifact, write_artifact
from harness.session.attempt import run_attempt
from harness.session.blackbox import Progress
from harness.session.footprint import attempt_bytes
from harness.store import (
    ArenaPaths,
    ClaimedRun,
    LeaseLost,
    Publisher,
    SealedStore,
)

__all__ = ["RunEvent", "Worker"]

_PAUSE_S = 0.5
"""Between looks at an empty queue."""

_PUBLISH_EVERY_S = 60.0
"""Between two looks whether the clock alone has changed what may be seen: a round opened, or closed."""


@dataclass(frozen=True, slots=True)
class RunEvent:
    """What a watcher is told.

    Attributes:
        run: which run; None where the worker itself is meant.
        progress: after a query; None when the run has ended.
        artifact: the result; None while it runs, or if the attempt was void.
        fault: our fault that voided the attempt, or keeps the worker from its work, for the operator.
    """

    run: ClaimedRun | None
    progress: Progress | None = None
    artifact: Artifact | None = None
    fault: str = ""


@dataclass
class Worker:
    """Runs what is queued.

    Attributes:
        store: the sealed store.
        publisher: brings the public store up to date.
        paths: the arena folder.
        mode: how solvers are isolated; without isolation, only reference methods and packaged
            examples are run.
        observer: told about progress and results, or None.
        name: for people, in leases and events.
        slots: runs at a time, >= 1; fewer where their memory limits do not fit together.
        lease_s: seconds after which a silent worker's run may be taken by another one.
        patience_s: seconds that a result waits for a store or a disk that is out of order.
        min_free_bytes: on the arena's disk; with less, no run is started.
    """

    store: SealedStore
    publisher: Publisher
    paths: ArenaPaths
    mode: SandboxMode
    observer: Callable[[RunEvent], None] | None = None
    name: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")
    slots: int = 1
    lease_s: float = 30.0
    patience_s: float = 600.0
    min_free_bytes: int = 64 * 2**20
    _owes_board: bool = field(default=False, repr=False)
    _published_at: float = field(default=-math.inf, repr=False)
    _sweeps_from: float = field(default=-math.inf, repr=False)
    _arenas: Arenas = field(init=False, repr=False)
    _admission: Admission = field(default_factory=lambda: Admission(machine_bytes()), repr=False)
    _telling: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _faults: dict[str, str] = field(default_factory=dict, repr=False)
    _at_work: dict[int, ClaimedRun] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Begin with no round in memory."""
        self._arenas = Arenas(self.store)

    @property
    def _only_bundled(self) -> bool:
        """Code of strangers never runs without isolation."""
        return self.mode is SandboxMode.UNSAFE

    def run_until_idle(self, round_name: str | None = None) -> int:
        """Work until nothing that may run here is queued or held by a lease; return how many runs ended here.

        Runs of a worker that died are waited for until their lease runs out.
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
        """Do `work` in every slot; return the sum. Interrupted, give back what is at work."""
        try:
            return in_slots(self.slots, work, stop)
        except KeyboardInterrupt:
            for run in list(self._at_work.values()):
                with contextlib.suppress(*STORE_FAULTS):
                    self.store.release_run(run)
            raise

    def attempt(self, run: ClaimedRun) -> bool:
        """Make one attempt at a claimed run; return whether it ended with a result.

        A fault of ours voids the attempt and is told to the observer; the worker goes on.
        """
        try:
            attempt = self.store.start_attempt(run)
        except STORE_FAULTS:
            # Not ours any more, or a store out of order: the lease runs out by itself.
            return False
        # The token keeps apart what a restored database would number again.
        folder = self.paths.attempts / f"{run.run_id}-{attempt}-{secrets.token_hex(4)}"
        lost = threading.Event()
        try:
            self._at_work[run.run_id] = run
            with leased(self.store, run, self.lease_s, lost):
                if run.n_attempts:
                    tidy_attempts(self.paths, run.run_id)
                folder.mkdir()
                artifact = self._execute(run, attempt, folder, lost)
                # Whether it comes too late is the store's to say, not the lease's.
                self._patiently(lambda: self._keep(run, attempt, artifact), threading.Event())
            with contextlib.suppress(OSError):
                # It is in the artifact now.
                (folder / SOLVER_LOG).unlink()
        except KeyboardInterrupt:
            # Told to stop at once: nothing counts against the run.
            with contextlib.suppress(*STORE_FAULTS):
                self.store.release_run(run)
            raise
        except LeaseLost:
            # Another worker has the run, or it was cancelled; its outcome is the one that counts.
            return False
        except Exception as error:  # noqa: BLE001 (whatever went wrong here is ours, and must not end the worker)
            if lost.is_set():
                # Stopped for that reason; it was ended for it in the store too.
                return False
            fault = str(error) if isinstance(error, GradfreeError) else f"{type(error).__name__}: {error}"
            self._void(attempt, fault)
            self._tell(RunEvent(run, fault=fault))
            return False
        finally:
            self._at_work.pop(run.run_id, None)
            shutil.rmtree(folder / "submission", ignore_errors=True)
            self._publish()
        self._tell(RunEvent(run, artifact=artifact))
        return True

    def _execute(self, run: ClaimedRun, attempt: int, folder: Path, lost: threading.Event) -> Artifact:
        arena = self._arenas.of(run, list(self._at_work.values()))
        spec = spec_of(self.store, self.paths, arena.config, run)
        loaded = arena.task(run.task)
        # Before a score exists: of two machines with different test rows, the later one scores nothing.
        self._patiently(
            lambda: self.store.keep_test_set(
                run.round_name,
                run.round_version,
                run.task,
                digest=loaded.data.test_digest,
                n_classes=len(loaded.config.label_names),
                labels=loaded.data.test.labels,
                is_public=loaded.is_public,
            ),
            lost,
        )
        watch = AttemptWatch(self.store, self.publisher, run, attempt, self._publish, lost)
        with self._admission.hold(attempt_bytes(arena, loaded), lost), watch.writing():
            return run_attempt(
                arena,
                spec,
                folder,
                self.mode,
                self._on_query(run, watch),
                lost,
                lambda: self._start_scoring(attempt, lost),
            )

    def _on_query(self, run: ClaimedRun, watch: AttemptWatch) -> Callable[[Progress], None]:
        """Return what is to be done after each query of an attempt."""

        def on_query(progress: Progress) -> None:
            # What was metered counts from here on, whatever a watcher does then.
            watch.on_query(progress)
            self._tell(RunEvent(run, progress=progress))

        return on_query

    def _start_scoring(self, attempt: int, lost: threading.Event) -> None:
        """Leave in the audit that test rows are read, before they are."""
        self._patiently(lambda: self.store.start_scoring(attempt), lost)
        self._publish()

    def _claim(self, round_name: str | None) -> ClaimedRun | None:
        """Take the next run; None if there is none, or if the store or the disk is out of order for now."""
        with self._telling_faults("no run is started"):
            if not has_room(self.paths.home, self.min_free_bytes):
                raise InfrastructureError(
                    f"the disk of {self.paths.home} has less than {self.min_free_bytes:,} bytes left"
                )
            if self._owes_board or time.monotonic() - self._published_at > _PUBLISH_EVERY_S:
                self._publish()
            # What waits in the queue does not wait for a spool that cannot be read.
            with self._telling_faults("uploads of the web page are not taken in"):
                take_in_uploads(self.store, self.publisher, self.paths)
            return self.store.claim_run(
                self.name,
                self.lease_s,
                round_name,
                only_bundled=self._only_bundled,
                at_work=list(self._at_work.values()),
                is_sweeping=time.monotonic() >= self._sweeps_from,
            )
        # Other workers could not renew their leases either: give them time before they count as dead.
        self._sweeps_from = time.monotonic() + self.lease_s
        return None

    @contextlib.contextmanager
    def _telling_faults(self, what: str) -> Iterator[None]:
        """Go on after a fault of the store or the disk; tell the operator when one begins, or becomes another."""
        try:
            yield
        except STORE_FAULTS as error:
            fault = f"{what}: {error}"
            if self._faults.get(what) != fault:
                self._faults[what] = fault
                self._tell(RunEvent(None, fault=f"{fault}; tried again until it is mended"))
        else:
            self._faults.pop(what, None)

    def _keep(self, run: ClaimedRun, attempt: int, artifact: Artifact) -> None:
        """Write the artifact, then the rows derived from it. Safe to repeat."""
        path = self.paths.artifacts / f"{run.run_id}-{attempt}.json"
        digest = write_artifact(artifact, path)
        self.store.finish_run(run, attempt, result_of(artifact, path.name, digest))

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
            return self.store.has_waiting_runs(round_name, only_bundled=self._only_bundled)
        except STORE_FAULTS:
            return True

    def _void(self, attempt: int, reason: str) -> None:
        # Where even this fails the lease runs out, and the sweep voids the attempt.
        with contextlib.suppress(*STORE_FAULTS):
            self.store.void_attempt(attempt, reason)

    def _tell(self, event: RunEvent) -> None:
        if self.observer is not None:
            with self._telling:
                self.observer(event)
