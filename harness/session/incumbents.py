"""The incumbents of an attempt: at most 8, at fixed points of a logarithmic grid of calls.

A checkpoint replaces the previous one of the same stretch of the grid, so more checkpoints give no more
evaluations on the test set. The budget alone fixes the stretches, so a solver cannot choose which
checkpoints are evaluated. The newest checkpoint is always kept, to be scored if a limit ends the attempt. The
worker holds all states in memory, so the earliest checkpoints are dropped if their states are large. With the
final solution a test curve has at most 9 points.
"""

import math
from dataclasses import dataclass

from harness.api import Solution

__all__ = ["KEPT_STATES", "MAX_INCUMBENTS", "Checkpoint", "Incumbents"]

MAX_INCUMBENTS = 8
KEPT_STATES = 2
"""Bound of the memory of all kept states, in multiples of the largest allowed state."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An incumbent, and the calls charged when it was submitted."""

    calls: int
    solution: Solution

    @property
    def state_bytes(self) -> int:
        """Memory of the solution's state."""
        return sum(array.nbytes for array in self.solution.state.values())


class Incumbents:
    """The last checkpoint of each stretch of the budget."""

    def __init__(self, budget_calls: int, state_bytes: int) -> None:
        """Divide the budget into stretches of equal logarithm.

        Args:
            budget_calls: B >= 1.
            state_bytes: largest size of the state of one solution.
        """
        self._most_bytes = KEPT_STATES * state_bytes
        self._log_budget = math.log1p(budget_calls)
        self._kept: dict[int, Checkpoint] = {}

    def name(self, checkpoint: Checkpoint) -> None:
        """Store a checkpoint, replacing an earlier one of its stretch."""
        share = math.log1p(checkpoint.calls) / self._log_budget
        self._kept[min(MAX_INCUMBENTS - 1, int(share * MAX_INCUMBENTS))] = checkpoint
        while len(self._kept) > 1 and sum(kept.state_bytes for kept in self._kept.values()) > self._most_bytes:
            del self._kept[min(self._kept)]

    @property
    def newest(self) -> Checkpoint | None:
        """The checkpoint to score if a limit ends the attempt, or None."""
        return self._kept[max(self._kept)] if self._kept else None

    @property
    def all(self) -> tuple[Checkpoint, ...]:
        """All kept checkpoints by rising calls, at most `MAX_INCUMBENTS`."""
        return tuple(self._kept[stretch] for stretch in sorted(self._kept))
