"""A recipe, and the run that carries it out."""
