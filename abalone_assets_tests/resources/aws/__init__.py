"""Tests of abalone_assets.resources."""
