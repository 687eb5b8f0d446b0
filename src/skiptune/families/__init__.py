"""A folder for each model family; :mod:`skiptune.families.registry` is the table."""
