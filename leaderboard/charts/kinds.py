"""The kinds of entries that a chart tells apart, each by a colour and a shape of its own."""

from collections.abc import Collection

import altair as alt

from harness.store.public import Entry
from leaderboard.palette import Palette

__all__ = ["KINDS_CAPTION", "color_and_shape", "kind_of"]

KINDS_CAPTION = "Circles: competitors; diamonds: reference methods; crosses: unofficial results."
"""What the shapes mean, where there is no legend."""

_COMPETITOR, _REFERENCE, _UNOFFICIAL = "Competitor", "Reference", "Unofficial"
_SHAPES = {_COMPETITOR: "circle", _REFERENCE: "diamond", _UNOFFICIAL: "cross"}


def kind_of(entry: Entry) -> str:
    """Return the kind of an entry: what ran without a sandbox is unofficial, whoever entered it."""
    if not entry.is_official:
        return _UNOFFICIAL
    return _REFERENCE if entry.is_baseline else _COMPETITOR


def color_and_shape(
    present: Collection[str], palette: Palette, *, has_legend: bool = False
) -> tuple[alt.Color, alt.Shape]:
    """Return both encodings of the column `kind`; a kind that does not occur stays out of the legend.

    Args:
        present: the kinds that occur.
        palette: colours.
        has_legend: above the plot; a phone has no room for one beside the names of rows.
    """
    colors = {_COMPETITOR: palette.series[0], _REFERENCE: palette.series[1], _UNOFFICIAL: palette.muted}
    kinds = [kind for kind in _SHAPES if kind in present]
    legend = alt.Legend(title=None, orient="top") if has_legend else None
    return (
        alt.Color(
            "kind:N",
            scale=alt.Scale(domain=kinds, range=[colors[kind] for kind in kinds]),
            legend=legend,
        ),
        alt.Shape(
            "kind:N",
            scale=alt.Scale(domain=kinds, range=[_SHAPES[kind] for kind in kinds]),
            legend=legend,
        ),
    )
