"""Settings of adapters, budget, search and training, each checked as a whole."""

from .budget import Budget
from .search_config import SearchConfig, StrategyName
from .skip_config import BlockAdapter, SkipConfig, Width
from .train_config import GROUPS, Group, TrainConfig

__all__ = [
    "GROUPS",
    "BlockAdapter",
    "Budget",
    "Group",
    "SearchConfig",
    "SkipConfig",
    "StrategyName",
    "TrainConfig",
    "Width",
]
