"""Latency, load time and memory of models side by side."""
