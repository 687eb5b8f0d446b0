"""Rows that hold a conversation, in the dialects of the tools that write them."""
