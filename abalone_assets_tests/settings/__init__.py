"""Tests of abalone_assets.settings."""
