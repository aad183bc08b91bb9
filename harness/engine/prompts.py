"""Deep prompts: what a query's values must look like, and what each layer receives."""

import hashlib
from dataclasses import dataclass

import numpy as np

from harness.errors import InvalidQuery
from harness.records import MAX_ABS_VALUE, FloatArray

__all__ = ["DeepPrompts", "check_prompt", "check_values"]


@dataclass(frozen=True, slots=True)
class DeepPrompts:
    """The checked prompts of one query.

    Attributes:
        values: float32 (P, L, M, D), or (P, M, D) with `layer`.
        layer: the layer that `values` replaces, or None.
        base: float32 (L, M, D) for the other layers; None means zeros.
        mode: the wording's; in "cat" the prompts of layers >= 1 are zero.
    """

    values: FloatArray
    layer: int | None
    base: FloatArray | None
    mode: str

    @property
    def n_shared_layers(self) -> int:
        """Layers, from 0 on, whose prompts all candidates have in common."""
        return 0 if self.layer is None else self.layer

    def at(self, layer: int, candidates: slice) -> FloatArray | None:
        """Return the prompts of a layer: (P', M, D), (1, M, D) where they are common, None for zeros."""
        if self.layer is None:
            return self.values[candidates, layer]
        if layer == self.layer:
            return self.values[candidates]
        return None if self.base is None else self.base[None, layer]

    def shared_digest(self, layers: int) -> bytes:
        """Return a SHA-256 over the common prompts of the first `layers` layers."""
        total = hashlib.sha256()
        if self.base is not None and layers:
            total.update(self.base[:layers].tobytes())
        return total.digest()


def check_values(
    values: FloatArray,
    *,
    layer: int | None,
    base: FloatArray | None,
    n_layers: int,
    n_prompt_tokens: int,
    hidden_size: int,
    mode: str = "add",
) -> DeepPrompts:
    """Check the prompts of a query.

    Args:
        values: float32 (P, L, M, D), or (P, M, D) with `layer`; P >= 1, finite, |value| <= 1e4.
        layer: 0 <= layer < L, or None.
        base: float32 (L, M, D), only with `layer`.
        n_layers: L.
        n_prompt_tokens: M.
        hidden_size: D.
        mode: the wording's. In "cat" only layer 0 carries a prompt: the others must be zero.

    Raises:
        InvalidQuery: naming what was given and what was expected.
    """
    one = (n_prompt_tokens, hidden_size)
    if layer is None:
        if base is not None:
            raise InvalidQuery(
                "base: given without layer; expected a layer, or values of shape (P, L, M, D) alone"
            )
        _check_array("values", values, ("P", n_layers, *one))
    else:
        if isinstance(layer, bool) or not isinstance(layer, (int, np.integer)) or not 0 <= layer < n_layers:
            raise InvalidQuery(f"layer: {layer!r}; expected a whole number, 0 <= layer < {n_layers}")
        _check_array("values", values, ("P", *one))
    if base is not None:
        _check_array("base", base, (n_layers, *one))
    prompts = DeepPrompts(values, None if layer is None else int(layer), base, mode)
    if mode == "cat":
        for number in range(1, n_layers):
            added = prompts.at(number, slice(None))
            if added is not None and added.any():
                raise InvalidQuery(
                    f"values: layer {number} is not zero; a wording of mode cat has a prompt at layer 0 only"
                )
    return prompts


def check_prompt(prompt: FloatArray, *, n_layers: int, n_prompt_tokens: int, hidden_size: int) -> None:
    """Check one whole deep prompt: what `place` keeps.

    Raises:
        InvalidQuery: it is not a finite float32 (L, M, D) with |value| <= 1e4.
    """
    _check_array("prompt", prompt, (n_layers, n_prompt_tokens, hidden_size))


def _check_array(name: str, array: FloatArray, expected: tuple[int | str, ...]) -> None:
    """Check type, shape and range; a letter in `expected` stands for any length >= 1."""
    wanted = f"({', '.join(map(str, expected))})"
    if not isinstance(array, np.ndarray) or array.dtype != np.float32:
        kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise InvalidQuery(f"{name}: {kind}; expected a float32 array of shape {wanted}")
    fits = len(expected) == array.ndim and all(
        length >= 1 if isinstance(want, str) else length == want
        for want, length in zip(expected, array.shape, strict=True)
    )
    if not fits:
        raise InvalidQuery(f"{name}: shape {array.shape}; expected {wanted}, P >= 1")
    low, high = float(array.min()), float(array.max())  # NaN if any value is NaN; no copy of the array
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InvalidQuery(f"{name}: NaN or infinite values; expected finite values")
    if max(-low, high) > MAX_ABS_VALUE:
        raise InvalidQuery(f"{name}: values from {low:g} to {high:g}; expected |value| <= {MAX_ABS_VALUE:g}")
