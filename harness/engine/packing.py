"""Inputs packed one after the other: ragged, and yet without a token of padding."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from harness.records import IntArray

__all__ = ["Packing", "Run"]


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive inputs of one length: G candidates, each on the same n examples.

    Attributes:
        first: the run's first token.
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
    """How the inputs of one forward step lie in a flat array of N tokens.

    Whatever is done token by token (embeddings, linear maps, norms) sees (N, D) and never pads;
    attention goes run by run.

    Attributes:
        runs: in order, without a gap.
        ids: int64 (N,).
        read: int64 (inputs,), the token of each input's read position.
        candidates: int64 (inputs,), which of the G candidates an input belongs to.
        members: int64 (inputs,), the input's position within the query's rows.
        begins: int64 (inputs,), the first token of each input.
        lengths: int64 (inputs,), T of each.
        n_candidates: G.
        n_tokens: N.
        n_without_token: in mode "cat" M, else 0: prompt positions that hold no token. A decoder that
            reads the input's own tokens leaves them out.
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
        """Copy what all candidates share, (N / G, D), to each of them: (N, D)."""
        if self.n_candidates == 1:
            return shared.clone()
        copies = shared.new_empty((self.n_tokens, shared.shape[1]))
        for run in self.runs:
            own = slice(run.tokens.start // self.n_candidates, run.tokens.stop // self.n_candidates)
            copies[run.tokens].view(self.n_candidates, -1, shared.shape[1])[:] = shared[own]
        return copies

    def of_candidate(self, states: torch.Tensor, candidate: int) -> torch.Tensor:
        """Return one candidate's tokens of all runs: (N, D) to (N / G, D)."""
        parts = [
            states[run.tokens].view(self.n_candidates, -1, states.shape[1])[candidate] for run in self.runs
        ]
        return torch.cat(parts)
