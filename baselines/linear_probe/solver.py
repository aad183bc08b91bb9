"""Linear probe: logistic regression on h_mask, the final hidden state at the mask.

p = softmax(W (h_mask - mean) / std + b) under the official wording, with a prompt of zeros. Two calls:
train and dev. The L2 strength is the best on dev; the final fit uses both splits.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.api import Array, BlackBox, IntArray, Response, Solution, Task


class LinearProbe:
    """Uses only features, in two calls."""

    def __init__(self, strengths: list[float]) -> None:
        """Store the inverse L2 strengths to compare on dev, strongest regularisation first."""
        self.strengths = strengths

    def solve(self, task: Task, model: BlackBox) -> Solution:
        """Query the features of both splits and fit."""
        info = model.info
        zeros = np.zeros((1, info.n_layers, info.n_prompt_tokens, info.hidden_size), np.float32)
        train, dev = (
            model.query(zeros, split=split, outputs=("features",)).features[0].astype(np.float64)
            for split in ("train", "dev")
        )
        both = np.concatenate([train, dev])
        mean, std = both.mean(axis=0), both.std(axis=0) + 1e-6
        train, dev = (train - mean) / std, (dev - mean) / std
        # On a tie the strongest regularisation wins: it is first in the list, and max returns the first.
        strength = max(
            self.strengths, key=lambda c: classifier(c).fit(train, task.train.labels).score(dev, task.dev.labels)
        )
        fitted = classifier(strength).fit(
            np.concatenate([train, dev]), np.concatenate([task.train.labels, task.dev.labels])
        )
        weight, bias = fitted.coef_, fitted.intercept_
        if len(weight) == 1:
            # For two classes there is one column of log odds.
            weight, bias = np.stack([-weight[0], weight[0]]), np.concatenate([-bias, bias])
        weight = weight / std
        state = {"weight": weight, "bias": bias - weight @ mean}
        return Solution(zeros, outputs=("features",), state=state)

    @staticmethod
    def predict(response: Response, state: Mapping[str, Array]) -> IntArray:
        """Return the class with the largest score per row, int64 (B,)."""
        scores = response.features[0].astype(np.float64) @ state["weight"].T + state["bias"]
        return scores.argmax(axis=-1)


def classifier(strength: float) -> Any:
    """Return an unfitted logistic regression with an inverse L2 strength."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 (not needed by `predict`)

    return LogisticRegression(C=strength, max_iter=2000)
