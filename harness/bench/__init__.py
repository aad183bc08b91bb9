"""Speed of a forward call, as ratios to plain transformers on the same machine in the same run."""

from harness.bench.cases import CASES, run_case
from harness.bench.line import BenchLine, BenchRefused

__all__ = ["CASES", "BenchLine", "BenchRefused", "run_case"]
