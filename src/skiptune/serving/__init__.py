"""A service on Ray Serve: several models answer over HTTP, in batches, within limits."""
