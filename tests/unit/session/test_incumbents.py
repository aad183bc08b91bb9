from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from harness.session.incumbents import MAX_INCUMBENTS, Checkpoint, Incumbents


def named(budget, calls):
    incumbents = Incumbents(budget)
    for number in calls:
        incumbents.name(Checkpoint(number, object()))
    return incumbents


def test_nothing_named_leaves_nothing():
    assert named(400, []).newest is None
    assert named(400, []).all == ()


@given(st.integers(1, 8000), st.data())
def test_at_most_eight_are_kept_in_order_and_the_newest_is_one_of_them(budget, data):
    calls = sorted(data.draw(st.lists(st.integers(0, budget), min_size=1, max_size=60)))
    incumbents = named(budget, calls)
    kept = [checkpoint.calls for checkpoint in incumbents.all]
    assert len(kept) <= MAX_INCUMBENTS
    assert kept == sorted(set(kept))
    assert kept[-1] == incumbents.newest.calls == calls[-1]


def test_naming_more_often_shows_no_more_of_the_test_set():
    assert len(named(400, range(401)).all) == MAX_INCUMBENTS
    assert len(named(400, [400] * 100).all) == 1


def test_the_grid_is_logarithmic():
    kept = [checkpoint.calls for checkpoint in named(8000, range(8001)).all]
    ratios = [(after + 1) / (before + 1) for before, after in pairwise(kept[2:])]
    assert all(2.5 < ratio < 3.7 for ratio in ratios)
