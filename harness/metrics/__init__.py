"""Official metrics: pure functions, on scikit-learn."""

from harness.metrics.official import METRICS, score

__all__ = ["METRICS", "score"]
