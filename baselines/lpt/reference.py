"""Late prompt tuning: l prompt vectors are inserted in front of the sequence before a middle layer.

The layers below run without gradients, so they store no activations.
Generators of the prompts from the states h (B, T, D) before that layer:

none  l free vectors
npg   h at position 0 -> Linear(D, m) -> ReLU -> Linear(m, l * D)
mppg  h -> Linear(D, m) -> adaptive max pool over real tokens to l -> ReLU -> Linear(m, D)
appg  the same with average pooling

Source: Liu et al. 2022, "Late Prompt Tuning", arXiv 2210.11292: l = 5, after layer 12 of 24, m = 128.
"""

from typing import Any

import torch
from torch import nn

from harness.references import Adapted, Batch, additive_mask


class LatePromptTuning:
    """Tunes only the prompts or their generator."""

    def __init__(self, generator: str = "appg", n_prompts: int = 5, bottleneck: int = 128) -> None:
        """Store the generator's name, l and m.

        Raises:
            ValueError: the generator is unknown.
        """
        if generator not in GENERATORS:
            raise ValueError(f"generator is {generator!r}, expected one of {', '.join(GENERATORS)}")
        self.generator = generator
        self.n_prompts = n_prompts
        self.bottleneck = bottleneck

    def adapt(self, model: Any, n_prompt_tokens: int) -> "LateModel":  # noqa: ARG002 (the contract)
        """Freeze the model and insert a generator after half of its layers."""
        model.requires_grad_(requires_grad=False)
        size = model.config.hidden_size
        return LateModel(model, GENERATORS[self.generator](size, self.bottleneck, self.n_prompts))


class LateModel(Adapted):
    """A masked LM whose upper half has generated prompts in its input."""

    def __init__(self, model: Any, generator: nn.Module) -> None:
        """Insert after half of the layers."""
        super().__init__(model)
        self.generator = generator
        self.first_late = len(model.base_model.encoder.layer) // 2

    def features(self, batch: Batch) -> torch.Tensor:
        """Return the final hidden states at the read position, (B, D)."""
        body = self.model.base_model
        layers = body.encoder.layer
        with torch.no_grad():
            states = body.embeddings(input_ids=batch.ids)
            below = additive_mask(batch.mask, states.dtype)
            for layer in layers[: self.first_late]:
                states = layer(states, below)
        prompts = self.generator(states, batch.mask)
        n = prompts.shape[1]
        states = torch.cat([prompts, states], dim=1)
        above = additive_mask(torch.cat([batch.mask.new_ones(len(batch.mask), n), batch.mask], dim=1), states.dtype)
        for layer in layers[self.first_late :]:
            states = layer(states, above)
        at_read: torch.Tensor = states[torch.arange(len(batch.read)), batch.read + n]
        return at_read


class Free(nn.Module):
    """Prompts independent of the example."""

    def __init__(self, size: int, _bottleneck: int, n_prompts: int) -> None:
        """Draw l vectors with the standard deviation of a model's initial weights."""
        super().__init__()
        self.prompts = nn.Parameter(0.02 * torch.randn(n_prompts, size))

    def forward(self, states: torch.Tensor, _mask: torch.Tensor) -> torch.Tensor:
        """Return prompts (B, l, D)."""
        return self.prompts.expand(len(states), -1, -1)


class Naive(nn.Module):
    """Prompts from the first state."""

    def __init__(self, size: int, bottleneck: int, n_prompts: int) -> None:
        """Make both maps."""
        super().__init__()
        self.down = nn.Linear(size, bottleneck)
        self.up = nn.Linear(bottleneck, n_prompts * size)
        self.n_prompts = n_prompts

    def forward(self, states: torch.Tensor, _mask: torch.Tensor) -> torch.Tensor:
        """Return prompts (B, l, D)."""
        return self.up(torch.relu(self.down(states[:, 0]))).view(len(states), self.n_prompts, -1)


class Pooled(nn.Module):
    """Prompts from all real tokens, pooled over l segments of the sequence."""

    def __init__(self, size: int, bottleneck: int, n_prompts: int, *, by_max: bool) -> None:
        """Make both maps."""
        super().__init__()
        self.down = nn.Linear(size, bottleneck)
        self.up = nn.Linear(bottleneck, size)
        self.pool = nn.AdaptiveMaxPool1d(n_prompts) if by_max else nn.AdaptiveAvgPool1d(n_prompts)

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return prompts (B, l, D)."""
        narrow = self.down(states).transpose(1, 2)  # (B, m, T)
        # Padding is at the end: each example is pooled over its own length.
        lengths = mask.sum(dim=1).tolist()
        pooled = torch.stack([self.pool(row[:, :length]) for row, length in zip(narrow, lengths, strict=True)])
        return self.up(torch.relu(pooled.transpose(1, 2)))


GENERATORS: dict[str, Any] = {
    "none": Free,
    "npg": Naive,
    "mppg": lambda *sizes: Pooled(*sizes, by_max=True),
    "appg": lambda *sizes: Pooled(*sizes, by_max=False),
}
