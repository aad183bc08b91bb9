"""Run `solve` of a submission in a sandbox.

Theory of operation
===================

Four processes take part::

    worker                      this process: owns the model, the meter, the labels, the database.
     │                          Never imports a submission. Threads: the caller's (serves the
     │                          requests), `solver-watchdog`, `log-drain`.
     └─ bwrap (monitor)         waits for process 1 and returns its exit status.
         └─ bwrap (process 1)   of the new pid namespace: reaps. Has the stage-1 filter.
             └─ runner          python: locks itself down, tests that, then runs the participant's
                                code in this same process, which may start threads only.

Privileges of the runner. USER mode: an ordinary user in its own user namespace, without
capabilities. ROOT mode: real root without a user namespace; bubblewrap leaves it SETUID, SETGID and
SETPCAP, with which it changes to an unused user number and then drops them. In both modes it is
then not dumpable and has no new privileges, resource limits, Landlock if the kernel supports it,
seccomp stage 2, and a self-test of calls that must fail. UNSAFE mode has one plain child process
with resource limits and no isolation.

`fork` and `exec` are refused, so there are no fork bombs, daemons or orphans, and per-process
limits apply to the whole solver.

The order of events:

1. Read the submission's files, create a socket pair and a log pipe, start bubblewrap. The thread
   that starts it also serves it: `--die-with-parent` is tied to the *thread* that forked, and this
   thread always outlives the child.
2. Send CONFIG. The runner returns HELLO with CONFIG's nonce after the lockdown, before any
   participant code. The host compares the versions inside and outside and checks namespaces,
   filters, user and capabilities from outside (`host.isolation`). READY follows when numpy and the
   solver contract are imported. A failure up to here is a platform error: `SandboxUnavailable`.
3. Send SOLVE (the task, never test data). LOADED tells whether the class defines `predict`.
4. Serve requests one by one. The solver's clock runs except while the harness works on a request,
   or while the next request waits for the harness to record the last one. All results come through
   the socket; no file is collected.
5. SOLUTION, ERROR, a limit or a malformed frame ends the run. The process is killed by pidfd and
   reaped. The log is what it wrote until then.

Platform errors and verdicts: a failure before SOLVE, or an unexpected exception of the service,
raises `InfrastructureError`; everything later is a verdict. The host derives the verdict from what
it observed (a limit, a signal, a malformed frame). The process's own report only distinguishes how
it raised; a false report gains nothing.
"""

import json
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from harness.api.types import Solution, Split, Task
from harness.errors import InfrastructureError, InvalidSubmission, ProtocolViolation
from harness.records import Verdict
from harness.sandbox.host.snapshot import read_files
from harness.sandbox.outcome import SolveOutcome, SubmissionSource
from harness.sandbox.policy import SandboxMode, SandboxPolicy
from harness.sandbox.process import SolverProcess
from harness.sandbox.requests import Ended, RequestServer, bounded_printable, ended_by_error
from harness.sandbox.service import BlackBoxService
from harness.sandbox.verdicts import verdict_of_death
from harness.sandbox.wire.arrays import encode_arrays
from harness.sandbox.wire.frames import FRAME_S, Frame, FrameError, FrameType, PeerClosedError
from harness.sandbox.wire.messages import ErrorMessage, LoadedMessage, read_message

__all__ = ["run_solve"]

_LOADING = frozenset({FrameType.LOADED, FrameType.ERROR})


def run_solve(
    submission: SubmissionSource,
    task: Task,
    service: BlackBoxService,
    policy: SandboxPolicy,
    mode: SandboxMode,
    stop: threading.Event | None = None,
    log_path: Path | None = None,
) -> SolveOutcome:
    """Run `solve` in a fresh sandboxed process and serve its requests until it ends.

    Blocks the calling thread, which must outlive the process (`--die-with-parent`).

    Args:
        submission: files, entry class and parameters.
        task: the solver's task, without test data.
        service: the meter and the engine; called from this thread.
        policy: the limits.
        mode: from `require_mode()`.
        stop: an event that another thread sets to cancel the run.
        log_path: a file to create, to which the log is written as it is printed.

    Returns:
        The outcome; its verdict is never an internal error.

    Raises:
        SandboxUnavailable: this machine cannot isolate the process, or a check failed.
        InfrastructureError: the service failed, or `stop` was set; the process was killed.
    """
    started = time.monotonic()
    try:
        files = read_files(submission.path)
    except InvalidSubmission as error:
        return SolveOutcome(Verdict.INVALID_SUBMISSION, None, str(error))
    with SolverProcess(files, policy, mode, wall_s=policy.solver_s, stop=stop, log_path=log_path) as process:
        run = _Run(process, service, policy)
        verdict, message = run.drive(submission, task)
        process.end()
        peak = process.watchdog.peak
        return SolveOutcome(
            verdict=verdict,
            solution=run.solution if verdict is Verdict.OK else None,
            message=message,
            log=process.log.kept,
            log_truncated=process.log.truncated,
            out_of_budget=run.out_of_budget,
            has_predict=run.has_predict,
            wall_s=time.monotonic() - started,
            solver_s=process.clock.elapsed_s(),
            cpu_s=process.cpu_s,
            peak_rss_bytes=peak.peak_rss_bytes,
            invalid_queries=run.invalid_queries,
            versions=process.versions,
        )


class _Run:
    """The exchange with one `solve` process after READY."""

    def __init__(self, process: SolverProcess, service: BlackBoxService, policy: SandboxPolicy) -> None:
        self._process = process
        self._service = service
        self._policy = policy
        self.solution: Solution | None = None
        self.has_predict = False
        self.out_of_budget = False
        self.invalid_queries = 0

    def drive(self, submission: SubmissionSource, task: Task) -> tuple[Verdict, str]:
        """Serve until the end; return the verdict and the message for the participant."""
        process = self._process
        try:
            process.clock.start()
            self._send_task(submission, task)
            ended = self._load() or self._serve(task)
        except PeerClosedError:
            return verdict_of_death(process, self._policy)
        except FrameError as error:
            ended = Ended(Verdict.PROTOCOL_VIOLATION, f"protocol violation: {error}")
        finally:
            process.clock.stop()
        process.end()
        if process.watchdog.breach is not None:
            return verdict_of_death(process, self._policy)
        self.solution = ended.solution
        return ended.verdict, bounded_printable(ended.message)

    def _send_task(self, submission: SubmissionSource, task: Task) -> None:
        document = {
            "entry": submission.entry,
            "params": dict(submission.params),
            "task": _task_document(task),
            "info": asdict(self._service.info),
            "calls_left": self._service.calls_left,
        }
        # In the payload: the texts of a large split exceed the 64 KiB of a frame's meta.
        blob = np.frombuffer(json.dumps(document).encode(), dtype=np.uint8)
        specs, payload = encode_arrays(
            {"document": blob, "train_labels": task.train.labels, "dev_labels": task.dev.labels}
        )
        self._process.channel.send(FrameType.SOLVE, 0, {"arrays": specs}, payload, frame_s=FRAME_S)

    def _load(self) -> Ended | None:
        frame = self._process.channel.receive(_LOADING, frame_s=FRAME_S, expect_seq=0)
        if frame.type is FrameType.ERROR:
            return ended_by_error(read_message(ErrorMessage, frame))
        self.has_predict = read_message(LoadedMessage, frame).has_predict
        return None

    def _serve(self, task: Task) -> Ended:
        process = self._process
        rows = {"train": len(task.train), "dev": len(task.dev)}
        server = RequestServer(self._service, self._policy, rows, has_predict=self.has_predict)
        seq = 0
        while True:
            seq += 1
            frame = process.channel.receive(server.ACCEPTED, frame_s=FRAME_S, expect_seq=seq)
            process.clock.stop()
            try:
                ended = self._answer(server, frame)
            except (FrameError, InfrastructureError):
                raise
            except ProtocolViolation as error:
                return Ended(Verdict.PROTOCOL_VIOLATION, str(error))
            except Exception as error:
                msg = f"serving a {frame.type.name} request failed: {type(error).__name__}: {error}"
                raise InfrastructureError(msg) from error
            finally:
                self.invalid_queries = server.invalid_queries
            if ended is not None:
                self.out_of_budget = ended.out_of_budget
                return ended

    def _answer(self, server: RequestServer, frame: Frame) -> Ended | None:
        """Serve one request; return the end of the attempt, or None."""
        process = self._process
        try:
            answer = server.answer(frame)
            if isinstance(answer, Ended):
                return answer
            process.clock.start()
            process.channel.send(answer.type, frame.seq, answer.meta, answer.payload, frame_s=FRAME_S)
        finally:
            process.clock.stop()
            sent_at = time.monotonic()
            self._service.answered()
        # If the next request is already here, it waited for `answered`: not the solver's time. If not, the
        # solver was computing meanwhile, and that time counts.
        process.clock.start(since=None if process.channel.has_input() else sent_at)
        return None


def _task_document(task: Task) -> dict[str, Any]:
    def texts(split: Split) -> list[list[str]]:
        return [list(fields) for fields in split.texts]

    return {
        "name": task.name,
        "metric": task.metric,
        "label_names": list(task.label_names),
        "template": task.template,
        "words": list(task.words),
        "kshot_seed": task.kshot_seed,
        "solver_seed": task.solver_seed,
        "train": texts(task.train),
        "dev": texts(task.dev),
    }
