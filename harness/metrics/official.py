"""The official score of predictions, 0-100."""

from harness.metrics.registry import find_metric
from harness.records import IntArray

__all__ = ["score"]


def score(metric: str, labels: IntArray, predictions: IntArray, n_classes: int) -> float:
    """Return the metric in percent, not rounded.

    Args:
        metric: one of `METRIC_NAMES`.
        labels: int64 (B,), B >= 1.
        predictions: int64 (B,), each 0 <= prediction < n_classes.
        n_classes: C.

    Raises:
        ValueError: the metric is unknown, there are no rows, shapes differ, or a prediction is out of range.
    """
    if labels.size == 0 or labels.shape != predictions.shape:
        raise ValueError(
            f"Scoring failed: got labels {labels.shape} and predictions {predictions.shape}; they must have the "
            "same shape and one row or more"
        )
    chosen = find_metric(metric)
    sums = chosen.statistics(labels, predictions, n_classes).sum(axis=0)
    # A replicate is 100 x hits / rows, this 100 x (hits / rows): the last bits differ. Stored scores keep both.
    return 100.0 * float(chosen.aggregate(sums, 1.0))
