import numpy as np
import pytest
import torch

from harness.engine.layer_std import winsorised_std


def test_winsorised_std_without_outliers_is_the_std():
    values = np.linspace(-1, 1, 1000)
    assert winsorised_std(torch.tensor(values)) == pytest.approx(values.std(), rel=1e-12)


def test_winsorised_std_clips_in_five_rounds():
    values = np.array([0.0, 1.0] * 500 + [1e6])
    expected = values
    for _ in range(5):
        expected = np.clip(expected, expected.mean() - 3 * expected.std(), expected.mean() + 3 * expected.std())
    assert winsorised_std(torch.tensor(values)) == pytest.approx(expected.std(), rel=1e-12)
    assert winsorised_std(torch.tensor(values)) < values.std() / 100


def test_winsorised_std_computes_in_float64():
    values = torch.tensor([1e4, 1e4 + 1], dtype=torch.float32).repeat(100_000)
    assert winsorised_std(values) == pytest.approx(0.5, rel=1e-9)
