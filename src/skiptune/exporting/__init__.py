"""Slim models: written, read, described, shared, prepared for inference."""
