"""Which blocks to skip: policy, reward and the callback that runs them during training."""
