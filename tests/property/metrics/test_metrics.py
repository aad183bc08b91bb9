"""Every metric: the official score and the bootstrap come from one pair of functions."""

from itertools import product

import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from harness.metrics import bootstrap, registry
from harness.metrics.bootstrap import TaskPredictions, replicate_totals
from harness.metrics.official import score
from harness.metrics.registry import Metric


@st.composite
def predicted(draw, n_seeds):
    n_classes, n_rows = draw(st.integers(2, 20)), draw(st.integers(1, 60))
    generator = np.random.default_rng(draw(st.integers(0, 2**31)))
    labels, *predictions = generator.integers(0, n_classes, (1 + n_seeds, n_rows))
    return n_classes, labels, dict(enumerate(predictions))


@settings(max_examples=examples(60))
@given(predicted(n_seeds=1))
def test_official_scores_are_those_of_scikit_learn_bit_for_bit(case):
    n_classes, labels, predictions = case
    f1 = f1_score(labels, predictions[0], average="macro", labels=range(n_classes), zero_division=0)
    assert score("f1_macro", labels, predictions[0], n_classes) == 100.0 * float(f1)
    accuracy = accuracy_score(labels, predictions[0])
    assert score("accuracy", labels, predictions[0], n_classes) == 100.0 * float(accuracy)


def _lengths(labels, predictions, n_classes):
    return np.stack([predictions + 1.0, labels + 1.0], axis=1)


def _length_ratio(sums, full=100.0):
    """Like BLEU's brevity penalty: of the whole corpus, not a mean over rows."""
    return full * np.minimum(1.0, np.exp(1.0 - sums[..., 1] / sums[..., 0]))


THIRD = Metric("brevity", "brevity", "classification", _lengths, _length_ratio)


@pytest.mark.parametrize("name", ["accuracy", "f1_macro", "brevity"])
@settings(max_examples=examples(25))
@given(case=st.integers(1, 3).flatmap(predicted), seed=st.integers(0, 2**31))
def test_bootstrap_of_any_metric_equals_naive_resampling(name, case, seed):
    n_classes, labels, predictions = case
    n_replicates, draws = 5, []
    original = bootstrap._row_weights

    def spy(*arguments):
        for chunk, weights in original(*arguments):
            draws.append(weights.astype(int))
            yield chunk, weights

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry._METRICS, THIRD.name, THIRD)
        patch.setattr(bootstrap, "_row_weights", spy)
        task = TaskPredictions(name, n_classes, labels, predictions)
        totals = replicate_totals({"one": task}, seed, n_replicates)
        for total, counts in zip(totals, np.concatenate(draws), strict=True):
            rows = np.repeat(np.arange(labels.size), counts)
            assert rows.size == labels.size
            naive = [score(name, labels[rows], own[rows], n_classes) for own in predictions.values()]
            # The seeds are drawn with replacement too: any mean of as many scores is a replicate.
            means = [np.mean(chosen) for chosen in product(naive, repeat=len(naive))]
            assert np.isclose(total, means).any()
