"""Affine maps with frozen weights, laid out once for the machine that runs them."""

from typing import Protocol

import torch

from harness.engine.native import AmxKernels, amx_kernels

__all__ = ["Linear", "lay_out", "must_widen"]

_PACK = getattr(torch.ops.mkldnn, "_reorder_linear_weight", None)  # absent where torch has no oneDNN
_PACK_ROWS = 2048
"""Rows that the packed layout is chosen for; it is right for any number."""


class Linear(Protocol):
    """``x W^T + b`` for weights that never change, (N, in) to (N, out)."""

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        """Map."""
        ...

    def gelu(self, states: torch.Tensor) -> torch.Tensor:
        """Map and apply the exact (error-function) GELU."""
        ...

    def plus(self, states: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """Map and add `residual` (N, out)."""
        ...


def lay_out(weight: torch.Tensor, bias: torch.Tensor) -> Linear:
    """Lay weights (out, in) and a bias (out,) out: a copy, for the transformers model keeps its own.

    Which layout depends on the machine, the type and the sizes alone: part of the numeric profile.
    """
    weight, bias = weight.detach().contiguous(), bias.detach()
    kernels = amx_kernels()
    if kernels is not None and kernels.can_map(weight):
        return _TileLinear(kernels, kernels.pack(weight), bias.float())
    if must_widen(weight):
        return _WideLinear(_PlainLinear(weight.float().t().contiguous(), bias.float()))
    if _PACK is not None and weight.device.type == "cpu" and weight.dtype == torch.bfloat16:
        return _PackedLinear(_PACK(weight, _PACK_ROWS), bias)
    return _PlainLinear(weight.t().contiguous(), bias)


def must_widen(values: torch.Tensor) -> bool:
    """Say whether products of these values are computed in fp32 and rounded.

    They are in bf16 on a CPU without AVX-512: there torch lays no bf16 weights out, and multiplies plain ones at a
    fraction of its fp32 rate.
    """
    if values.dtype != torch.bfloat16 or values.device.type != "cpu":
        return False
    return not torch.backends.cpu.get_cpu_capability().startswith("AVX512")


class _PlainLinear:
    """By torch: weights kept transposed, (in, out), which the fp32 kernels of a CPU read a tenth faster."""

    def __init__(self, transposed: torch.Tensor, bias: torch.Tensor) -> None:
        self._transposed = transposed
        self._bias = bias

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        return torch.mm(states, self._transposed).add_(self._bias)

    def gelu(self, states: torch.Tensor) -> torch.Tensor:
        mapped: torch.Tensor = torch.ops.aten.gelu_(self(states))
        return mapped

    def plus(self, states: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        return self(states).add_(residual)


class _WideLinear:
    """In bf16 by the fp32 kernels: bias, GELU and residual are added before the one rounding."""

    def __init__(self, wide: _PlainLinear) -> None:
        self._wide = wide

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        return self._wide(states.float()).to(states.dtype)

    def gelu(self, states: torch.Tensor) -> torch.Tensor:
        return self._wide.gelu(states.float()).to(states.dtype)

    def plus(self, states: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        return self._wide.plus(states.float(), residual).to(states.dtype)


class _TileLinear:
    """By our own kernels, on a CPU with AMX."""

    def __init__(self, kernels: AmxKernels, packed: torch.Tensor, bias: torch.Tensor) -> None:
        self._kernels = kernels
        self._packed = packed
        self._bias = bias

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        return self._kernels.linear(states, self._packed, self._bias)

    def gelu(self, states: torch.Tensor) -> torch.Tensor:
        return self._kernels.linear(states, self._packed, self._bias, has_gelu=True)

    def plus(self, states: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        return self._kernels.linear(states, self._packed, self._bias, residual=residual)


class _PackedLinear:
    """In bf16 on a CPU: weights in oneDNN's own blocked layout.

    It is read as it is, where a plain weight is reordered in every call; bias, GELU and residual are
    computed while the outputs are at hand.
    """

    def __init__(self, packed: torch.Tensor, bias: torch.Tensor) -> None:
        self._packed = packed
        self._bias = bias

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        return self._map(states, self._bias, "none", [], "")

    def gelu(self, states: torch.Tensor) -> torch.Tensor:
        return self._map(states, self._bias, "gelu", [], "none")

    def plus(self, states: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = torch.ops.mkldnn._linear_pointwise.binary(  # noqa: SLF001 - as torch's compiler does
            states, residual, self._packed, self._bias, "add"
        )
        return added

    def _map(self, states: torch.Tensor, bias: torch.Tensor | None, *activation: object) -> torch.Tensor:
        mapped: torch.Tensor = torch.ops.mkldnn._linear_pointwise(  # noqa: SLF001 - as torch's compiler does
            states, self._packed, bias, *activation
        )
        return mapped
