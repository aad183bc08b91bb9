"""The ranking as rows: pure functions from a board to data frames, cards and rows of a narrow screen."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from harness.records import Status
from harness.store.public import UNOFFICIAL, Board, BoardRound, Entry, Upload
from leaderboard.columns import BASELINE_MARK, BY_RANK, columns_shown
from leaderboard.parts import Card
from leaderboard.texts import counted, entry_note, entry_words, moment

__all__ = ["PhoneRow", "board_cards", "board_frame", "filter_entries", "phone_rows", "tint", "upload_rows"]


@dataclass(frozen=True, slots=True)
class PhoneRow:
    """An entry in two lines, for a narrow screen; `share` is the length of its bar in percent."""

    rank: str
    name: str
    remark: str
    figure: str
    figure_remark: str
    href: str
    is_tinted: bool
    share: float | None = None


def filter_entries(entries: Sequence[Entry], text: str, *, with_baselines: bool) -> list[Entry]:
    """Return the entries whose team or solver contains `text`, ignoring case, in the same order."""
    wanted = text.strip().casefold()
    return [
        entry
        for entry in entries
        if (with_baselines or not entry.is_baseline)
        and (wanted in entry.team.casefold() or wanted in entry.solver.casefold())
    ]


def board_frame(board_round: BoardRound, entries: Sequence[Entry], view: str, order: str = BY_RANK) -> pd.DataFrame:
    """Return the table of a board: one row per entry, in the order given.

    Args:
        board_round: gives the tasks and their order.
        entries: complete ones.
        view: one of `VIEWS`.
        order: see `columns_shown`.
    """
    columns = columns_shown(board_round, entries, view, order)
    return pd.DataFrame({each.header: each.cells(entries) for each in columns})


def phone_rows(entries: Sequence[Entry], *, with_state: bool = False) -> list[PhoneRow]:
    """Return the rows of a narrow screen, in the order given.

    Args:
        entries: to show.
        with_state: show number and state of each, instead of rank and calls per run.
    """
    return [
        PhoneRow(
            rank=str(entry.submission_id) if with_state else "" if entry.rank is None else str(entry.rank),
            name=f"{BASELINE_MARK} {entry.solver}" if entry.is_baseline else entry.team,
            remark=", ".join(
                filter(
                    None,
                    [
                        "baseline" if entry.is_baseline else entry.solver,
                        entry_words(entry) if with_state else entry_note(entry),
                    ],
                )
            ),
            figure="-" if entry.score is None else f"{entry.score:.2f}",
            figure_remark=f"{entry.calls:,} calls" if with_state else f"{entry.calls / entry.n_runs:,.0f} calls/run",
            href=f"submission?id={entry.submission_id}",
            is_tinted=entry.is_baseline,
            share=None if with_state else entry.score,
        )
        for entry in entries
    ]


def tint(entries: Sequence[Entry], tint_color: str, muted: str) -> list[str]:
    """Return a style per row: baselines are tinted, unofficial entries muted."""
    return [
        f"background-color: {tint_color}"
        if entry.is_baseline
        else ""
        if entry.is_complete and entry.is_official
        else f"color: {muted}"
        for entry in entries
    ]


def board_cards(board: Board) -> list[Card]:
    """Return the cards of a round: leader, teams tied at the top, number of teams, phase."""
    competitors = [entry for entry in board.entries if not entry.is_baseline]
    ranked = [entry for entry in competitors if entry.rank is not None]
    baselines = [entry for entry in board.entries if entry.is_baseline and entry.score is not None]
    # A finished submission is not complete while scores are hidden.
    waiting = sum(not entry.is_complete and entry.status is not Status.FINISHED for entry in board.entries)
    phase = board.round.phase
    closes = f"closes {moment(board.round.closes)}" if board.round.closes else "no closing time"
    return [
        _leader_card([entry for entry in ranked if entry.rank == 1], baselines),
        _top_card(ranked, baselines),
        Card(
            "Ranked",
            f"{len(ranked):,} {'team' if len(ranked) == 1 else 'teams'}",
            counted(board.n_submissions, "submission") + (f", {waiting} in progress or failed" if waiting else ""),
        ),
        Card("Phase", str(phase).capitalize(), closes),
    ]


def upload_rows(board_round: BoardRound, uploads: Sequence[Upload]) -> list[list[str]]:
    """Return name, score, score per task and time of each prediction upload, in the order given."""
    return [
        [
            upload.name,
            f"{upload.score:.1f}",
            *(f"{upload.task_scores[task.name]:.1f}" for task in board_round.tasks),
            moment(upload.created_at),
        ]
        for upload in uploads
    ]


def _leader_card(leaders: list[Entry], baselines: list[Entry]) -> Card:
    if not leaders:
        return Card("Leader", "-", "no team is ranked yet")
    if len(leaders) > 1:
        return Card("Leader", f"{len(leaders)} tied", ", ".join(entry.team for entry in leaders))
    leader = leaders[0]
    remark = f"score {leader.score:.2f}"
    if leader.score is not None and baselines and baselines[0].score is not None:
        lead = leader.score - baselines[0].score
        remark += f", {abs(lead):.2f} {'above' if lead >= 0 else 'below'} {baselines[0].solver}"
    return Card("Leader", leader.team, remark)


def _top_card(ranked: list[Entry], baselines: list[Entry]) -> Card:
    """Return the number of teams in the top tier; without tiers, the best baseline."""
    known = [entry.tier for entry in ranked if entry.tier is not None]
    if known:
        # Baselines have tiers too: the top team is not always in tier 1.
        n_top = known.count(min(known))
        if n_top > 1:
            remark = "no team is significantly better"
        else:
            remark = "ahead of every other team" if len(ranked) > 1 else "no other team yet"
        return Card("Tied at the top", f"{n_top} {'team' if n_top == 1 else 'teams'}", remark)
    if not baselines:
        return Card("Best baseline", "-", "no score shown yet")
    best = baselines[0]
    remark = f"score {best.score:.2f}, not ranked"
    return Card("Best baseline", best.solver, remark if best.is_official else f"{remark}, {UNOFFICIAL}")
