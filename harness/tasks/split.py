"""Draws of test rows, stratified by class: the public rows of a round, and the rows that a limit keeps."""

import numpy as np

from harness.records import Array, IntArray

__all__ = ["public_rows", "stratified_rows"]

_LIMIT_SEED = 20230601
"""Fixed: a limit keeps the same rows in every round."""


def stratified_rows(labels: IntArray, limit: int) -> IntArray:
    """Return `limit` rows, int64, ascending, with the class proportions of all rows.

    Not the first rows: public data sets may be sorted by class.

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

    `round(fraction * n)` rows of each class are public, but at least one, and if fraction < 1 not all of them.

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
