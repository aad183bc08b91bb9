import dataclasses

import pandas as pd
import pytest
from sample_arena import SAMPLE_TASKS

from leaderboard.ranking import (
    board_cards,
    board_frame,
    filter_entries,
    hash_frame,
    run_frame,
    score_frame,
    task_column,
    tint,
    upload_frame,
)
from leaderboard.wording import button_text, entry_state, literal, rank_of, run_state


def test_board_frame_keeps_the_order_and_the_ranks_of_the_board(sample_board):
    frame = board_frame(sample_board.round, sample_board.entries, "scores")
    assert frame["#"].tolist() == [
        pd.NA if entry.rank is None else entry.rank for entry in sample_board.entries
    ]
    assert [frame[task_column(task)].notna().any() for task in SAMPLE_TASKS] == [True] * 5
    scores = frame["Score ↑"].dropna()
    assert scores.is_monotonic_decreasing


def test_board_frame_marks_baselines_alone_with_a_diamond(sample_board):
    solvers = board_frame(sample_board.round, sample_board.entries, "scores")["Solver"]
    assert [name.startswith("◆") for name in solvers] == [entry.is_baseline for entry in sample_board.entries]


def test_board_frame_of_cost_shows_the_share_of_the_budget(sample_board):
    entry = dataclasses.replace(sample_board.entries[0], calls=300, budget_calls=1200)
    assert board_frame(sample_board.round, [entry], "cost")["Budget used ↓"].tolist() == [25.0]


@pytest.mark.parametrize("view", ["scores", "cost"])
def test_board_frame_of_nobody_is_empty(sample_board, view):
    assert len(board_frame(sample_board.round, [], view)) == 0


@pytest.mark.parametrize("text", ["ivory", " IVORY ", "nes v"])
def test_filter_finds_team_and_solver_whatever_the_case(sample_board, text):
    assert {entry.team for entry in filter_entries(sample_board.entries, text, with_baselines=True)} == {
        "Ivory Moths"
    }


def test_filter_without_baselines_leaves_competitors(sample_board):
    kept = filter_entries(sample_board.entries, "", with_baselines=False)
    assert kept == [entry for entry in sample_board.entries if not entry.is_baseline]
    assert len(kept) == len(sample_board.entries) - 4


def test_tint_differs_for_baselines_and_for_what_is_not_complete(sample_board):
    styles = dict(
        zip(
            (entry.name for entry in sample_board.entries), tint(sample_board.entries, "#123456"), strict=True
        )
    )
    assert "background" in styles["BBTv2"]
    assert styles["in the queue"] == "color: #123456"
    assert styles["NES v2"] == ""


def test_cards_name_the_leader_and_the_distance_to_the_best_baseline(sample_board):
    leader, best = sample_board.entries[0], next(entry for entry in sample_board.entries if entry.is_baseline)
    card = board_cards(sample_board)[0]
    assert card.value == leader.team
    assert card.remark == f"score {leader.score:.2f}, {leader.score - best.score:+.2f} to the best baseline"


def test_cards_of_tied_leaders_name_them_all(sample_board):
    competitors = [entry for entry in sample_board.entries if not entry.is_baseline]
    tied = [dataclasses.replace(entry, rank=1) for entry in competitors[:2]]
    card = board_cards(dataclasses.replace(sample_board, entries=tuple(tied)))[0]
    assert card.value == "2 tied"
    assert all(entry.team in card.remark for entry in tied)


def test_cards_of_an_empty_board_show_dashes(sample_board):
    cards = board_cards(dataclasses.replace(sample_board, entries=(), n_submissions=0))
    assert [card.value for card in cards] == ["-", "0 entries", "-", "Open"]


def test_score_frame_has_mean_and_deviation_over_seeds(sample_store, sample_board):
    page = sample_store.submission(sample_board.entries[0].submission_id)
    frame = score_frame(page)
    first = [run.score for run in page.runs if run.task == "SST-2"]
    assert frame["Task"].tolist() == list(SAMPLE_TASKS)
    assert frame.loc[0, "Mean ↑"] == pytest.approx(sum(first) / 2)
    assert frame.loc[0, "SD"] == pytest.approx(abs(first[0] - first[1]) / 2**0.5)


def test_score_frame_of_an_unfinished_submission_has_gaps(sample_store, sample_board):
    waiting = next(entry for entry in sample_board.entries if entry.name == "in the queue")
    frame = score_frame(sample_store.submission(waiting.submission_id))
    assert frame.drop(columns=["Task", "Metric"]).isna().all(axis=None)


def test_run_frame_carries_verdict_and_message(sample_store, sample_board):
    broken = next(entry for entry in sample_board.entries if entry.name == "division by zero")
    frame = run_frame(sample_store.submission(broken.submission_id))
    assert set(frame["Verdict"]) == {"RTE"}
    assert set(frame["Message"]) == {"ZeroDivisionError: division by zero (solver.py:12)"}


def test_hash_frame_says_which_runs_share_a_hash(sample_store, sample_board):
    page = sample_store.submission(sample_board.entries[0].submission_id)
    frame = hash_frame(page)
    assert frame.set_index("Of").loc["submission", "Runs"] == "all"
    assert (frame["Of"] == "artifact").sum() == len(page.runs)


def unofficial(board):
    return next(entry for entry in board.entries if not entry.is_official)


def test_unofficial_entry_is_marked_and_never_called_ranked(sample_store, sample_board):
    entry = unofficial(sample_board)
    assert entry.rank is None
    assert any(each.rank and each.score < entry.score for each in sample_board.entries)
    frame = board_frame(sample_board.round, sample_board.entries, "scores").set_index("Team")
    assert frame.loc[entry.team, "Verdict"] == "OK, unofficial: no sandbox"
    assert frame.loc[entry.team, "#"] is pd.NA
    assert frame["Verdict"].str.contains("unofficial").sum() == 1
    assert rank_of(entry) == "not ranked, unofficial: no sandbox"
    runs = sample_store.submission(entry.submission_id).runs
    assert {run_state(run) for run in runs} == {"OK, unofficial: no sandbox"}


def test_unofficial_baseline_and_unfinished_entry_are_marked_too(sample_board):
    baseline = dataclasses.replace(
        next(entry for entry in sample_board.entries if entry.is_baseline), is_official=False
    )
    (card,) = board_cards(dataclasses.replace(sample_board, entries=(baseline,)))[2:3]
    assert "unofficial: no sandbox" in card.remark
    running = next(entry for entry in sample_board.entries if entry.name == "in progress")
    assert entry_state(dataclasses.replace(running, is_official=False)) == (
        f"{entry_state(running)}, unofficial: no sandbox"
    )


def test_upload_frame_has_scores_and_neither_rank_nor_calls(sample_board):
    frame = upload_frame(sample_board.round, sample_board.uploads)
    assert frame.drop(columns="Uploaded").to_dict("records") == [
        {
            "Name": "Unmetered",
            "Score ↑": 82.8,
            "SST-2 ↑": 88.1,
            "QQP ↑": 80.3,
            "QNLI ↑": 79.4,
            "SNLI ↑": 71.2,
            "DBPedia ↑": 95.0,
        }
    ]


def test_literal_escapes_every_mark_and_breaks_shortcodes():
    assert literal("**b** <i> [x](y) $z$") == r"\*\*b\*\* \<i\> \[x\]\(y\) \$z\$"
    assert ":material" not in literal(":material/home:").replace("\\", "")
    assert literal("a\n# b") == r"a \# b"


def test_button_text_is_never_empty_and_breaks_shortcodes():
    assert button_text("  ") == "-"
    assert ":material" not in button_text(":material/home: x")
