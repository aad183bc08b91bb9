"""What a worker gives an executor, and what it gets back: values, so that another process or host can be one.

::

    worker --- Job ---> executor:  load the round, run the attempt beside its engine
           <-- events --           TestRowsLoaded, Progressed, ScoringStarted
           <-- Artifact --         or an exception: the attempt is void
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from harness.config import RoundConfig
from harness.records import Array, IntArray
from harness.sandbox import SandboxMode
from harness.session.artifact import Artifact
from harness.session.attempt import RunSpec
from harness.session.blackbox import AttemptProgress

__all__ = ["Executor", "Job", "JobEvent", "Progressed", "ScoringStarted", "TestRowsLoaded"]


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt at one run. Data alone: no open files, no callbacks, no folder of the arena.

    Attributes:
        name: unique among all attempts; names the attempt's scratch folder where the job runs.
        config: the rules of the round.
        spec: the submission's content, the task and every seed.
        mode: how the solver is isolated.
    """

    name: str
    config: RoundConfig
    spec: RunSpec
    mode: SandboxMode


@dataclass(frozen=True, slots=True, eq=False)
class TestRowsLoaded:
    """The task's data are loaded, and nothing has been computed yet.

    Attributes:
        digest: SHA-256 (hex) of the test rows with their labels.
        n_classes: C.
        labels: int64 (B,).
        is_public: bool (B,), which test rows are public.
    """

    __test__ = False  # pytest would collect a class of this name

    digest: str
    n_classes: int
    labels: IntArray
    is_public: Array


@dataclass(frozen=True, slots=True)
class Progressed:
    """A query was answered."""

    progress: AttemptProgress


@dataclass(frozen=True, slots=True)
class ScoringStarted:
    """The test rows are about to be read."""


JobEvent = TestRowsLoaded | Progressed | ScoringStarted


class Executor(Protocol):
    """Runs jobs, several at once from several threads of the worker."""

    def run(self, job: Job, on_event: Callable[[JobEvent], None], stop: threading.Event) -> Artifact:
        """Run an attempt and return its artifact, not yet written.

        Args:
            job: what to run.
            on_event: called in order; the attempt goes on when it returns, and is void if it raises.
            stop: set by another thread when the result is no longer wanted.

        Raises:
            InfrastructureError: a platform error, or `stop` was set; the attempt is void.
            GradfreeError: the round's model or data cannot be used; the attempt is void.
        """
        ...

    def clean(self, name: str) -> None:
        """Remove the solver's log of a job whose artifact is stored: the artifact holds it."""
        ...
