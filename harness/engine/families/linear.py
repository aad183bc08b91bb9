"""Affine maps with frozen weights, laid out once for the machine that runs them."""

import torch

__all__ = ["Linear"]

_PACK = getattr(torch.ops.mkldnn, "_reorder_linear_weight", None)  # absent where torch has no oneDNN
_PACK_ROWS = 2048
"""Rows that the packed layout is chosen for; it is right for any number."""


class Linear:
    """``x W^T + b`` for weights that never change.

    In bf16 on a CPU the weights are kept in oneDNN's own blocked layout: matrix units (AMX) read
    it as it is, where a plain weight is reordered in every call; bias, GELU and residual are
    computed while the outputs are at hand. Elsewhere the weights are kept transposed, which the
    fp32 kernels of a CPU read about a tenth faster, and what follows works in place. Which of the
    two depends on dtype and device alone.

    Args:
        weight: (out, in).
        bias: (out,).
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        """Lay the weights out: a copy, for the transformers model keeps its own."""
        plain = weight.detach().contiguous()
        self._bias = bias.detach()
        self._packed: torch.Tensor | None = None
        if _PACK is not None and plain.device.type == "cpu" and plain.dtype == torch.bfloat16:
            self._packed = _PACK(plain, _PACK_ROWS)
        else:
            self._transposed = plain.t().contiguous()  # (in, out)

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        """Map (N, in) to (N, out)."""
        if self._packed is not None:
            return self._pointwise(states, self._bias, "none", [], "")
        return torch.mm(states, self._transposed).add_(self._bias)

    def without_bias(self, states: torch.Tensor) -> torch.Tensor:
        """Map (N, in) to (N, out) and leave the bias out."""
        if self._packed is not None:
            return self._pointwise(states, None, "none", [], "")
        return torch.mm(states, self._transposed)

    def gelu(self, states: torch.Tensor) -> torch.Tensor:
        """Map and apply the exact (error-function) GELU."""
        if self._packed is not None:
            return self._pointwise(states, self._bias, "gelu", [], "none")
        mapped: torch.Tensor = torch.ops.aten.gelu_(self(states))
        return mapped

    def plus(self, states: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """Map and add `residual` (N, out)."""
        if self._packed is not None:
            added: torch.Tensor = torch.ops.mkldnn._linear_pointwise.binary(  # noqa: SLF001 - as torch's compiler does
                states, residual, self._packed, self._bias, "add"
            )
            return added
        return torch.mm(states, self._transposed).add_(self._bias).add_(residual)

    def _pointwise(
        self, states: torch.Tensor, bias: torch.Tensor | None, *activation: object
    ) -> torch.Tensor:
        """Map with the packed weights."""
        mapped: torch.Tensor = torch.ops.mkldnn._linear_pointwise(  # noqa: SLF001 - as torch's compiler does
            states, self._packed, bias, *activation
        )
        return mapped
