"""One run: submission x task x k-shot seed, from start to scored artifact."""

from harness.session.arena import Arena, ArenaTask
from harness.session.artifact import Artifact, Scores, read_artifact, write_artifact
from harness.session.attempt import RunSpec, run_attempt, solver_params
from harness.session.blackbox import MeteredBlackBox, Progress
from harness.session.submission import Manifest, Submission, read_submission

__all__ = [
    "Arena",
    "ArenaTask",
    "Artifact",
    "Manifest",
    "MeteredBlackBox",
    "Progress",
    "RunSpec",
    "Scores",
    "Submission",
    "read_artifact",
    "read_submission",
    "run_attempt",
    "solver_params",
    "write_artifact",
]
