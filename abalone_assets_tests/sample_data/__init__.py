"""Tests of abalone_assets.sample_data."""
