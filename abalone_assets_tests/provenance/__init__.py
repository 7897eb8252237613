"""Versions made again, and what differs between two."""
