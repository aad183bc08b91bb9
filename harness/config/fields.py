"""What the schemas of a round file share: field types and the base class."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

__all__ = ["MAX_NAME_CHARS", "Bytes", "Frozen", "Name", "Positive", "Seconds", "Seed", "one_of", "written_as"]

MAX_NAME_CHARS = 40
"""Longest name of a round or a task."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=MAX_NAME_CHARS)]
Positive = Annotated[int, Field(gt=0, le=2**31)]
Bytes = Annotated[int, Field(gt=0, le=2**50)]
Seconds = Annotated[float, Field(gt=0, le=1e8)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


def written_as(pattern: str, forms: str) -> AfterValidator:
    """Return a validator of a pattern; `forms` describes the pattern in the error."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"got {value!r}, expected {forms}")
        return value

    return AfterValidator(check)


def one_of(value: str, names: tuple[str, ...]) -> str:
    """Return a value that is one of the names of a registry; otherwise list them."""
    if value not in names:
        raise ValueError(f"got {value!r}, expected {' or '.join(map(repr, names))}")
    return value


class Frozen(BaseModel):
    """Immutable, no unknown keys, no silent conversion between types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
