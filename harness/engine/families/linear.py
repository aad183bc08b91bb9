"""Affine maps with frozen weights, laid out once for the machine that runs them."""

import torch
from torch.nn import functional

__all__ = ["Linear"]

_PACK = getattr(torch.ops.mkldnn, "_reorder_linear_weight", None)  # absent where torch has no oneDNN
_PACK_ROWS = 2048
"""Rows that the packed layout is chosen for; it is right for any number."""


class Linear:
    """``x W^T + b`` for weights that never change.

    In bf16 on a CPU the weights are kept in oneDNN's own blocked layout: matrix units (AMX) read
    it as it is, where a plain weight is reordered in every call. Everywhere else this is
    `torch.nn.functional.linear`. Which of the two depends on dtype and device alone.

    Args:
        weight: (out, in).
        bias: (out,).
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        """Lay the weights out."""
        self.bias = bias.detach()
        # A copy of its own: the transformers model keeps the plain one, for the reference path.
        self.weight = weight.detach()
        self._is_packed = _PACK is not None and weight.device.type == "cpu" and weight.dtype == torch.bfloat16
        if _PACK is not None and self._is_packed:
            self.weight = _PACK(self.weight.contiguous(), _PACK_ROWS)

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        """Map (N, in) to (N, out)."""
        if self._is_packed:
            return self._pointwise(states, "none", [], "")
        return functional.linear(states, self.weight, self.bias)

    def gelu(self, states: torch.Tensor) -> torch.Tensor:
        """Map and apply the exact (error-function) GELU."""
        if self._is_packed:
            return self._pointwise(states, "gelu", [], "none")
        return functional.gelu(functional.linear(states, self.weight, self.bias))

    def plus(self, states: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """Map and add `residual` (N, out)."""
        if self._is_packed:
            added: torch.Tensor = torch.ops.mkldnn._linear_pointwise.binary(  # noqa: SLF001 - as torch's own compiler does
                states, residual, self.weight, self.bias, "add"
            )
            return added
        return functional.linear(states, self.weight, self.bias).add_(residual)

    def _pointwise(self, states: torch.Tensor, *activation: object) -> torch.Tensor:
        """Map with the packed weights, the activation computed while the outputs are at hand."""
        mapped: torch.Tensor = torch.ops.mkldnn._linear_pointwise(  # noqa: SLF001 - as torch's own compiler does
            states, self.weight, self.bias, *activation
        )
        return mapped
