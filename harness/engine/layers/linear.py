"""Affine maps with frozen weights in the layout that is fastest on this machine."""

from typing import Protocol

import torch

from harness.engine.native import AmxKernels, amx_kernels

__all__ = ["Linear", "lay_out", "must_widen"]

_PACK = getattr(torch.ops.mkldnn, "_reorder_linear_weight", None)  # absent where torch has no oneDNN
_PACK_ROWS = 2048
"""Number of rows that the packed layout is tuned for; it is correct for any number."""


class Linear(Protocol):
    """``x W^T + b`` with constant weights, (N, in) to (N, out)."""

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        """Apply the map."""
        ...

    def gelu(self, states: torch.Tensor) -> torch.Tensor:
        """Apply the map and the exact (error-function) GELU."""
        ...

    def plus(self, states: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """Apply the map and add `residual` (N, out)."""
        ...


def lay_out(weight: torch.Tensor, bias: torch.Tensor) -> Linear:
    """Copy a weight (out, in) and a bias (out,) into the fastest layout.

    The choice depends only on the machine, the type and the sizes, as part of the numeric profile.
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
    """Return whether products of these values are computed in fp32 and rounded.

    True for bf16 on a CPU without AVX-512: there torch has no packed bf16 layout and multiplies
    plain bf16 weights at a fraction of its fp32 rate.
    """
    if values.dtype != torch.bfloat16 or values.device.type != "cpu":
        return False
    return not torch.backends.cpu.get_cpu_capability().startswith("AVX512")


class _PlainLinear:
    """torch with weights transposed to (in, out), a tenth faster in fp32 on a CPU."""

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
    """bf16 computed by the fp32 kernels; bias, GELU and residual are applied before the rounding."""

    def __init__(self, wide: _PlainLinear) -> None:
        self._wide = wide

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        return self._wide(states.float()).to(states.dtype)

    def gelu(self, states: torch.Tensor) -> torch.Tensor:
        return self._wide.gelu(states.float()).to(states.dtype)

    def plus(self, states: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        return self._wide.plus(states.float(), residual).to(states.dtype)


class _TileLinear:
    """This project's kernels, on a CPU with AMX."""

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
    """bf16 on a CPU, with weights in oneDNN's blocked layout and bias, GELU and residual fused.

    A plain weight would be reordered in every call.
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
