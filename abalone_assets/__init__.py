"""Abalone surveys in, an approved model behind an endpoint out, as Dagster assets."""

__version__ = "0.1.0"

CODE_LOCATION = "abalone_assets"
"""The code location's name in every workspace file of this project."""
