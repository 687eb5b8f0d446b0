"""Put adapters into a model, choose the blocks that run, take dead ones out."""
