"""Public facts about the engine's model."""

from dataclasses import dataclass

__all__ = ["EngineInfo"]


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Public facts about the model; the other fields of `ModelInfo` belong to the attempt.

    Attributes:
        family: a name in `harness.engine.families.ADAPTERS`.
        n_layers: L.
        hidden_size: D.
        n_prompt_tokens: M.
        embedding_std: unclipped standard deviation of the word embeddings.
    """

    family: str
    n_layers: int
    hidden_size: int
    n_prompt_tokens: int
    embedding_std: float
