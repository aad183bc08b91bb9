"""Round files: TOML parsed into validated, frozen objects."""

from harness.config.fields import MAX_NAME_CHARS
from harness.config.load import (
    SHARED_VARIABLE,
    load_round,
    official_presets,
    packaged_rounds,
    parse_rules,
    shared_folder,
)
from harness.config.params import Params, ParamsByName
from harness.config.round import (
    FINAL_SUFFIX,
    LimitsConfig,
    ModelConfig,
    NumericConfig,
    OutputsConfig,
    RoundConfig,
    RoundInfo,
    VisibilityConfig,
)
from harness.config.task import TaskConfig

__all__ = [
    "FINAL_SUFFIX",
    "MAX_NAME_CHARS",
    "SHARED_VARIABLE",
    "LimitsConfig",
    "ModelConfig",
    "NumericConfig",
    "OutputsConfig",
    "Params",
    "ParamsByName",
    "RoundConfig",
    "RoundInfo",
    "TaskConfig",
    "VisibilityConfig",
    "load_round",
    "official_presets",
    "packaged_rounds",
    "parse_rules",
    "shared_folder",
]
