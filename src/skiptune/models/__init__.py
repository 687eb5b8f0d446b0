"""Where models come from: an embedded one, a directory, a hub id, an architecture."""
