"""One file a model family; :mod:`skiptune.families.registry` is the table."""
