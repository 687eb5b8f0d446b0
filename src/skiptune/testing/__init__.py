"""Tests for the code of users: :func:`check_family` tries out a model family of one's own."""

from .check_family import check_family

__all__ = ["check_family"]
