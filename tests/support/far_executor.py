"""An executor as another process would be one: what goes in and what comes out are bytes."""

import pickle
from datetime import UTC, datetime

import numpy as np

from harness.executors.base import Progressed, ScoringStarted, TestRowsLoaded
from harness.records import Usage, Verdict
from harness.session.artifact import Artifact, Scores
from harness.session.blackbox import AttemptProgress

__all__ = ["FarExecutor", "artifact_of", "events_of"]

N_ROWS = 6
MOMENT = datetime(2026, 11, 1, tzinfo=UTC)


def events_of(job):
    """Return the events of an attempt with one query, in order."""
    labels = np.arange(N_ROWS) % len(job.config.task[0].label_names)
    return [
        TestRowsLoaded("e" * 64, len(job.config.task[0].label_names), labels, np.arange(N_ROWS) % 2 == 0),
        Progressed(AttemptProgress(calls=1, max_calls=job.config.task[0].budget_calls, best_train_loss=0.5)),
        ScoringStarted(),
    ]


def artifact_of(job):
    """Return a plausible artifact of a job."""
    task = job.config.task[0]
    return Artifact(
        round_name=job.config.name,
        round_version=job.config.round.version,
        submission_name=job.spec.submission.manifest.name,
        params=dict(job.spec.params),
        task=job.spec.task,
        metric=task.metric,
        kshot_seed=job.spec.kshot_seed,
        solver_seed=job.spec.solver_seed,
        predict_seed=job.spec.predict_seed,
        rotation_seed=job.spec.rotation_seed,
        hashes={"submission": job.spec.submission.digest, "round": job.config.digest()},
        test_digest="e" * 64,
        packages={},
        profile={},
        sandbox_mode=job.mode.value,
        started_at=MOMENT,
        ended_at=MOMENT,
        solve_s=1.0,
        wall_s=1.5,
        peak_rss_bytes=0,
        cpu_s=0.5,
        budget_calls=task.budget_calls,
        usage=Usage(calls=1, queries=1, test_examples=N_ROWS),
        verdict=Verdict.OK,
        message="",
        is_checkpoint=False,
        log="",
        trace=[],
        train_losses=[(1, 0.5)],
        predictions=[0] * N_ROWS,
        scores=Scores(public=100.0 / 3, private=200.0 / 3, n_public=3, n_private=3),
    )


class FarExecutor:
    """Takes jobs as bytes and answers in bytes; computes nothing.

    Attributes:
        jobs: the jobs that came, pickled.
        cleaned: names of the jobs whose results are stored.
    """

    def __init__(self):
        self.jobs = []
        self.cleaned = []

    def run(self, job, on_event, stop):
        self.jobs.append(pickle.dumps(job))
        there = pickle.loads(self.jobs[-1])
        for event in events_of(there):
            on_event(pickle.loads(pickle.dumps(event)))
        return Artifact.model_validate_json(artifact_of(there).model_dump_json())

    def clean(self, name):
        self.cleaned.append(name)
