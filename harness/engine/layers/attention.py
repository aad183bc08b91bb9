"""Self-attention over packed inputs."""

from collections.abc import Iterable

import torch
from torch.nn import functional

from harness.engine.layers.linear import must_widen
from harness.engine.native import amx_kernels
from harness.engine.packing import Packing, Run

__all__ = ["attend", "attend_at_read", "attend_without_keys"]

_KEY_MULTIPLE = 16
"""In bf16 on a CPU the kernel is twice as fast if the number of keys is a multiple of this."""


def attend(
    qkv: torch.Tensor, packing: Packing, n_heads: int, *, is_causal: bool = False, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Attend within each input.

    Args:
        qkv: (N, 3D), queries, keys and values concatenated.
        packing: layout of the inputs.
        n_heads: number of heads; divides D.
        is_causal: whether a token attends only to itself and earlier tokens.
        bias: (heads, T, T) for the longest input, added to the scores; -inf where `is_causal` masks.

    Returns:
        (N, D), the heads' outputs concatenated.
    """
    kernels = amx_kernels()
    if bias is None and kernels is not None and kernels.can_attend(qkv, n_heads):
        return kernels.attend(qkv, packing.begins, packing.lengths, n_heads, is_causal=is_causal)
    size = qkv.shape[1] // 3
    attended = qkv.new_empty((len(qkv), size))
    is_wide = must_widen(qkv)
    is_plain = not is_causal and bias is None
    is_aligned = qkv.dtype == torch.bfloat16 and qkv.device.type == "cpu" and is_plain and not is_wide
    for run in packing.runs:
        view = attended[run.tokens].view(run.n_inputs, run.length, n_heads, -1)
        n_aligned = _n_aligned(qkv, run) if is_aligned else 0
        if n_aligned:
            view[:n_aligned] = _attend_aligned(qkv, run, n_aligned, n_heads)
        if n_aligned < run.n_inputs:
            heads = qkv[run.tokens].view(run.n_inputs, run.length, 3, n_heads, -1)[n_aligned:]
            heads = heads.permute(2, 0, 3, 1, 4)
            query, key, value = heads.float() if is_wide else heads  # each (n, heads, T, D / heads)
            # Four dimensions: the fused CPU kernel requires them.
            added = None if bias is None else bias[None, :, : run.length, : run.length].to(query.dtype)
            outcome = functional.scaled_dot_product_attention(
                query, key, value, attn_mask=added, is_causal=is_causal and bias is None
            )
            view[n_aligned:] = outcome.transpose(1, 2)
    return attended


def _n_aligned(qkv: torch.Tensor, run: Run) -> int:
    """Count the inputs of a run that are followed by enough tokens to read past their end."""
    extra = -run.length % _KEY_MULTIPLE
    if extra == 0:
        return 0
    return max(0, min(run.n_inputs, (len(qkv) - run.first - extra) // run.length))


def _attend_aligned(qkv: torch.Tensor, run: Run, n_inputs: int, n_heads: int) -> torch.Tensor:
    """Attend with the number of keys rounded up; return (n_inputs, T, heads, D / heads).

    The keys past an input's end belong to the next input. They are masked, so their weight is
    exactly zero.
    """
    wide = -(-run.length // _KEY_MULTIPLE) * _KEY_MULTIPLE
    row = qkv.shape[1]
    head = row // 3 // n_heads
    first = qkv.storage_offset() + run.first * row

    def part(number: int, length: int) -> torch.Tensor:
        strides = (run.length * row, head, row, 1)
        return qkv.as_strided((n_inputs, n_heads, length, head), strides, first + number * (row // 3))

    own = torch.arange(wide, device=qkv.device) < run.length
    outcome = functional.scaled_dot_product_attention(
        part(0, run.length), part(1, wide), part(2, wide), attn_mask=own.view(1, 1, 1, wide)
    )
    return outcome.transpose(1, 2)


def attend_at_read(
    query: torch.Tensor, states: torch.Tensor, packing: Packing, key_weight: torch.Tensor, value_weight: torch.Tensor
) -> torch.Tensor:
    """Attend from one position of each input to all of its positions; see `attend_without_keys`.

    Args:
        query: (inputs, D), query projections at the read positions.
        states: (N, D), the layer's input.
        packing: layout of the inputs.
        key_weight: (heads, head, D).
        value_weight: (heads, head, D).

    Returns:
        (inputs, D) in the type of `query`, the heads' outputs concatenated.
    """
    parts = ((1, states[run.tokens].view(run.n_inputs, run.length, -1)) for run in packing.runs)
    return attend_without_keys(query, parts, key_weight, value_weight)


def attend_without_keys(
    query: torch.Tensor, parts: Iterable[tuple[int, torch.Tensor]], key_weight: torch.Tensor, value_weight: torch.Tensor
) -> torch.Tensor:
    """Attend from few positions to many without computing keys or values.

    ``q . (W_k x)`` equals ``(W_k^T q) . x``, and ``sum p (W_v x)`` equals ``W_v (sum p x)``: two maps
    per query position instead of two per token. A key bias shifts all scores equally and cancels.
    Scores, softmax and the long sums over D are float32; the two maps are in the type of `query`.

    Args:
        query: (rows, heads head), query projections, input by input.
        parts: per group of n inputs the number of query rows per input, and the states (n, T, D).
        key_weight: (heads, head, D).
        value_weight: (heads, head, D). The caller adds the value bias, as the weights p sum to 1.

    Returns:
        (rows, heads head) in the type of `query`, the heads' outputs concatenated.
    """
    n_heads, head, _ = key_weight.shape
    split = query.view(-1, n_heads, head).transpose(0, 1)  # (heads, rows, head)
    asked = torch.bmm(split, key_weight).transpose(0, 1).float() * head**-0.5  # (rows, heads, D)
    seen = asked.new_empty(asked.shape)
    done = 0
    for n_rows, part in parts:
        tokens = part.float()
        own = slice(done, done + n_rows * len(tokens))
        grouped = (len(tokens), n_rows * n_heads, -1)
        weights = torch.softmax(torch.bmm(asked[own].reshape(grouped), tokens.transpose(1, 2)), dim=-1)
        torch.bmm(weights, tokens, out=seen[own].view(grouped))
        done = own.stop
    heads = torch.bmm(seen.transpose(0, 1).to(query.dtype), value_weight.transpose(1, 2))
    return heads.transpose(0, 1).reshape(len(query), -1)
