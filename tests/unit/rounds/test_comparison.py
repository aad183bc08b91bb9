import pytest
from scipy import stats

from harness.rounds.comparison import Comparison, MethodRow, mean_interval


def test_interval_is_students():
    values = [70.0, 74.0, 81.0]
    mean, low, high = mean_interval(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean == pytest.approx(75.0)
    assert (low, high) == pytest.approx((expected.low, expected.high))


def test_interval_of_one_value_is_refused():
    with pytest.raises(ValueError, match="two values"):
        mean_interval([1.0])


def test_row_shows_each_task_and_the_mean_over_tasks_per_seed():
    row = MethodRow("ours", {"a": [60.0, 70.0], "b": [80.0, 90.0]}, 12.0, 0.5, 1.25)
    assert row.total == pytest.approx(75.0)
    assert row.interval == pytest.approx(mean_interval([70.0, 80.0]))
    text = Comparison(("a", "b"), (row,)).markdown().splitlines()[-1]
    assert text == "| ours | 65.0 ± 7.1 | 85.0 ± 7.1 | 75.0 [11.5, 138.5] | 12 | 1.2 |"


def test_row_with_a_failed_run_shows_no_mean():
    row = MethodRow("ours", {"a": [60.0]}, 12.0, 0.5, 1.25, ("b 8: RTE",))
    assert (row.total, row.interval) == (None, None)
    assert Comparison(("a", "b"), (row,)).cells(row)[1:4] == ["60.0", "-", "b 8: RTE"]


def test_tasks_with_different_numbers_of_seeds_weigh_the_same_and_have_no_interval():
    """As on the board: the mean over tasks of the mean over seeds."""
    row = MethodRow("ours", {"a": [60.0, 90.0, 90.0], "b": [50.0]}, 12.0, 0.5, 1.25)
    assert (row.total, row.interval) == (pytest.approx(65.0), None)
    assert Comparison(("a", "b"), (row,)).cells(row)[3] == "65.0"


def test_rows_stand_in_order_of_their_totals_and_failures_last():
    rows = [
        MethodRow("low", {"a": [10.0]}, None, None, 1.0),
        MethodRow("failed", {"a": [99.0]}, 1.0, 1.0, 1.0, ("a 8: RTE",)),
        MethodRow("high", {"a": [20.0]}, None, None, 1.0),
    ]
    comparison = Comparison(("a",), rows)
    assert [row.name for row in comparison.rows] == ["high", "low", "failed"]
    assert [line["total"] for line in comparison.as_json()] == [20.0, 10.0, None]
