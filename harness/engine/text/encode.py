"""Examples to token ids, and batches of them to packings."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise

import numpy as np
import torch

from harness.engine.backbone import Backbone
from harness.engine.packing import Packing, Run
from harness.engine.text.template import FieldSlot, LiteralIds
from harness.engine.text.wording import CompiledWording
from harness.errors import DataError, InvalidQuery
from harness.records import IntArray

__all__ = ["FIELD_TOKENS", "EncodedSplit", "encode", "pack"]

FIELD_TOKENS = 256
"""Each field is first cut to this many tokens, as in the competition's kit."""


@dataclass(frozen=True)
class EncodedSplit:
    """A split encoded under one wording, without padding.

    Attributes:
        wording: the wording.
        ids: int64 (tokens of all examples,), concatenated.
        offsets: int64 (B + 1,), example i is ``ids[offsets[i] : offsets[i + 1]]``.
        read_positions: int64 (B,), position of the mask, or of the last token.
    """

    wording: CompiledWording
    ids: IntArray
    offsets: IntArray
    read_positions: IntArray

    def __len__(self) -> int:
        """Return B."""
        return len(self.read_positions)

    @cached_property
    def lengths(self) -> IntArray:
        """Number of tokens of each example, including prompt and special tokens: int64 (B,)."""
        return np.diff(self.offsets)

    @cached_property
    def every_row(self) -> IntArray:
        """All row numbers, int64 (B,); read-only."""
        rows = np.arange(len(self), dtype=np.int64)
        rows.flags.writeable = False
        return rows

    def example_ids(self, row: int) -> IntArray:
        """Return the ids of one example, int64 (T,)."""
        return self.ids[self.offsets[row] : self.offsets[row + 1]]

    def n_tokens(self, rows: IntArray | None = None) -> int:
        """Return the number of tokens of `rows`, or of all rows."""
        return len(self.ids) if rows is None else int(self.lengths[rows].sum())

    def select(self, rows: IntArray | None) -> IntArray:
        """Check row numbers and return them as int64; None means all.

        Raises:
            InvalidQuery: no rows, a repeated one, one out of range, or not whole numbers.
        """
        if rows is None:
            return self.every_row
        chosen = np.asarray(rows)
        if chosen.ndim != 1 or len(chosen) == 0 or not np.issubdtype(chosen.dtype, np.integer):
            raise InvalidQuery(f"rows: {chosen.dtype} array of shape {chosen.shape}; expected one or more row numbers")
        if chosen.min() < 0 or chosen.max() >= len(self):
            raise InvalidQuery(f"rows: from {chosen.min()} to {chosen.max()}; expected 0 <= row < {len(self)}")
        if len(np.unique(chosen)) != len(chosen):
            raise InvalidQuery(f"rows: a row is repeated among {len(chosen)} rows; expected each once")
        return chosen.astype(np.int64)


def encode(backbone: Backbone, compiled: CompiledWording, texts: Sequence[tuple[str, ...]]) -> EncodedSplit:
    """Encode examples under a wording.

    Each field is cut to `FIELD_TOKENS` tokens. If the input is still longer than the model allows,
    the longest field is cut (the last one on a tie), never the prompt, the template or the mask.

    Raises:
        DataError: there are no examples, or one has the wrong number of fields.
    """
    if not texts:
        raise DataError("no examples to encode; expected at least one")
    specials = backbone.specials
    room = backbone.family.max_tokens - compiled.n_fixed_tokens
    leads = {slot.index: slot.lead for slot in compiled.slots if isinstance(slot, FieldSlot)}
    examples: list[list[int]] = []
    reads: list[int] = []
    for number, fields in enumerate(texts):
        if len(fields) != compiled.n_fields:
            raise DataError(f"example {number} has {len(fields)} fields; expected {compiled.n_fields}")
        pieces = [backbone.token_ids(leads[i] + text)[:FIELD_TOKENS] for i, text in enumerate(fields)]
        _cut_longest(pieces, room)
        ids = [*specials.start, *compiled.placeholder_ids]
        for slot in compiled.slots:
            if isinstance(slot, LiteralIds):
                ids.extend(slot.ids)
            elif isinstance(slot, FieldSlot):
                ids.extend(pieces[slot.index])
            elif specials.mask is None:
                reads.append(len(ids) - 1)
            else:
                reads.append(len(ids))
                ids.append(specials.mask)
        ids.extend(specials.end)
        examples.append(ids)
    return EncodedSplit(
        wording=compiled,
        ids=np.fromiter(chain.from_iterable(examples), dtype=np.int64),
        offsets=np.cumsum([0, *map(len, examples)], dtype=np.int64),
        read_positions=np.array(reads, dtype=np.int64),
    )


def pack(encoded: EncodedSplit, chosen: IntArray, members: IntArray, n_candidates: int, device: str) -> Packing:
    """Pack some examples of a query for G candidates.

    Args:
        encoded: the encoded split.
        chosen: the query's rows, in order.
        members: positions within `chosen`, sorted by the examples' lengths.
        n_candidates: G.
        device: device of the tensors.
    """
    lengths = encoded.lengths[chosen[members]]
    runs, ids, read, order, candidates, starts, first = [], [], [], [], [], [], 0
    borders = [0, *(np.flatnonzero(np.diff(lengths)) + 1).tolist(), len(members)]
    for start, stop in pairwise(borders):
        own = members[start:stop]
        rows, length = chosen[own], int(lengths[start])
        run = Run(first, len(own), n_candidates * len(own), length)
        block = encoded.ids[encoded.offsets[rows][:, None] + np.arange(length)]  # (n, T)
        ids.append(np.tile(block.ravel(), n_candidates))
        begins = first + length * np.arange(run.n_inputs)
        read.append(begins + np.tile(encoded.read_positions[rows], n_candidates))
        order.append(np.tile(own, n_candidates))
        candidates.append(np.repeat(np.arange(n_candidates), len(own)))
        starts.append(begins)
        runs.append(run)
        first = run.tokens.stop
    return Packing(
        runs=tuple(runs),
        ids=torch.tensor(np.concatenate(ids), device=device),
        read=torch.tensor(np.concatenate(read), device=device),
        candidates=np.concatenate(candidates),
        members=np.concatenate(order),
        begins=np.concatenate(starts),
        lengths=np.repeat([run.length for run in runs], [run.n_inputs for run in runs]),
        n_candidates=n_candidates,
        n_tokens=first,
        n_without_token=len(encoded.wording.placeholder_ids) if encoded.wording.mode == "cat" else 0,
    )


def _cut_longest(pieces: list[tuple[int, ...]], room: int) -> None:
    """Shorten the longest field in place, token by token, until all fields fit into `room` tokens."""
    while sum(map(len, pieces)) > room:
        longest = max(range(len(pieces)), key=lambda i: (len(pieces[i]), i))
        pieces[longest] = pieces[longest][:-1]
