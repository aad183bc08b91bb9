"""The secret rotation: the solver of a run works in a basis that is known to the worker only.

With Q a random orthogonal D x D matrix, a prompt p of the solver reaches the model as p Q, and a feature f
of the model reaches the solver as f Q^T. A prompt tuned elsewhere (with gradients of the public model)
becomes noise. A search from zero is unaffected, because a Gaussian projection rotated by Q is a Gaussian
projection of the same distribution. Norms, zeros and standard deviations over all entries do not change.

Source of the uniform draw: Mezzadri 2007, "How to generate random matrices from the classical compact
groups", arXiv math-ph/0609050: QR of a Gaussian matrix, with the signs of R's diagonal.
"""

import hashlib
import hmac
from dataclasses import dataclass, replace

import numpy as np

from harness.api import Response
from harness.records import Array, FloatArray

__all__ = ["Rotation", "draw_rotation", "predict_seed", "rotation_seed"]


def rotation_seed(secret: str, submission_id: int, task: str, kshot_seed: int) -> int:
    """Return the rotation seed of a run, the same for all of its attempts.

    Args:
        secret: secret of the round, hexadecimal.
        submission_id: number of the submission.
        task: name of the task.
        kshot_seed: k-shot seed of the run.
    """
    return _draw(secret, f"rotation\n{submission_id}\n{task}\n{kshot_seed}")


def predict_seed(secret: str, submission_id: int, task: str, kshot_seed: int) -> int:
    """Return the seed of the order of a run's test rows for `predict`, 0 <= seed < 2**62.

    Unpredictable for participants, and the same for all attempts of a run, so that a retry is no new draw.
    Arguments as for `rotation_seed`.
    """
    return _draw(secret, f"predict\n{submission_id}\n{task}\n{kshot_seed}") >> 2


def _draw(secret: str, text: str) -> int:
    return int.from_bytes(hmac.digest(bytes.fromhex(secret), text.encode(), hashlib.sha256)[:8], "big")


@dataclass(frozen=True, slots=True, eq=False)
class Rotation:
    """An orthogonal matrix, float64 (D, D)."""

    matrix: Array

    def to_model(self, prompts: FloatArray) -> FloatArray:
        """Return prompts (..., D) in the model's basis."""
        turned: FloatArray = (prompts.astype(np.float64) @ self.matrix).astype(np.float32)
        return turned

    def to_solver(self, response: Response) -> Response:
        """Return the response with its features, if any, in the solver's basis."""
        if response.features is None:
            return response
        turned = response.features.astype(np.float64) @ self.matrix.T
        return replace(response, features=turned.astype(np.float32))


def draw_rotation(seed: int, hidden_size: int) -> Rotation:
    """Draw a rotation uniformly.

    Args:
        seed: from `rotation_seed`.
        hidden_size: D.
    """
    gaussian = np.random.default_rng(seed).standard_normal((hidden_size, hidden_size))
    matrix, triangle = np.linalg.qr(gaussian)
    return Rotation(matrix * np.sign(np.diagonal(triangle)))
