"""The incumbents of an attempt: at most 8, at fixed points of a logarithmic grid of calls.

A checkpoint replaces the one before it within the same stretch of the grid, so a solver cannot buy more
looks at the test set by naming more checkpoints; and the stretches are fixed by the budget alone, so it
cannot choose where they are looked at. The newest checkpoint is always kept: it is what a limit that is
hit leaves to be scored. Where states are large the earliest give way: the worker holds them all in memory.
The solution that counts is one look more, so a test curve has up to 9 points.
"""

import math
from dataclasses import dataclass

from harness.api import Solution

__all__ = ["KEPT_STATES", "MAX_INCUMBENTS", "Checkpoint", "Incumbents"]

MAX_INCUMBENTS = 8
KEPT_STATES = 2
"""Times the largest state: what the states of all that is kept may take together."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The incumbent and when it was named."""

    calls: int
    solution: Solution

    @property
    def state_bytes(self) -> int:
        """Memory of the solution's state."""
        return sum(array.nbytes for array in self.solution.state.values())


class Incumbents:
    """Keeps the last checkpoint of each stretch of the budget."""

    def __init__(self, budget_calls: int, state_bytes: int) -> None:
        """Cut the budget into stretches of equal logarithm.

        Args:
            budget_calls: B >= 1.
            state_bytes: the most that one solution's state may take.
        """
        self._most_bytes = KEPT_STATES * state_bytes
        self._log_budget = math.log1p(budget_calls)
        self._kept: dict[int, Checkpoint] = {}

    def name(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint in the place of an earlier one of its stretch."""
        share = math.log1p(checkpoint.calls) / self._log_budget
        self._kept[min(MAX_INCUMBENTS - 1, int(share * MAX_INCUMBENTS))] = checkpoint
        while (
            len(self._kept) > 1 and sum(kept.state_bytes for kept in self._kept.values()) > self._most_bytes
        ):
            del self._kept[min(self._kept)]

    @property
    def newest(self) -> Checkpoint | None:
        """What is scored if a limit ends the attempt."""
        return self._kept[max(self._kept)] if self._kept else None

    @property
    def all(self) -> tuple[Checkpoint, ...]:
        """At most `MAX_INCUMBENTS`, by rising calls."""
        return tuple(self._kept[stretch] for stretch in sorted(self._kept))
