"""Inputs of different lengths, packed one after the other without padding."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from harness.records import IntArray

__all__ = ["Packing", "Run"]


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive inputs of equal length: G candidates, each on the same n examples.

    Attributes:
        first: index of the run's first token.
        n_examples: n.
        n_inputs: G * n, candidate-major.
        length: T, tokens of each.
    """

    first: int
    n_examples: int
    n_inputs: int
    length: int

    @property
    def tokens(self) -> slice:
        """The run's tokens within the packing."""
        return slice(self.first, self.first + self.n_inputs * self.length)


@dataclass(frozen=True, slots=True)
class Packing:
    """Layout of one forward step's inputs in a flat array of N tokens.

    Operations per token (embeddings, linear maps, norms) run on (N, D) without padding; attention
    runs per `Run`.

    Attributes:
        runs: in order, without gaps.
        ids: int64 (N,).
        read: int64 (inputs,), the token of each input's read position.
        candidates: int64 (inputs,), which of the G candidates an input belongs to.
        members: int64 (inputs,), the input's position within the query's rows.
        begins: int64 (inputs,), the first token of each input.
        lengths: int64 (inputs,), T of each.
        n_candidates: G.
        n_tokens: N.
        n_without_token: number of prompt positions without a token: M in mode "cat", else 0. A
            decoder that reads the encoder's tokens skips them.
    """

    runs: tuple[Run, ...]
    ids: torch.Tensor
    read: torch.Tensor
    candidates: IntArray
    members: IntArray
    begins: IntArray
    lengths: IntArray
    n_candidates: int
    n_tokens: int
    n_without_token: int = 0

    def windows(self, states: torch.Tensor, start: int, width: int) -> Iterator[torch.Tensor]:
        """Yield per run a view of `width` positions from `start` on: (N, D) to (G, n, width, D)."""
        for run in self.runs:
            shape = (self.n_candidates, run.n_examples, run.length, states.shape[1])
            yield states[run.tokens].view(shape)[:, :, start : start + width]

    def spread(self, shared: torch.Tensor) -> torch.Tensor:
        """Copy the states that all candidates share, (N / G, D), to each candidate: (N, D)."""
        if self.n_candidates == 1:
            return shared.clone()
        copies = shared.new_empty((self.n_tokens, shared.shape[1]))
        for run in self.runs:
            own = slice(run.tokens.start // self.n_candidates, run.tokens.stop // self.n_candidates)
            copies[run.tokens].view(self.n_candidates, -1, shared.shape[1])[:] = shared[own]
        return copies

    def of_candidate(self, states: torch.Tensor, candidate: int) -> torch.Tensor:
        """Return one candidate's tokens of all runs: (N, D) to (N / G, D)."""
        parts = [states[run.tokens].view(self.n_candidates, -1, states.shape[1])[candidate] for run in self.runs]
        return torch.cat(parts)
