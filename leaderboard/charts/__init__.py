"""Chart specifications as dictionaries, made by pure functions."""

from leaderboard.charts.curves import loss_curve, loss_curves, score_curve
from leaderboard.charts.differences import difference_chart
from leaderboard.charts.ecdf import N_TARGETS, targets_reached
from leaderboard.charts.intervals import score_intervals
from leaderboard.charts.scatter import score_against_calls
from leaderboard.charts.strips import seed_strips

__all__ = [
    "N_TARGETS",
    "difference_chart",
    "loss_curve",
    "loss_curves",
    "score_against_calls",
    "score_curve",
    "score_intervals",
    "seed_strips",
    "targets_reached",
]
