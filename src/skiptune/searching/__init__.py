"""Find the blocks to skip: budgets, strategies, and the callback that runs them during training."""
