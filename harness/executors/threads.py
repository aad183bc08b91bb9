"""Runs jobs in the calling thread of this process, beside one engine per round; each solver in a sandbox."""

import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from harness.executors.admission import Admission, machine_bytes
from harness.executors.base import Job, JobEvent, Progressed, ScoringStarted, TestRowsLoaded
from harness.executors.loaded_rounds import LoadedRounds
from harness.session.artifact import SOLVER_LOG, Artifact
from harness.session.attempt import run_attempt
from harness.session.footprint import attempt_bytes

__all__ = ["ThreadsExecutor"]


@dataclass
class ThreadsExecutor:
    """The executor of a worker on one machine.

    Attributes:
        scratch: holds a folder per job, with its journal and its solver's log.
    """

    scratch: Path
    _rounds: LoadedRounds = field(default_factory=LoadedRounds, repr=False)
    _admission: Admission = field(default_factory=lambda: Admission(machine_bytes()), repr=False)

    def run(self, job: Job, on_event: Callable[[JobEvent], None], stop: threading.Event) -> Artifact:
        """Run an attempt when its memory limits fit beside those of the others; see `Executor`."""
        folder = self.scratch / job.name
        try:
            folder.mkdir()
            with self._rounds.using(job.config) as loaded:
                task = loaded.task(job.spec.task)
                on_event(
                    TestRowsLoaded(
                        digest=task.data.test_digest,
                        n_classes=len(task.config.label_names),
                        labels=task.data.test.labels,
                        is_public=task.is_public,
                    )
                )
                with self._admission.hold(attempt_bytes(loaded, task), stop):
                    return run_attempt(
                        loaded,
                        job.spec,
                        folder,
                        job.mode,
                        lambda progress: on_event(Progressed(progress)),
                        stop,
                        lambda: on_event(ScoringStarted()),
                    )
        finally:
            shutil.rmtree(folder / "submission", ignore_errors=True)

    def clean(self, name: str) -> None:
        """Remove the log of a job whose artifact is stored."""
        with suppress(OSError):
            (self.scratch / name / SOLVER_LOG).unlink()
