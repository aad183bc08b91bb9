"""k-shot sampling by seed."""

import random

import numpy as np

from harness.api import Split
from harness.errors import DataError

__all__ = ["draw_kshot"]


def draw_kshot(pool: Split, n_classes: int, k_shot: int, seed: int) -> tuple[Split, Split]:
    """Draw train and dev: the first k rows per class after a seeded shuffle, then the next k.

    A text is used once: a row is skipped if its text is in either set already.

    Args:
        pool: labelled rows to draw from.
        n_classes: C.
        k_shot: k rows per class in each of train and dev.
        seed: the k-shot seed.

    Raises:
        DataError: the pool has fewer than 2k different rows of a class.
    """
    order = list(range(len(pool)))
    # Python's generator: its shuffle is the same on all platforms and in all versions so far.
    random.Random(seed).shuffle(order)  # noqa: S311 (sampling, not a secret)
    chosen: list[list[int]] = [[] for _ in range(n_classes)]
    seen: set[tuple[str, ...]] = set()
    for row in order:
        rows = chosen[int(pool.labels[row])]
        if len(rows) < 2 * k_shot and pool.texts[row] not in seen:
            seen.add(pool.texts[row])
            rows.append(row)
    for label, rows in enumerate(chosen):
        if len(rows) < 2 * k_shot:
            raise DataError(
                f"class {label} has {len(rows)} different rows in the pool; "
                f"train and dev with k_shot = {k_shot} need {2 * k_shot}"
            )
    return _take(pool, [rows[:k_shot] for rows in chosen]), _take(pool, [rows[k_shot:] for rows in chosen])


def _take(pool: Split, rows_per_class: list[list[int]]) -> Split:
    """Return the rows in the pool's order, so that classes are mixed."""
    rows = sorted(row for rows in rows_per_class for row in rows)
    return Split(tuple(pool.texts[row] for row in rows), np.ascontiguousarray(pool.labels[rows]))
