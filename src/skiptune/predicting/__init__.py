"""Answers of a model: one question or many, pictures and texts ranked."""
