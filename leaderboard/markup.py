"""HTML from templates; Jinja escapes every value."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from leaderboard.palette import Palette

__all__ = ["Cell", "Column", "render", "style_sheet", "text_table"]

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        title: header.
        is_number: right-aligned, in tabular figures.
        is_wide_only: hidden on narrow screens.
        is_heading: its cells are row headers.
    """

    title: str
    is_number: bool = False
    is_wide_only: bool = False
    is_heading: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell with a link, a tone or a remark.

    Attributes:
        text: of the cell.
        href: of its link; empty means none.
        tone: "good", "bad", "muted" or empty; colours the text and adds no meaning of its own.
        remark: smaller text after it.
    """

    text: str
    href: str = ""
    tone: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class _Row:
    cells: Sequence[Cell]
    note: str = ""
    is_tinted: bool = False


def render(template: str, **values: Any) -> str:
    """Return a rendered template; every value is escaped."""
    return _ENVIRONMENT.get_template(template).render(**values)


def style_sheet(palette: Palette) -> str:
    """Return the style sheet of the pages in the palette's colours."""
    return f"<style>{render('style.css', **asdict(palette))}</style>"


def text_table(
    caption: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[str | Cell]],
    *,
    notes: Sequence[str] = (),
    tinted: Sequence[bool] = (),
) -> str:
    """Return an accessible table as HTML that fits a narrow screen.

    Args:
        caption: for screen readers, not shown.
        columns: headers.
        rows: one cell per column.
        notes: a line below each row; empty means none.
        tinted: whether each row is a baseline.
    """
    prepared = [
        _Row(
            [cell if isinstance(cell, Cell) else Cell(cell) for cell in row],
            note=notes[number] if notes else "",
            is_tinted=bool(tinted) and tinted[number],
        )
        for number, row in enumerate(rows)
    ]
    return render("table.html", caption=caption, columns=columns, rows=prepared)
