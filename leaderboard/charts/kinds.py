"""The kinds of entries that a chart tells apart, each by a colour and a shape of its own."""

from collections.abc import Collection

import altair as alt

from harness.store.board import Entry
from leaderboard.palette import Palette

__all__ = ["COMPETITOR", "REFERENCE", "UNOFFICIAL", "color_and_shape", "kind_of"]

COMPETITOR, REFERENCE, UNOFFICIAL = "Competitor", "Reference", "Unofficial"

_SHAPES = {COMPETITOR: "circle", REFERENCE: "diamond", UNOFFICIAL: "cross"}


def kind_of(entry: Entry) -> str:
    """Return the kind of an entry: what ran without a sandbox is unofficial, whoever entered it."""
    if not entry.is_official:
        return UNOFFICIAL
    return REFERENCE if entry.is_baseline else COMPETITOR


def color_and_shape(present: Collection[str], palette: Palette) -> tuple[alt.Color, alt.Shape]:
    """Return both encodings of the column `kind`; a kind that does not occur stays out of the legend."""
    colors = {COMPETITOR: palette.series[0], REFERENCE: palette.series[1], UNOFFICIAL: palette.muted}
    kinds = [kind for kind in _SHAPES if kind in present]
    return (
        alt.Color(
            "kind:N",
            scale=alt.Scale(domain=kinds, range=[colors[kind] for kind in kinds]),
            legend=alt.Legend(title=None, orient="top"),
        ),
        alt.Shape("kind:N", scale=alt.Scale(domain=kinds, range=[_SHAPES[kind] for kind in kinds])),
    )
