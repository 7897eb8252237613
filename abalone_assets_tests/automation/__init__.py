"""Tests of abalone_assets.automation."""
