"""What is drawn on a canvas, where no tool can look: contrast, and series that differ without colour."""

import dataclasses

import pytest

from leaderboard import charts
from leaderboard.charts.style import DASHES, SHAPES, series_name
from leaderboard.comparison import paired_differences
from leaderboard.palette import DARK, LIGHT, blend, contrast

TEXT, MARK = 4.5, 3.0


@pytest.fixture(scope="module")
def drawings(sample_store, sample_board):
    """Return palette -> name -> specification, for every chart there is, with every kind of mark in it."""
    complete = [entry for entry in sample_board.entries if entry.is_complete]
    pages = [sample_store.submission(entry.submission_id) for entry in complete[:4]]
    names = [series_name(page.entry) for page in pages]
    curves = {name: page.curves[0] for name, page in zip(names, pages, strict=True)}
    scores = {
        name: {run.task: {run.kshot_seed: run.score} for run in page.runs}
        for name, page in zip(names, pages, strict=True)
    }
    differences = [
        each for name in names[1:] for each in paired_differences(name, scores[name], scores[names[0]], ["sst2"])
    ]
    incumbents = dataclasses.replace(pages[0].curves[0], scores={8: ((1, 50.0), (100, 70.0))})
    wide = [dataclasses.replace(entry, standard_error=entry.standard_error or 0.5) for entry in complete]
    return {
        palette: {
            "scatter": charts.score_against_calls(complete, palette),
            "intervals": charts.score_intervals(wide, palette),
            "targets": charts.targets_reached(
                {name: page.curves for name, page in zip(names, pages, strict=True)}, palette
            ),
            "strips": charts.seed_strips(complete, "snli", palette),
            "loss": charts.loss_curve(pages[0].curves[0], palette),
            "losses": charts.loss_curves(curves, names, palette),
            "score": charts.score_curve(incumbents, palette),
            "differences": charts.difference_chart(differences, names, palette),
        }
        for palette in (LIGHT, DARK)
    }


def layers(spec):
    """Return the layers of a specification that draw something."""
    found = [spec] if "mark" in spec else []
    for part in ("layer", "hconcat", "vconcat"):
        for each in spec.get(part, ()):
            found += layers(each)
    return found + (layers(spec["spec"]) if "spec" in spec else [])


def colours(layer, ground):
    """Return what the marks of a layer look like on the ground."""
    mark = layer["mark"]
    used = [mark["color"]] if "color" in mark else []
    used += layer["encoding"].get("color", {}).get("scale", {}).get("range", [])
    # A band lies behind a line that says the same.
    return [blend(ground, each, mark.get("opacity", 1.0)) for each in used] if mark["type"] != "area" else []


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_text_in_charts_has_a_contrast_of_4_5(drawings, palette):
    for name, spec in drawings[palette].items():
        config = spec["config"]
        texts = [
            config["axis"]["labelColor"],
            config["axis"]["titleColor"],
            config["legend"]["labelColor"],
            config["legend"]["titleColor"],
            config["header"]["labelColor"],
        ]
        for layer in layers(spec):
            if layer["mark"]["type"] == "text":
                texts += colours(layer, palette.ground)
        assert {each: name for each in texts if contrast(each, palette.ground) < TEXT} == {}


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_marks_in_charts_have_a_contrast_of_3(drawings, palette):
    n_seen = 0
    for name, spec in drawings[palette].items():
        seen = [each for layer in layers(spec) for each in colours(layer, palette.ground)]
        n_seen += len(seen)
        assert {each: name for each in seen if contrast(each, palette.ground) < MARK} == {}
    assert n_seen > 15


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_every_colour_for_marks_and_texts_keeps_its_contrast(palette):
    assert all(contrast(each, palette.ground) >= MARK for each in palette.series)
    grounds = (palette.ground, palette.surface, palette.tint)
    for text in (palette.text, palette.muted, palette.link, palette.good, palette.bad):
        assert min(contrast(text, ground) for ground in grounds) >= TEXT


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_series_that_share_a_chart_differ_in_shape_or_dash_too(drawings, palette):
    for name, spec in drawings[palette].items():
        for layer in layers(spec):
            encoding = layer["encoding"]
            series = encoding.get("color", {}).get("scale", {}).get("domain", ())
            if len(series) < 2 or layer["mark"]["type"] in {"rule", "tick"}:
                # Bars and ticks lie under points that have the shapes.
                continue
            apart = encoding.get("shape") or encoding.get("strokeDash")
            assert apart, f"{name}: {layer['mark']['type']} differs by colour alone"
            assert len({str(each) for each in apart["scale"]["range"][: len(series)]}) == len(series)


def test_shapes_and_dashes_are_all_different():
    assert len(set(SHAPES)) == len(SHAPES) >= len(LIGHT.series)
    assert len({tuple(each) for each in DASHES}) == len(DASHES) >= len(LIGHT.series)
