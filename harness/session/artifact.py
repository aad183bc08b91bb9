"""The run artifact: the complete JSON record of one attempt.

Database rows are derived from it. It is written atomically, so a partial file is never read as a result.
"""

import hashlib
import os
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue

from harness.errors import DataError
from harness.records import RunSummary, Usage, Verdict
from harness.session.trace import TraceEntry

__all__ = ["SCHEMA_VERSION", "SOLVER_LOG", "Artifact", "IncumbentScore", "Scores", "read_artifact", "write_artifact"]

SCHEMA_VERSION: Literal["1"] = "1"

SOLVER_LOG = "solver.log"
"""Log file in the folder of an attempt, streamed; the only log of an attempt without an artifact."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Scores(_Frozen):
    """Scores of one run, 0-100, not rounded; `private` is None if every test row is public."""

    public: float
    private: float | None
    n_public: int
    n_private: int


class IncumbentScore(_Frozen):
    """Test scores of an incumbent, and the calls charged when it was submitted as a checkpoint."""

    calls: int
    public: float
    private: float | None


class Artifact(_Frozen):
    """One attempt, from start to score. It contains private scores and stays in the sealed store."""

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
    """Seed of the row order for `predict` and of the sample that is predicted again."""
    rotation_seed: int | None = None
    """Seed of the secret basis; None if the round has none."""
    hashes: dict[str, str]
    """SHA-256 (hex) of submission, round, data, model, tokenizer, code, packages and numeric profile."""
    test_digest: str
    """SHA-256 (hex) of the test rows with their labels; sealed, unlike `hashes`."""
    packages: dict[str, str]
    profile: dict[str, str | int | dict[str, str]]
    sandbox_mode: str
    started_at: AwareDatetime
    ended_at: AwareDatetime
    solve_s: float
    """Seconds until `solve` ended. Published instead of `wall_s`: the length of the test phase could leak data."""
    wall_s: float
    peak_rss_bytes: int
    cpu_s: float
    budget_calls: int
    usage: Usage
    verdict: Verdict
    message: str
    is_checkpoint: bool
    """Whether a checkpoint was scored because a limit ended the attempt."""
    log: str
    log_truncated: bool = False
    """Whether `log` is cut at the limit of the round."""
    trace: list[TraceEntry]
    train_losses: list[tuple[int, float]]
    """Pairs (calls charged, best train loss so far)."""
    predictions: list[int] | None
    """Predicted classes of the test rows in canonical order, (B,)."""
    scores: Scores | None
    incumbents: list[IncumbentScore] = []
    """By rising calls; the last one is the scored solution. Hidden until publication unless the round shows curves."""

    @property
    def is_official(self) -> bool:
        """Whether the solver ran isolated; other results are marked unofficial."""
        return self.sandbox_mode != "unsafe"

    def summary(self, path: str, sha256: str) -> RunSummary:
        """Return the part that the databases store.

        Args:
            path: path of the artifact file, relative to the artifact folder.
            sha256: SHA-256 (hex) of that file.
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
    """Write the artifact durably and atomically; return its SHA-256 (hex)."""
    content = artifact.model_dump_json(indent=1).encode() + b"\n"
    staging = path.with_name(f".{path.name}.{os.getpid()}")
    with staging.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    staging.replace(path)
    # Sync the folder too: a database row will name the file and must not survive a power cut without it.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return hashlib.sha256(content).hexdigest()


def read_artifact(path: Path) -> Artifact:
    """Read an artifact.

    Raises:
        DataError: the file is missing, truncated, or of another schema.
    """
    try:
        return Artifact.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a run artifact of schema {SCHEMA_VERSION}: {error}") from error
