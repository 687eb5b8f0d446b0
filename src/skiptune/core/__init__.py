"""What everything else stands on: errors, validation, files, progress, processes, seeds."""
