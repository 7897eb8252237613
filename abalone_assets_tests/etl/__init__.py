"""Tests of abalone_assets.etl."""
