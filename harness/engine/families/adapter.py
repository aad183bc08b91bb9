"""What belongs to a model type: its class, its special tokens and how it is laid out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.engine.families.family import Family

__all__ = ["Adapter"]


@dataclass(frozen=True, slots=True)
class Adapter:
    """How the engine takes up a model of one type.

    Attributes:
        adapt: lays the weights of a transformers model out.
        auto_class: the class of transformers that loads it.
        start: the special token before the prompt: an attribute of the tokenizer ("cls_token") or
            the token's text; None where there is none.
        end: the one after the last piece of the template.
        mask: the one at the read position; None where the last token of an input is read.
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
