"""The packaged gradient references: what their files say."""

import importlib.util
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import ConfigError, UsageError
from harness.references.masked_lm import Adapted

__all__ = ["Reference", "ReferenceMethod", "Training", "load_reference", "packaged_references"]

MANIFEST = "reference.toml"


class Reference(Protocol):
    """The class that `reference.py` defines; `[params]` go to its constructor."""

    def adapt(self, model: Any, n_prompt_tokens: int) -> Adapted:
        """Freeze what is not tuned, add what is, and return the adapted model.

        Args:
            model: a transformers masked LM of its own, which may be changed.
            n_prompt_tokens: M of the round.
        """
        ...


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Training(_Frozen):
    """`[training]`: AdamW with linear warm-up and decay; dev chooses the step.

    The defaults are the few-shot settings of Liu et al. 2022, arXiv 2210.11292.
    """

    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.1, ge=0)
    warmup: float = Field(default=0.06, ge=0, lt=1)
    batch_size: int = Field(default=32, ge=1)
    steps: int = Field(default=1000, ge=1)
    eval_every: int = Field(default=100, ge=1)


class ReferenceMethod(_Frozen):
    """`reference.toml`."""

    name: str
    entry: str = Field(pattern=r"^[A-Za-z_]\w*$")
    description: str
    params: dict[str, Any] = Field(default_factory=dict)
    training: Training = Training()

    def trained_for(self, steps: int) -> Self:
        """Return the method with another number of steps; dev is asked as many times as before."""
        every = max(1, self.training.eval_every * steps // self.training.steps)
        changed = self.training.model_copy(update={"steps": steps, "eval_every": every})
        return self.model_copy(update={"training": changed})

    @property
    def source(self) -> Path:
        """The file that defines it."""
        return _folder() / self.name / "reference.py"

    def build(self, **changes: Any) -> Reference:
        """Return the method, ready to adapt a model.

        Args:
            changes: parameters in place of the file's.

        Raises:
            UsageError: a package of the extra "references" is missing.
        """
        spec = importlib.util.spec_from_file_location(f"gradfree_reference_{self.name}", self.source)
        if spec is None or spec.loader is None:
            raise UsageError(f"{self.source}: cannot be imported")
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except ModuleNotFoundError as error:
            raise UsageError(
                f"reference {self.name!r} needs the package {error.name!r}; `make install` brings it, "
                "or install this project with its extra 'references'"
            ) from error
        reference: Reference = getattr(module, self.entry)(**(self.params | changes))
        return reference


def packaged_references() -> tuple[str, ...]:
    """Return the names of the gradient references."""
    return tuple(sorted(path.parent.name for path in _folder().glob(f"*/{MANIFEST}")))


def load_reference(name: str) -> ReferenceMethod:
    """Read what the files of a reference say.

    Raises:
        UsageError: there is none of that name.
        ConfigError: its `reference.toml` is not valid.
    """
    if name not in packaged_references():
        raise UsageError(f"there is no reference {name!r}; there are {', '.join(packaged_references())}")
    path = _folder() / name / MANIFEST
    try:
        return ReferenceMethod.model_validate(tomllib.loads(path.read_text()) | {"name": name})
    except (ValidationError, ValueError) as error:
        raise ConfigError(str(path), [str(error)]) from error


def _folder() -> Path:
    return Path(str(files("baselines")))
