"""The requirements on a solver: one function each, which raises `NotConforming` if it is not met."""

from collections.abc import Callable

from harness.errors import InvalidSubmission, SubmissionError
from harness.records import Verdict
from harness.session.artifact import Artifact
from harness.testing.subject import SolverUnderTest

__all__ = ["CHECKS", "Check", "NotConforming"]

Check = Callable[[SolverUnderTest], None]

TINY_BUDGET = 3
SHORT_PROMPT = 7
_EXPLAINED = frozenset({Verdict.OK, Verdict.RUNTIME_ERROR})


class NotConforming(SubmissionError):
    """A solver does not meet a requirement; the message has what was observed."""


def keeps_its_files_within_the_limits(solver: SolverUnderTest) -> None:
    """The files are accepted as a round accepts them."""
    try:
        solver.submission()
    except InvalidSubmission as error:
        raise NotConforming(f"the files cannot be accepted: {error}") from error


def ends_well_on_one_text_tasks(solver: SolverUnderTest) -> None:
    """A task with one text per example ends in a score of the solver's own solution."""
    _require_score(solver.attempt("sst2"))


def ends_well_on_two_text_tasks(solver: SolverUnderTest) -> None:
    """A task with pairs of texts and three classes ends in such a score."""
    _require_score(solver.attempt("snli"))


def ends_well_with_many_classes(solver: SolverUnderTest) -> None:
    """A task with fourteen classes ends in such a score."""
    _require_score(solver.attempt("dbpedia"))


def ends_well_with_another_prompt_length(solver: SolverUnderTest) -> None:
    """Sizes come from `model.info`: a model with fewer prompt tokens works too."""
    _require_score(solver.attempt("sst2", n_prompt_tokens=SHORT_PROMPT))


def stays_within_the_budget(solver: SolverUnderTest) -> None:
    """`solve` ends without an uncaught refusal of a query for the budget."""
    artifact = _judged(solver.attempt("sst2"))
    if artifact.is_checkpoint or artifact.usage.calls > artifact.budget_calls:
        raise NotConforming(
            f"ended by the budget: got {artifact.usage.calls} of {artifact.budget_calls} calls and "
            f"{artifact.message}; catch BudgetExhausted, or plan with model.calls_left"
        )


def never_sends_a_malformed_query(solver: SolverUnderTest) -> None:
    """No query is refused as malformed."""
    for task in ("sst2", "snli"):
        n_invalid = _judged(solver.attempt(task)).usage.invalid_queries
        if n_invalid:
            raise NotConforming(
                f"malformed queries on {task}: got {n_invalid}, expected none; each InvalidQuery has the reason"
            )


def asks_the_same_under_the_same_seed(solver: SolverUnderTest) -> None:
    """Two attempts with one seed send the same queries and predict the same, so that runs can be replayed."""
    for task in ("sst2", "snli"):
        _require_repetition(*(_judged(solver.attempt(task, take=take)) for take in (1, 2)))


def _require_repetition(first: Artifact, second: Artifact) -> None:
    """Raise unless two attempts sent the same queries and predicted the same."""
    for number, (one, other) in enumerate(zip(first.trace, second.trace, strict=False), start=1):
        if one != other:
            raise NotConforming(
                f"{first.task}: query {number} differs between two attempts with the same seed; "
                "seed all randomness with task.solver_seed"
            )
    if len(first.trace) != len(second.trace):
        raise NotConforming(
            f"{first.task}: got {len(first.trace)} and {len(second.trace)} queries with the same seed; "
            "the number of queries must not depend on time"
        )
    if first.predictions != second.predictions:
        raise NotConforming(f"{first.task}: the same queries led to other predictions; seed all randomness")


def explains_itself_when_the_budget_is_tiny(solver: SolverUnderTest) -> None:
    """A budget that is too small ends in a score or an exception with a text, not by a limit."""
    _judged(solver.attempt("sst2"))  # a solver that always fails cannot be checked
    artifact = solver.attempt("sst2", budget_calls=TINY_BUDGET)
    if artifact.verdict not in _EXPLAINED or (artifact.scores is None and not artifact.message.strip()):
        raise NotConforming(
            f"with {TINY_BUDGET} calls: got {artifact.verdict.value} ({artifact.message!r}), expected a solution or "
            "an exception with the calls needed"
        )


def _judged(artifact: Artifact) -> Artifact:
    """Return an attempt with a score; raise if it has none, because the check needs one."""
    if artifact.verdict is not Verdict.OK or artifact.scores is None:
        said = artifact.message.strip().splitlines() or ["no message"]
        raise NotConforming(
            f"cannot be checked, because {artifact.task} ended with {artifact.verdict.value}: {said[-1]}"
        )
    return artifact


def _require_score(artifact: Artifact) -> None:
    """Raise unless the attempt ended in a score of the solution that `solve` returned."""
    if artifact.verdict is not Verdict.OK or artifact.scores is None or artifact.is_checkpoint:
        raise NotConforming(
            f"{artifact.task}: {artifact.verdict.value}, {artifact.usage.calls} of {artifact.budget_calls} "
            f"calls: {artifact.message or 'no message'}\n{artifact.log}"
        )


CHECKS: tuple[Check, ...] = (
    keeps_its_files_within_the_limits,
    ends_well_on_one_text_tasks,
    ends_well_on_two_text_tasks,
    ends_well_with_many_classes,
    ends_well_with_another_prompt_length,
    stays_within_the_budget,
    never_sends_a_malformed_query,
    asks_the_same_under_the_same_seed,
    explains_itself_when_the_budget_is_tiny,
)
"""All checks, cheapest first."""
