"""The forward engine: one frozen language model that evaluates deep prompts for many runs.

See `runner` for the theory of operation.
"""

from harness.engine.backbone import Backbone, load_backbone
from harness.engine.info import EngineInfo
from harness.engine.profile import NumericProfile
from harness.engine.query import CheckedQuery
from harness.engine.reference import evaluate_reference, reference_logits
from harness.engine.runner import Engine
from harness.engine.scheduler import Scheduler
from harness.engine.text.encode import EncodedSplit, encode
from harness.engine.text.wording import CompiledWording, compile_wording

__all__ = [
    "Backbone",
    "CheckedQuery",
    "CompiledWording",
    "EncodedSplit",
    "Engine",
    "EngineInfo",
    "NumericProfile",
    "Scheduler",
    "compile_wording",
    "encode",
    "evaluate_reference",
    "load_backbone",
    "reference_logits",
]
