"""HTML made here: every value of a person goes through the escaping of Jinja, never through Markdown."""

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
        is_number: set to the right, in figures of one width.
        is_wide_only: left out where the screen is narrow.
        is_heading: its cells name their rows.
    """

    title: str
    is_number: bool = False
    is_wide_only: bool = False
    is_heading: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that is more than a text.

    Attributes:
        text: what it says.
        href: where it leads; empty means nowhere.
        tone: "good", "bad", "muted" or empty: colours the text, and never says more than the text does.
        remark: smaller, behind the text.
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
    """Return a template filled in; every value is escaped."""
    return _ENVIRONMENT.get_template(template).render(**values)


def style_sheet(palette: Palette) -> str:
    """Return the style sheet of the pages in the colours of a theme."""
    return f"<style>{render('style.css', **asdict(palette))}</style>"


def text_table(
    caption: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[str | Cell]],
    *,
    notes: Sequence[str] = (),
    tinted: Sequence[bool] = (),
) -> str:
    """Return a table as HTML that a screen reader reads whole and a phone shows without scrolling.

    Args:
        caption: what the table holds; read aloud, not shown.
        columns: headers.
        rows: one cell per column each.
        notes: a line below each row, empty for none.
        tinted: whether a row stands for a reference method.
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
