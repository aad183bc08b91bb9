"""Running a submission's `predict` in a fresh process that knows nothing but its arguments."""

import json
import threading
from collections.abc import Mapping, Sequence

import numpy as np

from harness.api.types import Response
from harness.errors import InvalidSubmission
from harness.records import Array, IntArray, Verdict
from harness.sandbox.host.snapshot import read_files
from harness.sandbox.outcome import PredictOutcome, PredictReason, SubmissionSource
from harness.sandbox.policy import SandboxMode, SandboxPolicy
from harness.sandbox.process import SolverProcess
from harness.sandbox.requests import response_arrays
from harness.sandbox.verdicts import verdict_of_death
from harness.sandbox.wire.arrays import encode_arrays
from harness.sandbox.wire.frames import FRAME_S, ErrorKind, Frame, FrameError, FrameType, PeerClosedError
from harness.sandbox.wire.messages import (
    ErrorMessage,
    LoadedMessage,
    PredictionMessage,
    arrays_of,
    read_message,
)

__all__ = ["run_predict"]

_REASONS = {
    Verdict.MEMORY_LIMIT: PredictReason.MEMORY,
    Verdict.TIME_LIMIT: PredictReason.TIME,
    Verdict.SANDBOX_VIOLATION: PredictReason.VIOLATION,
    Verdict.PROTOCOL_VIOLATION: PredictReason.PROTOCOL,
}


class _FailedError(Exception):
    """The conversation ended without predictions."""

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

    Nothing that the process prints is kept, and a failure gives a reason code alone: both could
    carry test data out. Blocks the calling thread, which must not be a short-lived one.

    Args:
        submission: files, entry class and parameters.
        batches: test outputs; the first axis is the solution's members (E), the second the rows.
        state: the solution's.
        policy: the limits; `predict_s` is for the whole process.
        mode: from `require_mode()`.
        stop: set by another thread when nobody wants the result any more.

    Returns:
        Predictions per batch, or the reason why not.

    Raises:
        SandboxUnavailable: this machine cannot isolate the process, or a check failed.
        InfrastructureError: another failure of ours, or `stop` was set; the process has been killed.
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
    """The conversation of one `predict` process after HELLO."""

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
            outputs = response_arrays(batch)
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
    """Rows of a batch: the second axis of every output but `layer_std`, which has no rows."""
    return next(int(array.shape[1]) for name, array in outputs.items() if name != "layer_std")
