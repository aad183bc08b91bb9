"""Page: the rules of a round, as the store has them."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from harness.metrics.noise import NoiseFloor
from harness.metrics.ranking import ScoringRule
from leaderboard import guard, source
from leaderboard.headings import section, title
from leaderboard.markup import Cell, Column, text_table
from leaderboard.rounds import head_with_round
from leaderboard.runs import task_table
from leaderboard.texts import moment, seen_from, size, time_limit

_WHICH_COUNTS = {
    ScoringRule.FORCE_BEST: "the complete submission with the best public score",
    ScoringRule.FORCE_LAST: "the last complete submission",
}

_SIGHTS = {
    "scores": "Scores on public test rows",
    "own_scores": "The same of a team's own submissions, for the team (gradfree status N --own)",
    "curves": "Test scores along a run, efficiency, and which class is taken for which",
    "logs": "What a solver printed, for its team; the text of its error, for everybody",
}

_LIMITS = {
    "submission_bytes": "Submission, unpacked",
    "solver_s": "Solver's own time in a run",
    "cpu_s": "Processor time in a run",
    "predict_s": "Prediction",
    "memory_bytes": "Memory",
    "scratch_bytes": "Scratch space",
    "log_bytes": "Log",
    "state_bytes": "State handed to predict",
    "max_ensemble": "Prompts in a solution",
    "max_wordings": "Wordings in a run",
    "max_bases": "Prompts kept on the server",
}


def limit_rows(limits: Mapping[str, Any]) -> list[list[str | Cell]]:
    """Return a row per limit that the round sets."""
    return [[label, _quantity(key, limits[key])] for key, label in _LIMITS.items() if key in limits]


def _quantity(key: str, value: float) -> str:
    if key.endswith("_bytes"):
        return size(int(value))
    return time_limit(float(value)) if key.endswith("_s") else f"{value:,}"


def setting_rows(rules: Mapping[str, Mapping[str, Any]]) -> list[list[str | Cell]]:
    """Return model, outputs and numeric profile, a row each."""
    model, numeric = rules.get("model", {}), rules.get("numeric", {})
    rows: list[list[str | Cell]] = []
    if model:
        revision = f" at {model['revision']}" if model.get("revision") else ""
        rows.append(["Model", f"{model.get('source', '-')}{revision}"])
        rows.append(["Prompt tokens per layer", str(model.get("n_prompt_tokens", "-"))])
        rows.append(["Label word's token", str(model.get("label_token", "-"))])
    if "outputs" in rules:
        rows.append(["A query may return", ", ".join(rules["outputs"].get("allowed", ()))])
    if numeric:
        rows.append(["Numeric profile", ", ".join(f"{key} {value}" for key, value in numeric.items())])
    if "round" in rules:
        rows.append(["Test labels", str(rules["round"].get("test_labels", "-"))])
        if rules["round"].get("rotation") == "secret":
            rows.append(["Prompts and features", "turned in each run by a matrix that nobody outside knows"])
    return rows


def sight_rows(visibility: Mapping[str, str]) -> list[list[str | Cell]]:
    """Return a row per thing that may be seen, and from when on."""
    rows: list[list[str | Cell]] = [
        [label, seen_from(visibility[key])] for key, label in _SIGHTS.items() if key in visibility
    ]
    return [*rows, ["Scores on private test rows, and anything of them", seen_from("published")]]


def noise_rows(noise: Mapping[str, NoiseFloor]) -> list[list[str | Cell]]:
    """Return a row per reference method that was repeated."""
    return [
        [name, str(floor.n_repeats), f"{floor.mean:.2f}", f"{floor.std:.2f}", f"{floor.difference:.2f}"]
        for name, floor in noise.items()
    ]


def main() -> None:
    """Show the page."""
    place, name = head_with_round()
    board_round = source.round_of(name)
    rows = "the private test rows" if board_round.is_final else "the public test rows until publication"
    with place:
        dates = f"opens {moment(board_round.opens)} · closes {moment(board_round.closes)}"
        title(
            f"Rules of {board_round.title or board_round.name}",
            f"Round {board_round.name} {board_round.version} · {board_round.phase} · {dates}",
        )
    section("Tasks")
    columns, cells = task_table(board_round)
    st.html(text_table("Tasks of the round", columns, cells))
    section("How it is scored")
    st.markdown(
        f"""
- **Score** of a task: mean over its few-shot seeds, on {rows}. **Total**: mean over tasks, 0 to 100.
- **Rank**: higher total first, then fewer charged calls. Equal on both share a rank; the time of
  submission orders the display alone. Totals are compared after rounding to 9 decimals.
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
    if board_round.is_practice:
        st.caption("The test labels are known outside this arena, so scores of this round are practice.")
    both = [Column("What", is_heading=True), Column("Value")]
    settings, limits = setting_rows(board_round.rules), limit_rows(board_round.rules.get("limits", {}))
    limits.append(
        ["Teams", "those with a token of the organizer" if board_round.is_registered_only else "anybody"]
    )
    limits += [
        [label, "any number" if value is None else f"{value:,}"]
        for label, value in (
            ("Submissions of a team per day", board_round.max_submissions_per_day),
            ("Submissions of a team in all", board_round.max_submissions),
        )
    ]
    section("What is seen when")
    sights = sight_rows(board_round.rules.get("visibility", {}))
    st.html(text_table("What is seen when", [Column("What", is_heading=True), Column("Seen")], sights))
    if settings:
        section("Model and queries")
        st.html(text_table("Model and queries", both, settings))
    section("Limits")
    st.html(text_table("Limits of a run", both, limits))
    if board_round.noise:
        section(
            "How much is luck",
            "Totals of a reference method repeated under other solver seeds. In one case of twenty, chance alone "
            "sets two such totals further apart than the last column says.",
        )
        columns = [
            Column("Repeated", is_heading=True),
            Column("Repeats", is_number=True),
            Column("Mean ↑", is_number=True),
            Column("SD", is_number=True),
            Column("Difference", is_number=True),
        ]
        st.html(text_table("Noise floor", columns, noise_rows(board_round.noise)))
    st.caption(f"Digest of the round file: {board_round.digest}")


guard.show(main)
