"""Decoders: language models whose layers are skippable blocks, by themselves or behind an image tower."""
