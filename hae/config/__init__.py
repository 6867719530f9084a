"""What is trained and how: one checked, frozen value; a file of it and ``--set`` say the same.

No torch here: a config is read, shown and compared without it.
"""

from hae.config.parts import (
    AROUND,
    CHECKPOINT,
    CONTROLS,
    TRAINED,
    AggregatorConfig,
    AggregatorName,
    BackboneConfig,
    HeadConfig,
    HeadName,
    OptimizerName,
    Positive,
    Strict,
    ViewsConfig,
)
from hae.config.runs import (
    AgeModelConfig,
    ExpressionConfig,
    IdentityConfig,
    OptimizerConfig,
    RunConfig,
)

__all__ = [
    "AROUND",
    "CHECKPOINT",
    "CONTROLS",
    "TRAINED",
    "AgeModelConfig",
    "AggregatorConfig",
    "AggregatorName",
    "BackboneConfig",
    "ExpressionConfig",
    "HeadConfig",
    "HeadName",
    "IdentityConfig",
    "OptimizerConfig",
    "OptimizerName",
    "Positive",
    "RunConfig",
    "Strict",
    "ViewsConfig",
]
