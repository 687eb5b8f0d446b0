"""What a model costs: operations, parameters, time."""
