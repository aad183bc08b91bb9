from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.api import Solution
from harness.session.incumbents import KEPT_STATES, MAX_INCUMBENTS, Checkpoint, Incumbents

STATE_BYTES = 64


def named(budget, calls, state_bytes=0):
    incumbents = Incumbents(budget, STATE_BYTES)
    solution = Solution(np.zeros((1, 1, 1, 1), np.float32), state={"s": np.zeros(state_bytes, np.uint8)})
    for number in calls:
        incumbents.name(Checkpoint(number, solution))
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


@given(st.integers(0, STATE_BYTES), st.lists(st.integers(0, 400), min_size=1, max_size=30))
def test_states_together_are_bounded_and_the_newest_stay(state_bytes, calls):
    kept = named(400, sorted(calls), state_bytes).all
    assert sum(checkpoint.state_bytes for checkpoint in kept) <= KEPT_STATES * STATE_BYTES
    small = named(400, sorted(calls)).all
    assert [checkpoint.calls for checkpoint in kept] == [checkpoint.calls for checkpoint in small][-len(kept) :]


def test_full_states_leave_as_many_incumbents_as_fit():
    assert len(named(400, range(401), STATE_BYTES).all) == KEPT_STATES
    assert len(named(400, range(401), STATE_BYTES // 4).all) == MAX_INCUMBENTS
