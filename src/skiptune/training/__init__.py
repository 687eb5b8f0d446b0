"""Training: steps, checkpoints, cached encoder outputs."""
