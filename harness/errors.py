"""The error tree of the project.

::

    GradfreeError
    ├── UsageError                 the caller's input is wrong             exit 2
    │   ├── ConfigError            a round file, listing every bad field
    │   └── DataError              a data file or data set
    ├── SubmissionError            the participant's fault: a verdict      exit 1
    │   ├── BudgetExhausted        seen by a solver: nothing was charged
    │   ├── InvalidQuery           seen by a solver: charged only where prompts overflow the model
    │   ├── InvalidSubmission      the folder or zip itself (verdict IS)
    │   └── ProtocolViolation      the solver process broke the protocol (verdict PV)
    └── InfrastructureError        ours: never becomes a score, retried    exit 3
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
    """Root of every error that this project raises on purpose."""

    exit_code = 3


class UsageError(GradfreeError):
    """The caller's input is wrong; the message says what was expected and what to do."""

    exit_code = 2


class ConfigError(UsageError):
    """A round file is not valid. All bad fields are reported at once.

    Args:
        source: the file (or other origin) that was read.
        problems: one line per bad field: where it is, what it holds, what was expected.
    """

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        """Keep the problems for callers that render them one by one."""
        self.source = source
        self.problems = tuple(problems)
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        super().__init__(f"{source}: {len(self.problems)} problem(s)\n{lines}")


class DataError(UsageError):
    """A data file is missing, malformed or inconsistent with the round file."""


class SubmissionError(GradfreeError):
    """The participant's fault. It becomes a verdict, never an internal error."""

    exit_code = 1


class BudgetExhausted(SubmissionError):
    """The query would pass the call budget. Nothing was charged, nothing was computed.

    Raised inside the solver, which may catch it and return its best solution so far.
    """


class InvalidQuery(SubmissionError):
    """The query is malformed, and nothing was charged; the message says what and why.

    One kind is found by computing alone, and stays charged: prompts that overflow the model's arithmetic.
    Raised inside the solver, which may correct the query. The 1,000th ends the attempt.
    """


class InvalidSubmission(SubmissionError):
    """The submission's files cannot be accepted (verdict IS)."""


class ProtocolViolation(SubmissionError):
    """The solver process broke the protocol (verdict PV). Never shown to a solver."""


class InfrastructureError(GradfreeError):
    """Our fault: the attempt is void, charged to nobody, and the run starts again from zero."""

    exit_code = 3


class SandboxUnavailable(InfrastructureError):
    """This machine cannot isolate a solver; the message names the missing layer and the fix."""


class ModelError(InfrastructureError):
    """The language model cannot be loaded, or its architecture is not supported."""
