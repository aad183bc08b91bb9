"""The budget unit, defined here and nowhere else."""

__all__ = ["call_cost"]


def call_cost(n_candidates: int, n_rows: int, n_train: int) -> int:
    """Return what a query costs in calls.

    One call is one candidate prompt evaluated on at most |train| examples, so that
    P candidates on n rows cost ``P * ceil(n / |train|)``.

    Args:
        n_candidates: P >= 1.
        n_rows: n >= 1.
        n_train: |train| >= 1.

    Raises:
        ValueError: an argument is smaller than 1: a query cannot cost nothing.
    """
    if min(n_candidates, n_rows, n_train) < 1:
        raise ValueError(f"sizes must be >= 1, got P = {n_candidates}, n = {n_rows}, |train| = {n_train}")
    return n_candidates * -(-n_rows // n_train)
