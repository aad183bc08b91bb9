import dataclasses

import pandas as pd
import pytest
from sample_arena import SAMPLE_TASKS

from harness.records import Phase
from leaderboard.ranking import board_cards, board_frame, filter_entries, phone_rows, tint, upload_rows
from leaderboard.runs import hash_table, run_table, score_table, task_table
from leaderboard.texts import (
    button_text,
    change_text,
    entry_note,
    entry_state,
    literal,
    note_meanings,
    rank_of,
    run_state,
)


def test_board_frame_keeps_the_order_and_the_ranks_of_the_board(sample_board):
    frame = board_frame(sample_board.round, sample_board.entries, "tasks")
    assert frame["#"].tolist() == [pd.NA if entry.rank is None else entry.rank for entry in sample_board.entries]
    assert [frame[f"{task} ↑"].notna().any() for task in SAMPLE_TASKS] == [True] * 5
    scores = frame["Score ↑"].dropna()
    assert scores.is_monotonic_decreasing


def test_board_frame_marks_baselines_alone_with_a_diamond(sample_board):
    teams = board_frame(sample_board.round, sample_board.entries, "summary")["Team"]
    assert [name.startswith("◆") for name in teams] == [entry.is_baseline for entry in sample_board.entries]


def test_board_frame_of_cost_shows_the_share_of_the_budget(sample_board):
    entry = dataclasses.replace(sample_board.entries[0], calls=300, budget_calls=1200)
    assert board_frame(sample_board.round, [entry], "cost")["Budget used ↓"].tolist() == [25.0]


@pytest.mark.parametrize("view", ["summary", "cost"])
def test_board_frame_of_nobody_is_empty(sample_board, view):
    assert len(board_frame(sample_board.round, [], view)) == 0


@pytest.mark.parametrize("text", ["ivory", " IVORY ", "nes v"])
def test_filter_finds_team_and_solver_whatever_the_case(sample_board, text):
    assert {entry.team for entry in filter_entries(sample_board.entries, text, with_baselines=True)} == {"Ivory Moths"}


def test_filter_without_baselines_leaves_competitors(sample_board):
    kept = filter_entries(sample_board.entries, "", with_baselines=False)
    assert kept == [entry for entry in sample_board.entries if not entry.is_baseline]
    assert len(kept) == len(sample_board.entries) - 4


def test_tint_differs_for_baselines_and_for_what_is_not_complete(sample_board):
    colours = tint(sample_board.entries, "#ABCDEF", "#123456")
    styles = dict(zip((entry.solver for entry in sample_board.entries), colours, strict=True))
    assert styles["BBTv2"] == "background-color: #ABCDEF"
    assert styles["in the queue"] == "color: #123456"
    assert styles["NES v2"] == ""


def test_cards_name_the_leader_and_the_distance_to_the_best_baseline(sample_board):
    leader, best = sample_board.entries[0], next(entry for entry in sample_board.entries if entry.is_baseline)
    card = board_cards(sample_board)[0]
    assert card.value == leader.team
    assert card.remark == f"score {leader.score:.2f}, {leader.score - best.score:.2f} above {best.solver}"
    assert leader.score > best.score
    behind = dataclasses.replace(leader, score=best.score - 1.5)
    card = board_cards(dataclasses.replace(sample_board, entries=(behind, best)))[0]
    assert card.remark == f"score {behind.score:.2f}, 1.50 below {best.solver}"


def test_cards_of_tied_leaders_name_them_all(sample_board):
    competitors = [entry for entry in sample_board.entries if not entry.is_baseline]
    tied = [dataclasses.replace(entry, rank=1) for entry in competitors[:2]]
    card = board_cards(dataclasses.replace(sample_board, entries=tuple(tied)))[0]
    assert card.value == "2 tied"
    assert all(entry.team in card.remark for entry in tied)


def test_cards_of_an_empty_board_show_dashes(sample_board):
    cards = board_cards(dataclasses.replace(sample_board, entries=(), n_submissions=0))
    assert [card.value for card in cards] == ["-", "-", "0 teams", "Open"]


@pytest.mark.parametrize(
    ("tiers", "value", "remark"),
    [
        ((1, 1, 3), "2 teams", "no team is significantly better"),
        ((2, 2, 3), "2 teams", "no team is significantly better"),  # a baseline leads tier 1
        ((2, 3, 3), "1 team", "ahead of every other team"),
        ((1,), "1 team", "no other team yet"),
    ],
)
def test_cards_count_who_is_tied_at_the_top_once_tiers_are_known(sample_board, tiers, value, remark):
    competitors = [entry for entry in sample_board.entries if entry.rank is not None]
    entries = tuple(dataclasses.replace(entry, tier=tier) for entry, tier in zip(competitors, tiers, strict=False))
    card = board_cards(dataclasses.replace(sample_board, entries=entries))[1]
    assert (card.label, card.value, card.remark) == ("Tied at the top", value, remark)


def test_margin_and_tier_are_columns_only_where_they_are_known(sample_board):
    entry = dataclasses.replace(sample_board.entries[0], standard_error=None, tier=None)
    known = dataclasses.replace(entry, standard_error=0.5, tier=1)
    assert not {"± 95 %", "Tier ↓"} & set(board_frame(sample_board.round, [entry], "summary").columns)
    frame = board_frame(sample_board.round, [known], "summary")
    assert (frame["± 95 %"].tolist(), frame["Tier ↓"].tolist()) == ([pytest.approx(0.98, abs=1e-4)], [1])


@pytest.mark.parametrize(("change", "text"), [(2, "▲ 2"), (-1, "▼ 1"), (0, "="), (None, "new")])
def test_change_says_up_down_same_or_new(sample_board, change, text):
    entry = dataclasses.replace(sample_board.entries[0], change=change)
    assert change_text(entry) == text
    assert change_text(dataclasses.replace(entry, rank=None)) == ""


def test_phone_rows_show_team_solver_and_score(sample_board):
    rows = phone_rows(sample_board.entries)
    first = sample_board.entries[0]
    assert (rows[0].rank, rows[0].name, rows[0].remark) == ("1", first.team, first.solver)
    assert rows[0].figure == f"{first.score:.2f}"
    assert rows[0].href == f"submission?id={first.submission_id}"
    assert [row.is_tinted for row in rows] == [entry.is_baseline for entry in sample_board.entries]


def test_score_table_has_mean_and_deviation_over_seeds(sample_store, sample_board):
    page = sample_store.submission(sample_board.entries[0].submission_id)
    columns, rows = score_table(page)
    first = [run.score for run in page.runs if run.task == "sst2"]
    assert [row[0].text for row in rows] == list(SAMPLE_TASKS)
    cells = dict(zip((column.title for column in columns), rows[0], strict=True))
    assert cells["Mean ↑"] == f"{sum(first) / 2:.2f}"
    assert cells["SD"] == f"{abs(first[0] - first[1]) / 2**0.5:.2f}"


def test_score_table_of_an_unfinished_submission_has_dashes(sample_store, sample_board):
    waiting = next(entry for entry in sample_board.entries if entry.solver == "in the queue")
    _, rows = score_table(sample_store.submission(waiting.submission_id))
    assert {cell for row in rows for cell in row[2:]} == {"-"}


def test_run_table_carries_verdict_and_message(sample_store, sample_board):
    broken = next(entry for entry in sample_board.entries if entry.solver == "division by zero")
    _, rows, notes = run_table(sample_store.submission(broken.submission_id))
    assert {row[2].text for row in rows} == {"RTE"}
    assert set(notes) == {"ZeroDivisionError: division by zero (solver.py:12)"}


def test_hash_table_says_which_runs_share_a_hash(sample_store, sample_board):
    page = sample_store.submission(sample_board.entries[0].submission_id)
    _, rows = hash_table(page)
    assert {row[0]: row[2] for row in rows}["submission"] == "all"
    assert sum(row[0] == "artifact" for row in rows) == len(page.runs)


def test_task_table_tells_data_and_budget(sample_board):
    columns, rows = task_table(sample_board.round)
    cells = dict(zip((column.title for column in columns), rows[0], strict=True))
    assert (cells["Calls per run"], cells["Classes"], cells["Data"]) == ("3,000", "2", "hub:nyu-mll/glue:sst2")


def unofficial(board):
    return next(entry for entry in board.entries if not entry.is_official)


def test_unofficial_entry_is_marked_and_never_called_ranked(sample_store, sample_board):
    entry = unofficial(sample_board)
    assert entry.rank is None
    assert any(each.rank and each.score < entry.score for each in sample_board.entries)
    frame = board_frame(sample_board.round, sample_board.entries, "summary").set_index("Team")
    assert frame.loc[entry.team, "Note"] == "unofficial"
    assert frame.loc[entry.team, "#"] is pd.NA
    assert frame["Note"].str.contains("unofficial").sum() == 1
    assert rank_of(entry) == "not ranked, unofficial: no sandbox"
    runs = sample_store.submission(entry.submission_id).runs
    assert {run_state(run) for run in runs} == {"OK, unofficial: no sandbox"}


def test_notes_name_what_is_unusual_and_their_meanings_those_that_occur(sample_board):
    complete = [entry for entry in sample_board.entries if entry.is_complete]
    plain = next(entry for entry in complete if not entry_note(entry))
    stale = dataclasses.replace(plain, is_stale=True)
    assert entry_note(stale) == "stale"
    assert entry_note(dataclasses.replace(stale, is_official=False)) == "unofficial, stale"
    assert note_meanings([plain]) == ""
    assert note_meanings([plain, stale]).startswith(" Notes: stale: other data")
    assert "unofficial: no sandbox" in note_meanings(complete)
    assert "checkpoint: a limit" in note_meanings(complete)


def test_unofficial_baseline_and_unfinished_entry_are_marked_too(sample_board):
    baseline = dataclasses.replace(
        next(entry for entry in sample_board.entries if entry.is_baseline), is_official=False
    )
    (card,) = board_cards(dataclasses.replace(sample_board, entries=(baseline,)))[1:2]
    assert "unofficial: no sandbox" in card.remark
    running = next(entry for entry in sample_board.entries if entry.solver == "in progress")
    assert entry_state(dataclasses.replace(running, is_official=False)) == (
        f"{entry_state(running)}, unofficial: no sandbox"
    )


def test_upload_rows_have_scores_and_neither_rank_nor_calls(sample_board):
    (row,) = upload_rows(sample_board.round, sample_board.uploads)
    assert row[:-1] == ["Unmetered", "82.8", "88.1", "80.3", "79.4", "71.2", "95.0"]


def test_literal_escapes_every_mark_and_breaks_shortcodes():
    assert literal("**b** <i> [x](y) $z$") == r"\*\*b\*\* \<i\> \[x\]\(y\) \$z\$"
    assert ":material" not in literal(":material/home:").replace("\\", "")
    assert literal("a\n# b") == r"a \# b"


def test_button_text_is_never_empty_and_breaks_shortcodes():
    assert button_text("  ") == "-"
    assert ":material" not in button_text(":material/home: x")


@pytest.mark.parametrize(
    ("scores", "phase", "expected"),
    [
        ("open", Phase.DRAFT, "Scores are shown once the round has opened."),
        ("open", Phase.OPEN, ""),
        ("closed", Phase.FROZEN, "Scores are shown once the round has closed."),
        ("published", Phase.CLOSED, "Scores are shown with publication."),
        ("published", Phase.PUBLISHED, ""),
    ],
)
def test_hidden_scores_say_from_when_on_they_show(sample_board, scores, phase, expected):
    rules = {"visibility": {"scores": scores}}
    assert dataclasses.replace(sample_board.round, rules=rules, phase=phase).score_notice == expected
