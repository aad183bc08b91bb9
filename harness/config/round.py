"""The schema of a round file. Every field is checked; unknown keys are refused.

Sizes end in `_bytes`, durations in `_s` (seconds). A round is one file, so its rules, scores and board have
one version; every score carries the file's digest.
"""

import hashlib
import json
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from harness.api.outputs import OUTPUTS
from harness.config.fields import Bytes, Frozen, Name, Positive, Seconds, Seed, one_of, written_as
from harness.config.params import ParamsByName
from harness.config.task import TaskConfig
from harness.metrics.ranking import ScoringRule
from harness.records import Phase

__all__ = [
    "LimitsConfig",
    "ModelConfig",
    "NumericConfig",
    "OutputsConfig",
    "RoundConfig",
    "RoundInfo",
    "VisibilityConfig",
]

FINAL_SUFFIX = "-final"
"""Ending of the name of a final."""


class RoundInfo(Frozen):
    """`[round]`: name, time, quota and rules."""

    name: Name
    version: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+$")]
    title: str = ""
    opens: AwareDatetime | None = Field(default=None, strict=False)
    closes: AwareDatetime | None = Field(default=None, strict=False)
    seed: Seed = 20230601
    """Draws the public test rows and, through the digest, the solver seed of every run."""
    test_labels: Literal["public", "sealed"] = "public"
    """Whether the test labels are known outside; then scores are practice."""
    rotation: Literal["none", "secret"] = "none"
    """Whether the prompts and features of each run are in a secretly rotated basis."""
    max_submissions_per_day: Positive | None = None
    """Of a team, by UTC day; None: any number."""
    max_submissions: Positive | None = None
    """Of a team in total; None: any number."""
    rule: Annotated[ScoringRule, Field(strict=False)] = ScoringRule.FORCE_BEST
    """Which of a team's complete submissions counts."""
    teams: Literal["open", "registered"] = "open"
    """Who takes part: everybody, or teams with a token from the organizer."""

    @field_validator("closes")
    @classmethod
    def _is_later_than_opens(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        opens = info.data.get("opens")
        if value and opens and value <= opens:
            raise ValueError(f"closes ({value.isoformat()}) must be later than opens ({opens.isoformat()})")
        return value


_PHASES = ("open", "closed", "published")


class VisibilityConfig(Frozen):
    """`[visibility]`: the phase from which something is shown.

    Scores on the private rows are never shown before publication.
    """

    scores: Literal["open", "closed", "published"] = "open"
    """Scores on the public rows, on the board."""
    own_scores: Annotated[
        # Excluded if None, so that a round without it keeps its digest.
        Literal["open", "closed", "published"] | None, Field(exclude_if=lambda phase: phase is None)
    ] = None
    """Public scores of a team's own submissions, for the team; None: as `scores`; never later than `scores`."""
    curves: Literal["open", "closed", "published"] = "published"
    """Test scores of the incumbents, their efficiency, and the confusion matrix."""
    logs: Literal["open", "closed", "published"] = "open"
    """Logs of a team's solvers, for the team; and error texts of failed runs, for everybody."""

    @model_validator(mode="after")
    def _own_first(self) -> Self:
        if self.own_scores is not None and _PHASES.index(self.own_scores) > _PHASES.index(self.scores):
            raise ValueError(
                f'got own_scores = "{self.own_scores}" and scores = "{self.scores}", expected own_scores in the same '
                "phase or an earlier one"
            )
        return self


class ModelConfig(Frozen):
    """`[model]`: the language model of the round."""

    source: Annotated[str, written_as(r"toy|path:.+|hub:.+", '"toy", "path:FOLDER" or "hub:OWNER/NAME"')]
    """"toy", "path:FOLDER" (relative to the round file, or "@shared/...") or "hub:OWNER/NAME"."""
    revision: str | None = None
    n_prompt_tokens: Annotated[int, Field(ge=1, le=200)] = 50
    label_token: Literal["official", "spaced"] = "official"


class NumericConfig(Frozen):
    """`[numeric]`: the numeric profile; results agree bit for bit only within one profile."""

    device: Literal["cpu", "cuda"] = "cpu"
    dtype: Literal["fp32", "bf16"] = "fp32"
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    chunk_tokens: Annotated[int, Field(ge=256, le=10_000_000)] = 4096


class LimitsConfig(Frozen):
    """`[limits]`: limits of one attempt. The defaults suit RoBERTa-large."""

    solver_s: Seconds = 300.0
    """Wall seconds of the solver in an attempt: the sum of the times between a response and the next request."""
    cpu_s: Seconds = 3600.0
    predict_s: Seconds = 300.0
    memory_bytes: Annotated[int, Field(ge=2**28, le=2**50)] = 4 * 2**30
    scratch_bytes: Bytes = 64 * 2**20
    log_bytes: Bytes = 2**20
    state_bytes: Bytes = 64 * 2**20
    submission_bytes: Bytes = 64 * 2**10
    """Unpacked size of a submission; too small for prompts tuned elsewhere."""
    max_ensemble: Annotated[int, Field(ge=1, le=16)] = 1
    max_wordings: Annotated[int, Field(ge=0, le=4096)] = 64
    max_bases: Annotated[int, Field(ge=1, le=4096)] = 8


class OutputsConfig(Frozen):
    """`[outputs]`: what a query may return; by default all of `harness.api.outputs.OUTPUTS`."""

    allowed: tuple[Annotated[str, AfterValidator(lambda name: one_of(name, tuple(OUTPUTS)))], ...] = Field(
        default=tuple(OUTPUTS), min_length=1, strict=False
    )


class RoundConfig(Frozen):
    """A whole round file. The store keeps it as `canonical_json`; `parse_rules` reads it back."""

    round: RoundInfo
    model: ModelConfig
    numeric: NumericConfig = NumericConfig()
    limits: LimitsConfig = LimitsConfig()
    outputs: OutputsConfig = OutputsConfig()
    visibility: VisibilityConfig = VisibilityConfig()
    task: Annotated[tuple[TaskConfig, ...], Field(min_length=1, strict=False)]
    solver_params: ParamsByName = Field(default_factory=dict)
    """Parameters of baselines that suit this round: `[solver_params.bbtv2]`."""

    @field_validator("task")
    @classmethod
    def _has_unique_names(cls, value: tuple[TaskConfig, ...]) -> tuple[TaskConfig, ...]:
        names = [task.name for task in value]
        if len(set(names)) != len(names):
            raise ValueError(f"got task names {names}, expected each once")
        # Two tasks of one preset share its upload_name: one would be scored on the other's predictions.
        folders = [task.upload_name or task.name for task in value]
        if len(set(folders)) != len(folders):
            raise ValueError(f"got upload_name {folders} (default: the task's name), expected each once")
        return value

    @model_validator(mode="after")
    def _seals_what_it_says(self) -> Self:
        """Check that sealed labels are unknown outside and that no score reveals them row by row."""
        if self.round.test_labels == "public":
            return self
        problems = [
            f"task {task.name}: data = {task.data!r} is public"
            for task in self.task
            if task.data == "toy" or task.data.startswith("hub:")
        ]
        problems += [
            f"task {task.name}: public_fraction = 1 leaves no row for the final score"
            for task in self.task
            if task.public_fraction >= 1
        ]
        if self.visibility.curves == "open":
            problems.append('visibility.curves = "open" shows a submission many test scores while the round is open')
        if problems:
            raise ValueError('round.test_labels = "sealed", but ' + "; ".join(problems))
        return self

    @property
    def name(self) -> str:
        """The round's name."""
        return self.round.name

    @property
    def base_name(self) -> str:
        """The name without the ending of a final."""
        return self.name.removesuffix(FINAL_SUFFIX)

    @property
    def version(self) -> str:
        """Major.Minor; scores of one version are comparable."""
        return self.round.version

    @property
    def title_or_name(self) -> str:
        """One line for people."""
        return self.round.title or self.name

    @property
    def is_registered_only(self) -> bool:
        """True if only teams with a token from the organizer take part."""
        return self.round.teams == "registered"

    @property
    def is_practice(self) -> bool:
        """True if the test labels are known outside, so that scores prove little."""
        return self.round.test_labels == "public"

    @property
    def scores_from(self) -> Phase:
        """Phase from which public scores are on the board."""
        return Phase(self.visibility.scores)

    @property
    def own_scores_from(self) -> Phase:
        """Phase from which a team sees its own public scores."""
        return Phase(self.visibility.own_scores or self.visibility.scores)

    @property
    def curves_from(self) -> Phase:
        """Phase from which the test scores of incumbents are on the board."""
        return Phase(self.visibility.curves)

    @property
    def logs_from(self) -> Phase:
        """Phase from which a team may read the logs of its runs."""
        return Phase(self.visibility.logs)

    def task_named(self, name: str) -> TaskConfig | None:
        """Return the task of that name, or None."""
        return next((task for task in self.task if task.name == name), None)

    def canonical_json(self) -> str:
        """Return the content as JSON with sorted keys: equal rules give equal text."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    def digest(self) -> str:
        """Return the SHA-256 (hex) of `canonical_json`."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()
