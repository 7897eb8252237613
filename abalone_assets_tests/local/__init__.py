"""Tests of abalone_assets.local."""
