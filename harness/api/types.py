"""Values exchanged between a solver and the harness. Shape letters: `harness.records`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.records import Array, FloatArray, IntArray

__all__ = ["Base", "ModelInfo", "Solution", "Split", "Task", "Wording"]


@dataclass(frozen=True, slots=True)
class Split:
    """Labelled examples.

    Attributes:
        texts: B tuples of one or two strings, the task's fields in template order.
        labels: int64 (B,), each 0 <= label < C.
    """

    texts: tuple[tuple[str, ...], ...]
    labels: IntArray

    def __len__(self) -> int:
        """Return B."""
        return len(self.texts)


@dataclass(frozen=True, slots=True)
class Task:
    """One task as passed to a solver, without test data.

    Attributes:
        name: for instance "sst2".
        metric: "accuracy" or "f1_macro".
        label_names: C names.
        template: the official template: `{p}`, `{text}` or `{a}` and `{b}`, and `[M]`.
        words: the official label words, one per class.
        kshot_seed: seed of the k-shot draw.
        solver_seed: seed for the solver's randomness; never 0, which pycma replaces by the clock.
        train: k examples per class.
        dev: k examples per class, disjoint from train; may be used for training.
    """

    name: str
    metric: str
    label_names: tuple[str, ...]
    template: str
    words: tuple[str, ...]
    kshot_seed: int
    solver_seed: int
    train: Split
    dev: Split


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Public facts about the model, and the limits of the attempt.

    Attributes:
        family: the model type, as in the model's `config.json`.
        n_layers: L, the number of layers with a prompt.
        hidden_size: D.
        n_prompt_tokens: M.
        embedding_std: unclipped standard deviation of the word-embedding matrix.
        max_calls: the attempt's budget in calls.
        outputs: outputs that this round allows.
        max_ensemble: largest number of members E of a solution.
    """

    family: str
    n_layers: int
    hidden_size: int
    n_prompt_tokens: int
    embedding_std: float
    max_calls: int
    outputs: tuple[str, ...] = ("logits",)
    max_ensemble: int = 1


@dataclass(frozen=True, slots=True)
class Base:
    """Handle of a deep prompt stored on the server, valid within its attempt."""

    id: int


@dataclass(frozen=True, slots=True)
class Wording:
    """Handle of a template and label words stored on the server, valid within its attempt."""

    id: int


@dataclass(frozen=True, slots=True)
class Solution:
    """The result of a solver.

    Attributes:
        prompts: float32 (E, L, M, D), E <= `ModelInfo.max_ensemble`.
        wordings: one per member; empty means the official wording for all.
        outputs: outputs of the test rows that `predict` receives.
        state: named arrays for `predict`; the round limits their bytes.
    """

    prompts: FloatArray
    wordings: tuple[Wording, ...] = ()
    outputs: tuple[str, ...] = ("logits",)
    state: Mapping[str, Array] = field(default_factory=dict)
