"""Slim models: export, load, model card, sharing a base, preparation for inference."""
