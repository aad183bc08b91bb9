"""Scoring earlier incumbents must not hold the worker for as long as `predict` likes."""

from types import SimpleNamespace

import numpy as np
from small_round import small_round

from harness.api import Response, Solution
from harness.records import Verdict
from harness.sandbox import PredictOutcome, SandboxPolicy
from harness.session import prediction, scoring
from harness.session.incumbents import Checkpoint
from harness.session.scoring import Scorer


def solution(number):
    return Solution(np.zeros((1, 1, 1, 1), np.float32), state={"n": np.array(number)})


def test_predict_of_all_incumbents_together_gets_four_times_the_limit(monkeypatch):
    granted = []

    def run(_source, batches, _state, policy, _mode, _stop):
        granted.append(policy.predict_s)
        return PredictOutcome(Verdict.OK, [np.zeros(batch.logits.shape[1], np.int64) for batch in batches])

    outputs = Response(logits=np.zeros((1, 4, 2), np.float32))
    monkeypatch.setattr(prediction, "run_predict", run)
    monkeypatch.setattr(scoring, "test_outputs", lambda *_args: outputs)
    monkeypatch.setattr(Scorer, "scores", lambda *_args: SimpleNamespace(public=1.0, private=None))
    held = [Checkpoint(calls, solution(calls)) for calls in range(8)]
    scorer = Scorer(
        loaded_round=SimpleNamespace(policy=SandboxPolicy(predict_s=100.0)),
        task=SimpleNamespace(config=small_round().task[0]),
        blackbox=SimpleNamespace(incumbents=SimpleNamespace(all=held)),
        source=None,
        mode=None,
        predict_seed=1,
        has_predict=True,
    )
    scored = scorer.earlier_incumbents(solution(99))
    assert [score.calls for score in scored] == list(range(8))
    assert granted == [25.0] * 16
