import dataclasses

import pytest

from harness.store.public import NORMAL_95, Curve
from leaderboard.charts import (
    N_TARGETS,
    difference_chart,
    loss_curve,
    loss_curves,
    score_against_calls,
    score_curve,
    score_intervals,
    seed_strips,
    targets_reached,
)
from leaderboard.comparison import paired_differences
from leaderboard.palette import DARK, LIGHT

ON_FRONT = {1, 2, 5}


def rows_of(spec):
    return [row for rows in spec["datasets"].values() for row in rows]


def with_figures(entry, number, score, calls):
    return dataclasses.replace(
        entry,
        submission_id=number,
        team=f"t{number}",
        solver=f"s{number}",
        score=score,
        calls=calls,
        n_runs=1,
        is_pareto=number in ON_FRONT,
    )


@pytest.fixture
def entries(sample_board):
    first = sample_board.entries[0]
    figures = [(1, 50.0, 10), (2, 60.0, 100), (3, 55.0, 100), (4, 60.0, 200), (5, 70.0, 1000), (6, None, 5)]
    return [with_figures(first, *row) for row in figures]


def test_scatter_shows_complete_entries_and_names_teams_on_the_front_and_baselines(entries):
    entries[2] = dataclasses.replace(entries[2], score=20.0, is_baseline=True)
    rows = rows_of(score_against_calls(entries, LIGHT))
    assert {row["solver"]: row["label"] for row in rows if "solver" in row} == {
        "s1": "t1",
        "s2": "t2",
        "s3": "s3",
        "s4": "",
        "s5": "t5",
    }
    assert [(row["calls"], row["score"]) for row in rows if "solver" not in row] == [
        (10, 50.0),
        (100, 60.0),
        (1000, 70.0),
    ]


def test_scatter_leaves_out_a_label_that_would_cover_another(sample_board):
    first = sample_board.entries[0]
    close = [with_figures(first, 1, 70.0, 100), with_figures(first, 2, 70.1, 101), with_figures(first, 5, 20.0, 1)]
    points = [row for row in rows_of(score_against_calls(close, LIGHT)) if "solver" in row]
    assert {row["label"] for row in points} == {"", "t2", "t5"}


def test_scatter_puts_no_calls_at_one_call_on_the_logarithm(sample_board):
    spec = score_against_calls([with_figures(sample_board.entries[0], 1, 50.0, 0)], LIGHT)
    assert {row["calls"] for row in rows_of(spec)} == {1.0}


def test_scatter_tells_kinds_apart_by_shape_and_by_colour_of_the_palette(sample_board):
    official = [entry for entry in sample_board.entries if entry.is_official]
    marks = score_against_calls(official, DARK)["layer"][1]["encoding"]
    assert marks["shape"]["scale"]["range"] == ["circle", "diamond"]
    assert marks["color"]["scale"]["range"] == list(DARK.series[:2])


def test_scatter_marks_unofficial_results(entries):
    baseline = dataclasses.replace(entries[0], is_baseline=True)
    spec = score_against_calls([baseline, *entries[1:4], dataclasses.replace(entries[4], is_official=False)], LIGHT)
    points = [row for row in rows_of(spec) if "solver" in row]
    assert {row["solver"]: row["kind"] for row in points}["s5"] == "Unofficial"
    assert spec["layer"][1]["encoding"]["shape"]["scale"]["range"] == ["circle", "diamond", "cross"]


def test_scatter_of_unofficial_results_alone_is_drawn(entries):
    alone = [dataclasses.replace(entries[0], is_official=False)]
    assert [row["solver"] for row in rows_of(score_against_calls(alone, LIGHT)) if "solver" in row] == ["s1"]


def test_scatter_of_nobody_is_empty():
    assert score_against_calls([], LIGHT) == {}


def test_loss_curve_has_mean_and_band_where_every_seed_has_begun():
    curve = Curve("sst2", (1, 10, 100), {8: (None, 1.0, 0.5), 13: (2.0, 2.0, 0.7)})
    rows = rows_of(loss_curve(curve, LIGHT))
    assert [(row["calls"], row["lowest"], row["highest"]) for row in rows] == [(10, 1.0, 2.0), (100, 0.5, 0.7)]
    assert rows[0]["mean"] == 1.5


def test_loss_curve_without_losses_is_empty():
    assert loss_curve(Curve("sst2", (1,), {8: (None,)}), LIGHT) == {}


def test_loss_curves_keep_colour_and_dash_where_one_series_is_missing():
    curve = Curve("sst2", (1, 10), {8: (1.0, 0.5)})
    spec = loss_curves({"b": curve}, ["a", "b"], LIGHT)
    assert {row["series"] for row in rows_of(spec)} == {"b"}
    assert spec["encoding"]["color"]["scale"] == {"domain": ["a", "b"], "range": list(LIGHT.series[:2])}
    assert len(set(map(tuple, spec["encoding"]["strokeDash"]["scale"]["range"]))) == 2


def test_loss_curves_of_nothing_are_empty():
    assert loss_curves({"a": Curve("sst2", (1,), {})}, ["a"], LIGHT) == {}


def test_targets_reached_ends_at_one_for_the_best_and_counts_every_seed():
    best = Curve("sst2", (1, 10, 100), {8: (1.0, 0.5, 0.0), 13: (1.0, 0.5, 0.0)})
    other = Curve("sst2", (1, 10, 100), {8: (1.0, 1.0, 0.5)})
    rows = rows_of(targets_reached({"best": [best], "other": [other]}, LIGHT))
    share = {(row["series"], row["calls"]): row["share"] for row in rows}
    assert share["best", 1] == share["other", 10] == 0.0
    assert share["best", 100] == 1.0
    assert share["other", 100] == share["best", 10] == pytest.approx(round(N_TARGETS / 2 - 0.01) / N_TARGETS)


def test_targets_never_reached_stay_below_one():
    curves = {"a": [Curve("x", (1, 9), {8: (1.0, 0.0)})], "b": [Curve("x", (1, 9), {8: (1.0, 1.0)})]}
    rows = rows_of(targets_reached(curves, LIGHT))
    assert max(row["share"] for row in rows if row["series"] == "b") == 0.0


def test_targets_of_nobody_are_empty():
    assert targets_reached({}, LIGHT) == {}


def test_intervals_keep_the_order_and_leave_out_what_has_none(sample_board):
    first = sample_board.entries[0]
    entries = [
        dataclasses.replace(first, solver='say "hi" datum', score=50.0, standard_error=2.0 / NORMAL_95),
        dataclasses.replace(first, standard_error=None),
        dataclasses.replace(first, score=60.0, standard_error=1.0 / NORMAL_95, is_baseline=True),
    ]
    spec = score_intervals(entries, LIGHT)
    rows = rows_of(spec)
    assert [(row["low"], row["high"], row["kind"]) for row in rows] == [
        (48.0, 52.0, "Competitor"),
        (59.0, 61.0, "Baseline"),
    ]
    # A name is a string literal of Vega's language, never a piece of an expression.
    assert '\\"hi\\"' in spec["layer"][0]["encoding"]["y"]["axis"]["labelExpr"]
    assert score_intervals([], LIGHT) == {}


def test_strips_tell_unofficial_results_apart(sample_board):
    entries = [entry for entry in sample_board.entries if entry.is_complete]
    kinds = {row["kind"] for row in rows_of(seed_strips(entries, "sst2", LIGHT))}
    assert kinds == {"Competitor", "Baseline", "Unofficial"}


def test_strips_have_a_mark_per_seed_with_a_score(sample_board):
    def with_scores(scores):
        return [dataclasses.replace(sample_board.entries[0], seed_scores={"sst2": scores})]

    rows = rows_of(seed_strips(with_scores({8: 50.0, 13: None, 42: 51.0}), "sst2", LIGHT))
    assert [(row["seed"], row["score"]) for row in rows] == [(8, 50.0), (42, 51.0)]
    assert seed_strips(with_scores({8: None}), "sst2", LIGHT) == {}


def test_differences_are_drawn_in_the_colours_of_the_curves():
    found = paired_differences("b", {"x": {8: 2.0, 13: 4.0}}, {"x": {8: 1.0, 13: 1.0}}, ["x"])
    spec = difference_chart(found, ["a", "b"], DARK)
    assert spec["layer"][1]["encoding"]["color"]["scale"]["range"][1] == DARK.series[1]
    assert {row["task"] for row in rows_of(spec) if "task" in row} == {"x", "All tasks"}
    assert difference_chart([], ["a", "b"], DARK) == {}


def test_score_curve_has_a_line_per_seed_and_is_empty_while_hidden():
    curve = Curve("sst2", (1, 10), {}, scores={8: ((0, 50.0), (10, 60.0)), 13: ((5, 55.0),)})
    spec = score_curve(curve, LIGHT)
    assert [(row["seed"], row["calls"], row["score"]) for row in rows_of(spec)] == [
        ("8", 1, 50.0),
        ("8", 10, 60.0),
        ("13", 5, 55.0),
    ]
    assert spec["encoding"]["detail"]["field"] == "seed"
    assert score_curve(Curve("sst2", (1,), {}), LIGHT) == {}
