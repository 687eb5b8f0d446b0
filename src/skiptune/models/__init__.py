"""Load models: embedded ones, directories, hub ids, architectures with random weights."""
