"""DecT, decoder tuning: class prototypes on h_mask, added to calibrated label-word scores.

A local projection v = W h_mask / |h_mask| (128 x D) and per class a prototype z_k with a radius r_k give
s_k = r_k - |v - z_k|, trained by Adam on the cross-entropy of softmax(s). The prediction is the argmax of
s_k + weight * log(p_k / p_bar_k), with p the softmax of the label-word logits, p_bar its mean over the
labelled samples, and weight = 1 / (shots per class).

Source: Cui et al. 2023, "Decoder Tuning: Efficient Language Understanding as Decoding", arXiv 2212.08408.
Differences: README.md beside this file.
"""

from collections.abc import Mapping

import numpy as np

from harness.api import Array, BlackBox, IntArray, Response, Solution, Task
from harness.api.losses import log_softmax


class DecT:
    """Uses logits and features in two calls, one query per labelled sample."""

    def __init__(self, projection_dim: int = 128, learning_rate: float = 0.01, epochs: int = 30) -> None:
        """Store the width of the projection, Adam's step size, and the passes over the samples."""
        self.projection_dim = projection_dim
        self.learning_rate = learning_rate
        self.epochs = epochs

    def solve(self, task: Task, model: BlackBox) -> Solution:
        """Query train and dev once each, and train the prototypes on both."""
        info = model.info
        zeros = np.zeros((1, info.n_layers, info.n_prompt_tokens, info.hidden_size), np.float32)
        responses = [model.query(zeros, split=split, outputs=("logits", "features")) for split in ("train", "dev")]
        features = unit(np.concatenate([response.features[0] for response in responses]))
        logits = np.concatenate([response.logits[0] for response in responses])
        labels = np.concatenate([task.train.labels, task.dev.labels])
        state = self.train(features, labels, len(task.words), np.random.default_rng(task.solver_seed))
        state["log_prior"] = np.log(np.exp(log_softmax(logits)).mean(axis=0))
        state["weight"] = np.array(len(task.words) / len(labels))
        return Solution(zeros, outputs=("logits", "features"), state=state)

    def train(
        self, features: Array, labels: IntArray, n_classes: int, generator: np.random.Generator
    ) -> dict[str, Array]:
        """Return projection (D, 128), prototypes (C, 128) and radii (C,) after full-batch Adam.

        Args:
            features: (B, D), unit length.
            labels: (B,).
            n_classes: C.
            generator: draws the projection.
        """
        n, size = features.shape
        one_hot = np.eye(n_classes)[labels]  # (B, C)
        projection = generator.standard_normal((size, self.projection_dim)) / np.sqrt(self.projection_dim)
        projected = features @ projection
        prototypes = one_hot.T @ projected / one_hot.sum(axis=0)[:, None]
        distances = np.linalg.norm(projected[:, None] - prototypes, axis=-1)
        radii = (one_hot * distances).sum(axis=0) / one_hot.sum(axis=0)
        optimizers = [Adam(values, self.learning_rate) for values in (projection, prototypes, radii)]
        for _ in range(self.epochs):
            gaps = (features @ projection)[:, None] - prototypes  # (B, C, 128)
            distances = np.linalg.norm(gaps, axis=-1) + 1e-9  # (B, C)
            errors = (np.exp(log_softmax(radii - distances)) - one_hot) / n  # dLoss/ds
            pulls = -(errors / distances)[..., None] * gaps  # dLoss/dv, class by class
            optimizers[0].step(features.T @ pulls.sum(axis=1))
            optimizers[1].step(-pulls.sum(axis=0))
            optimizers[2].step(errors.sum(axis=0))
        return {"projection": projection, "prototypes": prototypes, "radii": radii}

    @staticmethod
    def predict(response: Response, state: Mapping[str, Array]) -> IntArray:
        """Return the class with the largest joint score per row, int64 (B,)."""
        projected = unit(response.features[0]) @ state["projection"]
        distances = np.linalg.norm(projected[:, None] - state["prototypes"], axis=-1)
        calibrated = log_softmax(response.logits[0]) - state["log_prior"]
        return (state["radii"] - distances + state["weight"] * calibrated).argmax(axis=-1)


class Adam:
    """Adam on an array, in place."""

    def __init__(self, values: Array, learning_rate: float) -> None:
        """Start at the array's values."""
        self.values = values
        self.learning_rate = learning_rate
        self.mean, self.square = np.zeros_like(values), np.zeros_like(values)
        self.steps = 0

    def step(self, gradient: Array) -> None:
        """Take a step against the gradient, of the array's shape."""
        self.steps += 1
        self.mean += 0.1 * (gradient - self.mean)
        self.square += 0.001 * (gradient**2 - self.square)
        scale = np.sqrt(self.square / (1 - 0.999**self.steps)) + 1e-8
        self.values -= self.learning_rate * self.mean / (1 - 0.9**self.steps) / scale


def unit(features: Array) -> Array:
    """Return the rows scaled to length one, float64 (B, D)."""
    wide = features.astype(np.float64)
    return wide / (np.linalg.norm(wide, axis=-1, keepdims=True) + 1e-12)
