"""Adapters: h + W_up gelu(W_down h) after attention and after the feed-forward map of every layer.

Source: Houlsby et al. 2019, arXiv 1902.00751. peft has no bottleneck adapter for encoders, so it is here.
"""

from typing import Any

import torch
from torch import nn

from harness.references import MaskedLM


class Bottleneck(nn.Module):
    """A linear map followed by a bottleneck adapter that is initialized to zero."""

    def __init__(self, linear: nn.Linear, size: int) -> None:
        """Wrap a frozen map."""
        super().__init__()
        self.linear = linear
        self.down = nn.Linear(linear.out_features, size)
        self.up = nn.Linear(size, linear.out_features)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Map (..., inputs) to (..., outputs)."""
        mapped = self.linear(states)
        return mapped + self.up(nn.functional.gelu(self.down(mapped)))


class Adapter:
    """Tunes 2 * (2 D m + D + m) values per layer."""

    def __init__(self, bottleneck: int = 24) -> None:
        """Store m, the width of the bottleneck."""
        self.bottleneck = bottleneck

    def adapt(self, model: Any, n_prompt_tokens: int) -> MaskedLM:  # noqa: ARG002 (the contract)
        """Freeze the model and add a bottleneck after both output maps of every layer."""
        model.requires_grad_(requires_grad=False)
        for layer in model.base_model.encoder.layer:
            layer.attention.output.dense = Bottleneck(layer.attention.output.dense, self.bottleneck)
            layer.output.dense = Bottleneck(layer.output.dense, self.bottleneck)
        return MaskedLM(model)
