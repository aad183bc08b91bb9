"""Standard deviation of a layer's input, which scales the random projections of BBTv2."""

import torch

__all__ = ["CLIP_ROUNDS", "CLIP_STDS", "winsorised_std"]

CLIP_ROUNDS = 5
CLIP_STDS = 3.0


def winsorised_std(states: torch.Tensor) -> float:
    """Clip to mean +- 3 std five times and return the standard deviation.

    Each round recomputes the mean and the (population) standard deviation in float64.

    Args:
        states: real tokens only, any shape and floating type.

    Source: the initialisation of deep prompts in BBTv2, arXiv 2205.11200, section 4.2. The
    authors' code includes padding and the candidate's own prompt; this function does not.
    """
    values = states.double().flatten()
    for _ in range(CLIP_ROUNDS):
        mean, spread = values.mean(), CLIP_STDS * values.std(correction=0)
        values = values.clamp(mean - spread, mean + spread)
    return float(values.std(correction=0))
