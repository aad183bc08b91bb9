"""The decoder of an encoder-decoder, up to the read position.

The prompt acts on it only through the encoder's output. Attention is causal, so later positions are
not computed; the last layer runs at the read position only.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch.nn import functional

from harness.engine.layers.attention import attend_without_keys
from harness.engine.layers.embeddings import Embeddings
from harness.engine.layers.layer import Layer, Transform, Weights, by_head, scaled_query
from harness.engine.layers.linear import Linear, lay_out
from harness.engine.packing import Packing, Run
from harness.records import IntArray

__all__ = ["CrossAttention", "Decoder", "DecoderInput", "DecoderLayer", "Memory", "Piece"]


@dataclass(frozen=True, slots=True)
class Piece:
    """Inputs of one run of the encoder whose decoder inputs have equal length.

    Attributes:
        run: the encoder's run.
        members: int64 (n,), indices of its inputs; None means all, in order.
        ids: int64 (n, d), the decoder's tokens; the last position is the read position.
    """

    run: Run
    members: IntArray | None
    ids: torch.Tensor


class DecoderInput(Protocol):
    """Input tokens of a family's decoder."""

    def pieces(self, packing: Packing) -> Iterable[Piece]:
        """Return the decoder's tokens for each input of the encoder once, run by run."""
        ...

    def padded(self, ids: torch.Tensor, read: torch.Tensor, n_without_token: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a padded batch and the read position of each row, for `reference.py`.

        Args:
            ids: int64 (B, T), the encoder's input, padded on the right.
            read: int64 (B,), its read positions.
            n_without_token: number of prompt positions without a token; see `Packing`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Memory:
    """The encoder's output and the layout of the decoder's inputs.

    Attributes:
        states: (N, D), the encoder's output.
        packing: the decoder's inputs, one run per piece.
        sources: per run of `packing` the encoder's run and the members of it.
        order: int64 (inputs,), index of the encoder's input for each input of the decoder.
    """

    states: torch.Tensor
    packing: Packing
    sources: tuple[tuple[Run, torch.Tensor | None], ...]
    order: IntArray

    @classmethod
    def lay_out(cls, states: torch.Tensor, packing: Packing, pieces: Iterable[Piece]) -> "Memory":
        """Pack a decoder's inputs, in the order of the pieces.

        Args:
            states: the encoder's output.
            packing: layout of the encoder's inputs.
            pieces: the decoder's tokens.
        """
        starts = dict(zip(packing.runs, np.cumsum([0, *(run.n_inputs for run in packing.runs)]), strict=False))
        runs, sources, order, begins, ids, first = [], [], [], [], [], 0
        for piece in pieces:
            n_inputs, length = piece.ids.shape
            run = Run(first, n_inputs, n_inputs, length)
            members = np.arange(n_inputs) if piece.members is None else piece.members
            at = None if piece.members is None else torch.tensor(members, device=states.device)
            runs.append(run)
            sources.append((piece.run, at))
            order.append(starts[piece.run] + members)
            begins.append(first + length * np.arange(n_inputs))
            ids.append(piece.ids.ravel())
            first = run.tokens.stop
        inputs = np.concatenate(order)
        lengths = np.repeat([run.length for run in runs], [run.n_inputs for run in runs])
        own_begins = np.concatenate(begins)
        decoding = Packing(
            runs=tuple(runs),
            ids=torch.cat(ids),
            read=torch.tensor(own_begins + lengths - 1, device=states.device),
            candidates=packing.candidates[inputs],
            members=packing.members[inputs],
            begins=own_begins,
            lengths=lengths,
            n_candidates=packing.n_candidates,
            n_tokens=first,
        )
        return cls(states, decoding, tuple(sources), inputs)

    def parts(self, tokens: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield the encoder's values for the inputs of each run: (N, ...) to (n, T, ...)."""
        for run, members in self.sources:
            own = tokens[run.tokens].view(run.n_inputs, run.length, *tokens.shape[1:])
            yield own if members is None else own[members]

    def in_order(self, rows: torch.Tensor) -> torch.Tensor:
        """Reorder rows from the decoder's to the encoder's order of inputs, both (inputs, D)."""
        sorted_rows = torch.empty_like(rows)
        sorted_rows[torch.tensor(self.order, device=rows.device)] = rows
        return sorted_rows


@dataclass(frozen=True, slots=True)
class CrossAttention:
    """Attention from a decoder's positions to the encoder's output.

    Attributes:
        query: (D) to (heads head).
        key_value: keys and values in one map; None if the decoder has so few positions that
            `attend_without_keys` is less work.
        read_weights: weights of keys and values by head, each (heads, head, D).
        value_bias: (heads head,).
        out: (heads head) to (D).
        n_heads: number of heads.
    """

    query: Linear
    key_value: Linear | None
    read_weights: tuple[torch.Tensor, torch.Tensor]
    value_bias: torch.Tensor
    out: Linear
    n_heads: int

    @classmethod
    def adapt(
        cls,
        maps: tuple[Weights, Weights, Weights],
        out: Weights,
        n_heads: int,
        *,
        scale: float | None = None,
        has_keys: bool,
    ) -> "CrossAttention":
        """Lay out the weights.

        Args:
            maps: weights of queries, keys and values.
            out: weights of the output map.
            n_heads: number of heads.
            scale: scale of the scores; None means 1 / sqrt(head).
            has_keys: whether to compute keys and values of the encoder's output.
        """
        query, key, value = maps
        both = torch.cat([key[0], value[0]]), torch.cat([key[1], value[1]])
        return cls(
            query=lay_out(*scaled_query(query, n_heads, scale)),
            key_value=lay_out(*both) if has_keys else None,
            read_weights=(by_head(key, n_heads), by_head(value, n_heads)),
            value_bias=value[1],
            out=lay_out(*out),
            n_heads=n_heads,
        )

    def __call__(self, inputs: torch.Tensor, residual: torch.Tensor, memory: Memory) -> torch.Tensor:
        """Attend at every position of the decoder and add `residual`; all (N of the decoder, D)."""
        lengths = [run.length for run in memory.packing.runs]
        if self.key_value is None:
            return self._without_keys(inputs, residual, memory, lengths)
        asked = self.query(inputs)
        attended = torch.empty_like(asked)
        keys_and_values = memory.parts(self.key_value(memory.states))
        for run, both in zip(memory.packing.runs, keys_and_values, strict=True):
            heads = both.view(run.n_inputs, -1, 2, self.n_heads, asked.shape[1] // self.n_heads)
            key, value = heads.permute(2, 0, 3, 1, 4)  # each (n, heads, T, head)
            query = asked[run.tokens].view(run.n_inputs, run.length, self.n_heads, -1).transpose(1, 2)
            outcome = functional.scaled_dot_product_attention(query, key, value)
            attended[run.tokens].view(run.n_inputs, run.length, self.n_heads, -1)[:] = outcome.transpose(1, 2)
        return self.out.plus(attended, residual)

    def at_read(self, inputs: torch.Tensor, residual: torch.Tensor, memory: Memory) -> torch.Tensor:
        """Attend from the read positions: all (inputs, D)."""
        return self._without_keys(inputs, residual, memory, [1] * len(memory.packing.runs))

    def _without_keys(
        self, inputs: torch.Tensor, residual: torch.Tensor, memory: Memory, n_asked: list[int]
    ) -> torch.Tensor:
        parts = zip(n_asked, memory.parts(memory.states), strict=True)
        attended = attend_without_keys(self.query(inputs), parts, *self.read_weights)
        return self.out.plus(attended + self.value_bias, residual)


@dataclass(frozen=True, slots=True)
class DecoderLayer:
    """A layer with cross-attention between its self-attention and its feed-forward part.

    Attributes:
        layer: the self-attention and the feed-forward part.
        cross: the cross-attention.
        cross_norm: norm of the cross-attention.
    """

    layer: Layer
    cross: CrossAttention
    cross_norm: Transform

    def step(self, states: torch.Tensor, memory: Memory) -> torch.Tensor:
        """Run the layer at every position, (N, D) to (N, D)."""
        attended = self.layer.attend(states, memory.packing)
        crossed = self.layer.around(
            self.cross_norm, attended, lambda inputs, residual: self.cross(inputs, residual, memory)
        )
        return self.layer.conclude(crossed)

    def finish(self, states: torch.Tensor, memory: Memory) -> torch.Tensor:
        """Run the layer at the read positions, (N, D) to (inputs, D)."""
        attended = self.layer.attend_at_read(states, memory.packing)
        crossed = self.layer.around(
            self.cross_norm, attended, lambda inputs, residual: self.cross.at_read(inputs, residual, memory)
        )
        return self.layer.conclude(crossed)


@dataclass(frozen=True, slots=True)
class Decoder:
    """A whole decoder.

    Attributes:
        source: its input tokens.
        embeddings: of these tokens.
        layers: its layers.
        final_norm: norm of the last layer's output.
    """

    source: DecoderInput
    embeddings: Embeddings
    layers: tuple[DecoderLayer, ...]
    final_norm: Transform

    def read(self, encoded: torch.Tensor, packing: Packing) -> torch.Tensor:
        """Return the final states at the read positions.

        Args:
            encoded: (N, D), the encoder's output.
            packing: layout of the encoder's inputs.

        Returns:
            (inputs, D).
        """
        memory = Memory.lay_out(encoded, packing, self.source.pieces(packing))
        states = self.embeddings.begin(self.embeddings.look_up(memory.packing.ids), memory.packing)
        for layer in self.layers[:-1]:
            states = layer.step(states, memory)
        return memory.in_order(self.final_norm(self.layers[-1].finish(states, memory)))
