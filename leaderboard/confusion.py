"""Confusion matrices as HTML tables; the text carries everything that the colours show."""

from collections.abc import Sequence

from leaderboard.markup import render
from leaderboard.palette import Palette, blend

__all__ = ["confusion_table", "shades"]

_N_SHADES = 5
_DEEPEST = 0.5
"""Share of the series' colour in the darkest cell; text on it has a contrast of at least 4.5."""


def shades(palette: Palette) -> list[str]:
    """Return the cell backgrounds, from that of the page to the darkest."""
    return [
        blend(palette.ground, palette.series[0], _DEEPEST * number / (_N_SHADES - 1)) for number in range(_N_SHADES)
    ]


def confusion_table(caption: str, labels: Sequence[str], counts: Sequence[Sequence[int]], palette: Palette) -> str:
    """Return the matrix as HTML: rows are true classes, columns predicted ones, cells in % of their row.

    Args:
        caption: for screen readers, not shown.
        labels: names of the classes; missing ones are numbered.
        counts: rows are true classes.
        palette: colours.
    """
    names = [*labels, *(f"class {number}" for number in range(len(labels), len(counts)))]
    colors = shades(palette)
    rows = []
    for number, row in enumerate(counts):
        n_rows = sum(row)
        cells = []
        for column, count in enumerate(row):
            share = count / n_rows if n_rows else 0.0
            cells.append(
                {
                    "text": "" if count == 0 else f"{100 * share:.0f}",
                    "title": f"true {names[number]}, predicted {names[column]}: {count:,} of {n_rows:,}",
                    "ground": colors[round(share * (_N_SHADES - 1))],
                    "is_right": column == number,
                }
            )
        rows.append({"name": names[number], "number": number + 1, "n_rows": n_rows, "cells": cells})
    return render("confusion.html", caption=caption, rows=rows)
