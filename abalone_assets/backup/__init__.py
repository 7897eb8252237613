"""Copies of all that a home keeps, each of one moment."""
