"""Kernels for processors with a matrix unit (Intel AMX), which torch uses only in part.

They are compiled at installation if there is a compiler, and used if the processor has the unit;
otherwise the engine uses torch. The choice is part of the numeric profile.
"""

import ctypes
import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from harness.records import IntArray

__all__ = ["AmxKernels", "amx_kernels", "kernels_version", "why_not"]

_FLAGS = frozenset({"amx_tile", "amx_bf16", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_bf16"})
"""Processor features that the kernels need, as Linux names them."""

_BLOCK = 32
"""Sizes of maps and heads must be multiples of this."""

_SUFFIXES = {torch.float32: "fp32", torch.bfloat16: "bf16"}

_MIN_SIZE = {torch.float32: 512, torch.bfloat16: 256}
"""Smallest map for these kernels: below it they gain little, and fp32 stays exact."""


class AmxKernels:
    """The compiled kernels. Tensors are contiguous and on the CPU; threads are torch's.

    Args:
        library: path of the compiled library.

    Raises:
        OSError: the library cannot be loaded.
    """

    def __init__(self, library: Path) -> None:
        """Load the library; torch has already loaded the OpenMP library that both use."""
        self._library = ctypes.CDLL(str(library))

    @staticmethod
    def can_map(weight: torch.Tensor) -> bool:
        """Return whether `linear` supports a weight (out, in)."""
        columns, depth = weight.shape
        if weight.device.type != "cpu" or weight.dtype not in _SUFFIXES:
            return False
        return columns % _BLOCK == depth % _BLOCK == 0 and min(columns, depth) >= _MIN_SIZE[weight.dtype]

    @staticmethod
    def can_attend(qkv: torch.Tensor, n_heads: int) -> bool:
        """Return whether `attend` supports (N, 3D) with this number of heads."""
        is_plain = qkv.device.type == "cpu" and qkv.dtype == torch.bfloat16
        return is_plain and qkv.shape[1] // 3 // n_heads % _BLOCK == 0

    def pack(self, weight: torch.Tensor) -> torch.Tensor:
        """Reorder a weight (out, in) for `linear`; the size in bytes stays the same."""
        columns, depth = weight.shape
        weight = weight.contiguous()  # bound to a name, so that the copy lives until it is read
        parts = weight.dtype.itemsize // 2  # a float becomes two bf16 numbers
        packed = torch.empty((columns, parts * depth), dtype=torch.bfloat16)
        pack = getattr(self._library, f"pack_{_SUFFIXES[weight.dtype]}")
        pack(_at(weight), _int(columns), _int(depth), _at(packed), torch.get_num_threads())
        return packed

    def linear(
        self,
        states: torch.Tensor,
        packed: torch.Tensor,
        bias: torch.Tensor,
        *,
        residual: torch.Tensor | None = None,
        has_gelu: bool = False,
    ) -> torch.Tensor:
        """Map (N, in) to (N, out), add a residual (N, out), apply the exact GELU.

        In fp32 the relative error of a product is at most 2^-16, see `linear.cpp`.

        Args:
            states: fp32 or bf16, the weight's type.
            packed: from `pack`.
            bias: fp32 (out,).
            residual: in the type of `states`, or None.
            has_gelu: whether to apply GELU.
        """
        states = states.contiguous()
        rows, depth = states.shape
        outputs = states.new_empty((rows, len(packed)))
        linear = getattr(self._library, f"linear_{_SUFFIXES[states.dtype]}")
        linear(
            _at(states), _int(rows), _int(depth), _at(packed), _int(len(packed)), _at(bias), _at(residual),
            int(has_gelu), _at(outputs), torch.get_num_threads(),
        )  # fmt: skip
        return outputs

    def attend(
        self, qkv: torch.Tensor, first: IntArray, lengths: IntArray, n_heads: int, *, is_causal: bool
    ) -> torch.Tensor:
        """Attend within inputs: bf16 (N, 3D) to (N, D).

        Args:
            qkv: queries, keys and values concatenated.
            first: int64, the first token of each input.
            lengths: int64, the number of tokens of each input.
            n_heads: number of heads.
            is_causal: whether a token attends only to itself and earlier tokens.
        """
        size = qkv.shape[1] // 3
        outputs = qkv.new_empty((len(qkv), size))
        self._library.attend(
            _at(qkv), first.ctypes.data_as(ctypes.c_void_p), lengths.ctypes.data_as(ctypes.c_void_p),
            _int(len(first)), _int(int(lengths.max())), _int(n_heads), _int(size // n_heads), int(is_causal),
            _at(outputs), torch.get_num_threads(),
        )  # fmt: skip
        return outputs


def _at(tensor: torch.Tensor | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


_int = ctypes.c_int64


@cache
def amx_kernels() -> AmxKernels | None:
    """Return the kernels, or None if `why_not` gives a reason."""
    library = _library()
    return None if library is None or why_not() else AmxKernels(library)


@cache
def why_not() -> str:
    """Return the reason why the kernels are not used here; empty if they are."""
    try:
        told = Path("/proc/cpuinfo").read_text()
    except OSError:
        told = ""
    flags = next((line.split() for line in told.splitlines() if line.startswith("flags")), [])
    if not flags or not set(flags) >= _FLAGS:
        return "the processor has no AMX for bf16"
    if not getattr(torch.cpu, "_init_amx", bool)():  # Linux requires a request before a process uses the tiles
        return "Linux does not let this process use AMX"
    library = _library()
    if library is None:
        return "the kernels were not compiled: install g++ 11 or newer, then install this package again"
    try:
        kernels = AmxKernels(library)
    except OSError as error:
        return f"the kernels cannot be loaded: {error}; install this package again"
    if not _is_right(kernels):
        return "the compiled kernels give wrong results: report this with the compiler's version"
    return ""


def _is_right(kernels: AmxKernels) -> bool:
    """Compare the kernels with torch on small inputs, as compilers differ."""
    generator = torch.Generator().manual_seed(0)
    states, weight = (torch.randn(rows, 512, generator=generator) for rows in (40, 512))
    zeros, lengths = torch.zeros(512), np.array([40])
    for dtype, error in ((torch.float32, 0.01), (torch.bfloat16, 0.5)):  # of sums of 512 products
        states, weight = states.to(dtype), weight.to(dtype)
        mapped = kernels.linear(states, kernels.pack(weight), zeros)
        if not torch.allclose(mapped.float(), states.float() @ weight.float().T, atol=error):
            return False
    qkv = states.repeat(1, 3)
    heads = states.view(1, 40, 8, 64).transpose(1, 2)
    expected = functional.scaled_dot_product_attention(heads, heads, heads).transpose(1, 2).reshape(40, 512)
    attended = kernels.attend(qkv, np.zeros(1, np.int64), lengths, 8, is_causal=False)
    return torch.allclose(attended.float(), expected.float(), atol=0.1)


def kernels_version() -> str:
    """Return a digest of the compiled kernels; "none" if torch computes."""
    library = _library()
    if library is None or why_not():
        return "none"
    return hashlib.sha256(library.read_bytes()).hexdigest()[:12]


def _library() -> Path | None:
    return next(iter(sorted(Path(__file__).parent.glob("_kernels*.so"))), None)
