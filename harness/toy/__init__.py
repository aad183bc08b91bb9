"""The embedded toy: a tiny masked language model and five small tasks in a made language.

The toy lets the whole product (demo, tests, conformance suite) run in seconds without a download.
This file holds constants only and imports nothing heavy; the sibling files are

- ``lexicon``: the words of the language, by the role that they play;
- ``grammar``: documents for pretraining and rows for the tasks;
- ``tokenizer``: words to ids.

``make toy-model`` trains the weights. Templates, label words and budgets are in the packaged round ``toy``.
"""

from pathlib import Path
from typing import Final

__all__ = ["MODEL_MAX_LENGTH", "N_PROMPT_TOKENS", "PLACEHOLDER_IDS", "PLACEHOLDER_WORDS", "WEIGHTS_DIR"]

WEIGHTS_DIR: Final = Path(__file__).parent / "weights"
"""Folder for ``AutoModelForMaskedLM`` and ``AutoTokenizer``: weights, config and tokenizer."""

MODEL_MAX_LENGTH: Final = 64
"""Longest sequence in tokens, ``<s>`` and ``</s>`` included."""

PLACEHOLDER_WORDS: Final = ("well", "so", "then", "now", "here", "there", "thus", "hence", "anyway", "again")
"""The filler words that open every document of the language, in this order."""

N_PROMPT_TOKENS: Final = len(PLACEHOLDER_WORDS)
"""M: prompt tokens per layer."""

PLACEHOLDER_IDS: Final = tuple(range(10, 10 + N_PROMPT_TOKENS))
"""Token ids of ``PLACEHOLDER_WORDS``; they follow the special tokens and the punctuation."""
