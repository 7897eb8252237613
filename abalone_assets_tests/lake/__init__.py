"""Tests of abalone_assets.lake."""
