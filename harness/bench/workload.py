"""Models and examples of the bench."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from transformers import RobertaConfig, RobertaForMaskedLM

from harness.bench.line import BenchRefused
from harness.config import load_round, shared_folder
from harness.engine import Backbone, CompiledWording, EncodedSplit, Engine, NumericProfile
from harness.engine.families import ADAPTERS, SpecialIds
from harness.engine.profile import DTYPES

__all__ = ["ROBERTA_LARGE", "Workload", "large_workload", "round_workload"]

_SEED = 7
ROBERTA_LARGE: dict[str, Any] = {
    "vocab_size": 50265,
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
    "pad_token_id": 1,
}
"""The shape of RoBERTa-large."""


@dataclass(frozen=True)
class Workload:
    """A split on a model in fp32 for the reference, and in the profile's type for the engine.

    Attributes:
        plain: the fp32 model.
        backbone: the same weights in the profile's type.
        profile: the engine's.
        encoded: the examples.
        n_prompt_tokens: M.
    """

    plain: Backbone
    backbone: Backbone
    profile: NumericProfile
    encoded: EncodedSplit
    n_prompt_tokens: int

    @cached_property
    def engine(self) -> Engine:
        """The measured engine."""
        return Engine(self.backbone, self.profile, self.n_prompt_tokens)

    def prompts(self, n_candidates: int, layer: int | None) -> np.ndarray:
        """Draw prompts of a size as in a search: float32 (P, L, M, D), or (P, M, D) with `layer`."""
        shape = (self.engine.info.n_layers, self.n_prompt_tokens, self.engine.info.hidden_size)
        generator = np.random.default_rng(_SEED)
        drawn = generator.standard_normal((n_candidates, *shape[0 if layer is None else 1 :]))
        return (0.1 * drawn).astype(np.float32)

    def useful_flops(self, first_layer: int) -> float:
        """Return the floating-point operations of one call from the input of a layer on.

        Counts for each layer but the last and each token four D x D maps, two of D x 4D, and
        attention over the example. The last layer and the label words are left out, at most a
        hundredth of the work, so the rate is a lower bound.
        """
        config = self.backbone.model.config
        size, inner = config.hidden_size, config.intermediate_size
        lengths = self.encoded.lengths.astype(np.float64)
        per_layer = (2 * (4 * size**2 + 2 * size * inner) * lengths + 4 * size * lengths**2).sum()
        return float(per_layer * (config.num_hidden_layers - 1 - first_layer))


def large_workload(dtype: str, device: str, threads: int, chunk_tokens: int) -> Workload:
    """Return random weights of RoBERTa-large's shape; 32 examples of 60 to 110 tokens, 50 for the prompt."""
    torch.manual_seed(_SEED)
    torch.set_num_threads(threads)
    model = _random_model(RobertaConfig(**ROBERTA_LARGE))
    plain = _adapt(model.to(device))
    backbone = plain
    if DTYPES[dtype] != torch.float32:
        other = _random_model(model.config)
        other.load_state_dict(model.state_dict())
        backbone = _adapt(other.to(device, DTYPES[dtype]))
    generator = np.random.default_rng(_SEED)
    lengths = generator.permutation(np.linspace(60, 110, 32).astype(np.int64))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    encoded = EncodedSplit(
        wording=_WORDING, ids=generator.integers(1000, 50_000, offsets[-1]), offsets=offsets, read_positions=lengths - 3
    )
    profile = NumericProfile(device=device, dtype=dtype, threads=threads, chunk_tokens=chunk_tokens)
    return Workload(plain, backbone, profile, encoded, n_prompt_tokens=50)


_WORDING = CompiledWording(
    template="{p}{text}[M]",
    mode="add",
    n_fields=1,
    placeholder_ids=tuple(range(1000, 1050)),
    slots=(),
    words=(("bad",), ("great",)),
    class_ids=((10999,), (12338,)),
    probe_words=(),
    probe_ids=(),
    n_fixed_tokens=54,
)


def round_workload(name: str) -> Workload:
    """Return the train split of a packaged round's first task on the round's model.

    Raises:
        BenchRefused: the round's model is missing on this machine.
    """
    from harness.session.loaded_round import LoadedRound  # noqa: PLC0415 (only here)

    if name == "minilm" and not (shared_folder() / "models" / "minilm-mlm").is_dir():
        raise BenchRefused(
            f"no models/minilm-mlm in {shared_folder()}: name the folder with --shared or GRADFREE_SHARED"
        )
    arena = LoadedRound(load_round(name))
    task = arena.task(arena.config.task[0].name)
    train, _ = next(iter(task.data.kshot.values()))
    encoded = arena.encode(task.wording, train)
    return Workload(arena.backbone, arena.backbone, arena.profile, encoded, arena.config.model.n_prompt_tokens)


def _random_model(config: RobertaConfig) -> Any:
    """Create a frozen model with random weights."""
    model: Any = RobertaForMaskedLM(config)
    return model.eval().requires_grad_(requires_grad=False)


def _adapt(model: Any) -> Backbone:
    """Adapt a model without a tokenizer; the bench creates the ids."""
    specials = SpecialIds(start=(0,), end=(2,), mask=50264, pad=1)
    return Backbone(ADAPTERS[model.config.model_type](model), model, None, specials, None, "random weights", None)
