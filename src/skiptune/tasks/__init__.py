"""One file a task: records to batches, predictions to a metric."""
