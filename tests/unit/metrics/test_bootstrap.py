import numpy as np
import pytest

from harness.metrics import bootstrap
from harness.metrics.bootstrap import TaskPredictions, replicate_totals
from harness.metrics.official import score
from harness.metrics.tiers import tiers

LABELS = np.random.default_rng(0).integers(0, 3, 120)


def noisy(share, seed, metric="accuracy", labels=LABELS, n_seeds=3):
    """Predictions of which about `share` are right."""
    generator = np.random.default_rng(seed)
    predictions = {
        kshot: np.where(generator.random(labels.size) < share, labels, generator.integers(0, 3, labels.size))
        for kshot in range(n_seeds)
    }
    return TaskPredictions(metric, 3, labels, predictions)


@pytest.mark.parametrize("metric", ["accuracy", "f1_macro"])
def test_replicates_equal_the_official_metric_on_the_rows_drawn(metric, monkeypatch):
    drawn = []
    original = bootstrap._row_weights

    def spy(*arguments):
        for chunk, weights in original(*arguments):
            drawn.append(weights)
            yield chunk, weights

    monkeypatch.setattr(bootstrap, "_row_weights", spy)
    task = noisy(0.5, 1, metric, n_seeds=1)
    totals = replicate_totals({"snli": task}, seed=7, n_replicates=20)
    for total, weights in zip(totals, np.concatenate(drawn), strict=True):
        rows = np.repeat(np.arange(LABELS.size), weights.astype(int))
        assert total == pytest.approx(score(metric, LABELS[rows], task.predictions[0][rows], 3))


def test_replicates_are_the_same_for_the_same_seed_and_do_not_depend_on_chunks(monkeypatch):
    tasks = {"sst2": noisy(0.7, 1), "snli": noisy(0.4, 2, "f1_macro")}
    whole = replicate_totals(tasks, seed=7, n_replicates=50)
    assert np.array_equal(whole, replicate_totals(tasks, seed=7, n_replicates=50))
    assert not np.array_equal(whole, replicate_totals(tasks, seed=8, n_replicates=50))
    monkeypatch.setattr(bootstrap, "_CHUNK_CELLS", 130)
    assert np.array_equal(whole, replicate_totals(tasks, seed=7, n_replicates=50))


def test_replicates_scatter_about_the_score_with_the_standard_error_of_a_proportion():
    labels = np.zeros(400, np.int64)
    predictions = (np.arange(400) % 4 == 0).astype(np.int64)
    task = TaskPredictions("accuracy", 2, labels, {8: predictions})
    totals = replicate_totals({"sst2": task}, seed=1, n_replicates=4000)
    assert totals.mean() == pytest.approx(75.0, abs=0.2)
    assert totals.std() == pytest.approx(100 * np.sqrt(0.75 * 0.25 / 400), rel=0.05)


def test_replicates_draw_seeds_too():
    labels = np.zeros(50, np.int64)
    task = TaskPredictions("accuracy", 2, labels, {8: labels, 13: 1 - labels})
    totals = replicate_totals({"sst2": task}, seed=1, n_replicates=400)
    assert set(np.round(totals)) == {0.0, 50.0, 100.0}


def test_replicates_of_nothing_are_refused():
    with pytest.raises(ValueError, match="at least one task"):
        replicate_totals({}, seed=1)
    with pytest.raises(ValueError, match="0 rows"):
        replicate_totals({"sst2": TaskPredictions("accuracy", 2, np.zeros(0, np.int64), {})}, seed=1)


def test_tiers_join_what_chance_explains_and_part_what_it_does_not():
    shares = (0.90, 0.89, 0.45, 0.44)
    entries = [replicate_totals({"sst2": noisy(share, seed)}, 7) for seed, share in enumerate(shares)]
    assert tiers([*entries[:2], None, *entries[2:]]) == [1, 1, None, 2, 2]


def test_equal_predictions_share_a_tier():
    own = replicate_totals({"sst2": noisy(0.6, 3)}, 7)
    assert tiers([own, own.copy(), own.copy()]) == [1, 1, 1]


def test_each_entry_is_compared_with_the_leader_and_not_with_its_neighbour():
    base = np.random.default_rng(0).normal(80.0, 1.0, 1000)
    steps = [base - 0.9 * number + np.random.default_rng(number).normal(0, 1.0, 1000) for number in range(5)]
    found = tiers(steps)
    assert found[0] == found[1] == 1
    assert found[-1] > 1


def test_tiers_of_nobody_are_none():
    assert tiers([]) == []
