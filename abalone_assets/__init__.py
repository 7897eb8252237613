"""Abalone surveys in, an approved model behind an endpoint out, as Dagster assets."""

__version__ = "0.1.0"
