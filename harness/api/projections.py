"""Random projections from a low-dimensional search space to a prompt, for solvers."""

import numpy as np

from harness.records import FloatArray

__all__ = ["normal_projection", "uniform_projection"]


def normal_projection(
    generator: np.random.Generator, n_values: int, intrinsic_dim: int, *, std: float, alpha: float, sigma: float
) -> FloatArray:
    """Draw A, float32 (n_values, d), entries N(0, s^2) with s = alpha * std / (sqrt(d) * sigma).

    A point z drawn with step size sigma gives a prompt with standard deviation alpha * std.

    Args:
        generator: draws the entries, row by row.
        n_values: values of a prompt, M * D.
        intrinsic_dim: d.
        std: standard deviation of the layer's input, an entry of `Response.layer_std`.
        alpha: the prompt's standard deviation in units of `std`.
        sigma: initial step size of the search.

    Source: Sun et al. 2022, arXiv 2205.11200, equation 5 and the authors' public code.
    """
    matrix = generator.standard_normal((n_values, intrinsic_dim), dtype=np.float32)
    matrix *= np.float32(alpha * std / (np.sqrt(intrinsic_dim) * sigma))
    return matrix


def uniform_projection(generator: np.random.Generator, n_values: int, intrinsic_dim: int) -> FloatArray:
    """Draw A, float32 (n_values, d), entries uniform in +-1/sqrt(d).

    Source: Sun et al. 2022, arXiv 2201.03514, and the authors' public code.
    """
    bound = 1 / np.sqrt(intrinsic_dim)
    return generator.uniform(-bound, bound, (n_values, intrinsic_dim)).astype(np.float32)
