"""The embedded toy: a tiny masked language model and five small tasks in a made language.

The toy lets the whole product (demo, tests, conformance suite) run in seconds without a download.
This file holds constants only and imports nothing heavy; the sibling files are

- ``lexicon``: the words of the language, by the role that they play;
- ``grammar``: documents for pretraining and rows for the tasks;
- ``tokenizer``: words to ids;
- ``build``: trains the weights (``python -m harness.toy.build``);
- ``gates``: measures what the weights can do (``python -m harness.toy.gates``).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = [
    "MODEL_MAX_LENGTH",
    "N_PROMPT_TOKENS",
    "PLACEHOLDER_IDS",
    "PLACEHOLDER_WORDS",
    "TASKS",
    "WEIGHTS_DIR",
    "ToyTask",
]

WEIGHTS_DIR: Final = Path(__file__).parent / "weights"
"""Folder for ``AutoModelForMaskedLM`` and ``AutoTokenizer``: weights, config and tokenizer."""

MODEL_MAX_LENGTH: Final = 64
"""Longest sequence in tokens, ``<s>`` and ``</s>`` included."""

PLACEHOLDER_WORDS: Final = (
    "well",
    "so",
    "then",
    "now",
    "here",
    "there",
    "thus",
    "hence",
    "anyway",
    "again",
)
"""The filler words that open every document of the language, in this order."""

N_PROMPT_TOKENS: Final = len(PLACEHOLDER_WORDS)
"""M: prompt tokens per layer."""

PLACEHOLDER_IDS: Final = tuple(range(10, 10 + N_PROMPT_TOKENS))
"""Token ids of ``PLACEHOLDER_WORDS``; they follow the special tokens and the punctuation."""


@dataclass(frozen=True, slots=True)
class ToyTask:
    """One task of the toy, of the same kind and shape as its official namesake.

    Attributes:
        name: key in ``TASKS``.
        fields: columns of a row that hold text, in the order of the template.
        template: ``{p}`` is the M placeholders, ``[M]`` the mask; a one-text task fills
            ``{text}``, a pair task ``{a}`` and ``{b}``.
        words: one label word per class; its index is the label.
        metric: ``accuracy`` or ``macro_f1``.
        k_shot: rows per class in train, and as many in dev.
        budget: calls of a run (one call = one candidate on the train set).
    """

    name: str
    fields: tuple[str, ...]
    template: str
    words: tuple[str, ...]
    metric: str
    k_shot: int = 16
    budget: int = 600

    @property
    def n_classes(self) -> int:
        """C: classes of the task."""
        return len(self.words)


_PAIR_TEMPLATE: Final = "{p} . {a} ? [M] , {b}"

_SST2: Final = ToyTask(
    name="sst2",
    fields=("sentence",),
    template="{p} . {text} . It was [M] .",
    words=("bad", "great"),
    metric="accuracy",
)
_DBPEDIA: Final = ToyTask(
    name="dbpedia",
    fields=("content",),
    template="{p} . [M] News: {text}",
    words=(
        "company",
        "school",
        "artist",
        "athlete",
        "office",
        "transport",
        "building",
        "nature",
        "village",
        "animal",
        "plant",
        "album",
        "film",
        "book",
    ),
    metric="macro_f1",
    k_shot=8,
)
_SNLI: Final = ToyTask(
    name="snli",
    fields=("premise", "hypothesis"),
    template=_PAIR_TEMPLATE,
    words=("Yes", "Maybe", "No"),
    metric="macro_f1",
)
_QQP: Final = ToyTask(
    name="qqp",
    fields=("question1", "question2"),
    template=_PAIR_TEMPLATE,
    words=("No", "Yes"),
    metric="accuracy",
)
_QNLI: Final = ToyTask(
    name="qnli",
    fields=("question", "sentence"),
    template=_PAIR_TEMPLATE,
    words=("Yes", "No"),
    metric="accuracy",
)

TASKS: Final = {task.name: task for task in (_SST2, _DBPEDIA, _SNLI, _QQP, _QNLI)}
"""The five tasks by name, in the order of the official board."""
