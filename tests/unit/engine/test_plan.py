import numpy as np
import pytest

from harness.engine.plan import plan_query


@pytest.mark.parametrize("n_rows", [1, 7, 97])
@pytest.mark.parametrize("n_candidates", [1, 3, 20])
@pytest.mark.parametrize("chunk_tokens", [1, 64, 1000, 100_000])
def test_plan_covers_everything_once_within_the_bounds(n_rows, n_candidates, chunk_tokens):
    lengths = np.random.default_rng(n_rows).integers(5, 120, n_rows)
    plan = plan_query(lengths, n_candidates, chunk_tokens)
    members = np.concatenate([wave.members for wave in plan.waves])
    assert sorted(members.tolist()) == list(range(n_rows))
    assert (np.diff(lengths[members]) >= 0).all()
    taken = [candidate for group in plan.groups for candidate in range(group.start, group.stop)]
    assert taken == list(range(n_candidates))
    sizes = [group.stop - group.start for group in plan.groups]
    assert max(sizes) - min(sizes) <= 1
    for wave in plan.waves:
        tokens = lengths[wave.members].sum()
        assert wave.tokens.stop - wave.tokens.start == tokens
        assert tokens * max(sizes) <= chunk_tokens or (len(wave.members) == 1 and max(sizes) == 1)


def test_plan_wave_tokens_follow_each_other():
    plan = plan_query(np.array([30, 10, 20, 40]), 1, 50)
    assert [wave.members.tolist() for wave in plan.waves] == [[1, 2], [0], [3]]
    assert [wave.tokens for wave in plan.waves] == [slice(0, 30), slice(30, 60), slice(60, 100)]


def test_plan_large_chunk_batches_all_candidates():
    plan = plan_query(np.array([9, 9, 9]), 20, 10_000)
    assert plan.groups == (slice(0, 20),)
    assert len(plan.waves) == 1


def test_plan_equal_lengths_keep_the_order_of_rows():
    plan = plan_query(np.array([9, 8, 9, 8]), 1, 10_000)
    assert plan.waves[0].members.tolist() == [1, 3, 0, 2]
