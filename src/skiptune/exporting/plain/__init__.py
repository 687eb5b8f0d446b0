"""Plain checkpoints: blocks are gone, the rest renumbered, and transformers' own class reads what remains."""
