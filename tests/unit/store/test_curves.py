from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.curves import GRID_POINTS, SPARKLINE_POINTS, best_so_far, log_grid, mean_curve


@given(st.integers(1, 100_000))
def test_grid_rises_from_one_to_the_budget(budget):
    grid = log_grid(budget)
    assert grid[0] == 1
    assert grid[-1] == budget
    assert grid == sorted(set(grid))
    assert len(grid) <= GRID_POINTS + 1


def test_best_so_far_is_missing_before_the_first_loss_and_never_rises():
    assert best_so_far([(5, 1.0), (20, 2.0), (30, 0.5)], [1, 5, 25, 100]) == [None, 1.0, 1.0, 0.5]


def test_best_so_far_takes_points_in_any_order():
    assert best_so_far([(30, 0.5), (5, 1.0)], [10, 30]) == [1.0, 0.5]


def test_best_so_far_leaves_out_what_is_not_finite():
    assert best_so_far([(1, float("nan")), (2, float("inf")), (3, 4.0)], [2, 3]) == [None, 4.0]


def test_mean_curve_starts_where_every_run_has_a_loss():
    early, late = [(1, 1.0), (100, 0.0)], [(10, 2.0)]
    means = mean_curve([(early, 100), (late, 100)])
    assert means[0] == 1.5
    assert means[-1] == 1.0
    assert len(means) < SPARKLINE_POINTS
    assert mean_curve([]) == []
