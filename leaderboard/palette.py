"""Colours of the two themes: they stay apart for colour-blind readers, and text keeps a contrast of 4.5."""

from dataclasses import dataclass

__all__ = ["DARK", "LIGHT", "Palette"]


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of one theme, as #rrggbb. Shapes and dashes always say the same as the series' colours.

    Attributes:
        series: for marks; in charts alone, where every mark has a shape or a dash of its own too.
        text: ordinary text.
        muted: secondary text.
        link: text that leads somewhere.
        good: text of what went well.
        bad: text of what went wrong.
        ground: of the page.
        surface: of headers and cards.
        border: lines around things.
        grid: lines behind marks.
        tint: ground of a reference method's row.
        is_dark: whether the ground is dark.
    """

    series: tuple[str, ...]
    text: str
    muted: str
    link: str
    good: str
    bad: str
    ground: str
    surface: str
    border: str
    grid: str
    tint: str
    is_dark: bool


LIGHT = Palette(
    series=("#0072B2", "#D55E00", "#009E73", "#AA4499", "#56B4E9", "#B58900", "#5A5A5A"),
    text="#1F1F1F",
    muted="#5C5C5C",
    link="#005F96",
    good="#00684C",
    bad="#A3310B",
    ground="#FFFFFF",
    surface="#F6F7F8",
    border="#D9DCE0",
    grid="#E7E9EC",
    tint="#FBF1DA",
    is_dark=False,
)
DARK = Palette(
    series=("#56B4E9", "#FF8A3D", "#2BC59B", "#E19BC4", "#F0E442", "#0096E0", "#B8B8B8"),
    text="#F2F2F0",
    muted="#B4B6BA",
    link="#7CC6F0",
    good="#5BD6B2",
    bad="#FF9E73",
    ground="#16181B",
    surface="#1F2226",
    border="#3A3F46",
    grid="#2C3036",
    tint="#33291A",
    is_dark=True,
)
