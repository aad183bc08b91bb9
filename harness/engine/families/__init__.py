"""Model families: the one place that touches the internals of a language model.

A family is one file: it names the parts of a transformers model and builds a `Family` from them.
"""

from harness.engine.families.adapter import Adapter
from harness.engine.families.bart import BART
from harness.engine.families.bert import BERT
from harness.engine.families.family import Family, SpecialIds
from harness.engine.families.gpt2 import GPT2
from harness.engine.families.roberta import ROBERTA
from harness.engine.families.t5 import T5

ADAPTERS = {"bart": BART, "bert": BERT, "gpt2": GPT2, "roberta": ROBERTA, "t5": T5}
"""Model type (as in a model's `config.json`) to what the engine needs for such a model."""

__all__ = ["ADAPTERS", "Adapter", "Family", "SpecialIds"]
