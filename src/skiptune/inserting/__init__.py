"""Insert adapters into a model, choose the blocks that run, remove the others."""
