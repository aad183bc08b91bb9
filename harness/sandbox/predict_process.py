"""Run a submission's `predict` in a fresh process that has only its arguments."""

import json
import threading
from collections.abc import Mapping, Sequence

import numpy as np

from harness.api.outputs import OUTPUTS, Response, filled
from harness.errors import InvalidSubmission
from harness.records import Array, IntArray, Verdict
from harness.sandbox.host.snapshot import read_files
from harness.sandbox.outcome import PredictOutcome, PredictReason, SubmissionSource
from harness.sandbox.policy import SandboxMode, SandboxPolicy
from harness.sandbox.process import SolverProcess
from harness.sandbox.verdicts import verdict_of_death
from harness.sandbox.wire.arrays import encode_arrays
from harness.sandbox.wire.frames import FRAME_S, ErrorKind, Frame, FrameError, FrameType, PeerClosedError
from harness.sandbox.wire.messages import ErrorMessage, LoadedMessage, PredictionMessage, arrays_of, read_message

__all__ = ["run_predict"]

_REASONS = {
    Verdict.MEMORY_LIMIT: PredictReason.MEMORY,
    Verdict.TIME_LIMIT: PredictReason.TIME,
    Verdict.SANDBOX_VIOLATION: PredictReason.VIOLATION,
    Verdict.PROTOCOL_VIOLATION: PredictReason.PROTOCOL,
}


class _FailedError(Exception):
    """The process gave no predictions."""

    def __init__(self, verdict: Verdict, reason: PredictReason) -> None:
        super().__init__(reason)
        self.verdict = verdict
        self.reason = reason


def run_predict(
    submission: SubmissionSource,
    batches: Sequence[Response],
    state: Mapping[str, Array],
    policy: SandboxPolicy,
    mode: SandboxMode,
    stop: threading.Event | None = None,
) -> PredictOutcome:
    """Call `predict(response, state)` once per batch, one batch at a time, in one fresh process.

    The process's output is discarded, and a failure gives only a reason code: both could leak test
    data. Blocks the calling thread, which must outlive the process (`--die-with-parent`).

    Args:
        submission: files, entry class and parameters.
        batches: test outputs; axis 0 is the solution's members (E), axis 1 the rows (B).
        state: the solution's.
        policy: the limits; `predict_s` applies to the whole process.
        mode: from `require_mode()`.
        stop: an event that another thread sets to cancel the run.

    Returns:
        Predictions per batch, or a reason code.

    Raises:
        SandboxUnavailable: this machine cannot isolate the process, or a check failed.
        InfrastructureError: another platform error, or `stop` was set; the process was killed.
    """
    try:
        files = read_files(submission.path)
    except InvalidSubmission:
        return PredictOutcome(Verdict.INVALID_SUBMISSION, None, PredictReason.FILES)
    with SolverProcess(files, policy, mode, wall_s=policy.predict_s, stop=stop) as process:
        process.log.discard()
        run = _Run(process)
        try:
            predictions = run.drive(submission, batches, state)
            failure = None
        except PeerClosedError:
            verdict, _ = verdict_of_death(process, policy)
            failure = _FailedError(verdict, _REASONS.get(verdict, PredictReason.DIED))
        except FrameError:
            failure = _FailedError(Verdict.PROTOCOL_VIOLATION, PredictReason.PROTOCOL)
        except _FailedError as error:
            failure = error
        process.clock.stop()
        process.end()
        if process.watchdog.breach is not None:
            verdict, _ = verdict_of_death(process, policy)
            failure = _FailedError(verdict, _REASONS[verdict])
        if failure is not None:
            return PredictOutcome(failure.verdict, None, failure.reason, run.has_predict)
        return PredictOutcome(Verdict.OK, predictions, PredictReason.NONE, run.has_predict)


class _Run:
    """The exchange with one `predict` process after READY."""

    def __init__(self, process: SolverProcess) -> None:
        self._process = process
        self.has_predict = False

    def drive(
        self, submission: SubmissionSource, batches: Sequence[Response], state: Mapping[str, Array]
    ) -> list[IntArray]:
        channel = self._process.channel
        self._process.clock.start()
        document = {"entry": submission.entry, "n_batches": len(batches)}
        blob = np.frombuffer(json.dumps(document).encode(), dtype=np.uint8)
        arrays: dict[str, Array] = {"document": blob}
        specs, payload = encode_arrays(arrays | {f"state.{name}": array for name, array in state.items()})
        channel.send(FrameType.PREDICT, 0, {"arrays": specs}, payload, frame_s=FRAME_S)
        self.has_predict = read_message(LoadedMessage, self._receive(FrameType.LOADED, 0)).has_predict
        if not self.has_predict:
            raise _FailedError(Verdict.RUNTIME_ERROR, PredictReason.NO_PREDICT)
        predictions = []
        for seq, batch in enumerate(batches, start=1):
            outputs = filled(batch)
            specs, payload = encode_arrays(outputs)
            channel.send(FrameType.BATCH, seq, {"arrays": specs}, payload, frame_s=FRAME_S)
            predictions.append(self._prediction(seq, _n_rows(outputs)))
        return predictions

    def _prediction(self, seq: int, n_rows: int) -> IntArray:
        frame = self._receive(FrameType.PREDICTION, seq)
        message = read_message(PredictionMessage, frame)
        answer: IntArray = arrays_of(message, frame, {"predictions": "<i8"}, {})["predictions"]
        if answer.shape != (n_rows,):
            raise _FailedError(Verdict.RUNTIME_ERROR, PredictReason.BAD_RETURN)
        return answer

    def _receive(self, expected: FrameType, seq: int) -> Frame:
        accepted = frozenset({expected, FrameType.ERROR})
        frame = self._process.channel.receive(accepted, frame_s=FRAME_S, expect_seq=seq)
        if frame.type is not FrameType.ERROR:
            return frame
        kind = read_message(ErrorMessage, frame).kind
        if kind == ErrorKind.MEMORY:
            raise _FailedError(Verdict.MEMORY_LIMIT, PredictReason.MEMORY)
        if kind == ErrorKind.SOLUTION:
            raise _FailedError(Verdict.RUNTIME_ERROR, PredictReason.BAD_RETURN)
        raise _FailedError(Verdict.RUNTIME_ERROR, PredictReason.RAISED)


def _n_rows(outputs: Mapping[str, Array]) -> int:
    """Return the rows of a batch: the second axis of every output that has rows."""
    return next(int(array.shape[1]) for name, array in outputs.items() if OUTPUTS[name].has_rows)
