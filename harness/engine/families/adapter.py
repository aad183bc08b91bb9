"""Adapter of a model type: its transformers class, special tokens and layout."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.engine.layers.family import Family

__all__ = ["Adapter", "SpecialIds"]


@dataclass(frozen=True, slots=True)
class SpecialIds:
    """Ids of the special tokens of an input.

    Attributes:
        start: ids before the prompt positions.
        end: ids after the template.
        mask: the id at the read position; None if the last token is read.
        pad: padding id; never attended to.
    """

    start: tuple[int, ...]
    end: tuple[int, ...]
    mask: int | None
    pad: int

    @property
    def all_ids(self) -> frozenset[int]:
        """All of these ids."""
        masks = () if self.mask is None else (self.mask,)
        return frozenset({*self.start, *self.end, *masks, self.pad})


@dataclass(frozen=True, slots=True)
class Adapter:
    """How the engine loads and lays out a model of one type.

    Attributes:
        adapt: builds a `Family` from a transformers model.
        auto_class: the transformers class that loads the model.
        start: the special token before the prompt: an attribute of the tokenizer ("cls_token") or
            the token's text; None for no token.
        end: the special token after the template.
        mask: the special token at the read position; None if the last token is read.
        masked_head: returns the LM head of a masked language model, (B, D) to (B, vocabulary); its
            layers are `model.base_model.encoder.layer`. Gradient references need it; None elsewhere.
    """

    adapt: Callable[[Any], Family]
    auto_class: Any
    start: str | None
    end: str | None
    mask: str | None
    masked_head: Callable[[Any], Any] | None = None

    def __call__(self, model: Any) -> Family:
        """Adapt a model."""
        return self.adapt(model)
