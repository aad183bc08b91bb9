"""The run artifact: one JSON document that says everything about an attempt.

Database rows are derived from it. It is written whole or not at all: a partial file is never
taken for a result.
"""

import hashlib
import os
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue

from harness.errors import DataError
from harness.records import RunSummary, Usage, Verdict
from harness.session.trace import TraceEntry

__all__ = [
    "SCHEMA_VERSION",
    "SOLVER_LOG",
    "Artifact",
    "IncumbentScore",
    "Scores",
    "read_artifact",
    "write_artifact",
]

SCHEMA_VERSION: Literal["1"] = "1"

SOLVER_LOG = "solver.log"
"""In an attempt's folder, as the solver prints it: all that is left of it if the attempt ends without an artifact."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Scores(_Frozen):
    """Scores of one run, 0-100, not rounded; `private` is None where every test row is public."""

    public: float
    private: float | None
    n_public: int
    n_private: int


class IncumbentScore(_Frozen):
    """Test scores of an incumbent, and the calls charged when it was named."""

    calls: int
    public: float
    private: float | None


class Artifact(_Frozen):
    """One attempt, from start to score. It holds private scores: it never leaves the sealed store."""

    schema_version: Literal["1"] = SCHEMA_VERSION
    round_name: str
    round_version: str
    submission_name: str
    params: dict[str, JsonValue]
    task: str
    metric: str
    kshot_seed: int
    solver_seed: int
    predict_seed: int
    """Draws the order of rows that `predict` gets and the sample that is predicted again."""
    rotation_seed: int | None = None
    """Of the secret basis; None where the round has none."""
    hashes: dict[str, str]
    """SHA-256 (hex) of submission, round, data, model, tokenizer, code, packages and numeric profile."""
    test_digest: str
    """SHA-256 (hex) of the test rows with their labels: sealed, unlike `hashes`."""
    packages: dict[str, str]
    profile: dict[str, str | int | dict[str, str]]
    sandbox_mode: str
    started_at: AwareDatetime
    ended_at: AwareDatetime
    solve_s: float
    """Seconds until `solve` had ended. This is what is published: the test phase could signal by its length."""
    wall_s: float
    peak_rss_bytes: int
    cpu_s: float
    budget_calls: int
    usage: Usage
    verdict: Verdict
    message: str
    is_checkpoint: bool
    """Scored on a checkpoint, because a limit ended the attempt."""
    log: str
    log_truncated: bool = False
    """More was printed than `log` keeps."""
    trace: list[TraceEntry]
    train_losses: list[tuple[int, float]]
    """(calls charged, best train loss so far)."""
    predictions: list[int] | None
    """Of the test rows in canonical order."""
    scores: Scores | None
    incumbents: list[IncumbentScore] = []
    """By rising calls; the last one is what was scored. Hidden until publication, unless the round says otherwise."""

    @property
    def is_official(self) -> bool:
        """Whether the solver ran isolated; a result without isolation is marked wherever it shows."""
        return self.sandbox_mode != "unsafe"

    def summary(self, path: str, sha256: str) -> RunSummary:
        """Return what the databases keep of it.

        Args:
            path: of its file, relative to the artifact folder.
            sha256: of that file, hexadecimal.
        """
        scores = self.scores
        return RunSummary(
            verdict=self.verdict,
            score_public=None if scores is None else scores.public,
            score_private=None if scores is None else scores.private,
            usage=self.usage,
            started_at=self.started_at,
            ended_at=self.ended_at,
            is_checkpoint=self.is_checkpoint,
            is_official=self.is_official,
            message=self.message,
            artifact_path=path,
            artifact_sha256=sha256,
            hashes=self.hashes,
            train_losses=tuple(self.train_losses),
            incumbents=tuple((point.calls, point.public, point.private) for point in self.incumbents),
            solve_s=round(self.solve_s, 3),
        )


def write_artifact(artifact: Artifact, path: Path) -> str:
    """Write the document durably and return its SHA-256 (hex).

    The file appears under its name only when all of it is on the disk.
    """
    content = artifact.model_dump_json(indent=1).encode() + b"\n"
    staging = path.with_name(f".{path.name}.{os.getpid()}")
    with staging.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    staging.replace(path)
    # The name too: a row of the database will speak of it, and must not outlive it in a power cut.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return hashlib.sha256(content).hexdigest()


def read_artifact(path: Path) -> Artifact:
    """Read a document.

    Raises:
        DataError: it is missing, cut short, or of another schema.
    """
    try:
        return Artifact.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a run artifact of schema {SCHEMA_VERSION}: {error}") from error
