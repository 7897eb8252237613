"""Tests of abalone_assets.storage."""
