"""Train the adapters of a model: steps, checkpoints, caches."""
