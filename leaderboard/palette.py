"""Colours of the light and the dark theme: distinct for colour-blind readers, text with a contrast of at least 4.5."""

from dataclasses import dataclass

__all__ = ["DARK", "LIGHT", "Palette", "blend", "contrast"]


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of one theme, as #rrggbb. No meaning depends on colour alone.

    Attributes:
        series: for marks in charts, which also differ in shape or dash.
        text: ordinary text.
        muted: secondary text.
        link: links.
        good: text of successes.
        bad: text of failures.
        ground: background of the page.
        surface: background of headers and cards.
        border: borders.
        grid: grid lines of charts.
        tint: background of a baseline's row.
        is_dark: whether the background is dark.
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
    series=("#0072B2", "#D55E00", "#009E73", "#AA4499", "#5A5A5A", "#B58900", "#3B8DBD"),
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


def blend(under: str, over: str, share: float) -> str:
    """Return `over` blended onto `under` with opacity `share` (0-1); all as #rrggbb."""
    mixed = (round(low + share * (high - low)) for low, high in zip(_channels(under), _channels(over), strict=True))
    return "#" + "".join(f"{channel:02X}" for channel in mixed)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21.

    Source: WCAG 2.2, definitions of contrast ratio and relative luminance.
    """
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _luminance(color: str) -> float:
    shares = [channel / 255 for channel in _channels(color)]
    red, green, blue = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
