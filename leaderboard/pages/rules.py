"""Page: the rules of a round."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from harness.metrics.noise import NoiseFloor
from harness.metrics.ranking import ScoringRule
from leaderboard import guard, source
from leaderboard.markup import Cell, Column, text_table
from leaderboard.parts import section, title
from leaderboard.rounds import head_with_round
from leaderboard.runs import task_table
from leaderboard.texts import moment, seen_from, size, time_limit

_WHICH_COUNTS = {
    ScoringRule.FORCE_BEST: "the complete submission with the best public score",
    ScoringRule.FORCE_LAST: "the last complete submission",
}

_SIGHTS = {
    "scores": "Scores on public test rows",
    "own_scores": "Scores on public test rows of own submissions, for the team (gradfree status N --own)",
    "curves": "Test scores along a run, efficiency and confusion matrices",
    "logs": "Output of a solver, for its team; text of its errors, for everybody",
}

_LIMITS = {
    "submission_bytes": "Submission, unpacked",
    "solver_s": "Solver time per run",
    "cpu_s": "CPU time per run",
    "predict_s": "Prediction time",
    "memory_bytes": "Memory",
    "scratch_bytes": "Scratch space",
    "log_bytes": "Log",
    "state_bytes": "State passed to predict",
    "max_ensemble": "Prompts per solution",
    "max_wordings": "Wordings per run",
    "max_bases": "Base prompts held by the platform",
}


def limit_rows(limits: Mapping[str, Any]) -> list[list[str | Cell]]:
    """Return one row per limit of the round."""
    return [[label, _quantity(key, limits[key])] for key, label in _LIMITS.items() if key in limits]


def _quantity(key: str, value: float) -> str:
    if key.endswith("_bytes"):
        return size(int(value))
    return time_limit(float(value)) if key.endswith("_s") else f"{value:,}"


def setting_rows(rules: Mapping[str, Mapping[str, Any]]) -> list[list[str | Cell]]:
    """Return one row per setting of model, outputs and numeric profile."""
    model, numeric = rules.get("model", {}), rules.get("numeric", {})
    rows: list[list[str | Cell]] = []
    if model:
        revision = f" at {model['revision']}" if model.get("revision") else ""
        rows.append(["Model", f"{model.get('source', '-')}{revision}"])
        rows.append(["Prompt tokens per layer", str(model.get("n_prompt_tokens", "-"))])
        rows.append(["Label word token", str(model.get("label_token", "-"))])
    if "outputs" in rules:
        rows.append(["Outputs of a query", ", ".join(rules["outputs"].get("allowed", ()))])
    if numeric:
        rows.append(["Numeric profile", ", ".join(f"{key} {value}" for key, value in numeric.items())])
    if "round" in rules:
        rows.append(["Test labels", str(rules["round"].get("test_labels", "-"))])
        if rules["round"].get("rotation") == "secret":
            rows.append(["Prompts and features", "rotated by a secret matrix in each run"])
    return rows


def sight_rows(visibility: Mapping[str, str]) -> list[list[str | Cell]]:
    """Return one row per kind of result, with the time from which it is visible."""
    rows: list[list[str | Cell]] = [
        [label, seen_from(visibility[key])] for key, label in _SIGHTS.items() if key in visibility
    ]
    return [*rows, ["Scores on private test rows and everything derived from them", seen_from("published")]]


def noise_rows(noise: Mapping[str, NoiseFloor]) -> list[list[str | Cell]]:
    """Return one row per repeated baseline."""
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
- **Score** of a task: mean over its k-shot seeds, on {rows}. **Total**: mean over tasks, 0 to 100.
- **Rank**: higher total first. Ties are broken by fewer calls; entries still equal share a rank. The time of
  submission affects only the display. Totals are rounded to 9 decimals before they are compared.
- One submission per team counts: {_WHICH_COUNTS[board_round.rule]}.
- **Complete**: every run, each task with each seed, has a score. Other submissions have no score and no rank.
  A run ended by a time or memory limit is scored on its last checkpoint and marked.
- **Call**, the unit of the budget: one candidate prompt evaluated on at most as many examples as the train split
  has. Train and dev queries cost the same and are charged before they are computed. A query that would exceed the
  budget is rejected and costs nothing.
- ◆ **Baselines**: shown by score, not ranked.
- **Unofficial**: a run without a sandbox. Marked, shown by score, not ranked.
- **Predictions only**: prediction uploads, whose calls are not metered. Shown in a separate table, not ranked.
"""
    )
    if board_round.is_practice:
        st.caption("Practice round: the test labels are available outside this arena.")
    both = [Column("Setting", is_heading=True), Column("Value")]
    settings, limits = setting_rows(board_round.rules), limit_rows(board_round.rules.get("limits", {}))
    limits.append(
        ["Teams", "registered teams, with a token from the organizer" if board_round.is_registered_only else "any team"]
    )
    limits += [
        [label, "unlimited" if value is None else f"{value:,}"]
        for label, value in (
            ("Submissions per team and day", board_round.max_submissions_per_day),
            ("Submissions per team in total", board_round.max_submissions),
        )
    ]
    section("Visibility")
    sights = sight_rows(board_round.rules.get("visibility", {}))
    st.html(text_table("Visibility", [Column("Result", is_heading=True), Column("Visible")], sights))
    if settings:
        section("Model and queries")
        st.html(text_table("Model and queries", both, settings))
    section("Limits")
    st.html(text_table("Limits of a run", both, limits))
    if board_round.noise:
        section(
            "Noise floor",
            "Totals of a baseline, repeated with other solver seeds. By chance alone, two such totals differ by more "
            "than the last column in 1 of 20 cases.",
        )
        columns = [
            Column("Baseline", is_heading=True),
            Column("Repeats", is_number=True),
            Column("Mean ↑", is_number=True),
            Column("SD", is_number=True),
            Column("Difference", is_number=True),
        ]
        st.html(text_table("Noise floor", columns, noise_rows(board_round.noise)))
    st.caption(f"Digest of the round file: {board_round.digest}")


guard.show(main)
