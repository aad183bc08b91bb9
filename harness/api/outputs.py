"""The outputs of a query: one field of `Response` each, which is also its row in the table `OUTPUTS`.

To add an output: a field here, and its computation in `engine/collector.py` and `engine/reference.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import prod
from typing import Any

import numpy as np

from harness.records import Array, FloatArray

__all__ = ["OUTPUTS", "Output", "Response", "filled"]


@dataclass(frozen=True, slots=True)
class Output:
    """A row of the table.

    Attributes:
        name: the field of `Response`.
        axes: letters of the legend in `harness.records`.
        dtype: name of the element type.
        needs: field of the wording without which the output cannot be asked; empty if always allowed.
    """

    name: str
    axes: tuple[str, ...]
    dtype: str
    needs: str

    @property
    def has_rows(self) -> bool:
        """Whether there is a value per example; the examples are then axis 1."""
        return "B" in self.axes

    def n_bytes(self, sizes: Mapping[str, int]) -> int:
        """Return the bytes of the array; `sizes` gives the length of each axis by its letter."""
        return prod(sizes[axis] for axis in self.axes) * np.dtype(self.dtype).itemsize


def _row(*axes: str, dtype: str = "float32", needs: str = "") -> dict[str, Any]:
    return {"axes": axes, "dtype": dtype, "needs": needs}


@dataclass(frozen=True, slots=True)
class Response:
    """The requested outputs of a query; the others are None.

    In `predict` the first axis is the solution's members (E) in place of candidates (P).

    Attributes:
        logits: float32 (P, B, C) over the label words at the read position.
        features: float32 (P, B, D), final hidden state at the read position, before the LM head.
        layer_std: float64 (P, L); layer 0 the std of the word embeddings, layer l >= 1 the
            winsorised std of that layer's input over real tokens, before its prompt is added.
        word_logits: float32 (P, B, W) over the wording's probe words.
    """

    logits: FloatArray | None = field(default=None, metadata=_row("P", "B", "C"))
    features: FloatArray | None = field(default=None, metadata=_row("P", "B", "D"))
    layer_std: Array | None = field(default=None, metadata=_row("P", "L", dtype="float64"))
    word_logits: FloatArray | None = field(default=None, metadata=_row("P", "B", "W", needs="probe_words"))


OUTPUTS = {item.name: Output(item.name, **item.metadata) for item in fields(Response)}
"""Output by name, in canonical order; a round file may allow fewer."""


def filled(response: Response) -> dict[str, Array]:
    """Return the arrays of a response that are not None, by name in canonical order."""
    arrays = {name: getattr(response, name) for name in OUTPUTS}
    return {name: array for name, array in arrays.items() if array is not None}
