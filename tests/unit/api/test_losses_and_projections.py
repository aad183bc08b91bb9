import numpy as np
import pytest
import torch
from torch.nn import functional

from harness.api.losses import LOSSES, cross_entropy, hinge, log_softmax, negative_accuracy
from harness.api.projections import normal_projection, uniform_projection


@pytest.fixture
def logits():
    return (5 * np.random.default_rng(0).standard_normal((3, 8, 4))).astype(np.float32)


LABELS = np.array([0, 1, 2, 3, 3, 2, 1, 0])


def test_losses_are_those_of_torch(logits):
    for candidate, scores in enumerate(torch.tensor(logits, dtype=torch.float64)):
        labels = torch.tensor(LABELS)
        assert cross_entropy(logits, LABELS)[candidate] == pytest.approx(
            float(functional.cross_entropy(scores, labels))
        )
        # torch divides the sum over classes by C.
        margin = 4 * functional.multi_margin_loss(scores, labels, margin=2.0)
        assert hinge(logits, LABELS)[candidate] == pytest.approx(float(margin))
        right = float((scores.argmax(-1) == labels).double().mean())
        assert negative_accuracy(logits, LABELS)[candidate] == pytest.approx(-right)


def test_losses_of_huge_logits_are_finite():
    logits = np.array([[[1e30, -1e30]]], np.float32)
    assert all(np.isfinite(loss(logits, np.array([1]))).all() for loss in LOSSES.values())
    assert log_softmax(logits)[0, 0, 0] == 0.0


def test_points_of_the_first_step_become_prompts_of_the_wanted_spread():
    draw = np.random.default_rng(1)
    matrix = normal_projection(draw, 4000, 50, std=0.7, alpha=0.5, sigma=0.2)
    prompt = matrix @ (0.2 * draw.standard_normal(50))
    assert prompt.std() == pytest.approx(0.35, rel=0.25)
    assert matrix.dtype == np.float32


def test_uniform_projection_is_bounded():
    matrix = uniform_projection(np.random.default_rng(1), 1000, 25)
    assert 0.19 < np.abs(matrix).max() <= 0.2
    assert matrix.dtype == np.float32
