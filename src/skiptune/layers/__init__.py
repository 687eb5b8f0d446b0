"""Adapters, and the block that can be skipped."""
