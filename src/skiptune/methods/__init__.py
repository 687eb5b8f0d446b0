"""Ways to tune a model: full tuning, parameter-efficient methods, and skipping, one family of methods a file."""
