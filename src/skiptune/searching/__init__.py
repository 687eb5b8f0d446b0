"""Find the blocks to skip: what a budget allows, strategies that choose, and the callback that runs them."""
