"""The local part of the joint model: a softmax classifier on features, and the mix with the label words."""

import numpy as np

from harness.api import Array, IntArray
from harness.api.losses import log_softmax


class Classifier:
    """A linear layer on centred features with unit standard deviation, trained with Adam."""

    def __init__(self, features: Array, n_classes: int) -> None:
        """Compute mean and standard deviation of features (B, D); the weights start at zero."""
        self.centre = features.mean(axis=0, dtype=np.float64)
        self.spread = float((features - self.centre).std()) + 1e-12
        size = (features.shape[1] + 1, n_classes)  # the last row is the bias
        self.weight, self.mean, self.square = np.zeros(size), np.zeros(size), np.zeros(size)
        self.steps = 0

    def scores(self, features: Array) -> Array:
        """Return logits (..., C) of features (..., D)."""
        weight, bias = self.on_raw_features()
        return features.astype(np.float64) @ weight + bias

    def on_raw_features(self) -> tuple[Array, Array]:
        """Return weight (D, C) and bias (C,) that apply to features as the model gives them."""
        weight = self.weight[:-1] / self.spread
        return weight, self.weight[-1] - self.centre @ weight

    def step(self, features: Array, labels: IntArray, learning_rate: float, weight_decay: float = 0.0) -> None:
        """Take one Adam step on the cross-entropy of a batch, features (B, D)."""
        inputs = np.column_stack([(features - self.centre) / self.spread, np.ones(len(features))])
        errors = np.exp(log_softmax(inputs @ self.weight))
        errors[np.arange(len(labels)), labels] -= 1.0
        gradient = (inputs.T @ errors + weight_decay * self.weight) / len(labels)
        self.steps += 1
        self.mean += 0.1 * (gradient - self.mean)
        self.square += 0.001 * (gradient**2 - self.square)
        scale = np.sqrt(self.square / (1 - 0.999**self.steps)) + 1e-8
        self.weight -= learning_rate * self.mean / (1 - 0.9**self.steps) / scale


def log_prior(logits: Array) -> Array:
    """Return the log of the mean probability of each class over the rows: (P, B, C) to (P, C)."""
    return np.log(np.exp(log_softmax(logits)).mean(axis=1))


def joint_log_probabilities(calibrated: Array, scores: Array, mix: float) -> Array:
    """Return log(mix * p1 + (1 - mix) * p2), (B, C), from the logits of both halves."""
    mixed = mix * np.exp(log_softmax(calibrated)) + (1 - mix) * np.exp(log_softmax(scores))
    return np.log(mixed + 1e-300)
