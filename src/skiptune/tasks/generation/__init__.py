"""Generation: a model reads a conversation about images and writes the next answer."""
