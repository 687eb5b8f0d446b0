"""Models that are asked again and again: opened once, each with a name, several on one base."""
