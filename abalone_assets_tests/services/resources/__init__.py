"""Tests of abalone_assets.resources whose jobs run."""
