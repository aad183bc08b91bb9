"""Masked language models as gradient references adapt them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from harness.engine import EncodedSplit
from harness.engine.families import ADAPTERS
from harness.errors import UsageError
from harness.records import IntArray

__all__ = ["Adapted", "Batch", "MaskedLM", "additive_mask", "batch_of", "head_of", "logits_of"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples, padded on the right, without placeholder tokens.

    Attributes:
        ids: int64 (B, T).
        mask: int64 (B, T), 1 on real tokens.
        read: int64 (B,), position of the mask token.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    read: torch.Tensor


def batch_of(encoded: EncodedSplit, rows: Sequence[int] | IntArray, prompt_start: int, pad_id: int) -> Batch:
    """Return some examples of a split without placeholder tokens, as each method has its own prompt."""
    n_prompt = len(encoded.wording.placeholder_ids)
    kept = [np.delete(encoded.example_ids(int(row)), np.s_[prompt_start : prompt_start + n_prompt]) for row in rows]
    width = max(map(len, kept))
    ids = torch.full((len(kept), width), pad_id)
    mask = torch.zeros((len(kept), width), dtype=torch.int64)
    for number, example in enumerate(kept):
        ids[number, : len(example)] = torch.from_numpy(example)
        mask[number, : len(example)] = 1
    read = torch.from_numpy(encoded.read_positions[np.asarray(rows)] - n_prompt)
    return Batch(ids, mask, read)


class Adapted(nn.Module):
    """An adapted model: parameters that require gradients, and features at the mask.

    Attributes:
        model: the whole model; its head scores the features.
    """

    def __init__(self, model: Any) -> None:
        """Wrap a model with a language-modelling head."""
        super().__init__()
        self.model = model

    def features(self, batch: Batch) -> torch.Tensor:
        """Return the final hidden states at the read position, (B, D)."""
        raise NotImplementedError

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return logits over the vocabulary at the read position, (B, vocabulary)."""
        return logits_of(head_of(self.model), self.features(batch))

    def stages(self) -> "tuple[Adapted, ...]":
        """Return the models to train in order; the last one is scored."""
        return (self,)

    def begin(self) -> None:
        """Copy parameters from earlier stages; called before this stage's training."""


class MaskedLM(Adapted):
    """A transformers masked LM, or its body wrapped by peft, read at the mask.

    Attributes:
        model: the whole model.
        body: called as ``body(input_ids, attention_mask)``; default: the model's body.
        n_prepended: number of tokens that `body` prepends.
    """

    def __init__(self, model: Any, body: Any = None, n_prepended: int = 0) -> None:
        """Wrap a model with a language-modelling head."""
        super().__init__(model)
        self.body = model.base_model if body is None else body
        self.n_prepended = n_prepended

    def features(self, batch: Batch) -> torch.Tensor:
        """Return the final hidden states at the read position, (B, D)."""
        states = self.body(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
        at_read: torch.Tensor = states[torch.arange(len(batch.read)), batch.read + self.n_prepended]
        return at_read


def logits_of(head: Any, features: torch.Tensor) -> torch.Tensor:
    """Return logits (B, vocabulary) in fp32 even if the layers compute in bf16, where many would tie."""
    with torch.autocast("cpu", enabled=False):
        logits: torch.Tensor = head(features.float())
    return logits


def head_of(model: Any) -> Any:
    """Return the language-modelling head: (B, D) to (B, vocabulary).

    Raises:
        UsageError: the model is not a masked language model that gradient references can adapt.
    """
    adapter = ADAPTERS.get(model.config.model_type)
    if adapter is None or adapter.masked_head is None:
        supported = " or ".join(name for name, one in ADAPTERS.items() if one.masked_head)
        raise UsageError(
            f"Gradient references cannot adapt this model: got family {model.config.model_type}, expected "
            f"{supported}; choose another round"
        )
    return adapter.masked_head(model)


def additive_mask(mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return the additive attention mask, (B, 1, 1, T): 0 on real tokens, very negative on padding."""
    return (1 - mask[:, None, None, :]).to(dtype) * torch.finfo(dtype).min
