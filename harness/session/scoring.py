"""Scoring solutions on the test rows: the one that counts, and the incumbents before it."""

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
from harness.session.prediction import (
    PredictionFailed,
    submitted_prediction,
    test_outputs,
)
from harness.tasks.kinds import KINDS

__all__ = ["Scorer"]

_INCUMBENT_SHARE = 0.25
"""Of `predict_s`, for a process that only scores an earlier incumbent: there may be sixteen of them."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """Asks what a solution says of the test rows, charged to nobody, and scores it.

    Attributes:
        loaded_round: the round's model and rules.
        task: the task.
        blackbox: the attempt's, for its wordings, its basis and its incumbents.
        source: the submission's files.
        mode: how `predict` is isolated.
        predict_seed: of the order in which `predict` gets the rows.
        has_predict: whether the submission predicts by itself.
        stop: set by another thread when nobody wants the result any more.
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
            solution: checked.
            share: how much of `predict_s` each process of `predict` gets.

        Raises:
            PredictionFailed: outputs or predictions cannot be used.
            InvalidQuery: the solution's values pass the bound in the model's basis.
            InfrastructureError: a fault of ours, or the attempt was stopped.
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
        """Score the public and the private rows apart; predictions are int64 (B,)."""
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
        """Score the incumbents that are not the final solution.

        One that `predict` cannot handle is left out: it was superseded, and is no result of the run.
        """
        scored = []
        for checkpoint in self.blackbox.incumbents.all:
            if _is_same(checkpoint.solution, final):
                continue
            try:
                predictions = self.predictions(checkpoint.solution, share=_INCUMBENT_SHARE)
            except (PredictionFailed, InvalidQuery):
                continue
            scores = self.scores(predictions)
            scored.append(
                IncumbentScore(calls=checkpoint.calls, public=scores.public, private=scores.private)
            )
        return scored


def _is_same(one: Solution, other: Solution) -> bool:
    """Say whether two solutions predict alike, as far as that shows without asking the model."""
    return one is other or (
        not one.state
        and not other.state
        and (one.wordings, one.outputs) == (other.wordings, other.outputs)
        and np.array_equal(one.prompts, other.prompts)
    )
