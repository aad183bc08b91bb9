"""Bootstrap replicates of a submission's total, over test rows and k-shot seeds.

A replicate draws test rows and k-shot seeds of every task with replacement. Its total is the mean over
tasks of the mean, over the seeds drawn, of the metric on the rows drawn. The draws depend on the seed and
the task's name alone. So the replicates of two submissions of a round are paired: differences that both
share cancel.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from harness.metrics.registry import find_metric
from harness.records import Array, IntArray

__all__ = ["N_REPLICATES", "TaskPredictions", "replicate_totals"]

N_REPLICATES = 1000
_CHUNK_CELLS = 8_000_000
"""Replicates x rows held at once; bounds the memory for large test sets."""


@dataclass(frozen=True, slots=True, eq=False)
class TaskPredictions:
    """Predictions of one submission on one task.

    Attributes:
        metric: one of `METRIC_NAMES`.
        n_classes: C.
        labels: int64 (B,), of the rows that the total is computed on.
        predictions: k-shot seed -> int64 (B,), each 0 <= prediction < C.
    """

    metric: str
    n_classes: int
    labels: IntArray
    predictions: Mapping[int, IntArray]


def replicate_totals(tasks: Mapping[str, TaskPredictions], seed: int, n_replicates: int = N_REPLICATES) -> Array:
    """Return the total of each replicate, 0-100, float64 (R,).

    Args:
        tasks: task name -> predictions, all tasks of the round.
        seed: draws test rows and k-shot seeds; the same for all submissions of a round.
        n_replicates: R.

    Raises:
        ValueError: there is no task, or a task has no seed or row, an unknown metric, or a prediction out of
            range.
    """
    if not tasks:
        raise ValueError("Bootstrap: got no task, expected at least one task")
    total = np.zeros(n_replicates)
    for name, task in tasks.items():
        if task.labels.size == 0 or not task.predictions:
            raise ValueError(
                f"Bootstrap of task {name!r}: got {task.labels.size} rows and {len(task.predictions)} seeds, "
                "expected 1 or more of each"
            )
        metric = find_metric(task.metric)
        generator = np.random.default_rng(_task_seed(seed, name))
        kshot_seeds = sorted(task.predictions)
        drawn_seeds = generator.integers(len(kshot_seeds), size=(n_replicates, len(kshot_seeds)))
        scores = np.empty((len(kshot_seeds), n_replicates))
        for chunk, weights in _row_weights(generator, task.labels.size, n_replicates):
            for position, kshot_seed in enumerate(kshot_seeds):
                statistics = metric.statistics(task.labels, task.predictions[kshot_seed], task.n_classes)
                scores[position, chunk] = metric.aggregate(weights @ statistics)
        total += scores[drawn_seeds.T, np.arange(n_replicates)].mean(axis=0)
    return total / len(tasks)


def _task_seed(seed: int, task: str) -> list[int]:
    return [seed, int.from_bytes(hashlib.sha256(task.encode()).digest()[:8], "big")]


def _row_weights(generator: np.random.Generator, n_rows: int, n_replicates: int) -> Iterator[tuple[slice, Array]]:
    """Yield for r replicates at a time how often each row is drawn, float64 (r, B)."""
    step = max(1, _CHUNK_CELLS // n_rows)
    for start in range(0, n_replicates, step):
        size = min(step, n_replicates - start)
        drawn = generator.multinomial(n_rows, np.full(n_rows, 1.0 / n_rows), size=size)
        yield slice(start, start + size), drawn.astype(np.float64)
