"""One file a task; the table is in :mod:`skiptune.tasks.registry`."""
