"""Tiny jobs in the stand-in, for every module here."""

from abalone_assets_tests.pipes.lab import lab

__all__ = ["lab"]
