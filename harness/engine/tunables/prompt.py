"""The additive deep prompt: M vectors per layer, added to the layer's input at the prompt positions.

Under a wording of mode "cat" the prompt of layer 0 replaces the word vectors at the prompt
positions, and the other layers must have zero prompts.

Source: BBTv2, arXiv 2205.11200, section 4.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from harness.engine.packing import Packing
from harness.errors import InvalidQuery
from harness.records import MAX_ABS_VALUE, FloatArray

__all__ = ["DeepPrompt", "PromptCandidates"]


@dataclass(frozen=True, slots=True)
class DeepPrompt:
    """The tunable `prompt` for one model.

    Attributes:
        n_layers: L.
        n_tokens: M.
        hidden_size: D.
        start: first prompt position of an input.
    """

    n_layers: int
    n_tokens: int
    hidden_size: int
    start: int

    def check(
        self, values: FloatArray, *, layer: int | None = None, base: FloatArray | None = None, mode: str = "add"
    ) -> "PromptCandidates":
        """Check the candidates of a query.

        Args:
            values: float32 (P, L, M, D), or (P, M, D) with `layer`; P >= 1, finite, |value| <= 1e4.
            layer: 0 <= layer < L, or None.
            base: float32 (L, M, D), only with `layer`.
            mode: the wording's. In "cat" the prompts of layers >= 1 must be zero.

        Raises:
            InvalidQuery: an argument has a wrong type, shape or range.
        """
        shape = (self.n_tokens, self.hidden_size)
        if layer is None:
            if base is not None:
                raise InvalidQuery("base: given without layer; expected a layer, or values of shape (P, L, M, D) alone")
            _check_array("values", values, ("P", self.n_layers, *shape))
        else:
            is_whole = isinstance(layer, (int, np.integer)) and not isinstance(layer, bool)
            if not is_whole or not 0 <= layer < self.n_layers:
                raise InvalidQuery(f"layer: {layer!r}; expected a whole number, 0 <= layer < {self.n_layers}")
            _check_array("values", values, ("P", *shape))
        if base is not None:
            self.check_base(base, "base")
        candidates = PromptCandidates(self, values, None if layer is None else int(layer), base, mode)
        if mode == "cat":
            for number in range(1, self.n_layers):
                prompt = candidates.at(number, slice(None))
                if prompt is not None and prompt.any():
                    raise InvalidQuery(
                        f"values: layer {number} is not zero; a wording of mode cat has a prompt at layer 0 only"
                    )
        return candidates

    def check_base(self, prompt: FloatArray, name: str = "prompt") -> None:
        """Check one whole deep prompt, as `BlackBox.place` keeps it.

        Raises:
            InvalidQuery: not a finite float32 (L, M, D) with |value| <= 1e4.
        """
        _check_array(name, prompt, (self.n_layers, self.n_tokens, self.hidden_size))

    def apply_in_transformers(
        self, model: Any, modules: Sequence[Any], batch: dict[str, torch.Tensor], values: FloatArray, mode: str
    ) -> tuple[dict[str, torch.Tensor], list[Any]]:
        """Apply one candidate to a transformers model: the plain path of `reference.py`.

        Args:
            model: the transformers model.
            modules: its L layers.
            batch: keyword arguments of the forward call; `input_ids` int64 (B, T).
            values: float32 (L, M, D).
            mode: the wording's.

        Returns:
            The batch to call the model with, and the handles of the hooks to remove afterwards.
        """
        window = slice(self.start, self.start + self.n_tokens)
        if mode == "cat":
            words = model.get_input_embeddings()(batch["input_ids"])
            words[:, window] = torch.tensor(values[0], device=words.device)
            return {"inputs_embeds": words} | {k: v for k, v in batch.items() if k != "input_ids"}, []

        def add_before(number: int) -> Any:
            added = torch.tensor(values[number], device=model.device)

            def hook(_module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
                states = args[0].clone()
                states[:, window] += added
                return (states, *args[1:])

            return hook

        return batch, [module.register_forward_pre_hook(add_before(number)) for number, module in enumerate(modules)]


@dataclass(frozen=True, slots=True)
class PromptCandidates:
    """The checked candidates of one query. Made by `DeepPrompt.check`.

    Attributes:
        tunable: the prompt's shape and place.
        values: float32 (P, L, M, D), or (P, M, D) with `layer`.
        layer: the layer that `values` replaces, or None.
        base: float32 (L, M, D) for the other layers; None means zeros.
        mode: the wording's.
    """

    tunable: DeepPrompt
    values: FloatArray
    layer: int | None
    base: FloatArray | None
    mode: str

    @property
    def replaces_words(self) -> bool:
        """Whether `insert` changes the word vectors, so that no layer is shared."""
        return self.mode == "cat"

    @property
    def n_shared_layers(self) -> int:
        """Number of layers, from 0 on, at which all candidates are equal."""
        return 0 if self.layer is None or self.replaces_words else self.layer

    def at(self, layer: int, candidates: slice) -> FloatArray | None:
        """Return the prompts of a layer: (P', M, D), (1, M, D) where all are equal, None for zeros."""
        if self.layer is None:
            return self.values[candidates, layer]
        if layer == self.layer:
            return self.values[candidates]
        return None if self.base is None else self.base[None, layer]

    def shared_digest(self, layers: int) -> bytes:
        """Return the SHA-256 over the shared prompts of the first `layers` layers: part of the cache key."""
        total = hashlib.sha256()
        if self.base is not None and layers:
            total.update(self.base[:layers].tobytes())
        return total.digest()

    def add(self, states: torch.Tensor, packing: Packing, layer: int, group: slice) -> None:
        """Add the prompts of a layer to its input (N, D), in place. In mode "cat" they are zero."""
        prompt = self.at(layer, group)
        if prompt is not None and not self.replaces_words:
            added = _tensor(prompt, states).unsqueeze(1)  # (G, 1, M, D)
            for window in packing.windows(states, self.tunable.start, self.tunable.n_tokens):
                window.add_(added)

    def insert(self, words: torch.Tensor, packing: Packing, group: slice) -> None:
        """Replace the word vectors (N, D) at the prompt positions by the prompts of layer 0, in place."""
        prompt = self.at(0, group)
        for window in packing.windows(words, self.tunable.start, self.tunable.n_tokens):
            window[:] = 0 if prompt is None else _tensor(prompt, words).unsqueeze(1)


def _tensor(values: FloatArray, like: torch.Tensor) -> torch.Tensor:
    """Copy an array, which may be read-only, to the device and type of `like`."""
    return torch.tensor(values, device=like.device, dtype=like.dtype)


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
