"""Recipes, and runs of recipes."""
