"""Costs of a model: operations, parameters, latency."""
