"""Model families: the one place that touches the internals of a language model."""

from harness.engine.families.bert import adapt_bert
from harness.engine.families.encoder import PostNormEncoder
from harness.engine.families.family import Family, SpecialIds
from harness.engine.families.roberta import adapt_roberta

ADAPTERS = {"bert": adapt_bert, "roberta": adapt_roberta}
"""Model type (as in a model's `config.json`) to the function that adapts such a model."""

__all__ = ["ADAPTERS", "Family", "PostNormEncoder", "SpecialIds", "adapt_bert", "adapt_roberta"]
