"""Model families: the only code that depends on the internals of a transformers model.

One file per family: it maps the parts of a transformers model to a `Family`. To add one: its file
here and its entry in `ADAPTERS`.
"""

from harness.engine.families.adapter import Adapter, SpecialIds
from harness.engine.families.bart import BART
from harness.engine.families.bert import BERT
from harness.engine.families.gpt2 import GPT2
from harness.engine.families.roberta import ROBERTA
from harness.engine.families.t5 import T5
from harness.engine.layers.family import Family

ADAPTERS = {"bart": BART, "bert": BERT, "gpt2": GPT2, "roberta": ROBERTA, "t5": T5}
"""Model type, as in a model's `config.json`, to the family's adapter."""

__all__ = ["ADAPTERS", "Adapter", "Family", "SpecialIds"]
