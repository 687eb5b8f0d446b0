"""Measures of written answers: how well a text agrees with the right answers of a record."""
