from xml.etree import ElementTree as ET

import pytest

from leaderboard.confusion import confusion_table, shades
from leaderboard.palette import DARK, LIGHT, blend, contrast


def cells_of(html):
    rows = ET.fromstring(html).find("table").find("tbody")
    return [["".join(cell.itertext()) for cell in row] for row in rows]


def test_cells_are_shares_of_their_row_and_zeros_are_empty():
    html = confusion_table("x", ("no", "yes"), [[3, 1], [0, 2]], LIGHT)
    assert cells_of(html) == [["1 no", "75", "25", "4"], ["2 yes", "", "100", "2"]]
    assert 'title="true no, predicted yes: 1 of 4"' in html
    assert html.count("ga-right") == 2


def test_class_that_never_occurs_and_names_that_are_missing_are_shown():
    assert cells_of(confusion_table("x", (), [[0, 0], [1, 0]], DARK)) == [
        ["1 class 0", "", "", "0"],
        ["2 class 1", "100", "", "1"],
    ]


def test_names_are_text():
    html = confusion_table("<b>", ("<img src=x>", "**b**"), [[1, 0], [0, 1]], LIGHT)
    assert "<img" not in html
    assert "<b>" not in html


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_text_on_every_shade_keeps_its_contrast(palette):
    assert min(contrast(palette.text, ground) for ground in shades(palette)) >= 4.5
    assert len(set(shades(palette))) == 5


def test_contrast_and_blend_are_those_of_the_standard():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21.0)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)
    assert blend("#000000", "#FF8040", 0.5) == "#804020"
