"""Tests of abalone_assets.doctor."""
