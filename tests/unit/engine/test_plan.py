import numpy as np
import pytest

from harness.engine.plan import BUCKET_TOKENS, plan_query


@pytest.mark.parametrize("n_rows", [1, 7, 97])
@pytest.mark.parametrize("n_candidates", [1, 3, 20])
@pytest.mark.parametrize("chunk_tokens", [1, 64, 1000, 100_000])
def test_plan_covers_everything_once_within_the_bounds(n_rows, n_candidates, chunk_tokens):
    lengths = np.random.default_rng(n_rows).integers(5, 120, n_rows)
    plan = plan_query(lengths, n_candidates, chunk_tokens)
    members = np.concatenate([block.members for block in plan.blocks])
    assert sorted(members.tolist()) == list(range(n_rows))
    for block in plan.blocks:
        own = lengths[block.members]
        assert block.width == own.max()
        assert own.max() - own.min() < BUCKET_TOKENS
        assert block.width * len(own) <= chunk_tokens or len(own) == 1
    taken = [candidate for group in plan.groups for candidate in range(group.start, group.stop)]
    assert taken == list(range(n_candidates))
    padded = sum(block.width * len(block.members) for block in plan.blocks)
    assert all(
        (group.stop - group.start) * padded <= chunk_tokens or group.stop - group.start == 1
        for group in plan.groups
    )


def test_plan_large_chunk_batches_all_candidates():
    plan = plan_query(np.array([9, 9, 9]), 20, 10_000)
    assert plan.groups == (slice(0, 20),)
    assert len(plan.blocks) == 1


def test_plan_equal_lengths_keep_the_order_of_rows():
    plan = plan_query(np.array([9, 8, 9, 8]), 1, 10_000)
    assert plan.blocks[0].members.tolist() == [1, 3, 0, 2]
