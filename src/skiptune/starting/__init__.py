"""The first recipe: what is in a folder of data, and a recipe for it."""
