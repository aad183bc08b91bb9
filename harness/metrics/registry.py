"""The metrics that a round file may name: the one source of scores, bootstrap intervals and tiers.

A metric is two functions. `statistics` returns a few numbers per test row, `aggregate` turns their sums
over any rows into a score. The official score sums every row once; a bootstrap replicate sums each row as
often as it was drawn. So a corpus statistic (macro-F1, BLEU) is resampled as one.

To add a metric: write both functions in the file of its family, and add one line to `_METRICS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from harness.metrics import classification
from harness.records import Array, IntArray

__all__ = ["METRIC_NAMES", "TASK_KINDS", "Aggregate", "Metric", "Statistics", "find_metric", "metrics_of"]

Statistics = Callable[[IntArray, IntArray, int], Array]
"""Targets (B,), predictions (B,) and C -> float64 (B, S), whole numbers where sums must be exact."""


class Aggregate(Protocol):
    """Sums of statistics -> scores."""

    def __call__(self, sums: Array, full: float = 100.0) -> Array:
        """Return scores (...), 0 to `full`, from sums over rows, float64 (..., S)."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric.

    Attributes:
        name: as a round file writes it.
        label: for people.
        kind: of the tasks that it fits.
        statistics: see `Statistics`; raises ValueError for predictions that cannot be scored.
        aggregate: see `Aggregate`.
    """

    name: str
    label: str
    kind: str
    statistics: Statistics
    aggregate: Aggregate


_METRICS = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", "classification", classification.hits, classification.accuracy),
        Metric("f1_macro", "macro F1", "classification", classification.class_counts, classification.macro_f1),
    )
}

METRIC_NAMES = tuple(_METRICS)

TASK_KINDS = tuple(dict.fromkeys(metric.kind for metric in _METRICS.values()))
"""Kinds of task that a round file may name; what each does is in `harness.tasks.kinds`."""


def find_metric(name: str) -> Metric:
    """Return the metric of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in _METRICS:
        raise ValueError(f"Metric not found: got {name!r}, expected one of {', '.join(_METRICS)}; correct the name")
    return _METRICS[name]


def metrics_of(kind: str) -> tuple[str, ...]:
    """Return the names of the metrics that fit a kind of task."""
    return tuple(metric.name for metric in _METRICS.values() if metric.kind == kind)
