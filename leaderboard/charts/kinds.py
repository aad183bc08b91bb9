"""Kinds of entries in charts, each with its own colour and shape."""

from collections.abc import Collection

import altair as alt

from harness.store.public import Entry
from leaderboard.palette import Palette

__all__ = ["KINDS_CAPTION", "color_and_shape", "kind_of"]

KINDS_CAPTION = "Circles: competitors; diamonds: baselines; crosses: unofficial results."
"""Explains the shapes where a chart has no legend."""

_COMPETITOR, _BASELINE, _UNOFFICIAL = "Competitor", "Baseline", "Unofficial"
_SHAPES = {_COMPETITOR: "circle", _BASELINE: "diamond", _UNOFFICIAL: "cross"}


def kind_of(entry: Entry) -> str:
    """Return the kind of an entry; one that ran without a sandbox is always unofficial."""
    if not entry.is_official:
        return _UNOFFICIAL
    return _BASELINE if entry.is_baseline else _COMPETITOR


def color_and_shape(
    present: Collection[str], palette: Palette, *, has_legend: bool = False
) -> tuple[alt.Color, alt.Shape]:
    """Return both encodings of the column `kind`, for the kinds that occur.

    Args:
        present: the kinds that occur.
        palette: colours.
        has_legend: show a legend above the plot.
    """
    colors = {_COMPETITOR: palette.series[0], _BASELINE: palette.series[1], _UNOFFICIAL: palette.muted}
    kinds = [kind for kind in _SHAPES if kind in present]
    legend = alt.Legend(title=None, orient="top") if has_legend else None
    return (
        alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=[colors[kind] for kind in kinds]), legend=legend),
        alt.Shape("kind:N", scale=alt.Scale(domain=kinds, range=[_SHAPES[kind] for kind in kinds]), legend=legend),
    )
