"""Round files: TOML in, validated and frozen objects out."""

from harness.config.load import (
    SHARED_VARIABLE,
    load_round,
    official_presets,
    packaged_rounds,
    shared_folder,
)
from harness.config.round import (
    LimitsConfig,
    ModelConfig,
    NumericConfig,
    OutputsConfig,
    RoundConfig,
    RoundInfo,
    TaskConfig,
    VisibilityConfig,
)

__all__ = [
    "SHARED_VARIABLE",
    "LimitsConfig",
    "ModelConfig",
    "NumericConfig",
    "OutputsConfig",
    "RoundConfig",
    "RoundInfo",
    "TaskConfig",
    "VisibilityConfig",
    "load_round",
    "official_presets",
    "packaged_rounds",
    "shared_folder",
]
