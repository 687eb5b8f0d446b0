"""The lowest layer: errors, validation, files, progress, processes, seeds."""
