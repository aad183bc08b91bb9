"""Which test rows are public: drawn once per round, stratified by class, by seed."""

import numpy as np

from harness.records import Array, IntArray

__all__ = ["public_rows", "stratified_rows"]

_LIMIT_SEED = 20230601
"""The rows that a limit keeps are the same in every round."""


def stratified_rows(labels: IntArray, limit: int) -> IntArray:
    """Return at most `limit` rows, ascending, with the classes in the proportions of all rows.

    Never simply the first rows: public data sets come sorted by class.

    Args:
        labels: int64 (B,).
        limit: rows to keep, 1 <= limit <= B.
    """
    generator = np.random.default_rng(_LIMIT_SEED)
    place = np.empty(labels.shape)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        # A row's place within its class, between 0 and 1: the classes then thin out alike.
        place[generator.permutation(rows)] = (np.arange(rows.size) + 0.5) / rows.size
    kept: IntArray = np.sort(np.argsort(place, kind="stable")[:limit]).astype(np.int64)
    return kept


def public_rows(labels: IntArray, fraction: float, seed: int) -> Array:
    """Return a boolean mask (B,) of the public test rows.

    Of every class `round(fraction * n)` rows are public, at least one, and below fraction 1 at most all but one.

    Args:
        labels: int64 (B,) test labels.
        fraction: 0 < fraction <= 1.
        seed: the round's seed.
    """
    generator = np.random.default_rng(seed)
    mask = np.zeros(labels.shape, dtype=bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        most = rows.size if fraction == 1 else rows.size - 1
        n_public = max(1, min(most, round(fraction * rows.size)))
        mask[generator.permutation(rows)[:n_public]] = True
    return mask
