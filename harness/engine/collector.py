"""The outputs of a query, filled in batch by batch."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch

from harness.api.types import Response
from harness.engine.families import Family
from harness.engine.info import EngineInfo
from harness.engine.packing import Packing
from harness.engine.text.wording import CompiledWording

__all__ = ["Collector"]


@dataclass(frozen=True, slots=True)
class Collector:
    """Arrays for the outputs that were asked.

    Attributes:
        wording: whose classes and probe words are scored.
        response: the arrays; None where an output was not asked.
    """

    wording: CompiledWording
    response: Response

    @classmethod
    def allocate(
        cls,
        wording: CompiledWording,
        info: EngineInfo,
        n_candidates: int,
        n_rows: int,
        outputs: Collection[str],
    ) -> "Collector":
        """Make the arrays; layer 0 of `layer_std` is known from the start."""

        def zeros(name: str, *shape: int, dtype: type = np.float32) -> np.ndarray | None:
            return np.zeros((n_candidates, *shape), dtype) if name in outputs else None

        layer_std = zeros("layer_std", info.n_layers, dtype=np.float64)
        if layer_std is not None:
            layer_std[:, 0] = info.embedding_std
        response = Response(
            logits=zeros("logits", n_rows, len(wording.class_ids)),
            features=zeros("features", n_rows, info.hidden_size),
            layer_std=layer_std,
            word_logits=zeros("word_logits", n_rows, len(wording.probe_ids)),
        )
        return cls(wording, response)

    def read(self, family: Family, features: torch.Tensor, packing: Packing, first: int) -> None:
        """Fill in what follows from the features of some inputs.

        Args:
            family: scores tokens.
            features: (inputs, D), the final hidden states at the read positions.
            packing: whose inputs they are.
            first: the first of the packing's candidates within the query.
        """
        at = (packing.candidates + first, packing.members)
        if self.response.features is not None:
            self.response.features[at] = features.float().cpu().numpy()
        if self.response.logits is None and self.response.word_logits is None:
            return
        states = family.head(features)
        # Label words and probe words are scored apart, so that asking for one cannot move the other.
        if self.response.logits is not None:
            classes = self.wording.class_ids
            scores = family.columns(states, [token for ids in classes for token in ids])
            per_class = torch.split(scores, [len(ids) for ids in classes], dim=1)
            means = torch.stack([part.mean(dim=1) for part in per_class], dim=1)
            self.response.logits[at] = means.cpu().numpy()
        if self.response.word_logits is not None:
            scores = family.columns(states, self.wording.probe_ids)
            self.response.word_logits[at] = scores.cpu().numpy()
