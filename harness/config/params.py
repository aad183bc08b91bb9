"""Solver parameters in manifests and round files."""

import math
from typing import Annotated, Any

from pydantic import AfterValidator

__all__ = ["Params", "ParamsByName"]

_MAX_PARAMS_DEPTH = 16


def _checked(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters that JSON can carry to the sandbox and into the artifact.

    Raises:
        ValueError: a value is of another type, too deep or too large.
    """
    problem = _problem_with(params, "", 0)
    if problem:
        raise ValueError(problem)
    return params


def _problem_with(value: Any, where: str, depth: int) -> str:
    """Return the problem with a parameter, or ""."""
    if depth > _MAX_PARAMS_DEPTH:
        return f"{where.split('.', maxsplit=1)[0]} is nested deeper than {_MAX_PARAMS_DEPTH} levels"
    if isinstance(value, dict | list):
        entries = value.items() if isinstance(value, dict) else ((str(i), item) for i, item in enumerate(value))
        problems = (_problem_with(entry, f"{where}.{key}".lstrip("."), depth + 1) for key, entry in entries)
        return next(filter(None, problems), "")
    if isinstance(value, float) and not math.isfinite(value):
        return f"{where} is {value}; expected a finite number"
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return f"{where} does not fit into 64 bits"
    if not isinstance(value, str | int | float):
        return f"{where} is a {type(value).__name__}; expected text, number, boolean, list or table"
    return ""


Params = Annotated[dict[str, Any], AfterValidator(_checked)]
"""Name -> value."""

ParamsByName = Annotated[dict[str, dict[str, Any]], AfterValidator(_checked)]
"""Name of a round or of a solver -> parameters."""
