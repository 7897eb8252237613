"""Tests of abalone_assets.survey."""
