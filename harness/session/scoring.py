"""Scoring on the test rows: the final solution and the earlier incumbents."""

import threading
from dataclasses import dataclass, replace

import numpy as np

from harness.api import Solution
from harness.api.outputs import OUTPUTS
from harness.errors import InfrastructureError, InvalidQuery
from harness.records import IntArray
from harness.sandbox import SandboxMode, SubmissionSource
from harness.session.artifact import IncumbentScore, Scores
from harness.session.blackbox import MeteredBlackBox
from harness.session.loaded_round import LoadedRound, LoadedTask
from harness.session.prediction import PredictionFailed, submitted_prediction, test_outputs
from harness.tasks.kinds import KINDS

__all__ = ["Scorer"]

_INCUMBENT_SHARE = 0.25
"""Share of `predict_s` for each process that scores an earlier incumbent; there are up to 16."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """Runs a solution on the test set, unmetered, and scores it.

    Attributes:
        loaded_round: the round's model and rules.
        task: the task.
        blackbox: black box of the attempt, with its wordings, basis and incumbents.
        source: the submission's files.
        mode: isolation of `predict`.
        predict_seed: seed of the row order for `predict`.
        has_predict: whether the submission has a `predict`.
        stop: event that cancels the attempt.
    """

    loaded_round: LoadedRound
    task: LoadedTask
    blackbox: MeteredBlackBox
    source: SubmissionSource
    mode: SandboxMode
    predict_seed: int
    has_predict: bool
    stop: threading.Event | None = None

    def predictions(self, solution: Solution, *, share: float = 1.0) -> IntArray:
        """Return the class numbers of the test rows, int64 (B,), in canonical order.

        Args:
            solution: a checked solution.
            share: share of `predict_s` for each process of `predict`.

        Raises:
            PredictionFailed: outputs or predictions cannot be used.
            InvalidQuery: the solution's values pass the bound in the model's basis.
            InfrastructureError: platform error, or the attempt was stopped.
        """
        if not self.has_predict:
            outputs = test_outputs(self.loaded_round, self.task, self.blackbox, solution, ("logits",))
            if outputs.logits is None:
                raise InfrastructureError("the engine returned no logits")
            return KINDS[self.task.config.kind].default_prediction(outputs.logits)
        wanted = tuple(name for name in solution.outputs if OUTPUTS[name].has_rows)
        return submitted_prediction(
            self.source,
            test_outputs(self.loaded_round, self.task, self.blackbox, solution, wanted),
            solution,
            self.task.config,
            replace(self.loaded_round.policy, predict_s=share * self.loaded_round.policy.predict_s),
            self.mode,
            self.predict_seed,
            self.stop,
        )

    def scores(self, predictions: IntArray) -> Scores:
        """Score predictions, int64 (B,), on the public and on the private rows."""
        config, labels = self.task.config, self.task.data.test.labels
        public = self.task.is_public
        private = np.logical_not(public)
        score = KINDS[config.kind].score
        return Scores(
            public=score(config, labels[public], predictions[public]),
            private=score(config, labels[private], predictions[private]) if private.any() else None,
            n_public=int(public.sum()),
            n_private=int(private.sum()),
        )

    def earlier_incumbents(self, final: Solution) -> list[IncumbentScore]:
        """Score the incumbents other than the final solution; skip those on which `predict` fails."""
        scored = []
        for checkpoint in self.blackbox.incumbents.all:
            if _is_same(checkpoint.solution, final):
                continue
            try:
                predictions = self.predictions(checkpoint.solution, share=_INCUMBENT_SHARE)
            except (PredictionFailed, InvalidQuery):
                continue
            scores = self.scores(predictions)
            scored.append(IncumbentScore(calls=checkpoint.calls, public=scores.public, private=scores.private))
        return scored


def _is_same(one: Solution, other: Solution) -> bool:
    """Return True if two solutions are equal and without state, so that their predictions are equal."""
    return one is other or (
        not one.state
        and not other.state
        and (one.wordings, one.outputs) == (other.wordings, other.outputs)
        and np.array_equal(one.prompts, other.prompts)
    )
