"""The error tree of the project.

::

    GradfreeError
    ├── UsageError                 the caller's input is wrong             exit 2
    │   ├── ConfigError            a round file, listing every bad field
    │   └── DataError              a data file or data set
    ├── SubmissionError            an error of the submission: a verdict  exit 1
    │   ├── BudgetExhausted        raised in the solver; not charged
    │   ├── InvalidQuery           raised in the solver; charged only if prompts overflow the model
    │   ├── InvalidSubmission      the folder or zip is invalid (verdict IS)
    │   └── ProtocolViolation      the solver process broke the protocol (verdict PV)
    └── InfrastructureError        platform error: no score, retried      exit 3
        ├── SandboxUnavailable     this machine cannot isolate a solver
        └── ModelError             the model cannot be loaded or is not supported

Standard library only: the sandboxed child imports this file.
"""

from collections.abc import Sequence

__all__ = [
    "BudgetExhausted",
    "ConfigError",
    "DataError",
    "GradfreeError",
    "InfrastructureError",
    "InvalidQuery",
    "InvalidSubmission",
    "ModelError",
    "ProtocolViolation",
    "SandboxUnavailable",
    "SubmissionError",
    "UsageError",
]


class GradfreeError(Exception):
    """Root of the errors that this project raises."""

    exit_code = 3


class UsageError(GradfreeError):
    """The caller's input is wrong; the message states what was expected and what to do."""

    exit_code = 2


class ConfigError(UsageError):
    """A round file is invalid. Every bad field is reported.

    Args:
        source: the file (or other origin) that was read.
        problems: one line per bad field: its place, the value found, the value expected.
    """

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        """Keep the problems, for callers that show them one by one."""
        self.source = source
        self.problems = tuple(problems)
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        super().__init__(f"{source}: {len(self.problems)} problem(s)\n{lines}")


class DataError(UsageError):
    """A data file is missing, malformed or inconsistent with the round file."""


class SubmissionError(GradfreeError):
    """An error of the submission. It becomes a verdict, never an internal error."""

    exit_code = 1


class BudgetExhausted(SubmissionError):
    """The query costs more calls than are left. Nothing was charged or computed.

    Raised in the solver, which may catch it and return its best solution so far.
    """


class InvalidQuery(SubmissionError):
    """The query is malformed and was not charged; the message states the problem.

    Exception: prompts that overflow the model's arithmetic. They are found by computing and stay charged.
    Raised in the solver, which may correct the query. The 1,000th ends the attempt.
    """


class InvalidSubmission(SubmissionError):
    """The submission's files are invalid (verdict IS)."""


class ProtocolViolation(SubmissionError):
    """The solver process broke the protocol (verdict PV). Never shown to a solver."""


class InfrastructureError(GradfreeError):
    """Platform error: the attempt is void and not charged, and the run starts again from zero."""

    exit_code = 3


class SandboxUnavailable(InfrastructureError):
    """This machine cannot isolate a solver; the message names the missing isolation layer and the fix."""


class ModelError(InfrastructureError):
    """The model cannot be loaded, or its architecture is not supported."""
