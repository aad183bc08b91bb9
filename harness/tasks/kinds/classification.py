"""Classification."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.config import TaskConfig
from harness.errors import DataError
from harness.metrics.official import score
from harness.records import FloatArray, IntArray

__all__ = ["Classification"]


class Classification:
    """A target is a class number; a prediction is the class with the most probable label word."""

    @staticmethod
    def read_target(value: Any, label_texts: Sequence[str], task: TaskConfig, where: str) -> int:
        """Return the class number that a value of the label column stands for, 0 <= label < C.

        Args:
            value: as the file has it.
            label_texts: how the file writes each class; empty: as its number.
            task: its `label_names` give C.
            where: file and row, for the error.

        Raises:
            DataError: the value stands for no class.
        """
        if label_texts:
            if value in label_texts:
                return label_texts.index(value)
            raise DataError(f"{where}: got label {value!r}, expected one of {', '.join(label_texts)}")
        try:
            label = int(float(value)) if float(value).is_integer() else -1
        except (TypeError, ValueError, OverflowError):
            label = -1
        if not 0 <= label < len(task.label_names):
            raise DataError(f"{where}: got label {value!r}, expected a class number 0..{len(task.label_names) - 1}")
        return label

    @staticmethod
    def check_test(task: TaskConfig, labels: IntArray) -> None:
        """Check that every class has a test row.

        Args:
            task: its `label_names` give C.
            labels: int64 (B,).

        Raises:
            DataError: a class has none.
        """
        absent = set(range(len(task.label_names))) - set(labels.tolist())
        if absent:
            raise DataError(f"task {task.name!r}: the test rows hold no row of class {min(absent)}")

    @staticmethod
    def default_prediction(logits: FloatArray) -> IntArray:
        """Return the argmax of the mean softmax over members, int64 (B,); the lowest index wins a tie.

        Args:
            logits: float32 (E, B, C).
        """
        wide = logits.astype(np.float64)
        wide -= wide.max(axis=-1, keepdims=True)
        odds = np.exp(wide)
        probabilities = odds / odds.sum(axis=-1, keepdims=True)
        predictions: IntArray = probabilities.mean(axis=0).argmax(axis=-1).astype(np.int64)
        return predictions

    @staticmethod
    def problem_with(predictions: IntArray, task: TaskConfig) -> str:
        """Return why predictions, int64 (B,), cannot be scored, or "" if each is a class number."""
        n_classes = len(task.label_names)
        if predictions.min() < 0 or predictions.max() >= n_classes:
            return f"out of range; expected class numbers 0..{n_classes - 1}"
        return ""

    @staticmethod
    def score(task: TaskConfig, targets: IntArray, predictions: IntArray) -> float:
        """Return the task's metric in percent; see `harness.metrics.official.score`.

        Args:
            task: its `metric` and `label_names` count.
            targets: int64 (B,), B >= 1.
            predictions: int64 (B,).

        Raises:
            ValueError: the predictions cannot be scored.
        """
        return score(task.metric, targets, predictions, len(task.label_names))
