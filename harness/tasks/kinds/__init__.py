"""What a kind of task owns: targets, default prediction, which predictions can be scored, and the score.

One file per kind. To add one: write its file, add one line to `KINDS`, and register a metric of that kind
in `harness.metrics.registry`, from which round files take the names.
"""

from collections.abc import Mapping
from types import MappingProxyType

from harness.tasks.kinds.classification import Classification

__all__ = ["KINDS"]

KINDS: Mapping[str, Classification] = MappingProxyType({"classification": Classification()})
"""Name in a round file -> kind."""
