"""Speed of a forward call as a ratio to plain transformers in the same run."""

from harness.bench.cases import case_names, run_case
from harness.bench.line import BenchLine, BenchRefused

__all__ = ["BenchLine", "BenchRefused", "case_names", "run_case"]
