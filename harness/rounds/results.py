"""What of an attempt's artifact goes into the store."""

import numpy as np

from harness.session.artifact import Artifact
from harness.store import RunResult

__all__ = ["result_of"]


def result_of(artifact: Artifact, name: str, digest: str) -> RunResult:
    """Derive the store's row from the artifact.

    Args:
        artifact: of the attempt.
        name: of its file in the artifact folder.
        digest: SHA-256 (hex) of that file.
    """
    scores = artifact.scores
    return RunResult(
        verdict=artifact.verdict,
        score_public=None if scores is None else scores.public,
        score_private=None if scores is None else scores.private,
        usage=artifact.usage,
        budget_calls=artifact.budget_calls,
        started_at=artifact.started_at,
        ended_at=artifact.ended_at,
        is_flagged=artifact.is_flagged,
        message=artifact.message,
        artifact_path=name,
        artifact_sha256=digest,
        hashes=artifact.hashes,
        train_loss_curve=tuple(artifact.train_losses),
        test_curve=tuple((point.calls, point.public, point.private) for point in artifact.incumbents),
        predictions=None if artifact.predictions is None else np.asarray(artifact.predictions, np.int64),
        wall_s=round(artifact.solve_s, 3),
        is_official=artifact.is_official,
    )
