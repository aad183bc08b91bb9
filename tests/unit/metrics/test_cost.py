import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.efficiency import efficiency
from harness.metrics.noise import noise_floor
from harness.metrics.ranking import pareto_front


def test_efficiency_is_zero_for_the_manual_prompt_and_one_for_perfection_at_once():
    assert efficiency([], 60.0, 400) == 0.0
    assert efficiency([(0, 60.0)], 60.0, 400) == 0.0
    assert efficiency([(0, 100.0)], 60.0, 400) == pytest.approx(1.0)


def test_efficiency_is_the_area_of_the_steps_over_log_calls():
    expected = (0.5 * math.log(4) + 0.25 * math.log(10)) / math.log(400)
    assert efficiency([(100, 80.0), (10, 70.0)], 60.0, 400) == pytest.approx(expected)


def test_efficiency_below_the_manual_prompt_is_negative():
    assert efficiency([(1, 40.0)], 60.0, 400) < 0


@given(st.dictionaries(st.integers(0, 400), st.floats(50, 100), max_size=8), st.integers(0, 399))
def test_rising_incumbents_later_are_never_more_efficient(incumbents, delay):
    rising = list(zip(sorted(incumbents), sorted(incumbents.values()), strict=True))
    later = [(min(400, calls + delay), score) for calls, score in rising]
    assert efficiency(later, 50.0, 400) <= efficiency(rising, 50.0, 400) + 1e-12


@pytest.mark.parametrize(("manual", "budget", "calls"), [(100.0, 10, 1), (-1.0, 10, 1), (50.0, 1, 0), (50.0, 10, 11)])
def test_efficiency_of_impossible_numbers_is_refused(manual, budget, calls):
    with pytest.raises(ValueError, match=r"manual score|incumbents"):
        efficiency([(calls, 70.0)], manual, budget)


def test_pareto_keeps_what_nobody_beats_on_both():
    points = [(80.0, 100), (80.0, 90), (70.0, 10), (60.0, 10), None, (80.0 + 1e-12, 90), (10.0, 0)]
    assert pareto_front(points) == [False, True, True, False, False, True, True]


@given(st.lists(st.tuples(st.integers(0, 5).map(float), st.integers(0, 5)), max_size=12))
def test_pareto_equals_its_definition(points):
    def beaten(own):
        return any(o[0] >= own[0] and o[1] <= own[1] and o != own for o in points)

    assert pareto_front(points) == [not beaten(point) for point in points]


def test_noise_floor_is_the_spread_of_repeats():
    floor = noise_floor([70.0, 72.0, 74.0])
    assert (floor.n_repeats, floor.mean, floor.std) == (3, 72.0, 2.0)
    assert floor.difference == pytest.approx(5.54, abs=0.01)
    with pytest.raises(ValueError, match="2 or more"):
        noise_floor([70.0])
