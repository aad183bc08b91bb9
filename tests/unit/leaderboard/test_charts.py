import dataclasses

import pytest

from harness.store.board import Curve
from leaderboard.charts import DARK, LIGHT, loss_curve, pareto_front, score_against_calls


def rows_of(spec):
    return [row for rows in spec["datasets"].values() for row in rows]


def with_figures(entry, number, score, calls):
    return dataclasses.replace(
        entry, submission_id=number, name=f"s{number}", score=score, calls=calls, n_runs=1
    )


@pytest.fixture
def entries(sample_board):
    first = sample_board.entries[0]
    figures = [(1, 50.0, 10), (2, 60.0, 100), (3, 55.0, 100), (4, 60.0, 200), (5, 70.0, 1000), (6, None, 5)]
    return [with_figures(first, *row) for row in figures]


def test_pareto_front_holds_what_nobody_beats_for_less(entries):
    assert [entry.submission_id for entry in pareto_front(entries)] == [1, 2, 5]


def test_scatter_shows_complete_entries_and_labels_the_front(entries):
    points = [row for row in rows_of(score_against_calls(entries, LIGHT)) if "solver" in row]
    assert {row["solver"]: row["label"] for row in points} == {
        "s1": "s1",
        "s2": "s2",
        "s3": "",
        "s4": "",
        "s5": "s5",
    }


def test_scatter_leaves_out_a_label_that_would_cover_another(sample_board):
    first = sample_board.entries[0]
    close = [
        with_figures(first, 1, 70.0, 100),
        with_figures(first, 2, 70.1, 101),
        with_figures(first, 3, 20.0, 1),
    ]
    points = [row for row in rows_of(score_against_calls(close, LIGHT)) if "solver" in row]
    assert {row["label"] for row in points} == {"", "s2", "s3"}


def test_scatter_puts_no_calls_at_one_call_on_the_logarithm(sample_board):
    spec = score_against_calls([with_figures(sample_board.entries[0], 1, 50.0, 0)], LIGHT)
    assert {row["calls"] for row in rows_of(spec)} == {1.0}


def test_scatter_tells_kinds_apart_by_shape_and_by_colour_of_the_palette(sample_board):
    official = [entry for entry in sample_board.entries if entry.is_official]
    marks = score_against_calls(official, DARK)["layer"][1]["encoding"]
    assert marks["shape"]["scale"]["range"] == ["circle", "diamond"]
    assert marks["color"]["scale"]["range"] == list(DARK.series[:2])


def test_scatter_marks_unofficial_results_and_keeps_them_off_the_front(entries):
    best = dataclasses.replace(entries[4], is_official=False)
    field = [*entries[:4], best]
    assert best not in pareto_front(field)
    spec = score_against_calls(field, LIGHT)
    points = [row for row in rows_of(spec) if "solver" in row]
    assert {row["solver"]: row["kind"] for row in points}["s5"] == "Unofficial"
    assert spec["layer"][1]["encoding"]["shape"]["scale"]["range"] == ["circle", "diamond", "cross"]


def test_scatter_of_unofficial_results_alone_is_drawn(entries):
    alone = [dataclasses.replace(entries[0], is_official=False)]
    assert [row["solver"] for row in rows_of(score_against_calls(alone, LIGHT)) if "solver" in row] == ["s1"]


def test_scatter_of_nobody_is_empty():
    assert score_against_calls([], LIGHT) == {}


def test_loss_curve_has_mean_and_band_where_every_seed_has_begun():
    curve = Curve("SST-2", (1, 10, 100), {8: (None, 1.0, 0.5), 13: (2.0, 2.0, 0.7)})
    rows = rows_of(loss_curve(curve, LIGHT))
    assert [(row["calls"], row["lowest"], row["highest"]) for row in rows] == [
        (10, 1.0, 2.0),
        (100, 0.5, 0.7),
    ]
    assert rows[0]["mean"] == 1.5


def test_loss_curve_without_losses_is_empty():
    assert loss_curve(Curve("SST-2", (1,), {8: (None,)}), LIGHT) == {}
