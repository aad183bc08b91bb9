"""The numeric profile: everything besides the query that may change the bits of a response."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import transformers

from harness.engine.native import kernels_version
from harness.errors import UsageError

__all__ = ["DEVICES", "DTYPES", "NumericProfile", "runtime_versions"]

DEVICES = ("cpu", "cuda")
"""Device kinds that the engine runs on."""

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
"""Names of the element types that the engine computes in."""


def runtime_versions() -> tuple[tuple[str, str], ...]:
    """Return the versions that decide which kernels run, as sorted (name, version) pairs."""
    return (
        ("amx_kernels", kernels_version()),
        ("cpu_capability", torch.backends.cpu.get_cpu_capability()),
        ("gpu", torch.cuda.get_device_name() if torch.cuda.is_available() else "none"),
        ("numpy", np.__version__),
        ("torch", torch.__version__),
        ("transformers", str(transformers.__version__)),
    )


@dataclass(frozen=True, slots=True)
class NumericProfile:
    """Settings and versions that determine the bits of a response.

    Attributes:
        device: one of `DEVICES`.
        dtype: one of `DTYPES`.
        threads: threads of one forward pass, >= 1.
        chunk_tokens: most tokens in one forward step, >= 1. A longer example runs alone.
        versions: installed versions; part of the digest.

    Raises:
        UsageError: a value is not supported.
    """

    device: str = "cpu"
    dtype: str = "fp32"
    threads: int = 1
    chunk_tokens: int = 4096
    versions: tuple[tuple[str, str], ...] = field(default_factory=runtime_versions)

    def __post_init__(self) -> None:
        """Check the values; there is no fallback to others."""
        if self.device not in DEVICES:
            raise UsageError(f"numeric.device is {self.device!r}; expected one of {', '.join(DEVICES)}")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise UsageError(
                "numeric.device is 'cuda', but torch finds no CUDA device here; use a machine with one, or a round "
                'with device = "cpu"'
            )
        if self.dtype not in DTYPES:
            raise UsageError(f"numeric.dtype is {self.dtype!r}; expected one of {', '.join(DTYPES)}")
        if self.threads < 1:
            raise UsageError(f"numeric.threads is {self.threads}; expected 1 or more")
        if self.chunk_tokens < 1:
            raise UsageError(f"numeric.chunk_tokens is {self.chunk_tokens}; expected 1 or more")

    def as_dict(self) -> dict[str, Any]:
        """Return the profile as plain JSON values, as stored in an artifact."""
        return {
            "device": self.device,
            "dtype": self.dtype,
            "threads": self.threads,
            "chunk_tokens": self.chunk_tokens,
            "versions": dict(self.versions),
        }

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the canonical JSON of `as_dict`."""
        text = json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()
