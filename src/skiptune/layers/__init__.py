"""What can stand in a block: adapters, and the block that can be skipped."""
