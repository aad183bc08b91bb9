"""What a kind of task owns: its targets, its default prediction, and which predictions can be scored.

One file per kind. To add one: write the file, add one line to `_KINDS`, and register a metric of that
kind in `harness.metrics.registry`, from which round files take the names.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.config import TaskConfig
from harness.errors import InfrastructureError
from harness.metrics.official import score
from harness.records import FloatArray, IntArray
from harness.tasks.kinds import classification

__all__ = ["TaskKind", "find_kind"]


@dataclass(frozen=True, slots=True)
class TaskKind:
    """A kind of task.

    Attributes:
        name: as a round file writes it.
        read_target: value of the label column, how the file writes each class (empty: class numbers), the
            task, and where the value stands -> target. Raises DataError.
        check_test: task and targets of its test rows, int64 (B,). Raises DataError if they cannot rank anybody.
        default_prediction: logits (E, B, C) -> predictions, int64 (B,): for a submission without `predict`.
        problem_with: predictions, int64 (B,), and the task -> why they cannot be scored, or "".
    """

    name: str
    read_target: Callable[[Any, Sequence[str], TaskConfig, str], int]
    check_test: Callable[[TaskConfig, IntArray], None]
    default_prediction: Callable[[FloatArray], IntArray]
    problem_with: Callable[[IntArray, TaskConfig], str]

    def score(self, task: TaskConfig, targets: IntArray, predictions: IntArray) -> float:
        """Return the task's metric in percent; see `harness.metrics.official.score`.

        Args:
            task: names the metric.
            targets: int64 (B,), B >= 1.
            predictions: int64 (B,), without a problem.

        Raises:
            ValueError: the predictions cannot be scored.
        """
        return score(task.metric, targets, predictions, len(task.label_names))


_KINDS = {
    kind.name: kind
    for kind in (
        TaskKind(
            "classification",
            classification.read_label,
            classification.check_test,
            classification.default_prediction,
            classification.problem_with,
        ),
    )
}


def find_kind(name: str) -> TaskKind:
    """Return the kind of that name; the configuration refuses other names.

    Raises:
        InfrastructureError: a metric is registered for a kind that is not.
    """
    if name not in _KINDS:
        raise InfrastructureError(
            f"Task kind not found: got {name!r}, expected one of {', '.join(_KINDS)}; register it in "
            "harness/tasks/kinds"
        )
    return _KINDS[name]
