"""The schema of `[[task]]` in a round file."""

import re
from collections import Counter
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from harness.config.fields import Frozen, Name, Positive, Seed, one_of, written_as
from harness.metrics.registry import TASK_KINDS, metrics_of

__all__ = ["TaskConfig"]

_SLOT = re.compile(r"\{(\w+)\}|\[M\]")


class TaskConfig(Frozen):
    """`[[task]]`: one task. `preset` takes the missing keys from the official tasks."""

    name: Name
    preset: str | None = None
    kind: Annotated[
        # Excluded if it is the default, so that a round without it keeps its digest.
        str, AfterValidator(lambda kind: one_of(kind, TASK_KINDS)), Field(exclude_if=lambda kind: kind == TASK_KINDS[0])
    ] = TASK_KINDS[0]
    """Selects labels, default prediction and checks: see `harness.tasks.kinds`."""
    data: Annotated[str, written_as(r"toy|files:.+|hub:.+", '"toy", "files:FOLDER" or "hub:OWNER/NAME[:CONFIG]"')]
    pool: str = "pool"
    """Split (hub) or file (files) from which k-shot sets are drawn."""
    test: str = "test"
    fields: Annotated[tuple[str, ...], Field(min_length=1, max_length=2, strict=False)]
    """Text columns, in the order of the template."""
    label: str = "label"
    label_names: Annotated[tuple[str, ...], Field(min_length=2, strict=False)]
    kshot_data: (
        Annotated[str, written_as(r"files:.+\{seed\}.*\{split\}.*", '"files:.../{seed}/{split}.tsv", with both slots')]
        | None
    ) = None
    """Ready k-shot files: "files:.../{seed}/{split}.tsv" with split train and dev."""
    kshot_labels: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """How the ready files write each class; default: as its number."""
    k_shot: Positive
    kshot_seeds: Annotated[tuple[Seed, ...], Field(min_length=1, strict=False)]
    budget_calls: Positive
    metric: str
    template: str
    words: Annotated[tuple[str, ...], Field(min_length=2, strict=False)]
    public_fraction: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.5
    test_limit: Positive | None = None
    upload_name: str = ""
    """The task's folder in a zip of predictions; default: the task's name."""
    upload_label_order: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Class of each number in an uploaded prediction; default: the order of label_names."""

    # Field validators, not one model validator: each bad field is reported even if another one is bad.
    # A field validator has access only to the fields above its own.

    @field_validator("label_names", "kshot_seeds")
    @classmethod
    def _has_no_duplicates(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        duplicates = [entry for entry, count in Counter(value).items() if count > 1]
        if duplicates:
            raise ValueError(f"repeats {duplicates}, expected each once")
        return value

    @field_validator("kshot_labels", "words")
    @classmethod
    def _has_one_entry_per_class(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        label_names = info.data.get("label_names")
        if value and label_names and len(value) != len(label_names):
            raise ValueError(f"got {len(value)} entries for {len(label_names)} label_names, expected one each")
        return value

    @field_validator("metric")
    @classmethod
    def _fits_the_kind(cls, value: str, info: ValidationInfo) -> str:
        # Without a valid kind every metric is accepted: its own problem is reported.
        return one_of(value, metrics_of(info.data["kind"])) if "kind" in info.data else value

    @field_validator("template")
    @classmethod
    def _has_every_slot_once(cls, value: str, info: ValidationInfo) -> str:
        fields = info.data.get("fields")
        if fields is not None:
            slots = ["{p}", *(["{text}"] if len(fields) == 1 else ["{a}", "{b}"]), "[M]"]
            if sorted(match.group(0) for match in _SLOT.finditer(value)) != sorted(slots):
                raise ValueError(f"got {value!r}, expected each of {', '.join(slots)} exactly once")
        return value

    @field_validator("upload_label_order")
    @classmethod
    def _is_a_permutation(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        label_names = info.data.get("label_names")
        if value and label_names and sorted(value) != sorted(label_names):
            raise ValueError(f"got {list(value)}, expected every label name once ({', '.join(label_names)})")
        return value

    @property
    def has_private_rows(self) -> bool:
        """True if some test rows are private; otherwise the public score stays the score after publication."""
        return self.public_fraction < 1
