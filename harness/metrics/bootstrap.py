"""Bootstrap replicates of a submission's total, over test rows and k-shot seeds.

A replicate draws the test rows of every task again, with replacement, and the task's k-shot seeds; its
total is the mean over tasks of the mean over the seeds drawn of the metric on the rows drawn. The
draws depend on the seed and the task's name alone: so the replicates of two submissions of a round are
paired, and their difference holds what their scores do not share.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from harness.records import Array, IntArray

__all__ = ["N_REPLICATES", "TaskPredictions", "replicate_totals"]

N_REPLICATES = 1000
_CHUNK_CELLS = 8_000_000
"""Replicates x rows held at once: bounds the memory at large test sets."""


@dataclass(frozen=True, slots=True, eq=False)
class TaskPredictions:
    """What one submission predicted on one task.

    Attributes:
        metric: "accuracy" or "f1_macro".
        n_classes: C.
        labels: int64 (B,), of the rows that the total is computed on.
        predictions: k-shot seed -> int64 (B,), each 0 <= prediction < C.
    """

    metric: str
    n_classes: int
    labels: IntArray
    predictions: Mapping[int, IntArray]


def replicate_totals(
    tasks: Mapping[str, TaskPredictions], seed: int, n_replicates: int = N_REPLICATES
) -> Array:
    """Return the total of each replicate, 0-100, float64 (R,).

    Args:
        tasks: task name -> predictions, all tasks of the round.
        seed: draws rows and seeds; the same for all submissions of a round.
        n_replicates: R.

    Raises:
        ValueError: no task, or a task without seeds or rows: a replicate of nothing has no total.
    """
    if not tasks:
        raise ValueError("replicates need at least one task")
    total = np.zeros(n_replicates)
    for name, task in tasks.items():
        if task.labels.size == 0 or not task.predictions:
            raise ValueError(f"task {name!r} has {task.labels.size} rows and {len(task.predictions)} seeds")
        generator = np.random.default_rng(_task_seed(seed, name))
        kshot_seeds = sorted(task.predictions)
        drawn_seeds = generator.integers(len(kshot_seeds), size=(n_replicates, len(kshot_seeds)))
        scores = np.empty((len(kshot_seeds), n_replicates))
        for chunk, weights in _row_weights(generator, task.labels.size, n_replicates):
            for position, kshot_seed in enumerate(kshot_seeds):
                scores[position, chunk] = _weighted_scores(task, task.predictions[kshot_seed], weights)
        total += scores[drawn_seeds.T, np.arange(n_replicates)].mean(axis=0)
    return total / len(tasks)


def _task_seed(seed: int, task: str) -> list[int]:
    return [seed, int.from_bytes(hashlib.sha256(task.encode()).digest()[:8], "big")]


def _row_weights(
    generator: np.random.Generator, n_rows: int, n_replicates: int
) -> Iterator[tuple[slice, Array]]:
    """Yield how often each row was drawn: float64 (r, B) for r replicates at a time."""
    step = max(1, _CHUNK_CELLS // n_rows)
    for start in range(0, n_replicates, step):
        size = min(step, n_replicates - start)
        drawn = generator.multinomial(n_rows, np.full(n_rows, 1.0 / n_rows), size=size)
        yield slice(start, start + size), drawn.astype(np.float64)


def _weighted_scores(task: TaskPredictions, predictions: IntArray, weights: Array) -> Array:
    """Return the metric in percent of every replicate (r,), from row weights (r, B)."""
    if task.metric == "accuracy":
        hits: Array = weights @ (predictions == task.labels).astype(np.float64)
        return 100.0 * hits / task.labels.size
    one_hot = np.eye(task.n_classes)
    is_label, is_predicted = one_hot[task.labels], one_hot[predictions]
    hits = weights @ (is_label * is_predicted)
    # F1 of a class = 2 TP / (rows of the class + rows predicted as it); without either it counts as 0.
    rows: Array = weights @ (is_label + is_predicted)
    f1: Array = np.divide(2.0 * hits, rows, out=np.zeros_like(hits), where=rows > 0)
    percent: Array = 100.0 * f1.mean(axis=1)
    return percent
