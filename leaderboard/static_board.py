"""The board as one plain HTML page without JavaScript or external resources."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from harness.store.public import UPLOAD_LABEL, Board, BoardRound, Entry, PublicStore, UsageError
from leaderboard.columns import BASELINE_MARK
from leaderboard.export import board_csv, board_json
from leaderboard.markup import render
from leaderboard.palette import DARK, LIGHT
from leaderboard.ranking import board_cards
from leaderboard.texts import entry_note, entry_words, moment, note_meanings, round_caption

__all__ = ["board_page", "write_static_board"]


def board_page(board: Board, rounds: Sequence[BoardRound], *, is_file: bool = False) -> str:
    """Return the page of a round.

    Args:
        board: to show.
        rounds: all rounds, newest first, for links between them.
        is_file: the page is a file beside its exports; otherwise it is served.
    """
    query = "" if is_file else f"?round={board.round.full_name}"
    tasks = [task.name for task in board.round.tasks]
    newest = {each.name: each for each in reversed(rounds)}
    complete = [entry for entry in board.entries if entry.is_complete]
    return render(
        "board.html",
        title=board.round.title or board.round.name,
        caption=f"Round {board.round.name} {board.round.version} · {round_caption(board.round)}",
        cards=board_cards(board),
        tasks=tasks,
        has_tiers=any(entry.tier is not None for entry in complete),
        rows=[_row(entry, tasks) for entry in complete],
        notes=note_meanings(complete),
        hidden_scores=board.round.score_notice,
        unfinished=[entry for entry in board.entries if not entry.is_complete],
        state_of=entry_words,
        baseline_mark=BASELINE_MARK,
        uploads=board.uploads,
        upload_label=UPLOAD_LABEL,
        rows_name="private" if board.round.is_final else "public",
        others=[] if is_file else [name for name, each in newest.items() if each.round_id != board.round.round_id],
        json_link=f"api/leaderboard.json{query}",
        csv_link=f"api/leaderboard.csv{query}",
        app_link="" if is_file else f"./{query}",
        version=board.version,
        digest=board.round.digest,
        phase=board.round.phase,
        closes=moment(board.round.closes),
        light=asdict(LIGHT),
        dark=asdict(DARK),
    )


def _row(entry: Entry, tasks: Sequence[str]) -> dict[str, object]:
    return {
        "rank": entry.rank,
        "team": f"{BASELINE_MARK} baseline" if entry.is_baseline else entry.team,
        "solver": entry.solver,
        "score": entry.score,
        "margin": entry.margin,
        "tier": entry.tier,
        "tasks": [entry.task_scores[task] for task in tasks],
        "calls": entry.calls,
        "note": entry_note(entry),
        "is_baseline": entry.is_baseline,
    }


def write_static_board(public_db: Path, folder: Path, round_name: str | None = None) -> list[Path]:
    """Write board.html, api/leaderboard.json and api/leaderboard.csv of one round; return their paths.

    Args:
        public_db: the store to read.
        folder: created if missing; each existing file is replaced atomically.
        round_name: None means the newest.

    Raises:
        UsageError: there is no store, no such round, or the folder cannot be written.
    """
    with PublicStore.open(public_db) as store:
        rounds = store.rounds()
        if not rounds:
            raise UsageError("no round yet; create one first (`gradfree round create toy`)")
        board = store.board(round_name or rounds[0].name)
    contents = {
        folder / "board.html": board_page(board, rounds, is_file=True),
        folder / "api" / "leaderboard.json": board_json(board),
        folder / "api" / "leaderboard.csv": board_csv(board),
    }
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f".{path.name}.partial")
            partial.write_text(content, encoding="utf-8")
            partial.replace(path)
    except OSError as error:
        raise UsageError(f"the folder {folder} cannot be written: {error.strerror or error}") from error
    return list(contents)
