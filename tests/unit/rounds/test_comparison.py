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
    assert row.totals == [70.0, 80.0]
    text = Comparison(("a", "b"), (row,)).markdown().splitlines()[-1]
    assert text == "| ours | 65.0 ± 7.1 | 85.0 ± 7.1 | 75.0 [11.5, 138.5] | 12 | 1.2 |"


def test_row_with_a_failed_run_shows_no_mean():
    row = MethodRow("ours", {"a": [60.0]}, 12.0, 0.5, 1.25, ("b 8: RTE",))
    assert row.totals == []
    assert Comparison(("a", "b"), (row,)).cells(row)[1:4] == ["60.0", "-", "b 8: RTE"]
