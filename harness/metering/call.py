"""The definition of the budget unit."""

__all__ = ["call_cost"]


def call_cost(n_candidates: int, n_rows: int, n_train: int) -> int:
    """Return the cost of a query in calls.

    One call evaluates one candidate prompt on at most |train| examples. P candidates on n rows cost
    ``P * ceil(n / |train|)``.

    Args:
        n_candidates: P >= 1.
        n_rows: n >= 1.
        n_train: |train| >= 1.

    Raises:
        ValueError: an argument is smaller than 1.
    """
    if min(n_candidates, n_rows, n_train) < 1:
        raise ValueError(
            f"Cost of a query: got P = {n_candidates}, n = {n_rows}, |train| = {n_train}, expected 1 or more of each"
        )
    return n_candidates * -(-n_rows // n_train)
