"""The packaged gradient references and their settings."""

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
    """Interface of the class in `reference.py`; `[params]` are passed to its constructor."""

    def adapt(self, model: Any, n_prompt_tokens: int) -> Adapted:
        """Freeze the model, add or unfreeze the tuned parameters, and return the adapted model.

        Args:
            model: a copy of a transformers masked LM, which may be changed.
            n_prompt_tokens: M of the round.
        """
        ...


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Training(_Frozen):
    """`[training]`: AdamW with linear warm-up and decay; dev accuracy selects the step.

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
        """Return the method with another number of steps and as many evaluations on dev as before."""
        every = max(1, self.training.eval_every * steps // self.training.steps)
        changed = self.training.model_copy(update={"steps": steps, "eval_every": every})
        return self.model_copy(update={"training": changed})

    @property
    def source(self) -> Path:
        """Path of its `reference.py`."""
        return _folder() / self.name / "reference.py"

    def build(self, **changes: Any) -> Reference:
        """Create the method's class.

        Args:
            changes: override parameters of the file.

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
                f"Gradient reference {self.name!r}: package {error.name!r} is missing; run `make install`, or "
                "install this project with its extra 'references'"
            ) from error
        reference: Reference = getattr(module, self.entry)(**(self.params | changes))
        return reference


def packaged_references() -> tuple[str, ...]:
    """Return the names of the gradient references."""
    return tuple(sorted(path.parent.name for path in _folder().glob(f"*/{MANIFEST}")))


def load_reference(name: str) -> ReferenceMethod:
    """Load a gradient reference by name.

    Raises:
        UsageError: there is no gradient reference of that name.
        ConfigError: its `reference.toml` is not valid.
    """
    if name not in packaged_references():
        raise UsageError(f"Gradient reference: got {name!r}, expected one of {', '.join(packaged_references())}")
    path = _folder() / name / MANIFEST
    try:
        return ReferenceMethod.model_validate(tomllib.loads(path.read_text()) | {"name": name})
    except (ValidationError, ValueError) as error:
        raise ConfigError(str(path), [str(error)]) from error


def _folder() -> Path:
    return Path(str(files("baselines")))
