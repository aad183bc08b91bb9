"""The test phase: outputs of the model on the test rows, and the predictions of the submission.

It starts after the solver process has ended. `predict` runs in a fresh process per call, gets the rows in an
order secret to the attempt, and then a sample of rows one by one: it must be row-wise.
"""

import threading

import numpy as np

from harness.api import Response, Solution
from harness.api.outputs import OUTPUTS, filled
from harness.config import TaskConfig
from harness.errors import InvalidQuery
from harness.records import IntArray, Verdict
from harness.sandbox import SandboxMode, SandboxPolicy, SubmissionSource, run_predict
from harness.session.blackbox import MeteredBlackBox
from harness.session.handles import OFFICIAL_WORDING
from harness.session.loaded_round import LoadedRound, LoadedTask
from harness.tasks.kinds import KINDS

__all__ = ["PredictionFailed", "submitted_prediction", "test_outputs"]

BATCH_ROWS = 64
"""Rows per batch of `predict`; fixed, so that scores cannot depend on it."""

N_RECHECKED = 128
"""Rows predicted again one by one: detects a `predict` that changes 2 % of its rows with a probability of 0.9."""


class PredictionFailed(Exception):
    """`predict` gave no usable predictions.

    Attributes:
        verdict: the verdict of the run.
        reason: a reason code and its explanation; never text of the participant's process, which could
            leak test rows.
    """

    def __init__(self, verdict: Verdict, reason: str) -> None:
        """Store verdict and reason."""
        self.verdict = verdict
        self.reason = reason
        super().__init__(reason)


def test_outputs(
    loaded_round: LoadedRound, task: LoadedTask, blackbox: MeteredBlackBox, solution: Solution, outputs: tuple[str, ...]
) -> Response:
    """Evaluate every member of a solution on the test rows, in canonical order.

    Returns:
        The outputs with members on the first axis: logits (E, B, C), features (E, B, D), ...

    Raises:
        PredictionFailed: an output is not finite.
    """
    handles = [wording.id for wording in solution.wordings] or [OFFICIAL_WORDING] * len(solution.prompts)
    members = []
    for member, handle in enumerate(handles):
        if handle == OFFICIAL_WORDING:
            encoded = task.encoded_test
        else:
            encoded = loaded_round.encode(blackbox.wordings[handle], task.data.test)
        prompt = blackbox.to_model(solution.prompts[member : member + 1])
        query = loaded_round.engine.check(encoded, prompt, outputs=outputs)
        response, _ = loaded_round.evaluate(blackbox.attempt, query)
        members.append(blackbox.to_solver(response))
        blackbox.note_test(len(task.data.test))
    try:
        combined = {name: np.concatenate([getattr(response, name) for response in members]) for name in outputs}
    except ValueError as error:
        # Wordings with different numbers of probe words give outputs of different shapes.
        raise PredictionFailed(
            Verdict.RUNTIME_ERROR, f"outputs: the members' outputs differ in shape ({error})"
        ) from error
    for name, values in combined.items():
        if not np.isfinite(values).all():
            raise PredictionFailed(
                Verdict.RUNTIME_ERROR, f"outputs: {name} on the test rows is not finite; scale the prompts down"
            )
    return Response(**combined)


def submitted_prediction(
    source: SubmissionSource,
    outputs: Response,
    solution: Solution,
    task: TaskConfig,
    policy: SandboxPolicy,
    mode: SandboxMode,
    seed: int,
    stop: threading.Event | None = None,
) -> IntArray:
    """Run the submission's `predict` on all test rows.

    Args:
        source: the submission.
        outputs: outputs on the test rows, members on the first axis.
        solution: the final solution; its `state` is passed to `predict`.
        task: the task, whose kind checks the predictions.
        policy: limits.
        mode: isolation of the process.
        seed: seed of the row order and the sample; secret until the attempt has ended.
        stop: event that cancels the attempt.

    Returns:
        int64 (B,) in canonical order.

    Raises:
        PredictionFailed: the process failed, predicted out of range, or was not row-wise.
        InfrastructureError: platform error, or `stop` was set.
    """

    def predict(batches: list[IntArray]) -> IntArray:
        responses = [_take(outputs, rows) for rows in batches]
        outcome = run_predict(source, responses, solution.state, policy, mode, stop)
        if outcome.predictions is None:
            raise PredictionFailed(outcome.verdict, f"predict: {outcome.reason}: {outcome.reason.explanation}")
        return np.concatenate(outcome.predictions)

    n_rows = _n_rows(outputs)
    generator = np.random.default_rng(seed)
    order = generator.permutation(n_rows)
    batches = [order[start : start + BATCH_ROWS] for start in range(0, n_rows, BATCH_ROWS)]
    predictions = np.empty(n_rows, dtype=np.int64)
    predictions[order] = predict(batches)
    problem = KINDS[task.kind].problem_with(predictions, task)
    if problem:
        raise PredictionFailed(Verdict.RUNTIME_ERROR, f"predict: {problem}")
    sample = generator.permutation(n_rows)[:N_RECHECKED]
    alone = predict([sample[i : i + 1] for i in range(len(sample))])
    if not np.array_equal(alone, predictions[sample]):
        raise PredictionFailed(
            Verdict.PROTOCOL_VIOLATION,
            "predict: not row-wise; a row predicted alone differs from the same row among others",
        )
    return predictions


def _n_rows(outputs: Response) -> int:
    """Return B, the second axis of every output that has rows."""
    for name, values in filled(outputs).items():
        if OUTPUTS[name].has_rows:
            return int(values.shape[1])
    with_rows = ", ".join(name for name, output in OUTPUTS.items() if output.has_rows)
    raise InvalidQuery(f"Solution.outputs: none has rows to predict; expected one of {with_rows}")


def _take(outputs: Response, rows: IntArray) -> Response:
    """Return the outputs of some rows; outputs without an axis of rows are left out."""
    kept = {name: values for name, values in filled(outputs).items() if OUTPUTS[name].has_rows}
    return Response(**{name: np.ascontiguousarray(values[:, rows]) for name, values in kept.items()})
