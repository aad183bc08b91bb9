"""Arrays for the outputs of a query, filled batch by batch."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch

from harness.api.outputs import OUTPUTS, Response
from harness.engine.families import Family
from harness.engine.info import EngineInfo
from harness.engine.packing import Packing
from harness.engine.text.wording import CompiledWording

__all__ = ["Collector"]


@dataclass(frozen=True, slots=True)
class Collector:
    """Arrays for the requested outputs.

    Attributes:
        wording: the wording with the classes and probe words to score.
        response: the arrays; None for outputs that were not requested.
    """

    wording: CompiledWording
    response: Response

    @classmethod
    def allocate(
        cls, wording: CompiledWording, info: EngineInfo, n_candidates: int, n_rows: int, outputs: Collection[str]
    ) -> "Collector":
        """Allocate the arrays and set layer 0 of `layer_std`."""
        sizes = {"P": n_candidates, "B": n_rows, "L": info.n_layers, "D": info.hidden_size}
        sizes |= {"C": len(wording.class_ids), "W": len(wording.probe_ids)}
        rows = [OUTPUTS[name] for name in outputs]
        response = Response(**{row.name: np.zeros([sizes[axis] for axis in row.axes], row.dtype) for row in rows})
        if response.layer_std is not None:
            response.layer_std[:, 0] = info.embedding_std
        return cls(wording, response)

    def read(self, family: Family, features: torch.Tensor, packing: Packing, first: int) -> None:
        """Fill in the outputs of some inputs from their features.

        Args:
            family: the model family, which scores tokens.
            features: (inputs, D), the final hidden states at the read positions.
            packing: layout of these inputs.
            first: index within the query of the packing's first candidate.
        """
        at = (packing.candidates + first, packing.members)
        if self.response.features is not None:
            self.response.features[at] = features.float().cpu().numpy()
        logits, word_logits = self.response.logits, self.response.word_logits
        if logits is None and word_logits is None:
            return
        states = family.head(features)
        # Label words and probe words are scored separately: asking for one must not change the bits of the other.
        if logits is not None:
            classes = self.wording.class_ids
            scores = family.columns(states, [token for ids in classes for token in ids])
            per_class = torch.split(scores, [len(ids) for ids in classes], dim=1)
            logits[at] = torch.stack([part.mean(dim=1) for part in per_class], dim=1).cpu().numpy()
        if word_logits is not None:
            word_logits[at] = family.columns(states, self.wording.probe_ids).cpu().numpy()
