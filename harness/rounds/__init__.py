"""The life of a round: rounds and submissions come in, a worker runs them, results go out."""

from harness.rounds.intake import baseline_folder, packaged_baselines, submit
from harness.rounds.lifecycle import create_round, stored_config
from harness.rounds.uploads import PredictionReport, score_predictions
from harness.rounds.worker import RunEvent, Worker

__all__ = [
    "PredictionReport",
    "RunEvent",
    "Worker",
    "baseline_folder",
    "create_round",
    "packaged_baselines",
    "score_predictions",
    "stored_config",
    "submit",
]
