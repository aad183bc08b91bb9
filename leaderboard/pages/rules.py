"""Page: the rules of a round, as the store has them."""

import streamlit as st

from harness.metrics.ranking import ScoringRule
from leaderboard import guard, source
from leaderboard.ranking import task_frame
from leaderboard.rounds import choose_round
from leaderboard.wording import literal, moment

_WHICH_COUNTS = {
    ScoringRule.FORCE_BEST: "the complete submission with the best public score",
    ScoringRule.FORCE_LAST: "the last complete submission",
}


def main() -> None:
    """Show the page."""
    board_round = source.board(choose_round()).round
    rows = "the private test rows" if board_round.is_final else "the public test rows until publication"
    st.markdown(f"### Rules of {literal(board_round.title or board_round.name)}")
    dates = f"opens {moment(board_round.opens)} · closes {moment(board_round.closes)}"
    st.caption(literal(f"Round {board_round.name} {board_round.version} · {board_round.phase} · {dates}"))
    st.dataframe(
        task_frame(board_round),
        hide_index=True,
        height="content",
        row_height=32,
        column_config={"Budget": st.column_config.NumberColumn("Budget (calls per run)", format="localized")},
        alt="Tasks of the round",
    )
    st.markdown(
        f"""
- **Score** of a task: mean over its few-shot seeds, on {rows}. **Total**: mean over tasks, 0 to 100.
- **Rank**: higher total first, then fewer charged calls. Equal on both share a rank; the time of
  submission orders the display alone.
- One submission per team counts: {_WHICH_COUNTS[board_round.rule]}.
- **Complete** means that every run has a score: each task with each seed. Other submissions have no score and
  no rank. A run that a time or memory limit ended is scored on its last checkpoint, and marked.
- **Call**: one candidate prompt evaluated on at most as many examples as the train split has. Train and dev
  queries are charged alike, before they are computed; a query that would pass the budget is refused whole.
- ◆ Reference methods stand in order and are not ranked.
- **Unofficial**: a run was made without a sandbox. It is marked, stands in order, and is not ranked.
- **Predictions only**: uploaded answers whose calls nobody metered stand in a table of their own, without a rank.
"""
    )
    st.caption(f"Digest of the round file: {board_round.digest}")


guard.show(main)
