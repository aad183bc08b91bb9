"""What the registry computes, against numbers made before there was one (revision c596e59)."""

import hashlib

import numpy as np
import pytest

from harness.metrics.bootstrap import TaskPredictions, replicate_totals
from harness.metrics.official import score
from harness.metrics.registry import METRIC_NAMES, find_metric

# Classes, rows, share of right predictions, seed of the draw. The last lacks two classes.
CASES = {"two": (2, 257, 0.7, 1), "three": (3, 300, 0.4, 2), "fourteen": (14, 701, 0.55, 3), "absent": (5, 7, 0.2, 4)}  # fmt: skip

OFFICIAL = {
    ("accuracy", "two"): (88.715953307393, 80.54474708171206),
    ("accuracy", "three"): (64.0, 59.66666666666667),
    ("accuracy", "fourteen"): (58.345221112696144, 60.05706134094151),
    ("accuracy", "absent"): (14.285714285714285, 28.57142857142857),
    ("f1_macro", "two"): (88.71526989174048, 80.50904016502851),
    ("f1_macro", "three"): (63.88225809278442, 59.59123985400486),
    ("f1_macro", "fourteen"): (58.00535384031929, 59.65171949584545),
    ("f1_macro", "absent"): (10.0, 11.428571428571429),
}
# First three of 1000 totals, and the SHA-256 of all as little-endian float64.
REPLICATES = {
    ("accuracy", 20230601): ([59.333260403117535, 56.57642784851414, 59.614394975246896],
                             "7dc3f667fcb4b3177f09b54c264c1696b9e4c27f6edf028e26090525b822ce6f"),
    ("f1_macro", 20230601): ([54.48871978762688, 54.81983706397391, 54.89994210136239],
                             "f6a91eb37fdaad3ea0c58f3111b189accf67a8403a1b679d4b2f7ee99e4959a4"),
}  # fmt: skip


def drawn(case):
    n_classes, n_rows, share, seed = case
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, n_classes, n_rows)
    predictions = {
        kshot: np.where(generator.random(n_rows) < share, labels, generator.integers(0, n_classes, n_rows))
        for kshot in range(3)
    }
    return labels, predictions


@pytest.mark.parametrize(("metric", "name"), OFFICIAL)
def test_official_score_keeps_its_bits(metric, name):
    labels, predictions = drawn(CASES[name])
    found = tuple(score(metric, labels, predictions[kshot], CASES[name][0]) for kshot in (0, 1))
    assert found == OFFICIAL[metric, name]


@pytest.mark.parametrize(("metric", "seed"), REPLICATES)
def test_replicates_keep_their_bits(metric, seed):
    tasks = {name: TaskPredictions(metric, case[0], *drawn(case)) for name, case in CASES.items()}
    totals = replicate_totals(tasks, seed)
    first, digest = REPLICATES[metric, seed]
    assert totals[:3].tolist() == first
    assert hashlib.sha256(totals.astype("<f8").tobytes()).hexdigest() == digest


def test_an_unknown_metric_is_refused_and_the_known_ones_are_named():
    labels = np.zeros(3, np.int64)
    for compute in (
        lambda: find_metric("bleu"),
        lambda: score("bleu", labels, labels, 2),
        lambda: replicate_totals({"sst2": TaskPredictions("bleu", 2, labels, {8: labels})}, seed=1),
    ):
        with pytest.raises(ValueError, match="got 'bleu', expected one of accuracy, f1_macro"):
            compute()


@pytest.mark.parametrize("name", METRIC_NAMES)
@pytest.mark.parametrize("n_classes", [2, 14])
def test_aggregate_of_many_sums_equals_that_of_each_alone(name, n_classes):
    metric = find_metric(name)
    labels, predictions = drawn((n_classes, 60, 0.5, 9))
    per_row = metric.statistics(labels, predictions[0], n_classes)
    sums = np.random.default_rng(0).integers(0, 3, (4, 5, 60)) @ per_row
    scores = metric.aggregate(sums)
    assert scores.shape == (4, 5)
    assert all(scores[i, j] == metric.aggregate(sums[i, j]) for i in range(4) for j in range(5))
