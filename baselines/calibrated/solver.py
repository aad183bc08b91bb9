"""Calibration only: the manual prompt, with each label word weighted by its mean over train.

With q the label-word logits and q_bar their mean over the N prompted training samples:
W = lambda * diag(q_bar)^-1, lambda = mean_k q_bar_k, p1 = softmax(W q). One call, no tuning.

The form on logits is undefined, or flips a class, if a mean logit is not positive, and depends on
a constant added to all logits. So there are two modified forms: "logits" first shifts all logits so
that the smallest mean is at least 1; "probabilities" (the default) uses p, the softmax of q, whose
means are always positive: p1 is proportional to p / p_bar.

Source: Cao et al. 2023, National Science Review, nwad124.
"""

from collections.abc import Mapping

import numpy as np

from harness.api import Array, BlackBox, IntArray, Response, Solution, Task
from harness.api.losses import log_softmax

SMALLEST_MEAN = 1.0


class Calibrated:
    """Uses only logits, in one call."""

    def __init__(self, space: str = "probabilities") -> None:
        """Store the space to calibrate in: "probabilities" or "logits".

        Raises:
            ValueError: the space is unknown.
        """
        if space not in {"probabilities", "logits"}:
            raise ValueError(f"space is {space!r}, expected probabilities or logits")
        self.space = space

    def solve(self, task: Task, model: BlackBox) -> Solution:  # noqa: ARG002 (the contract)
        """Query the logits on train and compute their means."""
        info = model.info
        zeros = np.zeros((1, info.n_layers, info.n_prompt_tokens, info.hidden_size), np.float32)
        logits = model.query(zeros).logits[0].astype(np.float64)
        if self.space == "probabilities":
            # In log space, dividing by a mean is a shift.
            n_classes = logits.shape[1]
            scale, shift = np.ones(n_classes), -np.log(np.exp(log_softmax(logits)).mean(axis=0))
        else:
            lift = max(0.0, SMALLEST_MEAN - logits.mean(axis=0).min())
            means = logits.mean(axis=0) + lift
            scale = means.mean() / means
            shift = scale * lift
        return Solution(zeros, state={"scale": scale, "shift": shift})

    @staticmethod
    def predict(response: Response, state: Mapping[str, Array]) -> IntArray:
        """Return the class with the largest calibrated probability per row, int64 (B,)."""
        return (state["scale"] * response.logits[0].astype(np.float64) + state["shift"]).argmax(axis=-1)
