"""Tests of abalone_assets.registry."""
