"""Tests of abalone_assets.ingest."""
