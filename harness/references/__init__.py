"""Gradient references: tuning with full access to the weights, outside the metered track.

They use a round's tasks, k-shot sets, scoring and board, are labelled `GRADIENT_LABEL` and never
ranked. Each is a folder in `baselines/` with `reference.toml` and `reference.py`, whose class adapts
a model; this package trains and predicts. They are this project's code and run without a sandbox.
"""

from harness.references.kept import KeptRuns
from harness.references.masked_lm import Adapted, Batch, MaskedLM, additive_mask, head_of, logits_of
from harness.references.method import ReferenceMethod, load_reference, packaged_references
from harness.references.run import GRADIENT_LABEL, ReferenceRun, publish_reference, run_reference

__all__ = [
    "GRADIENT_LABEL",
    "Adapted",
    "Batch",
    "KeptRuns",
    "MaskedLM",
    "ReferenceMethod",
    "ReferenceRun",
    "additive_mask",
    "head_of",
    "load_reference",
    "logits_of",
    "packaged_references",
    "publish_reference",
    "run_reference",
]
