"""Readers that yield plain records, and images decoded once."""
