"""Feature-MLP: a local network on h_mask, the final hidden state at the mask.

p = softmax(V relu(W (h_mask - mean) / std + b) + c) under the official wording, with a prompt of zeros.
Two calls: train and dev. The L2 penalty is the best on dev.

Source: Sun et al. 2022, arXiv 2201.03514, row "Feature-MLP".
"""

from collections.abc import Mapping

import numpy as np

from harness.api import Array, BlackBox, IntArray, Response, Solution, Task


class FeatureMLP:
    """Uses only features, in two calls."""

    def __init__(self, penalties: list[float], hidden_size: int = 100, learning_rate: float = 1e-3) -> None:
        """Store the L2 penalties to compare on dev, the hidden layer's width and Adam's step size."""
        self.penalties = penalties
        self.hidden_size = hidden_size
        self.learning_rate = learning_rate

    def solve(self, task: Task, model: BlackBox) -> Solution:
        """Query the features of both splits and train."""
        from sklearn.neural_network import MLPClassifier  # noqa: PLC0415 (not needed by `predict`)

        info = model.info
        zeros = np.zeros((1, info.n_layers, info.n_prompt_tokens, info.hidden_size), np.float32)
        train, dev = (
            model.query(zeros, split=split, outputs=("features",)).features[0].astype(np.float64)
            for split in ("train", "dev")
        )
        mean, std = train.mean(axis=0), train.std(axis=0) + 1e-6
        networks = [
            MLPClassifier(
                hidden_layer_sizes=(self.hidden_size,),
                alpha=penalty,
                learning_rate_init=self.learning_rate,
                max_iter=500,
                random_state=task.solver_seed,
            ).fit((train - mean) / std, task.train.labels)
            for penalty in sorted(self.penalties, reverse=True)
        ]
        # On a tie the strongest penalty wins: max returns the first.
        best = max(networks, key=lambda network: network.score((dev - mean) / std, task.dev.labels))
        (first, second), (bias, second_bias) = best.coefs_, best.intercepts_
        if second.shape[1] == 1:
            # For two classes there is one column of log odds.
            second, second_bias = np.hstack([-second, second]), np.concatenate([-second_bias, second_bias])
        state = {"mean": mean, "std": std, "first": first, "bias": bias, "second": second, "second_bias": second_bias}
        return Solution(zeros, outputs=("features",), state=state)

    @staticmethod
    def predict(response: Response, state: Mapping[str, Array]) -> IntArray:
        """Return the class with the largest score per row, int64 (B,)."""
        features = (response.features[0].astype(np.float64) - state["mean"]) / state["std"]
        hidden = np.maximum(0.0, features @ state["first"] + state["bias"])
        return (hidden @ state["second"] + state["second_bias"]).argmax(axis=-1)
