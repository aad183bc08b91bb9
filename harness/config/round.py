"""The schema of a round file. Every field is checked; unknown keys are refused.

Sizes end in `_bytes`, durations in `_s` (seconds). A round is one file, so that the rules, the
scores and the board are versioned together; its digest stands on every score.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from harness.api.outputs import OUTPUTS
from harness.config.params import ParamsByName

__all__ = [
    "LimitsConfig",
    "ModelConfig",
    "NumericConfig",
    "OutputsConfig",
    "RoundConfig",
    "RoundInfo",
    "TaskConfig",
    "VisibilityConfig",
]

FINAL_SUFFIX = "-final"
"""What the name of a round's final phase ends with."""

MAX_NAME_CHARS = 40
"""Longest name of a round or a task."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=MAX_NAME_CHARS)]
Positive = Annotated[int, Field(gt=0, le=2**31)]
Bytes = Annotated[int, Field(gt=0, le=2**50)]
Seconds = Annotated[float, Field(gt=0, le=1e8)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


def _written_as(pattern: str, forms: str) -> AfterValidator:
    """Accept texts that match a pattern, which an error tells in words."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"got {value!r}, expected {forms}")
        return value

    return AfterValidator(check)


def _one_of(names: Collection[str]) -> AfterValidator:
    """Accept one of some names."""
    return _written_as("|".join(map(re.escape, names)), f"one of {', '.join(names)}")


_SLOT = re.compile(r"\{(\w+)\}|\[M\]")


class _Frozen(BaseModel):
    """Immutable, no unknown keys, no silent conversion between types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class RoundInfo(_Frozen):
    """`[round]`: what the round is called and when it runs."""

    name: Name
    version: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+$")]
    title: str = ""
    opens: AwareDatetime | None = Field(default=None, strict=False)
    closes: AwareDatetime | None = Field(default=None, strict=False)
    seed: Seed = 20230601
    """Draws the public and private test rows and every attempt's solver seed."""
    test_labels: Literal["public", "sealed"] = "public"
    """Whether the test labels are known outside: if so, scores are practice."""
    rotation: Literal["none", "secret"] = "none"
    """Whether each run's prompts and features live in a secretly rotated basis."""
    max_submissions_per_day: Positive | None = None
    """Of a team, by UTC day; none means any number."""
    max_submissions: Positive | None = None
    """Of a team in all."""
    rule: Literal["Force_Best", "Force_Last"] = "Force_Best"
    """Which of a team's complete submissions counts."""
    teams: Literal["open", "registered"] = "open"
    """Who takes part: anybody, or the teams that the organizer gave a token."""

    @field_validator("closes")
    @classmethod
    def _is_later_than_opens(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        opens = info.data.get("opens")
        if value and opens and value <= opens:
            raise ValueError(f"closes ({value.isoformat()}) must be later than opens ({opens.isoformat()})")
        return value


_PHASES = ("open", "closed", "published")


class VisibilityConfig(_Frozen):
    """`[visibility]`: the phase from which on something may be seen; each phase includes the later ones.

    Scores on the private rows are never seen before publication, whatever stands here.
    """

    scores: Literal["open", "closed", "published"] = "open"
    """Scores on the public rows, on the board."""
    own_scores: Annotated[
        # Left out where it is not given, so that a round without it keeps its digest.
        Literal["open", "closed", "published"] | None, Field(exclude_if=lambda phase: phase is None)
    ] = None
    """The same of a team's own submissions, for the team; None: as `scores`, and never later than they."""
    curves: Literal["open", "closed", "published"] = "published"
    """Test scores of the incumbents, and the efficiency computed from them."""
    logs: Literal["open", "closed", "published"] = "open"
    """What a team's solvers printed, for the team; and, for everybody, the text with which a run failed."""

    @model_validator(mode="after")
    def _own_first(self) -> Self:
        if self.own_scores is not None and _PHASES.index(self.own_scores) > _PHASES.index(self.scores):
            raise ValueError(
                f'own_scores = "{self.own_scores}" hides from a team what everybody sees when scores = '
                f'"{self.scores}"; expected the same phase or an earlier one'
            )
        return self


class ModelConfig(_Frozen):
    """`[model]`: the one language model of the round."""

    source: Annotated[str, _written_as(r"toy|path:.+|hub:.+", '"toy", "path:FOLDER" or "hub:OWNER/NAME"')]
    """"toy", "path:FOLDER" (relative to the round file, or "@shared/...") or "hub:OWNER/NAME"."""
    revision: str | None = None
    n_prompt_tokens: Annotated[int, Field(ge=1, le=200)] = 50
    label_token: Literal["official", "spaced"] = "official"


class NumericConfig(_Frozen):
    """`[numeric]`: the numeric profile; results are comparable bit for bit only within one."""

    device: Literal["cpu", "cuda"] = "cpu"
    dtype: Literal["fp32", "bf16"] = "fp32"
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    chunk_tokens: Annotated[int, Field(ge=256, le=10_000_000)] = 4096


class LimitsConfig(_Frozen):
    """`[limits]`: what one attempt may use. The defaults suit RoBERTa-large."""

    solver_s: Seconds = 300.0
    """Wall-clock seconds of the solver in an attempt: between a response sent and the next request, summed."""
    cpu_s: Seconds = 3600.0
    predict_s: Seconds = 300.0
    memory_bytes: Annotated[int, Field(ge=2**28, le=2**50)] = 4 * 2**30
    scratch_bytes: Bytes = 64 * 2**20
    log_bytes: Bytes = 2**20
    state_bytes: Bytes = 64 * 2**20
    submission_bytes: Bytes = 64 * 2**10
    """Unpacked size of a submission: what stops baked-in prompts."""
    max_ensemble: Annotated[int, Field(ge=1, le=16)] = 1
    max_wordings: Annotated[int, Field(ge=0, le=4096)] = 64
    max_bases: Annotated[int, Field(ge=1, le=4096)] = 8


class OutputsConfig(_Frozen):
    """`[outputs]`: what a query may return; by default all of `harness.api.outputs.OUTPUTS`."""

    allowed: tuple[Annotated[str, _one_of(OUTPUTS)], ...] = Field(
        default=tuple(OUTPUTS), min_length=1, strict=False
    )


class TaskConfig(_Frozen):
    """`[[task]]`: one task. `preset` takes the missing keys from the official tasks."""

    name: Name
    preset: str | None = None
    data: Annotated[
        str, _written_as(r"toy|files:.+|hub:.+", '"toy", "files:FOLDER" or "hub:OWNER/NAME[:CONFIG]"')
    ]
    pool: str = "pool"
    """Split (hub) or file (files) that k-shot sets are drawn from."""
    test: str = "test"
    fields: Annotated[tuple[str, ...], Field(min_length=1, max_length=2, strict=False)]
    """Columns of the text, in the order of the template."""
    label: str = "label"
    label_names: Annotated[tuple[str, ...], Field(min_length=2, strict=False)]
    kshot_data: (
        Annotated[
            str,
            _written_as(r"files:.+\{seed\}.*\{split\}.*", '"files:.../{seed}/{split}.tsv", with both slots'),
        ]
        | None
    ) = None
    """Ready k-shot files: "files:.../{seed}/{split}.tsv" with split train and dev."""
    kshot_labels: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """How the ready files write each class; default: the class number."""
    k_shot: Positive
    kshot_seeds: Annotated[tuple[Seed, ...], Field(min_length=1, strict=False)]
    budget_calls: Positive
    metric: Literal["accuracy", "f1_macro"]
    template: str
    words: Annotated[tuple[str, ...], Field(min_length=2, strict=False)]
    public_fraction: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.5
    test_limit: Positive | None = None
    upload_name: str = ""
    """The task's folder in a zip of predictions; default: the task's name."""
    upload_label_order: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Which class each number of an uploaded prediction means; default: the order of label_names."""

    # Field validators, not one validator of the whole: so that each bad field is reported even
    # where another one is bad too. They see only the fields above their own.

    @field_validator("label_names", "kshot_seeds")
    @classmethod
    def _has_no_duplicates(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        duplicates = [entry for entry, count in Counter(value).items() if count > 1]
        if duplicates:
            raise ValueError(f"repeats {duplicates}")
        return value

    @field_validator("kshot_labels", "words")
    @classmethod
    def _has_one_entry_per_class(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        label_names = info.data.get("label_names")
        if value and label_names and len(value) != len(label_names):
            raise ValueError(f"has {len(value)} entries for {len(label_names)} label_names")
        return value

    @field_validator("template")
    @classmethod
    def _has_every_slot_once(cls, value: str, info: ValidationInfo) -> str:
        fields = info.data.get("fields")
        if fields is not None:
            slots = ["{p}", *(["{text}"] if len(fields) == 1 else ["{a}", "{b}"]), "[M]"]
            if sorted(match.group(0) for match in _SLOT.finditer(value)) != sorted(slots):
                raise ValueError(f"must hold each of {', '.join(slots)} exactly once, got {value!r}")
        return value

    @field_validator("upload_label_order")
    @classmethod
    def _is_a_permutation(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        label_names = info.data.get("label_names")
        if value and label_names and sorted(value) != sorted(label_names):
            raise ValueError(f"must hold every label name once ({', '.join(label_names)}), got {list(value)}")
        return value


class RoundConfig(_Frozen):
    """A whole round file."""

    round: RoundInfo
    model: ModelConfig
    numeric: NumericConfig = NumericConfig()
    limits: LimitsConfig = LimitsConfig()
    outputs: OutputsConfig = OutputsConfig()
    visibility: VisibilityConfig = VisibilityConfig()
    task: Annotated[tuple[TaskConfig, ...], Field(min_length=1, strict=False)]
    solver_params: ParamsByName = Field(default_factory=dict)
    """Parameters of reference solvers that suit this round: `[solver_params.bbtv2]`."""

    @field_validator("task")
    @classmethod
    def _has_unique_names(cls, value: tuple[TaskConfig, ...]) -> tuple[TaskConfig, ...]:
        names = [task.name for task in value]
        if len(set(names)) != len(names):
            raise ValueError(f"task names must be unique, got {names}")
        # Two tasks of one preset have its folder, and one would be scored by the other's predictions.
        folders = [task.upload_name or task.name for task in value]
        if len(set(folders)) != len(folders):
            raise ValueError(f"upload_name must be unique, a task's name where it is left out; got {folders}")
        return value

    @model_validator(mode="after")
    def _seals_what_it_says(self) -> Self:
        """Sealed labels are labels that nobody outside has, and that no score gives away row by row."""
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
            problems.append('visibility.curves = "open" lets every submission read its score many times')
        if problems:
            raise ValueError('round.test_labels = "sealed", but ' + "; ".join(problems))
        return self

    @property
    def name(self) -> str:
        """The round's name."""
        return self.round.name

    @property
    def base_name(self) -> str:
        """The name of the round that this one is the final of; its own, if it is no final."""
        return self.name.removesuffix(FINAL_SUFFIX)

    def task_named(self, name: str) -> TaskConfig | None:
        """Return the task of that name, or None."""
        return next((task for task in self.task if task.name == name), None)

    def canonical_json(self) -> str:
        """Return the content as JSON with sorted keys: the same rules give the same text."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    def digest(self) -> str:
        """Return the SHA-256 (hex) of `canonical_json`."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()
