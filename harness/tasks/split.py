"""Which test rows are public: drawn once per round, stratified by class, by seed."""

import numpy as np

from harness.records import Array, IntArray

__all__ = ["public_rows"]


def public_rows(labels: IntArray, fraction: float, seed: int) -> Array:
    """Return a boolean mask (B,) of the public test rows.

    Of every class `round(fraction * n)` rows are public, at least one; all of them at fraction 1.

    Args:
        labels: int64 (B,) test labels.
        fraction: 0 < fraction <= 1.
        seed: the round's seed.
    """
    generator = np.random.default_rng(seed)
    mask = np.zeros(labels.shape, dtype=bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        n_public = max(1, round(fraction * rows.size))
        mask[generator.permutation(rows)[:n_public]] = True
    return mask
