import math

import pytest
from scipy import stats

from leaderboard.comparison import ALL_TASKS, paired_differences


def test_difference_of_a_task_is_the_paired_t_interval():
    mine, other = {8: 70.0, 13: 72.0, 42: 75.0}, {8: 69.0, 13: 70.0, 42: 70.0}
    (found, _) = paired_differences("a", {"x": mine}, {"x": other}, ["x"])
    interval = stats.ttest_rel(list(mine.values()), list(other.values())).confidence_interval()
    assert found.mean == pytest.approx(8 / 3)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert not found.is_clear


def test_seeds_that_only_one_has_are_left_out():
    (found, _) = paired_differences("a", {"x": {8: 1.0, 13: None, 42: 3.0}}, {"x": {8: 0.0, 13: 5.0}}, ["x"])
    assert (found.mean, found.low, found.n_pairs) == (1.0, None, 1)


def test_all_tasks_is_the_mean_of_the_tasks_with_their_errors_added():
    mine = {"x": {1: 1.0, 2: 3.0}, "y": {1: 5.0, 2: 5.0}}
    zero = {task: {1: 0.0, 2: 0.0} for task in mine}
    total = paired_differences("a", mine, zero, ["x", "y"])[-1]
    assert (total.task, total.mean, total.n_pairs) == (ALL_TASKS, 3.5, 4)
    # Only x varies: variance 2, two pairs, half the weight; so one degree of freedom.
    half = stats.t.ppf(0.975, 1) * math.sqrt(2 / 2 / 4)
    assert (total.low, total.high) == pytest.approx((3.5 - half, 3.5 + half))


def test_equal_differences_give_an_interval_of_no_width():
    total = paired_differences("a", {"x": {1: 2.0, 2: 2.0}}, {"x": {1: 1.0, 2: 1.0}}, ["x"])[-1]
    assert (total.low, total.mean, total.high) == (1.0, 1.0, 1.0)
    assert total.is_clear


def test_a_task_without_pairs_leaves_out_the_total():
    found = paired_differences("a", {"x": {1: 2.0}}, {"x": {1: 1.0}}, ["x", "y"])
    assert [(each.task, each.mean) for each in found] == [("x", 1.0), ("y", None)]
