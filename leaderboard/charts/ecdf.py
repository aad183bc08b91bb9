"""Share of (task, seed, target) triples reached against calls.

Source: run-length distributions of COCO, https://arxiv.org/abs/1603.08785.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from harness.store.public import Curve
from leaderboard.charts.style import DASHES, calls_axis, specification
from leaderboard.palette import Palette

__all__ = ["N_TARGETS", "targets_reached"]

N_TARGETS = 15
"""Train-loss targets per task, evenly spaced between the worst first and the best last loss shown."""


def targets_reached(curves: Mapping[str, Sequence[Curve]], palette: Palette, height: int = 280) -> dict[str, Any]:
    """Return the chart without a legend; empty if no series has a loss.

    Args:
        curves: series -> its curves, one per task, all on the same grids of calls.
        palette: colours.
        height: pixels.
    """
    targets = _targets(curves)
    rows = []
    for name, own in curves.items():
        times = [reached for curve in own for reached in _first_calls(curve, targets.get(curve.task))]
        if not times:
            continue
        grid = sorted({calls for curve in own for calls in curve.calls})
        rising = np.sort(np.array(times))
        rows += [
            {"series": name, "calls": calls, "share": float(np.searchsorted(rising, calls, side="right")) / len(rising)}
            for calls in grid
        ]
    if not rows:
        return {}
    domain = list(curves)
    chart = (
        alt.Chart(pd.DataFrame(rows))
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=calls_axis("Charged calls of a run (log)"),
            y=alt.Y("share:Q", title="Targets reached ↑", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
            color=alt.Color(
                "series:N", scale=alt.Scale(domain=domain, range=list(palette.series[: len(domain)])), legend=None
            ),
            strokeDash=alt.StrokeDash(
                "series:N", scale=alt.Scale(domain=domain, range=list(DASHES[: len(domain)])), legend=None
            ),
            tooltip=[
                alt.Tooltip("series:N", title="Submission"),
                alt.Tooltip("calls:Q", title="Calls", format=","),
                alt.Tooltip("share:Q", title="Targets reached", format=".0%"),
            ],
        )
    )
    return specification(chart.properties(height=height), palette)


def _targets(curves: Mapping[str, Sequence[Curve]]) -> dict[str, list[float]]:
    """Return the loss targets of each task, common to all series."""
    losses: dict[str, list[float]] = {}
    for own in curves.values():
        for curve in own:
            present = [[loss for loss in values if loss is not None] for values in curve.losses.values()]
            losses.setdefault(curve.task, []).extend(
                bound for values in present if values for bound in (values[0], values[-1])
            )
    return {
        task: [float(target) for target in np.linspace(max(bounds), min(bounds), N_TARGETS + 1)[1:]]
        for task, bounds in losses.items()
        if bounds
    }


def _first_calls(curve: Curve, targets: Sequence[float] | None) -> list[float]:
    """Return, per seed and target, the calls at which it was reached; infinity if never."""
    return [
        next(
            (
                float(calls)
                for calls, loss in zip(curve.calls, values, strict=True)
                if loss is not None and loss <= target
            ),
            float("inf"),
        )
        for values in curve.losses.values()
        for target in targets or ()
    ]
